//! Wi-Fi (IEEE 802.11, 9.3.2) and what capture drivers put before it (radiotap.org).
//!
//! | 802.11 bytes | field |
//! |---|---|
//! | 0 | 0x03: version, 0x0c: type (2: data), upper four bits: subtype (8: QoS, 4: no data) |
//! | 1 | 0x01 to the distribution system, 0x02 from it, 0x40 protected, 0x80 order |
//! | 2..22 | duration, three addresses |
//! | 22..24 | sequence control, lower four bits of byte 22: fragment |
//! | then | fourth address (6) if to and from; QoS control (2) if QoS; HT control (4) if QoS and order |
//!
//! | radiotap bytes | field |
//! |---|---|
//! | 2..4 | length, little endian |
//! | 4..8 | which fields there are, little endian; bit 31: four more such bytes follow; bit 0: time (8 bytes, aligned to 8), bit 1: flags |

use super::{
    layer::{Header, Layer, array},
    unread::{Passed, Unread},
};

const DATA: u8 = 0x08;
const QOS: u8 = 0x80;
const NO_DATA: u8 = 0x40;
const TO_AND_FROM: u8 = 0x03;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
/// QoS control: several frames in one.
const AGGREGATED: u8 = 0x80;
const SNAP: [u8; 3] = [0xaa, 0xaa, 0x03];

/// Reads the header of a data frame.
pub fn data(rest: &[u8], is_padded: bool) -> Result<Header, Passed> {
    let [control, flags] = array(rest, 0)?;
    if control & 0x03 != 0 {
        return Err(Unread::Malformed("Wi-Fi").into());
    }
    if control & 0x0c != DATA || control & NO_DATA != 0 {
        return Err(Passed::NoTcp);
    }
    let [fragment] = array(rest, 22)?;
    if fragment & 0x0f != 0 {
        return Err(Unread::LaterFragment.into());
    }
    let mut length = if flags & TO_AND_FROM == TO_AND_FROM { 30 } else { 24 };
    if control & QOS != 0 {
        let [quality] = array(rest, length)?;
        if quality & AGGREGATED != 0 && flags & PROTECTED == 0 {
            return Err(Unread::Unsupported("several Wi-Fi frames in one (A-MSDU)").into());
        }
        length += if flags & ORDER != 0 { 6 } else { 2 };
    }
    if is_padded {
        length = length.next_multiple_of(4);
    }
    // Some drivers decrypt frames and leave the flag.
    match array(rest, length) {
        Ok(SNAP) => Ok(Header::new(length, Layer::Llc)),
        _ if flags & PROTECTED != 0 => Err(Unread::Encrypted("Wi-Fi").into()),
        _ => Ok(Header::new(length, Layer::Llc)),
    }
}

/// Reads a radiotap header.
pub fn radiotap(rest: &[u8]) -> Result<Header, Unread> {
    const TIME: u32 = 1;
    const FLAGS: u32 = 1 << 1;
    const MORE: u32 = 1 << 31;
    const PADDED: u8 = 0x20;
    let [version, _, low, high] = array(rest, 0)?;
    let length = usize::from(u16::from_le_bytes([low, high]));
    if version != 0 || length < 8 {
        return Err(Unread::Malformed("radiotap"));
    }
    let word = |at| array(rest, at).map(u32::from_le_bytes);
    let fields = word(4)?;
    let mut at = 8;
    if fields & MORE != 0 {
        while word(at)? & MORE != 0 {
            at += 4;
        }
        at += 4;
    }
    if fields & TIME != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    let is_padded = fields & FLAGS != 0 && at < length && array(rest, at)? != [0] && rest[at] & PADDED != 0;
    Ok(Header::new(length, Layer::Wifi { is_padded }))
}

/// Reads the header of Prism (bytes 4..8: its length, in the byte order of the machine that captured), or of AVS (magic
/// number 0x80211, its length in bytes 4..8, big endian).
pub fn prism(rest: &[u8]) -> Result<Header, Unread> {
    let number: [u8; 4] = array(rest, 4)?;
    let length = u32::from_le_bytes(number).min(u32::from_be_bytes(number)) as usize;
    if length < 8 {
        return Err(Unread::Malformed("Prism"));
    }
    Ok(Header::new(length, Layer::Wifi { is_padded: false }))
}
