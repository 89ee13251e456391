//! Loops through what hosts have joined: a device that forwards frames between two ports of the fabric, and says nothing itself.
//!
//! At each port that has hosts, or that is not decided yet, the switch sends a loop probe once in [`PERIOD`], which everything
//! but a smoc switch forwards. Who hears a probe that was sent at an open port of the fabric has a loop in the making:
//!
//! | the port that hears it | what follows |
//! |---|---|
//! | is not open yet | it stays closed |
//! | is the one that sent it | it is closed: what leaves there comes back |
//! | is open, and comes behind the sender's by name of the switch, port and boot | it is closed |
//! | is open, and comes first | it stays open, unless the other one still is after [`GRACE`]: that hears nothing |
//!
//! An open port answers the probe of a closed one at once ([`SPACING`] permitting), so a port that comes up hears of the other end
//! before it opens. Closed ports go on sending and hearing: the port opens again when no open one was heard for [`HOLD`].
//!
//! Only the port that hears a probe is ever closed. So whoever forges or replays one closes the port that he sends it to, and
//! no other.

use std::time::Duration;

use smoc_common::route::PortNumber;

use super::{Identity, Peer};
use crate::{clock::Nanos, discovery::presence::LoopProbe};

/// Loop probes of a port are so far apart, where nothing is heard.
pub const PERIOD: Duration = Duration::from_secs(1);
/// A port is closed for so long after the last probe of an open port was heard.
pub const HOLD: Duration = Duration::from_secs(10);
/// The other port is given so long to close.
const GRACE: Duration = Duration::from_secs(3);
/// Probes are never closer than this.
const SPACING: Duration = Duration::from_millis(100);

/// What is known of loops at one port.
#[derive(Clone, Debug, Default)]
pub(super) struct Loops {
    /// The open port that was heard, and when this was last so.
    found: Option<(Peer, Nanos)>,
    /// An open port that should be closed, since when and when it was last heard.
    other: Option<(Peer, Nanos, Nanos)>,
    /// When the last probe was sent, and the next one is due.
    sent: Option<Nanos>,
    next: Nanos,
}

impl Loops {
    /// Takes note of a probe of this fabric at a port that is open or not.
    pub(super) fn hear(
        &mut self,
        probe: &LoopProbe,
        identity: &Identity,
        own: (PortNumber, bool),
        now: Nanos,
    ) {
        let (port, is_open) = own;
        if !probe.is_open {
            if is_open {
                self.answer(now);
            }
            return;
        }
        let theirs = (probe.switch.as_str(), probe.port, probe.boot);
        let mine = (identity.switch.as_str(), port, identity.boot);
        let peer = Peer { switch: probe.switch.clone(), port: probe.port };
        if !is_open || theirs <= mine {
            self.found = Some((peer, now));
            return;
        }
        let since = match &self.other {
            Some((before, since, last)) if *before == peer && now.since(*last) < GRACE => *since,
            _ => now,
        };
        if since == now {
            self.answer(now);
        }
        if now.since(since) >= GRACE {
            self.found = Some((peer.clone(), now));
        }
        self.other = Some((peer, since, now));
    }

    fn answer(&mut self, now: Nanos) {
        let soonest = self.sent.map_or(now, |sent| (sent + SPACING).max(now));
        self.next = self.next.min(soonest);
    }

    /// The open port that was heard.
    pub(super) fn found(&self, now: Nanos) -> Option<&Peer> {
        let (peer, last) = self.found.as_ref()?;
        (now.since(*last) < HOLD).then_some(peer)
    }

    /// When something is due at a port that probes; whether it is closed because of what was found.
    pub(super) fn next(&self, is_closed: bool) -> Nanos {
        let over = self.found.as_ref().filter(|_| is_closed).map(|(_, last)| *last + HOLD);
        over.map_or(self.next, |over| over.min(self.next))
    }

    /// Whether a probe is to be sent now.
    pub(super) fn is_due(&mut self, can_send: bool, now: Nanos) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + if can_send { PERIOD } else { SPACING };
        if can_send {
            self.sent = Some(now);
        }
        can_send
    }

    /// What is to be said is something else now: it is said at once.
    pub(super) fn hurry(&mut self, now: Nanos) {
        self.next = self.next.min(now);
    }
}
