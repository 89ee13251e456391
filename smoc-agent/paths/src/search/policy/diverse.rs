//! Policy `diverse`.

use super::exhaust::Exhaustive;
use super::{Ranking, groups};
use crate::search::flow::Residual;
use crate::search::graph::{Arc, Graph, Weight};
use crate::search::optimum::{FlowSearch, Optimum};
use crate::search::query::{Query, Used};
use crate::search::remainder::Remainder;
use crate::search::share::Shares;
use crate::search::spur::SpurSearch;
use crate::search::tight::Tight;
use crate::topology::Topology;

/// The searches of one root.
pub(in crate::search) struct Diverse<'a, R> {
    topology: &'a Topology,
    flow: FlowSearch<R>,
    spur: SpurSearch,
    count: usize,
}

impl<'a, R: Residual> Diverse<'a, R> {
    /// `flow` says what paths should not share.
    pub fn new(topology: &'a Topology, graph: &Graph, to_root: &[u64], flow: R, count: usize) -> Self {
        let flow = FlowSearch::new(flow, graph, Tight::new(graph, to_root));
        Self { topology, flow, spur: SpurSearch::new(graph.len()), count }
    }
}

impl<R: Residual> Ranking for Diverse<'_, R> {
    fn ranks(&mut self, query: &Query<'_>, shares: &mut Shares) -> Vec<Vec<u32>> {
        let has_groups = !self.topology.srlgs().is_empty();
        if !has_groups && let Some(ranks) = self.flow.separable(query, self.count) {
            return ranks;
        }
        let Optimum { pair, whole } = self.flow.optimal(query, self.count);
        let mut ranking = Prefixes { query, shares, count: self.count, spur: &mut self.spur };
        if has_groups {
            return ranking.with_groups(self.topology, !R::IS_BY_SWITCH, pair, whole);
        }
        let mut lightest = ranking.units(pair.clone(), self.count.min(2));
        lightest.dedup();
        if lightest.len() < 2 || self.count == 2 {
            return lightest;
        }
        let left = Remainder::new(query, whole.clone());
        let good = ranking.good_order(&lightest, &mut Flow { left, whole: &whole, pair });
        good.or_else(|| {
            let set = ranking.units(whole, self.count);
            let optimum = ranking.weight(&set);
            Exhaustive::new(query, ranking.shares, ranking.count)?.order(query.graph.untied(optimum))
        })
        .unwrap_or_else(|| ranking.extended(lightest))
    }
}

/// A set of paths out of which an order is to be made.
trait Supply {
    /// The two lightest as a pair, the lighter first.
    fn pair(&mut self, query: &Query<'_>, shares: &mut Shares) -> Option<Vec<Vec<u32>>>;
    /// Takes a path out.
    fn remove(&mut self, links: &[u32]);
    /// The path, none of those `ranked`, that shares the least with what was added to `shares`, then costs the least.
    fn best(&mut self, query: &Query<'_>, shares: &Shares, ranked: &[Vec<u32>]) -> Option<Vec<u32>>;
}

/// A flow that can be taken apart in several ways.
struct Flow<'a> {
    left: Remainder,
    whole: &'a [Used],
    /// The lightest of all pairs.
    pair: Vec<Used>,
}

impl Supply for Flow<'_> {
    fn pair(&mut self, query: &Query<'_>, shares: &mut Shares) -> Option<Vec<Vec<u32>>> {
        let within = |part: &Used| {
            self.whole
                .iter()
                .any(|used| used.link == part.link && used.units >= part.units && used.from == part.from)
        };
        let pair =
            if self.pair.iter().all(within) { self.pair.clone() } else { self.left.lightest_pair(query)? };
        shares.clear();
        let mut left = Remainder::new(query, pair);
        let first = left.best(query, shares, &[])?;
        left.remove(&first);
        let second = left.best(query, shares, &[])?;
        Some(vec![first, second])
    }

    fn remove(&mut self, links: &[u32]) {
        self.left.remove(links);
    }

    fn best(&mut self, query: &Query<'_>, shares: &Shares, ranked: &[Vec<u32>]) -> Option<Vec<u32>> {
        self.left.best(query, shares, ranked)
    }
}

/// Paths as they are, the lightest first: of pairs that weigh the same the first is taken, seen from either end.
struct Set(Vec<Vec<u32>>);

impl Supply for Set {
    fn pair(&mut self, query: &Query<'_>, shares: &mut Shares) -> Option<Vec<Vec<u32>>> {
        let Self(paths) = self;
        let pairs = (0..paths.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let (a, b) = pairs.min_by_key(|&(a, b)| pair_weight(query, shares, &paths[a], &paths[b]))?;
        let mut pair = vec![paths[a].clone(), paths[b].clone()];
        pair.sort_by_key(|links| query.length(links));
        Some(pair)
    }

    fn remove(&mut self, links: &[u32]) {
        self.0.retain(|path| path != links);
    }

    fn best(&mut self, query: &Query<'_>, shares: &Shares, _: &[Vec<u32>]) -> Option<Vec<u32>> {
        self.0.iter().min_by_key(|links| shares.of(query, links) + query.length(links)).cloned()
    }
}

/// What two paths weigh together.
fn pair_weight(query: &Query<'_>, shares: &mut Shares, a: &[u32], b: &[u32]) -> Weight {
    shares.clear();
    shares.add(query, a);
    query.length(a) + query.length(b) + shares.of(query, b)
}

/// Ranks path by path.
struct Prefixes<'a> {
    query: &'a Query<'a>,
    shares: &'a mut Shares,
    spur: &'a mut SpurSearch,
    count: usize,
}

impl Prefixes<'_> {
    /// The paths of a flow of so many units: always the one that shares the least with those before, then is the
    /// cheapest. Only when nothing but these is left one of them comes again.
    fn units(&mut self, flow: Vec<Used>, units: usize) -> Vec<Vec<u32>> {
        let mut left = Remainder::new(self.query, flow);
        let mut paths: Vec<Vec<u32>> = Vec::with_capacity(units);
        self.shares.clear();
        while paths.len() < units {
            let Some(links) = left
                .best(self.query, self.shares, &paths)
                .or_else(|| left.best(self.query, self.shares, &[]))
            else {
                break;
            };
            left.remove(&links);
            self.shares.add(self.query, &links);
            paths.push(links);
        }
        paths
    }

    /// What a set of paths weighs.
    fn weight(&mut self, set: &[Vec<u32>]) -> Weight {
        self.shares.clear();
        let mut weight = 0;
        for links in set {
            weight += self.query.length(links) + self.shares.of(self.query, links);
            self.shares.add(self.query, links);
        }
        weight
    }

    /// The ranks where there are shared-risk groups, of which flows know nothing.
    fn with_groups(
        &mut self,
        topology: &Topology,
        switches_count: bool,
        pair: Vec<Used>,
        whole: Vec<Used>,
    ) -> Vec<Vec<u32>> {
        let improved = |this: &mut Self, flow, units| {
            let flow = this.units(flow, units);
            groups::improve(this.query, topology, flow, units, switches_count, this.spur)
        };
        let (_, mut lightest) = improved(self, pair, self.count.min(2));
        lightest.sort_by_key(|links| self.query.length(links));
        if self.count == 1 {
            return lightest;
        }
        let mut all = Exhaustive::new(self.query, self.shares, self.count);
        lightest = all.as_ref().and_then(Exhaustive::pair).unwrap_or(lightest);
        if lightest.len() < 2 || self.count == 2 {
            return self.extended(lightest);
        }
        let (optimum, mut set) = improved(self, whole, self.count);
        set.sort_by_key(|links| self.query.length(links));
        self.good_order(&lightest, &mut Set(set))
            .or_else(|| all.as_mut()?.order(self.query.graph.untied(optimum)))
            .unwrap_or_else(|| self.extended(lightest))
    }

    /// Begins with two paths.
    fn begin(&mut self, pair: &[Vec<u32>]) {
        self.shares.clear();
        pair.iter().for_each(|links| self.shares.add(self.query, links));
    }

    /// An order of the paths supplied of which every prefix is as good as can be; `lightest` is the lightest of all pairs.
    fn good_order(&mut self, lightest: &[Vec<u32>], supply: &mut impl Supply) -> Option<Vec<Vec<u32>>> {
        let graph = self.query.graph;
        let mut ranked = supply.pair(self.query, self.shares)?;
        let weight = |shares: &mut Shares, pair: &[Vec<u32>]| {
            graph.untied(pair_weight(self.query, shares, &pair[0], &pair[1]))
        };
        if weight(self.shares, &ranked) > weight(self.shares, lightest) {
            return None;
        }
        self.begin(&ranked);
        ranked.iter().for_each(|links| supply.remove(links));
        while ranked.len() < self.count
            && let Some(links) = supply.best(self.query, self.shares, &ranked)
        {
            let shared = graph.sharing(self.shares.of(self.query, &links));
            if shared > 0 {
                let extension = self.extension(&ranked)?;
                if shared > graph.sharing(self.shares.of(self.query, &extension)) {
                    return None;
                }
            }
            supply.remove(&links);
            self.shares.add(self.query, &links);
            ranked.push(links);
        }
        Some(ranked)
    }

    /// Of all paths that are not ranked yet the one that shares the least with those that are, then is the cheapest.
    fn extension(&mut self, ranked: &[Vec<u32>]) -> Option<Vec<u32>> {
        let Self { query, shares, spur, .. } = self;
        let weight = |arc: &Arc| {
            query.graph.weight(query.seed, arc.link, arc.cost) + shares.weight(query.graph, arc.link, arc.to)
        };
        spur.lightest_new(query, ranked, weight)
    }

    /// A pair, and always the best extension.
    fn extended(&mut self, mut ranked: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
        self.begin(&ranked);
        while ranked.len() < self.count
            && let Some(links) = self.extension(&ranked)
        {
            self.shares.add(self.query, &links);
            ranked.push(links);
        }
        ranked
    }
}
