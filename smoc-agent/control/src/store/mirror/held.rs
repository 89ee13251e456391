//! Others' records: what the store says, and what counts until that is believed.
//!
//! A store can be emptied or restored from an old backup while the fabric works. So a record that is gone, or that went back
//! to what it said earlier, is *doubted* first, and counts as it did:
//!
//! * a switch: for [`SETTLE`] if no other switch reports it any more, but for the time of a lease if the store lost this switch's own
//!   records as well; for the time of another lease if one does; and as long as one
//!   does if more than half of the switches are gone from the store, which is no way in which switches go;
//! * the hosts of a switch: as long as the switch is doubted; when it is in the store itself, for the time of a lease (that hosts
//!   have left, their switch writes: it does not delete);
//! * what operators wrote: not at all, but for the time of a lease if the store lost this switch's own records as well;
//! * a record that went back, by what its switch says of when it was written: for the time of a lease, which is ample for its switch to write it again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    clock::Nanos,
    store::{Bytes, Key, SwitchRecord, record::written},
};

/// How long a record counts that is gone, with nothing else for it: time to write it again.
pub const SETTLE: Duration = Duration::from_secs(10);

/// A record of another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// What counts.
    used: Bytes,
    /// What the store says, if it has it.
    stored: Option<Bytes>,
    /// Since when that is something else.
    doubted: Option<Nanos>,
    /// Whether it went with this switch's own records: then the store was emptied, and nothing is known of its switch.
    with_own: bool,
}

impl Entry {
    /// Whether the store says again what was said before, not what is said now. That it went back its revision does not always
    /// show: it may have come as far again since.
    fn is_taken_back(&self, bytes: &Bytes, went_back: bool) -> bool {
        if self.used == *bytes {
            return false;
        }
        let is_still = self.doubted.is_some() && self.stored.as_ref() == Some(bytes);
        let (then, now) = (written(bytes), written(&self.used));
        is_still || then < now || went_back && then == now
    }
}

/// What the store lost at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// What was deleted, or whose lease ended.
    Some,
    /// This switch's own records too, so it was emptied or restored.
    OwnToo,
}

/// Others' records.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    records: BTreeMap<Key, Entry>,
    /// Whether some may be doubted: none need be looked for otherwise.
    has_doubts: bool,
}

impl Held {
    /// Takes over what was saved.
    pub(super) fn saved(records: BTreeMap<Key, Vec<u8>>) -> Self {
        let entry = |(key, bytes): (Key, Vec<u8>)| {
            let used: Bytes = bytes.into();
            (key, Entry { stored: Some(used.clone()), used, doubted: None, with_own: false })
        };
        Self { records: records.into_iter().map(entry).collect(), has_doubts: false }
    }

    /// What counts.
    pub(super) fn used(&self) -> impl Iterator<Item = (&Key, &Bytes)> {
        self.records.iter().map(|(key, entry)| (key, &entry.used))
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Bytes> {
        self.records.get(key).map(|entry| &entry.used)
    }

    pub(super) fn doubted(&self) -> impl Iterator<Item = &Key> {
        self.records.iter().filter(|(_, entry)| entry.doubted.is_some()).map(|(key, _)| key)
    }

    /// Whether there are doubted ones, or were when [`Held::expire`] looked last.
    pub(super) fn has_doubts(&self) -> bool {
        self.has_doubts
    }

    /// Somebody wrote a record; whether it says something else now.
    pub(super) fn put(&mut self, key: Key, bytes: Bytes) -> bool {
        let entry = Entry { used: bytes.clone(), stored: Some(bytes), doubted: None, with_own: false };
        let before = self.records.insert(key, entry.clone());
        before.is_none_or(|before| before.used != entry.used)
    }

    /// A record is gone; whether it stopped counting at once.
    pub(super) fn delete(&mut self, key: &Key, loss: Loss, now: Nanos) -> bool {
        if key.owner().is_none() && loss == Loss::Some {
            return self.records.remove(key).is_some();
        }
        if let Some(entry) = self.records.get_mut(key) {
            entry.stored = None;
            entry.doubted.get_or_insert(now);
            entry.with_own |= loss == Loss::OwnToo;
            self.has_doubts = true;
        }
        false
    }

    /// Everything that is in the store; the records that say something else now.
    pub(super) fn read(
        &mut self,
        records: BTreeMap<Key, Bytes>,
        went_back: bool,
        loss: Loss,
        now: Nanos,
    ) -> BTreeSet<Key> {
        let gone: Vec<Key> = self.records.keys().filter(|key| !records.contains_key(key)).cloned().collect();
        let mut changed: BTreeSet<Key> = gone.into_iter().filter(|key| self.delete(key, loss, now)).collect();
        for (key, bytes) in records {
            match self.records.get_mut(&key) {
                Some(entry) if entry.is_taken_back(&bytes, went_back) => {
                    entry.stored = Some(bytes);
                    entry.doubted.get_or_insert(now);
                    self.has_doubts = true;
                }
                _ => {
                    if self.put(key.clone(), bytes) {
                        changed.insert(key);
                    }
                }
            }
        }
        changed
    }

    /// Believes the store where there was time enough; the records that say something else now. `own` is what this switch
    /// says of itself.
    pub(super) fn expire(
        &mut self,
        this: &str,
        own: Option<&Bytes>,
        lease: Duration,
        now: Nanos,
    ) -> BTreeSet<Key> {
        let has_doubts = self.doubted().next().is_some();
        self.has_doubts = has_doubts;
        if !has_doubts {
            return BTreeSet::new();
        }
        let (heard, is_mass) = (self.heard(this, own), self.is_mass_loss());
        let is_over = |(key, entry): (&Key, &Entry)| {
            let waited = now.since(entry.doubted?);
            let is_over = match (key, &entry.stored) {
                (_, Some(_)) => waited >= lease,
                (Key::Switch(name), None) => match heard.contains(name.as_str()) {
                    true => waited >= lease && !is_mass,
                    false if entry.with_own => waited >= lease,
                    false => waited >= SETTLE,
                },
                (Key::Hosts(name, _), None) => match self.records.get(&Key::Switch(name.clone())) {
                    Some(Entry { stored: None, .. }) => false,
                    Some(_) => waited >= lease,
                    None => waited >= SETTLE,
                },
                (Key::Config | Key::Drain(_) | Key::Policy(_), None) => waited >= lease,
            };
            is_over.then(|| key.clone())
        };
        let over: BTreeSet<Key> = self.records.iter().filter_map(is_over).collect();
        for key in &over {
            let stored = self.records.remove(key).and_then(|entry| entry.stored);
            if let Some(used) = stored {
                let entry = Entry { stored: Some(used.clone()), used, doubted: None, with_own: false };
                self.records.insert(key.clone(), entry);
            }
        }
        over
    }

    /// Whether more than half of the switches, and more than one, are gone from the store.
    fn is_mass_loss(&self) -> bool {
        let switches = || self.records.iter().filter(|(key, _)| matches!(key, Key::Switch(_)));
        let gone = switches().filter(|(_, entry)| entry.stored.is_none()).count();
        gone > 1 && gone * 2 > switches().count()
    }

    /// The switches that this one, or one that is in the store, hears: directly, or by way of others that are heard.
    fn heard(&self, this: &str, own: Option<&Bytes>) -> BTreeSet<String> {
        let neighbors = |bytes: &Bytes| -> Vec<String> {
            let record = SwitchRecord::parse(bytes).unwrap_or_default();
            record.neighbors().map(str::to_owned).collect()
        };
        let mut heard = BTreeSet::from([this.to_owned()]);
        let mut open: Vec<String> = own.map(neighbors).unwrap_or_default();
        for (key, entry) in &self.records {
            if let Key::Switch(name) = key
                && entry.stored.is_some()
            {
                open.push(name.clone());
            }
        }
        while let Some(name) = open.pop() {
            if let Some(entry) = self.records.get(&Key::Switch(name.clone()))
                && heard.insert(name)
            {
                open.extend(neighbors(&entry.used));
            }
        }
        heard
    }
}
