//! Which names others give the attributes that smoc uses, and in which units they write them.
//!
//! Names are compared without regard to case, `_`, `-` and blanks. docs/topologies.md lists them for users.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::input::shown;
use crate::topology::values::cost_message;
use crate::topology::{Bandwidth, Latency, UnitError};

/// Attributes by name, as text.
pub(super) type Attributes = BTreeMap<String, String>;

/// Units that a graph gives for its numbers, such as Mbps.
#[derive(Debug, Default)]
pub(super) struct Units {
    /// Of capacities.
    pub capacity: Option<String>,
    /// Of latencies.
    pub latency: Option<String>,
}

impl Units {
    /// Takes the units that an attribute of a graph gives; `false` if it gives none.
    pub fn take(&mut self, name: &str, value: &str) -> bool {
        match plain_name(name).as_str() {
            "capacityunit" | "bandwidthunit" => self.capacity = Some(value.to_owned()),
            "delayunit" | "latencyunit" => self.latency = Some(value.to_owned()),
            _ => return false,
        }
        true
    }
}

/// A name, and the unit of its numbers that have none, if the name alone gives it; a unit behind the name, as in
/// `delay_ms`, comes before that ([`unit_behind`]).
type EdgeName = (&'static str, Option<&'static str>);

/// What an attribute of an edge means, and its names, the first that an edge has counts.
const OF_EDGES: [(EdgeMeaning, &[EdgeName]); 6] = [
    (
        EdgeMeaning::Capacity,
        &[
            ("capacity", None),
            ("bandwidth", None),
            ("bw", Some("Mbit")),
            ("linkspeedraw", Some("bit")),
            ("linkspeed", None),
            ("linkcapacity", None),
            ("linkbandwidth", None),
            ("maxbandwidth", None),
            ("speed", None),
            ("datarate", None),
            ("rate", None),
            ("preinstalledcapacity", None),
        ],
    ),
    (
        EdgeMeaning::Latency,
        &[
            ("latency", None),
            ("delay", None),
            ("propagationdelay", None),
            ("propdelay", None),
            ("linkdelay", None),
            ("linklatency", None),
        ],
    ),
    (
        EdgeMeaning::Cost,
        &[
            ("cost", None),
            ("weight", None),
            ("metric", None),
            ("metric1", None),
            ("igpmetric", None),
            ("ospfcost", None),
            ("tedefaultmetric", None),
        ],
    ),
    (EdgeMeaning::Srlg, &[("srlg", None), ("srlgs", None), ("sharedriskgroups", None)]),
    (EdgeMeaning::SourcePort, &[("sourceport", None), ("srcport", None), ("sourceinterface", None)]),
    (EdgeMeaning::TargetPort, &[("targetport", None), ("dstport", None), ("targetinterface", None)]),
];

/// What names the length of a link, if a unit is behind it: by that its latency, where nothing else says it.
const LENGTHS: [&str; 5] = ["length", "distance", "dist", "fibrelength", "fiberlength"];

/// What an attribute of a node means, and its names, the first that a node has counts.
const OF_NODES: [(NodeMeaning, &[&str]); 7] = [
    (NodeMeaning::Label, &["label", "name"]),
    (NodeMeaning::Kind, &["kind", "type", "nodetype", "devicetype", "role"]),
    (NodeMeaning::Agent, &["agent"]),
    (NodeMeaning::Mac, &["mac", "macaddress"]),
    (NodeMeaning::Addresses, &["addresses", "address", "ip", "ipaddress", "ipv4", "ipv6"]),
    (NodeMeaning::Latitude, &["latitude", "lat"]),
    (NodeMeaning::Longitude, &["longitude", "lon", "lng", "long"]),
];

/// Said by other means, or of no meaning to anybody but the program that wrote it.
const SILENT: [&str; 3] = ["linkspeedunits", "id", "key"];

/// What is a host, of the values of an attribute that tells kinds apart; all else is a switch.
const HOSTS: [&str; 10] =
    ["host", "server", "client", "endhost", "endpoint", "endsystem", "pc", "vpcs", "computer", "station"];

/// What an attribute of an edge means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EdgeMeaning {
    Capacity,
    Latency,
    Cost,
    Srlg,
    SourcePort,
    TargetPort,
}

/// What an attribute of a node means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeMeaning {
    Label,
    Kind,
    Agent,
    Mac,
    Addresses,
    Latitude,
    Longitude,
}

/// A capacity, latency or cost, or why there is none.
#[derive(Debug, PartialEq)]
pub(super) enum Reading<T> {
    /// The edge says nothing of it, or that there is none.
    Absent,
    /// This.
    Is(T),
    /// A number in a unit that nobody gives, or what only the program that wrote it understands: name and text.
    Unclear(String),
    /// No such value, under our own name: what to change.
    Faulty(String),
}

/// A name as names are compared.
pub(super) fn plain_name(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The attribute of an edge that has this meaning: its name there, its text, and its unit by that name.
pub(super) fn of_edge(attributes: &Attributes, meaning: EdgeMeaning) -> Option<(&str, &str, Option<&str>)> {
    let (_, names) = OF_EDGES.iter().find(|(one, _)| *one == meaning)?;
    let by_unit = |plain: &str| {
        let said = attributes.iter().filter(|(_, text)| !text.is_empty());
        let mut with_unit =
            said.filter_map(|(name, text)| Some((name, text, unit_behind(name, plain, meaning)?)));
        with_unit.next().map(|(name, text, unit)| (name.as_str(), text.as_str(), Some(unit)))
    };
    let one = |(plain, unit): &EdgeName| {
        named(attributes, plain).map(|(name, text)| (name, text, *unit)).or_else(|| by_unit(plain))
    };
    let lengths = LENGTHS.iter().filter(|_| meaning == EdgeMeaning::Latency);
    names.iter().find_map(one).or_else(|| lengths.copied().find_map(by_unit))
}

/// The unit that follows `plain` in a name, if this is a name of capacities or latencies: `ms` in `delay_ms`, `Mbit/s` in
/// `Bandwidth [Mbit/s]`. One letter must stand apart, for `delays` are no seconds.
fn unit_behind<'a>(name: &'a str, plain: &str, meaning: EdgeMeaning) -> Option<&'a str> {
    let mut left = plain.chars().peekable();
    let mut rest = name.char_indices().skip_while(|(_, c)| {
        let is_next = c.is_alphanumeric() && left.peek().is_some_and(|next| c.to_lowercase().eq([*next]));
        if is_next {
            left.next();
        }
        is_next || !c.is_alphanumeric() && left.peek().is_some()
    });
    let (at, first) = rest.next().filter(|_| left.peek().is_none())?;
    let unit = name[at..].trim_matches(|c: char| !c.is_alphanumeric());
    let is_unit = match meaning {
        EdgeMeaning::Capacity => unit.contains(['b', 'B']) && bits(unit).is_some(),
        EdgeMeaning::Latency => match LENGTHS.contains(&plain) {
            true => per_length(unit).is_some(),
            false => nanos(unit).is_some(),
        },
        _ => false,
    };
    (is_unit && (unit.len() > 1 || !first.is_alphanumeric())).then_some(unit)
}

/// The attribute of a node that has this meaning, as text.
pub(super) fn of_node(attributes: &Attributes, meaning: NodeMeaning) -> Option<&str> {
    let (_, names) = OF_NODES.iter().find(|(one, _)| *one == meaning)?;
    names.iter().find_map(|plain| named(attributes, plain)).map(|(_, text)| text)
}

fn named<'a>(attributes: &'a Attributes, plain: &str) -> Option<(&'a str, &'a str)> {
    let is = |name: &str| name == plain || plain_name(name) == plain;
    let found = attributes.iter().find(|(name, text)| !text.is_empty() && is(name));
    found.map(|(name, text)| (name.as_str(), text.as_str()))
}

/// Whether an attribute of an edge means something here.
pub(super) fn is_of_edges(name: &str) -> bool {
    let plain = plain_name(name);
    let is_one = |meaning, one: &str| one == plain || unit_behind(name, one, meaning).is_some();
    OF_EDGES.iter().any(|(meaning, names)| names.iter().any(|(one, _)| is_one(*meaning, one)))
        || LENGTHS.iter().any(|one| unit_behind(name, one, EdgeMeaning::Latency).is_some())
        || SILENT.contains(&plain.as_str())
}

/// Whether an attribute of an edge names a port.
pub(super) fn is_of_port(name: &str) -> bool {
    let plain = plain_name(name);
    let ports = [EdgeMeaning::SourcePort, EdgeMeaning::TargetPort];
    OF_EDGES
        .iter()
        .any(|(meaning, names)| ports.contains(meaning) && names.iter().any(|(one, _)| *one == plain))
}

/// Whether an attribute of a node means something here.
pub(super) fn is_of_nodes(name: &str) -> bool {
    let plain = plain_name(name);
    OF_NODES.iter().any(|(_, names)| names.contains(&plain.as_str())) || SILENT.contains(&plain.as_str())
}

/// Whether a node is a host.
pub(super) fn is_host(attributes: &Attributes) -> bool {
    of_node(attributes, NodeMeaning::Kind).is_some_and(|kind| HOSTS.contains(&plain_name(kind).as_str()))
}

/// What an edge carries.
pub(super) fn capacity(attributes: &Attributes, units: &Units) -> Reading<Bandwidth> {
    let Some((name, text, unit)) = of_edge(attributes, EdgeMeaning::Capacity) else { return Reading::Absent };
    // The Topology Zoo writes LinkSpeed and LinkSpeedUnits, "10" and "G".
    let beside = named(attributes, "linkspeedunits").filter(|_| plain_name(name) == "linkspeed");
    let unit = beside.map(|(_, unit)| unit).or(unit).or(units.capacity.as_deref());
    let unclear = || Reading::Unclear(format!("{} \"{}\"", shown(name), shown(text)));
    let refused = |error: UnitError| match plain_name(name).as_str() {
        "capacity" | "latency" => Reading::Faulty(format!("{}: {error}", shown(name))),
        _ => unclear(),
    };
    let Some((number, own)) = number(text) else {
        return text.parse::<Bandwidth>().map_or_else(refused, Reading::Is);
    };
    let unit = if own.is_empty() { unit } else { Some(own) };
    match unit {
        _ if number == 0.0 && own.is_empty() => Reading::Absent,
        None => unclear(),
        Some(unit) => {
            let bits = bits(unit).map(|factor| (number * factor).round());
            let bits = bits.filter(|&bits| (1.0..=1e15).contains(&bits));
            match bits.and_then(|bits| Bandwidth::from_bits_per_second(bits as u64)) {
                Some(capacity) => Reading::Is(capacity),
                None => text.parse::<Bandwidth>().map_or_else(refused, Reading::Is),
            }
        }
    }
}

/// The latency of an edge.
pub(super) fn latency(attributes: &Attributes, units: &Units) -> Reading<Latency> {
    let Some((name, text, unit)) = of_edge(attributes, EdgeMeaning::Latency) else { return Reading::Absent };
    let unit = unit.or(units.latency.as_deref());
    let unclear = || Reading::Unclear(format!("{} \"{}\"", shown(name), shown(text)));
    let refused = |error: UnitError| match plain_name(name).as_str() {
        "capacity" | "latency" => Reading::Faulty(format!("{}: {error}", shown(name))),
        _ => unclear(),
    };
    let Some((number, own)) = number(text) else {
        return text.parse::<Latency>().map_or_else(refused, Reading::Is);
    };
    let unit = if own.is_empty() { unit } else { Some(own) };
    match unit {
        None => unclear(),
        Some(unit) => {
            let factor = nanos(unit).or_else(|| per_length(unit).filter(|_| own.is_empty()));
            let nanos = factor.map(|factor| (number * factor).round());
            let nanos = nanos.filter(|nanos| (0.0..=6e10).contains(nanos));
            match nanos.and_then(|nanos| Latency::from_nanos(nanos as u64)) {
                Some(latency) => Reading::Is(latency),
                None => text.parse::<Latency>().map_or_else(refused, Reading::Is),
            }
        }
    }
}

/// The cost of an edge, which need not be a whole number.
pub(super) fn cost(attributes: &Attributes) -> Reading<f64> {
    let Some((name, text, _)) = of_edge(attributes, EdgeMeaning::Cost) else { return Reading::Absent };
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= f64::from(u32::MAX) => Reading::Is(number),
        _ => Reading::Faulty(format!("{}: {}", shown(name), cost_message(text))),
    }
}

/// A number and what stands behind it.
fn number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let is_part = |(at, c): &(usize, char)| {
        c.is_ascii_digit()
            || matches!(c, '.' | '-' | '+')
            || matches!(c, 'e' | 'E')
                && text[at + 1..].starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'))
    };
    let end = text.char_indices().find(|part| !is_part(part)).map_or(text.len(), |(at, _)| at);
    let number: f64 = text[..end].parse().ok()?;
    (number.is_finite() && number >= 0.0).then(|| (number, text[end..].trim()))
}

/// How many bit/s a unit is: `M`, `Mbps`, `Mbit/s`, `MBPERSEC`, `MB/s` ...
fn bits(unit: &str) -> Option<f64> {
    let (factor, rest) = match unit.chars().next()? {
        'k' | 'K' => (1e3, &unit[1..]),
        'm' | 'M' => (1e6, &unit[1..]),
        'g' | 'G' => (1e9, &unit[1..]),
        't' | 'T' => (1e12, &unit[1..]),
        _ => (1.0, unit),
    };
    match rest {
        "B/s" | "Bps" | "Byte/s" | "bytes/s" => return Some(8.0 * factor),
        _ => {}
    }
    let known =
        ["", "b", "e", "bit", "bits", "bps", "b/s", "bit/s", "bits/s", "bitps", "bitpersec", "bitspersec"];
    known.contains(&rest.to_ascii_lowercase().as_str()).then_some(factor)
}

/// How many nanoseconds a unit is.
fn nanos(unit: &str) -> Option<f64> {
    Some(match unit.to_lowercase().as_str() {
        "ns" | "nsec" | "nanoseconds" => 1.0,
        "us" | "µs" | "μs" | "usec" | "microseconds" => 1e3,
        "ms" | "msec" | "milliseconds" => 1e6,
        "s" | "sec" | "seconds" => 1e9,
        _ => return None,
    })
}

/// How many nanoseconds light takes for a unit of length, in fibre: 200,000 km/s.
fn per_length(unit: &str) -> Option<f64> {
    Some(match unit.to_lowercase().as_str() {
        "km" | "kilometers" | "kilometres" => 5e3,
        "m" | "meters" | "metres" => 5.0,
        "mi" | "miles" => 5e3 * 1.609_344,
        _ => return None,
    })
}
