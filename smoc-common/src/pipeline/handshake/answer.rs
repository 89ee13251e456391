//! The SYN/ACK: the responder agrees, or the subflow is no MPTCP.

use super::{
    awaited::{Awaited, fall_back, follows},
    choice::Choice,
    timing,
};
use crate::{
    map::{ConnectionId, EdgeIndex, Flow, HalfOpen},
    pipeline::{
        Table, Tables, connection, rank,
        subflow::{Subflow, forget},
    },
    wire::{
        Frame,
        mptcp::{Handshake, Kind},
    },
};

/// A SYN/ACK: it answers the SYN in kind, or the subflow is no MPTCP.
#[inline(never)]
pub(super) fn answered<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Subflow { key, segment, .. } = *subflow;
    let Some(half) = tables.half_open().get(key) else { return Choice::NO_HANDSHAKE };
    let awaited = Awaited::of(half);
    if awaited.opened_here == subflow.is_from_local || !follows(half, segment.acknowledgment) {
        return if awaited.left_out != 0 { Choice::NO_HANDSHAKE } else { Choice::rank(awaited.rank) };
    }
    subflow.count(&mut half.flow);
    let mut room = Handshake::default();
    let option = frame.handshake(segment, &mut room);
    let token = match option {
        _ if awaited.left_out != 0 => None,
        Some(Handshake { kind: Kind::Capable, version, sender_key, .. })
            if !awaited.is_join && *version as u8 == awaited.version =>
        {
            Some(T::token(*version, *sender_key))
        }
        Some(Handshake { kind: Kind::Join, .. }) if awaited.is_join => Some(0),
        _ => None,
    };
    match token {
        Some(token) => answer(tables, subflow, token),
        // The initiator took the first.
        None if awaited.is_answered => Choice::rank(awaited.rank),
        None => fall_back(tables, key, awaited),
    }
}

/// A SYN/ACK answers in kind, with this token.
#[inline(always)]
fn answer<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, token: u32) -> Choice {
    let now = tables.now();
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    let before = T::fetch_or(&mut half.progress, HalfOpen::ANSWERED);
    half.responder_tokens[1] = token;
    timing::answered(half, subflow, now, before & HalfOpen::ANSWERED == 0);
    if before & HalfOpen::ANSWERED != 0 {
        return Choice::of(half);
    }
    half.responder_tokens[0] = token;
    half.responder_isn = subflow.segment.sequence;
    Choice::ANSWERED
}

/// Both hosts agree on a subflow.
#[inline(never)]
pub(super) fn settle<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    if half.flow.flags & Flow::JOIN != 0 {
        agree(tables, subflow);
    }
    forget(tables, subflow.key);
    tables.half_open().get(subflow.key).map_or(Choice::NO_HANDSHAKE, |half| Choice::of(half))
}

/// Both hosts agree on a join: it gets the next number of its connection, and at the responder's edge that number's
/// rank, unless its SYN has moved; the other edge learns the rank from the label, also where it does not know the connection. At
/// the responder's edge a join from another edge than the connection's follows that one, which may move it.
#[inline(never)]
pub(super) fn agree<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) {
    let Some(half) = tables.half_open().get(subflow.key) else { return };
    let (token, owner) = (half.flow.token, connection::owner(subflow.ends, half.flow.flags));
    let (is_moved, mut own) = (half.moved != 0, half.flow.rank);
    let mut id = 0;
    if let Ok(found) = connection::find(tables, token, owner) {
        id = found;
        own = take_rank(tables, id, subflow.ends.remote.edge);
    }
    let is_elsewhere = is_elsewhere(tables, id, subflow.ends.edge);
    if let Some(half) = tables.half_open().get(subflow.key) {
        half.flow.connection = id;
        if id != 0 {
            half.flow.flags &= !Flow::HASHED;
        }
        if is_elsewhere && half.flow.flags & Flow::LOCAL_OPENED == 0 {
            half.flow.flags |= Flow::FOLLOWS;
        }
        // A SYN/ACK that has left its path for now, or came over the base network, does not say which that is.
        let has_left = subflow.label.is_moved() && !is_moved;
        if !subflow.is_from_local && !has_left {
            half.flow.rank = subflow.label.rank().get();
        } else if !is_moved {
            half.flow.rank = own;
        }
    }
}

/// Whether a connection's other host is attached to another edge than this one.
#[inline(never)]
fn is_elsewhere<T: Tables>(tables: &mut T, id: ConnectionId, edge: EdgeIndex) -> bool {
    tables.connections().get(&id).is_some_and(|connection| connection.remote.edge != edge)
}

/// The rank of the next number of a connection, which nobody else gets.
#[inline(never)]
fn take_rank<T: Tables>(tables: &mut T, id: ConnectionId, edge: EdgeIndex) -> u8 {
    let (number, first) = connection::take(tables, id);
    rank::of_number(tables.path_set(edge), first, number)
}
