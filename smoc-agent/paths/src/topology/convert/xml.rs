//! What readers of XML have in common.

use roxmltree::{Document, Error, Node, ParsingOptions};

use crate::input::{Fault, Lines};

/// An XML document whose elements know their lines.
pub(super) struct Xml<'a> {
    document: Document<'a>,
    lines: Lines,
}

impl<'a> Xml<'a> {
    /// Reads it; `format` is what it should be.
    ///
    /// # Errors
    /// It is no XML, with the line.
    pub fn parse(text: &'a str, format: &str) -> Result<Self, Fault> {
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|error| fault(&error, format))?;
        Ok(Self { document, lines: Lines::new(text) })
    }

    /// The outermost element.
    pub fn root(&self) -> Node<'_, 'a> {
        self.document.root_element()
    }

    /// The line of an element.
    pub fn line(&self, node: Node<'_, '_>) -> u64 {
        self.lines.at(node.range().start)
    }

    /// An attribute that must be there.
    pub fn required(&self, node: Node<'_, '_>, name: &str) -> Result<String, Fault> {
        let message = || format!("<{}> has no {name}: write {name}=\"...\"", node.tag_name().name());
        node.attribute(name).map(str::to_owned).ok_or_else(|| (self.line(node), message()))
    }

    /// The text of a child that must be there.
    pub fn required_child(&self, node: Node<'_, '_>, name: &str) -> Result<String, Fault> {
        let message = || format!("<{0}> has no <{name}>: write <{name}>...</{name}>", node.tag_name().name());
        child_text(node, name).ok_or_else(|| (self.line(node), message()))
    }
}

/// The message without the place, which is said before it.
fn fault(error: &Error, format: &str) -> Fault {
    let message = error.to_string();
    let message = message.split(" at ").next().unwrap_or_default();
    (error.pos().row.into(), format!("not {format}: {message}: correct the XML"))
}

/// The children of that name, whatever its namespace.
pub(super) fn children<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| is(*child, name))
}

/// Whether this is an element of that name, whatever its namespace.
pub(super) fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// The text of the first child of that name, if it has any.
pub(super) fn child_text(node: Node<'_, '_>, name: &str) -> Option<String> {
    let child = node.children().find(|child| is(*child, name))?;
    Some(text(child)).filter(|text| !text.is_empty())
}

/// The text in an element.
pub(super) fn text(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}
