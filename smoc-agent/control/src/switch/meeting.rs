//! Who is behind each port, and what follows for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use smoc_common::route::PortNumber;
use smoc_paths::topology::{End, SwitchId, Topology};
use tracing::info;

use super::{Effect, Switch};
use crate::{
    clock::Nanos,
    config::{Config, PortRole},
    interfaces::BridgePort,
    neighbors::{Identity, Neighbors, Peer, Refusal, Standing},
    plan::Controller,
    ports::{Role, Roles},
};

/// The neighbours of a switch that has heard nothing yet.
pub(super) fn neighbors(config: &Config, topology: &Topology, this: SwitchId, boot: u64) -> Neighbors {
    let identity = Identity {
        switch: config.switch.clone(),
        fabric: config.fabric.clone(),
        boot,
        port_width: topology.switch(this).port_width,
    };
    Neighbors::new(identity, config.keys.clone(), roles(config, topology, this))
}

/// What the ports are for: where the topology has a host, hosts are behind the port from the first moment.
pub(super) fn roles(config: &Config, topology: &Topology, this: SwitchId) -> BTreeMap<PortNumber, PortRole> {
    let declared: BTreeSet<PortNumber> =
        topology.hosts().iter().filter(|host| host.at.switch == this).map(|host| host.at.port).collect();
    let role = |port: &PortNumber| match config.roles.get(port).copied().unwrap_or_default() {
        PortRole::Auto if declared.contains(port) => PortRole::Host,
        role => role,
    };
    config.ports.keys().map(|port| (*port, role(port))).collect()
}

/// The roles of the ports as the file says, or, where the network is discovered, as an earlier agent left them.
pub(super) fn left_roles(
    config: &Config,
    topology: &Topology,
    this: SwitchId,
    controller: &Controller,
) -> Roles {
    if !config.is_discovered() {
        return Roles::new(config, topology, this);
    }
    let left = controller.installed().ports.iter();
    Roles::with(
        left.filter(|(_, entry)| Role::in_map(&entry.port) == Role::Fabric).map(|(port, _)| *port).collect(),
    )
}

impl Switch {
    /// The roles of the ports.
    pub(super) fn current_roles(&self) -> Roles {
        if self.config.is_discovered() {
            self.found_roles()
        } else {
            Roles::new(&self.config, &self.topology, self.this)
        }
    }

    /// Where all interfaces of the bridge are ports: new ones are.
    pub(super) fn number_interfaces(&mut self, now: Nanos) {
        let Some(config) = self.config.with_interfaces(&self.interfaces) else { return };
        self.config = Arc::new(config);
        self.neighbors.set_roles(roles(&self.config, &self.topology, self.this));
        if self.config.is_discovered() {
            self.look_at_width(now);
            self.tell_report(now);
        }
    }

    /// The switch that is behind a fabric port, or should be.
    pub(super) fn peer_at(&self, port: PortNumber) -> Option<Peer> {
        if self.roles.of(port) == Role::Host {
            return None;
        }
        let Some(link) = self.topology.link_at(End { switch: self.this, port }) else {
            return if let Standing::Fabric(peer) = self.neighbors.standing(port) {
                Some(peer.clone())
            } else {
                None
            };
        };
        let there = self.topology.link(link).other(self.this);
        Some(Peer { switch: self.topology.switch(there.switch).name.clone(), port: there.port })
    }

    /// Says who this switch is where that is due, and heeds what became of its ports.
    pub(super) fn meet_neighbors(&mut self, now: Nanos) {
        self.neighbors.watch_loops(self.managed_bridge().is_some());
        let (roles, failures) = (&self.roles, &self.failures);
        let is_dead = |port| roles.of(port) == Role::Host || failures.ports.contains(&port);
        let changed = self.neighbors.settle(is_dead, now);
        for port in &changed {
            info!(port = port.get(), neighbor = ?self.neighbors.standing(*port), "another neighbour");
        }
        if !changed.is_empty() {
            self.stale.ports = true;
            self.stale.plan = true;
            self.neighbors_changed(now);
        }
        self.ask_who_was_met(now);
        let listening = &self.listening;
        for said in self.neighbors.due(|port| listening.contains_key(&port), now) {
            if let Some(mac) = self.socket_mac(said.port()) {
                self.effects.push(Effect::Send(said.port(), said.frame(mac, self.neighbors.keys())));
            }
        }
    }

    /// The ports that have carrier.
    pub(super) fn with_carrier(&self) -> BTreeSet<PortNumber> {
        self.present().filter(|(_, _, interface)| interface.usable).map(|(port, ..)| port).collect()
    }

    /// Host ports that an earlier agent left open: it had found hosts there.
    pub(super) fn take_over_neighbors(&mut self) {
        if self.config.is_discovered() {
            let left = self.left_fabric();
            self.neighbors.take_over_switches(&left);
        }
        let installed = &self.controller.installed().ports;
        let is_open = |port: &PortNumber| {
            let entry = installed.get(port).map(|entry| entry.port);
            entry.is_some_and(|entry| {
                Role::in_map(&entry) == Role::Host && entry.base == smoc_common::map::Port::OPEN
            })
        };
        let open = self.present().filter(|(port, role, interface)| {
            *role == Role::Host && interface.bridge_port == Some(BridgePort::Forwarding) && is_open(port)
        });
        let hosts = open.map(|(port, ..)| port).collect();
        self.neighbors.take_over_hosts(&hosts);
    }

    /// Whether it is known that hosts, and no switches, are behind a host port.
    pub(super) fn has_hosts(&self, port: PortNumber) -> bool {
        *self.neighbors.standing(port) == Standing::Host
    }

    /// Who is at a port, as it is shown.
    pub(super) fn neighbor_at(&self, port: PortNumber) -> Standing {
        match self.neighbors.standing(port) {
            Standing::Fabric(peer) if self.roles.of(port) == Role::Host => {
                Standing::Refused(Refusal::NotHost(peer.clone()))
            }
            Standing::Refused(Refusal::Silent) if self.roles.of(port) == Role::Fabric => Standing::Awaited,
            standing => standing.clone(),
        }
    }

    /// What is behind ports where it must not be, with what to do.
    pub(super) fn misplaced(&self) -> BTreeMap<PortNumber, String> {
        let ports = self.config.ports.keys();
        let said = ports.filter_map(|port| {
            let why = match self.neighbor_at(*port) {
                Standing::Refused(refusal) => refusal.to_string(),
                Standing::Fabric(peer) => self.is_elsewhere(*port, &peer)?,
                _ => return None,
            };
            Some((*port, format!("port {port}: {why}")))
        });
        said.collect()
    }

    /// What to do if the topology has another switch or port behind a port.
    fn is_elsewhere(&self, port: PortNumber, peer: &Peer) -> Option<String> {
        let wanted = self.peer_at(port).filter(|_| !self.config.is_discovered())?;
        (wanted != *peer).then(|| {
            format!(
                "{peer} is there, and the topology says {wanted}: plug it in as the topology says, or change that"
            )
        })
    }
}
