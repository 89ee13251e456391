//! What the kernel pushed out of full tables although it was in use: nothing counts that, so successive readings are
//! compared. A table that forgets what is over, or silent, is as it should be.

use std::collections::{HashMap, HashSet};

use smoc_common::map::{ConnectionId, Flow, FlowKey, TokenKey};

use crate::dataplane::KernelTables;

/// Below this part of a table's room nothing is pushed out: what is missing then was only missed by the reading.
const FULL: (usize, usize) = (3, 4);

/// The tables from which the kernel may be pushing something out, or will soon.
pub(super) fn full(tables: &KernelTables, capacities: &[(&'static str, u32)]) -> HashSet<&'static str> {
    let is_full = |(table, capacity): &&(&'static str, u32)| {
        tables.entries(table).is_some_and(|entries| entries * FULL.1 >= *capacity as usize * FULL.0)
    };
    capacities.iter().filter(is_full).map(|(table, _)| *table).collect()
}

/// How many entries in use each table has lost so far, by the map's name.
#[derive(Clone, Debug, Default)]
pub struct Evictions {
    /// The packets of every subflow.
    packets: HashMap<FlowKey, u64>,
    /// Subflows that had packets between the last two readings, their connections, and the tokens of these.
    flows: HashSet<FlowKey>,
    connections: HashSet<ConnectionId>,
    tokens: HashSet<TokenKey>,
    lost: HashMap<&'static str, u64>,
    full: HashSet<&'static str>,
}

impl Evictions {
    /// Compares the tables, which have room for so many entries, with those of the last call.
    pub fn look(&mut self, tables: &KernelTables, capacities: &[(&'static str, u32)]) {
        let flows: HashSet<_> = tables.flows.iter().map(|(key, _)| *key).collect();
        let half_open: HashSet<_> = tables.half_open.iter().map(|(key, _)| *key).collect();
        let connections: HashSet<_> = tables.connections.iter().map(|(id, _)| *id).collect();
        let tokens: HashSet<_> = tables.tokens.iter().map(|(key, _)| *key).collect();
        // Who is in a handshake again has begun a new life.
        let is_gone = |key: &&FlowKey| !flows.contains(key) && !half_open.contains(key);
        let gone: Vec<&FlowKey> = self.flows.iter().filter(is_gone).collect();
        let v4 = gone.iter().filter(|key| key.v4().is_some()).count();
        let lost = [
            ("FLOWS_V4", v4),
            ("FLOWS", gone.len() - v4),
            ("CONNECTIONS", self.connections.difference(&connections).count()),
            ("TOKENS", self.tokens.difference(&tokens).count()),
        ];
        for (table, count) in lost.into_iter().filter(|(table, _)| self.full.contains(table)) {
            *self.lost.entry(table).or_default() += count as u64;
        }
        self.remember(tables, capacities);
    }

    /// What must still be there the next time, unless it is pushed out.
    fn remember(&mut self, tables: &KernelTables, capacities: &[(&'static str, u32)]) {
        let packets = |flow: &Flow| flow.sent.packets + flow.received.packets;
        let before = std::mem::take(&mut self.packets);
        let goes_on = |(key, flow): &&(FlowKey, Flow)| {
            !flow.is_closed() && before.get(key).is_some_and(|before| *before != packets(flow))
        };
        let living = || tables.flows.iter().filter(goes_on);
        self.flows = living().map(|(key, _)| *key).collect();
        let used: HashSet<_> = living().map(|(_, flow)| flow.connection).collect();
        self.packets = tables.flows.iter().map(|(key, flow)| (*key, packets(flow))).collect();
        let in_use = || tables.connections.iter().filter(|(id, _)| used.contains(id));
        self.connections = in_use().map(|(id, _)| *id).collect();
        let tokens = in_use().flat_map(|(_, it)| [it.local_token, it.remote_token]);
        let known: HashSet<_> = tables.tokens.iter().map(|(key, _)| *key).collect();
        self.tokens = tokens.map(|token| TokenKey { token }).filter(|key| known.contains(key)).collect();
        self.full = full(tables, capacities);
    }

    /// Entries in use that a table has lost so far.
    pub fn of(&self, table: &str) -> u64 {
        self.lost.get(table).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use smoc_common::{map::Connection, wire::ip::Address};

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
        tables.flows.retain(|(key, _)| key.local_port() == 2);
        tables.tokens.pop();
        evictions.look(&tables, &CAPACITIES);
        assert_eq!(["FLOWS_V4", "CONNECTIONS", "TOKENS"].map(|table| evictions.of(table)), [1, 0, 1]);
        // Port 3 was closed and port 4 silent. Now the table of flows is not full any more, and the connection is not in use.
        tables.flows.clear();
        tables.connections.clear();
        evictions.look(&tables, &CAPACITIES);
        assert_eq!(["FLOWS_V4", "CONNECTIONS"].map(|table| evictions.of(table)), [1, 0]);
    }

    #[test]
    fn a_subflow_in_a_new_handshake_was_not_pushed_out() {
        let (mut evictions, mut tables) = watched();
        let (key, _) = tables.flows.remove(0);
        tables.half_open.push((key, Default::default()));
        evictions.look(&tables, &CAPACITIES);
        assert_eq!(evictions.of("FLOWS_V4"), 0);
    }
}
