//! `HANDSHAKES`: how long handshakes took along each path.

use super::{EDGE_ENTRIES, EdgeIndex};
use crate::route::Rank;

/// Entries in `HANDSHAKES`: one for each rank of each edge.
pub const HANDSHAKE_ENTRIES: u32 = EDGE_ENTRIES * Rank::COUNT as u32;

/// The times that the handshakes of one path took: a histogram that only grows, shared by all CPUs. The time is from a SYN
/// to its SYN/ACK where the initiator's host is attached, from a SYN/ACK to its third ACK where the responder's is: once
/// along the path and back, and what the other host takes to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct HandshakeTimes {
    /// How many took at most [`HandshakeTimes::bound`], and more than the bound before; the last of all other times.
    pub buckets: [u64; HandshakeTimes::BUCKETS],
    /// The sum of all times in nanoseconds.
    pub sum: u64,
}

impl HandshakeTimes {
    /// Entries of `buckets`.
    pub const BUCKETS: usize = 16;
    /// The bound of the first bucket in nanoseconds, as a power of two: about 16 microseconds.
    const FIRST: u32 = 14;

    /// Where a path's times are in `HANDSHAKES`.
    pub const fn place(edge: EdgeIndex, rank: Rank) -> u32 {
        edge as u32 * Rank::COUNT as u32 + rank.get() as u32
    }

    /// The bucket of a time in nanoseconds.
    #[inline(always)]
    pub const fn bucket(time: u64) -> usize {
        // How many bits the rest has, by halves: there is no such instruction, and the kernel's verifier follows a loop
        // past its end where a processor might.
        let (mut bits, mut rest) = (0, time.saturating_sub(1) >> Self::FIRST);
        if rest >> (Self::BUCKETS - 1) != 0 {
            return Self::BUCKETS - 1;
        }
        if rest >> 8 != 0 {
            (bits, rest) = (8, rest >> 8);
        }
        if rest >> 4 != 0 {
            (bits, rest) = (bits + 4, rest >> 4);
        }
        if rest >> 2 != 0 {
            (bits, rest) = (bits + 2, rest >> 2);
        }
        bits + if rest > 1 { 2 } else { rest as usize }
    }

    /// The longest time in nanoseconds that a bucket counts; `None` for the last one, which has no bound.
    pub const fn bound(bucket: usize) -> Option<u64> {
        if bucket < Self::BUCKETS - 1 { Some(1 << (Self::FIRST + bucket as u32)) } else { None }
    }

    /// What has been counted since `before`. The programs write each number by itself: a sum can be ahead of its bucket.
    pub fn since(&self, before: &Self) -> Self {
        let mut more = *self;
        more.buckets.iter_mut().zip(before.buckets).for_each(|(now, then)| *now = now.saturating_sub(then));
        more.sum = self.sum.saturating_sub(before.sum);
        more
    }

    /// Adds what has been counted elsewhere or later.
    pub fn add(&mut self, more: &Self) {
        self.buckets.iter_mut().zip(more.buckets).for_each(|(count, more)| *count += more);
        self.sum += more.sum;
    }

    /// How many handshakes were timed.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        for time in (0..40).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1]) {
            let first = (0..HandshakeTimes::BUCKETS)
                .find(|&bucket| HandshakeTimes::bound(bucket).is_none_or(|bound| time <= bound));
            assert_eq!(Some(HandshakeTimes::bucket(time)), first, "{time}");
        }
        assert_eq!(HandshakeTimes::bucket(u64::MAX), HandshakeTimes::BUCKETS - 1);
    }

    #[test]
    fn every_path_has_a_place_of_its_own() {
        let worst = Rank::new(Rank::COUNT as u8 - 1);
        assert_eq!(HandshakeTimes::place(EDGE_ENTRIES as EdgeIndex - 1, worst), HANDSHAKE_ENTRIES - 1);
        assert_eq!(HandshakeTimes::place(1, Rank::BEST), HandshakeTimes::place(0, worst) + 1);
    }
}
