//! `smoc report`: what a period was like, as one page to mail.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use smoc_control::history::Page;

use super::{
    Failure, Format,
    gather::{Agent, Agents, RemoteArgs},
    live::LiveArgs,
    print, print_json,
    span::span,
};
use crate::{
    api::ClientError,
    clock,
    report::{Answers, Report, SwitchReport, page, write_sheets},
};

/// Most looks that are asked for: so many points a chart has.
const LOOKS: usize = 400;

/// Arguments of `smoc report`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "The page needs nothing else, neither scripts nor pictures from elsewhere: mail it, or open it in a browser. It shows
how much each link was used, what failed and how long, how far apart subflows were, joins that were not bound and why, and
hosts that open one subflow only. Agents remember since they were started, as far as their memory reaches
(smoc events --help); the page says from when on it knows.

Examples:
  smoc report --since 24h
  smoc report --since 7d -o monday.html --csv monday/
  smoc report --fabric                             # all switches on one page
  smoc report --format json | jq '.switches[0].outages'"
)]
pub struct ReportArgs {
    /// The sockets of further agents; one that is elsewhere can be brought here, as with `ssh -L e2.sock:/run/smoc/api.sock e2`
    #[arg(value_name = "SOCKET")]
    others: Vec<PathBuf>,
    /// The period: from so long ago until now
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = span)]
    since: Duration,
    /// The page [default: smoc-report.html; with --format json none]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the tables as CSV files into this directory as well
    #[arg(long, value_name = "DIRECTORY")]
    csv: Option<PathBuf>,
    /// All switches of the fabric, as `smoc fabric conns` finds their agents
    #[arg(long)]
    fabric: bool,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    live: LiveArgs,
}

/// Runs the verb.
///
/// # Errors
/// No agent answers, or a file cannot be written.
pub fn run(args: &ReportArgs) -> Result<(), Failure> {
    let remote = args.fabric.then_some(&args.remote);
    let mut agents = Agents::find(&args.live.agent.api, &args.others, remote, true)?;
    let since = args.since;
    let answers = agents.ask(|agent| answers(agent, since))?;
    let report = Report {
        until: clock::microseconds_since_1970(),
        seconds: since.as_secs(),
        switches: answers.values().map(SwitchReport::new).collect(),
        silent: agents.silent,
    };
    if let Some(directory) = &args.csv {
        write_sheets(&report, directory).map_err(Failure::bad_input)?;
    }
    let file = match (&args.output, args.live.format) {
        (None, Format::Json) => None,
        (file, _) => Some(file.as_deref().unwrap_or(Path::new("smoc-report.html"))),
    };
    if let Some(file) = file {
        let written =
            fs::write(file, page(&report)).with_context(|| format!("{}: cannot be written", file.display()));
        written.map_err(Failure::BadInput)?;
    }
    match (args.live.format, file) {
        (Format::Json, _) => print_json(&report),
        (Format::Table, Some(file)) => print(&told(&report, file)),
        (Format::Table, None) => Ok(()),
    }
}

/// All that an agent says of a period.
async fn answers(agent: Agent, since: Duration) -> Result<Answers, ClientError> {
    let seconds = since.as_secs();
    let (mut events, mut missing_events, mut from) = (Vec::new(), 0, 0);
    loop {
        let page: Page = agent.get(&format!("/events?from={from}&since_seconds={seconds}")).await?;
        // Before the first page it is not known whether what is missing was of this period.
        missing_events += if from > 0 { page.missing } else { 0 };
        let is_last = page.entries.is_empty() || page.next == from;
        events.extend(page.entries);
        from = page.next;
        if is_last {
            break;
        }
    }
    Ok(Answers {
        status: agent.get("/status").await?,
        topology: agent.get("/topology").await?,
        hosts: agent.get("/hosts").await?,
        events,
        missing_events,
        recorded: agent.get(&format!("/series?since_seconds={seconds}&most={LOOKS}")).await?,
        openers: agent.get("/openers").await?,
    })
}

/// What was written, and what is worth a look.
fn told(report: &Report, file: &Path) -> String {
    let outages: usize = report.switches.iter().map(|switch| switch.outages.len()).sum();
    let names: Vec<&str> = report.switches.iter().map(|switch| switch.switch.as_str()).collect();
    let mut text = format!("{}: {}, {outages} outages", file.display(), names.join(", "));
    for (socket, why) in &report.silent {
        text += &format!("\n{socket} did not answer: {why}");
    }
    text
}
