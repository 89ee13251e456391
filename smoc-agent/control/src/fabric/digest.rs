//! Short numbers of what a switch has, by which others see whether they have the same.

use sha2::{Digest as _, Sha256};
use smoc_paths::topology::Topology;

/// What a switch has, each as the first 8 bytes of a SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// The topology: switches, links and hosts, with all that is said of them.
    pub topology: u64,
    /// The policy in force; 0 if there is none.
    pub policy: u64,
}

/// The digest of a text; 0 of none.
pub fn of_text(text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let hash = Sha256::digest(text);
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The digest of a network: the same for every order of its description.
pub fn of_topology(topology: &Topology) -> u64 {
    let mut lines: Vec<String> = topology
        .switches()
        .iter()
        .map(|switch| format!("switch {} {}", switch.name, switch.port_width))
        .collect();
    lines.extend(topology.link_ids().map(|id| {
        let link = topology.link(id);
        let mut ends = [topology.end_name(link.a), topology.end_name(link.b)];
        ends.sort();
        let mut groups: Vec<&str> = link
            .srlg
            .iter()
            .filter_map(|group| Some(topology.srlgs().get(group.0 as usize)?.as_str()))
            .collect();
        groups.sort_unstable();
        let bits = link.capacity.map_or(0, |capacity| capacity.bits_per_second());
        let nanos = link.latency.map_or(u64::MAX, |latency| latency.nanos());
        format!("link {ends:?} {bits} {nanos} {} {groups:?}", link.cost)
    }));
    lines.extend(topology.hosts().iter().map(|host| {
        let mac = host.mac.map(|mac| mac.to_string());
        let [mut addresses, mut prefixes] = [
            host.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            host.prefixes.iter().map(ToString::to_string).collect(),
        ];
        addresses.sort();
        prefixes.sort();
        format!("host {} {} {mac:?} {addresses:?} {prefixes:?}", host.name, topology.end_name(host.at))
    }));
    lines.sort();
    of_text(&lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use smoc_paths::topology::TopologyFile;

    use super::*;

    #[test]
    fn the_order_of_a_file_does_not_matter_and_everything_that_it_says_does() {
        let of = |text: &str| of_topology(&TopologyFile::parse(Path::new("t.yaml"), text).unwrap().topology);
        let link = |text: &str| format!("links:\n  - {{a: \"a:1\", b: \"b:1\"{text}}}\n");
        let plain = of(&link(""));
        assert_eq!(plain, of("links:\n  - {a: \"b:1\", b: \"a:1\"}\n"));
        for other in [", cost: 2", ", capacity: 1Gbit", ", latency: 1ms", ", srlg: [x]"] {
            assert_ne!(plain, of(&link(other)), "{other}");
        }
        let host = "hosts:\n  - {name: h, port: \"a:9\", addresses: [10.0.0.1]}\n";
        assert_ne!(plain, of(&(link("") + host)));
        assert_eq!((of_text(""), of_text("x") == of_text("y")), (0, false));
    }
}
