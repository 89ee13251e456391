//! What the kernel pushed out of full tables although it was in use: nothing counts that, so successive readings are
//! compared. A table that forgets what is over, or silent, is as it should be.
//!
//! The kernel's LRU pushes out entries in use now and then: where it finds 128 of them in a row, it takes the next one
//! (bpf_lru_list.c, force shrink). So what is missing is put back.

use std::collections::{HashMap, HashSet};

use smoc_common::map::{Connection, ConnectionId, Flow, FlowKey, TokenBinding, TokenKey};

use crate::dataplane::{Correction, KernelTables, is_full};

/// The tables from which the kernel may be pushing something out, or will soon.
pub(super) fn full(tables: &KernelTables, capacities: &[(&'static str, u32)]) -> HashSet<&'static str> {
    let is_full = |(table, capacity): &&(&'static str, u32)| {
        tables.entries(table).is_some_and(|entries| is_full(entries, *capacity))
    };
    capacities.iter().filter(is_full).map(|(table, _)| *table).collect()
}

/// How many entries in use each table has lost so far, by the map's name.
#[derive(Clone, Debug, Default)]
pub struct Evictions {
    /// The packets of every subflow.
    packets: HashMap<FlowKey, u64>,
    /// Subflows that had packets between the last two readings, their connections, and the tokens of these.
    flows: HashMap<FlowKey, Flow>,
    connections: HashMap<ConnectionId, Connection>,
    tokens: HashMap<TokenKey, TokenBinding>,
    lost: HashMap<&'static str, u64>,
    full: HashSet<&'static str>,
}

impl Evictions {
    /// Compares the tables, which have room for so many entries, with those of the last call; what was pushed out while it was
    /// in use, to be put back.
    pub fn look(&mut self, tables: &KernelTables, capacities: &[(&'static str, u32)]) -> Vec<Correction> {
        let flows: HashSet<_> = tables.flows.iter().map(|(key, _)| *key).collect();
        let half_open: HashSet<_> = tables.half_open.iter().map(|(key, _)| *key).collect();
        let connections: HashSet<_> = tables.connections.iter().map(|(id, _)| *id).collect();
        let tokens: HashSet<_> = tables.tokens.iter().map(|(key, _)| *key).collect();
        // Who is in a handshake again has begun a new life.
        let is_gone = |key: &FlowKey| !flows.contains(key) && !half_open.contains(key);
        let flows = self.flows.iter().filter(|(key, _)| is_gone(key)).map(|(key, flow)| {
            (if key.v4().is_some() { "FLOWS_V4" } else { "FLOWS" }, Correction::RestoreFlow(*key, *flow))
        });
        let connections = self.connections.iter().filter(|(id, _)| !connections.contains(id));
        let connections = connections
            .map(|(id, connection)| ("CONNECTIONS", Correction::RestoreConnection(*id, *connection)));
        let tokens = self.tokens.iter().filter(|(key, _)| !tokens.contains(key));
        let tokens = tokens.map(|(key, binding)| ("TOKENS", Correction::RestoreToken(*key, *binding)));
        let mut back = Vec::new();
        // Elsewhere the reading only missed it.
        let now_full = full(tables, capacities);
        let is_full = |table: &str| self.full.contains(table) || now_full.contains(table);
        for (table, restored) in flows.chain(connections).chain(tokens).filter(|(table, _)| is_full(table)) {
            *self.lost.entry(table).or_default() += 1;
            back.push(restored);
        }
        self.remember(tables, capacities);
        back
    }

    /// What must still be there the next time, unless it is pushed out.
    fn remember(&mut self, tables: &KernelTables, capacities: &[(&'static str, u32)]) {
        let packets = |flow: &Flow| flow.sent.packets + flow.received.packets;
        let before = std::mem::take(&mut self.packets);
        let goes_on = |(key, flow): &&(FlowKey, Flow)| {
            !flow.is_closed() && before.get(key).is_some_and(|before| *before != packets(flow))
        };
        let living = || tables.flows.iter().filter(goes_on);
        self.flows = living().copied().collect();
        let used: HashSet<_> = living().map(|(_, flow)| flow.connection).collect();
        self.packets = tables.flows.iter().map(|(key, flow)| (*key, packets(flow))).collect();
        let in_use = || tables.connections.iter().filter(|(id, _)| used.contains(id));
        self.connections = in_use().copied().collect();
        let tokens = in_use().flat_map(|(_, it)| [it.local_token, it.remote_token]);
        let known: HashMap<_, _> = tables.tokens.iter().copied().collect();
        let binding = |token| Some((TokenKey { token }, *known.get(&TokenKey { token })?));
        self.tokens = tokens.filter_map(binding).collect();
        self.full = full(tables, capacities);
    }

    /// Entries in use that a table has lost so far.
    pub fn of(&self, table: &str) -> u64 {
        self.lost.get(table).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use smoc_common::wire::ip::Address;

    use super::*;

    const CAPACITIES: [(&str, u32); 3] = [("FLOWS_V4", 4), ("CONNECTIONS", 1), ("TOKENS", 2)];

    fn flow(port: u16, closing: u32) -> (FlowKey, Flow) {
        let [local, remote] = [1, 2].map(|last| Address::from_v4([10, 0, 0, last]));
        (FlowKey::new(local, port, remote, 80), Flow { connection: 9, closing, ..Flow::default() })
    }

    fn full() -> KernelTables {
        let connection = Connection { local_token: 1, remote_token: 2, ..Connection::default() };
        KernelTables {
            flows: vec![flow(1, 0), flow(2, 0), flow(3, Flow::RESET), flow(4, 0)],
            connections: vec![(9, connection)],
            tokens: [1, 2].map(|token| (TokenKey { token }, Default::default())).to_vec(),
            ..KernelTables::default()
        }
    }

    /// Two readings, between which all but port 4 had packets.
    fn watched() -> (Evictions, KernelTables) {
        let (mut evictions, mut tables) = (Evictions::default(), full());
        evictions.look(&tables, &CAPACITIES);
        for (_, flow) in tables.flows.iter_mut().filter(|(key, _)| key.local_port() != 4) {
            flow.sent.packets += 1;
        }
        evictions.look(&tables, &CAPACITIES);
        (evictions, tables)
    }

    #[test]
    fn what_is_missing_from_a_full_table_and_was_in_use_was_pushed_out() {
        let (mut evictions, mut tables) = watched();
        let (before, token) = (tables.flows[0], tables.tokens[1]);
        tables.flows.retain(|(key, _)| key.local_port() == 2);
        tables.tokens.pop();
        let back = evictions.look(&tables, &CAPACITIES);
        assert_eq!(
            back,
            [Correction::RestoreFlow(before.0, before.1), Correction::RestoreToken(token.0, token.1)]
        );
        assert_eq!(["FLOWS_V4", "CONNECTIONS", "TOKENS"].map(|table| evictions.of(table)), [1, 0, 1]);
        // Port 3 was closed and port 4 silent. Now the table of flows is not full any more, and the connection is not in use.
        tables.flows.clear();
        tables.connections.clear();
        assert_eq!(evictions.look(&tables, &CAPACITIES), []);
        assert_eq!(["FLOWS_V4", "CONNECTIONS"].map(|table| evictions.of(table)), [1, 0]);
    }

    #[test]
    fn a_subflow_in_a_new_handshake_was_not_pushed_out() {
        let (mut evictions, mut tables) = watched();
        let (key, _) = tables.flows.remove(0);
        tables.half_open.push((key, Default::default()));
        assert_eq!(evictions.look(&tables, &CAPACITIES), []);
        assert_eq!(evictions.of("FLOWS_V4"), 0);
    }
}
