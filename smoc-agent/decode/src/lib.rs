//! The classifier over a capture: every MPTCP option other than DSS and the connection it belongs to.
//!
//! `capture` (blocks of a file) -> `layers` (the TCP segment in a frame, through tags and tunnels) -> `segment` and
//! `option` (its options, read by the same code as in the packet path; `ignored`: those that hosts do not take) ->
//! `connections` (whose they are) -> `seen` (what is said of them). `counts` says what became of every frame. And [`replay`]: what a
//! switch would do with the frames. The other way round, `write` puts captures together, without `keys`.

use std::io::{self, Read};

mod capture;
mod connections;
mod counts;
mod ignored;
mod keys;
mod layers;
mod option;
mod replay;
mod seen;
mod segment;
#[cfg(test)]
mod tests;
pub mod write;

pub use counts::Counts;
pub use ignored::Reason;
pub use keys::blank_keys;
pub use layers::{Trail, Unread};
pub use replay::{Replay, Replayed, replay};
pub use seen::{Details, Flags, IgnoredOption, Phase, Place, Seen, Token};

use capture::{Capture, Captured};
use connections::{Connections, SubflowId};
use option::MptcpOption;
use segment::Segment;

/// Why there is nothing to decode; the user has to name another file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not even the beginning can be read.
    #[error("cannot be read")]
    Unreadable(#[source] io::Error),
    /// Neither pcap nor pcapng.
    #[error("this is not a pcap or pcapng capture; write one with `tcpdump -w FILE`")]
    NotACapture,
    /// Nothing in it was captured on a link that smoc can read.
    #[error("link type {number}, which smoc cannot read; it reads {}", layers::READABLE)]
    LinkType {
        /// The link type's number.
        number: u16,
    },
}

/// Where a capture stops making sense; the frames before that are decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file ends within a block.
    #[error("the file is cut off behind frame {frames}")]
    EndsWithin {
        /// How many frames came before.
        frames: u64,
    },
    /// What follows is no block.
    #[error("the file is damaged behind frame {frames}")]
    NoBlock {
        /// How many frames came before.
        frames: u64,
    },
    /// A frame of an interface that the file does not describe.
    #[error(
        "the file is damaged: the frame behind frame {frames} is of an interface that it does not describe"
    )]
    NoInterface {
        /// How many frames came before.
        frames: u64,
    },
    /// It could not be read on, or not be decompressed.
    #[error("reading failed behind frame {frames}: {reason}")]
    ReadFailed {
        /// How many frames came before.
        frames: u64,
        /// What the system or the decompression says.
        reason: String,
    },
}

/// What a capture holds.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Every MPTCP option other than DSS, in the order of the capture.
    pub options: Vec<Seen>,
    /// Those that are not among them because hosts ignore them: a length, version or flag that is not theirs.
    pub ignored: Vec<IgnoredOption>,
    /// What became of every frame.
    pub counts: Counts,
    /// How many MP_CAPABLE connections there are.
    pub connections: usize,
    /// Why the capture was not read to its end, if it was not.
    pub damage: Option<Damage>,
}

/// Decodes a pcap or pcapng file, from memory that does not grow with it but with the options that it holds.
///
/// # Errors
/// There is nothing to decode. A file that is cut off or damaged is none of these: see [`Decoded::damage`].
pub fn decode(file: impl Read) -> Result<Decoded, Error> {
    let mut reading = Reading::default();
    let damage = Capture::open(file)?.for_each(|captured| reading.take(captured)).err();
    match reading.unknown_link {
        Some(number) if !reading.has_read => Err(Error::LinkType { number }),
        _ => Ok(Decoded { damage, ..reading.finish() }),
    }
}

#[derive(Default)]
struct Reading {
    decoded: Decoded,
    connections: Connections,
    /// For each option in `decoded`, its subflow, and the tokens of the key that it may carry (MP_FASTCLOSE).
    subflows: Vec<(Option<SubflowId>, Option<[u32; 2]>)>,
    has_read: bool,
    unknown_link: Option<u16>,
    buffer: Vec<u8>,
}

impl Reading {
    fn take(&mut self, captured: Captured) {
        let counts = &mut self.decoded.counts;
        counts.frames += 1;
        let link = match captured.link {
            Ok(link) => link,
            Err(number) => {
                self.unknown_link.get_or_insert(number);
                return counts.pass(Unread::LinkType(number).into());
            }
        };
        self.has_read = true;
        self.buffer.clear();
        self.buffer.extend_from_slice(captured.bytes);
        match Segment::read(link, &mut self.buffer, captured.is_whole) {
            Err(passed) => counts.pass(passed),
            Ok(segment) => self.see(captured.number, &segment),
        }
    }

    fn see(&mut self, frame: u64, segment: &Segment) {
        let decoded = &mut self.decoded;
        decoded.counts.segment(&segment.encapsulation, segment.is_cut);
        decoded
            .ignored
            .extend(segment.ignored.iter().map(|ignored| IgnoredOption::new(frame, segment, ignored)));
        let subflow = self.connections.see(segment);
        for option in &segment.options {
            decoded.options.push(Seen::new(frame, segment, option));
            let tokens = match option {
                MptcpOption::FastClose { receiver_tokens } => Some(*receiver_tokens),
                _ => None,
            };
            self.subflows.push((subflow, tokens));
        }
    }

    fn finish(mut self) -> Decoded {
        let connections = self.connections.finish();
        for (seen, (subflow, tokens)) in self.decoded.options.iter_mut().zip(self.subflows) {
            let connection = subflow.and_then(|subflow| connections.of(subflow));
            seen.connection = connection;
            let version = connection.and_then(|connection| connections.version(connection));
            seen.details.receiver_token = match (tokens, version) {
                (Some(tokens), Some(version)) => Some(Token(tokens[version as usize])),
                _ => seen.details.receiver_token,
            };
        }
        self.decoded.connections = connections.count();
        self.decoded
    }
}
