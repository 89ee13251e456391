//! MPTCP options outside handshakes: what hosts tell each other about addresses, priorities and ends
//! (RFC 8684, 3.3.8 to 3.7; RFC 6824, 3.3.8 to 3.6). The packet path passes them on unread.
//!
//! | option (subtype) | length | behind kind, length and subtype |
//! |---|---|---|
//! | ADD_ADDR (3), v1 | 16, 18 or 28, 30; echo 8, 10 or 20, 22 | 0x01: echo; address id, address, port?, HMAC unless echo |
//! | ADD_ADDR (3), v0 | 8, 10 or 20, 22 | 4 or 6; address id, address, port? |
//! | REMOVE_ADDR (4) | 4 to 11 | address ids |
//! | MP_PRIO (5) | 3, v0 also 4 | 0x01: backup; v0: address id |
//! | MP_FAIL (6) | 12 | 0; data sequence number |
//! | MP_FASTCLOSE (7) | 12 | 0; the receiver's key, which is no part of [`Signal`]: see [`receiver_key`] |
//! | MP_TCPRST (8), with RST | 4 | 0x01: transient; reason |
//!
//! As the Linux hosts do, everything of another length is ignored.

use super::{
    ip::Address,
    mptcp::{WINDOW, subtype},
    tcp,
};

/// An MPTCP option that is neither part of a handshake nor DSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal<'a> {
    /// ADD_ADDR.
    AddAddress {
        /// The sender's id for the address.
        address_id: u8,
        /// The address.
        address: Address,
        /// The port to connect to, if it is another one than the connection's.
        port: Option<u16>,
        /// Whether this only confirms what the other side announced.
        is_echo: bool,
    },
    /// REMOVE_ADDR.
    RemoveAddress {
        /// The sender's ids of the addresses.
        address_ids: &'a [u8],
    },
    /// MP_PRIO.
    Priority {
        /// Whether the subflow becomes a backup.
        backup: bool,
        /// The address that is meant, if it is another one than the segment's (version 0).
        address_id: Option<u8>,
    },
    /// MP_FAIL.
    Fail {
        /// The data sequence number of what was received with a wrong checksum, its lower 32 bits if hosts use these.
        data_sequence: u64,
    },
    /// MP_FASTCLOSE.
    FastClose,
    /// MP_TCPRST.
    Reset {
        /// Whether the reason may be gone when the subflow is opened again (flag T).
        is_transient: bool,
        /// The reason's number (RFC 8684, 3.6).
        reason: u8,
    },
}

const LOW_BIT: u8 = 0x01;
/// Linux takes at most eight ids from one REMOVE_ADDR.
const REMOVE_LENGTHS: core::ops::RangeInclusive<usize> = 4..=11;

impl<'a> Signal<'a> {
    /// Reads an option; `None` if it is a handshake's, DSS or unknown, or hosts would ignore it in a segment
    /// with these TCP flags.
    pub fn parse(option: &'a [u8; WINDOW], length: usize, flags: u8) -> Option<Self> {
        let (subtype, low) = (option[2] >> 4, option[2] & 0x0f);
        match (subtype, length) {
            (subtype::ADD_ADDR, _) => Self::add_address(option, low, length),
            (subtype::REMOVE_ADDR, _) if REMOVE_LENGTHS.contains(&length) => {
                Some(Self::RemoveAddress { address_ids: option.get(3..length)? })
            }
            (subtype::PRIO, 3) => Some(Self::Priority { backup: low & LOW_BIT != 0, address_id: None }),
            (subtype::PRIO, 4) => {
                Some(Self::Priority { backup: low & LOW_BIT != 0, address_id: Some(option[3]) })
            }
            (subtype::FAIL, 12) => {
                Some(Self::Fail { data_sequence: u64::from_be_bytes(*option[4..].first_chunk()?) })
            }
            (subtype::FASTCLOSE, 12) => Some(Self::FastClose),
            (subtype::TCPRST, 4) if flags & tcp::RST != 0 => {
                Some(Self::Reset { is_transient: low & LOW_BIT != 0, reason: option[3] })
            }
            _ => None,
        }
    }

    fn add_address(option: &[u8; WINDOW], low: u8, length: usize) -> Option<Self> {
        let is_v4 = match (low, length) {
            (4, 8 | 10) => true,
            (6, 20 | 22) => false,
            (_, 8 | 10) if low & LOW_BIT != 0 => true,
            (_, 20 | 22) if low & LOW_BIT != 0 => false,
            (_, 16 | 18) if low & LOW_BIT == 0 => true,
            (_, 28 | 30) if low & LOW_BIT == 0 => false,
            _ => return None,
        };
        let (address, behind) = if is_v4 {
            (Address::from_v4(*option[4..].first_chunk()?), 8)
        } else {
            (Address::new(*option[4..].first_chunk()?), 20)
        };
        let has_port = matches!(length, 10 | 18 | 22 | 30);
        let port = if has_port { Some(u16::from_be_bytes(*option[behind..].first_chunk()?)) } else { None };
        Some(Self::AddAddress { address_id: option[3], address, port, is_echo: low & LOW_BIT != 0 })
    }
}

/// The key in an MP_FASTCLOSE that [`Signal::parse`] has accepted, for a caller who derives its token and forgets it.
pub fn receiver_key(option: &[u8; WINDOW]) -> u64 {
    let [_, _, _, _, k0, k1, k2, k3, k4, k5, k6, k7, ..] = *option;
    u64::from_be_bytes([k0, k1, k2, k3, k4, k5, k6, k7])
}
