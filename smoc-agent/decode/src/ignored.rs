//! MPTCP options that hosts ignore, and why.

use std::fmt;

use serde::{Serialize, Serializer};
use smoc_common::wire::{
    mptcp::{Capable, WINDOW, subtype},
    tcp,
};

/// Why hosts ignore an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It reaches beyond the TCP header, or its length is below 2.
    Beyond,
    /// Not a length that the subtype has in such a segment: the length, and the segment.
    Length(usize, Kind),
    /// MP_CAPABLE of a version that is neither 0 nor 1, and no SYN, which may ask for a later one.
    Version(u8),
    /// MP_CAPABLE without the flag H: no algorithm in common.
    NoAlgorithm,
    /// MP_CAPABLE of version 1 with one of the flags D to G: algorithms that do not exist.
    OtherAlgorithm,
    /// MP_CAPABLE with the flag B, which asks for an extension that does not exist.
    Extension,
    /// MP_TCPRST in a segment that is no reset.
    NoReset,
    /// A subtype that no RFC defines.
    Subtype(u8),
    /// Everything about the option itself is right.
    Segment(Kind),
}

/// What kind of segment it is for a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SYN.
    Syn,
    /// SYN/ACK.
    SynAck,
    /// ACK without SYN.
    Ack,
    /// Neither.
    Neither,
    /// SYN and FIN: hosts drop it.
    SynFin,
    /// RST.
    Reset,
}

impl Kind {
    const fn of(flags: u8) -> Self {
        match (flags & tcp::SYN != 0, flags & tcp::ACK != 0) {
            _ if flags & tcp::RST != 0 => Self::Reset,
            (true, _) if flags & tcp::FIN != 0 => Self::SynFin,
            (true, false) => Self::Syn,
            (true, true) => Self::SynAck,
            (false, true) => Self::Ack,
            (false, false) => Self::Neither,
        }
    }
}

impl Reason {
    /// Why an option that [`MptcpOption::read`](super::option::MptcpOption::read) did not take was ignored; `None` for DSS.
    pub fn of(option: &[u8; WINDOW], length: usize, flags: u8) -> Option<Self> {
        let (subtype, low, kind) = (option[2] >> 4, option[2] & 0x0f, Kind::of(flags));
        let capable = if length < 4 { 0 } else { Capable::flags(option) };
        Some(match subtype {
            subtype::DSS => return None,
            subtype::CAPABLE if low > 1 && kind != Kind::Syn => Self::Version(low),
            subtype::CAPABLE if matches!(kind, Kind::Reset | Kind::SynFin) => Self::Segment(kind),
            subtype::JOIN if matches!(kind, Kind::Reset | Kind::SynFin) => Self::Segment(kind),
            subtype::CAPABLE if length >= 4 && capable & 0x01 == 0 => Self::NoAlgorithm,
            subtype::CAPABLE if capable & 0x40 != 0 => Self::Extension,
            subtype::CAPABLE if low >= 1 && capable & 0x1e != 0 => Self::OtherAlgorithm,
            subtype::TCPRST if flags & tcp::RST == 0 => Self::NoReset,
            subtype::CAPABLE | subtype::JOIN if has_length(subtype, low, kind, length) => Self::Segment(kind),
            ..=subtype::TCPRST => Self::Length(length, kind),
            _ => Self::Subtype(subtype),
        })
    }
}

/// Whether MP_CAPABLE of this version, or MP_JOIN, has this length in such a segment.
const fn has_length(subtype: u8, version: u8, kind: Kind, length: usize) -> bool {
    match (subtype, kind) {
        (subtype::CAPABLE, Kind::Syn) => length == if version == 0 { 12 } else { 4 },
        (subtype::CAPABLE, Kind::SynAck) => length == 12,
        (subtype::CAPABLE, Kind::Ack) => length == 20 || version == 1 && matches!(length, 22 | 24),
        (_, Kind::Syn) => length == 12,
        (_, Kind::SynAck) => length == 16,
        (_, Kind::Ack) => length == 24,
        (_, Kind::Neither | Kind::SynFin | Kind::Reset) => false,
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Syn => "a SYN",
            Self::SynAck => "a SYN/ACK",
            Self::Ack => "a segment with ACK alone",
            Self::Neither => "a segment with neither SYN nor ACK",
            Self::SynFin => "a segment with SYN and FIN",
            Self::Reset => "a reset",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Beyond => f.write_str("reaches beyond the TCP header"),
            Self::Length(length, kind) => write!(f, "length {length} in {kind}"),
            Self::Version(version) => write!(f, "version {version}"),
            Self::NoAlgorithm => f.write_str("flag H is not set: no algorithm in common"),
            Self::OtherAlgorithm => f.write_str("flags D to G: algorithms that do not exist"),
            Self::Extension => f.write_str("flag B is set: an extension that does not exist"),
            Self::NoReset => f.write_str("in a segment without RST"),
            Self::Subtype(subtype) => write!(f, "subtype {subtype} is not defined"),
            Self::Segment(Kind::Ack) => f.write_str("its length does not fit the data of the segment"),
            Self::Segment(kind) => write!(f, "not as hosts take it in {kind}"),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
