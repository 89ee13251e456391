//! What the API tells: what control has decided, made into documents.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use smoc_common::event::{Note, Outcome};

use super::liveness::{DetoursView, PathLivenessView, PortLivenessView, ProbingView};
use smoc_control::{
    clock::Nanos,
    config::{Difference, Spread},
    dataplane::Fill,
    fabric::{
        ApiPlace,
        digest::Digests,
        drain::{DRAIN, Target},
    },
    hosts::{KnownHost, Reach},
    interfaces::BridgePort,
    liveness::{PathReport, PortReport, Reason, Report},
    neighbors::Standing,
    plan::{EdgePaths, PathsTo},
    ports::Role,
    switch::{PortState, SharedState, Snapshot},
};
use smoc_paths::search::Path;

use crate::store::StoreView;

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

/// A known address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostView {
    /// The address.
    pub address: IpAddr,
    /// Its MAC address.
    pub mac: String,
    /// The switch it is attached to.
    pub switch: String,
    /// The port of that switch.
    pub port: u16,
    /// The host's name, if the file gives one.
    pub name: Option<String>,
    /// `file`, `learned` or `announced`.
    pub source: String,
    /// Time since it was last heard; null for hosts of the file.
    pub age_seconds: Option<f64>,
    /// The prefixes behind it, if it is a router.
    pub prefixes: Vec<String>,
    /// Those of them that its switch has found in its routing table; the topology file has the others.
    #[serde(default)]
    pub routed: Vec<String>,
    /// Who else claims the address.
    pub refused: Vec<RefusalView>,
}

/// Who else claims an address, and is refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefusalView {
    /// Its MAC address.
    pub mac: String,
    /// The switch behind which it is.
    pub switch: String,
    /// The port of that switch.
    pub port: u16,
    /// How often in a row, less where it claims it without pause.
    pub times: u32,
    /// Time since the last one.
    pub age_seconds: f64,
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

/// The ranked paths to an edge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EdgeView {
    /// The switch.
    pub edge: String,
    /// Its index in this switch's maps; null without hosts.
    pub index: Option<u16>,
    /// The rule of policy that chooses the paths, for the pairs of hosts that it is about; null for all others.
    #[serde(default)]
    pub rule: Option<String>,
    /// The paths in use.
    pub ranks: Vec<RankView>,
    /// Paths that no source route can describe.
    pub unroutable: Vec<UnroutableView>,
}

/// A ranked path.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RankView {
    /// Its rank.
    pub rank: usize,
    /// Its switches.
    pub switches: Vec<String>,
    /// Its links.
    pub links: Vec<String>,
    /// Its cost.
    pub cost: u64,
    /// How many of its links a better-ranked path also uses.
    pub shared_links: usize,
    /// This switch's port through which it starts.
    pub port: u16,
    /// Whether that port is usable.
    pub usable: bool,
    /// Whether subflows of this rank take another rank's path: a link of it is down or drained, and nothing takes its place.
    #[serde(default)]
    pub left: bool,
    /// Links of the path that the rank has when all links are up, if it takes another one meanwhile.
    pub instead_of: Option<Vec<String>>,
    /// What probes say; null if it is not probed.
    pub liveness: Option<PathLivenessView>,
}

/// A path that does not fit into a source route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnroutableView {
    /// The rank it would have had.
    pub rank: usize,
    /// Bits it would need; 62 are there.
    pub bits: u32,
}

/// The network as this agent sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TopologyView {
    /// The switches.
    pub switches: Vec<SwitchView>,
    /// The links.
    pub links: Vec<LinkView>,
}

/// A switch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SwitchView {
    /// Its name.
    pub name: String,
    /// Where its agent is reached, if told.
    pub agent: Option<IpAddr>,
    /// Whether it is this one.
    pub this: bool,
    /// Known addresses behind it.
    pub hosts: usize,
}

/// A link.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkView {
    /// Its name.
    pub name: String,
    /// Its cost.
    pub cost: u32,
    /// What it carries each way, if told.
    pub capacity: Option<String>,
    /// Its latency, if told.
    pub latency: Option<String>,
    /// Whether the base network uses it.
    pub tree: bool,
    /// Whether it works, as far as the switches at its ends say.
    pub up: bool,
    /// Whether operators want traffic to leave it.
    #[serde(default)]
    pub drained: bool,
    /// Whether paths may take it: a drained link stays in use where nothing else joins two parts of the network.
    #[serde(default)]
    pub used: bool,
}

/// The fabric as a whole, as one of its agents sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FabricView {
    /// The switches.
    pub switches: Vec<SwitchView>,
    /// The links.
    pub links: Vec<LinkView>,
    /// Known addresses.
    pub hosts: usize,
    /// What operators drain.
    pub drained: Vec<DrainView>,
    /// What each switch has, as it said last.
    #[serde(default)]
    pub digests: Vec<DigestView>,
}

/// What a switch has, by short numbers of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestView {
    /// The switch.
    pub switch: String,
    /// Its topology, 16 hex digits; null if nothing was heard of its agent, or it is of an older version.
    pub topology: Option<String>,
    /// Its policy; null as above, or if it has none.
    pub policy: Option<String>,
    /// How long it has had that, as far as the agent that is asked knows.
    pub since_seconds: Option<u64>,
    /// Whether that is something else than the agent has that is asked.
    pub differs: bool,
}

/// Where the APIs of a fabric's agents can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentsView {
    /// The switch that is asked.
    pub this: String,
    /// Whether the agent that is asked listens for others, and with TLS.
    pub tls: Option<bool>,
    /// The file with the token that all agents ask for, at the agent that is asked.
    pub token_file: Option<PathBuf>,
    /// The file with the certificates of whom to believe.
    pub ca: Option<PathBuf>,
    /// The other switches.
    pub agents: Vec<AgentView>,
}

/// Where an agent's API can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentView {
    /// The switch.
    pub switch: String,
    /// How many addresses are attached there.
    pub hosts: usize,
    /// Where; null if it does not say.
    pub api: Option<ApiPlace>,
}

pub(super) fn agents(snapshot: &Snapshot) -> AgentsView {
    let this = &snapshot.topology.switch(snapshot.this).name;
    let attached = |name: &str| {
        let at = snapshot.topology.find_switch(name);
        snapshot.hosts.values().filter(|host| Some(host.at.switch) == at).count()
    };
    let others = snapshot.topology.switches().iter().filter(|switch| switch.name != *this);
    let agent = |switch: &smoc_paths::topology::Switch| AgentView {
        switch: switch.name.clone(),
        hosts: attached(&switch.name),
        api: snapshot.apis.get(&switch.name).copied(),
    };
    let own = snapshot.api.as_ref();
    AgentsView {
        this: this.clone(),
        tls: own.map(|own| own.place.tls),
        token_file: own.and_then(|own| own.listener.token_file.clone()),
        ca: own.and_then(|own| own.ca.clone()),
        agents: others.map(agent).collect(),
    }
}

/// What operators drain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainView {
    /// A switch or a link.
    pub target: String,
    /// Why, if they said so.
    pub reason: String,
    /// Whether the fabric has it (still).
    pub known: bool,
}

/// The status, with counters by index and the fill of the tables.
pub(super) fn status(
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
        warnings: snapshot
            .warnings
            .iter()
            .cloned()
            .chain(super::pressure::warnings(counters, fills))
            .collect(),
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

/// All known addresses.
pub(super) fn hosts(snapshot: &Snapshot, now: Nanos) -> Vec<HostView> {
    let mut refused: BTreeMap<IpAddr, Vec<RefusalView>> = BTreeMap::new();
    for refusal in &snapshot.refusals {
        refused.entry(refusal.address).or_default().push(RefusalView {
            mac: refusal.mac.to_string(),
            switch: match &refusal.edge {
                Some(edge) => edge.clone(),
                None => snapshot.topology.switch(snapshot.this).name.clone(),
            },
            port: refusal.port.get(),
            times: refusal.times,
            age_seconds: now.since(refusal.at).as_secs_f64().round(),
        });
    }
    let prefixes = |host: &KnownHost| {
        let declared = host.name.as_deref().and_then(|name| snapshot.topology.find_host(name));
        declared.map_or_else(Vec::new, |host| host.prefixes.iter().map(ToString::to_string).collect())
    };
    let mut routed: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    for placed in &snapshot.routed.placed {
        routed.entry(placed.behind.router).or_default().push(placed.behind.prefix.to_string());
    }
    let routed = |address: &IpAddr| routed.get(address).cloned().unwrap_or_default();
    let view = |(address, host): (&IpAddr, &KnownHost)| HostView {
        address: *address,
        mac: host.mac.to_string(),
        switch: snapshot.topology.switch(host.at.switch).name.clone(),
        port: host.at.port.get(),
        name: host.name.clone(),
        source: format!("{:?}", host.source).to_lowercase(),
        age_seconds: host.seen.map(|seen| now.since(seen).as_secs_f64().round()),
        prefixes: prefixes(host).into_iter().chain(routed(address)).collect(),
        routed: routed(address),
        refused: refused.get(address).cloned().unwrap_or_default(),
    };
    snapshot.hosts.iter().map(view).collect()
}

/// The ranked paths to all edges.
pub(super) fn edges(snapshot: &Snapshot, report: Option<&Report>) -> Vec<EdgeView> {
    let usable = snapshot.usable();
    let books = std::iter::once((0, &*snapshot.book)).chain(snapshot.policies.books());
    let all = books.flat_map(|(rule, book)| book.edges().map(move |(edge, paths)| (rule, edge, paths)));
    let edges = all.map(|(rule, edge, paths)| {
        let name = snapshot.topology.switch(edge).name.clone();
        EdgeView {
            index: snapshot.names.find(&name, rule),
            edge: name,
            rule: snapshot.policies.rules().choice(rule).map(|choice| choice.rule.name.clone()),
            ranks: ranks(snapshot, PathsTo { edge, rule }, paths, &usable, report),
            unroutable: paths
                .unroutable
                .iter()
                .map(|path| UnroutableView { rank: path.rank, bits: path.bits })
                .collect(),
        }
    });
    edges.collect()
}

fn ranks(
    snapshot: &Snapshot,
    to: PathsTo,
    paths: &EdgePaths,
    usable: &BTreeMap<u16, bool>,
    report: Option<&Report>,
) -> Vec<RankView> {
    let liveness = |rank: usize| {
        let mut paths = report?.paths.iter();
        let is_it = |path: &&PathReport| (path.to, usize::from(path.rank.get())) == (to, rank);
        paths.find(is_it).map(PathLivenessView::from)
    };
    let links = |path: &Path| path.links.iter().map(|link| snapshot.topology.link_name(*link)).collect();
    let rank = |(rank, path): (usize, &Path)| {
        let port = path.hops(&snapshot.topology).next().map_or(0, |(_, port)| port.get());
        RankView {
            rank,
            switches: path.switches.iter().map(|s| snapshot.topology.switch(*s).name.clone()).collect(),
            links: links(path),
            cost: path.cost,
            shared_links: path.shared_links,
            port,
            usable: usable.get(&port).copied().unwrap_or(false),
            left: path.links.iter().any(|link| snapshot.book.down().contains(link)),
            instead_of: paths.instead_of(rank).map(links),
            liveness: liveness(rank),
        }
    };
    paths.ranked.iter().enumerate().map(rank).collect()
}

/// The network.
pub(super) fn topology(snapshot: &Snapshot) -> TopologyView {
    let topology = &snapshot.topology;
    let behind = |switch| snapshot.hosts.values().filter(|host| host.at.switch == switch).count();
    let switches = topology.switch_ids().map(|id| SwitchView {
        name: topology.switch(id).name.clone(),
        agent: topology.switch(id).agent,
        this: id == snapshot.this,
        hosts: behind(id),
    });
    let links = topology.link_ids().map(|id| {
        let link = topology.link(id);
        LinkView {
            name: topology.link_name(id),
            cost: link.cost,
            capacity: link.capacity.map(|capacity| capacity.to_string()),
            latency: link.latency.map(|latency| latency.to_string()),
            tree: snapshot.tree.contains(&id),
            up: !snapshot.down.contains(&id),
            drained: snapshot.drained.contains(&id),
            used: !snapshot.book.down().contains(&id),
        }
    });
    TopologyView { switches: switches.collect(), links: links.collect() }
}

/// The fabric as a whole.
pub(super) fn fabric(snapshot: &Snapshot, now: Nanos) -> FabricView {
    let TopologyView { switches, links } = topology(snapshot);
    let drained = snapshot.records.under(DRAIN).map(|(target, reason)| DrainView {
        target: target.to_owned(),
        reason: reason.to_owned(),
        known: Target::parse(&snapshot.topology, target).is_ok(),
    });
    let digests = digests(snapshot, now);
    FabricView { drained: drained.collect(), hosts: snapshot.hosts.len(), digests, switches, links }
}

fn digests(snapshot: &Snapshot, now: Nanos) -> Vec<DigestView> {
    let (own, since) = snapshot.digests;
    let mut all: BTreeMap<&str, Option<(Option<Digests>, Nanos)>> =
        snapshot.topology.switches().iter().map(|switch| (switch.name.as_str(), None)).collect();
    all.extend(snapshot.told.iter().map(|(name, told)| (name.as_str(), Some(*told))));
    all.insert(&snapshot.topology.switch(snapshot.this).name, Some((Some(own), since)));
    let view = |(switch, told): (&str, Option<(Option<Digests>, Nanos)>)| {
        let digests = told.and_then(|(digests, _)| digests);
        let number = |number: u64| (number != 0).then(|| format!("{number:016x}"));
        DigestView {
            switch: switch.to_owned(),
            topology: digests.and_then(|digests| number(digests.topology)),
            policy: digests.and_then(|digests| number(digests.policy)),
            since_seconds: told.map(|(_, since)| now.since(since).as_secs()),
            differs: digests != Some(own),
        }
    };
    all.into_iter().map(view).collect()
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
