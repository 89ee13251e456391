//! The command line: one file per verb, and what all verbs share. Without the feature `agent` there are the verbs that
//! read files only.
//!
//! Exit status: 0 done, 1 it failed, 2 bad usage or bad input, 3 left to others (`smoc host`). With `--format json` standard output
//! carries the JSON document and nothing else; notes, progress and logs go to standard error.

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "agent")]
mod capture;
mod check;
mod decode;
#[cfg(feature = "agent")]
mod doctor;
#[cfg(feature = "agent")]
mod events;
#[cfg(feature = "agent")]
mod fabric;
#[cfg(feature = "agent")]
mod fabric_config;
#[cfg(feature = "agent")]
mod gather;
#[cfg(feature = "agent")]
mod host;
mod input;
#[cfg(feature = "agent")]
mod joined;
#[cfg(feature = "agent")]
mod live;
#[cfg(not(feature = "agent"))]
#[path = "files_only.rs"]
mod live;
#[cfg(feature = "agent")]
mod manual;
#[cfg(feature = "agent")]
mod merged;
#[cfg(feature = "agent")]
mod metrics;
mod offline;
mod paths;
#[cfg(feature = "agent")]
mod ping;
#[cfg(feature = "agent")]
mod policy;
#[cfg(feature = "agent")]
mod report;
mod search;
mod simulate;
mod socket;
#[cfg(feature = "agent")]
mod span;
#[cfg(feature = "agent")]
mod store;
#[cfg(feature = "agent")]
mod stored_policy;
mod stream;
mod table;
#[cfg(feature = "agent")]
mod top;
mod topology;
#[cfg(feature = "agent")]
mod web;
mod what_if;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// The whole command line.
#[derive(Parser, Debug)]
#[command(name = "smoc", version, about = "Gives each subflow of a Multipath TCP connection its own path")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the agent of one switch
    #[cfg(feature = "agent")]
    Agent(agent::AgentArgs),
    /// Take away the programs and maps that an agent left attached
    #[cfg(feature = "agent")]
    Detach(agent::DetachArgs),
    /// Show a running agent's ports, counters and tables
    #[cfg(feature = "agent")]
    Status(live::LiveArgs),
    /// Show where each address is attached
    #[cfg(feature = "agent")]
    Hosts(live::LiveArgs),
    /// Show MPTCP connections, their subflows and the paths these take
    #[cfg(feature = "agent")]
    Conns(live::LiveArgs),
    /// Tell step by step why a flow takes its path
    #[cfg(feature = "agent")]
    Explain(live::ExplainArgs),
    /// Show what has happened at a running agent's switch
    #[cfg(feature = "agent")]
    Events(events::EventsArgs),
    /// Capture the frames that smoc forwards, with the path, rank and outcome of each
    #[cfg(feature = "agent")]
    Capture(capture::CaptureArgs),
    /// Watch links, paths, connections and subflows of a running agent's switch by rate
    #[cfg(feature = "agent")]
    Top(top::TopArgs),
    /// Serve a page that shows the fabric in a browser, live
    #[cfg(feature = "agent")]
    Web(web::WebArgs),
    /// Look at the whole fabric, and drain parts of it
    #[cfg(feature = "agent")]
    Fabric(fabric::FabricArgs),
    /// Make a page of a period: use of links, outages, diversity, joins, hosts
    #[cfg(feature = "agent")]
    Report(report::ReportArgs),
    /// Print what the agent measures; make dashboard, alerts and configuration for Prometheus and Grafana
    #[cfg(feature = "agent")]
    Metrics(metrics::MetricsArgs),
    /// Let pairs of hosts take other paths than the rest of the fabric
    #[cfg(feature = "agent")]
    Policy(policy::PolicyArgs),
    /// Measure the round trip along a path of a running agent's switch
    #[cfg(feature = "agent")]
    Ping(ping::PingArgs),
    /// Find where on a path of a running agent's switch probes stop coming back
    #[cfg(feature = "agent")]
    Traceroute(ping::TracerouteArgs),
    /// Let connections of this end host have as many subflows as the fabric has paths for
    #[cfg(feature = "agent")]
    Host(host::HostArgs),
    /// Find what is wrong with this end host or switch, and mend what is safe
    #[cfg(feature = "agent")]
    Doctor(doctor::DoctorArgs),
    /// Validate topology and configuration files
    Check(check::CheckArgs),
    /// Compute the ranked paths between two switches
    Paths(paths::PathsArgs),
    /// Print and convert topologies
    Topology(topology::TopologyArgs),
    /// Show what a failure does to every pair of edges
    WhatIf(what_if::WhatIfArgs),
    /// Simulate the throughput that a routing gives
    Simulate(simulate::SimulateArgs),
    /// Show what Multipath TCP does in a capture
    Decode(decode::DecodeArgs),
    /// Write man pages, and completions for bash, zsh and fish, into a directory
    #[cfg(feature = "agent")]
    #[command(hide = true)]
    Manual(manual::ManualArgs),
}

/// How a verb that prints writes its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// JSON on standard output and nothing else there.
    Json,
}

/// Why a verb did not do what it was asked; decides the exit status.
#[derive(Debug)]
pub enum Failure {
    /// The user's input is at fault: exit status 2.
    BadInput(anyhow::Error),
    /// Something else went wrong: exit status 1.
    Failed(anyhow::Error),
    /// Nothing was done because somebody else does it: exit status 3.
    #[cfg(feature = "agent")]
    LeftToOthers(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl Failure {
    /// The user's input is at fault, for this reason.
    pub fn bad_input(error: impl Into<anyhow::Error>) -> Self {
        Self::BadInput(error.into())
    }
}

/// Reads a whole number from `least` to `most`; the message of any other text says so.
fn number_from(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or(format!("write a number from {least} to {most}"))
    }
}

/// Prints the one JSON document of `--format json`.
fn print_json(document: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Failure::Failed(error.into()))?;
    print(&text)
}

/// Prints to standard output; a closed pipe is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Failed(error.into())),
        _ => Ok(()),
    }
}

/// Parses the command line, runs the verb and reports its failure on standard error.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done: Result<(), Failure> = match &cli.command {
        #[cfg(feature = "agent")]
        Command::Agent(args) => agent::run(args),
        #[cfg(feature = "agent")]
        Command::Detach(args) => agent::detach(args),
        #[cfg(feature = "agent")]
        Command::Status(args) => live::status(args),
        #[cfg(feature = "agent")]
        Command::Hosts(args) => live::hosts(args),
        #[cfg(feature = "agent")]
        Command::Conns(args) => live::conns(args),
        #[cfg(feature = "agent")]
        Command::Explain(args) => live::explain(args),
        #[cfg(feature = "agent")]
        Command::Events(args) => events::run(args),
        #[cfg(feature = "agent")]
        Command::Capture(args) => capture::run(args),
        #[cfg(feature = "agent")]
        Command::Top(args) => top::run(args),
        #[cfg(feature = "agent")]
        Command::Web(args) => web::run(args),
        #[cfg(feature = "agent")]
        Command::Fabric(args) => fabric::run(args),
        #[cfg(feature = "agent")]
        Command::Report(args) => report::run(args),
        #[cfg(feature = "agent")]
        Command::Metrics(args) => metrics::run(args),
        #[cfg(feature = "agent")]
        Command::Policy(args) => policy::run(args),
        #[cfg(feature = "agent")]
        Command::Ping(args) => ping::run(args),
        #[cfg(feature = "agent")]
        Command::Traceroute(args) => ping::traceroute(args),
        #[cfg(feature = "agent")]
        Command::Host(args) => host::run(args),
        #[cfg(feature = "agent")]
        Command::Doctor(args) => doctor::run(args),
        Command::Check(args) => check::run(args),
        Command::Paths(args) => paths::run(args),
        Command::Topology(args) => topology::run(args),
        Command::WhatIf(args) => what_if::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Decode(args) => decode::run(args),
        #[cfg(feature = "agent")]
        Command::Manual(args) => manual::run(args),
    };
    exit_status(done)
}

/// Says on standard error why a verb failed; the exit status.
fn exit_status(done: Result<(), Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(error)) => {
            eprintln!("smoc: {error:#}");
            ExitCode::from(1)
        }
        Err(Failure::BadInput(error)) => {
            eprintln!("smoc: {error:#}");
            ExitCode::from(2)
        }
        #[cfg(feature = "agent")]
        Err(Failure::LeftToOthers(error)) => {
            eprintln!("smoc: {error:#}");
            ExitCode::from(3)
        }
    }
}
