//! Draining a switch: traffic leaves it without loss, everybody remembers it, and nothing is cut off. Needs root.

use std::{collections::BTreeSet, fs, path::Path, thread, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use smoc_tests::{
    lab::{Lab, RUN_DIRECTORY, Routing},
    testing::{lab_for, options, wait_until},
    traffic::{Amount, Datagrams, Family, Protocol, Transfer, address, ping},
};

const SWITCHES: [&str; 6] = ["e1", "e2", "m1", "m2", "m3", "m4"];

/// More than the hellos and probes over two links in a second; a subflow sends several times that.
const PROBING: u64 = 4000;

/// The switches that the ranks of e1 to e2 go through which are in use.
fn through(lab: &Lab) -> Result<BTreeSet<String>> {
    let edges = lab.ask("e1", &["paths", "--live"])?;
    let edge = edges.as_array().and_then(|edges| edges.iter().find(|edge| edge["edge"] == "e2"));
    let ranks = edge.context("paths to e2")?["ranks"].as_array().context("ranks")?;
    let used = ranks.iter().filter(|rank| rank["left"] == false);
    Ok(used.filter_map(|rank| rank["switches"][1].as_str()).map(str::to_owned).collect())
}

fn switches(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What an agent says is drained.
fn drained(lab: &Lab, switch: &str) -> Result<Vec<Value>> {
    let fabric = lab.ask(switch, &["fabric", "status"])?;
    Ok(fabric["drained"].as_array().context("drained")?.clone())
}

fn all_say(lab: &Lab, expected: &[Value]) -> Result<()> {
    for switch in SWITCHES {
        wait_until(|| Ok(drained(lab, switch)? == expected))
            .with_context(|| format!("{switch} says {:?}", drained(lab, switch)))?;
    }
    Ok(())
}

/// Frames in a second over the links of m1.
fn frames_at_m1(lab: &Lab) -> Result<u64> {
    let count = || -> Result<u64> {
        let loads = lab.loads()?;
        let links = lab.plan().links.iter().filter(|link| link.name.contains("m1:"));
        Ok(links.map(|link| loads[link.index].frames_from_a + loads[link.index].frames_from_b).sum())
    };
    let before = count()?;
    thread::sleep(Duration::from_secs(1));
    Ok(count()? - before)
}

#[test]
fn the_subflows_of_a_connection_leave_a_drained_switch_and_all_agents_remember_it() -> Result<()> {
    let test = "the_subflows_of_a_connection_leave_a_drained_switch_and_all_agents_remember_it";
    let Some(mut lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let all = switches(&["m1", "m2", "m3", "m4"]);
    assert_eq!(through(&lab)?, all);
    let transfer =
        Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, Amount::Bytes(400 << 20))?;
    let running = transfer.start()?;
    wait_until(|| Ok(frames_at_m1(&lab)? > 2 * PROBING)).context("traffic through m1")?;

    let order = lab.ask("e2", &["fabric", "drain", "m1", "--reason", "new fan"])?;
    assert_eq!(order, json!({"target": "m1", "drained": true, "changed": true}));
    let known = json!({"target": "m1", "reason": "new fan", "known": true});
    all_say(&lab, std::slice::from_ref(&known))?;
    wait_until(|| Ok(through(&lab)? == switches(&["m2", "m3", "m4"]))).context("no rank through m1")?;
    wait_until(|| Ok(frames_at_m1(&lab)? < PROBING))
        .with_context(|| format!("{:?} frames a second at m1", frames_at_m1(&lab)))?;
    let again = lab.ask("m3", &["fabric", "drain", "m1", "--reason", "new fan"])?;
    assert_eq!(again["changed"], json!(false));

    for switch in SWITCHES {
        lab.kill_agent(switch)?;
    }
    lab.start_agents(&SWITCHES)?;
    all_say(&lab, &[known])?;
    assert_eq!(through(&lab)?, switches(&["m2", "m3", "m4"]), "after all agents were gone");

    assert_eq!(lab.ask("m4", &["fabric", "undrain", "m1"])?["changed"], json!(true));
    all_say(&lab, &[])?;
    wait_until(|| Ok(through(&lab)? == all)).context("m1 is in use again")?;
    wait_until(|| Ok(frames_at_m1(&lab)? > 2 * PROBING)).context("traffic through m1")?;
    assert_eq!(running.finish()?.bytes, 400 << 20);
    Ok(())
}

#[test]
fn draining_whichever_switch_carries_a_stream_of_datagrams_loses_none() -> Result<()> {
    let test = "draining_whichever_switch_carries_a_stream_of_datagrams_loses_none";
    let Some(lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let datagrams = Datagrams::start(&lab, "h1", "h2", Family::V6, u32::MAX, 200, Duration::from_millis(1))?;
    let mut carried = BTreeSet::new();
    for switch in ["m1", "m2", "m3", "m4"] {
        lab.ask("e1", &["fabric", "drain", switch])?;
        wait_until(|| Ok(!through(&lab)?.contains(switch)))?;
        let before = lab.loads()?;
        thread::sleep(Duration::from_secs(1));
        let (links, after) = (&lab.plan().links, lab.loads()?);
        let busy = links
            .iter()
            .filter(|link| link.a.switch == "e1")
            .max_by_key(|link| after[link.index].frames_from_a - before[link.index].frames_from_a);
        let busy = busy.context("e1 has links")?.b.switch.clone();
        assert_ne!(busy, switch, "the stream has left it");
        carried.insert(busy);
        lab.ask("e1", &["fabric", "undrain", switch])?;
        wait_until(|| Ok(through(&lab)?.contains(switch)))?;
    }
    assert!(carried.len() > 1, "the stream moved: {carried:?}");
    let arrived = datagrams.stop()?;
    assert_eq!(arrived.received, arrived.sent, "{} datagrams were lost", arrived.sent - arrived.received);
    Ok(())
}

#[test]
fn what_joins_the_network_stays_in_use_and_nonsense_is_refused() -> Result<()> {
    let test = "what_joins_the_network_stays_in_use_and_nonsense_is_refused";
    let Some(lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    for switch in ["m1", "m2", "m3", "m4"] {
        lab.ask("e1", &["fabric", "drain", switch])?;
    }
    wait_until(|| Ok(through(&lab)?.len() == 1)).context("one path is left")?;
    Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, Amount::Bytes(1 << 20))?.run()?;
    // All hear of it, and take it in within half a second.
    let mut links = Vec::new();
    let drained = wait_until(|| {
        links = lab.ask("e2", &["fabric", "links"])?["links"].as_array().cloned().context("links")?;
        Ok(links.iter().all(|link| link["drained"] == true))
    });
    drained.with_context(|| format!("{links:#?}"))?;
    assert!(links.iter().all(|link| link["up"] == true), "{links:#?}");
    for target in ["m9", "e1:77", "e1:1-m2:1", ""] {
        let refused = lab.smoc("e1", &["fabric", "drain", target])?;
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("is no switch, port or link of this fabric"), "{said}");
    }
    Ok(())
}

#[test]
fn a_switch_whose_port_numbers_get_another_width_loses_no_datagram() -> Result<()> {
    let test = "a_switch_whose_port_numbers_get_another_width_loses_no_datagram";
    let mut options = options("demo.yaml", Routing::Smoc);
    options.agent.discovers = true;
    let Some(mut lab) = lab_for(test, &options)? else { return Ok(()) };
    let all = switches(&["m1", "m2", "m3", "m4"]);
    wait_until(|| {
        // Hosts are known once they have spoken.
        ping(
            &lab.namespace("h1")?,
            address(lab.plan().host("h2")?, Family::V4)?,
            56,
            None,
            Duration::from_secs(1),
        )?;
        Ok(through(&lab).is_ok_and(|through| through == all))
    })
    .context("hosts and paths are known")?;
    let datagrams = Datagrams::start(&lab, "h1", "h2", Family::V4, u32::MAX, 200, Duration::from_millis(1))?;
    let carrier = |lab: &Lab| -> Result<String> {
        let before = lab.loads()?;
        thread::sleep(Duration::from_secs(1));
        let (links, after) = (&lab.plan().links, lab.loads()?);
        let of_e1 = links.iter().filter(|link| link.a.switch == "e1");
        let busy = of_e1
            .max_by_key(|link| after[link.index].frames_from_a - before[link.index].frames_from_a)
            .context("e1 has links")?;
        Ok(busy.b.switch.clone())
    };
    let switch = carrier(&lab)?;
    let config = Path::new(RUN_DIRECTORY).join(format!("{switch}.yaml"));
    let text = fs::read_to_string(&config)?;
    lab.kill_agent(&switch)?;
    fs::write(&config, format!("port_width: 10\n{text}"))?;
    lab.start_agent(&switch)?;
    let known =
        json!({"target": switch, "reason": "its port numbers get another width in routes", "known": true});
    all_say(&lab, &[known])?;
    wait_until(|| Ok(!through(&lab)?.contains(&switch))).context("paths leave it")?;
    wait_until(|| Ok(lab.log(&switch)?.contains("port numbers have another width in routes")))
        .context("the width changes")?;
    all_say(&lab, &[])?;
    wait_until(|| Ok(through(&lab)? == all)).context("paths come back")?;
    wait_until(|| Ok(carrier(&lab)? == switch))
        .context("the stream has come back, with routes of that width")?;
    let arrived = datagrams.stop()?;
    assert_eq!(arrived.received, arrived.sent, "{} datagrams were lost", arrived.sent - arrived.received);
    println!("{} datagrams, all arrived", arrived.sent);
    Ok(())
}
