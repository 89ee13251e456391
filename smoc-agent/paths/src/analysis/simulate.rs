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

use std::collections::HashMap;

use super::fair::max_min;
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

/// The paths of a simulation, computed once for all draws.
pub struct Simulator<'a> {
    topology: &'a Topology,
    simulation: &'a Simulation,
    finder: PathFinder<'a>,
    ranked: HashMap<(SwitchId, SwitchId), Vec<Vec<usize>>>,
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
            ranked: HashMap::new(),
            distances: HashMap::new(),
            capacities: links.chain(ports).collect(),
        })
    }

    /// The throughput of every connection of one draw.
    pub fn run(&mut self, seed: u64) -> Vec<Throughput> {
        let mut random = Random(seed);
        let connections = self.simulation.traffic.connections(self.topology.hosts().len(), &mut random);
        let rates = self.rates(&connections, &mut random);
        let ports: Vec<Vec<usize>> =
            connections.iter().map(|&(from, to)| self.ports(from, to).to_vec()).collect();
        let best = max_min(&self.capacities, &ports);
        let shares = rates.iter().zip(best).map(|(rate, best)| (*rate, rate / best));
        connections
            .iter()
            .zip(shares)
            .map(|(&pair, (rate, share))| Throughput { pair, rate, share })
            .collect()
    }

    /// What each connection reaches, in bit/s.
    fn rates(&mut self, connections: &[(usize, usize)], random: &mut Random) -> Vec<f64> {
        let mut flows: Vec<Vec<usize>> = Vec::new();
        let mut owner: Vec<usize> = Vec::new();
        let mut capacities = self.capacities.clone();
        for (connection, &(from, to)) in connections.iter().enumerate() {
            let (a, b) = (self.topology.hosts()[from].at.switch, self.topology.hosts()[to].at.switch);
            let subflows = 0..self.simulation.subflows;
            let mut ways: Vec<_> = subflows.filter_map(|subflow| self.way(a, b, subflow, random)).collect();
            if let Some(limit) = self.limit_of_buffer(&ways) {
                ways.iter_mut().for_each(|way| way.push(capacities.len()));
                capacities.push(limit);
            }
            for mut way in ways {
                way.extend(self.ports(from, to));
                flows.push(way);
                owner.push(connection);
            }
        }
        let mut rates = vec![0.0; connections.len()];
        for (connection, rate) in owner.into_iter().zip(max_min(&capacities, &flows)) {
            rates[connection] += rate;
        }
        rates
    }

    /// What the receive buffer allows subflows on these ways together, in bit/s; `None` if it does not limit them.
    fn limit_of_buffer(&self, ways: &[Vec<usize>]) -> Option<f64> {
        let latency = |resource: &usize| {
            self.topology.links()[resource / 2].latency.map_or(0.0, |latency| latency.nanos() as f64 / 1e9)
        };
        let one_way = ways.iter().map(|way| way.iter().map(latency).sum()).fold(0.0, f64::max);
        let buffer = self.simulation.receive_buffer.filter(|_| one_way > 0.0)? as f64;
        Some(buffer * 8.0 / (2.0 * 2.0 * one_way))
    }

    /// The resources that are the sender's and the receiver's port.
    fn ports(&self, from: usize, to: usize) -> [usize; 2] {
        let first = 2 * self.topology.links().len();
        [first + 2 * from, first + 2 * to + 1]
    }

    /// The links of a subflow's path, as resources: twice the link, and one more if away from its `a` end.
    fn way(
        &mut self,
        from: SwitchId,
        to: SwitchId,
        subflow: usize,
        random: &mut Random,
    ) -> Option<Vec<usize>> {
        if from == to {
            return Some(Vec::new());
        }
        if self.simulation.routing == Routing::Ecmp {
            return self.random_way(from, to, random);
        }
        let (topology, finder) = (self.topology, &self.finder);
        let is_single = self.simulation.routing == Routing::Single;
        let ranked = self.ranked.entry((from, to)).or_insert_with(|| {
            // Everything on one path takes the shortest, whatever the ranks.
            let count = if is_single { 1 } else { usize::MAX };
            let paths = finder.ranked(from, to);
            let links = |path: &crate::search::Path| {
                path.switches
                    .iter()
                    .zip(&path.links)
                    .map(|(&at, &link)| directed(topology, at, link))
                    .collect()
            };
            paths.iter().take(count).map(links).collect()
        });
        (!ranked.is_empty()).then(|| ranked[subflow % ranked.len()].clone())
    }

    fn random_way(&mut self, from: SwitchId, to: SwitchId, random: &mut Random) -> Option<Vec<usize>> {
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

fn directed(topology: &Topology, from: SwitchId, link: LinkId) -> usize {
    2 * link.index() + usize::from(topology.link(link).a.switch == from)
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
        let shares: Vec<f64> = (0..4).flat_map(|seed| simulator.run(seed)).map(|t| t.share).collect();
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
        Simulator::new(&topology, &simulation).unwrap().run(0)[0].rate
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
