//! The policies: which paths are chosen, and in which order.
//!
//! A policy is a file here, a variant of [`Policy`] with its word and its line of help, and an arm of [`ranking_of`].
//! Nothing else in the workspace lists policies.

mod bounded;
mod diverse;
mod exhaust;
mod groups;
pub(super) mod name;
mod prefixes;
pub(super) mod ranking;
mod shortest;
mod smoc;
mod widest;

use super::flow::{LinkFlow, NodeFlow, Residual};
use super::graph::Graph;
use super::options::{OptionsError, PathOptions, Protect};
use crate::topology::{Bandwidth, Latency, LinkId, Topology};
use name::Policy;
use ranking::Ranking;

/// Checks that the topology says what the policy, or the receive buffer, needs to know.
///
/// # Errors
/// [`OptionsError::Missing`].
pub(super) fn check(topology: &Topology, options: &PathOptions) -> Result<(), OptionsError> {
    let asks = |what, which: &str| (what, which.to_owned());
    let policy = asks("capacity", &format!("policy {}", options.policy));
    let buffer = ["capacity", "latency"].map(|what| asks(what, "receive_buffer"));
    let needs = (options.policy.needs_capacity().then_some(policy).into_iter())
        .chain(buffer.into_iter().filter(|_| options.receive_buffer.is_some()));
    for (what, who) in needs {
        let is_missing = |id: &LinkId| match what {
            "capacity" => topology.link(*id).capacity.is_none(),
            _ => topology.link(*id).latency.is_none(),
        };
        if let Some(link) = topology.link_ids().find(is_missing) {
            return Err(OptionsError::Missing { who, what, link: topology.link_name(link) });
        }
    }
    Ok(())
}

/// The policy's searches towards one root; `distances` are those to the root.
pub(super) fn ranking<'a>(
    topology: &'a Topology,
    options: &PathOptions,
    graph: &Graph,
    distances: &[u64],
) -> Box<dyn Ranking + 'a> {
    let PathOptions { policy, count, .. } = *options;
    let ranking = match options.protect {
        Protect::Link => ranking_of::<LinkFlow>(policy, topology, graph, distances, count),
        Protect::Node => ranking_of::<NodeFlow>(policy, topology, graph, distances, count),
    };
    let Some(buffer) = options.receive_buffer else { return ranking };
    let latencies = topology.links().iter().map(|link| link.latency.map_or(0, Latency::nanos)).collect();
    let links = bounded::Links { capacities: capacities(topology), latencies };
    let switches_count = options.protect == Protect::Node;
    Box::new(bounded::Bounded { policy: ranking, links, buffer, count, switches_count })
}

/// `R` says what paths should not share.
fn ranking_of<'a, R: Residual + 'a>(
    policy: Policy,
    topology: &'a Topology,
    graph: &Graph,
    distances: &[u64],
    count: usize,
) -> Box<dyn Ranking + 'a> {
    match policy {
        Policy::Diverse => Box::new(diverse::Diverse::<R>::new(topology, graph, distances, count)),
        Policy::Smoc => Box::new(smoc::Smoc::new(graph, distances, count)),
        Policy::Shortest => Box::new(shortest::Shortest::new(graph, distances, count)),
        Policy::Widest => Box::new(widest::Widest::<R>::new(topology, capacities(topology), count)),
    }
}

/// In bit/s, by link; those that are not told count as nothing.
fn capacities(topology: &Topology) -> Vec<u64> {
    topology.links().iter().map(|link| link.capacity.map_or(0, Bandwidth::bits_per_second)).collect()
}
