//! Which announcements are new, and so to be taken over and passed on; and what was heard, for neighbours that ask.

use std::{collections::BTreeMap, time::Duration};

use super::announcement::{Lists, Part};
use crate::clock::Nanos;

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
    received: BTreeMap<u8, Part>,
}

/// What to do with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is known already, or older than what is known.
    Old,
    /// Pass it on.
    New,
    /// Pass it on, and take over the lists, which are complete now.
    Complete(Lists),
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
            let latest =
                Latest { sequence: part.sequence, parts: part.parts, heard: now, received: BTreeMap::new() };
            self.origins.insert(part.origin.clone(), latest);
        }
        let Some(latest) = self.origins.get_mut(&part.origin) else { return Heard::Old };
        let belongs = part.sequence == latest.sequence && part.parts == latest.parts;
        if !belongs || latest.received.contains_key(&part.part) {
            return Heard::Old;
        }
        latest.heard = now;
        latest.received.insert(part.part, part.clone());
        if latest.received.len() < usize::from(latest.parts) {
            Heard::New
        } else {
            Heard::Complete(latest.lists())
        }
    }

    /// When something was last heard of an origin that was not known before.
    pub fn last_heard(&self, origin: &str) -> Option<Nanos> {
        self.origins.get(origin).map(|latest| latest.heard)
    }

    /// The latest of every origin, as far as it was heard.
    pub fn all(&self) -> impl Iterator<Item = &Part> {
        self.origins.values().flat_map(|latest| latest.received.values())
    }
}

impl Latest {
    fn lists(&self) -> Lists {
        let parts = || self.received.values().map(|part| &part.lists);
        Lists {
            hosts: parts().flat_map(|lists| lists.hosts.iter().copied()).collect(),
            down: parts().flat_map(|lists| lists.down.iter().copied()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::DownPort;

    fn part(sequence: u64, part: u8, parts: u8) -> Part {
        let number = smoc_common::route::PortNumber::new(u16::from(part) + 1).unwrap();
        let lists = Lists { down: vec![DownPort { number, unanswered: false }], ..Lists::default() };
        Part { origin: "e2".into(), sequence, part, parts, lists }
    }

    #[test]
    fn each_part_is_passed_on_once_and_the_last_completes_the_list() {
        let mut flood = Flood::default();
        assert_eq!(flood.hear(&part(1, 1, 2), Nanos(0)), Heard::New);
        assert_eq!(flood.hear(&part(1, 1, 2), Nanos(0)), Heard::Old);
        let Heard::Complete(lists) = flood.hear(&part(1, 0, 2), Nanos(0)) else { panic!("not complete") };
        assert_eq!(lists.down.iter().map(|port| port.number.get()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(flood.hear(&part(1, 0, 2), Nanos(0)), Heard::Old);
    }

    #[test]
    fn a_newer_list_replaces_one_that_never_became_complete() {
        let mut flood = Flood::default();
        assert_eq!(flood.hear(&part(1, 0, 2), Nanos(0)), Heard::New);
        assert!(
            matches!(flood.hear(&part(2, 0, 1), Nanos(1)), Heard::Complete(lists) if lists.down.len() == 1)
        );
        assert_eq!(flood.hear(&part(1, 1, 2), Nanos(2)), Heard::Old);
    }

    #[test]
    fn who_asks_is_told_the_latest_of_each_origin() {
        let mut flood = Flood::default();
        for heard in
            [part(1, 0, 2), part(1, 1, 2), part(2, 0, 1), Part { origin: "e3".into(), ..part(1, 0, 2) }]
        {
            flood.hear(&heard, Nanos(0));
        }
        let all: Vec<_> = flood.all().map(|part| (part.origin.as_str(), part.sequence, part.part)).collect();
        assert_eq!(all, [("e2", 2, 0), ("e3", 1, 0)]);
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
