//! The `smoc` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    smoc_agent::cli::run()
}
