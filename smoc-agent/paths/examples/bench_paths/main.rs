//! What the path search costs: `cargo xtask bench paths [--quick] [--format json]`.
//!
//! Every figure stands beside two others taken in the same run on the same topology: the *floor*, one plain
//! breadth-first or Dijkstra search per pair, and networkx (if Python has it) for a sample of the pairs. Times are
//! processor time, except where all cores work.

mod networkx;
mod picture;

use std::collections::HashSet;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use clap::Parser;
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;
use smoc_paths::analysis::diversity::Diversities;
use smoc_paths::search::{Pair, Path, PathFinder, PathOptions, Policy};
use smoc_paths::topology::{Draft, LinkId, SwitchId, Topology, generate};
use smoc_plot::SvgFile;

/// Measures the path search.
#[derive(Parser)]
struct Args {
    /// Leave networkx out
    #[arg(long)]
    quick: bool,
    /// Only topologies whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// table or json
    #[arg(long, default_value = "table")]
    format: String,
    /// Where to draw it: time by size, beside the floor and networkx
    #[arg(long, value_name = "FILE", default_value_t = SvgFile::in_target("bench-paths.svg"))]
    svg: SvgFile,
}

/// One edge switch to all others, and what stands beside it.
#[derive(Serialize)]
struct OneToAll {
    topology: String,
    policy: Policy,
    paths: usize,
    pairs: usize,
    milliseconds: f64,
    microseconds_per_pair: f64,
    /// Time of one plain search per pair.
    floor_milliseconds: f64,
    times_the_floor: f64,
    /// Share of the disjoint paths possible that are among the ranks.
    share_of_bound: f64,
    networkx_milliseconds_per_pair: Option<f64>,
    faster_than_networkx: Option<f64>,
}

/// All ordered pairs, on one core and on all.
#[derive(Serialize)]
struct AllPairs {
    topology: String,
    policy: Policy,
    paths: usize,
    ordered_pairs: usize,
    milliseconds: f64,
    cores: usize,
    /// From begin to end, which counts other load on the machine.
    milliseconds_on_all_cores: f64,
}

/// A link fails and returns: all paths of one edge switch are computed again.
#[derive(Serialize)]
struct Failure {
    topology: String,
    link: String,
    concerned: usize,
    failed_milliseconds: f64,
    returned_milliseconds: f64,
}

/// All detours of one switch.
#[derive(Serialize)]
struct Detours {
    topology: String,
    switch: String,
    detours: usize,
    milliseconds: f64,
}

#[derive(Default, Serialize)]
struct Report {
    one_to_all: Vec<OneToAll>,
    all_pairs: Vec<AllPairs>,
    failures: Vec<Failure>,
    detours: Vec<Detours>,
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let mut report = Report::default();
    let topologies = [
        ("fat-tree k=8", generate::fat_tree(8)),
        ("fat-tree k=16", generate::fat_tree(16)),
        ("WAN of 40", generate::wide_area(40, 60, 1)),
        ("WAN of 200", generate::wide_area(200, 300, 1)),
        ("fat-tree k=32", generate::fat_tree(32)),
        ("fat-tree k=48", generate::fat_tree(48)),
    ];
    for (name, draft) in topologies.into_iter().filter(|(name, _)| name.contains(&args.only)) {
        eprintln!("{name} ...");
        let topology = draft.map(Draft::build).expect("the parameters are legal").expect("it is sound");
        measure(name, &topology, args.quick, &mut report);
    }
    if args.format == "json" {
        println!("{}", serde_json::to_string_pretty(&report).expect("plain data"));
    } else {
        print(&report);
    }
    args.svg.write(&picture::figure(&report.one_to_all).svg())?;
    if args.format == "json" {
        eprintln!("drawn in {}", args.svg);
    } else {
        println!("\ndrawn in {}", args.svg);
    }
    Ok(())
}

fn options(policy: Policy, count: usize) -> PathOptions {
    PathOptions { policy, count, ..PathOptions::default() }
}

/// Processor time of this thread: what other load does to the machine counts little.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every Linux has this clock").into()
}

/// The least processor time of several runs.
fn time<T>(runs: usize, mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut best: Option<(Duration, T)> = None;
    for _ in 0..runs {
        let start = now();
        let result = work();
        let took = now() - start;
        if best.as_ref().is_none_or(|(least, _)| took < *least) {
            best = Some((took, result));
        }
    }
    best.expect("at least one run")
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn measure(name: &str, topology: &Topology, quick: bool, report: &mut Report) {
    let edges = topology.edges();
    let from = edges[0];
    let pairs = edges.len() - 1;
    let plain = PathFinder::new(topology, &options(Policy::Shortest, 1)).expect("legal options");
    let (floor, _) = time(2, || {
        for &to in &edges[1..] {
            std::hint::black_box(plain.distances(to));
        }
    });
    let bound = disjoint_bound(topology, &edges);
    for policy in [Policy::Diverse, Policy::Smoc, Policy::Shortest] {
        for count in [1, 2, 4, 8] {
            let finder = PathFinder::new(topology, &options(policy, count)).expect("legal options");
            let (took, table) = time(3, || rows(&finder, &edges));
            let networkx = if quick { None } else { networkx::per_pair(topology, from, policy, count) };
            let per_pair = millis(took) / pairs as f64;
            report.one_to_all.push(OneToAll {
                topology: name.into(),
                policy,
                paths: count,
                pairs,
                milliseconds: millis(took),
                microseconds_per_pair: per_pair * 1e3,
                floor_milliseconds: millis(floor),
                times_the_floor: took.as_secs_f64() / floor.as_secs_f64(),
                share_of_bound: share_of_bound(topology, from, &table, &bound, count),
                networkx_milliseconds_per_pair: networkx,
                faster_than_networkx: networkx.map(|theirs| theirs / per_pair),
            });
            if edges.len() <= 200 && count == 8 {
                report.all_pairs.push(all_pairs(name, &finder, &edges));
            }
        }
    }
    failures(name, topology, &edges, report);
    let finder = PathFinder::new(topology, &PathOptions::default()).expect("legal options");
    for switch in [from, topology.arcs(from)[0].to.switch] {
        let (took, detours) = time(3, || finder.detours(switch));
        report.detours.push(Detours {
            topology: name.into(),
            switch: topology.switch(switch).name.clone(),
            detours: detours.routable.len(),
            milliseconds: millis(took),
        });
    }
}

/// Every so many-th pair is looked at for the share of the bound, so that at most a hundred are.
fn sampled<T>(all: &[T]) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(100))
}

/// How many link-disjoint paths there are from the first edge to each sampled one.
fn disjoint_bound(topology: &Topology, edges: &[SwitchId]) -> Vec<u64> {
    let diversities = Diversities::new(topology, |_| true);
    let pair = |&to: &SwitchId| Pair { from: edges[0], to, paths: Vec::new() };
    sampled(&edges[1..]).map(|to| diversities.of(&pair(to)).disjoint_paths).collect()
}

/// How many link-disjoint paths the links of the ranks make up, as a share of what could be.
fn share_of_bound(topology: &Topology, from: SwitchId, table: &[Row], bound: &[u64], count: usize) -> f64 {
    let shares = sampled(table).zip(bound).map(|((to, paths), &bound)| {
        let links: HashSet<LinkId> = paths.iter().flat_map(|path| path.links.iter().copied()).collect();
        let pair = Pair { from, to: *to, paths: Vec::new() };
        let reached = Diversities::new(topology, |link| links.contains(&link)).of(&pair).disjoint_paths;
        reached as f64 / bound.min(count as u64) as f64
    });
    shares.sum::<f64>() / bound.len() as f64
}

fn all_pairs(name: &str, finder: &PathFinder<'_>, edges: &[SwitchId]) -> AllPairs {
    let (took, ordered_pairs) = time(3, || {
        let mut pairs = 0;
        for (position, &from) in edges.iter().enumerate() {
            let mut source = finder.source(from);
            for &to in &edges[position + 1..] {
                // Backwards the ranks are the same paths, so each search serves both directions.
                std::hint::black_box(source.to(to));
                pairs += 2;
            }
        }
        pairs
    });
    let elapsed = (0..3).map(|_| {
        let begin = Instant::now();
        finder.for_each_pair(edges, |_| (), std::hint::black_box, |_| ControlFlow::Continue(()));
        begin.elapsed()
    });
    let elapsed = elapsed.min().unwrap_or_default();
    let PathOptions { policy, count, .. } = *finder.options();
    AllPairs {
        topology: name.into(),
        policy,
        paths: count,
        ordered_pairs,
        milliseconds: millis(took),
        cores: std::thread::available_parallelism().map_or(1, NonZero::get),
        milliseconds_on_all_cores: millis(elapsed),
    }
}

/// Everything again after a change, which is more than an agent needs to do: the finder, and all paths of one edge switch.
fn failures(name: &str, topology: &Topology, edges: &[SwitchId], report: &mut Report) {
    let asked = options(Policy::Diverse, 8);
    let own = topology.arcs(edges[0])[0];
    let next = topology.arcs(own.to.switch).last().map_or(own.link, |arc| arc.link);
    let again = |down: &HashSet<LinkId>| {
        time(5, || {
            let finder = PathFinder::without(topology, &asked, down).expect("legal options");
            rows(&finder, edges)
        })
    };
    for link in [own.link, next] {
        let (_, whole) = again(&HashSet::new());
        let (failed, _) = again(&HashSet::from([link]));
        let (returned, healed) = again(&HashSet::new());
        assert_eq!(healed, whole, "a link that is back leaves no trace");
        let uses = |row: &Row| row.1.iter().any(|path| path.links.contains(&link));
        report.failures.push(Failure {
            topology: name.into(),
            link: topology.link_name(link),
            concerned: whole.iter().filter(|row| uses(row)).count(),
            failed_milliseconds: millis(failed),
            returned_milliseconds: millis(returned),
        });
    }
}

/// A switch and the paths to it.
type Row = (SwitchId, Vec<Path>);

/// The paths from the first edge to each other.
fn rows(finder: &PathFinder<'_>, edges: &[SwitchId]) -> Vec<Row> {
    let mut source = finder.source(edges[0]);
    edges[1..].iter().map(|&to| (to, source.to(to))).collect()
}

fn print(report: &Report) {
    println!("one edge switch to all others, one core; the floor is one plain search per pair");
    println!("topology       policy    k     ms   us/pair  x floor  of bound  networkx ms/pair   x faster");
    for row in &report.one_to_all {
        let theirs = row.networkx_milliseconds_per_pair.map_or("-".into(), |ms| format!("{ms:.1}"));
        let faster = row.faster_than_networkx.map_or("-".into(), |times| format!("{times:.0}"));
        println!(
            "{:<14} {:<8} {:>2} {:>7.2} {:>8.1}  {:>7.2}  {:>8.2}  {theirs:>16}  {faster:>9}",
            row.topology,
            row.policy.to_string(),
            row.paths,
            row.milliseconds,
            row.microseconds_per_pair,
            row.times_the_floor,
            row.share_of_bound,
        );
    }
    println!("\nall ordered pairs: processor time on one core, and time on all cores");
    for row in &report.all_pairs {
        println!(
            "{:<14} {:<8} {:>2} {:>9.2} ms, {:>9.2} ms on {} cores, for {} pairs",
            row.topology,
            row.policy.to_string(),
            row.paths,
            row.milliseconds,
            row.milliseconds_on_all_cores,
            row.cores,
            row.ordered_pairs
        );
    }
    println!(
        "\none link fails and returns: all paths of one edge switch anew, 8 diverse paths to each other"
    );
    for row in &report.failures {
        println!(
            "{:<14} {:<16} concerns {:>4} pairs: {:>7.2} ms after the failure, {:>7.2} ms after the return",
            row.topology, row.link, row.concerned, row.failed_milliseconds, row.returned_milliseconds
        );
    }
    println!("\nall detours of one switch");
    for row in &report.detours {
        println!("{:<14} {:<6} {:>5} in {:>7.2} ms", row.topology, row.switch, row.detours, row.milliseconds);
    }
}
