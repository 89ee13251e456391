//! The steps of `cargo xtask test` and running one of them.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::report::Report;
use super::times::Times;
use crate::artifacts::{self, Executable};
use crate::build_ebpf::{self, cargo_for_bpf};
use crate::products::{self, Profile};
use crate::requirements::{self, Verb};
use crate::workspace::{cargo, command, command_line, output, root, run};

/// One step.
pub struct Step {
    /// What it is called on the command line and in the sum.
    pub name: &'static str,
    /// What it checks, in a few words.
    pub what: &'static str,
    /// Steps without which it cannot run; they come before it in [`STEPS`].
    pub needs: &'static [&'static str],
    check: fn(&mut Built) -> Result<Report>,
}

/// The test binaries that the step `build` made for the steps after it.
pub type Built = Vec<Executable>;

/// All steps, in order.
#[rustfmt::skip]
pub const STEPS: &[Step] = &[
    Step { name: "requirements", what: "tools and libraries", needs: &[], check: requirements },
    Step { name: "format", what: "rustfmt on every crate", needs: &[], check: format },
    Step { name: "lint", what: "clippy on what runs in user space", needs: &[], check: lint },
    Step { name: "lint-ebpf", what: "clippy on the XDP programs", needs: &["requirements"], check: lint_ebpf },
    Step { name: "build", what: "agent, lab and all tests, compiled once", needs: &[], check: build },
    Step { name: "unit", what: "unit and property tests", needs: &["build"], check: unit },
    Step { name: "doc", what: "examples in the documentation", needs: &["build"], check: doc },
    Step { name: "build-ebpf", what: "the BPF objects, the logging one too", needs: &["requirements"], check: build_bpf },
    Step { name: "kernel", what: "programs in the kernel, their verifier cost, labs", needs: &["build", "build-ebpf"], check: kernel },
];

/// How a skip ends that root would have prevented.
pub const NEEDS_ROOT: &str = "needs root";

/// Everything but the BPF crate. Always the same packages: another choice means other features of the
/// dependencies, and so compiling them again.
const HOST: [&str; 3] = ["--workspace", "--exclude", "smoc-ebpf"];

/// How `timeout` exits when time was up.
const TIMED_OUT: i32 = 124;

impl Step {
    /// Runs it; an error counts as one failure, and is shown.
    pub fn run(&self, built: &mut Built) -> Report {
        (self.check)(built).unwrap_or_else(|error| {
            let said = format!("{error:#}");
            println!("{said}");
            let first = said.lines().next().unwrap_or_default();
            Report { failed: vec![format!("{}: {first}", self.name)], ..Report::default() }
        })
    }
}

/// A check that holds, or fails as a whole with an error.
fn holds(outcome: Result<()>) -> Result<Report> {
    outcome.map(|()| Report { passed: 1, ..Report::default() })
}

fn requirements(_: &mut Built) -> Result<Report> {
    holds(requirements::ensure(Verb::Test))
}

fn format(_: &mut Built) -> Result<Report> {
    holds(run(cargo().args(["fmt", "--all", "--check"])))
}

fn lint(_: &mut Built) -> Result<Report> {
    holds(run(cargo().arg("clippy").args(HOST).args(requirements::features()).args([
        "--all-targets",
        "--keep-going",
        "--",
        "-D",
        "warnings",
    ])))
}

fn lint_ebpf(_: &mut Built) -> Result<Report> {
    for features in ["", "log"] {
        run(cargo_for_bpf("clippy")?.args(["--features", features, "--", "-D", "warnings"]))?;
    }
    holds(Ok(()))
}

fn build(built: &mut Built) -> Result<Report> {
    *built = artifacts::build(
        cargo().arg("build").args(HOST).args(requirements::features()).args(["--lib", "--bins", "--tests"]),
    )?;
    built.retain(|executable| executable.is_test);
    holds(Ok(()))
}

fn unit(built: &mut Built) -> Result<Report> {
    let mut report = Report::default();
    for test in built.iter().filter(|test| !needs_kernel(test)) {
        report.add(run_tests(&mut start(&test.path, test), &label(test))?);
    }
    if !requirements::has_protoc() {
        report.skipped.push("smoc-agent/etcd: there is no protoc to build it with".to_owned());
    }
    Ok(report)
}

fn doc(_: &mut Built) -> Result<Report> {
    run_tests(
        cargo().args(["test", "--doc", "--no-fail-fast"]).args(HOST).args(requirements::features()),
        "documentation",
    )
}

fn build_bpf(_: &mut Built) -> Result<Report> {
    holds(build_ebpf::build().and_then(|_| build_ebpf::build_logging()).map(drop))
}

/// One test at a time, because a machine has room for one lab; uncaptured, because they take a while and say so.
fn kernel(built: &mut Built) -> Result<Report> {
    let mut report = Report::default();
    for test in built.iter().filter(|test| needs_kernel(test)) {
        if requirements::is_root() {
            let mut command = start_limited(test);
            products::environment(&mut command, Profile::Dev).args(["--test-threads=1", "--nocapture"]);
            report.add(run_tests(&mut command, &label(test))?);
        } else {
            let listed = output(start(&test.path, test).arg("--list"))?;
            let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
            report.skipped.extend(names.map(|name| format!("{} {name}: {NEEDS_ROOT}", label(test))));
        }
    }
    Ok(report)
}

/// What loads programs and makes namespaces is below tests/tests, and nothing else is.
fn needs_kernel(test: &Executable) -> bool {
    test.is_integration_test && test.package == root().join("tests")
}

fn label(test: &Executable) -> String {
    let package = test.package.file_name().unwrap_or_default().to_string_lossy();
    format!("{package}/{}", test.name)
}

/// A program in the surroundings in which cargo would start a test binary.
fn start(program: &Path, test: &Executable) -> Command {
    let mut command = command(program);
    command.current_dir(&test.package).env("CARGO_MANIFEST_DIR", &test.package);
    command
}

/// The test binary, ended after a quarter of an hour: what waits for a network could wait for ever.
fn start_limited(test: &Executable) -> Command {
    let mut command = start(Path::new("timeout"), test);
    command.args(["--foreground", "--kill-after=30", "900"]).arg(&test.path);
    command
}

/// Runs tests, passing their output on as it comes, and reads what it says.
fn run_tests(command: &mut Command, label: &str) -> Result<Report> {
    println!("--- {label}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", command_line(command)))?;
    let mut pipe = child.stdout.take().context("a test without output")?;
    let (mut said, mut times) = (Vec::new(), Times::default());
    let mut chunk = [0; 4096];
    loop {
        let read = pipe.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&chunk[..read])?;
        stdout.flush()?;
        said.extend_from_slice(&chunk[..read]);
        times.heard(&String::from_utf8_lossy(&said));
    }
    let status = child.wait()?;
    if let Some(slowest) = times.slowest() {
        println!("slowest of {label}: {slowest}");
    }
    let mut report = Report::of_libtest(&String::from_utf8_lossy(&said), label);
    if !status.success() && report.failed.is_empty() {
        let why = if status.code() == Some(TIMED_OUT) { "took too long" } else { "died" };
        report.failed.push(format!("{label} {why} ({status})"));
    }
    Ok(report)
}
