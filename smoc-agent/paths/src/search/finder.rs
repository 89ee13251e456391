//! The search itself: one topology, one set of options, any pair of switches.

use std::collections::HashSet;

use super::graph::{CostsTooLarge, Graph};
use super::options::{OptionsError, PathOptions, Protect};
use super::path::{Path, RankedPaths};
use super::policy::{self, ranking::Ranking};
use super::query::Query;
use super::share::Shares;
use super::tight::{Tight, TightSearch};
use crate::topology::{LinkId, SwitchId, Topology};

/// Computes ranked paths over one topology under one set of options.
///
/// Rank k from A to B, reversed, is rank k from B to A; the same topology gives the same paths whatever
/// the order of its description. A failed link changes only pairs whose paths use it (or of which `max_stretch`
/// has dropped paths), and once it is back all is as before.
#[derive(Clone, Debug)]
pub struct PathFinder<'a> {
    pub(super) topology: &'a Topology,
    pub(super) options: PathOptions,
    pub(super) graph: Graph,
}

impl<'a> PathFinder<'a> {
    /// Over the whole topology, which may be in pieces.
    ///
    /// # Errors
    /// The options are out of range, or ask for what the topology does not say.
    pub fn new(topology: &'a Topology, options: &PathOptions) -> Result<Self, OptionsError> {
        Self::without(topology, options, &HashSet::new())
    }

    /// As if the links in `down` were not there.
    ///
    /// # Errors
    /// As [`PathFinder::new`].
    pub fn without(
        topology: &'a Topology,
        options: &PathOptions,
        down: &HashSet<LinkId>,
    ) -> Result<Self, OptionsError> {
        options.check()?;
        policy::check(topology, options)?;
        let costs = options.metric.costs(topology)?;
        let down = marks(topology, down);
        let graph = Graph::new(topology, &costs, |link| !down[link.index()], options.count)
            .map_err(|CostsTooLarge { greatest }| OptionsError::Overflow(greatest))?;
        Ok(Self { topology, options: *options, graph })
    }

    /// The topology.
    pub fn topology(&self) -> &'a Topology {
        self.topology
    }

    /// The options.
    pub fn options(&self) -> &PathOptions {
        &self.options
    }

    /// The cost of the cheapest path from every switch to `root`; `u64::MAX` if none leads there.
    pub fn distances(&self, root: SwitchId) -> Vec<u64> {
        self.graph.distances(root)
    }

    /// The cost of a link under the metric asked for.
    pub fn cost(&self, link: LinkId) -> u64 {
        self.graph.cost(link.0)
    }

    /// The ranked paths between two different switches, best first; empty if no path joins them.
    pub fn ranked(&self, from: SwitchId, to: SwitchId) -> Vec<Path> {
        self.source(from).to(to)
    }

    /// A search from one switch to many others, which shares what depends on that switch alone.
    pub fn source(&self, from: SwitchId) -> Source<'_> {
        let distances = self.graph.distances(from);
        let ranking = policy::ranking(self.topology, &self.options, &self.graph, &distances);
        let shares = Shares::new(self.topology, self.options.protect == Protect::Node);
        Source { finder: self, from, distances, ranking, shares, base: None }
    }
}

/// Paths from one switch; see [`PathFinder::source`].
pub struct Source<'a> {
    finder: &'a PathFinder<'a>,
    from: SwitchId,
    /// Cost of the cheapest path between `from` and each switch.
    distances: Vec<u64>,
    ranking: Box<dyn Ranking + 'a>,
    shares: Shares,
    /// For paths of least cost.
    base: Option<(Tight, TightSearch)>,
}

impl Source<'_> {
    /// The ranked paths to another switch, best first; empty if no path joins them.
    pub fn to(&mut self, to: SwitchId) -> Vec<Path> {
        let Self { finder, from, .. } = *self;
        let graph = &finder.graph;
        let distances = std::mem::take(&mut self.distances);
        let query =
            Query { graph, to_root: &distances, start: to.0, root: from.0, seed: graph.seed(from, to) };
        let mut chosen = Vec::new();
        if from != to && query.connected() {
            chosen = self.ranking.ranks(&query, &mut self.shares);
            let longest = finder.options.longest(distances[to.index()]);
            chosen.retain(|links| graph.cost_of(links) <= longest);
            if chosen.is_empty() {
                chosen = self.least_cost(&query, 1);
            }
        }
        self.shares.clear();
        let ranked = chosen.iter().map(|links| {
            let shared_links = links.iter().filter(|&&link| self.shares.shared(link)).count();
            self.shares.add(links, query.switches(links));
            Path::over(graph, to, links, shared_links).reversed()
        });
        let ranked = ranked.collect();
        self.distances = distances;
        ranked
    }

    /// The ranked paths to another switch, and those of least cost beside them.
    pub fn ranked(&mut self, to: SwitchId) -> RankedPaths {
        RankedPaths { ranks: self.to(to), base: self.base(to) }
    }

    /// The paths of least cost to another switch; see [`RankedPaths::base`].
    pub fn base(&mut self, to: SwitchId) -> Vec<Path> {
        let Self { finder, from, .. } = *self;
        let graph = &finder.graph;
        let distances = std::mem::take(&mut self.distances);
        let query =
            Query { graph, to_root: &distances, start: to.0, root: from.0, seed: graph.seed(from, to) };
        let mut least = Vec::new();
        if from != to && query.connected() {
            least = self.least_cost(&query, finder.options.count);
        }
        self.distances = distances;
        least.iter().map(|links| Path::over(graph, to, links, 0).reversed()).collect()
    }

    fn least_cost(&mut self, query: &Query<'_>, count: usize) -> Vec<Vec<u32>> {
        let new = || (Tight::new(query.graph, query.to_root), TightSearch::new(query.graph.len()));
        let (tight, ties) = self.base.get_or_insert_with(new);
        ties.best(query, tight, count, |_, _| true)
    }
}

/// For each link whether it is among these: where every link is asked for, hashing each would cost more than the rest.
fn marks(topology: &Topology, links: &HashSet<LinkId>) -> Vec<bool> {
    let mut marks = vec![false; topology.links().len()];
    for link in links {
        marks[link.index()] = true;
    }
    marks
}
