//! Links that are down, here and elsewhere: told to the other agents, heard from them, and heeded.

use std::{collections::BTreeSet, time::Duration};

use smoc_common::route::PortNumber;
use tracing::{info, warn};

use super::{REPEAT, Switch, TICK};
use smoc_control::plan::{DownPort, is_attended, spanning_tree, tree_ports};
use smoc_paths::topology::{LinkId, SwitchId};

use crate::{
    agent::{ports, targets},
    clock,
};

/// An agent of which nothing was heard for so long may be dead.
const SILENT: Duration = TICK.saturating_mul(3 * REPEAT as u32);

impl Switch {
    /// Tells the others and heeds it, if other ports of this switch are down than before.
    pub(super) async fn own_ports_changed(&mut self) {
        let down = self.own_ports_down();
        if self.links.told(&self.config.switch, down) {
            self.links_news = true;
            self.announce();
            self.heed_links().await;
        }
    }

    /// The ports to other switches that are down, or that have no interface.
    pub(super) fn own_ports_down(&self) -> BTreeSet<DownPort> {
        let ports = targets::ports(&self.config, (&self.topology, self.this), &self.roles, &self.interfaces);
        let down = |number| {
            let carrier = ports.iter().any(|port| port.number == number && port.carrier);
            let unanswered = carrier && self.failures.unanswered.contains(&number);
            let is_down = !carrier || self.failures.ports.contains(&number);
            is_down.then_some(DownPort { number, unanswered })
        };
        self.topology.arcs(self.this).iter().filter_map(|arc| down(arc.port)).collect()
    }

    /// Chooses paths, detours and the base network's tree by the links that are up, if there is news of them.
    pub(super) async fn heed_links(&mut self) {
        if !std::mem::take(&mut self.links_news) {
            return;
        }
        self.tree.want(self.wanted_tree_ports(), clock::now());
        let down = self.links.down(&self.topology);
        let before = self.controller.book().down().clone();
        if down != before {
            self.reroute(&before, &down);
        }
        self.settle_bridge().await;
    }

    fn reroute(&mut self, before: &BTreeSet<LinkId>, down: &BTreeSet<LinkId>) {
        let names = |links: &BTreeSet<LinkId>, not_in: &BTreeSet<LinkId>| {
            let names = links.difference(not_in).map(|link| self.topology.link_name(*link));
            names.collect::<Vec<_>>().join(", ")
        };
        info!(down = names(down, before), up = names(before, down), "links changed");
        self.use_links(down);
        self.find_detours();
        self.update();
        self.watch();
        self.publish();
    }

    /// The ports of this switch that the base network should use.
    pub(super) fn wanted_tree_ports(&self) -> BTreeSet<PortNumber> {
        let tree = spanning_tree(&self.topology, &self.links.lost(&self.topology));
        tree_ports(&self.topology, self.this, &tree)
    }

    /// Opens ports for the base network that have waited long enough, unless agents are silent that would have to close
    /// others.
    pub(super) async fn heal_base_network(&mut self) {
        let now = clock::now();
        let is_silent = |switch: SwitchId| {
            let heard = self.flood.last_heard(&self.topology.switch(switch).name);
            switch != self.this && heard.is_none_or(|heard| now.since(heard) > SILENT)
        };
        let down = self.links.down(&self.topology);
        if !is_attended(&self.topology, self.this, &down, is_silent) || !self.tree.settle(now) {
            return;
        }
        self.settle_bridge().await;
        if let Some(bridge) = ports::managed_bridge(&self.config, &self.interfaces)
            && let Err(error) = self.netlink.forget_addresses(bridge).await
        {
            warn!(%error, "the base network may send frames where hosts were before");
        }
    }

    /// Chooses paths by the links that are up. What probes said of a rank's path says nothing of another one.
    pub(super) fn use_links(&mut self, down: &BTreeSet<LinkId>) {
        match self.controller.set_down(&self.topology, down) {
            Ok(changed) if changed.is_empty() => {}
            Ok(changed) => {
                self.failures.paths.retain(|rank| !changed.contains(rank));
                self.watched.generation += 1;
            }
            Err(error) => warn!(%error, "paths are not chosen by the links that are up"),
        }
    }
}
