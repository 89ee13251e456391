//! What a rank takes while a link of its path is down.
//!
//! Ranks whose links are up keep their paths, so that no flow moves without need. Each of the others, in order, takes one
//! of the paths that the policy finds over the links that are up: of those that are not in use yet, the one that shares the
//! fewest links with those that are, then the better ranked. Where none is left the rank keeps its broken path.
//!
//! All this depends on the topology and on which links are down, and on no history. So all switches that know of the
//! same links choose the same paths, and rank k from A to B stays rank k from B to A backwards.

use super::path::Path;
use crate::topology::{LinkId, Topology};

/// The ranked paths with substitutes for those that need a link that `is_down`. `found` are the ranked paths of the same
/// pair over the links that are up.
pub fn substituted(
    topology: &Topology,
    ranked: &[Path],
    is_down: impl Fn(LinkId) -> bool,
    found: Vec<Path>,
) -> Vec<Path> {
    let is_broken = |path: &Path| path.links.iter().any(|link| is_down(*link));
    let mut in_use: Vec<Path> = ranked.iter().filter(|path| !is_broken(path)).cloned().collect();
    let mut free: Vec<Path> =
        found.into_iter().filter(|path| in_use.iter().all(|used| used.links != path.links)).collect();
    let mut paths = ranked.to_vec();
    for path in paths.iter_mut().filter(|path| is_broken(path)) {
        let best = (0..free.len()).min_by_key(|&at| shared_links(topology, &free[at], &in_use));
        let Some(best) = best else { break };
        *path = free.remove(best);
        in_use.push(path.clone());
    }
    for rank in 0..paths.len() {
        let (better, others) = paths.split_at_mut(rank);
        others[0].shared_links = shared_links(topology, &others[0], better);
    }
    paths
}

/// How many links of a path others use as well; a link of the same shared-risk group counts.
fn shared_links(topology: &Topology, path: &Path, others: &[Path]) -> usize {
    let risk = |link: LinkId, other: LinkId| {
        let groups = &topology.link(other).srlg;
        link == other || topology.link(link).srlg.iter().any(|group| groups.contains(group))
    };
    let is_shared =
        |link: &&LinkId| others.iter().flat_map(|path| &path.links).any(|&other| risk(**link, other));
    path.links.iter().filter(is_shared).count()
}
