//! What has happened at a switch, as far back as a fixed budget reaches.
//!
//! Every entry has the next number, so whoever reads on finds out whether entries have gone in between, and how many.

mod changes;
mod series;

use std::{collections::VecDeque, fmt};

use serde::{Deserialize, Serialize};

pub use changes::{Happening, NEW_LINK, changes};
pub use series::{Recorded, RecordedSeries, SERIES_BUDGET, Series, SeriesName};

/// Bytes that entries may take together, as [`Entry::size`] estimates them.
pub const BUDGET: usize = 4 << 20;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The agent: ready or not.
    Agent,
    /// A port of this switch.
    Port,
    /// A link of the network.
    Link,
    /// A ranked path from this switch.
    Path,
    /// An address: learned, moved, gone.
    Host,
    /// An MPTCP connection or subflow.
    Connection,
    /// MPTCP that went on as TCP.
    Fallback,
    /// Something on a path that swallows MP_CAPABLE.
    Blackhole,
    /// What operators want: drained links, policies.
    Policy,
    /// The fabric's store.
    Store,
    /// A warning of `smoc status`.
    Warning,
    /// Something that was not recorded.
    Gap,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Agent,
        Self::Port,
        Self::Link,
        Self::Path,
        Self::Host,
        Self::Connection,
        Self::Fallback,
        Self::Blackhole,
        Self::Policy,
        Self::Store,
        Self::Warning,
        Self::Gap,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Port => "port",
            Self::Link => "link",
            Self::Path => "path",
            Self::Host => "host",
            Self::Connection => "connection",
            Self::Fallback => "fallback",
            Self::Blackhole => "blackhole",
            Self::Policy => "policy",
            Self::Store => "store",
            Self::Warning => "warning",
            Self::Gap => "gap",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number; the next entry has the next one.
    pub number: u64,
    /// When, in microseconds since 1970 by the wall clock, which may be set back.
    pub at: u64,
    /// What it is about.
    pub kind: Kind,
    /// The port, link, path or address; empty if it is about none.
    pub subject: String,
    /// What happened, for people.
    pub text: String,
}

impl Entry {
    fn size(&self) -> usize {
        size_of::<Self>() + self.subject.len() + self.text.len()
    }
}

/// Entries from the oldest that is left to the newest.
#[derive(Clone, Debug)]
pub struct History {
    entries: VecDeque<Entry>,
    size: usize,
    budget: usize,
    /// The number of the next entry.
    next: u64,
}

/// What a reader gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Entries, oldest first.
    pub entries: Vec<Entry>,
    /// How many entries, right before these, there were and are not any more.
    pub missing: u64,
    /// From where to read on.
    pub next: u64,
}

impl History {
    /// An empty history within a budget of bytes.
    pub const fn new(budget: usize) -> Self {
        Self { entries: VecDeque::new(), size: 0, budget, next: 0 }
    }

    /// Records what happened at a time in microseconds since 1970. The oldest entries make room for it.
    pub fn record(&mut self, at: u64, Happening { kind, subject, text }: Happening) {
        let entry = Entry { number: self.next, at, kind, subject, text };
        self.next += 1;
        self.size += entry.size();
        self.entries.push_back(entry);
        while self.size > self.budget
            && let Some(oldest) = self.entries.pop_front()
        {
            self.size -= oldest.size();
        }
    }

    /// The number of the next entry.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// At most `most` entries from number `from` on that are not from before `since`.
    pub fn read(&self, from: u64, since: u64, most: usize) -> Page {
        let oldest = self.next - self.entries.len() as u64;
        let skipped = from.saturating_sub(oldest) as usize;
        let asked = self.entries.iter().skip(skipped).filter(|entry| entry.at >= since);
        let entries: Vec<Entry> = asked.take(most).cloned().collect();
        let next = match entries.last() {
            Some(last) if entries.len() == most => last.number + 1,
            _ => self.next,
        };
        Page { entries, missing: oldest.saturating_sub(from), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happening(text: &str) -> Happening {
        Happening { kind: Kind::Link, subject: "e1:1-m1:1".into(), text: text.into() }
    }

    #[test]
    fn a_reader_goes_on_where_it_ended_and_hears_how_much_it_missed() {
        let one =
            Entry { number: 0, at: 0, kind: Kind::Link, subject: "e1:1-m1:1".into(), text: "down".into() };
        let mut history = History::new(3 * one.size());
        assert_eq!(history.read(0, 0, 10), Page::default());
        history.record(5, happening("down"));
        let first = history.read(0, 0, 10);
        assert_eq!((first.entries.len(), first.missing, first.next), (1, 0, 1));
        for at in 6..11 {
            history.record(at, happening("down"));
        }
        let second = history.read(first.next, 0, 10);
        let numbers: Vec<u64> = second.entries.iter().map(|entry| entry.number).collect();
        assert_eq!((numbers, second.missing, second.next), (vec![3, 4, 5], 2, 6));
        assert_eq!(history.read(second.next, 0, 10), Page { next: 6, ..Page::default() });
    }

    #[test]
    fn long_answers_come_in_pages_and_old_entries_are_left_out() {
        let mut history = History::new(BUDGET);
        (0..10).for_each(|at| history.record(at, happening("down")));
        let page = history.read(0, 4, 3);
        assert_eq!(page.entries.iter().map(|entry| entry.at).collect::<Vec<_>>(), [4, 5, 6]);
        assert_eq!(history.read(page.next, 4, 100).entries.len(), 3);
    }

    #[test]
    fn an_entry_that_is_larger_than_all_room_leaves_nothing_and_is_missed() {
        let mut history = History::new(64);
        history.record(1, happening(&"x".repeat(1000)));
        assert_eq!(history.read(0, 0, 10), Page { missing: 1, next: 1, ..Page::default() });
    }

    #[test]
    fn every_kind_is_named_as_it_is_written() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }
}
