//! An operator at the store: reads everything once, and writes single records, each only if nobody else has written it since.

use std::collections::BTreeMap;

use etcd_client::{Client, Compare, CompareOp, Txn, TxnOp};
use smoc_control::{
    config::Etcd,
    store::{Bytes, Facts, Key, Prefix, mirror::Record},
};

use super::session::{self, ANSWER, Refusal, seen, within};

/// gRPC's numbers of what is not allowed: `PERMISSION_DENIED`, `UNAUTHENTICATED`, and `INVALID_ARGUMENT`, with which etcd
/// answers who does not say a name.
const DENIED: i32 = 7;
const UNAUTHENTICATED: i32 = 16;
const INVALID: i32 = 3;

/// Why an operator gets nothing done at the store.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// No member answers.
    #[error(
        "no member of etcd answers: name one that runs with --etcd, from a place in the management network:\n{0}"
    )]
    Away(String),
    /// The user of the certificate may not do that.
    #[error(
        "etcd: {why}: the user that the certificate names needs the role {role} (docs/store.md, \"Users and roles\")"
    )]
    Denied {
        /// What etcd says.
        why: String,
        /// The role that allows it.
        role: String,
    },
    /// etcd does not know who asks.
    #[error(
        "etcd: {0}: it wants to know who you are: name your certificate and its key with --cert and --key"
    )]
    Unknown(String),
    /// Somebody else has written the record.
    #[error("another operator has written {0} meanwhile: look at it again, then repeat this")]
    Changed(Key),
    /// Anything else.
    #[error("etcd: {0}")]
    Failed(String),
}

impl OperatorError {
    /// Whether the user's arguments are at fault, whatever the store does.
    pub fn is_bad_input(&self) -> bool {
        false
    }
}

/// The store as an operator found it.
pub struct Operator {
    client: Client,
    fabric: String,
    prefix: Prefix,
    revision: i64,
    /// The revision with which each record was written.
    revisions: BTreeMap<Key, i64>,
    facts: Facts,
}

impl Operator {
    /// Connects to the first member that answers, and reads all records of a fabric.
    ///
    /// # Errors
    /// None answers, or it refuses.
    pub async fn open(etcd: &Etcd, fabric: &str) -> Result<Self, OperatorError> {
        let prefix = Prefix::new(fabric);
        let mut silent = Vec::new();
        for endpoint in &etcd.endpoints {
            let client = match session::connect(etcd, endpoint).await {
                Ok(client) => client,
                // It names the endpoint.
                Err(why) => {
                    silent.push(format!("  {why}"));
                    continue;
                }
            };
            match session::all(client.clone(), &prefix).await {
                Ok((_, revision, records)) => {
                    return Ok(Self::of(client, fabric, prefix, revision, records));
                }
                Err(refusal) => match told(refusal, || format!("smoc-{fabric}")) {
                    OperatorError::Failed(why) => {
                        let hint = session::hint(etcd, endpoint)
                            .replace("set cert and key", "name --cert and --key");
                        silent.push(format!("  {endpoint}: {why}{hint}"));
                    }
                    refused => return Err(refused),
                },
            }
        }
        Err(OperatorError::Away(silent.join("\n")))
    }

    fn of(client: Client, fabric: &str, prefix: Prefix, revision: i64, records: Vec<Record>) -> Self {
        let (mut facts, mut revisions) = (Facts::default(), BTreeMap::new());
        for record in records {
            facts.update(&record.key, Some(&record.bytes));
            revisions.insert(record.key, record.revision);
        }
        Self { client, fabric: fabric.to_owned(), prefix, revision, revisions, facts }
    }

    /// What stands there.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The store's revision when that was so.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The revision with which a record was written; 0 if there is none.
    pub fn revision_of(&self, key: &Key) -> i64 {
        self.revisions.get(key).copied().unwrap_or(0)
    }

    /// Writes a record, unless somebody has written one of these meanwhile or it; the revision with which it stands there.
    ///
    /// # Errors
    /// Somebody has, etcd refuses, or it does not answer: then the record may be written or not.
    pub async fn put(&mut self, key: &Key, bytes: Vec<u8>, read: &[Key]) -> Result<i64, OperatorError> {
        let unchanged =
            |key: &Key| Compare::mod_revision(self.prefix.name(key), CompareOp::Equal, self.revision_of(key));
        let unchanged: Vec<Compare> = read.iter().chain([key]).map(unchanged).collect();
        let transaction =
            Txn::new().when(unchanged).and_then([TxnOp::put(self.prefix.name(key), bytes.clone(), None)]);
        let answer = within(ANSWER, self.client.txn(transaction)).await.map_err(OperatorError::Failed)?;
        let role = || format!("smoc-{}-operator", self.fabric);
        let done = answer.map_err(|error| told(error.into(), role))?;
        if !done.succeeded() {
            return Err(OperatorError::Changed(key.clone()));
        }
        let (_, revision) = seen(done.header()).map_err(OperatorError::Failed)?;
        self.facts.update(key, Some(&Bytes::from(bytes)));
        self.revisions.insert(key.clone(), revision);
        Ok(revision)
    }
}

/// A refusal in words; `role` is the one that is missing if it is about that.
fn told(Refusal { why, code }: Refusal, role: impl FnOnce() -> String) -> OperatorError {
    match code {
        Some(DENIED) => OperatorError::Denied { why, role: role() },
        Some(UNAUTHENTICATED) => OperatorError::Unknown(why),
        Some(INVALID) if why.contains("user name is empty") => OperatorError::Unknown(why),
        _ => OperatorError::Failed(why),
    }
}
