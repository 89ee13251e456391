//! What the store says for all switches: the configuration of the fabric, and what operators drain.

use std::sync::Arc;

use tracing::{info, warn};

use super::Switch;
use crate::{
    clock::Nanos,
    config::{Config, Difference, Shared},
    interfaces::Interfaces,
    store::{Bytes, Facts, Key, stored_drains},
};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Sharing {
    /// What this switch's own file says.
    own: Arc<Config>,
    /// The record as it stands in the store.
    record: Option<Bytes>,
    /// The last one that could be used, and when it was written.
    used: (Arc<Shared>, u64),
    /// Why the record is not used, if it is not.
    problem: Option<String>,
    /// What is wrong with other records.
    problems: Vec<String>,
}

/// The configuration of the fabric as a switch heeds it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SharedState {
    /// What counts where the switch's own file says nothing.
    pub values: Arc<Shared>,
    /// When it was written, in microseconds since 1970; 0 if the fabric says nothing.
    pub written: u64,
    /// What the switch's own file has otherwise.
    pub differences: Vec<Difference>,
}

impl Sharing {
    /// Before the fabric says anything: and the configuration that counts with these interfaces.
    pub(super) fn begin(own: Arc<Config>, interfaces: &Interfaces) -> (Self, Arc<Config>) {
        let config = own.with_interfaces(interfaces).map_or_else(|| own.clone(), Arc::new);
        let used = Default::default();
        (Self { own, record: None, used, problem: None, problems: Vec::new() }, config)
    }

    /// What cannot be used, and what to do about it.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let problem = self.problem.iter().map(|why| {
            format!(
                "store: the record config {why}; what it said before counts: `smoc fabric config show` shows it"
            )
        });
        problem.chain(self.problems.iter().cloned())
    }

    pub(super) fn state(&self) -> SharedState {
        let (values, written) = self.used.clone();
        SharedState { differences: self.own.differences(&values), values, written }
    }
}

impl Switch {
    /// Takes note of this switch's own file, and returns what counts with what the fabric says.
    pub(super) fn own_configuration(&mut self, own: Arc<Config>) -> Arc<Config> {
        self.sharing.own = own.clone();
        match self.shared(&self.sharing.used.0) {
            Ok(config) => config,
            Err(why) => {
                self.sharing.problem = Some(why);
                own
            }
        }
    }

    /// The switch's own file with these values where it says nothing.
    fn shared(&self, values: &Shared) -> Result<Arc<Config>, String> {
        let own = &self.sharing.own;
        if values.is_empty() {
            return Ok(own.clone());
        }
        let refused = |why: String| format!("cannot be used with this switch's own file: {why}");
        let config = own.sharing(values).map_err(refused)?;
        if config.paths != own.paths {
            let costs = config.paths.metric.costs(&self.topology);
            costs.map_err(|error| refused(format!("paths.metric: {error}")))?;
        }
        Ok(Arc::new(config))
    }

    /// Takes note of the fabric's configuration in the store, and of what is drained there; whether anything is news.
    pub(super) fn stored_orders(&mut self, facts: &Facts, now: Nanos) -> bool {
        let (records, problems) = stored_drains(facts.operators());
        let is_drain = self.recorded(&records, now);
        let is_problem = self.sharing.problems != problems;
        self.sharing.problems = problems;
        self.stale.view |= is_problem;
        let record = facts.operators().get(&Key::Config);
        if record == self.sharing.record.as_ref() {
            return is_drain || is_problem;
        }
        self.sharing.record = record.cloned();
        self.look_at_shared(now);
        true
    }

    /// Uses the fabric's configuration, if it can be.
    fn look_at_shared(&mut self, now: Nanos) {
        self.stale.view = true;
        let read = match &self.sharing.record {
            Some(record) => Shared::parse(record).map_err(|error| error.to_string()),
            None => Ok(Default::default()),
        };
        let used = read.and_then(|(values, written)| Ok((self.shared(&values)?, values, written)));
        match used {
            Ok((config, values, written)) => {
                self.sharing.problem = None;
                self.sharing.used = (Arc::new(values), written);
                info!(written, values = %self.sharing.used.0.to_json(), "the fabric's configuration");
                if !config.shares_with(&self.config) {
                    self.use_configuration(config, self.topology.clone(), now);
                }
            }
            Err(why) => {
                warn!(why, "the fabric's configuration stays as it was");
                self.sharing.problem = Some(why);
            }
        }
    }
}
