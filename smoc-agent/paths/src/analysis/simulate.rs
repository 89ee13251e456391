//! A flow-level simulation: the throughput that each routing gives a traffic matrix.
//!
//! Every subflow is a fluid that gets its max-min fair rate ([`super::fair`]) on the links of its path, each
//! direction by itself, and on the ports of its two hosts. A connection's throughput is the sum of its
//! subflows'. That is uncoupled congestion control; MPTCP's coupled control moves traffic away from
//! crowded paths and can only come nearer to the optimum. The optimum is what the hosts' ports alone would allow: a
//! network that never blocks, as in Raiciu, Barre, Pluntke, Greenhalgh, Wischik, Handley, "Improving
//! datacenter performance and robustness with Multipath TCP", SIGCOMM 2011.

use std::collections::HashMap;

use super::fair::max_min;
use super::traffic::Traffic;
use crate::search::{OptionsError, PathFinder, PathOptions, Policy};
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

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Who sends to whom.
    pub traffic: Traffic,
    /// Subflows of each connection, at least 1.
    pub subflows: usize,
    /// How they find their paths.
    pub routing: Routing,
    /// Metric and protection for [`Routing::Ranked`]; policy and count are overridden.
    pub options: PathOptions,
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
        let count = if simulation.routing == Routing::Single { 1 } else { simulation.subflows };
        let options = PathOptions { policy, count: count.min(PathOptions::MAX_COUNT), ..simulation.options };
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
        let mut flows: Vec<Vec<usize>> = Vec::new();
        let mut owner: Vec<usize> = Vec::new();
        for (connection, &(from, to)) in connections.iter().enumerate() {
            for subflow in 0..self.simulation.subflows {
                let (a, b) = (self.topology.hosts()[from].at.switch, self.topology.hosts()[to].at.switch);
                if let Some(mut passes) = self.way(a, b, subflow, &mut random) {
                    passes.extend(self.ports(from, to));
                    flows.push(passes);
                    owner.push(connection);
                }
            }
        }
        let mut rates = vec![0.0; connections.len()];
        for (connection, rate) in owner.into_iter().zip(max_min(&self.capacities, &flows)) {
            rates[connection] += rate;
        }
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
        let ranked = self.ranked.entry((from, to)).or_insert_with(|| {
            let paths = finder.ranked(from, to);
            let links = |path: &crate::search::Path| {
                path.switches
                    .iter()
                    .zip(&path.links)
                    .map(|(&at, &link)| directed(topology, at, link))
                    .collect()
            };
            paths.iter().map(links).collect()
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
    use crate::topology::generate::fat_tree;

    fn mean(subflows: usize, routing: Routing) -> f64 {
        let topology = fat_tree(8).unwrap().build().unwrap();
        let simulation = Simulation {
            traffic: Traffic::Permutation,
            subflows,
            routing,
            options: PathOptions::default(),
            capacity: 1e9,
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
}
