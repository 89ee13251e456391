//! Links that traffic is to leave although they work: before work on a switch, a cable or a port.

use std::collections::BTreeSet;

use smoc_paths::topology::{End, LinkId, SwitchId, Topology};

use super::Records;

/// What the name of a record begins with that drains something; the rest is the [`Target`], the text says why.
pub const DRAIN: &str = "drain/";

/// What is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A switch: all its links.
    Switch(SwitchId),
    /// A link.
    Link(LinkId),
}

impl Target {
    /// Reads `e1`, `e1:2` (the link at that port) or `e1:2-m1:1`.
    ///
    /// # Errors
    /// The network has none of that name.
    pub fn parse(topology: &Topology, text: &str) -> Result<Self, String> {
        let at_port = || {
            let (switch, port) = text.rsplit_once(':')?;
            let end = End {
                switch: topology.find_switch(switch)?,
                port: port.parse().ok().and_then(smoc_common::route::PortNumber::new)?,
            };
            topology.link_at(end)
        };
        let switch = topology.find_switch(text).map(Self::Switch);
        let link = || topology.find_link(text).or_else(at_port).map(Self::Link);
        switch.or_else(link).ok_or_else(|| {
            format!("\"{text}\" is no switch, port or link of this fabric: write e1, e1:2 or e1:2-m1:1 (`smoc topology` names all)")
        })
    }

    /// The name of the record that drains it: one for a link, whichever way it was named.
    pub fn record(self, topology: &Topology) -> String {
        match self {
            Self::Switch(switch) => format!("{DRAIN}{}", topology.switch(switch).name),
            Self::Link(link) => format!("{DRAIN}{}", topology.link_name(link)),
        }
    }

    /// The links that it means.
    pub fn links(self, topology: &Topology) -> Vec<LinkId> {
        match self {
            Self::Switch(switch) => topology.arcs(switch).iter().map(|arc| arc.link).collect(),
            Self::Link(link) => vec![link],
        }
    }
}

/// The links that records drain. What the network does not have (any more) is passed over: it may come back.
pub fn drained(topology: &Topology, records: &Records) -> BTreeSet<LinkId> {
    let targets = records.under(DRAIN).filter_map(|(name, _)| Target::parse(topology, name).ok());
    targets.flat_map(|target| target.links(topology)).collect()
}

/// The drained links that paths can do without while some are down: all but the first ones, in their order, that join what would be in
/// pieces otherwise.
pub fn avoided(topology: &Topology, drained: &BTreeSet<LinkId>, down: &BTreeSet<LinkId>) -> BTreeSet<LinkId> {
    let mut pieces = crate::plan::Pieces::new(topology);
    let up = topology.link_ids().filter(|link| !down.contains(link));
    let (drained, others): (Vec<_>, Vec<_>) = up.partition(|link| drained.contains(link));
    for link in others {
        pieces.join(topology, link);
    }
    drained.into_iter().filter(|&link| !pieces.join(topology, link)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use smoc_paths::topology::TopologyFile;

    use super::*;

    /// A diamond with a tail: e1 - m1, m2 - e2 - e3.
    fn diamond() -> Topology {
        let links = ["e1:1 m1:1", "e1:2 m2:1", "m1:2 e2:1", "m2:2 e2:2", "e2:3 e3:1"];
        let links: String = links
            .iter()
            .map(|link| link.split_once(' ').unwrap())
            .map(|(a, b)| format!("  - {{a: \"{a}\", b: \"{b}\"}}\n"))
            .collect();
        TopologyFile::parse(Path::new("t.yaml"), &format!("links:\n{links}")).unwrap().topology
    }

    fn avoids(topology: &Topology, targets: &[&str], down: &[&str]) -> Vec<String> {
        let mut records = Records::default();
        for target in targets {
            let name = Target::parse(topology, target).unwrap().record(topology);
            records.write(&name, Some(String::new()), 1).unwrap();
        }
        let down = down.iter().map(|name| topology.find_link(name).unwrap()).collect();
        let avoided = avoided(topology, &drained(topology, &records), &down);
        avoided.into_iter().map(|link| topology.link_name(link)).collect()
    }

    #[test]
    fn a_switch_a_port_or_a_link_is_drained() {
        let topology = diamond();
        assert_eq!(avoids(&topology, &["e1:1"], &[]), ["e1:1-m1:1"]);
        for name in ["e1:1-m1:1", "m1:1-e1:1", "m1:1"] {
            assert_eq!(Target::parse(&topology, name).unwrap().record(&topology), "drain/e1:1-m1:1");
        }
        for bad in ["e9", "e1:9", "e1:1-m2:1", "", "e1:", "e1:x"] {
            assert!(Target::parse(&topology, bad).unwrap_err().contains("no switch, port or link"), "{bad}");
        }
    }

    #[test]
    fn nobody_is_cut_off_by_it() {
        let topology = diamond();
        assert_eq!(
            avoids(&topology, &["m1"], &[]),
            ["m1:2-e2:1"],
            "m1 keeps one link, and nothing goes through it"
        );
        assert_eq!(avoids(&topology, &["e2:3"], &[]), Vec::<String>::new(), "the only one");
        assert_eq!(avoids(&topology, &["m1", "m2"], &[]), ["m2:2-e2:2"], "what remains is in one piece");
        assert_eq!(avoids(&topology, &["m1"], &["e1:2-m2:1"]), Vec::<String>::new());
        assert_eq!(avoids(&topology, &["e1"], &[]), ["e1:2-m2:1"], "its hosts keep one path");
    }

    #[test]
    fn what_the_network_does_not_have_is_passed_over() {
        let topology = diamond();
        let mut records = Records::default();
        for name in ["drain/e9", "drain/e1:1-m9:1", "policy/e1", "drain/e1:1-m1:1"] {
            records.write(name, Some(String::new()), 1).unwrap();
        }
        assert_eq!(drained(&topology, &records), [topology.find_link("e1:1-m1:1").unwrap()].into());
        records.write("drain/e1:1-m1:1", None, 2).unwrap();
        assert!(drained(&topology, &records).is_empty());
    }
}
