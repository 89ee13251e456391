//! The command with the BPF objects inside, its man pages and completions.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Profile;
use super::version::Version;
use crate::artifacts;
use crate::requirements;
use crate::toolchain::Toolchain;
use crate::workspace::{cargo, cargo_home, command, run};

/// What a build made.
#[derive(Debug)]
pub struct Built {
    /// The command, without symbols.
    pub program: PathBuf,
    /// What `smoc manual` writes.
    pub manual: PathBuf,
    /// The checkout that it was made from.
    pub source: PathBuf,
}

/// Builds the command in a target directory of its own, because paths are mapped: nothing in it says where it was built.
/// `objects` is the directory of the BPF objects.
///
/// # Errors
/// It does not compile.
pub fn build(
    source: &Path,
    objects: &Path,
    target: &Path,
    profile: Profile,
    version: &Version,
) -> Result<Built> {
    let mut cargo = cargo();
    cargo
        .current_dir(source)
        .env("SMOC_OBJECTS", objects)
        .env("SOURCE_DATE_EPOCH", version.epoch.to_string())
        .env("CARGO_ENCODED_RUSTFLAGS", path_flags(source, target)?.join("\x1f"))
        .env_remove("RUSTFLAGS")
        .args(["build", "--locked", "--package", "smoc-agent", "--bin", "smoc"])
        .args(["--features", "smoc-agent/embedded"])
        .args(requirements::features())
        .arg("--target-dir")
        .arg(target);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    let built = artifacts::build(&mut cargo)?;
    let built = built.iter().find(|built| built.name == "smoc").context("cargo built no smoc")?;
    let program = target.join("smoc");
    run(command("strip").args(["--strip-all", "-o"]).arg(&program).arg(&built.path))?;
    let manual = target.join("manual");
    if manual.exists() {
        std::fs::remove_dir_all(&manual).with_context(|| format!("cannot empty {}", manual.display()))?;
    }
    run(command(&program).arg("manual").arg(&manual))?;
    Ok(Built { program, manual, source: source.to_owned() })
}

/// What makes the compiler write the same paths wherever it runs: of the checkout, of crates and of its own library.
fn path_flags(source: &Path, target: &Path) -> Result<Vec<String>> {
    let sysroot = Toolchain::current()?.sysroot;
    let mut flags = Vec::new();
    let mut map = |from: &Path, to: &str| flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    map(&cargo_home()?, "/cargo");
    map(&sysroot, "/rust");
    map(source, "/smoc");
    // The last that fits counts, and the target directory is below the checkout.
    map(target, "/target");
    Ok(flags)
}
