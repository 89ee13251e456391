//! State changes by what both hosts accepted: what was refused, forged or never sent costs nothing.

use super::*;
use crate::wire::tcp::{FIN, RST};

const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x0123_4567_89ab_cdef];

fn server() -> u32 {
    derive(Version::V1, KEYS[1])
}

fn connected() -> Network {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    network
}

/// The numbers that the first edge's connections have given to subflows.
fn numbers(network: &Network) -> Vec<u32> {
    network.edges[0].connections.entries.values().map(|connection| connection.subflows).collect()
}

#[test]
fn joins_that_are_refused_use_up_no_rank() {
    let mut network = connected();
    for port in 1..=3 {
        let [(_, syn), ..] = join_handshake(A.at(60_000 + port), B, server());
        network.rank_of(A, &syn);
        let rst = Build::tcp(B, A.at(60_000 + port)).flags(RST | ACK).numbers(0, 1_001).frame();
        network.rank_of(B, &rst);
    }
    assert_eq!(network.join(A_OTHER, B, server()), 1, "the only join that lives has a path of its own");
    assert!(network.edges.iter().all(|edge| edge.half_open.entries.is_empty()));
}

#[test]
fn flood_of_joins_with_a_valid_token_leaves_ranks_alone() {
    let mut network = connected();
    for port in 1..=10_000 {
        let [(_, syn), ..] = join_handshake(NEIGHBOUR.at(port), B, server());
        network.rank_of(NEIGHBOUR, &syn);
    }
    assert_eq!([1, 2, 3].map(|port| network.join(A.at(port), B, server())), [1, 2, 3]);
}

#[test]
fn joins_that_are_opened_at_once_get_a_rank_each() {
    let mut network = connected();
    let joins = [1, 2, 3].map(|port| join_handshake(A.at(port), B, server()));
    for step in 0..3 {
        for join in &joins {
            let (from, frame) = &join[step];
            network.rank_of(*from, frame);
        }
    }
    for (port, rank) in [(1, 1), (2, 2), (3, 3)] {
        let flows = [network.flow(A.at(port), B).unwrap(), network.flow(B, A.at(port)).unwrap()];
        assert_eq!(flows.map(|flow| flow.rank), [rank; 2], "join {port}");
    }
    assert_eq!(numbers(&network), [4]);
}

#[test]
fn joins_that_the_server_never_took_do_not_count_towards_its_limit() {
    // A third ACK with a wrong checksum or HMAC looks like any other: the server drops it and forgets the request.
    let mut network = connected();
    for port in 1..=8 {
        network.join(NEIGHBOUR.at(port), B, server());
    }
    network.join(A_OTHER, B, server());
    assert_eq!([0, 1].map(|edge| network.noted(edge, Note::JoinBeyondLimit)), [0, 0]);
}

#[test]
fn tuple_that_is_used_again_without_an_end_leaks_no_join() {
    let mut network = connected();
    for _ in 0..8 {
        network.join(A.at(7), B, server());
        network.rank_of(B, &Build::tcp(B, A.at(7)).payload(b"data").frame());
    }
    let counts: Vec<_> =
        network.edges[0].connections.entries.values().map(|it| (it.joined, it.confirmed)).collect();
    network.join(A.at(8), B, server());
    assert_eq!((counts, network.noted(0, Note::JoinBeyondLimit)), (std::vec![(1, 1)], 0));
}

#[test]
fn old_subflow_does_not_answer_for_a_new_life_of_its_tuple() {
    for is_ended in [true, false] {
        let mut network = connected();
        network.join(A.at(7), B, server());
        if is_ended {
            network.rank_of(A, &Build::tcp(A.at(7), B).flags(RST).frame());
        }
        for option in [std::vec![], capable(Version::V1, &[])] {
            let [(_, syn), (_, answer), (_, ack)] = exchange(A.at(7), B, [&option, &[], &[]]);
            network.send(A, &syn).unwrap();
            network.send(B, &answer).unwrap();
            let arrived = network.send(A, &ack).unwrap();
            assert_eq!((arrived.rank, arrived.outcome), (0, Outcome::Plain), "ended: {is_ended}");
            assert!(network.edges.iter().all(|edge| edge.half_open.entries.is_empty()));
        }
    }
}

#[test]
fn syn_that_nobody_answers_leaves_an_established_subflow_alone() {
    for option in [std::vec![], capable(Version::V1, &[]), join(server(), 0)] {
        let mut network = connected();
        let rank = network.join(A.at(7), B, server());
        let syn = Build::tcp(A.at(7), B).flags(SYN).numbers(77, 0).options(&option).frame();
        network.send(A, &syn).unwrap();
        network.rank_of(B, &Build::tcp(B, A.at(7)).numbers(0, 1_001).frame());
        let data = Build::tcp(A.at(7), B).numbers(1_001, 0).payload(b"data").frame();
        let arrived = network.send(A, &data).unwrap();
        assert_eq!((arrived.rank, arrived.outcome), (rank, Outcome::Established));
    }
}

#[test]
fn frame_that_is_not_sent_teaches_nothing() {
    let mut network = connected();
    let joining = Build::tcp(A.at(3), B).flags(SYN).numbers(1, 0).options(&join(server(), 0));
    let last_hop = joining.clone().destination(ROUTERS[0]).hops(1).frame();
    assert_eq!(network.send(A, &last_hop), Err(Outcome::TimeToLive));
    assert_eq!((network.edges[0].half_open.entries.len(), numbers(&network)), (0, std::vec![1]));
    network.edges[0].path_sets.get_mut(&1).unwrap().count = 0;
    assert_eq!(network.send(A, &joining.frame()), Err(Outcome::NoPath));
    assert!(network.edges[0].half_open.entries.is_empty());
    let flow = network.flow(A, B).unwrap();
    let rst = Build::tcp(A, B).flags(RST).numbers(1_001, 0).destination(ROUTERS[0]).hops(1).frame();
    assert_eq!(network.send(A, &rst), Err(Outcome::TimeToLive));
    assert_eq!(network.flow(A, B), Some(flow));
}

#[test]
fn segments_that_hosts_drop_create_nothing() {
    for flags in [SYN | RST, SYN | FIN] {
        let mut network = connected();
        let frame = Build::tcp(A.at(9), B).flags(flags).numbers(5, 0).options(&join(server(), 0)).frame();
        assert_eq!(network.send(A, &frame).unwrap().outcome, Outcome::Plain);
        assert_eq!((network.edges[0].half_open.entries.len(), numbers(&network)), (0, std::vec![1]));
    }
}

#[test]
fn handshake_is_not_overwritten_from_the_other_side_or_by_another_syn() {
    for (forger, is_answered) in [(B, false), (B, true), (A, true)] {
        let mut network = Network::new();
        let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, [A, B], KEYS);
        network.rank_of(A, &syn);
        if is_answered {
            network.rank_of(B, &answer);
        }
        let other = if forger == A { B } else { A };
        let forged = Build::tcp(forger, other).flags(SYN).numbers(1, 0).options(&capable(Version::V1, &[]));
        network.rank_of(forger, &forged.frame());
        for (from, frame) in [(B, answer), (A, ack)] {
            network.rank_of(from, &frame);
        }
        assert_eq!([0, 1].map(|edge| network.noted(edge, Note::Bound)), [1, 1], "{is_answered}");
    }
}

#[test]
fn rst_with_any_number_does_not_end_a_handshake() {
    let mut network = Network::new();
    let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, [A, B], KEYS);
    network.rank_of(A, &syn);
    network.rank_of(B, &Build::tcp(B, A).flags(RST).numbers(0xdead, 0).frame());
    network.rank_of(B, &Build::tcp(B, A).flags(RST | ACK).numbers(0, 0xdead).frame());
    network.rank_of(B, &answer);
    network.rank_of(B, &Build::tcp(B, A).flags(RST).numbers(0xdead_beef, 0).frame());
    network.rank_of(A, &Build::tcp(A, B).flags(RST).numbers(0xdead_beef, 0).frame());
    network.rank_of(A, &ack);
    assert_eq!([0, 1].map(|edge| network.noted(edge, Note::Bound)), [1, 1]);
}

#[test]
fn failover_does_not_avoid_ranks_of_joins_that_never_were() {
    let mut network = connected();
    for port in 1..=2 {
        let [(_, syn), ..] = join_handshake(A.at(60_000 + port), B, server());
        network.rank_of(A, &syn);
    }
    assert_eq!(network.join(A.at(3), B, server()), 1);
    network.edges[0].down.insert(1);
    let ranks = [A, A.at(3)].map(|end| network.rank_of(A, &Build::tcp(end, B).payload(b"d").frame()));
    assert_eq!(ranks, [2, 1]);
}

#[test]
fn a_port_that_floods_leaves_the_others_their_share() {
    let mut network = connected();
    let settings = network.edges[0].settings.as_mut().unwrap();
    (settings.openings, settings.port_openings) = (20, 10);
    let open = |network: &mut Network, from: End| {
        let [(_, syn), ..] = handshake(Version::V1, [from, B], KEYS);
        network.send(from, &syn).unwrap().outcome
    };
    for port in 1..=100 {
        open(&mut network, A.at(port));
    }
    assert_eq!(network.noted(0, Note::Stateless), 90);
    for port in 1..=10 {
        assert_eq!(open(&mut network, NEIGHBOUR.at(port)), Outcome::Handshake);
    }
    assert_eq!(network.noted(0, Note::Stateless), 90);
}

#[test]
fn a_handshake_that_is_over_makes_room_for_another_of_its_port() {
    let mut network = connected();
    network.edges.iter_mut().for_each(|edge| edge.settings.as_mut().unwrap().port_openings = 2);
    let key = |port: u16| [u64::from(port) << 8 | 1, u64::from(port) << 8 | 2];
    for port in 1..=50 {
        // Done, refused, and answered by a host without MPTCP.
        network.connect(Version::V1, [A.at(port), B], key(port));
        let [(_, syn), ..] = handshake(Version::V1, [A.at(100 + port), B], key(port));
        network.send(A, &syn).unwrap();
        let rst = Build::tcp(B, A.at(100 + port)).flags(RST | ACK).numbers(0, 1_001);
        network.send(B, &rst.frame()).unwrap();
        let [(_, syn), (_, answer), _] =
            exchange(A.at(200 + port), B, [&capable(Version::V1, &[]), &[], &[]]);
        network.send(A, &syn).unwrap();
        network.send(B, &answer).unwrap();
    }
    for edge in 0..2 {
        assert_eq!(network.noted(edge, Note::Stateless), 0);
        assert!(network.edges[edge].half_open.entries.is_empty());
    }
}

#[test]
fn openings_beyond_the_limit_are_forwarded_by_hash_and_leave_no_trace() {
    let mut network = connected();
    network.edges.iter_mut().for_each(|edge| edge.settings.as_mut().unwrap().openings = 10);
    for port in 1..=100 {
        let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, [A.at(port), B], KEYS);
        let ranks = [(A, &syn), (A, &ack)].map(|(from, frame)| network.send(from, frame).unwrap().rank);
        if port > 10 {
            assert_eq!(ranks[0], ranks[1], "what follows takes the same path");
        }
        network.send(B, &answer).unwrap();
    }
    // The first connection was one of this second's.
    assert_eq!(network.noted(0, Note::Stateless), 90);
    assert_eq!(network.edges[0].half_open.entries.len(), 10);
    network.edges[0].clock += 2_000_000_000;
    let [(_, syn), ..] = handshake(Version::V1, [A.at(200), B], KEYS);
    assert_eq!(network.send(A, &syn).unwrap().outcome, Outcome::Handshake);
    assert_eq!(network.noted(0, Note::Stateless), 90);
}
