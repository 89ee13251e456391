//! All ranked paths from one switch, kept up to date as links fail and return.
//!
//! Because the optimum is unique (see [`super::graph`]) a failed link concerns exactly the pairs whose paths
//! use it. A link that returns can only concern a pair if the cheapest way through it could be part of a
//! better answer; [`Table::update`] recomputes the pairs for which a lower bound does not rule that out. With
//! policy `diverse` and shared-risk groups there is no such certainty: every pair is recomputed.

use std::collections::HashSet;

use super::graph::UNREACHABLE;
use super::{Path, PathFinder, Policy, Protect};
use crate::topology::{LinkId, SwitchId};

/// Ranked paths from one switch to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    from: SwitchId,
    rows: Vec<(SwitchId, Vec<Path>)>,
}

impl Table {
    /// Computes the paths to every one of `targets` other than `from`.
    pub fn new(finder: &PathFinder<'_>, from: SwitchId, targets: &[SwitchId]) -> Self {
        let mut source = finder.source(from);
        let others = targets.iter().filter(|&&to| to != from);
        Self { from, rows: others.map(|&to| (to, source.to(to))).collect() }
    }

    /// Each other switch and the ranked paths to it, in the order of the targets.
    pub fn rows(&self) -> &[(SwitchId, Vec<Path>)] {
        &self.rows
    }

    /// Recomputes what a change concerns. `finder` sees the links as they are now; `failed` and `returned`
    /// are those that have changed since the table was computed. Afterwards the table is what
    /// [`Table::new`] would give.
    ///
    /// Returns the switches to which paths have changed.
    pub fn update(
        &mut self,
        finder: &PathFinder<'_>,
        failed: &HashSet<LinkId>,
        returned: &HashSet<LinkId>,
    ) -> Vec<SwitchId> {
        let mut source = None;
        let detours: Vec<Detour> =
            returned.iter().map(|&link| Detour::new(finder, self.from, link)).collect();
        let to_from = if detours.is_empty() { Vec::new() } else { finder.graph.distances(self.from) };
        let mut changed = Vec::new();
        for (to, paths) in &mut self.rows {
            let broken = finder.heeds_groups()
                || paths.iter().any(|path| path.links.iter().any(|link| failed.contains(link)));
            let least = detours.iter().map(|detour| detour.to(*to)).min().unwrap_or(UNREACHABLE);
            if broken || (least != UNREACHABLE && could_improve(finder, paths, least, to_from[to.index()])) {
                let now = source.get_or_insert_with(|| finder.source(self.from)).to(*to);
                if now != *paths {
                    *paths = now;
                    changed.push(*to);
                }
            }
        }
        changed
    }
}

/// The ways through one link, from one switch.
struct Detour {
    /// To the lower end and then across, to the higher end and then across.
    across: (u64, u64),
    /// From the lower, from the higher end to each switch.
    onward: (Vec<u64>, Vec<u64>),
}

impl Detour {
    fn new(finder: &PathFinder<'_>, from: SwitchId, link: LinkId) -> Self {
        let (low, high) = finder.graph.ends(link.0);
        let onward = (finder.graph.distances(SwitchId(low)), finder.graph.distances(SwitchId(high)));
        let cost = finder.graph.cost(link.0);
        let from = from.index();
        Self { across: (onward.0[from].saturating_add(cost), onward.1[from].saturating_add(cost)), onward }
    }

    /// No path to `to` through the link costs less.
    fn to(&self, to: SwitchId) -> u64 {
        let upward = self.across.0.saturating_add(self.onward.1[to.index()]);
        upward.min(self.across.1.saturating_add(self.onward.0[to.index()]))
    }
}

/// Whether a path of cost `least` or more could change the answer `paths`; `shortest` is the distance.
fn could_improve(finder: &PathFinder<'_>, paths: &[Path], least: u64, shortest: u64) -> bool {
    let count = finder.options.count;
    let Some(last) = paths.last().filter(|_| paths.len() == count) else { return true };
    match finder.options.policy {
        Policy::Shortest => least <= last.cost,
        Policy::Smoc => {
            let (links, switches) = sharings(finder, &[&paths[0], last]);
            least <= last.cost || (count > 1 && links + switches > 0)
        }
        Policy::Diverse => {
            let (links, switches) = sharings(finder, &paths.iter().collect::<Vec<_>>());
            let total: u64 = paths.iter().map(|path| path.cost).sum();
            let with_it = shortest.saturating_mul(count as u64 - 1).saturating_add(least);
            with_it <= total || switches > 0 || links > unavoidable(finder, last)
        }
    }
}

/// How often links (and links of one group), and under `protect: node` transit switches, are shared between two of these.
fn sharings(finder: &PathFinder<'_>, paths: &[&Path]) -> (usize, usize) {
    let topology = finder.topology;
    let pairs = |mut used: Vec<u64>| {
        used.sort_unstable();
        used.chunk_by(|a, b| a == b).map(|same| same.len() * (same.len() - 1) / 2).sum::<usize>()
    };
    let links = paths.iter().flat_map(|path| &path.links);
    let groups =
        links.clone().flat_map(|&link| &topology.link(link).srlg).map(|group| u64::from(group.0) << 32);
    let switches = match finder.options.protect {
        Protect::Link => Vec::new(),
        Protect::Node => {
            let transit = paths.iter().flat_map(|path| &path.switches[1..path.switches.len() - 1]);
            transit.map(|switch| u64::from(switch.0)).collect()
        }
    };
    (pairs(groups.chain(links.map(|link| u64::from(link.0) << 1 | 1)).collect()), pairs(switches))
}

/// How often the links of a path's two end switches must be shared by as many paths as are asked for.
fn unavoidable(finder: &PathFinder<'_>, path: &Path) -> usize {
    let crowd = |switch: SwitchId| {
        let links = finder.graph.arcs(switch.0).len();
        let (each, more) = (finder.options.count / links, finder.options.count % links);
        more * each + links * each * each.saturating_sub(1) / 2
    };
    let (first, last) = (path.switches[0], path.switches[path.switches.len() - 1]);
    let adjacent = finder.graph.arcs(first.0).iter().any(|arc| arc.to == last.0);
    if adjacent { crowd(first).max(crowd(last)) } else { crowd(first) + crowd(last) }
}
