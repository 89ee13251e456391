//! Policy `diverse`: good for every number of subflows.
//!
//! A set of k paths (the same one more than once if need be) is judged by its sharing, the sum over links of n(n-1)/2 where n
//! paths use the link (under `protect: node` then the same over transit switches), and then by its cost.
//!
//! 1. Ranks 0 and 1 are the best of all pairs of different paths: a cheapest link-disjoint pair wherever there is one.
//! 2. Each further rank adds as little sharing as any path that is not ranked yet could.
//! 3. If a set of k paths that is the best of all such sets has an order in which 1 and 2 hold, the ranks are such a set
//!    in such an order. Else each further rank is the cheapest that 2 allows.
//!
//! *1* is the min-cost flow of two units (Suurballe, "Disjoint paths in a network", Networks 4, 1974; Bhandari, "Survivable
//! Networks", 1999): it has no cycle, so it is two simple paths, and their sharing is 0 exactly if two disjoint paths exist.
//! *2* is checked rank by rank: what a rank shares is either no more than the links of both ends make unavoidable, or
//! [`Prefixes`] finds nothing better. *3* takes the optimal flow of least tie apart, always by the path that shares the
//! least; where that fails and the network is small, [`Exhaustive`] tries all orders of all sets. In larger networks a
//! good order of another set of the same weight may be missed; `docs/paths.md` says why this is hard in general, and why no
//! order can be the best for every number of subflows. With shared-risk groups, for which already 1 is NP-hard, see
//! [`groups`].

use super::exhaust::Exhaustive;
use super::groups;
use super::prefixes::{Prefixes, Remainders, Set, Work};
use super::ranking::Ranking;
use crate::search::blocks::Blocks;
use crate::search::flow::Residual;
use crate::search::graph::{Graph, Weight};
use crate::search::lightest::{Lightest, Steps};
use crate::search::optimum::{FlowSearch, Optimum};
use crate::search::query::{Query, Used};
use crate::search::reduced::{Network, Reduced};
use crate::search::share::Shares;
use crate::search::tight::Tight;
use crate::topology::Topology;

/// The searches of one root.
pub(in crate::search) struct Diverse<'a, R> {
    topology: &'a Topology,
    count: usize,
    tight: Tight,
    steps: Steps,
    lightest: Lightest,
    /// The paths of the lightest starts, as far as they share nothing.
    head: Vec<Vec<u32>>,
    blocks: Option<Blocks>,
    /// Those of the blocks in question.
    links: Vec<u32>,
    network: Reduced,
    /// The whole network, if there is little to reduce.
    dense: Option<Reduced>,
    flow: FlowSearch<R>,
    left: Remainders,
    work: Work,
}

impl<'a, R: Residual> Diverse<'a, R> {
    /// `R` says what paths should not share.
    pub fn new(topology: &'a Topology, graph: &Graph, to_root: &[u64], count: usize) -> Self {
        let tight = Tight::new(graph, to_root);
        Self {
            topology,
            count,
            steps: Steps::new(&tight, graph.len()),
            tight,
            lightest: Lightest::default(),
            head: Vec::new(),
            blocks: None,
            links: Vec::new(),
            network: Reduced::default(),
            dense: None,
            flow: FlowSearch::default(),
            left: Remainders::default(),
            work: Work::new(topology, R::COUNTS_SWITCHES),
        }
    }

    /// Looks for the `count` lightest paths that begin with different links and share nothing, lightest first: whether
    /// they are the ranks, and not a head only.
    ///
    /// Of each first link the lightest path is looked at, as far as that is a shortest one. So many paths that share
    /// nothing begin with as many links, so no such set weighs less; and each prefix is the best set of its size.
    fn is_separable(&mut self, query: &Query<'_>) -> bool {
        self.lightest.weigh(query, &self.steps);
        self.head.clear();
        let shares = &mut self.work.shares;
        shares.clear();
        while self.head.len() < self.count
            && let Some(links) = self.lightest.path(query, &self.tight, self.head.len())
        {
            let is_shared = |(&link, to): (&u32, u32)| shares.shared(link) || shares.switches(to) > 0;
            if links.iter().zip(query.switches(&links)).any(is_shared) {
                break;
            }
            shares.add(&links, query.switches(&links));
            self.head.push(links);
        }
        self.head.len() == self.count
    }

    /// The ranks where the best set consists of shortest paths that share no more than the few links of the two ends make
    /// unavoidable, as in a fabric with fewer links at an edge switch than ranks: found among shortest paths alone.
    fn of_shortest(&mut self, query: &Query<'_>) -> Option<Vec<Vec<u32>>> {
        let (graph, count) = (query.graph, self.count);
        let [from_start, to_root] = [query.start, query.root].map(|end| graph.arcs(end));
        let is_adjacent = from_start.iter().any(|arc| arc.to == query.root);
        let is_fabric = self.lightest.starts() == from_start.len() && to_root.len() > 1;
        if R::COUNTS_SWITCHES || is_adjacent || !is_fabric || count < 3 || from_start.len() < 2 {
            return None;
        }
        self.links.clear();
        self.links.extend(self.lightest.links(&self.tight));
        self.links.sort_unstable();
        self.links.dedup();
        let rest = |switch| self.lightest.rest(query, &self.tight, switch);
        self.network.make(query, &self.links, rest, false);
        if self.network.arcs(self.network.ends().1).len() != to_root.len() {
            return None;
        }
        let head = contracted(&self.network, &self.head);
        let optimum = self.flow.optimal(&self.network, count, &head);
        let mut ranking = Prefixes { network: &self.network, count, work: &mut self.work, has_all: false };
        let shortest = query.rest(query.start);
        let sharing =
            graph.link_share * (crowd(count, from_start.len()) + crowd(count, to_root.len())) as Weight;
        let is_least = |weight, paths: usize, sharing: Weight| {
            graph.untied(weight) == graph.untied(shortest * paths as Weight + sharing)
        };
        let lightest = self.network.weight_of(&optimum.pair);
        if !is_least(self.network.weight_of(&optimum.whole), count, sharing) || !is_least(lightest, 2, 0) {
            return None;
        }
        if let Some(links) = ranking.last(&head, &optimum.whole) {
            self.head.push(self.network.expand(&links));
            return Some(std::mem::take(&mut self.head));
        }
        let good = ranking.good_order(lightest, &mut self.left.flow(&self.network, &optimum))?;
        Some(ranking.expanded(good))
    }

    /// The ranks where there are no shared-risk groups.
    fn of_flow(&mut self, query: &Query<'_>) -> Vec<Vec<u32>> {
        let rest = |switch| self.lightest.rest(query, &self.tight, switch);
        let network = if is_dense(query.graph) {
            let network = self.dense.get_or_insert_with(|| {
                let mut network = Reduced::default();
                network.whole(query, R::COUNTS_SWITCHES);
                network
            });
            network.turn(query, rest);
            &*network
        } else {
            let blocks = self.blocks.get_or_insert_with(|| Blocks::new(query.graph, query.root));
            self.links.clear();
            self.links.extend(blocks.links_to(query.root, query.start));
            self.network.make(query, &self.links, rest, R::COUNTS_SWITCHES);
            &self.network
        };
        let head = contracted(network, &self.head);
        let optimum = self.flow.optimal(network, self.count, &head);
        let mut ranking = Prefixes { network, count: self.count, work: &mut self.work, has_all: true };
        if let Some(links) = ranking.last(&head, &optimum.whole) {
            self.head.push(network.expand(&links));
            return std::mem::take(&mut self.head);
        }
        let mut lightest = ranking.units(&mut self.left, &optimum.pair, self.count.min(2));
        lightest.dedup();
        if lightest.len() < 2 || self.count == 2 {
            return ranking.expanded(lightest);
        }
        let least = network.weight_of(&optimum.pair);
        let ranks = (ranking.good_order(least, &mut self.left.flow(network, &optimum)))
            .or_else(|| {
                let mut all = Exhaustive::new(network, &mut ranking.work.shares, self.count)?;
                all.order(network.untied(network.weight_of(&optimum.whole)))
            })
            .unwrap_or_else(|| ranking.extended(lightest));
        ranking.expanded(ranks)
    }

    /// The ranks where there are shared-risk groups, of which flows know nothing.
    fn of_groups(&mut self, query: &Query<'_>) -> Vec<Vec<u32>> {
        self.network.whole(query, R::COUNTS_SWITCHES);
        let Optimum { pair, whole } = self.flow.optimal(&self.network, self.count, &[]);
        let left = &mut self.left;
        let mut ranking =
            Prefixes { network: &self.network, count: self.count, work: &mut self.work, has_all: true };
        let mut improved = |ranking: &mut Prefixes<'_>, flow: &[Used], units| {
            let flow = ranking.units(left, flow, units);
            groups::improve(query, self.topology, flow, units, R::COUNTS_SWITCHES, &mut ranking.work.spur)
        };
        let (_, mut lightest) = improved(&mut ranking, &pair, self.count.min(2));
        lightest.sort_by_key(|links| query.length(links));
        if self.count == 1 {
            return lightest;
        }
        let mut all = Exhaustive::new(&self.network, &mut ranking.work.shares, self.count);
        lightest = all.as_ref().and_then(Exhaustive::pair).unwrap_or(lightest);
        if lightest.len() < 2 || self.count == 2 {
            return ranking.extended(lightest);
        }
        let (optimum, mut set) = improved(&mut ranking, &whole, self.count);
        set.sort_by_key(|links| query.length(links));
        let least = ranking.pair_weight(&lightest[0], &lightest[1]);
        ranking
            .good_order(least, &mut Set(set))
            .or_else(|| all.as_mut()?.order(self.network.untied(optimum)))
            .unwrap_or_else(|| ranking.extended(lightest))
    }
}

impl<R: Residual> Ranking for Diverse<'_, R> {
    fn ranks(&mut self, query: &Query<'_>, _: &mut Shares) -> Vec<Vec<u32>> {
        if !self.topology.srlgs().is_empty() {
            return self.of_groups(query);
        }
        if self.is_separable(query) {
            return std::mem::take(&mut self.head);
        }
        self.of_shortest(query).unwrap_or_else(|| self.of_flow(query))
    }
}

/// A head in links of a reduced network.
fn contracted(network: &Reduced, head: &[Vec<u32>]) -> Vec<Vec<u32>> {
    head.iter().map_while(|links| network.contract(links)).collect()
}

/// Whether reducing the network takes longer than it saves: at most one switch in eight has two links or fewer.
fn is_dense(graph: &Graph) -> bool {
    graph.thin_switches() * 8 <= graph.len()
}

/// How often links must be shared where so many paths leave by so many links.
fn crowd(paths: usize, links: usize) -> usize {
    let (each, more) = (paths / links, paths % links);
    more * each + links * each * each.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::flow::{LinkFlow, NodeFlow};
    use crate::search::oracle::topology;
    use crate::search::{PathFinder, PathOptions};
    use crate::topology::generate;

    /// Whether all shortcuts give the ranks that the general search gives without a head, for every so many-th pair.
    fn check<R: Residual>(topology: &Topology, count: usize, every: usize) {
        let finder = PathFinder::new(topology, &PathOptions { count, ..PathOptions::default() }).unwrap();
        let graph = &finder.graph;
        for root in topology.switch_ids() {
            let to_root = graph.distances(root);
            let mut quick = Diverse::<R>::new(topology, graph, &to_root, count);
            let mut plain = Diverse::<R>::new(topology, graph, &to_root, count);
            let mut shares = Shares::new(topology, R::COUNTS_SWITCHES);
            for start in topology.switch_ids().filter(|start| (start.index() + root.index()) % every == 0) {
                let seed = graph.seed(root, start);
                let query = Query { graph, to_root: &to_root, start: start.0, root: root.0, seed };
                if start != root && query.connected() {
                    plain.lightest.weigh(&query, &plain.steps);
                    assert_eq!(
                        quick.ranks(&query, &mut shares),
                        plain.of_flow(&query),
                        "{root:?} to {start:?}"
                    );
                }
            }
        }
    }

    fn links(switches: usize, links: usize) -> impl Strategy<Value = Vec<(usize, usize, u32, Option<u8>)>> {
        let link = (0..switches, 1..switches, 1u32..=3)
            .prop_map(move |(a, step, cost)| (a, (a + step) % switches, cost, None));
        proptest::collection::vec(link, 1..=links)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn shortcuts_give_what_the_general_search_gives(
            links in prop_oneof![links(7, 16), links(16, 40), links(30, 45)],
            count in 1usize..=8,
        ) {
            let topology = topology(&links);
            check::<LinkFlow>(&topology, count, 2);
            check::<NodeFlow>(&topology, count, 2);
        }

        #[test]
        fn shortcuts_give_it_in_fabrics_with_failures_and_wide_areas(
            seed in 0u64..1000, missing in proptest::collection::vec(0usize..1000, 0..4), count in 2usize..=8,
        ) {
            let mut fabric = generate::fat_tree(6).unwrap();
            for link in missing {
                fabric.links.remove(link % fabric.links.len());
            }
            for draft in [fabric, generate::wide_area(40, 55, seed).unwrap()] {
                check::<LinkFlow>(&draft.build().unwrap(), count, 11);
            }
        }
    }

    #[test]
    fn one_path_more_than_a_head_gives_what_the_general_search_gives() {
        let mut draft = generate::fat_tree(6).unwrap();
        let lost = draft.links.iter().position(|link| link.a.0 == "e0-0" || link.b.0 == "e0-0").unwrap();
        for lose in [false, true] {
            if lose {
                draft.links.remove(lost);
            }
            let topology = draft.clone().build().unwrap();
            for count in [3, 4] {
                check::<LinkFlow>(&topology, count, 1);
                check::<NodeFlow>(&topology, count, 2);
            }
        }
    }

    #[test]
    fn a_fabric_that_lost_an_uplink_begins_with_the_paths_by_the_others() {
        let mut draft = generate::fat_tree(8).unwrap();
        let lost = draft.links.iter().position(|link| link.a.0 == "e0-0" || link.b.0 == "e0-0").unwrap();
        draft.links.remove(lost);
        let topology = draft.build().unwrap();
        let finder = PathFinder::new(&topology, &PathOptions::default()).unwrap();
        let [root, start] = ["e0-0", "e5-1"].map(|name| topology.find_switch(name).unwrap());
        let to_root = finder.graph.distances(root);
        let mut diverse = Diverse::<LinkFlow>::new(&topology, &finder.graph, &to_root, 8);
        let seed = finder.graph.seed(root, start);
        let query = Query { graph: &finder.graph, to_root: &to_root, start: start.0, root: root.0, seed };
        assert!(!diverse.is_separable(&query));
        assert_eq!(diverse.head.len(), 3, "of four uplinks three are left");
    }
}
