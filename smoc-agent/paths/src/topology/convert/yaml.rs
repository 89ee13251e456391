//! smoc's own YAML.

use crate::topology::Topology;

/// Writes a topology file, one entry a line.
pub fn to_yaml(topology: &Topology) -> String {
    let mut text = String::new();
    let switches: Vec<_> = topology
        .switch_ids()
        .filter_map(|id| {
            let switch = topology.switch(id);
            let named = !topology.arcs(id).is_empty() || topology.hosts().iter().any(|h| h.at.switch == id);
            match switch.agent {
                Some(agent) => {
                    Some(format!("{{name: {}, agent: {}}}", quoted(&switch.name), quoted(&agent.to_string())))
                }
                None if named => None,
                None => Some(format!("{{name: {}}}", quoted(&switch.name))),
            }
        })
        .collect();
    section(&mut text, "switches", switches);
    let links = topology.links().iter().map(|link| {
        let mut entry =
            format!("{{a: {}, b: {}", quoted(&topology.end_name(link.a)), quoted(&topology.end_name(link.b)));
        if let Some(capacity) = link.capacity {
            entry += &format!(", capacity: {capacity}");
        }
        if let Some(latency) = link.latency {
            entry += &format!(", latency: {latency}");
        }
        if link.cost != 1 {
            entry += &format!(", cost: {}", link.cost);
        }
        let groups: Vec<_> = link.srlg.iter().map(|group| quoted(&topology.srlgs()[group.index()])).collect();
        if !groups.is_empty() {
            entry += &format!(", srlg: [{}]", groups.join(", "));
        }
        entry + "}"
    });
    section(&mut text, "links", links.collect());
    let hosts = topology.hosts().iter().map(|host| {
        let mut entry =
            format!("{{name: {}, port: {}", quoted(&host.name), quoted(&topology.end_name(host.at)));
        if let Some(mac) = host.mac {
            entry += &format!(", mac: \"{mac}\"");
        }
        let addresses: Vec<_> = host.addresses.iter().map(|address| quoted(&address.to_string())).collect();
        if !addresses.is_empty() {
            entry += &format!(", addresses: [{}]", addresses.join(", "));
        }
        entry + "}"
    });
    section(&mut text, "hosts", hosts.collect());
    text.trim_end().to_owned()
}

fn section(text: &mut String, name: &str, entries: Vec<String>) {
    if !entries.is_empty() {
        *text += &format!("{name}:\n");
        entries.iter().for_each(|entry| *text += &format!("  - {entry}\n"));
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
