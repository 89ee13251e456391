//! Taking an optimal flow apart into ranked paths.
//!
//! Many sets of paths can make up one flow. The rule: rank 0 is the cheapest path of the flow; then again
//! and again, of all paths that what is left of the flow still contains, the one that was not ranked yet,
//! shares the fewest links with those ranked, then (under `protect: node`) the fewest transit switches, then is the
//! cheapest, then has the least tie. That is the order that the policy asks for, and since each path is chosen among
//! all that are left, no other set from the same flow starts better. Only when nothing but ranked paths is left
//! one of them comes again, and is dropped.
//!
//! An optimal flow has no cycles, so each choice is a shortest path in a directed acyclic graph of at most
//! k times path-length links.

use super::diverse::{Query, Used};
use super::graph::Weight;
use super::share::Shares;

/// The distinct paths of a flow from `start` to `root`, in their ranks' order, as lists of links.
pub(super) fn peel(
    query: &Query<'_>,
    used: Vec<Used>,
    count: usize,
    shares: &mut Shares<'_>,
) -> Vec<Vec<u32>> {
    let mut left = Remainder::new(query, used);
    let mut ranked: Vec<Vec<u32>> = Vec::with_capacity(count);
    shares.clear();
    for _ in 0..count {
        left.weigh(query, shares);
        if let Some(links) = left.new_path(&ranked) {
            left.remove(&links);
            shares.add(query, &links);
            ranked.push(links);
        } else if let Some(links) = left.cheapest_from(left.start) {
            left.remove(&links);
        } else {
            break;
        }
    }
    ranked
}

/// What is left of a flow; its switches are numbered from 0.
struct Remainder {
    /// What the switches are called outside.
    switches: Vec<u32>,
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
    /// Weight of the best way to the root, and the arc by which it begins.
    best: Vec<Option<(Weight, usize)>>,
    start: usize,
    root: usize,
}

/// A path that follows a ranked one for `depth` links, then takes `arc` and from there the best way.
struct WayOff {
    weight: Weight,
    path: usize,
    depth: usize,
    arc: usize,
}

impl Remainder {
    fn new(query: &Query<'_>, mut arcs: Vec<Used>) -> Self {
        let Query { start, root, .. } = *query;
        let mut switches = vec![start, root];
        switches.extend(arcs.iter().flat_map(|arc| [arc.from, arc.to]));
        switches.sort_unstable();
        switches.dedup();
        let local = |switch| switches.partition_point(|&s| s < switch);
        for arc in &mut arcs {
            (arc.from, arc.to) = (local(arc.from) as u32, local(arc.to) as u32);
        }
        arcs.sort_unstable_by_key(|arc| (arc.from, arc.link));
        let mut left = Self {
            first: (0..=switches.len())
                .map(|s| arcs.partition_point(|arc| (arc.from as usize) < s))
                .collect(),
            lengths: arcs.iter().map(|arc| query.graph.link_weight(query.seed, arc.link)).collect(),
            weights: vec![0; arcs.len()],
            best: vec![None; switches.len()],
            order: Vec::new(),
            arcs,
            start: local(start),
            root: local(root),
            switches,
        };
        left.order = left.sorted();
        left
    }

    /// The switches, each after all that it leads to (Kahn 1962, from the start on; then reversed).
    fn sorted(&self) -> Vec<usize> {
        let mut arriving = vec![0; self.switches.len()];
        self.arcs.iter().for_each(|arc| arriving[arc.to as usize] += 1);
        let mut order = Vec::with_capacity(self.switches.len());
        order.push(self.start);
        let mut next = 0;
        while next < order.len() {
            for arc in &self.arcs[self.first[order[next]]..self.first[order[next] + 1]] {
                arriving[arc.to as usize] -= 1;
                if arriving[arc.to as usize] == 0 {
                    order.push(arc.to as usize);
                }
            }
            next += 1;
        }
        order.reverse();
        order
    }

    fn leaving(&self, at: usize) -> impl Iterator<Item = usize> {
        (self.first[at]..self.first[at + 1]).filter(|&i| self.arcs[i].units > 0)
    }

    /// Weighs what is left against the paths ranked so far.
    fn weigh(&mut self, query: &Query<'_>, shares: &Shares<'_>) {
        for (arc, (length, weight)) in self.arcs.iter().zip(self.lengths.iter().zip(&mut self.weights)) {
            *weight = length
                + shares.weight(query.graph, arc.link)
                + if arc.to as usize == self.root {
                    0
                } else {
                    shares.switch_weight(query.graph, self.switches[arc.to as usize])
                };
        }
        for position in 0..self.order.len() {
            let at = self.order[position];
            let onward = |i: usize| Some((self.weights[i] + self.weight_from(self.arcs[i].to)?, i));
            self.best[at] = self.leaving(at).filter_map(onward).min();
        }
    }

    fn weight_from(&self, at: u32) -> Option<Weight> {
        if at as usize == self.root { Some(0) } else { self.best[at as usize].map(|(weight, _)| weight) }
    }

    fn cheapest_from(&self, mut at: usize) -> Option<Vec<u32>> {
        let mut links = Vec::new();
        while at != self.root {
            let (_, i) = self.best[at]?;
            links.push(self.arcs[i].link);
            at = self.arcs[i].to as usize;
        }
        Some(links)
    }

    /// The best way from start to root that is none of `ranked` paths.
    fn new_path(&self, ranked: &[Vec<u32>]) -> Option<Vec<u32>> {
        if ranked.is_empty() {
            return self.cheapest_from(self.start);
        }
        let ways: Vec<_> = (0..ranked.len()).flat_map(|path| self.ways_off(path, ranked)).collect();
        let least = ways.iter().map(|way| way.weight).min()?;
        let links = |way: &WayOff| {
            let arc = &self.arcs[way.arc];
            let rest = self.cheapest_from(arc.to as usize)?;
            Some([&ranked[way.path][..way.depth], &[arc.link], &rest].concat())
        };
        ways.iter().filter(|way| way.weight == least).filter_map(links).min()
    }

    /// The ways that follow a ranked path, as far as that is left, and leave it together with all ranked paths that
    /// have come the same way; without those that such a path of better rank has as well.
    fn ways_off(&self, path: usize, ranked: &[Vec<u32>]) -> Vec<WayOff> {
        let mut ways = Vec::new();
        let mut same: Vec<usize> = (0..ranked.len()).collect();
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
        ways
    }

    fn remove(&mut self, links: &[u32]) {
        let mut at = self.start;
        for &link in links {
            let leaving = &mut self.arcs[self.first[at]..self.first[at + 1]];
            let Some(arc) = leaving.iter_mut().find(|arc| arc.link == link) else { return };
            arc.units -= 1;
            at = arc.to as usize;
        }
    }
}
