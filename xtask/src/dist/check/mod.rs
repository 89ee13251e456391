//! `cargo xtask dist --check`: the packages are the same when they are made again, and install, upgrade and leave as they should.

mod machine;
mod steps;

use std::fs;
use std::path::Path;
use std::process::{ExitCode, Output};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::contents::{self, Contents};
use super::version::Version;
use super::{DistArgs, Packages, build, dist_dir, pack};
use crate::workspace::{cargo, command, root, run as run_command};
use machine::Machine;

/// What came of the checks.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    fn note(&mut self, what: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => {
                println!("ok      {what}");
                self.passed += 1;
            }
            Err(error) => {
                println!("FAILED  {what}: {error:#}");
                self.failed.push(what.to_owned());
            }
        }
    }
}

/// Runs every check and prints the sum.
///
/// # Errors
/// A Debian to install in cannot be had or started; what the checks find is in the exit status and the sum.
pub fn run(args: &DistArgs, contents: &Contents, version: &Version, packages: &Packages) -> Result<ExitCode> {
    let mut tally = Tally::default();
    let again = dist_dir().join("check/again");
    tally.note("packed again, it is the same", same(packages, &pack(contents, version, &again)?));
    if args.rebuild {
        let rebuilt = rebuild(args, version)?;
        tally.note("built again in another directory, it is the same", same(packages, &rebuilt));
    }
    let next = pack(contents, &version.next(), &dist_dir().join("check/next"))?;
    for suite in &args.suites {
        let start = Instant::now();
        let machine = Machine::boot(suite, &dist_dir().join("check").join(format!("root-{suite}")))?;
        machine.put(&packages.deb, "smoc.deb")?;
        machine.put(&next.deb, "next.deb")?;
        println!("{suite} runs, {:.1} s", start.elapsed().as_secs_f64());
        for (sentence, script) in steps::STEPS {
            let outcome = machine.sh(&format!("{}\n{script}", steps::PRELUDE)).and_then(show);
            tally.note(&format!("{suite}: {sentence}"), outcome);
        }
        println!("{suite} took {:.1} s", start.elapsed().as_secs_f64());
    }
    println!("{} passed, {} failed", tally.passed, tally.failed.len());
    Ok(if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Fails with all that a script said, if it failed; otherwise prints what it measured.
fn show(output: Output) -> Result<()> {
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{}\n{}", output.status, String::from_utf8_lossy(&said).trim_end());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.lines().filter(|line| line.starts_with("measured: ")).for_each(|line| println!("        {line}"));
    Ok(())
}

/// Fails with the names of files that differ.
fn same(one: &Packages, other: &Packages) -> Result<()> {
    let pairs = [(&one.program, &other.program), (&one.deb, &other.deb), (&one.archive, &other.archive)];
    let mut differ = Vec::new();
    for (one, other) in pairs {
        let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        if read(one)? != read(other)? {
            differ.push(format!("{} and {}", one.display(), other.display()));
        }
    }
    if differ.is_empty() { Ok(()) } else { bail!("these differ: {}", differ.join("; ")) }
}

/// Builds and packs the last commit from a copy of it, with nothing of the first build.
fn rebuild(args: &DistArgs, version: &Version) -> Result<Packages> {
    let directory = dist_dir().join("check/rebuild");
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot empty {}", directory.display()))?;
    }
    let copy = directory.join("elsewhere");
    run_command(command("git").args(["clone", "--quiet", "--no-hardlinks"]).arg(root()).arg(&copy))?;
    let target = directory.join("target");
    let mut objects = cargo();
    objects.current_dir(&copy).env("CARGO_TARGET_DIR", &target);
    run_command(objects.args(["run", "--quiet", "--package", "xtask", "--", "build-ebpf"]))?;
    let built = build::build(&copy, &target.join("bpf"), &target, args.profile, version)?;
    pack(&contents::collect(&built)?, version, &directory.join("packed"))
}
