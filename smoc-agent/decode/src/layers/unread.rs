//! Why a frame could not be read to its end.

use std::fmt;

use serde::{Serialize, Serializer};

/// Why no TCP segment was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// The frame was read to its end: what it carries is no TCP.
    NoTcp,
    /// TCP may be there, but cannot be reached.
    Unread(Unread),
}

impl From<Unread> for Passed {
    fn from(unread: Unread) -> Self {
        Self::Unread(unread)
    }
}

/// A reason that frames are counted by. All are about the frame; none is about MPTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unread {
    /// The interface captures something that smoc cannot read: the link type's number.
    LinkType(u16),
    /// An EtherType that smoc does not know.
    EtherType(u16),
    /// A service access point of LLC, or an organization's protocol behind SNAP, that smoc does not know.
    Llc(u64),
    /// A protocol of PPP that smoc does not know.
    PppProtocol(u16),
    /// A protocol over IP that smoc does not know.
    IpProtocol(u8),
    /// More IPv6 extension headers than are followed.
    Extensions,
    /// More headers around each other than are followed.
    Nested,
    /// The payload cannot be read without keys: by whom it is encrypted.
    Encrypted(&'static str),
    /// A known way to carry packets that smoc does not follow.
    Unsupported(&'static str),
    /// The header does not say what follows, and nothing that fits was recognised: behind which header.
    Unrecognised(&'static str),
    /// The header contradicts its specification: which one.
    Malformed(&'static str),
    /// The frame ends within a header.
    Cut,
    /// Not the first fragment of a packet: the headers are in the first one.
    LaterFragment,
    /// The first fragment of a packet ends within the TCP header.
    ShortFragment,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::LinkType(number) => write!(f, "link type {number}, which smoc cannot read"),
            Self::EtherType(number) => write!(f, "EtherType 0x{number:04x}, which smoc does not know"),
            Self::Llc(number) => write!(f, "LLC protocol 0x{number:x}, which smoc does not know"),
            Self::PppProtocol(number) => write!(f, "PPP protocol 0x{number:04x}, which smoc does not know"),
            Self::IpProtocol(number) => write!(f, "IP protocol {number}, which smoc does not know"),
            Self::Extensions => f.write_str("more IPv6 extension headers than smoc follows"),
            Self::Nested => f.write_str("more tags and tunnels than smoc follows"),
            Self::Encrypted(by) => write!(f, "encrypted ({by})"),
            Self::Unsupported(what) => write!(f, "{what}: smoc does not look into it"),
            Self::Unrecognised(behind) => write!(f, "nothing that smoc recognises behind {behind}"),
            Self::Malformed(header) => write!(f, "the {header} header is malformed"),
            Self::Cut => f.write_str("the frame ends within a header: capture with a larger -s"),
            Self::LaterFragment => f.write_str("a later fragment: the headers are in the first one"),
            Self::ShortFragment => {
                f.write_str("a first fragment ends within the TCP header; fragments are not reassembled")
            }
        }
    }
}

impl Serialize for Unread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
