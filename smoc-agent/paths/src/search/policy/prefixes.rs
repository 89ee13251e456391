//! Orders of which every prefix is good: of a set of paths, or path by path.

use crate::search::deviation::Deviation;
use crate::search::extension::Extension;
use crate::search::graph::Weight;
use crate::search::optimum::Optimum;
use crate::search::query::Used;
use crate::search::reduced::{Network, Reduced};
use crate::search::remainder::Remainder;
use crate::search::share::Shares;
use crate::search::spur::SpurSearch;
use crate::topology::Topology;

/// What ranking needs beside the network.
pub(super) struct Work {
    pub shares: Shares,
    extension: Extension,
    deviation: Deviation,
    pub spur: SpurSearch,
}

impl Work {
    pub fn new(topology: &Topology, switches_count: bool) -> Self {
        Self {
            shares: Shares::new(topology, switches_count),
            extension: Extension::default(),
            deviation: Deviation::default(),
            spur: SpurSearch::new(topology.switches().len()),
        }
    }
}

/// Goes on from ranks, which were added to the shares, with what shares the least, up to `count`.
pub(super) fn extended(
    network: &Reduced,
    count: usize,
    work: &mut Work,
    ranked: Vec<Vec<u32>>,
) -> Vec<Vec<u32>> {
    Prefixes { network, count, work, has_all: true }.extended(ranked)
}

/// A set of paths out of which an order is to be made.
pub(super) trait Supply {
    /// The two lightest as a pair, the lighter first.
    fn pair(&mut self, network: &Reduced, shares: &mut Shares) -> Option<Vec<Vec<u32>>>;
    /// Takes a path out.
    fn remove(&mut self, links: &[u32]);
    /// The path, none of those `ranked`, that shares the least with what was added to `shares`, then costs the least.
    fn best(&mut self, network: &Reduced, shares: &Shares, ranked: &[Vec<u32>]) -> Option<Vec<u32>>;
}

/// A flow that can be taken apart in several ways.
pub(super) struct Flow<'a> {
    left: &'a mut Remainder,
    whole: &'a [Used],
    /// The lightest of all pairs.
    pair: &'a [Used],
    of_pair: &'a mut Remainder,
}

/// Memory to take flows apart in.
#[derive(Default)]
pub(super) struct Remainders {
    whole: Remainder,
    part: Remainder,
}

impl Remainders {
    /// A flow and the lightest of all pairs.
    pub fn flow<'a>(&'a mut self, network: &Reduced, Optimum { pair, whole }: &'a Optimum) -> Flow<'a> {
        self.whole.begin(network, whole);
        Flow { left: &mut self.whole, whole, pair, of_pair: &mut self.part }
    }
}

impl Supply for Flow<'_> {
    fn pair(&mut self, network: &Reduced, shares: &mut Shares) -> Option<Vec<Vec<u32>>> {
        let within = |part: &Used| {
            let same = |used: &&Used| used.link == part.link && used.from == part.from;
            self.whole.iter().find(same).is_some_and(|used| used.units >= part.units)
        };
        if self.pair.iter().all(within) {
            self.of_pair.begin(network, self.pair);
        } else {
            self.of_pair.begin(network, &self.left.lightest_pair(network)?);
        }
        shares.clear();
        let first = self.of_pair.best(network, shares, &[])?;
        self.of_pair.remove(&first);
        let second = self.of_pair.best(network, shares, &[])?;
        Some(vec![first, second])
    }

    fn remove(&mut self, links: &[u32]) {
        self.left.remove(links);
    }

    fn best(&mut self, network: &Reduced, shares: &Shares, ranked: &[Vec<u32>]) -> Option<Vec<u32>> {
        self.left.best(network, shares, ranked)
    }
}

/// Paths as they are, the lightest first: of pairs that weigh the same the first is taken, seen from either end.
pub(super) struct Set(pub Vec<Vec<u32>>);

impl Supply for Set {
    fn pair(&mut self, network: &Reduced, shares: &mut Shares) -> Option<Vec<Vec<u32>>> {
        let Self(paths) = self;
        let pairs = (0..paths.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let (a, b) = pairs.min_by_key(|&(a, b)| pair_weight(network, shares, &paths[a], &paths[b]))?;
        Some(vec![paths[a].clone(), paths[b].clone()])
    }

    fn remove(&mut self, links: &[u32]) {
        self.0.retain(|path| path != links);
    }

    fn best(&mut self, network: &Reduced, shares: &Shares, _: &[Vec<u32>]) -> Option<Vec<u32>> {
        self.0.iter().min_by_key(|links| network.shared(shares, links) + network.length(links)).cloned()
    }
}

/// What two paths weigh together.
fn pair_weight(network: &Reduced, shares: &mut Shares, a: &[u32], b: &[u32]) -> Weight {
    shares.clear();
    shares.add(a, network.switches(a));
    network.length(a) + network.length(b) + network.shared(shares, b)
}

/// Ranks path by path.
pub(super) struct Prefixes<'a> {
    pub network: &'a Reduced,
    pub count: usize,
    pub work: &'a mut Work,
    /// Whether the network has all paths; else an extension is only good if it shares no more than is unavoidable.
    pub has_all: bool,
}

impl Prefixes<'_> {
    /// In links of the whole network.
    pub fn expanded(&self, paths: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
        paths.iter().map(|links| self.network.expand(links)).collect()
    }

    fn add(&mut self, links: &[u32]) {
        self.work.shares.add(links, self.network.switches(links));
    }

    /// The paths of a flow of so many units: always the one that shares the least with those before, then is the
    /// cheapest. Only when nothing but these is left one of them comes again.
    pub fn units(&mut self, left: &mut Remainders, flow: &[Used], units: usize) -> Vec<Vec<u32>> {
        let left = &mut left.part;
        left.begin(self.network, flow);
        let mut paths: Vec<Vec<u32>> = Vec::with_capacity(units);
        self.work.shares.clear();
        while paths.len() < units {
            let new = left.best(self.network, &self.work.shares, &paths);
            let Some(links) = new.or_else(|| left.best(self.network, &self.work.shares, &[])) else { break };
            left.remove(&links);
            self.add(&links);
            paths.push(links);
        }
        paths
    }

    /// Begins with two paths.
    fn begin(&mut self, pair: &[Vec<u32>]) {
        self.work.shares.clear();
        pair.iter().for_each(|links| self.add(links));
    }

    /// What two paths weigh together.
    pub fn pair_weight(&mut self, a: &[u32], b: &[u32]) -> Weight {
        pair_weight(self.network, &mut self.work.shares, a, b)
    }

    /// An order of the paths supplied of which every prefix is as good as can be; the lightest of all pairs weighs
    /// `lightest`.
    pub fn good_order(&mut self, lightest: Weight, supply: &mut impl Supply) -> Option<Vec<Vec<u32>>> {
        let network = self.network;
        let mut ranked = supply.pair(network, &mut self.work.shares)?;
        if network.untied(self.pair_weight(&ranked[0], &ranked[1])) > network.untied(lightest) {
            return None;
        }
        self.begin(&ranked);
        ranked.iter().for_each(|links| supply.remove(links));
        while ranked.len() < self.count
            && let Some(links) = supply.best(network, &self.work.shares, &ranked)
        {
            let shared = network.shared(&self.work.shares, &links);
            if shared > network.unavoidable(&self.work.shares) {
                if !self.has_all {
                    return None;
                }
                // What any path shares, also a ranked one, is found more easily than the best of the others.
                let Work { shares, extension, .. } = &mut *self.work;
                let needed: u64 = links
                    .iter()
                    .zip(network.switches(&links))
                    .map(|(&l, to)| network.sharing(shares, l, to))
                    .sum();
                if needed > extension.least(network, shares)? {
                    let extension = self.extension(&ranked)?;
                    if shared > network.shared(&self.work.shares, &extension) {
                        return None;
                    }
                }
            }
            supply.remove(&links);
            self.add(&links);
            ranked.push(links);
        }
        Some(ranked)
    }

    /// Where a head has all paths but one: what is left of the optimal flow without it, if that is another path and shares no
    /// more with the head than is unavoidable. Then the head and this path are a good order, and the one that
    /// [`Prefixes::good_order`] finds: of all paths that begin with the same link that of a head is the lightest, one that
    /// begins with a link of none costs more, and what is not ranked yet of the head shares nothing.
    pub fn last(&mut self, head: &[Vec<u32>], whole: &[Used]) -> Option<Vec<u32>> {
        if head.len() < 2 || head.len() + 1 != self.count {
            return None;
        }
        let network = self.network;
        let (start, goal) = network.ends();
        let mut left = whole.to_vec();
        self.work.shares.clear();
        for links in head {
            let mut at = start;
            for (&link, to) in links.iter().zip(network.switches(links)) {
                let used = &mut left[whole.binary_search_by_key(&link, |used| used.link).ok()?];
                used.units = used.units.checked_sub(1).filter(|_| used.from == at)?;
                at = to;
            }
            self.add(links);
        }
        let mut links = Vec::with_capacity(8);
        let mut at = start;
        while at != goal {
            let used = left.iter_mut().find(|used| used.from == at && used.units > 0)?;
            used.units -= 1;
            links.push(used.link);
            at = used.to;
        }
        let shares = &self.work.shares;
        let is_good = network.shared(shares, &links) <= network.unavoidable(shares);
        (is_good && !head.contains(&links)).then_some(links)
    }

    /// Of all paths that are not ranked yet the one that shares the least with those that are, then is the cheapest.
    fn extension(&mut self, ranked: &[Vec<u32>]) -> Option<Vec<u32>> {
        let Work { shares, extension, deviation, .. } = &mut *self.work;
        let lightest = extension.lightest(self.network, shares)?;
        if !ranked.contains(&lightest) {
            return Some(lightest);
        }
        deviation.lightest(self.network, shares, ranked)
    }

    /// A pair, and always the best extension.
    pub fn extended(&mut self, mut ranked: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
        self.begin(&ranked);
        while ranked.len() < self.count
            && let Some(links) = self.extension(&ranked)
        {
            self.add(&links);
            ranked.push(links);
        }
        ranked
    }
}
