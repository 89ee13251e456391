//! `smoc what-if TOPOLOGY --fail LINK|SWITCH|SRLG`: what a failure does to every pair.

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::anyhow;
use serde_json::{Value, json};
use smoc_common::route::Route;

use super::offline::{Progress, describe, edges, load, pairs, paths_json};
use super::search::SearchArgs;
use super::stream::{JsonList, Stream};
use super::{Failure, Format};
use smoc_paths::analysis::detours::{Remedy, Repair, Repairs};
use smoc_paths::analysis::diversity::{Diversities, Diversity};
use smoc_paths::analysis::failures::{self, Effect, Unconcerned};
use smoc_paths::search::{NoDetour, Pair, Path};
use smoc_paths::topology::{SwitchId, Topology};

/// Arguments of `smoc what-if`.
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "smoc what-if [OPTIONS] <TOPOLOGY> --fail <NAME>...",
    after_help = "Examples:\n  \
smoc what-if examples/diamond.yaml --fail m1\n  \
smoc what-if examples/diamond.yaml --fail e1:1-m1:1 e1:3-m2:1\n  \
smoc what-if examples/fat-tree-k4.yaml --fail e11:1-a11:3 -k 4 --format json"
)]
pub struct WhatIfArgs {
    /// The topology, in any format of docs/topologies.md; - is standard input
    topology: PathBuf,
    /// A link (e1:1-m1:1, or e1-m1 if there is only one), switch or shared-risk group; several, one after the other or each with its own --fail, fail
    /// together
    #[arg(long, required = true, num_args = 1.., value_name = "NAME")]
    fail: Vec<String>,
    #[command(flatten)]
    search: SearchArgs,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// The topology or the failure makes no sense.
pub fn run(args: &WhatIfArgs) -> Result<(), Failure> {
    let topology = &load(&args.topology)?;
    let mut failure = failures::Failure::default();
    for name in &args.fail {
        failure.add(topology, name).map_err(|message| Failure::BadInput(anyhow!("--fail: {message}")))?;
    }
    let edges = edges(topology);
    let before = Diversities::new(topology, |_| true);
    let after = Diversities::new(topology, |link| !failure.links.contains(&link));
    let mut repairs = Repairs::new(topology, &args.search.options(), &failure).map_err(Failure::bad_input)?;
    let mut document = Document::new(args.format, &failure, &edges);
    let progress = Progress::new("pairs", pairs(edges.len()));
    let take = |effect: Effect| {
        let now = Pair { paths: effect.after.clone(), ..effect.before };
        let diversity = (before.of(&effect.before), after.of(&now));
        let repairs = repairs.of(&effect);
        document.add(topology, &Concerned { effect, diversity, repairs })
    };
    let unconcerned = failure
        .for_each_effect(topology, &args.search.options(), &edges, |done| progress.at(done), take)
        .map_err(Failure::bad_input)?;
    document.end(unconcerned)
}

/// A pair that the failure concerns.
struct Concerned {
    effect: Effect,
    /// Before and after.
    diversity: (Diversity, Diversity),
    /// Of its broken paths, there and back.
    repairs: Vec<Repair>,
}

/// The answer, printed pair by pair as it is found; what it adds up to comes last.
struct Document {
    out: Stream,
    list: JsonList,
    format: Format,
    sums: Sums,
    failed: Option<serde_json::Error>,
}

/// Of the pairs concerned.
#[derive(Default)]
struct Sums {
    pairs: usize,
    cut_off: usize,
    broken: usize,
    repaired: usize,
}

impl Document {
    fn new(format: Format, failure: &failures::Failure, edges: &[SwitchId]) -> Self {
        let mut out = Stream::new();
        if format == Format::Json {
            let left = edges.iter().filter(|edge| !failure.switches.contains(edge)).count();
            let gone = pairs(edges.len()) - pairs(left);
            // A reader that has gone is noticed with the first pair.
            let _ = out.print(&format!("{{\n  \"gone_pairs\": {gone},\n  \"pairs\": "));
        }
        Self { out, list: JsonList::new(1), format, sums: Sums::default(), failed: None }
    }

    fn add(&mut self, topology: &Topology, concerned: &Concerned) -> ControlFlow<()> {
        let is_repaired = |repair: &&Repair| problem(&repair.remedy).is_none();
        self.sums.pairs += 1;
        self.sums.cut_off += usize::from(concerned.effect.after.is_empty());
        self.sums.broken += concerned.repairs.len();
        self.sums.repaired += concerned.repairs.iter().filter(is_repaired).count();
        match self.format {
            Format::Table => self.out.print(&(pair(topology, concerned) + "\n\n")),
            Format::Json => match JsonList::element(1, &json_of(topology, concerned)) {
                Ok(element) => self.out.print(&self.list.next(&element)),
                Err(error) => {
                    self.failed = Some(error);
                    ControlFlow::Break(())
                }
            },
        }
    }

    fn end(mut self, Unconcerned { untouched, gone }: Unconcerned) -> Result<(), Failure> {
        if let Some(error) = self.failed {
            return Err(Failure::Failed(error.into()));
        }
        let Sums { pairs, cut_off, broken, repaired } = self.sums;
        let mut text = match self.format {
            Format::Json => format!("{},\n  \"untouched_pairs\": {untouched}\n}}\n", self.list.end()),
            Format::Table => format!(
                "{untouched} pairs keep all their paths, {} lose some, {cut_off} are cut off, {gone} are gone with a switch\n",
                pairs - cut_off,
            ),
        };
        if self.format == Format::Table && broken > 0 {
            text += &format!(
                "{repaired} of {broken} broken paths, each direction by itself, have another rank or a detour\n"
            );
        }
        let _ = self.out.print(&text);
        self.out.end()
    }
}

fn json_of(topology: &Topology, Concerned { effect, diversity, repairs }: &Concerned) -> Value {
    let name = |switch| &topology.switch(switch).name;
    json!({
        "from": name(effect.before.from),
        "to": name(effect.before.to),
        "lost_ranks": effect.lost,
        "cut_off": effect.after.is_empty(),
        "before": paths_json(topology, &effect.before.paths),
        "after": paths_json(topology, &effect.after),
        "in_use": effect.in_use.iter().map(|path| path.as_ref().map(|path| names_of_links(topology, path)))
            .collect::<Vec<_>>(),
        "diversity_before": diversity.0,
        "diversity_after": diversity.1,
        "detours": repairs.iter().map(|repair| repair_json(topology, repair)).collect::<Vec<_>>(),
    })
}

fn repair_json(topology: &Topology, repair: &Repair) -> Value {
    let (by, way) = match &repair.remedy {
        Remedy::OtherRank => (Some("rank"), Vec::new()),
        Remedy::Detour { switches, around_neighbor: true } => (Some("neighbor"), names(topology, switches)),
        Remedy::Detour { switches, .. } => (Some("link"), names(topology, switches)),
        Remedy::Broken | Remedy::Missing(_) => (None, Vec::new()),
    };
    json!({
        "rank": repair.rank,
        "at": topology.switch(repair.at).name,
        "to": topology.switch(repair.to).name,
        "by": by,
        "switches": way,
        "problem": problem(&repair.remedy),
    })
}

fn names_of_links(topology: &Topology, path: &Path) -> Vec<String> {
    path.links.iter().map(|link| topology.link_name(*link)).collect()
}

fn names<'a>(topology: &'a Topology, switches: &[SwitchId]) -> Vec<&'a str> {
    switches.iter().map(|&switch| topology.switch(switch).name.as_str()).collect()
}

/// Why frames are lost until new paths are in force, if they are.
fn problem(remedy: &Remedy) -> Option<String> {
    match remedy {
        Remedy::OtherRank | Remedy::Detour { .. } => None,
        Remedy::Broken | Remedy::Missing(NoDetour::Dead) => {
            Some("its detour leads into the same failure".into())
        }
        Remedy::Missing(NoDetour::NoWay) => Some("there is no other way".into()),
        Remedy::Missing(NoDetour::TooLong(bits)) => {
            Some(format!("the route would need {bits} bits of the {}", Route::BITS))
        }
    }
}

fn pair(
    topology: &Topology,
    Concerned { effect, diversity: (before, after), repairs }: &Concerned,
) -> String {
    let name = |switch| &topology.switch(switch).name;
    let lost: Vec<_> = effect.lost.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "{} to {}: rank {} lost; {} link-disjoint paths exist, {} before; {} of {} ranks disjoint, {} of {} before",
        name(effect.before.from),
        name(effect.before.to),
        lost.join(", "),
        after.disjoint_paths,
        before.disjoint_paths,
        after.disjoint_ranks,
        after.ranks,
        before.disjoint_ranks,
        before.ranks,
    );
    if effect.after.is_empty() {
        text += "\n  cut off: no path is left";
    }
    for (rank, (was, is)) in effect.before.paths.iter().zip(&effect.in_use).enumerate() {
        let same = is.as_ref().is_some_and(|is| is.links == was.links);
        let way = is.as_ref().map_or("no path is left for it".into(), |path| describe(topology, path));
        let how = if same { "same" } else { is.as_ref().map_or("gone", |_| "now ") };
        text += &format!("\n  {rank:>2} {how} {way}");
        for repair in repairs.iter().filter(|repair| repair.rank == rank) {
            let at = format!("\n     {} for {}", name(repair.at), name(repair.to));
            text += &match (&repair.remedy, problem(&repair.remedy)) {
                (Remedy::Detour { switches, around_neighbor }, _) => {
                    let around = if *around_neighbor { "neighbour" } else { "link" };
                    format!("{at}: detour around the {around}, {}", names(topology, switches).join(" > "))
                }
                (Remedy::OtherRank, _) => format!("{at}: another rank"),
                (_, problem) => format!("{at}: no detour, {}", problem.unwrap_or_default()),
            };
        }
    }
    text
}
