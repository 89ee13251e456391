//! Policy `widest`, for links of unequal capacity.
//!
//! Rank n is the path with the widest bottleneck in what the ranks before it have left of every link's capacity; of these
//! the one that shares the fewest links with them, then the cheapest. It then takes its bottleneck from all its links. So
//! every prefix adds as much to what a connection can reach as one more path can (the largest augmentation of Edmonds and
//! Karp, "Theoretical improvements in algorithmic efficiency for network flow problems", JACM 19, 1972, without undoing
//! what smaller connections have). The first ranks, as many as are disjoint within the links that are as wide as the widest
//! path, are those of `diverse` there: where all links are equal the disjoint ranks are those of `diverse`. Once nothing is left of
//! the capacity, always the path that shares the least follows.

use std::collections::BinaryHeap;

use super::diverse::Diverse;
use super::prefixes::{Work, extended};
use super::ranking::Ranking;
use crate::search::extension::Extension;
use crate::search::flow::Residual;
use crate::search::query::Query;
use crate::search::reduced::Reduced;
use crate::search::share::Shares;
use crate::topology::{SwitchId, Topology};

/// The searches of one root.
pub(super) struct Widest<'a, R> {
    topology: &'a Topology,
    count: usize,
    /// In bit/s, by link.
    capacities: Vec<u64>,
    network: Reduced,
    extension: Extension,
    work: Work,
    kind: std::marker::PhantomData<R>,
}

impl<'a, R: Residual> Widest<'a, R> {
    /// `capacities` in bit/s, by link.
    pub fn new(topology: &'a Topology, capacities: Vec<u64>, count: usize) -> Self {
        Self {
            topology,
            count,
            capacities,
            network: Reduced::default(),
            extension: Extension::default(),
            work: Work::new(topology, R::COUNTS_SWITCHES),
            kind: std::marker::PhantomData,
        }
    }

    /// The disjoint ones among the ranks of `diverse` over links that are at least so wide.
    fn first(&self, query: &Query<'_>, width: u64, shares: &mut Shares) -> Vec<Vec<u32>> {
        let graph = query.graph.filtered(|link| self.capacities[link as usize] >= width);
        let to_root = graph.distances(SwitchId(query.root));
        let query = Query { graph: &graph, to_root: &to_root, ..*query };
        let mut ranks = Diverse::<R>::new(self.topology, &graph, &to_root, self.count).ranks(&query, shares);
        shares.clear();
        let mut is_disjoint = |links: &Vec<u32>| {
            let is_new = !links.iter().any(|&link| shares.shared(link));
            shares.add(links, query.switches(links));
            is_new
        };
        let disjoint = ranks.iter().map_while(|links| is_disjoint(links).then_some(())).count();
        ranks.truncate(disjoint);
        ranks
    }

    /// The path over links of which at least so much is left that shares the least with those ranked.
    fn next(&mut self, query: &Query<'_>, left: &[u64], width: u64) -> Option<Vec<u32>> {
        let graph = query.graph.filtered(|link| left[link as usize] >= width);
        let to_root = graph.distances(SwitchId(query.root));
        self.network.whole(&Query { graph: &graph, to_root: &to_root, ..*query }, R::COUNTS_SWITCHES);
        self.extension.lightest(&self.network, &self.work.shares)
    }
}

impl<R: Residual> Ranking for Widest<'_, R> {
    fn ranks(&mut self, query: &Query<'_>, shares: &mut Shares) -> Vec<Vec<u32>> {
        let mut left = self.capacities.clone();
        let mut ranked: Vec<Vec<u32>> = Vec::with_capacity(self.count);
        self.work.shares.clear();
        while ranked.len() < self.count
            && let Some(width) = widest(query, &left)
        {
            let found = if ranked.is_empty() {
                self.first(query, width, shares)
            } else {
                self.next(query, &left, width).into_iter().collect()
            };
            if found.is_empty() {
                break;
            }
            for links in found {
                links.iter().for_each(|&link| left[link as usize] -= width);
                self.work.shares.add(&links, query.switches(&links));
                ranked.push(links);
            }
        }
        self.network.whole(query, R::COUNTS_SWITCHES);
        extended(&self.network, self.count, &mut self.work, ranked)
    }
}

/// The widest bottleneck of any path; `None` if nothing is left on any. As Dijkstra's search, by width.
fn widest(query: &Query<'_>, left: &[u64]) -> Option<u64> {
    let mut width = vec![0; query.graph.len()];
    let mut heap = BinaryHeap::from([(u64::MAX, query.root)]);
    while let Some((here, at)) = heap.pop() {
        if at == query.start {
            return Some(here);
        }
        if here < width[at as usize] {
            continue;
        }
        for arc in query.graph.arcs(at) {
            let there = here.min(left[arc.link as usize]);
            if there > width[arc.to as usize] {
                width[arc.to as usize] = there;
                heap.push((there, arc.to));
            }
        }
    }
    None
}
