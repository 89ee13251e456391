//! The policy in force, from the record to the maps.

use std::{collections::BTreeMap, time::Duration};

use smoc_common::{
    map::{EdgeIndex, PairKey, PathSet},
    wire::ethernet::MacAddress,
};

use super::{Effect, Event, tests::Bench};
use crate::{
    dataplane::{Change, Installed, fake::FakeDataplane},
    discovery::announcement::{self, Lists},
    fabric::Record,
    hosts::map_address,
    plan::{GRACE_PERIOD, Unmet},
    policy::to_records,
};

const AVOID: &str = "rules: [{name: away, between: [h2, 10.0.0.7], avoid: [m1]}]";

/// ARP (RFC 826): a host at port 9 says that it has 10.0.0.7.
fn arp() -> Vec<u8> {
    let (mac, address) = ([2, 0, 0, 0, 1, 7], [10, 0, 0, 7]);
    let head = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2];
    [&[0xff; 6][..], &mac, &head, &mac, &address, &[0; 6], &address].concat()
}

/// All settled, with a host here, and the maps as they were written.
fn bench() -> (Bench, FakeDataplane) {
    let mut bench = Bench::settled();
    bench.heard(9, crate::ports::Role::Host, arp());
    bench.pass(Duration::from_secs(2));
    let dataplane = FakeDataplane { state: bench.switch.wanted().clone(), log: Vec::new() };
    (bench, dataplane)
}

/// What an operator writes, and all that follows in a second.
fn apply(bench: &mut Bench, dataplane: &mut FakeDataplane, text: &str, now: u64) -> Vec<Change> {
    let records = to_records(&bench.switch.records, text, now).unwrap();
    recorded(bench, dataplane, records)
}

fn recorded(bench: &mut Bench, dataplane: &mut FakeDataplane, records: Vec<Record>) -> Vec<Change> {
    let mut effects = bench.handle(Event::Recorded(records));
    effects.extend(bench.pass(Duration::from_millis(500)));
    write(dataplane, effects)
}

fn write(dataplane: &mut FakeDataplane, effects: Vec<Effect>) -> Vec<Change> {
    let changes: Vec<Change> = effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Write(change) => Some(change),
            _ => None,
        })
        .collect();
    changes.iter().for_each(|change| dataplane.apply(change));
    changes
}

/// The paths that two addresses take: those of the pair, else those of the edge.
fn set(state: &Installed, local: &str, remote: &str) -> PathSet {
    let [local, remote] = [local, remote].map(|address| state.hosts[&map_address(address.parse().unwrap())]);
    let edge = remote.attachment.edge;
    let key = PairKey { local: local.class, remote: remote.class, edge, reserved: 0 };
    let index: EdgeIndex = state.pairs.get(&key).copied().unwrap_or(edge);
    state.path_sets[&state.edges[&index]]
}

fn ports(set: &PathSet) -> Vec<u16> {
    let ranks = &set.paths[..usize::from(set.count)];
    let others = &set.paths[PathSet::BASE..][..usize::from(set.base_count)];
    ranks.iter().chain(others).map(|path| path.port).collect()
}

#[test]
fn a_rule_gives_a_pair_other_paths_than_all_others_in_an_order_in_which_no_frame_is_lost() {
    let (mut bench, mut dataplane) = bench();
    let before = dataplane.state.settings.epoch;
    let changes = apply(&mut bench, &mut dataplane, AVOID, 5);
    assert_eq!(ports(&set(&dataplane.state, "10.0.0.7", "10.0.0.2")), [2, 2]);
    let plain = dataplane.state.path_sets[&dataplane.state.edges[&1]];
    assert_eq!(ports(&plain), [2, 1, 2, 1], "all others keep theirs");
    assert_eq!(dataplane.state.settings.epoch, before + 1, "flows look");
    let place = |wanted: &dyn Fn(&Change) -> bool| changes.iter().position(wanted).unwrap();
    let order = [
        place(&|change| matches!(change, Change::WritePathSet(..))),
        place(&|change| matches!(change, Change::PointEdge(..))),
        place(&|change| matches!(change, Change::SetPair(..))),
        place(&|change| matches!(change, Change::SetHost(..))),
        place(&|change| matches!(change, Change::SetSettings(_))),
    ];
    assert!(order.is_sorted(), "{changes:?}");
    assert!(apply(&mut bench, &mut dataplane, AVOID, 6).is_empty(), "it is so");
    assert!(bench.snapshot().warnings.iter().all(|warning| !warning.contains("policy")));
}

#[test]
fn the_paths_of_a_rule_that_is_gone_stay_until_no_flow_takes_them() {
    let (mut bench, mut dataplane) = bench();
    apply(&mut bench, &mut dataplane, AVOID, 5);
    let edges = dataplane.state.edges.clone();
    let changes = apply(&mut bench, &mut dataplane, "", 6);
    assert!(dataplane.state.pairs.is_empty());
    assert_eq!(dataplane.state.edges, edges, "flows that have not looked yet take them");
    assert!(matches!(changes.last(), Some(Change::SetSettings(_))), "{changes:?}");
    let pass = bench.pass(GRACE_PERIOD);
    write(&mut dataplane, pass);
    apply(&mut bench, &mut dataplane, "rules: [{between: [10.9.9.9, any], count: 1}]", 7);
    assert_eq!(dataplane.state.edges.len(), 1, "{:?}", dataplane.state.edges);
    assert!(dataplane.state.hosts.values().all(|host| host.class == 0 || host.class == 1));
}

#[test]
fn another_policy_of_the_same_pair_replaces_its_paths_in_place() {
    let (mut bench, mut dataplane) = bench();
    apply(&mut bench, &mut dataplane, AVOID, 5);
    let epoch = dataplane.state.settings.epoch;
    apply(&mut bench, &mut dataplane, &AVOID.replace("m1", "m2"), 6);
    assert_eq!(ports(&set(&dataplane.state, "10.0.0.7", "10.0.0.2")), [1, 1]);
    assert_eq!(dataplane.state.settings.epoch, epoch, "flows need not look: their index means it");
    apply(&mut bench, &mut dataplane, "rules: [{between: [any, any], ranks: [1]}]", 7);
    let one = set(&dataplane.state, "10.0.0.7", "10.0.0.2");
    assert_eq!(ports(&one), [1, 1], "what is no MPTCP takes the first of the ranks");
}

#[test]
fn what_cannot_be_met_is_done_as_well_as_it_can_be_and_said() {
    let (mut bench, mut dataplane) = bench();
    apply(&mut bench, &mut dataplane, &AVOID.replace("[m1]", "[m1, m2]"), 5);
    assert_eq!(ports(&set(&dataplane.state, "10.0.0.7", "10.0.0.2")), [2, 1, 2, 1]);
    let snapshot = bench.snapshot();
    let unmet: Vec<Vec<Unmet>> = snapshot.policies.unmet(1).into_values().collect();
    assert_eq!(unmet, [[Unmet::Avoid]]);
    assert!(snapshot.warnings.iter().any(|warning| warning.contains("rule \"away\" is not met")));
    apply(&mut bench, &mut dataplane, &AVOID.replace("m1", "m9").replace("h2", "h9"), 6);
    assert!(dataplane.state.pairs.is_empty(), "nobody is h9");
    let problems = bench.snapshot().policies.rules().problems().count();
    assert_eq!(problems, 2);
    apply(&mut bench, &mut dataplane, "rules: [{between: [any, any], metric: latency}]", 7);
    assert!(dataplane.state.pairs.is_empty(), "no link says its latency");
}

#[test]
fn until_a_document_is_there_as_a_whole_the_one_before_is_in_force() {
    let (mut bench, mut dataplane) = bench();
    apply(&mut bench, &mut dataplane, AVOID, 5);
    let long = format!("{}\n{}", "# more\n".repeat(500), AVOID.replace("m1", "m2"));
    let mut records = to_records(&bench.switch.records, &long, 6).unwrap();
    // The old pieces are taken back and the new head is there, but one piece is missing.
    let late = records.remove(2);
    recorded(&mut bench, &mut dataplane, records);
    assert_eq!(ports(&set(&dataplane.state, "10.0.0.7", "10.0.0.2")), [2, 2]);
    recorded(&mut bench, &mut dataplane, vec![late]);
    assert_eq!(ports(&set(&dataplane.state, "10.0.0.7", "10.0.0.2")), [1, 1]);
}

#[test]
fn a_host_that_a_rule_is_about_and_that_comes_later_finds_its_paths() {
    let mut bench = Bench::settled();
    let mut dataplane = FakeDataplane { state: bench.switch.wanted().clone(), log: Vec::new() };
    apply(&mut bench, &mut dataplane, AVOID, 5);
    assert!(dataplane.state.pairs.is_empty());
    let mut effects = bench.heard(9, crate::ports::Role::Host, arp());
    effects.extend(bench.pass(Duration::from_secs(1)));
    write(&mut dataplane, effects);
    assert_eq!(ports(&set(&dataplane.state, "10.0.0.7", "10.0.0.2")), [2, 2]);
    let pairs: BTreeMap<PairKey, EdgeIndex> = dataplane.state.pairs.clone();
    assert_eq!(pairs.len(), 1);
}

#[test]
fn who_has_what_is_told_with_each_announcement_and_remembered_by_switch() {
    let (mut bench, mut dataplane) = bench();
    let own = bench.snapshot().digests.0;
    assert_eq!(own.policy, 0);
    apply(&mut bench, &mut dataplane, AVOID, 5);
    let now = bench.snapshot().digests.0;
    assert!(now.policy != 0 && now.topology == own.topology);
    let announced = |digests| {
        let lists = Lists { digests, ..Lists::default() };
        announcement::parts("e2", (7, if digests.is_some() { 1 } else { 2 }), &lists).remove(0)
    };
    for digests in [Some(own), None] {
        let frame = announced(digests).frame(MacAddress::new([2, 0, 0, 0, 0, 9]), bench.now);
        let at = bench.now;
        bench.heard(1, crate::ports::Role::Fabric, frame);
        assert_eq!(bench.snapshot().told["e2"], (digests, at));
        bench.pass(Duration::from_secs(10));
    }
}
