//! The network of a run: switches, cables, hosts, and the files that agents are given, all drawn from a seed.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, sync::Arc, time::Duration};

use smoc_common::{
    route::PortNumber,
    wire::{ethernet::MacAddress, ip::Address},
};
use smoc_control::{
    config::Config,
    discovery::key::Keys,
    fabric::{Adjacency, Report, assemble},
};
use smoc_paths::topology::{Topology, TopologyFile, generate::Random};

/// How a network is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Switches; drawn if not told. 20 and more are fat-trees where that number has one.
    pub switches: Option<usize>,
    /// Hosts; drawn if not told.
    pub hosts: Option<usize>,
    /// Agents have no file: they find out what the network is.
    pub discover: bool,
}

/// A cable between two switches: places in the list of switches, and port numbers.
#[derive(Clone, Copy, Debug)]
pub struct Cable {
    /// Its ends.
    pub ends: [(u32, u16); 2],
    /// How long a frame is under way.
    pub delay: Duration,
    /// In which of the two files it is.
    pub in_file: [bool; 2],
}

/// A host and where it is at first.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The switch.
    pub switch: u32,
    /// The port.
    pub port: u16,
    /// Its address in Ethernet.
    pub mac: MacAddress,
    /// Its address in IP.
    pub address: Address,
    /// Whether the file names it.
    pub declared: bool,
}

/// A network and the files.
#[derive(Clone, Debug)]
pub struct Network {
    /// The switches' names.
    pub names: Vec<String>,
    /// The port numbers of each switch, in order.
    pub ports: Vec<Vec<u16>>,
    /// The cables between switches.
    pub cables: Vec<Cable>,
    /// The hosts.
    pub hosts: Vec<Place>,
    /// Ports that have no cable at first, to which hosts may move.
    pub spare: Vec<(u32, u16)>,
    /// The file that all agents have at first, and the one that they are given later.
    pub files: [Arc<Topology>; 2],
    /// What each agent is told.
    pub configs: Vec<Arc<Config>>,
    /// Where agents find out what the network is: what the switches say then, of either.
    pub reports: [BTreeMap<String, Report>; 2],
    /// Whether some switch has wider port numbers in the second file: until all have it, routes through it are misread.
    pub widens: bool,
}

/// Switches, hosts and cables in the making.
struct Draft {
    names: Vec<String>,
    ports: Vec<Vec<u16>>,
    cables: Vec<Cable>,
    hosts: Vec<Place>,
    spare: Vec<(u32, u16)>,
}

impl Network {
    /// Draws a network.
    pub fn draw(size: Size, random: &mut Random) -> Self {
        let count = size.switches.unwrap_or_else(|| 3 + random.below(5)).max(2);
        let mut draft = match fat_tree_of(count) {
            Some(k) => Draft::fat_tree(k, random),
            None => Draft::scattered(count, random),
        };
        let hosts = size.hosts.unwrap_or_else(|| 2 + random.below(count)).max(2);
        draft.attach_hosts(hosts, random);
        if size.discover {
            draft.hosts.iter_mut().for_each(|host| host.declared = false);
        }
        draft.grow(random);
        let rules = Rules { discover: size.discover, ..Rules::draw(random, count) };
        let configs: Vec<_> =
            (0..draft.names.len()).map(|switch| Arc::new(draft.config(switch, &rules))).collect();
        let reports = [0, 1].map(|file| if size.discover { draft.reports(file) } else { BTreeMap::new() });
        let files = [0, 1].map(|file| {
            if size.discover {
                return Arc::new(assemble(&reports[file]).topology);
            }
            let text = draft.file(file);
            let parsed = TopologyFile::parse(Path::new("fabric.yaml"), &text);
            Arc::new(parsed.unwrap_or_else(|error| panic!("{error}: {text}")).topology)
        });
        let width = |file: usize, name: &str| {
            files[file].find_switch(name).map(|switch| files[file].switch(switch).port_width)
        };
        let widens =
            draft.names.iter().any(|name| width(0, name) != width(1, name) && width(0, name).is_some());
        let Draft { names, ports, cables, hosts, spare } = draft;
        Self { names, ports, cables, hosts, spare, files, configs, reports, widens }
    }

    /// From its next start on the agent of a switch is told to use so many bits for port numbers.
    pub fn set_width(&mut self, switch: usize, bits: u8) {
        Arc::make_mut(&mut self.configs[switch]).port_width = bits;
        for (file, reports) in self.files.iter_mut().zip(&mut self.reports) {
            if let Some(report) = reports.get_mut(&self.names[switch]) {
                report.port_width = bits;
                *file = Arc::new(assemble(reports).topology);
            }
        }
    }

    /// Whether agents find out what the network is.
    pub fn is_discovered(&self) -> bool {
        self.configs[0].is_discovered()
    }

    /// Whether the second file has one more switch, and not one more link between two that are joined already.
    pub fn grows_a_leaf(&self) -> bool {
        self.files[0].switches().len() < self.files[1].switches().len()
    }

    /// Whether a switch is in the first file.
    pub fn is_old(&self, switch: usize) -> bool {
        self.files[0].find_switch(&self.names[switch]).is_some()
    }
}

/// The k of the fat-tree that has exactly so many switches: 5k²/4.
fn fat_tree_of(switches: usize) -> Option<usize> {
    (4..=40).step_by(2).find(|k| 5 * k * k / 4 == switches)
}

/// What all agents are told alike.
struct Rules {
    hello: u32,
    hold_down: u32,
    budget: u32,
    spread: &'static str,
    count: usize,
    hosts: usize,
    discover: bool,
}

impl Rules {
    fn draw(random: &mut Random, switches: usize) -> Self {
        Self {
            hello: [10, 10, 20][random.below(3)],
            hold_down: [200, 500, 1000][random.below(3)],
            // Probes cost most of a run's time: a large fabric sends few.
            budget: if switches > 100 { 20 } else { [100, 300][random.below(2)] },
            spread: ["none", "flows"][random.below(2)],
            count: [2, 4, 8][random.below(3)],
            hosts: 65_536,
            discover: false,
        }
    }
}

impl Draft {
    /// A random connected network: a random tree, and about as many links again; sometimes two between one pair.
    fn scattered(count: usize, random: &mut Random) -> Self {
        let mut draft = Self::empty(count, random);
        for switch in 1..count {
            let to = random.below(switch);
            draft.cable([switch, to], random);
        }
        for _ in 0..1 + random.below(count) {
            let (a, b) = (random.below(count), random.below(count));
            if a != b {
                draft.cable([a, b], random);
            }
        }
        draft
    }

    /// The fat-tree of k-port switches, as [`smoc_paths::topology::generate::fat_tree`] has it.
    fn fat_tree(k: usize, random: &mut Random) -> Self {
        let half = k / 2;
        let (edges, aggregations) = (k * half, k * half);
        let mut draft = Self::empty(edges + aggregations + half * half, random);
        for pod in 0..k {
            for upper in 0..half {
                let aggregation = edges + pod * half + upper;
                (0..half).for_each(|lower| draft.cable([pod * half + lower, aggregation], random));
                (0..half).for_each(|core| {
                    draft.cable([aggregation, edges + aggregations + upper * half + core], random);
                });
            }
        }
        draft
    }

    /// Switches without links, with names in no order.
    fn empty(count: usize, random: &mut Random) -> Self {
        let mut names: Vec<String> = (0..count).map(|number| format!("s{number:03}")).collect();
        for last in (1..count).rev() {
            names.swap(last, random.below(last + 1));
        }
        let (cables, hosts, spare) = Default::default();
        Self { names, ports: vec![Vec::new(); count], cables, hosts, spare }
    }

    fn port(&mut self, switch: usize) -> (u32, u16) {
        let number = self.ports[switch].last().map_or(1, |last| last + 1);
        self.ports[switch].push(number);
        (switch as u32, number)
    }

    fn cable(&mut self, ends: [usize; 2], random: &mut Random) {
        let ends = ends.map(|switch| self.port(switch));
        let delay = Duration::from_micros(5 + random.below(400) as u64);
        self.cables.push(Cable { ends, delay, in_file: [true; 2] });
    }

    /// Hosts at a third of the switches (the edges of a fat-tree), and a free port or two.
    fn attach_hosts(&mut self, count: usize, random: &mut Random) {
        let switches = self.names.len();
        let edges: Vec<usize> = match fat_tree_of(switches) {
            Some(k) => (0..k * k / 2).collect(),
            None => {
                let first = random.below(switches);
                let some = 2.max(switches / 2);
                (0..some).map(|number| (first + number) % switches).collect()
            }
        };
        for number in 0..count {
            let edge = edges[if number < edges.len() { number } else { random.below(edges.len()) }];
            let (switch, port) = self.port(edge);
            let bytes = (number as u32).to_be_bytes();
            let address = if number % 4 == 3 {
                let mut octets = [0; 16];
                octets[0] = 0xfd;
                octets[12..].copy_from_slice(&bytes);
                Address::new(octets)
            } else {
                Address::from_v4([10, bytes[1], bytes[2], bytes[3]])
            };
            let mac = MacAddress::new([0x06, 0, bytes[0], bytes[1], bytes[2], bytes[3]]);
            let declared = count < 1000 && random.below(3) == 0;
            self.hosts.push(Place { switch, port, mac, address, declared });
        }
        for _ in 0..2 {
            let edge = edges[random.below(edges.len())];
            let spare = self.port(edge);
            self.spare.push(spare);
        }
    }

    /// What the second file has and the first has not: a new leaf switch, or one more link.
    fn grow(&mut self, random: &mut Random) {
        let old = self.names.len();
        let (a, mut b) = (random.below(old), random.below(old));
        if a == b || random.below(2) == 0 {
            b = old;
            // By name it may come first or last.
            self.names.push(["a-new", "z-new"][random.below(2)].to_owned());
            self.ports.push(Vec::new());
        }
        self.cable([a, b], random);
        if let Some(cable) = self.cables.last_mut() {
            cable.in_file = [false, true];
        }
    }

    /// What agents find out: the file's links, as the ends of each report them.
    fn reports(&self, file: usize) -> BTreeMap<String, Report> {
        let mut reports: BTreeMap<String, Report> = BTreeMap::new();
        for cable in self.cables.iter().filter(|cable| cable.in_file[file]) {
            let [a, b] = cable.ends;
            for ((switch, at), (other, there)) in [(a, b), (b, a)] {
                let highest = self.ports[switch as usize].last().copied().unwrap_or(1);
                let number = |number| PortNumber::new(number).expect("ports are counted from 1");
                let report = reports.entry(self.names[switch as usize].clone()).or_default();
                report.port_width = number(highest).width().next_multiple_of(5);
                report.adjacencies.push(Adjacency {
                    port: number(at),
                    switch: self.names[other as usize].clone(),
                    there: number(there),
                    megabits: 0,
                });
            }
        }
        reports.values_mut().for_each(|report| report.adjacencies.sort());
        reports
    }

    /// The topology file.
    fn file(&self, file: usize) -> String {
        let mut text = String::from("links:\n");
        let end = |(switch, port): (u32, u16)| format!("{}:{port}", self.names[switch as usize]);
        for cable in self.cables.iter().filter(|cable| cable.in_file[file]) {
            let [a, b] = cable.ends.map(end);
            _ = writeln!(text, "  - {{a: \"{a}\", b: \"{b}\"}}");
        }
        let declared = || self.hosts.iter().enumerate().filter(|(_, host)| host.declared);
        if declared().next().is_some() {
            text += "hosts:\n";
        }
        for (number, host) in declared() {
            let address = smoc_control::hosts::ip_address(host.address);
            let mac = host.mac.octets().map(|byte| format!("{byte:02x}")).join(":");
            // Every second one leaves its MAC address to be learned.
            let mac = if number % 2 == 0 { format!("mac: \"{mac}\", ") } else { String::new() };
            let at = end((host.switch, host.port));
            _ = writeln!(text, "  - {{name: h{number}, port: \"{at}\", {mac}addresses: [\"{address}\"]}}");
        }
        text
    }

    fn config(&self, switch: usize, rules: &Rules) -> Config {
        let ports: Vec<String> = self.ports[switch].iter().map(|port| format!("{port}: p{port}")).collect();
        let Rules { hello, hold_down, budget, spread, count, hosts, .. } = rules;
        let network = if rules.discover {
            "fabric: sim".to_owned()
        } else {
            format!("topology: fabric.yaml\nports: {{{}}}", ports.join(", "))
        };
        let text = format!(
            "switch: {}\n{network}\nbridge: br0\nspread: {spread}\n\
             paths: {{count: {count}}}\nhellos: {{interval: {hello}ms, hold_down: {hold_down}ms}}\n\
             probes: {{budget: {budget}, hold_down: {hold_down}ms}}\ntables: {{hosts: {hosts}}}\n",
            self.names[switch],
        );
        let config = Config::parse(Path::new("agent.yaml"), &text);
        let mut config = config.unwrap_or_else(|error| panic!("{error}: {text}"));
        // Every second network has a key; a draw of its own would make another network of each seed.
        let keys = self.names.len().is_multiple_of(2).then(|| b"of the simulator".to_vec());
        config.keys = Keys::new(keys.into_iter().collect());
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_network_and_every_agent_finds_itself_in_it() {
        for seed in 0..50 {
            let draw = || Network::draw(Size::default(), &mut Random(seed));
            let (network, again) = (draw(), draw());
            assert_eq!(network.files, again.files);
            for (switch, config) in network.configs.iter().enumerate() {
                assert!(config.place(&network.files[1]).is_ok());
                assert_eq!(config.place(&network.files[0]).is_ok(), network.is_old(switch));
            }
        }
    }

    #[test]
    fn twenty_switches_are_the_fat_tree_of_four_ports() {
        let network =
            Network::draw(Size { switches: Some(20), hosts: Some(16), ..Size::default() }, &mut Random(1));
        assert_eq!((network.files[0].switches().len(), network.files[0].links().len()), (20, 32));
        assert_eq!(fat_tree_of(500), Some(20));
    }
}
