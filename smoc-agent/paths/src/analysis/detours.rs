//! What the switch next to a failure does for each path that broke, until new paths are in force.
//!
//! Detours are worked out while all is well, so one may lead into the same failure. At the first switch of a path another
//! rank comes before any detour.

use std::collections::HashMap;

use smoc_common::route::PortNumber;

use super::failures::{Effect, Failure};
use crate::search::{Detours, NoDetour, OptionsError, Path, PathFinder, PathOptions};
use crate::topology::{End, SwitchId, Topology};

/// A broken path in one direction, and what becomes of its frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The rank, as before the failure.
    pub rank: usize,
    /// The last switch before the failure.
    pub at: SwitchId,
    /// Where the path leads.
    pub to: SwitchId,
    /// What that switch does.
    pub remedy: Remedy,
}

/// What a switch does with frames whose next port is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is the first one, and another rank leaves through a port that is up.
    OtherRank,
    /// It sends them another way.
    Detour {
        /// The switches of the way, both ends included.
        switches: Vec<SwitchId>,
        /// Whether the way avoids the neighbour; else only the link, and it ends at the neighbour.
        around_neighbor: bool,
    },
    /// Its detour, or the path behind it, fails as well.
    Broken,
    /// It has no detour that fits.
    Missing(NoDetour),
}

/// The detours of the switches next to a failure.
pub struct Repairs<'a> {
    finder: PathFinder<'a>,
    failure: &'a Failure,
    detours: HashMap<SwitchId, Detours>,
}

impl<'a> Repairs<'a> {
    /// Of this failure.
    ///
    /// # Errors
    /// As [`PathFinder::new`].
    pub fn new(
        topology: &'a Topology,
        options: &PathOptions,
        failure: &'a Failure,
    ) -> Result<Self, OptionsError> {
        Ok(Self { finder: PathFinder::new(topology, options)?, failure, detours: HashMap::new() })
    }

    /// What happens to each path that a pair lost, there and back.
    pub fn of(&mut self, effect: &Effect) -> Vec<Repair> {
        let paths = [
            effect.before.paths.clone(),
            effect.before.paths.iter().map(|path| path.clone().reversed()).collect(),
        ];
        let lost = effect.lost.iter().flat_map(|&rank| paths.iter().map(move |paths| (rank, paths)));
        lost.filter_map(|(rank, paths)| self.repair(rank, paths)).collect()
    }

    /// Of the path of this rank; `None` if it is whole.
    fn repair(&mut self, rank: usize, paths: &[Path]) -> Option<Repair> {
        let path = &paths[rank];
        let failed = &self.failure.links;
        let dead = path.links.iter().position(|link| failed.contains(link))?;
        let leaves = |path: &Path| path.links.first().is_some_and(|link| !failed.contains(link));
        let remedy =
            if dead == 0 && paths.iter().any(leaves) { Remedy::OtherRank } else { self.detour(path, dead) };
        Some(Repair { rank, at: path.switches[dead], to: *path.switches.last()?, remedy })
    }

    /// What the switch does before the `dead`-th link of a path.
    fn detour(&mut self, path: &Path, dead: usize) -> Remedy {
        let Self { finder, failure, detours } = self;
        let topology = finder.topology();
        let hops: Vec<_> = path.hops(topology).collect();
        let (at, port) = hops[dead];
        let detours = detours.entry(at).or_insert_with(|| finder.detours(at));
        let is_up = |first: PortNumber| {
            let link = topology.link_at(End { switch: at, port: first });
            link.is_some_and(|link| !failure.links.contains(&link))
        };
        match detours.choose(topology, port, &hops[dead + 1..], is_up) {
            Ok(detour) => {
                let around_neighbor = detour.next.is_some();
                let behind = &path.links[dead + 1 + usize::from(around_neighbor)..];
                if detour.links.iter().chain(behind).any(|link| failure.links.contains(link)) {
                    Remedy::Broken
                } else {
                    Remedy::Detour { switches: detour.switches.clone(), around_neighbor }
                }
            }
            Err(missing) => Remedy::Missing(missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::TopologyFile;

    /// What happens to the first pair's lost ranks, each in words.
    fn repairs(text: &str, names: &[&str]) -> Vec<String> {
        repairs_of(1, text, names)
    }

    fn repairs_of(count: usize, text: &str, names: &[&str]) -> Vec<String> {
        let topology = &TopologyFile::parse(std::path::Path::new("t"), text).unwrap().topology;
        let mut failure = Failure::default();
        for name in names {
            failure.add(topology, name).unwrap();
        }
        let options = PathOptions { count, ..PathOptions::default() };
        let effects = failure.effects(topology, &options, &topology.edges(), |_| ()).unwrap();
        let mut repairs = Repairs::new(topology, &options, &failure).unwrap();
        let name = |switch: SwitchId| topology.switch(switch).name.as_str();
        let words = |repair: Repair| match repair.remedy {
            Remedy::Detour { switches, around_neighbor } => {
                let way: Vec<_> = switches.into_iter().map(name).collect();
                format!("{} {}", if around_neighbor { "neighbour" } else { "link" }, way.join(" "))
            }
            remedy => format!("{} {remedy:?}", name(repair.at)),
        };
        repairs.of(&effects.concerned[0]).into_iter().map(words).collect()
    }

    /// a, b, c, d in a row; x beside b; y beside all four, but dearer.
    const ROW: &str = "links:
  - {a: 'a:1', b: 'b:1'}
  - {a: 'b:2', b: 'c:1'}
  - {a: 'c:2', b: 'd:1'}
  - {a: 'b:3', b: 'x:1', cost: 5}
  - {a: 'x:2', b: 'c:3', cost: 5}
  - {a: 'y:1', b: 'a:2', cost: 9}
  - {a: 'y:2', b: 'd:2', cost: 9}
hosts: [{name: h1, port: 'a:9'}, {name: h2, port: 'd:9'}]";

    #[test]
    fn the_neighbour_is_left_out_where_it_can_be() {
        assert_eq!(repairs(ROW, &["b:2-c:1"]), ["neighbour b a y d", "neighbour c d y a"]);
        assert_eq!(repairs(ROW, &["c:2-d:1"]), ["link c b a y d", "neighbour d y a b"]);
    }

    #[test]
    fn a_detour_into_the_same_failure_is_none() {
        assert_eq!(repairs(ROW, &["b:2-c:1", "y"]), ["b Broken", "c Broken"]);
    }

    #[test]
    fn the_first_switch_takes_another_rank_if_one_is_left() {
        let two = "links: [{a: 'a:1', b: 'm:1'}, {a: 'm:2', b: 'c:1'}, {a: 'a:2', b: 'c:2', cost: 5}]
hosts: [{name: h1, port: 'a:9'}, {name: h2, port: 'c:9'}]";
        assert_eq!(repairs_of(2, two, &["a:1-m:1"]), ["a OtherRank", "link m c a"]);
        assert_eq!(repairs_of(2, two, &["m:2-c:1"]), ["link m a c", "c OtherRank"]);
        assert_eq!(repairs(two, &["a:1-m:1"]), ["neighbour a c", "link m c a"], "with one rank only");
    }

    #[test]
    fn without_another_way_there_is_none() {
        let text = "links: [{a: 'a:1', b: 'b:1'}, {a: 'b:2', b: 'c:1'}]
hosts: [{name: h1, port: 'a:9'}, {name: h2, port: 'c:9'}]";
        assert_eq!(repairs(text, &["a:1-b:1"]), ["a Missing(NoWay)", "b Missing(NoWay)"]);
    }

    #[test]
    fn a_route_that_would_be_too_long_is_none_and_says_how_long() {
        let row = ROW.lines().filter(|line| !line.contains("x:") && !line.contains("y:2"));
        let mut text: String = row.map(|line| format!("{line}\n")).collect();
        text = text.replace("y:1", "z0:1000");
        let mut around = String::new();
        for hop in 0..5 {
            around += &format!("  - {{a: 'z{hop}:1001', b: 'z{}:1000', cost: 9}}\n", hop + 1);
        }
        around += "  - {a: 'z5:1001', b: 'd:2', cost: 9}\nhosts";
        assert_eq!(
            repairs(&text.replace("hosts", &around), &["b:2-c:1"]),
            ["b Missing(TooLong(63))", "c Missing(TooLong(63))"]
        );
    }
}
