//! How long a handshake took along its path.
//!
//! Both ends of a time are frames of the network, so that only one host's part is in it. No time is taken of a handshake
//! of which it is not known what answered what (P. Karn and C. Partridge, SIGCOMM 1987), or of which a frame took another
//! path than the subflow's.

use crate::{
    map::{Flow, HalfOpen},
    pipeline::subflow::Subflow,
};

/// Takes note of a SYN/ACK that answers in kind `now`, whether it is the `first` one or comes again.
#[inline(always)]
pub(super) fn answered(half: &mut HalfOpen, subflow: &Subflow<'_>, now: u64, first: bool) {
    if !first {
        half.untimed = 1;
        return;
    }
    half.answered = now;
    half.asked = half.flow.rank;
    half.untimed = u8::from(has_left(subflow));
}

/// Nanoseconds between the two frames of a handshake that its path is between, when the third ACK completes it `now`; 0 if that
/// is not known.
#[inline(always)]
pub(super) fn taken(half: &HalfOpen, subflow: &Subflow<'_>, now: u64) -> u64 {
    let is_again = half.syn_seen != half.flow.opened || half.untimed != 0;
    if is_again || half.moved != 0 || half.flow.flags & Flow::FOLLOWS != 0 || has_left(subflow) {
        return 0;
    }
    if half.flow.flags & Flow::LOCAL_OPENED == 0 {
        return now.wrapping_sub(half.answered);
    }
    // Joins that are under way at once ask on the same path, and each gets another one by the answer.
    if half.asked == half.flow.rank { half.answered.wrapping_sub(half.flow.opened) } else { 0 }
}

/// Whether a frame came another way than along the path of its subflow; one from a host here has not.
#[inline(always)]
fn has_left(subflow: &Subflow<'_>) -> bool {
    subflow.label.is_moved() || subflow.label.is_unrouted()
}
