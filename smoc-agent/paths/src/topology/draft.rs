//! A described topology, not yet checked, and the checks that turn it into a [`Topology`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;

use super::graph::{Arc, End, Host, Link, LinkId, Srlg, Switch, SwitchId, Topology};
use super::values::cost_message;
use super::{Bandwidth, Latency, PortNumber};
use crate::input::shown;
use ipnet::IpNet;
use smoc_common::{route::PushedRoute, wire::ethernet::MacAddress};

/// Switches, links and hosts as some source describes them; [`Draft::build`] checks them.
/// In each, `entry` is the position in its section of the source, for messages.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Switches about which there is something to say; the others follow from the links and hosts.
    pub switches: Vec<DraftSwitch>,
    /// Links.
    pub links: Vec<DraftLink>,
    /// Hosts.
    pub hosts: Vec<DraftHost>,
    /// What else the source calls switches, ids and labels: that name and the switch's.
    pub aliases: Vec<(String, String)>,
}

/// See [`Switch`].
#[derive(Clone, Debug)]
pub struct DraftSwitch {
    /// Position in the source.
    pub entry: usize,
    /// Its name.
    pub name: String,
    /// Its agent's address.
    pub agent: Option<IpAddr>,
    /// Bits of its port numbers at least; 0 to have as many as its links need.
    pub port_width: u8,
}

/// See [`Link`]; an end is a switch's name and a port.
#[derive(Clone, Debug)]
pub struct DraftLink {
    /// Position in the source.
    pub entry: usize,
    /// The first end.
    pub a: (String, PortNumber),
    /// The second end.
    pub b: (String, PortNumber),
    /// Capacity each way.
    pub capacity: Option<Bandwidth>,
    /// One-way latency.
    pub latency: Option<Latency>,
    /// At least 1.
    pub cost: u32,
    /// Names of shared-risk groups.
    pub srlg: Vec<String>,
}

/// See [`Host`].
#[derive(Clone, Debug)]
pub struct DraftHost {
    /// Position in the source.
    pub entry: usize,
    /// Its name.
    pub name: String,
    /// Switch and port it is attached to.
    pub at: (String, PortNumber),
    /// Its Ethernet address.
    pub mac: Option<MacAddress>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// What it routes to.
    pub prefixes: Vec<IpNet>,
}

/// A section of a topology description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// `switches`
    Switches,
    /// `links`
    Links,
    /// `hosts`
    Hosts,
}

/// Where a fault is: a field of the n-th entry of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The section.
    pub section: Section,
    /// Position of the entry, from 0.
    pub entry: usize,
    /// The key in it.
    pub field: &'static str,
}

/// A fault in a description; the message says what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is; `None` if it concerns the whole.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Switches => "switches",
            Self::Links => "links",
            Self::Hosts => "hosts",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}].{}", self.section, self.entry, self.field)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// The bits of the highest port number.
const WIDEST: u8 = (u16::BITS - PortNumber::MAX.leading_zeros()) as u8;

/// The longest name of a switch, host or shared-risk group, in bytes: tables and messages between agents hold 64.
const LONGEST_NAME: usize = 63;

/// Checks a switch's or host's name: 1 to 63 bytes, letters, digits, `.`, `_`, `-`, a letter or digit first.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() > LONGEST_NAME {
        return Err(too_long(name));
    }
    if name.chars().all(plain) && name.starts_with(char::is_alphanumeric) {
        return Ok(());
    }
    Err(format!(
        "\"{}\" is no name: use 1 to {LONGEST_NAME} letters, digits, \".\", \"_\" or \"-\", beginning with a letter or digit",
        shown(name)
    ))
}

fn check_group(name: &str) -> Result<(), String> {
    if name.len() > LONGEST_NAME {
        return Err(too_long(name));
    }
    if !name.trim().is_empty() && !name.contains(char::is_control) {
        return Ok(());
    }
    Err(format!(
        "\"{}\" is no name of a shared-risk group: use 1 to {LONGEST_NAME} bytes that can be printed",
        shown(name)
    ))
}

fn too_long(name: &str) -> String {
    format!("\"{}\" has {} bytes: shorten it to {LONGEST_NAME}", shown(name), name.len())
}

impl Draft {
    /// Checks everything and numbers it.
    ///
    /// Whether all switches are connected is not checked here, see [`Topology::pieces`].
    ///
    /// # Errors
    /// All faults: names that are twice or malformed, ports used twice, links from a switch to itself,
    /// costs of 0, addresses that no host can have or two have.
    pub fn build(self) -> Result<Topology, Vec<Problem>> {
        let mut checks = Checks::default();
        checks.names(&self);
        checks.ports(&self);
        checks.values(&self);
        checks.addresses(&self);
        if !checks.problems.is_empty() {
            return Err(checks.problems);
        }
        Ok(self.number())
    }

    fn number(self) -> Topology {
        let mut said: BTreeMap<String, (Option<IpAddr>, u8)> = BTreeMap::new();
        for (name, _) in self.links.iter().flat_map(|l| [&l.a, &l.b]).chain(self.hosts.iter().map(|h| &h.at))
        {
            said.entry(name.clone()).or_default();
        }
        said.extend(self.switches.into_iter().map(|switch| (switch.name, (switch.agent, switch.port_width))));
        let ids: HashMap<&str, SwitchId> =
            said.keys().zip(0..).map(|(name, id)| (name.as_str(), SwitchId(id))).collect();
        let end = |(name, port): &(String, PortNumber)| End { switch: ids[name.as_str()], port: *port };
        let mut aliases: BTreeMap<String, Vec<SwitchId>> = BTreeMap::new();
        for (alias, switch) in &self.aliases {
            if let Some(&id) = ids.get(switch.as_str()) {
                aliases.entry(alias.clone()).or_default().push(id);
            }
        }
        let srlgs: Vec<String> =
            self.links.iter().flat_map(|l| &l.srlg).collect::<BTreeSet<_>>().into_iter().cloned().collect();
        let group = |name: &String| Srlg(srlgs.binary_search(name).expect("all are listed") as u32);
        let mut links: Vec<Link> = (self.links.iter())
            .map(|link| Link {
                a: end(&link.a),
                b: end(&link.b),
                capacity: link.capacity,
                latency: link.latency,
                cost: link.cost,
                srlg: link.srlg.iter().map(group).collect::<BTreeSet<_>>().into_iter().collect(),
            })
            .collect();
        links.sort_by_key(|link| (link.a.min(link.b), link.a.max(link.b)));
        let mut hosts: Vec<Host> = (self.hosts.into_iter())
            .map(|DraftHost { at, name, mac, addresses, prefixes, .. }| Host {
                at: end(&at),
                name,
                mac,
                addresses,
                prefixes,
            })
            .collect();
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        let switch = |(name, (agent, port_width))| Switch { name, agent, port_width };
        let switches = said.into_iter().map(switch).collect();
        Topology { aliases, ..connect(switches, links, hosts, srlgs) }
    }
}

/// Lists each switch's links and widens its port numbers as they need.
fn connect(mut switches: Vec<Switch>, links: Vec<Link>, hosts: Vec<Host>, srlgs: Vec<String>) -> Topology {
    let mut first = vec![0u32; switches.len() + 1];
    for end in links.iter().flat_map(|link| [link.a, link.b]) {
        first[end.switch.index() + 1] += 1;
        let width = &mut switches[end.switch.index()].port_width;
        *width = (*width).max(end.port.width());
    }
    for i in 1..first.len() {
        first[i] += first[i - 1];
    }
    let mut arcs: Vec<(SwitchId, Arc)> = (links.iter().zip(0..))
        .flat_map(|(link, id)| [(link.a, link.b, LinkId(id)), (link.b, link.a, LinkId(id))])
        .map(|(from, to, link)| (from.switch, Arc { link, port: from.port, to }))
        .collect();
    arcs.sort_by_key(|&(from, arc)| (from, arc.link));
    let arcs = arcs.into_iter().map(|(_, arc)| arc).collect();
    Topology { switches, links, hosts, srlgs, first, arcs, aliases: BTreeMap::new() }
}

/// Collects the faults of a draft.
#[derive(Default)]
struct Checks {
    problems: Vec<Problem>,
}

impl Checks {
    fn add(&mut self, section: Section, entry: usize, field: &'static str, message: String) {
        self.problems.push(Problem { place: Some(Place { section, entry, field }), message });
    }

    fn names(&mut self, draft: &Draft) {
        let mut hosts: HashMap<&str, usize> = HashMap::new();
        for host in &draft.hosts {
            if let Err(message) = check_name(&host.name) {
                self.add(Section::Hosts, host.entry, "name", message);
            } else if let Some(other) = hosts.insert(&host.name, host.entry) {
                let message =
                    format!("\"{}\" is already the name of hosts[{other}]: give each its own", host.name);
                self.add(Section::Hosts, host.entry, "name", message);
            }
        }
        let mut switches: HashMap<&str, usize> = HashMap::new();
        let mut named: Vec<(Section, usize, &'static str, &str)> = Vec::new();
        for switch in &draft.switches {
            if let Some(other) = switches.insert(&switch.name, switch.entry) {
                let message = format!(
                    "\"{}\" is already described by switches[{other}]: keep one of the two",
                    shown(&switch.name)
                );
                self.add(Section::Switches, switch.entry, "name", message);
            }
            named.push((Section::Switches, switch.entry, "name", &switch.name));
        }
        for link in &draft.links {
            named.push((Section::Links, link.entry, "a", &link.a.0));
            named.push((Section::Links, link.entry, "b", &link.b.0));
        }
        named.extend(draft.hosts.iter().map(|host| (Section::Hosts, host.entry, "port", host.at.0.as_str())));
        for (section, entry, field, name) in named {
            if let Err(message) = check_name(name) {
                self.add(section, entry, field, message);
            } else if hosts.contains_key(name) {
                let message = format!("\"{name}\" is a host, not a switch: hosts never forward");
                self.add(section, entry, field, message);
            }
        }
    }

    fn ports(&mut self, draft: &Draft) {
        let links = (draft.links.iter())
            .flat_map(|l| [(Section::Links, l.entry, "a", &l.a), (Section::Links, l.entry, "b", &l.b)]);
        let hosts = draft.hosts.iter().map(|h| (Section::Hosts, h.entry, "port", &h.at));
        let mut used: HashMap<&(String, PortNumber), Place> = HashMap::new();
        for (section, entry, field, end) in links.chain(hosts) {
            let place = Place { section, entry, field };
            if let Some(before) = used.insert(end, place) {
                let (switch, port) = end;
                let message = format!(
                    "{}:{port} is already used by {before}: give one of them another port",
                    shown(switch)
                );
                self.add(section, entry, field, message);
            }
        }
    }

    fn values(&mut self, draft: &Draft) {
        for link in &draft.links {
            if link.a.0 == link.b.0 {
                let message =
                    format!("this link leads from {} to itself: name another switch", shown(&link.a.0));
                self.add(Section::Links, link.entry, "b", message);
            }
            if link.cost == 0 {
                self.add(Section::Links, link.entry, "cost", cost_message("0"));
            }
            for message in link.srlg.iter().filter_map(|name| check_group(name).err()) {
                self.add(Section::Links, link.entry, "srlg", message);
            }
        }
    }

    fn addresses(&mut self, draft: &Draft) {
        let mut agents = Owners::default();
        for switch in &draft.switches {
            if let Some(agent) = switch.agent {
                agents.claim(self, agent, Section::Switches, switch.entry, "agent");
            }
            if switch.port_width > WIDEST {
                let message =
                    format!("{} is too many: a port number has {WIDEST} bits at most", switch.port_width);
                self.add(Section::Switches, switch.entry, "port_width", message);
            }
        }
        let mut macs = Owners::default();
        let mut addresses = Owners::default();
        for host in &draft.hosts {
            if let Some(mac) = host.mac {
                if let Err(message) = check_mac(mac) {
                    self.add(Section::Hosts, host.entry, "mac", message);
                }
                macs.claim(self, mac, Section::Hosts, host.entry, "mac");
            }
            self.prefixes(host);
            let mut own = HashSet::new();
            for &address in &host.addresses {
                if let Err(message) = check_address(address) {
                    self.add(Section::Hosts, host.entry, "addresses", message);
                } else if own.insert(address) {
                    addresses.claim(self, address, Section::Hosts, host.entry, "addresses");
                } else {
                    self.add(
                        Section::Hosts,
                        host.entry,
                        "addresses",
                        format!("{address} is listed twice: remove one"),
                    );
                }
            }
        }
    }
}

impl Checks {
    /// A prefix may be behind several routers: each switch takes the nearest.
    fn prefixes(&mut self, host: &DraftHost) {
        if !host.prefixes.is_empty() && host.mac.is_none() {
            let message = "missing: write the MAC address of a host that has prefixes";
            self.add(Section::Hosts, host.entry, "mac", message.to_owned());
        }
        let mut own = HashSet::new();
        for prefix in &host.prefixes {
            let is_local = prefix.addr().is_multicast() || prefix.addr().is_loopback();
            if is_local {
                let message = format!("{prefix} cannot be behind a router: write one that hosts send to");
                self.add(Section::Hosts, host.entry, "prefixes", message);
            } else if !own.insert(prefix) {
                let message = format!("{prefix} is listed twice: remove one");
                self.add(Section::Hosts, host.entry, "prefixes", message);
            }
        }
    }
}

/// Who has a value that only one may have.
struct Owners<T>(HashMap<T, Place>);

impl<T> Default for Owners<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Hash + Eq + fmt::Display + Copy> Owners<T> {
    fn claim(&mut self, checks: &mut Checks, value: T, section: Section, entry: usize, field: &'static str) {
        if let Some(before) = self.0.insert(value, Place { section, entry, field }) {
            let message = format!("{value} is already taken by {before}: give one of them another");
            checks.add(section, entry, field, message);
        }
    }
}

fn check_mac(mac: MacAddress) -> Result<(), String> {
    if mac == MacAddress::default() || mac.is_group() {
        return Err(format!("{mac} cannot be a host's: it is zero or a group address: write the host's own"));
    }
    if mac.prefix() == PushedRoute::PREFIX {
        return Err(format!("{mac} begins with 02:53:4d, which marks smoc's own frames: choose another"));
    }
    Ok(())
}

fn check_address(address: IpAddr) -> Result<(), String> {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() || broadcast {
        return Err(format!("{address} cannot be a host's address: write one that others send to"));
    }
    Ok(())
}
