//! Links that are down, here and elsewhere: told to the other agents, heard from them, and heeded.

use std::collections::BTreeSet;

use smoc_common::route::PortNumber;
use tracing::{info, warn};

use super::Switch;
use crate::{agent::targets, topology::LinkId};

impl Switch {
    /// Tells the others and heeds it, if other ports of this switch are down than before.
    pub(super) fn own_ports_changed(&mut self) {
        let down = self.own_ports_down();
        if self.links.told(&self.config.switch, down) {
            self.announce();
            self.heed_links();
        }
    }

    /// The ports to other switches that are down, or that have no interface.
    pub(super) fn own_ports_down(&self) -> BTreeSet<PortNumber> {
        let ports = targets::ports(&self.config, (&self.topology, self.this), &self.roles, &self.interfaces);
        let down = &self.failures.ports;
        let is_up = |port| ports.iter().any(|it| it.number == port && it.carrier && !down.contains(&port));
        self.topology.arcs(self.this).iter().map(|arc| arc.port).filter(|port| !is_up(*port)).collect()
    }

    /// Chooses paths and detours by the links that are up, if these are others than before.
    pub(super) fn heed_links(&mut self) {
        let down = self.links.down(&self.topology);
        let before = self.controller.book().down().clone();
        if down == before {
            return;
        }
        let names = |links: &BTreeSet<LinkId>, not_in: &BTreeSet<LinkId>| {
            let names = links.difference(not_in).map(|link| self.topology.link_name(*link));
            names.collect::<Vec<_>>().join(", ")
        };
        info!(down = names(&down, &before), up = names(&before, &down), "links changed");
        self.use_links(&down);
        self.find_detours();
        self.update();
        self.watch();
        self.publish();
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
