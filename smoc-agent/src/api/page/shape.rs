//! What is drawn once: the network without what changes from second to second.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use serde::Serialize;
use smoc_control::switch::Snapshot;

/// Most hosts that are drawn.
const HOSTS: usize = 1000;
/// Most addresses that a host is shown with.
const ADDRESSES: usize = 8;

/// The network: switches, links and hosts.
#[derive(Clone, Debug, Serialize)]
pub struct Shape {
    /// The switches.
    pub switches: Vec<ShapeSwitch>,
    /// The links.
    pub links: Vec<ShapeLink>,
    /// The hosts, the first thousand.
    pub hosts: Vec<ShapeHost>,
    /// The switch that is asked.
    pub this: usize,
}

/// A switch.
#[derive(Clone, Debug, Serialize)]
pub struct ShapeSwitch {
    /// Its name.
    pub name: String,
    /// Known addresses behind it.
    pub addresses: usize,
}

/// A link.
#[derive(Clone, Debug, Serialize)]
pub struct ShapeLink {
    /// Its name.
    pub name: String,
    /// The switch at its first end.
    pub a: usize,
    /// The switch at its second end.
    pub b: usize,
    /// What it carries each way in bits a second, if told.
    pub capacity: Option<u64>,
    /// One-way latency in milliseconds, if told.
    pub latency_ms: Option<f64>,
    /// Its cost.
    pub cost: u32,
    /// Its shared-risk groups.
    pub srlg: Vec<String>,
    /// Whether the base network uses it.
    pub tree: bool,
}

/// A host: the addresses of one name or MAC address at one port.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct ShapeHost {
    /// Its name, or else its MAC address.
    pub name: String,
    /// The switch it is attached to.
    pub switch: usize,
    /// The port of that switch.
    pub port: u16,
    /// Its addresses, the first eight.
    pub addresses: Vec<String>,
}

impl Shape {
    /// The network, and its key: another one means that something in it is different.
    pub fn of(snapshot: &Snapshot, known: Option<&str>) -> (String, Option<Self>) {
        let hosts = hosts(snapshot);
        let mut hasher = DefaultHasher::new();
        (&hosts, snapshot.hosts.len(), &*snapshot.tree, snapshot.this).hash(&mut hasher);
        let key = format!("{:016x}{:016x}", snapshot.digests.0.topology, hasher.finish());
        let shape = (known != Some(&key)).then(|| Self::with(snapshot, hosts));
        (key, shape)
    }

    fn with(snapshot: &Snapshot, hosts: Vec<ShapeHost>) -> Self {
        let topology = &snapshot.topology;
        let mut addresses = vec![0; topology.switches().len()];
        snapshot.hosts.values().for_each(|host| addresses[host.at.switch.index()] += 1);
        let switch = |(switch, addresses): (&smoc_paths::topology::Switch, usize)| ShapeSwitch {
            name: switch.name.clone(),
            addresses,
        };
        let links = topology.link_ids().map(|id| {
            let link = topology.link(id);
            ShapeLink {
                name: topology.link_name(id),
                a: link.a.switch.index(),
                b: link.b.switch.index(),
                capacity: link.capacity.map(|capacity| capacity.bits_per_second()),
                latency_ms: link.latency.map(|latency| latency.nanos() as f64 / 1e6),
                cost: link.cost,
                srlg: link.srlg.iter().map(|group| topology.srlgs()[group.index()].clone()).collect(),
                tree: snapshot.tree.contains(&id),
            }
        });
        Self {
            switches: topology.switches().iter().zip(addresses).map(switch).collect(),
            links: links.collect(),
            hosts,
            this: snapshot.this.index(),
        }
    }
}

/// The hosts that are drawn: those of the file with their names, and whoever was heard.
fn hosts(snapshot: &Snapshot) -> Vec<ShapeHost> {
    let mut hosts: BTreeMap<(usize, u16, String), Vec<String>> = BTreeMap::new();
    for host in snapshot.topology.hosts().iter().take(HOSTS) {
        let key = (host.at.switch.index(), host.at.port.get(), host.name.clone());
        let addresses = host.addresses.iter().take(ADDRESSES).map(ToString::to_string);
        hosts.entry(key).or_default().extend(addresses);
    }
    for (address, host) in snapshot.hosts.iter().take(HOSTS * ADDRESSES) {
        let name = host.name.clone().unwrap_or_else(|| host.mac.to_string());
        let key = (host.at.switch.index(), host.at.port.get(), name);
        let addresses = hosts.entry(key).or_default();
        let address = address.to_string();
        if addresses.len() < ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let host = |((switch, port, name), addresses)| ShapeHost { name, switch, port, addresses };
    hosts.into_iter().take(HOSTS).map(host).collect()
}
