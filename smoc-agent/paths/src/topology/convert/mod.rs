//! Topologies in the formats of others.
//!
//! | format | in | out |
//! |---|---|---|
//! | smoc's own YAML | yes | yes |
//! | GraphML, as the Internet Topology Zoo writes it | yes | yes |
//! | node-link JSON of NetworkX | yes | yes |
//! | Graphviz DOT | | yes |
//! | RFC 8345 (`ietf-network-topology`) JSON | | yes |

mod dot;
mod graphml;
mod node_link;
mod rfc8345;
mod sheet;
mod yaml;

use std::path::Path;

pub use dot::{Colours, dot, quoted};
pub use graphml::to_graphml;
pub use node_link::to_node_link;
pub use rfc8345::to_rfc8345;
pub use yaml::to_yaml;

use super::{Draft, Place, Problem, Section, Topology, TopologyError, TopologyFile};
use crate::input;

/// Reads a topology in any format that can be read.
///
/// # Errors
/// The file cannot be read, or as [`parse`].
pub fn read(path: &Path, notes: &mut Vec<String>) -> Result<Topology, TopologyError> {
    let text =
        input::read_text(path).map_err(|reason| TopologyError::Unreadable { path: path.into(), reason })?;
    Ok(parse(path, &text, notes)?.topology)
}

/// Checks a topology in any format that can be read, recognised by how the text begins; `path` is for messages.
///
/// Names that cannot be a switch's are made so; links that name no ports get the lowest free ones; links from
/// a switch to itself are left out; of a directed graph, an edge and one back are one link. `notes` are told what had to be changed.
///
/// # Errors
/// The faults in it.
pub fn parse(path: &Path, text: &str, notes: &mut Vec<String>) -> Result<TopologyFile, TopologyError> {
    let Some(graph) = graph(text) else { return TopologyFile::parse(path, text) };
    let draft = graph.and_then(|mut graph| graph.draft(notes)).map_err(|fault| vec![fault]);
    let topology = draft.and_then(build).map_err(|faults| TopologyError::Faulty {
        path: path.into(),
        problems: faults.into_iter().map(|fault| (0, fault)).collect(),
    })?;
    Ok(TopologyFile::without_lines(path, topology))
}

/// Reads GraphML or node-link JSON; `None` if the text is neither.
fn graph(text: &str) -> Option<Result<sheet::Sheet, String>> {
    if text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        return Some(graphml::read(text));
    }
    node_link::read(text)
}

/// Whether a text is meant to be a topology in the format of others.
pub(super) fn is_graph(text: &str) -> bool {
    graph(text).is_some()
}

fn build(draft: Draft) -> Result<Topology, Vec<String>> {
    if draft.switches.is_empty() {
        return Err(vec!["no node is a switch: a topology needs at least one".into()]);
    }
    let built = draft.clone().build();
    built.map_err(|problems| problems.iter().map(|problem| of_graph(&draft, problem)).collect())
}

/// A problem at the nodes, edges and attributes of a graph instead of our sections and keys.
fn of_graph(draft: &Draft, problem: &Problem) -> String {
    let Some(Place { section, entry, field }) = problem.place else { return problem.message.clone() };
    let element = match section {
        Section::Switches => format!("node {}", draft.switches[entry].name),
        Section::Hosts => format!("node {}", draft.hosts[entry].name),
        Section::Links => format!("edge {} - {}", draft.links[entry].a.0, draft.links[entry].b.0),
    };
    let attribute = match field {
        "a" => "source_port",
        "b" => "target_port",
        other => other,
    };
    format!("{element}: {attribute}: {}", problem.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"
switches: [{name: e1, agent: "10.9.0.1"}]
links:
  - {a: "m1:1", b: "e1:1", capacity: 100Mbit, latency: 1500us, cost: 2, srlg: [duct-7, "a b"]}
  - {a: "e1:2", b: "m1:2"}
hosts:
  - {name: h1, port: "e1:3", mac: "02:00:00:00:00:01", addresses: [10.0.0.1, "fd00::1"]}
  - {name: h2, port: "m1:9"}
"#;

    fn sample() -> Topology {
        TopologyFile::parse(Path::new("t"), SAMPLE).unwrap().topology
    }

    fn read_back(text: &str) -> Topology {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut notes = Vec::new();
        let topology = read(file.path(), &mut notes).unwrap();
        assert_eq!(notes, Vec::<String>::new());
        topology
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for text in [to_yaml(&sample()), to_graphml(&sample()), to_node_link(&sample()).to_string()] {
            assert_eq!(read_back(&text), sample(), "{text}");
        }
    }

    #[test]
    fn the_topology_zoo_is_understood() {
        let text = r#"<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="label" attr.type="string" for="node" id="d33" />
  <key attr.name="Latitude" attr.type="double" for="node" id="d29" />
  <key attr.name="Longitude" attr.type="double" for="node" id="d32" />
  <key attr.name="LinkSpeedRaw" attr.type="double" for="edge" id="d35" />
  <graph edgedefault="undirected">
    <node id="0"><data key="d33">New York</data><data key="d29">40.71</data><data key="d32">-74.00</data></node>
    <node id="1"><data key="d33">Chicago</data><data key="d29">41.85</data><data key="d32">-87.65</data></node>
    <node id="2"><data key="d33">New York</data></node>
    <edge source="0" target="1" id="e0"><data key="d35">10000000000.0</data></edge>
    <edge source="0" target="1" id="e1" />
    <edge source="2" target="2" />
    <edge source="2" target="1" />
  </graph>
</graphml>"#;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut notes = Vec::new();
        let topology = read(file.path(), &mut notes).unwrap();
        let names: Vec<_> = topology.switches().iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["Chicago", "New-York", "New-York-2"]);
        assert_eq!((topology.links().len(), notes.len()), (3, 3));
        let link = topology.link(topology.find_link("New-York:1-Chicago:1").unwrap());
        assert_eq!(link.capacity.unwrap().to_string(), "10Gbit");
        let millis = link.latency.unwrap().nanos() as f64 / 1e6;
        assert!((5.6..5.9).contains(&millis), "1,145 km at 200,000 km/s: {millis} ms");
    }

    #[test]
    fn networkx_with_links_or_edges_is_understood() {
        for key in ["links", "edges"] {
            let text = format!(
                r#"{{"directed": false, "multigraph": false, "graph": {{}},
                "nodes": [{{"id": 1}}, {{"id": "b"}}], "{key}": [{{"source": 1, "target": "b", "cost": 3}}]}}"#
            );
            let topology = read_back(&text);
            assert_eq!(topology.link_name(crate::topology::LinkId(0)), "1:1-b:1");
            assert_eq!(topology.links()[0].cost, 3);
        }
    }

    #[test]
    fn a_directed_graph_has_one_link_for_there_and_back() {
        let graphml = r#"<graphml><graph edgedefault="directed"><node id="a"/><node id="b"/><node id="c"/>
            <edge source="a" target="b"/><edge source="b" target="a"/><edge source="b" target="c"/>
            <edge source="a" target="b"/></graph></graphml>"#;
        let networkx = r#"{"directed": true, "nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}], "edges": [
            {"source": "a", "target": "b"}, {"source": "b", "target": "a"}, {"source": "b", "target": "c"},
            {"source": "a", "target": "b"}]}"#;
        for text in [graphml, networkx] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            let mut notes = Vec::new();
            let topology = read(file.path(), &mut notes).unwrap();
            let names: Vec<_> = topology.link_ids().map(|link| topology.link_name(link)).collect();
            assert_eq!(names, ["a:1-b:1", "a:2-b:3", "b:2-c:1"]);
            assert_eq!(notes, ["the graph is directed: 1 edges are taken for the way back of another"]);
        }
    }

    #[test]
    fn faults_of_a_graph_name_its_nodes_and_edges() {
        let faults = |text: &str| {
            let error = parse(Path::new("g"), text, &mut Vec::new()).unwrap_err().to_string();
            error.strip_prefix("g: ").map(str::to_owned).ok_or(error)
        };
        let node_link = |edges: &str| {
            format!(
                r#"{{"nodes": [{{"id": "a"}}, {{"id": "b"}}, {{"id": "h", "kind": "host", "mac": "x"}}], "edges": [{edges}]}}"#
            )
        };
        for (text, answer) in [
            (
                node_link(r#"{"source": "a", "target": "zz"}"#),
                "edge a - zz: no node has the id zz: add that node or correct the edge",
            ),
            (node_link(r#"{"source": "a"}"#), "edges[0].target: missing: write the id of a node"),
            (
                node_link(r#"{"source": "a", "target": "b", "cost": -1}"#),
                "edge a - b: \"-1\" is no cost: write a whole number from 1 to 4294967295",
            ),
            (
                node_link(r#"{"source": "a", "target": "b", "cost": 0}"#),
                "edge a - b: cost: \"0\" is no cost: write a whole number from 1 to 4294967295",
            ),
            (
                node_link(r#"{"source": "a", "target": "b", "source_port": 0}"#),
                "edge a - b: \"0\" is no port of a: write a number from 1 to 1023",
            ),
            (
                node_link(r#"{"source": "a", "target": "h"}"#),
                "node h: \"x\" is no MAC address: write six bytes such as 02:00:00:00:00:01",
            ),
            (
                r#"{"nodes": [{"id": 1}, {"id": "1"}], "edges": []}"#.into(),
                "two nodes have the id 1: give each its own",
            ),
            (
                r#"{"nodes": [{"name": "a"}], "edges": []}"#.into(),
                "nodes[0].id: missing: give every node its own",
            ),
            (r#"{"nodes": [], "edges": []}"#.into(), "no node is a switch: a topology needs at least one"),
            (
                "<graphml><graph>\n<node/></graph></graphml>".into(),
                "line 2: <node> has no id: write id=\"...\"",
            ),
            ("<graphml>".into(), "no GraphML: the root node was opened but never closed: correct the XML"),
            ("<html></html>".into(), "no node is a switch: a topology needs at least one"),
        ] {
            assert_eq!(faults(&text), Ok(answer.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_picture_says_which_colour_is_which() {
        let colours = Colours::from([(crate::topology::LinkId(0), vec!["#000000", "#D55E00"])]);
        let text = dot(&sample(), &colours, &[("#000000", "rank 0".into()), ("#D55E00", "rank 1".into())]);
        assert!(text.contains("color=\"#000000:#D55E00\""), "{text}");
        assert!(text.contains("<font color=\"#D55E00\">rank 1</font>"), "{text}");
        assert!(!dot(&sample(), &Colours::new(), &[]).contains("font color"));
    }

    #[test]
    fn rfc_8345_has_a_link_for_each_direction() {
        let json = to_rfc8345(&sample());
        let network = &json["ietf-network:networks"]["network"][0];
        assert_eq!(network["node"].as_array().unwrap().len(), 4);
        let links = network["ietf-network-topology:link"].as_array().unwrap();
        assert_eq!(links.len(), 8);
        assert_eq!(links[0]["source"]["source-node"], "m1");
        assert_eq!(links[0]["destination"]["dest-tp"], "1");
    }
}
