//! Room beside the stack, in which the program of one CPU works on a frame.

use smoc_common::{
    map::{PairKey, Prefix, SCRATCH_BYTES},
    pipeline::Ends,
    token::Schedule,
    wire::{headers::Headers, mptcp::Handshake, tcp::OptionBuffer},
};

use crate::maps::{SCRATCH, first};

const _: () = assert!(size_of::<Scratch>() <= SCRATCH_BYTES);

/// What a program works on beside its stack, which has 512 bytes and which, without CAP_PERFMON, may not be read
/// at an offset that only the frame knows.
#[repr(C, align(8))]
pub struct Scratch {
    /// The options of a segment.
    pub options: OptionBuffer,
    /// The message schedule of a token's hash.
    pub schedule: Schedule,
    /// The headers of the frame.
    pub headers: Headers,
    /// What the options say of a handshake.
    pub handshake: Handshake,
    /// What was copied from the frame last.
    pub loaded: Loaded,
    /// Where its hosts are.
    pub ends: Ends,
    /// The key of the router that is looked for.
    pub wanted: Prefix,
    /// The classes of hosts for which a rule is looked for.
    pub pair: PairKey,
    number: usize,
}

/// Room for what is copied from a frame at a time, up to an IPv6 header.
pub type Loaded = [u64; 5];

/// The scratch of the running program.
#[inline(always)]
pub fn scratch() -> Option<*mut Scratch> {
    first((&raw const SCRATCH).cast())
}

/// The same number by way of memory that the verifier does not follow.
#[inline(always)]
pub fn through_memory(scratch: *mut Scratch, number: usize) -> usize {
    // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU.
    unsafe {
        (&raw mut (*scratch).number).write_volatile(number);
        (&raw const (*scratch).number).read_volatile()
    }
}
