//! What a host's MPTCP path manager should be told, so that connections get as many subflows as the fabric has paths for.
//!
//! The kernel's in-kernel path manager (mptcp_pm(7), linux/mptcp_pm.h) has per network namespace *endpoints*, 8 at most, and
//! *limits*. What is there and what is wanted are values; [`changes`] tells what leads from one to the other. An endpoint or
//! limit that [`Memory`] does not have was set by others: it is neither changed nor removed.
//!
//! | file | what |
//! |---|---|
//! | `wanted` | from the settings, the addresses and a number of subflows to endpoints and limits |
//! | `changes` | from what is there to what is wanted |
//! | [`userspace`] | what each connection has, where the kernel leaves that to a path manager in user space |
//! | `paths` | how many paths an edge tells its hosts of ([`crate::discovery::advice`]) |
//! | [`config`] | the settings, and the file that has them |

mod changes;
pub mod config;
mod paths;
pub mod userspace;
mod wanted;

pub use changes::{Change, Memory, Restore, changes, ends};
pub use paths::paths_that_work;
pub use wanted::{Circumstances, wanted};

use std::{collections::BTreeSet, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::interfaces::IfIndex;

/// Max subflows of a connection that smoc has ranks for, the initial one included.
pub const MOST_SUBFLOWS: u8 = 8;
/// Max endpoints of a network namespace (`MPTCP_PM_ADDR_MAX` of net/mptcp/pm.c).
pub const MOST_ENDPOINTS: usize = 8;

/// What the kernel does with an endpoint (`MPTCP_PM_ADDR_FLAG_*` of linux/mptcp_pm.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(pub u32);

/// An endpoint, without the number that the kernel gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// An address of this host.
    pub address: IpAddr,
    /// The port at which the kernel listens for joins; 0: that of the connection, and no listener.
    pub port: u16,
    /// What it is for.
    pub flags: Flags,
    /// The interface of the address; 0 for none.
    pub interface: u32,
}

/// An endpoint as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Installed {
    /// Its number, which is its address id in ADD_ADDR and MP_JOIN.
    pub id: u8,
    /// What it is.
    #[serde(flatten)]
    pub endpoint: Endpoint,
}

/// What each connection may have beside its initial subflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Subflows.
    pub subflows: u32,
    /// Subflows that this host opens because the other one has told of an address.
    pub add_addr_accepted: u32,
}

/// What the kernel has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Present {
    /// The endpoints.
    pub endpoints: Vec<Installed>,
    /// The limits.
    pub limits: Limits,
}

/// What it should have, beside what others have set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The endpoints.
    pub endpoints: BTreeSet<Endpoint>,
    /// The limits; `None`: as they are without smoc.
    pub limits: Option<Limits>,
}

/// An address of this host that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostAddress {
    /// Its interface.
    pub interface: IfIndex,
    /// The address.
    pub address: IpAddr,
}

impl Flags {
    /// It is told to the other host (ADD_ADDR).
    pub const SIGNAL: Self = Self(1 << 0);
    /// A subflow is opened from it.
    pub const SUBFLOW: Self = Self(1 << 1);
    /// What is opened from it carries data only while nothing else works.
    pub const BACKUP: Self = Self(1 << 2);
    /// The kernel itself has made it for a join.
    pub const IMPLICIT: Self = Self(1 << 4);
    /// A subflow to an address that the other host tells of is opened from it (from Linux 6.18 on).
    pub const LAMINAR: Self = Self(1 << 5);
    const NAMES: [(u32, &str); 6] =
        [(0, "signal"), (1, "subflow"), (2, "backup"), (3, "fullmesh"), (4, "implicit"), (5, "laminar")];

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether these include others.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for Flags {
    /// As `ip mptcp endpoint` names them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::NAMES.iter().filter(|(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| *name);
        f.write_str(&names.collect::<Vec<_>>().join(" "))
    }
}

impl Endpoint {
    /// Whether the kernel refuses to have both: an address with its port is there once.
    pub fn collides(&self, other: &Self) -> bool {
        (self.address, self.port) == (other.address, other.port) && !other.flags.has(Flags::IMPLICIT)
    }
}

impl fmt::Display for Endpoint {
    /// As the arguments of `ip mptcp endpoint add`, without the interface.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.port != 0 {
            write!(f, " port {}", self.port)?;
        }
        write!(f, " {}", self.flags)
    }
}

impl Limits {
    /// What Linux begins with (net/mptcp/pm_kernel.c: two subflows).
    pub const DEFAULT: Self = Self { subflows: 2, add_addr_accepted: 0 };
}

impl fmt::Display for Limits {
    /// As the arguments of `ip mptcp limits set`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subflows {} add_addr_accepted {}", self.subflows, self.add_addr_accepted)
    }
}
