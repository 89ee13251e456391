//! When this switch tells the others what it has learned and which of its ports are down, and with which number.

use std::time::Duration;

use smoc_paths::topology::generate::Random;

use super::namesakes::SELDOM;
use crate::clock::Nanos;

/// What changes is told no more often than this.
const LEAST: Duration = Duration::from_millis(50);
/// Hosts that change again and again are told of the less often, down to this: an announcement goes over each link of the
/// network, and where many hosts start together each of their switches would make twenty a second.
const HOSTS_SELDOM: Duration = Duration::from_secs(1);
/// All is repeated after this long, a tenth more or less, so that switches that start together do not speak together.
const REPEAT: Duration = Duration::from_secs(5);

/// Counts this switch's announcements.
#[derive(Clone, Debug)]
pub(super) struct Announcer {
    boot: u64,
    sequence: u64,
    random: Random,
    last: Option<Nanos>,
    next: Nanos,
    /// Time from the last announcement to one of other hosts, twice as long with each of those that follows soon.
    pause: Duration,
    /// Whether the next one tells of other hosts.
    has_hosts: bool,
    /// While another switch of this name is listened to: when this one may speak again.
    held: Option<Nanos>,
}

impl Announcer {
    /// `boot` is a number that no other run of an agent has; `sequence` a first guess that is higher than what the last
    /// agent used.
    pub(super) fn new(boot: u64, sequence: u64) -> Self {
        Self {
            boot,
            sequence,
            random: Random(boot),
            last: None,
            next: Nanos(0),
            pause: LEAST,
            has_hosts: false,
            held: None,
        }
    }

    /// No other switch has this one's name any more.
    pub(super) fn release(&mut self) {
        self.held = None;
    }

    /// What is to be told has changed: it is told at once, or as soon as the last time is long enough ago.
    pub(super) fn hurry(&mut self, now: Nanos) {
        self.hurry_after(LEAST, now);
    }

    /// Hosts have changed: it is told at once if it is the first time in a while.
    pub(super) fn hurry_hosts(&mut self, now: Nanos) {
        self.has_hosts = true;
        self.hurry_after(self.pause, now);
    }

    fn hurry_after(&mut self, pause: Duration, now: Nanos) {
        let earliest = self.last.map_or(now, |last| (last + pause).max(now));
        self.next = self.next.min(earliest);
    }

    /// The network remembers an announcement of this switch by another run of its agent; whether this one has to go on
    /// behind it: at once, or, if it `is_second` of two that run, when it speaks next, and that seldom.
    pub(super) fn heard_own(&mut self, boot: u64, sequence: u64, is_second: bool, now: Nanos) -> bool {
        let is_behind = boot != self.boot && sequence >= self.sequence;
        if is_second {
            self.held = Some(self.last.map_or(now, |last| last + SELDOM));
        } else if is_behind {
            self.held = None;
        }
        if is_behind {
            self.sequence = sequence;
            self.hurry(now);
        }
        is_behind
    }

    /// The boot and sequence of an announcement that is due now.
    pub(super) fn due(&mut self, now: Nanos) -> Option<(u64, u64)> {
        if now < self.next() {
            return None;
        }
        self.held = self.held.map(|_| now + SELDOM);
        if std::mem::take(&mut self.has_hosts) {
            let is_calm = self.last.is_none_or(|last| now.since(last) > HOSTS_SELDOM * 2);
            self.pause = if is_calm { LEAST } else { (self.pause * 2).min(HOSTS_SELDOM) };
        }
        let tenth = REPEAT / 10;
        let jitter = Duration::from_nanos(self.random.bits() % (2 * tenth.as_nanos() as u64));
        (self.last, self.next) = (Some(now), now + (REPEAT - tenth) + jitter);
        self.sequence += 1;
        Some(self.number())
    }

    /// The boot and sequence of the last announcement.
    pub(super) fn number(&self) -> (u64, u64) {
        (self.boot, self.sequence)
    }

    /// When something is due.
    pub(super) fn next(&self) -> Nanos {
        self.held.map_or(self.next, |held| held.max(self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_all_the_time_is_told_twenty_times_a_second_and_silence_is_broken_every_five() {
        let mut announcer = Announcer::new(1, 1);
        let count = |announcer: &mut Announcer, from: u64, changes: bool| {
            let due = (from..from + 60_000).filter(|millisecond| {
                let now = Nanos(millisecond * 1_000_000);
                if changes {
                    announcer.hurry(now);
                }
                announcer.due(now).is_some()
            });
            due.count()
        };
        assert_eq!(count(&mut announcer, 1, true), 1200);
        assert!((10..=14).contains(&count(&mut announcer, 60_001, false)));
    }

    #[test]
    fn hosts_that_change_all_the_time_are_told_of_once_a_second_and_links_do_not_wait_for_that() {
        let mut announcer = Announcer::new(1, 1);
        let mut told = Vec::new();
        for millisecond in 0..10_000u64 {
            let now = Nanos((1 + millisecond) * 1_000_000);
            announcer.hurry_hosts(now);
            if millisecond == 9_100 {
                announcer.hurry(now);
            }
            if announcer.due(now).is_some() {
                told.push(millisecond);
            }
        }
        assert_eq!(told[..7], [0, 50, 150, 350, 750, 1550, 2550]);
        assert_eq!(told[told.len() - 3..], [7550, 8550, 9100]);
        let later = Nanos(20_000_000_000);
        announcer.due(later - Duration::from_secs(3));
        announcer.hurry_hosts(later);
        assert!(announcer.due(later).is_some(), "the first time in a while");
        announcer.hurry_hosts(later);
        assert_eq!(announcer.next(), later + LEAST);
    }

    #[test]
    fn the_sequence_goes_on_behind_what_the_network_remembers() {
        let mut announcer = Announcer::new(2, 100);
        assert!(
            !announcer.heard_own(1, 99, false, Nanos(0)) && !announcer.heard_own(2, 500, false, Nanos(0))
        );
        assert!(announcer.heard_own(1, 500, false, Nanos(0)));
        assert_eq!(announcer.due(Nanos(0)), Some((2, 501)));
    }
}
