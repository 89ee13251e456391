//! `smoc what-if TOPOLOGY --fail LINK|SWITCH|SRLG`: what a failure does to every pair.

use std::path::PathBuf;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::offline::{Progress, SearchArgs, describe, load, pairs, paths_json};
use super::{Failure, Format};
use crate::analysis::diversity::{Diversities, Diversity};
use crate::analysis::failures::{self, Effect, Effects};
use crate::paths::Pair;
use crate::topology::Topology;

/// Arguments of `smoc what-if`.
#[derive(clap::Args, Debug)]
pub struct WhatIfArgs {
    /// The topology: a file of ours, GraphML or node-link JSON
    topology: PathBuf,
    /// A link (e1:1-m1:1), switch or shared-risk group; all that are named fail together
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
    let edges = topology.edges();
    let progress = Progress::new("pairs", pairs(edges.len()));
    let effects = failure
        .effects(topology, &args.search.options(), &edges, |done| progress.at(done))
        .map_err(Failure::bad_input)?;
    let before = Diversities::new(topology, |_| true);
    let after = Diversities::new(topology, |link| !failure.links.contains(&link));
    let diversities: Vec<_> = (effects.concerned.iter())
        .map(|effect| {
            let now = Pair { paths: effect.after.clone(), ..effect.before };
            (before.of(&effect.before), after.of(&now))
        })
        .collect();
    match args.format {
        Format::Json => super::print_json(&document(topology, &effects, &diversities)),
        Format::Table => super::print(&table(topology, &effects, &diversities)),
    }
}

fn document(topology: &Topology, effects: &Effects, diversities: &[(Diversity, Diversity)]) -> Value {
    let name = |switch| &topology.switch(switch).name;
    let concerned = effects.concerned.iter().zip(diversities).map(|(effect, (before, after))| {
        json!({
            "from": name(effect.before.from),
            "to": name(effect.before.to),
            "lost_ranks": effect.lost,
            "cut_off": effect.after.is_empty(),
            "before": paths_json(topology, &effect.before.paths),
            "after": paths_json(topology, &effect.after),
            "diversity_before": before,
            "diversity_after": after,
        })
    });
    json!({
        "untouched_pairs": effects.untouched,
        "gone_pairs": effects.gone,
        "pairs": concerned.collect::<Vec<_>>(),
    })
}

fn table(topology: &Topology, effects: &Effects, diversities: &[(Diversity, Diversity)]) -> String {
    let cut_off = effects.concerned.iter().filter(|effect| effect.after.is_empty()).count();
    let mut text = format!(
        "{} pairs keep all their paths, {} lose some, {cut_off} are cut off, {} are gone with a switch",
        effects.untouched,
        effects.concerned.len() - cut_off,
        effects.gone
    );
    for (effect, (before, after)) in effects.concerned.iter().zip(diversities) {
        text += &pair(topology, effect, before, after);
    }
    text
}

fn pair(topology: &Topology, effect: &Effect, before: &Diversity, after: &Diversity) -> String {
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
    for rank in 0..effect.before.paths.len().max(effect.after.len()) {
        let (was, is) = (effect.before.paths.get(rank), effect.after.get(rank));
        let same = was.map(|path| &path.links) == is.map(|path| &path.links);
        let way = is.map_or("-".into(), |path| describe(topology, path));
        text += &format!("\n  {rank:>2} {} {way}", if same { "same" } else { "now " });
    }
    text
}
