//! The walk over TCP options against an independent one, and what it does at its bounds.

use std::{collections::BTreeMap, vec, vec::Vec};

use proptest::{collection::vec as vector, num::u8::ANY, prelude::Strategy, prop_oneof};

use super::{std, walk};
use crate::wire::{
    mptcp::{self, KIND, Place},
    tcp::OPTIONS_LENGTH,
};

/// All MPTCP options by recursion over slices, as RFC 9293, 3.2 has it.
fn naive(options: &[u8], at: usize) -> Vec<Place> {
    match *options {
        [] | [0, ..] => vec![],
        [1, ref rest @ ..] => naive(rest, at + 1),
        [_] | [_, 0 | 1, ..] => vec![],
        [_, length, ..] if usize::from(length) > options.len() => vec![],
        [kind, length, ..] => {
            let length = usize::from(length);
            let this = (kind == KIND && length >= 3).then_some(Place { at, length });
            this.into_iter().chain(naive(&options[length..], at + length)).collect()
        }
    }
}

#[test]
fn walks() {
    let found = |places: &[(usize, usize)]| -> Vec<_> {
        places.iter().map(|&(at, length)| Place { at, length }).collect()
    };
    type Walk = (&'static [u8], &'static [(usize, usize)]);
    let table: &[Walk] = &[
        (&[], &[]),
        (&[30, 3, 0], &[(0, 3)]),
        (&[1, 1, 30, 4, 0, 0], &[(2, 4)]),
        (&[2, 4, 5, 180, 30, 4, 0, 0, 1, 30, 3, 0x20], &[(4, 4), (9, 3)]),
        // A length below 2, or none at all, or beyond the end ends the walk.
        (&[3, 0, 30, 3, 0], &[]),
        (&[3, 1, 30, 3, 0], &[]),
        (&[30], &[]),
        (&[30, 4, 0], &[]),
        (&[30, 3, 0, 30, 255, 0], &[(0, 3)]),
        // MPTCP without a subtype is no MPTCP, and the walk goes on.
        (&[30, 2, 30, 3, 0], &[(2, 3)]),
        // Behind the end of options stands nothing.
        (&[0, 30, 3, 0], &[]),
    ];
    for (options, expected) in table {
        assert_eq!(walk(options), found(expected), "{options:02x?}");
    }
}

#[test]
fn option_at_the_very_end_is_found_and_nothing_behind_it() {
    let mut options = [1; OPTIONS_LENGTH];
    options[OPTIONS_LENGTH - 3..].copy_from_slice(&[KIND, 3, 0x50]);
    assert_eq!(walk(&options), [Place { at: OPTIONS_LENGTH - 3, length: 3 }]);
    options[OPTIONS_LENGTH - 2] = 4;
    assert_eq!(walk(&options), []);
    assert_eq!(walk(&[1; OPTIONS_LENGTH]), []);
}

#[test]
fn every_place_among_the_options_has_a_window() {
    let buffer = std::array::from_fn(|at| at as u8);
    for at in 0..=OPTIONS_LENGTH {
        let window = mptcp::window(&buffer, Place { at, length: 3 }).unwrap();
        assert_eq!((window[0], window[mptcp::WINDOW - 1]), (at as u8, (at + mptcp::WINDOW - 1) as u8));
    }
}

/// Bytes that look like options more often than random ones do.
fn likely_options() -> impl Strategy<Value = Vec<u8>> {
    let option = prop_oneof![
        3 => (ANY, 2_u8..14, ANY).prop_map(|(kind, length, fill)| {
            let mut option = vec![fill; length.into()];
            option[..2].copy_from_slice(&[kind, length]);
            option
        }),
        4 => (3_u8..30, ANY).prop_map(|(length, subtype)| {
            let mut option = vec![subtype; length.into()];
            option[..2].copy_from_slice(&[KIND, length]);
            option
        }),
        2 => proptest::strategy::Just(vec![1]),
        1 => vector(ANY, 1..3),
    ];
    vector(option, 0..8).prop_map(|options| {
        let mut options = options.concat();
        options.truncate(OPTIONS_LENGTH);
        options
    })
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4096))]

    #[test]
    fn random_bytes_are_walked_as_the_naive_walk_does(options in vector(ANY, 0..=OPTIONS_LENGTH)) {
        proptest::prop_assert_eq!(walk(&options), naive(&options, 0));
    }

    #[test]
    fn likely_options_are_walked_as_the_naive_walk_does(options in likely_options()) {
        proptest::prop_assert_eq!(walk(&options), naive(&options, 0));
    }

    /// Each option begins behind the one before and ends within the options.
    #[test]
    fn walk_advances_and_stays_inside(options in likely_options()) {
        let mut end = 0;
        let mut seen = BTreeMap::new();
        for place in walk(&options) {
            proptest::prop_assert!(place.at >= end && place.length >= 3);
            end = place.at + place.length;
            proptest::prop_assert!(end <= options.len());
            proptest::prop_assert!(seen.insert(place.at, place.length).is_none());
        }
    }
}
