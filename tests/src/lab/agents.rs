//! The smoc agents of a lab, one per switch.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::mount::{MsFlags, mount};
use serde_json::Value;

use super::bridge::BRIDGE;
use super::plan::{Switch, port_interface};
use super::state::{RUN_DIRECTORY, bpf_directory, config_file, log_file, pin_directory, socket};
use super::{AgentOptions, check_interrupted, store};

/// How long all agents of a lab may take to report ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// What an agent is run with.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The `smoc` command.
    pub smoc: PathBuf,
    /// The BPF object.
    pub object: PathBuf,
}

impl Programs {
    /// From `SMOC_BIN` and `SMOC_BPF_OBJECT`, or else from the target directory that this program was built in.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn find() -> Result<Self> {
        let target = target_directory()?;
        let smoc = named_by("SMOC_BIN", target.join("debug/smoc"))?;
        let object = named_by("SMOC_BPF_OBJECT", target.join("bpf/smoc.bpf.o"))?;
        Ok(Self { smoc, object })
    }
}

/// The directory above `debug/smoc-lab` or `debug/deps/some-test`.
fn target_directory() -> Result<PathBuf> {
    let this = std::env::current_exe().context("find this program's own file")?;
    let profile = this.ancestors().skip(1).find(|directory| !directory.ends_with("deps"));
    Ok(profile.and_then(Path::parent).unwrap_or(Path::new("target")).to_owned())
}

fn named_by(variable: &str, default: PathBuf) -> Result<PathBuf> {
    let path = std::env::var_os(variable).map_or(default, PathBuf::from);
    let path = path.canonicalize();
    path.with_context(|| {
        format!("{variable} names no file; `cargo xtask build-ebpf && cargo build` makes what it needs")
    })
}

/// Mounts the lab's own BPF file system.
pub fn mount_bpf() -> Result<()> {
    let directory = bpf_directory();
    fs::create_dir_all(&directory).with_context(|| format!("create {}", directory.display()))?;
    mount(Some("bpf"), &directory, Some("bpf"), MsFlags::empty(), None::<&str>)
        .with_context(|| format!("mount a BPF file system at {} (this needs root)", directory.display()))
}

/// Writes the topology that the agents get.
pub fn write_topology(topology: &Path, options: &AgentOptions) -> Result<()> {
    let text = fs::read_to_string(topology).with_context(|| format!("read {}", topology.display()))?;
    let path = Path::new(RUN_DIRECTORY).join("topology.yaml");
    let text = options.file.clone().unwrap_or(text);
    let text = if options.knows_hosts { text } else { without_hosts(&text) };
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}

/// A topology file without what it says of hosts.
fn without_hosts(text: &str) -> String {
    let mut is_left_out = false;
    let keep = |line: &&str| {
        if !line.starts_with([' ', '#', '-']) {
            is_left_out = line.starts_with("hosts:");
        }
        !is_left_out
    };
    text.lines().filter(keep).map(|line| format!("{line}\n")).collect()
}

/// Writes a switch's configuration.
pub fn write_config(
    (place, switch): (usize, &Switch),
    options: &AgentOptions,
    programs: &Programs,
) -> Result<()> {
    let path = config_file(&switch.name);
    let own = options.lines.replace("{switch}", &switch.name).replace("{mgmt}", &store::address(place));
    let options = AgentOptions { lines: own, ..options.clone() };
    fs::write(&path, config(switch, &options, &programs.object))
        .with_context(|| format!("write {}", path.display()))
}

fn config(switch: &Switch, options: &AgentOptions, object: &Path) -> String {
    let mut text = format!("switch: {}\n", switch.name);
    if options.etcd {
        text += &store::lines(&switch.name);
    }
    if options.discovers || options.etcd {
        text += "fabric: lab\nports: auto\n";
    } else {
        let _ = writeln!(text, "topology: {RUN_DIRECTORY}/topology.yaml\nports:");
        for &port in switch.fabric_ports.iter().chain(&switch.host_ports) {
            let _ = writeln!(text, "  {port}: {}", port_interface(port));
        }
    }
    let pin = pin_directory(&switch.name);
    let _ = write!(
        text,
        "bridge: {BRIDGE}\napi: {}\nstate: {RUN_DIRECTORY}/kept\nbpf:\n  object: {}\n  pin: {}\npaths:\n  policy: {}\n  count: {}\nspread: {}\n{}",
        socket(&switch.name).display(),
        object.display(),
        pin.display(),
        options.policy,
        options.paths,
        options.spread,
        options.lines,
    );
    text
}

/// Starts a switch's agent in a process group of its own, so that Ctrl-C reaches the lab and not it.
pub fn spawn(switch: &Switch, programs: &Programs) -> Result<Child> {
    let path = log_file(&switch.name);
    let log = File::options().create(true).append(true).open(&path);
    let log = log.with_context(|| format!("open {}", path.display()))?;
    let mut command = switch.namespace().command(&programs.smoc.to_string_lossy());
    command.arg("agent").arg("--config").arg(config_file(&switch.name));
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    command.spawn().with_context(|| format!("start the agent of {}", switch.name))
}

/// Runs one of `smoc`'s verbs against a switch's agent, to print JSON.
pub fn smoc(programs: &Programs, switch: &str, verb: &[&str]) -> Result<Output> {
    let mut command = Command::new(&programs.smoc);
    command.args(verb).arg("--api").arg(socket(switch)).args(["--format", "json"]);
    command.stdin(Stdio::null()).output().with_context(|| format!("run {}", programs.smoc.display()))
}

/// Runs one of `smoc`'s verbs against a switch's agent and returns the JSON it prints.
pub fn ask(programs: &Programs, switch: &str, verb: &[&str]) -> Result<Value> {
    let output = smoc(programs, switch, verb)?;
    ensure!(
        output.status.success(),
        "smoc {} at {switch}: {}",
        verb.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    serde_json::from_slice(&output.stdout).with_context(|| format!("smoc {} printed no JSON", verb.join(" ")))
}

/// Waits until every agent reports ready.
///
/// # Errors
/// When one has ended, with the last of what it logged, or when they are not ready in time.
pub fn wait_ready(agents: &mut [(String, Child)], programs: &Programs, say: &dyn Fn(&str)) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let total = agents.len();
    let mut waiting: Vec<usize> = (0..total).collect();
    while !waiting.is_empty() {
        check_interrupted()?;
        let mut still = Vec::new();
        for &index in &waiting {
            let (switch, child) = &mut agents[index];
            if let Some(status) = child.try_wait()? {
                return Err(ended(switch, &status.to_string()));
            }
            let status = ask(programs, switch, &["status"]);
            if !status.is_ok_and(|status| status["ready"] == true) {
                still.push(index);
            }
        }
        if still.len() != waiting.len() {
            say(&format!("{} of {total} agents are ready", total - still.len()));
        }
        if let (Some(&index), true) = (still.first(), Instant::now() >= deadline) {
            let switch = &agents[index].0;
            bail!("the agent of {switch} is not ready after {PATIENCE:?}; it said:\n{}", last_words(switch));
        }
        waiting = still;
        std::thread::sleep(Duration::from_millis(if waiting.is_empty() { 0 } else { 100 }));
    }
    Ok(())
}

/// Waits until every agent has heard all its neighbours, knows of all links, knows of no link that is down, and has agreed on the base network;
/// all of them at once, because a late one makes the others see failures.
pub fn wait_neighbors(agents: &[(String, Child)], programs: &Programs, links: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        check_interrupted()?;
        let mut unsettled = None;
        for (switch, _) in agents {
            if let Some(why) = unsettled_by(&ask(programs, switch, &["status"])?)? {
                unsettled = Some((switch, why));
                break;
            }
            let topology = ask(programs, switch, &["topology"])?;
            let known = topology["links"].as_array().map_or(0, Vec::len);
            if known != links {
                unsettled = Some((switch, format!("it knows of {known} links")));
                break;
            }
        }
        let Some((switch, why)) = unsettled else { return Ok(()) };
        ensure!(
            Instant::now() < deadline,
            "{switch} is not settled: {why}; its agent said:\n{}",
            last_words(switch)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a status names that is not as it is in a fabric that has started; `None` if nothing.
fn unsettled_by(status: &Value) -> Result<Option<String>> {
    let ports = status["ports"].as_array().context("the status has no ports")?;
    if let Some(port) = ports.iter().find(|port| port["usable"] != true) {
        return Ok(Some(format!("port {} is down", port["number"])));
    }
    let is_undecided = |port: &&Value| port["neighbor"] == "undecided" && port["role"] == "host";
    if let Some(port) = ports.iter().find(is_undecided) {
        return Ok(Some(format!("nobody knows what is behind port {}", port["number"])));
    }
    let warnings = status["warnings"].as_array().context("the status has no warnings")?;
    if let Some(warning) = warnings.first() {
        return Ok(Some(format!("warning {warning}")));
    }
    let counts = [("links_down", &status["links_down"]), ("broken paths", &status["probing"]["broken"])];
    Ok(counts.into_iter().find(|(_, count)| **count != 0).map(|(name, count)| format!("{name}: {count}")))
}

/// What to say when an agent ends that should not.
pub fn ended(switch: &str, how: &str) -> anyhow::Error {
    anyhow!("the agent of {switch} ended ({how}); it said:\n{}", last_words(switch))
}

/// The last lines that the agent of a switch logged, indented.
pub fn last_words(switch: &str) -> String {
    let log = fs::read_to_string(log_file(switch)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].iter().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_without_hosts_has_all_else() {
        let text = "# all\nhosts:\n  - {name: h1}\n  # h2\n  - {name: h2}\nlinks:\n  - {a: \"e1:1\"}\n";
        assert_eq!(without_hosts(text), "# all\nlinks:\n  - {a: \"e1:1\"}\n");
    }
}
