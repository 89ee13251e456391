//! One question to a search: the graph, the two switches, and how ties between them break.

use super::graph::{Graph, Seed, UNREACHABLE, Weight};

/// One pair of edges: paths lead from `start` to `root`.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    pub graph: &'a Graph,
    /// Cost of the cheapest path from each switch to `root`.
    pub to_root: &'a [u64],
    pub start: u32,
    pub root: u32,
    pub seed: Seed,
}

/// A link that carries units of flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Used {
    pub from: u32,
    pub to: u32,
    pub link: u32,
    pub units: u32,
}

impl Query<'_> {
    /// Whether any path leads from start to root.
    pub fn connected(&self) -> bool {
        self.to_root[self.start as usize] != UNREACHABLE
    }

    /// Cost and tie of a path.
    pub fn length(&self, links: &[u32]) -> Weight {
        links.iter().map(|&link| self.graph.link_weight(self.seed, link)).sum()
    }

    /// The switches behind the links of a path from `start`, the last of which is `root`.
    pub fn switches<'b>(&'b self, links: &'b [u32]) -> impl Iterator<Item = u32> + 'b {
        links.iter().scan(self.start, |at, &link| {
            let (low, high) = self.graph.ends(link);
            *at = if *at == low { high } else { low };
            Some(*at)
        })
    }
}
