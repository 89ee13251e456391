//! How long handshakes take along each path: one time for each, and none where it is not known what answered what.

use super::*;
use crate::{
    map::{HandshakeTimes, THIS_EDGE},
    route::Rank,
    wire::tcp::RST,
};

const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x0123_4567_89ab_cdef];
/// From SYN to SYN/ACK, and from there to the third ACK, in nanoseconds.
const WAITS: [u64; 2] = [3_000_000, 700_000];

/// Sends the frames with pauses between them.
fn send(network: &mut Network, frames: &[(End, Vec<u8>)], waits: [u64; 2]) {
    for ((from, frame), wait) in frames.iter().zip([0].into_iter().chain(waits)) {
        network.edges.iter_mut().for_each(|edge| edge.clock += wait);
        let _ = network.send(*from, frame);
    }
}

/// All that an edge has counted, as rank, how many, and their sum in whole microseconds.
fn times(network: &Network, edge: usize) -> Vec<(u8, u64, u64)> {
    let edge = &network.edges[edge];
    let place = |rank| {
        let at = |&to: &u16| edge.handshakes.get(&HandshakeTimes::place(to, Rank::new(rank)));
        edge.path_sets.keys().find_map(at)
    };
    let ranks = (0..Rank::COUNT as u8).filter_map(|rank| Some((rank, place(rank)?)));
    ranks.map(|(rank, times)| (rank, times.count(), times.sum / 1_000)).collect()
}

#[test]
fn the_edge_of_the_initiator_times_the_answer_and_that_of_the_responder_the_third_ack() {
    for (hosts, version) in [([A, B], Version::V1), ([A_V6, B_V6], Version::V1), ([A, B], Version::V0)] {
        let mut network = Network::new();
        send(&mut network, &handshake(version, hosts, KEYS), WAITS);
        assert_eq!([0, 1].map(|edge| times(&network, edge)), [[(0, 1, 3_000)], [(0, 1, 700)]], "{hosts:?}");
        send(&mut network, &join_handshake(hosts[0].at(9), hosts[1], derive(version, KEYS[1])), WAITS);
        let both = [0, 1].map(|edge| times(&network, edge));
        assert_eq!(both, [[(0, 1, 3_000), (1, 1, 3_000)], [(0, 1, 700), (1, 1, 700)]], "{hosts:?}");
    }
}

#[test]
fn a_time_is_in_its_bucket_and_of_the_other_edge() {
    let mut network = Network::new();
    send(&mut network, &handshake(Version::V1, [A, B], KEYS), WAITS);
    let counted: Vec<_> = network.edges[0].handshakes.values().collect();
    let &[times] = counted.as_slice() else { panic!("one path: {counted:?}") };
    assert_eq!(times.buckets[HandshakeTimes::bucket(WAITS[0])], 1);
    assert!(!network.edges[0].handshakes.contains_key(&HandshakeTimes::place(THIS_EDGE, Rank::BEST)));
}

#[test]
fn a_frame_that_comes_again_leaves_no_time_that_nobody_knows() {
    let [syn, answer, ack] = handshake(Version::V1, [A, B], KEYS);
    let again = |frames: &[&(End, Vec<u8>)]| {
        let mut network = Network::new();
        for (from, frame) in frames {
            network.edges.iter_mut().for_each(|edge| edge.clock += 1_000_000);
            let _ = network.send(*from, frame);
        }
        [0, 1].map(|edge| times(&network, edge).iter().map(|path| path.1).sum::<u64>())
    };
    assert_eq!(again(&[&syn, &answer, &ack]), [1, 1]);
    assert_eq!(again(&[&syn, &syn, &answer, &ack]), [0, 0]);
    assert_eq!(again(&[&syn, &answer, &answer, &ack]), [0, 0]);
    assert_eq!(again(&[&syn, &answer, &syn, &answer, &ack]), [0, 0]);
    assert_eq!(again(&[&syn, &answer, &ack, &ack]), [1, 1]);
}

#[test]
fn a_handshake_that_is_not_completed_has_no_time() {
    let [syn, answer, _] = handshake(Version::V1, [A, B], KEYS);
    let refusal = (B, Build::tcp(B, A).flags(RST | ACK).numbers(0, 1_001).frame());
    let plain = (B, Build::tcp(B, A).flags(SYN | ACK).numbers(u32::MAX, 1_001).frame());
    for frames in [
        [syn.clone(), answer, refusal.clone()],
        [syn.clone(), refusal.clone(), refusal.clone()],
        [syn, plain, refusal],
    ] {
        let mut network = Network::new();
        send(&mut network, &frames, WAITS);
        assert!(network.edges.iter().all(|edge| edge.handshakes.is_empty()));
    }
}

#[test]
fn joins_under_way_at_once_are_timed_where_each_path_is_known() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    let before = [0, 1].map(|edge| times(&network, edge).len());
    let joins = [20, 21, 22].map(|port| join_handshake(A.at(port), B, derive(Version::V1, KEYS[1])));
    for step in 0..3 {
        network.edges.iter_mut().for_each(|edge| edge.clock += WAITS[1]);
        for frames in &joins {
            let _ = network.send(frames[step].0, &frames[step].1);
        }
    }
    // All asked on rank 1; two were answered on another.
    let [here, there] = [0, 1].map(|edge| times(&network, edge).len());
    assert_eq!([here - before[0], there - before[1]], [1, 3]);
}
