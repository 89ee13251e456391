//! What arrives in another order, meets a full table, or happens between two steps of a program; and what must not be
//! left in any table.

use std::{boxed::Box, format};

use super::*;
use crate::{
    event::{Event, Sighting},
    map::{
        Connection, ConnectionId, Detour, DetourKey, EdgeIndex, HalfOpen, HelloKeys, Host, Openings, PairKey,
        TokenBinding, TokenKey,
    },
    pipeline::{self, Table, Tables},
    route::Rank,
    wire::{Bytes, ip::Address},
};

const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x0123_4567_89ab_cdef];

fn server() -> u32 {
    derive(Version::V1, KEYS[1])
}

/// The tables of a switch, which notice what is looked up, and in which the agent writes between two lookups.
pub(super) struct Interrupted<'a> {
    switch: &'a mut Switch,
    /// How often connections or tokens were looked up.
    touched: usize,
    hosts_read: std::cell::Cell<usize>,
    /// After so many hosts: what one of them was before, and the settings from then on.
    change: Option<(usize, (Address, Box<Host>), Settings)>,
}

impl<'a> Interrupted<'a> {
    pub fn new(switch: &'a mut Switch) -> Self {
        Self { switch, touched: 0, hosts_read: 0.into(), change: None }
    }

    pub fn after_hosts(self, count: usize, (address, host): (Address, Host), settings: Settings) -> Self {
        Self { change: Some((count, (address, Box::new(host)), settings)), ..self }
    }
}

impl Tables for Interrupted<'_> {
    fn settings(&self) -> Option<&Settings> {
        match &self.change {
            Some((count, _, settings)) if self.hosts_read.get() >= *count => Some(settings),
            _ => self.switch.settings(),
        }
    }
    fn sightings(&mut self) -> Option<&mut Openings> {
        self.switch.sightings()
    }
    fn hello_keys(&self) -> Option<&HelloKeys> {
        self.switch.hello_keys()
    }
    fn port(&self, number: u16) -> Option<&Port> {
        self.switch.port(number)
    }
    fn leave_through(&mut self, number: u16) -> bool {
        self.switch.leave_through(number)
    }
    fn leave_through_any(&mut self, number: u16) -> bool {
        self.switch.leave_through_any(number)
    }
    fn deliver_through(&mut self, number: u16) -> bool {
        self.switch.deliver_through(number)
    }
    fn ingress(&self) -> u32 {
        self.switch.ingress()
    }
    fn ingress_port(&self) -> u16 {
        self.switch.ingress_port()
    }
    fn detour(&self, key: &DetourKey) -> Option<&Detour> {
        self.switch.detour(key)
    }
    fn router(&self, address: &Address) -> Option<&Host> {
        self.switch.router(address)
    }
    fn host(&self, address: &Address) -> Option<&Host> {
        self.hosts_read.set(self.hosts_read.get() + 1);
        match &self.change {
            Some((count, (moved, host), _)) if moved == address && self.hosts_read.get() <= *count => {
                Some(host)
            }
            _ => self.switch.host(address),
        }
    }
    fn pair(&self, key: PairKey) -> Option<EdgeIndex> {
        self.switch.pair(key)
    }
    fn path_set(&self, edge: EdgeIndex) -> Option<&PathSet> {
        self.switch.path_set(edge)
    }
    fn flows(&mut self) -> impl Table<'_, FlowKey, Flow> {
        self.switch.flows()
    }
    fn half_open(&mut self) -> impl Table<'_, FlowKey, HalfOpen> {
        self.switch.half_open()
    }
    fn connections(&mut self) -> impl Table<'_, ConnectionId, Connection> {
        self.touched += 1;
        self.switch.connections()
    }
    fn tokens(&mut self) -> impl Table<'_, TokenKey, TokenBinding> {
        self.touched += 1;
        self.switch.tokens()
    }
    fn openings(&mut self, port: u16) -> Option<&mut Openings> {
        self.switch.openings(port)
    }
    fn fetch_add(number: &mut u32, amount: u32) -> u32 {
        Switch::fetch_add(number, amount)
    }
    fn fetch_or(number: &mut u32, bits: u32) -> u32 {
        Switch::fetch_or(number, bits)
    }
    fn fetch_and(number: &mut u32, bits: u32) -> u32 {
        Switch::fetch_and(number, bits)
    }
    fn now(&self) -> u64 {
        self.switch.now()
    }
    fn tick(&self) -> u8 {
        self.switch.tick()
    }
    fn new_connection_id(&self) -> ConnectionId {
        self.switch.new_connection_id()
    }
    fn count(&mut self, counter: u32) {
        self.switch.count(counter);
    }
    fn timed(&mut self, edge: EdgeIndex, rank: Rank, time: u64) {
        self.switch.timed(edge, rank, time);
    }
    fn report(&mut self, event: &Event) {
        self.switch.report(event);
    }
    fn sighted(&mut self, sighting: &Sighting) {
        self.switch.sighted(sighting);
    }
}

#[test]
fn data_keeps_connection_and_tokens_in_use_every_few_seconds() {
    const SECONDS: u64 = 1_000_000_000;
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    let mut touched = Vec::new();
    for _ in 0..3 {
        let mut tables = Interrupted::new(&mut network.edges[0]);
        for n in 0..1_000 {
            let mut frame = Build::tcp(A, B).numbers(1_001 + n, 0).payload(b"d").frame();
            let mut frame = Bytes(&mut frame);
            let verdict = pipeline::from_host(&mut frame, &mut tables);
            let verdict = verdict.or_else(|| pipeline::choose(&mut frame, &mut tables));
            let verdict = verdict.unwrap_or_else(|| pipeline::meet(&mut frame, &mut tables));
            assert_eq!(verdict.outcome, Outcome::Established);
        }
        touched.push(tables.touched);
        network.edges[0].clock += 5 * SECONDS;
    }
    assert_eq!(touched, [3; 3], "the connection and both tokens, once");
}

#[test]
fn binding_again_because_a_table_was_full_is_not_ambiguous() {
    let mut network = Network::new();
    network.edges.iter_mut().for_each(|edge| edge.flows.room = 0);
    for (from, frame) in handshake(Version::V1, [A, B], KEYS) {
        network.rank_of(from, &frame);
    }
    network.edges.iter_mut().for_each(|edge| edge.flows.room = usize::MAX);
    let mut option = capable(Version::V1, &KEYS);
    option[1] = 22;
    option.extend([0, 4]);
    network.rank_of(A, &Build::tcp(A, B).numbers(1_001, 0).options(&option).payload(b"data").frame());
    assert!(network.flow(A, B).is_some());
    assert_eq!(network.join(A_OTHER, B, server()), 1);
    for edge in 0..2 {
        assert_eq!(network.edges[edge].connections.entries.len(), 1);
        assert_eq!(network.noted(edge, Note::JoinAmbiguousToken), 0);
    }
}

#[test]
fn connection_that_is_opened_again_with_the_same_keys_is_not_ambiguous() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    network.connect(Version::V1, [A, B], KEYS);
    assert_eq!(network.join(A_OTHER, B, server()), 1);
    assert_eq!(network.noted(0, Note::JoinAmbiguousToken), 0);
}

#[test]
fn join_that_overtakes_the_third_ack_is_found_when_it_is_answered() {
    let mut network = Network::new();
    let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, [A, B], KEYS);
    let [(_, join_syn), (_, join_answer), (_, join_ack)] = join_handshake(A_OTHER, B, server());
    let order = [(A, &syn), (B, &answer), (A, &join_syn), (A, &ack), (B, &join_answer), (A, &join_ack)];
    for (from, frame) in order {
        network.send(from, frame).unwrap();
    }
    for flow in [network.flow(A_OTHER, B).unwrap(), network.flow(B, A_OTHER).unwrap()] {
        assert!(flow.connection != 0 && flow.rank == 1 && flow.flags & Flow::HASHED == 0, "{flow:?}");
    }
    assert_eq!(network.join(A.at(5), B, server()), 2);
}

#[test]
fn event_of_an_unknown_token_names_the_rank_that_its_join_takes() {
    for port in 1..20 {
        let mut network = Network::new();
        let rank = network.join(A.at(port), B, 0xdead_beef);
        let unknown = Note::JoinUnknownToken.counter();
        let named = [0, 1].map(|edge| {
            let events = &network.edges[edge].events;
            events.iter().find(|event| event.note == unknown).map(|event| event.rank)
        });
        assert_eq!(named, [Some(rank.into()); 2]);
    }
}

/// Half of a key is as good as a key: no four bytes of one in a row, in either order, in any table or message.
#[test]
fn keys_are_nowhere() {
    for version in [Version::V0, Version::V1] {
        let mut network = Network::new();
        network.connect(version, [A, B], KEYS);
        network.join(A_OTHER, B, derive(version, KEYS[1]));
        // One that stays in its handshake.
        let [(_, syn), (_, answer), _] = handshake(version, [A.at(3), B], KEYS);
        network.rank_of(A, &syn);
        network.rank_of(B, &answer);
        for edge in &network.edges {
            let all = format!("{edge:?}");
            for number in KEYS.iter().flat_map(|key| parts(*key)) {
                assert!(!all.contains(&format!("{number}")), "{number:#x} in {all}");
            }
        }
    }
}

/// A key as it could be stored: whole, or its halves, in either order of bytes.
fn parts(key: u64) -> Vec<u64> {
    let halves = [(key >> 32) as u32, key as u32];
    let mut parts = std::vec![key, key.swap_bytes()];
    parts.extend(halves.iter().flat_map(|half| [u64::from(*half), u64::from(half.swap_bytes())]));
    parts
}
