//! What a switch writes into the store.

use std::{collections::BTreeMap, net::IpAddr};

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};

use super::{Attachment, HostRecord, Key, SwitchRecord};

/// An address at a port of this switch.
type Place = (PortNumber, IpAddr, MacAddress);

/// Remembers when what it says became so, so that it says the same as long as nothing changes.
#[derive(Clone, Debug, Default)]
pub struct Speaker {
    /// Since when hosts are where they are, in seconds since 1970.
    since: BTreeMap<Place, u64>,
    /// Each record as it would be if it had been written at 0, and when it was.
    said: BTreeMap<Key, (Vec<u8>, u64)>,
}

impl Speaker {
    /// The records of a switch: what it says of its ports, and the hosts that it knows there. `now` is in microseconds since
    /// 1970; a clock that was set back does not make a record older than the one before.
    pub fn say(
        &mut self,
        switch: &str,
        said: SwitchRecord,
        hosts: impl Iterator<Item = Place>,
        now: u64,
    ) -> BTreeMap<Key, Vec<u8>> {
        let before = std::mem::take(&mut self.since);
        let since = |place: Place| (place, before.get(&place).copied().unwrap_or(now / 1_000_000));
        self.since = hosts.map(since).collect();
        let mut behind: BTreeMap<PortNumber, HostRecord> = BTreeMap::new();
        // Ports that had hosts keep their record.
        for key in self.said.keys() {
            if let Key::Hosts(_, port) = key {
                behind.entry(*port).or_default();
            }
        }
        for ((port, address, mac), since) in &self.since {
            let host = Attachment { address: *address, mac: mac.to_string(), since: *since };
            behind.entry(*port).or_default().hosts.push(host);
        }
        let mut records = vec![(Key::Switch(switch.to_owned()), said.to_bytes(0), said.to_bytes(now))];
        for (port, record) in behind {
            records.push((Key::Hosts(switch.to_owned(), port), record.to_bytes(0), record.to_bytes(now)));
        }
        records
            .into_iter()
            .map(|(key, content, bytes)| (key.clone(), self.keep(key, content, bytes, now)))
            .collect()
    }

    /// The record as it was written first with this content.
    fn keep(&mut self, key: Key, content: Vec<u8>, bytes: Vec<u8>, now: u64) -> Vec<u8> {
        if let Some((said, first)) = self.said.get(&key)
            && *said == content
        {
            return rewritten(&content, *first);
        }
        let later = self.said.get(&key).map_or(0, |(_, first)| first + 1);
        self.said.insert(key, (content.clone(), now.max(later)));
        if later > now { rewritten(&content, later) } else { bytes }
    }
}

/// A record that was written at 0, written at another time.
fn rewritten(content: &[u8], written: u64) -> Vec<u8> {
    let text = String::from_utf8_lossy(content);
    text.replacen("\"written\":0", &format!("\"written\":{written}"), 1).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::written;

    const SECOND: u64 = 1_000_000;

    fn place(port: u16, address: &str) -> Place {
        (PortNumber::new(port).unwrap(), address.parse().unwrap(), MacAddress::new([2, 0, 0, 0, 0, 1]))
    }

    #[test]
    fn the_same_is_said_in_the_same_words_until_something_changes() {
        let mut speaker = Speaker::default();
        let mut say =
            |hosts: &[Place], now| speaker.say("e1", SwitchRecord::default(), hosts.iter().copied(), now);
        let one = [place(9, "10.0.0.1")];
        let first = say(&one, 5 * SECOND);
        assert_eq!(say(&one, 9 * SECOND), first);
        let key = Key::Hosts("e1".into(), PortNumber::new(9).unwrap());
        let hosts = HostRecord::parse(&first[&key]).unwrap().hosts;
        assert_eq!((hosts.len(), hosts[0].since, hosts[0].mac.as_str()), (1, 5, "02:00:00:00:00:01"));
        let two = say(&[one[0], place(9, "10.0.0.2")], 7 * SECOND);
        assert_eq!(two[&Key::Switch("e1".into())], first[&Key::Switch("e1".into())]);
        let since: Vec<u64> =
            HostRecord::parse(&two[&key]).unwrap().hosts.iter().map(|host| host.since).collect();
        assert_eq!(since, [5, 7]);
        let none = say(&[], 3 * SECOND);
        assert!(HostRecord::parse(&none[&key]).unwrap().hosts.is_empty(), "the record stays");
        assert_eq!(written(&none[&key]), 7 * SECOND + 1, "the clock was set back");
        assert_eq!(say(&[], 20 * SECOND), none);
    }
}
