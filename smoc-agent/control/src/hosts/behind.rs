//! What is behind hosts that are routers, as the switches' own routing tables say it.
//!
//! A switch whose `routes` say so takes the unicast routes of its kernel's main table. The prefix of one whose gateway is a host
//! at a port of this switch is behind that host, for the whole fabric: the switch announces it. Whatever else the table has for
//! a part of such a prefix keeps that part apart: it is left to the kernel.
//!
//! | the table has | what follows |
//! |---|---|
//! | several routes with one prefix | those with the lowest metric count |
//! | several gateways (multipath) | of those at ports of this switch the lowest address, whatever the weights say |
//! | more than [`MAX_READ`] routes, or more than [`MAX_BEHIND`] of them behind hosts | none, or the longest of them are used; a warning |

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;
use smoc_common::wire::ethernet::MacAddress;
use smoc_paths::topology::{End, SwitchId, Topology};

use super::KnownHost;
use crate::interfaces::IfIndex;

/// With more routes than these in its main table a switch uses none of them.
pub const MAX_READ: usize = 4096;
/// Max number of prefixes behind the hosts of one switch.
pub const MAX_BEHIND: usize = 1024;

/// A route of the kernel's main table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelRoute {
    /// Where it leads.
    pub prefix: IpNet,
    /// The lowest counts.
    pub metric: u32,
    /// Its gateways that are not dead, and the interfaces towards them. None if it is no unicast route, or has no gateway.
    pub gateways: Vec<(IfIndex, IpAddr)>,
}

/// A prefix behind a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Behind {
    /// The prefix.
    pub prefix: IpNet,
    /// The host's address.
    pub router: IpAddr,
}

/// A prefix behind a host, and where that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The prefix and the host's address.
    pub behind: Behind,
    /// Where the host is attached.
    pub at: End,
    /// Its MAC address.
    pub mac: MacAddress,
}

/// What is used of all switches' routing tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// Prefixes behind hosts, in no particular order.
    pub placed: Vec<Placed>,
    /// Prefixes that this switch's kernel has other routes for, each within one of the others.
    pub apart: BTreeSet<IpNet>,
}

/// What is known of routing tables.
#[derive(Clone, Debug, Default)]
pub struct RoutingTables {
    /// The kernel's, sorted.
    kernel: Arc<[KernelRoute]>,
    /// How many routes the kernel has, if those are too many.
    too_many: Option<usize>,
    /// What of it is behind hosts of this switch.
    own: Vec<Behind>,
    /// Those that there was no room for.
    left_out: usize,
    others: BTreeMap<String, Vec<Behind>>,
    /// What follows.
    pub routed: Arc<Routed>,
}

impl RoutingTables {
    /// Takes over what the kernel has.
    pub fn read(&mut self, routes: Arc<[KernelRoute]>) {
        self.too_many = (routes.len() > MAX_READ).then_some(routes.len());
        let mut used = if self.too_many.is_some() { Vec::new() } else { routes.to_vec() };
        used.sort();
        self.kernel = used.into();
    }

    /// Takes over what another switch announces; whether that is news.
    pub fn told(&mut self, origin: &str, mut behind: Vec<Behind>) -> bool {
        behind.truncate(MAX_BEHIND);
        if behind.is_empty() {
            return self.others.remove(origin).is_some();
        }
        let before = self.others.insert(origin.to_owned(), behind);
        before.as_ref() != self.others.get(origin)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        let follows = &self.routed.placed;
        self.kernel.is_empty() && self.own.is_empty() && self.others.is_empty() && follows.is_empty()
    }

    /// What is behind the hosts of this switch, as was found last.
    pub fn own(&self) -> &[Behind] {
        &self.own
    }

    /// Finds the gateways among the hosts of this switch; whether something else is behind them than before. `is_port` says
    /// whether an interface leads to the fabric's hosts.
    pub fn find(
        &mut self,
        known: &BTreeMap<IpAddr, KnownHost>,
        this: SwitchId,
        is_port: impl Fn(IfIndex) -> bool,
    ) -> bool {
        let is_here = |address: &IpAddr| known.get(address).is_some_and(|host| host.at.switch == this);
        let mut found = Vec::new();
        for route in best(&self.kernel) {
            let gateways = route.iter().flat_map(|route| &route.gateways);
            let here = gateways.filter(|(interface, address)| is_port(*interface) && is_here(address));
            let router = here.map(|(_, address)| *address).min();
            found.extend(router.map(|router| Behind { prefix: route[0].prefix, router }));
        }
        // A part that is left out goes the way of none: what is longer than it is not left out.
        found.sort_by_key(|behind| (std::cmp::Reverse(behind.prefix.prefix_len()), *behind));
        self.left_out = found.len().saturating_sub(MAX_BEHIND);
        found.truncate(MAX_BEHIND);
        let is_other = found != self.own;
        self.own = found;
        is_other
    }

    /// Puts together what is behind hosts of this switch and what others say is behind hosts that are theirs; whether it is
    /// something else than before.
    pub fn place(
        &mut self,
        known: &BTreeMap<IpAddr, KnownHost>,
        topology: &Topology,
        this: SwitchId,
    ) -> bool {
        let routed = self.put_together(known, topology, this);
        let is_news = routed != *self.routed;
        self.routed = if is_news { routed.into() } else { self.routed.clone() };
        is_news
    }

    fn put_together(
        &self,
        known: &BTreeMap<IpAddr, KnownHost>,
        topology: &Topology,
        this: SwitchId,
    ) -> Routed {
        let others = self.others.iter().filter_map(|(name, all)| Some((topology.find_switch(name)?, all)));
        let others = others.filter(|(switch, _)| *switch != this);
        let lists = others.map(|(switch, all)| (switch, all.as_slice())).chain([(this, self.own.as_slice())]);
        let place = |switch: SwitchId, behind: &Behind| {
            let host = known.get(&behind.router).filter(|host| host.at.switch == switch)?;
            Some(Placed { behind: *behind, at: host.at, mac: host.mac })
        };
        let placed: Vec<Placed> = lists
            .flat_map(|(switch, all)| all.iter().filter_map(move |behind| place(switch, behind)))
            .collect();
        let used: BTreeSet<IpNet> = placed.iter().map(|placed| placed.behind.prefix).collect();
        let apart = |prefix: &IpNet| !used.contains(prefix) && is_within(prefix, &used);
        let apart = best(&self.kernel).map(|route| route[0].prefix).filter(apart).collect();
        Routed { placed, apart }
    }

    /// What the operator should know.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let too_many = self.too_many.map(|count| {
            format!(
                "routes: the main routing table has {count} routes, and smoc uses none of more than {MAX_READ}: \
                 put those that are not for the fabric's hosts into another table, or declare the prefixes in the topology file"
            )
        });
        let left_out = (self.left_out > 0).then(|| {
            format!(
                "routes: {} prefixes behind hosts of this switch are not used, for there are more than {MAX_BEHIND}: \
                 route fewer, shorter prefixes",
                self.left_out
            )
        });
        too_many.into_iter().chain(left_out)
    }
}

impl Routed {
    /// Prefixes of which nothing is to be learned: what is in them is behind a host. One that its router is in itself forbids
    /// nothing, for else nobody would know where that is.
    pub fn forbidding(&self) -> impl Iterator<Item = IpNet> {
        let all = self.placed.iter().map(|placed| placed.behind);
        all.filter(|behind| !behind.prefix.contains(&behind.router)).map(|behind| behind.prefix)
    }
}

/// The routes that count, one slice for each prefix: those with the lowest metric.
fn best(routes: &[KernelRoute]) -> impl Iterator<Item = &[KernelRoute]> {
    routes.chunk_by(|a, b| a.prefix == b.prefix).map(|all| {
        let worse = all.partition_point(|route| route.metric == all[0].metric);
        &all[..worse]
    })
}

/// Whether a prefix is a part of one of these, which it is none of.
fn is_within(prefix: &IpNet, all: &BTreeSet<IpNet>) -> bool {
    let mut wider = prefix.supernet();
    while let Some(one) = wider {
        if all.contains(&one) {
            return true;
        }
        wider = one.supernet();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use smoc_common::route::PortNumber;
    use smoc_paths::topology::TopologyFile;

    use super::*;
    use crate::hosts::Source;

    const BRIDGE: IfIndex = IfIndex(100);

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn route(prefix: &str, metric: u32, gateways: &[&str]) -> KernelRoute {
        let gateways = gateways.iter().map(|gateway| (BRIDGE, gateway.parse().unwrap())).collect();
        KernelRoute { prefix: net(prefix), metric, gateways }
    }

    /// 10.0.0.1 and 10.0.0.2 at e1, 10.0.0.3 at e2.
    fn known(topology: &Topology) -> BTreeMap<IpAddr, KnownHost> {
        let host = |(last, switch): (u8, &str)| {
            let at = End { switch: topology.find_switch(switch).unwrap(), port: PortNumber::new(9).unwrap() };
            let mac = MacAddress::new([2, 0, 0, 0, 0, last]);
            let host = KnownHost { at, mac, name: None, source: Source::Learned, seen: None };
            (IpAddr::from([10, 0, 0, last]), host)
        };
        [(1, "e1"), (2, "e1"), (3, "e2")].map(host).into()
    }

    fn topology() -> Topology {
        let text = "links: [{a: \"e1:1\", b: \"e2:1\"}]\n";
        TopologyFile::parse(Path::new("t.yaml"), text).unwrap().topology
    }

    /// The tables of e1, whose kernel has these routes.
    fn found(routes: Vec<KernelRoute>) -> (RoutingTables, Vec<(String, String)>) {
        let topology = topology();
        let (known, mut tables) = (known(&topology), RoutingTables::default());
        tables.read(routes.into());
        tables.find(&known, SwitchId(0), |interface| interface == BRIDGE);
        tables.place(&known, &topology, SwitchId(0));
        let text = |behind: &Behind| (behind.prefix.to_string(), behind.router.to_string());
        let own = tables.own().iter().map(text).collect();
        (tables, own)
    }

    #[test]
    fn a_prefix_is_behind_the_host_here_that_is_its_gateway() {
        let management = KernelRoute {
            gateways: vec![(IfIndex(2), "10.0.0.1".parse().unwrap())],
            ..route("10.9.0.0/16", 0, &[])
        };
        let (_, own) = found(vec![
            route("10.0.0.0/24", 0, &[]),
            route("10.1.0.0/16", 0, &["10.0.0.1"]),
            route("10.2.0.0/16", 0, &["10.0.0.3"]),
            route("10.3.0.0/16", 0, &["10.0.0.77"]),
            management,
        ]);
        assert_eq!(own, [("10.1.0.0/16".into(), "10.0.0.1".into())]);
    }

    #[test]
    fn the_lowest_metric_counts_and_of_several_gateways_the_lowest_address_here() {
        let (_, own) = found(vec![
            route("10.1.0.0/16", 20, &["10.0.0.1"]),
            route("10.1.0.0/16", 10, &["10.0.0.2"]),
            route("10.2.0.0/16", 10, &["10.0.0.3"]),
            route("10.2.0.0/16", 20, &["10.0.0.1"]),
            route("10.3.0.0/16", 0, &["10.0.0.3", "10.0.0.2", "10.0.0.1"]),
        ]);
        let expected = [("10.1.0.0/16", "10.0.0.2"), ("10.3.0.0/16", "10.0.0.1")];
        assert_eq!(own, expected.map(|(prefix, router)| (prefix.to_owned(), router.to_owned())));
    }

    #[test]
    fn what_the_table_has_for_a_part_of_a_prefix_stays_apart() {
        let (tables, _) = found(vec![
            route("0.0.0.0/0", 0, &["10.0.0.1"]),
            route("10.0.0.0/24", 0, &[]),
            route("10.2.0.0/16", 0, &["10.0.0.3"]),
            route("10.1.0.0/16", 0, &["10.0.0.2"]),
            route("2001:db8::/32", 0, &[]),
        ]);
        assert_eq!(tables.routed.apart, [net("10.0.0.0/24"), net("10.2.0.0/16")].into());
        let (tables, _) = found(vec![route("10.1.0.0/16", 0, &["10.0.0.2"]), route("10.0.0.0/8", 0, &[])]);
        assert_eq!(tables.routed.apart, [].into(), "it is wider, not a part");
    }

    #[test]
    fn a_router_within_its_own_prefix_can_still_be_learned() {
        let (tables, _) =
            found(vec![route("10.0.0.0/16", 0, &["10.0.0.1"]), route("10.1.0.0/16", 0, &["10.0.0.1"])]);
        assert_eq!(tables.routed.forbidding().collect::<Vec<_>>(), [net("10.1.0.0/16")]);
    }

    #[test]
    fn what_others_say_counts_where_the_router_is_theirs() {
        let (mut tables, _) = found(vec![]);
        let topology = topology();
        let known = known(&topology);
        let behind = |prefix: &str, last: u8| Behind { prefix: net(prefix), router: [10, 0, 0, last].into() };
        assert!(tables.told("e2", vec![behind("10.1.0.0/16", 3), behind("10.2.0.0/16", 1)]));
        assert!(tables.told("e9", vec![behind("10.3.0.0/16", 3)]), "it may come to the network yet");
        assert!(tables.place(&known, &topology, SwitchId(0)));
        let used: Vec<IpNet> = tables.routed.placed.iter().map(|placed| placed.behind.prefix).collect();
        assert_eq!(used, [net("10.1.0.0/16")]);
        assert!(!tables.told("e2", vec![behind("10.1.0.0/16", 3), behind("10.2.0.0/16", 1)]));
        assert!(!tables.place(&known, &topology, SwitchId(0)));
        assert!(tables.told("e2", vec![]) && tables.place(&known, &topology, SwitchId(0)));
        assert!(tables.routed.placed.is_empty());
    }

    #[test]
    fn too_many_routes_are_none_and_too_many_behind_hosts_lose_the_shortest() {
        let many = |count: usize, gateways: &[&str]| {
            let one = |n: usize| route(&format!("11.{}.{}.0/24", n / 256, n % 256), 0, gateways);
            (0..count).map(one).collect::<Vec<_>>()
        };
        let mut routes = many(MAX_BEHIND, &["10.0.0.1"]);
        routes.push(route("10.0.0.0/8", 0, &["10.0.0.1"]));
        let (tables, own) = found(routes);
        assert!(own.len() == MAX_BEHIND && !own.iter().any(|(prefix, _)| prefix == "10.0.0.0/8"));
        let warnings: Vec<String> = tables.warnings().collect();
        assert!(warnings.len() == 1 && warnings[0].starts_with("routes: 1 prefixes"), "{warnings:?}");
        let (tables, own) = found(many(MAX_READ + 1, &["10.0.0.1"]));
        assert!(own.is_empty());
        let warnings: Vec<String> = tables.warnings().collect();
        assert!(warnings.len() == 1 && warnings[0].contains("has 4097 routes"), "{warnings:?}");
    }
}
