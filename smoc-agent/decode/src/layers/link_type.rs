//! The link types of capture files that smoc reads (the registry is at www.tcpdump.org/linktypes.html).

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
    /// PF's log.
    PfLog,
    /// An interface that shows what IPsec has decrypted.
    Enc,
    /// Linux's netfilter log.
    NfLog,
    /// PPP.
    Ppp,
    /// PPP behind a byte that says which way.
    PppWithDirection,
    /// PPPoE without Ethernet.
    Pppoe,
    /// Cisco HDLC.
    CiscoHdlc,
    /// 802.11.
    Wifi,
    /// 802.11 behind radiotap.
    Radiotap,
    /// 802.11 behind Prism's or AVS's header.
    Prism,
    /// Per packet information, and the link type that it names.
    Ppi,
    /// LLC without anything before it.
    Llc,
    /// IP over FireWire.
    FireWire,
    /// MPLS without anything before it.
    Mpls,
}

/// What the error for other link types says that smoc reads.
pub const READABLE: &str = "Ethernet (1), Linux cooked (113, 276), raw IP (12, 14, 101, 228, 229), loopback (0, 108), \
    PPP (9, 50, 51, 166, 204), Cisco HDLC (104), Wi-Fi (105, 119, 127, 163, 192), MPLS (219), NFLOG (239), \
    PF log (117), IPsec (109), LLC (100) and FireWire (138)";

impl LinkType {
    /// The link type of this number in a capture file; `None` if smoc cannot read it.
    pub const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            0 | 108 => Self::Loopback,
            9 | 50 => Self::Ppp,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            51 => Self::Pppoe,
            100 => Self::Llc,
            104 => Self::CiscoHdlc,
            105 => Self::Wifi,
            109 => Self::Enc,
            113 => Self::Cooked,
            117 => Self::PfLog,
            119 | 163 => Self::Prism,
            127 => Self::Radiotap,
            138 => Self::FireWire,
            166 | 204 => Self::PppWithDirection,
            192 => Self::Ppi,
            219 => Self::Mpls,
            239 => Self::NfLog,
            276 => Self::Cooked2,
            _ => return None,
        })
    }
}
