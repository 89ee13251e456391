//! The command line of `smoc-lab`, which `cargo xtask lab` and `cargo xtask demo` run.
//!
//! Exit status: 0 done, 1 it failed, 2 bad usage, 130 interrupted; `exec` passes on its command's.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::{Value, json};
use smoc_paths::topology::Bandwidth;
use smoc_plot::SvgFile;

#[cfg(feature = "programs")]
use crate::bench::{
    self, PacketOptions,
    fabric::{self, FabricOptions},
};
use crate::convergence::{self, ConvergenceOptions};
use crate::demo::{self, DemoOptions};
use crate::failover::{self, FailoverOptions};
#[cfg(feature = "programs")]
use crate::floods::{self, ChurnOptions, FloodOptions};
#[cfg(feature = "programs")]
use crate::fuzz::{self, FuzzOptions};
use crate::lab::{Condition, Direction, Lab, LabOptions, Routing, failure_status, socket};
#[cfg(feature = "programs")]
use crate::races::{self, RaceOptions};

/// Topologies as network namespaces with real MPTCP hosts.
#[derive(Parser, Debug)]
#[command(name = "smoc-lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// One topology as namespaces, until it is taken down.
    #[command(subcommand)]
    Lab(LabCommand),
    /// Measures plain TCP, MPTCP over ECMP and MPTCP over smoc on the same four paths.
    Demo(DemoOptions),
    /// Measures what smoc costs.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Sends mutated frames through the programs in the kernel and through the pipeline in memory, and compares.
    #[cfg(feature = "programs")]
    Fuzz(FuzzOptions),
    /// Sends frames of the same connections through the programs on two CPUs at the same moment, and looks at the tables.
    #[cfg(feature = "programs")]
    Races(RaceOptions),
}

#[derive(Subcommand, Debug)]
enum BenchCommand {
    /// What a frame costs in the XDP programs, beside a bare redirect.
    #[cfg(feature = "programs")]
    Packet(PacketOptions),
    /// What a switch costs, beside a cable, a Linux bridge, IP forwarding, a redirect by tc and an XDP router.
    #[cfg(feature = "programs")]
    Fabric(FabricOptions),
    /// What failures cost, beside kernel ECMP on the same topology: frames lost, silence, throughput afterwards.
    Failover(FailoverOptions),
    /// How long after a failure the last agent of a k = 4 fat-tree has new tables, beside the first.
    Convergence(ConvergenceOptions),
    /// What floods do to 1,000 connections that carry data: frames lost, connections forgotten, ports down, memory.
    #[cfg(feature = "programs")]
    Floods(FloodOptions),
    /// What 100,000 connections that say little keep while short ones come and go for ten minutes.
    #[cfg(feature = "programs")]
    Churn(ChurnOptions),
}

#[derive(Subcommand, Debug)]
enum LabCommand {
    /// Turns a topology file into namespaces and waits until every agent is ready.
    Up(UpArguments),
    /// Runs a command on a node: `lab exec h1 -- ip address`.
    Exec {
        /// A switch or host.
        node: String,
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Breaks or repairs a link: `lab link e1:1-m1:1 down`.
    Link {
        /// The link as in the topology file.
        link: String,
        /// What it shall do.
        #[arg(value_enum)]
        condition: LinkVerb,
        /// For `loss`: the share of frames that vanish, such as 30%.
        #[arg(required_if_eq("condition", "loss"), value_parser = percent)]
        share: Option<u8>,
        /// To which frames this applies: a is the end that the topology names first.
        #[arg(long, value_name = "a-b|b-a|both", default_value = "both")]
        direction: Direction,
    },
    /// What is up: nodes with their namespaces, processes and sockets, and links.
    Status {
        /// How to print it.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Ends the lab and removes everything it made.
    Down,
}

#[derive(Args, Debug)]
struct UpArguments {
    /// The topology file.
    file: PathBuf,
    /// What links without a capacity carry each way, such as 100mbit; without it they are not shaped.
    #[arg(long)]
    rate: Option<Bandwidth>,
    /// The MTU of every interface, in bytes.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1280..=65535))]
    mtu: u32,
    /// How the switches forward.
    #[arg(long, value_enum, default_value = "smoc")]
    routing: Routing,
    /// Most subflows of a connection, with the initial one; a host opens one for each address it has [default: 8].
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    subflows: Option<u8>,
    /// `smoc host` with its defaults sets limits and endpoints on every host, instead of the lab.
    #[arg(long, conflicts_with = "subflows")]
    host_daemon: bool,
    /// What the agents' path policy is: diverse, smoc or shortest.
    #[arg(long, default_value = "diverse")]
    policy: String,
    /// How many paths the agents rank.
    #[arg(long, default_value_t = 8)]
    paths: u32,
    /// What happens to traffic other than MPTCP: none (rank 0) or flows (hashed over the shortest paths).
    #[arg(long, default_value = "none")]
    spread: String,
    /// Give agents no topology file: they find out what the network is.
    #[arg(long)]
    discover: bool,
    /// Where agents without a topology file find out what others say: in announcements (flood), or in etcd, which is started.
    #[arg(long, value_enum)]
    store: Option<Store>,
}

/// How agents find out what others say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    /// By announcements.
    Flood,
    /// In etcd.
    Etcd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LinkVerb {
    /// Carry all frames.
    Up,
    /// Take the carrier from both ports.
    Down,
    /// Let every frame vanish and keep the carrier.
    Blackhole,
    /// Let a share of the frames vanish.
    Loss,
    /// Let IPv4 SYNs with MP_CAPABLE vanish, as some middleboxes do, and carry all else.
    Swallow,
}

/// How a verb that prints writes its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    Table,
    /// JSON on standard output and nothing else there.
    Json,
}

impl Format {
    /// Writes a picture of what was printed and says where, on the last line: never where JSON is printed.
    ///
    /// # Errors
    /// The file cannot be written any more.
    pub fn write_picture(self, file: &SvgFile, svg: &str) -> Result<()> {
        file.write(svg)?;
        match self {
            Self::Table => println!("\ndrawn in {file}"),
            Self::Json => eprintln!("drawn in {file}"),
        }
        Ok(())
    }
}

/// Parses the command line, runs the verb and reports its failure on standard error.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(options) => show(&options),
        #[cfg(feature = "programs")]
        Command::Fuzz(options) => fuzz::show(&options),
        #[cfg(feature = "programs")]
        Command::Races(options) => races::show(&options),
        #[cfg(feature = "programs")]
        Command::Bench(BenchCommand::Packet(options)) => bench::packet(&options),
        #[cfg(feature = "programs")]
        Command::Bench(BenchCommand::Fabric(options)) => fabric::run(&options),
        Command::Bench(BenchCommand::Failover(options)) => failover::run(&options),
        Command::Bench(BenchCommand::Convergence(options)) => convergence::run(&options),
        #[cfg(feature = "programs")]
        Command::Bench(BenchCommand::Floods(options)) => floods::run(&options),
        #[cfg(feature = "programs")]
        Command::Bench(BenchCommand::Churn(options)) => floods::churn::run(&options),
        Command::Lab(LabCommand::Up(arguments)) => up(&arguments),
        Command::Lab(LabCommand::Exec { node, command }) => exec(&node, &command),
        Command::Lab(LabCommand::Link { link, condition, share, direction }) => {
            set_link(&link, condition, share, direction)
        }
        Command::Lab(LabCommand::Status { format }) => status(format),
        Command::Lab(LabCommand::Down) => Lab::down(),
    };
    done.map_or_else(
        |error| {
            eprintln!("smoc-lab: {error:#}");
            ExitCode::from(failure_status())
        },
        |()| ExitCode::SUCCESS,
    )
}

fn show(options: &DemoOptions) -> Result<()> {
    ensure!(
        demo::run(options)?,
        "the demo did not show what it must; is the machine busy with something else?"
    );
    Ok(())
}

fn up(arguments: &UpArguments) -> Result<()> {
    let mut options = LabOptions::new(&arguments.file);
    options.rate = arguments.rate;
    options.mtu = arguments.mtu;
    options.routing = arguments.routing;
    options.subflows = arguments.subflows;
    options.host_daemon = arguments.host_daemon.then(String::new);
    options.agent.policy.clone_from(&arguments.policy);
    options.agent.paths = arguments.paths;
    options.agent.spread.clone_from(&arguments.spread);
    options.agent.discovers = arguments.discover || arguments.store.is_some();
    options.agent.etcd = arguments.store == Some(Store::Etcd);
    Lab::up(&options)?.keep()?;
    Ok(())
}

fn exec(node: &str, command: &[String]) -> Result<()> {
    let namespace = Lab::open()?.namespace(node)?;
    let (program, arguments) = command.split_first().context("no command given")?;
    Err(namespace.command(program).args(arguments).exec()).with_context(|| format!("run {program} on {node}"))
}

fn set_link(link: &str, verb: LinkVerb, share: Option<u8>, direction: Direction) -> Result<()> {
    ensure!(share.is_none() || verb == LinkVerb::Loss, "only loss takes a share");
    let condition = match verb {
        LinkVerb::Up => Condition::Up,
        LinkVerb::Down => Condition::Down,
        LinkVerb::Blackhole => Condition::Blackhole,
        LinkVerb::Swallow => Condition::Swallow,
        LinkVerb::Loss => Condition::Loss(share.context("loss of how much? for example: loss 30%")?),
    };
    Lab::open()?.set_link(link, condition, direction)
}

fn status(format: Format) -> Result<()> {
    let lab = Lab::open()?;
    let report = report(&lab)?;
    match format {
        Format::Json => println!("{report:#}"),
        Format::Table => print_status(&lab, &report),
    }
    Ok(())
}

fn report(lab: &Lab) -> Result<Value> {
    let (state, plan) = (lab.state(), lab.plan());
    let mut nodes = Vec::new();
    for switch in &plan.switches {
        let api = state.agents.iter().any(|agent| agent.switch == switch.name).then(|| socket(&switch.name));
        nodes.push(json!({"name": switch.name, "kind": "switch", "namespace": switch.namespace().name(),
            "pids": lab.pids(&switch.name)?, "api": api}));
    }
    for host in &plan.hosts {
        nodes.push(json!({"name": host.name, "kind": "host", "namespace": host.namespace().name(),
            "pids": lab.pids(&host.name)?, "api": null, "addresses": host.addresses}));
    }
    let links: Vec<Value> = plan
        .links
        .iter()
        .zip(&state.conditions)
        .map(|(link, [from_a, from_b])| {
            json!({"name": link.name, "bits_per_second": link.bits_per_second,
                "from_a": from_a.to_string(), "from_b": from_b.to_string()})
        })
        .collect();
    Ok(json!({"topology": state.topology, "routing": state.routing, "nodes": nodes, "links": links}))
}

fn print_status(lab: &Lab, report: &Value) {
    println!("{} ({})\n", lab.state().topology.display(), report["routing"].as_str().unwrap_or_default());
    println!("{:<12} {:<7} {:<18} {:<16} API", "NODE", "KIND", "NAMESPACE", "PIDS");
    for node in report["nodes"].as_array().into_iter().flatten() {
        let text = |key: &str| node[key].as_str().unwrap_or("-").to_owned();
        let pids: Vec<String> = node["pids"].as_array().into_iter().flatten().map(Value::to_string).collect();
        let pids = if pids.is_empty() { "-".to_owned() } else { pids.join(",") };
        println!(
            "{:<12} {:<7} {:<18} {pids:<16} {}",
            text("name"),
            text("kind"),
            text("namespace"),
            text("api")
        );
    }
    println!("\n{:<24} {:<12} {:<12} FROM B", "LINK", "RATE", "FROM A");
    for (link, [from_a, from_b]) in lab.plan().links.iter().zip(&lab.state().conditions) {
        let rate = link.bits_per_second.and_then(Bandwidth::from_bits_per_second);
        let rate = rate.map_or_else(|| "unshaped".to_owned(), |rate| rate.to_string());
        println!("{:<24} {rate:<12} {:<12} {from_b}", link.name, from_a.to_string());
    }
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.trim_end_matches('%').parse::<u8>().ok().filter(|share| *share <= 100);
    number.ok_or_else(|| "a share is 0% to 100%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use smoc_book::{assert_made, faults, pages, reference, shown};

    #[cfg(feature = "programs")]
    #[test]
    fn the_reference_of_the_lab_is_the_command_line() {
        let introduction = "What `cargo xtask lab`, `demo`, `bench`, `fuzz` and `races` take. [The tutorial](tutorial.md) and \
                            [the guide for researchers](research.md) show them at work. Made by `cargo xtask book --write`.";
        let command = Cli::command().name("cargo xtask");
        assert_made(
            "docs/reference-lab.md",
            &reference("Reference: lab and benchmarks", introduction, command),
        );
    }

    #[cfg(feature = "programs")]
    #[test]
    fn every_command_shown_could_be_typed() {
        let verbs = ["lab", "demo", "bench", "fuzz", "races"];
        let of =
            |verb| pages().iter().flat_map(|page| shown(page, &["cargo", "xtask", verb])).collect::<Vec<_>>();
        // `bench paths` is a program of its own.
        let is_here = |shown: &smoc_book::Shown| shown.words[2..4] != ["bench", "paths"];
        let commands: Vec<_> = verbs.into_iter().flat_map(of).filter(is_here).collect();
        assert!(commands.len() > 25, "{} commands were found", commands.len());
        let faults = faults(&commands, 2, &Cli::command());
        assert!(faults.is_empty(), "commands that smoc-lab does not take:\n{}", faults.join("\n"));
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_picture_that_cannot_be_written_is_refused_before_anything_is_measured() {
        let mut verbs = vec![vec!["demo"], vec!["bench", "failover"]];
        if cfg!(feature = "programs") {
            verbs.extend([vec!["bench", "packet"], vec!["bench", "fabric"]]);
        }
        for verb in &verbs {
            let line = ["smoc-lab"].iter().chain(verb).chain(&["--svg", "/nowhere/picture.svg"]);
            let error = Cli::try_parse_from(line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("'--svg <FILE>': cannot write there"), "{error}");
            assert!(
                Cli::try_parse_from(["smoc-lab"].iter().chain(verb)).is_ok(),
                "the default can be written"
            );
        }
    }
}
