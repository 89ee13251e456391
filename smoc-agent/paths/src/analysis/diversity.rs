//! How disjoint the ranked paths of a pair are, against what the topology offers.

use std::collections::HashMap;

use petgraph::algo::ford_fulkerson;
use petgraph::graph::{DiGraph, NodeIndex};
use serde::Serialize;

use super::fair::{Flows, max_min};
use crate::search::{Pair, Path};
use crate::topology::{LinkId, Topology};

/// The diversity of one pair's ranked paths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diversity {
    /// Link-disjoint paths that the topology has between the two: the maximum flow with one unit a link
    /// (Menger 1927).
    pub disjoint_paths: u64,
    /// Paths ranked.
    pub ranks: usize,
    /// Ranks that share no link with any better rank, and so none with each other.
    pub disjoint_ranks: usize,
    /// The link that most ranks use, and how many do; the first such link.
    pub most_shared: Option<(String, usize)>,
    /// What one subflow on each rank reaches together, each link shared fairly (max-min), as a share of the
    /// maximum flow between the two. A link of unknown capacity counts like the others of unknown capacity,
    /// as 1 Gbit/s.
    pub throughput_share: f64,
}

/// Maximum flows over one topology without some links.
pub struct Diversities<'a> {
    topology: &'a Topology,
    capacities: Vec<f64>,
    unit: DiGraph<(), u64>,
    capacity: DiGraph<(), u64>,
}

impl<'a> Diversities<'a> {
    /// Without the links for which `up` says no.
    pub fn new(topology: &'a Topology, up: impl Fn(LinkId) -> bool) -> Self {
        let bits =
            |link: &crate::topology::Link| link.capacity.map_or(1_000_000_000, |c| c.bits_per_second());
        let network = |weight: &dyn Fn(&crate::topology::Link) -> u64| {
            let mut graph = DiGraph::new();
            for _ in topology.switches() {
                graph.add_node(());
            }
            for id in topology.link_ids().filter(|&id| up(id)) {
                let link = topology.link(id);
                let (a, b) = (NodeIndex::new(link.a.switch.index()), NodeIndex::new(link.b.switch.index()));
                graph.add_edge(a, b, weight(link));
                graph.add_edge(b, a, weight(link));
            }
            graph
        };
        Self {
            topology,
            capacities: topology.links().iter().map(|link| bits(link) as f64).collect(),
            unit: network(&|_| 1),
            capacity: network(&bits),
        }
    }

    /// The diversity of a pair.
    pub fn of(&self, pair: &Pair) -> Diversity {
        let (from, to) = (NodeIndex::new(pair.from.index()), NodeIndex::new(pair.to.index()));
        let most = self.capacity_between(from, to);
        let mut uses = Flows::default();
        pair.paths.iter().for_each(|path| uses.push(path.links.iter().map(|link| link.0)));
        let reached: f64 = max_min(&self.capacities, &uses).iter().sum();
        Diversity {
            disjoint_paths: ford_fulkerson(&self.unit, from, to).0,
            ranks: pair.paths.len(),
            disjoint_ranks: pair.paths.iter().filter(|path| path.shared_links == 0).count(),
            most_shared: uses_of(&pair.paths).most(self.topology),
            throughput_share: if most == 0.0 { 0.0 } else { reached / most },
        }
    }

    fn capacity_between(&self, from: NodeIndex, to: NodeIndex) -> f64 {
        ford_fulkerson(&self.capacity, from, to).0 as f64
    }
}

fn uses_of(paths: &[Path]) -> Uses {
    let mut uses = Uses::default();
    paths.iter().for_each(|path| uses.add(path));
    uses
}

/// How many paths use each link.
#[derive(Clone, Debug, Default)]
pub struct Uses(HashMap<LinkId, usize>);

impl Uses {
    /// Another path.
    pub fn add(&mut self, path: &Path) {
        path.links.iter().for_each(|link| *self.0.entry(*link).or_default() += 1);
    }

    /// The link that most paths use, by name, and how many do; of several the first.
    pub fn most(&self, topology: &Topology) -> Option<(String, usize)> {
        let most = self.0.iter().max_by_key(|&(&link, &times)| (times, std::cmp::Reverse(link)))?;
        Some((topology.link_name(*most.0), *most.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{PathFinder, PathOptions, Policy};
    use crate::topology::generate::fat_tree;

    fn mean_disjoint(policy: Policy, count: usize) -> f64 {
        let topology = fat_tree(8).unwrap().build().unwrap();
        let options = PathOptions { policy, count, ..PathOptions::default() };
        let pairs = PathFinder::new(&topology, &options).unwrap().all_pairs(&topology.edges(), |_| ());
        let diversities = Diversities::new(&topology, |_| true);
        let shares = pairs.iter().map(|pair| diversities.of(pair).disjoint_ranks as f64 / 4.0);
        shares.sum::<f64>() / pairs.len() as f64
    }

    #[test]
    fn diverse_reaches_the_bound_on_a_fat_tree_and_shortest_does_not() {
        assert_eq!(mean_disjoint(Policy::Diverse, 4), 1.0);
        assert!(mean_disjoint(Policy::Shortest, 4) < 0.9);
    }
}
