//! Connections and their tokens: which one a join means, and the numbers of its subflows.
//!
//! A host is not a place: a join goes to any of its addresses, behind any port. So a token alone names its connection as
//! long as no other that lives has the same. Of two that do, the one is meant whose host is where the join goes.

use super::{
    Table, Tables, note,
    subflow::{Ends, Subflow},
};
use crate::{
    event::Note,
    map::{Attachment, Connection, ConnectionId, Flow, FlowKey, TokenBinding, TokenKey},
};

/// More additional subflows than this are refused by Linux hosts.
const MOST_JOINS: u32 = 8;

/// What a connection starts from. It is filled in where it is stored: there is no room for it on the stack.
static CONNECTION: Connection = Connection::EMPTY;

/// Where the responder of a subflow with these [`Flow::flags`] is attached: a join's token is of its key.
#[inline(always)]
pub(super) fn owner(ends: &Ends, flags: u8) -> Attachment {
    // Without a branch: the compiler would read one of two places, by a pointer that depends on the flags, which the
    // verifier refuses without CAP_PERFMON.
    let is_remote = 0u16.wrapping_sub(u16::from(flags & Flow::LOCAL_OPENED != 0));
    let pick = |local: u16, remote: u16| local ^ ((local ^ remote) & is_remote);
    let Ends { local, remote, edge, .. } = *ends;
    Attachment { edge: pick(local.edge, edge), port: pick(local.port, remote.port) }
}

/// The connection of a token whose owner is attached at `place`.
#[inline(always)]
pub(super) fn find<T: Tables>(tables: &mut T, token: u32, place: Attachment) -> Result<ConnectionId, Note> {
    let Some(&mut TokenBinding { connections: [first, second], crowded, .. }) =
        tables.tokens().get(&TokenKey { token })
    else {
        return Err(Note::JoinUnknownToken);
    };
    let claims = [claim_of(tables, first, token, place), claim_of(tables, second, token, place)];
    let id = match claims {
        [Claim::NONE, Claim::NONE] => return Err(Note::JoinUnknownToken),
        [_, Claim::NONE] if crowded == 0 => first,
        [Claim::NONE, _] if crowded == 0 => second,
        [Claim::HERE, Claim::ELSEWHERE] if crowded == 0 => first,
        [Claim::ELSEWHERE, Claim::HERE] if crowded == 0 => second,
        _ => return Err(Note::JoinAmbiguousToken),
    };
    let confirmed = tables.connections().get(&id).map_or(0, |connection| connection.confirmed);
    if confirmed >= MOST_JOINS { Err(Note::JoinBeyondLimit) } else { Ok(id) }
}

/// What a connection has to do with a token. One register.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Claim(u32);

impl Claim {
    /// It is not there any more.
    const NONE: Self = Self(0);
    /// Its host with this token is attached elsewhere.
    const ELSEWHERE: Self = Self(1);
    /// Its host with this token is attached at the place in question.
    const HERE: Self = Self(2);
}

#[inline(never)]
fn claim_of<T: Tables>(tables: &mut T, id: ConnectionId, token: u32, place: Attachment) -> Claim {
    let Some(connection) = tables.connections().get(&id) else { return Claim::NONE };
    let is_local = connection.local_token == token && connection.local == place;
    let is_remote = connection.remote_token == token && connection.remote == place;
    if is_local || is_remote { Claim::HERE } else { Claim::ELSEWHERE }
}

/// The number of the next subflow of a connection, and the rank of its initial one, from which they are counted.
#[inline(always)]
pub(super) fn next<T: Tables>(tables: &mut T, id: ConnectionId) -> (u32, u8) {
    tables.connections().get(&id).map_or((0, 0), |connection| (connection.subflows, connection.first_rank))
}

/// The same, and nobody else gets that number.
#[inline(always)]
pub(super) fn take<T: Tables>(tables: &mut T, id: ConnectionId) -> (u32, u8) {
    let Some(connection) = tables.connections().get(&id) else { return (0, 0) };
    (T::fetch_add(&mut connection.subflows, 1), connection.first_rank)
}

/// What the hosts of a new connection have agreed on.
#[derive(Clone, Copy)]
pub(super) struct Agreed {
    /// The token of the initiator's key.
    pub initiator: u32,
    /// The token of the responder's key.
    pub responder: u32,
    pub version: u8,
    /// The rank of the initial subflow.
    pub rank: u8,
}

/// Binds the tokens of the initiator and the responder to a new connection; 0 if there is no room for it.
#[inline(always)]
pub(super) fn bind<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, agreed: Agreed) -> ConnectionId {
    // One step behind the other, as in `follow`.
    let id = begin(tables, subflow, agreed);
    let has_room = id != 0
        && claim(tables, agreed.initiator, subflow.key, id)
            & claim(tables, agreed.responder, subflow.key, id);
    note(tables, if has_room { Note::Bound } else { Note::TableFull }, subflow.key, id, agreed.rank);
    id
}

/// Makes a new connection, whose tokens [`claim`] binds to it; 0 if there is no room for it.
#[inline(never)]
fn begin<T: Tables>(tables: &mut T, subflow: &Subflow<'_>, agreed: Agreed) -> ConnectionId {
    let Agreed { initiator, responder, version, rank } = agreed;
    let local_opened = subflow.is_from_local;
    let (local_token, remote_token) =
        if local_opened { (initiator, responder) } else { (responder, initiator) };
    let now = tables.now();
    let id = tables.new_connection_id();
    if !tables.connections().insert(&id, &CONNECTION) {
        return 0;
    }
    let Some(connection) = tables.connections().get(&id) else { return 0 };
    // Field by field: as a whole it would be moved by a function that subtracts pointers.
    let key = subflow.key;
    connection.initial = FlowKey::new(key.local(), key.local_port(), key.remote(), key.remote_port());
    connection.opened = now;
    (connection.local_token, connection.remote_token) = (local_token, remote_token);
    connection.local = subflow.ends.local;
    connection.remote = subflow.ends.place();
    connection.version = version;
    connection.local_opened = u8::from(local_opened);
    connection.first_rank = rank;
    id
}

/// Adds a connection to those that a token stands for, instead of one that is not there any more. False if there is no
/// room: then the token's joins are hashed.
#[inline(never)]
fn claim<T: Tables>(tables: &mut T, token: u32, initial: &FlowKey, id: ConnectionId) -> bool {
    let key = TokenKey { token };
    // One number each: several that are known to be 0 would be set by a function that the verifier refuses without
    // CAP_PERFMON.
    let (mut one, mut other, mut crowd) = (id, 0, 0);
    if let Some(&mut TokenBinding { connections: [first, second], crowded, .. }) = tables.tokens().get(&key) {
        let lives = [lives(tables, first, initial), lives(tables, second, initial)];
        (one, other, crowd) = match lives {
            [true, true] => (first, second, 1),
            [true, false] => (first, id, crowded),
            [false, true] => (id, second, crowded),
            [false, false] => (id, 0, 0),
        };
    }
    tables.tokens().insert(&key, &TokenBinding { connections: [one, other], crowded: crowd })
}

/// Whether a connection is there and is not an earlier life of the one whose initial subflow this is.
#[inline(never)]
fn lives<T: Tables>(tables: &mut T, id: ConnectionId, initial: &FlowKey) -> bool {
    id != 0 && tables.connections().get(&id).is_some_and(|other| other.initial != *initial)
}
