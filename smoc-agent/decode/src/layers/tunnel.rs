//! Tunnels over IP and UDP.
//!
//! | tunnel | announced by | header |
//! |---|---|---|
//! | IP in IP (RFC 2003, 4213, 2473) | protocols 4, 41 | none |
//! | GRE (RFC 2784, 2890, 2637) | protocol 47, UDP 4754 | 4 bytes: flags (0x8000 checksum, 0x2000 key, 0x1000 sequence, 0x0080 acknowledgment of version 1), EtherType; then 4 bytes for each flag |
//! | ERSPAN | GRE 0x88be, 0x22eb | 8 bytes if GRE has a sequence, else none; 12, and 8 more if the last bit is set; then Ethernet |
//! | WCCP | GRE 0x883e | 4 bytes unless IPv4 follows at once |
//! | EtherIP (RFC 3378) | protocol 97 | 2 bytes, then Ethernet |
//! | VXLAN (RFC 7348) | UDP 4789, 8472 | 8 bytes: flags (0x08: identifier), identifier in 4..7; then Ethernet |
//! | VXLAN-GPE | UDP 4790 | the same; byte 3: 1 IPv4, 2 IPv6, 3 Ethernet, 4 NSH, 5 MPLS |
//! | Geneve (RFC 8926) | UDP 6081 | 8 bytes: version (2 bits) and options' length (6 bits, 32-bit words), bytes 2..4: EtherType; options |
//! | GTP-U (3GPP TS 29.281) | UDP 2152 | 8 bytes: version 1 (0x20), 0x10, flags 0x07; type (255: a packet follows); 4 more if any flag is set, and extension headers, each with its length in words first and the next one's type last |
//! | L2TP (RFC 2661) | UDP 1701 | 6 bytes: flags (0x8000 control, 0x4000 length, 0x0800 sequence, 0x0200 offset), tunnel, session; 2, 4 and 2 bytes more for these flags; then PPP |
//! | NSH (RFC 8300) | EtherType 0x894f, VXLAN-GPE | bytes 0..2: lower six bits the length in words; byte 3 as for VXLAN-GPE |
//! | MPLS (RFC 4023, 7510) | protocol 137, UDP 6635 | none |

use smoc_common::wire::ip::{self, Family};

use super::{
    ether_type,
    layer::{Encapsulation, Header, Layer, Tunnel, array, half},
    mpls,
    unread::{Passed, Unread},
};

const GRE_PPP: u16 = 0x880b;

/// What the protocol of an IP packet of this family says.
pub fn behind_ip(family: Family, protocol: u8) -> Result<Layer, Passed> {
    Ok(match protocol {
        4 => Layer::Family(Family::V4),
        41 => Layer::Family(Family::V6),
        ip::UDP => Layer::Udp,
        47 => Layer::Tunnel(Tunnel::Gre),
        97 => Layer::Tunnel(Tunnel::EtherIp),
        137 => Layer::Mpls,
        143 => Layer::Ethernet,
        50 => return Err(Unread::Encrypted("IPsec").into()),
        108 => return Err(Unread::Unsupported("IP with compressed payload").into()),
        115 => return Err(Unread::Unsupported("L2TP version 3").into()),
        51 if family == Family::V4 => {
            return Err(Unread::Unsupported("IPsec's authentication header over IPv4").into());
        }
        // Extension headers; the packet's parser has followed as many as it does.
        0 | 43 | 44 | 51 | 60 if family == Family::V6 => return Err(Unread::Extensions.into()),
        _ if carries_no_tcp(protocol) => return Err(Passed::NoTcp),
        other => return Err(Unread::IpProtocol(other).into()),
    })
}

/// ICMP, IGMP, EGP, IGP, DCCP, RSVP, ICMPv6, nothing, EIGRP, OSPF, PIM, VRRP, PGM, SCTP, UDP-Lite, HIP.
const fn carries_no_tcp(protocol: u8) -> bool {
    matches!(protocol, 1 | 2 | 3 | 8 | 9 | 33 | 46 | 58 | 59 | 88 | 89 | 103 | 112 | 113 | 132 | 136 | 139)
}

/// The name of a packet of `family` right in front of another IP packet.
pub fn ip_in_ip(family: Family, next: Layer) -> Option<Encapsulation> {
    let Layer::Family(inner) = next else { return None };
    Some(Encapsulation(match (inner, family) {
        (Family::V4, Family::V4) => "ipip",
        (Family::V6, Family::V4) => "6in4",
        (Family::V4, Family::V6) => "4in6",
        (Family::V6, Family::V6) => "6in6",
    }))
}

/// Reads a UDP header; its destination port says which tunnel begins there.
pub fn udp(rest: &[u8]) -> Result<Header, Passed> {
    const LENGTH: usize = 8;
    let tunnel = |tunnel| Ok(Header::new(LENGTH, Layer::Tunnel(tunnel)));
    match half(rest, 2)? {
        4789 | 8472 => tunnel(Tunnel::Vxlan),
        4790 => tunnel(Tunnel::VxlanGpe),
        6081 => tunnel(Tunnel::Geneve),
        2152 => tunnel(Tunnel::GtpU),
        // An answer to another port than that, if it is a packet.
        _ if half(rest, 0)? == 2152
            && rest.get(LENGTH..).is_some_and(|rest| matches!(rest, [0x30..=0x3f, 255, ..])) =>
        {
            tunnel(Tunnel::GtpU)
        }
        1701 => tunnel(Tunnel::L2tp),
        4754 => tunnel(Tunnel::Gre),
        6635 => Ok(Header::new(LENGTH, Layer::Mpls)),
        // Key exchange begins with four bytes of 0, a keepalive has but one byte.
        4500 if rest.len() > LENGTH + 4 && array(rest, LENGTH)? != [0; 4] => {
            Err(Unread::Encrypted("IPsec over UDP 4500").into())
        }
        // Type 4: data.
        51820 if rest.get(LENGTH..LENGTH + 4) == Some(&[4, 0, 0, 0]) => {
            Err(Unread::Encrypted("WireGuard, UDP 51820").into())
        }
        1194 => Err(Unread::Encrypted("OpenVPN, UDP 1194").into()),
        3386 => Err(Unread::Unsupported("GTP version 0 (UDP 3386)").into()),
        3544 => Err(Unread::Unsupported("Teredo (UDP 3544)").into()),
        4755 => Err(Unread::Encrypted("GRE over UDP 4755").into()),
        6080 => Err(Unread::Unsupported("generic UDP encapsulation (UDP 6080)").into()),
        _ => Err(Passed::NoTcp),
    }
}

impl Tunnel {
    /// Reads the tunnel's header.
    pub(super) fn read(self, rest: &[u8]) -> Result<Header, Passed> {
        match self {
            Self::Gre => gre(rest),
            Self::Erspan(version) => Ok(Header::new(erspan_length(rest, version)?, Layer::Ethernet)),
            Self::Wccp => {
                let [first] = array(rest, 0)?;
                Ok(Header::new(if first >> 4 == 4 { 0 } else { 4 }, Layer::Ip))
            }
            Self::EtherIp => match array(rest, 0)? {
                [0x30, 0] => Ok(Header::new(2, Layer::Ethernet)),
                _ => Err(Unread::Malformed("EtherIP").into()),
            },
            Self::Vxlan => match array::<8>(rest, 0)? {
                [flags, ..] if flags & 0x08 == 0 => Err(Unread::Malformed("VXLAN").into()),
                _ => Ok(Header::new(8, Layer::Ethernet)),
            },
            Self::VxlanGpe => match array::<8>(rest, 0)? {
                // Without the flag P it is VXLAN as ever.
                [flags, ..] if flags & 0x0c == 0x08 => Ok(Header::new(8, Layer::Ethernet)),
                [flags, _, _, next, _, _, _, _] if flags & 0x3c == 0x0c => {
                    Ok(Header::new(8, numbered(next)?))
                }
                _ => Err(Unread::Malformed("VXLAN-GPE").into()),
            },
            Self::Geneve => match array(rest, 0)? {
                [first, _, high, low, _, _, _, _] if first >> 6 == 0 => {
                    let options = usize::from(first & 0x3f) * 4;
                    Ok(Header::new(8 + options, ether_type::behind(u16::from_be_bytes([high, low]))?))
                }
                _ => Err(Unread::Malformed("Geneve").into()),
            },
            Self::GtpU => gtp_u(rest),
            Self::L2tp => l2tp(rest),
            Self::Nsh => {
                let [_, length, _, next] = array(rest, 0)?;
                match usize::from(length & 0x3f) * 4 {
                    length @ 8.. => Ok(Header::new(length, numbered(next)?)),
                    _ => Err(Unread::Malformed("NSH").into()),
                }
            }
        }
    }
}

/// The protocol numbers of VXLAN-GPE and NSH.
fn numbered(next: u8) -> Result<Layer, Unread> {
    Ok(match next {
        1 => Layer::Family(Family::V4),
        2 => Layer::Family(Family::V6),
        3 => Layer::Ethernet,
        4 => Layer::Tunnel(Tunnel::Nsh),
        5 => Layer::Mpls,
        _ => return Err(Unread::Unrecognised("VXLAN-GPE or NSH")),
    })
}

fn gre(rest: &[u8]) -> Result<Header, Passed> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    const VERSION: u16 = 0x0007;
    let (flags, protocol) = (half(rest, 0)?, half(rest, 2)?);
    let has_sequence = flags & SEQUENCE != 0;
    let next = match (flags & VERSION, protocol) {
        _ if flags & ROUTING != 0 => return Err(Unread::Unsupported("GRE with source routes").into()),
        (1, GRE_PPP) if !has_sequence => return Err(Passed::NoTcp),
        (1, GRE_PPP) => Layer::Ppp,
        (1.., _) => return Err(Unread::Malformed("GRE").into()),
        // A keepalive.
        (_, 0) => return Err(Passed::NoTcp),
        (_, 0x88be) => Layer::Tunnel(Tunnel::Erspan(if has_sequence { 2 } else { 1 })),
        (_, 0x22eb) => Layer::Tunnel(Tunnel::Erspan(3)),
        (_, 0x883e) => Layer::Tunnel(Tunnel::Wccp),
        (_, ether_type) if ether_type < ether_type::LEAST => return Err(Unread::EtherType(ether_type).into()),
        (_, ether_type) => ether_type::behind(ether_type)?,
    };
    let present = flags & (CHECKSUM | KEY | SEQUENCE | if flags & VERSION == 1 { ACKNOWLEDGMENT } else { 0 });
    Ok(Header::new(4 + 4 * present.count_ones() as usize, next))
}

fn erspan_length(rest: &[u8], version: u8) -> Result<usize, Unread> {
    match version {
        1 => Ok(0),
        2 => Ok(8),
        _ => array(rest, 11).map(|[last]| if last & 1 == 0 { 12 } else { 20 }),
    }
}

fn gtp_u(rest: &[u8]) -> Result<Header, Passed> {
    const PACKET: u8 = 255;
    let [flags, kind] = array(rest, 0)?;
    if flags & 0xf0 != 0x30 {
        return Err(Unread::Malformed("GTP-U").into());
    }
    if kind != PACKET {
        return Err(Passed::NoTcp);
    }
    let mut at = 8;
    if flags & 0x07 != 0 {
        let [mut extension] = array(rest, at + 3)?;
        at += 4;
        // Without the flag E the field is there and means nothing.
        while flags & 0x04 != 0 && extension != 0 {
            let [words] = array(rest, at)?;
            if words == 0 {
                return Err(Unread::Malformed("GTP-U").into());
            }
            at += usize::from(words) * 4;
            [extension] = array(rest, at - 1)?;
        }
    }
    // Which of these it is, the network has agreed when it set up the session.
    let payload = rest.get(at..).unwrap_or_default();
    match payload.first().ok_or(Unread::Cut)? {
        first if first >> 4 == 4 && (mpls::is_ipv4(payload) || !mpls::is_ethernet(payload)) => {}
        first if first >> 4 == 6 && (mpls::is_ipv6(payload) || !mpls::is_ethernet(payload)) => {}
        _ if payload.starts_with(&[0xff, 0x03]) => return Ok(Header::new(at, Layer::Ppp)),
        _ if mpls::is_ethernet(payload) => return Ok(Header::new(at, Layer::Ethernet)),
        _ => return Err(Unread::Unrecognised("GTP-U").into()),
    }
    Ok(Header::new(at, Layer::Ip))
}

fn l2tp(rest: &[u8]) -> Result<Header, Passed> {
    let flags = half(rest, 0)?;
    match flags & 0x000f {
        _ if flags & 0x8000 != 0 => return Err(Passed::NoTcp),
        2 => {}
        3 => return Err(Unread::Unsupported("L2TP version 3").into()),
        _ => return Err(Unread::Malformed("L2TP").into()),
    }
    let mut at = 6;
    at += if flags & 0x4000 != 0 { 2 } else { 0 };
    at += if flags & 0x0800 != 0 { 4 } else { 0 };
    if flags & 0x0200 != 0 {
        at += 2 + usize::from(half(rest, at)?);
    }
    Ok(Header::new(at, Layer::Ppp))
}
