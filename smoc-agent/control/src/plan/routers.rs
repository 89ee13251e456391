//! What is behind routers: for each prefix of the topology file the nearest one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use smoc_common::{
    map::{Attachment, EdgeIndex, Host, Prefix},
    route::PortNumber,
};
use smoc_paths::topology::{End, LinkId, SwitchId, Topology};

use crate::hosts::map_prefix;

/// What `PREFIXES` should say. Where several routers have a prefix it is the one at the fewest links from this switch that
/// counts, then the one whose switch, port or name comes first. Links of `unused` do not count, and routers behind ports of this
/// switch that are `dead`, or to which no link leads, count only where there is no other.
pub(super) fn prefixes(
    topology: &Topology,
    this: SwitchId,
    unused: &BTreeSet<LinkId>,
    dead: impl Fn(PortNumber) -> bool,
    index_of: &BTreeMap<SwitchId, EdgeIndex>,
) -> BTreeMap<Prefix, Host> {
    let routers = topology.hosts().iter().filter(|host| !host.prefixes.is_empty());
    let mut routers: Vec<_> = routers.collect();
    if routers.is_empty() {
        return BTreeMap::new();
    }
    let distances = distances(topology, this, unused);
    routers.sort_by_key(|router| {
        let End { switch, port } = router.at;
        let is_dead = switch == this && dead(port);
        (
            if is_dead { usize::MAX } else { distances[switch.index()] },
            &topology.switch(switch).name,
            port,
            &router.name,
        )
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

/// How many links lead to each switch, those of `unused` left out; `usize::MAX` if none do.
fn distances(topology: &Topology, this: SwitchId, unused: &BTreeSet<LinkId>) -> Vec<usize> {
    let mut distances = vec![usize::MAX; topology.switches().len()];
    distances[this.index()] = 0;
    let mut next = VecDeque::from([this]);
    while let Some(switch) = next.pop_front() {
        for arc in topology.arcs(switch).iter().filter(|arc| !unused.contains(&arc.link)) {
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
        let nearest = |name: &str, prefix: &str, unused: &BTreeSet<LinkId>, dead: u32| {
            let this = topology.find_switch(name).unwrap();
            let all = prefixes(&topology, this, unused, |port| this.0 == dead && port.get() == 9, &index_of);
            assert_eq!(all.len(), 3);
            all[&map_prefix(&prefix.parse().unwrap())].mac.octets()[5]
        };
        let links: Vec<LinkId> = topology.link_ids().collect();
        let of = |prefix: &str, unused: &[LinkId], dead: u32| {
            let unused = unused.iter().copied().collect();
            ["e1", "m", "e2", "e3"].map(|name| nearest(name, prefix, &unused, dead))
        };
        let none = u32::MAX;
        assert_eq!(of("10.9.9.9/32", &[], none), [1, 1, 3, 3]);
        assert_eq!(of("10.1.0.0/16", &[], none), [1; 4]);
        assert_eq!(of("::/0", &[], none), [3; 4]);
        assert_eq!(of("10.9.9.9/32", &links[..1], none), [1, 3, 3, 3], "e1 - m is down");
        assert_eq!(of("10.9.9.9/32", &links[2..], none), [1, 1, 1, 3], "e2 - e3 is down");
        assert_eq!(of("10.1.0.0/16", &links[2..], none), [1; 4], "there is no other");
        let e1 = topology.find_switch("e1").unwrap().0;
        assert_eq!(
            of("10.9.9.9/32", &[], e1),
            [3, 1, 3, 3],
            "the port of r1 has no carrier, and others cannot know"
        );
    }
}
