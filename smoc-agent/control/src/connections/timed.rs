//! How long handshakes took along each path, as successive looks at `HANDSHAKES` show it.

use std::collections::{BTreeMap, HashMap};

use smoc_common::map::{EdgeIndex, HandshakeTimes};

use super::PathKey;

/// Most paths whose times are told apart: each has as many numbers as a histogram.
pub const TIMED_PATHS: usize = 512;

/// The times of the first [`TIMED_PATHS`] paths that had any; a path stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimedPaths {
    /// By path.
    pub paths: BTreeMap<PathKey, HandshakeTimes>,
    /// Handshakes along all other paths.
    pub uncounted: u64,
}

/// Remembers what was in the map at the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Stopwatch {
    seen: HashMap<PathKey, HandshakeTimes>,
    pub timed: TimedPaths,
}

impl Stopwatch {
    /// Takes note of what the map has for these paths.
    pub fn look(&mut self, found: impl IntoIterator<Item = (PathKey, HandshakeTimes)>) {
        for (path, times) in found.into_iter().filter(|(_, times)| times.count() > 0) {
            let before = self.seen.insert(path, times).unwrap_or_default();
            let more = times.since(&before);
            let TimedPaths { paths, uncounted } = &mut self.timed;
            if paths.len() < TIMED_PATHS || paths.contains_key(&path) {
                paths.entry(path).or_default().add(&more);
            } else {
                *uncounted += more.count();
            }
        }
    }

    /// What was counted of paths to this index belongs to a rule that it no longer means.
    pub fn forget(&mut self, index: EdgeIndex) {
        self.timed.paths.retain(|(edge, _), _| *edge != index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(count: u64) -> HandshakeTimes {
        let mut times = HandshakeTimes { sum: 5 * count, ..HandshakeTimes::default() };
        times.buckets[3] = count;
        times
    }

    #[test]
    fn times_add_up_from_look_to_look() {
        let mut watch = Stopwatch::default();
        for count in [2, 2, 9] {
            watch.look([((1, 3), times(count)), ((2, 0), HandshakeTimes::default())]);
            assert_eq!(watch.timed.paths, [((1, 3), times(count))].into(), "and no path without any");
        }
    }

    #[test]
    fn the_first_paths_stay_and_all_others_are_counted_together() {
        let mut watch = Stopwatch::default();
        let far = |index| ((index, 1), times(1));
        watch.look((1000..1000 + TIMED_PATHS as EdgeIndex).map(far));
        watch.look([((7, 0), times(4))]);
        watch.look([((7, 0), times(6)), ((1000, 1), times(3))]);
        assert_eq!((watch.timed.paths.len(), watch.timed.uncounted), (TIMED_PATHS, 6));
        assert_eq!(watch.timed.paths[&(1000, 1)].count(), 3);
    }

    #[test]
    fn what_was_counted_under_another_name_is_not_counted_again() {
        let mut watch = Stopwatch::default();
        watch.look([((1, 0), times(5)), ((2, 0), times(2))]);
        watch.forget(1);
        watch.look([((1, 0), times(6)), ((2, 0), times(2))]);
        assert_eq!(watch.timed.paths, [((1, 0), times(1)), ((2, 0), times(2))].into());
    }
}
