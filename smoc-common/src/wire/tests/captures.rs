//! Captures that others took: every key in their truth files gives its token, and the parsers agree with them
//! frame by frame.

use std::{fs, path::PathBuf, string::String, vec::Vec};

use serde_json::Value;

use super::{std, walk, window, with_frame};
use crate::{
    token::{Version, derive},
    wire::{
        Frame as _,
        ethernet::{Header, behind_tags},
        ip::{Packet, TCP},
        mptcp::{Capable, Carrier, subtype},
        tcp::{ACK, RST, SYN, Segment},
    },
};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

fn truth(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(directory().join(name).with_extension("truth.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names() -> Vec<String> {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().into())
        .collect();
    names.sort();
    assert_eq!(names.len(), 8);
    names
}

fn number(value: &Value) -> Option<u64> {
    Some(u64::from_str_radix(value.as_str()?, 16).unwrap())
}

#[test]
fn keys_of_all_captures_give_their_tokens() {
    let mut checked = 0;
    for name in names() {
        for line in truth(&name) {
            let version = if line["version"] == 0 { Version::V0 } else { Version::V1 };
            for (key, token) in [("sender_key", "sender_token"), ("receiver_key", "receiver_token")] {
                let Some(key) = number(&line[key]) else { continue };
                assert_eq!(Some(derive(version, key).into()), number(&line[token]), "{name}: {line}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 23);
}

#[test]
fn published_vectors_give_their_tokens() {
    let text = fs::read_to_string(directory().join("token_vectors.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let mut checked = 0;
    let mut check = |version, key: &Value, token: &Value| {
        assert_eq!(Some(derive(version, number(key).unwrap()).into()), number(token), "{key}");
        checked += 1;
    };
    for (version, list) in [(Version::V1, "v1_sha256"), (Version::V0, "v0_sha1")] {
        for pair in vectors[list].as_array().unwrap() {
            check(version, &pair[0], &pair[2]);
            check(version, &pair[1], &pair[2]);
        }
    }
    for vector in vectors["third_party_text_vectors"].as_array().unwrap() {
        let version = if vector["version"] == 0 { Version::V0 } else { Version::V1 };
        check(version, &vector["key"], &vector["token"]);
    }
    assert_eq!(checked, 21);
}

/// The frames of a little-endian pcap file, and its link type.
fn frames(name: &str) -> (u32, Vec<Vec<u8>>) {
    let file = fs::read(directory().join(name).with_extension("pcap")).unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_c3d4);
    let mut frames = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let end = at + 16 + word(at + 8) as usize;
        frames.push(file[at + 16..end].to_vec());
        at = end;
    }
    (word(20), frames)
}

fn segment(link: u32, bytes: &[u8]) -> Option<Segment> {
    with_frame(bytes, |frame| {
        let packet = match link {
            1 => Packet::parse(&frame, &Header::parse(&frame)?),
            101 => Packet::parse_v4(&frame, 0),
            113 => {
                let (ether_type, header) = behind_tags(&frame, u16::from_be_bytes(frame.read(14)?), 16)?;
                Packet::of_type(&frame, ether_type, header)
            }
            _ => panic!("link type {link}"),
        }?;
        if packet.protocol == TCP { Segment::parse(&frame, packet.payload)?.within(&packet) } else { None }
    })
}

/// Frame, subtype, length, offset among the options, ports, SYN, ACK and RST of each option other than DSS.
type Located = (u64, u64, u64, u64, u64, u64, bool, bool, bool);

#[test]
fn options_of_all_captures_are_where_others_find_them() {
    for name in names() {
        let (link, frames) = frames(&name);
        let mut found: Vec<Located> = Vec::new();
        for (index, bytes) in frames.iter().enumerate() {
            let Some(segment) = segment(link, bytes) else { continue };
            let options = &bytes[segment.options..segment.options + segment.options_length];
            for place in walk(options) {
                let subtype = options[place.at + 2] >> 4;
                if subtype != subtype::DSS {
                    found.push((
                        index as u64 + 1,
                        subtype.into(),
                        place.length as u64,
                        place.at as u64,
                        segment.source_port.into(),
                        segment.destination_port.into(),
                        segment.has(SYN),
                        segment.has(ACK),
                        segment.has(RST),
                    ));
                }
            }
        }
        let expected: Vec<Located> = truth(&name)
            .iter()
            .map(|line| {
                let [frame, subtype, length, at, from, to] =
                    ["frame", "subtype", "len", "off", "sport", "dport"]
                        .map(|field| line[field].as_u64().unwrap());
                let [syn, ack, rst] = ["syn", "ack", "rst"].map(|field| line[field].as_bool().unwrap());
                (frame, subtype, length, at, from, to, syn, ack, rst)
            })
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn keys_of_all_captures_are_read_as_others_read_them() {
    for name in names() {
        let (link, frames) = frames(&name);
        for line in truth(&name).iter().filter(|line| line["subtype"] == 0) {
            let bytes = &frames[line["frame"].as_u64().unwrap() as usize - 1];
            let segment = segment(link, bytes).unwrap();
            let length = line["len"].as_u64().unwrap() as usize;
            let at = segment.options + line["off"].as_u64().unwrap() as usize;
            let capable = Capable::parse(&window(&bytes[at..at + length]), length, Carrier::of(&segment));
            let found =
                capable.map(|capable| (capable.version as u64, capable.sender_key, capable.receiver_key));
            let version = line["version"].as_u64().unwrap();
            let expected = (version, number(&line["sender_key"]), number(&line["receiver_key"]));
            assert!(found == Some(expected), "{name}: frame {}", line["frame"]);
        }
    }
}
