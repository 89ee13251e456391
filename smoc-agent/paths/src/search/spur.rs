//! The k simple paths of least weight, for any weights of links that are no less than cost and tie.
//!
//! Yen, "Finding the k shortest loopless paths in a network", Management Science 17 (1971), with Lawler's
//! refinement (1972: a path is deviated from only behind the point where it left its own parent), each spur found by
//! A* towards the root and given up as soon as enough better candidates are known.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::graph::{Arc, Weight};
use super::reduced::Network;

/// Memory that the searches of one thread reuse.
pub(super) struct SpurSearch {
    distance: Vec<Weight>,
    parent: Vec<(u32, u32)>,
    round: Vec<u32>,
    /// In which round a switch was part of the path before the spur.
    before: Vec<u32>,
    now: u32,
    heap: BinaryHeap<Reverse<(Weight, u32)>>,
}

/// A path found but not ranked yet; ordered by weight, then links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    weight: Weight,
    links: Vec<u32>,
    /// It has the first so many links in common with the path it deviates from.
    deviates: usize,
}

impl SpurSearch {
    pub fn new(switches: usize) -> Self {
        Self {
            distance: vec![0; switches],
            parent: vec![(0, 0); switches],
            round: vec![0; switches],
            before: vec![0; switches],
            now: 0,
            heap: BinaryHeap::new(),
        }
    }

    /// The `count` simple paths of least weight, best first.
    pub fn k_shortest(
        &mut self,
        network: &impl Network,
        count: usize,
        weight: impl Fn(&Arc) -> Weight,
    ) -> Vec<Vec<u32>> {
        let mut ranked: Vec<Vec<u32>> = Vec::with_capacity(count);
        let mut candidates = BTreeSet::new();
        let (start, _) = network.ends();
        if start < network.len() as u32 {
            self.deviate(network, &[], 0, &ranked, Weight::MAX, &weight, &mut candidates);
        }
        while let Some(best) = candidates.pop_first() {
            ranked.push(best.links.clone());
            if ranked.len() == count {
                break;
            }
            for depth in best.deviates..best.links.len() {
                let wanted = count - ranked.len();
                let limit = if candidates.len() < wanted {
                    Weight::MAX
                } else {
                    candidates.iter().nth(wanted - 1).map_or(Weight::MAX, |c: &Candidate| c.weight)
                };
                self.deviate(network, &best.links, depth, &ranked, limit, &weight, &mut candidates);
            }
        }
        ranked
    }

    /// Adds the best path that follows `links` for `depth` links and then leaves all of `ranked`, if it
    /// weighs no more than `limit`.
    #[expect(clippy::too_many_arguments, reason = "what a deviation is taken from, each once")]
    fn deviate(
        &mut self,
        network: &impl Network,
        links: &[u32],
        depth: usize,
        ranked: &[Vec<u32>],
        limit: Weight,
        weight: &impl Fn(&Arc) -> Weight,
        candidates: &mut BTreeSet<Candidate>,
    ) {
        let prefix = &links[..depth];
        let banned: Vec<u32> = (ranked.iter())
            .filter(|path| path.len() > depth && path[..depth] == *prefix)
            .map(|path| path[depth])
            .collect();
        self.now += 1;
        let mut at = network.ends().0;
        let mut before = 0;
        for &link in prefix {
            self.before[at as usize] = self.now;
            let arc = network.arcs(at).iter().find(|arc| arc.link == link).expect("a path's link");
            before += weight(arc);
            at = arc.to;
        }
        self.before[at as usize] = self.now;
        if let Some(total) = self.spur(network, at, before, &banned, limit, weight) {
            let mut links = prefix.to_vec();
            let mut back = network.ends().1;
            while back != at {
                let (from, link) = self.parent[back as usize];
                links.push(link);
                back = from;
            }
            links[depth..].reverse();
            candidates.insert(Candidate { weight: total, links, deviates: depth });
        }
    }

    /// A* from `at` to the root around the switches of this round's prefix; the first link is none of
    /// `banned`. The weight of the whole path, if it is no more than `limit`.
    fn spur(
        &mut self,
        network: &impl Network,
        spur: u32,
        before: Weight,
        banned: &[u32],
        limit: Weight,
        weight: &impl Fn(&Arc) -> Weight,
    ) -> Option<Weight> {
        let rest = |switch: u32| network.rest(switch);
        self.heap.clear();
        (self.round[spur as usize], self.distance[spur as usize]) = (self.now, before);
        self.heap.push(Reverse((before + rest(spur), spur)));
        while let Some(Reverse((estimate, at))) = self.heap.pop() {
            if at == network.ends().1 {
                return Some(estimate);
            }
            let here = self.distance[at as usize];
            if estimate > here + rest(at) {
                continue;
            }
            for arc in network.arcs(at) {
                if self.before[arc.to as usize] == self.now || (at == spur && banned.contains(&arc.link)) {
                    continue;
                }
                let there = here + weight(arc);
                let known = self.round[arc.to as usize] == self.now;
                if there + rest(arc.to) <= limit && (!known || there < self.distance[arc.to as usize]) {
                    self.round[arc.to as usize] = self.now;
                    self.distance[arc.to as usize] = there;
                    self.parent[arc.to as usize] = (at, arc.link);
                    self.heap.push(Reverse((there + rest(arc.to), arc.to)));
                }
            }
        }
        None
    }
}
