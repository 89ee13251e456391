//! Whether the maps still say what an agent wrote.

use std::path::Path;

use smoc_common::map::{EdgeIndex, PathSet};

use super::maps::{ConfigMaps, Entry, entries, read_error};
use smoc_control::dataplane::{Installed, PortEntry, Slot};

use crate::dataplane::DataplaneError;

/// Reads back what an agent wrote, on a pool thread.
pub struct Inspector(ConfigMaps);

impl Inspector {
    /// Opens the maps in a pin directory.
    ///
    /// # Errors
    /// They are not there.
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        ConfigMaps::open(pin).map(Self)
    }

    /// What is there: of arrays, the entries that are `expected` to be in use; of hash tables, all. Names are taken
    /// as expected.
    ///
    /// # Errors
    /// A map that cannot be read.
    pub fn inspect(&self, expected: &Installed) -> Result<Installed, DataplaneError> {
        let maps = &self.0;
        let Entry(settings) = maps.settings.get(&0, 0).map_err(|error| read_error("SETTINGS", error))?;
        let mut found = Installed { settings, ..expected.clone() };
        for (number, entry) in &mut found.ports {
            *entry = maps.port(*number)?;
        }
        found.ports.retain(|_, entry| *entry != PortEntry::default());
        for (edge, slot) in &mut found.edges {
            let there = maps.edges.get(&u32::from(*edge), 0).map_err(|error| read_error("EDGES", error))?;
            *slot = Slot(there);
        }
        for slot in expected.edges.values() {
            let Entry::<PathSet>(set) =
                maps.path_sets.get(&slot.0, 0).map_err(|error| read_error("PATH_SETS", error))?;
            found.path_sets.insert(*slot, set);
        }
        found.edges.retain(|_, slot| *slot != Slot(0));
        let hosts = entries(&maps.hosts, usize::MAX / 2).map_err(|error| read_error("HOSTS", error))?;
        let detours = entries(&maps.detours, usize::MAX / 2).map_err(|error| read_error("DETOURS", error))?;
        found.hosts = hosts.into_iter().map(|(Entry(address), Entry(host))| (address, host)).collect();
        let pairs = entries(&maps.pairs, usize::MAX / 2).map_err(|error| read_error("PAIRS", error))?;
        found.pairs = pairs.into_iter().map(|(Entry(key), index)| (key, index as EdgeIndex)).collect();
        found.detours = detours.into_iter().map(|(Entry(key), Entry(detour))| (key, detour)).collect();
        Ok(found)
    }
}
