//! Reads and tidies the tables that the packet path fills, whatever agent runs.

use std::path::Path;

use smoc_common::map::{Flow, FlowKey, TokenBinding};
use smoc_control::{
    clock::Nanos,
    connections::{self, Claim},
    dataplane::{Exits, Installed, KernelTables, Removal},
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
        let flows_v4 = entries(&maps.flows_v4, self.capacity("FLOWS_V4"));
        let flows = entries(&maps.flows, self.capacity("FLOWS"));
        let half_open = entries(&maps.half_open, self.capacity("HALF_OPEN"));
        let connections = entries(&maps.connections, self.capacity("CONNECTIONS"));
        let tokens = entries(&maps.tokens, self.capacity("TOKENS"));
        let failed = |map| move |error| read_error(map, error);
        Ok(KernelTables {
            flows: flows_v4
                .map_err(failed("FLOWS_V4"))?
                .into_iter()
                .map(|(Entry(k), Entry(v))| (k.into(), v))
                .chain(flows.map_err(failed("FLOWS"))?.into_iter().map(|(Entry(k), Entry(v))| (k, v)))
                .collect(),
            half_open: half_open
                .map_err(failed("HALF_OPEN"))?
                .into_iter()
                .map(|(Entry(k), Entry(v))| (k, v))
                .collect(),
            connections: connections
                .map_err(failed("CONNECTIONS"))?
                .into_iter()
                .map(|(k, Entry(v))| (k, v))
                .collect(),
            tokens: tokens
                .map_err(failed("TOKENS"))?
                .into_iter()
                .map(|(Entry(k), Entry(v))| (k, v))
                .collect(),
        })
    }

    fn counters(&self) -> Result<Vec<u64>, DataplaneError> {
        self.maps().counters().map_err(|error| read_error("COUNTERS", error))
    }

    fn remove(&self, removal: Removal) -> Result<(), DataplaneError> {
        let mut maps = self.maps();
        let (map, done) = match removal {
            Removal::Flow(key, opened) => {
                let is_it = |flow: &Flow| flow.opened == opened && flow.is_closed();
                match key.v4() {
                    Some(key) => ("FLOWS_V4", remove_if(&mut maps.flows_v4, key, is_it)),
                    None => ("FLOWS", remove_if(&mut maps.flows, key, is_it)),
                }
            }
            Removal::Connection(id) => ("CONNECTIONS", maps.connections.remove(&id)),
            Removal::Token(key, seen) => {
                ("TOKENS", remove_if(&mut maps.tokens, key, |binding: &TokenBinding| *binding == seen))
            }
            Removal::Recount(id, joins) => ("CONNECTIONS", maps.recount(id, joins)),
            Removal::Rebind(key, seen, binding) => ("TOKENS", maps.rebind(key, &seen, binding)),
            Removal::RestoreFlow(key, flow) => match key.v4() {
                Some(key) => ("FLOWS_V4", maps.flows_v4.insert(Entry(key), Entry(flow), NOEXIST)),
                None => ("FLOWS", maps.flows.insert(Entry(key), Entry(flow), NOEXIST)),
            },
            Removal::RestoreConnection(id, connection) => {
                ("CONNECTIONS", maps.connections.insert(id, Entry(connection), NOEXIST))
            }
            Removal::RestoreToken(key, binding) => {
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
        Ok(connections::stray(key, &flow, connection.map(|Entry(connection)| connection).as_ref()))
    }

    fn claims(&self, token: u32) -> Result<Vec<Claim>, DataplaneError> {
        let bound = found(self.maps().connections_of(token)).map_err(|error| read_error("TOKENS", error))?;
        let bound = bound.unwrap_or_default();
        if bound.is_empty() {
            return Ok(Vec::new());
        }
        let maps = self.maps();
        let v4 = entries(&maps.flows_v4, self.capacity("FLOWS_V4"));
        let v4 = v4.map_err(|error| read_error("FLOWS_V4", error))?;
        let v6 = entries(&maps.flows, self.capacity("FLOWS")).map_err(|error| read_error("FLOWS", error))?;
        let v4 = v4.into_iter().map(|(Entry(key), Entry(flow))| (FlowKey::from(key), flow));
        let flows: Vec<(FlowKey, Flow)> =
            v4.chain(v6.into_iter().map(|(Entry(key), Entry(flow))| (key, flow))).collect();
        Ok(connections::claims(token, &bound, flows.iter().map(|(key, flow)| (key, flow))))
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
