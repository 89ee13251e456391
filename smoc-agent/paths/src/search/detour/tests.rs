//! Detours on random networks, followed hop by hop.

use proptest::prelude::*;

use super::*;
use crate::search::options::PathOptions;
use crate::search::oracle::{Links, topology};
use crate::search::policy::name::Policy;
use crate::topology::generate::fat_tree;

/// A ring through all switches, in some order, and chords: nothing that a single switch could cut.
fn two_connected() -> impl Strategy<Value = Links> {
    (3usize..9).prop_flat_map(|switches| {
        let order = Just((0..switches).collect::<Vec<_>>()).prop_shuffle();
        let cost = 1u32..4;
        let chord = (0..switches, 1..switches, cost.clone());
        let chords = proptest::collection::vec(chord, 0..switches);
        let costs = proptest::collection::vec(cost, switches);
        (order, costs, chords).prop_map(move |(order, costs, chords)| {
            let ring = (0..switches).map(|i| (order[i], order[(i + 1) % switches], costs[i], None));
            let chords = chords.into_iter().map(|(a, step, cost)| (a, (a + step) % switches, cost, None));
            ring.chain(chords).collect()
        })
    })
}

/// Follows ports as the switches would: the links that a frame passes, and where it ends.
fn follow(topology: &Topology, start: SwitchId, detour: &Detour) -> (Vec<(LinkId, SwitchId)>, SwitchId) {
    let (mut at, mut port, mut route) = (start, detour.first, detour.prefix);
    let mut passed = Vec::new();
    loop {
        let arc = topology.arcs(at).iter().find(|arc| arc.port == port).unwrap();
        passed.push((arc.link, at));
        at = arc.to.switch;
        match route.pop(topology.switch(at).port_width) {
            Some((next, rest)) => (port, route) = (next, rest),
            None => return (passed, at),
        }
    }
}

/// Bellman (1958): rounds over all links until nothing gets cheaper.
fn least_cost(
    topology: &Topology,
    from: SwitchId,
    to: SwitchId,
    usable: impl Fn(LinkId) -> bool,
) -> Option<u64> {
    let mut least = vec![u64::MAX / 2; topology.switches().len()];
    least[from.index()] = 0;
    for _ in topology.switches() {
        for id in topology.link_ids().filter(|&id| usable(id)) {
            let link = topology.link(id);
            let (a, b) = (link.a.switch.index(), link.b.switch.index());
            least[a] = least[a].min(least[b] + u64::from(link.cost));
            least[b] = least[b].min(least[a] + u64::from(link.cost));
        }
    }
    Some(least[to.index()]).filter(|&cost| cost < u64::MAX / 2)
}

/// Every detour of one switch against the definition.
fn check(topology: &Topology, this: SwitchId, down: &HashSet<LinkId>) {
    let detours = PathFinder::without(topology, &PathOptions::default(), down).unwrap().detours(this);
    assert!(detours.unroutable.is_empty());
    let groups = |link: LinkId| &topology.link(link).srlg;
    let mut expected = 0;
    for dead in topology.arcs(this) {
        let neighbor = dead.to.switch;
        let usable = |link: LinkId| {
            link != dead.link
                && !down.contains(&link)
                && !groups(link).iter().any(|group| groups(dead.link).contains(group))
        };
        let onward = topology.arcs(neighbor).iter().filter(|arc| arc.to.switch != this);
        let asked = onward.map(|arc| (Some(arc.port), arc.to.switch));
        for (next, end) in asked.chain([(None, neighbor)]) {
            let allowed = |link: LinkId| {
                usable(link) && (next.is_none() || topology.link(link).end_at(neighbor).is_none())
            };
            let detour = detours.find(dead.port, next);
            let least = least_cost(topology, this, end, allowed);
            assert_eq!(detour.is_some(), least.is_some());
            let Some(detour) = detour else { continue };
            expected += 1;
            let (passed, ends) = follow(topology, this, detour);
            assert_eq!((ends, detour.switches[0], *detour.switches.last().unwrap()), (end, this, end));
            assert!(passed.iter().all(|&(link, _)| allowed(link)));
            let cost = passed.iter().map(|&(link, _)| u64::from(topology.link(link).cost)).sum();
            assert_eq!(least, Some(cost));
            let walked: Vec<_> = passed.iter().map(|&(_, at)| at).chain([ends]).collect();
            assert_eq!(walked, detour.switches);
            assert_eq!(walked.iter().collect::<HashSet<_>>().len(), walked.len(), "a loop");
        }
    }
    assert_eq!(detours.routable.len(), expected, "one for each port and next port");
    assert!(detours.routable.is_sorted_by_key(|detour| (detour.port, detour.next)));
}

fn hops(path: &Path) -> Vec<(LinkId, SwitchId)> {
    path.links.iter().copied().zip(path.switches.iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn detours_are_the_cheapest_ways_that_avoid_what_is_dead(
        links in two_connected(),
        down in proptest::collection::hash_set(0u32..16, 0..3),
        groups in proptest::collection::vec(proptest::option::weighted(0.2, 0u8..2), 20),
    ) {
        let topology_without_groups = topology(&links);
        let grouped = links.iter().zip(groups).map(|(&(a, b, cost, _), group)| (a, b, cost, group));
        let topology_with_groups = topology(&grouped.collect());
        let down = down.into_iter().filter(|&link| (link as usize) < links.len()).map(LinkId).collect();
        for this in topology_without_groups.switch_ids() {
            check(&topology_without_groups, this, &HashSet::new());
            check(&topology_without_groups, this, &down);
            check(&topology_with_groups, this, &down);
        }
    }

    #[test]
    fn a_two_connected_network_has_every_detour(links in two_connected()) {
        let topology = topology(&links);
        let finder = PathFinder::new(&topology, &PathOptions::default()).unwrap();
        for this in topology.switch_ids() {
            let all = topology.arcs(this).iter().map(|dead| {
                1 + topology.arcs(dead.to.switch).iter().filter(|arc| arc.to.switch != this).count()
            });
            prop_assert_eq!(finder.detours(this).routable.len(), all.sum::<usize>());
        }
    }

    #[test]
    fn a_frame_on_a_shortest_path_passes_no_link_twice_in_one_direction(links in two_connected()) {
        let topology = topology(&links);
        let options = PathOptions { policy: Policy::Shortest, count: 1, ..PathOptions::default() };
        let finder = PathFinder::new(&topology, &options).unwrap();
        let detours: Vec<_> = topology.switch_ids().map(|this| finder.detours(this)).collect();
        for from in topology.switch_ids() {
            for to in topology.switch_ids().filter(|&to| to != from) {
                let path = &finder.ranked(from, to)[0];
                let ports: Vec<_> = path.hops(&topology).collect();
                for (dead, &(this, port)) in ports.iter().enumerate() {
                    let next = ports.get(dead + 1).map(|&(_, port)| port);
                    for next in [next, None] {
                        let detour = detours[this.index()].find(port, next).unwrap();
                        let rest = dead + 1 + usize::from(next.is_some());
                        let mut passed = hops(path)[..dead].to_vec();
                        passed.extend(follow(&topology, this, detour).0);
                        passed.extend_from_slice(&hops(path)[rest..]);
                        prop_assert_eq!(passed.iter().collect::<HashSet<_>>().len(), passed.len());
                    }
                }
            }
        }
    }

    #[test]
    fn detours_do_not_depend_on_the_way_the_links_are_written(links in two_connected()) {
        let turned: Links = links.iter().map(|&(a, b, cost, group)| (b, a, cost, group)).collect();
        let (straight, turned) = (topology(&links), topology(&turned));
        let ask = |topology: &Topology, this| {
            PathFinder::new(topology, &PathOptions::default()).unwrap().detours(this)
        };
        for this in straight.switch_ids() {
            prop_assert_eq!(ask(&straight, this), ask(&turned, this));
        }
    }
}

#[test]
fn a_detour_too_long_for_a_route_is_left_out_and_named() {
    // A ring of 34 switches of two ports: 32 switches of 2 bits and the sentinel are on the way around.
    let links = (0..34).map(|i| (i, (i + 1) % 34, 1, None)).collect();
    let topology = topology(&links);
    let this = topology.find_switch("s0").unwrap();
    let detours = PathFinder::new(&topology, &PathOptions::default()).unwrap().detours(this);
    assert_eq!((detours.routable.len(), detours.unroutable.len()), (0, 4));
    let needs: Vec<_> = detours.unroutable.iter().map(|detour| (detour.next, detour.bits)).collect();
    assert_eq!(needs[0], (None, 65));
    assert_eq!(needs[1].1, 63, "one switch fewer to the neighbour's neighbour");
}

#[test]
fn a_core_switch_of_a_fat_tree_is_replaced_by_the_one_next_door() {
    let topology = fat_tree(4).unwrap().build().unwrap();
    let finder = PathFinder::new(&topology, &PathOptions::default()).unwrap();
    let this = topology.find_switch("a0-0").unwrap();
    let core = topology.find_switch("c0-0").unwrap();
    let up = topology.arcs(this).iter().find(|arc| arc.to.switch == core).unwrap().port;
    let other_pod = topology.find_switch("a1-0").unwrap();
    let down = topology.arcs(core).iter().find(|arc| arc.to.switch == other_pod).unwrap().port;
    let detours = finder.detours(this);
    let names = |next| {
        let switches = &detours.find(up, next).unwrap().switches;
        switches.iter().map(|&s| topology.switch(s).name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names(Some(down)), ["a0-0", "c0-1", "a1-0"], "the core next door");
    assert_eq!(names(None).len(), 4, "and from there back up, around the link alone");
}
