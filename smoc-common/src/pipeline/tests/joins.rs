//! Additional subflows, and tokens that name more than one connection or none.

use super::*;
use crate::wire::tcp::{FIN, RST};

const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x0123_4567_89ab_cdef];
/// Two keys with one token.
const COLLIDING: [u64; 2] = [0x0783_91f4_0003_7afb, 0xc32c_07bf_bf9e_6099];

fn connected() -> (Network, [u32; 2]) {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    (network, KEYS.map(|key| derive(Version::V1, key)))
}

#[test]
fn each_join_takes_the_next_rank_whatever_its_addresses_and_ports() {
    let (mut network, [client, server]) = connected();
    for (rank, from, to, token) in [
        (1, A.at(50_000), B, server),
        (2, A_OTHER, B_OTHER, server),
        (3, A_V6, B_V6, server),
        (0, A_V6.at(3), B_V6.at(4), server),
        (1, B_OTHER.at(7), A_OTHER.at(8), client),
        (2, B, A.at(50_001), client),
    ] {
        assert_eq!(network.join(from, to, token), rank, "{from:?} {to:?}");
        let [flow, reverse] = [network.flow(from, to).unwrap(), network.flow(to, from).unwrap()];
        assert_eq!([flow.rank, reverse.rank], [rank; 2]);
        assert_eq!([flow.flags, reverse.flags], [Flow::JOIN | Flow::LOCAL_OPENED, Flow::JOIN]);
        assert!(flow.connection != 0 && reverse.connection != 0);
        let data = Build::tcp(to, from).payload(b"data").frame();
        assert_eq!(network.rank_of(to, &data), rank, "the way back is the same path");
    }
    assert_eq!([0, 1].map(|edge| network.noted(edge, Note::Joined)), [6, 6]);
}

#[test]
fn retransmitted_join_is_one_subflow() {
    let (mut network, [_, server]) = connected();
    let [syn, answer, ack] = join_handshake(A_OTHER, B, server);
    for (from, frame) in [&syn, &syn, &syn, &answer, &syn, &answer, &ack, &ack] {
        assert_eq!(network.rank_of(*from, frame), 1);
    }
    assert_eq!(network.join(A.at(3), B, server), 2);
}

#[test]
fn join_of_a_version_0_connection_is_found_by_its_sha1_token() {
    let mut network = Network::new();
    network.connect(Version::V0, [A, B], KEYS);
    assert_eq!(network.join(A_OTHER, B, derive(Version::V0, KEYS[1])), 1);
    assert_eq!(network.noted(0, Note::JoinUnknownToken), 0);
}

#[test]
fn join_with_unknown_token_is_hashed_to_one_rank_for_both_edges() {
    let mut network = Network::new();
    let mut seen = [0; PATHS as usize];
    for port in 1..200 {
        let rank = network.join(A.at(port), B, 0xdead_0000 + u32::from(port));
        seen[usize::from(rank)] += 1;
        let flow = network.flow(A.at(port), B).unwrap();
        assert_eq!((flow.connection, flow.flags & Flow::HASHED), (0, Flow::HASHED));
        assert_eq!(network.flow(B, A.at(port)).unwrap().rank, rank);
    }
    assert!(seen.iter().all(|&count| count > 20), "over all ranks: {seen:?}");
    assert_eq!([0, 1].map(|edge| network.noted(edge, Note::JoinUnknownToken)), [199; 2]);
}

#[test]
fn equal_tokens_of_different_hosts_are_two_connections() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, COLLIDING[0]]);
    network.connect(Version::V1, [A.at(2), C], [2, COLLIDING[1]]);
    let token = derive(Version::V1, COLLIDING[0]);
    assert_eq!(network.join(A.at(3), B, token), 1);
    assert_eq!(network.join(A.at(4), C, token), 1);
    let [to_b, to_c] = [network.flow(A.at(3), B).unwrap(), network.flow(A.at(4), C).unwrap()];
    assert_eq!(to_b.connection, network.flow(A, B).unwrap().connection);
    assert_eq!(to_c.connection, network.flow(A.at(2), C).unwrap().connection);
    assert_eq!(network.noted(0, Note::JoinAmbiguousToken), 0);
}

#[test]
fn equal_tokens_of_one_host_are_ambiguous_and_hashed() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, COLLIDING[0]]);
    network.connect(Version::V1, [A.at(2), B], [2, COLLIDING[1]]);
    network.join(A_OTHER, B, derive(Version::V1, COLLIDING[0]));
    assert_eq!([0, 1].map(|edge| network.noted(edge, Note::JoinAmbiguousToken)), [1, 1]);
    assert_eq!(network.flow(A_OTHER, B).unwrap().connection, 0);
}

#[test]
fn token_of_a_connection_that_is_forgotten_can_be_bound_again() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, COLLIDING[0]]);
    network.edges.iter_mut().for_each(|edge| edge.connections.entries.clear());
    network.connect(Version::V1, [A.at(2), B], [2, COLLIDING[1]]);
    assert_eq!(network.join(A_OTHER, B, derive(Version::V1, COLLIDING[0])), 1);
    assert_eq!(network.noted(0, Note::JoinAmbiguousToken), 0);
}

#[test]
fn ninth_join_is_hashed_until_a_subflow_has_ended() {
    let (mut network, [_, server]) = connected();
    for port in 1..=8 {
        assert_eq!(network.join(A.at(port), B, server), (port % PATHS) as u8);
        network.rank_of(B, &Build::tcp(B, A.at(port)).payload(b"data").frame());
    }
    network.join(A.at(9), B, server);
    assert_eq!([0, 1].map(|edge| network.noted(edge, Note::JoinBeyondLimit)), [1, 1]);
    network.rank_of(A, &Build::tcp(A.at(3), B).flags(FIN | ACK).frame());
    network.rank_of(B, &Build::tcp(B, A.at(3)).flags(RST).frame());
    assert_eq!(network.join(A.at(10), B, server), 1, "the connection's tenth subflow");
    assert_eq!(network.noted(0, Note::JoinBeyondLimit), 1);
}

#[test]
fn backup_flag_and_address_id_are_those_of_the_syn() {
    let (mut network, [_, server]) = connected();
    let mut option = join(server, 5);
    option[2] |= 1;
    for (from, frame) in exchange(A_OTHER, B, [&option, &join_answer(16), &join_answer(24)]) {
        assert_eq!(network.rank_of(from, &frame), 1);
    }
    for flow in [network.flow(A_OTHER, B).unwrap(), network.flow(B, A_OTHER).unwrap()] {
        assert_eq!((flow.address_id, flow.flags & Flow::BACKUP, flow.token), (5, Flow::BACKUP, server));
    }
}
