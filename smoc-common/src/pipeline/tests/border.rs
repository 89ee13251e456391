//! What must not cross between hosts and fabric: smoc's own frames, other hosts' addresses, other VLANs.

use super::*;
use crate::{
    map::Host,
    route::{Label, Rank},
    wire::{announcement, ethernet::TPID_CUSTOMER, ip::Address, probe::Probe},
};

const KEYS: [u64; 2] = [1, 2];

/// A frame with this route in place of its addresses.
fn pushed(frame: &[u8], route: Route) -> Vec<u8> {
    trouble::pushed_on(frame, Label::new(Rank::BEST, false).bits(), route.bits())
}

fn through(hops: &[u16]) -> Route {
    Route::through(hops.iter().map(|&port| (PortNumber::new(port).unwrap(), WIDTH))).unwrap()
}

/// A frame from a host port that smoc leaves to the bridge floods to the neighbour behind a fabric port: what that does.
fn bridged(network: &mut Network, frame: &mut [u8]) -> Option<Verdict> {
    let verdict = network.edges[0].from_host(frame);
    (verdict.outcome.action() == Action::Pass).then(|| network.transits[0].from_fabric(frame))
}

#[test]
fn host_cannot_push_a_route_by_way_of_the_bridge() {
    let mut network = Network::new();
    let [(_, mut syn), (_, answer), (_, mut ack)] = handshake(Version::V1, [A, B], KEYS);
    network.edges[0].from_host(&mut syn);
    let mut forged = pushed(&answer, through(&[1]));
    if bridged(&mut network, &mut forged).is_some() {
        network.edges[0].from_fabric(&mut forged);
    }
    network.edges[0].from_host(&mut ack);
    assert_eq!(network.noted(0, Note::Bound), 0, "one host port fakes a whole handshake of two others");
    assert_eq!(network.edges[0].count_of(Outcome::PushedByHost.counter()), 1);
    assert_eq!(Outcome::PushedByHost.action(), Action::Consume);
}

#[test]
fn hello_that_a_host_forges_reaches_no_neighbour() {
    let mut network = Network::new();
    let probe = Probe { flags: Probe::HELLO | Probe::HEARS, back_port: 2, back_route: 1, ..Probe::default() };
    let mut frame = probe.frame(Route::END).to_vec();
    assert_eq!(bridged(&mut network, &mut frame), None);
    assert!(network.transits[0].sightings.is_empty());
}

#[test]
fn frame_that_a_host_pushes_a_long_route_onto_crosses_no_link() {
    let mut network = Network::new();
    let mut frame = pushed(&Build::udp(A, B).frame(), through(&[1; 15]));
    assert_eq!(bridged(&mut network, &mut frame), None);
}

#[test]
fn announcement_of_a_host_ends_at_its_port() {
    let mut frame = Build::udp(A, B).destination(MacAddress::new(announcement::DESTINATION)).frame();
    assert_eq!(edge(0).from_host(&mut frame.clone()).outcome, Outcome::NotForUs, "another group frame");
    frame[12..14].copy_from_slice(&announcement::ETHER_TYPE.to_be_bytes());
    assert_eq!(edge(0).from_host(&mut frame).outcome, Outcome::PushedByHost);
}

#[test]
fn probes_and_pushed_frames_never_leave_through_a_host_port() {
    for flags in [0, Probe::HELLO] {
        let mut edge = edge(1);
        let probe = Probe { back_port: u32::from(FIRST), back_route: 1, flags, ..Probe::default() };
        let verdict = edge.from_fabric(&mut probe.frame(Route::END).to_vec());
        assert_eq!(verdict, Verdict { outcome: Outcome::ProbeLost, port: 0 });
        let verdict = edge.from_fabric(&mut probe.frame(through(&[FIRST])).to_vec());
        assert_eq!(verdict, Verdict { outcome: Outcome::ProbeLost, port: 0 });
    }
    let frame = Build::udp(A, B).frame();
    let mut seen = pushed(&frame, through(&[FIRST]));
    let verdict = edge(1).from_fabric(&mut seen);
    assert_eq!((verdict, seen), (Verdict { outcome: Outcome::DeadEnd, port: 0 }, frame));
}

#[test]
fn frame_is_delivered_through_host_ports_only() {
    let mut edge = edge(1);
    edge.hosts.get_mut(&B.address).unwrap().attachment.port = 2;
    let verdict = edge.from_fabric(&mut pushed(&Build::udp(A, B).frame(), Route::END));
    assert_eq!(verdict, Verdict { outcome: Outcome::DeadEnd, port: 0 });
}

#[test]
fn sighting_names_the_interface_that_the_hello_came_in_by() {
    let mut neighbour = transit();
    neighbour.ingress = 77;
    let probe = Probe { flags: Probe::HELLO, back_port: 1, back_route: 1, ..Probe::default() };
    neighbour.from_fabric(&mut probe.frame(Route::END).to_vec());
    assert_eq!((neighbour.sightings[0].interface, neighbour.sightings[0].probe.back_port), (77, 1));
}

/// An edge whose first host port has this guard.
fn guarded(guard: u8) -> Switch {
    let mut edge = edge(0);
    edge.settings.as_mut().unwrap().guarded = 1;
    edge.ports.get_mut(&FIRST).unwrap().guard = guard;
    edge
}

#[test]
fn guard_drops_what_is_not_its_ports() {
    use Outcome::{Guarded, NotForUs, OtherNextHop, Plain, UnknownHost};
    let stranger = end(77, v4(77), 9);
    let arp = |sender: End, stated: End| {
        let mut frame = Build::udp(sender, B).destination(MacAddress::new([0xff; 6])).frame();
        frame[12..14].copy_from_slice(&0x0806u16.to_be_bytes());
        frame[22..28].copy_from_slice(&stated.mac.octets());
        frame[28..32].copy_from_slice(&stated.address.octets()[12..]);
        frame
    };
    let group = MacAddress::new([0x33, 0x33, 0, 0, 0, 1]);
    for (name, frame, [off, source, strict]) in [
        ("its own host", Build::udp(A, B).frame(), [Plain; 3]),
        ("TCP of its own host", Build::tcp(A, B).frame(), [Plain; 3]),
        ("a neighbour's address", Build::udp(NEIGHBOUR, B).frame(), [Plain, Guarded, Guarded]),
        ("a neighbour's address, in TCP", Build::tcp(NEIGHBOUR, B).frame(), [Plain, Guarded, Guarded]),
        (
            "its own address under another MAC",
            Build::udp(End { mac: mac(66), ..A }, B).frame(),
            [UnknownHost, Guarded, Guarded],
        ),
        ("a host of another edge", Build::udp(C, B).frame(), [UnknownHost, Guarded, Guarded]),
        ("somebody new", Build::udp(stranger, B).frame(), [UnknownHost, UnknownHost, Guarded]),
        ("to another next hop", Build::udp(A, B).destination(mac(99)).frame(), [OtherNextHop; 3]),
        ("no address yet", Build::udp(end(77, v4(77), 9), B).frame(), [UnknownHost, UnknownHost, Guarded]),
        ("a group", Build::udp(A_V6, B_V6).destination(group).frame(), [NotForUs; 3]),
        (
            "a group, under another's address",
            Build::udp(NEIGHBOUR, B).destination(group).frame(),
            [NotForUs, Guarded, Guarded],
        ),
        ("ARP", arp(A, A), [NotForUs; 3]),
        ("ARP for another's address", arp(A, NEIGHBOUR), [NotForUs, Guarded, Guarded]),
        ("ARP with another's MAC", arp(End { mac: mac(66), ..A }, A), [NotForUs, Guarded, Guarded]),
        ("ARP of somebody new", arp(stranger, stranger), [NotForUs, NotForUs, Guarded]),
        ("ARP probe", arp(stranger, End { address: Address::from_v4([0; 4]), ..stranger }), [NotForUs; 3]),
    ] {
        for (guard, outcome) in
            [(Port::GUARD_OFF, off), (Port::GUARD_SOURCE, source), (Port::GUARD_STRICT, strict)]
        {
            let mut edge = guarded(guard);
            edge.ingress = interface_of(FIRST);
            let mut seen = frame.clone();
            let found = edge.from_host(&mut seen);
            assert_eq!(found.outcome, outcome, "{name}, guard {guard}");
            if outcome.action() != Action::Redirect {
                assert_eq!(seen, frame, "{name}, guard {guard}");
            }
        }
    }
    assert_eq!(Guarded.action(), Action::Consume);
}

#[test]
fn established_subflow_is_its_hosts_at_a_guarded_port_only() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    let before = network.flow(A, B).unwrap().sent;
    network.edges[0].settings.as_mut().unwrap().guarded = 1;
    for port in [FIRST, SECOND] {
        network.edges[0].ports.get_mut(&port).unwrap().guard = Port::GUARD_SOURCE;
    }
    let data = Build::tcp(A, B).numbers(1_001, 0).payload(b"data").frame();
    for (port, outcome) in [(SECOND, Outcome::Guarded), (FIRST, Outcome::Established)] {
        network.edges[0].ingress = interface_of(port);
        assert_eq!(network.edges[0].from_host(&mut data.clone()).outcome, outcome, "{port}");
    }
    assert_eq!(network.flow(A, B).unwrap().sent.packets, before.packets + 1);
}

/// A network whose hosts belong to these VLANs.
fn with_vlans(of_a: u16, of_b: u16) -> Network {
    let mut network = Network::new();
    for edge in &mut network.edges {
        edge.hosts.get_mut(&A.address).unwrap().vlan = Host::of_vlan(of_a);
        edge.hosts.get_mut(&B.address).unwrap().vlan = Host::of_vlan(of_b);
    }
    network
}

#[test]
fn address_belongs_to_a_vlan() {
    let tagged =
        |frame: Build, vid: u16| if vid == 0 { frame } else { frame.tag(TPID_CUSTOMER, 0xe000 | vid) };
    for (of_a, of_b, vid, outcome) in [
        (5, 5, 5, Ok(Outcome::Plain)),
        (0, 0, 0, Ok(Outcome::Plain)),
        (5, 5, 0, Err(Outcome::OtherVlan)),
        (0, 0, 5, Err(Outcome::OtherVlan)),
        (5, 6, 5, Err(Outcome::OtherVlan)),
        (5, 6, 6, Err(Outcome::OtherVlan)),
    ] {
        let frame = tagged(Build::udp(A, B), vid).frame();
        let found = with_vlans(of_a, of_b).send(A, &frame).map(|arrived| arrived.outcome);
        assert_eq!(found, outcome, "{of_a} to {of_b} in {vid}");
        let mut far = with_vlans(of_a, of_b);
        let mut seen = pushed(&frame, Route::END);
        let is_delivered = far.edges[1].from_fabric(&mut seen).outcome == Outcome::Delivered;
        assert_eq!(is_delivered, of_b == vid, "delivered in {vid}");
    }
}

#[test]
fn subflow_is_followed_in_its_own_vlan_only() {
    let mut network = with_vlans(5, 5);
    let dress = |frame: Build| frame.tag(TPID_CUSTOMER, 5);
    let syn = Build::tcp(A, B).flags(SYN).numbers(9, 0).options(&capable(Version::V1, &[]));
    let answer = Build::tcp(B, A).flags(SYN | ACK).numbers(0, 10).options(&capable(Version::V1, &KEYS[1..]));
    let ack = Build::tcp(A, B).numbers(10, 1).options(&capable(Version::V1, &KEYS));
    for (from, frame) in [(A, syn), (B, answer), (A, ack)] {
        network.rank_of(from, &dress(frame).frame());
    }
    let before = network.flow(A, B).unwrap();
    assert_eq!(before.vlan, 5);
    let plain = Build::tcp(A, B).numbers(10, 1).payload(b"data");
    assert_eq!(network.send(A, &plain.frame()), Err(Outcome::OtherVlan));
    assert_eq!(network.flow(A, B), Some(before));
    assert_eq!(network.send(A, &dress(plain).frame()).unwrap().outcome, Outcome::Established);
}
