//! The network as a whole: switches, links, what is drained, who has what, and where agents are asked.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use smoc_control::{
    clock::Nanos,
    fabric::{
        ApiPlace,
        digest::Digests,
        drain::{DRAIN, Target},
    },
    switch::Snapshot,
};
use smoc_paths::topology::SwitchId;

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

/// How many known addresses there are behind each switch that has any.
fn attached(snapshot: &Snapshot) -> HashMap<SwitchId, usize> {
    let mut attached = HashMap::new();
    for host in snapshot.hosts.values() {
        *attached.entry(host.at.switch).or_default() += 1;
    }
    attached
}

/// The network.
pub(in crate::api) fn topology(snapshot: &Snapshot) -> TopologyView {
    let topology = &snapshot.topology;
    let attached = attached(snapshot);
    let switches = topology.switch_ids().map(|id| SwitchView {
        name: topology.switch(id).name.clone(),
        agent: topology.switch(id).agent,
        this: id == snapshot.this,
        hosts: attached.get(&id).copied().unwrap_or_default(),
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
pub(in crate::api) fn fabric(snapshot: &Snapshot, now: Nanos) -> FabricView {
    let TopologyView { switches, links } = topology(snapshot);
    let drained = snapshot.records.under(DRAIN).map(|(target, reason)| DrainView {
        target: target.to_owned(),
        reason: reason.to_owned(),
        known: Target::parse(&snapshot.topology, target).is_ok(),
    });
    let digests = digests(snapshot, now);
    FabricView { drained: drained.collect(), hosts: snapshot.hosts.len(), digests, switches, links }
}

pub(in crate::api) fn agents(snapshot: &Snapshot) -> AgentsView {
    let this = &snapshot.topology.switch(snapshot.this).name;
    let attached = attached(snapshot);
    let others = snapshot.topology.switch_ids().filter(|id| *id != snapshot.this);
    let agent = |id: SwitchId| {
        let name = &snapshot.topology.switch(id).name;
        let hosts = attached.get(&id).copied().unwrap_or_default();
        AgentView { switch: name.clone(), hosts, api: snapshot.apis.get(name).copied() }
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
