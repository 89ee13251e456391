//! A policy for some pairs of hosts: it moves what runs without loss, others stay, and everybody remembers it. Needs root.

use std::{collections::BTreeSet, io::Write as _, thread, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use smoc_tests::{
    lab::{Lab, Routing, socket},
    testing::{lab_for, options, wait_until},
    traffic::{Amount, Datagrams, Family, Protocol, Transfer},
};

const SWITCHES: [&str; 6] = ["e1", "e2", "m1", "m2", "m3", "m4"];

/// The switches that ranks of e1 to e2 go through, by a rule or by none.
fn through(lab: &Lab, rule: Option<&str>) -> Result<BTreeSet<String>> {
    let edges = lab.ask("e1", &["paths", "--live"])?;
    let is_it = |edge: &&Value| edge["edge"] == "e2" && edge["rule"].as_str() == rule;
    let Some(edge) = edges.as_array().and_then(|edges| edges.iter().find(is_it)) else {
        return Ok(BTreeSet::new());
    };
    let ranks = edge["ranks"].as_array().context("ranks")?;
    Ok(ranks.iter().filter_map(|rank| rank["switches"][1].as_str()).map(str::to_owned).collect())
}

/// The switches that subflows of connections at e1 go through, with the rules that chose their paths.
fn subflows(lab: &Lab) -> Result<BTreeSet<(Option<String>, String)>> {
    let connections = lab.ask("e1", &["conns"])?;
    let connections = connections.as_array().context("connections")?;
    let subflows = connections.iter().filter_map(|connection| connection["subflows"].as_array()).flatten();
    let open = subflows.filter(|subflow| subflow["state"] == "established");
    let way = |subflow: &Value| {
        let rule = subflow["rule"].as_str().map(str::to_owned);
        Some((rule, subflow["switches"][1].as_str()?.to_owned()))
    };
    Ok(open.filter_map(way).collect())
}

/// Whether the subflows go so many ways at least, all of them by a rule or none.
fn go(lab: &Lab, ways: usize, is_by_rule: bool) -> Result<bool> {
    let subflows = subflows(lab)?;
    Ok(subflows.len() >= ways && subflows.iter().all(|(rule, _)| rule.is_some() == is_by_rule))
}

fn apply(lab: &Lab, at: &str, text: &str) -> Result<Value> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    lab.ask(at, &["policy", "apply", file.path().to_str().context("a name")?])
}

fn switches(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The switch at which most frames from e1 arrive in a second.
fn busiest(lab: &Lab) -> Result<String> {
    let before = lab.loads()?;
    thread::sleep(Duration::from_secs(1));
    let (links, after) = (&lab.plan().links, lab.loads()?);
    let from_e1 = links.iter().filter(|link| link.a.switch == "e1");
    let busy = from_e1.max_by_key(|link| after[link.index].frames_from_a - before[link.index].frames_from_a);
    Ok(busy.context("e1 has links")?.b.switch.clone())
}

#[test]
fn a_rule_moves_the_subflows_of_its_pair_and_no_others_and_all_agents_remember_it() -> Result<()> {
    let test = "a_rule_moves_the_subflows_of_its_pair_and_no_others_and_all_agents_remember_it";
    let Some(mut lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let all = switches(&["m1", "m2", "m3", "m4"]);
    let transfer =
        Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, Amount::Bytes(900 << 20))?;
    let running = transfer.start()?;
    wait_until(|| Ok(subflows(&lab)?.len() == 4)).context("four subflows on four ways")?;

    let text = "rules: [{name: away, between: [0.0.0.0/0, 0.0.0.0/0], avoid: [m1, m2], count: 2}]\n";
    assert_eq!(apply(&lab, "m3", text)?, json!({"rules": 1, "changed": true}));
    let away = switches(&["m3", "m4"]);
    wait_until(|| Ok(through(&lab, Some("away"))? == away)).context("the rule's paths")?;
    assert_eq!(through(&lab, None)?, all, "all others");
    let by_rule = |names: &BTreeSet<String>| -> BTreeSet<(Option<String>, String)> {
        names.iter().map(|name| (Some("away".to_owned()), name.clone())).collect()
    };
    wait_until(|| go(&lab, 1, true)).with_context(|| format!("{:?}", subflows(&lab)))?;
    assert!(subflows(&lab)?.is_subset(&by_rule(&away)), "{:?}", subflows(&lab)?);
    for switch in SWITCHES {
        wait_until(|| Ok(lab.ask(switch, &["policy", "show"])?["text"] == text)).context(switch)?;
    }
    let digests = |differ: bool| -> Result<bool> {
        let status = lab.ask("e1", &["fabric", "status"])?;
        let digests = status["digests"].as_array().context("digests")?;
        let all_told = digests.iter().all(|it| it["topology"].is_string() && it["policy"].is_string());
        Ok(digests.len() == SWITCHES.len()
            && all_told
            && digests.iter().any(|it| it["differs"] == true) == differ)
    };
    wait_until(|| digests(false)).context("all have the same topology and policy")?;
    let (e2, nobody) = (socket("e2"), "/run/smoc-nobody.sock");
    let conns = lab.ask("e1", &["fabric", "conns", e2.to_str().context("a path")?, nobody])?;
    assert_eq!(conns["answered"], json!(["e1", "e2"]));
    assert!(conns["silent"][nobody].is_string() && conns["missing"] == json!([]), "{conns:#}");
    let at = |switch: &str| {
        let connections = conns["connections"].as_array()?.iter();
        let subflows = connections.flat_map(|connection| connection["subflows"].as_array()).flatten();
        Some(subflows.filter(|subflow| subflow["at"][switch].is_object()).count())
    };
    assert_eq!((at("e1"), at("e2")), (Some(4), Some(4)), "{conns:#}");
    let paths = lab.ask("e1", &["fabric", "paths", e2.to_str().context("a path")?, "--limit", "1"])?;
    assert_eq!((paths["entries"].as_array().map(Vec::len), &paths["left_out"]), (Some(1), &json!(3)));

    let story = lab.ask("e1", &["explain", "10.0.1.1", "7", "10.0.2.1", "8"])?.to_string();
    assert!(story.contains("Rule \\\"away\\\" of the policy chooses the paths of the two"), "{story}");

    for switch in SWITCHES {
        lab.kill_agent(switch)?;
    }
    lab.start_agents(&SWITCHES)?;
    wait_until(|| Ok(through(&lab, Some("away"))? == away)).context("after all agents were gone")?;
    assert!(subflows(&lab)?.is_subset(&by_rule(&away)), "{:?}", subflows(&lab)?);

    assert_eq!(lab.ask("e2", &["policy", "delete", "away"])?, json!({"rules": 0, "changed": true}));
    wait_until(|| go(&lab, 4, false)).with_context(|| format!("the rule is gone: {:?}", subflows(&lab)))?;
    assert_eq!(running.finish()?.bytes, 900 << 20);
    Ok(())
}

#[test]
fn a_stream_of_datagrams_follows_one_policy_after_the_other_and_loses_none() -> Result<()> {
    let test = "a_stream_of_datagrams_follows_one_policy_after_the_other_and_loses_none";
    let Some(lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let datagrams = Datagrams::start(&lab, "h1", "h2", Family::V6, u32::MAX, 200, Duration::from_millis(1))?;
    for (at, switch) in ["e1", "e2", "m1", "m2"].into_iter().zip(["m1", "m2", "m3", "m4"]) {
        let others: Vec<&str> =
            ["m1", "m2", "m3", "m4"].into_iter().filter(|other| *other != switch).collect();
        let text =
            format!("rules: [{{name: only-{switch}, between: [h1, h2], avoid: [{}]}}]", others.join(", "));
        apply(&lab, at, &text)?;
        let rule = format!("only-{switch}");
        wait_until(|| Ok(through(&lab, Some(&rule))? == switches(&[switch])))?;
        assert_eq!(busiest(&lab)?, switch, "the stream follows");
    }
    lab.ask("e2", &["policy", "delete", "--all"])?;
    wait_until(|| Ok(through(&lab, Some("only-m4"))?.is_empty()))?;
    let arrived = datagrams.stop()?;
    assert_eq!(arrived.received, arrived.sent, "{} datagrams were lost", arrived.sent - arrived.received);
    Ok(())
}

#[test]
fn what_cannot_be_met_leaves_hosts_connected_and_nonsense_is_refused() -> Result<()> {
    let test = "what_cannot_be_met_leaves_hosts_connected_and_nonsense_is_refused";
    let Some(lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    apply(&lab, "e1", "rules: [{name: all, between: [h1, any], avoid: [m1, m2, m3, m4]}]")?;
    wait_until(|| Ok(lab.ask("e1", &["policy", "show"])?["rules"][0]["met"] == false))?;
    Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, Amount::Bytes(1 << 20))?.run()?;
    for (text, what) in [
        ("rules: [{between: [h1, h2], avoid: [m9]}]", "\"m9\" is no switch, port, link or shared-risk group"),
        ("rules: [{between: [h9, h2], count: 1}]", "\"h9\" is no tenant of the file and no host"),
        ("rules: [{between: [h1, h2], count: 9}]", "8 ranks"),
        ("rules: [{between: [h1, h2]}]", "says nothing of paths"),
        ("rules: [{between: [h1, h2], colour: red}]", "colour"),
    ] {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(text.as_bytes())?;
        let name = file.path().to_str().context("a name")?;
        let refused = lab.smoc("e1", &["policy", "apply", name])?;
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(what) && said.contains(&format!("{name}:1: ")), "{said}");
    }
    Ok(())
}
