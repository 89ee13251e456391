//! `HALF_OPEN` and `OPENINGS`: subflows in their handshake, and how many of them a CPU takes note of.

use super::{
    PORT_ENTRIES,
    hosts::Attachment,
    subflows::{Flow, Traffic},
};
use crate::wire::ethernet::MacAddress;

/// A subflow in its handshake. Kept apart from [`Flow`]s, so that a flood of SYNs evicts nothing in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct HalfOpen {
    /// What becomes of it when the handshake is complete.
    pub flow: Flow,
    /// When the last SYN was seen, nanoseconds of CLOCK_MONOTONIC.
    pub syn_seen: u64,
    /// When the first SYN/ACK was seen, likewise; 0 before.
    pub answered: u64,
    /// The initial sequence number of the SYN.
    pub isn: u32,
    /// The sequence number of the first SYN/ACK.
    pub responder_isn: u32,
    /// The token of the key in the initiator's SYN (RFC 6824), or in its third ACK once that has come.
    pub initiator_token: u32,
    /// The tokens of the keys in the first and in the last SYN/ACK, 0 for a join: with SYN cookies each has a key of its
    /// own, and either can be the one that the initiator heard.
    pub responder_tokens: [u32; 2],
    /// [`HalfOpen::ANSWERED`] and the bits beside it; changed as a whole word, atomically.
    pub progress: u32,
    /// How many bytes of data the SYN carried (RFC 7413): the handshake goes on behind none or all of them.
    pub data: u16,
    /// The MPTCP version of the SYN.
    pub version: u8,
    /// [`HalfOpen::LEFT_OUT`] or [`HalfOpen::PLAIN`], else 0.
    pub left_out: u8,
    /// 1 when the SYN took another path than its own, because that is down or did not answer: it stays there.
    pub moved: u8,
    /// The rank on which the SYN went that the first SYN/ACK answers.
    pub asked: u8,
    /// 1 when something about the handshake makes its time none of its path's: a SYN/ACK came again, or left its path.
    pub untimed: u8,
    #[doc(hidden)]
    pub reserved: u8,
}

impl HalfOpen {
    /// A SYN/ACK has answered the SYN in kind.
    pub const ANSWERED: u32 = 1;
    /// A third ACK has completed the handshake.
    pub const COMPLETE: u32 = 2;

    /// The SYN came again without its MPTCP option.
    pub const LEFT_OUT: u8 = 1;
    /// The SYN is of no MPTCP, on the 4-tuple of an established subflow.
    pub const PLAIN: u8 = 2;

    /// Nothing known yet; what `default` gives, as a constant.
    pub const EMPTY: Self = Self {
        flow: Flow {
            connection: 0,
            opened: 0,
            sent: Traffic { packets: 0, bytes: 0 },
            received: Traffic { packets: 0, bytes: 0 },
            token: 0,
            epoch: 0,
            remote: Attachment { edge: 0, port: 0 },
            closing: 0,
            sent_sequence: 0,
            received_sequence: 0,
            sent_acknowledgment: 0,
            received_acknowledgment: 0,
            local_switch_port: 0,
            vlan: 0,
            rank: 0,
            flags: 0,
            address_id: 0,
            touched: 0,
            peer_mac: MacAddress::new([0; 6]),
            local_mac: MacAddress::new([0; 6]),
        },
        syn_seen: 0,
        answered: 0,
        isn: 0,
        responder_isn: 0,
        initiator_token: 0,
        responder_tokens: [0; 2],
        progress: 0,
        data: 0,
        version: 0,
        left_out: 0,
        moved: 0,
        asked: 0,
        untimed: 0,
        reserved: 0,
    };
}

/// The place in `OPENINGS` of subflows of which a host is not known, whichever port they come in by.
pub const STRANGERS: u16 = PORT_ENTRIES as u16;

/// How many subflows one CPU has taken note of since a moment: of all ports, or of one port's hosts those whose handshake is
/// not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Openings {
    /// The moment, nanoseconds of CLOCK_MONOTONIC.
    pub since: u64,
    /// How many.
    pub count: u64,
}
