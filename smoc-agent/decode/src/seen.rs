//! What `smoc decode` says of one MPTCP option: the JSON object, field by field.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::segment::{MptcpOption, Segment};

/// One MPTCP option other than DSS. Fields that do not apply to it are absent.
#[derive(Debug, Serialize)]
pub struct Seen {
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
    /// The option's name in RFC 8684.
    pub subtype: &'static str,
    /// MP_CAPABLE: the version that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// MP_CAPABLE and MP_JOIN: the step of the handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// MP_CAPABLE: the token of the sender's key, if it carries one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_token: Option<Token>,
    /// MP_CAPABLE: the token of the receiver's key, if it carries one.
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
    /// MP_JOIN in a SYN or SYN/ACK, and MP_PRIO: the backup flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
    /// The MP_CAPABLE connection that it belongs to, counted from 0 in this capture; null if it is none of them.
    pub connection: Option<usize>,
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
        let mut seen = Self {
            frame,
            src: segment.source.ip(),
            sport: segment.source.port(),
            dst: segment.destination.ip(),
            dport: segment.destination.port(),
            subtype: option.name(),
            version: None,
            phase: None,
            sender_token: None,
            receiver_token: None,
            token: None,
            address_id: None,
            address_ids: None,
            backup: None,
            connection: None,
        };
        seen.describe(segment, option);
        seen
    }

    fn describe(&mut self, segment: &Segment, option: &MptcpOption) {
        match option {
            MptcpOption::Capable { version, sender_token, receiver_token } => {
                self.version = Some(*version as u8);
                self.phase = Some(Phase::of(segment));
                self.sender_token = sender_token.map(Token);
                self.receiver_token = receiver_token.map(Token);
            }
            MptcpOption::Join { token, announced } => {
                self.phase = Some(Phase::of(segment));
                self.token = token.map(Token);
                self.address_id = announced.map(|(address_id, _)| address_id);
                self.backup = announced.map(|(_, backup)| backup);
            }
            MptcpOption::AddAddress { address_id, .. } => self.address_id = Some(*address_id),
            MptcpOption::RemoveAddress(address_ids) => self.address_ids = Some(address_ids.clone()),
            MptcpOption::Priority { backup, address_id } => {
                self.address_id = *address_id;
                self.backup = Some(*backup);
            }
            MptcpOption::Fail | MptcpOption::FastClose | MptcpOption::Reset => {}
        }
    }
}
