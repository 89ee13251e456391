//! GraphML (Brandes, Eiglsperger, Herman, Himsolt, Marshall 2002), as the Internet Topology Zoo writes it.

use std::collections::{BTreeSet, HashMap};

use roxmltree::{Document, Node};

use super::sheet::{Attributes, Sheet};
use crate::topology::Topology;

/// Reads nodes, edges and their attributes by `attr.name`.
pub(super) fn read(text: &str) -> Result<Sheet, String> {
    let document = Document::parse(text).map_err(|error| match error {
        roxmltree::Error::DtdDetected => "no GraphML: remove the document type (<!DOCTYPE ...>)".to_owned(),
        error => format!("no GraphML: {error}: correct the XML"),
    })?;
    let keys: HashMap<&str, &str> = (document.descendants())
        .filter(|node| node.has_tag_name_local("key"))
        .filter_map(|node| Some((node.attribute("id")?, node.attribute("attr.name")?)))
        .collect();
    let attributes = |node: Node<'_, '_>| -> Attributes {
        let data = node.children().filter(|child| child.has_tag_name_local("data"));
        data.filter_map(|data| {
            let name = *keys.get(data.attribute("key")?)?;
            Some((name.to_owned(), data.text().unwrap_or_default().trim().to_owned()))
        })
        .collect()
    };
    let mut sheet = Sheet::default();
    for node in document.descendants() {
        let attribute = |name: &str| {
            node.attribute(name).map(str::to_owned).ok_or_else(|| {
                let at = document.text_pos_at(node.range().start);
                format!("line {}: <{}> has no {name}: write {name}=\"...\"", at.row, node.tag_name().name())
            })
        };
        if node.has_tag_name_local("graph") {
            sheet.directed = node.attribute("edgedefault") == Some("directed");
        } else if node.has_tag_name_local("node") {
            sheet.nodes.push((attribute("id")?, attributes(node)));
        } else if node.has_tag_name_local("edge") {
            sheet.edges.push((attribute("source")?, attribute("target")?, attributes(node)));
        }
    }
    Ok(sheet)
}

/// Tag names whatever their namespace.
trait LocalName {
    fn has_tag_name_local(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

/// Writes GraphML; every attribute is a string.
pub fn to_graphml(topology: &Topology) -> String {
    let sheet = Sheet::of(topology);
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    );
    let of_nodes: BTreeSet<_> = sheet.nodes.iter().flat_map(|node| node.1.keys()).collect();
    let of_edges: BTreeSet<_> = sheet.edges.iter().flat_map(|edge| edge.2.keys()).collect();
    for (names, kind) in [(of_nodes, "node"), (of_edges, "edge")] {
        for name in names {
            text +=
                &format!("  <key id=\"{name}\" for=\"{kind}\" attr.name=\"{name}\" attr.type=\"string\"/>\n");
        }
    }
    text += "  <graph edgedefault=\"undirected\">\n";
    for (id, attributes) in &sheet.nodes {
        text += &format!("    <node id=\"{}\">{}</node>\n", escaped(id), data(attributes));
    }
    for (source, target, attributes) in &sheet.edges {
        let (source, target) = (escaped(source), escaped(target));
        text += &format!("    <edge source=\"{source}\" target=\"{target}\">{}</edge>\n", data(attributes));
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
