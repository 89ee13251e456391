//! Frame in, verdict out: what smoc does in the packet path, generic over the frame and the tables, so that
//! the kernel programs, the tests and the tools run the same code.
//!
//! * [`edge`]: from a host port; finds or chooses the path and pushes its route.
//! * [`guard`]: what no host may send.
//! * [`failover`]: the path of a rank, or another one while that is down.
//! * [`fabric`]: from a fabric port; pops one port number, or delivers at the end of the route.
//! * [`base`]: what no route leads, where a port is closed for it; of either kind.
//! * [`detour`]: the way around a dead neighbour or link.
//! * [`presence`]: frames by which switches find each other without their agents.
//! * [`probe`]: frames that smoc sends to measure links and paths.
//! * [`deliver`]: restores the MAC addresses and hands the frame to the host.
//! * [`subflow`]: what a segment of an established subflow changes.
//! * [`handshake`]: what both edges learn from SYN, SYN/ACK and third ACK.
//! * [`connection`]: tokens, and the numbers of a connection's subflows.
//! * [`rank`]: which of the ranked paths, where no handshake decided it.
//!
//! Whatever is not understood passes to the kernel untouched. What is dropped was smoc's own, or crosses a border.

mod base;
mod connection;
pub mod deliver;
pub mod detour;
pub mod edge;
pub mod fabric;
pub mod failover;
mod guard;
pub mod handshake;
mod presence;
pub mod probe;
pub mod rank;
mod subflow;
#[cfg(test)]
mod tests;

pub use subflow::Ends;

use crate::{
    event::{Event, Note, Outcome, Sighting},
    map::{
        Attachment, Connection, ConnectionId, Detour, DetourKey, EdgeIndex, Flow, FlowKey, HalfOpen,
        HelloKeys, Host, Openings, PairKey, PathSet, Port, STRANGERS, Settings, TokenBinding, TokenKey,
    },
    route::{Label, Rank, Route},
    token::{self, Version},
    wire::{Bytes, Frame, headers::Headers, ip::Address, tcp::Segment},
};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why; decides what is done with it.
    pub outcome: Outcome,
    /// The port that it leaves through, if it does; [`Tables::leave_through`] has been told already.
    pub port: u16,
}

impl Verdict {
    const fn staying(outcome: Outcome) -> Self {
        Self { outcome, port: 0 }
    }
}

/// A handle of a table that the packet path itself writes.
pub trait Table<'a, K, V> {
    /// The entry of `key`, also marking it as used.
    fn get(self, key: &K) -> Option<&'a mut V>;
    /// Adds or replaces an entry; false if there is no room.
    fn insert(self, key: &K, value: &V) -> bool;
    /// Removes an entry if it is there.
    fn remove(self, key: &K);
}

/// The tables of one switch; see [`crate::map`] for what each holds.
pub trait Tables {
    /// `SETTINGS`.
    fn settings(&self) -> Option<&Settings>;
    /// `HELLO_KEYS`.
    fn hello_keys(&self) -> Option<&HelloKeys>;
    /// `PORTS`.
    fn port(&self, number: u16) -> Option<&Port>;
    /// `FABRIC_PORTS`: makes this the port that the frame leaves through if it is redirected, the last call counts.
    /// False if the port is down, or if there is no such fabric port.
    fn leave_through(&mut self, number: u16) -> bool;
    /// `HELLO_PORTS`: the same, for a port that may be down. False if there is no such fabric port.
    fn leave_through_any(&mut self, number: u16) -> bool;
    /// `HOST_PORTS`: the same, for a frame whose route is used up. False if the port is down, or if there is no such host
    /// port.
    fn deliver_through(&mut self, number: u16) -> bool;
    /// The index of the interface that the frame came in by.
    fn ingress(&self) -> u32;
    /// `INTERFACES`: the number of its port if that has a guard or is closed for the base network, else 0.
    fn ingress_port(&self) -> u16;
    /// `DETOURS`.
    fn detour(&self, key: &DetourKey) -> Option<&Detour>;
    /// `HOSTS`.
    fn host(&self, address: &Address) -> Option<&Host>;
    /// `PREFIXES`: the longest one that has the address.
    fn router(&self, address: &Address) -> Option<&Host>;
    /// Where an address is: its own entry, or else that of the router behind which it is.
    #[inline(always)]
    fn locate(&self, address: &Address) -> Option<&Host> {
        self.host(address).or_else(|| self.router(address))
    }
    /// `PAIRS`.
    fn pair(&self, key: PairKey) -> Option<EdgeIndex>;
    /// `EDGES` and `PATH_SETS`.
    fn path_set(&self, edge: EdgeIndex) -> Option<&PathSet>;
    /// `FLOWS_V4` and `FLOWS`.
    fn flows(&mut self) -> impl Table<'_, FlowKey, Flow>;
    /// `HALF_OPEN`.
    fn half_open(&mut self) -> impl Table<'_, FlowKey, HalfOpen>;
    /// Copies the flow of an entry of `HALF_OPEN` to `FLOWS_V4` or `FLOWS`; false if there is no room.
    #[inline(always)]
    fn establish(&mut self, key: &FlowKey) -> bool {
        let Some(&mut HalfOpen { flow, .. }) = self.half_open().get(key) else { return false };
        self.flows().insert(key, &flow)
    }
    /// `CONNECTIONS`.
    fn connections(&mut self) -> impl Table<'_, ConnectionId, Connection>;
    /// `TOKENS`.
    fn tokens(&mut self) -> impl Table<'_, TokenKey, TokenBinding>;
    /// `OPENINGS`: this CPU's, of a host port's hosts; of all together for 0, of those of [`STRANGERS`].
    fn openings(&mut self, port: u16) -> Option<&mut Openings>;
    /// `SIGHTED`: this CPU's, of the interface that the frame came in by.
    fn sightings(&mut self) -> Option<&mut Openings>;

    /// Adds to a number that other CPUs change at the same time, wrapping; the number before.
    fn fetch_add(number: &mut u32, amount: u32) -> u32;
    /// Sets bits of a number that other CPUs change at the same time; the number before.
    fn fetch_or(number: &mut u32, bits: u32) -> u32;
    /// Keeps only these bits of such a number; the number before.
    fn fetch_and(number: &mut u32, bits: u32) -> u32;
    /// [`token::derive`], however it is called there.
    #[inline(always)]
    fn token(version: Version, key: u64) -> u32 {
        token::derive(version, key)
    }
    /// Both hosts of a frame from a host port, however that is called there: [`ends_from_host`] and [`toward`].
    #[inline(always)]
    fn ends_from_host(&mut self, headers: &Headers) -> Result<Ends, Outcome>
    where
        Self: Sized,
    {
        let (ends, packet) = (ends_from_host(self, headers)?, &headers.packet);
        let edge = toward(self, &packet.source, &packet.destination, ends.edge);
        Ok(Ends { remote: Attachment { edge, ..ends.remote }, ..ends })
    }
    /// The same as far as they are known, however that is called there: [`strangers`].
    #[inline(always)]
    fn strangers(&mut self, headers: &Headers) -> Option<Ends>
    where
        Self: Sized,
    {
        edge::strangers(self, headers)
    }
    /// Both hosts of a frame whose route is used up, however that is called there: [`ends_from_fabric`] and [`toward`].
    #[inline(always)]
    fn ends_from_fabric(&mut self, headers: &Headers, label: Label) -> Option<Ends>
    where
        Self: Sized,
    {
        let (ends, packet) = (ends_from_fabric(self, headers, label)?, &headers.packet);
        let edge = toward(self, &packet.destination, &packet.source, ends.edge);
        Some(Ends { remote: Attachment { edge, ..ends.remote }, ..ends })
    }
    /// What few segments of an established subflow change, however it is called there: [`look_closer`] for its headers.
    #[inline(always)]
    fn look_closer(&mut self, key: &FlowKey, segment: &Segment, is_from_local: bool)
    where
        Self: Sized,
    {
        subflow::look_closer(self, key, segment, is_from_local);
    }
    /// The same number, of which the kernel's verifier knows nothing any more: without CAP_PERFMON it wants the
    /// index of an array to be a constant on each way to it or on none.
    #[inline(always)]
    fn obscured(&mut self, number: u8) -> Option<u8> {
        Some(number)
    }
    /// Nanoseconds of CLOCK_MONOTONIC.
    fn now(&self) -> u64;
    /// Counts ticks of about a second, and wraps around: costs less than [`Tables::now`].
    fn tick(&self) -> u8;
    /// A number that no other connection of this switch has or had, and that is not 0.
    fn new_connection_id(&self) -> ConnectionId;
    /// Counts one in `COUNTERS`.
    fn count(&mut self, counter: u32);
    /// Counts a handshake along a path in `HANDSHAKES`, with the time that it took in nanoseconds.
    fn timed(&mut self, edge: EdgeIndex, rank: Rank, time: u64);
    /// Hands an event to the agent if there is room.
    fn report(&mut self, event: &Event);
    /// Hands a probe that was seen to the agent if there is room.
    fn sighted(&mut self, sighting: &Sighting);
}

/// A frame that can be sent another way than its own, however the steps are called there: the kernel adapter makes
/// functions of them, as of those of [`Frame`].
pub trait Reroute: Frame {
    /// [`failover::push`].
    #[inline(always)]
    fn failover<T: Tables>(
        &mut self,
        tables: &mut T,
        edge: EdgeIndex,
        connection: ConnectionId,
        label: Label,
    ) -> u16 {
        failover::push(self, tables, edge, connection, label)
    }

    /// [`detour::take`].
    #[inline(always)]
    fn detour<T: Tables>(&mut self, tables: &mut T, label: Label, port: u16, rest: Route) -> u16 {
        detour::take(self, tables, label, port, rest)
    }
}

impl Reroute for Bytes<'_> {}

/// A frame that came in from a host port. `None` if a path has to be chosen for it: [`choose`] goes on with it.
/// The kernel runs the two in two programs joined by a tail call, because each of them has 512 bytes of stack.
#[inline(always)]
pub fn from_host(frame: &mut impl Reroute, tables: &mut impl Tables) -> Option<Verdict> {
    match edge::forward(frame, tables) {
        Some(Ok(verdict)) => Some(counted(tables, Ok(verdict))),
        _ if base::is_shut_out(frame, tables) => Some(counted(tables, Err(Outcome::Closed))),
        result => result.map(|result| counted(tables, result)),
    }
}

/// What [`from_host`] left undecided. `None` if one of its hosts is not known, or not as it is known: [`meet`] goes on
/// with it.
#[inline(always)]
pub fn choose(frame: &mut impl Reroute, tables: &mut impl Tables) -> Option<Verdict> {
    match edge::choose(frame, tables) {
        Err(Outcome::UnknownHost | Outcome::OtherNextHop) => None,
        result => Some(counted(tables, result)),
    }
}

/// What [`choose`] left undecided. A program of its own, for the verifier allows none to be larger than [`choose`] is.
#[inline(always)]
pub fn meet(frame: &mut impl Reroute, tables: &mut impl Tables) -> Verdict {
    let outcome = edge::meet(frame, tables);
    counted(tables, Err(outcome))
}

/// A frame that came in from a fabric port. `None` if it is a probe, at its last switch and of no established
/// subflow, if its next port is down, or if it came over the base network and says something of a subflow whose hosts are
/// not known yet: [`arrive`] goes on with it.
#[inline(always)]
pub fn from_fabric(frame: &mut impl Reroute, tables: &mut impl Tables) -> Option<Verdict> {
    fabric::forward(frame, tables).map(|result| counted(tables, result))
}

/// What [`from_fabric`] left undecided. `None` if it is a probe: [`probe()`] goes on with it.
#[inline(always)]
pub fn arrive(frame: &mut impl Reroute, tables: &mut impl Tables) -> Option<Verdict> {
    fabric::arrive(frame, tables).map(|result| counted(tables, result))
}

/// What [`arrive`] left undecided. A program of its own, for tags need what is left of the stack.
#[inline(always)]
pub fn probe(frame: &mut impl Frame, tables: &mut impl Tables) -> Verdict {
    let result = probe::follow(frame, tables);
    counted(tables, result)
}

/// Whose paths lead from a host here to one at another edge: those that a rule of policy chooses for the two, if it has any, else
/// those of the edge.
#[inline(always)]
pub fn toward(tables: &impl Tables, local: &Address, remote: &Address, edge: EdgeIndex) -> EdgeIndex {
    if tables.settings().is_none_or(|settings| settings.filled & Settings::PAIRS == 0) {
        return edge;
    }
    let local = tables.locate(local).map_or(0, |host| host.class);
    if local == 0 {
        return edge;
    }
    let remote = tables.locate(remote).map_or(0, |host| host.class);
    match tables.pair(PairKey { local, remote, edge, reserved: 0 }) {
        Some(index) if tables.path_set(index).is_some_and(|set| set.count > 0) => index,
        _ => edge,
    }
}

/// Looks up both hosts of a frame with these headers from a host port; if they are not both known as the frame has them, why.
///
/// # Errors
/// [`Outcome::UnknownHost`], [`Outcome::OtherVlan`], [`Outcome::SameEdge`] or [`Outcome::OtherNextHop`].
#[inline(always)]
pub fn ends_from_host(tables: &impl Tables, headers: &Headers) -> Result<Ends, Outcome> {
    edge::ends_of(tables, headers)
}

/// Both hosts of a frame with these headers from a host port, as far as they are known; `None` if what is known contradicts the
/// frame.
#[inline(always)]
pub fn strangers(tables: &impl Tables, headers: &Headers) -> Option<Ends> {
    edge::strangers(tables, headers)
}

/// Both hosts of a frame with these headers that came by the fabric, as far as they are known; `None` if the receiver is
/// elsewhere.
#[inline(always)]
pub fn ends_from_fabric(tables: &mut impl Tables, headers: &Headers, label: Label) -> Option<Ends> {
    deliver::ends_of(tables, headers, label)
}

/// [`Tables::look_closer`] at the segment with these headers.
#[inline(always)]
pub fn look_closer(tables: &mut impl Tables, headers: &Headers, is_from_local: bool) {
    let Headers { packet, segment, .. } = headers;
    let ends = [(packet.source, segment.source_port), (packet.destination, segment.destination_port)];
    let key = if is_from_local {
        FlowKey::new(ends[0].0, ends[0].1, ends[1].0, ends[1].1)
    } else {
        FlowKey::new(ends[1].0, ends[1].1, ends[0].0, ends[0].1)
    };
    subflow::look_closer(tables, &key, segment, is_from_local);
}

#[inline(always)]
fn counted(tables: &mut impl Tables, result: Result<Verdict, Outcome>) -> Verdict {
    let verdict = result.unwrap_or_else(Verdict::staying);
    tables.count(verdict.outcome.counter());
    verdict
}

/// Counts a note and tells the agent about it.
#[inline(never)]
fn note(tables: &mut impl Tables, note: Note, key: &FlowKey, connection: ConnectionId, rank: u8) {
    tables.count(note.counter());
    let at = tables.now();
    tables.report(&Event {
        flow: *key,
        connection,
        at,
        note: note.counter(),
        rank: u32::from(rank),
        reserved: 0,
    });
}

/// Nanoseconds over which openings are counted.
const SECOND: u64 = 1_000_000_000;

/// Of how many subflows a second a CPU takes note although a host of them is not known: anybody can make up addresses.
const MOST_STRANGERS: u32 = 1000;

/// Whether this CPU takes note of one more subflow of a host port's hosts, or of [`STRANGERS`]: so many of all together in a
/// second, and of one port so many whose handshake is not over and began in the same second. Where it is flooded, tables
/// that change with every frame would help nobody.
#[inline(always)]
fn admitted(tables: &mut impl Tables, port: u16, now: u64) -> bool {
    let limits = tables.settings().map(|settings| (settings.port_openings, settings.openings));
    let (of_port, of_all) = limits.unwrap_or_default();
    let of_port = if port == STRANGERS { MOST_STRANGERS } else { of_port };
    of_second(tables, port, of_port, now) && of_second(tables, 0, of_all, now)
}

#[inline(always)]
fn of_second(tables: &mut impl Tables, port: u16, most: u32, now: u64) -> bool {
    most == 0 || within(tables.openings(port), most, SECOND, now)
}

/// Counts one more; false if so many are counted already in this window of so many nanoseconds.
#[inline(always)]
fn within(openings: Option<&mut Openings>, most: u32, window: u64, now: u64) -> bool {
    let Some(openings) = openings else { return true };
    if now.wrapping_sub(openings.since) >= window {
        openings.since = now;
        openings.count = 0;
    }
    let has_room = openings.count < u64::from(most);
    openings.count += u64::from(has_room);
    has_room
}
