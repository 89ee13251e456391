//! What is to be watched, and what is found of it.

use std::{sync::Arc, time::Duration};

use super::{Reason, RoundTripRoute, Trust};
use crate::{
    config::{Hellos, Probes},
    interfaces::IfIndex,
    plan::{Failures, PathsTo},
};
use smoc_common::route::{PortNumber, Rank};

/// A fabric port to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortTarget {
    /// Its number.
    pub number: PortNumber,
    /// Its interface.
    pub interface: IfIndex,
    /// Whether that has carrier.
    pub carrier: bool,
    /// The neighbour's number of its own port.
    pub neighbor: PortNumber,
    /// The link behind it, by [`smoc_common::wire::probe::link_id`].
    pub link: u32,
    /// The switch behind it, by [`smoc_common::wire::probe::switch_id`].
    pub peer: u32,
}

/// A port to hosts: its carrier alone says whether frames leave through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Its number.
    pub number: PortNumber,
    /// Its interface.
    pub interface: IfIndex,
    /// Whether that has carrier.
    pub carrier: bool,
}

/// A path to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTarget {
    /// Where it leads.
    pub to: PathsTo,
    /// Its rank.
    pub rank: Rank,
    /// That switch, by [`smoc_common::wire::probe::switch_id`].
    pub peer: u32,
    /// The way of its probes.
    pub route: RoundTripRoute,
    /// Its switches, for people.
    pub name: Arc<str>,
}

/// All that is to be watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Raised when numbers of switches or ranks change their meaning.
    pub generation: u64,
    /// Which answers are believed.
    pub trust: Trust,
    /// How ports are watched.
    pub hellos: Hellos,
    /// How paths are watched.
    pub probes: Probes,
    /// The fabric ports.
    pub ports: Vec<PortTarget>,
    /// The host ports that have an interface.
    pub host_ports: Vec<HostPort>,
    /// The paths, sorted by edge and rank.
    pub paths: Arc<[PathTarget]>,
    /// Paths that cannot be probed because a way does not fit into a route.
    pub unfit: usize,
    /// What is known to be down, for those that are new.
    pub down: Failures,
}

/// What the prober has found, with [`Targets::generation`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Of the targets.
    pub generation: u64,
    /// What does not work.
    pub failures: Failures,
}

/// A port, as it is watched.
#[derive(Clone, Debug)]
pub struct PortReport {
    /// Its number.
    pub number: PortNumber,
    /// Whether it is up.
    pub up: bool,
    /// Why.
    pub reason: Reason,
    /// For how long.
    pub lasts: Duration,
    /// Round-trip time of hellos, smoothed.
    pub round_trip: Option<Duration>,
    /// How often it went down.
    pub flaps: u32,
    /// Time that it still has to work before it is up.
    pub hold_down_left: Option<Duration>,
}

/// A path, as it is watched.
#[derive(Clone, Debug)]
pub struct PathReport {
    /// Where it leads.
    pub to: PathsTo,
    /// Its rank.
    pub rank: Rank,
    /// Whether it is broken.
    pub broken: bool,
    /// For how long it is broken or whole.
    pub lasts: Duration,
    /// Whether some flow uses it.
    pub used: bool,
    /// Share of probes that were lost.
    pub loss: Option<f64>,
    /// Its round-trip times.
    pub round_trip: Option<super::RoundTrip>,
}

/// Everything that is watched.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The fabric ports.
    pub ports: Vec<PortReport>,
    /// The paths.
    pub paths: Vec<PathReport>,
    /// Paths that cannot be probed because a way does not fit into a route.
    pub unfit: usize,
    /// Hellos and answers that were not believed.
    pub refused: u64,
    /// Hellos and answers that were believed without a tag, while the fabric's key is introduced.
    pub untagged: u64,
    /// Probes sent in a second.
    pub rate: f64,
    /// Time between two probes of one path, in use and not; zero if there are none.
    pub intervals: (Duration, Duration),
}
