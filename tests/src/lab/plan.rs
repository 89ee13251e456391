//! What a lab will consist of, worked out from the topology before anything is created.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use smoc_paths::topology::{End, Topology};

use super::{LabOptions, store};
use crate::netns::Namespace;

/// The namespace in which the wires of all links lie.
pub const WIRES: &str = "smoc-lab-wires";

/// Most subflows of a connection unless told otherwise, the initial one included: as many as agents rank paths.
const SUBFLOWS: u8 = 8;

/// Most subflows that Linux adds to a connection's initial one.
const MOST_EXTRA: u8 = 8;

/// A whole lab. It is also what later commands find in the lab's state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The switches, by name.
    pub switches: Vec<Switch>,
    /// The links between switches, in the topology's order.
    pub links: Vec<Link>,
    /// The hosts, by name.
    pub hosts: Vec<Host>,
    /// The MTU of every interface, in bytes.
    pub mtu: u32,
    /// How many subflows beyond the initial one a host may open and accept.
    pub extra_subflows: u8,
    /// Whether `smoc host` sets that on the hosts, and their endpoints.
    pub has_host_daemon: bool,
    /// Whether etcd is the store of the agents.
    pub has_store: bool,
}

/// A switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Its name in the topology.
    pub name: String,
    /// Its ports towards other switches, ascending.
    pub fabric_ports: Vec<u16>,
    /// Its ports towards hosts, ascending.
    pub host_ports: Vec<u16>,
}

/// A port of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The switch's name.
    pub switch: String,
    /// The port's number there.
    pub number: u16,
}

/// A link between two switches and the wire it passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// As the file names it: `e1:1-m1:1`.
    pub name: String,
    /// The end that the file names first.
    pub a: Port,
    /// The other end.
    pub b: Port,
    /// What it carries each way in bit/s; `None` is as much as the machine can.
    pub bits_per_second: Option<u64>,
    /// Its position in the topology, from which its wire's interfaces are named.
    pub index: usize,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name in the topology.
    pub name: String,
    /// Where it is attached.
    pub port: Port,
    /// Its Ethernet address, if the topology gives one.
    pub mac: Option<String>,
    /// Its addresses, the primary one first.
    pub addresses: Vec<IpAddr>,
}

impl Port {
    /// The interface of this port inside its switch's namespace.
    pub fn interface(&self) -> String {
        port_interface(self.number)
    }

    /// The namespace of its switch.
    pub fn namespace(&self) -> Namespace {
        node_namespace(&self.switch)
    }
}

impl Link {
    /// The wire's interface that faces `a`.
    pub fn wire_a(&self) -> String {
        format!("w{}a", self.index)
    }

    /// The wire's interface that faces `b`.
    pub fn wire_b(&self) -> String {
        format!("w{}b", self.index)
    }

    /// Whether `name` names this link; either end may come first.
    pub fn is_named(&self, name: &str) -> bool {
        let reverse = format!("{}:{}-{}:{}", self.b.switch, self.b.number, self.a.switch, self.a.number);
        name == self.name || name == reverse
    }
}

impl Host {
    /// Its namespace.
    pub fn namespace(&self) -> Namespace {
        node_namespace(&self.name)
    }
}

impl Switch {
    /// Its namespace.
    pub fn namespace(&self) -> Namespace {
        node_namespace(&self.name)
    }
}

/// The interface of a switch's port.
pub fn port_interface(number: u16) -> String {
    format!("p{number}")
}

/// The namespace of a switch or host.
pub fn node_namespace(node: &str) -> Namespace {
    Namespace::named(format!("smoc-{node}"))
}

impl Plan {
    /// Plans the lab for a topology.
    ///
    /// # Errors
    /// When a node's name cannot be a namespace's, or a switch and a host share one.
    pub fn new(topology: &Topology, options: &LabOptions) -> Result<Self> {
        let port =
            |end: End| Port { switch: topology.switch(end.switch).name.clone(), number: end.port.get() };
        let links: Vec<Link> = topology
            .link_ids()
            .map(|id| {
                let link = topology.link(id);
                Link {
                    name: topology.link_name(id),
                    a: port(link.a),
                    b: port(link.b),
                    bits_per_second: link.capacity.or(options.rate).map(|rate| rate.bits_per_second()),
                    index: id.index(),
                }
            })
            .collect();
        let hosts: Vec<Host> = topology
            .hosts()
            .iter()
            .map(|host| Host {
                name: host.name.clone(),
                port: port(host.at),
                mac: host.mac.map(|mac| mac.to_string()),
                addresses: host.addresses.clone(),
            })
            .collect();
        let switches =
            topology.switches().iter().map(|switch| plan_switch(&switch.name, &links, &hosts)).collect();
        let extra_subflows = options.subflows.unwrap_or(SUBFLOWS).saturating_sub(1).min(MOST_EXTRA);
        let plan = Self {
            switches,
            links,
            hosts,
            mtu: options.mtu,
            extra_subflows,
            has_host_daemon: options.host_daemon.is_some(),
            has_store: options.agent.etcd,
        };
        plan.check_names()?;
        Ok(plan)
    }

    /// Every namespace the lab uses: switches, hosts, wires.
    pub fn namespaces(&self) -> Vec<Namespace> {
        let nodes = self.switches.iter().map(Switch::namespace).chain(self.hosts.iter().map(Host::namespace));
        let store = self.has_store.then(store::namespace);
        nodes.chain([Namespace::named(WIRES)]).chain(store).collect()
    }

    /// The host of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn host(&self, name: &str) -> Result<&Host> {
        let Some(host) = self.hosts.iter().find(|host| host.name == name) else {
            bail!("the lab has no host {name}; it has {}", list(self.hosts.iter().map(|host| &*host.name)));
        };
        Ok(host)
    }

    /// The link of that name; either end may come first.
    ///
    /// # Errors
    /// When there is none.
    pub fn link(&self, name: &str) -> Result<&Link> {
        let Some(link) = self.links.iter().find(|link| link.is_named(name)) else {
            bail!("the lab has no link {name}; it has {}", list(self.links.iter().map(|link| &*link.name)));
        };
        Ok(link)
    }

    fn check_names(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        let nodes = self.switches.iter().map(|s| &s.name).chain(self.hosts.iter().map(|h| &h.name));
        for name in nodes {
            let fits =
                name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) && name.len() <= 64;
            ensure!(
                fits,
                "{name:?} cannot name a namespace: use at most 64 letters, digits, dots, dashes and underscores"
            );
            ensure!(
                ![WIRES, store::STORE].contains(&node_namespace(name).name()),
                "no node may be called {name:?}: the lab's wires or its store live in a namespace of that name"
            );
            ensure!(seen.insert(name), "{name:?} names two nodes");
        }
        Ok(())
    }
}

fn plan_switch(name: &str, links: &[Link], hosts: &[Host]) -> Switch {
    let numbers = |ports: &mut dyn Iterator<Item = &Port>| {
        let at_this: BTreeSet<u16> =
            ports.filter(|port| port.switch == name).map(|port| port.number).collect();
        at_this.into_iter().collect()
    };
    Switch {
        name: name.to_owned(),
        fabric_ports: numbers(&mut links.iter().flat_map(|link| [&link.a, &link.b])),
        host_ports: numbers(&mut hosts.iter().map(|host| &host.port)),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use smoc_paths::topology::TopologyFile;

    use super::*;
    use crate::testing::example;

    fn plan(text: &str) -> Result<Plan> {
        let topology = TopologyFile::parse("test.yaml".as_ref(), text)?.topology;
        Plan::new(&topology, &LabOptions::new("test.yaml"))
    }

    #[test]
    fn every_example_topology_can_be_planned() {
        let files = std::fs::read_dir(example("")).unwrap().map(|entry| entry.unwrap().path());
        let is_topology =
            |file: &PathBuf| file.extension().is_some_and(|e| e == "yaml") && !file.ends_with("agent.yaml");
        let topologies: Vec<PathBuf> = files.filter(is_topology).collect();
        assert!(topologies.len() >= 4, "{topologies:?}");
        for file in &topologies {
            let topology = Topology::load(file).unwrap_or_else(|error| panic!("{error}"));
            let plan = Plan::new(&topology, &LabOptions::new(file)).unwrap();
            assert_eq!(plan.namespaces().len(), plan.switches.len() + plan.hosts.len() + 1);
        }
    }

    #[test]
    fn a_link_has_the_capacity_of_the_file_or_else_the_rate_of_the_command_line() {
        let text = "links:\n  - {a: \"x:1\", b: \"y:1\", capacity: 1Gbit}\n  - {a: \"x:2\", b: \"y:2\"}\n";
        let rates = |plan: &Plan| plan.links.iter().map(|link| link.bits_per_second).collect::<Vec<_>>();
        assert_eq!(rates(&plan(text).unwrap()), [Some(1_000_000_000), None]);
        let topology = TopologyFile::parse("test.yaml".as_ref(), text).unwrap().topology;
        let options = LabOptions { rate: Some("5mbit".parse().unwrap()), ..LabOptions::new("test.yaml") };
        assert_eq!(rates(&Plan::new(&topology, &options).unwrap()), [Some(1_000_000_000), Some(5_000_000)]);
    }

    #[test]
    fn names_that_clash_are_refused() {
        let clash = plan("links:\n  - {a: \"lab-wires:1\", b: \"y:1\"}\n").unwrap_err().to_string();
        assert!(clash.contains("no node may be called \"lab-wires\""), "{clash}");
    }
}
