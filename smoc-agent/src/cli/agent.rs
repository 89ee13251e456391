//! `smoc agent` and `smoc detach`: the daemon, and taking away what it leaves in the kernel.

use std::{io::IsTerminal, path::PathBuf};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use super::Failure;
use smoc_control::config::Config;

use crate::agent::{self, AgentError};

/// Arguments of `smoc agent`.
#[derive(clap::Args, Debug)]
pub struct AgentArgs {
    /// The configuration file. Its `bpf.object` comes before the BPF objects inside this program, if it was built with them
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// What to log: error, warn, info, debug or trace; or such levels by module, as in smoc_agent=debug,aya=warn.
    /// With the object of `cargo xtask build-ebpf --log`, trace (smoc_ebpf=trace) has what the packet path's slow path decides
    #[arg(long, env = "SMOC_LOG", default_value = "info", value_name = "LEVEL")]
    log: String,
}

/// Arguments of `smoc detach`.
#[derive(clap::Args, Debug)]
pub struct DetachArgs {
    /// The configuration file of the agent, which must not be running
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the agent until a signal ends it.
///
/// # Errors
/// The configuration is faulty, or the agent cannot start.
pub fn run(args: &AgentArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(directives(&args.log))
        .with_context(|| format!("--log {}: write a level such as info or debug", args.log));
    let filter = filter.map_err(Failure::BadInput)?;
    // Written by a thread of its own: a log that blocks stops no hello. Lines that do not fit its queue are dropped.
    let (writer, log) = tracing_appender::non_blocking(std::io::stderr());
    let dropped = writer.error_counter();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(writer)
        .init();
    let config = Config::load(&args.config).map_err(Failure::bad_input)?;
    // One thread is enough for control.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime")?;
    let ended = runtime.block_on(agent::run(config)).map_err(failure);
    drop(log);
    match dropped.dropped_lines() {
        0 => {}
        lines => eprintln!("smoc: {lines} lines of the log were dropped because nobody read them"),
    }
    ended
}

/// A bare level is meant for smoc's own crates alone: libraries say a lot at debug.
pub(super) fn directives(log: &str) -> String {
    if log.contains(['=', ',']) {
        return log.to_owned();
    }
    let ours = ["smoc_agent", "smoc_control", "smoc_paths", "smoc_ebpf"].map(|name| format!("{name}={log}"));
    format!("warn,{}", ours.join(","))
}

/// Removes programs and maps.
///
/// # Errors
/// The configuration is faulty, an agent is running, or something cannot be removed.
pub fn detach(args: &DetachArgs) -> Result<(), Failure> {
    let config = Config::load(&args.config).map_err(Failure::bad_input)?;
    let (links, maps) = agent::detach(&config).map_err(failure)?;
    let pin = config.pin.display();
    match (links, maps) {
        (0, 0) => eprintln!("nothing is pinned in {pin}"),
        _ => eprintln!("removed {links} programs and {maps} maps from {pin}"),
    }
    Ok(())
}

fn failure(error: AgentError) -> Failure {
    if error.is_bad_input() { Failure::bad_input(error) } else { Failure::Failed(error.into()) }
}
