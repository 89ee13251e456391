//! From what is installed to what is desired, in an order in which no frame meets half of it.

use std::collections::{BTreeMap, BTreeSet};

use smoc_common::{
    map::{EdgeIndex, Host, PathSet, Port, Prefix, Settings},
    route::PortNumber,
    wire::ip::Address,
};

use super::{
    desired::Desired,
    slots::{FreeSlots, GRACE_PERIOD},
};
use crate::{
    clock::Nanos,
    dataplane::{Change, Installed, PortEntry, Slot},
};

/// Changes to be made in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The changes.
    pub changes: Vec<Change>,
    /// Whether some have to wait until a slot of `PATH_SETS` has rested: plan again a little later.
    pub incomplete: bool,
    /// Edges that found no index.
    pub without_index: usize,
    /// Addresses that found no room in the map.
    pub left_out: usize,
}

/// The changes that turn `installed` into `desired`.
///
/// Names come first, then ports, paths, hosts, and the settings last: they switch smoc on, and a new epoch
/// must find the new hosts. Slots that are taken or freed are booked in `slots`.
///
/// Paths by a rule of policy stay for a grace period when they are not wanted any more: until the settings with the new epoch
/// are written, flows take them.
pub fn plan(
    desired: &Desired,
    installed: &Installed,
    slots: &mut FreeSlots,
    retired: &mut BTreeMap<EdgeIndex, Nanos>,
    now: Nanos,
) -> Plan {
    let mut plan =
        Plan { left_out: desired.left_out, without_index: desired.without_index, ..Plan::default() };
    for (index, name) in &desired.names {
        if installed.names.get(index) != Some(name) {
            plan.changes.push(Change::NameEdge(*index, name.clone()));
        }
    }
    if desired.hello_keys != installed.hello_keys {
        plan.changes.push(Change::SetHelloKeys(desired.hello_keys));
    }
    for (port, entry) in &desired.ports {
        if installed.ports.get(port) != Some(entry) {
            plan.changes.push(Change::SetPort(*port, *entry));
        }
    }
    detours(desired, installed, &mut plan);
    path_sets(desired, installed, slots, now, &mut plan);
    retire(desired, installed, slots, retired, now, &mut plan);
    for port in installed.ports.keys().filter(|port| !desired.ports.contains_key(port)) {
        plan.changes.push(Change::RemovePort(*port));
    }
    let moved = pairs(desired, installed, &mut plan)
        | prefixes(desired, installed, &mut plan)
        | hosts(desired, installed, &mut plan);
    let mut settings = desired.settings;
    settings.epoch = installed.settings.epoch.wrapping_add(u32::from(moved));
    if settings != installed.settings {
        plan.changes.push(Change::SetSettings(settings));
    }
    plan
}

/// The changes that close installed ports for the base network or open them, and no others. That host ports are looked at is
/// said before.
pub fn closed(closed: &BTreeSet<PortNumber>, installed: &Installed) -> Vec<Change> {
    let is_shut =
        |(number, entry): (&PortNumber, &PortEntry)| closed.contains(number) && entry.port.role == Port::HOST;
    let mut settings = installed.settings;
    if settings != Settings::default() && installed.ports.iter().any(is_shut) {
        settings.guarded |= Settings::SHUT;
    }
    let told = (settings != installed.settings).then_some(Change::SetSettings(settings));
    let changed = installed.ports.iter().filter_map(|(number, entry)| {
        let port = Port { base: Port::base_of(closed.contains(number)), ..entry.port };
        (port != entry.port).then_some(Change::SetPort(*number, PortEntry { port, ..*entry }))
    });
    told.into_iter().chain(changed).collect()
}

/// The changes that say which ranks of the installed path sets are broken, and no others.
pub fn urgent(sets: &[(Slot, PathSet)], installed: &Installed) -> Vec<Change> {
    let differs = |(slot, set): &&(Slot, PathSet)| installed.path_sets.get(slot) != Some(set);
    sets.iter().filter(differs).map(|(slot, set)| Change::MarkBroken(*slot, *set)).collect()
}

fn path_sets(desired: &Desired, installed: &Installed, slots: &mut FreeSlots, now: Nanos, plan: &mut Plan) {
    for (&edge, set) in &desired.path_sets {
        let current = installed.edges.get(&edge).copied();
        let before = current.and_then(|slot| Some((slot, installed.path_sets.get(&slot)?)));
        if let Some((slot, before)) = before
            && (PathSet { broken: set.broken, ..*before }) == *set
        {
            if before.broken != set.broken {
                plan.changes.push(Change::MarkBroken(slot, *set));
            }
            continue;
        }
        let Some(slot) = slots.take(now) else {
            plan.incomplete = true;
            continue;
        };
        plan.changes.push(Change::WritePathSet(slot, *set));
        plan.changes.push(Change::PointEdge(edge, slot));
        slots.free(current.unwrap_or_default(), now);
    }
}

/// Takes away the paths to edges that have none any more.
fn retire(
    desired: &Desired,
    installed: &Installed,
    slots: &mut FreeSlots,
    retired: &mut BTreeMap<EdgeIndex, Nanos>,
    now: Nanos,
    plan: &mut Plan,
) {
    retired.retain(|edge, _| !desired.path_sets.contains_key(edge));
    for (&edge, &slot) in installed.edges.iter().filter(|(edge, _)| !desired.path_sets.contains_key(edge)) {
        let is_by_rule = desired.names.get(&edge).is_some_and(|toward| toward.rule != 0);
        if is_by_rule && now.since(*retired.entry(edge).or_insert(now)) < GRACE_PERIOD {
            continue;
        }
        retired.remove(&edge);
        plan.changes.push(Change::PointEdge(edge, Slot(0)));
        slots.free(slot, now);
    }
}

/// Plans by which paths pairs of hosts reach each other; whether that is different, so that flows have to look.
fn pairs(desired: &Desired, installed: &Installed, plan: &mut Plan) -> bool {
    let gone = installed.pairs.keys().filter(|key| !desired.pairs.contains_key(key));
    let removed: Vec<Change> = gone.map(|key| Change::RemovePair(*key)).collect();
    let set = desired.pairs.iter().filter(|(key, index)| installed.pairs.get(key) != Some(index));
    let set: Vec<Change> = set.map(|(key, index)| Change::SetPair(*key, *index)).collect();
    let differs = !removed.is_empty() || !set.is_empty();
    plan.changes.extend(removed.into_iter().chain(set));
    differs
}

fn detours(desired: &Desired, installed: &Installed, plan: &mut Plan) {
    for (key, detour) in &desired.detours {
        if installed.detours.get(key) != Some(detour) {
            plan.changes.push(Change::SetDetour(*key, *detour));
        }
    }
    for key in installed.detours.keys().filter(|key| !desired.detours.contains_key(key)) {
        plan.changes.push(Change::RemoveDetour(*key));
    }
}

/// Plans the prefixes, first what makes room; whether one is behind another router or gone.
fn prefixes(desired: &Desired, installed: &Installed, plan: &mut Plan) -> bool {
    let gone = installed.prefixes.keys().filter(|prefix| !desired.prefixes.contains_key(prefix));
    let removed: Vec<Change> = gone.map(|prefix| Change::RemovePrefix(*prefix)).collect();
    let differs = |(prefix, router): &(&Prefix, &Host)| installed.prefixes.get(prefix) != Some(router);
    let set = desired.prefixes.iter().filter(differs);
    let set: Vec<Change> = set.map(|(prefix, router)| Change::SetPrefix(*prefix, *router)).collect();
    // A new one may be a part of an older one, whose flows then have another router.
    let moved = !removed.is_empty() || !set.is_empty();
    plan.changes.extend(removed.into_iter().chain(set));
    moved
}

/// Plans the hosts, first what makes room, then what is known already, then what the file names, then the others; whether
/// one moved or left, so that flows have to look their hosts up again.
fn hosts(desired: &Desired, installed: &Installed, plan: &mut Plan) -> bool {
    let mut moved = false;
    for address in installed.hosts.keys().filter(|address| !desired.hosts.contains_key(address)) {
        plan.changes.push(Change::RemoveHost(*address));
        moved = true;
    }
    let differs = |(address, host): &(&Address, &Host)| installed.hosts.get(address) != Some(host);
    let change = |(address, host): (&Address, &Host)| Change::SetHost(*address, *host);
    let is_known = |(address, _): &(&Address, &Host)| installed.hosts.contains_key(address);
    let (updates, inserts): (Vec<_>, Vec<_>) = desired.hosts.iter().filter(differs).partition(is_known);
    let (declared, learned): (Vec<_>, Vec<_>) =
        inserts.into_iter().partition(|(address, _)| desired.declared.contains(address));
    moved |= !updates.is_empty();
    plan.changes.extend(updates.into_iter().chain(declared).chain(learned).map(change));
    moved
}
