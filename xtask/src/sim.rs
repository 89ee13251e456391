//! `cargo xtask sim`: fabrics in virtual time.

use std::{ffi::OsString, os::unix::process::CommandExt};

use anyhow::{Context, Result};

use crate::workspace::{cargo, command, run, target_dir};

/// Builds the simulator, optimised as the tests have it but with checks for overflow, and replaces this process by it.
/// Neither root nor the BPF object is needed.
///
/// # Errors
/// It does not build or start; on success it does not return.
pub fn run_seeds(arguments: &[OsString]) -> Result<()> {
    run(cargo().args(["build", "--package", "smoc-fabric", "--bin", "smoc-fabric"]))?;
    let error = command(target_dir().join("debug/smoc-fabric")).args(arguments).exec();
    Err(error).context("cannot start the simulator")
}
