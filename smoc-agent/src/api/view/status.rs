//! The state of the agent and of its switch.

use serde::{Deserialize, Serialize};
use smoc_common::event::{Note, Outcome};
use smoc_control::{
    config::{Difference, Spread},
    dataplane::Fill,
    hosts::Reach,
    interfaces::BridgePort,
    liveness::{PortReport, Reason, Report},
    neighbors::Standing,
    ports::Role,
    switch::{PortState, SharedState, Snapshot},
};

use crate::{
    api::{
        liveness::{DetoursView, PortLivenessView, ProbingView},
        pressure,
    },
    store::StoreView,
};

/// The state of the agent and of its switch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Whether the maps are filled and all programs attached.
    pub ready: bool,
    /// The switch.
    pub switch: String,
    /// The agent's process.
    pub pid: u32,
    /// The agent's version.
    pub version: String,
    /// Since the agent was started.
    pub uptime_seconds: f64,
    /// The ports.
    pub ports: Vec<PortView>,
    /// The bridge, if one is configured.
    pub bridge: Option<BridgeView>,
    /// Edges to which paths lead.
    pub edges: usize,
    /// Links of the network that are down.
    pub links_down: usize,
    /// Links that operators drain.
    #[serde(default)]
    pub links_drained: usize,
    /// Ways around neighbours and links.
    pub detours: DetoursView,
    /// How paths are probed; null if the prober does not answer.
    pub probing: Option<ProbingView>,
    /// Known addresses.
    pub hosts: usize,
    /// `none` or `flows`.
    pub spread: Spread,
    /// How often subflows were told to look their hosts up again: an address moved, or a prefix or a policy changed.
    pub epoch: u32,
    /// Which addresses are learned.
    pub learning: LearningView,
    /// Where it is found out what other switches say.
    #[serde(default)]
    pub store: StoreView,
    /// What the fabric says for all switches.
    #[serde(default)]
    pub fabric_config: FabricConfigView,
    /// Frames of switches that were refused: of what must not be at a port, what agents say at a host's, and what no key of the
    /// fabric has signed, hellos and their answers included.
    #[serde(default)]
    pub refused: u64,
    /// Frames of switches, hellos and probes among them, that were believed without a tag while the fabric's key is introduced.
    #[serde(default)]
    pub untagged: u64,
    /// How often a port was closed because something joined it to another open one.
    #[serde(default)]
    pub loops: u64,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// Everything that the programs count.
    pub counters: Vec<CounterView>,
    /// How full the tables are.
    pub tables: Vec<TableView>,
}

/// What the fabric says for all switches, as this one heeds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FabricConfigView {
    /// The values, as in a configuration; this switch's own file comes before them.
    pub values: serde_json::Value,
    /// When they were written, in microseconds since 1970; 0 if nothing is said.
    pub written: u64,
    /// What this switch's own file has otherwise.
    pub differences: Vec<Difference>,
}

impl From<&SharedState> for FabricConfigView {
    fn from(state: &SharedState) -> Self {
        let SharedState { values, written, differences } = state;
        Self { values: values.to_json(), written: *written, differences: differences.clone() }
    }
}

/// A port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortView {
    /// Its number.
    pub number: u16,
    /// Its interface.
    pub interface: String,
    /// `host` or `fabric`.
    pub role: String,
    /// Whether the interface exists and has carrier.
    pub carrier: bool,
    /// Whether frames leave through it: it has carrier and, if it leads to a switch, that answers hellos.
    pub usable: bool,
    /// Whether the agent's program is attached.
    pub attached: bool,
    /// `native`, `generic` or `other`; null if nothing is attached.
    pub mode: Option<String>,
    /// `forwarding` or `closed` for the base network; null if it is no bridge port.
    pub bridge: Option<String>,
    /// Who is behind it: `switch:port`, `hosts`, `undecided`, `off`, or `refused` (the warnings say why).
    #[serde(default)]
    pub neighbor: String,
    /// What hellos say; null for host ports.
    pub liveness: Option<PortLivenessView>,
}

/// The bridge of the base network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeView {
    /// Its interface.
    pub interface: String,
    /// Whether the agent sets its port states; not if the bridge runs spanning tree by itself.
    pub managed: bool,
}

/// A counter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CounterView {
    /// Its name.
    pub name: String,
    /// `outcome` (one for every frame) or `note`.
    pub kind: String,
    /// Frames.
    pub value: u64,
    /// What it counts.
    pub help: String,
}

/// How full a table is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableView {
    /// The map.
    pub name: String,
    /// Entries when it was last read.
    pub entries: usize,
    /// Entries it has room for.
    pub capacity: u32,
    /// Entries in use that had to go for others so far, as far as readings some seconds apart show it.
    pub evicted: u64,
}

/// Which addresses are learned.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LearningView {
    /// The prefixes outside of which none is; empty: all are, of any family that has no prefix.
    pub prefixes: Vec<String>,
    /// `configured`, `on-link` (those of the bridge) or `none`.
    pub known_from: String,
    /// Prefixes behind routers.
    pub routed: usize,
    /// Claims to an address of another that were refused.
    pub refused: u64,
    /// How often an address was heard that is not to be learned.
    pub ignored: u64,
}

/// The status, with counters by index and the fill of the tables.
pub(in crate::api) fn status(
    snapshot: &Snapshot,
    counters: &[u64],
    fills: &[Fill],
    report: Option<&Report>,
    uptime_seconds: f64,
) -> Status {
    Status {
        ready: snapshot.ready,
        switch: snapshot.topology.switch(snapshot.this).name.clone(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds,
        ports: snapshot.ports.iter().map(|port| port_view(snapshot, port, report)).collect(),
        detours: DetoursView { installed: snapshot.detours, unroutable: snapshot.unroutable_detours },
        probing: report.map(ProbingView::from),
        bridge: snapshot
            .bridge
            .as_ref()
            .map(|bridge| BridgeView { interface: bridge.interface.clone(), managed: bridge.managed }),
        edges: snapshot.edges,
        links_down: snapshot.down.len(),
        links_drained: snapshot.drained.len(),
        hosts: snapshot.hosts.len(),
        spread: snapshot.spread,
        epoch: snapshot.epoch,
        learning: learning(snapshot),
        store: StoreView::default(),
        fabric_config: (&snapshot.shared).into(),
        refused: snapshot.refused + report.map_or(0, |report| report.refused),
        untagged: snapshot.untagged + report.map_or(0, |report| report.untagged),
        loops: snapshot.loops,
        warnings: snapshot.warnings.iter().cloned().chain(pressure::warnings(counters, fills)).collect(),
        counters: counter_views(counters),
        tables: fills
            .iter()
            .map(|fill| TableView {
                name: fill.table.to_owned(),
                entries: fill.entries,
                capacity: fill.capacity,
                evicted: fill.evicted,
            })
            .collect(),
    }
}

fn port_view(snapshot: &Snapshot, port: &PortState, report: Option<&Report>) -> PortView {
    let liveness = report.and_then(|report| report.ports.iter().find(|report| report.number == port.number));
    let bridge = |state| if state == BridgePort::Forwarding { "forwarding" } else { "closed" }.to_owned();
    PortView {
        number: port.number.get(),
        interface: port.interface.clone(),
        role: if port.role == Role::Fabric { "fabric" } else { "host" }.to_owned(),
        carrier: port.carrier,
        usable: port.usable,
        attached: port.attached.is_some(),
        mode: port.attached.map(|mode| mode.name().to_owned()),
        bridge: port.bridge.map(bridge),
        neighbor: neighbor(port),
        liveness: liveness.map(|report| PortLivenessView {
            reason: reason(snapshot, report),
            ..PortLivenessView::from(report)
        }),
    }
}

fn neighbor(port: &PortState) -> String {
    match &port.neighbor {
        Standing::Fabric(peer) => peer.to_string(),
        Standing::Host if port.role == Role::Host => "hosts".to_owned(),
        Standing::Undecided | Standing::Host => "undecided".to_owned(),
        Standing::Awaited => "awaited".to_owned(),
        Standing::Refused(_) => "refused".to_owned(),
        Standing::Off => "off".to_owned(),
    }
}

/// Why a port is up or down; of a miswired one, which link its neighbour believes in.
fn reason(snapshot: &Snapshot, report: &PortReport) -> String {
    let text = report.reason.text();
    match report.reason {
        Reason::Miswired(link) => match snapshot.link_of(link) {
            Some(name) => format!("{text}: its hellos name {name}"),
            None => format!("{text}: its hellos name a link that is not in the topology"),
        },
        _ => text.to_owned(),
    }
}

fn learning(snapshot: &Snapshot) -> LearningView {
    let Reach { configured, on_link, .. } = &snapshot.reach;
    let declared: usize = snapshot.topology.hosts().iter().map(|host| host.prefixes.len()).sum();
    let (prefixes, known_from) = match (configured.is_empty(), on_link.is_empty()) {
        (false, _) => (configured, "configured"),
        (true, false) => (on_link, "on-link"),
        (true, true) => (on_link, "none"),
    };
    let (refused, ignored) = snapshot.turned_away;
    LearningView {
        prefixes: prefixes.iter().map(ToString::to_string).collect(),
        known_from: known_from.to_owned(),
        routed: declared + snapshot.routed.placed.len(),
        refused,
        ignored,
    }
}

fn counter_views(values: &[u64]) -> Vec<CounterView> {
    let view = |name: &str, kind: &str, index: u32, help: &str| CounterView {
        name: name.to_owned(),
        kind: kind.to_owned(),
        value: values.get(index as usize).copied().unwrap_or(0),
        help: help.to_owned(),
    };
    let outcomes = Outcome::ALL.iter().map(|o| view(o.name(), "outcome", o.counter(), o.help()));
    let notes = Note::ALL.iter().map(|n| view(n.name(), "note", n.counter(), n.help()));
    outcomes.chain(notes).collect()
}
