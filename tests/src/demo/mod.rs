//! What smoc is for, measured: one host with four addresses, four paths of 100 Mbit/s, one MPTCP connection.
//!
//! The same hosts and links carry plain TCP, MPTCP over kernel ECMP and MPTCP over smoc, one after the other.

mod film;
mod picture;
mod report;
mod timeline;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use smoc_plot::SvgFile;

use crate::cli::Format;
use crate::lab::{Lab, LabOptions, Routing, check_interrupted};
use crate::subflows::{Connection, connection_with};
use crate::traffic::{Amount, Family, Protocol, Transfer};

use picture::Shown;
use timeline::{Timeline, Watch};

pub use report::Report;

/// How long a connection runs before it is measured, so that slow start is over on every subflow.
const WARM_UP: Duration = Duration::from_secs(1);

/// How often the links are looked at, unless a connection takes so long that this is more than a picture shows.
const LOOK: Duration = Duration::from_millis(100);

/// The edge switch of the sending host in the demo's topology.
const EDGE: &str = "e1";

/// The host that sends, with an address for each path.
const SENDER: &str = "h1";

/// The host that receives.
const RECEIVER: &str = "h2";

/// How to run the demo.
#[derive(Args, Clone, Debug)]
pub struct DemoOptions {
    /// Connections over ECMP, and as many over smoc.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub trials: u32,
    /// How long each connection is measured, in seconds, after one second to start.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Leave the lab with smoc up at the end.
    #[arg(long)]
    pub keep: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Where to draw it: goodput and the load of each path's link over time, and all trials.
    #[arg(long, value_name = "FILE", default_value_t = SvgFile::in_target("demo.svg"))]
    pub svg: SvgFile,
    /// Where to draw it as a picture that moves: what each path carries, over ECMP and over smoc [default: nowhere].
    #[arg(long, value_name = "FILE")]
    pub film: Option<SvgFile>,
}

/// One connection, measured.
struct Trial {
    /// Goodput in Mbit/s.
    mbit: f64,
    /// Frames that the sender's edge sent into each path, in the topology's order of its links.
    frames: Vec<u64>,
    /// What the agent of the sender's edge says of it, where there is one.
    connection: Option<Connection>,
    /// Goodput and loads over time.
    timeline: Timeline,
}

impl Trial {
    /// On how many different paths its subflows were: those that the agent names, if the wires bear it out.
    fn paths_used(&self) -> usize {
        let total: u64 = self.frames.iter().sum();
        // A path that carries a subflow has about a quarter of the frames; one that has none, a few of others'.
        let carrying = self.frames.iter().filter(|&&frames| frames * 20 > total).count();
        self.connection.as_ref().map_or(0, Connection::distinct_paths).min(carrying)
    }
}

/// Runs the demo; progress and pictures go to standard error where standard output is for JSON.
///
/// Returns whether it showed what it must.
///
/// # Errors
/// When a lab cannot be built or a transfer fails.
pub fn run(options: &DemoOptions) -> Result<bool> {
    let mut report = Report::default();
    let lab =
        start(Routing::Ecmp, "the same four paths as ordinary routers use them (kernel ECMP over layer 4)")?;
    let paths = edge_links(&lab);
    report.paths = paths.len();
    report.capacity_mbit = capacity_mbit(&lab, &paths);
    say("one plain TCP connection ...");
    let tcp = measure(&lab, Protocol::Tcp, options)?;
    report.tcp_mbit = tcp.mbit;
    say(&format!("    {:6.1} Mbit/s", report.tcp_mbit));
    let ecmp = trials(&lab, options, &report)?;
    report.ecmp_mbit = ecmp.iter().map(|trial| trial.mbit).collect();
    drop(lab);

    let lab = start(Routing::Smoc, "the same four paths with smoc on every switch")?;
    let smoc = trials(&lab, options, &report)?;
    report.smoc_mbit = smoc.iter().map(|trial| trial.mbit).collect();
    report.paths_used = smoc.iter().map(Trial::paths_used).min().unwrap_or_default();
    let last = smoc.last().map(|trial| last_trial(&lab, &paths, trial)).unwrap_or_default();
    match options.format {
        Format::Json => println!("{}", serde_json::to_string(&report)?),
        Format::Table => println!("\n{last}\n{report}"),
    }
    let links: Vec<_> = paths.iter().map(|&at| format!("by {}", lab.plan().links[at].b.switch)).collect();
    let shown =
        Shown { tcp: &tcp.timeline, ecmp: middle(&ecmp), smoc: middle(&smoc), links: links.as_slice() };
    if options.keep {
        lab.keep()?;
        say(HOW_TO_LOOK_AROUND);
    }
    options.format.write_picture(&options.svg, &picture::figure(&report, &shown).svg())?;
    if let Some(file) = &options.film {
        options.format.write_picture(file, &film::film(&report, &shown).svg())?;
    }
    Ok(report.shortfalls().is_empty())
}

/// The trial whose goodput is the median, or the lower of the middle two.
fn middle(trials: &[Trial]) -> &Timeline {
    static NONE: Timeline = Timeline { goodput: Vec::new(), links: Vec::new() };
    let mut order: Vec<&Trial> = trials.iter().collect();
    order.sort_by(|a, b| a.mbit.total_cmp(&b.mbit));
    order.get(order.len().saturating_sub(1) / 2).map_or(&NONE, |trial| &trial.timeline)
}

const HOW_TO_LOOK_AROUND: &str = "\
the lab is still up. To look around:
    cargo xtask lab status
    cargo xtask lab exec h2 -- iperf3 -s -D
    cargo xtask lab exec h1 -- mptcpize run iperf3 -c 10.0.2.1 -t 60
    target/debug/smoc conns --api /run/smoc-lab/e1.sock
    cargo xtask lab link e1:1-m1:1 down
    cargo xtask lab down";

fn say(what: &str) {
    eprintln!("demo: {what}");
}

fn start(routing: Routing, what: &str) -> Result<Lab> {
    say(what);
    let topology = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/demo.yaml"));
    Lab::up(&LabOptions { routing, quiet: true, ..LabOptions::new(topology) })
}

/// Where the sender's edge switch has links: one for each path. Positions in the plan's links, which are also
/// those of [`Lab::loads`].
fn edge_links(lab: &Lab) -> Vec<usize> {
    let links = lab.plan().links.iter().enumerate();
    links.filter(|(_, link)| link.a.switch == EDGE).map(|(position, _)| position).collect()
}

fn capacity_mbit(lab: &Lab, paths: &[usize]) -> f64 {
    let rates = paths.iter().filter_map(|&position| lab.plan().links[position].bits_per_second);
    rates.sum::<u64>() as f64 / 1e6
}

fn trials(lab: &Lab, options: &DemoOptions, report: &Report) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for number in 1..=options.trials {
        check_interrupted()?;
        let trial = measure(lab, Protocol::Mptcp, options)?;
        let share = trial.mbit / report.capacity_mbit;
        let bar = report::bar(share);
        say(&format!("    {:6.1} Mbit/s  {:5.1} %  {bar}  MPTCP, trial {number}", trial.mbit, share * 100.0));
        trials.push(trial);
    }
    Ok(trials)
}

/// Makes one connection for as long as the options say and watches it on its way.
fn measure(lab: &Lab, protocol: Protocol, options: &DemoOptions) -> Result<Trial> {
    let end = WARM_UP + Duration::from_secs(options.seconds);
    let paths = edge_links(lab);
    let before = lab.loads()?;
    let amount = Amount::Time(end + Duration::from_millis(200));
    let running = Transfer::between(lab, SENDER, RECEIVER, Family::V4, protocol, amount)?.start()?;
    let destination = running.destination;
    let mut watch = Watch::start(lab, &paths, LOOK.max(end / 300))?;
    watch.until(end / 2)?;
    let has_agents = lab.state().routing == Routing::Smoc;
    let seen = has_agents.then(|| connection_with(lab, EDGE, destination)).transpose();
    watch.until(end)?;
    let received = running.finish()?;
    let after = lab.loads()?;
    let frames = paths.iter().map(|&link| after[link].frames_from_a - before[link].frames_from_a).collect();
    let mbit = received.goodput(WARM_UP, end) / 1e6;
    Ok(Trial { mbit, frames, connection: seen?, timeline: watch.finish(&received) })
}

/// Which subflow of the last connection took which path, and what each path carried.
fn last_trial(lab: &Lab, paths: &[usize], trial: &Trial) -> String {
    let mut text = String::from("The last connection over smoc, as `smoc conns` had it:\n\n");
    for subflow in trial.connection.iter().flat_map(|connection| &connection.subflows) {
        text.push_str(&format!("  {subflow}\n"));
    }
    text.push_str("\nand the frames that each path carried for it, counted on its wire:\n\n");
    let most = trial.frames.iter().copied().max().unwrap_or_default().max(1) as f64;
    for (&position, &frames) in paths.iter().zip(&trial.frames) {
        let bar = report::bar(frames as f64 / most);
        text.push_str(&format!("  {:<12} {frames:>8} frames  {bar}\n", lab.plan().links[position].name));
    }
    text
}
