//! The maps in memory, as the agent wrote them and the kernel filled them: what the pipeline runs over outside of the
//! kernel.

use smoc_common::{
    map::LAYOUT_MAGIC,
    memory::{Entries, Switch},
};

use super::{Exits, Installed, KernelTables, PortEntry};
use crate::{clock::Nanos, ports::Role};

impl Installed {
    /// A model of the switch at time `now`, with what the kernel filled and the ports through which frames leave.
    pub fn model(&self, tables: &KernelTables, exits: &Exits, now: Nanos) -> Switch {
        let is_down = |number, entry: &PortEntry| !exits.contains_key(&(number, Role::in_map(&entry.port)));
        let down = self.ports.iter().filter(|(number, entry)| is_down(**number, entry));
        let path_sets = self.edges.iter().map(|(edge, slot)| (*edge, self.path_sets.get(slot).copied()));
        Switch {
            settings: (self.settings.magic == LAYOUT_MAGIC).then_some(self.settings),
            hello_keys: self.hello_keys,
            ports: self.ports.iter().map(|(number, entry)| (number.get(), entry.port)).collect(),
            down: down.map(|(number, _)| number.get()).collect(),
            detours: self.detours.clone(),
            hosts: self.hosts.clone(),
            prefixes: self.prefixes.clone(),
            pairs: self.pairs.clone(),
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
        map::{Flow, FlowKey, Host, PathSet, Port, Settings},
        pipeline::Tables as _,
        route::PortNumber,
        wire::ip::Address,
    };

    use super::*;
    use crate::{dataplane::Slot, interfaces::IfIndex};

    #[test]
    fn a_model_has_what_the_maps_have() {
        let mut installed = Installed::default();
        let entry = PortEntry { interface: IfIndex(3), ..PortEntry::default() };
        let to_host = PortEntry { port: Port { role: Port::HOST, ..Port::NONE }, ..entry };
        let [up, down, host, wrong] = [1, 2, 3, 4].map(|number| PortNumber::new(number).unwrap());
        installed.ports = [(up, entry), (down, entry), (host, to_host), (wrong, to_host)].into();
        let exits = [(up, Role::Fabric), (host, Role::Host), (wrong, Role::Fabric)];
        let exits = exits.map(|exit| (exit, IfIndex(3))).into();
        let address = Address::from_v4([10, 0, 0, 1]);
        installed.hosts.insert(address, Host::default());
        installed.edges.insert(7, Slot(3));
        installed.path_sets.insert(Slot(3), PathSet { count: 1, ..PathSet::default() });
        let tables = KernelTables {
            flows: vec![(FlowKey::default(), Flow { rank: 5, ..Flow::default() })],
            ..KernelTables::default()
        };
        let mut model = installed.model(&tables, &exits, Nanos(9));
        assert!(model.settings().is_none(), "all zero: not configured");
        assert!(model.leave_through(1) && !model.leave_through(2) && model.leave_through_any(2));
        assert!(model.deliver_through(3) && !model.deliver_through(4) && !model.deliver_through(1));
        assert!(!model.leave_through(3) && !model.leave_through(4));
        assert_eq!(model.path_set(7).map(|set| set.count), Some(1));
        assert!(model.path_set(3).is_none() && model.host(&address).is_some());
        assert_eq!((model.flows.entries[&FlowKey::default()].rank, model.clock), (5, 9));
        installed.settings = Settings { magic: LAYOUT_MAGIC, ..Settings::default() };
        assert!(installed.model(&tables, &exits, Nanos(9)).settings().is_some());
    }
}
