//! What is behind routers: for each prefix of the topology file the nearest one.

use std::collections::{BTreeMap, VecDeque};

use smoc_common::map::{Attachment, EdgeIndex, Host, Prefix};
use smoc_paths::topology::{End, SwitchId, Topology};

use crate::hosts::map_prefix;

/// What `PREFIXES` should say. Where several routers have a prefix it is the one at the fewest links from this switch that
/// counts, then the one whose switch, port or name comes first.
pub(super) fn prefixes(
    topology: &Topology,
    this: SwitchId,
    index_of: &BTreeMap<SwitchId, EdgeIndex>,
) -> BTreeMap<Prefix, Host> {
    let routers = topology.hosts().iter().filter(|host| !host.prefixes.is_empty());
    let mut routers: Vec<_> = routers.collect();
    if routers.is_empty() {
        return BTreeMap::new();
    }
    let distances = distances(topology, this);
    routers.sort_by_key(|router| {
        let End { switch, port } = router.at;
        (distances[switch.index()], &topology.switch(switch).name, port, &router.name)
    });
    let mut all = BTreeMap::new();
    for router in routers {
        let (Some(&edge), Some(mac)) = (index_of.get(&router.at.switch), router.mac) else { continue };
        let attachment = Attachment { edge, port: router.at.port.get() };
        for prefix in &router.prefixes {
            all.entry(map_prefix(prefix)).or_insert(Host { attachment, mac, ..Host::default() });
        }
    }
    all
}

/// How many links lead to each switch; `usize::MAX` if none do.
fn distances(topology: &Topology, this: SwitchId) -> Vec<usize> {
    let mut distances = vec![usize::MAX; topology.switches().len()];
    distances[this.index()] = 0;
    let mut next = VecDeque::from([this]);
    while let Some(switch) = next.pop_front() {
        for arc in topology.arcs(switch) {
            let there = arc.to.switch;
            if distances[there.index()] == usize::MAX {
                distances[there.index()] = distances[switch.index()] + 1;
                next.push_back(there);
            }
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use smoc_common::wire::ip::Address;
    use smoc_paths::topology::TopologyFile;

    use super::*;
    use crate::hosts::map_address;

    #[test]
    fn an_address_of_both_families_is_in_its_prefixes_and_in_no_other() {
        let of = |text: &str| map_prefix(&text.parse().unwrap());
        let [v4, all, v6] = ["10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32"].map(of);
        assert_eq!([v4.length, all.length, v6.length], [112, 96, 32]);
        let address = |text: &str| map_address(text.parse().unwrap());
        assert!(v4.contains(&address("10.1.255.1")) && !v4.contains(&address("10.2.0.1")));
        assert!(all.contains(&address("10.2.0.1")) && !all.contains(&address("2001:db8::1")));
        assert!(v6.contains(&address("2001:db8:7::1")) && !v6.contains(&address("2001:db9::1")));
        assert!(of("::/0").contains(&Address::default()));
    }

    #[test]
    fn each_switch_takes_the_nearest_router_of_a_prefix() {
        let text = r#"
links: [{a: "e1:1", b: "m:1"}, {a: "m:2", b: "e2:1"}, {a: "e2:2", b: "e3:1"}]
hosts:
  - {name: r1, port: "e1:9", mac: "02:00:00:00:00:01", addresses: [10.0.0.1], prefixes: [10.1.0.0/16, 10.9.9.9/32]}
  - {name: r3, port: "e3:9", mac: "02:00:00:00:00:03", prefixes: [10.9.9.9/32, "::/0"]}
"#;
        let topology = TopologyFile::parse(Path::new("t.yaml"), text).unwrap().connected().unwrap();
        let index_of = topology.switch_ids().map(|id| (id, id.0 as u16)).collect();
        let nearest = |name: &str, prefix: &str| {
            let all = prefixes(&topology, topology.find_switch(name).unwrap(), &index_of);
            assert_eq!(all.len(), 3);
            all[&map_prefix(&prefix.parse().unwrap())].mac.octets()[5]
        };
        let of = |prefix: &str| ["e1", "m", "e2", "e3"].map(|name| nearest(name, prefix));
        assert_eq!(of("10.9.9.9/32"), [1, 1, 3, 3]);
        assert_eq!(of("10.1.0.0/16"), [1; 4]);
        assert_eq!(of("::/0"), [3; 4]);
    }
}
