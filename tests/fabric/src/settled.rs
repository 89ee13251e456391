//! Whether everything is as it should be: maps, programs, sockets, ports, trees and paths.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use smoc_common::{map::THIS_EDGE, route::PortNumber};
use smoc_control::{
    interfaces::BridgePort,
    plan::{PathBook, spanning_tree},
    ports::Role,
    switch::Snapshot,
};
use smoc_paths::topology::{End, LinkId, Topology};

use crate::{
    fabric::Fabric,
    link::Plug,
    node::{Agent, Node},
};

/// So many agents' paths are searched again to compare them.
const SEARCHED: usize = 3;
/// So many agents are compared with each other: in a larger fabric every second, third, ... of them.
const COMPARED: usize = 64;

impl Fabric {
    /// The first thing that is not as it should be when nothing is wrong any more.
    pub(crate) fn unsettled(&self) -> Option<String> {
        let down = self.network.files.each_ref().map(|file| self.really_down(file));
        for (place, node) in self.nodes.iter().enumerate() {
            let Some(agent) = &node.agent else {
                if self.network.is_old(place) || node.runs > 0 {
                    return Some(format!("{} has no agent", node.name));
                }
                continue;
            };
            let why = self.unsettled_at(place as u32, node, agent, &down);
            if let Some(why) = why {
                return Some(format!("{}: {why}", node.name));
            }
        }
        self.lost_trees(&down).or_else(|| self.wrong_paths()).or_else(|| self.other_policy())
    }

    /// Whether agents go by different policies, or one by none for which there are rules.
    fn other_policy(&self) -> Option<String> {
        let snapshots = self.nodes.iter().filter_map(|node| node.agent.as_ref()?.snapshot.as_ref());
        let text = |snapshot: &Snapshot| snapshot.policy.as_ref().map(|force| force.text.clone());
        let first = snapshots.clone().next().map(|snapshot| text(snapshot))?;
        for snapshot in snapshots {
            let name = &snapshot.topology.switch(snapshot.this).name;
            if text(snapshot) != first {
                return Some(format!("{name} has policy {:?} instead of {first:?}", text(snapshot)));
            }
            if snapshot.told.iter().any(|(_, (digests, _))| *digests != Some(snapshot.digests.0)) {
                return Some(format!("{name} takes another switch for one with another policy or topology"));
            }
        }
        None
    }

    /// The links of a file that do not work.
    fn really_down(&self, topology: &Topology) -> BTreeSet<LinkId> {
        let places: BTreeMap<&str, usize> =
            self.nodes.iter().enumerate().map(|(place, node)| (node.name.as_str(), place)).collect();
        topology.link_ids().filter(|link| !self.works(topology, &places, *link)).collect()
    }

    /// Which of the two files this is.
    fn file(&self, topology: &Arc<Topology>) -> usize {
        usize::from(*topology != self.network.files[0])
    }

    fn unsettled_at(
        &self,
        place: u32,
        node: &Node,
        agent: &Agent,
        down: &[BTreeSet<LinkId>; 2],
    ) -> Option<String> {
        let Some(snapshot) = &agent.snapshot else { return Some("nothing is published".into()) };
        // A refused claim is told for minutes: a port that was taken for a host's beside a dead agent may have claimed.
        let is_old =
            |warning: &&String| self.network.is_discovered() && warning.contains(", which is refused: ");
        // A policy may ask for what this network does not have.
        let is_wish = |warning: &&String| warning.starts_with("policy: rule ");
        if let Some(warning) = snapshot.warnings.iter().find(|warning| !is_old(warning) && !is_wish(warning))
        {
            return Some(format!("it still warns: {warning}"));
        }
        if !snapshot.ready {
            return Some("it is not ready".into());
        }
        let wanted = agent.control.wanted();
        if !node.kernel.is(wanted) {
            let differences = wanted.differences(&node.kernel.installed()).join(", ");
            return Some(format!("the maps differ: {differences}"));
        }
        let really = &down[self.file(&snapshot.topology)];
        let down = snapshot.book.down();
        if down != really {
            return Some(format!("it takes links {down:?} for down, but {really:?} are"));
        }
        self.unsettled_ports(place, node, agent, snapshot)
            .or_else(|| self.unknown_host(place, node, snapshot))
    }

    /// Whether the cable of a link works, and agents run at both ends.
    fn works(&self, topology: &Topology, places: &BTreeMap<&str, usize>, link: LinkId) -> bool {
        let link = topology.link(link);
        [link.a, link.b].into_iter().all(|End { switch, port }| {
            let place = places.get(topology.switch(switch).name.as_str());
            let node = place.map(|place| &self.nodes[*place]);
            let port = node.and_then(|node| Some(&node.ports[usize::from(node.place(port.get())?)]));
            port.is_some_and(|port| port.carrier && port.exists && port.cable.is_some())
                && node.is_some_and(|node| node.agent.is_some() || node.kernel.maps.settings.is_some())
        })
    }

    fn unsettled_ports(&self, place: u32, node: &Node, agent: &Agent, snapshot: &Snapshot) -> Option<String> {
        let arcs = snapshot.topology.arcs(snapshot.this).iter();
        let tree: BTreeSet<PortNumber> =
            arcs.filter(|arc| snapshot.tree.contains(&arc.link)).map(|arc| arc.port).collect();
        for (at, port) in node.ports.iter().enumerate() {
            let end = End { switch: snapshot.this, port: port.number };
            let is_fabric = snapshot.topology.link_at(end).is_some();
            let program = if is_fabric { agent.programs.fabric } else { agent.programs.host };
            if port.program.map(|(program, _)| program) != Some(program) {
                return Some(format!(
                    "port {} has program {:?} instead of {program}",
                    port.number, port.program
                ));
            }
            let role = if is_fabric { Role::Fabric } else { Role::Host };
            if agent.sockets.get(&port.number) != Some(&(node.index(at as u16), role)) {
                return Some(format!("port {}: nobody listens as {role:?}", port.number));
            }
            let works = self.is_answered(place, at as u16) || !is_fabric && port.carrier;
            let exits =
                [Role::Fabric, Role::Host].map(|of| node.kernel.exits().contains_key(&(port.number, of)));
            if exits != [works && is_fabric, works && !is_fabric] {
                let is = if works { "does not lead" } else { "leads" };
                return Some(format!(
                    "port {}, a {role:?} port, {is}: in the device maps {exits:?}",
                    port.number
                ));
            }
            let wanted = match is_fabric && !tree.contains(&port.number) {
                true => BridgePort::Closed,
                false => BridgePort::Forwarding,
            };
            if port.carrier && node.bridge.state(at as u16) != wanted {
                return Some(format!("port {} of the bridge is not {wanted:?}", port.number));
            }
        }
        None
    }

    /// Whether a switch with a program is behind a port.
    fn is_answered(&self, node: u32, place: u16) -> bool {
        let port = &self.nodes[node as usize].ports[usize::from(place)];
        let Some((link, end)) = port.cable else { return false };
        match self.links[link as usize].ends[usize::from(1 - end)] {
            Plug::Port(other, at) => {
                let there = &self.nodes[other as usize].ports[usize::from(at)];
                port.carrier && there.carrier && there.program.is_some()
            }
            Plug::Host(_) => port.carrier,
        }
    }

    /// The first host that is not known where it is.
    fn unknown_host(&self, place: u32, node: &Node, snapshot: &Snapshot) -> Option<String> {
        let maps = &node.kernel.maps;
        for (number, host) in self.hosts.iter().enumerate() {
            let Plug::Port(there, at) = self.links[host.link as usize].ends[0] else { continue };
            let there_node = &self.nodes[there as usize];
            let Some(known) = maps.hosts.get(&host.address) else {
                return Some(format!("host {number} is not known"));
            };
            let switch = match known.attachment.edge {
                THIS_EDGE => Some(self.name(place)),
                edge => snapshot.names.name(edge),
            };
            let port = there_node.ports[usize::from(at)].number.get();
            if switch != Some(there_node.name.as_str())
                || known.attachment.port != port
                || known.mac != host.mac
            {
                return Some(format!(
                    "host {number} is at {}:{port}, not at {switch:?}:{known:?}",
                    there_node.name
                ));
            }
        }
        None
    }

    /// Whether agents have other trees than each other, or than the links say.
    fn lost_trees(&self, down: &[BTreeSet<LinkId>; 2]) -> Option<String> {
        let first = self.nodes.iter().find_map(|node| node.agent.as_ref()?.snapshot.as_ref())?;
        let tree = spanning_tree(&first.topology, &down[self.file(&first.topology)]);
        for node in &self.nodes {
            let Some(snapshot) = node.agent.as_ref().and_then(|agent| agent.snapshot.as_ref()) else {
                continue;
            };
            if *snapshot.tree != tree {
                return Some(format!("{} has tree {:?} instead of {tree:?}", node.name, snapshot.tree));
            }
        }
        None
    }

    /// Whether a path set is not what the topology gives.
    fn wrong_paths(&self) -> Option<String> {
        for (place, node) in self.nodes.iter().enumerate().take(SEARCHED) {
            let Some(snapshot) = node.agent.as_ref().and_then(|agent| agent.snapshot.as_ref()) else {
                continue;
            };
            let mut book = PathBook::new(snapshot.this, self.network.configs[place].paths);
            let edges = snapshot.book.edges().map(|(edge, _)| edge).collect();
            if book.extend(&snapshot.topology, &edges).is_err()
                || book.set_down(&snapshot.topology, snapshot.book.down()).is_err()
            {
                return Some(format!("{}: paths cannot be searched", node.name));
            }
            for edge in edges {
                if book.to(edge) != snapshot.book.to(edge) {
                    let to = &snapshot.topology.switch(edge).name;
                    return Some(format!(
                        "{}: the paths to {to} are others than the topology gives",
                        node.name
                    ));
                }
            }
        }
        None
    }

    /// Agents that know the same have chosen the same.
    pub(crate) fn compare_agents(&mut self) {
        let agents: BTreeMap<&str, &Snapshot> = self
            .nodes
            .iter()
            .step_by(self.nodes.len().div_ceil(COMPARED))
            .filter_map(|node| Some((node.name.as_str(), node.agent.as_ref()?.snapshot.as_deref()?)))
            .collect();
        let mut wrong = None;
        for (name, one) in &agents {
            for (edge, paths) in one.book.edges() {
                let there = &one.topology.switch(edge).name;
                let Some(other) = agents
                    .get(there.as_str())
                    .filter(|other| name < &there.as_str() && knows_the_same(one, other))
                else {
                    continue;
                };
                let Some(back) = other.book.to(one.this) else { continue };
                let reversed = back.ranked.iter().map(|path| path.clone().reversed().links);
                if !paths.ranked.iter().map(|path| path.links.clone()).eq(reversed) {
                    wrong = Some(format!("the ranks from {name} to {there} are not those back, reversed"));
                }
            }
            for (rule, book) in one.policies.books() {
                wrong = differs_back(rule, book, one, &agents).or(wrong);
            }
            let others = agents.values().filter(|other| knows_the_same(one, other));
            if others
                .clone()
                .any(|other| one.book.down().is_empty() && other.tree != one.tree && self.is_settled_tree())
            {
                wrong = Some(format!("{name} has another tree than an agent that knows the same"));
            }
        }
        if let Some(wrong) = wrong {
            self.violated(wrong);
        }
    }

    /// The tree depends on which down ports have ever been answered, which a snapshot does not show: trees are compared
    /// only before the first fault.
    fn is_settled_tree(&self) -> bool {
        let now = self.queue.now().since(smoc_control::clock::Nanos(0));
        now > crate::bounds::START && now < crate::faults::FIRST
    }
}

/// Whether the ranks by a rule of policy are others than those back.
fn differs_back(
    rule: u8,
    book: &PathBook,
    one: &Snapshot,
    agents: &BTreeMap<&str, &Snapshot>,
) -> Option<String> {
    book.edges().find_map(|(edge, paths)| {
        let there = one.topology.switch(edge).name.as_str();
        let other =
            agents.get(there).filter(|other| knows_the_same(one, other) && one.policy == other.policy)?;
        let back = other.policies.book(rule)?.to(one.this)?;
        let reversed = back.ranked.iter().map(|path| path.clone().reversed().links);
        let is_same = paths.ranked.iter().map(|path| path.links.clone()).eq(reversed);
        (!is_same).then(|| format!("the ranks by rule {rule} to {there} are not those back, reversed"))
    })
}

fn knows_the_same(one: &Snapshot, other: &Snapshot) -> bool {
    one.topology == other.topology && one.book.down() == other.book.down()
}
