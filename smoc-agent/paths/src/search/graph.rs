//! The compact graph that all searches run on, and the order among equals.
//!
//! Every weight is one `i128` with four fields, most significant first: links shared, switches shared,
//! cost, tie. Comparing two sums of weights compares field by field, because the fields are wide enough
//! for any sum that can occur.
//!
//! **Ties.** Among path sets of equal sharing and cost the one with the least sum of *tie* weights wins.
//! A link's tie weight is a 28-bit hash of the names of the two edge switches (lower first) and of the
//! link's two ends. By the isolation lemma (Mulmuley, Vazirani, Vazirani: "Matching is as easy as matrix
//! inversion", Combinatorica 7, 1987) this makes the optimum unique but for a chance of about one in 2^28
//! per link in question. So the answer does not depend on the order of the input, on the direction or
//! kind of the search, nor on links that it does not use; and since the hash differs from pair to pair,
//! equal paths are spread evenly over a fabric as ECMP would.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::topology::{End, Link, LinkId, SwitchId, Topology};

/// Links shared, switches shared, cost and tie in one number; see the module.
pub(super) type Weight = i128;

/// No path.
pub(super) const UNREACHABLE: u64 = u64::MAX;

const TIE_BITS: u32 = 28;

/// A link in one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    /// Where it leads.
    pub to: u32,
    /// The link.
    pub link: u32,
    /// Cost of the link.
    pub cost: u64,
}

/// Adjacency lists in one array, and the units of [`Weight`].
#[derive(Clone, Debug)]
pub(super) struct Graph {
    first: Vec<u32>,
    arcs: Vec<Arc>,
    switch_hash: Vec<u64>,
    link_hash: Vec<u64>,
    ends: Vec<(u32, u32)>,
    costs: Vec<u64>,
    uniform: bool,
    thin_switches: usize,
    /// One unit of cost.
    pub unit: Weight,
    /// One switch shared.
    pub switch_share: Weight,
    /// One link shared.
    pub link_share: Weight,
}

/// A path could cost more than a [`Weight`] holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct CostsTooLarge {
    /// The greatest cost of a link.
    pub greatest: u64,
}

/// What ties of one pair of edges are decided by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u64);

impl Seed {
    /// The tie weight of a link with that hash.
    #[inline]
    pub fn tie(self, link_hash: u64) -> u64 {
        mix(self.0 ^ link_hash) >> (64 - TIE_BITS)
    }
}

impl Graph {
    /// `costs` by link; links of which `up` says no are left out; `count` is the most paths of a set.
    ///
    /// # Errors
    /// The sum of so many costs would not fit.
    pub fn new(
        topology: &Topology,
        costs: &[u64],
        up: impl Fn(LinkId) -> bool,
        count: usize,
    ) -> Result<Self, CostsTooLarge> {
        let mut first = Vec::with_capacity(topology.switches().len() + 1);
        let mut arcs = Vec::with_capacity(2 * topology.links().len());
        for switch in topology.switch_ids() {
            first.push(arcs.len() as u32);
            for arc in topology.arcs(switch).iter().filter(|arc| up(arc.link)) {
                let cost = costs[arc.link.index()];
                arcs.push(Arc { to: arc.to.switch.0, link: arc.link.0, cost });
            }
        }
        first.push(arcs.len() as u32);
        let greatest = costs.iter().copied().max().unwrap_or(1);
        let uses = bits((count * topology.switches().len()) as u64);
        let fields = [TIE_BITS + uses, bits(greatest) + uses, bits(count as u64) + uses];
        if fields.iter().sum::<u32>() + fields[2] > 125 {
            return Err(CostsTooLarge { greatest });
        }
        let thin_switches = first.windows(2).filter(|pair| pair[1] - pair[0] <= 2).count();
        let unit = 1 << fields[0];
        let switch_share = unit << fields[1];
        let switch_hash: Vec<u64> =
            topology.switches().iter().map(|switch| hash(switch.name.as_bytes())).collect();
        Ok(Self {
            first,
            arcs,
            link_hash: topology.links().iter().map(|link| hash_link(link, &switch_hash)).collect(),
            switch_hash,
            ends: (topology.links().iter())
                .map(|link| (link.a.switch.0.min(link.b.switch.0), link.a.switch.0.max(link.b.switch.0)))
                .collect(),
            costs: costs.to_vec(),
            thin_switches,
            uniform: costs.windows(2).all(|pair| pair[0] == pair[1]),
            unit,
            switch_share,
            link_share: switch_share << fields[2],
        })
    }

    /// With some of its links alone; they keep their numbers.
    pub fn filtered(&self, keep: impl Fn(u32) -> bool) -> Self {
        let mut graph =
            Self { first: Vec::with_capacity(self.first.len()), arcs: Vec::new(), ..self.clone() };
        for switch in 0..self.len() as u32 {
            graph.first.push(graph.arcs.len() as u32);
            graph.arcs.extend(self.arcs(switch).iter().filter(|arc| keep(arc.link)));
        }
        graph.first.push(graph.arcs.len() as u32);
        graph
    }

    /// Number of switches.
    pub fn len(&self) -> usize {
        self.first.len() - 1
    }

    /// How many switches have two links or fewer.
    pub fn thin_switches(&self) -> usize {
        self.thin_switches
    }

    /// Number of links, up or down.
    pub fn links(&self) -> usize {
        self.costs.len()
    }

    /// Where the links of a switch begin, among those of all; where they end, if it is one more than the last.
    pub fn first(&self, switch: u32) -> u32 {
        self.first[switch as usize]
    }

    /// The links of a switch.
    #[inline]
    pub fn arcs(&self, switch: u32) -> &[Arc] {
        &self.arcs[self.first[switch as usize] as usize..self.first[switch as usize + 1] as usize]
    }

    /// What decides ties between these two switches; the same in both directions.
    pub fn seed(&self, a: SwitchId, b: SwitchId) -> Seed {
        let (low, high) = (a.min(b), a.max(b));
        Seed(mix(self.switch_hash[low.index()] ^ mix(self.switch_hash[high.index()])))
    }

    /// Cost and tie of a link.
    #[inline]
    pub fn weight(&self, seed: Seed, link: u32, cost: u64) -> Weight {
        Weight::from(cost) * self.unit + Weight::from(self.tie(seed, link))
    }

    /// Cost and tie of a link.
    pub fn link_weight(&self, seed: Seed, link: u32) -> Weight {
        self.weight(seed, link, self.costs[link as usize])
    }

    /// Sharing and cost, without ties.
    pub fn untied(&self, weight: Weight) -> Weight {
        weight >> self.unit.trailing_zeros()
    }

    /// A link's switches, lower first.
    pub fn ends(&self, link: u32) -> (u32, u32) {
        self.ends[link as usize]
    }

    /// Cost of a link.
    pub fn cost(&self, link: u32) -> u64 {
        self.costs[link as usize]
    }

    /// Cost of a path.
    pub fn cost_of(&self, links: &[u32]) -> u64 {
        links.iter().map(|&link| self.cost(link)).sum()
    }

    /// The tie weight of a link.
    #[inline]
    pub fn tie(&self, seed: Seed, link: u32) -> u64 {
        seed.tie(self.link_hash[link as usize])
    }

    /// What [`Seed::tie`] makes the tie weight of.
    pub fn link_hash(&self, link: u32) -> u64 {
        self.link_hash[link as usize]
    }

    /// Of all links.
    pub fn link_hashes(&self) -> &[u64] {
        &self.link_hash
    }

    /// The cost of the cheapest path from every switch to `root`: breadth-first (Moore 1959) where all
    /// links cost the same, else Dijkstra (1959).
    pub fn distances(&self, root: SwitchId) -> Vec<u64> {
        let mut distance = vec![UNREACHABLE; self.len()];
        distance[root.index()] = 0;
        if self.uniform {
            let mut queue = VecDeque::from([root.0]);
            while let Some(at) = queue.pop_front() {
                let here = distance[at as usize];
                for arc in self.arcs(at) {
                    if distance[arc.to as usize] == UNREACHABLE {
                        distance[arc.to as usize] = here + arc.cost;
                        queue.push_back(arc.to);
                    }
                }
            }
            return distance;
        }
        let mut heap = BinaryHeap::from([Reverse((0, root.0))]);
        while let Some(Reverse((here, at))) = heap.pop() {
            if here > distance[at as usize] {
                continue;
            }
            for arc in self.arcs(at) {
                let there = here + arc.cost;
                if there < distance[arc.to as usize] {
                    distance[arc.to as usize] = there;
                    heap.push(Reverse((there, arc.to)));
                }
            }
        }
        distance
    }
}

fn bits(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Of a link's two ends, lower name first, so that it does not matter how the file writes them.
fn hash_link(link: &Link, switch_hash: &[u64]) -> u64 {
    let end = |end: End| mix(switch_hash[end.switch.index()] ^ u64::from(end.port.get()));
    mix(end(link.a.min(link.b)) ^ mix(end(link.a.max(link.b))))
}

/// FNV-1a, 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
#[inline]
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
