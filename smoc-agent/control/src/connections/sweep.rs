//! Which entries of the kernel's tables nobody needs any more.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use smoc_common::map::{ConnectionId, FlowKey, TokenBinding, TokenKey};

use crate::{
    clock::Nanos,
    dataplane::{KernelTables, Removal},
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
            removals.extend(gone.into_iter().map(Removal::Connection));
        }
        removals
    }

    fn flows(&mut self, tables: &KernelTables, now: Nanos) -> Vec<Removal> {
        let closed = tables.flows.iter().filter(|(_, flow)| flow.is_closed());
        let closed = closed.map(|(key, flow)| (*key, flow.opened));
        self.closed = closed.map(|flow| (flow, self.closed.get(&flow).copied().unwrap_or(now))).collect();
        let due = self.closed.iter().filter(|(_, since)| now.since(**since) >= CLOSED_FOR);
        due.map(|((key, _), _)| Removal::Flow(*key)).collect()
    }
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
            [] => Some(Removal::Token(*key)),
            [one] => rebind(*key, *binding, [one, 0]),
            [one, other] => rebind(*key, *binding, [one, other]),
            _ => None,
        });
    }
    removals
}

fn rebind(key: TokenKey, before: TokenBinding, connections: [ConnectionId; 2]) -> Option<Removal> {
    let binding = TokenBinding { connections, ..TokenBinding::default() };
    (binding != before).then_some(Removal::Rebind(key, binding))
}
