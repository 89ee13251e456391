//! Which address lives where: told by the topology file, learned from the hosts' own ARP and neighbour
//! discovery, or announced by the agent of another edge.
//!
//! An address that the file names is where the file says, whoever else claims it. For all others the latest
//! word counts, so that a host that moves is found where it spoke last. Nothing here reads a clock.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::Serialize;
use smoc_common::{
    route::PortNumber,
    wire::{ethernet::MacAddress, ip::Address},
};

use crate::clock::Nanos;
use smoc_paths::topology::{End, SwitchId, Topology};

/// How long a host is known after it was last heard of at its own edge.
pub const LEARNED_FOR: Duration = Duration::from_secs(1800);
/// How long the announcement of another agent counts after that agent was last heard of: an agent that died
/// freezes what it knew, but not for ever.
pub const ANNOUNCED_FOR: Duration = Duration::from_secs(600);
/// How many addresses are learned behind one port at most, so that one host cannot fill the table.
pub const ADDRESSES_PER_PORT: usize = 1024;

/// How an address came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The topology file says so.
    File,
    /// Heard at a host port of this switch.
    Learned,
    /// Announced by the agent of its edge.
    Announced,
}

/// Where an address lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHost {
    /// The switch and port it is attached to.
    pub at: End,
    /// Its MAC address.
    pub mac: MacAddress,
    /// The host's name, if the file gives it one.
    pub name: Option<String>,
    /// How it came to be known.
    pub source: Source,
    /// When it was last heard of, for those that are not from the file.
    pub seen: Option<Nanos>,
}

/// An address seen in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The address.
    pub address: IpAddr,
    /// The MAC address that uses it.
    pub mac: MacAddress,
    /// The port behind which that is.
    pub port: PortNumber,
    /// When.
    pub seen: Nanos,
}

#[derive(Clone, Debug, Default)]
struct Announced {
    heard: Nanos,
    hosts: BTreeMap<IpAddr, Sighting>,
}

/// Everything that is known of hosts.
#[derive(Clone, Debug, Default)]
pub struct HostTable {
    learned: BTreeMap<IpAddr, Sighting>,
    /// By the name of the switch that announces: a name outlives a change of topology.
    announced: BTreeMap<String, Announced>,
}

impl HostTable {
    /// Takes note of an address heard at a host port of this switch; whether anything is new that others
    /// should be told.
    pub fn learn(&mut self, sighting: Sighting) -> bool {
        if !can_be_host(sighting.address) || !is_unicast(sighting.mac) {
            return false;
        }
        let place = |s: &Sighting| (s.mac, s.port);
        let known = self.learned.get(&sighting.address);
        if known.is_none() {
            let there = self.learned.values().filter(|other| other.port == sighting.port).count();
            if there >= ADDRESSES_PER_PORT {
                return false;
            }
        }
        let news = known.is_none_or(|known| place(known) != place(&sighting));
        self.learned.insert(sighting.address, sighting);
        news
    }

    /// Takes over what another edge announces: its complete list. Addresses of ours that were heard there later
    /// than here have moved.
    pub fn announced(&mut self, origin: &str, hosts: Vec<Sighting>, now: Nanos) {
        let usable = hosts.into_iter().filter(|s| can_be_host(s.address) && is_unicast(s.mac));
        let hosts: BTreeMap<_, _> = usable.map(|sighting| (sighting.address, sighting)).collect();
        for (address, sighting) in &hosts {
            if self.learned.get(address).is_some_and(|ours| ours.seen < sighting.seen) {
                self.learned.remove(address);
            }
        }
        self.announced.insert(origin.to_owned(), Announced { heard: now, hosts });
    }

    /// Takes over what an earlier agent of this switch had found out: addresses at its own ports, and at other
    /// switches by their names. It counts as heard a while ago, so that any fresh word is believed rather.
    pub fn remember<'a>(&mut self, hosts: impl Iterator<Item = (Option<&'a str>, Sighting)>, now: Nanos) {
        let seen = now - LEARNED_FOR / 2;
        for (switch, sighting) in hosts {
            let sighting = Sighting { seen, ..sighting };
            match switch {
                None => drop(self.learn(sighting)),
                Some(switch) => {
                    let announced = self.announced.entry(switch.to_owned()).or_default();
                    announced.heard = now;
                    announced.hosts.insert(sighting.address, sighting);
                }
            }
        }
    }

    /// Forgets what has not been heard of for too long.
    pub fn expire(&mut self, now: Nanos) {
        self.learned.retain(|_, sighting| now.since(sighting.seen) < LEARNED_FOR);
        self.announced.retain(|_, announced| now.since(announced.heard) < ANNOUNCED_FOR);
    }

    /// What this switch tells the others: all that it learned and that the file does not know better.
    pub fn to_announce(&self, topology: &Topology, this: SwitchId) -> Vec<Sighting> {
        let declared = declared(topology);
        let ours = |sighting: &&Sighting| match declared.get(&sighting.address) {
            None => true,
            Some(host) => host.mac.is_none() && host.at == End { switch: this, port: sighting.port },
        };
        self.learned.values().filter(ours).copied().collect()
    }

    /// Where every known address lives, as seen from `this` switch.
    pub fn resolve(&self, topology: &Topology, this: SwitchId) -> BTreeMap<IpAddr, KnownHost> {
        let mut known: BTreeMap<IpAddr, KnownHost> = BTreeMap::new();
        let learned = self.learned.values().map(|s| (this, s, Source::Learned));
        let announced = self.announced.iter().flat_map(|(origin, announced)| {
            let switch = topology.find_switch(origin).filter(|switch| *switch != this);
            let hosts = switch.map(|switch| (switch, announced.hosts.values()));
            hosts.into_iter().flat_map(|(switch, hosts)| hosts.map(move |s| (switch, s, Source::Announced)))
        });
        for (switch, sighting, source) in learned.chain(announced) {
            let host = KnownHost {
                at: End { switch, port: sighting.port },
                mac: sighting.mac,
                name: None,
                source,
                seen: Some(sighting.seen),
            };
            let known = known.entry(sighting.address).or_insert_with(|| host.clone());
            if host.seen > known.seen {
                *known = host;
            }
        }
        for (address, host) in declared(topology) {
            let heard = known.remove(&address).filter(|heard| heard.at == host.at);
            if let Some(mac) = host.mac.or(heard.map(|heard| heard.mac)) {
                let name = Some(host.name.clone());
                known.insert(address, KnownHost { at: host.at, mac, name, source: Source::File, seen: None });
            }
        }
        for host in known.values_mut().filter(|host| host.name.is_none()) {
            host.name =
                topology.hosts().iter().find(|named| named.mac == Some(host.mac)).map(|h| h.name.clone());
        }
        known
    }
}

fn declared(topology: &Topology) -> BTreeMap<IpAddr, &smoc_paths::topology::Host> {
    topology
        .hosts()
        .iter()
        .flat_map(|host| host.addresses.iter().map(move |address| (*address, host)))
        .collect()
}

fn is_unicast(mac: MacAddress) -> bool {
    mac != MacAddress::default() && !mac.is_group() && mac.prefix() != smoc_common::route::PushedRoute::PREFIX
}

/// Link-local IPv6 addresses mean something else on every link and are never carried.
fn can_be_host(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
    };
    !(link_local || address.is_unspecified() || address.is_multicast() || address.is_loopback())
}

/// An address as the maps key it.
pub fn map_address(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(v4) => Address::from_v4(v4.octets()),
        IpAddr::V6(v6) => Address::new(v6.octets()),
    }
}

/// An address from a map's key.
pub fn ip_address(address: Address) -> IpAddr {
    IpAddr::from(address.octets()).to_canonical()
}
