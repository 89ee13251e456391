//! The clock that the kernel programs read.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use smoc_control::clock::Nanos;

/// Now, by CLOCK_MONOTONIC.
pub fn now() -> Nanos {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    Nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// Microseconds since 1970 by the wall clock, which may be set back.
pub fn microseconds_since_1970() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A number that no other run of an agent has: of the time, the process and the kernel's random numbers. A run that began in an earlier
/// second has a lower one, as far as clocks agree.
pub fn boot_number() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds its hashers from the kernel's random numbers.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(now().0);
    hasher.write_u32(std::process::id());
    ((microseconds_since_1970() / 1_000_000) << 32) | hasher.finish() & 0xffff_ffff
}
