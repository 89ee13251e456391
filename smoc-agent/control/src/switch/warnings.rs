//! What the operator should know, and what to do about it.

use smoc_common::route::{PortNumber, Route};
use smoc_paths::analysis::buffer::shortage;
use tracing::warn;

use super::{Snapshot, Switch, Wish};
use crate::{
    base_network::Unagreed,
    config::Config,
    fabric::drain::drained,
    interfaces::{BridgePort, Interface},
    plan::EdgePaths,
    ports::Role,
};

impl Switch {
    /// Everything as it is now, for whoever asks; what is new among the warnings is logged.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        let warnings = self.all_warnings();
        for warning in warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            warn!("{warning}");
        }
        self.warnings.clone_from(&warnings);
        let ports = self.port_states();
        let installed = self.controller.installed();
        let exists = |interface: &String| self.interfaces.named(interface).is_some();
        Snapshot {
            ready: self.filled
                && !self.incomplete
                && ports.iter().all(|port| port.attached.is_some() || !exists(&port.interface)),
            topology: self.topology.clone(),
            this: self.this,
            names: self.controller.names().clone(),
            book: self.controller.book().clone(),
            tree: self.tree.clone(),
            down: self.down.intersection(self.controller.book().down()).copied().collect(),
            broken: self.failures.paths.clone(),
            drained: drained(&self.topology, &self.records),
            records: self.records.clone(),
            digests: self.policing.digests,
            told: self.policing.told.clone(),
            policies: self.controller.policies().clone(),
            policy: self.policing.force.clone(),
            hosts: self.known.clone(),
            prefixes: installed.prefixes.clone(),
            routed: self.hosts.routing.routed.clone(),
            refusals: self.hosts.refusals(),
            reach: self.hosts.reach().clone(),
            turned_away: self.hosts.turned_away(),
            ports,
            bridge: self.bridge_state(),
            shared: self.sharing.state(),
            api: self.config.fabric_api.clone(),
            apis: self.apis(),
            spread: self.config.spread,
            epoch: installed.settings.epoch,
            edges: installed.edges.keys().filter(|index| self.controller.names().rule(**index) == 0).count(),
            detours: installed.detours.len(),
            unroutable_detours: self.unfit_detours,
            report: self.own_report(),
            refused: self.neighbors.refused() + self.belief.refused,
            untagged: self.belief.untagged,
            loops: self.neighbors.loops(),
            warnings,
        }
    }

    fn all_warnings(&self) -> Vec<String> {
        let mut warnings = self.missing_interfaces();
        warnings.extend(self.retries.refusals().map(|(wish, why)| self.refusal(wish, why)));
        let misplaced = self.misplaced();
        let is_other = |port: &PortNumber| misplaced.contains_key(port);
        let unagreed = self.unagreed.iter().filter(|(port, _)| !is_other(port));
        warnings.extend(unagreed.map(|(port, why)| self.disagreement(*port, why)));
        warnings.extend(misplaced.into_values());
        warnings.extend(self.unsigned());
        warnings.extend(self.introduced());
        let (boot, _) = self.announcer.number();
        warnings.extend(self.belief.namesakes.warnings(&self.config.switch, boot));
        warnings.extend(self.discord_warnings());
        warnings.extend(self.width_warning());
        warnings.extend(self.plan_warnings.iter().cloned());
        warnings.extend(self.contested());
        warnings.extend(self.hosts.routing.warnings());
        warnings.extend(self.policy_warnings());
        warnings.extend(self.sharing.warnings());
        warnings
    }

    /// Neighbours whose hellos are believed although nobody has signed them.
    fn unsigned(&self) -> Vec<String> {
        let ports = self.config.ports.keys().filter(|_| self.config.keys.are_strict());
        let unsigned = ports.filter_map(|port| Some((port, self.peer_at(*port)?.switch)));
        let unsigned = unsigned.filter(|(_, switch)| self.belief.unsigned.contains(switch));
        let say = |(port, switch)| {
            format!(
                "port {port}: {switch} runs an earlier version of smoc, which signs no hellos: who is on the cable can forge them \
                 until it is updated"
            )
        };
        unsigned.map(say).collect()
    }

    /// That the fabric's key protects nothing yet, and what is left to do.
    fn introduced(&self) -> Option<String> {
        let keys = &self.config.keys;
        let without: Vec<&str> = self.belief.unsigned.iter().map(String::as_str).collect();
        let next = match without.as_slice() {
            [] => "all switches that are heard sign what they say: write key_mode: required everywhere"
                .to_owned(),
            [..] => format!("give the key to {}", without.join(", ")),
        };
        keys.are_introduced()
            .then(|| format!("key_mode: introduce: whoever has no key is believed too; {next}"))
    }

    fn missing_interfaces(&self) -> Vec<String> {
        let missing = |name: &str| self.interfaces.named(name).is_none();
        let ports = self.config.ports.iter().filter(|(_, name)| missing(name)).map(|(port, name)| {
            format!(
                "port {port}: there is no interface {name}: create it, or change ports in the configuration"
            )
        });
        let bridge = self.config.bridge.iter().filter(|name| missing(name)).map(|name| {
            format!("there is no bridge {name}: create it, or change bridge in the configuration")
        });
        ports.chain(bridge).chain(self.unnumbered()).collect()
    }

    /// Interfaces of the bridge that are no ports although all should be.
    fn unnumbered(&self) -> Vec<String> {
        let bridge = self.config.bridge.as_deref().filter(|_| self.config.all_ports);
        let bridge = bridge.and_then(|name| self.interfaces.named(name)).map(|bridge| bridge.index);
        let is_port = |name: &String| self.config.ports.values().any(|port| port == name);
        let inside = self.interfaces.all().filter(|interface| bridge.is_some() && interface.master == bridge);
        let left_out = inside.filter(|interface| !is_port(&interface.name));
        let say = |interface: &Interface| {
            format!(
                "{} is no port: its name ends in no number, or in that of another: write number: interface under ports",
                interface.name
            )
        };
        left_out.map(say).collect()
    }

    fn disagreement(&self, port: PortNumber, why: &Unagreed) -> String {
        let why = match why {
            Unagreed::Silent => "no agent is heard there: start it".to_owned(),
            Unagreed::Other(switch, number) => {
                format!("{switch}:{number} is there: plug it in as the topology says, or change that")
            }
            Unagreed::Differs => {
                "the neighbour uses another tree: give all switches the same topology file".to_owned()
            }
            Unagreed::Waits => "the neighbour waits for others: look for this warning there".to_owned(),
        };
        format!("port {port} is not agreed on for the base network, {why}")
    }

    fn refusal(&self, wish: Wish, why: &str) -> String {
        match wish {
            Wish::Maps => format!("not all maps are written: {why}"),
            Wish::Program(port) => format!("port {port} has no program, the kernel alone serves it: {why}"),
            Wish::Socket(port) if self.roles.of(port) == Role::Host => {
                format!("port {port}: hosts are not learned there: {why}")
            }
            Wish::Socket(port) => format!("port {port}: nothing is heard of other agents there: {why}"),
            Wish::BridgePort(port) => {
                let consequence = match self.wanted_bridge_port(port) {
                    BridgePort::Closed => {
                        "is open although it should not be, the base network may have a loop"
                    }
                    BridgePort::Forwarding => "is closed for the base network although it should be open",
                };
                format!("port {port} {consequence}: {why}")
            }
        }
    }

    /// Collects what a plan brought to light.
    pub(super) fn warn_of_plan(&mut self, left_out: usize, without_index: usize) {
        let mut warnings = Vec::new();
        if left_out > 0 {
            warnings
                .push(format!("{left_out} addresses do not fit: raise tables.hosts in the configuration"));
        }
        if without_index > 0 {
            warnings.push(format!(
                "{without_index} edge switches have no index, all are taken: `smoc detach` and a start of the agent \
                 forget edges that are gone"
            ));
        }
        for (edge, paths) in self.controller.book().edges().filter(|(_, paths)| !paths.unroutable.is_empty())
        {
            warnings.push(unroutable(&self.config, &self.topology.switch(edge).name, paths));
        }
        warnings.extend(self.too_small_buffers());
        self.plan_warnings = warnings;
    }

    /// Edges to which even one path asks for more than the receive buffer that the ranks were to keep within.
    fn too_small_buffers(&self) -> Vec<String> {
        let Some(buffer) = self.config.paths.receive_buffer else { return Vec::new() };
        let mut warnings = Vec::new();
        for (edge, paths) in self.controller.book().edges() {
            match shortage(&self.topology, &paths.ranked, buffer) {
                Ok(None) => {}
                Ok(Some(shortage)) => {
                    warnings.push(format!("to {}: {shortage}", self.topology.switch(edge).name));
                }
                // One link without a latency says it for all.
                Err(unknown) => return vec![format!("receive_buffer: {unknown}")],
            }
        }
        warnings
    }
}

/// What to say of an edge to which some paths cannot be used.
fn unroutable(config: &Config, edge: &str, paths: &EdgePaths) -> String {
    let unfit: Vec<_> =
        paths.unroutable.iter().map(|path| format!("rank {} needs {} bits", path.rank, path.bits)).collect();
    let remaining: Vec<_> = (0..paths.ranked.len() + unfit.len())
        .filter(|rank| paths.unroutable.iter().all(|path| path.rank != *rank))
        .map(|rank| rank.to_string())
        .collect();
    format!(
        "{}: links: {} to {edge}: {} of the {} that a source route has; {}: use lower port numbers or fewer hops",
        config.topology_name(),
        config.switch,
        unfit.join(", "),
        Route::BITS,
        if remaining.is_empty() {
            "no rank remains".into()
        } else {
            format!("ranks {} remain", remaining.join(", "))
        }
    )
}
