//! What is read from the formats of others, and what is written.

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

fn read(text: &str, notes: &mut Vec<String>) -> Topology {
    parse(Path::new("t"), text, notes).unwrap().topology
}

fn read_back(text: &str) -> Topology {
    let mut notes = Vec::new();
    let topology = read(text, &mut notes);
    assert_eq!(notes, Vec::<String>::new());
    topology
}

#[test]
fn what_is_written_reads_back_the_same() {
    let dot = dot(&sample(), &Colours::new(), &[]);
    for text in [
        to_yaml(&sample()).unwrap(),
        to_graphml(&sample()),
        to_node_link(&sample()).to_string(),
        dot,
        to_rfc8345(&sample()).to_string(),
    ] {
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
    let mut notes = Vec::new();
    let topology = read(text, &mut notes);
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
        let mut notes = Vec::new();
        let topology = read(text, &mut notes);
        let names: Vec<_> = topology.link_ids().map(|link| topology.link_name(link)).collect();
        assert_eq!(names, ["a:1-b:1", "a:2-b:3", "b:2-c:1"]);
        assert_eq!(
            notes,
            [
                "the graph is directed: 1 edge taken for the way back of another",
                "the graph is directed: 2 edges without a way back, such as b - c, taken as links in both directions"
            ]
        );
    }
}

#[test]
fn faults_of_a_graph_name_its_nodes_and_edges() {
    let faults = |text: &str| parse(Path::new("g"), text, &mut Vec::new()).unwrap_err().to_string();
    let node_link = |edges: &str| {
        format!(
            r#"{{"nodes": [{{"id": "a"}}, {{"id": "b"}}, {{"id": "h", "kind": "host", "mac": "x"}}], "edges": [{edges}]}}"#
        )
    };
    for (text, answer) in [
        (
            node_link(r#"{"source": "a", "target": "zz"}"#),
            "g:1: edge a - zz: no node has the id zz: add that node or correct the edge",
        ),
        (node_link(r#"{"source": "a"}"#), "g:1: edges[0].target: missing: write the id of a node"),
        (
            node_link(r#"{"source": "a", "target": "b", "cost": -1}"#),
            "g:1: edge a - b: cost: \"-1\" is no cost: write a whole number from 1 to 4294967295",
        ),
        (
            node_link(r#"{"source": "a", "target": "b", "cost": 0}"#),
            "g:1: edge a - b: cost: \"0\" is no cost: write a whole number from 1 to 4294967295",
        ),
        (
            node_link(r#"{"source": "a", "target": "b", "source_port": 0}"#),
            "g:1: edge a - b: \"0\" is no port of a: write a number from 1 to 1023",
        ),
        (
            node_link(r#"{"source": "a", "target": "h"}"#),
            "g:1: node h: \"x\" is no MAC address: write six bytes such as 02:00:00:00:00:01",
        ),
        (
            r#"{"nodes": [{"id": 1}, {"id": "1"}], "edges": []}"#.into(),
            "g:1: two nodes have the id 1: give each its own",
        ),
        (
            r#"{"nodes": [{"size": 1}], "edges": []}"#.into(),
            "g:1: nodes[0].id: missing: write one, each node its own",
        ),
        (r#"{"nodes": [], "edges": []}"#.into(), "g: no node is a switch: a topology needs at least one"),
        ("<graphml><graph>\n<node/></graph></graphml>".into(), "g:2: <node> has no id: write id=\"...\""),
        ("<graphml>".into(), "g:1: not GraphML: the root node was opened but never closed: correct the XML"),
        ("<graphml/>".into(), "g:1: <graphml> has no <graph>: it holds no topology"),
    ] {
        assert_eq!(faults(&text), answer, "{text}");
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

/// The links that node-link JSON becomes, and what is said.
fn links(head: &str, edges: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let edges: Vec<_> =
        edges.iter().map(|(a, b)| format!(r#"{{"source": "{a}", "target": "{b}"}}"#)).collect();
    let text = format!(
        r#"{{{head} "nodes": [{{"id": "a"}}, {{"id": "b"}}, {{"id": "c"}}], "edges": [{}]}}"#,
        edges.join(", ")
    );
    let mut notes = Vec::new();
    let topology = parse(Path::new("t"), &text, &mut notes).unwrap().topology;
    (topology.link_ids().map(|link| topology.link_name(link)).collect(), notes)
}

#[test]
fn two_directions_are_one_link_unless_the_file_says_otherwise() {
    let both = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")];
    for (head, count, said) in [
        (r#""multigraph": false,"#, 2, r#"by "multigraph": false"#),
        (r#""directed": true,"#, 2, "2 edges taken for the way back"),
        ("", 2, "listed again or from its other end"),
        (r#""type": "NetworkGraph","#, 2, "listed again or from its other end"),
        (r#""multigraph": true,"#, 4, "2 pairs of nodes with edges in both directions, such as a - b"),
    ] {
        let (links, notes) = links(head, &both);
        assert_eq!((links.len(), notes.len()), (count, 1), "{head}: {links:?} {notes:?}");
        assert!(notes[0].contains(said), "{head}: {notes:?}");
    }
    let (some, notes) = links("", &[("a", "b"), ("b", "a"), ("b", "c")]);
    assert_eq!((some.len(), notes.len()), (3, 1), "not all come in both directions: {notes:?}");
    assert_eq!(
        links("", &[("a", "b"), ("a", "b"), ("b", "c")]),
        (vec!["a:1-b:1".into(), "a:2-b:2".into(), "b:3-c:1".into()], vec![])
    );
    assert_eq!(links(r#""multigraph": false,"#, &[("a", "b"), ("a", "b")]).0.len(), 1);
}

#[test]
fn edges_with_other_ports_are_other_links() {
    let edge = |a: &str, b: &str, ports: &str| format!(r#"{{"source": "{a}", "target": "{b}", {ports}}}"#);
    let read = |second: String| {
        let first = edge("a", "b", r#""source_port": 1, "target_port": 2"#);
        let text = format!(
            r#"{{"directed": true, "nodes": [{{"id": "a"}}, {{"id": "b"}}], "links": [{first}, {second}]}}"#
        );
        parse(Path::new("t"), &text, &mut Vec::new()).unwrap().topology.links().len()
    };
    assert_eq!(read(edge("b", "a", r#""source_port": 2, "target_port": 1"#)), 1);
    assert_eq!(read(edge("b", "a", r#""source_port": 3, "target_port": 4"#)), 2);
    assert_eq!(read(edge("b", "a", r#""x": 1"#)), 1);
}

#[test]
fn a_switch_with_more_links_than_ports_is_refused_once() {
    let edges = r#"{"source": 0, "target": 1},"#.repeat(1025);
    let text =
        format!(r#"{{"nodes": [{{"id": 0}}, {{"id": 1}}], "edges": [{}]}}"#, edges.trim_end_matches(','));
    let error = parse(Path::new("t"), &text, &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(error.starts_with("t:1: node 0: it has more than 1023 links"), "{error}");
}

proptest::proptest! {
    #[test]
    fn yaml_reads_back_whatever_groups_are_called(groups in proptest::collection::btree_set("\\PC{1,15}", 0..4)) {
        let mut draft = crate::topology::generate::fat_tree(2).unwrap();
        draft.links[0].srlg = groups.into_iter().collect();
        if let Ok(topology) = draft.build() {
            proptest::prop_assert_eq!(read_back(&to_yaml(&topology).unwrap()), topology);
        }
    }
}
