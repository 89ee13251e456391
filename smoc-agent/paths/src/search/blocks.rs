//! The blocks of a network (its biconnected components), as seen from one switch.
//!
//! A simple path enters and leaves a block once, and the blocks that paths between two switches can pass are those on the
//! one way between the two in the tree of blocks. Everything else hangs off and is of no concern. Found by a depth-first
//! search (Hopcroft and Tarjan, "Efficient algorithms for graph manipulation", Communications of the ACM 16, 1973).

use super::graph::{Arc, Graph};

/// No block.
const NONE: u32 = u32::MAX;

/// The blocks of the switches that can be reached from the root.
pub(super) struct Blocks {
    /// The block through which the search came to each switch.
    above: Vec<u32>,
    /// The switch at which each block hangs, nearest to the root.
    top: Vec<u32>,
    /// The links of block b are `links[first[b]..first[b + 1]]`.
    first: Vec<u32>,
    links: Vec<u32>,
}

/// A switch on the way from the root to where the search is.
struct Visit {
    at: u32,
    /// Its next link to look at.
    next: usize,
    /// The link by which it was reached; none at the root.
    by: u32,
}

/// The search itself.
struct Search {
    /// When each switch was met, from 1; 0 if it was not.
    met: Vec<u32>,
    /// The earliest switch that a link from it or from what was met behind it leads to.
    low: Vec<u32>,
    now: u32,
    way: Vec<Visit>,
    /// Links met and in no block yet.
    open: Vec<u32>,
    /// Switches met whose block is not known yet.
    unnamed: Vec<u32>,
    blocks: Blocks,
}

impl Blocks {
    /// As seen from `root`.
    pub fn new(graph: &Graph, root: u32) -> Self {
        let blocks =
            Self { above: vec![NONE; graph.len()], top: Vec::new(), first: vec![0], links: Vec::new() };
        let mut search = Search {
            met: vec![0; graph.len()],
            low: vec![0; graph.len()],
            now: 0,
            way: Vec::new(),
            open: Vec::new(),
            unnamed: Vec::new(),
            blocks,
        };
        search.meet(root, NONE);
        while let Some(&mut Visit { at, ref mut next, by }) = search.way.last_mut() {
            match graph.arcs(at).get(*next).copied() {
                Some(arc) => {
                    *next += 1;
                    if arc.link != by {
                        search.follow(at, arc);
                    }
                }
                None => search.leave(at, by),
            }
        }
        search.blocks
    }

    /// The links of all blocks between the root and `to`, which can be reached.
    pub fn links_to(&self, root: u32, to: u32) -> impl Iterator<Item = u32> {
        let mut at = to;
        let blocks = std::iter::from_fn(move || {
            let block = self.above[at as usize];
            (at != root).then(|| {
                at = self.top[block as usize];
                block as usize
            })
        });
        blocks
            .flat_map(|block| &self.links[self.first[block] as usize..self.first[block + 1] as usize])
            .copied()
    }
}

impl Search {
    fn meet(&mut self, switch: u32, by: u32) {
        self.now += 1;
        self.met[switch as usize] = self.now;
        self.low[switch as usize] = self.now;
        self.unnamed.push(switch);
        self.way.push(Visit { at: switch, next: 0, by });
    }

    fn follow(&mut self, at: u32, arc: Arc) {
        let there = self.met[arc.to as usize];
        if there == 0 {
            self.open.push(arc.link);
            self.meet(arc.to, arc.link);
        } else if there < self.met[at as usize] {
            self.open.push(arc.link);
            self.low[at as usize] = self.low[at as usize].min(there);
        }
    }

    /// All links of a switch have been looked at.
    fn leave(&mut self, at: u32, by: u32) {
        self.way.pop();
        let Some(&Visit { at: before, .. }) = self.way.last() else { return };
        let low = self.low[at as usize];
        self.low[before as usize] = self.low[before as usize].min(low);
        if low < self.met[before as usize] {
            return;
        }
        let block = self.blocks.top.len() as u32;
        self.blocks.top.push(before);
        let from = self.open.iter().rposition(|&link| link == by).unwrap_or(0);
        self.blocks.links.extend(self.open.drain(from..));
        self.blocks.first.push(self.blocks.links.len() as u32);
        let from = self.unnamed.iter().rposition(|&switch| switch == at).unwrap_or(0);
        for switch in self.unnamed.drain(from..) {
            self.blocks.above[switch as usize] = block;
        }
    }
}
