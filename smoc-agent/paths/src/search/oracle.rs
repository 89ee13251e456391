//! What the tests compare with. It lists every simple path of a small graph and tries every multiset, or runs
//! Bellman-Ford on a blown-up network: as different from the code under test as can be.

use std::collections::HashMap;

use smoc_common::route::PortNumber;

use crate::topology::{Draft, DraftLink, SwitchId, Topology};

/// A multigraph: links (a, b, cost, group) between switches named s0, s1 ...
pub(super) type Links = Vec<(usize, usize, u32, Option<u8>)>;

pub(super) fn topology(links: &Links) -> Topology {
    draft(links).build().unwrap()
}

pub(super) fn draft(links: &Links) -> Draft {
    let mut used: HashMap<usize, u16> = HashMap::new();
    let mut port = |switch: usize| {
        let number = used.entry(switch).or_default();
        *number += 1;
        (format!("s{switch}"), PortNumber::new(*number).unwrap())
    };
    let links = (links.iter().enumerate())
        .map(|(entry, &(a, b, cost, group))| DraftLink {
            entry,
            a: port(a),
            b: port(b),
            capacity: None,
            latency: None,
            cost,
            srlg: group.iter().map(|group| format!("g{group}")).collect(),
        })
        .collect();
    Draft { links, ..Draft::default() }
}

/// Every simple path, as a list of link numbers, with its cost.
pub(super) fn all_paths(topology: &Topology, from: SwitchId, to: SwitchId) -> Vec<(u64, Vec<u32>)> {
    fn walk(
        topology: &Topology,
        at: SwitchId,
        to: SwitchId,
        seen: &mut Vec<SwitchId>,
        links: &mut Vec<u32>,
        found: &mut Vec<(u64, Vec<u32>)>,
    ) {
        if at == to {
            let cost = links.iter().map(|&l| u64::from(topology.links()[l as usize].cost)).sum();
            found.push((cost, links.clone()));
            return;
        }
        for arc in topology.arcs(at) {
            if !seen.contains(&arc.to.switch) {
                seen.push(arc.to.switch);
                links.push(arc.link.0);
                walk(topology, arc.to.switch, to, seen, links, found);
                links.pop();
                seen.pop();
            }
        }
    }
    let mut found = Vec::new();
    walk(topology, from, to, &mut vec![from], &mut Vec::new(), &mut found);
    found.sort();
    found
}

/// Sharing, then cost of a multiset of paths given as (path, how often).
pub(super) fn objective<'a>(paths: impl Iterator<Item = (&'a (u64, Vec<u32>), u64)>) -> (u64, u64) {
    let mut uses: HashMap<u32, u64> = HashMap::new();
    let mut cost = 0;
    for ((path_cost, links), times) in paths {
        cost += path_cost * times;
        for &link in links {
            *uses.entry(link).or_default() += times;
        }
    }
    (uses.values().map(|n| n * n.saturating_sub(1) / 2).sum(), cost)
}

/// The least objective of all multisets of `count` of these paths, all of which occur if `each`.
pub(super) fn least(paths: &[(u64, Vec<u32>)], count: u64, each: bool) -> (u64, u64) {
    fn choose(paths: &[(u64, Vec<u32>)], times: &mut Vec<u64>, left: u64, each: bool, best: &mut (u64, u64)) {
        if times.len() == paths.len() {
            if left == 0 {
                *best = (*best).min(objective(paths.iter().zip(times.iter().copied())));
            }
            return;
        }
        for n in u64::from(each)..=left {
            times.push(n);
            if objective(paths.iter().zip(times.iter().copied())) <= *best {
                choose(paths, times, left - n, each, best);
            }
            times.pop();
        }
    }
    let mut best = (u64::MAX, u64::MAX);
    choose(paths, &mut Vec::new(), count, each, &mut best);
    best
}

/// Sharing and cost of the optimal flow by Bellman-Ford on a network in which every link is `count` parallel arcs a
/// direction, the n-th of which costs n sharings more: as different from the code under test as can be.
pub(super) fn reference_flow(
    topology: &Topology,
    from: SwitchId,
    to: SwitchId,
    count: usize,
) -> Option<(i64, i64)> {
    let mut arcs: Vec<(usize, usize, (i64, i64))> = Vec::new();
    for link in topology.links() {
        for n in 0..count as i64 {
            for (a, b) in [(link.a, link.b), (link.b, link.a)] {
                arcs.push((a.switch.index(), b.switch.index(), (n, i64::from(link.cost))));
            }
        }
    }
    let mut total = (0, 0);
    let mut reversed = vec![false; arcs.len()];
    for _ in 0..count {
        let mut best: Vec<Option<((i64, i64), usize)>> = vec![None; topology.switches().len()];
        best[from.index()] = Some(((0, 0), usize::MAX));
        for _ in topology.switches() {
            for (i, &(a, b, (n, cost))) in arcs.iter().enumerate() {
                let (a, b, sign) = if reversed[i] { (b, a, -1) } else { (a, b, 1) };
                if let Some(((shared, sum), _)) = best[a] {
                    let there = (shared + sign * n, sum + sign * cost);
                    if best[b].is_none_or(|(here, _)| there < here) {
                        best[b] = Some((there, i));
                    }
                }
            }
        }
        let ((shared, cost), _) = best[to.index()]?;
        total = (total.0 + shared, total.1 + cost);
        let mut at = to.index();
        while at != from.index() {
            let (_, i) = best[at]?;
            at = if reversed[i] { arcs[i].1 } else { arcs[i].0 };
            reversed[i] = !reversed[i];
        }
    }
    Some(total)
}
