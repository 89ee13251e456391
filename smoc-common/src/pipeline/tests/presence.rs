//! Questions whether a switch is at the other end of a cable, and loop probes.

use super::*;
use crate::wire::presence::{ANSWER, ETHER_TYPE, FORWARDED, LINK, LOOP, QUESTION, VERSION};

const INTERFACE: u32 = 7;

fn frame(to: [u8; 6], ether_type: u16, version: u16, kind: u16) -> [u8; 60] {
    let mut frame = [0; 60];
    frame[..6].copy_from_slice(&to);
    frame[6..12].copy_from_slice(&A.mac.octets());
    frame[12..14].copy_from_slice(&ether_type.to_be_bytes());
    frame[14..16].copy_from_slice(&version.to_be_bytes());
    frame[16..18].copy_from_slice(&kind.to_be_bytes());
    frame[18..22].copy_from_slice(&[1, 2, 3, 4]);
    frame
}

/// An edge, one without settings, and one whose port 9 is closed and has a guard: frames come in there.
fn switches() -> [Switch; 3] {
    let mut strict = edge(0);
    strict.settings.as_mut().unwrap().guarded = Settings::SHUT | Settings::GUARDED;
    let port = Port {
        base: Port::CLOSED,
        guard: Port::GUARD_STRICT,
        interface: INTERFACE,
        role: Port::HOST,
        ..Port::NONE
    };
    strict.ports.insert(9, port);
    strict.ingress = INTERFACE;
    [edge(0), Switch::default(), strict]
}

/// What both programs make of a frame at all of these switches, which must be the same.
fn run(sent: [u8; 60]) -> (Outcome, [u8; 60]) {
    let mut all = switches().into_iter().flat_map(|switch| {
        let (mut host, mut fabric) = (sent, sent);
        let outcomes =
            [switch.clone().from_host(&mut host).outcome, switch.clone().from_fabric(&mut fabric).outcome];
        outcomes.into_iter().zip([host, fabric])
    });
    let first = all.next().unwrap();
    all.for_each(|other| assert_eq!(other, first));
    first
}

#[test]
fn a_question_is_answered_at_any_port_with_what_the_asker_put_into_it() {
    let sent = frame(LINK, ETHER_TYPE, VERSION, QUESTION);
    let (outcome, seen) = run(sent);
    assert_eq!((outcome, outcome.action()), (Outcome::Answered, Action::Reply));
    assert_eq!(seen, frame(LINK, ETHER_TYPE, VERSION, ANSWER));
}

#[test]
fn an_answer_is_not_answered_nor_is_anything_else() {
    let others = [
        frame(LINK, ETHER_TYPE, VERSION, ANSWER),
        frame(LINK, ETHER_TYPE, VERSION, LOOP),
        frame(LINK, ETHER_TYPE, VERSION + 1, QUESTION),
        frame(LINK, ETHER_TYPE - 1, VERSION, QUESTION),
        frame([0xff; 6], ETHER_TYPE, VERSION, QUESTION),
    ];
    for sent in others {
        for mut switch in switches() {
            let mut seen = sent;
            let outcome = switch.from_host(&mut seen).outcome;
            assert!(outcome.action() == Action::Pass || outcome == Outcome::Closed, "{outcome:?}");
            assert_eq!(seen, sent);
            let outcome = switch.from_fabric(&mut seen).outcome;
            assert!(outcome.action() == Action::Pass || outcome == Outcome::Closed, "{outcome:?}");
            assert_eq!(seen, sent);
        }
    }
}

#[test]
fn a_loop_probe_goes_to_the_agent_as_a_frame_that_no_bridge_forwards() {
    let (outcome, seen) = run(frame(FORWARDED, ETHER_TYPE, VERSION, LOOP));
    assert_eq!((outcome, outcome.action()), (Outcome::LoopProbe, Action::Pass));
    assert_eq!(seen, frame(LINK, ETHER_TYPE, VERSION, LOOP));
}

#[test]
fn a_frame_that_is_cut_off_is_no_question() {
    let sent = frame(LINK, ETHER_TYPE, VERSION, QUESTION);
    for length in 0..18 {
        let mut seen = sent[..length].to_vec();
        let outcome = edge(0).from_host(&mut seen).outcome;
        assert_eq!((outcome, &seen[..]), (Outcome::NotForUs, &sent[..length]));
    }
}
