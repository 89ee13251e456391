//! What a failure does to every pair of edges: which ranks break, what each becomes, who is cut off.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::search::{OptionsError, Pair, Path, PathFinder, PathOptions, substituted};
use crate::topology::{LinkId, SwitchId, Topology};

/// What fails together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The links that are down.
    pub links: HashSet<LinkId>,
    /// The switches that are down; their links are among `links`.
    pub switches: HashSet<SwitchId>,
}

/// A pair that a failure concerns.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The pair and its paths before.
    pub before: Pair,
    /// The best paths after, as a network without what failed has them; empty if the pair is cut off.
    pub after: Vec<Path>,
    /// What agents use after, by the ranks of before: ranks that work keep their paths. `None`: no path is left for it.
    pub in_use: Vec<Option<Path>>,
    /// The ranks, as before, whose path broke.
    pub lost: Vec<usize>,
}

/// How many pairs a failure does not concern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unconcerned {
    /// They keep all their paths.
    pub untouched: usize,
    /// One switch failed itself.
    pub gone: usize,
}

impl Failure {
    /// Adds what that name means: a link (`e1:1-m1:1`, or `e1-m1` if there is one between them), a switch (by its name,
    /// or by the id or label that the file gives it) or a shared-risk group.
    ///
    /// # Errors
    /// It is none of these, or may mean several.
    pub fn add(&mut self, topology: &Topology, name: &str) -> Result<(), String> {
        if let Some(link) = topology.find_link(name) {
            self.links.insert(link);
            return Ok(());
        }
        if let Some(switch) = topology.find_switch(name) {
            self.links.extend(topology.arcs(switch).iter().map(|arc| arc.link));
            self.switches.insert(switch);
            return Ok(());
        }
        if let Ok(group) = topology.srlgs().binary_search_by(|group| group.as_str().cmp(name)) {
            let member = |link: &LinkId| topology.link(*link).srlg.iter().any(|srlg| srlg.index() == group);
            self.links.extend(topology.link_ids().filter(member));
            return Ok(());
        }
        let links = topology.links_between(name);
        if let [link] = links[..] {
            self.links.insert(link);
            return Ok(());
        }
        Err(unclear(topology, name, &links))
    }

    /// Gives `take` what this failure does to each pair of `edges` that it concerns, by the same engine as the agent's, in
    /// order and as it is found; memory is linear in the switches. If `take` breaks off the search ends, and what is counted
    /// is what came before.
    ///
    /// # Errors
    /// As [`PathFinder::new`].
    pub fn for_each_effect(
        &self,
        topology: &Topology,
        options: &PathOptions,
        edges: &[SwitchId],
        progress: impl Fn(usize) + Sync,
        mut take: impl FnMut(Effect) -> ControlFlow<()>,
    ) -> Result<Unconcerned, OptionsError> {
        let whole = PathFinder::new(topology, options)?;
        let finder = PathFinder::without(topology, options, &self.links)?;
        let broken = |path: &Path| path.links.iter().any(|link| self.links.contains(link));
        let is_gone = |pair: &Pair| [pair.from, pair.to].iter().any(|switch| self.switches.contains(switch));
        // Of a pair that is not concerned only that is kept.
        let lost = |pair: Pair| {
            if is_gone(&pair) {
                return Err(true);
            }
            let lost: Vec<_> = (0..pair.paths.len()).filter(|&rank| broken(&pair.paths[rank])).collect();
            if lost.is_empty() { Err(false) } else { Ok((pair, lost)) }
        };
        let mut unconcerned = Unconcerned::default();
        let mut source: Option<(SwitchId, crate::search::Source<'_>)> = None;
        whole.for_each_pair(edges, progress, lost, |found| {
            let (before, lost) = match found {
                Ok(concerned) => concerned,
                Err(is_gone) => {
                    *(if is_gone { &mut unconcerned.gone } else { &mut unconcerned.untouched }) += 1;
                    return ControlFlow::Continue(());
                }
            };
            if source.as_ref().is_none_or(|(from, _)| *from != before.from) {
                source = Some((before.from, finder.source(before.from)));
            }
            let after = source.as_mut().map(|(_, source)| source.to(before.to)).unwrap_or_default();
            let is_down = |link: LinkId| self.links.contains(&link);
            let ranked = substituted(topology, &before.paths, is_down, after.clone());
            let in_use = ranked.into_iter().map(|path| Some(path).filter(|path| !broken(path))).collect();
            take(Effect { before, after, in_use, lost })
        });
        Ok(unconcerned)
    }
}

/// Why a name is not enough to say what fails.
fn unclear(topology: &Topology, name: &str, links: &[LinkId]) -> String {
    let listed = |names: Vec<String>| names.join(" or ");
    let called = topology.switches_called(name);
    if !links.is_empty() {
        let names = links.iter().map(|&link| topology.link_name(link)).collect();
        return format!("\"{name}\" has {} links: name {}", links.len(), listed(names));
    }
    if !called.is_empty() {
        let names = called.iter().map(|&switch| topology.switch(switch).name.clone()).collect();
        return format!("\"{name}\" may be {}: name one of them", listed(names));
    }
    let example = topology.link_ids().next().map_or("e1:1-m1:1".into(), |link| topology.link_name(link));
    format!("\"{name}\" is no link (such as {example}), switch or shared-risk group of this topology")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::TopologyFile;

    fn topology() -> Topology {
        let text = "links:
  - {a: 'e1:1', b: 'm1:1', srlg: [duct]}
  - {a: 'm1:2', b: 'e2:1'}
  - {a: 'e1:2', b: 'm2:1', srlg: [duct]}
  - {a: 'm2:2', b: 'e2:2'}
  - {a: 'e2:3', b: 'e3:1'}
hosts: [{name: h1, port: 'e1:9'}, {name: h2, port: 'e2:9'}, {name: h3, port: 'e3:9'}]";
        TopologyFile::parse(std::path::Path::new("t"), text).unwrap().topology
    }

    fn all(topology: &Topology, failure: &Failure) -> (Unconcerned, Vec<Effect>) {
        let mut effects = Vec::new();
        let take = |effect| {
            effects.push(effect);
            ControlFlow::Continue(())
        };
        let options = PathOptions::default();
        let unconcerned =
            failure.for_each_effect(topology, &options, &topology.edges(), |_| (), take).unwrap();
        (unconcerned, effects)
    }

    fn effects(names: &[&str]) -> (usize, usize, Vec<(Vec<usize>, usize)>) {
        let topology = topology();
        let mut failure = Failure::default();
        for name in names {
            failure.add(&topology, name).unwrap();
        }
        let (unconcerned, effects) = all(&topology, &failure);
        let concerned = effects.into_iter().map(|e| (e.lost, e.after.len())).collect();
        (unconcerned.untouched, unconcerned.gone, concerned)
    }

    #[test]
    fn a_link_costs_the_ranks_that_use_it() {
        let (untouched, gone, concerned) = effects(&["m1:2-e2:1"]);
        assert_eq!((untouched, gone, concerned.len()), (1, 0, 2));
        assert!(concerned.iter().all(|(lost, left)| lost.len() == 1 && *left == 1));
    }

    #[test]
    fn a_rank_that_works_keeps_its_path_and_the_other_has_none_left() {
        let topology = topology();
        let mut failure = Failure::default();
        failure.add(&topology, "m1:2-e2:1").unwrap();
        for effect in all(&topology, &failure).1 {
            let kept: Vec<_> =
                effect.in_use.iter().map(|path| path.as_ref().map(|path| &path.links)).collect();
            let lost = effect.lost[0];
            assert_eq!((kept[lost], kept[1 - lost]), (None, Some(&effect.before.paths[1 - lost].links)));
        }
    }

    #[test]
    fn a_group_fails_as_a_whole_and_cuts_off() {
        assert_eq!(effects(&["duct"]), (1, 0, vec![(vec![0, 1], 0), (vec![0, 1], 0)]));
    }

    #[test]
    fn a_switch_takes_its_pairs_with_it() {
        assert_eq!(effects(&["e2"]), (0, 2, vec![(vec![0, 1], 0)]));
    }

    #[test]
    fn what_is_nothing_is_refused() {
        assert!(Failure::default().add(&topology(), "m9").unwrap_err().contains("no link (such as"));
    }
}
