//! PPP (RFC 1661, RFC 1662) and PPPoE (RFC 2516).
//!
//! | header | bytes | what follows |
//! |---|---|---|
//! | PPP | 0xff, 0x03 unless left out; protocol: two bytes, or one that is odd | by the protocol |
//! | Cisco HDLC, in captures of PPP | 0x0f or 0x8f, 0x00, EtherType | by the EtherType |
//! | PPPoE | 0x11 (version, type), code (0: session), session (2), length (2) | PPP from its protocol on |

use smoc_common::wire::ip::Family;

use super::{
    ether_type,
    layer::{Header, Layer, array, half},
    unread::{Passed, Unread},
};

/// Reads PPP's address, control and protocol.
pub fn frame(rest: &[u8]) -> Result<Header, Passed> {
    let [first] = array(rest, 0)?;
    let second = rest.get(1).copied();
    match (first, second) {
        (0x0f | 0x8f, Some(0)) => Ok(Header::new(4, ether_type::behind(half(rest, 2)?)?)),
        (0xff, Some(0x03)) => protocol(rest, 2),
        // Where the capture says which way, that may stand in the place of the address.
        (0x03, Some(_)) => protocol(rest, 1),
        _ => protocol(rest, 0),
    }
}

/// Reads a PPPoE session header and PPP's protocol.
pub fn over_ethernet(rest: &[u8]) -> Result<Header, Passed> {
    match array(rest, 0)? {
        [0x11, 0, _, _, _, _] => protocol(rest, 6),
        [0x11, ..] => Err(Passed::NoTcp),
        _ => Err(Unread::Malformed("PPPoE").into()),
    }
}

fn protocol(rest: &[u8], at: usize) -> Result<Header, Passed> {
    let (length, number) = match array(rest, at)? {
        [low] if low & 1 != 0 => (1, u16::from(low)),
        [_] => (2, half(rest, at)?),
    };
    let next = match number {
        0x0021 => Layer::Family(Family::V4),
        0x0057 => Layer::Family(Family::V6),
        0x0281 | 0x0283 => Layer::Mpls,
        0x002d | 0x002f => return Err(Unread::Unsupported("PPP with compressed TCP headers").into()),
        0x003d => return Err(Unread::Unsupported("multilink PPP").into()),
        0x00fd | 0x00fb => return Err(Unread::Unsupported("compressed PPP").into()),
        0x0053 | 0x0055 => return Err(Unread::Encrypted("PPP").into()),
        // Network control protocols and link control.
        0x8000.. => return Err(Passed::NoTcp),
        other => return Err(Unread::PppProtocol(other).into()),
    };
    Ok(Header::new(at + length, next))
}
