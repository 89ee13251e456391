//! `smoc paths TOPOLOGY --from SW --to SW`, or `--all`: ranked paths, offline.

use std::path::PathBuf;

use anyhow::anyhow;
use serde::Serialize;

use super::offline::{
    PathJson, Progress, colours, describe, edges, find_switch, load, pairs, paths_json, svg,
};
use super::search::SearchArgs;
use super::socket::AgentSocket;
use super::{Failure, Format};
use smoc_paths::analysis::buffer::shortage;
use smoc_paths::analysis::diversity::{Diversities, Diversity, most_shared};
use smoc_paths::search::{Pair, Path, PathFinder};
use smoc_paths::topology::Topology;
use smoc_paths::topology::convert::dot;

/// What a running agent cannot be asked: it has computed its paths already.
const OFFLINE: [&str; 11] = [
    "topology",
    "from",
    "to",
    "all",
    "diversity",
    "receive_buffer",
    "count",
    "policy",
    "protect",
    "metric",
    "max_stretch",
];

/// Arguments of `smoc paths`.
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "smoc paths [OPTIONS] <TOPOLOGY> --from <SWITCH> --to <SWITCH>\n       \
smoc paths [OPTIONS] <TOPOLOGY> --all\n       smoc paths --live [--api <SOCKET>] [--format <FORMAT>]",
    after_help = "Examples:\n  \
smoc paths examples/diamond.yaml --from e1 --to e2\n  \
smoc paths examples/fat-tree-k4.yaml --from e11 --to e41 -k 4 --policy smoc --format json\n  \
smoc paths examples/fat-tree-k4.yaml --all --diversity\n  \
smoc paths examples/diamond.yaml --from e1 --to e2 --format dot\n  \
smoc paths --live"
)]
pub struct PathsArgs {
    /// The topology, in any format of docs/topologies.md; - is standard input
    #[arg(required_unless_present = "live")]
    topology: Option<PathBuf>,
    /// Instead, the paths that a running agent uses
    #[arg(long, conflicts_with_all = OFFLINE)]
    live: bool,
    #[command(flatten)]
    agent: AgentSocket,
    /// The first switch
    #[arg(long, value_name = "SWITCH", required_unless_present_any = ["all", "live"], requires = "to")]
    from: Option<String>,
    /// The last switch
    #[arg(long, value_name = "SWITCH", requires = "from")]
    to: Option<String>,
    /// Every pair of edge switches (those with hosts; all switches if there are no hosts), each once
    #[arg(long, conflicts_with_all = ["from", "to"])]
    all: bool,
    /// Report how disjoint the paths are instead of listing them; as table or json
    #[arg(long)]
    diversity: bool,
    #[command(flatten)]
    search: SearchArgs,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: PathsFormat,
}

/// How paths are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum PathsFormat {
    /// A table for people
    #[default]
    Table,
    /// JSON
    Json,
    /// Graphviz, the ranks in colours
    Dot,
    /// A picture drawn by Graphviz
    Svg,
}

/// Runs the verb.
///
/// # Errors
/// The topology or the question makes no sense.
pub fn run(args: &PathsArgs) -> Result<(), Failure> {
    let Some(topology) = &args.topology else { return live(args) };
    let topology = &load(topology)?;
    let finder = PathFinder::new(topology, &args.search.options()).map_err(Failure::bad_input)?;
    let found = match (&args.from, &args.to) {
        (Some(from), Some(to)) => vec![one_pair(&finder, from, to)?],
        _ => {
            let edges = edges(topology);
            let progress = Progress::new("pairs", pairs(edges.len()));
            let found = finder.all_pairs(&edges, |done| progress.at(done));
            note_unjoined(&found);
            found
        }
    };
    if let Some(buffer) = args.search.options().receive_buffer {
        warn_of_buffers(topology, &found, buffer)?;
    }
    match args.format {
        PathsFormat::Dot | PathsFormat::Svg => {
            let text = match &found[..] {
                [pair] => dot(topology, &colours(&pair.paths), &legend(&pair.paths)),
                many => {
                    let best: Vec<Path> =
                        many.iter().filter_map(|pair| pair.paths.first().cloned()).collect();
                    dot(topology, &colours(&best), &[])
                }
            };
            super::print(&if args.format == PathsFormat::Svg { svg(&text)? } else { text })
        }
        _ if args.diversity => report(args, topology, &found),
        PathsFormat::Json if args.all => {
            super::print_json(&found.iter().map(|pair| PairJson::new(topology, pair)).collect::<Vec<_>>())
        }
        PathsFormat::Json => super::print_json(&paths_json(topology, &found[0].paths)),
        PathsFormat::Table => {
            let tables: Vec<_> = found.iter().map(|pair| table(topology, pair, args.all)).collect();
            super::print(&tables.join("\n"))
        }
    }
}

/// The colour of each rank.
fn legend(paths: &[Path]) -> Vec<(&'static str, String)> {
    let colour = |rank: usize| Some(*colours(&paths[..=rank]).get(paths[rank].links.first()?)?.last()?);
    (0..paths.len()).filter_map(|rank| Some((colour(rank)?, format!("rank {rank}")))).collect()
}

fn live(args: &PathsArgs) -> Result<(), Failure> {
    match args.format {
        PathsFormat::Table => super::live::paths(&args.agent, Format::Table),
        PathsFormat::Json => super::live::paths(&args.agent, Format::Json),
        _ => Err(Failure::BadInput(anyhow!("--live: a running agent answers as table or json only"))),
    }
}

fn one_pair(finder: &PathFinder<'_>, from: &str, to: &str) -> Result<Pair, Failure> {
    let topology = finder.topology();
    let (a, b) = (find_switch(topology, from)?, find_switch(topology, to)?);
    if a == b {
        let message = format!("--from and --to are both {from}: name two different switches");
        return Err(Failure::BadInput(anyhow!(message)));
    }
    let paths = finder.ranked(a, b);
    if paths.is_empty() {
        eprintln!("smoc: no path joins {from} and {to}");
    }
    Ok(Pair { from: a, to: b, paths })
}

fn note_unjoined(found: &[Pair]) {
    let unjoined = found.iter().filter(|pair| pair.paths.is_empty()).count();
    if unjoined > 0 {
        eprintln!("smoc: note: no path joins {unjoined} of the {} pairs", found.len());
    }
}

#[derive(Serialize)]
struct PairJson<'a> {
    from: &'a str,
    to: &'a str,
    paths: Vec<PathJson<'a>>,
}

impl<'a> PairJson<'a> {
    fn new(topology: &'a Topology, pair: &Pair) -> Self {
        let name = |switch| topology.switch(switch).name.as_str();
        Self { from: name(pair.from), to: name(pair.to), paths: paths_json(topology, &pair.paths) }
    }
}

fn table(topology: &Topology, pair: &Pair, title: bool) -> String {
    let mut text = String::new();
    if title {
        let name = |switch| &topology.switch(switch).name;
        text += &format!("{} to {}\n", name(pair.from), name(pair.to));
    }
    text += "rank  cost  shared  path";
    for (rank, path) in pair.paths.iter().enumerate() {
        let way = describe(topology, path);
        text += &format!("\n{rank:>4}  {:>4}  {:>6}  {way}", path.cost, path.shared_links);
    }
    text
}

#[derive(Serialize)]
struct Report<'a> {
    pairs: Vec<PairReport<'a>>,
    fabric: FabricReport,
}

#[derive(Serialize)]
struct PairReport<'a> {
    from: &'a str,
    to: &'a str,
    #[serde(flatten)]
    diversity: Diversity,
}

/// Means over all pairs, and the link that most ranks of all pairs use.
#[derive(Serialize)]
struct FabricReport {
    pairs: usize,
    disjoint_paths: f64,
    disjoint_ranks: f64,
    disjoint_share: f64,
    throughput_share: f64,
    most_shared: Option<(String, usize)>,
}

fn report(args: &PathsArgs, topology: &Topology, found: &[Pair]) -> Result<(), Failure> {
    let diversities = Diversities::new(topology, |_| true);
    let progress = Progress::new("pairs", found.len());
    let name = |switch| topology.switch(switch).name.as_str();
    let pairs: Vec<_> = (found.iter().enumerate())
        .map(|(done, pair)| {
            progress.at(done + 1);
            let diversity = diversities.of(pair);
            PairReport { from: name(pair.from), to: name(pair.to), diversity }
        })
        .collect();
    let asked = args.search.options().count as u64;
    let mean = |of: &dyn Fn(&Diversity) -> f64| {
        pairs.iter().fold(0.0, |sum, pair| sum + of(&pair.diversity)) / pairs.len().max(1) as f64
    };
    let fabric = FabricReport {
        pairs: pairs.len(),
        disjoint_paths: mean(&|d| d.disjoint_paths as f64),
        disjoint_ranks: mean(&|d| d.disjoint_ranks as f64),
        disjoint_share: mean(&|d| d.disjoint_ranks as f64 / d.disjoint_paths.min(asked).max(1) as f64),
        throughput_share: mean(&|d| d.throughput_share),
        most_shared: most_shared(topology, found.iter().flat_map(|pair| &pair.paths)),
    };
    if args.format == PathsFormat::Json {
        return super::print_json(&Report { pairs, fabric });
    }
    super::print(&report_table(&pairs, &fabric))
}

fn report_table(pairs: &[PairReport<'_>], fabric: &FabricReport) -> String {
    let shared = |most: &Option<(String, usize)>| match most {
        Some((link, times)) if *times > 1 => format!("{link} ({times} times)"),
        _ => "-".into(),
    };
    let mut text = "disjoint  ranks  of them disjoint  throughput  most shared link       pair".to_owned();
    for PairReport { from, to, diversity } in pairs {
        text += &format!(
            "\n{:>8}  {:>5}  {:>16}  {:>9.0}%  {:<22} {from} to {to}",
            diversity.disjoint_paths,
            diversity.ranks,
            diversity.disjoint_ranks,
            diversity.throughput_share * 100.0,
            shared(&diversity.most_shared),
        );
    }
    text + &format!(
        "\n\n{} pairs: {:.2} link-disjoint paths exist, {:.2} of the ranks are ({:.0} % of what could be); subflows reach {:.0} % of the maximum flow; most shared link {}",
        fabric.pairs,
        fabric.disjoint_paths,
        fabric.disjoint_ranks,
        fabric.disjoint_share * 100.0,
        fabric.throughput_share * 100.0,
        shared(&fabric.most_shared),
    )
}

fn warn_of_buffers(topology: &Topology, found: &[Pair], buffer: u64) -> Result<(), Failure> {
    let name = |switch| &topology.switch(switch).name;
    for pair in found {
        if let Some(shortage) = shortage(topology, &pair.paths, buffer).map_err(Failure::bad_input)? {
            eprintln!("warning: {} to {}: {shortage}", name(pair.from), name(pair.to));
        }
    }
    Ok(())
}
