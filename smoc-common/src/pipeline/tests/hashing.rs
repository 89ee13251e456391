//! What no handshake decided: hashed ranks, other traffic, tables without room.

use super::*;

#[test]
fn established_subflow_that_was_never_seen_is_plain_unless_it_shows_mptcp() {
    let mut network = Network::new();
    let bare = Build::tcp(A, B).payload(b"data").frame();
    assert_eq!(network.send(A, &bare).unwrap().outcome, Outcome::Plain);
    let dss = [30, 8, 0x20, 0x01, 0, 0, 0, 1];
    let shown = Build::tcp(A, B).options(&dss).payload(b"data").frame();
    assert_eq!(network.send(A, &shown).unwrap().outcome, Outcome::Hashed);
    let back = Build::tcp(B, A).options(&dss).frame();
    assert_eq!(network.rank_of(A, &shown), network.rank_of(B, &back), "both directions hash alike");
}

#[test]
fn other_traffic_rides_the_best_path() {
    let mut network = Network::new();
    for port in 1..100 {
        let frames = [
            Build::tcp(A.at(port), B).payload(b"tcp").frame(),
            Build::udp(A.at(port), B).payload(b"udp").frame(),
            Build::udp(A_V6.at(port), B_V6).payload(b"udp").frame(),
            Build::other(1, A, B).payload(b"icmp").frame(),
        ];
        for frame in frames {
            let arrived = network.send(A, &frame).unwrap();
            assert_eq!((arrived.rank, arrived.outcome, arrived.frame), (0, Outcome::Plain, frame));
        }
    }
}

#[test]
fn spread_flows_use_all_paths_of_least_cost_the_same_both_ways() {
    let mut network = Network::new();
    for edge in &mut network.edges {
        edge.settings.as_mut().unwrap().spread = Settings::SPREAD_FLOWS;
    }
    let mut seen = [0; PATHS as usize];
    for port in 1..200 {
        let (a, a_v6) = (A.at(port), A_V6.at(port));
        for (there, back) in [
            (Build::tcp(a, B), Build::tcp(B, a)),
            (Build::udp(a, B), Build::udp(B, a)),
            (Build::udp(a_v6, B_V6), Build::udp(B_V6, a_v6)),
        ] {
            let rank = network.rank_of(A, &there.frame());
            assert_eq!(network.rank_of(B, &back.frame()), rank);
            seen[usize::from(rank)] += 1;
        }
    }
    assert!(seen[0] > 200 && seen[2] > 200 && seen[1] + seen[3] == 0, "ranks 0 and 2: {seen:?}");
    let icmp = [Build::other(1, A, B).frame(), Build::other(1, B, A).frame()];
    assert_eq!(network.rank_of(A, &icmp[0]), network.rank_of(B, &icmp[1]));
}

#[test]
fn all_fragments_of_a_datagram_take_one_path() {
    let mut network = Network::new();
    for edge in &mut network.edges {
        edge.settings.as_mut().unwrap().spread = Settings::SPREAD_FLOWS;
    }
    for port in 1..50 {
        let whole = Build::udp(A.at(port), B).payload(&[port as u8; 64]);
        let [first, middle, last] = [0x2000, 0x2010, 0x0020].map(|fragment| whole.clone().fragment(fragment));
        let ranks = [first, middle, last].map(|part| network.rank_of(A, &part.frame()));
        assert_eq!(ranks, [ranks[0]; 3]);
    }
}

#[test]
fn fragment_of_a_tcp_handshake_is_no_handshake() {
    let mut network = Network::new();
    let syn = Build::tcp(A, B).flags(SYN).options(&capable(Version::V1, &[])).fragment(0x2000);
    assert_eq!(network.send(A, &syn.frame()).unwrap().outcome, Outcome::Plain);
    assert!(network.edges[0].half_open.entries.is_empty());
}

#[test]
fn handshake_without_room_in_a_table_goes_on() {
    for (full, bound) in [(0, 0), (1, 1), (2, 0)] {
        let mut network = Network::new();
        for edge in &mut network.edges {
            match full {
                0 => edge.half_open.room = 0,
                1 => edge.flows.room = 0,
                _ => edge.connections.room = 0,
            }
        }
        for (from, frame) in handshake(Version::V1, [A, B], [1, 2]) {
            assert_eq!(network.send(from, &frame).unwrap().frame, frame);
        }
        for edge in 0..2 {
            assert!(network.noted(edge, Note::TableFull) > 0, "case {full}");
            assert_eq!(network.noted(edge, Note::Bound), bound, "case {full}");
        }
        let data = Build::tcp(A, B).payload(b"data").frame();
        network.rank_of(A, &data);
    }
}

#[test]
fn token_without_room_leaves_its_joins_hashed() {
    let mut network = Network::new();
    network.edges.iter_mut().for_each(|edge| edge.tokens.room = 0);
    network.connect(Version::V1, [A, B], [1, 2]);
    network.join(A_OTHER, B, derive(Version::V1, 2));
    assert_eq!([0, 1].map(|edge| network.noted(edge, Note::JoinUnknownToken)), [1, 1]);
}
