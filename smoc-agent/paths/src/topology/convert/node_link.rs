//! The node-link JSON of NetworkX (`networkx.node_link_data`) and D3, with its edges under `edges` or `links`; NetJSON's
//! NetworkGraph and SNDlib's JSON are of the same form. Cytoscape's JSON wraps every node and edge in `data`.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::attributes::Attributes;
use super::fields::{attributes, list, plain, required};
use super::sheet::{Edge, Listing, Node, Sheet, Stop};
use crate::input::{Fault, Tree, Value as Field, json_tree};
use crate::topology::Topology;

/// Reads node-link JSON and NetJSON.
pub(super) fn read(text: &str) -> Result<Sheet, Fault> {
    let document = json_tree(text)?;
    let graph = netjson_graph(&document)?.unwrap_or(&document);
    let key = if graph.get("edges").is_some() { "edges" } else { "links" };
    let flag = |key: &str| graph.get(key).map(|flag| flag.value == Field::Bool(true));
    let mut sheet = sheet(list(graph, "nodes")?, (key, list(graph, key)?), flag("directed") == Some(true))?;
    sheet.listing = match flag("multigraph") {
        Some(true) => Listing::Each,
        Some(false) => Listing::Simple,
        None if graph.get("type").is_some() => Listing::BothEnds,
        None => Listing::Unsaid,
    };
    for (name, value) in graph.get("graph").map_or(&[][..], Tree::entries) {
        sheet.units.take(name, &plain(value).unwrap_or_default());
    }
    Ok(sheet)
}

/// The one network of NetJSON; `None` for what is no NetJSON.
fn netjson_graph(document: &Tree) -> Result<Option<&Tree>, Fault> {
    let kind = |tree: &Tree| tree.get("type").and_then(Tree::scalar).unwrap_or_default();
    match kind(document).as_str() {
        "NetworkCollection" => {
            let graphs: Vec<_> =
                list(document, "collection")?.iter().filter(|graph| kind(graph) == "NetworkGraph").collect();
            match graphs[..] {
                [one] => Ok(Some(one)),
                _ => Err((
                    document.line,
                    format!("collection: {} networks: write one into a file", graphs.len()),
                )),
            }
        }
        _ => Ok(None),
    }
}

/// Reads Cytoscape's JSON.
pub(super) fn read_cytoscape(text: &str) -> Result<Sheet, Fault> {
    let document = json_tree(text)?;
    let elements = document.get("elements").unwrap_or(&document);
    let inner = |key| -> Result<Vec<Tree>, Fault> {
        let data = |one: &Tree| one.get("data").unwrap_or(one).clone();
        Ok(list(elements, key)?.iter().map(data).collect())
    };
    let flag = |key: &str| document.get(key).map(|flag| flag.value == Field::Bool(true));
    let mut sheet = sheet(&inner("nodes")?, ("edges", &inner("edges")?), flag("directed") == Some(true))?;
    sheet.listing = if flag("multigraph") == Some(false) { Listing::Simple } else { Listing::Unsaid };
    Ok(sheet)
}

fn sheet(nodes: &[Tree], (key, edges): (&str, &[Tree]), directed: bool) -> Result<Sheet, Fault> {
    let mut sheet = Sheet::default();
    for (i, node) in nodes.iter().enumerate() {
        let id = node_id(node)
            .map_or_else(|| required(node, &format!("nodes[{i}]"), "id", "one, each node its own"), Ok)?;
        sheet.nodes.push(Node { line: node.line, id, attributes: attributes(node, &["id"]) });
    }
    let by_position = by_position(&sheet.nodes, edges);
    if by_position {
        sheet.notes.push("edges name nodes by their positions in the list".into());
    }
    for (i, edge) in edges.iter().enumerate() {
        let end = |name: &str| {
            let end = edge.get(name).and_then(node_id).or_else(|| edge.get(name).and_then(plain));
            let end =
                end.map_or_else(|| required(edge, &format!("{key}[{i}]"), name, "the id of a node"), Ok)?;
            let position = end.parse::<usize>().ok().filter(|_| by_position);
            Ok(Stop::at(position.and_then(|at| sheet.nodes.get(at)).map_or(end, |node| node.id.clone())))
        };
        let (source, target) = (end("source")?, end("target")?);
        let attributes = attributes(edge, &["source", "target", "key"]);
        sheet.edges.push(Edge { line: edge.line, source, target, directed, attributes });
    }
    Ok(sheet)
}

/// What edges call a node: its id, else its name; a node may also be its id alone.
fn node_id(node: &Tree) -> Option<String> {
    ["id", "name", "label"].into_iter().find_map(|key| plain(node.get(key)?)).or_else(|| match node.value {
        Field::Text(_) | Field::Number(_) => node.scalar(),
        _ => None,
    })
}

/// Whether the ends of edges are positions in the list of nodes, as older D3 and NetworkX write them: all are such
/// numbers, and not all are ids.
fn by_position(nodes: &[Node], edges: &[Tree]) -> bool {
    let ids: HashSet<&str> = nodes.iter().map(|node| node.id.as_str()).collect();
    let ends: Vec<_> = edges.iter().flat_map(|edge| [edge.get("source"), edge.get("target")]).collect();
    let position = |end: &Option<&Tree>| match end.map(|end| &end.value) {
        Some(Field::Number(text)) => text.parse::<usize>().is_ok_and(|at| at < nodes.len()),
        _ => false,
    };
    let is_id = |end: &Option<&Tree>| end.and_then(Tree::scalar).is_some_and(|id| ids.contains(id.as_str()));
    ends.iter().all(position) && !ends.iter().all(is_id)
}

/// Writes it, for `networkx.node_link_graph(data, edges="edges")`.
pub fn to_node_link(topology: &Topology) -> Value {
    let sheet = Sheet::of(topology);
    let with = |attributes: Attributes, own: Value| {
        let mut object: Map<String, Value> = own.as_object().cloned().unwrap_or_default();
        object.extend(attributes.into_iter().map(|(name, value)| {
            let number = value.parse::<u64>().map(Value::from);
            (name, number.unwrap_or(Value::String(value)))
        }));
        Value::Object(object)
    };
    let nodes: Vec<_> =
        sheet.nodes.into_iter().map(|node| with(node.attributes, json!({"id": node.id}))).collect();
    let edges: Vec<_> = (sheet.edges.into_iter().enumerate())
        .map(|(key, edge)| {
            let ends = json!({"source": edge.source.node, "target": edge.target.node, "key": key});
            with(edge.attributes, ends)
        })
        .collect();
    json!({"directed": false, "multigraph": true, "graph": {}, "nodes": nodes, "edges": edges})
}
