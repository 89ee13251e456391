//! `smoc topology [FILE]`: prints and converts topologies; without a file, that of a running agent.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::offline::{load, svg};
use super::socket::AgentSocket;
use super::{Failure, Format, number_from};
use smoc_paths::topology::convert::{self, Colours};
use smoc_paths::topology::{Topology, generate};

/// Arguments of `smoc topology`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
smoc topology examples/diamond.yaml\n  \
smoc topology examples/fat-tree-k4.yaml --format graphml\n  \
smoc topology --fat-tree 8 --format yaml\n  \
smoc topology --wide-area 50 --seed 7 --format yaml\n  \
smoc topology")]
pub struct TopologyArgs {
    /// The topology, in any format of docs/topologies.md (- is standard input); without it, the running agent's
    file: Option<PathBuf>,
    /// The fat-tree of switches with K ports instead of a file: an even number from 2 to 128
    #[arg(long, value_name = "K", conflicts_with = "file", value_parser = fat_tree_ports)]
    fat_tree: Option<usize>,
    /// A random wide-area network of N switches and 1.5 N links instead of a file: 2 to 20000
    #[arg(long, value_name = "N", conflicts_with_all = ["file", "fat_tree"], value_parser = number_from(2, 20_000))]
    wide_area: Option<usize>,
    /// For --wide-area: another number, another network
    #[arg(long, default_value_t = 1, requires = "wide_area", conflicts_with_all = ["file", "fat_tree"])]
    seed: u64,
    #[command(flatten)]
    agent: AgentSocket,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: TopologyFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum TopologyFormat {
    /// A table for people
    #[default]
    Table,
    /// What the topology file says, as JSON
    Json,
    /// A topology file
    Yaml,
    /// GraphML
    Graphml,
    /// Node-link JSON of NetworkX
    NodeLink,
    /// Graphviz
    Dot,
    /// A picture drawn by Graphviz
    Svg,
    /// RFC 8345 (ietf-network-topology) as JSON
    Rfc8345,
}

/// Runs the verb.
///
/// # Errors
/// There is no such topology.
pub fn run(args: &TopologyArgs) -> Result<(), Failure> {
    if args.file.is_none() && args.fat_tree.is_none() && args.wide_area.is_none() {
        return live(args);
    }
    let topology = &read(args)?;
    match args.format {
        TopologyFormat::Table => super::print(&table(topology)),
        TopologyFormat::Json => super::print_json(&document(topology)),
        TopologyFormat::Yaml => super::print(&convert::to_yaml(topology).context("writing YAML")?),
        TopologyFormat::Graphml => super::print(&convert::to_graphml(topology)),
        TopologyFormat::NodeLink => super::print_json(&convert::to_node_link(topology)),
        TopologyFormat::Rfc8345 => super::print_json(&convert::to_rfc8345(topology)),
        TopologyFormat::Dot => super::print(&convert::dot(topology, &Colours::new(), &[])),
        TopologyFormat::Svg => super::print(&svg(&convert::dot(topology, &Colours::new(), &[]))?),
    }
}

fn live(args: &TopologyArgs) -> Result<(), Failure> {
    match args.format {
        TopologyFormat::Table => super::live::topology(&args.agent, Format::Table),
        TopologyFormat::Json => super::live::topology(&args.agent, Format::Json),
        _ => Err(Failure::BadInput(anyhow!(
            "only a FILE can be converted: a running agent answers as table or json"
        ))),
    }
}

fn read(args: &TopologyArgs) -> Result<Topology, Failure> {
    let draft = match (&args.file, args.fat_tree, args.wide_area) {
        (Some(file), ..) => return load(file),
        (None, Some(k), _) => generate::fat_tree(k),
        (None, None, n) => {
            let switches = n.unwrap_or_default();
            generate::wide_area(switches, switches * 3 / 2, args.seed)
        }
    };
    let draft =
        draft.context("a switch would need more ports than it can have").map_err(Failure::BadInput)?;
    draft.build().map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Failure::BadInput(anyhow!(problems.join("\n")))
    })
}

/// Of a fat-tree; the greatest has 20,480 switches and half a million hosts.
fn fat_tree_ports(text: &str) -> Result<usize, String> {
    let ports = text.parse().ok().filter(|k: &usize| (2..=128).contains(k) && k.is_multiple_of(2));
    ports.ok_or("write an even number from 2 to 128".into())
}

fn table(topology: &Topology) -> String {
    let mut text = format!(
        "{} switches ({} of them edges{}), {} links, {} hosts",
        topology.switches().len(),
        topology.edges().len(),
        if topology.hosts().is_empty() { ", for no hosts are named" } else { "" },
        topology.links().len(),
        topology.hosts().len()
    );
    match topology.pieces().len() {
        0 | 1 => {}
        pieces => text += &format!(", in {pieces} pieces"),
    }
    text += "\n\nswitch            links  port width  agent";
    for id in topology.switch_ids() {
        let switch = topology.switch(id);
        let agent = switch.agent.map_or("-".into(), |agent| agent.to_string());
        let links = topology.arcs(id).len();
        text += &format!("\n{:<16}  {links:>5}  {:>10}  {agent}", switch.name, switch.port_width);
    }
    text += "\n\nlink                              capacity  latency  cost  shared risk";
    for id in topology.link_ids() {
        let link = topology.link(id);
        let capacity = link.capacity.map_or("-".into(), |capacity| capacity.to_string());
        let latency = link.latency.map_or("-".into(), |latency| latency.to_string());
        let groups: Vec<_> = link.srlg.iter().map(|group| topology.srlgs()[group.index()].as_str()).collect();
        let (name, groups) = (topology.link_name(id), groups.join(", "));
        text += &format!("\n{name:<32}  {capacity:>8}  {latency:>7}  {:>4}  {groups}", link.cost);
        text.truncate(text.trim_end().len());
    }
    if !topology.hosts().is_empty() {
        text += "\n\nhost              port              MAC                addresses";
    }
    for host in topology.hosts() {
        let mac = host.mac.map_or("-".into(), |mac| mac.to_string());
        let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
        let at = topology.end_name(host.at);
        text += &format!("\n{:<16}  {at:<16}  {mac:<17}  {}", host.name, addresses.join(" "));
        text.truncate(text.trim_end().len());
    }
    text
}

/// The keys of the topology file, every one given.
fn document(topology: &Topology) -> Value {
    let switches = topology
        .switches()
        .iter()
        .map(|s| json!({"name": s.name, "agent": s.agent, "port_width": s.port_width}));
    let links = topology.links().iter().map(|link| {
        let groups: Vec<_> = link.srlg.iter().map(|group| &topology.srlgs()[group.index()]).collect();
        json!({
            "a": topology.end_name(link.a),
            "b": topology.end_name(link.b),
            "capacity": link.capacity.map(|capacity| capacity.to_string()),
            "latency": link.latency.map(|latency| latency.to_string()),
            "cost": link.cost,
            "srlg": groups,
        })
    });
    let hosts = topology.hosts().iter().map(|host| {
        json!({
            "name": host.name,
            "port": topology.end_name(host.at),
            "mac": host.mac.map(|mac| mac.to_string()),
            "addresses": host.addresses,
        })
    });
    json!({
        "switches": switches.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "hosts": hosts.collect::<Vec<_>>(),
    })
}
