//! A run: everything that is there, and the loop that lets one event after the other happen.

use std::{collections::BTreeMap, time::Duration};

use smoc_control::{clock::Nanos, interfaces::BridgePort};
use smoc_paths::topology::generate::Random;

use crate::{
    clock::Queue,
    faults::{self, Timed},
    frame::{Frame, Kind},
    host::Host,
    invariants::Watch,
    link::{Link, Plug},
    network::{Network, Size},
    node::Node,
    report::{Counts, Outcome},
    traffic::Traffic,
};

/// How often it is looked whether everything is as it should be.
pub const CHECK: Duration = Duration::from_millis(10);

/// A fault on purpose, to see that the simulator finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Bridges do not close a port, and say so.
    BridgeIgnoresClosing,
    /// Bridges say that a port is closed, and leave it open.
    BridgeLiesOfClosing,
    /// Programs let the base network in through closed ports.
    ProgramsLetIn,
    /// Programs do not answer the question whether a switch is there.
    ProgramsAreMute,
    /// Whatever the neighbours say, the ports of the tree are opened once an agent has worked it out, and programs let the
    /// base network in.
    NobodyAgrees,
    /// Probers say that a dead port is out of use, and leave it in.
    ProberKeepsPorts,
    /// Probers leave dead ports in and tell control nothing of what they find.
    ProberIsSilent,
    /// The packet path loses a frame in a hundred of those that it should send on.
    FramesVanish,
    /// No announcement is ever sent.
    AgentsAreMute,
    /// The maps say that a host is written, and forget every other one.
    MapForgetsHosts,
}

/// What is to be run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// From which everything is drawn.
    pub seed: u64,
    /// How large the network is.
    pub size: Size,
    /// Only so many of the first episodes of faults happen.
    pub episodes: Option<usize>,
    /// Whether everything that happens is told on standard error.
    pub trace: bool,
    /// Whether it is told on standard error how far the run has come.
    pub progress: bool,
    /// What is broken on purpose.
    pub broken: Option<Break>,
    /// No faults, and an end after so long.
    pub only: Option<Duration>,
    /// Whether operators apply policies.
    pub policies: bool,
}

/// What happens next.
#[derive(Debug)]
pub(crate) enum Event {
    /// A frame comes to this end of a cable, unless that was cut since.
    Arrive { link: u32, end: u8, cuts: u32, frame: Box<Frame> },
    /// A prober's tick.
    Tick { node: u32, run: u32 },
    /// An agent's control has something to do.
    Control { node: u32, run: u32 },
    /// The kernel tells that interfaces changed.
    Tell { node: u32 },
    /// An agent reads its maps back and looks which paths are in use.
    Keep { node: u32, run: u32 },
    /// An agent starts.
    Start { node: u32 },
    /// A host tells everybody its address.
    Announce { host: u32 },
    /// A stream sends.
    Stream { stream: u32 },
    /// A fault happens.
    Fault { number: u32 },
    /// It is looked whether everything is as it should be.
    Check,
}

/// A run.
#[derive(Debug)]
pub struct Fabric {
    pub(crate) options: Options,
    pub(crate) random: Random,
    pub(crate) queue: Queue<Event>,
    pub(crate) network: Network,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Vec<Link>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) traffic: Traffic,
    pub(crate) faults: Vec<Timed>,
    pub(crate) episodes: usize,
    pub(crate) watch: Watch,
    pub(crate) counts: Counts,
    pub(crate) frames: u64,
    /// The cables that went with a switch, until they work again.
    pub(crate) cut: BTreeMap<u32, Vec<u32>>,
}

impl Break {
    /// Whether programs let the base network in through closed ports.
    pub(crate) fn lets_in(broken: Option<Self>) -> bool {
        matches!(broken, Some(Self::ProgramsLetIn | Self::NobodyAgrees))
    }
}

impl Fabric {
    /// Draws everything.
    pub fn new(options: Options) -> Self {
        let mut random = Random(options.seed);
        let network = Network::draw(options.size, &mut random);
        let mut episodes =
            if options.only.is_some() { Vec::new() } else { faults::draw(&network, &mut random) };
        if options.policies {
            episodes.insert(0, faults::policies(&network, options.seed));
        }
        episodes.truncate(options.episodes.unwrap_or(usize::MAX));
        let (count, mut faults) = (episodes.len(), episodes.concat());
        faults.sort_by_key(|(at, _)| *at);
        let nodes = network.names.iter().zip(&network.ports).enumerate();
        let nodes = nodes.map(|(place, (name, ports))| Node::new(place as u32, name, ports)).collect();
        let mut fabric = Self {
            options,
            traffic: Traffic::draw(&network, &mut random),
            random,
            queue: Queue::default(),
            nodes,
            links: Vec::new(),
            hosts: Vec::new(),
            faults,
            episodes: count,
            watch: Watch::default(),
            counts: Counts::default(),
            frames: 0,
            cut: BTreeMap::new(),
            network,
        };
        fabric.plug_in();
        fabric.schedule();
        for link in 0..fabric.network.cables.len() as u32 {
            fabric.say(|| format!("there is {}", fabric.cable_name(link)));
        }
        for (number, host) in fabric.network.hosts.iter().enumerate() {
            fabric.say(|| format!("there is host {number} at {}:{}", fabric.name(host.switch), host.port));
        }
        fabric
    }

    /// Cables, and hosts at them.
    fn plug_in(&mut self) {
        for cable in self.network.cables.clone() {
            let ends = cable.ends.map(|(switch, port)| self.plug(switch, port));
            let mut link = Link::new(ends, cable.delay);
            if !cable.in_file[0] {
                link.set([false; 2], [false; 2]);
                link.laid = false;
            }
            self.links.push(link);
        }
        for (number, place) in self.network.hosts.clone().into_iter().enumerate() {
            let ends = [self.plug(place.switch, place.port), Plug::Host(number as u32)];
            let link = self.links.len() as u32;
            self.links.push(Link::new(ends, Duration::from_micros(5)));
            let (known, asked) = Default::default();
            self.hosts.push(Host { mac: place.mac, address: place.address, link, known, asked });
        }
        for link in 0..self.links.len() as u32 {
            self.join(link);
        }
        // Closed before the first agent runs, as operators are told to do.
        self.links[..self.network.cables.len()].iter().flat_map(|link| link.ends).for_each(|end| {
            if let Plug::Port(node, place) = end {
                self.nodes[node as usize].bridge.set(place, BridgePort::Closed);
            }
        });
    }

    fn plug(&self, switch: u32, port: u16) -> Plug {
        Plug::Port(switch, self.nodes[switch as usize].place(port).expect("cables end at ports that exist"))
    }

    /// Tells both ends of a cable that it is there.
    pub(crate) fn join(&mut self, link: u32) {
        for end in 0..2 {
            let Link { ends, carrier, .. } = &self.links[link as usize];
            if let Plug::Port(node, place) = ends[end] {
                let (carrier, other) = (carrier[end], ends[1 - end]);
                let port = &mut self.nodes[node as usize].ports[usize::from(place)];
                port.cable = Some((link, end as u8));
                port.host = if let Plug::Host(host) = other { Some(host) } else { None };
                self.set_carrier(node, place, carrier);
            }
        }
    }

    fn schedule(&mut self) {
        let within = |random: &mut Random, ms: u64| Nanos(random.bits() % (ms * 1_000_000));
        for node in 0..self.nodes.len() as u32 {
            if self.network.is_old(node as usize) {
                let at = within(&mut self.random, 500);
                self.queue.at(at, Event::Start { node });
            }
        }
        let apart = if self.hosts.len() > 1000 { 2500 } else { 500 };
        for host in 0..self.hosts.len() as u32 {
            let at = within(&mut self.random, apart) + Duration::from_millis(700);
            self.queue.at(at, Event::Announce { host });
        }
        for stream in 0..self.traffic.streams.len() as u32 {
            let at = within(&mut self.random, 500) + Duration::from_secs(2);
            self.queue.at(at, Event::Stream { stream });
        }
        for (number, (at, _)) in self.faults.iter().enumerate() {
            self.queue.at(*at, Event::Fault { number: number as u32 });
        }
        self.queue.at(Nanos(0) + CHECK, Event::Check);
    }

    /// Lets everything happen until it is over or something is wrong.
    pub fn run(mut self) -> Outcome {
        let last = self.faults.last().map_or(faults::FIRST, |(at, _)| at.since(Nanos(0)));
        let end = self.options.only.unwrap_or(last + crate::bounds::QUIET + Duration::from_secs(5));
        let end = Nanos(0) + end;
        self.tell_plan(end);
        while let Some(event) = self.queue.next(end) {
            self.counts.events += 1;
            self.happen(event);
            if self.watch.changed {
                self.watch.changed = false;
                self.look_at_tree();
                self.look_at_ways();
            }
            if self.watch.is_over {
                break;
            }
        }
        self.outcome()
    }

    /// What a long run has before it.
    fn tell_plan(&self, end: Nanos) {
        if self.options.progress
            && let [(from, fault), .., (to, _)] = self.faults.as_slice()
        {
            let [from, to, end] = [from, to, &end].map(|at| at.since(Nanos(0)).as_secs_f64());
            eprintln!(
                "{} faults from {from:.1} s ({}) to {to:.1} s of virtual time; the end is where all is as it should be, \
                 or at {end:.0} s",
                self.faults.len(),
                self.describe(fault)
            );
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.queue.now().0;
        match event {
            Event::Arrive { link, end, cuts, frame } => {
                self.counts.mix(now ^ u64::from(link) << 1 ^ u64::from(end) ^ frame.mark().rotate_left(7));
                if self.links[link as usize].cuts == cuts {
                    self.arrive(link, end, *frame);
                }
            }
            Event::Tick { node, run } => self.tick(node, run),
            Event::Control { node, run } => {
                self.counts.mix(now ^ u64::from(node) << 40);
                self.control(node, run);
            }
            Event::Tell { node } => self.tell(node),
            Event::Keep { node, run } => self.keep(node, run),
            Event::Start { node } => self.start(node),
            Event::Announce { host } => self.announce(host),
            Event::Stream { stream } => self.stream(stream),
            Event::Fault { number } => {
                let (_, fault) = self.faults[number as usize].clone();
                self.counts.mix(now ^ u64::from(number) << 50);
                self.suffer(&fault);
            }
            Event::Check => {
                self.check();
                self.queue.after(CHECK, Event::Check);
            }
        }
    }

    /// A frame that somebody makes now.
    pub(crate) fn frame(&mut self, kind: Kind, bytes: Vec<u8>) -> Frame {
        self.frames += 1;
        Frame::new(self.frames, kind, bytes)
    }

    /// Tells what happens, if somebody wants to know.
    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if self.options.trace {
            let now = self.queue.now().0;
            eprintln!("{:4}.{:09} {}", now / 1_000_000_000, now % 1_000_000_000, what());
        }
    }

    /// The name of a switch.
    pub(crate) fn name(&self, node: u32) -> &str {
        &self.nodes[node as usize].name
    }
}
