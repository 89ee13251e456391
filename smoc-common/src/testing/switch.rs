//! A switch whose tables are in ordinary memory: it runs the pipeline as the XDP programs do.

use super::std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    vec::Vec,
};

use crate::{
    event::{COUNTER_ENTRIES, Event, Sighting},
    map::{
        Connection, ConnectionId, Detour, DetourKey, EdgeIndex, Flow, FlowKey, HalfOpen, Host, Openings,
        PathSet, Port, Settings, TokenBinding, TokenKey,
    },
    pipeline::{self, Table, Tables, Verdict},
    wire::{Bytes, ip::Address},
};

/// A table that the packet path writes.
#[derive(Clone, Debug)]
pub struct Entries<K, V> {
    /// What is in it.
    pub entries: HashMap<K, V>,
    /// How many entries fit; a further one is refused. (The kernel's tables evict instead, unless that fails.)
    pub room: usize,
}

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), room: usize::MAX }
    }
}

impl<'a, K: Hash + Eq + Copy, V: Copy> Table<'a, K, V> for &'a mut Entries<K, V> {
    fn get(self, key: &K) -> Option<&'a mut V> {
        self.entries.get_mut(key)
    }

    fn insert(self, key: &K, value: &V) -> bool {
        let fits = self.entries.len() < self.room || self.entries.contains_key(key);
        if fits {
            self.entries.insert(*key, *value);
        }
        fits
    }

    fn remove(self, key: &K) {
        self.entries.remove(key);
    }
}

/// One switch: the tables of [`crate::map`], with the agent's left to the test to fill.
#[derive(Clone, Debug)]
pub struct Switch {
    /// `SETTINGS`.
    pub settings: Option<Settings>,
    /// `PORTS`.
    pub ports: HashMap<u16, Port>,
    /// Those of them that are not in `FABRIC_PORTS`, but in `HELLO_PORTS`, or not in `HOST_PORTS`.
    pub down: HashSet<u16>,
    /// The interface that frames come in by.
    pub ingress: u32,
    /// `DETOURS`.
    pub detours: HashMap<DetourKey, Detour>,
    /// `HOSTS`.
    pub hosts: HashMap<Address, Host>,
    /// `EDGES` and `PATH_SETS`.
    pub path_sets: HashMap<EdgeIndex, PathSet>,
    /// `FLOWS`.
    pub flows: Entries<FlowKey, Flow>,
    /// `HALF_OPEN`.
    pub half_open: Entries<FlowKey, HalfOpen>,
    /// `CONNECTIONS`.
    pub connections: Entries<ConnectionId, Connection>,
    /// `TOKENS`.
    pub tokens: Entries<TokenKey, TokenBinding>,
    /// `OPENINGS`.
    pub openings: Openings,
    /// `COUNTERS`.
    pub counters: [u64; COUNTER_ENTRIES as usize],
    /// `EVENTS`, which here has room for all of them.
    pub events: Vec<Event>,
    /// `SIGHTINGS`, likewise.
    pub sightings: Vec<Sighting>,
    /// The time, in nanoseconds; also the next connection's id.
    pub clock: u64,
}

impl Default for Switch {
    fn default() -> Self {
        Self {
            settings: None,
            ports: HashMap::new(),
            down: HashSet::new(),
            ingress: 0,
            detours: HashMap::new(),
            hosts: HashMap::new(),
            path_sets: HashMap::new(),
            flows: Entries::default(),
            half_open: Entries::default(),
            connections: Entries::default(),
            tokens: Entries::default(),
            openings: Openings::default(),
            counters: [0; _],
            events: Vec::new(),
            sightings: Vec::new(),
            clock: 1,
        }
    }
}

impl Switch {
    /// A frame comes in from a host port: `smoc_host`, and `smoc_choose` if that leaves it undecided.
    pub fn from_host(&mut self, frame: &mut [u8]) -> Verdict {
        self.clock += 1;
        let mut frame = Bytes(frame);
        match pipeline::from_host(&mut frame, self) {
            Some(verdict) => verdict,
            None => pipeline::choose(&mut frame, self),
        }
    }

    /// A frame comes in from a fabric port: `smoc_fabric`, and `smoc_arrive` if that leaves it undecided.
    pub fn from_fabric(&mut self, frame: &mut [u8]) -> Verdict {
        self.clock += 1;
        let mut frame = Bytes(frame);
        match pipeline::from_fabric(&mut frame, self) {
            Some(verdict) => verdict,
            None => pipeline::arrive(&mut frame, self),
        }
    }

    fn has_port(&self, number: u16, role: u8) -> bool {
        self.ports.get(&number).is_some_and(|port| port.role == role)
    }

    /// What the counter with this index (`Outcome::counter`, `Note::counter`) stands at.
    pub fn count_of(&self, counter: u32) -> u64 {
        self.counters[counter as usize]
    }
}

impl Tables for Switch {
    fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }

    fn port(&self, number: u16) -> Option<&Port> {
        self.ports.get(&number)
    }

    fn leave_through(&mut self, number: u16) -> bool {
        self.has_port(number, Port::FABRIC) && !self.down.contains(&number)
    }

    fn leave_through_any(&mut self, number: u16) -> bool {
        self.has_port(number, Port::FABRIC)
    }

    fn deliver_through(&mut self, number: u16) -> bool {
        self.has_port(number, Port::HOST) && !self.down.contains(&number)
    }

    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn ingress_port(&self) -> u16 {
        let is_it = |port: &Port| port.interface == self.ingress && port.guard != Port::GUARD_OFF;
        self.ports.iter().find(|(_, port)| is_it(port)).map_or(0, |(&number, _)| number)
    }

    fn detour(&self, key: &DetourKey) -> Option<&Detour> {
        self.detours.get(key)
    }

    fn host(&self, address: &Address) -> Option<&Host> {
        self.hosts.get(address)
    }

    fn path_set(&self, edge: EdgeIndex) -> Option<&PathSet> {
        self.path_sets.get(&edge)
    }

    fn flows(&mut self) -> impl Table<'_, FlowKey, Flow> {
        &mut self.flows
    }

    fn half_open(&mut self) -> impl Table<'_, FlowKey, HalfOpen> {
        &mut self.half_open
    }

    fn connections(&mut self) -> impl Table<'_, ConnectionId, Connection> {
        &mut self.connections
    }

    fn tokens(&mut self) -> impl Table<'_, TokenKey, TokenBinding> {
        &mut self.tokens
    }

    fn openings(&mut self) -> Option<&mut Openings> {
        Some(&mut self.openings)
    }

    fn fetch_add(number: &mut u32, amount: u32) -> u32 {
        let before = *number;
        *number = before.wrapping_add(amount);
        before
    }

    fn fetch_or(number: &mut u32, bits: u32) -> u32 {
        core::mem::replace(number, *number | bits)
    }

    fn fetch_and(number: &mut u32, bits: u32) -> u32 {
        core::mem::replace(number, *number & bits)
    }

    fn tick(&self) -> u8 {
        (self.clock >> 31) as u8
    }

    fn now(&self) -> u64 {
        self.clock
    }

    fn new_connection_id(&self) -> ConnectionId {
        self.clock
    }

    fn count(&mut self, counter: u32) {
        self.counters[counter as usize] += 1;
    }

    fn report(&mut self, event: &Event) {
        self.events.push(*event);
    }

    fn sighted(&mut self, sighting: &Sighting) {
        self.sightings.push(*sighting);
    }
}
