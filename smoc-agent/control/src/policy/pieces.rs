//! The document as records of the fabric, and which document is in force.
//!
//! A document is longer than a record. So it is cut into pieces, each a record `policy/ID/NUMBER`, and the record `policy` says
//! which document is in force and how many pieces it has, as `ID COUNT`; `ID` is taken from the whole text, so pieces of
//! different documents never mix. Of two documents that are applied at once the one whose record `policy` is newer counts, as a
//! whole. Until all its pieces are there a switch goes on with what it had.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::document::Document;
use crate::{
    fabric::{
        Record, Records,
        records::{MAX_RECORDS, RecordError},
    },
    store::{Bytes, Key, VERSION},
};

/// The name of the record that says which document is in force.
pub const POLICY: &str = "policy";
/// Bytes of a piece, at most.
const PIECE: usize = 850;
/// Bytes of a document, at most: room is left for other orders, and for the document that takes its place.
pub const MAX_TEXT: usize = PIECE * (MAX_RECORDS / 3);

/// What a record of the store asks of its readers.
const COMPATIBLE: u32 = 1;

/// A record of the store.
#[derive(Serialize, Deserialize)]
struct PolicyRecord {
    #[serde(default)]
    version: u32,
    #[serde(default)]
    compatible: u32,
    written: u64,
    policy: String,
}

/// What is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Force {
    /// The document; without rules if none is.
    pub document: Document,
    /// Its text.
    pub text: String,
    /// When it was applied, in microseconds since 1970.
    pub written: u64,
    /// The record of the store that says so; `None` if announcements do.
    pub stored: Option<String>,
}

/// A policy that stands in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The record's name, without `policy/`.
    pub name: String,
    /// What it says.
    pub force: Force,
}

/// The records that make this document the one in force; none if it is.
///
/// # Errors
/// They have no room.
pub fn to_records(records: &Records, text: &str, now: u64) -> Result<Vec<Record>, RecordError> {
    if text.len() > MAX_TEXT {
        return Err(RecordError::Full);
    }
    let pieces = pieces(text);
    let id = id(text);
    let head = if text.is_empty() { None } else { Some(format!("{id} {}", pieces.len())) };
    let is_piece = |at: usize| format!("{POLICY}/{id}/{at:03}");
    let mut all = records.clone();
    let mut news = Vec::new();
    let others = format!("{POLICY}/");
    let own = format!("{POLICY}/{id}/");
    let old: Vec<String> = all
        .under(&others)
        .map(|(name, _)| format!("{others}{name}"))
        .filter(|name| !name.starts_with(&own))
        .collect();
    for name in old {
        news.extend(all.write(&name, None, now)?);
    }
    for (at, piece) in pieces.into_iter().enumerate() {
        news.extend(all.write(&is_piece(at), Some(piece.to_owned()), now)?);
    }
    news.extend(all.write(POLICY, head, now)?);
    Ok(news)
}

/// The document that these announcements carry; `None` if it is not there as a whole.
fn announced(Record { text, written, .. }: &Record, records: &Records) -> Option<Force> {
    let Some(head) = text else {
        return Some(Force {
            document: Document::default(),
            text: String::new(),
            written: *written,
            stored: None,
        });
    };
    let (head, count) = head.split_once(' ')?;
    let count: usize = count.parse().ok().filter(|count| *count <= MAX_RECORDS)?;
    let piece = |at: usize| records.get(&format!("{POLICY}/{head}/{at:03}"))?.text.clone();
    let text: String = (0..count).map(piece).collect::<Option<_>>()?;
    if id(&text) != head {
        return None;
    }
    let document = Document::parse(&text).ok()?;
    Some(Force { document, text, written: *written, stored: None })
}

/// The document in force: of those that announcements and the store have, the one that was applied last. As long as announcements
/// have not brought the whole of one, what was in force `before` by announcements counts in its place. `None` if nobody says
/// anything.
pub fn in_force(records: &Records, stored: &[Stored], before: Option<&Force>) -> Option<Force> {
    let stored = stored.iter().map(|stored| stored.force.clone());
    let before = || before.filter(|before| before.stored.is_none()).cloned();
    let announced = records.get(POLICY).and_then(|head| announced(head, records).or_else(before));
    announced.into_iter().chain(stored).max_by(|one, other| {
        (one.written, &one.text, &one.stored).cmp(&(other.written, &other.text, &other.stored))
    })
}

/// The policies that stand in the store, and what is wrong with those that cannot be used.
pub fn stored(operators: &BTreeMap<Key, Bytes>) -> (Vec<Stored>, Vec<String>) {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (key, bytes) in operators {
        let Key::Policy(name) = key else { continue };
        match read(name, bytes) {
            Ok(force) => all.push(Stored { name: name.clone(), force }),
            Err(why) => problems.push(format!("store: the record {key} {why}: it is not heeded")),
        }
    }
    (all, problems)
}

fn read(name: &str, bytes: &Bytes) -> Result<Force, String> {
    let PolicyRecord { compatible, written, policy: text, .. } =
        serde_json::from_slice(bytes).map_err(|error| format!("is no policy ({error}): write {{\"version\": 1, \"compatible\": 1, \"written\": MICROSECONDS, \"policy\": TEXT}}"))?;
    if compatible > VERSION {
        return Err(format!("needs an agent that reads version {compatible} of records"));
    }
    let faults = |faults: Vec<(u64, String)>| {
        let faults: Vec<String> =
            faults.into_iter().map(|(line, why)| format!("line {line}: {why}")).collect();
        format!("is no policy: {}", faults.join("; "))
    };
    let document = Document::parse(&text).map_err(faults)?;
    Ok(Force { document, text, written, stored: Some(name.to_owned()) })
}

/// The record of the store that puts a document in force, as of this time in microseconds since 1970.
pub fn to_stored(text: &str, written: u64) -> Vec<u8> {
    let record = PolicyRecord { version: VERSION, compatible: COMPATIBLE, written, policy: text.to_owned() };
    // Numbers and text always become JSON.
    serde_json::to_vec(&record).unwrap_or_default()
}

/// A short number of a text: 8 bytes of its SHA-256 in hexadecimal digits.
fn id(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let end = (0..=rest.len().min(PIECE)).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0);
        let (piece, behind) = rest.split_at(end);
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document of about so many bytes.
    fn text(name: &str, bytes: usize) -> String {
        let filler = "# ä\n".repeat(bytes / 5);
        format!("{filler}rules: [{{name: {name}, between: [any, any], count: 1}}]\n")
    }

    fn name(records: &Records) -> Option<String> {
        let force = in_force(records, &[], None)?;
        Some(force.document.rules.first().map_or_else(String::new, |rule| rule.name.clone()))
    }

    fn apply(records: &mut Records, text: &str, now: u64) -> Vec<Record> {
        let news = to_records(records, text, now).unwrap();
        assert!(news.iter().all(|record| records.hear(record)));
        news
    }

    #[test]
    fn a_document_comes_back_from_its_pieces_and_another_takes_its_place() {
        let mut records = Records::default();
        assert_eq!(name(&records), None);
        apply(&mut records, &text("a", 5000), 5);
        assert_eq!(name(&records).as_deref(), Some("a"));
        assert!(apply(&mut records, &text("a", 5000), 6).is_empty(), "it is in force");
        apply(&mut records, &text("b", 100), 6);
        assert_eq!(name(&records).as_deref(), Some("b"));
        apply(&mut records, &text("a", 5000), 7);
        assert_eq!(name(&records).as_deref(), Some("a"));
        apply(&mut records, "", 8);
        assert_eq!(name(&records).as_deref(), Some(""), "none");
        assert_eq!(records.under("policy").count(), 0);
    }

    #[test]
    fn two_documents_that_are_applied_at_once_never_mix() {
        let (a, b) = (text("a", 3000), text("b", 4000));
        let mut all = to_records(&Records::default(), &a, 5).unwrap();
        all.extend(to_records(&Records::default(), &b, 6).unwrap());
        for from in 0..all.len() {
            let mut records = Records::default();
            let turned = all[from..].iter().chain(&all[..from]);
            let seen: Vec<Option<String>> = turned
                .map(|record| {
                    records.hear(record);
                    name(&records)
                })
                .collect();
            assert_eq!(seen.last().unwrap().as_deref(), Some("b"), "from {from}");
            assert!(seen.iter().flatten().all(|name| name == "a" || name == "b"));
        }
    }

    #[test]
    fn what_has_no_room_is_refused_before_anything_is_written() {
        let mut records = Records::default();
        for n in 0..200 {
            records.write(&format!("drain/x{n}"), Some("x".into()), 1).unwrap();
        }
        assert_eq!(to_records(&records, &text("a", 60_000), 2), Err(RecordError::Full));
        assert_eq!(to_records(&records, &text("a", MAX_TEXT + 1), 2), Err(RecordError::Full));
        apply(&mut records, &text("a", 20_000), 2);
        apply(&mut records, &text("b", 20_000), 3);
        apply(&mut records, &text("c", 20_000), 4);
        assert_eq!(name(&records).as_deref(), Some("c"), "what was taken back makes room");
    }

    #[test]
    fn the_store_and_announcements_are_one_the_later_counts() {
        let operators = |text: &str, written: u64| {
            BTreeMap::from([(Key::Policy("main".into()), Bytes::from(to_stored(text, written)))])
        };
        let mut records = Records::default();
        apply(&mut records, &text("a", 10), 5);
        let of = |written| {
            let (stored, problems) = stored(&operators(&text("b", 10), written));
            assert!(problems.is_empty());
            let force = in_force(&records, &stored, None).unwrap();
            (force.document.rules[0].name.clone(), force.stored)
        };
        assert_eq!(of(6), ("b".into(), Some("main".into())));
        assert_eq!(of(4), ("a".into(), None));
        for bad in ["rules: [{between: [a]}]", "{"] {
            let (stored, problems) = stored(&operators(bad, 9));
            assert!(stored.is_empty() && problems[0].contains("policy/main"), "{problems:?}");
        }
    }
}
