//! From the settings, the addresses and a number of subflows to endpoints and limits.

use std::{collections::BTreeSet, net::SocketAddr};

use super::{
    Endpoint, Flags, HostAddress, Limits, MOST_ENDPOINTS, MOST_SUBFLOWS, Wanted,
    config::{Role, Settings},
};

/// What the host has, beside its settings.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Its addresses that take part; the first of each family is the one that connections are likely to use.
    pub addresses: Vec<HostAddress>,
    /// Ports that cannot be listened at: somebody else does, or has an endpoint there.
    pub taken: BTreeSet<SocketAddr>,
    /// The endpoints that smoc has set already: they stay where they are of use, because a subflow ends with its endpoint.
    pub own: BTreeSet<Endpoint>,
    /// How many endpoints others have set.
    pub others: usize,
    /// Whether the kernel knows `laminar` endpoints.
    pub has_laminar: bool,
}

/// What is wanted for connections of `subflows` subflows, while endpoints are kept for `endpoints_for`: fewer subflows change
/// the limits alone, because the kernel closes subflows of running connections with the endpoint that is removed (RM_ADDR).
///
/// The kernel has room for few endpoints. They are given out in turn: a further address to open subflows from, then
/// addresses with ports to be told to others, one for each family, until there are enough.
pub fn wanted(settings: &Settings, circumstances: &Circumstances, subflows: u8, endpoints_for: u8) -> Wanted {
    let extra = u32::from(subflows.clamp(1, MOST_SUBFLOWS) - 1);
    let is_client = settings.role.is_client();
    let limits = Limits {
        subflows: if settings.role == Role::Both { with_slack(extra) } else { extra },
        add_addr_accepted: if is_client { extra } else { 0 },
    };
    let kept = usize::from(endpoints_for.max(subflows).clamp(1, MOST_SUBFLOWS) - 1);
    let families = [true, false].map(|is_v4| {
        let of_family = |at: &&HostAddress| at.address.is_ipv4() == is_v4;
        circumstances.addresses.iter().filter(of_family).copied().collect::<Vec<_>>()
    });
    let mut queues = Vec::new();
    for addresses in &families {
        if is_client {
            queues.push(opened_from(addresses, kept));
        }
    }
    for addresses in &families {
        if settings.role.is_server() {
            queues.push(told(settings, addresses, circumstances, kept));
        }
    }
    let room = MOST_ENDPOINTS.saturating_sub(circumstances.others);
    let rounds = queues.iter().map(Vec::len).max().unwrap_or(0);
    let in_turn = (0..rounds).flat_map(|round| queues.iter().filter_map(move |queue| queue.get(round)));
    let mut chosen: Vec<Endpoint> = in_turn.take(room).copied().collect();
    if circumstances.has_laminar && settings.laminar {
        make_laminar(&mut chosen, kept);
    }
    Wanted { endpoints: chosen.into_iter().collect(), limits: Some(limits) }
}

/// Where both hosts tell of ports, each opens subflows to the other and refuses what is over its limit. Both may refuse the
/// other's last one, so that a path stays unused: one more is allowed, which then shares a path.
fn with_slack(extra: u32) -> u32 {
    if extra == 0 { 0 } else { (extra + 1).min(MOST_SUBFLOWS.into()) }
}

/// Has subflows to addresses of others come from further addresses of this host too, where there is one for each: while a
/// family has laminar endpoints Linux opens no subflow without one, and each serves once.
fn make_laminar(chosen: &mut [Endpoint], extra: usize) {
    for is_v4 in [true, false] {
        let is_one = |it: &Endpoint| it.address.is_ipv4() == is_v4 && it.flags == Flags::SUBFLOW;
        if chosen.iter().filter(|endpoint| is_one(endpoint)).count() >= extra {
            for endpoint in chosen.iter_mut().filter(|endpoint| is_one(endpoint)) {
                endpoint.flags = Flags::SUBFLOW.and(Flags::LAMINAR);
            }
        }
    }
}

/// A subflow from each address but the first, which the initial one has.
fn opened_from(addresses: &[HostAddress], most: usize) -> Vec<Endpoint> {
    let endpoint = |at: &HostAddress| Endpoint {
        address: at.address,
        port: 0,
        flags: Flags::SUBFLOW,
        interface: at.interface.0,
    };
    addresses.iter().skip(1).take(most).map(endpoint).collect()
}

/// Ports to be told to others: one of each address, of further addresses first; then those that are told already; then
/// further ports of each address in turn.
fn told(
    settings: &Settings,
    addresses: &[HostAddress],
    circumstances: &Circumstances,
    most: usize,
) -> Vec<Endpoint> {
    let order: Vec<&HostAddress> = addresses.iter().skip(1).chain(addresses.first()).collect();
    let endpoint = |at: &HostAddress, port| Endpoint {
        address: at.address,
        port,
        flags: Flags::SIGNAL,
        interface: at.interface.0,
    };
    let is_free = |endpoint: &Endpoint| {
        !circumstances.taken.contains(&SocketAddr::new(endpoint.address, endpoint.port))
    };
    let in_turn = settings
        .ports
        .clone()
        .flat_map(|port| order.iter().map(move |at| endpoint(at, port)))
        .filter(is_free);
    let all: Vec<Endpoint> = in_turn.collect();
    let is_own = |endpoint: &&Endpoint| circumstances.own.contains(endpoint);
    let of_each = order.iter().filter_map(|at| {
        let mut ports = all.iter().filter(|endpoint| endpoint.address == at.address);
        ports.clone().find(is_own).or_else(|| ports.next())
    });
    let preferred = of_each.chain(all.iter().filter(is_own)).chain(&all);
    let mut seen = BTreeSet::new();
    preferred.filter(|endpoint| seen.insert(**endpoint)).take(most).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfaces::IfIndex;

    fn at(address: &str) -> HostAddress {
        HostAddress { interface: IfIndex(2), address: address.parse().unwrap() }
    }

    fn shown(role: Role, addresses: &[&str], subflows: u8) -> Vec<String> {
        let settings = Settings { role, ..Settings::default() };
        let circumstances = Circumstances {
            addresses: addresses.iter().map(|address| at(address)).collect(),
            ..Circumstances::default()
        };
        let wanted = wanted(&settings, &circumstances, subflows, subflows);
        wanted.endpoints.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_server_with_one_address_tells_of_further_ports() {
        let ports =
            ["10.0.0.1 port 61001 signal", "10.0.0.1 port 61002 signal", "10.0.0.1 port 61003 signal"];
        assert_eq!(shown(Role::Server, &["10.0.0.1"], 4), ports);
        assert_eq!(shown(Role::Both, &["10.0.0.1"], 4), ports);
        assert_eq!(shown(Role::Client, &["10.0.0.1"], 4), [""; 0]);
        assert_eq!(shown(Role::Both, &["10.0.0.1"], 1), [""; 0]);
        assert_eq!(shown(Role::Both, &[], 8), [""; 0]);
    }

    #[test]
    fn a_host_with_several_addresses_uses_these_first() {
        let two = ["10.0.0.1", "10.0.1.1"];
        assert_eq!(shown(Role::Client, &two, 4), ["10.0.1.1 subflow"]);
        let server =
            ["10.0.0.1 port 61001 signal", "10.0.1.1 port 61001 signal", "10.0.1.1 port 61002 signal"];
        assert_eq!(shown(Role::Server, &two, 4), server);
        assert_eq!(shown(Role::Client, &["10.0.0.1", "10.0.1.1", "10.0.2.1"], 2), ["10.0.1.1 subflow"]);
    }

    #[test]
    fn laminar_endpoints_are_made_where_there_is_one_for_each_subflow() {
        let laminar = |count: u8, subflows| {
            let addresses = (1..=count).map(|last| at(&format!("10.0.0.{last}"))).collect();
            let circumstances = Circumstances { addresses, has_laminar: true, ..Circumstances::default() };
            let wanted = wanted(&Settings::default(), &circumstances, subflows, subflows);
            wanted.endpoints.iter().filter(|endpoint| endpoint.flags.has(Flags::LAMINAR)).count()
        };
        assert_eq!(
            [(1, 4), (2, 4), (3, 4), (4, 4), (2, 2)].map(|(count, n)| laminar(count, n)),
            [0, 0, 0, 3, 1]
        );
    }

    #[test]
    fn the_room_is_shared_by_families_and_left_to_others() {
        let both = shown(Role::Both, &["10.0.0.1", "fd00::1"], 8);
        assert_eq!(both.len(), MOST_ENDPOINTS);
        assert_eq!(both.iter().filter(|endpoint| endpoint.starts_with("10.0.0.1 ")).count(), 4, "{both:?}");
        let circumstances =
            Circumstances { addresses: vec![at("10.0.0.1")], others: 6, ..Circumstances::default() };
        assert_eq!(wanted(&Settings::default(), &circumstances, 8, 8).endpoints.len(), 2);
    }

    #[test]
    fn ports_of_others_are_passed_over() {
        let taken = BTreeSet::from(["10.0.0.1:61001".parse().unwrap(), "10.0.0.1:61003".parse().unwrap()]);
        let circumstances =
            Circumstances { addresses: vec![at("10.0.0.1")], taken, ..Circumstances::default() };
        let wanted = wanted(&Settings::default(), &circumstances, 3, 3);
        assert_eq!(wanted.endpoints.iter().map(|endpoint| endpoint.port).collect::<Vec<_>>(), [61002, 61004]);
    }

    #[test]
    fn what_is_told_already_stays_when_an_address_comes() {
        let mut circumstances = Circumstances { addresses: vec![at("10.0.0.1")], ..Circumstances::default() };
        circumstances.taken.insert("10.0.0.1:61001".parse().unwrap());
        let settings = Settings { role: Role::Server, ..Settings::default() };
        circumstances.own = wanted(&settings, &circumstances, 4, 4).endpoints;
        circumstances.taken.clear();
        assert_eq!(
            wanted(&settings, &circumstances, 4, 4).endpoints,
            circumstances.own,
            "61001 is free again"
        );
        circumstances.addresses.push(at("10.0.1.1"));
        let told = wanted(&settings, &circumstances, 4, 4).endpoints;
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        let (one, two) = ("10.0.0.1 port 61002 signal", "10.0.0.1 port 61003 signal");
        assert_eq!(told, [one, two, "10.0.1.1 port 61001 signal"]);
    }

    #[test]
    fn fewer_subflows_change_the_limits_and_keep_the_endpoints() {
        let circumstances = Circumstances { addresses: vec![at("10.0.0.1")], ..Circumstances::default() };
        let (all, fewer) =
            [4, 2].map(|number| wanted(&Settings::default(), &circumstances, number, 4)).into();
        assert_eq!(all.endpoints, fewer.endpoints);
        assert_eq!(all.limits, Some(Limits { subflows: 4, add_addr_accepted: 3 }));
        assert_eq!(fewer.limits, Some(Limits { subflows: 2, add_addr_accepted: 1 }));
        let settings = Settings { role: Role::Server, ..Settings::default() };
        let server = wanted(&settings, &circumstances, 4, 4);
        assert_eq!(server.limits, Some(Limits { subflows: 3, add_addr_accepted: 0 }));
        let alone = wanted(&Settings::default(), &circumstances, 1, 1);
        assert_eq!(alone.limits, Some(Limits { subflows: 0, add_addr_accepted: 0 }));
    }
}
