//! Captures that others took, against what two independent decoders say of them.

use std::{fs, path::PathBuf};

use serde_json::{Map, Value, json};
use smoc_common::token::{Version, derive};

use crate::decode;

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "smoc-common", "tests", "captures"].iter().collect()
}

/// What `smoc decode` has to say where a truth file says `truth`. Truth files name the connection of
/// handshakes only; `connection` is that of everything else.
fn expected(truth: &Map<String, Value>, connection: &Value) -> Value {
    const NAMES: [&str; 9] = [
        "MP_CAPABLE",
        "MP_JOIN",
        "DSS",
        "ADD_ADDR",
        "REMOVE_ADDR",
        "MP_PRIO",
        "MP_FAIL",
        "MP_FASTCLOSE",
        "MP_TCPRST",
    ];
    const SAME: [(&str, &str); 10] = [
        ("frame", "frame"),
        ("src", "src"),
        ("sport", "sport"),
        ("dst", "dst"),
        ("dport", "dport"),
        ("sender_token", "sender_token"),
        ("receiver_token", "receiver_token"),
        ("token", "token"),
        ("addr_id", "address_id"),
        ("addr_ids", "address_ids"),
    ];
    let mut object = Map::new();
    for (theirs, ours) in SAME {
        if let Some(value) = truth.get(theirs) {
            object.insert(ours.to_owned(), value.clone());
        }
    }
    let subtype = truth["subtype"].as_u64().unwrap() as usize;
    object.insert("subtype".to_owned(), json!(NAMES[subtype]));
    if let Some(version) = truth.get("version") {
        object.insert("version".to_owned(), version.clone());
    }
    if subtype <= 1 {
        let phase = match (&truth["syn"], &truth["ack"]) {
            (Value::Bool(true), Value::Bool(false)) => "syn",
            (Value::Bool(true), _) => "synack",
            _ => "ack",
        };
        object.insert("phase".to_owned(), json!(phase));
    }
    if let Some(backup) = truth.get("backup") {
        object.insert("backup".to_owned(), json!(backup == 1));
    }
    object.extend(details(truth, subtype));
    object.insert("connection".to_owned(), truth.get("conn").unwrap_or(connection).clone());
    Value::Object(object)
}

/// The details that truth files have in other forms: flags as a number, addresses as bytes, MP_FASTCLOSE's key (of
/// version 0 in all these files).
fn details(truth: &Map<String, Value>, subtype: usize) -> Map<String, Value> {
    let details = match subtype {
        0 => {
            let flags = truth["flags"].as_u64().unwrap();
            let letters: Vec<_> =
                (0..8).filter(|at| flags & 0x80 >> at != 0).map(|at| &"ABCDEFGH"[at..=at]).collect();
            json!({"flags": letters})
        }
        3 => {
            let body = truth["body"].as_str().unwrap();
            let byte = |at: usize| u8::from_str_radix(&body[2 * at..2 * at + 2], 16).unwrap().to_string();
            let echo = truth["low"].as_u64().unwrap() & 1 == 1;
            json!({"address": (0..4).map(byte).collect::<Vec<_>>().join("."), "echo": echo})
        }
        7 => {
            let key = u64::from_str_radix(truth["key"].as_str().unwrap(), 16).unwrap();
            json!({"receiver_token": format!("{:08x}", derive(Version::V0, key))})
        }
        8 => {
            let (number, flags) = (truth["reason"].as_u64().unwrap(), truth["flags"].as_u64().unwrap());
            let name = ["unspecified error", "MPTCP-specific error"][number as usize];
            json!({"transient": flags & 1 == 1, "reason": number, "reason_name": name})
        }
        _ => json!({}),
    };
    details.as_object().unwrap().clone()
}

/// Compares a capture with its truth file; returns how many options there were.
fn check(name: &str, connection: Value) -> usize {
    let path = directory().join(name);
    let decoded = decode(fs::File::open(path.with_extension("pcap")).unwrap()).unwrap();
    let truth = fs::read_to_string(path.with_extension("truth.jsonl")).unwrap();
    let expected: Vec<_> =
        truth.lines().map(|line| expected(&serde_json::from_str(line).unwrap(), &connection)).collect();
    assert_eq!(serde_json::to_value(&decoded.options).unwrap(), Value::Array(expected), "{name}");
    assert_eq!((decoded.damage, decoded.ignored.len(), decoded.counts.cut), (None, 0, 0), "{name}");
    decoded.options.len()
}

#[test]
fn captures_of_others_are_decoded_as_others_decode_them() {
    for (name, connection, count) in [
        ("mptcp-v0", json!(0), 8),
        ("mptcp-v1", json!(0), 4),
        ("mptcp-aa-v1", json!(0), 5),
        ("mptcp-fclose", json!(0), 4),
        ("mptcp-tcprst", Value::Null, 2),
        ("mptcp-aa-echo", Value::Null, 2),
        ("ptcpdump-mptcp", json!(0), 4),
    ] {
        assert_eq!(check(name, connection), count, "{name}");
    }
}

#[test]
fn malformed_dss_counts_as_nothing() {
    assert_eq!(check("mptcp-dss-oobr", Value::Null), 0);
}

#[test]
fn no_key_is_printed() {
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.to_str().unwrap().strip_suffix(".truth.jsonl") else { continue };
        let printed = format!("{:?}", decode(fs::File::open(format!("{name}.pcap")).unwrap()).unwrap());
        for line in fs::read_to_string(&path).unwrap().lines() {
            let truth: Value = serde_json::from_str(line).unwrap();
            for key in ["sender_key", "receiver_key", "key"].iter().filter_map(|field| truth[field].as_str())
            {
                assert!(!printed.contains(key), "{name}");
                let number = u64::from_str_radix(key, 16).unwrap().to_string();
                assert!(!printed.contains(&number), "{name}");
            }
        }
    }
}
