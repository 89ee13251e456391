//! Failures under real traffic: connections live, every byte arrives, and what is left is used. Needs root.

use anyhow::Result;
use smoc_tests::failover::{Failure, left, strike_datagrams};
use smoc_tests::lab::{Condition, Direction, LabOptions, Routing};
use smoc_tests::testing::{lab_for, options};
use smoc_tests::traffic::{Amount, Family, Protocol, Transfer};

/// How often the agent is killed and started again in its test.
const RESTARTS: u32 = 5;

/// The lab of a failure, for a test that waits its turn.
fn waiting(failure: Failure) -> LabOptions {
    LabOptions { wait: true, ..failure.lab(Routing::Smoc) }
}

/// Lets a failure happen to a connection with a subflow on each of four paths.
fn connection_survives(test: &str, failure: Failure) -> Result<()> {
    let Some(mut lab) = lab_for(test, &waiting(failure))? else { return Ok(()) };
    let left = left(&mut lab, failure, RESTARTS)?;
    println!("{}: afterwards {:.0} % of what is left", failure.label(), left.share * 100.0);
    assert_eq!(left.links_in_use, failure.paths_left(), "{}: {left:?}", failure.label());
    Ok(())
}

/// Lets a failure happen to datagrams; how many of how many were lost.
fn datagrams_lost(test: &str, failure: Failure) -> Result<Option<(u32, u32)>> {
    let Some(mut lab) = lab_for(test, &waiting(failure))? else { return Ok(None) };
    let (arrived, struck) = strike_datagrams(&mut lab, failure, RESTARTS)?;
    let (gap, _) = arrived.longest_gap_after(struck);
    let lost = arrived.sent - arrived.received;
    println!("{}: {lost} of {} lost, longest gap {gap:?}", failure.label(), arrived.sent);
    Ok(Some((lost, arrived.sent)))
}

macro_rules! connections {
    ($($test:ident: $failure:ident;)*) => {
        $(
            #[test]
            fn $test() -> Result<()> {
                connection_survives(stringify!($test), Failure::$failure)
            }
        )*
    };
}

connections! {
    a_connection_survives_a_link_that_goes_down: NearDown;
    a_connection_survives_a_link_that_goes_down_far_away: FarDown;
    a_connection_survives_a_silent_link: NearSilent;
    a_connection_survives_a_silent_link_far_away: FarSilent;
    a_connection_survives_a_link_that_is_silent_one_way: OneWay;
    a_connection_survives_a_link_that_loses_frames: Loss;
    a_connection_survives_a_switch_that_is_gone: SwitchGone;
    a_connection_survives_two_failures_at_once: TwoAtOnce;
    a_connection_survives_a_link_that_fails_together_with_its_detour: DetourToo;
    a_connection_survives_a_flapping_link: Flapping;
}

/// The share of lost datagrams below which the failure was met and not waited for: the stream goes on for 4 s.
const FEW: f64 = 0.25;

#[test]
fn datagrams_find_another_way_when_their_path_fails_without_a_sign() -> Result<()> {
    let test = "datagrams_find_another_way_when_their_path_fails_without_a_sign";
    for failure in [Failure::NearSilent, Failure::OneWay, Failure::SwitchGone, Failure::DetourToo] {
        let Some((lost, sent)) = datagrams_lost(test, failure)? else { return Ok(()) };
        assert!(f64::from(lost) < FEW * f64::from(sent), "{}: {lost} of {sent} lost", failure.label());
    }
    Ok(())
}

#[test]
fn datagrams_leave_a_path_that_loses_some() -> Result<()> {
    let test = "datagrams_leave_a_path_that_loses_some";
    let Some((lost, sent)) = datagrams_lost(test, Failure::Loss)? else { return Ok(()) };
    assert!(
        f64::from(lost) < 0.15 * f64::from(sent),
        "{lost} of {sent} lost, where 30 % are if nothing is done"
    );
    Ok(())
}

#[test]
fn a_failure_elsewhere_and_a_restarted_agent_cost_no_frame() -> Result<()> {
    let test = "a_failure_elsewhere_and_a_restarted_agent_cost_no_frame";
    for failure in [Failure::Elsewhere, Failure::AgentRestart] {
        let Some((lost, _)) = datagrams_lost(test, failure)? else { return Ok(()) };
        assert_eq!(lost, 0, "{}", failure.label());
    }
    Ok(())
}

#[test]
fn a_loaded_fabric_of_twenty_switches_raises_no_false_alarm() -> Result<()> {
    let test = "a_loaded_fabric_of_twenty_switches_raises_no_false_alarm";
    let Some(lab) = lab_for(test, &options("fat-tree-k4.yaml", Routing::Smoc))? else { return Ok(()) };
    let flaps = || -> Result<u64> {
        let plan = lab.plan();
        plan.switches.iter().try_fold(0, |sum, switch| {
            let status = lab.ask(&switch.name, &["status"])?;
            let ports = status["ports"].as_array().into_iter().flatten();
            Ok(sum + ports.filter_map(|port| port["liveness"]["flaps"].as_u64()).sum::<u64>())
        })
    };
    let before = flaps()?;
    let pairs = [("h1", "h8"), ("h2", "h7"), ("h3", "h6"), ("h4", "h5")];
    let amount = Amount::Bytes(40 << 20);
    let transfers: Vec<_> = pairs
        .iter()
        .map(|(from, to)| Transfer::between(&lab, from, to, Family::V4, Protocol::Mptcp, amount)?.start())
        .collect::<Result<_>>()?;
    for transfer in transfers {
        assert_eq!(transfer.finish()?.bytes, 40 << 20);
    }
    assert_eq!(flaps()?, before, "a port went down under load");
    Ok(())
}

#[test]
fn a_port_whose_link_is_silent_one_way_is_down_at_both_ends() -> Result<()> {
    let test = "a_port_whose_link_is_silent_one_way_is_down_at_both_ends";
    let Some(mut lab) = lab_for(test, &options("line.yaml", Routing::Smoc))? else { return Ok(()) };
    lab.set_link("e1:1-m1:1", Condition::Blackhole, Direction::AToB)?;
    for (switch, port) in [("e1", 1), ("m1", 1)] {
        smoc_tests::testing::wait_until(|| {
            let status = lab.ask(switch, &["status"])?;
            let ports = status["ports"].as_array().cloned().unwrap_or_default();
            Ok(ports.iter().any(|entry| entry["number"] == port && entry["liveness"]["up"] == false))
        })?;
    }
    Ok(())
}
