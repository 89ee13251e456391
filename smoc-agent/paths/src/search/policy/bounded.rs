//! Any policy, within what a receive buffer can use.
//!
//! A receiver needs 2 x sum(rates) x longest round trip, so that one path can retransmit while all others go on (RFC 6182,
//! section 5.3). A rank's rate is its bottleneck in what the ranks before it have left of every link's capacity, its round
//! trip twice the sum of latencies; queues and hosts come on top. Each rank must keep the set within the buffer. A path of the
//! policy that does not is replaced by the one that shares the least with the ranks before it, then has the least latency, of
//! all whose latency the buffer allows; where there is none the rank is left out. Rank 0 is there in any case: at worst the path
//! of least latency.
//!
//! Sharing and latency are two criteria, and the constrained search for both (Hansen, "Bicriterion path problems", 1980)
//! keeps at each switch all labels of which none is better in both. Sharing is a small number, so they are few.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::ranking::Ranking;
use crate::search::query::Query;
use crate::search::share::Shares;

/// What the buffer depends on, by link.
#[derive(Clone)]
pub(super) struct Links {
    /// In bit/s.
    pub capacities: Vec<u64>,
    /// One way, in nanoseconds.
    pub latencies: Vec<u64>,
}

/// A policy and a buffer.
pub(super) struct Bounded<'a> {
    pub policy: Box<dyn Ranking + 'a>,
    pub links: Links,
    /// In bytes.
    pub buffer: u64,
    pub count: usize,
    /// Whether switches count as shared.
    pub switches_count: bool,
}

/// The ranks so far.
struct Chosen {
    left: Vec<u64>,
    ranks: Vec<Vec<u32>>,
    /// Sum of rates in bit/s.
    rates: u128,
    /// Longest latency one way, in nanoseconds.
    longest: u128,
}

impl Bounded<'_> {
    fn latency(&self, links: &[u32]) -> u128 {
        links.iter().map(|&link| u128::from(self.links.latencies[link as usize])).sum()
    }

    /// The longest latency one way that the buffer allows at that rate: buffer = 2 x rates x 2 x latency.
    fn limit(&self, rates: u128) -> u128 {
        u128::from(self.buffer) * 8 * 1_000_000_000 / (4 * rates.max(1))
    }

    /// Adds a path if the buffer allows it.
    fn admit(&self, chosen: &mut Chosen, links: &[u32]) -> bool {
        let width = width(&chosen.left, links);
        let longest = chosen.longest.max(self.latency(links));
        let rates = chosen.rates + u128::from(width);
        if chosen.ranks.iter().any(|other| other == links) || longest > self.limit(rates) {
            return false;
        }
        links.iter().for_each(|&link| chosen.left[link as usize] -= width);
        (chosen.rates, chosen.longest) = (rates, longest);
        chosen.ranks.push(links.to_vec());
        true
    }

    /// Adds another path instead, if the buffer allows any.
    fn admit_instead(&self, query: &Query<'_>, shares: &Shares, chosen: &mut Chosen, unfit: &[u32]) -> bool {
        let allowed = |chosen: &Chosen, links: &[u32]| {
            self.limit(chosen.rates + u128::from(width(&chosen.left, links)))
        };
        let mut limit = allowed(chosen, unfit);
        while let Some(links) = self.within(query, shares, limit) {
            if self.admit(chosen, &links) {
                return true;
            }
            // The path found is wider than what the limit was made for.
            let narrower = allowed(chosen, &links);
            if narrower >= limit {
                return false;
            }
            limit = narrower;
        }
        false
    }

    /// The path that shares the least with those added to `shares`, then has the least latency, within `limit`.
    fn within(&self, query: &Query<'_>, shares: &Shares, limit: u128) -> Option<Vec<u32>> {
        let rest = self.least_latencies(query);
        let mut labels: Vec<Label> = vec![Label { at: query.start, before: 0, link: 0 }];
        let mut best = vec![u128::MAX; query.graph.len()];
        let mut heap = BinaryHeap::from([Reverse(((0, 0), 0, 0, 0))]);
        while let Some(Reverse((shared, latency, ties, number))) = heap.pop() {
            let at = labels[number].at;
            if latency >= best[at as usize] {
                continue;
            }
            best[at as usize] = latency;
            if at == query.root {
                return Some(way_to(&labels, number));
            }
            for arc in query.graph.arcs(at) {
                let there = latency + u128::from(self.links.latencies[arc.link as usize]);
                if there.saturating_add(rest[arc.to as usize]) > limit || there >= best[arc.to as usize] {
                    continue;
                }
                let switches = if self.switches_count { shares.switches(arc.to) } else { 0 };
                let shared = (shared.0 + shares.links(arc.link), shared.1 + switches);
                let ties = ties + query.graph.tie(query.seed, arc.link);
                labels.push(Label { at: arc.to, before: number, link: arc.link });
                heap.push(Reverse((shared, there, ties, labels.len() - 1)));
            }
        }
        None
    }

    /// The least latency from each switch to the root: Dijkstra (1959).
    fn least_latencies(&self, query: &Query<'_>) -> Vec<u128> {
        let mut least = vec![u128::MAX; query.graph.len()];
        least[query.root as usize] = 0;
        let mut heap = BinaryHeap::from([Reverse((0, query.root))]);
        while let Some(Reverse((here, at))) = heap.pop() {
            if here > least[at as usize] {
                continue;
            }
            for arc in query.graph.arcs(at) {
                let there = here + u128::from(self.links.latencies[arc.link as usize]);
                if there < least[arc.to as usize] {
                    least[arc.to as usize] = there;
                    heap.push(Reverse((there, arc.to)));
                }
            }
        }
        least
    }
}

/// A way to a switch.
struct Label {
    at: u32,
    /// The label it goes on from, by this link.
    before: usize,
    link: u32,
}

fn way_to(labels: &[Label], mut number: usize) -> Vec<u32> {
    let mut links = Vec::new();
    while number != 0 {
        links.push(labels[number].link);
        number = labels[number].before;
    }
    links.reverse();
    links
}

/// What is left on the narrowest of these links.
fn width(left: &[u64], links: &[u32]) -> u64 {
    links.iter().map(|&link| left[link as usize]).min().unwrap_or(0)
}

impl Ranking for Bounded<'_> {
    fn ranks(&mut self, query: &Query<'_>, shares: &mut Shares) -> Vec<Vec<u32>> {
        let wanted = self.policy.ranks(query, shares);
        let left = self.links.capacities.clone();
        let mut chosen = Chosen { left, ranks: Vec::with_capacity(self.count), rates: 0, longest: 0 };
        for links in wanted {
            let mut is_admitted = self.admit(&mut chosen, &links);
            if !is_admitted {
                shares.clear();
                chosen.ranks.iter().for_each(|links| shares.add(links, query.switches(links)));
                is_admitted = self.admit_instead(query, shares, &mut chosen, &links);
            }
            if !is_admitted && chosen.ranks.is_empty() {
                shares.clear();
                chosen.ranks.extend(self.within(query, shares, u128::MAX));
                break;
            }
        }
        chosen.ranks
    }
}
