//! From nodes and edges to a draft of ours.

use std::collections::{BTreeSet, HashMap};

use smoc_common::route::PortNumber;

use super::attributes::{self, Attributes, EdgeMeaning, NodeMeaning, Reading};
use super::directions;
use super::places::{Place, distance_latency};
use super::ports::{PortName, Ports};
use super::remarks::{Remarks, tell_unused};
use super::sheet::{Edge, Sheet, Stop};
use crate::input::{Fault, shown};
use crate::topology::draft::{Draft, DraftHost, DraftLink, DraftSwitch, Section, check_name};
use crate::topology::file::Mentions;
use crate::topology::values::{address, cost_message, mac_address};
use crate::topology::{Bandwidth, Latency};

/// A draft, and where its entries stand in the file.
#[derive(Default)]
pub(super) struct Import {
    /// Switches, links and hosts.
    pub draft: Draft,
    lines: HashMap<(Section, usize), u64>,
}

impl Import {
    /// Of a graph; `notes` are told what was changed, left out or not understood, each kind once.
    ///
    /// # Errors
    /// All faults, each with its line and its node or edge.
    pub fn of(mut sheet: Sheet, notes: &mut Vec<String>) -> Result<Self, Vec<Fault>> {
        let mut importer = Importer::default();
        importer.nodes(&sheet);
        importer.check_ends(&sheet);
        if !importer.faults.is_empty() {
            return Err(importer.faults);
        }
        directions::join(&mut sheet);
        importer.edges(&sheet);
        if importer.import.draft.switches.is_empty() && importer.faults.is_empty() {
            importer.faults.push((0, "no node is a switch: a topology needs at least one".into()));
        }
        if !importer.faults.is_empty() {
            importer.faults.sort();
            return Err(importer.faults);
        }
        notes.append(&mut sheet.notes);
        importer.remarks.tell(notes);
        tell_unused(&sheet, notes);
        Ok(importer.import)
    }

    /// The line of an entry, 0 if it has none.
    pub fn line(&self, section: Section, entry: usize) -> u64 {
        self.lines.get(&(section, entry)).copied().unwrap_or(0)
    }

    /// Line and node of each switch.
    pub fn mentions(&self) -> Mentions {
        let mention = |switch: &DraftSwitch| {
            let line = self.line(Section::Switches, switch.entry);
            (switch.name.clone(), (line, format!("node {}", switch.name)))
        };
        self.draft.switches.iter().map(mention).collect()
    }
}

/// A node under the name it has here.
struct Named {
    name: String,
    host: bool,
    place: Option<Place>,
    /// So many edges have been attached to it, if it is a host.
    links: usize,
}

#[derive(Default)]
struct Importer {
    import: Import,
    nodes: Vec<Named>,
    ids: HashMap<String, usize>,
    /// Nodes whose ports are all taken.
    full: BTreeSet<usize>,
    faults: Vec<Fault>,
    remarks: Remarks,
}

impl Importer {
    fn nodes(&mut self, sheet: &Sheet) {
        let mut taken = HashMap::new();
        for node in &sheet.nodes {
            let label = attributes::of_node(&node.attributes, NodeMeaning::Label).unwrap_or(&node.id);
            let name = unique(legal(label), &mut taken);
            let host = attributes::is_host(&node.attributes);
            if name != label {
                self.remarks.renamed.add(|| match label == node.id {
                    true => format!("\"{}\" to {name}", shown(label)),
                    false => format!("\"{}\" (node {}) to {name}", shown(label), shown(&node.id)),
                });
            }
            if self.ids.insert(node.id.clone(), self.nodes.len()).is_some() {
                let message = format!("two nodes have the id {}: give each its own", shown(&node.id));
                self.faults.push((node.line, message));
            }
            if !host {
                self.switch(&name, node.line, &node.attributes);
                for alias in BTreeSet::from([label, &node.id]).into_iter().filter(|alias| *alias != name) {
                    self.import.draft.aliases.push((alias.to_owned(), name.clone()));
                }
            }
            let place = Place::of(&node.attributes);
            self.nodes.push(Named { name, host, place, links: 0 });
        }
    }

    fn switch(&mut self, name: &str, line: u64, attributes: &Attributes) {
        let text = attributes::of_node(attributes, NodeMeaning::Agent);
        let agent = text.map(address).transpose().unwrap_or_else(|message| {
            self.faults.push((line, format!("node {name}: agent: {message}")));
            None
        });
        let entry = self.import.draft.switches.len();
        self.import.lines.insert((Section::Switches, entry), line);
        self.import.draft.switches.push(DraftSwitch { entry, name: name.to_owned(), agent, port_width: 0 });
    }

    fn check_ends(&mut self, sheet: &Sheet) {
        for edge in &sheet.edges {
            for id in [&edge.source.node, &edge.target.node] {
                if !self.ids.contains_key(id) {
                    let message = format!(
                        "edge {}: no node has the id {}: add that node or correct the edge",
                        edge.shown(),
                        shown(id)
                    );
                    self.faults.push((edge.line, message));
                }
            }
        }
    }

    fn edges(&mut self, sheet: &Sheet) {
        let (edges, to_itself): (Vec<_>, Vec<_>) =
            sheet.edges.iter().partition(|edge| edge.source.node != edge.target.node);
        for edge in to_itself {
            self.remarks.to_itself.add(|| edge.shown());
        }
        let mut ends = Vec::with_capacity(edges.len());
        for edge in &edges {
            let ids = [self.ids[&edge.source.node], self.ids[&edge.target.node]];
            let names = ids.map(|id| self.nodes[id].name.clone());
            let ports = port_names(edge);
            for (port, name) in ports.iter().zip(&names) {
                if let Err(text) = port {
                    let (text, most) = (shown(text), PortNumber::MAX);
                    let message = format!("\"{text}\" is no port of {name}: write a number from 1 to {most}");
                    self.faults.push((edge.line, format!("edge {} - {}: {message}", names[0], names[1])));
                }
            }
            ends.push((ids, ports.map(|port| port.unwrap_or(PortName::Unsaid))));
        }
        let uses = ends.iter().flat_map(|(ids, ports)| ids.iter().copied().zip(ports));
        let uses = uses.filter(|(id, _)| !self.nodes[*id].host);
        let mut ports = Ports::new(uses, |id| self.nodes[id].name.clone(), &mut self.remarks.ports);
        let scale = self.scale(&edges);
        for (edge, (ids, names)) in edges.iter().zip(&ends) {
            match ids.map(|id| self.nodes[id].host) {
                [true, true] => {
                    let [a, b] = ids.map(|id| &self.nodes[id].name);
                    let message = format!(
                        "edge {a} - {b}: both are hosts: link each to a switch, or take away the kind of one"
                    );
                    self.faults.push((edge.line, message));
                }
                [true, false] => self.host(sheet, ids[0], (ids[1], &names[1]), edge.line, &mut ports),
                [false, true] => self.host(sheet, ids[1], (ids[0], &names[0]), edge.line, &mut ports),
                [false, false] => self.link(sheet, edge, (*ids, names), scale, &mut ports),
            }
        }
        for node in self.nodes.iter().filter(|node| node.host && node.links == 0) {
            self.remarks.alone.add(|| node.name.clone());
        }
    }

    /// By what costs are multiplied so that they become whole numbers.
    fn scale(&mut self, edges: &[&Edge]) -> f64 {
        const SCALE: f64 = 1000.0;
        let fraction = edges.iter().find_map(|edge| match attributes::cost(&edge.attributes) {
            Reading::Is(cost) if cost.fract() != 0.0 => Some(format!("{cost} of {}", edge.shown())),
            _ => None,
        });
        let scale = if fraction.is_some() { SCALE } else { 1.0 };
        self.remarks.scaled = fraction;
        scale
    }

    fn take(
        &mut self,
        ports: &mut Ports,
        (node, port): (usize, &PortName),
        line: u64,
    ) -> Option<(String, PortNumber)> {
        let name = self.nodes[node].name.clone();
        let again = &mut self.remarks.port_again;
        let number = ports.take(node, port, || {
            if let PortName::Name(port) = port {
                again.add(|| format!("{} of {name}", shown(port)));
            }
        });
        if number.is_none() && self.full.insert(node) {
            let message = format!("node {name}: it has more than {} links: divide it", PortNumber::MAX);
            self.faults.push((line, message));
        }
        Some((name, number?))
    }

    fn host(&mut self, sheet: &Sheet, host: usize, at: (usize, &PortName), line: u64, ports: &mut Ports) {
        let name = self.nodes[host].name.clone();
        let Some(at) = self.take(ports, at, line) else { return };
        self.nodes[host].links += 1;
        let entry = self.import.draft.hosts.len();
        self.import.lines.insert((Section::Hosts, entry), sheet.nodes[host].line);
        if self.nodes[host].links > 1 {
            let taken = |name: &String| self.nodes.iter().any(|node| node.name == *name);
            let numbered = (self.nodes[host].links..).map(|n| format!("{name}-{n}"));
            let Some(other) = numbered.take(1 << 20).find(|name| !taken(name)) else { return };
            self.remarks.more_links.add(|| format!("{name} and {other}"));
            self.import.draft.hosts.push(DraftHost {
                entry,
                name: other,
                at,
                mac: None,
                addresses: Vec::new(),
                prefixes: Vec::new(),
            });
            return;
        }
        let node = &sheet.nodes[host];
        let mut fault = |message: String| self.faults.push((node.line, format!("node {name}: {message}")));
        let mut addresses = Vec::new();
        for text in list(attributes::of_node(&node.attributes, NodeMeaning::Addresses)) {
            match address(text.split('/').next().unwrap_or(text)) {
                Ok(address) => addresses.push(address),
                Err(message) => fault(message),
            }
        }
        let mac = attributes::of_node(&node.attributes, NodeMeaning::Mac).map(mac_address).transpose();
        let mac = mac.unwrap_or_else(|message| {
            fault(message);
            None
        });
        self.import.draft.hosts.push(DraftHost { entry, name, at, mac, addresses, prefixes: Vec::new() });
    }

    fn link(
        &mut self,
        sheet: &Sheet,
        edge: &Edge,
        (ids, names): ([usize; 2], &[PortName; 2]),
        scale: f64,
        ports: &mut Ports,
    ) {
        let link = format!("{} - {}", self.nodes[ids[0]].name, self.nodes[ids[1]].name);
        let cost = match attributes::cost(&edge.attributes) {
            Reading::Is(cost) => whole(cost * scale),
            Reading::Absent | Reading::Unclear(_) => whole(scale),
            Reading::Faulty(message) => Err(message),
        };
        let cost = cost.unwrap_or_else(|message| {
            self.faults.push((edge.line, format!("edge {link}: {message}")));
            1
        });
        let capacity = self.capacity(sheet, edge, &link);
        let latency = self.latency(sheet, edge, &link).or_else(|| {
            let latency =
                self.nodes[ids[0]].place.zip(self.nodes[ids[1]].place).and_then(distance_latency)?;
            self.remarks.by_distance.add(|| format!("{link}: {latency}"));
            Some(latency)
        });
        let (a, b) = (
            self.take(ports, (ids[0], &names[0]), edge.line),
            self.take(ports, (ids[1], &names[1]), edge.line),
        );
        let Some((a, b)) = a.zip(b) else { return };
        let srlg = attributes::of_edge(&edge.attributes, EdgeMeaning::Srlg).map(|(_, text, _)| text);
        let srlg = list(srlg).map(str::to_owned).collect();
        let entry = self.import.draft.links.len();
        self.import.lines.insert((Section::Links, entry), edge.line);
        self.import.draft.links.push(DraftLink { entry, a, b, capacity, latency, cost, srlg });
    }

    fn capacity(&mut self, sheet: &Sheet, edge: &Edge, link: &str) -> Option<Bandwidth> {
        match attributes::capacity(&edge.attributes, &sheet.units) {
            Reading::Is(capacity) => return Some(capacity),
            Reading::Absent => {}
            Reading::Unclear(what) => self.remarks.unclear_capacity.add(|| format!("{what} of {link}")),
            Reading::Faulty(message) => self.faults.push((edge.line, format!("edge {link}: {message}"))),
        }
        None
    }

    fn latency(&mut self, sheet: &Sheet, edge: &Edge, link: &str) -> Option<Latency> {
        match attributes::latency(&edge.attributes, &sheet.units) {
            Reading::Is(latency) => return Some(latency),
            Reading::Absent => {}
            Reading::Unclear(what) => self.remarks.unclear_latency.add(|| format!("{what} of {link}")),
            Reading::Faulty(message) => self.faults.push((edge.line, format!("edge {link}: {message}"))),
        }
        None
    }
}

/// What an edge says of its two ports; a text that is meant as a number of ours and is none is an error.
fn port_names(edge: &Edge) -> [Result<PortName, String>; 2] {
    let of = |stop: &Stop, meaning| match attributes::of_edge(&edge.attributes, meaning) {
        Some((_, text, _)) if text.parse::<i64>().is_ok() => {
            let number = text.parse().ok().and_then(PortNumber::new);
            number.map(PortName::Number).ok_or_else(|| text.to_owned())
        }
        Some((_, text, _)) => Ok(PortName::Name(text.to_owned())),
        None => Ok(stop.port.clone().map_or(PortName::Unsaid, PortName::Name)),
    };
    [of(&edge.source, EdgeMeaning::SourcePort), of(&edge.target, EdgeMeaning::TargetPort)]
}

fn whole(cost: f64) -> Result<u32, String> {
    let rounded = cost.round().max(1.0);
    if rounded > f64::from(u32::MAX) { Err(cost_message(&cost.to_string())) } else { Ok(rounded as u32) }
}

fn list(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|part| !part.is_empty())
}

/// The name with everything that a name cannot have made a `-`.
fn legal(name: &str) -> String {
    if check_name(name).is_ok() {
        return name.to_owned();
    }
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    let mut name: String = name.chars().map(plain).collect();
    name = name.trim_matches(['-', '.', '_']).to_owned();
    while name.len() > 56 {
        name.pop();
    }
    if name.is_empty() { "node".into() } else { name }
}

/// The name, numbered if it is taken; `taken` knows the last number of each.
fn unique(name: String, taken: &mut HashMap<String, usize>) -> String {
    let Some(mut number) = taken.get(&name).copied() else {
        taken.insert(name.clone(), 1);
        return name;
    };
    loop {
        number += 1;
        let numbered = format!("{name}-{number}");
        if !taken.contains_key(&numbered) {
            taken.insert(name, number);
            taken.insert(numbered.clone(), 1);
            return numbered;
        }
    }
}
