//! `smoc what-if TOPOLOGY --fail LINK|SWITCH|SRLG`: what a failure does to every pair.

use std::path::PathBuf;

use anyhow::anyhow;
use serde_json::{Value, json};
use smoc_common::route::Route;

use super::offline::{Progress, describe, edges, load, pairs, paths_json};
use super::search::SearchArgs;
use super::{Failure, Format};
use smoc_paths::analysis::detours::{Remedy, Repair, Repairs};
use smoc_paths::analysis::diversity::{Diversities, Diversity};
use smoc_paths::analysis::failures::{self, Effect, Effects};
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
    let progress = Progress::new("pairs", pairs(edges.len()));
    let effects = failure
        .effects(topology, &args.search.options(), &edges, |done| progress.at(done))
        .map_err(Failure::bad_input)?;
    let before = Diversities::new(topology, |_| true);
    let after = Diversities::new(topology, |link| !failure.links.contains(&link));
    let mut repairs = Repairs::new(topology, &args.search.options(), &failure).map_err(Failure::bad_input)?;
    let progress = Progress::new("concerned pairs", effects.concerned.len());
    let concerned: Vec<_> = (effects.concerned.iter().enumerate())
        .map(|(done, effect)| {
            progress.at(done);
            let now = Pair { paths: effect.after.clone(), ..effect.before };
            let diversity = (before.of(&effect.before), after.of(&now));
            Concerned { effect, diversity, repairs: repairs.of(effect) }
        })
        .collect();
    match args.format {
        Format::Json => super::print_json(&document(topology, &effects, &concerned)),
        Format::Table => super::print(&table(topology, &effects, &concerned)),
    }
}

/// A pair that the failure concerns.
struct Concerned<'a> {
    effect: &'a Effect,
    /// Before and after.
    diversity: (Diversity, Diversity),
    /// Of its broken paths, there and back.
    repairs: Vec<Repair>,
}

fn document(topology: &Topology, effects: &Effects, concerned: &[Concerned<'_>]) -> Value {
    let name = |switch| &topology.switch(switch).name;
    let concerned = concerned.iter().map(|Concerned { effect, diversity, repairs }| {
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
    });
    json!({
        "untouched_pairs": effects.untouched,
        "gone_pairs": effects.gone,
        "pairs": concerned.collect::<Vec<_>>(),
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

fn table(topology: &Topology, effects: &Effects, concerned: &[Concerned<'_>]) -> String {
    let cut_off = effects.concerned.iter().filter(|effect| effect.after.is_empty()).count();
    let mut text = format!(
        "{} pairs keep all their paths, {} lose some, {cut_off} are cut off, {} are gone with a switch",
        effects.untouched,
        effects.concerned.len() - cut_off,
        effects.gone,
    );
    let repairs: Vec<_> = concerned.iter().flat_map(|pair| &pair.repairs).collect();
    if !repairs.is_empty() {
        text += &format!(
            "\n{} of {} broken paths, each direction by itself, have another rank or a detour",
            repairs.iter().filter(|repair| problem(&repair.remedy).is_none()).count(),
            repairs.len(),
        );
    }
    for concerned in concerned {
        text += &pair(topology, concerned);
    }
    text
}

fn pair(
    topology: &Topology,
    Concerned { effect, diversity: (before, after), repairs }: &Concerned<'_>,
) -> String {
    let name = |switch| &topology.switch(switch).name;
    let lost: Vec<_> = effect.lost.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "\n\n{} to {}: rank {} lost; {} link-disjoint paths exist, {} before; {} of {} ranks disjoint, {} of {} before",
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
