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
//! [`Extension`] finds nothing better. *3* takes the optimal flow of least tie apart, always by the path that shares the
//! least; where that fails and the network is small, [`Exhaustive`] tries all orders of all sets. In larger networks a
//! good order of another set of the same weight may be missed; `docs/paths.md` says why this is hard in general, and why no
//! order can be the best for every number of subflows. With shared-risk groups, for which already 1 is NP-hard, see
//! [`groups`].

use super::exhaust::Exhaustive;
use super::groups;
use super::ranking::Ranking;
use crate::search::blocks::Blocks;
use crate::search::deviation::Deviation;
use crate::search::extension::Extension;
use crate::search::flow::Residual;
use crate::search::graph::{Graph, Weight};
use crate::search::lightest::{Lightest, Steps};
use crate::search::optimum::{FlowSearch, Optimum};
use crate::search::query::{Query, Used};
use crate::search::reduced::{Network, Reduced};
use crate::search::remainder::Remainder;
use crate::search::share::Shares;
use crate::search::spur::SpurSearch;
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
    work: Work,
}

/// What ranking needs beside the network.
pub(super) struct Work {
    shares: Shares,
    extension: Extension,
    deviation: Deviation,
    spur: SpurSearch,
}

impl Work {
    pub fn new(topology: &Topology, switches_count: bool) -> Self {
        Self {
            shares: Shares::new(topology, switches_count),
            extension: Extension::default(),
            deviation: Deviation::default(),
            spur: SpurSearch::new(topology.switches().len()),
        }
    }

    pub fn shares(&mut self) -> &mut Shares {
        &mut self.shares
    }
}

/// Goes on from ranks, which were added to the shares, with what shares the least, up to `count`.
pub(super) fn extended(
    network: &Reduced,
    count: usize,
    work: &mut Work,
    ranked: Vec<Vec<u32>>,
) -> Vec<Vec<u32>> {
    Prefixes { network, count, work, has_all: true }.extended(ranked)
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
        let Optimum { pair, whole } = self.flow.optimal(&self.network, count, &head);
        let mut ranking = Prefixes { network: &self.network, count, work: &mut self.work, has_all: false };
        let shortest = query.rest(query.start);
        let sharing =
            graph.link_share * (crowd(count, from_start.len()) + crowd(count, to_root.len())) as Weight;
        let is_least = |weight, paths: usize, sharing: Weight| {
            graph.untied(weight) == graph.untied(shortest * paths as Weight + sharing)
        };
        let set = ranking.units(whole.clone(), count);
        let lightest = ranking.units(pair.clone(), 2);
        if !is_least(ranking.weight(&set), count, sharing) || !is_least(ranking.weight(&lightest), 2, 0) {
            return None;
        }
        let left = Remainder::new(&self.network, whole.clone());
        let good = ranking.good_order(&lightest, &mut Flow { left, whole: &whole, pair })?;
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
        let Optimum { pair, whole } = self.flow.optimal(network, self.count, &head);
        let mut ranking = Prefixes { network, count: self.count, work: &mut self.work, has_all: true };
        let mut lightest = ranking.units(pair.clone(), self.count.min(2));
        lightest.dedup();
        if lightest.len() < 2 || self.count == 2 {
            return ranking.expanded(lightest);
        }
        let left = Remainder::new(network, whole.clone());
        let good = ranking.good_order(&lightest, &mut Flow { left, whole: &whole, pair });
        let ranks = good
            .or_else(|| {
                let set = ranking.units(whole, self.count);
                let optimum = network.untied(ranking.weight(&set));
                Exhaustive::new(network, &mut ranking.work.shares, self.count)?.order(optimum)
            })
            .unwrap_or_else(|| ranking.extended(lightest));
        ranking.expanded(ranks)
    }

    /// The ranks where there are shared-risk groups, of which flows know nothing.
    fn of_groups(&mut self, query: &Query<'_>) -> Vec<Vec<u32>> {
        self.network.whole(query, R::COUNTS_SWITCHES);
        let Optimum { pair, whole } = self.flow.optimal(&self.network, self.count, &[]);
        let mut ranking =
            Prefixes { network: &self.network, count: self.count, work: &mut self.work, has_all: true };
        let improved = |ranking: &mut Prefixes<'_>, flow, units| {
            let flow = ranking.units(flow, units);
            groups::improve(query, self.topology, flow, units, R::COUNTS_SWITCHES, &mut ranking.work.spur)
        };
        let (_, mut lightest) = improved(&mut ranking, pair, self.count.min(2));
        lightest.sort_by_key(|links| query.length(links));
        if self.count == 1 {
            return lightest;
        }
        let mut all = Exhaustive::new(&self.network, &mut ranking.work.shares, self.count);
        lightest = all.as_ref().and_then(Exhaustive::pair).unwrap_or(lightest);
        if lightest.len() < 2 || self.count == 2 {
            return ranking.extended(lightest);
        }
        let (optimum, mut set) = improved(&mut ranking, whole, self.count);
        set.sort_by_key(|links| query.length(links));
        ranking
            .good_order(&lightest, &mut Set(set))
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

/// A set of paths out of which an order is to be made.
trait Supply {
    /// The two lightest as a pair, the lighter first.
    fn pair(&mut self, network: &Reduced, shares: &mut Shares) -> Option<Vec<Vec<u32>>>;
    /// Takes a path out.
    fn remove(&mut self, links: &[u32]);
    /// The path, none of those `ranked`, that shares the least with what was added to `shares`, then costs the least.
    fn best(&mut self, network: &Reduced, shares: &Shares, ranked: &[Vec<u32>]) -> Option<Vec<u32>>;
}

/// A flow that can be taken apart in several ways.
struct Flow<'a> {
    left: Remainder,
    whole: &'a [Used],
    /// The lightest of all pairs.
    pair: Vec<Used>,
}

impl Supply for Flow<'_> {
    fn pair(&mut self, network: &Reduced, shares: &mut Shares) -> Option<Vec<Vec<u32>>> {
        let within = |part: &Used| {
            let same = |used: &&Used| used.link == part.link && used.from == part.from;
            self.whole.iter().find(same).is_some_and(|used| used.units >= part.units)
        };
        let pair = if self.pair.iter().all(within) {
            self.pair.clone()
        } else {
            self.left.lightest_pair(network)?
        };
        shares.clear();
        let mut left = Remainder::new(network, pair);
        let first = left.best(network, shares, &[])?;
        left.remove(&first);
        let second = left.best(network, shares, &[])?;
        Some(vec![first, second])
    }

    fn remove(&mut self, links: &[u32]) {
        self.left.remove(links);
    }

    fn best(&mut self, network: &Reduced, shares: &Shares, ranked: &[Vec<u32>]) -> Option<Vec<u32>> {
        self.left.best(network, shares, ranked)
    }
}

/// Paths as they are, the lightest first: of pairs that weigh the same the first is taken, seen from either end.
struct Set(Vec<Vec<u32>>);

impl Supply for Set {
    fn pair(&mut self, network: &Reduced, shares: &mut Shares) -> Option<Vec<Vec<u32>>> {
        let Self(paths) = self;
        let pairs = (0..paths.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let (a, b) = pairs.min_by_key(|&(a, b)| pair_weight(network, shares, &paths[a], &paths[b]))?;
        Some(vec![paths[a].clone(), paths[b].clone()])
    }

    fn remove(&mut self, links: &[u32]) {
        self.0.retain(|path| path != links);
    }

    fn best(&mut self, network: &Reduced, shares: &Shares, _: &[Vec<u32>]) -> Option<Vec<u32>> {
        self.0.iter().min_by_key(|links| network.shared(shares, links) + network.length(links)).cloned()
    }
}

/// What two paths weigh together.
fn pair_weight(network: &Reduced, shares: &mut Shares, a: &[u32], b: &[u32]) -> Weight {
    shares.clear();
    shares.add(a, network.switches(a));
    network.length(a) + network.length(b) + network.shared(shares, b)
}

/// Ranks path by path.
struct Prefixes<'a> {
    network: &'a Reduced,
    count: usize,
    work: &'a mut Work,
    /// Whether the network has all paths; else an extension is only good if it shares no more than is unavoidable.
    has_all: bool,
}

impl Prefixes<'_> {
    /// In links of the whole network.
    fn expanded(&self, paths: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
        paths.iter().map(|links| self.network.expand(links)).collect()
    }

    fn add(&mut self, links: &[u32]) {
        self.work.shares.add(links, self.network.switches(links));
    }

    /// The paths of a flow of so many units: always the one that shares the least with those before, then is the
    /// cheapest. Only when nothing but these is left one of them comes again.
    fn units(&mut self, flow: Vec<Used>, units: usize) -> Vec<Vec<u32>> {
        let mut left = Remainder::new(self.network, flow);
        let mut paths: Vec<Vec<u32>> = Vec::with_capacity(units);
        self.work.shares.clear();
        while paths.len() < units {
            let new = left.best(self.network, &self.work.shares, &paths);
            let Some(links) = new.or_else(|| left.best(self.network, &self.work.shares, &[])) else { break };
            left.remove(&links);
            self.add(&links);
            paths.push(links);
        }
        paths
    }

    /// What a set of paths weighs.
    fn weight(&mut self, set: &[Vec<u32>]) -> Weight {
        self.work.shares.clear();
        let mut weight = 0;
        for links in set {
            weight += self.network.length(links) + self.network.shared(&self.work.shares, links);
            self.add(links);
        }
        weight
    }

    /// Begins with two paths.
    fn begin(&mut self, pair: &[Vec<u32>]) {
        self.work.shares.clear();
        pair.iter().for_each(|links| self.add(links));
    }

    /// An order of the paths supplied of which every prefix is as good as can be; `lightest` is the lightest of all pairs.
    fn good_order(&mut self, lightest: &[Vec<u32>], supply: &mut impl Supply) -> Option<Vec<Vec<u32>>> {
        let network = self.network;
        let mut ranked = supply.pair(network, &mut self.work.shares)?;
        let mut weight = |pair: &[Vec<u32>]| {
            network.untied(pair_weight(network, &mut self.work.shares, &pair[0], &pair[1]))
        };
        if weight(&ranked) > weight(lightest) {
            return None;
        }
        self.begin(&ranked);
        ranked.iter().for_each(|links| supply.remove(links));
        while ranked.len() < self.count
            && let Some(links) = supply.best(network, &self.work.shares, &ranked)
        {
            let shared = network.shared(&self.work.shares, &links);
            if shared > network.unavoidable(&self.work.shares) {
                if !self.has_all {
                    return None;
                }
                let extension = self.extension(&ranked)?;
                if shared > network.shared(&self.work.shares, &extension) {
                    return None;
                }
            }
            supply.remove(&links);
            self.add(&links);
            ranked.push(links);
        }
        Some(ranked)
    }

    /// Of all paths that are not ranked yet the one that shares the least with those that are, then is the cheapest.
    fn extension(&mut self, ranked: &[Vec<u32>]) -> Option<Vec<u32>> {
        let Work { shares, extension, deviation, .. } = &mut *self.work;
        let lightest = extension.lightest(self.network, shares)?;
        if !ranked.contains(&lightest) {
            return Some(lightest);
        }
        deviation.lightest(self.network, shares, ranked)
    }

    /// A pair, and always the best extension.
    fn extended(&mut self, mut ranked: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
        self.begin(&ranked);
        while ranked.len() < self.count
            && let Some(links) = self.extension(&ranked)
        {
            self.add(&links);
            ranked.push(links);
        }
        ranked
    }
}
