//! Which format a text is in: the one home of that question.

use std::fmt;

use crate::input::{self, Fault, json_kinds, json_tree, shown, yaml_kinds, yaml_tree};

/// The format of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Our own topology file, as YAML or JSON; also whatever may become one by correcting it.
    Smoc,
    /// What a running agent answers to `smoc topology --format json`.
    AgentView,
    /// GraphML.
    GraphMl,
    /// SNDlib's network XML.
    SndlibXml,
    /// SNDlib's native format.
    SndlibNative,
    /// FNSS's topology XML.
    Fnss,
    /// GML, the Graph Modelling Language.
    Gml,
    /// Graphviz DOT.
    Dot,
    /// Node-link JSON of NetworkX and D3, NetJSON, SNDlib's JSON.
    NodeLink,
    /// Cytoscape's JSON, which NetworkX writes as well.
    Cytoscape,
    /// MiniEdit, mininet's editor.
    MiniEdit,
    /// A Python script for mininet.
    MininetScript,
    /// The topology.json of P4's tutorials.
    P4,
    /// Containerlab.
    Containerlab,
    /// Batfish's layer1_topology.json.
    Batfish,
    /// RFC 8345 as JSON.
    Rfc8345,
    /// GNS3.
    Gns3,
    /// What cannot be read: what it is and what to do.
    Foreign(String),
    /// What was meant to be JSON.
    BrokenJson(Fault),
}

/// What is said of a text without any key of ours.
const NEITHER: &str = "neither a topology (with the keys switches, links, hosts; or GraphML, node-link JSON or \
another format of docs/topologies.md) nor an agent's configuration (with the keys switch, topology, ports ...)";

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smoc => "a topology file of smoc",
            Self::AgentView => "an agent's view of the topology",
            Self::GraphMl => "GraphML",
            Self::SndlibXml => "SNDlib XML",
            Self::SndlibNative => "SNDlib's native format",
            Self::Fnss => "FNSS XML",
            Self::Gml => "GML",
            Self::Dot => "Graphviz DOT",
            Self::NodeLink => "node-link JSON",
            Self::Cytoscape => "Cytoscape JSON",
            Self::MiniEdit => "a MiniEdit file",
            Self::MininetScript => "a Python script for mininet",
            Self::P4 => "a topology of P4's tutorials",
            Self::Containerlab => "a containerlab topology",
            Self::Batfish => "Batfish's layer-1 topology",
            Self::Rfc8345 => "RFC 8345 JSON",
            Self::Gns3 => "a GNS3 project",
            Self::Foreign(what) => what,
            Self::BrokenJson(_) => "JSON",
        })
    }
}

impl Format {
    /// The format of a text, by how it begins and by its top-level keys.
    pub fn of(text: &str) -> Self {
        let text = input::without_mark(text);
        match text.trim_start().bytes().next() {
            Some(b'<') => of_xml(text),
            Some(b'{' | b'[') => of_json(text),
            _ => of_lines(text),
        }
    }

    /// What to say of a text in which our own reader found a fault, if it is something else altogether.
    pub fn neither(text: &str) -> Option<String> {
        const CONFIGURATION: &str =
            "this is an agent's configuration, not a topology: name the file that its key topology names";
        const FOREIGN_YAML: &str = "this YAML has nodes, as files of other programs have: what can be read of these is \
            containerlab's; convert it to GraphML or node-link JSON, or write switches, links and hosts";
        match yaml_kinds(text) {
            Ok(Some(keys)) => {
                let has = |all: &[&str]| keys.iter().any(|(key, _)| all.contains(&key.as_str()));
                if keys.is_empty() || has(&["switches", "hosts"]) || has(&["links"]) && !has(&["nodes"]) {
                    return None;
                }
                let what = match (has(&["nodes"]), has(&["switch", "ports"])) {
                    (true, _) => FOREIGN_YAML,
                    (_, true) => CONFIGURATION,
                    _ => NEITHER,
                };
                Some(what.into())
            }
            Ok(None) if !text.trim().is_empty() => Some(NEITHER.into()),
            Ok(None) | Err(_) => None,
        }
    }
}

fn of_xml(text: &str) -> Format {
    let root = root_element(text).unwrap_or_default();
    match root.rsplit(':').next().unwrap_or_default() {
        "graphml" => Format::GraphMl,
        "network" => Format::SndlibXml,
        "topology" => Format::Fnss,
        name if name.eq_ignore_ascii_case("html") || name.eq_ignore_ascii_case("head") => Format::Foreign(
            "this is a web page (HTML), not a topology: download the file itself, by the link to its raw content"
                .into(),
        ),
        "gexf" => Format::Foreign(networkx("GEXF", "read_gexf")),
        "" => Format::Foreign("this is XML without an element: is the file complete?".into()),
        name => Format::Foreign(format!(
            "the root element of this XML is <{}>: what can be read is <graphml> (GraphML), <network> (SNDlib) and \
             <topology> (FNSS)",
            shown(name)
        )),
    }
}

/// How to convert by NetworkX what it reads and smoc does not.
fn networkx(what: &str, read: &str) -> String {
    format!(
        "this is {what}: convert it, in Python: import networkx as nx; nx.write_graphml(nx.{read}(FILE), \"t.graphml\")"
    )
}

/// The name of the first element, as written; of a document type where that comes first and is HTML's.
fn root_element(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = &rest[rest.find('<')?..];
        rest = if rest.starts_with("<?") {
            &rest[rest.find("?>")?..]
        } else if rest.starts_with("<!--") {
            &rest[rest.find("-->")?..]
        } else if let Some(declaration) = rest.strip_prefix("<!") {
            let name = declaration.split_whitespace().nth(1).unwrap_or_default();
            if name.trim_end_matches('>').eq_ignore_ascii_case("html") {
                return Some("html");
            }
            let (end, subset) = (rest.find('>')?, rest.find('['));
            match subset.filter(|&at| at < end) {
                Some(at) => &rest[at + rest[at..].find("]")?..],
                None => &rest[end..],
            }
        } else {
            let end = |c: char| c.is_whitespace() || matches!(c, '>' | '/' | '<');
            return rest[1..].split(end).next().filter(|name| !name.is_empty());
        };
    }
}

/// Keys of our own, as YAML in flow style or as JSON.
const OWN: [&str; 3] = ["switches", "links", "hosts"];

fn of_json(text: &str) -> Format {
    let keys = match json_kinds(text) {
        Ok(keys) => keys,
        Err(fault) => return of_flawed_json(text, fault),
    };
    let has = |key: &str| keys.iter().any(|(name, _)| name == key);
    let is = |key: &str, first: u8| keys.iter().any(|(name, start)| name == key && *start == first);
    let prefixed = |key: &str| keys.iter().any(|(name, _)| name.rsplit(':').next() == Some(key));
    if (is("switches", b'{') || is("hosts", b'{')) && has("links") {
        Format::P4
    } else if has("controllers") && has("switches") || is("application", b'{') && has("links") {
        Format::MiniEdit
    } else if keys.iter().all(|(key, _)| OWN.contains(&key.as_str())) {
        if is_agent_view(text) { Format::AgentView } else { Format::Smoc }
    } else if is("topology", b'{') {
        if has("type") || has("project_id") { Format::Gns3 } else { Format::Containerlab }
    } else if prefixed("networks") || keys.iter().any(|(key, _)| key == "ietf-network:network") {
        Format::Rfc8345
    } else if is("elements", b'{') {
        Format::Cytoscape
    } else if has("nodes") && (has("edges") || has("links")) || has("collection") {
        Format::NodeLink
    } else if is("edges", b'[') {
        Format::Batfish
    } else if has("adjacency") {
        Format::Foreign(
            "this is NetworkX's adjacency JSON: write it with networkx.node_link_data instead".into(),
        )
    } else if keys.iter().any(|(key, _)| OWN.contains(&key.as_str())) {
        Format::Smoc
    } else {
        Format::Foreign(NEITHER.into())
    }
}

/// Whether links have names instead of ends, as in what a running agent answers.
fn is_agent_view(text: &str) -> bool {
    let tree = json_tree(text).ok();
    let link = tree.as_ref().and_then(|tree| tree.get("links")?.items().first());
    link.is_some_and(|link| link.get("name").is_some() && link.get("a").is_none())
}

/// YAML in flow style is no fault where its keys are ours.
fn of_flawed_json(text: &str, fault: Fault) -> Format {
    let start = text.trim_start();
    if start.starts_with('[') {
        return match json_tree(text) {
            Ok(_) => Format::Foreign(NEITHER.into()),
            Err(fault) => Format::BrokenJson(fault),
        };
    }
    match yaml_kinds(text) {
        Ok(Some(keys)) if keys.iter().all(|(key, _)| OWN.contains(&key.as_str())) => Format::Smoc,
        Err(_) if !start[1..].trim_start().starts_with('"') => Format::Smoc,
        _ => Format::BrokenJson(fault),
    }
}

/// Formats without brackets around all.
fn of_lines(text: &str) -> Format {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or_default();
    if first.starts_with("version https://git-lfs") {
        let message = "this is a Git LFS pointer, not the file itself: fetch it with git lfs pull";
        return Format::Foreign(message.into());
    }
    if first.starts_with("?SNDlib") || text.lines().any(|line| section(line) == Some("NODES")) {
        return Format::SndlibNative;
    }
    if first.to_ascii_lowercase().starts_with("*vertices")
        || first.to_ascii_lowercase().starts_with("*network")
    {
        return Format::Foreign(networkx("a Pajek file", "read_pajek"));
    }
    if lines.any(|line| line.starts_with("from mininet") || line.starts_with("import mininet")) {
        return Format::MininetScript;
    }
    if is_dot(text) {
        Format::Dot
    } else if is_gml(text) {
        Format::Gml
    } else if is_containerlab(text) {
        Format::Containerlab
    } else if is_edge_list(text) {
        Format::Foreign(networkx("an edge list", "read_edgelist"))
    } else {
        Format::Smoc
    }
}

/// `NODES (`: the name of a section of SNDlib's native format that begins here.
fn section(line: &str) -> Option<&str> {
    line.trim()
        .strip_suffix('(')
        .map(str::trim_end)
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase()))
}

/// Whether `graph [` comes, as a key and the beginning of its list.
fn is_gml(text: &str) -> bool {
    text.match_indices("graph").any(|(at, word)| {
        let begins = text[..at].lines().next_back().is_none_or(|line| line.trim().is_empty())
            || text[..at].ends_with('\n');
        begins && text[at + word.len()..].trim_start().starts_with('[')
    })
}

/// Whether the text begins as Graphviz does, comments apart.
fn is_dot(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        rest = if rest.starts_with("//") || rest.starts_with('#') {
            rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start()
        } else if rest.starts_with("/*") {
            rest.split_once("*/").map_or("", |(_, rest)| rest).trim_start()
        } else {
            break;
        };
    }
    let Some((head, _)) = rest.split_once('{') else { return false };
    let mut words = head.split_whitespace();
    let mut word = words.next().unwrap_or_default().to_ascii_lowercase();
    if word == "strict" {
        word = words.next().unwrap_or_default().to_ascii_lowercase();
    }
    matches!(word.as_str(), "graph" | "digraph") && !head.contains([':', '['])
}

/// Whether the key `topology` has nodes or links, and is no file name as in an agent's configuration.
fn is_containerlab(text: &str) -> bool {
    if !text.lines().any(|line| line.starts_with("topology:") || line.starts_with("\"topology\"")) {
        return false;
    }
    let Ok(tree) = yaml_tree(text) else {
        // What cannot be read: a configuration has a file name behind the key.
        return text.lines().any(|line| line.trim_end() == "topology:");
    };
    tree.get("topology").is_some_and(|topology| topology.is_map())
}

/// Whether the lines are two names each, and perhaps a weight or attributes.
fn is_edge_list(text: &str) -> bool {
    let lines: Vec<_> = (text.lines().map(str::trim))
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '%']))
        .take(20)
        .collect();
    let is_edge = |line: &&str| {
        let parts: Vec<_> = line.split([' ', '\t', ',', ';']).filter(|part| !part.is_empty()).collect();
        (2..=4).contains(&parts.len()) && !line.starts_with('-') && !line.contains([':', '(', '[']) || {
            parts.len() >= 2 && line.contains('{') && !parts[0].contains(['{', ':'])
        }
    };
    lines.len() > 1 && lines.iter().all(is_edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_how_they_begin() {
        for (text, format) in [
            ("links: []", Format::Smoc),
            ("{links: [{a: 'x:1', b: 'y:1'}],}", Format::Smoc),
            ("{\"links\": [{\"a\": \"x:1\"}]}", Format::Smoc),
            ("", Format::Smoc),
            ("<?xml version=\"1.0\"?>\n<!-- <x> --><graphml>", Format::GraphMl),
            ("<!DOCTYPE graphml [<!ENTITY a \"b\">]><g:graphml>", Format::GraphMl),
            ("<network xmlns=\"http://sndlib.zib.de/network\">", Format::SndlibXml),
            ("<topology linkdefault=\"undirected\"/>", Format::Fnss),
            ("?SNDlib native format; type: network; version: 1.0", Format::SndlibNative),
            ("# x\nNODES (\n a\n)\n", Format::SndlibNative),
            ("Creator \"x\"\ngraph\n[\n", Format::Gml),
            ("# c\ngraph [", Format::Gml),
            ("// c\n/* d */ strict digraph \"a b\" {", Format::Dot),
            ("graph {a -- b}", Format::Dot),
            ("from mininet.topo import Topo\n", Format::MininetScript),
            ("{\"nodes\": [], \"links\": []}", Format::NodeLink),
            ("{\"elements\": {\"nodes\": []}}", Format::Cytoscape),
            ("{\"hosts\": {}, \"switches\": {}, \"links\": []}", Format::P4),
            ("{\"controllers\": [], \"hosts\": [], \"switches\": [], \"links\": []}", Format::MiniEdit),
            ("name: lab\ntopology:\n  nodes: {}\n", Format::Containerlab),
            ("{\"name\": \"lab\", \"topology\": {\"nodes\": {}}}", Format::Containerlab),
            ("{\"type\": \"topology\", \"topology\": {\"nodes\": []}}", Format::Gns3),
            ("{\"edges\": []}", Format::Batfish),
            ("{\"ietf-network:networks\": {}}", Format::Rfc8345),
            ("switch: e1\ntopology: t.yaml\nports: {}\n", Format::Smoc),
        ] {
            assert_eq!(Format::of(text), format, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_what_to_do() {
        for (text, answer) in [
            ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
            ("<!DOCTYPE html>\n<html>", "web page"),
            ("<HTML>", "web page"),
            ("<gexf>", "read_gexf"),
            ("<mxfile host=\"x\">", "<mxfile>"),
            ("<?xml version=\"1.0\"?>", "without an element"),
            ("*Vertices 3\n", "read_pajek"),
            ("# comment\ns1 s2\ns2 s3 1\n", "an edge list"),
            ("s1,s2\ns2,s3\n", "an edge list"),
            ("s1 s2 {'weight': 3}\ns2 s3 {}\n", "an edge list"),
            ("{\"adjacency\": []}", "node_link_data"),
            ("{\"a\": 1}", "neither a topology"),
            ("[1]", "neither a topology"),
        ] {
            let format = Format::of(text);
            assert!(matches!(&format, Format::Foreign(what) if what.contains(answer)), "{text}: {format:?}");
        }
    }

    #[test]
    fn flawed_json_is_meant_to_be_json_unless_its_keys_are_ours() {
        assert!(matches!(Format::of("{\"nodes\": [], \"edges\": [],}"), Format::BrokenJson(_)));
        assert!(matches!(Format::of("{\"nodes\": [{\"id"), Format::BrokenJson(_)));
        assert!(matches!(Format::of("[1,"), Format::BrokenJson(_)));
        assert_eq!(Format::of("{\"links\": [],}"), Format::Smoc);
    }

    #[test]
    fn a_faulty_text_without_our_keys_is_something_else() {
        assert!(Format::neither("switch: e1\nports: {}\n").unwrap().contains("an agent's configuration"));
        assert!(Format::neither("nodes: []\nlinks: []").unwrap().starts_with("this YAML has nodes"));
        assert!(Format::neither("a: 1").unwrap().starts_with("neither"));
        assert!(Format::neither("hello").unwrap().starts_with("neither"));
        for text in ["", "links: 5", ": :\n- {"] {
            assert_eq!(Format::neither(text), None, "{text}");
        }
    }
}
