//! All pairs of edges at once, on all cores.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Path, PathFinder};
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
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let rows: Vec<Mutex<Vec<Pair>>> = edges.iter().map(|_| Mutex::default()).collect();
        let work = || {
            while let position = next.fetch_add(1, Ordering::Relaxed)
                && position < edges.len()
            {
                let from = edges[position];
                let mut source = self.source(from);
                let row: Vec<Pair> =
                    edges[position + 1..].iter().map(|&to| Pair { from, to, paths: source.to(to) }).collect();
                progress(done.fetch_add(row.len(), Ordering::Relaxed) + row.len());
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
        rows.into_iter().flat_map(|row| row.into_inner().expect("no thread panicked")).collect()
    }
}
