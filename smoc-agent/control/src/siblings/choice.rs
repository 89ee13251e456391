//! Which rank a subflow takes beside its siblings.

use smoc_paths::topology::LinkId;

/// The rank whose path shares the fewest links with those of the siblings, each link as often as it is shared; of these the
/// one that the subflow has, else the best. `paths` are those of its ranks, of which not all need be up.
pub fn choose(
    paths: &[Vec<LinkId>],
    is_up: impl Fn(usize) -> bool,
    current: usize,
    siblings: &[Vec<LinkId>],
) -> Option<usize> {
    let shared = |path: &[LinkId]| -> usize {
        siblings.iter().map(|sibling| path.iter().filter(|link| sibling.contains(link)).count()).sum()
    };
    let ranks = (0..paths.len()).filter(|rank| is_up(*rank));
    ranks.min_by_key(|&rank| (shared(&paths[rank]), rank != current, rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(links: &[u32]) -> Vec<LinkId> {
        links.iter().copied().map(LinkId).collect()
    }

    #[test]
    fn a_subflow_moves_only_to_share_less() {
        let paths = [path(&[1, 2]), path(&[3, 4]), path(&[5, 6])];
        let up = |_: usize| true;
        assert_eq!(choose(&paths, up, 2, &[]), Some(2), "without siblings it stays");
        assert_eq!(choose(&paths, up, 0, &[path(&[1, 9])]), Some(1));
        assert_eq!(choose(&paths, up, 1, &[path(&[1, 9]), path(&[8, 3])]), Some(2));
        assert_eq!(choose(&paths, up, 1, &[path(&[1]), path(&[3]), path(&[5])]), Some(1), "no better one");
        assert_eq!(choose(&paths, up, 2, &[path(&[5, 6]), path(&[1, 2]), path(&[3])]), Some(1));
        assert_eq!(choose(&paths, |rank| rank == 2, 0, &[path(&[5])]), Some(2));
        assert_eq!(choose(&[], up, 0, &[]), None);
    }
}
