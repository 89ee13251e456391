//! GraphML (Brandes, Eiglsperger, Herman, Himsolt, Marshall, "GraphML progress report", 2002), by its specification
//! at graphml.graphdrawing.org.
//!
//! | element | here |
//! |---|---|
//! | `key` with `default` | an attribute of all its elements that have no `data` of their own |
//! | `node` | a switch or host; one that only holds a nested graph is left out |
//! | `port`, `sourceport`, `targetport` | a port, see [`super::ports`] |
//! | `edge` | a link; `directed` counts before the graph's `edgedefault` |
//! | `hyperedge` | an edge if it has two endpoints |
//! | `graph` in a `node` | its nodes and edges are those of the whole |
//!
//! Labels of yEd (`y:NodeLabel`) are labels.

use std::collections::{BTreeSet, HashMap, HashSet};

use roxmltree::Node as Element;

use super::attributes::Attributes;
use super::remarks::Cases;
use super::sheet::{Edge, Node, Sheet, Stop};
use super::xml::{Xml, children, is, text};
use crate::input::Fault;
use crate::topology::Topology;

/// Reads nodes, edges and their attributes by `attr.name`.
pub(super) fn read(source: &str) -> Result<Sheet, Fault> {
    let xml = Xml::parse(source, "GraphML")?;
    let keys = Keys::of(&xml);
    let mut sheet = Sheet::default();
    let mut groups = HashSet::new();
    for element in xml.root().descendants() {
        if is(element, "node") {
            let id = xml.required(element, "id")?;
            if children(element, "graph").next().is_some() {
                groups.insert(id.clone());
            }
            let attributes = keys.attributes(element, "node");
            sheet.nodes.push(Node { line: xml.line(element), id, attributes });
        } else if is(element, "edge") {
            sheet.edges.push(edge(&xml, &keys, element)?);
        } else if is(element, "hyperedge") {
            sheet.edges.push(hyperedge(&xml, &keys, element)?);
        } else if is(element, "graph") {
            for (name, value) in keys.attributes(element, "graph") {
                sheet.units.take(&name, &value);
            }
        }
    }
    leave_out_groups(&mut sheet, &groups);
    match children(xml.root(), "graph").count() {
        0 => Err((xml.line(xml.root()), "<graphml> has no <graph>: it holds no topology".into())),
        1 => Ok(sheet),
        graphs => {
            sheet.notes.push(format!("the {graphs} graphs of the file are read as one"));
            Ok(sheet)
        }
    }
}

fn edge(xml: &Xml<'_>, keys: &Keys<'_>, element: Element<'_, '_>) -> Result<Edge, Fault> {
    let stop = |node, port| {
        let port = element.attribute(port).map(str::to_owned);
        Ok::<_, Fault>(Stop { node: xml.required(element, node)?, port })
    };
    let graph = element.ancestors().find(|ancestor| is(*ancestor, "graph"));
    let default = graph.and_then(|graph| graph.attribute("edgedefault")) == Some("directed");
    Ok(Edge {
        line: xml.line(element),
        source: stop("source", "sourceport")?,
        target: stop("target", "targetport")?,
        directed: element.attribute("directed").map_or(default, |directed| matches!(directed, "true" | "1")),
        attributes: keys.attributes(element, "edge"),
    })
}

/// An edge, if it has two ends.
fn hyperedge(xml: &Xml<'_>, keys: &Keys<'_>, element: Element<'_, '_>) -> Result<Edge, Fault> {
    let ends = children(element, "endpoint").map(|endpoint| {
        let port = endpoint.attribute("port").map(str::to_owned);
        Ok(Stop { node: xml.required(endpoint, "node")?, port })
    });
    let ends: Vec<Stop> = ends.collect::<Result<_, Fault>>()?;
    let [source, target] = <[Stop; 2]>::try_from(ends).map_err(|ends| {
        let message = format!(
            "<hyperedge> has {} ends, but links are point to point: write a node and an edge to each of them",
            ends.len()
        );
        (xml.line(element), message)
    })?;
    let attributes = keys.attributes(element, "hyperedge");
    Ok(Edge { line: xml.line(element), source, target, directed: false, attributes })
}

/// Drops nodes that hold a nested graph and have no edge themselves.
fn leave_out_groups(sheet: &mut Sheet, groups: &HashSet<String>) {
    let ends = sheet.edges.iter().flat_map(|edge| [&edge.source.node, &edge.target.node]);
    let linked: HashSet<String> = ends.filter(|id| groups.contains(*id)).cloned().collect();
    let mut left_out = Cases::default();
    sheet.nodes.retain(|node| {
        let is_group = groups.contains(&node.id) && !linked.contains(&node.id);
        if is_group {
            left_out.add(|| crate::input::shown(&node.id));
        }
        !is_group
    });
    left_out.tell(&mut sheet.notes, "group", |groups, first| {
        format!("{groups} of nodes left out, such as {first}: the nodes in them are read")
    });
}

/// What `key` elements declare.
struct Keys<'a>(HashMap<&'a str, Key<'a>>);

struct Key<'a> {
    /// `attr.name`, or else its id; `None` for what only yEd understands.
    name: Option<&'a str>,
    /// `node`, `edge` ...; `all` if not said.
    domain: &'a str,
    default: Option<String>,
}

impl<'a> Keys<'a> {
    fn of(xml: &'a Xml<'_>) -> Self {
        let key = |element: Element<'a, '_>| {
            let id = element.attribute("id")?;
            let own = element.attributes().all(|attribute| !attribute.name().starts_with("yfiles"));
            let default = children(element, "default").next().map(text);
            let name = element.attribute("attr.name").or(own.then_some(id));
            Some((id, Key { name, domain: element.attribute("for").unwrap_or("all"), default }))
        };
        Self(children(xml.root(), "key").filter_map(key).collect())
    }

    /// The attributes of an element: its `data`, and the defaults of its kind.
    fn attributes(&self, element: Element<'_, '_>, domain: &str) -> Attributes {
        let mut all = Attributes::new();
        for key in self.0.values().filter(|key| key.domain == domain || key.domain == "all") {
            if let (Some(name), Some(default)) = (key.name, &key.default) {
                all.insert(name.to_owned(), default.clone());
            }
        }
        for data in children(element, "data") {
            let key = data.attribute("key").unwrap_or_default();
            match self.0.get(key).map_or(Some(key), |key| key.name) {
                Some(name) => {
                    all.insert(name.to_owned(), text(data));
                }
                None => {
                    let label = data.descendants().find(|inner| is(*inner, "NodeLabel")).map(text);
                    if let Some(label) = label.filter(|label| !label.is_empty()) {
                        all.entry("label".into()).or_insert(label);
                    }
                }
            }
        }
        all
    }
}

/// Writes GraphML; every attribute is a string.
pub fn to_graphml(topology: &Topology) -> String {
    let sheet = Sheet::of(topology);
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    );
    let of_nodes: BTreeSet<_> = sheet.nodes.iter().flat_map(|node| node.attributes.keys()).collect();
    let of_edges: BTreeSet<_> = sheet.edges.iter().flat_map(|edge| edge.attributes.keys()).collect();
    for (names, kind) in [(of_nodes, "node"), (of_edges, "edge")] {
        for name in names {
            text +=
                &format!("  <key id=\"{name}\" for=\"{kind}\" attr.name=\"{name}\" attr.type=\"string\"/>\n");
        }
    }
    text += "  <graph edgedefault=\"undirected\">\n";
    for node in &sheet.nodes {
        text += &format!("    <node id=\"{}\">{}</node>\n", escaped(&node.id), data(&node.attributes));
    }
    for edge in &sheet.edges {
        let (source, target) = (escaped(&edge.source.node), escaped(&edge.target.node));
        let data = data(&edge.attributes);
        text += &format!("    <edge source=\"{source}\" target=\"{target}\">{data}</edge>\n");
    }
    text + "  </graph>\n</graphml>"
}

fn data(attributes: &Attributes) -> String {
    let one = |(name, value): (&String, &String)| format!("<data key=\"{name}\">{}</data>", escaped(value));
    attributes.iter().map(one).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
