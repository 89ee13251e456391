//! What the lab runs: the agent, the lab's own command and the BPF object, built and found.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::build_ebpf;
use crate::requirements::{self, Verb};
use crate::workspace::{cargo, command, command_line, run, target_dir};

/// Which of cargo's profiles the host programs are built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Shared with the tests, so that everything is compiled once.
    Dev,
    /// For what measures the host programs themselves.
    Release,
}

/// Installs what is missing, builds everything and replaces this process by `smoc-lab VERB ARGUMENTS`, so that
/// signals and the exit status are the lab's own. Progress goes to standard error.
///
/// # Errors
/// Something does not build, or the lab does not start; on success it does not return.
pub fn exec_lab<S: AsRef<std::ffi::OsStr>>(profile: Profile, verb: &str, arguments: &[S]) -> Result<()> {
    requirements::ensure(Verb::Lab)?;
    build_ebpf::build()?;
    build_programs(profile)?;
    let mut lab = command(program(profile, "smoc-lab"));
    // Files on the command line are relative to where the user is, not to the workspace.
    lab.current_dir(std::env::current_dir()?);
    environment(&mut lab, profile).arg(verb).args(arguments);
    let error = lab.exec();
    Err(error).with_context(|| format!("cannot start `{}`", command_line(&lab)))
}

/// Builds the agent and the lab's command.
///
/// # Errors
/// They do not compile.
pub fn build_programs(profile: Profile) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--package", "smoc-agent", "--package", "smoc-tests", "--bins"]);
    build.args(requirements::features());
    if profile == Profile::Release {
        build.arg("--release");
    }
    run(&mut build)
}

/// Tells a program of the crate `tests` where the agent (`SMOC_BIN`) and the object (`SMOC_BPF_OBJECT`) are.
pub fn environment(command: &mut Command, profile: Profile) -> &mut Command {
    command.env("SMOC_BIN", program(profile, "smoc")).env("SMOC_BPF_OBJECT", build_ebpf::object())
}

fn program(profile: Profile, name: &str) -> PathBuf {
    let directory = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    target_dir().join(directory).join(name)
}
