//! RFC 8345, "A YANG Data Model for Network Topologies", as JSON (RFC 7951). Its links are unidirectional, so every
//! link of ours is two.

use serde_json::{Value, json};

use crate::topology::{End, Topology};

/// Switches and hosts are nodes, their ports termination points; a host's only one is `eth0`.
pub fn to_rfc8345(topology: &Topology) -> Value {
    let name = |end: End| topology.switch(end.switch).name.as_str();
    let mut links = Vec::new();
    let mut both = |a: (&str, String), b: (&str, String)| {
        for (from, to) in [(&a, &b), (&b, &a)] {
            links.push(json!({
                "link-id": format!("{}:{}-{}:{}", from.0, from.1, to.0, to.1),
                "source": {"source-node": from.0, "source-tp": from.1},
                "destination": {"dest-node": to.0, "dest-tp": to.1},
            }));
        }
    };
    for link in topology.links() {
        both((name(link.a), link.a.port.to_string()), (name(link.b), link.b.port.to_string()));
    }
    for host in topology.hosts() {
        both((&host.name, "eth0".into()), (name(host.at), host.at.port.to_string()));
    }
    let mut nodes: Vec<Value> = (topology.switch_ids())
        .map(|id| {
            let fabric = topology.arcs(id).iter().map(|arc| arc.port);
            let hosts = topology.hosts().iter().filter(|host| host.at.switch == id).map(|host| host.at.port);
            let mut ports: Vec<_> = fabric.chain(hosts).collect();
            ports.sort_unstable();
            node(&topology.switch(id).name, ports.iter().map(ToString::to_string).collect())
        })
        .collect();
    nodes.extend(topology.hosts().iter().map(|host| node(&host.name, vec!["eth0".into()])));
    json!({"ietf-network:networks": {"network": [{
        "network-id": "smoc",
        "node": nodes,
        "ietf-network-topology:link": links,
    }]}})
}

fn node(name: &str, ports: Vec<String>) -> Value {
    let points: Vec<_> = ports.into_iter().map(|port| json!({"tp-id": port})).collect();
    json!({"node-id": name, "ietf-network-topology:termination-point": points})
}
