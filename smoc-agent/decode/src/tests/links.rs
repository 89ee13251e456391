//! What stands before the IP header.

use smoc_common::{token::Version, wire::tcp::SYN};

use super::scene::{Scene, block, capable, decode_file, enhanced, packet, pcap, pcap_with_magic, section};

type Wrap = fn(&[u8]) -> Vec<u8>;

fn is_v6(packet: &[u8]) -> bool {
    packet[0] >> 4 == 6
}

fn ether_type(packet: &[u8]) -> [u8; 2] {
    if is_v6(packet) { [0x86, 0xdd] } else { [0x08, 0x00] }
}

fn family(packet: &[u8], six: u32) -> u32 {
    if is_v6(packet) { six } else { 2 }
}

/// Link type, and how it wraps an IP packet.
const LINKS: &[(u16, Wrap)] = &[
    (1, |packet| [&[2; 12][..], &ether_type(packet), packet].concat()),
    (1, |packet| [&[2; 12][..], &[0x81, 0, 0, 5], &ether_type(packet), packet].concat()),
    (1, |packet| [&[2; 12][..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6], &ether_type(packet), packet].concat()),
    (113, |packet| [&[0, 4, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0][..], &ether_type(packet), packet].concat()),
    (113, |packet| [&[0; 14][..], &[0x81, 0, 0, 5], &ether_type(packet), packet].concat()),
    (276, |packet| [&ether_type(packet)[..], &[0, 0, 0, 0, 0, 2, 0, 1, 4, 6], &[2; 8], packet].concat()),
    (276, |packet| [&[0x81, 0][..], &[0; 18], &[0, 5], &ether_type(packet), packet].concat()),
    (101, <[u8]>::to_vec),
    (12, <[u8]>::to_vec),
    (14, <[u8]>::to_vec),
    (228, <[u8]>::to_vec),
    (229, <[u8]>::to_vec),
    (0, |packet| [&family(packet, 10).to_le_bytes(), packet].concat()),
    (0, |packet| [&family(packet, 30).to_be_bytes(), packet].concat()),
    (0, |packet| [&family(packet, 28).to_le_bytes(), packet].concat()),
    (108, |packet| [&family(packet, 24).to_be_bytes(), packet].concat()),
];

/// An IPv4 and an IPv6 SYN.
fn packets() -> [Vec<u8>; 2] {
    let syn = |from, to| packet(from, to, SYN, [1, 0], &capable(Version::V1, &[]));
    [syn("10.0.0.1:1", "10.0.0.2:2"), syn("[fd00::1]:1", "[fd00::2]:2")]
}

fn expect_both(file: &[u8], what: &str) {
    let decoded = decode_file(file);
    let seen: Vec<_> = decoded
        .options
        .iter()
        .map(|seen| (seen.place.frame, seen.place.src.to_string(), seen.connection))
        .collect();
    let expected = [(1, "10.0.0.1".to_owned(), Some(0)), (2, "fd00::1".to_owned(), Some(1))];
    assert_eq!((&seen[..], decoded.damage), (&expected[..], None), "{what}");
}

#[test]
fn every_link_type_in_every_file_format() {
    for (index, &(link, wrap)) in LINKS.iter().enumerate() {
        let frames = packets().map(|packet| wrap(&packet));
        for word in [u32::to_le_bytes as fn(u32) -> [u8; 4], u32::to_be_bytes] {
            let what = format!("link type {link}, row {index}, {:?}", word(1));
            for magic in [0xa1b2_c3d4, 0xa1b2_3c4d] {
                expect_both(&pcap_with_magic(magic, link.into(), &frames, word), &what);
            }
            let packets = frames.iter().flat_map(|frame| enhanced(0, frame, word));
            expect_both(&section(&[link], word).into_iter().chain(packets).collect::<Vec<_>>(), &what);
        }
    }
}

#[test]
fn simple_and_obsolete_packet_blocks() {
    for word in [u32::to_le_bytes as fn(u32) -> [u8; 4], u32::to_be_bytes] {
        let [four, six] = packets();
        let simple = block(3, &[&word(four.len() as u32), &four[..]].concat(), word);
        let length = word(six.len() as u32);
        let obsolete = block(2, &[&[0; 4], &word(0), &word(0), &length, &length, &six[..]].concat(), word);
        expect_both(&[section(&[101], word), simple, obsolete].concat(), "blocks");
    }
}

#[test]
fn interfaces_and_sections_of_one_file_differ() {
    let [four, six] = packets();
    let (ethernet, cooked) = (LINKS[0].1, LINKS[3].1);
    let (little, big) = (u32::to_le_bytes, u32::to_be_bytes);
    let one = [
        section(&[113, 1], little),
        enhanced(1, &ethernet(&four), little),
        block(0xbad, b"of no interest", little),
        enhanced(0, &cooked(&six), little),
    ];
    expect_both(&one.concat(), "one section");
    let two = [
        section(&[1], big),
        enhanced(0, &ethernet(&four), big),
        section(&[113], little),
        enhanced(0, &cooked(&six), little),
    ];
    expect_both(&two.concat(), "two sections");
}

#[test]
fn simple_packets_end_where_the_interface_cut_them() {
    let mut packet = packets()[0].clone();
    let (length, snap) = (packet.len() as u32, 42);
    packet.truncate(snap);
    // What stands behind the cut is padding and no part of the frame.
    packet.extend([0x01, 0x01]);
    let head = section(&[], u32::to_le_bytes);
    let interface = block(1, &[101, 0, 0, 0, snap as u8, 0, 0, 0], u32::to_le_bytes);
    let simple = block(3, &[&length.to_le_bytes(), &packet[..]].concat(), u32::to_le_bytes);
    let decoded = decode_file(&[head, interface, simple].concat());
    assert_eq!((decoded.options.len(), decoded.counts.cut), (0, 1));
}

#[test]
fn flags_beside_the_link_type_are_none_of_it() {
    let frames = packets().map(|packet| LINKS[0].1(&packet));
    expect_both(&pcap(1 | 0x2400_0000, &frames, u32::to_le_bytes), "frame check sequence");
}

#[test]
fn frames_of_no_or_another_protocol_are_passed_over() {
    let frames = [vec![], vec![0x45], vec![2; 14], [&[2; 12][..], &[0x08, 0x06], &[0; 28]].concat()];
    for &(link, _) in LINKS {
        let decoded = decode_file(&pcap(link.into(), &frames, u32::to_le_bytes));
        assert_eq!((decoded.options.len(), decoded.damage), (0, None), "{link}");
    }
    assert_eq!(Scene::default().decode().options.len(), 0);
}
