//! What must hold all the time.
//!
//! | invariant | looked at |
//! |---|---|
//! | the base network has no loop: links that forward at both ends, or between bridges without agents, make a forest | whenever a port, carrier or link changes |
//! | no copy of a frame passes a bridge twice, none leaves a port of a switch more than twice by redirection | every frame |
//! | no frame is lost while there is a way, for longer than [`crate::bounds`] says after something happened | a second after it was sent |
//! | no frame goes by redirection into a cable that the switch's own hellos have had time to find dead | every frame |
//! | a frame arrives once, at its host, as it was sent; nothing of smoc's reaches a host | every frame |
//! | the rules of the maps: an edge index keeps its meaning, a path set in use is not written to | every write |
//! | control does not spin | every call |
//! | agents that know the same choose the same tree, and rank k from A to B is rank k from B to A backwards | every [`crate::fabric::CHECK`] |
//! | nothing installed differs from what is wanted | before the first fault and after the last ([`crate::settled`]) |

use std::{collections::BTreeSet, time::Duration};

use smoc_control::clock::Nanos;

use crate::{
    bounds,
    fabric::{CHECK, Fabric},
    faults,
    frame::Frame,
    link::{Link, Plug},
    node::Node,
    report::Violation,
    traffic::{Awaited, What},
};

/// A frame that has not arrived after this is lost.
const LOST: Duration = Duration::from_secs(1);
/// Frames that were sent so long before a fault may still have been under way.
pub(crate) const UNDER_WAY: Duration = Duration::from_millis(20);
/// The base network is not looked at while agents lag, nor so long after.
pub(crate) const MASKED: Duration = Duration::from_secs(4);
/// A link that changed is no way until ports have it, or this has passed: hold-downs grow.
const HELD: Duration = Duration::from_secs(20);
/// How often it is told how far the run has come.
const TELL: u64 = 50;
/// How often agents are compared with each other.
const COMPARE: u64 = 10;
/// How often it is looked whether all is settled at the end; a large network four times as seldom.
const LOOK: u64 = 25;
/// A network of more switches than this is large.
const LARGE: usize = 64;

/// Some time in which frames may be lost.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Nanos,
    to: Nanos,
    /// The same for frames that go over the base network.
    base: Nanos,
}

/// What is watched.
#[derive(Debug, Default)]
pub struct Watch {
    /// Something changed on which trees and ways depend.
    pub changed: bool,
    /// The run is over.
    pub is_over: bool,
    /// What is wrong.
    pub violation: Option<Violation>,
    windows: Vec<Window>,
    /// Until when the network is not settled after the last fault.
    unsettled: Nanos,
    /// Something happened while an agent lagged: losses are excused until none does.
    held: bool,
    /// Since when the base network has had a loop.
    pub(crate) looping: Option<Nanos>,
    /// Until when it last had one.
    pub(crate) looped: Nanos,
    /// Frames and bridges that they came to since then.
    pub(crate) flooded: BTreeSet<(u64, u32)>,
    /// Until when loops are excused.
    pub(crate) masked: Nanos,
    /// Until when cables count as being in the wrong place.
    pub(crate) miswired: Nanos,
    /// Until when agents count as late, whose loops are excused or not.
    pub(crate) lagged: Nanos,
    /// The pieces of the network that have a way between them, by switch.
    pieces: Vec<u32>,
    checks: u64,
    /// Times in a row that all was settled at the end.
    settled: u32,
}

impl Watch {
    /// Something happened that may cost frames for so long if the network is settled.
    pub fn disturb(&mut self, now: Nanos, bound: Duration) {
        let bound = if now < self.unsettled { bounds::SETTLED.max(bound) } else { bound };
        self.windows.push(Window { from: now - UNDER_WAY, to: now + bound, base: now + bounds::BASE });
        self.unsettled = self.unsettled.max(now + bounds::SETTLED);
    }

    /// Losses are excused until all agents are at work, if something happened a moment ago.
    pub fn hold_unless(&mut self, at_work: bool, now: Nanos) {
        self.held |= !at_work && now < self.unsettled;
    }

    /// Whether a frame came to a bridge before while the base network has a loop: one copy is enough to see it, and a
    /// storm of them would fill any memory.
    pub fn is_flooded(&mut self, frame: u64, node: u32) -> bool {
        self.looping.is_some() && !self.flooded.insert((frame, node))
    }

    fn excuses(&self, sent: Nanos, by_smoc: bool) -> bool {
        let to = |window: &Window| if by_smoc { window.to } else { window.base };
        self.windows.iter().rev().any(|window| window.from <= sent && sent <= to(window))
    }
}

/// Disjoint sets.
pub(crate) fn root(pieces: &mut [u32], mut at: u32) -> u32 {
    while pieces[at as usize] != at {
        pieces[at as usize] = pieces[pieces[at as usize] as usize];
        at = pieces[at as usize];
    }
    at
}

impl Fabric {
    /// Something is wrong: the run ends.
    pub(crate) fn violated(&mut self, what: String) {
        self.say(|| format!("!!! {what}"));
        let at = self.queue.now();
        self.watch.violation.get_or_insert(Violation { at, what });
        self.watch.is_over = true;
    }

    /// Whether every agent runs, is neither stopped nor slow, and nothing is refused to it.
    pub(crate) fn are_all_prompt(&self) -> bool {
        self.nodes.iter().enumerate().all(|(place, node)| {
            let wanted = self.network.is_old(place) || node.runs > 0;
            !node.is_refused() && (!wanted || node.is_prompt())
        })
    }

    /// The same, and no agent has started that has not yet found out who is behind its ports: until then it watches none, as if it
    /// did not run.
    pub(crate) fn are_all_at_work(&self) -> bool {
        let has_begun = |node: &Node| node.agent.as_ref().is_none_or(|agent| agent.snapshot.is_some());
        self.are_all_prompt() && self.nodes.iter().all(has_begun)
    }

    /// Whether agents start, are late or ended, or have just caught up.
    pub(crate) fn is_lagging(&self) -> bool {
        let now = self.queue.now();
        now <= Nanos(0) + bounds::START || now < self.watch.lagged
    }

    /// Whether cables are in the wrong place, or were a moment ago.
    pub(crate) fn is_miswired(&self) -> bool {
        self.queue.now() < self.watch.miswired
    }

    /// A copy of a frame comes to a bridge that it has passed.
    pub(crate) fn circulates(&mut self, node: u32, frame: &Frame) {
        self.counts.circulated += 1;
        let now = self.queue.now();
        if !self.is_lagging() && !self.has_looped(now) {
            let what = format!("frame {} passes the bridge of {} again", frame.id, self.name(node));
            self.violated(what);
        }
    }

    /// A frame arrives that has arrived.
    pub(crate) fn arrives_again(&mut self, id: u64, host: u32) {
        let now = self.queue.now();
        if !self.is_lagging() && !self.has_looped(now) {
            self.violated(format!("frame {id} arrives at host {host} again"));
        }
    }

    /// Between which switches there is a way: over links that work, and that ports have or have had time to have.
    pub(crate) fn look_at_ways(&mut self) {
        let now = self.queue.now();
        let mut pieces: Vec<u32> = (0..self.nodes.len() as u32).collect();
        for (link, cable) in self.links.iter().zip(&self.network.cables) {
            let [Some(a), Some(b)] = link.ends.map(|end| self.leads(end, link, now)) else { continue };
            if link.is_whole() && !link.swapped && cable.in_file[0] {
                let (a, b) = (root(&mut pieces, a), root(&mut pieces, b));
                pieces[a as usize] = b;
            }
        }
        for switch in 0..pieces.len() as u32 {
            pieces[switch as usize] = root(&mut pieces, switch);
        }
        let count =
            |pieces: &[u32]| pieces.iter().enumerate().filter(|(at, root)| *at as u32 == **root).count();
        if count(&pieces) < count(&self.watch.pieces) {
            // Parts of the network that come together have to tell each other what they missed.
            self.watch.disturb(now, bounds::SETTLED);
        }
        self.watch.pieces = pieces;
    }

    /// Whether every cable that was laid works, and both its ports are in use.
    pub(crate) fn are_all_used(&self) -> bool {
        let now = self.queue.now();
        let mut laid = self.links[..self.network.cables.len()].iter().filter(|link| link.laid);
        laid.all(|link| link.is_whole() && link.ends.iter().all(|end| self.leads(*end, link, now).is_some()))
    }

    fn leads(&self, plug: Plug, link: &Link, now: Nanos) -> Option<u32> {
        let Plug::Port(node, place) = plug else { return None };
        let switch = &self.nodes[node as usize];
        let port = &switch.ports[usize::from(place)];
        let used = switch.kernel.transmits(port.number) || now.since(link.changed) > HELD;
        (port.exists && port.carrier && !port.hangs && used).then_some(node)
    }

    /// Whether there is a way between two hosts now.
    pub(crate) fn has_way(&self, from: u32, to: u32) -> bool {
        let at = |host: u32| {
            let link = &self.links[self.hosts[host as usize].link as usize];
            let Plug::Port(node, place) = link.ends[0] else { return None };
            let port = &self.nodes[node as usize].ports[usize::from(place)];
            let works = link.is_whole() && port.exists && port.carrier && !port.hangs;
            works.then(|| self.watch.pieces.get(node as usize)).flatten()
        };
        at(from).is_some() && at(from) == at(to)
    }

    /// Everything that is looked at now and again.
    pub(crate) fn check(&mut self) {
        self.watch.checks += 1;
        let now = self.queue.now();
        if self.options.progress && self.watch.checks.is_multiple_of(TELL) {
            eprintln!("{:.1} s, {} events", now.since(Nanos(0)).as_secs_f64(), self.counts.events);
        }
        if self.watch.held {
            self.watch.disturb(now, bounds::SETTLED);
            self.watch.held = !self.are_all_at_work();
        }
        // Cables in the wrong place are not always found: a hello is turned round through, and counted for, the port that
        // its sender believes in, not the one that it came in through.
        if self.is_miswired() || self.links.iter().any(|link| link.loss > 0) {
            self.watch.disturb(now, bounds::SETTLED);
        }
        for node in &mut self.nodes {
            if !node.is_prompt() || node.is_refused() {
                node.late = now;
            }
        }
        self.look_at_mask();
        self.look_at_loop();
        self.count_lost(now);
        if self.watch.checks.is_multiple_of(COMPARE) {
            self.compare_agents();
        }
        self.look_whether_settled(now);
    }

    /// For how long a cable that a switch sends into has been dead, if longer than its prober needs to find that. What goes on
    /// elsewhere is no excuse: hellos need nobody but the program at the other end.
    fn should_be_out(&self, node: u32, place: u16) -> Option<Duration> {
        let (now, switch) = (self.queue.now(), &self.nodes[node as usize]);
        let (number, end) = switch.ports[usize::from(place)].cable?;
        let (link, end) = (&self.links[number as usize], usize::from(end));
        let Plug::Port(neighbor, _) = link.ends[1 - end] else { return None };
        if link.works[end] || self.is_miswired() {
            return None;
        }
        let is_late = |node: u32| now.since(self.nodes[node as usize].late) <= bounds::SETTLED;
        let hellos = &self.network.configs[node as usize].hellos;
        let allowed = match link.works[1 - end] && is_late(neighbor) {
            true => bounds::one_way(hellos),
            false => bounds::silent(hellos),
        };
        let dead = now.since(link.changed);
        (dead > allowed && !is_late(node)).then_some(dead)
    }

    /// A switch sends a frame that is waited for out of a port: it may be lost there only as long as nobody can know.
    pub(crate) fn leaves(&mut self, node: u32, place: u16, frame: &Frame) {
        if let Some(dead) = self.should_be_out(node, place) {
            let (id, name) = (frame.id, self.name(node));
            let port = self.nodes[node as usize].ports[usize::from(place)].number;
            self.violated(format!(
                "frame {id} is lost: {name} sends it out of port {port}, whose cable has been dead for {dead:?}"
            ));
        }
    }

    /// Frames that should have arrived by now.
    fn count_lost(&mut self, now: Nanos) {
        while let Some((&id, awaited)) = self.traffic.awaited.first_key_value()
            && now.since(awaited.sent) > LOST
        {
            let awaited = awaited.clone();
            self.traffic.awaited.remove(&id);
            if !awaited.arrived {
                self.counts.lost += 1;
                self.judge(id, &awaited);
            }
        }
    }

    fn judge(&mut self, id: u64, awaited: &Awaited) {
        let Awaited { sent, stream, what, hosts: [from, to], had_way, by_smoc, .. } = *awaited;
        let started = sent.0 > bounds::START.as_nanos() as u64;
        let excused = self.watch.excuses(sent, by_smoc == Some(true));
        // Over the base network only what is not masked counts.
        let masked = by_smoc != Some(true) && sent < self.watch.masked;
        if started && had_way && !excused && !masked {
            let by = if by_smoc == Some(true) { "which smoc took" } else { "over the base network" };
            let (what, sent) = (describe(what), sent.since(Nanos(0)));
            self.violated(format!(
                "frame {id} ({what} of stream {stream}, host {from} to host {to}, {by}) was sent at {sent:?} and is lost"
            ));
        }
    }

    fn look_whether_settled(&mut self, now: Nanos) {
        let is_large = self.nodes.len() > LARGE;
        let (every, times) = if is_large { (LOOK * 4, 2) } else { (LOOK, 6) };
        let look = self.watch.checks.is_multiple_of(every);
        let before = faults::FIRST - CHECK * 3;
        let begins = (before..before + CHECK).contains(&now.since(Nanos(0)));
        if begins && let Some(why) = self.unsettled() {
            self.violated(format!("after the start: {why}"));
        }
        let last = self.faults.last().map_or(Nanos(0) + faults::FIRST, |(at, _)| *at);
        if self.options.only.is_some() || !look || now <= last {
            return;
        }
        match self.unsettled() {
            None => self.watch.settled += 1,
            Some(why) if now.since(last) > bounds::QUIET => {
                self.violated(format!("{:?} after the last fault: {why}", now.since(last)));
            }
            Some(why) => {
                self.say(|| format!("not settled: {why}"));
                self.watch.settled = 0;
            }
        }
        // What was sent when all was settled must have arrived as well.
        if self.watch.settled >= times && now.since(last) > LOST * 2 {
            self.watch.is_over = true;
        }
    }
}

fn describe(what: What) -> &'static str {
    match what {
        What::Datagram => "a datagram",
        What::Syn(_) | What::SynAck(_) | What::Ack(_) => "of a handshake",
        What::Data(_) => "a segment",
    }
}
