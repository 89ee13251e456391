//! What all records together say.

use std::{collections::BTreeMap, sync::Arc};

use smoc_common::route::PortNumber;

use super::{Bytes, HostRecord, Key, RecordError, SwitchRecord};

/// What others' records say, each as it was last understood. A copy shares the records.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    switches: BTreeMap<String, Arc<SwitchRecord>>,
    hosts: BTreeMap<String, Arc<BTreeMap<PortNumber, HostRecord>>>,
    operators: BTreeMap<Key, Bytes>,
    problems: BTreeMap<Key, RecordError>,
}

impl Facts {
    /// Takes a record over, or takes note that there is none any more. One that cannot be read is a problem, and what it said
    /// before stays.
    pub fn update(&mut self, key: &Key, bytes: Option<&Bytes>) {
        let result = match (key, bytes) {
            (Key::Switch(name), Some(bytes)) => SwitchRecord::parse(bytes)
                .map(|record| drop(self.switches.insert(name.clone(), record.into()))),
            (Key::Hosts(name, port), Some(bytes)) => HostRecord::parse(bytes).map(|record| {
                drop(Arc::make_mut(self.hosts.entry(name.clone()).or_default()).insert(*port, record))
            }),
            (Key::Config | Key::Drain(_) | Key::Policy(_), Some(bytes)) => {
                self.operators.insert(key.clone(), bytes.clone());
                Ok(())
            }
            (_, None) => {
                self.remove(key);
                Ok(())
            }
        };
        match result {
            Ok(()) => drop(self.problems.remove(key)),
            Err(error) => drop(self.problems.insert(key.clone(), error)),
        }
    }

    fn remove(&mut self, key: &Key) {
        match key {
            Key::Switch(name) => drop(self.switches.remove(name)),
            Key::Hosts(name, port) => {
                if let Some(ports) = self.hosts.get_mut(name) {
                    let ports = Arc::make_mut(ports);
                    ports.remove(port);
                    if ports.is_empty() {
                        self.hosts.remove(name);
                    }
                }
            }
            Key::Config | Key::Drain(_) | Key::Policy(_) => drop(self.operators.remove(key)),
        }
    }

    /// The other switches by name.
    pub fn switches(&self) -> &BTreeMap<String, Arc<SwitchRecord>> {
        &self.switches
    }

    /// The hosts of other switches, by switch and port.
    pub fn hosts(&self) -> &BTreeMap<String, Arc<BTreeMap<PortNumber, HostRecord>>> {
        &self.hosts
    }

    /// Policies, what is drained and the configuration of the fabric, as they stand in the store.
    pub fn operators(&self) -> &BTreeMap<Key, Bytes> {
        &self.operators
    }

    /// The records that cannot be read.
    pub fn problems(&self) -> &BTreeMap<Key, RecordError> {
        &self.problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_cannot_be_read_leaves_what_was_known() {
        let mut facts = Facts::default();
        let key = Key::Switch("e2".into());
        let good: Bytes = SwitchRecord { agent: "1".into(), ..SwitchRecord::default() }.to_bytes(1).into();
        let newer: Bytes = br#"{"version":9}"#.to_vec().into();
        facts.update(&key, Some(&good));
        facts.update(&key, Some(&newer));
        assert_eq!(facts.switches()["e2"].agent, "1");
        assert_eq!(facts.problems()[&key], RecordError::Newer { compatible: 9 });
        facts.update(&key, None);
        assert!(facts.switches().is_empty() && facts.problems().is_empty());
    }
}
