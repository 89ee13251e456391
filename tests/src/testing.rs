//! What the tests in `tests/tests` share.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::lab::{Lab, LabOptions, Routing};

/// A file of the repository's `examples`.
pub fn example(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).join(name)
}

/// Options for a test's lab of an example: one that waits its turn and is silent.
pub fn options(name: &str, routing: Routing) -> LabOptions {
    LabOptions { routing, wait: true, quiet: true, ..LabOptions::new(example(name)) }
}

/// Whether this test can run; if not, says why and counts as skipped.
pub fn can_run(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("SKIP {test}: needs root");
    }
    root
}

/// A lab for a test, or `None` where the test is skipped.
///
/// # Errors
/// When the lab cannot be built.
pub fn lab_for(test: &str, options: &LabOptions) -> Result<Option<Lab>> {
    can_run(test).then(|| Lab::up(options)).transpose()
}

/// Waits until something is so, or fails after a while that no busy machine needs.
///
/// # Errors
/// It cannot be found out, or does not come true.
pub fn wait_until(mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so()? {
        ensure!(Instant::now() < deadline, "what was waited for does not come true");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
