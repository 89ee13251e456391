//! `smoc ping` and `smoc traceroute`: single probes along a path of a running agent's switch.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use serde::Serialize;

use super::{Failure, Format, live::ask, print, print_json, socket::AgentSocket};
use crate::api::ProbeView;

/// How often each hop of `smoc traceroute` is asked.
const TRIES: usize = 3;

/// Arguments of `smoc ping`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "A probe follows the path's source route to its last switch, whose packet path turns it \
round; no agent but this one takes part. The time is taken in the kernel.\n\n\
Exit status 1: no probe came back.\n\nExample: smoc ping --to e2 --rank 1 --count 3"
)]
pub struct PingArgs {
    #[command(flatten)]
    path: PathArgs,
    /// How many probes to send
    #[arg(long, short, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Time between two probes, in milliseconds
    #[arg(long, short, default_value_t = 1000, value_name = "MS")]
    interval: u64,
}

/// Arguments of `smoc traceroute`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Three probes go to each switch of the path, further and further, and are turned round \
there. Where answers stop, the path is broken: between that switch and the one before it, or on the way back.\n\n\
Exit status 1: the last switch did not answer.\n\nExample: smoc traceroute --to e2 --rank 1"
)]
pub struct TracerouteArgs {
    #[command(flatten)]
    path: PathArgs,
}

/// Which path.
#[derive(clap::Args, Debug)]
struct PathArgs {
    /// The switch at its end
    #[arg(long, value_name = "SWITCH")]
    to: String,
    /// Its rank
    #[arg(long, default_value_t = 0)]
    rank: u8,
    #[command(flatten)]
    agent: AgentSocket,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl PathArgs {
    fn probe(&self, hops: Option<usize>) -> Result<ProbeView, Failure> {
        let hops = hops.map_or_else(String::new, |hops| format!("&hops={hops}"));
        ask(&self.agent, &format!("/probe?to={}&rank={}{hops}", self.to, self.rank))
    }
}

/// What all probes together say, as ping(8) does.
#[derive(Debug, PartialEq, Serialize)]
struct Summary {
    sent: usize,
    returned: usize,
    loss: f64,
    min_ms: Option<f64>,
    avg_ms: Option<f64>,
    max_ms: Option<f64>,
    mdev_ms: Option<f64>,
}

impl Summary {
    fn new(times: &[Option<f64>]) -> Self {
        let back: Vec<f64> = times.iter().copied().flatten().collect();
        let count = back.len() as f64;
        let some = |value: f64| (!back.is_empty()).then_some((value * 1e3).round() / 1e3);
        let mean = back.iter().sum::<f64>() / count;
        let variance = back.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / count;
        Self {
            sent: times.len(),
            returned: back.len(),
            loss: 1.0 - count / times.len().max(1) as f64,
            min_ms: some(back.iter().copied().fold(f64::INFINITY, f64::min)),
            avg_ms: some(mean),
            max_ms: some(back.iter().copied().fold(0.0, f64::max)),
            mdev_ms: some(variance.sqrt()),
        }
    }
}

#[derive(Serialize)]
struct Pinged<'a> {
    to: &'a str,
    rank: u8,
    switches: &'a [String],
    round_trips_ms: &'a [Option<f64>],
    #[serde(flatten)]
    summary: Summary,
}

/// Runs `smoc ping`.
///
/// # Errors
/// No agent answers, there is no such path, or no probe came back.
pub fn run(args: &PingArgs) -> Result<(), Failure> {
    let PathArgs { to, rank, format, .. } = &args.path;
    let mut times = Vec::new();
    let mut switches = Vec::new();
    for sequence in 0..args.count {
        let started = Instant::now();
        let view = args.path.probe(None)?;
        if *format == Format::Table {
            if sequence == 0 {
                print(&format!("rank {rank} to {to}: {}", view.switches.join(" - ")))?;
            }
            print(&match view.round_trip_ms {
                Some(time) => format!("from {to}: seq={sequence} time={time:.3} ms"),
                None => format!("from {to}: seq={sequence} lost"),
            })?;
        }
        times.push(view.round_trip_ms);
        switches = view.switches;
        if sequence + 1 < args.count {
            std::thread::sleep(Duration::from_millis(args.interval).saturating_sub(started.elapsed()));
        }
    }
    let summary = Summary::new(&times);
    let returned = summary.returned;
    match format {
        Format::Json => {
            print_json(&Pinged { to, rank: *rank, switches: &switches, round_trips_ms: &times, summary })?;
        }
        Format::Table => print(&text(&summary))?,
    }
    if returned == 0 { Err(Failure::Failed(anyhow!("no probe came back from {to}"))) } else { Ok(()) }
}

fn text(summary: &Summary) -> String {
    let Summary { sent, returned, loss, .. } = summary;
    let mut text = format!("{sent} probes sent, {returned} returned, {:.0}% lost", loss * 100.0);
    if let (Some(min), Some(avg), Some(max), Some(mdev)) =
        (summary.min_ms, summary.avg_ms, summary.max_ms, summary.mdev_ms)
    {
        let _ = write!(text, "\nround trip min/avg/max/mdev = {min:.3}/{avg:.3}/{max:.3}/{mdev:.3} ms");
    }
    text
}

#[derive(Serialize)]
struct Hop {
    hop: usize,
    switch: String,
    round_trips_ms: Vec<Option<f64>>,
}

/// Runs `smoc traceroute`.
///
/// # Errors
/// No agent answers, there is no such path, or its last switch does not answer.
pub fn traceroute(args: &TracerouteArgs) -> Result<(), Failure> {
    let PathArgs { format, .. } = &args.path;
    let mut hops: Vec<Hop> = Vec::new();
    loop {
        let hop = hops.len() + 1;
        let mut tries = Vec::new();
        for _ in 0..TRIES {
            tries.push(args.path.probe(Some(hop))?);
        }
        let switches = &tries[0].switches;
        let (switch, last) = (switches[hop.min(switches.len() - 1)].clone(), hop + 1 >= switches.len());
        let times: Vec<_> = tries.iter().map(|view| view.round_trip_ms).collect();
        if *format == Format::Table {
            let time = |time: &Option<f64>| time.map_or_else(|| "*".to_owned(), |ms| format!("{ms:.3} ms"));
            print(&format!("{hop:>2}  {switch}  {}", times.iter().map(time).collect::<Vec<_>>().join("  ")))?;
        }
        hops.push(Hop { hop, switch, round_trips_ms: times });
        if last {
            break;
        }
    }
    if *format == Format::Json {
        print_json(&hops)?;
    }
    let answers = |hop: &Hop| hop.round_trips_ms.iter().any(Option::is_some);
    match hops.iter().position(|hop| !answers(hop)) {
        Some(first) if !hops.last().is_some_and(answers) => {
            let before = if first == 0 { "this switch" } else { &hops[first - 1].switch };
            let here = &hops[first].switch;
            Err(Failure::Failed(anyhow!("answers stop at {here}: the fault is between {before} and {here}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_that_of_ping() {
        let summary = Summary::new(&[Some(1.0), None, Some(3.0), Some(2.0)]);
        let lines = text(&summary);
        assert!(lines.starts_with("4 probes sent, 3 returned, 25% lost\n"), "{lines}");
        assert!(lines.ends_with("= 1.000/2.000/3.000/0.816 ms"), "{lines}");
        let nothing = Summary::new(&[None]);
        assert_eq!((nothing.loss, nothing.avg_ms), (1.0, None));
    }
}
