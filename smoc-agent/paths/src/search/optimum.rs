//! The optimal flow: k paths that as a whole share the least, then cost the least.
//!
//! A min-cost flow of k units with convex arc costs by successive shortest paths with potentials
//! (Ahuja, Magnanti, Orlin, "Network Flows", 1993, algorithm 9.7 and section 14.5; for two paths this is
//! Suurballe 1974, Suurballe and Tarjan 1984). The first potentials are the exact distances to the goal, computed once
//! for all pairs of that root, so that each search is an A* (Hart, Nilsson, Raphael 1968) that runs
//! straight at its goal; each search changes the potentials only where it has been.
//!
//! All link costs are positive, so an optimal flow has no cycles and every way to take it apart into unit
//! paths gives simple ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::flow::{Residual, Step};
use super::graph::Weight;
use super::query::Used;
use super::reduced::{Network, Reduced};

/// Memory that the searches of one thread reuse.
#[derive(Default)]
pub(super) struct FlowSearch<R> {
    flow: R,
    /// No reduced cost (weight of a step, plus the potential where it leads, less where it begins) is negative.
    potential: Vec<Weight>,
    distance: Vec<Weight>,
    parent: Vec<(u32, u32)>,
    /// In which round `distance` and `parent` of a state were written.
    round: Vec<u32>,
    now: u32,
    settled: Vec<u32>,
    heap: BinaryHeap<Reverse<(Weight, u32)>>,
}

/// The optimal flows of two units and of all; in no particular order.
pub(super) struct Optimum {
    /// Two units, or one if no more are asked for.
    pub pair: Vec<Used>,
    /// All units.
    pub whole: Vec<Used>,
}

impl<R: Residual> FlowSearch<R> {
    /// The optimal flows of two and of `count` units: the links that carry them, each in the direction of the flow.
    /// `head` are some of these units, if they are known: the paths of the lightest starts, which share nothing.
    pub fn optimal(&mut self, network: &Reduced, count: usize, head: &[Vec<u32>]) -> Optimum {
        self.begin(network);
        let mut pair = None;
        for unit in 0..count {
            if unit == 2 {
                pair = Some(self.used(network));
            }
            if let Some(path) = head.get(unit) {
                self.send(network, path);
                continue;
            }
            self.raise_ends(network);
            let Some(length) = self.search(network) else { break };
            self.raise_potentials(length);
            self.push(network);
        }
        let whole = self.used(network);
        Optimum { pair: pair.unwrap_or_else(|| whole.clone()), whole }
    }

    fn begin(&mut self, network: &Reduced) {
        let states = R::states(network.len());
        self.flow.clear(network);
        self.potential.clear();
        self.potential.extend((0..states as u32).map(|state| network.rest(R::switch(state))));
        if self.round.len() < states {
            self.round.resize(states, 0);
            self.distance.resize(states, 0);
            self.parent.resize(states, (0, 0));
        }
    }

    /// Sends one unit along a path of a head. The potential of the start is the weight of the last such path.
    fn send(&mut self, network: &Reduced, links: &[u32]) {
        let (start, goal) = network.ends();
        let mut at = R::start(start);
        for (&link, to) in links.iter().zip(network.switches(links)) {
            self.flow.push(at, R::goal(to), link);
            at = R::start(to);
            if R::COUNTS_SWITCHES && to != goal {
                self.flow.push(R::goal(to), at, Step::INSIDE);
            }
        }
        self.potential[R::start(start) as usize] = network.length(links);
    }

    /// Raises the potential of the start and lowers the goal's as far as no reduced cost becomes negative. Where
    /// all links of an end are shared already the next path must pay for that, and now has.
    fn raise_ends(&mut self, network: &Reduced) {
        let (start, goal) = network.ends();
        let (start, goal) = (R::start(start), R::goal(goal));
        let Self { flow, potential, .. } = self;
        let mut least = Weight::MAX;
        flow.steps(network, start, |step| {
            least = least.min(step.weight + potential[step.to as usize] - potential[start as usize]);
        });
        potential[start as usize] += if least == Weight::MAX { 0 } else { least };
        least = Weight::MAX;
        flow.steps_into(network, goal, |from, step| {
            least = least.min(step.weight + potential[goal as usize] - potential[from as usize]);
        });
        potential[goal as usize] -= if least == Weight::MAX { 0 } else { least };
    }

    /// Makes all reduced costs of the residual network not negative again once the path found is used.
    fn raise_potentials(&mut self, length: Weight) {
        for &state in &self.settled {
            self.potential[state as usize] += (length - self.distance[state as usize]).max(0);
        }
    }

    /// Sends one unit along the path found.
    fn push(&mut self, network: &Reduced) {
        let (start, goal) = network.ends();
        let mut at = R::goal(goal);
        while at != R::start(start) {
            let (from, link) = self.parent[at as usize];
            self.flow.push(from, at, link);
            at = from;
        }
    }

    /// Dijkstra over reduced costs; leaves `parent`, and in `settled` whatever is nearer than the goal.
    fn search(&mut self, network: &Reduced) -> Option<Weight> {
        let Self { flow, potential, distance, parent, round, settled, heap, now, .. } = self;
        let (start, goal) = network.ends();
        let (start, goal) = (R::start(start), R::goal(goal));
        *now += 1;
        settled.clear();
        heap.clear();
        (round[start as usize], distance[start as usize]) = (*now, 0);
        heap.push(Reverse((0, start)));
        while let Some(Reverse((here, at))) = heap.pop() {
            if at == goal {
                return Some(here);
            }
            if here > distance[at as usize] {
                continue;
            }
            settled.push(at);
            let leaving = here - potential[at as usize];
            flow.steps(network, at, |step: Step| {
                let there = leaving + step.weight + potential[step.to as usize];
                let known = round[step.to as usize] == *now;
                if !known || there < distance[step.to as usize] {
                    round[step.to as usize] = *now;
                    distance[step.to as usize] = there;
                    parent[step.to as usize] = (at, step.link);
                    heap.push(Reverse((there, step.to)));
                }
            });
        }
        None
    }

    /// The links that carry the flow.
    fn used(&self, network: &Reduced) -> Vec<Used> {
        let carrying = self.flow.units().iter().zip(0..).filter(|&(&units, _)| units != 0);
        let used = carrying.map(|(&units, link)| {
            let (low, high) = network.ends_of(link);
            let (from, to) = if units > 0 { (low, high) } else { (high, low) };
            Used { from, to, link, units: units.unsigned_abs() }
        });
        used.collect()
    }
}
