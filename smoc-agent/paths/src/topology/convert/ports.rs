//! Port numbers, from what others call ports.
//!
//! A port's name ends in its number, as `eth1` and `Ethernet1/7` do, if that gives every port of its switch another
//! number from 1 to 1023. Otherwise the names of the switch are numbered in their order from the lowest free number
//! on. An edge without a port gets the lowest free number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use smoc_common::route::PortNumber;

use super::remarks::Cases;
use crate::input::shown;

/// What is known of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PortName {
    /// This is its number.
    Number(PortNumber),
    /// Its name.
    Name(String),
    /// Nothing.
    Unsaid,
}

/// The ports of all switches.
#[derive(Default)]
pub(super) struct Ports {
    used: HashMap<usize, BTreeSet<PortNumber>>,
    named: HashMap<usize, BTreeMap<String, (PortNumber, bool)>>,
}

impl Ports {
    /// Of what all edges say of the ports of nodes; names become numbers.
    pub fn new<'a>(
        uses: impl IntoIterator<Item = (usize, &'a PortName)>,
        name: impl Fn(usize) -> String,
        notes: &mut Vec<String>,
    ) -> Self {
        let mut ports = Self::default();
        let mut names: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for (node, port) in uses {
            match port {
                PortName::Number(number) => {
                    ports.used.entry(node).or_default().insert(*number);
                }
                PortName::Name(text) => {
                    names.entry(node).or_default().insert(text);
                }
                PortName::Unsaid => {}
            }
        }
        let mut renumbered = Cases::default();
        for (node, names) in names {
            let used = ports.used.entry(node).or_default();
            let (numbers, as_named) = number_names(&names, used);
            if let (false, Some((first, number))) = (as_named, numbers.first()) {
                renumbered.add(|| format!("{} of {} is port {number}", shown(first), name(node)));
            }
            used.extend(numbers.iter().map(|(_, number)| *number));
            ports.named.insert(
                node,
                numbers.into_iter().map(|(name, number)| (name.to_owned(), (number, false))).collect(),
            );
        }
        renumbered.tell(notes, "switch", |switches, first| {
            format!("the ports of {switches} are numbered in the order of their names, such as {first}")
        });
        ports
    }

    /// The number of a port; `None` if all are taken. `again` is told of a name that is used a second time: it then
    /// is another port.
    pub fn take(&mut self, node: usize, port: &PortName, again: impl FnOnce()) -> Option<PortNumber> {
        match port {
            PortName::Number(number) => return Some(*number),
            PortName::Name(name) => {
                if let Some((number, taken)) = self.named.get_mut(&node).and_then(|all| all.get_mut(name)) {
                    if !std::mem::replace(taken, true) {
                        return Some(*number);
                    }
                    again();
                }
            }
            PortName::Unsaid => {}
        }
        let used = self.used.entry(node).or_default();
        let free = lowest_free(used)?;
        used.insert(free);
        Some(free)
    }
}

fn lowest_free(used: &BTreeSet<PortNumber>) -> Option<PortNumber> {
    // The lowest number that differs from its rank among the used ones.
    let low = used.iter().zip(1..).take_while(|(port, number)| port.get() == *number).count();
    PortNumber::new(u16::try_from(low).ok()? + 1)
}

/// The number of each name, and whether they are those in which the names end.
fn number_names<'a>(
    names: &BTreeSet<&'a str>,
    used: &BTreeSet<PortNumber>,
) -> (Vec<(&'a str, PortNumber)>, bool) {
    let mut seen = used.clone();
    let as_named: Option<Vec<_>> = names
        .iter()
        .map(|name| trailing(name).filter(|&number| seen.insert(number)).map(|n| (*name, n)))
        .collect();
    if let Some(numbers) = as_named {
        return (numbers, true);
    }
    let mut sorted: Vec<_> = names.iter().copied().collect();
    sorted.sort_by_key(|name| natural(name));
    let mut used = used.clone();
    let numbers = sorted.into_iter().filter_map(|name| {
        let free = lowest_free(&used)?;
        used.insert(free);
        Some((name, free))
    });
    (numbers.collect(), false)
}

/// The number in which a name ends.
fn trailing(name: &str) -> Option<PortNumber> {
    let digits = name.len() - name.bytes().rev().take_while(u8::is_ascii_digit).count();
    name[digits..].parse().ok().and_then(PortNumber::new)
}

/// Sorts `eth2` before `eth10`.
fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let end = digits + rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
        parts.push((rest[..digits].parse().unwrap_or(u64::MAX), rest[digits..end].to_owned()));
        rest = &rest[end..];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(names: &[&str]) -> (Vec<u16>, Vec<String>) {
        let names: Vec<_> = names.iter().map(|name| PortName::Name((*name).into())).collect();
        let mut notes = Vec::new();
        let mut ports = Ports::new(names.iter().map(|name| (0, name)), |_| "s".into(), &mut notes);
        (names.iter().map(|name| ports.take(0, name, || ()).unwrap().get()).collect(), notes)
    }

    #[test]
    fn names_end_in_their_number_where_that_is_unique() {
        assert_eq!(numbers(&["eth2", "eth1", "Ethernet1/7"]), (vec![2, 1, 7], vec![]));
        assert_eq!(numbers(&["3"]), (vec![3], vec![]));
    }

    #[test]
    fn otherwise_names_are_numbered_in_their_order_and_that_is_said() {
        let said = |first: &str| {
            vec![format!("the ports of 1 switch are numbered in the order of their names, such as {first}")]
        };
        assert_eq!(numbers(&["e2/1", "e10/1", "e1/1"]), (vec![2, 3, 1], said("e1/1 of s is port 1")));
        assert_eq!(numbers(&["eth0", "eth1"]), (vec![1, 2], said("eth0 of s is port 1")));
        assert_eq!(numbers(&["eth9999"]).0, [1]);
        assert_eq!(numbers(&["up", "down"]).0, [2, 1]);
    }

    #[test]
    fn a_name_that_two_links_use_is_two_ports() {
        assert_eq!(numbers(&["eth1", "eth1"]).0, [1, 2]);
    }

    #[test]
    fn ports_without_a_name_get_the_lowest_free_number() {
        let uses =
            [PortName::Number(PortNumber::new(2).unwrap()), PortName::Name("eth1".into()), PortName::Unsaid];
        let mut ports = Ports::new(uses.iter().map(|port| (0, port)), |_| String::new(), &mut Vec::new());
        let taken: Vec<_> = uses.iter().map(|port| ports.take(0, port, || ()).unwrap().get()).collect();
        assert_eq!(taken, [2, 1, 3]);
        for _ in 3..PortNumber::MAX {
            assert!(ports.take(0, &PortName::Unsaid, || ()).is_some());
        }
        assert_eq!(ports.take(0, &PortName::Unsaid, || ()), None);
    }
}
