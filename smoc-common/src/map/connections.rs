//! `CONNECTIONS` and `TOKENS`: MPTCP connections, and what joins find them by.

use super::{flow_key::FlowKey, hosts::Attachment};
use crate::wire::ip::Address;

/// Names a connection within one switch; never 0.
pub type ConnectionId = u64;

/// An MPTCP connection whose keys were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Connection {
    /// The initial subflow.
    pub initial: FlowKey,
    /// The MPTCP version, 0 or 1.
    pub version: u8,
    /// 1 if the local host opened it.
    pub local_opened: u8,
    /// The rank of the initial subflow: 0 unless its SYN had to move. The n-th subflow has the n-th rank from there.
    pub first_rank: u8,
    /// 1 if it was bound by the agent, from what other edges told it: it has subflows that this edge does not see.
    pub learned: u8,
    /// When it was bound, nanoseconds of CLOCK_MONOTONIC.
    pub opened: u64,
    /// Token of the local host's key.
    pub local_token: u32,
    /// Token of the remote host's key.
    pub remote_token: u32,
    /// Where the local host is attached.
    pub local: Attachment,
    /// Where the remote host is attached.
    pub remote: Attachment,
    /// How many subflows the hosts have agreed on so far, the initial one included: the number of the next one. A SYN/ACK
    /// shows that they did; what only one side asked for has no number.
    pub subflows: u32,
    /// How many additional subflows have completed their handshake and not ended.
    pub joined: u32,
    /// On how many of those the responder has gone on: so many count towards the limit of hosts. A third ACK alone shows
    /// nothing, for the responder may not have taken it.
    pub confirmed: u32,
    #[doc(hidden)]
    pub reserved: u32,
}

impl Connection {
    /// One whose initial subflow is all that is known.
    pub const EMPTY: Self = Self {
        initial: FlowKey::new(Address::mapped(0), 0, Address::mapped(0), 0),
        version: 0,
        local_opened: 0,
        first_rank: 0,
        learned: 0,
        opened: 0,
        local_token: 0,
        remote_token: 0,
        local: Attachment { edge: 0, port: 0 },
        remote: Attachment { edge: 0, port: 0 },
        subflows: 1,
        joined: 0,
        confirmed: 0,
        reserved: 0,
    };
}

/// A token: unique within a host only (RFC 8684, 3.1), so that it may stand for several connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TokenKey {
    /// The token.
    pub token: u32,
}

/// What a token stands for: a living connection, wherever its joins go, or two, of which the one is meant whose host is
/// where a join goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TokenBinding {
    /// The connections that have it; 0 for none. One that is not in `CONNECTIONS` any more does not count.
    pub connections: [ConnectionId; 2],
    /// 1 if a third connection has had it at the same time: its joins are hashed.
    pub crowded: u64,
}
