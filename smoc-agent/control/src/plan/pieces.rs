//! Which switches some links join.

use smoc_paths::topology::{LinkId, SwitchId, Topology};

/// Disjoint sets of switches, with path halving (R. E. Tarjan, J. van Leeuwen, "Worst-case analysis of set union algorithms",
/// Journal of the ACM 31(2), 1984).
#[derive(Clone, Debug)]
pub struct Pieces(Vec<u32>);

impl Pieces {
    /// Each switch by itself.
    pub fn new(topology: &Topology) -> Self {
        Self(topology.switch_ids().map(|switch| switch.0).collect())
    }

    /// Joins the pieces at the ends of a link; false if they are one already.
    pub fn join(&mut self, topology: &Topology, link: LinkId) -> bool {
        let link = topology.link(link);
        let (a, b) = (self.piece_of(link.a.switch), self.piece_of(link.b.switch));
        self.0[a as usize] = b;
        a != b
    }

    fn piece_of(&mut self, switch: SwitchId) -> u32 {
        let pieces = &mut self.0;
        let mut at = switch.0;
        while pieces[at as usize] != at {
            let parent = pieces[at as usize];
            pieces[at as usize] = pieces[parent as usize];
            at = parent;
        }
        at
    }
}
