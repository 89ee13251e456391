//! etcd as the store of a lab's agents: one member in a namespace of its own, and a management network that leads there. No frame
//! of the fabric passes that network: its interfaces are no ports.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill as kill_process};
use nix::unistd::Pid;
use serde_json::Value;

use super::agents::Programs;
use super::plan::{Plan, Switch};
use super::process::{self, Process};
use super::state::RUN_DIRECTORY;
use super::{check_interrupted, pids_in};
use crate::command::{batch, run};
use crate::netns::Namespace;

/// The name, in the lab, of the namespace in which etcd runs.
pub const STORE: &str = "smoc-store";
/// Where it listens, in the management network.
const ADDRESS: &str = "172.31.255.254";
const PORT: u16 = 2379;
/// How long etcd may take to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The namespace in which etcd runs.
pub fn namespace() -> Namespace {
    Namespace::named(STORE)
}

/// The lines of an agent's configuration that lead it to the store.
pub fn lines(switch: &str) -> String {
    format!(
        "store:\n  etcd: {{endpoints: [\"http://{ADDRESS}:{PORT}\"], lease: 10s, snapshot: {RUN_DIRECTORY}/{switch}.snapshot}}\n"
    )
}

/// Makes the management network: a bridge where etcd is, and an interface `mgmt` at each switch.
pub fn connect(plan: &Plan) -> Result<()> {
    let store = namespace();
    let mut lines = vec![
        "link add mgmt type bridge".to_owned(),
        format!("addr add {ADDRESS}/16 dev mgmt"),
        "link set mgmt up".to_owned(),
    ];
    for (place, switch) in plan.switches.iter().enumerate() {
        let there = switch.namespace();
        lines.push(format!("link add m{place} type veth peer name mgmt netns {}", there.name()));
        lines.push(format!("link set m{place} master mgmt up"));
    }
    batch("ip", &store, &lines)?;
    for (place, switch) in plan.switches.iter().enumerate() {
        let address = format!("addr add {}/16 dev mgmt", address(place));
        batch("ip", &switch.namespace(), &[address, "link set mgmt up".to_owned()])?;
    }
    Ok(())
}

/// The address of the n-th switch in the management network.
pub fn address(place: usize) -> String {
    format!("172.31.{}.{}", place / 200, place % 200 + 1)
}

/// Cuts a switch off from the management network, or joins it again.
pub fn set_reachable(switch: &Switch, is_reachable: bool) -> Result<()> {
    let state = if is_reachable { "up" } else { "down" };
    batch("ip", &switch.namespace(), &[format!("link set mgmt {state}")])
}

/// Starts etcd, with what it has on disk, and waits until it answers.
pub fn start() -> Result<()> {
    let directory = Path::new(RUN_DIRECTORY);
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.join("etcd.log"))
        .context("open etcd.log")?;
    let client = format!("http://{ADDRESS}:{PORT}");
    let local = format!("http://127.0.0.1:{PORT}");
    let mut command = namespace().command("etcd");
    command
        .args(["--name", "lab", "--logger", "zap", "--data-dir"])
        .arg(directory.join("etcd"))
        .args(["--listen-client-urls", &format!("{client},{local}"), "--advertise-client-urls", &client])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    command.spawn().context("start etcd (Debian: apt-get install etcd-server etcd-client)")?;
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = run(ctl().args(["endpoint", "health"])) {
        check_interrupted()?;
        ensure!(Instant::now() < deadline, "etcd does not answer: {error}; see {RUN_DIRECTORY}/etcd.log");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Kills etcd, as a power failure would.
pub fn kill() -> Result<()> {
    let running = pids_in(&namespace())?.into_iter().filter_map(|pid| Process::with_pid(pid).ok());
    process::end_all(&running.collect::<Vec<_>>(), Duration::ZERO)
}

/// Stops etcd where it is, as a disk that does not sync does, or lets it go on.
///
/// # Errors
/// When it does not run.
pub fn set_running(is_running: bool) -> Result<()> {
    let signal = if is_running { Signal::SIGCONT } else { Signal::SIGSTOP };
    let pids = pids_in(&namespace())?;
    ensure!(!pids.is_empty(), "etcd does not run");
    pids.into_iter().try_for_each(|pid| {
        kill_process(Pid::from_raw(pid), signal).with_context(|| format!("send {signal} to etcd"))
    })
}

/// Runs one of `smoc`'s verbs at the store, as an operator there.
///
/// # Errors
/// When it fails.
pub fn operate(verb: &[&str]) -> Result<Value> {
    let programs = Programs::find()?;
    let mut command = namespace().command(&programs.smoc.to_string_lossy());
    let endpoint = format!("http://{ADDRESS}:{PORT}");
    command.args(verb).args(["--etcd", &endpoint, "--fabric", "lab", "--format", "json"]);
    serde_json::from_str(&run(&mut command)?)
        .with_context(|| format!("smoc {} printed no JSON", verb.join(" ")))
}

/// `etcdctl` where it reaches the store.
pub fn ctl() -> Command {
    let mut command = namespace().command("etcdctl");
    command.env("ETCDCTL_API", "3");
    command
}
