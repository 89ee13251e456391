//! Probes: frames that a switch sends along a path and that come back by themselves.
//!
//! | bytes | field |
//! |---|---|
//! | 0..12 | a pushed route whose label says probe, and on the way back returning |
//! | 12..14 | EtherType 0x88b6: local experimental (IEEE 802, 9.2.3) |
//! | 14..16 | version, 1 |
//! | 16..18 | flags: [`Probe::HELLO`] and the bits beside it |
//! | 18..22 | session: the sender's own mark, so that it knows its probes |
//! | 22..26 | what is probed: a number of the sender's |
//! | 26..30 | sequence number |
//! | 30..38 | when it was sent, nanoseconds of the sender's CLOCK_MONOTONIC |
//! | 38..46 | the route back |
//! | 46..50 | the port through which the switch at the turning point sends it back |
//! | 50..54 | of a hello: the link that its sender believes in, as [`link_id`] names it; 0: not told |
//! | 54..60 | zero, up to Ethernet's least length |
//!
//! Numbers are big endian. A probe whose route is used up turns round: the switch there replaces the route by the
//! one back and says so in the label. A *hello* goes to the neighbour only, over a port whether it is up or not, and
//! tells it what the sender hears of it.

use super::Frame;
use crate::route::{Label, PushedRoute, Route};

/// EtherType of probes.
pub const ETHER_TYPE: u16 = 0x88b6;
/// Bytes of a probe's frame.
pub const LENGTH: usize = 60;

const VERSION: u32 = 1;
/// Where the fields begin.
const FIELDS: usize = 14;

/// What a probe carries behind its route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Probe {
    /// When it was sent, nanoseconds of the sender's CLOCK_MONOTONIC.
    pub sent_at: u64,
    /// [`Route::bits`] of the route back.
    pub back_route: u64,
    /// The sender's own mark.
    pub session: u32,
    /// What is probed: a number of the sender's, for a hello the number of its port.
    pub subject: u32,
    /// Counts the probes of one subject.
    pub sequence: u32,
    /// The port through which the switch at the turning point sends it back.
    pub back_port: u32,
    /// [`Probe::HELLO`] and the bits beside it.
    pub flags: u32,
    /// Of a hello: the link that its sender believes in, by [`link_id`]; 0 if it does not tell.
    pub link: u32,
}

/// A number for the link between two ports, the same from both ends, so that a hello can say which link its sender
/// believes in: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo) over both ends, each `switch:port`, the lesser first. Never 0.
pub fn link_id(ends: [(&str, u16); 2]) -> u32 {
    let [a, b] = if ends[0] <= ends[1] { ends } else { [ends[1], ends[0]] };
    let mut hash = 0x811c_9dc5_u32;
    for (name, port) in [a, b] {
        for byte in name.bytes().chain([b':']).chain(port.to_be_bytes()) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash.max(1)
}

impl Probe {
    /// For the neighbour behind a port.
    pub const HELLO: u32 = 1;
    /// The sender of a hello hears its neighbour.
    pub const HEARS: u32 = 2;

    /// Reads what lies behind the addresses; `None` if that is no probe of this version.
    #[inline(always)]
    pub fn parse(frame: &impl Frame) -> Option<Self> {
        let (_, ether_type) = frame.ethernet()?;
        let [head, session, subject, sequence] = frame.words(FIELDS)?;
        let [sent_high, sent_low, route_high, route_low, back_port, link] = frame.words(FIELDS + 16)?;
        if ether_type != ETHER_TYPE || head >> 16 != VERSION {
            return None;
        }
        Some(Self {
            sent_at: u64::from(sent_high) << 32 | u64::from(sent_low),
            back_route: u64::from(route_high) << 32 | u64::from(route_low),
            session,
            subject,
            sequence,
            back_port,
            flags: head & 0xffff,
            link,
        })
    }

    /// The frame of a probe that leaves with this route.
    pub fn frame(&self, route: Route) -> [u8; LENGTH] {
        let mut frame = [0; LENGTH];
        let addresses = PushedRoute { label: Label::OUTBOUND_PROBE, route }.words();
        frame[..12].copy_from_slice(addresses.map(u32::to_be_bytes).as_flattened());
        frame[12..14].copy_from_slice(&ETHER_TYPE.to_be_bytes());
        let words = [
            VERSION << 16 | self.flags & 0xffff,
            self.session,
            self.subject,
            self.sequence,
            (self.sent_at >> 32) as u32,
            self.sent_at as u32,
            (self.back_route >> 32) as u32,
            self.back_route as u32,
            self.back_port,
            self.link,
        ];
        frame[FIELDS..FIELDS + 40].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
        frame
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Bytes;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            sent_at: u64, back_route: u64, session: u32, sequence: u32, ports: (u32, u32), flags in 0u32..4,
            bits in 1u64..1 << 62, link: u32,
        ) {
            let (subject, back_port) = ports;
            let probe = Probe { sent_at, back_route, session, subject, sequence, back_port, flags, link };
            let route = Route::from_bits(bits);
            let mut frame = probe.frame(route);
            prop_assert_eq!(Probe::parse(&Bytes(&mut frame)), Some(probe));
            let pushed = PushedRoute::parse(Bytes(&mut frame).ethernet().unwrap().0).unwrap();
            prop_assert_eq!(pushed, PushedRoute { label: Label::OUTBOUND_PROBE, route });
        }
    }

    #[test]
    fn a_link_has_the_same_number_from_both_ends_and_another_link_has_another() {
        let id = link_id([("e1", 1), ("m1", 2)]);
        assert_eq!(id, link_id([("m1", 2), ("e1", 1)]));
        assert!(id != link_id([("e1", 2), ("m1", 1)]) && id != link_id([("e1", 1), ("m2", 2)]));
    }

    #[test]
    fn another_version_or_a_short_frame_is_no_probe() {
        let mut frame = Probe::default().frame(Route::END);
        assert_eq!(Probe::parse(&Bytes(&mut frame[..53])), None);
        frame[15] = 2;
        assert_eq!(Probe::parse(&Bytes(&mut frame)), None);
    }
}
