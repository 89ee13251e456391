//! Frames that are not read as TCP, and why.

use super::tunnels::{LABEL, decode_one, ether, frame, over_udp, over_v4, over_v6, typed, v4, wifi};
use crate::{Counts, Unread};

/// Why the one frame of a capture was not read.
pub fn unread(link: u16, frame: &[u8]) -> Unread {
    let Counts { unread, .. } = decode_one(link, frame).counts;
    assert_eq!(unread.len(), 1, "{link} {frame:02x?}");
    unread.into_keys().next().unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn what_cannot_be_read_is_counted_by_reason() {
    let packet = &v4()[0];
    let macsec = [&[0x0c, 0, 0, 0, 0, 1][..], packet].concat();
    let ether_type = |number: u16, payload: &[u8]| ether(number.to_be_bytes(), payload);
    let mut data_offset_4 = packet.clone();
    data_offset_4[32] = 0x40;
    let mut short_header = packet.clone();
    short_header[0] = 0x44;
    let mut short_total = packet.clone();
    short_total[3] = 43;
    let mut first = packet.clone();
    (first[3], first[6]) = (28, 0x20);
    let mut later = packet.clone();
    later[7] = 3;
    let extensions: Vec<u8> = std::iter::repeat_n([60, 0, 1, 4, 0, 0, 0, 0], 8).flatten().collect();
    let tags: Vec<u8> = std::iter::repeat_n([0, 1, 0x81, 0], 300).flatten().collect();
    let table = [
        (1, ether_type(0x8100, &tags), Unread::Nested),
        (1, ether_type(0x1234, packet), Unread::EtherType(0x1234)),
        (113, [&[0; 14][..], &[0, 8], packet].concat(), Unread::EtherType(8)),
        (1, ether_type(0x88e5, &macsec), Unread::Encrypted("MACsec")),
        (1, ether_type(100, &[&[0x98, 0x98, 3][..], packet].concat()), Unread::Llc(0x98)),
        (1, ether_type(100, &[&[0xaa, 0xaa, 3, 0, 0, 9, 8, 0][..], packet].concat()), Unread::Llc(0x09_0800)),
        (
            1,
            ether_type(0x8864, &[&[0x11, 0, 0, 1, 0, 9, 0, 0x3d][..], packet].concat()),
            Unread::Unsupported("multilink PPP"),
        ),
        (
            1,
            ether_type(0x8864, &[&[0x21, 0, 0, 1, 0, 9, 0, 0x21][..], packet].concat()),
            Unread::Malformed("PPPoE"),
        ),
        (9, [&[0xff, 3, 0x40, 0x21][..], packet].concat(), Unread::PppProtocol(0x4021)),
        (1, ether_type(0x8847, &[&LABEL[..], &[0x77; 40]].concat()), Unread::Unrecognised("MPLS labels")),
        (1, over_v4(50, packet), Unread::Encrypted("IPsec")),
        (1, over_udp(4500, &[1, 2, 3, 4], packet), Unread::Encrypted("IPsec over UDP 4500")),
        (1, over_udp(51820, &[4, 0, 0, 0], packet), Unread::Encrypted("WireGuard, UDP 51820")),
        (1, over_v4(115, packet), Unread::Unsupported("L2TP version 3")),
        (1, over_v4(200, packet), Unread::IpProtocol(200)),
        (1, over_v6(60, &extensions), Unread::Extensions),
        // Over IPv4 these numbers are no extension headers.
        (1, over_v4(0, packet), Unread::IpProtocol(0)),
        (1, over_v4(43, packet), Unread::IpProtocol(43)),
        (1, over_v4(44, packet), Unread::IpProtocol(44)),
        (1, over_v4(60, packet), Unread::IpProtocol(60)),
        (1, over_v4(51, packet), Unread::Unsupported("IPsec's authentication header over IPv4")),
        (1, over_v4(47, &typed(&[0, 2], packet)), Unread::Malformed("GRE")),
        (1, over_v4(47, &typed(&[0x40, 0], packet)), Unread::Unsupported("GRE with source routes")),
        (1, over_udp(4789, &[0; 8], &frame(2, packet)), Unread::Malformed("VXLAN")),
        (
            1,
            over_udp(6081, &[0x40, 0, 0x65, 0x58, 0, 0, 5, 0], &frame(2, packet)),
            Unread::Malformed("Geneve"),
        ),
        (1, over_udp(2152, &[0x50, 255, 0, 60, 0, 0, 0, 3], packet), Unread::Malformed("GTP-U")),
        (
            1,
            over_udp(2152, &[0x34, 255, 0, 60, 0, 0, 0, 3, 0, 0, 0, 0x85, 0], packet),
            Unread::Malformed("GTP-U"),
        ),
        (1, over_udp(2152, &[0x30, 255, 0, 60, 0, 0, 0, 3], &[0x77; 40]), Unread::Unrecognised("GTP-U")),
        (
            105,
            wifi([0x88, 1], &[0x80, 0], packet),
            Unread::Unsupported("several Wi-Fi frames in one (A-MSDU)"),
        ),
        (105, [&[0x08, 0x41][..], &[2; 20], &[0; 2], &[0x99; 60]].concat(), Unread::Encrypted("Wi-Fi")),
        (105, [&[0x08, 0x01][..], &[2; 20], &[0x11, 0], &[0x99; 60]].concat(), Unread::LaterFragment),
        (127, [&[1, 0, 8, 0, 0, 0, 0, 0][..], packet].concat(), Unread::Malformed("radiotap")),
        (192, [&[0, 0, 8, 0, 147, 0, 0, 0][..], packet].concat(), Unread::LinkType(147)),
        (0, [&[9, 0, 0, 0][..], packet].concat(), Unread::Unrecognised("an address family that is not IP's")),
        (101, vec![0x55; 60], Unread::Malformed("IP")),
        (101, short_header, Unread::Malformed("IPv4")),
        (101, data_offset_4, Unread::Malformed("TCP")),
        (101, short_total.clone(), Unread::Malformed("TCP")),
        (1, over_v4(4, &short_total), Unread::Malformed("TCP")),
        (101, later, Unread::LaterFragment),
        (101, first, Unread::ShortFragment),
        (101, packet[..30].to_vec(), Unread::Cut),
    ];
    for (link, frame, reason) in table {
        assert_eq!(unread(link, &frame), reason, "{link} {frame:02x?}");
    }
}

#[test]
fn what_carries_no_tcp_is_counted_apart() {
    let packet = &v4()[0];
    let frames = [
        (1, ether([0x08, 0x06], &[0; 28])),
        (1, ether([0x88, 0xcc], &[0; 28])),
        (1, ether([0x88, 0x63], &[0x11, 9, 0, 0, 0, 4])),
        (1, ether([0, 38], &[0x42, 0x42, 3, 0, 0, 0])),
        (1, ether([0x88, 0x64], &[0x11, 0, 0, 1, 0, 6, 0xc0, 0x21, 1, 1, 0, 4])),
        (1, over_v4(1, packet)),
        (1, over_udp(53, &[], packet)),
        (1, over_udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0], &[0; 4])),
        (1, over_udp(1701, &[0xc8, 2], &[0; 10])),
        (1, over_udp(4500, &[0; 4], packet)),
        (105, [&[0x80, 0][..], &[0; 40]].concat()),
        (105, [&[0x48, 1][..], &[0; 22]].concat()),
        (113, [&[0; 14][..], &[0, 1], &[0xff; 30]].concat()),
        (113, [&[0, 0, 3, 0x38], &[0; 12][..], &[0xff; 30]].concat()),
    ];
    for (link, frame) in frames {
        let Counts { without_tcp, unread, .. } = decode_one(link, &frame).counts;
        assert_eq!((without_tcp, unread.len()), (1, 0), "{link} {frame:02x?} {unread:?}");
    }
}
