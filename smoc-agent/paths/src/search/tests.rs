//! The three policies against enumeration of all paths, on random multigraphs.

use std::collections::HashSet;

use proptest::prelude::*;

use super::flow::LinkFlow;
use super::optimum::FlowSearch;
use super::oracle::{Definition, Links, all_paths, draft, reference_flow, topology};
use super::query::Query;
use super::reduced::Reduced;
use super::{Path, PathFinder, PathOptions, Policy, Protect};
use crate::topology::{Bandwidth, Latency, LinkId, SwitchId, Topology, TopologyFile};

fn options(policy: Policy, count: usize) -> PathOptions {
    PathOptions { policy, count, ..PathOptions::default() }
}

fn numbers(path: &Path) -> (u64, Vec<u32>) {
    (path.cost, path.links.iter().map(|link| link.0).collect())
}

/// What holds for every answer: simple, distinct paths that join the two, and shared links as defined.
fn check_shape(topology: &Topology, from: SwitchId, to: SwitchId, paths: &[Path]) {
    let groups = |link: u32| &topology.links()[link as usize].srlg;
    for (rank, path) in paths.iter().enumerate() {
        assert_eq!((path.switches[0], *path.switches.last().unwrap()), (from, to));
        assert_eq!(path.switches.iter().collect::<HashSet<_>>().len(), path.switches.len(), "a loop");
        for (hop, link) in path.links.iter().enumerate() {
            let end = topology.link(*link).end_at(path.switches[hop]).unwrap();
            assert_eq!(topology.link(*link).other(end.switch).switch, path.switches[hop + 1]);
        }
        let better: HashSet<u32> = paths[..rank].iter().flat_map(|p| numbers(p).1).collect();
        assert!(!paths[..rank].iter().any(|other| other.links == path.links), "twice");
        let shared = path.links.iter().filter(|link| {
            better.contains(&link.0)
                || better.iter().any(|&b| groups(b).iter().any(|g| groups(link.0).contains(g)))
        });
        assert_eq!(path.shared_links, shared.count());
    }
}

fn graphs(switches: usize, links: usize, cost: u32) -> impl Strategy<Value = Links> {
    let link = (0..switches, 1..switches, 1..=cost)
        .prop_map(move |(a, step, cost)| (a, (a + step) % switches, cost, None));
    proptest::collection::vec(link, 1..=links)
}

fn ends(topology: &Topology) -> (SwitchId, SwitchId) {
    (SwitchId(0), SwitchId(topology.switches().len() as u32 - 1))
}

/// Links of unequal capacity and latency, drawn from their costs and positions.
fn unequal(links: &Links) -> Topology {
    let mut draft = draft(links);
    for link in &mut draft.links {
        link.capacity = Bandwidth::from_bits_per_second(u64::from(link.cost) * 100_000_000);
        link.latency = Latency::from_nanos((link.entry as u64 * 7 % 11 + 1) * 1_000_000);
    }
    draft.build().unwrap()
}

/// A line of so many switches, the last two of which two links join.
fn line(switches: usize) -> Links {
    let mut links: Links = (1..switches).map(|i| (i - 1, i, 1, None)).collect();
    links.push((switches - 2, switches - 1, 1, None));
    links
}

#[test]
fn very_long_paths_need_no_stack() {
    let search = || {
        let topology = topology(&line(16_000));
        let [from, to] = ["s0", "s15999"].map(|name| topology.find_switch(name).unwrap());
        for protect in [Protect::Link, Protect::Node] {
            let asked = PathOptions { protect, ..options(Policy::Diverse, 3) };
            let paths = PathFinder::new(&topology, &asked).unwrap().ranked(from, to);
            assert_eq!(paths.iter().map(|path| path.cost).collect::<Vec<_>>(), [15_999; 2]);
            assert_eq!(paths[1].shared_links, 15_998);
        }
    };
    std::thread::Builder::new().stack_size(128 << 10).spawn(search).unwrap().join().unwrap();
}

/// s is s0, t is s7, a1 to a3 are s1 to s3, b1 to b3 are s4 to s6.
#[test]
fn no_order_is_the_best_for_two_and_for_three() {
    let short =
        [(0, 1), (0, 2), (0, 3), (4, 7), (5, 7), (6, 7), (1, 5), (3, 6)].map(|(a, b)| (a, b, 1, None));
    let long = [(1, 4), (2, 5)].map(|(a, b)| (a, b, 5, None));
    let topology = topology(&[&short[..], &long].concat());
    let (from, to) = ends(&topology);
    let ranked =
        |count| PathFinder::new(&topology, &options(Policy::Diverse, count)).unwrap().ranked(from, to);
    let costs = |paths: &[Path]| paths.iter().map(|path| path.cost).collect::<Vec<_>>();
    let shared = |paths: &[Path]| paths.iter().map(|path| path.shared_links).collect::<Vec<_>>();
    assert_eq!((costs(&ranked(2)), shared(&ranked(2))), (vec![3, 3], vec![0, 0]));
    assert_eq!((costs(&ranked(3)), shared(&ranked(3))), (vec![3, 3, 7], vec![0, 0, 1]));
    // Three disjoint paths exist, and cost more.
    assert_eq!(reference_flow(&topology, from, to, 3), Some((0, 17)));
}

#[test]
fn as_many_ranks_as_can_be_asked_for_take_no_longer_than_a_moment() {
    let links = (0..5)
        .flat_map(|step| [(step, step + 1, 1, None), (step, step + 1, 2, None), (0, step + 1, 3, None)]);
    let topology = topology(&links.collect());
    let (from, to) = ends(&topology);
    let paths = PathFinder::new(&topology, &options(Policy::Diverse, 64)).unwrap().ranked(from, to);
    check_shape(&topology, from, to, &paths);
    assert!(paths.len() > 8);
}

/// Whatever the ranks, other traffic has the paths of least cost.
#[test]
fn base_paths_are_all_of_least_cost_and_the_same_from_both_ends() {
    let topology =
        topology(&vec![(0, 1, 1, None), (1, 3, 1, None), (0, 2, 1, None), (2, 3, 1, None), (0, 3, 3, None)]);
    let (from, to) = ends(&topology);
    for &policy in Policy::ALL.iter().filter(|&&policy| policy != Policy::Widest) {
        let finder = PathFinder::new(&topology, &options(policy, 8)).unwrap();
        let base = finder.source(from).ranked(to).base;
        assert_eq!(base.iter().map(|path| path.cost).collect::<Vec<_>>(), [2, 2]);
        let back: Vec<_> = finder.source(to).base(from).into_iter().map(Path::reversed).collect();
        assert_eq!(base, back);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shortest_are_the_k_shortest(links in graphs(6, 12, 4), count in 1usize..=8) {
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        let finder = PathFinder::new(&topology, &options(Policy::Shortest, count)).unwrap();
        let paths = finder.ranked(from, to);
        check_shape(&topology, from, to, &paths);
        let expected: Vec<u64> = all_paths(&topology, from, to).iter().map(|p| p.0).take(count).collect();
        prop_assert_eq!(paths.iter().map(|p| p.cost).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn smoc_ranks_by_links_shared_with_the_shortest(links in graphs(6, 12, 4), count in 1usize..=8) {
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        let finder = PathFinder::new(&topology, &options(Policy::Smoc, count)).unwrap();
        let paths = finder.ranked(from, to);
        check_shape(&topology, from, to, &paths);
        let all = all_paths(&topology, from, to);
        prop_assert_eq!(paths.len(), count.min(all.len()));
        if let Some(first) = paths.first().map(numbers) {
            prop_assert_eq!(first.0, all[0].0);
            let key = |p: &(u64, Vec<u32>)| (p.1.iter().filter(|l| first.1.contains(l)).count(), p.0);
            let mut expected: Vec<_> = all.iter().filter(|p| **p != first).map(key).collect();
            expected.sort();
            expected.truncate(count - 1);
            let found: Vec<_> = paths[1..].iter().map(|p| key(&numbers(p))).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn diverse_is_as_defined(links in graphs(6, 9, 3), count in 1usize..=8) {
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        let finder = PathFinder::new(&topology, &options(Policy::Diverse, count)).unwrap();
        let paths = finder.ranked(from, to);
        check_shape(&topology, from, to, &paths);
        Definition::new(&topology, from, to, Protect::Link).check(&paths, count);
    }

    #[test]
    fn diverse_is_as_defined_for_switches(links in graphs(6, 9, 3), count in 1usize..=8) {
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        let asked = PathOptions { protect: Protect::Node, ..options(Policy::Diverse, count) };
        let paths = PathFinder::new(&topology, &asked).unwrap().ranked(from, to);
        check_shape(&topology, from, to, &paths);
        Definition::new(&topology, from, to, Protect::Node).check(&paths, count);
    }

    #[test]
    fn diverse_is_as_defined_for_groups(
        links in graphs(5, 8, 3),
        groups in proptest::collection::vec(proptest::option::of(0u8..3), 8),
        count in 1usize..=8,
    ) {
        let links: Links =
            links.iter().zip(groups).map(|(&(a, b, cost, _), group)| (a, b, cost, group)).collect();
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        let finder = PathFinder::new(&topology, &options(Policy::Diverse, count)).unwrap();
        let paths = finder.ranked(from, to);
        check_shape(&topology, from, to, &paths);
        Definition::new(&topology, from, to, Protect::Link).check(&paths, count);
        let back: Vec<_> = finder.ranked(to, from).into_iter().map(Path::reversed).collect();
        prop_assert_eq!(paths, back);
    }

    #[test]
    fn the_way_back_is_the_way_there_reversed(links in graphs(8, 16, 3), count in 1usize..=8) {
        let topology = topology(&links);
        for &policy in Policy::ALL.iter().filter(|&&policy| policy != Policy::Widest) {
            for protect in [Protect::Link, Protect::Node] {
                let asked = PathOptions { protect, ..options(policy, count) };
                let finder = PathFinder::new(&topology, &asked).unwrap();
                let (from, to) = ends(&topology);
                let back: Vec<_> = finder.ranked(to, from).into_iter().map(Path::reversed).collect();
                prop_assert_eq!(finder.ranked(from, to), back);
            }
        }
    }

    #[test]
    fn max_stretch_drops_what_is_too_costly_but_never_the_last_path(
        links in graphs(8, 16, 3),
        count in 1usize..=8,
        percent in 100u64..250,
    ) {
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        for &policy in Policy::ALL.iter().filter(|&&policy| policy != Policy::Widest) {
            for protect in [Protect::Link, Protect::Node] {
                let all = PathOptions { protect, ..options(policy, count) };
                let limited = PathOptions { max_stretch: Some(percent as f64 / 100.0), ..all };
                let finder = PathFinder::new(&topology, &limited).unwrap();
                let paths = finder.ranked(from, to);
                check_shape(&topology, from, to, &paths);
                let cheapest: Vec<_> = all_paths(&topology, from, to).iter().map(|path| path.0).take(1).collect();
                let within = |path: &Path| path.cost * 100 <= cheapest[0] * percent;
                let mut expected: Vec<_> = PathFinder::new(&topology, &all).unwrap().ranked(from, to);
                expected.retain(within);
                if expected.is_empty() {
                    prop_assert_eq!(paths.iter().map(|path| path.cost).collect::<Vec<_>>(), cheapest);
                } else {
                    let links = |paths: &[Path]| paths.iter().map(|p| p.links.clone()).collect::<Vec<_>>();
                    prop_assert_eq!(links(&paths), links(&expected));
                }
                let back: Vec<_> = finder.ranked(to, from).into_iter().map(Path::reversed).collect();
                prop_assert_eq!(paths, back);
            }
        }
    }

    #[test]
    fn a_failure_changes_only_pairs_that_used_the_link(links in graphs(8, 16, 3), failed in 0usize..16) {
        let topology = topology(&links);
        let failed = LinkId((failed % links.len()) as u32);
        for (policy, count) in [(Policy::Diverse, 2), (Policy::Smoc, 4), (Policy::Shortest, 4)] {
            let asked = options(policy, count);
            let finder = PathFinder::new(&topology, &asked).unwrap();
            let without = PathFinder::without(&topology, &asked, &HashSet::from([failed])).unwrap();
            for from in topology.switch_ids() {
                let (mut before, mut after) = (finder.source(from), without.source(from));
                for to in topology.switch_ids() {
                    let paths = before.to(to);
                    if !paths.iter().any(|path| path.links.contains(&failed)) {
                        prop_assert_eq!(after.to(to), paths);
                    }
                }
            }
        }
    }

    #[test]
    fn widest_takes_the_widest_bottleneck_that_is_left(links in graphs(6, 10, 4), count in 1usize..=8) {
        let topology = unequal(&links);
        let (from, to) = ends(&topology);
        let finder = PathFinder::new(&topology, &options(Policy::Widest, count)).unwrap();
        let paths = finder.ranked(from, to);
        check_shape(&topology, from, to, &paths);
        let all: Vec<_> = all_paths(&topology, from, to).into_iter().map(|path| path.1).collect();
        prop_assert_eq!(paths.len(), count.min(all.len()));
        let mut left: Vec<u64> = topology.links().iter().map(|l| l.capacity.unwrap().bits_per_second()).collect();
        let mut ranked: Vec<Vec<u32>> = Vec::new();
        for path in &paths {
            let links = numbers(path).1;
            let width = |links: &Vec<u32>| links.iter().map(|&link| left[link as usize]).min().unwrap();
            let now = width(&links);
            let new = || all.iter().filter(|path| !ranked.contains(path));
            prop_assert_eq!(Some(now), new().map(width).max(), "rank {}", ranked.len());
            let sharing = |links: &Vec<u32>| -> usize {
                links.iter().map(|link| ranked.iter().filter(|path| path.contains(link)).count()).sum()
            };
            // The first ranks, which are as wide as the widest, are disjoint; what follows shares the least.
            let least = new().filter(|path| width(path) == now).map(sharing).min();
            prop_assert_eq!(Some(sharing(&links)), least);
            links.iter().for_each(|&link| left[link as usize] -= now);
            ranked.push(links);
        }
        let back: Vec<_> = finder.ranked(to, from).into_iter().map(Path::reversed).collect();
        prop_assert_eq!(paths, back);
    }

    #[test]
    fn no_prefix_asks_for_more_than_the_receive_buffer(
        links in graphs(6, 10, 4),
        count in 1usize..=8,
        kilobytes in 1u64..2_000,
    ) {
        let topology = unequal(&links);
        let (from, to) = ends(&topology);
        for &policy in Policy::ALL {
            let asked = options(policy, count);
            let bounded = PathOptions { receive_buffer: Some(kilobytes * 1000), ..asked };
            let finder = PathFinder::new(&topology, &bounded).unwrap();
            let paths = finder.ranked(from, to);
            check_shape(&topology, from, to, &paths);
            let wanted = PathFinder::new(&topology, &asked).unwrap().ranked(from, to);
            prop_assert_eq!(paths.is_empty(), wanted.is_empty());
            let needed = |paths: &[Path]| crate::analysis::buffer::needed(&topology, paths).unwrap();
            if paths.len() > 1 {
                prop_assert!(needed(&paths) <= kilobytes * 1000);
            }
            if needed(&wanted) <= kilobytes * 1000 {
                prop_assert_eq!(&paths, &wanted);
            }
            let back: Vec<_> = finder.ranked(to, from).into_iter().map(Path::reversed).collect();
            prop_assert_eq!(paths, back);
        }
    }

    #[test]
    fn the_flow_is_optimal_in_larger_graphs(links in graphs(20, 60, 9), count in 1usize..=8) {
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        let finder = PathFinder::new(&topology, &options(Policy::Diverse, count)).unwrap();
        let (graph, distances) = (&finder.graph, finder.graph.distances(from));
        let seed = graph.seed(from, to);
        let query = Query { graph, to_root: &distances, start: to.0, root: from.0, seed };
        if !query.connected() {
            return Ok(());
        }
        let mut network = Reduced::default();
        network.whole(&query, false);
        let used = FlowSearch::<LinkFlow>::default().optimal(&network, count, &[]).whole;
        let shared = used.iter().map(|arc| i64::from(arc.units * (arc.units - 1) / 2)).sum::<i64>();
        let cost = used.iter().map(|arc| i64::from(arc.units) * graph.cost(arc.link) as i64).sum::<i64>();
        prop_assert_eq!(Some((shared, cost)), reference_flow(&topology, from, to, count));
    }

    #[test]
    fn neither_the_order_of_the_links_nor_of_their_ends_matters(
        links in graphs(7, 14, 2),
        order in Just((0..14usize).collect::<Vec<_>>()).prop_shuffle(),
        swap in proptest::collection::vec(any::<bool>(), 14),
    ) {
        let straight = draft(&links);
        let mut shuffled = straight.clone();
        shuffled.links.sort_by_key(|link| order[link.entry]);
        for (link, swap) in shuffled.links.iter_mut().zip(swap) {
            if swap {
                std::mem::swap(&mut link.a, &mut link.b);
            }
        }
        let (straight, shuffled) = (straight.build().unwrap(), shuffled.build().unwrap());
        for &policy in Policy::ALL.iter().filter(|&&policy| policy != Policy::Widest) {
            let ranked = |topology: &Topology| {
                let (from, to) = ends(topology);
                PathFinder::new(topology, &options(policy, 5)).unwrap().ranked(from, to)
            };
            prop_assert_eq!(ranked(&straight), ranked(&shuffled));
        }
    }
}

/// Agents do not read a new file at the same moment: a route by one of the two passes the switch as the other has it.
#[test]
fn r9_one_more_link_changes_no_route_through_a_switch_whose_width_is_said() {
    let links = "links:\n  - {a: \"e1:1\", b: \"m1:1\"}\n  - {a: \"m1:2\", b: \"e2:1\"}\n  - {a: \"m1:3\", b: \"e3:1\"}\n";
    let more = "  - {a: \"m1:4\", b: \"e4:1\"}\n";
    let said = "switches: [{name: m1, port_width: 5}]\n";
    let parse = |text: String| TopologyFile::parse("t.yaml".as_ref(), &text).unwrap().connected().unwrap();
    let exits = |old: &Topology, new: &Topology| {
        ["e2", "e3"].map(|to| {
            let [from, to] = ["e1", to].map(|name| old.find_switch(name).unwrap());
            let paths = PathFinder::new(old, &PathOptions::default()).unwrap().ranked(from, to);
            let pushed = paths[0].route(old).unwrap();
            let width = new.switch(new.find_switch("m1").unwrap()).port_width;
            pushed.pop(width).map(|(port, rest)| (port.get(), rest.bits()))
        })
    };
    let right = [Some((2, 1)), Some((3, 1))];
    let [old, new] = [format!("{said}{links}"), format!("{said}{links}{more}")].map(parse);
    assert_eq!([exits(&old, &old), exits(&old, &new), exits(&new, &old)], [right; 3]);
    // Where the file does not say it, drain the switch before.
    let [old, new] = [links.to_owned(), format!("{links}{more}")].map(parse);
    assert!(exits(&old, &old) == right && exits(&old, &new) != right);
}
