//! `smoc host` on the hosts of a lab: with its defaults, and with no capability but CAP_NET_ADMIN.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::agents::Programs;
use super::plan::Host;
use super::state::{RUN_DIRECTORY, log_file};
use crate::command::run;

/// How long a daemon may take to set what it sets.
const PATIENCE: Duration = Duration::from_secs(20);

fn file(name: &str) -> PathBuf {
    Path::new(RUN_DIRECTORY).join(name)
}

fn state_file(host: &str) -> PathBuf {
    file(&format!("{host}.host.json"))
}

/// Writes the configuration of all of them.
pub fn write_config(lines: &str) -> Result<()> {
    let path = file("host.yaml");
    fs::write(&path, lines).with_context(|| format!("write {}", path.display()))
}

/// The command that runs the daemon of a host.
pub fn command(host: &Host, programs: &Programs) -> Command {
    let mut command = host.namespace().command("setpriv");
    command.args(["--inh-caps=-all,+net_admin", "--bounding-set=-all,+net_admin"]).arg(&programs.smoc);
    command.arg("host").arg("--config").arg(file("host.yaml")).arg("--state").arg(state_file(&host.name));
    command
}

/// Starts the daemon of a host.
pub fn spawn(host: &Host, programs: &Programs) -> Result<Child> {
    let path = log_file(&host.name);
    let log = File::options().create(true).append(true).open(&path);
    let log = log.with_context(|| format!("open {}", path.display()))?;
    let mut command = command(host, programs);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    command.spawn().with_context(|| format!("start smoc host on {}", host.name))
}

/// What is set on a host, as `smoc host status` says it.
pub fn status(host: &Host, programs: &Programs) -> Result<Value> {
    let mut command = host.namespace().command(&programs.smoc.to_string_lossy());
    command.args(["host", "status", "--format", "json", "--state"]).arg(state_file(&host.name));
    serde_json::from_str(&run(&mut command)?).context("smoc host status printed no JSON")
}

/// Waits until the daemons of these hosts have set something.
pub fn wait_ready<'a>(hosts: impl IntoIterator<Item = &'a Host>, programs: &Programs) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for host in hosts {
        while !is_ready(&status(host, programs)?) {
            let log = || fs::read_to_string(log_file(&host.name)).unwrap_or_default();
            ensure!(
                Instant::now() < deadline,
                "smoc host on {} sets nothing; it said:\n{}",
                host.name,
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// Whether it has set something, or hears of connections.
fn is_ready(status: &Value) -> bool {
    let hears = status["mode"] == "userspace" && !status["pid"].is_null() && !status["subflows"].is_null();
    status["limits"]["owner"] == "smoc" || hears && status["subflows"] != 0
}
