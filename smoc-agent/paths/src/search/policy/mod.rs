//! The policies: which paths are chosen, and in which order.
//!
//! A policy is a file here, a variant of [`Policy`] with its word and its line of help, and an arm of [`Policy::ranking`].
//! Nothing else in the workspace lists policies.

pub(super) mod diverse;
mod exhaust;
mod groups;
mod shortest;
mod smoc;

use serde::{Deserialize, Serialize};

use super::PathFinder;
use super::flow::{LinkFlow, NodeFlow};
use super::options::Protect;
use super::query::Query;
use super::share::Shares;

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
}

/// A policy at work, for all pairs of one switch.
pub(super) trait Ranking {
    /// The ranked paths from `start` to `root`, best first, as lists of links; empty only if none joins them.
    fn ranks(&mut self, query: &Query<'_>, shares: &mut Shares) -> Vec<Vec<u32>>;
}

impl Policy {
    /// All of them, the default first.
    pub const ALL: &'static [Self] = &[Self::Diverse, Self::Smoc, Self::Shortest];

    /// As configurations and command lines write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Diverse => "diverse",
            Self::Smoc => "smoc",
            Self::Shortest => "shortest",
        }
    }

    /// What it does, in a line.
    pub fn help(self) -> &'static str {
        match self {
            Self::Diverse => {
                "The cheapest disjoint pair, then always the path that shares the least with those before"
            }
            Self::Smoc => "The shortest path, then those that share the fewest links with it",
            Self::Shortest => "The shortest paths",
        }
    }

    /// Its searches towards one root; `distances` are those to the root.
    pub(super) fn ranking<'a>(self, finder: &PathFinder<'a>, distances: &[u64]) -> Box<dyn Ranking + 'a> {
        let (graph, options) = (&finder.graph, &finder.options);
        let (topology, count) = (finder.topology, options.count);
        match (self, options.protect) {
            (Self::Diverse, Protect::Link) => {
                Box::new(diverse::Diverse::<LinkFlow>::new(topology, graph, distances, count))
            }
            (Self::Diverse, Protect::Node) => {
                Box::new(diverse::Diverse::<NodeFlow>::new(topology, graph, distances, count))
            }
            (Self::Smoc, Protect::Link | Protect::Node) => Box::new(smoc::Smoc::new(graph, distances, count)),
            (Self::Shortest, Protect::Link | Protect::Node) => {
                Box::new(shortest::Shortest::new(graph, distances, count))
            }
        }
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
