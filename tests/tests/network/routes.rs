//! Prefixes behind a host by the routing table of its switch, which changes while a connection uses them. Needs root.
//!
//! ```text
//!   10.1.0.0/16, 10.2.0.0/16 -- h1 -- e1 == m1, m2, m3, m4 == e2 -- h2
//! ```

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use smoc_tests::{
    command::batch,
    lab::Lab,
    subflows::connection_with,
    testing::{lab_for, leaf_spine, options_of, wait_until},
    traffic::{Amount, Family, Protocol, Transfer},
};

const BEHIND: [&str; 3] = ["10.1.0.1", "10.1.7.1", "10.2.0.1"];

/// The prefixes that a switch knows to be behind h1, and those of them that come from a routing table.
fn behind(lab: &Lab, switch: &str) -> Result<(Value, Value)> {
    let hosts = lab.ask(switch, &["hosts"])?;
    let host = hosts.as_array().context("hosts")?.iter().find(|host| host["address"] == "10.0.1.1").cloned();
    let host = host.unwrap_or_default();
    Ok((host["prefixes"].clone(), host["routed"].clone()))
}

/// Waits until both edges know these prefixes behind h1, and no others.
fn wait_for(lab: &Lab, prefixes: &[&str]) -> Result<()> {
    for switch in ["e1", "e2"] {
        let mut found = Value::Null;
        let waited = wait_until(|| {
            let (all, routed) = behind(lab, switch)?;
            let mut sorted: Vec<String> = serde_json::from_value(routed.clone()).unwrap_or_default();
            sorted.sort();
            found = routed.clone();
            Ok(all == routed && sorted == prefixes)
        });
        waited.with_context(|| format!("{switch} knows {found}, not {prefixes:?}"))?;
    }
    Ok(())
}

#[test]
fn routes_of_a_switch_say_what_is_behind_a_host_while_a_connection_uses_them() -> Result<()> {
    let test = "routes_of_a_switch_say_what_is_behind_a_host_while_a_connection_uses_them";
    let directory = tempfile::tempdir()?;
    let mut options = options_of(directory.path(), &leaf_spine(2, 4))?;
    options.subflows = Some(4);
    options.agent.knows_hosts = false;
    options.agent.lines = "routes: kernel\n".to_owned();
    let Some(lab) = lab_for(test, &options)? else { return Ok(()) };

    let host = lab.namespace("h1")?;
    let lines = |line: &dyn Fn(&str) -> String| BEHIND.map(line).to_vec();
    batch("ip", &host, &lines(&|address| format!("addr add {address}/32 dev lo")))?;
    batch("ip", &host, &lines(&|address| format!("mptcp endpoint add {address} subflow")))?;
    let to_host = ["10.1.0.0/16", "10.2.0.0/16"].map(|prefix| format!("route add {prefix} via 10.0.1.1"));
    batch("ip", &lab.namespace("h2")?, &to_host)?;

    // The switch is on link, and routes: a default route, and one by a table of its own, are not for the fabric.
    let edge = lab.namespace("e1")?;
    let own = ["addr add 10.0.0.254/22 dev br0", "link set br0 up", "route add default via 10.0.1.1"];
    batch("ip", &edge, &own.map(str::to_owned))?;
    batch("ip", &edge, &["route add 10.7.0.0/16 via 10.0.1.1 table 77".to_owned()])?;
    batch("ip", &edge, &to_host)?;

    let amount = Amount::Time(Duration::from_secs(8));
    let running = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?;
    wait_for(&lab, &["10.1.0.0/16", "10.2.0.0/16"])?;
    for edge in ["e1", "e2"] {
        let mut found = None;
        let spread = wait_until(|| {
            found = connection_with(&lab, edge, running.destination).ok();
            Ok(found.as_ref().is_some_and(|connection| {
                connection.subflows.iter().filter(|flow| flow.packets_sent > 2).count() == 4
                    && connection.distinct_paths() == 4
            }))
        });
        spread.with_context(|| format!("four subflows on four paths at {edge}: {found:#?}"))?;
    }

    batch("ip", &edge, &["route del 10.2.0.0/16".to_owned()])?;
    wait_for(&lab, &["10.1.0.0/16"])?;
    // Another switch is the next hop of a part of it, as far as this one's table says.
    batch("ip", &edge, &["route add 10.1.7.0/24 via 10.0.2.1".to_owned()])?;
    batch("ip", &edge, &["route add 10.2.0.0/16 nexthop via 10.0.3.3 nexthop via 10.0.1.1".to_owned()])?;
    wait_for(&lab, &["10.1.0.0/16", "10.2.0.0/16"])?;
    let hosts = lab.ask("e2", &["hosts"])?;
    ensure!(!hosts.to_string().contains("10.7.0.0"), "{hosts}");
    let received = running.finish()?;
    let end = received.duration();
    ensure!(received.goodput(end.saturating_sub(Duration::from_secs(2)), end) > 0.0, "nothing came any more");

    // Without its carrier the route is gone, and so is what it said.
    batch("ip", &edge, &["link set br0 down".to_owned()])?;
    wait_for(&lab, &[])?;
    let status = lab.ask("e1", &["status"])?;
    ensure!(status["learning"]["routed"] == json!(0), "{}", status["learning"]);
    Ok(())
}
