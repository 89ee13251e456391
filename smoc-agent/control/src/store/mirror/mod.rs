//! The conversation of one agent with the store, as a value: [`Mirror::handle`] takes an event and the time, and gives effects.
//!
//! ```text
//! resting --Connect--> connecting --Read--> reading --Watch, Grant--> following
//!    ^                     |                  ^  |                      |  |
//!    '------- lost, each wait longer ---------+--+----------------------'  |
//!                                             '-------- compacted ---------'
//! ```
//!
//! Each connection begins with reading everything, so it does not matter what happened to the store meanwhile. A lease ends
//! when an agent has been away for long, and takes the agent's records away; connections have nothing to do with it.
//! What becomes of records that are gone is in `held`, and the writing of own ones in `own`.

mod held;
#[cfg(test)]
mod model;
mod own;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    time::Duration,
};

use tracing::{info, warn};

use super::{Bytes, Key, Saved};
use crate::clock::Nanos;
use held::{Held, Loss};
use own::Own;

pub use held::SETTLE;
pub use own::{REFUSED_PAUSE, WRITE_PAUSE, WRITE_SIZE};

/// The number of a lease; 0 is none.
pub type LeaseId = i64;

/// A connection on which nothing is heard is asked for a sign of life so often.
pub const ASK: Duration = Duration::from_secs(5);
/// A connection that gives none, and a request that is not answered, for so long is lost.
pub const SILENCE: Duration = Duration::from_secs(15);
/// Shortest and longest wait between two attempts to connect, each a try of all members.
pub const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Changes are published at most once in this time, and the first at once.
pub const PUBLISH_PAUSE: Duration = Duration::from_millis(100);
/// They are saved at most once in this time.
pub const SAVE_PAUSE: Duration = Duration::from_secs(5);
/// How often doubted records are looked at.
const DOUBT_TICK: Duration = Duration::from_secs(1);

/// What a mirror is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of the fabric.
    pub fabric: String,
    /// The name of this switch.
    pub switch: String,
    /// How many members of the store there are to connect to.
    pub members: usize,
    /// How long this switch's records stay when its agent does not renew them.
    pub lease: Duration,
}

/// A record as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub key: Key,
    /// Its contents.
    pub bytes: Bytes,
    /// The lease that it goes with.
    pub lease: LeaseId,
    /// The store's revision when it was written.
    pub revision: i64,
}

/// What happens to a mirror. After [`Effect::Connect`] or [`Effect::Disconnect`] nothing of an earlier connection comes.
#[derive(Clone, Debug)]
pub enum Event {
    /// The time of [`Mirror::deadline`] has come.
    Time,
    /// This switch's own records are to be these. Those of other switches are no business of this one.
    Own(BTreeMap<Key, Vec<u8>>),
    /// The member answers.
    Connected,
    /// All records of the fabric, as of one revision.
    Read {
        /// The number of the store's cluster.
        cluster: u64,
        /// Its revision.
        revision: i64,
        /// The records.
        records: Vec<Record>,
    },
    /// What was written since, in order; nothing is a sign of life.
    Changed(Vec<Change>),
    /// The store does not have the revision any more from which it was to tell of changes.
    Compacted,
    /// There is a lease.
    Granted(LeaseId),
    /// The lease was renewed; or there is none of this number, which a write may show as well.
    Renewed(bool),
    /// The write is done, with this revision.
    Written(i64),
    /// The store refuses to write.
    Refused(String),
    /// The connection is gone, or there was none; why, for people.
    Lost(String),
}

/// A record was written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub key: Key,
    /// The store's revision then.
    pub revision: i64,
    /// What it is now; `None` if it is gone.
    pub record: Option<Record>,
}

/// Records of this switch to be written or deleted, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The lease that they go with.
    pub lease: LeaseId,
    /// What to write.
    pub puts: Vec<(Key, Bytes)>,
    /// What to delete.
    pub deletes: Vec<Key>,
}

/// What a mirror wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Connect to this member, by its place in the list; answered by `Connected` or `Lost`.
    Connect(usize),
    /// Close the connection.
    Disconnect,
    /// Read all records; answered by `Read` or `Lost`.
    Read,
    /// Tell of changes from this revision on.
    Watch(i64),
    /// Ask for a sign of life: an empty `Changed`.
    Ask,
    /// Get a lease; answered by `Granted`.
    Grant(Duration),
    /// Renew it; answered by `Renewed`.
    Renew(LeaseId),
    /// Write; answered by `Written`, `Refused` or `Renewed(false)`.
    Write(Write),
    /// These records say something else now: see [`Mirror::record`].
    Publish(BTreeSet<Key>),
    /// [`Mirror::to_save`] should be written to disk.
    Save,
}

/// How far the conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Resting { until: Nanos },
    Connecting { since: Nanos },
    Reading { since: Nanos },
    Following,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    id: LeaseId,
    /// When it is renewed next.
    renew: Nanos,
    /// Whether this is being asked.
    asked: bool,
}

/// What an operator sees of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether changes are heard of.
    pub is_following: bool,
    /// The member that is or was connected, by its place in the list.
    pub member: usize,
    /// The store's revision when it was heard last; `None` if it never was.
    pub revision: Option<i64>,
    /// When the store was heard last.
    pub heard: Option<Nanos>,
    /// How many records of others count.
    pub records: usize,
    /// How many of them the store does not have, or has otherwise.
    pub doubted: Vec<Key>,
    /// Why the last attempt failed, unless one has worked since.
    pub error: Option<String>,
    /// Why own records cannot be written.
    pub refusal: Option<String>,
    /// Whether another agent writes the records of this switch.
    pub contested: bool,
}

/// The conversation of one agent with the store.
#[derive(Clone, Debug)]
pub struct Mirror {
    settings: Settings,
    phase: Phase,
    member: usize,
    /// Attempts in a row that failed.
    failures: u32,
    /// Cluster and revision of the store when it was heard last.
    seen: Option<(u64, i64)>,
    heard: Option<Nanos>,
    asked: Nanos,
    held: Held,
    own: Own,
    lease: Option<Lease>,
    error: Option<String>,
    /// Changes that are not published yet.
    changed: BTreeSet<Key>,
    published: Nanos,
    unsaved: bool,
    saved: Nanos,
    doubts: Nanos,
    effects: Vec<Effect>,
}

impl Mirror {
    /// Begins with what an earlier agent of this switch saved, which is published at once, and connects.
    pub fn start(settings: Settings, saved: Option<Saved>, now: Nanos) -> (Self, Vec<Effect>) {
        let seen = saved.as_ref().map(|saved| (saved.cluster, saved.revision));
        let held = Held::saved(saved.map(|saved| saved.records).unwrap_or_default());
        let changed: BTreeSet<Key> = held.used().map(|(key, _)| key.clone()).collect();
        let member = usize::try_from(hash(&settings.switch)).unwrap_or(0) % settings.members.max(1);
        let mut mirror = Self {
            settings,
            phase: Phase::Resting { until: now },
            member,
            failures: 0,
            seen,
            heard: None,
            asked: now,
            held,
            own: Own::default(),
            lease: None,
            error: None,
            changed,
            published: Nanos(0),
            unsaved: false,
            saved: Nanos(0),
            doubts: now,
            effects: Vec::new(),
        };
        let effects = mirror.handle(Event::Time, now);
        (mirror, effects)
    }

    /// Takes note of an event and says what is to be done.
    pub fn handle(&mut self, event: Event, now: Nanos) -> Vec<Effect> {
        match event {
            Event::Time => {}
            Event::Own(records) => self.own.want(records),
            Event::Connected => self.connected(now),
            Event::Read { cluster, revision, records } => self.read(cluster, revision, records, now),
            Event::Changed(changes) => self.changed(changes, now),
            Event::Compacted => self.begin_reading(now),
            Event::Granted(id) => {
                let renew = now + self.settings.lease / 3;
                self.lease = Some(Lease { id, renew, asked: false });
            }
            Event::Renewed(is_there) => self.renewed(is_there, now),
            Event::Written(revision) => self.own.written(revision),
            Event::Refused(why) => {
                warn!(why, "the store refuses to write this switch's records");
                self.own.refused(why, now);
            }
            Event::Lost(why) => self.lost(why, now),
        }
        self.proceed(now);
        std::mem::take(&mut self.effects)
    }

    /// When [`Event::Time`] is to come, unless something else happens before.
    pub fn deadline(&self) -> Nanos {
        let phase = match self.phase {
            Phase::Resting { until } => until,
            Phase::Connecting { since } | Phase::Reading { since } => since + SILENCE,
            Phase::Following => (self.asked + ASK).min(self.heard.unwrap_or(self.asked) + SILENCE),
        };
        let following = self.phase == Phase::Following;
        let lease = self.lease.filter(|_| following);
        let lease = lease.filter(|lease| !lease.asked);
        let write = lease.and_then(|lease| self.own.next(lease.id));
        let renew = lease.map(|lease| lease.renew);
        let publish = (!self.changed.is_empty()).then_some(self.published + PUBLISH_PAUSE);
        let save = self.unsaved.then_some(self.saved + SAVE_PAUSE);
        let doubts = self.held.has_doubts().then_some(self.doubts + DOUBT_TICK);
        [write, renew, publish, save, doubts].into_iter().flatten().min().map_or(phase, |it| it.min(phase))
    }

    /// What a record of another says, as it counts.
    pub fn record(&self, key: &Key) -> Option<&Bytes> {
        self.held.get(key)
    }

    /// All records of others that count.
    pub fn records(&self) -> impl Iterator<Item = (&Key, &Bytes)> {
        self.held.used()
    }

    /// What is to be kept on disk.
    pub fn to_save(&self) -> Saved {
        let (cluster, revision) = self.seen.unwrap_or_default();
        Saved {
            fabric: self.settings.fabric.clone(),
            switch: self.settings.switch.clone(),
            cluster,
            revision,
            records: self.held.used().map(|(key, bytes)| (key.clone(), bytes.to_vec())).collect(),
        }
    }

    /// What an operator sees.
    pub fn status(&self, now: Nanos) -> Status {
        Status {
            is_following: self.phase == Phase::Following,
            member: self.member,
            revision: self.heard.and(self.seen).map(|(_, revision)| revision),
            heard: self.heard,
            records: self.held.used().count(),
            doubted: self.held.doubted().cloned().collect(),
            error: self.error.clone(),
            refusal: self.own.refusal().map(str::to_owned),
            contested: self.own.is_contested(now),
        }
    }

    fn connected(&mut self, now: Nanos) {
        if matches!(self.phase, Phase::Connecting { .. }) {
            self.begin_reading(now);
        }
    }

    fn begin_reading(&mut self, now: Nanos) {
        if !matches!(self.phase, Phase::Resting { .. }) {
            self.phase = Phase::Reading { since: now };
            self.effects.push(Effect::Read);
        }
    }

    fn read(&mut self, cluster: u64, revision: i64, records: Vec<Record>, now: Nanos) {
        if !matches!(self.phase, Phase::Reading { .. }) {
            return;
        }
        let went_back = self.seen.is_some_and(|seen| seen.0 != cluster || seen.1 > revision);
        if went_back {
            warn!(cluster, revision, "the store is another one, or was restored from a backup");
        } else if self.error.is_some() || self.heard.is_none() {
            info!(revision, records = records.len(), "the store is read");
        }
        self.seen = Some((cluster, revision));
        (self.heard, self.asked) = (Some(now), now);
        (self.error, self.failures) = (None, 0);
        let (own, others): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| self.is_own(&record.key));
        self.own.read(own, revision, now);
        let loss = if self.own.is_lost() || went_back { Loss::OwnToo } else { Loss::Some };
        let others = others.into_iter().map(|record| (record.key, record.bytes)).collect();
        let changed = self.held.read(others, went_back, loss, now);
        self.note(changed);
        self.unsaved = true;
        self.phase = Phase::Following;
        self.effects.push(Effect::Watch(revision + 1));
        match &mut self.lease {
            None => self.effects.push(Effect::Grant(self.settings.lease)),
            Some(lease) => {
                lease.asked = true;
                self.effects.push(Effect::Renew(lease.id));
            }
        }
    }

    fn is_own(&self, key: &Key) -> bool {
        key.owner() == Some(self.settings.switch.as_str())
    }

    fn changed(&mut self, changes: Vec<Change>, now: Nanos) {
        if self.phase != Phase::Following {
            return;
        }
        self.heard = Some(now);
        if let (Some((_, seen)), Some(last)) = (&mut self.seen, changes.last()) {
            *seen = (*seen).max(last.revision);
        }
        let (own, others): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| self.is_own(&change.key));
        for Change { key, revision, record } in own {
            self.own.changed(key, record, revision, now);
        }
        let loss = if self.own.is_lost() { Loss::OwnToo } else { Loss::Some };
        for Change { key, record, .. } in others {
            let is_news = match record {
                Some(record) => self.held.put(key.clone(), record.bytes),
                None => self.held.delete(&key, loss, now),
            };
            if is_news {
                self.note([key]);
            }
        }
    }

    fn note(&mut self, changed: impl IntoIterator<Item = Key>) {
        let before = self.changed.len();
        self.changed.extend(changed);
        self.unsaved |= self.changed.len() != before;
    }

    fn renewed(&mut self, is_there: bool, now: Nanos) {
        let Some(lease) = &mut self.lease else { return };
        if is_there {
            (lease.renew, lease.asked) = (now + self.settings.lease / 3, false);
            return;
        }
        info!("the lease has ended: asking for another one");
        self.lease = None;
        self.own.lost();
        if self.phase == Phase::Following {
            self.effects.push(Effect::Grant(self.settings.lease));
        }
    }

    fn lost(&mut self, why: String, now: Nanos) {
        if matches!(self.phase, Phase::Resting { .. }) {
            return;
        }
        if self.error.is_none() {
            warn!(why, "the store is away; the fabric goes on with what is known");
        }
        self.effects.push(Effect::Disconnect);
        self.error = Some(why);
        self.own.lost();
        if let Some(lease) = &mut self.lease {
            lease.asked = false;
        }
        self.member = (self.member + 1) % self.settings.members.max(1);
        self.phase = Phase::Resting { until: now + self.wait() };
        self.failures = self.failures.saturating_add(1);
    }

    /// How long to wait before the next attempt: the same after each time all members were tried, then twice as long, and a
    /// part of that which differs between switches and attempts, so that not all come at once.
    fn wait(&self) -> Duration {
        let rounds = self.failures / u32::try_from(self.settings.members.max(1)).unwrap_or(u32::MAX);
        let wait = BACKOFF.0.saturating_mul(1 << rounds.min(10)).min(BACKOFF.1);
        let share = hash(&(&self.settings.switch, self.failures)) % 1000;
        wait / 2 + wait.mul_f64(share as f64 / 2000.0)
    }

    /// Does what is due.
    fn proceed(&mut self, now: Nanos) {
        match self.phase {
            Phase::Resting { until } if now >= until => {
                self.phase = Phase::Connecting { since: now };
                self.effects.push(Effect::Connect(self.member));
            }
            Phase::Connecting { since } | Phase::Reading { since } if now >= since + SILENCE => {
                self.lost(format!("no answer within {} s", SILENCE.as_secs()), now);
            }
            Phase::Following => self.follow(now),
            _ => {}
        }
        if self.held.has_doubts() && now >= self.doubts + DOUBT_TICK {
            self.doubts = now;
            let own = self.own.wanted(&Key::Switch(self.settings.switch.clone())).cloned();
            let over = self.held.expire(&self.settings.switch, own.as_ref(), self.settings.lease, now);
            self.note(over);
        }
        if !self.changed.is_empty() && now >= self.published + PUBLISH_PAUSE {
            self.published = now;
            self.effects.push(Effect::Publish(std::mem::take(&mut self.changed)));
        }
        if self.unsaved && now >= self.saved + SAVE_PAUSE {
            (self.saved, self.unsaved) = (now, false);
            self.effects.push(Effect::Save);
        }
    }

    fn follow(&mut self, now: Nanos) {
        if self.heard.is_none_or(|heard| now >= heard + SILENCE) {
            return self.lost(format!("nothing heard for {} s", SILENCE.as_secs()), now);
        }
        if now >= self.asked + ASK {
            self.asked = now;
            self.effects.push(Effect::Ask);
        }
        let Some(lease) = &mut self.lease else { return };
        if !lease.asked && now >= lease.renew {
            lease.asked = true;
            self.effects.push(Effect::Renew(lease.id));
        }
        // While the lease's renewal is pending it may have ended; a write would be refused, and is tried after that.
        let id = lease.id;
        if !lease.asked
            && let Some(write) = self.own.write(id, now)
        {
            self.effects.push(Effect::Write(write));
        }
    }
}

/// The same on every machine and in every run.
fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
