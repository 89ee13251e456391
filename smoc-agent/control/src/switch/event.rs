//! What happens to a switch.

use std::sync::Arc;

use smoc_common::route::PortNumber;
use smoc_paths::topology::Topology;

use super::Wish;
use crate::{
    config::Config,
    connections::Claim,
    dataplane::Installed,
    discovery::inquiry::Question,
    fabric::Record,
    hosts::behind::KernelRoute,
    interfaces::Interfaces,
    liveness::Found,
    ports::{Programs, Role},
    siblings::Stray,
    store::Facts,
};

/// A frame from a packet socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The port it came in through.
    pub port: PortNumber,
    /// What the socket listens for: [`Role::Host`] for ARP and neighbour discovery, [`Role::Fabric`] for announcements.
    pub role: Role,
    /// The whole frame, from the destination address on.
    pub bytes: Vec<u8>,
}

/// What happens to a switch. Events say how things are, not what to do.
#[derive(Clone, Debug)]
pub enum Event {
    /// The time of [`super::Switch::deadline`] has come.
    Time,
    /// The interfaces as the kernel lists them now.
    Interfaces(Interfaces),
    /// The routes of the kernel's main table as they are now, where the configuration says that they are used.
    Routes(Arc<[KernelRoute]>),
    /// A frame came in.
    Heard(Frame),
    /// What the prober has found.
    Found(Found),
    /// Another configuration and the topology that goes with it. What needs a restart is as it was.
    Configured(Arc<Config>, Arc<Topology>),
    /// What is in the maps, read back when so many changes had been made ([`super::Switch::expected`]).
    Inspected {
        /// [`super::Expected::changes`].
        changes: u64,
        /// What was found.
        found: Installed,
    },
    /// A join is established at this edge, which does not know all its siblings.
    Strayed(Stray),
    /// What the fabric's store says of other switches.
    Stored(Arc<Facts>),
    /// What the tables say of a token, as [`super::Effect::Look`] asked.
    Looked(Question, Vec<Claim>),
    /// What operators want, as somebody has written it here or a store tells.
    Recorded(Vec<Record>),
    /// The programs that are to be on the ports are others now.
    Programs(Programs),
    /// The world did not do what an effect asks for.
    Refused {
        /// What was asked for.
        wish: Wish,
        /// Why, for people: what to change.
        why: String,
    },
}

impl Event {
    /// What kind of event it is, for those who count and measure.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Interfaces(_) => "interfaces",
            Self::Routes(_) => "routes",
            Self::Heard(_) => "heard",
            Self::Found(_) => "found",
            Self::Configured(..) => "configured",
            Self::Inspected { .. } => "inspected",
            Self::Strayed(_) => "strayed",
            Self::Stored(_) => "stored",
            Self::Looked(..) => "looked",
            Self::Recorded(_) => "recorded",
            Self::Programs(_) => "programs",
            Self::Refused { .. } => "refused",
        }
    }
}
