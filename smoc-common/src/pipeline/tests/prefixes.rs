//! Addresses that are behind a router at an edge: they are on no list of hosts.

use super::*;
use crate::{
    map::{Host, Prefix, Settings},
    pipeline::Tables as _,
    wire::ip::Address,
};

/// 192.168.`net`.`last`, sent by a router.
const fn behind(router: End, net: u8, last: u8, port: u16) -> End {
    End { mac: router.mac, address: Address::from_v4([192, 168, net, last]), port }
}

/// With 192.168.1.0/24 behind the client's port, and 192.168.0.0/16 and 2001:db8::/32 behind the server's.
fn routed() -> Network {
    let mut network = Network::new();
    for (this, edge) in network.edges.iter_mut().enumerate() {
        edge.settings.as_mut().unwrap().filled = Settings::PREFIXES;
        let v6 = Prefix { length: 32, octets: [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] };
        let v4 = |length: u32, net: u8| Prefix {
            length: 96 + length,
            octets: Address::from_v4([192, 168, net, 0]).octets(),
        };
        for (prefix, router, at) in [(v4(24, 1), A, 0), (v4(16, 0), B, 1), (v6, B, 1)] {
            let attachment = Attachment { edge: u16::from(this != at), port: FIRST };
            edge.prefixes.insert(prefix, Host { attachment, mac: router.mac, ..Host::default() });
        }
    }
    network
}

#[test]
fn frames_from_and_to_what_is_behind_a_router_arrive_as_they_were_sent() {
    let mut network = routed();
    let v6 = |last| End {
        mac: B.mac,
        address: Address::new([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]),
        port: 80,
    };
    for (from, to) in [
        (A, behind(B, 7, 1, 80)),
        (behind(A, 1, 9, 4000), B),
        (behind(A, 1, 9, 4000), behind(B, 2, 9, 80)),
        (A_V6, v6(1)),
    ] {
        for frame in [Build::udp(from, to).frame(), Build::tcp(from, to).frame()] {
            let arrived = network.send(A, &frame).unwrap();
            assert_eq!((&arrived.frame, arrived.port), (&frame, FIRST));
        }
        let back = Build::udp(to, from).frame();
        assert_eq!(network.send(B, &back).unwrap().frame, back);
    }
}

#[test]
fn connections_and_joins_between_subnets_behind_routers_are_followed() {
    let mut network = routed();
    let (client, server) = (behind(A, 1, 5, 40_000), behind(B, 2, 6, 80));
    network.connect(Version::V1, [client, server], [1, 2]);
    let ranks = [behind(A, 1, 6, 40_001), behind(A, 1, 7, 40_002)]
        .map(|from| network.join(from, server, derive(Version::V1, 2)));
    assert_eq!(ranks, [1, 2]);
    let data = Build::tcp(behind(A, 1, 6, 40_001), server).payload(b"data").frame();
    let arrived = network.send(A, &data).unwrap();
    assert_eq!((arrived.rank, arrived.outcome, arrived.frame), (1, Outcome::Established, data));
}

#[test]
fn the_longest_prefix_counts_and_a_host_more_than_any() {
    let mut network = routed();
    let within = behind(A, 1, 9, 80);
    assert_eq!(network.edges[0].locate(&within.address).unwrap().mac, A.mac);
    let there = Attachment { edge: 1, port: SECOND };
    let host = Host { attachment: there, mac: C.mac, ..Host::default() };
    network.edges[0].hosts.insert(within.address, host);
    network.edges[1]
        .hosts
        .insert(within.address, Host { attachment: Attachment { edge: 0, ..there }, ..host });
    let frame = Build::udp(A, End { mac: C.mac, ..within }).frame();
    assert_eq!(network.send(A, &frame).unwrap().port, SECOND);
}

#[test]
fn what_comes_from_another_than_the_router_or_is_in_no_prefix_is_left_to_the_kernel() {
    let mut network = routed();
    let forged = Build::udp(behind(NEIGHBOUR, 1, 9, 1), B).frame();
    assert_eq!(network.send(NEIGHBOUR, &forged), Err(Outcome::UnknownHost));
    let other = Build::udp(End { address: Address::from_v4([192, 169, 0, 1]), ..A }, B).frame();
    assert_eq!(network.send(A, &other), Err(Outcome::UnknownHost));
    let to_other_router = Build::udp(A, behind(C, 7, 1, 80)).frame();
    assert_eq!(network.send(A, &to_other_router), Err(Outcome::OtherNextHop));
    for edge in &mut network.edges {
        edge.settings.as_mut().unwrap().filled = 0;
    }
    assert_eq!(network.send(A, &Build::udp(A, behind(B, 7, 1, 80)).frame()), Err(Outcome::UnknownHost));
}

#[test]
fn a_strict_guard_lets_in_what_is_behind_the_router_of_its_port_and_nothing_else() {
    let mut network = routed();
    let edge = &mut network.edges[0];
    edge.settings.as_mut().unwrap().guarded = 1;
    edge.ports.get_mut(&FIRST).unwrap().guard = Port::GUARD_STRICT;
    edge.ingress = interface_of(FIRST);
    let within = Build::udp(behind(A, 1, 9, 1), B).frame();
    assert!(network.send(A, &within).is_ok());
    for forged in [behind(A, 2, 9, 1), behind(NEIGHBOUR, 1, 9, 1)] {
        assert_eq!(network.send(A, &Build::udp(forged, B).frame()), Err(Outcome::Guarded));
    }
}
