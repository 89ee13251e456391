//! All pairs of edges, on all cores.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

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
        let mut kept = Vec::new();
        self.for_each_pair(edges, progress, keep, |found| {
            kept.extend(found);
            if kept.len() < enough { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        kept
    }

    /// Gives `take` what `make` makes of every pair, in the same order, as it is found: `make` runs on all cores and
    /// `take` on this thread. No more than the pairs of a few switches wait for it, so memory is linear in the
    /// switches. If it breaks off the search ends.
    pub fn for_each_pair<T: Send>(
        &self,
        edges: &[SwitchId],
        progress: impl Fn(usize) + Sync,
        make: impl Fn(Pair) -> T + Sync,
        mut take: impl FnMut(T) -> ControlFlow<()>,
    ) {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get).min(edges.len());
        let (done, make, progress) = (AtomicUsize::new(0), &make, &progress);
        // A core takes every so many-th switch, so their rows come in turn, and one waits for room.
        let row = |position: usize| {
            let from = edges[position];
            let mut source = self.source(from);
            let others = &edges[position + 1..];
            let made = others.iter().map(|&to| make(Pair { from, to, paths: source.to(to) })).collect();
            progress(done.fetch_add(others.len(), Ordering::Relaxed) + others.len());
            made
        };
        let row = &row;
        std::thread::scope(|scope| {
            let rows = |core: usize| -> Receiver<Vec<T>> {
                let (send, receive) = sync_channel(1);
                scope.spawn(move || {
                    let mut positions = (core..edges.len()).step_by(cores);
                    while positions.next().is_some_and(|position| send.send(row(position)).is_ok()) {}
                });
                receive
            };
            let receivers: Vec<_> = (0..cores).map(rows).collect();
            for position in 0..edges.len() {
                let Ok(row) = receivers[position % cores].recv() else { return };
                if row.into_iter().any(|made| take(made).is_break()) {
                    return;
                }
            }
        });
    }
}
