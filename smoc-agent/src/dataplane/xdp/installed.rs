//! Reads back what agents wrote into the maps.

use std::collections::BTreeMap;

use aya::maps::MapError;
use smoc_common::{
    map::{EdgeIndex, EdgeName, Host, PathSet, Port, Prefix},
    route::PortNumber,
};
use smoc_control::{
    dataplane::{Installed, PortEntry, Slot},
    interfaces::IfIndex,
    ports::Role,
};

use super::{
    found,
    maps::{ConfigMaps, Entry, device, entries, parse_edge_name, read_error},
};
use crate::dataplane::DataplaneError;

impl ConfigMaps {
    /// Everything that an agent wrote.
    pub(super) fn installed(&self) -> Result<Installed, DataplaneError> {
        let maps = self;
        let Entry(settings) = maps.settings.get(&0, 0).map_err(|error| read_error("SETTINGS", error))?;
        let hosts = entries(&maps.hosts, usize::MAX / 2).map_err(|error| read_error("HOSTS", error))?;
        let prefixes = maps.prefixes.iter().map(|entry| {
            let (key, Entry(router)) = entry?;
            Ok((Prefix { length: key.prefix_len(), octets: key.data() }, router))
        });
        let prefixes = collect("PREFIXES", prefixes, |router: &Host| Some(*router))?;
        let detours = entries(&maps.detours, usize::MAX / 2).map_err(|error| read_error("DETOURS", error))?;
        let names = maps.edge_names.iter().zip(0u16..).map(|(name, index)| Ok((index, name?)));
        let names = collect("EDGE_NAMES", names, |Entry(name): &Entry<EdgeName>| parse_edge_name(name))?;
        let pairs = entries(&maps.pairs, usize::MAX / 2).map_err(|error| read_error("PAIRS", error))?;
        let edges = maps.edges.iter().zip(0u16..).map(|(slot, index)| Ok((index, slot?)));
        let edges = collect("EDGES", edges, |slot| (*slot != 0).then_some(Slot(*slot)))?;
        let sets = maps.path_sets.iter().zip(0u32..).map(|(set, slot)| Ok((Slot(slot), set?)));
        let path_sets = collect("PATH_SETS", sets, |Entry(set): &Entry<PathSet>| {
            (*set != PathSet::default()).then_some(*set)
        })?;
        let Entry(hello_keys) =
            maps.hello_keys.get(&0, 0).map_err(|error| read_error("HELLO_KEYS", error))?;
        Ok(Installed {
            settings,
            hello_keys,
            ports: self.installed_ports()?,
            detours: detours.into_iter().map(|(Entry(key), Entry(detour))| (key, detour)).collect(),
            hosts: hosts.into_iter().map(|(Entry(address), Entry(host))| (address, host)).collect(),
            prefixes,
            names,
            pairs: pairs.into_iter().map(|(Entry(key), index)| (key, index as EdgeIndex)).collect(),
            edges,
            path_sets,
        })
    }

    fn installed_ports(&self) -> Result<BTreeMap<PortNumber, PortEntry>, DataplaneError> {
        let mut ports = BTreeMap::new();
        for number in (1..=PortNumber::MAX).filter_map(PortNumber::new) {
            let entry = self.port(number)?;
            if entry != PortEntry::default() {
                ports.insert(number, entry);
            }
        }
        Ok(ports)
    }

    pub(super) fn port(&self, number: PortNumber) -> Result<PortEntry, DataplaneError> {
        let index = u32::from(number.get());
        let Entry(port): Entry<Port> =
            self.ports.get(&index, 0).map_err(|error| read_error("PORTS", error))?;
        let hello = device(&self.hello_ports, "HELLO_PORTS", index)?;
        let interface = match Role::in_map(&port) {
            // One that is not found has no guard and is open, one through which hellos leave is no host port: they differ
            // from what they should be.
            _ if !self.is_found(&port, index)? => IfIndex::default(),
            Role::Fabric => hello.unwrap_or_default(),
            Role::Host if hello.is_none() => IfIndex(port.interface),
            Role::Host => IfIndex::default(),
        };
        Ok(PortEntry { port, interface })
    }

    /// Whether frames that come in by the port's interface are known to, if they must be.
    fn is_found(&self, port: &Port, index: u32) -> Result<bool, DataplaneError> {
        if !port.is_found() {
            return Ok(true);
        }
        let number = found(self.interfaces.get(&port.interface, 0));
        Ok(number.map_err(|error| read_error("INTERFACES", error))? == Some(index))
    }
}

/// Collects what `keep` makes of each value.
fn collect<K: Ord, V, T>(
    map: &'static str,
    entries: impl Iterator<Item = Result<(K, V), MapError>>,
    keep: impl Fn(&V) -> Option<T>,
) -> Result<BTreeMap<K, T>, DataplaneError> {
    let kept = entries.filter_map(|entry| match entry {
        Ok((key, value)) => keep(&value).map(|value| Ok((key, value))),
        Err(error) => Some(Err(read_error(map, error))),
    });
    kept.collect()
}
