//! What an edge tells its hosts: how many paths there are. A UDP datagram over IPv6 to all nodes of the link, from the switch's link-local
//! address, so that a host hears it with an ordinary socket: LLDP would take CAP_NET_RAW there.
//!
//! | bytes of the datagram | field |
//! |---|---|
//! | 0..4 | `smoc` |
//! | 4 | version, 1 |
//! | 5 | paths, 1 to 8 |
//! | 6..8 | seconds for which that holds |
//! | 8..16 | boot: a number that the sender's agent drew when it started; a later one is higher |
//! | 16..24 | sequence: higher with each datagram of a run |
//! | 24..40 | only with a key: tag over all bytes in front of it ([`super::key`]) |
//!
//! Numbers are big endian. Who has no key ignores a tag.

use std::net::Ipv6Addr;

use smoc_common::wire::ethernet::MacAddress;

use super::key::{Keys, TAG};

/// The UDP port, at both ends.
pub const PORT: u16 = 21325;
/// Room for any datagram.
pub const LONGEST: usize = FIXED + TAG;
const FIXED: usize = 24;
const MAGIC: &[u8; 4] = b"smoc";
const VERSION: u8 = 1;
/// All nodes of the link (RFC 4291, 2.7.1), and its MAC address (RFC 2464, 7).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const IPV6: [u8; 2] = [0x86, 0xdd];
const UDP: u8 = 17;
/// It cannot have come over a router.
const HOP_LIMIT: u8 = 255;

/// How many paths there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAdvice {
    /// Disjoint paths, 1 to 8.
    pub paths: u8,
    /// Seconds for which it holds.
    pub holds: u16,
    /// Which run of the agent says so.
    pub boot: u64,
    /// Which of its datagrams this is.
    pub sequence: u64,
}

impl HostAdvice {
    /// The frame, as sent from a port with this MAC address.
    pub fn frame(&self, source: MacAddress, keys: &Keys) -> Vec<u8> {
        let payload = self.payload(keys);
        let from = link_local(source);
        let length = (8 + payload.len()) as u16;
        let mut udp = [PORT, PORT, length, 0].map(u16::to_be_bytes).concat();
        udp.extend(payload);
        let sum = checksum(from, &udp);
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
        let addresses = [from, ALL_NODES].map(|address| address.octets());
        let head = [&ALL_NODES_MAC[..], &source.octets(), &IPV6, &[0x60, 0, 0, 0]].concat();
        [&head[..], &length.to_be_bytes(), &[UDP, HOP_LIMIT], addresses.as_flattened(), &udp].concat()
    }

    fn payload(&self, keys: &Keys) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &[VERSION, self.paths], &self.holds.to_be_bytes()].concat();
        bytes.extend(self.boot.to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(keys.sign(&bytes).iter().flatten());
        bytes
    }

    /// Reads a datagram; `None` if it is none of these, says what cannot be, or has no tag that it should have.
    pub fn parse(bytes: &[u8], keys: &Keys) -> Option<Self> {
        let (said, rest) = bytes.split_at_checked(FIXED)?;
        let is_believed =
            keys.is_empty() || rest.try_into().is_ok_and(|tag: [u8; TAG]| keys.accept(said, tag));
        if said[..4] != *MAGIC || said[4] != VERSION || !is_believed || !(1..=8).contains(&said[5]) {
            return None;
        }
        let number = |at: usize| Some(u64::from_be_bytes(said[at..at + 8].try_into().ok()?));
        let holds = u16::from_be_bytes([said[6], said[7]]);
        Some(Self { paths: said[5], holds, boot: number(8)?, sequence: number(16)? })
    }

    /// Whether it was said after another one.
    pub fn is_after(&self, other: &Self) -> bool {
        (self.boot, self.sequence) > (other.boot, other.sequence)
    }
}

/// The link-local address that follows from a MAC address (RFC 4291, appendix A).
fn link_local(mac: MacAddress) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.octets();
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// The checksum of a UDP datagram to all nodes (RFC 768, RFC 8200, 8.1).
fn checksum(from: Ipv6Addr, udp: &[u8]) -> u16 {
    let addresses = [from, ALL_NODES].map(|address| address.octets());
    let pseudo = [addresses.as_flattened(), &(udp.len() as u32).to_be_bytes(), &[0, 0, 0, UDP], udp].concat();
    let words =
        pseudo.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !(sum as u16) {
        0 => 0xffff,
        sum => sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: HostAdvice = HostAdvice { paths: 4, holds: 16, boot: 7, sequence: 9 };
    const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);
    /// Headers in front of the datagram.
    const HEADERS: usize = 14 + 40 + 8;

    fn keys(text: &str) -> Keys {
        Keys::new(vec![text.as_bytes().to_vec()])
    }

    #[test]
    fn advice_survives_the_wire_with_and_without_a_key() {
        let (none, key, other) = (Keys::default(), keys("a key of hosts"), keys("another"));
        let plain = SAID.frame(MAC, &none);
        assert_eq!(HostAdvice::parse(&plain[HEADERS..], &none), Some(SAID));
        assert_eq!(HostAdvice::parse(&plain[HEADERS..], &key), None, "no tag");
        let signed = SAID.frame(MAC, &key);
        assert_eq!(HostAdvice::parse(&signed[HEADERS..], &key), Some(SAID));
        assert_eq!(HostAdvice::parse(&signed[HEADERS..], &none), Some(SAID));
        assert_eq!(HostAdvice::parse(&signed[HEADERS..], &other), None);
        for at in HEADERS..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert_eq!(HostAdvice::parse(&changed[HEADERS..], &key), None, "byte {at}");
            assert_eq!(HostAdvice::parse(&signed[HEADERS..at], &key), None, "cut at {at}");
        }
    }

    #[test]
    fn no_number_but_one_to_eight_is_believed() {
        for paths in 0..=255 {
            let frame = HostAdvice { paths, ..SAID }.frame(MAC, &Keys::default());
            let heard = HostAdvice::parse(&frame[HEADERS..], &Keys::default());
            assert_eq!(heard.is_some(), (1..=8).contains(&paths), "{paths}");
        }
    }

    #[test]
    fn the_headers_are_those_of_udp_over_ipv6_and_the_sum_is_right() {
        let frame = SAID.frame(MAC, &Keys::default());
        assert_eq!(frame[..14], [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd]);
        assert_eq!(frame[14..22], [0x60, 0, 0, 0, 0, 32, 17, 255]);
        assert_eq!(frame[22..38], [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1]);
        // Of a datagram with its checksum in place the sum is zero, which is sent as ones.
        assert_eq!(checksum(link_local(MAC), &frame[54..]), 0xffff);
    }
}
