//! One switch: ports, bridge, kernel, and the agent if one runs.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use smoc_common::{
    event::Sighting,
    memory::Side,
    route::{PortNumber, Route},
    tag::TagKey,
    wire::{ethernet::MacAddress, probe::Probe},
};
use smoc_control::{
    clock::Nanos,
    fabric::Record,
    interfaces::{AttachedMode, AttachedXdp, IfIndex, Interface, Interfaces},
    liveness::prober::{Prober, Wire},
    ports::{Programs, Role},
    switch::{Event, Snapshot, Switch},
};

use crate::{bridge::Bridge, kernel::Kernel};

/// The interface numbers of the bridge and of one that is not smoc's.
const BRIDGE: IfIndex = IfIndex(1);
const FOREIGN: IfIndex = IfIndex(2);
/// The interface number of the first port, and what is added when an interface is made anew.
const FIRST_PORT: u32 = 10;
const GENERATION: u32 = 10_000;

/// A port and its interface.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its number.
    pub number: PortNumber,
    /// Its interface's MAC address.
    pub mac: MacAddress,
    /// The cable in it and the end of that.
    pub cable: Option<(u32, u8)>,
    /// The host at the other end of that, if one is there.
    pub host: Option<u32>,
    /// Whether its interface exists.
    pub exists: bool,
    /// How often it was made anew: an interface that comes back has another number.
    pub generation: u32,
    /// Whether that has carrier.
    pub carrier: bool,
    /// The program on it: its number and what it is for.
    pub program: Option<(u32, Side)>,
    /// Frames received.
    pub received: u32,
    /// Whether its transmitter hangs: frames from sockets are refused, others lost.
    pub hangs: bool,
}

/// What a switch refuses to do at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusals {
    /// Writes to maps.
    pub maps: bool,
    /// Programs.
    pub programs: bool,
    /// Bridge port states.
    pub bridge: bool,
    /// Packet sockets.
    pub sockets: bool,
}

/// The process of an agent.
#[derive(Debug)]
pub struct Agent {
    /// Which run of the agent of this switch it is.
    pub run: u32,
    /// The control.
    pub control: Switch,
    /// The prober.
    pub prober: Prober,
    /// What waits to be taken in, and when that will be.
    pub inbox: VecDeque<(Nanos, Event)>,
    /// When control is next woken; `u64::MAX` if that is not scheduled.
    pub wakes: Nanos,
    /// The earliest time to come at which it is looked whether that is so; `u64::MAX` if there is none.
    pub looked: Nanos,
    /// How late it is at everything.
    pub slow: Duration,
    /// Whether the process is stopped.
    pub stopped: bool,
    /// Timers that ran out meanwhile: prober, interfaces, housekeeping.
    pub missed: [bool; 3],
    /// What it listens to.
    pub sockets: BTreeMap<PortNumber, (IfIndex, Role)>,
    /// What it last published.
    pub snapshot: Option<Arc<Snapshot>>,
    /// The programs it has loaded.
    pub programs: Programs,
    /// Which file it was given last.
    pub file: usize,
    /// Times that it was woken without time going on.
    pub spins: u32,
    /// When that was.
    pub woken: Nanos,
}

/// A switch.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its maps.
    pub kernel: Kernel,
    /// Its bridge; ports are places in `ports`.
    pub bridge: Bridge,
    /// Its ports.
    pub ports: Vec<Port>,
    /// The process of its agent.
    pub agent: Option<Agent>,
    /// How many agents it has had.
    pub runs: u32,
    /// What it refuses.
    pub refuses: Refusals,
    /// Since when it refuses writes to maps, if it does.
    pub maps_refused: Nanos,
    /// Whether the kernel is about to tell that interfaces changed.
    pub telling: bool,
    /// Changes with an interface that is not smoc's.
    pub foreign_mtu: u32,
    /// What its agents were asked to remember.
    pub records: Vec<Record>,
    /// Which file its next agent is given.
    pub file: usize,
    /// When its agent was last not running, stopped, slow, just started or refused something.
    pub late: Nanos,
}

impl Node {
    /// A switch without agent.
    pub fn new(place: u32, name: &str, numbers: &[u16]) -> Self {
        let mac = |port: u16| {
            let ([a, b], [c, d]) = ((place as u16).to_be_bytes(), port.to_be_bytes());
            MacAddress::new([0x0a, 0, a, b, c, d])
        };
        let port = |number: &u16| Port {
            number: PortNumber::new(*number).expect("ports are counted from 1"),
            mac: mac(*number),
            cable: None,
            host: None,
            exists: true,
            generation: 0,
            carrier: false,
            program: None,
            received: 0,
            hangs: false,
        };
        let mut bridge = Bridge::new(mac(0), numbers.len());
        (0..numbers.len() as u16).for_each(|port| bridge.carrier(port, false));
        Self {
            name: name.to_owned(),
            kernel: Kernel::default(),
            bridge,
            ports: numbers.iter().map(port).collect(),
            agent: None,
            runs: 0,
            refuses: Refusals::default(),
            maps_refused: Nanos(0),
            telling: false,
            foreign_mtu: 1500,
            records: Vec::new(),
            file: 0,
            late: Nanos(0),
        }
    }

    /// The place of a port. Numbers are dense and sorted, so it is where one looks first.
    pub fn place(&self, number: u16) -> Option<u16> {
        let place = usize::from(number).checked_sub(1)?;
        self.ports.get(place).filter(|port| port.number.get() == number).map(|_| place as u16)
    }

    /// The place of the port with an interface.
    pub fn with_interface(&self, index: IfIndex) -> Option<u16> {
        with_interface(&self.ports, index)
    }

    /// The interface number of a port.
    pub fn index(&self, place: u16) -> IfIndex {
        self.ports[usize::from(place)].index(place)
    }

    /// The interfaces as the kernel lists them now.
    pub fn interfaces(&self) -> Interfaces {
        let plain = |index, name: String, mac| Interface {
            index,
            name,
            mac,
            usable: true,
            mtu: 1500,
            megabits: 0,
            master: None,
            bridge_port: None,
            spanning_tree: None,
            xdp: None,
        };
        let bridge = Interface { spanning_tree: Some(false), ..plain(BRIDGE, "br0".into(), self.bridge.mac) };
        let foreign =
            Interface { mtu: self.foreign_mtu, ..plain(FOREIGN, "eth0".into(), MacAddress::default()) };
        let ports =
            self.ports.iter().enumerate().filter(|(_, port)| port.exists).map(|(place, port)| Interface {
                usable: port.carrier,
                master: Some(BRIDGE),
                bridge_port: Some(self.bridge.told(place as u16)),
                xdp: port.program.map(|(program, _)| AttachedXdp { program, mode: AttachedMode::Native }),
                ..plain(port.index(place as u16), format!("p{}", port.number.get()), port.mac)
            });
        ports.chain([bridge, foreign]).collect()
    }

    /// Whether an agent runs that is neither stopped nor slow.
    pub fn is_prompt(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| !agent.stopped && agent.slow.is_zero())
    }

    /// Whether something is refused to its agent.
    pub fn is_refused(&self) -> bool {
        let Refusals { maps, programs, bridge, sockets } = self.refuses;
        maps || programs || bridge || sockets
    }
}

/// What a prober reaches of its switch during one call. What it sends leaves afterwards.
pub struct PortWire<'a> {
    kernel: &'a mut Kernel,
    ports: &'a [Port],
    refuses: bool,
    /// As a fault on purpose: says that a port was taken out, and leaves it in.
    keeps_ports: bool,
    now: Nanos,
    sightings: VecDeque<Sighting>,
    /// Frames to be sent, with the place of the port.
    pub sent: Vec<(u16, Vec<u8>)>,
}

impl Node {
    /// Splits a node into its prober and what that reaches.
    pub fn prober(&mut self, now: Nanos, keeps_ports: bool) -> Option<(&mut Agent, PortWire<'_>)> {
        let sightings = self.kernel.take_sightings().into();
        let wire = PortWire {
            kernel: &mut self.kernel,
            ports: &self.ports,
            refuses: self.refuses.maps,
            keeps_ports,
            now,
            sightings,
            sent: Vec::new(),
        };
        Some((self.agent.as_mut()?, wire))
    }
}

impl PortWire<'_> {
    /// What was not read stays in the ring.
    pub fn finish(self) -> Vec<(u16, Vec<u8>)> {
        self.kernel.maps.sightings.extend(self.sightings);
        self.sent
    }
}

impl Port {
    /// The interface of the port at this place, as the kernel numbers it now.
    pub fn index(&self, place: u16) -> IfIndex {
        IfIndex(FIRST_PORT + u32::from(place) + self.generation * GENERATION)
    }
}

fn with_interface(ports: &[Port], index: IfIndex) -> Option<u16> {
    let place = index.0.checked_sub(FIRST_PORT)? % GENERATION;
    let port = ports.get(place as usize).filter(|port| port.exists && port.index(place as u16) == index);
    port.map(|_| place as u16)
}

impl Wire for PortWire<'_> {
    fn send(&mut self, interface: IfIndex, route: Route, probe: Probe, key: &TagKey) -> Option<Nanos> {
        let place = with_interface(self.ports, interface)?;
        let port = &self.ports[usize::from(place)];
        if !port.carrier || port.hangs {
            return None;
        }
        let probe = Probe { sent_at: self.now.0, ..probe }.signed(key);
        self.sent.push((place, probe.frame(route).to_vec()));
        Some(self.now)
    }

    fn transmit(&mut self, port: PortNumber, role: Role, to: Option<IfIndex>) -> bool {
        let keeps = self.keeps_ports && to.is_none();
        if !self.refuses && !keeps {
            self.kernel.transmit(port, role, to);
        }
        !self.refuses
    }

    fn transmits(&self, port: PortNumber, role: Role) -> Option<IfIndex> {
        self.kernel.exits().get(&(port, role)).copied()
    }

    fn left_behind(&self) -> BTreeSet<PortNumber> {
        self.kernel.exits().keys().map(|(port, _)| *port).collect()
    }

    fn received(&mut self, each: &mut dyn FnMut(IfIndex, u32)) {
        for (place, port) in self.ports.iter().enumerate().filter(|(_, port)| port.exists) {
            each(port.index(place as u16), port.received);
        }
    }

    fn sighting(&mut self) -> Option<Sighting> {
        self.sightings.pop_front()
    }
}
