//! How an agent tells the others which hosts it has learned, until a store does that.
//!
//! One Ethernet frame, or several if the list is long. The destination is a group address that bridges never
//! forward (IEEE 802.1Q, 8.6.3), so no host can inject one from afar: frames are taken from fabric ports only,
//! and each agent passes them on itself.
//!
//! | bytes | field |
//! |---|---|
//! | 0..6 | destination `01:80:c2:00:00:0d` |
//! | 6..12 | source: the port's MAC address |
//! | 12..14 | EtherType `0x88b5`: local experimental (IEEE 802, 9.2.3) |
//! | 14..18 | `smoc` |
//! | 18 | version, 1 |
//! | 19 | number of this part, from 0 |
//! | 20 | how many parts the list has, at least 1 |
//! | 21 | length of the name |
//! | 22..30 | sequence: microseconds since 1970 when the list was made, the same in all parts; big endian |
//! | 30..32 | number of hosts in this part, big endian |
//! | 32.. | name of the switch that has the hosts, UTF-8, 1 to 64 bytes |
//! | then 28 each | address (16, IPv4 mapped), MAC address (6), port (2), milliseconds since last heard of (4) |

use std::{net::IpAddr, time::Duration};

use smoc_common::{
    route::PortNumber,
    wire::{ethernet::MacAddress, ip::Address},
};

use crate::{
    clock::Nanos,
    hosts::{Sighting, ip_address, map_address},
};

/// Destination of announcements.
pub const DESTINATION: [u8; 6] = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x0d];
/// EtherType of announcements.
pub const ETHER_TYPE: u16 = 0x88b5;
const MAGIC: [u8; 4] = *b"smoc";
const VERSION: u8 = 1;
const HEADER: usize = 32;
const HOST: usize = 28;
/// Hosts in one frame: it fits every Ethernet.
const HOSTS_PER_PART: usize = 48;

/// One frame of an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The switch that has the hosts.
    pub origin: String,
    /// When the list was made, in microseconds since 1970 by the clock of its origin.
    pub sequence: u64,
    /// Which part of the list this is.
    pub part: u8,
    /// How many there are.
    pub parts: u8,
    /// The hosts in it.
    pub hosts: Vec<Sighting>,
}

/// Splits a list into parts. Hosts beyond what 255 parts hold are left out.
pub fn parts(origin: &str, sequence: u64, hosts: &[Sighting]) -> Vec<Part> {
    let chunks: Vec<&[Sighting]> = match hosts {
        [] => vec![&[]],
        hosts => hosts.chunks(HOSTS_PER_PART).take(usize::from(u8::MAX)).collect(),
    };
    let parts = chunks.len() as u8;
    let part = |(chunk, part): (&[Sighting], u8)| Part {
        origin: origin.to_owned(),
        sequence,
        part,
        parts,
        hosts: chunk.to_vec(),
    };
    chunks.into_iter().zip(0..).map(part).collect()
}

impl Part {
    /// The frame, as sent from a port with this MAC address at this time.
    pub fn frame(&self, source: MacAddress, now: Nanos) -> Vec<u8> {
        let mut frame = Vec::with_capacity(HEADER + 64 + self.hosts.len() * HOST);
        frame.extend(DESTINATION);
        frame.extend(source.octets());
        frame.extend(ETHER_TYPE.to_be_bytes());
        frame.extend(MAGIC);
        frame.extend([VERSION, self.part, self.parts, self.origin.len() as u8]);
        frame.extend(self.sequence.to_be_bytes());
        frame.extend((self.hosts.len() as u16).to_be_bytes());
        frame.extend(self.origin.as_bytes());
        for host in &self.hosts {
            let age = now.since(host.seen).as_millis();
            frame.extend(map_address(host.address).octets());
            frame.extend(host.mac.octets());
            frame.extend(host.port.get().to_be_bytes());
            frame.extend(u32::try_from(age).unwrap_or(u32::MAX).to_be_bytes());
        }
        frame
    }

    /// Reads a frame that arrived at this time; `None` if it is no announcement of this version.
    pub fn parse(frame: &[u8], now: Nanos) -> Option<Self> {
        let (header, rest) = frame.split_at_checked(HEADER)?;
        let fits = header[..6] == DESTINATION
            && header[12..14] == ETHER_TYPE.to_be_bytes()
            && header[14..18] == MAGIC
            && header[18] == VERSION;
        let [part, parts, length] = [header[19], header[20], header[21]];
        if !fits || part >= parts || !(1..=64).contains(&length) {
            return None;
        }
        let (name, rest) = rest.split_at_checked(usize::from(length))?;
        let count = usize::from(u16::from_be_bytes([header[30], header[31]]));
        let hosts = rest.get(..count * HOST)?.chunks_exact(HOST).map(|bytes| host(bytes, now));
        Some(Self {
            origin: std::str::from_utf8(name).ok()?.to_owned(),
            sequence: u64::from_be_bytes(header[22..30].try_into().ok()?),
            part,
            parts,
            hosts: hosts.collect::<Option<_>>()?,
        })
    }
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

    #[test]
    fn a_list_survives_the_wire() {
        for count in [0, 1, 48, 49, 500] {
            let hosts = hosts(count);
            let sent = parts("e1", 7, &hosts);
            let frames: Vec<_> = sent.iter().map(|part| part.frame(MAC, NOW)).collect();
            assert!(frames.iter().all(|frame| frame.len() <= 1514));
            let heard: Vec<_> = frames.iter().map(|frame| Part::parse(frame, NOW).unwrap()).collect();
            assert_eq!(heard, sent);
            assert_eq!(heard.into_iter().flat_map(|part| part.hosts).collect::<Vec<_>>(), hosts);
        }
    }

    #[test]
    fn the_age_of_a_sighting_is_counted_from_when_it_was_heard() {
        let frame = parts("e1", 7, &hosts(2))[0].frame(MAC, NOW);
        let later = NOW + Duration::from_secs(5);
        let part = Part::parse(&frame, later).unwrap();
        assert_eq!(later.since(part.hosts[1].seen), Duration::from_millis(1));
    }

    #[test]
    fn padding_is_no_part_of_the_list() {
        let mut frame = parts("e1", 7, &[])[0].frame(MAC, NOW);
        frame.resize(60, 0);
        assert_eq!(Part::parse(&frame, NOW).unwrap().hosts, []);
    }

    #[test]
    fn what_is_no_announcement_is_refused() {
        let good = parts("e1", 7, &hosts(3))[0].frame(MAC, NOW);
        for length in 0..good.len() {
            assert_eq!(Part::parse(&good[..length], NOW), None, "{length} bytes");
        }
        for (at, byte) in
            [(0, 3), (12, 8), (14, b'x'), (18, 2), (20, 0), (21, 0), (21, 65), (30, 1), (32, 0xff)]
        {
            let mut frame = good.clone();
            frame[at] = byte;
            assert_eq!(Part::parse(&frame, NOW), None, "byte {at}");
        }
    }
}
