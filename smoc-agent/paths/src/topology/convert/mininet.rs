//! Mininet: the files of its editor MiniEdit (`.mn`), and the topology.json of P4's tutorials, which run on it.
//!
//! Its `bw` is in Mbit/s, its `delay` a text with a unit; a plain number of P4's is in milliseconds.

use super::attributes::Attributes;
use super::fields::{attributes, list, plain, required};
use super::sheet::{Edge, Node, Sheet, Stop};
use crate::input::{Fault, Tree, json_tree};

/// Reads MiniEdit's JSON: controllers are left out.
pub(super) fn read_miniedit(text: &str) -> Result<Sheet, Fault> {
    let document = json_tree(text)?;
    let mut sheet = Sheet::default();
    for (section, kind) in [("switches", "switch"), ("hosts", "host")] {
        for (i, node) in list(&document, section)?.iter().enumerate() {
            let options = node.get("opts").unwrap_or(node);
            let id = required(
                options,
                &format!("{section}[{i}].opts"),
                "hostname",
                "its name, each node its own",
            )?;
            let mut all = Attributes::from([("kind".to_owned(), kind.to_owned())]);
            all.extend(options.get("ip").and_then(plain).map(|ip| ("ip".to_owned(), ip)));
            sheet.nodes.push(Node { line: node.line, id, attributes: all });
        }
    }
    let mut controllers = Vec::new();
    for controller in list(&document, "controllers")? {
        let options = controller.get("opts").unwrap_or(controller);
        controllers.extend(options.get("hostname").and_then(plain));
    }
    for (i, link) in list(&document, "links")?.iter().enumerate() {
        let end = |key| required(link, &format!("links[{i}]"), key, "the hostname of a node");
        let (source, target) = (end("src")?, end("dest")?);
        if controllers.contains(&source) || controllers.contains(&target) {
            continue;
        }
        let options = link.get("opts").map(|options| attributes(options, &[])).unwrap_or_default();
        sheet.edges.push(Edge {
            line: link.line,
            source: Stop::at(source),
            target: Stop::at(target),
            directed: false,
            attributes: options,
        });
    }
    Ok(sheet)
}

/// Reads P4's JSON: hosts and switches by name; a link is `[node, node, latency, bandwidth]`, where a switch's port
/// is written `s1-p2`.
pub(super) fn read_p4(text: &str) -> Result<Sheet, Fault> {
    let document = json_tree(text)?;
    let mut sheet = Sheet::default();
    for (section, kind) in [("switches", "switch"), ("hosts", "host")] {
        for (name, node) in document.get(section).map_or(&[][..], Tree::entries) {
            let mut all = attributes(node, &["runtime_json", "cpu_port", "commands"]);
            all.insert("kind".into(), kind.into());
            sheet.nodes.push(Node { line: node.line, id: name.clone(), attributes: all });
        }
    }
    for (i, link) in list(&document, "links")?.iter().enumerate() {
        let item = |at: usize| link.items().get(at).and_then(plain);
        let (Some(source), Some(target)) = (item(0), item(1)) else {
            return Err((link.line, format!("links[{i}]: write two nodes: [\"s1-p1\", \"s2-p1\"]")));
        };
        let mut all = Attributes::new();
        let in_millis = |text: String| if text.parse::<f64>().is_ok() { text + "ms" } else { text };
        all.extend(item(2).map(|latency| ("delay".to_owned(), in_millis(latency))));
        all.extend(item(3).map(|bandwidth| ("bw".to_owned(), bandwidth)));
        let stop = |text: String| match text.rsplit_once("-p") {
            Some((node, port)) => Stop::port(node, port),
            None => Stop::at(text),
        };
        sheet.edges.push(Edge {
            line: link.line,
            source: stop(source),
            target: stop(target),
            directed: false,
            attributes: all,
        });
    }
    Ok(sheet)
}
