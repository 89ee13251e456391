//! All pairs of edges, on all cores.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::finder::PathFinder;
use super::path::Path;
use crate::topology::SwitchId;

/// Two switches, the lower first, and the ranked paths from it to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The lower switch.
    pub from: SwitchId,
    /// The higher switch.
    pub to: SwitchId,
    /// Best first.
    pub paths: Vec<Path>,
}

impl PathFinder<'_> {
    /// Every pair of these switches once, from lower to higher, in order; backwards the ranks are the
    /// same paths reversed. `progress` is told now and then how many pairs are done.
    pub fn all_pairs(&self, edges: &[SwitchId], progress: impl Fn(usize) + Sync) -> Vec<Pair> {
        self.of_pairs(edges, progress, Some, usize::MAX)
    }

    /// What `keep` makes of every pair, in the same order, without what it leaves out: so memory need hold no more than
    /// the answer. The first `enough` of these at most; what comes behind them need not be computed.
    pub fn of_pairs<T: Send>(
        &self,
        edges: &[SwitchId],
        progress: impl Fn(usize) + Sync,
        keep: impl Fn(Pair) -> Option<T> + Sync,
        enough: usize,
    ) -> Vec<T> {
        let (next, done, kept) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let rows: Vec<Mutex<Vec<T>>> = edges.iter().map(|_| Mutex::default()).collect();
        let work = || {
            // Rows are taken in order, so all before a row that is done are done or under way, and will be.
            while kept.load(Ordering::Relaxed) < enough
                && let position = next.fetch_add(1, Ordering::Relaxed)
                && position < edges.len()
            {
                let from = edges[position];
                let mut source = self.source(from);
                let others = &edges[position + 1..];
                let pairs = others.iter().map(|&to| Pair { from, to, paths: source.to(to) });
                let row: Vec<T> = pairs.filter_map(&keep).take(enough).collect();
                kept.fetch_add(row.len(), Ordering::Relaxed);
                progress(done.fetch_add(others.len(), Ordering::Relaxed) + others.len());
                *rows[position].lock().expect("no thread panics with a row in hand") = row;
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get).min(edges.len());
        std::thread::scope(|scope| {
            for _ in 1..cores {
                scope.spawn(work);
            }
            work();
        });
        let rows = rows.into_iter().flat_map(|row| row.into_inner().expect("no thread panicked"));
        rows.take(enough).collect()
    }
}
