//! The control as a whole: what happens, and what follows from it.

use std::path::Path;

use smoc_common::{
    map::{PathSet, Port, Settings},
    route::Rank,
    wire::ethernet::MacAddress,
};
use smoc_paths::topology::TopologyFile;

use super::*;
use crate::{
    dataplane::Change,
    discovery::announcement::{self, Lists, Message, Part},
    hosts::behind::KernelRoute,
    interfaces::{AttachedMode, AttachedXdp, BridgePort, Interface},
    liveness::Found,
    plan::DownPort,
};

/// Two edges, and two ways between them.
const DIAMOND: &str = "links:\n  - {a: \"e1:1\", b: \"m1:1\"}\n  - {a: \"e1:2\", b: \"m2:1\"}\n  - {a: \"m1:2\", b: \"e2:1\"}\n  - {a: \"m2:2\", b: \"e2:2\"}\nhosts:\n  - {name: h2, port: \"e2:9\", mac: \"02:00:00:00:00:02\", addresses: [10.0.0.2]}\n";
const PROGRAMS: Programs = Programs { host: 1, fabric: 2 };
const START: Nanos = Nanos(1_000_000_000_000);

fn topology(text: &str) -> Arc<Topology> {
    Arc::new(TopologyFile::parse(Path::new("t.yaml"), text).unwrap().topology)
}

fn port(number: u16) -> PortNumber {
    PortNumber::new(number).unwrap()
}

/// A configuration without a file.
pub(super) const DISCOVERED: &str = "switch: e1\nbridge: br0\ntables: {hosts: 64}\n";

/// What e1 publishes once all has settled: the topology is [`DIAMOND`].
pub(crate) fn settled_snapshot() -> Snapshot {
    Bench::settled().switch.snapshot()
}

/// The switch e1 with ports 1, 2 and 9, in a world that does whatever is wanted of it.
pub(super) struct Bench {
    pub(super) switch: Switch,
    pub(super) now: Nanos,
    pub(super) interfaces: BTreeMap<String, Interface>,
    listening: BTreeMap<PortNumber, (IfIndex, Role)>,
    refuses: bool,
}

impl Bench {
    /// All settled.
    pub(super) fn settled() -> Self {
        let mut bench = Self::begun();
        bench.pass(Duration::from_secs(20));
        bench
    }

    pub(super) fn begun() -> Self {
        Self::with(
            "switch: e1\ntopology: t.yaml\nports: {1: p1, 2: p2, 9: p9}\nbridge: br0\ntables: {hosts: 64}\n",
        )
    }

    /// With this configuration.
    pub(super) fn with(text: &str) -> Self {
        let config = Arc::new(Config::parse(Path::new("agent.yaml"), text).unwrap());
        let topology = topology(DIAMOND);
        let plain = |index: u32, name: &str| Interface {
            index: IfIndex(index),
            name: name.to_owned(),
            mac: MacAddress::new([2, 0, 0, 0, 0xff, index as u8]),
            usable: true,
            mtu: 1500,
            megabits: 0,
            master: None,
            bridge_port: None,
            spanning_tree: None,
            xdp: None,
        };
        let ports = [1, 2, 9].map(|number: u32| Interface {
            master: Some(IfIndex(100)),
            bridge_port: Some(BridgePort::Forwarding),
            ..plain(number, &format!("p{number}"))
        });
        let bridge = Interface { spanning_tree: Some(false), ..plain(100, "br0") };
        let all: Vec<Interface> = ports.into_iter().chain([bridge, plain(101, "eth0")]).collect();
        let start = Start {
            this: if config.is_discovered() { lone(&config).1 } else { config.place(&topology).unwrap() },
            config,
            topology,
            interfaces: all.iter().cloned().collect(),
            installed: Installed::default(),
            exits: BTreeMap::new(),
            routes: Arc::default(),
            programs: PROGRAMS,
            boot: 1,
            sequence: 1_700_000_000_000_000,
            records: Vec::new(),
        };
        let (switch, effects) = Switch::start(start, START);
        let interfaces = all.into_iter().map(|interface| (interface.name.clone(), interface)).collect();
        let mut bench = Self { switch, now: START, interfaces, listening: BTreeMap::new(), refuses: false };
        bench.fulfil(&effects);
        bench
    }

    /// The agent ends and another one starts with this configuration.
    pub(super) fn again(&self, text: &str) -> Self {
        self.again_with(text, Arc::default())
    }

    /// The same where the kernel has these routes.
    pub(super) fn again_with(&self, text: &str, routes: Arc<[KernelRoute]>) -> Self {
        let config = Arc::new(Config::parse(Path::new("agent.yaml"), text).unwrap());
        let start = Start {
            this: lone(&config).1,
            config,
            topology: self.switch.topology.clone(),
            interfaces: self.interfaces.values().cloned().collect(),
            installed: self.switch.expected().installed,
            exits: BTreeMap::new(),
            routes,
            programs: PROGRAMS,
            boot: 1,
            sequence: 1_800_000_000_000_000,
            records: self.switch.records.all().cloned().collect(),
        };
        let (switch, effects) = Switch::start(start, self.now);
        let mut bench = Self {
            switch,
            now: self.now,
            interfaces: self.interfaces.clone(),
            listening: BTreeMap::new(),
            refuses: false,
        };
        bench.fulfil(&effects);
        bench
    }

    /// Something happens; all that follows in the same moment.
    pub(super) fn handle(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = self.switch.handle(event, self.now);
        if self.fulfil(&effects) {
            let interfaces = self.interfaces.values().cloned().collect();
            effects.extend(self.handle(Event::Interfaces(interfaces)));
        }
        effects
    }

    /// Time goes on; all that follows meanwhile.
    pub(super) fn pass(&mut self, duration: Duration) -> Vec<Effect> {
        let (end, mut effects) = (self.now + duration, Vec::new());
        while self.switch.deadline() <= end {
            self.now = self.switch.deadline().max(self.now);
            effects.extend(self.handle(Event::Time));
        }
        self.now = end;
        effects
    }

    /// Does what is wanted; whether interfaces changed by that.
    fn fulfil(&mut self, effects: &[Effect]) -> bool {
        let mut changed = false;
        for effect in effects.iter().filter(|_| !self.refuses) {
            match effect {
                Effect::Attach(_, role, interface) => {
                    let program = if *role == Role::Host { PROGRAMS.host } else { PROGRAMS.fabric };
                    let there = self.interfaces.get_mut(&interface.name).unwrap();
                    there.xdp = Some(AttachedXdp { program, mode: AttachedMode::Native });
                    changed = true;
                }
                Effect::SetBridgePort(_, interface, state) => {
                    self.interfaces.get_mut(&interface.name).unwrap().bridge_port = Some(*state);
                    changed = true;
                }
                Effect::Listen(port, role, index) => drop(self.listening.insert(*port, (*index, *role))),
                Effect::StopListening(port) => drop(self.listening.remove(port)),
                _ => {}
            }
        }
        changed
    }

    pub(super) fn heard(&mut self, at: u16, role: Role, bytes: Vec<u8>) -> Vec<Effect> {
        self.handle(Event::Heard(Frame { port: port(at), role, bytes }))
    }

    /// A switch announces, and that comes in through port 1.
    fn announced(&mut self, origin: &str, sequence: u64, down: &[u16]) -> Vec<Effect> {
        self.announced_by((origin, 7), sequence, down)
    }

    /// The same by a run of an agent with this boot number.
    pub(super) fn announced_by(
        &mut self,
        (origin, boot): (&str, u64),
        sequence: u64,
        down: &[u16],
    ) -> Vec<Effect> {
        let down = down.iter().map(|number| DownPort { number: port(*number), unanswered: false }).collect();
        let lists = Lists { down, ..Lists::default() };
        let part: Part = announcement::parts(origin, (boot, sequence), &lists).remove(0);
        let bytes = part.frame(MacAddress::new([2, 0, 0, 0, 0, 9]), self.now);
        self.heard(1, Role::Fabric, bytes)
    }

    fn found(&mut self, generation: u64, down: &[u16]) -> Vec<Effect> {
        let ports = down.iter().map(|number| port(*number)).collect();
        let failures = Failures { ports, ..Failures::default() };
        self.handle(Event::Found(Found { generation, failures }))
    }

    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.switch.snapshot()
    }
}

fn watched(effects: &[Effect]) -> Vec<u64> {
    let targets = effects.iter().filter_map(|effect| match effect {
        Effect::Watch(targets) => Some(targets.generation),
        _ => None,
    });
    targets.collect()
}

#[test]
fn a_start_settles_and_then_nothing_is_wanted_but_to_tell_the_others() {
    let mut bench = Bench::settled();
    assert!(
        bench.snapshot().ready && own_warnings(&bench.snapshot()).is_empty(),
        "{:?}",
        bench.snapshot().warnings
    );
    assert_ne!(bench.switch.expected().installed.settings, Settings::default());
    let effects = bench.pass(Duration::from_secs(60));
    assert!(effects.iter().all(|effect| matches!(effect, Effect::Send(..))), "{effects:?}");
}

#[test]
fn what_the_prober_finds_counts_after_a_change_of_the_file_that_changes_nothing_here() {
    let mut bench = Bench::settled();
    let config = bench.switch.config.clone();
    let farther = format!("{DIAMOND}  - {{name: h3, port: \"m1:9\", addresses: [10.0.0.3]}}\n");
    let mut effects = bench.handle(Event::Configured(config, topology(&farther)));
    effects.extend(bench.pass(Duration::from_secs(1)));
    let told = *watched(&effects).last().expect("the prober is told");
    bench.found(told, &[1]);
    assert!(!bench.snapshot().usable()[&1], "what it found is not dropped as outdated");
}

/// ARP (RFC 826): a host at port 9 says that it has 10.0.0.7.
fn arp(mac: u8) -> Vec<u8> {
    let (mac, address) = ([2, 0, 0, 0, 1, mac], [10, 0, 0, 7]);
    let head = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2];
    [&[0xff; 6][..], &mac, &head, &mac, &address, &[0; 6], &address].concat()
}

fn writes(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Write(_))).count()
}

/// The announcements of e1 itself that leave through port 1, by sequence.
pub(super) fn own_sequences(effects: &[Effect], now: Nanos) -> Vec<u64> {
    let own = |effect: &Effect| match effect {
        Effect::Send(at, bytes) if *at == port(1) => match Message::parse(bytes, now)? {
            Message::Part(part) if part.origin == "e1" => Some(part.sequence),
            _ => None,
        },
        _ => None,
    };
    effects.iter().filter_map(own).collect()
}

#[test]
fn an_announcement_that_says_nothing_new_is_passed_on_and_nothing_else_follows() {
    let mut bench = Bench::settled();
    bench.announced("e2", 1, &[]);
    bench.pass(Duration::from_secs(1));
    for sequence in 2..100 {
        let effects = bench.announced("e2", sequence, &[]);
        assert!(matches!(&effects[..], [Effect::Send(to, _)] if *to == port(2)), "{effects:?}");
        assert!(bench.announced("e2", sequence, &[]).is_empty(), "the same again is not even passed on");
        let later = bench.pass(Duration::from_millis(10));
        assert!(later.iter().all(|effect| matches!(effect, Effect::Send(..))), "{later:?}");
    }
}

#[test]
fn a_repeated_arp_and_an_interface_that_is_not_ours_change_nothing() {
    let mut bench = Bench::settled();
    let learned = [bench.heard(9, Role::Host, arp(7)), bench.pass(Duration::from_secs(1))].concat();
    assert!(writes(&learned) > 0, "it is learned");
    for mtu in 0..100 {
        assert!(bench.heard(9, Role::Host, arp(7)).is_empty());
        bench.interfaces.get_mut("eth0").unwrap().mtu = mtu;
        let interfaces = bench.interfaces.values().cloned().collect();
        assert!(bench.handle(Event::Interfaces(interfaces)).is_empty());
    }
}

#[test]
fn a_host_that_alternates_between_two_macs_a_thousand_times_a_second_costs_few_writes() {
    let mut bench = Bench::settled();
    let (mut written, mut told) = (0, 0);
    for millisecond in 0..10_000u32 {
        let mut effects = bench.heard(9, Role::Host, arp((millisecond % 2) as u8));
        effects.extend(bench.pass(Duration::from_millis(1)));
        written += writes(&effects);
        told += own_sequences(&effects, bench.now).len();
    }
    // It moves at once, after 1 s, 2 s more and 4 s more, each time with a new epoch.
    assert!(written <= 12 && told <= 10, "{written} writes, told {told} times");
}

#[test]
fn what_changes_all_the_time_is_worked_out_ten_times_a_second_and_told_twenty_times() {
    let mut bench = Bench::settled();
    let (mut derived, mut told) = (0, 0);
    for millisecond in 0..1000u64 {
        let down: &[u16] = if millisecond % 2 == 0 { &[1] } else { &[2] };
        let mut effects = bench.announced("e2", 10 + millisecond, down);
        effects.extend(bench.found(bench.switch.generation, down));
        effects.extend(bench.pass(Duration::from_millis(1)));
        let derives = |effect: &Effect| matches!(effect, Effect::Write(change) if !matches!(change, Change::MarkBroken(..)));
        derived += usize::from(effects.iter().any(derives));
        told += own_sequences(&effects, bench.now).len();
    }
    assert!((1..=11).contains(&derived), "worked out {derived} times");
    assert!((10..=21).contains(&told), "told {told} times");
}

#[test]
fn a_broken_path_is_marked_at_once_however_much_else_is_going_on() {
    let mut bench = Bench::settled();
    let (edge, rank) = (bench.switch.topology.find_switch("e2").unwrap(), Rank::BEST);
    bench.announced("e2", 1, &[1]);
    bench.pass(Duration::from_millis(100));
    bench.announced("e2", 2, &[]);
    let failures = Failures { paths: BTreeSet::from([(edge.into(), rank)]), ..Failures::default() };
    let effects = bench.handle(Event::Found(Found { generation: bench.switch.generation, failures }));
    let marked = |set: &PathSet| set.broken == 1 | 1 << PathSet::BASE;
    let marks = |effect: &Effect| matches!(effect, Effect::Write(Change::MarkBroken(_, set)) if marked(set));
    assert!(effects.iter().any(marks), "{effects:?}");
}

/// With which ranks path sets in use are marked as broken.
fn marks(effects: &[Effect]) -> Vec<u8> {
    let marks = effects.iter().filter_map(|effect| match effect {
        Effect::Write(Change::MarkBroken(_, set)) => Some(set.broken as u8),
        _ => None,
    });
    marks.collect()
}

/// What path sets that are marked, or written anew, say to be broken.
fn written(effects: &[Effect]) -> Vec<u16> {
    let written = effects.iter().filter_map(|effect| match effect {
        Effect::Write(Change::MarkBroken(_, set) | Change::WritePathSet(_, set)) => Some(set.broken),
        _ => None,
    });
    written.collect()
}

#[test]
fn a_rank_without_substitute_is_marked_as_soon_as_a_link_of_its_is_said_to_be_down_and_until_it_is_up() {
    let mut bench = Bench::settled();
    bench.announced("e2", 1, &[7]);
    bench.pass(Duration::from_millis(10));
    let marked = marks(&bench.announced("m1", 1, &[2]));
    assert!(
        matches!(marked[..], [1 | 2]),
        "at once, although something was worked out a moment ago: {marked:?}"
    );
    let later = bench.pass(Duration::from_secs(3));
    assert!(marks(&later).is_empty(), "no probe has said so, and it stays: {later:?}");
    let is_marked = |broken: &u16| *broken != 0;
    assert!(written(&later).iter().all(is_marked), "a set with other paths of least cost is marked too");
    let mut back = bench.announced("m1", 2, &[]);
    back.extend(bench.pass(Duration::from_secs(1)));
    assert_eq!(written(&back), [0]);
}

#[test]
fn after_many_searches_links_wait_longer_and_hosts_and_marks_do_not() {
    let mut bench = Bench::settled();
    bench.switch.rested = bench.now + Duration::from_millis(500);
    let effects = bench.announced("m1", 1, &[2]);
    assert!(!marks(&effects).is_empty() && bench.switch.controller.book().down().is_empty());
    let learned = [bench.heard(9, Role::Host, arp(7)), bench.pass(Duration::from_millis(400))].concat();
    let is_host = |effect: &Effect| matches!(effect, Effect::Write(Change::SetHost(..)));
    assert!(learned.iter().any(is_host), "{learned:?}");
    assert!(bench.switch.controller.book().down().is_empty(), "paths are not searched yet");
    bench.pass(Duration::from_millis(100));
    assert_eq!(bench.switch.controller.book().down().len(), 1);
}

#[test]
fn a_neighbor_behind_a_port_that_works_again_is_asked_what_it_has_heard_meanwhile() {
    let mut bench = Bench::settled();
    let generation = bench.switch.generation;
    let asked = |effects: &[Effect], now: Nanos| {
        let asked = effects.iter().filter_map(|effect| match effect {
            Effect::Send(at, bytes) if Message::parse(bytes, now) == Some(Message::Question) => {
                Some(at.get())
            }
            _ => None,
        });
        asked.collect::<Vec<_>>()
    };
    for (down, at) in [(&[1, 2][..], &[][..]), (&[2], &[1]), (&[2], &[]), (&[], &[2])] {
        let mut effects = bench.found(generation, down);
        effects.extend(bench.pass(Duration::from_secs(1)));
        assert_eq!(asked(&effects, bench.now), at, "{down:?} are down");
    }
    // A port that was never answered has missed nothing: a network that starts is not flooded with what all know.
    let ports = BTreeSet::from([port(1)]);
    let failures = Failures { unanswered: ports.clone(), ports, ..Failures::default() };
    bench.handle(Event::Found(Found { generation, failures }));
    let effects = bench.found(generation, &[]);
    assert!(asked(&effects, bench.now).is_empty());
}

#[test]
fn what_probes_found_of_a_path_outlives_a_file_that_numbers_switches_anew() {
    let mut bench = Bench::settled();
    let edge = |bench: &Bench| bench.switch.topology.find_switch("e2").unwrap();
    let before = (edge(&bench), Rank::new(1));
    let failures = Failures { paths: BTreeSet::from([(before.0.into(), before.1)]), ..Failures::default() };
    let effects = bench.handle(Event::Found(Found { generation: bench.switch.generation, failures }));
    assert_eq!(marks(&effects), [2]);
    let config = bench.switch.config.clone();
    let more = DIAMOND.replace("hosts:", "  - {a: \"a:1\", b: \"m1:3\"}\nhosts:");
    let mut effects = bench.handle(Event::Configured(config, topology(&more)));
    effects.extend(bench.pass(Duration::from_secs(1)));
    assert_ne!(edge(&bench), before.0);
    let set = |effect: &Effect| match effect {
        Effect::Write(Change::WritePathSet(_, set) | Change::MarkBroken(_, set)) => Some(set.broken),
        _ => None,
    };
    assert!(effects.iter().filter_map(set).all(|broken| broken == 2), "{effects:?}");
    let mut told = effects.iter().filter_map(|effect| match effect {
        Effect::Watch(targets) => Some(targets.down.paths.clone()),
        _ => None,
    });
    assert_eq!(told.next_back(), Some(BTreeSet::from([(edge(&bench).into(), Rank::new(1))])));
}

#[test]
fn a_refused_wish_stops_nothing_else_and_is_a_warning_that_says_what_to_do() {
    let mut bench = Bench::begun();
    bench.pass(Duration::from_millis(60));
    // Somebody else's program is on port 1, whatever is asked for.
    bench.refuses = true;
    bench.interfaces.get_mut("p1").unwrap().xdp = None;
    let mut effects = bench.handle(Event::Interfaces(bench.interfaces.values().cloned().collect()));
    let why = "another program is there: remove it with `ip link set p1 xdp off`";
    let mut attempts = 0;
    for _ in 0..100 {
        let asked =
            effects.iter().filter(|effect| matches!(effect, Effect::Attach(at, ..) if *at == port(1)));
        for _ in asked {
            attempts += 1;
            bench.handle(Event::Refused { wish: Wish::Program(port(1)), why: why.into() });
        }
        effects = bench.pass(Duration::from_millis(100));
    }
    assert!((3..=8).contains(&attempts), "with a back-off: {attempts}");
    let snapshot = bench.snapshot();
    assert!(snapshot.warnings.iter().any(|warning| warning.contains("port 1") && warning.contains(why)));
    assert!(snapshot.ports[1..].iter().all(|port| port.attached.is_some()), "the others have theirs");
    bench.refuses = false;
    bench.pass(Duration::from_secs(31));
    assert!(bench.snapshot().ready && own_warnings(&bench.snapshot()).is_empty());
}

/// What is warned of, but for the base network: the neighbours of these tests have no agents that could agree on it.
fn own_warnings(snapshot: &Snapshot) -> Vec<&String> {
    snapshot.warnings.iter().filter(|warning| !warning.contains("not agreed on")).collect()
}

#[test]
fn a_warning_of_maps_goes_from_what_is_published_when_they_are_written() {
    let mut bench = Bench::settled();
    bench.handle(Event::Refused { wish: Wish::Maps, why: "full".into() });
    let published = |effects: &[Effect]| {
        let mut snapshots = effects.iter().rev().filter_map(|effect| match effect {
            Effect::Publish(snapshot) => Some(own_warnings(snapshot).len()),
            _ => None,
        });
        snapshots.next()
    };
    let (changes, found) = (bench.switch.expected().changes, bench.switch.expected().installed);
    let effects = bench.handle(Event::Inspected { changes, found });
    assert!(published(&effects).is_none_or(|warnings| warnings == 1));
    let effects = bench.pass(Duration::from_secs(5));
    assert_eq!(published(&effects), Some(0));
}

#[test]
fn a_missing_interface_is_a_warning_and_the_other_ports_work() {
    let mut bench = Bench::settled();
    let gone = bench.interfaces.remove("p2").unwrap();
    bench.handle(Event::Interfaces(bench.interfaces.values().cloned().collect()));
    bench.pass(Duration::from_secs(2));
    let snapshot = bench.snapshot();
    assert!(snapshot.warnings.iter().any(|warning| warning.contains("no interface p2: create it")));
    assert!(snapshot.ready && snapshot.usable()[&1] && !snapshot.usable()[&2]);
    assert!(!bench.listening.contains_key(&port(2)));
    bench.interfaces.insert("p2".into(), Interface { index: IfIndex(77), xdp: None, ..gone });
    bench.handle(Event::Interfaces(bench.interfaces.values().cloned().collect()));
    bench.pass(Duration::from_secs(1));
    assert!(bench.snapshot().ready && own_warnings(&bench.snapshot()).is_empty());
    assert_eq!(bench.listening[&port(2)], (IfIndex(77), Role::Fabric));
}

#[test]
fn announcements_go_on_behind_what_the_network_remembers_of_an_earlier_agent() {
    let mut bench = Bench::settled();
    let before = bench.switch.announcer.number().1;
    let effects = bench.announced("e1", before + 1_000_000, &[]);
    let mut effects = [effects, bench.pass(Duration::from_secs(1))].concat();
    effects.retain(|effect| matches!(effect, Effect::Send(..)));
    assert_eq!(own_sequences(&effects, bench.now), [before + 1_000_001]);
}

#[test]
fn all_is_repeated_every_five_seconds_more_or_less() {
    let mut bench = Bench::settled();
    let mut pauses = Vec::new();
    for _ in 0..20 {
        let mut passed = 0;
        while own_sequences(&bench.pass(Duration::from_millis(10)), bench.now).is_empty() {
            passed += 10;
        }
        pauses.push(passed);
    }
    assert!(pauses[1..].iter().all(|pause| (4400..=5500).contains(pause)), "{pauses:?}");
    assert!(pauses[1..].iter().collect::<BTreeSet<_>>().len() > 5, "not in step with others");
}

#[test]
fn ports_are_closed_for_the_base_network_in_the_maps_too_until_the_neighbour_agrees() {
    let bench = Bench::settled();
    let base = |number| bench.switch.wanted().ports[&port(number)].port.base;
    assert_eq!([1, 2, 9].map(base), [Port::CLOSED, Port::CLOSED, Port::OPEN]);
}
