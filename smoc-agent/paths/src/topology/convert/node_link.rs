//! The node-link JSON of NetworkX (`networkx.node_link_data`); its edges are under `edges`, in older versions
//! under `links`.

use serde_json::{Map, Value, json};

use super::sheet::{Attributes, Sheet};
use crate::topology::Topology;

/// Reads it; `None` if the text is no such JSON.
pub(super) fn read(text: &str) -> Option<Result<Sheet, String>> {
    let document: Value = serde_json::from_str(text).ok()?;
    let nodes = document.get("nodes")?.as_array()?;
    let edges = document.get("edges").or_else(|| document.get("links"))?.as_array()?;
    let directed = document.get("directed").and_then(Value::as_bool).unwrap_or(false);
    Some(sheet(nodes, edges).map(|sheet| Sheet { directed, ..sheet }))
}

fn sheet(nodes: &[Value], edges: &[Value]) -> Result<Sheet, String> {
    let field = |value: &Value, what: &str, position: usize, name: &str, write: &str| {
        value.get(name).map(plain).ok_or(format!("{what}[{position}].{name}: missing: {write}"))
    };
    let end = |edge, i, name| field(edge, "edges", i, name, "write the id of a node");
    let mut sheet = Sheet::default();
    for (i, node) in nodes.iter().enumerate() {
        sheet
            .nodes
            .push((field(node, "nodes", i, "id", "give every node its own")?, attributes(node, &["id"])));
    }
    for (i, edge) in edges.iter().enumerate() {
        let all = attributes(edge, &["source", "target", "key"]);
        sheet.edges.push((end(edge, i, "source")?, end(edge, i, "target")?, all));
    }
    Ok(sheet)
}

fn attributes(value: &Value, besides: &[&str]) -> Attributes {
    let fields = value.as_object().into_iter().flatten();
    fields
        .filter(|(name, _)| !besides.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
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
    let nodes: Vec<_> = sheet.nodes.into_iter().map(|(id, all)| with(all, json!({"id": id}))).collect();
    let edges: Vec<_> = (sheet.edges.into_iter().enumerate())
        .map(|(key, (source, target, all))| {
            with(all, json!({"source": source, "target": target, "key": key}))
        })
        .collect();
    json!({"directed": false, "multigraph": true, "graph": {}, "nodes": nodes, "edges": edges})
}
