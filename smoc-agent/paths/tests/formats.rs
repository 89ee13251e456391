//! One small file of each format that can be read: what it becomes, and what is said of it.
//!
//! The files are written after the formats' specifications and after what the named programs write; none is a copy.

use std::path::PathBuf;

use smoc_paths::topology::convert::{parse, to_yaml};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(name)
}

/// What a file becomes, and what is said of it.
const TABLE: &[(&str, &str, &[&str])] = &[
    (
        "agent.json",
        r#"
            switches:
              - {name: "e1", agent: "10.9.0.1"}
            links:
              - {a: "e1:1", b: "m-1:3"}
              - {a: "e1:2", b: "m-1:1", capacity: 1Gbit, cost: 2}
"#,
        &["1 link down when the agent was asked, such as e1:1-m-1:3: they count as links"],
    ),
    (
        "d3.json",
        r#"
            links:
              - {a: "Labarre:1", b: "Myriel:2"}
              - {a: "Napoleon:1", b: "Myriel:1"}
"#,
        &[
            "edges name nodes by their positions in the list",
            "not used: group of nodes; value of edges; docs/topologies.md lists what is",
        ],
    ),
    (
        "defaults.graphml",
        r#"
            links:
              - {a: "s1:1", b: "s2:1", capacity: 10Gbit}
              - {a: "s2:2", b: "s1:2", capacity: 1Gbit, cost: 3}
            hosts:
              - {name: "h1", port: "s2:3"}
"#,
        &[
            "1 pair of nodes with edges in both directions, such as s1 - s2: these are parallel links; if they are one, make the graph directed or say \"multigraph\": false",
            "not used: colour of nodes; kind of edges; docs/topologies.md lists what is",
        ],
    ),
    (
        "drawn.dot",
        r#"
            links:
              - {a: "far-away:3", b: "spine:12", capacity: 1Gbit, cost: 4}
              - {a: "leaf1:1", b: "spine:1", capacity: 10Gbit, latency: 2ms}
              - {a: "leaf2:1", b: "spine:2", capacity: 10Gbit, latency: 2ms}
            hosts:
              - {name: "h", port: "leaf2:2"}
"#,
        &[
            "the graph is directed: 1 edge taken for the way back of another",
            "the graph is directed: 3 edges without a way back, such as leaf2 - spine, taken as links in both directions",
            "1 name changed to what a switch can be called, such as \"far away\" to far-away; the file's ids and labels are understood too",
            "not used: colour of edges; docs/topologies.md lists what is",
        ],
    ),
    (
        "lab.mininet.py",
        r#"
            links:
              - {a: "s1:2", b: "s2:3", capacity: 100Mbit, latency: 5ms}
              - {a: "s2:1", b: "s1:3", capacity: 10Mbit}
            hosts:
              - {name: "h1", port: "s1:1", mac: "00:00:00:00:00:01", addresses: ["10.0.0.1"]}
              - {name: "h2", port: "s2:9", addresses: ["10.0.0.2"]}
"#,
        &["not used: max_queue_size of edges; docs/topologies.md lists what is"],
    ),
    (
        "graph.cytoscape.json",
        r#"
            links:
              - {a: "s1:1", b: "s2:1", cost: 2}
"#,
        &["not used: value of nodes; docs/topologies.md lists what is"],
    ),
    (
        "janos.sndlib.json",
        r#"
            links:
              - {a: "Denver:2", b: "Dallas:1"}
              - {a: "Seattle:1", b: "Denver:1", latency: 8193us}
"#,
        &[
            "2 edges left out, such as Denver - Seattle: the same link, listed again or from its other end",
            "capacity of 1 link not used, such as pre_installed_capacity \"64.0\" of Denver - Dallas: write a number and a unit, such as 10Gbit",
            "latency of 1 link worked out from the coordinates of both ends (light in fibre), such as Seattle - Denver: 8193us",
            "not used: modules, routing_cost of edges; docs/topologies.md lists what is",
        ],
    ),
    (
        "lab.clab.yml",
        r#"
            links:
              - {a: "leaf1:49", b: "spine1:1"}
              - {a: "leaf1:50", b: "spine1:2", cost: 7}
            hosts:
              - {name: "client1", port: "leaf1:1"}
"#,
        &[
            "2 links to the outside of the lab left out, such as links[3]",
            "not used: image of nodes; docs/topologies.md lists what is",
        ],
    ),
    (
        "lab.mn",
        r#"
            links:
              - {a: "s1:2", b: "s2:1", capacity: 10Mbit, latency: 5ms}
            hosts:
              - {name: "h1", port: "s1:1", addresses: ["10.0.0.1"]}
"#,
        &["not used: loss of edges; docs/topologies.md lists what is"],
    ),
    (
        "layer1_topology.json",
        r#"
            links:
              - {a: "s1:1", b: "s2:1"}
              - {a: "s1:2", b: "s2:2"}
"#,
        &[
            "1 edge left out, such as s2 - s1: the same link, listed again or from its other end",
            "the ports of 1 switch are numbered in the order of their names, such as Ethernet1/1 of s1 is port 1",
        ],
    ),
    (
        "layers.rfc8345.json",
        r#"
            links:
              - {a: "s1:1", b: "s2:2", capacity: 1Gbit, latency: 50us, cost: 10}
"#,
        &["network underlay is read, the lowest layer with links of the 2 in the file"],
    ),
    (
        "nested.graphml",
        r#"
            links:
              - {a: "s1:1", b: "s2:7"}
              - {a: "s1:2", b: "s3:2"}
              - {a: "s1:3", b: "s3:3"}
              - {a: "s2:1", b: "s3:1"}
"#,
        &[
            "1 group of nodes left out, such as site: the nodes in them are read",
            "the graph is directed: 1 edge taken for the way back of another",
            "the ports of 1 switch are numbered in the order of their names, such as north of s1 is port 1",
        ],
    ),
    (
        "network.netjson.json",
        r#"
            links:
              - {a: "roof:1", b: "192.0.2.2:1", cost: 1500}
"#,
        &[
            "1 edge left out, such as 192.0.2.2 - 192.0.2.1: the same link, listed again or from its other end",
            "1 link with different values in the two directions, such as 192.0.2.1 - 192.0.2.2 (cost 1.5 and 2.0): the first is used",
            "costs are multiplied by 1000, because some are no whole numbers, such as 1.5 of 192.0.2.1 - 192.0.2.2",
            "not used: bitrate, cost_text of edges; docs/topologies.md lists what is",
        ],
    ),
    (
        "network.sndlib.txt",
        r#"
            links:
              - {a: "N1:1", b: "N2:1", capacity: 2500Mbit, latency: 1276us}
              - {a: "N2:2", b: "N3:1"}
"#,
        &[
            "latency of 1 link worked out from the coordinates of both ends (light in fibre), such as N1 - N2: 1276us",
            "not used: modules, preInstalledCapacityCost, routingCost, setupCost of edges; docs/topologies.md lists what is",
        ],
    ),
    (
        "network.sndlib.xml",
        r#"
            links:
              - {a: "a:1", b: "b:1", capacity: 9920Mbit, latency: 357us}
              - {a: "b:2", b: "c:1", latency: 556us}
              - {a: "b:3", b: "c:2", latency: 556us}
"#,
        &[
            "1 edge left out, such as b - a: the same link, listed again or from its other end",
            "latency of 3 links worked out from the coordinates of both ends (light in fibre), such as a - b: 357us",
            "not used: additionalModules of edges; docs/topologies.md lists what is",
        ],
    ),
    (
        "project.gns3",
        r#"
            links:
              - {a: "Switch1:1", b: "R1:1"}
            hosts:
              - {name: "PC1", port: "Switch1:2"}
"#,
        &["the ports of 1 switch are numbered in the order of their names, such as f0/0 of R1 is port 1"],
    ),
    (
        "simple.node_link.json",
        r#"
            links:
              - {a: "s1:1", b: "s2:1", capacity: 10Gbit, latency: 5ms}
              - {a: "s2:2", b: "s3:1", cost: 3}
            hosts:
              - {name: "h1", port: "s3:2", addresses: ["10.0.0.1"]}
"#,
        &[
            "2 edges left out, such as s2 - s1: by \"multigraph\": false two nodes have one link at most",
            "1 link with different values in the two directions, such as s1 - s2 (delay 5ms and 6ms): the first is used",
            "not used: reserved of edges; docs/topologies.md lists what is",
        ],
    ),
    (
        "topology.fnss.xml",
        r#"
            links:
              - {a: "Node-1:1", b: "2:1", capacity: 10Mbit, latency: 2500us, cost: 1500}
            hosts:
              - {name: "3", port: "2:2"}
"#,
        &[
            "the graph is directed: 2 edges taken for the way back of another",
            "1 link with different values in the two directions, such as Node 1 - 2 (capacity 10 and 20): the first is used",
            "1 name changed to what a switch can be called, such as \"Node 1\" to Node-1; the file's ids and labels are understood too",
            "costs are multiplied by 1000, because some are no whole numbers, such as 1.5 of Node 1 - 2",
            "not used: application of nodes; buffer of edges; docs/topologies.md lists what is",
        ],
    ),
    (
        "topology.p4.json",
        r#"
            links:
              - {a: "s1:2", b: "s2:1", latency: 500us}
              - {a: "s1:3", b: "s2:4", capacity: 10Mbit, latency: 2ms}
            hosts:
              - {name: "h1", port: "s1:1", mac: "08:00:00:00:01:11", addresses: ["10.0.1.1"]}
"#,
        &[],
    ),
    (
        "yed.graphml",
        r#"
            links:
              - {a: "Core-1:1", b: "e1:1"}
"#,
        &[
            "the graph is directed, and no edge has a way back: each is a link in both directions",
            "1 name changed to what a switch can be called, such as \"Core 1\" (node n0) to Core-1; the file's ids and labels are understood too",
        ],
    ),
    (
        "zoo.gml",
        r#"
            links:
              - {a: "Köln:1", b: "Paris:1", capacity: 10Gbit, latency: 2013us}
              - {a: "Köln:2", b: "Paris:2", latency: 2013us}
"#,
        &[
            "1 link from a node to itself left out, such as 1 - 1",
            "capacity of 1 link not used, such as LinkSpeed \"34-155\" of Köln - Paris: write a number and a unit, such as 10Gbit",
            "latency of 1 link not used, such as delay \"3\" of Köln - Paris: write a number and a unit, such as 5ms",
            "latency of 2 links worked out from the coordinates of both ends (light in fibre), such as Köln - Paris: 2013us",
            "not used: Country of nodes; LinkLabel of edges; docs/topologies.md lists what is",
        ],
    ),
];

#[test]
fn every_format_is_read() {
    for (name, yaml, notes) in TABLE {
        let mut said = Vec::new();
        let text = smoc_paths::input::read_text(&path(name)).unwrap();
        let file = parse(&path(name), &text, &mut said).unwrap_or_else(|error| panic!("{error}"));
        let topology = file.topology;
        let lines: Vec<_> = yaml.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let written = to_yaml(&topology).unwrap();
        assert_eq!(written.lines().map(str::trim).collect::<Vec<_>>(), lines, "{name}");
        assert_eq!(said, *notes, "{name}");
    }
}

#[test]
fn every_file_is_in_the_table() {
    for entry in std::fs::read_dir(path("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TABLE.iter().any(|(known, ..)| *known == name), "{name}");
    }
}

mod noise {
    //! Files that somebody cut, or changed anywhere.

    use proptest::prelude::*;

    use super::*;

    fn files() -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = (TABLE.iter())
            .map(|(name, ..)| ((*name).to_owned(), std::fs::read(path(name)).unwrap()))
            .collect();
        files.push((
            "own.yaml".into(),
            b"links: [{a: 'a:1', b: 'b:1', cost: 2}]\nhosts: [{name: h, port: 'b:2'}]".to_vec(),
        ));
        files
    }

    /// Nothing panics; what is read can be written and reads back as what it was, ids and labels apart.
    fn survives(text: &str) {
        let Ok(file) = parse("t".as_ref(), text, &mut Vec::new()) else { return };
        let yaml = to_yaml(&file.topology).unwrap();
        let again =
            parse("t".as_ref(), &yaml, &mut Vec::new()).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        assert_eq!(to_yaml(&again.topology).unwrap(), yaml);
        assert_eq!(again.topology.links(), file.topology.links());
        assert_eq!(again.topology.hosts(), file.topology.hosts());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

        #[test]
        fn a_damaged_file_is_read_or_refused(
            file in 0..files().len(),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..8, prop::collection::vec(any::<u8>(), 0..4)), 0..4),
            end in any::<prop::sample::Index>(),
            whole in any::<bool>(),
        ) {
            let (_, mut bytes) = files().swap_remove(file);
            for (at, length, instead) in cuts {
                let at = at.index(bytes.len() + 1);
                let until = (at + length).min(bytes.len());
                bytes.splice(at..until, instead);
            }
            if !whole {
                bytes.truncate(end.index(bytes.len() + 1));
            }
            survives(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn words_of_all_formats_in_any_order_are_read_or_refused(
            words in prop::collection::vec(prop::sample::select(WORDS), 0..40),
            start in prop::sample::select(STARTS),
        ) {
            survives(&(start.to_owned() + &words.join(" ")));
        }
    }

    const STARTS: &[&str] = &[
        "",
        "{",
        "[",
        "<graphml><graph>",
        "graph [ ",
        "digraph g { ",
        "from mininet.net import Mininet\n",
        "NODES ( ",
        "?SNDlib native format\n",
        "{\"nodes\": [",
        "links: ",
        "topology:\n  nodes: ",
        "<topology>",
        "<network><networkStructure>",
    ];

    const WORDS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        ":",
        ",",
        "\"",
        "'",
        "<",
        ">",
        "/>",
        "--",
        "->",
        "subgraph",
        "=",
        ";",
        ".addLink('a', 'b')",
        "\nx = net.addSwitch('a')",
        ".addLink(",
        "<node id='a'/>",
        "<node id='b'>",
        "</node>",
        "<edge source='a' target='b'/>",
        "<graph>",
        "</graph>",
        "</graphml>",
        "node",
        "edge",
        "id",
        "0",
        "1",
        "source",
        "target",
        "NODES",
        "LINKS",
        "a",
        "b",
        "\"a\"",
        "\"b\"",
        "\"id\":",
        "\"source\":",
        "\"target\":",
        "\"nodes\":",
        "\"links\":",
        "-",
        "\n",
        "# ",
        "&amp;",
        "&",
        "null",
        "true",
        "1e9",
        "switches:",
        "links:",
        "\n  - a: 'x:1'",
        "*x",
        "&x",
        "<<:",
        "|",
        "é",
        "\u{feff}",
        "\0",
    ];
}
