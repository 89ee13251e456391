//! A switch whose port numbers get another width.

use std::time::Duration;

use super::{
    Effect, Event,
    tests::{Bench, DISCOVERED},
    width::{HEARD, REASON},
};
use crate::fabric::{Record, drain::DRAIN};

fn record(name: &str, text: Option<&str>, written: u64) -> Record {
    Record { name: format!("{DRAIN}{name}"), text: text.map(str::to_owned), written }
}

/// What drains e1.
fn own(bench: &Bench) -> Option<String> {
    bench.switch.records.under(DRAIN).find(|(name, _)| *name == "e1").map(|(_, why)| why.to_owned())
}

/// The width in the maps and the one that others are told.
fn widths(bench: &Bench) -> (u8, u8) {
    (bench.switch.expected().installed.settings.port_width, bench.switch.own_report().port_width)
}

/// e1 between two switches, whose agent is started again with ten bits in place of five, and what it has written.
fn restarted() -> Bench {
    let mut bench = Bench::with(DISCOVERED);
    bench.between_two_switches();
    assert_eq!(widths(&bench), (5, 5));
    bench.again(&format!("{DISCOVERED}port_width: 10\n"))
}

#[test]
fn the_width_changes_while_the_switch_is_drained_and_others_had_time_to_leave_it_and_to_hear() {
    let mut bench = restarted();
    bench.pass(Duration::from_secs(3));
    assert_eq!((widths(&bench), own(&bench).as_deref()), ((5, 5), Some(REASON)));
    let warnings = bench.snapshot().warnings;
    assert!(warnings.iter().any(|text| text.starts_with("port numbers have 5 bits")), "{warnings:?}");
    bench.pass(HEARD - Duration::from_secs(3));
    assert_eq!(widths(&bench), (5, 5), "not yet");
    bench.pass(Duration::from_secs(4));
    assert_eq!((widths(&bench), own(&bench).as_deref()), ((10, 10), Some(REASON)));
    bench.pass(HEARD);
    assert_eq!((widths(&bench), own(&bench)), ((10, 10), None));
    let effects = bench.pass(Duration::from_secs(60));
    assert!(effects.iter().all(|effect| matches!(effect, Effect::Send(..))), "and all is as before");
    assert!(!bench.snapshot().warnings.iter().any(|text| text.starts_with("port numbers")));
}

#[test]
fn what_an_operator_drains_stays_drained() {
    let mut bench = restarted();
    bench.handle(Event::Recorded(vec![record("e1", Some("a new fan"), 9)]));
    bench.pass(3 * HEARD);
    assert_eq!((widths(&bench), own(&bench).as_deref()), ((10, 10), Some("a new fan")));
}

#[test]
fn one_after_the_other_by_name() {
    let mut bench = restarted();
    bench.between_two_switches();
    bench.handle(Event::Recorded(vec![record("d9", Some(REASON), 9)]));
    bench.pass(5 * HEARD);
    assert_eq!((widths(&bench), own(&bench)), ((5, 5), None), "d9 comes first");
    bench.handle(Event::Recorded(vec![record("d9", None, 10)]));
    bench.pass(Duration::from_secs(3));
    assert_eq!(own(&bench).as_deref(), Some(REASON));
    bench.handle(Event::Recorded(vec![record("z9", Some(REASON), 9)]));
    bench.pass(5 * HEARD);
    assert_eq!((widths(&bench), own(&bench).as_deref()), ((5, 5), Some(REASON)), "z9 has to give way first");
    bench.handle(Event::Recorded(vec![record("z9", None, 10)]));
    bench.pass(2 * HEARD + Duration::from_secs(4));
    assert_eq!((widths(&bench), own(&bench)), ((10, 10), None));
}

#[test]
fn an_agent_that_ends_meanwhile_leaves_it_to_the_next_one() {
    let mut bench = restarted();
    bench.pass(Duration::from_secs(3));
    let mut bench = bench.again(DISCOVERED);
    bench.pass(HEARD + Duration::from_secs(4));
    assert_eq!((widths(&bench), own(&bench)), ((5, 5), None), "nothing is to change any more");
    let mut bench = bench.again(&format!("{DISCOVERED}port_width: 10\n"));
    bench.pass(HEARD + Duration::from_secs(4));
    assert_eq!(widths(&bench), (10, 10));
    let mut bench = bench.again(&format!("{DISCOVERED}port_width: 10\n"));
    bench.pass(HEARD + Duration::from_secs(3));
    assert_eq!((widths(&bench), own(&bench)), ((10, 10), None));
}

#[test]
fn a_switch_that_nobody_routes_through_changes_at_once() {
    let mut bench = Bench::with(DISCOVERED);
    bench.pass(Duration::from_secs(3));
    let mut bench = bench.again(&format!("{DISCOVERED}port_width: 7\n"));
    bench.pass(Duration::from_secs(3));
    assert_eq!((widths(&bench), own(&bench)), ((7, 7), None));
}
