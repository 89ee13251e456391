//! Switches whose bridges make a ring: they agree on a tree by frames, and open nothing else.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    sync::Arc,
};

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};
use smoc_paths::topology::{Topology, TopologyFile};

use super::{Effect, Event, Frame, Snapshot, Start, Switch};
use crate::{
    clock::Nanos,
    config::Config,
    dataplane::Installed,
    interfaces::{AttachedMode, AttachedXdp, BridgePort, IfIndex, Interface, Interfaces},
    ports::{Programs, Role},
};

const RING: &str =
    "links:\n  - {a: \"a:1\", b: \"b:1\"}\n  - {a: \"b:2\", b: \"c:1\"}\n  - {a: \"c:2\", b: \"a:2\"}\n";
const CABLES: [[(&str, u16); 2]; 3] = [[("a", 1), ("b", 1)], [("b", 2), ("c", 1)], [("c", 2), ("a", 2)]];

struct Machine {
    switch: Option<Switch>,
    ports: BTreeMap<u16, Interface>,
    spanning_tree: bool,
    view: Option<Arc<Snapshot>>,
    forgets: u32,
}

struct Ring {
    now: Nanos,
    machines: BTreeMap<&'static str, Machine>,
    events: VecDeque<(&'static str, Event)>,
    boots: u64,
    /// All three have had time to close ports since the kernel's bridges, left alone, made a loop.
    is_tamed: bool,
}

fn interface(index: u32, name: String) -> Interface {
    Interface {
        index: IfIndex(index),
        name,
        mac: MacAddress::new([2, 0, 0, 0, 0, index as u8]),
        usable: true,
        mtu: 1500,
        megabits: 0,
        master: None,
        bridge_port: None,
        spanning_tree: None,
        xdp: None,
    }
}

fn topology() -> Arc<Topology> {
    TopologyFile::parse(Path::new("t.yaml"), RING).unwrap().topology.into()
}

impl Ring {
    /// The kernel's bridges forward everywhere, and no agent runs.
    fn new() -> Self {
        let machine = |name| {
            let port = |number: u16| {
                let (master, bridge_port) = (Some(IfIndex(10)), Some(BridgePort::Forwarding));
                let plain = interface(number.into(), format!("p{number}"));
                (number, Interface { master, bridge_port, ..plain })
            };
            let ports = [1, 2].map(port).into();
            (name, Machine { switch: None, ports, spanning_tree: false, view: None, forgets: 0 })
        };
        let machines = ["a", "b", "c"].map(machine).into();
        Self { now: Nanos(1_000_000_000), machines, events: VecDeque::new(), boots: 0, is_tamed: false }
    }

    fn interfaces(&self, name: &str) -> Interfaces {
        let machine = &self.machines[name];
        let bridge = Interface { spanning_tree: Some(machine.spanning_tree), ..interface(10, "br0".into()) };
        machine.ports.values().cloned().chain([bridge]).collect()
    }

    fn start(&mut self, name: &'static str) {
        self.boots += 1;
        let text = format!("switch: {name}\ntopology: t.yaml\nbridge: br0\nports: {{1: p1, 2: p2}}\n");
        let config = Config::parse(Path::new("agent.yaml"), &text).unwrap();
        let topology = topology();
        let start = Start {
            this: config.place(&topology).unwrap(),
            config: config.into(),
            topology,
            interfaces: self.interfaces(name),
            installed: Installed::default(),
            exits: BTreeMap::new(),
            routes: [].into(),
            programs: Programs { host: 1, fabric: 2 },
            boot: self.boots,
            sequence: 1,
            records: Vec::new(),
        };
        let (switch, effects) = Switch::start(start, self.now);
        self.machines.get_mut(name).unwrap().switch = Some(switch);
        self.perform(name, effects);
    }

    fn perform(&mut self, name: &'static str, effects: Vec<Effect>) {
        for effect in effects {
            let machine = self.machines.get_mut(name).unwrap();
            match effect {
                Effect::SetBridgePort(port, _, state) => {
                    machine.ports.get_mut(&port.get()).unwrap().bridge_port = Some(state);
                    self.tell_interfaces(name);
                }
                Effect::Attach(port, role, _) => {
                    assert_eq!(role, Role::Fabric);
                    machine.ports.get_mut(&port.get()).unwrap().xdp =
                        Some(AttachedXdp { program: 2, mode: AttachedMode::Native });
                    self.tell_interfaces(name);
                }
                Effect::Send(port, bytes) => self.send((name, port.get()), bytes),
                Effect::Publish(view) => machine.view = Some(view),
                Effect::ForgetAddresses(_) => machine.forgets += 1,
                _ => {}
            }
            assert!(self.open().len() < 3 || !self.is_tamed, "a loop");
        }
    }

    fn tell_interfaces(&mut self, name: &'static str) {
        let event = Event::Interfaces(self.interfaces(name));
        self.events.push_back((name, event));
    }

    fn send(&mut self, from: (&str, u16), bytes: Vec<u8>) {
        let cable = CABLES.iter().find(|ends| ends.contains(&from)).unwrap();
        let to = cable[usize::from(cable[0] == from)];
        if self.machines[from.0].ports[&from.1].usable {
            let port = PortNumber::new(to.1).unwrap();
            self.events.push_back((to.0, Event::Heard(Frame { port, role: Role::Fabric, bytes })));
        }
    }

    fn run_for(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now = Nanos(self.now.0 + 1_000_000);
            let due = self.machines.iter().filter(|(_, machine)| {
                machine.switch.as_ref().is_some_and(|switch| switch.deadline() <= self.now)
            });
            let due: Vec<_> = due.map(|(name, _)| (*name, Event::Time)).collect();
            self.events.extend(due);
            for _ in 0..self.events.len() {
                let (name, event) = self.events.pop_front().unwrap();
                let now = self.now;
                if let Some(switch) = &mut self.machines.get_mut(name).unwrap().switch {
                    let effects = switch.handle(event, now);
                    self.perform(name, effects);
                }
            }
        }
    }

    /// A cable is pulled out, or plugged in again.
    fn set_carrier(&mut self, cable: usize, usable: bool) {
        for (name, port) in CABLES[cable] {
            let port = self.machines.get_mut(name).unwrap().ports.get_mut(&port).unwrap();
            port.usable = usable;
            // As the kernel does.
            port.bridge_port = Some(if usable { BridgePort::Forwarding } else { BridgePort::Closed });
            self.tell_interfaces(name);
        }
    }

    fn is_open(&self, (name, port): (&str, u16)) -> bool {
        self.machines[name].ports[&port].bridge_port == Some(BridgePort::Forwarding)
    }

    /// The cables that carry frames.
    fn open(&self) -> BTreeSet<usize> {
        (0..3).filter(|cable| CABLES[*cable].iter().all(|end| self.is_open(*end))).collect()
    }

    fn warnings(&self, name: &str) -> Vec<String> {
        self.machines[name].view.as_ref().unwrap().warnings.clone()
    }
}

#[test]
fn a_ring_agrees_on_a_tree_and_on_another_when_a_cable_is_pulled_out() {
    let mut ring = Ring::new();
    ["a", "b", "c"].into_iter().for_each(|name| ring.start(name));
    ring.run_for(600);
    ring.is_tamed = true;
    ring.run_for(2400);
    assert_eq!(ring.open(), BTreeSet::from([0, 2]));
    assert!(!ring.is_open(("b", 2)) && !ring.is_open(("c", 1)));
    assert!(ring.machines.values().all(|machine| machine.forgets > 0));
    let forgot = ring.machines["c"].forgets;
    ring.set_carrier(0, false);
    ring.run_for(500);
    assert_eq!(ring.open(), BTreeSet::from([1, 2]), "heals within half a second");
    assert!(ring.machines["c"].forgets > forgot);
    ring.run_for(5000);
    assert!(["a", "b", "c"].iter().all(|name| ring.warnings(name).is_empty()));
}

#[test]
fn a_port_to_a_silent_neighbour_is_closed_and_that_is_said() {
    let mut ring = Ring::new();
    ["a", "b"].into_iter().for_each(|name| ring.start(name));
    ring.run_for(6000);
    assert_eq!(ring.open(), BTreeSet::from([0]));
    assert!(!ring.is_open(("a", 2)));
    let said = ring.warnings("a");
    assert!(
        said.len() == 1 && said[0].contains("port 2") && said[0].contains("no agent is heard"),
        "{said:?}"
    );
    // It starts at last, and forgets what was said.
    ring.start("c");
    ring.run_for(3000);
    assert_eq!((ring.open(), ring.warnings("a")), (BTreeSet::from([0, 2]), Vec::new()));
}

#[test]
fn a_dead_agent_interrupts_nothing_until_the_tree_becomes_another() {
    let mut ring = Ring::new();
    ["a", "b", "c"].into_iter().for_each(|name| ring.start(name));
    ring.run_for(3000);
    ring.is_tamed = true;
    ring.machines.get_mut("c").unwrap().switch = None;
    ring.run_for(20_000);
    assert_eq!(ring.open(), BTreeSet::from([0, 2]), "frames go on");
    ring.set_carrier(0, false);
    ring.run_for(1000);
    assert_eq!(ring.open(), BTreeSet::new(), "c cannot agree to the tree that needs its other link");
    ring.start("c");
    ring.run_for(3000);
    assert_eq!(ring.open(), BTreeSet::from([1, 2]));
}

#[test]
fn a_bridge_that_runs_spanning_tree_is_left_alone() {
    let mut ring = Ring::new();
    ring.machines.get_mut("a").unwrap().spanning_tree = true;
    ["a", "b", "c"].into_iter().for_each(|name| ring.start(name));
    ring.run_for(6000);
    assert!(ring.is_open(("a", 1)) && ring.is_open(("a", 2)));
    assert!(!ring.is_open(("b", 1)) && !ring.is_open(("c", 2)), "a has agreed to nothing");
}
