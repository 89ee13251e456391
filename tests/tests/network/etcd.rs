//! A fabric whose store is a real etcd: what is in it, and that nothing that happens to it is seen by a host. Needs root.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use smoc_tests::command::run;
use smoc_tests::lab::{Lab, store};
use smoc_tests::testing::{RING_SWITCHES as SWITCHES, lab_for, reaches, ring_with_store, wait_until};

fn ring(test: &str) -> Result<Option<(tempfile::TempDir, Lab)>> {
    let directory = tempfile::tempdir()?;
    let options = ring_with_store(directory.path(), "")?;
    Ok(lab_for(test, &options)?.map(|lab| (directory, lab)))
}

/// The records of the fabric, each a line with its name and one with its contents.
fn records() -> Result<String> {
    run(store::ctl().args(["get", "--prefix", "/smoc/"]))
}

fn store_of(lab: &Lab, switch: &str) -> Result<Value> {
    Ok(lab.ask(switch, &["status"])?["store"].clone())
}

fn links(lab: &Lab, switch: &str) -> Result<usize> {
    let topology = lab.ask(switch, &["topology"])?;
    let links = topology["links"].as_array().context("links")?;
    Ok(links.iter().filter(|link| link["up"] == true).count())
}

fn all_are(lab: &Lab, connected: bool) -> Result<bool> {
    for switch in SWITCHES {
        if store_of(lab, switch)?["connected"] != connected {
            return Ok(false);
        }
    }
    Ok(true)
}

fn assert_whole(lab: &Lab) -> Result<()> {
    for switch in SWITCHES {
        let links = links(lab, switch)?;
        ensure!(links == 3, "{switch} knows of {links} links");
    }
    ensure!(reaches(lab, "h1", "h2")?, "h1 does not reach h2");
    Ok(())
}

#[test]
fn a_fabric_with_etcd_outlives_whatever_happens_to_it() -> Result<()> {
    let test = "a_fabric_with_etcd_outlives_whatever_happens_to_it";
    let Some((_directory, mut lab)) = ring(test)? else { return Ok(()) };
    wait_until(|| reaches(&lab, "h1", "h2"))?;
    wait_until(|| all_are(&lab, true))?;
    let names = ["switches/a", "switches/b", "switches/c", "hosts/a/9", "hosts/c/9"];
    let all_are_there = || {
        let said = records()?;
        Ok(names.iter().all(|name| said.contains(&format!("/smoc/lab/v1/{name}\n"))))
    };
    wait_until(all_are_there).with_context(|| records().unwrap_or_default())?;
    let status = store_of(&lab, "a")?;
    ensure!(status["kind"] == "etcd" && status["revision"].as_i64() > Some(0), "{status}");
    // The snapshots on disk are written 5 s after the last one at the latest.
    std::thread::sleep(Duration::from_secs(6));

    store::kill()?;
    wait_until(|| all_are(&lab, false))?;
    let warnings = lab.ask("a", &["status"])?["warnings"].to_string();
    ensure!(warnings.contains("etcd is away"), "{warnings}");
    assert_whole(&lab)?;
    lab.kill_agent("b")?;
    ensure!(reaches(&lab, "h1", "h2")?, "without b's agent");
    lab.start_agent("b")?;
    wait_until(|| Ok(links(&lab, "b")? == 3))?;
    ensure!(store_of(&lab, "b")?["records"].as_u64() >= Some(2), "b began with its snapshot");
    assert_whole(&lab)?;

    store::start()?;
    wait_until(|| all_are(&lab, true))?;
    for _ in 0..3 {
        run(store::ctl().args(["del", "--prefix", "/smoc"]))?;
        assert_whole(&lab)?;
        wait_until(|| Ok(records()?.matches("/switches/").count() == 3))?;
        assert_whole(&lab)?;
    }
    Ok(())
}

#[test]
fn a_switch_that_is_taken_away_disappears_from_the_store_and_the_fabric() -> Result<()> {
    let test = "a_switch_that_is_taken_away_disappears_from_the_store_and_the_fabric";
    let Some((_directory, mut lab)) = ring(test)? else { return Ok(()) };
    wait_until(|| Ok(records()?.matches("/switches/").count() == 3))?;
    lab.remove_switch("b")?;
    let is_gone = |switch: &str| -> Result<bool> {
        let topology = lab.ask(switch, &["topology"])?;
        Ok(topology["switches"].as_array().context("switches")?.len() == 2)
    };
    // A lease of 10 s, and what the neighbours and announcements need to notice.
    for _ in 0..10 {
        if wait_until(|| Ok(is_gone("a")? && is_gone("c")?)).is_ok() {
            break;
        }
    }
    ensure!(is_gone("a")? && is_gone("c")?, "b is still there:\n{}", records()?);
    ensure!(!records()?.contains("/switches/b\n"), "b is still in the store");
    ensure!(reaches(&lab, "h1", "h2")?, "h1 does not reach h2 without b");
    Ok(())
}
