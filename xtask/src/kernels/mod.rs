//! `cargo xtask kernels`: the XDP programs on other kernels than the one that runs here, in machines that qemu emulates.

mod machine;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::requirements::{self, Verb};
use crate::workspace::{cargo, target_dir};
use crate::{artifacts, build_ebpf};
use machine::{Kernel, Tests};

/// The kernels of Debian that smoc says something about, oldest first. README names the oldest on which everything passes.
const SERIES: &[Series] = &[
    Series { name: "6.1", with: Outcome::Refused, without: Outcome::Refused },
    Series { name: "6.12", with: Outcome::Passes, without: Outcome::Refused },
];

/// Tests of the programs and of what they cost the verifier, with all capabilities. Mutated frames take too long here. Of random
/// conversations one frame of thousands is now and then treated otherwise than in memory on an emulated machine, where a
/// second run may pass: it is not known why, so they say nothing here.
const WITH: &str = "program:: verifier::every_program verifier::the_logging --skip mutated_frames \
                    --skip conversations_teach_both --skip hosts_that_are_not_known";
/// Loading with the three capabilities that an agent needs, so without CAP_PERFMON.
const WITHOUT: &str = "verifier::the_three_capabilities";

/// A kernel and what is known to happen there.
struct Series {
    name: &'static str,
    /// With CAP_PERFMON.
    with: Outcome,
    /// Without.
    without: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All tests pass.
    Passes,
    /// The verifier refuses the programs.
    Refused,
    /// They load, and do something else than in memory.
    Fails,
}

/// Boots each kernel twice and compares what happens with what is known; the last line is `N passed, N failed`.
///
/// # Errors
/// Something cannot be had or built, or a machine does not come to the end of its tests.
pub fn run(only: &[String]) -> Result<ExitCode> {
    for name in only {
        let known: Vec<_> = SERIES.iter().map(|series| series.name).collect();
        ensure!(known.contains(&name.as_str()), "{name} is not among the kernels: {}", known.join(", "));
    }
    requirements::ensure(Verb::Kernels)?;
    let tests = tests()?;
    let (mut passed, mut failed) = (0, 0);
    for series in
        SERIES.iter().filter(|series| only.is_empty() || only.iter().any(|name| name == series.name))
    {
        let kernel = Kernel::fetch(series.name, &target_dir().join("kernels"))?;
        for (whose, arguments, known) in
            [("with CAP_PERFMON", WITH, series.with), ("without CAP_PERFMON", WITHOUT, series.without)]
        {
            eprintln!("kernels: Linux {} {whose}", series.name);
            let outcome = outcome(&kernel.run(&tests, arguments)?);
            let verdict = if outcome == known {
                "as is known"
            } else {
                "not as is known: mend it, or what README says"
            };
            println!("Linux {} {whose}: {outcome:?}, {verdict}", series.name);
            if outcome == known { passed += 1 } else { failed += 1 }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn outcome(said: &str) -> Outcome {
    if said.contains("ended with 0") {
        Outcome::Passes
    } else if said.contains("the kernel refuses ") {
        Outcome::Refused
    } else {
        Outcome::Fails
    }
}

/// Builds what is run: the programs' own tests, and the objects.
fn tests() -> Result<Tests> {
    let mut objects = build_ebpf::build()?;
    objects.extend(build_ebpf::build_logging()?);
    let arguments = ["build", "--package", "smoc-tests", "--features", "programs", "--test", "programs"];
    let built = artifacts::build(cargo().args(arguments))?;
    let binary = built.into_iter().find(|built| built.is_integration_test && built.name == "programs");
    Ok(Tests { binary: binary.context("cargo built no tests of the programs")?.path, objects })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_tests_decides() {
        assert_eq!(outcome("test a ... ok\nended with 0\n"), Outcome::Passes);
        assert_eq!(outcome("test a ... FAILED\nended with 101\n"), Outcome::Fails);
        let refused = "called `Result::unwrap()`: the kernel refuses smoc_host: ...\nended with 101\n";
        assert_eq!(outcome(refused), Outcome::Refused);
    }
}
