//! The control as a whole: what happens, and what follows from it.

use std::path::Path;

use smoc_common::{map::Settings, wire::ethernet::MacAddress};
use smoc_paths::topology::TopologyFile;

use super::*;
use crate::{
    interfaces::{AttachedMode, AttachedXdp, BridgePort, Interface},
    liveness::Found,
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

/// The switch e1 with ports 1, 2 and 9, in a world that does whatever is wanted of it.
struct Bench {
    switch: Switch,
    now: Nanos,
    interfaces: BTreeMap<String, Interface>,
    listening: BTreeMap<PortNumber, (IfIndex, Role)>,
    refuses: bool,
}

impl Bench {
    /// All settled.
    fn settled() -> Self {
        let mut bench = Self::begun();
        bench.pass(Duration::from_secs(20));
        bench
    }

    fn begun() -> Self {
        let text =
            "switch: e1\ntopology: t.yaml\nports: {1: p1, 2: p2, 9: p9}\nbridge: br0\ntables: {hosts: 64}\n";
        let config = Arc::new(Config::parse(Path::new("agent.yaml"), text).unwrap());
        let topology = topology(DIAMOND);
        let plain = |index: u32, name: &str| Interface {
            index: IfIndex(index),
            name: name.to_owned(),
            mac: MacAddress::new([2, 0, 0, 0, 0xff, index as u8]),
            usable: true,
            mtu: 1500,
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
            this: config.place(&topology).unwrap(),
            config,
            topology,
            interfaces: all.iter().cloned().collect(),
            installed: Installed::default(),
            transmits: BTreeMap::new(),
            programs: PROGRAMS,
            boot: 1,
            sequence: 1_700_000_000_000_000,
        };
        let (switch, effects) = Switch::start(start, START);
        let interfaces = all.into_iter().map(|interface| (interface.name.clone(), interface)).collect();
        let mut bench = Self { switch, now: START, interfaces, listening: BTreeMap::new(), refuses: false };
        bench.fulfil(&effects);
        bench
    }

    /// Something happens; all that follows in the same moment.
    fn handle(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = self.switch.handle(event, self.now);
        if self.fulfil(&effects) {
            let interfaces = self.interfaces.values().cloned().collect();
            effects.extend(self.handle(Event::Interfaces(interfaces)));
        }
        effects
    }

    /// Time goes on; all that follows meanwhile.
    fn pass(&mut self, duration: Duration) -> Vec<Effect> {
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

    fn found(&mut self, generation: u64, down: &[u16]) -> Vec<Effect> {
        let ports = down.iter().map(|number| port(*number)).collect();
        let failures = Failures { ports, ..Failures::default() };
        self.handle(Event::Found(Found { generation, failures }))
    }

    fn snapshot(&mut self) -> Snapshot {
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
        bench.snapshot().ready && bench.snapshot().warnings.is_empty(),
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
