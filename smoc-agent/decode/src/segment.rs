//! A TCP segment as far as MPTCP is concerned.

use std::net::{IpAddr, SocketAddr};

use smoc_common::wire::{
    Bytes, Frame as _,
    ip::{Address, Family, Packet},
    mptcp::{self, Carrier, KIND, subtype},
    tcp,
};

use super::{
    ignored::Reason,
    layers::{self, LinkType, Passed, Trail, Unread},
    option::{MptcpOption, canonical},
};

/// A TCP segment and the MPTCP options that hosts would take from it.
#[derive(Debug)]
pub struct Segment {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// What is around its IP packet.
    pub encapsulation: Trail,
    /// Ports, sequence numbers and flags.
    pub tcp: tcp::Segment,
    /// Its MPTCP options other than DSS, in their order.
    pub options: Vec<MptcpOption>,
    /// Subtypes of the other ones, which hosts ignore, and why.
    pub ignored: Vec<(u8, Reason)>,
    /// Whether the capture ends within the TCP options.
    pub is_cut: bool,
}

impl Segment {
    /// Reads the TCP segment in a captured frame, of which these bytes may be all. A first fragment counts, for the whole
    /// TCP header is in it; later ones do not.
    ///
    /// # Errors
    /// There is none, none that a host would accept, or it cannot be reached.
    pub fn read(link: LinkType, bytes: &mut [u8], is_whole: bool) -> Result<Self, Passed> {
        let layers::Found { start, packet, end, is_fragment, trail } = layers::find(link, bytes, is_whole)?;
        let frame = Bytes(&mut bytes[start..]);
        let captured = frame.0.len();
        let too_short = if is_fragment { Unread::ShortFragment } else { Unread::Malformed("TCP") };
        if packet.payload + tcp::HEADER > end {
            return Err(too_short.into());
        }
        if packet.payload + tcp::HEADER > captured {
            return Err(Unread::Cut.into());
        }
        let tcp = tcp::Segment::parse(&frame, packet.payload).ok_or(Unread::Malformed("TCP"))?;
        let tcp = tcp.within(&Packet { end, ..packet }).ok_or(too_short)?;
        let options_end = tcp.options + tcp.options_length;
        let address = |address: Address| match packet.family {
            Family::V4 => canonical(address),
            Family::V6 => IpAddr::from(address.octets()),
        };
        let mut segment = Self {
            source: SocketAddr::new(address(packet.source), tcp.source_port),
            destination: SocketAddr::new(address(packet.destination), tcp.destination_port),
            encapsulation: trail,
            tcp,
            options: Vec::new(),
            ignored: Vec::new(),
            is_cut: captured < options_end,
        };
        segment.read_options(&frame, captured.min(options_end) - tcp.options);
        Ok(segment)
    }

    fn read_options(&mut self, frame: &Bytes, length: usize) {
        let mut room = [0; _];
        let Some(options) = frame.options(self.tcp.options, length, &mut room) else { return };
        let mut at = 0;
        while let Some(place) = mptcp::next::<Bytes<'_>>(options, at, length) {
            at = place.at + place.length;
            let Some(option) = mptcp::window(options, place) else { return };
            match MptcpOption::read(option, place.length, &self.tcp) {
                Some(option) => self.options.push(option),
                None => self.ignored.extend(
                    Reason::of(option, place.length, self.tcp.flags).map(|reason| (option[2] >> 4, reason)),
                ),
            }
        }
        if !self.is_cut {
            self.ignored.extend(unfinished(options, length).map(|subtype| (subtype, Reason::Beyond)));
        }
    }

    /// Whether this opens a TCP connection.
    pub fn is_syn(&self) -> bool {
        self.tcp.flags & (tcp::SYN | tcp::ACK) == tcp::SYN
    }

    /// Whether this answers a SYN.
    pub fn is_syn_ack(&self) -> bool {
        self.tcp.has(tcp::SYN | tcp::ACK)
    }
}

/// The subtype of the MPTCP option other than DSS at which the walk over the options ends because its length cannot
/// be right.
fn unfinished(options: &tcp::OptionBuffer, length: usize) -> Option<u8> {
    let mut at = 0;
    loop {
        match mptcp::step(options, at as u32, length as u32, Carrier::NONE) & 0xff {
            0 => break,
            size => at += size as usize,
        }
    }
    let left = options.get(at..length)?;
    let subtype = left.get(2).map_or(u8::MAX, |byte| byte >> 4);
    (left.first() == Some(&KIND) && subtype != subtype::DSS).then_some(subtype)
}
