//! What must not be lost: frames while agents die and come back, what they knew, and frames of unusual size.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aya::maps::xdp::DevMap;
use aya::maps::{Array, HashMap, Map, MapData, MapError};
use serde_json::Value;
use smoc_common::map::PathSet;
use smoc_tests::lab::{Condition, Direction, Lab, Load, Routing, pin_directory};
use smoc_tests::subflows::connection_with;
use smoc_tests::testing::{lab_for, options, wait_until};
use smoc_tests::traffic::{
    Amount, Answer, Arrived, ByteStream, Datagrams, Family, Protocol, Transfer, address, ping,
};

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
    let streams = both_ways(&lab)?;
    kill_and_restart(&mut lab, |_| Ok(()))?;
    assert_all_in_order(streams)
}

/// Datagrams in both directions, one each a millisecond, until they are stopped.
fn both_ways(lab: &Lab) -> Result<[Datagrams; 2]> {
    const MINUTE: u32 = 60_000;
    Ok([
        Datagrams::start(lab, "h1", "h2", Family::V4, MINUTE, 500, MILLISECOND)?,
        Datagrams::start(lab, "h2", "h1", Family::V6, MINUTE, 500, MILLISECOND)?,
    ])
}

fn assert_all_in_order(streams: [Datagrams; 2]) -> Result<()> {
    // Something must have been sent after what they were to survive.
    thread::sleep(200 * MILLISECOND);
    for stream in streams {
        let Arrived { sent, received, reordered, .. } = stream.stop()?;
        assert_eq!((received, reordered), (sent, 0));
    }
    Ok(())
}

#[test]
fn an_agent_killed_twenty_times_in_a_row_loses_no_frame() -> Result<()> {
    let options = options("demo.yaml", Routing::Smoc);
    let Some(mut lab) = lab_for("an_agent_killed_twenty_times_in_a_row_loses_no_frame", &options)? else {
        return Ok(());
    };
    let streams = both_ways(&lab)?;
    let begin = Instant::now();
    for _ in 0..20 {
        lab.kill_agent("e1")?;
        lab.start_agent("e1")?;
    }
    println!("twenty restarts took {:?}", begin.elapsed());
    assert_all_in_order(streams)
}

/// One of the maps that a switch's agent has pinned.
fn pinned(switch: &str, map: &str) -> Result<Map> {
    Ok(Map::from_map_data(MapData::from_pin(pin_directory(switch).join(map))?)?)
}

/// The interface that a switch's programs send through for a port; none where it is down.
fn sends_through(switch: &str, port: u32) -> Result<Option<u32>> {
    let ports: DevMap<MapData> = pinned(switch, "FABRIC_PORTS")?.try_into()?;
    match ports.get(port, 0) {
        Ok(entry) => Ok(Some(entry.if_index)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[test]
fn a_port_that_comes_back_while_no_agent_runs_is_held_down_by_the_next() -> Result<()> {
    let test = "a_port_that_comes_back_while_no_agent_runs_is_held_down_by_the_next";
    let Some(mut lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    // Afterwards the hosts know each other's MAC address and need no broadcast while the base network changes.
    for (from, to, family) in [("h1", "h2", Family::V4), ("h2", "h1", Family::V6)] {
        let target = address(lab.plan().host(to)?, family)?;
        let answer = ping(&lab.namespace(from)?, target, 100, None, Duration::from_secs(2))?;
        assert_eq!(answer, Some(Answer::Echo), "{from} to {to}, {family:?}");
    }
    lab.set_link("e1:1-m1:1", Condition::Down, Direction::Both)?;
    wait_until(|| Ok(sends_through("e1", 1)?.is_none()))?;
    let streams = both_ways(&lab)?;
    lab.kill_agent("e1")?;
    lab.set_link("e1:1-m1:1", Condition::Up, Direction::Both)?;
    thread::sleep(300 * MILLISECOND);
    assert_eq!(sends_through("e1", 1)?, None, "nobody is there who could say that it is up");

    let restarted = Instant::now();
    lab.start_agent("e1")?;
    assert!(lab.log("e1")?.contains("adopted=true"));
    wait_until(|| Ok(sends_through("e1", 1)?.is_some()))?;
    let held = restarted.elapsed();
    assert!(held >= 1000 * MILLISECOND, "the hold-down is 1 s and the port was up after {held:?}");
    println!("up again after {held:?}");
    for stream in streams {
        let arrived = stream.stop()?;
        assert_eq!(arrived.received, arrived.sent);
    }
    Ok(())
}

/// The paths that a switch's agent uses, without what probes say of them.
fn paths_in_use(lab: &Lab, switch: &str) -> Result<Value> {
    let mut paths = lab.ask(switch, &["paths", "--live"])?;
    for edge in paths.as_array_mut().context("a list of edges")? {
        for rank in edge["ranks"].as_array_mut().context("a list of ranks")? {
            rank["liveness"].take();
        }
    }
    Ok(paths)
}

/// In an order that only the seed decides.
fn shuffled(mut names: Vec<String>, seed: u64) -> Vec<String> {
    let mut random = ByteStream::new(seed);
    for last in (1..names.len()).rev() {
        let mut word = [0; 8];
        random.fill(&mut word);
        names.swap(last, (u64::from_le_bytes(word) % (last as u64 + 1)) as usize);
    }
    names
}

#[test]
fn half_of_the_switches_restart_at_once_and_all_agree_on_the_same_paths_as_before() -> Result<()> {
    const SEED: u64 = 4;
    let test = "half_of_the_switches_restart_at_once_and_all_agree_on_the_same_paths_as_before";
    let Some(mut lab) = lab_for(test, &options("fat-tree-k4.yaml", Routing::Smoc))? else { return Ok(()) };
    let all: Vec<String> = lab.plan().switches.iter().map(|switch| switch.name.clone()).collect();
    let paths = |lab: &Lab| all.iter().map(|switch| paths_in_use(lab, switch)).collect::<Result<Vec<_>>>();
    let before = paths(&lab)?;
    let order = shuffled(all.clone(), SEED);
    let half = &order[..all.len() / 2];
    half.iter().try_for_each(|switch| lab.kill_agent(switch))?;
    let order = shuffled(half.to_vec(), SEED + 1);
    lab.start_agents(&order.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut after = Vec::new();
    let agreed = wait_until(|| {
        after = paths(&lab)?;
        Ok(after == before)
    });
    if agreed.is_err() {
        assert_eq!(after, before, "restarted: {order:?}");
    }
    for (from, to) in [("h1", "h8"), ("h2", "h7"), ("h3", "h6"), ("h4", "h5")] {
        let target = address(lab.plan().host(to)?, Family::V4)?;
        let answer = ping(&lab.namespace(from)?, target, 100, None, Duration::from_secs(2))?;
        assert_eq!(answer, Some(Answer::Echo), "{from} to {to}");
    }
    Ok(())
}

#[test]
fn what_somebody_changes_in_the_maps_is_written_again_and_told() -> Result<()> {
    let test = "what_somebody_changes_in_the_maps_is_written_again_and_told";
    let Some(lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let mut edges: Array<MapData, u32> = pinned("e1", "EDGES")?.try_into()?;
    let mut sets: Array<MapData, [u8; size_of::<PathSet>()]> = pinned("e1", "PATH_SETS")?.try_into()?;
    let mut hosts: HashMap<MapData, [u8; 16], [u8; 16]> = pinned("e1", "HOSTS")?.try_into()?;
    let mut detours: HashMap<MapData, [u8; 4], [u8; 16]> = pinned("e1", "DETOURS")?.try_into()?;
    let mut ports: DevMap<MapData> = pinned("e1", "FABRIC_PORTS")?.try_into()?;

    let (slot, interface) = (edges.get(&1, 0)?, ports.get(2, 0)?.if_index);
    let set = sets.get(&slot, 0)?;
    let (address, host) = hosts.iter().next().context("a host")??;
    let (detour, around) = detours.iter().next().context("a detour")??;
    let mut other = set;
    other[0] = 1;

    edges.set(1, 0, 0)?;
    told_and_repaired(&lab, "EDGES 1", || Ok(edges.get(&1, 0)? != 0))?;
    let slot = edges.get(&1, 0)?;
    sets.set(slot, other, 0)?;
    told_and_repaired(&lab, "PATH_SETS", || Ok(sets.get(&edges.get(&1, 0)?, 0)? == set))?;
    hosts.remove(&address)?;
    told_and_repaired(&lab, "HOSTS", || Ok(hosts.get(&address, 0).is_ok_and(|found| found == host)))?;
    detours.remove(&detour)?;
    told_and_repaired(&lab, "DETOURS", || Ok(detours.get(&detour, 0).is_ok_and(|found| found == around)))?;
    // The kernel takes interface 0 as none.
    ports.set(2, 0, None, 0)?;
    told_and_repaired(&lab, "PORTS", || Ok(sends_through("e1", 2)? == Some(interface)))?;
    Ok(())
}

/// Waits until something in the maps of e1 is as it was, and its agent has said so for the first time.
fn told_and_repaired(lab: &Lab, map: &str, is_repaired: impl Fn() -> Result<bool>) -> Result<()> {
    let told = || -> Result<bool> {
        let log = lab.log("e1")?;
        Ok(log
            .lines()
            .any(|line| line.contains("somebody changed what this agent wrote") && line.contains(map)))
    };
    assert!(!told()?, "{map} has been changed before");
    let begin = Instant::now();
    wait_until(|| Ok(is_repaired()? && told()?)).with_context(|| format!("repair {map}"))?;
    println!("{map}: repaired and told after {:?}", begin.elapsed());
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
