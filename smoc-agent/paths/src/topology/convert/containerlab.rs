//! Containerlab's topology files, `*.clab.yml`.
//!
//! A node is a switch, unless its `group`, or its label `smoc-kind` or `graph-icon`, says that it is a host: its
//! `kind` only says which image it runs. Links to the machine that runs the lab are left out.

use super::attributes::{Attributes, is_host};
use super::fields::{list, plain};
use super::remarks::Cases;
use super::sheet::{Edge, Node, Sheet, Stop};
use crate::input::{Fault, Tree, yaml_tree};

/// What stands for the machine that runs the lab, where a node's name is expected.
const OUTSIDE: [&str; 3] = ["host", "mgmt-net", "macvlan"];

/// Reads nodes and links.
pub(super) fn read(text: &str) -> Result<Sheet, Fault> {
    let document = yaml_tree(text)?;
    let topology = document.get("topology").ok_or((1, "topology: missing".to_owned()))?;
    let mut sheet = Sheet::default();
    for (name, node) in topology.get("nodes").map_or(&[][..], Tree::entries) {
        sheet.nodes.push(Node { line: node.line, id: name.clone(), attributes: node_attributes(node) });
    }
    let mut outside = Cases::default();
    for (i, link) in list(topology, "links")?.iter().enumerate() {
        let ends = list(link, "endpoints")?;
        let stops = ends.iter().map(|end| stop(end, i)).collect::<Result<Vec<_>, _>>()?;
        let is_outside = |stop: &Stop| {
            OUTSIDE.contains(&stop.node.as_str()) && sheet.nodes.iter().all(|node| node.id != stop.node)
        };
        let kind = link.get("type").and_then(plain).unwrap_or_else(|| "veth".into());
        if kind != "veth" || stops.iter().any(is_outside) {
            outside.add(|| format!("links[{i}]"));
            continue;
        }
        let [source, target] = <[Stop; 2]>::try_from(stops).map_err(|stops| {
            let message = "write two: [\"s1:eth1\", \"s2:eth1\"]";
            (link.line, format!("links[{i}].endpoints: {} ends: {message}", stops.len()))
        })?;
        let attributes = super::fields::attributes(link, &["endpoints", "type"]);
        sheet.edges.push(Edge { line: link.line, source, target, directed: false, attributes });
    }
    outside.tell(&mut sheet.notes, "link", |links, first| {
        format!("{links} to the outside of the lab left out, such as {first}")
    });
    Ok(sheet)
}

/// `node:interface`, or a mapping with both.
fn stop(end: &Tree, link: usize) -> Result<Stop, Fault> {
    if let Some(node) = end.get("node").and_then(plain) {
        return Ok(Stop { node, port: end.get("interface").and_then(plain) });
    }
    let text = end.scalar().unwrap_or_default();
    let (node, port) = text.split_once(':').ok_or_else(|| {
        let text = crate::input::shown(&text);
        (end.line, format!("links[{link}].endpoints: \"{text}\": write node:interface, such as s1:eth1"))
    })?;
    Ok(Stop::port(node, port))
}

/// Whether it is a host, and the names of what means nothing here.
fn node_attributes(node: &Tree) -> Attributes {
    let labels = node.get("labels");
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(plain);
    let hints = [label("smoc-kind"), node.get("group").and_then(plain), label("graph-icon")];
    let kind = |hint: &String| {
        is_host(&Attributes::from([("kind".to_owned(), hint.trim_end_matches('s').to_owned())]))
    };
    let host = hints.into_iter().flatten().any(|hint| kind(&hint));
    let others =
        node.entries().iter().filter(|(key, _)| !matches!(key.as_str(), "kind" | "group" | "labels"));
    let mut all: Attributes = others.map(|(key, _)| (key.clone(), String::new())).collect();
    all.insert("kind".into(), if host { "host" } else { "switch" }.into());
    all
}
