//! Many runs, and the shortest way to a failure.

use std::{
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{Fabric, Options, Outcome};

/// Runs all seeds of a range on all processors, each on one; the failures, by seed. `done` is told after each.
pub fn run(options: Options, seeds: Range<u64>, done: impl Fn(&Outcome) + Sync) -> Vec<Outcome> {
    let next = AtomicU64::new(seeds.start);
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let outcome = Fabric::new(Options { seed, ..options }).run();
            done(&outcome);
            if outcome.violation.is_some()
                && let Ok(mut failures) = failures.lock()
            {
                failures.push(outcome);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut failures = failures.into_inner().unwrap_or_default();
    failures.sort_by_key(|outcome| outcome.seed);
    failures
}

/// The run of the shortest prefix of a failing run's episodes that still fails.
pub fn shrink(options: Options, failed: Outcome) -> Outcome {
    let shorter = (0..failed.episodes).map(|episodes| Options { episodes: Some(episodes), ..options });
    let mut outcomes = shorter.map(|options| Fabric::new(options).run());
    outcomes.find(|outcome| outcome.violation.is_some()).unwrap_or(failed)
}
