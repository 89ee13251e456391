//! The base network at ports of both kinds: where an agent has closed one, nothing comes in, whatever the kernel's bridge does.

use super::*;
use crate::{
    route::{Label, Rank},
    wire::announcement,
};

const INTERFACE: u32 = 7;

/// A transit switch that takes frames from its first port, closed or open.
fn closed_or_open(base: u8) -> Switch {
    let mut switch = transit();
    let port = switch.ports.get_mut(&1).unwrap();
    (port.base, port.interface, switch.ingress) = (base, INTERFACE, INTERFACE);
    switch
}

#[test]
fn what_no_route_leads_comes_in_by_open_ports_only() {
    let frame = Build::udp(A, B).frame();
    for (base, outcome) in [(Port::OPEN, Outcome::Unrouted), (Port::CLOSED, Outcome::Closed)] {
        let mut seen = frame.clone();
        assert_eq!(closed_or_open(base).from_fabric(&mut seen), Verdict { outcome, port: 0 });
        assert_eq!(seen, frame);
    }
    assert_eq!(Outcome::Closed.action(), Action::Consume);
}

#[test]
fn broadcasts_are_kept_out_and_link_local_groups_are_not() {
    for last in 0..=0xff {
        let group = MacAddress::new([0x01, 0x80, 0xc2, 0, 0, last]);
        let mut frame = Build::udp(A, B).destination(group).frame();
        let outcome = if last < 16 { Outcome::Unrouted } else { Outcome::Closed };
        assert_eq!(closed_or_open(Port::CLOSED).from_fabric(&mut frame).outcome, outcome, "{group}");
    }
    assert!(announcement::DESTINATION[5] < 16);
    let mut frame = Build::udp(A, B).destination(MacAddress::new([0xff; 6])).frame();
    assert_eq!(closed_or_open(Port::CLOSED).from_fabric(&mut frame).outcome, Outcome::Closed);
}

#[test]
fn an_interface_that_was_made_anew_is_not_the_closed_one() {
    let mut switch = closed_or_open(Port::CLOSED);
    switch.ingress = INTERFACE + 1;
    assert_eq!(switch.from_fabric(&mut Build::udp(A, B).frame()).outcome, Outcome::Unrouted);
}

#[test]
fn routed_frames_and_probes_pass_closed_ports() {
    let frame = Build::udp(A, B).frame();
    let route = Route::through([(PortNumber::new(2).unwrap(), WIDTH)]).unwrap();
    let mut seen = trouble::pushed_on(&frame, Label::new(Rank::BEST, false).bits(), route.bits());
    assert_eq!(closed_or_open(Port::CLOSED).from_fabric(&mut seen).outcome, Outcome::Transit);
}

#[test]
fn a_dead_end_at_a_closed_port_is_counted_as_lost_for_no_bridge_takes_it() {
    let frame = Build::udp(A, B).frame();
    for (base, outcome) in [(Port::OPEN, Outcome::DeadEnd), (Port::CLOSED, Outcome::DeadEndClosed)] {
        let mut seen = trouble::pushed_on(&frame, Label::new(Rank::BEST, false).bits(), Route::END.bits());
        assert_eq!(closed_or_open(base).from_fabric(&mut seen).outcome, outcome);
    }
    assert_eq!(Outcome::DeadEndClosed.action(), Action::Consume);
}

/// An edge that takes frames from a host port, closed or open, of which the settings tell.
fn host_port(base: u8, told: u8) -> Switch {
    let mut switch = edge(0);
    switch.settings.as_mut().unwrap().guarded = told;
    let port = Port { base, interface: INTERFACE, role: Port::HOST, ..Port::NONE };
    switch.ports.insert(9, port);
    switch.ingress = INTERFACE;
    switch
}

#[test]
fn a_closed_host_port_lets_nothing_in_but_link_local_groups() {
    let to = |group: [u8; 6]| Build::udp(A, B).destination(MacAddress::new(group)).frame();
    let broadcast = to([0xff; 6]);
    let unknown = Build::udp(A, A).frame();
    let lldp = to([0x01, 0x80, 0xc2, 0, 0, 0x0e]);
    for (frame, open) in [(&broadcast, Outcome::NotForUs), (&unknown, Outcome::SameEdge)] {
        let run = |base, told| host_port(base, told).from_host(&mut frame.clone()).outcome;
        assert_eq!(run(Port::CLOSED, Settings::SHUT), Outcome::Closed);
        assert_eq!(run(Port::OPEN, Settings::SHUT), open, "another port is closed");
        assert_eq!(run(Port::OPEN, 0), open);
    }
    assert_eq!(
        host_port(Port::CLOSED, Settings::SHUT).from_host(&mut lldp.clone()).outcome,
        Outcome::NotForUs
    );
}

#[test]
fn a_closed_host_port_takes_nothing_into_the_fabric_either_but_established_subflows() {
    let mut frame = Build::udp(A, B).frame();
    assert_eq!(host_port(Port::CLOSED, Settings::SHUT).from_host(&mut frame).outcome, Outcome::Closed);
    let mut frame = Build::tcp(A, B).flags(SYN).frame();
    assert_eq!(host_port(Port::CLOSED, Settings::SHUT).from_host(&mut frame).outcome, Outcome::Closed);
}
