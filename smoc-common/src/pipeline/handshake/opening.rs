//! The SYN: a new subflow, or the same one again.

use super::choice::Choice;
use crate::{
    event::Note,
    map::{ConnectionId, EdgeIndex, Flow, HalfOpen},
    pipeline::{
        Table, Tables, admitted, connection, note, rank,
        subflow::{Subflow, is_known},
    },
    token::Version,
    wire::{
        Frame,
        mptcp::{Handshake, Kind},
    },
};

/// A SYN that comes again sooner than this, in nanoseconds, was copied on its way: hosts wait a second at first (RFC
/// 6298, 2.1), and where they are set to wait less, hardly below this.
const LEAST_BACKOFF: u64 = 150_000_000;

/// What a handshake starts from. It is filled in where it is stored: there is no room for it on the stack.
static HALF_OPEN: HalfOpen = HalfOpen::EMPTY;

/// For so long after its last SYN, in nanoseconds, a handshake is under way that nobody else may replace by another.
const UNDER_WAY: u64 = 60_000_000_000;

/// A SYN: a new subflow, or the same one again.
#[inline(never)]
pub(super) fn opened<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Choice {
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
    if !admitted(tables, subflow.counted_at(), now) {
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
    half.moved = u8::from(subflow.label.is_moved() && !subflow.label.is_unrouted());
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
    if !subflow.is_from_local && !is_answered && !subflow.label.is_unrouted() {
        half.flow.rank = subflow.label.rank().get();
        half.moved = u8::from(subflow.label.is_moved());
    }
    let here = Choice::of(half);
    if !subflow.is_from_local || waited < LEAST_BACKOFF || is_answered || subflow.ends.are_pending() {
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
        Ok(id) if subflow.is_from_local => (id, next_rank(tables, id, subflow.ends.remote.edge)),
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
        let unbound = if subflow.is_from_local { Flow::HASHED } else { Flow::HASHED | Flow::FOLLOWS };
        half.flow.flags = flags | if id == 0 { unbound } else { 0 };
    }
    rank
}

/// The rank of the next number of a connection, which others may get too.
#[inline(never)]
fn next_rank<T: Tables>(tables: &mut T, id: ConnectionId, edge: EdgeIndex) -> u8 {
    let (number, first) = connection::next(tables, id);
    rank::of_number(tables.path_set(edge), first, number)
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
