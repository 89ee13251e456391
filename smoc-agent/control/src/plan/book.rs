//! The ranked paths from this switch to every edge, as topology and links give them, and the path sets made of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
};

use smoc_common::{
    map::{self, PathSet},
    route::Rank,
};

use smoc_paths::{
    search::{OptionsError, Path, PathFinder, PathOptions, Unroutable, routable, substituted},
    topology::{LinkId, SwitchId, Topology},
};

/// Paths to one edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgePaths {
    /// Those in use, by rank.
    pub ranked: Vec<Path>,
    /// Those of least cost, for what is no MPTCP.
    pub base: Vec<Path>,
    /// The ranked paths and those of least cost with all links up, while those in use are others.
    planned: Option<(Vec<Path>, Vec<Path>)>,
    /// Those that no source route can describe; `rank` counts all paths together.
    pub unroutable: Vec<Unroutable>,
    /// What of the book's [`Wish`] cannot be had on the way there.
    pub unmet: Vec<Unmet>,
}

/// What paths should be beside what [`PathOptions`] say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The links that they keep off, as far as other links lead there.
    pub avoid: BTreeSet<LinkId>,
    /// Which ranks are used, in this order, for what is no MPTCP the first; all if empty.
    pub ranks: Vec<usize>,
}

/// What of a [`Wish`] cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unmet {
    /// All paths need a link that they should keep off: they are chosen as if it said nothing of that.
    Avoid,
    /// The links that are left are down: some ranks use what they should keep off.
    AvoidWhileDown,
    /// There are fewer paths than that it names ranks of: those that there are count, all if none of them is.
    Ranks,
}

impl EdgePaths {
    /// The path that a rank has with all links up, if it takes another one meanwhile.
    pub fn instead_of(&self, rank: usize) -> Option<&Path> {
        let planned = self.planned.as_ref()?.0.get(rank)?;
        self.ranked.get(rank).filter(|now| now.links != planned.links).map(|_| planned)
    }

    /// Uses the planned paths.
    fn restore(&mut self) {
        if let Some(planned) = self.planned.take() {
            (self.ranked, self.base) = planned;
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avoid => {
                "no way there keeps off all that it avoids: paths are chosen as if it avoided nothing"
            }
            Self::AvoidWhileDown => {
                "links are down, and what is left needs what it avoids: ranks use it meanwhile"
            }
            Self::Ranks => {
                "there are fewer ranks than it names: those that there are are used, all if none of them is"
            }
        })
    }
}

impl Wish {
    /// Leaves the ranks that are used.
    fn choose(&self, paths: &mut EdgePaths) {
        if self.ranks.is_empty() {
            return;
        }
        let chosen: Vec<Path> =
            self.ranks.iter().filter_map(|rank| paths.ranked.get(*rank).cloned()).collect();
        if chosen.len() < self.ranks.len() {
            paths.unmet.push(Unmet::Ranks);
        }
        if !chosen.is_empty() {
            paths.ranked = chosen;
        }
        paths.base = paths.ranked.first().cloned().into_iter().collect();
    }
}

/// Ranked paths from one switch; each edge is searched once, and again where a link is down.
#[derive(Clone, Debug)]
pub struct PathBook {
    this: SwitchId,
    options: PathOptions,
    wish: Wish,
    down: BTreeSet<LinkId>,
    edges: BTreeMap<SwitchId, EdgePaths>,
    /// How many searches there have been.
    searches: u64,
}

impl PathBook {
    /// An empty book for paths from `this`.
    pub fn new(this: SwitchId, options: PathOptions) -> Self {
        Self::wishing(this, options, Wish::default(), BTreeSet::new())
    }

    /// The same for paths of which more is wished, while links are down.
    pub fn wishing(this: SwitchId, options: PathOptions, wish: Wish, down: BTreeSet<LinkId>) -> Self {
        Self { this, options, wish, down, edges: BTreeMap::new(), searches: 0 }
    }

    /// Searches paths to those of `edges` that are not in the book yet, and returns which these are.
    ///
    /// # Errors
    /// The topology does not say what the options need.
    pub fn extend(
        &mut self,
        topology: &Topology,
        edges: &BTreeSet<SwitchId>,
    ) -> Result<Vec<SwitchId>, OptionsError> {
        let wanted = |edge: &SwitchId| *edge != self.this && !self.edges.contains_key(edge);
        let new: Vec<SwitchId> = edges.iter().copied().filter(wanted).collect();
        if new.is_empty() {
            return Ok(new);
        }
        let all = PathFinder::new(topology, &self.options)?;
        let avoided: HashSet<LinkId> = self.wish.avoid.iter().copied().collect();
        let others = (!avoided.is_empty())
            .then(|| PathFinder::without(topology, &self.options, &avoided))
            .transpose()?;
        let mut sources = [others.as_ref(), Some(&all)].map(|finder| finder.map(|it| it.source(self.this)));
        self.searches += new.len() as u64;
        for &edge in &new {
            let mut paths = EdgePaths::default();
            for source in sources.iter_mut().flatten() {
                (paths.ranked, paths.unroutable) = routable(topology, source.to(edge));
                (paths.base, _) = routable(topology, source.base(edge));
                if !paths.ranked.is_empty() {
                    break;
                }
            }
            if paths
                .ranked
                .iter()
                .chain(&paths.base)
                .any(|path| path.links.iter().any(|link| avoided.contains(link)))
            {
                paths.unmet.push(Unmet::Avoid);
            }
            self.wish.choose(&mut paths);
            self.edges.insert(edge, paths);
        }
        self.substitute(topology, &new)?;
        Ok(new)
    }

    /// Which links are down from now on: ranks that need one take other paths, as far as there are any.
    ///
    /// # Errors
    /// The topology does not say what the options need.
    pub fn set_down(&mut self, topology: &Topology, down: &BTreeSet<LinkId>) -> Result<(), OptionsError> {
        if self.down == *down {
            return Ok(());
        }
        self.down.clone_from(down);
        let all: Vec<SwitchId> = self.edges.keys().copied().collect();
        self.substitute(topology, &all)
    }

    fn substitute(&mut self, topology: &Topology, edges: &[SwitchId]) -> Result<(), OptionsError> {
        let is_down = |link: LinkId| self.down.contains(&link);
        let needs_one = |path: &Path| path.links.iter().any(|link| is_down(*link));
        let mut broken = Vec::new();
        for edge in edges {
            let Some(paths) = self.edges.get_mut(edge) else { continue };
            paths.restore();
            paths.unmet.retain(|unmet| *unmet != Unmet::AvoidWhileDown);
            if paths.ranked.iter().chain(&paths.base).any(needs_one) {
                broken.push(*edge);
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        let down: HashSet<LinkId> = self.down.iter().copied().collect();
        let all = PathFinder::without(topology, &self.options, &down)?;
        let unwanted: HashSet<LinkId> =
            down.union(&self.wish.avoid.iter().copied().collect()).copied().collect();
        let others = (unwanted.len() > down.len())
            .then(|| PathFinder::without(topology, &self.options, &unwanted))
            .transpose()?;
        let mut sources = [others.as_ref(), Some(&all)].map(|finder| finder.map(|it| it.source(self.this)));
        self.searches += broken.len() as u64;
        for edge in broken {
            let Some(paths) = self.edges.get_mut(&edge) else { continue };
            let (mut found, mut base) = (Vec::new(), Vec::new());
            for source in sources.iter_mut().flatten() {
                (found, _) = routable(topology, source.to(edge));
                (base, _) = routable(topology, source.base(edge));
                if !found.is_empty() {
                    break;
                }
            }
            let ranked = substituted(topology, &paths.ranked, is_down, found);
            let is_avoided = |path: &Path| path.links.iter().any(|link| self.wish.avoid.contains(link));
            if ranked.iter().any(is_avoided) && !paths.unmet.contains(&Unmet::Avoid) {
                paths.unmet.push(Unmet::AvoidWhileDown);
            }
            if !self.wish.ranks.is_empty() {
                base = ranked.first().cloned().into_iter().collect();
            }
            let planned =
                (std::mem::replace(&mut paths.ranked, ranked), std::mem::replace(&mut paths.base, base));
            paths.planned = Some(planned);
        }
        Ok(())
    }

    /// What is wished of paths.
    pub fn wish(&self) -> &Wish {
        &self.wish
    }

    /// How many pairs of edges have been searched so far, each as often as it was.
    pub fn searches(&self) -> u64 {
        self.searches
    }

    /// The links that are down.
    pub fn down(&self) -> &BTreeSet<LinkId> {
        &self.down
    }

    /// How paths are chosen.
    pub fn options(&self) -> &PathOptions {
        &self.options
    }

    /// The paths to an edge that was asked for in [`PathBook::extend`].
    pub fn to(&self, edge: SwitchId) -> Option<&EdgePaths> {
        self.edges.get(&edge)
    }

    /// All edges in the book.
    pub fn edges(&self) -> impl Iterator<Item = (SwitchId, &EdgePaths)> {
        self.edges.iter().map(|(edge, paths)| (*edge, paths))
    }

    /// The path set of an edge; `None` if no path leads there.
    pub fn path_set(&self, topology: &Topology, edge: SwitchId) -> Option<PathSet> {
        let EdgePaths { ranked, base, .. } = self.to(edge)?;
        let entry = |path: &Path| {
            let (_, port) = path.hops(topology).next()?;
            Some(map::Path::new(port, path.route(topology).ok()?))
        };
        let mut set = PathSet {
            count: ranked.len().min(Rank::COUNT) as u8,
            base_count: base.len().min(Rank::COUNT) as u8,
            ..PathSet::default()
        };
        let (ranks, others) = set.paths.split_at_mut(PathSet::BASE);
        for (to, path) in ranks.iter_mut().zip(ranked).chain(others.iter_mut().zip(base)) {
            *to = entry(path)?;
        }
        (set.count > 0).then_some(set)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use smoc_paths::{search::Policy, topology::generate};

    const POLICIES: [Policy; 3] = [Policy::Diverse, Policy::Smoc, Policy::Shortest];

    fn fabric() -> Topology {
        generate::fat_tree(4).unwrap().build().unwrap()
    }

    /// The paths from one switch to another while these links are down.
    fn paths(
        topology: &Topology,
        from: u32,
        to: u32,
        options: PathOptions,
        down: &BTreeSet<LinkId>,
    ) -> EdgePaths {
        let mut book = PathBook::new(SwitchId(from), options);
        book.extend(topology, &BTreeSet::from([SwitchId(to)])).unwrap();
        book.set_down(topology, down).unwrap();
        book.to(SwitchId(to)).unwrap().clone()
    }

    fn links(paths: &EdgePaths) -> Vec<Vec<LinkId>> {
        paths.ranked.iter().map(|path| path.links.clone()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn ranks_that_work_stay_and_the_others_take_what_works(
            down in proptest::collection::btree_set(0u32..32, 0..8),
            (from, to) in (0u32..20, 0u32..20).prop_filter("two switches", |(from, to)| from != to),
            policy in 0usize..3,
            count in 1usize..=8,
        ) {
            let topology = fabric();
            let down: BTreeSet<LinkId> = down.into_iter().map(LinkId).collect();
            let options = PathOptions { policy: POLICIES[policy], count, ..PathOptions::default() };
            let whole = paths(&topology, from, to, options, &BTreeSet::new());
            let now = paths(&topology, from, to, options, &down);
            prop_assert_eq!(whole.ranked.len(), now.ranked.len());
            let is_broken = |path: &Path| path.links.iter().any(|link| down.contains(link));
            let others = PathFinder::without(&topology, &options, &down.iter().copied().collect()).unwrap();
            let others = others.ranked(SwitchId(from), SwitchId(to));
            for (rank, (before, path)) in whole.ranked.iter().zip(&now.ranked).enumerate() {
                if !is_broken(before) {
                    prop_assert_eq!(&before.links, &path.links);
                } else if is_broken(path) {
                    prop_assert!(others.iter().all(|other| links(&now).contains(&other.links)), "one is left");
                } else {
                    prop_assert_eq!(now.instead_of(rank), Some(before));
                }
            }
            let mut seen = links(&now);
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), now.ranked.len(), "no path twice");
        }

        #[test]
        fn wishes_are_met_alike_at_both_ends_and_never_leave_a_pair_without_a_path(
            (down, avoid) in (proptest::collection::btree_set(0u32..32, 0..6), proptest::collection::btree_set(0u32..32, 0..12)),
            (from, to) in (0u32..20, 0u32..20).prop_filter("two switches", |(from, to)| from != to),
            ranks in proptest::sample::subsequence(vec![0usize, 1, 2, 5, 7], 0..4),
            count in 1usize..=8,
        ) {
            let topology = fabric();
            let links = |ids: BTreeSet<u32>| ids.into_iter().map(LinkId).collect::<BTreeSet<_>>();
            let (down, avoid) = (links(down), links(avoid));
            let options = PathOptions { count, ..PathOptions::default() };
            let wish = Wish { avoid: avoid.clone(), ranks: ranks.clone() };
            let book = |from: u32, to: u32, early: bool| {
                let at_first = if early { down.clone() } else { BTreeSet::new() };
                let mut book = PathBook::wishing(SwitchId(from), options, wish.clone(), at_first);
                book.extend(&topology, &BTreeSet::from([SwitchId(to)])).unwrap();
                book.set_down(&topology, &down).unwrap();
                book.to(SwitchId(to)).unwrap().clone()
            };
            let (there, back) = (book(from, to, false), book(to, from, true));
            let turned: Vec<Path> = back.ranked.iter().map(|path| path.clone().reversed()).collect();
            prop_assert_eq!(&there.ranked, &turned);
            prop_assert_eq!(&there.unmet, &back.unmet);
            prop_assert!(!there.ranked.is_empty());
            let avoids = |path: &Path| path.links.iter().all(|link| !avoid.contains(link));
            if there.unmet.iter().all(|unmet| *unmet == Unmet::Ranks) {
                prop_assert!(there.ranked.iter().chain(&there.base).all(avoids));
            }
            let works = |path: &Path| path.links.iter().all(|link| !down.contains(link));
            let any = paths(&topology, from, to, options, &down);
            if any.ranked.iter().any(works) {
                prop_assert!(there.ranked.iter().any(works) && !there.base.is_empty(), "a way is left and not taken");
            }
            if !ranks.is_empty() {
                prop_assert!(there.base.len() == 1 && there.base[0] == there.ranked[0]);
                prop_assert!(there.unmet.contains(&Unmet::Ranks) || there.ranked.len() == ranks.len());
            }
        }

        #[test]
        fn both_ends_choose_alike_and_what_happened_before_does_not_matter(
            down in proptest::collection::vec(proptest::collection::btree_set(0u32..32, 0..8), 1..5),
            (from, to) in (0u32..20, 0u32..20).prop_filter("two switches", |(from, to)| from != to),
        ) {
            let topology = fabric();
            let options = PathOptions { count: 4, ..PathOptions::default() };
            let down: Vec<BTreeSet<LinkId>> =
                down.into_iter().map(|links| links.into_iter().map(LinkId).collect()).collect();
            let mut book = PathBook::new(SwitchId(from), options);
            let mut far = PathBook::new(SwitchId(to), options);
            book.extend(&topology, &BTreeSet::from([SwitchId(to)])).unwrap();
            for down in &down {
                book.set_down(&topology, down).unwrap();
            }
            far.set_down(&topology, &down[down.len() - 1]).unwrap();
            far.extend(&topology, &BTreeSet::from([SwitchId(from)])).unwrap();
            let back: Vec<Path> =
                far.to(SwitchId(from)).unwrap().ranked.iter().map(|path| path.clone().reversed()).collect();
            prop_assert_eq!(&book.to(SwitchId(to)).unwrap().ranked, &back);
            book.set_down(&topology, &BTreeSet::new()).unwrap();
            let whole = paths(&topology, from, to, options, &BTreeSet::new());
            prop_assert_eq!(book.to(SwitchId(to)).unwrap(), &whole);
        }
    }
}
