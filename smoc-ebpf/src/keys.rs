//! Keys of MPTCP connections: their tokens, and that nothing of them stays.

use smoc_common::{
    token::{self, Version},
    wire::tcp::OptionBuffer,
};

use crate::scratch::{scratch, through_memory};

/// The token of a key.
#[inline(always)]
fn derive(version: Version, key: u64) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: as in `through_memory`.
    let schedule = unsafe { &mut (*scratch).schedule };
    let token = token::derive_with(version, key, schedule, |index| through_memory(scratch, index));
    // What is left of the schedule can be computed backwards.
    // SAFETY: as in `through_memory`.
    unsafe { clear((&raw mut (*scratch).schedule).cast::<[u64; 8]>()) };
    token
}

/// Clears what a program may have left of an option with keys.
#[inline(never)]
pub fn forget_keys() {
    let Some(scratch) = scratch() else { return };
    // SAFETY: as in `through_memory`.
    unsafe {
        clear((&raw mut (*scratch).options).cast::<[u64; size_of::<OptionBuffer>() / 8]>());
        (&raw mut (*scratch).handshake.sender_key).write_volatile(0);
        (&raw mut (*scratch).handshake.receiver_key).write_volatile(0);
    }
}

/// Overwrites numbers with zeros, one by one: the compiler makes no call of a function of it that BPF does not have.
///
/// # Safety
/// The numbers are there, and nobody else writes them.
#[inline(always)]
unsafe fn clear<const N: usize>(numbers: *mut [u64; N]) {
    let mut at = 0;
    while at < N {
        // SAFETY: as above; `at` is below the length of the array.
        unsafe { (&raw mut (*numbers)[at]).write_volatile(0) };
        at += 1;
    }
}

// Global functions: the verifier checks each of them once, for any key.

/// The token of an RFC 6824 key.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_token_v0(key: u64) -> u32 {
    derive(Version::V0, key)
}

/// The token of an RFC 8684 key.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_token_v1(key: u64) -> u32 {
    derive(Version::V1, key)
}
