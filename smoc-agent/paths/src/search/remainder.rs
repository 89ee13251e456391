//! What is left of a flow while paths are taken out of it.
//!
//! An optimal flow has no cycles, so each choice is a shortest path in a directed acyclic graph of at most
//! k times path-length links.

use super::graph::Weight;
use super::query::Used;
use super::reduced::{Network, Reduced};
use super::share::Shares;

const UNREACHED: Weight = Weight::MAX / 4;

/// What is left of a flow from `start` to `root`; its switches are numbered from 0. The memory is that of the next flow.
#[derive(Default)]
pub(super) struct Remainder {
    /// What the switches are called outside, and what those that are met here are called here.
    switches: Vec<u32>,
    number: Vec<u32>,
    /// Sorted by first switch, then link.
    arcs: Vec<Used>,
    /// Cost and tie of each arc.
    lengths: Vec<Weight>,
    /// Of each arc, sharing included, as [`Remainder::weigh`] last saw it.
    weights: Vec<Weight>,
    /// The arcs of switch s are `first[s]..first[s + 1]`.
    first: Vec<usize>,
    /// Switches, each after all that it leads to.
    order: Vec<usize>,
    /// Weight of the best way to the root, [`UNREACHED`] if there is none, and the arc by which it begins.
    best: Vec<(Weight, usize)>,
    start: usize,
    root: usize,
    /// The arcs into each switch that are not sorted yet.
    arriving: Vec<u32>,
    ways: Vec<WayOff>,
    same: Vec<usize>,
}

/// A path that follows a ranked one for `depth` links, then takes `arc` and from there the best way.
struct WayOff {
    weight: Weight,
    path: usize,
    depth: usize,
    arc: usize,
}

impl Remainder {
    /// All of a flow.
    pub fn begin(&mut self, network: &Reduced, flow: &[Used]) {
        let (start, root) = network.ends();
        let Self { switches, number, arcs, lengths, weights, first, best, .. } = self;
        switches.clear();
        switches.extend([start, root]);
        switches.extend(flow.iter().flat_map(|arc| [arc.from, arc.to]));
        switches.sort_unstable();
        switches.dedup();
        number.resize(number.len().max(network.len()), 0);
        for (here, &switch) in (0..).zip(&*switches) {
            number[switch as usize] = here;
        }
        let local = |switch: u32| number[switch as usize];
        arcs.clear();
        arcs.extend(flow.iter().map(|arc| Used { from: local(arc.from), to: local(arc.to), ..*arc }));
        arcs.sort_unstable_by_key(|arc| (arc.from, arc.link));
        first.clear();
        first.resize(switches.len() + 1, 0);
        arcs.iter().for_each(|arc| first[arc.from as usize + 1] += 1);
        for switch in 0..switches.len() {
            first[switch + 1] += first[switch];
        }
        lengths.clear();
        lengths.extend(arcs.iter().map(|arc| network.weight(arc.link)));
        weights.clear();
        weights.resize(arcs.len(), 0);
        best.clear();
        best.resize(switches.len(), (UNREACHED, 0));
        (self.start, self.root) = (local(start) as usize, local(root) as usize);
        self.sort();
    }

    /// Sorts the switches, each after all that it leads to (Kahn 1962, from the start on; then reversed).
    fn sort(&mut self) {
        let Self { switches, arcs, first, order, start, arriving, .. } = self;
        arriving.clear();
        arriving.resize(switches.len(), 0);
        arcs.iter().for_each(|arc| arriving[arc.to as usize] += 1);
        order.clear();
        order.push(*start);
        let mut next = 0;
        while next < order.len() {
            for arc in &arcs[first[order[next]]..first[order[next] + 1]] {
                arriving[arc.to as usize] -= 1;
                if arriving[arc.to as usize] == 0 {
                    order.push(arc.to as usize);
                }
            }
            next += 1;
        }
        order.reverse();
    }

    fn leaving(&self, at: usize) -> impl Iterator<Item = usize> {
        (self.first[at]..self.first[at + 1]).filter(|&i| self.arcs[i].units > 0)
    }

    /// Weighs what is left against the paths ranked so far.
    fn weigh(&mut self, network: &Reduced, shares: &Shares) {
        for (arc, (length, weight)) in self.arcs.iter().zip(self.lengths.iter().zip(&mut self.weights)) {
            *weight = length + network.again(shares, arc.link, self.switches[arc.to as usize]);
        }
        self.settle();
    }

    /// The best ways by the weights as they are.
    fn settle(&mut self) {
        let Self { order, first, arcs, weights, best, root, .. } = self;
        for &at in &*order {
            let mut least = (if at == *root { 0 } else { UNREACHED }, 0);
            for i in first[at]..first[at + 1] {
                let weight = weights[i] + best[arcs[i].to as usize].0;
                if arcs[i].units > 0 && weight < least.0 {
                    least = (weight, i);
                }
            }
            best[at] = least;
        }
    }

    fn weight_from(&self, at: u32) -> Option<Weight> {
        self.reached(at as usize).map(|(weight, _)| weight)
    }

    fn reached(&self, at: usize) -> Option<(Weight, usize)> {
        Some(self.best[at]).filter(|(weight, _)| *weight < UNREACHED)
    }

    fn cheapest_from(&self, mut at: usize) -> Option<Vec<u32>> {
        let mut links = Vec::new();
        while at != self.root {
            let (_, i) = self.reached(at)?;
            links.push(self.arcs[i].link);
            at = self.arcs[i].to as usize;
        }
        Some(links)
    }

    /// The path, none of those `ranked`, that shares the least with what was added to `shares`, then costs the least.
    pub fn best(&mut self, network: &Reduced, shares: &Shares, ranked: &[Vec<u32>]) -> Option<Vec<u32>> {
        self.weigh(network, shares);
        self.new_path(ranked)
    }

    /// The lightest two paths as a flow: two successive shortest paths, the second by Bellman and Ford (1956, 1958).
    pub fn lightest_pair(&mut self, network: &Reduced) -> Option<Vec<Used>> {
        self.weights.clone_from(&self.lengths);
        self.settle();
        let mut taken = vec![0u32; self.arcs.len()];
        let mut at = self.start;
        while at != self.root {
            let (_, i) = self.reached(at)?;
            taken[i] = 1;
            at = self.arcs[i].to as usize;
        }
        let mut last: Vec<Option<(Weight, usize, bool)>> = vec![None; self.switches.len()];
        last[self.start] = Some((0, usize::MAX, true));
        let mut is_changing = true;
        while is_changing {
            is_changing = false;
            for (i, arc) in self.arcs.iter().enumerate() {
                let again = Weight::from(taken[i]) * network.share(arc.link);
                let forward =
                    (arc.units > taken[i]).then_some((arc.from, arc.to, self.lengths[i] + again, true));
                let back = (taken[i] > 0).then_some((arc.to, arc.from, -self.lengths[i], false));
                for (from, to, weight, is_forward) in forward.into_iter().chain(back) {
                    let Some((here, ..)) = last[from as usize] else { continue };
                    if last[to as usize].is_none_or(|(there, ..)| here + weight < there) {
                        last[to as usize] = Some((here + weight, i, is_forward));
                        is_changing = true;
                    }
                }
            }
        }
        let mut at = self.root;
        while at != self.start {
            let (_, i, is_forward) = last[at]?;
            taken[i] = if is_forward { taken[i] + 1 } else { taken[i] - 1 };
            at = if is_forward { self.arcs[i].from } else { self.arcs[i].to } as usize;
        }
        let name = |switch: u32| self.switches[switch as usize];
        let used =
            |(arc, units): (&Used, u32)| Used { from: name(arc.from), to: name(arc.to), units, ..*arc };
        Some(self.arcs.iter().zip(taken).filter(|(_, units)| *units > 0).map(used).collect())
    }

    /// The best way from start to root that is none of `ranked` paths.
    fn new_path(&mut self, ranked: &[Vec<u32>]) -> Option<Vec<u32>> {
        if ranked.is_empty() {
            return self.cheapest_from(self.start);
        }
        let (mut ways, mut same) = (std::mem::take(&mut self.ways), std::mem::take(&mut self.same));
        ways.clear();
        for path in 0..ranked.len() {
            self.ways_off(path, ranked, &mut same, &mut ways);
        }
        let least = ways.iter().map(|way| way.weight).min();
        let links = |way: &WayOff| {
            let arc = &self.arcs[way.arc];
            let rest = self.cheapest_from(arc.to as usize)?;
            Some([&ranked[way.path][..way.depth], &[arc.link], &rest].concat())
        };
        let best = ways.iter().filter(|way| Some(way.weight) == least).filter_map(links).min();
        (self.ways, self.same) = (ways, same);
        best
    }

    /// The ways that follow a ranked path, as far as that is left, and leave it together with all ranked paths that
    /// have come the same way; without those that such a path of better rank has as well.
    fn ways_off(&self, path: usize, ranked: &[Vec<u32>], same: &mut Vec<usize>, ways: &mut Vec<WayOff>) {
        same.clear();
        same.extend(0..ranked.len());
        let (mut at, mut before) = (self.start, 0);
        for (depth, &link) in ranked[path].iter().enumerate() {
            let is_new = |arc: &Used| same.iter().all(|&other| ranked[other][depth] != arc.link);
            for i in self.leaving(at).filter(|&i| same[0] == path && is_new(&self.arcs[i])) {
                if let Some(rest) = self.weight_from(self.arcs[i].to) {
                    ways.push(WayOff { weight: before + self.weights[i] + rest, path, depth, arc: i });
                }
            }
            let Some(i) = self.leaving(at).find(|&i| self.arcs[i].link == link) else { break };
            before += self.weights[i];
            at = self.arcs[i].to as usize;
            same.retain(|&other| ranked[other][depth] == link);
        }
    }

    /// Takes a unit of each link of a path.
    pub fn remove(&mut self, links: &[u32]) {
        let mut at = self.start;
        for &link in links {
            let leaving = &mut self.arcs[self.first[at]..self.first[at + 1]];
            let Some(arc) = leaving.iter_mut().find(|arc| arc.link == link) else { return };
            arc.units -= 1;
            at = arc.to as usize;
        }
    }
}
