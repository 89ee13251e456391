//! Interfaces of a host: which of them answers for an address, which one frames leave by, and what they do to frames.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::doctor::{Check, Facts, Finding, Fix, Host, Link, Offload};

/// Interfaces by the IPv4 subnet that is on their link, where several have the same.
fn shared_subnets(facts: &Facts) -> BTreeMap<IpNet, Vec<&str>> {
    let mut all: BTreeMap<IpNet, Vec<&str>> = BTreeMap::new();
    for link in facts.host_links() {
        let mut subnets: Vec<_> =
            link.reachable().filter(|net| net.addr().is_ipv4()).map(|net| net.trunc()).collect();
        subnets.sort_unstable();
        subnets.dedup();
        subnets.into_iter().for_each(|subnet| all.entry(subnet).or_default().push(link.name()));
    }
    all.retain(|_, links| links.len() > 1);
    all
}

pub(super) fn arp(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Arp;
    let mut wrong = Vec::new();
    // Who has an address on lo, as behind some load balancers, may want it to be answered for by other interfaces.
    let on_loopback = facts.links.iter().any(|link| {
        let is_inner = link.name() == "lo" || link.has_driver("dummy");
        is_inner && link.reachable().any(|net| net.addr().is_ipv4())
    });
    for (subnet, links) in shared_subnets(facts) {
        for (name, wanted) in [("arp_ignore", 1), ("arp_announce", 2)] {
            let lacking: Vec<&str> =
                links.iter().copied().filter(|link| facts.in_force(link, name) < wanted).collect();
            if lacking.is_empty() {
                continue;
            }
            let fault =
                check.fault(format!("{} are in {subnet}, and {name} is not {wanted}", lacking.join(" and ")));
            let fix = Fix::setting(&format!("net/ipv4/conf/all/{name}"), wanted.to_string());
            wrong.push(if on_loopback { fault.by_hand(fix.to_string()) } else { fault.safe(fix) });
        }
    }
    check.all(wrong, "each address is answered for by its own interface, or no two interfaces share a subnet")
}

pub(super) fn source_routing(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::SourceRouting;
    let shared = shared_subnets(facts);
    let mut wrong = Vec::new();
    for is_v4 in [true, false] {
        let of_family =
            |link: &Link| link.reachable().filter(|net| net.addr().is_ipv4() == is_v4).collect::<Vec<_>>();
        let all: Vec<(&Link, IpNet)> = facts
            .host_links()
            .flat_map(|link| of_family(link).into_iter().map(move |net| (link, net)))
            .collect();
        if all.iter().all(|(link, _)| link.name() == all[0].0.name()) {
            continue;
        }
        let has_rule =
            |net: &IpNet| facts.rules.iter().any(|rule| rule.prefix_len() > 0 && rule.contains(&net.addr()));
        let lacking: Vec<_> = all.iter().filter(|(_, net)| !has_rule(net)).collect();
        for (link, net) in &lacking {
            let found = format!("{} of {} has no rule", net.addr(), link.name());
            let command = rule(link, net);
            if shared.contains_key(&net.trunc()) {
                wrong.push(check.fault(found).by_hand(command));
            } else if lacking.len() > 1 {
                wrong.push(check.warning(found).by_hand(command));
            }
        }
    }
    check.all(wrong, "each address has its rule, or all are on one interface")
}

/// The commands that give an address a routing table of its own, numbered as its interface is.
fn rule(link: &Link, net: &IpNet) -> String {
    let (address, table) = (net.addr(), 100 + link.interface.index.0);
    let family = if address.is_ipv4() { "ip" } else { "ip -6" };
    format!(
        "{family} route add {} dev {} src {address} table {table} && {family} rule add from {address} table {table}",
        net.trunc(),
        link.name()
    )
}

pub(super) fn reverse_path(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::HostReversePath;
    let links: Vec<&Link> =
        facts.host_links().filter(|link| link.reachable().any(|net| net.addr().is_ipv4())).collect();
    let strict = links.iter().filter(|link| links.len() > 1 && facts.in_force(link.name(), "rp_filter") == 1);
    let dropped = facts.counters.get("TcpExtIPReversePathFilter").copied().unwrap_or(0);
    let found = strict.map(|link| {
        let found =
            format!("rp_filter is 1 at {}; {dropped} packets were dropped by it on this host", link.name());
        let finding = if dropped > 0 { check.warning(found) } else { check.note(found) };
        finding.by_hand(format!(
            "sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.{}.rp_filter=2",
            link.name()
        ))
    });
    check.all(found, "not strict, or one interface only")
}

pub(super) fn checksums(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Checksums;
    let is_on =
        |link: &&Link| Offload::Checksums.features().iter().any(|name| link.feature(name) == Some(true));
    let wrong = facts.host_links().filter(|link| link.has_driver("veth")).filter(is_on).map(|link| {
        let fix = Fix::Offload { interface: link.name().into(), offload: Offload::Checksums, on: false };
        check.fault(format!("{} is a veth and leaves checksums to the device", link.name())).safe(fix)
    });
    check.all(wrong, "off, or no veth")
}

pub(super) fn gro(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Gro;
    let lacks = |link: &&Link| link.feature("rx-gro") == Some(false) && link.interface.xdp.is_none();
    let wrong = facts.host_links().filter(|link| link.has_driver("veth")).filter(lacks).map(|link| {
        let fix = Fix::Offload { interface: link.name().into(), offload: Offload::Gro, on: true };
        check.fault(format!("{} is a veth without GRO and without an XDP program", link.name())).safe(fix)
    });
    check.all(wrong, "on, or no veth")
}

pub(super) fn tags(facts: &Facts, _: &Host) -> Vec<Finding> {
    let check = Check::Tags;
    let is_on = |link: &&Link| link.feature("tx-vlan-hw-insert") == Some(true);
    let found = facts.host_links().filter(|link| link.has_driver("veth")).filter(is_on).map(|link| {
        let fix = Fix::Offload { interface: link.name().into(), offload: Offload::SendVlan, on: false };
        let found =
            format!("{} is a veth with txvlan on: it matters where VLANs are on top of it", link.name());
        check.note(found).safe(fix)
    });
    check.all(found, "off, or no veth")
}

pub(super) fn reach(facts: &Facts, _: &Host) -> Vec<Finding> {
    let advice = match facts.setting("net/ipv6/conf/all/disable_ipv6") {
        Some("0") => Check::Advice.ok("on"),
        _ => Check::Advice.note("IPv6 is off: `subflows` of the configuration of smoc host counts"),
    };
    vec![advice, Check::Firewall.note("cannot be known: other hosts' firewalls, and what their rules mean")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        Severity,
        testing::{all, eth, set, worst},
    };

    /// Gives the host a second interface with this address.
    fn second(facts: &mut Facts, address: &str) {
        facts.links.push(Link { addresses: vec![address.parse().unwrap()], ..eth(2, "eth1") });
    }

    #[test]
    fn interfaces_that_share_a_subnet_answer_for_themselves() {
        let shared = all(Check::Arp, |facts| second(facts, "10.0.0.2/24"));
        let commands: Vec<_> = shared.iter().filter_map(Finding::command).collect();
        assert_eq!(
            commands,
            ["sysctl -w net.ipv4.conf.all.arp_ignore=1", "sysctl -w net.ipv4.conf.all.arp_announce=2"]
        );
        assert!(shared.iter().all(|finding| finding.severity == Severity::Fault && finding.fix().is_some()));
        let apart = worst(Check::Arp, |facts| second(facts, "10.0.1.2/24"));
        assert_eq!(apart.severity, Severity::Ok);
        let set_already = worst(Check::Arp, |facts| {
            second(facts, "10.0.0.2/24");
            set(facts, "net/ipv4/conf/all/arp_ignore", "1");
            for name in ["eth0", "eth1"] {
                set(facts, &format!("net/ipv4/conf/{name}/arp_announce"), "2");
            }
        });
        assert_eq!(set_already.severity, Severity::Ok);
        let balanced = worst(Check::Arp, |facts| {
            second(facts, "10.0.0.2/24");
            facts.links.push(Link { addresses: vec!["10.9.9.9/32".parse().unwrap()], ..eth(3, "lo") });
        });
        assert_eq!((balanced.severity, balanced.fix()), (Severity::Fault, None), "lo has an address");
    }

    #[test]
    fn each_address_of_several_interfaces_needs_a_rule() {
        let shared = all(Check::SourceRouting, |facts| second(facts, "10.0.0.2/24"));
        assert_eq!(shared.len(), 2);
        assert_eq!(
            shared[1].command().unwrap(),
            "ip route add 10.0.0.0/24 dev eth1 src 10.0.0.2 table 102 && ip rule add from 10.0.0.2 table 102"
        );
        assert!(shared.iter().all(|finding| finding.severity == Severity::Fault));
        let with_rules = worst(Check::SourceRouting, |facts| {
            second(facts, "10.0.0.2/24");
            facts.rules =
                ["0.0.0.0/0", "10.0.0.1/32", "10.0.0.2/32"].map(|rule| rule.parse().unwrap()).into();
        });
        assert_eq!(with_rules.severity, Severity::Ok);
        let apart = |rules: &[&str]| {
            worst(Check::SourceRouting, |facts| {
                second(facts, "10.0.1.2/24");
                facts.rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
            })
        };
        assert_eq!(apart(&[]).severity, Severity::Warning);
        assert_eq!(apart(&["10.0.1.2/32"]).severity, Severity::Ok, "the main table serves the other one");
        let strict = worst(Check::HostReversePath, |facts| {
            second(facts, "10.0.1.2/24");
            set(facts, "net/ipv4/conf/eth1/rp_filter", "1");
            facts.counters.insert("TcpExtIPReversePathFilter".into(), 4);
        });
        assert_eq!(strict.severity, Severity::Warning);
    }

    #[test]
    fn hosts_behind_veth_compute_checksums_and_have_gro() {
        let veth = |driver: &str, feature: &str, on| {
            let change = (driver.to_owned(), feature.to_owned());
            move |facts: &mut Facts| {
                facts.links[0].driver = Some(change.0.clone());
                facts.links[0].features = [(change.1.clone(), on)].into();
            }
        };
        let promised = worst(Check::Checksums, veth("veth", "tx-checksum-ip-generic", true));
        assert_eq!(
            (promised.severity, promised.command().as_deref()),
            (Severity::Fault, Some("ethtool -K eth0 tx off"))
        );
        assert_eq!(
            worst(Check::Checksums, veth("ixgbe", "tx-checksum-ip-generic", true)).severity,
            Severity::Ok
        );
        let without = worst(Check::Gro, veth("veth", "rx-gro", false));
        assert_eq!(
            (without.severity, without.command().as_deref()),
            (Severity::Fault, Some("ethtool -K eth0 gro on"))
        );
        assert_eq!(worst(Check::Gro, veth("veth", "rx-gro", true)).severity, Severity::Ok);
        let tagged = worst(Check::Tags, veth("veth", "tx-vlan-hw-insert", true));
        assert_eq!(
            (tagged.severity, tagged.command().as_deref()),
            (Severity::Note, Some("ethtool -K eth0 txvlan off"))
        );
    }

    #[test]
    fn without_ipv6_nobody_hears_the_edge() {
        let off = worst(Check::Advice, |facts| set(facts, "net/ipv6/conf/all/disable_ipv6", "1"));
        assert_eq!(off.severity, Severity::Note);
        assert_eq!(worst(Check::Firewall, |_| {}).severity, Severity::Note);
    }
}
