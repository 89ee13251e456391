use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use smoc_common::route::PortNumber;

use super::{
    BACKOFF, Event, SETTLE, SILENCE,
    model::{Agent, LEASE, World, record},
};
use crate::store::{Bytes, Key, SwitchRecord};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn key(place: usize) -> Key {
    Key::Switch(format!("e{place}"))
}

/// What everybody else says.
fn others(world: &World, place: usize) -> BTreeMap<Key, Bytes> {
    let all = world.agents.iter().enumerate().filter(|(other, _)| *other != place);
    all.flat_map(|(_, agent)| agent.own.clone()).map(|(key, bytes)| (key, bytes.into())).collect()
}

fn assert_settled(world: &World) {
    for (place, agent) in world.agents.iter().enumerate() {
        let status = agent.mirror.status(world.now);
        assert!(status.is_following && status.error.is_none(), "{}: {status:?}", agent.name);
        assert!(status.doubted.iter().all(|key| key.owner().is_none()), "{}: {status:?}", agent.name);
        let published = agent.published.iter().filter(|(key, _)| key.owner().is_some());
        let published: BTreeMap<Key, Bytes> = published.map(|(k, b)| (k.clone(), b.clone())).collect();
        assert_eq!(published, others(world, place), "{} sees all others", agent.name);
    }
}

fn withdrawn(agent: &Agent) -> Vec<&Key> {
    agent.withdrawn.iter().collect()
}

#[test]
fn agents_see_each_other_and_then_are_quiet() {
    let mut world = World::ring(5, 1);
    world.run(5 * SECOND);
    assert_settled(&world);
    let revision = world.server.revision;
    world.run(10 * MINUTE);
    assert_settled(&world);
    assert_eq!(world.server.revision, revision, "nothing is written that has not changed");
}

#[test]
fn an_emptied_store_withdraws_nothing_and_is_filled_again() {
    let mut world = World::ring(5, 2);
    world.run(5 * SECOND);
    world.server.delete(|_| true);
    world.run(3 * SECOND);
    assert_settled(&world);
    assert_eq!(world.server.records.len(), 10);
    assert!(world.agents.iter().all(|agent| withdrawn(agent).is_empty()));
}

#[test]
fn another_empty_store_is_filled_as_well() {
    let mut world = World::ring(4, 3);
    world.run(5 * SECOND);
    (world.server.is_up, world.server.cluster, world.server.revision) = (false, 8, 1);
    world.cut(|_| true);
    world.server.delete(|_| true);
    world.server.compact();
    world.run(MINUTE);
    world.server.is_up = true;
    world.run(30 * SECOND);
    assert_settled(&world);
    assert!(world.agents.iter().all(|agent| withdrawn(agent).is_empty()));
}

#[test]
fn a_restored_backup_takes_nothing_back() {
    for cluster in [7, 8] {
        let mut world = World::ring(4, 4);
        world.run(5 * SECOND);
        world.server.back_up();
        world.say(2, 5);
        world.run(5 * SECOND);
        // e2 is away from the store while that is restored, and so cannot write its record again.
        world.agents[2].is_reachable = false;
        world.cut(|_| true);
        let now = world.now;
        world.server.restore(cluster, now);
        world.run(MINUTE);
        let said = |world: &World| SwitchRecord::parse(&world.agents[0].published[&key(2)]).unwrap().agent;
        assert_eq!(said(&world), "5", "the store says 0 again");
        assert!(world.agents[0].mirror.status(world.now).doubted.contains(&key(2)));
        world.agents[2].is_reachable = true;
        world.run(MINUTE);
        assert_eq!(said(&world), "5");
        assert_settled(&world);
    }
}

#[test]
fn a_switch_that_nobody_hears_disappears_after_its_lease() {
    let mut world = World::ring(4, 5);
    world.run(5 * SECOND);
    world.agents[3].is_reachable = false;
    world.cut(|agent| agent.name == "e3");
    world.run(LEASE + MINUTE);
    assert!(world.agents[0].published.contains_key(&key(3)), "its neighbours still hear it");
    let without = |neighbor: &str| BTreeMap::from([(key(0), record(1, &[neighbor]))]);
    world.tell(0, Event::Own(without("e1")));
    world.run(MINUTE);
    assert!(world.agents[0].published.contains_key(&key(3)), "one neighbour still hears it");
    world.tell(2, Event::Own(BTreeMap::from([(key(2), record(1, &["e1"]))])));
    world.run(2 * SETTLE);
    for place in 0..3 {
        let known = world.agents[place].published.keys().filter(|key| key.owner() == Some("e3"));
        assert_eq!(known.count(), 0, "neither the switch nor its hosts are known");
    }
}

#[test]
fn a_switch_that_only_reports_keep_disappears_after_another_lease_and_half_the_fabric_does_not() {
    let mut world = World::ring(5, 13);
    world.run(5 * SECOND);
    world.agents[4].is_reachable = false;
    world.cut(|agent| agent.name == "e4");
    world.run(2 * LEASE + MINUTE);
    assert!(!world.agents[0].published.contains_key(&key(4)));
    for place in [1, 2, 3] {
        world.agents[place].is_reachable = false;
    }
    world.cut(|agent| agent.name != "e0");
    world.run(4 * LEASE);
    let known: Vec<&Key> =
        world.agents[0].published.keys().filter(|it| matches!(it, Key::Switch(_))).collect();
    assert_eq!(known, [&key(1), &key(2), &key(3)], "the management network is in pieces, not the fabric");
}

#[test]
fn hosts_that_left_and_policies_are_forgotten_at_once() {
    let mut world = World::ring(3, 6);
    world.server.put(Key::Policy("p".into()), b"x".to_vec().into(), 0);
    world.run(5 * SECOND);
    assert!(world.agents[0].published.contains_key(&Key::Policy("p".into())));
    let hosts = Key::Hosts("e1".into(), PortNumber::new(9).unwrap());
    world.agents[1].own.insert(hosts.clone(), b"none".to_vec());
    let own = world.agents[1].own.clone();
    world.tell(1, Event::Own(own));
    world.server.delete(|record| matches!(record.key, Key::Policy(_)));
    world.run(SECOND);
    assert!(!world.agents[0].published.contains_key(&Key::Policy("p".into())));
    assert_settled(&world);
    world.agents[1].own.remove(&hosts);
    let own = world.agents[1].own.clone();
    world.tell(1, Event::Own(own));
    world.run(LEASE + MINUTE);
    assert_settled(&world);
}

#[test]
fn an_emptied_store_keeps_policies_for_the_time_of_a_lease() {
    let mut world = World::ring(3, 7);
    let policy = Key::Policy("p".into());
    world.server.put(policy.clone(), b"x".to_vec().into(), 0);
    world.run(5 * SECOND);
    world.server.delete(|_| true);
    world.run(LEASE / 2);
    let status = world.agents[1].mirror.status(world.now);
    assert!(world.agents[1].published.contains_key(&policy) && status.doubted == [policy.clone()]);
    world.run(LEASE);
    assert!(world.agents.iter().all(|agent| !agent.published.contains_key(&policy)));
}

#[test]
fn an_agent_starts_from_disk_while_the_store_is_away() {
    let mut world = World::ring(4, 8);
    world.run(10 * SECOND);
    world.server.is_up = false;
    world.cut(|_| true);
    world.restart(1, true);
    assert_eq!(world.agents[1].published, others(&world, 1), "at once");
    world.run(10 * MINUTE);
    let status = world.agents[1].mirror.status(world.now);
    assert_eq!((status.is_following, status.heard), (false, None));
    assert!(status.error.unwrap().contains("refused"));
    assert_eq!(world.agents[1].published, others(&world, 1));
    let attempts = world.agents[1].attempts;
    assert!((60..300).contains(&attempts), "{attempts} attempts in ten minutes");
}

#[test]
fn a_connection_that_hangs_is_given_up() {
    let mut world = World::ring(3, 9);
    world.run(5 * SECOND);
    world.agents[0].is_silent = true;
    world.say(1, 8);
    world.run(SILENCE + 2 * BACKOFF.0 + SECOND);
    assert_settled(&world);
}

#[test]
fn two_agents_of_one_name_are_told_and_do_not_fight() {
    let mut world = World::ring(3, 10);
    world.run(5 * SECOND);
    let revision = world.server.revision;
    for number in 0..200 {
        world.run(SECOND / 2);
        // Another agent does what this one would: it writes its record whenever it finds another one.
        let foreign: Bytes = record(999, &["e7"]).into();
        if world.server.records[&key(0)].bytes != foreign {
            world.server.put(key(0), foreign, 77);
        }
        assert!(number < 20 || world.agents[0].mirror.status(world.now).contested);
    }
    let writes = world.server.revision - revision;
    assert!(writes < 30, "{writes} writes in 100 s");
}

#[test]
fn a_store_that_refuses_to_write_is_still_read() {
    let mut world = World::ring(2, 11);
    world.run(5 * SECOND);
    world.tell(0, Event::Refused("permission denied".into()));
    world.say(1, 3);
    world.run(2 * SECOND);
    let status = world.agents[0].mirror.status(world.now);
    assert!(status.is_following && status.refusal.as_deref() == Some("permission denied"));
    assert_eq!(world.agents[0].published, others(&world, 0));
}

#[test]
fn slow_writes_are_coalesced() {
    let mut world = World::ring(2, 12);
    world.server.slow = 3 * SECOND;
    world.run(10 * SECOND);
    let revision = world.server.revision;
    for number in 1..100 {
        world.say(0, number);
        world.run(SECOND / 10);
    }
    world.run(10 * SECOND);
    assert_settled(&world);
    let writes = world.server.revision - revision;
    assert!(writes <= 6, "{writes} writes");
}

#[test]
fn a_store_that_was_restored_and_has_come_as_far_again_takes_nothing_back() {
    let mut world = World::ring(AGENTS, 0);
    world.run(5 * SECOND);
    world.server.back_up();
    world.say(2, 101);
    world.run(SECOND);
    for fault in [Fault::Down, Fault::Restore(true), Fault::EmptyHosts, Fault::Up] {
        let revision = world.server.revision;
        apply(&mut world, fault, 0);
        println!("{fault:?}: {revision} to {}", world.server.revision);
    }
    let others = [0, 1, 3];
    for _ in 0..100 {
        world.run(SECOND / 10);
        for place in others {
            assert_eq!(numbers(&world.agents[place])[&Key::Switch("e2".into())], 101);
        }
    }
    world.run(MINUTE);
    assert_settled(&world);
}

/// Something that goes wrong, or is done, in a fabric.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Say(usize),
    Down,
    Up,
    Cut(usize),
    Silent(usize),
    Unreachable(usize),
    Reachable(usize),
    Restart(usize, bool),
    Empty,
    EmptyHosts,
    BackUp,
    Restore(bool),
    Compact,
    CompactUnseen(usize),
    Slow(bool),
    Policy(u8),
}

fn fault() -> impl Strategy<Value = Fault> {
    let agent = || 0..AGENTS;
    prop_oneof![
        4 => agent().prop_map(Fault::Say),
        1 => Just(Fault::Down),
        2 => Just(Fault::Up),
        1 => agent().prop_map(Fault::Cut),
        1 => agent().prop_map(Fault::Silent),
        1 => agent().prop_map(Fault::Unreachable),
        1 => agent().prop_map(Fault::Reachable),
        1 => (agent(), any::<bool>()).prop_map(|(agent, is_remembering)| Fault::Restart(agent, is_remembering)),
        1 => Just(Fault::Empty),
        1 => Just(Fault::EmptyHosts),
        1 => Just(Fault::BackUp),
        1 => any::<bool>().prop_map(Fault::Restore),
        1 => Just(Fault::Compact),
        1 => agent().prop_map(Fault::CompactUnseen),
        1 => any::<bool>().prop_map(Fault::Slow),
        1 => any::<u8>().prop_map(Fault::Policy),
    ]
}

const AGENTS: usize = 4;

fn apply(world: &mut World, fault: Fault, number: u64) {
    match fault {
        Fault::Say(place) => world.say(place, number),
        Fault::Down => {
            world.server.is_up = false;
            world.cut(|_| true);
        }
        Fault::Up => world.server.is_up = true,
        Fault::Cut(place) => world.cut(|agent| agent.name == format!("e{place}")),
        Fault::Silent(place) => world.agents[place].is_silent = true,
        Fault::Unreachable(place) => {
            world.agents[place].is_reachable = false;
            world.cut(|agent| !agent.is_reachable);
        }
        Fault::Reachable(place) => world.agents[place].is_reachable = true,
        Fault::Restart(place, is_remembering) => world.restart(place, is_remembering),
        Fault::Empty => world.server.delete(|_| true),
        Fault::EmptyHosts => world.server.delete(|record| matches!(record.key, Key::Hosts(..))),
        Fault::BackUp => world.server.back_up(),
        Fault::Restore(is_same) => {
            let (cluster, now) = (if is_same { world.server.cluster } else { number }, world.now);
            world.cut(|_| true);
            world.server.restore(cluster, now);
        }
        Fault::Compact => world.server.compact(),
        Fault::CompactUnseen(place) => {
            world.cut(|agent| agent.name == format!("e{place}"));
            world.server.put(Key::Config, number.to_string().into_bytes().into(), 0);
            world.server.compact();
        }
        Fault::Slow(is_slow) => world.server.slow = if is_slow { 4 * SECOND } else { Duration::ZERO },
        Fault::Policy(name) => {
            world.server.put(Key::Policy(name.to_string()), vec![name].into(), 0);
        }
    }
}

/// The number that each agent last published of each switch.
fn numbers(agent: &Agent) -> BTreeMap<Key, u64> {
    let switches = agent.published.iter().filter(|(key, _)| matches!(key, Key::Switch(_)));
    let number = |bytes: &Bytes| SwitchRecord::parse(bytes).unwrap().agent.parse().unwrap();
    switches.map(|(key, bytes)| (key.clone(), number(bytes))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens to store, connections and agents: no switch that runs, and no host, is ever withdrawn, and nothing
    /// that a switch said is taken back; and when the trouble is over, everybody sees what everybody says.
    #[test]
    fn no_trouble_of_the_store_is_trouble_of_the_fabric(
        seed in any::<u64>(),
        faults in prop::collection::vec((fault(), 1_u64..8_000), 1..60),
    ) {
        let mut world = World::ring(AGENTS, seed);
        world.run(5 * SECOND);
        let mut latest = vec![BTreeMap::new(); AGENTS];
        for (number, (fault, wait)) in faults.into_iter().enumerate() {
            apply(&mut world, fault, number as u64 + 100);
            if let Fault::Restart(place, _) = fault {
                latest[place] = BTreeMap::new();
            }
            world.run(Duration::from_millis(wait));
            for (place, agent) in world.agents.iter().enumerate() {
                prop_assert!(withdrawn(agent).iter().all(|key| key.owner().is_none()), "{:?}", agent.withdrawn);
                let now = numbers(agent);
                for (key, before) in &latest[place] {
                    prop_assert!(now[key] >= *before, "{} of {key} at {}: {before} before", now[key], agent.name);
                }
                latest[place] = now;
            }
        }
        world.server.is_up = true;
        world.server.slow = Duration::ZERO;
        world.agents.iter_mut().for_each(|agent| agent.is_reachable = true);
        world.run(2 * MINUTE);
        assert_settled(&world);
        let own: BTreeMap<Key, Vec<u8>> = world.agents.iter().flat_map(|agent| agent.own.clone()).collect();
        for (key, bytes) in own {
            prop_assert_eq!(&*world.server.records[&key].bytes, &bytes[..]);
        }
    }
}
