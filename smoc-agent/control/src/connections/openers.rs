//! How many subflows the connections have that hosts of this switch open: those with one only have nothing that could be spread.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};
use smoc_common::map::ConnectionId;

use crate::{dataplane::KernelTables, hosts::ip_address};

/// Most hosts that are told apart.
pub const OPENERS: usize = 1024;

/// What a host's connections are like that it opened since the agent was started, as looks some seconds apart see them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opener {
    /// Connections.
    pub connections: u64,
    /// Of these, the ones that never had a second subflow.
    pub single: u64,
    /// Most subflows of one of them, those that have ended included.
    pub most: u32,
}

impl Opener {
    fn add(&mut self, subflows: u32) {
        self.connections += 1;
        self.single += u64::from(subflows <= 1);
        self.most = self.most.max(subflows);
    }
}

/// Remembers hosts from one look to the next.
#[derive(Clone, Debug, Default)]
pub struct Openers {
    /// Connections of the last look: who opened them, and their subflows.
    open: HashMap<ConnectionId, (IpAddr, u32)>,
    /// What is over.
    over: BTreeMap<IpAddr, Opener>,
}

impl Openers {
    /// Looks at the tables; all hosts that have opened a connection. Of hosts beyond [`OPENERS`] only open connections count.
    pub fn look(&mut self, tables: &KernelTables) -> BTreeMap<IpAddr, Opener> {
        let opened = tables.connections.iter().filter(|(_, connection)| connection.local_opened == 1);
        let host = |(id, connection): &(ConnectionId, smoc_common::map::Connection)| {
            (*id, (ip_address(connection.initial.local()), connection.subflows))
        };
        let open: HashMap<_, _> = opened.map(host).collect();
        for (id, (address, subflows)) in std::mem::take(&mut self.open) {
            let has_room = self.over.len() < OPENERS || self.over.contains_key(&address);
            if !open.contains_key(&id) && has_room {
                self.over.entry(address).or_default().add(subflows);
            }
        }
        self.open = open;
        let mut all = self.over.clone();
        for (address, subflows) in self.open.values() {
            all.entry(*address).or_default().add(*subflows);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use smoc_common::map::{Connection, FlowKey};

    use super::*;
    use crate::hosts::map_address;

    fn connection(id: ConnectionId, host: &str, subflows: u32) -> (ConnectionId, Connection) {
        let [local, remote] = [host, "10.0.0.99"].map(|text| map_address(text.parse().unwrap()));
        let initial = FlowKey::new(local, 1, remote, 80);
        (id, Connection { initial, local_opened: 1, subflows, ..Connection::default() })
    }

    fn look(openers: &mut Openers, connections: &[(ConnectionId, Connection)]) -> BTreeMap<IpAddr, Opener> {
        openers.look(&KernelTables { connections: connections.to_vec(), ..KernelTables::default() })
    }

    #[test]
    fn connections_count_once_with_the_subflows_that_they_had_last() {
        let host: IpAddr = "10.0.0.1".parse().unwrap();
        let mut openers = Openers::default();
        let first = look(&mut openers, &[connection(1, "10.0.0.1", 1), connection(2, "10.0.0.1", 1)]);
        assert_eq!(first[&host], Opener { connections: 2, single: 2, most: 1 });
        look(&mut openers, &[connection(1, "10.0.0.1", 4)]);
        let last = look(&mut openers, &[]);
        assert_eq!(last[&host], Opener { connections: 2, single: 1, most: 4 });
    }

    #[test]
    fn what_others_open_is_not_theirs_and_hosts_are_limited() {
        let mut openers = Openers::default();
        let (id, theirs) = connection(1, "10.0.0.1", 1);
        assert!(look(&mut openers, &[(id, Connection { local_opened: 0, ..theirs })]).is_empty());
        let many: Vec<_> = (0..OPENERS as u64 + 5)
            .map(|number| connection(number, &format!("10.1.{}.{}", number / 256, number % 256), 1))
            .collect();
        assert_eq!(look(&mut openers, &many).len(), OPENERS + 5);
        assert_eq!(look(&mut openers, &[]).len(), OPENERS);
    }
}
