//! From a captured frame to its IP packet.
//!
//! | link type | header | says what follows |
//! |---|---|---|
//! | Ethernet (1) | 14 bytes, then tags | EtherType |
//! | Linux cooked v1 (113) | 16 bytes, then tags | bytes 14..16: EtherType |
//! | Linux cooked v2 (276) | 20 bytes, then tags | bytes 0..2: EtherType |
//! | raw IP (12, 14, 101; 228: IPv4, 229: IPv6) | none | the IP version |
//! | loopback (0, 108) | 4 bytes: address family, in the byte order of the machine that captured | the family |

use smoc_common::wire::{
    Frame,
    ethernet::{self, behind_tags},
    ip::Packet,
};

/// What stands before the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// Ethernet.
    Ethernet,
    /// Linux cooked v1 (SLL), as captured on the interface `any`.
    Cooked,
    /// Linux cooked v2 (SLL2).
    Cooked2,
    /// Nothing.
    Raw,
    /// BSD loopback, either byte order.
    Loopback,
}

const AF_INET: u32 = 2;
/// Linux; NetBSD and OpenBSD; FreeBSD; Darwin.
const AF_INET6: [u32; 4] = [10, 24, 28, 30];

impl LinkType {
    /// The link type of this number in a capture file; `None` if smoc cannot read it.
    pub const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            0 | 108 => Self::Loopback,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            113 => Self::Cooked,
            276 => Self::Cooked2,
            _ => return None,
        })
    }

    /// The IP packet in a frame; `None` if there is none, or not one that a host would accept.
    pub fn packet(self, frame: &impl Frame) -> Option<Packet> {
        match self {
            Self::Ethernet => Packet::parse(frame, &ethernet::Header::parse(frame)?),
            Self::Cooked => Self::typed(frame, frame.read(14)?, 16),
            Self::Cooked2 => Self::typed(frame, frame.read(0)?, 20),
            Self::Raw => match frame.read(0)? {
                [version] if version >> 4 == 4 => Packet::parse_v4(frame, 0),
                [_] => Packet::parse_v6(frame, 0),
            },
            Self::Loopback => {
                let family = frame.read(0)?;
                let is = |known| [u32::from_le_bytes(family), u32::from_be_bytes(family)].contains(&known);
                match () {
                    () if is(AF_INET) => Packet::parse_v4(frame, 4),
                    () if AF_INET6.into_iter().any(is) => Packet::parse_v6(frame, 4),
                    () => None,
                }
            }
        }
    }

    fn typed(frame: &impl Frame, ether_type: [u8; 2], payload: usize) -> Option<Packet> {
        let (ether_type, header) = behind_tags(frame, u16::from_be_bytes(ether_type), payload)?;
        Packet::of_type(frame, ether_type, header)
    }
}
