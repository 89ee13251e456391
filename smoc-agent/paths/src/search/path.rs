//! A path through the topology, and the paths between two switches.

use smoc_common::route::PortNumber;

use super::graph::Graph;
use crate::topology::{LinkId, SwitchId, Topology};

/// A simple path between two switches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Its switches, from first to last.
    pub switches: Vec<SwitchId>,
    /// Its links, one fewer than switches.
    pub links: Vec<LinkId>,
    /// Sum of the link costs under the metric asked for.
    pub cost: u64,
    /// How many of its links a better-ranked path of the same pair also uses (a link of the same
    /// shared-risk group counts).
    pub shared_links: usize,
}

impl Path {
    /// Over these links of the graph, from `start`.
    pub(super) fn over(graph: &Graph, start: SwitchId, links: &[u32], shared_links: usize) -> Self {
        let mut switches = vec![start];
        for &link in links {
            let (low, high) = graph.ends(link);
            let at = switches[switches.len() - 1].0;
            switches.push(SwitchId(if at == low { high } else { low }));
        }
        let cost = graph.cost_of(links);
        Self { switches, links: links.iter().map(|&link| LinkId(link)).collect(), cost, shared_links }
    }

    /// Each switch except the last and the port through which the path leaves it, first to last.
    pub fn hops<'a>(
        &'a self,
        topology: &'a Topology,
    ) -> impl DoubleEndedIterator<Item = (SwitchId, PortNumber)> + ExactSizeIterator + 'a {
        self.switches.iter().zip(&self.links).map(|(&switch, &link)| {
            let end = topology.link(link).end_at(switch).expect("a path's links join its switches");
            (switch, end.port)
        })
    }

    /// The same path from its other end.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.switches.reverse();
        self.links.reverse();
        self
    }
}

/// The paths between two switches: ranks for the subflows of MPTCP connections, and paths for all other traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankedPaths {
    /// By rank, best first.
    pub ranks: Vec<Path>,
    /// Paths of least cost, the one of least tie first, as many as ranks are asked for and as there are. The first is for
    /// what is no MPTCP, all of them for spreading that by flow. They need not be among the ranks.
    pub base: Vec<Path>,
}
