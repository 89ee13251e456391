//! The `smoc-lab` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    smoc_tests::cli::run()
}
