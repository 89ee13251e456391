//! Graphviz DOT.

use std::collections::HashMap;

use crate::topology::{LinkId, Topology};

/// Links to be drawn in colour: for each the colours of those who use it.
pub type Colours = HashMap<LinkId, Vec<&'static str>>;

/// Writes an undirected graph: switches as boxes, hosts as ellipses, port numbers at the ends of links.
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
        text += &format!("  {};\n", quoted(&switch.name));
    }
    for id in topology.link_ids() {
        let link = topology.link(id);
        let name = |end: crate::topology::End| quoted(&topology.switch(end.switch).name);
        let colour = match colours.get(&id) {
            Some(all) => format!(", penwidth=2.5, color=\"{}\"", all.join(":")),
            None => String::new(),
        };
        text += &format!(
            "  {} -- {} [taillabel=\"{}\", headlabel=\"{}\"{colour}];\n",
            name(link.a),
            name(link.b),
            link.a.port,
            link.b.port
        );
    }
    for host in topology.hosts() {
        let switch = quoted(&topology.switch(host.at.switch).name);
        let name = quoted(&host.name);
        text +=
            &format!("  {name} [shape=ellipse];\n  {switch} -- {name} [taillabel=\"{}\"];\n", host.at.port);
    }
    text + "}"
}

/// A DOT string.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
