//! RFC 8345, "A YANG Data Model for Network Topologies", as JSON (RFC 7951). Its links are unidirectional, so every
//! link of ours is two.
//!
//! Names may have the prefix of their module or not. Of several networks in a file, the lowest layer that has links is
//! read. Metrics are those of RFC 8346 and 8795, rates (Mbit/s) and delays (us) those of RFC 8944. What these models have no
//! place for is written as an augmentation of our own, with the prefix `smoc:` and the names of the topology file; other
//! programs pass over it, as RFC 7951, section 4, asks of names that they do not know.

use serde_json::{Value, json};

use super::attributes::Attributes;
use super::fields::plain;
use super::sheet::{Edge, Listing, Node, Sheet, Stop};
use crate::input::{Fault, Tree, json_tree};
use crate::topology::{End, Topology};

/// The id of the networks that we write; in these, nodes whose only port is [`HOST_PORT`] are hosts.
const OURS: &str = "smoc";
/// What our own augmentation's names begin with.
const PREFIX: &str = "smoc:";
/// The only port of a host.
const HOST_PORT: &str = "eth0";

/// Reads nodes and links of one network.
pub(super) fn read(text: &str) -> Result<Sheet, Fault> {
    let document = json_tree(text)?;
    let networks = of(&document, "networks").unwrap_or(&document);
    let networks = of(networks, "network").map_or(&[][..], Tree::items);
    let mut sheet = Sheet { listing: Listing::Directions, ..Sheet::default() };
    let network = lowest(networks)
        .ok_or((document.line, "networks.network: missing: there is no network".to_owned()))?;
    let name = text_of(network, "network-id").unwrap_or_default();
    if networks.len() > 1 {
        let (shown, all) = (crate::input::shown(&name), networks.len());
        sheet
            .notes
            .push(format!("network {shown} is read, the lowest layer with links of the {all} in the file"));
    }
    for (i, node) in of(network, "node").map_or(&[][..], Tree::items).iter().enumerate() {
        let id = field(node, &format!("node[{i}]"), "node-id")?;
        let ports = of(node, "termination-point").map_or(&[][..], Tree::items);
        let is_host =
            name == OURS && ports.len() == 1 && text_of(&ports[0], "tp-id").as_deref() == Some(HOST_PORT);
        let mut attributes = Attributes::from_iter(own(node));
        attributes.extend(is_host.then(|| ("kind".to_owned(), "host".to_owned())));
        sheet.nodes.push(Node { line: node.line, id, attributes });
    }
    for (i, link) in of(network, "link").map_or(&[][..], Tree::items).iter().enumerate() {
        let end = |end: &str, node: &str, port: &str| {
            let place = format!("link[{i}].{end}");
            let end =
                of(link, end).ok_or_else(|| (link.line, format!("{place}: missing: write its {node}")))?;
            Ok::<_, Fault>(Stop { node: field(end, &place, node)?, port: text_of(end, port) })
        };
        let source = end("source", "source-node", "source-tp")?;
        let target = end("destination", "dest-node", "dest-tp")?;
        sheet.edges.push(Edge {
            line: link.line,
            source,
            target,
            directed: true,
            attributes: attributes(link),
        });
    }
    if sheet.edges.is_empty() {
        sheet.notes.push("the network has no links".into());
    }
    Ok(sheet)
}

/// The network with links that rests on no other, else the first with links, else the first.
fn lowest(networks: &[Tree]) -> Option<&Tree> {
    let has_links = |network: &&Tree| of(network, "link").is_some_and(|links| !links.items().is_empty());
    let supported =
        |network: &&Tree| of(network, "supporting-network").is_some_and(|all| !all.items().is_empty());
    let linked = || networks.iter().filter(has_links);
    linked().find(|network| !supported(network)).or_else(|| linked().next()).or_else(|| networks.first())
}

/// The value under a key, with or without its module's name.
fn of<'a>(tree: &'a Tree, key: &str) -> Option<&'a Tree> {
    let plain = |name: &str| name.rsplit(':').next() == Some(key);
    tree.entries().iter().find(|(name, _)| plain(name)).map(|(_, value)| value)
}

fn text_of(tree: &Tree, key: &str) -> Option<String> {
    plain(of(tree, key)?)
}

fn field(tree: &Tree, place: &str, key: &str) -> Result<String, Fault> {
    text_of(tree, key).ok_or_else(|| (tree.line, format!("{place}.{key}: missing: write it")))
}

/// Our own augmentation.
fn own(tree: &Tree) -> impl Iterator<Item = (String, String)> {
    let own = |(name, value): &(String, Tree)| Some((name.strip_prefix(PREFIX)?.to_owned(), plain(value)?));
    tree.entries().iter().filter_map(own)
}

/// What augmentations say of a link, however deep, under the names that smoc uses.
fn attributes(link: &Tree) -> Attributes {
    let mut all = Attributes::from_iter(own(link));
    let mut open: Vec<&Tree> = vec![link];
    while let Some(tree) = open.pop() {
        for (name, value) in tree.entries() {
            let text = plain(value);
            match (name.rsplit(':').next().unwrap_or(name), text) {
                ("source" | "destination" | "supporting-link", _) => {}
                _ if name.starts_with(PREFIX) => {}
                ("rate", Some(text)) => {
                    all.insert("rate".into(), text + "Mbit");
                }
                ("delay", Some(text)) => {
                    all.insert("delay".into(), text + "us");
                }
                (name @ ("metric1" | "te-default-metric"), Some(text)) => {
                    all.insert(name.into(), text);
                }
                _ => open.push(value),
            }
        }
    }
    all
}

/// Switches and hosts are nodes, their ports termination points; a host's only one is `eth0`.
pub fn to_rfc8345(topology: &Topology) -> Value {
    let name = |end: End| topology.switch(end.switch).name.as_str();
    let mut links = Vec::new();
    let mut both = |a: (&str, String), b: (&str, String), own: &Attributes| {
        for (from, to) in [(&a, &b), (&b, &a)] {
            let mut link = json!({
                "link-id": format!("{}:{}-{}:{}", from.0, from.1, to.0, to.1),
                "source": {"source-node": from.0, "source-tp": from.1},
                "destination": {"dest-node": to.0, "dest-tp": to.1},
            });
            augment(&mut link, own);
            links.push(link);
        }
    };
    let sheet = Sheet::of(topology);
    for (link, edge) in topology.links().iter().zip(&sheet.edges) {
        let (a, b) = (link.a.port.to_string(), link.b.port.to_string());
        both((name(link.a), a), (name(link.b), b), &edge.attributes);
    }
    for host in topology.hosts() {
        both((&host.name, HOST_PORT.into()), (name(host.at), host.at.port.to_string()), &Attributes::new());
    }
    let mut nodes: Vec<Value> = (topology.switch_ids())
        .map(|id| {
            let fabric = topology.arcs(id).iter().map(|arc| arc.port);
            let hosts = topology.hosts().iter().filter(|host| host.at.switch == id).map(|host| host.at.port);
            let mut ports: Vec<_> = fabric.chain(hosts).collect();
            ports.sort_unstable();
            node(&topology.switch(id).name, ports.iter().map(ToString::to_string).collect())
        })
        .collect();
    nodes.extend(topology.hosts().iter().map(|host| node(&host.name, vec![HOST_PORT.into()])));
    // The sheet has switches, then hosts, in the same order.
    nodes.iter_mut().zip(&sheet.nodes).for_each(|(node, sheet)| augment(node, &sheet.attributes));
    json!({"ietf-network:networks": {"network": [{
        "network-id": OURS,
        "node": nodes,
        "ietf-network-topology:link": links,
    }]}})
}

/// Adds what the models have no place for; a cost of 1 is what a link without one has.
fn augment(value: &mut Value, attributes: &Attributes) {
    for (name, text) in attributes {
        let is_said = matches!(name.as_str(), "kind" | "source_port" | "target_port");
        if !is_said && (name, text.as_str()) != (&"cost".to_owned(), "1") {
            value[format!("{PREFIX}{name}")] = text.clone().into();
        }
    }
}

fn node(name: &str, ports: Vec<String>) -> Value {
    let points: Vec<_> = ports.into_iter().map(|port| json!({"tp-id": port})).collect();
    json!({"node-id": name, "ietf-network-topology:termination-point": points})
}
