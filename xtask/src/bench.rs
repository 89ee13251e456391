//! `cargo xtask bench`: what smoc costs.

use std::ffi::OsString;

use anyhow::Result;

use crate::bench_paths;
use crate::products::{Profile, exec_lab};

/// `paths` needs no lab; everything else is built optimised and handed over to `smoc-lab bench`.
///
/// # Errors
/// Something does not build, or the path search's benchmark fails; from the lab's it does not return.
pub fn run(arguments: &[OsString]) -> Result<()> {
    if let Some((first, rest)) = arguments.split_first()
        && first == "paths"
    {
        return bench_paths::run(rest);
    }
    exec_lab(Profile::Release, "bench", arguments)
}
