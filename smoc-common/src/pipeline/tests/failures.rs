//! Ports that are down and paths that are broken: other ranks, detours, and SYNs that nothing answers.

use super::*;
use crate::map::{Detour, DetourKey};

const SECOND_NS: u64 = 1_000_000_000;

/// A network in which the client has this many subflows to the server, on ranks 0, 1, ...
fn connected(subflows: u16) -> Network {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, 2]);
    for subflow in 1..subflows {
        network.join(A.at(subflow), B, derive(Version::V1, 2));
    }
    network
}

/// The rank on which the n-th subflow's data arrives.
fn rank_of(network: &mut Network, subflow: u16) -> u8 {
    let end = if subflow == 0 { A } else { A.at(subflow) };
    network.rank_of(A, &Build::tcp(end, B).payload(b"data").frame())
}

#[test]
fn subflow_takes_a_rank_that_its_siblings_do_not_use_and_comes_back() {
    let mut network = connected(2);
    network.edges[0].down.insert(1);
    assert_eq!([0, 1].map(|subflow| rank_of(&mut network, subflow)), [2, 1]);
    network.edges[0].down.insert(2);
    assert_eq!([0, 1].map(|subflow| rank_of(&mut network, subflow)), [2, 3], "each its own");
    network.edges[0].down.clear();
    assert_eq!([0, 1].map(|subflow| rank_of(&mut network, subflow)), [0, 1]);
    assert_eq!(network.noted(0, Note::FailedOver), 3);
}

#[test]
fn path_that_is_broken_far_away_is_left_like_one_whose_port_is_down() {
    let mut network = connected(4);
    network.edges[0].path_sets.get_mut(&1).unwrap().broken = 0b0101;
    assert_eq!([0, 1, 2, 3].map(|subflow| rank_of(&mut network, subflow)), [1, 1, 3, 3]);
}

#[test]
fn path_that_may_be_broken_is_better_than_none() {
    let mut network = connected(1);
    network.edges[0].path_sets.get_mut(&1).unwrap().broken = 0b1111;
    network.edges[0].down.extend([1, 2, 4]);
    assert_eq!(rank_of(&mut network, 0), 2);
}

#[test]
fn new_subflows_and_other_traffic_avoid_a_dead_port_too() {
    let mut network = Network::new();
    network.edges[0].down.insert(1);
    for (from, frame) in handshake(Version::V1, [A, B], [1, 2]) {
        assert_eq!(network.rank_of(from, &frame), 1, "the answer takes the path of the SYN");
    }
    assert_eq!(network.rank_of(A, &Build::udp(A, B).frame()), 1);
    let [(_, syn), ..] = join_handshake(A.at(9), B, derive(Version::V1, 2));
    assert_eq!(network.rank_of(A, &syn), 1, "the join's own rank");
}

#[test]
fn frame_goes_around_the_neighbour_or_else_around_the_link_and_that_once() {
    let frame = Build::tcp(A, B).payload(b"data").frame();
    let mut switch = transit();
    for number in 1..=3 {
        switch.ports.insert(number, Port { peer_width: WIDTH, ..Port::default() });
    }
    switch.down.insert(1);
    let around = |port, prefix, length| Detour { port, prefix, length, ..Detour::default() };
    switch.detours.insert(DetourKey { port: 1, next: 5 }, around(2, 0x87, 8));
    switch.detours.insert(DetourKey { port: 1, next: 7 }, around(2, 0x4321, 16));
    switch.detours.insert(DetourKey { port: 1, next: 0 }, around(3, 0x9, 4));
    for (name, bits, port, left) in [
        ("around the neighbour", 0x1_451, 2, 0x1_487),
        ("no way around the neighbour", 0x1_461, 3, 0x1_469),
        ("the neighbour is the last switch", 0x11, 3, 0x19),
        ("one detour is too long, the other is not", 1 << 60 | 0x71, 3, 1 << 60 | 0x79),
    ] {
        let mut seen = trouble::pushed(&frame, bits);
        assert_eq!(switch.from_fabric(&mut seen), Verdict { outcome: Outcome::Transit, port }, "{name}");
        let (words, _) = crate::wire::Frame::ethernet(&crate::wire::Bytes(&mut seen)).unwrap();
        let pushed = crate::route::PushedRoute::parse(words).unwrap();
        assert_eq!((pushed.route.bits(), pushed.label.is_detoured()), (left, true), "{name}");
        switch.down.insert(2);
        switch.down.insert(3);
        let mut again = trouble::pushed(&frame, bits);
        again[3] |= 0x20;
        assert_eq!(switch.from_fabric(&mut again).outcome, Outcome::DeadEnd, "{name}, a second time");
        switch.down = [1].into();
    }
    assert_eq!(switch.count_of(Note::Detoured.counter()), 4);
}

#[test]
fn edge_whose_only_path_is_down_sends_its_frames_around() {
    let mut switch = edge(0);
    switch.path_sets.get_mut(&1).unwrap().count = 1;
    switch.down.insert(1);
    let around = Detour { port: 2, prefix: 0x3, length: 4, ..Detour::default() };
    switch.detours.insert(DetourKey { port: 1, next: 0 }, around);
    let mut frame = Build::udp(A, B).frame();
    assert_eq!(switch.from_host(&mut frame), Verdict { outcome: Outcome::Plain, port: 2 });
    assert_eq!(frame[..12], trouble::pushed_on(&Build::udp(A, B).frame(), 0x20, 0x123)[..12]);
}

#[test]
fn syn_that_is_not_answered_goes_on_on_the_next_path_as_the_same_subflow() {
    let mut network = connected(2);
    let [(_, syn), (_, answer), (_, ack)] = join_handshake(A.at(7), B, derive(Version::V1, 2));
    assert_eq!(network.rank_of(A, &syn), 2);
    assert_eq!(network.rank_of(A, &syn), 2, "a copy");
    for expected in [3, 0] {
        network.edges[0].clock += SECOND_NS;
        assert_eq!(network.rank_of(A, &syn), expected);
    }
    for (from, frame) in [(B, answer), (A, ack)] {
        assert_eq!(network.rank_of(from, &frame), 0, "the far edge follows");
    }
    assert_eq!(network.join(A.at(8), B, derive(Version::V1, 2)), 3, "no second rank is used up");
    assert_eq!((network.noted(0, Note::SynMoved), network.noted(0, Note::SynAgain)), (2, 1));
    let moved: Vec<_> =
        network.edges[0].events.iter().filter(|event| event.note == Note::SynMoved.counter()).collect();
    assert_eq!(moved.iter().map(|event| event.rank).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn joins_go_on_from_the_rank_to_which_the_initial_syn_has_moved() {
    let mut network = Network::new();
    let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, [A, B], [1, 2]);
    network.send(A, &syn).unwrap();
    network.edges[0].clock += SECOND_NS;
    for (from, frame) in [(A, syn), (B, answer), (A, ack)] {
        assert_eq!(network.rank_of(from, &frame), 1);
    }
    assert_eq!(network.join(A.at(1), B, derive(Version::V1, 2)), 2);
    network.edges[0].down.insert(2);
    assert_eq!(rank_of(&mut network, 0), 0, "the first that neither has");
    network.edges[0].down.clear();
    let joins = [2, 3, 4].map(|port| network.join(A.at(port), B, derive(Version::V1, 2)));
    assert_eq!(joins, [3, 0, 1]);
}

#[test]
fn syn_that_is_answered_without_its_option_only_names_the_black_hole() {
    for (leaves_out, blackholes) in [(true, 1), (false, 0)] {
        let mut network = Network::new();
        let [(_, syn), _, _] = handshake(Version::V1, [A, B], [1, 2]);
        network.send(A, &syn).unwrap();
        network.edges[0].clock += SECOND_NS;
        assert_eq!(network.rank_of(A, &syn), 1);
        if leaves_out {
            let bare = Build::tcp(A, B).flags(SYN).numbers(1_000, 0).frame();
            network.edges[0].clock += SECOND_NS;
            assert_eq!(network.rank_of(A, &bare), 0);
        }
        let answer = Build::tcp(B, A).flags(SYN | ACK).numbers(7, 1_001).frame();
        network.rank_of(B, &answer);
        assert_eq!(network.noted(0, Note::Blackhole), blackholes);
        assert_eq!(network.noted(1, Note::Blackhole), 0, "the far edge cannot know");
        assert!(network.edges[0].half_open.entries.is_empty());
    }
}

#[test]
fn third_ack_on_another_path_for_now_leaves_both_directions_on_their_own() {
    let mut network = connected(1);
    let [(_, syn), (_, answer), (_, ack)] = join_handshake(A.at(9), B, derive(Version::V1, 2));
    network.rank_of(A, &syn);
    network.rank_of(B, &answer);
    network.edges[0].down.insert(2);
    assert_ne!(network.rank_of(A, &ack), 1);
    network.edges[0].down.clear();
    let data = |from: End, to: End| (from, Build::tcp(from, to).payload(b"data").frame());
    let ranks = [data(A.at(9), B), data(B, A.at(9))].map(|(from, frame)| network.rank_of(from, &frame));
    assert_eq!(ranks, [1, 1]);
}

#[test]
fn answer_on_another_path_for_now_leaves_joins_on_ranks_of_their_own() {
    let mut network = connected(1);
    let joins = [9, 10].map(|port| join_handshake(A.at(port), B, derive(Version::V1, 2)));
    for [(_, syn), ..] in &joins {
        network.rank_of(A, syn);
    }
    // Rank 1 is down at the server's edge while it answers, so both answers come on rank 2.
    network.edges[1].down.insert(2);
    for [_, (_, answer), _] in &joins {
        assert_ne!(network.rank_of(B, answer), 1);
    }
    network.edges[1].down.clear();
    for [_, _, (_, ack)] in &joins {
        network.rank_of(A, ack);
    }
    for (port, rank) in [(9, 1), (10, 2)] {
        for (from, to) in [(A.at(port), B), (B, A.at(port))] {
            assert_eq!(network.rank_of(from, &Build::tcp(from, to).payload(b"data").frame()), rank);
        }
    }
}
