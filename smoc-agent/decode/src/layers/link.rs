//! What each link type puts before everything else.
//!
//! | link type | header | says what follows |
//! |---|---|---|
//! | Ethernet (1) | [`ether`](super::ether) | |
//! | Linux cooked v1 (113) | 16 bytes; 2..4 ARPHRD type | bytes 14..16: EtherType, or 4: LLC |
//! | Linux cooked v2 (276) | 20 bytes; 8..10 ARPHRD type | bytes 0..2: EtherType, or 4: LLC |
//! | raw IP (12, 14, 101; 228: IPv4, 229: IPv6) | none | the IP version |
//! | loopback (0, 108) | 4 bytes: address family, in the byte order of the machine that captured | the family |
//! | PF log (117) | bytes 0: length, rounded up to 4 | byte 1: the family |
//! | IPsec interface (109) | 12 bytes | bytes 0..4: the family, in the byte order of that machine |
//! | NFLOG (239) | 4 bytes, then attributes: length (2), type (2), value, padded to 4; in the byte order of that machine | attribute 9 is an IP packet |
//! | PPP (9, 50) | [`ppp`](super::ppp) | |
//! | PPP with direction (166, 204) | 1 byte before PPP | |
//! | PPPoE (51) | [`ppp`](super::ppp) | |
//! | Cisco HDLC (104) | 4 bytes | bytes 2..4: EtherType |
//! | Wi-Fi (105; with radiotap 127, Prism 119, AVS 163) | [`wifi`](super::wifi) | |
//! | per packet information (192) | bytes 2..4: length, little endian | bytes 4..8: link type, little endian |
//! | LLC (100) | [`ether`](super::ether) | |
//! | IP over FireWire (138) | 18 bytes | bytes 16..18: EtherType |
//! | MPLS (219) | [`mpls`](super::mpls) | |

use smoc_common::wire::ip::Family;

use super::{
    ether_type,
    layer::{Header, Layer, array, half},
    link_type::LinkType,
    ppp,
    unread::{Passed, Unread},
    wifi,
};

const AF_INET: u32 = 2;
/// Linux; NetBSD and OpenBSD; FreeBSD; Darwin.
const AF_INET6: [u32; 4] = [10, 24, 28, 30];
/// NFLOG's attribute that holds the packet.
const NFULA_PAYLOAD: u16 = 9;
/// ARPHRD types of cooked captures behind which no EtherType counts: Wi-Fi, with Prism's header, with radiotap; netlink.
const ARPHRD_WIFI: u16 = 801;
const ARPHRD_PRISM: u16 = 802;
const ARPHRD_RADIOTAP: u16 = 803;
const ARPHRD_NETLINK: u16 = 824;

impl LinkType {
    /// Reads what the link type puts before everything else.
    pub(super) fn read(self, rest: &[u8]) -> Result<Header, Passed> {
        Ok(match self {
            Self::Ethernet => Header::new(0, Layer::Ethernet),
            Self::Cooked => Header::new(16, cooked(half(rest, 2)?, half(rest, 14)?)?),
            Self::Cooked2 => Header::new(20, cooked(half(rest, 8)?, half(rest, 0)?)?),
            Self::Raw => Header::new(0, Layer::Ip),
            Self::Loopback => Header::new(4, Layer::Family(family(array(rest, 0)?)?)),
            Self::Enc => Header::new(12, Layer::Family(family(array(rest, 0)?)?)),
            Self::PfLog => {
                let [length, family_number] = array(rest, 0)?;
                let length = usize::from(length).next_multiple_of(4);
                Header::new(length, Layer::Family(family([family_number, 0, 0, 0])?))
            }
            Self::NfLog => Header::new(nflog_payload(rest)?, Layer::Ip),
            Self::Ppp => Header::new(0, Layer::Ppp),
            Self::PppWithDirection => Header::new(1, Layer::Ppp),
            Self::Pppoe => return ppp::over_ethernet(rest),
            Self::CiscoHdlc => Header::new(4, ether_type::behind(half(rest, 2)?)?),
            Self::Wifi => Header::new(0, Layer::Wifi { is_padded: false }),
            Self::Radiotap => wifi::radiotap(rest)?,
            Self::Prism => wifi::prism(rest)?,
            Self::Ppi => {
                let [_, _, low, high, number @ ..] = array::<8>(rest, 0)?;
                let number = u32::from_le_bytes(number) as u16;
                let link = Self::from_number(number).ok_or(Unread::LinkType(number))?;
                Header::new(u16::from_le_bytes([low, high]).max(8).into(), Layer::Link(link))
            }
            Self::Llc => Header::new(0, Layer::Llc),
            Self::FireWire => Header::new(18, ether_type::behind(half(rest, 16)?)?),
            Self::Mpls => Header::new(0, Layer::Mpls),
        })
    }
}

fn cooked(hardware: u16, protocol: u16) -> Result<Layer, Passed> {
    match (hardware, protocol) {
        (ARPHRD_NETLINK, _) => Err(Passed::NoTcp),
        (ARPHRD_WIFI, _) => Ok(Layer::Wifi { is_padded: false }),
        (ARPHRD_PRISM, _) => Ok(Layer::Link(LinkType::Prism)),
        (ARPHRD_RADIOTAP, _) => Ok(Layer::Link(LinkType::Radiotap)),
        (_, 4) => Ok(Layer::Llc),
        // Novell's frames of nothing but IPX.
        (_, 1) => Err(Passed::NoTcp),
        (_, other) if other < ether_type::LEAST => Err(Unread::EtherType(other).into()),
        (_, ether_type) => ether_type::behind(ether_type),
    }
}

/// The family of a number in either byte order.
fn family(number: [u8; 4]) -> Result<Family, Unread> {
    let is = |known| [u32::from_le_bytes(number), u32::from_be_bytes(number)].contains(&known);
    match () {
        () if is(AF_INET) => Ok(Family::V4),
        () if AF_INET6.into_iter().any(is) => Ok(Family::V6),
        () => Err(Unread::Unrecognised("an address family that is not IP's")),
    }
}

/// The offset of the packet. The order of bytes is that in which the first attribute's length is the smaller number.
fn nflog_payload(rest: &[u8]) -> Result<usize, Unread> {
    let mut at = 4;
    let first: [u8; 2] = array(rest, at)?;
    let is_little = u16::from_le_bytes(first) <= u16::from_be_bytes(first);
    let word = |at| array(rest, at).map(if is_little { u16::from_le_bytes } else { u16::from_be_bytes });
    loop {
        let (length, kind) = (word(at)?, word(at + 2)?);
        match kind {
            NFULA_PAYLOAD => return Ok(at + 4),
            _ if length < 4 => return Err(Unread::Malformed("NFLOG")),
            _ => at += usize::from(length).next_multiple_of(4),
        }
    }
}
