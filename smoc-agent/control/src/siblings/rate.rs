//! How often something may be done.

use std::time::Duration;

use crate::clock::Nanos;

/// So many a second, and so many at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    each: Duration,
    burst: u32,
    /// When the last would have been, had they come evenly.
    even: Nanos,
}

impl Rate {
    pub(super) fn new((a_second, at_once): (u32, u32)) -> Self {
        Self { each: Duration::from_secs(1) / a_second, burst: at_once, even: Nanos(0) }
    }

    /// From when on the next is allowed.
    pub(super) fn free_at(&self) -> Nanos {
        self.even - self.each * (self.burst - 1)
    }

    /// Whether one more is allowed now; then it counts.
    pub(super) fn admit(&mut self, now: Nanos) -> bool {
        let is_free = self.free_at() <= now;
        if is_free {
            self.even = self.even.max(now) + self.each;
        }
        is_free
    }
}
