//! The prober as a whole, over a wire in memory.

use std::collections::{BTreeMap, VecDeque};

use smoc_paths::topology::SwitchId;

use super::*;
use crate::{
    config::{Hellos, Probes},
    liveness::{PathTarget, PortTarget, Reason},
};

/// Who is behind port 1.
const PEER: u32 = 55;

/// What becomes of a hello.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cable {
    /// It ends at a neighbour, whose program turns hellos round.
    Neighbor,
    /// It ends at another port of the same switch.
    Loop,
    /// It ends at another switch, whose program turns hellos round too, and whose agent believes in another link.
    Other,
}

struct Memory {
    cable: Cable,
    now: Nanos,
    sightings: VecDeque<Sighting>,
    transmits: BTreeMap<(PortNumber, Role), IfIndex>,
    /// The interface that everything comes in by.
    ingress: u32,
}

impl Wire for Memory {
    fn send(&mut self, _: IfIndex, _: Route, probe: Probe, key: &TagKey) -> Option<Nanos> {
        let at = self.now.0 + 50_000;
        let probe = Probe { sent_at: self.now.0, ..probe }.signed(key);
        let seen = |probe, returned| Sighting { at, probe, returned, interface: self.ingress };
        match self.cable {
            // The neighbour's own hello comes as well.
            Cable::Neighbor | Cable::Other => {
                let theirs = Probe {
                    session: 99,
                    subject: probe.back_port,
                    back_port: probe.subject,
                    flags: 3,
                    link: if self.cable == Cable::Other { 8 } else { probe.link },
                    ..probe
                };
                self.sightings.push_back(seen(theirs, 0));
            }
            Cable::Loop => self.sightings.push_back(seen(probe, 0)),
        }
        self.sightings.push_back(seen(probe, 1));
        Some(self.now)
    }

    fn transmit(&mut self, port: PortNumber, role: Role, to: Option<IfIndex>) -> bool {
        match to {
            Some(interface) => _ = self.transmits.insert((port, role), interface),
            None => _ = self.transmits.remove(&(port, role)),
        }
        true
    }

    fn transmits(&self, port: PortNumber, role: Role) -> Option<IfIndex> {
        self.transmits.get(&(port, role)).copied()
    }

    fn left_behind(&self) -> BTreeSet<PortNumber> {
        self.transmits.keys().map(|(port, _)| *port).collect()
    }

    fn received(&mut self, each: &mut dyn FnMut(IfIndex, u32)) {
        each(IfIndex(1), self.now.0 as u32);
    }

    fn sighting(&mut self) -> Option<Sighting> {
        self.sightings.pop_front()
    }
}

impl Memory {
    fn new() -> Self {
        let (sightings, transmits) = (VecDeque::new(), BTreeMap::new());
        Self { cable: Cable::Neighbor, now: Nanos(0), sightings, transmits, ingress: 1 }
    }
}

fn port(number: u16) -> PortNumber {
    PortNumber::new(number).unwrap()
}

/// Port 1, which leads to port 2 of a neighbour.
fn targets() -> Targets {
    let port = PortTarget {
        number: port(1),
        interface: IfIndex(1),
        carrier: true,
        neighbor: port(2),
        link: 7,
        peer: PEER,
    };
    let probes = Probes { interval: Duration::ZERO, ..Probes::default() };
    Targets { hellos: Hellos::default(), probes, ports: vec![port], ..Targets::default() }
}

#[test]
fn a_port_that_an_earlier_agent_had_and_this_one_has_not_leads_nowhere() {
    let mut wire = Memory::new();
    let gone = [((port(9), Role::Fabric), IfIndex(5)), ((port(8), Role::Host), IfIndex(6))];
    wire.transmits.extend(gone);
    wire.transmits.insert((port(1), Role::Host), IfIndex(1));
    let mut prober = Prober::new(5);
    prober.watch(targets(), wire.now, &mut wire);
    assert_eq!(wire.transmits, BTreeMap::from([((port(1), Role::Fabric), IfIndex(1))]));
}

#[test]
fn hellos_count_where_they_come_in_and_not_where_they_say() {
    let reason = |ingress| {
        let mut wire = Memory { ingress, ..Memory::new() };
        let mut targets = targets();
        targets.ports[0].carrier = false;
        let other = PortTarget { number: port(3), interface: IfIndex(3), carrier: true, ..targets.ports[0] };
        targets.ports.push(other);
        let mut prober = Prober::new(5);
        prober.watch(targets, wire.now, &mut wire);
        for _ in 0..100 {
            wire.now = wire.now + prober.tick_interval();
            prober.tick(wire.now, &mut wire);
        }
        let report = &prober.report(wire.now).ports[1];
        (report.up, report.reason)
    };
    // The hellos that port 3 sends, and its neighbour's, which name it.
    assert_eq!(reason(3), (true, Reason::Started));
    assert_eq!(reason(1), (false, Reason::Silent), "they came in by port 1");
    assert_eq!(reason(7), (true, Reason::Started), "an interface that is no port's, as of a bond");
}

#[test]
fn a_port_whose_cable_ends_at_the_same_switch_is_miswired_and_up_when_that_is_mended() {
    let mut wire = Memory::new();
    let targets = targets();
    let mut prober = Prober::new(5);
    prober.watch(targets, wire.now, &mut wire);
    let mut pass = |prober: &mut Prober, cable, ticks: u32| {
        wire.cable = cable;
        for _ in 0..ticks {
            wire.now = wire.now + prober.tick_interval();
            prober.tick(wire.now, &mut wire);
        }
        (prober.report(wire.now).ports[0].reason, wire.transmits.clone())
    };
    let up = BTreeMap::from([((port(1), Role::Fabric), IfIndex(1))]);
    assert_eq!(pass(&mut prober, Cable::Neighbor, 100), (Reason::Started, up.clone()));
    assert_eq!(pass(&mut prober, Cable::Loop, 5), (Reason::Miswired(7), BTreeMap::new()));
    assert_eq!(pass(&mut prober, Cable::Loop, 1000), (Reason::Miswired(7), BTreeMap::new()));
    assert_eq!(pass(&mut prober, Cable::Neighbor, 110), (Reason::Recovered, up.clone()));
}

/// Without a file's or a neighbour's word for it: hellos themselves name the link that their sender believes in.
#[test]
fn r10_a_port_whose_cable_was_swapped_with_another_is_miswired_although_its_hellos_come_back() {
    let mut wire = Memory::new();
    let mut prober = Prober::new(5);
    prober.watch(targets(), wire.now, &mut wire);
    let mut pass = |prober: &mut Prober, cable, ticks: u32| {
        wire.cable = cable;
        for _ in 0..ticks {
            wire.now = wire.now + prober.tick_interval();
            prober.tick(wire.now, &mut wire);
        }
        (prober.report(wire.now).ports[0].reason, wire.transmits.clone())
    };
    let up = BTreeMap::from([((port(1), Role::Fabric), IfIndex(1))]);
    assert_eq!(pass(&mut prober, Cable::Neighbor, 100), (Reason::Started, up.clone()));
    assert_eq!(pass(&mut prober, Cable::Other, 5), (Reason::Miswired(8), BTreeMap::new()));
    assert_eq!(pass(&mut prober, Cable::Other, 1000), (Reason::Miswired(8), BTreeMap::new()));
    assert_eq!(pass(&mut prober, Cable::Neighbor, 110), (Reason::Recovered, up));
}

#[test]
fn a_path_keeps_its_past_when_switches_are_numbered_anew() {
    let number = PortNumber::new(1).unwrap();
    let port =
        PortTarget { number, interface: IfIndex(1), carrier: true, neighbor: number, link: 7, peer: PEER };
    let target = |edge: u32, name: &str| PathTarget {
        to: SwitchId(edge).into(),
        rank: Rank::BEST,
        peer: edge,
        route: RoundTripRoute { port: number, out: Route::END, back_port: number, back: Route::END },
        name: name.into(),
    };
    let targets = |generation: u64, paths: Vec<PathTarget>, broken: &[u32]| {
        let paths = paths.into();
        let down = broken.iter().map(|edge| (SwitchId(*edge).into(), Rank::BEST)).collect();
        let down = Failures { paths: down, ..Failures::default() };
        Targets { generation, ports: vec![port], paths, down, ..Targets::default() }
    };
    let mut wire = Memory::new();
    let mut prober = Prober::new(5);
    let broken = |prober: &Prober| prober.found().failures.paths;
    let both = vec![target(1, "e1 - e2"), target(2, "e1 - e3")];
    prober.watch(targets(1, both, &[2]), wire.now, &mut wire);
    assert_eq!(broken(&prober), BTreeSet::from([(SwitchId(2).into(), Rank::BEST)]));
    let both = vec![target(2, "e1 - e2"), target(3, "e1 - e3")];
    prober.watch(targets(2, both, &[]), wire.now, &mut wire);
    assert_eq!(broken(&prober), BTreeSet::from([(SwitchId(3).into(), Rank::BEST)]));
}
