//! What becomes of the frames of each path that broke, until new paths are in force: the packet path's own pipeline runs
//! over models of the switches, and this says in words what it did.
//!
//! Detours are worked out while all is well, so one may lead into the same failure. At the first switch of a path another
//! rank comes before any detour.

use smoc_common::{
    event::{Note, Outcome},
    frames::{Build, End as HostEnd},
    map::{Flow, FlowKey},
    route::{PortNumber, Rank, RouteTooLong},
    wire::{ethernet::MacAddress, ip::Address},
};

use super::failures::{Effect, Failure};
use super::network::{Hop, Network};
use crate::search::{NoDetour, OptionsError, Path, PathFinder, PathOptions};
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
    /// It is the first one, and they arrive by another rank.
    OtherRank,
    /// It sends them another way, on which they arrive.
    Detour {
        /// The switches of the way, both ends included.
        switches: Vec<SwitchId>,
        /// Whether the way avoids the neighbour; else only the link, and it ends at the neighbour.
        around_neighbor: bool,
    },
    /// Its detour or other rank, or the path behind it, fails as well.
    Broken,
    /// It has no detour that fits.
    Missing(NoDetour),
}

/// A network in which something has failed, and frames to try it with.
pub struct Repairs<'a> {
    network: Network<'a>,
    failure: &'a Failure,
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
        let finder = PathFinder::new(topology, options)?;
        Ok(Self { network: Network::new(finder, failure.links.clone()), failure })
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
        let dead = path.links.iter().position(|link| self.failure.links.contains(link))?;
        let remedy = match path.route(self.network.topology()) {
            Ok(_) => self.remedy(rank, paths, dead),
            Err(RouteTooLong { bits }) => Remedy::Missing(NoDetour::TooLong(bits)),
        };
        Some(Repair { rank, at: path.switches[dead], to: *path.switches.last()?, remedy })
    }

    /// Sends a frame of a subflow with this rank, whose path cannot pass its `dead`-th link.
    fn remedy(&mut self, rank: usize, paths: &[Path], dead: usize) -> Remedy {
        let path = &paths[rank];
        let hops = self.send(rank, paths);
        let has_arrived = hops.last().is_some_and(|hop| hop.run.verdict.outcome == Outcome::Delivered);
        let noted = |note| hops.iter().any(|hop| hop.run.has(note));
        match (has_arrived, noted(Note::FailedOver), noted(Note::Detoured)) {
            (true, true, _) => Remedy::OtherRank,
            (true, false, _) => self.detour(path, dead, &hops),
            (false, false, false) => Remedy::Missing(self.missing(path, dead)),
            (false, ..) => Remedy::Broken,
        }
    }

    /// A frame of an established subflow with this rank, through the switches.
    fn send(&mut self, rank: usize, paths: &[Path]) -> Vec<Hop> {
        let topology = self.network.topology();
        // The packet path has fewer ranks than can be asked for: one beyond them takes the place of the last.
        let mut ranked: Vec<&Path> =
            paths.iter().filter(|path| path.route(topology).is_ok()).take(Rank::COUNT).collect();
        let path = &paths[rank];
        let place = ranked.iter().position(|other| other.links == path.links).unwrap_or_else(|| {
            ranked[Rank::COUNT - 1] = path;
            Rank::COUNT - 1
        });
        self.network.set_paths(&ranked);
        let (from, to) = (path.switches[0], path.switches[path.switches.len() - 1]);
        let [local, remote] = [from, to].map(host);
        for (end, switch) in [(local, from), (remote, to)] {
            if let Some(port) = free_port(topology, switch) {
                self.network.attach(end, End { switch, port });
            }
        }
        let model = self.network.model(from);
        let key = FlowKey::new(local.address, local.port, remote.address, remote.port);
        let attachment =
            |end: HostEnd| model.hosts.get(&end.address).map(|host| host.attachment).unwrap_or_default();
        let flow = Flow {
            rank: place as u8,
            remote: attachment(remote),
            local_switch_port: attachment(local).port,
            peer_mac: remote.mac,
            local_mac: local.mac,
            ..Flow::default()
        };
        model.flows.entries.insert(key, flow);
        self.network.send(from, &mut Build::tcp(local, remote).payload(b"data").frame())
    }

    /// The detour on which a frame has come from the `dead`-th switch of its path to the last one.
    fn detour(&mut self, path: &Path, dead: usize, hops: &[Hop]) -> Remedy {
        let topology = self.network.topology();
        let passed: Vec<SwitchId> = hops.iter().skip(dead).map(|hop| hop.switch).collect();
        let ports: Vec<_> = path.hops(topology).skip(dead).map(|(_, port)| port).collect();
        let detours = self.network.detours(path.switches[dead]);
        for (next, behind) in [(ports.get(1).copied(), 3), (None, 2)] {
            let Some(detour) = detours.find(ports[0], next) else { continue };
            let behind = path.switches.get(dead + behind..).unwrap_or_default();
            if passed.iter().eq(detour.switches.iter().chain(behind)) {
                let around_neighbor = detour.next.is_some();
                return Remedy::Detour { switches: detour.switches.clone(), around_neighbor };
            }
        }
        Remedy::Broken
    }

    /// Why the switch before the `dead`-th link of a path has sent a frame nowhere.
    fn missing(&mut self, path: &Path, dead: usize) -> NoDetour {
        let network = &mut self.network;
        let topology = network.topology();
        let hops: Vec<_> = path.hops(topology).collect();
        let (switch, port) = hops[dead];
        let failed = &self.failure.links;
        let is_up = |port: PortNumber| {
            topology.link_at(End { switch, port }).is_some_and(|link| !failed.contains(&link))
        };
        network
            .detours(switch)
            .choose(topology, port, &hops[dead + 1..], is_up)
            .err()
            .unwrap_or(NoDetour::Dead)
    }
}

/// A host at a switch.
fn host(switch: SwitchId) -> HostEnd {
    let [_, _, high, low] = (switch.index() as u32).to_be_bytes();
    HostEnd {
        mac: MacAddress::new([6, 0, 0, 0, high, low]),
        address: Address::from_v4([10, 0, high, low]),
        port: 7,
    }
}

/// A port of a switch that leads to no other switch, if there is one.
fn free_port(topology: &Topology, switch: SwitchId) -> Option<PortNumber> {
    let mut numbers = (1..=PortNumber::MAX).rev().filter_map(PortNumber::new);
    let is_free = |port: &PortNumber| topology.link_at(End { switch, port: *port }).is_none();
    numbers.find(is_free)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

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
        let mut first = None;
        let take = |effect| {
            first = Some(effect);
            ControlFlow::Break(())
        };
        failure.for_each_effect(topology, &options, &topology.edges(), |_| (), take).unwrap();
        let mut repairs = Repairs::new(topology, &options, &failure).unwrap();
        let name = |switch: SwitchId| topology.switch(switch).name.as_str();
        let words = |repair: Repair| match repair.remedy {
            Remedy::Detour { switches, around_neighbor } => {
                let way: Vec<_> = switches.into_iter().map(name).collect();
                format!("{} {}", if around_neighbor { "neighbour" } else { "link" }, way.join(" "))
            }
            remedy => format!("{} {remedy:?}", name(repair.at)),
        };
        repairs.of(&first.unwrap()).into_iter().map(words).collect()
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
