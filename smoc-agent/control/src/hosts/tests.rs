use std::path::Path;

use super::*;
use smoc_common::route::PortNumber;
use smoc_paths::topology::TopologyFile;

fn topology() -> Topology {
    topology_of(
        r#"
hosts:
  - {name: h1, port: "e1:9", mac: "02:00:00:00:00:01", addresses: [10.0.0.1]}
  - {name: h2, port: "e2:9", addresses: [10.0.0.2]}
"#,
    )
}

fn topology_of(hosts: &str) -> Topology {
    let text = format!(r#"links: [{{a: "e1:1", b: "e2:1"}}, {{a: "e2:2", b: "e3:1"}}]{hosts}"#);
    TopologyFile::parse(Path::new("t.yaml"), &text).unwrap().connected().unwrap()
}

const E1: SwitchId = SwitchId(0);
const E2: &str = "e2";
const SECOND: Duration = Duration::from_secs(1);
const SOON: Nanos = Nanos(1_000_000_000);

fn seen(address: &str, mac: u8, port: u16, at: u64) -> Sighting {
    let mac = MacAddress::new([2, 0, 0, 0, 0, mac]);
    let port = PortNumber::new(port).unwrap();
    Sighting { address: address.parse().unwrap(), mac, port, seen: Nanos(at) }
}

fn table() -> HostTable {
    let mut table = HostTable::default();
    table.declare(&topology(), E1, Nanos(0));
    table
}

/// The same with one more switch and no host.
fn three() -> HostTable {
    let mut table = HostTable::default();
    table.declare(&topology_of(""), E1, Nanos(0));
    table
}

fn resolve(table: &HostTable) -> BTreeMap<IpAddr, KnownHost> {
    let (mut known, mut table) = (BTreeMap::new(), table.clone());
    table.changed.extend(table.claims.keys());
    table.changed.extend(table.declared.keys());
    table.refresh(&mut known, &topology(), E1);
    known
}

/// Time passes, and nobody who is asked answers; who was asked.
fn wait(table: &mut HostTable, until: Nanos) -> Vec<Question> {
    let mut asked = Vec::new();
    while let Some(at) = table.questions_at().filter(|at| *at <= until) {
        asked.extend(table.questions(at));
    }
    asked
}

fn to_announce(table: &HostTable) -> Vec<Sighting> {
    table.to_announce(&resolve(table), E1)
}

fn place(table: &HostTable, address: &str) -> Option<(u32, u16, u8, Source)> {
    let known = resolve(table);
    let host = known.get(&address.parse().unwrap())?;
    Some((host.at.switch.0, host.at.port.get(), host.mac.octets()[5], host.source))
}

#[test]
fn a_file_declared_host_stays_where_the_file_says() {
    let mut table = table();
    table.learn(seen("10.0.0.1", 66, 8, 5));
    table.announced(E2, vec![seen("10.0.0.1", 67, 9, 6)].into(), Nanos(6));
    assert_eq!(place(&table, "10.0.0.1"), Some((0, 9, 1, Source::File)));
    assert_eq!(to_announce(&table), [], "others know the file as well");
}

#[test]
fn a_declared_host_without_mac_is_known_once_it_speaks_at_its_port() {
    let mut table = table();
    assert_eq!(place(&table, "10.0.0.2"), None);
    table.announced(E2, vec![seen("10.0.0.2", 2, 7, 1)].into(), Nanos(1));
    assert_eq!(place(&table, "10.0.0.2"), None, "another port than the file's");
    table.announced(E2, vec![seen("10.0.0.2", 2, 9, 1)].into(), Nanos(1));
    assert_eq!(place(&table, "10.0.0.2"), Some((1, 9, 2, Source::File)));
}

#[test]
fn further_addresses_of_a_declared_host_are_learned_and_carry_its_name() {
    let mut table = table();
    assert!(table.learn(seen("10.0.0.77", 1, 9, 1)));
    let known = resolve(&table);
    let host = &known[&"10.0.0.77".parse::<IpAddr>().unwrap()];
    assert_eq!((host.name.as_deref(), host.source), (Some("h1"), Source::Learned));
}

#[test]
fn the_latest_word_counts_when_a_host_moves() {
    let mut table = table();
    table.learn(seen("10.0.0.5", 5, 9, 10));
    table.announced(E2, vec![seen("10.0.0.5", 5, 8, 5)].into(), Nanos(11));
    assert_eq!(place(&table, "10.0.0.5"), Some((0, 9, 5, Source::Learned)));
    assert_eq!(table.questions_at(), None, "what is older is no reason to ask");
    let later = SOON + SECOND;
    table.announced(E2, vec![seen("10.0.0.5", 5, 8, later.0)].into(), later);
    assert_eq!(place(&table, "10.0.0.5"), Some((0, 9, 5, Source::Learned)));
    assert_eq!(wait(&mut table, later + SECOND).len(), 3);
    assert_eq!(place(&table, "10.0.0.5"), Some((1, 8, 5, Source::Announced)));
    assert_eq!(to_announce(&table), [], "it is not ours any more");
}

#[test]
fn an_announcement_replaces_the_one_before() {
    let mut table = table();
    table.announced(E2, vec![seen("10.0.0.5", 5, 8, 1), seen("10.0.0.6", 6, 8, 1)].into(), Nanos(1));
    table.announced(E2, vec![seen("10.0.0.6", 6, 8, 2)].into(), Nanos(2));
    assert_eq!(place(&table, "10.0.0.5"), None);
    assert!(place(&table, "10.0.0.6").is_some());
}

#[test]
fn silence_forgets() {
    let mut table = table();
    table.learn(seen("10.0.0.5", 5, 9, 0));
    table.announced(E2, vec![seen("10.0.0.6", 6, 8, 0)].into(), Nanos(0));
    table.expire(Nanos(0) + (ANNOUNCED_FOR - Duration::from_nanos(1)));
    assert!(place(&table, "10.0.0.6").is_some());
    table.expire(Nanos(0) + ANNOUNCED_FOR);
    assert!(place(&table, "10.0.0.6").is_none() && place(&table, "10.0.0.5").is_some());
    let due = Nanos(0) + LEARNED_FOR;
    table.expire(due);
    assert!(place(&table, "10.0.0.5").is_some(), "it is asked first");
    assert_eq!(wait(&mut table, due + SECOND).len(), 3);
    assert!(place(&table, "10.0.0.5").is_none());
}

#[test]
fn only_what_changes_is_news() {
    let mut table = table();
    assert!(table.learn(seen("10.0.0.5", 5, 9, 1)));
    assert!(!table.learn(seen("10.0.0.5", 5, 9, 2)));
    assert!(!table.has_changed() || table.questions_at().is_none());
    assert!(table.learn(seen("10.0.0.6", 6, 9, 3)));
}

#[test]
fn what_can_be_no_host_is_not_learned() {
    let mut table = table();
    for address in
        ["0.0.0.0", "255.255.255.255", "224.0.0.1", "169.254.0.1", "127.0.0.1", "fe80::1", "ff02::1", "::"]
    {
        assert!(!table.learn(seen(address, 5, 9, 1)), "{address}");
    }
    let odd = [[1, 0, 0, 0, 0, 1], [0; 6], [2, 0x53, 0x4d, 0, 0, 0]];
    for mac in odd {
        assert!(!table.learn(Sighting { mac: MacAddress::new(mac), ..seen("10.0.0.5", 0, 9, 1) }), "{mac:?}");
    }
}

#[test]
fn one_port_cannot_fill_the_table() {
    let mut table = table();
    for n in 0..ADDRESSES_PER_PORT as u32 + 10 {
        let address = IpAddr::from((0x0a01_0000 + n).to_be_bytes());
        table.learn(Sighting { address, ..seen("10.0.0.5", 5, 9, 1) });
    }
    assert_eq!(to_announce(&table).len(), ADDRESSES_PER_PORT);
    assert!(table.learn(seen("10.0.0.9", 9, 8, 1)), "another port is not affected");
}

#[test]
fn map_addresses_convert_both_ways() {
    for text in ["10.0.0.1", "fd00::1"] {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(ip_address(map_address(address)), address);
    }
}

#[test]
fn a_restarted_agent_remembers_but_believes_fresh_words_rather() {
    let mut table = table();
    let now = Nanos(0) + LEARNED_FOR;
    let found = [(None, seen("10.0.0.5", 5, 9, 0)), (Some(E2), seen("10.0.0.6", 6, 8, 0))];
    table.remember(found.into_iter(), now);
    table.expire(now);
    assert_eq!(place(&table, "10.0.0.5"), Some((0, 9, 5, Source::Learned)));
    assert_eq!(place(&table, "10.0.0.6"), Some((1, 8, 6, Source::Announced)));
    let Nanos(a_minute_ago) = now - Duration::from_secs(60);
    table.announced(E2, vec![seen("10.0.0.5", 5, 8, a_minute_ago)].into(), now);
    wait(&mut table, now + SECOND);
    assert_eq!(place(&table, "10.0.0.5"), Some((1, 8, 5, Source::Announced)), "it has moved meanwhile");
    assert_eq!(place(&table, "10.0.0.6"), None, "its edge does not know it any more");
}

#[test]
fn a_host_that_is_replaced_by_others_again_and_again_is_known_within_a_second_of_the_last() {
    let mut table = table();
    let second = |n: u64| n * 1_000_000_000;
    for n in 1..20 {
        let now = Nanos(second(2 * n));
        table.learn(seen("10.0.0.5", n as u8, 9, now.0));
        wait(&mut table, now + HELD.0);
        assert_eq!(place(&table, "10.0.0.5"), Some((0, 9, n as u8, Source::Learned)));
    }
    let fresh = |n: u64| Sighting {
        mac: MacAddress::new([6, 0, 0, 0, (n >> 8) as u8, n as u8]),
        ..seen("10.0.0.6", 1, 9, n * 1_000_000)
    };
    let moves = (0..60_000).filter(|n| {
        table.learn(fresh(*n));
        let before = table.chosen(&fresh(0).address);
        table.questions(Nanos(n * 1_000_000));
        table.chosen(&fresh(0).address) != before
    });
    let moves = moves.count();
    assert!((40..=60).contains(&moves), "{moves} in a minute of 1000 MAC addresses a second");
}

#[test]
fn a_declared_address_without_mac_stays_known_whoever_claims_it() {
    let mut table = table();
    table.announced(E2, vec![seen("10.0.0.2", 2, 9, 1)].into(), Nanos(1));
    table.learn(seen("10.0.0.2", 66, 5, 2));
    table.announced(E2, vec![seen("10.0.0.2", 2, 9, 1), seen("10.0.0.2", 67, 7, 3)].into(), Nanos(3));
    assert_eq!(place(&table, "10.0.0.2"), Some((1, 9, 2, Source::File)));
}

#[test]
fn a_port_is_full_for_addresses_that_were_known_elsewhere_too() {
    let mut table = table();
    for (port, mac, at) in [(8, 1, 1), (7, 2, 2)] {
        for n in 0..3000u32 {
            let address = IpAddr::from((0x0a01_0000 + n).to_be_bytes());
            let port = PortNumber::new(port + if port == 8 { (n / 1000) as u16 } else { 0 }).unwrap();
            table.learn(Sighting { address, port, ..seen("10.0.0.5", mac, 9, at) });
        }
    }
    wait(&mut table, SOON);
    let behind = resolve(&table).values().filter(|host| host.at.port.get() == 7).count();
    assert_eq!(behind, ADDRESSES_PER_PORT);
}

#[test]
fn words_that_say_nothing_new_change_nothing() {
    let mut table = table();
    let list = |at: u64| (0..40).map(|n| seen(&format!("10.0.1.{n}"), n, 8, at)).collect::<Vec<_>>();
    table.announced(E2, list(1).into(), Nanos(1));
    let mut known = BTreeMap::new();
    assert!(!table.refresh(&mut known, &topology(), E1).is_empty());
    table.announced(E2, list(2).into(), Nanos(2));
    assert!(!table.has_changed());
}

#[test]
fn an_edge_that_repeats_itself_keeps_its_host_against_an_older_word_and_loses_it_to_a_later_one() {
    for (other, expected) in [(50, 1), (200, 2)] {
        let mut table = three();
        table.announced(E2, vec![seen("10.0.0.5", 5, 8, 1)].into(), Nanos(1));
        table.announced(E2, vec![seen("10.0.0.5", 5, 8, 100)].into(), Nanos(100));
        assert!(table.contested.is_empty());
        table.announced("e3", vec![seen("10.0.0.5", 5, 8, other)].into(), Nanos(300));
        let at = place(&table, "10.0.0.5").unwrap();
        assert_eq!(at.0, expected, "heard at e2 at 100, at e3 at {other}");
    }
}

#[test]
fn a_host_that_comes_back_to_an_edge_that_never_forgot_it_is_found_there() {
    let mut table = three();
    let list =
        |at: u64| vec![seen("10.0.0.4", 4, 8, 1), seen("10.0.0.5", 5, 8, at), seen("10.0.0.6", 6, 8, 1)];
    table.announced(E2, list(1).into(), Nanos(1));
    table.announced("e3", vec![seen("10.0.0.5", 5, 8, 10)].into(), Nanos(10));
    assert_eq!(place(&table, "10.0.0.5").unwrap().0, 2);
    let (_, longest) = HELD;
    let later = Nanos(20) + longest * 2;
    table.announced(E2, list(later.0).into(), later);
    assert_eq!(place(&table, "10.0.0.5").unwrap().0, 1);
    table.announced("e3", vec![].into(), later);
    assert!(table.contested.is_empty());
}

#[test]
fn what_a_full_port_had_no_room_for_is_taken_in_once_it_has_although_the_list_says_it_again() {
    let mut table = table();
    let list = |from: u32| {
        let host = |n: u32| {
            let address = IpAddr::from((0x0a01_0000 + n).to_be_bytes());
            Sighting { address, ..seen("10.0.0.5", 5, 9, 1) }
        };
        (from..=ADDRESSES_PER_PORT as u32).map(host).collect::<Vec<_>>()
    };
    let last = format!("10.1.{}.0", ADDRESSES_PER_PORT / 256);
    table.announced(E2, list(0).into(), Nanos(1));
    table.announced(E2, list(0).into(), Nanos(2));
    assert_eq!(place(&table, &last), None);
    table.announced(E2, list(1).into(), Nanos(3));
    table.announced(E2, list(1).into(), Nanos(4));
    assert!(place(&table, &last).is_some() && place(&table, "10.1.0.0").is_none());
}

/// An announcement claims each address that is contested anew, so a table whose addresses all count as that takes no short
/// cut.
#[test]
fn what_is_skipped_because_it_was_said_before_makes_no_difference() {
    let mut random = smoc_paths::topology::generate::Random(7);
    for _ in 0..60 {
        let (mut quick, mut slow) = (three(), three());
        for step in 1..40u64 {
            let now = Nanos(step * 700_000_000);
            let heard = |random: &mut smoc_paths::topology::generate::Random| {
                let ago = (random.below(4) as u64 * 300_000_000).min(now.0);
                let (host, mac, port) = (random.below(5), 1 + random.below(8) / 7, 8 + random.below(9) / 8);
                seen(&format!("10.0.0.{host}"), mac as u8, port as u16, now.0 - ago)
            };
            if random.below(4) == 0 {
                let sighting = Sighting { seen: now, ..heard(&mut random) };
                assert_eq!(quick.learn(sighting), slow.learn(sighting));
            } else {
                let origin = [E2, "e3"][random.below(2)];
                let list: Vec<Sighting> = (0..random.below(6)).map(|_| heard(&mut random)).collect();
                slow.contested.extend((0..5).map(|host| IpAddr::from([10, 0, 0, host])));
                quick.announced(origin, list.clone().into(), now);
                slow.announced(origin, list.into(), now);
            }
            for table in [&mut quick, &mut slow] {
                table.release(now);
                table.questions(now);
            }
            let all = |table: &HostTable| {
                let places = resolve(table).into_iter().map(|(address, host)| (address, host.at, host.mac));
                places.collect::<Vec<_>>()
            };
            assert_eq!(all(&quick), all(&slow), "step {step}");
        }
    }
}
