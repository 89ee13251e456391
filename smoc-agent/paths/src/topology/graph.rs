//! The topology itself: numbered switches and links, and who hangs where.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use smoc_common::wire::ethernet::MacAddress;

use super::{Bandwidth, Latency, PortNumber};

/// A switch: its position when switches are sorted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SwitchId(pub u32);

/// A link: its position when links are sorted by their ends (lower switch first, then its port).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// A shared-risk group: its position when group names are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Srlg(pub u32);

impl SwitchId {
    /// As an index into [`Topology::switches`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl LinkId {
    /// As an index into [`Topology::links`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Srlg {
    /// As an index into [`Topology::srlgs`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Its name, unique among switches and hosts.
    pub name: String,
    /// Where its agent is reached over the management network, if told.
    pub agent: Option<IpAddr>,
    /// Bits that one of its fabric port numbers takes in a source route: enough for the highest, and as many as the
    /// description says; 0 without both.
    pub port_width: u8,
}

/// One end of a link, or where a host is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// The switch.
    pub switch: SwitchId,
    /// The port of that switch.
    pub port: PortNumber,
}

/// An undirected link between two different switches; `a` and `b` are as the file names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The end written first.
    pub a: End,
    /// The end written second.
    pub b: End,
    /// What it carries each way, if told.
    pub capacity: Option<Bandwidth>,
    /// One-way latency, if told.
    pub latency: Option<Latency>,
    /// Cost, at least 1.
    pub cost: u32,
    /// The shared-risk groups it belongs to, sorted.
    pub srlg: Vec<Srlg>,
}

impl Link {
    /// The end that is not at `switch`; `b` if neither is.
    pub fn other(&self, switch: SwitchId) -> End {
        if self.b.switch == switch { self.a } else { self.b }
    }

    /// The end at `switch`, if one is.
    pub fn end_at(&self, switch: SwitchId) -> Option<End> {
        [self.a, self.b].into_iter().find(|end| end.switch == switch)
    }
}

/// A link as seen from one of its switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arc {
    /// The link.
    pub link: LinkId,
    /// The port through which this switch sends.
    pub port: PortNumber,
    /// The end at which it arrives.
    pub to: End,
}

/// A host that the file names; others may be discovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, unique among switches and hosts.
    pub name: String,
    /// Where it is attached.
    pub at: End,
    /// Its Ethernet address, if told.
    pub mac: Option<MacAddress>,
    /// Its addresses, in the file's order.
    pub addresses: Vec<IpAddr>,
    /// The prefixes behind it, if it is a router, in the file's order.
    pub prefixes: Vec<IpNet>,
}

/// Switches, links and hosts; immutable, and the same for every order of the description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    pub(super) switches: Vec<Switch>,
    pub(super) links: Vec<Link>,
    pub(super) hosts: Vec<Host>,
    pub(super) srlgs: Vec<String>,
    /// `arcs[first[s]..first[s + 1]]` are switch s's, sorted by link.
    pub(super) first: Vec<u32>,
    pub(super) arcs: Vec<Arc>,
    /// What else the description calls switches; a name may mean several.
    pub(super) aliases: BTreeMap<String, Vec<SwitchId>>,
}

impl Topology {
    /// All switches, sorted by name; a [`SwitchId`] is an index into it.
    pub fn switches(&self) -> &[Switch] {
        &self.switches
    }

    /// All links; a [`LinkId`] is an index into it.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The hosts that the description names, sorted by name.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The names of all shared-risk groups, sorted; an [`Srlg`] is an index into it.
    pub fn srlgs(&self) -> &[String] {
        &self.srlgs
    }

    /// The ids of all switches, ascending.
    pub fn switch_ids(&self) -> impl ExactSizeIterator<Item = SwitchId> + use<> {
        (0..self.switches.len() as u32).map(SwitchId)
    }

    /// The ids of all links, ascending.
    pub fn link_ids(&self) -> impl ExactSizeIterator<Item = LinkId> + use<> {
        (0..self.links.len() as u32).map(LinkId)
    }

    /// One switch.
    pub fn switch(&self, id: SwitchId) -> &Switch {
        &self.switches[id.index()]
    }

    /// One link.
    pub fn link(&self, id: LinkId) -> &Link {
        &self.links[id.index()]
    }

    /// The links of one switch, sorted by link.
    pub fn arcs(&self, switch: SwitchId) -> &[Arc] {
        &self.arcs[self.first[switch.index()] as usize..self.first[switch.index() + 1] as usize]
    }

    /// The link at that end.
    pub fn link_at(&self, end: End) -> Option<LinkId> {
        self.arcs(end.switch).iter().find(|arc| arc.port == end.port).map(|arc| arc.link)
    }

    /// `switch:port`.
    pub fn end_name(&self, end: End) -> String {
        format!("{}:{}", self.switch(end.switch).name, end.port)
    }

    /// The link as the file names it, `a` end first: `e1:1-m1:1`.
    pub fn link_name(&self, id: LinkId) -> String {
        let link = self.link(id);
        format!("{}-{}", self.end_name(link.a), self.end_name(link.b))
    }

    /// The switches that have hosts, ascending; all switches when the description names no host.
    pub fn edges(&self) -> Vec<SwitchId> {
        if self.hosts.is_empty() {
            return self.switch_ids().collect();
        }
        let mut edges: Vec<_> = self.hosts.iter().map(|host| host.at.switch).collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// The connected pieces, each sorted, in the order of their lowest switch.
    pub fn pieces(&self) -> Vec<Vec<SwitchId>> {
        let mut seen = vec![false; self.switches.len()];
        let mut pieces = Vec::new();
        for start in self.switch_ids() {
            if std::mem::replace(&mut seen[start.index()], true) {
                continue;
            }
            let mut piece = vec![start];
            let mut next = 0;
            while next < piece.len() {
                for arc in self.arcs(piece[next]) {
                    if !std::mem::replace(&mut seen[arc.to.switch.index()], true) {
                        piece.push(arc.to.switch);
                    }
                }
                next += 1;
            }
            piece.sort_unstable();
            pieces.push(piece);
        }
        pieces
    }
}
