//! A store and agents that share it, in virtual time: what etcd promises, and everything that may go wrong.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use smoc_common::route::PortNumber;

use super::{Change, Effect, Event, LeaseId, Mirror, Record, Settings, Write};
use crate::{
    clock::Nanos,
    fabric::{Adjacency, Report},
    store::{Bytes, HostRecord, Key, Saved, SwitchRecord},
};

pub(super) const LEASE: Duration = Duration::from_secs(600);
/// Where virtual time begins: not at 0, so that nothing is due only because a time was never set.
pub(super) const BEGIN: Nanos = Nanos(1_000_000_000_000);

/// The store: revisions, leases, history, backups.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    pub is_up: bool,
    pub cluster: u64,
    pub revision: i64,
    pub records: BTreeMap<Key, Record>,
    /// From the revision after which it is complete.
    history: Vec<Change>,
    compacted: i64,
    leases: BTreeMap<LeaseId, (Duration, Nanos)>,
    leases_granted: LeaseId,
    backup: Option<(i64, BTreeMap<Key, Record>)>,
    /// How long a write takes.
    pub slow: Duration,
}

impl Server {
    fn change(&mut self, key: Key, record: Option<Record>) {
        match &record {
            Some(record) => drop(self.records.insert(key.clone(), record.clone())),
            None => drop(self.records.remove(&key)),
        }
        self.history.push(Change { key, revision: self.revision, record });
    }

    pub(super) fn put(&mut self, key: Key, bytes: Bytes, lease: LeaseId) {
        self.revision += 1;
        let record = Record { key: key.clone(), bytes, lease, revision: self.revision };
        self.change(key, Some(record));
    }

    /// Deletes records, all in one revision.
    pub(super) fn delete(&mut self, which: impl Fn(&Record) -> bool) {
        let keys: Vec<Key> = self.records.values().filter(|it| which(it)).map(|it| it.key.clone()).collect();
        self.revision += i64::from(!keys.is_empty());
        keys.into_iter().for_each(|key| self.change(key, None));
    }

    fn write(&mut self, write: &Write) -> Event {
        if !self.leases.contains_key(&write.lease) {
            return Event::Renewed(false);
        }
        self.revision += 1;
        for (key, bytes) in &write.puts {
            let record = Record {
                key: key.clone(),
                bytes: bytes.clone(),
                lease: write.lease,
                revision: self.revision,
            };
            self.change(key.clone(), Some(record));
        }
        for key in write.deletes.iter().filter(|key| self.records.contains_key(key)).collect::<Vec<_>>() {
            self.change(key.clone(), None);
        }
        Event::Written(self.revision)
    }

    pub(super) fn compact(&mut self) {
        self.compacted = self.revision;
        self.history.clear();
    }

    pub(super) fn back_up(&mut self) {
        self.backup = Some((self.revision, self.records.clone()));
    }

    /// Puts the backup back; leases begin anew, as etcd's do. The number of the cluster may stay the same.
    pub(super) fn restore(&mut self, cluster: u64, now: Nanos) {
        let Some((revision, records)) = self.backup.clone() else { return };
        (self.revision, self.records, self.cluster) = (revision, records, cluster);
        (self.compacted, self.history) = (revision, Vec::new());
        self.leases.values_mut().for_each(|(lease, end)| *end = now + *lease);
    }

    pub(super) fn expire(&mut self, now: Nanos) {
        let over: Vec<LeaseId> =
            self.leases.iter().filter(|(_, (_, end))| now >= *end).map(|(id, _)| *id).collect();
        for id in over {
            self.leases.remove(&id);
            self.delete(|record| record.lease == id);
        }
    }

    /// Answers, unless the effect asks for none.
    fn answer(&mut self, effect: &Effect, now: Nanos) -> Option<Event> {
        match effect {
            Effect::Connect(_) => Some(Event::Connected),
            Effect::Read => Some(Event::Read {
                cluster: self.cluster,
                revision: self.revision,
                records: self.records.values().cloned().collect(),
            }),
            Effect::Grant(lease) => {
                self.leases_granted += 1;
                self.leases.insert(self.leases_granted, (*lease, now + *lease));
                Some(Event::Granted(self.leases_granted))
            }
            Effect::Renew(id) => {
                let lease = self.leases.get_mut(id);
                let is_there = lease.is_some();
                lease.into_iter().for_each(|(lease, end)| *end = now + *lease);
                Some(Event::Renewed(is_there))
            }
            Effect::Write(write) => Some(self.write(write)),
            Effect::Ask => Some(Event::Changed(Vec::new())),
            Effect::Watch(_) | Effect::Disconnect | Effect::Publish(_) | Effect::Save => None,
        }
    }
}

/// An agent, its connection, and what it has published.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub name: String,
    pub mirror: Mirror,
    /// What arrives when.
    inbox: VecDeque<(Nanos, Event)>,
    is_connected: bool,
    /// The next revision that the connection tells of.
    watching: Option<i64>,
    /// Whether the management network brings it to the store.
    pub is_reachable: bool,
    /// Whether its connection hangs: nothing comes, not even its end.
    pub is_silent: bool,
    pub published: BTreeMap<Key, Bytes>,
    /// Everything that stopped being published.
    pub withdrawn: BTreeSet<Key>,
    pub saved: Option<Saved>,
    pub own: BTreeMap<Key, Vec<u8>>,
    pub attempts: usize,
}

/// The store and its agents.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub now: Nanos,
    pub server: Server,
    pub agents: Vec<Agent>,
    seed: u64,
}

/// What a switch in a ring says: its neighbours, and a number that tells one record from the next.
pub(super) fn record(number: u64, neighbors: &[&str]) -> Vec<u8> {
    let port = |place| PortNumber::new(place).unwrap();
    let adjacency = |(place, name): (usize, &&str)| Adjacency {
        port: port(place as u16 + 1),
        switch: (*name).to_owned(),
        there: port(1),
        megabits: 0,
    };
    let adjacencies = neighbors.iter().enumerate().map(adjacency).collect();
    SwitchRecord { agent: number.to_string(), report: Report { port_width: 0, adjacencies }, api: None }
        .to_bytes(number)
}

fn start(name: &str, saved: Option<Saved>, now: Nanos) -> (Mirror, Vec<Effect>) {
    let settings = Settings { fabric: "lab".into(), switch: name.into(), members: 3, lease: LEASE };
    Mirror::start(settings, saved, now)
}

impl World {
    /// A ring of so many agents, with a host behind each.
    pub(super) fn ring(count: usize, seed: u64) -> Self {
        let server = Server { is_up: true, cluster: 7, revision: 1, ..Server::default() };
        let mut world = Self { now: BEGIN, server, agents: Vec::new(), seed };
        for place in 0..count {
            world.agents.push(Agent {
                name: format!("e{place}"),
                mirror: start("", None, world.now).0,
                inbox: VecDeque::new(),
                is_connected: false,
                watching: None,
                is_reachable: true,
                is_silent: false,
                published: BTreeMap::new(),
                withdrawn: BTreeSet::new(),
                saved: None,
                own: BTreeMap::new(),
                attempts: 0,
            });
            world.restart(place, false);
        }
        for place in 0..count {
            world.say(place, 0);
        }
        world
    }

    /// An agent starts again, with or without what the last one saved.
    pub(super) fn restart(&mut self, place: usize, is_remembering: bool) {
        let agent = &mut self.agents[place];
        let saved = agent.saved.clone().filter(|_| is_remembering);
        let (mirror, effects) = start(&agent.name, saved, self.now);
        agent.mirror = mirror;
        agent.inbox.clear();
        (agent.is_connected, agent.watching, agent.is_silent) = (false, None, false);
        agent.published.clear();
        agent.withdrawn.clear();
        self.perform(place, effects);
        let own = self.agents[place].own.clone();
        self.tell(place, Event::Own(own));
    }

    /// An agent has something else to say of its switch.
    pub(super) fn say(&mut self, place: usize, number: u64) {
        let count = self.agents.len();
        let (left, right) = ((place + count - 1) % count, (place + 1) % count);
        let neighbors = [format!("e{left}"), format!("e{right}")];
        let names: Vec<&str> = neighbors.iter().map(String::as_str).collect();
        let name = self.agents[place].name.clone();
        let host = Key::Hosts(name.clone(), PortNumber::new(9).unwrap());
        let own = BTreeMap::from([
            (Key::Switch(name), record(number, &names)),
            (host, HostRecord::default().to_bytes(number)),
        ]);
        self.agents[place].own = own.clone();
        self.tell(place, Event::Own(own));
    }

    /// The same numbers in every run.
    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    pub(super) fn tell(&mut self, place: usize, event: Event) {
        let effects = self.agents[place].mirror.handle(event, self.now);
        self.perform(place, effects);
    }

    fn perform(&mut self, place: usize, effects: Vec<Effect>) {
        for effect in effects {
            let delay = Duration::from_micros(500 + self.random(20_000));
            let agent = &mut self.agents[place];
            match &effect {
                Effect::Publish(keys) => agent.publish(keys),
                Effect::Save => agent.saved = Some(agent.mirror.to_save()),
                Effect::Disconnect => agent.disconnect(),
                Effect::Watch(from) => agent.watching = Some(*from),
                Effect::Connect(_) => {
                    agent.disconnect();
                    agent.attempts += 1;
                    agent.is_connected = agent.is_reachable && self.server.is_up;
                    if !agent.is_connected {
                        agent.inbox.push_back((self.now + delay, Event::Lost("connection refused".into())));
                    }
                }
                _ => {}
            }
            let agent = &mut self.agents[place];
            if agent.is_connected && !agent.is_silent && self.server.is_up {
                let slow = if matches!(effect, Effect::Write(_)) { self.server.slow } else { Duration::ZERO };
                if let Some(answer) = self.server.answer(&effect, self.now) {
                    agent.inbox.push_back((self.now + delay + slow, answer));
                }
            }
        }
    }

    /// Connections end, except those that hang.
    pub(super) fn cut(&mut self, which: impl Fn(&Agent) -> bool) {
        let now = self.now;
        for agent in self.agents.iter_mut().filter(|agent| agent.is_connected && which(agent)) {
            agent.disconnect();
            agent.inbox.push_back((now, Event::Lost("connection reset".into())));
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.watchers();
            let due = self.agents.iter().map(Agent::due).min().unwrap_or(end);
            // Leases are looked at every second at least.
            self.now = due.max(self.now).min(end).min(self.now + Duration::from_secs(1));
            if self.server.is_up {
                self.server.expire(self.now);
            }
            for place in 0..self.agents.len() {
                while let Some(event) = self.agents[place].next(self.now) {
                    self.tell(place, event);
                }
                if self.agents[place].mirror.deadline() <= self.now {
                    self.tell(place, Event::Time);
                    assert!(
                        self.agents[place].mirror.deadline() > self.now,
                        "nothing is due twice at one time: {:?}",
                        self.agents[place].mirror.status(self.now)
                    );
                }
            }
        }
    }

    /// The store tells of changes.
    fn watchers(&mut self) {
        let Self { now, server, agents, .. } = self;
        for agent in agents.iter_mut().filter(|agent| agent.is_connected && !agent.is_silent && server.is_up)
        {
            let Some(from) = agent.watching else { continue };
            if from <= server.compacted && from <= server.revision {
                agent.watching = None;
                agent.inbox.push_back((*now, Event::Compacted));
                continue;
            }
            let news: Vec<Change> =
                server.history.iter().filter(|change| change.revision >= from).cloned().collect();
            if !news.is_empty() {
                agent.watching = Some(server.revision + 1);
                agent.inbox.push_back((*now + Duration::from_millis(1), Event::Changed(news)));
            }
        }
    }
}

impl Agent {
    fn disconnect(&mut self) {
        (self.is_connected, self.watching, self.is_silent) = (false, None, false);
        self.inbox.clear();
    }

    fn publish(&mut self, keys: &BTreeSet<Key>) {
        for key in keys {
            match self.mirror.record(key) {
                Some(bytes) => drop(self.published.insert(key.clone(), bytes.clone())),
                None => {
                    self.published.remove(key);
                    self.withdrawn.insert(key.clone());
                }
            }
        }
    }

    fn due(&self) -> Nanos {
        let arrives = self.inbox.iter().map(|(at, _)| *at).min();
        arrives.map_or(self.mirror.deadline(), |at| at.min(self.mirror.deadline()))
    }

    /// What has arrived. Answers and news of changes may overtake each other.
    fn next(&mut self, now: Nanos) -> Option<Event> {
        let place = self.inbox.iter().position(|(at, _)| *at <= now)?;
        self.inbox.remove(place).map(|(_, event)| event)
    }
}
