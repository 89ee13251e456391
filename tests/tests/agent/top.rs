//! `smoc top` while a connection carries data. Needs root.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use smoc_tests::{
    command::run,
    lab::{Programs, Routing},
    testing::{lab_for, options},
    traffic::{Amount, Family, Protocol, Transfer},
};

const SOCKET: &str = "/run/smoc-lab/e1.sock";

/// The rows of a view, measured for three seconds.
fn rows(view: &str) -> Result<Vec<Value>> {
    let mut command = Command::new(Programs::find()?.smoc);
    command.args(["top", "--once", "--interval", "3s", "--format", "json", "--api", SOCKET, "--view", view]);
    let rows: Value = serde_json::from_str(&run(&mut command)?)?;
    Ok(rows.as_array().context("rows")?.clone())
}

fn busy(rows: &[Value], column: &str) -> usize {
    rows.iter().filter(|row| row[column].as_f64() > Some(1e7)).count()
}

#[test]
fn what_carries_data_is_on_top() -> Result<()> {
    let Some(lab) = lab_for("what_carries_data_is_on_top", &options("demo.yaml", Routing::Smoc))? else {
        return Ok(());
    };
    let amount = Amount::Time(Duration::from_secs(9));
    let transfer = Transfer::between(&lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()?;
    thread::sleep(Duration::from_secs(1));
    let views = ["ports", "paths", "connections", "subflows"];
    let read: Vec<_> = views.map(|view| thread::spawn(move || rows(view))).into_iter().collect();
    let mut read = read.into_iter().map(|reader| reader.join().ok().context("a reader")?);
    let mut next = || read.next().context("a view")?;
    let (ports, paths, connections, subflows) = (next()?, next()?, next()?, next()?);
    ensure!(busy(&ports, "out") == 4 && busy(&ports, "in") >= 1, "{ports:#?}");
    ensure!(busy(&paths, "out") == 4, "{paths:#?}");
    ensure!(busy(&connections, "both") == 1 && connections[0]["ranks"] == "0 1 2 3", "{connections:#?}");
    ensure!(busy(&subflows, "out") == 4, "{subflows:#?}");
    let paths: BTreeSet<&str> = subflows.iter().filter_map(|row| row["path"].as_str()).collect();
    ensure!(paths.len() == 4, "{subflows:#?}");

    let smoc = Programs::find()?.smoc;
    let typed = format!("stty rows 30 cols 140; exec {} top --interval 200ms --api {SOCKET}", smoc.display());
    let mut terminal = Command::new("script")
        .args(["-qec", &typed, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    thread::sleep(Duration::from_secs(1));
    terminal.stdin.take().context("its input")?.write_all(b"4q")?;
    let output = terminal.wait_with_output()?;
    let shown = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && shown.contains("neighbour") && shown.contains("established"),
        "{shown}"
    );
    transfer.finish()?;
    Ok(())
}
