//! Whether one path works, and how well: what its probes say.
//!
//! A probe is lost when it has not come back after the smoothed round-trip time and four times the jitter, but not before
//! 100 ms and not after 1 s. One that comes back later than that is no loss after all.
//!
//! A loss is *explained* when the probe that came back before it had met a queue: its round trip took longer than the
//! path's least by a quarter of that, and by 1 ms at least. A full queue drops probes as it drops data, and the hosts deal
//! with that; leaving the path for it would fill the queues of the others, until all of them look broken. (Telling the two
//! kinds of loss apart by delay: S. Cen, P. C. Cosman, G. M. Voelker, "End-to-end differentiation of congestion and wireless
//! losses", IEEE/ACM Transactions on Networking 11(5), 2003.)
//!
//! A path is *broken* when 3 probes in a row are lost without explanation, or 4 of the last 16; of losses that a queue
//! explains it takes twice as many, in any order.
//!
//! | loss, without a queue | broken after n probes: mean, and the share of cases in which n is 20, 25, 50 at most | false alarms per hour at 50 probes/s |
//! |---|---|---|
//! | 100 % | 3 | |
//! | 30 % | 14: 86 %, 92 %, 99.7 % | |
//! | 2 % | | 11 |
//! | 1 % | | fewer than 1 |
//!
//! (Simulated: 8000 cases with independent losses each, and 400,000 probes for the false alarms.) With a probe each 20 ms
//! and 100 ms for the last one to be missed, 30 % loss is found after 0.4 s in the mean; a path that dies behind a full
//! queue, after 8 probes, in 0.3 s.
//!
//! The path is whole again when neither has been true for a hold-down ([`HoldDown`]).
//!
//! What is lost before the first probe has come back is forgotten when it does, and a path that counted as broken until then is
//! whole at once: switches that are started one after the other are no failures. What an earlier agent left broken is not
//! believed so soon.

use std::{collections::VecDeque, time::Duration};

use super::hold_down::HoldDown;
use crate::clock::Nanos;

/// Probes lost in a row without explanation that break a path.
const IN_A_ROW: u32 = 3;
/// This many lost of the last [`WINDOW`] break it as well, or twice as many that a queue explains.
const SHARE: u32 = 4;
const WINDOW: u32 = 16;
/// A round trip that takes longer than the least one by this much, or by a quarter of that if it is more, met a queue.
/// Smaller differences come from a busy processor.
const QUEUE: Duration = Duration::from_millis(1);
/// Probes of which the share that was lost is reported.
const REMEMBERED: u32 = 128;
/// Min and max time after which a probe counts as lost.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

#[derive(Clone, Debug)]
struct Waiting {
    sequence: u32,
    sent: Nanos,
    round_trip: Option<Duration>,
}

/// The state of one path.
#[derive(Clone, Debug)]
pub struct PathProbes {
    hold: HoldDown,
    broken: bool,
    /// A probe has come back, or an earlier agent said how the path is.
    proven: bool,
    /// It failed after it was proven, so that it has to keep its hold-down.
    held: bool,
    since: Nanos,
    sequence: u32,
    waiting: VecDeque<Waiting>,
    /// The sequence number behind the youngest of `lost`.
    judged: u32,
    /// A bit for each lost probe, the youngest in the lowest.
    lost: u128,
    /// Those of them that no queue explains.
    unexplained: u128,
    /// Whether the youngest of those that came back met a queue.
    queue: bool,
    /// How many of these bits are valid.
    known: u32,
    /// While broken: since when losses are below the limits.
    clean: Option<Nanos>,
    round_trip: Option<RoundTrip>,
}

/// Round-trip times of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// The minimum.
    pub least: Duration,
    /// Smoothed as TCP does (RFC 6298, 2).
    pub smoothed: Duration,
    /// Mean change from one to the next (RFC 3550, 6.4.1).
    pub jitter: Duration,
    last: Duration,
}

impl RoundTrip {
    fn add(before: Option<Self>, sample: Duration) -> Self {
        let Some(Self { least, smoothed, jitter, last }) = before else {
            return Self { least: sample, smoothed: sample, jitter: Duration::ZERO, last: sample };
        };
        Self {
            least: least.min(sample),
            smoothed: (smoothed * 7 + sample) / 8,
            jitter: (jitter * 15 + sample.abs_diff(last)) / 16,
            last: sample,
        }
    }

    /// Whether a round trip of this path met a queue.
    fn met_queue(&self, sample: Duration) -> bool {
        sample > self.least + QUEUE.max(self.least / 4)
    }
}

impl PathProbes {
    /// A path of which nothing is known, or which an earlier agent found `broken`.
    pub fn new(hold_down: Duration, broken: bool, now: Nanos) -> Self {
        Self {
            hold: HoldDown::new(hold_down),
            broken,
            proven: broken,
            held: broken,
            since: now,
            sequence: 0,
            waiting: VecDeque::new(),
            judged: 0,
            lost: 0,
            unexplained: 0,
            queue: false,
            known: 0,
            clean: None,
            round_trip: None,
        }
    }

    /// Another hold-down from now on.
    pub fn set_hold_down(&mut self, hold_down: Duration) {
        self.hold.set_least(hold_down);
    }

    /// The number of the next probe.
    pub fn next_sequence(&self) -> u32 {
        self.sequence
    }

    /// A probe was really sent.
    pub fn sent(&mut self, now: Nanos) {
        self.waiting.push_back(Waiting { sequence: self.sequence, sent: now, round_trip: None });
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// A probe is back. One that nobody waits for, such as one that has come back before, counts for nothing: false.
    pub fn returned(&mut self, sequence: u32, sent: Nanos, at: Nanos) -> bool {
        let age = self.judged.wrapping_sub(1).wrapping_sub(sequence);
        let is_late = age < self.known && self.lost >> age & 1 == 1;
        let awaits = |waiting: &Waiting| waiting.sequence == sequence && waiting.round_trip.is_none();
        if !is_late && !self.waiting.iter().any(awaits) {
            return false;
        }
        let round_trip = at.since(sent);
        self.round_trip = Some(RoundTrip::add(self.round_trip, round_trip));
        if is_late {
            self.lost &= !(1 << age);
            self.unexplained &= !(1 << age);
        }
        if !self.proven {
            self.prove(sequence);
        }
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| awaits(waiting)) {
            waiting.round_trip = Some(round_trip);
        }
        true
    }

    /// The first probe has come back: those before it say nothing about the path.
    fn prove(&mut self, sequence: u32) {
        self.proven = true;
        self.waiting.retain(|waiting| waiting.sequence >= sequence);
        (self.judged, self.lost, self.unexplained, self.known) = (sequence, 0, 0, 0);
    }

    /// The path's first port is down: probes under way say nothing about the path.
    pub fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.judged = self.sequence;
    }

    /// Decides whether the path is broken; whether that changed.
    pub fn decide(&mut self, now: Nanos) -> bool {
        let timeout = self.timeout();
        while let Some(first) = self.waiting.front() {
            let is_lost = first.round_trip.is_none();
            if is_lost && now.since(first.sent) < timeout {
                break;
            }
            if let (Some(took), Some(trip)) = (first.round_trip, self.round_trip) {
                self.queue = trip.met_queue(took);
            }
            self.lost = self.lost << 1 | u128::from(is_lost);
            self.unexplained = self.unexplained << 1 | u128::from(is_lost && !self.queue);
            self.known = (self.known + 1).min(REMEMBERED);
            self.judged = first.sequence.wrapping_add(1);
            self.waiting.pop_front();
        }
        let bad = self.is_bad();
        if self.broken { self.recover(bad, now) } else { bad && self.fail(now) }
    }

    fn is_bad(&self) -> bool {
        let (row, window) = ((1 << IN_A_ROW) - 1, (1 << WINDOW) - 1);
        let (lost, unexplained) =
            ((self.lost & window).count_ones(), (self.unexplained & window).count_ones());
        self.unexplained & row == row || lost + unexplained >= 2 * SHARE
    }

    fn fail(&mut self, now: Nanos) -> bool {
        if self.proven {
            self.hold.failed(now);
        }
        (self.broken, self.held, self.since, self.clean) = (true, self.proven, now, None);
        true
    }

    fn recover(&mut self, bad: bool, now: Nanos) -> bool {
        if bad || self.known == 0 {
            self.clean = None;
            return false;
        }
        let clean = *self.clean.get_or_insert(now);
        if self.held {
            if now.since(clean) < self.hold.needed() {
                return false;
            }
            self.hold.recovered(now);
        }
        (self.broken, self.since) = (false, now);
        true
    }

    /// After this time a probe is lost.
    pub fn timeout(&self) -> Duration {
        let (min, max) = TIMEOUT;
        self.round_trip.map_or(max, |trip| (trip.smoothed + trip.jitter * 4).clamp(min, max))
    }

    /// Whether the path is broken.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Since when it is broken or whole.
    pub fn since(&self) -> Nanos {
        self.since
    }

    /// The share of the last 128 probes that was lost; `None` if none is judged yet.
    pub fn loss(&self) -> Option<f64> {
        let known = if self.known == REMEMBERED { u128::MAX } else { (1 << self.known) - 1 };
        (self.known > 0).then(|| f64::from((self.lost & known).count_ones()) / f64::from(self.known))
    }

    /// Its round-trip times; `None` if no probe came back yet.
    pub fn round_trip(&self) -> Option<RoundTrip> {
        self.round_trip
    }

    /// How often it was found broken.
    pub fn failures(&self) -> u32 {
        self.hold.failures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    struct Bench {
        path: PathProbes,
        now: Nanos,
    }

    impl Bench {
        fn new() -> Self {
            Self { path: PathProbes::new(2000 * MS, false, Nanos(0)), now: Nanos(0) }
        }

        fn probe(&mut self, arrives: bool) -> bool {
            self.probe_after(arrives.then_some(MS))
        }

        /// A probe that takes so long to come back, or never does.
        fn probe_after(&mut self, round_trip: Option<Duration>) -> bool {
            self.now = self.now + 20 * MS;
            let (sequence, sent) = (self.path.next_sequence(), self.now);
            self.path.sent(sent);
            if let Some(round_trip) = round_trip {
                self.path.returned(sequence, sent, sent + round_trip);
            }
            self.path.decide(self.now)
        }

        fn until_change(&mut self, most: usize, mut arrives: impl FnMut(usize) -> bool) -> Option<usize> {
            (1..=most).find(|n| self.probe(arrives(*n)))
        }
    }

    #[test]
    fn three_in_a_row_break_it_and_two_seconds_without_heal_it() {
        let mut bench = Bench::new();
        assert_eq!(bench.until_change(100, |_| true), None);
        assert_eq!(bench.until_change(100, |_| false), Some(8), "3 probes and 100 ms for the third");
        assert!(bench.path.is_broken());
        let healed = bench.until_change(1000, |_| true).unwrap();
        assert!((100..130).contains(&healed), "{healed}");
    }

    #[test]
    fn a_third_lost_is_found_within_half_a_second() {
        let mut bench = Bench::new();
        bench.until_change(100, |_| true);
        assert!(bench.until_change(25, |n| n % 3 != 0).is_some());
    }

    #[test]
    fn one_lost_in_fifty_is_no_failure() {
        assert_eq!(Bench::new().until_change(10_000, |n| n % 50 != 0), None);
    }

    #[test]
    fn what_is_lost_before_the_first_comes_back_is_no_failure() {
        for lost in [1, 5, 20, 49] {
            let mut bench = Bench::new();
            assert_eq!(bench.until_change(lost, |_| false), None);
            assert_eq!(bench.until_change(1000, |_| true), None, "after {lost}");
            assert_eq!((bench.path.loss(), bench.path.failures()), (Some(0.0), 0));
            assert_eq!(bench.until_change(100, |_| false), Some(8), "from then on it is one");
        }
    }

    #[test]
    fn a_path_on_which_nothing_ever_came_back_is_broken_and_whole_with_the_first_that_does() {
        let mut bench = Bench::new();
        assert_eq!(bench.until_change(1000, |_| false), Some(53), "3 probes and a second for the third");
        assert_eq!(bench.until_change(1, |_| true), Some(1));
        assert!(!bench.path.is_broken());
        assert_eq!(bench.until_change(100, |_| false), Some(8));
        let healed = bench.until_change(1000, |_| true).unwrap();
        assert!((100..130).contains(&healed), "a path that has worked keeps its hold-down: {healed}");
    }

    #[test]
    fn what_a_full_queue_drops_breaks_no_path() {
        let mut bench = Bench::new();
        bench.until_change(50, |_| true);
        // A slow start fills the queue and overshoots it; then it drains, again and again.
        for _ in 0..50 {
            let filling = (1..10).map(|n| Some(n * 5 * MS));
            let overshooting = [None, Some(50 * MS), None, None, None, Some(48 * MS), None];
            let draining = (1..10).rev().map(|n| Some(n * 5 * MS));
            for round_trip in filling.chain(overshooting).chain(draining) {
                assert!(!bench.probe_after(round_trip), "broken by a full queue");
            }
        }
        assert!(bench.path.loss().unwrap() > 0.1, "these are losses all the same");
    }

    #[test]
    fn a_path_that_dies_behind_a_full_queue_is_found() {
        let mut bench = Bench::new();
        bench.until_change(50, |_| true);
        (0..20).for_each(|_| assert!(!bench.probe_after(Some(50 * MS))));
        let found = (1..=100).find(|_| bench.probe_after(None)).unwrap();
        assert!((8..20).contains(&found), "{found}");
    }

    #[test]
    fn losses_behind_a_queue_that_has_drained_are_a_failure() {
        let mut bench = Bench::new();
        bench.until_change(50, |_| true);
        (0..20).for_each(|_| assert!(!bench.probe_after(Some(50 * MS))));
        bench.probe(true);
        assert!(bench.until_change(25, |n| n % 3 != 0).is_some());
    }

    #[test]
    fn a_probe_that_comes_late_is_not_lost() {
        let mut bench = Bench::new();
        bench.until_change(50, |_| true);
        let late = bench.path.next_sequence();
        let sent = bench.now + 20 * MS;
        bench.probe(false);
        bench.until_change(20, |_| true);
        assert!(bench.path.loss().unwrap() > 0.0);
        bench.path.returned(late, sent, bench.now);
        assert_eq!(bench.path.loss(), Some(0.0));
    }

    #[test]
    fn round_trips_are_smoothed_as_the_rfcs_say() {
        let first = RoundTrip::add(None, 8 * MS);
        let second = RoundTrip::add(Some(first), 16 * MS);
        assert_eq!((second.least, second.smoothed, second.jitter), (8 * MS, 9 * MS, MS / 2));
    }

    #[test]
    fn a_path_left_broken_heals_only_by_probes_that_come_back() {
        let mut bench = Bench { path: PathProbes::new(2000 * MS, true, Nanos(0)), now: Nanos(0) };
        for seconds in 0..10 {
            assert!(!bench.path.decide(Nanos(0) + seconds * 1000 * MS));
        }
        assert!(bench.until_change(200, |_| true).is_some());
    }
}
