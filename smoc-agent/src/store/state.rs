//! How the store is, as operators see it.

use serde::{Deserialize, Serialize};
use smoc_control::{
    clock::Nanos,
    config::{Config, Store},
};

/// The store, as `smoc status` shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreView {
    /// `static`, `flood` or `etcd`.
    pub kind: String,
    /// Whether changes in it are heard of; null where there is no server.
    pub connected: Option<bool>,
    /// The member that is connected, or was tried last.
    pub endpoint: Option<String>,
    /// Its revision when it was heard last.
    pub revision: Option<i64>,
    /// Time since it was heard last; null if it never was.
    pub age_seconds: Option<f64>,
    /// Records of other switches that count.
    pub records: usize,
    /// Those of them that the store does not have, or has otherwise.
    pub doubted: Vec<String>,
    /// Why the last attempt failed, unless one has worked since.
    pub error: Option<String>,
}

/// How the store is.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What is shown, without the age.
    pub view: StoreView,
    /// When it was heard last.
    pub heard: Option<Nanos>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

impl State {
    /// Of a store without a server, or one that has not been asked yet.
    pub fn of(config: &Config) -> Self {
        let (kind, connected) = match config.store {
            Store::Static => ("static", None),
            Store::Flood => ("flood", None),
            Store::Etcd(_) => ("etcd", Some(false)),
        };
        Self { view: StoreView { kind: kind.into(), connected, ..StoreView::default() }, ..Self::default() }
    }

    /// What is shown now.
    pub fn view(&self, now: Nanos) -> StoreView {
        let age = self.heard.map(|heard| now.since(heard).as_secs_f64());
        StoreView { age_seconds: age, ..self.view.clone() }
    }
}
