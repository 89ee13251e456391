//! What every policy can do.

use crate::search::query::Query;
use crate::search::share::Shares;

/// A policy at work, for all pairs of one switch.
pub(in crate::search) trait Ranking {
    /// The ranked paths from `start` to `root`, best first, as lists of links; empty only if none joins them.
    fn ranks(&mut self, query: &Query<'_>, shares: &mut Shares) -> Vec<Vec<u32>>;
}
