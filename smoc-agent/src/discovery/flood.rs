//! Which announcements are new, and so to be taken over and passed on.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::announcement::Part;
use crate::{clock::Nanos, hosts::Sighting};

/// After this long without a word, an origin's clock may have been set back: any sequence is taken again.
const CLOCK_PATIENCE: Duration = Duration::from_secs(30);
/// More origins than any network has switches are not remembered.
const MAX_ORIGINS: usize = 65_536;

/// Remembers what was heard of each origin.
#[derive(Clone, Debug, Default)]
pub struct Flood {
    origins: BTreeMap<String, Latest>,
}

#[derive(Clone, Debug)]
struct Latest {
    sequence: u64,
    parts: u8,
    heard: Nanos,
    missing: BTreeSet<u8>,
    hosts: Vec<Sighting>,
}

/// What to do with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is known already, or older than what is known.
    Old,
    /// Pass it on.
    New,
    /// Pass it on, and take over the list, which is complete now.
    Complete(Vec<Sighting>),
}

impl Flood {
    /// Takes note of a part.
    pub fn hear(&mut self, part: &Part, now: Nanos) -> Heard {
        let is_news = match self.origins.get(&part.origin) {
            None => self.origins.len() < MAX_ORIGINS,
            Some(latest) => {
                part.sequence > latest.sequence
                    || (part.sequence < latest.sequence && now.since(latest.heard) >= CLOCK_PATIENCE)
            }
        };
        if is_news {
            let latest = Latest {
                sequence: part.sequence,
                parts: part.parts,
                heard: now,
                missing: (0..part.parts).collect(),
                hosts: Vec::new(),
            };
            self.origins.insert(part.origin.clone(), latest);
        }
        let Some(latest) = self.origins.get_mut(&part.origin) else { return Heard::Old };
        let belongs = part.sequence == latest.sequence && part.parts == latest.parts;
        if !belongs || !latest.missing.remove(&part.part) {
            return Heard::Old;
        }
        latest.heard = now;
        latest.hosts.extend(&part.hosts);
        if latest.missing.is_empty() {
            Heard::Complete(std::mem::take(&mut latest.hosts))
        } else {
            Heard::New
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(sequence: u64, part: u8, parts: u8) -> Part {
        let host = Sighting {
            address: [10, 0, 0, part].into(),
            mac: smoc_common::wire::ethernet::MacAddress::new([2, 0, 0, 0, 0, part]),
            port: smoc_common::route::PortNumber::new(1).unwrap(),
            seen: Nanos(0),
        };
        Part { origin: "e2".into(), sequence, part, parts, hosts: vec![host] }
    }

    #[test]
    fn each_part_is_passed_on_once_and_the_last_completes_the_list() {
        let mut flood = Flood::default();
        assert_eq!(flood.hear(&part(1, 1, 2), Nanos(0)), Heard::New);
        assert_eq!(flood.hear(&part(1, 1, 2), Nanos(0)), Heard::Old);
        let Heard::Complete(hosts) = flood.hear(&part(1, 0, 2), Nanos(0)) else { panic!("not complete") };
        assert_eq!(hosts.len(), 2);
        assert_eq!(flood.hear(&part(1, 0, 2), Nanos(0)), Heard::Old);
    }

    #[test]
    fn a_newer_list_replaces_one_that_never_became_complete() {
        let mut flood = Flood::default();
        assert_eq!(flood.hear(&part(1, 0, 2), Nanos(0)), Heard::New);
        assert!(matches!(flood.hear(&part(2, 0, 1), Nanos(1)), Heard::Complete(hosts) if hosts.len() == 1));
        assert_eq!(flood.hear(&part(1, 1, 2), Nanos(2)), Heard::Old);
    }

    #[test]
    fn a_clock_that_was_set_back_is_believed_after_a_silence() {
        let mut flood = Flood::default();
        flood.hear(&part(9, 0, 1), Nanos(0));
        assert_eq!(flood.hear(&part(5, 0, 1), Nanos(0) + CLOCK_PATIENCE / 2), Heard::Old);
        assert!(matches!(flood.hear(&part(5, 0, 1), Nanos(0) + CLOCK_PATIENCE), Heard::Complete(_)));
    }

    #[test]
    fn parts_that_disagree_about_their_number_do_not_mix() {
        let mut flood = Flood::default();
        flood.hear(&part(1, 0, 2), Nanos(0));
        assert_eq!(flood.hear(&part(1, 1, 3), Nanos(0)), Heard::Old);
    }
}
