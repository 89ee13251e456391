//! The clock that the kernel programs read.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use smoc_control::clock::Nanos;

/// Now, by CLOCK_MONOTONIC.
pub fn now() -> Nanos {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    Nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
