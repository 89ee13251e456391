//! Ranked paths between edge switches: pure, deterministic, and exact.
//!
//! | file | what |
//! |---|---|
//! | `finder` | the search: what asks a policy about one pair after another |
//! | `options` | what may be asked for |
//! | `path` | what is found |
//! | `policy/` | the policies, one a file, their names, and what they are made of |
//! | `graph`, `query` | the compact graph, weights, and how ties break; one question |
//! | `optimum`, `flow` | the set that as a whole shares the least: min-cost flow, its residual network |
//! | `reduced`, `blocks` | the part of the network that one pair can use, chains as single links |
//! | `lightest` | the path of least tie by each first link, which is where a flow begins |
//! | `extension`, `deviation` | the path that shares the least with given ones, and that is none of them |
//! | `remainder` | taking a flow apart into paths |
//! | `spur` | the k lightest simple paths |
//! | `tight` | all of them where the paths wanted are all shortest ones |
//! | `share` | what counts as shared |
//! | `pairs` | all pairs of edges |
//! | `detour` | the ways around a dead port, for one switch |
//! | `substitute` | what ranks take while a link of theirs is down |
//! | `route` | which paths fit into a source route |
//!
//! Files know those that they are made of, and never this one, which only names them.

mod blocks;
mod detour;
mod deviation;
mod extension;
mod finder;
mod flow;
mod graph;
mod lightest;
mod optimum;
mod options;
#[cfg(test)]
mod oracle;
mod pairs;
mod path;
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

pub use detour::{Detour, Detours, NoDetour, UnroutableDetour};
pub use finder::{PathFinder, Source};
pub use options::{Metric, OptionsError, PathOptions, Protect};
pub use pairs::Pair;
pub use path::{Path, RankedPaths};
pub use policy::name::Policy;
pub use route::{Unroutable, routable};
pub use substitute::substituted;
