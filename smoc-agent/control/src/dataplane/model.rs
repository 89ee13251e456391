//! The maps in memory, as the agent wrote them and the kernel filled them: what the pipeline runs over outside of the
//! kernel.

use std::collections::BTreeMap;

use smoc_common::{
    map::LAYOUT_MAGIC,
    memory::{Entries, Switch},
    route::PortNumber,
};

use super::{Installed, KernelTables};
use crate::{clock::Nanos, interfaces::IfIndex};

impl Installed {
    /// A model of the switch at time `now`, with what the kernel filled and the ports through which frames leave
    /// (`TX_PORTS`).
    pub fn model(
        &self,
        tables: &KernelTables,
        transmits: &BTreeMap<PortNumber, IfIndex>,
        now: Nanos,
    ) -> Switch {
        let down = self.ports.keys().filter(|number| !transmits.contains_key(number));
        let path_sets = self.edges.iter().map(|(edge, slot)| (*edge, self.path_sets.get(slot).copied()));
        Switch {
            settings: (self.settings.magic == LAYOUT_MAGIC).then_some(self.settings),
            ports: self.ports.iter().map(|(number, entry)| (number.get(), entry.port)).collect(),
            down: down.map(|number| number.get()).collect(),
            detours: self.detours.clone(),
            hosts: self.hosts.clone(),
            path_sets: path_sets.map(|(edge, set)| (edge, set.unwrap_or_default())).collect(),
            flows: table(&tables.flows),
            half_open: table(&tables.half_open),
            connections: table(&tables.connections),
            tokens: table(&tables.tokens),
            clock: now.0,
            ..Switch::default()
        }
    }
}

fn table<K: Ord + Copy, V: Copy>(entries: &[(K, V)]) -> Entries<K, V> {
    Entries { entries: entries.iter().copied().collect(), ..Entries::default() }
}

#[cfg(test)]
mod tests {
    use smoc_common::{
        map::{Flow, FlowKey, Host, PathSet, Settings},
        pipeline::Tables as _,
        wire::ip::Address,
    };

    use super::*;
    use crate::dataplane::{PortEntry, Slot};

    #[test]
    fn a_model_has_what_the_maps_have() {
        let mut installed = Installed::default();
        let entry = PortEntry { interface: IfIndex(3), ..PortEntry::default() };
        let [up, down] = [1, 2].map(|number| PortNumber::new(number).unwrap());
        installed.ports = [(up, entry), (down, entry)].into();
        let transmits = [(up, IfIndex(3))].into();
        let address = Address::from_v4([10, 0, 0, 1]);
        installed.hosts.insert(address, Host::default());
        installed.edges.insert(7, Slot(3));
        installed.path_sets.insert(Slot(3), PathSet { count: 1, ..PathSet::default() });
        let tables = KernelTables {
            flows: vec![(FlowKey::default(), Flow { rank: 5, ..Flow::default() })],
            ..KernelTables::default()
        };
        let mut model = installed.model(&tables, &transmits, Nanos(9));
        assert!(model.settings().is_none(), "all zero: not configured");
        assert!(model.leave_through(1) && !model.leave_through(2) && model.leave_through_any(2));
        assert_eq!(model.path_set(7).map(|set| set.count), Some(1));
        assert!(model.path_set(3).is_none() && model.host(&address).is_some());
        assert_eq!((model.flows.entries[&FlowKey::default()].rank, model.clock), (5, 9));
        installed.settings = Settings { magic: LAYOUT_MAGIC, ..Settings::default() };
        assert!(installed.model(&tables, &transmits, Nanos(9)).settings().is_some());
    }
}
