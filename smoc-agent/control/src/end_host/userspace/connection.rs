//! One connection: which subflows it has, lacks and tries.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{Ends, Event, Health, LOOK, LOOK_SOON, Offer, Order, Token, Worth};
use crate::clock::Nanos;

/// How long an attempt may take: SYNs that are lost are sent again for longer, but then another way is better.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after a failure it is tried again: twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// From which address to which address and port a subflow goes; the kernel chooses the port that it comes from.
type Way = (IpAddr, SocketAddr);

/// What became of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// A SYN is under way.
    Tried { since: Nanos, failures: u32 },
    /// There is a subflow.
    Up { failures: u32 },
    /// It failed, and may be tried again.
    Failed { again: Nanos, failures: u32 },
    /// One of the hosts has closed it, so it stays closed.
    Closed,
}

impl Attempt {
    fn failures(self) -> u32 {
        match self {
            Self::Tried { failures, .. } | Self::Up { failures } | Self::Failed { failures, .. } => failures,
            Self::Closed => 0,
        }
    }

    /// After one more failure.
    fn failed(before: Option<Self>, now: Nanos) -> Self {
        let failures = before.map_or(0, Self::failures) + 1;
        let doubled = FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(6));
        Self::Failed { again: now + doubled.min(LONGEST_PAUSE), failures }
    }
}

/// What is known of a subflow.
#[derive(Clone, Copy, Debug, Default)]
struct Subflow {
    health: Health,
    is_backup: bool,
}

#[derive(Debug)]
pub(super) struct Connection {
    initial: Ends,
    is_server: bool,
    denies_initial: bool,
    begun: Nanos,
    is_worth: bool,
    looked: Nanos,
    /// When it was last seen to what it lacks: what may be tried again since then was left because there is enough.
    settled: Nanos,
    subflows: BTreeMap<Ends, Subflow>,
    /// What the other host has told of, by address id.
    told: BTreeMap<u8, SocketAddr>,
    /// What this host has told of.
    announced: BTreeSet<SocketAddr>,
    attempts: BTreeMap<Way, Attempt>,
}

impl Connection {
    pub fn new(initial: Ends, is_server: bool, denies_initial: bool, now: Nanos) -> Self {
        Self {
            initial,
            is_server,
            denies_initial,
            begun: now,
            is_worth: false,
            looked: now,
            settled: now,
            subflows: BTreeMap::from([(initial, Subflow::default())]),
            told: BTreeMap::new(),
            announced: BTreeSet::new(),
            attempts: BTreeMap::new(),
        }
    }

    pub fn is_worth(&self) -> bool {
        self.is_worth
    }

    pub fn subflows(&self) -> impl Iterator<Item = Ends> {
        self.subflows.keys().copied()
    }

    pub fn hear(&mut self, event: Event, now: Nanos) {
        match event {
            Event::Established { .. } | Event::Closed => {}
            Event::Announced { id, mut address } => {
                if address.port() == 0 {
                    address.set_port(self.initial.remote.port());
                }
                self.told.insert(id, address);
            }
            Event::Withdrawn { id } => {
                self.told.remove(&id);
            }
            Event::SubflowEstablished(ends) => {
                self.subflows.entry(ends).or_default();
                if let Some(attempt) = self.attempts.get_mut(&way(ends)) {
                    *attempt = Attempt::Up { failures: 0 };
                }
            }
            Event::SubflowClosed { ends, error } => {
                self.subflows.remove(&ends);
                if error != 0 {
                    self.failed(ends.local.ip(), ends.remote, now);
                } else if let Some(attempt) = self.attempts.get_mut(&way(ends)) {
                    *attempt = Attempt::Closed;
                }
            }
        }
    }

    /// A way did not work, or works no longer.
    pub fn failed(&mut self, from: IpAddr, to: SocketAddr, now: Nanos) {
        let before = self.attempts.get(&(from, to)).copied();
        self.attempts.insert((from, to), Attempt::failed(before, now));
    }

    /// Takes how a subflow does; the answer is whether it shall be a backup from now on, if that changes.
    pub fn measured(&mut self, ends: Ends, health: Health) -> Option<bool> {
        let others = self.subflows.iter().filter(|(other, _)| **other != ends);
        let has_better = others.into_iter().any(|(_, other)| !other.health.is_stuck);
        let subflow = self.subflows.get_mut(&ends)?;
        subflow.health = health;
        let is_backup = health.is_stuck && (subflow.is_backup || has_better);
        let changes = is_backup != subflow.is_backup;
        subflow.is_backup = is_backup;
        changes.then_some(is_backup)
    }

    /// What it lacks, as far as it is worth that.
    pub fn settle(&mut self, token: Token, offer: &Offer, worth: Worth, now: Nanos) -> Vec<Order> {
        self.settled = now;
        let bytes: u64 = self.subflows.values().map(|subflow| subflow.health.bytes).sum();
        self.is_worth |= bytes >= worth.bytes || now.since(self.begun) >= worth.time;
        match (self.is_worth, self.is_server) {
            (false, _) => Vec::new(),
            (true, true) => self.announce(token, offer),
            (true, false) => self.open(token, offer, now),
        }
    }

    /// Tells of so many ports as subflows are lacking, of the family that the other host is sure to have.
    fn announce(&mut self, token: Token, offer: &Offer) -> Vec<Order> {
        let is_v4 = self.initial.local.is_ipv4();
        let mut orders = Vec::new();
        for (address, id) in offer.listeners.iter().zip(1..=u8::MAX) {
            let is_fit = address.is_ipv4() == is_v4 && !self.announced.contains(address);
            if is_fit && self.announced.len() < offer.extra {
                self.announced.insert(*address);
                orders.push(Order::Announce { token, id, address: *address });
            }
        }
        orders
    }

    /// Opens subflows until there are enough or no way is left: along ways that were not tried yet first.
    fn open(&mut self, token: Token, offer: &Offer, now: Nanos) -> Vec<Order> {
        for attempt in self.attempts.values_mut() {
            if let Attempt::Tried { since, .. } = *attempt
                && now.since(since) >= PATIENCE
            {
                *attempt = Attempt::failed(Some(*attempt), now);
            }
        }
        let counts = |attempt: &&Attempt| matches!(attempt, Attempt::Tried { .. } | Attempt::Up { .. });
        let has = self.attempts.values().filter(counts).count()
            + usize::from(self.subflows.contains_key(&self.initial));
        let mut ways = self.ways(offer);
        ways.retain(|(way, _)| match self.attempts.get(way) {
            None => true,
            Some(Attempt::Failed { again, .. }) => *again <= now,
            Some(_) => false,
        });
        ways.sort_by_key(|(way, _)| self.attempts.get(way).map_or(0, |attempt| attempt.failures()));
        let mut orders = Vec::new();
        for ((from, to), id) in ways.into_iter().take((offer.extra + 1).saturating_sub(has)) {
            let failures = self.attempts.get(&(from, to)).map_or(0, |attempt| attempt.failures());
            self.attempts.insert((from, to), Attempt::Tried { since: now, failures });
            orders.push(Order::Open { token, from, id, to });
        }
        orders
    }

    /// The ways that further subflows can take, with the address id of the end here: to what the other host tells of, and from
    /// further addresses.
    fn ways(&self, offer: &Offer) -> Vec<(Way, u8)> {
        let initial = self.initial.local.ip();
        let fits = |from: &IpAddr, to: &SocketAddr| from.is_ipv4() == to.is_ipv4();
        let sources = offer.sources.iter().zip(1..=u8::MAX).filter(|(from, _)| **from != initial);
        let sources: Vec<(IpAddr, u8)> = sources.map(|(from, id)| (*from, id)).collect();
        let mut ways: Vec<(Way, u8)> = Vec::new();
        for to in self.told.values() {
            // An address that no other subflow comes from serves as well, where there is one left.
            let mut from = sources.iter().filter(|(from, _)| fits(from, to));
            let unused = from.find(|(from, _)| !ways.iter().any(|((used, _), _)| used == from));
            let (from, id) = unused.copied().unwrap_or((initial, 0));
            if fits(&from, to) {
                ways.push(((from, *to), id));
            }
        }
        if !self.denies_initial {
            let free = sources.iter().filter(|(from, _)| !ways.iter().any(|((used, _), _)| used == from));
            let to = self.initial.remote;
            let more: Vec<_> =
                free.filter(|(from, _)| fits(from, &to)).map(|(from, id)| ((*from, to), *id)).collect();
            ways.extend(more);
        }
        // The initial subflow, after it has died.
        if !self.denies_initial && self.attempts.contains_key(&way(self.initial)) {
            ways.push((way(self.initial), 0));
        }
        ways
    }

    /// Whether its subflows should be looked at now; the next time is counted from now then.
    pub fn look_due(&mut self, now: Nanos) -> bool {
        let is_due = self.next_look().is_some_and(|due| due <= now);
        if is_due {
            self.looked = now;
        }
        is_due
    }

    fn next_look(&self) -> Option<Nanos> {
        match (self.is_worth, self.subflows.len()) {
            (false, _) => Some(self.looked + LOOK_SOON),
            (true, 0 | 1) => None,
            (true, _) => Some(self.looked + LOOK),
        }
    }

    /// When something is due.
    pub fn next(&self) -> Option<Nanos> {
        let attempts = self.attempts.values().filter_map(|attempt| match attempt {
            Attempt::Tried { since, .. } => Some(*since + PATIENCE),
            Attempt::Failed { again, .. } => Some(*again).filter(|again| *again > self.settled),
            Attempt::Up { .. } | Attempt::Closed => None,
        });
        attempts.chain(self.next_look()).min()
    }
}

fn way(ends: Ends) -> Way {
    (ends.local.ip(), ends.remote)
}
