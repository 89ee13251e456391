//! Which paths are probed when: those in use often, the others less often, all of them evenly, and never more probes a
//! second than the budget allows.

use std::time::Duration;

use crate::{clock::Nanos, config::Probes};

/// Max time that is made up for after a pause.
const CATCH_UP: Duration = Duration::from_millis(50);

/// As long as the budget has that much to spare, paths that seem idle are probed more often than they would have to
/// be: traffic that is no MPTCP is seen on none.
const IDLE_SHARE: f64 = 0.2;

/// Paths that are probed at the same rate, in turn.
#[derive(Clone, Debug, Default)]
struct Turn {
    paths: Vec<usize>,
    next: usize,
    /// Time between two probes of one path.
    interval: Duration,
    /// Nanoseconds times paths that have passed since the last probe was due.
    saved: u128,
}

impl Turn {
    fn due(&mut self, passed: Duration, mut probe: impl FnMut(usize)) {
        if self.paths.is_empty() || self.interval.is_zero() {
            return;
        }
        self.saved += passed.as_nanos() * self.paths.len() as u128;
        while self.saved >= self.interval.as_nanos() {
            self.saved -= self.interval.as_nanos();
            self.next %= self.paths.len();
            probe(self.paths[self.next]);
            self.next += 1;
        }
    }

    fn rate(&self) -> f64 {
        if self.interval.is_zero() { 0.0 } else { self.paths.len() as f64 / self.interval.as_secs_f64() }
    }
}

/// The turns of all paths.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    used: Turn,
    idle: Turn,
    last: Option<Nanos>,
}

impl Schedule {
    /// Plans for these paths (any numbers, in the order in which they take their turns) from now on.
    pub fn plan(&mut self, rules: &Probes, used: Vec<usize>, idle: Vec<usize>) {
        self.used.paths = used;
        self.idle.paths = idle;
        (self.used.interval, self.idle.interval) = (rules.interval, rules.idle_interval);
        if rules.interval.is_zero() {
            self.idle.interval = Duration::ZERO;
        }
        let budget = f64::from(rules.budget.max(1));
        let spare = (budget * IDLE_SHARE).min(budget - self.used.rate()).max(1.0);
        let affordable = Duration::from_secs_f64(self.idle.paths.len() as f64 / spare);
        self.idle.interval = self.idle.interval.min(affordable.max(rules.interval));
        let wanted = self.used.rate() + self.idle.rate();
        let stretch = (wanted / budget).max(1.0);
        for turn in [&mut self.used, &mut self.idle] {
            turn.interval = turn.interval.mul_f64(stretch);
            turn.saved = turn.saved.min(turn.interval.as_nanos());
        }
    }

    /// Hands every path that is due to `probe`.
    pub fn due(&mut self, now: Nanos, mut probe: impl FnMut(usize)) {
        let passed = self.last.map_or(Duration::ZERO, |last| now.since(last)).min(CATCH_UP);
        self.last = Some(now);
        self.used.due(passed, &mut probe);
        self.idle.due(passed, probe);
    }

    /// Time between two probes of one path, in use and not; zero if there are no probes.
    pub fn intervals(&self) -> (Duration, Duration) {
        (self.used.interval, self.idle.interval)
    }

    /// Probes a second.
    pub fn rate(&self) -> f64 {
        self.used.rate() + self.idle.rate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Probes = Probes {
        interval: Duration::from_millis(20),
        idle_interval: Duration::from_secs(1),
        budget: 1000,
        hold_down: Duration::from_secs(2),
    };

    /// How often each path is probed in ten seconds of ticks.
    fn probed(rules: &Probes, used: usize, idle: usize) -> Vec<u32> {
        let mut schedule = Schedule::default();
        schedule.plan(rules, (0..used).collect(), (used..used + idle).collect());
        let mut counts = vec![0; used + idle];
        for tick in 0..=1000 {
            schedule.due(Nanos(tick * 10_000_000), |path| counts[path] += 1);
        }
        counts
    }

    #[test]
    fn paths_in_use_are_probed_often_and_the_others_now_and_then() {
        assert_eq!(probed(&RULES, 3, 2), [500; 5]);
        let counts = probed(&RULES, 19, 20);
        assert!(counts[19..].iter().all(|n| (24..=25).contains(n)), "what 950 a second leave: {counts:?}");
    }

    #[test]
    fn the_budget_stretches_all_intervals_evenly() {
        let counts = probed(&RULES, 40, 1000);
        let total: u32 = counts.iter().sum();
        assert!((9_950..=10_050).contains(&total), "{total}");
        assert!(counts[..40].iter().all(|n| (166..=167).contains(n)), "{counts:?}");
        assert!(counts[40..].iter().all(|n| (3..=4).contains(n)));
    }

    #[test]
    fn a_break_is_not_made_up_for() {
        let mut schedule = Schedule::default();
        schedule.plan(&RULES, vec![7], vec![]);
        let mut count = 0;
        schedule.due(Nanos(0), |_| count += 1);
        schedule.due(Nanos(10_000_000_000), |_| count += 1);
        assert_eq!(count, 2);
    }

    #[test]
    fn without_an_interval_nothing_is_probed() {
        assert_eq!(probed(&Probes { interval: Duration::ZERO, ..RULES }, 3, 2), [0; 5]);
    }
}
