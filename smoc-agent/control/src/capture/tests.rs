//! What is told of frames at e1, whose ways to e2 lead over m1 and m2 ([`settled_snapshot`]).

use std::sync::OnceLock;

use proptest::prelude::*;
use smoc_common::{
    capture::Captured,
    event::Outcome,
    frames::{Build, End},
    route::{Label, PortNumber, PushedRoute, Rank, Route},
    wire::{ethernet::MacAddress, ip::Address, tcp},
};

use super::*;
use crate::switch::{Snapshot, settled_snapshot};

/// A host at e1 that the topology does not name, and the one at e2 that it does.
const NEAR: End =
    End { mac: MacAddress::new([2, 0, 0, 0, 0, 7]), address: Address::from_v4([10, 0, 0, 7]), port: 4000 };
const FAR: End =
    End { mac: MacAddress::new([2, 0, 0, 0, 0, 2]), address: Address::from_v4([10, 0, 0, 2]), port: 80 };

fn port(number: u16) -> PortNumber {
    PortNumber::new(number).unwrap()
}

fn addresses(bytes: &[u8]) -> [u32; 3] {
    [0, 4, 8].map(|at| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()))
}

/// A frame as it came in, and with a route by this rank through port 2 of one more switch.
fn pushed(from: End, to: End, rank: u8) -> (Vec<u8>, Vec<u8>) {
    let sent = Build::tcp(from, to).flags(tcp::ACK).payload(b"data").frame();
    let route = Route::through([(port(2), 2)]).unwrap();
    let words = PushedRoute { label: Label::new(Rank::new(rank), false), route }.words();
    let mut frame = sent.clone();
    frame[..12].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
    (sent, frame)
}

fn head(outcome: Outcome, came_with: [u32; 3], leaves_by: u32, length: usize) -> Captured {
    let length = length as u32;
    Captured {
        outcome: outcome.counter(),
        came_with,
        port: leaves_by,
        length,
        kept: length,
        ..Captured::default()
    }
}

fn wants(words: &str, told: &Told, snapshot: &Snapshot) -> bool {
    Filter::parse([words]).unwrap().wants(told, snapshot)
}

#[test]
fn a_frame_that_leaves_its_edge_is_as_its_host_sent_it_and_its_path_is_read_from_its_route() {
    let snapshot = settled_snapshot();
    let (sent, mut frame) = pushed(NEAR, FAR, 1);
    let head = head(Outcome::Established, addresses(&sent), 1, frame.len());
    let mut told = tell(&head, &mut frame, Some(port(9)), &snapshot);
    assert_eq!(frame, sent);
    assert_eq!((told.direction(), told.port(), told.rank()), (Direction::Out, Some(port(1)), Some(1)));
    told.tokens = vec![0xab, 0xcd];
    let comment = told.comment(&snapshot, false);
    assert_eq!(
        comment,
        "outcome established, rank 1, path e1 - m1 - e2, token 000000ab and 000000cd, in by port 9"
    );
    assert_eq!(
        line(&told, &mut frame, 100, "why"),
        "   1 out 10.0.0.7:4000 > 10.0.0.2:80: [.] seq 0 ack 0, 100 bytes: why"
    );
}

#[test]
fn each_name_of_a_filter_fits_what_it_says_and_nothing_else() {
    let snapshot = settled_snapshot();
    let (sent, mut frame) = pushed(NEAR, FAR, 1);
    let head = head(Outcome::Established, addresses(&sent), 1, frame.len());
    let mut told = tell(&head, &mut frame, Some(port(9)), &snapshot);
    told.tokens = vec![0xab, 0xcd];
    for fits in [
        "",
        "host 10.0.0.7",
        "host 10.0.0.2",
        "host 10.9.9.9,10.0.0.2",
        "port 1",
        "port p9",
        "tcp-port 80",
        "token cd",
        "connection 10.0.0.2:80-10.0.0.7:4000",
        "path e2",
        "path e1/1",
        "rank 0,1",
        "outcome established",
        "host 10.0.0.7 and rank 1",
    ] {
        assert!(wants(fits, &told, &snapshot), "{fits}");
    }
    for does_not in [
        "host 10.0.0.1",
        "port 2",
        "tcp-port 81",
        "token ef",
        "connection 10.0.0.2:81-10.0.0.7:4000",
        "path m1",
        "path e2/0",
        "rank 0",
        "outcome plain",
        "host 10.0.0.7 and rank 0",
    ] {
        assert!(!wants(does_not, &told, &snapshot), "{does_not}");
    }
}

#[test]
fn a_switch_on_the_way_says_whence_and_puts_back_no_address_that_it_does_not_know() {
    let snapshot = settled_snapshot();
    let (_, mut frame) = pushed(NEAR, FAR, 0);
    let before = frame.clone();
    let head = head(Outcome::Transit, addresses(&frame), 2, frame.len());
    let told = tell(&head, &mut frame, Some(port(1)), &snapshot);
    assert_eq!(frame, before);
    assert_eq!(
        told.comment(&snapshot, true),
        "outcome transit, rank 0, path ... - m1 - e1 - m2 - e2, in by port 1, Ethernet addresses are a route, \
         keys overwritten with zeros, so the TCP checksum is wrong"
    );
    assert_eq!(told.is_from_local(), None);
}

#[test]
fn a_delivered_frame_took_the_path_of_its_rank_backwards() {
    let snapshot = settled_snapshot();
    let frame = Build::tcp(FAR, NEAR).flags(tcp::SYN | tcp::ACK).frame();
    let came_with = PushedRoute { label: Label::new(Rank::new(1), false), route: Route::END }.words();
    let (mut seen, head) = (frame.clone(), head(Outcome::Delivered, came_with, 9, frame.len()));
    let told = tell(&head, &mut seen, Some(port(2)), &snapshot);
    assert_eq!((&seen, told.is_raw), (&frame, false));
    let paths = &snapshot.book.to(snapshot.topology.find_switch("e2").unwrap()).unwrap().ranked;
    assert_eq!(told.path, paths[1].switches.iter().rev().copied().collect::<Vec<_>>());
    assert!(wants("path e2/1 port 9", &told, &snapshot));
    let detoured = PushedRoute { label: Label::new(Rank::new(1), false).detoured(), route: Route::END };
    let told = tell(&Captured { came_with: detoured.words(), ..head }, &mut seen, Some(port(2)), &snapshot);
    assert_eq!(told.comment(&snapshot, false), "outcome delivered, rank 1, detoured, in by port 2");
}

#[test]
fn what_passes_or_is_dropped_is_seen_where_it_came_in_as_it_came() {
    let snapshot = settled_snapshot();
    let (_, frame) = pushed(NEAR, FAR, 3);
    for outcome in [Outcome::UnknownHost, Outcome::PushedByHost, Outcome::Guarded] {
        let mut seen = frame.clone();
        let told =
            tell(&head(outcome, addresses(&frame), 0, frame.len()), &mut seen, Some(port(9)), &snapshot);
        assert_eq!(
            (told.direction(), told.port(), &seen),
            (Direction::In, Some(port(9)), &frame),
            "{outcome:?}"
        );
    }
}

proptest! {
    #[test]
    fn whatever_a_ring_holds_is_told(
        bytes: Vec<u8>, came_with: [u32; 3], outcome in 0u32..40, leaves_by in 0u32..2000, prefix: bool,
    ) {
        static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
        let snapshot = SNAPSHOT.get_or_init(settled_snapshot);
        let mut bytes = bytes;
        if prefix && bytes.len() > 3 {
            bytes[..3].copy_from_slice(&[2, 0x53, 0x4d]);
        }
        let head = Captured { outcome, came_with, port: leaves_by, ..Captured::default() };
        let told = tell(&head, &mut bytes, None, snapshot);
        let comment = told.comment(snapshot, false);
        prop_assert!(comment.starts_with("outcome ") && !line(&told, &mut bytes, 0, &comment).is_empty());
    }
}
