//! Every frame arrives though a link or switch on its way is dead: the agent's paths and detours in the switches'
//! tables, and the packet path's own pipeline, switch by switch.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    path::Path as FilePath,
};

use proptest::prelude::*;
use smoc_common::{
    event::{Note, Outcome},
    frames::{self, Build},
    map::{self, Attachment, Host, LAYOUT_MAGIC, LAYOUT_VERSION, PathSet, Port, Settings},
    memory::Switch,
    pipeline::Verdict,
    route::{PortNumber, Rank},
    wire::{ethernet::MacAddress, ip::Address},
};
use smoc_paths::{
    search::{Path, PathFinder, PathOptions},
    topology::{End, LinkId, SwitchId, Topology, TopologyFile},
};

/// The port with the host, at every switch.
const HOST_PORT: u16 = 40;

/// Ends of links, as numbers of switches, and their costs.
type Links = Vec<(usize, usize, u32)>;

/// A ring through all switches in some order, and chords: no single switch cuts it, links may be parallel.
fn two_connected() -> impl Strategy<Value = Links> {
    (3usize..9).prop_flat_map(|switches| {
        let order = Just((0..switches).collect::<Vec<_>>()).prop_shuffle();
        let chords = proptest::collection::vec((0..switches, 1..switches, 1u32..4), 0..switches);
        let costs = proptest::collection::vec(1u32..4, switches);
        (order, costs, chords).prop_map(move |(order, costs, chords)| {
            let ring = (0..switches).map(|i| (order[i], order[(i + 1) % switches], costs[i]));
            ring.chain(chords.into_iter().map(|(a, step, cost)| (a, (a + step) % switches, cost))).collect()
        })
    })
}

fn topology(links: &Links) -> Topology {
    let mut used: HashMap<usize, u16> = HashMap::new();
    let mut port = |switch: usize| {
        let port = used.entry(switch).or_default();
        *port += 1;
        *port
    };
    let mut text = String::from("links:\n");
    for &(a, b, cost) in links {
        let (at_a, at_b) = (port(a), port(b));
        writeln!(text, "  - {{a: \"s{a}:{at_a}\", b: \"s{b}:{at_b}\", cost: {cost}}}").unwrap();
    }
    TopologyFile::parse(FilePath::new("random.yaml"), &text).unwrap().topology
}

fn host(switch: SwitchId) -> frames::End {
    let number = switch.index() as u8;
    let (mac, address) = (MacAddress::new([6, 0, 0, 0, 0, number]), Address::from_v4([10, 0, 0, number]));
    frames::End { mac, address, port: 7 }
}

/// The tables of a switch, with detours and hosts and no path yet.
fn switch(topology: &Topology, finder: &PathFinder<'_>, this: SwitchId) -> Switch {
    let settings = Settings {
        magic: LAYOUT_MAGIC,
        layout: LAYOUT_VERSION,
        port_width: topology.switch(this).port_width,
        ..Settings::default()
    };
    let mut switch = Switch { settings: Some(settings), ..Switch::default() };
    switch.ports.insert(HOST_PORT, Port { role: Port::HOST, ..Port::default() });
    for arc in topology.arcs(this) {
        let peer_width = topology.switch(arc.to.switch).port_width;
        switch.ports.insert(arc.port.get(), Port { peer_width, ..Port::default() });
    }
    for other in topology.switch_ids() {
        let edge = if other == this { 0 } else { other.index() as u16 + 1 };
        let end = host(other);
        let attachment = Attachment { edge, port: HOST_PORT };
        switch.hosts.insert(end.address, Host { attachment, mac: end.mac, ..Host::default() });
    }
    switch.detours = finder.detours(this).routable.iter().map(|detour| detour.entry()).collect();
    switch
}

#[derive(Clone, Copy, Debug)]
enum Failure {
    Link(LinkId),
    Switch(SwitchId),
}

impl Failure {
    fn breaks(self, topology: &Topology, link: LinkId) -> bool {
        match self {
            Self::Link(dead) => dead == link,
            Self::Switch(dead) => topology.link(link).end_at(dead).is_some(),
        }
    }
}

/// What became of a frame.
struct Journey {
    arrived: Option<SwitchId>,
    frame: Vec<u8>,
    detours: u64,
    /// How often each link was passed, by the switch that sent.
    passed: BTreeMap<(LinkId, SwitchId), u32>,
}

/// Sends a frame from the host at `from`, whose switch knows `paths` to `to`, through switches whose ports at broken
/// links are down.
fn send(topology: &Topology, switches: &[Switch], failure: Failure, paths: &[&Path]) -> Journey {
    let (from, to) = (paths[0].switches[0], *paths[0].switches.last().unwrap());
    let mut set = PathSet { count: paths.len() as u8, base_count: 1, ..PathSet::default() };
    for (entry, path) in set.paths.iter_mut().zip(paths) {
        let (_, port) = path.hops(topology).next().unwrap();
        *entry = map::Path::new(port, path.route(topology).unwrap());
    }
    set.paths[PathSet::BASE] = set.paths[0];
    let mut switches: Vec<Switch> = switches.to_vec();
    switches[from.index()].path_sets.insert(to.index() as u16 + 1, set);
    for link in topology.link_ids().filter(|&link| failure.breaks(topology, link)) {
        for End { switch, port } in [topology.link(link).a, topology.link(link).b] {
            switches[switch.index()].down.insert(port.get());
        }
    }
    let mut frame = Build::udp(host(from), host(to)).payload(b"whole").frame();
    let mut journey = Journey { arrived: None, frame: Vec::new(), detours: 0, passed: BTreeMap::new() };
    let mut at = from;
    let mut verdict = switches[at.index()].from_host(&mut frame);
    loop {
        journey.detours = switches.iter().map(|switch| switch.count_of(Note::Detoured.counter())).sum();
        journey.frame.clone_from(&frame);
        let Verdict { outcome: Outcome::Plain | Outcome::Transit, port } = verdict else { break };
        let end = End { switch: at, port: PortNumber::new(port).unwrap() };
        let link = topology.link_at(end).unwrap();
        assert!(!failure.breaks(topology, link), "sent into a dead link");
        *journey.passed.entry((link, at)).or_default() += 1;
        at = topology.link(link).other(at).switch;
        verdict = switches[at.index()].from_fabric(&mut frame);
    }
    journey.arrived = (verdict == Verdict { outcome: Outcome::Delivered, port: HOST_PORT }).then_some(at);
    journey
}

/// Every failure on the way of each path of a pair; frames that had to pass a link twice.
fn check_pair(topology: &Topology, finder: &PathFinder<'_>, switches: &[Switch], pair: [SwitchId; 2]) {
    let ranked = finder.ranked(pair[0], pair[1]);
    let least = ranked.iter().map(|path| path.cost).min().unwrap();
    let sent = Build::udp(host(pair[0]), host(pair[1])).payload(b"whole").frame();
    let links = topology.link_ids().map(Failure::Link);
    let others = topology.switch_ids().filter(|switch| !pair.contains(switch)).map(Failure::Switch);
    for failure in links.chain(others) {
        for path in &ranked {
            let journey = send(topology, switches, failure, &[path]);
            assert_eq!(journey.arrived, Some(pair[1]), "{path:?} with {failure:?}");
            assert_eq!(journey.frame, sent, "{path:?} with {failure:?}");
            let is_hit = path.links.iter().any(|&link| failure.breaks(topology, link));
            assert_eq!(journey.detours, u64::from(is_hit), "{path:?} with {failure:?}");
            let most = journey.passed.values().copied().max().unwrap_or_default();
            // Only a path that is longer than need be can meet its own detour: `paths::detour` says why.
            let allowed = if path.cost == least { 1 } else { 2 };
            assert!(most <= allowed, "{path:?} with {failure:?}: {:?}", journey.passed);
        }
        let all: Vec<&Path> = ranked.iter().take(Rank::COUNT).collect();
        assert_eq!(send(topology, switches, failure, &all).arrived, Some(pair[1]), "{failure:?}");
    }
}

proptest! {
    #[test]
    fn every_frame_arrives_by_one_detour_at_most_whatever_single_link_or_switch_is_dead(links in two_connected()) {
        let topology = topology(&links);
        let finder = PathFinder::new(&topology, &PathOptions::default()).unwrap();
        let switches: Vec<Switch> =
            topology.switch_ids().map(|this| switch(&topology, &finder, this)).collect();
        for from in topology.switch_ids() {
            for to in topology.switch_ids().filter(|&to| to != from) {
                check_pair(&topology, &finder, &switches, [from, to]);
            }
        }
    }
}
