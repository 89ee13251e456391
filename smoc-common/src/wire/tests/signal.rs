//! Options outside handshakes: which lengths hosts accept, and what is read from them.

use std::{vec, vec::Vec};

use super::{std, window};
use crate::wire::{
    ip::Address,
    signal::{Signal, receiver_key},
    tcp::{ACK, RST},
};

/// An option of `length` bytes whose bytes behind the third are 3, 4, 5 and so on.
fn option(length: usize, subtype: u8, low: u8) -> Vec<u8> {
    let mut option: Vec<u8> = (0..length as u8).collect();
    option[..3].copy_from_slice(&[30, length as u8, subtype << 4 | low]);
    option
}

/// The lengths from 3 to 40 at which hosts take an option.
fn lengths(subtype: u8, low: u8, flags: u8) -> Vec<usize> {
    let takes =
        |length: &usize| Signal::parse(&window(&option(*length, subtype, low)), *length, flags).is_some();
    (3..=40).filter(takes).collect()
}

#[test]
fn lengths_that_hosts_accept() {
    let table: &[(u8, u8, u8, &[usize])] = &[
        (3, 0, ACK, &[16, 18, 28, 30]),
        (3, 1, ACK, &[8, 10, 20, 22]),
        (3, 4, ACK, &[8, 10, 16, 18, 28, 30]),
        (3, 6, ACK, &[16, 18, 20, 22, 28, 30]),
        (4, 0, ACK, &[4, 5, 6, 7, 8, 9, 10, 11]),
        (5, 0, ACK, &[3, 4]),
        (6, 0, ACK, &[12]),
        (7, 0, ACK, &[12]),
        (8, 0, RST, &[4]),
        (8, 0, RST | ACK, &[4]),
        (8, 0, ACK, &[]),
    ];
    for &(subtype, low, flags, expected) in table {
        assert_eq!(lengths(subtype, low, flags), expected, "subtype {subtype}, {low}, flags {flags:02x}");
    }
    for subtype in [0, 1, 2, 9, 10, 11, 12, 13, 14, 15] {
        assert_eq!(lengths(subtype, 1, ACK | RST), vec![0; 0], "subtype {subtype}");
    }
}

#[test]
fn addresses() {
    let v4 = Address::from_v4([4, 5, 6, 7]);
    let v6 = Address::new(std::array::from_fn(|at| at as u8 + 4));
    let (behind_v4, behind_v6) = (Some(0x0809), Some(0x1415));
    for (length, low, address, port, is_echo) in [
        (16, 0, v4, None, false),
        (18, 0, v4, behind_v4, false),
        (28, 0, v6, None, false),
        (30, 0, v6, behind_v6, false),
        (8, 1, v4, None, true),
        (10, 1, v4, behind_v4, true),
        (22, 1, v6, behind_v6, true),
        (10, 4, v4, behind_v4, false),
        (20, 6, v6, None, false),
    ] {
        let found = window(&option(length, 3, low));
        let expected = Signal::AddAddress { address_id: 3, address, port, is_echo };
        assert_eq!(Signal::parse(&found, length, ACK), Some(expected), "{length}, {low}");
    }
}

#[test]
fn others() {
    let found = |length, subtype, low| window(&option(length, subtype, low));
    let removed = found(6, 4, 0);
    assert_eq!(Signal::parse(&removed, 6, ACK), Some(Signal::RemoveAddress { address_ids: &[3, 4, 5] }));
    let priority = |backup, address_id| Some(Signal::Priority { backup, address_id });
    assert_eq!(Signal::parse(&found(3, 5, 1), 3, ACK), priority(true, None));
    assert_eq!(Signal::parse(&found(3, 5, 0xe), 3, ACK), priority(false, None));
    assert_eq!(Signal::parse(&found(4, 5, 1), 4, ACK), priority(true, Some(3)));
    let number = 0x0405_0607_0809_0a0b;
    assert_eq!(Signal::parse(&found(12, 6, 0), 12, ACK), Some(Signal::Fail { data_sequence: number }));
    assert_eq!(Signal::parse(&found(12, 7, 0), 12, ACK), Some(Signal::FastClose));
    assert_eq!(receiver_key(&found(12, 7, 0)), number);
    for (low, is_transient) in [(0, false), (1, true), (0xe, false)] {
        let reset = Signal::Reset { is_transient, reason: 3 };
        assert_eq!(Signal::parse(&found(4, 8, low), 4, RST), Some(reset));
    }
}
