//! A switch whose maps are in ordinary memory: it runs the pipeline as the XDP programs do. Tests and simulators build
//! one, the agent fills one from the live maps to explain what the kernel does.
//!
//! Nothing here depends on the order of a hash: equal switches given equal frames stay equal.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    event::{COUNTER_ENTRIES, Event, Note, Sighting},
    map::{
        Connection, ConnectionId, Detour, DetourKey, EdgeIndex, Flow, FlowKey, HalfOpen, HandshakeTimes,
        HelloKeys, Host, Openings, PORT_ENTRIES, PairKey, PathSet, Port, Prefix, Settings, TokenBinding,
        TokenKey,
    },
    pipeline::{self, Table, Tables, Verdict},
    route::{Label, PushedRoute, Rank},
    wire::{Bytes, Frame, ip::Address},
};

/// What kind of port a frame comes in through: decides which program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A port that hosts are on.
    Host,
    /// A port that leads to another switch.
    Fabric,
}

/// What became of a frame at one switch, and all that was counted about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The outcome, and the port that the frame leaves through.
    pub verdict: Verdict,
    /// What was noted beside it, in the order of [`Note::ALL`].
    pub notes: Vec<Note>,
    /// The label with which the frame goes on into the fabric, else the one with which it came from there.
    pub label: Option<Label>,
}

impl Run {
    /// Whether this was noted.
    pub fn has(&self, note: Note) -> bool {
        self.notes.contains(&note)
    }
}

/// A table that the packet path writes.
#[derive(Clone, Debug)]
pub struct Entries<K, V> {
    /// What is in it.
    pub entries: BTreeMap<K, V>,
    /// How many entries fit; a further one is refused. (The kernel's LRU tables evict instead, unless that fails.)
    pub room: usize,
}

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), room: usize::MAX }
    }
}

impl<'a, K: Ord + Copy, V: Copy> Table<'a, K, V> for &'a mut Entries<K, V> {
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

/// One switch: the maps of [`crate::map`]. Whoever makes one fills those that the agent writes.
#[derive(Clone, Debug)]
pub struct Switch {
    /// `SETTINGS`.
    pub settings: Option<Settings>,
    /// `HELLO_KEYS`.
    pub hello_keys: HelloKeys,
    /// `PORTS`.
    pub ports: BTreeMap<u16, Port>,
    /// Those of them that are not in `FABRIC_PORTS`, but in `HELLO_PORTS`, or not in `HOST_PORTS`.
    pub down: BTreeSet<u16>,
    /// The interface that frames come in by.
    pub ingress: u32,
    /// `DETOURS`.
    pub detours: BTreeMap<DetourKey, Detour>,
    /// `HOSTS`.
    pub hosts: BTreeMap<Address, Host>,
    /// `PREFIXES`.
    pub prefixes: BTreeMap<Prefix, Host>,
    /// `PAIRS`.
    pub pairs: BTreeMap<PairKey, EdgeIndex>,
    /// `EDGES` and `PATH_SETS`.
    pub path_sets: BTreeMap<EdgeIndex, PathSet>,
    /// `FLOWS`.
    pub flows: Entries<FlowKey, Flow>,
    /// `HALF_OPEN`.
    pub half_open: Entries<FlowKey, HalfOpen>,
    /// `CONNECTIONS`.
    pub connections: Entries<ConnectionId, Connection>,
    /// `TOKENS`.
    pub tokens: Entries<TokenKey, TokenBinding>,
    /// `OPENINGS`.
    pub openings: BTreeMap<u16, Openings>,
    /// `SIGHTED`.
    pub sighted: BTreeMap<u32, Openings>,
    /// `HANDSHAKES`.
    pub handshakes: BTreeMap<u32, HandshakeTimes>,
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
            hello_keys: HelloKeys::default(),
            ports: BTreeMap::new(),
            down: BTreeSet::new(),
            ingress: 0,
            detours: BTreeMap::new(),
            hosts: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            pairs: BTreeMap::new(),
            path_sets: BTreeMap::new(),
            flows: Entries::default(),
            half_open: Entries::default(),
            connections: Entries::default(),
            tokens: Entries::default(),
            openings: BTreeMap::new(),
            sighted: BTreeMap::new(),
            handshakes: BTreeMap::new(),
            counters: [0; _],
            events: Vec::new(),
            sightings: Vec::new(),
            clock: 1,
        }
    }
}

impl Switch {
    /// A frame comes in from a host port: `smoc_host`, then `smoc_choose` and `smoc_meet` if the ones before leave it undecided.
    pub fn from_host(&mut self, frame: &mut [u8]) -> Verdict {
        self.clock += 1;
        let mut frame = Bytes(frame);
        match pipeline::from_host(&mut frame, self) {
            Some(verdict) => verdict,
            None => pipeline::choose(&mut frame, self).unwrap_or_else(|| pipeline::meet(&mut frame, self)),
        }
    }

    /// A frame comes in from a fabric port: `smoc_fabric`, then `smoc_arrive` and `smoc_probe` if the ones before leave it undecided.
    pub fn from_fabric(&mut self, frame: &mut [u8]) -> Verdict {
        self.clock += 1;
        let mut frame = Bytes(frame);
        match pipeline::from_fabric(&mut frame, self) {
            Some(verdict) => verdict,
            None => pipeline::arrive(&mut frame, self).unwrap_or_else(|| pipeline::probe(&mut frame, self)),
        }
    }

    /// A frame comes in; as [`Switch::from_host`] or [`Switch::from_fabric`], with what was noted.
    pub fn run(&mut self, side: Side, frame: &mut [u8]) -> Run {
        let (before, came_with) = (self.counters, label_of(frame));
        let verdict = match side {
            Side::Host => self.from_host(frame),
            Side::Fabric => self.from_fabric(frame),
        };
        let counted = |note: &Note| self.count_of(note.counter()) != before[note.counter() as usize];
        Run {
            verdict,
            notes: Note::ALL.iter().copied().filter(counted).collect(),
            label: label_of(frame).or(came_with),
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

fn label_of(frame: &mut [u8]) -> Option<Label> {
    let (addresses, _) = Bytes(frame).ethernet()?;
    PushedRoute::parse(addresses).map(|pushed| pushed.label)
}

impl Tables for Switch {
    fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }

    fn hello_keys(&self) -> Option<&HelloKeys> {
        Some(&self.hello_keys)
    }

    /// As in the kernel, where `PORTS` is an array: a port that was never written is all zero.
    fn port(&self, number: u16) -> Option<&Port> {
        static NONE: Port = Port::NONE;
        self.ports.get(&number).or((u32::from(number) < PORT_ENTRIES).then_some(&NONE))
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
        let is_it = |port: &Port| port.interface == self.ingress && port.is_found();
        self.ports.iter().find(|(_, port)| is_it(port)).map_or(0, |(&number, _)| number)
    }

    fn detour(&self, key: &DetourKey) -> Option<&Detour> {
        self.detours.get(key)
    }

    fn host(&self, address: &Address) -> Option<&Host> {
        self.hosts.get(address)
    }

    /// Keys are sorted by length.
    fn router(&self, address: &Address) -> Option<&Host> {
        self.settings.filter(|settings| settings.filled & Settings::PREFIXES != 0)?;
        self.prefixes.iter().rev().find(|(prefix, _)| prefix.contains(address)).map(|(_, router)| router)
    }

    fn pair(&self, key: PairKey) -> Option<EdgeIndex> {
        self.pairs.get(&key).copied()
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

    fn openings(&mut self, port: u16) -> Option<&mut Openings> {
        Some(self.openings.entry(port).or_default())
    }

    fn sightings(&mut self) -> Option<&mut Openings> {
        Some(self.sighted.entry(self.ingress).or_default())
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

    fn timed(&mut self, edge: EdgeIndex, rank: Rank, time: u64) {
        let times = self.handshakes.entry(HandshakeTimes::place(edge, rank)).or_default();
        times.buckets[HandshakeTimes::bucket(time)] += 1;
        times.sum += time;
    }

    fn report(&mut self, event: &Event) {
        self.events.push(*event);
    }

    fn sighted(&mut self, sighting: &Sighting) {
        self.sightings.push(*sighting);
    }
}
