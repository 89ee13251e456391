//! IPv4 (RFC 791) and IPv6 (RFC 8200).
//!
//! | IPv4 bytes | field | IPv6 bytes | field |
//! |---|---|---|---|
//! | 0 | version, IHL (32-bit words, at least 5) | 0 | version |
//! | 2..4 | total length | 6 | next header |
//! | 6..8 | flags (0x2000: more fragments), fragment offset | 7 | hop limit |
//! | 8 | TTL | 8..24 | source |
//! | 9 | protocol | 24..40 | destination |
//! | 10..12 | header checksum | 40.. | extension headers, then payload |
//! | 12..16 | source | | |
//! | 16..20 | destination | | |

use super::{Frame, ethernet};

/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;
/// IPv6 extension headers that are walked: hop-by-hop, routing, fragment, authentication, destination.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
/// How many extension headers are walked; what lies behind more is treated as neither TCP nor a fragment.
const MAX_EXTENSIONS: usize = 6;

/// An IPv6 address, or an IPv4 address mapped into it (RFC 4291, 2.5.5.2), as two numbers, the more
/// significant one first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Address([u64; 2]);

impl Address {
    /// The address with these bytes, in network byte order.
    pub const fn new(octets: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(octets);
        Self([(number >> 64) as u64, number as u64])
    }

    /// The address that is these two numbers, the more significant one first.
    #[inline(always)]
    pub const fn from_numbers(numbers: [u64; 2]) -> Self {
        Self(numbers)
    }

    /// See [`Address::from_numbers`].
    #[inline(always)]
    pub const fn numbers(self) -> [u64; 2] {
        self.0
    }

    /// The mapped form of an IPv4 address.
    pub const fn from_v4(octets: [u8; 4]) -> Self {
        Self::mapped(u32::from_be_bytes(octets))
    }

    #[inline(always)]
    const fn from_words([a, b, c, d]: [u32; 4]) -> Self {
        Self([(a as u64) << 32 | b as u64, (c as u64) << 32 | d as u64])
    }

    /// The mapped form of the IPv4 address that is this number.
    #[inline(always)]
    pub const fn mapped(v4: u32) -> Self {
        Self([0, 0xffff << 32 | v4 as u64])
    }

    /// The IPv4 address that it is the mapped form of, as a number.
    #[inline(always)]
    pub const fn v4(self) -> Option<u32> {
        let [high, low] = self.0;
        if high == 0 && low >> 32 == 0xffff { Some(low as u32) } else { None }
    }

    /// Whether it is a mapped IPv4 address. One comparison: of two the verifier would remember for each address which one
    /// it had failed.
    #[inline(always)]
    const fn is_mapped(self) -> bool {
        let [high, low] = self.0;
        high | (low >> 32 ^ 0xffff) == 0
    }

    /// Whether it is unspecified (RFC 4291, 2.5.2; RFC 1122, 3.2.1.3) or link-local (RFC 4291, 2.5.6; RFC 3927).
    #[inline(always)]
    pub const fn is_local(self) -> bool {
        let [high, low] = self.0;
        match self.v4() {
            Some(v4) => v4 == 0 || v4 >> 16 == 0xa9fe,
            None => (high == 0 && low == 0) || high >> 54 == 0xfe80 >> 6,
        }
    }

    /// Its bytes in network byte order.
    pub const fn octets(self) -> [u8; 16] {
        let [high, low] = self.0;
        ((high as u128) << 64 | low as u128).to_be_bytes()
    }

    /// Its four numbers, the most significant first.
    #[inline(always)]
    pub const fn words(self) -> [u32; 4] {
        let [high, low] = self.0;
        [(high >> 32) as u32, high as u32, (low >> 32) as u32, low as u32]
    }
}

/// Which protocol a packet is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
}

/// The parts of an IP header, extension headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// IPv4 or IPv6.
    pub family: Family,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// TTL or hop limit.
    pub hops_left: u8,
    /// Protocol behind all extension headers.
    pub protocol: u8,
    /// Whether this is a fragment, the first one included: its siblings have no ports, so none is looked at.
    pub is_fragment: bool,
    /// Whether this is a fragment but not the first one: no transport header stands at `payload`.
    pub is_later_fragment: bool,
    /// Offset of the IP header from the start of the frame.
    pub header: usize,
    /// Offset of what follows the IP header and its extensions.
    pub payload: usize,
    /// Offset behind the packet as its own length field has it, which padding may follow; behind the IPv6 header if
    /// the length stands elsewhere (beyond 65,535 bytes).
    pub end: usize,
}

impl Packet {
    /// Reads the IP header behind an Ethernet header; `None` if it is neither IPv4 nor IPv6, cut off, or
    /// its version or lengths contradict the specification.
    #[inline(always)]
    pub fn parse(frame: &impl Frame, ethernet: &ethernet::Header) -> Option<Self> {
        Self::of_type(frame, ethernet.ether_type, ethernet.payload)
    }

    /// Reads the IP header at `header` that an EtherType names; `None` as in [`Packet::parse`].
    #[inline(always)]
    pub fn of_type(frame: &impl Frame, ether_type: u16, header: usize) -> Option<Self> {
        match ether_type {
            ethernet::IPV4 => Self::parse_v4(frame, header),
            ethernet::IPV6 => Self::parse_v6(frame, header),
            _ => None,
        }
    }

    /// Reads an IPv4 header at `header`.
    #[inline(always)]
    pub fn parse_v4(frame: &impl Frame, header: usize) -> Option<Self> {
        Self::v4(frame.words(header)?, header)
    }

    /// Reads an IPv6 header at `header` and walks its extension headers.
    #[inline(always)]
    pub fn parse_v6(frame: &impl Frame, header: usize) -> Option<Self> {
        let mut packet = Self::v6(frame.words(header)?, header)?;
        if is_extension(packet.protocol) {
            let transport = walk_extensions(frame, packet.protocol, packet.payload);
            packet.protocol = transport.protocol();
            packet.is_fragment = transport.fragment() != Fragment::NONE;
            packet.is_later_fragment = transport.fragment() == Fragment::LATER;
            packet.payload = transport.payload()?;
        }
        Some(packet)
    }

    /// The IPv4 header of these words, which stand at `header`.
    #[inline(always)]
    pub(super) fn v4(words: [u32; 5], header: usize) -> Option<Self> {
        let [lengths, fragment, ttl_protocol, source, destination] = words;
        let length = (lengths >> 24 & 0x0f) as usize * 4;
        if lengths >> 28 != 4 || length < 20 || (lengths & 0xffff) < length as u32 {
            return None;
        }
        Some(Self {
            family: Family::V4,
            source: Address::mapped(source),
            destination: Address::mapped(destination),
            hops_left: (ttl_protocol >> 24) as u8,
            protocol: (ttl_protocol >> 16) as u8,
            is_fragment: fragment & 0x3fff != 0,
            is_later_fragment: fragment & 0x1fff != 0,
            header,
            payload: header + length,
            end: header + (lengths & 0xffff) as usize,
        })
    }

    /// The IPv6 header of these words, which stand at `header`, without its extensions. A mapped IPv4 address has no
    /// place on the wire: Linux drops it, and here it would be taken for the IPv4 address.
    #[inline(always)]
    pub(super) fn v6(words: [u32; 10], header: usize) -> Option<Self> {
        let [version, length_next_hops, s0, s1, s2, s3, d0, d1, d2, d3] = words;
        let source = Address::from_words([s0, s1, s2, s3]);
        let destination = Address::from_words([d0, d1, d2, d3]);
        if version >> 28 != 6 || source.is_mapped() || destination.is_mapped() {
            return None;
        }
        Some(Self {
            family: Family::V6,
            source,
            destination,
            hops_left: length_next_hops as u8,
            protocol: (length_next_hops >> 8) as u8,
            is_fragment: false,
            is_later_fragment: false,
            header,
            payload: header + 40,
            end: header + 40 + (length_next_hops >> 16) as usize,
        })
    }

    /// How many bytes the packet has from this offset on, by its own length field; `None` if it ends before. Taken to
    /// be as many as can be if the length stands elsewhere.
    #[inline(always)]
    pub fn bytes_from(&self, offset: usize) -> Option<u16> {
        if offset <= self.end {
            Some((self.end - offset) as u16)
        } else if self.family == Family::V6 && self.end == self.header + 40 {
            Some(u16::MAX)
        } else {
            None
        }
    }

    /// Takes one from the TTL or hop limit; the checksum of an IPv4 header is updated as in RFC 1624. `None`, and
    /// nothing written, if none is left.
    #[inline(always)]
    pub fn decrement_hops(&self, frame: &mut impl Frame) -> Option<()> {
        match self.family {
            _ if self.hops_left == 0 => None,
            Family::V6 => {
                let [next_hops] = frame.halves(self.header + 6)?;
                frame.write(self.header + 6, [next_hops.wrapping_sub(1)])
            }
            Family::V4 => {
                let [ttl_protocol, checksum] = frame.halves(self.header + 8)?;
                let less = ttl_protocol.wrapping_sub(0x100);
                let sum = u32::from(!checksum) + u32::from(!ttl_protocol) + u32::from(less);
                let folded = (sum & 0xffff) + (sum >> 16);
                let folded = (folded & 0xffff) + (folded >> 16);
                frame.write(self.header + 8, [less, !folded as u16])
            }
        }
    }
}

/// What a packet is a part of.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fragment(u8);

impl Fragment {
    const NONE: Self = Self(0);
    const FIRST: Self = Self(1);
    const LATER: Self = Self(2);
}

/// Where a walk over extension headers ended, in one register: a function that is not inlined cannot return
/// more in BPF.
#[derive(Clone, Copy)]
struct Transport(u64);

impl Transport {
    const CUT_OFF: Self = Self(0);

    #[inline(always)]
    const fn new(protocol: u8, fragment: Fragment, payload: usize) -> Self {
        Self((payload as u64) << 16 | (fragment.0 as u64) << 8 | protocol as u64)
    }

    #[inline(always)]
    const fn protocol(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    const fn fragment(self) -> Fragment {
        Fragment((self.0 >> 8) as u8)
    }

    #[inline(always)]
    fn payload(self) -> Option<usize> {
        let payload = (self.0 >> 16) as usize & 0xffff;
        if payload == 0 { None } else { Some(payload) }
    }
}

/// Walks from the extension header of `protocol` at `at` to the first header that is no extension, or to the end
/// of what a later fragment says of itself.
#[inline(never)]
fn walk_extensions(frame: &impl Frame, mut protocol: u8, mut at: usize) -> Transport {
    let (mut walked, mut fragment) = (0, Fragment::NONE);
    while walked < MAX_EXTENSIONS && is_extension(protocol) && fragment != Fragment::LATER {
        let Some([next_length, offset]) = frame.halves(at) else { return Transport::CUT_OFF };
        if protocol == FRAGMENT {
            fragment = if offset & 0xfff8 == 0 { Fragment::FIRST } else { Fragment::LATER };
        }
        at += extension_length(protocol, next_length as u8);
        protocol = (next_length >> 8) as u8;
        walked += 1;
    }
    Transport::new(protocol, fragment, at)
}

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION)
}

/// Bytes in an extension header, from its length field (RFC 8200, 4; RFC 4302, 2.2).
#[inline(always)]
const fn extension_length(protocol: u8, length: u8) -> usize {
    match protocol {
        FRAGMENT => 8,
        AUTHENTICATION => (length as usize + 2) * 4,
        _ => (length as usize + 1) * 8,
    }
}
