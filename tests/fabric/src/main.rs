//! `cargo xtask sim`: runs seeds and says which fail.

use std::{ops::Range, process::ExitCode, time::Instant};

use clap::Parser;
use smoc_fabric::{Fabric, Options, Outcome, network::Size, seeds};

/// Runs fabrics of real agents and the real packet path in virtual time, with faults, and checks what must hold.
///
/// One seed is one run, each time the same. A seed that fails is printed with the shortest list of faults that still
/// fails and the command that runs just that.
#[derive(Parser)]
#[command(name = "cargo xtask sim", after_help = EXAMPLES)]
struct Cli {
    /// Run this seed and tell what came of it
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run these seeds, the last one not included
    #[arg(long, value_name = "A..B", value_parser = range, default_value = "0..1000")]
    seeds: Range<u64>,
    /// Switches, drawn from the seed if not told; 20, 45, 80, 125, ... 500 are fat-trees
    #[arg(long)]
    switches: Option<usize>,
    /// Hosts, drawn from the seed if not told
    #[arg(long)]
    hosts: Option<usize>,
    /// Agents have no topology file: they find out what the network is
    #[arg(long)]
    discover: bool,
    /// Operators apply policies
    #[arg(long)]
    policies: bool,
    /// Let only so many of the first episodes of faults happen
    #[arg(long)]
    episodes: Option<usize>,
    /// No faults, and an end after so many seconds of virtual time
    #[arg(long, value_name = "SECONDS")]
    only: Option<f64>,
    /// Tell everything that happens, on standard error
    #[arg(long)]
    trace: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask sim --seeds 0..5000
  cargo xtask sim --seed 42 --trace
  cargo xtask sim --switches 20 --seeds 0..1000
  cargo xtask sim --discover --seeds 0..1000
  cargo xtask sim --policies --seeds 0..1000
  cargo xtask sim --switches 500 --hosts 20000 --seed 1 --only 6";

fn range(text: &str) -> Result<Range<u64>, String> {
    let parse = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    let (from, to) = text.split_once("..").ok_or("write it as 0..1000")?;
    Ok(parse(from)?..parse(to)?)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let options = Options {
        seed: cli.seed.unwrap_or_default(),
        size: Size { switches: cli.switches, hosts: cli.hosts, discover: cli.discover },
        episodes: cli.episodes,
        trace: cli.trace,
        progress: cli.switches.is_some_and(|switches| switches > 100) && !cli.trace,
        broken: None,
        policies: cli.policies,
        only: cli.only.map(std::time::Duration::from_secs_f64),
    };
    let start = Instant::now();
    let failures = match cli.seed {
        Some(_) => {
            let outcome = Fabric::new(options).run();
            println!("{outcome}");
            let took = start.elapsed().as_secs_f64();
            eprintln!("{took:.1} s, {:.0} events a second", outcome.counts.events as f64 / took);
            usize::from(outcome.violation.is_some())
        }
        None => many(options, cli.seeds),
    };
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(options: Options, range: Range<u64>) -> usize {
    let (start, count) = (Instant::now(), range.end.saturating_sub(range.start));
    let done = std::sync::Mutex::new((0u64, 0u64, 0u64));
    let failures = seeds::run(options, range, |outcome| {
        let Ok(mut done) = done.lock() else { return };
        done.0 += 1;
        done.1 += outcome.counts.events;
        if let Some(violation) = &outcome.violation {
            done.2 += 1;
            eprintln!("seed {} fails: {}", outcome.seed, violation.what);
        }
        if done.0.is_multiple_of(count.div_ceil(20).max(1)) {
            let seconds = start.elapsed().as_secs_f64();
            eprintln!("{} of {count} seeds, {} failed, {seconds:.0} s", done.0, done.2);
        }
    });
    for failed in failures.iter().take(3) {
        tell(options, failed);
    }
    let more: Vec<String> = failures.iter().skip(3).map(|failed| failed.seed.to_string()).collect();
    if !more.is_empty() {
        println!("more seeds that fail: {}", more.join(", "));
    }
    let events = done.into_inner().map_or(0, |done| done.1);
    println!(
        "{count} seeds, {} failed, {events} events in {:.1} s",
        failures.len(),
        start.elapsed().as_secs_f64()
    );
    failures.len()
}

/// A failed seed, as short as it gets.
fn tell(options: Options, failed: &Outcome) {
    let options = Options { seed: failed.seed, ..options };
    let outcome = seeds::shrink(options, failed.clone());
    println!("{outcome}");
    let size =
        |name: &str, size: Option<usize>| size.map_or(String::new(), |size| format!(" --{name} {size}"));
    println!(
        "again: cargo xtask sim --seed {} --episodes {}{}{}{} --trace\n",
        failed.seed,
        outcome.episodes,
        size("switches", options.size.switches),
        size("hosts", options.size.hosts),
        match (options.size.discover, options.policies) {
            (false, false) => "",
            (true, false) => " --discover",
            (false, true) => " --policies",
            (true, true) => " --discover --policies",
        },
    );
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use smoc_book::{faults, pages, shown};

    use super::*;

    #[test]
    fn every_command_shown_could_be_typed() {
        let of = |page| shown(page, &["cargo", "xtask", "sim"]);
        let commands: Vec<_> = pages().iter().flat_map(of).collect();
        assert!(!commands.is_empty());
        let faults = faults(&commands, 3, &Cli::command());
        assert!(faults.is_empty(), "commands that the simulator does not take:\n{}", faults.join("\n"));
    }
}
