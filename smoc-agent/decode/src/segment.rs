//! A TCP segment as far as MPTCP is concerned. Keys become tokens here and go no further.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use smoc_common::{
    token::{self, Version},
    wire::{
        Bytes, Frame as _,
        ip::{self, Address, Family},
        mptcp::{self, Capable, Join, WINDOW, subtype},
        signal::Signal,
        tcp,
    },
};

use super::link::LinkType;

/// A TCP segment and the MPTCP options that hosts would take from it.
#[derive(Debug)]
pub struct Segment {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Ports, sequence numbers and flags.
    pub tcp: tcp::Segment,
    /// Its MPTCP options other than DSS, in their order.
    pub options: Vec<MptcpOption>,
    /// How many MPTCP options other than DSS were left out because hosts ignore them.
    pub ignored: u64,
    /// Whether the capture ends within the TCP options.
    pub is_cut: bool,
}

/// An MPTCP option other than DSS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MptcpOption {
    /// MP_CAPABLE.
    Capable {
        /// The version that it names.
        version: Version,
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
    Fail,
    /// MP_FASTCLOSE.
    FastClose,
    /// MP_TCPRST.
    Reset,
}

impl Segment {
    /// Reads the TCP segment in a captured frame; `None` if there is none that a host would accept. A first
    /// fragment counts, for the whole TCP header is in it; later ones do not.
    pub fn read(link: LinkType, bytes: &mut [u8]) -> Option<Self> {
        let captured = bytes.len();
        let frame = Bytes(bytes);
        let packet = link.packet(&frame)?;
        if packet.protocol != ip::TCP || packet.is_later_fragment {
            return None;
        }
        let tcp = tcp::Segment::parse(&frame, packet.payload)?.within(&packet)?;
        let options_end = tcp.options + tcp.options_length;
        let address = |address: Address| match packet.family {
            Family::V4 => canonical(address),
            Family::V6 => IpAddr::from(address.octets()),
        };
        let mut segment = Self {
            source: SocketAddr::new(address(packet.source), tcp.source_port),
            destination: SocketAddr::new(address(packet.destination), tcp.destination_port),
            tcp,
            options: Vec::new(),
            ignored: 0,
            is_cut: captured < options_end,
        };
        segment.read_options(&frame, captured.min(options_end) - tcp.options);
        Some(segment)
    }

    fn read_options(&mut self, frame: &Bytes, length: usize) {
        let mut room = [0; _];
        let Some(options) = frame.options(self.tcp.options, length, &mut room) else { return };
        let mut at = 0;
        while let Some(place) = mptcp::next::<Bytes<'_>>(options, at, length) {
            at = place.at + place.length;
            let Some(option) = mptcp::window(options, place) else { return };
            match MptcpOption::read(option, place.length, &self.tcp) {
                Some(option) => self.options.push(option),
                None => self.ignored += u64::from(option[2] >> 4 != subtype::DSS),
            }
        }
    }

    /// Whether this opens a TCP connection.
    pub fn is_syn(&self) -> bool {
        self.tcp.flags & (tcp::SYN | tcp::ACK) == tcp::SYN
    }

    /// Whether this answers a SYN.
    pub fn is_syn_ack(&self) -> bool {
        self.tcp.has(tcp::SYN | tcp::ACK)
    }
}

impl MptcpOption {
    fn read(option: &[u8; WINDOW], length: usize, tcp: &tcp::Segment) -> Option<Self> {
        match option[2] >> 4 {
            subtype::CAPABLE => {
                let Capable { version, sender_key, receiver_key } =
                    Capable::parse(option, length, tcp.carrier())?;
                let token = |key| token::derive(version, key);
                Some(Self::Capable {
                    version,
                    sender_token: sender_key.map(token),
                    receiver_token: receiver_key.map(token),
                })
            }
            subtype::JOIN => Some(match Join::parse(option, length, tcp.carrier())? {
                Join::Syn { token, address_id, backup } => {
                    Self::Join { token: Some(token), announced: Some((address_id, backup)) }
                }
                Join::Answer => {
                    let is_syn_ack = tcp.has(tcp::SYN);
                    Self::Join { token: None, announced: is_syn_ack.then(|| Join::announced(option)) }
                }
            }),
            _ => Some(Self::from(Signal::parse(option, length, tcp.flags)?)),
        }
    }

    /// The option's name in RFC 8684.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Capable { .. } => "MP_CAPABLE",
            Self::Join { .. } => "MP_JOIN",
            Self::AddAddress { .. } => "ADD_ADDR",
            Self::RemoveAddress(_) => "REMOVE_ADDR",
            Self::Priority { .. } => "MP_PRIO",
            Self::Fail => "MP_FAIL",
            Self::FastClose => "MP_FASTCLOSE",
            Self::Reset => "MP_TCPRST",
        }
    }
}

impl From<Signal<'_>> for MptcpOption {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::AddAddress { address_id, address, is_echo } => {
                Self::AddAddress { address_id, address: canonical(address), is_echo }
            }
            Signal::RemoveAddress { address_ids } => Self::RemoveAddress(address_ids.to_vec()),
            Signal::Priority { backup, address_id } => Self::Priority { backup, address_id },
            Signal::Fail => Self::Fail,
            Signal::FastClose => Self::FastClose,
            Signal::Reset => Self::Reset,
        }
    }
}

/// The address with an IPv4 address out of its mapped form.
fn canonical(address: Address) -> IpAddr {
    Ipv6Addr::from(address.octets()).to_canonical()
}
