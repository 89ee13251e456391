//! What the agents of other edges announced last, and short names for them.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};

use crate::clock::Nanos;

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

/// The switch of another edge, by the place of its name in [`Origins`]: a name outlives a change of topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin(u32);

#[derive(Clone, Debug)]
struct Latest {
    name: Arc<str>,
    heard: Nanos,
    /// Sorted by address and port, each pair once.
    list: Arc<[Sighting]>,
}

/// Every switch that has ever announced anything, or that the topology file names.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    all: Vec<Latest>,
    places: BTreeMap<Arc<str>, Origin>,
}

/// What tells one entry of a list from another.
pub(super) fn place(sighting: &Sighting) -> (IpAddr, PortNumber) {
    (sighting.address, sighting.port)
}

impl Origins {
    /// The origin with a name, which may be new.
    pub(super) fn named(&mut self, name: &str) -> Origin {
        if let Some(origin) = self.places.get(name) {
            return *origin;
        }
        let (origin, name): (_, Arc<str>) = (Origin(self.all.len() as u32), name.into());
        self.all.push(Latest { name: name.clone(), heard: Nanos(0), list: Arc::default() });
        self.places.insert(name, origin);
        origin
    }

    pub(super) fn name(&self, origin: Origin) -> &Arc<str> {
        &self.all[origin.0 as usize].name
    }

    /// Replaces an origin's list by one that was heard now, sorted by [`place`].
    pub(super) fn replace(&mut self, origin: Origin, list: Arc<[Sighting]>, now: Nanos) {
        let latest = &mut self.all[origin.0 as usize];
        (latest.heard, latest.list) = (now, list);
    }

    pub(super) fn list(&self, origin: Origin) -> &[Sighting] {
        &self.all[origin.0 as usize].list
    }

    /// Takes one entry out of an origin's list.
    pub(super) fn forget(&mut self, origin: Origin, sighting: &Sighting) {
        let list = &mut self.all[origin.0 as usize].list;
        *list = list.iter().filter(|other| place(other) != place(sighting)).copied().collect();
    }

    /// When a host was last heard, as the last list of an origin has it.
    pub(super) fn seen(&self, origin: Origin, address: IpAddr, port: PortNumber) -> Option<Nanos> {
        let list = self.list(origin);
        let at = list.binary_search_by_key(&(address, port), place).ok()?;
        Some(list[at].seen)
    }

    /// Those that have hosts and were not heard for so long.
    pub(super) fn silent(&self, now: Nanos, long: Duration) -> Vec<Arc<str>> {
        let silent = |latest: &&Latest| !latest.list.is_empty() && now.since(latest.heard) >= long;
        self.all.iter().filter(silent).map(|latest| latest.name.clone()).collect()
    }
}

/// What a list says that the one before did not, whenever it was seen, and what the one before had at places that this one
/// has not. Both are sorted by [`place`]. Nearly always nothing: agents repeat themselves every few seconds.
pub(super) fn differences(before: &[Sighting], list: &[Sighting]) -> (Vec<Sighting>, Vec<Sighting>) {
    let (mut new, mut gone) = (Vec::new(), Vec::new());
    let mut old = before.iter().peekable();
    for sighting in list {
        while let Some(left) = old.next_if(|old| place(old) < place(sighting)) {
            gone.push(*left);
        }
        let same = old.next_if(|old| place(old) == place(sighting));
        if same.is_none_or(|same| same.mac != sighting.mac) {
            new.push(*sighting);
        }
    }
    gone.extend(old);
    (new, gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(host: u8, port: u16, mac: u8, seen: u64) -> Sighting {
        Sighting {
            address: IpAddr::from([10, 0, 0, host]),
            mac: MacAddress::new([2, 0, 0, 0, 0, mac]),
            port: PortNumber::new(port).unwrap(),
            seen: Nanos(seen),
        }
    }

    #[test]
    fn lists_differ_in_what_they_say_and_not_in_when_it_was_seen() {
        let before = [sighting(1, 1, 1, 5), sighting(2, 1, 2, 5), sighting(3, 1, 3, 5), sighting(9, 1, 9, 5)];
        let again = before.map(|old| Sighting { seen: Nanos(77), ..old });
        assert_eq!(differences(&before, &again), (vec![], vec![]));
        let list = [sighting(2, 1, 2, 6), sighting(3, 1, 4, 6), sighting(3, 2, 3, 6), sighting(4, 1, 4, 6)];
        let new = list[1..].to_vec();
        assert_eq!(differences(&before, &list), (new, vec![before[0], before[3]]));
        assert_eq!(differences(&[], &before), (before.to_vec(), vec![]));
        assert_eq!(differences(&before, &[]), (vec![], before.to_vec()));
    }
}
