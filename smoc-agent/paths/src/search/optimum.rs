//! The optimal flow: k paths that as a whole share the least, then cost the least.
//!
//! A min-cost flow of k units with convex arc costs by successive shortest paths with potentials
//! (Ahuja, Magnanti, Orlin, "Network Flows", 1993, algorithm 9.7 and section 14.5; for two paths this is
//! Suurballe 1974, Suurballe and Tarjan 1984). The first potentials are the exact distances to the root switch, computed once
//! for all pairs of that root, so that each search is an A* (Hart, Nilsson, Raphael 1968) that runs
//! straight at its goal; each search changes the potentials only where it has been.
//!
//! All link costs are positive, so an optimal flow has no cycles and every way to take it apart into unit
//! paths gives simple ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::flow::{Residual, Step};
use super::graph::{Graph, Weight};
use super::query::{Query, Used};
use super::tight::{Tight, TightArc, TightSearch};

/// Memory that the searches of one thread reuse.
pub(super) struct FlowSearch<R> {
    flow: R,
    /// What the potentials differ by from the distances to the root.
    shift: Vec<Weight>,
    shifted: Vec<u32>,
    distance: Vec<Weight>,
    parent: Vec<(u32, u32)>,
    /// In which round `distance` and `parent` of a state were written.
    round: Vec<u32>,
    now: u32,
    /// In which round a link was part of a path; for [`FlowSearch::separable`].
    taken: Vec<u32>,
    settled: Vec<u32>,
    heap: BinaryHeap<Reverse<(Weight, u32)>>,
    /// Distance and state in one number, for distances below a unit of cost.
    near: BinaryHeap<Reverse<u128>>,
    touched: Vec<u32>,
    /// No switch between start and root has a greater shift.
    risen: Weight,
    /// The potentials of start and root have been changed by [`FlowSearch::raise_ends`].
    ends_raised: bool,
    /// The links that carry flow, if states are switches: from, to, link.
    carrying: Vec<(u32, u32, u32)>,
    tight: Tight,
    ties: TightSearch,
}

/// The optimal flows of two units and of all; in no particular order.
pub(super) struct Optimum {
    /// Two units, or one if no more are asked for.
    pub pair: Vec<Used>,
    /// All units.
    pub whole: Vec<Used>,
}

impl<R: Residual> FlowSearch<R> {
    /// `tight` are the links of shortest paths, which the search looks at first if the flow's states are switches.
    pub fn new(flow: R, graph: &Graph, tight: Tight) -> Self {
        let (switches, links) = (graph.len(), graph.links());
        let states = R::states(switches);
        Self {
            flow,
            shift: vec![0; states],
            shifted: Vec::new(),
            distance: vec![0; states],
            parent: vec![(0, 0); states],
            round: vec![0; states],
            now: 0,
            taken: vec![0; links],
            settled: Vec::new(),
            heap: BinaryHeap::new(),
            near: BinaryHeap::new(),
            touched: Vec::new(),
            risen: 0,
            ends_raised: false,
            carrying: Vec::new(),
            ties: TightSearch::new(switches),
            tight,
        }
    }

    /// The `count` lightest paths if they begin with different links and share nothing, lightest first.
    ///
    /// Of each first link the lightest path is looked at, as far as that is a shortest one. So many paths that share
    /// nothing begin with as many links, so no such set weighs less; and each prefix is the best set of its size.
    pub fn separable(&mut self, query: &Query<'_>, count: usize) -> Option<Vec<Vec<u32>>> {
        self.ties.weigh_ways(query, &self.tight, |_, _| true);
        let paths = self.ties.lightest_of_each_start(query, count)?;
        self.now += 1;
        for links in &paths {
            for (&link, switch) in links.iter().zip(query.switches(links)) {
                let is_taken = std::mem::replace(&mut self.taken[link as usize], self.now) == self.now;
                let switch = R::goal(switch) as usize;
                let is_passed = !R::IS_BY_SWITCH
                    && switch != R::goal(query.root) as usize
                    && std::mem::replace(&mut self.round[switch], self.now) == self.now;
                if is_taken || is_passed {
                    return None;
                }
            }
        }
        Some(paths)
    }

    /// The optimal flows of two and of `count` units: the links that carry them, each in the direction of the flow.
    pub fn optimal(&mut self, query: &Query<'_>, count: usize) -> Optimum {
        for state in self.shifted.drain(..) {
            self.shift[state as usize] = 0;
        }
        self.carrying.clear();
        self.risen = self.exact_potentials(query);
        self.ends_raised = false;
        let mut pair = None;
        for unit in 0..count {
            if unit == 2 {
                pair = Some(self.used(query.graph));
            }
            let found = self.search_tight(query).or_else(|| {
                self.raise_ends(query);
                self.search_tight(query).or_else(|| self.search(query))
            });
            let Some(length) = found else { break };
            self.raise_potentials(length);
            self.push(query);
        }
        let whole = self.used(query.graph);
        self.flow.clear(self.touched.drain(..));
        Optimum { pair: pair.unwrap_or_else(|| whole.clone()), whole }
    }

    /// Adds the ties of the best way to the root to the potential of each switch on a shortest path, so that the
    /// first search goes straight; returns the greatest. Off these paths a link costs a unit more or leads to them, so no
    /// reduced cost becomes negative.
    fn exact_potentials(&mut self, query: &Query<'_>) -> Weight {
        if !R::IS_BY_SWITCH {
            return 0;
        }
        let Self { tight, ties, .. } = self;
        ties.weigh_ways(query, tight, |_, _| true);
        let mut greatest = 0;
        for (switch, rest) in ties.rests(query.root) {
            self.shift[switch as usize] = Weight::from(rest);
            self.shifted.push(switch);
            greatest = greatest.max(Weight::from(rest));
        }
        greatest
    }

    /// Makes all reduced costs of the residual network not negative again once the path found is used.
    fn raise_potentials(&mut self, length: Weight) {
        self.risen += length;
        for &state in &self.settled {
            let closer = length - self.distance[state as usize];
            if closer > 0 {
                if self.shift[state as usize] == 0 {
                    self.shifted.push(state);
                }
                self.shift[state as usize] += closer;
            }
        }
    }

    /// Sends one unit along the path found.
    fn push(&mut self, query: &Query<'_>) {
        let mut at = R::goal(query.root);
        while at != R::start(query.start) {
            let (from, link) = self.parent[at as usize];
            self.flow.push(from, at, link);
            if link != Step::INSIDE {
                self.touched.push(link);
            }
            if R::IS_BY_SWITCH {
                let units = self.flow.units(link);
                self.carrying.retain(|&(.., carrying)| carrying != link);
                if units != 0 {
                    let (low, high) = query.graph.ends(link);
                    let (from, to) = if units > 0 { (low, high) } else { (high, low) };
                    self.carrying.push((from, to, link));
                }
            }
            at = from;
        }
    }

    /// Dijkstra over reduced costs; leaves `parent`, and in `settled` whatever is nearer than the goal.
    fn search(&mut self, query: &Query<'_>) -> Option<Weight> {
        let Query { graph, to_root, seed, .. } = *query;
        let Self { flow, shift, distance, parent, round, settled, heap, now, .. } = self;
        let potential = |state: u32| {
            let there = to_root[R::switch(state) as usize];
            Weight::from(there) * graph.unit + shift[state as usize]
        };
        let (start, goal) = (R::start(query.start), R::goal(query.root));
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
            let leaving = here - potential(at);
            flow.steps(graph, at, |step| {
                let tie = if step.link == Step::INSIDE { 0 } else { graph.tie(seed, step.link) };
                let there =
                    leaving + step.base + Weight::from(step.sign) * Weight::from(tie) + potential(step.to);
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

    /// Raises the potential of the start and lowers the root's as far as no reduced cost becomes negative. Where
    /// all links of an end are shared already the next path must pay for that, and now has.
    fn raise_ends(&mut self, query: &Query<'_>) {
        if !R::IS_BY_SWITCH {
            return;
        }
        let Query { graph, seed, start, root, .. } = *query;
        let tie = |step: Step| Weight::from(step.sign) * Weight::from(graph.tie(seed, step.link));
        let mut least = Weight::MAX;
        self.flow.steps(graph, start, |step| least = least.min(self.reduced(query, start, step) + tie(step)));
        self.shift[start as usize] += least;
        least = Weight::MAX;
        self.flow.steps_into(graph, root, |from, step| {
            least = least.min(self.reduced(query, from, step) + tie(step))
        });
        self.shift[root as usize] -= least;
        self.shifted.extend([start, root]);
        self.ends_raised = true;
    }

    /// The reduced cost of a step without its tie.
    fn reduced(&self, query: &Query<'_>, from: u32, step: Step) -> Weight {
        let away = |switch: u32| Weight::from(query.to_root[switch as usize]) * query.graph.unit;
        step.base + away(step.to) + self.shift[step.to as usize] - away(from) - self.shift[from as usize]
    }

    /// No step that [`FlowSearch::search_tight`] leaves out has a lower reduced cost: between start and root a
    /// unit, less what potentials have risen there; at the two ends as it is.
    fn limit_of_tight(&self, query: &Query<'_>) -> Weight {
        let mut limit = query.graph.unit - self.risen;
        if self.ends_raised {
            let is_tight = |from: u32, step: Step| {
                let cost = query.graph.cost(step.link);
                query.to_root[from as usize] == query.to_root[step.to as usize] + cost
            };
            let mut note = |from: u32, step: Step| {
                if step.sign > 0 && !is_tight(from, step) {
                    limit = limit.min(self.reduced(query, from, step));
                }
            };
            self.flow.steps(query.graph, query.start, |step| note(query.start, step));
            self.flow.steps_into(query.graph, query.root, note);
        }
        limit
    }

    /// The same search over the tight links and back over links with flow alone; `None` unless what it
    /// finds is certain to be the cheapest of all.
    fn search_tight(&mut self, query: &Query<'_>) -> Option<Weight> {
        let Query { graph, seed, root, start, .. } = *query;
        let limit = R::IS_BY_SWITCH.then(|| self.limit_of_tight(query)).filter(|limit| *limit > 0)?;
        self.now += 1;
        self.settled.clear();
        self.near.clear();
        (self.round[start as usize], self.distance[start as usize]) = (self.now, 0);
        self.near.push(Reverse(u128::from(start)));
        while let Some(Reverse(key)) = self.near.pop() {
            let (here, at) = ((key >> 32) as Weight, key as u32);
            if here >= limit {
                return None;
            }
            if at == root {
                return Some(here);
            }
            if here > self.distance[at as usize] {
                continue;
            }
            self.settled.push(at);
            let Self { tight, flow, shift, distance, parent, round, near, now, carrying, .. } = self;
            let leaving = here - shift[at as usize];
            let mut reach = |to: u32, link: u32, there: Weight| {
                if there < limit && (round[to as usize] != *now || there < distance[to as usize]) {
                    round[to as usize] = *now;
                    distance[to as usize] = there;
                    parent[to as usize] = (at, link);
                    near.push(Reverse((there as u128) << 32 | u128::from(to)));
                }
            };
            for &TightArc { to, link, hash } in tight.arcs(at) {
                let units = flow.units(link);
                let units = if at < to { units } else { -units };
                if units >= 0 {
                    let shared = if units == 0 { 0 } else { Weight::from(units) * graph.link_share };
                    reach(to, link, leaving + shared + shift[to as usize] + Weight::from(seed.tie(hash)));
                }
            }
            for &(to, _, link) in carrying.iter().filter(|&&(_, to, _)| to == at) {
                let units = Weight::from(flow.units(link).abs());
                let away =
                    Weight::from(query.to_root[to as usize]) - Weight::from(query.to_root[at as usize]);
                let back =
                    (away - Weight::from(graph.cost(link))) * graph.unit - (units - 1) * graph.link_share;
                reach(to, link, leaving + back + shift[to as usize] - Weight::from(graph.tie(seed, link)));
            }
        }
        None
    }

    /// The links that carry the flow.
    fn used(&mut self, graph: &Graph) -> Vec<Used> {
        self.touched.sort_unstable();
        self.touched.dedup();
        (self.touched.iter())
            .filter_map(|&link| {
                let units = self.flow.units(link);
                let (low, high) = graph.ends(link);
                let (from, to) = if units > 0 { (low, high) } else { (high, low) };
                (units != 0).then_some(Used { from, to, link, units: units.unsigned_abs() })
            })
            .collect()
    }
}
