//! The third ACK, and what comes in its place.

use super::{
    answer::agree,
    awaited::{Awaited, fall_back, follows, leave},
    choice::Choice,
    timing,
};
use crate::{
    event::Note,
    map::{Flow, HalfOpen},
    pipeline::{
        Table, Tables,
        connection::{self, Agreed},
        note,
        subflow::Subflow,
    },
    route::Rank,
    token::Version,
    wire::{
        Frame,
        mptcp::{Handshake, Kind},
        tcp,
    },
};

/// The largest window that a SYN or SYN/ACK can offer: it is not scaled (RFC 7323, 2.2).
const UNSCALED: u32 = 0xffff;

/// Anything without SYN: a RST ends the handshake, what is where the third ACK should be goes on.
#[inline(never)]
pub(super) fn acknowledged<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Subflow { key, segment, .. } = *subflow;
    let Some(half) = tables.half_open().get(key) else { return Choice::NO_HANDSHAKE };
    let awaited = Awaited::of(half);
    subflow.count(&mut half.flow);
    let is_initiators = awaited.opened_here == subflow.is_from_local;
    let is_third_ack = is_initiators && awaited.is_answered && follows(half, segment.sequence);
    if segment.has(tcp::RST) {
        if is_refusal(half, subflow, is_initiators) {
            leave(tables, key);
        }
    } else if is_third_ack && awaited.left_out == 0 {
        // The initiator has the last word about the path. Where its SYN kept to its own, this frame alone has left that,
        // because it is down for now.
        let says_rank = !subflow.label.is_unrouted() && (half.moved != 0 || !subflow.label.is_moved());
        if !subflow.is_from_local && says_rank {
            half.flow.rank = subflow.label.rank().get();
        }
        return Choice::THIRD_ACK;
    }
    if awaited.left_out != 0 { Choice::NO_HANDSHAKE } else { Choice::rank(awaited.rank) }
}

/// Whether a RST is one that its receiver takes in the middle of a handshake (RFC 9293, 3.10.7.3 and 3.10.7.4).
#[inline(always)]
fn is_refusal(half: &HalfOpen, subflow: &Subflow<'_>, is_initiators: bool) -> bool {
    let segment = subflow.segment;
    let behind = |number: u32, isn: u32| number.wrapping_sub(isn).wrapping_sub(1) <= UNSCALED;
    if is_initiators {
        return behind(segment.sequence, half.isn);
    }
    let is_answered = half.progress & HalfOpen::ANSWERED != 0;
    (segment.has(tcp::ACK) && follows(half, segment.acknowledgment))
        || (is_answered && behind(segment.sequence, half.responder_isn))
}

/// A segment where the third ACK of an answered SYN should be: it is that, or its hosts fall back to TCP.
#[inline(never)]
pub(super) fn complete<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    let awaited = Awaited::of(half);
    let rank = Choice::rank(awaited.rank);
    let mut room = Handshake::default();
    let Some(option) = frame.handshake(subflow.segment, &mut room) else {
        return fall_back(tables, subflow.key, awaited);
    };
    if option.kind != (if awaited.is_join { Kind::Join } else { Kind::Capable }) {
        return rank;
    }
    let (mut initiator, mut responder) = (0, 0);
    if !awaited.is_join {
        initiator = T::token(option.version, option.sender_key);
        responder = T::token(option.version, option.receiver_key);
    }
    let version = option.version;
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    if !awaited.is_join {
        if !agrees(half, version, initiator, responder) {
            note(tables, Note::AckDisagrees, subflow.key, 0, awaited.rank);
            return rank;
        }
        half.initiator_token = initiator;
        half.responder_tokens[0] = responder;
    }
    if T::fetch_or(&mut half.progress, HalfOpen::COMPLETE) & HalfOpen::COMPLETE != 0 {
        // The same ACK on another CPU.
        return rank;
    }
    Choice::COMPLETE
}

/// The third ACK has confirmed the SYN/ACK: the subflow has a connection and is established.
#[inline(never)]
pub(super) fn finish<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    let awaited = Awaited::of(half);
    if awaited.connection == 0 && awaited.is_join {
        agree(tables, subflow);
    } else if awaited.connection == 0 {
        let (initiator, responder) = (half.initiator_token, half.responder_tokens[0]);
        let agreed = Agreed { initiator, responder, version: awaited.version, rank: awaited.rank };
        let id = connection::bind(tables, subflow, agreed);
        if let Some(half) = tables.half_open().get(subflow.key) {
            half.flow.connection = id;
        }
    }
    establish(tables, subflow)
}

/// Whether version and tokens of a third ACK are those of its SYN and of a SYN/ACK.
#[inline(always)]
fn agrees(half: &HalfOpen, version: Version, initiator: u32, responder: u32) -> bool {
    version as u8 == half.version
        && (version == Version::V1 || initiator == half.initiator_token)
        && (responder == half.responder_tokens[0] || responder == half.responder_tokens[1])
}

/// Moves a subflow to the table of established ones.
#[inline(never)]
fn establish<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let key = subflow.key;
    let (now, tick) = (tables.now(), tables.tick());
    let Some(half) = tables.half_open().get(key) else { return Choice::NO_HANDSHAKE };
    let time = timing::taken(half, subflow, now);
    let (ours, theirs) = (half.isn.wrapping_add(1), half.responder_isn.wrapping_add(1));
    let flow = &mut half.flow;
    // Who was not known when the SYN came may be by now.
    subflow.ends.enter(flow);
    if subflow.label.is_unrouted() {
        flow.flags |= Flow::FOLLOWS;
    }
    let connection = flow.connection;
    let edge = flow.remote.edge;
    let (rank, is_join) = (flow.rank, flow.flags & Flow::JOIN != 0);
    flow.closing = if is_join { Flow::UNCONFIRMED } else { 0 };
    (flow.sent_sequence, flow.received_sequence) =
        if subflow.is_from_local { (ours, theirs) } else { (theirs, ours) };
    // Each has acknowledged the other's SYN.
    (flow.sent_acknowledgment, flow.received_acknowledgment) = (flow.received_sequence, flow.sent_sequence);
    // The next segment looks its connection up.
    flow.touched = tick.wrapping_sub(1);
    if !tables.establish(key) {
        if let Some(half) = tables.half_open().get(key) {
            T::fetch_and(&mut half.progress, !HalfOpen::COMPLETE);
        }
        note(tables, Note::TableFull, key, connection, rank);
        return Choice::rank(rank);
    }
    leave(tables, key);
    if time != 0 {
        tables.timed(edge, Rank::new(rank), time);
    }
    if is_join {
        if let Some(connection) = tables.connections().get(&connection) {
            T::fetch_add(&mut connection.joined, 1);
        }
        note(tables, Note::Joined, key, connection, rank);
    }
    Choice::rank(rank)
}
