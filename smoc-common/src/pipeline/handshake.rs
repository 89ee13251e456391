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

use super::{
    Table, Tables, admitted, connection, note, rank,
    subflow::{Subflow, forget, is_known},
};
use crate::{
    event::Note,
    map::{ConnectionId, EdgeIndex, Flow, FlowKey, HalfOpen},
    token::Version,
    wire::{
        Frame,
        mptcp::{Handshake, Kind},
        tcp,
    },
};

/// A SYN that comes again sooner than this, in nanoseconds, was copied on its way: hosts wait a second at first (RFC
/// 6298, 2.1), and where they are set to wait less, hardly below this.
const LEAST_BACKOFF: u64 = 150_000_000;

/// For so long after its last SYN, in nanoseconds, a handshake is under way that nobody else may replace by another.
const UNDER_WAY: u64 = 60_000_000_000;

/// The largest window that a SYN or SYN/ACK can offer: it is not scaled (RFC 7323, 2.2).
const UNSCALED: u32 = 0xffff;

/// What a handshake starts from. It is filled in where it is stored: there is no room for it on the stack.
static HALF_OPEN: HalfOpen = HalfOpen::EMPTY;

/// The rank of a subflow in its handshake, or that the segment is of none. One register: a function that is
/// not inlined cannot return more in BPF, and inlined the handshake would exceed the stack of 512 bytes.
struct Choice(u32);

impl Choice {
    const NO_HANDSHAKE: Self = Self(u32::MAX);
    /// A SYN/ACK was the first to answer its SYN in kind: [`settle`] goes on.
    const ANSWERED: Self = Self(u32::MAX - 1);
    /// A segment is where the third ACK should be: [`complete`] goes on.
    const THIRD_ACK: Self = Self(u32::MAX - 2);
    /// It is the third ACK: [`finish`] goes on.
    const COMPLETE: Self = Self(u32::MAX - 3);
    const MOVED: u32 = 0x100;

    #[inline(always)]
    fn rank(rank: u8) -> Self {
        Self(u32::from(rank))
    }

    /// The rank of a SYN, and whether that has moved there.
    #[inline(always)]
    fn of(half: &HalfOpen) -> Self {
        Self(u32::from(half.flow.rank) | if half.moved != 0 { Self::MOVED } else { 0 })
    }
}

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

/// A SYN: a new subflow, or the same one again.
#[inline(never)]
fn opened<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Subflow { key, segment, is_from_local, .. } = *subflow;
    let mut room = Handshake::default();
    let option = frame.handshake(segment, &mut room).filter(|option| option.kind != Kind::Other);
    let now = tables.now();
    if let Some(half) = tables.half_open().get(key) {
        let is_same_side = (half.flow.flags & Flow::LOCAL_OPENED != 0) == is_from_local;
        if is_same_side && half.isn == segment.sequence {
            return again(tables, subflow, option.is_some());
        }
        // Whoever answered this one, or opened it, is still there.
        let is_replaceable = is_same_side && half.progress == 0;
        if !is_replaceable && now.wrapping_sub(half.syn_seen) < UNDER_WAY {
            return Choice::NO_HANDSHAKE;
        }
    }
    let is_used_again = is_known(tables, key);
    if option.is_none() && !is_used_again {
        return Choice::NO_HANDSHAKE;
    }
    if !admitted(tables, subflow.ends.local.port, now) {
        return untold(tables, subflow, Note::Stateless, option.is_some());
    }
    if !tables.half_open().insert(key, &HALF_OPEN) {
        return untold(tables, subflow, Note::TableFull, option.is_some());
    }
    let Some(half) = tables.half_open().get(key) else { return Choice::NO_HANDSHAKE };
    half.isn = segment.sequence;
    half.data = segment.data;
    half.flow.opened = now;
    half.syn_seen = now;
    half.flow.vlan = subflow.vlan;
    let opened = subflow.ends.routed | if is_from_local { Flow::LOCAL_OPENED } else { 0 };
    half.flow.flags = opened;
    half.flow.rank = subflow.label.rank().get();
    half.moved = u8::from(subflow.label.is_moved());
    subflow.ends.enter(&mut half.flow);
    subflow.count(&mut half.flow);
    match option {
        None => {
            // A 4-tuple with an established subflow: if this is answered, that one is over.
            half.left_out = HalfOpen::PLAIN;
            Choice::NO_HANDSHAKE
        }
        Some(option) if option.kind == Kind::Capable => {
            half.version = option.version as u8;
            let rank = half.flow.rank;
            if option.version == Version::V0 {
                let token = T::token(option.version, option.sender_key);
                if let Some(half) = tables.half_open().get(key) {
                    half.initiator_token = token;
                }
            }
            Choice::rank(rank)
        }
        Some(option) => {
            half.flow.token = option.token;
            half.flow.address_id = option.address_id;
            let flags = opened | Flow::JOIN | if option.backup { Flow::BACKUP } else { 0 };
            let token = option.token;
            Choice::rank(join(tables, subflow, token, flags))
        }
    }
}

/// A SYN of which nothing is written down: it goes by the same hash as what follows.
#[inline(always)]
fn untold<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, why: Note, has_option: bool) -> Choice {
    let rank = unknown(tables, subflow, 0);
    note(tables, why, subflow.key, 0, rank);
    if has_option { Choice::rank(rank) } else { Choice::NO_HANDSHAKE }
}

/// The SYN of a half-open subflow again. Its host heard no answer, so the subflow moves to the next path: something
/// on this one may drop such SYNs, and hosts that get no answer give MPTCP up.
#[inline(never)]
fn again<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, has_option: bool) -> Choice {
    let now = tables.now();
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    let waited = now.wrapping_sub(half.syn_seen);
    half.syn_seen = now;
    if half.left_out != 0 && !has_option {
        return Choice::NO_HANDSHAKE;
    }
    subflow.count(&mut half.flow);
    let before = half.flow.rank;
    let is_answered = half.progress & HalfOpen::ANSWERED != 0;
    if !has_option {
        half.left_out = HalfOpen::LEFT_OUT;
        note(tables, Note::FellBack, subflow.key, 0, before);
        return Choice::NO_HANDSHAKE;
    }
    if !subflow.is_from_local && !is_answered {
        half.flow.rank = subflow.label.rank().get();
        half.moved = u8::from(subflow.label.is_moved());
    }
    let here = Choice::of(half);
    if !subflow.is_from_local || waited < LEAST_BACKOFF || is_answered {
        note(tables, Note::SynAgain, subflow.key, 0, here.0 as u8);
        return here;
    }
    let rank = rank::next(tables.path_set(subflow.ends.remote.edge), before);
    if let Some(half) = tables.half_open().get(subflow.key) {
        half.flow.rank = rank;
        half.moved = 1;
    }
    note(tables, Note::SynMoved, subflow.key, 0, before);
    Choice(u32::from(rank) | Choice::MOVED)
}

/// Looks for the connection of a join by its token; the rank of its SYN: the one that it came on, else the connection's
/// next, which others may try at the same time, else, without a connection, a hash.
///
/// Another CPU may have put a new entry, with nothing in it yet, in the place of this one's: nothing is read back from it, and
/// its flags are written as a whole.
#[inline(never)]
fn join<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, token: u32, flags: u8) -> u8 {
    let owner = connection::owner(subflow.ends, flags);
    let (id, rank) = match connection::find(tables, token, owner) {
        Ok(id) if subflow.is_from_local => {
            let (number, first) = connection::next(tables, id);
            (id, rank::of_number(tables.path_set(subflow.ends.remote.edge), first, number))
        }
        Ok(id) => (id, subflow.label.rank().get()),
        Err(why) => {
            let rank = unknown(tables, subflow, token);
            note(tables, why, subflow.key, 0, rank);
            (0, rank)
        }
    };
    if let Some(half) = tables.half_open().get(subflow.key) {
        half.flow.connection = id;
        half.flow.rank = rank;
        half.flow.flags = flags | if id == 0 { Flow::HASHED } else { 0 };
    }
    rank
}

/// The rank of a SYN of which nothing is noted, or of a join that belongs to nothing that is known.
#[inline(never)]
fn unknown<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, token: u32) -> u8 {
    if !subflow.is_from_local {
        return subflow.label.rank().get();
    }
    let set = tables.path_set(subflow.ends.remote.edge);
    set.map_or(0, |set| rank::hashed(set, subflow.key, token))
}

/// What decides how a SYN/ACK or third ACK is taken, copied out of its entry.
#[derive(Clone, Copy)]
struct Awaited {
    is_join: bool,
    left_out: u8,
    is_answered: bool,
    opened_here: bool,
    version: u8,
    rank: u8,
    connection: ConnectionId,
}

impl Awaited {
    #[inline(always)]
    fn of(half: &HalfOpen) -> Self {
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
fn follows(half: &HalfOpen, number: u32) -> bool {
    number.wrapping_sub(half.isn).wrapping_sub(1) <= u32::from(half.data)
}

/// A SYN/ACK: it answers the SYN in kind, or the subflow is no MPTCP.
#[inline(never)]
fn answered<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Choice {
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

/// The hosts go on without MPTCP.
#[inline(never)]
fn fall_back<T: Tables>(tables: &mut T, key: &FlowKey, awaited: Awaited) -> Choice {
    tables.half_open().remove(key);
    forget(tables, key);
    let Awaited { left_out, is_answered, opened_here, rank, .. } = awaited;
    if left_out == 0 {
        note(tables, Note::FellBack, key, 0, rank);
    } else if left_out == HalfOpen::LEFT_OUT && !is_answered && opened_here {
        note(tables, Note::Blackhole, key, 0, rank);
    }
    Choice::NO_HANDSHAKE
}

/// A SYN/ACK answers in kind, with this token.
#[inline(always)]
fn answer<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, token: u32) -> Choice {
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    let before = T::fetch_or(&mut half.progress, HalfOpen::ANSWERED);
    half.responder_tokens[1] = token;
    if before & HalfOpen::ANSWERED != 0 {
        return Choice::of(half);
    }
    half.responder_tokens[0] = token;
    half.responder_isn = subflow.segment.sequence;
    Choice::ANSWERED
}

/// Both hosts agree on a subflow.
#[inline(never)]
fn settle<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    if half.flow.flags & Flow::JOIN != 0 {
        agree(tables, subflow);
    }
    forget(tables, subflow.key);
    tables.half_open().get(subflow.key).map_or(Choice::NO_HANDSHAKE, |half| Choice::of(half))
}

/// Both hosts agree on a join: it gets the next number of its connection, and at the responder's edge that number's
/// rank, unless its SYN has moved; the other edge learns the rank from the label.
#[inline(never)]
fn agree<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) {
    let Some(half) = tables.half_open().get(subflow.key) else { return };
    let (token, owner) = (half.flow.token, connection::owner(subflow.ends, half.flow.flags));
    let is_moved = half.moved != 0;
    let Ok(id) = connection::find(tables, token, owner) else { return };
    let own = take_rank(tables, id, subflow.ends.remote.edge);
    if let Some(half) = tables.half_open().get(subflow.key) {
        half.flow.connection = id;
        half.flow.flags &= !Flow::HASHED;
        // A SYN/ACK that has left its path for now does not say which that is.
        let has_left = subflow.label.is_moved() && !is_moved;
        if !subflow.is_from_local && !has_left {
            half.flow.rank = subflow.label.rank().get();
        } else if !is_moved {
            half.flow.rank = own;
        }
    }
}

/// The rank of the next number of a connection, which nobody else gets.
#[inline(never)]
fn take_rank<T: Tables>(tables: &mut T, id: ConnectionId, edge: EdgeIndex) -> u8 {
    let (number, first) = connection::take(tables, id);
    rank::of_number(tables.path_set(edge), first, number)
}

/// Anything without SYN: a RST ends the handshake, what is where the third ACK should be goes on.
#[inline(never)]
fn acknowledged<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Subflow { key, segment, .. } = *subflow;
    let Some(half) = tables.half_open().get(key) else { return Choice::NO_HANDSHAKE };
    let awaited = Awaited::of(half);
    subflow.count(&mut half.flow);
    let is_initiators = awaited.opened_here == subflow.is_from_local;
    let is_third_ack = is_initiators && awaited.is_answered && follows(half, segment.sequence);
    if segment.has(tcp::RST) {
        if is_refusal(half, subflow, is_initiators) {
            tables.half_open().remove(key);
        }
    } else if is_third_ack && awaited.left_out == 0 {
        // The initiator has the last word about the path. Where its SYN kept to its own, this frame alone has left that,
        // because it is down for now.
        if !subflow.is_from_local && (half.moved != 0 || !subflow.label.is_moved()) {
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
fn complete<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Choice {
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
fn finish<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    let awaited = Awaited::of(half);
    if awaited.connection == 0 && awaited.is_join {
        agree(tables, subflow);
    } else if awaited.connection == 0 {
        let tokens = (half.initiator_token, half.responder_tokens[0]);
        let id = bind(tables, subflow, tokens, awaited.version, awaited.rank);
        if let Some(half) = tables.half_open().get(subflow.key) {
            half.flow.connection = id;
        }
    }
    establish(tables, subflow)
}

/// Binds the tokens of the initiator and the responder to a new connection; 0 if there is no room for it.
#[inline(always)]
fn bind<T: Tables>(
    tables: &mut T,
    subflow: &Subflow<'_>,
    (initiator, responder): (u32, u32),
    version: u8,
    rank: u8,
) -> ConnectionId {
    // One step behind the other, as in `follow`.
    let id = connection::begin(tables, subflow, (initiator, responder), version, rank);
    let has_room = id != 0
        && connection::claim(tables, initiator, subflow.key, id)
            & connection::claim(tables, responder, subflow.key, id);
    note(tables, if has_room { Note::Bound } else { Note::TableFull }, subflow.key, id, rank);
    id
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
    let tick = tables.tick();
    let Some(half) = tables.half_open().get(key) else { return Choice::NO_HANDSHAKE };
    let (ours, theirs) = (half.isn.wrapping_add(1), half.responder_isn.wrapping_add(1));
    let flow = &mut half.flow;
    let connection = flow.connection;
    let (rank, is_join) = (flow.rank, flow.flags & Flow::JOIN != 0);
    flow.closing = if is_join { Flow::UNCONFIRMED } else { 0 };
    flow.sent_sequence = if subflow.is_from_local { ours } else { theirs };
    flow.received_sequence = if subflow.is_from_local { theirs } else { ours };
    // The next segment looks its connection up.
    flow.touched = tick.wrapping_sub(1);
    if !tables.establish(key) {
        if let Some(half) = tables.half_open().get(key) {
            T::fetch_and(&mut half.progress, !HalfOpen::COMPLETE);
        }
        note(tables, Note::TableFull, key, connection, rank);
        return Choice::rank(rank);
    }
    tables.half_open().remove(key);
    if is_join {
        if let Some(connection) = tables.connections().get(&connection) {
            T::fetch_add(&mut connection.joined, 1);
        }
        note(tables, Note::Joined, key, connection, rank);
    }
    Choice::rank(rank)
}
