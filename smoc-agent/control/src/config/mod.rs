//! The configuration of one switch's agent: what its file may say, and everything that is wrong with it.
//!
//! ```yaml
//! switch: e1                        # its name in the topology
//! topology: topology.yaml           # relative to this file
//! fabric: default                   # only switches of the same one are neighbours
//! ports: {1: p1, 2: p2, 9: p9}      # port number: interface
//! roles: {9: host}                  # what is behind a port: auto (it is found out), host, fabric, off
//! bridge: br0                       # its port states are set so that the base network has no loop
//! port_width: 5                      # width of port numbers in routes, where the network is discovered
//! key_file: fabric.key              # only who has one of its keys, one a line, is believed
//! key_mode: required                # or introduce: whoever has none is believed too, while switches are given their first key
//! api: /run/smoc/api.sock
//! api_owner: root                   # user and group of the socket
//! api_group: root
//! state: /var/lib/smoc              # directory for what is kept over restarts of the machine
//! bpf: {object: /usr/lib/smoc/smoc.bpf.o, pin: /sys/fs/bpf/smoc}
//! paths: {policy: diverse, count: 8}
//! spread: none                      # or flows
//! guard: {9: source, 10: strict}    # what hosts may send, by port; off where nothing is said
//! openings: 125000                  # new subflows a second and CPU that are taken note of; 0: all
//! port_openings: 1024               # handshakes of one host port that are under way
//! learn: true                       # hosts from ARP and neighbour discovery
//! ageing: 30m                       # a host that was silent for so long is asked whether it is still there
//! prefixes: [10.0.0.0/16]           # of the fabric: nothing else is learned
//! routes: none                      # or kernel: prefixes behind hosts by the switch's own routing table
//! xdp: native                       # or generic
//! hellos: {interval: 10ms, multiplier: 3, hold_down: 1s}                    # interval: off for none
//! probes: {interval: 20ms, idle_interval: 1s, budget: 1000, hold_down: 2s}  # interval: off for none
//! tables: {flows: 131072, half_open: 16384, connections: 131072, hosts: 65536}
//! metrics: {listen: "127.0.0.1:9852", token_file: metrics.token, cert: e1.pem, key: e1.key}
//! fabric_api: {listen: "10.9.0.1:9853", token_file: fabric.token, ca: ca.pem, cert: e1.pem, key: e1.key}
//! web: {listen: "127.0.0.1:8053", token_file: web.token, cert: e1.pem, key: e1.key, writes: true}
//! store: static                     # or {etcd: {endpoints: ["https://10.0.0.1:2379"], ca: ca.pem, cert: e1.pem, key: e1.key}}
//! ```
//!
//! Only `switch` is required. Without `topology` neighbours and network are discovered; without `ports` (or with `ports: auto`) all
//! interfaces of the bridge are ports, each with the number at the end of its name. The others have the values shown, except that
//! without `bridge` no bridge is touched, without `guard` no port has one, without `metrics`, `fabric_api` and `web` no TCP port listens, and without `prefixes` those of the bridge's own
//! addresses count, or all if it has none.

mod border;
pub(crate) mod duration;
mod file;
mod keys;
mod listener;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod web;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use smoc_common::{map, route::PortNumber};

use crate::{discovery::key::Keys, interfaces::Interfaces};

pub use border::{Border, Guard};
pub use file::DEFAULT_API;
pub use keys::read as read_keys;
pub use listener::{FabricApi, Listener};
pub use shared::{Difference, SHARED_KEYS, Shared};
pub use store::{Etcd, Store};
pub use web::Web;

use smoc_paths::{
    input::{self, Fault},
    search::PathOptions,
    topology::{End, SwitchId, Topology, TopologyError},
};

/// What one agent is told, checked as far as that is possible without the topology.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// The name of this switch in the topology.
    pub switch: String,
    /// The topology file; without one the network is discovered.
    pub topology: Option<PathBuf>,
    /// The file with the fabric's keys.
    pub key_file: Option<PathBuf>,
    /// Whether only who has one of them is believed.
    pub key_mode: KeyMode,
    /// Those keys.
    pub keys: Keys,
    /// Bits of port numbers in routes, where the network is discovered; 0 to have as many as the ports need, rounded up.
    pub port_width: u8,
    /// Whether hosts are told how many paths there are.
    pub advising: Advising,
    /// The fabric that it belongs to.
    pub fabric: String,
    /// What is behind ports, where that is not to be found out.
    pub roles: BTreeMap<PortNumber, PortRole>,
    /// All interfaces of the bridge are ports.
    pub all_ports: bool,
    /// The interface of each port.
    pub ports: BTreeMap<PortNumber, String>,
    /// The bridge whose port states are managed.
    pub bridge: Option<String>,
    /// The Unix socket of the API.
    pub api: PathBuf,
    /// The user that owns that socket, by name or number; by default that of the agent.
    pub api_owner: Option<String>,
    /// The group that may use it, by name or number; by default that of the agent.
    pub api_group: Option<String>,
    /// The directory for what is kept over restarts of the machine.
    pub state: PathBuf,
    /// The BPF object, if the file names one.
    pub object: Option<PathBuf>,
    /// The directory, on a BPF file system, in which maps and links are pinned.
    pub pin: PathBuf,
    /// How paths are chosen.
    pub paths: PathOptions,
    /// What happens to traffic that is no MPTCP.
    pub spread: Spread,
    /// What hosts may send.
    pub border: Border,
    /// Whether hosts are learned from ARP and neighbour discovery.
    pub learn: bool,
    /// After how long a silent host is asked whether it is still there.
    pub ageing: Duration,
    /// The prefixes of the fabric, outside of which no address is learned; without any those of the bridge's addresses, or all.
    pub prefixes: Vec<IpNet>,
    /// Which routes of the switch's own are used.
    pub routes: Routes,
    /// How programs are attached.
    pub xdp: XdpMode,
    /// How fabric links are watched.
    pub hellos: Hellos,
    /// How paths are watched.
    pub probes: Probes,
    /// How large the tables are.
    pub tables: Tables,
    /// Where metrics can be read over TCP.
    pub metrics: Option<Listener>,
    /// Where operators of the whole fabric can read the API over TCP.
    pub fabric_api: Option<FabricApi>,
    /// Where the agent serves its page.
    pub web: Option<Web>,
    /// Where to find out what the other switches say.
    pub store: Store,
    /// What the file itself says of what a fabric may say for all switches.
    said: Shared,
    lines: Lines,
}

/// Whether and how hosts are told how many paths there are ([`crate::discovery::advice`]).
#[derive(Clone, Debug, Default)]
pub struct Advising {
    /// They are.
    pub is_on: bool,
    /// The file with the keys that sign it, which hosts have too: never those of the fabric.
    pub key_file: Option<PathBuf>,
    /// Those keys.
    pub keys: Keys,
}

impl Advising {
    /// Whether others have another file or other keys.
    fn is_signed_otherwise(&self, other: &Self) -> bool {
        self.key_file != other.key_file || self.keys != other.keys
    }
}

/// How traffic that is no MPTCP is spread over the ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// All of it takes the first path of least cost.
    #[default]
    None,
    /// Each flow is hashed over the paths of least cost.
    Flows,
}

/// Who is believed where there is a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyMode {
    /// Who has it.
    #[default]
    Required,
    /// Everybody: not all switches have it yet. This one signs what it says.
    Introduce,
}

/// What is behind a port, if the operator says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortRole {
    /// That is found out.
    #[default]
    Auto,
    /// Hosts, from the first moment; a switch that is heard there is refused.
    Host,
    /// A switch: the port stays closed until one is heard.
    Fabric,
    /// Nothing: the port stays closed.
    Off,
}

/// Which routes of the switch's own routing table say what is behind hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Routes {
    /// None.
    #[default]
    None,
    /// Those of the main table but the default routes.
    Kernel,
    /// All of the main table.
    KernelWithDefault,
}

/// Where in the kernel the programs run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum XdpMode {
    /// In the driver.
    #[default]
    Native,
    /// After the driver has built a socket buffer: slow, but every driver can do it.
    Generic,
}

impl std::fmt::Display for XdpMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// How many entries the tables have that are sized by configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tables {
    /// Established subflows, over IPv4 and over IPv6 each.
    pub flows: u32,
    /// Subflows in their handshake.
    pub half_open: u32,
    /// Connections; there are twice as many tokens.
    pub connections: u32,
    /// Addresses of hosts.
    pub hosts: u32,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            flows: map::FLOW_ENTRIES,
            half_open: map::HALF_OPEN_ENTRIES,
            connections: map::CONNECTION_ENTRIES,
            hosts: map::HOST_ENTRIES,
        }
    }
}

/// How the link behind each fabric port is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hellos {
    /// Time between two hellos; zero: none are sent, and carrier alone counts.
    #[serde(deserialize_with = "duration::read")]
    pub interval: Duration,
    /// A port is dead after this many missed hellos in a row.
    pub multiplier: u32,
    /// How long every hello has to come back before a port counts as up again.
    #[serde(deserialize_with = "duration::read")]
    pub hold_down: Duration,
}

impl Default for Hellos {
    fn default() -> Self {
        Self { interval: Duration::from_millis(10), multiplier: 3, hold_down: Duration::from_secs(1) }
    }
}

/// How paths are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Probes {
    /// Time between two probes of a path in use; zero: none are sent.
    #[serde(deserialize_with = "duration::read")]
    pub interval: Duration,
    /// Time between two probes of any other path; zero: these are not probed.
    #[serde(deserialize_with = "duration::read")]
    pub idle_interval: Duration,
    /// Max probes a second; all intervals stretch evenly to keep to it.
    pub budget: u32,
    /// How long losses have to be few before a path counts as whole again.
    #[serde(deserialize_with = "duration::read")]
    pub hold_down: Duration,
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(20),
            idle_interval: Duration::from_secs(1),
            budget: 1000,
            hold_down: Duration::from_secs(2),
        }
    }
}

/// Where things stand in the file, for faults that only the topology brings to light.
#[derive(Clone, Debug, Default)]
struct Lines {
    switch: u64,
    ports: u64,
    guard: u64,
    paths: u64,
}

/// Why a configuration is refused: one line per fault, `file:line: field: what to change`.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It says something that cannot be.
    #[error("{}", input::lines(path, faults))]
    Faulty {
        /// The file.
        path: PathBuf,
        /// In the order of the file.
        faults: Vec<Fault>,
    },
    /// The key file.
    #[error("{}: {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to change.
        why: String,
    },
    /// The topology that it names is refused.
    #[error(transparent)]
    Topology(#[from] TopologyError),
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, or the faults in it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            input::read_text(path).map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        let mut config = Self::parse(path, &text)?;
        config.keys = config.check_keys()?;
        config.advising.keys = config.check_host_keys()?;
        Ok(config)
    }

    /// The keys of the key file; none without one.
    ///
    /// # Errors
    /// The file cannot be read, or holds no sound keys.
    pub fn check_keys(&self) -> Result<Keys, ConfigError> {
        let keys = self.key_file.as_deref().map(keys::read).transpose()?.unwrap_or_default();
        Ok(if self.key_mode == KeyMode::Introduce { keys.introduced() } else { keys })
    }

    /// The keys of the file that hosts have too; none without one.
    ///
    /// # Errors
    /// The file cannot be read, or holds no sound keys.
    pub fn check_host_keys(&self) -> Result<Keys, ConfigError> {
        Ok(self.advising.key_file.as_deref().map(keys::read).transpose()?.unwrap_or_default())
    }

    /// Checks a text; relative names in it are relative to the directory of `path`.
    ///
    /// # Errors
    /// The faults in it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        file::parse(path, text).map_err(|faults| ConfigError::Faulty { path: path.into(), faults })
    }

    /// This configuration with what a new one changes at run time; and the keys that need a restart, which stay.
    pub fn reloaded(&self, new: &Self) -> (Self, Vec<&'static str>) {
        let differs = [
            ("switch", self.switch != new.switch),
            ("fabric", self.fabric != new.fabric),
            ("topology", self.topology.is_some() != new.topology.is_some()),
            ("port_width", self.port_width != new.port_width),
            ("ports", (self.all_ports, &self.ports) != (new.all_ports, &new.ports)),
            ("bridge", self.bridge != new.bridge),
            ("api", self.api != new.api),
            ("api_owner", self.api_owner != new.api_owner),
            ("api_group", self.api_group != new.api_group),
            ("state", self.state != new.state),
            ("bpf", self.object != new.object || self.pin != new.pin),
            ("learn", self.learn != new.learn),
            ("host_advice", self.advising.is_on != new.advising.is_on),
            ("host_key_file", self.advising.is_signed_otherwise(&new.advising)),
            ("routes", self.routes != new.routes),
            ("xdp", self.xdp != new.xdp),
            ("tables", self.tables != new.tables),
            ("metrics", self.metrics != new.metrics),
            ("fabric_api", self.fabric_api != new.fabric_api),
            ("web", self.web != new.web),
            // Without a file it is another one by itself.
            ("store", self.store != new.store && self.topology.is_some() == new.topology.is_some()),
        ];
        let config = Self {
            topology: if self.topology.is_some() && new.topology.is_some() {
                new.topology.clone()
            } else {
                self.topology.clone()
            },
            key_file: new.key_file.clone(),
            key_mode: new.key_mode,
            keys: new.keys.clone(),
            paths: new.paths,
            spread: new.spread,
            border: new.border.clone(),
            ageing: new.ageing,
            prefixes: new.prefixes.clone(),
            roles: new.roles.clone(),
            hellos: new.hellos,
            probes: new.probes,
            said: new.said.clone(),
            lines: new.lines.clone(),
            ..self.clone()
        };
        (config, differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect())
    }

    /// Whether a text is meant to be a configuration rather than a topology: what its top-level keys say.
    pub fn is_one(text: &str) -> bool {
        file::has_own_keys(text)
    }

    /// Which switch of the topology this is, if the two fit together: the switch exists, and each port that
    /// the topology uses has an interface.
    ///
    /// # Errors
    /// What is missing, and the metric if links do not say what it needs.
    pub fn place(&self, topology: &Topology) -> Result<SwitchId, ConfigError> {
        let faulty = |faults| ConfigError::Faulty { path: self.path.clone(), faults };
        let Some(switch) = topology.find_switch(&self.switch) else {
            let known: Vec<_> = topology.switches().iter().map(|s| s.name.as_str()).take(8).collect();
            let message = format!(
                "switch: \"{}\" is not in {}, which has {}{}",
                self.switch,
                self.topology_name(),
                known.join(", "),
                if topology.switches().len() > known.len() { " ..." } else { "" }
            );
            return Err(faulty(vec![(self.lines.switch, message)]));
        };
        let links = topology.arcs(switch).iter().map(|arc| (arc.port, topology.link_name(arc.link)));
        let hosts = topology.hosts().iter().filter(|host| host.at.switch == switch);
        let hosts = hosts.map(|host| (host.at.port, host.name.clone()));
        let used = links.chain(hosts).filter(|(port, _)| !self.ports.contains_key(port));
        let mut faults: Vec<_> = used
            .map(|(port, user)| {
                let message = format!("ports: {port} is missing, which {user} uses: add {port}: INTERFACE");
                (self.lines.ports, message)
            })
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let is_host = |port: &PortNumber| topology.link_at(End { switch, port: *port }).is_none();
        for port in self.border.guards.keys().filter(|port| !is_host(port)) {
            let message = format!("guard.{port}: leads to another switch: only host ports can have a guard");
            faults.push((self.lines.guard, message));
        }
        if let Err(error) = self.paths.metric.costs(topology) {
            faults.push((self.lines.paths, format!("paths.metric: {error}")));
        }
        if faults.is_empty() { Ok(switch) } else { Err(faulty(faults)) }
    }

    /// The topology file as it is called in messages.
    pub fn topology_name(&self) -> String {
        self.topology.as_ref().map_or("the network".to_owned(), |file| file.display().to_string())
    }

    /// Whether the network is discovered.
    pub fn is_discovered(&self) -> bool {
        self.topology.is_none()
    }

    /// This configuration with the ports that a bridge has, where it says that all interfaces of that are ports; `None` if it has
    /// them already. A port stays one while its interface is away.
    pub fn with_interfaces(&self, interfaces: &Interfaces) -> Option<Self> {
        let bridge = interfaces.named(self.bridge.as_deref()?).filter(|_| self.all_ports)?.index;
        let mut ports = self.ports.clone();
        for interface in interfaces.all().filter(|interface| interface.master == Some(bridge)) {
            if let Some(number) = number_of(&interface.name) {
                ports.entry(number).or_insert_with(|| interface.name.clone());
            }
        }
        (ports != self.ports).then(|| Self { ports, ..self.clone() })
    }

    /// This configuration with the ports that an earlier one found, where all interfaces of the bridge are ports.
    pub fn with_ports_of(&self, before: &Self) -> Option<Self> {
        self.all_ports.then(|| Self { ports: before.ports.clone(), ..self.clone() })
    }

    /// Bits of this switch's port numbers in routes, where the network is discovered: rounded up, so that a port more seldom
    /// changes what routes mean.
    pub fn discovered_width(&self) -> u8 {
        const ROUNDED: u8 = 5;
        let needed = self.ports.keys().next_back().map_or(1, |port| port.width());
        if self.port_width >= needed { self.port_width } else { needed.next_multiple_of(ROUNDED) }
    }

    /// The ports of `switch` that lead to other switches.
    pub fn fabric_ports(&self, topology: &Topology, switch: SwitchId) -> BTreeSet<PortNumber> {
        let is_fabric = |port: &PortNumber| topology.link_at(End { switch, port: *port }).is_some();
        self.ports.keys().copied().filter(is_fabric).collect()
    }

    /// The places where the BPF object is looked for as a file, in this order.
    pub fn object_candidates(&self) -> Vec<PathBuf> {
        if let Some(object) = &self.object {
            return vec![object.clone()];
        }
        let mut candidates = vec![PathBuf::from("/usr/lib/smoc/smoc.bpf.o")];
        if let Ok(executable) = std::env::current_exe()
            && let Some(directory) = executable.parent()
        {
            candidates.push(directory.join("smoc.bpf.o"));
            candidates.extend(directory.parent().map(|target| target.join("bpf/smoc.bpf.o")));
        }
        candidates
    }
}

/// The port number at the end of an interface's name; `None` if there is none that a port may have.
pub fn number_of(name: &str) -> Option<PortNumber> {
    let from = name.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    PortNumber::new(name[from..].parse().ok()?)
}
