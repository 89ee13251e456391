//! What an edge learns from the handshakes of MPTCP (RFC 8684, 3.1 and 3.2), in both directions.
//!
//! ```text
//!  SYN      MP_CAPABLE  -> half open, rank 0             MP_JOIN + token -> half open, on the next rank
//!  SYN/ACK  MP_CAPABLE  -> answered, responder's token   MP_JOIN         -> answered, takes the next number
//!  ACK      MP_CAPABLE  -> both tokens bound; established MP_JOIN        -> established
//! ```
//!
//! Nothing of a SYN alone enters a table that established subflows live in, and none takes a number: that the responder
//! agrees is what its SYN/ACK shows. Where several joins are on their way at once their SYNs share a path, and the
//! responder's edge gives each a rank of its own; the other edge reads it from the label. A third ACK that lacks its option
//! means that the hosts fall back to TCP, and so does this.

mod answer;
mod awaited;
mod choice;
mod opening;
mod third_ack;
mod timing;

use answer::{answered, settle};
use choice::Choice;
use opening::opened;
use third_ack::{acknowledged, complete, finish};

use super::{Tables, subflow::Subflow};
use crate::wire::{Frame, tcp};

/// Where a segment of a handshake goes.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// The path as numbered in a [`PathSet`](crate::map::PathSet).
    pub path: u8,
    /// Its SYN has moved there from the subflow's own rank.
    pub moved: bool,
}

/// Learns from a segment; the way of its subflow if it takes part in an MPTCP handshake.
#[inline(always)]
pub(super) fn follow<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Option<Way> {
    // One step behind the other, and not one within the other: together they would not fit on the stack.
    let segment = subflow.segment;
    let Choice(mut choice) = if !segment.has(tcp::SYN) {
        acknowledged(tables, subflow)
    } else if segment.flags & (tcp::RST | tcp::FIN) != 0 {
        // Hosts drop it.
        Choice::NO_HANDSHAKE
    } else if segment.has(tcp::ACK) {
        answered(frame, tables, subflow)
    } else {
        opened(frame, tables, subflow)
    };
    if choice == Choice::ANSWERED.0 {
        Choice(choice) = settle(tables, subflow);
    } else if choice == Choice::THIRD_ACK.0 {
        Choice(choice) = complete(frame, tables, subflow);
    }
    if choice == Choice::COMPLETE.0 {
        Choice(choice) = finish(tables, subflow);
        if segment.has(tcp::FIN) {
            tables.look_closer(subflow.key, segment, subflow.is_from_local);
        }
    }
    if choice == Choice::NO_HANDSHAKE.0 {
        return None;
    }
    Some(Way { path: choice as u8, moved: choice & Choice::MOVED != 0 })
}
