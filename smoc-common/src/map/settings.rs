//! `SETTINGS` and `HELLO_KEYS`: what holds for the whole switch.

use crate::{tag::TagKey, wire::ethernet::MacAddress};

/// What hellos and probes are signed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct HelloKeys {
    /// Those that are accepted, none behind them: with one of them a program answers what came with its tag. They are derived
    /// from the fabric's keys.
    pub keys: [TagKey; 2],
    /// Who answers: this switch, by [`crate::wire::probe::switch_id`].
    pub responder: u32,
    #[doc(hidden)]
    pub reserved: u32,
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
    /// [`Settings::GUARDED`] and [`Settings::SHUT`], or neither: what has to be looked at where a host's frame came in.
    pub guarded: u8,
    /// [`Settings::PREFIXES`] and [`Settings::PAIRS`], or neither: in which maps there is anything.
    pub filled: u8,
    /// How many subflows a second each CPU takes note of; what is more is forwarded by hash. 0: all of them.
    pub openings: u32,
    /// How many handshakes of one port's hosts that are not over each CPU takes note of, of those that began in one second: so
    /// one that floods leaves the others their share of `HALF_OPEN`. 0: all of them.
    pub port_openings: u32,
    /// The MAC address under which the kernel takes frames of this switch (its bridge's, or a port's).
    pub mac: MacAddress,
}

impl Settings {
    /// Other traffic takes the first path of least cost.
    pub const SPREAD_NONE: u8 = 0;
    /// Other flows are hashed over all paths of least cost.
    pub const SPREAD_FLOWS: u8 = 1;

    /// There is something in `PREFIXES`.
    pub const PREFIXES: u8 = 1;
    /// There is something in `PAIRS`.
    pub const PAIRS: u8 = 2;

    /// Some host port has a guard.
    pub const GUARDED: u8 = 1;
    /// Some host port is closed for the base network.
    pub const SHUT: u8 = 2;
}
