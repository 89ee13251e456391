//! Policy `smoc`, the original ranking: the shortest path, then the k-1 best others under (links shared with it, cost).

use super::ranking::Ranking;
use super::shortest::Shortest;
use crate::search::graph::{Arc, Graph, Weight};
use crate::search::query::Query;
use crate::search::share::Shares;

/// The searches of one root.
pub(super) struct Smoc {
    shortest: Shortest,
    count: usize,
}

impl Smoc {
    pub fn new(graph: &Graph, to_root: &[u64], count: usize) -> Self {
        Self { shortest: Shortest::new(graph, to_root, count), count }
    }
}

impl Ranking for Smoc {
    fn ranks(&mut self, query: &Query<'_>, shares: &mut Shares) -> Vec<Vec<u32>> {
        let Self { ref mut shortest, count } = *self;
        let mut ranked = shortest.best(query, 1);
        let Some(first) = ranked.first().cloned().filter(|_| count > 1) else { return ranked };
        shares.clear();
        shares.add(&first, query.switches(&first));
        let share = |to: u32, link: u32| {
            Weight::from(shares.links(link).min(1)) * query.graph.link_share
                + Weight::from(shares.switches(to)) * query.graph.switch_share
        };
        let allowed = |to: u32, link: u32| share(to, link) == 0;
        let others = shortest.ties.best(query, &shortest.tight, count - 1, allowed);
        if others.len() == count - 1 {
            ranked.extend(others);
            return ranked;
        }
        let weight = |arc: &Arc| query.graph.weight(query.seed, arc.link, arc.cost) + share(arc.to, arc.link);
        let others = shortest.spur.k_shortest(query, count, weight);
        ranked.extend(others.into_iter().filter(|links| *links != first).take(count - 1));
        ranked
    }
}
