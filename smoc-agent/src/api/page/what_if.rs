//! What a failure would do to the pairs of edges of the fabric as it is, by the same search as `smoc what-if`.

use std::{
    collections::{BTreeSet, HashSet},
    ops::ControlFlow,
    time::{Duration, Instant},
};

use serde::Serialize;
use smoc_control::switch::Snapshot;
use smoc_paths::{
    analysis::{
        detours::{Remedy, Repairs},
        failures::{Effect, Failure},
    },
    search::{OptionsError, Path, PathFinder, PathOptions, substituted},
    topology::{LinkId, SwitchId, Topology},
};

/// With more edges only pairs of this switch are looked at.
const EDGES: usize = 48;
/// After this time the answer is what was found until then.
const LONGEST: Duration = Duration::from_secs(4);
/// Most pairs that are listed.
const EFFECTS: usize = 200;

/// What a failure would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WhatIf {
    /// What would fail, as it was asked.
    pub failed: Vec<String>,
    /// Its links.
    pub links: Vec<u32>,
    /// Links that are down or drained already; the answer is what comes of both together.
    pub already: Vec<u32>,
    /// The switch whose pairs alone were looked at, because all would take too long; null: all were.
    pub only: Option<String>,
    /// Whether time was enough for all these pairs.
    pub complete: bool,
    /// Pairs that were looked at.
    pub pairs: usize,
    /// Of these, those that keep all their paths.
    pub untouched: usize,
    /// Those of which one switch fails itself.
    pub gone: usize,
    /// Those that have no path then, and have one now.
    pub cut_off: usize,
    /// Those that have none now.
    pub cut_off_already: usize,
    /// Paths that would break, each direction by itself.
    pub broken: usize,
    /// Of these, those with another rank or a detour, so that hardly a frame is lost.
    pub repaired: usize,
    /// Pairs that lose ranks, the first two hundred, those of this switch first.
    pub effects: Vec<PairEffect>,
    /// How many pairs lose ranks.
    pub concerned: usize,
}

/// What a failure would do to a pair.
#[derive(Clone, Debug, Serialize)]
pub struct PairEffect {
    /// One edge.
    pub from: String,
    /// The other one.
    pub to: String,
    /// The ranks that would lose their path.
    pub lost: Vec<usize>,
    /// Whether no path is left.
    pub cut_off: bool,
    /// The path that each rank has; null: none is left for it.
    pub before: Vec<Option<Vec<u32>>>,
    /// The path that it would take; null: none is left for it.
    pub after: Vec<Option<Vec<u32>>>,
}

/// What would come of it if all that has these names failed.
///
/// # Errors
/// A name means nothing, or several things.
pub(super) fn what_if(snapshot: &Snapshot, names: &[String]) -> Result<WhatIf, String> {
    let fabric = Fabric {
        topology: &snapshot.topology,
        options: snapshot.book.options(),
        already: snapshot.book.down().iter().copied().collect(),
        edges: edges(snapshot),
    };
    fabric.without(names)
}

/// The fabric as it is.
struct Fabric<'a> {
    topology: &'a Topology,
    options: &'a PathOptions,
    /// Links that are down or drained.
    already: HashSet<LinkId>,
    /// Switches with hosts, the one that is asked first.
    edges: Vec<SwitchId>,
}

impl Fabric<'_> {
    fn without(&self, names: &[String]) -> Result<WhatIf, String> {
        let mut failure = Failure::default();
        if names.is_empty() {
            return Err("say what is to fail: a link, a switch or a shared-risk group".to_owned());
        }
        names.iter().try_for_each(|name| failure.add(self.topology, name))?;
        let mut answer = WhatIf {
            failed: names.to_vec(),
            links: numbers(&failure.links),
            already: numbers(&self.already),
            complete: true,
            ..WhatIf::default()
        };
        failure.links.extend(&self.already);
        self.look(&failure, &mut answer).map_err(|error| error.to_string())?;
        Ok(answer)
    }

    fn look(&self, failure: &Failure, answer: &mut WhatIf) -> Result<(), OptionsError> {
        if self.edges.len() <= EDGES {
            return self.batch(failure, &self.edges, answer);
        }
        let this = self.edges[0];
        answer.only = Some(self.topology.switch(this).name.clone());
        let started = Instant::now();
        for &edge in &self.edges[1..] {
            if started.elapsed() > LONGEST {
                answer.complete = false;
                break;
            }
            self.batch(failure, &[this, edge], answer)?;
        }
        Ok(())
    }

    /// All pairs of these.
    fn batch(&self, failure: &Failure, edges: &[SwitchId], answer: &mut WhatIf) -> Result<(), OptionsError> {
        let Self { topology, options, already, .. } = self;
        let now = PathFinder::without(topology, options, already)?;
        let mut repairs = Repairs::new(topology, options, failure)?;
        let take = |effect: Effect| {
            let Effect { before, .. } = &effect;
            let ranked = now.ranked(before.from, before.to);
            let is_cut_off_already = ranked.is_empty();
            let ranked = substituted(topology, &before.paths, |link| already.contains(&link), ranked);
            let lost = answer.add(topology, &effect, &Now { ranked, is_cut_off_already, already });
            let repaired = repairs.of(&effect).into_iter().filter(|repair| lost.contains(&repair.rank));
            for repair in repaired {
                answer.broken += 1;
                let is_repaired = matches!(repair.remedy, Remedy::OtherRank | Remedy::Detour { .. });
                answer.repaired += usize::from(is_repaired);
            }
            ControlFlow::Continue(())
        };
        let unconcerned = failure.for_each_effect(topology, options, edges, |_| (), take)?;
        answer.untouched += unconcerned.untouched;
        answer.gone += unconcerned.gone;
        answer.pairs += edges.len() * edges.len().saturating_sub(1) / 2;
        Ok(())
    }
}

/// How a pair is before the failure.
struct Now<'a> {
    /// The paths of its ranks.
    ranked: Vec<Path>,
    is_cut_off_already: bool,
    /// What is down.
    already: &'a HashSet<LinkId>,
}

impl WhatIf {
    /// Adds a pair, and says which of its ranks lose the path that they have now.
    fn add(&mut self, topology: &Topology, effect: &Effect, now: &Now<'_>) -> Vec<usize> {
        let crosses = |path: &Path| path.links.iter().any(|link| self.links.contains(&link.0));
        let is_whole = |path: &&Path| !path.links.iter().any(|link| now.already.contains(link));
        let ranked: Vec<Option<&Path>> =
            now.ranked.iter().map(|path| Some(path).filter(|path| is_whole(path))).collect();
        let lost = ranked.iter().enumerate().filter(|(_, path)| path.is_some_and(crosses));
        let lost: Vec<usize> = lost.map(|(rank, _)| rank).collect();
        let cut_off = effect.after.is_empty() && !now.is_cut_off_already;
        self.cut_off_already += usize::from(now.is_cut_off_already);
        self.cut_off += usize::from(cut_off);
        if lost.is_empty() {
            self.untouched += usize::from(!now.is_cut_off_already);
            return lost;
        }
        self.concerned += 1;
        if self.effects.len() < EFFECTS {
            let name = |switch| topology.switch(switch).name.clone();
            let links = |path: &Path| path.links.iter().map(|link| link.0).collect();
            self.effects.push(PairEffect {
                from: name(effect.before.from),
                to: name(effect.before.to),
                lost: lost.clone(),
                cut_off,
                before: ranked.into_iter().map(|path| path.map(links)).collect(),
                after: effect.in_use.iter().map(|path| path.as_ref().map(links)).collect(),
            });
        }
        lost
    }
}

/// This switch, then all others that have hosts.
fn edges(snapshot: &Snapshot) -> Vec<SwitchId> {
    let declared = snapshot.topology.hosts().iter().map(|host| host.at.switch);
    let mut edges: BTreeSet<SwitchId> =
        declared.chain(snapshot.hosts.values().map(|h| h.at.switch)).collect();
    if edges.len() < 2 {
        edges = snapshot.topology.switch_ids().collect();
    }
    edges.remove(&snapshot.this);
    std::iter::once(snapshot.this).chain(edges).collect()
}

/// Sorted.
fn numbers<'a>(links: impl IntoIterator<Item = &'a LinkId>) -> Vec<u32> {
    let mut numbers: Vec<u32> = links.into_iter().map(|link| link.0).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use smoc_paths::topology::TopologyFile;

    use super::*;

    /// Three disjoint paths from e1 to e2, and e3 behind e2.
    const THREE: &str = "links:
  - {a: 'e1:1', b: 'm1:1'}
  - {a: 'm1:2', b: 'e2:1'}
  - {a: 'e1:2', b: 'm2:1'}
  - {a: 'm2:2', b: 'e2:2'}
  - {a: 'e1:3', b: 'm3:1'}
  - {a: 'm3:2', b: 'e2:3'}
  - {a: 'e2:4', b: 'e3:1'}
hosts: [{name: h1, port: 'e1:9'}, {name: h2, port: 'e2:9'}, {name: h3, port: 'e3:9'}]";

    fn failing(already: &[&str], names: &[&str]) -> Result<WhatIf, String> {
        let topology = TopologyFile::parse(std::path::Path::new("t"), THREE).unwrap().topology;
        let already = already.iter().map(|name| topology.find_link(name).unwrap()).collect();
        let edges = topology.edges();
        let fabric = Fabric { topology: &topology, options: &PathOptions::default(), already, edges };
        fabric.without(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_link_costs_its_pairs_a_rank_and_nobody_is_cut_off() {
        let answer = failing(&[], &["m1:2-e2:1"]).unwrap();
        assert_eq!((answer.pairs, answer.concerned, answer.untouched, answer.cut_off), (3, 2, 1, 0));
        assert!(answer.complete && answer.effects.iter().all(|effect| effect.lost.len() == 1));
        assert!(answer.broken > 0 && answer.repaired == answer.broken);
    }

    #[test]
    fn what_is_down_already_is_not_the_doing_of_the_failure() {
        let answer = failing(&["m1:2-e2:1"], &["e1:1-m1:1"]).unwrap();
        assert_eq!((answer.concerned, answer.untouched, answer.broken), (0, 3, 0), "its other half is down");
        let answer = failing(&["m1:2-e2:1", "m2:2-e2:2"], &["e1:3-m3:1"]).unwrap();
        assert_eq!((answer.concerned, answer.cut_off, answer.cut_off_already), (2, 2, 0));
        let answer = failing(&["e2:4-e3:1"], &["e1:1-m1:1"]).unwrap();
        let sums = (answer.concerned, answer.cut_off, answer.cut_off_already);
        assert_eq!(sums, (1, 0, 2), "e3 is cut off already");
        assert_eq!(answer.pairs, answer.concerned + answer.untouched + answer.cut_off_already);
    }

    #[test]
    fn a_switch_takes_its_pairs_with_it_and_a_name_that_means_nothing_is_refused() {
        let answer = failing(&[], &["e2"]).unwrap();
        assert_eq!((answer.gone, answer.cut_off), (2, 1));
        assert!(failing(&[], &["m9"]).unwrap_err().contains("is no link"));
        assert!(failing(&[], &[]).unwrap_err().contains("say what is to fail"));
    }
}
