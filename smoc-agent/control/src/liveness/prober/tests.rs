//! The prober as a whole, over a wire in memory.

use std::collections::VecDeque;

use super::*;
use crate::{
    config::{Hellos, Probes},
    liveness::{PathTarget, PortTarget, Reason},
};

/// What becomes of a hello.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cable {
    /// It ends at a neighbour, whose program turns hellos round.
    Neighbor,
    /// It ends at another port of the same switch.
    Loop,
}

struct Memory {
    cable: Cable,
    now: Nanos,
    sightings: VecDeque<Sighting>,
    transmits: Option<IfIndex>,
}

impl Wire for Memory {
    fn send(&mut self, _: IfIndex, _: Route, probe: Probe) -> Option<Nanos> {
        let at = self.now.0 + 50_000;
        let probe = Probe { sent_at: self.now.0, ..probe };
        let seen = |probe, returned| Sighting { at, probe, returned, reserved: 0 };
        match self.cable {
            // The neighbour's own hello comes as well.
            Cable::Neighbor => {
                let theirs = Probe {
                    session: 99,
                    subject: probe.back_port,
                    back_port: probe.subject,
                    flags: 3,
                    ..probe
                };
                self.sightings.push_back(seen(theirs, 0));
            }
            Cable::Loop => self.sightings.push_back(seen(probe, 0)),
        }
        self.sightings.push_back(seen(probe, 1));
        Some(self.now)
    }

    fn transmit(&mut self, _: PortNumber, to: Option<IfIndex>) -> bool {
        self.transmits = to;
        true
    }

    fn transmits(&self, _: PortNumber) -> Option<IfIndex> {
        self.transmits
    }

    fn received(&mut self, each: &mut dyn FnMut(IfIndex, u32)) {
        each(IfIndex(1), self.now.0 as u32);
    }

    fn sighting(&mut self) -> Option<Sighting> {
        self.sightings.pop_front()
    }
}

#[test]
fn a_port_whose_cable_ends_at_the_same_switch_is_miswired_and_up_when_that_is_mended() {
    let number = PortNumber::new(1).unwrap();
    let neighbor = PortNumber::new(2).unwrap();
    let port = PortTarget { number, interface: IfIndex(1), carrier: true, neighbor, link: 7 };
    let probes = Probes { interval: Duration::ZERO, ..Probes::default() };
    let targets = Targets { hellos: Hellos::default(), probes, ports: vec![port], ..Targets::default() };
    let mut wire =
        Memory { cable: Cable::Neighbor, now: Nanos(0), sightings: VecDeque::new(), transmits: None };
    let mut prober = Prober::new(5);
    prober.watch(targets, wire.now, &mut wire);
    let mut pass = |prober: &mut Prober, cable, ticks: u32| {
        wire.cable = cable;
        for _ in 0..ticks {
            wire.now = wire.now + prober.tick_interval();
            prober.tick(wire.now, &mut wire);
        }
        (prober.report(wire.now).ports[0].reason, wire.transmits)
    };
    assert_eq!(pass(&mut prober, Cable::Neighbor, 100), (Reason::Started, Some(IfIndex(1))));
    assert_eq!(pass(&mut prober, Cable::Loop, 5), (Reason::Miswired(7), None));
    assert_eq!(pass(&mut prober, Cable::Loop, 1000), (Reason::Miswired(7), None));
    assert_eq!(pass(&mut prober, Cable::Neighbor, 110), (Reason::Recovered, Some(IfIndex(1))));
}

#[test]
fn a_path_keeps_its_past_when_switches_are_numbered_anew() {
    let number = PortNumber::new(1).unwrap();
    let port = PortTarget { number, interface: IfIndex(1), carrier: true, neighbor: number, link: 7 };
    let target = |edge: u32, name: &str| PathTarget {
        edge: SwitchId(edge),
        rank: Rank::BEST,
        route: RoundTripRoute { port: number, out: Route::END, back_port: number, back: Route::END },
        name: name.into(),
    };
    let targets = |generation: u64, paths: Vec<PathTarget>, broken: &[u32]| {
        let paths = paths.into();
        let down = broken.iter().map(|edge| (SwitchId(*edge), Rank::BEST)).collect();
        let down = Failures { paths: down, ..Failures::default() };
        Targets { generation, ports: vec![port], paths, down, ..Targets::default() }
    };
    let mut wire =
        Memory { cable: Cable::Neighbor, now: Nanos(0), sightings: VecDeque::new(), transmits: None };
    let mut prober = Prober::new(5);
    let broken = |prober: &Prober| prober.found().failures.paths;
    let both = vec![target(1, "e1 - e2"), target(2, "e1 - e3")];
    prober.watch(targets(1, both, &[2]), wire.now, &mut wire);
    assert_eq!(broken(&prober), BTreeSet::from([(SwitchId(2), Rank::BEST)]));
    let both = vec![target(2, "e1 - e2"), target(3, "e1 - e3")];
    prober.watch(targets(2, both, &[]), wire.now, &mut wire);
    assert_eq!(broken(&prober), BTreeSet::from([(SwitchId(3), Rank::BEST)]));
}
