//! Hosts that are not known yet, or not as they are now: what they open goes over the base network at first, and counts.

use super::*;
use crate::map::{HalfOpen, Host};
use proptest::prelude::*;

const KEYS: [u64; 2] = [0x22fc_33ed_9d78_b9e7, 0x0123_4567_89ab_cdef];

fn server() -> u32 {
    derive(Version::V1, KEYS[1])
}

/// A network in which an edge may know a host later than the others, and what it knows then.
struct Ignorant {
    network: Network,
    known: [[Host; 2]; 2],
}

/// The hosts of which it can be known or not.
const HOSTS: [End; 2] = [A, B];

impl Ignorant {
    fn new() -> Self {
        let network = Network::new();
        let known = [0, 1].map(|edge| HOSTS.map(|host| network.edges[edge].hosts[&host.address]));
        let mut ignorant = Self { network, known };
        ignorant.forget(0b1111);
        for switch in &mut ignorant.network.edges {
            switch.ingress = interface_of(FIRST);
        }
        ignorant
    }

    /// Lets edges know nothing of hosts: a bit for each edge and host.
    fn forget(&mut self, bits: u8) {
        for (edge, host) in Self::places(bits) {
            self.network.edges[edge].hosts.remove(&HOSTS[host].address);
        }
    }

    /// Lets edges hear of hosts.
    fn tell(&mut self, bits: u8) {
        for (edge, host) in Self::places(bits) {
            self.network.edges[edge].hosts.insert(HOSTS[host].address, self.known[edge][host]);
        }
    }

    fn places(bits: u8) -> impl Iterator<Item = (usize, usize)> {
        (0..4).filter(move |bit| bits >> bit & 1 == 1).map(|bit| (bit / 2, bit % 2))
    }

    /// Sends a frame, over the base network where smoc leaves it to the kernel; the rank that it took, if any.
    fn send(&mut self, from: End, frame: &[u8]) -> Option<u8> {
        let ingress = Network::edge_of(from);
        let mut seen = frame.to_vec();
        let Verdict { outcome, port } = self.network.edges[ingress].from_host(&mut seen);
        if outcome.action() == Action::Redirect {
            self.network.transits[usize::from(port - 1)].from_fabric(&mut seen);
            self.network.edges[1 - ingress].from_fabric(&mut seen);
            return Some(port as u8 - 1);
        }
        assert_eq!(seen, frame, "a frame that stays is untouched");
        for transit in &mut self.network.transits[..1] {
            assert_eq!(transit.from_fabric(&mut seen).outcome, Outcome::Unrouted);
        }
        assert_eq!(self.network.edges[1 - ingress].from_fabric(&mut seen).outcome, Outcome::Unrouted);
        assert_eq!(seen, frame, "a frame of the base network is untouched");
        None
    }

    /// Data in both directions of a subflow; the ranks.
    fn talk(&mut self, client: End, server: End) -> [Option<u8>; 2] {
        [(client, server), (server, client)].map(|(from, to)| {
            self.send(from, &Build::tcp(from, to).numbers(1_001, 1).payload(b"data").frame())
        })
    }

    /// The subflow at both edges.
    fn flows(&self, client: End, server: End) -> [Option<Flow>; 2] {
        [self.network.flow(client, server), self.network.flow(server, client)]
    }

    fn is_bound(&self) -> [bool; 2] {
        [0, 1].map(|edge| self.network.edges[edge].connections.entries.len() == 1)
    }
}

#[test]
fn connection_of_hosts_that_are_not_known_yet_is_bound_when_its_keys_are_seen() {
    for told in 0..16 {
        let mut ignorant = Ignorant::new();
        ignorant.tell(told);
        for (from, frame) in handshake(Version::V1, [A, B], KEYS) {
            ignorant.send(from, &frame);
        }
        assert_eq!(ignorant.is_bound(), [true; 2], "{told:04b}");
        ignorant.tell(0b1111);
        assert_eq!(ignorant.talk(A, B), [Some(0); 2], "{told:04b}");
        for flow in ignorant.flows(A, B) {
            assert_eq!(flow.unwrap().flags & Flow::PENDING, 0, "{told:04b}");
        }
        assert_eq!(ignorant.network.join(A.at(3), B, server()), 1, "{told:04b}");
        assert_eq!(ignorant.network.join(A_OTHER, B_OTHER, server()), 2, "{told:04b}");
    }
}

#[test]
fn joins_of_hosts_that_are_not_known_yet_spread_when_they_are() {
    for told in 0..16 {
        let mut ignorant = Ignorant::new();
        ignorant.tell(told);
        let joins = [1, 2, 3].map(|port| join_handshake(A.at(port), B, server()));
        for (from, frame) in
            handshake(Version::V1, [A, B], KEYS).into_iter().chain(joins.into_iter().flatten())
        {
            ignorant.send(from, &frame);
        }
        ignorant.tell(0b1111);
        let mut ranks: Vec<_> = [A.port, 1, 2, 3]
            .map(|port| {
                // The first frame of the initiator tells the other edge.
                ignorant.talk(A.at(port), B);
                let [there, back] = ignorant.talk(A.at(port), B);
                assert_eq!(there, back, "{told:04b}, port {port}");
                there.unwrap()
            })
            .into();
        ranks.sort_unstable();
        assert_eq!(ranks, [0, 1, 2, 3], "{told:04b}");
    }
}

#[test]
fn host_with_another_mac_address_than_before_is_a_host_that_is_not_known_yet() {
    for place in 0..4 {
        let mut ignorant = Ignorant::new();
        ignorant.tell(0b1111);
        let (edge, host) = (place / 2, place % 2);
        let old = Host { mac: mac(99), ..ignorant.known[edge][host] };
        ignorant.network.edges[edge].hosts.insert(HOSTS[host].address, old);
        for (from, frame) in handshake(Version::V1, [A, B], KEYS) {
            ignorant.send(from, &frame);
        }
        assert_eq!(ignorant.is_bound(), [true; 2], "edge {edge}, host {host}");
        ignorant.tell(0b1111);
        ignorant.network.edges.iter_mut().for_each(|edge| edge.settings.as_mut().unwrap().epoch += 1);
        assert_eq!(ignorant.talk(A, B), [Some(0); 2]);
        assert_eq!(ignorant.network.join(A.at(3), B, server()), 1);
    }
}

#[test]
fn what_closes_over_the_base_network_is_closed() {
    let mut ignorant = Ignorant::new();
    for (from, frame) in handshake(Version::V1, [A, B], KEYS) {
        ignorant.send(from, &frame);
    }
    for (from, to, number, taken) in [(A, B, 1_001, 0), (B, A, 0, 1_002)] {
        let fin = Build::tcp(from, to).flags(tcp_fin()).numbers(number, taken).frame();
        assert_eq!(ignorant.send(from, &fin), None);
    }
    for flow in ignorant.flows(A, B) {
        assert!(flow.unwrap().is_closed());
    }
}

const fn tcp_fin() -> u8 {
    crate::wire::tcp::FIN | ACK
}

#[test]
fn switches_on_the_way_of_the_base_network_bind_nothing() {
    let mut ignorant = Ignorant::new();
    for (from, frame) in handshake(Version::V1, [A, B], KEYS) {
        ignorant.send(from, &frame);
    }
    let transit = &ignorant.network.transits[0];
    assert!(transit.connections.entries.is_empty() && transit.flows.entries.is_empty());
}

#[test]
fn host_that_is_known_at_another_edge_or_port_leaves_nothing_where_it_is_not() {
    let mut network = Network::new();
    network.edges[0].ingress = interface_of(SECOND);
    for (from, to) in [(C, B), (End { mac: NEIGHBOUR.mac, ..A }, B)] {
        let syn = Build::tcp(from, to).flags(SYN).numbers(1, 0).options(&capable(Version::V1, &[])).frame();
        assert_eq!(network.edges[0].from_host(&mut syn.clone()).outcome, Outcome::UnknownHost);
    }
    assert!(network.edges[0].half_open.entries.is_empty());
}

#[test]
fn frames_of_the_base_network_say_nothing_of_subflows_whose_hosts_are_known() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], KEYS);
    let before = network.flow(B, A);
    for flags in [crate::wire::tcp::RST, tcp_fin(), ACK] {
        let forged = Build::tcp(A, B).flags(flags).numbers(1_001, 1).payload(b"data").frame();
        assert_eq!(network.edges[1].from_fabric(&mut forged.clone()).outcome, Outcome::Unrouted);
    }
    assert_eq!(network.flow(B, A), before);
}

#[test]
fn addresses_that_are_made_up_fill_no_table() {
    let mut edge = edge(0);
    (edge.settings, edge.ingress) =
        (Some(Settings { openings: 50_000, port_openings: 20_000, ..settings() }), interface_of(FIRST));
    for port in 0..20_000 {
        let from = end(77, v4(77), port);
        let syn = Build::tcp(from, B).flags(SYN).numbers(1, 0).options(&capable(Version::V1, &[])).frame();
        edge.from_host(&mut syn.clone());
    }
    assert_eq!(edge.half_open.entries.len(), 1000);
    edge.from_host(&mut handshake(Version::V1, [A, B], KEYS)[0].1.clone());
    assert_eq!(edge.half_open.entries.len(), 1001, "hosts that are known have their own share");
}

proptest! {
    /// Whenever each edge hears of each host, and wherever the hosts are in their handshakes then: in the end both edges have
    /// the same subflows, each on one rank in both directions, and each on another.
    #[test]
    fn edges_agree_whenever_they_hear_of_hosts(news in proptest::array::uniform4(0_usize..14), is_busy: bool) {
        let mut ignorant = Ignorant::new();
        let joins = [1, 2, 3].map(|port| join_handshake(A.at(port), B, server()));
        let frames = handshake(Version::V1, [A, B], KEYS).into_iter().chain(joins.into_iter().flatten());
        for (step, (from, frame)) in frames.enumerate() {
            let told: u8 = (0..4).filter(|bit| news[*bit] <= step).map(|bit| 1 << bit).sum();
            ignorant.tell(told);
            ignorant.send(from, &frame);
            if is_busy && step > 3 {
                ignorant.talk(A, B);
            }
        }
        ignorant.tell(0b1111);
        let mut ranks = Vec::new();
        for port in [A.port, 1, 2, 3] {
            ignorant.talk(A.at(port), B);
            let [there, back] = ignorant.talk(A.at(port), B);
            prop_assert!(there.is_some() && there == back, "port {port}: {there:?}, {back:?}");
            ranks.extend(there);
            for flow in ignorant.flows(A.at(port), B) {
                prop_assert!(flow.is_some_and(|flow| flow.flags & Flow::PENDING == 0 && flow.connection != 0));
            }
        }
        ranks.sort_unstable();
        prop_assert_eq!(ranks, [0, 1, 2, 3]);
        let half_open: [&HalfOpen; 0] = [];
        prop_assert!(ignorant.network.edges.iter().flat_map(|edge| edge.half_open.entries.values()).eq(half_open));
    }
}
