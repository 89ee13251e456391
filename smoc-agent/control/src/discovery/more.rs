//! The end of an announcement's frame: what a switch says of its ports where no file does, and what operators want.
//!
//! | bytes | field |
//! |---|---|
//! | 4 | what else is told, if there is anything: 1 (0, another number, or the end of the frame: nothing that this version reads), the bits of the switch's port numbers, the number of its neighbours and of records in this part |
//! | then 9 and more each | a neighbour ([`Adjacency`]): port (2), port of that switch (2), Mbit/s (4), length of the name, name |
//! | then 11 and more each | a [`Record`]: written (8), length of the name, length of the text (2; 65,535: taken back), name, text |
//!
//! Numbers are big endian.

use smoc_common::route::PortNumber;

use super::announcement::Lists;
use crate::fabric::{Adjacency, Record, Report};

/// The bytes of neighbours and records in one frame, which has neither hosts nor ports that are down then.
const ROOM: usize = 1300;
/// Says that neighbours and records follow.
const VERSION: u8 = 1;
/// The length of a text that was taken back.
const TAKEN_BACK: u16 = u16::MAX;

/// Neighbours and records, as many in each part as go into a frame.
pub(super) fn parts(lists: &Lists) -> Vec<Lists> {
    let Report { port_width, adjacencies } = &lists.report;
    let empty =
        || Lists { report: Report { port_width: *port_width, ..Report::default() }, ..Lists::default() };
    let mut all = Vec::new();
    if lists.report != Report::default() || !lists.records.is_empty() {
        all.push(empty());
    }
    let mut room = ROOM;
    let mut at = |bytes: usize, all: &mut Vec<Lists>| {
        if bytes > room {
            all.push(empty());
            room = ROOM;
        }
        room -= bytes;
        all.len() - 1
    };
    for adjacency in adjacencies {
        let last = at(ADJACENCY + adjacency.switch.len(), &mut all);
        all[last].report.adjacencies.push(adjacency.clone());
    }
    for record in &lists.records {
        let last = at(RECORD + record.name.len() + record.text.as_ref().map_or(0, String::len), &mut all);
        all[last].records.push(record.clone());
    }
    all
}

/// Bytes of an adjacency and of a record beside their texts.
const ADJACENCY: usize = 9;
const RECORD: usize = 11;

/// Appends what else is told.
pub(super) fn write(lists: &Lists, frame: &mut Vec<u8>) {
    let Report { port_width, adjacencies } = &lists.report;
    if lists.report == Report::default() && lists.records.is_empty() {
        return;
    }
    frame.extend([VERSION, *port_width, adjacencies.len() as u8, lists.records.len() as u8]);
    for Adjacency { port, switch, there, megabits } in adjacencies {
        frame.extend(port.get().to_be_bytes());
        frame.extend(there.get().to_be_bytes());
        frame.extend(megabits.to_be_bytes());
        frame.push(switch.len() as u8);
        frame.extend(switch.as_bytes());
    }
    for Record { name, text, written } in &lists.records {
        frame.extend(written.to_be_bytes());
        frame.push(name.len() as u8);
        frame.extend(text.as_ref().map_or(TAKEN_BACK, |text| text.len() as u16).to_be_bytes());
        frame.extend(name.as_bytes());
        frame.extend(text.as_deref().unwrap_or_default().as_bytes());
    }
}

/// Reads what else is told; what is behind it, or `None` if it is malformed.
pub(super) fn read<'a>(lists: &mut Lists, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let Some((&[VERSION, port_width, adjacencies, records], mut rest)) = bytes.split_first_chunk() else {
        return Some(bytes);
    };
    lists.report.port_width = port_width;
    for _ in 0..adjacencies {
        lists.report.adjacencies.push(Adjacency {
            port: PortNumber::new(u16::from_be_bytes(take(&mut rest)?))?,
            there: PortNumber::new(u16::from_be_bytes(take(&mut rest)?))?,
            megabits: u32::from_be_bytes(take(&mut rest)?),
            switch: {
                let [length] = take(&mut rest)?;
                text(&mut rest, length.into())?
            },
        });
    }
    for _ in 0..records {
        let written = u64::from_be_bytes(take(&mut rest)?);
        let [name_length] = take(&mut rest)?;
        let length = u16::from_be_bytes(take(&mut rest)?);
        let name = text(&mut rest, name_length.into())?;
        let text = if length == TAKEN_BACK { None } else { Some(text(&mut rest, length.into())?) };
        lists.records.push(Record { name, text, written });
    }
    Some(rest)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn text(bytes: &mut &[u8], length: usize) -> Option<String> {
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Nanos,
        discovery::announcement::{self, Message, Part},
        fabric::digest::Digests,
        plan::DownPort,
    };
    use smoc_common::wire::ethernet::MacAddress;

    const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);
    const NOW: Nanos = Nanos(1_000_000_000_000);

    fn more(neighbors: u16, records: usize, length: usize) -> Lists {
        let adjacency = |n: u16| Adjacency {
            port: PortNumber::new(n).unwrap(),
            switch: format!("switch-{n}").repeat(usize::from(n % 5) + 1),
            there: PortNumber::new(1024 - n).unwrap(),
            megabits: u32::from(n) * 100,
        };
        let record = |n: usize| Record {
            name: format!("drain/{n}"),
            text: (!n.is_multiple_of(3)).then(|| "x".repeat(length)),
            written: n as u64,
        };
        let down = vec![DownPort { number: PortNumber::new(9).unwrap(), unanswered: true }];
        let report = Report { port_width: 6, adjacencies: (1..=neighbors).map(adjacency).collect() };
        Lists { down, report, records: (0..records).map(record).collect(), ..Lists::default() }
    }

    fn part(frame: &[u8], now: Nanos) -> Option<Part> {
        match Message::parse(frame, now)? {
            Message::Part(part) => Some(part),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn digests_and_the_api_come_at_the_end_of_the_first_part_whatever_is_in_it() {
        let digests = Some(Digests { topology: 0x0102_0304_0506_0708, policy: u64::MAX });
        for (neighbors, records) in [(0, 0), (1, 0), (0, 1), (200, 256)] {
            let api = "https://[2001:db8::1]:9853".to_owned().try_into().ok();
            let lists = Lists { digests, api, ..more(neighbors, records, 900) };
            for down in [lists.down.clone(), Vec::new()] {
                let sent = announcement::parts("e1", (3, 7), &Lists { down, ..lists.clone() });
                for (at, sent) in sent.iter().enumerate() {
                    let mut frame = sent.frame(MAC, NOW);
                    assert!(frame.len() <= 1514);
                    let heard = part(&frame, NOW).unwrap().lists;
                    assert_eq!(
                        (heard.digests, heard.api),
                        (digests.filter(|_| at == 0), api.filter(|_| at == 0))
                    );
                    let alone = Part { lists: Lists { digests: None, ..sent.lists.clone() }, ..sent.clone() };
                    assert_eq!(part(&alone.frame(MAC, NOW), NOW).unwrap().lists.api, heard.api);
                    frame.resize(frame.len().max(60), 0);
                    assert_eq!(part(&frame, NOW).as_ref(), Some(sent));
                }
            }
        }
    }

    #[test]
    fn neighbors_and_records_survive_the_wire_and_padding_and_nothing_that_is_cut_is_one() {
        for (neighbors, records, length) in [(1, 0, 0), (0, 1, 900), (48, 3, 10), (200, 256, 900)] {
            let lists = more(neighbors, records, length);
            let sent = announcement::parts("e1", (3, 7), &lists);
            let (mut report, mut heard) = (Report::default(), Vec::new());
            for sent in &sent {
                let mut frame = sent.frame(MAC, NOW);
                assert!(frame.len() <= 1514, "{}", frame.len());
                let whole = part(&frame, NOW).unwrap();
                assert_eq!(whole, *sent);
                report.port_width = report.port_width.max(whole.lists.report.port_width);
                report.adjacencies.extend(whole.lists.report.adjacencies);
                heard.extend(whole.lists.records);
                if frame.len() < 60 {
                    frame.resize(60, 0);
                    assert_eq!(part(&frame, NOW).as_ref(), Some(sent));
                }
            }
            assert_eq!((report, heard), (lists.report, lists.records));
        }
        let one = announcement::parts("e1", (3, 7), &more(1, 1, 5)).pop().unwrap().frame(MAC, NOW);
        let before = one.len() - (4 + ADJACENCY + "switch-1switch-1".len() + RECORD + "drain/0".len());
        for length in before + 4..one.len() {
            assert_eq!(Message::parse(&one[..length], NOW), None, "{length} of {} bytes", one.len());
        }
        let mut newer = one.clone();
        newer[before] = VERSION + 1;
        assert_eq!(part(&newer, NOW).unwrap().lists, Lists::default(), "of a later version");
    }
}
