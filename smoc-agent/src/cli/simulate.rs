//! `smoc simulate TOPOLOGY`: what throughput each routing gives, before deploying it.

use std::cell::OnceCell;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde_json::json;

use super::offline::{Progress, load, with_senders};
use super::{Failure, Format, input, number_from};
use smoc_paths::analysis::simulate::{Draw, Routing, Simulation, Simulator, Throughput};
use smoc_paths::analysis::traffic::Traffic;
use smoc_paths::search::{PathOptions, Policy};
use smoc_paths::topology::{Bandwidth, Topology};

/// Arguments of `smoc simulate`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
smoc simulate examples/fat-tree-k4.yaml\n  \
smoc simulate examples/fat-tree-k4.yaml --routing ecmp,smoc,diverse --subflows 1,2,4,8\n  \
smoc simulate examples/diamond.yaml --traffic all-to-all --capacity 100Mbit --pairs --format json")]
pub struct SimulateArgs {
    /// The topology, in any format of docs/topologies.md; - is standard input
    topology: PathBuf,
    /// Who sends to whom: permutation, all-to-all or a file
    ///
    /// - permutation: every host sends to one other and receives from one other, drawn at random
    /// - all-to-all: every host sends to every other
    /// - a file: lines "sender receiver", names of hosts; - is standard input
    #[arg(long, default_value = "permutation", verbatim_doc_comment)]
    traffic: String,
    /// Subflows of each connection, 1 to 64; several numbers, with commas or each with its own --subflows, are
    /// simulated one after the other
    #[arg(long, default_value = "8", value_delimiter = ',', value_name = "N", value_parser = number_from(1, PathOptions::MAX_COUNT))]
    subflows: Vec<usize>,
    /// How subflows find their paths: by a policy, subflow n on rank n; ecmp, a random shortest path for every subflow; or single,
    /// one shortest path for everything between two edges. Several, with commas or each with its own --routing, are simulated
    /// one after the other
    #[arg(long, default_values = ["diverse"], value_delimiter = ',', value_parser = routing_parser())]
    routing: Vec<Routing>,
    /// How many ranks the agent has, 1 to 64
    #[arg(short = 'k', long = "count", default_value_t = 8, value_name = "N", value_parser = number_from(1, PathOptions::MAX_COUNT))]
    count: usize,
    /// What every receiver can buffer, in bytes: a connection reaches at most buffer / (2 x longest round trip) of its
    /// paths; every link needs a latency
    #[arg(long, value_name = "BYTES")]
    receive_buffer: Option<u64>,
    /// Rank only paths that keep within the receive buffer; every link needs a capacity as well
    #[arg(long, requires = "receive_buffer")]
    fit_buffer: bool,
    /// Draws of traffic (and of paths under ecmp), 1 to 1000, with the seeds 0, 1, 2 ...
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = number_from(1, 1000))]
    seeds: usize,
    /// Capacity of links that have none, and of host ports: a number and bit, kbit, Mbit, Gbit or Tbit
    #[arg(long, default_value = "1Gbit")]
    capacity: Bandwidth,
    /// List every connection's throughput
    #[arg(long)]
    pairs: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Reads how subflows find their paths.
fn routing_parser() -> impl TypedValueParser<Value = Routing> {
    let all =
        || Policy::ALL.iter().map(|&policy| Routing::Ranked(policy)).chain([Routing::Ecmp, Routing::Single]);
    let words = PossibleValuesParser::new(
        all().map(|routing| PossibleValue::new(routing.word()).help(routing.help())),
    );
    words.try_map(move |word| all().find(|routing| routing.word() == word).ok_or("no routing"))
}

/// One line of the answer.
struct Outcome {
    routing: Routing,
    subflows: usize,
    /// By seed.
    draws: Vec<Draw>,
    /// Every connection by seed, if they are to be listed.
    listed: Vec<Vec<Throughput>>,
}

/// Runs the verb.
///
/// # Errors
/// The topology or the question makes no sense.
pub fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let topology = &with_senders(load(&args.topology)?)?;
    let traffic = traffic(topology, &args.traffic)?;
    let progress = Progress::new("draws", args.routing.len() * args.subflows.len() * args.seeds);
    let mut outcomes = Vec::new();
    for &routing in &args.routing {
        for &subflows in &args.subflows {
            let simulation = Simulation {
                traffic: traffic.clone(),
                subflows,
                routing,
                options: PathOptions {
                    count: args.count,
                    receive_buffer: args.receive_buffer.filter(|_| args.fit_buffer),
                    ..PathOptions::default()
                },
                receive_buffer: args.receive_buffer,
                capacity: args.capacity.bits_per_second() as f64,
            };
            let mut simulator = Simulator::new(topology, &simulation).map_err(Failure::bad_input)?;
            let (mut draws, mut listed) = (Vec::new(), Vec::new());
            for seed in 0..args.seeds as u64 {
                let search = OnceCell::new();
                let all = simulator.run(seed, |done, all| {
                    search.get_or_init(|| Progress::new("pairs of switches", all)).at(done);
                });
                draws.push(Draw::of(&all));
                listed.extend(args.pairs.then_some(all));
                progress.at(outcomes.len() * args.seeds + draws.len());
            }
            outcomes.push(Outcome { routing, subflows, draws, listed });
        }
    }
    note_unanswerable(&outcomes);
    match args.format {
        Format::Json => {
            let all: Vec<_> = outcomes.iter().map(|outcome| outcome.json(topology, args.pairs)).collect();
            super::print_json(&all)
        }
        Format::Table => super::print(&table(topology, &outcomes, args.pairs)),
    }
}

/// Says which connections have no throughput; they are the same under every routing.
fn note_unanswerable(outcomes: &[Outcome]) {
    let Some(outcome) = outcomes.first() else { return };
    let unjoined: usize = outcome.draws.iter().map(|draw| draw.unjoined).sum();
    match outcome.connections() {
        0 => eprintln!("smoc: note: the traffic has no connection, so there is no throughput"),
        all if unjoined > 0 => {
            eprintln!(
                "smoc: note: no path joins the hosts of {unjoined} of {all} connections: they count as 0"
            );
        }
        _ => {}
    }
}

fn traffic(topology: &Topology, text: &str) -> Result<Traffic, Failure> {
    match text {
        "permutation" => Ok(Traffic::Permutation),
        "all-to-all" => Ok(Traffic::AllToAll),
        path => {
            let lines = input::text(path.as_ref())
                .with_context(|| format!("--traffic {path}: write permutation, all-to-all or a file"))
                .map_err(Failure::BadInput)?;
            Traffic::parse(topology, &lines).map_err(|faults| {
                let faults: Vec<_> = faults.lines().map(|fault| format!("{path}:{fault}")).collect();
                Failure::BadInput(anyhow!(faults.join("\n")))
            })
        }
    }
}

impl Outcome {
    fn connections(&self) -> usize {
        self.draws.iter().map(|draw| draw.connections).sum()
    }

    /// Mean share, least share, and the least and greatest mean of a draw.
    fn summary(&self) -> [f64; 4] {
        let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
        let draws = self.draws.iter().map(|draw| mean(draw.share, draw.connections));
        let (least, most) = draws.fold((f64::INFINITY, 0.0f64), |(a, b), draw| (a.min(draw), b.max(draw)));
        let worst = self.draws.iter().map(|draw| draw.least_share).fold(f64::INFINITY, f64::min);
        let share = self.draws.iter().map(|draw| draw.share).sum();
        [mean(share, self.connections()), if worst.is_finite() { worst } else { 0.0 }, least, most]
    }

    /// Mean throughput of a connection in Mbit/s.
    fn mean_mbit(&self) -> f64 {
        let sum: f64 = self.draws.iter().map(|draw| draw.rate / 1e6).sum();
        sum / self.connections().max(1) as f64
    }

    fn json(&self, topology: &Topology, pairs: bool) -> serde_json::Value {
        let [mean, worst, worst_draw, best_draw] = self.summary();
        let mut object = json!({
            "routing": self.routing.word(),
            "subflows": self.subflows,
            "seeds": self.draws.len(),
            "mean_share": mean,
            "mean_mbit": self.mean_mbit(),
            "worst_share": worst,
            "worst_draw_mean": worst_draw,
            "best_draw_mean": best_draw,
        });
        if pairs {
            let name = |host: usize| &topology.hosts()[host].name;
            let all = self.listed.iter().zip(0..).flat_map(|(draw, seed): (_, u64)| {
                draw.iter().map(move |t| {
                    json!({
                        "seed": seed,
                        "from": name(t.pair.0),
                        "to": name(t.pair.1),
                        "mbit": t.rate / 1e6,
                        "share": t.share,
                    })
                })
            });
            object["pairs"] = all.collect();
        }
        object
    }
}

fn table(topology: &Topology, outcomes: &[Outcome], pairs: bool) -> String {
    let mut text =
        "share of what the host ports allow\nrouting   subflows   mean  worst connection  mean of each draw    Mbit/s"
            .to_owned();
    for outcome in outcomes {
        let [mean, worst, least, most] = outcome.summary().map(|share| share * 100.0);
        let (routing, subflows) = (outcome.routing.word(), outcome.subflows);
        text += &format!(
            "\n{routing:<9} {subflows:>8}  {mean:>4.1}%  {worst:>15.1}%  {:<17}  {:>8.1}",
            format!("{least:.1} to {most:.1}%"),
            outcome.mean_mbit()
        );
    }
    for outcome in outcomes.iter().filter(|_| pairs) {
        text += &format!(
            "\n\n{} with {} subflows\nseed      Mbit/s   share  connection",
            outcome.routing.word(),
            outcome.subflows
        );
        for (seed, draw) in outcome.listed.iter().enumerate() {
            for throughput in draw {
                let name = |host: usize| &topology.hosts()[host].name;
                text += &format!(
                    "\n{seed:>4}  {:>10.1}  {:>5.1}%  {} to {}",
                    throughput.rate / 1e6,
                    throughput.share * 100.0,
                    name(throughput.pair.0),
                    name(throughput.pair.1)
                );
            }
        }
    }
    text
}
