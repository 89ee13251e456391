//! The layout of the BPF maps: what the kernel programs look up and the agent writes.
//!
//! | map | key | value | written by | a miss means |
//! |---|---|---|---|---|
//! | `SETTINGS` | 0 | [`Settings`] | agent | not configured yet: everything passes |
//! | `HELLO_KEYS` | 0 | [`HelloKeys`] | agent | no key: hellos and probes go back as they came |
//! | `PORTS` | port number | [`Port`] | agent | no such port |
//! | `FABRIC_PORTS` | port number | interface index (DEVMAP) | agent | no fabric port, or it is down |
//! | `HELLO_PORTS` | port number | interface index (DEVMAP) | agent | no fabric port |
//! | `HOST_PORTS` | port number | interface index (DEVMAP) | agent | no host port, or it is down |
//! | `INTERFACES` | interface index | port number, u32 | agent | a port without a guard, and open for the base network |
//! | `HOSTS` | [`Address`] | [`Host`] | agent | unknown host: the frame passes |
//! | `PREFIXES` | [`Prefix`] (LPM_TRIE) | [`Host`], its router | agent | as a miss in `HOSTS`, after which it is asked |
//! | `PAIRS` | [`PairKey`] | u32, the [`EdgeIndex`] whose paths it takes | agent | no rule: the paths of the edge itself |
//! | `EDGES` | [`EdgeIndex`] | slot in `PATH_SETS` | agent | no path: the frame passes |
//! | `PATH_SETS` | slot | [`PathSet`] | agent | no path: the frame passes |
//! | `DETOURS` | [`DetourKey`] | [`Detour`] | agent | no way around: next key, or a dead end |
//! | `EDGE_NAMES` | [`EdgeIndex`] | [`EdgeName`] | agent, which alone reads it | index is free |
//! | `HALF_OPEN` | [`FlowKey`] | [`HalfOpen`] | kernel | not in a handshake |
//! | `FLOWS_V4` | [`FlowKeyV4`] | [`Flow`] | kernel | not an established subflow over IPv4 |
//! | `FLOWS` | [`FlowKey`] | [`Flow`] | kernel | not an established subflow over IPv6 |
//! | `CONNECTIONS` | [`ConnectionId`] | [`Connection`] | kernel | connection forgotten |
//! | `TOKENS` | [`TokenKey`] | [`TokenBinding`] | kernel | unknown token: its join is hashed |
//! | `OPENINGS` | port number, 0 for all, or [`STRANGERS`] | [`Openings`] per CPU | kernel | |
//! | `SIGHTED` | interface index, modulo [`PORT_ENTRIES`] | [`Openings`] per CPU | kernel | |
//! | `HANDSHAKES` | [`HandshakeTimes::place`] of edge and rank | [`HandshakeTimes`] | kernel | |
//! | `COUNTERS` | counter of an outcome or note | u64 per CPU | kernel | |
//! | `CONTINUATIONS` | [`Continuation`] | program | agent | the frame passes |
//! | `SCRATCH` | 0 | [`SCRATCH_BYTES`] bytes per CPU | kernel | |
//! | `SIGHTINGS` | | [`crate::event::Sighting`] (ring buffer) | kernel | |
//! | `EVENTS` | | [`crate::event::Event`] (ring buffer) | kernel | |
//!
//! Frames of a subflow can be on two CPUs at once: its two directions always, one direction while it moves from one
//! queue to another. Every field that the kernel changes says what that may do to it:
//!
//! | field | changed by | two CPUs at once |
//! |---|---|---|
//! | [`Flow::closing`] | atomic or, atomic and | each change is seen by exactly one CPU, which alone counts it |
//! | [`HalfOpen::progress`] | atomic or, atomic and | one CPU answers, one completes |
//! | [`Connection::subflows`], `joined`, `confirmed` | atomic add | no change is lost |
//! | [`Flow::sent`], [`Flow::received`] | plain add | a frame may go uncounted |
//! | `sent_sequence`, `sent_acknowledgment` and those received, `touched` | plain store | the last one stays: any of them will do |
//! | what [`Flow::epoch`] vouches for | plain stores, epoch last | the same values, from the same tables |
//! | [`HandshakeTimes`] | atomic add | no change is lost |
//! | [`HalfOpen`] beside `progress` | plain stores | a SYN again or a second answer: the last one stays |
//! | [`TokenBinding`] | replaced as a whole | of two new claims at once one may be lost: its joins are hashed |
//! | an entry that is removed or evicted | | the kernel keeps its memory until no program can use it; what is written to it is lost |
//!
//! Numbers are in host byte order unless a field says otherwise. Every type is plain data without padding
//! that the compiler chose, so that keys compare equal byte for byte and user space can copy them.

mod connections;
mod flow_key;
mod half_open;
mod handshakes;
mod hosts;
mod paths;
mod ports;
mod settings;
mod subflows;

pub use connections::{Connection, ConnectionId, TokenBinding, TokenKey};
pub use flow_key::{FlowKey, FlowKeyV4};
pub use half_open::{HalfOpen, Openings, STRANGERS};
pub use handshakes::{HANDSHAKE_ENTRIES, HandshakeTimes};
pub use hosts::{Attachment, EdgeIndex, Host, PairKey, Prefix, THIS_EDGE};
pub use paths::{EdgeName, Path, PathSet};
pub use ports::{Detour, DetourKey, Port};
pub use settings::{HelloKeys, Settings};
pub use subflows::{Flow, Traffic};

use crate::{route::PortNumber, wire::ip::Address};

/// Changes whenever any type of this module does; an agent refuses to adopt maps of another layout.
pub const LAYOUT_VERSION: u32 = 7;
/// The first field of [`Settings`] in every layout: "smoc".
pub const LAYOUT_MAGIC: u32 = u32::from_be_bytes(*b"smoc");
/// Entries in `PORTS`, `FABRIC_PORTS`, `HELLO_PORTS`, `HOST_PORTS` and `INTERFACES`.
pub const PORT_ENTRIES: u32 = PortNumber::MAX as u32 + 1;
/// Entries in `OPENINGS`: one for each port, and [`STRANGERS`].
pub const OPENING_ENTRIES: u32 = PORT_ENTRIES + 1;
/// Entries in `EDGES` and `EDGE_NAMES` unless the agent asks for another number.
pub const EDGE_ENTRIES: u32 = 4096;
/// Entries in `PATH_SETS`: each edge can have the set in use and the one that replaces it.
pub const PATH_SET_ENTRIES: u32 = 2 * EDGE_ENTRIES;
/// Entries in `HOSTS` unless configured.
pub const HOST_ENTRIES: u32 = 65_536;
/// Entries in `PREFIXES`.
pub const PREFIX_ENTRIES: u32 = 16_384;
/// Entries in `PAIRS`.
pub const PAIR_ENTRIES: u32 = 65_536;
/// Entries in `HALF_OPEN` unless configured.
pub const HALF_OPEN_ENTRIES: u32 = 16_384;
/// Entries in `FLOWS` and in `FLOWS_V4` unless configured.
pub const FLOW_ENTRIES: u32 = 131_072;
/// Entries in `CONNECTIONS` unless configured; `TOKENS` has twice as many.
pub const CONNECTION_ENTRIES: u32 = 131_072;
/// Entries in `CONTINUATIONS`.
pub const CONTINUATION_ENTRIES: u32 = Continuation::ALL.len() as u32;
/// Entries in `DETOURS`: a switch of 256 ports between switches of 256 ports.
pub const DETOUR_ENTRIES: u32 = 65_536;
/// Bytes in `SCRATCH`, in which the programs of one CPU work on a frame. Nothing in it outlives the frame that matters:
/// what held keys is cleared.
pub const SCRATCH_BYTES: usize = 512;
/// Bytes in the `EVENTS` ring buffer.
pub const EVENT_BYTES: u32 = 256 * 1024;
/// Bytes in the `SIGHTINGS` ring buffer: half a second of hellos on 48 ports.
pub const SIGHTING_BYTES: u32 = 256 * 1024;

/// The programs that go on where the ones on the ports leave off. The kernel empties a program array that no
/// process has open: `CONTINUATIONS` stays pinned for as long as the programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Continuation {
    /// `smoc_choose`, after `smoc_host`.
    Choose = 0,
    /// `smoc_arrive`, after `smoc_fabric`.
    Arrive = 1,
    /// `smoc_meet`, after `smoc_choose`.
    Meet = 2,
    /// `smoc_probe`, after `smoc_arrive`.
    Probe = 3,
}

impl Continuation {
    /// All of them, with the names of their programs.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Choose, "smoc_choose"),
        (Self::Arrive, "smoc_arrive"),
        (Self::Meet, "smoc_meet"),
        (Self::Probe, "smoc_probe"),
    ];
}

/// Marks the types of this module: plain data, any bit pattern of the right size is a value.
pub trait Plain: Copy + 'static {}

macro_rules! plain {
    ($($type:ty = $size:literal),* $(,)?) => {
        $(
            impl Plain for $type {}
            const _: () = assert!(size_of::<$type>() == $size);
        )*
    };
}

plain! {
    Settings = 32, Port = 16, Address = 16, Host = 16, PairKey = 8, Prefix = 20, PathSet = 264, Path = 16, EdgeName = 64, FlowKey = 36, FlowKeyV4 = 12,
    DetourKey = 4, Detour = 16, Attachment = 4, Traffic = 16, Flow = 104, HalfOpen = 152, HandshakeTimes = 136, Connection = 80, TokenKey = 4, TokenBinding = 24,
    Openings = 16, HelloKeys = 40,
}
