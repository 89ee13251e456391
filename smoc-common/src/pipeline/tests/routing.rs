//! Layer 3: frames that hosts address to the switch as their router.

use super::*;
use crate::{testing::frames::checksum, wire::tcp::RST};

/// A frame as it leaves a router: the MACs of the last hop, a hop less, a checksum that is right.
fn as_routed(frame: &[u8], destination: MacAddress, source: MacAddress) -> Vec<u8> {
    let mut routed = frame.to_vec();
    routed[..6].copy_from_slice(&destination.octets());
    routed[6..12].copy_from_slice(&source.octets());
    if routed[12] == 0x08 {
        routed[14 + 8] -= 1;
        routed[14 + 10..14 + 12].fill(0);
        let header = 4 * usize::from(routed[14] & 15);
        let sum = checksum(&routed[14..14 + header]).to_be_bytes();
        routed[14 + 10..14 + 12].copy_from_slice(&sum);
    } else {
        routed[14 + 7] -= 1;
    }
    routed
}

#[test]
fn routed_frames_lose_a_hop_and_get_the_macs_of_the_last_router() {
    let mut network = Network::new();
    for hops in 2..=255 {
        for frame in [
            Build::tcp(A, B).hops(hops).payload(&[hops; 3]),
            Build::udp(A, B).hops(hops).extras(0, &[1; 8]),
            Build::udp(A_V6, B_V6).hops(hops),
        ] {
            let frame = frame.destination(ROUTERS[0]).frame();
            let arrived = network.send(A, &frame).unwrap();
            assert_eq!(arrived.frame, as_routed(&frame, B.mac, ROUTERS[1]), "{hops} hops");
            let header = &arrived.frame[14..14 + 4 * usize::from(arrived.frame[14] & 15)];
            assert!(frame[12] != 0x08 || checksum(header) == 0);
        }
    }
}

#[test]
fn last_hop_is_the_kernels_to_refuse() {
    for hops in [0, 1] {
        for frame in [Build::tcp(A, B), Build::udp(A, B), Build::tcp(A_V6, B_V6)] {
            let frame = frame.hops(hops).destination(ROUTERS[0]).frame();
            assert_eq!(Network::new().send(A, &frame), Err(Outcome::TimeToLive));
        }
    }
    let bridged = Build::tcp(A, B).hops(1).frame();
    assert_eq!(Network::new().rank_of(A, &bridged), 0, "a bridge does not look at it");
}

#[test]
fn routed_connections_and_their_joins_are_followed() {
    let mut network = Network::new();
    let mut send = |frames: [(End, Vec<u8>); 3]| {
        frames.map(|(from, mut frame)| {
            let side = Network::edge_of(from);
            let other = if side == 0 { B } else { A };
            frame[..6].copy_from_slice(&ROUTERS[side].octets());
            let arrived = network.send(from, &frame).unwrap();
            assert_eq!(arrived.frame, as_routed(&frame, other.mac, ROUTERS[1 - side]));
            arrived.rank
        })
    };
    assert_eq!(send(handshake(Version::V1, [A, B], [1, 2])), [0; 3]);
    assert_eq!(send(join_handshake(A_OTHER, B_OTHER, derive(Version::V1, 2))), [1; 3]);
    assert_eq!(send(join_handshake(B_V6, A_V6, derive(Version::V1, 1))), [2; 3]);
    let data = Build::tcp(A_OTHER, B_OTHER).destination(ROUTERS[0]).payload(b"data").frame();
    let arrived = network.send(A, &data).unwrap();
    assert_eq!((arrived.rank, arrived.outcome), (1, Outcome::Established));
    assert_eq!(arrived.frame, as_routed(&data, B.mac, ROUTERS[1]));
    let reset = Build::tcp(A_OTHER, B_OTHER).flags(RST).hops(1).destination(ROUTERS[0]).frame();
    assert_eq!(network.send(A, &reset), Err(Outcome::TimeToLive));
}

#[test]
fn host_that_changes_from_bridging_to_routing_keeps_its_path() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, 2]);
    assert_eq!(network.join(A_OTHER, B, derive(Version::V1, 2)), 1);
    for (destination, routed) in [(ROUTERS[0], true), (B.mac, false)] {
        let data = Build::tcp(A_OTHER, B).destination(destination).payload(b"data").frame();
        let arrived = network.send(A, &data).unwrap();
        assert_eq!((arrived.rank, arrived.outcome), (1, Outcome::Established));
        assert_eq!(network.flow(A_OTHER, B).unwrap().flags & Flow::ROUTED != 0, routed);
    }
}

#[test]
fn host_that_moves_takes_its_subflows_along() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, 2]);
    assert_eq!(network.join(A_OTHER, B, derive(Version::V1, 2)), 1);
    for (edge, name) in network.edges.iter_mut().zip([1, 0]) {
        edge.settings.as_mut().unwrap().epoch += 1;
        edge.hosts.get_mut(&B.address).unwrap().attachment = Attachment { edge: name, port: SECOND };
    }
    let data = Build::tcp(A_OTHER, B).payload(b"data").frame();
    for _ in 0..2 {
        let arrived = network.send(A, &data).unwrap();
        assert_eq!((arrived.rank, arrived.port, arrived.outcome), (1, SECOND, Outcome::Established));
    }
}
