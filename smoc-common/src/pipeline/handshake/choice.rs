//! What a step of a handshake comes to.

use crate::map::HalfOpen;

/// The rank of a subflow in its handshake, or that the segment is of none. One register: a function that is
/// not inlined cannot return more in BPF, and inlined the handshake would exceed the stack of 512 bytes.
pub(super) struct Choice(pub u32);

impl Choice {
    pub const NO_HANDSHAKE: Self = Self(u32::MAX);
    /// A SYN/ACK was the first to answer its SYN in kind: [`settle`](super::answer::settle) goes on.
    pub const ANSWERED: Self = Self(u32::MAX - 1);
    /// A segment is where the third ACK should be: [`complete`](super::third_ack::complete) goes on.
    pub const THIRD_ACK: Self = Self(u32::MAX - 2);
    /// It is the third ACK: [`finish`](super::third_ack::finish) goes on.
    pub const COMPLETE: Self = Self(u32::MAX - 3);
    pub const MOVED: u32 = 0x100;

    #[inline(always)]
    pub fn rank(rank: u8) -> Self {
        Self(u32::from(rank))
    }

    /// The rank of a SYN, and whether that has moved there.
    #[inline(always)]
    pub fn of(half: &HalfOpen) -> Self {
        Self(u32::from(half.flow.rank) | if half.moved != 0 { Self::MOVED } else { 0 })
    }
}
