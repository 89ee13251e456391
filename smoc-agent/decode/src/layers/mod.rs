//! From a captured frame to the TCP segment in it, through whatever the segment is wrapped in.
//!
//! A frame is a row of layers. Each says how long its header is and what stands behind it; one that can tell
//! neither says why. `layer` names them all. `link` begins, `ether`, `ppp`, `mpls`, `wifi` and `tunnel` go on, each of
//! which knows `layer` and `ether_type` and not the file that reads what it announces; IP is read by the packet path's
//! own parser, like the TCP header and its options afterwards.

mod ether;
mod ether_type;
mod layer;
mod link;
mod link_type;
mod mpls;
mod ppp;
mod tunnel;
mod unread;
mod wifi;

use std::fmt;

use serde::{Serialize, Serializer};
use smoc_common::wire::{
    Bytes, Frame as _,
    ip::{self, Family, Packet},
};

pub use link_type::{LinkType, READABLE};
pub use unread::{Passed, Unread};

use layer::{Encapsulation, Header, Layer, array, half};

impl Layer {
    /// Reads the header at the start of `rest`.
    fn read(self, rest: &[u8]) -> Result<Header, Passed> {
        match self {
            Self::Link(link) => link.read(rest),
            Self::Ethernet => ether::ethernet(rest),
            Self::Tag(tag) => tag.read(rest),
            Self::Llc => ether::llc(rest),
            Self::Wifi { is_padded } => wifi::data(rest, is_padded),
            Self::Ppp => ppp::frame(rest),
            Self::Pppoe => ppp::over_ethernet(rest),
            Self::Mpls => mpls::stack(rest),
            Self::Pseudowire => Ok(Header::new(0, Self::Ethernet)),
            Self::Ip | Self::Family(_) => Ok(Header::new(0, Self::Family(family(rest)?))),
            Self::Udp => tunnel::udp(rest),
            Self::Tunnel(tunnel) => tunnel.read(rest),
        }
    }
}

fn family(rest: &[u8]) -> Result<Family, Unread> {
    match array(rest, 0)? {
        [version] if version >> 4 == 4 => Ok(Family::V4),
        [version] if version >> 4 == 6 => Ok(Family::V6),
        [_] => Err(Unread::Malformed("IP")),
    }
}

/// The most headers around a packet that count as encapsulations; no network has so many.
const MAX_ENCAPSULATIONS: usize = 250;

/// Encapsulations from the outermost to the innermost; empty for a packet that stands right in its link.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trail(Vec<Encapsulation>);

impl Trail {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (index, Encapsulation(name)) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Serialize for Trail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An IP packet that carries the beginning of a TCP segment.
#[derive(Debug)]
pub struct Found {
    /// Offset of the IP header from the start of the frame.
    pub start: usize,
    /// The packet's header, with offsets from `start`.
    pub packet: Packet,
    /// Where the packet ends, from `start`, by its own length and those around it; `usize::MAX` if none says so.
    pub end: usize,
    /// Whether it, or a packet around it, is a fragment.
    pub is_fragment: bool,
    /// What is around it.
    pub trail: Trail,
}

/// Looks through a captured frame, of which these bytes may be all, for the innermost IP packet.
///
/// # Errors
/// There is none with TCP, or it cannot be reached.
pub fn find(link: LinkType, bytes: &mut [u8], is_whole: bool) -> Result<Found, Passed> {
    let frame_end = if is_whole { bytes.len() } else { usize::MAX };
    let mut walk = Walk { at: 0, frame_end, limit: usize::MAX, is_fragment: false, trail: Trail::default() };
    let mut layer = Layer::Link(link);
    loop {
        walk.trail.0.extend(layer.encapsulation());
        if walk.trail.0.len() > MAX_ENCAPSULATIONS {
            return Err(Unread::Nested.into());
        }
        if let Layer::Family(family) = layer {
            let packet = walk.packet(family, bytes)?;
            if packet.protocol == ip::TCP {
                return Ok(walk.found(packet));
            }
            layer = tunnel::behind_ip(family, packet.protocol)?;
            walk.trail.0.extend(tunnel::ip_in_ip(family, layer));
            walk.at += packet.payload;
        } else {
            // Offsets beyond the end are for the next header to notice.
            let header = layer.read(bytes.get(walk.at..).unwrap_or_default())?;
            layer = header.next;
            walk.at += header.length;
        }
    }
}

struct Walk {
    at: usize,
    /// Where the frame ended on its link; `usize::MAX` if the capture does not show all of it.
    frame_end: usize,
    /// The least end of the packets so far.
    limit: usize,
    is_fragment: bool,
    trail: Trail,
}

impl Walk {
    fn found(self, packet: Packet) -> Found {
        let Self { at, limit, is_fragment, trail, .. } = self;
        let end = if limit == usize::MAX { limit } else { limit.saturating_sub(at) };
        Found { start: at, packet, end, is_fragment, trail }
    }

    fn packet(&mut self, family: Family, bytes: &mut [u8]) -> Result<Packet, Unread> {
        let rest = bytes.get_mut(self.at..).unwrap_or_default();
        let has_length = match family {
            Family::V4 => !declare_length(rest)?,
            Family::V6 => half(rest, 4)? != 0,
        };
        let packet = parse(family, rest)?;
        let end = if has_length { self.at + packet.end } else { self.frame_end };
        self.limit = self.limit.min(end);
        self.is_fragment |= packet.is_fragment;
        if packet.is_later_fragment { Err(Unread::LaterFragment) } else { Ok(packet) }
    }
}

/// An IPv4 packet of total length 0 was captured before segmentation, or is longer than the field can say (BIG
/// TCP): it goes on to the end of what is around it. The field becomes one that hosts accept; whether it did.
fn declare_length(rest: &mut [u8]) -> Result<bool, Unread> {
    let mut packet = Bytes(rest);
    match packet.halves(2).ok_or(Unread::Cut)? {
        [0] => packet.write(2, [u16::MAX]).map(|()| true).ok_or(Unread::Cut),
        [_] => Ok(false),
    }
}

fn parse(family: Family, rest: &mut [u8]) -> Result<Packet, Unread> {
    match family {
        Family::V4 => Packet::parse_v4(&Bytes(rest), 0).ok_or(match rest.len() {
            ..20 => Unread::Cut,
            _ => Unread::Malformed("IPv4"),
        }),
        Family::V6 => Packet::parse_v6(&Bytes(rest), 0).ok_or(match (rest.len(), rest.get(6)) {
            // The walk over extension headers came to the end of the frame.
            (..40, _) | (_, Some(0 | 43 | 44 | 51 | 60)) => Unread::Cut,
            _ => Unread::Malformed("IPv6"),
        }),
    }
}
