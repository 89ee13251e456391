//! Hellos and probes: a thread of its own, because the control loop takes long steps.
//!
//! It sends when a tick is due, drains what the kernel programs saw, lets `liveness` decide, and tells the control
//! loop what does not work. If it ends, everything stays as it was last written.

mod command;
mod socket;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
    sync::mpsc,
    time::Duration,
};

use smoc_common::{
    event::Sighting,
    route::{Rank, Route},
    wire::probe::Probe,
};
use tokio::sync::{oneshot, watch};
use tracing::{info, warn};

use crate::{clock, dataplane::xdp::Sightings};
pub use command::{Command, Echo};
use smoc_control::{
    clock::Nanos,
    liveness::{
        Found, PathProbes, PathReport, PathTarget, Port, PortReport, PortTarget, Report, RoundTripRoute,
        Schedule, Targets,
    },
};
use smoc_paths::topology::SwitchId;
use socket::{Sender, received_frames};

/// The longest time between two ticks.
const SLOWEST: Duration = Duration::from_millis(100);
/// The shortest.
const FASTEST: Duration = Duration::from_millis(1);
/// How long somebody who asks for a probe waits for it.
const ECHO_PATIENCE: Duration = Duration::from_secs(1);
/// Subjects from here on are probes that somebody asked for; below are paths.
const FIRST_ECHO: u32 = 1 << 31;

/// How to reach the prober.
pub struct Prober {
    /// Where it is told what to do.
    pub commands: mpsc::Sender<Command>,
    /// What it has found.
    pub found: watch::Receiver<Found>,
}

/// Starts the thread in the network namespace of the caller.
///
/// # Errors
/// No packet socket, or no thread.
pub fn start(sightings: Sightings) -> std::io::Result<Prober> {
    let (commands, orders) = mpsc::channel();
    let (tell, found) = watch::channel(Found::default());
    let sender = Sender::open()?;
    let state = State::new(sender, sightings, tell);
    std::thread::Builder::new().name("prober".into()).spawn(move || run(state, &orders))?;
    Ok(Prober { commands, found })
}

fn run(mut state: State, orders: &mpsc::Receiver<Command>) {
    let mut due = clock::now();
    loop {
        match orders.recv_timeout(due.since(clock::now())) {
            Ok(command) => {
                state.obey(command);
                if clock::now() < due {
                    continue;
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
        let now = clock::now();
        state.tick(now);
        due = due + state.pace.tick;
        if due < now {
            due = now + state.pace.tick;
        }
    }
}

struct WatchedPort {
    target: PortTarget,
    port: Port,
}

struct WatchedPath {
    target: PathTarget,
    subject: u32,
    probes: PathProbes,
    /// Its first port.
    port: usize,
    used: bool,
}

/// A tick, and after how many of them hellos are sent.
#[derive(Clone, Copy)]
struct Pace {
    tick: Duration,
    hello: u32,
}

impl Pace {
    fn new(targets: &Targets) -> Self {
        let probes = if targets.probes.interval.is_zero() { SLOWEST } else { targets.probes.interval };
        let most = probes.clamp(FASTEST, SLOWEST);
        if targets.hellos.interval.is_zero() {
            return Self { tick: most, hello: 1 };
        }
        let hello = targets.hellos.interval.as_nanos().div_ceil(most.as_nanos()) as u32;
        Self { tick: targets.hellos.interval / hello, hello }
    }
}

struct State {
    sender: Sender,
    sightings: Sightings,
    session: u32,
    targets: Targets,
    ports: Vec<WatchedPort>,
    paths: Vec<WatchedPath>,
    by_subject: HashMap<u32, usize>,
    next_subject: u32,
    used: BTreeSet<(SwitchId, Rank)>,
    schedule: Schedule,
    /// When a probe that was sent counts as lost, and the subject it is of.
    deadlines: BinaryHeap<Reverse<(Nanos, u32)>>,
    pace: Pace,
    ticks: u32,
    echoes: HashMap<u32, (Nanos, oneshot::Sender<Option<Duration>>)>,
    next_echo: u32,
    tell: watch::Sender<Found>,
}

impl State {
    fn new(sender: Sender, sightings: Sightings, tell: watch::Sender<Found>) -> Self {
        let targets = Targets::default();
        Self {
            sender,
            sightings,
            session: (clock::now().0 >> 8) as u32 ^ std::process::id().rotate_left(16),
            pace: Pace::new(&targets),
            targets,
            ports: Vec::new(),
            paths: Vec::new(),
            by_subject: HashMap::new(),
            next_subject: 0,
            used: BTreeSet::new(),
            schedule: Schedule::default(),
            deadlines: BinaryHeap::new(),
            ticks: 0,
            echoes: HashMap::new(),
            next_echo: 0,
            tell,
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Watch(targets) => self.watch(targets, clock::now()),
            Command::Used(used) => {
                if used != self.used {
                    self.used = used;
                    self.plan();
                }
            }
            Command::AlsoUsed(edge, rank) => {
                if self.used.insert((edge, rank)) {
                    self.plan();
                }
            }
            Command::Echo(echo) => self.echo(echo),
            // Who asked may have gone.
            Command::Report(reply) => drop(reply.send(self.report(clock::now()))),
        }
    }

    fn watch(&mut self, targets: Targets, now: Nanos) {
        let mut changed = targets.generation != self.targets.generation;
        let mut before: HashMap<_, _> =
            std::mem::take(&mut self.ports).into_iter().map(|port| (port.target.number, port)).collect();
        for &target in &targets.ports {
            let mut port = before.remove(&target.number).unwrap_or_else(|| {
                let down = targets.down.ports.contains(&target.number);
                WatchedPort { target, port: Port::new(targets.hellos, target.carrier, down, now) }
            });
            port.port.set_rules(targets.hellos);
            let lasted = now.since(port.port.since());
            if port.target.interface != target.interface && port.port.set_carrier(false, now) {
                changed = true;
                tell_port(&port, lasted);
            }
            port.target = target;
            if port.port.set_carrier(target.carrier, now) {
                changed = true;
                tell_port(&port, lasted);
            }
            self.ports.push(port);
        }
        self.watch_paths(&targets, now);
        self.pace = Pace::new(&targets);
        self.targets = targets;
        self.plan();
        if changed {
            self.tell();
        }
    }

    fn watch_paths(&mut self, targets: &Targets, now: Nanos) {
        let before = std::mem::take(&mut self.paths);
        let mut before: HashMap<_, _> =
            before.into_iter().map(|path| ((path.target.edge, path.target.rank), path)).collect();
        for target in &targets.paths {
            let Some(port) = self.ports.iter().position(|port| port.target.number == target.route.port)
            else {
                continue;
            };
            let old = before.remove(&(target.edge, target.rank));
            let old = old.filter(|old| old.target.route == target.route && old.target.name == target.name);
            let mut path = old.unwrap_or_else(|| {
                let broken = targets.down.paths.contains(&(target.edge, target.rank));
                self.next_subject = (self.next_subject + 1) % FIRST_ECHO;
                let probes = PathProbes::new(targets.probes.hold_down, broken, now);
                WatchedPath { target: target.clone(), subject: self.next_subject, probes, port, used: false }
            });
            path.probes.set_hold_down(targets.probes.hold_down);
            path.port = port;
            self.paths.push(path);
        }
        self.by_subject = self.paths.iter().enumerate().map(|(index, path)| (path.subject, index)).collect();
    }

    /// Plans when each path is probed.
    fn plan(&mut self) {
        let (mut used, mut idle) = (Vec::new(), Vec::new());
        for (index, path) in self.paths.iter_mut().enumerate() {
            path.used = self.used.contains(&(path.target.edge, path.target.rank));
            if path.used { &mut used } else { &mut idle }.push(index);
        }
        self.schedule.plan(&self.targets.probes, used, idle);
    }

    fn tick(&mut self, now: Nanos) {
        self.hear();
        let mut changed = self.judge_ports(now);
        if self.ticks.is_multiple_of(self.pace.hello) && !self.targets.hellos.interval.is_zero() {
            self.say_hello();
        }
        self.ticks = self.ticks.wrapping_add(1);
        changed |= self.probe_paths(now);
        self.echoes.retain(|_, (sent, reply)| now.since(*sent) < ECHO_PATIENCE && !reply.is_closed());
        if changed {
            self.tell();
        }
    }

    /// Takes what the kernel programs saw.
    fn hear(&mut self) {
        let Self { sightings, session, ports, paths, by_subject, echoes, .. } = self;
        sightings.drain(|Sighting { at, probe, returned, .. }| {
            let (at, sent) = (Nanos(at), Nanos(probe.sent_at));
            let is_hello = probe.flags & Probe::HELLO != 0;
            let number = if returned == 0 { probe.back_port } else { probe.subject };
            let is_it = |port: &&mut WatchedPort| is_hello && u32::from(port.target.number.get()) == number;
            let port = ports.iter_mut().find(is_it);
            match (returned != 0, is_hello) {
                (false, true) => {
                    if let Some(port) = port {
                        port.port.told(probe.flags & Probe::HEARS != 0, at);
                    }
                }
                (true, _) if probe.session != *session => {}
                (true, true) => {
                    if let Some(port) = port {
                        port.port.returned(probe.sequence, sent, at);
                    }
                }
                (true, false) if probe.subject >= FIRST_ECHO => {
                    if let Some((_, reply)) = echoes.remove(&probe.subject) {
                        // Who asked may have gone.
                        let _ = reply.send(Some(at.since(sent)));
                    }
                }
                (true, false) => {
                    if let Some(&index) = by_subject.get(&probe.subject) {
                        paths[index].probes.returned(probe.sequence, sent, at);
                    }
                }
                (false, false) => {}
            }
        });
    }

    fn judge_ports(&mut self, now: Nanos) -> bool {
        self.ports.iter_mut().for_each(|port| port.port.judge(now));
        if self.ports.iter().any(|port| port.port.wants_frames()) {
            let read = received_frames(|interface, frames| {
                let mut wanting = self.ports.iter_mut().filter(|port| port.port.wants_frames());
                if let Some(port) = wanting.find(|port| port.target.interface == interface) {
                    port.port.received(frames.into(), now);
                }
            });
            if let Err(error) = read {
                warn!(%error, "the interfaces' counters cannot be read: only hellos count");
            }
        }
        let mut changed = false;
        for port in &mut self.ports {
            let lasted = now.since(port.port.since());
            if port.port.decide(now) {
                changed = true;
                tell_port(port, lasted);
            }
        }
        changed
    }

    fn say_hello(&mut self) {
        for WatchedPort { target, port } in &mut self.ports {
            if !target.carrier {
                continue;
            }
            let at = clock::now();
            let hears = if port.hears() { Probe::HEARS } else { 0 };
            let probe = Probe {
                sent_at: at.0,
                back_route: Route::END.bits(),
                session: self.session,
                subject: target.number.get().into(),
                sequence: port.next_sequence(),
                back_port: target.neighbor.get().into(),
                flags: Probe::HELLO | hears,
                reserved: 0,
            };
            if self.sender.send(target.interface, &probe.frame(Route::END)) {
                port.sent(at);
            }
        }
    }

    fn probe_paths(&mut self, now: Nanos) -> bool {
        let Self { schedule, paths, ports, sender, session, deadlines, by_subject, .. } = self;
        schedule.due(now, |index| {
            let WatchedPath { target, subject, probes, port, .. } = &mut paths[index];
            let WatchedPort { target: through, port } = &ports[*port];
            if !port.is_up() {
                probes.forget_waiting();
                return;
            }
            let (at, sequence) = (clock::now(), probes.next_sequence());
            if send(sender, through, &target.route, *session, *subject, sequence, at) {
                probes.sent(at);
                deadlines.push(Reverse((at + probes.patience(), *subject)));
            }
        });
        let mut changed = false;
        while let Some(&Reverse((deadline, subject))) = deadlines.peek()
            && deadline <= now
        {
            deadlines.pop();
            let Some(&index) = by_subject.get(&subject) else { continue };
            if ports[paths[index].port].port.is_up() {
                changed |= decide(&mut paths[index], now);
            }
        }
        changed
    }

    fn echo(&mut self, Echo { route, reply }: Echo) {
        let Some(through) = self.ports.iter().find(|port| port.target.number == route.port) else { return };
        let subject = FIRST_ECHO | self.next_echo;
        self.next_echo = (self.next_echo + 1) % FIRST_ECHO;
        let at = clock::now();
        if send(&self.sender, &through.target, &route, self.session, subject, 0, at) {
            self.echoes.insert(subject, (at, reply));
        }
    }

    fn tell(&self) {
        let down = || self.ports.iter().filter(|port| !port.port.is_up());
        let unanswered =
            down().filter(|port| !port.port.was_answered()).map(|port| port.target.number).collect();
        let ports = down().map(|port| port.target.number).collect();
        let paths = self.paths.iter().filter(|path| path.probes.is_broken());
        let paths = paths.map(|path| (path.target.edge, path.target.rank));
        let failures = smoc_control::plan::Failures { ports, unanswered, paths: paths.collect() };
        self.tell.send_replace(Found { generation: self.targets.generation, failures });
    }

    fn report(&self, now: Nanos) -> Report {
        let port = |WatchedPort { target, port }: &WatchedPort| PortReport {
            number: target.number,
            up: port.is_up(),
            reason: port.reason().text(),
            lasts: now.since(port.since()),
            round_trip: port.round_trip(),
            flaps: port.failures(),
            hold_down_left: port.hold_down_left(now),
        };
        let path = |path: &WatchedPath| PathReport {
            edge: path.target.edge,
            rank: path.target.rank,
            broken: path.probes.is_broken(),
            lasts: now.since(path.probes.since()),
            used: path.used,
            loss: path.probes.loss(),
            round_trip: path.probes.round_trip(),
        };
        Report {
            ports: self.ports.iter().map(port).collect(),
            paths: self.paths.iter().map(path).collect(),
            unfit: self.targets.unfit,
            rate: self.schedule.rate(),
            intervals: self.schedule.intervals(),
        }
    }
}

fn send(
    sender: &Sender,
    through: &PortTarget,
    route: &RoundTripRoute,
    session: u32,
    subject: u32,
    sequence: u32,
    at: Nanos,
) -> bool {
    let probe = route.address(Probe { sent_at: at.0, session, subject, sequence, ..Probe::default() });
    sender.send(through.interface, &probe.frame(route.out))
}

fn decide(WatchedPath { target, probes, .. }: &mut WatchedPath, now: Nanos) -> bool {
    let lasted = now.since(probes.since());
    let changed = probes.decide(now);
    if changed {
        let (path, loss) = (&*target.name, probes.loss().unwrap_or_default());
        let rank = target.rank.get();
        if probes.is_broken() {
            warn!(path, rank, loss = %format!("{:.0}%", loss * 100.0), ?lasted, "path is broken: probes are lost");
        } else {
            info!(path, rank, ?lasted, "path is whole again");
        }
    }
    changed
}

/// Logs what a port has become after it was something else for some time.
fn tell_port(WatchedPort { target, port }: &WatchedPort, lasted: Duration) {
    let (number, reason) = (target.number.get(), port.reason().text());
    if port.is_up() {
        info!(port = number, reason, down_for = ?lasted, flaps = port.failures(), "port is up");
    } else {
        warn!(port = number, reason, up_for = ?lasted, flaps = port.failures(), "port is down");
    }
}
