//! `smoc events`: what happens at a switch, and in the fabric around it. Needs root.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use smoc_tests::{
    lab::{Condition, Direction, Lab, Programs, Routing},
    testing::{lab_for, options, wait_until},
    traffic::{Amount, Family, Protocol, Transfer},
};

/// `smoc events` at a switch.
fn command(switch: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(Programs::find()?.smoc);
    command.args(["events", "--api"]).arg(format!("/run/smoc-lab/{switch}.sock")).args(arguments);
    Ok(command)
}

/// The entries that it prints, each with kind, subject and text.
fn entries(switch: &str, arguments: &[&str]) -> Result<Vec<Value>> {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
    let output = command(switch, &arguments)?.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn has(switch: &str, kind: &str, subject: &str, text: &str) -> Result<bool> {
    let all = entries(switch, &["--kind", kind])?;
    ensure!(all.iter().all(|entry| entry["kind"] == kind), "{all:?}");
    let is_it = |entry: &Value| {
        entry["subject"] == subject && entry["text"].as_str().is_some_and(|said| said.starts_with(text))
    };
    Ok(all.iter().any(is_it))
}

fn comes(switch: &str, kind: &str, subject: &str, text: &str) -> Result<()> {
    wait_until(|| has(switch, kind, subject, text))
        .with_context(|| format!("{kind} {subject} {text} at {switch}: {:#?}", entries(switch, &[])))
}

#[test]
fn what_happens_at_a_switch_and_in_the_fabric_is_told_in_order_and_followed() -> Result<()> {
    let test = "what_happens_at_a_switch_and_in_the_fabric_is_told_in_order_and_followed";
    let Some(mut lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    comes("e1", "agent", "", "ready")?;
    wait_until(|| {
        Ok(lab.ask("e1", &["status"])?["links_down"] == 0 && lab.ask("e2", &["status"])?["links_down"] == 0)
    })?;
    let mut follower = command("e1", &["--follow", "--kind", "link", "--since", "1s", "--format", "json"])?
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(follower.stdout.take().context("its output")?).lines();

    lab.set_link("e1:1-m1:1", Condition::Down, Direction::Both)?;
    comes("e1", "port", "e1:1", "down: no carrier")?;
    comes("e2", "link", "e1:1-m1:1", "down")?;
    lab.set_link("e1:1-m1:1", Condition::Up, Direction::Both)?;
    comes("e2", "link", "e1:1-m1:1", "up")?;
    let followed = thread::spawn(move || -> Vec<String> {
        let texts = lines.map_while(Result::ok).filter_map(|line| {
            let entry: Value = serde_json::from_str(&line).ok()?;
            Some(format!("{} {}", entry["subject"].as_str()?, entry["text"].as_str()?))
        });
        let mut seen = Vec::new();
        for text in texts {
            seen.push(text);
            if seen.iter().any(|text| text == "e1:1-m1:1 up") {
                break;
            }
        }
        seen
    });
    wait_until(|| Ok(followed.is_finished()))?;
    follower.kill()?;
    follower.wait()?;
    let seen = followed.join().ok().context("the reader")?;
    let place = |text: &str| seen.iter().position(|line| line == text);
    ensure!(place("e1:1-m1:1 down") < place("e1:1-m1:1 up") && place("e1:1-m1:1 down").is_some(), "{seen:?}");

    connect(&lab)?;
    wait_until(|| Ok(entries("e1", &["--kind", "connection"])?.len() >= 2))
        .with_context(|| format!("{:#?}", entries("e1", &["--kind", "connection,fallback,blackhole"])))?;
    lab.ask("e1", &["fabric", "drain", "m2"])?;
    comes("e2", "policy", "drain/m2", "ordered")?;
    comes("e2", "link", "e1:2-m2:1", "drained")?;
    lab.set_link("e1:3-m3:1", Condition::Blackhole, Direction::Both)?;
    comes("e1", "port", "e1:3", "down, with carrier")?;

    let numbers: Vec<u64> = entries("e1", &[])?.iter().filter_map(|entry| entry["number"].as_u64()).collect();
    ensure!(numbers.iter().copied().eq(0..numbers.len() as u64), "each number once, in order: {numbers:?}");
    let table = command("e1", &[])?.output()?;
    let table = String::from_utf8_lossy(&table.stdout);
    ensure!(table.lines().any(|line| line.contains("Z  port        e1:1: down: no carrier")), "{table}");
    thread::sleep(Duration::from_secs(2));
    ensure!(entries("e1", &["--since", "1s"])?.len() < numbers.len());
    Ok(())
}

/// In a shorter one a busy host may begin to open its other subflows when it is over already.
fn connect(lab: &Lab) -> Result<()> {
    let amount = Amount::Time(Duration::from_secs(3));
    Transfer::between(lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.run()?;
    Ok(())
}
