//! `smoc events`: what has happened at a switch.

use std::time::{Duration, UNIX_EPOCH};

use clap::ValueEnum;
use smoc_control::history::{Entry, Kind, Page};

use super::{
    Failure, Format,
    live::{LiveArgs, ask},
    print,
    span::span,
};

/// Arguments of `smoc events`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "An agent remembers as much as fits into 4 MB, since its start. What is not there any more is counted.
With --format json each entry is a line by itself. Kinds: agent, port, link, path, host, connection, fallback,
blackhole, policy, store, warning, gap.

Examples:
  smoc events --since 10m
  smoc events --follow --kind link,path
  smoc events --format json | jq 'select(.kind == \"blackhole\")'"
)]
pub struct EventsArgs {
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only what happened in this time, such as 10m
    #[arg(long, value_name = "TIME", value_parser = span)]
    since: Option<Duration>,
    /// Only these kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<KindName>,
    #[command(flatten)]
    live: LiveArgs,
}

/// A kind as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KindName(Kind);

impl ValueEnum for KindName {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [KindName; Kind::ALL.len()] = {
            let mut all = [KindName(Kind::Agent); Kind::ALL.len()];
            let mut place = 0;
            while place < all.len() {
                all[place] = KindName(Kind::ALL[place]);
                place += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}

/// Runs the verb.
///
/// # Errors
/// No agent answers.
pub fn run(args: &EventsArgs) -> Result<(), Failure> {
    let mut from = 0;
    let mut since = args.since.map(|since| format!("&since_seconds={}", since.as_secs())).unwrap_or_default();
    loop {
        let wait = if args.follow { 20 } else { 0 };
        let page: Page = ask(&args.live.agent, &format!("/events?from={from}&wait_seconds={wait}{since}"))?;
        if page.next < from {
            eprintln!("the agent was started again: what it knew before is gone");
            (from, since) = (0, String::new());
            continue;
        }
        // At the beginning nothing that was asked for is missing.
        if page.missing > 0 && from > 0 {
            eprintln!(
                "{} entries are not there any more: they came faster than they were read",
                page.missing
            );
        }
        for entry in page.entries.iter().filter(|entry| is_wanted(args, entry)) {
            print(&match args.live.format {
                Format::Table => line(entry),
                Format::Json => {
                    serde_json::to_string(entry).map_err(|error| Failure::Failed(error.into()))?
                }
            })?;
        }
        let is_all = page.entries.is_empty() || page.next == from;
        from = page.next;
        if is_all && !args.follow {
            return Ok(());
        }
        since = String::new();
    }
}

fn is_wanted(args: &EventsArgs, entry: &Entry) -> bool {
    args.kind.is_empty() || args.kind.contains(&KindName(entry.kind))
}

/// Time (UTC), kind, subject, text.
fn line(entry: &Entry) -> String {
    let subject = if entry.subject.is_empty() { String::new() } else { format!("{}: ", entry.subject) };
    let at = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_micros(entry.at));
    format!("{at}  {:<10}  {subject}{}", entry.kind, entry.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line_with_its_time_in_utc() {
        let entry = Entry {
            number: 3,
            at: 1_790_000_000_123_456,
            kind: Kind::Link,
            subject: "e1:1-m1:1".into(),
            text: "down".into(),
        };
        assert_eq!(line(&entry), "2026-09-21T14:13:20.123Z  link        e1:1-m1:1: down");
    }
}
