//! What follows from the facts: hosts, links, paths, detours and maps. What is urgent first, all the rest at most once in
//! [`super::PAUSE`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use smoc_common::{
    map::{DETOUR_ENTRIES, Detour, DetourKey},
    route::{PortNumber, Rank},
    wire::probe::{link_id, switch_id},
};
use smoc_paths::{
    search::{self, OptionsError, Path, PathFinder},
    topology::{LinkId, SwitchId, Topology},
};
use tracing::{debug, info, warn};

use super::{Effect, HOSTS_AT_ONCE, PAUSE, PAUSE_PER_SEARCH, Stale, Switch, TICK, Wish};
use crate::{
    base_network::{SILENCE, Tree},
    clock::Nanos,
    dataplane::Change,
    discovery::announcement,
    fabric::drain::{avoided, drained},
    hosts::{KnownHost, Source},
    interfaces::IfIndex,
    liveness::{HostPort, PathTarget, PortTarget, RoundTripRoute, Targets, Trust},
    neighbors::Peer,
    plan::{Controller, DownPort, Inputs, PathBook, spanning_tree},
    ports::Role,
};

/// What is decided from; a macro because a function would borrow the controller too.
macro_rules! inputs {
    ($switch:ident) => {
        Inputs {
            topology: &$switch.topology,
            this: $switch.this,
            ports: &$switch.config.ports,
            bridge: $switch.config.bridge.as_deref(),
            interfaces: &$switch.interfaces,
            roles: &$switch.roles,
            closed: &$switch.closed,
            failures: &$switch.failures,
            unused: &$switch.unused,
            detours: &$switch.detours,
            hosts: &$switch.known,
            routed: &$switch.hosts.routing.routed,
            spread: $switch.config.spread,
            border: &$switch.config.border,
            hello_keys: $switch.config.keys.hello_keys(&$switch.config.switch),
            host_entries: $switch.config.tables.hosts as usize,
        }
    };
}

impl Switch {
    /// Brings everything in line with the facts, as far as it is due.
    pub(super) fn settle(&mut self, now: Nanos) {
        self.close_ports();
        if std::mem::take(&mut self.stale.failures) {
            self.own_ports_changed(now);
            self.look_at_links();
            // Which ranks were broken when the topology changed is known once there are paths.
            if self.left_broken.is_empty() {
                let urgent = self.controller.plan_urgent(&inputs!(self));
                self.write(urgent);
            }
        }
        self.tick(now);
        self.ask_owners(now);
        if self.refused && self.retries.admit(Wish::Maps, now) {
            self.refused = false;
            self.stale.plan = true;
        }
        if self.derives_at().is_some_and(|due| due <= now) {
            self.settled = now;
            if self.stale.hosts {
                self.hosts_settled = self.hosts_settled.max(now) + PAUSE;
            }
            let before = self.controller.searches();
            self.derive(now);
            let searches = self.controller.searches().saturating_sub(before);
            let (each, longest) = PAUSE_PER_SEARCH;
            let pause = each.saturating_mul(searches.try_into().unwrap_or(u32::MAX)).min(longest);
            self.rested = self.rested.max(now + pause);
        }
        self.stale.ports |= self.agreement.settle(now) || self.is_port_forgotten();
        self.close_ports();
        if self.stale.ports || self.retries.next_port().is_some_and(|next| next <= now) {
            self.stale.ports = false;
            self.settle_ports(now);
        }
        self.tell_neighbors(now);
        self.ask_edges(now);
        if self.announcer.due(now).is_some() {
            let parts = self.own_parts(now);
            let ports: Vec<PortNumber> = self.fabric_sockets().collect();
            ports.into_iter().for_each(|port| self.send_parts(port, &parts, now));
        }
        if std::mem::take(&mut self.stale.view) {
            let snapshot = Arc::new(self.snapshot());
            self.effects.push(Effect::Publish(snapshot));
        }
    }

    /// A second has passed: what gets old is looked at.
    fn tick(&mut self, now: Nanos) {
        if self.hosts.release_at().is_some_and(|due| due <= now) {
            self.stale.hosts |= self.hosts.release(now);
        }
        if now.since(self.ticked) < TICK {
            return;
        }
        self.ticked = now;
        if !self.refused {
            self.stale.view |= self.retries.done(Wish::Maps);
        }
        self.forget_namesakes(now);
        self.hosts.expire(now);
        self.stale.hosts |= self.hosts.has_changed();
        self.ask_glimpsed(now);
        self.look_for_unagreed(now);
        self.look_at_reports(now);
        self.look_at_width(now);
    }

    /// When [`Switch::derive`] is due, if something waits for it.
    pub(super) fn derives_at(&self) -> Option<Nanos> {
        let Stale { plan, hosts, links, .. } = self.stale;
        let soon = plan || self.incomplete;
        let earliest = self.settled + PAUSE;
        let links = links || self.discovered.is_news();
        let plan = (soon || links).then(|| if soon { earliest } else { earliest.max(self.rested) });
        let hosts = hosts.then(|| self.hosts_settled - PAUSE * HOSTS_AT_ONCE);
        plan.into_iter().chain(hosts).min()
    }

    /// Hosts, trees, paths and detours, and the maps that follow from them.
    fn derive(&mut self, now: Nanos) {
        if self.rested <= now {
            self.use_reports(now);
        }
        let links = self.stale.links && self.rested <= now;
        self.stale.links &= !links;
        let mut plan = std::mem::take(&mut self.stale.plan) || self.incomplete || self.refused;
        self.stale.hosts = false;
        let mut moved = BTreeSet::new();
        if self.hosts.has_changed() {
            let known = Arc::make_mut(&mut self.known);
            moved = self.hosts.refresh(known, &self.topology, self.this);
        }
        let is_ours = |host: &KnownHost| host.at.switch == self.this && host.source != Source::Announced;
        if moved.iter().any(|address| self.known.get(address).is_some_and(is_ours)) {
            self.announcer.hurry_hosts(now);
        }
        if plan || !moved.is_empty() {
            plan |= self.look_at_routes(now);
        }
        if !links
            && !plan
            && let Some(changes) = self.controller.plan_hosts(&inputs!(self), &moved)
        {
            self.stale.view |= !moved.is_empty();
            return self.write(changes);
        }
        if links {
            self.look_at_links();
            self.want_tree(now);
            self.use_links();
            self.find_detours();
            self.stale.ports = true;
        }
        self.carry_broken();
        match self.controller.plan(&inputs!(self), now) {
            Ok(plan) => {
                self.incomplete = plan.incomplete;
                if !std::mem::replace(&mut self.filled, true) {
                    info!(changes = plan.changes.len(), "maps are filled");
                } else if !plan.changes.is_empty() {
                    debug!(changes = plan.changes.len(), "maps are brought up to date");
                }
                self.write(plan.changes);
                self.tell_report(now);
                self.warn_of_plan(plan.left_out, plan.without_index);
            }
            Err(error) => {
                warn!(%error, "paths cannot be chosen: the maps stay as they are");
            }
        }
        if links || self.planned_edges() != self.watched_edges {
            self.targets = None;
            self.watch();
        }
        self.stale.view = true;
    }

    /// Closes ports for the base network, or opens them, in the packet path, which stays so where the kernel's bridge does not:
    /// that opens a port whenever its carrier comes back.
    fn close_ports(&mut self) {
        let closed = self.closed_ports();
        if closed != self.closed {
            self.closed = closed;
            let changes = self.controller.plan_closed(&self.closed);
            self.write(changes);
        }
    }

    /// Writes changes. They count as made until somebody says otherwise.
    fn write(&mut self, changes: Vec<Change>) {
        self.changes += u64::from(!changes.is_empty());
        for change in changes {
            self.controller.applied(&change);
            self.effects.push(Effect::Write(change));
        }
    }

    /// Tells the others and heeds it, if other ports of this switch are down than before. Neighbours that are heard again are
    /// asked what they have heard meanwhile: the network may have been in pieces.
    pub(super) fn own_ports_changed(&mut self, now: Nanos) {
        if self.catching_up.is_some() {
            return;
        }
        let (this, down) = (&self.config.switch, self.own_ports_down());
        let is_up = |port: &DownPort| down.iter().all(|down| down.number != port.number);
        let back: Vec<_> = self.links.down_at(this).filter(|port| !port.unanswered).filter(is_up).collect();
        if self.links.told(this, down) {
            self.announcer.hurry(now);
            self.stale.links = true;
            back.into_iter().for_each(|port| self.ask(port.number));
        }
    }

    /// Ranks that were broken when the topology changed are broken still where their paths are the same.
    fn carry_broken(&mut self) {
        if self.left_broken.is_empty() {
            return;
        }
        if let Err(error) = self.controller.search(&self.topology, &self.known) {
            return warn!(%error, "paths cannot be chosen");
        }
        for (edge, rank, links) in std::mem::take(&mut self.left_broken) {
            let Some(edge) = self.topology.find_switch(&edge) else { continue };
            if link_names(&self.topology, self.controller.book(), edge, rank) == Some(links) {
                self.failures.paths.insert((edge.into(), rank));
            }
        }
    }

    /// The ports to other switches that are down, or that have no interface.
    pub(super) fn own_ports_down(&self) -> BTreeSet<DownPort> {
        let down = |number: PortNumber| {
            let name = self.config.ports.get(&number);
            let interface = name.and_then(|name| self.interfaces.named(name));
            let carrier = interface.is_some_and(|interface| interface.usable);
            let unanswered = carrier && self.failures.unanswered.contains(&number);
            let is_down =
                !carrier || self.failures.ports.contains(&number) || self.roles.of(number) == Role::Host;
            is_down.then_some(DownPort { number, unanswered })
        };
        let arcs = self.topology.arcs(self.this).iter().map(|arc| arc.port);
        // What is reported first, where no file says it, others may put together before this switch does.
        let found = self.own_report().adjacencies.into_iter().map(|found| found.port);
        arcs.chain(found).filter_map(down).collect()
    }

    /// Which links are down, and which of the others are to be left.
    pub(super) fn look_at_links(&mut self) {
        self.down = self.links.down(&self.topology);
        let avoided = avoided(&self.topology, &drained(&self.topology, &self.records), &self.down);
        self.unused = self.down.union(&avoided).copied().collect();
    }

    /// Chooses paths by the links that are up and not drained. What probes said of a rank's path says nothing of another one.
    fn use_links(&mut self) {
        let (unused, before) = (self.unused.clone(), self.controller.book().down().clone());
        if before != unused {
            let names = |links: &BTreeSet<LinkId>, not_in: &BTreeSet<LinkId>| {
                let names = links.difference(not_in).map(|link| self.topology.link_name(*link));
                names.collect::<Vec<_>>().join(", ")
            };
            info!(left = names(&unused, &before), used = names(&before, &unused), "paths use other links");
        }
        match self.controller.set_down(&self.topology, &unused) {
            Ok(changed) if changed.is_empty() => {}
            Ok(changed) => {
                self.failures.paths.retain(|rank| !changed.contains(rank));
                self.generation += 1;
            }
            Err(error) => warn!(%error, "paths are not chosen by the links that are up"),
        }
    }

    fn find_detours(&mut self) {
        match self.detours() {
            Ok((detours, unfit)) => (self.detours, self.unfit_detours) = (detours, unfit),
            Err(error) => warn!(%error, "no detours"),
        }
    }

    /// The detours of this switch over links that are up, as the maps hold them, and how many fit neither into a route nor
    /// into the map.
    fn detours(&self) -> Result<(BTreeMap<DetourKey, Detour>, usize), OptionsError> {
        let down = self.controller.book().down().iter().copied().collect();
        let found = PathFinder::without(&self.topology, &self.config.paths, &down)?.detours(self.this);
        let (ours, room) = (found.routable.len(), DETOUR_ENTRIES as usize);
        let unfit = found.unroutable.len() + ours.saturating_sub(room);
        Ok((found.routable.iter().take(room).map(search::Detour::entry).collect(), unfit))
    }

    /// Works out which links the base network should use, as this switch sees it, and wants them. That may wait: until it has
    /// been done the tree from before is wanted, which agrees with no other.
    pub(super) fn want_tree(&mut self, now: Nanos) {
        self.tree = spanning_tree(&self.topology, &self.down).into();
        let tree = self.with_unlinked(Tree::of(&self.topology, self.this, &self.tree));
        self.agreement.want(tree, now);
    }

    /// Says to the neighbours which tree this switch uses, unless its bridge runs spanning tree by itself. The bridge forgets
    /// addresses when they have come to use the same.
    fn tell_neighbors(&mut self, now: Nanos) {
        let (listening, is_able) = (&self.listening, !self.runs_spanning_tree());
        let can_send = |port| is_able && listening.get(&port).is_some_and(|(_, role)| *role == Role::Fabric);
        for statement in self.agreement.statements(can_send, now) {
            if let Some(mac) = self.socket_mac(statement.port) {
                let frame = announcement::statement(mac, &statement);
                self.send_sealed(statement.port, frame);
            }
        }
        if self.agreement.take_moved() {
            self.effects.extend(self.managed_bridge().cloned().map(Effect::ForgetAddresses));
        }
    }

    /// Ports that stay closed because the neighbour does not agree are worth a warning.
    fn look_for_unagreed(&mut self, now: Nanos) {
        let is_due = self.managed_bridge().is_some() && now.since(self.agreement.since()) > SILENCE;
        let unagreed = if is_due { self.agreement.unagreed(now).collect() } else { Vec::new() };
        if unagreed != self.unagreed {
            self.unagreed = unagreed;
            self.stale.view = true;
        }
    }

    /// How many edges have paths, those by rules of policy too.
    fn planned_edges(&self) -> usize {
        self.controller.all_paths().count()
    }

    /// Tells the prober what to watch, if that is something else.
    pub(super) fn watch(&mut self) {
        self.watched_edges = self.planned_edges();
        let targets = self.targets.take();
        let (paths, unfit) = targets.unwrap_or_else(|| path_targets(&self.topology, &self.controller));
        self.targets = Some((paths.clone(), unfit));
        let targets = Targets {
            generation: self.generation,
            trust: self.trust(),
            hellos: self.config.hellos,
            probes: self.config.probes,
            ports: self.port_targets(),
            host_ports: self.host_ports(),
            paths,
            unfit,
            down: self.failures.clone(),
        };
        if (Targets { down: self.watched.down.clone(), ..targets.clone() }) != self.watched {
            self.watched = targets.clone();
            self.effects.push(Effect::Watch(targets));
        }
    }

    /// Which hellos and answers are believed.
    fn trust(&self) -> Trust {
        let keys = self.config.keys.tag_keys();
        let untagged = self.belief.unsigned.iter().map(|name| switch_id(name)).collect();
        let untagged = if keys[0].is_none() { BTreeSet::new() } else { untagged };
        Trust { keys, introduced: self.config.keys.are_introduced(), untagged: untagged.into() }
    }

    /// The fabric ports. One without interface is watched as one without carrier, so that it keeps its past.
    fn port_targets(&self) -> Vec<PortTarget> {
        let target = |(&number, name): (&PortNumber, &String)| {
            let Peer { switch: there, port } = self.peer_at(number)?;
            let interface = self.interfaces.named(name);
            Some(PortTarget {
                number,
                interface: interface.map_or(IfIndex(0), |interface| interface.index),
                carrier: interface.is_some_and(|interface| interface.usable),
                neighbor: port,
                link: link_id([(&self.config.switch, number.get()), (&there, port.get())]),
                peer: switch_id(&there),
            })
        };
        self.config.ports.iter().filter_map(target).collect()
    }

    fn host_ports(&self) -> Vec<HostPort> {
        let hosts = self.present().filter(|(_, role, _)| *role == Role::Host);
        let target = |(number, _, interface): (PortNumber, _, &crate::interfaces::Interface)| HostPort {
            number,
            interface: interface.index,
            carrier: interface.usable,
        };
        hosts.map(target).collect()
    }
}

/// The paths that can be probed, and how many cannot.
fn path_targets(topology: &Topology, controller: &Controller) -> (Arc<[PathTarget]>, usize) {
    let (mut targets, mut unfit) = (Vec::new(), 0);
    for (to, paths) in controller.all_paths() {
        for (path, rank) in paths.ranked.iter().zip((0..Rank::COUNT as u8).map(Rank::new)) {
            match RoundTripRoute::along(topology, path, path.links.len()) {
                Ok(route) => {
                    let peer = switch_id(&topology.switch(to.edge).name);
                    targets.push(PathTarget { to, rank, peer, route, name: path_name(topology, path) });
                }
                Err(_) => unfit += 1,
            }
        }
    }
    (targets.into(), unfit)
}

/// The links of a rank's path, by name.
pub(super) fn link_names(
    topology: &Topology,
    book: &PathBook,
    edge: SwitchId,
    rank: Rank,
) -> Option<Vec<String>> {
    let path = book.to(edge)?.ranked.get(usize::from(rank.get()))?;
    Some(path.links.iter().map(|link| topology.link_name(*link)).collect())
}

/// `e1 - m1 - e2`.
pub fn path_name(topology: &Topology, path: &Path) -> Arc<str> {
    let names: Vec<_> = path.switches.iter().map(|switch| topology.switch(*switch).name.as_str()).collect();
    names.join(" - ").into()
}
