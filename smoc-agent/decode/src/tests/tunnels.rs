//! What stands around an IP packet: each encapsulation by its bytes, cut off anywhere, and changed anywhere.

use smoc_common::{
    token::Version,
    wire::tcp::{ACK, SYN},
};

use super::{
    scene::{capable, decode_file, ip, join, packet, pcap},
    unread::unread,
};
use crate::{Decoded, Unread};

type Wrap = fn(&[u8]) -> Vec<u8>;

fn is_v6(packet: &[u8]) -> bool {
    packet[0] >> 4 == 6
}

fn ether_type(packet: &[u8]) -> [u8; 2] {
    if is_v6(packet) { [0x86, 0xdd] } else { [0x08, 0x00] }
}

/// A header up to its EtherType, and the packet behind that.
pub fn typed(head: &[u8], packet: &[u8]) -> Vec<u8> {
    [head, &ether_type(packet), packet].concat()
}

/// Ethernet with this EtherType.
pub fn ether(ether_type: [u8; 2], payload: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &ether_type, payload].concat()
}

/// An Ethernet frame around an IP packet, whose destination begins with this byte.
pub fn frame(first: u8, packet: &[u8]) -> Vec<u8> {
    typed(&[&[first][..], &[2; 11]].concat(), packet)
}

/// An Ethernet frame with an IPv4 packet of this protocol.
pub fn over_v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    frame(2, &ip([172, 16, 0, 1].into(), [172, 16, 0, 2].into(), protocol, payload))
}

/// An Ethernet frame with an IPv6 packet of this protocol.
pub fn over_v6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    frame(2, &ip("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), protocol, payload))
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 8).to_be_bytes();
    [&[0x82, 0x35][..], &port.to_be_bytes(), &length, &[0, 0], payload].concat()
}

/// An Ethernet frame with a UDP datagram to this port.
pub fn over_udp(port: u16, head: &[u8], payload: &[u8]) -> Vec<u8> {
    over_v4(17, &udp(port, &[head, payload].concat()))
}

fn ppp(packet: &[u8]) -> Vec<u8> {
    [if is_v6(packet) { &[0x00, 0x57][..] } else { &[0x00, 0x21] }, packet].concat()
}

fn pppoe(packet: &[u8]) -> Vec<u8> {
    let payload = ppp(packet);
    let length = (payload.len() as u16).to_be_bytes();
    [&[0x11, 0, 0, 1, length[0], length[1]][..], &payload].concat()
}

fn llc(packet: &[u8]) -> Vec<u8> {
    typed(&[0xaa, 0xaa, 3, 0, 0, 0], packet)
}

/// A Wi-Fi frame: control, what follows the first 24 bytes, and a packet.
pub fn wifi(control: [u8; 2], rest: &[u8], packet: &[u8]) -> Vec<u8> {
    [&control[..], &[2; 20], &[0x10, 0], rest, &llc(packet)].concat()
}

fn number(packet: &[u8]) -> u8 {
    if is_v6(packet) { 2 } else { 1 }
}

/// A label at the bottom of its stack.
pub const LABEL: [u8; 4] = [0, 0x06, 0x41, 64];
const LABELS: [u8; 8] = [0, 0x06, 0x50, 64, 0, 0x06, 0x41, 64];

/// What the encapsulation is called, the link type, and how it wraps a packet.
const TUNNELS: &[(&str, u16, Wrap)] = &[
    ("", 1, |p| frame(2, p)),
    ("vlan", 1, |p| typed(&ether([0x91, 0x00], &[0, 5]), p)),
    ("vlan", 1, |p| typed(&ether([0x92, 0x00], &[0, 5]), p)),
    ("vlan, vlan, vlan, vlan, vlan", 1, |p| {
        let tags = [0, 5, 0x81, 0, 0, 6, 0x91, 0, 0, 7, 0x81, 0, 0, 8, 0x88, 0xa8, 0, 9];
        typed(&ether([0x88, 0xa8], &tags), p)
    }),
    ("llc/snap", 1, |p| ether((llc(p).len() as u16).to_be_bytes(), &llc(p))),
    ("llc/snap", 1, |p| ether([0, 100], &[&[0xaa, 0xaa, 3, 0, 0, 0xf8], &ether_type(p)[..], p].concat())),
    ("llc/snap", 1, |p| ether([0, 100], &[&[6, 6, 3], p].concat())),
    ("vlan, llc/snap", 1, |p| ether([0x81, 0x00], &[&[0, 5, 0, 100], &llc(p)[..]].concat())),
    ("hsr", 1, |p| typed(&ether([0x89, 0x2f], &[0x10, 0x50, 0, 1]), p)),
    ("vn-tag", 1, |p| typed(&ether([0x89, 0x26], &[0; 4]), p)),
    ("e-tag", 1, |p| typed(&ether([0x89, 0x3f], &[0; 6]), p)),
    ("cisco-metadata", 1, |p| typed(&ether([0x89, 0x09], &[1, 1, 0, 1, 0, 7]), p)),
    ("macsec", 1, |p| typed(&ether([0x88, 0xe5], &[&[0x20, 0, 0, 0, 0, 1], &[1; 8][..]].concat()), p)),
    ("macsec", 1, |p| typed(&ether([0x88, 0xe5], &[0, 0, 0, 0, 0, 1]), p)),
    ("pbb", 1, |p| ether([0x88, 0xe7], &[&[0, 0, 0, 5], &frame(2, p)[..]].concat())),
    ("pppoe", 1, |p| ether([0x88, 0x64], &pppoe(p))),
    ("vlan, pppoe", 1, |p| ether([0x81, 0x00], &[&[0, 5, 0x88, 0x64], &pppoe(p)[..]].concat())),
    ("pppoe", 1, |p| ether([0x88, 0x64], &[&[0x11, 0, 0, 1, 0, 99], &ppp(p)[1..]].concat())),
    ("mpls", 1, |p| ether([0x88, 0x47], &[&LABEL[..], p].concat())),
    ("mpls", 1, |p| ether([0x88, 0x48], &[&LABELS[..], p].concat())),
    ("mpls, pseudowire", 1, |p| ether([0x88, 0x47], &[&LABEL, &[0; 4], &frame(2, p)[..]].concat())),
    ("mpls, pseudowire", 1, |p| {
        ether([0x88, 0x47], &[&LABELS[..], &[0, 0, 0x12, 0x34], &frame(0, p)].concat())
    }),
    ("mpls, pseudowire", 1, |p| ether([0x88, 0x47], &[&LABEL, &[0; 4], &frame(0x44, p)[..]].concat())),
    ("mpls, pseudowire", 1, |p| ether([0x88, 0x47], &[&LABEL, &frame(0, p)[..]].concat())),
    ("mpls, pseudowire", 1, |p| ether([0x88, 0x47], &[&LABEL, &frame(0x18, p)[..]].concat())),
    ("mpls, pseudowire", 1, |p| ether([0x88, 0x47], &[&LABEL, &frame(0x44, p)[..]].concat())),
    ("mpls, pseudowire", 1, |p| ether([0x88, 0x47], &[&LABEL, &frame(0x60, p)[..]].concat())),
    ("mpls, pseudowire, vlan", 1, |p| {
        ether([0x88, 0x47], &[&LABEL, &[0; 4], &typed(&ether([0x81, 0x00], &[0, 5]), p)[..]].concat())
    }),
    ("mpls", 1, |p| over_v4(137, &[&LABEL[..], p].concat())),
    ("mpls", 1, |p| over_udp(6635, &LABEL, p)),
    ("gre", 1, |p| over_v4(47, &typed(&[0, 0], p))),
    ("gre", 1, |p| over_v6(47, &[&[0xb0, 0], &ether_type(p)[..], &[1; 12], p].concat())),
    ("gre", 1, |p| over_v4(47, &[&[0x20, 0, 0x65, 0x58], &[1; 4], &frame(2, p)[..]].concat())),
    ("gre, vlan", 1, |p| {
        over_v4(47, &[&[0, 0, 0x65, 0x58], &typed(&ether([0x81, 0], &[0, 5]), p)[..]].concat())
    }),
    ("gre, mpls", 1, |p| over_v4(47, &[&[0, 0, 0x88, 0x47], &LABEL[..], p].concat())),
    ("gre", 1, |p| over_v4(47, &[&[0x30, 0x81, 0x88, 0x0b], &[1; 12][..], &[0xff, 3], &ppp(p)].concat())),
    ("gre", 1, |p| over_udp(4754, &[0, 0], &typed(&[], p))),
    ("gre, erspan", 1, |p| over_v4(47, &[&[0, 0, 0x88, 0xbe], &frame(2, p)[..]].concat())),
    ("gre, erspan", 1, |p| over_v4(47, &[&[0x10, 0, 0x88, 0xbe], &[0; 12][..], &frame(2, p)].concat())),
    ("gre, erspan", 1, |p| over_v4(47, &[&[0x10, 0, 0x22, 0xeb], &[0; 16][..], &frame(2, p)].concat())),
    ("gre, erspan", 1, |p| {
        over_v4(47, &[&[0x10, 0, 0x22, 0xeb], &[0; 15][..], &[1], &[0; 8], &frame(2, p)].concat())
    }),
    ("gre, wccp", 1, |p| over_v4(47, &[&[0, 0, 0x88, 0x3e], &[0; 4], p].concat())),
    ("etherip", 1, |p| over_v4(97, &[&[0x30, 0], &frame(2, p)[..]].concat())),
    ("vxlan", 1, |p| over_udp(4789, &[8, 0, 0, 0, 0, 0, 5, 0], &frame(2, p))),
    ("vxlan", 1, |p| over_udp(8472, &[0x88, 0, 0, 1, 0, 0, 5, 0], &frame(2, p))),
    ("vxlan, vlan", 1, |p| over_udp(4789, &[8, 0, 0, 0, 0, 0, 5, 0], &typed(&ether([0x81, 0], &[0, 5]), p))),
    ("vxlan-gpe", 1, |p| over_udp(4790, &[0x0c, 0, 0, number(p), 0, 0, 5, 0], p)),
    ("vxlan-gpe", 1, |p| over_udp(4790, &[0x08, 0, 0, 0, 0, 0, 5, 0], &frame(2, p))),
    ("vxlan-gpe, nsh", 1, |p| {
        over_udp(4790, &[&[0x0c, 0, 0, 4, 0, 0, 5, 0, 0x0f, 0xc6, 1, number(p)], &[0; 20][..]].concat(), p)
    }),
    ("geneve", 1, |p| over_udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 5, 0], &frame(2, p))),
    ("geneve", 1, |p| {
        let [high, low] = ether_type(p);
        over_udp(6081, &[&[2, 0, high, low, 0, 0, 5, 0], &[1; 8][..]].concat(), p)
    }),
    ("gtp-u", 1, |p| over_udp(2152, &[0x30, 255, 0, 60, 0, 0, 0, 3], p)),
    ("gtp-u", 1, |p| over_udp(2152, &[0x32, 255, 0, 64, 0, 0, 0, 3, 0, 1, 0, 0x85], p)),
    ("gtp-u", 1, |p| {
        let extensions = [0, 0, 0, 0x85, 1, 0x10, 5, 0xc0, 2, 1, 1, 1, 1, 1, 1, 0];
        over_udp(2152, &[&[0x34, 255, 0, 76, 0, 0, 0, 3], &extensions[..]].concat(), p)
    }),
    ("gtp-u", 1, |p| over_udp(2152, &[0x30, 255, 0, 74, 0, 0, 0, 3], &frame(2, p))),
    ("gtp-u", 1, |p| over_udp(2152, &[0x30, 255, 0, 64, 0, 0, 0, 3, 0xff, 3], &ppp(p))),
    ("vlan, vlan, gtp-u", 1, |p| {
        let outer = over_udp(2152, &[0x30, 255, 0, 60, 0, 0, 0, 3], p);
        typed(&ether([0x81, 0], &[0, 5, 0x81, 0, 0, 6]), &outer[14..])
    }),
    ("l2tp", 1, |p| over_udp(1701, &[0x00, 2, 0, 1, 0, 2, 0xff, 3], &ppp(p))),
    ("l2tp", 1, |p| {
        over_udp(1701, &[0x4a, 2, 0, 99, 0, 1, 0, 2, 0, 0, 0, 0, 0, 2, 0xee, 0xee, 0xff, 3], &ppp(p))
    }),
    ("vxlan, pppoe", 1, |p| over_udp(4789, &[8, 0, 0, 0, 0, 0, 5, 0], &ether([0x88, 0x64], &pppoe(p)))),
    ("", 9, |p| [&[0xff, 3], &ppp(p)[..]].concat()),
    ("", 9, ppp),
    ("", 50, |p| ppp(p)[1..].to_vec()),
    ("", 50, |p| typed(&[0x0f, 0], p)),
    ("pppoe", 51, pppoe),
    ("llc/snap", 100, llc),
    ("", 104, |p| typed(&[0x8f, 0], p)),
    ("llc/snap", 105, |p| wifi([0x08, 1], &[], p)),
    ("llc/snap", 105, |p| wifi([0x88, 2], &[0, 0], p)),
    ("llc/snap", 105, |p| wifi([0x88, 3], &[4, 4, 4, 4, 4, 4, 0, 0], p)),
    ("llc/snap", 105, |p| wifi([0x88, 0x82], &[0; 6], p)),
    ("llc/snap", 105, |p| wifi([0x08, 0x41], &[], p)),
    ("", 109, |p| [&[if is_v6(p) { 24 } else { 2 }, 0, 0, 0][..], &[0; 8], p].concat()),
    ("", 117, |p| [&[61, if is_v6(p) { 24 } else { 2 }][..], &[0; 62], p].concat()),
    ("llc/snap", 119, |p| [&[0x44, 0, 0, 0, 144, 0, 0, 0][..], &[0; 136], &wifi([0x08, 1], &[], p)].concat()),
    ("llc/snap", 127, |p| [&[0, 0, 9, 0, 2, 0, 0, 0, 0x10][..], &wifi([0x88, 2], &[0, 0], p)].concat()),
    ("llc/snap", 127, |p| {
        let radiotap = [0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0x20];
        [&radiotap[..], &wifi([0x88, 2], &[0; 4], p)].concat()
    }),
    ("", 138, |p| typed(&[1; 16], p)),
    ("llc/snap", 163, |p| [&[0, 8, 2, 0x11, 0, 0, 0, 64][..], &[0; 56], &wifi([0x08, 1], &[], p)].concat()),
    ("", 166, |p| [&[1, 3], &ppp(p)[..]].concat()),
    ("llc/snap", 192, |p| [&[0, 0, 8, 0, 105, 0, 0, 0], &wifi([0x08, 1], &[], p)[..]].concat()),
    ("", 192, |p| [&[0, 0, 12, 0, 1, 0, 0, 0, 9, 9, 9, 9], &frame(2, p)[..]].concat()),
    ("", 204, |p| [&[0, 0xff, 3], &ppp(p)[..]].concat()),
    ("mpls", 219, |p| [&LABEL[..], p].concat()),
    ("", 239, |p| {
        [&[2, 0, 0, 0, 8, 0, 1, 0, 1, 1, 1, 1, 6, 0, 10, 0, 7, 7, 0, 0, 60, 0, 9, 0][..], p].concat()
    }),
    ("", 239, |p| [&[2, 0, 0, 0, 0, 8, 0, 1, 1, 1, 1, 1, 0, 60, 0, 9][..], p].concat()),
    ("llc/snap", 113, |p| [&[0; 14][..], &[0, 4], &llc(p)].concat()),
    ("llc/snap", 113, |p| [&[0, 0, 3, 0x21], &[0; 12][..], &wifi([0x08, 1], &[], p)].concat()),
    ("pppoe", 276, |p| [&[0x88, 0x64], &[0; 18][..], &pppoe(p)].concat()),
];

/// Around an IPv4 packet, and around an IPv6 packet.
const IN_IP: &[([&str; 2], Wrap)] = &[
    (["ipip", "6in4"], |p| over_v4(if is_v6(p) { 41 } else { 4 }, p)),
    (["4in6", "6in6"], |p| over_v6(if is_v6(p) { 41 } else { 4 }, p)),
];

fn packets(from: &str, to: &str) -> [Vec<u8>; 2] {
    let answer = packet(to, from, ACK, [2, 2], &[30, 4, 0x40, 3]);
    [packet(from, to, SYN, [1, 0], &capable(Version::V1, &[])), answer]
}

/// An IPv4 SYN with MP_CAPABLE and its answer.
pub fn v4() -> [Vec<u8>; 2] {
    packets("10.0.0.1:1", "10.0.0.2:2")
}

fn v6() -> [Vec<u8>; 2] {
    packets("[fd00::1]:1", "[fd00::2]:2")
}

/// Decodes a capture of one frame.
pub fn decode_one(link: u16, frame: &[u8]) -> Decoded {
    decode_file(&pcap(link.into(), &[frame.to_vec()], u32::to_le_bytes))
}

/// Every wrap and what it is called around this packet.
fn all_around(packet: &[u8]) -> impl Iterator<Item = (&'static str, u16, Vec<u8>)> {
    let version = usize::from(is_v6(packet));
    let tunnels = TUNNELS.iter().map(|&(name, link, wrap)| (name, link, wrap(packet)));
    tunnels.chain(IN_IP.iter().map(move |(names, wrap)| (names[version], 1, wrap(packet))))
}

#[test]
fn packets_are_found_in_every_encapsulation_and_it_is_named() {
    for (index, packet) in v4().into_iter().chain(v6()).enumerate() {
        for (name, link, frame) in all_around(&packet) {
            let decoded = decode_one(link, &frame);
            let seen: Vec<_> =
                decoded.options.iter().map(|seen| (seen.subtype, seen.place.src.to_string())).collect();
            let subtype = ["MP_CAPABLE", "REMOVE_ADDR"][index % 2];
            let source = ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"][index];
            assert_eq!(
                seen,
                [(subtype, source.to_owned())],
                "{name} {link} {frame:02x?} {:?}",
                decoded.counts
            );
            assert_eq!(decoded.options[0].place.encapsulation.to_string(), name, "{link} {frame:02x?}");
        }
    }
}

#[test]
fn no_frame_is_cut_off_silently() {
    for packet in [&v4()[0], &v6()[0]] {
        for (name, link, frame) in all_around(packet) {
            for kept in 0..frame.len() {
                let Decoded { options, counts, .. } = decode_one(link, &frame[..kept]);
                let told: u64 = counts.unread.values().sum();
                assert_eq!((options.len(), told + counts.cut), (0, 1), "{name} {link} {kept} {counts:?}");
            }
        }
    }
}

#[test]
fn packet_of_length_0_goes_on_to_the_end_of_the_frame() {
    let mut plain = packet("10.0.0.1:1", "10.0.0.2:2", SYN, [1, 0], &join(7, 1, false));
    plain[2..4].fill(0);
    plain.resize(4000, 0);
    let mut tunnel = over_udp(4789, &[8, 0, 0, 0, 0, 0, 5, 0], &frame(2, &plain));
    tunnel[16..18].fill(0);
    for (link, frame) in [(101, plain.clone()), (1, tunnel)] {
        assert_eq!(decode_one(link, &frame).options.len(), 1);
    }
    // The packet around it says where it ends.
    let outer = [&over_v4(4, &plain[..50])[..], &plain[50..100]].concat();
    assert_eq!(unread(1, &outer), Unread::Malformed("TCP"));
}

#[test]
fn packet_of_length_0_that_the_capture_cut_off_is_no_shorter_for_it() {
    let mut long = packet("10.0.0.1:1", "10.0.0.2:2", SYN, [1, 0], &join(7, 1, false));
    long[2..4].fill(0);
    for (original, unread) in [(46, Some(Unread::Malformed("TCP"))), (4000_u32, None)] {
        let mut file = pcap(101, &[long[..46].to_vec()], u32::to_le_bytes);
        file[36..40].copy_from_slice(&original.to_le_bytes());
        let counts = decode_file(&file).counts;
        assert_eq!(counts.unread.keys().next().copied(), unread);
        assert_eq!(counts.cut, u64::from(unread.is_none()));
    }
}

#[test]
fn padding_behind_the_outer_packet_is_no_part_of_the_inner_one() {
    let whole = &v4()[0];
    let mut frame = over_v4(4, &whole[..40]);
    frame.extend(&whole[40..]);
    assert_eq!(unread(1, &frame), Unread::Malformed("TCP"));
}

#[test]
fn segments_are_counted_by_encapsulation() {
    let [syn, answer] = v4();
    let tag = |packet: &[u8]| typed(&ether([0x81, 0x00], &[0, 5]), packet);
    let frames = [frame(2, &syn), tag(&syn), tag(&answer), over_v4(1, &syn)];
    let counts = decode_file(&pcap(1, &frames, u32::to_le_bytes)).counts;
    let segments: Vec<_> = counts.segments.iter().map(|(trail, &count)| (trail.to_string(), count)).collect();
    assert_eq!(segments, [(String::new(), 1), ("vlan".to_owned(), 2)]);
    assert_eq!((counts.frames, counts.segments(), counts.without_tcp), (4, 3, 1));
}

proptest::proptest! {
    #[test]
    fn every_frame_becomes_a_segment_or_nothing_or_a_reason(
        index in 0..TUNNELS.len() + IN_IP.len(),
        is_v6: bool,
        noise in proptest::collection::vec((0_usize..160, proptest::num::u8::ANY), 0..6),
        kept in 0_usize..400,
    ) {
        let [packet, _] = if is_v6 { v6() } else { v4() };
        let (_, link, mut frame) = all_around(&packet).nth(index).unwrap();
        for (at, byte) in noise {
            let at = at % frame.len();
            frame[at] = byte;
        }
        frame.truncate(kept);
        let counts = decode_one(link, &frame).counts;
        let unread: u64 = counts.unread.values().sum();
        proptest::prop_assert_eq!(counts.segments() + counts.without_tcp + unread, 1);
    }

    #[test]
    fn bytes_of_any_link_type_make_nothing_panic(
        link in proptest::sample::select(vec![0_u16, 1, 9, 51, 100, 101, 104, 105, 109, 113, 117, 119, 127, 138, 163, 192, 204, 219, 239, 276]),
        frame in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
    ) {
        proptest::prop_assert_eq!(decode_one(link, &frame).counts.frames, 1);
    }
}
