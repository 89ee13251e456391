//! Graphviz DOT.

use std::collections::HashMap;

use crate::topology::{Link, LinkId, Topology};

/// Links to be drawn in colour: for each the colours of those who use it.
pub type Colours = HashMap<LinkId, Vec<&'static str>>;

/// Writes an undirected graph: switches as boxes, hosts as ellipses, port numbers at the ends of links. What Graphviz does
/// not draw is there as well, under the names of the topology file, so that [`crate::topology::convert::parse`] reads what was written.
/// Links in `colours` are drawn in all their colours side by side; `legend` says below the picture what a colour means.
pub fn dot(topology: &Topology, colours: &Colours, legend: &[(&str, String)]) -> String {
    let mut text = String::from(
        "graph smoc {\n  graph [overlap=false, splines=true];\n  node [shape=box, style=filled, fillcolor=white];\n  edge [fontsize=8, color=gray60];\n",
    );
    if !legend.is_empty() {
        let legend: Vec<_> = (legend.iter())
            .map(|(colour, meaning)| format!("<font color=\"{colour}\">{meaning}</font>"))
            .collect();
        text += &format!("  labelloc=b;\n  label=<{}>;\n", legend.join(" &#160; "));
    }
    for switch in topology.switches() {
        let agent = switch.agent.map(|agent| format!(" [agent=\"{agent}\"]")).unwrap_or_default();
        text += &format!("  {}{agent};\n", quoted(&switch.name));
    }
    for id in topology.link_ids() {
        let link = topology.link(id);
        let name = |end: crate::topology::End| quoted(&topology.switch(end.switch).name);
        let colour = match colours.get(&id) {
            Some(all) => format!(", penwidth=2.5, color=\"{}\"", all.join(":")),
            None => String::new(),
        };
        text += &format!(
            "  {} -- {} [taillabel=\"{}\", headlabel=\"{}\"{}{colour}];\n",
            name(link.a),
            name(link.b),
            link.a.port,
            link.b.port,
            unseen(topology, link)
        );
    }
    for host in topology.hosts() {
        let switch = quoted(&topology.switch(host.at.switch).name);
        let name = quoted(&host.name);
        let mac = host.mac.map(|mac| format!(", mac=\"{mac}\"")).unwrap_or_default();
        let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
        let addresses = match &addresses[..] {
            [] => String::new(),
            all => format!(", addresses=\"{}\"", all.join(",")),
        };
        text += &format!(
            "  {name} [shape=ellipse, kind=host{mac}{addresses}];\n  {switch} -- {name} [taillabel=\"{}\"];\n",
            host.at.port
        );
    }
    text + "}"
}

/// Attributes of a link that are not drawn.
fn unseen(topology: &Topology, link: &Link) -> String {
    let groups: Vec<_> = link.srlg.iter().map(|group| topology.srlgs()[group.index()].as_str()).collect();
    let all = [
        link.capacity.map(|capacity| ("capacity", capacity.to_string())),
        link.latency.map(|latency| ("latency", latency.to_string())),
        (link.cost != 1).then(|| ("cost", link.cost.to_string())),
        (!groups.is_empty()).then(|| ("srlg", groups.join(","))),
    ];
    all.into_iter().flatten().map(|(name, value)| format!(", {name}={}", quoted(&value))).collect()
}

/// A DOT string.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
