//! Which entries of the kernel's tables nobody needs any more, and which numbers in them are wrong.
//!
//! The packet path adds to [`Connection::joined`] and takes away from it by what it sees. Silence, eviction and the move of
//! a subflow to another edge are not seen: so the numbers are counted anew. The kernel may change them at the same moment;
//! what two successive looks find equally wrong is set right, and what that may spoil is set right by the next two.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use smoc_common::map::{Connection, ConnectionId, FlowKey, TokenBinding, TokenKey};

use crate::{
    clock::Nanos,
    dataplane::{Joins, KernelTables, Removal},
};

/// How long a closed subflow stays: late segments and retransmitted FINs still find their path (TIME_WAIT is
/// 60 s in Linux).
pub const CLOSED_FOR: Duration = Duration::from_secs(60);
/// How long a connection without any subflow stays: hosts may open another for a while (RFC 8684, 3.6).
pub const ALONE_FOR: Duration = Duration::from_secs(120);

/// Remembers since when an entry has been superfluous.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// Closed subflows, by key and the time they were opened: the key may be used again.
    closed: HashMap<(FlowKey, u64), Nanos>,
    alone: HashMap<ConnectionId, Nanos>,
    /// Connections whose numbers of joins were wrong the last time: as stated and as counted.
    miscounted: HashMap<ConnectionId, (Joins, Joins)>,
}

impl Sweep {
    /// Looks through the tables and says what to remove now.
    pub fn look(&mut self, tables: &KernelTables, now: Nanos) -> Vec<Removal> {
        let mut removals = self.flows(tables, now);
        let used: HashSet<ConnectionId> = (tables.flows.iter().map(|(_, flow)| flow.connection))
            .chain(tables.half_open.iter().map(|(_, half_open)| half_open.flow.connection))
            .collect();
        let alone = tables.connections.iter().map(|(id, _)| *id).filter(|id| !used.contains(id));
        self.alone = alone.map(|id| (id, self.alone.get(&id).copied().unwrap_or(now))).collect();
        let gone: HashSet<ConnectionId> = self
            .alone
            .iter()
            .filter(|(_, since)| now.since(**since) >= ALONE_FOR)
            .map(|(id, _)| *id)
            .collect();
        if !gone.is_empty() {
            removals.extend(tokens(tables, &gone));
            removals.extend(gone.iter().copied().map(Removal::Connection));
        }
        removals.extend(self.recount(tables).filter(|removal| !concerns(removal, &gone)));
        removals
    }

    fn recount(&mut self, tables: &KernelTables) -> impl Iterator<Item = Removal> {
        let mut counted: HashMap<ConnectionId, Joins> = HashMap::new();
        // A reading may have an entry twice.
        let flows: HashMap<_, _> = tables.flows.iter().map(|(key, flow)| (key, flow)).collect();
        for flow in flows.values() {
            counted.entry(flow.connection).or_default().count(flow);
        }
        let wrong = |(id, connection): &(ConnectionId, Connection)| {
            let numbers = (Joins::stated(connection), counted.get(id).copied().unwrap_or_default());
            (numbers.0 != numbers.1).then_some((*id, numbers))
        };
        let miscounted: HashMap<_, _> = tables.connections.iter().filter_map(wrong).collect();
        let before = std::mem::replace(&mut self.miscounted, miscounted.clone());
        let is_twice = move |(id, numbers): &(ConnectionId, (Joins, Joins))| before.get(id) == Some(numbers);
        miscounted.into_iter().filter(is_twice).map(|(id, (_, counted))| Removal::Recount(id, counted))
    }

    fn flows(&mut self, tables: &KernelTables, now: Nanos) -> Vec<Removal> {
        let closed = tables.flows.iter().filter(|(_, flow)| flow.is_closed());
        let closed = closed.map(|(key, flow)| (*key, flow.opened));
        self.closed = closed.map(|flow| (flow, self.closed.get(&flow).copied().unwrap_or(now))).collect();
        let due = self.closed.iter().filter(|(_, since)| now.since(**since) >= CLOSED_FOR);
        due.map(|((key, opened), _)| Removal::Flow(*key, *opened)).collect()
    }
}

fn concerns(removal: &Removal, connections: &HashSet<ConnectionId>) -> bool {
    matches!(removal, Removal::Recount(id, _) if connections.contains(id))
}

/// The tokens of connections that go; one that another connection claims as well means that one from now on.
fn tokens(tables: &KernelTables, gone: &HashSet<ConnectionId>) -> Vec<Removal> {
    let mut claims: HashMap<u32, Vec<ConnectionId>> = HashMap::new();
    for (id, connection) in &tables.connections {
        for token in [connection.local_token, connection.remote_token] {
            claims.entry(token).or_default().push(*id);
        }
    }
    let mut removals = Vec::new();
    for (key, binding) in &tables.tokens {
        let claimants = claims.get(&key.token).map_or(&[][..], Vec::as_slice);
        let left: Vec<_> = claimants.iter().filter(|id| !gone.contains(id)).copied().collect();
        let names_gone = binding.connections.iter().any(|id| gone.contains(id));
        if !names_gone && claimants.iter().all(|id| !gone.contains(id)) {
            continue;
        }
        removals.extend(match left[..] {
            [] => Some(Removal::Token(*key, *binding)),
            [one] => rebind(*key, *binding, [one, 0]),
            [one, other] => rebind(*key, *binding, [one, other]),
            _ => None,
        });
    }
    removals
}

fn rebind(key: TokenKey, before: TokenBinding, connections: [ConnectionId; 2]) -> Option<Removal> {
    let binding = TokenBinding { connections, ..TokenBinding::default() };
    (binding != before).then_some(Removal::Rebind(key, before, binding))
}
