//! What names mean: those of switches, hosts, ports and links, and what else a file calls a switch.

use super::PortNumber;
use super::graph::{End, Host, LinkId, SwitchId, Topology};

impl Topology {
    /// The switch of that name; else the one that the description calls so, by its id or label, if it is the only one.
    pub fn find_switch(&self, name: &str) -> Option<SwitchId> {
        match self.named(name) {
            Some(switch) => Some(switch),
            None => match self.aliases.get(name)?[..] {
                [one] => Some(one),
                _ => None,
            },
        }
    }

    fn named(&self, name: &str) -> Option<SwitchId> {
        let found = self.switches.binary_search_by(|switch| switch.name.as_str().cmp(name));
        found.ok().map(|place| SwitchId(place as u32))
    }

    /// The switches that a name can mean: the one of that name, else all whose id or label it is.
    pub fn switches_called(&self, name: &str) -> Vec<SwitchId> {
        match self.named(name) {
            Some(switch) => vec![switch],
            None => self.aliases.get(name).cloned().unwrap_or_default(),
        }
    }

    /// The host of that name.
    pub fn find_host(&self, name: &str) -> Option<&Host> {
        self.hosts.binary_search_by(|h| h.name.as_str().cmp(name)).ok().map(|i| &self.hosts[i])
    }

    /// The end named `switch:port`, if the switch exists.
    pub fn find_end(&self, text: &str) -> Option<End> {
        let (switch, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().and_then(PortNumber::new)?;
        Some(End { switch: self.find_switch(switch)?, port })
    }

    /// The link of that name, `e1:1-m1:1`; either end may come first.
    pub fn find_link(&self, name: &str) -> Option<LinkId> {
        name.match_indices('-').find_map(|(dash, _)| {
            let (a, b) = (self.find_end(&name[..dash])?, self.find_end(&name[dash + 1..])?);
            self.link_at(a).filter(|&link| self.link(link).other(a.switch) == b)
        })
    }

    /// The links between two switches, named `e1-m1`; either may come first.
    pub fn links_between(&self, name: &str) -> Vec<LinkId> {
        let pair =
            |dash: usize| Some((self.find_switch(&name[..dash])?, self.find_switch(&name[dash + 1..])?));
        let pairs = name.match_indices('-').filter_map(|(dash, _)| pair(dash));
        let links = |(a, b): (SwitchId, SwitchId)| {
            self.arcs(a).iter().filter(move |arc| arc.to.switch == b).map(|arc| arc.link)
        };
        pairs.map(|pair| links(pair).collect::<Vec<_>>()).find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// The same with one host at every switch, called as the switch: for questions about traffic where the
    /// description names no host. Unchanged if it names one.
    #[must_use]
    pub fn with_a_host_each(mut self) -> Self {
        if !self.hosts.is_empty() {
            return self;
        }
        self.hosts = (self.switch_ids())
            .filter_map(|switch| {
                let used = |port: &PortNumber| self.arcs(switch).iter().any(|arc| arc.port == *port);
                let free = (1..=PortNumber::MAX).filter_map(PortNumber::new).find(|port| !used(port));
                let port = free.or(PortNumber::new(PortNumber::MAX))?;
                let name = self.switch(switch).name.clone();
                Some(Host {
                    name,
                    at: End { switch, port },
                    mac: None,
                    addresses: Vec::new(),
                    prefixes: Vec::new(),
                })
            })
            .collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::topology::{SwitchId, Topology, TopologyFile, convert};

    const TEXT: &str = r#"{"nodes": [{"id": 0, "label": "New York"}, {"id": 1, "label": "s-2"}, {"id": 2, "label": "s"},
        {"id": 3, "label": "Rome"}, {"id": 4, "label": "Rome"}], "edges": [{"source": 0, "target": 1},
        {"source": 1, "target": 2}, {"source": 2, "target": 1, "key": 1}], "multigraph": true}"#;

    fn read() -> Topology {
        convert::parse(Path::new("t"), TEXT, &mut Vec::new()).unwrap().topology
    }

    #[test]
    fn a_switch_is_found_by_name_id_and_label() {
        let topology = read();
        let new_york = topology.find_switch("New-York");
        assert!(new_york.is_some());
        assert_eq!((topology.find_switch("New York"), topology.find_switch("0")), (new_york, new_york));
        assert_eq!(topology.find_switch("Rome"), topology.find_switch("3"), "the first keeps the name");
        assert_eq!(topology.find_switch("Paris"), None);
    }

    #[test]
    fn a_link_is_found_by_its_two_switches() {
        let topology = read();
        let names = |name: &str| -> Vec<String> {
            topology.links_between(name).into_iter().map(|link| topology.link_name(link)).collect()
        };
        for name in ["New York-s-2", "s-2-New York", "0-1", "New-York-s-2"] {
            assert_eq!(names(name), ["New-York:1-s-2:1"], "{name}");
        }
        assert_eq!(names("s-s-2").len(), 2);
        assert!(names("New York-s").is_empty() && names("").is_empty() && names("-").is_empty());
    }

    #[test]
    fn without_hosts_every_switch_gets_one_at_a_free_port() {
        let text = "links: [{a: 'a:1', b: 'b:2'}]";
        let topology = TopologyFile::parse(Path::new("t"), text).unwrap().topology.with_a_host_each();
        let hosts: Vec<_> =
            topology.hosts().iter().map(|host| (host.name.as_str(), topology.end_name(host.at))).collect();
        assert_eq!(hosts, [("a", "a:2".to_owned()), ("b", "b:1".to_owned())]);
        assert_eq!(topology.edges(), [SwitchId(0), SwitchId(1)]);
        assert_eq!(topology.clone().with_a_host_each(), topology);
    }
}
