//! Policy `diverse` where links have shared-risk groups.
//!
//! Between two paths every pair of links, one of each, counts that is the same link or has a group in common; a set
//! of paths is judged by the sum over its pairs of paths, which without groups is the sum over links of
//! n(n-1)/2. Finding even two paths without a common group is NP-hard (Hu, "Diverse routing in optical
//! mesh networks", IEEE Trans. Communications 51, 2003), so no flow can decide it:
//!
//! * If the optimal flow, which knows nothing of groups, shares none, it is the optimum here as well.
//! * Else a local search: from several starts, each path in turn is replaced by its best response to the
//!   others (a shortest path, for what a path shares with given others is a sum over its links).
//! * Then a branch and bound over the [`CANDIDATES`] cheapest paths. If these are all the paths there are
//!   and [`STEPS`] suffice, which is so in small topologies, the answer is the optimum; else it is the
//!   best found, the same on every machine.

use crate::search::graph::{Arc, Weight};
use crate::search::query::Query;
use crate::search::spur::SpurSearch;
use crate::topology::{LinkId, Topology};

/// So many of the cheapest paths are combined exhaustively.
const CANDIDATES: usize = 40;
/// So many of the cheapest paths serve as starts of the local search.
const STARTS: usize = 12;
/// After so many partial sets the exhaustive search stops.
const STEPS: usize = 20_000;

/// A set of paths and what it weighs.
#[derive(Clone)]
struct Set {
    weight: Weight,
    /// What each path weighs by itself, ascending: decides between sets of the same links, as seen from either
    /// end.
    alone: Vec<Weight>,
    paths: Vec<Vec<u32>>,
}

/// One pair of edges and the means to judge paths between them.
struct Judge<'a> {
    query: &'a Query<'a>,
    topology: &'a Topology,
    switches_count: bool,
}

/// Improves an optimal flow, given as `count` paths, with regard to groups: what the best set weighs, and its distinct
/// paths in no particular order.
pub(super) fn improve(
    query: &Query<'_>,
    topology: &Topology,
    flow: Vec<Vec<u32>>,
    count: usize,
    switches_count: bool,
    search: &mut SpurSearch,
) -> (Weight, Vec<Vec<u32>>) {
    let judge = Judge { query, topology, switches_count };
    if !judge.any_common_group(&flow) {
        return (judge.set(flow.clone()).weight, distinct(flow));
    }
    let candidates =
        search.k_shortest(query, CANDIDATES, |arc: &Arc| query.graph.weight(query.seed, arc.link, arc.cost));
    let starts = candidates.iter().take(STARTS).map(|path| vec![path.clone()]);
    let mut best = judge.settle(flow, count, search);
    for start in starts {
        let other = judge.settle(start, count, search);
        if (other.weight, &other.alone) < (best.weight, &best.alone) {
            best = other;
        }
    }
    best = judge.branch_and_bound(candidates, count, best);
    (best.weight, distinct(best.paths))
}

fn distinct(mut paths: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
    paths.sort();
    paths.dedup();
    paths
}

impl Judge<'_> {
    fn groups_meet(&self, a: u32, b: u32) -> bool {
        let groups = |link| &self.topology.link(LinkId(link)).srlg;
        groups(a).iter().any(|group| groups(b).contains(group))
    }

    /// Whether two of these paths meet in a group.
    fn any_common_group(&self, paths: &[Vec<u32>]) -> bool {
        let meet =
            |a: &[u32], b: &[u32]| a.iter().any(|&l| b.iter().any(|&m| l != m && self.groups_meet(l, m)));
        paths.iter().enumerate().any(|(i, a)| paths[..i].iter().any(|b| meet(a, b)))
    }

    /// Cost and tie of a path.
    fn alone(&self, path: &[u32]) -> Weight {
        self.query.length(path)
    }

    /// The transit switches of a path.
    fn transit(&self, path: &[u32]) -> Vec<u32> {
        let mut switches: Vec<u32> = self.query.switches(path).collect();
        switches.pop();
        switches
    }

    /// What two paths share.
    fn between(&self, a: &[u32], b: &[u32]) -> Weight {
        let graph = self.query.graph;
        let meet = |l: u32| b.iter().filter(|&&m| l == m || self.groups_meet(l, m)).count();
        let links: usize = a.iter().map(|&link| meet(link)).sum();
        let mut weight = links as Weight * graph.link_share;
        if self.switches_count {
            let other = self.transit(b);
            let met = self.transit(a).iter().filter(|switch| other.contains(switch)).count();
            weight += met as Weight * graph.switch_share;
        }
        weight
    }

    fn set(&self, paths: Vec<Vec<u32>>) -> Set {
        let mut alone: Vec<Weight> = paths.iter().map(|path| self.alone(path)).collect();
        alone.sort_unstable();
        let shared: Weight = (paths.iter().enumerate())
            .map(|(i, a)| paths[..i].iter().map(|b| self.between(a, b)).sum::<Weight>())
            .sum();
        Set { weight: alone.iter().sum::<Weight>() + shared, alone, paths }
    }

    /// The path that shares the least with the others, then is the cheapest.
    fn best_response(&self, others: &[Vec<u32>], search: &mut SpurSearch) -> Option<Vec<u32>> {
        let graph = self.query.graph;
        let transits: Vec<_> = others.iter().map(|path| self.transit(path)).collect();
        let weight = |arc: &Arc| {
            let links = others.iter().flatten().filter(|&&l| l == arc.link || self.groups_meet(l, arc.link));
            let mut weight = graph.weight(self.query.seed, arc.link, arc.cost)
                + links.count() as Weight * graph.link_share;
            if self.switches_count && arc.to != self.query.root {
                let met = transits.iter().filter(|transit| transit.contains(&arc.to)).count();
                weight += met as Weight * graph.switch_share;
            }
            weight
        };
        search.k_shortest(self.query, 1, weight).pop()
    }

    /// Fills the set up to `count` and replaces paths by better ones until none can be.
    fn settle(&self, mut paths: Vec<Vec<u32>>, count: usize, search: &mut SpurSearch) -> Set {
        while paths.len() < count
            && let Some(path) = self.best_response(&paths, search)
        {
            paths.push(path);
        }
        let mut best = self.set(paths);
        let mut unchanged = 0;
        let mut position = 0;
        while unchanged < best.paths.len() {
            let mut paths = best.paths.clone();
            paths.remove(position);
            paths.extend(self.best_response(&paths, search));
            let now = self.set(paths);
            if now.weight < best.weight {
                (best, unchanged) = (now, 0);
            } else {
                (position, unchanged) = ((position + 1) % best.paths.len(), unchanged + 1);
            }
        }
        best
    }

    /// Looks for a better set among the multisets of these paths.
    fn branch_and_bound(&self, candidates: Vec<Vec<u32>>, count: usize, best: Set) -> Set {
        let alone = candidates.iter().map(|path| self.alone(path)).collect();
        let between =
            candidates.iter().map(|a| candidates.iter().map(|b| self.between(a, b)).collect()).collect();
        let mut tree =
            Tree { alone, between, count, chosen: Vec::new(), best: None, bound: best.weight, steps: 0 };
        tree.descend(0, 0, &vec![0; candidates.len()]);
        match tree.best {
            Some(chosen) => self.set(chosen.into_iter().map(|i| candidates[i].clone()).collect()),
            None => best,
        }
    }
}

/// The search tree over multisets of candidates, by ascending candidate.
struct Tree {
    alone: Vec<Weight>,
    between: Vec<Vec<Weight>>,
    count: usize,
    chosen: Vec<usize>,
    best: Option<Vec<usize>>,
    /// What must be undercut.
    bound: Weight,
    steps: usize,
}

impl Tree {
    /// `weight` is that of the chosen, `added[i]` what candidate i shares with them.
    fn descend(&mut self, first: usize, weight: Weight, added: &[Weight]) {
        self.steps += 1;
        let left = self.count - self.chosen.len();
        if left == 0 {
            (self.bound, self.best) = (weight, Some(self.chosen.clone()));
            return;
        }
        let mut order: Vec<usize> = (first..self.alone.len()).collect();
        order.sort_by_key(|&i| self.alone[i] + added[i]);
        let Some(&least) = order.first() else { return };
        let least = self.alone[least] + added[least];
        for i in order {
            let now = weight + self.alone[i] + added[i];
            if now + least * (left as Weight - 1) >= self.bound || self.steps > STEPS {
                break;
            }
            let added: Vec<_> = added.iter().zip(&self.between[i]).map(|(a, b)| a + b).collect();
            self.chosen.push(i);
            self.descend(i, now, &added);
            self.chosen.pop();
        }
    }
}
