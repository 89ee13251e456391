//! How long after a failure the last agent of a fat-tree has new tables.
//!
//! Each agent remembers when it had written tables that heed a link's failure (`smoc events`: the link is down). All agents of a lab
//! have one clock, so the times can be compared: with the moment before the link was taken down, and with the first agent, at an end of the link, which
//! needs to hear of it from nobody. That one is the reference: what is behind it is what telling all others takes.

use std::fmt;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::cli::Format;
use crate::lab::{Condition, Direction, Lab, LabOptions, Routing, check_interrupted};
use crate::testing::example;

/// How long to wait at most until all agents have new tables, and until all use a link again that is back.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing happens before the next failure.
const REST: Duration = Duration::from_secs(2);

/// How to measure.
#[derive(Args, Clone, Debug)]
pub struct ConvergenceOptions {
    /// How many links fail, one after the other.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
}

/// What one failure took, in milliseconds.
#[derive(Clone, Debug, Serialize)]
struct Round {
    /// The link that lost its carrier.
    link: String,
    /// From the order to take it down until the first agent had new tables.
    first: f64,
    /// The same of the last agent.
    last: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    switches: usize,
    rounds: Vec<Round>,
    /// Processes that were ready to run, over the last minute, before and after (getloadavg(3)).
    load: [f64; 2],
}

/// Measures, in a lab of its own.
///
/// # Errors
/// The lab cannot be built, or an agent does not hear of a failure.
pub fn run(options: &ConvergenceOptions) -> Result<()> {
    let before = load()?;
    let lab =
        LabOptions { routing: Routing::Smoc, quiet: true, ..LabOptions::new(example("fat-tree-k4.yaml")) };
    let mut lab = Lab::up(&lab)?;
    let links: Vec<String> = lab.plan().links.iter().map(|link| link.name.clone()).collect();
    let switches: Vec<String> = lab.plan().switches.iter().map(|switch| switch.name.clone()).collect();
    let mut rounds = Vec::new();
    for round in 0..options.rounds as usize {
        // Near and far links in turn: a step that shares no factor with their number.
        let link = &links[round * 7 % links.len()];
        check_interrupted()?;
        thread::sleep(REST);
        rounds.push(fail(&mut lab, link, &switches)?);
        eprintln!("convergence: {link}: {:.1} ms", rounds[round].last);
    }
    let report = Report { switches: switches.len(), rounds, load: [before, load()?] };
    match options.format {
        Format::Json => println!("{}", serde_json::to_string(&report)?),
        Format::Table => print!("\n{report}"),
    }
    Ok(())
}

/// Lets a link fail and come back.
fn fail(lab: &mut Lab, link: &str, switches: &[String]) -> Result<Round> {
    let began = now()?;
    lab.set_link(link, Condition::Down, Direction::Both)?;
    let times = all_say(lab, switches, link, "down", began)?;
    let returned = now()?;
    lab.set_link(link, Condition::Up, Direction::Both)?;
    all_say(lab, switches, link, "up", returned)?;
    let milliseconds = |at: u64| (at - began) as f64 / 1e3;
    let (first, last) =
        (times.iter().min().context("no switches")?, times.iter().max().context("no switches")?);
    Ok(Round { link: link.to_owned(), first: milliseconds(*first), last: milliseconds(*last) })
}

fn now() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}

/// When each switch first had tables that heed that a link is down or up, after this time.
fn all_say(lab: &Lab, switches: &[String], link: &str, state: &str, from: u64) -> Result<Vec<u64>> {
    let end = from + u64::try_from(PATIENCE.as_micros())?;
    let mut times = Vec::new();
    for switch in switches {
        loop {
            if let Some(at) = said(lab, switch, link, state, from)? {
                times.push(at);
                break;
            }
            ensure!(now()? < end, "{switch} does not say that {link} is {state}");
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(times)
}

fn said(lab: &Lab, switch: &str, link: &str, state: &str, from: u64) -> Result<Option<u64>> {
    let output = lab.smoc(switch, &["events", "--since", "1m", "--kind", "link"])?;
    ensure!(output.status.success(), "{switch}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line)?;
        let at = entry["at"].as_u64().context("an entry without a time")?;
        if at >= from && entry["subject"] == link && entry["text"] == state {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn load() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    text.split(' ').next().and_then(|load| load.parse().ok()).context("/proc/loadavg")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = self.load;
        writeln!(
            f,
            "{} agents, {} failures of a link, milliseconds from the order to take it down; load {before:.1} to {after:.1}",
            self.switches,
            self.rounds.len()
        )?;
        writeln!(f, "{:<40} {:>8} {:>8} {:>8}", "", "min", "median", "max")?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, of: &dyn Fn(&Round) -> f64| {
            let mut all: Vec<f64> = self.rounds.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            let (middle, last) = (all.len() / 2, all.len().saturating_sub(1));
            let [least, median, most] = [0, middle, last].map(|at| all.get(at).copied().unwrap_or_default());
            writeln!(f, "{name:<40} {least:>8.1} {median:>8.1} {most:>8.1}")
        };
        row(f, "first agent's new tables (reference)", &|round| round.first)?;
        row(f, "last agent's new tables", &|round| round.last)?;
        row(f, "last, as a multiple of the first", &|round| round.last / round.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_min_median_and_max_of_both() {
        let round = |first: f64, last: f64| Round { link: "a:1-b:1".into(), first, last };
        let rounds = vec![round(5.0, 20.0), round(4.0, 10.0), round(6.0, 30.0)];
        let text = Report { switches: 20, rounds, load: [1.0, 2.5] }.to_string();
        let numbers = |name: &str| -> Vec<String> {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line[40..].split_whitespace().map(str::to_owned).collect()
        };
        assert_eq!(numbers("first"), ["4.0", "5.0", "6.0"]);
        assert_eq!(numbers("last agent"), ["10.0", "20.0", "30.0"]);
        assert_eq!(numbers("last, as"), ["2.5", "4.0", "5.0"]);
        assert!(text.starts_with("20 agents, 3 failures") && text.contains("load 1.0 to 2.5"));
    }
}
