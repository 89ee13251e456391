//! An MPTCP option that hosts take. Keys become tokens here and go no further.

use std::net::{IpAddr, Ipv6Addr};

use smoc_common::{
    token::{self, Version},
    wire::{
        ip::Address,
        mptcp::{Capable, Carrier, Join, WINDOW, subtype},
        signal::{self, Signal},
        tcp,
    },
};

/// An MPTCP option other than DSS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MptcpOption {
    /// MP_CAPABLE.
    Capable {
        /// The version that it names.
        version: Version,
        /// The flags A (the highest bit) to H.
        flags: u8,
        /// The token of the sender's key, if it carries that key.
        sender_token: Option<u32>,
        /// The token of the receiver's key, if it carries that key.
        receiver_token: Option<u32>,
    },
    /// MP_JOIN.
    Join {
        /// In a SYN: the token of the receiver's key.
        token: Option<u32>,
        /// In a SYN and a SYN/ACK: the sender's id for its address, and whether the subflow is a backup.
        announced: Option<(u8, bool)>,
    },
    /// ADD_ADDR.
    AddAddress {
        /// The sender's id for the address.
        address_id: u8,
        /// The address.
        address: IpAddr,
        /// The port to connect to, if it is another one than the connection's.
        port: Option<u16>,
        /// Whether it only confirms what the other side announced.
        is_echo: bool,
    },
    /// REMOVE_ADDR with the sender's ids of the addresses.
    RemoveAddress(Vec<u8>),
    /// MP_PRIO.
    Priority {
        /// Whether the subflow becomes a backup.
        backup: bool,
        /// The address that is meant, if it is another one than the segment's.
        address_id: Option<u8>,
    },
    /// MP_FAIL.
    Fail {
        /// The data sequence number of what was received with a wrong checksum.
        data_sequence: u64,
    },
    /// MP_FASTCLOSE.
    FastClose {
        /// The token of the receiver's key, if the connection is of version 0 and of version 1: the option does not say.
        receiver_tokens: [u32; 2],
    },
    /// MP_TCPRST.
    Reset {
        /// Whether the reason may be gone when the subflow is opened again.
        is_transient: bool,
        /// The reason's number.
        reason: u8,
    },
}

impl MptcpOption {
    /// Reads an option of a segment; `None` if hosts would ignore it there, and for DSS.
    pub fn read(option: &[u8; WINDOW], length: usize, tcp: &tcp::Segment) -> Option<Self> {
        match option[2] >> 4 {
            subtype::CAPABLE => {
                let Capable { version, sender_key, receiver_key } =
                    Capable::parse(option, length, Carrier::of(tcp))?;
                // Zeros stand where a capture has keys overwritten: they are no token of any connection.
                let token = |key: &u64| (*key != 0).then(|| token::derive(version, *key));
                Some(Self::Capable {
                    version,
                    flags: Capable::flags(option),
                    sender_token: sender_key.as_ref().and_then(token),
                    receiver_token: receiver_key.as_ref().and_then(token),
                })
            }
            subtype::JOIN => Some(match Join::parse(option, length, Carrier::of(tcp))? {
                Join::Syn { token, address_id, backup } => {
                    Self::Join { token: Some(token), announced: Some((address_id, backup)) }
                }
                Join::Answer => {
                    let is_syn_ack = tcp.has(tcp::SYN);
                    Self::Join { token: None, announced: is_syn_ack.then(|| Join::announced(option)) }
                }
            }),
            _ => Some(Self::from_signal(Signal::parse(option, length, tcp.flags)?, option)),
        }
    }

    fn from_signal(signal: Signal, option: &[u8; WINDOW]) -> Self {
        match signal {
            Signal::AddAddress { address_id, address, port, is_echo } => {
                Self::AddAddress { address_id, address: canonical(address), port, is_echo }
            }
            Signal::RemoveAddress { address_ids } => Self::RemoveAddress(address_ids.to_vec()),
            Signal::Priority { backup, address_id } => Self::Priority { backup, address_id },
            Signal::Fail { data_sequence } => Self::Fail { data_sequence },
            Signal::FastClose => {
                let key = signal::receiver_key(option);
                let receiver_tokens = [Version::V0, Version::V1].map(|version| token::derive(version, key));
                Self::FastClose { receiver_tokens }
            }
            Signal::Reset { is_transient, reason } => Self::Reset { is_transient, reason },
        }
    }

    /// The option's name in RFC 8684.
    pub const fn name(&self) -> &'static str {
        name(match self {
            Self::Capable { .. } => subtype::CAPABLE,
            Self::Join { .. } => subtype::JOIN,
            Self::AddAddress { .. } => subtype::ADD_ADDR,
            Self::RemoveAddress(_) => subtype::REMOVE_ADDR,
            Self::Priority { .. } => subtype::PRIO,
            Self::Fail { .. } => subtype::FAIL,
            Self::FastClose { .. } => subtype::FASTCLOSE,
            Self::Reset { .. } => subtype::TCPRST,
        })
    }
}

/// The name of a subtype in RFC 8684.
pub const fn name(subtype: u8) -> &'static str {
    match subtype {
        subtype::CAPABLE => "MP_CAPABLE",
        subtype::JOIN => "MP_JOIN",
        subtype::DSS => "DSS",
        subtype::ADD_ADDR => "ADD_ADDR",
        subtype::REMOVE_ADDR => "REMOVE_ADDR",
        subtype::PRIO => "MP_PRIO",
        subtype::FAIL => "MP_FAIL",
        subtype::FASTCLOSE => "MP_FASTCLOSE",
        subtype::TCPRST => "MP_TCPRST",
        _ => "unknown",
    }
}

/// The address with an IPv4 address out of its mapped form.
pub fn canonical(address: Address) -> IpAddr {
    Ipv6Addr::from(address.octets()).to_canonical()
}
