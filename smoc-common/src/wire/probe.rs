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
//! | 54..58 | on the way back: who turned it round, by [`switch_id`]; 0: a program that does not tag |
//! | 58..66 | its tag ([`Probe::tag_with`]); 0: none. Where it turns round the tag of the way out is replaced by the one of the way back |
//! | 66..78 | of a hello: session, port and sequence number of the neighbour's hello that its sender heard last; all 0: of none |
//!
//! What ends at byte 60, as earlier versions send it, has zero in all that follows. Numbers are big endian. A probe whose route is used up turns round: the switch there replaces the route by the
//! one back and says so in the label. A *hello* goes to the neighbour only, over a port whether it is up or not, and
//! tells it what the sender hears of it.

use super::Frame;
use crate::{
    route::{Label, PushedRoute, Route},
    tag::{TagKey, WORDS, tag},
};

/// EtherType of probes.
pub const ETHER_TYPE: u16 = 0x88b6;
/// Bytes of a probe's frame.
pub const LENGTH: usize = 78;

const VERSION: u32 = 1;
/// Where the fields begin.
const FIELDS: usize = 14;
/// Where that begins which earlier versions do not send.
const TAGGED: usize = 54;

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
    /// Who turned it round, by [`switch_id`]; 0 on the way out.
    pub responder: u32,
    /// Of a hello: the neighbour's hello that its sender heard last.
    pub heard: Heard,
    /// What [`Probe::tag_with`] makes of it; 0: nothing.
    pub tag: u64,
}

/// A hello of the neighbour's: whoever names one that was sent just now has heard it just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Heard {
    /// Its [`Probe::session`].
    pub session: u32,
    /// Its [`Probe::subject`].
    pub port: u32,
    /// Its [`Probe::sequence`].
    pub sequence: u32,
}

/// Which way a probe goes. A tag is good for one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To where it turns round.
    Out,
    /// Back to its sender.
    Back,
}

/// A number for the link between two ports, the same from both ends, so that a hello can say which link its sender
/// believes in: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo) over both ends, each `switch:port`, the lesser first. Never 0.
pub fn link_id(ends: [(&str, u16); 2]) -> u32 {
    let [a, b] = if ends[0] <= ends[1] { ends } else { [ends[1], ends[0]] };
    let one =
        |hash, (name, port): (&str, u16)| fnv(hash, name.bytes().chain([b':']).chain(port.to_be_bytes()));
    one(one(OFFSET, a), b).max(1)
}

/// A number for a switch: FNV-1a over its name. Never 0.
pub fn switch_id(name: &str) -> u32 {
    fnv(OFFSET, name.bytes()).max(1)
}

const OFFSET: u32 = 0x811c_9dc5;

fn fnv(hash: u32, bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(hash, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
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
        let [responder, tag_high, tag_low, heard_session, heard_port, heard_sequence] =
            frame.words(TAGGED).unwrap_or_default();
        Some(Self {
            sent_at: u64::from(sent_high) << 32 | u64::from(sent_low),
            back_route: u64::from(route_high) << 32 | u64::from(route_low),
            session,
            subject,
            sequence,
            back_port,
            flags: head & 0xffff,
            link,
            responder,
            heard: Heard { session: heard_session, port: heard_port, sequence: heard_sequence },
            tag: u64::from(tag_high) << 32 | u64::from(tag_low),
        })
    }

    /// Its tag on one of its ways.
    #[inline(always)]
    pub fn tag_with(&self, key: &TagKey, way: Way) -> u64 {
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        let words: [u64; WORDS] = [
            pair(VERSION << 16 | self.flags & 0xffff, self.session),
            pair(self.subject, self.sequence),
            self.sent_at,
            self.back_route,
            pair(self.back_port, self.link),
            pair(self.responder, self.heard.session),
            pair(self.heard.port, self.heard.sequence),
            way as u64,
        ];
        // 0 says that there is none.
        match tag(key, &words) {
            0 => 1,
            tag => tag,
        }
    }

    /// The same with its tag on the way out; without a key as it is.
    pub fn signed(self, key: &TagKey) -> Self {
        let tag = if key.is_none() { 0 } else { self.tag_with(key, Way::Out) };
        Self { tag, ..self }
    }

    /// Whether this key made its tag.
    #[inline(always)]
    pub fn is_signed(&self, key: &TagKey, way: Way) -> bool {
        !key.is_none() && self.tag_with(key, way) == self.tag
    }

    /// Replaces responder and tag in its frame; `None` if the frame is too short.
    #[inline(always)]
    pub fn write_answer(responder: u32, tag: u64, frame: &mut impl Frame) -> Option<()> {
        let halves = |number: u32| [(number >> 16) as u16, number as u16];
        let [a, b] = halves(responder);
        let [[c, d], [e, f]] = [halves((tag >> 32) as u32), halves(tag as u32)];
        frame.write(TAGGED, [a, b, c, d, e, f])
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
            self.responder,
            (self.tag >> 32) as u32,
            self.tag as u32,
            self.heard.session,
            self.heard.port,
            self.heard.sequence,
        ];
        frame[FIELDS..].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
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
            bits in 1u64..1 << 62, link: u32, heard: (u32, u32, u32), tag: u64, responder: u32,
        ) {
            let (subject, back_port) = ports;
            let heard = Heard { session: heard.0, port: heard.1, sequence: heard.2 };
            let probe = Probe {
                sent_at, back_route, session, subject, sequence, back_port, flags, link, heard, tag, responder,
            };
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

    const KEYS: [TagKey; 2] = [TagKey { low: 1, high: 2 }, TagKey { low: 3, high: 4 }];

    #[test]
    fn a_tag_is_of_every_field_and_of_one_way() {
        let probe =
            Probe { session: 1, subject: 2, sequence: 3, sent_at: 4, back_route: 5, ..Probe::default() };
        let probe = Probe { heard: Heard { session: 7, port: 8, sequence: 9 }, ..probe }.signed(&KEYS[0]);
        assert!(probe.is_signed(&KEYS[0], Way::Out) && !probe.is_signed(&KEYS[0], Way::Back));
        assert!(!probe.is_signed(&KEYS[1], Way::Out) && !probe.is_signed(&TagKey::NONE, Way::Out));
        let mut frame = probe.frame(Route::END);
        for at in FIELDS + 2..LENGTH {
            frame[at] ^= 0x10;
            let changed = Probe::parse(&Bytes(&mut frame)).unwrap();
            assert!(!changed.is_signed(&KEYS[0], Way::Out), "byte {at}");
            frame[at] ^= 0x10;
        }
        assert_eq!(probe.signed(&TagKey::NONE).tag, 0);
    }

    #[test]
    fn what_earlier_versions_send_has_no_tag() {
        let probe = Probe { session: 1, link: 3, ..Probe::default() };
        let tagged = Probe { heard: Heard { session: 1, port: 2, sequence: 3 }, ..probe }.signed(&KEYS[0]);
        let mut frame = tagged.frame(Route::END);
        assert_eq!(Probe::parse(&Bytes(&mut frame[..60])), Some(probe));
    }

    #[test]
    fn another_version_or_a_short_frame_is_no_probe() {
        let mut frame = Probe::default().frame(Route::END);
        assert_eq!(Probe::parse(&Bytes(&mut frame[..53])), None);
        frame[15] = 2;
        assert_eq!(Probe::parse(&Bytes(&mut frame)), None);
    }
}
