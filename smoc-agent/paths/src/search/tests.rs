//! The three policies against enumeration of all paths, on random multigraphs.

use std::collections::HashSet;

use proptest::prelude::*;

use super::diverse::{FlowSearch, Query};
use super::flow::LinkFlow;
use super::oracle::{Links, all_paths, draft, least, reference_flow, topology};
use super::tight::Tight;
use super::{Path, PathFinder, PathOptions, Policy, Protect, Table};
use crate::topology::generate::fat_tree;
use crate::topology::{LinkId, SwitchId, Topology};

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
    fn diverse_is_the_optimum_of_all_multisets(links in graphs(5, 8, 4), count in 1usize..=5) {
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        let finder = PathFinder::new(&topology, &options(Policy::Diverse, count)).unwrap();
        let paths = finder.ranked(from, to);
        check_shape(&topology, from, to, &paths);
        let all = all_paths(&topology, from, to);
        if all.is_empty() {
            prop_assert!(paths.is_empty());
            return Ok(());
        }
        let optimum = least(&all, count as u64, false);
        let chosen: Vec<_> = paths.iter().map(numbers).collect();
        prop_assert_eq!(least(&chosen, count as u64, true), optimum);
        let mut taken: HashSet<u32> = HashSet::new();
        for rank in 0..chosen.len() {
            let key = |p: &(u64, Vec<u32>)| (p.1.iter().filter(|l| taken.contains(l)).count(), p.0);
            let best = chosen[rank..].iter().map(key).min();
            prop_assert_eq!(Some(key(&chosen[rank])), best, "order");
            taken.extend(&chosen[rank].1);
        }
    }

    #[test]
    fn the_way_back_is_the_way_there_reversed(links in graphs(8, 16, 3), count in 1usize..=8) {
        let topology = topology(&links);
        for policy in [Policy::Diverse, Policy::Smoc, Policy::Shortest] {
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
        for policy in [Policy::Diverse, Policy::Smoc, Policy::Shortest] {
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
        for policy in [Policy::Diverse, Policy::Smoc, Policy::Shortest] {
            let asked = options(policy, 4);
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
    fn a_table_kept_up_to_date_equals_a_new_one(
        links in graphs(7, 16, 2),
        changes in proptest::collection::vec(proptest::collection::hash_set(0u32..16, 1..3), 1..6),
        count in 1usize..=6,
    ) {
        let topology = topology(&links);
        let (from, targets) = (SwitchId(0), topology.edges());
        for (policy, protect, max_stretch) in [
            (Policy::Diverse, Protect::Link, None),
            (Policy::Diverse, Protect::Node, None),
            (Policy::Smoc, Protect::Node, None),
            (Policy::Smoc, Protect::Link, None),
            (Policy::Shortest, Protect::Link, None),
            (Policy::Diverse, Protect::Link, Some(1.3)),
            (Policy::Smoc, Protect::Link, Some(1.3)),
            (Policy::Shortest, Protect::Link, Some(1.3)),
        ] {
            let asked = PathOptions { protect, max_stretch, ..options(policy, count) };
            let mut down = HashSet::new();
            let mut table = Table::new(&PathFinder::new(&topology, &asked).unwrap(), from, &targets);
            for change in &changes {
                let change: HashSet<_> = change.iter().map(|link| LinkId(link % links.len() as u32)).collect();
                let returned: HashSet<_> = change.intersection(&down).copied().collect();
                let failed: HashSet<_> = change.difference(&down).copied().collect();
                down = down.symmetric_difference(&change).copied().collect();
                let finder = PathFinder::without(&topology, &asked, &down).unwrap();
                table.update(&finder, &failed, &returned);
                prop_assert_eq!(&table, &Table::new(&finder, from, &targets));
            }
        }
    }

    #[test]
    fn a_table_of_a_fabric_is_kept_up_to_date(
        changes in proptest::collection::vec(proptest::collection::hash_set(0u32..108, 1..12), 1..8),
        count in 1usize..=4,
        protect in prop_oneof![Just(Protect::Link), Just(Protect::Node)],
    ) {
        let topology = fat_tree(6).unwrap().build().unwrap();
        let (from, targets) = (topology.edges()[0], topology.edges());
        for policy in [Policy::Diverse, Policy::Smoc, Policy::Shortest] {
            let asked = PathOptions { protect, ..options(policy, count) };
            let mut down = HashSet::new();
            let mut table = Table::new(&PathFinder::new(&topology, &asked).unwrap(), from, &targets);
            for change in &changes {
                let change: HashSet<_> = change.iter().copied().map(LinkId).collect();
                let returned: HashSet<_> = change.intersection(&down).copied().collect();
                let failed: HashSet<_> = change.difference(&down).copied().collect();
                down = down.symmetric_difference(&change).copied().collect();
                let finder = PathFinder::without(&topology, &asked, &down).unwrap();
                table.update(&finder, &failed, &returned);
                prop_assert_eq!(&table, &Table::new(&finder, from, &targets));
                // Half of what is down comes back, nothing else changes.
                let returned: HashSet<_> = down.iter().copied().filter(|link| link.0 % 2 == 0).collect();
                down.retain(|link| link.0 % 2 != 0);
                let finder = PathFinder::without(&topology, &asked, &down).unwrap();
                table.update(&finder, &HashSet::new(), &returned);
                prop_assert_eq!(&table, &Table::new(&finder, from, &targets));
            }
        }
    }

    #[test]
    fn diverse_with_groups_is_the_optimum_of_small_graphs(
        links in graphs(5, 8, 3),
        groups in proptest::collection::vec(proptest::option::of(0u8..3), 8),
        count in 1usize..=3,
    ) {
        let links: Links =
            links.iter().zip(groups).map(|(&(a, b, cost, _), group)| (a, b, cost, group)).collect();
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        let finder = PathFinder::new(&topology, &options(Policy::Diverse, count)).unwrap();
        let paths = finder.ranked(from, to);
        check_shape(&topology, from, to, &paths);
        let meet = |l: u32, m: u32| {
            let (l, m) = (LinkId(l), LinkId(m));
            l == m || topology.link(l).srlg.iter().any(|g| topology.link(m).srlg.contains(g))
        };
        let judge = |set: &[&(u64, Vec<u32>)]| {
            let pairs = set.iter().enumerate().flat_map(|(i, a)| set[..i].iter().map(move |b| (a, b)));
            let shared: usize = pairs
                .map(|(a, b)| a.1.iter().map(|&l| b.1.iter().filter(|&&m| meet(l, m)).count()).sum::<usize>())
                .sum();
            (shared, set.iter().map(|p| p.0).sum::<u64>())
        };
        let least = |paths: &[(u64, Vec<u32>)]| {
            let mut sets: Vec<Vec<&(u64, Vec<u32>)>> = vec![Vec::new()];
            for _ in 0..count {
                sets = sets.iter().flat_map(|set| paths.iter().map(|p| [&set[..], &[p]].concat())).collect();
            }
            let all = |set: &Vec<&(u64, Vec<u32>)>| paths.iter().all(|p| set.contains(&p));
            (sets.iter().map(|set| judge(set)).min(), sets.iter().filter(|s| all(s)).map(|s| judge(s)).min())
        };
        let chosen: Vec<_> = paths.iter().map(numbers).collect();
        prop_assert_eq!(least(&chosen).1, least(&all_paths(&topology, from, to)).0);
        let back: Vec<_> = finder.ranked(to, from).into_iter().map(Path::reversed).collect();
        prop_assert_eq!(paths, back);
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
        let tight = Tight::new(graph, &distances);
        let flow = LinkFlow::new(links.len());
        let used = FlowSearch::new(flow, topology.switches().len(), Some(tight)).optimal(&query, count);
        let shared = used.iter().map(|arc| i64::from(arc.units * (arc.units - 1) / 2)).sum::<i64>();
        let cost = used.iter().map(|arc| i64::from(arc.units) * graph.cost(arc.link) as i64).sum::<i64>();
        prop_assert_eq!(Some((shared, cost)), reference_flow(&topology, from, to, count));
    }

    #[test]
    fn protecting_nodes_is_the_optimum_of_links_then_switches(links in graphs(6, 9, 3), count in 1usize..=3) {
        let topology = topology(&links);
        let (from, to) = ends(&topology);
        let asked = PathOptions { protect: Protect::Node, ..options(Policy::Diverse, count) };
        let paths = PathFinder::new(&topology, &asked).unwrap().ranked(from, to);
        check_shape(&topology, from, to, &paths);
        let transit = |path: &(u64, Vec<u32>)| {
            let ends = path.1.iter().flat_map(|&l| [topology.links()[l as usize].a, topology.links()[l as usize].b]);
            ends.map(|end| end.switch).filter(|&s| s != from && s != to).collect::<HashSet<_>>()
        };
        let judge = |set: &[&(u64, Vec<u32>)]| {
            let pairs = set.iter().enumerate().flat_map(|(i, a)| set[..i].iter().map(move |b| (a, b)));
            let shared = pairs.fold((0, 0), |(links, switches), (a, b)| {
                let both = a.1.iter().filter(|link| b.1.contains(link)).count();
                (links + both, switches + transit(a).intersection(&transit(b)).count())
            });
            (shared, set.iter().map(|p| p.0).sum::<u64>())
        };
        let least = |paths: &[(u64, Vec<u32>)], each: bool| {
            let mut sets: Vec<Vec<&(u64, Vec<u32>)>> = vec![Vec::new()];
            for _ in 0..count {
                sets = sets.iter().flat_map(|set| paths.iter().map(|p| [&set[..], &[p]].concat())).collect();
            }
            sets.retain(|set| !each || paths.iter().all(|p| set.contains(&p)));
            sets.iter().map(|set| judge(set)).min()
        };
        let chosen: Vec<_> = paths.iter().map(numbers).collect();
        prop_assert_eq!(least(&chosen, true), least(&all_paths(&topology, from, to), false));
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
        for policy in [Policy::Diverse, Policy::Smoc, Policy::Shortest] {
            let ranked = |topology: &Topology| {
                let (from, to) = ends(topology);
                PathFinder::new(topology, &options(policy, 5)).unwrap().ranked(from, to)
            };
            prop_assert_eq!(ranked(&straight), ranked(&shuffled));
        }
    }
}

#[test]
fn a_link_that_returns_where_nothing_leads_changes_nothing() {
    let topology = topology(&vec![(0, 1, 1, None), (0, 1, 1, None), (2, 3, 1, None)]);
    for policy in [Policy::Diverse, Policy::Smoc, Policy::Shortest] {
        let finder = PathFinder::new(&topology, &options(policy, 2)).unwrap();
        let mut table = Table::new(&finder, SwitchId(0), &[SwitchId(1)]);
        let changed = table.update(&finder, &HashSet::new(), &HashSet::from([LinkId(2)]));
        assert_eq!((changed, &table), (vec![], &Table::new(&finder, SwitchId(0), &[SwitchId(1)])));
    }
}
