//! `smoc paths TOPOLOGY --from SW --to SW`, or `--all`: ranked paths, offline.

mod diversity;
mod question;

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::anyhow;
use serde::Serialize;

use self::question::Question;
use super::offline::{Colourist, PathJson, colours, describe, load, paths_json, rank_colour, svg};
use super::search::SearchArgs;
use super::socket::AgentSocket;
use super::stream::{JsonList, Stream};
use super::{Failure, Format};
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
    let question = match (&args.from, &args.to) {
        (Some(from), Some(to)) => Question::one(&finder, from, to)?,
        _ => Question::all(&finder),
    };
    match args.format {
        PathsFormat::Dot => super::print(&picture(&question)?),
        PathsFormat::Svg => super::print(&svg(&picture(&question)?)?),
        PathsFormat::Json if args.diversity => diversity::json(&question),
        PathsFormat::Table if args.diversity => diversity::table(&question),
        PathsFormat::Json if args.all => json_of_all(&question),
        PathsFormat::Json => json_of_one(&question),
        PathsFormat::Table => {
            let mut out = Stream::new();
            question.each(|pair| table(topology, pair, args.all), |text| out.print(&text))?;
            out.end()
        }
    }
}

/// In Graphviz's language: all ranks of one pair, or the best path of each of many.
fn picture(question: &Question<'_>) -> Result<String, Failure> {
    let topology = question.topology();
    if let Some(paths) = question.paths() {
        let text = dot(topology, &colours(paths), &legend(paths));
        return question.each(|_| (), |()| ControlFlow::Continue(())).map(|()| text);
    }
    let mut best = Colourist::default();
    question.each(
        |pair| pair.paths.first().cloned(),
        |path| {
            path.iter().for_each(|path| best.add(path));
            ControlFlow::Continue(())
        },
    )?;
    Ok(dot(topology, &best.colours, &[]))
}

/// The colour of each rank.
fn legend(paths: &[Path]) -> Vec<(&'static str, String)> {
    (0..paths.len()).map(|rank| (rank_colour(rank), format!("rank {rank}"))).collect()
}

fn live(args: &PathsArgs) -> Result<(), Failure> {
    match args.format {
        PathsFormat::Table => super::live::paths(&args.agent, Format::Table),
        PathsFormat::Json => super::live::paths(&args.agent, Format::Json),
        _ => Err(Failure::BadInput(anyhow!("--live: a running agent answers as table or json only"))),
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

fn json_of_one(question: &Question<'_>) -> Result<(), Failure> {
    let topology = question.topology();
    let mut answer = Ok(());
    question.each(Pair::clone, |pair| {
        answer = super::print_json(&paths_json(topology, &pair.paths));
        ControlFlow::Continue(())
    })?;
    answer
}

fn json_of_all(question: &Question<'_>) -> Result<(), Failure> {
    let topology = question.topology();
    let (mut out, mut list) = (Stream::new(), JsonList::new(0));
    question.each_as_json(
        |pair| JsonList::element(0, &PairJson::new(topology, pair)),
        |element| out.print(&list.next(&element)),
    )?;
    let _ = out.print(&format!("{}\n", list.end()));
    out.end()
}

fn table(topology: &Topology, pair: &Pair, title: bool) -> String {
    let mut text = String::new();
    if title {
        let name = |switch| &topology.switch(switch).name;
        text += &format!("{} to {}\n", name(pair.from), name(pair.to));
    }
    text += "rank  cost  shared  path\n";
    for (rank, path) in pair.paths.iter().enumerate() {
        let way = describe(topology, path);
        text += &format!("{rank:>4}  {:>4}  {:>6}  {way}\n", path.cost, path.shared_links);
    }
    text
}
