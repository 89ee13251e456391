//! A packet path in memory, which keeps the rules that the real one cannot enforce.

use smoc_common::map::PathSet;

use super::{Change, Installed, Slot};

/// Holds what was written to it.
#[derive(Clone, Debug, Default)]
pub struct FakeDataplane {
    /// As it would stand in the maps.
    pub state: Installed,
    /// Every change so far.
    pub log: Vec<Change>,
}

impl FakeDataplane {
    /// Makes a change.
    ///
    /// # Panics
    /// When a path set is overwritten that an edge points to, an edge is pointed to a slot that holds none, or
    /// an edge index changes its meaning.
    pub fn apply(&mut self, change: &Change) {
        let state = &self.state;
        match change {
            Change::NameEdge(index, name) => {
                assert!(
                    state.names.get(index).is_none_or(|before| before == name),
                    "edge {index} changed its meaning"
                );
            }
            Change::WritePathSet(slot, _) => {
                assert!(
                    *slot != Slot(0) && !state.edges.values().any(|used| used == slot),
                    "{slot:?} is in use"
                );
            }
            Change::MarkBroken(slot, set) => {
                let before =
                    state.path_sets.get(slot).map(|before| PathSet { broken: set.broken, ..*before });
                assert_eq!(before.as_ref(), Some(set), "{slot:?} is in use");
            }
            Change::PointEdge(_, slot) => {
                assert!(*slot == Slot(0) || state.path_sets.contains_key(slot), "{slot:?} holds no path set");
            }
            _ => {}
        }
        self.state.apply(change);
        self.log.push(change.clone());
    }
}
