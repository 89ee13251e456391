//! A flow-level simulation: the throughput that each routing gives a traffic matrix.
//!
//! Every subflow is a fluid that gets its max-min fair rate ([`super::fair`]) on the links of its path, each
//! direction by itself, and on the ports of its two hosts. A connection's throughput is the sum of its
//! subflows'. That is uncoupled congestion control; MPTCP's coupled control moves traffic away from
//! crowded paths and can only come nearer to the optimum. The optimum is what the hosts' ports alone would allow: a
//! network that never blocks, as in Raiciu, Barre, Pluntke, Greenhalgh, Wischik, Handley, "Improving
//! datacenter performance and robustness with Multipath TCP", SIGCOMM 2011.
//!
//! The paths are those that an agent installs: as many ranks as its configuration asks for, whatever the number of
//! subflows, of which subflow n takes rank n, wrapping around. Links may be unequal. A receiver's buffer limits a connection to
//! buffer / (2 x longest round trip) of the paths that its subflows take (RFC 6182, section 5.3): one more resource, which
//! all its subflows share.

use std::collections::{BTreeSet, HashMap};

use super::fair::{Flows, max_min};
use super::traffic::Traffic;
use crate::search::{Metric, OptionsError, PathFinder, PathOptions, Policy};
use crate::topology::generate::Random;
use crate::topology::{LinkId, SwitchId, Topology};

/// How subflows find their paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// Subflow n on rank n of this policy, wrapping around.
    Ranked(Policy),
    /// Every subflow at every switch on a shortest path's next link, drawn at random, as a hash would.
    Ecmp,
    /// Every subflow on the same shortest path.
    Single,
}

impl Routing {
    /// As command lines write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ranked(policy) => policy.word(),
            Self::Ecmp => "ecmp",
            Self::Single => "single",
        }
    }

    /// What it does, in a line.
    pub fn help(self) -> &'static str {
        match self {
            Self::Ranked(policy) => policy.help(),
            Self::Ecmp => "A random shortest path for every subflow",
            Self::Single => "One shortest path for everything between two edges",
        }
    }
}

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Who sends to whom.
    pub traffic: Traffic,
    /// Subflows of each connection, at least 1.
    pub subflows: usize,
    /// How they find their paths.
    pub routing: Routing,
    /// As the agent has them; [`Routing::Ranked`] overrides the policy.
    pub options: PathOptions,
    /// What each receiver can buffer, in bytes; every link must then have a latency.
    pub receive_buffer: Option<u64>,
    /// Capacity in bit/s of links that have none, and of host ports.
    pub capacity: f64,
}

/// The throughput of one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throughput {
    /// Sender and receiver: indexes into [`Topology::hosts`].
    pub pair: (usize, usize),
    /// In bit/s; 0 if no path joins them.
    pub rate: f64,
    /// As a share of what the host ports alone would allow.
    pub share: f64,
}

/// Sums over one draw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Draw {
    /// Its connections, and those of them whose hosts no path joins.
    pub connections: usize,
    /// Of the connections.
    pub unjoined: usize,
    /// The sum of their rates, in bit/s.
    pub rate: f64,
    /// The sum of their shares, and the least share.
    pub share: f64,
    /// Infinite if there is no connection.
    pub least_share: f64,
}

impl Draw {
    /// Of these connections.
    pub fn of(all: &[Throughput]) -> Self {
        Self {
            connections: all.len(),
            unjoined: all.iter().filter(|one| one.rate == 0.0).count(),
            // Not `sum`, which makes -0 of nothing.
            rate: all.iter().fold(0.0, |sum, one| sum + one.rate),
            share: all.iter().fold(0.0, |sum, one| sum + one.share),
            least_share: all.iter().map(|one| one.share).fold(f64::INFINITY, f64::min),
        }
    }
}

/// The ranks of pairs of switches, as resources; all in one list, for there may be very many.
#[derive(Default)]
struct Ways {
    passes: Vec<u32>,
    /// Where each rank ends among them.
    ends: Vec<usize>,
    /// The ranks of a pair: the first one and how many.
    of: HashMap<(SwitchId, SwitchId), (usize, usize)>,
}

impl Ways {
    /// Of this rank, wrapping around; `None` if the pair has none.
    fn way(&self, pair: (SwitchId, SwitchId), rank: usize) -> Option<&[u32]> {
        let &(first, count) = self.of.get(&pair)?;
        let number = first + rank.checked_rem(count)?;
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.passes[begin..self.ends[number]])
    }
}

/// The paths of a simulation, computed once for all draws.
pub struct Simulator<'a> {
    topology: &'a Topology,
    simulation: &'a Simulation,
    finder: PathFinder<'a>,
    ways: Ways,
    distances: HashMap<SwitchId, Vec<u64>>,
    capacities: Vec<f64>,
}

impl<'a> Simulator<'a> {
    /// Prepares to simulate.
    ///
    /// # Errors
    /// As [`PathFinder::new`].
    pub fn new(topology: &'a Topology, simulation: &'a Simulation) -> Result<Self, OptionsError> {
        let policy = match simulation.routing {
            Routing::Ranked(policy) => policy,
            Routing::Ecmp | Routing::Single => Policy::Shortest,
        };
        let options = PathOptions { policy, ..simulation.options };
        if simulation.receive_buffer.is_some() {
            Metric::Latency.costs(topology)?;
        }
        let links = topology.links().iter().flat_map(|link| {
            let bits = link.capacity.map_or(simulation.capacity, |c| c.bits_per_second() as f64);
            [bits, bits]
        });
        let ports = topology.hosts().iter().flat_map(|_| [simulation.capacity; 2]);
        Ok(Self {
            topology,
            simulation,
            finder: PathFinder::new(topology, &options)?,
            ways: Ways::default(),
            distances: HashMap::new(),
            capacities: links.chain(ports).collect(),
        })
    }

    /// The throughput of every connection of one draw. `progress` is told for how many of how many pairs of switches that are
    /// new in it paths have been searched.
    pub fn run(&mut self, seed: u64, progress: impl FnMut(usize, usize)) -> Vec<Throughput> {
        let mut random = Random(seed);
        let connections = self.simulation.traffic.connections(self.topology.hosts().len(), &mut random);
        if self.simulation.routing != Routing::Ecmp {
            self.search(&connections, progress);
        }
        let rates = self.rates(&connections, &mut random);
        let mut ports = Flows::default();
        connections.iter().for_each(|&(from, to)| ports.push(self.ports(from, to)));
        let best = max_min(&self.capacities, &ports);
        let shares = rates.iter().zip(best).map(|(rate, best)| (*rate, rate / best));
        connections
            .iter()
            .zip(shares)
            .map(|(&pair, (rate, share))| Throughput { pair, rate, share })
            .collect()
    }

    /// The switches of two hosts.
    fn switches(&self, (from, to): (usize, usize)) -> (SwitchId, SwitchId) {
        (self.topology.hosts()[from].at.switch, self.topology.hosts()[to].at.switch)
    }

    /// Finds the ranks of the pairs of switches that have none yet.
    fn search(&mut self, connections: &[(usize, usize)], mut progress: impl FnMut(usize, usize)) {
        let pairs = connections.iter().map(|&connection| self.switches(connection));
        let new: BTreeSet<_> =
            pairs.filter(|pair| pair.0 != pair.1 && !self.ways.of.contains_key(pair)).collect();
        // Everything on one path takes the shortest, whatever the ranks.
        let count = if self.simulation.routing == Routing::Single { 1 } else { usize::MAX };
        let mut source = None;
        for (done, &(from, to)) in new.iter().enumerate() {
            progress(done, new.len());
            if source.as_ref().is_none_or(|(of, _)| *of != from) {
                source = Some((from, self.finder.source(from)));
            }
            let paths = source.as_mut().map(|(_, source)| source.to(to)).unwrap_or_default();
            let first = self.ways.ends.len();
            for path in paths.iter().take(count) {
                let links = path.switches.iter().zip(&path.links);
                self.ways.passes.extend(links.map(|(&at, &link)| directed(self.topology, at, link)));
                self.ways.ends.push(self.ways.passes.len());
            }
            self.ways.of.insert((from, to), (first, self.ways.ends.len() - first));
        }
    }

    /// What each connection reaches, in bit/s.
    fn rates(&mut self, connections: &[(usize, usize)], random: &mut Random) -> Vec<f64> {
        let mut flows = Flows::default();
        let mut owner: Vec<u32> = Vec::new();
        let mut capacities = self.capacities.clone();
        for (number, &connection) in (0..).zip(connections) {
            let pair = self.switches(connection);
            let subflows = 0..self.simulation.subflows;
            let ways: Vec<_> = subflows.filter_map(|subflow| self.way(pair, subflow, random)).collect();
            let limit = self.limit_of_buffer(&ways);
            let buffer = limit.map(|_| capacities.len() as u32);
            capacities.extend(limit);
            let ports = self.ports(connection.0, connection.1);
            for way in ways {
                flows.push(way.into_iter().chain(buffer).chain(ports));
                owner.push(number);
            }
        }
        let mut rates = vec![0.0; connections.len()];
        for (connection, rate) in owner.into_iter().zip(max_min(&capacities, &flows)) {
            rates[connection as usize] += rate;
        }
        rates
    }

    /// What the receive buffer allows subflows on these ways together, in bit/s; `None` if it does not limit them.
    fn limit_of_buffer(&self, ways: &[Vec<u32>]) -> Option<f64> {
        let latency = |resource: &u32| {
            let link = &self.topology.links()[*resource as usize / 2];
            link.latency.map_or(0.0, |latency| latency.nanos() as f64 / 1e9)
        };
        let one_way = ways.iter().map(|way| way.iter().map(latency).sum()).fold(0.0, f64::max);
        let buffer = self.simulation.receive_buffer.filter(|_| one_way > 0.0)? as f64;
        Some(buffer * 8.0 / (2.0 * 2.0 * one_way))
    }

    /// The resources that are the sender's and the receiver's port.
    fn ports(&self, from: usize, to: usize) -> [u32; 2] {
        let first = 2 * self.topology.links().len();
        [first + 2 * from, first + 2 * to + 1].map(|resource| resource as u32)
    }

    /// The links of a subflow's path, as resources: twice the link, and one more if away from its `a` end.
    fn way(
        &mut self,
        (from, to): (SwitchId, SwitchId),
        subflow: usize,
        random: &mut Random,
    ) -> Option<Vec<u32>> {
        if from == to {
            return Some(Vec::new());
        }
        match self.simulation.routing {
            Routing::Ecmp => self.random_way(from, to, random),
            _ => self.ways.way((from, to), subflow).map(<[u32]>::to_vec),
        }
    }

    fn random_way(&mut self, from: SwitchId, to: SwitchId, random: &mut Random) -> Option<Vec<u32>> {
        let (topology, finder) = (self.topology, &self.finder);
        let rest = self.distances.entry(to).or_insert_with(|| finder.distances(to));
        let mut at = from;
        let mut passes = Vec::new();
        while at != to {
            let nearer: Vec<_> = (topology.arcs(at).iter())
                .filter(|arc| {
                    let there = rest[arc.to.switch.index()];
                    there != u64::MAX && there + finder.cost(arc.link) == rest[at.index()]
                })
                .collect();
            let arc = nearer.get(random.below(nearer.len().max(1)))?;
            passes.push(directed(topology, at, arc.link));
            at = arc.to.switch;
        }
        Some(passes)
    }
}

fn directed(topology: &Topology, from: SwitchId, link: LinkId) -> u32 {
    2 * link.0 + u32::from(topology.link(link).a.switch == from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::TopologyFile;
    use crate::topology::generate::fat_tree;

    fn mean(subflows: usize, routing: Routing) -> f64 {
        let topology = fat_tree(8).unwrap().build().unwrap();
        let simulation = Simulation {
            traffic: Traffic::Permutation,
            subflows,
            routing,
            options: PathOptions::default(),
            capacity: 1e9,
            receive_buffer: None,
        };
        let mut simulator = Simulator::new(&topology, &simulation).unwrap();
        let shares: Vec<f64> =
            (0..4).flat_map(|seed| simulator.run(seed, |_, _| ())).map(|t| t.share).collect();
        shares.iter().sum::<f64>() / shares.len() as f64
    }

    #[test]
    fn ecmp_wastes_half_a_fat_tree_and_eight_subflows_use_most_of_it() {
        let (tcp, mptcp) = (mean(1, Routing::Ecmp), mean(8, Routing::Ecmp));
        assert!((0.35..0.65).contains(&tcp), "{tcp}");
        assert!((0.8..=1.0).contains(&mptcp), "{mptcp}");
    }

    #[test]
    fn smoc_is_no_worse_than_ecmp_with_as_many_subflows() {
        for subflows in [2, 4, 8] {
            let (ecmp, smoc) =
                (mean(subflows, Routing::Ecmp), mean(subflows, Routing::Ranked(Policy::Diverse)));
            assert!(smoc >= ecmp, "{subflows} subflows: smoc {smoc}, ECMP {ecmp}");
        }
    }

    /// A trap: the shortest path that the whole set begins with is in no disjoint pair.
    const TRAP: &str = "links:
  - {a: 's0:1', b: 's1:1', capacity: 100Mbit, latency: 5ms}
  - {a: 's0:2', b: 's5:1', capacity: 100Mbit, latency: 5ms}
  - {a: 's1:2', b: 's4:1', capacity: 100Mbit, latency: 5ms}
  - {a: 's2:1', b: 's3:1', capacity: 100Mbit, latency: 5ms}
  - {a: 's2:2', b: 's5:2', capacity: 100Mbit, latency: 5ms}
  - {a: 's3:2', b: 's4:2', capacity: 100Mbit, latency: 5ms}
  - {a: 's4:3', b: 's5:3', capacity: 100Mbit, latency: 5ms}
hosts: [{name: h0, port: 's0:9'}, {name: h3, port: 's3:9'}]";

    fn trap(subflows: usize, receive_buffer: Option<u64>) -> f64 {
        let topology = TopologyFile::parse(std::path::Path::new("t"), TRAP).unwrap().topology;
        let simulation = Simulation {
            traffic: Traffic::Given(vec![(0, 1)]),
            subflows,
            routing: Routing::Ranked(Policy::Diverse),
            options: PathOptions::default(),
            capacity: 1e9,
            receive_buffer,
        };
        Simulator::new(&topology, &simulation).unwrap().run(0, |_, _| ())[0].rate
    }

    #[test]
    fn two_subflows_on_the_ranks_that_an_agent_installs_share_no_link() {
        assert_eq!([1, 2, 3].map(|subflows| (trap(subflows, None) / 1e6).round()), [100.0, 200.0, 150.0]);
    }

    #[test]
    fn a_receive_buffer_limits_what_subflows_reach_together() {
        // 300,000 bytes / (2 x 30 ms) = 40 Mbit/s.
        assert_eq!((trap(2, Some(300_000)) / 1e6).round(), 40.0);
        assert_eq!((trap(2, Some(3_000_000)) / 1e6).round(), 200.0);
    }
}
