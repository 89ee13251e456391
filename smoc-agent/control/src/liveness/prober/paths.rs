//! Probes along every path, and which paths are broken.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use smoc_common::{route::Rank, wire::probe::Probe};
use tracing::{info, warn};

use super::{Wire, echoes, ports::Ports};
use crate::{
    clock::Nanos,
    config::Probes,
    liveness::{PathProbes, PathReport, PathTarget, Schedule, Targets, Trust},
    plan::PathsTo,
};

#[derive(Clone, Debug)]
struct Watched {
    target: PathTarget,
    subject: u32,
    probes: PathProbes,
    /// Its first port, by [`Ports::position`].
    port: usize,
    used: bool,
}

/// What stays the same of a path while switches are numbered anew.
fn key_of(target: &PathTarget) -> (Arc<str>, Rank, u8) {
    (target.name.clone(), target.rank, target.to.rule)
}

/// All paths that are probed.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    watched: Vec<Watched>,
    by_subject: HashMap<u32, usize>,
    next_subject: u32,
    used: BTreeSet<(PathsTo, Rank)>,
    schedule: Schedule,
    /// When a probe that was sent counts as lost, and the subject it is of.
    deadlines: BinaryHeap<Reverse<(Nanos, u32)>>,
}

impl Paths {
    /// Watches these paths; one whose route is the same keeps its past.
    pub(super) fn watch(&mut self, targets: &Targets, ports: &Ports, now: Nanos) {
        let before = std::mem::take(&mut self.watched);
        let mut before: BTreeMap<_, _> =
            before.into_iter().map(|path| (key_of(&path.target), path)).collect();
        for target in targets.paths.iter() {
            let Some(port) = ports.position(target.route.port) else { continue };
            // By name: another topology numbers switches anew.
            let old = before.remove(&key_of(target));
            let old = old.filter(|old| old.target.route == target.route);
            let mut path = old.unwrap_or_else(|| {
                let broken = targets.down.paths.contains(&(target.to, target.rank));
                self.next_subject = (self.next_subject + 1) % echoes::FIRST;
                let probes = PathProbes::new(targets.probes.hold_down, broken, now);
                Watched { target: target.clone(), subject: self.next_subject, probes, port, used: false }
            });
            path.probes.set_hold_down(targets.probes.hold_down);
            (path.target.to, path.target.peer) = (target.to, target.peer);
            path.port = port;
            self.watched.push(path);
        }
        self.by_subject =
            self.watched.iter().enumerate().map(|(index, path)| (path.subject, index)).collect();
    }

    /// All paths in use; whether these are others than before.
    pub(super) fn set_used(&mut self, used: BTreeSet<(PathsTo, Rank)>) -> bool {
        let differs = used != self.used;
        self.used = used;
        differs
    }

    /// One more path in use; false if it was known.
    pub(super) fn add_used(&mut self, to: PathsTo, rank: Rank) -> bool {
        self.used.insert((to, rank))
    }

    /// Plans when each path is probed.
    pub(super) fn plan(&mut self, rules: &Probes) {
        let (mut used, mut idle) = (Vec::new(), Vec::new());
        for (index, path) in self.watched.iter_mut().enumerate() {
            path.used = self.used.contains(&(path.target.to, path.target.rank));
            if path.used { &mut used } else { &mut idle }.push(index);
        }
        self.schedule.plan(rules, used, idle);
    }

    /// A probe is back; whether that is believed. One of a path that is not watched any more says nothing.
    pub(super) fn returned(&mut self, probe: &Probe, trust: &Trust, at: Nanos) -> bool {
        let Some(&index) = self.by_subject.get(&probe.subject) else { return true };
        let Watched { target, probes, .. } = &mut self.watched[index];
        trust.believes(probe, target.peer, at) && probes.returned(probe.sequence, Nanos(probe.sent_at), at)
    }

    /// Sends the probes that are due and decides about paths whose probes timed out; whether a path changed.
    pub(super) fn probe(
        &mut self,
        ports: &Ports,
        (session, trust): (u32, &Trust),
        now: Nanos,
        wire: &mut impl Wire,
    ) -> bool {
        let Self { schedule, watched, deadlines, by_subject, .. } = self;
        schedule.due(now, |index| {
            let Watched { target, subject, probes, port, .. } = &mut watched[index];
            let Some(interface) = ports.up_at(*port) else { return probes.forget_waiting() };
            let (sequence, subject) = (probes.next_sequence(), *subject);
            let probe = target.route.address(Probe { session, subject, sequence, ..Probe::default() });
            if let Some(at) = wire.send(interface, target.route.out, probe, &trust.keys[0]) {
                probes.sent(at);
                deadlines.push(Reverse((at + probes.timeout(), subject)));
            }
        });
        let mut changed = false;
        while let Some(&Reverse((deadline, subject))) = deadlines.peek()
            && deadline <= now
        {
            deadlines.pop();
            let Some(&index) = by_subject.get(&subject) else { continue };
            if ports.up_at(watched[index].port).is_some() {
                changed |= watched[index].decide(now);
            }
        }
        changed
    }

    /// The paths that are broken.
    pub(super) fn broken(&self) -> BTreeSet<(PathsTo, Rank)> {
        let broken = self.watched.iter().filter(|path| path.probes.is_broken());
        broken.map(|path| (path.target.to, path.target.rank)).collect()
    }

    pub(super) fn report(&self, now: Nanos) -> Vec<PathReport> {
        let report = |path: &Watched| PathReport {
            to: path.target.to,
            rank: path.target.rank,
            broken: path.probes.is_broken(),
            lasts: now.since(path.probes.since()),
            used: path.used,
            loss: path.probes.loss(),
            round_trip: path.probes.round_trip(),
        };
        self.watched.iter().map(report).collect()
    }

    /// Probes sent in a second.
    pub(super) fn rate(&self) -> f64 {
        self.schedule.rate()
    }

    /// Time between two probes of one path, in use and not.
    pub(super) fn intervals(&self) -> (Duration, Duration) {
        self.schedule.intervals()
    }
}

impl Watched {
    fn decide(&mut self, now: Nanos) -> bool {
        let Self { target, probes, .. } = self;
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
}
