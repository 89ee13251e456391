//! From table entries to what people and tools read. Keys are not in the tables and so never here.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use smoc_common::{
    map::{Attachment, Connection, ConnectionId, EdgeIndex, Flow, FlowKey, HalfOpen},
    wire::ip::Address,
};

use crate::{
    clock::Nanos,
    dataplane::KernelTables,
    hosts::ip_address,
    plan::{EdgeNames, EdgePaths, PathBook, Policies},
};
use smoc_paths::topology::Topology;

/// An MPTCP connection; with `id` null it gathers the subflows whose connection is not known (yet).
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct ConnectionReport {
    /// Its number at this switch.
    pub id: Option<ConnectionId>,
    /// The MPTCP version, 0 or 1.
    pub version: Option<u8>,
    /// The tokens, 8 hex digits each.
    pub tokens: Option<Tokens>,
    /// The token of the host that opened the connection.
    pub initiator_token: Option<String>,
    /// The token of the host that answered.
    pub responder_token: Option<String>,
    /// `local` or `remote`: which host opened it.
    pub opened_by: Option<String>,
    /// Where the local host is attached.
    pub local: Option<Where>,
    /// Where the remote host is attached.
    pub remote: Option<Where>,
    /// Since its keys were seen.
    pub age_seconds: Option<f64>,
    /// Its subflows, oldest first.
    pub subflows: Vec<SubflowReport>,
}

/// The tokens of both hosts.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Tokens {
    /// Of the host at this switch.
    pub local: String,
    /// Of the other host.
    pub remote: String,
}

/// A switch port.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Where {
    /// The switch; its index if the name is not known.
    pub switch: String,
    /// The port.
    pub port: u16,
}

/// An address and a TCP port.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// A subflow.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct SubflowReport {
    /// The host at this switch.
    pub local: Endpoint,
    /// The other host.
    pub remote: Endpoint,
    /// `local` or `remote`: which host opened it.
    pub opened_by: String,
    /// Whether it opened the connection.
    pub initial: bool,
    /// The address id in its join, 0 for an initial subflow.
    pub address_id: u8,
    /// Whether its join asked to be a backup.
    pub backup: bool,
    /// The token in its join, 8 hex digits.
    pub token: Option<String>,
    /// The rank of its path.
    pub rank: u8,
    /// Whether the rank was hashed because its token was unknown or ambiguous.
    pub hashed: bool,
    /// The rule of policy that chooses its paths, by name.
    #[serde(default)]
    pub rule: Option<String>,
    /// The switches of its path from this one on; empty if there is no such path now.
    pub switches: Vec<String>,
    /// The links of its path.
    pub links: Vec<String>,
    /// From the local host into the fabric, frames.
    pub packets_sent: u64,
    /// From the local host into the fabric, bytes.
    pub bytes_sent: u64,
    /// Delivered to the local host, frames.
    pub packets_received: u64,
    /// Delivered to the local host, bytes.
    pub bytes_received: u64,
    /// Since its SYN was seen.
    pub age_seconds: f64,
    /// `handshake`, `established`, `closing`, `closed` or `reset`.
    pub state: String,
}

/// What the tables refer to.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// Switches and links.
    pub topology: &'a Topology,
    /// What the edge indexes mean.
    pub names: &'a EdgeNames,
    /// What the ranks mean.
    pub book: &'a PathBook,
    /// What they mean where a rule of policy chooses the paths.
    pub policies: &'a Policies,
}

impl<'a> Names<'a> {
    /// The paths that an edge's index means.
    pub fn paths(&self, index: EdgeIndex) -> Option<&'a EdgePaths> {
        let edge = self.topology.find_switch(self.names.name(index)?)?;
        let rule = self.names.rule(index);
        let book = if rule == 0 { self.book } else { self.policies.book(rule)? };
        book.to(edge)
    }
}

/// All connections, newest first, then one entry with `id` null if there are subflows of unknown connections.
pub fn report(tables: &KernelTables, names: Names<'_>, now: Nanos) -> Vec<ConnectionReport> {
    let mut connections: BTreeMap<ConnectionId, ConnectionReport> =
        tables.connections.iter().map(|(id, connection)| (*id, known(*id, connection, names, now))).collect();
    let mut unknown = Vec::new();
    let established: BTreeMap<FlowKey2, &Flow> =
        tables.flows.iter().map(|(key, flow)| (order(key), flow)).collect();
    let subflows = tables.flows.iter().map(|(key, flow)| (key, flow, subflow_state(flow)));
    let half_open = tables
        .half_open
        .iter()
        .filter(|(key, _)| !established.contains_key(&order(key)))
        .map(|(key, HalfOpen { flow, .. })| (key, flow, "handshake"));
    let mut seen = std::collections::BTreeSet::new();
    for (key, flow, state) in subflows.chain(half_open) {
        if !seen.insert(order(key)) {
            continue;
        }
        let report = subflow(key, flow, state, names, now);
        match connections.get_mut(&flow.connection) {
            Some(connection) => connection.subflows.push(report),
            None => unknown.push(report),
        }
    }
    let mut reports: Vec<_> = connections.into_values().collect();
    reports.sort_by(|a, b| a.age_seconds.partial_cmp(&b.age_seconds).unwrap_or(std::cmp::Ordering::Equal));
    if !unknown.is_empty() {
        reports.push(ConnectionReport { subflows: unknown, ..NOBODY });
    }
    for report in &mut reports {
        // The initial subflow is the first whatever its age says: joins can follow it at once, before its SYN/ACK is noted.
        report
            .subflows
            .sort_by(|a, b| b.initial.cmp(&a.initial).then(b.age_seconds.total_cmp(&a.age_seconds)));
    }
    reports
}

/// A key in an order.
type FlowKey2 = (Address, Address, u16, u16);

fn order(key: &FlowKey) -> FlowKey2 {
    (key.local(), key.remote(), key.local_port(), key.remote_port())
}

const NOBODY: ConnectionReport = ConnectionReport {
    id: None,
    version: None,
    tokens: None,
    initiator_token: None,
    responder_token: None,
    opened_by: None,
    local: None,
    remote: None,
    age_seconds: None,
    subflows: Vec::new(),
};

fn known(id: ConnectionId, connection: &Connection, names: Names<'_>, now: Nanos) -> ConnectionReport {
    let (local, remote) = (token(connection.local_token), token(connection.remote_token));
    let local_opened = connection.local_opened == 1;
    let (initiator, responder) = if local_opened { (&local, &remote) } else { (&remote, &local) };
    ConnectionReport {
        id: Some(id),
        version: Some(connection.version),
        initiator_token: Some(initiator.clone()),
        responder_token: Some(responder.clone()),
        opened_by: Some(side(local_opened)),
        local: Some(place(connection.local, names.names)),
        remote: Some(place(connection.remote, names.names)),
        age_seconds: Some(age(connection.opened, now)),
        tokens: Some(Tokens { local, remote }),
        subflows: Vec::new(),
    }
}

fn subflow(key: &FlowKey, flow: &Flow, state: &str, names: Names<'_>, now: Nanos) -> SubflowReport {
    let has = |flag| flow.flags & flag != 0;
    let rule = names.names.rule(flow.remote.edge);
    let path = names.paths(flow.remote.edge).and_then(|paths| paths.ranked.get(usize::from(flow.rank)));
    let (switches, links) = path.map_or_else(Default::default, |path| {
        let switches = path.switches.iter().map(|switch| names.topology.switch(*switch).name.clone());
        (switches.collect(), path.links.iter().map(|link| names.topology.link_name(*link)).collect())
    });
    SubflowReport {
        local: Endpoint { address: ip_address(key.local()), port: key.local_port() },
        remote: Endpoint { address: ip_address(key.remote()), port: key.remote_port() },
        opened_by: side(has(Flow::LOCAL_OPENED)),
        initial: !has(Flow::JOIN),
        address_id: flow.address_id,
        backup: has(Flow::BACKUP),
        token: has(Flow::JOIN).then(|| token(flow.token)),
        rank: flow.rank,
        hashed: has(Flow::HASHED),
        rule: names.policies.rules().choice(rule).map(|choice| choice.rule.name.clone()),
        switches,
        links,
        packets_sent: flow.sent.packets,
        bytes_sent: flow.sent.bytes,
        packets_received: flow.received.packets,
        bytes_received: flow.received.bytes,
        age_seconds: age(flow.opened, now),
        state: state.to_owned(),
    }
}

/// What an established subflow's FINs and RSTs say.
pub fn subflow_state(flow: &Flow) -> &'static str {
    match flow.closing & !Flow::UNCONFIRMED {
        0 => "established",
        closing if closing & Flow::RESET != 0 => "reset",
        _ if flow.is_closed() => "closed",
        _ => "closing",
    }
}

fn place(at: Attachment, names: &EdgeNames) -> Where {
    let switch = names.name(at.edge).map_or_else(|| format!("#{}", at.edge), str::to_owned);
    Where { switch, port: at.port }
}

fn token(token: u32) -> String {
    format!("{token:08x}")
}

fn side(local: bool) -> String {
    if local { "local" } else { "remote" }.to_owned()
}

fn age(since: u64, now: Nanos) -> f64 {
    (now.since(Nanos(since)).as_secs_f64() * 1e3).round() / 1e3
}
