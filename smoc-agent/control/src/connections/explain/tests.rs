use std::{cell::RefCell, collections::BTreeSet, path::Path as FilePath};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use smoc_common::{
    event::{Note, Outcome},
    frames::{Build, End as HostEnd, capable, join, join_answer},
    map::{
        Attachment, Connection, Flow, Host, LAYOUT_MAGIC, PairKey, PathSet, Port, Settings, THIS_EDGE,
        TokenBinding, TokenKey,
    },
    memory::{Run, Side, Switch},
    route::{Label, PortNumber, PushedRoute, Rank, Route},
    token::{Version, derive},
    wire::{
        ethernet::MacAddress,
        tcp::{ACK, FIN, RST, SYN},
    },
};

use super::*;
use crate::{
    dataplane::{PortEntry, Slot},
    hosts::HostTable,
    interfaces::IfIndex,
    plan::{EdgeNames, PathBook, Policies, Wish},
    policy::{Document, Rules},
    ports::Role,
};
use smoc_paths::{
    search::PathOptions,
    topology::{LinkId, Topology, TopologyFile},
};

/// Four disjoint paths, rank k through port k + 1, two hosts here and one at the other end.
const TOPOLOGY: &str = r#"
links:
  - {a: "e1:1", b: "m1:1", cost: 1}
  - {a: "m1:2", b: "e2:1"}
  - {a: "e1:2", b: "m2:1", cost: 2}
  - {a: "m2:2", b: "e2:2"}
  - {a: "e1:3", b: "m3:1", cost: 3}
  - {a: "m3:2", b: "e2:3"}
  - {a: "e1:4", b: "m4:1", cost: 4}
  - {a: "m4:2", b: "e2:4"}
hosts:
  - {name: h1, port: "e1:9", mac: "02:00:00:00:00:01", addresses: [10.0.0.1]}
  - {name: h3, port: "e1:8", mac: "02:00:00:00:00:03", addresses: [10.0.0.3]}
  - {name: h2, port: "e2:9", mac: "02:00:00:00:00:02", addresses: [10.0.0.2]}
"#;

/// The client's and the server's key; what MPTCP of version 1 derives from them are their tokens.
const KEYS: [u64; 2] = [0x1111, 0x2222];

fn port(number: u16) -> PortNumber {
    PortNumber::new(number).unwrap()
}

/// A host of the topology under one of its TCP ports.
fn host(last: u8, port: u16) -> HostEnd {
    let address = map_address(IpAddr::from([10, 0, 0, last]));
    HostEnd { mac: MacAddress::new([2, 0, 0, 0, 0, last]), address, port }
}

/// What e1 knows, and its maps as an agent fills them.
struct World {
    topology: Topology,
    hosts: BTreeMap<IpAddr, KnownHost>,
    names: EdgeNames,
    book: PathBook,
    policies: Policies,
    down: BTreeSet<LinkId>,
    drained: BTreeSet<LinkId>,
    installed: Installed,
    exits: Exits,
}

impl World {
    fn new(spread: u8) -> Self {
        let topology = TopologyFile::parse(FilePath::new("t.yaml"), TOPOLOGY).unwrap().topology;
        let [this, far] = ["e1", "e2"].map(|name| topology.find_switch(name).unwrap());
        let (mut table, mut hosts) = (HostTable::default(), BTreeMap::new());
        table.declare(&topology, this, Nanos(0));
        table.refresh(&mut hosts, &topology, this);
        let mut names = EdgeNames::found(&BTreeMap::new(), "e1");
        let index = names.index("e2", 0).unwrap();
        let mut book = PathBook::new(this, PathOptions::default());
        book.extend(&topology, &[far].into()).unwrap();
        let entry = |number: u16| {
            let interface = IfIndex(number.into());
            let peer_width = if number <= 4 { 2 } else { 0 };
            let role = if number <= 4 { Port::FABRIC } else { Port::HOST };
            let port = Port { peer_width, role, interface: interface.0, ..Port::default() };
            PortEntry { port, interface }
        };
        let address = |(address, host): (&IpAddr, &KnownHost)| {
            let edge = if host.at.switch == this { THIS_EDGE } else { index };
            let attachment = Attachment { edge, port: host.at.port.get() };
            (map_address(*address), Host { attachment, mac: host.mac, ..Host::default() })
        };
        // Ranks 0 and 2 are those of least cost.
        let mut set = PathSet { base_count: 2, ..book.path_set(&topology, far).unwrap() };
        (set.paths[PathSet::BASE], set.paths[PathSet::BASE + 1]) = (set.paths[0], set.paths[2]);
        let installed = Installed {
            settings: Settings {
                magic: LAYOUT_MAGIC,
                port_width: topology.switch(this).port_width,
                spread,
                ..Settings::default()
            },
            ports: [1, 2, 3, 4, 8, 9].map(|number| (port(number), entry(number))).into(),
            hosts: hosts.iter().map(address).collect(),
            edges: [(index, Slot(1))].into(),
            path_sets: [(Slot(1), set)].into(),
            ..Installed::default()
        };
        let exit = |(number, entry): (&PortNumber, &PortEntry)| {
            ((*number, Role::in_map(&entry.port)), entry.interface)
        };
        let exits = installed.ports.iter().map(exit).collect();
        Self {
            topology,
            hosts,
            names,
            book,
            policies: Policies::default(),
            down: BTreeSet::new(),
            drained: BTreeSet::new(),
            installed,
            exits,
        }
    }

    fn ask(&self, question: Question, tables: &KernelTables) -> Explanation {
        let names = Names {
            topology: &self.topology,
            names: &self.names,
            book: &self.book,
            policies: &self.policies,
        };
        let this = self.topology.find_switch("e1").unwrap();
        let evidence = Evidence {
            installed: &self.installed,
            exits: &self.exits,
            tables,
            names,
            this,
            down: &self.down,
            drained: &self.drained,
            hosts: &self.hosts,
            now: Nanos(5),
        };
        explain(question, evidence)
    }

    fn story(&self, question: Question, tables: &KernelTables) -> String {
        self.ask(question, tables).story.join("\n")
    }

    fn set_port(&mut self, number: u16, is_up: bool) {
        let exit = (port(number), Role::in_map(&self.installed.ports[&port(number)].port));
        if is_up {
            self.exits.insert(exit, IfIndex(number.into()));
        } else {
            self.exits.remove(&exit);
        }
    }

    /// Marks ranks as broken, and the paths of least cost that are these; all marks.
    fn set_broken(&mut self, ranks: u16) -> u16 {
        let broken = ranks | (ranks & 1) << PathSet::BASE | (ranks >> 2 & 1) << (PathSet::BASE + 1);
        self.installed.path_sets.values_mut().for_each(|set| set.broken = broken);
        broken
    }
}

fn flow(from: HostEnd, to: HostEnd) -> Question {
    Question::Flow {
        source: crate::hosts::ip_address(from.address),
        source_port: from.port,
        destination: crate::hosts::ip_address(to.address),
        destination_port: to.port,
    }
}

/// Everything that a switch has learned.
fn tables_of(switch: &Switch) -> KernelTables {
    fn all<K: Copy, V: Copy>(entries: &BTreeMap<K, V>) -> Vec<(K, V)> {
        entries.iter().map(|(key, value)| (*key, *value)).collect()
    }
    KernelTables {
        flows: all(&switch.flows.entries),
        half_open: all(&switch.half_open.entries),
        connections: all(&switch.connections.entries),
        tokens: all(&switch.tokens.entries),
    }
}

#[test]
fn a_link_that_is_left_is_drained_or_down_and_not_the_one_for_the_other() {
    let mut world = World::new(0);
    let link = world.topology.find_link("m1:2-e2:1").unwrap();
    world.drained = [link].into();
    world.book.set_down(&world.topology, &world.drained).unwrap();
    let ask = |world: &World| world.story(flow(host(1, 4000), host(2, 80)), &KernelTables::default());
    let story = ask(&world);
    // The maps are as before: what is on its way over the drained link arrives.
    assert!(story.contains("The path runs e1 - m1 - e2 over"), "{story}");
    assert!(!story.contains("is down"), "{story}");
    world.installed.path_sets.values_mut().for_each(|set| set.broken = 1 << PathSet::BASE | 1);
    let tables = tables();
    let story = world.story(flow(host(1, 1000), host(2, 80)), &tables);
    assert!(
        story.contains("Rank 0 needs m1:2-e2:1, which is drained, and no other path is left for it."),
        "{story}"
    );
    world.down = std::mem::take(&mut world.drained);
    let story = world.story(flow(host(1, 1000), host(2, 80)), &tables);
    assert!(story.contains("Rank 0 needs m1:2-e2:1, which is down"), "{story}");
}

#[test]
fn the_rule_of_policy_that_acts_is_named_and_why_one_does_not() {
    let mut world = World::new(0);
    let text = "rules: [{name: slow, between: [h1, h2], ranks: [1]}, {name: odd, between: [h3, h2], metric: latency}]";
    let rules = Rules::resolve(&Document::parse(text).unwrap(), &world.topology, world.book.options());
    world.policies.set_rules(rules.into());
    let index = world.names.index("e2", 1).unwrap();
    let slow = PathBook::wishing(
        world.topology.find_switch("e1").unwrap(),
        *world.book.options(),
        Wish { ranks: vec![1], ..Wish::default() },
        BTreeSet::new(),
    );
    let mut book = slow;
    let far = world.topology.find_switch("e2").unwrap();
    book.extend(&world.topology, &[far].into()).unwrap();
    world.installed.path_sets.insert(Slot(7), book.path_set(&world.topology, far).unwrap());
    world.installed.edges.insert(index, Slot(7));
    for (last, class) in [(1, 1), (2, 2)] {
        world.installed.hosts.get_mut(&host(last, 0).address).unwrap().class = class;
    }
    let key = PairKey { local: 1, remote: 2, edge: 1, reserved: 0 };
    world.installed.pairs.insert(key, index);
    world.installed.settings.filled = Settings::PAIRS;
    let story = world.story(flow(host(1, 4000), host(2, 80)), &KernelTables::default());
    assert!(story.contains("Rule \"slow\" of the policy chooses the paths of the two: ranks 1."), "{story}");
    assert!(story.contains("It leaves through port 2"), "{story}");
    let story = world.story(flow(host(3, 4000), host(2, 80)), &KernelTables::default());
    assert!(story.contains("Rule \"odd\" of the policy is about the two (metric latency), but"), "{story}");
    assert!(story.contains("It leaves through port 1"), "{story}");
}

/// A connection of h1 and h2 with one additional subflow, on ranks 0 and 2.
fn tables() -> KernelTables {
    let remote = Attachment { edge: 1, port: 9 };
    let key = |port| FlowKey::new(host(1, port).address, port, host(2, 80).address, 80);
    let flow = |rank, flags| Flow {
        connection: 3,
        rank,
        flags,
        remote,
        local_switch_port: 9,
        local_mac: host(1, 0).mac,
        peer_mac: host(2, 0).mac,
        ..Flow::default()
    };
    let connection = Connection {
        initial: key(1000),
        remote_token: 0xbeef,
        remote,
        version: 1,
        subflows: 3,
        ..Connection::default()
    };
    KernelTables {
        flows: vec![(key(1000), flow(0, 0)), (key(1001), flow(2, Flow::JOIN))],
        connections: vec![(3, connection)],
        tokens: vec![(
            TokenKey { token: 0xbeef },
            TokenBinding { connections: [3, 0], ..TokenBinding::default() },
        )],
        ..KernelTables::default()
    }
}

#[track_caller]
fn assert_tells(story: &str, parts: &[&str]) {
    for part in parts {
        assert!(story.contains(part), "{part} in\n{story}");
    }
}

#[test]
fn a_known_subflow_is_explained_from_either_direction() {
    let world = World::new(Settings::SPREAD_NONE);
    for (from, to) in [(host(1, 1000), host(2, 80)), (host(2, 80), host(1, 1000))] {
        assert_tells(
            &world.story(flow(from, to), &tables()),
            &[
                "10.0.0.1 (h1) has MAC 02:00:00:00:00:01 and is attached to e1:9: the topology file says so.",
                "4 ranked paths lead to e2",
                "Connection 3: MPTCP v1",
                "the initial subflow, so it has rank 0",
                "from a host port: established. Sent into the fabric on the path of an established subflow. It \
                 leaves through port 1 on rank 0.",
                "Rank 0 runs e1 - m1 - e2 over e1:1-m1:1, m1:2-e2:1; e2 delivers through port 9.",
            ],
        );
    }
    let story = world.story(flow(host(2, 80), host(1, 1000)), &tables());
    assert_tells(&story, &["from a fabric port: delivered. Arrived at its last switch", "through port 9."]);
}

#[test]
fn a_rank_that_is_down_or_broken_is_named_beside_the_one_taken_instead() {
    let mut world = World::new(Settings::SPREAD_NONE);
    world.set_port(3, false);
    let question = flow(host(1, 1001), host(2, 80));
    assert_tells(
        &world.story(question, &tables()),
        &[
            "an additional subflow with rank 2, counted on from the initial one's rank 0",
            "Rank 2 starts at port 3, which is DOWN.",
            "failed_over: Another rank was taken because that of the subflow is down or broken. It leaves through \
             port 4 on rank 3.",
            "Rank 3 runs e1 - m4 - e2",
        ],
    );
    world.set_port(3, true);
    world.set_broken(0b100);
    assert_tells(
        &world.story(question, &tables()),
        &["Rank 2 is marked as broken: probes do not come back.", "failed_over"],
    );
}

#[test]
fn other_traffic_is_told_from_mptcp() {
    let mut world = World::new(Settings::SPREAD_NONE);
    let question = flow(host(3, 5), host(2, 80));
    assert_tells(
        &world.story(question, &tables()),
        &[
            "A data segment from 10.0.0.3 port 5 to 10.0.0.2 port 80, from a host port: plain.",
            "A data segment with an MPTCP option from 10.0.0.3 port 5 to 10.0.0.2 port 80, from a host port: hashed.",
            "A SYN with MP_CAPABLE from 10.0.0.3 port 5 to 10.0.0.2 port 80, from a host port: handshake.",
        ],
    );
    (1..=4).for_each(|number| world.set_port(number, false));
    assert_tells(&world.story(question, &tables()), &["port_down", "The kernel goes on with it"]);
}

#[test]
fn what_has_no_path_is_said_to_have_none() {
    let world = World::new(Settings::SPREAD_NONE);
    let nobody = host(99, 5);
    assert_tells(
        &world.story(flow(nobody, host(2, 80)), &tables()),
        &["10.0.0.99 is no known host", "unknown_host", "base network"],
    );
    assert_tells(
        &world.story(flow(nobody, host(1, 80)), &tables()),
        &["from a fabric port: unrouted. Came from the fabric without a pushed route"],
    );
    assert_tells(&world.story(flow(host(1, 1), host(3, 80)), &tables()), &["same_edge"]);
    let mut world = world;
    world.hosts.clear();
    world.installed.hosts.values_mut().for_each(|host| host.attachment.edge = 1);
    assert_tells(
        &world.story(flow(host(1, 1), host(2, 80)), &tables()),
        &["Neither is attached to this switch"],
    );
}

#[test]
fn tokens_are_followed_to_their_connection() {
    let world = World::new(Settings::SPREAD_NONE);
    assert_tells(
        &world.story(Question::Token(0xbeef), &tables()),
        &[
            "Token 0000beef belongs to a host behind e2:9 and means connection 3",
            "A SYN with MP_JOIN and token 0000beef from 10.0.0.1 port 49152 to 10.0.0.2 port 80, from a host port: \
             handshake.",
            "leaves through port 4 on rank 3",
            "Subflow 10.0.0.1 port 1000 to 10.0.0.2 port 80 (established)",
        ],
    );
    let mut two = tables();
    two.connections.push((4, two.connections[0].1));
    two.tokens[0].1.connections[1] = 4;
    assert_tells(
        &world.story(Question::Token(0xbeef), &two),
        &["connection 3 behind e2:9 and connection 4 behind e2:9", "join_ambiguous_token"],
    );
    assert_tells(&world.story(Question::Token(1), &two), &["Token 00000001 is not bound here"]);
}

/// Something that happens at e1.
#[derive(Clone, Debug)]
enum Step {
    /// h1 opens a connection from this port and gets this far: SYN, SYN/ACK, third ACK.
    Connect(u16, usize),
    /// The same for an additional subflow with the server's token.
    Join(u16, usize),
    /// h2 joins with the client's token.
    JoinBack(u16, usize),
    /// A segment with these flags, from h1 or to it.
    Segment(u16, u8, bool),
    /// From now on port k + 1 is up if bit k is set.
    Ports(u8),
    /// Other ranks are broken.
    Broken(u8),
    /// Hosts are to be looked up again.
    Epoch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let tcp_port = 1000u16..1004;
    let flags = prop_oneof![Just(ACK), Just(ACK | FIN), Just(RST), Just(SYN)];
    proptest::collection::vec(
        prop_oneof![
            (tcp_port.clone(), 1usize..=3).prop_map(|(port, so_far)| Step::Connect(port, so_far)),
            (tcp_port.clone(), 1usize..=3).prop_map(|(port, so_far)| Step::Join(port, so_far)),
            (tcp_port.clone(), 1usize..=3).prop_map(|(port, so_far)| Step::JoinBack(port, so_far)),
            (tcp_port, flags, any::<bool>()).prop_map(|(port, flags, out)| Step::Segment(port, flags, out)),
            (0u8..16).prop_map(Step::Ports),
            any::<u8>().prop_map(Step::Broken),
            Just(Step::Epoch),
        ],
        0..12,
    )
}

/// With the route used up on this rank in place of its addresses.
fn off_the_fabric(mut frame: Vec<u8>, rank: u8) -> Vec<u8> {
    let words = PushedRoute { label: Label::new(Rank::new(rank), false), route: Route::END }.words();
    frame[..12].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
    frame
}

/// The frames of a handshake that `from` begins, as far as they go.
fn exchange(
    switch: &mut Switch,
    [from, to]: [HostEnd; 2],
    is_ours: bool,
    options: [Vec<u8>; 3],
    so_far: usize,
) {
    let frames = [
        (is_ours, Build::tcp(from, to).flags(SYN).numbers(7, 0).options(&options[0]).frame()),
        (!is_ours, Build::tcp(to, from).flags(SYN | ACK).numbers(70, 8).options(&options[1]).frame()),
        (is_ours, Build::tcp(from, to).numbers(8, 71).options(&options[2]).frame()),
    ];
    for (goes_out, mut frame) in frames.into_iter().take(so_far) {
        if goes_out {
            switch.from_host(&mut frame);
        } else {
            switch.from_fabric(&mut off_the_fabric(frame, 1));
        }
    }
}

fn take(step: &Step, world: &mut World, switch: &mut Switch) {
    let tokens = KEYS.map(|key| derive(Version::V1, key));
    let joins = |token| [join(token, 1), join_answer(16), join_answer(24)];
    match *step {
        Step::Connect(port, so_far) => {
            let options = [&[][..], &KEYS[1..], &KEYS].map(|keys| capable(Version::V1, keys));
            exchange(switch, [host(1, port), host(2, 80)], true, options, so_far);
        }
        Step::Join(port, so_far) => {
            exchange(switch, [host(1, port), host(2, 80)], true, joins(tokens[1]), so_far);
        }
        Step::JoinBack(port, so_far) => {
            exchange(switch, [host(2, 80), host(1, port)], false, joins(tokens[0]), so_far);
        }
        Step::Segment(port, flags, true) => {
            switch.from_host(&mut Build::tcp(host(1, port), host(2, 80)).flags(flags).frame());
        }
        Step::Segment(port, flags, false) => {
            let frame = Build::tcp(host(2, 80), host(1, port)).flags(flags).frame();
            switch.from_fabric(&mut off_the_fabric(frame, 2));
        }
        Step::Ports(up) => {
            for number in 1..=4 {
                let is_up = up >> (number - 1) & 1 == 1;
                world.set_port(number, is_up);
                if is_up {
                    switch.down.remove(&number)
                } else {
                    switch.down.insert(number)
                };
            }
        }
        Step::Broken(ranks) => {
            let broken = world.set_broken(ranks.into());
            switch.path_sets.values_mut().for_each(|set| set.broken = broken);
        }
        Step::Epoch => {
            let Settings { epoch, .. } = &mut world.installed.settings;
            *epoch += 1;
            switch.settings = Some(world.installed.settings);
        }
    }
}

/// The frame that a trial names, made once more, and where it comes in.
fn frame_of(trial: &Trial) -> (Side, Vec<u8>) {
    let end = |end: &crate::connections::Endpoint| {
        let IpAddr::V4(address) = end.address else { panic!("all are IPv4") };
        host(address.octets()[3], end.port)
    };
    let build = Build::tcp(end(&trial.from), end(&trial.to));
    let frame = match trial.frame.as_str() {
        "data segment" => build.payload(b"other data"),
        "data segment with an MPTCP option" => build.options(&[30, 8, 0x20, 0, 0, 0, 0, 0]).payload(b"data"),
        "SYN with MP_CAPABLE" => build.flags(SYN).options(&capable(Version::V1, &[])),
        other => {
            let token = other.strip_prefix("SYN with MP_JOIN and token ").unwrap();
            build.flags(SYN).options(&join(u32::from_str_radix(token, 16).unwrap(), 0))
        }
    }
    .frame();
    match (trial.through.as_str(), trial.rank) {
        ("host", _) => (Side::Host, frame),
        (_, Some(rank)) => (Side::Fabric, off_the_fabric(frame, rank)),
        _ => (Side::Fabric, frame),
    }
}

/// Compares one trial and its words with what the switch itself does.
fn compare(trial: &Trial, story: &str, switch: &Switch) -> Outcome {
    let (side, mut frame) = frame_of(trial);
    let Run { verdict, notes, label } = switch.clone().run(side, &mut frame);
    let here = &trial.hops[0];
    assert_eq!(here.outcome, verdict.outcome.name(), "{trial:?}\n{story}");
    assert_eq!(here.notes, notes.iter().map(|note| note.name()).collect::<Vec<_>>(), "{story}");
    assert_eq!(here.port.unwrap_or_default(), verdict.port, "{story}");
    assert_eq!(trial.rank, label.map(|label| label.rank().get()), "{story}");
    assert_tells(story, &[&format!("{}. {}", verdict.outcome.name(), verdict.outcome.help())]);
    notes.iter().for_each(|note| assert_tells(story, &[note.name(), note.help()]));
    if let (Some(port), Some(rank)) = (here.port, trial.rank)
        && verdict.outcome != Outcome::Delivered
    {
        let on = match verdict.outcome {
            Outcome::Plain => "a path of least cost".to_owned(),
            _ => format!("rank {rank}"),
        };
        assert_tells(story, &[&format!("It leaves through port {port} on {on}.")]);
        // Port k leads to transit switch mk, and that to e2: only a detour could lead elsewhere, and there is none.
        let way = [format!("m{port}"), "e2".to_owned()];
        assert_eq!(trial.hops[1..].iter().map(|hop| hop.switch.clone()).collect::<Vec<_>>(), way, "{story}");
        assert_eq!(trial.hops[2].outcome, Outcome::Delivered.name());
    }
    verdict.outcome
}

#[test]
fn what_is_explained_is_what_the_pipeline_does_in_random_states() {
    let questions = prop_oneof![
        (0usize..4, 999u16..1005, 0usize..4, any::<bool>()).prop_map(|(a, port, b, is_turned)| {
            let (one, other) = (host([1, 3, 2, 99][a], port), host([2, 2, 1, 3][b], 80));
            if is_turned { flow(other, one) } else { flow(one, other) }
        }),
        (0usize..3).prop_map(|which| Question::Token(
            [derive(Version::V1, KEYS[0]), derive(Version::V1, KEYS[1]), 7][which]
        )),
    ];
    let (seen, noted) = (RefCell::new(BTreeSet::new()), RefCell::new(BTreeSet::new()));
    let mut runner = TestRunner::new(Config { cases: 2_000, failure_persistence: None, ..Config::default() });
    let done = runner.run(&(steps(), questions, any::<bool>()), |(steps, question, spread)| {
        let mut world = World::new(u8::from(spread));
        let mut switch = world.installed.model(&KernelTables::default(), &world.exits, Nanos(1));
        steps.iter().for_each(|step| take(step, &mut world, &mut switch));
        let answer = world.ask(question, &tables_of(&switch));
        let story = answer.story.join("\n");
        for trial in &answer.frames {
            seen.borrow_mut().insert(compare(trial, &story, &switch).name());
            noted.borrow_mut().extend(trial.hops[0].notes.iter().cloned());
        }
        // Only between hosts of other switches nothing can be tried here, and with a token that nobody has.
        let is_tried = !answer.frames.is_empty();
        assert!(
            is_tried || story.contains("Neither is") || matches!(question, Question::Token(_)),
            "{story}"
        );
        Ok(())
    });
    done.unwrap();
    let outcomes = [
        "established",
        "handshake",
        "hashed",
        "plain",
        "delivered",
        "unrouted",
        "unknown_host",
        "same_edge",
        "port_down",
    ];
    assert_eq!(
        outcomes.iter().find(|outcome| !seen.borrow().contains(**outcome)),
        None,
        "every case was met"
    );
    assert!(noted.borrow().contains(Note::FailedOver.name()), "{noted:?}");
}
