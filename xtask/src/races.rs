//! `cargo xtask races`: two CPUs at one entry at once.

use std::ffi::OsString;

use anyhow::Result;

use crate::products::{Profile, exec_lab};

/// Builds everything and hands over to `smoc-lab races`.
///
/// # Errors
/// Something does not build; otherwise it does not return.
pub fn run(arguments: &[OsString]) -> Result<()> {
    exec_lab(Profile::Dev, "races", arguments)
}
