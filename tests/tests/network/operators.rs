//! What operators say once for a whole fabric, in its etcd, and what a store that hangs does to it. Needs root.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use smoc_tests::command::run;
use smoc_tests::lab::{Lab, store};
use smoc_tests::testing::{RING_SWITCHES as SWITCHES, lab_for, reaches, ring_with_store, wait_until};

fn ring(test: &str, lines: &str) -> Result<Option<(tempfile::TempDir, Lab)>> {
    let directory = tempfile::tempdir()?;
    let options = ring_with_store(directory.path(), lines)?;
    Ok(lab_for(test, &options)?.map(|lab| (directory, lab)))
}

fn status(lab: &Lab, switch: &str) -> Result<Value> {
    lab.ask(switch, &["status"])
}

/// Whether something is so at every switch.
fn everywhere(lab: &Lab, is_so: impl Fn(&Value) -> bool) -> Result<bool> {
    SWITCHES.iter().try_fold(true, |all, switch| Ok(all && is_so(&status(lab, switch)?)))
}

fn warns(status: &Value, of: &str) -> bool {
    status["warnings"].to_string().contains(of)
}

#[test]
fn what_is_said_once_counts_on_every_switch_and_outlives_the_store() -> Result<()> {
    let test = "what_is_said_once_counts_on_every_switch_and_outlives_the_store";
    let Some((directory, mut lab)) = ring(test, "hellos: {hold_down: 1500ms}\n")? else { return Ok(()) };
    wait_until(|| everywhere(&lab, |status| status["store"]["connected"] == true))?;
    store::operate(&["fabric", "config", "set", "hellos", "{hold_down: 2s, multiplier: 9}"])?;
    let said = json!({"hellos": {"hold_down": "2s", "multiplier": 9}});
    let is_heeded = |status: &Value| status["fabric_config"]["values"] == said;
    wait_until(|| everywhere(&lab, is_heeded)).context("the fabric's configuration")?;
    let differs = status(&lab, "a")?["fabric_config"]["differences"].clone();
    ensure!(differs == json!([{"key": "hellos.hold_down", "here": "1500ms", "fabric": "2s"}]), "{differs}");

    let bad = r#"{"version":1,"config":{"hellos":{"multiplier":0}}}"#;
    run(store::ctl().args(["put", "/smoc/lab/v1/config", bad]))?;
    wait_until(|| everywhere(&lab, |status| warns(status, "hellos.multiplier: 0")))?;
    ensure!(everywhere(&lab, is_heeded)?, "what it said before stays");
    let good = file(directory.path(), "hellos: {multiplier: 9, hold_down: 2s}\n")?;
    store::operate(&["fabric", "config", "apply", &good])?;
    wait_until(|| everywhere(&lab, |status| !warns(status, "hellos.multiplier")))?;
    ensure!(everywhere(&lab, is_heeded)?, "the same as before");

    let policy = file(
        directory.path(),
        "rules: [{name: few, between: [h1net, any], count: 1}]\ntenants: {h1net: [10.0.0.1]}\n",
    )?;
    store::operate(&["policy", "apply", &policy])?;
    wait_until(|| {
        SWITCHES.iter().try_fold(true, |all, switch| {
            let policy = lab.ask(switch, &["policy", "show"])?;
            Ok(all && policy["source"] == "store: policy/main" && policy["rules"][0]["name"] == "few")
        })
    })?;
    store::operate(&["fabric", "drain", "b", "--reason", "new fan"])?;
    wait_until(|| everywhere(&lab, |status| status["links_drained"] == 2))?;
    store::operate(&["fabric", "undrain", "b"])?;
    wait_until(|| everywhere(&lab, |status| status["links_drained"] == 0))?;

    // The snapshots on disk are written 5 s after the last change at the latest.
    thread::sleep(Duration::from_secs(6));
    store::kill()?;
    lab.kill_agent("b")?;
    lab.start_agent("b")?;
    ensure!(
        is_heeded(&status(&lab, "b")?),
        "b began with its snapshot: {}",
        status(&lab, "b")?["fabric_config"]
    );
    wait_until(|| reaches(&lab, "h1", "h2"))
}

/// A file with this text.
fn file(directory: &std::path::Path, text: &str) -> Result<String> {
    let path = directory.join(format!("{:x}.yaml", text.len()));
    std::fs::write(&path, text)?;
    Ok(path.display().to_string())
}

#[test]
fn a_store_that_hangs_again_and_again_delays_what_is_written_and_nothing_else() -> Result<()> {
    let test = "a_store_that_hangs_again_and_again_delays_what_is_written_and_nothing_else";
    let Some((_directory, mut lab)) = ring(test, "")? else { return Ok(()) };
    wait_until(|| everywhere(&lab, |status| status["store"]["connected"] == true))?;
    wait_until(|| reaches(&lab, "h1", "h2"))?;
    for round in 0..3 {
        store::set_running(false)?;
        // Something that the store is to be told, while it takes no write.
        lab.kill_agent("b")?;
        lab.start_agent("b")?;
        ensure!(reaches(&lab, "h1", "h2")?, "round {round}: h1 does not reach h2 while the store hangs");
        thread::sleep(Duration::from_millis(1500));
        store::set_running(true)?;
        ensure!(reaches(&lab, "h1", "h2")?, "round {round}: h1 does not reach h2 when the store goes on");
        thread::sleep(Duration::from_millis(500));
    }
    wait_until(|| everywhere(&lab, |status| status["store"]["connected"] == true))?;
    let whole = |status: &Value| status["store"]["doubted"].as_array().is_some_and(Vec::is_empty);
    wait_until(|| everywhere(&lab, whole))?;
    wait_until(|| {
        Ok(run(store::ctl().args(["get", "--prefix", "/smoc/lab/v1/switches/", "--keys-only"]))?
            .matches("switches/")
            .count()
            == 3)
    })?;
    for switch in SWITCHES {
        let topology = lab.ask(switch, &["topology"])?;
        ensure!(topology["links"].as_array().is_some_and(|links| links.len() == 3), "{switch}: {topology}");
    }
    Ok(())
}
