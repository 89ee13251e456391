//! Known addresses, and who else claims them.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use smoc_control::{clock::Nanos, hosts::KnownHost, switch::Snapshot};

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

/// All known addresses.
pub(in crate::api) fn hosts(snapshot: &Snapshot, now: Nanos) -> Vec<HostView> {
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
