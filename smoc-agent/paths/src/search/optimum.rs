//! The optimal flow: k paths that as a whole share the least, then cost the least.
//!
//! A min-cost flow of k units with convex arc costs by successive shortest paths with potentials
//! (Ahuja, Magnanti, Orlin, "Network Flows", 1993, algorithm 9.7 and section 14.5; for two paths this is
//! Suurballe 1974, Suurballe and Tarjan 1984). The first potentials are the exact distances to the goal, computed once
//! for all pairs of that root, so that each search is an A* (Hart, Nilsson, Raphael 1968), from both ends (Nicholson, "Finding
//! the shortest route between two points in a network", Computer Journal 9, 1966); it changes the potentials only where it has
//! been.
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
    from_start: Side,
    to_goal: Side,
    now: u32,
}

/// What is known of the ways from the start, or to the goal.
#[derive(Default)]
struct Side {
    /// The least sum of reduced costs found, if `round` says that it is of this search.
    distance: Vec<Weight>,
    /// The state next to this one on the way to the side's end, and the link between.
    parent: Vec<(u32, u32)>,
    round: Vec<u32>,
    settled: Vec<u32>,
    heap: BinaryHeap<Reverse<(Weight, u32)>>,
}

/// A path found: the sum of its reduced costs, and a state on it that both sides know.
#[derive(Clone, Copy)]
struct Meeting {
    length: Weight,
    at: u32,
}

/// The optimal flows of two units and of all, by link.
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
            let Some(meeting) = self.search(network) else { break };
            self.raise_potentials(meeting.length);
            self.push(network, meeting.at);
        }
        let whole = self.used(network);
        Optimum { pair: pair.unwrap_or_else(|| whole.clone()), whole }
    }

    fn begin(&mut self, network: &Reduced) {
        let states = R::states(network.len());
        self.flow.clear(network);
        self.potential.clear();
        self.potential.extend((0..states as u32).map(|state| network.rest(R::switch(state))));
        for side in [&mut self.from_start, &mut self.to_goal] {
            if side.round.len() < states {
                side.round.resize(states, 0);
                side.distance.resize(states, 0);
                side.parent.resize(states, (0, 0));
            }
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
        flow.steps_into(network, goal, |step| {
            least = least.min(step.weight + potential[goal as usize] - potential[step.to as usize]);
        });
        potential[goal as usize] -= if least == Weight::MAX { 0 } else { least };
    }

    /// Makes all reduced costs of the residual network not negative again once a path of that length is used.
    ///
    /// With `near + far` the length, potentials rise by what is missing to `near` from the start, and fall by what is
    /// missing to `far` to the goal. No step loses more than its reduced cost by both, or there would be a shorter path;
    /// the steps of the path lose all of it.
    fn raise_potentials(&mut self, length: Weight) {
        let Self { potential, from_start, to_goal, .. } = self;
        let near = from_start.nearest().map_or(length, |nearest| nearest.min(length));
        for &state in &from_start.settled {
            potential[state as usize] += (near - from_start.distance[state as usize]).max(0);
        }
        for &state in &to_goal.settled {
            potential[state as usize] -= (length - near - to_goal.distance[state as usize]).max(0);
        }
    }

    /// Sends one unit along the path found.
    fn push(&mut self, network: &Reduced, meeting: u32) {
        let (start, goal) = network.ends();
        let mut at = meeting;
        while at != R::start(start) {
            let (from, link) = self.from_start.parent[at as usize];
            self.flow.push(from, at, link);
            at = from;
        }
        at = meeting;
        while at != R::goal(goal) {
            let (to, link) = self.to_goal.parent[at as usize];
            self.flow.push(at, to, link);
            at = to;
        }
    }

    /// Dijkstra over reduced costs from both ends (Nicholson 1966), always on the side with fewer open states: where links
    /// must be shared near both ends, a search from one of them alone would see all that lies between. Leaves the parents.
    fn search(&mut self, network: &Reduced) -> Option<Meeting> {
        let Self { flow, potential, from_start, to_goal, now } = self;
        let (start, goal) = network.ends();
        *now += 1;
        from_start.begin(R::start(start), *now);
        to_goal.begin(R::goal(goal), *now);
        let mut best: Option<Meeting> = None;
        while let (Some(near), Some(far)) = (from_start.nearest(), to_goal.nearest())
            && best.is_none_or(|best| near + far < best.length)
        {
            if from_start.heap.len() <= to_goal.heap.len() {
                let (here, at) = from_start.settle();
                let leaving = here - potential[at as usize];
                flow.steps(network, at, |step| {
                    let there = leaving + step.weight + potential[step.to as usize];
                    from_start.reach(to_goal, *now, at, step, there, &mut best);
                });
            } else {
                let (here, at) = to_goal.settle();
                let arriving = here + potential[at as usize];
                flow.steps_into(network, at, |step| {
                    let there = arriving + step.weight - potential[step.to as usize];
                    to_goal.reach(from_start, *now, at, step, there, &mut best);
                });
            }
        }
        best
    }

    /// The links that carry the flow.
    fn used(&mut self, network: &Reduced) -> Vec<Used> {
        let used = self.flow.carrying().map(|(link, units)| {
            let (low, high) = network.ends_of(link);
            let (from, to) = if units > 0 { (low, high) } else { (high, low) };
            Used { from, to, link, units: units.unsigned_abs() }
        });
        used.collect()
    }
}

impl Side {
    /// Knows its own end only.
    fn begin(&mut self, end: u32, now: u32) {
        self.settled.clear();
        self.heap.clear();
        (self.round[end as usize], self.distance[end as usize]) = (now, 0);
        self.heap.push(Reverse((0, end)));
    }

    /// The distance of the nearest state that is not settled.
    fn nearest(&mut self) -> Option<Weight> {
        while let Some(&Reverse((here, at))) = self.heap.peek() {
            if here <= self.distance[at as usize] {
                return Some(here);
            }
            self.heap.pop();
        }
        None
    }

    /// Settles the nearest state, which there is.
    fn settle(&mut self) -> (Weight, u32) {
        let Reverse((here, at)) = self.heap.pop().unwrap_or_default();
        self.settled.push(at);
        (here, at)
    }

    /// A step from a settled state to another one, `there` from this side's end.
    #[inline]
    fn reach(
        &mut self,
        other: &Self,
        now: u32,
        at: u32,
        step: Step,
        there: Weight,
        best: &mut Option<Meeting>,
    ) {
        let to = step.to as usize;
        if best.is_some_and(|best| there >= best.length)
            || self.round[to] == now && there >= self.distance[to]
        {
            return;
        }
        self.round[to] = now;
        self.distance[to] = there;
        self.parent[to] = (at, step.link);
        self.heap.push(Reverse((there, step.to)));
        if other.round[to] == now {
            let length = there + other.distance[to];
            if best.is_none_or(|best| length < best.length) {
                *best = Some(Meeting { length, at: step.to });
            }
        }
    }
}
