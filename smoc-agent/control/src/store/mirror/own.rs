//! This switch's own records: what should be in the store, what is, and the writes between.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{LeaseId, Record, Write};
use crate::{
    clock::Nanos,
    store::{Bytes, Key},
};

/// Time between two writes; what changes meanwhile goes into the next.
pub const WRITE_PAUSE: Duration = Duration::from_millis(500);
/// Max records of one write: etcd takes 128 operations in a transaction.
pub const WRITE_SIZE: usize = 100;
/// How long nothing is written after the store refused to.
pub const REFUSED_PAUSE: Duration = Duration::from_secs(10);
/// Whoever writes this switch's records so often within [`OVERWRITTEN_WITHIN`] does not stop by itself.
const OVERWRITTEN: usize = 3;
const OVERWRITTEN_WITHIN: Duration = Duration::from_secs(300);
/// How long nothing is written then.
const OVERWRITTEN_PAUSE: Duration = Duration::from_secs(30);

/// What the store has of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    bytes: Bytes,
    lease: LeaseId,
    revision: i64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    wanted: BTreeMap<Key, Bytes>,
    stored: BTreeMap<Key, Stored>,
    /// The revision up to which `stored` is what the store told, rather than what was written.
    told: i64,
    /// What is being written.
    writing: Option<Write>,
    next: Nanos,
    /// When somebody else wrote what is this switch's.
    overwritten: VecDeque<Nanos>,
    /// Whether the store had the records once.
    confirmed: bool,
    refused: Option<String>,
}

impl Own {
    /// What should be there from now on.
    pub(super) fn want(&mut self, wanted: BTreeMap<Key, Vec<u8>>) {
        self.wanted = wanted.into_iter().map(|(key, bytes)| (key, bytes.into())).collect();
    }

    pub(super) fn wanted(&self, key: &Key) -> Option<&Bytes> {
        self.wanted.get(key)
    }

    /// The store had the records and has lost them.
    pub(super) fn is_lost(&self) -> bool {
        self.confirmed && !self.wanted.is_empty() && self.stored.is_empty()
    }

    /// Everything of this switch that is in the store.
    pub(super) fn read(&mut self, records: Vec<Record>, revision: i64, now: Nanos) {
        self.told = revision;
        let before = std::mem::take(&mut self.stored);
        for record in records {
            self.note_foreign(&record, before.get(&record.key), now);
            self.store(record);
        }
        self.confirm();
    }

    /// A record of this switch is in the store, or is not any more.
    pub(super) fn changed(&mut self, key: Key, record: Option<Record>, revision: i64, now: Nanos) {
        self.told = self.told.max(revision);
        if self.stored.get(&key).is_some_and(|stored| stored.revision >= revision) {
            return;
        }
        match record {
            None => drop(self.stored.remove(&key)),
            Some(record) => {
                let before = self.stored.get(&key).cloned();
                self.note_foreign(&record, before.as_ref(), now);
                self.store(record);
            }
        }
        self.confirm();
    }

    fn store(&mut self, Record { key, bytes, lease, revision }: Record) {
        self.stored.insert(key, Stored { bytes, lease, revision });
    }

    fn confirm(&mut self) {
        self.confirmed |= self.wanted.keys().any(|key| self.stored.contains_key(key));
    }

    /// Takes note if a record was written that is not this agent's.
    fn note_foreign(&mut self, record: &Record, before: Option<&Stored>, now: Nanos) {
        let is_ours = self.wanted.get(&record.key) == Some(&record.bytes)
            || before.is_some_and(|before| before.bytes == record.bytes)
            || self.writing.as_ref().is_some_and(|write| {
                write.puts.iter().any(|(key, bytes)| (key, bytes) == (&record.key, &record.bytes))
            });
        if is_ours || !matches!(record.key, Key::Switch(_)) {
            return;
        }
        self.overwritten.retain(|at| now.since(*at) < OVERWRITTEN_WITHIN);
        self.overwritten.push_back(now);
        if self.overwritten.len() >= OVERWRITTEN {
            self.next = self.next.max(now + OVERWRITTEN_PAUSE);
        }
    }

    /// Whether another agent calls itself by this switch's name.
    pub(super) fn is_contested(&self, now: Nanos) -> bool {
        let recent = self.overwritten.iter().filter(|at| now.since(**at) < OVERWRITTEN_WITHIN);
        recent.count() >= OVERWRITTEN
    }

    pub(super) fn refusal(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// When something has to be written, if something has.
    pub(super) fn next(&self, lease: LeaseId) -> Option<Nanos> {
        (self.writing.is_none() && self.differs(lease)).then_some(self.next)
    }

    fn differs(&self, lease: LeaseId) -> bool {
        self.stored.keys().any(|key| !self.wanted.contains_key(key))
            || self.wanted.iter().any(|(key, bytes)| !self.is_stored(key, bytes, lease))
    }

    fn is_stored(&self, key: &Key, bytes: &Bytes, lease: LeaseId) -> bool {
        self.stored.get(key).is_some_and(|stored| stored.bytes == *bytes && stored.lease == lease)
    }

    /// What is to be written now.
    pub(super) fn write(&mut self, lease: LeaseId, now: Nanos) -> Option<Write> {
        if self.next(lease).is_none_or(|next| now < next) {
            return None;
        }
        let puts = self.wanted.iter().filter(|(key, bytes)| !self.is_stored(key, bytes, lease));
        let puts: Vec<_> = puts.take(WRITE_SIZE).map(|(key, bytes)| (key.clone(), bytes.clone())).collect();
        let deletes = self.stored.keys().filter(|key| !self.wanted.contains_key(key));
        let deletes = deletes.take(WRITE_SIZE - puts.len()).cloned().collect();
        let write = Write { lease, puts, deletes };
        self.writing = Some(write.clone());
        self.next = now + WRITE_PAUSE;
        Some(write)
    }

    /// The write is done.
    pub(super) fn written(&mut self, revision: i64) {
        let Some(Write { lease, puts, deletes }) = self.writing.take() else { return };
        self.refused = None;
        // Otherwise the store has told already what became of it.
        if revision > self.told {
            for (key, bytes) in puts {
                self.stored.insert(key, Stored { bytes, lease, revision });
            }
            deletes.iter().for_each(|key| drop(self.stored.remove(key)));
        }
        self.confirm();
    }

    /// The store does not let this switch write.
    pub(super) fn refused(&mut self, why: String, now: Nanos) {
        self.writing = None;
        self.refused = Some(why);
        self.next = now + REFUSED_PAUSE;
    }

    /// The connection is gone, and with it the answer to a write.
    pub(super) fn lost(&mut self) {
        self.writing = None;
    }
}
