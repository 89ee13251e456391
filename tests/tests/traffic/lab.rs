//! The lab itself: it comes up whole, leaves nothing behind, and there is only one.

use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use smoc_tests::lab::{Lab, Plan, RUN_DIRECTORY, Routing};
use smoc_tests::testing::{can_run, example, lab_for, options};

/// The `smoc-lab` command with these arguments, not yet started.
fn smoc_lab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smoc-lab"));
    command.arg("lab").args(arguments);
    command
}

fn output(arguments: &[&str]) -> Output {
    smoc_lab(arguments).output().expect("smoc-lab starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Everything of the plan that is still there.
fn left_behind(plan: &Plan) -> Vec<String> {
    let namespaces = plan.namespaces();
    let mut left: Vec<String> = namespaces
        .iter()
        .filter(|namespace| namespace.exists())
        .map(|namespace| namespace.name().to_owned())
        .collect();
    left.extend(Path::new(RUN_DIRECTORY).exists().then(|| RUN_DIRECTORY.to_owned()));
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    left.extend(mounts.lines().filter(|mount| mount.contains(RUN_DIRECTORY)).map(str::to_owned));
    left
}

fn plan_of(name: &str) -> Plan {
    let topology = smoc_paths::topology::Topology::load(&example(name)).unwrap();
    Plan::new(&topology, &options(name, Routing::Bridge)).unwrap()
}

#[test]
fn a_dropped_lab_leaves_nothing_behind_not_even_processes() -> Result<()> {
    let options = options("fat-tree-k4.yaml", Routing::Bridge);
    let Some(lab) = lab_for("a_dropped_lab_leaves_nothing_behind_not_even_processes", &options)? else {
        return Ok(());
    };
    let plan = lab.plan().clone();
    assert_eq!(left_behind(&plan).len(), plan.namespaces().len() + 1);
    let mut sleeper = lab.namespace("h3")?.command("sleep").arg("1000").spawn()?;
    while lab.pids("h3")?.is_empty() {
        thread::sleep(Duration::from_millis(10));
    }
    drop(lab);
    assert_eq!(left_behind(&plan), [""; 0]);
    assert!(!sleeper.wait()?.success());
    Ok(())
}

#[test]
fn an_interrupted_start_leaves_nothing_behind() {
    if !can_run("an_interrupted_start_leaves_nothing_behind") {
        return;
    }
    let plan = plan_of("fat-tree-k4.yaml");
    let file = example("fat-tree-k4.yaml");
    for (delay, signal) in
        [(20, Signal::SIGINT), (80, Signal::SIGTERM), (150, Signal::SIGINT), (220, Signal::SIGHUP)]
    {
        let mut up = smoc_lab(&["up", file.to_str().unwrap(), "--routing", "bridge"]).spawn().unwrap();
        thread::sleep(Duration::from_millis(delay));
        kill(Pid::from_raw(up.id() as i32), signal).unwrap();
        let status = up.wait().unwrap();
        if status.success() {
            // It was faster than the signal, which then came to nobody.
            assert!(output(&["down"]).status.success());
        } else {
            assert_eq!(status.code(), Some(130), "interrupted by {signal} after {delay} ms");
        }
        assert_eq!(left_behind(&plan), [""; 0], "after {signal} at {delay} ms");
    }
}

#[test]
fn what_a_killed_lab_left_behind_is_removed_by_the_next() -> Result<()> {
    if !can_run("what_a_killed_lab_left_behind_is_removed_by_the_next") {
        return Ok(());
    }
    let plan = plan_of("fat-tree-k4.yaml");
    let file = example("fat-tree-k4.yaml");
    let mut up = smoc_lab(&["up", file.to_str().unwrap(), "--routing", "bridge"]).spawn()?;
    thread::sleep(Duration::from_millis(150));
    up.kill()?;
    up.wait()?;
    let next = Lab::up(&options("line.yaml", Routing::Bridge))?;
    drop(next);
    assert_eq!(left_behind(&plan), [""; 0]);
    Ok(())
}

#[test]
fn a_failed_start_leaves_nothing_behind() -> Result<()> {
    if !can_run("a_failed_start_leaves_nothing_behind") {
        return Ok(());
    }
    let mut options = options("line.yaml", Routing::Bridge);
    options.mtu = 70_000;
    let error = Lab::up(&options).expect_err("no interface has such an MTU");
    assert!(format!("{error:#}").contains("mtu 70000"), "{error:#}");
    assert_eq!(left_behind(&plan_of("line.yaml")), [""; 0]);
    Ok(())
}

#[test]
fn a_lab_is_used_and_ended_by_later_commands() {
    if !can_run("a_lab_is_used_and_ended_by_later_commands") {
        return;
    }
    let file = example("line.yaml");
    let up = ["up", file.to_str().unwrap(), "--routing", "bridge", "--rate", "50mbit"];
    assert!(output(&up).status.success());

    let second = output(&up);
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains("a lab is up already"), "{}", said(&second));

    assert_eq!(output(&["exec", "h1", "--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    let addresses = output(&["exec", "h1", "--", "ip", "-br", "address", "show", "eth0"]);
    assert!(String::from_utf8_lossy(&addresses.stdout).contains("10.0.1.1/"));
    let unknown = output(&["exec", "h9", "--", "true"]);
    assert!(said(&unknown).contains("no node \"h9\""), "{}", said(&unknown));
    let unknown = output(&["link", "e1:1-e2:1", "down"]);
    assert!(said(&unknown).contains("it has e1:1-m1:1, m1:2-e2:1"), "{}", said(&unknown));

    assert!(output(&["link", "m1:1-e1:1", "blackhole", "--direction", "b-a"]).status.success());
    assert!(output(&["link", "m1:2-e2:1", "swallow"]).status.success());
    let status: Value = serde_json::from_slice(&output(&["status", "--format", "json"]).stdout).unwrap();
    assert_eq!(status["nodes"].as_array().unwrap().len(), 6);
    assert_eq!(status["nodes"][0]["namespace"], "smoc-e1");
    assert_eq!(status["links"][0]["bits_per_second"], 50_000_000);
    assert_eq!(
        (&status["links"][0]["from_a"], &status["links"][0]["from_b"]),
        (&"up".into(), &"blackhole".into())
    );

    assert!(output(&["down"]).status.success());
    assert_eq!(left_behind(&plan_of("line.yaml")), [""; 0]);
    let again = output(&["down"]);
    assert!(said(&again).contains("no lab is up"), "{}", said(&again));
}

#[test]
fn somebody_elses_namespace_is_left_alone() -> Result<()> {
    if !can_run("somebody_elses_namespace_is_left_alone") {
        return Ok(());
    }
    let ip =
        |verb| Command::new("ip").args(["netns", verb, "smoc-h3"]).status().map(|status| status.success());
    assert!(ip("add")?);
    let refused = Lab::up(&options("line.yaml", Routing::Bridge));
    assert!(ip("delete")?, "it is still there");
    let message = format!("{:#}", refused.expect_err("smoc-h3 was somebody else's"));
    assert!(message.contains("ip netns delete smoc-h3"), "{message}");
    Ok(())
}
