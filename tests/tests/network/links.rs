//! Links that fail far away: every agent hears of it, and ranks that need them take other paths. Needs root.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use smoc_tests::command::{batch, run};
use smoc_tests::lab::{Condition, Direction, Lab, LabOptions, Routing};
use smoc_tests::subflows::connection_with;
use smoc_tests::testing::{lab_for, options, wait_until};
use smoc_tests::traffic::{Amount, Answer, Family, Protocol, Transfer, address, ping};

/// The first two of four paths; the others are there to be taken.
fn two_ranks() -> LabOptions {
    let mut options = options("demo.yaml", Routing::Smoc);
    options.agent.paths = 2;
    options
}

/// What an agent says of a rank to another edge.
fn rank(lab: &Lab, from: &str, to: &str, rank: usize) -> Result<Value> {
    let edges = lab.ask(from, &["paths", "--live"])?;
    let edge = edges.as_array().and_then(|edges| edges.iter().find(|edge| edge["edge"] == to));
    Ok(edge.with_context(|| format!("paths from {from} to {to}"))?["ranks"][rank].clone())
}

fn links(rank: &Value) -> Result<Vec<String>> {
    serde_json::from_value(rank["links"].clone()).context("the links of a rank")
}

/// The links that an agent thinks are down.
fn down(lab: &Lab, switch: &str) -> Result<BTreeSet<String>> {
    let topology = lab.ask(switch, &["topology"])?;
    let links = topology["links"].as_array().context("links")?;
    Ok(links
        .iter()
        .filter(|link| link["up"] == false)
        .filter_map(|link| link["name"].as_str())
        .map(str::to_owned)
        .collect())
}

/// Waits until all agents agree on which links are down.
fn all_know(lab: &Lab, expected: &[&str]) -> Result<()> {
    let expected: BTreeSet<String> = expected.iter().map(|link| (*link).to_owned()).collect();
    for switch in &lab.plan().switches {
        wait_until(|| Ok(down(lab, &switch.name)? == expected))
            .with_context(|| format!("{} thinks that {:?} are down", switch.name, down(lab, &switch.name)))?;
    }
    Ok(())
}

#[test]
fn a_rank_whose_link_fails_far_away_takes_another_path_until_it_is_back() -> Result<()> {
    let test = "a_rank_whose_link_fails_far_away_takes_another_path_until_it_is_back";
    let Some(mut lab) = lab_for(test, &two_ranks())? else { return Ok(()) };
    let (best, second) = (links(&rank(&lab, "e1", "e2", 0)?)?, links(&rank(&lab, "e1", "e2", 1)?)?);
    let far = best[1].as_str();
    let amount = Amount::Bytes(200 << 20);
    let running = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?;
    lab.set_link(far, Condition::Down, Direction::Both)?;
    all_know(&lab, &[far])?;

    let substitute = rank(&lab, "e1", "e2", 0)?;
    let path = links(&substitute)?;
    assert_eq!(substitute["instead_of"], serde_json::json!(best));
    assert!(path.iter().all(|link| !best.contains(link) && !second.contains(link)), "{path:?}");
    assert_eq!(links(&rank(&lab, "e1", "e2", 1)?)?, second, "it works and stays");
    let back: Vec<String> = links(&rank(&lab, "e2", "e1", 0)?)?.into_iter().rev().collect();
    assert_eq!(back, path, "the other end chose the same");

    let index = lab.plan().link(&path[0])?.index;
    let before = lab.loads()?[index].frames_from_a;
    wait_until(|| Ok(lab.loads()?[index].frames_from_a > before + 5000))
        .context("traffic on the substitute")?;
    let connection = connection_with(&lab, "e1", running.destination)?;
    assert!(connection.subflows.iter().any(|subflow| subflow.links == path), "{connection:#?}");

    lab.kill_agent("e1")?;
    lab.start_agent("e1")?;
    assert_eq!(links(&rank(&lab, "e1", "e2", 0)?)?, path, "a new agent hears it from its neighbours");
    assert!(!lab.log("e1")?.contains("somebody changed"), "{}", lab.log("e1")?);

    lab.set_link(far, Condition::Up, Direction::Both)?;
    all_know(&lab, &[])?;
    let restored = rank(&lab, "e1", "e2", 0)?;
    assert_eq!((links(&restored)?, &restored["instead_of"]), (best, &Value::Null));
    assert_eq!(running.finish()?.bytes, 200 << 20);
    Ok(())
}

#[test]
fn a_switch_that_is_gone_is_known_to_all_others() -> Result<()> {
    let test = "a_switch_that_is_gone_is_known_to_all_others";
    let Some(mut lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    lab.remove_switch("m2")?;
    for switch in ["e1", "m1", "m3", "m4", "e2"] {
        wait_until(|| Ok(down(&lab, switch)? == ["e1:2-m2:1", "m2:2-e2:2"].map(str::to_owned).into()))
            .with_context(|| format!("{switch}: {:?}", down(&lab, switch)))?;
    }
    Ok(())
}

/// The links over which the bridges at both ends forward.
fn base_network(lab: &Lab) -> Result<BTreeSet<String>> {
    let forwards = |end: &smoc_tests::lab::Port| -> Result<bool> {
        let status = lab.ask(&end.switch, &["status"])?;
        let ports = status["ports"].as_array().context("ports")?;
        Ok(ports.iter().any(|port| port["number"] == end.number && port["bridge"] == "forwarding"))
    };
    let mut links = BTreeSet::new();
    for link in &lab.plan().links {
        if forwards(&link.a)? && forwards(&link.b)? {
            links.insert(link.name.clone());
        }
    }
    Ok(links)
}

/// Whether the kernel's bridges at both ends of a link forward, whatever an agent says or none.
fn kernel_forwards(lab: &Lab, link: &str) -> Result<bool> {
    let link = lab.plan().link(link)?;
    for end in [&link.a, &link.b] {
        let namespace = lab.namespace(&end.switch)?;
        let listed = run(Command::new("bridge")
            .args(["-n", namespace.name(), "-j", "link", "show", "dev"])
            .arg(end.interface()))?;
        let listed: Value = serde_json::from_str(&listed).context("bridge link")?;
        if listed[0]["state"] != "forwarding" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Frames over all links since the lab came up.
fn frames(lab: &Lab) -> Result<u64> {
    Ok(lab.loads()?.iter().map(|load| load.frames_from_a + load.frames_from_b).sum())
}

/// Whether hosts that have forgotten each other find each other again, which takes a broadcast.
fn find_each_other(lab: &Lab) -> Result<bool> {
    for host in ["h1", "h2"] {
        batch("ip", &lab.namespace(host)?, &["neigh flush all".to_owned()])?;
    }
    let target = address(lab.plan().host("h2")?, Family::V4)?;
    Ok(ping(&lab.namespace("h1")?, target, 100, None, Duration::from_secs(1))? == Some(Answer::Echo))
}

#[test]
fn the_base_network_heals_without_a_loop_and_goes_back() -> Result<()> {
    let test = "the_base_network_heals_without_a_loop_and_goes_back";
    let Some(mut lab) = lab_for(test, &options("detours.yaml", Routing::Smoc))? else { return Ok(()) };
    let whole = base_network(&lab)?;
    assert_eq!(whole.len(), lab.plan().switches.len() - 1, "{whole:?}");
    assert!(find_each_other(&lab)?);
    let failing = "m1:2-e2:1";
    assert!(whole.contains(failing), "{whole:?}");

    lab.set_link(failing, Condition::Blackhole, Direction::Both)?;
    wait_until(|| find_each_other(&lab)).context("a broadcast finds its way")?;
    let healed = base_network(&lab)?;
    assert_eq!(healed.len(), whole.len(), "{healed:?}");
    assert_eq!(healed.intersection(&whole).count(), whole.len() - 1, "no other link was closed: {healed:?}");

    lab.set_link(failing, Condition::Up, Direction::Both)?;
    wait_until(|| Ok(base_network(&lab)? == whole)).context("the tree is as it was")?;
    assert!(find_each_other(&lab)?);
    Ok(())
}

#[test]
fn a_carrier_that_comes_back_when_no_agent_is_left_makes_no_loop() -> Result<()> {
    let test = "a_carrier_that_comes_back_when_no_agent_is_left_makes_no_loop";
    let Some(mut lab) = lab_for(test, &options("detours.yaml", Routing::Smoc))? else { return Ok(()) };
    let tree = base_network(&lab)?;
    let links: Vec<String> = lab.plan().links.iter().map(|link| link.name.clone()).collect();
    let switches: Vec<String> = lab.plan().switches.iter().map(|switch| switch.name.clone()).collect();
    for switch in &switches {
        lab.kill_agent(switch)?;
    }
    for link in links.iter().filter(|link| !tree.contains(*link)) {
        lab.set_link(link, Condition::Down, Direction::Both)?;
        lab.set_link(link, Condition::Up, Direction::Both)?;
        wait_until(|| kernel_forwards(&lab, link)).with_context(|| format!("the kernel opens {link}"))?;
    }
    let before = frames(&lab)?;
    assert!(find_each_other(&lab)?, "the tree carries what it carried");
    std::thread::sleep(Duration::from_secs(1));
    let storm = frames(&lab)? - before;
    assert!(storm < 1000, "a broadcast became {storm} frames");
    Ok(())
}
