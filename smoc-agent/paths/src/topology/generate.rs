//! Fabrics to try things on: fat-trees, and wide-area networks drawn at random.

use std::net::{IpAddr, Ipv4Addr};

use smoc_common::route::PortNumber;

use super::draft::{Draft, DraftHost, DraftLink};
use super::{Bandwidth, Latency};

/// Builds a draft link by link, giving each switch its ports in turn.
#[derive(Default)]
struct Builder {
    draft: Draft,
    ports: std::collections::HashMap<String, u16>,
}

impl Builder {
    fn port(&mut self, switch: &str) -> Option<(String, PortNumber)> {
        let number = self.ports.entry(switch.to_owned()).or_default();
        *number += 1;
        Some((switch.to_owned(), PortNumber::new(*number)?))
    }

    fn link(&mut self, a: &str, b: &str, cost: u32, latency: Option<Latency>) -> Option<()> {
        let link = DraftLink {
            entry: self.draft.links.len(),
            a: self.port(a)?,
            b: self.port(b)?,
            capacity: Bandwidth::from_bits_per_second(1_000_000_000),
            latency,
            cost,
            srlg: Vec::new(),
        };
        self.draft.links.push(link);
        Some(())
    }

    fn host(&mut self, name: String, switch: &str) -> Option<()> {
        let entry = self.draft.hosts.len();
        let address = Ipv4Addr::from(0x0a00_0001 + u32::try_from(entry).ok()?);
        let at = self.port(switch)?;
        let addresses = vec![IpAddr::V4(address)];
        self.draft.hosts.push(DraftHost { entry, name, at, mac: None, addresses, prefixes: Vec::new() });
        Some(())
    }
}

/// The fat-tree of k-port switches (Al-Fares, Loukissas, Vahdat, "A scalable, commodity data center network
/// architecture", SIGCOMM 2008): k pods of k/2 edge and k/2 aggregation switches, (k/2)^2 core switches,
/// k/2 hosts at each edge. `None` unless k is even and 2 to 1022.
pub fn fat_tree(k: usize) -> Option<Draft> {
    if !(2..=1022).contains(&k) || !k.is_multiple_of(2) {
        return None;
    }
    let half = k / 2;
    let mut builder = Builder::default();
    for pod in 0..k {
        for edge in 0..half {
            for aggregation in 0..half {
                builder.link(&format!("e{pod}-{edge}"), &format!("a{pod}-{aggregation}"), 1, None)?;
            }
        }
        for aggregation in 0..half {
            for core in 0..half {
                builder.link(&format!("a{pod}-{aggregation}"), &format!("c{aggregation}-{core}"), 1, None)?;
            }
        }
        for edge in 0..half {
            for host in 0..half {
                builder.host(format!("h{pod}-{edge}-{host}"), &format!("e{pod}-{edge}"))?;
            }
        }
    }
    Some(builder.draft)
}

/// A random connected network on the unit square (Waxman, "Routing of multipoint connections", JSAC 1988): each
/// switch is linked to its nearest earlier one, then nearby pairs are linked until there are `links`.
/// Cost and latency grow with the distance. The same seed gives the same network.
pub fn wide_area(switches: usize, links: usize, seed: u64) -> Option<Draft> {
    let mut random = Random(seed);
    let places: Vec<(f64, f64)> = (0..switches).map(|_| (random.unit(), random.unit())).collect();
    let apart = |a: usize, b: usize| (places[a].0 - places[b].0).hypot(places[a].1 - places[b].1);
    let mut builder = Builder::default();
    let mut add = |a: usize, b: usize| {
        let micros = (apart(a, b) * 20_000.0) as u64 + 10;
        let latency = Latency::from_nanos(micros * 1000);
        builder.link(&format!("w{a:03}"), &format!("w{b:03}"), (micros / 100) as u32 + 1, latency)
    };
    for switch in 1..switches {
        let nearest = (0..switch).min_by(|&a, &b| apart(a, switch).total_cmp(&apart(b, switch)))?;
        add(switch, nearest)?;
    }
    let mut left = links.saturating_sub(switches.saturating_sub(1));
    while left > 0 && switches > 1 {
        let (a, b) = (random.below(switches), random.below(switches));
        if a != b && random.unit() < 0.8 * (-apart(a, b) / 0.2).exp() {
            add(a, b)?;
            left -= 1;
        }
    }
    Some(builder.draft)
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// At least 0, less than 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Less than `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fat_tree_has_the_counts_of_the_paper() {
        let topology = fat_tree(4).unwrap().build().unwrap();
        assert_eq!((topology.switches().len(), topology.links().len(), topology.hosts().len()), (20, 32, 16));
        assert!(topology.switch_ids().all(|switch| topology.arcs(switch).len() >= 2));
        assert_eq!(topology.pieces().len(), 1);
        assert!(fat_tree(5).is_none() && fat_tree(0).is_none());
    }

    #[test]
    fn a_wide_area_network_is_connected_and_repeatable() {
        let build = || wide_area(60, 100, 7).unwrap().build().unwrap();
        assert_eq!(build().pieces().len(), 1);
        assert_eq!(build().links().len(), 100);
        assert_eq!(build(), build());
    }
}
