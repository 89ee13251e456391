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

/// Where the responder of a subflow is attached: a join's token is of its key.
#[inline(always)]
pub(super) fn owner(ends: &Ends, flow: &Flow) -> Attachment {
    if flow.flags & Flow::LOCAL_OPENED != 0 { ends.remote } else { ends.local }
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

/// Binds the tokens of the initiator and the responder to a new connection; 0 if there is no room for it.
#[inline(never)]
pub(super) fn bind<T: Tables>(
    tables: &mut T,
    subflow: &Subflow<'_>,
    (initiator, responder): (u32, u32),
    version: u8,
    rank: u8,
) -> ConnectionId {
    let local_opened = subflow.is_from_local;
    let (local_token, remote_token) =
        if local_opened { (initiator, responder) } else { (responder, initiator) };
    let now = tables.now();
    let id = tables.new_connection_id();
    if !tables.connections().insert(&id, &CONNECTION) {
        note(tables, Note::TableFull, subflow.key, 0, rank);
        return 0;
    }
    let Some(connection) = tables.connections().get(&id) else { return 0 };
    connection.initial = *subflow.key;
    connection.opened = now;
    (connection.local_token, connection.remote_token) = (local_token, remote_token);
    connection.local = subflow.ends.local;
    connection.remote = subflow.ends.remote;
    connection.version = version;
    connection.local_opened = u8::from(local_opened);
    connection.first_rank = rank;
    let has_room = claim(tables, local_token, subflow.key, id) & claim(tables, remote_token, subflow.key, id);
    note(tables, if has_room { Note::Bound } else { Note::TableFull }, subflow.key, id, rank);
    id
}

/// Adds a connection to those that a token stands for, instead of one that is not there any more. False if there is no
/// room: then the token's joins are hashed.
#[inline(never)]
fn claim<T: Tables>(tables: &mut T, token: u32, initial: &FlowKey, id: ConnectionId) -> bool {
    let key = TokenKey { token };
    let mut binding = TokenBinding { connections: [id, 0], ..TokenBinding::default() };
    if let Some(&mut TokenBinding { connections: [first, second], crowded, .. }) = tables.tokens().get(&key) {
        let lives = [lives(tables, first, initial), lives(tables, second, initial)];
        binding.crowded = crowded;
        match lives {
            [true, true] => (binding.connections, binding.crowded) = ([first, second], 1),
            [true, false] => binding.connections = [first, id],
            [false, true] => binding.connections = [id, second],
            [false, false] => binding.crowded = 0,
        }
    }
    tables.tokens().insert(&key, &binding)
}

/// Whether a connection is there and is not an earlier life of the one whose initial subflow this is.
#[inline(never)]
fn lives<T: Tables>(tables: &mut T, id: ConnectionId, initial: &FlowKey) -> bool {
    id != 0 && tables.connections().get(&id).is_some_and(|other| other.initial != *initial)
}
