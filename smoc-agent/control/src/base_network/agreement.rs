//! The agreement of one switch as a value: trees, port states and statements in; port states and statements out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use smoc_common::route::PortNumber;
use smoc_paths::topology::{LinkId, SwitchId, Topology, generate::Random};

use super::{Epoch, Statement};
use crate::{clock::Nanos, interfaces::BridgePort};

/// A neighbour of which nothing was heard for this time is silent: its agent is dead, or it has none.
pub const SILENCE: Duration = Duration::from_millis(3500);
/// The port to a neighbour that is heard, but has not come to the same tree after this time, is closed.
pub const AGREEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval at which a statement is repeated, 10 % more or less.
const REPEAT: Duration = Duration::from_secs(1);
/// Interval at which a new statement is repeated, and for how long.
const HURRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// The tree that a switch wants, as far as it concerns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The same for the same links, by name, and for no others.
    pub digest: u64,
    /// The ports of this switch that lead to others.
    pub ports: BTreeMap<PortNumber, Neighbor>,
}

impl Tree {
    /// These links, as a switch sees them.
    pub fn of(topology: &Topology, this: SwitchId, links: &BTreeSet<LinkId>) -> Self {
        let neighbor = |arc: &smoc_paths::topology::Arc| Neighbor {
            switch: topology.switch(arc.to.switch).name.clone(),
            port: arc.to.port,
            in_tree: links.contains(&arc.link),
        };
        let ports = topology.arcs(this).iter().map(|arc| (arc.port, neighbor(arc))).collect();
        Self { digest: digest(topology, links), ports }
    }
}

/// FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo) of the names of links, in an order that no file decides.
fn digest(topology: &Topology, links: &BTreeSet<LinkId>) -> u64 {
    let name = |link: &LinkId| {
        let link = topology.link(*link);
        let mut ends = [link.a, link.b].map(|end| topology.end_name(end));
        ends.sort_unstable();
        ends
    };
    let mut names: Vec<_> = links.iter().map(name).collect();
    names.sort_unstable();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in names.iter().flatten().flat_map(|end| end.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// What is behind a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// The switch there.
    pub switch: String,
    /// Its port.
    pub port: PortNumber,
    /// Whether the link is in the tree.
    pub in_tree: bool,
}

/// What the kernel says of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It carries no frames, and will not before the kernel says so: no interface, no carrier, no port of the bridge.
    Absent,
    /// It is a port of the bridge, in this state.
    Present(BridgePort),
}

/// Why a port of the tree is not open, if its neighbour is the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unagreed {
    /// Nothing was heard of it for [`SILENCE`].
    Silent,
    /// Another switch or another port is there.
    Other(String, PortNumber),
    /// It has another tree.
    Differs,
    /// It has the same tree, but waits for others.
    Waits,
}

/// The ports of one switch: which are open, and which should be.
#[derive(Clone, Debug)]
pub struct Agreement {
    switch: String,
    epoch: Epoch,
    digest: u64,
    /// When the epoch began.
    since: Nanos,
    /// When the agent started.
    started: Nanos,
    ports: BTreeMap<PortNumber, Port>,
    /// What the kernel said last, of other ports too.
    states: BTreeMap<PortNumber, Seen>,
    random: Random,
    /// Whether the switch was synced in this epoch.
    was_synced: bool,
    /// Addresses may have moved since they were last forgotten.
    moved: bool,
}

#[derive(Clone, Debug)]
struct Port {
    neighbor: Neighbor,
    seen: Seen,
    /// The last command, unless the kernel has shown or refused it.
    asked: Option<BridgePort>,
    /// It should be open.
    held: bool,
    /// See rule 1.
    confirmed: bool,
    heard: Option<(Statement, Nanos)>,
    /// The last statement, and when it first was made.
    said: Option<(Statement, Nanos)>,
    next: Nanos,
}

impl Port {
    fn new(neighbor: Neighbor, seen: Seen) -> Self {
        Self {
            neighbor,
            seen,
            asked: None,
            held: false,
            confirmed: false,
            heard: None,
            said: None,
            next: Nanos(0),
        }
    }

    fn is_seen_open(&self) -> bool {
        self.seen == Seen::Present(BridgePort::Forwarding)
    }

    fn may_be_open(&self) -> bool {
        self.is_seen_open() || self.held || self.asked == Some(BridgePort::Forwarding)
    }

    /// It keeps the switch from being synced: see rule 2.
    fn is_unsynced(&self) -> bool {
        self.may_be_open() && !self.confirmed
    }

    /// Whether a statement is of the neighbour that should be there.
    fn is_expected(&self, statement: &Statement) -> bool {
        statement.switch == self.neighbor.switch && statement.port == self.neighbor.port
    }

    fn epoch_heard(&self) -> Epoch {
        let expected = self.heard.as_ref().filter(|(statement, _)| self.is_expected(statement));
        expected.map_or(Epoch::default(), |(statement, _)| statement.epoch)
    }
}

impl Agreement {
    /// The agreement of a switch whose agent has just started. `boot` is a number that no other run of an agent has.
    pub fn new(switch: &str, boot: u64, tree: Tree, states: BTreeMap<PortNumber, Seen>, now: Nanos) -> Self {
        let mut agreement = Self {
            switch: switch.to_owned(),
            epoch: Epoch { boot, sequence: 1 },
            digest: tree.digest,
            since: now,
            started: now,
            ports: BTreeMap::new(),
            states,
            random: Random(boot),
            was_synced: false,
            moved: false,
        };
        agreement.want(tree, now);
        agreement
    }

    /// The tree that is wanted from now on.
    pub fn want(&mut self, tree: Tree, now: Nanos) {
        let is_other = tree.digest != self.digest;
        if is_other {
            self.digest = tree.digest;
            self.epoch.sequence += 1;
            (self.since, self.was_synced) = (now, false);
        }
        self.ports.retain(|port, _| tree.ports.contains_key(port));
        for (number, neighbor) in tree.ports {
            let seen = self.states.get(&number).copied().unwrap_or(Seen::Absent);
            let port = self.ports.entry(number).or_insert_with(|| Port::new(neighbor.clone(), seen));
            if is_other || port.neighbor != neighbor {
                port.confirmed = false;
                port.held &= port.is_seen_open() || port.asked == Some(BridgePort::Forwarding);
            }
            port.neighbor = neighbor;
        }
    }

    /// What the kernel says of the ports now. Those of which it says nothing are absent.
    pub fn seen(&mut self, states: BTreeMap<PortNumber, Seen>) {
        self.states = states;
        for (number, port) in &mut self.ports {
            port.seen = self.states.get(number).copied().unwrap_or(Seen::Absent);
        }
        let is_synced = self.is_synced_but_for(None);
        for port in self.ports.values_mut() {
            match port.seen {
                Seen::Absent => (port.held, port.asked) = (false, None),
                // Somebody else has closed it. It is opened again as any other.
                Seen::Present(BridgePort::Closed) => port.held &= port.confirmed && is_synced,
                Seen::Present(BridgePort::Forwarding) => {}
            }
        }
    }

    /// The open ports were opened by an earlier agent, by the same rules: they may stay open.
    pub fn take_over(&mut self) {
        self.ports.values_mut().for_each(|port| port.held = port.is_seen_open());
    }

    /// Takes note of what was heard at a port; whether it is something else than before.
    pub fn hear(&mut self, number: PortNumber, statement: Statement, now: Nanos) -> bool {
        let Some(port) = self.ports.get_mut(&number) else { return false };
        let was_confirmed = port.confirmed;
        port.confirmed |= port.neighbor.in_tree
            && port.is_expected(&statement)
            && statement.synced
            && (statement.digest, statement.heard) == (self.digest, self.epoch);
        let is_news = port.heard.as_ref().is_none_or(|(before, _)| *before != statement);
        port.heard = Some((statement, now));
        is_news || port.confirmed != was_confirmed
    }

    /// Decides which ports should be open from now on; whether any should be that should not before, or the other way round.
    pub fn settle(&mut self, now: Nanos) -> bool {
        let mut changed = false;
        let (since, started) = (self.since, self.started);
        for port in self.ports.values_mut().filter(|port| port.held) {
            let stays = port.confirmed || now < waits_until(port, since, started);
            port.held = port.neighbor.in_tree && stays;
            changed |= !port.held;
        }
        if self.is_synced_but_for(None) {
            let openable = |port: &&mut Port| port.confirmed && !port.held && port.seen != Seen::Absent;
            for port in self.ports.values_mut().filter(openable) {
                port.held = true;
                changed = true;
                self.moved = true;
            }
            self.moved |= !std::mem::replace(&mut self.was_synced, true);
        }
        changed
    }

    /// The state that a port should have.
    pub fn wanted(&self, port: PortNumber) -> BridgePort {
        match self.ports.get(&port) {
            Some(port) if port.held => BridgePort::Forwarding,
            _ => BridgePort::Closed,
        }
    }

    /// Whether the command is needed, and safe, that gives a port the state that it should have.
    pub fn is_to_be_set(&self, number: PortNumber) -> bool {
        let Some(port) = self.ports.get(&number) else { return false };
        match self.wanted(number) {
            BridgePort::Closed => {
                port.seen == Seen::Present(BridgePort::Forwarding)
                    || port.asked == Some(BridgePort::Forwarding)
            }
            BridgePort::Forwarding => {
                port.seen == Seen::Present(BridgePort::Closed)
                    && port.confirmed
                    && self.is_synced_but_for(Some(number))
            }
        }
    }

    /// The command was given that [`Agreement::is_to_be_set`] asks for.
    pub fn was_asked(&mut self, number: PortNumber) {
        let wanted = self.wanted(number);
        if let Some(port) = self.ports.get_mut(&number) {
            port.asked = Some(wanted);
        }
    }

    /// The command was refused, or an earlier one: the port may be open until the kernel says otherwise.
    pub fn was_refused(&mut self, number: PortNumber) {
        if let Some(port) = self.ports.get_mut(&number)
            && port.seen != Seen::Absent
        {
            port.asked = Some(BridgePort::Forwarding);
        }
    }

    /// The last command, unless the port is absent.
    pub fn last_asked(&self, number: PortNumber) -> Option<BridgePort> {
        self.ports.get(&number)?.asked
    }

    /// The statements that are due: what is new at once, all else from time to time. Ports that cannot send are told once
    /// they can.
    pub fn statements(&mut self, can_send: impl Fn(PortNumber) -> bool, now: Nanos) -> Vec<Statement> {
        let unsynced = self.ports.values().filter(|port| port.is_unsynced()).count();
        let mut due = Vec::new();
        for (&number, port) in &mut self.ports {
            if !can_send(number) {
                (port.said, port.next) = (None, Nanos(u64::MAX));
                continue;
            }
            let synced = unsynced == usize::from(port.is_unsynced());
            let heard = port.epoch_heard();
            let first = match &port.said {
                Some((said, first))
                    if (said.digest, said.epoch, said.heard, said.synced)
                        == (self.digest, self.epoch, heard, synced) =>
                {
                    if now < port.next {
                        continue;
                    }
                    *first
                }
                _ => now,
            };
            let (often, for_long) = HURRY;
            port.next = if now.since(first) < for_long {
                now + often
            } else {
                let jitter = self.random.bits() % (REPEAT / 5).as_nanos() as u64;
                now + (REPEAT - REPEAT / 10) + Duration::from_nanos(jitter)
            };
            let switch = self.switch.clone();
            let (digest, epoch) = (self.digest, self.epoch);
            let statement = Statement { switch, port: number, digest, epoch, heard, synced };
            port.said = Some((statement.clone(), first));
            due.push(statement);
        }
        due
    }

    /// When something is due, unless something happens before.
    pub fn next(&self) -> Nanos {
        let unconfirmed = self.ports.values().filter(|port| port.held && !port.confirmed);
        let waits = unconfirmed.map(|port| waits_until(port, self.since, self.started));
        self.ports.values().map(|port| port.next).chain(waits).min().unwrap_or(Nanos(u64::MAX))
    }

    /// Whether frames may take other paths since this was last asked: the bridge should forget behind which ports it has seen
    /// which addresses. That is so once this switch and all that is open behind its ports use the same tree.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// The ports of the tree to which the neighbour has not agreed, with the reason.
    pub fn unagreed(&self, now: Nanos) -> impl Iterator<Item = (PortNumber, Unagreed)> {
        let missing = self
            .ports
            .iter()
            .filter(|(_, port)| port.neighbor.in_tree && !port.confirmed && port.seen != Seen::Absent);
        missing.map(move |(number, port)| {
            let why = match &port.heard {
                Some((heard, at)) if now.since(*at) < SILENCE => {
                    if !port.is_expected(heard) {
                        Unagreed::Other(heard.switch.clone(), heard.port)
                    } else if heard.digest != self.digest {
                        Unagreed::Differs
                    } else {
                        Unagreed::Waits
                    }
                }
                _ => Unagreed::Silent,
            };
            (*number, why)
        })
    }

    /// When this epoch began.
    pub fn since(&self) -> Nanos {
        self.since
    }

    /// Rule 2; without a port, of all.
    fn is_synced_but_for(&self, but_for: Option<PortNumber>) -> bool {
        let others = self.ports.iter().filter(|(number, _)| Some(**number) != but_for);
        others.into_iter().all(|(_, port)| !port.is_unsynced())
    }
}

/// How long a port may stay open unconfirmed.
fn waits_until(port: &Port, since: Nanos, started: Nanos) -> Nanos {
    let heard = port.heard.as_ref().map_or(started, |(_, at)| *at);
    (heard + SILENCE).min(since + AGREEMENT_TIMEOUT)
}
