//! The classifier over a capture: every MPTCP option other than DSS and the connection it belongs to.
//!
//! `capture` (blocks of a file) -> `link` (IP packet of a frame) -> `segment` (its options, read by the same
//! code as in the packet path) -> `connections` (whose they are) -> `seen` (what is said of them). And [`replay`]: what a
//! switch would do with the frames.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

mod capture;
mod connections;
mod link;
mod replay;
mod seen;
mod segment;
#[cfg(test)]
mod tests;

pub use replay::{Replay, Replayed, replay};
pub use seen::{Phase, Seen, Token};

use capture::{Capture, Captured};
use connections::{Connections, SubflowId};
use segment::Segment;

/// Why there is nothing to decode; the user has to name another file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Neither pcap nor pcapng.
    #[error("{} is not a pcap or pcapng capture; write one with `tcpdump -w FILE`", .0.display())]
    NotACapture(PathBuf),
    /// gzip.
    #[error("{} is compressed; unpack it with gunzip first", .0.display())]
    Compressed(PathBuf),
    /// Nothing in it was captured on a link that smoc can read.
    #[error(
        "{} has link type {number}, which smoc cannot read; it reads Ethernet (1), Linux cooked (113, 276), \
         raw IP (12, 14, 101, 228, 229) and loopback (0, 108)", path.display()
    )]
    LinkType {
        /// The file.
        path: PathBuf,
        /// The link type's number.
        number: u16,
    },
}

/// Where a capture stops making sense; the frames before that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// The system could not read on.
    #[error("reading failed behind frame {frames}")]
    ReadFailed {
        /// How many frames came before.
        frames: u64,
    },
}

/// What a capture holds.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Every MPTCP option other than DSS, in the order of the capture.
    pub options: Vec<Seen>,
    /// How many options were left out because hosts ignore them: a length, version or flag that is not theirs.
    pub ignored: u64,
    /// How many frames the capture cut off within their TCP options.
    pub cut: u64,
    /// How many frames were skipped, by the number of the link type that smoc cannot read.
    pub skipped: BTreeMap<u16, u64>,
    /// Why the capture was not read to its end, if it was not.
    pub damage: Option<Damage>,
}

/// Decodes a capture file, from memory that does not grow with it but with the options that it holds.
///
/// # Errors
/// There is nothing to decode. A file that is cut off or damaged is none of these: see [`Decoded::damage`].
pub fn decode(path: &Path) -> Result<Decoded, Error> {
    let mut reading = Reading::default();
    let damage = Capture::open(path)?.for_each(|captured| reading.take(captured)).err();
    match reading.decoded.skipped.first_key_value() {
        Some((&number, _)) if !reading.has_read => Err(Error::LinkType { path: path.to_owned(), number }),
        _ => Ok(Decoded { damage, ..reading.finish() }),
    }
}

#[derive(Default)]
struct Reading {
    decoded: Decoded,
    connections: Connections,
    /// The subflow of each option in `decoded`.
    subflows: Vec<Option<SubflowId>>,
    has_read: bool,
    buffer: Vec<u8>,
}

impl Reading {
    fn take(&mut self, captured: Captured) {
        let link = match captured.link {
            Ok(link) => link,
            Err(number) => return *self.decoded.skipped.entry(number).or_default() += 1,
        };
        self.has_read = true;
        self.buffer.clear();
        self.buffer.extend_from_slice(captured.bytes);
        let Some(segment) = Segment::read(link, &mut self.buffer) else { return };
        self.decoded.ignored += segment.ignored;
        self.decoded.cut += u64::from(segment.is_cut);
        let subflow = self.connections.see(&segment);
        for option in &segment.options {
            self.decoded.options.push(Seen::new(captured.number, &segment, option));
            self.subflows.push(subflow);
        }
    }

    fn finish(mut self) -> Decoded {
        let connection_of = self.connections.finish();
        for (seen, subflow) in self.decoded.options.iter_mut().zip(self.subflows) {
            seen.connection = subflow.and_then(&connection_of);
        }
        self.decoded
    }
}
