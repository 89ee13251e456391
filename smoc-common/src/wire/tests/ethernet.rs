//! Addresses, tags and their bounds.

use std::vec::Vec;

use super::{counted, std, v4, with_frame};
use crate::wire::{
    Frame as _,
    ethernet::{Header, IPV4, IPV6, MacAddress, TPID_CUSTOMER, TPID_SERVICE, rewrite},
    ip::Packet,
};

/// A frame with these TPIDs, a tag behind each, and this EtherType.
fn tagged(tpids: &[u16], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = counted::<12>().to_vec();
    for tpid in tpids {
        frame.extend(tpid.to_be_bytes());
        frame.extend([0x81, 0x00]);
    }
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}

fn parse(frame: &[u8]) -> Option<Header> {
    with_frame(frame, |frame| Header::parse(&frame))
}

#[test]
fn up_to_two_tags_are_followed() {
    const C: u16 = TPID_CUSTOMER;
    const S: u16 = TPID_SERVICE;
    let table: &[(&[u16], u16, usize)] = &[
        (&[], IPV4, 14),
        (&[C], IPV4, 18),
        (&[S], IPV4, 18),
        (&[S, C], IPV4, 22),
        (&[C, C], IPV4, 22),
        (&[C, S], IPV4, 22),
        (&[S, S, C], C, 22),
        (&[C, C, C, C], C, 22),
        // A TPID of old equipment is an EtherType like any other.
        (&[0x9100, C], 0x9100, 14),
    ];
    for &(tpids, ether_type, payload) in table {
        let header = parse(&tagged(tpids, IPV4, &[0; 20])).unwrap();
        assert_eq!((header.ether_type, header.payload), (ether_type, payload), "{tpids:x?}");
    }
}

#[test]
fn addresses_are_those_of_the_first_twelve_bytes() {
    let bytes = tagged(&[], IPV6, &[]);
    let header = parse(&bytes).unwrap();
    let (destination, source) = (mac([1, 2, 3, 4, 5, 6]), mac([7, 8, 9, 10, 11, 12]));
    assert_eq!((header.destination, header.source), (destination, source));
    assert_ne!(header.destination, header.source);
}

/// Every byte counts in a comparison, and only the lowest bit of the first for a group.
#[test]
fn addresses_differ_in_any_bit() {
    let zero = mac([0; 6]);
    for bit in 0..48 {
        let mut bytes = [0; 6];
        bytes[bit / 8] = 1 << (bit % 8);
        assert_ne!(mac(bytes), zero, "bit {bit}");
        assert_eq!(mac(bytes).is_group(), bit == 0, "bit {bit}");
    }
    assert!(mac([0xff; 6]).is_group());
}

#[test]
fn frame_cut_within_its_header_is_none() {
    for (tpids, header) in [(&[][..], 14), (&[TPID_CUSTOMER], 18), (&[TPID_SERVICE, TPID_CUSTOMER], 22)] {
        let frame = tagged(tpids, IPV4, &[0; 2]);
        for kept in 0..=frame.len() {
            assert_eq!(parse(&frame[..kept]).is_some(), kept >= header, "{tpids:x?}, {kept} bytes");
        }
    }
}

#[test]
fn only_ip_behind_at_most_two_tags_is_a_packet() {
    let packet = v4(0, 6, &[0; 20]);
    for (tags, is_packet) in [(0, true), (1, true), (2, true), (3, false)] {
        let frame = tagged(&[TPID_CUSTOMER; 3][..tags], IPV4, &packet);
        let found = with_frame(&frame, |frame| Packet::parse(&frame, &Header::parse(&frame)?));
        assert_eq!(found.map(|packet| packet.header), is_packet.then_some(14 + 4 * tags), "{tags} tags");
    }
    for ether_type in [0x0806, IPV6, 0x0000] {
        let frame = tagged(&[], ether_type, &packet);
        let found = with_frame(&frame, |frame| Packet::parse(&frame, &Header::parse(&frame)?));
        assert_eq!(found, None, "{ether_type:04x}");
    }
}

#[test]
fn rewriting_touches_the_addresses_and_nothing_else() {
    let (destination, source) =
        (mac([0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6]), mac([0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6]));
    with_frame(&tagged(&[], IPV4, &[]), |mut frame| {
        assert_eq!(rewrite(&mut frame, destination, source), Some(()));
        let written = [0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0x08, 0x00];
        assert_eq!(frame.read(0), Some(written));
    });
    with_frame(&[0; 11], |mut frame| {
        assert_eq!(rewrite(&mut frame, destination, source), None);
        assert_eq!(frame.read(0), Some([0; 11]));
    });
}

fn mac(bytes: [u8; 6]) -> MacAddress {
    MacAddress::new(bytes)
}
