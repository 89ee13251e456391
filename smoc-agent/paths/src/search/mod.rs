//! Ranked paths between edge switches: pure, deterministic, and exact.
//!
//! | file | what |
//! |---|---|
//! | `options` | what may be asked for |
//! | `policy/` | the policies, one a file, and what they are made of |
//! | `graph`, `query` | the compact graph, weights, and how ties break; one question |
//! | `optimum`, `flow` | the set that as a whole shares the least: min-cost flow, its residual network |
//! | `reduced`, `blocks` | the part of the network that one pair can use, chains as single links |
//! | `extension`, `deviation` | the path that shares the least with given ones, and that is none of them |
//! | `remainder` | taking a flow apart into paths |
//! | `spur` | the k lightest simple paths |
//! | `tight` | all of them where the paths wanted are all shortest ones |
//! | `share` | what counts as shared |
//! | `pairs` | all pairs of edges |
//! | `detour` | the ways around a dead port, for one switch |
//! | `substitute` | what ranks take while a link of theirs is down |
//! | `route` | which paths fit into a source route |

mod blocks;
mod detour;
mod deviation;
mod extension;
mod flow;
mod graph;
mod optimum;
mod options;
#[cfg(test)]
mod oracle;
mod pairs;
mod policy;
mod query;
mod reduced;
mod remainder;
mod route;
mod share;
mod spur;
mod substitute;
#[cfg(test)]
mod tests;
mod tight;

use std::collections::HashSet;

pub use detour::{Detour, Detours, NoDetour, UnroutableDetour};
pub use options::{Metric, OptionsError, PathOptions, Protect};
pub use pairs::Pair;
pub use policy::Policy;
pub use route::{Unroutable, routable};
pub use substitute::substituted;

use smoc_common::route::PortNumber;

use crate::topology::{LinkId, SwitchId, Topology};
use graph::Graph;
use policy::Ranking;
use query::Query;
use share::Shares;
use tight::{Tight, TightSearch};

/// A simple path between two switches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Its switches, from first to last.
    pub switches: Vec<SwitchId>,
    /// Its links, one fewer than switches.
    pub links: Vec<LinkId>,
    /// Sum of the link costs under the metric asked for.
    pub cost: u64,
    /// How many of its links a better-ranked path of the same pair also uses (a link of the same
    /// shared-risk group counts).
    pub shared_links: usize,
}

impl Path {
    /// Each switch except the last and the port through which the path leaves it, first to last.
    pub fn hops<'a>(
        &'a self,
        topology: &'a Topology,
    ) -> impl DoubleEndedIterator<Item = (SwitchId, PortNumber)> + ExactSizeIterator + 'a {
        self.switches.iter().zip(&self.links).map(|(&switch, &link)| {
            let end = topology.link(link).end_at(switch).expect("a path's links join its switches");
            (switch, end.port)
        })
    }

    /// The same path from its other end.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.switches.reverse();
        self.links.reverse();
        self
    }
}

/// The paths between two switches: ranks for the subflows of MPTCP connections, and paths for all other traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankedPaths {
    /// By rank, best first.
    pub ranks: Vec<Path>,
    /// Paths of least cost, the one of least tie first, as many as ranks are asked for and as there are. The first is for
    /// what is no MPTCP, all of them for spreading that by flow. They need not be among the ranks.
    pub base: Vec<Path>,
}

/// Computes ranked paths over one topology under one set of options.
///
/// Rank k from A to B, reversed, is rank k from B to A; the same topology gives the same paths whatever
/// the order of its description. A failed link changes only pairs whose paths use it (or of which `max_stretch`
/// has dropped paths), and once it is back all is as before.
#[derive(Clone, Debug)]
pub struct PathFinder<'a> {
    topology: &'a Topology,
    options: PathOptions,
    graph: Graph,
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
        Policy::check(topology, options)?;
        let costs = options.metric.costs(topology)?;
        let down = marks(topology, down);
        let graph = Graph::new(topology, &costs, |link| !down[link.index()], options.count)?;
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
        let ranking = self.options.policy.ranking(self, &distances);
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
            path(graph, to, links, shared_links).reversed()
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
        least.iter().map(|links| path(graph, to, links, 0).reversed()).collect()
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

fn path(graph: &Graph, start: SwitchId, links: &[u32], shared_links: usize) -> Path {
    let mut switches = vec![start];
    for &link in links {
        let (low, high) = graph.ends(link);
        let at = switches[switches.len() - 1].0;
        switches.push(SwitchId(if at == low { high } else { low }));
    }
    let cost = graph.cost_of(links);
    Path { switches, links: links.iter().map(|&link| LinkId(link)).collect(), cost, shared_links }
}
