//! The policies: which paths are chosen, and in which order.
//!
//! A policy is a file here, a variant of [`Policy`] with its word and its line of help, and an arm of [`Policy::ranking`].
//! Nothing else in the workspace lists policies.

mod bounded;
pub(super) mod diverse;
mod exhaust;
mod groups;
mod shortest;
mod smoc;
mod widest;

use serde::{Deserialize, Serialize};

use super::PathFinder;
use super::flow::{LinkFlow, NodeFlow, Residual};
use super::options::{OptionsError, PathOptions, Protect};
use super::query::Query;
use super::share::Shares;
use crate::topology::{Bandwidth, Latency, LinkId, Topology};

/// The rule by which paths are chosen and ranked; `docs/paths.md` has the exact definitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Good for every number of subflows: the cheapest disjoint pair, then always what shares the least.
    #[default]
    Diverse,
    /// The shortest path; then those that share the fewest links with it, ties to the shorter.
    Smoc,
    /// The shortest simple paths.
    Shortest,
    /// For unequal links: always the path with the widest bottleneck in what those before leave, then the least shared.
    Widest,
}

/// A policy at work, for all pairs of one switch.
pub(super) trait Ranking {
    /// The ranked paths from `start` to `root`, best first, as lists of links; empty only if none joins them.
    fn ranks(&mut self, query: &Query<'_>, shares: &mut Shares) -> Vec<Vec<u32>>;
}

impl Policy {
    /// All of them, the default first.
    pub const ALL: &'static [Self] = &[Self::Diverse, Self::Smoc, Self::Shortest, Self::Widest];

    /// As configurations and command lines write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Diverse => "diverse",
            Self::Smoc => "smoc",
            Self::Shortest => "shortest",
            Self::Widest => "widest",
        }
    }

    /// The policy of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|policy| policy.word() == word)
    }

    /// What it does, in a line.
    pub fn help(self) -> &'static str {
        match self {
            Self::Diverse => {
                "The cheapest disjoint pair, then always the path that shares the least with those before"
            }
            Self::Smoc => "The shortest path, then those that share the fewest links with it",
            Self::Shortest => "The shortest paths",
            Self::Widest => {
                "The path with the widest bottleneck in the capacity that those before leave, then the least shared"
            }
        }
    }

    /// What it needs to know of every link.
    fn needs_capacity(self) -> bool {
        self == Self::Widest
    }

    /// Checks that the topology says what the policy, or the receive buffer, needs to know.
    ///
    /// # Errors
    /// [`OptionsError::Missing`].
    pub(super) fn check(topology: &Topology, options: &PathOptions) -> Result<(), OptionsError> {
        let asks = |what, which: &str| (what, which.to_owned());
        let policy = asks("capacity", &format!("policy {}", options.policy));
        let buffer = ["capacity", "latency"].map(|what| asks(what, "receive_buffer"));
        let needs = (options.policy.needs_capacity().then_some(policy).into_iter())
            .chain(buffer.into_iter().filter(|_| options.receive_buffer.is_some()));
        for (what, who) in needs {
            let is_missing = |id: &LinkId| match what {
                "capacity" => topology.link(*id).capacity.is_none(),
                _ => topology.link(*id).latency.is_none(),
            };
            if let Some(link) = topology.link_ids().find(is_missing) {
                return Err(OptionsError::Missing { who, what, link: topology.link_name(link) });
            }
        }
        Ok(())
    }

    /// Its searches towards one root; `distances` are those to the root.
    pub(super) fn ranking<'a>(self, finder: &PathFinder<'a>, distances: &[u64]) -> Box<dyn Ranking + 'a> {
        let (topology, options) = (finder.topology, &finder.options);
        let count = options.count;
        let policy = match options.protect {
            Protect::Link => self.ranking_of::<LinkFlow>(finder, distances),
            Protect::Node => self.ranking_of::<NodeFlow>(finder, distances),
        };
        let Some(buffer) = options.receive_buffer else { return policy };
        let latencies = topology.links().iter().map(|link| link.latency.map_or(0, Latency::nanos)).collect();
        let links = bounded::Links { capacities: capacities(topology), latencies };
        let switches_count = options.protect == Protect::Node;
        Box::new(bounded::Bounded { policy, links, buffer, count, switches_count })
    }

    /// `R` says what paths should not share.
    fn ranking_of<'a, R: Residual + 'a>(
        self,
        finder: &PathFinder<'a>,
        distances: &[u64],
    ) -> Box<dyn Ranking + 'a> {
        let (topology, graph, count) = (finder.topology, &finder.graph, finder.options.count);
        match self {
            Self::Diverse => Box::new(diverse::Diverse::<R>::new(topology, graph, distances, count)),
            Self::Smoc => Box::new(smoc::Smoc::new(graph, distances, count)),
            Self::Shortest => Box::new(shortest::Shortest::new(graph, distances, count)),
            Self::Widest => Box::new(widest::Widest::<R>::new(topology, capacities(topology), count)),
        }
    }
}

/// In bit/s, by link; those that are not told count as nothing.
fn capacities(topology: &Topology) -> Vec<u64> {
    topology.links().iter().map(|link| link.capacity.map_or(0, Bandwidth::bits_per_second)).collect()
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
