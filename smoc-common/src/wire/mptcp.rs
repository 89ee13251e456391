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
//! What hosts take stands in two tables below, [`Capable::accepted`] and [`Join::accepted`]. As the Linux hosts do,
//! everything else is ignored, and the first option that is taken counts, whatever stands before it.

use core::hint::black_box;

use super::{
    Frame,
    tcp::{self, OptionBuffer, Segment},
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
        let found = F::step(options, at, length as u32, Carrier::NONE);
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
/// MP_CAPABLE or MP_JOIN that hosts take.
const IS_HANDSHAKE: u32 = 0x200;

/// The size of the option at `at`, with 0x100 added if it is one of MPTCP; 0x200 and, in the upper 16 bits, `at` if it
/// is MP_CAPABLE or MP_JOIN and hosts take it in such a segment; 0 where the walk ends. One option per call: inlined over
/// 40 steps it would cost the kernel's verifier most of its budget.
#[inline(always)]
pub fn step(options: &OptionBuffer, at: u32, length: u32, carrier: Carrier) -> u32 {
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
    let (third, fourth) = (options[at as usize + 2], options[at as usize + 3]);
    let is_taken = match third >> 4 {
        subtype::CAPABLE => Capable::accepted(third & 0x0f, fourth, size, carrier).is_some(),
        subtype::JOIN => Join::accepted(size, carrier).is_some(),
        _ => false,
    };
    if is_taken { at << 16 | size | IS_MPTCP | IS_HANDSHAKE } else { size | IS_MPTCP }
}

/// What of a segment decides which option hosts take from it: its TCP flags, and whether it carries data. One register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Carrier(u32);

/// The part of a handshake that a segment can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Syn,
    SynAck,
    Ack,
}

impl Carrier {
    const DATA: u32 = 0x100;
    /// A segment of no handshake.
    pub const NONE: Self = Self(0);

    /// A segment with these TCP flags.
    #[inline(always)]
    pub const fn new(flags: u8, has_data: bool) -> Self {
        Self(flags as u32 | if has_data { Self::DATA } else { 0 })
    }

    /// That of a segment.
    #[inline(always)]
    pub const fn of(segment: &Segment) -> Self {
        Self::new(segment.flags, segment.data != 0)
    }

    /// The carrier that this number stands for.
    #[inline(always)]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The carrier as a number.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    const fn has_data(self) -> bool {
        self.0 & Self::DATA != 0
    }

    /// `None` for what hosts drop or treat as an end, whatever its options: a RST, a SYN with FIN, neither SYN nor ACK.
    #[inline(always)]
    const fn phase(self) -> Option<Phase> {
        let flags = self.0 as u8;
        if flags & tcp::RST != 0 || flags & (tcp::SYN | tcp::FIN) == tcp::SYN | tcp::FIN {
            return None;
        }
        match flags & (tcp::SYN | tcp::ACK) {
            tcp::SYN => Some(Phase::Syn),
            SYN_ACK => Some(Phase::SynAck),
            tcp::ACK => Some(Phase::Ack),
            _ => None,
        }
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
    /// Looks through the `length` bytes of options at `offset` of such a segment for MP_CAPABLE or MP_JOIN. The first
    /// that hosts take counts.
    #[inline(always)]
    pub fn read<F: Frame>(&mut self, frame: &F, offset: usize, length: usize, carrier: Carrier) {
        self.kind = Kind::None;
        let mut room = [0; _];
        let Some(options) = frame.options(offset, length, &mut room) else { return };
        let (mut at, mut steps, mut handshake) = (0, 0, 0);
        while steps < tcp::OPTIONS_LENGTH {
            let found = F::step(options, at, length as u32, carrier);
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
            self.fill(option, place.length, carrier);
        }
    }

    /// Takes over what an option says, if hosts would accept it.
    #[inline(always)]
    fn fill(&mut self, option: &[u8; WINDOW], length: usize, carrier: Carrier) {
        if option[2] >> 4 == subtype::CAPABLE {
            if let Some(capable) = Capable::parse(option, length, carrier) {
                self.kind = Kind::Capable;
                self.version = capable.version;
                self.sender_key = capable.sender_key.unwrap_or(0);
                self.receiver_key = capable.receiver_key.unwrap_or(0);
            }
        } else if let Some(join) = Join::parse(option, length, carrier) {
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

/// Which keys an MP_CAPABLE carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    None,
    Sender,
    Both,
}

impl Capable {
    /// B: an extension that no host knows (RFC 6824, 3.1; RFC 8684, 3.1).
    const EXTENSION: u8 = 0x40;
    /// H: HMAC-SHA1 (RFC 6824), HMAC-SHA256 (RFC 8684).
    const HMAC: u8 = 0x01;
    /// The algorithms that version 1 has bits for, of which Linux takes H alone. C is none: it forbids joins to the
    /// address of the initial subflow.
    const ALGORITHMS: u8 = 0x1f;

    /// The flags that RFC 8684 names A, B and so on to H, the highest bit first: A asks for checksums, B for an
    /// extension that does not exist, C says that no subflow may be opened to this address and port, H names the
    /// algorithm. D to G mean nothing.
    #[inline(always)]
    pub const fn flags(option: &[u8; WINDOW]) -> u8 {
        option[3]
    }

    /// The MP_CAPABLE that hosts take: RFC 6824 (version 0) and RFC 8684 (version 1), 3.1, as Linux applies them.
    /// `version` and `flags` are those of the option.
    #[inline(always)]
    fn accepted(version: u8, flags: u8, length: u32, carrier: Carrier) -> Option<(Version, Keys)> {
        let phase = carrier.phase()?;
        let row = match (phase, version, carrier.has_data(), length) {
            // RFC 6824. The data of a third ACK has an option of its own.
            (Phase::Syn, 0, _, 12) => (Version::V0, Keys::Sender),
            (Phase::SynAck, 0, _, 12) => (Version::V0, Keys::Sender),
            (Phase::Ack, 0, _, 20) => (Version::V0, Keys::Both),
            // RFC 8684. What asks for a later version is answered with version 1.
            (Phase::Syn, 1.., _, 4) => (Version::V1, Keys::None),
            (Phase::SynAck, 1, _, 12) => (Version::V1, Keys::Sender),
            (Phase::Ack, 1, false, 20) => (Version::V1, Keys::Both),
            // The length of the data, and with 24 a checksum.
            (Phase::Ack, 1, true, 22 | 24) => (Version::V1, Keys::Both),
            _ => return None,
        };
        let has_hmac = match row.0 {
            // Others may be offered beside it.
            Version::V0 => flags & Self::HMAC != 0,
            Version::V1 => flags & Self::ALGORITHMS == Self::HMAC,
        };
        if has_hmac && flags & Self::EXTENSION == 0 { Some(row) } else { None }
    }

    /// Reads MP_CAPABLE; `None` if hosts would ignore it in such a segment.
    #[inline(always)]
    pub fn parse(option: &[u8; WINDOW], length: usize, carrier: Carrier) -> Option<Self> {
        let (version, keys) = Self::accepted(option[2] & 0x0f, option[3], length as u32, carrier)?;
        let [_, _, _, _, s0, s1, s2, s3, s4, s5, s6, s7, r0, r1, r2, r3, r4, r5, r6, r7, ..] = *option;
        let sender_key = u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let receiver_key = u64::from_be_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
        Some(Self {
            version,
            sender_key: if keys == Keys::None { None } else { Some(sender_key) },
            receiver_key: if keys == Keys::Both { Some(receiver_key) } else { None },
        })
    }
}

const SYN_ACK: u8 = tcp::SYN | tcp::ACK;

impl Join {
    const BACKUP: u8 = 0x01;

    /// The MP_JOIN that hosts take (RFC 6824 and RFC 8684, 3.2).
    #[inline(always)]
    fn accepted(length: u32, carrier: Carrier) -> Option<Phase> {
        let phase = carrier.phase()?;
        match (phase, length) {
            (Phase::Syn, 12) | (Phase::SynAck, 16) | (Phase::Ack, 24) => Some(phase),
            _ => None,
        }
    }

    /// Reads MP_JOIN; `None` if hosts would ignore it in such a segment.
    #[inline(always)]
    pub fn parse(option: &[u8; WINDOW], length: usize, carrier: Carrier) -> Option<Self> {
        if Self::accepted(length as u32, carrier)? != Phase::Syn {
            return Some(Self::Answer);
        }
        let (address_id, backup) = Self::announced(option);
        let token = u32::from_be_bytes([option[4], option[5], option[6], option[7]]);
        Some(Self::Syn { token, address_id, backup })
    }

    /// What a SYN and a SYN/ACK carry of their sender: its id for its address, and whether it wants the subflow
    /// as a backup only.
    #[inline(always)]
    pub const fn announced(option: &[u8; WINDOW]) -> (u8, bool) {
        (option[3], option[2] & Self::BACKUP != 0)
    }
}
