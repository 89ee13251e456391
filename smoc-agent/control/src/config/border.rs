//! What hosts may send into the fabric.

use std::collections::BTreeMap;

use serde::Deserialize;
use smoc_common::{map::Port, route::PortNumber};

/// What hosts behind a port may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Guard {
    /// Whatever they like.
    #[default]
    Off,
    /// No address that is another host's.
    Source,
    /// Only addresses that are known to be theirs.
    Strict,
}

impl Guard {
    /// What stands in [`Port::guard`].
    pub const fn entry(self) -> u8 {
        match self {
            Self::Off => Port::GUARD_OFF,
            Self::Source => Port::GUARD_SOURCE,
            Self::Strict => Port::GUARD_STRICT,
        }
    }
}

/// The border between hosts and fabric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Border {
    /// The guards of host ports; others have none.
    pub guards: BTreeMap<PortNumber, Guard>,
    /// How many new subflows a second each CPU takes note of; 0: all.
    pub openings: u32,
    /// How many handshakes of one port's hosts that are not over, of those that began in one second; 0: all.
    pub port_openings: u32,
}

impl Border {
    /// New subflows a second and CPU unless configured.
    pub const OPENINGS: u32 = 125_000;
    /// Handshakes of one port's hosts under way: whoever floods needs 16 s to fill the table of half-open subflows.
    pub const PORT_OPENINGS: u32 = 1024;

    /// The guard of a port.
    pub fn guard_of(&self, port: PortNumber) -> Guard {
        self.guards.get(&port).copied().unwrap_or_default()
    }

    /// Whether any port has one.
    pub fn is_guarded(&self) -> bool {
        self.guards.values().any(|guard| *guard != Guard::Off)
    }
}

impl Default for Border {
    fn default() -> Self {
        Self { guards: BTreeMap::new(), openings: Self::OPENINGS, port_openings: Self::PORT_OPENINGS }
    }
}
