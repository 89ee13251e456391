//! Who is believed: a key that is rolled while it matters, and who has none: on a cable, and at a host's port. Needs root.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use smoc_common::{
    route::{Label, PushedRoute, Route},
    tag::TagKey,
    wire::probe::Probe,
};
use smoc_tests::{
    lab::{Lab, Routing},
    testing::{lab_for, options, wait_until},
    traffic::{Amount, Datagrams, Family, FrameSender, Protocol, Transfer},
};

const SWITCHES: [&str; 6] = ["e1", "e2", "m1", "m2", "m3", "m4"];
const FIRST: &str = "the first key of the test's fabric";
const SECOND: &str = "the second key of the test's fabric";

/// All agents read the key file again.
fn set_keys(lab: &Lab, file: &Path, keys: &str) -> Result<()> {
    fs::write(file, keys)?;
    for switch in SWITCHES {
        for pid in lab.pids(switch)? {
            kill(Pid::from_raw(pid), Signal::SIGHUP)?;
        }
    }
    Ok(())
}

/// What a status says of the link behind a port.
fn liveness(lab: &Lab, switch: &str, port: u16) -> Result<Value> {
    let status = lab.ask(switch, &["status"])?;
    let ports = status["ports"].as_array().context("ports")?;
    let port = ports.iter().find(|there| there["number"] == port).context("the port")?;
    Ok(port["liveness"].clone())
}

/// How often links went down, and how many paths are broken now.
fn failures(lab: &Lab) -> Result<u64> {
    let mut all = 0;
    for switch in SWITCHES {
        let status = lab.ask(switch, &["status"])?;
        all += status["probing"]["broken"].as_u64().context("broken")?;
        let ports = status["ports"].as_array().context("ports")?.iter();
        all += ports.filter_map(|port| port["liveness"]["flaps"].as_u64()).sum::<u64>();
    }
    Ok(all)
}

/// A hello, or the answer to one, as somebody makes it who does not know the key.
fn forged(sequence: u32, is_answer: bool, key: &TagKey) -> [u8; 78] {
    let flags = Probe::HELLO | if sequence.is_multiple_of(2) { Probe::HEARS } else { 0 };
    let probe = Probe {
        session: 4711,
        subject: 1,
        sequence,
        back_route: 1,
        back_port: 1,
        flags,
        link: 9,
        ..Probe::default()
    };
    let mut frame = probe.signed(key).frame(Route::END);
    if is_answer {
        let pushed = PushedRoute { label: Label::OUTBOUND_PROBE.returning(), route: Route::END };
        frame[..12].copy_from_slice(pushed.words().map(u32::to_be_bytes).as_flattened());
    }
    frame
}

#[test]
fn a_key_is_rolled_and_hellos_are_forged_and_no_frame_is_lost() -> Result<()> {
    let test = "a_key_is_rolled_and_hellos_are_forged_and_no_frame_is_lost";
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("fabric.key");
    fs::write(&file, FIRST)?;
    let mut options = options("demo.yaml", Routing::Smoc);
    options.agent.lines = format!("key_file: {}\n", file.display());
    let Some(lab) = lab_for(test, &options)? else { return Ok(()) };
    let before = failures(&lab)?;
    let stream = Datagrams::start(&lab, "h1", "h2", Family::V4, 60_000, 200, Duration::from_millis(1))?;
    let subflows =
        Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, Amount::Bytes(200 << 20))?;
    let running = subflows.start()?;
    for keys in [format!("{FIRST}\n{SECOND}\n"), format!("{SECOND}\n{FIRST}\n"), format!("{SECOND}\n")] {
        set_keys(&lab, &file, &keys)?;
        // Ten times what it takes to find a link dead, and paths broken.
        thread::sleep(Duration::from_secs(2));
        ensure!(failures(&lab)? == before, "after the keys were {keys}");
    }
    // Somebody on the cable between e1 and m1 says what it likes towards m1.
    let sender = FrameSender::open(&lab.namespace("e1")?, "p1")?;
    let refused = || -> Result<u64> { lab.ask("m1", &["status"])?["refused"].as_u64().context("refused") };
    let (said, lost) = (refused()?, lab.counter("m1", "probe_lost")?);
    for sequence in 0..3000 {
        sender.send(&forged(sequence, false, &TagKey::NONE))?;
        sender.send(&forged(sequence, false, &TagKey { low: 5, high: 6 }))?;
        sender.send(&forged(sequence, true, &TagKey::NONE))?;
        thread::sleep(Duration::from_millis(1));
    }
    ensure!(lab.counter("m1", "probe_lost")? - lost >= 3000, "wrong tags are counted by the program");
    wait_until(|| Ok(refused()? - said >= 3000)).context("hellos without a tag are counted by the agent")?;
    ensure!(failures(&lab)? == before);
    running.finish()?;
    let arrived = stream.stop()?;
    println!("{} of {} datagrams arrived", arrived.received, arrived.sent);
    ensure!(
        arrived.received == arrived.sent && arrived.sent > 5000,
        "{} of {}",
        arrived.received,
        arrived.sent
    );
    // Who is left with the old key is out: so tags matter at all.
    fs::write(&file, FIRST)?;
    lab.pids("m1")?.into_iter().try_for_each(|pid| kill(Pid::from_raw(pid), Signal::SIGHUP))?;
    wait_until(|| Ok(liveness(&lab, "e1", 1)?["up"] == false)).context("m1 has another key")?;
    let liveness = liveness(&lab, "e1", 1)?;
    println!("{liveness}");
    Ok(())
}
