//! Which links are down, as the switches at their ends say.

use std::collections::{BTreeMap, BTreeSet};

use smoc_common::route::PortNumber;

use smoc_paths::topology::{End, LinkId, Topology};

/// A port that leads to another switch and is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DownPort {
    /// Its number.
    pub number: PortNumber,
    /// It has carrier, and no hello has ever come back: perhaps a switch on which smoc does not run (yet).
    pub unanswered: bool,
}

/// What every switch has last announced of its own ports. It stays valid when the switch falls silent, until it or the
/// other end of a link announces something else: its packet path goes on with what its agent knew.
#[derive(Clone, Debug, Default)]
pub struct LinkStates {
    down_at: BTreeMap<String, BTreeSet<DownPort>>,
}

impl LinkStates {
    /// Takes note of the ports of a switch that are down, all others being up; whether that is news.
    pub fn told(&mut self, switch: &str, down: BTreeSet<DownPort>) -> bool {
        let before = self.down_at.get(switch);
        if before.map_or(down.is_empty(), |before| *before == down) {
            return false;
        }
        self.down_at.insert(switch.to_owned(), down);
        true
    }

    /// The ports of a switch that are down.
    pub fn down_at(&self, switch: &str) -> impl Iterator<Item = DownPort> {
        self.down_at.get(switch).into_iter().flatten().copied()
    }

    /// The links that are down at one end at least.
    pub fn down(&self, topology: &Topology) -> BTreeSet<LinkId> {
        let mut links = BTreeSet::new();
        for (name, ports) in self.down_at.iter().filter(|(_, ports)| !ports.is_empty()) {
            let Some(switch) = topology.find_switch(name) else { continue };
            links.extend(ports.iter().filter_map(|port| topology.link_at(End { switch, port: port.number })));
        }
        links
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use smoc_paths::topology::TopologyFile;

    fn ports(numbers: &[u16]) -> BTreeSet<DownPort> {
        let number = |number: &u16| PortNumber::new(*number).unwrap();
        numbers.iter().map(|port| DownPort { number: number(port), unanswered: false }).collect()
    }

    #[test]
    fn a_link_is_up_when_both_ends_say_so() {
        let text = "links:\n  - {a: \"a:1\", b: \"b:1\"}\n  - {a: \"b:2\", b: \"c:1\"}\n";
        let topology = TopologyFile::parse(Path::new("t.yaml"), text).unwrap().topology;
        let mut states = LinkStates::default();
        let names = |states: &LinkStates| -> Vec<String> {
            states.down(&topology).into_iter().map(|link| topology.link_name(link)).collect()
        };
        assert!(!states.told("a", ports(&[])), "no news");
        assert!(states.told("a", ports(&[1])) && states.told("b", ports(&[1, 2, 7])));
        assert_eq!(names(&states), ["a:1-b:1", "b:2-c:1"]);
        assert!(states.told("a", ports(&[])) && !states.told("a", ports(&[])));
        assert_eq!(names(&states), ["a:1-b:1", "b:2-c:1"], "b has not said so");
        assert!(states.told("b", ports(&[2])) && states.told("stranger", ports(&[1])));
        assert_eq!(names(&states), ["b:2-c:1"]);
    }
}
