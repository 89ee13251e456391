//! Who is behind each port: another switch of the fabric, hosts, or something that must not be there.
//!
//! Each switch says who it is at each of its ports ([`crate::discovery::lldp`]): a few times when the carrier comes, and from
//! time to time. A port is undecided until its neighbour has spoken, or has been silent for [`SILENT`] since the carrier
//! came: then hosts are behind it. A switch whose agent is dead is found all the same: its program answers
//! ([`crate::discovery::presence`]). Two switches know each other once each has said that it has heard the other, by the boot
//! number of its agent; so what is recorded and said again later makes no neighbour.
//!
//! | file | what |
//! |---|---|
//! | `standing` | what may be known of a port, and what to do about what should not be |
//! | `port` | what was heard at one port, and what follows |
//! | `loops` | loops through what hosts have joined |
//! | `said` | what is sent at the ports |
//!
//! The base network stays closed at a port until it is decided; a mistake there is a loop, a wait of half a second is none.
//! Once a switch was heard at a port, silence makes no host port of it before its carrier was away: an agent that is dead says
//! nothing either.

mod loops;
mod port;
mod said;
mod standing;
#[cfg(test)]
mod tests;

pub use loops::{HOLD, PERIOD};
pub use port::SILENT;
pub use said::Said;
pub use standing::{Identity, Peer, Refusal, Standing};

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use smoc_common::route::PortNumber;
use smoc_paths::topology::generate::Random;

use crate::{
    clock::Nanos,
    config::PortRole,
    discovery::{
        key::Keys,
        lldp::{Advertisement, Heard},
        presence::{self, LoopProbe},
    },
};
use port::Port;

/// What is said is repeated after this time, 10 % more or less.
pub const REPEAT: Duration = Duration::from_secs(5);
/// For so many seconds it holds: three times that.
const TIME_TO_LIVE: u16 = 15;

/// What is known of the neighbours of one switch.
#[derive(Clone, Debug)]
pub struct Neighbors {
    identity: Identity,
    keys: Keys,
    ports: BTreeMap<PortNumber, Port>,
    random: Random,
    /// Frames that made a port refused, or that were not believed.
    refused: u64,
    /// Whether loops through what hosts have joined are looked for, and how often one has closed a port.
    watches_loops: bool,
    loops: u64,
    /// Of these something was decided otherwise since [`Neighbors::settle`] told.
    changed: BTreeSet<PortNumber>,
}

impl Neighbors {
    /// Nothing was heard yet at these ports.
    pub fn new(identity: Identity, keys: Keys, roles: BTreeMap<PortNumber, PortRole>) -> Self {
        let random = Random(identity.boot);
        let ports = roles.into_iter().map(|(number, role)| (number, Port::new(role))).collect();
        let changed = BTreeSet::new();
        Self { identity, keys, ports, random, refused: 0, watches_loops: false, loops: 0, changed }
    }

    /// What the ports are configured for, where that changes; ports that are new are undecided.
    pub fn set_roles(&mut self, roles: BTreeMap<PortNumber, PortRole>) {
        self.ports.retain(|number, _| roles.contains_key(number));
        for (number, role) in roles {
            self.ports.entry(number).or_insert_with(|| Port::new(role)).role = role;
        }
    }

    /// The fabric has other keys.
    pub fn set_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// The width of this switch's port numbers is another one.
    pub fn set_port_width(&mut self, bits: u8) {
        self.identity.port_width = bits;
    }

    /// An earlier agent has found hosts behind these ports, and the carrier was not away since.
    pub fn take_over_hosts(&mut self, hosts: &BTreeSet<PortNumber>) {
        let ports = self.ports.iter_mut().filter(|(number, _)| hosts.contains(number));
        ports.for_each(|(_, port)| port.take_over_hosts());
    }

    /// An earlier agent has found a switch behind these ports, which has not spoken yet.
    pub fn take_over_switches(&mut self, switches: &BTreeSet<PortNumber>) {
        let ports = self.ports.iter_mut().filter(|(number, _)| switches.contains(number));
        ports.for_each(|(_, port)| port.take_over_switch());
    }

    /// Another switch reports that it finds this port behind one of its own: where nobody speaks, that one may have no agent now.
    pub fn claimed(&mut self, number: PortNumber, by: &Peer, now: Nanos) {
        if let Some(port) = self.ports.get_mut(&number) {
            port.claimed(by, now);
        }
    }

    /// The ports that have carrier now.
    pub fn carriers(&mut self, with: &BTreeSet<PortNumber>, now: Nanos) {
        for (number, port) in &mut self.ports {
            port.set_carrier(with.contains(number), now);
        }
    }

    /// Takes note of a frame; whether it says anything new.
    pub fn hear(&mut self, number: PortNumber, frame: &[u8], now: Nanos) -> bool {
        let Some(port) = self.ports.get_mut(&number) else { return false };
        let Some(heard) = Heard::parse(frame, &self.keys) else { return false };
        let before = port.standing.clone();
        let is_news = port.hear(heard, self.identity.boot, now);
        port.decide(&self.identity, now, false);
        self.refused += u64::from(matches!(port.standing, Standing::Refused(_)));
        let is_other = port.standing != before;
        self.changed.extend(is_other.then_some(number));
        is_news || is_other
    }

    /// Whether loops through what hosts have joined are looked for: where this switch opens and closes the ports of its bridge.
    pub fn watch_loops(&mut self, watches: bool) {
        self.watches_loops = watches;
    }

    /// Takes note of an answer or a loop probe; whether anything may follow.
    pub fn hear_presence(&mut self, number: PortNumber, frame: &[u8], now: Nanos) -> bool {
        let Some(port) = self.ports.get_mut(&number) else { return false };
        let before = port.standing.clone();
        match presence::Heard::parse(frame, &self.keys) {
            Some(presence::Heard::Answer(asked)) if asked == self.identity.boot as u32 => port.answered(),
            Some(presence::Heard::Loop(probe))
                if self.watches_loops && probe.fabric == self.identity.fabric =>
            {
                port.hear_probe(&probe, &self.identity, number, now);
            }
            Some(presence::Heard::Forged) => {
                self.refused += 1;
                return false;
            }
            _ => return false,
        }
        port.decide(&self.identity, now, false);
        let is_other = port.standing != before;
        let is_loop = matches!(port.standing, Standing::Refused(Refusal::Loop(_)));
        self.loops += u64::from(is_loop && !matches!(before, Standing::Refused(Refusal::Loop(_))));
        self.changed.extend(is_other.then_some(number));
        // One of this switch's own may be due in answer.
        true
    }

    /// Decides again, as time goes on; which ports nothing but silence comes from, not even hellos. The
    /// ports of which something is decided otherwise than before.
    pub fn settle(&mut self, is_dead: impl Fn(PortNumber) -> bool, now: Nanos) -> BTreeSet<PortNumber> {
        let mut changed = std::mem::take(&mut self.changed);
        let doubles = self.doubles();
        for (number, port) in &mut self.ports {
            let before = port.standing.clone();
            port.is_double = doubles.contains(number);
            port.decide(&self.identity, now, is_dead(*number));
            changed.extend((port.standing != before).then_some(*number));
        }
        changed
    }

    /// Ports behind which two switches of one name are, or one more of this switch's name: each is heard after the other.
    fn doubles(&self) -> BTreeSet<PortNumber> {
        let all: Vec<_> =
            self.ports.iter().filter_map(|(number, port)| Some((*number, port.only()?))).collect();
        let mut doubles = BTreeSet::new();
        for (at, (number, seen)) in all.iter().enumerate() {
            for (other, of_other) in &all[at + 1..] {
                let is_same =
                    seen.said.switch == of_other.said.switch && seen.said.boot != of_other.said.boot;
                if is_same && seen.last > of_other.first && of_other.last > seen.first {
                    doubles.extend([*number, *other]);
                }
            }
        }
        doubles
    }

    /// What is to be said now at the ports that can send.
    pub fn due(&mut self, can_send: impl Fn(PortNumber) -> bool, now: Nanos) -> Vec<Said> {
        let mut due = Vec::new();
        for (&number, port) in &mut self.ports {
            if self.watches_loops && port.probes_loops() && port.loops.is_due(can_send(number), now) {
                let Identity { switch, fabric, boot, .. } = self.identity.clone();
                let is_open = port.standing == Standing::Host;
                due.push(Said::Loop(LoopProbe { switch, port: number, fabric, boot, is_open }));
            }
            let jitter = self.random.bits() % (REPEAT / 5).as_nanos() as u64;
            let pause = (REPEAT - REPEAT / 10) + Duration::from_nanos(jitter);
            if !port.is_due(can_send(number), pause, now) {
                continue;
            }
            let Identity { switch, fabric, boot, port_width } = self.identity.clone();
            let heard = port.boot_heard();
            let time_to_live = TIME_TO_LIVE;
            let said = Advertisement { switch, port: number, time_to_live, fabric, port_width, boot, heard };
            due.push(Said::Advertisement(said));
            if port.asks() {
                due.push(Said::Question(number, boot as u32));
            }
        }
        due
    }

    /// When something is due, unless something happens before.
    pub fn next(&self) -> Nanos {
        self.ports.values().map(|port| port.next(self.watches_loops)).min().unwrap_or(Nanos(u64::MAX))
    }

    /// The keys that make what is said believed.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What is known of a port.
    pub fn standing(&self, port: PortNumber) -> &Standing {
        self.ports.get(&port).map_or(&Standing::Undecided, |port| &port.standing)
    }

    /// Whether nobody knows yet what is behind some port that has carrier.
    pub fn is_deciding(&self) -> bool {
        self.ports.values().any(Port::is_deciding)
    }

    /// The ports and what is known of each.
    pub fn all(&self) -> impl Iterator<Item = (PortNumber, &Standing)> {
        self.ports.iter().map(|(number, port)| (*number, &port.standing))
    }

    /// How often a port was closed because of a loop through what hosts have joined.
    pub fn loops(&self) -> u64 {
        self.loops
    }

    /// How many frames were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}
