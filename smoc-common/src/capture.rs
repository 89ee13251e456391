//! What the capturing programs and the agent agree on: which frames are captured, and what is said of each.
//!
//! | map | holds | written by | read by |
//! |---|---|---|---|
//! | `CAPTURE_FILTER` | [`Filter`] (array, 1) | agent, before the programs are attached | `smoc_capture` |
//! | `CAPTURED` | [`Captured`] and the frame (per-CPU array, 1) | programs | `smoc_capture` |
//! | `CAPTURES` | [`Captured`] and the frame (ring buffer) | `smoc_capture`, which wakes nobody | agent |
//! | `CAPTURE_LOSSES` | frames that found no room in the ring (u64, per-CPU array, 1) | `smoc_capture` | agent |
//! | `CAPTURE` | `smoc_capture` (program array, 1) | agent | programs, by tail call; a miss means that nothing is captured |
//!
//! They are there while a capture runs, and only in the object of capturing programs.

use crate::{
    event::Outcome,
    map::Plain,
    wire::{headers::Headers, ip::Address},
};

/// The most bytes that are kept of a frame. A power of two less one, so that the verifier sees the limit as a mask.
pub const MAX_SNAPLEN: u32 = 0x3fff;
/// Bytes in the `CAPTURES` ring buffer unless the agent asks for another number.
pub const CAPTURE_BYTES: u32 = 8 * 1024 * 1024;
/// How many addresses, and how many ports, the program compares a frame with.
pub const MAX_TERMS: usize = 4;

/// Which frames the program keeps. What it does not know (paths, tokens, connections) the agent looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Filter {
    /// One of so many frames is kept; 0 and 1 mean all.
    pub sample: u32,
    /// So many bytes are kept of each, [`MAX_SNAPLEN`] at most.
    pub snaplen: u32,
    /// A bit for each [`Outcome`] whose frames are kept, by [`Outcome::counter`].
    pub outcomes: u32,
    /// How many of `hosts` count; 0 means that any address will do.
    pub host_count: u32,
    /// Sender or receiver is one of these.
    pub hosts: [Address; MAX_TERMS],
    /// How many of `transport_ports` count; 0 means that any port will do.
    pub transport_port_count: u32,
    /// The TCP or UDP port of sender or receiver is one of these; 0 beyond those that count.
    pub transport_ports: [u16; MAX_TERMS],
    #[doc(hidden)]
    pub reserved: u32,
}

impl Plain for Filter {}
const _: () = assert!(size_of::<Filter>() == 96);
const _: () = assert!(Outcome::ALL.len() < 32);

impl Filter {
    /// Every frame, whole.
    pub const ALL: Self = Self {
        sample: 1,
        snaplen: MAX_SNAPLEN,
        outcomes: u32::MAX,
        host_count: 0,
        hosts: [Address::from_numbers([0; 2]); MAX_TERMS],
        transport_port_count: 0,
        transport_ports: [0; MAX_TERMS],
        reserved: 0,
    };

    /// Whether frames that end so are kept.
    #[inline(always)]
    pub fn wants(&self, outcome: u32) -> bool {
        self.outcomes >> (outcome & 31) & 1 != 0
    }

    /// Whether it depends on a frame's headers.
    #[inline(always)]
    pub fn looks_at_headers(&self) -> bool {
        self.host_count | self.transport_port_count != 0
    }

    /// Whether a frame with these headers is kept.
    #[inline(always)]
    pub fn matches(&self, headers: &Headers) -> bool {
        let (packet, segment) = (&headers.packet, &headers.segment);
        let (mut host, mut port) = (self.host_count == 0, self.transport_port_count == 0);
        let mut term = 0;
        while term < MAX_TERMS {
            let is_meant = self.host_count > term as u32;
            host |= is_meant && (self.hosts[term] == packet.source || self.hosts[term] == packet.destination);
            let wanted = self.transport_ports[term];
            port |= wanted != 0 && (wanted == segment.source_port || wanted == segment.destination_port);
            term += 1;
        }
        host && port
    }
}

/// What is said of a captured frame; its bytes follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Captured {
    /// When, in nanoseconds of CLOCK_MONOTONIC.
    pub at: u64,
    /// The Ethernet addresses with which it came in, as three big-endian numbers.
    pub came_with: [u32; 3],
    /// The index of the interface that it came in by.
    pub interface: u32,
    /// [`Outcome::counter`] of what became of it.
    pub outcome: u32,
    /// The port that it leaves through, 0 if it does not.
    pub port: u32,
    /// How long it is.
    pub length: u32,
    /// How many bytes of it follow.
    pub kept: u32,
    /// How many frames this CPU has lost since the one before, because the ring was full.
    pub lost: u32,
    /// The XDP action that `smoc_capture` returns.
    pub action: u32,
}

impl Plain for Captured {}
const _: () = assert!(size_of::<Captured>() == 48);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ip::Packet;

    fn headers(source: u8, source_port: u16, destination: u8, destination_port: u16) -> Headers {
        let address = |last| Address::from_v4([10, 0, 0, last]);
        let mut headers = Headers {
            packet: Packet {
                source: address(source),
                destination: address(destination),
                ..Packet::default()
            },
            ..Headers::default()
        };
        (headers.segment.source_port, headers.segment.destination_port) = (source_port, destination_port);
        headers
    }

    #[test]
    fn a_frame_matches_if_one_of_the_hosts_and_one_of_the_ports_is_at_either_end() {
        let mut filter = Filter::ALL;
        assert!(!filter.looks_at_headers() && filter.matches(&headers(1, 0, 2, 0)));
        filter.hosts[..2].copy_from_slice(&[1, 2].map(|last| Address::from_v4([10, 0, 0, last])));
        filter.host_count = 2;
        (filter.transport_ports[0], filter.transport_port_count) = (80, 1);
        assert!(filter.looks_at_headers());
        for (frame, is_wanted) in [
            ((1, 4000, 9, 80), true),
            ((9, 80, 2, 4000), true),
            ((1, 4000, 9, 81), false),
            ((8, 4000, 9, 80), false),
            ((1, 0, 9, 0), false),
        ] {
            let (source, source_port, destination, destination_port) = frame;
            let headers = headers(source, source_port, destination, destination_port);
            assert_eq!(filter.matches(&headers), is_wanted, "{frame:?}");
        }
    }

    #[test]
    fn an_address_beyond_those_that_count_matches_nothing() {
        let filter = Filter { host_count: 1, ..Filter::ALL };
        assert!(!filter.matches(&headers(1, 0, 2, 0)), "the one that counts is ::");
    }

    #[test]
    fn each_outcome_has_a_bit_of_its_own() {
        let only = Filter { outcomes: 1 << Outcome::Plain.counter(), ..Filter::ALL };
        let wanted = Outcome::ALL.iter().filter(|outcome| only.wants(outcome.counter()));
        assert!(wanted.eq(&[Outcome::Plain]));
    }
}
