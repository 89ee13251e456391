//! Of each link by which a shortest path can begin, the path of least tie: where a search for disjoint paths begins, and
//! in a fabric ends.
//!
//! The paths of the lightest starts, as far as they share nothing, are an optimal flow of so many units: the weights of the
//! best ways ([`Lightest::rest`]) are potentials that prove it. For all links that start from a switch other than the
//! first lead to one from which the rest weighs at least so much less, and of the links by which the paths start none
//! weighs more, with its rest, than any that is not taken.

use std::cmp::Reverse;

use super::graph::{Seed, Weight};
use super::query::Query;
use super::tight::Tight;

/// The steps of shortest paths to one root, each over one link, or over two where the switch between has only one way on:
/// most switches of a fabric are of that kind, and need not be looked at.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    first: Vec<u32>,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    to: u32,
    link: u32,
    /// What decides ties, of each of its links.
    hash: u64,
    onward: Option<u64>,
}

impl Steps {
    /// Along these tight links.
    pub fn new(tight: &Tight, switches: usize) -> Self {
        let mut all = Self { first: Vec::with_capacity(switches + 1), steps: Vec::new() };
        for switch in 0..switches as u32 {
            all.first.push(all.steps.len() as u32);
            all.steps.extend(tight.arcs(switch).iter().map(|arc| match tight.arcs(arc.to) {
                [next] => Step { to: next.to, link: arc.link, hash: arc.hash, onward: Some(next.hash) },
                _ => Step { to: arc.to, link: arc.link, hash: arc.hash, onward: None },
            }));
        }
        all.first.push(all.steps.len() as u32);
        all
    }

    fn of(&self, switch: u32) -> &[Step] {
        &self.steps[self.first[switch as usize] as usize..self.first[switch as usize + 1] as usize]
    }
}

/// The best way from a switch to the root among shortest paths, if it was `met` in this round.
#[derive(Clone, Copy, Default)]
struct Best {
    met: u32,
    link: u32,
    ties: u64,
}

/// A tight link of the first switch, and the ties of the best path that begins with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    ties: u64,
    link: u32,
}

/// Memory of the search; what it found last.
#[derive(Default)]
pub(super) struct Lightest {
    best: Vec<Best>,
    now: u32,
    /// Switches that steps lead to, each before all that it leads to; the root is none of them.
    met: Vec<u32>,
    starts: Vec<Start>,
}

impl Lightest {
    /// Finds the best ways from all switches on shortest paths.
    pub fn weigh(&mut self, query: &Query<'_>, steps: &Steps) {
        self.best.resize(query.graph.len(), Best::default());
        self.meet(query, steps);
        let Self { best, met, now, starts, .. } = self;
        for &at in met.iter().skip(1).rev() {
            let mut least = Best { met: *now, link: u32::MAX, ties: u64::MAX };
            for step in steps.of(at) {
                let ties = best[step.to as usize].ties + ties_of(query.seed, step);
                if (ties, step.link) < (least.ties, least.link) {
                    least = Best { met: *now, link: step.link, ties };
                }
            }
            best[at as usize] = least;
        }
        starts.clear();
        starts.extend(steps.of(query.start).iter().map(|step| Start {
            ties: best[step.to as usize].ties + ties_of(query.seed, step),
            link: step.link,
        }));
        starts.sort_unstable();
        if let Some(&Start { ties, link }) = starts.first() {
            best[query.start as usize] = Best { met: *now, link, ties };
        }
    }

    fn meet(&mut self, query: &Query<'_>, steps: &Steps) {
        let Self { best, met, now, .. } = self;
        *now += 1;
        best[query.root as usize] = Best { met: *now, ..Best::default() };
        best[query.start as usize].met = *now;
        met.clear();
        met.push(query.start);
        let mut next = 0;
        while next < met.len() {
            for step in steps.of(met[next]) {
                let there = &mut best[step.to as usize];
                if there.met != *now {
                    there.met = *now;
                    met.push(step.to);
                }
            }
            next += 1;
        }
        let nearer = |switch: &u32| Reverse(query.to_root[*switch as usize]);
        if !met.is_sorted_by_key(nearer) {
            met.sort_by_key(nearer);
        }
    }

    /// By how many links shortest paths begin.
    pub fn starts(&self) -> usize {
        self.starts.len()
    }

    /// What the best way from a switch to the root weighs, if it is on a shortest path; else no more than it does.
    pub fn rest(&self, query: &Query<'_>, tight: &Tight, switch: u32) -> Weight {
        let met = |switch: u32| Some(self.best[switch as usize].ties).filter(|_| self.is_met(switch));
        let between = || match tight.arcs(switch) {
            [next] => met(next.to).map(|ties| ties + query.seed.tie(next.hash)),
            _ => None,
        };
        let ties = met(switch).or_else(between).unwrap_or(0);
        Weight::from(query.to_root[switch as usize]) * query.graph.unit + Weight::from(ties)
    }

    fn is_met(&self, switch: u32) -> bool {
        self.best[switch as usize].met == self.now
    }

    /// The path by the n-th best start.
    pub fn path(&self, query: &Query<'_>, tight: &Tight, n: usize) -> Option<Vec<u32>> {
        let mut link = self.starts.get(n)?.link;
        let mut at = query.start;
        let mut links = Vec::with_capacity(8);
        loop {
            links.push(link);
            let (low, high) = query.graph.ends(link);
            at = if at == low { high } else { low };
            if at == query.root {
                return Some(links);
            }
            link = match tight.arcs(at) {
                [next] => next.link,
                _ => self.best[at as usize].link,
            };
        }
    }

    /// The links of all shortest paths.
    pub fn links<'a>(&'a self, tight: &'a Tight) -> impl Iterator<Item = u32> + 'a {
        let between = |to: u32| Some(tight.arcs(to)).filter(|arcs| arcs.len() == 1).into_iter().flatten();
        let steps = self.met.iter().flat_map(|&at| tight.arcs(at));
        // A switch between that several steps pass, or that is met as well, gives its link several times.
        steps.flat_map(move |arc| between(arc.to).map(|next| next.link).chain([arc.link]))
    }
}

fn ties_of(seed: Seed, step: &Step) -> u64 {
    seed.tie(step.hash) + step.onward.map_or(0, |hash| seed.tie(hash))
}
