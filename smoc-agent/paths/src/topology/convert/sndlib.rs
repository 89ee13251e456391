//! SNDlib (Orlowski, Wessäly, Pióro, Tomaszewski, "SNDlib 1.0", 2010): its XML and its native format.
//!
//! What is installed beforehand is the capacity of a link, in the unit that the file's meta section names. Modules
//! that could be installed and their costs mean nothing here. Some networks list each link from both ends.

use super::attributes::Attributes;
use super::sheet::{Edge, Listing, Node, Sheet, Stop};
use super::xml::{Xml, child_text, children};
use crate::input::{Fault, shown};

/// The name under which the installed capacity is an attribute.
const CAPACITY: &str = "preInstalledCapacity";

/// Reads the XML.
pub(super) fn read_xml(text: &str) -> Result<Sheet, Fault> {
    let xml = Xml::parse(text, "SNDlib XML")?;
    let root = xml.root();
    let structure = children(root, "networkStructure").next();
    let structure = structure.ok_or_else(|| {
        (xml.line(root), "<network> has no <networkStructure>, so it is no network of SNDlib".to_owned())
    })?;
    let mut sheet = Sheet { listing: Listing::BothEnds, ..Sheet::default() };
    sheet.units.capacity = children(root, "meta").next().and_then(|meta| child_text(meta, "unit"));
    for nodes in children(structure, "nodes") {
        let on_earth = nodes.attribute("coordinatesType").is_none_or(|kind| kind == "geographical");
        for node in children(nodes, "node") {
            let mut attributes = Attributes::new();
            for at in children(node, "coordinates").filter(|_| on_earth) {
                attributes.extend(child_text(at, "x").map(|x| ("longitude".to_owned(), x)));
                attributes.extend(child_text(at, "y").map(|y| ("latitude".to_owned(), y)));
            }
            sheet.nodes.push(Node { line: xml.line(node), id: xml.required(node, "id")?, attributes });
        }
    }
    for link in children(structure, "links").flat_map(|links| children(links, "link")) {
        let mut attributes = Attributes::new();
        let installed = children(link, "preInstalledModule").next();
        attributes.extend(
            installed.and_then(|module| child_text(module, "capacity")).map(|c| (CAPACITY.to_owned(), c)),
        );
        for unused in link.children().filter(roxmltree::Node::is_element).map(|child| child.tag_name().name())
        {
            if !matches!(unused, "source" | "target" | "preInstalledModule") {
                attributes.insert(unused.to_owned(), String::new());
            }
        }
        sheet.edges.push(Edge {
            line: xml.line(link),
            source: Stop::at(xml.required_child(link, "source")?),
            target: Stop::at(xml.required_child(link, "target")?),
            directed: false,
            attributes,
        });
    }
    Ok(sheet)
}

/// Reads the native format: sections of lines in parentheses.
pub(super) fn read_native(text: &str) -> Result<Sheet, Fault> {
    let mut words = Words::of(text);
    let mut sheet = Sheet { listing: Listing::BothEnds, ..Sheet::default() };
    while let Some((line, name)) = words.next() {
        words.expect("(", (line, name), "to begin the section")?;
        match name {
            "NODES" => nodes(&mut words, &mut sheet)?,
            "LINKS" => links(&mut words, &mut sheet)?,
            "META" => meta(&mut words, &mut sheet)?,
            _ => words.skip_section(line, name)?,
        }
    }
    let degrees = |node: &Node, name: &str, most: f64| {
        node.attributes
            .get(name)
            .is_none_or(|text| text.parse::<f64>().is_ok_and(|degrees| degrees.abs() <= most))
    };
    if !sheet.nodes.iter().all(|node| degrees(node, "latitude", 90.0) && degrees(node, "longitude", 180.0)) {
        // Positions in a picture.
        sheet.nodes.iter_mut().for_each(|node| node.attributes.clear());
    }
    Ok(sheet)
}

/// `id ( longitude latitude )`, the parenthesis optional.
fn nodes(words: &mut Words<'_>, sheet: &mut Sheet) -> Result<(), Fault> {
    while let Some((line, id)) = words.within("NODES")? {
        let mut attributes = Attributes::new();
        if words.peek() == Some("(") {
            let place = words.group(line, id)?;
            for (name, degrees) in ["longitude", "latitude"].into_iter().zip(place) {
                attributes.insert(name.to_owned(), degrees.to_owned());
            }
        }
        sheet.nodes.push(Node { line, id: id.to_owned(), attributes });
    }
    Ok(())
}

/// `id ( source target ) installed-capacity its-cost routing-cost setup-cost ( modules )`.
fn links(words: &mut Words<'_>, sheet: &mut Sheet) -> Result<(), Fault> {
    while let Some((line, id)) = words.within("LINKS")? {
        if words.peek() != Some("(") {
            return Err((line, format!("link {}: expected ( SOURCE TARGET ) behind its name", shown(id))));
        }
        let ends = words.group(line, id)?;
        let [source, target] = ends[..] else {
            return Err((line, format!("link {}: write two nodes: ( SOURCE TARGET )", shown(id))));
        };
        let mut numbers = Vec::new();
        while let Some(word) = words.peek().filter(|word| word.parse::<f64>().is_ok()) {
            numbers.push(word);
            words.next();
        }
        let mut attributes = Attributes::new();
        attributes.extend(numbers.first().map(|&installed| (CAPACITY.to_owned(), installed.to_owned())));
        let unused = ["preInstalledCapacityCost", "routingCost", "setupCost"];
        attributes.extend(
            unused.into_iter().zip(numbers.iter().skip(1)).map(|(name, _)| (name.to_owned(), String::new())),
        );
        if words.peek() == Some("(") {
            words.group(line, id)?;
            attributes.insert("modules".into(), String::new());
        }
        sheet.edges.push(Edge {
            line,
            source: Stop::at(source),
            target: Stop::at(target),
            directed: false,
            attributes,
        });
    }
    Ok(())
}

/// `key = value`.
fn meta(words: &mut Words<'_>, sheet: &mut Sheet) -> Result<(), Fault> {
    let mut last = ["", ""];
    while let Some((_, word)) = words.within("META")? {
        if last == ["unit", "="] {
            sheet.units.capacity = Some(word.to_owned());
        }
        last = [last[1], word];
    }
    Ok(())
}

/// The words and parentheses of a text with their lines, without comments.
struct Words<'a>(std::iter::Peekable<std::vec::IntoIter<(u64, &'a str)>>);

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let mut all = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            if line.trim_start().starts_with('?') {
                continue;
            }
            for word in line.split_whitespace() {
                for part in word.split_inclusive(['(', ')']) {
                    let (word, parenthesis) = part.split_at(part.trim_end_matches(['(', ')']).len());
                    all.extend(
                        [word, parenthesis]
                            .into_iter()
                            .filter(|part| !part.is_empty())
                            .map(|part| (number, part)),
                    );
                }
            }
        }
        Self(all.into_iter().peekable())
    }

    fn peek(&mut self) -> Option<&'a str> {
        self.0.peek().map(|(_, word)| *word)
    }

    fn expect(&mut self, word: &str, after: (u64, &str), why: &str) -> Result<(), Fault> {
        match self.next() {
            Some((_, found)) if found == word => Ok(()),
            _ => Err((after.0, format!("expected {word} behind {} {why}", shown(after.1)))),
        }
    }

    /// The next word of a section; `None` at its end.
    fn within(&mut self, section: &str) -> Result<Option<(u64, &'a str)>, Fault> {
        match self.next() {
            Some((_, ")")) => Ok(None),
            Some(word) => Ok(Some(word)),
            None => Err((0, format!("the section {section} is not closed: write ) at its end"))),
        }
    }

    /// What stands in the parentheses that begin here.
    fn group(&mut self, line: u64, of: &str) -> Result<Vec<&'a str>, Fault> {
        self.next();
        let mut all = Vec::new();
        loop {
            match self.next() {
                Some((_, ")")) => return Ok(all),
                Some((_, word)) if word != "(" => all.push(word),
                _ => return Err((line, format!("{}: parentheses without an end: write )", shown(of)))),
            }
        }
    }

    fn skip_section(&mut self, line: u64, name: &str) -> Result<(), Fault> {
        let mut open = 1;
        while open > 0 {
            match self.next() {
                Some((_, "(")) => open += 1,
                Some((_, ")")) => open -= 1,
                Some(_) => {}
                None => {
                    return Err((
                        line,
                        format!("the section {} is not closed: write ) at its end", shown(name)),
                    ));
                }
            }
        }
        Ok(())
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = (u64, &'a str);
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}
