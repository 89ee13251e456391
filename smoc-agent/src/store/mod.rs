//! Where the slow facts come from: switches, links and the hosts that somebody wrote down.
//!
//! A store publishes complete snapshots; who watches it always sees the latest. The static store is the
//! topology file; another one (etcd) needs only this trait.

mod file;

pub use file::FileStore;

use std::sync::Arc;

use tokio::sync::watch;

use smoc_paths::topology::Topology;

/// The network as the store knows it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Raised with every change.
    pub revision: u64,
    /// Switches, links and hosts.
    pub topology: Arc<Topology>,
}

/// Publishes facts.
pub trait Store {
    /// The latest facts, and every change from now on.
    fn watch(&self) -> watch::Receiver<Facts>;
}
