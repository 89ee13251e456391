//! Nodes and edges with attributes, which GraphML and node-link JSON have in common.

use std::collections::{BTreeMap, HashMap, HashSet};

use smoc_common::route::PortNumber;

use crate::input::shown;
use crate::topology::draft::cost_message;
use crate::topology::file::{address, mac_address};
use crate::topology::{Bandwidth, Draft, DraftHost, DraftLink, DraftSwitch, Latency, Topology, check_name};

/// Attributes by name, as text.
pub(super) type Attributes = BTreeMap<String, String>;

/// A graph as others write it.
#[derive(Default)]
pub(super) struct Sheet {
    /// Identifier and attributes.
    pub nodes: Vec<(String, Attributes)>,
    /// Two identifiers and attributes.
    pub edges: Vec<(String, String, Attributes)>,
    /// Edges lead one way only.
    pub directed: bool,
}

impl Sheet {
    /// Our topology; a host is a node of the `kind` "host" with one edge.
    pub fn of(topology: &Topology) -> Self {
        let mut sheet = Self::default();
        for switch in topology.switches() {
            let agent = switch.agent.map(|agent| ("agent", agent.to_string()));
            sheet.nodes.push((switch.name.clone(), attributes([Some(("kind", "switch".into())), agent])));
        }
        for link in topology.links() {
            let name = |end: crate::topology::End| topology.switch(end.switch).name.clone();
            let groups: Vec<_> =
                link.srlg.iter().map(|group| topology.srlgs()[group.index()].as_str()).collect();
            let all = attributes([
                Some(("source_port", link.a.port.to_string())),
                Some(("target_port", link.b.port.to_string())),
                link.capacity.map(|capacity| ("capacity", capacity.to_string())),
                link.latency.map(|latency| ("latency", latency.to_string())),
                Some(("cost", link.cost.to_string())),
                (!groups.is_empty()).then(|| ("srlg", groups.join(","))),
            ]);
            sheet.edges.push((name(link.a), name(link.b), all));
        }
        for host in topology.hosts() {
            let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
            let all = attributes([
                Some(("kind", "host".into())),
                host.mac.map(|mac| ("mac", mac.to_string())),
                (!addresses.is_empty()).then(|| ("addresses", addresses.join(","))),
            ]);
            sheet.nodes.push((host.name.clone(), all));
            let port = attributes([Some(("target_port", host.at.port.to_string()))]);
            sheet.edges.push((host.name.clone(), topology.switch(host.at.switch).name.clone(), port));
        }
        sheet
    }

    /// As a draft; `notes` are told what was changed or left out.
    pub fn draft(&mut self, notes: &mut Vec<String>) -> Result<Draft, String> {
        if self.directed {
            self.join_directions(notes);
        }
        let mut import = Import { draft: Draft::default(), ports: Ports::default(), names: HashMap::new() };
        import.nodes(self, notes)?;
        for (source, target, attributes) in &self.edges {
            let edge = format!("edge {} - {}", shown(source), shown(target));
            let ends = [(source, "source_port"), (target, "target_port")];
            for (id, port) in ends {
                let node = import.names.get(id).ok_or_else(|| {
                    format!("{edge}: no node has the id {}: add that node or correct the edge", shown(id))
                })?;
                let reserved = import.ports.reserve(&node.name, attributes.get(port));
                reserved.map_err(|fault| format!("{edge}: {fault}"))?;
            }
        }
        for (source, target, attributes) in &self.edges {
            import.edge(&import.names[source].clone(), &import.names[target].clone(), attributes, notes)?;
        }
        Ok(import.draft)
    }

    /// Drops each edge for which there is one the other way.
    fn join_directions(&mut self, notes: &mut Vec<String>) {
        let all = self.edges.len();
        let mut single: HashMap<(String, String), usize> = HashMap::new();
        self.edges.retain(|(source, target, _)| match single.get_mut(&(target.clone(), source.clone())) {
            Some(back) if *back > 0 => {
                *back -= 1;
                false
            }
            _ => {
                *single.entry((source.clone(), target.clone())).or_default() += 1;
                true
            }
        });
        match all - self.edges.len() {
            0 => {}
            joined => notes
                .push(format!("the graph is directed: {joined} edges are taken for the way back of another")),
        }
    }
}

fn attributes<const N: usize>(some: [Option<(&str, String)>; N]) -> Attributes {
    some.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A node under the name it has here.
#[derive(Clone)]
struct Node {
    name: String,
    host: bool,
    attributes: Attributes,
    place: Option<(f64, f64)>,
}

struct Import {
    draft: Draft,
    ports: Ports,
    names: HashMap<String, Node>,
}

impl Import {
    fn nodes(&mut self, sheet: &Sheet, notes: &mut Vec<String>) -> Result<(), String> {
        let mut taken = HashSet::new();
        for (id, attributes) in &sheet.nodes {
            let label = attributes.get("label").filter(|label| !label.is_empty()).unwrap_or(id);
            let name = unique(legal(label), &mut taken);
            if name != *label {
                notes.push(format!("node {} \"{}\" is called {name} here", shown(id), shown(label)));
            }
            let host = attributes.get("kind").is_some_and(|kind| kind == "host");
            let degrees = |key: &str| attributes.get(key)?.parse::<f64>().ok();
            let place = degrees("Latitude").zip(degrees("Longitude"));
            if !host {
                let agent = attributes.get("agent").and_then(|agent| agent.parse().ok());
                let entry = self.draft.switches.len();
                self.draft.switches.push(DraftSwitch { entry, name: name.clone(), agent });
            }
            let node = Node { name, host, attributes: attributes.clone(), place };
            if self.names.insert(id.clone(), node).is_some() {
                return Err(format!("two nodes have the id {}: give each its own", shown(id)));
            }
        }
        Ok(())
    }

    fn edge(
        &mut self,
        source: &Node,
        target: &Node,
        attributes: &Attributes,
        notes: &mut Vec<String>,
    ) -> Result<(), String> {
        if source.name == target.name {
            notes.push(format!("a link from {} to itself is left out", source.name));
            return Ok(());
        }
        match (source.host, target.host) {
            (true, true) => Err(format!(
                "edge {} - {}: both are hosts: link each to a switch, or take away the kind of one",
                source.name, target.name
            )),
            (true, false) => self.host(source, target, attributes.get("target_port")),
            (false, true) => self.host(target, source, attributes.get("source_port")),
            (false, false) => self.link(source, target, attributes),
        }
    }

    fn host(&mut self, host: &Node, switch: &Node, port: Option<&String>) -> Result<(), String> {
        let fault = |what: String| format!("node {}: {what}", host.name);
        let addresses = list(host.attributes.get("addresses"));
        let addresses = addresses.map(|text| address(text).map_err(fault)).collect::<Result<_, _>>()?;
        let mac = host.attributes.get("mac").map(|text| mac_address(text).map_err(fault)).transpose()?;
        let at = self.ports.take(&switch.name, port)?;
        let entry = self.draft.hosts.len();
        self.draft.hosts.push(DraftHost { entry, name: host.name.clone(), at, mac, addresses });
        Ok(())
    }

    fn link(&mut self, source: &Node, target: &Node, attributes: &Attributes) -> Result<(), String> {
        let fault = |what: String| format!("edge {} - {}: {what}", source.name, target.name);
        let cost = match attributes.get("cost") {
            Some(text) => text.parse().map_err(|_| fault(cost_message(text)))?,
            None => 1,
        };
        let latency = match attributes.get("latency") {
            Some(text) => Some(text.parse().map_err(|e: crate::topology::UnitError| fault(e.to_string()))?),
            None => source.place.zip(target.place).and_then(|(a, b)| light_in_fibre(a, b)),
        };
        let capacity = match attributes.get("capacity") {
            Some(text) => Some(text.parse().map_err(|e: crate::topology::UnitError| fault(e.to_string()))?),
            None => attributes
                .get("LinkSpeedRaw")
                .and_then(|raw| raw.parse::<f64>().ok())
                .and_then(|bits| Bandwidth::from_bits_per_second(bits as u64)),
        };
        self.draft.links.push(DraftLink {
            entry: self.draft.links.len(),
            a: self.ports.take(&source.name, attributes.get("source_port"))?,
            b: self.ports.take(&target.name, attributes.get("target_port"))?,
            capacity,
            latency,
            cost,
            srlg: list(attributes.get("srlg")).map(str::to_owned).collect(),
        });
        Ok(())
    }
}

fn list(text: Option<&String>) -> impl Iterator<Item = &str> {
    text.into_iter().flat_map(|text| text.split(',')).filter(|part| !part.is_empty())
}

/// Along the great circle at 200,000 km/s, from degrees of latitude and longitude.
fn light_in_fibre(a: (f64, f64), b: (f64, f64)) -> Option<Latency> {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let h = half(a.0, b.0) + a.0.to_radians().cos() * b.0.to_radians().cos() * half(a.1, b.1);
    let kilometres = 2.0 * 6371.0 * h.sqrt().min(1.0).asin();
    // Whole microseconds: the places are not known any better.
    Latency::from_nanos((kilometres / 0.2).round() as u64 * 1000)
}

/// Which ports of each switch are in use.
#[derive(Default)]
struct Ports(HashMap<String, HashSet<PortNumber>>);

impl Ports {
    fn reserve(&mut self, switch: &str, port: Option<&String>) -> Result<(), String> {
        let Some(text) = port else { return Ok(()) };
        let port = number(switch, text)?;
        self.0.entry(switch.to_owned()).or_default().insert(port);
        Ok(())
    }

    /// The port given (reserved before), or the lowest free one.
    fn take(&mut self, switch: &str, port: Option<&String>) -> Result<(String, PortNumber), String> {
        if let Some(text) = port {
            return Ok((switch.to_owned(), number(switch, text)?));
        }
        let used = self.0.entry(switch.to_owned()).or_default();
        let free = (1..=PortNumber::MAX).filter_map(PortNumber::new).find(|&port| used.insert(port));
        Ok((
            switch.to_owned(),
            free.ok_or(format!("{switch} has more than {} links: divide it", PortNumber::MAX))?,
        ))
    }
}

fn number(switch: &str, text: &str) -> Result<PortNumber, String> {
    let port = text.parse().ok().and_then(PortNumber::new);
    port.ok_or_else(|| {
        let most = PortNumber::MAX;
        format!("\"{}\" is no port of {switch}: write a number from 1 to {most}", shown(text))
    })
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

fn unique(name: String, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or(name);
    taken.insert(free.clone());
    free
}
