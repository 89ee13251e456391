//! What the store of a fabric says of other switches, and what a switch makes of it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use smoc_common::route::PortNumber;

use super::{Event, tests::Bench};
use crate::{
    fabric::{Adjacency, Report},
    hosts::Source,
    store::{Attachment, Facts, HostRecord, Key, SwitchRecord},
};

fn port(number: u16) -> PortNumber {
    PortNumber::new(number).unwrap()
}

/// Switches as `name, port, neighbour, port there`, and a host at e2.
fn facts(links: &[(&str, u16, &str, u16)]) -> Event {
    let mut facts = Facts::default();
    for (name, at, switch, there) in links {
        let adjacency =
            Adjacency { port: port(*at), switch: (*switch).to_owned(), there: port(*there), megabits: 0 };
        let report = Report { port_width: 5, adjacencies: vec![adjacency] };
        let record = SwitchRecord { agent: "1".into(), report, api: None };
        facts.update(&Key::Switch((*name).to_owned()), Some(&record.to_bytes(1).into()));
    }
    let host = Attachment {
        address: "10.0.0.2".parse().unwrap(),
        mac: "02:00:00:00:00:02".into(),
        since: 1_700_000_000,
    };
    let record = HostRecord { hosts: vec![host] };
    facts.update(&Key::Hosts("e2".into(), port(9)), Some(&record.to_bytes(1).into()));
    Event::Stored(Arc::new(facts))
}

/// A switch that no file tells what the network is, all settled.
fn discovering() -> Bench {
    let mut bench =
        Bench::with("switch: e1\nports: {1: p1, 2: p2, 9: p9}\nbridge: br0\ntables: {hosts: 64}\n");
    bench.pass(Duration::from_secs(20));
    bench
}

#[test]
fn switches_links_and_hosts_that_only_the_store_tells_of_are_known_and_forgotten() {
    let mut bench = discovering();
    assert_eq!(bench.snapshot().topology.switches().len(), 1);
    bench.handle(facts(&[("e2", 1, "m1", 2), ("m1", 2, "e2", 1), ("m9", 1, "e2", 3)]));
    bench.pass(Duration::from_secs(2));
    let snapshot = bench.snapshot();
    let names: Vec<&str> = snapshot.topology.switches().iter().map(|switch| switch.name.as_str()).collect();
    assert_eq!(names, ["e1", "e2", "m1", "m9"]);
    assert_eq!(snapshot.topology.links().len(), 1, "one that both ends report");
    let address: IpAddr = "10.0.0.2".parse().unwrap();
    let host = &snapshot.hosts[&address];
    assert_eq!((host.source, host.at.port), (Source::Announced, port(9)));
    assert_eq!(snapshot.topology.switch(host.at.switch).name, "e2");
    bench.handle(facts(&[("m1", 2, "e2", 1)]));
    bench.pass(Duration::from_secs(2));
    let snapshot = bench.snapshot();
    assert_eq!(snapshot.topology.switches().len(), 2);
    assert!(snapshot.hosts.is_empty(), "hosts are where a switch is");
}

#[test]
fn what_the_store_says_of_this_switch_or_with_a_topology_file_is_not_heeded() {
    let mut bench = discovering();
    bench.handle(facts(&[("e1", 1, "m1", 1), ("m1", 1, "e1", 1)]));
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.snapshot().topology.links().len(), 0, "this switch finds nobody behind port 1");
    let mut bench = Bench::settled();
    let before = bench.snapshot().topology;
    bench.handle(facts(&[("m7", 1, "e2", 3)]));
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.snapshot().topology, before);
}
