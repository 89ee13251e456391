//! What the tests compare with. It lists every simple path of a small graph and tries every multiset, or runs
//! Bellman-Ford on a blown-up network: as different from the code under test as can be.

use std::collections::{HashMap, HashSet};

use smoc_common::route::PortNumber;

use super::options::Protect;
use super::path::Path;
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

/// Links shared, switches shared, cost.
pub(super) type Judgement = (u64, u64, u64);

/// The definition of `diverse`, by trying everything: every simple path of a small graph is listed, and every way to go
/// on.
pub(super) struct Definition {
    paths: Vec<(u64, Vec<u32>)>,
    /// What two paths share: links, then switches if these count.
    between: Vec<Vec<(u64, u64)>>,
}

impl Definition {
    pub fn new(topology: &Topology, from: SwitchId, to: SwitchId, protect: Protect) -> Self {
        let paths = all_paths(topology, from, to);
        let groups = |link: u32| &topology.links()[link as usize].srlg;
        let meet = |l: u32, m: u32| l == m || groups(l).iter().any(|group| groups(m).contains(group));
        let transit = |path: &(u64, Vec<u32>)| {
            let ends =
                |&l: &u32| [topology.links()[l as usize].a.switch, topology.links()[l as usize].b.switch];
            let switches: HashSet<_> =
                path.1.iter().flat_map(ends).filter(|&s| s != from && s != to).collect();
            switches
        };
        let share = |a: &(u64, Vec<u32>), b: &(u64, Vec<u32>)| {
            let links = a.1.iter().map(|&l| b.1.iter().filter(|&&m| meet(l, m)).count() as u64).sum();
            let switches = match protect {
                Protect::Node => transit(a).intersection(&transit(b)).count() as u64,
                Protect::Link => 0,
            };
            (links, switches)
        };
        let between = paths.iter().map(|a| paths.iter().map(|b| share(a, b)).collect()).collect();
        Self { paths, between }
    }

    /// How many simple paths there are.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    fn sharing(&self, path: usize, others: &[usize]) -> (u64, u64) {
        let shares = others.iter().map(|&other| self.between[path][other]);
        shares.fold((0, 0), |sum, share| (sum.0 + share.0, sum.1 + share.1))
    }

    fn judge(&self, set: &[usize]) -> Judgement {
        let shared = (0..set.len()).map(|i| self.sharing(set[i], &set[..i]));
        let (links, switches) = shared.fold((0, 0), |sum, share| (sum.0 + share.0, sum.1 + share.1));
        (links, switches, set.iter().map(|&path| self.paths[path].0).sum())
    }

    /// The best multiset of `count` of these paths that has each of `each`.
    fn best(&self, of: &[usize], each: &[usize], count: usize, bound: Judgement) -> Judgement {
        fn choose(this: &Definition, of: &[usize], set: &mut Vec<usize>, count: usize, best: &mut Judgement) {
            let now = this.judge(set);
            if now > *best {
                return;
            }
            if set.len() == count {
                *best = now;
                return;
            }
            for (i, &path) in of.iter().enumerate() {
                set.push(path);
                choose(this, &of[i..], set, count, best);
                set.pop();
            }
        }
        let mut best = bound;
        choose(self, of, &mut each.to_vec(), count, &mut best);
        best
    }

    /// The best pair of different paths.
    fn pair(&self) -> Judgement {
        let pairs = (0..self.len()).flat_map(|b| (0..b).map(move |a| [a, b]));
        pairs.map(|pair| self.judge(&pair)).min().unwrap_or((0, 0, 0))
    }

    /// The least that any path not in `prefix` shares with it.
    fn least_sharing(&self, prefix: &[usize]) -> Option<(u64, u64)> {
        let new = (0..self.len()).filter(|path| !prefix.contains(path));
        new.map(|path| self.sharing(path, prefix)).min()
    }

    /// Whether a set of which some multiset is the optimum has an order with good prefixes.
    fn optimum_has_good_order(&self, count: usize, optimum: Judgement) -> bool {
        let mut seen: HashSet<Vec<usize>> = HashSet::new();
        let pairs = (0..self.len()).flat_map(|b| (0..b).map(move |a| vec![a, b]));
        let mut open: Vec<Vec<usize>> = pairs.filter(|pair| self.judge(pair) == self.pair()).collect();
        while let Some(prefix) = open.pop() {
            if !seen.insert(prefix.clone()) || self.judge(&prefix) > optimum {
                continue;
            }
            let bound = (optimum.0, optimum.1, optimum.2 + 1);
            if self.best(&prefix, &prefix, count, bound) == optimum {
                return true;
            }
            let least = self.least_sharing(&prefix);
            let new = (0..self.len()).filter(|path| prefix.len() < count && !prefix.contains(path));
            for path in new.filter(|&path| Some(self.sharing(path, &prefix)) == least) {
                let mut longer = prefix.clone();
                longer.push(path);
                longer.sort_unstable();
                open.push(longer);
            }
        }
        false
    }

    /// Whether the whole answer is the optimum of all sets of `count` paths, if an optimum with good prefixes exists;
    /// every prefix must be as good as the definition says.
    pub fn check(&self, answer: &[Path], count: usize) {
        let number = |path: &Path| {
            let links: Vec<u32> = path.links.iter().map(|link| link.0).collect();
            self.paths.iter().position(|(_, other)| *other == links).expect("one of the simple paths")
        };
        let chosen: Vec<usize> = answer.iter().map(number).collect();
        assert!(chosen.len() >= count.min(self.len()).min(2));
        if let [first] = chosen[..] {
            assert_eq!(self.paths[first].0, self.paths[0].0);
        }
        if chosen.len() < 2 {
            return;
        }
        assert_eq!(self.judge(&chosen[..2]), self.pair(), "the first two");
        assert!(self.paths[chosen[0]].0 <= self.paths[chosen[1]].0);
        for rank in 2..chosen.len() {
            let prefix = &chosen[..rank];
            assert_eq!(Some(self.sharing(chosen[rank], prefix)), self.least_sharing(prefix), "rank {rank}");
        }
        let all: Vec<usize> = (0..self.len()).collect();
        let optimum = self.best(&all, &[], count, (u64::MAX, 0, 0));
        let bound = (optimum.0, optimum.1, optimum.2 + 1);
        if self.best(&chosen, &chosen, count, bound) != optimum {
            assert!(
                !self.optimum_has_good_order(count, optimum),
                "the optimum has an order with good prefixes"
            );
        }
    }
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
