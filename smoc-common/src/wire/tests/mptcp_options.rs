//! Handshake options: which lengths, flags and versions hosts accept in which segment.

use std::{vec, vec::Vec};

use super::{counted, std, window, with_frame};
use crate::wire::{
    Frame as _,
    mptcp::{Capable, Handshake, Join, Kind},
    tcp::{ACK, FIN, RST, SYN, Segment},
};

const SYN_ACK: u8 = SYN | ACK;
/// Flags that no handshake asks about.
const OTHER_FLAGS: u8 = !(SYN | ACK);

/// An option of `length` bytes whose bytes behind the first four are 4, 5, 6 and so on.
fn option(length: usize, subtype: u8, low: u8, fourth: u8) -> Vec<u8> {
    let mut option: Vec<u8> = (0..length.max(4) as u8).collect();
    option[..4].copy_from_slice(&[30, length as u8, subtype << 4 | low, fourth]);
    option.truncate(length);
    option
}

const SENDER: u64 = 0x0405_0607_0809_0a0b;
const RECEIVER: u64 = 0x0c0d_0e0f_1011_1213;

/// Whether hosts take MP_CAPABLE of this length in such a segment, and how many keys it carries.
fn keys(flags: u8, version: u8, length: usize) -> Option<usize> {
    match (flags & SYN_ACK, version, length) {
        (SYN, 1, 4) => Some(0),
        (SYN, 0, 12) => Some(1),
        (SYN_ACK, 0 | 1, 12) => Some(1),
        (ACK, 0 | 1, 20) => Some(2),
        (ACK, 1, 22) => Some(2),
        (ACK, 1, 24) => Some(2),
        _ => None,
    }
}

#[test]
fn capable_by_length_flags_and_version() {
    let mut accepted = 0;
    for flags in [0, SYN, SYN_ACK, ACK, SYN | OTHER_FLAGS, SYN_ACK | OTHER_FLAGS, ACK | OTHER_FLAGS, FIN, RST]
    {
        for version in 0..16 {
            for length in 3..=40 {
                let parsed = Capable::parse(&window(&option(length, 0, version, 0x01)), length, flags);
                let expected = keys(flags, version, length);
                let found = parsed.map(|capable| {
                    assert_eq!(capable.version as u8, version);
                    (capable.sender_key, capable.receiver_key)
                });
                let wanted =
                    expected.map(|count| ((count > 0).then_some(SENDER), (count > 1).then_some(RECEIVER)));
                assert!(found == wanted, "flags {flags:02x}, version {version}, length {length}");
                accepted += usize::from(expected.is_some());
            }
        }
    }
    assert_eq!(accepted, 2 * (2 + 2 + 4));
}

#[test]
fn capable_needs_h_and_not_b() {
    for flags in 0..=255 {
        let parsed = Capable::parse(&window(&option(4, 0, 1, flags)), 4, SYN);
        assert_eq!(parsed.is_some(), flags & 0x41 == 0x01, "{flags:02x}");
    }
}

#[test]
fn join_by_length_and_flags() {
    for flags in [0, SYN, SYN_ACK, ACK, SYN | OTHER_FLAGS, SYN_ACK | OTHER_FLAGS, ACK | OTHER_FLAGS, FIN, RST]
    {
        for length in 3..=40 {
            let parsed = Join::parse(&window(&option(length, 1, 0, 9)), length, flags);
            let expected = match (flags & SYN_ACK, length) {
                (SYN, 12) => Some(Join::Syn { token: 0x0405_0607, address_id: 9, backup: false }),
                (SYN_ACK, 16) | (ACK, 24) => Some(Join::Answer),
                _ => None,
            };
            assert_eq!(parsed, expected, "flags {flags:02x}, length {length}");
        }
    }
}

#[test]
fn join_is_a_backup_by_its_lowest_bit() {
    for low in 0..16 {
        let option = window(&option(12, 1, low, 200));
        assert_eq!(Join::announced(&option), (200, low & 1 == 1));
        let Some(Join::Syn { backup, .. }) = Join::parse(&option, 12, SYN) else { panic!("{low}") };
        assert_eq!(backup, low & 1 == 1, "{low}");
    }
}

/// What a segment with these options is part of.
fn handshake(flags: u8, options: &[u8]) -> Found {
    let segment = Segment {
        source_port: 1,
        destination_port: 2,
        sequence: 0,
        acknowledgment: 0,
        flags,
        options: 5,
        options_length: options.len(),
    };
    with_frame(&[&[0; 5], options].concat(), |frame| {
        match frame.handshake(&segment, &mut Handshake::default()) {
            None => Found::None,
            Some(Handshake { kind: Kind::Capable, sender_key, .. }) => Found::Capable(*sender_key != 0),
            Some(Handshake { kind: Kind::Join, token, .. }) => Found::Join(*token),
            Some(_) => Found::Other,
        }
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    None,
    Other,
    Capable(bool),
    /// With the token, 0 in an answer.
    Join(u32),
}

#[test]
fn handshake_of_a_segment() {
    let capable = |length| option(length, 0, 1, 0x81);
    let join = |length| option(length, 1, 0, 0);
    let dss = || option(8, 2, 0, 0);
    let mss = || vec![2, 4, 5, 180];
    let table = [
        (SYN, vec![], Found::None),
        (SYN, mss(), Found::None),
        (SYN, [mss(), capable(4)].concat(), Found::Capable(false)),
        (SYN_ACK, [vec![1, 1], capable(12)].concat(), Found::Capable(true)),
        (ACK, capable(20), Found::Capable(true)),
        (SYN, join(12), Found::Join(0x0405_0607)),
        (ACK, join(24), Found::Join(0)),
        (ACK, dss(), Found::Other),
        (SYN, capable(12), Found::Other),
        // Another MPTCP option may stand first.
        (ACK, [dss(), capable(20)].concat(), Found::Capable(true)),
        // Of two options of a handshake the first counts, even one that hosts ignore.
        (SYN, [capable(5), mss(), join(12)].concat(), Found::Other),
        (SYN, [capable(4), join(12)].concat(), Found::Capable(false)),
        (ACK, [dss(), dss()].concat(), Found::Other),
    ];
    for (flags, options, expected) in table {
        assert_eq!(handshake(flags, &options), expected, "{flags:02x} {options:02x?}");
    }
}

#[test]
fn handshake_whose_options_are_cut_off_is_none() {
    let segment = Segment {
        source_port: 1,
        destination_port: 2,
        sequence: 0,
        acknowledgment: 0,
        flags: SYN,
        options: 0,
        options_length: 12,
    };
    let options = option(12, 1, 0, 0);
    for kept in 0..12 {
        let is_none = with_frame(&options[..kept], |frame| {
            frame.handshake(&segment, &mut Handshake::default()).is_none()
        });
        assert!(is_none, "{kept} bytes");
    }
}

proptest::proptest! {
    #[test]
    fn no_options_make_it_panic(
        flags: u8,
        options in proptest::collection::vec(proptest::sample::select(counted::<31>().to_vec()), 0..=40),
    ) {
        let found = handshake(flags, &options);
        proptest::prop_assert!(found == Found::None || options.contains(&30));
    }
}
