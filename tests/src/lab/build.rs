//! Namespaces, and the cables between them.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::check_interrupted;
use super::hosts;
use super::plan::{Plan, Switch, port_interface};
use super::wire;
use crate::command::{batch, run};
use crate::netns::Namespace;

/// What every namespace of a lab is told first: no address, route or packet of its own accord. Hosts keep
/// their link-local address, as real ones do; switches and wires do not even have that.
const QUIET: [(&str, &str); 8] = [
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/autoconf", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/default/arp_notify", "0"),
];

/// Refuses when a namespace of the plan exists: it would be somebody else's.
pub fn check_nothing_exists(plan: &Plan) -> Result<()> {
    for namespace in plan.namespaces() {
        let name = namespace.name();
        ensure!(
            !namespace.exists(),
            "a network namespace {name} exists, and no lab that is up made it: remove it with `ip netns delete {name}`"
        );
    }
    Ok(())
}

/// Makes all namespaces of the plan.
pub fn namespaces(plan: &Plan) -> Result<()> {
    for namespace in plan.namespaces() {
        run(Command::new("ip").args(["netns", "add", namespace.name()]))?;
        namespace.set_sysctls(&QUIET)?;
        batch("ip", &namespace, &["link set lo up".to_owned()])?;
    }
    for silent in plan.switches.iter().map(Switch::namespace).chain([wire::namespace()]) {
        silent.set_sysctls(&[("ipv6/conf/default/addr_gen_mode", "1")])?;
    }
    Ok(())
}

/// Makes all interfaces of the plan, down and without addresses.
pub fn cables(plan: &Plan) -> Result<()> {
    let wires = wire::namespace();
    let mut lines = Vec::new();
    for link in &plan.links {
        for (wire, port) in [(link.wire_a(), &link.a), (link.wire_b(), &link.b)] {
            lines.push(cable(&wire, &wires, &port.interface(), &port.namespace(), plan.mtu));
        }
    }
    for host in &plan.hosts {
        let port = &host.port;
        lines.push(cable(
            hosts::INTERFACE,
            &host.namespace(),
            &port.interface(),
            &port.namespace(),
            plan.mtu,
        ));
    }
    batch("ip", &wires, &lines)
}

fn cable(from: &str, from_namespace: &Namespace, to: &str, to_namespace: &Namespace, mtu: u32) -> String {
    let (there, back) = (from_namespace.name(), to_namespace.name());
    format!("link add {from} mtu {mtu} netns {there} type veth peer name {to} mtu {mtu} netns {back}")
}

/// Brings all ports of all switches up.
pub fn raise_ports(plan: &Plan) -> Result<()> {
    let raise = |port: &u16| format!("link set {} up", port_interface(*port));
    for switch in &plan.switches {
        let ports = switch.fabric_ports.iter().chain(&switch.host_ports);
        batch("ip", &switch.namespace(), &ports.map(raise).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Waits until every port, wire and host interface of the plan can carry frames.
///
/// The kernel reports a carrier, and installs the queue behind it, up to a second after both ends are up.
pub fn wait_until_operational(plan: &Plan) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    for namespace in plan.namespaces() {
        while let Some(interface) = interface_that_is_not_up(&namespace)? {
            check_interrupted()?;
            let name = namespace.name();
            ensure!(
                Instant::now() < deadline,
                "interface {interface} of {name} does not come up: see `dmesg`"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

fn interface_that_is_not_up(namespace: &Namespace) -> Result<Option<String>> {
    let text = run(Command::new("ip").args(["-n", namespace.name(), "-j", "link", "show", "type", "veth"]))?;
    let interfaces: Vec<Interface> = serde_json::from_str(&text).context("read what ip -j printed")?;
    Ok(interfaces.into_iter().find(|interface| interface.operstate != "UP").map(|interface| interface.ifname))
}

#[derive(Deserialize)]
struct Interface {
    ifname: String,
    operstate: String,
}

/// Deletes those namespaces of the plan that exist, and with them every interface.
pub fn remove_namespaces(plan: &Plan) -> Result<()> {
    plan.namespaces().iter().filter(|namespace| namespace.exists()).try_for_each(Namespace::delete)
}
