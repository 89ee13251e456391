//! Which sets of addresses an address or a prefix is in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;
use smoc_common::{map::Prefix, wire::ip::Address};

use crate::hosts::map_prefix;

/// Sets of addresses, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// The sets that have every address.
    everything: BTreeSet<u16>,
    /// The sets that a prefix was put in, by its length in bits of a mapped address.
    by_length: BTreeMap<u32, HashMap<u128, BTreeSet<u16>>>,
}

impl Sets {
    /// Puts every address in a set.
    pub fn add_everything(&mut self, set: u16) {
        self.everything.insert(set);
    }

    /// Puts the addresses of a prefix in a set.
    pub fn add(&mut self, set: u16, prefix: &IpNet) {
        let Prefix { length, octets } = map_prefix(prefix);
        let of_length = self.by_length.entry(length).or_default();
        of_length.entry(masked(octets, length)).or_default().insert(set);
    }

    /// The sets that an address is in, sorted.
    pub fn of(&self, address: &Address) -> BTreeSet<u16> {
        self.of_prefix(&Prefix { length: Prefix::MAX, octets: address.octets() })
    }

    /// The sets that all addresses of a prefix are in, sorted.
    pub fn of_prefix(&self, prefix: &Prefix) -> BTreeSet<u16> {
        let mut all = self.everything.clone();
        for (length, prefixes) in self.by_length.range(..=prefix.length) {
            all.extend(prefixes.get(&masked(prefix.octets, *length)).into_iter().flatten());
        }
        all
    }

    /// All prefixes that were put in a set.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        self.by_length.iter().flat_map(|(length, prefixes)| {
            prefixes.keys().map(|bits| Prefix { length: *length, octets: bits.to_be_bytes() })
        })
    }
}

/// The bits of an address that count.
fn masked(octets: [u8; 16], length: u32) -> u128 {
    let behind = Prefix::MAX.saturating_sub(length);
    let kept = u128::MAX.checked_shl(behind).unwrap_or(0);
    u128::from_be_bytes(octets) & kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::map_address;

    #[test]
    fn an_address_is_in_the_sets_of_all_prefixes_that_have_it() {
        let mut sets = Sets::default();
        for (set, prefix) in
            [(0, "10.0.0.0/8"), (1, "10.1.0.0/16"), (2, "::/0"), (3, "10.1.0.7/32"), (3, "fd00::/8")]
        {
            sets.add(set, &prefix.parse().unwrap());
        }
        sets.add_everything(9);
        let of = |text: &str| sets.of(&map_address(text.parse().unwrap())).into_iter().collect::<Vec<_>>();
        assert_eq!(of("10.1.0.7"), [0, 1, 2, 3, 9], "a mapped address is one of IPv6 too, as in PREFIXES");
        assert_eq!(of("10.2.0.7"), [0, 2, 9]);
        assert_eq!(of("fd00::1"), [2, 3, 9]);
        let prefix =
            |text: &str| sets.of_prefix(&map_prefix(&text.parse().unwrap())).into_iter().collect::<Vec<_>>();
        assert_eq!(prefix("10.1.2.0/24"), [0, 1, 2, 9]);
        assert_eq!(prefix("10.0.0.0/7"), [2, 9]);
        assert_eq!(sets.prefixes().count(), 5);
    }
}
