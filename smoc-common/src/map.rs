//! The layout of the BPF maps: what the kernel programs look up and the agent writes.
//!
//! | map | key | value | written by | a miss means |
//! |---|---|---|---|---|
//! | `SETTINGS` | 0 | [`Settings`] | agent | not configured yet: everything passes |
//! | `PORTS` | port number | [`Port`] | agent | no such port |
//! | `FABRIC_PORTS` | port number | interface index (DEVMAP) | agent | no fabric port, or it is down |
//! | `HELLO_PORTS` | port number | interface index (DEVMAP) | agent | no fabric port |
//! | `HOST_PORTS` | port number | interface index (DEVMAP) | agent | no host port, or it is down |
//! | `INTERFACES` | interface index | port number, u32 | agent | a port without a guard |
//! | `HOSTS` | [`Address`] | [`Host`] | agent | unknown host: the frame passes |
//! | `EDGES` | [`EdgeIndex`] | slot in `PATH_SETS` | agent | no path: the frame passes |
//! | `PATH_SETS` | slot | [`PathSet`] | agent | no path: the frame passes |
//! | `DETOURS` | [`DetourKey`] | [`Detour`] | agent | no way around: next key, or a dead end |
//! | `EDGE_NAMES` | [`EdgeIndex`] | [`EdgeName`] | agent, which alone reads it | index is free |
//! | `HALF_OPEN` | [`FlowKey`] | [`HalfOpen`] | kernel | not in a handshake |
//! | `FLOWS_V4` | [`FlowKeyV4`] | [`Flow`] | kernel | not an established subflow over IPv4 |
//! | `FLOWS` | [`FlowKey`] | [`Flow`] | kernel | not an established subflow over IPv6 |
//! | `CONNECTIONS` | [`ConnectionId`] | [`Connection`] | kernel | connection forgotten |
//! | `TOKENS` | [`TokenKey`] | [`TokenBinding`] | kernel | unknown token: its join is hashed |
//! | `OPENINGS` | 0 | [`Openings`] per CPU | kernel | |
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
//! | `sent_sequence`, `received_sequence`, `touched` | plain store | the last one stays: any of them will do |
//! | what [`Flow::epoch`] vouches for | plain stores, epoch last | the same values, from the same tables |
//! | [`HalfOpen`] beside `progress` | plain stores | a SYN again or a second answer: the last one stays |
//! | [`TokenBinding`] | replaced as a whole | of two new claims at once one may be lost: its joins are hashed |
//! | an entry that is removed or evicted | | the kernel keeps its memory until no program can use it; what is written to it is lost |
//!
//! Numbers are in host byte order unless a field says otherwise. Every type is plain data without padding
//! that the compiler chose, so that keys compare equal byte for byte and user space can copy them.

use crate::{
    route::{PortNumber, Rank, Route},
    wire::{ethernet::MacAddress, ip::Address},
};

/// Changes whenever any type of this module does; an agent refuses to adopt maps of another layout.
pub const LAYOUT_VERSION: u32 = 3;
/// The first field of [`Settings`] in every layout: "smoc".
pub const LAYOUT_MAGIC: u32 = u32::from_be_bytes(*b"smoc");
/// Entries in `PORTS`, `FABRIC_PORTS`, `HELLO_PORTS`, `HOST_PORTS` and `INTERFACES`.
pub const PORT_ENTRIES: u32 = PortNumber::MAX as u32 + 1;
/// Entries in `EDGES` and `EDGE_NAMES` unless the agent asks for another number.
pub const EDGE_ENTRIES: u32 = 4096;
/// Entries in `PATH_SETS`: each edge can have the set in use and the one that replaces it.
pub const PATH_SET_ENTRIES: u32 = 2 * EDGE_ENTRIES;
/// Entries in `HOSTS` unless configured.
pub const HOST_ENTRIES: u32 = 65_536;
/// Entries in `HALF_OPEN` unless configured.
pub const HALF_OPEN_ENTRIES: u32 = 16_384;
/// Entries in `FLOWS` and in `FLOWS_V4` unless configured.
pub const FLOW_ENTRIES: u32 = 131_072;
/// Entries in `CONNECTIONS` unless configured; `TOKENS` has twice as many.
pub const CONNECTION_ENTRIES: u32 = 65_536;
/// Entries in `CONTINUATIONS`.
pub const CONTINUATION_ENTRIES: u32 = 2;
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
    Settings = 32, Port = 16, Address = 16, Host = 16, PathSet = 264, Path = 16, EdgeName = 64, FlowKey = 36, FlowKeyV4 = 12,
    DetourKey = 4, Detour = 16, Attachment = 4, Traffic = 16, Flow = 96, HalfOpen = 136, Connection = 80, TokenKey = 4, TokenBinding = 24,
    Openings = 16,
}

/// What holds for the whole switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Settings {
    /// [`LAYOUT_MAGIC`].
    pub magic: u32,
    /// [`LAYOUT_VERSION`].
    pub layout: u32,
    /// Raised by the agent when a host moves or changes its MAC address: flows look their hosts up again.
    pub epoch: u32,
    /// Width in bits of this switch's port numbers in a route.
    pub port_width: u8,
    /// How traffic that is no MPTCP is spread over the paths of least cost: [`Settings::SPREAD_NONE`] or
    /// [`Settings::SPREAD_FLOWS`].
    pub spread: u8,
    /// 1 if any port has a guard.
    pub guarded: u8,
    #[doc(hidden)]
    pub reserved: u8,
    /// How many subflows a second each CPU takes note of; what is more is forwarded by hash. 0: all of them.
    pub openings: u32,
    /// The same for the hosts of one port, so that one that floods leaves the others their share. 0: all of them.
    pub port_openings: u32,
    /// The MAC address under which the kernel takes frames of this switch (its bridge's, or a port's).
    pub mac: MacAddress,
}

impl Settings {
    /// Other traffic takes the first path of least cost.
    pub const SPREAD_NONE: u8 = 0;
    /// Other flows are hashed over all paths of least cost.
    pub const SPREAD_FLOWS: u8 = 1;
}

/// A port of this switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Port {
    /// The MAC address that this port answers to as a router: the bridge's, or its own.
    pub mac: MacAddress,
    /// The index of its interface.
    pub interface: u32,
    /// Width in bits of the port numbers of the switch behind this port, 0 behind a host port.
    pub peer_width: u8,
    /// [`Port::FABRIC`] or [`Port::HOST`].
    pub role: u8,
    /// What hosts behind it may send: [`Port::GUARD_OFF`], [`Port::GUARD_SOURCE`] or [`Port::GUARD_STRICT`].
    pub guard: u8,
    #[doc(hidden)]
    pub reserved: u8,
}

impl Port {
    /// No port; what `default` gives, as a constant.
    pub const NONE: Self = Self {
        mac: MacAddress::new([0; 6]),
        interface: 0,
        peer_width: 0,
        role: Self::FABRIC,
        guard: Self::GUARD_OFF,
        reserved: 0,
    };

    /// It leads to other smoc switches: pushed routes, probes and hellos come in and leave through such ports only.
    pub const FABRIC: u8 = 0;
    /// It leads to hosts.
    pub const HOST: u8 = 1;

    /// Whatever they like; an address that is known to be elsewhere is left to the kernel.
    pub const GUARD_OFF: u8 = 0;
    /// An address that is known is used by its owner only, at its port and with its MAC address.
    pub const GUARD_SOURCE: u8 = 1;
    /// Nothing but from known owners.
    pub const GUARD_STRICT: u8 = 2;
}

/// Where a frame was to go that a dead port keeps from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, align(4))]
pub struct DetourKey {
    /// The dead port of this switch.
    pub port: u16,
    /// The port through which the neighbour behind it would have sent the frame on, for the way around that
    /// neighbour; 0 for the way around the link alone, which ends at the neighbour.
    pub next: u16,
}

/// A way around a neighbour or a link, to be followed by what is left of the route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Detour {
    /// Port numbers to put in front of the rest of the route, the first hop's in the lowest bits.
    pub prefix: u64,
    /// The port of this switch through which the detour starts.
    pub port: u16,
    /// How many bits `prefix` has.
    pub length: u8,
    #[doc(hidden)]
    pub reserved: [u8; 5],
}

/// An edge switch, numbered by this switch's agent; 0 is this switch itself.
pub type EdgeIndex = u16;
/// The index of this switch in its own tables.
pub const THIS_EDGE: EdgeIndex = 0;

/// Where a host is attached. A host may be attached to several places, and two behind one port cannot be told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, align(4))]
pub struct Attachment {
    /// The edge switch.
    pub edge: EdgeIndex,
    /// The number of that switch's host port.
    pub port: u16,
}

/// Where an address lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Host {
    /// Where it is attached.
    pub attachment: Attachment,
    /// The VLAN that it belongs to, as [`Host::of_vlan`] makes it; 0 if that is not known: any.
    pub vlan: u16,
    #[doc(hidden)]
    pub reserved: [u8; 2],
    /// Its MAC address.
    pub mac: MacAddress,
}

impl Host {
    const VLAN_KNOWN: u16 = 0x8000;

    /// What stands in [`Host::vlan`] for the VLAN with this VID, or 0 for frames without a tag.
    pub const fn of_vlan(vid: u16) -> u16 {
        Self::VLAN_KNOWN | vid
    }

    /// Whether frames with this VID, or 0 without a tag, are of its VLAN.
    #[inline(always)]
    pub const fn is_in(&self, vid: u16) -> bool {
        self.vlan == 0 || self.vlan == Self::VLAN_KNOWN | vid
    }
}

/// One path to another edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Path {
    /// [`Route::bits`] as it is pushed.
    pub route: u64,
    /// The port of this switch through which the path starts.
    pub port: u16,
    #[doc(hidden)]
    pub reserved: [u8; 6],
}

impl Path {
    /// The path that leaves through `port` and then follows `route`.
    pub const fn new(port: PortNumber, route: Route) -> Self {
        Self { route: route.bits(), port: port.get(), reserved: [0; 6] }
    }
}

/// The paths to one edge: ranks for the subflows of MPTCP connections, and paths of least cost for all other traffic, which
/// need not be among the ranks. Replaced as a whole: written to a free slot of `PATH_SETS`, then `EDGES` is pointed to
/// it, so no frame ever sees half of one set and half of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PathSet {
    /// How many ranks there are.
    pub count: u8,
    /// How many paths there are for other traffic, all of the same cost.
    pub base_count: u8,
    /// Bit n is set if path n is known to be broken beyond this switch's own ports: ranks are taken instead.
    pub broken: u16,
    #[doc(hidden)]
    pub reserved: [u8; 4],
    /// The paths by rank, and from [`PathSet::BASE`] those for other traffic.
    pub paths: [Path; PathSet::LEN],
}

impl PathSet {
    /// Where the paths for other traffic begin.
    pub const BASE: usize = Rank::COUNT;
    /// Entries of `paths`.
    pub const LEN: usize = 2 * Rank::COUNT;
}

/// The name of an edge switch: what its index means, kept for an agent that restarts. UTF-8, zero padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct EdgeName(pub [u8; 64]);

/// A subflow as its edge sees it, the same in both directions. Every frame of an established subflow waits until the
/// kernel has hashed its key, twelve bytes a round: 36 bytes are three rounds, and four more were another. Both ports are
/// one number because the kernel reads them as one, and would wait for two stores. [`FlowKey::v4`] takes one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, packed(4))]
pub struct FlowKey {
    local: Address,
    remote: Address,
    /// TCP port of the local host in the upper half, of the remote one in the lower.
    ports: u32,
}

impl FlowKey {
    /// The key of the subflow between a host that is attached to this switch and one behind another edge.
    #[inline(always)]
    pub const fn new(local: Address, local_port: u16, remote: Address, remote_port: u16) -> Self {
        Self { local, remote, ports: (local_port as u32) << 16 | remote_port as u32 }
    }

    /// The address of the host that is attached to this switch.
    #[inline(always)]
    pub const fn local(&self) -> Address {
        self.local
    }

    /// The address of the host behind the other edge.
    #[inline(always)]
    pub const fn remote(&self) -> Address {
        self.remote
    }

    /// TCP port of the local host.
    #[inline(always)]
    pub const fn local_port(&self) -> u16 {
        (self.ports >> 16) as u16
    }

    /// TCP port of the remote host.
    #[inline(always)]
    pub const fn remote_port(&self) -> u16 {
        self.ports as u16
    }

    /// The same as a key of `FLOWS_V4`; `None` unless both addresses are mapped IPv4 addresses: such a key is one of
    /// `FLOWS`.
    #[inline(always)]
    pub const fn v4(&self) -> Option<FlowKeyV4> {
        match (self.local().v4(), self.remote().v4()) {
            (Some(local), Some(remote)) => Some(FlowKeyV4 { local, remote, ports: self.ports }),
            _ => None,
        }
    }
}

/// A [`FlowKey`] of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct FlowKeyV4 {
    local: u32,
    remote: u32,
    ports: u32,
}

impl From<FlowKeyV4> for FlowKey {
    fn from(FlowKeyV4 { local, remote, ports }: FlowKeyV4) -> Self {
        Self { local: Address::mapped(local), remote: Address::mapped(remote), ports }
    }
}

/// Names a connection within one switch; never 0.
pub type ConnectionId = u64;

/// Packets and bytes in one direction. Not atomic: a direction of a subflow is handled by one CPU at a time
/// (receive-side scaling), and a counter that loses one in a migration is worth less than the 5 ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Traffic {
    /// Frames.
    pub packets: u64,
    /// Bytes from the start of each frame to the end of its IP packet, as that gives its length: Ethernet header and
    /// tags included, padding not.
    pub bytes: u64,
}

impl Traffic {
    /// Counts a frame of `bytes` bytes.
    #[inline(always)]
    pub fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// An established subflow. A path belongs to it for its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Flow {
    /// The connection it belongs to, 0 if its join's token was unknown.
    pub connection: ConnectionId,
    /// When its SYN was seen, nanoseconds of CLOCK_MONOTONIC.
    pub opened: u64,
    /// From the local host into the fabric.
    pub sent: Traffic,
    /// Delivered to the local host.
    pub received: Traffic,
    /// The join's token: that of the receiver's key. 0 for an initial subflow.
    pub token: u32,
    /// [`Settings::epoch`] before the fields below that depend on the hosts were looked up.
    pub epoch: u32,
    /// Where the remote host is attached.
    pub remote: Attachment,
    /// [`Flow::FIN_SENT`] and the bits beside it; changed as a whole word, atomically.
    pub closing: u32,
    /// The sequence number of the local host's last segment, or of its FIN.
    pub sent_sequence: u32,
    /// The sequence number of the remote host's last segment, or of its FIN.
    pub received_sequence: u32,
    /// The switch port of the local host.
    pub local_switch_port: u16,
    /// VID of its frames, 0 without a tag.
    pub vlan: u16,
    /// The rank of its path.
    pub rank: u8,
    /// [`Flow::JOIN`] and the bits beside it.
    pub flags: u8,
    /// The address id of the join's initiator.
    pub address_id: u8,
    /// When its connection was looked up last, in ticks of some seconds that wrap around.
    pub touched: u8,
    /// The MAC address under which the local host reaches the remote one: that host's own, or this switch's
    /// where it routes.
    pub peer_mac: MacAddress,
    /// MAC address of the local host.
    pub local_mac: MacAddress,
}

impl Flow {
    /// An additional subflow, opened by MP_JOIN.
    pub const JOIN: u8 = 1;
    /// The local host sent the SYN.
    pub const LOCAL_OPENED: u8 = 2;
    /// The join asked to be used as a backup only.
    pub const BACKUP: u8 = 4;
    /// The local host addresses this switch as its router.
    pub const ROUTED: u8 = 8;
    /// The rank was hashed because the token was unknown or ambiguous.
    pub const HASHED: u8 = 16;

    /// The local host sent a FIN.
    pub const FIN_SENT: u32 = 1;
    /// The remote host sent a FIN.
    pub const FIN_RECEIVED: u32 = 2;
    /// Either host sent a RST.
    pub const RESET: u32 = 4;
    /// A join whose responder has not yet shown that it took the third ACK.
    pub const UNCONFIRMED: u32 = 8;

    /// Whether both hosts are done with the subflow.
    #[inline(always)]
    pub const fn is_closed(&self) -> bool {
        Self::is_end(self.closing)
    }

    /// Whether [`Flow::closing`] with this value says that both hosts are done.
    #[inline(always)]
    pub const fn is_end(closing: u32) -> bool {
        let both = Self::FIN_SENT | Self::FIN_RECEIVED;
        closing & Self::RESET != 0 || closing & both == both
    }
}

/// A subflow in its handshake. Kept apart from [`Flow`]s, so that a flood of SYNs evicts nothing in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct HalfOpen {
    /// What becomes of it when the handshake is complete.
    pub flow: Flow,
    /// When the last SYN was seen, nanoseconds of CLOCK_MONOTONIC.
    pub syn_seen: u64,
    /// The initial sequence number of the SYN.
    pub isn: u32,
    /// The sequence number of the first SYN/ACK.
    pub responder_isn: u32,
    /// The token of the key in the initiator's SYN (RFC 6824), or in its third ACK once that has come.
    pub initiator_token: u32,
    /// The tokens of the keys in the first and in the last SYN/ACK, 0 for a join: with SYN cookies each has a key of its
    /// own, and either can be the one that the initiator heard.
    pub responder_tokens: [u32; 2],
    /// [`HalfOpen::ANSWERED`] and the bits beside it; changed as a whole word, atomically.
    pub progress: u32,
    /// How many bytes of data the SYN carried (RFC 7413): the handshake goes on behind none or all of them.
    pub data: u16,
    /// The MPTCP version of the SYN.
    pub version: u8,
    /// [`HalfOpen::LEFT_OUT`] or [`HalfOpen::PLAIN`], else 0.
    pub left_out: u8,
    /// 1 when the SYN took another path than its own, because that is down or did not answer: it stays there.
    pub moved: u8,
    #[doc(hidden)]
    pub reserved: [u8; 3],
}

impl HalfOpen {
    /// A SYN/ACK has answered the SYN in kind.
    pub const ANSWERED: u32 = 1;
    /// A third ACK has completed the handshake.
    pub const COMPLETE: u32 = 2;

    /// The SYN came again without its MPTCP option.
    pub const LEFT_OUT: u8 = 1;
    /// The SYN is of no MPTCP, on the 4-tuple of an established subflow.
    pub const PLAIN: u8 = 2;

    /// Nothing known yet; what `default` gives, as a constant.
    pub const EMPTY: Self = Self {
        flow: Flow {
            connection: 0,
            opened: 0,
            sent: Traffic { packets: 0, bytes: 0 },
            received: Traffic { packets: 0, bytes: 0 },
            token: 0,
            epoch: 0,
            remote: Attachment { edge: 0, port: 0 },
            closing: 0,
            sent_sequence: 0,
            received_sequence: 0,
            local_switch_port: 0,
            vlan: 0,
            rank: 0,
            flags: 0,
            address_id: 0,
            touched: 0,
            peer_mac: MacAddress::new([0; 6]),
            local_mac: MacAddress::new([0; 6]),
        },
        syn_seen: 0,
        isn: 0,
        responder_isn: 0,
        initiator_token: 0,
        responder_tokens: [0; 2],
        progress: 0,
        data: 0,
        version: 0,
        left_out: 0,
        moved: 0,
        reserved: [0; 3],
    };
}

/// An MPTCP connection whose keys were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Connection {
    /// The initial subflow.
    pub initial: FlowKey,
    /// The MPTCP version, 0 or 1.
    pub version: u8,
    /// 1 if the local host opened it.
    pub local_opened: u8,
    /// The rank of the initial subflow: 0 unless its SYN had to move. The n-th subflow has the n-th rank from there.
    pub first_rank: u8,
    #[doc(hidden)]
    pub reserved: u8,
    /// When it was bound, nanoseconds of CLOCK_MONOTONIC.
    pub opened: u64,
    /// Token of the local host's key.
    pub local_token: u32,
    /// Token of the remote host's key.
    pub remote_token: u32,
    /// Where the local host is attached.
    pub local: Attachment,
    /// Where the remote host is attached.
    pub remote: Attachment,
    /// How many subflows the hosts have agreed on so far, the initial one included: the number of the next one. A SYN/ACK
    /// shows that they did; what only one side asked for has no number.
    pub subflows: u32,
    /// How many additional subflows have completed their handshake and not ended.
    pub joined: u32,
    /// On how many of those the responder has gone on: so many count towards the limit of hosts. A third ACK alone shows
    /// nothing, for the responder may not have taken it.
    pub confirmed: u32,
    #[doc(hidden)]
    pub unused: u32,
}

impl Connection {
    /// One whose initial subflow is all that is known.
    pub const EMPTY: Self = Self {
        initial: FlowKey::new(Address::mapped(0), 0, Address::mapped(0), 0),
        version: 0,
        local_opened: 0,
        first_rank: 0,
        reserved: 0,
        opened: 0,
        local_token: 0,
        remote_token: 0,
        local: Attachment { edge: 0, port: 0 },
        remote: Attachment { edge: 0, port: 0 },
        subflows: 1,
        joined: 0,
        confirmed: 0,
        unused: 0,
    };
}

/// A token: unique within a host only (RFC 8684, 3.1), so that it may stand for several connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TokenKey {
    /// The token.
    pub token: u32,
}

/// What a token stands for: a living connection, wherever its joins go, or two, of which the one is meant whose host is
/// where a join goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TokenBinding {
    /// The connections that have it; 0 for none. One that is not in `CONNECTIONS` any more does not count.
    pub connections: [ConnectionId; 2],
    /// 1 if a third connection has had it at the same time: its joins are hashed.
    pub crowded: u64,
}

/// How many subflows one CPU was to take note of since a moment: of all ports, or of one port's hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Openings {
    /// The moment, nanoseconds of CLOCK_MONOTONIC.
    pub since: u64,
    /// How many.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_two_v4_addresses_are_keys_of_the_v4_table() {
        let v4 = |last| Address::from_v4([10, 0, 0, last]);
        let v6 = Address::new([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]);
        let key = FlowKey::new(v4(1), 1_000, v4(2), 80);
        assert_eq!(key.v4().map(FlowKey::from), Some(key));
        assert_eq!((key.local_port(), key.remote_port()), (1_000, 80));
        for (local, remote) in [(v4(1), v6), (v6, v4(2)), (v6, v6)] {
            assert_eq!(FlowKey::new(local, 1_000, remote, 80).v4(), None);
        }
    }
}
