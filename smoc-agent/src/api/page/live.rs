//! What changes from second to second, in one answer: states, counters that grow, and how much there is of the rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use smoc_common::route::Rank;
use smoc_control::{
    connections::{PathUsage, Usage},
    plan::{EdgePaths, PathsTo},
    switch::Snapshot,
};
use smoc_paths::topology::{End, LinkId};
use tokio::sync::Mutex;

use super::shape::Shape;
use crate::{clock, netlink::PortTraffic};

/// Readers that ask within this time get the same answer.
const FRESH: Duration = Duration::from_millis(400);
/// Most warnings that are shown.
const WARNINGS: usize = 20;

/// What a switch and its fabric are doing.
#[derive(Clone, Debug, Serialize)]
pub struct Live {
    /// The switch that is asked.
    pub switch: String,
    /// The agent's version.
    pub version: String,
    /// The agent's process: another one is another agent, whose counters begin anew.
    pub pid: u32,
    /// Whether the maps are filled and all programs attached.
    pub ready: bool,
    /// Since the agent was started: the time at which counters were read.
    pub uptime_seconds: f64,
    /// The agent's wall clock, in microseconds since 1970, as events have it.
    pub now: u64,
    /// The key of [`Shape`].
    pub shape: String,
    /// The network, unless the reader has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fabric: Option<Shape>,
    /// Links that are down.
    pub down: Vec<u32>,
    /// Links that operators drain.
    pub drained: Vec<u32>,
    /// Links that ranks take instead of others that are down or drained.
    pub detoured: Vec<u32>,
    /// The ports of the switch.
    pub ports: Vec<PortLoad>,
    /// The paths that subflows of this switch have used.
    pub paths: Vec<PathLoad>,
    /// Connections of this switch, when its tables were read last.
    pub connections: u64,
    /// Their subflows that are not closed.
    pub subflows: u64,
    /// Known addresses.
    pub addresses: usize,
    /// The number of the next event.
    pub events: u64,
    /// What the operator should know, the first twenty.
    pub warnings: Vec<String>,
}

/// What a port has carried.
#[derive(Clone, Debug, Serialize)]
pub struct PortLoad {
    /// Its number.
    pub number: u16,
    /// The link behind it, if it leads to a switch.
    pub link: Option<u32>,
    /// Whether frames leave through it.
    pub usable: bool,
    /// Bytes that came in.
    pub received: Option<u64>,
    /// Bytes that went out.
    pub sent: Option<u64>,
}

/// What a path has carried, as the last look at the tables showed it (up to 5 s ago).
#[derive(Clone, Debug, Serialize)]
pub struct PathLoad {
    /// The edge it leads to.
    pub edge: String,
    /// The rule of policy that chooses it, if one does.
    pub rule: Option<String>,
    /// Its rank.
    pub rank: u8,
    /// Its links, from this switch on.
    pub links: Vec<u32>,
    /// Subflows on it.
    pub subflows: u64,
    /// Bytes into the fabric.
    pub sent: u64,
    /// Bytes out of it.
    pub received: u64,
    /// Whether no probe comes back along it.
    pub broken: bool,
}

/// What an answer is made of, read at one time.
pub(super) struct Readings {
    /// What control published.
    pub snapshot: Arc<Snapshot>,
    /// What the tables held.
    pub usage: Usage,
    /// By interface.
    pub traffic: BTreeMap<String, PortTraffic>,
    /// The number of the next event.
    pub events: u64,
    /// What is said beside the snapshot's warnings.
    pub warnings: Vec<String>,
    /// Since the agent was started.
    pub uptime_seconds: f64,
}

/// The readings of the last moment: a thousand readers cost what one costs.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<Option<Last>>>);

/// When something was read, and what.
type Last = (Instant, Arc<Readings>);

impl Board {
    /// What was read last, or else what `read` reads now.
    pub(super) async fn read<E>(
        &self,
        read: impl Future<Output = Result<Readings, E>>,
    ) -> Result<Arc<Readings>, E> {
        let mut last = self.0.lock().await;
        if let Some((at, readings)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(readings.clone());
        }
        let readings = Arc::new(read.await?);
        *last = Some((Instant::now(), readings.clone()));
        Ok(readings)
    }
}

impl Readings {
    /// The answer for a reader that has the network of this key.
    pub(super) fn live(&self, known: Option<&str>) -> Live {
        let snapshot = &*self.snapshot;
        let (shape, fabric) = Shape::of(snapshot, known);
        let numbers = |links: &mut dyn Iterator<Item = &LinkId>| links.map(|link| link.0).collect();
        Live {
            switch: snapshot.topology.switch(snapshot.this).name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            ready: snapshot.ready,
            uptime_seconds: self.uptime_seconds,
            now: clock::microseconds_since_1970(),
            shape,
            fabric,
            down: numbers(&mut snapshot.down.iter()),
            drained: numbers(&mut snapshot.drained.iter()),
            detoured: detoured(snapshot),
            ports: self.ports(),
            paths: self.usage.paths.iter().filter_map(|(key, usage)| path(snapshot, *key, *usage)).collect(),
            connections: self.usage.subflows.iter().sum(),
            subflows: self.usage.paths.values().map(|usage| usage.subflows).sum(),
            addresses: snapshot.hosts.len(),
            events: self.events,
            warnings: snapshot.warnings.iter().chain(&self.warnings).take(WARNINGS).cloned().collect(),
        }
    }

    fn ports(&self) -> Vec<PortLoad> {
        let snapshot = &*self.snapshot;
        let port = |port: &smoc_control::switch::PortState| {
            let traffic = self.traffic.get(&port.interface);
            PortLoad {
                number: port.number.get(),
                link: snapshot
                    .topology
                    .link_at(End { switch: snapshot.this, port: port.number })
                    .map(|link| link.0),
                usable: port.usable,
                received: traffic.map(|traffic| traffic.received.bytes),
                sent: traffic.map(|traffic| traffic.sent.bytes),
            }
        };
        snapshot.ports.iter().map(port).collect()
    }
}

/// The paths that an edge's index means, and to where.
fn paths_of(snapshot: &Snapshot, index: u16) -> Option<(PathsTo, &EdgePaths)> {
    let edge = snapshot.topology.find_switch(snapshot.names.name(index)?)?;
    let rule = snapshot.names.rule(index);
    let book = if rule == 0 { &snapshot.book } else { snapshot.policies.book(rule)? };
    Some((PathsTo { edge, rule }, book.to(edge)?))
}

fn path(snapshot: &Snapshot, (index, rank): (u16, u8), usage: PathUsage) -> Option<PathLoad> {
    let (to, paths) = paths_of(snapshot, index)?;
    let path = paths.ranked.get(usize::from(rank))?;
    Some(PathLoad {
        edge: snapshot.topology.switch(to.edge).name.clone(),
        rule: snapshot.policies.rules().choice(to.rule).map(|choice| choice.rule.name.clone()),
        rank,
        links: path.links.iter().map(|link| link.0).collect(),
        subflows: usage.subflows,
        sent: usage.sent,
        received: usage.received,
        broken: snapshot.broken.contains(&(to, Rank::new(rank))),
    })
}

/// The links of paths that ranks take in place of others, as far as those do not have them.
fn detoured(snapshot: &Snapshot) -> Vec<u32> {
    if snapshot.book.down().is_empty() {
        return Vec::new();
    }
    let mut links: BTreeSet<LinkId> = BTreeSet::new();
    for (_, paths) in snapshot.book.edges() {
        for (rank, path) in paths.ranked.iter().enumerate() {
            if let Some(planned) = paths.instead_of(rank) {
                links.extend(path.links.iter().filter(|link| !planned.links.contains(link)));
            }
        }
    }
    links.iter().map(|link| link.0).collect()
}
