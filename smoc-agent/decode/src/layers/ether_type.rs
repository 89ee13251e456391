//! EtherTypes (IEEE 802.3, RFC 9542), and what stands behind each.

use smoc_common::wire::{
    ethernet::{IPV4, IPV6},
    ip::Family,
};

use super::{
    layer::{Layer, Tag, Tunnel},
    unread::{Passed, Unread},
};

/// The least number that is an EtherType and not a length.
pub const LEAST: u16 = 0x0600;
const LONGEST_LLC: u16 = 1500;
/// Ethernet in something else (RFC 1701).
const TRANSPARENT_BRIDGING: u16 = 0x6558;

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
