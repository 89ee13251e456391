//! What is behind routers: for each prefix of the topology file and of the switches' routing tables the nearest one.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use smoc_common::{
    map::{Attachment, EdgeIndex, Host, PREFIX_ENTRIES, Prefix},
    route::PortNumber,
};
use smoc_paths::topology::{End, LinkId, SwitchId, Topology};

use crate::hosts::{
    behind::{Placed, Routed},
    map_prefix,
};

/// Max number of prefixes that routing tables say: the map has room for others.
const LEARNED: usize = PREFIX_ENTRIES as usize / 2;

/// What `PREFIXES` should say. Where several routers have a prefix it is the one at the fewest links from this switch that
/// counts, then the one whose switch, port or name comes first. Links of `unused` do not count, and routers behind ports of this
/// switch that are `dead`, or to which no link leads, count only where there is no other. What the file says of a prefix counts
/// more than any routing table. Of learned ones no more than half the map, the longest, and what this switch's kernel routes
/// another way is left to it: no path leads there.
pub(super) fn prefixes(
    (topology, routed): (&Topology, &Routed),
    this: SwitchId,
    unused: &BTreeSet<LinkId>,
    dead: impl Fn(PortNumber) -> bool,
    index_of: &BTreeMap<SwitchId, EdgeIndex>,
) -> BTreeMap<Prefix, Host> {
    let declared = topology.hosts().iter().filter(|host| !host.prefixes.is_empty());
    let mut declared: Vec<_> = declared.collect();
    if declared.is_empty() && routed.placed.is_empty() {
        return BTreeMap::new();
    }
    let distances = distances(topology, this, unused);
    let nearness = |End { switch, port }: End| {
        let is_dead = switch == this && dead(port);
        let links = if is_dead { usize::MAX } else { distances[switch.index()] };
        (links, &topology.switch(switch).name, port)
    };
    declared.sort_by_key(|router| (nearness(router.at), &router.name));
    let entry = |at: End, mac| {
        let attachment = Attachment { edge: *index_of.get(&at.switch)?, port: at.port.get() };
        Some(Host { attachment, mac, ..Host::default() })
    };
    let mut all = BTreeMap::new();
    for router in declared {
        let Some(host) = router.mac.and_then(|mac| entry(router.at, mac)) else { continue };
        for prefix in &router.prefixes {
            all.entry(map_prefix(prefix)).or_insert(host);
        }
    }
    let mut learned: Vec<&Placed> = routed.placed.iter().collect();
    learned.sort_by_key(|one| {
        let prefix = one.behind.prefix;
        (Reverse(prefix.prefix_len()), prefix, nearness(one.at), one.behind.router)
    });
    learned.dedup_by_key(|one| one.behind.prefix);
    let learned = learned.into_iter().filter_map(|one| Some((&one.behind.prefix, entry(one.at, one.mac)?)));
    let apart = Host { attachment: Attachment::UNKNOWN, ..Host::default() };
    let apart = routed.apart.iter().map(|prefix| (prefix, apart));
    for (prefix, host) in learned.take(LEARNED).chain(apart) {
        all.entry(map_prefix(prefix)).or_insert(host);
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

    use smoc_common::wire::{ethernet::MacAddress, ip::Address};
    use smoc_paths::topology::TopologyFile;

    use super::*;
    use crate::hosts::{behind::Behind, map_address};

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
            let is_dead = |port: PortNumber| this.0 == dead && port.get() == 9;
            let none = Routed::default();
            let all = prefixes((&topology, &none), this, unused, is_dead, &index_of);
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
    #[test]
    fn the_file_counts_more_than_routing_tables_and_of_those_the_nearest_router() {
        let text = r#"
links: [{a: "e1:1", b: "m:1"}, {a: "m:2", b: "e2:1"}, {a: "e2:2", b: "e3:1"}]
hosts:
  - {name: r3, port: "e3:9", mac: "02:00:00:00:00:03", addresses: [10.0.0.3], prefixes: [10.1.0.0/16]}
"#;
        let topology = TopologyFile::parse(Path::new("t.yaml"), text).unwrap().connected().unwrap();
        let index_of = topology.switch_ids().map(|id| (id, id.0 as u16)).collect();
        let placed = |prefix: &str, switch: &str, host: u8| Placed {
            behind: Behind { prefix: prefix.parse().unwrap(), router: [10, 0, 0, host].into() },
            at: End { switch: topology.find_switch(switch).unwrap(), port: PortNumber::new(9).unwrap() },
            mac: MacAddress::new([2, 0, 0, 0, 0, host]),
        };
        let routed = Routed {
            placed: vec![
                placed("10.1.0.0/16", "e1", 1),
                placed("10.2.0.0/16", "e1", 1),
                placed("10.2.0.0/16", "e2", 2),
                placed("0.0.0.0/0", "e2", 2),
            ],
            apart: ["10.2.7.0/24".parse().unwrap()].into(),
        };
        let this = topology.find_switch("e3").unwrap();
        let all = prefixes((&topology, &routed), this, &BTreeSet::new(), |_| false, &index_of);
        let of = |prefix: &str| all[&map_prefix(&prefix.parse().unwrap())];
        assert_eq!(all.len(), 4);
        assert_eq!(of("10.1.0.0/16").mac.octets()[5], 3, "the file says so");
        assert_eq!(of("10.2.0.0/16").mac.octets()[5], 2, "e2 is nearer than e1");
        assert_eq!(of("0.0.0.0/0").mac.octets()[5], 2);
        assert_eq!(of("10.2.7.0/24").attachment, Attachment::UNKNOWN, "the kernel routes that another way");
        let none = prefixes((&topology, &Routed::default()), this, &BTreeSet::new(), |_| false, &index_of);
        assert_eq!(none.len(), 1);
    }

    #[test]
    fn of_too_many_prefixes_the_shortest_are_left_out() {
        let text = "links: [{a: \"e1:1\", b: \"e2:1\"}]\n";
        let topology = TopologyFile::parse(Path::new("t.yaml"), text).unwrap().connected().unwrap();
        let index_of = topology.switch_ids().map(|id| (id, id.0 as u16)).collect();
        let at = End { switch: SwitchId(0), port: PortNumber::new(9).unwrap() };
        let one = |n: usize| {
            let prefix =
                if n == 0 { "10.0.0.0/8".into() } else { format!("10.{}.{}.0/24", n / 256, n % 256) };
            let behind = Behind { prefix: prefix.parse().unwrap(), router: [192, 168, 0, 1].into() };
            Placed { behind, at, mac: MacAddress::new([2, 0, 0, 0, 0, 1]) }
        };
        let routed = Routed { placed: (0..=LEARNED).map(one).collect(), apart: BTreeSet::new() };
        let all = prefixes((&topology, &routed), SwitchId(0), &BTreeSet::new(), |_| false, &index_of);
        assert_eq!(all.len(), LEARNED);
        assert!(!all.contains_key(&map_prefix(&"10.0.0.0/8".parse().unwrap())));
    }
}
