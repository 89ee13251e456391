//! From what each switch says of its own ports to the network.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use smoc_common::route::PortNumber;
use smoc_paths::topology::{Bandwidth, Draft, DraftLink, DraftSwitch, Topology, check_name};

use super::report::{Adjacency, Report};

/// Bits of port numbers that a switch without a word of its own gets, or twice as many if it needs more: a port more seldom
/// changes what routes mean.
const ROUNDED: u8 = 5;

/// A network, and what was said that does not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fabric {
    /// Every switch that reports, and every link that both of its ends report.
    pub topology: Topology,
    /// What is no link.
    pub discords: Vec<Discord>,
}

/// Why what a switch says of one of its ports makes no link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Discord {
    /// The switch.
    pub switch: String,
    /// Its port.
    pub port: PortNumber,
    /// What it says is behind it.
    pub neighbor: (String, PortNumber),
    /// What is wrong.
    pub fault: Fault,
}

/// See [`Discord`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is the same switch.
    Itself,
    /// It has said nothing (yet).
    Unheard,
    /// It finds nobody there (yet).
    OneSided,
    /// It finds another switch or port there.
    Elsewhere(String, PortNumber),
}

impl fmt::Display for Discord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { switch, port, neighbor: (other, there), .. } = self;
        write!(f, "{switch}:{port} finds {other}:{there}, ")?;
        match &self.fault {
            Fault::Itself => write!(f, "which is itself: take the cable out"),
            Fault::Unheard => {
                write!(f, "of which no report has come: look whether its agent runs and is of this fabric")
            }
            Fault::OneSided => {
                write!(f, "which finds no switch there: the cable may carry frames in one direction only")
            }
            Fault::Elsewhere(third, at) => {
                write!(
                    f,
                    "which finds {third}:{at} there: look where the cable leads, and whether two switches have one name"
                )
            }
        }
    }
}

/// Puts together what switches say, by their names. The result does not depend on anything else, so all that have heard the
/// same get the same.
pub fn assemble(reports: &BTreeMap<String, Report>) -> Fabric {
    let mut draft = Draft::default();
    let mut discords = Vec::new();
    let sound = reports.iter().filter(|(name, _)| check_name(name).is_ok());
    for (entry, (name, report)) in sound.clone().enumerate() {
        draft.switches.push(DraftSwitch {
            entry,
            name: name.clone(),
            agent: None,
            port_width: width(report),
        });
    }
    for (name, report) in sound {
        let mut used = BTreeSet::new();
        let adjacencies = report.adjacencies.iter().filter(|adjacency| used.insert(adjacency.port));
        for adjacency in adjacencies {
            match counterpart(name, adjacency, reports) {
                Err(fault) => discords.push(Discord {
                    switch: name.clone(),
                    port: adjacency.port,
                    neighbor: (adjacency.switch.clone(), adjacency.there),
                    fault,
                }),
                Ok(other) if *name < adjacency.switch => {
                    draft.links.push(link(draft.links.len(), name, adjacency, other));
                }
                Ok(_) => {}
            }
        }
    }
    // What is left has sound names, ports that are used once, and no link from a switch to itself.
    let topology = draft.build().unwrap_or_else(|problems| unreachable!("{problems:?}"));
    Fabric { topology, discords }
}

/// What the other end of a link says of it.
fn counterpart<'a>(
    name: &str,
    adjacency: &Adjacency,
    reports: &'a BTreeMap<String, Report>,
) -> Result<&'a Adjacency, Fault> {
    if adjacency.switch == name {
        return Err(Fault::Itself);
    }
    let other = reports.get(&adjacency.switch).filter(|_| check_name(&adjacency.switch).is_ok());
    let other = other.ok_or(Fault::Unheard)?;
    let back = other.adjacencies.iter().find(|back| back.port == adjacency.there).ok_or(Fault::OneSided)?;
    if back.switch == name && back.there == adjacency.port {
        Ok(back)
    } else {
        Err(Fault::Elsewhere(back.switch.clone(), back.there))
    }
}

fn link(entry: usize, name: &str, adjacency: &Adjacency, other: &Adjacency) -> DraftLink {
    let said = [adjacency.megabits, other.megabits].into_iter().filter(|megabits| *megabits > 0).min();
    DraftLink {
        entry,
        a: (name.to_owned(), adjacency.port),
        b: (adjacency.switch.clone(), adjacency.there),
        capacity: said.and_then(|megabits| Bandwidth::from_bits_per_second(u64::from(megabits) * 1_000_000)),
        latency: None,
        cost: 1,
        srlg: Vec::new(),
    }
}

/// The bits of a switch's port numbers, the same whichever of its neighbours have reported.
fn width(report: &Report) -> u8 {
    let widest = PortNumber::new(PortNumber::MAX).map_or(0, PortNumber::width);
    if (1..=widest).contains(&report.port_width) {
        return report.port_width;
    }
    let needed = report.adjacencies.iter().map(|adjacency| adjacency.port.width()).max().unwrap_or(0);
    needed.next_multiple_of(ROUNDED).max(ROUNDED)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smoc_paths::topology::End;

    use super::*;

    fn port(number: u16) -> PortNumber {
        PortNumber::new(number).unwrap()
    }

    /// Reports as `e1: 1 m1:2, 2 m2:1`.
    fn reports(lines: &[&str]) -> BTreeMap<String, Report> {
        let adjacency = |text: &str| {
            let (at, to) = text.trim().split_once(' ').unwrap();
            let (switch, there) = to.split_once(':').unwrap();
            let [port, there] = [at, there].map(|number| port(number.parse().unwrap()));
            Adjacency { port, switch: switch.to_owned(), there, megabits: 0 }
        };
        let report = |line: &&str| {
            let (name, rest) = line.split_once(": ").unwrap();
            let adjacencies = rest.split(',').filter(|text| !text.trim().is_empty()).map(adjacency).collect();
            (name.to_owned(), Report { port_width: 0, adjacencies })
        };
        lines.iter().map(report).collect()
    }

    fn links(fabric: &Fabric) -> Vec<String> {
        fabric.topology.link_ids().map(|link| fabric.topology.link_name(link)).collect()
    }

    #[test]
    fn a_link_is_there_when_both_ends_say_so() {
        let fabric = assemble(&reports(&["e1: 1 m1:2, 2 m1:3", "m1: 2 e1:1, 4 e2:1", "e2: ", "e3: 1 e9:1"]));
        assert_eq!(links(&fabric), ["e1:1-m1:2"]);
        assert_eq!(fabric.topology.switches().len(), 4, "those without a link too");
        let said: Vec<String> = fabric.discords.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 3);
        assert!(said[0].starts_with("e1:2 finds m1:3, which finds no switch there"), "{said:?}");
        assert!(said[1].starts_with("e3:1 finds e9:1, of which no report has come"), "{said:?}");
        assert!(said[2].starts_with("m1:4 finds e2:1, which finds no switch there"), "{said:?}");
    }

    #[test]
    fn what_does_not_fit_together_is_no_link() {
        let crossed = assemble(&reports(&["a: 1 b:1", "b: 1 c:1", "c: 1 b:1"]));
        assert_eq!(links(&crossed), ["b:1-c:1"]);
        assert_eq!(crossed.discords[0].fault, Fault::Elsewhere("c".into(), port(1)));
        let itself = assemble(&reports(&["a: 1 a:2, 2 a:1"]));
        assert!(links(&itself).is_empty() && itself.discords.iter().all(|it| it.fault == Fault::Itself));
        let twice = assemble(&reports(&["a: 1 b:1, 1 c:1", "b: 1 a:1", "c: 1 a:1"]));
        assert_eq!(links(&twice), ["a:1-b:1"], "the first word on a port counts");
        let odd = assemble(&reports(&["a: 1 -b:1", "-b: 1 a:1"]));
        assert_eq!((links(&odd).len(), odd.topology.switches().len()), (0, 1), "no name for a switch");
    }

    #[test]
    fn the_smaller_capacity_counts_and_widths_leave_room() {
        let mut all = reports(&["a: 1 b:1, 33 b:2", "b: 1 a:1, 2 a:33"]);
        for (name, megabits) in [("a", 1000), ("b", 100)] {
            all.get_mut(name).unwrap().adjacencies[0].megabits = megabits;
        }
        all.get_mut("b").unwrap().adjacencies[1].megabits = 10;
        let topology = assemble(&all).topology;
        let capacities: Vec<_> =
            topology.links().iter().map(|link| link.capacity.unwrap().to_string()).collect();
        assert_eq!(capacities, ["100Mbit", "10Mbit"]);
        let widths = |all: &_| -> Vec<u8> {
            assemble(all).topology.switches().iter().map(|switch| switch.port_width).collect()
        };
        assert_eq!(widths(&all), [10, 5]);
        all.get_mut("a").unwrap().port_width = 6;
        assert_eq!(widths(&all), [6, 5]);
    }

    proptest! {
        #[test]
        fn whatever_is_said_makes_a_network_of_links_that_both_ends_report(
            said in prop::collection::btree_map("[a-e-]", prop::collection::vec((1u16..5, "[a-e-]", 1u16..5, 0u32..3), 0..6), 0..6),
        ) {
            let adjacency = |(at, switch, there, megabits)| Adjacency { port: port(at), switch, there: port(there), megabits };
            let report = |said: Vec<_>| Report { port_width: 0, adjacencies: said.into_iter().map(adjacency).collect() };
            let said: BTreeMap<String, Report> = said.into_iter().map(|(name, said)| (name, report(said))).collect();
            let fabric = assemble(&said);
            for link in fabric.topology.links() {
                let end = |end: End| (fabric.topology.switch(end.switch).name.clone(), end.port);
                let [a, b] = [end(link.a), end(link.b)];
                let says = |(switch, at): &(String, PortNumber), (other, there): &(String, PortNumber)| {
                    said[switch].adjacencies.iter().any(|it| (it.port, &it.switch, it.there) == (*at, other, *there))
                };
                prop_assert!(says(&a, &b) && says(&b, &a));
            }
        }
    }
}
