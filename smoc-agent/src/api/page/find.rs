//! Finding something by a part of its name, address or token.

use serde::Serialize;
use smoc_control::{connections::ConnectionReport, switch::Snapshot};

/// Most results of each kind.
const RESULTS: usize = 20;

/// What was found, the first twenty of each kind.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// Names of switches.
    pub switches: Vec<String>,
    /// Names of links.
    pub links: Vec<String>,
    /// Hosts.
    pub hosts: Vec<FoundHost>,
    /// Connections of this switch, each with one subflow.
    pub connections: Vec<ConnectionReport>,
}

/// A host.
#[derive(Clone, Debug, Serialize)]
pub struct FoundHost {
    /// Its address.
    pub address: String,
    /// Its name, if the file gives one.
    pub name: Option<String>,
    /// Its MAC address.
    pub mac: String,
    /// The switch it is attached to.
    pub switch: String,
    /// The port of that switch.
    pub port: u16,
}

/// Looks for a text, whatever its case, in all names and addresses, and at the beginning of tokens.
pub(super) fn find(snapshot: &Snapshot, connections: Vec<ConnectionReport>, text: &str) -> Found {
    let text = text.trim().to_lowercase();
    if text.is_empty() {
        return Found::default();
    }
    let has = |name: &str| name.to_lowercase().contains(&text);
    let topology = &snapshot.topology;
    let switches = topology.switches().iter().map(|switch| switch.name.clone());
    let links = topology.link_ids().map(|link| topology.link_name(link));
    let hosts = snapshot.hosts.iter().map(|(address, host)| FoundHost {
        address: address.to_string(),
        name: host.name.clone(),
        mac: host.mac.to_string(),
        switch: topology.switch(host.at.switch).name.clone(),
        port: host.at.port.get(),
    });
    let is_host =
        |host: &FoundHost| has(&host.address) || has(&host.mac) || host.name.as_deref().is_some_and(has);
    Found {
        switches: switches.filter(|name| has(name)).take(RESULTS).collect(),
        links: links.filter(|name| has(name)).take(RESULTS).collect(),
        hosts: hosts.filter(is_host).take(RESULTS).collect(),
        connections: connections
            .into_iter()
            .filter_map(|report| found(report, &text))
            .take(RESULTS)
            .collect(),
    }
}

/// A connection with this text in an address or at the beginning of a token, and the subflow that has it.
fn found(mut report: ConnectionReport, text: &str) -> Option<ConnectionReport> {
    let tokens = report.tokens.as_ref()?;
    let of_connection = [&tokens.local, &tokens.remote].iter().any(|token| token.starts_with(text));
    let place = report.subflows.iter().position(|subflow| {
        of_connection
            || subflow.token.as_ref().is_some_and(|token| token.starts_with(text))
            || [&subflow.local, &subflow.remote].iter().any(|end| end.address.to_string().contains(text))
    })?;
    report.subflows.swap(0, place);
    report.subflows.truncate(1);
    Some(report)
}
