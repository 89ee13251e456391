//! What a document means in a network.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use smoc_common::wire::ip::Address;
use smoc_paths::{
    search::{PathFinder, PathOptions},
    topology::{LinkId, Topology},
};

use super::{
    document::{ANY, Document, Rule, prefix_of},
    sets::Sets,
};
use crate::{fabric::drain::Target, hosts::map_address};

/// The rules of a document in a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// How each chooses, in the document's order; rule number n is the one at place n - 1.
    pub choices: Vec<Choice>,
    /// The two sets of each, by their numbers.
    between: Vec<[u16; 2]>,
    /// The sets.
    pub sets: Sets,
}

/// How a rule chooses paths.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The rule.
    pub rule: Rule,
    /// What is asked of the search.
    pub options: PathOptions,
    /// The links that paths keep off.
    pub avoid: BTreeSet<LinkId>,
    /// What it names that the network does not have, or why it cannot be followed at all.
    pub problems: Vec<String>,
    /// Whether the topology says what the search needs.
    pub is_possible: bool,
}

impl Rules {
    /// The rules of a document where paths are chosen by `base` otherwise. What the network does not have is passed over, and
    /// said: it may come back.
    pub fn resolve(document: &Document, topology: &Topology, base: &PathOptions) -> Self {
        let mut rules = Self::default();
        for (number, rule) in document.rules.iter().enumerate() {
            let mut problems = Vec::new();
            let mut side = |at: usize| {
                let set = (2 * number + at) as u16;
                rules.fill(set, &rule.between[at], document, topology).into_iter().for_each(|why| {
                    problems.push(format!("between[{at}]: {why}"));
                });
                set
            };
            let between = [side(0), side(1)];
            let mut avoid = BTreeSet::new();
            for (at, name) in rule.avoid.iter().enumerate() {
                match links(topology, name) {
                    Ok(links) => avoid.extend(links),
                    Err(why) => problems.push(format!("avoid[{at}]: {why}")),
                }
            }
            let options = rule.options(base);
            let possible = PathFinder::new(topology, &options).map(drop);
            if let Err(why) = &possible {
                problems.push(why.to_string());
            }
            let is_possible = possible.is_ok();
            rules.between.push(between);
            rules.choices.push(Choice { rule: rule.clone(), options, avoid, problems, is_possible });
        }
        rules
    }

    /// Puts what a side of a rule names in a set; what the network does not have of it.
    fn fill(&mut self, set: u16, name: &str, document: &Document, topology: &Topology) -> Vec<String> {
        if name == ANY {
            self.sets.add_everything(set);
            return Vec::new();
        }
        let one = [name.to_owned()];
        let members = document.tenants.get(name).map_or(&one[..], Vec::as_slice);
        let mut problems = Vec::new();
        for member in members {
            match addresses(topology, member) {
                Ok(prefixes) => prefixes.iter().for_each(|prefix| self.sets.add(set, prefix)),
                Err(why) => problems.push(why),
            }
        }
        problems
    }

    /// The number of the first rule that is about hosts of these sets, from 1; 0 if none is.
    pub fn between(&self, one: &BTreeSet<u16>, other: &BTreeSet<u16>) -> u8 {
        let is_about =
            |[a, b]: &[u16; 2]| one.contains(a) && other.contains(b) || one.contains(b) && other.contains(a);
        self.between.iter().position(is_about).map_or(0, |at| at as u8 + 1)
    }

    /// The rule for two addresses.
    pub fn between_addresses(&self, one: &Address, other: &Address) -> u8 {
        self.between(&self.sets.of(one), &self.sets.of(other))
    }

    /// The rule of this number.
    pub fn choice(&self, number: u8) -> Option<&Choice> {
        self.choices.get(usize::from(number).checked_sub(1)?)
    }

    /// All that a document names and the network does not have, each with its rule.
    pub fn problems(&self) -> impl Iterator<Item = (usize, &String)> {
        self.choices
            .iter()
            .enumerate()
            .flat_map(|(at, choice)| choice.problems.iter().map(move |why| (at, why)))
    }
}

/// The addresses that a name means: a host's own and those behind it.
fn addresses(topology: &Topology, name: &str) -> Result<Vec<IpNet>, String> {
    if let Some(prefix) = prefix_of(name) {
        return Ok(vec![prefix]);
    }
    let host = topology.find_host(name).ok_or_else(|| {
        format!(
            "\"{name}\" is no tenant of the file and no host of the topology: write one of these, an address, a prefix or {ANY}"
        )
    })?;
    let own = host.addresses.iter().map(|address: &IpAddr| IpNet::from(*address));
    let all: Vec<IpNet> = own.chain(host.prefixes.iter().copied()).collect();
    if all.is_empty() {
        return Err(format!("host {name} has no address in the topology: write its address instead"));
    }
    Ok(all)
}

/// The links that a name means: of a switch all, of a shared-risk group its own.
fn links(topology: &Topology, name: &str) -> Result<BTreeSet<LinkId>, String> {
    if let Ok(target) = Target::parse(topology, name) {
        return Ok(target.links(topology).into_iter().collect());
    }
    let between = topology.links_between(name);
    if !between.is_empty() {
        return Ok(between.into_iter().collect());
    }
    let group = topology.srlgs().iter().position(|group| group == name);
    let Some(group) = group else {
        return Err(format!(
            "\"{name}\" is no switch, port, link or shared-risk group of this fabric: write m1, e1:2, e1:2-m1:1, e1-m1 or the \
             name of a group (`smoc topology` names all)"
        ));
    };
    let is_in = |link: &LinkId| topology.link(*link).srlg.iter().any(|srlg| srlg.0 as usize == group);
    Ok(topology.link_ids().filter(is_in).collect())
}

impl Rules {
    /// [`Rules::between_addresses`] of addresses as people write them.
    pub fn between_ips(&self, one: IpAddr, other: IpAddr) -> u8 {
        self.between_addresses(&map_address(one), &map_address(other))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use smoc_paths::topology::TopologyFile;

    use super::*;

    fn diamond() -> Topology {
        let text = r#"
links:
  - {a: "e1:1", b: "m1:1", srlg: [duct]}
  - {a: "e1:2", b: "m2:1"}
  - {a: "m1:2", b: "e2:1"}
  - {a: "m2:2", b: "e2:2", srlg: [duct]}
hosts:
  - {name: h1, port: "e1:9", mac: "02:00:00:00:00:01", addresses: [10.0.0.1, "fd00::1"]}
  - {name: r2, port: "e2:9", mac: "02:00:00:00:00:02", addresses: [10.0.0.2], prefixes: [10.2.0.0/16]}
"#;
        TopologyFile::parse(Path::new("t.yaml"), text).unwrap().topology
    }

    fn rules(text: &str) -> Rules {
        Rules::resolve(&Document::parse(text).unwrap(), &diamond(), &PathOptions::default())
    }

    #[test]
    fn the_first_rule_about_both_hosts_counts_in_either_order() {
        let rules = rules(
            "
tenants: {gold: [10.2.1.0/24, h1]}
rules:
  - {between: [h1, 10.2.1.7], count: 1}
  - {between: [gold, gold], count: 2}
  - {between: [any, h1], count: 3}
",
        );
        let of = |a: &str, b: &str| rules.between_ips(a.parse().unwrap(), b.parse().unwrap());
        assert_eq!([of("10.0.0.1", "10.2.1.7"), of("10.2.1.7", "fd00::1")], [1, 1]);
        assert_eq!([of("10.2.1.8", "10.0.0.1"), of("10.2.1.7", "10.2.1.8")], [2, 2]);
        assert_eq!([of("10.9.9.9", "fd00::1"), of("10.2.2.8", "10.2.1.8")], [3, 0]);
    }

    #[test]
    fn what_is_to_be_avoided_may_be_named_in_all_these_ways() {
        let avoided = |name: &str| {
            let rules = rules(&format!("rules: [{{between: [any, any], avoid: [\"{name}\"]}}]"));
            assert!(rules.choices[0].problems.is_empty(), "{:?}", rules.choices[0].problems);
            rules.choices[0].avoid.iter().map(|link| link.0).collect::<Vec<_>>()
        };
        let topology = diamond();
        let id = |name: &str| topology.find_link(name).unwrap().0;
        assert_eq!(avoided("m1").len(), 2);
        for name in ["e1:1", "e1:1-m1:1", "m1-e1"] {
            assert_eq!(avoided(name), [id("e1:1-m1:1")], "{name}");
        }
        assert_eq!(avoided("duct").len(), 2);
    }

    #[test]
    fn what_the_network_does_not_have_is_said_and_passed_over() {
        let rules =
            rules("rules: [{between: [h9, h1], avoid: [m9, m1]}, {between: [h1, r2], metric: latency}]");
        assert_eq!(rules.choices[0].problems.len(), 2, "{:?}", rules.choices[0].problems);
        assert_eq!(rules.choices[0].avoid.len(), 2);
        assert!(!rules.choices[1].is_possible, "the topology knows no latencies");
        assert_eq!(rules.problems().count(), 3);
    }
}
