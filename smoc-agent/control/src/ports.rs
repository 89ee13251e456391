//! What the ports of this switch lead to, and the programs they get.

use std::collections::BTreeSet;

use smoc_common::{map::Port, route::PortNumber};
use smoc_paths::topology::{SwitchId, Topology};

use crate::{config::Config, interfaces::Interface};

/// What is behind a port, and so which program it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Hosts are behind it.
    Host,
    /// Another switch is behind it.
    Fabric,
}

impl Role {
    /// The role that a port has in `PORTS`; an entry that was never written is a fabric port's.
    pub const fn in_map(port: &Port) -> Self {
        if port.role == Port::HOST { Self::Host } else { Self::Fabric }
    }

    /// What stands in [`Port::role`].
    pub const fn entry(self) -> u8 {
        match self {
            Self::Host => Port::HOST,
            Self::Fabric => Port::FABRIC,
        }
    }
}

/// What the topology makes of the configured ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    fabric: BTreeSet<PortNumber>,
}

impl Roles {
    /// A port is a fabric port if the topology has a link there.
    pub fn new(config: &Config, topology: &Topology, this: SwitchId) -> Self {
        Self { fabric: config.fabric_ports(topology, this) }
    }

    /// These are the fabric ports.
    pub fn with(fabric: BTreeSet<PortNumber>) -> Self {
        Self { fabric }
    }

    /// The role of a port.
    pub fn of(&self, port: PortNumber) -> Role {
        if self.fabric.contains(&port) { Role::Fabric } else { Role::Host }
    }
}

/// The kernel's numbers of the loaded programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Programs {
    /// For host ports.
    pub host: u32,
    /// For fabric ports.
    pub fabric: u32,
}

impl Programs {
    /// Whether the program of a role is on an interface.
    pub fn is_on(self, role: Role, interface: &Interface) -> bool {
        let wanted = match role {
            Role::Host => self.host,
            Role::Fabric => self.fabric,
        };
        interface.xdp.is_some_and(|xdp| xdp.program == wanted)
    }
}
