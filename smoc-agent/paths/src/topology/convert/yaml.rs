//! smoc's own YAML, one entry a line.

use serde::Serialize;
use serde_saphyr::{DoubleQuoted, FlowMap, FlowSeq, SerializeError};

use crate::topology::Topology;

#[derive(Serialize)]
struct File<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    switches: Vec<FlowMap<Switch<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<FlowMap<Link<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<FlowMap<Host<'a>>>,
}

#[derive(Serialize)]
struct Switch<'a> {
    name: DoubleQuoted<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<DoubleQuoted<String>>,
}

#[derive(Serialize)]
struct Link<'a> {
    a: DoubleQuoted<String>,
    b: DoubleQuoted<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<String>,
    #[serde(skip_serializing_if = "is_one")]
    cost: u32,
    #[serde(skip_serializing_if = "is_empty")]
    srlg: FlowSeq<Vec<DoubleQuoted<&'a str>>>,
}

#[derive(Serialize)]
struct Host<'a> {
    name: DoubleQuoted<&'a str>,
    port: DoubleQuoted<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<DoubleQuoted<String>>,
    #[serde(skip_serializing_if = "is_empty")]
    addresses: FlowSeq<Vec<DoubleQuoted<String>>>,
    #[serde(skip_serializing_if = "is_empty")]
    prefixes: FlowSeq<Vec<DoubleQuoted<String>>>,
}

fn is_one(cost: &u32) -> bool {
    *cost == 1
}

fn is_empty<T>(list: &FlowSeq<Vec<T>>) -> bool {
    list.0.is_empty()
}

/// Writes a topology file.
///
/// # Errors
/// The library's, which has none for such a file.
pub fn to_yaml(topology: &Topology) -> Result<String, SerializeError> {
    let mut named = vec![false; topology.switches().len()];
    let ends = topology.links().iter().flat_map(|link| [link.a, link.b]);
    for end in ends.chain(topology.hosts().iter().map(|host| host.at)) {
        named[end.switch.index()] = true;
    }
    let switches = topology.switch_ids().filter_map(|id| {
        let switch = topology.switch(id);
        let agent = switch.agent.map(|agent| DoubleQuoted(agent.to_string()));
        let needed = agent.is_some() || !named[id.index()];
        needed.then_some(FlowMap(Switch { name: DoubleQuoted(&switch.name), agent }))
    });
    let links = topology.links().iter().map(|link| {
        FlowMap(Link {
            a: DoubleQuoted(topology.end_name(link.a)),
            b: DoubleQuoted(topology.end_name(link.b)),
            capacity: link.capacity.map(|capacity| capacity.to_string()),
            latency: link.latency.map(|latency| latency.to_string()),
            cost: link.cost,
            srlg: FlowSeq(
                link.srlg
                    .iter()
                    .map(|group| DoubleQuoted(topology.srlgs()[group.index()].as_str()))
                    .collect(),
            ),
        })
    });
    let hosts = topology.hosts().iter().map(|host| {
        FlowMap(Host {
            name: DoubleQuoted(&host.name),
            port: DoubleQuoted(topology.end_name(host.at)),
            mac: host.mac.map(|mac| DoubleQuoted(mac.to_string())),
            addresses: FlowSeq(
                host.addresses.iter().map(|address| DoubleQuoted(address.to_string())).collect(),
            ),
            prefixes: FlowSeq(host.prefixes.iter().map(|prefix| DoubleQuoted(prefix.to_string())).collect()),
        })
    });
    let file = File { switches: switches.collect(), links: links.collect(), hosts: hosts.collect() };
    let options = serde_saphyr::ser_options! { compact_list_indent: false };
    let text = serde_saphyr::to_string_with_options(&file, options)?;
    Ok(text.trim_end().to_owned())
}
