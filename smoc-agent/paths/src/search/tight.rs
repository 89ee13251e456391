//! The shortest paths alone: searches that never leave the directed acyclic graph of *tight* links.
//!
//! A link is tight towards the root if some shortest path begins with it. Where the paths wanted are all
//! shortest ones, as in a fabric, searching just these links finds exactly what the general search would,
//! since whatever leaves them costs at least one unit more and all ties together are less than a unit.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::{Graph, UNREACHABLE};
use super::query::Query;

/// The tight links of every switch, for one root.
#[derive(Clone, Debug)]
pub(super) struct Tight {
    first: Vec<u32>,
    arcs: Vec<TightArc>,
}

/// A tight link; its hash is beside it because every search of every pair needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TightArc {
    pub to: u32,
    pub link: u32,
    pub hash: u64,
}

impl Tight {
    /// `to_root` are the distances to the root.
    pub fn new(graph: &Graph, to_root: &[u64]) -> Self {
        let mut first = Vec::with_capacity(graph.len() + 1);
        let mut arcs = Vec::new();
        for (switch, &here) in to_root.iter().enumerate() {
            first.push(arcs.len() as u32);
            if here == UNREACHABLE {
                continue;
            }
            for arc in graph.arcs(switch as u32) {
                if to_root[arc.to as usize] + arc.cost == here {
                    arcs.push(TightArc { to: arc.to, link: arc.link, hash: graph.link_hash(arc.link) });
                }
            }
        }
        first.push(arcs.len() as u32);
        Self { first, arcs }
    }

    /// The tight links of a switch.
    #[inline]
    pub fn arcs(&self, switch: u32) -> &[TightArc] {
        &self.arcs[self.first[switch as usize] as usize..self.first[switch as usize + 1] as usize]
    }
}

/// Memory for [`TightSearch::best`].
pub(super) struct TightSearch {
    /// In which round a switch was met.
    round: Vec<u32>,
    now: u32,
    met: Vec<u32>,
    /// The ways on from a switch are `ways[first[s]..first[s] + count[s]]`, the best one first.
    first: Vec<u32>,
    count: Vec<u32>,
    ways: Vec<Way>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    sidetracks: Vec<Sidetrack>,
}

/// A tight link, and the ties of the best path to the root that begins with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    ties: u64,
    link: u32,
    to: u32,
}

/// A path given by the point where it leaves another one, as in Eppstein, "Finding the k shortest paths",
/// SIAM J. Computing 28 (1998). Behind that point it takes the best ways.
#[derive(Clone, Copy)]
struct Sidetrack {
    /// The path it leaves.
    parent: u32,
    /// How many links it follows that path.
    depth: u32,
    /// The link by which it leaves and where that leads.
    link: u32,
    to: u32,
}

impl TightSearch {
    pub fn new(switches: usize) -> Self {
        Self {
            round: vec![0; switches],
            now: 0,
            met: Vec::new(),
            first: vec![0; switches],
            count: vec![0; switches],
            ways: Vec::new(),
            heap: BinaryHeap::new(),
            sidetracks: Vec::new(),
        }
    }

    /// The `count` shortest paths of least tie, best first, all of whose links `allowed` (next switch, link)
    /// admits; fewer if there are fewer.
    pub fn best(
        &mut self,
        query: &Query<'_>,
        tight: &Tight,
        count: usize,
        allowed: impl Fn(u32, u32) -> bool,
    ) -> Vec<Vec<u32>> {
        self.weigh_ways(query, tight, allowed);
        let mut found: Vec<Vec<u32>> = Vec::with_capacity(count);
        self.heap.clear();
        self.sidetracks.clear();
        if let Some(&least) = self.ways(query.start).first() {
            self.sidetracks.push(Sidetrack { parent: 0, depth: 0, link: least.link, to: least.to });
            self.heap.push(Reverse((least.ties, 0)));
        }
        // Which sidetrack each path found came from.
        let mut numbers = Vec::with_capacity(count);
        while found.len() < count
            && let Some(Reverse((ties, number))) = self.heap.pop()
        {
            let Sidetrack { parent, depth, link, to } = self.sidetracks[number as usize];
            let mut links = match numbers.iter().position(|&n| n == parent) {
                Some(position) => found[position][..depth as usize].to_vec(),
                None => Vec::new(),
            };
            if number == 0 {
                self.leave(query.start, 0, 0, ties);
            }
            links.push(link);
            let mut at = to;
            while at != query.root {
                let best = self.ways(at)[0];
                self.leave(at, number, links.len() as u32, ties);
                links.push(best.link);
                at = best.to;
            }
            numbers.push(number);
            found.push(links);
        }
        found
    }

    /// Notes all ways by which a path with so many ties can be left at a switch `depth` links along it.
    fn leave(&mut self, at: u32, parent: u32, depth: u32, ties: u64) {
        let first = self.first[at as usize] as usize;
        let best = self.ways[first].ties;
        for way in &self.ways[first + 1..first + self.count[at as usize] as usize] {
            let number = self.sidetracks.len() as u32;
            self.sidetracks.push(Sidetrack { parent, depth, link: way.link, to: way.to });
            self.heap.push(Reverse((ties + way.ties - best, number)));
        }
    }

    fn ways(&self, at: u32) -> &[Way] {
        let first = self.first[at as usize] as usize;
        &self.ways[first..first + self.count[at as usize] as usize]
    }

    /// Meets all switches on shortest paths and sums up the ties of every way from each to the root.
    fn weigh_ways(&mut self, query: &Query<'_>, tight: &Tight, allowed: impl Fn(u32, u32) -> bool) {
        self.now += 1;
        self.met.clear();
        self.met.push(query.start);
        self.round[query.start as usize] = self.now;
        let mut next = 0;
        while next < self.met.len() {
            for &TightArc { to, link, .. } in tight.arcs(self.met[next]) {
                if self.round[to as usize] != self.now && allowed(to, link) {
                    self.round[to as usize] = self.now;
                    self.met.push(to);
                }
            }
            next += 1;
        }
        // Where all links cost the same they were met in the order of their distance.
        let nearer = |switch: &u32| Reverse(query.to_root[*switch as usize]);
        if !self.met.is_sorted_by_key(nearer) {
            self.met.sort_by_key(nearer);
        }
        self.ways.clear();
        for &at in self.met.iter().rev() {
            let first = self.ways.len();
            for &TightArc { to, link, hash } in tight.arcs(at) {
                if !allowed(to, link) {
                    continue;
                }
                let rest = match self.count[to as usize] {
                    _ if to == query.root => 0,
                    0 => continue,
                    _ => self.ways[self.first[to as usize] as usize].ties,
                };
                self.ways.push(Way { ties: rest + query.seed.tie(hash), link, to });
            }
            let least = (first..self.ways.len()).min_by_key(|&i| self.ways[i]);
            if let Some(least) = least {
                self.ways.swap(first, least);
            }
            self.first[at as usize] = first as u32;
            self.count[at as usize] = (self.ways.len() - first) as u32;
        }
    }
}
