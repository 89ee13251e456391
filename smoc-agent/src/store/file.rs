//! The static store: a topology file, read when the agent starts and when it is told to.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;

use super::{Facts, Store};
use smoc_paths::topology::{Topology, TopologyError};

/// Publishes what a topology file says.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    facts: watch::Sender<Facts>,
}

impl FileStore {
    /// Reads the file.
    ///
    /// # Errors
    /// The faults in it; being in pieces is one.
    pub fn open(path: &Path) -> Result<Self, TopologyError> {
        let topology = Arc::new(Topology::load(path)?);
        Ok(Self { path: path.into(), facts: watch::Sender::new(Facts { revision: 1, topology }) })
    }

    /// Reads the file again and publishes it if it says something else; whether it does.
    ///
    /// # Errors
    /// The faults in it; the facts stay as they were.
    pub fn reload(&self) -> Result<bool, TopologyError> {
        Ok(self.publish(Topology::load(&self.path)?))
    }

    /// Publishes what another file was found to say, if it is something else, and reads that file from now on.
    pub fn follow(&mut self, path: &Path, topology: Topology) -> bool {
        path.clone_into(&mut self.path);
        self.publish(topology)
    }

    fn publish(&self, topology: Topology) -> bool {
        self.facts.send_if_modified(|facts| {
            if *facts.topology == topology {
                return false;
            }
            *facts = Facts { revision: facts.revision + 1, topology: Arc::new(topology) };
            true
        })
    }
}

impl Store for FileStore {
    fn watch(&self) -> watch::Receiver<Facts> {
        self.facts.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "links: [{a: \"e1:1\", b: \"e2:1\"}]\n";
    const THREE: &str = "links: [{a: \"e1:1\", b: \"e2:1\"}, {a: \"e2:2\", b: \"e3:1\"}]\n";

    #[test]
    fn watchers_see_a_changed_file_and_nothing_of_a_faulty_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("topology.yaml");
        std::fs::write(&path, TWO).unwrap();
        let store = FileStore::open(&path).unwrap();
        let mut watch = store.watch();
        assert!(!store.reload().unwrap() && !watch.has_changed().unwrap(), "it is the same");

        std::fs::write(&path, THREE).unwrap();
        assert!(store.reload().unwrap());
        let facts = watch.borrow_and_update().clone();
        assert_eq!((facts.revision, facts.topology.switches().len()), (2, 3));

        std::fs::write(&path, "links: [{a: \"e1:1\", b: \"e1:2\"}]\n").unwrap();
        assert!(store.reload().unwrap_err().to_string().contains("topology.yaml:1: links[0].b"));
        assert_eq!(watch.borrow_and_update().revision, 2);
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
