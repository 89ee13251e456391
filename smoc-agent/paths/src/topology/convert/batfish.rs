//! Batfish's layer1_topology.json: which interfaces are cabled to each other, often listed from both ends.

use super::fields::{list, required};
use super::sheet::{Edge, Listing, Node, Sheet, Stop};
use crate::input::{Fault, Tree, json_tree};

/// Reads the edges; nodes are those that edges name.
pub(super) fn read(text: &str) -> Result<Sheet, Fault> {
    let document = json_tree(text)?;
    let mut sheet = Sheet { listing: Listing::Each, ..Sheet::default() };
    let mut seen = std::collections::HashSet::new();
    for (i, edge) in list(&document, "edges")?.iter().enumerate() {
        let stops = ["node1", "node2"].map(|key| stop(edge, i, key));
        let [source, target] = stops;
        let (source, target) = (source?, target?);
        for stop in [&source, &target] {
            if seen.insert(stop.node.clone()) {
                sheet.nodes.push(Node { line: edge.line, id: stop.node.clone(), ..Node::default() });
            }
        }
        sheet.edges.push(Edge { line: edge.line, source, target, ..Edge::default() });
    }
    Ok(sheet)
}

fn stop(edge: &Tree, number: usize, key: &str) -> Result<Stop, Fault> {
    let place = format!("edges[{number}]");
    let end = edge.get(key).ok_or_else(|| {
        let write = "{\"hostname\": \"s1\", \"interfaceName\": \"eth1\"}";
        (edge.line, format!("{place}.{key}: missing: write {write}"))
    })?;
    let place = format!("{place}.{key}");
    let node = required(end, &place, "hostname", "the name of a node")?;
    Ok(Stop::port(node, required(end, &place, "interfaceName", "the name of an interface")?))
}
