//! A topology file made real: namespaces, shaped links, hosts with kernel MPTCP, and what forwards between them.
//!
//! [`Lab::up`] builds it and dropping the [`Lab`] removes every trace; [`Lab::keep`] leaves it up for later
//! commands, which find it through its state file ([`Lab::open`]).
//!
//! ```text
//!   smoc-h1          smoc-e1                    smoc-lab-wires                    smoc-m1
//!   eth0 ----------- p9  agent, XDP  p1 ------- w0a  ==(shaped)==  w0b ---------- p1  agent, XDP
//! ```

mod agents;
mod bridge;
mod build;
mod ecmp;
mod host_daemon;
mod hosts;
mod interrupt;
mod plan;
mod process;
mod state;
pub mod store;
mod wire;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use nix::fcntl::Flock;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smoc_paths::topology::{Bandwidth, Topology};

pub use agents::Programs;
pub use interrupt::{check_interrupted, failure_status};
pub use plan::{Host, Link, Plan, Port, Switch, node_namespace};
pub use process::Process;
pub use state::{RUN_DIRECTORY, State, config_file, pin_directory, socket};
pub use wire::{Condition, Direction, Load};

use crate::command::run;
use crate::netns::Namespace;

/// How the switches of a lab forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Routing {
    /// A smoc agent on every switch.
    #[default]
    Smoc,
    /// Plain bridges on a spanning tree.
    Bridge,
    /// Kernel routers that hash flows over all shortest paths.
    Ecmp,
}

/// What to build.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// The topology file.
    pub topology: PathBuf,
    /// What links without a capacity carry; `None` leaves them unshaped.
    pub rate: Option<Bandwidth>,
    /// The MTU of every interface, in bytes.
    pub mtu: u32,
    /// How the switches forward.
    pub routing: Routing,
    /// Most subflows of a connection with the initial one; `None` is 8. A host opens one per address it has.
    pub subflows: Option<u8>,
    /// What `smoc host` is told on every host, as its configuration file; `None`: endpoints and limits are set by `ip mptcp`.
    pub host_daemon: Option<String>,
    /// What every agent is told.
    pub agent: AgentOptions,
    /// Whether to wait for another lab to end, as tests do, instead of refusing.
    pub wait: bool,
    /// Whether to report progress on standard error.
    pub quiet: bool,
}

/// The part of every agent's configuration that is not about its own switch.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// The path policy.
    pub policy: String,
    /// How many paths to rank.
    pub paths: u32,
    /// What happens to traffic other than MPTCP: `none` or `flows`.
    pub spread: String,
    /// Further lines of its configuration, in which `{switch}` is its name and `{mgmt}` its address in the management network.
    pub lines: String,
    /// Whether agents are told of hosts by the topology file; else they have to learn of them.
    pub knows_hosts: bool,
    /// Whether agents are given no topology file: they have to find out what the network is.
    pub discovers: bool,
    /// Whether they have etcd as their store; then they have no topology file either.
    pub etcd: bool,
    /// Another topology file for the agents than that of the cabling; then warnings are not waited for to end.
    pub file: Option<String>,
}

impl LabOptions {
    /// A smoc lab of this topology with everything else at its default.
    pub fn new(topology: impl Into<PathBuf>) -> Self {
        Self {
            topology: topology.into(),
            rate: None,
            mtu: 1500,
            routing: Routing::Smoc,
            subflows: None,
            host_daemon: None,
            agent: AgentOptions {
                policy: "diverse".to_owned(),
                paths: 8,
                spread: "none".to_owned(),
                lines: String::new(),
                knows_hosts: true,
                discovers: false,
                etcd: false,
                file: None,
            },
            wait: false,
            quiet: false,
        }
    }
}

/// A lab that is up. Dropping it ends its processes and removes everything it made.
#[derive(Debug)]
pub struct Lab {
    state: State,
    /// The agents this process started, in the order of `state.agents`; none for a lab that was found.
    children: Vec<(String, Child)>,
    programs: Option<Programs>,
    keep: bool,
    _lock: Option<Flock<File>>,
}

impl Lab {
    /// Builds a lab and waits until it can be used.
    ///
    /// # Errors
    /// Without root, when a lab is up already, when the topology is bad, or when a step fails; in every case
    /// nothing is left behind.
    pub fn up(options: &LabOptions) -> Result<Self> {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "the lab makes network namespaces and needs root: use sudo"
        );
        interrupt::watch()?;
        let topology = Topology::load(&options.topology)?;
        let plan = Plan::new(&topology, options)?;
        let needs_programs = options.routing == Routing::Smoc || options.host_daemon.is_some();
        let programs = needs_programs.then(Programs::find).transpose()?;
        let lock = state::lock(options.wait)?;
        make_way()?;
        build::check_nothing_exists(&plan)?;

        let conditions = vec![[Condition::Up; 2]; plan.links.len()];
        let topology = options.topology.canonicalize()?;
        let owner = Some(Process::with_pid(std::process::id() as i32)?);
        let state = State { topology, routing: options.routing, plan, owner, agents: Vec::new(), conditions };
        let mut lab = Self { state, children: Vec::new(), programs, keep: false, _lock: Some(lock) };
        let built = interrupt::building(|| lab.build(options));
        built.map(|()| lab)
    }

    /// The lab that is up, for a command that comes later; dropping the value leaves the lab as it is.
    ///
    /// # Errors
    /// When no lab is up.
    pub fn open() -> Result<Self> {
        let Some(state) = State::read()? else {
            bail!("no lab is up: start one with `cargo xtask lab up FILE`");
        };
        Ok(Self { programs: Programs::find().ok(), state, children: Vec::new(), keep: true, _lock: None })
    }

    /// Leaves the lab up when this value is dropped.
    ///
    /// # Errors
    /// When that cannot be written down; then the lab is ended.
    pub fn keep(mut self) -> Result<()> {
        self.state.owner = None;
        self.state.write()?;
        self.keep = true;
        interrupt::release();
        Ok(())
    }

    /// Ends the lab that is up, whoever started it and however far they came.
    ///
    /// # Errors
    /// When no lab is up, or something resists.
    pub fn down() -> Result<()> {
        let _lock = state::lock(false)?;
        let Some(state) = State::read()? else {
            bail!("no lab is up");
        };
        tear_down(&state)
    }

    /// What the lab consists of.
    pub fn plan(&self) -> &Plan {
        &self.state.plan
    }

    /// What is written down about the lab.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The namespace of a switch or host.
    ///
    /// # Errors
    /// When the lab has no such node.
    pub fn namespace(&self, node: &str) -> Result<Namespace> {
        let plan = &self.state.plan;
        let known = plan.switches.iter().any(|s| s.name == node) || plan.hosts.iter().any(|h| h.name == node);
        ensure!(known, "the lab has no node {node:?}: `lab status` lists them");
        Ok(node_namespace(node))
    }

    /// Puts a link into a condition.
    ///
    /// # Errors
    /// When there is no such link, or the condition cannot apply to one direction only.
    pub fn set_link(&mut self, name: &str, condition: Condition, direction: Direction) -> Result<()> {
        let index = self.state.plan.link(name)?.index;
        let link =
            self.state.plan.links.iter().find(|link| link.index == index).context("the link is gone")?;
        wire::set(link, condition, direction)?;
        let [from_a, from_b] = &mut self.state.conditions[index];
        let leaves_down = *from_a == Condition::Down;
        if direction != Direction::BToA || leaves_down {
            *from_a = if direction == Direction::BToA { Condition::Up } else { condition };
        }
        if direction != Direction::AToB || leaves_down {
            *from_b = if direction == Direction::AToB { Condition::Up } else { condition };
        }
        self.state.write()
    }

    /// What every link has carried since the lab came up, in the plan's order.
    pub fn loads(&self) -> Result<Vec<Load>> {
        wire::loads(&self.state.plan)
    }

    /// Pids of everything that runs in a node's namespace: its agent, and what `lab exec` left there.
    pub fn pids(&self, node: &str) -> Result<Vec<i32>> {
        pids_in(&self.namespace(node)?)
    }

    /// Runs one of `smoc`'s verbs, such as `["conns"]`, against a switch's agent and returns its JSON.
    ///
    /// # Errors
    /// In a lab without agents, or when the verb fails.
    pub fn ask(&self, switch: &str, verb: &[&str]) -> Result<Value> {
        agents::ask(self.programs.as_ref().context("this lab has no agents")?, switch, verb)
    }

    /// Runs one of `smoc`'s verbs as [`Lab::ask`] does, for what it prints and how it exits.
    ///
    /// # Errors
    /// In a lab without agents, or when it cannot be run.
    pub fn smoc(&self, switch: &str, verb: &[&str]) -> Result<Output> {
        agents::smoc(self.programs.as_ref().context("this lab has no agents")?, switch, verb)
    }

    /// How often a switch's programs counted something, by its name in `smoc status`.
    ///
    /// # Errors
    /// When the agent does not answer, or knows no such counter.
    pub fn counter(&self, switch: &str, name: &str) -> Result<u64> {
        let status = self.ask(switch, &["status"])?;
        let counters = status["counters"].as_array().context("the status has no counters")?;
        let counter = counters.iter().find(|counter| counter["name"] == name);
        counter.and_then(|it| it["value"].as_u64()).with_context(|| format!("no counter {name} at {switch}"))
    }

    /// What a switch's agents have logged since the lab came up.
    ///
    /// # Errors
    /// When none has.
    pub fn log(&self, switch: &str) -> Result<String> {
        let file = state::log_file(switch);
        fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
    }

    /// Kills a switch's agent (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When this lab has no agent for the switch.
    pub fn kill_agent(&mut self, switch: &str) -> Result<()> {
        let agents = &self.state.agents;
        let found = agents.iter().position(|agent| agent.switch == switch);
        let index = found.with_context(|| format!("no agent runs for {switch}"))?;
        let agent = self.state.agents.remove(index);
        agent.process.signal(Signal::SIGKILL)?;
        if let Some(index) = self.children.iter().position(|(name, _)| name == switch) {
            self.children.remove(index).1.wait()?;
        }
        self.state.write()
    }

    /// Takes a switch away as if its power failed: what it was connected to keeps its carrier.
    ///
    /// # Errors
    /// When the lab has no such switch, or it resists.
    pub fn remove_switch(&mut self, switch: &str) -> Result<()> {
        let namespace = self.namespace(switch)?;
        if self.state.agents.iter().any(|agent| agent.switch == switch) {
            self.kill_agent(switch)?;
        }
        namespace.delete()
    }

    /// Starts `smoc host` on hosts where it does not run, and waits until it has set something.
    ///
    /// # Errors
    /// It ends, or sets nothing.
    pub fn start_host_daemons(&mut self, hosts: &[&str]) -> Result<()> {
        let programs = self.programs.clone().context("this lab has no programs")?;
        for host in hosts {
            let child = host_daemon::spawn(self.state.plan.host(host)?, &programs)?;
            self.children.push(((*host).to_owned(), child));
        }
        let started = self.state.plan.hosts.iter().filter(|host| hosts.contains(&host.name.as_str()));
        host_daemon::wait_ready(started, &programs)
    }

    /// Sends `smoc host` of a host a signal, unless it has ended by itself, and waits until it has ended.
    ///
    /// # Errors
    /// It was not started.
    pub fn end_host_daemon(&mut self, host: &str, signal: Signal) -> Result<ExitStatus> {
        let found = self.children.iter().position(|(name, _)| name == host);
        let index = found.with_context(|| format!("smoc host does not run on {host}"))?;
        let (_, mut child) = self.children.remove(index);
        // It may have ended by itself.
        if let Ok(process) = Process::with_pid(child.id() as i32) {
            process.signal(signal)?;
        }
        child.wait().context("wait for smoc host")
    }

    /// The command that runs `smoc host` on a host, not yet started.
    ///
    /// # Errors
    /// There is no such host.
    pub fn host_daemon(&self, host: &str) -> Result<Command> {
        let programs = self.programs.as_ref().context("this lab has no programs")?;
        Ok(host_daemon::command(self.state.plan.host(host)?, programs))
    }

    /// What `smoc host status` says on a host.
    ///
    /// # Errors
    /// It fails.
    pub fn host_status(&self, host: &str) -> Result<Value> {
        let programs = self.programs.as_ref().context("this lab has no programs")?;
        host_daemon::status(self.state.plan.host(host)?, programs)
    }

    /// Starts an agent for a switch that has none, and waits until it reports ready.
    pub fn start_agent(&mut self, switch: &str) -> Result<()> {
        self.start_agents(&[switch])
    }

    /// Starts agents for switches that have none, in this order, and waits until all report ready.
    pub fn start_agents(&mut self, switches: &[&str]) -> Result<()> {
        let first = self.children.len();
        for &switch in switches {
            let plan = self.state.plan.switches.iter().find(|known| known.name == switch);
            let plan = plan.with_context(|| format!("the lab has no switch {switch}"))?.clone();
            self.spawn_agent(&plan)?;
        }
        let programs = self.programs.as_ref().context("this lab has no agents")?;
        agents::wait_ready(&mut self.children[first..], programs, &|_| ())
    }

    fn build(&mut self, options: &LabOptions) -> Result<()> {
        let say = |what: &str| {
            if !options.quiet {
                eprintln!("lab: {what}");
            }
        };
        fs::create_dir_all(RUN_DIRECTORY).with_context(|| format!("create {RUN_DIRECTORY}"))?;
        self.state.write()?;
        agents::write_topology(&options.topology, &options.agent)?;
        let (routing, plan) = (self.state.routing, self.state.plan.clone());
        say(&format!(
            "{} switches, {} links, {} hosts",
            plan.switches.len(),
            plan.links.len(),
            plan.hosts.len()
        ));
        build::namespaces(&plan)?;
        check_interrupted()?;
        build::cables(&plan)?;
        if routing != Routing::Ecmp {
            bridge::make(&plan, routing)?;
        }
        check_interrupted()?;
        wire::connect(&plan)?;
        check_interrupted()?;
        build::raise_ports(&plan)?;
        hosts::configure(&plan)?;
        build::wait_until_operational(&plan)?;
        match routing {
            Routing::Ecmp => ecmp::configure(&plan)?,
            Routing::Smoc | Routing::Bridge => bridge::start(&plan, routing)?,
        }
        if plan.has_store {
            store::connect(&plan)?;
            store::start()?;
        }
        if routing == Routing::Smoc {
            self.start_all_agents(&options.agent, &say)?;
        }
        if let Some(lines) = &options.host_daemon {
            host_daemon::write_config(lines)?;
            let hosts: Vec<String> = plan.hosts.iter().map(|host| host.name.clone()).collect();
            self.start_host_daemons(&hosts.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        say("up");
        Ok(())
    }

    fn start_all_agents(&mut self, options: &AgentOptions, say: &dyn Fn(&str)) -> Result<()> {
        agents::mount_bpf()?;
        let programs = self.programs.clone().context("smoc's programs were not looked for")?;
        for (place, switch) in self.state.plan.switches.clone().into_iter().enumerate() {
            agents::write_config((place, &switch), options, &programs)?;
            self.spawn_agent(&switch)?;
        }
        agents::wait_ready(&mut self.children, &programs, say)?;
        if options.file.is_some() {
            return Ok(());
        }
        agents::wait_neighbors(&self.children, &programs, self.state.plan.links.len())
    }

    fn spawn_agent(&mut self, switch: &Switch) -> Result<()> {
        let programs = self.programs.as_ref().context("this lab has no agents")?;
        let child = agents::spawn(switch, programs)?;
        let process =
            Process::with_pid(child.id() as i32).map_err(|_| agents::ended(&switch.name, "at once"))?;
        self.state.agents.push(state::Agent { switch: switch.name.clone(), process });
        self.children.push((switch.name.clone(), child));
        self.state.write()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // A test has failed: what the agents noticed may be the reason, and goes with the lab.
        if std::thread::panicking() {
            for agent in &self.state.agents {
                eprintln!("the agent of {} said last:\n{}", agent.switch, agents::last_words(&agent.switch));
            }
        }
        if let Err(error) = interrupt::building(|| tear_down(&self.state)) {
            eprintln!("lab: not everything could be removed: {error:#}");
        }
        for (_, child) in &mut self.children {
            let _ = child.wait();
        }
        interrupt::release();
    }
}

/// Ends the lab's processes and removes everything it made, however far it came.
fn tear_down(state: &State) -> Result<()> {
    let mut processes = state.processes();
    for namespace in state.plan.namespaces().iter().filter(|namespace| namespace.exists()) {
        let others = pids_in(namespace)?.into_iter().filter(|&pid| pid != std::process::id() as i32);
        processes.extend(others.filter_map(|pid| Process::with_pid(pid).ok()));
    }
    process::end_all(&processes, Duration::from_secs(3))?;
    build::remove_namespaces(&state.plan)?;
    state::remove_run_directory()
}

fn pids_in(namespace: &Namespace) -> Result<Vec<i32>> {
    let pids = run(Command::new("ip").args(["netns", "pids", namespace.name()]))?;
    Ok(pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

/// Removes what an abandoned lab left behind; refuses to touch one that is up.
fn make_way() -> Result<()> {
    let Some(state) = State::read()? else { return Ok(()) };
    let topology = state.topology.display();
    ensure!(
        state.is_abandoned(),
        "a lab is up already ({topology}): end it with `cargo xtask lab down` first"
    );
    eprintln!("lab: removing what is left of a lab whose processes were killed ({topology})");
    tear_down(&state)
}
