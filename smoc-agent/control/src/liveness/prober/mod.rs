//! Hellos and probes as a value: targets and the time go in, failures come out. It sends and reads through a
//! [`Wire`], so that the agent's thread and the simulator run the same code.
//!
//! The prober alone decides through which ports frames leave (`FABRIC_PORTS`, `HOST_PORTS`): the control loop takes long
//! steps, and a dead port must be out of the map at once.
//!
//! | file | what |
//! |---|---|
//! | `ports` | hellos out of every fabric port, and which ports frames leave through |
//! | `paths` | probes along every path |
//! | `echoes` | single probes on request |

mod echoes;
mod paths;
mod ports;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trust_tests;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use smoc_common::{
    event::Sighting,
    route::{PortNumber, Rank, Route},
    tag::TagKey,
    wire::probe::Probe,
};

use super::{Found, Report, RoundTripRoute, Targets};
use crate::{
    clock::Nanos,
    interfaces::IfIndex,
    plan::{Failures, PathsTo},
    ports::Role,
};
use echoes::Echoes;
use paths::Paths;
use ports::Ports;

/// Min and max time between two ticks.
const TICK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));
/// Interval at which the device maps are compared with what they should say.
const COMPARE: Duration = Duration::from_millis(500);
/// Max sightings in one tick: a flood of them must not delay hellos. The rest is read in the next one.
const SIGHTINGS: usize = 16_384;

/// What the prober reaches the world through.
pub trait Wire {
    /// Fills in the time, signs a probe and sends it out of an interface, pushed onto `route`: the time, or `None` if it was
    /// not really sent.
    fn send(&mut self, interface: IfIndex, route: Route, probe: Probe, key: &TagKey) -> Option<Nanos>;

    /// Lets a port lead to an interface in the device map of a role (`FABRIC_PORTS` or `HOST_PORTS`), or nowhere; false
    /// if that could not be written.
    fn transmit(&mut self, port: PortNumber, role: Role, to: Option<IfIndex>) -> bool;

    /// Where the device map of a role lets a port lead now.
    fn transmits(&self, port: PortNumber, role: Role) -> Option<IfIndex>;

    /// All ports that a device map lets lead anywhere, whoever wrote that. Slow: asked once.
    fn left_behind(&self) -> BTreeSet<PortNumber>;

    /// Hands the number of frames that each interface has received to `each`, modulo 2^32.
    fn received(&mut self, each: &mut dyn FnMut(IfIndex, u32));

    /// What the kernel programs saw next of hellos and probes.
    fn sighting(&mut self) -> Option<Sighting>;
}

/// How often ticks are due, and after how many of them hellos are sent.
#[derive(Clone, Copy, Debug)]
struct Pace {
    tick: Duration,
    hello: u32,
}

impl Pace {
    fn new(targets: &Targets) -> Self {
        let (shortest, longest) = TICK;
        let probes = if targets.probes.interval.is_zero() { longest } else { targets.probes.interval };
        let tick = probes.clamp(shortest, longest);
        if targets.hellos.interval.is_zero() {
            return Self { tick, hello: 1 };
        }
        let hello = targets.hellos.interval.as_nanos().div_ceil(tick.as_nanos()) as u32;
        Self { tick: targets.hellos.interval / hello, hello }
    }
}

/// Everything that the prober knows.
#[derive(Clone, Debug)]
pub struct Prober {
    /// Its own mark on what it sends.
    session: u32,
    targets: Targets,
    ports: Ports,
    paths: Paths,
    echoes: Echoes,
    pace: Pace,
    ticks: u32,
    compared: Nanos,
    /// Hellos and answers that were not believed.
    refused: u64,
    /// Hellos and answers that were believed without a tag, while a key is introduced.
    untagged: u64,
    /// Whether anything was ever watched, and so what an earlier agent left was taken over.
    has_watched: bool,
}

impl Prober {
    /// Watches nothing yet. `session` marks what it sends; no two probers of a network should have the same.
    pub fn new(session: u32) -> Self {
        let targets = Targets::default();
        Self {
            session,
            pace: Pace::new(&targets),
            targets,
            ports: Ports::default(),
            paths: Paths::default(),
            echoes: Echoes::default(),
            ticks: 0,
            has_watched: false,
            compared: Nanos(0),
            refused: 0,
            untagged: 0,
        }
    }

    /// Time between two calls of [`Prober::tick`].
    pub fn tick_interval(&self) -> Duration {
        self.pace.tick
    }

    /// Watches these targets from now on; what was watched before keeps its past. Whether [`Prober::found`] changed.
    pub fn watch(&mut self, targets: Targets, now: Nanos, wire: &mut impl Wire) -> bool {
        if !self.has_watched {
            self.has_watched = true;
            self.ports.take_over(wire.left_behind());
        }
        let changed = self.ports.watch(&targets, now) || targets.generation != self.targets.generation;
        // A large fabric has thousands of paths, and a dead port waits for this.
        if !self.watches_the_same_paths(&targets) {
            self.paths.watch(&targets, &self.ports, now);
            self.paths.plan(&targets.probes);
        }
        self.pace = Pace::new(&targets);
        self.targets = targets;
        self.ports.transmit(wire);
        changed
    }

    fn watches_the_same_paths(&self, targets: &Targets) -> bool {
        let ports =
            |targets: &Targets| -> Vec<PortNumber> { targets.ports.iter().map(|port| port.number).collect() };
        targets.generation == self.targets.generation
            && Arc::ptr_eq(&targets.paths, &self.targets.paths)
            && targets.probes == self.targets.probes
            && ports(targets) == ports(&self.targets)
    }

    /// An interface has carrier, or has it no more; whether [`Prober::found`] changed.
    pub fn carrier(&mut self, interface: IfIndex, carrier: bool, now: Nanos, wire: &mut impl Wire) -> bool {
        let changed = self.ports.carrier(interface, carrier, now);
        self.ports.transmit(wire);
        changed
    }

    /// All paths in use.
    pub fn used(&mut self, used: BTreeSet<(PathsTo, Rank)>) {
        if self.paths.set_used(used) {
            self.paths.plan(&self.targets.probes);
        }
    }

    /// One more path in use.
    pub fn also_used(&mut self, to: PathsTo, rank: Rank) {
        if self.paths.add_used(to, rank) {
            self.paths.plan(&self.targets.probes);
        }
    }

    /// Sends a single probe; its number in [`Prober::echoed`], or `None` if it could not be sent.
    pub fn echo(&mut self, route: &RoundTripRoute, wire: &mut impl Wire) -> Option<u32> {
        let interface = self.ports.interface(route.port)?;
        self.echoes.send(interface, route, self.session, &self.targets.trust.keys[0], wire)
    }

    /// Single probes that are back, with their round-trip time, or that timed out.
    pub fn echoed(&mut self) -> Vec<(u32, Option<Duration>)> {
        self.echoes.done()
    }

    /// To be called every [`Prober::tick_interval`]: takes in what was seen, decides, sends what is due. Whether
    /// [`Prober::found`] changed.
    pub fn tick(&mut self, now: Nanos, wire: &mut impl Wire) -> bool {
        self.hear(wire);
        let mut changed = self.ports.judge(now, wire);
        if self.ticks.is_multiple_of(self.pace.hello) && !self.targets.hellos.interval.is_zero() {
            self.ports.send_hellos(self.session, &self.targets.trust, now, wire);
        }
        self.ticks = self.ticks.wrapping_add(1);
        changed |= self.paths.probe(&self.ports, (self.session, &self.targets.trust), now, wire);
        self.echoes.give_up(now);
        if changed || now.since(self.compared) >= COMPARE {
            self.compared = now;
            self.ports.transmit(wire);
        }
        changed
    }

    fn hear(&mut self, wire: &mut impl Wire) {
        for _ in 0..SIGHTINGS {
            let Some(Sighting { at, probe, returned, interface }) = wire.sighting() else { return };
            let (at, interface) = (Nanos(at), IfIndex(interface));
            let trust = &self.targets.trust;
            let is_believed = match (returned != 0, probe.flags & Probe::HELLO != 0) {
                (false, true) if probe.session == self.session => {
                    self.ports.looped(&probe, interface, trust, at)
                }
                (false, true) => self.ports.heard(&probe, interface, (self.session, trust), at),
                (true, _) if probe.session != self.session => true,
                (true, true) => self.ports.returned(&probe, interface, trust, at),
                (true, false) if Echoes::is_echo(&probe) => self.echoes.returned(&probe, trust, at),
                (true, false) => self.paths.returned(&probe, trust, at),
                (false, false) => true,
            };
            self.refused += u64::from(!is_believed);
            let is_ours = returned == 0 || probe.session == self.session;
            let lacks_tag = is_ours && self.targets.trust.lacks_tag(&probe, returned != 0);
            self.untagged += u64::from(is_believed && lacks_tag);
        }
    }

    /// What does not work.
    pub fn found(&self) -> Found {
        let (ports, unanswered) = self.ports.down();
        let failures = Failures { ports, unanswered, paths: self.paths.broken() };
        Found { generation: self.targets.generation, failures }
    }

    /// Everything that is watched, for people.
    pub fn report(&self, now: Nanos) -> Report {
        Report {
            ports: self.ports.report(now),
            paths: self.paths.report(now),
            unfit: self.targets.unfit,
            refused: self.refused,
            untagged: self.untagged,
            rate: self.paths.rate(),
            intervals: self.paths.intervals(),
        }
    }
}
