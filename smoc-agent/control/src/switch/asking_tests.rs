//! What edges ask each other about joins, and what follows from the answers.

use std::time::Duration;

use smoc_common::{
    map::FlowKey,
    wire::{ethernet::MacAddress, ip::Address},
};

use super::{Effect, Event, tests::Bench};
use crate::{
    clock::Nanos,
    connections::{Claim, Claimed},
    discovery::{
        announcement::Message,
        inquiry::{Answer, Inquiry, Question, Sibling},
    },
    ports::Role,
    siblings::{Settlement, Stray},
};

const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);

/// A join of e1 to e2 on rank 0.
fn stray(bench: &Bench) -> Stray {
    let (local, remote) = (Address::from_v4([10, 0, 0, 1]), Address::from_v4([10, 0, 0, 2]));
    let flow = FlowKey::new(local, 1, remote, 80);
    let edge = bench.switch.controller.names().find("e2", 0).unwrap();
    Stray { flow, opened: 1, token: 5, edge, rank: 0, is_ours: true }
}

fn inquiries(effects: &[Effect]) -> Vec<(u16, Inquiry)> {
    let inquiry = |effect: &Effect| match effect {
        Effect::Send(port, bytes) => match Message::parse(bytes, Nanos(0))? {
            Message::Inquiry(inquiry) => Some((port.get(), inquiry)),
            _ => None,
        },
        _ => None,
    };
    effects.iter().filter_map(inquiry).collect()
}

fn settlements(effects: &[Effect]) -> Vec<Settlement> {
    let settled = |effect: &Effect| match effect {
        Effect::Settle(settlement) => Some(*settlement),
        _ => None,
    };
    effects.iter().filter_map(settled).collect()
}

fn looks(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Look(_))).count()
}

/// A join strays; the question that goes out of both ports.
fn ask(bench: &mut Bench, stray: Stray) -> Question {
    let effects = bench.handle(Event::Strayed(stray));
    assert_eq!(looks(&effects), 1, "its own tables too");
    match &inquiries(&effects)[..] {
        [(1, Inquiry::Question(one)), (2, Inquiry::Question(other))] if one == other => *one,
        other => panic!("{other:?}"),
    }
}

/// What e2 may know: a sibling to the switch in the middle of rank 0 from e1, over a link that this rank needs.
fn answer(bench: &Bench, question: Question, peer: u32) -> Answer {
    let (topology, book) = (&bench.switch.topology, bench.switch.controller.book());
    let middle = book.to(topology.find_switch("e2").unwrap()).unwrap().ranked[0].switches[1];
    let edge = topology.switch(middle).name.clone();
    let sibling = Sibling { hash: 1, rank: 0, stays: true, edge };
    Answer { question, peer, edge: "e2".into(), subflows: vec![sibling] }
}

fn heard(bench: &mut Bench, at: u16, inquiry: Inquiry) -> Vec<Effect> {
    bench.heard(at, Role::Fabric, inquiry.frame(MAC))
}

#[test]
fn a_join_whose_path_overlaps_a_siblings_is_moved_by_what_another_edge_answers() {
    let mut bench = Bench::settled();
    let stray = stray(&bench);
    let question = ask(&mut bench, stray);
    let answered = answer(&bench, question, 6);
    heard(&mut bench, 1, Inquiry::Answer(answered));
    let effects = bench.pass(Duration::from_millis(200));
    let moved = Settlement { stray, peer: 6, subflows: 2, rank: 1 };
    assert_eq!(settlements(&effects), [moved]);
    let later = bench.pass(Duration::from_secs(10));
    assert_eq!((inquiries(&later).len(), settlements(&later)), (6, vec![]), "it asks again, and stays");
}

#[test]
fn the_join_with_the_lowest_hash_of_all_makes_room_when_it_asks_again() {
    let mut bench = Bench::settled();
    let stray = stray(&bench);
    let overlapping = |bench: &Bench, question| {
        let mut answered = answer(bench, question, 6);
        let sibling = &mut answered.subflows[0];
        (sibling.hash, sibling.stays) = (u32::MAX, false);
        assert!(stray.hash() < sibling.hash);
        answered
    };
    // At first the sibling is not in its way.
    let question = ask(&mut bench, stray);
    let alone = Answer { subflows: Vec::new(), ..overlapping(&bench, question) };
    heard(&mut bench, 1, Inquiry::Answer(alone));
    let mut ranks = Vec::new();
    for _ in 0..3 {
        let mut effects = bench.pass(Duration::from_millis(10));
        while !matches!(inquiries(&effects)[..], [(_, Inquiry::Question(_)), ..]) {
            ranks.extend(settlements(&effects).iter().map(|settled| settled.rank));
            effects = bench.pass(Duration::from_millis(10));
        }
        let [(_, Inquiry::Question(question)), ..] = inquiries(&effects)[..] else {
            panic!("what was waited for is a question: {effects:?}")
        };
        let answered = overlapping(&bench, question);
        heard(&mut bench, 1, Inquiry::Answer(answered));
    }
    ranks.extend(settlements(&bench.pass(Duration::from_secs(1))).iter().map(|settled| settled.rank));
    assert_eq!(ranks, [0, 0, 1, 1]);
}

#[test]
fn a_join_that_another_host_opened_is_bound_and_not_moved() {
    let mut bench = Bench::settled();
    let stray = Stray { is_ours: false, ..stray(&bench) };
    let question = ask(&mut bench, stray);
    let answered = answer(&bench, question, 6);
    heard(&mut bench, 2, Inquiry::Answer(answered));
    let effects = bench.pass(Duration::from_secs(10));
    assert_eq!(settlements(&effects), [Settlement { stray, peer: 6, subflows: 2, rank: 0 }]);
    assert!(inquiries(&effects).is_empty(), "it asks once");
}

#[test]
fn answers_that_nobody_asked_for_or_that_name_different_connections_move_nothing() {
    let mut bench = Bench::settled();
    let stray = stray(&bench);
    let question = ask(&mut bench, stray);
    for nonce in [0, question.nonce ^ 1] {
        let answered = answer(&bench, Question { nonce, ..question }, 6);
        heard(&mut bench, 1, Inquiry::Answer(answered));
    }
    assert!(settlements(&bench.pass(Duration::from_millis(200))).is_empty());
    let question = ask(&mut bench, stray);
    let answered = answer(&bench, question, 6);
    heard(&mut bench, 1, Inquiry::Answer(answered));
    let answered = answer(&bench, question, 7);
    heard(&mut bench, 2, Inquiry::Answer(answered));
    assert!(settlements(&bench.pass(Duration::from_secs(10))).is_empty());
}

#[test]
fn a_question_and_an_answer_from_a_host_port_are_not_heard() {
    let mut bench = Bench::settled();
    let stray = stray(&bench);
    let question = ask(&mut bench, stray);
    let forged = Inquiry::Answer(answer(&bench, question, 6)).frame(MAC);
    bench.heard(9, Role::Host, forged);
    let other = Inquiry::Question(Question { nonce: 9, token: 5 }).frame(MAC);
    assert_eq!(looks(&bench.heard(9, Role::Host, other)), 0);
    assert!(settlements(&bench.pass(Duration::from_millis(200))).is_empty());
}

#[test]
fn a_question_is_passed_on_and_looked_into_once_and_its_answers_go_back() {
    let mut bench = Bench::settled();
    let question = Question { nonce: 77, token: 5 };
    let effects = heard(&mut bench, 1, Inquiry::Question(question));
    assert_eq!((inquiries(&effects), looks(&effects)), (vec![(2, Inquiry::Question(question))], 1));
    let again = heard(&mut bench, 2, Inquiry::Question(question));
    assert_eq!((inquiries(&again), looks(&again)), (vec![], 0));
    let edge = bench.switch.controller.names().find("e2", 0).unwrap();
    let claim = Claim { peer: 6, subflows: vec![Claimed { hash: 3, rank: 1, stays: false, edge }] };
    let effects = bench.handle(Event::Looked(question, vec![claim]));
    let sibling = Sibling { hash: 3, rank: 1, stays: false, edge: "e2".into() };
    let own = Answer { question, peer: 6, edge: "e1".into(), subflows: vec![sibling] };
    assert_eq!(inquiries(&effects), [(1, Inquiry::Answer(own))]);
    let others = answer(&bench, question, 6);
    assert_eq!(
        inquiries(&heard(&mut bench, 2, Inquiry::Answer(others.clone()))),
        [(1, Inquiry::Answer(others))]
    );
}
