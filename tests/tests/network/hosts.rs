//! Who has an address: hosts that move, hosts that claim what others have, and what is behind routers.
//!
//! ```text
//!   h1 -- e1 == m1, m2 == e2 -- h2
//!                     \\
//!                      e3 -- h3
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use smoc_tests::command::{batch, run};
use smoc_tests::lab::Lab;
use smoc_tests::subflows::connection_with;
use smoc_tests::testing::{lab_for, leaf_spine, options_of, wait_until};
use smoc_tests::traffic::{Amount, Family, FrameSender, Protocol, Transfer};

const ADDRESS: &str = "10.0.1.1";
const EDGES: [&str; 3] = ["e1", "e2", "e3"];

fn lab(test: &str, topology: &str, knows_hosts: bool) -> Result<Option<Lab>> {
    let directory = tempfile::tempdir()?;
    let mut options = options_of(directory.path(), topology)?;
    options.agent.knows_hosts = knows_hosts;
    // The hosts' one address is not enough for as many subflows as the router's subnets allow.
    options.subflows = Some(4);
    lab_for(test, &options)
}

/// An ARP request that claims [`ADDRESS`] for a MAC address, to a host that is nowhere: no kernel heeds it.
fn claim(host: u8) -> Vec<u8> {
    let (mac, nobody) = ([2, 0, 0, 0, 0, host], [2, 0, 0, 0, 0, 0x99]);
    let head = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1];
    [&nobody[..], &mac, &head, &mac, &[10, 0, 1, 1], &[0; 6], &[10, 0, 1, 1], &[0; 18]].concat()
}

/// What a switch says of [`ADDRESS`].
fn entry(lab: &Lab, edge: &str) -> Result<Option<Value>> {
    let hosts = lab.ask(edge, &["hosts"])?;
    let all = hosts.as_array().context("a list of hosts")?;
    Ok(all.iter().find(|host| host["address"] == ADDRESS).cloned())
}

/// At which switch all edges see [`ADDRESS`], if they agree.
fn is_at(lab: &Lab, switch: &str) -> Result<bool> {
    let mut all = true;
    for edge in EDGES {
        all &= entry(lab, edge)?.is_some_and(|host| host["switch"] == switch);
    }
    Ok(all)
}

#[test]
fn a_host_that_claims_the_address_of_another_does_not_get_it_and_both_edges_say_so() -> Result<()> {
    let name = "a_host_that_claims_the_address_of_another_does_not_get_it_and_both_edges_say_so";
    let Some(lab) = lab(name, &leaf_spine(3, 2), false)? else { return Ok(()) };
    let owner = FrameSender::open(&lab.namespace("h1")?, "eth0")?;
    let thief = FrameSender::open(&lab.namespace("h3")?, "eth0")?;
    owner.send(&claim(1))?;
    wait_until(|| is_at(&lab, "e1")).context("h1 is not learned")?;
    let begin = Instant::now();
    let mut looks = 0;
    while begin.elapsed() < Duration::from_secs(4) {
        thief.send(&claim(3))?;
        for edge in EDGES {
            let host = entry(&lab, edge)?.with_context(|| format!("{edge} has forgotten {ADDRESS}"))?;
            ensure!(host["switch"] == "e1", "{edge} takes the address for h3's: {host}");
            looks += 1;
        }
    }
    println!("{looks} looks while it was claimed");
    for edge in ["e1", "e3"] {
        let status = lab.ask(edge, &["status"])?;
        let warnings = status["warnings"].to_string();
        let said = format!("{ADDRESS} is claimed by 02:00:00:00:00:03 at e3:9, which is refused");
        ensure!(warnings.contains(&said), "{edge} does not say so: {warnings}");
        ensure!(status["learning"]["refused"].as_u64() >= Some(1), "{edge}: {}", status["learning"]);
        let host = entry(&lab, edge)?.context("an entry")?;
        ensure!(host["refused"][0]["switch"] == "e3", "{edge}: {host}");
    }
    Ok(())
}

/// Gives h1 the interface of h3, as if it had a second one at the third edge; it is down.
fn attach_twice(lab: &Lab) -> Result<()> {
    let (namespace, from) = (lab.namespace("h1")?, lab.namespace("h3")?);
    batch("ip", &from, &[format!("link set eth0 netns {} name eth1", namespace.name())])?;
    namespace.set_sysctls(&[
        ("ipv4/conf/all/arp_ignore", "1"),
        ("ipv4/conf/all/arp_announce", "2"),
        ("ipv4/conf/eth1/arp_notify", "1"),
    ])
}

#[test]
fn a_host_that_moves_to_another_edge_is_found_there_and_its_connection_goes_on() -> Result<()> {
    let name = "a_host_that_moves_to_another_edge_is_found_there_and_its_connection_goes_on";
    let Some(lab) = lab(name, &leaf_spine(3, 2), false)? else { return Ok(()) };
    attach_twice(&lab)?;
    let amount = Amount::Time(Duration::from_secs(12));
    let running = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Tcp, amount)?.start()?;
    wait_until(|| is_at(&lab, "e1")).context("h1 is not learned")?;
    let host = lab.namespace("h1")?;
    // The old interface keeps its carrier: that nobody answers there has to be found out.
    let lines = [
        format!("addr del {ADDRESS}/22 dev eth0"),
        format!("addr add {ADDRESS}/22 dev eth1"),
        "link set eth1 up".to_owned(),
    ];
    batch("ip", &host, &lines)?;
    let moved = Instant::now();
    run(host.command("ethtool").args(["-K", "eth1", "tx", "off", "gro", "on"]))?;
    wait_until(|| Ok(entry(&lab, "e2")?.is_some_and(|host| host["switch"] == "e3"))).context("not found")?;
    println!("the other edge knew where it is {:?} after it came up there", moved.elapsed());
    wait_until(|| is_at(&lab, "e3")).context("not all edges found it")?;
    let received = running.finish()?;
    let end = received.duration();
    let goodput = received.goodput(end.saturating_sub(Duration::from_secs(2)), end);
    ensure!(goodput > 0.0, "nothing came any more");
    for edge in EDGES {
        let host = entry(&lab, edge)?.context("an entry")?;
        ensure!(host["refused"] == Value::Array(Vec::new()), "{edge} refused the move once: {host}");
    }
    Ok(())
}

#[test]
fn subnets_behind_a_router_have_disjoint_paths_for_the_subflows_of_a_connection() -> Result<()> {
    let name = "subnets_behind_a_router_have_disjoint_paths_for_the_subflows_of_a_connection";
    // Four disjoint paths, and h1 is a router with two subnets behind it.
    let router = leaf_spine(2, 4).replace("[10.0.1.1]}", "[10.0.1.1], prefixes: [10.1.0.0/16, 10.2.0.0/16]}");
    let Some(lab) = lab(name, &router, true)? else { return Ok(()) };
    let behind = ["10.1.0.1", "10.1.7.1", "10.2.0.1"];
    let of = |line: &dyn Fn(&str) -> String| behind.iter().map(|address| line(address)).collect::<Vec<_>>();
    let router = lab.namespace("h1")?;
    batch("ip", &router, &of(&|address| format!("addr add {address}/32 dev lo")))?;
    batch("ip", &router, &of(&|address| format!("mptcp endpoint add {address} subflow")))?;
    let routes = ["10.1.0.0/16", "10.2.0.0/16"].map(|prefix| format!("route add {prefix} via 10.0.1.1"));
    batch("ip", &lab.namespace("h2")?, &routes)?;
    let amount = Amount::Time(Duration::from_secs(6));
    let running = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?;
    for edge in ["e1", "e2"] {
        let mut found = None;
        let spread = wait_until(|| {
            found = connection_with(&lab, edge, running.destination).ok();
            let is_spread = |connection: &smoc_tests::subflows::Connection| {
                let alive = connection.subflows.iter().filter(|flow| flow.packets_sent > 2);
                alive.count() == 4
                    && connection.distinct_paths() == 4
                    && connection.subflows.iter().all(|flow| !flow.hashed)
            };
            Ok(found.as_ref().is_some_and(is_spread))
        });
        spread.with_context(|| format!("four subflows on four paths at {edge}: {found:#?}"))?;
    }
    running.stop()?;
    let hosts = lab.ask("e2", &["hosts"])?;
    ensure!(hosts[0]["prefixes"] == serde_json::json!(["10.1.0.0/16", "10.2.0.0/16"]), "{hosts}");
    Ok(())
}

#[test]
fn a_host_that_sends_and_never_asks_for_anybody_is_learned_from_its_traffic() -> Result<()> {
    let name = "a_host_that_sends_and_never_asks_for_anybody_is_learned_from_its_traffic";
    let Some(lab) = lab(name, &leaf_spine(3, 2), false)? else { return Ok(()) };
    let host = lab.namespace("h1")?;
    batch(
        "ip",
        &host,
        &["neigh replace 10.0.2.1 lladdr 02:00:00:00:00:02 dev eth0 nud permanent".to_owned()],
    )?;
    ensure!(entry(&lab, "e1")?.is_none(), "it has said nothing yet");
    let script = "for i in $(seq 300); do echo x > /dev/udp/10.0.2.1/9; done";
    run(host.command("bash").args(["-c", script]))?;
    wait_until(|| is_at(&lab, "e1"))?;
    let entry = entry(&lab, "e1")?.context("an entry")?;
    ensure!(entry["mac"] == "02:00:00:00:00:01" && entry["source"] == "learned", "{entry}");
    Ok(())
}
