//! Ethernet II with tags (IEEE 802.3, 802.1Q, 802.1ad).
//!
//! | bytes | field |
//! |---|---|
//! | 0..6 | destination address |
//! | 6..12 | source address |
//! | 12..14 | EtherType, or TPID 0x8100 / 0x88a8 followed by a tag of 2 bytes and the next EtherType |

use super::Frame;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// TPID of a customer tag (802.1Q).
pub const TPID_CUSTOMER: u16 = 0x8100;
/// TPID of a service tag (802.1ad).
pub const TPID_SERVICE: u16 = 0x88a8;
/// Offset of the payload of a frame without tags.
pub const UNTAGGED: usize = 14;
/// The bits of a tag that name its VLAN.
const VID: u16 = 0x0fff;
/// How many tags are followed; a frame with more is not understood.
const MAX_TAGS: usize = 2;

/// A 48-bit MAC address, as a number whose most significant byte is sent first: one register, one comparison.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct MacAddress(u64);

impl MacAddress {
    /// The address with these bytes, in the order of transmission.
    #[inline(always)]
    pub const fn new([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// 0 if this is the other address.
    #[inline(always)]
    pub const fn differs(self, other: Self) -> u64 {
        self.0 ^ other.0
    }

    /// The address with the lower 48 bits of this number.
    #[inline(always)]
    pub const fn from_number(number: u64) -> Self {
        Self(number & 0xffff_ffff_ffff)
    }

    /// Its bytes in the order of transmission.
    #[inline(always)]
    pub const fn octets(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// Whether the I/G bit is set: a group address, broadcast included.
    #[inline(always)]
    pub const fn is_group(self) -> bool {
        self.0 >> 40 & 1 != 0
    }

    /// Its first three bytes.
    #[inline(always)]
    pub const fn prefix(self) -> u32 {
        (self.0 >> 24) as u32 & 0x00ff_ffff
    }
}

impl core::fmt::Display for MacAddress {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let [a, b, c, d, e, f] = self.octets();
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl core::fmt::Debug for MacAddress {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, out)
    }
}

/// The parts of an Ethernet header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Destination address.
    pub destination: MacAddress,
    /// Source address.
    pub source: MacAddress,
    /// EtherType behind all tags.
    pub ether_type: u16,
    /// VID of the first tag; 0 without one, or if that only states a priority.
    pub vlan: u16,
    /// Offset of the payload from the start of the frame.
    pub payload: usize,
}

impl Header {
    /// Reads addresses and EtherType; `None` if the frame is too short.
    #[inline(always)]
    pub fn parse(frame: &impl Frame) -> Option<Self> {
        let mut header = Self::untagged(frame)?;
        if matches!(header.ether_type, TPID_CUSTOMER | TPID_SERVICE) {
            let [tag] = frame.halves(header.payload)?;
            header.vlan = tag & VID;
        }
        (header.ether_type, header.payload) = behind_tags(frame, header.ether_type, header.payload)?;
        Some(header)
    }

    /// Reads addresses and the first EtherType or TPID; `None` if the frame is too short.
    #[inline(always)]
    pub fn untagged(frame: &impl Frame) -> Option<Self> {
        let ([w0, w1, w2], ether_type) = frame.ethernet()?;
        Some(Self {
            destination: MacAddress(u64::from(w0) << 16 | u64::from(w1 >> 16)),
            source: MacAddress(u64::from(w1 & 0xffff) << 32 | u64::from(w2)),
            ether_type,
            vlan: 0,
            payload: UNTAGGED,
        })
    }
}

/// Whether a tag follows, and not the payload.
#[inline(always)]
pub const fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, TPID_CUSTOMER | TPID_SERVICE)
}

/// Follows the tags at `payload`, if `ether_type` announces one: the EtherType behind them all and the offset
/// behind it; `None` if the frame ends within a tag.
#[inline(always)]
pub fn behind_tags(frame: &impl Frame, mut ether_type: u16, mut payload: usize) -> Option<(u16, usize)> {
    let mut tags = 0;
    while tags < MAX_TAGS && matches!(ether_type, TPID_CUSTOMER | TPID_SERVICE) {
        let [_, next] = frame.halves(payload)?;
        ether_type = next;
        payload += 4;
        tags += 1;
    }
    Some((ether_type, payload))
}

/// Overwrites both addresses; `None` if the frame is too short.
#[inline(always)]
pub fn rewrite(frame: &mut impl Frame, destination: MacAddress, source: MacAddress) -> Option<()> {
    let (destination, source) = (destination.0, source.0);
    let middle = (destination as u32) << 16 | (source >> 32) as u32;
    frame.set_addresses([(destination >> 16) as u32, middle, source as u32])
}
