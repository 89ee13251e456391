//! The agents: when they take in what happens, and what becomes of what they want.

use std::{collections::BTreeSet, time::Duration};

use smoc_common::memory::Side;
use smoc_control::{
    clock::Nanos,
    dataplane::Change,
    discovery::{
        announcement::{self, Message},
        lldp, presence,
    },
    interfaces::BridgePort,
    liveness::prober::Prober,
    ports::{Programs, Role},
    switch::{Effect, Event as Happening, Snapshot, Start, Switch, Wish, lone, write_all},
};

use crate::{
    bounds,
    fabric::{Break, Event, Fabric},
    frame::Kind,
    node::Agent,
};

/// Microseconds since 1970 when virtual time begins.
const EPOCH: u64 = 1_700_000_000_000_000;
/// How far a switch's clock may be off, in microseconds.
const SKEW: u64 = 30_000_000;
/// How often maps are read back.
const KEEP: Duration = Duration::from_secs(1);
/// An agent that is woken so often while time stands still does not do what it was woken for.
const MOST_SPINS: u32 = 10_000;

impl Fabric {
    /// An agent starts on a switch, as a process anew.
    pub(crate) fn start(&mut self, node: u32) {
        let now = self.queue.now();
        let (bits, lateness) = (self.random.bits(), self.random.bits() % SKEW);
        let switch = &mut self.nodes[node as usize];
        let config = self.network.configs[node as usize].clone();
        let topology = self.network.files[switch.file].clone();
        let (topology, this) = if config.is_discovered() {
            lone(&config)
        } else {
            let Ok(this) = config.place(&topology) else { return };
            (topology, this)
        };
        if switch.agent.is_some() {
            return;
        }
        switch.runs += 1;
        switch.late = now;
        let run = switch.runs;
        let programs = Programs { host: run * 2, fabric: run * 2 + 1 };
        let start = Start {
            config,
            topology,
            this,
            interfaces: switch.interfaces(),
            installed: switch.kernel.installed(),
            exits: switch.kernel.exits().clone(),
            routes: [].into(),
            programs,
            boot: bits,
            sequence: EPOCH + now.0 / 1000 + SKEW / 2 - lateness,
            records: switch.records.clone(),
        };
        let (control, effects) = Switch::start(start, now);
        switch.agent = Some(Agent {
            run,
            control,
            prober: Prober::new(node << 12 | run),
            inbox: Default::default(),
            wakes: Nanos(u64::MAX),
            looked: Nanos(u64::MAX),
            slow: Duration::ZERO,
            stopped: false,
            missed: [false; 3],
            sockets: Default::default(),
            snapshot: None,
            programs,
            file: switch.file,
            spins: 0,
            woken: Nanos(0),
        });
        self.say(|| format!("{}: agent {run} starts", self.name(node)));
        self.watch.changed = true;
        self.apply(node, effects);
        let first = Duration::from_nanos(self.random.bits() % 10_000_000);
        self.queue.after(first, Event::Tick { node, run });
        self.queue.after(KEEP, Event::Keep { node, run });
        self.wake(node);
    }

    /// Something waits for an agent, if there is one.
    pub(crate) fn post(&mut self, node: u32, event: Happening) {
        let now = self.queue.now();
        let Some(agent) = &mut self.nodes[node as usize].agent else { return };
        agent.inbox.push_back((now + agent.slow, event));
        self.wake(node);
    }

    /// Schedules the next time that control has something to do.
    pub(crate) fn wake(&mut self, node: u32) {
        let Some(agent) = &mut self.nodes[node as usize].agent else { return };
        if agent.stopped {
            return;
        }
        let posted = agent.inbox.front().map_or(Nanos(u64::MAX), |(due, _)| *due);
        let next = posted.min(agent.control.deadline() + agent.slow);
        let now = self.queue.now();
        if next < agent.wakes {
            agent.wakes = next.max(now);
            if agent.wakes == now {
                self.queue.at(now, Event::Control { node, run: agent.run });
            }
        }
        if now < agent.wakes && agent.wakes < agent.looked {
            agent.looked = agent.wakes;
            self.queue.at(agent.looked, Event::Control { node, run: agent.run });
        }
    }

    /// Control takes in what is due.
    pub(crate) fn control(&mut self, node: u32, run: u32) {
        let now = self.queue.now();
        let Some(agent) = self.nodes[node as usize].agent.as_mut().filter(|agent| agent.run == run) else {
            return;
        };
        if agent.looked <= now {
            agent.looked = Nanos(u64::MAX);
        }
        if agent.stopped {
            return;
        }
        if agent.wakes > now {
            return self.wake(node);
        }
        agent.wakes = Nanos(u64::MAX);
        agent.spins = if agent.woken == now { agent.spins + 1 } else { 0 };
        agent.woken = now;
        let spins = agent.spins > MOST_SPINS;
        let event = match agent.inbox.front() {
            Some((due, _)) if *due <= now => {
                agent.inbox.pop_front().map_or(Happening::Time, |(_, event)| event)
            }
            _ => Happening::Time,
        };
        let effects = agent.control.handle(event, now);
        self.counts.handled += 1;
        if spins {
            return self
                .violated(format!("{}: control wants to be woken again and again, now", self.name(node)));
        }
        self.apply(node, effects);
        self.wake(node);
    }

    /// Does what control wants, in order.
    fn apply(&mut self, node: u32, effects: Vec<Effect>) {
        let mut writes = Vec::new();
        for effect in effects {
            if let Effect::Write(change) = effect {
                writes.push(change);
                continue;
            }
            self.write(node, std::mem::take(&mut writes));
            self.fulfil(node, effect);
        }
        self.write(node, writes);
    }

    /// Whether a change gives port numbers another width.
    fn widens(&self, node: u32, change: &Change) -> bool {
        let before = self.nodes[node as usize].kernel.maps.settings;
        matches!(change, Change::SetSettings(new) if before.is_some_and(|old| old.port_width != new.port_width))
    }

    /// Whether routes lead through a switch all the same, when it is drained: it joins what nothing else joins.
    fn is_passed(&self, node: u32) -> bool {
        let snapshot = self.nodes[node as usize].agent.as_ref().and_then(|agent| agent.snapshot.as_ref());
        snapshot.is_none_or(|snapshot| {
            let arcs = snapshot.topology.arcs(snapshot.this).iter();
            arcs.filter(|arc| !snapshot.book.down().contains(&arc.link)).count() > 1
        })
    }

    fn write(&mut self, node: u32, mut writes: Vec<Change>) {
        if writes.is_empty() {
            return;
        }
        self.say(|| format!("{}: writes {writes:?}", self.name(node)));
        if self.options.broken == Some(Break::MapForgetsHosts) {
            writes.retain(|change| !matches!(change, Change::SetHost(..)));
        }
        if self.network.is_discovered()
            && writes.iter().any(|change| self.widens(node, change))
            && self.is_passed(node)
        {
            self.watch.disturb(self.queue.now(), bounds::SETTLED);
        }
        let switch = &mut self.nodes[node as usize];
        let (refuses, random) = (switch.refuses.maps, &mut self.random);
        let errors = write_all(&writes, |change| {
            if refuses && random.below(4) > 0 {
                return Err("the map takes nothing");
            }
            switch.kernel.write(change);
            Ok(())
        });
        self.watch.changed = true;
        if let Some(rule) = switch.kernel.broken_rules.pop() {
            let what = format!("{}: {rule}", switch.name);
            self.violated(what);
        }
        if let Some(why) = errors.first() {
            self.post(node, Happening::Refused { wish: Wish::Maps, why: (*why).to_owned() });
        }
    }

    fn say_effect(&self, node: u32, effect: &Effect) {
        self.say(|| match effect {
            Effect::Publish(_) => format!("{}: publishes", self.name(node)),
            Effect::Watch(targets) => {
                format!("{}: watches, generation {}", self.name(node), targets.generation)
            }
            Effect::Send(port, bytes) => {
                let what = match Message::parse(bytes, self.queue.now()) {
                    Some(Message::Statement(statement)) => format!("{statement:?}"),
                    _ => format!("{} bytes", bytes.len()),
                };
                format!("{}: announces {what} at {port}", self.name(node))
            }
            effect => format!("{}: {effect:?}", self.name(node)),
        });
    }

    fn fulfil(&mut self, node: u32, effect: Effect) {
        self.say_effect(node, &effect);
        let now = self.queue.now();
        let switch = &mut self.nodes[node as usize];
        let refuses = switch.refuses;
        let Some(agent) = &mut switch.agent else { return };
        let refused = |wish, why: &str| Happening::Refused { wish, why: why.to_owned() };
        match effect {
            Effect::Remember(records) => switch.records = records,
            Effect::Write(change) => self.write(node, vec![change]),
            Effect::Inspect => self.inspect(node),
            Effect::Attach(port, ..) if refuses.programs => {
                self.post(node, refused(Wish::Program(port), "another program is there"));
            }
            Effect::Attach(_, role, interface) => {
                let program = match role {
                    Role::Host => (agent.programs.host, Side::Host),
                    Role::Fabric => (agent.programs.fabric, Side::Fabric),
                };
                if let Some(place) = switch.with_interface(interface.index) {
                    switch.ports[usize::from(place)].program = Some(program);
                    self.will_tell(node);
                }
            }
            Effect::KeepPrograms(names) => self.keep_programs(node, &names),
            Effect::SetBridgePort(port, ..) if refuses.bridge => {
                self.post(node, refused(Wish::BridgePort(port), "the bridge does not obey"));
            }
            Effect::SetBridgePort(port, _, state) => self.set_bridge_port(node, port.get(), state),
            Effect::ForgetAddresses(_) => switch.bridge.forget(),
            Effect::Listen(port, ..) if refuses.sockets => {
                self.post(node, refused(Wish::Socket(port), "too many open files"));
            }
            Effect::Listen(port, role, index) => drop(agent.sockets.insert(port, (index, role))),
            Effect::StopListening(port) => drop(agent.sockets.remove(&port)),
            Effect::Send(port, bytes) => {
                let socket = agent.sockets.get(&port).map(|(index, _)| *index);
                let there = socket.and_then(|index| switch.with_interface(index));
                if let Some(place) = there
                    && self.options.broken != Some(Break::AgentsAreMute)
                {
                    let kind = kind_of(&bytes);
                    let frame = self.frame(kind, bytes);
                    self.transmit(node, place, frame);
                }
            }
            Effect::Watch(targets) => self.probing(node, |prober, wire| prober.watch(targets, now, wire)),
            // Tables are not looked into: hosts of the simulator are attached to one edge each.
            Effect::Look(_) | Effect::Settle(_) => {}
            Effect::Publish(snapshot) => {
                agent.snapshot = Some(snapshot.clone());
                if self.options.broken == Some(Break::NobodyAgrees) {
                    self.open_without_agreement(node, &snapshot);
                }
            }
        }
    }

    fn keep_programs(&mut self, node: u32, names: &BTreeSet<String>) {
        for port in &mut self.nodes[node as usize].ports {
            if !names.contains(&format!("p{}", port.number.get())) {
                port.program = None;
            }
        }
        self.will_tell(node);
    }

    /// As a fault on purpose: opens what is in the tree of an agent, and closes nothing else.
    fn open_without_agreement(&mut self, node: u32, snapshot: &Snapshot) {
        let arcs = snapshot.topology.arcs(snapshot.this).iter();
        for arc in arcs.filter(|arc| snapshot.tree.contains(&arc.link)) {
            self.set_bridge_port(node, arc.port.get(), BridgePort::Forwarding);
        }
    }

    fn set_bridge_port(&mut self, node: u32, number: u16, state: BridgePort) {
        let is_closed = state == BridgePort::Closed;
        let ignored = is_closed && self.options.broken == Some(Break::BridgeIgnoresClosing);
        let lies = is_closed && self.options.broken == Some(Break::BridgeLiesOfClosing);
        let switch = &mut self.nodes[node as usize];
        let Some(place) = switch.place(number).filter(|place| switch.ports[usize::from(*place)].carrier)
        else {
            return;
        };
        let changed = match (ignored, lies) {
            (true, _) => false,
            (_, true) => switch.bridge.pretend_closed(place),
            _ => switch.bridge.set(place, state),
        };
        if changed {
            self.watch.changed = true;
            self.will_tell(node);
        }
    }

    /// Lets the prober do something; what it finds is posted.
    fn probing(&mut self, node: u32, act: impl FnOnce(&mut Prober, &mut crate::node::PortWire<'_>) -> bool) {
        let broken = self.options.broken;
        let silent = broken == Some(Break::ProberIsSilent);
        let keeps = silent || broken == Some(Break::ProberKeepsPorts);
        let now = self.queue.now();
        let switch = &mut self.nodes[node as usize];
        let before = switch.kernel.transmit_writes;
        let Some((agent, mut wire)) = switch.prober(now, keeps) else { return };
        let changed = act(&mut agent.prober, &mut wire);
        let found = (changed && !silent).then(|| agent.prober.found());
        let sent = wire.finish();
        self.watch.changed |= switch.kernel.transmit_writes != before;
        for (place, bytes) in sent {
            let frame = self.frame(Kind::Probe, bytes);
            self.transmit(node, place, frame);
        }
        if let Some(found) = found {
            self.say(|| format!("{}: found {:?}", self.name(node), found.failures));
            self.post(node, Happening::Found(found));
        }
    }

    /// The prober's timer.
    pub(crate) fn tick(&mut self, node: u32, run: u32) {
        let now = self.queue.now();
        let Some(agent) = self.nodes[node as usize].agent.as_mut().filter(|agent| agent.run == run) else {
            return;
        };
        if agent.stopped {
            agent.missed[0] = true;
            return;
        }
        self.probing(node, |prober, wire| prober.tick(now, wire));
        let Some(agent) = &self.nodes[node as usize].agent else { return };
        // Timers are late, never early.
        let next = agent.prober.tick_interval() + Duration::from_nanos(self.random.bits() % 100_000);
        self.queue.after(next, Event::Tick { node, run });
    }

    /// The kernel is about to tell that interfaces changed.
    pub(crate) fn will_tell(&mut self, node: u32) {
        let switch = &mut self.nodes[node as usize];
        if !std::mem::replace(&mut switch.telling, true) {
            let late = Duration::from_nanos(50_000 + self.random.bits() % 500_000);
            self.queue.after(late, Event::Tell { node });
        }
    }

    /// The kernel tells that interfaces changed.
    pub(crate) fn tell(&mut self, node: u32) {
        let now = self.queue.now();
        let switch = &mut self.nodes[node as usize];
        switch.telling = false;
        let Some(agent) = &mut switch.agent else { return };
        if agent.stopped {
            agent.missed[1] = true;
            return;
        }
        let carriers: Vec<_> = switch
            .ports
            .iter()
            .enumerate()
            .map(|(place, port)| (switch.index(place as u16), port.carrier && port.exists))
            .collect();
        let interfaces = switch.interfaces();
        self.probing(node, |prober, wire| {
            let changed = carriers.iter().map(|(index, carrier)| prober.carrier(*index, *carrier, now, wire));
            changed.fold(false, |any, changed| any | changed)
        });
        self.post(node, Happening::Interfaces(interfaces));
    }

    /// The agent's second: maps are read back, and the prober hears which paths are in use.
    pub(crate) fn keep(&mut self, node: u32, run: u32) {
        let Some(agent) = self.nodes[node as usize].agent.as_mut().filter(|agent| agent.run == run) else {
            return;
        };
        if agent.stopped {
            agent.missed[2] = true;
            return;
        }
        self.queue.after(KEEP, Event::Keep { node, run });
        self.tell_used(node);
        // In a large fabric each agent reads them back only every few seconds, which is most of what that costs.
        let seconds = self.queue.now().since(Nanos(0)).as_secs() + u64::from(node);
        if seconds.is_multiple_of(self.nodes.len() as u64 / 100 + 1) {
            self.inspect(node);
        }
    }

    fn tell_used(&mut self, node: u32) {
        let switch = &mut self.nodes[node as usize];
        switch.kernel.maps.events.clear();
        let Some(agent) = &mut switch.agent else { return };
        let Some(snapshot) = &agent.snapshot else { return };
        let used = switch.kernel.maps.flows.entries.values().filter_map(|flow| {
            Some((snapshot.toward(flow.remote.edge)?, smoc_common::route::Rank::new(flow.rank)))
        });
        agent.prober.used(used.collect());
    }

    fn inspect(&mut self, node: u32) {
        let switch = &self.nodes[node as usize];
        let Some(agent) = &switch.agent else { return };
        let changes = agent.control.expected().changes;
        self.post(node, Happening::Inspected { changes, found: switch.kernel.installed() });
    }

    /// A stopped agent goes on: what it missed comes now.
    pub(crate) fn go_on(&mut self, node: u32) {
        let Some(agent) = &mut self.nodes[node as usize].agent else { return };
        agent.stopped = false;
        agent.wakes = Nanos(u64::MAX);
        let (run, [tick, interfaces, keep]) = (agent.run, std::mem::take(&mut agent.missed));
        if interfaces {
            self.will_tell(node);
        }
        if tick {
            self.queue.after(Duration::ZERO, Event::Tick { node, run });
        }
        if keep {
            self.queue.after(Duration::ZERO, Event::Keep { node, run });
        }
        self.wake(node);
    }
}

/// What an agent says: of itself, to other agents, or to a host, which it asks whether an address is its own.
fn kind_of(bytes: &[u8]) -> Kind {
    match bytes.get(12..14) {
        _ if lldp::is_one(bytes) || presence::is_one(bytes) => Kind::Advertisement,
        Some(ether_type) if ether_type == announcement::ETHER_TYPE.to_be_bytes() => Kind::Announcement,
        _ => Kind::Resolution,
    }
}
