//! Every command that a human or CI runs, one file per verb.
//!
//! `main -> build_ebpf, test, dist, lab, demo, bench, fuzz, races, sim, kernels, book -> products, requirements -> toolchain, artifacts ->
//! workspace`.

mod artifacts;
mod bench;
mod bench_paths;
mod book;
mod build_ebpf;
mod demo;
mod dist;
mod fuzz;
#[cfg(test)]
mod imports;
mod kernels;
mod lab;
mod products;
mod races;
mod requirements;
mod sim;
mod test;
mod toolchain;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

/// Builds, tests and shows smoc: every MPTCP subflow on its own path.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true, after_help = START)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const START: &str = "\
Where to start:
  cargo xtask demo          builds everything, then shows four subflows on four paths (root, a few minutes)
  cargo xtask test          everything that CI checks; ends with `N passed, N failed`

To look around in a network of your own:
  cargo xtask lab up examples/diamond.yaml
  cargo xtask lab status
  cargo xtask lab exec h1 -- ip mptcp endpoint show
  cargo xtask lab down

Whatever a verb needs and this machine lacks is named and installed first: by root with apt-get, rustup and cargo.
Without root or network it prints the commands instead. Network namespaces and XDP need root (sudo -E).
Plain `cargo test` needs none of this.";

#[derive(Subcommand)]
enum Verb {
    /// Compile the XDP programs to target/bpf/smoc.bpf.o
    BuildEbpf {
        /// Instead, to target/bpf/smoc-log.bpf.o, programs whose slow path logs what it decides: for `smoc agent --log trace`
        #[arg(long)]
        log: bool,
    },
    /// Run every check: format, lints, unit, property, program and lab tests, verifier cost
    #[command(after_help = test::STEPS_HELP)]
    Test {
        /// Only these steps and what they need; without, all of them
        #[arg(value_name = "STEP", value_parser = test::step_names())]
        only: Vec<String>,
    },
    /// Make what users install in target/dist: smoc as one file, a Debian package and an archive, reproducibly
    Dist(dist::DistArgs),
    /// Turn a topology file into namespaces with agents and MPTCP hosts: up, exec, link, status, down
    Lab(Passed),
    /// The main job in one command: TCP, MPTCP over ECMP and MPTCP over smoc on the same four paths
    Demo(Passed),
    /// Measure: `packet` (cost per frame), `paths` (path search), `failover` (time to recover), `convergence`, `floods`, `churn`
    Bench(Passed),
    /// Send mutated frames through the XDP programs and the pipeline in memory, and compare: `--frames`, `--seed`
    Fuzz(Passed),
    /// Send the same handshakes and ends through the XDP programs on two CPUs at once, a million times: `--rounds`, `--only`
    Races(Passed),
    /// Run whole fabrics of real agents in virtual time, with faults drawn from seeds: `--seed N` runs one again
    Sim(Passed),
    /// Boot older kernels of Debian in qemu, without acceleration, and load the programs there; takes some minutes
    Kernels {
        /// Only these, such as 6.12; without, all of them
        #[arg(value_name = "SERIES")]
        only: Vec<String>,
    },
    /// Build the book from docs to target/book/html; installs mdBook the first time, which takes two minutes
    Book {
        /// Instead, write the pages that are made from the command lines: docs/reference*.md
        #[arg(long)]
        write: bool,
    },
}

/// What is passed on as it is; `--help` too.
#[derive(Args)]
#[command(disable_help_flag = true)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode> {
    match verb {
        Verb::BuildEbpf { log } => {
            for object in build_ebpf::run(log)? {
                eprintln!("built {}", object.display());
            }
        }
        Verb::Test { only } => return test::run(&only),
        Verb::Dist(args) => return dist::run(&args),
        Verb::Lab(Passed { arguments }) => lab::run(&arguments)?,
        Verb::Demo(Passed { arguments }) => demo::run(&arguments)?,
        Verb::Bench(Passed { arguments }) => bench::run(&arguments)?,
        Verb::Fuzz(Passed { arguments }) => fuzz::run(&arguments)?,
        Verb::Races(Passed { arguments }) => races::run(&arguments)?,
        Verb::Sim(Passed { arguments }) => sim::run_seeds(&arguments)?,
        Verb::Kernels { only } => return kernels::run(&only),
        Verb::Book { write: true } => book::write()?,
        Verb::Book { write: false } => eprintln!("built {}", book::build()?.display()),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use smoc_book::{assert_made, faults, pages, reference, shown};

    #[test]
    fn the_reference_of_the_repositorys_commands_is_the_command_line() {
        let introduction = "What `cargo xtask` does in the repository. What follows `lab`, `demo`, `bench`, `fuzz` and `races` is on \
                            [a page of its own](reference-lab.md), what follows `sim` on that of the [simulator](simulator.md). \
                            Made by `cargo xtask book --write`.";
        assert_made(
            "docs/reference-xtask.md",
            &reference("Reference: cargo xtask", introduction, Cli::command()),
        );
    }

    #[test]
    fn every_command_shown_could_be_typed() {
        let commands: Vec<_> = pages().iter().flat_map(|page| shown(page, &["cargo", "xtask"])).collect();
        assert!(commands.len() > 40, "{} commands were found", commands.len());
        let faults = faults(&commands, 2, &Cli::command());
        assert!(faults.is_empty(), "commands that cargo xtask does not take:\n{}", faults.join("\n"));
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_lab_demo_and_bench_is_passed_on_unread() {
        let line = ["cargo xtask", "lab", "exec", "h1", "--", "ip", "-4", "address"];
        let Verb::Lab(Passed { arguments }) = Cli::parse_from(line).verb else { panic!("not the lab") };
        assert_eq!(arguments, ["exec", "h1", "--", "ip", "-4", "address"]);
        let Verb::Demo(Passed { arguments }) = Cli::parse_from(["cargo xtask", "demo", "--help"]).verb else {
            panic!("not the demo")
        };
        assert_eq!(arguments, ["--help"]);
    }
}
