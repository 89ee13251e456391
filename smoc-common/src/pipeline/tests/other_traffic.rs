//! What smoc leaves to the kernel, byte for byte, and what it carries in other clothes.

use super::*;
use crate::wire::ethernet::{TPID_CUSTOMER, TPID_SERVICE};

const BROADCAST: MacAddress = MacAddress::new([0xff; 6]);
const MULTICAST: MacAddress = MacAddress::new([0x33, 0x33, 0, 0, 0, 1]);
const LIKE_A_ROUTE: MacAddress = MacAddress::new([0x02, 0x53, 0x4d, 0, 0, 1]);
const STRANGER: End = end(77, v4(77), 9);

#[test]
fn frames_that_are_not_smocs_business_stay_untouched() {
    let syn = Build::tcp(A, B).flags(SYN).options(&capable(Version::V1, &[]));
    let with_type = |ether_type: u16| {
        let mut frame = syn.frame();
        frame[12..14].copy_from_slice(&ether_type.to_be_bytes());
        frame
    };
    let spoofed = End { mac: mac(66), ..A };
    for (name, frame, outcome) in [
        (
            "an address like a pushed route",
            syn.clone().destination(LIKE_A_ROUTE).frame(),
            Outcome::PushedByHost,
        ),
        ("broadcast", syn.clone().destination(BROADCAST).frame(), Outcome::NotForUs),
        ("multicast", syn.clone().destination(MULTICAST).frame(), Outcome::NotForUs),
        ("ARP", with_type(0x0806), Outcome::NotForUs),
        ("IPv6 in name only", with_type(0x86dd), Outcome::NotForUs),
        ("three tags", syn.clone().tag(0x8100, 1).tag(0x8100, 2).tag(0x8100, 3).frame(), Outcome::NotForUs),
        ("to an unknown host", Build::tcp(A, STRANGER).frame(), Outcome::UnknownHost),
        ("from an unknown host", Build::udp(STRANGER, B).frame(), Outcome::UnknownHost),
        ("from another's address", Build::udp(spoofed, B).frame(), Outcome::UnknownHost),
        ("from a host of another edge", Build::udp(C, B).frame(), Outcome::UnknownHost),
        ("to a host of this edge", Build::tcp(A, NEIGHBOUR).frame(), Outcome::SameEdge),
        ("to another next hop", syn.clone().destination(mac(99)).frame(), Outcome::OtherNextHop),
        ("an Ethernet header and no more", syn.frame()[..14].to_vec(), Outcome::NotForUs),
        ("less than an Ethernet header", syn.frame()[..13].to_vec(), Outcome::NotForUs),
        ("half an IP header", syn.frame()[..30].to_vec(), Outcome::NotForUs),
        ("half a TCP header", syn.frame()[..40].to_vec(), Outcome::NotForUs),
    ] {
        let mut network = Network::new();
        assert_eq!(network.send(A, &frame), Err(outcome), "{name}");
        assert_eq!(network.edges[0].count_of(outcome.counter()), 1, "{name}");
        assert_eq!(network.edges[0].counters.iter().sum::<u64>(), 1, "{name}");
    }
}

#[test]
fn frames_without_a_route_pass_from_the_fabric() {
    let mut edge = edge(0);
    let frame = Build::tcp(B, A).frame();
    let mut seen = frame.clone();
    assert_eq!(edge.from_fabric(&mut seen), Verdict { outcome: Outcome::Unrouted, port: 0 });
    assert_eq!(seen, frame);
    assert_eq!(edge.from_fabric(&mut [2; 13]).outcome, Outcome::NotForUs);
}

#[test]
fn switch_without_settings_or_paths_touches_nothing() {
    let frame = Build::udp(A, B).frame();
    for (outcome, change) in [
        (Outcome::NotConfigured, (|edge| edge.settings = None) as fn(&mut Switch)),
        (Outcome::NoPath, |edge| edge.path_sets.clear()),
        (Outcome::NoPath, |edge| edge.path_sets.get_mut(&1).unwrap().count = 0),
        (Outcome::PortDown, |edge| edge.down.extend(1..=PATHS)),
        (Outcome::PortDown, |edge| edge.ports.retain(|&number, _| number > PATHS)),
    ] {
        let mut network = Network::new();
        change(&mut network.edges[0]);
        assert_eq!(network.send(A, &frame), Err(outcome));
    }
}

#[test]
fn handshakes_behind_tags_and_options_and_extension_headers_are_followed() {
    type Dress = fn(Build) -> Build;
    let dressed: [(&str, End, End, Dress); 6] = [
        ("one tag", A, B, |frame| frame.tag(TPID_CUSTOMER, 5)),
        ("two tags", A, B, |frame| frame.tag(TPID_SERVICE, 5).tag(TPID_CUSTOMER, 6)),
        ("tagged IPv6", A_V6, B_V6, |frame| frame.tag(TPID_CUSTOMER, 0xe005)),
        ("IPv4 options", A, B, |frame| frame.extras(0, &[1; 40])),
        ("IPv6 hop by hop", A_V6, B_V6, |frame| frame.extras(0, &[6, 0, 1, 4, 0, 0, 0, 0])),
        ("two IPv6 extension headers", A_V6, B_V6, |frame| {
            frame.extras(0, &[60, 0, 1, 4, 0, 0, 0, 0, 6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }),
    ];
    for (name, client, server, dress) in dressed {
        let mut network = Network::new();
        let (keys, token) = ([3, 4], derive(Version::V1, 4));
        let syn = Build::tcp(client, server).flags(SYN).numbers(9, 0).options(&capable(Version::V1, &[]));
        let answer = Build::tcp(server, client).flags(SYN | ACK).numbers(0, 10);
        let answer = answer.options(&capable(Version::V1, &keys[1..]));
        let ack = Build::tcp(client, server).numbers(10, 1).options(&capable(Version::V1, &keys));
        for (from, frame) in [(client, syn), (server, answer), (client, ack)] {
            assert_eq!(network.rank_of(from, &dress(frame).frame()), 0, "{name}");
        }
        let joining = Build::tcp(client.at(1), server).flags(SYN).options(&join(token, 0));
        assert_eq!(network.rank_of(client, &dress(joining).frame()), 1, "{name}");
        let data = dress(Build::tcp(client, server).payload(b"data")).frame();
        assert_eq!(network.send(client, &data).unwrap().outcome, Outcome::Established, "{name}");
    }
}

#[test]
fn other_traffic_takes_a_path_of_least_cost_that_is_no_rank() {
    let port = |edge: &mut Switch, build: &Build| {
        let verdict = edge.from_host(&mut build.frame());
        assert_eq!(verdict.outcome.action(), Action::Redirect);
        verdict.port
    };
    let (datagram, segment) = (Build::udp(A, B), Build::tcp(A, B).payload(&[1]));
    let syn = Build::tcp(A, B).flags(SYN);
    let capable = Build::tcp(A.at(9), B).flags(SYN).options(&capable(Version::V1, &[]));
    let mut edge = edge(0);
    let set = edge.path_sets.get_mut(&1).unwrap();
    (set.base_count, set.paths[PathSet::BASE]) = (1, set.paths[3]);
    for build in [&datagram, &segment, &syn] {
        assert_eq!(port(&mut edge, build), 4);
    }
    assert_eq!(port(&mut edge, &capable), 1, "a connection begins with rank 0");

    edge.down.insert(4);
    assert_eq!(port(&mut edge, &datagram), 1, "ranks take over");
    edge.down.clear();
    edge.path_sets.get_mut(&1).unwrap().broken = 1 << PathSet::BASE;
    assert_eq!(port(&mut edge, &segment), 1);
    assert_eq!(edge.count_of(Note::FailedOver.counter()), 2);
    edge.path_sets.get_mut(&1).unwrap().base_count = 0;
    assert_eq!(port(&mut edge, &datagram), 1, "an agent that wrote none");
}
