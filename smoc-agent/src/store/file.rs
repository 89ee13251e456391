//! The static store: a topology file, read when the agent starts and when it is told to.

use std::{path::Path, sync::Arc};

use smoc_paths::topology::{Topology, TopologyError};
use tokio::sync::watch;

use super::Store;

/// Publishes what a topology file says.
#[derive(Debug)]
pub struct FileStore(watch::Sender<Arc<Topology>>);

impl FileStore {
    /// Reads the file.
    ///
    /// # Errors
    /// The faults in it; being in pieces is one.
    pub fn open(path: &Path) -> Result<Self, TopologyError> {
        Ok(Self(watch::Sender::new(Arc::new(Topology::load(path)?))))
    }

    /// Publishes this.
    pub fn of(topology: Arc<Topology>) -> Self {
        Self(watch::Sender::new(topology))
    }

    /// Publishes what a file was found to say, if it is something else; whether it is.
    pub fn publish(&self, topology: Topology) -> bool {
        self.0.send_if_modified(|published| {
            let differs = **published != topology;
            if differs {
                *published = Arc::new(topology);
            }
            differs
        })
    }
}

impl Store for FileStore {
    fn watch(&self) -> watch::Receiver<Arc<Topology>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "links: [{a: \"e1:1\", b: \"e2:1\"}]\n";
    const THREE: &str = "links: [{a: \"e1:1\", b: \"e2:1\"}, {a: \"e2:2\", b: \"e3:1\"}]\n";

    #[test]
    fn watchers_see_another_topology_and_nothing_of_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("topology.yaml");
        std::fs::write(&path, TWO).unwrap();
        let store = FileStore::open(&path).unwrap();
        let watch = store.watch();
        assert!(!store.publish(Topology::load(&path).unwrap()) && !watch.has_changed().unwrap());
        std::fs::write(&path, THREE).unwrap();
        assert!(store.publish(Topology::load(&path).unwrap()));
        assert_eq!(watch.borrow().switches().len(), 3);
    }

    #[test]
    fn a_topology_in_pieces_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("topology.yaml");
        std::fs::write(&path, "links: [{a: \"a:1\", b: \"b:1\"}, {a: \"c:1\", b: \"d:1\"}]\n").unwrap();
        assert!(FileStore::open(&path).unwrap_err().to_string().contains("in 2 pieces"));
        assert!(FileStore::open(&directory.path().join("none.yaml")).is_err());
    }
}
