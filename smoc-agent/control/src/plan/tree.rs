//! The tree of links on which the base network (ARP, broadcast, what smoc leaves to the kernel) forwards.
//!
//! Every agent computes it for itself, and all that know of the same links get the same: breadth first from the first
//! switch by name, over links in their order; where links are down, what is left of that tree, joined by the first other
//! links that join two parts of it. So a link that fails closes no other one.
//!
//! Agents do not hear of a change in the same moment: which ports are open is a matter of agreement
//! ([`crate::base_network`]).

use std::collections::{BTreeSet, VecDeque};

use smoc_paths::topology::{LinkId, Topology};

use super::Pieces;

/// The links of the tree while some are down; in a network in pieces, of one tree a piece.
pub fn spanning_tree(topology: &Topology, down: &BTreeSet<LinkId>) -> BTreeSet<LinkId> {
    let whole = breadth_first(topology);
    let mut pieces = Pieces::new(topology);
    let others = topology.link_ids().filter(|link| !whole.contains(link));
    let candidates = whole.iter().copied().chain(others).filter(|link| !down.contains(link));
    candidates.filter(|&link| pieces.join(topology, link)).collect()
}

/// The tree of the whole topology.
fn breadth_first(topology: &Topology) -> BTreeSet<LinkId> {
    let mut tree = BTreeSet::new();
    let mut reached = vec![false; topology.switches().len()];
    for root in topology.switch_ids() {
        if std::mem::replace(&mut reached[root.index()], true) {
            continue;
        }
        let mut queue = VecDeque::from([root]);
        while let Some(switch) = queue.pop_front() {
            for arc in topology.arcs(switch) {
                if !std::mem::replace(&mut reached[arc.to.switch.index()], true) {
                    tree.insert(arc.link);
                    queue.push_back(arc.to.switch);
                }
            }
        }
    }
    tree
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use smoc_paths::topology::TopologyFile;

    fn topology(links: &[(&str, &str)]) -> Topology {
        let lines: String = links.iter().map(|(a, b)| format!("  - {{a: \"{a}\", b: \"{b}\"}}\n")).collect();
        TopologyFile::parse(Path::new("t.yaml"), &format!("links:\n{lines}")).unwrap().topology
    }

    fn named(topology: &Topology, names: &[&str]) -> BTreeSet<LinkId> {
        topology.link_ids().filter(|link| names.contains(&topology.link_name(*link).as_str())).collect()
    }

    #[test]
    fn a_tree_reaches_all_switches_and_has_no_loop() {
        let ring =
            topology(&[("a:1", "b:1"), ("b:2", "c:1"), ("c:2", "a:2"), ("a:3", "b:3"), ("c:3", "d:1")]);
        let tree = spanning_tree(&ring, &BTreeSet::new());
        assert_eq!(tree.len(), ring.switches().len() - 1);
        let names: Vec<_> = tree.iter().map(|link| ring.link_name(*link)).collect();
        assert_eq!(names, ["a:1-b:1", "c:2-a:2", "c:3-d:1"]);
    }

    #[test]
    fn a_link_that_fails_is_replaced_and_closes_no_other() {
        let ring = topology(&[("a:1", "b:1"), ("b:2", "c:1"), ("c:2", "a:2"), ("a:3", "b:3")]);
        let whole = spanning_tree(&ring, &BTreeSet::new());
        for &failed in &whole {
            let healed = spanning_tree(&ring, &BTreeSet::from([failed]));
            assert_eq!(healed.len(), whole.len(), "all switches are reached");
            assert!(
                !healed.contains(&failed)
                    && whole.iter().all(|link| *link == failed || healed.contains(link))
            );
        }
        let cut = spanning_tree(&ring, &named(&ring, &["c:2-a:2", "b:2-c:1"]));
        assert_eq!(cut, named(&ring, &["a:1-b:1"]), "c is cut off");
    }

    #[test]
    fn pieces_have_a_tree_each() {
        let pieces = topology(&[("a:1", "b:1"), ("c:1", "d:1"), ("c:2", "d:2")]);
        assert_eq!(spanning_tree(&pieces, &BTreeSet::new()).len(), 2);
    }
}
