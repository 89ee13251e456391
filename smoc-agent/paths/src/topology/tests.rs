//! What a topology file may say and what is answered to one that cannot be.

use std::path::Path;

use super::{SwitchId, Topology, TopologyFile};

const DIAMOND: &str = r#"
switches:
  - {name: e1, agent: "10.9.0.1"}
links:
  - {a: "e1:1", b: "m1:1", capacity: 100Mbit, latency: 1ms, cost: 2, srlg: [duct-7]}
  - {a: "m1:2", b: "e2:1"}
  - {a: "e1:2", b: "m2:1"}
  - {a: "e2:9", b: "m2:2"}
hosts:
  - {name: h1, port: "e1:3", mac: "02:00:00:00:00:01", addresses: [10.0.0.1, "fd00::1"]}
  - {name: h2, port: "e2:3"}
"#;

fn faults(text: &str) -> String {
    match TopologyFile::parse(Path::new("t.yaml"), text).and_then(TopologyFile::connected) {
        Ok(topology) => panic!("accepted: {topology:?}"),
        Err(error) => error.to_string(),
    }
}

fn read(text: &str) -> Topology {
    TopologyFile::parse(Path::new("t.yaml"), text).unwrap().connected().unwrap()
}

#[test]
fn a_file_becomes_switches_sorted_by_name_and_links_sorted_by_ends() {
    let topology = read(DIAMOND);
    let names: Vec<_> = topology.switches().iter().map(|switch| switch.name.as_str()).collect();
    assert_eq!(names, ["e1", "e2", "m1", "m2"]);
    let links: Vec<_> = topology.link_ids().map(|link| topology.link_name(link)).collect();
    assert_eq!(links, ["e1:1-m1:1", "e1:2-m2:1", "m1:2-e2:1", "e2:9-m2:2"]);
    assert_eq!(topology.switch(SwitchId(0)).agent, Some("10.9.0.1".parse().unwrap()));
    assert_eq!(topology.edges(), [SwitchId(0), SwitchId(1)]);
    assert_eq!(topology.srlgs(), ["duct-7"]);
    let first = &topology.links()[0];
    assert_eq!((first.cost, first.capacity.unwrap().bits_per_second()), (2, 100_000_000));
    assert_eq!(first.latency.unwrap().nanos(), 1_000_000);
    assert_eq!(topology.find_host("h1").unwrap().addresses.len(), 2);
}

#[test]
fn host_ports_do_not_widen_a_switch() {
    let topology = read(DIAMOND);
    let widths: Vec<_> = topology.switches().iter().map(|switch| switch.port_width).collect();
    assert_eq!(widths, [2, 4, 2, 2]);
}

#[test]
fn a_width_that_is_said_leaves_room_for_ports_to_come() {
    let wide = |text: &str| {
        read(&format!("switches: [{{name: a, port_width: {text}}}]\nlinks: [{{a: \"a:5\", b: \"b:1\"}}]\n"))
    };
    let width = |text| wide(text).switch(SwitchId(0)).port_width;
    assert_eq!([width("6"), width("3"), width("1"), width("10")], [6, 3, 3, 10], "three bits at least");
    for bad in ["11", "-1", "wide"] {
        let text =
            format!("switches: [{{name: a, port_width: {bad}}}]\nlinks: [{{a: \"a:5\", b: \"b:1\"}}]\n");
        let error = TopologyFile::parse(Path::new("t.yaml"), &text).unwrap_err().to_string();
        assert!(error.contains("switches[0].port_width"), "{error}");
    }
}

#[test]
fn a_link_is_found_under_either_name() {
    let topology = read(DIAMOND);
    let link = topology.find_link("e2:9-m2:2").unwrap();
    assert_eq!(topology.find_link("m2:2-e2:9"), Some(link));
    for unknown in ["m2:2-e2:1", "e1:3-h1:1", "e1", "", "m2:2-", "e1:99-m1:1"] {
        assert_eq!(topology.find_link(unknown), None, "{unknown}");
    }
}

#[test]
fn the_order_of_the_file_does_not_matter() {
    let mut lines: Vec<_> = DIAMOND.lines().collect();
    lines[4..8].reverse();
    lines[9..].reverse();
    assert_eq!(read(&lines.join("\n")), read(DIAMOND));
}

#[test]
fn names_that_look_like_numbers_stay_names() {
    let topology = read("links: [{a: '1:1', b: '1e1:1'}]\nswitches: [{name: 1}, {name: 1e1}]");
    assert_eq!(topology.find_switch("1e1"), Some(SwitchId(1)));
}

#[test]
fn one_switch_with_its_hosts_is_a_topology() {
    let topology = read("hosts: [{name: h1, port: 's:1'}, {name: h2, port: 's:2'}]");
    assert_eq!((topology.switches().len(), topology.links().len()), (1, 0));
}

#[test]
fn a_key_without_a_value_counts_as_left_out() {
    let topology = read("switches:\nlinks:\n  - {a: 'a:1', b: 'b:1', cost: , latency: null}");
    assert_eq!((topology.links()[0].cost, topology.links()[0].latency), (1, None));
}

#[test]
fn a_file_that_is_not_there_is_named_once() {
    let error = TopologyFile::load(Path::new("/nowhere/t.yaml")).unwrap_err();
    assert!(std::error::Error::source(&error).is_none(), "or the command line would print it twice");
    assert_eq!(error.to_string(), "/nowhere/t.yaml: No such file or directory (os error 2)");
}

/// Replaces a line of the diamond (from 1) and expects exactly that answer.
fn refused(line: usize, instead: &str, answer: &str) {
    let mut lines: Vec<_> = DIAMOND.lines().collect();
    lines[line - 1] = instead;
    assert_eq!(faults(&lines.join("\n")), answer);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn every_fault_names_file_line_and_field() {
    for (line, instead, answer) in [
        (
            6,
            "  - {a: 'm1:2', b: 'e2:1', costs: 1}",
            "t.yaml:6: links[1].costs: unknown key; known here: a, b, capacity, latency, cost, srlg",
        ),
        (6, "  - {a: 'm1:2'}", "t.yaml:6: links[1].b: missing: write switch:port, e.g. \"e1:1\""),
        (
            6,
            "  - {a: m1, b: 'e2:1'}",
            "t.yaml:6: links[1].a: \"m1\" has no port: write switch:port-number, such as m1:1",
        ),
        (
            6,
            "  - {a: 'm1:0', b: 'e2:1'}",
            "t.yaml:6: links[1].a: \"0\" in \"m1:0\" is no port: write a number from 1 to 1023",
        ),
        (
            6,
            "  - {a: 'm1:1024', b: 'e2:1'}",
            "t.yaml:6: links[1].a: \"1024\" in \"m1:1024\" is no port: write a number from 1 to 1023",
        ),
        (
            6,
            "  - {a: 'm1:1', b: 'e2:1'}",
            "t.yaml:6: links[1].a: m1:1 is already used by links[0].b: give one of them another port",
        ),
        (
            6,
            "  - {a: 'm1:2', b: 'h2:1'}",
            "t.yaml:6: links[1].b: \"h2\" is a host, not a switch: hosts never forward",
        ),
        (
            6,
            "  - {a: 'm1:2', b: 'e2:1', cost: 0}",
            "t.yaml:6: links[1].cost: \"0\" is no cost: write a whole number from 1 to 4294967295",
        ),
        (
            6,
            "  - {a: 'm1:2', b: 'e2:1', cost: -1}",
            "t.yaml:6: links[1].cost: \"-1\" is no cost: write a whole number from 1 to 4294967295",
        ),
        (
            6,
            "  - {a: 'm1:2', b: 'e2:1', cost: 99999999999999999999}",
            "t.yaml:6: links[1].cost: \"99999999999999999999\" is no cost: write a whole number from 1 to 4294967295",
        ),
        (
            6,
            "  - {a: 'm1:2', b: 'e2:1', cost: 1.5}",
            "t.yaml:6: links[1].cost: \"1.5\" is no cost: write a whole number from 1 to 4294967295",
        ),
        (
            6,
            "  - {a: 'm1:2', b: 'e2:1', capacity: 9}",
            "t.yaml:6: links[1].capacity: \"9\" is no capacity: write a number and a unit such as 100Mbit or 1Gbit",
        ),
        (
            6,
            "  - {a: 'm 1:2', b: 'e2:1'}",
            "t.yaml:6: links[1].a: \"m 1\" is no name: use 1 to 63 letters, digits, \".\", \"_\" or \"-\", beginning with a letter or digit",
        ),
        (
            11,
            "  - {name: h1, port: 'e2:3'}",
            "t.yaml:11: hosts[1].name: \"h1\" is already the name of hosts[0]: give each its own",
        ),
        (
            11,
            "  - {name: h2, port: 'e2:9'}",
            "t.yaml:11: hosts[1].port: e2:9 is already used by links[3].a: give one of them another port",
        ),
        (
            11,
            "  - {name: h2, port: 'e2:3', addresses: [10.0.0.1]}",
            "t.yaml:11: hosts[1].addresses: 10.0.0.1 is already taken by hosts[0].addresses: give one of them another",
        ),
        (
            11,
            "  - {name: h2, port: 'e2:3', addresses: [10.0.0.1/24]}",
            "t.yaml:11: hosts[1].addresses: \"10.0.0.1/24\" is no IP address: write one such as 10.0.0.1 or fd00::1, without a prefix length",
        ),
        (
            11,
            "  - {name: r, port: 'e2:3', mac: '02:00:00:00:00:09', prefixes: [10.1.0.0]}",
            "t.yaml:11: hosts[1].prefixes: \"10.1.0.0\" is no prefix: write an address, a slash and the length, such as 10.1.0.0/16 or 2001:db8::/32",
        ),
        (
            11,
            "  - {name: r, port: 'e2:3', mac: '02:00:00:00:00:09', prefixes: [10.1.2.0/16]}",
            "t.yaml:11: hosts[1].prefixes: 10.1.2.0/16 has bits behind the prefix: write 10.1.0.0/16",
        ),
        (
            11,
            "  - {name: r, port: 'e2:3', prefixes: [10.1.0.0/16]}",
            "t.yaml:11: hosts[1].mac: missing: write the MAC address of a host that has prefixes",
        ),
        (
            11,
            "  - {name: r, port: 'e2:3', mac: '02:00:00:00:00:09', prefixes: [10.1.0.0/16, 10.1.0.0/16]}",
            "t.yaml:11: hosts[1].prefixes: 10.1.0.0/16 is listed twice: remove one",
        ),
        (
            11,
            "  - {name: r, port: 'e2:3', mac: '02:00:00:00:00:09', prefixes: ['ff00::/8']}",
            "t.yaml:11: hosts[1].prefixes: ff00::/8 cannot be behind a router: write one that hosts send to",
        ),
        (
            11,
            "  - {name: h2, port: 'e2:3', mac: '02:00:00:00:00:01'}",
            "t.yaml:11: hosts[1].mac: 02:00:00:00:00:01 is already taken by hosts[0].mac: give one of them another",
        ),
        (
            11,
            "  - {name: h2, port: 'e2:3', mac: '02:00:00:00:01'}",
            "t.yaml:11: hosts[1].mac: \"02:00:00:00:01\" is no MAC address: write six bytes such as 02:00:00:00:00:01",
        ),
        (
            11,
            "  - {name: h2, port: 'e2:3', mac: '02:53:4d:00:00:01'}",
            "t.yaml:11: hosts[1].mac: 02:53:4d:00:00:01 begins with 02:53:4d, which marks smoc's own frames: choose another",
        ),
        (
            3,
            "  - {name: e1, agent: nobody}",
            "t.yaml:3: switches[0].agent: \"nobody\" is no IP address: write one such as 10.0.0.1 or fd00::1, without a prefix length",
        ),
    ] {
        refused(line, instead, answer);
    }
}

#[test]
fn names_are_short_and_printable_and_are_shown_so() {
    let long = "x".repeat(64);
    let cut = "x".repeat(40);
    let link = |end: &str, group: &str| format!("  - {{a: \"{end}:2\", b: 'e2:1', srlg: [\"{group}\"]}}");
    for (line, answer) in [
        (link(&long, "g"), format!("t.yaml:6: links[1].a: \"{cut}...\" has 64 bytes: shorten it to 63")),
        (link("m1", &long), format!("t.yaml:6: links[1].srlg: \"{cut}...\" has 64 bytes: shorten it to 63")),
        (
            link("m1\\e[31m", "g"),
            "t.yaml:6: links[1].a: \"m1\\u{1b}[31m\" is no name: use 1 to 63 letters, digits, \".\", \"_\" or \"-\", beginning with a letter or digit".into(),
        ),
        (
            link("m1", "duct\\n7"),
            "t.yaml:6: links[1].srlg: \"duct\\n7\" is no name of a shared-risk group: use 1 to 63 bytes that can be printed".into(),
        ),
    ] {
        refused(6, &line, &answer);
    }
    read(&DIAMOND.replace("m1:", &format!("{}:", "x".repeat(63))));
}

#[test]
fn a_mapped_ipv4_address_is_the_address_it_maps_to() {
    refused(
        11,
        "  - {name: h2, port: 'e2:3', addresses: ['::ffff:10.0.0.1']}",
        "t.yaml:11: hosts[1].addresses: 10.0.0.1 is already taken by hosts[0].addresses: give one of them another",
    );
    let topology =
        read(&DIAMOND.replace("fd00::1", "::ffff:10.0.0.2").replace("10.9.0.1", "::ffff:10.9.0.1"));
    assert_eq!(topology.find_host("h1").unwrap().addresses[1].to_string(), "10.0.0.2");
    assert_eq!(topology.switch(SwitchId(0)).agent.unwrap().to_string(), "10.9.0.1");
}

#[test]
fn a_link_to_itself_is_refused() {
    refused(
        6,
        "  - {a: 'm1:2', b: 'm1:3'}\n",
        "t.yaml:6: links[1].b: this link leads from m1 to itself: name another switch",
    );
}

#[test]
fn all_faults_of_a_file_are_reported_in_line_order() {
    let answer = faults(
        "links:\n  - {a: 's:1', b: 't:1', cost: x}\n  - {b: 't:2'}\nhost: []\nhosts:\n  - {name: h, port: 't:2'}\n  - name: h\n    port: 't:2'\n",
    );
    let places: Vec<_> =
        answer.lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        places,
        [
            "t.yaml:2 links[0].cost",
            "t.yaml:3 links[1].a",
            "t.yaml:4 host",
            "t.yaml:7 hosts[1].name",
            "t.yaml:8 hosts[1].port"
        ]
    );
}

#[test]
fn a_topology_in_pieces_is_refused_where_it_must_be_one() {
    let text = "links:\n  - {a: 'a:1', b: 'b:1'}\n  - {a: 'b:2', b: 'c:1'}\n  - {a: 'x:1', b: 'y:1'}\n";
    assert_eq!(
        faults(text),
        "t.yaml:4: links[2].a: the topology is in 2 pieces, {a, b, c} and {x, y}: add the links that join them"
    );
    assert!(TopologyFile::parse(Path::new("t.yaml"), text).is_ok());
}

#[test]
fn what_is_no_yaml_of_that_shape_is_refused_with_its_line() {
    for (text, answer) in [
        ("links:\n  - [1]\n", "t.yaml:2: links[0]: expected a mapping (key: value)"),
        ("links:\n  - {a: x, a: y}\n", "t.yaml:2: links[0]: the key a comes twice"),
        ("links: 5\n", "t.yaml:1: links: expected a list"),
        ("links:\n  - {a: 'x:1', b: [1]}\n", "t.yaml:2: links[0].b: expected a single value"),
        ("links:\n  - {[a]: 'x:1'}\n", "t.yaml:2: links[0]: expected a single value as key, such as links"),
        (
            "links:\n  - {a: 'x:1', b: 'y:1', srlg: &g [d]}\n  - {a: 'x:2', b: 'y:2', srlg: [*g]}\n",
            "t.yaml:3: links[1].srlg[0]: expected a single value",
        ),
        (
            "links: []\n---\nlinks: []\n",
            "t.yaml:3: a second YAML document: a file may hold only one, so remove the --- between them",
        ),
        ("links:\n  - {a: 'x:1'\n", "t.yaml:2: links: unclosed bracket '{'"),
        ("", "t.yaml:1: links: missing: a topology needs at least one switch"),
        ("links: []\n", "t.yaml:1: links: missing: a topology needs at least one switch"),
    ] {
        assert_eq!(faults(text), answer, "{text:?}");
    }
}

#[test]
fn prefixes_behind_a_router_are_read_and_written_again() {
    let text = r#"links: [{a: "e1:1", b: "e2:1"}]
hosts: [{name: r, port: "e1:9", mac: "02:00:00:00:00:01", prefixes: [10.1.0.0/16, "2001:db8::/32", 0.0.0.0/0]}]"#;
    let topology = TopologyFile::parse(Path::new("t.yaml"), text).unwrap().topology;
    let of = |topology: &Topology| {
        topology.find_host("r").unwrap().prefixes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(of(&topology), ["10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0"]);
    let again =
        TopologyFile::parse(Path::new("t.yaml"), &crate::topology::convert::to_yaml(&topology).unwrap())
            .unwrap()
            .topology;
    assert_eq!(of(&again), of(&topology));
}
