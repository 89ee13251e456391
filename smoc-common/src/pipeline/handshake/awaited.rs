//! What a half-open subflow waits for.

use super::choice::Choice;
use crate::{
    event::Note,
    map::{ConnectionId, Flow, FlowKey, HalfOpen},
    pipeline::{Table, Tables, note, subflow::forget},
};

/// What decides how a SYN/ACK or third ACK is taken, copied out of its entry.
#[derive(Clone, Copy)]
pub(super) struct Awaited {
    pub is_join: bool,
    pub left_out: u8,
    pub is_answered: bool,
    pub opened_here: bool,
    pub version: u8,
    pub rank: u8,
    pub connection: ConnectionId,
}

impl Awaited {
    #[inline(always)]
    pub fn of(half: &HalfOpen) -> Self {
        Self {
            is_join: half.flow.flags & Flow::JOIN != 0,
            left_out: half.left_out,
            is_answered: half.progress & HalfOpen::ANSWERED != 0,
            opened_here: half.flow.flags & Flow::LOCAL_OPENED != 0,
            version: half.version,
            rank: half.flow.rank,
            connection: half.flow.connection,
        }
    }
}

/// Whether a number is one that follows the SYN: behind none or all of the data that it carried.
#[inline(always)]
pub(super) fn follows(half: &HalfOpen, number: u32) -> bool {
    number.wrapping_sub(half.isn).wrapping_sub(1) <= u32::from(half.data)
}

/// The handshake is over, whatever has become of it: its port may have another one.
#[inline(never)]
pub(super) fn leave<T: Tables>(tables: &mut T, key: &FlowKey) {
    let Some(half) = tables.half_open().get(key) else { return };
    let port = half.flow.local_switch_port;
    tables.half_open().remove(key);
    // 0 stands for all ports, of which every opening counts.
    if port != 0
        && let Some(openings) = tables.openings(port)
    {
        openings.count = openings.count.saturating_sub(1);
    }
}

/// The hosts go on without MPTCP.
#[inline(never)]
pub(super) fn fall_back<T: Tables>(tables: &mut T, key: &FlowKey, awaited: Awaited) -> Choice {
    leave(tables, key);
    forget(tables, key);
    let Awaited { left_out, is_answered, opened_here, rank, .. } = awaited;
    if left_out == 0 {
        note(tables, Note::FellBack, key, 0, rank);
    } else if left_out == HalfOpen::LEFT_OUT && !is_answered && opened_here {
        note(tables, Note::Blackhole, key, 0, rank);
    }
    Choice::NO_HANDSHAKE
}
