//! Which address lives where: told by the topology file, learned from the hosts' own ARP and neighbour
//! discovery, or announced by the agent of another edge.
//!
//! Every switch and port behind which an address was heard is a *claim*. An address that the file names is where the file
//! says, whoever else claims it. For all others the latest claim counts, so that a host that moves is found where it spoke
//! last; but repeated moves of one address are held back, longer each time ([`HELD`]), so that two hosts with the same
//! address cost the network little. Nothing here reads a clock.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use smoc_common::{
    route::PortNumber,
    wire::{ethernet::MacAddress, ip::Address},
};

use crate::clock::Nanos;
use smoc_paths::topology::{End, SwitchId, Topology};

/// How long a host is known after it was last heard at its own edge.
pub const LEARNED_FOR: Duration = Duration::from_secs(1800);
/// How long the announcement of another agent is valid after that agent was last heard: a dead agent's hosts are kept
/// for this time.
pub const ANNOUNCED_FOR: Duration = Duration::from_secs(600);
/// Max number of addresses behind one port, so that one host cannot fill the table.
pub const ADDRESSES_PER_PORT: usize = 1024;

/// An address moves at once; again only after the first of these, twice as long with each move, up to the second. After the
/// second without a move its past is forgotten.
pub const HELD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

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

/// Who says that an address is there: the switch by its name, `None` being this one, and the port.
type Claimant = (Option<Arc<str>>, PortNumber);

#[derive(Clone, Copy, Debug)]
struct Claim {
    mac: MacAddress,
    seen: Nanos,
}

/// What is known of one address.
#[derive(Clone, Debug, Default)]
struct Claims {
    /// Sorted by claimant. Nearly always there is one.
    all: Vec<(Claimant, Claim)>,
    /// The claim that counts, as it was when it was chosen.
    chosen: Option<(Claimant, MacAddress)>,
    moved: Nanos,
    /// Moves in a row.
    moves: u32,
}

/// Where the topology file says that an address is.
#[derive(Clone, Debug)]
struct Declared {
    switch: Arc<str>,
    at: End,
    mac: Option<MacAddress>,
    name: String,
}

#[derive(Clone, Debug, Default)]
struct Origin {
    heard: Nanos,
    /// Sorted.
    addresses: Vec<IpAddr>,
}

/// Everything that is known of hosts, as one switch knows it.
#[derive(Clone, Debug, Default)]
pub struct HostTable {
    this: Arc<str>,
    declared: BTreeMap<IpAddr, Declared>,
    /// Names of declared hosts by MAC address.
    named: BTreeMap<MacAddress, String>,
    claims: BTreeMap<IpAddr, Claims>,
    /// By the name of the switch that announces: a name outlives a change of topology.
    origins: BTreeMap<Arc<str>, Origin>,
    /// How many addresses each claimant has.
    behind: BTreeMap<Claimant, usize>,
    /// Addresses that may be elsewhere than when [`HostTable::changed`] was last asked.
    changed: BTreeSet<IpAddr>,
    /// Addresses that would have moved, but have to wait.
    held: BTreeSet<IpAddr>,
}

impl HostTable {
    /// Takes over what the topology file says of hosts.
    pub fn declare(&mut self, topology: &Topology, this: SwitchId, now: Nanos) {
        self.this = topology.switch(this).name.as_str().into();
        self.declared.clear();
        self.named.clear();
        for host in topology.hosts() {
            let switch: Arc<str> = topology.switch(host.at.switch).name.as_str().into();
            for address in &host.addresses {
                let declared =
                    Declared { switch: switch.clone(), at: host.at, mac: host.mac, name: host.name.clone() };
                self.declared.insert(*address, declared);
            }
            if let Some(mac) = host.mac {
                self.named.entry(mac).or_insert_with(|| host.name.clone());
            }
        }
        let all: Vec<IpAddr> = self.claims.keys().copied().collect();
        all.iter().for_each(|address| self.choose(*address, now));
        self.touch_all();
    }

    /// Takes note of an address heard at a host port of this switch; whether anything is new that others
    /// should be told.
    pub fn learn(&mut self, sighting: Sighting) -> bool {
        let before = self.chosen(&sighting.address);
        self.claim(None, sighting, sighting.seen) && self.chosen(&sighting.address) != before
    }

    /// Takes over what another edge announces: its complete list.
    pub fn announced(&mut self, origin: &str, hosts: Vec<Sighting>, now: Nanos) {
        let (origin, before) =
            self.origins.remove_entry(origin).unwrap_or_else(|| (origin.into(), Origin::default()));
        let mut places: Vec<(IpAddr, PortNumber)> = Vec::with_capacity(hosts.len());
        for sighting in hosts {
            if self.claim(Some(&origin), sighting, now) {
                places.push((sighting.address, sighting.port));
            }
        }
        places.sort_unstable();
        let mut addresses: Vec<IpAddr> = places.iter().map(|(address, _)| *address).collect();
        addresses.dedup();
        let left = before.addresses.iter().filter(|address| addresses.binary_search(address).is_err());
        // One claim alone is the one that was just made.
        let contested = addresses.iter().filter(|address| self.is_contested(address));
        let doubtful: Vec<IpAddr> = left.chain(contested).copied().collect();
        for address in doubtful {
            self.retain(address, now, |claimant, _| {
                claimant.0.as_ref() != Some(&origin) || places.binary_search(&(address, claimant.1)).is_ok()
            });
        }
        self.origins.insert(origin, Origin { heard: now, addresses });
    }

    fn is_contested(&self, address: &IpAddr) -> bool {
        self.claims.get(address).is_some_and(|claims| claims.all.len() > 1)
    }

    /// Takes over what an earlier agent of this switch had found out: addresses at its own ports, and at other
    /// switches by their names. It counts as heard half its lifetime ago, so that newer claims win.
    pub fn remember<'a>(&mut self, hosts: impl Iterator<Item = (Option<&'a str>, Sighting)>, now: Nanos) {
        let seen = now - LEARNED_FOR / 2;
        for (switch, sighting) in hosts {
            let origin: Option<Arc<str>> = switch.map(Arc::from);
            self.claim(origin.as_ref(), Sighting { seen, ..sighting }, now);
            if let Some(origin) = origin {
                let origin = self.origins.entry(origin).or_default();
                origin.heard = now;
                origin.addresses.push(sighting.address);
            }
        }
        for origin in self.origins.values_mut() {
            origin.addresses.sort_unstable();
            origin.addresses.dedup();
        }
    }

    /// Removes what has timed out.
    pub fn expire(&mut self, now: Nanos) {
        let silent = |origin: &Origin| now.since(origin.heard) >= ANNOUNCED_FOR;
        let silent: Vec<Arc<str>> =
            self.origins.iter().filter(|(_, origin)| silent(origin)).map(|(name, _)| name.clone()).collect();
        for name in silent {
            self.announced(&name, Vec::new(), now);
            self.origins.remove(&name);
        }
        let old = |(claimant, claim): &(Claimant, Claim)| old_claim(claimant, claim, now);
        let old: Vec<IpAddr> =
            self.claims.iter().filter(|(_, claims)| claims.all.iter().any(old)).map(|(at, _)| *at).collect();
        for address in old {
            self.retain(address, now, |claimant, claim| !old_claim(claimant, claim, now));
        }
    }

    /// Decides about addresses that had to wait long enough; whether one moved.
    pub fn release(&mut self, now: Nanos) -> bool {
        let held: Vec<IpAddr> = self.held.iter().copied().collect();
        held.iter().for_each(|address| self.choose(*address, now));
        self.held.len() != held.len()
    }

    /// How many addresses have to wait for [`HostTable::release`].
    pub fn waiting(&self) -> usize {
        self.held.len()
    }

    /// When [`HostTable::release`] is due next.
    pub fn release_at(&self) -> Option<Nanos> {
        self.held.iter().filter_map(|address| self.claims.get(address)).map(Claims::free_at).min()
    }

    /// What this switch tells the others: all that it learned and that counts, and that the file does not know better.
    pub fn to_announce(&self) -> Vec<Sighting> {
        let ours = |(address, claims): (&IpAddr, &Claims)| {
            let (claimant, mac) = claims.chosen.as_ref().filter(|(claimant, _)| claimant.0.is_none())?;
            if self.declared.get(address).is_some_and(|declared| declared.mac.is_some()) {
                return None;
            }
            let seen = claims.of(claimant)?.seen;
            Some(Sighting { address: *address, mac: *mac, port: claimant.1, seen })
        };
        self.claims.iter().filter_map(ours).collect()
    }

    /// Brings what is known in line with everything that was heard since the last call; the addresses of which a place, a
    /// MAC address or a name is another one.
    pub fn refresh(
        &mut self,
        known: &mut BTreeMap<IpAddr, KnownHost>,
        topology: &Topology,
        this: SwitchId,
    ) -> BTreeSet<IpAddr> {
        let mut news = BTreeSet::new();
        for address in std::mem::take(&mut self.changed) {
            let host = self.known(address, topology, this);
            let place = |host: &KnownHost| (host.at, host.mac, host.name.clone(), host.source);
            if host.as_ref().map(place) != known.get(&address).map(place) {
                news.insert(address);
            }
            match host {
                Some(host) => drop(known.insert(address, host)),
                None => drop(known.remove(&address)),
            }
        }
        news
    }

    /// Every address may mean another place from now on.
    pub fn touch_all(&mut self) {
        self.changed.extend(self.claims.keys());
        self.changed.extend(self.declared.keys());
    }

    /// Whether [`HostTable::refresh`] may have something to do.
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    fn known(&self, address: IpAddr, topology: &Topology, this: SwitchId) -> Option<KnownHost> {
        let chosen = self.claims.get(&address).and_then(|claims| claims.chosen.as_ref());
        if let Some(declared) = self.declared.get(&address) {
            let mac = declared.mac.or(chosen.map(|(_, mac)| *mac))?;
            let name = Some(declared.name.clone());
            return Some(KnownHost { at: declared.at, mac, name, source: Source::File, seen: None });
        }
        let (claimant, mac) = chosen?;
        let (switch, source) = match &claimant.0 {
            None => (this, Source::Learned),
            Some(origin) => {
                (topology.find_switch(origin).filter(|switch| *switch != this)?, Source::Announced)
            }
        };
        let seen = self.claims.get(&address)?.of(claimant).map(|claim| claim.seen);
        let at = End { switch, port: claimant.1 };
        Some(KnownHost { at, mac: *mac, name: self.named.get(mac).cloned(), source, seen })
    }

    fn chosen(&self, address: &IpAddr) -> Option<(Claimant, MacAddress)> {
        self.claims.get(address)?.chosen.clone()
    }

    /// Records a claim; false if it is none, or beyond the max of its port.
    fn claim(&mut self, origin: Option<&Arc<str>>, sighting: Sighting, now: Nanos) -> bool {
        let Sighting { address, mac, port, seen } = sighting;
        if !can_be_host(address) || !is_unicast(mac) {
            return false;
        }
        let claimant: Claimant = (origin.cloned(), port);
        let claims = self.claims.entry(address).or_default();
        match claims.place(&claimant) {
            Ok(place) => {
                let claim = &mut claims.all[place].1;
                *claim = Claim { mac, seen: claim.seen.max(seen) };
            }
            Err(place) => {
                let behind = self.behind.entry(claimant.clone()).or_default();
                if *behind >= ADDRESSES_PER_PORT {
                    if claims.all.is_empty() {
                        self.claims.remove(&address);
                    }
                    return false;
                }
                *behind += 1;
                claims.all.insert(place, (claimant.clone(), Claim { mac, seen }));
            }
        }
        let is_chosen = claims.chosen.as_ref().is_some_and(|chosen| *chosen == (claimant, mac));
        if claims.all.len() > 1 || !is_chosen {
            self.choose(address, now);
        }
        true
    }

    /// Keeps only some of the claims to an address.
    fn retain(&mut self, address: IpAddr, now: Nanos, keep: impl Fn(&Claimant, &Claim) -> bool) {
        let Some(claims) = self.claims.get_mut(&address) else { return };
        let before = claims.all.len();
        let behind = &mut self.behind;
        claims.all.retain(|(claimant, claim)| {
            let kept = keep(claimant, claim);
            if !kept && let Some(count) = behind.get_mut(claimant) {
                *count -= 1;
                if *count == 0 {
                    behind.remove(claimant);
                }
            }
            kept
        });
        if claims.all.len() != before {
            self.choose(address, now);
        }
    }

    /// Chooses the claim to an address that counts, unless it moved too often to move again now.
    fn choose(&mut self, address: IpAddr, now: Nanos) {
        let Some(claims) = self.claims.get_mut(&address) else { return };
        let place = self.declared.get(&address).map(|declared| {
            let switch = (declared.switch != self.this).then(|| declared.switch.clone());
            (switch, declared.at.port)
        });
        let best = match &place {
            Some(place) => claims.place(place).ok().map(|at| &claims.all[at]),
            None => claims.all.iter().max_by_key(|(_, claim)| claim.seen),
        };
        let best = best.map(|(claimant, claim)| (claimant.clone(), claim.mac));
        let is_left = claims.chosen.as_ref().is_some_and(|(claimant, _)| claims.of(claimant).is_some());
        if best == claims.chosen {
            self.held.remove(&address);
        } else if is_left && now < claims.free_at() {
            self.held.insert(address);
        } else {
            self.held.remove(&address);
            claims.choose(best, now);
            self.changed.insert(address);
            self.forget_older_claims_of_ours(address, now);
        }
    }

    /// An address of ours that was heard elsewhere later than here has moved.
    fn forget_older_claims_of_ours(&mut self, address: IpAddr, now: Nanos) {
        let Some(claims) = self.claims.get(&address) else { return };
        if claims.all.is_empty() {
            self.claims.remove(&address);
            return;
        }
        let Some((claimant, _)) = claims.chosen.clone().filter(|(claimant, _)| claimant.0.is_some()) else {
            return;
        };
        if let Some(seen) = claims.of(&claimant).map(|claim| claim.seen) {
            self.retain(address, now, |claimant, claim| claimant.0.is_some() || claim.seen >= seen);
        }
    }
}

impl Claims {
    /// Where the claim of a claimant is, or where it belongs.
    fn place(&self, claimant: &Claimant) -> Result<usize, usize> {
        self.all.binary_search_by(|(other, _)| other.cmp(claimant))
    }

    fn of(&self, claimant: &Claimant) -> Option<&Claim> {
        self.place(claimant).ok().map(|place| &self.all[place].1)
    }

    /// From when on the address may move.
    fn free_at(&self) -> Nanos {
        let (first, longest) = HELD;
        let hold = match self.moves {
            0 => Duration::ZERO,
            moves => first.saturating_mul(1u32.checked_shl(moves - 1).unwrap_or(u32::MAX)).min(longest),
        };
        self.moved + hold
    }

    fn choose(&mut self, best: Option<(Claimant, MacAddress)>, now: Nanos) {
        if self.chosen.is_some() && best.is_some() {
            let is_soon = self.moves > 0 && now < self.free_at() + HELD.1;
            self.moves = if is_soon { self.moves.saturating_add(1) } else { 1 };
            self.moved = now;
        }
        self.chosen = best;
    }
}

fn old_claim(claimant: &Claimant, claim: &Claim, now: Nanos) -> bool {
    claimant.0.is_none() && now.since(claim.seen) >= LEARNED_FOR
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
