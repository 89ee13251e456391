//! TCP (RFC 9293, 3.1).
//!
//! | bytes | field |
//! |---|---|
//! | 0..2, 2..4 | source port, destination port |
//! | 4..8, 8..12 | sequence number, acknowledgment number |
//! | 12 | data offset (upper four bits, 32-bit words, at least 5) |
//! | 13 | flags |
//! | 20.. | options |

use super::{Frame, ip::Packet};

/// Flag bits.
pub const FIN: u8 = 0x01;
/// Synchronise.
pub const SYN: u8 = 0x02;
/// Reset.
pub const RST: u8 = 0x04;
/// The acknowledgment number is valid.
pub const ACK: u8 = 0x10;
/// The least length of a header in bytes.
pub const HEADER: usize = 20;
/// The most bytes that options can take.
pub const OPTIONS_LENGTH: usize = 40;

/// Room for all options and for reading the longest option of an MPTCP handshake from any of the first 64 places.
pub type OptionBuffer = [u8; 88];

/// The parts of a TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// Flags: [`SYN`] and the others.
    pub flags: u8,
    /// Offset of the options from the start of the frame.
    pub options: usize,
    /// Length of the options in bytes, 0 to [`OPTIONS_LENGTH`].
    pub options_length: usize,
    /// How many bytes of data follow them, once [`Segment::within`] has looked.
    pub data: u16,
}

impl Segment {
    /// Reads the TCP header at `offset`; `None` if it is cut off or its data offset is below 5.
    #[inline(always)]
    pub fn parse(frame: &impl Frame, offset: usize) -> Option<Self> {
        Self::new(frame.words(offset)?, offset)
    }

    /// The TCP header of these words, which stand at `offset`.
    #[inline(always)]
    pub(super) fn new(words: [u32; 5], offset: usize) -> Option<Self> {
        let [ports, sequence, acknowledgment, control, _] = words;
        let length = (control >> 28) as usize * 4;
        if length < 20 {
            return None;
        }
        Some(Self {
            source_port: (ports >> 16) as u16,
            destination_port: ports as u16,
            sequence,
            acknowledgment,
            flags: (control >> 16) as u8,
            options: offset + 20,
            options_length: length - 20,
            data: 0,
        })
    }

    /// The segment of this packet, whose length says how much data there is; `None` if its header reaches beyond the
    /// packet: hosts drop it, though padding may follow that looks like options.
    #[inline(always)]
    pub fn within(self, packet: &Packet) -> Option<Self> {
        Some(Self { data: packet.bytes_from(self.options + self.options_length)?, ..self })
    }

    /// Whether all of `flags` are set.
    #[inline(always)]
    pub const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}
