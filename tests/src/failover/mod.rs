//! What a failure costs: frames lost and silence at the receiver, then how much of what is left a connection uses.
//!
//! Each failure meets two kinds of traffic in a lab of its own: numbered datagrams, which show every lost frame, and an
//! MPTCP connection with a subflow on each path.

mod picture;
mod report;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use smoc_plot::SvgFile;

use crate::cli::Format;
use crate::lab::{Condition, Direction, Lab, LabOptions, Routing, check_interrupted};
use crate::testing::example;
use crate::traffic::{Amount, Arrived, Datagrams, Family, Protocol, Transfer};

pub use report::Report;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// The hosts, and the edge switch of the first.
const SENDER: &str = "h1";
const RECEIVER: &str = "h2";
const EDGE: &str = "e1";
/// In `detours.yaml`, the link that only the detour of m1 around its link to e2 uses.
const DETOUR: &str = "m2:2-e2:2";
/// What shows the cost of a restarted agent is a stream that fills a path, 95 Mbit/s with its headers; of a failure, one
/// whose every datagram has a place in time.
const DENSE: (usize, Duration) = (1250, Duration::from_micros(110));
const SPARSE: (usize, Duration) = (200, MILLISECOND);

/// What fails. Near is the link from the sender's switch, far the one behind it on the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The near link loses its carrier at both ends.
    NearDown,
    /// The far link loses its carrier at both ends.
    FarDown,
    /// The near link swallows everything and keeps its carrier.
    NearSilent,
    /// The far link swallows everything and keeps its carrier.
    FarSilent,
    /// The far link swallows what goes to the receiver.
    OneWay,
    /// The far link loses 30 % of the frames.
    Loss,
    /// The switch between them is gone, and the links to it seem to be up.
    SwitchGone,
    /// Two paths lose their carrier in the same moment, one near and one far.
    TwoAtOnce,
    /// The far link and one that only the detour around it uses swallow everything and keep their carrier.
    DetourToo,
    /// The near link loses its carrier and gets it back, 20 times.
    Flapping,
    /// A link fails that is on no path of the traffic.
    Elsewhere,
    /// The agent of the sender's switch is killed and started again, which also replaces the programs.
    AgentRestart,
}

/// What a failure did.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What failed.
    pub failure: Failure,
    /// Datagrams that never arrived.
    pub lost: u32,
    /// How many were sent.
    pub sent: u32,
    /// The longest time between two arrivals after the failure, in milliseconds.
    pub gap_ms: f64,
    /// From the failure until frames arrived again after that gap, in milliseconds; `None` if they did not.
    pub back_ms: Option<f64>,
    /// Goodput of the connection after the failure, as a share of what the links that are left carry; `None` if it broke,
    /// which only connections over ECMP may.
    pub share_left: Option<f64>,
    /// Goodput of the connection: seconds since the failure, Mbit/s; empty if it broke.
    #[serde(skip)]
    pub goodput: Vec<(f64, f64)>,
}

/// How to measure.
#[derive(Args, Clone, Debug)]
pub struct FailoverOptions {
    /// Measures only these failures.
    #[arg(long, value_enum)]
    pub only: Vec<Failure>,
    /// How often an agent is restarted under traffic.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub restarts: u32,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Where to draw it: silence at the receiver, and goodput around each failure.
    #[arg(long, value_name = "FILE", default_value_t = SvgFile::in_target("bench-failover.svg"))]
    pub svg: SvgFile,
}

/// What a connection makes of the links that a failure left.
#[derive(Clone, Debug)]
pub struct Left {
    /// Goodput as a share of what these links carry.
    pub share: f64,
    /// How many of the links of the sender's switch carried a fair part of the connection.
    pub links_in_use: usize,
    /// Goodput over time: seconds since the failure, Mbit/s.
    pub goodput: Vec<(f64, f64)>,
}

/// Where a path from the sender passes.
struct OnPath {
    near: String,
    far: String,
    switch: String,
}

impl Failure {
    /// What an operator would call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::NearDown => "near link down",
            Self::FarDown => "far link down",
            Self::NearSilent => "near link silent",
            Self::FarSilent => "far link silent",
            Self::OneWay => "far link silent one way",
            Self::Loss => "far link loses 30 %",
            Self::SwitchGone => "transit switch gone",
            Self::TwoAtOnce => "two links down at once",
            Self::DetourToo => "a link and its detour silent",
            Self::Flapping => "near link flaps 20 times",
            Self::Elsewhere => "a link elsewhere down",
            Self::AgentRestart => "agent restarted",
        }
    }

    /// The lab that it is to meet.
    pub fn lab(self, routing: Routing) -> LabOptions {
        let topology = if self == Self::DetourToo { "detours.yaml" } else { "demo.yaml" };
        let mut options = LabOptions { routing, quiet: true, ..LabOptions::new(example(topology)) };
        if self == Self::DetourToo {
            options.agent.paths = 1;
        }
        options
    }

    /// How many paths are left.
    pub fn paths_left(self) -> usize {
        match self {
            Self::DetourToo => 1,
            Self::TwoAtOnce => 2,
            Self::AgentRestart | Self::Flapping => 4,
            _ => 3,
        }
    }

    /// Whether kernel routers can meet it.
    fn is_of_routers(self) -> bool {
        self != Self::AgentRestart
    }

    /// Makes it happen to the first of these paths.
    fn strike(self, lab: &mut Lab, paths: &[OnPath], restarts: u32) -> Result<()> {
        let first = paths.first().context("there is no path")?;
        let second = || paths.get(1).context("there is one path only");
        let both = Direction::Both;
        match self {
            Self::NearDown => lab.set_link(&first.near, Condition::Down, both),
            Self::FarDown => lab.set_link(&first.far, Condition::Down, both),
            Self::NearSilent => lab.set_link(&first.near, Condition::Blackhole, both),
            Self::FarSilent => lab.set_link(&first.far, Condition::Blackhole, both),
            Self::OneWay => lab.set_link(&first.far, Condition::Blackhole, Direction::AToB),
            Self::Loss => lab.set_link(&first.far, Condition::Loss(30), both),
            Self::SwitchGone => lab.remove_switch(&first.switch),
            Self::TwoAtOnce => {
                lab.set_link(&first.near, Condition::Down, both)?;
                lab.set_link(&second()?.far, Condition::Down, both)
            }
            Self::DetourToo => {
                lab.set_link(DETOUR, Condition::Blackhole, both)?;
                lab.set_link(&first.far, Condition::Blackhole, both)
            }
            Self::Flapping => (0..20).try_for_each(|_| {
                lab.set_link(&first.near, Condition::Down, both)?;
                thread::sleep(20 * MILLISECOND);
                lab.set_link(&first.near, Condition::Up, both)?;
                thread::sleep(20 * MILLISECOND);
                check_interrupted()
            }),
            Self::Elsewhere => lab.set_link(&second()?.near, Condition::Down, both),
            Self::AgentRestart => (0..restarts).try_for_each(|_| {
                check_interrupted()?;
                lab.kill_agent(EDGE)?;
                lab.start_agent(EDGE)
            }),
        }
    }
}

/// Measures every failure over smoc, and over kernel ECMP where that applies.
///
/// # Errors
/// When a lab cannot be built, or a connection breaks.
pub fn run(options: &FailoverOptions) -> Result<()> {
    let failures = if options.only.is_empty() { Failure::value_variants() } else { &options.only };
    let mut report = Report::default();
    for &failure in failures {
        eprintln!("failover: {}", failure.label());
        let smoc = measure(Routing::Smoc, failure, options.restarts)?;
        eprintln!("failover:     over smoc: {smoc}");
        report.smoc.push(smoc);
        if failure.is_of_routers() {
            let ecmp = measure(Routing::Ecmp, failure, options.restarts)?;
            eprintln!("failover:     over ECMP: {ecmp}");
            report.ecmp.push(ecmp);
        }
    }
    match options.format {
        Format::Json => println!("{}", serde_json::to_string(&report)?),
        Format::Table => println!("\n{report}"),
    }
    options.format.write_picture(&options.svg, &picture::figure(&report).svg())
}

fn measure(routing: Routing, failure: Failure, restarts: u32) -> Result<Outcome> {
    let (arrived, struck) = strike_datagrams(&mut Lab::up(&failure.lab(routing))?, failure, restarts)?;
    let (gap, ended) = arrived.longest_gap_after(struck);
    let (share_left, goodput) = match left(&mut Lab::up(&failure.lab(routing))?, failure, restarts) {
        Ok(left) => (Some(left.share), left.goodput),
        Err(error) if routing == Routing::Ecmp => {
            check_interrupted()?;
            eprintln!("failover: the connection over ECMP broke: {error:#}");
            (None, Vec::new())
        }
        Err(error) => return Err(error),
    };
    Ok(Outcome {
        failure,
        lost: arrived.sent - arrived.received,
        sent: arrived.sent,
        gap_ms: milliseconds(gap),
        back_ms: ended.map(|ended| milliseconds(ended - struck)),
        share_left,
        goodput,
    })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Lets a failure happen to a stream of datagrams; what arrived, and when the failure began.
///
/// # Errors
/// When the lab does not do as it is told.
pub fn strike_datagrams(lab: &mut Lab, failure: Failure, restarts: u32) -> Result<(Arrived, Instant)> {
    let (size, pace) = if failure == Failure::AgentRestart { DENSE } else { SPARSE };
    let count = (SECOND + duration(failure, restarts)).div_duration_f64(pace) as u32;
    let stream = Datagrams::start(lab, SENDER, RECEIVER, Family::V4, count, size, pace)?;
    let paths = paths_under_load(lab)?;
    let struck = Instant::now();
    failure.strike(lab, &paths, restarts)?;
    Ok((stream.finish()?, struck))
}

/// Lets a failure happen to a connection over all paths, whose every byte must arrive; what it makes of the links that
/// are left.
///
/// # Errors
/// When the connection breaks.
pub fn left(lab: &mut Lab, failure: Failure, restarts: u32) -> Result<Left> {
    const MEASURED: Duration = Duration::from_secs(2);
    let before = 2 * SECOND;
    let end = before + duration(failure, restarts) + MEASURED;
    let amount = Amount::Time(end + SECOND / 5);
    let running = Transfer::between(lab, SENDER, RECEIVER, Family::V4, Protocol::Mptcp, amount)?.start()?;
    let begin = Instant::now();
    thread::sleep(before);
    let paths = paths_under_load(lab)?;
    let capacity = lab.plan().link(&paths[0].near)?.bits_per_second.context("the links have no capacity")?;
    let struck = begin.elapsed().as_secs_f64();
    failure.strike(lab, &paths, restarts)?;
    thread::sleep((begin + end - MEASURED).saturating_duration_since(Instant::now()));
    let loads = frames_into_paths(lab, MEASURED)?;
    let received = running.finish()?;
    let most = loads.iter().map(|(_, frames)| *frames).max().unwrap_or_default();
    let goodput = received.over_time(end).into_iter().map(|(at, mbit)| (at - struck, mbit));
    Ok(Left {
        goodput: goodput.collect(),
        share: received.goodput(end - MEASURED, end) / (capacity as f64 * failure.paths_left() as f64),
        links_in_use: loads.iter().filter(|(_, frames)| frames * 10 > most).count(),
    })
}

/// How long a failure takes with all that follows from it.
fn duration(failure: Failure, restarts: u32) -> Duration {
    match failure {
        Failure::AgentRestart => restarts * SECOND,
        Failure::Flapping => 6 * SECOND,
        _ => 4 * SECOND,
    }
}

/// The paths through one transit switch each, the busiest first.
fn paths_under_load(lab: &Lab) -> Result<Vec<OnPath>> {
    let plan = lab.plan();
    let mut near = frames_into_paths(lab, 300 * MILLISECOND)?;
    near.sort_by_key(|(_, frames)| std::cmp::Reverse(*frames));
    let path = |(link, _): (usize, u64)| {
        let near = &plan.links[link];
        let switch = &near.b.switch;
        let far = plan.links.iter().find(|link| link.a.switch == *switch);
        let far = far.with_context(|| format!("no link leads on from {switch}"))?;
        Ok(OnPath { near: near.name.clone(), far: far.name.clone(), switch: switch.clone() })
    };
    near.into_iter().map(path).collect()
}

/// How many frames the sender's switch sends into each of its links, by the link's position in the plan, in that time.
fn frames_into_paths(lab: &Lab, time: Duration) -> Result<Vec<(usize, u64)>> {
    let before = lab.loads()?;
    thread::sleep(time);
    let after = lab.loads()?;
    let links = lab.plan().links.iter().enumerate().filter(|(_, link)| link.a.switch == EDGE);
    Ok(links.map(|(at, _)| (at, after[at].frames_from_a.saturating_sub(before[at].frames_from_a))).collect())
}
