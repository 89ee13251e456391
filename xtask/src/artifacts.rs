//! What cargo says it built: the programs and test binaries in its JSON messages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace::command_line;

/// One executable that a build produced or found up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    /// The target's name: of the program, or of the crate that the test binary tests.
    pub name: String,
    /// Whether it is a test binary.
    pub is_test: bool,
    /// Whether it is a test binary of its own (in `tests/`), not one of a library or program.
    pub is_integration_test: bool,
    /// The directory of the package's manifest.
    pub package: PathBuf,
    /// The file.
    pub path: PathBuf,
}

#[derive(Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Runs a `cargo build` and gives back its executables; progress and diagnostics go to standard error.
///
/// # Errors
/// It cannot be started, fails, or prints something that is not a message.
pub fn build(command: &mut Command) -> Result<Vec<Executable>> {
    command.arg("--message-format=json-render-diagnostics");
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start `{}`", command_line(command)))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", command_line(command), output.status);
    }
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Reads cargo's messages, one a line, and keeps those that name an executable.
fn parse(messages: &str) -> Result<Vec<Executable>> {
    let mut found = Vec::new();
    for line in messages.lines() {
        let message: Message =
            serde_json::from_str(line).with_context(|| format!("not a message of cargo: {line}"))?;
        let Message {
            manifest_path: Some(manifest),
            target: Some(target),
            profile: Some(profile),
            executable: Some(path),
        } = message
        else {
            continue;
        };
        let package = manifest.parent().unwrap_or(Path::new("/")).to_owned();
        let is_integration_test = profile.test && target.kind.iter().any(|kind| kind == "test");
        found.push(Executable {
            name: target.name,
            is_test: profile.test,
            is_integration_test,
            package,
            path,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"{"reason":"compiler-artifact","manifest_path":"/w/c/Cargo.toml","target":{"name":"core","kind":["lib"]},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"name":"smoc","kind":["bin"]},"profile":{"test":false},"executable":"/t/debug/smoc"}
{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"name":"smoc","kind":["bin"]},"profile":{"test":true},"executable":"/t/debug/deps/smoc-1"}
{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"name":"cli","kind":["test"]},"profile":{"test":true},"executable":"/t/debug/deps/cli-1"}
{"reason":"build-finished","success":true}"#;

    #[test]
    fn programs_and_test_binaries_are_told_apart_and_libraries_left_out() {
        let found = parse(MESSAGES).unwrap();
        assert_eq!(found.iter().map(|found| found.is_test).collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(
            found.iter().map(|found| found.is_integration_test).collect::<Vec<_>>(),
            [false, false, true]
        );
        assert_eq!(found.iter().map(|found| &*found.name).collect::<Vec<_>>(), ["smoc", "smoc", "cli"]);
        assert!(found.iter().all(|found| found.package == Path::new("/w/a")));
        assert_eq!(found[0].path, Path::new("/t/debug/smoc"));
    }

    #[test]
    fn output_that_is_no_message_is_refused() {
        assert!(parse("warning: not JSON").is_err());
    }
}
