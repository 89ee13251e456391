//! `cargo xtask lab`: networks of namespaces to look around in.

use std::ffi::OsString;

use anyhow::Result;

use crate::products::{Profile, exec_lab};
use crate::requirements::{self, Verb};

/// Builds everything and hands over to `smoc-lab lab`.
///
/// # Errors
/// Something does not build; otherwise it does not return.
pub fn run(arguments: &[OsString]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "etcd" || argument == "--store=etcd") {
        requirements::ensure(Verb::Store)?;
    }
    exec_lab(Profile::Dev, "lab", arguments)
}
