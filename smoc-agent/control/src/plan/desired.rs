//! What the maps should say, given the topology, the hosts and the state of the ports.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use smoc_common::{
    map::{
        Attachment, Detour, DetourKey, EdgeIndex, HelloKeys, Host, LAYOUT_MAGIC, LAYOUT_VERSION, PairKey,
        PathSet, Port, Prefix, Settings, THIS_EDGE,
    },
    route::{PortNumber, Rank},
    wire::ip::Address,
};

use super::{
    book::{EdgePaths, PathBook},
    names::EdgeNames,
    policies::{PathsTo, Policies},
    routers,
};
use crate::{
    config::{Border, Spread},
    dataplane::{PortEntry, Toward},
    hosts::{KnownHost, Source, behind::Routed, map_address},
    interfaces::Interfaces,
    ports::{Role, Roles},
};
use smoc_paths::{
    search::Path,
    topology::{End, LinkId, SwitchId, Topology},
};

/// What is decided from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The network.
    pub topology: &'a Topology,
    /// This switch.
    pub this: SwitchId,
    /// The configured ports and their interfaces' names.
    pub ports: &'a BTreeMap<PortNumber, String>,
    /// The bridge, if one is configured.
    pub bridge: Option<&'a str>,
    /// What the kernel says of the interfaces.
    pub interfaces: &'a Interfaces,
    /// What the ports lead to.
    pub roles: &'a Roles,
    /// The ports that are closed for the base network.
    pub closed: &'a BTreeSet<PortNumber>,
    /// What hellos and probes have found.
    pub failures: &'a Failures,
    /// The links of the network that are down or that paths are to leave.
    pub unused: &'a BTreeSet<LinkId>,
    /// Ways around neighbours and links.
    pub detours: &'a BTreeMap<DetourKey, Detour>,
    /// Where every known address lives.
    pub hosts: &'a BTreeMap<IpAddr, KnownHost>,
    /// What is behind hosts by the switches' routing tables.
    pub routed: &'a Routed,
    /// How other traffic is spread.
    pub spread: Spread,
    /// What hosts may send.
    pub border: &'a Border,
    /// What hellos and probes are answered with.
    pub hello_keys: HelloKeys,
    /// How many addresses the map has room for.
    pub host_entries: usize,
}

/// What does not work although its carrier says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Fabric ports that are down.
    pub ports: BTreeSet<PortNumber>,
    /// Those of them over which no hello has ever come back.
    pub unanswered: BTreeSet<PortNumber>,
    /// Ranks that are broken beyond this switch's own ports.
    pub paths: BTreeSet<(PathsTo, Rank)>,
}

/// What the maps should say. The epoch in the settings is whatever is installed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// `SETTINGS`, with epoch 0.
    pub settings: Settings,
    /// `HELLO_KEYS`.
    pub hello_keys: HelloKeys,
    /// `PORTS`, `INTERFACES` and `HELLO_PORTS`.
    pub ports: BTreeMap<PortNumber, PortEntry>,
    /// `HOSTS`.
    pub hosts: BTreeMap<Address, Host>,
    /// `PREFIXES`.
    pub prefixes: BTreeMap<Prefix, Host>,
    /// `EDGE_NAMES`.
    pub names: BTreeMap<EdgeIndex, Toward>,
    /// `PAIRS`.
    pub pairs: BTreeMap<PairKey, EdgeIndex>,
    /// `DETOURS`.
    pub detours: BTreeMap<DetourKey, Detour>,
    /// What `EDGES` should lead to.
    pub path_sets: BTreeMap<EdgeIndex, PathSet>,
    /// Those of the hosts that the topology file names.
    pub declared: BTreeSet<Address>,
    /// Edges that found no index.
    pub without_index: usize,
    /// Addresses that found no room.
    pub left_out: usize,
}

/// The other switches that have hosts, declared or learned.
pub fn edges(topology: &Topology, this: SwitchId, hosts: &BTreeMap<IpAddr, KnownHost>) -> BTreeSet<SwitchId> {
    let mut has_hosts = vec![false; topology.switches().len()];
    topology.hosts().iter().for_each(|host| has_hosts[host.at.switch.index()] = true);
    hosts.values().for_each(|host| has_hosts[host.at.switch.index()] = true);
    topology.switch_ids().filter(|switch| *switch != this && has_hosts[switch.index()]).collect()
}

/// What the maps should say. New edges get an index in `names`.
pub fn desired(inputs: &Inputs<'_>, book: &PathBook, policies: &Policies, names: &mut EdgeNames) -> Desired {
    let Inputs { topology, this, .. } = *inputs;
    let mut index_of: BTreeMap<SwitchId, EdgeIndex> = BTreeMap::from([(this, THIS_EDGE)]);
    let (mut path_sets, mut without_index) = (BTreeMap::new(), 0);
    for edge in edges(topology, this, inputs.hosts) {
        let Some(index) = names.index(&topology.switch(edge).name, 0) else {
            without_index += 1;
            continue;
        };
        index_of.insert(edge, index);
        let Some(mut set) = book.path_set(topology, edge) else { continue };
        set.broken = broken(inputs, book, edge.into());
        path_sets.insert(index, set);
    }
    let mut pairs = BTreeMap::new();
    for (to, pairs_of) in policies.wanted() {
        let PathsTo { edge, rule } = *to;
        let set = policies.book(rule).and_then(|book| Some((book, book.path_set(topology, edge)?)));
        let (Some((book, mut set)), Some(&there)) = (set, index_of.get(&edge)) else { continue };
        let Some(index) = names.index(&topology.switch(edge).name, rule) else {
            without_index += 1;
            continue;
        };
        set.broken = broken(inputs, book, *to);
        path_sets.insert(index, set);
        let key = |&(local, remote)| PairKey { local, remote, edge: there, reserved: 0 };
        pairs.extend(pairs_of.iter().map(|pair| (key(pair), index)));
    }
    let (hosts, declared, left_out) = hosts(inputs, &index_of, policies);
    let is_dead = |port: PortNumber| {
        let interface = inputs.ports.get(&port).and_then(|name| inputs.interfaces.named(name));
        interface.is_none_or(|interface| !interface.usable)
    };
    let mut prefixes = routers::prefixes((topology, inputs.routed), this, inputs.unused, is_dead, &index_of);
    policies.classify(&mut prefixes);
    let bit = |is_set, bit| if is_set { bit } else { 0 };
    let filled = bit(!prefixes.is_empty(), Settings::PREFIXES) | bit(!pairs.is_empty(), Settings::PAIRS);
    Desired {
        settings: Settings { filled, ..settings(inputs) },
        hello_keys: inputs.hello_keys,
        prefixes,
        ports: ports(inputs),
        hosts,
        names: names.all(),
        pairs,
        detours: inputs.detours.clone(),
        path_sets,
        declared,
        without_index,
        left_out,
    }
}

/// The entry of a host of this class, if its edge has an index.
pub(super) fn host(
    host: &KnownHost,
    class: u16,
    index: impl FnOnce(SwitchId) -> Option<EdgeIndex>,
) -> Option<Host> {
    let attachment = Attachment { edge: index(host.at.switch)?, port: host.at.port.get() };
    Some(Host { attachment, mac: host.mac, class, ..Host::default() })
}

/// The hosts that the map has room for, those of the file first; which are those of the file, and how many are left out.
fn hosts(
    inputs: &Inputs<'_>,
    index_of: &BTreeMap<SwitchId, EdgeIndex>,
    policies: &Policies,
) -> (BTreeMap<Address, Host>, BTreeSet<Address>, usize) {
    let is_declared = |host: &KnownHost| host.source == Source::File;
    let of = |wanted: bool| {
        inputs.hosts.iter().filter(move |(_, host)| is_declared(host) == wanted).filter_map(
            |(address, known)| {
                let address = map_address(*address);
                let class = policies.class_of(&address);
                Some((address, host(known, class, |edge| index_of.get(&edge).copied())?))
            },
        )
    };
    let declared = of(true).map(|(address, _)| address).collect();
    let all = of(true).chain(of(false));
    let left_out = all.clone().count().saturating_sub(inputs.host_entries);
    (all.take(inputs.host_entries).collect(), declared, left_out)
}

/// A bit for each path to an edge, as numbered in its [`PathSet`], that is broken: its rank's probes are lost, or it needs a
/// link that is down (and has no substitute, or none yet).
pub(super) fn broken(inputs: &Inputs<'_>, book: &PathBook, to: PathsTo) -> u16 {
    let Some(EdgePaths { ranked, base, .. }) = book.to(to.edge) else { return 0 };
    let failures = inputs.failures.paths.range((to, Rank::BEST)..).take_while(|(of, _)| *of == to);
    let lossy: Vec<&Path> = failures.filter_map(|(_, rank)| ranked.get(usize::from(rank.get()))).collect();
    let is_broken = |path: &Path| {
        path.links.iter().any(|link| inputs.unused.contains(link))
            || lossy.iter().any(|lossy| lossy.links == path.links)
    };
    let ranks = (0..Rank::COUNT).zip(ranked);
    let others = (PathSet::BASE..PathSet::LEN).zip(base);
    let broken = ranks.chain(others).filter(|(_, path)| is_broken(path));
    broken.fold(0, |broken, (number, _)| broken | 1 << number)
}

pub(super) fn ports(inputs: &Inputs<'_>) -> BTreeMap<PortNumber, PortEntry> {
    let entry = |(&number, name): (&PortNumber, &String)| {
        let interface = inputs.interfaces.named(name)?;
        let end = End { switch: inputs.this, port: number };
        let role = inputs.roles.of(number);
        let link = inputs.topology.link_at(end).filter(|_| role == Role::Fabric);
        let peer = link.map(|link| inputs.topology.link(link).other(inputs.this));
        let port = Port {
            mac: inputs.interfaces.router_mac(interface),
            interface: interface.index.0,
            peer_width: peer.map_or(0, |peer| inputs.topology.switch(peer.switch).port_width),
            role: role.entry(),
            guard: inputs.border.guard_of(number).entry(),
            base: Port::base_of(inputs.closed.contains(&number)),
        };
        Some((number, PortEntry { port, interface: interface.index }))
    };
    inputs.ports.iter().filter_map(entry).collect()
}

fn guarded(inputs: &Inputs<'_>) -> u8 {
    let is_shut = inputs.closed.iter().any(|port| inputs.roles.of(*port) == Role::Host);
    let bit = |is_set, bit| if is_set { bit } else { 0 };
    bit(inputs.border.is_guarded(), Settings::GUARDED) | bit(is_shut, Settings::SHUT)
}

fn settings(inputs: &Inputs<'_>) -> Settings {
    let bridge = inputs.bridge.and_then(|name| inputs.interfaces.named(name)).map(|bridge| bridge.mac);
    let first = inputs.ports.values().find_map(|name| inputs.interfaces.named(name));
    let mac = bridge.or_else(|| first.map(|interface| inputs.interfaces.router_mac(interface)));
    Settings {
        magic: LAYOUT_MAGIC,
        layout: LAYOUT_VERSION,
        epoch: 0,
        port_width: inputs.topology.switch(inputs.this).port_width,
        spread: match inputs.spread {
            Spread::None => Settings::SPREAD_NONE,
            Spread::Flows => Settings::SPREAD_FLOWS,
        },
        guarded: guarded(inputs),
        openings: inputs.border.openings,
        port_openings: inputs.border.port_openings,
        mac: mac.unwrap_or_default(),
        ..Settings::default()
    }
}
