//! In the place of etcd where this build has none: there is no operator at it.

use smoc_control::{
    config::Etcd,
    store::{Facts, Key},
};

/// Why an operator gets nothing done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The build.
    #[error(
        "--etcd: this smoc is built without etcd: build it with `cargo build --features etcd`, or ask an agent"
    )]
    WithoutEtcd,
}

impl OperatorError {
    /// Whether the user's arguments are at fault.
    pub fn is_bad_input(&self) -> bool {
        true
    }
}

/// There is none.
pub enum Operator {}

impl Operator {
    /// Says that there is no etcd.
    ///
    /// # Errors
    /// Always.
    pub async fn open(_: &Etcd, _: &str) -> Result<Self, OperatorError> {
        Err(OperatorError::WithoutEtcd)
    }

    /// See the one with etcd.
    pub fn facts(&self) -> &Facts {
        match *self {}
    }

    /// See the one with etcd.
    pub fn revision(&self) -> i64 {
        match *self {}
    }

    /// See the one with etcd.
    pub fn revision_of(&self, _: &Key) -> i64 {
        match *self {}
    }

    /// See the one with etcd.
    ///
    /// # Errors
    /// Never: there is none.
    pub async fn put(&mut self, _: &Key, _: Vec<u8>, _: &[Key]) -> Result<i64, OperatorError> {
        match *self {}
    }
}
