//! GNS3's project files, `.gns3`. A VPCS is a host; every other node is a switch.

use super::attributes::Attributes;
use super::fields::{list, plain, required};
use super::sheet::{Edge, Node, Sheet, Stop};
use crate::input::{Fault, Tree, json_tree};

/// Reads nodes and links, as versions 1 and 2 of GNS3 write them.
pub(super) fn read(text: &str) -> Result<Sheet, Fault> {
    let document = json_tree(text)?;
    let topology = document.get("topology").ok_or((1, "topology: missing".to_owned()))?;
    let mut sheet = Sheet::default();
    for (i, node) in list(topology, "nodes")?.iter().enumerate() {
        let place = format!("nodes[{i}]");
        let key = if node.get("node_id").is_some() { "node_id" } else { "id" };
        let id = required(node, &place, key, "one, each node its own")?;
        let mut all = Attributes::new();
        let name = ["name", "label"].into_iter().find_map(|key| plain(node.get(key)?));
        all.extend(name.map(|name| ("name".to_owned(), name)));
        let kind = ["node_type", "type"].into_iter().find_map(|key| plain(node.get(key)?));
        all.extend(kind.map(|kind| ("kind".to_owned(), kind.trim_end_matches("Device").to_owned())));
        sheet.nodes.push(Node { line: node.line, id, attributes: all });
    }
    for (i, link) in list(topology, "links")?.iter().enumerate() {
        let (source, target) = ends(link, i)?;
        sheet.edges.push(Edge { line: link.line, source, target, ..Edge::default() });
    }
    Ok(sheet)
}

fn ends(link: &Tree, number: usize) -> Result<(Stop, Stop), Fault> {
    let place = format!("links[{number}]");
    if link.get("source_node_id").is_some() {
        let end = |node, port| {
            Ok::<_, Fault>(Stop {
                node: required(link, &place, node, "the id of a node")?,
                port: link.get(port).and_then(plain),
            })
        };
        return Ok((
            end("source_node_id", "source_port_id")?,
            end("destination_node_id", "destination_port_id")?,
        ));
    }
    let stops: Result<Vec<_>, Fault> = list(link, "nodes")?
        .iter()
        .map(|end| Ok(Stop { node: required(end, &place, "node_id", "the id of a node")?, port: port(end) }))
        .collect();
    let [source, target] = <[Stop; 2]>::try_from(stops?)
        .map_err(|stops| (link.line, format!("{place}.nodes: {} ends: a link has two", stops.len())))?;
    Ok((source, target))
}

/// What the port's label says, else adapter and port.
fn port(end: &Tree) -> Option<String> {
    let label =
        end.get("label").and_then(|label| plain(label.get("text")?)).filter(|text| !text.trim().is_empty());
    let number = |key: &str| end.get(key).and_then(plain);
    label.or_else(|| Some(format!("{}/{}", number("adapter_number")?, number("port_number")?)))
}
