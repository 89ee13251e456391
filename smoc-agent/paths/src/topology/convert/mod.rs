//! Topologies in the formats of others; docs/topologies.md says what is read from each.
//!
//! | format | in | out |
//! |---|---|---|
//! | smoc's own, YAML or JSON; an agent's view | yes | yes |
//! | GraphML | yes | yes |
//! | GML | yes | |
//! | node-link JSON of NetworkX and D3, NetJSON, SNDlib JSON; Cytoscape JSON | yes | node-link |
//! | SNDlib XML and native | yes | |
//! | FNSS XML | yes | |
//! | MiniEdit (mininet), P4 tutorials; mininet's Python where links are written out | yes | |
//! | containerlab | yes | |
//! | Batfish layer-1 topology | yes | |
//! | RFC 8345 (`ietf-network-topology`) JSON | yes | yes |
//! | GNS3 | yes | |
//! | Graphviz DOT | yes | yes |
//!
//! A reader turns its format into a [`sheet::Sheet`], nodes and edges with attributes as text; [`import`] turns that into
//! a draft of ours, the same way for all formats. [`Format`] tells which reader a text needs.

mod agent_view;
mod attributes;
mod batfish;
mod containerlab;
mod directions;
mod dot;
mod fields;
mod fnss;
mod gml;
mod gns3;
mod graphml;
mod import;
mod mininet;
mod mininet_script;
mod node_link;
mod places;
mod ports;
mod remarks;
mod rfc8345;
mod sheet;
mod sndlib;
#[cfg(test)]
mod tests;
mod xml;
mod yaml;

use std::path::Path;

pub use dot::{Colours, dot, quoted};
pub use graphml::to_graphml;
pub use node_link::to_node_link;
pub use rfc8345::to_rfc8345;
pub use yaml::to_yaml;

use super::{Draft, Format, Place, Problem, Section, Topology, TopologyError, TopologyFile};
use crate::input::{self, Fault};
use import::Import;

/// Checks a topology in any format that can be read, recognised by how the text begins and by its keys; `path` is for
/// messages.
///
/// Names that cannot be a switch's are made so; ports without a number get one; links from a switch to itself are left
/// out; the two directions of a link are one. `notes` are told what had to be changed and what was not understood, one
/// line for each kind.
///
/// # Errors
/// The faults in it.
pub fn parse(path: &Path, text: &str, notes: &mut Vec<String>) -> Result<TopologyFile, TopologyError> {
    let text = input::without_mark(text);
    let sheet = match Format::of(text) {
        Format::Smoc => return TopologyFile::read(path, text),
        Format::AgentView => agent_view::read(text),
        Format::GraphMl => graphml::read(text),
        Format::SndlibXml => sndlib::read_xml(text),
        Format::SndlibNative => sndlib::read_native(text),
        Format::Fnss => fnss::read(text),
        Format::Gml => gml::read(text),
        Format::Dot => dot::read(text),
        Format::NodeLink => node_link::read(text),
        Format::Cytoscape => node_link::read_cytoscape(text),
        Format::MiniEdit => mininet::read_miniedit(text),
        Format::MininetScript => mininet_script::read(text),
        Format::P4 => mininet::read_p4(text),
        Format::Containerlab => containerlab::read(text),
        Format::Batfish => batfish::read(text),
        Format::Rfc8345 => rfc8345::read(text),
        Format::Gns3 => gns3::read(text),
        Format::Foreign(what) => Err((0, what)),
        Format::BrokenJson(fault) => Err(fault),
    };
    let imported = sheet.map_err(|fault| vec![fault]).and_then(|sheet| Import::of(sheet, notes));
    let built = imported.and_then(|import| Ok((build(&import)?, import)));
    match built {
        Ok((topology, import)) => Ok(TopologyFile::foreign(path, topology, import.mentions())),
        Err(problems) => Err(TopologyError::Faulty { path: path.into(), problems }),
    }
}

fn build(import: &Import) -> Result<Topology, Vec<Fault>> {
    import.draft.clone().build().map_err(|problems| {
        let mut faults: Vec<_> = problems.iter().map(|problem| of_graph(import, problem)).collect();
        faults.sort();
        faults
    })
}

/// A problem at the nodes, edges and attributes of a graph instead of our sections and keys.
fn of_graph(import: &Import, problem: &Problem) -> Fault {
    let Some(Place { section, entry, field }) = problem.place else { return (0, problem.message.clone()) };
    let attribute = match field {
        "a" => "source_port",
        "b" => "target_port",
        other => other,
    };
    let element = element(&import.draft, section, entry);
    (import.line(section, entry), format!("{element}: {attribute}: {}", problem.message))
}

fn element(draft: &Draft, section: Section, entry: usize) -> String {
    match section {
        Section::Switches => format!("node {}", draft.switches[entry].name),
        Section::Hosts => format!("node {}", draft.hosts[entry].name),
        Section::Links => format!("edge {} - {}", draft.links[entry].a.0, draft.links[entry].b.0),
    }
}
