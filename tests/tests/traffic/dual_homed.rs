//! Hosts that are attached to two edges: a join may come to an edge that has never seen its connection.
//!
//! ```text
//!   h1 eth0 --- e1 --- m1 --- e2 --- eth0 h2
//!               |  \ /    \ /  |
//!               |  / \    / \  |
//!   h1 eth1 --- e3 --- m2 --- e4 --- eth1 h2
//! ```
//!
//! Each edge has a link to both m1 and m2, and two subflows pass each of them: there is one way to keep all apart for each path of
//! the initial subflow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use smoc_tests::command::{batch, run};
use smoc_tests::lab::Lab;
use smoc_tests::subflows::{Subflow, connections};
use smoc_tests::testing::{lab_for, leaf_spine, options_of, wait_until};
use smoc_tests::traffic::{Amount, Family, Protocol, Transfer};

/// How many connections are opened, one after the other.
const TRIALS: usize = 5;
const EDGES: [&str; 4] = ["e1", "e2", "e3", "e4"];

fn lab(test: &str) -> Result<Option<Lab>> {
    let directory = tempfile::tempdir()?;
    // The second interfaces of h1 and h2.
    let topology = leaf_spine(4, 2).replace("10.0.3.1", "10.0.1.2").replace("10.0.4.1", "10.0.2.2");
    let mut options = options_of(directory.path(), &topology)?;
    options.agent.paths = 2;
    lab_for(test, &options)
}

/// Gives a host the interface of another one, which the lab has made where the host's second one is attached.
fn attach_twice(lab: &Lab, host: &str, second: &str) -> Result<()> {
    let (namespace, from) = (lab.namespace(host)?, lab.namespace(second)?);
    let address = lab.plan().host(second)?.addresses[0];
    batch("ip", &from, &[format!("link set eth0 netns {} name eth1", namespace.name())])?;
    namespace.set_sysctls(&[("ipv4/conf/all/arp_ignore", "1"), ("ipv4/conf/all/arp_announce", "2")])?;
    let lines = [
        "link set eth1 up".to_owned(),
        format!("addr add {address}/16 dev eth1"),
        "route add 10.0.0.0/16 dev eth1 table 2".to_owned(),
        format!("rule add from {address} table 2"),
    ];
    batch("ip", &namespace, &lines)?;
    let offloads = ["-K", "eth1", "tx", "off", "gro", "on"];
    run(namespace.command("ethtool").args(offloads)).map(drop)
}

/// The subflows between two hosts' addresses at an edge, by local and remote end.
fn subflows(lab: &Lab, edge: &str, end: SocketAddr) -> Result<BTreeMap<[SocketAddr; 2], Subflow>> {
    let of = |subflow: Subflow| ([subflow.local, subflow.remote].map(SocketAddr::from), subflow);
    let all = connections(lab, edge)?.into_iter().flat_map(|connection| connection.subflows).map(of);
    Ok(all.filter(|([_, remote], _)| remote.port() == end.port()).collect())
}

/// Whether all subflows to the server's port are bound, no two share a link, and both directions of each use the same ones;
/// else why not.
fn fault(lab: &Lab, end: SocketAddr, expected: usize) -> Result<Option<String>> {
    let mut near = subflows(lab, "e1", end)?;
    near.extend(subflows(lab, "e3", end)?);
    let living: Vec<_> = near.iter().filter(|(_, flow)| flow.packets_sent > 2).collect();
    if living.len() != expected {
        return Ok(Some(format!("{} of {expected} subflows: {near:#?}", living.len())));
    }
    if living.iter().any(|(_, flow)| flow.hashed) {
        return Ok(Some(format!("hashed: {near:#?}")));
    }
    let mut used = BTreeSet::new();
    for ([local, remote], flow) in &living {
        if !flow.links.iter().all(|link| used.insert(link.clone())) {
            return Ok(Some(format!("a link is used twice: {near:#?}")));
        }
        let far = if remote.ip() == IpAddr::from([10, 0, 2, 1]) { "e2" } else { "e4" };
        let back = connections(lab, far)?.into_iter().flat_map(|connection| connection.subflows);
        let ends = [*remote, *local];
        let back = back.into_iter().find(|flow| [flow.local, flow.remote].map(SocketAddr::from) == ends);
        let links = |flow: &Subflow| flow.links.iter().cloned().collect::<BTreeSet<_>>();
        if back.as_ref().map(links) != Some(links(flow)) {
            return Ok(Some(format!("{local} - {remote} at {far}: {back:#?}, but {flow:#?}")));
        }
    }
    Ok(None)
}

/// Opens connections from h1 to h2, which are to come to `expected` subflows on disjoint paths each.
fn try_connections(lab: &Lab, expected: usize) -> Result<()> {
    for trial in 0..TRIALS {
        let amount = Amount::Time(Duration::from_secs(10));
        let transfer = Transfer::between(lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?;
        // The receiver listens at all its addresses: joins go to the second one too.
        let running = transfer.dual_stack().start()?;
        let mut last = None;
        let outcome = wait_until(|| {
            last = fault(lab, running.destination, expected)?;
            Ok(last.is_none())
        });
        outcome.with_context(|| format!("trial {trial}: {}", last.unwrap_or_default()))?;
        running.stop()?;
    }
    Ok(())
}

fn endpoints(lab: &Lab, host: &str, lines: &[&str]) -> Result<()> {
    let lines: Vec<String> = lines.iter().map(|line| format!("mptcp endpoint {line}")).collect();
    batch("ip", &lab.namespace(host)?, &lines)
}

#[test]
fn subflows_of_a_client_that_is_attached_to_two_edges_share_no_link() -> Result<()> {
    let Some(lab) = lab("subflows_of_a_client_that_is_attached_to_two_edges_share_no_link")? else {
        return Ok(());
    };
    attach_twice(&lab, "h1", "h3")?;
    endpoints(&lab, "h1", &["flush", "add 10.0.1.2 dev eth1 subflow"])?;
    try_connections(&lab, 2)
}

#[test]
fn subflows_of_hosts_that_are_both_attached_to_two_edges_share_no_link() -> Result<()> {
    let Some(lab) = lab("subflows_of_hosts_that_are_both_attached_to_two_edges_share_no_link")? else {
        return Ok(());
    };
    attach_twice(&lab, "h1", "h3")?;
    attach_twice(&lab, "h2", "h4")?;
    endpoints(
        &lab,
        "h1",
        &["flush", "add 10.0.1.1 dev eth0 subflow fullmesh", "add 10.0.1.2 dev eth1 subflow fullmesh"],
    )?;
    endpoints(&lab, "h2", &["flush", "add 10.0.2.2 dev eth1 signal"])?;
    try_connections(&lab, 4)?;
    for edge in EDGES {
        ensure!(lab.counter(edge, "joined")? > 0, "no join at {edge}");
        println!("{edge}: unknown tokens {}", lab.counter(edge, "join_unknown_token")?);
    }
    Ok(())
}
