//! What hosts meet in real networks: boxes that swallow SYNs with MP_CAPABLE. Needs root.

use anyhow::{Context, Result};
use smoc_tests::lab::{Condition, Direction, Lab, Routing};
use smoc_tests::subflows::{Connection, connection_with, connections};
use smoc_tests::testing::{lab_for, options, wait_until};
use smoc_tests::traffic::{Amount, Family, Protocol, Running, Transfer};

const BYTES: u64 = 30 << 20;

/// The switches of a path from e1 to e2, and its first link.
fn path(lab: &Lab, rank: usize) -> Result<(Vec<String>, String)> {
    let paths = lab.ask("e1", &["paths", "--live"])?;
    let edges = paths.as_array().context("a list of edges")?;
    let to = edges.iter().find(|edge| edge["edge"] == "e2").context("paths to e2")?;
    let path = &to["ranks"][rank];
    let switches = serde_json::from_value(path["switches"].clone())?;
    Ok((switches, path["links"][0].as_str().context("a first link")?.to_owned()))
}

/// Puts a box that swallows MP_CAPABLE on the first link of these ranks' paths.
fn swallow(lab: &mut Lab, ranks: std::ops::Range<usize>) -> Result<()> {
    ranks.into_iter().try_for_each(|rank| {
        let (_, first) = path(lab, rank)?;
        lab.set_link(&first, Condition::Swallow, Direction::Both)
    })
}

fn connect(lab: &Lab) -> Result<Running> {
    Transfer::between(lab, "h1", "h2", Family::V4, Protocol::Mptcp, Amount::Bytes(BYTES))?.start()
}

/// The line of e1's log about an event, once it is there.
fn logged(lab: &Lab, event: &str) -> Result<String> {
    let event = format!("event=\"{event}\"");
    let find =
        || Ok::<_, anyhow::Error>(lab.log("e1")?.lines().find(|l| l.contains(&event)).map(str::to_owned));
    wait_until(|| Ok(find()?.is_some()))?;
    find()?.context("it was there")
}

#[test]
fn a_path_that_swallows_mp_capable_is_left_after_a_second() -> Result<()> {
    let test = "a_path_that_swallows_mp_capable_is_left_after_a_second";
    let Some(mut lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let (switches, _) = path(&lab, 0)?;
    swallow(&mut lab, 0..1)?;
    let running = connect(&lab)?;
    let mut found: Option<Connection> = None;
    wait_until(|| {
        found = connection_with(&lab, "e1", running.destination).ok();
        Ok(found.as_ref().is_some_and(|connection| connection.subflows.len() == 4))
    })?;
    let connection = found.context("a connection")?;
    assert_eq!(connection.token_set().len(), 2, "it is MPTCP: {connection:#?}");
    assert_eq!(connection.subflows[0].rank, 1, "its first subflow moved: {connection:#?}");
    assert_eq!(connection.distinct_paths(), 4, "and the others made room: {connection:#?}");
    assert_eq!(running.finish()?.bytes, BYTES);
    assert_eq!((lab.counter("e1", "syn_moved")?, lab.counter("e1", "blackhole")?), (1, 0));
    let line = logged(&lab, "syn_moved")?;
    assert!(line.contains(&switches.join(" - ")), "{switches:?}: {line}");
    Ok(())
}

#[test]
fn where_every_path_swallows_mp_capable_hosts_fall_back_and_the_path_is_named() -> Result<()> {
    let test = "where_every_path_swallows_mp_capable_hosts_fall_back_and_the_path_is_named";
    let Some(mut lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    swallow(&mut lab, 0..4)?;
    // The SYN goes out on ranks 0, 1 and 2 before it leaves the option out.
    let (last, _) = path(&lab, 2)?;
    assert_eq!(connect(&lab)?.finish()?.bytes, BYTES);
    assert!(connections(&lab, "e1")?.is_empty(), "it is plain TCP");
    assert_eq!((lab.counter("e1", "syn_moved")?, lab.counter("e1", "blackhole")?), (2, 1));
    let line = logged(&lab, "blackhole")?;
    assert!(line.contains(&last.join(" - ")), "{last:?}: {line}");
    Ok(())
}
