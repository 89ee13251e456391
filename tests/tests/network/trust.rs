//! Who is believed: a key that is rolled while it matters, and who has none: on a cable, and at a host's port. Needs root.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use smoc_common::{
    route::{Label, PortNumber, PushedRoute, Rank, Route},
    tag::TagKey,
    wire::{ethernet::MacAddress, probe::Probe},
};
use smoc_control::{
    clock::Nanos,
    discovery::{
        announcement::{self, Lists},
        key::Keys,
        lldp::Advertisement,
    },
    hosts::Sighting,
    plan::DownPort,
};
use smoc_tests::{
    lab::{Lab, Routing},
    testing::{lab_for, options, options_of, wait_until},
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

/// Four switches in a ring, and a host at each of three.
const RING: &str = "\
links:
  - {a: \"a:1\", b: \"b:1\"}
  - {a: \"b:2\", b: \"c:1\"}
  - {a: \"c:2\", b: \"d:1\"}
  - {a: \"d:2\", b: \"a:2\"}
hosts:
  - {name: h1, port: \"a:9\", mac: \"02:00:00:00:00:01\", addresses: [10.0.0.1]}
  - {name: h2, port: \"c:9\", mac: \"02:00:00:00:00:02\", addresses: [10.0.0.2]}
  - {name: evil, port: \"b:9\", mac: \"02:00:00:00:00:66\", addresses: [10.0.0.66]}
";
const RING_SWITCHES: [&str; 4] = ["a", "b", "c", "d"];
const EVIL: [u8; 6] = [2, 0, 0, 0, 0, 0x66];

/// Everything that a host should not send, but LLDP: the n-th round of it.
fn mischief(round: u32) -> Vec<Vec<u8>> {
    let port = |number| PortNumber::new(number).unwrap_or_else(|| unreachable!("a port number"));
    let mut all = Vec::new();
    // ARP in the name of everybody, to everybody: requests and answers, true to its MAC address and not.
    for (last, operation, mac) in
        [(1, 1, EVIL), (2, 2, EVIL), (1, 2, [2, 0, 0, 0, 0, 2]), (2, 1, [2, 0, 0, 0, 0, 1])]
    {
        let head = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation];
        let (sender, target) = ([10, 0, 0, last], [10, 0, 0, 3 - last]);
        all.push([&[0xff; 6][..], &EVIL, &head, &mac, &sender, &[0xff; 6], &target, &[0; 18]].concat());
    }
    for key in [TagKey::NONE, TagKey { low: 7, high: 7 }] {
        all.extend([false, true].map(|is_answer| forged(round, is_answer, &key).to_vec()));
    }
    // Frames on routes of its own: data that goes round and round, and frames that end everywhere.
    for route in [
        Route::END,
        Route::from_bits(0b1_00001_00010_00001_00010),
        Route::from_bits(u64::from(round) | 1 << 40),
    ] {
        let pushed = PushedRoute { label: Label::new(Rank::new(round as u8), false), route };
        all.push(
            [pushed.words().map(u32::to_be_bytes).as_flattened(), &[0x08, 0x00, 0x45], &[0; 60]].concat(),
        );
    }
    // What agents say.
    let (source, now) = (MacAddress::new(EVIL), Nanos(1 << 50));
    let host = Sighting { address: [10, 0, 0, 1].into(), mac: source, port: port(9), seen: now };
    let down = vec![
        DownPort { number: port(1), unanswered: false },
        DownPort { number: port(2), unanswered: false },
    ];
    let lists = Lists { hosts: vec![host], down, ..Lists::default() };
    for origin in RING_SWITCHES {
        let sequence = 1 << 60 | u64::from(round);
        all.extend(
            announcement::parts(origin, (666, sequence), &lists).iter().map(|part| part.frame(source, now)),
        );
    }
    all.push(announcement::question(source));
    all
}

/// A host says that it is a switch, even one that is there.
fn advertisement(round: u32) -> Vec<u8> {
    let said = Advertisement {
        switch: if round.is_multiple_of(2) { "evil" } else { "a" }.into(),
        port: PortNumber::new(1).unwrap_or_else(|| unreachable!("1 is a port number")),
        time_to_live: 15,
        fabric: "lab".into(),
        port_width: 5,
        boot: 666,
        heard: u64::from(round),
    };
    said.frame(MacAddress::new(EVIL), &Keys::default())
}

/// At which switch, and with which MAC address, a switch sees the two hosts.
fn owners(lab: &Lab, switch: &str) -> Result<Vec<String>> {
    let hosts = lab.ask(switch, &["hosts"])?;
    let all = hosts.as_array().context("hosts")?.iter();
    let ours = all.filter(|host| host["address"] == "10.0.0.1" || host["address"] == "10.0.0.2");
    Ok(ours.map(|host| format!("{} {} {}", host["address"], host["switch"], host["mac"])).collect())
}

/// Frames that the switches have sent over all links.
fn carried(lab: &Lab) -> Result<u64> {
    Ok(lab.loads()?.iter().map(|load| load.frames_from_a + load.frames_from_b).sum())
}

/// Whether each switch sees the same owners as before, and all four links up.
fn all_is_as_before(lab: &Lab, before: &[Vec<String>]) -> Result<()> {
    for (place, switch) in RING_SWITCHES.iter().enumerate() {
        ensure!(owners(lab, switch)? == before[place], "{switch}: {:?}", owners(lab, switch)?);
        let topology = lab.ask(switch, &["topology"])?;
        ensure!(topology["links"].as_array().map(Vec::len) == Some(4), "{switch}: {topology:#}");
        let status = lab.ask(switch, &["status"])?;
        ensure!(status["links_down"] == 0, "{switch}: {status:#}");
    }
    Ok(())
}

#[test]
fn a_hostile_host_takes_nobody_over_and_costs_nobody_a_frame() -> Result<()> {
    let test = "a_hostile_host_takes_nobody_over_and_costs_nobody_a_frame";
    let directory = tempfile::tempdir()?;
    let key = directory.path().join("fabric.key");
    fs::write(&key, FIRST)?;
    let mut options = options_of(directory.path(), RING)?;
    options.agent.discovers = true;
    // Hosts believe any ARP: what keeps it from them is the guard.
    options.agent.lines = format!("key_file: {}\nguard: {{9: source}}\n", key.display());
    let Some(lab) = lab_for(test, &options)? else { return Ok(()) };
    let first = Datagrams::start(&lab, "h1", "h2", Family::V4, 100, 200, Duration::from_millis(10))?;
    first.finish()?;
    for switch in RING_SWITCHES {
        wait_until(|| Ok(owners(&lab, switch)?.len() == 2)).with_context(|| format!("hosts at {switch}"))?;
    }
    let before = RING_SWITCHES.map(|switch| owners(&lab, switch));
    let before = before.into_iter().collect::<Result<Vec<_>>>()?;
    let stream = Datagrams::start(&lab, "h1", "h2", Family::V4, 60_000, 200, Duration::from_millis(1))?;
    let sender = FrameSender::open(&lab.namespace("evil")?, "eth0")?;
    let rounds = 600;
    for round in 0..rounds {
        for frame in mischief(round) {
            sender.send(&frame)?;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let own = lab.ask("b", &["status"])?;
    let ports = own["ports"].as_array().context("ports")?;
    let is_open = ports.iter().any(|port| port["number"] == 9 && port["neighbor"] == "hosts");
    ensure!(is_open, "its port is not as it was: {own:#}");
    for round in 0..100 {
        sender.send(&advertisement(round))?;
        mischief(round).iter().try_for_each(|frame| sender.send(frame))?;
        thread::sleep(Duration::from_millis(10));
    }
    all_is_as_before(&lab, &before)?;
    let (pushed, guarded) = (lab.counter("b", "pushed_by_host")?, lab.counter("b", "guarded")?);
    let refused = lab.ask("b", &["status"])?["refused"].as_u64().context("refused")?;
    println!("{pushed} pushed_by_host, {guarded} guarded, {refused} refused");
    // Four hellos, three routes, and five announcements; four of ARP.
    ensure!(pushed >= u64::from(rounds) * 11 && guarded >= u64::from(rounds) * 4 && refused > 0);
    let arrived = stream.stop()?;
    println!("{} of {} datagrams arrived", arrived.received, arrived.sent);
    ensure!(
        arrived.received == arrived.sent && arrived.duplicates == 0,
        "{} of {}",
        arrived.received,
        arrived.sent
    );
    // A connection by itself: it fills queues, in which datagrams would be lost.
    let amount = Amount::Time(Duration::from_secs(5));
    let running = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?;
    while !running.is_finished() {
        mischief(1000).iter().try_for_each(|frame| sender.send(frame))?;
        thread::sleep(Duration::from_millis(10));
    }
    let received = running.finish()?;
    let end = received.duration();
    ensure!(received.goodput(end.saturating_sub(Duration::from_secs(1)), end) > 0.0, "nothing came any more");
    let frames = carried(&lab)?;
    thread::sleep(Duration::from_secs(2));
    // Hellos and probes alone, no more of what it has sent.
    ensure!(carried(&lab)? - frames < 20_000, "a storm: {} frames", carried(&lab)? - frames);
    Ok(())
}
