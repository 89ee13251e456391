//! The targets.

use std::collections::BTreeMap;
use std::path::Path;

use smoc_common::memory::{Side, Switch};
use smoc_common::route::{PortNumber, Route};
use smoc_common::testing::scene;
use smoc_common::wire::Bytes;
use smoc_common::wire::probe::Probe;
use smoc_control::base_network::{Epoch, Statement};
use smoc_control::clock::Nanos;
use smoc_control::config::Config;
use smoc_control::connections::Question;
use smoc_control::discovery::announcement::{self, Message};
use smoc_control::discovery::{key::Keys, lldp, neighbor, presence as found};
use smoc_control::fabric::{Report, assemble};
use smoc_control::store::{Facts, HostRecord, Key, Prefix, Saved, SwitchRecord};
use smoc_paths::topology::convert::{parse, to_yaml};
use smoc_paths::topology::{Format, Topology, TopologyFile};

use crate::Target;
use crate::seeds::{files, frames, pcap};

/// A target for one format of topologies: what is in another format is left to that one's, so a fuzzer stays with this
/// reader. The seeds are the files whose names end so.
macro_rules! of_format {
    ($name:literal, $format:pat, $endings:expr) => {
        Target {
            name: $name,
            run: |bytes| of_format(bytes, |format| matches!(format, $format)),
            seeds: || files("smoc-agent/paths/tests/formats", &$endings),
            times: 400,
        }
    };
}

/// One for everything that reads bytes of others.
pub const TARGETS: &[Target] = &[
    Target { name: "topology", run: topology, seeds: topologies, times: 150 },
    Target { name: "topology_file", run: topology_file, seeds: own_topologies, times: 200 },
    Target { name: "configuration", run: configuration, seeds: configurations, times: 1_000 },
    Target { name: "capture", run: capture, seeds: captures, times: 2_000 },
    Target { name: "layers", run: layers, seeds: typed_frames, times: 100 },
    Target { name: "packet_path", run: packet_path, seeds: frames_and_routes, times: 1_000 },
    Target { name: "probe", run: probe, seeds: probes, times: 20_000 },
    Target { name: "announcement", run: announcement, seeds: announcements, times: 10_000 },
    Target { name: "statement", run: statement, seeds: statements, times: 20_000 },
    Target { name: "lldp", run: lldp, seeds: advertisements, times: 20_000 },
    Target { name: "record", run: record, seeds: records, times: 3_000 },
    Target { name: "snapshot", run: snapshot, seeds: snapshots, times: 3_000 },
    Target { name: "presence", run: presence, seeds: loop_probes, times: 20_000 },
    Target { name: "neighbor", run: neighbor, seeds: claims, times: 10_000 },
    Target { name: "question", run: question, seeds: questions, times: 10_000 },
    of_format!("agent_view", Format::AgentView, ["agent.json"]),
    of_format!("batfish", Format::Batfish, ["layer1_topology.json"]),
    of_format!("containerlab", Format::Containerlab, [".clab.yml"]),
    of_format!("cytoscape", Format::Cytoscape, [".cytoscape.json"]),
    of_format!("dot", Format::Dot, [".dot"]),
    of_format!("fnss", Format::Fnss, [".fnss.xml"]),
    of_format!("gml", Format::Gml, [".gml"]),
    of_format!("gns3", Format::Gns3, [".gns3"]),
    of_format!("graphml", Format::GraphMl, [".graphml"]),
    of_format!("miniedit", Format::MiniEdit, [".mn"]),
    of_format!("mininet_script", Format::MininetScript, [".mininet.py"]),
    of_format!(
        "node_link",
        Format::NodeLink,
        ["d3.json", ".node_link.json", ".netjson.json", ".sndlib.json"]
    ),
    of_format!("p4", Format::P4, [".p4.json"]),
    of_format!("rfc8345", Format::Rfc8345, [".rfc8345.json"]),
    of_format!("sndlib_native", Format::SndlibNative, [".sndlib.txt"]),
    of_format!("sndlib_xml", Format::SndlibXml, [".sndlib.xml"]),
];

/// A topology in any format: what can be read is written, and read back the same.
fn topology(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(file) = parse(Path::new("t"), text, &mut Vec::new()) {
        reads_back(&file.topology);
    }
}

/// A topology in one format.
fn of_format(bytes: &[u8], is_meant: impl Fn(&Format) -> bool) {
    if std::str::from_utf8(bytes).is_ok_and(|text| is_meant(&Format::of(text))) {
        topology(bytes);
    }
}

/// The agent's own format.
fn topology_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(file) = TopologyFile::parse(Path::new("t"), text) {
        reads_back(&file.topology);
    }
}

fn reads_back(topology: &Topology) {
    let written =
        to_yaml(topology).unwrap_or_else(|error| panic!("what was read cannot be written: {error}"));
    let back = TopologyFile::parse(Path::new("t"), &written);
    let back = back.unwrap_or_else(|error| panic!("what was written cannot be read: {error}\n{written}"));
    assert_eq!(to_yaml(&back.topology).ok(), Some(written));
}

fn topologies() -> Vec<Vec<u8>> {
    let mut all = files("smoc-agent/paths/tests/formats", &[]);
    all.extend(own_topologies());
    all
}

fn own_topologies() -> Vec<Vec<u8>> {
    let mut all = files("examples", &["abilene.yaml", "demo.yaml", "diamond.yaml", "line.yaml"]);
    all.push(
        b"switches: [{name: e1, agent: \"10.9.0.1\"}]\nlinks:\n  - {a: 'e1:1', b: 'm1:1', capacity: 1Gbit, latency: 1ms, \
          cost: 2, srlg: [duct-7]}\nhosts:\n  - {name: h, port: 'e1:9', mac: '02:00:00:00:00:01', addresses: [10.0.0.1, 'fd00::1']}\n"
            .to_vec(),
    );
    all
}

/// An agent's configuration.
fn configuration(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (Config::is_one(text), Config::parse(Path::new("agent.yaml"), text).is_ok());
    }
}

fn configurations() -> Vec<Vec<u8>> {
    files("examples", &["agent.yaml"])
}

/// A capture file.
fn capture(bytes: &[u8]) {
    let _ = smoc_decode::decode(bytes).is_ok();
}

fn captures() -> Vec<Vec<u8>> {
    // A pcapng section, an interface and an empty packet.
    let blocks: [&[u32]; 3] =
        [&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, !0, !0, 28], &[1, 20, 1, 0, 20], &[6, 32, 0, 0, 0, 0, 0, 32]];
    vec![pcap(1, &frames()), blocks.concat().iter().flat_map(|word| word.to_le_bytes()).collect()]
}

/// A frame behind two bytes that say its link type, in a sound file: it is refused for its link type or not at all.
fn layers(bytes: &[u8]) {
    let Some((link_type, frame)) = bytes.split_first_chunk() else { return };
    let link_type = u32::from(u16::from_be_bytes(*link_type));
    let is_sound = |frame: Vec<u8>| smoc_decode::decode(&pcap(link_type, &[frame])[..]).is_ok();
    assert_eq!(is_sound(frame.to_vec()), is_sound(vec![0; 60]), "the file is sound");
}

fn typed_frames() -> Vec<Vec<u8>> {
    const LINK_TYPES: [u16; 26] = [
        0, 1, 9, 12, 51, 100, 101, 104, 105, 108, 109, 113, 117, 119, 127, 138, 163, 166, 192, 204, 219, 228,
        229, 239, 276, 50,
    ];
    let mut all = Vec::new();
    for link_type in LINK_TYPES {
        for frame in frames() {
            let behind = if matches!(link_type, 12 | 101 | 228 | 229) { &frame[14..] } else { &frame[..] };
            all.push([&link_type.to_be_bytes(), behind].concat());
        }
    }
    all
}

/// A frame at each kind of port of each kind of switch: it keeps its length.
fn packet_path(bytes: &[u8]) {
    let switches: [fn() -> Switch; 3] = [|| scene::edge(0), || scene::edge(1), scene::transit];
    for new in switches {
        for side in [Side::Host, Side::Fabric] {
            let mut frame = bytes.to_vec();
            let _ = new().run(side, &mut frame);
            assert_eq!(frame.len(), bytes.len());
        }
    }
}

/// As hosts send them, and as they come from an edge switch.
fn frames_and_routes() -> Vec<Vec<u8>> {
    let mut all = frames();
    let mut edge = scene::edge(0);
    for mut frame in frames() {
        let _ = edge.run(Side::Host, &mut frame);
        all.push(frame);
    }
    all.extend(probes());
    all
}

/// A probe or hello.
fn probe(bytes: &[u8]) {
    let mut frame = bytes.to_vec();
    let _ = Probe::parse(&Bytes(&mut frame)).is_some();
}

fn probes() -> Vec<Vec<u8>> {
    let route = PortNumber::new(3).and_then(|port| Route::through([(port, scene::WIDTH)]).ok());
    let parsed = |bytes: [u8; smoc_common::wire::probe::LENGTH]| bytes.to_vec();
    route.into_iter().map(|route| parsed(Probe::default().frame(route))).collect()
}

/// A record of the fabric's store, behind its name and a line end: what is read is written and read back the same, and the
/// network that follows from it beside sound ones is one.
fn record(bytes: &[u8]) {
    let (name, bytes) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (&b"/smoc/lab/v1/switches/e1"[..], bytes),
    };
    if let Ok(read) = SwitchRecord::parse(bytes) {
        assert_eq!(SwitchRecord::parse(&read.to_bytes(1)), Ok(read));
    }
    if let Ok(read) = HostRecord::parse(bytes) {
        assert!(
            PortNumber::new(1).is_none_or(|port| read.sightings(port, Nanos(1)).count() <= read.hosts.len())
        );
        assert_eq!(HostRecord::parse(&read.to_bytes(1)), Ok(read));
    }
    let prefix = Prefix::new("lab");
    let Some(key) = prefix.key(name) else { return };
    assert_eq!(prefix.name(&key).as_bytes(), name);
    let mut facts = Facts::default();
    facts.update(&key, Some(&bytes.into()));
    let mut reports: BTreeMap<String, Report> =
        [("m1", "e1"), ("e1", "m1")].map(|(name, there)| (name.to_owned(), one_link(there))).into();
    reports.extend(facts.switches().iter().map(|(name, record)| (name.clone(), record.report.clone())));
    let fabric = assemble(&reports);
    assert!(fabric.topology.switches().len() <= reports.len());
    facts.update(&key, None);
    assert!(facts.switches().is_empty() && facts.hosts().is_empty() && facts.problems().is_empty());
}

fn one_link(there: &str) -> Report {
    let text =
        format!(r#"{{"version":1,"report":{{"adjacencies":{{"1":{{"switch":"{there}","port":1}}}}}}}}"#);
    SwitchRecord::parse(text.as_bytes()).unwrap_or_default().report
}

fn records() -> Vec<Vec<u8>> {
    [
        r#"/smoc/lab/v1/switches/e1
{"version":1,"compatible":1,"written":1790000000000000,"agent":"0.1.0","report":{"port_width":5,"adjacencies":{"1":{"switch":"m1","port":1,"megabits":1000},"2":{"switch":"m1","port":2}}}}"#,
        r#"/smoc/lab/v1/hosts/e1/9
{"version":1,"compatible":1,"written":1790000000000000,"hosts":[{"address":"10.0.0.1","mac":"02:00:00:00:00:01","since":1790000000},{"address":"fd00::1","mac":"02:00:00:00:00:01","since":1}]}"#,
        "/smoc/lab/v1/policy/drain-m1\n{\"version\":2,\"compatible\":2}",
        "/smoc/lab/v1/config\n{}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// What an agent keeps on disk of the store: what is read is written, and read back the same. The checksum is mended, for a
/// fuzzer would not come past it.
fn snapshot(bytes: &[u8]) {
    assert!(Saved::parse(bytes, "lab", "e1").is_err() || bytes.starts_with(b"smoc-store "));
    let body = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes, |end| &bytes[end + 1..]);
    let mut file = format!("smoc-store 1 {:08x} {}\n", crc32fast::hash(body), body.len()).into_bytes();
    file.extend(body);
    for file in [bytes, &file] {
        if let Ok(saved) = Saved::parse(file, "lab", "e1") {
            assert_eq!(Saved::parse(&saved.to_bytes(), "lab", "e1"), Ok(saved));
        }
    }
}

fn snapshots() -> Vec<Vec<u8>> {
    let text = |text: &str| text.split_once('\n').map(|(_, bytes)| bytes.as_bytes().to_vec());
    let names = ["switches/m1", "hosts/m1/9", "policy/drain-m1", "config"];
    let named = names
        .iter()
        .zip(records())
        .filter_map(|(name, record)| Some((Key::parse(name)?, text(&String::from_utf8_lossy(&record))?)));
    let saved = Saved {
        fabric: "lab".into(),
        switch: "e1".into(),
        cluster: 7,
        revision: 12,
        records: named.collect(),
    };
    vec![saved.to_bytes(), Saved { records: BTreeMap::new(), ..saved }.to_bytes()]
}

/// What agents tell each other: a part of an announcement is written as it was read.
fn announcement(bytes: &[u8]) {
    const NOW: Nanos = Nanos(1 << 60);
    if let Some(Message::Part(part)) = Message::parse(bytes, NOW) {
        let written = part.frame(scene::mac(1), NOW);
        assert_eq!(Message::parse(&written, NOW), Some(Message::Part(part)));
    }
}

fn announcements() -> Vec<Vec<u8>> {
    let lists = announcement::Lists::default();
    let mut all: Vec<_> = announcement::parts("e1", (1, 2), &lists)
        .iter()
        .map(|part| part.frame(scene::mac(1), Nanos(5_000_000)))
        .collect();
    all.push(announcement::question(scene::mac(1)));
    all.extend(sample().map(|statement| announcement::statement(scene::mac(1), &statement)));
    all
}

/// What neighbours agree on for the base network: written as it was read.
fn statement(bytes: &[u8]) {
    if let Some(statement) = Statement::parse(bytes) {
        let mut written = Vec::new();
        statement.write(&mut written);
        assert!(bytes.starts_with(&written));
    }
}

fn sample() -> Option<Statement> {
    let epoch = |sequence| Epoch { boot: 7, sequence };
    let port = PortNumber::new(3)?;
    Some(Statement { switch: "e1".into(), port, digest: 5, epoch: epoch(1), heard: epoch(2), synced: true })
}

fn statements() -> Vec<Vec<u8>> {
    let written = |statement: Statement| {
        let mut bytes = Vec::new();
        statement.write(&mut bytes);
        bytes
    };
    sample().map(written).into_iter().collect()
}

/// What is said at the other end of a cable: an advertisement is read back as it was read, and signed with a key it is believed.
fn lldp(bytes: &[u8]) {
    let keys = Keys::new(vec![b"key".to_vec()]);
    for keys in [&Keys::default(), &keys] {
        if let Some(lldp::Heard::Switch(said, _)) = lldp::Heard::parse(bytes, keys) {
            let again = lldp::Heard::parse(&said.frame(scene::mac(1), keys), keys);
            assert_eq!(again, Some(lldp::Heard::Switch(said, lldp::Signed::Well)));
        }
    }
}

/// Answers and loop probes: what is read is read back as it was, and signed with a key it is believed.
fn presence(bytes: &[u8]) {
    let keys = Keys::new(vec![b"key".to_vec()]);
    for keys in [&Keys::default(), &keys] {
        if let Some(found::Heard::Loop(probe)) = found::Heard::parse(bytes, keys) {
            let again = found::Heard::parse(&probe.frame(scene::mac(1), keys), keys);
            assert_eq!(again, Some(found::Heard::Loop(probe)));
        }
    }
}

fn loop_probes() -> Vec<Vec<u8>> {
    let probe = |port: PortNumber| found::LoopProbe {
        switch: "e1".into(),
        port,
        fabric: "default".into(),
        boot: 5,
        is_open: true,
    };
    let keys = [Keys::default(), Keys::new(vec![b"key".to_vec()])];
    let probes =
        keys.iter().flat_map(|keys| PortNumber::new(3).map(|port| probe(port).frame(scene::mac(1), keys)));
    probes.chain([found::question(scene::mac(1), 7)]).collect()
}

fn advertisements() -> Vec<Vec<u8>> {
    let said = |port: PortNumber| lldp::Advertisement {
        switch: "e1".into(),
        port,
        time_to_live: 15,
        fabric: "default".into(),
        port_width: 4,
        boot: 5,
        heard: 6,
    };
    let keys = [Keys::default(), Keys::new(vec![b"key".to_vec()])];
    let frames =
        keys.iter().flat_map(|keys| PortNumber::new(3).map(|port| said(port).frame(scene::mac(1), keys)));
    frames.collect()
}

/// ARP and neighbour discovery of hosts.
fn neighbor(bytes: &[u8]) {
    let is_claim = neighbor::claim(&mut bytes.to_vec()).is_some();
    let is_glimpse = neighbor::glimpse(&mut bytes.to_vec()).is_some();
    assert!(!(is_claim && is_glimpse), "who claims an address is not asked for it");
}

fn claims() -> Vec<Vec<u8>> {
    let mut arp = [[0xff; 6], [2, 0, 0, 0, 0, 1]].concat();
    arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    let mut dhcp = vec![0xff; 6];
    dhcp.extend([
        2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 1, 0x18, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255,
    ]);
    dhcp.extend([0, 68, 0, 67, 1, 4, 0, 0, 1, 1, 6]);
    dhcp.resize(14 + 20 + 8 + 28, 0);
    dhcp.extend([2, 0, 0, 0, 0, 1]);
    dhcp.resize(14 + 20 + 8 + 236, 0);
    dhcp.extend([99, 130, 83, 99, 53, 1, 3, 50, 4, 10, 0, 0, 9, 255]);
    assert!(neighbor::glimpse(&mut dhcp.clone()).is_some(), "a request that is understood");
    let mut all = frames();
    all.extend([arp, dhcp]);
    all
}

/// What the API is asked to explain: what it understands is written, and read back the same.
fn question(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = |text: &str| {
        let parameters: Vec<_> = text.split('&').filter_map(|pair| pair.split_once('=')).collect();
        Question::read(|name| parameters.iter().find(|pair| pair.0 == name).map(|pair| pair.1)).ok()
    };
    if let Some(question) = read(text) {
        assert_eq!(read(&question.parameters()), Some(question));
    }
}

fn questions() -> Vec<Vec<u8>> {
    let all: [&[u8]; 3] = [
        b"token=9a3f00c1",
        b"src=10.0.1.1&sport=43210&dst=10.0.2.1&dport=5001",
        b"src=fd00::1&sport=1&dst=::ffff:10.0.2.1&dport=65535",
    ];
    all.map(<[u8]>::to_vec).into()
}
