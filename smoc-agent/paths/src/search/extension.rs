//! The path that shares the least with given ones, then costs the least.
//!
//! Two searches instead of one: first how little can be shared from every switch on (most links share nothing, so this
//! is little more than a walk), then the cheapest path among those that share so little, by A* (Hart, Nilsson, Raphael
//! 1968) with the distances to the goal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::Weight;
use super::reduced::{Network, Reduced};
use super::share::Shares;

/// Memory of the searches.
#[derive(Default)]
pub(super) struct Extension {
    /// What must be shared from each switch on, if `known` in this round.
    least: Vec<u64>,
    known: Vec<u32>,
    /// Cost and tie of the best way to each switch, and its last step, if `reached` in this round.
    distance: Vec<Weight>,
    parent: Vec<(u32, u32)>,
    reached: Vec<u32>,
    now: u32,
    heap: BinaryHeap<Reverse<(Weight, u32)>>,
    sharing: BinaryHeap<Reverse<(u64, u32)>>,
    level: Vec<u32>,
}

impl Extension {
    /// The lightest path beside those added to `shares`; it may be one of these.
    pub fn lightest(&mut self, network: &Reduced, shares: &Shares) -> Option<Vec<u32>> {
        self.begin(network);
        self.share(network, shares);
        self.cost(network, shares)
    }

    /// What any path must share with those added to `shares`, also one of these; [`Reduced::sharing`].
    pub fn least(&mut self, network: &Reduced, shares: &Shares) -> Option<u64> {
        self.begin(network);
        self.share(network, shares);
        let (start, _) = network.ends();
        self.is_known(start).then(|| self.least[start as usize])
    }

    fn begin(&mut self, network: &Reduced) {
        if self.known.len() < network.len() {
            self.least.resize(network.len(), 0);
            self.known.resize(network.len(), 0);
            self.distance.resize(network.len(), 0);
            self.parent.resize(network.len(), (0, 0));
            self.reached.resize(network.len(), 0);
        }
        self.now += 1;
    }

    fn is_known(&self, switch: u32) -> bool {
        self.known[switch as usize] == self.now
    }

    /// Finds out what must be shared, from the goal backwards until the start is met: Dijkstra, level by level.
    fn share(&mut self, network: &Reduced, shares: &Shares) {
        let (start, goal) = network.ends();
        self.sharing.clear();
        self.sharing.push(Reverse((0, goal)));
        while let Some(Reverse((here, at))) = self.sharing.pop() {
            if self.is_known(at) {
                continue;
            }
            self.know(at, here);
            while let Some(at) = self.level.pop() {
                for arc in network.arcs(at) {
                    if self.is_known(arc.to) {
                        continue;
                    }
                    match network.sharing(shares, arc.link, at) {
                        0 => self.know(arc.to, here),
                        more => self.sharing.push(Reverse((here + more, arc.to))),
                    }
                }
            }
            if self.is_known(start) {
                return;
            }
        }
    }

    fn know(&mut self, switch: u32, least: u64) {
        self.known[switch as usize] = self.now;
        self.least[switch as usize] = least;
        self.level.push(switch);
    }

    /// The cheapest of the paths that share as little as must be.
    fn cost(&mut self, network: &Reduced, shares: &Shares) -> Option<Vec<u32>> {
        let (start, goal) = network.ends();
        if !self.is_known(start) {
            return None;
        }
        self.heap.clear();
        (self.reached[start as usize], self.distance[start as usize]) = (self.now, 0);
        self.heap.push(Reverse((network.rest(start), start)));
        while let Some(Reverse((estimate, at))) = self.heap.pop() {
            if at == goal {
                return Some(self.way_to(goal, start));
            }
            let here = self.distance[at as usize];
            if estimate > here + network.rest(at) {
                continue;
            }
            for arc in network.arcs(at) {
                let to = arc.to as usize;
                // Most links lead away from the goal, and are told by what must be shared behind them.
                if self.known[to] != self.now
                    || self.least[at as usize] != self.least[to] + network.sharing(shares, arc.link, arc.to)
                {
                    continue;
                }
                let there = here + network.weight(arc.link);
                if self.reached[to] != self.now || there < self.distance[to] {
                    self.reached[to] = self.now;
                    self.distance[to] = there;
                    self.parent[to] = (at, arc.link);
                    self.heap.push(Reverse((there + network.rest(arc.to), arc.to)));
                }
            }
        }
        None
    }

    fn way_to(&self, mut at: u32, start: u32) -> Vec<u32> {
        let mut links = Vec::new();
        while at != start {
            let (before, link) = self.parent[at as usize];
            links.push(link);
            at = before;
        }
        links.reverse();
        links
    }
}
