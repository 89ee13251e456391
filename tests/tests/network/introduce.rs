//! A fabric gets its first key while it runs, switch by switch, and loses it again: no frame is lost. Needs root.
//!
//! ```text
//!   h1 -- e1 == m1, m2 == e2 -- h2
//! ```

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use smoc_tests::{
    lab::{Lab, config_file},
    testing::{lab_for, leaf_spine, options_of, wait_until},
    traffic::{Datagrams, Family},
};

const SWITCHES: [&str; 4] = ["e1", "m1", "m2", "e2"];
const KEY: &str = "the first key of the test's fabric";

/// Gives one switch after the other these further lines of configuration, in the place of what it had of them.
fn roll(lab: &Lab, lines: &str) -> Result<()> {
    for switch in SWITCHES {
        let file = config_file(switch);
        let text = fs::read_to_string(&file)?;
        let kept: String =
            text.lines().filter(|line| !line.starts_with("key_")).map(|l| l.to_owned() + "\n").collect();
        fs::write(&file, kept + lines)?;
        lab.pids(switch)?.into_iter().try_for_each(|pid| kill(Pid::from_raw(pid), Signal::SIGHUP))?;
        // Ten times what it takes to find a link dead, and paths broken.
        thread::sleep(Duration::from_millis(300));
        check(lab).with_context(|| format!("after {switch} was told: {lines}"))?;
    }
    Ok(())
}

/// No link has ever been down, no path is broken, and each switch sees its neighbours.
fn check(lab: &Lab) -> Result<()> {
    for switch in SWITCHES {
        let status = lab.ask(switch, &["status"])?;
        ensure!(status["probing"]["broken"] == 0 && status["links_down"] == 0, "{switch}: {status:#}");
        for port in
            status["ports"].as_array().context("ports")?.iter().filter(|port| port["role"] == "fabric")
        {
            ensure!(port["liveness"]["flaps"] == 0 && port["usable"] == true, "{switch}: {port:#}");
            ensure!(port["neighbor"].as_str().is_some_and(|peer| peer.contains(':')), "{switch}: {port:#}");
        }
    }
    Ok(())
}

/// Whether each switch warns that its key is only introduced, and says this.
fn all_warn(lab: &Lab, what: &str) -> Result<bool> {
    let mut all = true;
    for switch in SWITCHES {
        let warnings = lab.ask(switch, &["status"])?["warnings"].to_string();
        all &= warnings.contains("key_mode: introduce: ") && warnings.contains(what);
    }
    Ok(all)
}

fn untagged(lab: &Lab, switch: &str) -> Result<u64> {
    lab.ask(switch, &["status"])?["untagged"].as_u64().context("untagged")
}

#[test]
fn a_fabric_gets_its_first_key_switch_by_switch_and_gives_it_back_and_no_frame_is_lost() -> Result<()> {
    let test = "a_fabric_gets_its_first_key_switch_by_switch_and_gives_it_back_and_no_frame_is_lost";
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("fabric.key");
    fs::write(&file, KEY)?;
    let mut options = options_of(directory.path(), &leaf_spine(2, 2))?;
    options.agent.discovers = true;
    let Some(lab) = lab_for(test, &options)? else { return Ok(()) };
    Datagrams::start(&lab, "h1", "h2", Family::V4, 100, 200, Duration::from_millis(10))?.finish()?;
    check(&lab)?;
    let stream = Datagrams::start(&lab, "h1", "h2", Family::V4, 60_000, 200, Duration::from_millis(1))?;
    let of = |mode: &str| format!("key_file: {}\nkey_mode: {mode}\n", file.display());

    roll(&lab, &of("introduce"))?;
    ensure!(untagged(&lab, "e1")? > 0, "what has no tag is counted");
    wait_until(|| all_warn(&lab, "write key_mode: required everywhere")).context("all sign")?;
    roll(&lab, &of("required"))?;
    let warnings = lab.ask("e1", &["status"])?["warnings"].to_string();
    ensure!(!warnings.contains("key_mode"), "{warnings}");
    let before = untagged(&lab, "m1")?;
    thread::sleep(Duration::from_millis(200));
    ensure!(untagged(&lab, "m1")? == before, "nothing is believed without a tag");

    roll(&lab, &of("introduce"))?;
    roll(&lab, "")?;
    let arrived = stream.stop()?;
    println!("{} of {} datagrams arrived", arrived.received, arrived.sent);
    let is_whole = arrived.received == arrived.sent && arrived.duplicates == 0 && arrived.sent > 5000;
    ensure!(is_whole, "{} of {}", arrived.received, arrived.sent);
    // Tags matter at all: who has the key alone is out.
    fs::write(config_file("m1"), fs::read_to_string(config_file("m1"))? + &of("required"))?;
    lab.pids("m1")?.into_iter().try_for_each(|pid| kill(Pid::from_raw(pid), Signal::SIGHUP))?;
    wait_until(|| Ok(check(&lab).is_err())).context("m1 alone requires the key")
}
