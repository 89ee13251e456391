//! The initial subflow: handshake, data, end.

use super::*;
use crate::{
    map::{Connection, ConnectionId, TokenKey},
    wire::tcp::{FIN, RST},
};

const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x0123_4567_89ab_cdef];

fn connection(network: &Network, edge: usize) -> Option<(ConnectionId, Connection)> {
    network.edges[edge].connections.entries.iter().map(|(&id, &connection)| (id, connection)).next()
}

#[test]
fn handshake_binds_both_tokens_at_both_edges() {
    for version in [Version::V0, Version::V1] {
        let mut network = Network::new();
        network.connect(version, [A, B], KEYS);
        let tokens = KEYS.map(|key| derive(version, key));
        for (edge, [local, remote], local_opened) in [(0, [0, 1], 1), (1, [1, 0], 0)] {
            let (id, bound) = connection(&network, edge).unwrap();
            assert_eq!([bound.local_token, bound.remote_token], [tokens[local], tokens[remote]]);
            assert_eq!((bound.subflows, bound.joined), (1, 0));
            assert_eq!((bound.version, bound.local_opened), (version as u8, local_opened));
            for token in [tokens[local], tokens[remote]] {
                let binding = network.edges[edge].tokens.entries[&TokenKey { token }];
                assert_eq!((binding.connections, binding.crowded), ([id, 0], 0));
            }
            assert_eq!(network.edges[edge].tokens.entries.len(), 2);
            assert_eq!(network.noted(edge, Note::Bound), 1);
            assert!(network.edges[edge].half_open.entries.is_empty());
        }
        assert_eq!(network.flow(A, B).unwrap().flags, Flow::LOCAL_OPENED);
        assert_eq!(network.flow(B, A).unwrap().flags, 0);
    }
}

#[test]
fn data_of_an_established_subflow_is_counted_both_ways() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    let before = network.flow(A, B).unwrap();
    for (from, to) in [(A, B), (B, A), (A, B)] {
        let mut frame = Build::tcp(from, to).numbers(1_001, 0).payload(&[7; 100]).frame();
        frame.extend([0; 6]);
        assert_eq!(network.send(from, &frame).unwrap().outcome, Outcome::Established);
    }
    let after = network.flow(A, B).unwrap();
    assert_eq!(after.sent.packets - before.sent.packets, 2);
    assert_eq!(after.received.bytes - before.received.bytes, 154, "without padding");
    assert_eq!(network.flow(B, A).unwrap().received.packets, after.sent.packets);
}

#[test]
fn retransmitted_handshake_is_one_connection() {
    let mut network = Network::new();
    let [syn, answer, ack] = handshake(Version::V1, [A, B], KEYS);
    for (from, frame) in [&syn, &syn, &answer, &syn, &answer, &ack, &ack] {
        assert_eq!(network.rank_of(*from, frame), 0);
    }
    for edge in 0..2 {
        assert_eq!(network.edges[edge].connections.entries.len(), 1);
        assert_eq!(network.noted(edge, Note::SynAgain), 2);
        assert_eq!(network.noted(edge, Note::Bound), 1);
    }
}

#[test]
fn first_data_completes_a_handshake_whose_third_ack_was_lost() {
    let mut network = Network::new();
    let [syn, answer, _] = handshake(Version::V1, [A, B], KEYS);
    for (from, frame) in [syn, answer] {
        network.rank_of(from, &frame);
    }
    let mut with_data = capable(Version::V1, &KEYS);
    with_data[1] = 22;
    with_data.extend([0, 5]);
    let data = Build::tcp(A, B).numbers(1_001, 0).options(&with_data).payload(b"hello").frame();
    network.rank_of(A, &data);
    assert_eq!([0, 1].map(|edge| network.noted(edge, Note::Bound)), [1, 1]);
}

#[test]
fn third_ack_that_disagrees_binds_nothing() {
    let other = 0x1111_2222_3333_4444;
    for (version, keys, said) in [
        (Version::V1, [KEYS[0], other], Version::V1),
        (Version::V0, [other, KEYS[1]], Version::V0),
        (Version::V0, [KEYS[0], other], Version::V0),
        (Version::V1, KEYS, Version::V0),
    ] {
        let mut network = Network::new();
        let [syn, answer, _] = handshake(version, [A, B], KEYS);
        let [_, _, ack] = handshake(said, [A, B], keys);
        for (from, frame) in [syn, answer, ack] {
            network.rank_of(from, &frame);
        }
        for edge in 0..2 {
            assert_eq!(network.noted(edge, Note::AckDisagrees), 1, "{version:?} {keys:x?} {said:?}");
            assert!(network.edges[edge].tokens.entries.is_empty());
            assert!(network.edges[edge].flows.entries.is_empty());
        }
    }
}

#[test]
fn third_ack_without_an_answered_syn_binds_nothing() {
    let mut network = Network::new();
    let [syn, _, ack] = handshake(Version::V1, [A, B], KEYS);
    for (from, frame) in [syn, ack] {
        network.rank_of(from, &frame);
    }
    assert!(network.edges.iter().all(|edge| edge.tokens.entries.is_empty()));
}

#[test]
fn server_without_mptcp_makes_it_plain_tcp() {
    let mut network = Network::new();
    let [syn, (_, answer), ack] = exchange(A, B, [&capable(Version::V1, &[]), &[], &[]]);
    network.rank_of(syn.0, &syn.1);
    assert_eq!(network.send(B, &answer).unwrap().outcome, Outcome::Plain);
    assert_eq!(network.send(ack.0, &ack.1).unwrap().outcome, Outcome::Plain);
    for edge in 0..2 {
        assert_eq!(network.noted(edge, Note::FellBack), 1);
        assert!(network.edges[edge].half_open.entries.is_empty());
    }
}

#[test]
fn syn_flood_creates_no_token_and_evicts_no_flow() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    for port in 1..2_000 {
        let [(_, syn), ..] = handshake(Version::V0, [A.at(port), B], [port.into(), 0]);
        network.rank_of(A, &syn);
    }
    for edge in &network.edges {
        assert_eq!(
            [edge.tokens.entries.len(), edge.flows.entries.len(), edge.connections.entries.len()],
            [2, 1, 1]
        );
        assert_eq!(edge.half_open.entries.len(), 1_999);
    }
}

#[test]
fn fin_of_both_sides_or_a_rst_closes() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    for (from, to, numbers, closing) in
        [(A, B, (1_001, 0), Flow::FIN_SENT), (B, A, (0, 1_002), Flow::FIN_SENT | Flow::FIN_RECEIVED)]
    {
        network.rank_of(from, &Build::tcp(from, to).flags(FIN | ACK).numbers(numbers.0, numbers.1).frame());
        assert_eq!(network.flow(A, B).unwrap().closing, closing);
    }
    assert!(network.flow(A, B).unwrap().is_closed() && network.flow(B, A).unwrap().is_closed());

    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    network.rank_of(B, &Build::tcp(B, A).flags(RST).frame());
    assert!(network.flow(A, B).unwrap().is_closed() && network.flow(B, A).unwrap().is_closed());
}

#[test]
fn rst_ends_a_handshake() {
    let mut network = Network::new();
    let [(_, syn), ..] = handshake(Version::V1, [A, B], KEYS);
    network.rank_of(A, &syn);
    network.rank_of(B, &Build::tcp(B, A).flags(RST | ACK).numbers(0, 1_001).frame());
    assert!(network.edges.iter().all(|edge| edge.half_open.entries.is_empty()));
}

#[test]
fn four_tuple_that_is_used_again_is_another_connection() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    network.rank_of(A, &Build::tcp(A, B).flags(RST).frame());
    let again = [5, 6];
    network.connect(Version::V1, [A, B], again);
    let flow = network.flow(A, B).unwrap();
    let bound = network.edges[0].connections.entries[&flow.connection];
    assert_eq!(bound.local_token, derive(Version::V1, again[0]));
    assert_eq!((flow.closing, network.edges[0].connections.entries.len()), (0, 2));
}
