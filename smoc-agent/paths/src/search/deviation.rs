//! The lightest path that is none of given ones.
//!
//! Every other path follows some given path for a while and then leaves all that have come the same way (Yen 1971, Lawler
//! 1972). With the exact weights of the rest of the way, found once for all switches, most ways off are judged without a
//! search: only where the best rest would come back to the part already passed, the best that does not is searched for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::Weight;
use super::reduced::{Network, Reduced};
use super::share::Shares;

const UNREACHED: Weight = Weight::MAX / 4;

/// Memory of the searches.
#[derive(Default)]
pub(super) struct Deviation {
    /// The weight of the best way from each switch to the goal, and its first step.
    rest: Vec<Weight>,
    next: Vec<(u32, u32)>,
    heap: BinaryHeap<Reverse<(Weight, u32)>>,
    distance: Vec<Weight>,
    parent: Vec<(u32, u32)>,
    /// Switches of the part that is kept.
    is_passed: Vec<bool>,
}

/// A way off: the first `depth` links of a given path, then this link.
struct WayOff {
    path: usize,
    depth: usize,
    link: u32,
    to: u32,
    /// The way, once it is known not to pass a switch twice.
    links: Option<Vec<u32>>,
}

impl Deviation {
    /// Of all paths but `given` ones the lightest beside those added to `shares`.
    pub fn lightest(&mut self, network: &Reduced, shares: &Shares, given: &[Vec<u32>]) -> Option<Vec<u32>> {
        self.weigh(network, shares);
        let mut ways: Vec<WayOff> = Vec::new();
        let mut order: BinaryHeap<Reverse<(Weight, usize)>> = BinaryHeap::new();
        for path in 0..given.len() {
            self.leave(network, shares, given, path, |least, way| {
                order.push(Reverse((least, ways.len())));
                ways.push(way);
            });
        }
        while let Some(Reverse((_, number))) = order.pop() {
            let way = &ways[number];
            if way.links.is_some() {
                return ways.swap_remove(number).links;
            }
            let kept = &given[way.path][..way.depth];
            let before = self.keep(network, shares, kept);
            let step = before + self.step(network, shares, way.link, way.to);
            let found =
                self.straight(network, way.to).map(|links| (step + self.rest[way.to as usize], links));
            let found = found.or_else(|| {
                let (more, links) = self.around(network, shares, way.to)?;
                Some((step + more, links))
            });
            if let Some((weight, rest)) = found {
                ways[number].links = Some([kept, &[ways[number].link], &rest].concat());
                order.push(Reverse((weight, number)));
            }
            self.forget(network, kept);
        }
        None
    }

    fn step(&self, network: &Reduced, shares: &Shares, link: u32, to: u32) -> Weight {
        network.weight(link) + network.again(shares, link, to)
    }

    /// The best ways from all switches to the goal: Dijkstra (1959), backwards.
    fn weigh(&mut self, network: &Reduced, shares: &Shares) {
        let (_, goal) = network.ends();
        self.rest.clear();
        self.rest.resize(network.len(), UNREACHED);
        self.next.resize(network.len(), (0, 0));
        self.distance.resize(network.len(), 0);
        self.parent.resize(network.len(), (0, 0));
        self.is_passed.resize(network.len(), false);
        self.rest[goal as usize] = 0;
        self.heap.clear();
        self.heap.push(Reverse((0, goal)));
        while let Some(Reverse((here, at))) = self.heap.pop() {
            if here > self.rest[at as usize] {
                continue;
            }
            for arc in network.arcs(at) {
                let there = here + self.step(network, shares, arc.link, at);
                if there < self.rest[arc.to as usize] {
                    self.rest[arc.to as usize] = there;
                    self.next[arc.to as usize] = (at, arc.link);
                    self.heap.push(Reverse((there, arc.to)));
                }
            }
        }
    }

    /// Tells of the ways off a given path that no given path before it has as well, and what they weigh at least.
    fn leave(
        &mut self,
        network: &Reduced,
        shares: &Shares,
        given: &[Vec<u32>],
        path: usize,
        mut tell: impl FnMut(Weight, WayOff),
    ) {
        let (start, goal) = network.ends();
        let mut same: Vec<usize> = (0..given.len()).collect();
        let (mut at, mut before) = (start, 0);
        for (depth, &link) in given[path].iter().enumerate() {
            self.is_passed[at as usize] = true;
            let mut onward = goal;
            for arc in network.arcs(at) {
                if arc.link == link {
                    onward = arc.to;
                }
                let is_given = same.iter().any(|&other| given[other][depth] == arc.link);
                let rest = self.rest[arc.to as usize];
                if same[0] == path && !is_given && !self.is_passed[arc.to as usize] && rest < UNREACHED {
                    let least = before + self.step(network, shares, arc.link, arc.to) + rest;
                    tell(least, WayOff { path, depth, link: arc.link, to: arc.to, links: None });
                }
            }
            before += self.step(network, shares, link, onward);
            at = onward;
            same.retain(|&other| given[other][depth] == link);
        }
        self.forget(network, &given[path]);
    }

    /// Marks the switches of the part that is kept but the last it leads to, which it is left at, too; its weight.
    fn keep(&mut self, network: &Reduced, shares: &Shares, kept: &[u32]) -> Weight {
        let (start, _) = network.ends();
        self.is_passed[start as usize] = true;
        let mut weight = 0;
        for (&link, to) in kept.iter().zip(network.switches(kept)) {
            self.is_passed[to as usize] = true;
            weight += self.step(network, shares, link, to);
        }
        weight
    }

    fn forget(&mut self, network: &Reduced, kept: &[u32]) {
        let (start, _) = network.ends();
        self.is_passed[start as usize] = false;
        network.switches(kept).for_each(|switch| self.is_passed[switch as usize] = false);
    }

    /// The best rest of the way, unless it passes a switch that is kept.
    fn straight(&self, network: &Reduced, mut at: u32) -> Option<Vec<u32>> {
        let (_, goal) = network.ends();
        let mut links = Vec::new();
        while at != goal {
            if self.is_passed[at as usize] {
                return None;
            }
            let (to, link) = self.next[at as usize];
            links.push(link);
            at = to;
        }
        Some(links)
    }

    /// The best rest of the way around the switches that are kept, and its weight: A* with the weights of the best rests.
    fn around(&mut self, network: &Reduced, shares: &Shares, from: u32) -> Option<(Weight, Vec<u32>)> {
        let (_, goal) = network.ends();
        self.distance.fill(UNREACHED);
        self.distance[from as usize] = 0;
        self.heap.clear();
        self.heap.push(Reverse((self.rest[from as usize], from)));
        while let Some(Reverse((estimate, at))) = self.heap.pop() {
            if at == goal {
                return Some((estimate, self.way_back(goal, from)));
            }
            let here = self.distance[at as usize];
            if estimate > here + self.rest[at as usize] {
                continue;
            }
            for arc in network.arcs(at) {
                let (to, rest) = (arc.to as usize, self.rest[arc.to as usize]);
                let there = here + self.step(network, shares, arc.link, arc.to);
                if there < self.distance[to] && !self.is_passed[to] && rest < UNREACHED {
                    self.distance[to] = there;
                    self.parent[to] = (at, arc.link);
                    self.heap.push(Reverse((there + rest, arc.to)));
                }
            }
        }
        None
    }

    fn way_back(&self, mut at: u32, from: u32) -> Vec<u32> {
        let mut links = Vec::new();
        while at != from {
            let (before, link) = self.parent[at as usize];
            links.push(link);
            at = before;
        }
        links.reverse();
        links
    }
}
