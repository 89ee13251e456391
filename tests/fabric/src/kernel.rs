//! What the kernel of one switch holds of smoc: the maps that the pipeline runs over, which outlive the agent.

use std::collections::BTreeMap;

use smoc_common::{
    event::Sighting,
    map::{EdgeIndex, PathSet, Port, Settings},
    memory::{self, Side},
    pipeline::Verdict,
    route::PortNumber,
};
use smoc_control::{
    clock::Nanos,
    dataplane::{Change, Exits, Installed, PortEntry, Slot, Toward},
    interfaces::IfIndex,
    ports::Role,
};

/// Entries that the ring of sightings has room for: `SIGHTING_BYTES` over 64 bytes each.
const SIGHTINGS: usize = 4096;

/// The maps of one switch.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// What the pipeline sees.
    pub maps: memory::Switch,
    names: BTreeMap<EdgeIndex, Toward>,
    edges: BTreeMap<EdgeIndex, Slot>,
    path_sets: BTreeMap<Slot, PathSet>,
    interfaces: BTreeMap<PortNumber, IfIndex>,
    exits: Exits,
    /// Rules of the maps that an agent broke.
    pub broken_rules: Vec<String>,
    /// Writes so far, and those of them to the device maps of [`Exits`].
    pub writes: u64,
    /// See there.
    pub transmit_writes: u64,
}

impl Kernel {
    /// Runs the program of a kind of port on a frame that came in by an interface.
    pub fn run(&mut self, side: Side, ingress: IfIndex, frame: &mut [u8], now: Nanos) -> Verdict {
        self.maps.ingress = ingress.0;
        // The clock is also the number of a new connection, so it never stands still.
        self.maps.clock = self.maps.clock.max(now.0);
        let verdict = match side {
            Side::Host => self.maps.from_host(frame),
            Side::Fabric => self.maps.from_fabric(frame),
        };
        self.maps.sightings.truncate(SIGHTINGS);
        verdict
    }

    /// What was seen of hellos and probes since the last call.
    pub fn take_sightings(&mut self) -> Vec<Sighting> {
        std::mem::take(&mut self.maps.sightings)
    }

    /// The interface of a port, whether frames may leave through it or not.
    pub fn interface(&self, port: u16) -> Option<IfIndex> {
        self.interfaces.get(&PortNumber::new(port)?).copied()
    }

    /// Makes a change, and keeps the rules that no map enforces.
    pub fn write(&mut self, change: &Change) {
        self.writes += 1;
        if let Some(rule) = self.broken_rule(change) {
            self.broken_rules.push(rule);
        }
        match change.clone() {
            Change::NameEdge(index, name) => drop(self.names.insert(index, name)),
            Change::SetPort(port, PortEntry { port: entry, interface }) => {
                self.maps.ports.insert(port.get(), entry);
                self.interfaces.insert(port, interface);
                self.update_down(port);
            }
            Change::RemovePort(port) => {
                self.maps.ports.remove(&port.get());
                self.interfaces.remove(&port);
                self.update_down(port);
            }
            Change::SetDetour(key, detour) => _ = self.maps.detours.insert(key, detour),
            Change::RemoveDetour(key) => _ = self.maps.detours.remove(&key),
            Change::WritePathSet(slot, set) | Change::MarkBroken(slot, set) => {
                self.path_sets.insert(slot, set);
                for edge in self.edges.iter().filter(|(_, used)| **used == slot).map(|(edge, _)| *edge) {
                    self.maps.path_sets.insert(edge, set);
                }
            }
            Change::PointEdge(edge, slot) => {
                match self.path_sets.get(&slot) {
                    Some(set) if slot != Slot(0) => _ = self.maps.path_sets.insert(edge, *set),
                    _ => _ = self.maps.path_sets.remove(&edge),
                }
                if slot == Slot(0) {
                    self.edges.remove(&edge)
                } else {
                    self.edges.insert(edge, slot)
                };
            }
            Change::SetHost(address, host) => drop(self.maps.hosts.insert(address, host)),
            Change::RemoveHost(address) => drop(self.maps.hosts.remove(&address)),
            Change::SetPrefix(prefix, router) => drop(self.maps.prefixes.insert(prefix, router)),
            Change::RemovePrefix(prefix) => drop(self.maps.prefixes.remove(&prefix)),
            Change::SetHelloKeys(keys) => self.maps.hello_keys = keys,
            Change::SetPair(key, index) => drop(self.maps.pairs.insert(key, index)),
            Change::RemovePair(key) => drop(self.maps.pairs.remove(&key)),
            Change::SetSettings(settings) => self.maps.settings = Some(settings),
        }
    }

    fn broken_rule(&self, change: &Change) -> Option<String> {
        let in_use = |slot: &Slot| self.edges.values().any(|used| used == slot);
        let broken = match change {
            Change::NameEdge(index, name) => self.names.get(index).is_some_and(|before| before != name),
            Change::WritePathSet(slot, _) => *slot == Slot(0) || in_use(slot),
            Change::MarkBroken(slot, set) => {
                let before = self.path_sets.get(slot).map(|before| PathSet { broken: set.broken, ..*before });
                before.as_ref() != Some(set)
            }
            Change::PointEdge(_, slot) => *slot != Slot(0) && !self.path_sets.contains_key(slot),
            _ => false,
        };
        broken.then(|| format!("{change:?} breaks a rule of the maps"))
    }

    /// Lets a port lead to an interface in the device map of a role, or nowhere.
    pub fn transmit(&mut self, port: PortNumber, role: Role, to: Option<IfIndex>) {
        self.transmit_writes += 1;
        match to {
            Some(interface) => _ = self.exits.insert((port, role), interface),
            None => _ = self.exits.remove(&(port, role)),
        }
        self.update_down(port);
    }

    /// An interface is gone: the kernel takes it out of all device maps.
    pub fn interface_is_gone(&mut self, port: PortNumber) {
        self.exits.retain(|(number, _), _| *number != port);
        if let Some(index) = self.interfaces.get_mut(&port) {
            *index = IfIndex(0);
        }
        self.update_down(port);
    }

    fn update_down(&mut self, port: PortNumber) {
        if self.transmits(port) {
            self.maps.down.remove(&port.get());
        } else {
            self.maps.down.insert(port.get());
        }
    }

    /// Whether frames leave through a port in the role that it has.
    pub fn transmits(&self, port: PortNumber) -> bool {
        let entry = self.maps.ports.get(&port.get());
        entry.is_some_and(|entry| self.exits.contains_key(&(port, Role::in_map(entry))))
    }

    /// Whether the program of a kind of port keeps the base network from coming in by an interface.
    pub fn is_closed(&self, side: Side, port: PortNumber, interface: IfIndex) -> bool {
        let looks = self.maps.settings.is_some_and(|settings| settings.guarded & Settings::SHUT != 0);
        let entry = self.maps.ports.get(&port.get());
        (side == Side::Fabric || looks)
            && entry.is_some_and(|entry| entry.base == Port::CLOSED && entry.interface == interface.0)
    }

    /// `FABRIC_PORTS` and `HOST_PORTS`.
    pub fn exits(&self) -> &Exits {
        &self.exits
    }

    /// Whether the maps say just this.
    pub fn is(&self, wanted: &Installed) -> bool {
        let ports = self.interfaces.iter().filter_map(|(port, interface)| {
            Some((port, PortEntry { port: *self.maps.ports.get(&port.get())?, interface: *interface }))
        });
        self.maps.settings.unwrap_or_default() == wanted.settings
            && self.maps.hello_keys == wanted.hello_keys
            && ports.eq(wanted.ports.iter().map(|(port, entry)| (port, *entry)))
            && self.maps.detours == wanted.detours
            && self.maps.hosts == wanted.hosts
            && self.names == wanted.names
            && self.maps.pairs == wanted.pairs
            && self.edges == wanted.edges
            && self.path_sets == wanted.path_sets
    }

    /// Everything that an agent reads back.
    pub fn installed(&self) -> Installed {
        let entry = |(port, interface): (&PortNumber, &IfIndex)| {
            let port_entry = *self.maps.ports.get(&port.get())?;
            Some((*port, PortEntry { port: port_entry, interface: *interface }))
        };
        Installed {
            settings: self.maps.settings.unwrap_or_default(),
            hello_keys: self.maps.hello_keys,
            ports: self.interfaces.iter().filter_map(entry).collect(),
            detours: self.maps.detours.clone(),
            hosts: self.maps.hosts.clone(),
            prefixes: self.maps.prefixes.clone(),
            names: self.names.clone(),
            pairs: self.maps.pairs.clone(),
            edges: self.edges.clone(),
            path_sets: self.path_sets.clone(),
        }
    }
}
