//! Which announcements are new, and so to be taken over and passed on; and what was heard, for neighbours that ask.
//!
//! The sequence of a switch never goes back, although its clock may: an agent that starts continues behind the highest
//! sequence that the network remembers of its switch, as OSPF does (RFC 2328, 13.4). It hears of that from its neighbours, who
//! send back what is newer than what they are told (RFC 2328, 13, step 8).

use std::{collections::HashMap, ops::Range, sync::Arc};

use super::announcement::{Head, Lists, Part};
use crate::hosts::Sighting;

/// Max number of origins that are remembered: more than any network has switches.
const MAX_ORIGINS: usize = 65_536;

/// Remembers what was heard of each origin.
#[derive(Clone, Debug, Default)]
pub struct Flood {
    /// In the order in which they were first heard of.
    origins: Vec<Latest>,
    /// Where each is, by name: every copy of a part asks.
    places: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Latest {
    boot: u64,
    sequence: u64,
    parts: u16,
    /// Sorted by the number of the part; without their hosts once all parts are there.
    received: Vec<Part>,
    /// The hosts of all parts, and which of them each part has: who takes the list over shares it.
    hosts: Arc<[Sighting]>,
    ranges: Vec<Range<usize>>,
}

/// What to do with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is known already.
    Known,
    /// It is older than what is known, and of an agent that ended: send back what is known.
    Outdated,
    /// Pass it on.
    New,
    /// Pass it on, and take over the lists, which are complete now: the hosts, and all others.
    Complete(Arc<[Sighting]>, Box<Lists>),
}

impl Flood {
    /// Whether [`Flood::hear`] would find a part with this head to be known: of a flood's many copies all but the first end
    /// here, with their lists unread.
    pub fn knows(&self, head: &Head<'_>) -> bool {
        let Some(latest) = self.latest(head.origin) else { return false };
        head.boot == latest.boot
            && (head.sequence < latest.sequence
                || head.sequence == latest.sequence && latest.place(head.part).is_ok())
    }

    fn latest(&self, origin: &str) -> Option<&Latest> {
        self.origins.get(*self.places.get(origin)?)
    }

    /// Takes note of a part.
    pub fn hear(&mut self, part: &Part) -> Heard {
        let new = || Latest {
            boot: part.boot,
            sequence: part.sequence,
            parts: part.parts,
            received: Vec::new(),
            hosts: Arc::default(),
            ranges: Vec::new(),
        };
        let place = self.places.get(&part.origin).copied().unwrap_or(self.origins.len());
        if place == self.origins.len() && place < MAX_ORIGINS {
            self.places.insert(part.origin.clone(), place);
            self.origins.push(new());
        }
        let Some(latest) = self.origins.get_mut(place) else { return Heard::Known };
        if part.sequence > latest.sequence {
            *latest = new();
        }
        if (part.boot, part.sequence, part.parts) != (latest.boot, latest.sequence, latest.parts) {
            return if part.boot == latest.boot { Heard::Known } else { Heard::Outdated };
        }
        let Err(place) = latest.place(part.part) else { return Heard::Known };
        latest.received.insert(place, part.clone());
        if latest.received.len() < usize::from(latest.parts) {
            Heard::New
        } else {
            let (hosts, others) = latest.complete();
            Heard::Complete(hosts, others)
        }
    }

    /// The latest of every origin, as far as it was heard.
    pub fn all(&self) -> impl Iterator<Item = Part> {
        self.origins.iter().flat_map(Latest::parts)
    }

    /// The latest of one origin, as far as it was heard.
    pub fn of(&self, origin: &str) -> impl Iterator<Item = Part> {
        self.latest(origin).into_iter().flat_map(Latest::parts)
    }
}

impl Latest {
    /// Where a part is, or where it belongs.
    fn place(&self, part: u16) -> Result<usize, usize> {
        self.received.binary_search_by_key(&part, |received| received.part)
    }

    /// Puts the lists of all parts together.
    fn complete(&mut self) -> (Arc<[Sighting]>, Box<Lists>) {
        let (mut hosts, mut all) = (Vec::new(), Box::<Lists>::default());
        for part in &mut self.received {
            let from = hosts.len();
            hosts.append(&mut std::mem::take(&mut part.lists.hosts));
            self.ranges.push(from..hosts.len());
            let Lists { down, report, records, contentions, behind, signs, digests, api, .. } = &part.lists;
            all.signs |= signs;
            all.digests = all.digests.or(*digests);
            all.api = all.api.or(*api);
            all.contentions.extend(contentions);
            all.behind.extend(behind);
            all.down.extend(down);
            all.report.port_width = all.report.port_width.max(report.port_width);
            all.report.adjacencies.extend_from_slice(&report.adjacencies);
            all.records.extend_from_slice(records);
        }
        self.hosts = hosts.into();
        (self.hosts.clone(), all)
    }

    /// The parts as they were heard.
    fn parts(&self) -> impl Iterator<Item = Part> {
        self.received.iter().enumerate().map(|(at, part)| {
            let Some(range) = self.ranges.get(at) else { return part.clone() };
            let hosts = self.hosts[range.clone()].to_vec();
            Part { lists: Lists { hosts, ..part.lists.clone() }, ..part.clone() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::DownPort;

    fn part(sequence: u64, part: u16, parts: u16) -> Part {
        let number = smoc_common::route::PortNumber::new(part + 1).unwrap();
        let lists = Lists { down: vec![DownPort { number, unanswered: false }], ..Lists::default() };
        Part { origin: "e2".into(), boot: 1, sequence, part, parts, lists }
    }

    #[test]
    fn each_part_is_passed_on_once_and_the_last_completes_the_list() {
        let mut flood = Flood::default();
        assert_eq!(flood.hear(&part(1, 1, 2)), Heard::New);
        assert_eq!(flood.hear(&part(1, 1, 2)), Heard::Known);
        let Heard::Complete(_, lists) = flood.hear(&part(1, 0, 2)) else { panic!("not complete") };
        assert_eq!(lists.down.iter().map(|port| port.number.get()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(flood.hear(&part(1, 0, 2)), Heard::Known);
    }

    #[test]
    fn a_newer_list_replaces_one_that_never_became_complete() {
        let mut flood = Flood::default();
        assert_eq!(flood.hear(&part(1, 0, 2)), Heard::New);
        assert!(matches!(flood.hear(&part(2, 0, 1)), Heard::Complete(_, lists) if lists.down.len() == 1));
        assert_eq!(flood.hear(&part(1, 1, 2)), Heard::Known);
    }

    #[test]
    fn who_asks_is_told_the_latest_of_each_origin() {
        let mut flood = Flood::default();
        for heard in
            [part(1, 0, 2), part(1, 1, 2), part(2, 0, 1), Part { origin: "e3".into(), ..part(1, 0, 2) }]
        {
            flood.hear(&heard);
        }
        let all: Vec<_> = flood.all().map(|part| (part.origin, part.sequence, part.part)).collect();
        assert_eq!(all, [("e2".to_owned(), 2, 0), ("e3".to_owned(), 1, 0)]);
    }

    #[test]
    fn an_agent_that_starts_behind_what_is_remembered_is_sent_that() {
        let mut flood = Flood::default();
        flood.hear(&part(9, 0, 1));
        let restarted = |sequence| Part { boot: 2, ..part(sequence, 0, 1) };
        for sequence in [5, 9] {
            assert_eq!(flood.hear(&restarted(sequence)), Heard::Outdated);
        }
        assert_eq!(flood.of("e2").map(|part| part.sequence).collect::<Vec<_>>(), [9]);
        assert!(matches!(flood.hear(&restarted(10)), Heard::Complete(..)));
        assert_eq!(flood.hear(&part(9, 0, 1)), Heard::Outdated, "of the agent before");
    }

    #[test]
    fn what_a_head_shows_to_be_known_is_known() {
        let mut flood = Flood::default();
        flood.hear(&part(5, 1, 3));
        for sequence in 4..7 {
            for (number, boot) in [(0, 1), (1, 1), (2, 1), (1, 2)] {
                let part = Part { boot, ..part(sequence, number, 3) };
                let head = Head { origin: &part.origin, boot, sequence, part: number };
                let (knows, heard) = (flood.knows(&head), flood.clone().hear(&part));
                assert_eq!(knows, heard == Heard::Known, "{head:?}: {heard:?}");
            }
        }
        assert!(!flood.knows(&Head { origin: "e9", boot: 1, sequence: 1, part: 0 }));
    }

    #[test]
    fn the_parts_of_a_list_that_is_complete_are_told_as_they_were_heard() {
        let host = |n: u8| Sighting {
            address: [10, 0, 0, n].into(),
            mac: smoc_common::wire::ethernet::MacAddress::new([2, 0, 0, 0, 0, n]),
            port: smoc_common::route::PortNumber::new(n.into()).unwrap(),
            seen: crate::clock::Nanos(n.into()),
        };
        let hosts = [vec![host(1), host(2)], vec![], vec![host(3)]];
        let sent: Vec<Part> = (0..3)
            .map(|number| {
                let mut part = part(1, number, 3);
                part.lists.hosts = hosts[usize::from(number)].clone();
                part
            })
            .collect();
        let mut flood = Flood::default();
        for number in [2, 0] {
            flood.hear(&sent[number]);
        }
        assert_eq!(flood.all().collect::<Vec<_>>(), [sent[0].clone(), sent[2].clone()]);
        let Heard::Complete(complete, _) = flood.hear(&sent[1]) else { panic!("not complete") };
        assert_eq!(*complete, hosts.concat());
        assert_eq!((flood.all().collect::<Vec<_>>(), flood.of("e2").count()), (sent, 3));
    }

    #[test]
    fn parts_that_disagree_about_their_number_do_not_mix() {
        let mut flood = Flood::default();
        flood.hear(&part(1, 0, 2));
        assert_eq!(flood.hear(&part(1, 1, 3)), Heard::Known);
    }
}
