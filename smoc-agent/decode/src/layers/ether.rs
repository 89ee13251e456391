//! Ethernet, tags, and LLC (IEEE 802.3, 802.1Q, 802.2; RFC 1042).
//!
//! | header | length | what follows |
//! |---|---|---|
//! | Ethernet | 14 | bytes 12..14: EtherType; up to 1500 the length of an LLC frame |
//! | tags | see [`Tag`] | their last two bytes: EtherType or length |
//! | LLC | 3 | byte 0 (DSAP): 0x06 IP, 0xaa SNAP |
//! | LLC and SNAP | 8 | bytes 3..6: organization, 0 or 0x0000f8; bytes 6..8: EtherType |

use smoc_common::wire::{
    ethernet::{IPV4, IPV6},
    ip::Family,
};

use super::{Header, Layer, Passed, Unread, array, half, tunnel::Tunnel};

/// The least number that is an EtherType and not a length.
pub const LEAST: u16 = 0x0600;
const LONGEST_LLC: u16 = 1500;
/// Ethernet in something else (RFC 1701).
const TRANSPARENT_BRIDGING: u16 = 0x6558;

/// What stands between Ethernet's addresses and the next EtherType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// 802.1Q, 802.1ad and their forerunners (0x8100, 0x88a8, 0x9100, 0x9200, 0x9300).
    Vlan,
    /// High-availability seamless redundancy (0x892f).
    Hsr,
    /// Cisco's interface tag (0x8926).
    CiscoInterface,
    /// 802.1BR (0x893f).
    BridgePort,
    /// Cisco's metadata (0x8909).
    Metadata,
    /// 802.1AE that is signed and not encrypted (0x88e5).
    MacSec,
    /// 802.1ah (0x88e7): a whole Ethernet frame follows.
    ProviderBackbone,
}

impl Tag {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Vlan => "vlan",
            Self::Hsr => "hsr",
            Self::CiscoInterface => "vn-tag",
            Self::BridgePort => "e-tag",
            Self::Metadata => "cisco-metadata",
            Self::MacSec => "macsec",
            Self::ProviderBackbone => "pbb",
        }
    }

    /// Reads the tag behind the EtherType that announced it.
    pub(super) fn read(self, rest: &[u8]) -> Result<Header, Passed> {
        let length = match self {
            Self::Vlan => 2,
            Self::Hsr | Self::CiscoInterface => 4,
            Self::BridgePort | Self::Metadata => 6,
            Self::MacSec => mac_sec_length(rest)?,
            Self::ProviderBackbone => return Ok(Header::new(4, Layer::Ethernet)),
        };
        Ok(Header::new(length + 2, behind(half(rest, length)?)?))
    }
}

/// Control information (1), short length (1), packet number (4), and the channel (8) if bit 0x20 is set. Bits 0x08
/// and 0x04: encrypted, and changed.
fn mac_sec_length(rest: &[u8]) -> Result<usize, Unread> {
    match array(rest, 0)? {
        [control] if control & 0x0c != 0 => Err(Unread::Encrypted("MACsec")),
        [control] if control & 0x20 != 0 => Ok(14),
        [_] => Ok(6),
    }
}

/// Reads an Ethernet header.
pub fn ethernet(rest: &[u8]) -> Result<Header, Passed> {
    Ok(Header::new(14, behind(half(rest, 12)?)?))
}

/// What an EtherType or length says.
pub fn behind(ether_type: u16) -> Result<Layer, Passed> {
    Ok(match ether_type {
        IPV4 => Layer::Family(Family::V4),
        IPV6 => Layer::Family(Family::V6),
        ..=LONGEST_LLC | 0x8870 => Layer::Llc,
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => Layer::Tag(Tag::Vlan),
        0x892f => Layer::Tag(Tag::Hsr),
        0x8926 => Layer::Tag(Tag::CiscoInterface),
        0x893f => Layer::Tag(Tag::BridgePort),
        0x8909 => Layer::Tag(Tag::Metadata),
        0x88e5 => Layer::Tag(Tag::MacSec),
        0x88e7 => Layer::Tag(Tag::ProviderBackbone),
        0x8847 | 0x8848 => Layer::Mpls,
        0x8864 => Layer::Pppoe,
        0x880b => Layer::Ppp,
        TRANSPARENT_BRIDGING => Layer::Ethernet,
        0x894f => Layer::Tunnel(Tunnel::Nsh),
        _ if carries_no_tcp(ether_type) => return Err(Passed::NoTcp),
        _ => return Err(Unread::EtherType(ether_type).into()),
    })
}

/// ARP, RARP, AppleTalk, IPX, MAC control, slow protocols, PPPoE discovery, 802.1X, local experiments (smoc's own
/// probes and announcements), LLDP, MVRP, time synchronisation, connectivity management, loops, IS-IS and the like.
const fn carries_no_tcp(ether_type: u16) -> bool {
    matches!(
        ether_type,
        0x0806 | 0x0842 | 0x2000..=0x2004 | 0x22f0 | 0x22f3 | 0x22ea | 0x8035 | 0x809b | 0x80f3 | 0x8137 | 0x8138
            | 0x8808 | 0x8809 | 0x8863 | 0x888e | 0x88a2 | 0x88b5..=0x88b7 | 0x88c7 | 0x88cc | 0x88e1
            | 0x88f5..=0x88f7 | 0x88fb | 0x8902 | 0x8906 | 0x8914 | 0x8915 | 0x8892 | 0x88a4 | 0x9000
    )
}

/// Reads an LLC header, and SNAP's behind it.
pub fn llc(rest: &[u8]) -> Result<Header, Passed> {
    let [destination, _, _] = array(rest, 0)?;
    match destination {
        0xaa => {
            let [o0, o1, o2, high, low] = array(rest, 3)?;
            let (organization, protocol) = ([o0, o1, o2], u16::from_be_bytes([high, low]));
            match organization {
                [0, 0, 0] | [0, 0, 0xf8] => Ok(Header::new(8, behind(protocol)?)),
                // Discovery, trunking and spanning trees of Cisco; AppleTalk.
                [0, 0, 0x0c] | [8, 0, 7] => Err(Passed::NoTcp),
                // Bridged Ethernet (RFC 2684), with and without its check sequence; two bytes of padding before it.
                [0, 0x80, 0xc2] if matches!(protocol, 1 | 7) => Ok(Header::new(10, Layer::Ethernet)),
                _ => Err(Unread::Llc(u64::from_be_bytes([0, 0, 0, o0, o1, o2, high, low])).into()),
            }
        }
        0x06 => Ok(Header::new(3, Layer::Ip)),
        // Spanning tree, IPX (two ways), NetBIOS, IS-IS, management, X.25 and SNA.
        0x42 | 0xe0 | 0xff | 0xf0 | 0xfe | 0x00 | 0x02 | 0x03 | 0x04 | 0x05 | 0x08 | 0x0e | 0x7e | 0xf4
        | 0xf8 | 0xfc => Err(Passed::NoTcp),
        other => Err(Unread::Llc(other.into()).into()),
    }
}
