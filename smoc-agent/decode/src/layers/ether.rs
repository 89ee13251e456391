//! Ethernet, tags, and LLC (IEEE 802.3, 802.1Q, 802.2; RFC 1042).
//!
//! | header | length | what follows |
//! |---|---|---|
//! | Ethernet | 14 | bytes 12..14: EtherType; up to 1500 the length of an LLC frame |
//! | tags | see [`Tag`] | their last two bytes: EtherType or length |
//! | LLC | 3 | byte 0 (DSAP): 0x06 IP, 0xaa SNAP |
//! | LLC and SNAP | 8 | bytes 3..6: organization, 0 or 0x0000f8; bytes 6..8: EtherType |

use super::{
    ether_type::behind,
    layer::{Header, Layer, Tag, array, half},
    unread::{Passed, Unread},
};

impl Tag {
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
