//! Which options are shown, and what is said of them.

use serde_json::{Value, json};
use smoc_common::{
    token::{Version, derive},
    wire::tcp::{ACK, RST, SYN},
};

use super::scene::{Scene, capable, decode_file, ip, join, option, packet, pcap};
use crate::{Reason, Token, ignored::Kind};

const A: &str = "10.0.0.1:40000";
const B: &str = "10.0.0.2:5001";
const KEYS: [u64; 2] = [0x1111_2222_3333_4444, 0x5555_6666_7777_8888];

fn shown(flags: u8, options: &[u8]) -> Value {
    serde_json::to_value(Scene::default().send(A, B, flags, [1, 1], options).decode().options).unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn fields_are_those_that_apply() {
    let common = json!({
        "frame": 1, "src": "10.0.0.1", "sport": 40000, "dst": "10.0.0.2", "dport": 5001, "connection": null,
    });
    let added = |mut details: Value| {
        details["subtype"] = "ADD_ADDR".into();
        details
    };
    let mut hmac = vec![5, 10, 0, 0, 9];
    hmac.resize(13, 0xaa);
    let table = [
        (
            SYN,
            join(0xab, 3, true),
            json!({"subtype": "MP_JOIN", "phase": "syn", "token": "000000ab",
            "address_id": 3, "backup": true}),
        ),
        (
            SYN | ACK,
            option(1, 0, &[4; 13]),
            json!({"subtype": "MP_JOIN", "phase": "synack",
            "address_id": 4, "backup": false}),
        ),
        (ACK, option(1, 0, &[4; 21]), json!({"subtype": "MP_JOIN", "phase": "ack"})),
        (ACK, option(3, 0, &hmac), added(json!({"address_id": 5, "address": "10.0.0.9", "echo": false}))),
        (ACK, option(3, 1, &hmac[..5]), added(json!({"address_id": 5, "address": "10.0.0.9", "echo": true}))),
        (
            ACK,
            option(3, 1, &[5, 10, 0, 0, 9, 0x20, 0xfb]),
            added(json!({"address_id": 5, "address": "10.0.0.9", "port": 8443, "echo": true})),
        ),
        (
            ACK,
            option(3, 4, &hmac[..7]),
            added(json!({"address_id": 5, "address": "10.0.0.9", "port": 0xaaaa, "echo": false})),
        ),
        (
            ACK,
            option(3, 6, &[7; 17]),
            added(json!({"address_id": 7, "address": "707:707:707:707:707:707:707:707", "echo": false})),
        ),
        (
            ACK,
            option(3, 0, &[7; 27]),
            added(
                json!({"address_id": 7, "address": "707:707:707:707:707:707:707:707", "port": 0x0707, "echo": false}),
            ),
        ),
        (ACK, option(4, 0, &[1, 2, 9]), json!({"subtype": "REMOVE_ADDR", "address_ids": [1, 2, 9]})),
        (ACK, option(5, 1, &[]), json!({"subtype": "MP_PRIO", "backup": true})),
        (ACK, option(5, 0, &[8]), json!({"subtype": "MP_PRIO", "backup": false, "address_id": 8})),
        (
            ACK,
            option(6, 0, &[0, 0xff, 0, 0, 0, 0, 0, 1, 0]),
            json!({"subtype": "MP_FAIL", "data_sequence": 0xff00_0000_0000_0100_u64}),
        ),
        (ACK, option(7, 0, &[0; 9]), json!({"subtype": "MP_FASTCLOSE"})),
        (
            RST,
            option(8, 1, &[4]),
            json!({"subtype": "MP_TCPRST", "transient": true, "reason": 4,
            "reason_name": "too much outstanding data"}),
        ),
        (RST, option(8, 0, &[7]), json!({"subtype": "MP_TCPRST", "transient": false, "reason": 7})),
    ];
    for (flags, options, expected) in table {
        let mut object = common.clone();
        object.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        assert_eq!(shown(flags, &options), json!([object]), "{options:02x?}");
    }
}

#[test]
fn flags_of_capable_are_named_by_their_letters() {
    let syn = |flags| shown(SYN, &option(0, 1, &[flags]))[0]["flags"].clone();
    assert_eq!(syn(0x01), json!(["H"]));
    assert_eq!(syn(0xa1), json!(["A", "C", "H"]));
}

#[test]
fn fast_close_names_the_token_of_its_connections_version() {
    let close = option(7, 0, &[&[0][..], &KEYS[1].to_be_bytes()].concat());
    let mut scene = Scene::default();
    scene.connect(A, B, KEYS, 1).send(A, B, ACK, [2, 2], &close).send(B, A, ACK, [2, 2], &close);
    scene.send("10.0.0.1:1", B, SYN, [1, 0], &capable(Version::V0, &[1]));
    scene.send(B, "10.0.0.1:1", SYN | ACK, [1, 2], &capable(Version::V0, &KEYS[1..]));
    scene.send("10.0.0.1:1", B, ACK, [2, 2], &close).send("10.0.0.1:2", B, ACK, [2, 2], &close);
    let decoded = scene.decode();
    let tokens = decoded.options.iter().filter(|seen| seen.subtype == "MP_FASTCLOSE");
    let [v0, v1] = [Version::V0, Version::V1].map(|version| Some(Token(derive(version, KEYS[1]))));
    assert_eq!(tokens.map(|seen| seen.details.receiver_token).collect::<Vec<_>>(), [v1, v1, v0, None]);
}

#[test]
fn what_hosts_ignore_is_left_out_and_listed_with_the_reason() {
    let without_hmac = |version: u8, flags: u8| option(0, version, &[flags]);
    let (syn, syn_ack, ack) = (Kind::Syn, Kind::SynAck, Kind::Ack);
    let table = [
        (SYN, without_hmac(1, 0x80), "MP_CAPABLE", Reason::NoAlgorithm),
        (SYN, without_hmac(1, 0x41), "MP_CAPABLE", Reason::Extension),
        (SYN, without_hmac(1, 0x03), "MP_CAPABLE", Reason::OtherAlgorithm),
        (SYN, without_hmac(2, 0x03), "MP_CAPABLE", Reason::OtherAlgorithm),
        (SYN | ACK, option(0, 2, &[&[0x01][..], &[0; 8]].concat()), "MP_CAPABLE", Reason::Version(2)),
        (SYN, option(0, 2, &[&[0x01][..], &[0; 8]].concat()), "MP_CAPABLE", Reason::Length(12, syn)),
        (SYN, without_hmac(0, 0x01), "MP_CAPABLE", Reason::Length(4, syn)),
        (SYN, capable(Version::V1, &[1]), "MP_CAPABLE", Reason::Length(12, syn)),
        (SYN | ACK, capable(Version::V1, &[]), "MP_CAPABLE", Reason::Length(4, syn_ack)),
        (ACK, capable(Version::V1, &[1]), "MP_CAPABLE", Reason::Length(12, ack)),
        (RST, capable(Version::V1, &[]), "MP_CAPABLE", Reason::Segment(Kind::Reset)),
        (0, capable(Version::V1, &[]), "MP_CAPABLE", Reason::Length(4, Kind::Neither)),
        (SYN, option(0, 1, &[]), "MP_CAPABLE", Reason::Length(3, syn)),
        (SYN, option(1, 0, &[0; 8]), "MP_JOIN", Reason::Length(11, syn)),
        (ACK, option(1, 0, &[0; 9]), "MP_JOIN", Reason::Length(12, ack)),
        (ACK, option(3, 0, &[0; 5]), "ADD_ADDR", Reason::Length(8, ack)),
        (ACK, option(3, 1, &[0; 13]), "ADD_ADDR", Reason::Length(16, ack)),
        (ACK, option(4, 0, &[]), "REMOVE_ADDR", Reason::Length(3, ack)),
        (ACK, option(4, 0, &[0; 9]), "REMOVE_ADDR", Reason::Length(12, ack)),
        (ACK, option(5, 0, &[0; 2]), "MP_PRIO", Reason::Length(5, ack)),
        (ACK, option(6, 0, &[]), "MP_FAIL", Reason::Length(3, ack)),
        (ACK, option(7, 0, &[]), "MP_FASTCLOSE", Reason::Length(3, ack)),
        (ACK, option(8, 0, &[0]), "MP_TCPRST", Reason::NoReset),
        (RST, option(8, 0, &[]), "MP_TCPRST", Reason::Length(3, Kind::Reset)),
        (ACK, option(9, 0, &[0]), "unknown", Reason::Subtype(9)),
        (ACK, option(15, 0, &[0]), "unknown", Reason::Subtype(15)),
        (SYN, vec![30, 12, 0x10, 0], "MP_JOIN", Reason::Beyond),
        (SYN, vec![1, 30, 1, 0x30], "ADD_ADDR", Reason::Beyond),
        (SYN, vec![1, 1, 1, 30], "unknown", Reason::Beyond),
    ];
    for (flags, options, subtype, reason) in table {
        let decoded = Scene::default().send(A, B, flags, [1, 1], &options).decode();
        let ignored: Vec<_> =
            decoded.ignored.iter().map(|seen| (seen.place.frame, seen.subtype, seen.reason)).collect();
        let expected = [(1, subtype, reason)];
        assert_eq!((decoded.options.len(), &ignored[..]), (0, &expected[..]), "{options:02x?}");
    }
}

#[test]
fn dss_is_neither_shown_nor_counted() {
    for rest in [&[0; 9][..], &[]] {
        let decoded = Scene::default().send(A, B, ACK, [1, 1], &option(2, 0, rest)).decode();
        assert_eq!((decoded.options.len(), decoded.ignored.len()), (0, 0));
    }
}

#[test]
fn all_options_of_a_segment_are_shown_in_their_order() {
    let options =
        [option(5, 1, &[]), option(2, 0, &[0]), vec![1, 1, 8, 4, 0, 0], option(4, 0, &[1])].concat();
    let decoded = Scene::default().send(A, B, ACK, [1, 1], &options).decode();
    let names: Vec<_> = decoded.options.iter().map(|seen| (seen.place.frame, seen.subtype)).collect();
    assert_eq!(names, [(1, "MP_PRIO"), (1, "REMOVE_ADDR")]);
}

#[test]
fn option_that_reaches_beyond_the_header_ends_the_walk() {
    let options = [&option(5, 1, &[])[..], &[30, 12, 0x10, 0, 1]].concat();
    let decoded = Scene::default().send(A, B, SYN, [1, 1], &options).decode();
    assert_eq!(decoded.options.len(), 1);
}

#[test]
fn frame_cut_within_its_options_shows_those_before_the_cut() {
    let options = [option(5, 1, &[]), vec![1], join(1, 1, false)].concat();
    let whole = packet(A, B, SYN, [1, 1], &options);
    for kept in 40..=whole.len() {
        let decoded = decode_file(&pcap(101, &[whole[..kept].to_vec()], u32::to_le_bytes));
        let expected = [&["MP_PRIO", "MP_JOIN"][..], &["MP_PRIO"], &[]][match kept {
            56.. => 0,
            43.. => 1,
            _ => 2,
        }];
        assert_eq!(decoded.options.iter().map(|seen| seen.subtype).collect::<Vec<_>>(), expected, "{kept}");
        assert_eq!(decoded.counts.cut, u64::from(kept < whole.len()), "{kept}");
    }
}

#[test]
fn first_fragments_are_read_and_later_ones_are_not() {
    let mut first = packet(A, B, SYN, [1, 0], &capable(Version::V1, &[]));
    first[6] = 0x20;
    let mut later = first.clone();
    later[7] = 1;
    let tcp = &first[20..];
    let fragment = |bits: u16| {
        let bits = bits.to_be_bytes();
        let payload = [&[6, 0, bits[0], bits[1], 0, 0, 0, 9], tcp].concat();
        ip("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap(), 44, &payload)
    };
    let packets = vec![first.clone(), later, fragment(1), fragment(8 | 1), fragment(8)];
    let frames: Vec<_> = Scene { packets }.decode().options.iter().map(|seen| seen.place.frame).collect();
    assert_eq!(frames, [1, 3]);
}

#[test]
fn header_that_ends_behind_its_packet_is_not_read() {
    let mut short = packet(A, B, SYN, [1, 0], &capable(Version::V1, &[]));
    short[3] -= 1;
    let udp = ip("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap(), 17, &short[20..]);
    assert_eq!(Scene { packets: vec![short, udp] }.decode().options.len(), 0);
}
