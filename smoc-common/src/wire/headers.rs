//! All headers of a frame at once.

use super::{
    Frame, ethernet,
    ip::{self, Packet},
    tcp::Segment,
};

/// The headers of an IP packet in an Ethernet frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Ethernet.
    pub ethernet: ethernet::Header,
    /// IP, extension headers included.
    pub packet: Packet,
    /// Whether `segment` is there: TCP, no fragment, and a header that the packet has room for.
    pub is_tcp: bool,
    /// TCP; else the ports of UDP or 0, and otherwise nothing of meaning.
    pub segment: Segment,
}

impl Headers {
    /// Reads all headers; false if one is cut off or malformed.
    #[inline(always)]
    pub fn read(&mut self, frame: &impl Frame) -> bool {
        let Some(ethernet) = ethernet::Header::parse(frame) else { return false };
        let Some(packet) = Packet::parse(frame, &ethernet) else { return false };
        (self.ethernet, self.packet) = (ethernet, packet);
        self.is_tcp = packet.protocol == ip::TCP && !packet.is_fragment;
        if self.is_tcp {
            let Some(segment) = Segment::parse(frame, packet.payload) else { return false };
            if let Some(segment) = segment.within(&packet) {
                self.segment = segment;
                return true;
            }
            self.is_tcp = false;
        }
        (self.segment.source_port, self.segment.destination_port) = (0, 0);
        if packet.protocol == ip::UDP
            && !packet.is_fragment
            && let Some([source, destination]) = frame.halves(packet.payload)
        {
            self.segment.source_port = source;
            self.segment.destination_port = destination;
        }
        true
    }

    /// The headers of the commonest frame: TCP right behind an IP header without options or extensions, which
    /// no tag precedes. `None` for every other, which [`Headers::read`] can read.
    #[inline(always)]
    pub fn of_plain_tcp(frame: &impl Frame) -> Option<Self> {
        let ethernet = ethernet::Header::untagged(frame)?;
        match ethernet.ether_type {
            ethernet::IPV4 => {
                let [i0, i1, i2, i3, i4, t0, t1, t2, t3, t4] = frame.untagged()?;
                let packet = Packet::v4([i0, i1, i2, i3, i4], ethernet::UNTAGGED)?;
                let segment = Segment::new([t0, t1, t2, t3, t4], ethernet::UNTAGGED + 20)?;
                Self::if_plain(ethernet, packet, segment)
            }
            ethernet::IPV6 => {
                let [i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, t0, t1, t2, t3, t4] = frame.untagged()?;
                let packet = Packet::v6([i0, i1, i2, i3, i4, i5, i6, i7, i8, i9], ethernet::UNTAGGED)?;
                let segment = Segment::new([t0, t1, t2, t3, t4], ethernet::UNTAGGED + 40)?;
                Self::if_plain(ethernet, packet, segment)
            }
            _ => None,
        }
    }

    /// Headers where TCP does stand right behind the IP header.
    #[inline(always)]
    fn if_plain(ethernet: ethernet::Header, packet: Packet, segment: Segment) -> Option<Self> {
        if packet.protocol != ip::TCP || packet.is_fragment || packet.payload + 20 != segment.options {
            return None;
        }
        Some(Self { ethernet, packet, is_tcp: true, segment: segment.within(&packet)? })
    }
}
