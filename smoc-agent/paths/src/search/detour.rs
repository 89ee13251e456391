//! Detours: what a switch does with a frame whose next port is dead, worked out beforehand.
//!
//! A frame at switch S is about to leave through port p, over link L to its neighbour N, and its route goes on
//! with port q of N to switch M. If p is dead, S sends it *around the neighbour*: by the cheapest way to M that
//! does not pass N, and the route goes on behind q. If N is the last switch, or that way starts through a dead port or does not
//! fit, it goes *around the link*: by the cheapest way to N without L, and the route goes on with q. No way uses a
//! link that shares a risk group with L. Ties go by the rule of [`super::graph`], seeded with S and N.
//!
//! **No loop.** A switch that passes a frame on shortens its route by one port. Only a detour lengthens it, and a
//! frame takes one detour at most. So every frame ends.
//!
//! **No link twice in one direction**, if the frame's path P is a shortest one, costs are positive and P's other
//! links are up and in no risk group with L. Let the detour D be around N (for around L read "avoids L") and let
//! d be the distance.
//!
//! * *Before S.* Say P passes link (u, v), of cost c, before it comes to S, and D passes it from u to v as well. Then
//!   D spends at least d(S, u) + c = d(S, v) + 2c to come to v, for P's way from u over v to S is shortest.
//!   But P's way from v to S, turned around, avoids N and costs d(S, v): D was not the cheapest.
//! * *Behind M.* The same, seen from the other end: from u, D spends at least c + d(v, M) = 2c + d(u, M) to come
//!   to M, where P's way from M to u, turned around, costs d(u, M).
//!
//! A path that is not shortest may pass a link twice, once on P and once on D; it still ends.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use smoc_common::{
    map,
    route::{PortNumber, Route, RouteTooLong},
};

use super::finder::PathFinder;
use super::graph::{Arc, Graph, Seed, UNREACHABLE};
use super::path::Path;
use crate::topology::{LinkId, SwitchId, Topology};

/// The way that a frame takes instead of a dead port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detour {
    /// The dead port.
    pub port: PortNumber,
    /// The port at the neighbour that the frame would take next: the way ends at the switch it leads to, and
    /// passes around the neighbour. `None`: the way ends at the neighbour, and passes around the link only.
    pub next: Option<PortNumber>,
    /// The port through which the way starts.
    pub first: PortNumber,
    /// The ports at the switches of the way between its two ends; what is left of the frame's own route comes behind.
    pub prefix: Route,
    /// All its switches, both ends included.
    pub switches: Vec<SwitchId>,
    /// Its links, one fewer.
    pub links: Vec<LinkId>,
}

impl Detour {
    /// What the map `DETOURS` says of it.
    pub fn entry(&self) -> (map::DetourKey, map::Detour) {
        let key = map::DetourKey { port: self.port.get(), next: self.next.map_or(0, PortNumber::get) };
        let (prefix, length) = self.prefix.as_prefix();
        (key, map::Detour { prefix, length, port: self.first.get(), ..map::Detour::default() })
    }
}

/// A way that no source route can describe, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnroutableDetour {
    /// As in [`Detour`].
    pub port: PortNumber,
    /// As in [`Detour`].
    pub next: Option<PortNumber>,
    /// Bits that it would need, the sentinel included; [`Route::BITS`] are there.
    pub bits: u32,
}

/// Why a frame has no detour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDetour {
    /// There is no other way.
    NoWay,
    /// Its route would need so many bits, the fewest.
    TooLong(u32),
    /// It would start through a dead port.
    Dead,
}

/// The detours of one switch, one at most for each (port, next port at the neighbour). One that is in neither list does not
/// exist: without the neighbour or the link nothing joins the two ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detours {
    /// Those that fit into a route, sorted by port, then next port (`None` first).
    pub routable: Vec<Detour>,
    /// The others, in the same order.
    pub unroutable: Vec<UnroutableDetour>,
}

impl Detours {
    /// The detour for a dead port and the next port at the neighbour, if it exists and fits into a route by itself.
    pub fn find(&self, port: PortNumber, next: Option<PortNumber>) -> Option<&Detour> {
        let found = self.routable.binary_search_by_key(&(port, next), |detour| (detour.port, detour.next));
        found.ok().map(|index| &self.routable[index])
    }

    /// What becomes of a frame whose next port is dead: around the neighbour if that way starts through a port that `is_up` and the
    /// whole route fits, else around the link. `rest` is what is left of its path behind that port, switches and their ports,
    /// the neighbour first; empty if the neighbour is the last switch.
    ///
    /// # Errors
    /// There is no such detour.
    pub fn choose(
        &self,
        topology: &Topology,
        port: PortNumber,
        rest: &[(SwitchId, PortNumber)],
        is_up: impl Fn(PortNumber) -> bool,
    ) -> Result<&Detour, NoDetour> {
        let width = |&(switch, _): &(SwitchId, PortNumber)| u32::from(topology.switch(switch).port_width);
        let mut missing = NoDetour::NoWay;
        let around_neighbor = rest.split_first().map(|(&(_, next), behind)| (Some(next), behind));
        for (next, behind) in around_neighbor.into_iter().chain([(None, rest)]) {
            let Some(own) = self.bits(port, next) else { continue };
            let bits = own + behind.iter().map(width).sum::<u32>();
            missing = match (self.find(port, next).filter(|_| bits <= Route::BITS), missing) {
                (Some(detour), _) if is_up(detour.first) => return Ok(detour),
                (Some(_), _) | (_, NoDetour::Dead) => NoDetour::Dead,
                (None, NoDetour::TooLong(fewest)) => NoDetour::TooLong(fewest.min(bits)),
                (None, NoDetour::NoWay) => NoDetour::TooLong(bits),
            };
        }
        Err(missing)
    }

    /// How many bits a way needs by itself, the sentinel included.
    fn bits(&self, port: PortNumber, next: Option<PortNumber>) -> Option<u32> {
        if let Some(detour) = self.find(port, next) {
            return Some(u64::BITS - detour.prefix.bits().leading_zeros());
        }
        let found = self.unroutable.binary_search_by_key(&(port, next), |detour| (detour.port, detour.next));
        found.ok().map(|index| self.unroutable[index].bits)
    }
}

impl PathFinder<'_> {
    /// The detours of a switch: for each of its ports, up or down, and each port of the neighbour there that
    /// leads on. Ways use only links that are up.
    pub fn detours(&self, this: SwitchId) -> Detours {
        let topology = self.topology;
        let mut tree = Tree::new(&self.graph, this);
        let mut detours = Detours::default();
        for dead in topology.arcs(this) {
            let neighbor = dead.to.switch;
            let seed = self.graph.seed(this, neighbor);
            let risky = at_risk_with(topology, dead.link);
            let onward = || topology.arcs(neighbor).iter().filter(|arc| arc.to.switch != this);
            let ends = onward().map(|arc| arc.to.switch.0).collect();
            tree.grow(seed, ends, |arc| arc.to == neighbor.0 || risky.contains(&arc.link));
            for arc in onward() {
                detours.add(topology, (dead.port, Some(arc.port)), tree.way(arc.to.switch));
            }
            tree.grow(seed, HashSet::from([neighbor.0]), |arc| risky.contains(&arc.link));
            detours.add(topology, (dead.port, None), tree.way(neighbor));
        }
        detours.routable.sort_unstable_by_key(|detour| (detour.port, detour.next));
        detours.unroutable.sort_unstable_by_key(|detour| (detour.port, detour.next));
        detours
    }
}

impl Detours {
    fn add(
        &mut self,
        topology: &Topology,
        (port, next): (PortNumber, Option<PortNumber>),
        way: Option<Path>,
    ) {
        let Some(way) = way else { return };
        let Some((_, first)) = way.hops(topology).next() else { return };
        match way.route(topology) {
            Ok(prefix) => {
                self.routable.push(Detour {
                    port,
                    next,
                    first,
                    prefix,
                    switches: way.switches,
                    links: way.links,
                });
            }
            Err(RouteTooLong { bits }) => self.unroutable.push(UnroutableDetour { port, next, bits }),
        }
    }
}

/// The link and all that share a risk group with it.
fn at_risk_with(topology: &Topology, dead: LinkId) -> HashSet<u32> {
    let groups = &topology.link(dead).srlg;
    let mut risky = HashSet::from([dead.0]);
    if !groups.is_empty() {
        let member = |link: &LinkId| topology.link(*link).srlg.iter().any(|group| groups.contains(group));
        risky.extend(topology.link_ids().filter(member).map(|link| link.0));
    }
    risky
}

/// The cheapest ways from one switch: Dijkstra (1959), where a way of equal cost and less tie replaces another. Costs are
/// positive, so a switch's way is final when it is reached.
struct Tree<'a> {
    graph: &'a Graph,
    root: SwitchId,
    /// Cost and tie of the way to each switch.
    reached: Vec<(u64, u64)>,
    /// The last link of that way.
    last: Vec<u32>,
}

impl<'a> Tree<'a> {
    fn new(graph: &'a Graph, root: SwitchId) -> Self {
        Self { graph, root, reached: vec![(UNREACHABLE, 0); graph.len()], last: vec![0; graph.len()] }
    }

    /// Finds the ways to all of `ends`, over no arc that is to be avoided.
    fn grow(&mut self, seed: Seed, mut ends: HashSet<u32>, avoid: impl Fn(&Arc) -> bool) {
        self.reached.fill((UNREACHABLE, 0));
        self.reached[self.root.index()] = (0, 0);
        let mut heap = BinaryHeap::from([Reverse((0, self.root.0))]);
        while let Some(Reverse((cost, at))) = heap.pop() {
            let (least, tie) = self.reached[at as usize];
            if cost > least {
                continue;
            }
            if ends.remove(&at) && ends.is_empty() {
                return;
            }
            for arc in self.graph.arcs(at) {
                let there = &mut self.reached[arc.to as usize];
                let cost = cost + arc.cost;
                if cost > there.0 || avoid(arc) {
                    continue;
                }
                let now = (cost, tie + self.graph.tie(seed, arc.link));
                if now < *there {
                    if cost < there.0 {
                        heap.push(Reverse((cost, arc.to)));
                    }
                    *there = now;
                    self.last[arc.to as usize] = arc.link;
                }
            }
        }
    }

    /// The way to one of the ends that [`Tree::grow`] was asked for, if there is one.
    fn way(&self, end: SwitchId) -> Option<Path> {
        if self.reached[end.index()].0 == UNREACHABLE {
            return None;
        }
        let mut links = Vec::new();
        let mut at = end.0;
        while at != self.root.0 {
            let link = self.last[at as usize];
            links.push(link);
            let (low, high) = self.graph.ends(link);
            at = if at == low { high } else { low };
        }
        Some(Path::over(self.graph, end, &links, 0).reversed())
    }
}

#[cfg(test)]
mod tests {
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
}
