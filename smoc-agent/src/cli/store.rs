//! The fabric's etcd, for the verbs that write there as an operator rather than ask an agent.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context;
use smoc_control::{
    config::{Etcd, Shared},
    fabric::{Report, assemble},
    store::{Key, RecordError},
};
use smoc_paths::topology::Topology;
use tokio::runtime::Runtime;

use super::Failure;
use crate::{
    clock,
    store::{Operator, OperatorError},
};

/// How an operator reaches the store.
#[derive(clap::Args, Debug)]
pub(super) struct StoreArgs {
    /// Go to the fabric's etcd instead of an agent: its members, as https://10.0.0.1:2379, separated by commas or one by one
    #[arg(long, value_name = "ENDPOINT", value_delimiter = ',')]
    etcd: Vec<String>,
    /// With --etcd: certificates (PEM) of whom to believe, for https://
    #[arg(long, value_name = "FILE", requires = "etcd")]
    ca: Option<PathBuf>,
    /// With --etcd: the operator's certificate (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["etcd", "key"])]
    cert: Option<PathBuf>,
    /// With --etcd: its key (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["etcd", "cert"])]
    key: Option<PathBuf>,
    /// With --etcd: the name of the fabric, as in the agents' configuration
    #[arg(long, value_name = "NAME", default_value = "default")]
    fabric: String,
}

/// The store, read.
pub(super) struct Store {
    runtime: Runtime,
    operator: Operator,
}

fn refused(error: OperatorError) -> Failure {
    if error.is_bad_input() { Failure::bad_input(error) } else { Failure::Failed(error.into()) }
}

impl StoreArgs {
    /// Whether the store is meant, not an agent.
    pub(super) fn is_meant(&self) -> bool {
        !self.etcd.is_empty()
    }

    /// Connects and reads.
    ///
    /// # Errors
    /// The arguments are at fault, or the store does not answer.
    pub(super) fn open(&self) -> Result<Store, Failure> {
        if !self.is_meant() {
            return Err(Failure::bad_input(anyhow::anyhow!(
                "--etcd: missing: name the members of the store"
            )));
        }
        let (ca, cert, key) = (self.ca.clone(), self.cert.clone(), self.key.clone());
        let etcd = Etcd::of_operator(self.etcd.clone(), ca, cert, key)
            .map_err(|why| Failure::bad_input(anyhow::anyhow!(why)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("start the runtime")?;
        let operator = runtime.block_on(Operator::open(&etcd, &self.fabric)).map_err(refused)?;
        Ok(Store { runtime, operator })
    }
}

impl Store {
    /// What stands there.
    pub(super) fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Writes a record, unless another operator has written it, or one of these, since it was read; its revision.
    ///
    /// # Errors
    /// One has, or the store refuses.
    pub(super) fn put(&mut self, key: &Key, bytes: Vec<u8>, read: &[Key]) -> Result<i64, Failure> {
        self.runtime.block_on(self.operator.put(key, bytes, read)).map_err(refused)
    }

    /// The network that the records say.
    pub(super) fn topology(&self) -> Topology {
        let switches = self.operator.facts().switches().iter();
        let reports: BTreeMap<String, Report> =
            switches.map(|(name, record)| (name.clone(), record.report.clone())).collect();
        assemble(&reports).topology
    }

    /// The configuration of the fabric, and when it was written; nothing if there is none.
    ///
    /// # Errors
    /// The record cannot be read.
    pub(super) fn shared(&self) -> Result<(Shared, u64), Failure> {
        self.read_shared().map_err(|why| {
            Failure::Failed(anyhow::anyhow!(
                "the record config {why}; `smoc fabric config apply FILE` writes all of it anew, unless it is of a later version"
            ))
        })
    }

    /// The same; one that nobody can read is as none, for whoever replaces it.
    ///
    /// # Errors
    /// The record is of a later version.
    pub(super) fn replaceable_shared(&self) -> Result<(Shared, u64), Failure> {
        match self.read_shared() {
            Err(RecordError::Malformed(_)) => Ok(Default::default()),
            _ => self.shared(),
        }
    }

    fn read_shared(&self) -> Result<(Shared, u64), RecordError> {
        let record = self.operator.facts().operators().get(&Key::Config);
        Ok(record.map(|record| Shared::parse(record)).transpose()?.unwrap_or_default())
    }

    /// Checks that a record is as of the revision that the operator has seen, if one is said.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn expect(&self, revision: i64, expected: Option<i64>, what: &str) -> Result<(), Failure> {
        match expected.filter(|expected| *expected != revision) {
            None => Ok(()),
            Some(expected) => Err(Failure::Failed(anyhow::anyhow!(
                "{what} is as of revision {revision} now, not {expected}: another operator has written it meanwhile; look at it again"
            ))),
        }
    }
}

/// A time for a record that is to count instead of those of these times, in microseconds since 1970.
pub(super) fn later_than(written: impl Iterator<Item = u64>) -> u64 {
    clock::microseconds_since_1970().max(written.max().map_or(0, |last| last.saturating_add(1)))
}
