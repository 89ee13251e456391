//! Single probes on request: `smoc ping` and `smoc traceroute`.

use std::{collections::BTreeMap, time::Duration};

use smoc_common::{tag::TagKey, wire::probe::Probe};

use super::Wire;
use crate::{
    clock::Nanos,
    interfaces::IfIndex,
    liveness::{RoundTripRoute, Trust},
};

/// A single probe that has not come back after this time is lost.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Subjects from here on are single probes; below are paths.
pub(super) const FIRST: u32 = 1 << 31;

/// Single probes that are under way, and those that came back or timed out.
#[derive(Clone, Debug, Default)]
pub(super) struct Echoes {
    sent: BTreeMap<u32, Nanos>,
    done: Vec<(u32, Option<Duration>)>,
    next: u32,
}

impl Echoes {
    /// Whether a probe that is back is one of these.
    pub(super) fn is_echo(probe: &Probe) -> bool {
        probe.subject >= FIRST
    }

    pub(super) fn send(
        &mut self,
        interface: IfIndex,
        route: &RoundTripRoute,
        session: u32,
        key: &TagKey,
        wire: &mut impl Wire,
    ) -> Option<u32> {
        let subject = FIRST | self.next;
        self.next = (self.next + 1) % FIRST;
        let probe = route.address(Probe { session, subject, ..Probe::default() });
        let at = wire.send(interface, route.out, probe, key)?;
        self.sent.insert(subject, at);
        Some(subject)
    }

    /// One is back; whether that is believed. A person asks, who knows where it was to turn round: whoever has the key may have
    /// done that.
    pub(super) fn returned(&mut self, probe: &Probe, trust: &Trust, at: Nanos) -> bool {
        let peer = if probe.responder == 0 { trust.any_untagged() } else { probe.responder };
        if !trust.believes(probe, peer, at) {
            return false;
        }
        let sent = self.sent.remove(&probe.subject);
        self.done.extend(sent.map(|sent| (probe.subject, Some(at.since(sent)))));
        true
    }

    pub(super) fn give_up(&mut self, now: Nanos) {
        let done = &mut self.done;
        self.sent.retain(|subject, sent| {
            let waits = now.since(*sent) < TIMEOUT;
            if !waits {
                done.push((*subject, None));
            }
            waits
        });
    }

    pub(super) fn done(&mut self) -> Vec<(u32, Option<Duration>)> {
        std::mem::take(&mut self.done)
    }
}
