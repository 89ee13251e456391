//! Ends of subflows: what closes one, what does not, and what shows that it lives on.

use super::*;
use crate::wire::tcp::{FIN, RST};

const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x0123_4567_89ab_cdef];

fn connected() -> Network {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    network
}

fn server() -> u32 {
    derive(Version::V1, KEYS[1])
}

fn raise_epoch(network: &mut Network) {
    network.edges.iter_mut().for_each(|edge| edge.settings.as_mut().unwrap().epoch += 1);
}

/// Additional subflows of each edge's connection: those that are there, and those that the responder has shown to take.
fn joined(network: &Network) -> [(u32, u32); 2] {
    [0, 1].map(|edge| {
        let all = &network.edges[edge].connections.entries;
        all.values().map(|connection| (connection.joined, connection.confirmed)).next().unwrap()
    })
}

#[test]
fn end_is_noted_on_every_way_there() {
    type Change = fn(&mut Network);
    let changes: [(&str, Change); 3] = [
        ("the quick way", |_| ()),
        ("the first frame of a new epoch", raise_epoch),
        ("another next hop", |network| {
            let flows = network.edges[0].flows.entries.values_mut();
            flows.for_each(|flow| flow.peer_mac = mac(99));
        }),
    ];
    for (name, change) in changes {
        for flag in [FIN | ACK, RST] {
            let mut network = connected();
            network.join(A.at(7), B, server());
            change(&mut network);
            network.rank_of(A, &Build::tcp(A.at(7), B).flags(flag).numbers(1_001, 0).frame());
            if flag != RST {
                network.rank_of(B, &Build::tcp(B, A.at(7)).flags(FIN | ACK).frame());
            }
            let flows = [network.flow(A.at(7), B).unwrap(), network.flow(B, A.at(7)).unwrap()];
            assert!(flows.iter().all(Flow::is_closed), "{name}, {flag:#x}: {flows:?}");
            assert_eq!(joined(&network), [(0, 0); 2], "{name}, {flag:#x}");
        }
    }
}

#[test]
fn rst_of_a_moved_host_is_all_that_is_noted() {
    let mut network = connected();
    network.join(A.at(7), B, server());
    raise_epoch(&mut network);
    network.rank_of(A, &Build::tcp(A.at(7), B).flags(RST).numbers(1_001, 0).frame());
    let closing = [network.flow(A.at(7), B).unwrap().closing, network.flow(B, A.at(7)).unwrap().closing];
    assert_eq!(closing, [Flow::RESET; 2]);
}

#[test]
fn rst_that_hosts_ignore_closes_nothing() {
    let mut network = connected();
    let forged = End { mac: mac(5), ..A };
    let rst = |from: End, sequence| Build::tcp(from, B).flags(RST).numbers(sequence, 0).frame();
    assert_eq!(network.send(A, &rst(forged, 1_001)), Err(Outcome::UnknownHost), "another's MAC address");
    network.rank_of(A, &rst(A, 0xdead_beef));
    network.rank_of(A, &rst(A, 1_000));
    network.rank_of(A, &rst(A, 1_001 + (1 << 20)));
    network.rank_of(A, &Build::tcp(A, B).flags(FIN | ACK).numbers(0xdead_beef, 0).frame());
    let flows =
        |network: &Network| [network.flow(A, B).unwrap().closing, network.flow(B, A).unwrap().closing];
    assert_eq!(flows(&network), [0; 2], "far from every window");
    for _ in 0..100 {
        network.rank_of(A, &Build::tcp(A, B).numbers(1_001, 0).payload(b"data").frame());
    }
    assert_eq!(flows(&network), [0; 2]);
}

/// What the receiver expects is between what it has acknowledged and what was sent.
#[test]
fn rst_in_the_middle_of_what_is_under_way_counts_and_behind_it_does_not() {
    let reset_at = |number: u32| {
        let mut network = connected();
        for sent in 0..1_000 {
            network
                .rank_of(A, &Build::tcp(A, B).numbers(1_001 + sent * 1_000, 0).payload(&[0; 1_000]).frame());
        }
        network.rank_of(B, &Build::tcp(B, A).numbers(0, 501_001).frame());
        network.rank_of(A, &Build::tcp(A, B).flags(RST).numbers(number, 0).frame());
        [network.flow(A, B).unwrap().is_closed(), network.flow(B, A).unwrap().is_closed()]
    };
    for number in [501_001, 750_001, 1_001_001] {
        assert_eq!(reset_at(number), [true; 2], "{number}");
    }
    for number in [501_000, 1_001, 0, 2_000_000] {
        assert_eq!(reset_at(number), [false; 2], "{number}");
    }
}

/// What an agent removes is closed: data keeps a live subflow from that, and with it its rank.
#[test]
fn data_shows_that_an_end_was_none() {
    let mut network = connected();
    network.join(A.at(1), B, server());
    let rank = network.join(A.at(2), B, server());
    network.rank_of(B, &Build::tcp(B, A.at(2)).payload(b"data").frame());
    let before = joined(&network);
    for (flags, from, to) in [(RST, A.at(2), B), (RST, B, A.at(2)), (FIN | ACK, A.at(2), B)] {
        let number = if flags == RST { 1_010 } else { 1_020 };
        network.rank_of(from, &Build::tcp(from, to).flags(flags).numbers(number, 0).frame());
        let data = Build::tcp(A.at(2), B).numbers(1_030, 0).payload(b"d").frame();
        assert_eq!(network.rank_of(A, &data), rank);
        for flow in [network.flow(A.at(2), B).unwrap(), network.flow(B, A.at(2)).unwrap()] {
            assert_eq!(flow.closing, 0, "{flags:#x}");
        }
        assert_eq!(joined(&network), before, "{flags:#x}");
    }
}

#[test]
fn data_before_a_fin_that_is_sent_again_does_not_open_it_again() {
    let mut network = connected();
    let fin = Build::tcp(A, B).flags(FIN | ACK).numbers(1_101, 0).payload(b"last").frame();
    network.rank_of(A, &fin);
    network.rank_of(A, &Build::tcp(A, B).numbers(1_001, 0).payload(&[0; 100]).frame());
    network.rank_of(A, &fin);
    network.rank_of(A, &Build::tcp(A, B).numbers(1_106, 0).frame());
    assert_eq!(network.flow(A, B).unwrap().closing, Flow::FIN_SENT);
    network.rank_of(A, &Build::tcp(A, B).numbers(1_106, 0).payload(b"data behind it").frame());
    assert_eq!(network.flow(A, B).unwrap().closing, 0);
}

#[test]
fn third_ack_with_fin_is_half_closed() {
    let mut network = Network::new();
    let [(_, syn), (_, answer), _] = handshake(Version::V1, [A, B], KEYS);
    network.rank_of(A, &syn);
    network.rank_of(B, &answer);
    let mut option = capable(Version::V1, &KEYS);
    option[1] = 22;
    option.extend([0, 4]);
    let ack = Build::tcp(A, B).flags(FIN | ACK).numbers(1_001, 0).options(&option).payload(b"data");
    network.rank_of(A, &ack.frame());
    network.rank_of(B, &Build::tcp(B, A).flags(FIN | ACK).frame());
    assert!(network.flow(A, B).unwrap().is_closed());
}

#[test]
fn crossing_ends_of_a_join_count_once() {
    for flags in [FIN | ACK, RST] {
        let mut network = connected();
        network.join(A.at(7), B, server());
        network.rank_of(B, &Build::tcp(B, A.at(7)).payload(b"data").frame());
        assert_eq!(joined(&network), [(1, 1); 2]);
        let ends = [Build::tcp(A.at(7), B).numbers(1_001, 0), Build::tcp(B, A.at(7)).numbers(4, 1_001)];
        let ends = ends.map(|end| end.flags(flags).frame());
        for _ in 0..3 {
            network.rank_of(A, &ends[0]);
            network.rank_of(B, &ends[1]);
        }
        assert_eq!(joined(&network), [(0, 0); 2], "{flags:#x}");
    }
}
