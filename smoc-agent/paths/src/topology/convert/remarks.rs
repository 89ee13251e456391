//! What had to be changed or left out when reading: one line for all cases of a kind.

use std::collections::BTreeSet;

use super::attributes;
use super::sheet::Sheet;

/// Cases of one kind: how many, and the first.
#[derive(Debug, Default)]
pub(super) struct Cases {
    count: usize,
    first: String,
}

impl Cases {
    /// One more.
    pub fn add(&mut self, case: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = case();
        }
        self.count += 1;
    }

    /// A sentence about them, if there are any: made of their number with that noun, and the first.
    pub fn tell(&self, notes: &mut Vec<String>, noun: &str, say: impl FnOnce(&str, &str) -> String) {
        if self.count > 0 {
            notes.push(say(&counted(self.count, noun), &self.first));
        }
    }
}

/// `1 link`, `2 links`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match (count, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "switch") => format!("{count} switches"),
        _ => format!("{count} {noun}s"),
    }
}

/// Names in a list, not more than a line holds.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<_> = names.into_iter().collect();
    let mut text =
        names.iter().take(SHOWN).map(|name| crate::input::shown(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

/// What was changed or left out.
#[derive(Default)]
pub(super) struct Remarks {
    pub renamed: Cases,
    pub to_itself: Cases,
    pub unclear_capacity: Cases,
    pub unclear_latency: Cases,
    pub by_distance: Cases,
    pub port_again: Cases,
    pub more_links: Cases,
    pub alone: Cases,
    pub ports: Vec<String>,
    pub scaled: Option<String>,
}

impl Remarks {
    /// One line for each kind.
    pub fn tell(self, notes: &mut Vec<String>) {
        self.renamed.tell(notes, "name", |names, first| {
            format!("{names} changed to what a switch can be called, such as {first}; the file's ids and labels are understood too")
        });
        self.to_itself.tell(notes, "link", |links, first| {
            format!("{links} from a node to itself left out, such as {first}")
        });
        notes.extend(self.ports);
        self.port_again.tell(notes, "port", |ports, first| {
            format!("{ports} with more than one link, such as {first}: each link gets a port of its own")
        });
        self.more_links.tell(notes, "host", |_, first| {
            format!("a host has one link: what has more is several hosts here, such as {first}")
        });
        self.alone
            .tell(notes, "host", |hosts, first| format!("{hosts} without a link left out, such as {first}"));
        self.unclear_capacity.tell(notes, "link", |links, first| {
            format!(
                "capacity of {links} not used, such as {first}: write a number and a unit, such as 10Gbit"
            )
        });
        self.unclear_latency.tell(notes, "link", |links, first| {
            format!("latency of {links} not used, such as {first}: write a number and a unit, such as 5ms")
        });
        self.by_distance.tell(notes, "link", |links, first| {
            format!("latency of {links} worked out from the coordinates of both ends (light in fibre), such as {first}")
        });
        if let Some(first) = self.scaled {
            notes.push(format!(
                "costs are multiplied by 1000, because some are no whole numbers, such as {first}"
            ));
        }
    }
}

/// Says which attributes mean nothing here.
pub(super) fn tell_unused(sheet: &Sheet, notes: &mut Vec<String>) {
    let of_nodes: BTreeSet<_> = (sheet.nodes.iter())
        .flat_map(|node| node.attributes.keys())
        .filter(|name| !attributes::is_of_nodes(name))
        .map(String::as_str)
        .collect();
    let of_edges: BTreeSet<_> = (sheet.edges.iter())
        .flat_map(|edge| edge.attributes.keys())
        .filter(|name| !attributes::is_of_edges(name))
        .map(String::as_str)
        .collect();
    let mut parts = Vec::new();
    for (names, what) in [(of_nodes, "nodes"), (of_edges, "edges")] {
        if !names.is_empty() {
            parts.push(format!("{} of {what}", listed(names)));
        }
    }
    if !parts.is_empty() {
        notes.push(format!("not used: {}; docs/topologies.md lists what is", parts.join("; ")));
    }
}
