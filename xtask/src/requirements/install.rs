//! Installing what is missing, or saying exactly what to type.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::{Result, bail};

use super::{Requirement, Source, bpf_linker, on_path};
use crate::toolchain::Toolchain;
use crate::workspace::{command, command_line, run};

/// One command of the installation.
#[derive(Debug)]
struct Step {
    command: Command,
    needs_root: bool,
    /// What to do instead if it fails.
    otherwise: Vec<Step>,
}

impl Step {
    fn user(command: Command) -> Self {
        Self { command, needs_root: false, otherwise: Vec::new() }
    }

    fn root(command: Command) -> Self {
        Self { command, needs_root: true, otherwise: Vec::new() }
    }

    /// The line to type: with its environment, and with `sudo` where it is needed.
    fn line(&self) -> String {
        let variable = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
            Some(format!("{}={} ", name.to_string_lossy(), value?.to_string_lossy()))
        };
        let environment: String = self.command.get_envs().filter_map(variable).collect();
        let sudo = if self.needs_root && !is_root() { "sudo " } else { "" };
        format!("  {sudo}{environment}{}", command_line(&self.command))
    }

    fn perform(mut self) -> Result<()> {
        let failure = match run(&mut self.command) {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if self.otherwise.is_empty() || !may_run(&self.otherwise) {
            return Err(failure);
        }
        eprintln!("{failure:#}; instead:\n{}", lines(&self.otherwise));
        self.otherwise.into_iter().try_for_each(Self::perform)
    }
}

/// Says what it will run, and runs it.
///
/// # Errors
/// A step needs root, or failed (no network, for instance): the error lists the commands that remain.
pub fn install(missing: &[&Requirement], toolchain: &Toolchain) -> Result<()> {
    let mut steps = plan(missing, toolchain)?;
    if steps.iter().any(|step| step.needs_root) && !on_path("apt-get") {
        let names: Vec<_> = missing.iter().map(|requirement| requirement.name).collect();
        bail!("there is no apt-get here: install {} with this system's package manager", names.join(", "));
    }
    if !may_run(&steps) {
        bail!("installing this needs root. Run\n{}", lines(&steps));
    }
    eprintln!("installing it:\n{}", lines(&steps));
    while !steps.is_empty() {
        let remaining = lines(&steps);
        if let Err(failure) = steps.remove(0).perform() {
            bail!("{failure:#}. Is there a network? What remains to be done:\n{remaining}");
        }
    }
    Ok(())
}

/// Packages first, in one go; the linker last, because its build needs the rest.
fn plan(missing: &[&Requirement], toolchain: &Toolchain) -> Result<Vec<Step>> {
    let mut packages = Vec::new();
    let mut steps = Vec::new();
    for requirement in missing {
        match requirement.source {
            Source::Debian(package) => packages.push(package),
            Source::Component(component, _) if toolchain.is_rustup() => steps.push(rustup(component)),
            Source::Component(_, package) => packages.push(package),
            Source::BpfLinker => steps.extend(bpf_linker::install(toolchain)?.into_iter().map(Step::user)),
        }
    }
    let mut plan = apt(&packages);
    plan.append(&mut steps);
    Ok(plan)
}

fn rustup(component: &str) -> Step {
    let mut command = command("rustup");
    command.args(["component", "add", component]);
    // Debian's compiler and its source go together: neither fits the other half of rustup's.
    let otherwise = match component {
        "rust-src" if on_path("apt-get") => apt(&["rustc-web", "cargo-web", "rust-web-src"]),
        _ => Vec::new(),
    };
    Step { otherwise, ..Step::user(command) }
}

/// Fresh package lists, then the packages; nothing for no packages.
fn apt(packages: &[&str]) -> Vec<Step> {
    if packages.is_empty() {
        return Vec::new();
    }
    let apt_get = |arguments: &[&str]| {
        let mut command = command("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        Step::root(command)
    };
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    vec![apt_get(&["update"]), apt_get(&install)]
}

fn may_run(steps: &[Step]) -> bool {
    is_root() || steps.iter().all(|step| !step.needs_root)
}

fn lines(steps: &[Step]) -> String {
    steps.iter().map(Step::line).collect::<Vec<_>>().join("\n")
}

/// The owner of a process's directory in /proc is its effective user.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
