//! Whether the link behind a fabric port works: what carrier, hellos and other frames say.
//!
//! Every interval a hello goes to the neighbour, whose packet path returns it without asking its agent; and every
//! hello says whether its sender hears the neighbour. A port is dead when
//!
//! | reason | what happened |
//! |---|---|
//! | [`Reason::NoCarrier`] | the interface is gone, switched off or has no carrier: at once |
//! | [`Reason::Silent`] | as many hellos as the multiplier says went out in a row and nothing was heard: no hello came back, none of the neighbour's came, and the interface received no other frame |
//! | [`Reason::NotHeard`] | the neighbour says that it does not hear this switch, and as many hellos did not come back |
//! | [`Reason::NotSent`] | the same as the one above or below, and the interface took none of the last hellos |
//! | [`Reason::Miswired`] | as many hellos in a row named another link: two cables are swapped, or the topology is another one at the other end |
//! | [`Reason::Distrusted`] | one of those above, and hellos or answers came that were not believed ([`super::Trust`]) |
//! | [`Reason::OneWay`] | ten times as many hellos did not come back and no neighbour says that it hears this switch, though something is heard: one direction is broken and the neighbour's agent is dead |
//!
//! Hellos are counted, not time: a hello is missed when it was to be sent an interval ago and nothing was heard since. So an
//! agent that gets no processor for a while takes no port down. One that the interface did not take counts as sent, for
//! the neighbour misses it.
//!
//! A port is up again when it has carrier and every hello came back for a hold-down ([`HoldDown`]); for the limit only if
//! none has ever come back before, because switches that are started one after the other are no failures.

#[cfg(test)]
mod tests;

use std::time::Duration;

use smoc_common::wire::probe::{Heard, Probe};

use super::hold_down::HoldDown;
use crate::{clock::Nanos, config::Hellos};

/// A failure in one direction that the neighbour cannot report is found after the multiplier times this many hellos.
const ONE_WAY_FACTOR: u32 = 10;

/// Whether a sequence number is later than another one; they wrap around.
fn is_later(sequence: u32, than: u32) -> bool {
    sequence != than && sequence.wrapping_sub(than) < 1 << 31
}

/// Why a port is up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The agent started and nothing is wrong.
    Started,
    /// An earlier agent left it down.
    LeftDown,
    /// It worked for the whole hold-down.
    Recovered,
    /// No carrier.
    NoCarrier,
    /// Nothing is heard.
    Silent,
    /// The neighbour hears nothing.
    NotHeard,
    /// Hellos do not come back.
    OneWay,
    /// The interface takes no hellos.
    NotSent,
    /// Hellos or answers come, but none that the fabric's key has signed.
    Distrusted,
    /// The neighbour believes in another link: the number of that.
    Miswired(u32),
}

impl Reason {
    /// For logs and people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Started => "since the agent started",
            Self::LeftDown => "as the last agent left it",
            Self::Recovered => "works again",
            Self::NoCarrier => "no carrier",
            Self::Silent => "nothing is heard",
            Self::NotHeard => "the neighbour hears nothing",
            Self::OneWay => "hellos do not come back",
            Self::NotSent => "the interface does not send",
            Self::Distrusted => {
                "hellos or their answers have no right tag: another key_file, none, or an earlier version there"
            }
            Self::Miswired(_) => "another port is at the other end",
        }
    }
}

/// The state of one port.
#[derive(Clone, Debug)]
pub struct Port {
    rules: Hellos,
    hold: HoldDown,
    carrier: bool,
    up: bool,
    since: Nanos,
    reason: Reason,
    /// Whether a hello ever came back, or an earlier agent knew the port.
    proven: bool,
    /// The last hello, until it is judged.
    sent: Option<Nanos>,
    sequence: u32,
    heard: Option<Nanos>,
    returned: Option<(Nanos, u32)>,
    /// When the neighbour last said whether it hears this switch, and what.
    told: Option<(Nanos, bool)>,
    /// The neighbour's hello that was heard last, where hellos are signed.
    last: Heard,
    /// Hellos and answers in a row that were not believed.
    distrusted: u32,
    /// Hellos missed in a row.
    unheard: u32,
    unreturned: u32,
    /// Hellos in a row that the interface did not take.
    unsent: u32,
    /// Hellos of the neighbour in a row that named another link, and the last of these.
    other_links: u32,
    other_link: u32,
    /// Received frames of the interface, while hellos are missed.
    frames: Option<u64>,
    /// Since when every hello came back.
    clean: Option<Nanos>,
    round_trip: Option<Duration>,
}

impl Port {
    /// A port that is up if it has carrier, unless an earlier agent left it `down`.
    pub fn new(rules: Hellos, carrier: bool, down: bool, now: Nanos) -> Self {
        let reason = match (carrier, down) {
            (false, _) => Reason::NoCarrier,
            (_, true) => Reason::LeftDown,
            _ => Reason::Started,
        };
        Self {
            hold: HoldDown::new(rules.hold_down),
            rules,
            carrier,
            up: reason == Reason::Started,
            since: now,
            reason,
            proven: reason == Reason::LeftDown,
            sent: None,
            // One that is watched again goes on behind what it has sent: there is less than one hello each millisecond.
            sequence: (now.0 / 1_000_000) as u32,
            heard: None,
            returned: None,
            told: None,
            last: Heard::default(),
            distrusted: 0,
            unheard: 0,
            unreturned: 0,
            unsent: 0,
            other_links: 0,
            other_link: 0,
            frames: None,
            clean: None,
            round_trip: None,
        }
    }

    /// Whether a neighbour has ever returned a hello, or an earlier agent knew one.
    pub fn was_answered(&self) -> bool {
        self.proven
    }

    /// Other rules from now on.
    pub fn set_rules(&mut self, rules: Hellos) {
        self.hold.set_least(rules.hold_down);
        self.rules = rules;
    }

    /// The interface has carrier, or has it no more; whether that changed the port.
    pub fn set_carrier(&mut self, carrier: bool, now: Nanos) -> bool {
        if carrier == self.carrier {
            return false;
        }
        self.carrier = carrier;
        (self.sent, self.frames, self.unheard, self.unreturned, self.clean) = (None, None, 0, 0, None);
        if carrier {
            return false;
        }
        let was_up = self.up;
        self.go_down(Reason::NoCarrier, now);
        was_up
    }

    /// The number of the next hello.
    pub fn next_sequence(&self) -> u32 {
        self.sequence
    }

    /// A hello was really sent.
    pub fn sent(&mut self, now: Nanos) {
        self.unsent = 0;
        self.went_out(now);
    }

    /// The interface did not take a hello. To the neighbour that is one that was lost.
    pub fn not_sent(&mut self, now: Nanos) {
        self.unsent = self.unsent.saturating_add(1);
        self.went_out(now);
    }

    fn went_out(&mut self, now: Nanos) {
        self.sequence = self.sequence.wrapping_add(1);
        self.sent = Some(now);
    }

    /// The neighbour's hello came and named another link than this one.
    pub fn heard_other_link(&mut self, link: u32, at: Nanos) {
        self.heard_at(at);
        self.other_links = self.other_links.saturating_add(1);
        self.other_link = link;
        self.clean = None;
    }

    /// Another link is behind the port from now on, as the topology says.
    pub fn rewired(&mut self) {
        self.other_links = 0;
    }

    /// Whether the neighbour's hello was not heard before, as far as that can be told; from now on it was.
    pub fn is_news(&mut self, hello: &Probe) -> bool {
        let is_again = self.last.session == hello.session && !is_later(hello.sequence, self.last.sequence);
        if !is_again {
            self.last = Heard { session: hello.session, port: hello.subject, sequence: hello.sequence };
        }
        !is_again
    }

    /// The neighbour's hello that was heard last.
    pub fn heard_last(&self) -> Heard {
        self.last
    }

    /// Whether this is a hello of this port of a moment ago: no older than it takes to find a failure.
    pub fn is_named(&self, heard: &Heard, session: u32, number: u32) -> bool {
        let age = self.sequence.wrapping_sub(heard.sequence);
        (heard.session, heard.port) == (session, number)
            && (1..=self.rules.multiplier.saturating_mul(ONE_WAY_FACTOR)).contains(&age)
    }

    /// A hello or an answer came that is not believed.
    pub fn distrust(&mut self) {
        self.distrusted = self.distrusted.saturating_add(1);
    }

    /// A hello is back. One that has come back before, or was never sent, counts for nothing: false.
    pub fn returned(&mut self, sequence: u32, sent: Nanos, at: Nanos) -> bool {
        let is_again = self.returned.is_some_and(|(_, last)| !is_later(sequence, last));
        if is_again || !is_later(self.sequence, sequence) {
            return false;
        }
        self.heard_at(at);
        let in_turn = self.returned.is_some_and(|(_, last)| last.wrapping_add(1) == sequence);
        if self.other_links > 0 {
            self.clean = None;
        } else if !in_turn || self.clean.is_none() {
            self.clean = Some(at);
        }
        self.returned = Some((at, sequence));
        self.proven |= self.up;
        self.unreturned = 0;
        let sample = at.since(sent);
        self.round_trip = Some(self.round_trip.map_or(sample, |smooth| (smooth * 7 + sample) / 8));
        self.distrusted = 0;
        true
    }

    /// The neighbour's hello came, and said whether it hears this switch.
    pub fn told(&mut self, hears: bool, at: Nanos) {
        self.heard_at(at);
        self.other_links = 0;
        self.told = Some((at, hears));
    }

    /// Judges the last hello. To be followed by [`Port::received`] if [`Port::wants_frames`], then
    /// [`Port::decide`], before the next one is sent.
    pub fn judge(&mut self, now: Nanos) {
        // Timers are not exact: three quarters of an interval are enough of one.
        let Some(sent) = self.sent.filter(|sent| now.since(*sent) >= self.rules.interval * 3 / 4) else {
            return;
        };
        self.sent = None;
        if self.heard.is_none_or(|heard| heard < sent) {
            self.unheard = self.unheard.saturating_add(1);
        }
        if self.returned.is_none_or(|(returned, _)| returned < sent) {
            self.unreturned = self.unreturned.saturating_add(1);
            if self.unreturned >= self.rules.multiplier {
                self.clean = None;
            }
        }
    }

    /// Whether it matters how many frames the interface has received.
    pub fn wants_frames(&self) -> bool {
        self.up && self.unheard > 0
    }

    /// The interface has received so many frames in all.
    pub fn received(&mut self, frames: u64, now: Nanos) {
        if self.frames.is_some_and(|before| frames != before) {
            self.heard_at(now);
        } else {
            self.frames = Some(frames);
        }
    }

    /// Decides whether the port is up; whether that changed.
    pub fn decide(&mut self, now: Nanos) -> bool {
        if !self.up {
            return self.recover(now);
        }
        let Some(reason) = self.fault(now) else { return false };
        self.go_down(reason, now);
        true
    }

    fn fault(&self, now: Nanos) -> Option<Reason> {
        let told = self.told.filter(|(at, _)| now.since(*at) <= self.limit()).map(|(_, hears)| hears);
        let lost = |reason| {
            if self.unsent >= self.rules.multiplier {
                Reason::NotSent
            } else if self.distrusted >= self.rules.multiplier {
                Reason::Distrusted
            } else {
                reason
            }
        };
        if self.rules.interval.is_zero() {
            None
        } else if self.other_links >= self.rules.multiplier {
            Some(Reason::Miswired(self.other_link))
        } else if self.unheard >= self.rules.multiplier {
            Some(lost(Reason::Silent))
        } else if told == Some(false) && self.unreturned >= self.rules.multiplier {
            Some(lost(Reason::NotHeard))
        } else if told != Some(true)
            && self.unreturned >= self.rules.multiplier.saturating_mul(ONE_WAY_FACTOR)
        {
            Some(lost(Reason::OneWay))
        } else {
            None
        }
    }

    fn recover(&mut self, now: Nanos) -> bool {
        if self.carrier && self.rules.interval.is_zero() {
            self.clean.get_or_insert(now);
        }
        let held = self.clean.is_some_and(|clean| now.since(clean) >= self.hold_down());
        if self.carrier && held {
            if self.proven {
                self.hold.recovered(now);
            }
            (self.proven, self.up, self.since, self.reason) = (true, true, now, Reason::Recovered);
        }
        self.up
    }

    fn limit(&self) -> Duration {
        self.rules.interval * self.rules.multiplier
    }

    fn hold_down(&self) -> Duration {
        if self.proven { self.hold.needed() } else { self.limit() }
    }

    fn go_down(&mut self, reason: Reason, now: Nanos) {
        self.clean = None;
        self.reason = reason;
        if self.up {
            if self.proven {
                self.hold.failed(now);
            }
            (self.up, self.since) = (false, now);
        }
    }

    fn heard_at(&mut self, at: Nanos) {
        self.heard = self.heard.max(Some(at));
        self.unheard = 0;
        self.frames = None;
    }

    /// What to say in a hello: whether the neighbour is heard. It does not depend on whether the port counts as up, so
    /// that both ends come up.
    pub fn hears(&self) -> bool {
        self.carrier && self.unheard < self.rules.multiplier
    }

    /// Whether frames may be sent through the port.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// Since when it is up or down.
    pub fn since(&self) -> Nanos {
        self.since
    }

    /// Why it is up or down.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Time from sending a hello until it is back, smoothed.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// How often it went down.
    pub fn failures(&self) -> u32 {
        self.hold.failures()
    }

    /// How long it still has to work before it is up; `None` if it is.
    pub fn hold_down_left(&self, now: Nanos) -> Option<Duration> {
        let worked = self.clean.map_or(Duration::ZERO, |clean| now.since(clean));
        (!self.up).then(|| self.hold_down().saturating_sub(worked))
    }
}
