//! Bounds, extension headers, fragments and the hop count.

use std::{vec, vec::Vec};

use super::{parse_v4, parse_v6, std, v4, v6, with_frame};
use crate::wire::{
    Bytes, Frame as _,
    ip::{Address, Family, Packet, TCP},
};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ENCRYPTED: u8 = 50;
const AUTHENTICATION: u8 = 51;
const NOTHING: u8 = 59;
const DESTINATION: u8 = 60;

#[test]
fn v4_fields() {
    let packet = parse_v4(&v4(0, 17, &[0; 8])).unwrap();
    let expected = Packet {
        family: Family::V4,
        source: Address::from_v4([10, 0, 0, 1]),
        destination: Address::from_v4([10, 0, 0, 2]),
        hops_left: 64,
        protocol: 17,
        is_fragment: false,
        is_later_fragment: false,
        header: 0,
        payload: 20,
        end: 28,
    };
    assert_eq!(packet, expected);
    assert_eq!(packet.source.octets(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]);
}

#[test]
fn v4_header_length_is_five_words_or_more() {
    for words in 0..16 {
        let mut bytes = v4(10, TCP, &[0; 20]);
        bytes[0] = 0x40 | words;
        let payload = parse_v4(&bytes).map(|packet| packet.payload);
        assert_eq!(payload, (words >= 5).then_some(usize::from(words) * 4), "IHL {words}");
    }
}

#[test]
fn v4_total_length_covers_the_header() {
    for (options, total, is_packet) in
        [(0, 0, false), (0, 19, false), (0, 20, true), (1, 23, false), (1, 24, true), (0, u16::MAX, true)]
    {
        let mut bytes = v4(options, TCP, &[]);
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        assert_eq!(parse_v4(&bytes).is_some(), is_packet, "{options} words of options, {total} bytes");
    }
}

#[test]
fn version_is_the_parsers_own() {
    for version in 0..16 {
        let with_version = |mut bytes: Vec<u8>| {
            bytes[0] = bytes[0] & 0x0f | version << 4;
            bytes
        };
        assert_eq!(parse_v4(&with_version(v4(0, TCP, &[]))).is_some(), version == 4, "{version}");
        assert_eq!(parse_v6(&with_version(v6(TCP, &[]))).is_some(), version == 6, "{version}");
    }
}

#[test]
fn v4_fragments() {
    for (bits, is_fragment, is_later) in [
        (0x0000, false, false),
        (0x4000, false, false),
        (0x8000, false, false),
        (0x2000, true, false),
        (0x0001, true, true),
        (0x1000, true, true),
        (0x3fff, true, true),
    ] {
        let mut bytes = v4(0, TCP, &[]);
        bytes[6..8].copy_from_slice(&u16::to_be_bytes(bits));
        let packet = parse_v4(&bytes).unwrap();
        assert_eq!((packet.is_fragment, packet.is_later_fragment), (is_fragment, is_later), "{bits:04x}");
    }
}

#[test]
fn v4_packet_cut_within_its_fixed_header_is_none() {
    let bytes = v4(2, TCP, &[0; 4]);
    for kept in 0..=bytes.len() {
        assert_eq!(parse_v4(&bytes[..kept]).is_some(), kept >= 20, "{kept} bytes");
    }
}

/// An extension header of `length` bytes in which `next` follows.
fn extension(next: u8, length_field: u8, length: usize) -> Vec<u8> {
    let mut header = vec![0xee; length];
    header[..2].copy_from_slice(&[next, length_field]);
    header
}

#[test]
fn v6_extension_headers_have_their_own_units() {
    for (kind, field, length) in [
        (HOP_BY_HOP, 0, 8),
        (HOP_BY_HOP, 255, 2048),
        (ROUTING, 2, 24),
        (DESTINATION, 1, 16),
        (AUTHENTICATION, 4, 24),
        (AUTHENTICATION, 0, 8),
        (FRAGMENT, 0, 8),
        // What stands there is reserved, not a length.
        (FRAGMENT, 255, 8),
    ] {
        let mut header = extension(TCP, field, length);
        if kind == FRAGMENT {
            header[2..4].fill(0);
        }
        let packet = parse_v6(&v6(kind, &header)).unwrap();
        let found = (packet.protocol, packet.payload, packet.is_fragment);
        assert_eq!(found, (TCP, 40 + length, kind == FRAGMENT), "{kind} of {field}");
    }
}

#[test]
fn v6_fields() {
    let packet = parse_v6(&v6(TCP, &[])).unwrap();
    assert_eq!((packet.family, packet.hops_left, packet.header, packet.payload), (Family::V6, 64, 0, 40));
    assert_eq!(packet.source.octets(), std::array::from_fn(|at| at as u8 + 1));
    assert_eq!(packet.destination.octets(), std::array::from_fn(|at| at as u8 + 17));
}

#[test]
fn v6_walk_ends_at_whatever_is_no_extension_header() {
    for kind in 0..=255 {
        let is_walked = matches!(kind, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION);
        // Nothing behind it: only a header that is walked is missed.
        assert_eq!(
            parse_v6(&v6(kind, &[])).map(|packet| packet.payload),
            (!is_walked).then_some(40),
            "{kind}"
        );
    }
    let chain = [extension(ENCRYPTED, 0, 8), extension(TCP, 0, 8)].concat();
    let packet = parse_v6(&v6(DESTINATION, &chain)).unwrap();
    assert_eq!((packet.protocol, packet.payload), (ENCRYPTED, 48));
}

#[test]
fn v6_walk_is_bounded() {
    for count in 0..10 {
        let mut chain = extension(DESTINATION, 0, 8).repeat(count);
        if let Some(last) = chain.len().checked_sub(8) {
            chain[last] = TCP;
        }
        let packet = parse_v6(&v6(if count == 0 { TCP } else { DESTINATION }, &chain)).unwrap();
        let expected = if count <= 6 { (TCP, 40 + 8 * count) } else { (DESTINATION, 40 + 8 * 6) };
        assert_eq!((packet.protocol, packet.payload), expected, "{count} headers");
    }
}

#[test]
fn v6_packet_cut_within_a_header_is_none() {
    let chain = [extension(FRAGMENT, 1, 16), vec![NOTHING, 0, 0, 1, 0, 0, 0, 0]].concat();
    let bytes = v6(HOP_BY_HOP, &chain);
    for kept in 0..=bytes.len() {
        // Of the last extension header the part that is read has to be there.
        let is_whole = kept >= 40 + 16 + 4;
        let found = parse_v6(&bytes[..kept]);
        assert!(!is_whole || found.is_some(), "{kept} bytes");
        assert!(kept >= 40 + 16 + 2 || found.is_none(), "{kept} bytes");
    }
}

#[test]
fn v6_walk_stops_at_a_later_fragment() {
    for (offset, is_later) in
        [(0x0000, false), (0x0001, false), (0x0006, false), (0x0008, true), (0xfff9, true)]
    {
        let fragment = [&[DESTINATION, 0], &u16::to_be_bytes(offset)[..], &[0; 4]].concat();
        let packet = parse_v6(&v6(FRAGMENT, &[fragment, extension(TCP, 0, 8)].concat())).unwrap();
        assert!(packet.is_fragment);
        assert_eq!(packet.is_later_fragment, is_later, "{offset:04x}");
        let expected = if is_later { (DESTINATION, 48) } else { (TCP, 56) };
        assert_eq!((packet.protocol, packet.payload), expected, "{offset:04x}");
    }
    // Payload of a later fragment that would be an extension header beyond the end.
    let later = [DESTINATION, 0, 0, 8, 0, 0, 0, 0];
    assert!(parse_v6(&v6(FRAGMENT, &later)).is_some());
}

#[test]
fn end_is_that_of_the_length_field() {
    let padded = |mut bytes: Vec<u8>| {
        bytes.extend([0; 9]);
        bytes
    };
    let ends = [
        (parse_v4(&padded(v4(1, TCP, &[0; 3]))), 27, false),
        (parse_v6(&padded(v6(TCP, &[0; 3]))), 43, false),
        (parse_v6(&v6(TCP, &[])), 40, true),
    ];
    for (packet, end, is_elsewhere) in ends {
        let packet = packet.unwrap();
        assert_eq!(packet.end, end);
        assert_eq!(packet.bytes_from(end - 2), Some(2));
        assert_eq!(packet.bytes_from(end + 1), is_elsewhere.then_some(u16::MAX));
    }
}

#[test]
fn mapped_addresses_are_none_on_the_wire() {
    let plain = v6(TCP, &[0; 20]);
    assert!(parse_v6(&plain).is_some());
    for at in [8, 24] {
        let mut bytes = plain.clone();
        bytes[at..at + 12].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
        assert_eq!(parse_v6(&bytes), None, "{at}");
    }
}

/// The checksum of a whole IPv4 header (RFC 1071), with the checksum field taken as it stands.
fn sum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Writes the checksum that a sender computes.
fn seal(header: &mut [u8]) {
    header[10..12].fill(0);
    let checksum = !sum(header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}

fn decrement(bytes: &mut [u8]) {
    let mut frame = Bytes(bytes);
    let packet = Packet::parse_v4(&frame, 0).unwrap();
    packet.decrement_hops(&mut frame).unwrap();
}

/// Every checksum there is, at every hop count where the update may carry.
#[test]
fn v4_decrement_gives_the_checksum_of_a_full_computation() {
    for hops in [2, 3, 64, 128, 255] {
        for identification in 0..=u16::MAX {
            let mut header = v4(0, TCP, &[]);
            header[4..6].copy_from_slice(&identification.to_be_bytes());
            header[8] = hops;
            seal(&mut header);
            let mut expected = header.clone();
            expected[8] -= 1;
            seal(&mut expected);
            decrement(&mut header);
            assert_eq!(header, expected, "{hops} hops, identification {identification:04x}");
        }
    }
}

/// RFC 1624, 3: 0x0000 and 0xffff are the same number to a receiver, so both may come in; both have to go out
/// as one that the receiver accepts.
#[test]
fn v4_decrement_keeps_either_zero_valid() {
    let mut header = v4(0, TCP, &[]);
    let free = (0..=u16::MAX).find(|free| {
        header[4..6].copy_from_slice(&free.to_be_bytes());
        seal(&mut header);
        header[10..12] == [0, 0]
    });
    assert!(free.is_some());
    for zero in [[0x00, 0x00], [0xff, 0xff]] {
        let mut bytes = header.clone();
        bytes[10..12].copy_from_slice(&zero);
        assert_eq!(sum(&bytes), 0xffff, "{zero:?}");
        decrement(&mut bytes);
        assert_eq!((sum(&bytes), bytes[8]), (0xffff, 63), "{zero:?}");
    }
}

#[test]
fn v4_decrement_of_a_wrong_checksum_stays_wrong() {
    let mut header = v4(0, TCP, &[]);
    seal(&mut header);
    header[11] ^= 0x40;
    decrement(&mut header);
    assert_ne!(sum(&header), 0xffff);
}

#[test]
fn v6_decrement_touches_the_hop_limit_only() {
    let bytes = v6(TCP, &[1, 2, 3]);
    let mut changed = bytes.clone();
    let mut frame = Bytes(&mut changed);
    Packet::parse_v6(&frame, 0).unwrap().decrement_hops(&mut frame).unwrap();
    let mut expected = bytes;
    expected[7] = 63;
    assert_eq!(changed, expected);
}

#[test]
fn packet_without_a_hop_left_is_not_decremented() {
    let mut bytes = v4(0, TCP, &[]);
    bytes[8] = 0;
    let mut six = v6(TCP, &[]);
    six[7] = 0;
    for (bytes, parse) in [(bytes, parse_v4 as fn(&[u8]) -> Option<Packet>), (six, parse_v6)] {
        let packet = parse(&bytes).unwrap();
        with_frame(&bytes, |mut frame| {
            assert_eq!(packet.decrement_hops(&mut frame), None);
            assert_eq!(frame.read::<20>(0), bytes[..20].try_into().ok());
        });
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_point_before_their_end(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..120),
        is_v6: bool,
    ) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = *first & 0x0f | if is_v6 { 0x60 } else { 0x40 };
        }
        let parse = if is_v6 { parse_v6 } else { parse_v4 };
        if let Some(packet) = parse(&bytes) {
            proptest::prop_assert!(packet.payload >= 20 && packet.payload <= 40 + 6 * 2048);
            proptest::prop_assert!(!packet.is_later_fragment || packet.is_fragment);
        }
    }
}
