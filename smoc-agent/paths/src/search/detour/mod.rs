//! Detours: what a switch does with a frame whose next port is dead, worked out beforehand.
//!
//! A frame at switch S is about to leave through port p, over link L to its neighbour N, and its route goes on
//! with port q of N to switch M. If p is dead, S sends it *around the neighbour*: by the cheapest way to M that
//! does not pass N, and the route goes on behind q. If N is the last switch, or that way starts through a dead port or does not
//! fit, it goes *around the link*: by the cheapest way to N without L, and the route goes on with q. No way uses a
//! link that shares a risk group with L. Ties go by the rule of [`super::graph`], seeded with S and N.
//!
//! **No loop.** A switch that passes a frame on shortens its route by one port. Only a detour lengthens it, and a
//! frame takes one detour at most. So every frame ends.
//!
//! **No link twice in one direction**, if the frame's path P is a shortest one, costs are positive and P's other
//! links are up and in no risk group with L. Let the detour D be around N (for around L read "avoids L") and let
//! d be the distance.
//!
//! * *Before S.* Say P passes link (u, v), of cost c, before it comes to S, and D passes it from u to v as well. Then
//!   D spends at least d(S, u) + c = d(S, v) + 2c to come to v, for P's way from u over v to S is shortest.
//!   But P's way from v to S, turned around, avoids N and costs d(S, v): D was not the cheapest.
//! * *Behind M.* The same, seen from the other end: from u, D spends at least c + d(v, M) = 2c + d(u, M) to come
//!   to M, where P's way from M to u, turned around, costs d(u, M).
//!
//! A path that is not shortest may pass a link twice, once on P and once on D; it still ends.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use smoc_common::{
    map,
    route::{PortNumber, Route, RouteTooLong},
};

use super::finder::PathFinder;
use super::graph::{Arc, Graph, Seed, UNREACHABLE};
use super::path::Path;
use crate::topology::{LinkId, SwitchId, Topology};

/// The way that a frame takes instead of a dead port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detour {
    /// The dead port.
    pub port: PortNumber,
    /// The port at the neighbour that the frame would take next: the way ends at the switch it leads to, and
    /// passes around the neighbour. `None`: the way ends at the neighbour, and passes around the link only.
    pub next: Option<PortNumber>,
    /// The port through which the way starts.
    pub first: PortNumber,
    /// The ports at the switches of the way between its two ends; what is left of the frame's own route comes behind.
    pub prefix: Route,
    /// All its switches, both ends included.
    pub switches: Vec<SwitchId>,
    /// Its links, one fewer.
    pub links: Vec<LinkId>,
}

impl Detour {
    /// What the map `DETOURS` says of it.
    pub fn entry(&self) -> (map::DetourKey, map::Detour) {
        let key = map::DetourKey { port: self.port.get(), next: self.next.map_or(0, PortNumber::get) };
        let (prefix, length) = self.prefix.as_prefix();
        (key, map::Detour { prefix, length, port: self.first.get(), ..map::Detour::default() })
    }
}

/// A way that no source route can describe, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnroutableDetour {
    /// As in [`Detour`].
    pub port: PortNumber,
    /// As in [`Detour`].
    pub next: Option<PortNumber>,
    /// Bits that it would need, the sentinel included; [`Route::BITS`] are there.
    pub bits: u32,
}

/// Why a frame has no detour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDetour {
    /// There is no other way.
    NoWay,
    /// Its route would need so many bits, the fewest.
    TooLong(u32),
    /// It would start through a dead port.
    Dead,
}

/// The detours of one switch, one at most for each (port, next port at the neighbour). One that is in neither list does not
/// exist: without the neighbour or the link nothing joins the two ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detours {
    /// Those that fit into a route, sorted by port, then next port (`None` first).
    pub routable: Vec<Detour>,
    /// The others, in the same order.
    pub unroutable: Vec<UnroutableDetour>,
}

impl Detours {
    /// The detour for a dead port and the next port at the neighbour, if it exists and fits into a route by itself.
    pub fn find(&self, port: PortNumber, next: Option<PortNumber>) -> Option<&Detour> {
        let found = self.routable.binary_search_by_key(&(port, next), |detour| (detour.port, detour.next));
        found.ok().map(|index| &self.routable[index])
    }

    /// What becomes of a frame whose next port is dead: around the neighbour if that way starts through a port that `is_up` and the
    /// whole route fits, else around the link. `rest` is what is left of its path behind that port, switches and their ports,
    /// the neighbour first; empty if the neighbour is the last switch.
    ///
    /// # Errors
    /// There is no such detour.
    pub fn choose(
        &self,
        topology: &Topology,
        port: PortNumber,
        rest: &[(SwitchId, PortNumber)],
        is_up: impl Fn(PortNumber) -> bool,
    ) -> Result<&Detour, NoDetour> {
        let width = |&(switch, _): &(SwitchId, PortNumber)| u32::from(topology.switch(switch).port_width);
        let mut missing = NoDetour::NoWay;
        let around_neighbor = rest.split_first().map(|(&(_, next), behind)| (Some(next), behind));
        for (next, behind) in around_neighbor.into_iter().chain([(None, rest)]) {
            let Some(own) = self.bits(port, next) else { continue };
            let bits = own + behind.iter().map(width).sum::<u32>();
            missing = match (self.find(port, next).filter(|_| bits <= Route::BITS), missing) {
                (Some(detour), _) if is_up(detour.first) => return Ok(detour),
                (Some(_), _) | (_, NoDetour::Dead) => NoDetour::Dead,
                (None, NoDetour::TooLong(fewest)) => NoDetour::TooLong(fewest.min(bits)),
                (None, NoDetour::NoWay) => NoDetour::TooLong(bits),
            };
        }
        Err(missing)
    }

    /// How many bits a way needs by itself, the sentinel included.
    fn bits(&self, port: PortNumber, next: Option<PortNumber>) -> Option<u32> {
        if let Some(detour) = self.find(port, next) {
            return Some(u64::BITS - detour.prefix.bits().leading_zeros());
        }
        let found = self.unroutable.binary_search_by_key(&(port, next), |detour| (detour.port, detour.next));
        found.ok().map(|index| self.unroutable[index].bits)
    }
}

impl PathFinder<'_> {
    /// The detours of a switch: for each of its ports, up or down, and each port of the neighbour there that
    /// leads on. Ways use only links that are up.
    pub fn detours(&self, this: SwitchId) -> Detours {
        let topology = self.topology;
        let mut tree = Tree::new(&self.graph, this);
        let mut detours = Detours::default();
        for dead in topology.arcs(this) {
            let neighbor = dead.to.switch;
            let seed = self.graph.seed(this, neighbor);
            let risky = at_risk_with(topology, dead.link);
            let onward = || topology.arcs(neighbor).iter().filter(|arc| arc.to.switch != this);
            let ends = onward().map(|arc| arc.to.switch.0).collect();
            tree.grow(seed, ends, |arc| arc.to == neighbor.0 || risky.contains(&arc.link));
            for arc in onward() {
                detours.add(topology, (dead.port, Some(arc.port)), tree.way(arc.to.switch));
            }
            tree.grow(seed, HashSet::from([neighbor.0]), |arc| risky.contains(&arc.link));
            detours.add(topology, (dead.port, None), tree.way(neighbor));
        }
        detours.routable.sort_unstable_by_key(|detour| (detour.port, detour.next));
        detours.unroutable.sort_unstable_by_key(|detour| (detour.port, detour.next));
        detours
    }
}

impl Detours {
    fn add(
        &mut self,
        topology: &Topology,
        (port, next): (PortNumber, Option<PortNumber>),
        way: Option<Path>,
    ) {
        let Some(way) = way else { return };
        let Some((_, first)) = way.hops(topology).next() else { return };
        match way.route(topology) {
            Ok(prefix) => {
                self.routable.push(Detour {
                    port,
                    next,
                    first,
                    prefix,
                    switches: way.switches,
                    links: way.links,
                });
            }
            Err(RouteTooLong { bits }) => self.unroutable.push(UnroutableDetour { port, next, bits }),
        }
    }
}

/// The link and all that share a risk group with it.
fn at_risk_with(topology: &Topology, dead: LinkId) -> HashSet<u32> {
    let groups = &topology.link(dead).srlg;
    let mut risky = HashSet::from([dead.0]);
    if !groups.is_empty() {
        let member = |link: &LinkId| topology.link(*link).srlg.iter().any(|group| groups.contains(group));
        risky.extend(topology.link_ids().filter(member).map(|link| link.0));
    }
    risky
}

/// The cheapest ways from one switch: Dijkstra (1959), where a way of equal cost and less tie replaces another. Costs are
/// positive, so a switch's way is final when it is reached.
struct Tree<'a> {
    graph: &'a Graph,
    root: SwitchId,
    /// Cost and tie of the way to each switch.
    reached: Vec<(u64, u64)>,
    /// The last link of that way.
    last: Vec<u32>,
}

impl<'a> Tree<'a> {
    fn new(graph: &'a Graph, root: SwitchId) -> Self {
        Self { graph, root, reached: vec![(UNREACHABLE, 0); graph.len()], last: vec![0; graph.len()] }
    }

    /// Finds the ways to all of `ends`, over no arc that is to be avoided.
    fn grow(&mut self, seed: Seed, mut ends: HashSet<u32>, avoid: impl Fn(&Arc) -> bool) {
        self.reached.fill((UNREACHABLE, 0));
        self.reached[self.root.index()] = (0, 0);
        let mut heap = BinaryHeap::from([Reverse((0, self.root.0))]);
        while let Some(Reverse((cost, at))) = heap.pop() {
            let (least, tie) = self.reached[at as usize];
            if cost > least {
                continue;
            }
            if ends.remove(&at) && ends.is_empty() {
                return;
            }
            for arc in self.graph.arcs(at) {
                let there = &mut self.reached[arc.to as usize];
                let cost = cost + arc.cost;
                if cost > there.0 || avoid(arc) {
                    continue;
                }
                let now = (cost, tie + self.graph.tie(seed, arc.link));
                if now < *there {
                    if cost < there.0 {
                        heap.push(Reverse((cost, arc.to)));
                    }
                    *there = now;
                    self.last[arc.to as usize] = arc.link;
                }
            }
        }
    }

    /// The way to one of the ends that [`Tree::grow`] was asked for, if there is one.
    fn way(&self, end: SwitchId) -> Option<Path> {
        if self.reached[end.index()].0 == UNREACHABLE {
            return None;
        }
        let mut links = Vec::new();
        let mut at = end.0;
        while at != self.root.0 {
            let link = self.last[at as usize];
            links.push(link);
            let (low, high) = self.graph.ends(link);
            at = if at == low { high } else { low };
        }
        Some(Path::over(self.graph, end, &links, 0).reversed())
    }
}
