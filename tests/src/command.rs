//! Running the system's tools (`ip`, `tc`, `bridge`, `ethtool`) so that a failure says which command and why.

use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::netns::{Namespace, Unnamed};

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// When it cannot be started (naming the Debian package if it is not installed) or exits with a status other than 0.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))?;
    checked(&output, || format!("{command:?}"))
}

/// Runs lines of one tool's batch mode inside a namespace: one process for many steps.
///
/// `tool` is `ip`, `tc` or `bridge`. Nothing runs when there are no lines.
///
/// # Errors
/// As [`run`], naming the line that failed.
pub fn batch(tool: &str, namespace: &Namespace, lines: &[String]) -> Result<()> {
    let mut command = Command::new(tool);
    command.args(["-n", namespace.name(), "-batch", "-"]);
    feed(command, &format!("{tool} -n {}", namespace.name()), lines)
}

/// The same inside a namespace without a name.
///
/// # Errors
/// As [`batch`].
pub fn batch_at(tool: &str, namespace: &Unnamed, lines: &[String]) -> Result<()> {
    let mut command = namespace.command(tool);
    command.args(["-batch", "-"]);
    feed(command, tool, lines)
}

/// Runs a tool that reads these lines; `what` is how it is called in front of the line that failed.
fn feed(mut command: Command, what: &str, lines: &[String]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_started(&command, &error))?;
    let mut script = lines.join("\n");
    script.push('\n');
    let mut stdin = child.stdin.take().context("the pipe to a batch is missing")?;
    // A tool that stopped at a bad line closes the pipe; its exit status tells the story.
    let _ = stdin.write_all(script.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().with_context(|| format!("wait for {what}"))?;
    checked(&output, || {
        let said = String::from_utf8_lossy(&output.stderr);
        let failed = said.rsplit_once("-:").and_then(|(_, line)| line.trim().parse::<usize>().ok());
        let line = failed.and_then(|number| lines.get(number.checked_sub(1)?));
        format!("{what} {}", line.map_or("-batch -", String::as_str))
    })
    .map(drop)
}

fn checked(output: &Output, what: impl FnOnce() -> String) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    bail!(
        "{}: {}",
        what(),
        if said.trim().is_empty() { output.status.to_string() } else { said.trim().to_owned() }
    )
}

fn not_started(command: &Command, error: &std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy();
    let package = match &*program {
        "ip" | "tc" | "bridge" | "ss" => "iproute2",
        "nsenter" => "util-linux",
        other => other,
    };
    match error.kind() {
        ErrorKind::NotFound => anyhow!("{program} is not installed: apt-get install {package}"),
        _ => anyhow!("start {program}: {error}"),
    }
}
