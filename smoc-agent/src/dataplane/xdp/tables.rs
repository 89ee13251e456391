//! Reads and tidies the tables that the packet path fills, whatever agent runs.

use std::path::Path;

use aya::{
    Pod,
    maps::{HashMap, MapData},
};
use smoc_common::{
    map::{EdgeIndex, Flow, FlowKey, HandshakeTimes, Plain, TokenBinding},
    route::Rank,
};
use smoc_control::{
    clock::Nanos,
    connections::{self, Claim},
    dataplane::{Correction, Exits, Installed, KernelTables},
    siblings::{Settlement, Stray},
};

use super::{
    Transmit, found, gone_is_fine,
    maps::{self, ConfigMaps, Entry, KernelMaps, NOEXIST, entries, read_error, remove_if, write_error},
};
use crate::dataplane::{DataplaneError, Observe, errno};

/// Reads what is in the maps, and tidies what the kernel writes.
pub struct XdpTables {
    maps: std::sync::Mutex<KernelMaps>,
    config: std::sync::Mutex<ConfigMaps>,
    transmit: Transmit,
    capacities: Vec<(&'static str, u32)>,
}

impl XdpTables {
    /// Opens the tables in a pin directory.
    ///
    /// # Errors
    /// They are not there.
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        let tables = ["FLOWS_V4", "FLOWS", "HALF_OPEN", "CONNECTIONS", "TOKENS", "HOSTS"];
        let capacities = tables.into_iter().map(|name| Ok((name, maps::capacity(pin, name)?)));
        Ok(Self {
            maps: KernelMaps::open(pin)?.into(),
            config: ConfigMaps::open(pin)?.into(),
            transmit: Transmit::open(pin)?,
            capacities: capacities.collect::<Result<_, DataplaneError>>()?,
        })
    }

    fn maps(&self) -> std::sync::MutexGuard<'_, KernelMaps> {
        self.maps.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn capacity(&self, name: &str) -> usize {
        self.capacities.iter().find(|(table, _)| *table == name).map_or(0, |(_, size)| *size as usize)
    }

    /// All entries of a table.
    fn read<K: Pod, V: Pod>(
        &self,
        name: &'static str,
        map: &HashMap<MapData, K, V>,
    ) -> Result<Vec<(K, V)>, DataplaneError> {
        entries(map, self.capacity(name)).map_err(|error| read_error(name, error))
    }

    /// `FLOWS_V4` and `FLOWS`.
    fn flows(&self, maps: &KernelMaps) -> Result<Vec<(FlowKey, Flow)>, DataplaneError> {
        let v4 = self.read("FLOWS_V4", &maps.flows_v4)?;
        let v4 = v4.into_iter().map(|(Entry(key), Entry(flow))| (key.into(), flow));
        Ok(v4.chain(values(self.read("FLOWS", &maps.flows)?)).collect())
    }
}

/// Entries without what aya sees them through.
fn values<K: Plain, V: Plain>(entries: Vec<(Entry<K>, Entry<V>)>) -> Vec<(K, V)> {
    entries.into_iter().map(|(Entry(key), Entry(value))| (key, value)).collect()
}

impl Observe for XdpTables {
    fn installed(&self) -> Result<Installed, DataplaneError> {
        self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner).installed()
    }

    fn exits(&self) -> Result<Exits, DataplaneError> {
        self.transmit.all()
    }

    fn tables(&self) -> Result<KernelTables, DataplaneError> {
        let maps = self.maps();
        let connections = self.read("CONNECTIONS", &maps.connections)?;
        Ok(KernelTables {
            flows: self.flows(&maps)?,
            half_open: values(self.read("HALF_OPEN", &maps.half_open)?),
            connections: connections.into_iter().map(|(id, Entry(connection))| (id, connection)).collect(),
            tokens: values(self.read("TOKENS", &maps.tokens)?),
        })
    }

    fn counters(&self) -> Result<Vec<u64>, DataplaneError> {
        self.maps().counters().map_err(|error| read_error("COUNTERS", error))
    }

    fn handshakes(&self, paths: &[(EdgeIndex, Rank)]) -> Result<Vec<HandshakeTimes>, DataplaneError> {
        let maps = self.maps();
        let times = paths.iter().map(|&(edge, rank)| maps.handshakes(edge, rank));
        times.collect::<Result<_, _>>().map_err(|error| read_error("HANDSHAKES", error))
    }

    fn correct(&self, correction: Correction) -> Result<(), DataplaneError> {
        let mut maps = self.maps();
        let (map, done) = match correction {
            Correction::RemoveFlow(key, opened) => {
                let is_it = |flow: &Flow| flow.opened == opened && flow.is_closed();
                match key.v4() {
                    Some(key) => ("FLOWS_V4", remove_if(&mut maps.flows_v4, key, is_it)),
                    None => ("FLOWS", remove_if(&mut maps.flows, key, is_it)),
                }
            }
            Correction::RemoveConnection(id) => ("CONNECTIONS", maps.connections.remove(&id)),
            Correction::RemoveToken(key, seen) => {
                ("TOKENS", remove_if(&mut maps.tokens, key, |binding: &TokenBinding| *binding == seen))
            }
            Correction::Recount(id, joins) => ("CONNECTIONS", maps.recount(id, joins)),
            Correction::Rebind(key, seen, binding) => ("TOKENS", maps.rebind(key, &seen, binding)),
            Correction::RestoreFlow(key, flow) => match key.v4() {
                Some(key) => ("FLOWS_V4", maps.flows_v4.insert(Entry(key), Entry(flow), NOEXIST)),
                None => ("FLOWS", maps.flows.insert(Entry(key), Entry(flow), NOEXIST)),
            },
            Correction::RestoreConnection(id, connection) => {
                ("CONNECTIONS", maps.connections.insert(id, Entry(connection), NOEXIST))
            }
            Correction::RestoreToken(key, binding) => {
                ("TOKENS", maps.tokens.insert(Entry(key), Entry(binding), NOEXIST))
            }
        };
        let done = match done {
            // Somebody else has the key by now.
            Err(error) if errno(&error) == Some(libc::EEXIST) => Ok(()),
            other => gone_is_fine(other),
        };
        done.map_err(|error| write_error(map, error))
    }

    fn stray(&self, key: &FlowKey) -> Result<Option<Stray>, DataplaneError> {
        let maps = self.maps();
        let Some(flow) = found(maps.flow(key)).map_err(|error| read_error("FLOWS", error))? else {
            return Ok(None);
        };
        let connection = found(maps.connections.get(&flow.connection, 0));
        let connection = connection.map_err(|error| read_error("CONNECTIONS", error))?;
        let connection = connection.map(|Entry(connection)| connection);
        Ok(connections::stray(key, &flow, connection.as_ref(), |index| maps.plain(index)))
    }

    fn tokens_of(&self, key: &FlowKey) -> Result<Vec<u32>, DataplaneError> {
        let maps = self.maps();
        let (flow, shown) = match found(maps.flow(key)).map_err(|error| read_error("FLOWS", error))? {
            Some(flow) => (flow, Vec::new()),
            None => {
                let half = found(maps.half_open.get(&Entry(*key), 0));
                let half = half.map_err(|error| read_error("HALF_OPEN", error))?;
                let Some(Entry(half)) = half else { return Ok(Vec::new()) };
                (half.flow, vec![half.initiator_token, half.responder_tokens[0]])
            }
        };
        let connection = found(maps.connections.get(&flow.connection, 0));
        let connection = connection.map_err(|error| read_error("CONNECTIONS", error))?;
        let tokens = match connection {
            Some(Entry(connection)) => vec![connection.local_token, connection.remote_token],
            None => [vec![flow.token], shown].concat(),
        };
        Ok(tokens.into_iter().filter(|token| *token != 0).collect())
    }

    fn claims(&self, token: u32) -> Result<Vec<Claim>, DataplaneError> {
        let bound = found(self.maps().connections_of(token)).map_err(|error| read_error("TOKENS", error))?;
        let bound = bound.unwrap_or_default();
        if bound.is_empty() {
            return Ok(Vec::new());
        }
        let maps = self.maps();
        let flows = self.flows(&maps)?;
        let flows = flows.iter().map(|(key, flow)| (key, flow));
        Ok(connections::claims(token, &bound, flows, |index| maps.plain(index)))
    }

    fn settle(&self, settlement: &Settlement, now: Nanos) -> Result<(), DataplaneError> {
        // The kernel's own have the number of their CPU in the lowest byte, and no switch has so many.
        let id = now.0 | 0xff;
        gone_is_fine(self.maps().settle(settlement, id)).map_err(|error| write_error("FLOWS", error))
    }

    fn capacities(&self) -> Vec<(&'static str, u32)> {
        self.capacities.clone()
    }
}
