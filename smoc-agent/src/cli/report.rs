//! `smoc report`: what a period was like, as one page to mail.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use smoc_control::history::Page;

use super::{
    Failure, Format,
    live::{LiveArgs, wait},
    print, print_json,
    span::span,
};
use crate::{
    api::{self, ClientError},
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
  smoc report e2.sock e3.sock                      # three switches on one page
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
    #[command(flatten)]
    live: LiveArgs,
}

/// Runs the verb.
///
/// # Errors
/// No agent answers, or a file cannot be written.
pub fn run(args: &ReportArgs) -> Result<(), Failure> {
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
    let mut report =
        Report { until, seconds: args.since.as_secs(), switches: Vec::new(), silent: BTreeMap::new() };
    for socket in std::iter::once(&args.live.agent.api).chain(&args.others) {
        match wait(answers(socket, args.since)) {
            Ok(answers) => report.switches.push(SwitchReport::new(&answers)),
            Err(failure) if args.others.is_empty() => return Err(failure),
            Err(Failure::BadInput(error) | Failure::Failed(error)) => {
                report.silent.insert(socket.display().to_string(), format!("{error:#}"));
            }
        }
    }
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
async fn answers(socket: &Path, since: Duration) -> Result<Answers, ClientError> {
    let seconds = since.as_secs();
    let (mut events, mut missing_events, mut from) = (Vec::new(), 0, 0);
    loop {
        let page: Page = api::get(socket, &format!("/events?from={from}&since_seconds={seconds}")).await?;
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
        status: api::get(socket, "/status").await?,
        topology: api::get(socket, "/topology").await?,
        hosts: api::get(socket, "/hosts").await?,
        events,
        missing_events,
        recorded: api::get(socket, &format!("/series?since_seconds={seconds}&most={LOOKS}")).await?,
        openers: api::get(socket, "/openers").await?,
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
