//! Back-off: how long something that was down has to work before it counts as up again.

use std::time::Duration;

use crate::clock::Nanos;

/// The max hold-down, and how long something has to stay up until its failures are forgotten.
pub const MAX_HOLD_DOWN: Duration = Duration::from_secs(60);

/// The hold-down of one port or path: the configured time at first, twice as long with each failure that comes
/// within [`MAX_HOLD_DOWN`] of the last recovery, and at most [`MAX_HOLD_DOWN`] (or what is configured, if that is more).
#[derive(Clone, Debug)]
pub struct HoldDown {
    least: Duration,
    doublings: u32,
    failures: u32,
    recovered: Option<Nanos>,
}

impl HoldDown {
    /// Without failures so far.
    pub fn new(least: Duration) -> Self {
        Self { least, doublings: 0, failures: 0, recovered: None }
    }

    /// Takes note of a failure.
    pub fn failed(&mut self, now: Nanos) {
        self.failures += 1;
        let soon = self.recovered.is_some_and(|recovered| now.since(recovered) < MAX_HOLD_DOWN);
        self.doublings = if soon { self.doublings + 1 } else { 0 };
    }

    /// Takes note of a recovery.
    pub fn recovered(&mut self, now: Nanos) {
        self.recovered = Some(now);
    }

    /// Changes the configured time.
    pub fn set_least(&mut self, least: Duration) {
        self.least = least;
    }

    /// How long it has to work now.
    pub fn needed(&self) -> Duration {
        let doubled = self.least.saturating_mul(1u32.checked_shl(self.doublings).unwrap_or(u32::MAX));
        doubled.min(MAX_HOLD_DOWN.max(self.least))
    }

    /// How often it failed.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flapping_doubles_it_up_to_a_minute_and_a_quiet_minute_forgets_it() {
        let mut hold = HoldDown::new(Duration::from_secs(1));
        let mut now = Nanos(0);
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            hold.failed(now);
            assert_eq!(hold.needed(), Duration::from_secs(expected));
            now = now + hold.needed();
            hold.recovered(now);
        }
        hold.failed(now + MAX_HOLD_DOWN);
        assert_eq!((hold.needed(), hold.failures()), (Duration::from_secs(1), 9));
    }
}
