//! Decides what the maps of the packet path should say. Pure: no clock, no sockets, no BPF.
//!
//! `Inputs -> desired -> plan (the difference to what is installed) -> changes`

mod book;
mod desired;
mod diff;
mod link_states;
mod names;
mod pieces;
mod routers;
mod slots;
#[cfg(test)]
mod tests;
mod tree;

pub use book::{EdgePaths, PathBook};
pub use desired::{Desired, Failures, Inputs, edges};
pub use diff::Plan;
pub use link_states::{DownPort, LinkStates};
pub use names::EdgeNames;
pub use pieces::Pieces;
pub use slots::GRACE_PERIOD;
pub use tree::spanning_tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use slots::FreeSlots;
use smoc_common::{
    map::PathSet,
    route::{PortNumber, Rank},
};

use crate::{
    clock::Nanos,
    dataplane::{Change, Installed, Slot},
    hosts::{KnownHost, map_address},
};
use smoc_paths::{
    search::{OptionsError, PathOptions},
    topology::{LinkId, SwitchId, Topology},
};

/// Knows what is installed and plans what is to change.
#[derive(Clone, Debug)]
pub struct Controller {
    this: SwitchId,
    options: PathOptions,
    installed: Installed,
    names: EdgeNames,
    slots: FreeSlots,
    book: Arc<PathBook>,
    /// Whether the last plan was for all that is wanted.
    complete: bool,
}

impl Controller {
    /// Takes over maps as they were found.
    pub fn adopt(
        topology: &Topology,
        this: SwitchId,
        options: PathOptions,
        installed: Installed,
        now: Nanos,
    ) -> Self {
        Self {
            this,
            options,
            names: EdgeNames::found(&installed.names, &topology.switch(this).name),
            slots: FreeSlots::found(&installed, now),
            book: PathBook::new(this, options).into(),
            installed,
            complete: false,
        }
    }

    /// The topology is another one: all paths are searched again at the next plan.
    pub fn topology_changed(&mut self, this: SwitchId) {
        self.this = this;
        self.complete = false;
        self.book = PathBook::new(this, self.options).into();
    }

    /// Paths are chosen otherwise from now on: they are searched again at the next plan.
    pub fn set_options(&mut self, options: PathOptions) {
        self.options = options;
        self.complete = false;
        self.book = PathBook::new(self.this, options).into();
    }

    /// Which links of the network are down from now on. Returns the ranks whose paths that changes, at the next plan.
    ///
    /// # Errors
    /// The topology does not say what the path options need.
    pub fn set_down(
        &mut self,
        topology: &Topology,
        down: &BTreeSet<LinkId>,
    ) -> Result<Vec<(SwitchId, Rank)>, OptionsError> {
        let before = self.book.clone();
        Arc::make_mut(&mut self.book).set_down(topology, down)?;
        let mut changed = Vec::new();
        for (edge, paths) in self.book.edges() {
            let old = before.to(edge).map_or(&[][..], |paths| &paths.ranked);
            let pairs = old.iter().zip(&paths.ranked).zip((0..Rank::COUNT as u8).map(Rank::new));
            let differs = pairs.filter(|((old, new), _)| old.links != new.links);
            changed.extend(differs.map(|(_, rank)| (edge, rank)));
        }
        Ok(changed)
    }

    /// Searches the paths to edges that have none yet.
    ///
    /// # Errors
    /// The topology does not say what the path options need.
    pub fn search(
        &mut self,
        topology: &Topology,
        hosts: &BTreeMap<IpAddr, KnownHost>,
    ) -> Result<(), OptionsError> {
        let edges = edges(topology, self.this, hosts);
        if edges.iter().any(|edge| self.book.to(*edge).is_none()) {
            Arc::make_mut(&mut self.book).extend(topology, &edges)?;
        }
        Ok(())
    }

    /// What has to change. The caller makes the changes in order and reports each with [`Controller::applied`];
    /// if one fails, it reads back what is installed and calls [`Controller::resync`].
    ///
    /// # Errors
    /// The topology does not say what the path options need.
    pub fn plan(&mut self, inputs: &Inputs<'_>, now: Nanos) -> Result<Plan, OptionsError> {
        self.search(inputs.topology, inputs.hosts)?;
        let desired = desired::desired(inputs, &self.book, &mut self.names);
        let plan = diff::plan(&desired, &self.installed, &mut self.slots, now);
        self.complete = !plan.incomplete && plan.without_index == 0 && plan.left_out == 0;
        Ok(plan)
    }

    /// The changes of [`Controller::plan`] if these addresses alone may be elsewhere than when it was last asked. `None` if
    /// that may not be all that follows: if an edge comes or goes, or not all hosts fit.
    pub fn plan_hosts(&self, inputs: &Inputs<'_>, moved: &BTreeSet<IpAddr>) -> Option<Vec<Change>> {
        if !self.complete || inputs.hosts.len() > inputs.host_entries {
            return None;
        }
        let (mut updates, mut inserts) = (Vec::new(), Vec::new());
        for address in moved {
            let key = map_address(*address);
            let host = desired::host(inputs.hosts.get(address)?, |edge| {
                let index = self.names.find(&inputs.topology.switch(edge).name)?;
                (edge == self.this || self.installed.edges.contains_key(&index)).then_some(index)
            })?;
            let change = Change::SetHost(key, host);
            match self.installed.hosts.get(&key) {
                Some(before) if *before == host => {}
                Some(before) if before.attachment.edge != host.attachment.edge => return None,
                Some(_) => updates.push(change),
                None => inserts.push(change),
            }
        }
        let mut settings = self.installed.settings;
        settings.epoch = settings.epoch.wrapping_add(u32::from(!updates.is_empty()));
        let epoch = (settings != self.installed.settings).then_some(Change::SetSettings(settings));
        Some(updates.into_iter().chain(inserts).chain(epoch).collect())
    }

    /// The urgent changes of [`Controller::plan`]: which paths are broken. It searches no paths and compares no hosts.
    pub fn plan_urgent(&self, inputs: &Inputs<'_>) -> Vec<Change> {
        diff::urgent(&self.broken(inputs), &self.installed)
    }

    /// The changes that close installed ports for the base network or open them, and no others.
    pub fn plan_closed(&self, closed: &BTreeSet<PortNumber>) -> Vec<Change> {
        diff::closed(closed, &self.installed)
    }

    /// The path sets in use, with the marks that they should have.
    fn broken(&self, inputs: &Inputs<'_>) -> Vec<(Slot, PathSet)> {
        let edges = self.installed.edges.iter().filter_map(|(&index, &slot)| {
            let edge = inputs.topology.find_switch(self.names.name(index)?)?;
            let set = self.installed.path_sets.get(&slot)?;
            Some((slot, PathSet { broken: desired::broken(inputs, &self.book, edge), ..*set }))
        });
        edges.collect()
    }

    /// Takes note that a change was made.
    pub fn applied(&mut self, change: &Change) {
        self.installed.apply(change);
    }

    /// Takes note of what is really installed.
    pub fn resync(&mut self, installed: Installed, now: Nanos) {
        self.slots = FreeSlots::found(&installed, now);
        self.installed = installed;
        self.complete = false;
    }

    /// What is installed.
    pub fn installed(&self) -> &Installed {
        &self.installed
    }

    /// What the edge indexes mean.
    pub fn names(&self) -> &EdgeNames {
        &self.names
    }

    /// The ranked paths.
    pub fn book(&self) -> &Arc<PathBook> {
        &self.book
    }
}
