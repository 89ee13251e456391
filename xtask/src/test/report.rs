//! What Rust's test runner prints, and the sum over all steps.

use std::fmt;

/// What one step, or all of them, came to. Every failure and every skip has a name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many tests and checks succeeded.
    pub passed: usize,
    /// What failed, one name each.
    pub failed: Vec<String>,
    /// What did not run, one name and reason each.
    pub skipped: Vec<String>,
}

impl Report {
    /// Reads the output of one or several test binaries; `label` goes before every name.
    pub fn of_libtest(output: &str, label: &str) -> Self {
        let mut report = Self::default();
        let mut failed = 0;
        let mut skipped_as_passed = 0;
        let mut in_failures = false;
        for line in output.lines() {
            if let Some(counts) = line.strip_prefix("test result: ") {
                report.passed += count(counts, " passed");
                failed += count(counts, " failed");
            } else if let Some((test, reason)) = ignored(line) {
                report.skipped.push(format!("{label} {test}: {reason}"));
            } else if let Some(test_and_reason) = skipped_by_itself(line) {
                report.skipped.push(format!("{label} {test_and_reason}"));
                skipped_as_passed += 1;
            }
            // Twice per binary: first the captured output, which starts with an empty line, then the names.
            match line.strip_prefix("    ") {
                Some(name) if in_failures => report.failed.push(format!("{label} {name}")),
                _ => in_failures = line == "failures:",
            }
        }
        report.passed = report.passed.saturating_sub(skipped_as_passed);
        for unnamed in report.failed.len()..failed {
            report.failed.push(format!("{label}: failure {}, not named in the output", unnamed + 1));
        }
        report
    }

    /// Adds what another step came to.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
    }
}

/// `test NAME ... ignored, REASON` as name and reason.
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (test, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let reason = outcome.strip_prefix("ignored")?;
    Some((test, reason.strip_prefix(", ").unwrap_or("no reason given")))
}

/// `SKIP NAME: REASON`, what a test prints that finds it cannot run; the runner counts it as passed.
fn skipped_by_itself(line: &str) -> Option<&str> {
    let said =
        line.strip_prefix("test ").and_then(|test| test.split_once(" ... ")).map_or(line, |(_, said)| said);
    said.strip_prefix("SKIP ")
}

/// The number before a word in `ok. 5 passed; 0 failed; 1 ignored`.
fn count(counts: &str, word: &str) -> usize {
    let before = counts.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The closing line, which CI reads.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed.len())?;
        match self.skipped.len() {
            0 => Ok(()),
            skipped => write!(formatter, ", {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_BINARIES: &str = "
running 3 tests
test token::tests::vector ... ok
test route::tests::pop ... FAILED
test slow ... ignored, takes an hour

failures:

---- route::tests::pop stdout ----
    an indented line of the test's own
thread 'route::tests::pop' panicked at src/route.rs:9:5

failures:
    route::tests::pop

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

running 12 tests
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";

    #[test]
    fn counts_of_several_binaries_are_summed_and_failures_and_skips_named() {
        let report = Report::of_libtest(TWO_BINARIES, "common");
        assert_eq!(report.passed, 13);
        assert_eq!(report.failed, ["common route::tests::pop"]);
        assert_eq!(report.skipped, ["common slow: takes an hour"]);
        assert_eq!(report.to_string(), "13 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_failure_that_the_runner_only_counts_is_not_lost() {
        let report =
            Report::of_libtest("test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured", "x");
        assert_eq!(report.failed.len(), 2);
    }

    #[test]
    fn no_runner_no_report() {
        let report = Report::of_libtest("   Compiling smoc v0.1.0\nerror: could not compile", "x");
        assert_eq!(report, Report::default());
    }

    #[test]
    fn a_test_that_skips_itself_is_skipped_not_passed() {
        let output = "running 2 tests\ntest ping ... SKIP ping: needs root\nok\ntest pong ... ok\n\n\
                      test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured";
        let report = Report::of_libtest(output, "lab");
        assert_eq!((report.passed, report.skipped), (1, vec!["lab ping: needs root".to_owned()]));
    }

    #[test]
    fn closing_line_names_skips_only_when_there_are_any() {
        assert_eq!(Report { passed: 3, ..Report::default() }.to_string(), "3 passed, 0 failed");
    }
}
