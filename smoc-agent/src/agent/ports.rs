//! Ports: which interface is which, what is attached to it, and whether the bridge uses it.

use std::collections::BTreeSet;

use smoc_common::route::PortNumber;

use smoc_control::{
    config::Config,
    dataplane::Installed,
    interfaces::{BridgePort, Interface, Interfaces},
    plan::TreePorts,
    ports::Role,
};
use smoc_paths::topology::{SwitchId, Topology};

use crate::{
    api::{BridgeView, PortView},
    dataplane::{DataplaneError, xdp::XdpDataplane},
};

/// Whether every configured interface exists.
pub(super) fn check(config: &Config, interfaces: &Interfaces) -> Result<(), DataplaneError> {
    let missing = |name: &str| interfaces.named(name).is_none();
    if let Some((port, name)) = config.ports.iter().find(|(_, name)| missing(name)) {
        return Err(DataplaneError::NoInterface { port: port.get(), interface: name.clone() });
    }
    match &config.bridge {
        Some(bridge) if missing(bridge) => Err(DataplaneError::NoBridge { bridge: bridge.clone() }),
        _ => Ok(()),
    }
}

/// What the topology makes of the configured ports.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    fabric: BTreeSet<PortNumber>,
}

impl Roles {
    pub(super) fn new(config: &Config, topology: &Topology, this: SwitchId) -> Self {
        Self { fabric: config.fabric_ports(topology, this) }
    }

    pub(super) fn of(&self, port: PortNumber) -> Role {
        if self.fabric.contains(&port) { Role::Fabric } else { Role::Host }
    }
}

/// The ports that have an interface now.
pub(super) fn present<'a>(
    config: &'a Config,
    roles: &'a Roles,
    interfaces: &'a Interfaces,
) -> impl Iterator<Item = (PortNumber, Role, &'a Interface)> {
    config.ports.iter().filter_map(|(port, name)| Some((*port, roles.of(*port), interfaces.named(name)?)))
}

/// Whether the right program is on an interface.
pub(super) fn is_attached(dataplane: &XdpDataplane, role: Role, interface: &Interface) -> bool {
    interface.xdp.is_some_and(|xdp| xdp.program == dataplane.program_id(role))
}

/// The bridge, if one is configured and exists.
pub(super) fn bridge(config: &Config, interfaces: &Interfaces) -> Option<BridgeView> {
    let name = config.bridge.as_deref()?;
    let managed = interfaces.named(name)?.spanning_tree == Some(false);
    Some(BridgeView { interface: name.to_owned(), managed })
}

/// The bridge whose ports the agent opens and closes: one that does not run spanning tree by itself.
pub(super) fn managed_bridge<'a>(config: &Config, interfaces: &'a Interfaces) -> Option<&'a Interface> {
    let bridge = config.bridge.as_deref().and_then(|name| interfaces.named(name))?;
    (bridge.spanning_tree == Some(false)).then_some(bridge)
}

/// Bridge ports that are not in the state they should be in. Ports without carrier are closed by the kernel.
pub(super) fn bridge_changes<'a>(
    config: &'a Config,
    roles: &'a Roles,
    tree: &TreePorts,
    interfaces: &'a Interfaces,
) -> Vec<(&'a Interface, BridgePort)> {
    let Some(bridge) = managed_bridge(config, interfaces) else { return Vec::new() };
    let wanted = |port, role| match role {
        Role::Fabric if !tree.is_open(port) => BridgePort::Closed,
        _ => BridgePort::Forwarding,
    };
    let ours = present(config, roles, interfaces)
        .filter(|(_, _, interface)| interface.master == Some(bridge.index) && interface.usable);
    ours.map(|(port, role, interface)| (interface, wanted(port, role)))
        .filter(|(interface, wanted)| interface.bridge_port != Some(*wanted))
        .collect()
}

/// The ports as the API shows them.
pub(super) fn views(
    config: &Config,
    roles: &Roles,
    interfaces: &Interfaces,
    dataplane: &XdpDataplane,
    installed: &Installed,
) -> Vec<PortView> {
    let view = |(port, name): (&PortNumber, &String)| {
        let (role, interface) = (roles.of(*port), interfaces.named(name));
        let attached = interface.filter(|interface| is_attached(dataplane, role, interface));
        PortView {
            number: port.get(),
            interface: name.clone(),
            role: if role == Role::Fabric { "fabric" } else { "host" }.to_owned(),
            carrier: interface.is_some_and(|interface| interface.usable),
            usable: installed.ports.get(port).is_some_and(|entry| entry.leads_to.is_some()),
            attached: attached.is_some(),
            mode: attached.and_then(|interface| interface.xdp).map(|xdp| xdp.mode.name().to_owned()),
            bridge: interface.and_then(|interface| interface.bridge_port).map(|state| {
                if state == BridgePort::Forwarding { "forwarding" } else { "closed" }.to_owned()
            }),
            liveness: None,
        }
    };
    config.ports.iter().map(view).collect()
}
