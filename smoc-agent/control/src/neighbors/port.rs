//! What was heard at one port, and what follows.

use std::time::Duration;

use super::{Identity, Peer, Refusal, Standing};
use crate::{
    clock::Nanos,
    config::PortRole,
    discovery::lldp::{Advertisement, Device, Heard, Signed},
};

/// Who has said nothing for so long since the carrier came is no switch.
pub const SILENT: Duration = Duration::from_millis(500);
/// So often, and so far apart, a switch says who it is when the carrier comes.
const BURST: (u8, Duration) = (5, Duration::from_millis(100));
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
                self.carrier = Some(now);
                (self.burst, self.next) = (BURST.0, now);
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

    /// Takes note of what was heard; whether it is something new. The neighbour is answered soon if it does not know yet that it
    /// is heard.
    pub(super) fn hear(&mut self, heard: Heard, now: Nanos) -> bool {
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
        let seen = &mut self.seen[place];
        if seen.said.boot != said.boot {
            seen.first = now;
            self.next = self.next.min(now.max(self.last.map_or(now, |last| last + SPACING)));
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
            self.seen.retain(|seen| !seen.is_over(now));
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
            (self.is_awaited, self.carrier) = (false, Some(now));
            (self.burst, self.next) = (BURST.0, now);
        }
        self.standing = self.of_silence(now);
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
        let has_waited = self.carrier.is_some_and(|since| now.since(since) >= SILENT);
        match (&self.before, self.role) {
            (Some(peer), _) => Standing::Fabric(peer.clone()),
            (None, PortRole::Host) => Standing::Host,
            _ if self.is_awaited => Standing::Awaited,
            (None, PortRole::Auto) if has_waited || self.standing == Standing::Host => Standing::Host,
            _ => Standing::Undecided,
        }
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
        self.next = now + if self.burst > 0 { BURST.1 } else { pause };
        self.last = Some(now);
        true
    }

    /// When something is due, unless something happens before.
    pub(super) fn next(&self) -> Nanos {
        if self.role == PortRole::Off || self.carrier.is_none() {
            return Nanos(u64::MAX);
        }
        let decides = self.carrier.filter(|_| self.is_deciding()).map(|since| since + SILENT);
        decides.into_iter().chain([self.next]).min().unwrap_or(self.next)
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
