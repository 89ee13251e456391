//! All ranked paths from one switch, kept up to date as links fail and return.
//!
//! Because the optimum is unique (see [`super::graph`]) a failed link concerns exactly the pairs whose paths
//! use it. A link that returns can only concern a pair if the cheapest way through it could be part of a
//! better answer; [`Table::update`] recomputes the pairs for which a lower bound does not rule that out.
//!
//! * *Cost and sharing.* The cheapest path through the link must be cheap enough, or there must be sharing to
//!   get rid of.
//! * *Ties*, where all ranks are shortest paths, as in a fabric, and share nothing. `shortest` and `smoc` list paths by
//!   tie, so the least tie of a shortest path through the link must be below the last rank's. `diverse` is
//!   *separable* if it consists of the best path of each of k first links (at the target). k paths that share nothing have
//!   k different first links, so they weigh at least as much as the k best of all those best paths; a separable answer
//!   reaches this bound. It still does when the link is back, unless a path through the link is better than the rank
//!   with the same first link or, with another first link, better than the worst rank. Failures of other links
//!   only raise the bound, so an answer stays separable until it is replaced.
//!
//! With policy `diverse` and shared-risk groups there is no such certainty: every pair is recomputed. So is every
//! pair of which `max_stretch` may have dropped a path, which is not known any more but decides what comes next.

use std::collections::HashSet;

use super::diverse::Query;
use super::tight::{Tight, TightSearch};
use super::{Path, PathFinder, Policy, Protect, Source};
use crate::topology::{LinkId, SwitchId};

/// Ranked paths from one switch to others.
#[derive(Clone, Debug)]
pub struct Table {
    from: SwitchId,
    rows: Vec<(SwitchId, Vec<Path>)>,
    /// Of each row; `false` if it is not known.
    separable: Vec<bool>,
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        (self.from, &self.rows) == (other.from, &other.rows)
    }
}

impl Table {
    /// Computes the paths to every one of `targets` other than `from`.
    pub fn new(finder: &PathFinder<'_>, from: SwitchId, targets: &[SwitchId]) -> Self {
        let mut source = finder.source(from);
        let others = targets.iter().filter(|&&to| to != from);
        let (rows, separable) = others.map(|&to| ((to, source.to(to)), source.searches.separable)).unzip();
        Self { from, rows, separable }
    }

    /// Each other switch and the ranked paths to it, in the order of the targets.
    pub fn rows(&self) -> &[(SwitchId, Vec<Path>)] {
        &self.rows
    }

    /// Recomputes what a change concerns. `finder` sees the links as they are now; `failed` and `returned`
    /// are those that have changed since the table was computed. Afterwards the table is what
    /// [`Table::new`] would give.
    ///
    /// Returns the switches to which paths have changed.
    pub fn update(
        &mut self,
        finder: &PathFinder<'_>,
        failed: &HashSet<LinkId>,
        returned: &HashSet<LinkId>,
    ) -> Vec<SwitchId> {
        let failed = super::marks(finder.topology, failed);
        let mut source: Option<Source<'_>> = None;
        let mut back = (!returned.is_empty()).then(|| Returned::new(finder, self.from, returned));
        let may_have_dropped = finder.options.max_stretch.is_some();
        let mut changed = Vec::new();
        for ((to, paths), separable) in self.rows.iter_mut().zip(&mut self.separable) {
            let concerned = finder.heeds_groups()
                || (may_have_dropped && paths.len() < finder.options.count)
                || paths.iter().any(|path| path.links.iter().any(|link| failed[link.index()]))
                || back.as_mut().is_some_and(|back| back.could_improve(*to, paths, *separable));
            if concerned {
                let source = source.get_or_insert_with(|| finder.source(self.from));
                let now = source.to(*to);
                *separable = source.searches.separable;
                if now != *paths {
                    *paths = now;
                    changed.push(*to);
                }
            }
        }
        changed
    }
}

/// Links that are back, as seen from one switch.
struct Returned<'a> {
    finder: &'a PathFinder<'a>,
    from: SwitchId,
    /// Cost of the cheapest path between `from` and each switch.
    distances: Vec<u64>,
    ways: Vec<Through>,
    tight: Tight,
    search: TightSearch,
}

/// The ways through one link.
struct Through {
    link: LinkId,
    /// Its ends, and the cost of the cheapest path from each to every switch.
    ends: [(SwitchId, Vec<u64>); 2],
}

impl<'a> Returned<'a> {
    fn new(finder: &'a PathFinder<'a>, from: SwitchId, returned: &HashSet<LinkId>) -> Self {
        let graph = &finder.graph;
        let through = |&link: &LinkId| {
            let (low, high) = graph.ends(link.0);
            Through { link, ends: [low, high].map(|end| (SwitchId(end), graph.distances(SwitchId(end)))) }
        };
        let distances = graph.distances(from);
        Self {
            finder,
            from,
            ways: returned.iter().map(through).collect(),
            tight: Tight::new(graph, &distances),
            search: TightSearch::new(graph.len()),
            distances,
        }
    }

    /// No path to `to` through the link costs less.
    fn least(&self, way: &Through, to: SwitchId) -> u64 {
        let [(_, low), (_, high)] = &way.ends;
        let there_and_on = [(low, high), (high, low)].map(|(there, on)| {
            there[self.from.index()].saturating_add(self.finder.cost(way.link)).saturating_add(on[to.index()])
        });
        there_and_on[0].min(there_and_on[1])
    }

    /// Whether a path through one of the links could change the answer `paths`.
    fn could_improve(&mut self, to: SwitchId, paths: &[Path], separable: bool) -> bool {
        let least = self.ways.iter().map(|way| self.least(way, to)).min().unwrap_or(u64::MAX);
        if least == u64::MAX {
            return false;
        }
        let (finder, shortest) = (self.finder, self.distances[to.index()]);
        let count = finder.options.count;
        let Some(last) = paths.last().filter(|_| paths.len() == count) else { return true };
        let ties_decide = least == shortest && paths.iter().all(|path| path.cost == shortest);
        match finder.options.policy {
            Policy::Shortest if ties_decide => self.could_improve_ties(to, paths),
            Policy::Shortest => least <= last.cost,
            Policy::Smoc => {
                let (links, switches) = sharings(finder, &[&paths[0], last]);
                if count > 1 && links + switches > 0 {
                    return true;
                }
                if ties_decide { self.could_improve_ties(to, paths) } else { least <= last.cost }
            }
            Policy::Diverse if ties_decide && separable => self.could_improve_ties(to, paths),
            Policy::Diverse => {
                let (links, switches) = sharings(finder, &paths.iter().collect::<Vec<_>>());
                let total: u64 = paths.iter().map(|path| path.cost).sum();
                let with_it = shortest.saturating_mul(count as u64 - 1).saturating_add(least);
                with_it <= total || switches > 0 || links > unavoidable(finder, last)
            }
        }
    }

    /// Whether the ties of a shortest path through one of the links are below those of the worst of `paths`, or with
    /// `diverse` of the one that has the same first link.
    fn could_improve_ties(&mut self, to: SwitchId, paths: &[Path]) -> bool {
        let graph = &self.finder.graph;
        let seed = graph.seed(self.from, to);
        let ties: Vec<u64> =
            paths.iter().map(|path| path.links.iter().map(|link| graph.tie(seed, link.0)).sum()).collect();
        let worst = ties.iter().copied().max().unwrap_or(u64::MAX);
        let diverse = self.finder.options.policy == Policy::Diverse;
        let limit = |first: u32| {
            let same = paths.iter().position(|path| diverse && path.links.last() == Some(&LinkId(first)));
            same.map_or(worst, |rank| ties[rank])
        };
        (0..self.ways.len())
            .any(|way| self.ties_through(way, to).into_iter().any(|(first, ties)| ties < limit(first)))
    }

    /// The first links, at `to`, of the shortest paths through a link, and the least ties of such a path.
    fn ties_through(&mut self, way: usize, to: SwitchId) -> Vec<(u32, u64)> {
        let Self { finder, from, distances, ways, tight, search } = self;
        let (graph, Through { link, ends }) = (&finder.graph, &ways[way]);
        let seed = graph.seed(*from, to);
        let distance = |switch: SwitchId| distances[switch.index()];
        let (near, far) = if distance(ends[0].0) < distance(ends[1].0) { (0, 1) } else { (1, 0) };
        let ((near, _), (far, to_far)) = (&ends[near], &ends[far]);
        let towards_far = |at: SwitchId| to_far[at.index()].checked_add(distance(*far)) == Some(distance(at));
        let leads_on = distance(*near).checked_add(graph.cost(link.0)) == Some(distance(*far));
        if !leads_on || !towards_far(to) {
            return Vec::new();
        }
        let query = Query { graph, to_root: distances, start: near.0, root: from.0, seed };
        search.weigh_ways(&query, tight, |_, _| true);
        let behind = search.starts(near.0).map(|(_, ties)| ties).min().unwrap_or(0);
        let behind = behind + graph.tie(seed, link.0);
        if to == *far {
            return vec![(link.0, behind)];
        }
        search.weigh_ways(&Query { start: to.0, root: far.0, ..query }, tight, |at, _| {
            towards_far(SwitchId(at))
        });
        search.starts(to.0).map(|(first, ties)| (first, ties + behind)).collect()
    }
}

/// How often links (and links of one group), and under `protect: node` transit switches, are shared between two of these.
fn sharings(finder: &PathFinder<'_>, paths: &[&Path]) -> (usize, usize) {
    let topology = finder.topology;
    let pairs = |mut used: Vec<u64>| {
        used.sort_unstable();
        used.chunk_by(|a, b| a == b).map(|same| same.len() * (same.len() - 1) / 2).sum::<usize>()
    };
    let links = paths.iter().flat_map(|path| &path.links);
    let groups =
        links.clone().flat_map(|&link| &topology.link(link).srlg).map(|group| u64::from(group.0) << 32);
    let switches = match finder.options.protect {
        Protect::Link => Vec::new(),
        Protect::Node => {
            let transit = paths.iter().flat_map(|path| &path.switches[1..path.switches.len() - 1]);
            transit.map(|switch| u64::from(switch.0)).collect()
        }
    };
    (pairs(groups.chain(links.map(|link| u64::from(link.0) << 1 | 1)).collect()), pairs(switches))
}

/// How often the links of a path's two end switches must be shared by as many paths as are asked for.
fn unavoidable(finder: &PathFinder<'_>, path: &Path) -> usize {
    let crowd = |switch: SwitchId| {
        let links = finder.graph.arcs(switch.0).len();
        let (each, more) = (finder.options.count / links, finder.options.count % links);
        more * each + links * each * each.saturating_sub(1) / 2
    };
    let (first, last) = (path.switches[0], path.switches[path.switches.len() - 1]);
    let adjacent = finder.graph.arcs(first.0).iter().any(|arc| arc.to == last.0);
    if adjacent { crowd(first).max(crowd(last)) } else { crowd(first) + crowd(last) }
}
