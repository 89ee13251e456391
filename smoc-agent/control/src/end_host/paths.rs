//! How many paths an edge tells its hosts of.

use std::collections::BTreeSet;

use smoc_common::route::Rank;

use super::MOST_SUBFLOWS;
use crate::{plan::PathsTo, switch::Snapshot};

/// The most link-disjoint paths that work to one of the other edges, 1 to 8; `None` while no other edge is known to have hosts.
pub fn paths_that_work(snapshot: &Snapshot) -> Option<u8> {
    let mut counts = snapshot.book.edges().map(|(edge, paths)| {
        let works = |rank: usize, links: &[_]| {
            let rank = u8::try_from(rank).map(Rank::new);
            let is_broken = rank.is_ok_and(|rank| snapshot.broken.contains(&(PathsTo::from(edge), rank)));
            !is_broken && !links.iter().any(|link| snapshot.down.contains(link))
        };
        let mut used = BTreeSet::new();
        let mut count = 0;
        for (rank, path) in paths.ranked.iter().enumerate() {
            if works(rank, &path.links) && path.links.iter().all(|link| !used.contains(link)) {
                used.extend(path.links.iter().copied());
                count += 1;
            }
        }
        count
    });
    let first: u8 = counts.next()?;
    Some(counts.fold(first, u8::max).clamp(1, MOST_SUBFLOWS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::settled_snapshot;

    #[test]
    fn paths_that_are_down_or_broken_do_not_count() {
        let mut snapshot = settled_snapshot();
        let all = paths_that_work(&snapshot).unwrap();
        assert!(all > 1, "{all}");
        let (edge, paths) = snapshot.book.edges().next().unwrap();
        let link = paths.ranked[0].links[0];
        snapshot.broken.insert((edge.into(), Rank::new(0)));
        assert_eq!(paths_that_work(&snapshot), Some(all - 1), "no probe comes back");
        snapshot.broken.clear();
        snapshot.down.insert(link);
        assert_eq!(paths_that_work(&snapshot), Some(all - 1), "a link is down");
        snapshot.down = snapshot.topology.link_ids().collect();
        assert_eq!(paths_that_work(&snapshot), Some(1), "one subflow is opened whatever happens");
    }
}
