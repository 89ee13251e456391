//! What the prober is told and asked.

use std::{collections::BTreeSet, time::Duration};

use smoc_common::route::Rank;
use smoc_control::{
    interfaces::IfIndex,
    liveness::{Report, RoundTripRoute, Targets},
    plan::PathsTo,
};
use tokio::sync::oneshot;

/// A single probe on request.
#[derive(Debug)]
pub struct Echo {
    /// Its way.
    pub route: RoundTripRoute,
    /// Where the round-trip time goes; `None` if the probe does not come back in time.
    pub reply: oneshot::Sender<Option<Duration>>,
}

/// What the prober is told and asked.
#[derive(Debug)]
pub enum Command {
    /// Other targets from now on.
    Watch(Box<Targets>),
    /// An interface has carrier, or has it no more.
    Carrier(IfIndex, bool),
    /// All paths in use.
    Used(BTreeSet<(PathsTo, Rank)>),
    /// One more path in use.
    AlsoUsed(PathsTo, Rank),
    /// A probe.
    Echo(Echo),
    /// Report the state of all targets.
    Report(oneshot::Sender<Report>),
}
