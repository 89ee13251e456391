//! What an edge learns from the handshakes of MPTCP (RFC 8684, 3.1 and 3.2), in both directions.
//!
//! ```text
//!  SYN      MP_CAPABLE  -> half open, rank 0             MP_JOIN + token -> half open, the connection's next rank
//!  SYN/ACK  MP_CAPABLE  -> answered, responder's token   MP_JOIN         -> answered
//!  ACK      MP_CAPABLE  -> both tokens bound; established MP_JOIN        -> established
//! ```
//!
//! The ingress edge chooses the rank, the other edge reads it from the route, so both agree without a word.
//! Nothing of a SYN alone enters a table that established subflows live in.

use core::hint::black_box;

use super::{Table, Tables, edge::Ends, note, rank};
use crate::{
    event::Note,
    map::{Attachment, Connection, ConnectionId, Flow, FlowKey, HalfOpen, TokenBinding, TokenKey},
    token::Version,
    wire::{
        Frame,
        mptcp::{Handshake, Kind},
        tcp::{self, Segment},
    },
};

/// More additional subflows than this are refused by Linux hosts.
const MOST_JOINS: u32 = 8;

/// A SYN that comes again sooner than this, in nanoseconds, was copied on its way: hosts wait a second at first (RFC
/// 6298, 2.1), and where they are set to wait less, hardly below this.
const LEAST_BACKOFF: u64 = 150_000_000;

/// What a handshake starts from. Copied and not built in place, because the loop that would zero it is none that
/// the verifier accepts without CAP_PERFMON.
static HALF_OPEN: HalfOpen = HalfOpen::EMPTY;

/// A segment of a subflow that is not established.
pub(super) struct Subflow<'a> {
    pub key: &'a FlowKey,
    /// What the segment adds to [`crate::map::Traffic::bytes`].
    pub bytes: usize,
    pub segment: &'a Segment,
    pub ends: &'a Ends,
    /// Where the host is attached that the segment goes to: a join's token is of its key.
    pub receiver: Attachment,
    /// Whether the local host sends it.
    pub is_from_local: bool,
    /// The rank of the path that it came on, if the local host does not send it.
    pub arrived_on: u8,
}

impl Subflow<'_> {
    /// Counts the segment for its subflow.
    #[inline(always)]
    pub(super) fn count(&self, flow: &mut Flow) {
        // Without a branch: the compiler would make one addition at one of two places out of two, which the verifier
        // refuses without CAP_PERFMON.
        let (sent, bytes) = (u64::from(self.is_from_local), self.bytes as u64);
        flow.sent.packets += sent;
        flow.sent.bytes += sent * bytes;
        flow.received.packets += 1 - sent;
        flow.received.bytes += (1 - sent) * bytes;
    }
}

/// The rank of a subflow in its handshake, or that the segment is of none. One register: a function that is
/// not inlined cannot return more in BPF, and inlined the handshake would exceed the stack of 512 bytes.
struct Choice(u32);

impl Choice {
    const NO_HANDSHAKE: Self = Self(u32::MAX);

    #[inline(always)]
    fn rank(rank: u8) -> Self {
        Self(u32::from(rank))
    }
}

/// Learns from a segment; the rank of its subflow if it takes part in an MPTCP handshake.
#[inline(always)]
pub(super) fn follow<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Option<u8> {
    let Choice(rank) = if !subflow.segment.has(tcp::SYN) {
        acknowledged(frame, tables, subflow)
    } else if subflow.segment.has(tcp::ACK) {
        answered(frame, tables, subflow)
    } else {
        opened(frame, tables, subflow)
    };
    if rank == Choice::NO_HANDSHAKE.0 { None } else { Some(rank as u8) }
}

/// A SYN: a new subflow, or the same one again.
#[inline(never)]
fn opened<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Subflow { key, segment, .. } = *subflow;
    let mut room = Handshake::default();
    let option = frame.handshake(segment, &mut room).filter(|option| option.kind != Kind::Other);
    if tables.half_open().get(key).is_some_and(|half| half.isn == segment.sequence) {
        return again(tables, subflow, option.is_some());
    }
    let Some(option) = option else { return Choice::NO_HANDSHAKE };
    let mut half = *black_box(&HALF_OPEN);
    half.isn = segment.sequence;
    half.flow.opened = tables.now();
    half.syn_seen = half.flow.opened;
    half.flow.flags = if subflow.is_from_local { Flow::LOCAL_OPENED } else { 0 };
    half.flow.rank = subflow.arrived_on;
    if option.kind == Kind::Capable {
        half.version = option.version as u8;
        if option.version == Version::V0 {
            half.initiator_token = T::token(option.version, option.sender_key);
        }
    } else {
        half.flow.token = option.token;
        half.flow.address_id = option.address_id;
        half.flow.flags |= Flow::JOIN | if option.backup { Flow::BACKUP } else { 0 };
        half.flow.rank = join(tables, subflow, &mut half.flow);
    }
    let epoch = tables.settings().map_or(0, |settings| settings.epoch);
    subflow.ends.enter(&mut half.flow, epoch);
    subflow.count(&mut half.flow);
    if !tables.half_open().insert(key, &half) {
        note(tables, Note::TableFull, key, 0, half.flow.rank);
    }
    Choice::rank(half.flow.rank)
}

/// The SYN of a half-open subflow again. Its host heard no answer, so the subflow moves to the next path: something
/// on this one may drop such SYNs, and hosts that get no answer give MPTCP up.
#[inline(never)]
fn again<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, has_option: bool) -> Choice {
    let now = tables.now();
    let Some(half) = tables.half_open().get(subflow.key) else { return Choice::NO_HANDSHAKE };
    subflow.count(&mut half.flow);
    let before = half.flow.rank;
    let waited = now.wrapping_sub(half.syn_seen);
    half.syn_seen = now;
    if !has_option {
        half.left_out = 1;
        note(tables, Note::FellBack, subflow.key, 0, before);
        return Choice::NO_HANDSHAKE;
    }
    if !subflow.is_from_local {
        half.flow.rank = subflow.arrived_on;
        note(tables, Note::SynAgain, subflow.key, 0, subflow.arrived_on);
        return Choice::rank(subflow.arrived_on);
    }
    if waited < LEAST_BACKOFF || half.answered != 0 {
        note(tables, Note::SynAgain, subflow.key, 0, before);
        return Choice::rank(before);
    }
    let rank = rank::next(tables.path_set(subflow.receiver.edge), before);
    if let Some(half) = tables.half_open().get(subflow.key) {
        half.flow.rank = rank;
    }
    note(tables, Note::SynMoved, subflow.key, 0, before);
    Choice::rank(rank)
}

/// Finds the connection of a join by its token and where the token's owner is attached; returns the
/// subflow's rank: the one it arrived on, else the connection's next, else, without a connection, a hash.
#[inline(never)]
fn join<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, flow: &mut Flow) -> u8 {
    let number = match find(tables, TokenKey { token: flow.token, owner: subflow.receiver }) {
        Ok((id, number)) => {
            flow.connection = id;
            number
        }
        Err(why) => {
            note(tables, why, subflow.key, 0, flow.rank);
            flow.flags |= Flow::HASHED;
            0
        }
    };
    if !subflow.is_from_local {
        return subflow.arrived_on;
    }
    match tables.path_set(subflow.receiver.edge) {
        Some(set) if flow.connection == 0 => rank::hashed(set, subflow.key, flow.token),
        Some(set) => (number % u32::from(set.count).max(1)) as u8,
        None => 0,
    }
}

/// The connection of a token and the number of its next subflow, counted from the rank of the initial one, which is 0
/// unless its SYN had to move.
#[inline(always)]
fn find<T: Tables>(tables: &mut T, key: TokenKey) -> Result<(ConnectionId, u32), Note> {
    let binding = *tables.tokens().get(&key).ok_or(Note::JoinUnknownToken)?;
    if binding.ambiguous != 0 {
        return Err(Note::JoinAmbiguousToken);
    }
    let connection = tables.connections().get(&binding.connection).ok_or(Note::JoinUnknownToken)?;
    if connection.joined >= MOST_JOINS {
        return Err(Note::JoinBeyondLimit);
    }
    let first = u32::from(connection.first_rank);
    Ok((binding.connection, T::fetch_add(&mut connection.subflows, 1).wrapping_add(first)))
}

/// A SYN/ACK: it answers the SYN in kind, or the subflow is no MPTCP.
#[inline(never)]
fn answered<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Subflow { key, segment, .. } = *subflow;
    let mut room = Handshake::default();
    let option = frame.handshake(segment, &mut room);
    let Some(half) = tables.half_open().get(key) else { return Choice::NO_HANDSHAKE };
    let answers = (half.flow.flags & Flow::LOCAL_OPENED != 0) != subflow.is_from_local
        && segment.acknowledgment == half.isn.wrapping_add(1);
    if !answers {
        return Choice::rank(half.flow.rank);
    }
    subflow.count(&mut half.flow);
    let rank = half.flow.rank;
    let is_join = half.flow.flags & Flow::JOIN != 0;
    if half.left_out != 0 {
        let is_blackhole = half.answered == 0 && half.flow.flags & Flow::LOCAL_OPENED != 0;
        tables.half_open().remove(key);
        if is_blackhole {
            note(tables, Note::Blackhole, key, 0, rank);
        }
        return Choice::NO_HANDSHAKE;
    }
    match option {
        Some(Handshake { kind: Kind::Capable, version, sender_key, .. })
            if !is_join && *version as u8 == half.version =>
        {
            half.responder_token = T::token(*version, *sender_key);
            half.answered = 1;
        }
        Some(Handshake { kind: Kind::Join, .. }) if is_join => half.answered = 1,
        _ => {
            tables.half_open().remove(key);
            note(tables, Note::FellBack, key, 0, rank);
            return Choice::NO_HANDSHAKE;
        }
    }
    // The 4-tuple starts a new life; what its last one left behind must not answer for it.
    tables.flows().remove(key);
    Choice::rank(rank)
}

/// Anything without SYN: the third ACK completes the handshake, a RST ends it.
#[inline(never)]
fn acknowledged<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>) -> Choice {
    let Subflow { key, segment, .. } = *subflow;
    let Some(half) = tables.half_open().get(key) else { return Choice::NO_HANDSHAKE };
    subflow.count(&mut half.flow);
    let rank = half.flow.rank;
    if segment.has(tcp::RST) {
        tables.half_open().remove(key);
        return Choice::rank(rank);
    }
    let is_third_ack = half.answered != 0
        && (half.flow.flags & Flow::LOCAL_OPENED != 0) == subflow.is_from_local
        && segment.sequence == half.isn.wrapping_add(1);
    if is_third_ack {
        return complete(frame, tables, subflow, rank);
    }
    Choice::rank(rank)
}

/// The third ACK of an answered SYN.
#[inline(never)]
fn complete<T: Tables>(frame: &impl Frame, tables: &mut T, subflow: &Subflow<'_>, rank: u8) -> Choice {
    let mut room = Handshake::default();
    let (Some(option), Some(half)) =
        (frame.handshake(subflow.segment, &mut room), tables.half_open().get(subflow.key))
    else {
        return Choice::rank(rank);
    };
    let is_join = half.flow.flags & Flow::JOIN != 0;
    let connection = match option.kind {
        Kind::Join if is_join => half.flow.connection,
        Kind::Capable if !is_join => {
            let initiator = T::token(option.version, option.sender_key);
            let responder = T::token(option.version, option.receiver_key);
            if !agrees(half, option.version, initiator, responder) {
                note(tables, Note::AckDisagrees, subflow.key, 0, rank);
                return Choice::rank(rank);
            }
            bind(tables, subflow, initiator, responder, option.version)
        }
        _ => return Choice::rank(rank),
    };
    establish(tables, subflow.key, connection)
}

/// Moves a subflow to the table of established ones.
#[inline(never)]
fn establish<T: Tables>(tables: &mut T, key: &FlowKey, connection: ConnectionId) -> Choice {
    let Some(half) = tables.half_open().get(key) else { return Choice::NO_HANDSHAKE };
    let mut flow = half.flow;
    flow.connection = connection;
    if !tables.flows().insert(key, &flow) {
        note(tables, Note::TableFull, key, connection, flow.rank);
        return Choice::rank(flow.rank);
    }
    tables.half_open().remove(key);
    let is_join = flow.flags & Flow::JOIN != 0;
    match tables.connections().get(&connection) {
        Some(connection) if is_join => _ = T::fetch_add(&mut connection.joined, 1),
        Some(connection) => connection.first_rank = flow.rank,
        None => {}
    }
    if is_join {
        note(tables, Note::Joined, key, connection, flow.rank);
    }
    Choice::rank(flow.rank)
}

/// Whether version and tokens of a third ACK are those of its SYN and SYN/ACK.
#[inline(always)]
fn agrees(half: &HalfOpen, version: Version, initiator: u32, responder: u32) -> bool {
    version as u8 == half.version
        && (version == Version::V1 || initiator == half.initiator_token)
        && responder == half.responder_token
}

/// Binds both tokens of a connection to it.
#[inline(never)]
fn bind<T: Tables>(
    tables: &mut T,
    subflow: &Subflow<'_>,
    initiator: u32,
    responder: u32,
    version: Version,
) -> ConnectionId {
    let local_opened = subflow.is_from_local;
    let (local_token, remote_token) =
        if local_opened { (initiator, responder) } else { (responder, initiator) };
    let connection = Connection {
        initial: *subflow.key,
        opened: tables.now(),
        local_token,
        remote_token,
        local: subflow.ends.local.attachment,
        remote: subflow.ends.remote.attachment,
        subflows: 1,
        version: version as u8,
        local_opened: u8::from(local_opened),
        ..Connection::default()
    };
    let id = tables.new_connection_id();
    if !tables.connections().insert(&id, &connection) {
        note(tables, Note::TableFull, subflow.key, 0, 0);
        return 0;
    }
    let has_room =
        claim(tables, local_token, connection.local, id) & claim(tables, remote_token, connection.remote, id);
    note(tables, if has_room { Note::Bound } else { Note::TableFull }, subflow.key, id, 0);
    id
}

/// Binds a token to a connection, or marks it as ambiguous if another living connection has it. False if there is no
/// room: then the token's joins are hashed.
#[inline(never)]
fn claim<T: Tables>(tables: &mut T, token: u32, owner: Attachment, connection: ConnectionId) -> bool {
    let key = TokenKey { token, owner };
    let mut binding = TokenBinding { connection, ..TokenBinding::default() };
    if let Some(&mut TokenBinding { connection: other, .. }) = tables.tokens().get(&key) {
        binding.ambiguous = u8::from(tables.connections().get(&other).is_some());
    }
    tables.tokens().insert(&key, &binding)
}
