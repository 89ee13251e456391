//! Decides what the maps of the packet path should say. Pure: no clock, no sockets, no BPF.
//!
//! `Inputs -> desired -> plan (the difference to what is installed) -> changes`

mod book;
mod desired;
mod diff;
mod link_states;
mod names;
mod pieces;
mod policies;
mod routers;
mod slots;
#[cfg(test)]
mod tests;
mod tree;

pub use book::{EdgePaths, PathBook, Unmet, Wish};
pub use desired::{Desired, Failures, Inputs, edges};
pub use diff::Plan;
pub use link_states::{DownPort, LinkStates};
pub use names::EdgeNames;
pub use pieces::Pieces;
pub use policies::{PathsTo, Policies};
pub use slots::GRACE_PERIOD;
pub use tree::spanning_tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use slots::FreeSlots;
use smoc_common::{
    map::{EdgeIndex, PathSet},
    route::{PortNumber, Rank},
};

use crate::{
    clock::Nanos,
    dataplane::{Change, Installed, Slot},
    hosts::{KnownHost, map_address},
    policy::Rules,
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
    policies: Arc<Policies>,
    /// Indexes by a rule that are not wanted any more, and since when.
    retired: BTreeMap<EdgeIndex, Nanos>,
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
            policies: Arc::default(),
            retired: BTreeMap::new(),
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

    /// These rules are in force, resolved in the topology of the next plan: what they choose is searched again then.
    pub fn set_rules(&mut self, rules: Arc<Rules>) {
        self.complete = false;
        Arc::make_mut(&mut self.policies).set_rules(rules);
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
    ) -> Result<Vec<(PathsTo, Rank)>, OptionsError> {
        let before = self.book.clone();
        Arc::make_mut(&mut self.book).set_down(topology, down)?;
        let mut all: Vec<(PathsTo, Arc<PathBook>)> =
            before.edges().map(|(edge, _)| (edge.into(), before.clone())).collect();
        all.extend(Arc::make_mut(&mut self.policies).set_down(topology, down));
        let mut changed = Vec::new();
        for (to, before) in all {
            let (Some(old), Some(new)) = (before.to(to.edge), self.paths(to)) else { continue };
            let pairs = old.ranked.iter().zip(&new.ranked).zip((0..Rank::COUNT as u8).map(Rank::new));
            let differs = pairs.filter(|((old, new), _)| old.links != new.links);
            changed.extend(differs.map(|(_, rank)| (to, rank)));
        }
        Ok(changed)
    }

    /// The paths to an edge, by a rule or by none.
    pub fn paths(&self, to: PathsTo) -> Option<&EdgePaths> {
        self.book_of(to.rule)?.to(to.edge)
    }

    /// The paths that a rule chooses, or those that none does.
    pub fn book_of(&self, rule: u8) -> Option<&PathBook> {
        if rule == 0 { Some(&self.book) } else { self.policies.book(rule) }
    }

    /// All paths to all edges.
    pub fn all_paths(&self) -> impl Iterator<Item = (PathsTo, &EdgePaths)> {
        let books = std::iter::once((0, &*self.book)).chain(self.policies.books());
        books.flat_map(|(rule, book)| book.edges().map(move |(edge, paths)| (PathsTo { edge, rule }, paths)))
    }

    /// How many pairs of edges have been searched so far.
    pub fn searches(&self) -> u64 {
        self.book.searches() + self.policies.searches()
    }

    /// The rules of policy, and what follows from them.
    pub fn policies(&self) -> &Arc<Policies> {
        &self.policies
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
        let down = self.book.down().clone();
        Arc::make_mut(&mut self.policies).extend(
            inputs.topology,
            (inputs.hosts, inputs.routed),
            self.this,
            &down,
        );
        let desired = desired::desired(inputs, &self.book, &self.policies, &mut self.names);
        let plan = diff::plan(&desired, &self.installed, &mut self.slots, &mut self.retired, now);
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
            let known = inputs.hosts.get(address)?;
            if !self.policies.covers(&key, known.at.switch, self.this) {
                return None;
            }
            let host = desired::host(known, self.policies.class_of(&key), |edge| {
                let index = self.names.find(&inputs.topology.switch(edge).name, 0)?;
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
            let to = self.toward(inputs.topology, index)?;
            let set = self.installed.path_sets.get(&slot)?;
            let broken = desired::broken(inputs, self.book_of(to.rule)?, to);
            Some((slot, PathSet { broken, ..*set }))
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

    /// The paths that an edge's index means.
    pub fn toward(&self, topology: &Topology, index: EdgeIndex) -> Option<PathsTo> {
        let edge = topology.find_switch(self.names.name(index)?)?;
        Some(PathsTo { edge, rule: self.names.rule(index) })
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
