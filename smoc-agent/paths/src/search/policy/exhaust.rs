//! The order with good prefixes of an optimal set, by trying everything: only in small networks.
//!
//! Several sets can share and cost the same, and one set can be taken apart in several ways. Where the set of least tie,
//! taken apart path by path, has no order with good prefixes, another may have one; to say which is as hard as to find
//! two disjoint paths of which one is bounded (Li, McCormick, Simchi-Levi, "The complexity of finding two disjoint paths
//! with min-max objective function", Discrete Applied Mathematics 26, 1990). So all simple paths are listed, and all
//! good orders tried, lighter paths first, until one is the optimum.

use std::collections::HashSet;

use crate::search::graph::Weight;
use crate::search::reduced::{Network, Reduced};
use crate::search::share::Shares;

/// More independent cycles than this, and nothing is tried: a network with c of them has at most 2^c simple paths
/// between two switches.
const CYCLES: usize = 12;
/// More simple paths than this, and nothing is tried.
const PATHS: usize = 160;
/// After so many prefixes the search gives up.
const PREFIXES: usize = 4_000;
/// After so many sets that only repeat paths of a prefix the search gives up.
const SETS: usize = 20_000;

/// All simple paths between two switches, lightest first, and what they weigh.
pub(super) struct Exhaustive {
    paths: Vec<Vec<u32>>,
    /// Cost of each path, without ties.
    alone: Vec<Weight>,
    /// What two paths share; of a path with itself what it shares with its double.
    between: Vec<Vec<Weight>>,
    count: usize,
    /// Sharing and cost, without ties, of the optimal set.
    optimum: Weight,
    seen: HashSet<Vec<usize>>,
    sets: usize,
}

impl Exhaustive {
    /// `None` if there are too many paths.
    pub fn new(network: &Reduced, shares: &mut Shares, count: usize) -> Option<Self> {
        if network.cycles() > CYCLES {
            return None;
        }
        let mut paths = simple_paths(network)?;
        paths.sort_by_key(|links| network.length(links));
        let sharing = |a: &Vec<u32>| {
            shares.clear();
            shares.add(a, network.switches(a));
            paths.iter().map(|b| network.untied(network.shared(shares, b))).collect()
        };
        let between = paths.iter().map(sharing).collect();
        let alone = paths.iter().map(|links| network.untied(network.length(links))).collect();
        Some(Self { paths, alone, between, count, optimum: 0, seen: HashSet::new(), sets: 0 })
    }

    fn pairs(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let all = self.paths.len();
        (0..all).flat_map(|b| (0..b).map(move |a| [a, b]))
    }

    fn weight(&self, [a, b]: [usize; 2]) -> Weight {
        self.alone[a] + self.alone[b] + self.between[a][b]
    }

    /// The lightest pair of different paths, the lighter first.
    pub fn pair(&self) -> Option<Vec<Vec<u32>>> {
        let pair = self.pairs().min_by_key(|&pair| self.weight(pair))?;
        Some(pair.map(|path| self.paths[path].clone()).to_vec())
    }

    /// The paths of the first good order found whose set is the optimum: weighs so much, without ties.
    pub fn order(&mut self, optimum: Weight) -> Option<Vec<Vec<u32>>> {
        self.optimum = optimum;
        let least = self.pairs().map(|pair| self.weight(pair)).min()?;
        let best: Vec<_> = self.pairs().filter(|&pair| self.weight(pair) == least).collect();
        for pair in best {
            let added = self.add(&self.between[pair[0]], pair[1]);
            let mut order = pair.to_vec();
            if self.descend(&mut order, least, &added) {
                return Some(order.iter().map(|&path| self.paths[path].clone()).collect());
            }
        }
        None
    }

    fn add(&self, added: &[Weight], path: usize) -> Vec<Weight> {
        added.iter().zip(&self.between[path]).map(|(a, b)| a + b).collect()
    }

    /// Completes a prefix of that weight; `added[i]` is what path i shares with it.
    fn descend(&mut self, order: &mut Vec<usize>, weight: Weight, added: &[Weight]) -> bool {
        let mut set = order.clone();
        set.sort_unstable();
        if self.seen.len() >= PREFIXES || !self.seen.insert(set) {
            return false;
        }
        if self.is_completed(order, self.count - order.len(), weight, added) {
            return true;
        }
        if order.len() == self.count {
            return false;
        }
        let new = |path: &usize| !order.contains(path);
        let least = (0..self.paths.len()).filter(new).map(|path| added[path]).min();
        let best: Vec<_> =
            (0..self.paths.len()).filter(new).filter(|&path| Some(added[path]) == least).collect();
        for path in best {
            let now = weight + self.alone[path] + added[path];
            if now > self.optimum {
                continue;
            }
            order.push(path);
            let added = self.add(added, path);
            if self.descend(order, now, &added) {
                return true;
            }
            order.pop();
        }
        false
    }

    /// Whether so many more of these paths make a set of that weight the optimum.
    fn is_completed(&mut self, paths: &[usize], left: usize, weight: Weight, added: &[Weight]) -> bool {
        if left == 0 {
            return weight == self.optimum;
        }
        self.sets += 1;
        paths.iter().enumerate().any(|(i, &path)| {
            let now = weight + self.alone[path] + added[path];
            if now > self.optimum || self.sets > SETS {
                return false;
            }
            let added = self.add(added, path);
            self.is_completed(&paths[i..], left - 1, now, &added)
        })
    }
}

/// All simple paths, in no particular order; `None` if there are more than [`PATHS`].
fn simple_paths(network: &Reduced) -> Option<Vec<Vec<u32>>> {
    let mut found = Vec::new();
    let mut is_on_path = vec![false; network.len()];
    is_on_path[network.ends().0 as usize] = true;
    // Each switch of the path and which of its links comes next.
    let mut open = vec![(network.ends().0, 0)];
    let mut links: Vec<u32> = Vec::new();
    while let Some((at, next)) = open.last_mut() {
        let Some(arc) = network.arcs(*at).get(*next) else {
            is_on_path[*at as usize] = false;
            open.pop();
            links.pop();
            continue;
        };
        *next += 1;
        if arc.to == network.ends().1 {
            found.push([&links[..], &[arc.link]].concat());
            if found.len() > PATHS {
                return None;
            }
        } else if !is_on_path[arc.to as usize] {
            is_on_path[arc.to as usize] = true;
            links.push(arc.link);
            open.push((arc.to, 0));
        }
    }
    Some(found)
}
