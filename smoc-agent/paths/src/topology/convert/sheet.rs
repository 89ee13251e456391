//! Nodes and edges with attributes: what all formats of others have in common.

use super::attributes::{Attributes, Units};
use crate::topology::{End, Topology};

/// A graph as others write it.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// Nodes, each with an id of its own.
    pub nodes: Vec<Node>,
    /// Edges between them.
    pub edges: Vec<Edge>,
    /// How edges become links.
    pub listing: Listing,
    /// Of numbers that have none.
    pub units: Units,
    /// What had to be changed or left out when reading.
    pub notes: Vec<String>,
}

/// A node.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Where it stands, from 1.
    pub line: u64,
    /// What edges call it.
    pub id: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// An edge.
#[derive(Debug, Default)]
pub(super) struct Edge {
    /// Where it stands, from 1.
    pub line: u64,
    /// Where it begins.
    pub source: Stop,
    /// Where it ends.
    pub target: Stop,
    /// It leads one way only.
    pub directed: bool,
    /// Its attributes.
    pub attributes: Attributes,
}

/// One end of an edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stop {
    /// A node's id.
    pub node: String,
    /// The name of the port, if the format has such.
    pub port: Option<String>,
}

/// How a format lists links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Listing {
    /// Each edge is a link, except where two directed ones are each other's way back.
    #[default]
    Each,
    /// Nothing is said: if all edges come in both directions, they are listed from both ends.
    Unsaid,
    /// An edge and one the other way are one link.
    BothEnds,
    /// Every link is two edges, one each way.
    Directions,
    /// No two links join the same nodes: `"multigraph": false`.
    Simple,
    /// The same in Graphviz's words: `strict`.
    Strict,
}

impl Stop {
    /// A node without a port.
    pub fn at(node: impl Into<String>) -> Self {
        Self { node: node.into(), port: None }
    }

    /// A port of a node.
    pub fn port(node: impl Into<String>, port: impl Into<String>) -> Self {
        Self { node: node.into(), port: Some(port.into()) }
    }
}

impl Sheet {
    /// Our topology; a host is a node of the `kind` "host" with one edge.
    pub fn of(topology: &Topology) -> Self {
        let mut sheet = Self::default();
        let mut node = |id: &str, attributes| {
            sheet.nodes.push(Node { line: 0, id: id.to_owned(), attributes });
        };
        for switch in topology.switches() {
            let agent = switch.agent.map(|agent| ("agent", agent.to_string()));
            node(&switch.name, attributes([Some(("kind", "switch".into())), agent]));
        }
        for host in topology.hosts() {
            let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
            let all = attributes([
                Some(("kind", "host".into())),
                host.mac.map(|mac| ("mac", mac.to_string())),
                (!addresses.is_empty()).then(|| ("addresses", addresses.join(","))),
            ]);
            node(&host.name, all);
        }
        let name = |end: End| topology.switch(end.switch).name.clone();
        let edge = |source: String, target: String, attributes| Edge {
            source: Stop::at(source),
            target: Stop::at(target),
            attributes,
            ..Edge::default()
        };
        for link in topology.links() {
            let groups: Vec<_> =
                link.srlg.iter().map(|group| topology.srlgs()[group.index()].as_str()).collect();
            let all = attributes([
                Some(("source_port", link.a.port.to_string())),
                Some(("target_port", link.b.port.to_string())),
                link.capacity.map(|capacity| ("capacity", capacity.to_string())),
                link.latency.map(|latency| ("latency", latency.to_string())),
                Some(("cost", link.cost.to_string())),
                (!groups.is_empty()).then(|| ("srlg", groups.join(","))),
            ]);
            sheet.edges.push(edge(name(link.a), name(link.b), all));
        }
        for host in topology.hosts() {
            let port = attributes([Some(("target_port", host.at.port.to_string()))]);
            sheet.edges.push(edge(host.name.clone(), name(host.at), port));
        }
        sheet
    }
}

fn attributes<const N: usize>(some: [Option<(&str, String)>; N]) -> Attributes {
    some.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
}
