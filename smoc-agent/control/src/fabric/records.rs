//! What operators want of the fabric as a whole, such as which links to drain: small texts by name.
//!
//! Each switch holds all of them and tells all of them, and of two with one name the newer counts (a last-writer-wins map; M.
//! Shapiro et al., "A comprehensive study of convergent and commutative replicated data types", INRIA RR-7506, 2011, 3.2): so
//! every switch can take an order, and none is lost while one that has heard of it is left. One that is taken back stays as a
//! record without text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most records that a fabric has, those without text included.
pub const MAX_RECORDS: usize = 256;
/// Longest name, in bytes.
pub const LONGEST_NAME: usize = 192;
/// Longest text, in bytes: a record goes into one frame.
pub const LONGEST_TEXT: usize = 900;
/// No record is of a later time, in microseconds since 1970: one that nothing can replace would stay for ever.
const LATEST: u64 = u64::MAX / 2;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it is about, such as `drain/e1:2`.
    pub name: String,
    /// What is said of it; `None` if that was taken back.
    pub text: Option<String>,
    /// Microseconds since 1970 when it was written; one more than that of the record that it replaces, if a clock is behind.
    pub written: u64,
}

impl Record {
    /// Whether it counts and not the other one of its name. Of two of one time the greater text does, so that all choose alike.
    fn replaces(&self, other: &Self) -> bool {
        (self.written, &self.text) > (other.written, &other.text)
    }

    fn is_sound(&self) -> bool {
        (1..=LONGEST_NAME).contains(&self.name.len())
            && self.text.as_ref().is_none_or(|text| text.len() <= LONGEST_TEXT)
            && self.written <= LATEST
    }
}

/// Why a record cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// There are too many.
    #[error("a fabric holds {MAX_RECORDS} orders at most: take some back first")]
    Full,
    /// One is too long.
    #[error(
        "an order has a name of 1 to {LONGEST_NAME} bytes and {LONGEST_TEXT} bytes of text at most: shorten it"
    )]
    TooLong,
}

/// All records, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(BTreeMap<String, Record>);

impl Records {
    /// Takes note of what another says; whether it is news. Where there is no room, one that was taken back longest ago gives
    /// way to one with a text; others are left out, so that two full tables that differ do not go on changing each other.
    pub fn hear(&mut self, record: &Record) -> bool {
        let before = self.0.get(&record.name);
        if !record.is_sound() || before.is_some_and(|before| !record.replaces(before)) {
            return false;
        }
        let is_full = before.is_none() && self.0.len() >= MAX_RECORDS;
        if is_full && (record.text.is_none() || !self.make_room()) {
            return false;
        }
        self.0.insert(record.name.clone(), record.clone());
        true
    }

    /// Writes a text under a name, or takes it back, at this time in microseconds since 1970; the new record, or `None` if that
    /// is what is said already.
    ///
    /// # Errors
    /// It has no room.
    pub fn write(
        &mut self,
        name: &str,
        text: Option<String>,
        now: u64,
    ) -> Result<Option<Record>, RecordError> {
        let before = self.0.get(name);
        if before.map_or(text.is_none(), |before| before.text == text) {
            return Ok(None);
        }
        let written = before.map_or(now, |before| now.max(before.written + 1));
        let record = Record { name: name.to_owned(), text, written };
        if !record.is_sound() {
            return Err(RecordError::TooLong);
        }
        if self.hear(&record) { Ok(Some(record)) } else { Err(RecordError::Full) }
    }

    /// What is said under the names that begin so, the rest of the name with it.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let from = self.0.range(prefix.to_owned()..);
        from.map_while(move |(name, record)| Some((name.strip_prefix(prefix)?, record.text.as_deref())))
            .filter_map(|(name, text)| Some((name, text?)))
    }

    /// The record of this name, which may have been taken back.
    pub fn get(&self, name: &str) -> Option<&Record> {
        self.0.get(name)
    }

    /// All of them, those taken back too.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.0.values()
    }

    fn make_room(&mut self) -> bool {
        let oldest =
            self.0.values().filter(|record| record.text.is_none()).min_by_key(|record| record.written);
        let Some(name) = oldest.map(|record| record.name.clone()) else { return false };
        self.0.remove(&name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(name: u8, text: Option<u8>, written: u8) -> Record {
        let text = text.map(|text| text.to_string());
        Record { name: format!("n{name}"), text, written: written.into() }
    }

    #[test]
    fn the_newer_counts_and_what_is_taken_back_stays_so() {
        let mut records = Records::default();
        let drain = records.write("drain/e1", Some(String::new()), 5).unwrap().unwrap();
        assert_eq!(records.write("drain/e1", Some(String::new()), 6), Ok(None));
        let undrain = records.write("drain/e1", None, 3).unwrap().unwrap();
        assert_eq!(undrain.written, 6, "the clock of this one is behind");
        assert!(!records.hear(&drain) && !records.hear(&undrain));
        assert_eq!(records.under("drain/").count(), 0);
        assert_eq!(records.write("drain/e2", None, 9), Ok(None), "nothing to take back");
    }

    #[test]
    fn those_under_a_prefix_are_told_without_it() {
        let mut records = Records::default();
        for name in ["drain/e1", "drain/e1:2", "drains", "policy/a"] {
            records.write(name, Some("x".into()), 1).unwrap();
        }
        assert_eq!(records.under("drain/").collect::<Vec<_>>(), [("e1", "x"), ("e1:2", "x")]);
    }

    #[test]
    fn a_full_table_refuses_and_forgets_first_what_was_taken_back() {
        let mut records = Records::default();
        for n in 0..MAX_RECORDS as u64 {
            records.write(&format!("r{n}"), Some("x".into()), n).unwrap();
        }
        assert_eq!(records.write("more", Some("x".into()), 999), Err(RecordError::Full));
        records.write("r7", None, 1000).unwrap();
        records.write("more", Some("x".into()), 1001).unwrap();
        assert_eq!(records.all().count(), MAX_RECORDS);
        let long = "x".repeat(LONGEST_TEXT + 1);
        assert_eq!(records.write("r1", Some(long), 2000), Err(RecordError::TooLong));
    }

    #[test]
    fn full_tables_that_differ_come_to_rest() {
        let filled = |from: usize| {
            let mut records = Records::default();
            for n in from..from + MAX_RECORDS {
                let text = n.is_multiple_of(2).then(|| "x".to_owned());
                records.hear(&Record { name: format!("r{n}"), text, written: n as u64 });
            }
            records
        };
        let (mut one, mut other) = (filled(0), filled(MAX_RECORDS / 2));
        let tell = |from: &Records, to: &mut Records| from.all().filter(|record| to.hear(record)).count();
        let news: Vec<usize> =
            (0..4).map(|_| tell(&one.clone(), &mut other) + tell(&other.clone(), &mut one)).collect();
        assert!(news[0] > 0 && news[1..] == [0, 0, 0], "{news:?}");
    }

    #[test]
    fn a_record_that_nothing_could_replace_is_refused() {
        let mut records = Records::default();
        for written in [u64::MAX, LATEST + 1] {
            assert!(!records.hear(&Record { name: "drain/e1".into(), text: Some(String::new()), written }));
        }
        assert!(records.write("drain/e1", Some(String::new()), 5).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn in_whatever_order_they_are_heard_all_come_to_the_same(
            heard in prop::collection::vec((0u8..4, prop::option::of(0u8..3), 0u8..4), 0..30),
            shuffled in any::<u64>(),
        ) {
            let heard: Vec<_> = heard.into_iter().map(|(name, text, written)| record(name, text, written)).collect();
            let mut others = heard.clone();
            others.sort_by_key(|record| format!("{record:?}").bytes().fold(shuffled, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            }));
            let all = |heard: &[Record]| {
                let mut records = Records::default();
                for record in heard {
                    records.hear(record);
                }
                records
            };
            prop_assert_eq!(all(&heard), all(&others));
        }
    }
}
