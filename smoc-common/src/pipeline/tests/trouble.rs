//! Ports that are down and routes that lead nowhere.

use super::*;
use crate::route::{Label, PushedRoute, Rank};

/// A frame with this route in place of its addresses.
pub(super) fn pushed(frame: &[u8], bits: u64) -> Vec<u8> {
    pushed_on(frame, 2, bits)
}

/// A frame with this label and route in place of its addresses.
pub(super) fn pushed_on(frame: &[u8], label: u8, bits: u64) -> Vec<u8> {
    let none = Label::new(Rank::BEST, false);
    let words = PushedRoute { label: none, route: Route::from_bits(bits) }.words();
    let mut frame = frame.to_vec();
    frame[..12].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
    frame[3] = label;
    frame
}

/// The same frame with other addresses.
fn addressed(frame: &[u8], destination: MacAddress, source: MacAddress) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[..6].copy_from_slice(&destination.octets());
    frame[6..12].copy_from_slice(&source.octets());
    frame
}

#[test]
fn dead_end_gives_the_addresses_back() {
    let frame = Build::tcp(A, B).payload(b"data").frame();
    let dead_port = |edge: &mut Switch| _ = edge.down.insert(2);
    let no_change = |_: &mut Switch| {};
    for (name, bits, change) in [
        ("next port is down", 0x12, dead_port as fn(&mut Switch)),
        ("no such port", 0x1f, no_change),
        ("port 0", 0x10, no_change),
        ("no whole port number", 0b101, no_change),
        ("no sentinel", 0, no_change),
        ("at its end, but the host is elsewhere", 1, no_change),
    ] {
        let mut switch = edge(0);
        change(&mut switch);
        let mut seen = pushed(&frame, bits);
        assert_eq!(switch.from_fabric(&mut seen), Verdict { outcome: Outcome::DeadEnd, port: 0 }, "{name}");
        assert_eq!(seen, frame, "{name}");
    }
}

#[test]
fn dead_end_of_unknown_hosts_goes_to_the_switch_itself() {
    let this = settings().mac;
    let mut switch = transit();
    let ip = Build::tcp(A, B).frame();
    let mut arp = ip.clone();
    arp[12..14].copy_from_slice(&[8, 6]);
    for frame in [ip, arp] {
        for bits in [1, 0x1f] {
            let mut seen = pushed(&frame, bits);
            assert_eq!(switch.from_fabric(&mut seen).outcome, Outcome::DeadEnd);
            assert_eq!(seen, addressed(&frame, this, this));
        }
    }
}

#[test]
fn dead_host_port_gives_the_addresses_back() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, 2]);
    let edge = &mut network.edges[1];
    _ = edge.down.insert(FIRST);
    for frame in [Build::tcp(A, B).frame(), Build::udp(A, B).frame()] {
        let mut seen = pushed(&frame, 1);
        assert_eq!(edge.from_fabric(&mut seen).outcome, Outcome::DeadEnd);
        assert_eq!(seen, frame);
    }
}

#[test]
fn switch_that_is_not_configured_leaves_routes_alone() {
    let frame = Build::tcp(A, B).frame();
    for bits in [1, 0x12] {
        let mut switch = Switch { settings: None, ..transit() };
        let mut seen = pushed(&frame, bits);
        assert_eq!(switch.from_fabric(&mut seen).outcome, Outcome::NotConfigured);
        assert_eq!(seen, pushed(&frame, bits));
    }
}

#[test]
fn frame_of_an_unknown_sender_is_delivered_as_a_routers() {
    let stranger = end(77, v4(77), 9);
    let frame = Build::udp(stranger, B).frame();
    let mut edge = edge(1);
    let mut seen = pushed(&frame, 1);
    assert_eq!(edge.from_fabric(&mut seen), Verdict { outcome: Outcome::Delivered, port: FIRST });
    assert_eq!(seen, addressed(&frame, B.mac, ROUTERS[1]));
    assert_eq!(edge.count_of(Note::SourceUnknown.counter()), 1);
}

#[test]
fn subflow_keeps_its_rank_when_fewer_paths_are_left() {
    let mut network = Network::new();
    network.connect(Version::V1, [A, B], [1, 2]);
    for rank in [1, 2, 3] {
        assert_eq!(network.join(A.at(rank.into()), B, derive(Version::V1, 2)), rank);
    }
    for edge in &mut network.edges {
        edge.path_sets.get_mut(&1).unwrap().count = 2;
    }
    let data = Build::tcp(A.at(3), B).payload(b"data").frame();
    assert_eq!(network.rank_of(A, &data), 1, "rank 3 of two paths");
    assert_eq!(network.flow(A.at(3), B).unwrap().rank, 3, "and 3 again when they are back");
}
