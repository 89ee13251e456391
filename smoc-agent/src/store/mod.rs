//! Where the slow facts come from: switches, links and declared hosts.
//!
//! A store publishes complete snapshots; who watches it always sees the latest. The static store is the
//! topology file. etcd holds what each switch says of itself, from which control puts the network together.

#[cfg(feature = "etcd")]
mod etcd;
mod file;
mod state;
#[cfg(not(feature = "etcd"))]
mod without_etcd;

#[cfg(feature = "etcd")]
pub use etcd::{EtcdStore, Operator, OperatorError, View};
pub use file::FileStore;
pub use state::{State, StoreView};
#[cfg(not(feature = "etcd"))]
pub use without_etcd::{Operator, OperatorError};

use std::sync::Arc;

use smoc_paths::topology::Topology;
use tokio::sync::watch;

/// Publishes facts.
pub trait Store {
    /// The latest topology, and every change from now on.
    fn watch(&self) -> watch::Receiver<Arc<Topology>>;
}
