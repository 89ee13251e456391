//! Which slots of `PATH_SETS` may be written: a frame may still be on its way through one that was just freed.

use std::{collections::BTreeMap, time::Duration};

use smoc_common::map;

use crate::{
    clock::Nanos,
    dataplane::{Installed, Slot},
};

/// How long a freed slot is not written: a grace period. A frame is in the programs for microseconds only.
pub const GRACE_PERIOD: Duration = Duration::from_secs(1);

/// The slots that no edge points to. Slot 0 means none and is never among them.
#[derive(Clone, Debug)]
pub struct FreeSlots {
    /// Slots that were in use, and since when they are not.
    freed: BTreeMap<Slot, Nanos>,
    /// The lowest slot that was never written; all above were not either.
    untouched: u32,
}

impl FreeSlots {
    /// The free slots of maps as they were found; what was written there and is not in use may have been in use
    /// a moment ago.
    pub fn found(installed: &Installed, now: Nanos) -> Self {
        let used: Vec<Slot> = installed.edges.values().copied().collect();
        let freed = installed.path_sets.keys().filter(|slot| !used.contains(slot)).map(|slot| (*slot, now));
        let highest = installed.path_sets.keys().next_back().map_or(0, |slot| slot.0);
        let highest = used.iter().map(|slot| slot.0).max().unwrap_or(0).max(highest);
        Self { freed: freed.collect(), untouched: highest + 1 }
    }

    /// A slot that may be written now; `None` if the caller has to wait.
    pub fn take(&mut self, now: Nanos) -> Option<Slot> {
        let rested = |(_, since): &(&Slot, &Nanos)| now.since(**since) >= GRACE_PERIOD;
        if let Some((&slot, _)) = self.freed.iter().find(rested) {
            self.freed.remove(&slot);
            return Some(slot);
        }
        let slot = self.untouched;
        (slot < map::PATH_SET_ENTRIES).then(|| {
            self.untouched += 1;
            Slot(slot)
        })
    }

    /// Gives back a slot to which no edge points from now on.
    pub fn free(&mut self, slot: Slot, now: Nanos) {
        if slot != Slot(0) {
            self.freed.insert(slot, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_rests_before_it_is_written_again() {
        let (start, mut slots) = (Nanos(0), FreeSlots::found(&Installed::default(), Nanos(0)));
        assert_eq!(slots.take(start), Some(Slot(1)), "slot 0 means none");
        slots.free(Slot(1), start);
        assert_eq!(slots.take(start), Some(Slot(2)));
        assert_eq!(slots.take(start + GRACE_PERIOD), Some(Slot(1)));
    }

    #[test]
    fn slots_run_out_and_come_back() {
        let mut slots = FreeSlots::found(&Installed::default(), Nanos(0));
        while let Some(slot) = slots.take(Nanos(0)) {
            assert!(slot.0 < map::PATH_SET_ENTRIES);
        }
        slots.free(Slot(7), Nanos(0));
        assert_eq!(slots.take(Nanos(0)), None);
        assert_eq!(slots.take(Nanos(0) + GRACE_PERIOD), Some(Slot(7)));
    }

    #[test]
    fn found_slots_are_free_unless_an_edge_points_there() {
        let mut installed = Installed::default();
        for slot in [3, 5] {
            installed.path_sets.insert(Slot(slot), Default::default());
        }
        installed.edges.insert(1, Slot(5));
        let mut slots = FreeSlots::found(&installed, Nanos(0));
        assert_eq!(slots.take(Nanos(0)), Some(Slot(6)), "3 may just have been in use");
        assert_eq!(slots.take(Nanos(0) + GRACE_PERIOD), Some(Slot(3)));
    }
}
