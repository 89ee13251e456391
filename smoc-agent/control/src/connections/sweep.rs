//! Which entries of the kernel's tables nobody needs any more, and which numbers in them are wrong.
//!
//! The packet path adds to [`Connection::joined`] and takes away from it by what it sees. Silence, eviction and the move of
//! a subflow to another edge are not seen: so the numbers are counted anew. The kernel may change them at the same moment;
//! what two successive looks find equally wrong is set right, and what that may spoil is set right by the next two.
//!
//! What is over stays for a while, because late segments still ask for it. Where a table is full it does not: the kernel would
//! push out what was idle longest, and that may be a connection that lives. So what is over leaves as soon as two
//! successive looks have found it so.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use smoc_common::map::{Connection, ConnectionId, Flow, FlowKey, TokenBinding, TokenKey};

use crate::{
    clock::Nanos,
    connections::evictions::full,
    dataplane::{Correction, Joins, KernelTables},
};

/// How long a closed subflow stays: late segments and retransmitted FINs still find their path (TIME_WAIT is
/// 60 s in Linux).
pub const CLOSED_FOR: Duration = Duration::from_secs(60);
/// How long a connection without any subflow stays: hosts may open another for a while (RFC 8684, 3.6).
pub const ALONE_FOR: Duration = Duration::from_secs(120);

/// A subflow in one of its lives: when that began.
type Life = (FlowKey, u64);

/// A closed subflow since it was found so for the first time.
#[derive(Clone, Copy, Debug)]
struct Closed {
    since: Nanos,
    /// The sequence numbers of both hosts at that time. RSTs do not change them: where others go on, none was true.
    sequences: [u32; 2],
}

/// Remembers since when an entry has been superfluous.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    closed: HashMap<Life, Closed>,
    /// Connections without a subflow that lives, and without any.
    over: HashMap<ConnectionId, Nanos>,
    alone: HashMap<ConnectionId, Nanos>,
    /// Connections whose numbers of joins were wrong the last time: as stated and as counted.
    miscounted: HashMap<ConnectionId, (Joins, Joins)>,
}

impl Sweep {
    /// Looks through the tables, which have room for so many entries, and says what to remove now.
    pub fn look(
        &mut self,
        tables: &KernelTables,
        capacities: &[(&'static str, u32)],
        now: Nanos,
    ) -> Vec<Correction> {
        let full = full(tables, capacities);
        let mut corrections = self.flows(tables, &full, now);
        let gone = self.connections(tables, full.contains("CONNECTIONS") || full.contains("TOKENS"), now);
        if !gone.is_empty() {
            corrections.extend(tokens(tables, &gone));
            corrections.extend(gone.iter().copied().map(Correction::RemoveConnection));
        }
        corrections.extend(self.recount(tables).filter(|correction| !concerns(correction, &gone)));
        corrections
    }

    /// Connections that nobody needs any more.
    fn connections(&mut self, tables: &KernelTables, is_full: bool, now: Nanos) -> HashSet<ConnectionId> {
        let opening = || tables.half_open.iter().map(|(_, half_open)| half_open.flow.connection);
        let of = |flows: &mut dyn Iterator<Item = &Flow>| -> HashSet<ConnectionId> {
            flows.map(|flow| flow.connection).chain(opening()).collect()
        };
        let flows = || tables.flows.iter().map(|(_, flow)| flow);
        let (used, living) = (of(&mut flows()), of(&mut flows().filter(|flow| !flow.is_closed())));
        let lacking = |before: &mut HashMap<ConnectionId, Nanos>, others: &HashSet<ConnectionId>| {
            let ids = tables.connections.iter().map(|(id, _)| *id).filter(|id| !others.contains(id));
            *before = ids.map(|id| (id, before.get(&id).copied().unwrap_or(now))).collect();
        };
        lacking(&mut self.alone, &used);
        lacking(&mut self.over, &living);
        let long_alone = self.alone.iter().filter(|(_, since)| now.since(**since) >= ALONE_FOR);
        let twice_over = self.over.iter().filter(|(_, since)| is_full && **since < now);
        long_alone.chain(twice_over).map(|(id, _)| *id).collect()
    }

    fn recount(&mut self, tables: &KernelTables) -> impl Iterator<Item = Correction> {
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
        miscounted.into_iter().filter(is_twice).map(|(id, (_, counted))| Correction::Recount(id, counted))
    }

    fn flows(&mut self, tables: &KernelTables, full: &HashSet<&str>, now: Nanos) -> Vec<Correction> {
        let closed = tables.flows.iter().filter(|(_, flow)| flow.is_closed()).map(|(key, flow)| {
            let (life, sequences) = ((*key, flow.opened), [flow.sent_sequence, flow.received_sequence]);
            let before = self.closed.get(&life).filter(|before| before.sequences == sequences);
            (life, before.copied().unwrap_or(Closed { since: now, sequences }))
        });
        self.closed = closed.collect();
        let is_due = |((key, _), Closed { since, .. }): &(&Life, &Closed)| {
            let table = if key.v4().is_some() { "FLOWS_V4" } else { "FLOWS" };
            now.since(*since) >= CLOSED_FOR || (full.contains(table) && *since < now)
        };
        self.closed
            .iter()
            .filter(is_due)
            .map(|((key, opened), _)| Correction::RemoveFlow(*key, *opened))
            .collect()
    }
}

fn concerns(correction: &Correction, connections: &HashSet<ConnectionId>) -> bool {
    matches!(correction, Correction::Recount(id, _) if connections.contains(id))
}

/// The tokens of connections that go; one that another connection claims as well means that one from now on.
fn tokens(tables: &KernelTables, gone: &HashSet<ConnectionId>) -> Vec<Correction> {
    let mut claims: HashMap<u32, Vec<ConnectionId>> = HashMap::new();
    for (id, connection) in &tables.connections {
        for token in [connection.local_token, connection.remote_token] {
            claims.entry(token).or_default().push(*id);
        }
    }
    let mut corrections = Vec::new();
    for (key, binding) in &tables.tokens {
        let claimants = claims.get(&key.token).map_or(&[][..], Vec::as_slice);
        let left: Vec<_> = claimants.iter().filter(|id| !gone.contains(id)).copied().collect();
        let names_gone = binding.connections.iter().any(|id| gone.contains(id));
        if !names_gone && claimants.iter().all(|id| !gone.contains(id)) {
            continue;
        }
        corrections.extend(match left[..] {
            [] => Some(Correction::RemoveToken(*key, *binding)),
            [one] => rebind(*key, *binding, [one, 0]),
            [one, other] => rebind(*key, *binding, [one, other]),
            _ => None,
        });
    }
    corrections
}

fn rebind(key: TokenKey, before: TokenBinding, connections: [ConnectionId; 2]) -> Option<Correction> {
    let binding = TokenBinding { connections, ..TokenBinding::default() };
    (binding != before).then_some(Correction::Rebind(key, before, binding))
}
