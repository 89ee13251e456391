//! Hosts that nobody told of: what they open first counts as much as what they open later.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use smoc_tests::command::batch;
use smoc_tests::lab::{AgentOptions, Lab, LabOptions, Routing};
use smoc_tests::subflows::{Connection, connection_with};
use smoc_tests::testing::{lab_for, options, wait_until};
use smoc_tests::traffic::{Amount, Family, Protocol, Transfer};

/// How often a first connection is tried.
const TRIALS: u8 = 20;

fn learning(topology: &str) -> LabOptions {
    let options = options(topology, Routing::Smoc);
    LabOptions { agent: AgentOptions { knows_hosts: false, ..options.agent.clone() }, ..options }
}

/// Gives a host another MAC address, as another machine under the same addresses would have, and lets it forget all others.
fn replace(lab: &Lab, host: &str, number: u8) -> Result<()> {
    let last = if host == "h1" { 1 } else { 2 };
    let lines = [
        "link set eth0 down".to_owned(),
        format!("link set eth0 address 06:00:00:00:{number:02x}:{last:02x}"),
        "link set eth0 up".to_owned(),
        "neigh flush dev eth0".to_owned(),
    ];
    batch("ip", &lab.namespace(host)?, &lines)
}

/// The connection once that many of its subflows have sent data on paths of their own.
fn spread(lab: &Lab, edge: &str, end: SocketAddr, subflows: usize) -> Result<Connection> {
    let mut found = None;
    let outcome = wait_until(|| {
        found = connection_with(lab, edge, end).ok();
        let is_ready = |connection: &Connection| {
            let with_data = connection.subflows.iter().filter(|flow| flow.packets_sent > 2).count();
            with_data >= subflows && connection.distinct_paths() >= subflows
        };
        Ok(found.as_ref().is_some_and(is_ready))
    });
    outcome.with_context(|| format!("{subflows} subflows on paths of their own at {edge}: {found:#?}"))?;
    found.context("a connection")
}

/// Whether a connection that is opened now is bound at both edges, and its four subflows are spread.
fn trial(lab: &Lab) -> Result<()> {
    let amount = Amount::Time(Duration::from_secs(3));
    let running = Transfer::between(lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?;
    for edge in ["e1", "e2"] {
        let connection = spread(lab, edge, running.destination, 4)?;
        ensure!(connection.token_set().len() == 2, "not bound at {edge}: {connection:#?}");
        ensure!(connection.subflows.iter().all(|flow| !flow.hashed), "hashed at {edge}: {connection:#?}");
    }
    running.stop().map(drop)
}

#[test]
fn the_first_connection_of_hosts_with_fresh_mac_addresses_is_bound_and_spread_every_time() -> Result<()> {
    let name = "the_first_connection_of_hosts_with_fresh_mac_addresses_is_bound_and_spread_every_time";
    let Some(lab) = lab_for(name, &learning("demo.yaml"))? else { return Ok(()) };
    let mut failures = Vec::new();
    for number in 0..TRIALS {
        replace(&lab, "h1", number)?;
        replace(&lab, "h2", number)?;
        failures.extend(trial(&lab).err().map(|error| format!("trial {number}: {error:#}")));
    }
    ensure!(failures.is_empty(), "{} of {TRIALS}: {}", failures.len(), failures.join("\n"));
    for edge in ["e1", "e2"] {
        let counted = |name| lab.counter(edge, name);
        println!(
            "{edge}: bound {}, joined {}, unknown tokens {}",
            counted("bound")?,
            counted("joined")?,
            counted("join_unknown_token")?
        );
        ensure!(counted("bound")? >= u64::from(TRIALS), "fewer connections than there were");
    }
    Ok(())
}
