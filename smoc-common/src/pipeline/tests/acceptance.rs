//! Handshakes as hosts accept them: Fast Open, SYN cookies, fallback, and options that are none.

use super::*;
use crate::wire::tcp::{FIN, RST};

const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x0123_4567_89ab_cdef];

fn bound(network: &Network) -> [u64; 2] {
    [0, 1].map(|edge| network.noted(edge, Note::Bound))
}

/// What becomes of a first SYN with these options.
fn syn_with(options: &[u8]) -> Outcome {
    let frame = Build::tcp(A, B).flags(SYN).numbers(5, 0).options(options).frame();
    Network::new().send(A, &frame).unwrap().outcome
}

#[test]
fn fast_open_connection_is_bound_whether_its_data_is_taken_or_not() {
    // The server takes all of the data, or none; then the client's ACK follows its SYN or the data.
    for (taken, sequence) in [(5, 1_006), (0, 1_001), (0, 1_006)] {
        let mut network = Network::new();
        let mut option = capable(Version::V1, &[]);
        option.extend([34, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
        let syn = Build::tcp(A, B).flags(SYN).numbers(1_000, 0).options(&option).payload(b"GET /").frame();
        let answer = Build::tcp(B, A).flags(SYN | ACK).numbers(9, 1_001 + taken);
        let answer = answer.options(&capable(Version::V1, &KEYS[1..])).frame();
        let ack = Build::tcp(A, B).numbers(sequence, 10).options(&capable(Version::V1, &KEYS)).frame();
        for (from, frame) in [(A, syn), (B, answer), (A, ack)] {
            network.rank_of(from, &frame);
        }
        assert_eq!(bound(&network), [1, 1], "{taken}, {sequence}");
    }
}

#[test]
fn numbers_that_follow_no_syn_answer_and_complete_nothing() {
    for (acknowledged, sequence) in [(1_000, 1_001), (1_002, 1_001), (1_001, 1_000), (1_001, 1_002)] {
        let mut network = Network::new();
        let [(_, syn), ..] = handshake(Version::V1, [A, B], KEYS);
        let answer = Build::tcp(B, A).flags(SYN | ACK).numbers(9, acknowledged);
        let answer = answer.options(&capable(Version::V1, &KEYS[1..])).frame();
        let ack = Build::tcp(A, B).numbers(sequence, 10).options(&capable(Version::V1, &KEYS)).frame();
        for (from, frame) in [(A, syn), (B, answer), (A, ack)] {
            network.rank_of(from, &frame);
        }
        assert_eq!(bound(&network), [0, 0], "{acknowledged}, {sequence}");
    }
}

#[test]
fn either_key_of_a_server_with_syn_cookies_is_the_right_one() {
    for (heard, bindings) in [(KEYS[1], 1), (42, 1), (43, 0)] {
        let mut network = Network::new();
        let [(_, syn), (_, answer), _] = handshake(Version::V1, [A, B], KEYS);
        let other =
            Build::tcp(B, A).flags(SYN | ACK).numbers(77, 1_001).options(&capable(Version::V1, &[42]));
        for (from, frame) in [(A, &syn), (B, &answer), (A, &syn), (B, &other.frame())] {
            network.rank_of(from, frame);
        }
        let ack = Build::tcp(A, B).numbers(1_001, 0).options(&capable(Version::V1, &[KEYS[0], heard]));
        network.rank_of(A, &ack.frame());
        assert_eq!(bound(&network), [bindings; 2], "{heard}");
    }
}

#[test]
fn second_answer_without_its_option_changes_nothing() {
    let mut network = Network::new();
    let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, [A, B], KEYS);
    let bare = Build::tcp(B, A).flags(SYN | ACK).numbers(77, 1_001).frame();
    for (from, frame) in [(A, syn), (B, answer), (B, bare), (A, ack)] {
        network.rank_of(from, &frame);
    }
    assert_eq!(bound(&network), [1, 1]);
}

#[test]
fn connection_that_falls_back_after_its_syns_leaves_the_handshake() {
    let mut network = Network::new();
    let [(_, syn), (_, answer), _] = handshake(Version::V1, [A, B], KEYS);
    for (from, frame) in [(A, syn), (B, answer)] {
        network.rank_of(from, &frame);
    }
    // A middlebox takes the options off all but SYNs.
    for n in 0..100 {
        network.rank_of(A, &Build::tcp(A, B).numbers(1_001 + 4 * n, 8).payload(b"data").frame());
    }
    network.rank_of(A, &Build::tcp(A, B).flags(FIN | ACK).numbers(1_401, 8).frame());
    network.rank_of(B, &Build::tcp(B, A).flags(FIN | ACK).numbers(8, 1_402).frame());
    for edge in 0..2 {
        assert!(network.edges[edge].half_open.entries.is_empty());
        assert_eq!(network.noted(edge, Note::FellBack), 1);
    }
}

#[test]
fn data_with_another_option_does_not_end_a_handshake() {
    let mut network = Network::new();
    let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, [A, B], KEYS);
    let dss = [30, 8, 0x20, 1, 0, 0, 0, 1];
    let data = Build::tcp(A, B).numbers(1_001, 0).options(&dss).payload(b"data").frame();
    for (from, frame) in [(A, syn), (B, answer), (A, data), (A, ack)] {
        network.rank_of(from, &frame);
    }
    assert_eq!(bound(&network), [1, 1]);
}

#[test]
fn options_beyond_the_end_of_the_packet_are_none() {
    let mut network = Network::new();
    let syn = Build::tcp(A, B).flags(SYN).numbers(5, 0).options(&capable(Version::V1, &[]));
    let mut frame = syn.frame();
    // The packet ends behind a TCP header without options: what looks like one is padding.
    frame[16..18].copy_from_slice(&40u16.to_be_bytes());
    frame.resize(60, 0);
    let arrived = network.send(A, &frame).unwrap();
    assert_eq!((arrived.outcome, network.edges[0].half_open.entries.len()), (Outcome::Plain, 0));
}

#[test]
fn v6_packet_with_mapped_addresses_is_not_the_v4_subflow() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    let v4 = Build::tcp(A, B).flags(RST).frame();
    let mut frame = v4[..12].to_vec();
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
    frame.extend(A.address.octets());
    frame.extend(B.address.octets());
    frame.extend(&v4[34..]);
    assert_eq!(network.send(A, &frame), Err(Outcome::NotForUs));
    assert!(!network.flow(A, B).unwrap().is_closed() && !network.flow(B, A).unwrap().is_closed());
}

#[test]
fn malformed_option_hides_no_good_one() {
    let mut two = std::vec![30, 5, 0x01, 0x01, 0];
    two.extend(capable(Version::V1, &[]));
    assert_eq!(syn_with(&two), Outcome::Handshake);
}

#[test]
fn syn_of_a_later_version_asks_for_version_1() {
    let mut network = Network::new();
    let [(_, mut syn), (_, answer), (_, ack)] = handshake(Version::V1, [A, B], KEYS);
    syn[56] = 2;
    for (from, frame) in [(A, syn), (B, answer), (A, ack)] {
        network.rank_of(from, &frame);
    }
    assert_eq!(bound(&network), [1, 1]);
}

#[test]
fn other_algorithms_than_hmac_are_refused() {
    for (flags, outcome) in [(0x01, Outcome::Handshake), (0x03, Outcome::Plain), (0x41, Outcome::Plain)] {
        let mut option = capable(Version::V1, &[]);
        option[3] = flags;
        assert_eq!(syn_with(&option), outcome, "{flags:02x}");
    }
}

#[test]
fn third_ack_is_as_long_as_its_data_asks_for() {
    for (length, data, bindings) in
        [(20, &b""[..], 1), (20, b"data", 0), (22, b"", 0), (22, b"data", 1), (24, b"data", 1), (24, b"", 0)]
    {
        let mut network = Network::new();
        let [(_, syn), (_, answer), _] = handshake(Version::V1, [A, B], KEYS);
        let mut option = capable(Version::V1, &KEYS);
        option[1] = length;
        option.resize(length.into(), 0);
        let ack = Build::tcp(A, B).numbers(1_001, 0).options(&option).payload(data).frame();
        for (from, frame) in [(A, syn), (B, answer), (A, ack)] {
            network.rank_of(from, &frame);
        }
        assert_eq!(bound(&network), [bindings; 2], "length {length}, {} bytes", data.len());
    }
}
