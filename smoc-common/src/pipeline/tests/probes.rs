//! Probes through edge and transit switches and back.

use super::*;
use crate::{
    map::HelloKeys,
    route::{Label, PushedRoute},
    tag::TagKey,
    wire::{
        Bytes,
        probe::{LENGTH, Probe, Way},
    },
};

fn route(hops: &[u16]) -> Route {
    Route::through(hops.iter().map(|&port| (PortNumber::new(port).unwrap(), WIDTH))).unwrap()
}

fn probe(flags: u32, back_port: u16, back: Route) -> Probe {
    let (back_route, back_port) = (back.bits(), back_port.into());
    Probe {
        session: 3,
        subject: 2,
        sequence: 9,
        sent_at: 5,
        back_route,
        back_port,
        flags,
        ..Probe::default()
    }
}

#[test]
fn probe_goes_to_the_other_edge_and_back_by_itself() {
    let mut network = Network::new();
    let sent = probe(0, 3, route(&[1]));
    let mut frame = sent.frame(route(&[2])).to_vec();
    for (switch, outcome, port) in [
        (&mut network.transits[2], Outcome::ProbeTransit, 2),
        (&mut network.edges[1], Outcome::ProbeReflected, 3),
    ] {
        assert_eq!(switch.from_fabric(&mut frame), Verdict { outcome, port });
    }
    assert_eq!(network.transits[2].from_fabric(&mut frame).port, 1);
    assert!(network.edges[1].sightings.is_empty(), "the far edge reports nothing");
    let verdict = network.edges[0].from_fabric(&mut frame);
    assert_eq!((verdict.outcome, verdict.outcome.action()), (Outcome::ProbeReturned, Action::Consume));
    let [sighting] = network.edges[0].sightings[..] else { panic!("seen once") };
    assert_eq!((sighting.probe, sighting.returned, sighting.at), (sent, 1, network.edges[0].clock));
}

#[test]
fn hello_is_turned_round_over_a_port_that_is_down_and_tells_both_ends() {
    let mut neighbour = transit();
    neighbour.down.extend([1, 2]);
    let sent = probe(Probe::HELLO | Probe::HEARS, 1, Route::END);
    let mut frame = sent.frame(Route::END).to_vec();
    let verdict = neighbour.from_fabric(&mut frame);
    assert_eq!(verdict, Verdict { outcome: Outcome::ProbeReflected, port: 1 });
    assert_eq!(verdict.outcome.action(), Action::Redirect);
    assert_eq!((neighbour.sightings[0].probe, neighbour.sightings[0].returned), (sent, 0));
    let mut this = edge(0);
    this.down.extend(1..=4);
    assert_eq!(this.from_fabric(&mut frame).outcome, Outcome::ProbeReturned);
    assert_eq!((this.sightings[0].probe, this.sightings[0].returned), (sent, 1));
}

#[test]
fn probe_takes_no_detour_and_reaches_no_kernel() {
    let mut switch = transit();
    switch.down.insert(2);
    let around = crate::map::Detour { port: 1, ..Default::default() };
    switch.detours.insert(crate::map::DetourKey { port: 2, next: 0 }, around);
    for (name, bits, back_port) in [
        ("next port down", route(&[2]), 1),
        ("back through a port that is down", Route::END, 2),
        ("no such port", route(&[9]), 1),
        ("no route", Route::from_bits(0), 1),
    ] {
        let mut frame = probe(0, back_port, Route::END).frame(bits).to_vec();
        let outcome = switch.from_fabric(&mut frame).outcome;
        assert_eq!((outcome, outcome.action()), (Outcome::ProbeLost, Action::Consume), "{name}");
    }
    let mut short = probe(0, 1, Route::END).frame(Route::END)[..30].to_vec();
    assert_eq!(switch.from_fabric(&mut short).outcome, Outcome::ProbeLost);
}

#[test]
fn host_cannot_send_probes() {
    let mut edge = edge(0);
    let mut frame = probe(Probe::HELLO, 1, Route::END).frame(Route::END).to_vec();
    let label = Label::OUTBOUND_PROBE.returning();
    for addresses in [None, Some(PushedRoute { label, route: Route::END }.words())] {
        if let Some(words) = addresses {
            frame[..12].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
        }
        assert_eq!(edge.from_host(&mut frame).outcome, Outcome::PushedByHost);
    }
    assert!(edge.sightings.is_empty());
}

const KEYS: [TagKey; 2] = [TagKey { low: 1, high: 2 }, TagKey { low: 3, high: 4 }];

fn keyed(keys: [TagKey; 2]) -> Switch {
    Switch { hello_keys: HelloKeys { keys, responder: 77, reserved: 0 }, ..transit() }
}

#[test]
fn who_turns_a_probe_round_says_so_with_the_key_of_its_sender() {
    for (flags, key) in [(0, KEYS[0]), (Probe::HELLO, KEYS[0]), (Probe::HELLO, KEYS[1])] {
        let sent = probe(flags, 1, Route::END).signed(&key);
        let mut frame = sent.frame(Route::END).to_vec();
        let mut switch = keyed(KEYS);
        assert_eq!(switch.from_fabric(&mut frame).outcome, Outcome::ProbeReflected);
        let back = Probe::parse(&Bytes(&mut frame)).unwrap();
        assert!(back.responder == 77 && back.is_signed(&key, Way::Back) && !back.is_signed(&key, Way::Out));
        assert_eq!(Probe { responder: 0, tag: sent.tag, ..back }, sent, "nothing else is changed");
        // An answer that is sent out again is no question.
        let mut again = back.frame(Route::END).to_vec();
        assert_eq!(switch.from_fabric(&mut again).outcome, Outcome::ProbeLost);
    }
}

#[test]
fn what_has_a_wrong_tag_is_not_answered_and_the_agent_does_not_hear_of_it() {
    let sent = probe(Probe::HELLO, 1, Route::END).signed(&KEYS[0]);
    let mut switch = keyed([KEYS[1], TagKey::NONE]);
    assert_eq!(switch.from_fabric(&mut sent.frame(Route::END)).outcome, Outcome::ProbeLost);
    let mut switch = keyed(KEYS);
    for at in 16..LENGTH {
        let mut frame = sent.frame(Route::END);
        frame[at] ^= 1;
        assert_eq!(switch.from_fabric(&mut frame).outcome, Outcome::ProbeLost, "byte {at}");
    }
    assert!(switch.sightings.is_empty());
}

#[test]
fn a_flood_by_one_interface_leaves_room_for_what_comes_by_others() {
    let label = Label::OUTBOUND_PROBE.returning();
    let mut switch = transit();
    let send = |switch: &mut Switch, interface, at| {
        let mut frame = probe(Probe::HELLO, 1, Route::END).frame(Route::END);
        let pushed = PushedRoute { label, route: Route::END };
        frame[..12].copy_from_slice(pushed.words().map(u32::to_be_bytes).as_flattened());
        (switch.ingress, switch.clock) = (interface, at);
        switch.from_fabric(&mut frame).outcome
    };
    let begin = 1_000_000_000;
    let told = (0..10_000).filter(|n| send(&mut switch, 7, begin + n) == Outcome::ProbeReturned).count();
    assert_eq!((told, switch.sightings.len()), (1024, 1024));
    assert_eq!(send(&mut switch, 8, begin + 10_000), Outcome::ProbeReturned);
    assert_eq!(send(&mut switch, 7, begin + 10_000), Outcome::ProbeLost);
    assert_eq!(send(&mut switch, 7, begin + 20_000_000), Outcome::ProbeReturned, "10 ms later");
}

#[test]
fn hellos_without_a_tag_and_those_to_a_switch_without_a_key_go_back_as_they_came() {
    let untagged = probe(Probe::HELLO, 1, Route::END);
    for (mut switch, sent) in [(keyed(KEYS), untagged), (transit(), untagged.signed(&KEYS[0]))] {
        let mut frame = sent.frame(Route::END);
        assert_eq!(switch.from_fabric(&mut frame).outcome, Outcome::ProbeReflected);
        assert_eq!(Probe::parse(&Bytes(&mut frame)), Some(sent));
    }
    // As an earlier version sends it.
    let mut frame = untagged.frame(Route::END)[..60].to_vec();
    assert_eq!(keyed(KEYS).from_fabric(&mut frame).outcome, Outcome::ProbeReflected);
}
