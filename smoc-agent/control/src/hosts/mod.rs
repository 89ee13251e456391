//! Which address lives where: told by the topology file, learned from the hosts' own ARP and neighbour
//! discovery, or announced by the agent of another edge.
//!
//! Every switch and port behind which an address was heard is a *claim*. An address that the file names is where the file
//! says, whoever else claims it. Any other is whose it was first, until that host does not answer any more ([`contest`]): so
//! a host that moves is found, and none takes over the address of another. Of what other edges announce the latest word
//! counts. Repeated moves of one address are held back, longer each time ([`HELD`]). Nothing here reads a clock.
//!
//! | file | what |
//! |---|---|
//! | `behind` | what is behind routers, by the switches' routing tables |
//! | `claims` | who says that an address is there |
//! | `contest` | who is asked before it moves |
//! | `glimpses` | hosts that are asked because their traffic shows them |
//! | `origins` | what other edges announced |
//! | `reach` | which addresses are learned at all |
//! | `tags` | the VLANs that hosts speak in |

pub mod behind;
mod claims;
pub mod contest;
#[cfg(test)]
mod contest_tests;
mod glimpses;
mod origins;
mod reach;
mod tags;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use serde::Serialize;
use smoc_common::{
    map::Prefix,
    route::PortNumber,
    wire::{ethernet::MacAddress, ip::Address},
};

use crate::clock::Nanos;
use behind::RoutingTables;
pub use claims::HELD;
use claims::{Claim, Claimant, Claims};
use contest::{Ask, Challenge};
pub use contest::{Contention, Question, Refusal};
use glimpses::Glimpses;
pub use origins::Sighting;
use origins::{Origin, Origins};
pub use reach::Reach;
use smoc_paths::topology::{End, SwitchId, Topology};
pub use tags::Tag;
use tags::{Tags, Voice};

/// How long after it was last heard at its own edge a host is asked whether it is still there, unless the configuration says
/// otherwise.
pub const LEARNED_FOR: Duration = Duration::from_secs(1800);
/// How long the announcement of another agent is valid after that agent was last heard: a dead agent's hosts are kept
/// for this time.
pub const ANNOUNCED_FOR: Duration = Duration::from_secs(600);
/// Max number of addresses behind one port, so that one host cannot fill the table.
pub const ADDRESSES_PER_PORT: usize = 1024;
/// Max number of hosts that are asked at once because they were not heard for long.
const RENEWED_AT_ONCE: usize = 256;

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

/// Where the topology file says that an address is.
#[derive(Clone, Debug)]
struct Declared {
    /// `None` being this one.
    switch: Option<Origin>,
    at: End,
    mac: Option<MacAddress>,
    name: String,
}

/// How long after it was last heard at its own edge a host is asked whether it is still there.
#[derive(Clone, Copy, Debug)]
struct Ageing(Duration);

impl Default for Ageing {
    fn default() -> Self {
        Self(LEARNED_FOR)
    }
}

/// Everything that is known of hosts, as one switch knows it.
#[derive(Clone, Debug, Default)]
pub struct HostTable {
    /// Who is asked because traffic shows an address.
    pub glimpses: Glimpses,
    /// What is behind routers.
    pub routing: RoutingTables,
    declared: BTreeMap<IpAddr, Declared>,
    /// Names of declared hosts by MAC address.
    named: BTreeMap<MacAddress, String>,
    claims: BTreeMap<IpAddr, Claims>,
    /// Addresses that more than one claims.
    contested: BTreeSet<IpAddr>,
    origins: Origins,
    /// How many addresses each claimant has.
    behind: BTreeMap<Claimant, usize>,
    /// Addresses that may be elsewhere than when [`HostTable::changed`] was last asked.
    changed: BTreeSet<IpAddr>,
    /// Addresses that would have moved, but have to wait.
    held: BTreeSet<IpAddr>,
    /// The name of this switch.
    name: Arc<str>,
    reach: Reach,
    /// The owners, all of them here, that are being asked.
    asks: BTreeMap<IpAddr, Ask>,
    /// Who claims what somebody else has.
    challenges: BTreeMap<IpAddr, Vec<Challenge>>,
    /// When to look at an address again.
    timers: BTreeSet<(Nanos, IpAddr)>,
    /// How those spoke who are here.
    tags: Tags,
    ageing: Ageing,
    /// Ports without carrier.
    absent: BTreeSet<PortNumber>,
    /// Something is to be asked, or told, that was not before.
    stirred: bool,
    /// Claims that were refused so far.
    refused: u64,
    /// How often an address was heard that is not learned.
    unlearned: u64,
    /// The first one that is in no prefix of the fabric.
    outside: Option<IpAddr>,
}

impl HostTable {
    /// Takes over what the topology file says of hosts.
    pub fn declare(&mut self, topology: &Topology, this: SwitchId, now: Nanos) {
        self.declared.clear();
        self.named.clear();
        self.name = topology.switch(this).name.as_str().into();
        for host in topology.hosts() {
            let is_elsewhere = host.at.switch != this;
            let switch = is_elsewhere.then(|| self.origins.named(&topology.switch(host.at.switch).name));
            for address in &host.addresses {
                let declared = Declared { switch, at: host.at, mac: host.mac, name: host.name.clone() };
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

    /// Which addresses are learned from now on. Those that are known and would not be are forgotten.
    pub fn set_reach(&mut self, reach: Reach, now: Nanos) {
        if reach == self.reach {
            return;
        }
        self.reach = reach;
        self.outside = None;
        let strange: Vec<IpAddr> =
            self.claims.keys().copied().filter(|address| !self.reach.learns(*address)).collect();
        for address in strange {
            self.retain(address, now, |claimant, _| claimant.0.is_some());
        }
    }

    /// After how long a silent host is asked whether it is still there.
    pub fn set_ageing(&mut self, ageing: Duration) {
        self.ageing = Ageing(ageing);
    }

    /// Which addresses are learned.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// An address that was heard and is in no prefix of the fabric.
    pub fn outside(&self) -> Option<IpAddr> {
        self.outside
    }

    /// How many claims were refused so far, and how often an address was heard that is not to be learned.
    pub fn turned_away(&self) -> (u64, u64) {
        (self.refused, self.unlearned)
    }

    /// Takes note of an address heard at a host port of this switch; whether it is known now and was not before. An address
    /// that somebody else has is a reason to ask ([`HostTable::questions`]).
    pub fn learn(&mut self, sighting: Sighting) -> bool {
        let Sighting { address, mac, port, seen: now } = sighting;
        if !can_be_claimed(&sighting) {
            return false;
        }
        if !self.reach.learns(address) || self.reach.is_ours(mac) {
            self.unlearned += 1;
            if self.outside.is_none() && self.reach.is_outside(address) {
                self.outside = Some(address);
                self.stirred = true;
            }
            return false;
        }
        if !self.is_as_declared(&sighting, None) {
            self.refuse(&sighting, None, now);
            return false;
        }
        match self.chosen(&address) {
            None => self.claim(None, sighting, now) && self.chosen(&address).is_some(),
            Some(owner) if owner == ((None, port), mac) => {
                self.heard_owner(address, now);
                false
            }
            Some(_) => {
                self.challenge(&sighting, None, now);
                false
            }
        }
    }

    /// As [`HostTable::learn`], of a frame with this tag.
    pub fn hear(&mut self, sighting: Sighting, tag: Option<Tag>) -> bool {
        let Sighting { address, mac, port, .. } = sighting;
        let voice = (port, address, mac);
        let was_known = self.is_heard(&voice);
        let is_new = self.learn(sighting);
        if self.is_heard(&voice) {
            self.tags.hear(voice, tag, was_known);
        }
        is_new
    }

    /// Whether a host of this switch has an address, or claims it.
    fn is_heard(&self, &(port, address, mac): &Voice) -> bool {
        let claims = self.claims.get(&address).and_then(|claims| claims.of(&(None, port)));
        claims.is_some_and(|claim| claim.mac == mac) || self.is_challenged(address, port, mac)
    }

    /// Whether the topology file allows a claim: whom it declares elsewhere, or with another MAC address, cannot be here.
    fn is_as_declared(&self, claim: &Sighting, origin: Option<Origin>) -> bool {
        let Some(declared) = self.declared.get(&claim.address) else { return true };
        (declared.switch, declared.at.port) == (origin, claim.port)
            && declared.mac.is_none_or(|mac| mac == claim.mac)
    }

    /// Whether what another edge says of an address can be so.
    fn is_believable(&self, claim: &Sighting, origin: Option<Origin>) -> bool {
        can_be_claimed(claim) && self.reach.believes(claim.address) && self.is_as_declared(claim, origin)
    }

    /// Takes over what another edge announces: its complete list. One that says what the last one said costs a comparison;
    /// when its hosts were last heard matters, and is looked up, only where somebody else claims an address too.
    pub fn announced(&mut self, origin: &str, list: Arc<[Sighting]>, now: Nanos) {
        let origin = self.origins.named(origin);
        let list = in_order(list);
        let (new, gone) = origins::differences(self.origins.list(origin), &list);
        let contested: Vec<Sighting> =
            self.contested.iter().flat_map(|address| of_address(&list, *address)).copied().collect();
        self.origins.replace(origin, list, now);
        for sighting in new.into_iter().chain(contested) {
            if !self.claim(Some(origin), sighting, now) {
                self.origins.forget(origin, &sighting);
            }
        }
        for Sighting { address, port, .. } in gone {
            self.retain(address, now, |claimant, _| *claimant != (Some(origin), port));
            self.withdrawn(address, (Some(origin), port));
            if self.chosen(&address).is_none() {
                self.take(address, now);
            }
        }
    }

    /// Takes over what an earlier agent of this switch had found out: addresses at its own ports, and at other
    /// switches by their names. It counts as heard half its lifetime ago, so that newer claims win.
    pub fn remember<'a>(&mut self, hosts: impl Iterator<Item = (Option<&'a str>, Sighting)>, now: Nanos) {
        let seen = now - self.ageing.0 / 2;
        let mut lists: BTreeMap<Origin, Vec<Sighting>> = BTreeMap::new();
        for (switch, sighting) in hosts {
            let (sighting, origin) =
                (Sighting { seen, ..sighting }, switch.map(|name| self.origins.named(name)));
            if self.claim(origin, sighting, now)
                && let Some(origin) = origin
            {
                lists.entry(origin).or_default().push(sighting);
            }
        }
        for (origin, mut list) in lists {
            list.sort_by_key(origins::place);
            self.origins.replace(origin, list.into(), now);
        }
    }

    /// Removes what other edges have not repeated for long, and asks hosts of this switch that were not heard for long: whoever
    /// does not answer is forgotten.
    pub fn expire(&mut self, now: Nanos) {
        for name in self.origins.silent(now, ANNOUNCED_FOR) {
            self.announced(&name, Arc::default(), now);
        }
        self.forget_refusals(now);
        self.forget_tags();
        if !self.has_learned() {
            return;
        }
        let Ageing(ageing) = self.ageing;
        let is_old =
            |(claimant, claim): &(Claimant, Claim)| claimant.0.is_none() && now.since(claim.seen) >= ageing;
        let room = RENEWED_AT_ONCE.saturating_sub(self.asks.len());
        let old = self.claims.iter().filter(|(_, claims)| claims.all.iter().any(is_old));
        let old = old.map(|(address, _)| *address).filter(|address| !self.asks.contains_key(address));
        let old: Vec<IpAddr> = old.take(room).collect();
        old.into_iter().for_each(|address| self.ask(address, now));
    }

    fn forget_tags(&mut self) {
        let mut tags = std::mem::take(&mut self.tags);
        tags.retain(|voice| self.is_heard(voice));
        self.tags = tags;
    }

    /// Whether anything was heard at this switch. Of the claimants it comes first.
    fn has_learned(&self) -> bool {
        self.behind.first_key_value().is_some_and(|((origin, _), _)| origin.is_none())
    }

    /// Decides about addresses that had to wait long enough; whether one moved.
    pub fn release(&mut self, now: Nanos) -> bool {
        let held: Vec<IpAddr> = self.held.iter().copied().collect();
        held.iter().for_each(|address| self.choose(*address, now));
        self.held.len() != held.len()
    }

    /// When [`HostTable::release`] is due next.
    pub fn release_at(&self) -> Option<Nanos> {
        self.held.iter().filter_map(|address| self.claims.get(address)).map(Claims::free_at).min()
    }

    /// What this switch tells the others: all that it learned and that counts, as it is `known`, and that the file does not
    /// know better.
    pub fn to_announce(&self, known: &BTreeMap<IpAddr, KnownHost>, this: SwitchId) -> Vec<Sighting> {
        if !self.has_learned() {
            return Vec::new();
        }
        let ours = |(address, claims): (&IpAddr, &Claims)| {
            let (claimant, mac) = claims.chosen.as_ref().filter(|(claimant, _)| claimant.0.is_none())?;
            if self.declared.get(address).is_some_and(|declared| declared.mac.is_some()) {
                return None;
            }
            let seen = claims.of(claimant)?.seen;
            let is_known =
                |host: &KnownHost| host.at == End { switch: this, port: claimant.1 } && host.mac == *mac;
            if !known.get(address).is_some_and(is_known) {
                return None;
            }
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
        let (switch, source) = match claimant.0 {
            None => (this, Source::Learned),
            Some(origin) => {
                let switch = topology.find_switch(self.origins.name(origin));
                (switch.filter(|switch| *switch != this)?, Source::Announced)
            }
        };
        let seen = self.claims.get(&address)?.of(claimant).map(|claim| claim.seen);
        let at = End { switch, port: claimant.1 };
        Some(KnownHost { at, mac: *mac, name: self.named.get(mac).cloned(), source, seen })
    }

    fn chosen(&self, address: &IpAddr) -> Option<(Claimant, MacAddress)> {
        self.claims.get(address)?.chosen
    }

    /// Records a claim; false if it is none, or beyond the max of its port.
    fn claim(&mut self, origin: Option<Origin>, sighting: Sighting, now: Nanos) -> bool {
        let Sighting { address, mac, port, seen } = sighting;
        if !self.is_believable(&sighting, origin) {
            return false;
        }
        let claimant: Claimant = (origin, port);
        let has_room = self.has_room(claimant);
        let claims = self.claims.entry(address).or_default();
        match claims.place(&claimant) {
            Ok(place) => {
                let claim = &mut claims.all[place].1;
                *claim = Claim { mac, seen: claim.seen.max(seen) };
            }
            Err(_) if !has_room => {
                if claims.all.is_empty() {
                    self.claims.remove(&address);
                }
                return false;
            }
            Err(place) => {
                *self.behind.entry(claimant).or_default() += 1;
                for ((origin, port), claim) in &mut claims.all {
                    let latest = origin.and_then(|origin| self.origins.seen(origin, address, *port));
                    claim.seen = claim.seen.max(latest.unwrap_or(claim.seen));
                }
                claims.all.reserve_exact(1);
                claims.all.insert(place, (claimant, Claim { mac, seen }));
            }
        }
        self.note_contested(address);
        let claims = self.claims.get(&address);
        if claims.is_some_and(|claims| claims.is_contested() || claims.chosen != Some((claimant, mac))) {
            self.choose(address, now);
        }
        self.doubt(address, origin, &sighting, now);
        true
    }

    /// Another edge is sure of an address that a host of this switch has: one of the two has moved.
    fn doubt(&mut self, address: IpAddr, origin: Option<Origin>, claim: &Sighting, now: Nanos) {
        let Some(((None, port), _)) = self.chosen(&address).filter(|_| origin.is_some()) else { return };
        let own = self.claims.get(&address).and_then(|claims| claims.of(&(None, port)));
        if own.is_some_and(|own| claim.seen > own.seen) {
            self.challenge(claim, origin, now);
        } else if !self.is_told(claim, origin, now) {
            // Its own host was heard later: it need not be asked.
            self.refuse(claim, origin, now);
            self.stirred = true;
        }
    }

    fn note_contested(&mut self, address: IpAddr) {
        match self.claims.get(&address).is_some_and(Claims::is_contested) {
            true => self.contested.insert(address),
            false => self.contested.remove(&address),
        };
    }

    /// Keeps only some of the claims to an address.
    fn retain(&mut self, address: IpAddr, now: Nanos, keep: impl Fn(&Claimant, &Claim) -> bool) {
        if self.withdraw(address, keep) {
            self.choose(address, now);
        }
    }

    /// Keeps only some of the claims to an address, which leaves open whose it is; whether any is gone.
    fn withdraw(&mut self, address: IpAddr, keep: impl Fn(&Claimant, &Claim) -> bool) -> bool {
        let Some(claims) = self.claims.get_mut(&address) else { return false };
        let before = claims.all.len();
        let behind = &mut self.behind;
        claims.all.retain(|(claimant, claim)| {
            let kept = keep(claimant, claim);
            if !kept {
                release(behind, claimant);
            }
            kept
        });
        let is_less = claims.all.len() != before;
        self.note_contested(address);
        is_less
    }

    /// Chooses the claim to an address that counts, unless it moved too often to move again now.
    fn choose(&mut self, address: IpAddr, now: Nanos) {
        self.decide(address, now, false);
    }

    /// As [`HostTable::choose`]; at once if the owner was asked.
    fn decide(&mut self, address: IpAddr, now: Nanos, was_asked: bool) {
        let Some(claims) = self.claims.get_mut(&address) else { return };
        let place = self.declared.get(&address).map(|declared| (declared.switch, declared.at.port));
        // Of those that were heard at the same time all agents take the same. A host of this switch has its address until it
        // does not answer.
        let latest = |((origin, port), claim): &&(Claimant, Claim)| {
            (origin.is_none(), claim.seen, origin.map(|origin| self.origins.name(origin)), *port)
        };
        let best = match &place {
            Some(place) => claims.place(place).ok().map(|at| &claims.all[at]),
            None => claims.all.iter().max_by_key(latest),
        };
        let best = best.map(|(claimant, claim)| (*claimant, claim.mac));
        let is_left = claims.chosen.as_ref().is_some_and(|(claimant, _)| claims.of(claimant).is_some());
        if best == claims.chosen {
            self.held.remove(&address);
        } else if is_left && !was_asked && now < claims.free_at() {
            self.held.insert(address);
        } else {
            self.held.remove(&address);
            claims.choose(best, now);
            self.changed.insert(address);
        }
        if self.claims.get(&address).is_some_and(|claims| claims.all.is_empty()) {
            self.claims.remove(&address);
        }
    }
}

/// Counts one address less behind a port.
fn release(behind: &mut BTreeMap<Claimant, usize>, claimant: &Claimant) {
    if let Some(count) = behind.get_mut(claimant) {
        *count -= 1;
        if *count == 0 {
            behind.remove(claimant);
        }
    }
}

/// What hosts can be of a list, sorted by place: the list itself, shared, if an agent made it.
fn in_order(list: Arc<[Sighting]>) -> Arc<[Sighting]> {
    let is_sorted = list.is_sorted_by(|a, b| origins::place(a) < origins::place(b));
    if is_sorted && list.iter().all(can_be_claimed) {
        return list;
    }
    let mut list: Vec<Sighting> = list.iter().filter(|sighting| can_be_claimed(sighting)).copied().collect();
    list.sort_by_key(origins::place);
    list.dedup_by_key(|sighting| origins::place(sighting));
    list.into()
}

/// What a sorted list says of one address.
fn of_address(list: &[Sighting], address: IpAddr) -> &[Sighting] {
    let from = list.partition_point(|sighting| sighting.address < address);
    let count = list[from..].partition_point(|sighting| sighting.address == address);
    &list[from..from + count]
}

fn can_be_claimed(sighting: &Sighting) -> bool {
    can_be_host(sighting.address) && is_unicast(sighting.mac)
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

/// A prefix as the maps key it.
pub fn map_prefix(prefix: &IpNet) -> Prefix {
    let mapped = Prefix::MAX - u32::from(prefix.max_prefix_len());
    let octets = map_address(prefix.network()).octets();
    Prefix { length: mapped + u32::from(prefix.prefix_len()), octets }
}

/// An address from a map's key.
pub fn ip_address(address: Address) -> IpAddr {
    IpAddr::from(address.octets()).to_canonical()
}
