//! Ranked paths between edge switches: pure, deterministic, and exact.
//!
//! | file | what |
//! |---|---|
//! | `options` | what may be asked for |
//! | `graph` | the compact graph, weights, and how ties break |
//! | `diverse`, `flow`, `peel` | policy `diverse`: min-cost flow, its residual network, its decomposition |
//! | `groups` | policy `diverse` with shared-risk groups |
//! | `ranked` | policies `shortest` and `smoc`: k shortest simple paths |
//! | `tight` | all of them where the paths wanted are all shortest ones |
//! | `share` | what counts as shared |
//! | `pairs` | all pairs of edges |
//! | `table` | all paths from one switch, kept up to date |
//! | `detour` | the ways around a dead port, for one switch |
//! | `substitute` | what ranks take while a link of theirs is down |
//! | `route` | which paths fit into a source route |

mod detour;
mod diverse;
mod flow;
mod graph;
mod groups;
mod options;
#[cfg(test)]
mod oracle;
mod pairs;
mod peel;
mod ranked;
mod route;
mod share;
mod substitute;
mod table;
#[cfg(test)]
mod tests;
mod tight;

use std::collections::HashSet;

pub use detour::{Detour, Detours, NoDetour, UnroutableDetour};
pub use options::{Metric, OptionsError, PathOptions, Policy, Protect};
pub use pairs::Pair;
pub use route::{Unroutable, routable};
pub use substitute::substituted;
pub use table::Table;

use smoc_common::route::PortNumber;

use crate::topology::{LinkId, SwitchId, Topology};
use diverse::{FlowSearch, Query};
use flow::{LinkFlow, NodeFlow};
use graph::Graph;
use ranked::{RankedSearch, SpurSearch};
use share::Shares;
use tight::Tight;

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

    /// Whether more than a flow is needed.
    fn heeds_groups(&self) -> bool {
        self.options.policy == Policy::Diverse && !self.topology.srlgs().is_empty()
    }

    /// A search from one switch to many others, which shares what depends on that switch alone.
    pub fn source(&self, from: SwitchId) -> Source<'_> {
        let distances = self.graph.distances(from);
        let switches = self.graph.len();
        let links = self.topology.links().len();
        let policy = match (self.options.policy, self.options.protect) {
            (Policy::Diverse, Protect::Link) => PolicySearch::Links(FlowSearch::new(
                LinkFlow::new(links),
                switches,
                Some(Tight::new(&self.graph, &distances)),
            )),
            (Policy::Diverse, Protect::Node) => {
                PolicySearch::Nodes(FlowSearch::new(NodeFlow::new(links, switches), switches, None))
            }
            _ => PolicySearch::Ranked(RankedSearch::new(&self.graph, &distances)),
        };
        let shares = Shares::new(self.topology, self.options.protect == Protect::Node);
        let searches = Searches { policy, spur: None, shares, separable: false };
        Source { finder: self, from, distances, searches }
    }
}

/// Paths from one switch; see [`PathFinder::source`].
pub struct Source<'a> {
    finder: &'a PathFinder<'a>,
    from: SwitchId,
    /// Cost of the cheapest path between `from` and each switch.
    distances: Vec<u64>,
    searches: Searches<'a>,
}

/// The searches from one switch and the memory that they reuse.
struct Searches<'a> {
    policy: PolicySearch,
    /// For shared-risk groups, and for the cheapest path.
    spur: Option<SpurSearch>,
    shares: Shares<'a>,
    /// Of the last answer; see [`table`].
    separable: bool,
}

enum PolicySearch {
    Links(FlowSearch<LinkFlow>),
    Nodes(FlowSearch<NodeFlow>),
    Ranked(RankedSearch),
}

impl Source<'_> {
    /// The ranked paths to another switch, best first; empty if no path joins them.
    pub fn to(&mut self, to: SwitchId) -> Vec<Path> {
        let Self { finder, from, ref distances, ref mut searches } = *self;
        let graph = &finder.graph;
        let seed = graph.seed(from, to);
        let query = Query { graph, to_root: distances, start: to.0, root: from.0, seed };
        if from == to || !query.connected() {
            return Vec::new();
        }
        let mut chosen = searches.chosen(finder, &query);
        let longest = finder.options.longest(distances[to.index()]);
        chosen.retain(|links| graph.cost_of(links) <= longest);
        if chosen.is_empty() {
            chosen = searches.cheapest(&query);
        }
        searches.shares.clear();
        let ranked = chosen.iter().map(|links| {
            let shared_links = links.iter().filter(|&&link| searches.shares.shared(link)).count();
            searches.shares.add(&query, links);
            path(graph, to, links, shared_links).reversed()
        });
        ranked.collect()
    }
}

impl Searches<'_> {
    /// The paths that the policy chooses, best first, as lists of links from `start` to `root`.
    fn chosen(&mut self, finder: &PathFinder<'_>, query: &Query<'_>) -> Vec<Vec<u32>> {
        let count = finder.options.count;
        let chosen = match &mut self.policy {
            PolicySearch::Links(search) => {
                let used = search.optimal(query, count);
                self.separable = search.is_separable(query, &used, count);
                peel::peel(query, used, count, &mut self.shares)
            }
            PolicySearch::Nodes(search) => {
                peel::peel(query, search.optimal(query, count), count, &mut self.shares)
            }
            PolicySearch::Ranked(search) if finder.options.policy == Policy::Smoc => {
                ranked::smoc(query, count, search, &mut self.shares)
            }
            PolicySearch::Ranked(search) => ranked::shortest(query, count, search),
        };
        if !finder.heeds_groups() {
            return chosen;
        }
        let search = self.spur.get_or_insert_with(|| SpurSearch::new(query.graph.len()));
        groups::improve(query, finder.topology, chosen, count, search, &mut self.shares)
    }

    /// The cheapest path alone, in the same form: of several the one of least tie.
    fn cheapest(&mut self, query: &Query<'_>) -> Vec<Vec<u32>> {
        let search = self.spur.get_or_insert_with(|| SpurSearch::new(query.graph.len()));
        search.k_shortest(query, 1, |arc| query.graph.weight(query.seed, arc.link, arc.cost))
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
