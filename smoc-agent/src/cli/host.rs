//! `smoc host`: the path manager of an end host.

use std::{io::IsTerminal, ops::RangeInclusive, path::PathBuf};

use anyhow::Context;
use smoc_control::end_host::{
    MOST_SUBFLOWS,
    config::{Mode, Role, Settings, port_range},
};
use tracing_subscriber::EnvFilter;

use super::{
    Failure, Format, agent::directives, live::wait_for, number_from, print, print_json, table::Table,
};
use crate::host::{self, DEFAULT_CONFIG, DEFAULT_STATE, HostError, HostStatus, Owner};

/// Arguments of `smoc host`.
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "It takes CAP_NET_ADMIN. Exit status 3: mptcpd or another path manager in user space is in charge, and nothing was touched.\n\n\
Examples:\n  \
smoc host                        # 4 subflows for every connection\n  \
smoc host --subflows 8 --role server\n  \
smoc host --mode userspace       # short connections have one subflow\n  \
smoc host status\n  \
smoc host advise                 # the same by hand"
)]
pub struct HostArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Where it remembers what it has set; each network namespace needs its own
    #[arg(long, value_name = "FILE", default_value = DEFAULT_STATE)]
    state: PathBuf,
    /// What to log: error, warn, info, debug or trace
    #[arg(long, env = "SMOC_LOG", default_value = "info", value_name = "LEVEL")]
    log: String,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// Show endpoints and limits, and who has set them
    Status(StatusArgs),
    /// Print the commands that do the same without a daemon
    Advise(AdviseArgs),
}

/// Arguments of `smoc host status`.
#[derive(clap::Args, Debug)]
struct StatusArgs {
    /// Where the daemon remembers what it has set
    #[arg(long, value_name = "FILE", default_value = DEFAULT_STATE)]
    state: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Arguments of `smoc host advise`.
#[derive(clap::Args, Debug)]
struct AdviseArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What may be said here instead of in the file.
#[derive(clap::Args, Debug)]
struct SettingsArgs {
    /// The configuration file; /etc/smoc/host.yaml if that exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Who decides about subflows: the kernel, for all connections alike, or this daemon (userspace), for each that is long or
    /// big (kernel)
    #[arg(long)]
    mode: Option<Mode>,
    /// What this host does: server, client or both (both)
    #[arg(long)]
    role: Option<Role>,
    /// Subflows of a connection, the first one included: 1 to 8 (4)
    #[arg(long, value_name = "N", value_parser = number_from(1, MOST_SUBFLOWS.into()))]
    subflows: Option<usize>,
    /// Ports at which a server listens for further subflows (61001-61016)
    #[arg(long, value_name = "FROM-TO", value_parser = port_range)]
    ports: Option<RangeInclusive<u16>>,
}

impl SettingsArgs {
    fn settings(&self) -> Result<Settings, Failure> {
        let default = PathBuf::from(DEFAULT_CONFIG);
        let file = self.config.clone().or_else(|| default.exists().then_some(default));
        let settings = file.as_deref().map(Settings::load).transpose().map_err(Failure::bad_input)?;
        let mut settings = settings.unwrap_or_default();
        settings.mode = self.mode.unwrap_or(settings.mode);
        settings.role = self.role.unwrap_or(settings.role);
        settings.subflows =
            self.subflows.and_then(|number| number.try_into().ok()).unwrap_or(settings.subflows);
        if let Some(ports) = &self.ports {
            settings.ports = ports.clone();
        }
        Ok(settings)
    }
}

/// Runs the daemon until a signal ends it, or one of the other verbs.
///
/// # Errors
/// Bad settings, or what the kernel refuses.
pub fn run(args: &HostArgs) -> Result<(), Failure> {
    match &args.verb {
        Some(Verb::Status(args)) => status(args),
        Some(Verb::Advise(args)) => advise(args),
        None => daemon(args),
    }
}

fn daemon(args: &HostArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(directives(&args.log))
        .with_context(|| format!("--log {}: write a level such as info or debug", args.log));
    let filter = filter.map_err(Failure::BadInput)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let settings = args.settings.settings()?;
    wait_for(host::run(settings, &args.state))?.map_err(failure)
}

fn failure(error: HostError) -> Failure {
    if error.leaves_it_to_others() {
        Failure::LeftToOthers(error.into())
    } else {
        Failure::Failed(error.into())
    }
}

fn status(args: &StatusArgs) -> Result<(), Failure> {
    let status = host::status(&args.state).map_err(failure)?;
    match args.format {
        Format::Json => print_json(&status),
        Format::Table => print(shown(&status).trim_end()),
    }
}

fn shown(status: &HostStatus) -> String {
    let owner = |owner: Owner| match owner {
        Owner::Smoc => "smoc",
        Owner::Others => "others",
        Owner::Kernel => "kernel",
    };
    let mut text = match (status.pid, status.subflows) {
        (Some(pid), Some(subflows)) => {
            let by = if status.told_by_edge { "the edge says" } else { "as configured" };
            let which = match status.mode {
                Some(Mode::Userspace) => "long or big connection",
                _ => "connection",
            };
            format!("smoc host runs (pid {pid}): {subflows} subflows a {which}, {by}\n")
        }
        _ => "smoc host does not run here\n".to_owned(),
    };
    let limits = &status.limits;
    text += &format!("limits: {} (set by: {}", limits.limits, owner(limits.owner));
    text += &limits.before.map_or(")\n".to_owned(), |before| format!("; before: {before})\n"));
    if let Some(counts) = status.counts {
        text += &format!(
            "connections: {}, long or big: {}, subflows of all: {}\n",
            counts.connections, counts.worth, counts.subflows
        );
    }
    if !status.listeners.is_empty() {
        let listeners: Vec<String> = status.listeners.iter().map(ToString::to_string).collect();
        text += &format!("listens for joins: {}\n", listeners.join(" "));
    }
    if !status.endpoints.is_empty() {
        let mut table = Table::new(["id", "address", "port", "flags", "set by"]);
        for endpoint in &status.endpoints {
            let port = endpoint.port.map_or("-".to_owned(), |port| port.to_string());
            table.row([
                endpoint.id.to_string(),
                endpoint.address.to_string(),
                port,
                endpoint.flags.clone(),
                owner(endpoint.owner).to_owned(),
            ]);
        }
        text += &format!("\n{table}");
    }
    for warning in &status.warnings {
        text += &format!("\nwarning: {warning}\n");
    }
    text
}

fn advise(args: &AdviseArgs) -> Result<(), Failure> {
    let settings = args.settings.settings()?;
    let advice = wait_for(host::advise(&settings))?.map_err(failure)?;
    if args.format == Format::Json {
        return print_json(&advice);
    }
    if advice.iter().all(|advice| !advice.command.contains("endpoint")) && settings.subflows > 1 {
        eprintln!(
            "smoc: no endpoints: this host has no address that could have one, or is a client with one address"
        );
    }
    let lines = advice.iter().map(|advice| format!("# {}\n{}", advice.why, advice.command));
    print(&lines.collect::<Vec<_>>().join("\n"))
}
