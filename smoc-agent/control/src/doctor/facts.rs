//! What there is on a host or a switch, as plain values. The rim reads it and judges nothing; what could not be read is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use smoc_common::wire::ethernet::MacAddress;

use crate::{
    config::{Config, PortRole},
    end_host::{Flags, Limits, config::Mode},
    interfaces::{IfIndex, Interface},
};

/// The longest round trip that receive buffers are measured against, unless another one is said.
pub const DEFAULT_ROUND_TRIP: Duration = Duration::from_millis(10);

/// Kernel parameters that are looked at, below `/proc/sys`.
const SETTINGS: [&str; 19] = [
    "kernel/unprivileged_bpf_disabled",
    "net/bridge/bridge-nf-call-iptables",
    "net/core/bpf_jit_enable",
    "net/ipv4/conf/all/arp_announce",
    "net/ipv4/conf/all/arp_ignore",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv4/ip_forward",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_syncookies",
    "net/ipv4/tcp_wmem",
    "net/ipv6/conf/all/disable_ipv6",
    "net/mptcp/allow_join_initial_addr_port",
    "net/mptcp/blackhole_timeout",
    "net/mptcp/enabled",
    "net/mptcp/path_manager",
    "net/mptcp/pm_type",
    "net/mptcp/scheduler",
];
/// Those of each interface, below `net/ipv4/conf`.
const INTERFACE_SETTINGS: [&str; 3] = ["arp_announce", "arp_ignore", "rp_filter"];

/// The kernel parameters that are looked at, as paths below `/proc/sys`.
pub fn settings() -> impl Iterator<Item = String> {
    SETTINGS.iter().map(|path| (*path).to_owned())
}

/// Those of an interface.
pub fn per_interface_settings(interface: &str) -> impl Iterator<Item = String> {
    INTERFACE_SETTINGS.iter().map(move |name| of_interface(interface, name))
}

fn of_interface(interface: &str, name: &str) -> String {
    format!("net/ipv4/conf/{interface}/{name}")
}

/// A version of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel {
    /// The first number.
    pub major: u32,
    /// The second one.
    pub minor: u32,
}

impl Kernel {
    /// That version.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linux {}.{}", self.major, self.minor)
    }
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The kernel's version.
    pub kernel: Option<Kernel>,
    /// Kernel parameters by path; one that does not exist is missing.
    pub settings: BTreeMap<String, String>,
    /// Counters of `/proc/net/netstat`, such as `MPTcpExtMPCapableSYNTX`.
    pub counters: BTreeMap<String, u64>,
    /// The network interfaces.
    pub links: Vec<Link>,
    /// Processors that are online.
    pub processors: usize,
    /// The sources for which there are routing rules.
    pub rules: Vec<IpNet>,
    /// The end host, if it is asked about.
    pub host: Option<Host>,
    /// The switch, if it is asked about.
    pub switch: Option<Switch>,
}

/// A network interface.
#[derive(Clone, Debug)]
pub struct Link {
    /// What rtnetlink says.
    pub interface: Interface,
    /// Its addresses, each with the prefix that is on its link.
    pub addresses: Vec<IpNet>,
    /// Its driver, as ethtool knows it.
    pub driver: Option<String>,
    /// Its offloads, by the kernel's names.
    pub features: BTreeMap<String, bool>,
    /// Its channels, if it says.
    pub channels: Option<Channels>,
    /// For each interrupt of it the processors that may get it, as `/proc/irq/N/smp_affinity_list` has them.
    pub interrupts: Vec<String>,
    /// Whether it takes frames to any MAC address.
    pub is_promiscuous: bool,
    /// The other end, of a veth.
    pub peer: Option<Peer>,
}

/// How many channels (pairs of queues) a device uses, and how many it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// In use.
    pub used: u32,
    /// That there are.
    pub most: u32,
}

/// The other end of a veth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// That interface.
    Here(IfIndex),
    /// In another network namespace.
    Elsewhere,
}

impl Link {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.interface.name
    }

    /// Whether a feature is on; `None` if the device does not know it.
    pub fn feature(&self, name: &str) -> Option<bool> {
        self.features.get(name).copied()
    }

    /// Whether its driver is this one.
    pub fn has_driver(&self, name: &str) -> bool {
        self.driver.as_deref() == Some(name)
    }

    /// Whether it is a virtual one whose offloads can be switched while frames pass.
    pub fn is_virtual(&self) -> bool {
        self.has_driver("veth")
    }

    /// Whether subflows of an end host can use it: it has carrier, a MAC address and an address that others reach, and is neither a
    /// bridge nor part of something else.
    pub fn takes_part(&self) -> bool {
        let interface = &self.interface;
        let is_ordinary = interface.mac != MacAddress::default() && interface.spanning_tree.is_none();
        interface.usable && is_ordinary && interface.master.is_none() && self.reachable().next().is_some()
    }

    /// Its addresses that others reach.
    pub fn reachable(&self) -> impl Iterator<Item = IpNet> {
        self.addresses.iter().copied().filter(|net| match net.addr() {
            IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
            IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
        })
    }
}

/// What is known of an end host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Limits of the path manager; `None` if it does not answer.
    pub limits: Option<Limits>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointFact>,
    /// The process of `smoc host`, if it runs.
    pub daemon: Option<u32>,
    /// Who shall decide about subflows, as `smoc host` was told; `None` if it does not run.
    pub mode: Option<Mode>,
    /// The process of mptcpd, if it runs here.
    pub mptcpd: Option<u32>,
    /// A connection to itself.
    pub loopback: Loopback,
    /// The rate of all paths together in bit/s, if it was said.
    pub rate: Option<u64>,
    /// The longest round trip, queues included.
    pub round_trip: Duration,
}

/// An endpoint, and whether `smoc host` or the kernel itself has set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointFact {
    /// Its number.
    pub id: u8,
    /// Its address.
    pub address: IpAddr,
    /// What it is for.
    pub flags: Flags,
    /// Somebody else has set it.
    pub is_foreign: bool,
}

/// What became of a connection of the host to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loopback {
    /// It is MPTCP.
    Mptcp,
    /// It is TCP because the kernel has switched MPTCP off for now.
    BlackHoled,
    /// It is TCP for another reason.
    FellBack,
    /// There was no connection, for this reason.
    Failed(String),
}

/// What is known of a switch.
#[derive(Clone, Debug)]
pub struct Switch {
    /// The configuration, or what is wrong with it; `None` without one.
    pub config: Option<Result<Config, String>>,
    /// The interface of each port, by the configuration or the agent.
    pub ports: BTreeMap<u16, String>,
    /// The bridge that has them.
    pub bridge: Option<String>,
    /// The ports that lead to other switches, as far as that is known.
    pub fabric_ports: BTreeSet<u16>,
    /// What the agent says; what became of asking it otherwise.
    pub agent: Result<Agent, String>,
    /// Effective capabilities, of the agent if it runs.
    pub capabilities: u64,
    /// The real-time priority that the agent may use.
    pub real_time: Option<u64>,
    /// The pin directory.
    pub pins: Pins,
    /// Whether the kernel's clock is synchronised.
    pub clock_is_synchronised: Option<bool>,
    /// Files with keys, and the permission bits of each.
    pub key_files: Vec<(PathBuf, u32)>,
}

/// What an agent says of itself.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// Whether the maps are filled and all programs attached.
    pub is_ready: bool,
    /// Its process.
    pub pid: u32,
    /// Its warnings.
    pub warnings: Vec<String>,
    /// The interfaces on which it has its program.
    pub attached: BTreeSet<String>,
    /// Ranked paths that are broken.
    pub broken: Vec<BrokenPath>,
    /// Whether etcd is connected; `None` where that is not the store.
    pub etcd: Option<bool>,
}

/// A ranked path that probes do not come back from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenPath {
    /// The switch at its end.
    pub edge: String,
    /// Its rank.
    pub rank: usize,
    /// Its links.
    pub links: String,
}

/// The pin directory.
#[derive(Clone, Debug, Default)]
pub struct Pins {
    /// Where it is or will be.
    pub path: PathBuf,
    /// The directory at which a BPF file system would have to be mounted; `None`: there is one.
    pub missing_mount: Option<PathBuf>,
    /// Owner and permission bits, if it exists.
    pub owner: Option<(u32, u32)>,
    /// Programs that are on a pinned link, by interface; `None` if that cannot be seen.
    pub programs: Option<BTreeMap<String, u32>>,
}

impl Facts {
    /// A kernel parameter.
    pub fn setting(&self, path: &str) -> Option<&str> {
        self.settings.get(path).map(String::as_str)
    }

    /// A kernel parameter that is a number.
    pub fn number(&self, path: &str) -> Option<u64> {
        self.setting(path)?.parse().ok()
    }

    /// A parameter of an interface as it is in force: the higher one of its own and that of all.
    pub fn in_force(&self, interface: &str, name: &str) -> u64 {
        let of = |interface| self.number(&of_interface(interface, name)).unwrap_or(0);
        of("all").max(of(interface))
    }

    /// A counter of MPTCP; 0 if there is none of that name.
    pub fn mptcp(&self, name: &str) -> u64 {
        self.counters.get(&format!("MPTcpExt{name}")).copied().unwrap_or(0)
    }

    /// The interface of that name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name() == name)
    }

    /// The interfaces that subflows of an end host can use.
    pub fn host_links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| link.takes_part())
    }
}

impl Switch {
    /// The configuration, if there is a sound one.
    pub fn sound_config(&self) -> Option<&Config> {
        self.config.as_ref()?.as_ref().ok()
    }

    /// Numbers and interfaces of the ports.
    pub fn ports(&self) -> impl Iterator<Item = (u16, &str)> {
        self.ports.iter().map(|(number, interface)| (*number, interface.as_str()))
    }

    /// The interfaces of the ports that the configuration does not switch off, as far as they exist.
    pub fn links_in_use<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Link> {
        let is_off = |number: u16| {
            let roles = self.sound_config().into_iter().flat_map(|config| &config.roles);
            roles.into_iter().any(|(port, role)| port.get() == number && *role == PortRole::Off)
        };
        let in_use = self.ports().filter(move |(number, _)| !is_off(*number));
        in_use.filter_map(|(_, interface)| facts.link(interface))
    }

    /// The interfaces of the ports, as far as they exist.
    pub fn port_links<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Link> {
        self.ports().filter_map(|(_, interface)| facts.link(interface))
    }
}
