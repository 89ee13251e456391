//! What a switch has decided, for whoever asks. Views show it and decide nothing themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use smoc_common::{
    map::{EdgeIndex, Host, Prefix, THIS_EDGE},
    route::{PortNumber, Rank},
    wire::probe::link_id,
};
use smoc_paths::topology::{End, LinkId, SwitchId, Topology};

use super::SharedState;
use crate::{
    clock::Nanos,
    config::{FabricApi, Spread},
    fabric::{ApiPlace, Records, Report, digest::Digests},
    hosts::{KnownHost, Reach, Refusal, behind::Routed, map_address},
    interfaces::{AttachedMode, BridgePort},
    neighbors::Standing,
    plan::{EdgeNames, EdgePaths, PathBook, PathsTo, Policies},
    policy::Force,
    ports::Role,
};

/// What a switch has decided.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Whether the maps are filled and every port that exists has its program.
    pub ready: bool,
    /// The network.
    pub topology: Arc<Topology>,
    /// This switch.
    pub this: SwitchId,
    /// What the edge indexes mean.
    pub names: EdgeNames,
    /// The ranked paths.
    pub book: Arc<PathBook>,
    /// The links that the base network uses.
    pub tree: Arc<BTreeSet<LinkId>>,
    /// The links that are down, as the switches at their ends say, once paths heed that.
    pub down: BTreeSet<LinkId>,
    /// Ranks along which no probe comes back.
    pub broken: BTreeSet<(PathsTo, Rank)>,
    /// The links that operators want traffic to leave.
    pub drained: BTreeSet<LinkId>,
    /// What operators want of the fabric.
    pub records: Records,
    /// The policy in force, if there ever was one.
    pub policy: Option<Arc<Force>>,
    /// What its rules mean here, and the paths that they choose.
    pub policies: Arc<Policies>,
    /// What this switch has, and since when.
    pub digests: (Digests, Nanos),
    /// What others say that they have (nothing: agents of older versions), and since when.
    pub told: Arc<BTreeMap<String, (Option<Digests>, Nanos)>>,
    /// Where every known address lives.
    pub hosts: Arc<BTreeMap<IpAddr, KnownHost>>,
    /// `PREFIXES`: what is behind routers.
    pub prefixes: BTreeMap<Prefix, Host>,
    /// What is behind hosts by the switches' routing tables.
    pub routed: Arc<Routed>,
    /// Claims to addresses of others that were refused lately.
    pub refusals: Vec<Refusal>,
    /// Which addresses are learned.
    pub reach: Reach,
    /// How many claims were refused so far, and how often an address was heard that is not to be learned.
    pub turned_away: (u64, u64),
    /// The ports.
    pub ports: Vec<PortState>,
    /// The bridge, if one is configured and exists.
    pub bridge: Option<BridgeState>,
    /// Where operators of the whole fabric can read the API of this switch.
    pub api: Option<FabricApi>,
    /// The same of others.
    pub apis: BTreeMap<String, ApiPlace>,
    /// The configuration of the fabric.
    pub shared: SharedState,
    /// How other traffic is spread.
    pub spread: Spread,
    /// How often subflows were told to look their hosts up again: an address moved, or a prefix or a policy changed.
    pub epoch: u32,
    /// Edges to which a path set is installed.
    pub edges: usize,
    /// Detours that are installed.
    pub detours: usize,
    /// Detours that fit into no route.
    pub unroutable_detours: usize,
    /// What this switch says of its ports, where no file does.
    pub report: Report,
    /// Frames of switches that were refused: what must not be at a port, and what no key of the fabric has signed.
    pub refused: u64,
    /// Frames of agents that were believed without a tag, while the fabric's key is introduced.
    pub untagged: u64,
    /// How often a port was closed because something joined it to another open one.
    pub loops: u64,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortState {
    /// Its number.
    pub number: PortNumber,
    /// Its interface, which may not exist.
    pub interface: String,
    /// What is behind it.
    pub role: Role,
    /// Whether the interface exists and has carrier.
    pub carrier: bool,
    /// Whether frames leave through it: it has carrier and, if it leads to a switch, that answers hellos.
    pub usable: bool,
    /// Where the program runs, if it is the right one.
    pub attached: Option<AttachedMode>,
    /// Its state in the bridge, if it is a port of one.
    pub bridge: Option<BridgePort>,
    /// Who is there, as far as that is known.
    pub neighbor: Standing,
}

/// The bridge of the base network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeState {
    /// Its interface.
    pub interface: String,
    /// Whether the agent sets its port states; not if the bridge runs spanning tree by itself.
    pub managed: bool,
}

impl Snapshot {
    /// The edge behind which an address is, as a host's or behind a router.
    pub fn edge_of(&self, address: IpAddr) -> Option<SwitchId> {
        if let Some(host) = self.hosts.get(&address) {
            return Some(host.at.switch);
        }
        let address = map_address(address);
        let (_, router) = self.prefixes.iter().rev().find(|(prefix, _)| prefix.contains(&address))?;
        match router.attachment.edge {
            THIS_EDGE => Some(self.this),
            edge => self.topology.find_switch(self.names.name(edge)?),
        }
    }

    /// The paths to an edge, by a rule of policy or by none.
    pub fn paths(&self, to: PathsTo) -> Option<&EdgePaths> {
        if to.rule == 0 { self.book.to(to.edge) } else { self.policies.book(to.rule)?.to(to.edge) }
    }

    /// The paths that an edge's index means.
    pub fn toward(&self, index: EdgeIndex) -> Option<PathsTo> {
        let edge = self.topology.find_switch(self.names.name(index)?)?;
        Some(PathsTo { edge, rule: self.names.rule(index) })
    }

    /// The paths by which a host here reaches another address.
    pub fn between(&self, local: IpAddr, remote: IpAddr) -> Option<PathsTo> {
        let edge = self.edge_of(remote)?;
        let to = PathsTo { edge, rule: self.policies.rules().between_ips(local, remote) };
        Some(if self.paths(to).is_some() { to } else { edge.into() })
    }

    /// The name of the link that hellos call by this number.
    pub fn link_of(&self, id: u32) -> Option<String> {
        let end = |end: End| (self.topology.switch(end.switch).name.as_str(), end.port.get());
        let mut links = self.topology.link_ids();
        let is_it = |link: &LinkId| {
            let link = self.topology.link(*link);
            link_id([end(link.a), end(link.b)]) == id
        };
        links.find(is_it).map(|link| self.topology.link_name(link))
    }

    /// Which ports are usable.
    pub fn usable(&self) -> BTreeMap<u16, bool> {
        self.ports.iter().map(|port| (port.number.get(), port.usable)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::Bench;
    use crate::{
        history::{Kind, changes},
        ports::Role,
        switch::Event,
    };

    fn told(happenings: &[crate::history::Happening], kind: Kind) -> Vec<String> {
        let of = happenings.iter().filter(|happening| happening.kind == kind);
        of.map(|happening| format!("{} {}", happening.subject, happening.text)).collect()
    }

    #[test]
    fn what_happens_between_two_snapshots_is_told_once_and_nothing_else() {
        let mut bench = Bench::settled();
        let before = bench.switch.snapshot();
        assert_eq!(changes(Some(&before), &before), []);
        let first = changes(None, &before);
        assert_eq!(told(&first, Kind::Agent), [" ready"]);
        assert_eq!(told(&first, Kind::Link).len(), 4, "{first:?}");

        let reply = [
            &[0xff; 6][..],
            &[2, 0, 0, 0, 0, 7, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 7, 10, 0, 0, 7],
            &[0; 28],
        ];
        bench.heard(9, Role::Host, reply.concat());
        bench.pass(Duration::from_secs(1));
        let learned = bench.switch.snapshot();
        let since = changes(Some(&before), &learned);
        assert_eq!(told(&since, Kind::Host), ["10.0.0.7 known at e1:9, 02:00:00:00:00:07"]);
        assert_eq!(since.len(), 1, "{since:?}");

        bench.interfaces.get_mut("p1").unwrap().usable = false;
        bench.handle(Event::Interfaces(bench.interfaces.values().cloned().collect()));
        bench.pass(Duration::from_secs(1));
        let cut = changes(Some(&learned), &bench.switch.snapshot());
        let unknown = "e1:1 nobody knows what is behind it";
        assert_eq!(told(&cut, Kind::Port), ["e1:1 down: no carrier", unknown]);
        assert_eq!(told(&cut, Kind::Link), ["e1:1-m1:1 down"]);
    }
}
