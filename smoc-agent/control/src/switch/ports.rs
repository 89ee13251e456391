//! Programs, bridge ports and packet sockets: what each port should have, compared with what it has.

use std::collections::{BTreeMap, BTreeSet};

use smoc_common::route::PortNumber;

use super::{BridgeState, Effect, PortState, Switch, Wish};
use crate::{
    base_network::Seen,
    clock::Nanos,
    config::Config,
    dataplane::Exits,
    interfaces::{BridgePort, IfIndex, Interface, Interfaces},
    plan::Failures,
    ports::{Role, Roles},
};

impl Switch {
    /// The ports that have an interface now.
    pub(super) fn present(&self) -> impl Iterator<Item = (PortNumber, Role, &Interface)> {
        present(&self.config, &self.roles, &self.interfaces)
    }

    /// Asks for whatever a port lacks, each by itself.
    pub(super) fn settle_ports(&mut self, now: Nanos) {
        self.attach(now);
        self.set_bridge_ports(now);
        self.listen(now);
        self.retries.forget_unwanted(now);
        self.watch();
        self.stale.view = true;
    }

    fn attach(&mut self, now: Nanos) {
        let present: Vec<_> = self.present().map(|(port, role, found)| (port, role, found.clone())).collect();
        let names = present.iter().map(|(_, _, interface)| interface.name.clone()).collect();
        for (port, role, interface) in present {
            if self.programs.is_on(role, &interface) {
                self.stale.view |= self.retries.done(Wish::Program(port));
            } else if self.retries.admit(Wish::Program(port), now) {
                self.effects.push(Effect::Attach(port, role, interface));
            }
        }
        if self.kept_programs != names {
            self.kept_programs.clone_from(&names);
            self.effects.push(Effect::KeepPrograms(names));
        }
    }

    /// Closes bridge ports before it opens others. Ports without carrier are closed by the kernel.
    fn set_bridge_ports(&mut self, now: Nanos) {
        let Some(bridge) = self.managed_bridge().map(|bridge| bridge.index) else { return };
        let mut wanted: Vec<_> = self
            .present()
            .filter(|(_, _, interface)| interface.master == Some(bridge) && interface.usable)
            .map(|(port, _, interface)| (self.wanted_bridge_port(port), port, interface.clone()))
            .collect();
        wanted.sort_by_key(|(state, ..)| *state == BridgePort::Forwarding);
        for (state, port, interface) in wanted {
            let (wish, is_fabric) = (Wish::BridgePort(port), self.roles.of(port) == Role::Fabric);
            let is_to_be_set = match self.roles.of(port) {
                Role::Fabric => self.agreement.is_to_be_set(port),
                Role::Host => interface.bridge_port != Some(state),
            };
            // To close a port is another wish than to open it: it does not wait for the last attempt's time.
            if !is_to_be_set || is_fabric && self.agreement.last_asked(port) != Some(state) {
                self.stale.view |= self.retries.done(wish);
            }
            if is_to_be_set && self.retries.admit(wish, now) {
                self.agreement.was_asked(port);
                self.effects.push(Effect::SetBridgePort(port, interface, state));
            }
        }
    }

    /// Whether a port needs a command that is not waited for: what it waited for is no longer in its way.
    pub(super) fn is_port_forgotten(&self) -> bool {
        let waits = |port: &PortNumber| self.retries.is_waiting(Wish::BridgePort(*port));
        self.config.ports.keys().any(|port| self.agreement.is_to_be_set(*port) && !waits(port))
    }

    /// What the kernel says of the ports of the bridge that the agent manages.
    pub(super) fn bridge_ports(&self) -> BTreeMap<PortNumber, Seen> {
        let Some(bridge) = self.managed_bridge().map(|bridge| bridge.index) else { return BTreeMap::new() };
        let in_bridge = self.present().filter(|(_, _, interface)| interface.master == Some(bridge));
        let usable = in_bridge.filter(|(_, _, interface)| interface.usable);
        usable
            .filter_map(|(port, _, interface)| Some((port, Seen::Present(interface.bridge_port?))))
            .collect()
    }

    /// The state that a port should have in the bridge.
    pub(super) fn wanted_bridge_port(&self, port: PortNumber) -> BridgePort {
        match self.roles.of(port) {
            Role::Fabric => self.agreement.wanted(port),
            Role::Host if self.has_hosts(port) => BridgePort::Forwarding,
            Role::Host => BridgePort::Closed,
        }
    }

    /// The ports of the managed bridge that should be closed, with or without carrier.
    pub(super) fn closed_ports(&self) -> BTreeSet<PortNumber> {
        let Some(bridge) = self.managed_bridge().map(|bridge| bridge.index) else { return BTreeSet::new() };
        let in_bridge = self.present().filter(|(_, _, interface)| interface.master == Some(bridge));
        let ports = in_bridge.map(|(port, ..)| port);
        ports.filter(|port| self.wanted_bridge_port(*port) == BridgePort::Closed).collect()
    }

    /// Has a socket on each port: who is behind it is heard there, and what that one says.
    pub(super) fn listen(&mut self, now: Nanos) {
        let wanted: BTreeMap<PortNumber, (IfIndex, Role)> =
            self.present().map(|(port, role, interface)| (port, (interface.index, role))).collect();
        for port in self.listening.keys().filter(|port| !wanted.contains_key(port)) {
            self.effects.push(Effect::StopListening(*port));
        }
        self.listening.retain(|port, _| wanted.contains_key(port));
        for (port, (index, role)) in wanted {
            let listens = self.listening.get(&port).copied();
            // Another socket in place of one that works is another wish.
            if listens.is_some() {
                self.stale.view |= self.retries.done(Wish::Socket(port));
            }
            if listens == Some((index, role)) {
                continue;
            }
            if self.retries.admit(Wish::Socket(port), now) {
                self.listening.insert(port, (index, role));
                self.effects.push(Effect::Listen(port, role, index));
            }
        }
    }

    /// The bridge whose ports the agent opens and closes: one that does not run spanning tree by itself.
    pub(super) fn managed_bridge(&self) -> Option<&Interface> {
        self.bridge().filter(|bridge| bridge.spanning_tree == Some(false))
    }

    /// Whether the bridge runs spanning tree by itself.
    pub(super) fn runs_spanning_tree(&self) -> bool {
        self.bridge().is_some_and(|bridge| bridge.spanning_tree == Some(true))
    }

    fn bridge(&self) -> Option<&Interface> {
        self.config.bridge.as_deref().and_then(|name| self.interfaces.named(name))
    }

    /// The bridge as it is published.
    pub(super) fn bridge_state(&self) -> Option<BridgeState> {
        let bridge = self.bridge()?;
        Some(BridgeState { interface: bridge.name.clone(), managed: self.managed_bridge().is_some() })
    }

    /// The ports as they are published.
    pub(super) fn port_states(&self) -> Vec<PortState> {
        let state = |(&number, name): (&PortNumber, &String)| {
            let (role, interface) = (self.roles.of(number), self.interfaces.named(name));
            let attached = interface.filter(|interface| self.programs.is_on(role, interface));
            let carrier = interface.is_some_and(|interface| interface.usable);
            PortState {
                number,
                interface: name.clone(),
                role,
                carrier,
                usable: carrier && !self.failures.ports.contains(&number),
                attached: attached.and_then(|interface| interface.xdp).map(|xdp| xdp.mode),
                bridge: interface.and_then(|interface| interface.bridge_port),
                neighbor: self.neighbor_at(number),
            }
        };
        self.config.ports.iter().map(state).collect()
    }
}

/// The ports that have an interface now.
fn present<'a>(
    config: &'a Config,
    roles: &'a Roles,
    interfaces: &'a Interfaces,
) -> impl Iterator<Item = (PortNumber, Role, &'a Interface)> {
    config.ports.iter().filter_map(|(port, name)| Some((*port, roles.of(*port), interfaces.named(name)?)))
}

/// The fabric ports that an earlier agent found down although they have carrier, and those that have none now.
pub(super) fn left_down(
    config: &Config,
    roles: &Roles,
    interfaces: &Interfaces,
    exits: &Exits,
    adopted: bool,
) -> Failures {
    let down = present(config, roles, interfaces).filter(|(port, role, interface)| {
        *role == Role::Fabric && (!interface.usable || adopted && !exits.contains_key(&(*port, Role::Fabric)))
    });
    Failures { ports: down.map(|(port, ..)| port).collect(), ..Failures::default() }
}
