//! MPLS (RFC 3032) and what may stand behind its labels (RFC 4385, RFC 4448, RFC 4928).
//!
//! | bits | label |
//! |---|---|
//! | 0..20 | label; 13: an OAM message follows |
//! | 20..23 | traffic class |
//! | 23 | bottom of the stack |
//! | 24..32 | TTL |
//!
//! No label says what follows, so that is recognised: IPv4, IPv6, or an Ethernet pseudowire with or without the
//! control word, whose first four bits are 0.

use super::{
    ether_type,
    layer::{Header, Layer, array},
    unread::{Passed, Unread},
};

const CONTROL_WORD: usize = 4;
const ETHERNET: usize = 14;
/// Generic associated channel (RFC 5586).
const OAM: u32 = 13;

/// Reads a stack of labels.
pub fn stack(rest: &[u8]) -> Result<Header, Passed> {
    let mut at = 0;
    loop {
        let label = array(rest, at).map(u32::from_be_bytes)?;
        at += 4;
        match (label >> 12, label & 0x100) {
            (OAM, _) => return Err(Passed::NoTcp),
            (_, 0) => {}
            _ => break,
        }
    }
    let payload = &rest[at..];
    let is_pseudowire = |skipped: usize| payload.get(skipped..).is_some_and(is_ethernet);
    match payload.first().ok_or(Unread::Cut)? >> 4 {
        4 if is_ipv4(payload) || !is_pseudowire(0) => Ok(Header::new(at, Layer::Ip)),
        6 if is_ipv6(payload) || !is_pseudowire(0) => Ok(Header::new(at, Layer::Ip)),
        // Many addresses begin with 0 bits, as the control word does: the whole header decides.
        _ if is_pseudowire(0) => Ok(Header::new(at, Layer::Pseudowire)),
        0 if is_pseudowire(CONTROL_WORD) => Ok(Header::new(at + CONTROL_WORD, Layer::Pseudowire)),
        // The associated channel's word: a message of OAM.
        _ if payload.starts_with(&[0x10, 0]) => Err(Passed::NoTcp),
        _ if payload.len() < CONTROL_WORD + ETHERNET => Err(Unread::Cut.into()),
        _ => Err(Unread::Unrecognised("MPLS labels").into()),
    }
}

/// Whether IHL and total length of an IPv4 header can be right.
pub fn is_ipv4(packet: &[u8]) -> bool {
    match *packet {
        [first, _, high, low, ..] => {
            let length = u16::from_be_bytes([high, low]);
            (0x45..=0x4f).contains(&first) && (length == 0 || length >= u16::from(first & 0x0f) * 4)
        }
        _ => false,
    }
}

/// Whether an IPv6 header can be right, by version and the first byte of its source: none begins with 0x02..0x1f.
pub fn is_ipv6(packet: &[u8]) -> bool {
    matches!(packet, [first, _, _, _, _, _, _, hops, source, ..]
        if first >> 4 == 6 && *hops != 0 && !(0x02..0x20).contains(source))
}

/// Whether this looks like an Ethernet frame: its EtherType is known, and an IP header behind it has the version
/// that the EtherType says.
pub fn is_ethernet(frame: &[u8]) -> bool {
    let Some(&[high, low]) = frame.get(12..).and_then(|rest| rest.first_chunk()) else { return false };
    let ether_type = u16::from_be_bytes([high, low]);
    let payload = &frame[ETHERNET..];
    match ether_type::behind(ether_type) {
        Ok(Layer::Family(_)) if ether_type == 0x0800 => payload.first().is_none_or(|_| is_ipv4(payload)),
        Ok(Layer::Family(_)) => payload.first().is_none_or(|first| first >> 4 == 6),
        Ok(Layer::Llc) => matches!(payload, [0xaa, 0xaa, 3, ..] | [0x42, 0x42, 3, ..] | [0x06, 0x06, 3, ..]),
        Ok(_) | Err(Passed::NoTcp) => true,
        Err(Passed::Unread(_)) => false,
    }
}
