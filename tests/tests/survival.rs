//! What must not be lost: frames while an agent dies and comes back, and frames of unusual size.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use smoc_tests::lab::{Lab, Load, Routing};
use smoc_tests::subflows::connection_with;
use smoc_tests::testing::{lab_for, options};
use smoc_tests::traffic::{Amount, Answer, Datagrams, Family, Protocol, Transfer, address, ping};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Kills the agents of both edges and one between, lets the network be for a while, and starts them again.
fn kill_and_restart(lab: &mut Lab, meanwhile: impl FnOnce(&Lab) -> Result<()>) -> Result<()> {
    const SWITCHES: [&str; 3] = ["e1", "m1", "e2"];
    for switch in SWITCHES {
        thread::sleep(200 * MILLISECOND);
        lab.kill_agent(switch)?;
    }
    meanwhile(lab)?;
    SWITCHES.into_iter().try_for_each(|switch| lab.start_agent(switch))
}

#[test]
fn killed_and_restarted_agents_lose_no_frame() -> Result<()> {
    let options = options("demo.yaml", Routing::Smoc);
    let Some(mut lab) = lab_for("killed_and_restarted_agents_lose_no_frame", &options)? else {
        return Ok(());
    };
    let there = Datagrams::start(&lab, "h1", "h2", Family::V4, 6000, 500, MILLISECOND)?;
    let back = Datagrams::start(&lab, "h2", "h1", Family::V6, 6000, 500, MILLISECOND)?;
    kill_and_restart(&mut lab, |_| Ok(()))?;
    for arrived in [there.finish()?, back.finish()?] {
        assert_eq!((arrived.received, arrived.reordered), (arrived.sent, 0), "{arrived:?}");
    }
    Ok(())
}

#[test]
fn connections_neither_break_nor_wait_while_agents_are_dead() -> Result<()> {
    let options = options("demo.yaml", Routing::Smoc);
    let Some(mut lab) = lab_for("connections_neither_break_nor_wait_while_agents_are_dead", &options)? else {
        return Ok(());
    };
    let amount = Amount::Bytes(150 << 20);
    let old = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?;
    let mut young = None;
    kill_and_restart(&mut lab, |lab| {
        let amount = Amount::Bytes(100 << 20);
        young = Some(Transfer::between(lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?);
        Ok(())
    })?;
    let young = young.context("a connection was opened while the agents were dead")?;
    // What the kernel learnt meanwhile is there for the new agent.
    for running in [&old, &young] {
        let connection = connection_with(&lab, "e1", running.destination)?;
        assert_eq!((connection.subflows.len(), connection.distinct_paths()), (4, 4), "{connection:#?}");
    }
    assert_eq!(old.finish()?.bytes, 150 << 20);
    assert_eq!(young.finish()?.bytes, 100 << 20);
    Ok(())
}

#[test]
fn jumbo_frames_fit() -> Result<()> {
    let mut options = options("demo.yaml", Routing::Smoc);
    options.mtu = 9000;
    let Some(lab) = lab_for("jumbo_frames_fit", &options)? else { return Ok(()) };
    for (family, overhead) in [(Family::V4, 28), (Family::V6, 48)] {
        let target = address(lab.plan().host("h2")?, family)?;
        let answer = ping(&lab.namespace("h1")?, target, 9000 - overhead, None, Duration::from_secs(2))?;
        assert_eq!(answer, Some(Answer::Echo), "a full frame, {family:?}");
    }
    let transfer = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, Amount::Bytes(60 << 20))?;
    let before = lab.loads()?;
    transfer.run()?;
    let after = lab.loads()?;
    let sent = |of: fn(&Load) -> u64| -> u64 {
        before.iter().zip(&after).take(4).map(|(before, after)| of(after) - of(before)).sum()
    };
    // Hellos and probes are among them.
    let mean = sent(|load| load.bytes_from_a) / sent(|load| load.frames_from_a);
    assert!(mean > 3000, "{mean} bytes in a frame from e1: they are not jumbo frames");
    Ok(())
}
