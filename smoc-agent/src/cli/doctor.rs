//! `smoc doctor`: what is wrong with a host or a switch, and what mends it.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, anyhow};
use serde::Serialize;
use smoc_control::doctor::{Check, DEFAULT_ROUND_TRIP, Finding, Fix, Severity, Side, examine};
use smoc_paths::topology::{Bandwidth, Latency};

use super::{Failure, Format, live::wait_for, print, print_json, table::Table};
use crate::{
    doctor::{self, DEFAULT_CONFIG, DoctorError, Subject},
    host::DEFAULT_STATE,
};

/// Arguments of `smoc doctor`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Without --host and --switch it is a switch if it has an agent's socket or /etc/smoc/agent.yaml, or if --config is \
given, else an end host. Run it as root: others see less.\n\n\
Exit status: 0 no faults (there may be warnings and notes), 1 faults were found or a change failed, 2 bad usage.\n\n\
Examples:\n  \
smoc doctor                      # what is wrong here\n  \
smoc doctor --fix                # shows the changes that are safe, and asks\n  \
smoc doctor --switch --config agent.yaml\n  \
smoc doctor --host --rate 10Gbit --rtt 2ms\n  \
smoc doctor --list"
)]
pub struct DoctorArgs {
    /// Look at an end host
    #[arg(long)]
    host: bool,
    /// Look at a switch
    #[arg(long)]
    switch: bool,
    /// The agent's configuration; /etc/smoc/agent.yaml if that exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The agent's socket; that of the configuration, else /run/smoc/api.sock
    #[arg(long, env = "SMOC_API", value_name = "SOCKET")]
    api: Option<PathBuf>,
    /// Where `smoc host` remembers what it has set
    #[arg(long, value_name = "FILE", default_value = DEFAULT_STATE)]
    state: PathBuf,
    /// What all paths of a host carry together; the sum of its interfaces' rates
    #[arg(long, value_name = "RATE")]
    rate: Option<Bandwidth>,
    /// The longest round-trip time to other hosts, queues included (10ms)
    #[arg(long, value_name = "TIME")]
    rtt: Option<Latency>,
    /// Make the changes that cut no traffic, after showing them
    #[arg(long)]
    fix: bool,
    /// Do not ask before that
    #[arg(long, requires = "fix")]
    yes: bool,
    /// Show what is well too
    #[arg(long, short)]
    all: bool,
    /// Show what is checked and why
    #[arg(long, conflicts_with_all = ["fix", "all"])]
    list: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Report<'a> {
    /// How many findings there are of each severity.
    faults: usize,
    warnings: usize,
    notes: usize,
    /// The changes that were made, as commands.
    changed: &'a [String],
    findings: &'a [Finding],
}

/// A line of `--list`.
#[derive(Serialize)]
struct Listed {
    id: &'static str,
    side: &'static str,
    what: &'static str,
    why: &'static str,
}

/// Runs the verb.
///
/// # Errors
/// Bad usage, faults that are still there at the end, or a change that the kernel refuses.
pub fn run(args: &DoctorArgs) -> Result<(), Failure> {
    if args.list {
        return list(args);
    }
    let subject = subject(args)?;
    let mut findings = look(&subject)?;
    let mut changed = Vec::new();
    let mut refused = Vec::new();
    if args.fix {
        let fixes = fixes(&findings);
        if !fixes.is_empty() && is_wanted(args, &fixes)? {
            for fix in &fixes {
                match wait_for(async { doctor::make(fix) })? {
                    Ok(()) => changed.push(fix.to_string()),
                    Err(error) => refused.push(error),
                }
            }
            findings = look(&subject)?;
        }
    }
    tell(args, &findings, &changed)?;
    outcome(&findings, refused)
}

fn list(args: &DoctorArgs) -> Result<(), Failure> {
    let wanted = |side: Side| match side {
        Side::Host => args.host || !args.switch,
        Side::Switch => args.switch || !args.host,
    };
    let all = Check::ALL.iter().filter(|check| wanted(check.side())).map(|check| Listed {
        id: check.id(),
        side: check.side().name(),
        what: check.what(),
        why: check.why(),
    });
    if args.format == Format::Json {
        return print_json(&all.collect::<Vec<_>>());
    }
    let mut text = String::new();
    for Listed { id, side, what, why } in all {
        let _ = writeln!(text, "{id} ({side}): {what}\n  {why}");
    }
    print(text.trim_end())
}

/// What to look at, by the command line and by what this machine looks like.
fn subject(args: &DoctorArgs) -> Result<Subject, Failure> {
    if let Some(path) = args.config.as_deref().filter(|path| !path.exists()) {
        let error = anyhow!(
            "{}: there is no such file: name the agent's configuration with --config",
            path.display()
        );
        return Err(Failure::BadInput(error));
    }
    let mut subject = Subject {
        is_host: args.host,
        is_switch: args.switch || args.config.is_some(),
        config: args.config.clone(),
        api: args.api.clone(),
        state: args.state.clone(),
        rate: args.rate.map(Bandwidth::bits_per_second),
        round_trip: args.rtt.map_or(DEFAULT_ROUND_TRIP, |rtt| Duration::from_nanos(rtt.nanos())),
    };
    if !subject.is_host && !subject.is_switch {
        subject.is_switch = subject.looks_like_a_switch();
        subject.is_host = !subject.is_switch;
        let what = if subject.is_switch { "a switch" } else { "an end host" };
        eprintln!(
            "smoc: this looks like {what} ({DEFAULT_CONFIG}, socket): say --host or --switch if it is none"
        );
    }
    Ok(subject)
}

fn look(subject: &Subject) -> Result<Vec<Finding>, Failure> {
    let facts =
        wait_for(doctor::read(subject))?.map_err(|error: DoctorError| Failure::Failed(error.into()))?;
    Ok(examine(&facts))
}

/// The changes that are safe, each once.
fn fixes(findings: &[Finding]) -> Vec<Fix> {
    let mut all: Vec<Fix> = Vec::new();
    for fix in findings.iter().filter_map(Finding::fix) {
        if !all.contains(fix) {
            all.push(fix.clone());
        }
    }
    all
}

/// Shows the changes and asks for leave.
fn is_wanted(args: &DoctorArgs, fixes: &[Fix]) -> Result<bool, Failure> {
    eprintln!("These changes cut no traffic:");
    fixes.iter().for_each(|fix| eprintln!("  {fix}"));
    if args.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::BadInput(anyhow!("nobody can be asked here: add --yes to make these changes")));
    }
    eprint!("Make them? [y/N] ");
    std::io::stderr().flush().context("ask")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

fn tell(args: &DoctorArgs, findings: &[Finding], changed: &[String]) -> Result<(), Failure> {
    let [faults, warnings, notes] =
        [Severity::Fault, Severity::Warning, Severity::Note].map(|severity| count(findings, severity));
    match args.format {
        Format::Json => print_json(&Report { faults, warnings, notes, changed, findings }),
        Format::Table => print(shown(findings, changed, args.all).trim_end()),
    }
}

/// What is wrong, worst first; then how much of it there is.
fn shown(findings: &[Finding], changed: &[String], all: bool) -> String {
    let mut text = String::new();
    for command in changed {
        let _ = writeln!(text, "done: {command}");
    }
    let mut wrong: Vec<&Finding> =
        findings.iter().filter(|finding| finding.severity > Severity::Ok).collect();
    wrong.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in wrong {
        let _ = writeln!(
            text,
            "\n{} {}: {}",
            finding.severity.name().to_uppercase(),
            finding.check.id(),
            finding.found
        );
        let _ = writeln!(text, "  {}", finding.check.why());
        if let Some(command) = finding.command() {
            let safe = if finding.fix().is_some() { "  (--fix does it)" } else { "" };
            let _ = writeln!(text, "  # {command}{safe}");
        }
    }
    let well = findings.iter().filter(|finding| finding.severity == Severity::Ok);
    if all {
        let mut table = Table::new(["ok", "found"]);
        well.clone().for_each(|finding| table.row([finding.check.id().to_owned(), finding.found.clone()]));
        let _ = write!(text, "\n{table}");
    }
    let [faults, warnings, notes] =
        [Severity::Fault, Severity::Warning, Severity::Note].map(|severity| count(findings, severity));
    let _ =
        writeln!(text, "\nfaults: {faults}, warnings: {warnings}, notes: {notes}; well: {}", well.count());
    text
}

fn outcome(findings: &[Finding], refused: Vec<DoctorError>) -> Result<(), Failure> {
    if !refused.is_empty() {
        let all: Vec<String> = refused.iter().map(ToString::to_string).collect();
        return Err(Failure::Failed(anyhow!(
            "changes that could not be made (are you root?): {}",
            all.join("; ")
        )));
    }
    match count(findings, Severity::Fault) {
        0 => Ok(()),
        faults => Err(Failure::Failed(anyhow!("{faults} of these are faults"))),
    }
}

#[cfg(test)]
mod tests {
    use smoc_control::doctor::{Facts, Host, Loopback};

    use super::*;

    /// A host with MPTCP switched off and forced SYN cookies.
    fn ill() -> Vec<Finding> {
        let settings = [("net/mptcp/enabled", "0"), ("net/ipv4/tcp_syncookies", "2")];
        let host = Host {
            limits: None,
            endpoints: Vec::new(),
            daemon: None,
            mode: None,
            mptcpd: None,
            loopback: Loopback::Failed("MPTCP is off".into()),
            rate: None,
            round_trip: DEFAULT_ROUND_TRIP,
        };
        examine(&Facts {
            settings: settings.map(|(path, value)| (path.to_owned(), value.to_owned())).into(),
            host: Some(host),
            ..Facts::default()
        })
    }

    #[test]
    fn the_worst_comes_first_with_its_command_and_what_is_well_on_demand_only() {
        let text = shown(&ill(), &["mount -t bpf bpf /x".to_owned()], false);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in: {text}"));
        assert!(at("done: mount") < at("FAULT mptcp-enabled"));
        assert!(at("# sysctl -w net.mptcp.enabled=1  (--fix does it)") < at("WARNING tcp-syncookies"));
        assert!(text.trim_end().ends_with(&format!("well: {}", count(&ill(), Severity::Ok))));
        assert!(!text.contains("mptcp-scheduler"));
        assert!(shown(&ill(), &[], true).contains("mptcp-scheduler"));
    }

    #[test]
    fn each_change_is_made_once_and_faults_decide_the_exit_status() {
        let twice = [ill(), ill()].concat();
        let commands: Vec<_> = fixes(&twice).iter().map(ToString::to_string).collect();
        assert_eq!(commands, ["sysctl -w net.mptcp.enabled=1", "sysctl -w net.ipv4.tcp_syncookies=1"]);
        assert!(matches!(outcome(&ill(), Vec::new()), Err(Failure::Failed(_))));
        let warnings: Vec<_> = ill().into_iter().filter(|it| it.severity < Severity::Fault).collect();
        assert!(outcome(&warnings, Vec::new()).is_ok());
    }
}
