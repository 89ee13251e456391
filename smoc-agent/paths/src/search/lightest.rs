//! Of each link by which a shortest path can begin, the path of least tie: where a search for disjoint paths begins, and
//! in a fabric ends.
//!
//! The paths of the lightest starts, as far as they share nothing, are an optimal flow of so many units: the weights of the
//! best ways ([`Lightest::rest`]) are potentials that prove it. For all links that start from a switch other than the
//! first lead to one from which the rest weighs at least so much less, and of the links by which the paths start none
//! weighs more, with its rest, than any that is not taken.

use std::cmp::Reverse;

use super::graph::Weight;
use super::query::Query;
use super::tight::Tight;

/// The best way from a switch to the root among shortest paths, if it was `met` in this round.
#[derive(Clone, Copy, Default)]
struct Best {
    met: u32,
    link: u32,
    to: u32,
    ties: u64,
}

/// A tight link of the first switch, and the ties of the best path that begins with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    ties: u64,
    link: u32,
    to: u32,
}

/// Memory of the search; what it found last.
#[derive(Default)]
pub(super) struct Lightest {
    best: Vec<Best>,
    now: u32,
    /// Switches on shortest paths, each before all that it leads to; the root is none of them.
    met: Vec<u32>,
    starts: Vec<Start>,
}

impl Lightest {
    /// Finds the best ways from all switches on shortest paths.
    pub fn weigh(&mut self, query: &Query<'_>, tight: &Tight) {
        self.best.resize(query.graph.len(), Best::default());
        self.meet(query, tight);
        let Self { best, met, now, starts, .. } = self;
        for &at in met.iter().skip(1).rev() {
            let mut least = Best { met: *now, link: u32::MAX, to: 0, ties: u64::MAX };
            for arc in tight.arcs(at) {
                let ties = best[arc.to as usize].ties + query.seed.tie(arc.hash);
                if (ties, arc.link) < (least.ties, least.link) {
                    least = Best { met: *now, link: arc.link, to: arc.to, ties };
                }
            }
            best[at as usize] = least;
        }
        starts.clear();
        starts.extend(tight.arcs(query.start).iter().map(|arc| Start {
            ties: best[arc.to as usize].ties + query.seed.tie(arc.hash),
            link: arc.link,
            to: arc.to,
        }));
        starts.sort_unstable();
        if let Some(&Start { ties, link, to }) = starts.first() {
            best[query.start as usize] = Best { met: *now, link, to, ties };
        }
    }

    fn meet(&mut self, query: &Query<'_>, tight: &Tight) {
        let Self { best, met, now, .. } = self;
        *now += 1;
        best[query.root as usize] = Best { met: *now, ..Best::default() };
        best[query.start as usize].met = *now;
        met.clear();
        met.push(query.start);
        let mut next = 0;
        while next < met.len() {
            for arc in tight.arcs(met[next]) {
                let there = &mut best[arc.to as usize];
                if there.met != *now {
                    there.met = *now;
                    met.push(arc.to);
                }
            }
            next += 1;
        }
        // Where all links cost the same they were met in the order of their distance.
        if !query.graph.is_uniform() {
            met.sort_by_key(|&switch| Reverse(query.to_root[switch as usize]));
        }
    }

    /// By how many links shortest paths begin.
    pub fn starts(&self) -> usize {
        self.starts.len()
    }

    /// What the best way from a switch to the root weighs, if it is on a shortest path; else no more than it does.
    pub fn rest(&self, query: &Query<'_>, switch: u32) -> Weight {
        let rest = Weight::from(query.to_root[switch as usize]) * query.graph.unit;
        match &self.best[switch as usize] {
            best if best.met == self.now => rest + Weight::from(best.ties),
            _ => rest,
        }
    }

    /// The path by the n-th best start.
    pub fn path(&self, query: &Query<'_>, n: usize) -> Option<Vec<u32>> {
        let Start { link, mut to, .. } = *self.starts.get(n)?;
        let mut links = Vec::with_capacity(8);
        links.push(link);
        while to != query.root {
            let best = &self.best[to as usize];
            links.push(best.link);
            to = best.to;
        }
        Some(links)
    }

    /// The links of all shortest paths.
    pub fn links<'a>(&'a self, tight: &'a Tight) -> impl Iterator<Item = u32> + 'a {
        self.met.iter().flat_map(|&at| tight.arcs(at)).map(|arc| arc.link)
    }
}
