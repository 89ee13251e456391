//! What the main job comes to on each topology: every subflow on a path of its own, every byte where it belongs.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use smoc_tests::command::{batch, run};
use smoc_tests::lab::{Lab, LabOptions, Routing};
use smoc_tests::subflows::{Connection, connection_with};
use smoc_tests::testing::{lab_for, options, wait_until};
use smoc_tests::traffic::{Amount, Answer, Datagrams, Family, Protocol, Running, Transfer, address, ping};

const MEBIBYTE: u64 = 1 << 20;

fn smoc(topology: &str) -> LabOptions {
    options(topology, Routing::Smoc)
}

fn start(lab: &Lab, from: &str, to: &str, family: Family, protocol: Protocol, bytes: u64) -> Result<Running> {
    Transfer::between(lab, from, to, family, protocol, Amount::Bytes(bytes))?.start()
}

fn echoes(lab: &Lab, from: &str, to: &str, family: Family) -> Result<()> {
    let address: IpAddr = address(lab.plan().host(to)?, family)?;
    let answer = ping(&lab.namespace(from)?, address, 1000, None, Duration::from_secs(2))?;
    assert_eq!(answer, Some(Answer::Echo), "{from} to {to}, {family:?}");
    Ok(())
}

/// The tokens that a host's kernel has for its MPTCP connections, as 8 hex digits.
fn tokens_of_host(lab: &Lab, host: &str) -> Result<BTreeSet<String>> {
    let text = run(lab.namespace(host)?.command("ss").args(["-MnieHO"]))?;
    let tokens = text.split_whitespace().filter_map(|word| word.strip_prefix("token:"));
    Ok(tokens
        .filter_map(|token| u32::from_str_radix(token, 16).ok())
        .map(|token| format!("{token:08x}"))
        .collect())
}

/// How many of the links of `switch` carried at least a tenth of what the busiest did, away from it.
fn busy_links(lab: &Lab, switch: &str) -> Result<usize> {
    let loads = lab.loads()?;
    let links = lab.plan().links.iter().zip(&loads);
    let sent: Vec<u64> = links
        .filter_map(|(link, load)| match switch {
            name if link.a.switch == name => Some(load.bytes_from_a),
            name if link.b.switch == name => Some(load.bytes_from_b),
            _ => None,
        })
        .collect();
    let most = sent.iter().copied().max().unwrap_or_default();
    Ok(sent.iter().filter(|&&bytes| bytes * 10 >= most).count())
}

/// The connection of a transfer, once it has that many subflows, each with data: before, several joins at once may try one
/// path.
fn connection_of(lab: &Lab, edge: &str, running: &Running, subflows: usize) -> Result<Connection> {
    let mut found = None;
    wait_until(|| {
        found = connection_with(lab, edge, running.destination).ok();
        let connection = found.as_ref();
        let ready =
            connection.map_or(0, |it| it.subflows.iter().filter(|flow| flow.packets_sent > 2).count());
        Ok(ready >= subflows)
    })
    .with_context(|| format!("{subflows} subflows of {found:#?}"))?;
    found.context("a connection")
}

#[test]
fn four_subflows_take_four_paths_and_both_edges_know_the_hosts_tokens() -> Result<()> {
    let name = "four_subflows_take_four_paths_and_both_edges_know_the_hosts_tokens";
    let Some(lab) = lab_for(name, &smoc("demo.yaml"))? else { return Ok(()) };
    let running = start(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, 60 * MEBIBYTE)?;
    let connection = connection_of(&lab, "e1", &running, 4)?;
    assert_eq!((connection.subflows.len(), connection.distinct_paths()), (4, 4), "{connection:#?}");
    let ranks: BTreeSet<u8> = connection.subflows.iter().map(|subflow| subflow.rank).collect();
    assert_eq!(ranks, BTreeSet::from([0, 1, 2, 3]));

    let hosts: BTreeSet<String> =
        tokens_of_host(&lab, "h1")?.union(&tokens_of_host(&lab, "h2")?).cloned().collect();
    let far = connection_of(&lab, "e2", &running, 4)?;
    for edge in [&connection, &far] {
        assert!(edge.token_set().is_subset(&hosts), "{edge:#?} but the hosts have {hosts:?}");
        assert_eq!(edge.token_set().len(), 2);
    }
    running.finish()?;
    assert_eq!(busy_links(&lab, "e1")?, 4);
    Ok(())
}

#[test]
fn an_ipv6_subflow_joins_an_ipv4_connection() -> Result<()> {
    let Some(lab) = lab_for("an_ipv6_subflow_joins_an_ipv4_connection", &smoc("demo.yaml"))? else {
        return Ok(());
    };
    // Only what the server announces makes a join. It announces no port, because with one an IPv6 address does not
    // fit beside TCP's timestamps into the 40 bytes of options, and Linux then sends nothing.
    let sixth = address(lab.plan().host("h2")?, Family::V6)?;
    batch("ip", &lab.namespace("h1")?, &["mptcp endpoint flush".to_owned()])?;
    let signal = format!("mptcp endpoint add {sixth} dev eth0 signal");
    batch("ip", &lab.namespace("h2")?, &["mptcp endpoint flush".to_owned(), signal])?;
    let amount = Amount::Bytes(60 * MEBIBYTE);
    let transfer = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.dual_stack();
    let running = transfer.start()?;
    let near = connection_of(&lab, "e1", &running, 2)?;
    let far = connection_of(&lab, "e2", &running, 2)?;
    let hosts: BTreeSet<String> =
        tokens_of_host(&lab, "h1")?.union(&tokens_of_host(&lab, "h2")?).cloned().collect();
    for edge in [&near, &far] {
        let [first, second] = &edge.subflows[..] else { panic!("not two subflows: {edge:#?}") };
        let ends = [&first.local, &first.remote, &second.local, &second.remote];
        assert_eq!(ends.map(|end| end.address.is_ipv4()), [true, true, false, false], "{edge:#?}");
        assert_eq!((first.rank, second.rank, second.hashed), (0, 1, false), "{edge:#?}");
        assert_eq!(edge.token_set(), hosts, "{edge:#?}");
    }
    running.finish()?;
    assert_eq!(busy_links(&lab, "e1")?, 2);
    Ok(())
}

#[test]
fn a_line_carries_tcp_mptcp_udp_and_icmp_over_both_families() -> Result<()> {
    let name = "a_line_carries_tcp_mptcp_udp_and_icmp_over_both_families";
    let Some(lab) = lab_for(name, &smoc("line.yaml"))? else { return Ok(()) };
    for family in [Family::V4, Family::V6] {
        echoes(&lab, "h1", "h2", family)?;
        echoes(&lab, "h2", "h3", family)?;
        for protocol in [Protocol::Tcp, Protocol::Mptcp] {
            start(&lab, "h1", "h2", family, protocol, 20 * MEBIBYTE)?.finish()?;
            start(&lab, "h2", "h1", family, protocol, 20 * MEBIBYTE)?.finish()?;
        }
        let datagrams = Datagrams::start(&lab, "h1", "h2", family, 500, 1200, Duration::from_micros(500))?;
        let arrived = datagrams.finish()?;
        assert_eq!((arrived.received, arrived.duplicates, arrived.reordered), (500, 0, 0), "{family:?}");
    }
    Ok(())
}

#[test]
fn two_hosts_on_the_same_edge_talk_through_its_bridge() -> Result<()> {
    let name = "two_hosts_on_the_same_edge_talk_through_its_bridge";
    let Some(lab) = lab_for(name, &smoc("line.yaml"))? else { return Ok(()) };
    let before = lab.loads()?;
    for family in [Family::V4, Family::V6] {
        echoes(&lab, "h1", "h3", family)?;
        start(&lab, "h1", "h3", family, Protocol::Mptcp, 20 * MEBIBYTE)?.finish()?;
    }
    let leaked = lab.loads()?[0].bytes_from_a - before[0].bytes_from_a;
    // Hellos and probes are a few dozen kilobytes a second.
    assert!(leaked < 2 * MEBIBYTE, "{leaked} bytes of local traffic went into the fabric");
    Ok(())
}

#[test]
fn parallel_links_of_a_diamond_are_paths_of_their_own() -> Result<()> {
    let name = "parallel_links_of_a_diamond_are_paths_of_their_own";
    let Some(lab) = lab_for(name, &smoc("diamond.yaml"))? else { return Ok(()) };
    let running = start(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, 60 * MEBIBYTE)?;
    for edge in ["e1", "e2"] {
        let connection = connection_of(&lab, edge, &running, 3)?;
        assert_eq!(
            (connection.subflows.len(), connection.distinct_paths()),
            (3, 3),
            "{edge}: {connection:#?}"
        );
    }
    running.finish()?;
    assert_eq!((busy_links(&lab, "e1")?, busy_links(&lab, "e2")?), (3, 3));
    echoes(&lab, "h1", "h2", Family::V6)
}

#[test]
fn a_fat_tree_connects_every_pair_and_gives_two_subflows_two_uplinks() -> Result<()> {
    let name = "a_fat_tree_connects_every_pair_and_gives_two_subflows_two_uplinks";
    let Some(lab) = lab_for(name, &smoc("fat-tree-k4.yaml"))? else { return Ok(()) };
    let hosts: Vec<String> = lab.plan().hosts.iter().map(|host| host.name.clone()).collect();
    for from in &hosts {
        for to in hosts.iter().filter(|to| *to != from) {
            echoes(&lab, from, to, Family::V4)?;
        }
    }
    echoes(&lab, "h1", "h8", Family::V6)?;
    let running = start(&lab, "h1", "h8", Family::V4, Protocol::Mptcp, 30 * MEBIBYTE)?;
    let connection = connection_of(&lab, "e11", &running, 2)?;
    let up = |index: usize| connection.subflows.get(index).and_then(|subflow| subflow.switches.get(1));
    assert_eq!(connection.subflows.len(), 2, "{connection:#?}");
    assert_ne!(up(0).context("a first hop")?, up(1).context("a first hop")?);
    running.finish()?;
    Ok(())
}
