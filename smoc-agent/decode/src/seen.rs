//! What `smoc decode` says of one MPTCP option: the JSON object, field by field.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::{
    ignored::Reason,
    layers::Trail,
    option::{self, MptcpOption},
    segment::Segment,
};

/// Where an option was seen.
#[derive(Debug, Serialize)]
pub struct Place {
    /// The frame's place in the capture, from 1.
    pub frame: u64,
    /// Source address.
    pub src: IpAddr,
    /// Source port.
    pub sport: u16,
    /// Destination address.
    pub dst: IpAddr,
    /// Destination port.
    pub dport: u16,
    /// What is around the IP packet, from the outermost to the innermost, if anything is.
    #[serde(skip_serializing_if = "Trail::is_empty")]
    pub encapsulation: Trail,
}

impl Place {
    fn new(frame: u64, segment: &Segment) -> Self {
        Self {
            frame,
            src: segment.source.ip(),
            sport: segment.source.port(),
            dst: segment.destination.ip(),
            dport: segment.destination.port(),
            encapsulation: segment.encapsulation.clone(),
        }
    }
}

/// One MPTCP option other than DSS. Fields that do not apply to it are absent.
#[derive(Debug, Serialize)]
pub struct Seen {
    /// Where it was seen.
    #[serde(flatten)]
    pub place: Place,
    /// The option's name in RFC 8684.
    pub subtype: &'static str,
    /// Its details.
    #[serde(flatten)]
    pub details: Details,
    /// The MP_CAPABLE connection that it belongs to, counted from 0 in this capture; null if it is none of them.
    pub connection: Option<usize>,
}

/// What an option says. Which fields there are depends on the option.
#[derive(Debug, Default, Serialize)]
pub struct Details {
    /// MP_CAPABLE: the version that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// MP_CAPABLE and MP_JOIN: the step of the handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// MP_CAPABLE: the flags that are set, "A" to "H" as RFC 8684 names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Flags>,
    /// MP_CAPABLE: the token of the sender's key, if it carries one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_token: Option<Token>,
    /// MP_CAPABLE: the token of the receiver's key, if it carries one. MP_FASTCLOSE: the same, if the version of its
    /// connection is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_token: Option<Token>,
    /// MP_JOIN in a SYN: the token of the receiver's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// MP_JOIN in a SYN or SYN/ACK, ADD_ADDR, and MP_PRIO of version 0 if it has one: the address id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_id: Option<u8>,
    /// REMOVE_ADDR: the address ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_ids: Option<Vec<u8>>,
    /// ADD_ADDR: the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// ADD_ADDR: the port, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// ADD_ADDR: whether it only confirms what the other side announced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<bool>,
    /// MP_JOIN in a SYN or SYN/ACK, and MP_PRIO: the backup flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
    /// MP_FAIL: the data sequence number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_sequence: Option<u64>,
    /// MP_TCPRST: the flag T.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transient: Option<bool>,
    /// MP_TCPRST: the reason's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<u8>,
    /// MP_TCPRST: the reason's name in RFC 8684, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_name: Option<&'static str>,
}

/// An option that hosts ignore.
#[derive(Debug, Serialize)]
pub struct IgnoredOption {
    /// Where it was seen.
    #[serde(flatten)]
    pub place: Place,
    /// The option's name in RFC 8684, or "unknown".
    pub subtype: &'static str,
    /// Why hosts ignore it.
    pub reason: Reason,
}

/// A step of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// SYN.
    Syn,
    /// SYN/ACK.
    SynAck,
    /// No SYN flag.
    Ack,
}

impl Phase {
    /// The phase as JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syn => "syn",
            Self::SynAck => "synack",
            Self::Ack => "ack",
        }
    }

    fn of(segment: &Segment) -> Self {
        match (segment.is_syn(), segment.is_syn_ack()) {
            (true, _) => Self::Syn,
            (_, true) => Self::SynAck,
            _ => Self::Ack,
        }
    }
}

impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The flags of MP_CAPABLE, A in the highest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    const NAMES: [char; 8] = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'];

    /// The letters of those that are set.
    pub fn letters(self) -> impl Iterator<Item = char> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter_map(move |(at, name)| (self.0 & 0x80 >> at != 0).then_some(name))
    }
}

impl Serialize for Flags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.letters())
    }
}

/// A token, written as 8 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u32);

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Seen {
    /// Describes an option of a segment; its connection is not known yet.
    pub(super) fn new(frame: u64, segment: &Segment, option: &MptcpOption) -> Self {
        Self {
            place: Place::new(frame, segment),
            subtype: option.name(),
            details: Details::of(segment, option),
            connection: None,
        }
    }
}

impl IgnoredOption {
    pub(super) fn new(frame: u64, segment: &Segment, &(subtype, reason): &(u8, Reason)) -> Self {
        Self { place: Place::new(frame, segment), subtype: option::name(subtype), reason }
    }
}

impl Details {
    fn of(segment: &Segment, option: &MptcpOption) -> Self {
        let none = Self::default();
        match *option {
            MptcpOption::Capable { version, flags, sender_token, receiver_token } => Self {
                version: Some(version as u8),
                phase: Some(Phase::of(segment)),
                flags: Some(Flags(flags)),
                sender_token: sender_token.map(Token),
                receiver_token: receiver_token.map(Token),
                ..none
            },
            MptcpOption::Join { token, announced } => Self {
                phase: Some(Phase::of(segment)),
                token: token.map(Token),
                address_id: announced.map(|(address_id, _)| address_id),
                backup: announced.map(|(_, backup)| backup),
                ..none
            },
            MptcpOption::AddAddress { address_id, address, port, is_echo } => Self {
                address_id: Some(address_id),
                address: Some(address),
                port,
                echo: Some(is_echo),
                ..none
            },
            MptcpOption::RemoveAddress(ref address_ids) => {
                Self { address_ids: Some(address_ids.clone()), ..none }
            }
            MptcpOption::Priority { backup, address_id } => Self { address_id, backup: Some(backup), ..none },
            MptcpOption::Fail { data_sequence } => Self { data_sequence: Some(data_sequence), ..none },
            MptcpOption::FastClose { .. } => none,
            MptcpOption::Reset { is_transient, reason } => Self {
                transient: Some(is_transient),
                reason: Some(reason),
                reason_name: reason_name(reason),
                ..none
            },
        }
    }
}

/// What a reason of MP_TCPRST means (RFC 8684, 3.6).
const fn reason_name(reason: u8) -> Option<&'static str> {
    Some(match reason {
        0 => "unspecified error",
        1 => "MPTCP-specific error",
        2 => "lack of resources",
        3 => "administratively prohibited",
        4 => "too much outstanding data",
        5 => "unacceptable performance",
        6 => "middlebox interference",
        _ => return None,
    })
}
