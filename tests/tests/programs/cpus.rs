//! Two CPUs at one entry at once, as the top of `smoc_common::map` says it is. Needs root. `cargo xtask races` runs the same
//! a million times each.

use smoc_tests::races::{Race, two_cpus};
use smoc_tests::testing::can_run;

/// How often each race is run here.
const ROUNDS: u32 = 2_000;

fn run(test: &str, race: Race) {
    if !can_run(test) {
        return;
    }
    if two_cpus().unwrap().is_none() {
        println!("SKIP {test}: needs two CPUs");
        return;
    }
    assert_eq!(race.run(ROUNDS).unwrap(), u64::from(ROUNDS));
}

#[test]
fn a_handshake_on_two_cpus_is_one_connection_with_one_join() {
    run("a_handshake_on_two_cpus_is_one_connection_with_one_join", Race::Handshake);
}

#[test]
fn ends_that_cross_are_both_noted_and_counted_once() {
    run("ends_that_cross_are_both_noted_and_counted_once", Race::Ends);
}

#[test]
fn a_join_at_the_moment_of_the_third_ack_belongs_to_the_connection() {
    run("a_join_at_the_moment_of_the_third_ack_belongs_to_the_connection", Race::FirstJoin);
}
