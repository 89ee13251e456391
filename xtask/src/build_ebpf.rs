//! `cargo xtask build-ebpf`: compiles the crate smoc-ebpf to BPF objects.
//!
//! Stable rustc builds `core` for the BPF target itself (`RUSTC_BOOTSTRAP=1`, `-Zbuild-std=core`). All of it
//! stays in a target directory of its own, so that neither build invalidates the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::artifacts;
use crate::requirements::{self, Verb};
use crate::toolchain::Toolchain;
use crate::workspace::{cargo_home, command, root, target_dir};

const PACKAGE: &str = "smoc-ebpf";
const TARGET: &str = "bpfel-unknown-none";

/// Installs what is missing and builds every program, or the logging one; gives back the objects, `smoc.bpf.o` first.
///
/// # Errors
/// A requirement is missing and cannot be installed, or the programs do not compile.
pub fn run(logging: bool) -> Result<Vec<PathBuf>> {
    requirements::ensure(Verb::BuildEbpf)?;
    if logging { build_logging() } else { build() }
}

/// Builds the product once more, with a slow path that logs: `smoc-log.bpf.o`, which leaves `smoc.bpf.o` as it is.
///
/// # Errors
/// The programs do not compile.
pub fn build_logging() -> Result<Vec<PathBuf>> {
    let mut cargo = cargo_with_linker("build", &[], &bpf_dir().join("log"))?;
    let built = artifacts::build(cargo.args(["--bin", "smoc", "--features", "log"]))?;
    let program = built.first().context("the package has no binary `smoc`")?;
    let object = bpf_dir().join(object_name("log"));
    copy_if_changed(&program.path, &object)?;
    Ok(vec![object])
}

/// Builds every program, given that the requirements are there.
///
/// # Errors
/// The programs do not compile.
pub fn build() -> Result<Vec<PathBuf>> {
    let mut objects = Vec::new();
    for program in artifacts::build(&mut cargo_for_bpf("build")?)? {
        let object = bpf_dir().join(object_name(&program.name));
        copy_if_changed(&program.path, &object)?;
        objects.push(object);
    }
    objects.push(build_capturing()?);
    let main = object();
    objects.sort_by_key(|path| (*path != main, path.clone()));
    if objects.first() != Some(&main) {
        bail!("the package {PACKAGE} has no binary `smoc`, so there is no {}", main.display());
    }
    Ok(objects)
}

/// The product once more, for as long as a capture runs: `smoc-capture.bpf.o`.
fn build_capturing() -> Result<PathBuf> {
    let built = artifacts::build(cargo_for_bpf("build")?.args(["--bin", "smoc", "--features", "capture"]))?;
    let program = built.first().context("the package has no binary `smoc`")?;
    let object = bpf_dir().join(object_name("capture"));
    copy_if_changed(&program.path, &object)?;
    Ok(object)
}

/// The object that the agent loads.
pub fn object() -> PathBuf {
    bpf_dir().join(object_name("smoc"))
}

/// `cargo VERB` for the BPF crate and target, with the linker that matches this rustc.
///
/// # Errors
/// There is no such linker.
pub fn cargo_for_bpf(verb: &str) -> Result<Command> {
    // Without CAP_PERFMON the verifier does not let a number take the place of a pointer on the stack. The logging
    // programs have no stack to spare for that; it so happens that the verifier takes them nevertheless.
    cargo_with_linker(verb, &["-C", "link-arg=--llvm-args=-no-stack-coloring"], &bpf_dir())
}

fn cargo_with_linker(verb: &str, more: &[&str], target: &Path) -> Result<Command> {
    let toolchain = Toolchain::for_bpf()?;
    let linker = format!("linker={}", requirements::bpf_linker(&toolchain)?.display());
    // What debug information says of a file is the same wherever it is built, and so are objects.
    let home = cargo_home()?;
    let paths = [(home.as_path(), "/cargo"), (&toolchain.sysroot, "/rust"), (root(), "/smoc")];
    let paths = paths.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let mut flags = vec!["-C", "target-cpu=v3", "-C", "link-arg=--btf"];
    flags.extend(more);
    flags.extend(["-C", "debuginfo=2", "-C", &linker]);
    flags.extend(paths.iter().map(String::as_str));
    let mut command = command(&toolchain.cargo);
    command
        .env("RUSTC", &toolchain.rustc)
        .env("PATH", toolchain.path()?)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env_remove("RUSTFLAGS")
        .args([verb, "--package", PACKAGE, "--target", TARGET, "-Zbuild-std=core", "--release"])
        .args(["--config", "profile.release.panic='abort'"])
        .args(["--config", "profile.release.codegen-units=1", "--config", "profile.release.lto=false"])
        .arg("--target-dir")
        .arg(target);
    Ok(command)
}

fn bpf_dir() -> PathBuf {
    target_dir().join("bpf")
}

/// `smoc` is the product and gives `smoc.bpf.o`; another program `x` gives `smoc-x.bpf.o`.
fn object_name(binary: &str) -> String {
    match binary {
        "smoc" => "smoc.bpf.o".to_owned(),
        other => format!("smoc-{other}.bpf.o"),
    }
}

/// Leaves an equal file alone, so that its time says when the object last changed.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    fs::write(to, new).with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_and_other_programs_get_their_object_names() {
        assert_eq!(object_name("smoc"), "smoc.bpf.o");
        assert_eq!(object_name("bench"), "smoc-bench.bpf.o");
    }
}
