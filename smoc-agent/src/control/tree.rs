//! The tree of links on which the base network (ARP, broadcast, what smoc leaves to the kernel) forwards.
//!
//! Every agent computes it for itself from the topology alone, and all get the same: breadth first from the
//! first switch by name, over links in their order.

use std::collections::{BTreeSet, VecDeque};

use smoc_common::route::PortNumber;

use crate::topology::{LinkId, SwitchId, Topology};

/// The links of the tree; in a topology in pieces, of one tree a piece.
pub fn spanning_tree(topology: &Topology) -> BTreeSet<LinkId> {
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

/// The fabric ports of `switch` that are on the tree, and those that are not.
pub fn split_ports(topology: &Topology, switch: SwitchId) -> (BTreeSet<PortNumber>, BTreeSet<PortNumber>) {
    let tree = spanning_tree(topology);
    let (on, off): (Vec<_>, Vec<_>) = topology.arcs(switch).iter().partition(|arc| tree.contains(&arc.link));
    let ports = |arcs: Vec<&crate::topology::Arc>| arcs.into_iter().map(|arc| arc.port).collect();
    (ports(on), ports(off))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::topology::TopologyFile;

    fn topology(links: &[(&str, &str)]) -> Topology {
        let lines: String = links.iter().map(|(a, b)| format!("  - {{a: \"{a}\", b: \"{b}\"}}\n")).collect();
        TopologyFile::parse(Path::new("t.yaml"), &format!("links:\n{lines}")).unwrap().topology
    }

    #[test]
    fn a_tree_reaches_all_switches_and_has_no_loop() {
        let ring =
            topology(&[("a:1", "b:1"), ("b:2", "c:1"), ("c:2", "a:2"), ("a:3", "b:3"), ("c:3", "d:1")]);
        let tree = spanning_tree(&ring);
        assert_eq!(tree.len(), ring.switches().len() - 1);
        let names: Vec<_> = tree.iter().map(|link| ring.link_name(*link)).collect();
        assert_eq!(names, ["a:1-b:1", "c:2-a:2", "c:3-d:1"]);
    }

    #[test]
    fn both_ends_of_a_link_agree() {
        let ring = topology(&[("a:1", "b:1"), ("b:2", "c:1"), ("c:2", "a:2")]);
        for link in ring.links() {
            let on = |end: crate::topology::End| split_ports(&ring, end.switch).0.contains(&end.port);
            assert_eq!(on(link.a), on(link.b));
        }
    }

    #[test]
    fn pieces_have_a_tree_each() {
        let pieces = topology(&[("a:1", "b:1"), ("c:1", "d:1"), ("c:2", "d:2")]);
        assert_eq!(spanning_tree(&pieces).len(), 2);
    }
}
