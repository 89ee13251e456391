//! FNSS (Saino, Cocora, Pavlou, "A toolchain for simplifying network simulation setup", 2013): its topology XML.
//! Properties of the topology give the units of capacities and delays.

use roxmltree::Node as Element;

use super::attributes::Attributes;
use super::sheet::{Edge, Listing, Node, Sheet, Stop};
use super::xml::{Xml, children, text};
use crate::input::Fault;

/// Reads nodes, links and their properties.
pub(super) fn read(source: &str) -> Result<Sheet, Fault> {
    let xml = Xml::parse(source, "FNSS XML")?;
    let root = xml.root();
    let directed = root.attribute("linkdefault") == Some("directed");
    let mut sheet = Sheet { listing: Listing::Each, ..Sheet::default() };
    for (name, value) in properties(root) {
        sheet.units.take(&name, &value);
    }
    for node in children(root, "node") {
        let attributes = with_children(properties(node), node, &["property"]);
        sheet.nodes.push(Node { line: xml.line(node), id: xml.required(node, "id")?, attributes });
    }
    for link in children(root, "link") {
        sheet.edges.push(Edge {
            line: xml.line(link),
            source: Stop::at(xml.required_child(link, "from")?),
            target: Stop::at(xml.required_child(link, "to")?),
            directed,
            attributes: with_children(properties(link), link, &["property", "from", "to"]),
        });
    }
    if sheet.nodes.is_empty() {
        return Err((xml.line(root), "<topology> has no <node>, so it is no topology of FNSS".into()));
    }
    Ok(sheet)
}

fn properties(element: Element<'_, '_>) -> Attributes {
    let one = |property: Element<'_, '_>| Some((property.attribute("name")?.to_owned(), text(property)));
    children(element, "property").filter_map(one).collect()
}

/// With the names of other children, which mean nothing here: applications, stacks, buffers.
fn with_children(mut attributes: Attributes, element: Element<'_, '_>, besides: &[&str]) -> Attributes {
    let names = element.children().filter(Element::is_element).map(|child| child.tag_name().name());
    attributes
        .extend(names.filter(|name| !besides.contains(name)).map(|name| (name.to_owned(), String::new())));
    attributes
}
