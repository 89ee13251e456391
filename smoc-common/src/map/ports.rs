//! `PORTS` and `DETOURS`: the ports of this switch, and the ways around what lies behind them.

use crate::wire::ethernet::MacAddress;

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
    /// Whether the base network comes in here: [`Port::OPEN`] or [`Port::CLOSED`].
    pub base: u8,
}

impl Port {
    /// No port; what `default` gives, as a constant.
    pub const NONE: Self = Self {
        mac: MacAddress::new([0; 6]),
        interface: 0,
        peer_width: 0,
        role: Self::FABRIC,
        guard: Self::GUARD_OFF,
        base: Self::OPEN,
    };

    /// It leads to other smoc switches: pushed routes, probes and hellos come in and leave through such ports only.
    pub const FABRIC: u8 = 0;
    /// It leads to hosts.
    pub const HOST: u8 = 1;

    /// What smoc does not route goes to the kernel, whose bridge has the last word.
    pub const OPEN: u8 = 0;
    /// What smoc does not route is dropped here, but for link-local groups. The kernel opens a bridge port whenever its carrier
    /// comes back, whatever an agent has set it to; this stays.
    pub const CLOSED: u8 = 1;

    /// Whatever they like; an address that is known to be elsewhere is left to the kernel.
    pub const GUARD_OFF: u8 = 0;
    /// An address that is known is used by its owner only, at its port and with its MAC address.
    pub const GUARD_SOURCE: u8 = 1;
    /// Nothing but from known owners.
    pub const GUARD_STRICT: u8 = 2;

    /// What stands in [`Port::base`].
    pub const fn base_of(is_closed: bool) -> u8 {
        if is_closed { Self::CLOSED } else { Self::OPEN }
    }

    /// Whether `INTERFACES` must lead from the interface to the port: something depends on where a frame came in.
    pub const fn is_found(&self) -> bool {
        self.guard != Self::GUARD_OFF || self.base == Self::CLOSED
    }
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
