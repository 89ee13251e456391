//! The network to compare with: switches as kernel routers that spread flows over all shortest paths by hashing
//! addresses and ports, as data-centre fabrics do.
//!
//! Hosts are the same as in every lab, all on one subnet; the routers answer for addresses elsewhere (proxy ARP
//! and proxy ND). Next hops are link-local IPv6 addresses for both families (RFC 5549), so that links need no
//! addresses of their own. The hash is policy 3 over addresses, protocol and ports: policy 1 would reuse the
//! sending socket's hash inside one kernel, which no real switch can see.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use anyhow::Result;

use super::bridge::ends_from;
use super::plan::{Plan, Switch, port_interface};
use crate::command::batch;

const ROUTER: [(&str, &str); 9] = [
    ("ipv4/ip_forward", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv4/fib_multipath_hash_policy", "3"),
    ("ipv4/fib_multipath_hash_fields", "55"), // 0x37: addresses, protocol, ports
    ("ipv6/fib_multipath_hash_policy", "3"),
    ("ipv6/fib_multipath_hash_fields", "55"),
    ("ipv4/conf/all/ignore_routes_with_linkdown", "1"),
    ("ipv6/conf/all/ignore_routes_with_linkdown", "1"),
    ("ipv4/conf/all/send_redirects", "0"),
];

/// Makes every switch a router; its ports are up.
pub fn configure(plan: &Plan) -> Result<()> {
    for switch in &plan.switches {
        switch.namespace().set_sysctls(&ROUTER)?;
        let mut lines = link_local_addresses(plan, switch);
        lines.extend(routes(plan, switch));
        batch("ip", &switch.namespace(), &lines)?;
        answer_for_the_rest(plan, switch)?;
    }
    Ok(())
}

/// `fe80::1` at the `a` end of each link and at each host port, `fe80::2` at the `b` end.
fn link_local_addresses(plan: &Plan, switch: &Switch) -> Vec<String> {
    let add = |address: &str, port: u16| format!("addr add {address}/64 dev {} nodad", port_interface(port));
    let ends = plan.links.iter().flat_map(|link| [(&link.a, "fe80::1"), (&link.b, "fe80::2")]);
    let fabric =
        ends.filter(|(port, _)| port.switch == switch.name).map(|(port, address)| add(address, port.number));
    fabric.chain(switch.host_ports.iter().map(|&port| add("fe80::1", port))).collect()
}

/// A route to every address: out of the host's port here, over all shortest paths elsewhere.
fn routes(plan: &Plan, switch: &Switch) -> Vec<String> {
    let mut lines = Vec::new();
    for host in &plan.hosts {
        let hops =
            (host.port.switch != switch.name).then(|| next_hops(plan, &switch.name, &host.port.switch));
        for address in &host.addresses {
            let prefix = host_prefix(address);
            lines.push(match &hops {
                None => format!("route add {prefix} dev {}", host.port.interface()),
                Some(hops) if hops.is_empty() => continue,
                Some(hops) => format!("route add {prefix} {}", hops.join(" ")),
            });
        }
    }
    lines
}

/// `nexthop via .. dev ..` for every link of `from` that is on a shortest path to `to`.
fn next_hops(plan: &Plan, from: &str, to: &str) -> Vec<String> {
    let distance = distances(plan, to);
    let Some(here) = distance.get(from) else { return Vec::new() };
    let links = plan.links.iter().filter_map(|link| Some((link, ends_from(link, from)?)));
    links
        .filter(|(_, (_, far))| distance.get(&*far.switch).is_some_and(|there| there + 1 == *here))
        .map(|(link, (near, far))| {
            let via = if *far == link.a { "fe80::1" } else { "fe80::2" };
            format!("nexthop via inet6 {via} dev {}", near.interface())
        })
        .collect()
}

/// Hops from every switch to `to`.
fn distances<'a>(plan: &'a Plan, to: &'a str) -> BTreeMap<&'a str, u32> {
    let mut distance = BTreeMap::from([(to, 0)]);
    let mut next = VecDeque::from([to]);
    while let Some(switch) = next.pop_front() {
        let beyond = distance[switch] + 1;
        for (_, far) in plan.links.iter().filter_map(|link| ends_from(link, switch)) {
            if !distance.contains_key(&*far.switch) {
                distance.insert(&far.switch, beyond);
                next.push_back(&far.switch);
            }
        }
    }
    distance
}

/// Lets a switch answer its hosts' ARP and ND for all addresses that are not on the same port.
fn answer_for_the_rest(plan: &Plan, switch: &Switch) -> Result<()> {
    let mut lines = Vec::new();
    for port in switch.host_ports.iter().map(|&port| port_interface(port)) {
        switch.namespace().set_sysctls(&[
            (&format!("ipv4/conf/{port}/proxy_arp"), "1"),
            (&format!("ipv4/neigh/{port}/proxy_delay"), "0"),
            (&format!("ipv6/conf/{port}/proxy_ndp"), "1"),
            (&format!("ipv6/neigh/{port}/proxy_delay"), "0"),
        ])?;
        let others =
            plan.hosts.iter().filter(|host| host.port.switch != switch.name || host.port.interface() != port);
        let v6 = others.flat_map(|host| &host.addresses).filter(|address| address.is_ipv6());
        lines.extend(v6.map(|address| format!("neigh add proxy {address} dev {port}")));
    }
    batch("ip", &switch.namespace(), &lines)
}

fn host_prefix(address: &IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}
