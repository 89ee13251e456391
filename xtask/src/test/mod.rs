//! `cargo xtask test`: everything that CI checks, in order, with one sum at the end.
//!
//! A lint or a build counts as one check; the test runners' counts are added up. A skip is named with its
//! reason, and fails the run unless it is expected: nothing is expected but what needs root when there is
//! no root, and under `CI` not even that.

mod report;
mod step;
mod times;

use std::env;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::builder::PossibleValuesParser;

use crate::requirements;
use report::Report;
use step::{Built, STEPS, Step};

/// What `cargo xtask test --help` says about the steps.
pub const STEPS_HELP: &str = "\
Steps, in order: requirements, format, lint, lint-ebpf, build, unit, doc, build-ebpf, kernel.
`kernel` loads the programs and brings labs up: it needs root and is skipped, by name, without.
The last line is `N passed, N failed`, with `, N skipped` if something did not run.";

/// The names that the command line accepts.
pub fn step_names() -> PossibleValuesParser {
    PossibleValuesParser::new(STEPS.iter().map(|step| step.name))
}

/// Runs the steps named in `only`, or all of them, and prints the sum.
///
/// # Errors
/// Only standard output failing; a failed check is in the exit status and the sum.
pub fn run(only: &[String]) -> Result<ExitCode> {
    let steps = chosen(only);
    let start = Instant::now();
    let mut total = Report::default();
    let mut built = Built::default();
    let mut broken: Vec<&str> = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        println!("\n==> [{}/{}] {}: {}", position + 1, steps.len(), step.name, step.what);
        let began = Instant::now();
        let blocker = step.needs.iter().find(|needed| broken.contains(needed));
        let report = match blocker {
            Some(needed) => {
                Report { skipped: vec![format!("{}: {needed} failed", step.name)], ..Report::default() }
            }
            None => step.run(&mut built),
        };
        if !report.failed.is_empty() || blocker.is_some() {
            broken.push(step.name);
        }
        println!("<== {}: {report} in {:.1} s", step.name, began.elapsed().as_secs_f64());
        total.add(report);
    }
    finish(total, start)
}

/// The named steps and those they need, or all, in order.
fn chosen(only: &[String]) -> Vec<&'static Step> {
    let mut names: Vec<&str> = only.iter().map(String::as_str).collect();
    let mut steps: Vec<&Step> = Vec::new();
    // What a step needs comes before it in the list.
    for step in STEPS.iter().rev() {
        if only.is_empty() || names.contains(&step.name) {
            names.extend(step.needs);
            steps.insert(0, step);
        }
    }
    steps
}

fn finish(mut total: Report, start: Instant) -> Result<ExitCode> {
    println!("\nall steps took {:.0} s", start.elapsed().as_secs_f64());
    for skipped in &total.skipped {
        println!("skipped {skipped}");
    }
    let unexpected: Vec<String> = total.skipped.iter().filter(|skip| !is_expected(skip)).cloned().collect();
    total.failed.extend(unexpected.iter().map(|skip| format!("skipped, but nothing says it may be: {skip}")));
    total.skipped.retain(|skip| !unexpected.contains(skip));
    for failed in &total.failed {
        println!("FAILED {failed}");
    }
    println!("{total}");
    std::io::stdout().flush()?;
    Ok(if total.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a run without this test may still succeed.
fn is_expected(skip: &str) -> bool {
    skip.ends_with(step::NEEDS_ROOT) && !requirements::is_root() && env::var_os("CI").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
        chosen(&only).iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_step_brings_what_it_needs_in_order() {
        assert_eq!(names(&["kernel"]), ["requirements", "build", "build-ebpf", "kernel"]);
        assert_eq!(names(&["unit", "format"]), ["format", "build", "unit"]);
        assert_eq!(names(&[]).len(), STEPS.len());
    }

    #[test]
    fn the_help_names_every_step_in_order() {
        assert!(STEPS_HELP.contains(&names(&[]).join(", ")));
    }

    #[test]
    fn a_skip_that_root_would_not_have_prevented_is_never_expected() {
        assert!(!is_expected("slow: takes an hour"));
        assert!(!is_expected("kernel: build-ebpf failed"));
    }
}
