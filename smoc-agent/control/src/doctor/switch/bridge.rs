//! The bridge, and what the kernel does with what smoc leaves to it.

use crate::{
    doctor::{Check, Facts, Finding, Link, Switch},
    interfaces::BridgePort,
};

/// The bridge of the ports, if it exists.
fn the_bridge<'a>(facts: &'a Facts, switch: &Switch) -> Option<&'a Link> {
    facts.link(switch.bridge.as_deref()?)
}

pub(super) fn bridge(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Bridge;
    let Some(name) = switch.bridge.as_deref() else {
        let indifferent = switch.port_links(facts).filter(|link| !link.is_promiscuous).map(|link| {
            let found = format!(
                "no bridge is configured, and {} takes frames to its own MAC address only",
                link.name()
            );
            check.fault(found).by_hand(format!("ip link set {} promisc on", link.name()))
        });
        return check.all(indifferent, "no bridge is configured; all ports are promiscuous");
    };
    let Some(bridge) = the_bridge(facts, switch) else {
        let found = format!("there is no {name}");
        return vec![
            check.fault(found).by_hand(format!("ip link add {name} type bridge && ip link set {name} up")),
        ];
    };
    let mut wrong = Vec::new();
    match bridge.interface.spanning_tree {
        None => {
            wrong.push(check.fault(format!("{name} is no bridge: name another one in the configuration")))
        }
        Some(true) => {
            let found = format!("{name} runs spanning tree: the agent sets no port states");
            wrong.push(check.warning(found).by_hand(format!("ip link set {name} type bridge stp_state 0")));
        }
        Some(false) => {}
    }
    let outside =
        switch.port_links(facts).filter(|link| link.interface.master != Some(bridge.interface.index));
    wrong.extend(outside.map(|link| {
        let found = format!("{} is not in {name}", link.name());
        check.fault(found).by_hand(format!("ip link set {} master {name}", link.name()))
    }));
    check.all(wrong, format!("{name} has all ports"))
}

pub(super) fn loops(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::BridgeLoops;
    if switch.agent.is_ok() {
        return vec![check.ok("the agent keeps port states")];
    }
    let between = switch.ports().filter(|(number, _)| switch.fabric_ports.contains(number));
    let open = between
        .filter_map(|(_, name)| facts.link(name))
        .filter(|link| link.interface.bridge_port == Some(BridgePort::Forwarding));
    let found = open.map(|link| {
        let found = format!("{} is open, and no agent runs", link.name());
        check.fault(found).by_hand(format!("bridge link set dev {} state 0", link.name()))
    });
    check.all(found, "closed, as far as it is known which ports lead to switches")
}

pub(super) fn strangers(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::BridgeStrangers;
    let Some(bridge) = the_bridge(facts, switch) else { return vec![check.ok("there is no bridge")] };
    let is_port = |link: &Link| switch.ports().any(|(_, name)| name == link.name());
    let inside = facts.links.iter().filter(|link| link.interface.master == Some(bridge.interface.index));
    let found = inside.filter(|link| !is_port(link)).map(|link| {
        let found = format!("{} is in {}, and no port", link.name(), bridge.name());
        check.warning(found).by_hand(format!("ip link set {} nomaster", link.name()))
    });
    check.all(found, "it has none")
}

pub(super) fn filter(facts: &Facts, _: &Switch) -> Vec<Finding> {
    let check = Check::BridgeFilter;
    vec![match facts.setting("net/bridge/bridge-nf-call-iptables") {
        // A firewall that is meant to see bridged frames would let them through without it.
        Some("1") => check
            .warning("bridged frames pass iptables")
            .by_hand("sysctl -w net.bridge.bridge-nf-call-iptables=0"),
        Some(_) => check.ok("bridged frames do not pass iptables"),
        None => check.ok("br_netfilter is not loaded"),
    }]
}

/// Whether the bridge has an address that hosts could use as their gateway.
fn routes(facts: &Facts, switch: &Switch) -> bool {
    the_bridge(facts, switch).is_some_and(|bridge| bridge.reachable().next().is_some())
}

pub(super) fn forwarding(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Forwarding;
    vec![if !routes(facts, switch) {
        check.ok("the bridge has no address that hosts could use as a gateway")
    } else if facts.setting("net/ipv4/ip_forward") == Some("0") {
        check
            .note("0: what hosts send through this switch and smoc leaves to the kernel is dropped")
            .by_hand("sysctl -w net.ipv4.ip_forward=1")
    } else {
        check.ok("1")
    }]
}

pub(super) fn reverse_path(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::SwitchReversePath;
    let Some(bridge) = the_bridge(facts, switch).filter(|_| routes(facts, switch)) else {
        return vec![check.ok("this switch does not route")];
    };
    let name = bridge.name();
    vec![if facts.in_force(name, "rp_filter") == 1 {
        let command = format!("sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.{name}.rp_filter=2");
        check.note(format!("rp_filter is 1 at {name}")).by_hand(command)
    } else {
        check.ok("not strict")
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{
        Severity,
        testing::{eth, link, set, switch, worst},
    };

    #[test]
    fn the_bridge_has_all_ports_and_no_tree_of_its_own() {
        let gone = worst(Check::Bridge, |facts| facts.links.retain(|link| link.name() != "br0"));
        assert_eq!(gone.severity, Severity::Fault);
        let with_stp = worst(Check::Bridge, |facts| link(facts, "br0").interface.spanning_tree = Some(true));
        assert_eq!(with_stp.severity, Severity::Warning);
        let outside = worst(Check::Bridge, |facts| link(facts, "p1").interface.master = None);
        assert_eq!(outside.command().as_deref(), Some("ip link set p1 master br0"));
        let deaf = worst(Check::Bridge, |facts| switch(facts).bridge = None);
        assert_eq!(deaf.command().as_deref(), Some("ip link set p1 promisc on"));
    }

    #[test]
    fn open_ports_between_switches_are_a_fault_without_an_agent() {
        let open = |has_agent: bool| {
            worst(Check::BridgeLoops, |facts| {
                link(facts, "p1").interface.bridge_port = Some(BridgePort::Forwarding);
                if !has_agent {
                    switch(facts).agent = Err("none".into());
                }
            })
        };
        assert_eq!(open(true).severity, Severity::Ok);
        assert_eq!(
            (open(false).severity, open(false).fix()),
            (Severity::Fault, None),
            "it may be the only way"
        );
    }

    #[test]
    fn interfaces_of_the_bridge_that_are_no_ports_are_named() {
        let stranger = worst(Check::BridgeStrangers, |facts| {
            let mut other = eth(40, "tap0");
            other.interface.master = Some(link(facts, "br0").interface.index);
            facts.links.push(other);
        });
        assert_eq!(
            (stranger.severity, stranger.command().as_deref()),
            (Severity::Warning, Some("ip link set tap0 nomaster"))
        );
    }

    #[test]
    fn filters_and_forwarding_count_where_the_switch_routes() {
        let filtered =
            worst(Check::BridgeFilter, |facts| set(facts, "net/bridge/bridge-nf-call-iptables", "1"));
        assert_eq!((filtered.severity, filtered.fix()), (Severity::Warning, None));
        let of = |check, routes: bool| {
            worst(check, |facts| {
                set(facts, "net/ipv4/ip_forward", "0");
                set(facts, "net/ipv4/conf/br0/rp_filter", "1");
                if routes {
                    link(facts, "br0").addresses = vec!["10.0.0.254/24".parse().unwrap()];
                }
            })
            .severity
        };
        assert_eq!(
            [of(Check::Forwarding, false), of(Check::Forwarding, true)],
            [Severity::Ok, Severity::Note]
        );
        assert_eq!(
            [of(Check::SwitchReversePath, false), of(Check::SwitchReversePath, true)],
            [Severity::Ok, Severity::Note]
        );
    }
}
