//! What should be in the maps, and what is done where they say something else.

use smoc_common::route::Route;
use tracing::{debug, warn};

use super::Switch;
use smoc_control::{
    config::Config,
    dataplane::Change,
    plan::{EdgePaths, Inputs},
};
use smoc_paths::analysis::buffer::shortage;

use crate::{
    agent::{
        AgentError,
        inspection::{Deviation, Expected},
    },
    clock,
    dataplane::{Dataplane, DataplaneError},
};

/// So many of the entries that somebody changed are named in the log.
const TOLD_DIFFERENCES: usize = 8;

/// What is decided from; a macro because a function would borrow the controller too.
macro_rules! inputs {
    ($switch:ident) => {
        Inputs {
            topology: &$switch.topology,
            this: $switch.this,
            ports: &$switch.config.ports,
            bridge: $switch.config.bridge.as_deref(),
            interfaces: &$switch.interfaces,
            failures: &$switch.failures,
            detours: &$switch.detours,
            hosts: &$switch.known,
            spread: $switch.config.spread,
            border: &$switch.config.border,
            host_entries: $switch.config.tables.hosts as usize,
        }
    };
}

impl Switch {
    /// Somebody else has written to the maps.
    pub(in crate::agent) fn deviation_found(&mut self, deviation: Deviation) {
        if deviation.changes != self.changes {
            return;
        }
        let wanted = self.controller.installed();
        let differences = wanted.differences(&deviation.found);
        let some = differences.iter().take(TOLD_DIFFERENCES).cloned().collect::<Vec<_>>().join(", ");
        warn!(count = differences.len(), some, "somebody changed what this agent wrote: it is written again");
        self.controller.resync(deviation.found, clock::now());
        self.update();
    }

    /// What should be in the maps now, for who looks whether it is.
    pub(in crate::agent) fn expected(&self) -> Expected {
        Expected { changes: self.changes, installed: self.controller.installed().clone() }
    }

    /// Plans and makes all changes; how many there were.
    pub(super) fn fill(&mut self) -> Result<usize, AgentError> {
        let inputs = inputs!(self);
        let plan = self.controller.plan(&inputs, clock::now());
        let plan = plan.map_err(|source| AgentError::Paths { path: self.config.path.clone(), source })?;
        self.incomplete = plan.incomplete;
        self.make(&plan.changes)?;
        self.warn_of(plan.left_out);
        Ok(plan.changes.len())
    }

    /// Makes changes in order; if one fails, what is installed is read back.
    pub(super) fn make(&mut self, changes: &[Change]) -> Result<(), DataplaneError> {
        self.changes += u64::from(!changes.is_empty());
        for change in changes {
            if let Err(error) = self.dataplane.apply(change) {
                let installed = self.dataplane.installed()?;
                self.controller.resync(installed, clock::now());
                return Err(error);
            }
            self.controller.applied(change);
        }
        Ok(())
    }

    /// Writes what is up and down, and nothing that takes long.
    pub(super) fn update_urgently(&mut self) {
        let changes = self.controller.plan_urgent(&inputs!(self));
        if let Err(error) = self.make(&changes) {
            warn!(%error, "what is down is not written");
            self.incomplete = true;
        }
    }

    /// Like [`Switch::fill`] while running: a failure is tried again with the next tick.
    pub(super) fn update(&mut self) {
        match self.fill() {
            Ok(0) => {}
            Ok(changes) => debug!(changes, "maps are up to date"),
            Err(error) => {
                warn!(%error, "maps are not up to date");
                self.incomplete = true;
            }
        }
    }

    /// Collects what the operator should know, and says what is new.
    pub(super) fn warn_of(&mut self, left_out: usize) {
        let mut warnings = Vec::new();
        if left_out > 0 {
            warnings
                .push(format!("{left_out} addresses do not fit: raise tables.hosts in the configuration"));
        }
        let book = self.controller.book();
        for (edge, paths) in book.edges().filter(|(_, paths)| !paths.unroutable.is_empty()) {
            warnings.push(unroutable(&self.config, &self.topology.switch(edge).name, paths));
        }
        warnings.extend(self.too_small_buffers());
        for warning in warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            warn!("{warning}");
        }
        self.warnings = warnings;
    }

    /// Edges whose paths ask for more than the receive buffer that the configuration names.
    fn too_small_buffers(&self) -> Vec<String> {
        let Some(buffer) = self.config.receive_buffer else { return Vec::new() };
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
        config.topology.display(),
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
