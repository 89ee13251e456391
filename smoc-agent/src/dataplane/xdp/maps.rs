//! The maps with their types: the only place that tells aya what is in them.

use std::{borrow::Borrow, path::Path};

use aya::{
    Pod,
    maps::{
        Array, DevMap, HashMap, LpmTrie, Map, MapData, MapError, MapInfo, MapType, PerCpuArray, RingBuf,
        lpm_trie::Key,
    },
};
use smoc_common::{
    event::COUNTER_ENTRIES,
    map::{
        Attachment, Connection, ConnectionId, Detour, DetourKey, EDGE_ENTRIES, EdgeIndex, EdgeName, Flow,
        FlowKey, FlowKeyV4, HalfOpen, HandshakeTimes, HelloKeys, Host, Openings, PairKey, PathSet, Plain,
        Port, Prefix, Settings, THIS_EDGE, TokenBinding, TokenKey,
    },
    route::Rank,
    wire::ip::Address,
};

use smoc_control::{
    config::Tables,
    dataplane::{Joins, Toward},
    interfaces::IfIndex,
    siblings::Settlement,
};

use crate::dataplane::DataplaneError;

/// A type of the map layout, in the form in which aya copies it in and out of the kernel.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Entry<T: Plain>(pub T);

// SAFETY: `Plain` marks types without padding for which any bit pattern is a value.
unsafe impl<T: Plain> Pod for Entry<T> {}

/// What a pinned map must look like.
pub(super) struct MapShape {
    /// Its name, in the object and in the pin directory.
    pub name: &'static str,
    kind: MapType,
    key: usize,
    value: usize,
}

const fn shape(name: &'static str, kind: MapType, key: usize, value: usize) -> MapShape {
    MapShape { name, kind, key, value }
}

/// All maps that are pinned.
pub(super) const SHAPES: [MapShape; 24] = [
    shape("SETTINGS", MapType::Array, 4, size_of::<Settings>()),
    shape("HELLO_KEYS", MapType::Array, 4, size_of::<HelloKeys>()),
    shape("PORTS", MapType::Array, 4, size_of::<Port>()),
    shape("FABRIC_PORTS", MapType::DevMap, 4, 8),
    shape("HELLO_PORTS", MapType::DevMap, 4, 8),
    shape("HOST_PORTS", MapType::DevMap, 4, 8),
    shape("INTERFACES", MapType::Hash, 4, 4),
    shape("HOSTS", MapType::Hash, size_of::<Address>(), size_of::<Host>()),
    shape("PREFIXES", MapType::LpmTrie, size_of::<Prefix>(), size_of::<Host>()),
    shape("PAIRS", MapType::Hash, size_of::<PairKey>(), 4),
    shape("EDGES", MapType::Array, 4, 4),
    shape("PATH_SETS", MapType::Array, 4, size_of::<PathSet>()),
    shape("DETOURS", MapType::Hash, size_of::<DetourKey>(), size_of::<Detour>()),
    shape("EDGE_NAMES", MapType::Array, 4, size_of::<EdgeName>()),
    shape("HALF_OPEN", MapType::LruHash, size_of::<FlowKey>(), size_of::<HalfOpen>()),
    shape("FLOWS_V4", MapType::LruHash, size_of::<FlowKeyV4>(), size_of::<Flow>()),
    shape("FLOWS", MapType::LruHash, size_of::<FlowKey>(), size_of::<Flow>()),
    shape("CONNECTIONS", MapType::LruHash, size_of::<ConnectionId>(), size_of::<Connection>()),
    shape("TOKENS", MapType::LruHash, size_of::<TokenKey>(), size_of::<TokenBinding>()),
    shape("OPENINGS", MapType::PerCpuArray, 4, size_of::<Openings>()),
    shape("HANDSHAKES", MapType::Array, 4, size_of::<HandshakeTimes>()),
    shape("COUNTERS", MapType::PerCpuArray, 4, 8),
    shape("EVENTS", MapType::RingBuf, 0, 0),
    shape("SIGHTINGS", MapType::RingBuf, 0, 0),
];

/// How many entries a map gets instead of what the object says.
pub(super) fn sizes(tables: &Tables) -> [(&'static str, u32); 6] {
    [
        ("HOSTS", tables.hosts),
        ("FLOWS_V4", tables.flows),
        ("FLOWS", tables.flows),
        ("HALF_OPEN", tables.half_open),
        ("CONNECTIONS", tables.connections),
        ("TOKENS", tables.connections * 2),
    ]
}

/// The setting that says how large a map is.
pub(super) fn setting(map: &str) -> &'static str {
    match map {
        "HOSTS" => "tables.hosts",
        "HALF_OPEN" => "tables.half_open",
        "CONNECTIONS" | "TOKENS" => "tables.connections",
        _ => "tables.flows",
    }
}

impl MapShape {
    /// What is different about a map that was found; `None` if nothing is.
    pub fn mismatch(&self, found: &MapInfo) -> Option<String> {
        let kind = found.map_type().ok();
        let (key, value) = (found.key_size() as usize, found.value_size() as usize);
        // The value of a DEVMAP is 4 or 8 bytes, whether or not it can name a program.
        let value_fits = value == self.value || (self.kind == MapType::DevMap && value == 4);
        if kind == Some(self.kind) && key == self.key && value_fits {
            return None;
        }
        Some(format!(
            "map {} is {kind:?} with {key} + {value} bytes, not {:?} with {} + {}",
            self.name, self.kind, self.key, self.value
        ))
    }
}

/// `BPF_NOEXIST` of bpf(2): an entry that is there stays as it is.
pub(super) const NOEXIST: u64 = 1;
/// `BPF_EXIST` of bpf(2): an entry that is gone is not made again.
const EXIST: u64 = 2;

/// What the agent writes.
pub(super) struct ConfigMaps {
    pub settings: Array<MapData, Entry<Settings>>,
    pub hello_keys: Array<MapData, Entry<HelloKeys>>,
    pub ports: Array<MapData, Entry<Port>>,
    pub hello_ports: DevMap<MapData>,
    pub interfaces: HashMap<MapData, u32, u32>,
    pub hosts: HashMap<MapData, Entry<Address>, Entry<Host>>,
    pub prefixes: LpmTrie<MapData, [u8; 16], Entry<Host>>,
    pub pairs: HashMap<MapData, Entry<PairKey>, u32>,
    pub edges: Array<MapData, u32>,
    pub path_sets: Array<MapData, Entry<PathSet>>,
    pub detours: HashMap<MapData, Entry<DetourKey>, Entry<Detour>>,
    pub edge_names: Array<MapData, Entry<EdgeName>>,
}

/// What the kernel writes.
pub(super) struct KernelMaps {
    pub half_open: HashMap<MapData, Entry<FlowKey>, Entry<HalfOpen>>,
    pub flows_v4: HashMap<MapData, Entry<FlowKeyV4>, Entry<Flow>>,
    pub flows: HashMap<MapData, Entry<FlowKey>, Entry<Flow>>,
    pub connections: HashMap<MapData, ConnectionId, Entry<Connection>>,
    pub tokens: HashMap<MapData, Entry<TokenKey>, Entry<TokenBinding>>,
    pub counters: PerCpuArray<MapData, u64>,
    handshakes: Array<MapData, Entry<HandshakeTimes>>,
    edge_names: Array<MapData, Entry<EdgeName>>,
}

impl ConfigMaps {
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        Ok(Self {
            settings: open(pin, "SETTINGS")?,
            hello_keys: open(pin, "HELLO_KEYS")?,
            ports: open(pin, "PORTS")?,
            hello_ports: open(pin, "HELLO_PORTS")?,
            interfaces: open(pin, "INTERFACES")?,
            hosts: open(pin, "HOSTS")?,
            prefixes: open(pin, "PREFIXES")?,
            pairs: open(pin, "PAIRS")?,
            edges: open(pin, "EDGES")?,
            path_sets: open(pin, "PATH_SETS")?,
            detours: open(pin, "DETOURS")?,
            edge_names: open(pin, "EDGE_NAMES")?,
        })
    }
}

impl KernelMaps {
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        Ok(Self {
            half_open: open(pin, "HALF_OPEN")?,
            flows_v4: open(pin, "FLOWS_V4")?,
            flows: open(pin, "FLOWS")?,
            connections: open(pin, "CONNECTIONS")?,
            tokens: open(pin, "TOKENS")?,
            counters: open(pin, "COUNTERS")?,
            handshakes: open(pin, "HANDSHAKES")?,
            edge_names: open(pin, "EDGE_NAMES")?,
        })
    }

    /// Sets the numbers of a connection's joins, if it is still there.
    pub fn recount(&mut self, id: ConnectionId, Joins { joined, confirmed }: Joins) -> Result<(), MapError> {
        let Entry(connection) = self.connections.get(&id, 0)?;
        self.connections.insert(id, Entry(Connection { joined, confirmed, ..connection }), EXIST)
    }

    /// Gives a token another meaning, if it still has the one that was `seen`.
    pub fn rebind(
        &mut self,
        key: TokenKey,
        seen: &TokenBinding,
        binding: TokenBinding,
    ) -> Result<(), MapError> {
        let Entry(now) = self.tokens.get(&Entry(key), 0)?;
        if now == *seen { self.tokens.insert(Entry(key), Entry(binding), EXIST) } else { Ok(()) }
    }

    /// The index of an edge whose paths no rule of policy chooses, for any index that leads there.
    pub fn plain(&self, index: EdgeIndex) -> EdgeIndex {
        let name = |index: u32| parse_edge_name(&self.edge_names.get(&index, 0).ok()?.0);
        match name(index.into()) {
            Some(Toward { switch, rule }) if rule != 0 => {
                let wanted = Some(Toward { switch, rule: 0 });
                (0..EDGE_ENTRIES)
                    .find(|other| name(*other) == wanted)
                    .map_or(index, |other| other as EdgeIndex)
            }
            _ => index,
        }
    }

    /// An established subflow.
    pub fn flow(&self, key: &FlowKey) -> Result<Flow, MapError> {
        match key.v4() {
            Some(key) => self.flows_v4.get(&Entry(key), 0),
            None => self.flows.get(&Entry(*key), 0),
        }
        .map(|Entry(flow)| flow)
    }

    /// Writes an established subflow that is still there. What a program counts between reading and writing is lost.
    fn set_flow(&mut self, key: &FlowKey, flow: Flow) -> Result<(), MapError> {
        match key.v4() {
            Some(key) => self.flows_v4.insert(Entry(key), Entry(flow), EXIST),
            None => self.flows.insert(Entry(*key), Entry(flow), EXIST),
        }
    }

    /// The connections that a token stands for.
    pub fn connections_of(&self, token: u32) -> Result<Vec<(ConnectionId, Connection)>, MapError> {
        let Entry(binding) = self.tokens.get(&Entry(TokenKey { token }), 0)?;
        let mut found = Vec::new();
        for id in binding.connections.into_iter().filter(|id| *id != 0) {
            match self.connections.get(&id, 0) {
                Ok(Entry(connection)) => found.push((id, connection)),
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Gives a stray its rank, and a connection if it has none: the one of its tokens, which is made with this number where
    /// this edge does not have it.
    pub fn settle(&mut self, settlement: &Settlement, new: ConnectionId) -> Result<(), MapError> {
        let Settlement { stray, peer, .. } = *settlement;
        let mut flow = self.flow(&stray.flow)?;
        let is_settled = flow.connection != 0 && flow.rank == settlement.rank;
        if is_settled || flow.opened != stray.opened || flow.is_closed() {
            return Ok(());
        }
        if flow.connection == 0 {
            let known = match self.connections_of(stray.token) {
                Err(MapError::KeyNotFound) => Vec::new(),
                found => found?,
            };
            let is_it = |connection: &Connection| {
                [connection.local_token, connection.remote_token]
                    .iter()
                    .all(|token| [stray.token, peer].contains(token))
            };
            let known = known.into_iter().find(|(_, connection)| is_it(connection));
            flow.connection = match known {
                Some((id, _)) => id,
                None => {
                    self.bind(settlement, &flow, new)?;
                    new
                }
            };
            flow.flags &= !Flow::HASHED;
        }
        flow.rank = settlement.rank;
        self.set_flow(&stray.flow, flow)
    }

    /// Makes a connection of what other edges said, and lets its tokens stand for it where they stand for nothing.
    fn bind(&mut self, settlement: &Settlement, flow: &Flow, id: ConnectionId) -> Result<(), MapError> {
        let Settlement { stray, peer, subflows, .. } = *settlement;
        let (local_token, remote_token) =
            if stray.is_ours { (peer, stray.token) } else { (stray.token, peer) };
        let connection = Connection {
            initial: stray.flow,
            version: 1,
            learned: 1,
            opened: flow.opened,
            local_token,
            remote_token,
            local: Attachment { edge: THIS_EDGE, port: flow.local_switch_port },
            remote: Attachment { edge: self.plain(flow.remote.edge), port: flow.remote.port },
            subflows,
            ..Connection::EMPTY
        };
        self.connections.insert(id, Entry(connection), 0)?;
        for token in [local_token, remote_token] {
            let binding = TokenBinding { connections: [id, 0], crowded: 0 };
            match self.tokens.insert(Entry(TokenKey { token }), Entry(binding), NOEXIST) {
                Ok(()) => {}
                Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::EEXIST) => {
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The times of the handshakes along a path.
    pub fn handshakes(&self, edge: EdgeIndex, rank: Rank) -> Result<HandshakeTimes, MapError> {
        self.handshakes.get(&HandshakeTimes::place(edge, rank), 0).map(|Entry(times)| times)
    }

    /// Sums every counter over the CPUs.
    pub fn counters(&self) -> Result<Vec<u64>, MapError> {
        (0..COUNTER_ENTRIES).map(|index| Ok(self.counters.get(&index, 0)?.iter().sum())).collect()
    }
}

/// Removes an entry if it is still the one that is meant. Programs may change it between the two calls, which the kernel does
/// not join into one; what a look takes for superfluous has been so for a minute, in a full table for some seconds.
pub(super) fn remove_if<K: Plain, V: Plain>(
    map: &mut HashMap<MapData, Entry<K>, Entry<V>>,
    key: K,
    is_it: impl FnOnce(&V) -> bool,
) -> Result<(), MapError> {
    let Entry(value) = map.get(&Entry(key), 0)?;
    if is_it(&value) { map.remove(&Entry(key)) } else { Ok(()) }
}

/// Opens a pinned map.
pub(super) fn open<M>(pin: &Path, name: &'static str) -> Result<M, DataplaneError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let opened = MapData::from_pin(pin.join(name)).and_then(Map::from_map_data).and_then(M::try_from);
    opened.map_err(|error| read_error(name, error))
}

/// Opens a ring buffer.
pub(super) fn open_ring(pin: &Path, name: &'static str) -> Result<RingBuf<MapData>, DataplaneError> {
    open(pin, name)
}

/// Reads a whole hash table that the kernel goes on changing. An entry may be missed, or come twice when the
/// walk starts over because the entry it stood on is gone; it ends all the same.
pub(super) fn entries<M, K, V>(map: &HashMap<M, K, V>, capacity: usize) -> Result<Vec<(K, V)>, MapError>
where
    M: Borrow<MapData>,
    K: Pod,
    V: Pod,
{
    let mut entries = Vec::new();
    for entry in map.iter().take(2 * capacity) {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// How many entries a map has room for.
pub(super) fn capacity(pin: &Path, name: &'static str) -> Result<u32, DataplaneError> {
    let info = MapInfo::from_pin(pin.join(name)).map_err(|error| read_error(name, error))?;
    Ok(info.max_entries())
}

/// What lies in a ring buffer; `None` if it is not of this layout.
pub(super) fn parse<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() {
        return None;
    }
    // SAFETY: the bytes are as many as a `T` has, and any bit pattern is a value of a `Plain` type.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

pub(super) fn read_error(map: &'static str, error: MapError) -> DataplaneError {
    DataplaneError::Map { doing: "read", map, source: error.into() }
}

pub(super) fn write_error(map: &'static str, error: MapError) -> DataplaneError {
    DataplaneError::Map { doing: "write", map, source: error.into() }
}

/// An edge as `EDGE_NAMES` holds it; topology names have at most 63 bytes.
pub(super) fn edge_name(toward: &Toward) -> EdgeName {
    let mut bytes = [0; 64];
    let length = toward.switch.len().min(bytes.len() - 1);
    bytes[..length].copy_from_slice(&toward.switch.as_bytes()[..length]);
    bytes[63] = toward.rule;
    EdgeName(bytes)
}

/// What an entry of `EDGE_NAMES` holds; `None` if the index is free or the bytes are no name.
pub(super) fn parse_edge_name(EdgeName([name @ .., rule]): &EdgeName) -> Option<Toward> {
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let switch = std::str::from_utf8(&name[..length]).ok().filter(|name| !name.is_empty())?;
    Some(Toward { switch: switch.to_owned(), rule: *rule })
}

/// The interface in an entry of a device map.
pub(super) fn device(
    map: &DevMap<MapData>,
    name: &'static str,
    index: u32,
) -> Result<Option<IfIndex>, DataplaneError> {
    match map.get(index, 0) {
        Ok(device) => Ok(Some(IfIndex(device.if_index))),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(read_error(name, error)),
    }
}

/// A key of `PREFIXES` in aya's form.
pub(super) fn trie_key(prefix: &Prefix) -> Key<[u8; 16]> {
    Key::new(prefix.length, prefix.octets)
}

/// Lets an entry of a device map lead to an interface; to none if its number is 0.
pub(super) fn set_device(
    map: &mut DevMap<MapData>,
    name: &'static str,
    index: u32,
    to: IfIndex,
) -> Result<(), DataplaneError> {
    map.set(index, to.0, None, 0).map_err(|error| DataplaneError::Map {
        doing: "write",
        map: name,
        source: error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_map() {
        for (switch, rule) in [("e1", 0), ("ö", 7), (&"x".repeat(63), 255)] {
            let toward = Toward { switch: switch.to_owned(), rule };
            assert_eq!(parse_edge_name(&edge_name(&toward)), Some(toward));
        }
        assert_eq!(parse_edge_name(&EdgeName([0; 64])), None);
        assert_eq!(parse_edge_name(&EdgeName([0xff; 64])), None);
    }
}
