//! What the prober is to watch, and the ways around failures: worked out from topology and paths.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use smoc_common::{
    map::{DETOUR_ENTRIES, Detour, DetourKey},
    route::Rank,
};

use super::ports::{self, Roles};
use smoc_control::{
    config::Config,
    interfaces::{IfIndex, Interfaces},
    liveness::{PathTarget, PortTarget, RoundTripRoute},
    plan::{Failures, PathBook},
    ports::Role,
};
use smoc_paths::{
    search::{self, OptionsError, Path, PathFinder, PathOptions},
    topology::{End, LinkId, SwitchId, Topology},
};

/// The fabric ports. One without interface is watched as one without carrier, so that it keeps its past.
pub(super) fn ports(
    config: &Config,
    (topology, this): (&Topology, SwitchId),
    roles: &Roles,
    interfaces: &Interfaces,
) -> Vec<PortTarget> {
    let target = |(&number, name): (&_, &String)| {
        if roles.of(number) != Role::Fabric {
            return None;
        }
        let link = topology.link(topology.link_at(End { switch: this, port: number })?);
        let interface = interfaces.named(name);
        Some(PortTarget {
            number,
            interface: interface.map_or(IfIndex(0), |interface| interface.index),
            carrier: interface.is_some_and(|interface| interface.usable),
            neighbor: link.other(this).port,
        })
    };
    config.ports.iter().filter_map(target).collect()
}

/// The paths that can be probed, and how many cannot.
pub(super) fn paths(topology: &Topology, book: &PathBook) -> (Vec<PathTarget>, usize) {
    let (mut targets, mut unfit) = (Vec::new(), 0);
    for (edge, paths) in book.edges() {
        for (path, rank) in paths.ranked.iter().zip((0..Rank::COUNT as u8).map(Rank::new)) {
            match RoundTripRoute::along(topology, path, path.links.len()) {
                Ok(route) => targets.push(PathTarget { edge, rank, route, name: name(topology, path) }),
                Err(_) => unfit += 1,
            }
        }
    }
    (targets, unfit)
}

/// `e1 - m1 - e2`.
pub(super) fn name(topology: &Topology, path: &Path) -> Arc<str> {
    let names: Vec<_> = path.switches.iter().map(|switch| topology.switch(*switch).name.as_str()).collect();
    names.join(" - ").into()
}

/// What is down in the maps of an earlier agent although it has carrier, and the ranks that it found broken.
pub(super) fn left_down(
    config: &Config,
    roles: &Roles,
    interfaces: &Interfaces,
    controller: &smoc_control::plan::Controller,
    topology: &Topology,
) -> Failures {
    let installed = controller.installed();
    let ports = ports::present(config, roles, interfaces).filter(|(port, role, interface)| {
        let there = installed.ports.get(port);
        *role == Role::Fabric && interface.usable && there.is_some_and(|there| there.leads_to.is_none())
    });
    let mut failures = Failures { ports: ports.map(|(port, ..)| port).collect(), ..Failures::default() };
    for (&index, slot) in &installed.edges {
        let edge = controller.names().name(index).and_then(|name| topology.find_switch(name));
        let broken = installed.path_sets.get(slot).map_or(0, |set| set.broken);
        let ranks = (0..Rank::COUNT as u8).filter(|rank| broken >> rank & 1 == 1);
        failures
            .paths
            .extend(edge.into_iter().flat_map(|edge| ranks.clone().map(move |rank| (edge, Rank::new(rank)))));
    }
    failures
}

/// The detours of this switch over links that are not `down`, as the maps hold them, and how many fit neither into a
/// route nor into the map.
pub(super) fn detours(
    topology: &Topology,
    this: SwitchId,
    options: &PathOptions,
    down: &BTreeSet<LinkId>,
) -> Result<(BTreeMap<DetourKey, Detour>, usize), OptionsError> {
    let down = down.iter().copied().collect();
    let found = PathFinder::without(topology, options, &down)?.detours(this);
    let (ours, room) = (found.routable.len(), DETOUR_ENTRIES as usize);
    let unfit = found.unroutable.len() + ours.saturating_sub(room);
    Ok((found.routable.iter().take(room).map(search::Detour::entry).collect(), unfit))
}
