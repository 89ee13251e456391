//! The controller against a packet path in memory.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::Duration,
};

use proptest::prelude::*;
use smoc_common::{
    map::{Attachment, Detour, DetourKey, HelloKeys, PathSet, Port, Settings, THIS_EDGE},
    route::{PortNumber, Rank, Route},
    wire::ethernet::MacAddress,
};

use super::*;
use crate::{
    config::{Border, Spread},
    dataplane::{Slot, Toward, fake::FakeDataplane},
    hosts::{HostTable, KnownHost, Source, behind::Routed, ip_address, map_address},
    interfaces::{IfIndex, Interface, Interfaces},
    ports::Roles,
};
use smoc_paths::topology::{End, TopologyFile};

/// Four edges around two transit switches; e1 is the switch under test.
const TOPOLOGY: &str = r#"
links:
  - {a: "e1:1", b: "m1:1"}
  - {a: "e1:2", b: "m2:1"}
  - {a: "e2:1", b: "m1:2"}
  - {a: "e2:2", b: "m2:2", cost: 3}
  - {a: "e3:1", b: "m1:3"}
  - {a: "e4:1", b: "m2:3"}
hosts:
  - {name: h1, port: "e1:9", mac: "02:00:00:00:00:01", addresses: [10.0.0.1]}
  - {name: h2, port: "e2:9", mac: "02:00:00:00:00:02", addresses: [10.0.0.2, "fd00::2"]}
"#;

const START: Nanos = Nanos(1_000_000_000_000);

fn port(number: u16) -> PortNumber {
    PortNumber::new(number).unwrap()
}

/// What the controller decides from, owned.
struct World {
    topology: Topology,
    ports: BTreeMap<PortNumber, String>,
    interfaces: Interfaces,
    closed: BTreeSet<PortNumber>,
    roles: Roles,
    failures: Failures,
    down: BTreeSet<LinkId>,
    detours: BTreeMap<DetourKey, Detour>,
    hosts: BTreeMap<IpAddr, KnownHost>,
    routed: Routed,
    spread: Spread,
    border: Border,
}

impl World {
    fn new() -> Self {
        let topology = TopologyFile::parse(Path::new("t.yaml"), TOPOLOGY).unwrap().topology;
        let (mut table, mut hosts) = (HostTable::default(), BTreeMap::new());
        table.declare(&topology, SwitchId(0), START);
        table.refresh(&mut hosts, &topology, SwitchId(0));
        let ports = [1, 2, 9].map(|number| (port(number), format!("p{number}"))).into();
        Self {
            topology,
            ports,
            interfaces: interfaces(|_| true),
            failures: Failures::default(),
            closed: BTreeSet::new(),
            roles: Roles::with([port(1), port(2)].into()),
            down: BTreeSet::new(),
            detours: BTreeMap::new(),
            hosts,
            routed: Routed::default(),
            spread: Spread::None,
            border: Border::default(),
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            closed: &self.closed,
            roles: &self.roles,
            topology: &self.topology,
            this: SwitchId(0),
            ports: &self.ports,
            bridge: Some("br0"),
            interfaces: &self.interfaces,
            failures: &self.failures,
            unused: &self.down,
            detours: &self.detours,
            hosts: &self.hosts,
            routed: &self.routed,
            spread: self.spread,
            border: &self.border,
            hello_keys: HelloKeys::default(),
            host_entries: 1000,
        }
    }

    fn put(&mut self, address: &str, switch: &str, at: u16, mac: u8) {
        let switch = self.topology.find_switch(switch).unwrap();
        let host = KnownHost {
            at: End { switch, port: port(at) },
            mac: MacAddress::new([2, 0, 0, 0, 1, mac]),
            name: None,
            source: Source::Announced,
            seen: None,
        };
        self.hosts.insert(address.parse().unwrap(), host);
    }

    fn controller(&self, dataplane: &FakeDataplane, now: Nanos) -> Controller {
        Controller::adopt(&self.topology, SwitchId(0), PathOptions::default(), dataplane.state.clone(), now)
    }

    /// Plans, makes all changes, and returns them.
    fn settle(&self, controller: &mut Controller, dataplane: &mut FakeDataplane, now: Nanos) -> Plan {
        let plan = controller.plan(&self.inputs(), now).unwrap();
        for change in &plan.changes {
            dataplane.apply(change);
            controller.applied(change);
        }
        plan
    }
}

fn interfaces(usable: impl Fn(u32) -> bool) -> Interfaces {
    let bridge = interface(10, "br0", true);
    let ports = [1, 2, 9].map(|number| Interface {
        master: Some(IfIndex(10)),
        ..interface(number, &format!("p{number}"), usable(number))
    });
    ports.into_iter().chain([bridge]).collect()
}

fn interface(index: u32, name: &str, usable: bool) -> Interface {
    Interface {
        index: IfIndex(index),
        name: name.to_owned(),
        mac: MacAddress::new([2, 0, 0, 0, 0xff, index as u8]),
        usable,
        mtu: 1500,
        megabits: 0,
        master: None,
        bridge_port: None,
        spanning_tree: None,
        xdp: None,
    }
}

#[test]
fn a_first_start_fills_everything_and_switches_on_last() {
    let (world, mut dataplane) = (World::new(), FakeDataplane::default());
    let mut controller = world.controller(&dataplane, START);
    let plan = world.settle(&mut controller, &mut dataplane, START);
    assert!(matches!(plan.changes.last(), Some(Change::SetSettings(_))), "{:?}", plan.changes);
    let state = &dataplane.state;
    assert_eq!(
        state.names,
        BTreeMap::from(
            [(0, "e1"), (1, "e2")]
                .map(|(index, switch)| (index, Toward { switch: switch.to_owned(), rule: 0 }))
        )
    );
    assert_eq!((state.settings.port_width, state.settings.spread), (2, Settings::SPREAD_NONE));
    assert_eq!(state.settings.mac, MacAddress::new([2, 0, 0, 0, 0xff, 10]), "the bridge's");
    assert_eq!(state.ports[&port(9)].interface, IfIndex(9));
    assert_eq!(state.ports[&port(9)].port.mac, state.settings.mac);
    let roles = [1, 9]
        .map(|number| (state.ports[&port(number)].port.role, state.ports[&port(number)].port.interface));
    assert_eq!(roles, [(Port::FABRIC, 1), (Port::HOST, 9)]);
    assert_eq!((state.settings.guarded, state.settings.openings), (0, Border::OPENINGS));
    let h2 = state.hosts[&map_address("fd00::2".parse().unwrap())];
    assert_eq!((h2.attachment, h2.mac.octets()[5]), (Attachment { edge: 1, port: 9 }, 2));
    let h1 = state.hosts[&map_address("10.0.0.1".parse().unwrap())];
    assert_eq!(h1.attachment, Attachment { edge: THIS_EDGE, port: 9 });
}

#[test]
fn path_sets_hold_ports_routes_and_paths_of_least_cost() {
    let (world, mut dataplane) = (World::new(), FakeDataplane::default());
    world.settle(&mut world.controller(&dataplane, START), &mut dataplane, START);
    let set = dataplane.state.path_sets[&dataplane.state.edges[&1]];
    assert_eq!((set.count, set.base_count), (2, 1), "rank 1 costs more");
    assert_eq!(set.paths[PathSet::BASE], set.paths[0]);
    assert_eq!((set.paths[0].port, set.paths[1].port), (1, 2));
    // m1 and m2 have ports 1 to 3, which take two bits; e2 is behind port 2 of both.
    assert!(set.paths[..2].iter().all(|path| path.route == 0b110), "{set:?}");
    assert_eq!(Route::from_bits(set.paths[0].route).pop(2), Some((port(2), Route::END)));
}

#[test]
fn nothing_changes_while_the_world_does_not_even_over_a_restart() {
    let (world, mut dataplane) = (World::new(), FakeDataplane::default());
    let mut controller = world.controller(&dataplane, START);
    world.settle(&mut controller, &mut dataplane, START);
    assert_eq!(world.settle(&mut controller, &mut dataplane, START).changes, []);
    let mut restarted = world.controller(&dataplane, START);
    assert_eq!(world.settle(&mut restarted, &mut dataplane, START).changes, []);
}

#[test]
fn a_restart_repairs_what_is_missing_or_wrong() {
    let (world, mut dataplane) = (World::new(), FakeDataplane::default());
    world.settle(&mut world.controller(&dataplane, START), &mut dataplane, START);
    let good = dataplane.state.clone();
    let address = map_address("10.0.0.2".parse().unwrap());
    dataplane.state.hosts.remove(&address);
    dataplane.state.ports.get_mut(&port(1)).unwrap().interface = IfIndex(77);
    dataplane.state.ports.insert(port(5), dataplane.state.ports[&port(9)]);
    dataplane.state.edges.clear();
    let plan = world.settle(&mut world.controller(&dataplane, START), &mut dataplane, START);
    assert_eq!(plan.changes.len(), 5, "{:?}", plan.changes);
    assert_eq!((&dataplane.state.hosts, &dataplane.state.ports), (&good.hosts, &good.ports));
    let set = |state: &Installed| state.path_sets[&state.edges[&1]];
    assert_eq!(set(&dataplane.state), set(&good));
    assert_eq!(dataplane.state.settings.epoch, good.settings.epoch, "no host moved");
}

#[test]
fn the_epoch_rises_when_a_host_moves_and_only_then() {
    let (mut world, mut dataplane) = (World::new(), FakeDataplane::default());
    let mut controller = world.controller(&dataplane, START);
    let mut epoch = |world: &World| {
        let plan = world.settle(&mut controller, &mut dataplane, START);
        let at = plan.changes.iter().position(|change| matches!(change, Change::SetSettings(_)));
        assert!(at.is_none_or(|at| at + 1 == plan.changes.len()), "the new hosts are there first");
        dataplane.state.settings.epoch
    };
    let first = epoch(&world);
    world.put("10.0.0.7", "e3", 9, 7);
    assert_eq!(epoch(&world), first, "a new host");
    world.put("10.0.0.7", "e3", 9, 8);
    assert_eq!(epoch(&world), first + 1, "another MAC address");
    world.put("10.0.0.7", "e4", 9, 8);
    assert_eq!(epoch(&world), first + 2, "another switch");
    world.hosts.remove(&IpAddr::from([10, 0, 0, 7]));
    assert_eq!(epoch(&world), first + 3, "gone");
}

#[test]
fn a_port_that_is_gone_is_removed_and_one_without_carrier_stays() {
    let (mut world, mut dataplane) = (World::new(), FakeDataplane::default());
    let mut controller = world.controller(&dataplane, START);
    world.settle(&mut controller, &mut dataplane, START);
    world.interfaces = interfaces(|number| number != 1);
    assert_eq!(
        world.settle(&mut controller, &mut dataplane, START).changes,
        [],
        "the prober takes it out of use"
    );
    world.ports.remove(&port(2));
    let plan = world.settle(&mut controller, &mut dataplane, START);
    assert_eq!(plan.changes, [Change::RemovePort(port(2))]);
}

#[test]
fn a_broken_path_is_marked_in_place() {
    let (mut world, mut dataplane) = (World::new(), FakeDataplane::default());
    let mut controller = world.controller(&dataplane, START);
    world.settle(&mut controller, &mut dataplane, START);
    let edge = world.topology.find_switch("e2").unwrap();
    world.failures.paths.insert((edge.into(), Rank::new(1)));
    let urgent = controller.plan_urgent(&world.inputs());
    let plan = world.settle(&mut controller, &mut dataplane, START);
    let [Change::MarkBroken(_, set)] = plan.changes[..] else { panic!("{:?}", plan.changes) };
    assert_eq!(set.broken, 0b10);
    assert_eq!(urgent, plan.changes, "none of it has to wait for the rest of a plan");
    world.failures = Failures::default();
    assert_eq!(world.settle(&mut controller, &mut dataplane, START).changes.len(), 1, "and back");
}

#[test]
fn a_map_that_is_too_small_keeps_what_the_file_names_and_learns_what_fits() {
    let mut world = World::new();
    for n in 0..20 {
        world.put(&format!("10.0.0.{}", 100 + n), "e2", 9, n);
    }
    let dataplane = FakeDataplane::default();
    let inputs = Inputs { host_entries: 5, ..world.inputs() };
    let plan = world.controller(&dataplane, START).plan(&inputs, START).unwrap();
    let set: Vec<_> = plan.changes.iter().filter(|change| matches!(change, Change::SetHost(..))).collect();
    assert_eq!((set.len(), plan.left_out), (5, 18));
    let first = ["10.0.0.1", "10.0.0.2", "fd00::2"].map(|text| map_address(text.parse().unwrap()));
    let mut written = set.iter().take(3).map(|change| match change {
        Change::SetHost(address, _) => *address,
        other => panic!("{other:?}"),
    });
    assert!(written.all(|address| first.contains(&address)), "the declared ones come first");
}

fn address_of(change: &Change) -> Option<String> {
    match change {
        Change::RemoveHost(address) | Change::SetHost(address, _) => Some(ip_address(*address).to_string()),
        _ => None,
    }
}

#[test]
fn hosts_that_leave_or_move_are_written_before_new_ones() {
    let (mut world, mut dataplane) = (World::new(), FakeDataplane::default());
    let mut controller = world.controller(&dataplane, START);
    for n in [50, 60] {
        world.put(&format!("10.0.0.{n}"), "e2", 9, n);
    }
    world.settle(&mut controller, &mut dataplane, START);
    world.hosts.remove(&"10.0.0.50".parse::<IpAddr>().unwrap());
    world.put("10.0.0.10", "e2", 9, 10);
    world.put("10.0.0.60", "e3", 9, 60);
    let plan = world.settle(&mut controller, &mut dataplane, START);
    let order: Vec<_> = plan.changes.iter().filter_map(address_of).collect();
    assert_eq!(order, ["10.0.0.50", "10.0.0.60", "10.0.0.10"]);
}

#[test]
fn detours_are_written_changed_and_removed() {
    let (mut world, mut dataplane) = (World::new(), FakeDataplane::default());
    let mut controller = world.controller(&dataplane, START);
    let key = DetourKey { port: 1, next: 2 };
    for detour in [None, Some(2), Some(9), None] {
        world.detours = detour.map(|port| (key, Detour { port, ..Detour::default() })).into_iter().collect();
        world.settle(&mut controller, &mut dataplane, START);
        assert_eq!(dataplane.state.detours.get(&key).map(|detour| detour.port), detour);
    }
}

#[test]
fn a_path_set_is_replaced_in_another_slot() {
    let (mut world, mut dataplane) = (World::new(), FakeDataplane::default());
    let mut controller = world.controller(&dataplane, START);
    world.settle(&mut controller, &mut dataplane, START);
    let before = dataplane.state.edges[&1];
    let shorter = TOPOLOGY.replace(", cost: 3", "");
    world.topology = TopologyFile::parse(Path::new("t.yaml"), &shorter).unwrap().topology;
    controller.topology_changed(SwitchId(0));
    let plan = world.settle(&mut controller, &mut dataplane, START);
    let after = dataplane.state.edges[&1];
    assert_ne!(before, after);
    assert_eq!(plan.changes.len(), 2, "{:?}", plan.changes);
    assert_eq!(dataplane.state.path_sets[&after].base_count, 2);
    assert_ne!(dataplane.state.path_sets[&before], dataplane.state.path_sets[&after]);
}

#[test]
fn hosts_beyond_the_map_are_left_out_and_counted() {
    let (mut world, mut dataplane) = (World::new(), FakeDataplane::default());
    for n in 0..20u8 {
        world.put(&Ipv4Addr::new(10, 1, 0, n).to_string(), "e2", 9, n);
    }
    let inputs = Inputs { host_entries: 10, ..world.inputs() };
    let plan = world.controller(&dataplane, START).plan(&inputs, START).unwrap();
    plan.changes.iter().for_each(|change| dataplane.apply(change));
    assert_eq!((dataplane.state.hosts.len(), plan.left_out), (10, 13));
}

proptest! {
    /// Whatever the hosts and ports do, the maps end up as desired, no slot in use is overwritten (the fake
    /// panics), and indexes keep their meaning.
    #[test]
    fn changes_applied_to_what_is_installed_give_what_is_desired(
        steps in proptest::collection::vec(
            (proptest::collection::btree_map(0u8..12, (1usize..5, 5u16..9, 0u8..3), 0..8), any::<[bool; 3]>(), 0u64..2000,
             any::<bool>()),
            1..8,
        ),
    ) {
        let (mut world, mut dataplane) = (World::new(), FakeDataplane::default());
        let named = world.hosts.clone();
        let mut controller = world.controller(&dataplane, START);
        let mut now = START;
        for (hosts, up, pause, restart) in steps {
            world.hosts = named.clone();
            for (n, (edge, at, mac)) in hosts {
                world.put(&format!("10.9.0.{n}"), &format!("e{edge}"), at, mac);
            }
            world.interfaces = interfaces(|number| up[[1, 2, 9].iter().position(|n| *n == number).unwrap()]);
            now = now + Duration::from_millis(pause);
            if restart {
                controller = world.controller(&dataplane, now);
            }
            let names = dataplane.state.names.clone();
            let plan = world.settle(&mut controller, &mut dataplane, now);
            prop_assert!(!plan.incomplete);
            prop_assert_eq!(controller.installed(), &dataplane.state);
            let mut again = controller.names().clone();
            let desired = desired::desired(&world.inputs(), controller.book(), &Policies::default(), &mut again);
            let state = &dataplane.state;
            prop_assert_eq!(&state.hosts, &desired.hosts);
            prop_assert_eq!(&state.ports, &desired.ports);
            let sets: BTreeMap<_, _> = state.edges.iter().map(|(edge, slot)| (*edge, state.path_sets[slot])).collect();
            prop_assert_eq!(sets, desired.path_sets);
            prop_assert!(state.edges.values().all(|slot| *slot != Slot(0)));
            prop_assert!(names.iter().all(|(index, name)| state.names.get(index) == Some(name)));
            prop_assert_eq!(Settings { epoch: 0, ..state.settings }, desired.settings);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hosts_alone_are_planned_as_together_with_all_the_rest_or_not_at_all(
        steps in proptest::collection::vec((0u8..6, 0usize..5, 1u16..4, 0u8..3), 1..40),
    ) {
        let (mut world, mut dataplane) = (World::new(), FakeDataplane::default());
        let mut controller = world.controller(&dataplane, START);
        prop_assert!(controller.plan_hosts(&world.inputs(), &BTreeSet::new()).is_none(), "nothing is there yet");
        world.settle(&mut controller, &mut dataplane, START);
        let mut alone = 0;
        for (step, (host, switch, at, mac)) in steps.into_iter().enumerate() {
            let address = format!("10.0.1.{host}");
            match ["e1", "e2", "e3", "e4"].get(switch) {
                Some(switch) => world.put(&address, switch, at, mac),
                None => drop(world.hosts.remove(&address.parse::<IpAddr>().unwrap())),
            }
            let moved = BTreeSet::from([address.parse().unwrap()]);
            let hosts = controller.plan_hosts(&world.inputs(), &moved);
            let now = START + Duration::from_secs(2 + step as u64);
            let plan = world.settle(&mut controller, &mut dataplane, now);
            if let Some(changes) = hosts {
                prop_assert_eq!(changes, plan.changes);
                alone += 1;
            }
            let again = controller.plan(&world.inputs(), now).unwrap();
            prop_assert!(again.changes.is_empty());
        }
        world.put("10.0.2.1", "e2", 9, 1);
        let moved = BTreeSet::from(["10.0.2.1".parse().unwrap()]);
        let changes = controller.plan_hosts(&world.inputs(), &moved);
        prop_assert_eq!(changes.map(|changes| changes.len()), Some(1), "{} before", alone);
        let few = Inputs { host_entries: 2, ..world.inputs() };
        prop_assert!(controller.plan_hosts(&few, &moved).is_none(), "not all hosts fit");
    }
}
