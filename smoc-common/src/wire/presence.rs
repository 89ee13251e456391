//! Frames by which a switch finds out whether another one is at the other end of a cable, or at another end of what hosts have
//! joined, also while agents there are dead: programs answer them and keep them off bridges.
//!
//! | bytes | field |
//! |---|---|
//! | 0..6 | destination: [`LINK`], or of a loop probe on its way [`FORWARDED`] |
//! | 6..12 | source: the port's MAC address |
//! | 12..14 | EtherType 0x88b6: local experimental (IEEE 802, 9.2.3) |
//! | 14..16 | version, 1 |
//! | 16..18 | [`QUESTION`], [`ANSWER`] or [`LOOP`] |
//! | 18.. | of a question, and so of its answer: 4 bytes of the sender's, by which it knows its own; of a loop probe: what agents say |
//!
//! Numbers are big endian. Whatever the role of the port that a question comes in by, the program there makes the answer of it
//! and sends it back. No bridge forwards [`LINK`]. All others forward [`FORWARDED`]; a smoc switch does not: its program makes
//! [`LINK`] of it, so that the frame ends at the agent.

/// EtherType of these frames, as of probes, which have a route where these have a group.
pub const ETHER_TYPE: u16 = 0x88b6;
/// The group address of the nearest bridge, which no bridge forwards (IEEE 802.1Q, 8.6.3).
pub const LINK: [u8; 6] = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e];
/// A group address that bridges forward: smoc's prefix as a group.
pub const FORWARDED: [u8; 6] = [0x03, 0x53, 0x4d, 0x00, 0x00, 0x01];
/// Asks whether a switch is here.
pub const QUESTION: u16 = 1;
/// One is.
pub const ANSWER: u16 = 2;
/// A loop probe: who has sent it, and where.
pub const LOOP: u16 = 3;
/// The version of what is behind the EtherType.
pub const VERSION: u16 = 1;
/// Where it says which of them it is.
pub const KIND: usize = 16;
