//! How an agent tells the others which hosts it has learned and which of its ports are down, until a store does that.
//!
//! One Ethernet frame, or several if a list is long. The destination is a group address that bridges never
//! forward (IEEE 802.1Q, 8.6.3), so no host can inject one from afar: frames are taken from fabric ports only,
//! and each agent passes them on itself. An agent that has just started asks its neighbours, and they repeat to it all
//! that they have heard.
//!
//! | bytes | field |
//! |---|---|
//! | 0..6 | destination `01:80:c2:00:00:0d` |
//! | 6..12 | source: the port's MAC address |
//! | 12..14 | EtherType `0x88b5`: local experimental (IEEE 802, 9.2.3) |
//! | 14..18 | `smoc` |
//! | 18 | version, 3 |
//! | 19 | length of the name |
//! | 20..22 | number of this part, from 0; if there are no lists: 0 for a question, of which nothing below is read, 1 for a [`Statement`], 2 and 3 for an [`Inquiry`], whose bytes begin at 24 |
//! | 22..24 | how many parts the lists have, at least 1; 0 if there are none |
//! | 24..32 | boot: a number that the agent drew when it started |
//! | 32..40 | sequence: raised with every announcement of the switch, over restarts too ([`super::Flood`]); the same in all parts |
//! | 40 | number of hosts in this part |
//! | 41 | number of ports in this part |
//! | 42.. | name of the switch that has them, UTF-8, 1 to 64 bytes |
//! | then 28 each | address (16, IPv4 mapped), MAC address (6), port (2), milliseconds since last heard of (4) |
//! | then 2 each | number of a port of that switch that leads to another one and is down; the highest bit is set if it has carrier and no hello has ever come back |
//! | then | neighbours and records, if there are any: [`super::more`] |
//! | 17, at the end of the first part | 0xd1 and what the switch has ([`Digests`]): topology (8), policy (8) |
//! | 20, behind it | 0xd2 and where the switch's API can be read ([`ApiPlace`]) |
//! | or 2 | 0xc0 and the number of contentions in this part, which has nothing else |
//! | then 28 each | as a host: who claims an address that somebody else has ([`Contention`]); the highest bit of the port is set if the claim is refused |
//! | at the end 1 | 0xc1: the switch signs hellos and probes, and what it answers; in some part at least |
//!
//! Numbers are big endian.

use std::{net::IpAddr, time::Duration};

use smoc_common::{
    route::PortNumber,
    wire::{ethernet::MacAddress, ip::Address},
};

use crate::{
    base_network::Statement,
    clock::Nanos,
    discovery::{behind, inquiry::Inquiry, more},
    fabric::{ApiPlace, Record, Report, digest::Digests},
    hosts::{Contention, Sighting, behind::Behind, ip_address, map_address},
    plan::DownPort,
};

pub use smoc_common::wire::announcement::{DESTINATION, ETHER_TYPE};

const MAGIC: [u8; 4] = *b"smoc";
const VERSION: u8 = 3;
const HEADER: usize = 42;
const HOST: usize = 28;
const PORT: usize = 2;
/// What a statement has in place of a part's number.
const STATEMENT: u16 = 1;
/// Where the bytes of what has no lists begin.
const FIRST_OF_KIND: usize = 24;
/// Hosts and ports in one frame: it fits every Ethernet.
const HOSTS_PER_PART: usize = 39;
const PORTS_PER_PART: usize = 112;
/// Says that contentions follow. What agents of older versions do not know they do not read.
const CONTENTIONS: u8 = 0xc0;
/// Says that the switch signs hellos. What agents of older versions do not know they do not read.
const SIGNS: u8 = 0xc1;
/// Says that digests follow.
const DIGESTS: u8 = 0xd1;
/// Says that the place of an API follows.
const API: u8 = 0xd2;
/// The bit of a contention's port that says that the claim is refused.
const REFUSED: u16 = 1 << 15;

/// What one agent says to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It has just started: what have you heard?
    Question,
    /// What a switch announces.
    Part(Part),
    /// What a neighbour says of the tree that it uses. Not to be passed on.
    Statement(Statement),
    /// Which connection a token belongs to: asked or answered.
    Inquiry(Inquiry),
}

/// One frame of an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The switch that has the hosts.
    pub origin: String,
    /// A number that the origin's agent drew when it started.
    pub boot: u64,
    /// Raised with every announcement of the origin.
    pub sequence: u64,
    /// Which part of the lists this is.
    pub part: u16,
    /// How many there are.
    pub parts: u16,
    /// What is in it.
    pub lists: Lists,
}

/// What tells one part from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// See [`Part::origin`].
    pub origin: &'a str,
    /// See [`Part::boot`].
    pub boot: u64,
    /// See [`Part::sequence`].
    pub sequence: u64,
    /// See [`Part::part`].
    pub part: u16,
}

/// What a switch announces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Hosts that it has learned.
    pub hosts: Vec<Sighting>,
    /// Its ports to other switches that are down.
    pub down: Vec<DownPort>,
    /// What it says of its ports where no file does.
    pub report: Report,
    /// What it has heard that operators want.
    pub records: Vec<Record>,
    /// Addresses that two claim.
    pub contentions: Vec<Contention>,
    /// Prefixes behind its hosts.
    pub behind: Vec<Behind>,
    /// Whether it signs hellos and probes, and what it answers.
    pub signs: bool,
    /// What it has; agents of older versions do not say.
    pub digests: Option<Digests>,
    /// Where its API can be read, if operators of the whole fabric may.
    pub api: Option<ApiPlace>,
}

/// The bit of a port that is [`DownPort::unanswered`].
const UNANSWERED: u16 = 1 << 15;

fn port_bits(port: DownPort) -> u16 {
    port.number.get() | if port.unanswered { UNANSWERED } else { 0 }
}

fn port_from_bits(bits: u16) -> Option<DownPort> {
    let number = PortNumber::new(bits & !UNANSWERED)?;
    Some(DownPort { number, unanswered: bits & UNANSWERED != 0 })
}

/// Splits lists into parts. Hosts beyond what 65,535 parts hold are left out: more than any map has room for.
pub fn parts(origin: &str, (boot, sequence): (u64, u64), lists: &Lists) -> Vec<Part> {
    let mut hosts = lists.hosts.chunks(HOSTS_PER_PART);
    let mut down = lists.down.chunks(PORTS_PER_PART);
    let mut more = more::parts(lists);
    let contentions = lists.contentions.chunks(HOSTS_PER_PART);
    more.extend(contentions.map(|some| Lists { contentions: some.to_vec(), ..Lists::default() }));
    let first = usize::from(more.is_empty());
    let frames = hosts.len().max(down.len()).max(first);
    let mut all: Vec<Lists> = (0..frames)
        .map(|_| Lists {
            hosts: hosts.next().unwrap_or_default().to_vec(),
            down: down.next().unwrap_or_default().to_vec(),
            ..Lists::default()
        })
        .chain(more)
        .chain(behind::parts(&lists.behind))
        .take(usize::from(u16::MAX))
        .collect();
    if let Some(first) = all.first_mut() {
        (first.signs, first.digests, first.api) = (lists.signs, lists.digests, lists.api);
    }
    let parts = all.len() as u16;
    let part = |(part, lists)| Part { origin: origin.to_owned(), boot, sequence, part, parts, lists };
    (0..parts).zip(all).map(part).collect()
}

/// The frame of a question, as sent from a port with this MAC address.
pub fn question(source: MacAddress) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER);
    begin(&mut frame, source);
    frame.resize(HEADER, 0);
    frame
}

/// The frame of a statement, as sent from a port with this MAC address.
pub fn statement(source: MacAddress, statement: &Statement) -> Vec<u8> {
    let mut frame = begin_kind(source, STATEMENT);
    statement.write(&mut frame);
    frame
}

/// The beginning of a frame without lists, up to what follows its kind.
pub(super) fn begin_kind(source: MacAddress, kind: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FIRST_OF_KIND + 64);
    begin(&mut frame, source);
    frame.push(0);
    frame.extend(kind.to_be_bytes());
    frame.extend(0u16.to_be_bytes());
    frame
}

fn begin(frame: &mut Vec<u8>, source: MacAddress) {
    frame.extend(DESTINATION);
    frame.extend(source.octets());
    frame.extend(ETHER_TYPE.to_be_bytes());
    frame.extend(MAGIC);
    frame.push(VERSION);
}

impl Part {
    /// The frame, as sent from a port with this MAC address at this time.
    pub fn frame(&self, source: MacAddress, now: Nanos) -> Vec<u8> {
        let Lists { hosts, down, contentions, .. } = &self.lists;
        let lists = (hosts.len() + contentions.len()) * HOST + down.len() * PORT;
        let mut frame = Vec::with_capacity(HEADER + self.origin.len() + lists);
        begin(&mut frame, source);
        frame.push(self.origin.len() as u8);
        frame.extend(self.part.to_be_bytes());
        frame.extend(self.parts.to_be_bytes());
        frame.extend(self.boot.to_be_bytes());
        frame.extend(self.sequence.to_be_bytes());
        frame.extend([hosts.len() as u8, down.len() as u8]);
        frame.extend(self.origin.as_bytes());
        hosts.iter().for_each(|host| write_host(&mut frame, host, 0, now));
        frame.extend(down.iter().flat_map(|port| port_bits(*port).to_be_bytes()));
        if !contentions.is_empty() {
            frame.extend([CONTENTIONS, contentions.len() as u8]);
        }
        for Contention { claim, is_refused } in contentions {
            write_host(&mut frame, claim, if *is_refused { REFUSED } else { 0 }, now);
        }
        behind::write(&self.lists.behind, &mut frame);
        more::write(&self.lists, &mut frame);
        frame.extend(self.lists.signs.then_some(SIGNS));
        if let Some(Digests { topology, policy }) = self.lists.digests {
            frame.push(DIGESTS);
            frame.extend(topology.to_be_bytes());
            frame.extend(policy.to_be_bytes());
        }
        if let Some(place) = self.lists.api {
            frame.push(API);
            frame.extend(place.to_bytes());
        }
        frame
    }
}

impl<'a> Head<'a> {
    /// Reads the head of a part and nothing behind it; `None` if the frame is something else.
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let (header, rest) = frame.split_at_checked(HEADER)?;
        let (length, parts) = (header[19], u16::from_be_bytes([header[22], header[23]]));
        if !is_announcement(header) || parts == 0 {
            return None;
        }
        Some(Self {
            origin: std::str::from_utf8(rest.get(..usize::from(length))?).ok()?,
            boot: u64::from_be_bytes(header[24..32].try_into().ok()?),
            sequence: u64::from_be_bytes(header[32..40].try_into().ok()?),
            part: u16::from_be_bytes([header[20], header[21]]),
        })
    }
}

/// Whether a frame is of those that agents send each other, of whatever version.
pub fn is_one(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&ETHER_TYPE.to_be_bytes()[..])
}

fn is_announcement(header: &[u8]) -> bool {
    header[..6] == DESTINATION
        && header[12..14] == ETHER_TYPE.to_be_bytes()
        && header[14..18] == MAGIC
        && header[18] == VERSION
}

impl Message {
    /// Reads a frame that arrived at this time; `None` if it is no announcement of this version.
    pub fn parse(frame: &[u8], now: Nanos) -> Option<Self> {
        let (header, rest) = frame.split_at_checked(HEADER)?;
        let fits = is_announcement(header);
        let length = header[19];
        let short = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let (part, parts) = (short(20), short(22));
        if fits && parts == 0 {
            return match part {
                0 => Some(Self::Question),
                STATEMENT => Statement::parse(&frame[FIRST_OF_KIND..]).map(Self::Statement),
                kind => Inquiry::parse(kind, &frame[FIRST_OF_KIND..]).map(Self::Inquiry),
            };
        }
        if !fits || part >= parts || !(1..=64).contains(&length) {
            return None;
        }
        let (name, rest) = rest.split_at_checked(usize::from(length))?;
        let (hosts, rest) = rest.split_at_checked(usize::from(header[40]) * HOST)?;
        let (down, more) = rest.split_at_checked(usize::from(header[41]) * PORT)?;
        let port = |bytes: &[u8]| port_from_bits(u16::from_be_bytes([bytes[0], bytes[1]]));
        let mut lists = Lists {
            hosts: hosts.chunks_exact(HOST).map(|bytes| host(bytes, now)).collect::<Option<_>>()?,
            down: down.chunks_exact(PORT).map(port).collect::<Option<_>>()?,
            ..Lists::default()
        };
        let end = match more.split_first() {
            Some((&CONTENTIONS, more)) => contentions(&mut lists, more, now)?,
            Some((&behind::BEHIND, more)) => behind::read(&mut lists, more)?,
            _ => more::read(&mut lists, more)?,
        };
        let signed = end.strip_prefix(&[SIGNS]);
        lists.signs = signed.is_some();
        let end = signed.unwrap_or(end);
        let (digests, end) = digests(end).map_or((None, end), |(digests, rest)| (Some(digests), rest));
        (lists.digests, lists.api) = (digests, api(end));
        Some(Self::Part(Part {
            origin: std::str::from_utf8(name).ok()?.to_owned(),
            boot: u64::from_be_bytes(header[24..32].try_into().ok()?),
            sequence: u64::from_be_bytes(header[32..40].try_into().ok()?),
            part,
            parts,
            lists,
        }))
    }
}

/// What a switch has, if that follows, and what is behind it.
fn digests(bytes: &[u8]) -> Option<(Digests, &[u8])> {
    let (&DIGESTS, rest) = bytes.split_first()? else { return None };
    let (topology, rest) = rest.split_first_chunk()?;
    let (policy, rest) = rest.split_first_chunk()?;
    let digests = Digests { topology: u64::from_be_bytes(*topology), policy: u64::from_be_bytes(*policy) };
    Some((digests, rest))
}

/// Where a switch's API can be read, if that follows.
fn api(bytes: &[u8]) -> Option<ApiPlace> {
    let (&API, rest) = bytes.split_first()? else { return None };
    ApiPlace::from_bytes(rest.first_chunk()?)
}

/// Reads contentions; what is behind them.
fn contentions<'a>(lists: &mut Lists, bytes: &'a [u8], now: Nanos) -> Option<&'a [u8]> {
    let (count, rest) = bytes.split_first()?;
    let (all, rest) = rest.split_at_checked(usize::from(*count) * HOST)?;
    let contention = |bytes: &[u8]| {
        let mut bytes: [u8; HOST] = bytes.try_into().ok()?;
        let is_refused = bytes[22] & 0x80 != 0;
        bytes[22] &= 0x7f;
        Some(Contention { claim: host(&bytes, now)?, is_refused })
    };
    lists.contentions = all.chunks_exact(HOST).map(contention).collect::<Option<_>>()?;
    Some(rest)
}

fn write_host(frame: &mut Vec<u8>, host: &Sighting, flag: u16, now: Nanos) {
    let age = now.since(host.seen).as_millis();
    frame.extend(map_address(host.address).octets());
    frame.extend(host.mac.octets());
    frame.extend((host.port.get() | flag).to_be_bytes());
    frame.extend(u32::try_from(age).unwrap_or(u32::MAX).to_be_bytes());
}

fn host(bytes: &[u8], now: Nanos) -> Option<Sighting> {
    let address: IpAddr = ip_address(Address::new(bytes[..16].try_into().ok()?));
    let age = Duration::from_millis(u32::from_be_bytes(bytes[24..28].try_into().ok()?).into());
    Some(Sighting {
        address,
        mac: MacAddress::new(bytes[16..22].try_into().ok()?),
        port: PortNumber::new(u16::from_be_bytes([bytes[22], bytes[23]]))?,
        seen: now - age,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base_network::Epoch;

    const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);
    const NOW: Nanos = Nanos(1_000_000_000_000);

    fn hosts(count: u16) -> Vec<Sighting> {
        let host = |n: u16| Sighting {
            address: if n.is_multiple_of(2) {
                IpAddr::from([10, 0, (n >> 8) as u8, n as u8])
            } else {
                IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, n])
            },
            mac: MacAddress::new([2, 0, 0, 1, (n >> 8) as u8, n as u8]),
            port: PortNumber::new(n % 1000 + 1).unwrap(),
            seen: NOW - Duration::from_millis(n.into()),
        };
        (0..count).map(host).collect()
    }

    fn lists(hosts_in_it: u16, down: u16) -> Lists {
        let down = (1..=down).filter_map(PortNumber::new);
        let down = down.map(|number| DownPort { number, unanswered: number.get().is_multiple_of(3) });
        Lists { hosts: hosts(hosts_in_it), down: down.collect(), ..Lists::default() }
    }

    fn part(frame: &[u8], now: Nanos) -> Option<Part> {
        match Message::parse(frame, now)? {
            Message::Part(part) => Some(part),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lists_survive_the_wire() {
        for (hosts, down) in [(0, 0), (1, 1), (40, 128), (41, 0), (0, 129), (500, 3), (3, 1023), (12_000, 0)]
        {
            let lists = lists(hosts, down);
            let sent = parts("e1", (3, 7), &lists);
            let frames: Vec<_> = sent.iter().map(|part| part.frame(MAC, NOW)).collect();
            assert!(frames.iter().all(|frame| frame.len() <= 1514));
            let heard: Vec<_> = frames.iter().map(|frame| part(frame, NOW).unwrap()).collect();
            assert_eq!(heard, sent);
            for (frame, Part { origin, boot, sequence, part, .. }) in frames.iter().zip(&sent) {
                let head = Head { origin, boot: *boot, sequence: *sequence, part: *part };
                assert_eq!(Head::parse(frame), Some(head));
            }
            assert_eq!(
                heard.iter().flat_map(|part| part.lists.hosts.clone()).collect::<Vec<_>>(),
                lists.hosts
            );
            assert_eq!(heard.iter().flat_map(|part| part.lists.down.clone()).collect::<Vec<_>>(), lists.down);
        }
    }

    #[test]
    fn contentions_survive_the_wire_and_nothing_that_is_cut_is_one() {
        for count in [1, 40, 41, 256] {
            let contention =
                |(n, claim): (usize, Sighting)| Contention { claim, is_refused: n.is_multiple_of(3) };
            let contentions: Vec<_> = hosts(count).into_iter().enumerate().map(contention).collect();
            let lists = Lists { contentions: contentions.clone(), ..lists(3, 2) };
            let frames = parts("e1", (3, 7), &lists).into_iter().map(|part| part.frame(MAC, NOW));
            let frames: Vec<_> = frames.collect();
            assert!(frames.iter().all(|frame| frame.len() <= 1514));
            let heard = frames.iter().map(|frame| part(frame, NOW).unwrap().lists);
            assert_eq!(heard.flat_map(|lists| lists.contentions).collect::<Vec<_>>(), contentions);
            let last = frames.last().unwrap();
            for length in HEADER + "e1".len() + 1..last.len() {
                assert_eq!(Message::parse(&last[..length], NOW), None, "{length} of {} bytes", last.len());
            }
        }
    }

    #[test]
    fn a_question_survives_the_wire_and_padding() {
        let mut frame = question(MAC);
        assert_eq!(Message::parse(&frame, NOW), Some(Message::Question));
        frame.resize(60, 0);
        assert_eq!((Message::parse(&frame, NOW), Head::parse(&frame)), (Some(Message::Question), None));
    }

    #[test]
    fn a_statement_survives_the_wire_and_padding_and_nothing_else_is_one() {
        let sent = Statement {
            switch: "e1".into(),
            port: PortNumber::new(3).unwrap(),
            digest: 5,
            epoch: Epoch { boot: 6, sequence: 7 },
            heard: Epoch { boot: 8, sequence: 9 },
            synced: true,
        };
        let good = statement(MAC, &sent);
        for length in 0..good.len() {
            assert_eq!(Message::parse(&good[..length], NOW), None, "{length} bytes");
        }
        for padded in [good.len(), 120] {
            let mut frame = good.clone();
            frame.resize(padded, 0);
            assert_eq!(Message::parse(&frame, NOW), Some(Message::Statement(sent.clone())));
        }
        for (at, byte) in [(0, 3), (12, 8), (14, b'x'), (18, 1), (20, 1), (21, 4)] {
            let mut frame = good.clone();
            frame[at] = byte;
            assert_eq!(Message::parse(&frame, NOW), None, "byte {at}");
        }
    }

    #[test]
    fn the_age_of_a_sighting_is_counted_from_when_it_was_heard() {
        let frame = parts("e1", (3, 7), &lists(2, 0))[0].frame(MAC, NOW);
        let later = NOW + Duration::from_secs(5);
        let part = part(&frame, later).unwrap();
        assert_eq!(later.since(part.lists.hosts[1].seen), Duration::from_millis(1));
    }

    #[test]
    fn padding_is_no_part_of_the_lists() {
        let mut frame = parts("e1", (3, 7), &Lists::default())[0].frame(MAC, NOW);
        frame.resize(60, 0);
        assert_eq!(part(&frame, NOW).unwrap().lists, Lists::default());
    }

    #[test]
    fn what_is_no_announcement_is_refused() {
        let good = parts("e1", (3, 7), &lists(3, 2))[0].frame(MAC, NOW);
        for length in 0..good.len() {
            assert_eq!(Message::parse(&good[..length], NOW), None, "{length} bytes");
        }
        for (at, byte) in
            [(0, 3), (12, 8), (14, b'x'), (18, 1), (21, 1), (19, 0), (19, 65), (40, 4), (41, 3), (42, 0xff)]
        {
            let mut frame = good.clone();
            frame[at] = byte;
            assert_eq!(Message::parse(&frame, NOW), None, "byte {at}");
        }
    }
}
