//! `cargo xtask bench paths`: what the path search costs.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Builds the benchmark of smoc-paths optimised and runs it. It compares with networkx if Python has it
/// (`pip install networkx`).
///
/// # Errors
/// It does not build, or fails.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let networkx = Command::new("python3").args(["-c", "import networkx"]).output();
    if !networkx.is_ok_and(|python| python.status.success()) {
        eprintln!("python3 has no networkx, so there is no comparison with it: pip install networkx");
    }
    let status = Command::new(env!("CARGO"))
        .args(["run", "--release", "--package", "smoc-paths", "--example", "bench_paths", "--"])
        .args(arguments)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}
