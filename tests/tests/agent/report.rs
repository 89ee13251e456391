//! A report of a period, as an operator makes it. Needs root.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use smoc_tests::command::{batch, run};
use smoc_tests::lab::{Condition, Direction, Lab, Programs, Routing, socket};
use smoc_tests::testing::{lab_for, options, wait_until};
use smoc_tests::traffic::{Amount, Family, Protocol, Transfer};

fn report(words: &[&str]) -> Result<Command> {
    let mut command = Command::new(Programs::find()?.smoc);
    command.arg("report").arg("--api").arg(socket("e1")).args(words);
    Ok(command)
}

/// A report of both edges as JSON.
fn numbers() -> Result<Value> {
    Ok(serde_json::from_str(&run(report(&["--format", "json"])?.arg(socket("e2")))?)?)
}

/// The most that e1 sent over its first link between two looks, in bit/s.
fn peak(switch: &Value) -> Option<f64> {
    let mut ports = switch["ports"].as_array()?.iter();
    ports.find(|port| port["link"] == "e1:1-m1:1")?["sent"]["peak"].as_f64()
}

#[test]
fn a_report_tells_of_load_outages_joins_and_hosts_with_one_subflow() -> Result<()> {
    let name = "a_report_tells_of_load_outages_joins_and_hosts_with_one_subflow";
    let Some(mut lab) = lab_for(name, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let time = Amount::Time(Duration::from_secs(60));
    let running = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, time)?.start()?;
    lab.set_link("e1:2-m2:1", Condition::Down, Direction::Both)?;
    let down = |lab: &Lab, number| Ok(lab.ask("e1", &["status"])?["links_down"] == number);
    wait_until(|| down(&lab, 1))?;
    lab.set_link("e1:2-m2:1", Condition::Up, Direction::Both)?;
    wait_until(|| down(&lab, 0))?;
    batch("ip", &lab.namespace("h2")?, &["mptcp endpoint flush".to_owned()])?;
    let single = Transfer::between(&lab, "h2", "h1", Family::V4, Protocol::Mptcp, Amount::Bytes(1 << 20))?;
    single.run()?;
    let mut found = Value::Null;
    // It is looked every 10 s.
    let told = wait_until(|| {
        found = numbers()?;
        let [e1, e2] = [0, 1].map(|at| &found["switches"][at]);
        let joined = e1["noticed"].as_array().into_iter().flatten().find(|note| note["name"] == "joined");
        Ok(joined.is_some_and(|note| note["times"].as_u64() >= Some(3))
            && peak(e1).is_some_and(|peak| peak > 3e7)
            && e1["paths"].as_array().is_some_and(|paths| paths.len() == 4)
            && e2["openers"].as_array().is_some_and(|hosts| hosts.iter().any(|host| host["single"] == 1)))
    });
    running.stop()?;
    told.with_context(|| format!("{found:#}"))?;
    let e1 = &found["switches"][0];
    let peak = peak(e1).context("a port")?;
    ensure!(peak < 1.1e8, "a link of 100 Mbit/s carried {peak} bit/s at most: {e1:#}");
    let outage = e1["outages"].as_array().into_iter().flatten().find(|it| it["subject"] == "e1:2-m2:1");
    let outage = outage.with_context(|| format!("{e1:#}"))?;
    ensure!(outage["ended"].as_u64() > outage["began"].as_u64(), "{outage}");

    let directory = tempfile::tempdir()?;
    let [page, sheets] = ["report.html", "csv"].map(|name| directory.path().join(name));
    let mut command = report(&["--since", "10m", "-o"])?;
    let said = run(command.arg(&page).arg("--csv").arg(&sheets).arg(socket("e2")).arg("/nowhere.sock"))?;
    ensure!(said.contains("e1, e2") && said.contains("/nowhere.sock did not answer"), "{said}");
    let html = fs::read_to_string(&page)?;
    for part in ["<title>smoc: Switches e1, e2</title>", "e1:2-m2:1", "<svg"] {
        ensure!(html.contains(part), "{part} is not in {html}");
    }
    ensure!(
        !html.contains("<script") && !html.contains("src=") && !html.contains("@import"),
        "from elsewhere"
    );
    let rows = fs::read_to_string(sheets.join("links.csv"))?;
    ensure!(rows.lines().any(|row| row.starts_with("e1,1,e1:1-m1:1,m1:1,")), "{rows}");
    if let Some(kept) = std::env::var_os("SMOC_KEEP_REPORT") {
        fs::copy(&page, kept)?;
    }
    let refused = report(&["-o", "/nowhere/report.html"])?.output()?;
    ensure!(refused.status.code() == Some(2), "{refused:?}");
    Ok(())
}
