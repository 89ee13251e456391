//! Handshake options: which lengths, flags and versions hosts accept in which segment.

use std::{vec, vec::Vec};

use super::{counted, std, window, with_frame};
use crate::wire::{
    Frame as _,
    mptcp::{Capable, Carrier, Handshake, Join, Kind},
    tcp::{ACK, FIN, RST, SYN, Segment},
};

const SYN_ACK: u8 = SYN | ACK;
/// PSH, URG, ECE and CWR: flags that no handshake asks about.
const OTHER_FLAGS: u8 = !(SYN | ACK | FIN | RST);

/// An option of `length` bytes whose bytes behind the first four are 4, 5, 6 and so on.
fn option(length: usize, subtype: u8, low: u8, fourth: u8) -> Vec<u8> {
    let mut option: Vec<u8> = (0..length.max(4) as u8).collect();
    option[..4].copy_from_slice(&[30, length as u8, subtype << 4 | low, fourth]);
    option.truncate(length);
    option
}

const SENDER: u64 = 0x0405_0607_0809_0a0b;
const RECEIVER: u64 = 0x0c0d_0e0f_1011_1213;

/// Segments whose options hosts look at, by their flags, and those that they drop or take for an end.
const SEGMENTS: [(&[u8], Option<u8>); 4] = [
    (&[SYN, SYN | OTHER_FLAGS], Some(SYN)),
    (&[SYN_ACK, SYN_ACK | OTHER_FLAGS], Some(SYN_ACK)),
    (&[ACK, ACK | FIN, ACK | FIN | OTHER_FLAGS], Some(ACK)),
    (&[0, FIN, RST, RST | ACK, SYN | RST, SYN | FIN, SYN_ACK | RST, SYN_ACK | FIN, 0xff, OTHER_FLAGS], None),
];

/// What hosts take, row for row: segment, versions that it may name, whether it carries data if that matters, length;
/// the version that it is taken for and the number of keys in it.
type Row = (u8, &'static [u8], Option<bool>, usize, u8, usize);
const LATER: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const CAPABLE: [Row; 8] = [
    (SYN, &[0], None, 12, 0, 1),
    (SYN_ACK, &[0], None, 12, 0, 1),
    (ACK, &[0], None, 20, 0, 2),
    (SYN, LATER, None, 4, 1, 0),
    (SYN_ACK, &[1], None, 12, 1, 1),
    (ACK, &[1], Some(false), 20, 1, 2),
    (ACK, &[1], Some(true), 22, 1, 2),
    (ACK, &[1], Some(true), 24, 1, 2),
];
const JOIN: [(u8, usize); 3] = [(SYN, 12), (SYN_ACK, 16), (ACK, 24)];

/// Every segment: its flags, what it is, and whether it carries data.
fn segments() -> impl Iterator<Item = (u8, Option<u8>, bool)> {
    SEGMENTS
        .into_iter()
        .flat_map(|(flags, step)| flags.iter().map(move |&flags| (flags, step)))
        .flat_map(|(flags, step)| [false, true].map(|data| (flags, step, data)))
}

#[test]
fn capable_in_every_segment_and_of_every_version_length_and_flag() {
    let mut taken = 0;
    for (flags, step, has_data) in segments() {
        for (version, length, bits) in
            (0..16).flat_map(|v| (3..=40).flat_map(move |l| (0..=255).map(move |b| (v, l, b))))
        {
            let parsed = Capable::parse(
                &window(&option(length, 0, version, bits)),
                length,
                Carrier::new(flags, has_data),
            );
            let row = CAPABLE.iter().find(|(of, versions, data, size, ..)| {
                Some(*of) == step
                    && versions.contains(&version)
                    && data.is_none_or(|data| data == has_data)
                    && *size == length
            });
            // HMAC; of version 1, no algorithm beside it; of neither, the extension bit.
            let expected = row.filter(|(.., taken_for, _)| match taken_for {
                0 => bits & 0x41 == 0x01,
                _ => bits & 0x5f == 0x01,
            });
            let found =
                parsed.map(|capable| (capable.version as u8, capable.sender_key, capable.receiver_key));
            let wanted = expected.map(|&(.., taken_for, count)| {
                (taken_for, (count > 0).then_some(SENDER), (count > 1).then_some(RECEIVER))
            });
            assert!(
                found == wanted,
                "flags {flags:02x}, data {has_data}, version {version}, length {length}, {bits:02x}"
            );
            taken += usize::from(found.is_some());
        }
    }
    // Two and two and three kinds of flags; with data and without; 64 and 4 choices of the option's own flags.
    assert_eq!(taken, 64 * (4 + 4 + 6) + 4 * (4 * 15 + 4 + 3 + 3 + 3));
}

#[test]
fn join_in_every_segment_and_of_every_length() {
    for (flags, step, has_data) in segments() {
        for length in 3..=40 {
            let parsed =
                Join::parse(&window(&option(length, 1, 0, 9)), length, Carrier::new(flags, has_data));
            let expected = JOIN.contains(&(step.unwrap_or(0), length)).then_some(match step {
                Some(SYN) => Join::Syn { token: 0x0405_0607, address_id: 9, backup: false },
                _ => Join::Answer,
            });
            assert_eq!(parsed, expected, "flags {flags:02x}, length {length}");
        }
    }
}

#[test]
fn join_is_a_backup_by_its_lowest_bit() {
    for low in 0..16 {
        let option = window(&option(12, 1, low, 200));
        assert_eq!(Join::announced(&option), (200, low & 1 == 1));
        let Some(Join::Syn { backup, .. }) = Join::parse(&option, 12, Carrier::new(SYN, false)) else {
            panic!("{low}")
        };
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
        data: 0,
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
        (ACK | RST, capable(20), Found::Other),
        // Another MPTCP option may stand first.
        (ACK, [dss(), capable(20)].concat(), Found::Capable(true)),
        // Of two options of a handshake the first counts that hosts take.
        (SYN, [capable(5), mss(), join(12)].concat(), Found::Join(0x0405_0607)),
        (SYN, [join(16), capable(12), vec![1, 1], capable(4)].concat(), Found::Capable(false)),
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
        data: 0,
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
