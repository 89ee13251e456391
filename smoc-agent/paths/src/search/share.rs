//! Which links and switches are taken by paths already chosen.
//!
//! Two links of one shared-risk group count as shared, so a link is shared when it, or any link of one of
//! its groups, is taken.

use super::diverse::Query;
use super::graph::{Graph, Weight};
use crate::topology::{LinkId, Srlg, Topology};

/// Marks of what is taken; clearing them costs nothing.
pub(super) struct Shares<'a> {
    topology: &'a Topology,
    switches_count: bool,
    links: Vec<u32>,
    groups: Vec<u32>,
    switches: Vec<u32>,
    now: u32,
}

impl<'a> Shares<'a> {
    /// Nothing taken; `switches_count` under `protect: node`.
    pub fn new(topology: &'a Topology, switches_count: bool) -> Self {
        Self {
            topology,
            switches_count,
            links: vec![0; topology.links().len()],
            groups: vec![0; topology.srlgs().len()],
            switches: vec![0; topology.switches().len()],
            now: 1,
        }
    }

    /// Whether switches count.
    pub fn switches_count(&self) -> bool {
        self.switches_count
    }

    /// Nothing is taken any more.
    pub fn clear(&mut self) {
        self.now += 1;
    }

    /// Takes a path's links, their groups and its transit switches.
    pub fn add(&mut self, query: &Query<'_>, links: &[u32]) {
        let mut at = query.start;
        for &link in links {
            self.links[link as usize] = self.now;
            for group in self.groups_of(link) {
                self.groups[group.index()] = self.now;
            }
            let (low, high) = query.graph.ends(link);
            at = if at == low { high } else { low };
            self.switches[at as usize] = self.now;
        }
    }

    /// Whether a path that is taken uses this link or one of its groups.
    pub fn shared(&self, link: u32) -> bool {
        let taken = |&group: &Srlg| self.groups[group.index()] == self.now;
        self.links[link as usize] == self.now || self.groups_of(link).iter().any(taken)
    }

    /// The groups of a link; it is not even looked at where there are none.
    fn groups_of(&self, link: u32) -> &'a [Srlg] {
        if self.groups.is_empty() { &[] } else { &self.topology.link(LinkId(link)).srlg }
    }

    /// What it weighs to use a link again.
    pub fn weight(&self, graph: &Graph, link: u32) -> Weight {
        if self.shared(link) { graph.link_share } else { 0 }
    }

    /// What it weighs to pass a transit switch again.
    pub fn switch_weight(&self, graph: &Graph, switch: u32) -> Weight {
        if self.switches_count && self.switches[switch as usize] == self.now { graph.switch_share } else { 0 }
    }
}
