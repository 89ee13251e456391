//! The packet path as it is decided: state that is installed, changes to it, and tables that the kernel fills.
//! [`fake`] holds it in memory for tests, [`Installed::model`] gives what the pipeline runs over outside of the kernel.

pub mod fake;
mod model;

use std::collections::BTreeMap;

use smoc_common::{
    map::{
        Connection, ConnectionId, Detour, DetourKey, EdgeIndex, Flow, FlowKey, HalfOpen, HelloKeys, Host,
        PairKey, PathSet, Port, Prefix, Settings, TokenBinding, TokenKey,
    },
    route::PortNumber,
    wire::ip::Address,
};

use crate::{interfaces::IfIndex, ports::Role};

/// An entry of `PATH_SETS`; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// A port as it stands in `PORTS`, `INTERFACES` and `HELLO_PORTS`. Whether frames leave through it ([`Exits`]) is the
/// prober's ([`crate::liveness::prober`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortEntry {
    /// Its entry in `PORTS`.
    pub port: Port,
    /// Its interface; that of a fabric port is in `HELLO_PORTS`.
    pub interface: IfIndex,
}

/// Through which ports frames leave, and over which interfaces: `FABRIC_PORTS` and `HOST_PORTS`, which only the prober
/// writes. A port is in the map of its role alone.
pub type Exits = BTreeMap<(PortNumber, Role), IfIndex>;

/// What an edge's index means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Toward {
    /// The edge switch.
    pub switch: String,
    /// The number of the rule of policy by which paths are chosen; 0 if by none.
    pub rule: u8,
}

/// All that the agent writes but [`Exits`], as it stands in the maps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Installed {
    /// `SETTINGS`; all zero before the first start is complete.
    pub settings: Settings,
    /// `HELLO_KEYS`.
    pub hello_keys: HelloKeys,
    /// `PORTS`, `INTERFACES` and `HELLO_PORTS`, without entries that are all zero.
    pub ports: BTreeMap<PortNumber, PortEntry>,
    /// `DETOURS`.
    pub detours: BTreeMap<DetourKey, Detour>,
    /// `HOSTS`.
    pub hosts: BTreeMap<Address, Host>,
    /// `PREFIXES`.
    pub prefixes: BTreeMap<Prefix, Host>,
    /// `EDGE_NAMES`, without free ones.
    pub names: BTreeMap<EdgeIndex, Toward>,
    /// `PAIRS`.
    pub pairs: BTreeMap<PairKey, EdgeIndex>,
    /// `EDGES`, without those that point nowhere.
    pub edges: BTreeMap<EdgeIndex, Slot>,
    /// `PATH_SETS`, without those that were never written.
    pub path_sets: BTreeMap<Slot, PathSet>,
}

/// One write to the maps. Each is atomic for the kernel programs.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// What an edge index means, for as long as the maps live.
    NameEdge(EdgeIndex, Toward),
    /// What hellos and probes are answered with.
    SetHelloKeys(HelloKeys),
    /// A port that is new or changed.
    SetPort(PortNumber, PortEntry),
    /// A port that is gone.
    RemovePort(PortNumber),
    /// A way around a neighbour or link, new or changed.
    SetDetour(DetourKey, Detour),
    /// A way that is not offered any more.
    RemoveDetour(DetourKey),
    /// Other ranks of a path set in use are broken, and nothing else about it is different.
    MarkBroken(Slot, PathSet),
    /// A path set, into a slot that no edge points to.
    WritePathSet(Slot, PathSet),
    /// Which path set leads to an edge; slot 0: none.
    PointEdge(EdgeIndex, Slot),
    /// Where an address lives, new or changed.
    SetHost(Address, Host),
    /// An address that is not known any more.
    RemoveHost(Address),
    /// Behind which router a prefix is, new or changed.
    SetPrefix(Prefix, Host),
    /// A prefix that is behind no router any more.
    RemovePrefix(Prefix),
    /// By which paths two classes of hosts reach each other, new or changed.
    SetPair(PairKey, EdgeIndex),
    /// Two classes for which there is no rule any more.
    RemovePair(PairKey),
    /// What holds for the whole switch; the first time it switches smoc on.
    SetSettings(Settings),
}

impl Installed {
    /// What is installed after a change.
    pub fn apply(&mut self, change: &Change) {
        match change.clone() {
            Change::NameEdge(index, name) => drop(self.names.insert(index, name)),
            Change::SetHelloKeys(keys) => self.hello_keys = keys,
            Change::SetPort(port, entry) => drop(self.ports.insert(port, entry)),
            Change::RemovePort(port) => drop(self.ports.remove(&port)),
            Change::SetDetour(key, detour) => _ = self.detours.insert(key, detour),
            Change::RemoveDetour(key) => _ = self.detours.remove(&key),
            Change::WritePathSet(slot, set) | Change::MarkBroken(slot, set) => {
                _ = self.path_sets.insert(slot, set);
            }
            Change::PointEdge(edge, Slot(0)) => drop(self.edges.remove(&edge)),
            Change::PointEdge(edge, slot) => drop(self.edges.insert(edge, slot)),
            Change::SetHost(address, host) => drop(self.hosts.insert(address, host)),
            Change::RemoveHost(address) => drop(self.hosts.remove(&address)),
            Change::SetPrefix(prefix, router) => drop(self.prefixes.insert(prefix, router)),
            Change::RemovePrefix(prefix) => drop(self.prefixes.remove(&prefix)),
            Change::SetPair(key, index) => drop(self.pairs.insert(key, index)),
            Change::RemovePair(key) => drop(self.pairs.remove(&key)),
            Change::SetSettings(settings) => self.settings = settings,
        }
    }
}

impl Installed {
    /// The router of the longest prefix that has an address.
    pub fn router(&self, address: Address) -> Option<&Host> {
        self.prefixes.iter().rev().find(|(prefix, _)| prefix.contains(&address)).map(|(_, router)| router)
    }

    /// Where `found` differs, as map and key.
    pub fn differences(&self, found: &Self) -> Vec<String> {
        fn of<K: Ord + std::fmt::Debug, V: PartialEq>(
            map: &str,
            wanted: &BTreeMap<K, V>,
            found: &BTreeMap<K, V>,
            all: &mut Vec<String>,
        ) {
            let changed =
                wanted.iter().filter(|(key, value)| found.get(key) != Some(value)).map(|(key, _)| key);
            let added = found.keys().filter(|key| !wanted.contains_key(key));
            all.extend(changed.chain(added).map(|key| format!("{map} {key:?}")));
        }
        let mut all = Vec::new();
        if self.settings != found.settings {
            all.push("SETTINGS".to_owned());
        }
        if self.hello_keys != found.hello_keys {
            all.push("HELLO_KEYS".to_owned());
        }
        of("PORTS", &self.ports, &found.ports, &mut all);
        of("DETOURS", &self.detours, &found.detours, &mut all);
        of("HOSTS", &self.hosts, &found.hosts, &mut all);
        of("PREFIXES", &self.prefixes, &found.prefixes, &mut all);
        of("PAIRS", &self.pairs, &found.pairs, &mut all);
        of("EDGES", &self.edges, &found.edges, &mut all);
        of("PATH_SETS", &self.path_sets, &found.path_sets, &mut all);
        all
    }
}

/// The tables that the kernel fills, as they stood when they were read.
#[derive(Clone, Debug, Default)]
pub struct KernelTables {
    /// `FLOWS_V4` and `FLOWS`.
    pub flows: Vec<(FlowKey, Flow)>,
    /// `HALF_OPEN`.
    pub half_open: Vec<(FlowKey, HalfOpen)>,
    /// `CONNECTIONS`.
    pub connections: Vec<(ConnectionId, Connection)>,
    /// `TOKENS`.
    pub tokens: Vec<(TokenKey, TokenBinding)>,
}

impl KernelTables {
    /// How many entries a map has, of which this is all or a part; `None` for other maps.
    pub fn entries(&self, map: &str) -> Option<usize> {
        let v4 = || self.flows.iter().filter(|(key, _)| key.v4().is_some()).count();
        match map {
            "FLOWS_V4" => Some(v4()),
            "FLOWS" => Some(self.flows.len() - v4()),
            "HALF_OPEN" => Some(self.half_open.len()),
            "CONNECTIONS" => Some(self.connections.len()),
            "TOKENS" => Some(self.tokens.len()),
            _ => None,
        }
    }
}

/// Housekeeping in the tables that the kernel fills. An entry that is gone already is no error; one that is not as it was
/// looked at any more stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// A subflow that is closed, and when it was opened.
    RemoveFlow(FlowKey, u64),
    /// A connection without subflows. No other one ever gets its number.
    RemoveConnection(ConnectionId),
    /// The token of such a connection, and what it meant.
    RemoveToken(TokenKey, TokenBinding),
    /// A token that one of two claimants has left, and what it meant: from now on it means the other.
    Rebind(TokenKey, TokenBinding, TokenBinding),
    /// A connection whose numbers of joins are not those of its subflows.
    Recount(ConnectionId, Joins),
    /// A subflow that the kernel has pushed out while it was in use, as it was last seen. What has its key by now stays.
    RestoreFlow(FlowKey, Flow),
    /// The same of a connection.
    RestoreConnection(ConnectionId, Connection),
    /// The same of a token.
    RestoreToken(TokenKey, TokenBinding),
}

/// The additional subflows of a connection that live, as its entry has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joins {
    /// [`Connection::joined`].
    pub joined: u32,
    /// [`Connection::confirmed`].
    pub confirmed: u32,
}

impl Joins {
    /// What an entry says.
    pub const fn stated(connection: &Connection) -> Self {
        Self { joined: connection.joined, confirmed: connection.confirmed }
    }

    /// One more subflow, if it is a join that lives.
    pub const fn count(&mut self, flow: &Flow) {
        if flow.flags & Flow::JOIN != 0 && !flow.is_closed() {
            self.joined += 1;
            self.confirmed += (flow.closing & Flow::UNCONFIRMED == 0) as u32;
        }
    }
}

/// Whether a table with so many entries is so full that the kernel may be pushing something out, or will soon: below that
/// part of its room it never does.
pub const fn is_full(entries: usize, capacity: u32) -> bool {
    entries * 4 >= capacity as usize * 3
}

/// How full a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The map's name.
    pub table: &'static str,
    /// Entries in use when it was last read.
    pub entries: usize,
    /// Entries it has room for.
    pub capacity: u32,
    /// Entries that the kernel has pushed out for others so far although they were in use, as far as successive readings
    /// show it.
    pub evicted: u64,
}
