//! `cargo xtask fuzz`: mutated frames through the XDP programs, beside the pipeline in memory.

use std::ffi::OsString;

use anyhow::Result;

use crate::products::{Profile, exec_lab};

/// Builds everything and hands over to `smoc-lab fuzz`.
///
/// # Errors
/// Something does not build; otherwise it does not return.
pub fn run(arguments: &[OsString]) -> Result<()> {
    exec_lab(Profile::Dev, "fuzz", arguments)
}
