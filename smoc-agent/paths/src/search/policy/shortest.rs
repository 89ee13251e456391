//! Policy `shortest`: the k simple paths of least cost, in that order.

use super::ranking::Ranking;
use crate::search::graph::{Arc, Graph};
use crate::search::query::Query;
use crate::search::share::Shares;
use crate::search::spur::SpurSearch;
use crate::search::tight::{Tight, TightSearch};

/// The searches of one root.
pub(in crate::search) struct Shortest {
    pub tight: Tight,
    pub ties: TightSearch,
    pub spur: SpurSearch,
    count: usize,
}

impl Shortest {
    pub fn new(graph: &Graph, to_root: &[u64], count: usize) -> Self {
        Self {
            tight: Tight::new(graph, to_root),
            ties: TightSearch::new(graph.len()),
            spur: SpurSearch::new(graph.len()),
            count,
        }
    }

    /// So many of the shortest paths.
    pub fn best(&mut self, query: &Query<'_>, count: usize) -> Vec<Vec<u32>> {
        let ranked = self.ties.best(query, &self.tight, count, |_, _| true);
        if ranked.len() == count {
            return ranked;
        }
        let weight = |arc: &Arc| query.graph.weight(query.seed, arc.link, arc.cost);
        self.spur.k_shortest(query, count, weight)
    }
}

impl Ranking for Shortest {
    fn ranks(&mut self, query: &Query<'_>, _: &mut Shares) -> Vec<Vec<u32>> {
        self.best(query, self.count)
    }
}
