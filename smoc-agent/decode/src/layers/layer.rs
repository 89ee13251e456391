//! What a frame is made of: the layers, their names, and what each says of itself.

use smoc_common::wire::ip::Family;

use super::{link_type::LinkType, unread::Unread};

/// One header, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// What the capture's link type says.
    Link(LinkType),
    /// Ethernet: addresses, then EtherType or length.
    Ethernet,
    /// A tag or the like, with the next EtherType at its end.
    Tag(Tag),
    /// 802.2 LLC.
    Llc,
    /// 802.11; whether its header is padded to four bytes.
    Wifi {
        /// As radiotap says.
        is_padded: bool,
    },
    /// PPP, with or without address and control.
    Ppp,
    /// PPPoE session.
    Pppoe,
    /// A stack of MPLS labels.
    Mpls,
    /// An Ethernet pseudowire, behind MPLS and the control word, if there is one.
    Pseudowire,
    /// IPv4 or IPv6, as its first four bits say.
    Ip,
    /// One of both.
    Family(Family),
    /// UDP.
    Udp,
    /// A tunnel over IP or UDP.
    Tunnel(Tunnel),
}

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

/// A tunnel's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunnel {
    /// Generic routing encapsulation.
    Gre,
    /// Cisco's remote mirroring, and its version: 1 without a header, 2 or 3.
    Erspan(u8),
    /// Cisco's redirection to caches.
    Wccp,
    /// Ethernet in IP.
    EtherIp,
    /// VXLAN.
    Vxlan,
    /// VXLAN that says what follows.
    VxlanGpe,
    /// Geneve.
    Geneve,
    /// The user plane of mobile networks.
    GtpU,
    /// L2TP, version 2.
    L2tp,
    /// Service function chaining.
    Nsh,
}

/// What a header says of itself.
pub struct Header {
    /// In bytes.
    pub length: usize,
    /// What stands behind it.
    pub next: Layer,
}

impl Header {
    pub const fn new(length: usize, next: Layer) -> Self {
        Self { length, next }
    }
}

/// What surrounds the IP packet of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Encapsulation(pub &'static str);

impl Layer {
    /// The name of what this adds around a packet; `None` for what every frame of its link has.
    pub const fn encapsulation(self) -> Option<Encapsulation> {
        Some(Encapsulation(match self {
            Self::Link(LinkType::Pppoe) | Self::Pppoe => "pppoe",
            Self::Tag(tag) => tag.name(),
            Self::Llc => "llc/snap",
            Self::Mpls => "mpls",
            Self::Pseudowire => "pseudowire",
            Self::Tunnel(tunnel) => tunnel.name(),
            _ => return None,
        }))
    }
}

impl Tag {
    const fn name(self) -> &'static str {
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
}

impl Tunnel {
    const fn name(self) -> &'static str {
        match self {
            Self::Gre => "gre",
            Self::Erspan(_) => "erspan",
            Self::Wccp => "wccp",
            Self::EtherIp => "etherip",
            Self::Vxlan => "vxlan",
            Self::VxlanGpe => "vxlan-gpe",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp-u",
            Self::L2tp => "l2tp",
            Self::Nsh => "nsh",
        }
    }
}

/// `N` bytes of a header from `at`.
pub fn array<const N: usize>(rest: &[u8], at: usize) -> Result<[u8; N], Unread> {
    rest.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Unread::Cut)
}

/// A 16-bit number of a header, most significant byte first.
pub fn half(rest: &[u8], at: usize) -> Result<u16, Unread> {
    array(rest, at).map(u16::from_be_bytes)
}
