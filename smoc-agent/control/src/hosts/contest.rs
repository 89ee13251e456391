//! Who has an address when two say that they do: its owner is asked before it moves.
//!
//! | who claims it | where the owner is | who asks | what follows |
//! |---|---|---|---|
//! | a host of this switch | at this switch | this switch, at the owner's port | silence: it moves; an answer: refused |
//! | a host of this switch | at another edge | that edge, once it hears of the claim | it lets go: it moves; it refuses: refused; it says nothing: it moves |
//! | a host of another edge | at this switch | this switch | silence: let go, and the other edge takes it; an answer: refused |
//! | two edges at once, each sure of it | both | both | if both hosts answer, the edge whose name comes first keeps it |
//!
//! Only a host that this switch can reach is ever asked, by unicast out of its own port, so nobody else can answer for it.

use std::{net::IpAddr, time::Duration};

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};

use super::{ADDRESSES_PER_PORT, HostTable, Sighting, Tag, claims::Claim, claims::Claimant, origins::Origin};
use crate::clock::Nanos;

/// An owner is asked so often, and waited for so long each time.
pub const TRIES: u32 = 3;
/// See [`TRIES`].
pub const PATIENCE: Duration = Duration::from_millis(100);
/// Another edge has so long to say what its host answered. One that says nothing has no agent that runs.
pub const EDGE_PATIENCE: Duration = Duration::from_secs(2);
/// Whoever was refused is not listened to for the first of these, twice as long each time, up to the second.
pub const REFUSED_FOR: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// So long other edges are told that their claim was refused.
const RETOLD: Duration = Duration::from_secs(10);
/// So long a refused claim is remembered, and shown.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many contentions are told at once.
const TOLD: usize = 256;

/// A host to be asked whether it still has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The port behind which it was last heard.
    pub port: PortNumber,
    /// Its MAC address.
    pub mac: MacAddress,
    /// The address.
    pub address: IpAddr,
    /// The tag with which it is asked.
    pub tag: Option<Tag>,
}

/// What one edge says to the others of an address that two claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contention {
    /// Who claims it, and when that was last heard, or refused.
    pub claim: Sighting,
    /// The owner has answered: the claim is refused. Otherwise a host of the announcing edge claims an address of another
    /// edge's.
    pub is_refused: bool,
}

/// A claim that was refused, to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The address.
    pub address: IpAddr,
    /// The edge behind which it is claimed; `None`: this one.
    pub edge: Option<String>,
    /// The port there.
    pub port: PortNumber,
    /// The MAC address that claims it.
    pub mac: MacAddress,
    /// How often it was refused in a row.
    pub times: u32,
    /// When for the last time.
    pub at: Nanos,
}

/// An owner that is being asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    tries: u32,
    next: Nanos,
}

/// Somebody who claims an address that somebody else has.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    by: Claimant,
    mac: MacAddress,
    seen: Nanos,
    since: Nanos,
    /// When it was refused last; before that, or if it was made again since, it is undecided.
    refused: Option<Nanos>,
    times: u32,
}

impl Challenge {
    fn is_undecided(&self) -> bool {
        self.refused.is_none_or(|at| self.since > at)
    }

    /// From when on it is listened to again.
    fn free_at(&self) -> Nanos {
        let (first, longest) = REFUSED_FOR;
        let factor = 1u32.checked_shl(self.times.saturating_sub(1)).unwrap_or(u32::MAX);
        self.refused.map_or(Nanos(0), |at| at + first.saturating_mul(factor).min(longest))
    }
}

impl HostTable {
    /// The owners that are to be asked now. Whoever has not answered loses the address.
    pub fn questions(&mut self, now: Nanos) -> Vec<Question> {
        let mut questions = Vec::new();
        while let Some((at, address)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, address));
            self.fire(address, now, &mut questions);
        }
        questions
    }

    /// When [`HostTable::questions`] is due next.
    pub fn questions_at(&self) -> Option<Nanos> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether there is something to be told to other edges, or to be asked, that [`HostTable::take_stirred`] has not told.
    pub fn is_stirred(&self) -> bool {
        self.stirred
    }

    /// Whether something has to be told to other edges, or asked, since this was last called.
    pub fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.stirred)
    }

    /// What this switch tells the others of addresses that two claim.
    pub fn to_contend(&self, now: Nanos) -> Vec<Contention> {
        let of = |(address, challenges): (&IpAddr, &Vec<Challenge>)| {
            let address = *address;
            let holder = self.chosen(&address);
            let is_elsewhere = holder.is_some_and(|((origin, _), _)| origin.is_some());
            let told = |challenge: &Challenge| {
                let Challenge { by: (origin, port), mac, seen, refused, .. } = *challenge;
                let claim = Sighting { address, mac, port, seen };
                match (origin, refused) {
                    (None, _) if is_elsewhere && challenge.is_undecided() => {
                        Some(Contention { claim, is_refused: false })
                    }
                    (Some(_), Some(at)) if !challenge.is_undecided() && now.since(at) < RETOLD => {
                        Some(Contention { claim: Sighting { seen: at, ..claim }, is_refused: true })
                    }
                    _ => None,
                }
            };
            challenges.iter().filter_map(told).collect::<Vec<_>>()
        };
        self.challenges.iter().flat_map(of).take(TOLD).collect()
    }

    /// Takes over what another edge says of addresses that two claim.
    pub fn contended(&mut self, origin: &str, contentions: &[Contention], now: Nanos) {
        let origin = self.origins.named(origin);
        for Contention { claim, is_refused } in contentions {
            match (is_refused, self.chosen(&claim.address)) {
                (true, _) => self.heard_refusal(origin, claim, now),
                (false, Some(((None, _), _))) if self.is_believable(claim, Some(origin)) => {
                    self.challenge(claim, Some(origin), now);
                }
                // Its own edge is told as well.
                (false, _) => {}
            }
        }
    }

    /// The claims that were refused lately.
    pub fn refusals(&self) -> Vec<Refusal> {
        let of = |(address, challenges): (&IpAddr, &Vec<Challenge>)| {
            let refused = challenges.iter().filter_map(|challenge| {
                let (origin, port) = challenge.by;
                Some(Refusal {
                    address: *address,
                    edge: origin.map(|origin| self.origins.name(origin).to_string()),
                    port,
                    mac: challenge.mac,
                    times: challenge.times,
                    at: challenge.refused?,
                })
            });
            refused.collect::<Vec<_>>()
        };
        self.challenges.iter().flat_map(of).collect()
    }

    /// The ports that have no carrier: whoever was behind one of them need not be asked.
    pub fn set_absent(&mut self, absent: std::collections::BTreeSet<PortNumber>, now: Nanos) {
        self.absent = absent;
        let lost = |address: &&IpAddr| {
            self.chosen(address)
                .is_some_and(|((origin, port), _)| origin.is_none() && self.absent.contains(&port))
        };
        let lost: Vec<IpAddr> = self.asks.keys().filter(lost).copied().collect();
        for address in lost {
            self.asks.insert(address, Ask { tries: TRIES, next: now });
            self.timers.insert((now, address));
            self.stirred = true;
        }
    }

    /// The owner of an address has shown that it is there.
    pub(super) fn heard_owner(&mut self, address: IpAddr, now: Nanos) {
        if let Some(claims) = self.claims.get_mut(&address)
            && let Some((claimant, _)) = claims.chosen
            && let Ok(place) = claims.place(&claimant)
        {
            claims.all[place].1.seen = now;
        }
        self.asks.remove(&address);
        let Some(challenges) = self.challenges.get_mut(&address) else { return };
        for challenge in challenges.iter_mut().filter(|challenge| challenge.is_undecided()) {
            (challenge.refused, challenge.times) = (Some(now), challenge.times.saturating_add(1));
            self.refused += 1;
            self.stirred = true;
        }
    }

    /// Somebody claims an address that somebody else has.
    pub(super) fn challenge(&mut self, claim: &Sighting, origin: Option<Origin>, now: Nanos) {
        let Sighting { address, mac, port, seen } = *claim;
        let by = (origin, port);
        let all = self.challenges.entry(address).or_default();
        match all.iter_mut().find(|challenge| challenge.by == by) {
            Some(known) if known.is_undecided() => (known.mac, known.seen) = (mac, seen.max(known.seen)),
            Some(known) => {
                let is_new = known.refused.is_none_or(|at| seen > at);
                if !is_new || now < known.free_at() {
                    return;
                }
                (known.mac, known.seen, known.since) = (mac, seen, now);
            }
            None => {
                if !self.has_room(by) {
                    if self.challenges.get(&address).is_some_and(Vec::is_empty) {
                        self.challenges.remove(&address);
                    }
                    return;
                }
                *self.behind.entry(by).or_default() += 1;
                let challenge = Challenge { by, mac, seen, since: now, refused: None, times: 0 };
                self.challenges.entry(address).or_default().push(challenge);
            }
        }
        self.decide_by_asking(address, now);
    }

    /// A claim that nobody need be asked about.
    pub(super) fn refuse(&mut self, claim: &Sighting, origin: Option<Origin>, now: Nanos) {
        let Sighting { address, mac, port, seen } = *claim;
        let by = (origin, port);
        self.refused += 1;
        let all = self.challenges.entry(address).or_default();
        if let Some(known) = all.iter_mut().find(|challenge| challenge.by == by) {
            (known.mac, known.seen, known.refused) = (mac, seen, Some(now));
            (known.since, known.times) = (now, known.times.saturating_add(1));
        } else if self.has_room(by) {
            *self.behind.entry(by).or_default() += 1;
            let challenge = Challenge { by, mac, seen, since: now, refused: Some(now), times: 1 };
            self.challenges.entry(address).or_default().push(challenge);
        } else if self.challenges.get(&address).is_some_and(Vec::is_empty) {
            self.challenges.remove(&address);
        }
    }

    /// Asks the owner of an address, if it is here, or waits for its edge to do so.
    fn decide_by_asking(&mut self, address: IpAddr, now: Nanos) {
        let Some(((origin, _), _)) = self.chosen(&address) else { return };
        let is_first = !self.asks.contains_key(&address);
        let free_at = self.claims.get(&address).map_or(now, |claims| claims.free_at().max(now));
        match origin {
            None if is_first => self.ask(address, free_at),
            None => {}
            Some(_) => drop(self.timers.insert((free_at.max(now + EDGE_PATIENCE), address))),
        }
        self.stirred = true;
    }

    /// Begins to ask the owner of an address, who is here.
    pub(super) fn ask(&mut self, address: IpAddr, from: Nanos) {
        let is_absent = self.chosen(&address).is_some_and(|((_, port), _)| self.absent.contains(&port));
        let tries = if is_absent { TRIES } else { 0 };
        self.asks.insert(address, Ask { tries, next: from });
        self.timers.insert((from, address));
        self.stirred = true;
    }

    fn fire(&mut self, address: IpAddr, now: Nanos, questions: &mut Vec<Question>) {
        let holder = self.chosen(&address);
        if let Some(Ask { tries, next }) = self.asks.get(&address).copied().filter(|ask| ask.next <= now) {
            match holder {
                Some(((None, port), mac)) if tries < TRIES => {
                    let tags = self.tags.of((port, address, mac));
                    questions.extend(tags.map(|tag| Question { port, mac, address, tag }));
                    let next = next.max(now) + PATIENCE;
                    self.asks.insert(address, Ask { tries: tries + 1, next });
                    self.timers.insert((next, address));
                }
                Some(((None, _), _)) => self.give_up(address, now),
                _ => drop(self.asks.remove(&address)),
            }
        } else if holder.is_none_or(|((origin, _), _)| origin.is_some()) {
            let is_late = |challenge: &Challenge| {
                challenge.by.0.is_none()
                    && challenge.is_undecided()
                    && now.since(challenge.since) >= EDGE_PATIENCE
            };
            if self.challenges.get(&address).is_some_and(|all| all.iter().any(is_late)) {
                self.take(address, now);
            }
        }
    }

    /// The owner, who was here, is gone.
    pub(super) fn give_up(&mut self, address: IpAddr, now: Nanos) {
        self.asks.remove(&address);
        self.stirred = true;
        if self.take(address, now) {
            return;
        }
        // Its edge takes it when it hears that this one has let go.
        self.forget_challenges(address, |challenge| challenge.by.0.is_some() && challenge.is_undecided());
        self.retain(address, now, |claimant, _| claimant.0.is_some());
    }

    /// Gives an address to the host of this switch that claimed it last; whether there is one.
    pub(super) fn take(&mut self, address: IpAddr, now: Nanos) -> bool {
        let Some(all) = self.challenges.get(&address) else { return false };
        let is_ours = |challenge: &&Challenge| challenge.by.0.is_none() && challenge.is_undecided();
        let Some(winner) = all.iter().filter(is_ours).max_by_key(|challenge| challenge.seen).cloned() else {
            return false;
        };
        self.forget_challenges(address, |challenge| challenge.by == winner.by);
        self.withdraw(address, |claimant, _| claimant.0.is_some());
        let claims = self.claims.entry(address).or_default();
        let place = claims.place(&winner.by).unwrap_or_else(|place| place);
        claims.all.insert(place, (winner.by, Claim { mac: winner.mac, seen: winner.seen }));
        *self.behind.entry(winner.by).or_default() += 1;
        self.note_contested(address);
        self.decide(address, now, true);
        // Who was slower is behind the new owner's time.
        self.heard_owner(address, winner.seen.max(now));
        self.stirred = true;
        true
    }

    /// Another edge has asked the owner, who is there.
    fn heard_refusal(&mut self, origin: Origin, claim: &Sighting, now: Nanos) {
        let Sighting { address, mac, port, .. } = *claim;
        let by = (None, port);
        let Some(holder) = self.chosen(&address) else { return };
        if holder == (by, mac) {
            let theirs = |claimant: &Claimant| claimant.0 == Some(origin);
            let is_contested = self
                .claims
                .get(&address)
                .is_some_and(|claims| claims.all.iter().any(|(claimant, _)| theirs(claimant)));
            // Both hosts answer.
            if is_contested && **self.origins.name(origin) < *self.name {
                self.withdraw(address, |claimant, _| claimant.0.is_some());
                self.forget_challenges(address, |challenge| challenge.by.0 == Some(origin));
                self.refuse(claim, None, now);
                self.asks.remove(&address);
                self.decide(address, now, true);
                self.stirred = true;
            }
            return;
        }
        let Some(all) = self.challenges.get_mut(&address) else { return };
        let is_it = |challenge: &&mut Challenge| {
            challenge.by == by && challenge.mac == mac && challenge.is_undecided()
        };
        if holder.0.0 == Some(origin)
            && let Some(challenge) = all.iter_mut().find(is_it)
        {
            (challenge.refused, challenge.times) = (Some(now), challenge.times.saturating_add(1));
            self.refused += 1;
            self.stirred = true;
        }
    }

    /// Whether somebody at a port of this switch claims an address.
    pub(super) fn is_challenged(&self, address: IpAddr, port: PortNumber, mac: MacAddress) -> bool {
        let all = self.challenges.get(&address).into_iter().flatten();
        all.into_iter().any(|challenge| challenge.by == (None, port) && challenge.mac == mac)
    }

    /// Whether another edge was told lately that this claim is refused.
    pub(super) fn is_told(&self, claim: &Sighting, origin: Option<Origin>, now: Nanos) -> bool {
        let all = self.challenges.get(&claim.address).into_iter().flatten();
        let by = (origin, claim.port);
        all.filter(|challenge| challenge.by == by && challenge.mac == claim.mac)
            .any(|challenge| challenge.refused.is_some_and(|at| now.since(at) < RETOLD / 2))
    }

    /// Another edge does not claim an address any more.
    pub(super) fn withdrawn(&mut self, address: IpAddr, by: Claimant) {
        self.forget_challenges(address, |challenge| challenge.by == by);
    }

    /// Forgets refused claims that are not made any more.
    pub(super) fn forget_refusals(&mut self, now: Nanos) {
        let is_old = |challenge: &Challenge| {
            challenge.refused.is_some_and(|at| now.since(at.max(challenge.since)) >= REMEMBERED)
        };
        let old = self.challenges.iter().filter(|(_, all)| all.iter().any(is_old));
        let old: Vec<IpAddr> = old.map(|(address, _)| *address).collect();
        old.into_iter().for_each(|address| self.forget_challenges(address, is_old));
    }

    fn forget_challenges(&mut self, address: IpAddr, which: impl Fn(&Challenge) -> bool) {
        let Some(all) = self.challenges.get_mut(&address) else { return };
        let behind = &mut self.behind;
        all.retain(|challenge| {
            let goes = which(challenge);
            if goes {
                super::release(behind, &challenge.by);
            }
            !goes
        });
        if all.is_empty() {
            self.challenges.remove(&address);
        }
    }

    /// Whether there is room for one more address behind a port.
    pub(super) fn has_room(&self, by: Claimant) -> bool {
        self.behind.get(&by).is_none_or(|count| *count < ADDRESSES_PER_PORT)
    }
}
