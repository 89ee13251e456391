//! MPTCP options (RFC 8684 version 1, RFC 6824 version 0): TCP option kind 30.
//!
//! | bytes | MP_CAPABLE (subtype 0) | MP_JOIN (subtype 1) |
//! |---|---|---|
//! | 0, 1 | 30, length | 30, length |
//! | 2 | subtype (upper four bits), version | subtype, 0x01: backup |
//! | 3 | flags: 0x80 A, 0x40 B, 0x20 C, 0x01 H | address id |
//! | 4..12 | sender's key | SYN: receiver's token (4..8), nonce (8..12) |
//! | 12..20 | receiver's key | |
//!
//! | length | MP_CAPABLE | MP_JOIN |
//! |---|---|---|
//! | 4 | SYN, version 1 | |
//! | 12 | SYN, version 0; SYN/ACK, both | SYN |
//! | 16 | | SYN/ACK |
//! | 20 | third ACK | |
//! | 22, 24 | version 1: third ACK with data, with data and checksum | 24: third ACK |
//!
//! As the Linux hosts do, everything of another length is ignored, and MP_CAPABLE without H or with B.

use core::hint::black_box;

use super::{
    Frame,
    tcp::{self, OptionBuffer},
};
use crate::token::Version;

/// TCP option kind of MPTCP.
pub const KIND: u8 = 30;
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;

/// What an MPTCP option is about: its upper four bits of byte 2 (RFC 8684, 8.2).
pub mod subtype {
    /// MP_CAPABLE.
    pub const CAPABLE: u8 = 0;
    /// MP_JOIN.
    pub const JOIN: u8 = 1;
    /// DSS.
    pub const DSS: u8 = 2;
    /// ADD_ADDR.
    pub const ADD_ADDR: u8 = 3;
    /// REMOVE_ADDR.
    pub const REMOVE_ADDR: u8 = 4;
    /// MP_PRIO.
    pub const PRIO: u8 = 5;
    /// MP_FAIL.
    pub const FAIL: u8 = 6;
    /// MP_FASTCLOSE.
    pub const FASTCLOSE: u8 = 7;
    /// MP_TCPRST.
    pub const TCPRST: u8 = 8;
}

/// One TCP option among a segment's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset of its kind byte.
    pub at: usize,
    /// Its length, kind and length bytes included.
    pub length: usize,
}

/// Walks over `length` bytes of options from `at` and returns the next MPTCP option. Every step advances by
/// one byte or more; an option whose length is below 2 or beyond the end stops the walk (RFC 9293, 3.2).
#[inline(always)]
pub fn next<F: Frame>(options: &OptionBuffer, at: usize, length: usize) -> Option<Place> {
    let mut at = at as u32;
    let mut steps = 0;
    while steps < tcp::OPTIONS_LENGTH {
        let found = F::step(options, at, length as u32);
        let size = found & 0xff;
        if size == 0 {
            return None;
        }
        if found & IS_MPTCP != 0 {
            return Some(Place { at: at as usize, length: size as usize });
        }
        at += size;
        steps += 1;
    }
    None
}

/// An option of MPTCP.
const IS_MPTCP: u32 = 0x100;
/// MP_CAPABLE or MP_JOIN.
const IS_HANDSHAKE: u32 = 0x200;

/// The size of the option at `at`, with 0x100 added if it is one of MPTCP; 0x200 and, in the upper 16 bits, `at` if it
/// is MP_CAPABLE or MP_JOIN; 0 where the walk ends. One option per call: inlined over 40 steps it would cost the kernel's verifier most of
/// its budget.
#[inline(always)]
pub fn step(options: &OptionBuffer, at: u32, length: u32) -> u32 {
    if at >= length || at >= tcp::OPTIONS_LENGTH as u32 {
        return 0;
    }
    let kind = options[at as usize];
    if kind == END_OF_OPTIONS {
        return 0;
    }
    if kind == NO_OPERATION {
        return 1;
    }
    let size = u32::from(options[at as usize + 1]);
    if size < 2 || at + size > length {
        return 0;
    }
    if kind != KIND || size < 3 {
        return size;
    }
    match options[at as usize + 2] >> 4 {
        subtype::CAPABLE | subtype::JOIN => at << 16 | size | IS_MPTCP | IS_HANDSHAKE,
        _ => size | IS_MPTCP,
    }
}

/// MP_CAPABLE as it stands in a segment. Keys are shown to the caller, who derives the token and forgets them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Capable {
    /// The version that the segment names.
    pub version: Version,
    /// The key of the segment's sender, where it carries one.
    pub sender_key: Option<u64>,
    /// The key of the segment's receiver, in the third ACK.
    pub receiver_key: Option<u64>,
}

/// MP_JOIN as it stands in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// In a SYN.
    Syn {
        /// The token of the receiver's key.
        token: u32,
        /// The sender's id for its address.
        address_id: u8,
        /// Whether the subflow is to be used as a backup only.
        backup: bool,
    },
    /// In a SYN/ACK or third ACK.
    Answer,
}

/// What a segment's options say of an MPTCP handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// No MPTCP option at all.
    #[default]
    None,
    /// MPTCP, but neither MP_CAPABLE nor MP_JOIN as hosts accept them in such a segment.
    Other,
    /// MP_CAPABLE.
    Capable,
    /// MP_JOIN.
    Join,
}

/// The MPTCP option of a segment that takes part in a handshake.
#[derive(Clone, Copy, Default)]
pub struct Handshake {
    /// Which option it is; decides what the other fields mean.
    pub kind: Kind,
    /// MP_CAPABLE: the version.
    pub version: Version,
    /// MP_JOIN of a SYN: the sender's id for its address.
    pub address_id: u8,
    /// MP_JOIN of a SYN: whether the subflow is to be used as a backup only.
    pub backup: bool,
    /// MP_JOIN of a SYN: the token of the receiver's key.
    pub token: u32,
    /// MP_CAPABLE: the key of the segment's sender, 0 where it carries none.
    pub sender_key: u64,
    /// MP_CAPABLE: the key of the segment's receiver, 0 where it carries none.
    pub receiver_key: u64,
}

impl Handshake {
    /// Looks through the `length` bytes of options at `offset` of a segment with these TCP flags for MP_CAPABLE or
    /// MP_JOIN, the first of which counts.
    #[inline(always)]
    pub fn read<F: Frame>(&mut self, frame: &F, offset: usize, length: usize, flags: u8) {
        self.kind = Kind::None;
        let mut room = [0; _];
        let Some(options) = frame.options(offset, length, &mut room) else { return };
        let (mut at, mut steps, mut handshake) = (0, 0, 0);
        while steps < tcp::OPTIONS_LENGTH {
            let found = F::step(options, at, length as u32);
            if found & IS_MPTCP != 0 {
                self.kind = Kind::Other;
            }
            if found == 0 || found & IS_HANDSHAKE != 0 {
                handshake = found;
                break;
            }
            at += found & 0xff;
            // By way of the stack: without CAP_PERFMON the verifier follows the branches that a processor may only
            // guess, and gives up on a guessed loop that has no end unless it writes there.
            steps = black_box(steps + 1);
        }
        let place = Place { at: (handshake >> 16) as usize, length: handshake as usize & 0xff };
        if handshake != 0
            && let Some(option) = window(options, place)
        {
            self.fill(option, place.length, flags);
        }
    }

    /// Takes over what an option says, if hosts would accept it.
    #[inline(always)]
    fn fill(&mut self, option: &[u8; WINDOW], length: usize, flags: u8) {
        if option[2] >> 4 == subtype::CAPABLE {
            if let Some(capable) = Capable::parse(option, length, flags) {
                self.kind = Kind::Capable;
                self.version = capable.version;
                self.sender_key = capable.sender_key.unwrap_or(0);
                self.receiver_key = capable.receiver_key.unwrap_or(0);
            }
        } else if let Some(join) = Join::parse(option, length, flags) {
            self.kind = Kind::Join;
            if let Join::Syn { token, address_id, backup } = join {
                (self.token, self.address_id, self.backup) = (token, address_id, backup);
            }
        }
    }
}

/// The longest handshake option.
pub const WINDOW: usize = 24;

/// The first bytes of an option and, behind a shorter one, whatever follows it; `None` if there is no such place.
#[inline(always)]
pub fn window(options: &OptionBuffer, place: Place) -> Option<&[u8; WINDOW]> {
    // Hidden from the compiler, which otherwise drops the mask that the kernel's verifier goes by.
    options[black_box(place.at) & 63..].first_chunk()
}

impl Capable {
    /// The flags that RFC 8684 names A, B and so on to H, the highest bit first: A asks for checksums, B for an
    /// extension that does not exist, C says that no subflow may be opened to this address and port, H names the
    /// algorithm. D to G mean nothing.
    #[inline(always)]
    pub const fn flags(option: &[u8; WINDOW]) -> u8 {
        option[3]
    }

    const NEEDS_EXTENSION: u8 = 0x40;
    const HMAC: u8 = 0x01;

    /// Reads MP_CAPABLE; `None` if hosts would ignore it in a segment with these TCP flags.
    #[inline(always)]
    pub fn parse(option: &[u8; WINDOW], length: usize, flags: u8) -> Option<Self> {
        if option[3] & (Self::HMAC | Self::NEEDS_EXTENSION) != Self::HMAC {
            return None;
        }
        let version = match option[2] & 0x0f {
            0 => Version::V0,
            1 => Version::V1,
            _ => return None,
        };
        let (sender, receiver) = match (flags & (tcp::SYN | tcp::ACK), version, length) {
            (tcp::SYN, Version::V1, 4) => (false, false),
            (tcp::SYN, Version::V0, 12) => (true, false),
            (SYN_ACK, _, 12) => (true, false),
            (tcp::ACK, _, 20) => (true, true),
            (tcp::ACK, Version::V1, 22 | 24) => (true, true),
            _ => return None,
        };
        let [_, _, _, _, s0, s1, s2, s3, s4, s5, s6, s7, r0, r1, r2, r3, r4, r5, r6, r7, ..] = *option;
        let sender_key = u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let receiver_key = u64::from_be_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
        Some(Self {
            version,
            sender_key: sender.then_some(sender_key),
            receiver_key: receiver.then_some(receiver_key),
        })
    }
}

const SYN_ACK: u8 = tcp::SYN | tcp::ACK;

impl Join {
    const BACKUP: u8 = 0x01;

    /// Reads MP_JOIN; `None` if hosts would ignore it in a segment with these TCP flags.
    #[inline(always)]
    pub fn parse(option: &[u8; WINDOW], length: usize, flags: u8) -> Option<Self> {
        match (flags & (tcp::SYN | tcp::ACK), length) {
            (tcp::SYN, 12) => {
                let (address_id, backup) = Self::announced(option);
                let token = u32::from_be_bytes([option[4], option[5], option[6], option[7]]);
                Some(Self::Syn { token, address_id, backup })
            }
            (SYN_ACK, 16) | (tcp::ACK, 24) => Some(Self::Answer),
            _ => None,
        }
    }

    /// What a SYN and a SYN/ACK carry of their sender: its id for its address, and whether it wants the subflow
    /// as a backup only.
    #[inline(always)]
    pub const fn announced(option: &[u8; WINDOW]) -> (u8, bool) {
        (option[3], option[2] & Self::BACKUP != 0)
    }
}
