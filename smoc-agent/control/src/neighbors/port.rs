//! What was heard at one port, and what follows.

use std::time::Duration;

use smoc_common::route::PortNumber;

use super::{Identity, Peer, Refusal, Standing, loops::Loops};
use crate::{
    clock::Nanos,
    config::PortRole,
    discovery::{
        lldp::{Advertisement, Device, Heard, Signed},
        presence::LoopProbe,
    },
};

/// Who has said nothing for so long since the carrier came is no switch.
pub const SILENT: Duration = Duration::from_millis(500);
/// So often, and so far apart, a switch says who it is, and asks whether another one is there, when the carrier comes.
const BURST: (u8, Duration) = (5, Duration::from_millis(100));
/// Where several switches are heard, one of them may be gone: the port speaks so often, who is there and is not the one that was
/// heard last answers, and who is not heard for so long although another one is, is gone.
const DOUBT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));
/// Two frames are never closer than this, whatever is heard.
const SPACING: Duration = Duration::from_millis(20);
/// A switch that was known before the carrier was away may take so long to speak again.
const PATIENCE: Duration = Duration::from_secs(15);

/// A switch that was heard.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub said: Advertisement,
    pub signed: Signed,
    /// When it was first and last heard with this boot number.
    pub first: Nanos,
    pub last: Nanos,
}

impl Seen {
    fn peer(&self) -> Peer {
        Peer { switch: self.said.switch.clone(), port: self.said.port }
    }

    fn is_over(&self, now: Nanos) -> bool {
        now.since(self.last) >= Duration::from_secs(self.said.time_to_live.into())
    }
}

#[derive(Clone, Debug)]
pub(super) struct Port {
    pub role: PortRole,
    pub standing: Standing,
    /// Since when there is carrier.
    carrier: Option<Nanos>,
    /// Switches, each with one port, that have been heard since the carrier came.
    seen: Vec<Seen>,
    /// One of another version.
    newer: Option<Device>,
    /// The switch that was there before the carrier was away.
    before: Option<Peer>,
    /// Another port has a switch of the same name behind it.
    pub is_double: bool,
    /// The switch that was waited for in vain since the carrier came.
    refuted: Option<Peer>,
    /// A switch was there when this agent started, or so the last one found.
    is_awaited: bool,
    /// How often it was asked since the carrier came whether a switch is there, up to the burst's number, and whether a program
    /// has answered.
    asked: u8,
    is_answered: bool,
    pub(super) loops: Loops,
    /// When the next advertisement is due, how many are left that follow each other quickly, and when the last was.
    next: Nanos,
    burst: u8,
    last: Option<Nanos>,
}

impl Port {
    pub(super) fn new(role: PortRole) -> Self {
        Self {
            role,
            standing: Standing::Undecided,
            carrier: None,
            seen: Vec::new(),
            newer: None,
            before: None,
            is_double: false,
            refuted: None,
            is_awaited: false,
            asked: 0,
            is_answered: false,
            loops: Loops::default(),
            next: Nanos(u64::MAX),
            burst: 0,
            last: None,
        }
    }

    pub(super) fn take_over_hosts(&mut self) {
        if matches!(self.role, PortRole::Auto | PortRole::Host) && self.carrier.is_some() {
            self.standing = Standing::Host;
        }
    }

    pub(super) fn take_over_switch(&mut self) {
        self.is_awaited = true;
        self.standing = Standing::Awaited;
    }

    pub(super) fn set_carrier(&mut self, carrier: bool, now: Nanos) {
        match (self.carrier, carrier) {
            (None, true) => {
                self.wait_anew(now);
                self.loops = Loops::default();
            }
            (Some(_), false) => {
                self.carrier = None;
                if let Standing::Fabric(peer) = &self.standing {
                    self.before = Some(peer.clone());
                }
                self.seen.clear();
                (self.newer, self.refuted, self.next) = (None, None, Nanos(u64::MAX));
                if self.standing == Standing::Host {
                    self.standing = Standing::Undecided;
                }
            }
            _ => {}
        }
    }

    /// Nobody has spoken yet: says who this switch is, and waits.
    fn wait_anew(&mut self, now: Nanos) {
        self.carrier = Some(now);
        (self.burst, self.next) = (BURST.0, now);
        (self.asked, self.is_answered) = (0, false);
    }

    /// A program has answered the question whether a switch is there.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }

    /// A loop probe of this fabric came in by this port.
    pub(super) fn hear_probe(
        &mut self,
        probe: &LoopProbe,
        identity: &Identity,
        number: PortNumber,
        now: Nanos,
    ) {
        if self.probes_loops() {
            self.loops.hear(probe, identity, (number, self.standing == Standing::Host), now);
        }
    }

    /// Whether loops through what is behind this port are looked for: hosts are there, as far as one knows.
    pub(super) fn probes_loops(&self) -> bool {
        let may_be_hosts = matches!(
            self.standing,
            Standing::Undecided | Standing::Host | Standing::Refused(Refusal::Loop(_))
        );
        may_be_hosts
            && self.carrier.is_some()
            && self.seen.is_empty()
            && matches!(self.role, PortRole::Auto | PortRole::Host)
    }

    /// Another switch says that it finds this port: it is waited for, as one that was there before.
    pub(super) fn claimed(&mut self, by: &Peer, now: Nanos) {
        let is_silent = self.seen.is_empty() && self.newer.is_none() && self.role == PortRole::Auto;
        let is_open = matches!(self.standing, Standing::Undecided | Standing::Host);
        if is_silent && is_open && self.carrier.is_some() && self.refuted.as_ref() != Some(by) {
            (self.before, self.carrier) = (Some(by.clone()), Some(now));
        }
    }

    /// The only switch that is heard.
    pub(super) fn only(&self) -> Option<&Seen> {
        if let [only] = self.seen.as_slice() { Some(only) } else { None }
    }

    /// The boot number of who was heard last.
    pub(super) fn boot_heard(&self) -> u64 {
        self.seen.iter().max_by_key(|seen| seen.last).map_or(0, |seen| seen.said.boot)
    }

    /// Takes note of what was heard by the agent with this boot number; whether it is something new. The neighbour is answered
    /// soon if it does not know yet that it is heard, or has heard another one since.
    pub(super) fn hear(&mut self, heard: Heard, boot: u64, now: Nanos) -> bool {
        let (said, signed) = match heard {
            Heard::Other(_) => return false,
            Heard::Newer(device) => {
                let is_news = self.newer.as_ref() != Some(&device);
                self.newer = Some(device);
                return is_news;
            }
            Heard::Switch(said, signed) => (said, signed),
        };
        let is_same = |seen: &Seen| (&seen.said.switch, seen.said.port) == (&said.switch, said.port);
        let Some(place) = self.seen.iter().position(is_same) else {
            self.seen.push(Seen { said, signed, first: now, last: now });
            // Nobody has so many: the oldest are made up, or long gone.
            if self.seen.len() > 8 {
                self.seen.remove(0);
            }
            self.hurry(now);
            return true;
        };
        let soon = now.max(self.last.map_or(now, |last| last + SPACING));
        let seen = &mut self.seen[place];
        if seen.said.boot != said.boot {
            seen.first = now;
        }
        if seen.said.boot != said.boot || said.heard != boot {
            self.next = self.next.min(soon);
        }
        let is_news = (&seen.said, seen.signed) != (&said, signed);
        (seen.said, seen.signed, seen.last) = (said, signed, now);
        is_news
    }

    fn hurry(&mut self, now: Nanos) {
        self.burst = self.burst.max(1);
        self.next = self.next.min(now.max(self.last.map_or(now, |last| last + SPACING)));
    }

    /// What follows from all that was heard. `is_dead` if hellos do not come back either.
    pub(super) fn decide(&mut self, identity: &Identity, now: Nanos, is_dead: bool) {
        if self.role == PortRole::Off {
            self.standing = Standing::Off;
            return;
        }
        if self.seen.len() > 1 {
            let newest = self.seen.iter().map(|seen| seen.last).max().unwrap_or(now);
            self.seen.retain(|seen| !seen.is_over(now) && newest.since(seen.last) < DOUBT.1);
        }
        if let Some(standing) = self.of_heard(identity) {
            if matches!(standing, Standing::Fabric(_)) {
                (self.before, self.is_awaited) = (None, false);
            }
            self.standing = standing;
            return;
        }
        let Some(since) = self.carrier else {
            self.standing = match &self.before {
                Some(peer) => Standing::Fabric(peer.clone()),
                None if self.is_awaited => Standing::Awaited,
                None if self.role == PortRole::Host => Standing::Host,
                None => Standing::Undecided,
            };
            return;
        };
        if (self.before.is_some() || self.is_awaited) && is_dead && now.since(since) >= PATIENCE {
            self.refuted = self.before.take();
            self.is_awaited = false;
            self.wait_anew(now);
        }
        let was_open = self.standing == Standing::Host;
        self.standing = self.of_silence(now);
        if was_open != (self.standing == Standing::Host) {
            self.loops.hurry(now);
        }
    }

    /// What the switches that were heard make of the port.
    fn of_heard(&self, identity: &Identity) -> Option<Standing> {
        if let Some(device) = &self.newer {
            return Some(Standing::Refused(Refusal::Version(device.name.clone())));
        }
        let [seen, others @ ..] = self.seen.as_slice() else { return None };
        let said = &seen.said;
        let peer = seen.peer();
        let refusal = if said.switch == identity.switch && said.boot == identity.boot {
            Refusal::Itself(said.port)
        } else if seen.signed == Signed::Missing {
            Refusal::NoKey(peer)
        } else if seen.signed == Signed::Wrong {
            Refusal::OtherKey(peer)
        } else if said.fabric != identity.fabric {
            Refusal::OtherFabric(peer, said.fabric.clone())
        } else if said.switch == identity.switch {
            Refusal::Namesake(peer)
        } else if let [other, ..] = others {
            Refusal::Two(peer, other.peer())
        } else if self.is_double {
            Refusal::Double(peer)
        } else if self.role == PortRole::Host {
            Refusal::NotHost(peer)
        } else if said.heard != identity.boot {
            // Until it has heard this switch it stays what it was, if that is no host.
            let was = match &self.before {
                Some(before) if *before == peer => Standing::Fabric(peer),
                _ if self.is_awaited => Standing::Awaited,
                _ if self.standing == Standing::Fabric(peer.clone()) => Standing::Fabric(peer),
                _ => Standing::Undecided,
            };
            return Some(was);
        } else {
            return Some(Standing::Fabric(peer));
        };
        Some(Standing::Refused(refusal))
    }

    /// Nobody has said anything since the carrier came.
    fn of_silence(&self, now: Nanos) -> Standing {
        let has_waited = self.decides_at().is_some_and(|at| now >= at);
        match (&self.before, self.role) {
            (Some(peer), _) => Standing::Fabric(peer.clone()),
            (None, PortRole::Auto | PortRole::Fabric) if self.is_awaited => Standing::Awaited,
            _ if self.is_answered => Standing::Refused(Refusal::Silent),
            (None, PortRole::Auto | PortRole::Host) if let Some(peer) = self.loops.found(now) => {
                Standing::Refused(Refusal::Loop(peer.clone()))
            }
            (None, PortRole::Host) => Standing::Host,
            (None, PortRole::Auto) if has_waited || self.standing == Standing::Host => Standing::Host,
            _ => Standing::Undecided,
        }
    }

    /// When silence makes a host port of it: once it was asked often enough whether a switch is there. Who cannot ask does not know.
    fn decides_at(&self) -> Option<Nanos> {
        let last = self.last.filter(|_| self.asked >= BURST.0)?;
        Some((self.carrier? + SILENT).max(last + BURST.1))
    }

    /// Whether an advertisement is to be sent now; the next one comes `pause` later where there is no hurry.
    pub(super) fn is_due(&mut self, can_send: bool, pause: Duration, now: Nanos) -> bool {
        if now < self.next || self.carrier.is_none() || self.role == PortRole::Off {
            return false;
        }
        if !can_send {
            self.next = now + BURST.1;
            return false;
        }
        self.burst = self.burst.saturating_sub(1);
        self.next = now
            + match self.burst {
                0 if self.seen.len() > 1 => DOUBT.0,
                0 => pause,
                _ => BURST.1,
            };
        self.last = Some(now);
        self.asked = (self.asked + 1).min(BURST.0);
        true
    }

    /// Whether it is asked, where this switch says who it is, if another one is there.
    pub(super) fn asks(&self) -> bool {
        self.seen.is_empty()
    }

    /// When something is due, unless something happens before; where loops are looked for.
    pub(super) fn next(&self, watches_loops: bool) -> Nanos {
        if self.role == PortRole::Off || self.carrier.is_none() {
            return Nanos(u64::MAX);
        }
        let decides = self.decides_at().filter(|_| self.is_deciding());
        let is_closed = matches!(self.standing, Standing::Refused(Refusal::Loop(_)));
        let probes = (watches_loops && self.probes_loops()).then(|| self.loops.next(is_closed));
        [decides, probes].into_iter().flatten().chain([self.next]).min().unwrap_or(self.next)
    }

    pub(super) fn is_deciding(&self) -> bool {
        let is_open = matches!(self.standing, Standing::Undecided | Standing::Awaited);
        is_open
            && self.carrier.is_some()
            && self.role == PortRole::Auto
            && self.seen.is_empty()
            && !self.is_awaited
    }
}
