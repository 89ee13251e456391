//! Who is behind the ports of one switch, with a file and without.

use std::time::Duration;

use smoc_common::{
    map::{Port, Settings},
    route::PortNumber,
    wire::ethernet::MacAddress,
};

use super::{
    Effect, Event,
    tests::{Bench, DISCOVERED},
};
use crate::{
    clock::Nanos,
    discovery::{
        announcement::{self, Lists},
        key::Keys,
        lldp::{self, Advertisement},
    },
    fabric::{Adjacency, Report},
    interfaces::BridgePort,
    neighbors::{SILENT, Standing},
    ports::Role,
};

const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 9]);

fn port(number: u16) -> PortNumber {
    PortNumber::new(number).unwrap()
}

/// What the port of a switch says that has heard the bench.
fn said(switch: &str, at: u16) -> Vec<u8> {
    let said = Advertisement {
        switch: switch.into(),
        port: port(at),
        time_to_live: 15,
        fabric: "default".into(),
        port_width: 5,
        boot: 77,
        heard: 1,
    };
    said.frame(MAC, &Keys::default())
}

/// What a switch says is behind its ports.
fn report(origin: &str, ports: &[(u16, &str, u16)]) -> Vec<u8> {
    let adjacency = |(at, switch, there): &(u16, &str, u16)| Adjacency {
        port: port(*at),
        switch: (*switch).to_owned(),
        there: port(*there),
        megabits: 0,
    };
    let report = Report { port_width: 5, adjacencies: ports.iter().map(adjacency).collect() };
    let lists = Lists { report, ..Lists::default() };
    announcement::parts(origin, (7, 1), &lists)[0].frame(MAC, Nanos(0))
}

impl Bench {
    /// Switches are behind ports 1 and 2, and have said so.
    pub(super) fn between_two_switches(&mut self) {
        self.pass(Duration::from_secs(1));
        for (at, name) in [(1, "m1"), (2, "m2")] {
            self.heard(at, Role::Host, said(name, 1));
            self.heard(at, Role::Fabric, report(name, &[(1, "e1", at)]));
        }
        self.pass(Duration::from_secs(2));
    }
}

fn bridge_states(effects: &[Effect], at: u16) -> Vec<BridgePort> {
    let state = |effect: &Effect| match effect {
        Effect::SetBridgePort(number, _, state) if *number == port(at) => Some(*state),
        _ => None,
    };
    effects.iter().filter_map(state).collect()
}

#[test]
fn a_switch_at_a_host_port_closes_it_in_the_bridge_and_in_the_packet_path() {
    let mut bench = Bench::settled();
    let installed = |bench: &Bench| bench.switch.expected().installed;
    assert_eq!(installed(&bench).ports[&port(9)].port.base, Port::OPEN);
    let effects = bench.heard(9, Role::Host, said("m3", 4));
    assert_eq!(bridge_states(&effects, 9), [BridgePort::Closed]);
    let after = installed(&bench);
    assert_eq!((after.ports[&port(9)].port.base, after.settings.guarded), (Port::CLOSED, Settings::SHUT));
    let warnings = bench.switch.snapshot().warnings;
    assert!(
        warnings.iter().any(|text| text.starts_with("port 9: m3:4 is there, where hosts")),
        "{warnings:?}"
    );
    let effects = bench.pass(Duration::from_secs(60));
    assert!(bridge_states(&effects, 9).is_empty(), "it stays closed");
}

#[test]
fn a_host_port_opens_when_nobody_has_spoken() {
    let mut bench = Bench::begun();
    let effects = bench.pass(SILENT - Duration::from_millis(10));
    assert!(!bridge_states(&effects, 9).contains(&BridgePort::Forwarding));
    let effects = bench.pass(Duration::from_millis(200));
    assert_eq!(bridge_states(&effects, 9), [BridgePort::Forwarding]);
    assert_eq!(bench.switch.expected().installed.settings.guarded, 0);
}

#[test]
fn a_switch_at_a_port_of_another_is_warned_of() {
    let mut bench = Bench::settled();
    bench.heard(1, Role::Fabric, said("m2", 1));
    let warnings = bench.switch.snapshot().warnings;
    let text = "port 1: m2:1 is there, and the topology says m1:1: plug it in";
    assert!(warnings.iter().any(|warning| warning.starts_with(text)), "{warnings:?}");
}

#[test]
fn a_network_is_put_together_from_what_both_ends_of_a_link_report() {
    let mut bench = Bench::with(DISCOVERED);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.switch.snapshot().topology.links().len(), 0);
    let effects = bench.heard(1, Role::Host, said("m1", 1));
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Listen(at, Role::Fabric, _) if *at == port(1)))
    );
    bench.pass(Duration::from_millis(300));
    assert_eq!(bridge_states(&effects, 1), [BridgePort::Closed], "it was taken for a host's");
    assert_eq!(bench.switch.snapshot().topology.links().len(), 0, "one end alone is no link");
    bench.heard(1, Role::Fabric, report("m1", &[(1, "e1", 1), (2, "e2", 1)]));
    bench.heard(1, Role::Fabric, report("e2", &[(1, "m1", 2)]));
    bench.pass(Duration::from_secs(1));
    let snapshot = bench.switch.snapshot();
    let names: Vec<String> =
        snapshot.topology.link_ids().map(|link| snapshot.topology.link_name(link)).collect();
    assert_eq!(names, ["e1:1-m1:1", "e2:1-m1:2"]);
    let roles: Vec<u8> =
        bench.switch.expected().installed.ports.values().map(|entry| entry.port.role).collect();
    assert_eq!(roles, [Port::FABRIC, Port::HOST, Port::HOST]);
    assert!(!bench.pass(Duration::from_secs(5)).iter().any(|effect| matches!(effect, Effect::Write(_))));
}

#[test]
fn what_one_end_alone_reports_is_told_after_a_while() {
    let mut bench = Bench::with(DISCOVERED);
    bench.pass(Duration::from_secs(1));
    bench.heard(1, Role::Host, said("m1", 1));
    bench.pass(Duration::from_secs(10));
    let warnings = bench.switch.snapshot().warnings;
    assert!(
        warnings.iter().any(|text| text.starts_with("e1:1 finds m1:1, of which no report")),
        "{warnings:?}"
    );
}

#[test]
fn a_switch_says_who_it_is_at_every_port() {
    let mut bench = Bench::with(DISCOVERED);
    let effects = bench.pass(Duration::from_secs(1));
    for at in [1, 2, 9] {
        let frames = effects.iter().filter_map(|effect| match effect {
            Effect::Send(number, frame) if *number == port(at) && lldp::is_one(frame) => Some(frame),
            _ => None,
        });
        let heard: Vec<_> = frames.map(|frame| lldp::Heard::parse(frame, &Keys::default())).collect();
        assert_eq!(heard.len(), 5, "port {at}");
        let Some(lldp::Heard::Switch(said, _)) = &heard[0] else { panic!("{heard:?}") };
        assert_eq!((said.switch.as_str(), said.port, said.port_width), ("e1", port(at), 5));
    }
    assert_eq!(bench.switch.snapshot().ports[2].neighbor, Standing::Host);
}

#[test]
fn a_link_that_is_found_while_the_switch_runs_is_down_until_hellos_come_back() {
    let mut bench = Bench::with(DISCOVERED);
    bench.pass(Duration::from_secs(5));
    let effects = bench.heard(1, Role::Host, said("m1", 1));
    let watched = effects.iter().find_map(|effect| match effect {
        Effect::Watch(targets) => Some(targets.clone()),
        _ => None,
    });
    let watched = watched.expect("the prober is told");
    assert!(watched.down.ports.contains(&port(1)), "{:?}", watched.down);
    bench.pass(Duration::from_millis(300));
    assert_eq!(bench.switch.own_report().adjacencies.len(), 1);
    assert_eq!(
        bench.switch.own_ports_down().into_iter().map(|down| down.number).collect::<Vec<_>>(),
        [port(1)]
    );
}

#[test]
fn a_link_carries_what_its_interface_says_and_keeps_that_while_it_is_down() {
    let mut bench = Bench::with(DISCOVERED);
    bench.pass(Duration::from_secs(1));
    let with = |bench: &mut Bench, usable, megabits| {
        let there = bench.interfaces.get_mut("p1").unwrap();
        (there.usable, there.megabits) = (usable, megabits);
        bench.handle(Event::Interfaces(bench.interfaces.values().cloned().collect()));
        bench.pass(Duration::from_secs(1));
        let links = bench.switch.snapshot().topology.links().to_vec();
        links.iter().map(|link| link.capacity.map(|capacity| capacity.to_string())).collect::<Vec<_>>()
    };
    with(&mut bench, true, 0);
    bench.heard(1, Role::Host, said("m1", 1));
    bench.pass(Duration::from_millis(300));
    bench.heard(1, Role::Fabric, report("m1", &[(1, "e1", 1)]));
    let some = |text: &str| vec![Some(text.to_owned())];
    assert_eq!(with(&mut bench, true, 0), [None]);
    assert_eq!(with(&mut bench, true, 1000), some("1Gbit"));
    assert_eq!(with(&mut bench, false, 0), some("1Gbit"));
    assert_eq!(with(&mut bench, true, 100), some("100Mbit"));
}
