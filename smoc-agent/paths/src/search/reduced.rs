//! The network as two switches see it: only what paths between them can use, and each chain as one link.
//!
//! A simple path passes the inner switches of a chain (those with two links) all or not at all. So sharing a chain of n
//! links is sharing n links, and what holds for the paths of the reduced network holds for those of the whole. What
//! hangs off is left out ([`super::blocks`]). Wide-area networks become several times smaller by this, fabrics do not.

use super::graph::{Arc, Graph, Seed, Weight};
use super::query::{Query, Used};
use super::share::Shares;

/// A network in which a search can look for simple paths.
pub(super) trait Network {
    /// Number of switches.
    fn len(&self) -> usize;
    /// Where paths begin and end.
    fn ends(&self) -> (u32, u32);
    /// The links of a switch.
    fn arcs(&self, switch: u32) -> &[Arc];
    /// No path from the switch to the end weighs less.
    fn rest(&self, switch: u32) -> Weight;
}

impl Network for Query<'_> {
    fn len(&self) -> usize {
        self.graph.len()
    }

    fn ends(&self) -> (u32, u32) {
        (self.start, self.root)
    }

    fn arcs(&self, switch: u32) -> &[Arc] {
        self.graph.arcs(switch)
    }

    fn rest(&self, switch: u32) -> Weight {
        Weight::from(self.to_root[switch as usize]) * self.graph.unit
    }
}

/// A chain of links between two switches that are kept.
#[derive(Clone, Copy, Debug)]
struct Chain {
    low: u32,
    high: u32,
    /// Cost of all its links, and their ties unless these are found when asked for.
    weight: Weight,
    /// What it weighs to use all its links, and pass all its inner switches, once more.
    share: Weight,
    /// Its links are `parts[first..first + count]`, from low to high.
    first: u32,
    count: u32,
}

/// The reduced network of one pair, and the memory to make the next.
#[derive(Default)]
pub(super) struct Reduced {
    /// Switches are numbered from 0; what they are called outside.
    names: Vec<u32>,
    start: u32,
    goal: u32,
    chains: Vec<Chain>,
    parts: Vec<u32>,
    /// Where chains are single links: what decides ties, and what it makes them of, by link. Most are never asked for.
    ties: Option<(Seed, Vec<u64>)>,
    first: Vec<u32>,
    arcs: Vec<Arc>,
    rest: Vec<Weight>,
    /// One switch shared; 0 if switches do not count.
    pub switch_share: Weight,
    cost_shift: u32,
    scratch: Scratch,
}

/// Of switches outside.
#[derive(Default)]
struct Scratch {
    /// How many of the links in question each switch has, and where they are in `around`.
    degree: Vec<u32>,
    first: Vec<u32>,
    around: Vec<(u32, u32)>,
    touched: Vec<u32>,
    /// The number of a switch that is kept.
    number: Vec<u32>,
    is_used: Vec<bool>,
}

const NONE: u32 = u32::MAX;

impl Network for Reduced {
    fn len(&self) -> usize {
        self.names.len()
    }

    fn ends(&self) -> (u32, u32) {
        (self.start, self.goal)
    }

    #[inline]
    fn arcs(&self, switch: u32) -> &[Arc] {
        &self.arcs[self.first[switch as usize] as usize..self.first[switch as usize + 1] as usize]
    }

    #[inline]
    fn rest(&self, switch: u32) -> Weight {
        self.rest[switch as usize]
    }
}

impl Reduced {
    /// Of these links, which hold every simple path in question.
    /// No path from a switch to the root weighs less than `rest` says.
    pub fn make(
        &mut self,
        query: &Query<'_>,
        links: &[u32],
        rest: impl Fn(u32) -> Weight,
        switches_count: bool,
    ) {
        let graph = query.graph;
        self.ties = None;
        self.switch_share = if switches_count { graph.switch_share } else { 0 };
        self.cost_shift = graph.unit.trailing_zeros();
        self.survey(graph, links);
        self.names.clear();
        self.chains.clear();
        self.parts.clear();
        self.start = self.keep(query.start);
        self.goal = self.keep(query.root);
        for position in 0..self.scratch.touched.len() {
            let switch = self.scratch.touched[position];
            if self.scratch.degree[switch as usize] != 2 {
                self.keep(switch);
            }
        }
        for number in 0..self.names.len() {
            let switch = self.names[number] as usize;
            let first = self.scratch.first[switch] as usize;
            for i in first..first + self.scratch.degree[switch] as usize {
                let (to, link) = self.scratch.around[i];
                if !self.scratch.is_used[link as usize] {
                    self.join(query, number as u32, to, link);
                }
            }
        }
        links.iter().for_each(|&link| self.scratch.is_used[link as usize] = false);
        self.index();
        self.rest.clear();
        self.rest.extend(self.names.iter().map(|&switch| rest(switch)));
    }

    /// Every link and every switch by its own number.
    pub fn whole(&mut self, query: &Query<'_>, switches_count: bool) {
        let graph = query.graph;
        self.switch_share = if switches_count { graph.switch_share } else { 0 };
        self.cost_shift = graph.unit.trailing_zeros();
        (self.start, self.goal) = (query.start, query.root);
        self.names = (0..graph.len() as u32).collect();
        self.parts = (0..graph.links() as u32).collect();
        self.chains = (0..graph.links() as u32)
            .map(|link| {
                let (low, high) = graph.ends(link);
                let weight = Weight::from(graph.cost(link)) * graph.unit;
                Chain { low, high, weight, share: graph.link_share, first: link, count: 1 }
            })
            .collect();
        self.ties = Some((query.seed, graph.link_hashes().to_vec()));
        self.first = (0..=graph.len() as u32).map(|switch| graph.first(switch)).collect();
        self.arcs = (0..graph.len() as u32).flat_map(|switch| graph.arcs(switch)).copied().collect();
        self.rest.clear();
        self.rest.extend((0..graph.len() as u32).map(|switch| query.rest(switch)));
    }

    /// The same for another pair with the same root, after [`Reduced::whole`].
    pub fn turn(&mut self, query: &Query<'_>, rest: impl Fn(u32) -> Weight) {
        self.start = query.start;
        if let Some((seed, _)) = &mut self.ties {
            *seed = query.seed;
        }
        self.rest.clear();
        self.rest.extend((0..query.graph.len() as u32).map(rest));
    }

    /// Which of these links each switch has.
    fn survey(&mut self, graph: &Graph, links: &[u32]) {
        let Scratch { degree, first, around, touched, number, is_used } = &mut self.scratch;
        degree.resize(graph.len(), 0);
        first.resize(graph.len(), 0);
        number.resize(graph.len(), NONE);
        is_used.resize(graph.links(), false);
        for switch in touched.drain(..) {
            degree[switch as usize] = 0;
            number[switch as usize] = NONE;
        }
        let mut all = 0;
        for &link in links {
            let (low, high) = graph.ends(link);
            for switch in [low, high] {
                if degree[switch as usize] == 0 {
                    touched.push(switch);
                }
                degree[switch as usize] += 1;
            }
            all += 2;
        }
        let mut next = 0;
        for &switch in &*touched {
            first[switch as usize] = next;
            next += degree[switch as usize];
        }
        around.resize(all, (0, 0));
        for &link in links {
            let (low, high) = graph.ends(link);
            for (at, to) in [(low, high), (high, low)] {
                around[first[at as usize] as usize] = (to, link);
                first[at as usize] += 1;
            }
        }
        for &switch in &*touched {
            first[switch as usize] -= degree[switch as usize];
        }
    }

    fn keep(&mut self, switch: u32) -> u32 {
        let number = &mut self.scratch.number[switch as usize];
        if *number == NONE {
            *number = self.names.len() as u32;
            self.names.push(switch);
        }
        *number
    }

    /// The chain that begins at a kept switch with this link.
    fn join(&mut self, query: &Query<'_>, from: u32, mut to: u32, mut link: u32) {
        let (graph, seed) = (query.graph, query.seed);
        let first = self.parts.len();
        let mut weight = 0;
        loop {
            self.scratch.is_used[link as usize] = true;
            self.parts.push(link);
            weight += graph.link_weight(seed, link);
            if self.scratch.number[to as usize] != NONE {
                break;
            }
            let around = self.scratch.first[to as usize] as usize;
            let [a, b] = [self.scratch.around[around], self.scratch.around[around + 1]];
            (to, link) = if a.1 == link { b } else { a };
        }
        let to = self.scratch.number[to as usize];
        if to < from {
            self.parts[first..].reverse();
        }
        let count = self.parts.len() - first;
        let share = count as Weight * graph.link_share + (count - 1) as Weight * self.switch_share;
        let (low, high) = (from.min(to), from.max(to));
        self.chains.push(Chain { low, high, weight, share, first: first as u32, count: count as u32 });
    }

    /// Makes the adjacency lists.
    fn index(&mut self) {
        let Self { names, chains, first, arcs, .. } = self;
        first.clear();
        first.resize(names.len() + 1, 0);
        for chain in &*chains {
            first[chain.low as usize + 1] += 1;
            first[chain.high as usize + 1] += 1;
        }
        for switch in 0..names.len() {
            first[switch + 1] += first[switch];
        }
        arcs.resize(2 * chains.len(), Arc { to: 0, link: 0, cost: 0 });
        for (link, chain) in chains.iter().enumerate() {
            for (at, to) in [(chain.low, chain.high), (chain.high, chain.low)] {
                let place = &mut first[at as usize];
                arcs[*place as usize] = Arc { to, link: link as u32, cost: 0 };
                *place += 1;
            }
        }
        first.rotate_right(1);
        first[0] = 0;
    }

    /// Number of links.
    pub fn links(&self) -> usize {
        self.chains.len()
    }

    /// How many links there are beyond those that join all switches, at most: independent cycles.
    pub fn cycles(&self) -> usize {
        (self.chains.len() + 1).saturating_sub(self.names.len())
    }

    /// A link's switches, lower first.
    #[inline]
    pub fn ends_of(&self, link: u32) -> (u32, u32) {
        let chain = &self.chains[link as usize];
        (chain.low, chain.high)
    }

    /// Cost and tie of a link.
    #[inline]
    pub fn weight(&self, link: u32) -> Weight {
        let weight = self.chains[link as usize].weight;
        match &self.ties {
            Some((seed, hashes)) => weight + Weight::from(seed.tie(hashes[link as usize])),
            None => weight,
        }
    }

    /// What it weighs to use a link once more.
    #[inline]
    pub fn share(&self, link: u32) -> Weight {
        self.chains[link as usize].share
    }

    /// Cost and tie of a path.
    pub fn length(&self, links: &[u32]) -> Weight {
        links.iter().map(|&link| self.weight(link)).sum()
    }

    /// What a flow weighs: n(n-1)/2 sharings of a link or a switch that n units pass, and the length of all.
    pub fn weight_of(&self, flow: &[Used]) -> Weight {
        let pairs = |units: u32| Weight::from(units) * (Weight::from(units) - 1) / 2;
        let links = flow.iter().map(|arc| {
            Weight::from(arc.units) * self.weight(arc.link) + pairs(arc.units) * self.share(arc.link)
        });
        let links: Weight = links.sum();
        if self.switch_share == 0 {
            return links;
        }
        let mut passing = vec![0; self.names.len()];
        flow.iter().filter(|arc| arc.to != self.goal).for_each(|arc| passing[arc.to as usize] += arc.units);
        links + passing.into_iter().map(pairs).sum::<Weight>() * self.switch_share
    }

    /// What it weighs to use a link and to pass the switch behind it once more, beside the paths added to `shares`.
    #[inline]
    pub fn again(&self, shares: &Shares, link: u32, to: u32) -> Weight {
        let links = match shares.links(link) {
            0 => 0,
            times => Weight::from(times) * self.share(link),
        };
        match shares.switches(to) {
            0 => links,
            times => links + Weight::from(times) * self.switch_share,
        }
    }

    /// The same as [`Reduced::again`] as a plain number of the same order, for searches that look at sharing alone: links in
    /// the upper half, switches in the lower.
    #[inline]
    pub fn sharing(&self, shares: &Shares, link: u32, to: u32) -> u64 {
        let links = shares.links(link);
        let switches = shares.switches(to);
        if links == 0 {
            return switches.into();
        }
        let count = u64::from(self.chains[link as usize].count);
        let inner = if self.switch_share == 0 { 0 } else { count - 1 };
        u64::from(links) * ((count << 32) + inner) + u64::from(switches)
    }

    /// What a path shares with those added to `shares`.
    pub fn shared(&self, shares: &Shares, links: &[u32]) -> Weight {
        links.iter().zip(self.switches(links)).map(|(&link, to)| self.again(shares, link, to)).sum()
    }

    /// No path shares less with those added to `shares`: it leaves the start and comes to the goal, by different links
    /// unless one joins the two.
    pub fn unavoidable(&self, shares: &Shares) -> Weight {
        let least = |at: u32| {
            let arcs = self.arcs(at).iter();
            arcs.map(|arc| Weight::from(shares.links(arc.link)) * self.share(arc.link)).min().unwrap_or(0)
        };
        let (from_start, to_goal) = (least(self.start), least(self.goal));
        if self.arcs(self.start).iter().any(|arc| arc.to == self.goal) {
            return from_start.max(to_goal);
        }
        from_start + to_goal
    }

    /// The switches behind the links of a path, the last of which is the goal.
    pub fn switches<'b>(&'b self, links: &'b [u32]) -> impl Iterator<Item = u32> + 'b {
        links.iter().scan(self.start, |at, &link| {
            let (low, high) = self.ends_of(link);
            *at = if *at == low { high } else { low };
            Some(*at)
        })
    }

    /// Sharing and cost, without ties.
    pub fn untied(&self, weight: Weight) -> Weight {
        weight >> self.cost_shift
    }

    /// A path in links of the whole network in those of this one; `None` if it is not in here.
    pub fn contract(&self, links: &[u32]) -> Option<Vec<u32>> {
        let mut contracted = Vec::with_capacity(links.len());
        let (mut at, mut left) = (self.start, links);
        while let Some(&next) = left.first() {
            let begins = |arc: &&Arc| {
                let Chain { low, first, count, .. } = self.chains[arc.link as usize];
                let nearest = if at == low { first } else { first + count - 1 };
                self.parts[nearest as usize] == next
            };
            let arc = self.arcs(at).iter().find(begins)?;
            contracted.push(arc.link);
            left = left.get(self.chains[arc.link as usize].count as usize..)?;
            at = arc.to;
        }
        Some(contracted)
    }

    /// The path in links of the whole network.
    pub fn expand(&self, links: &[u32]) -> Vec<u32> {
        let mut whole = Vec::with_capacity(links.len());
        let mut at = self.start;
        for &link in links {
            let Chain { low, high, first, count, .. } = self.chains[link as usize];
            let parts = &self.parts[first as usize..(first + count) as usize];
            if at == low {
                whole.extend_from_slice(parts);
                at = high;
            } else {
                whole.extend(parts.iter().rev());
                at = low;
            }
        }
        whole
    }
}
