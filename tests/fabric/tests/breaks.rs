//! That the simulator finds what is broken: each test breaks one thing on purpose and sees an invariant fail.

use smoc_fabric::{Break, Options, network::Size, report::Violation, seeds};

/// What was wrong in the failing runs of these seeds while something is broken.
fn found(broken: Break) -> Vec<String> {
    let options = Options { broken: Some(broken), ..Options::default() };
    let failures = seeds::run(options, 0..30, |_| {});
    let violations = failures.into_iter().filter_map(|outcome| outcome.violation);
    violations.map(|Violation { what, .. }| what).collect()
}

fn one_says(found: &[String], words: &str) {
    assert!(found.iter().any(|what| what.contains(words)), "nothing says {words:?}: {found:?}");
}

#[test]
fn a_bridge_that_ignores_closing_is_not_as_it_should_be_and_nobody_makes_a_loop_of_it() {
    let found = found(Break::BridgeIgnoresClosing);
    one_says(&found, "of the bridge is not Closed");
    assert!(found.iter().all(|what| !what.contains("a loop")), "{found:?}");
}

#[test]
fn a_bridge_that_says_closed_and_forwards_makes_no_loop_for_programs_drop_what_comes_in() {
    let found = found(Break::BridgeLiesOfClosing);
    one_says(&found, "of the bridge is not Closed");
    assert!(found.iter().all(|what| !what.contains("a loop")), "{found:?}");
}

#[test]
fn programs_that_let_the_base_network_in_where_a_bridge_opened_a_port_by_itself_make_a_loop() {
    one_says(&found(Break::ProgramsLetIn), "the base network has a loop");
}

#[test]
fn programs_that_do_not_answer_make_a_loop_over_a_new_cable_to_a_switch_whose_agent_is_dead() {
    let size = Size { discover: true, ..Size::default() };
    let options = Options { broken: Some(Break::ProgramsAreMute), size, ..Options::default() };
    // Seeds in which a cable is plugged in while one of its ends has no agent.
    let failures = seeds::run(options, 260..280, |_| {});
    let violations = failures.into_iter().filter_map(|outcome| outcome.violation);
    let found: Vec<String> = violations.map(|Violation { what, .. }| what).collect();
    one_says(&found, "the base network has a loop");
}

#[test]
fn ports_that_are_opened_without_agreement_make_a_loop() {
    one_says(&found(Break::NobodyAgrees), "the base network has a loop");
}

#[test]
fn a_prober_that_takes_no_port_out_is_found_although_ranks_that_need_it_are_left() {
    one_says(&found(Break::ProberKeepsPorts), "leads: in the device maps");
}

#[test]
fn frames_that_vanish_are_lost_while_there_is_a_way() {
    one_says(&found(Break::FramesVanish), "is lost");
}

#[test]
fn agents_that_say_nothing_agree_on_nothing() {
    let found = found(Break::AgentsAreMute);
    assert!(found.len() > 25, "{} of 30 seeds", found.len());
    one_says(&found, "no agent is heard there");
}

#[test]
fn a_map_that_forgets_what_is_written_differs_from_what_is_wanted() {
    one_says(&found(Break::MapForgetsHosts), "the maps differ");
}

#[test]
fn frames_into_dead_cables_that_a_prober_tells_nobody_of_are_lost() {
    let found = found(Break::ProberIsSilent);
    let lost = found.iter().filter(|what| what.contains("is lost"));
    assert!(lost.count() > 5, "{found:?}");
}
