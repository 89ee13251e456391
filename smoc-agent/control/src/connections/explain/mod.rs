//! Why a frame takes the path it takes: the pipeline itself decides about the frames in question, over a model of the maps
//! as they are, and its outcomes and notes are put into words. Beside them stand the facts that it looked up.

mod question;
mod teller;
#[cfg(test)]
mod tests;
mod trial;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};
use smoc_common::{
    frames,
    map::{FlowKey, THIS_EDGE},
    route::PortNumber,
};
use smoc_paths::{
    analysis::network::Network,
    search::PathFinder,
    topology::{End, LinkId, SwitchId},
};

use super::report::{ConnectionReport, Names, report};
use crate::{
    clock::Nanos,
    dataplane::{Exits, Installed, KernelTables},
    hosts::{KnownHost, map_address},
};
pub use question::{Question, QuestionError};
use teller::Teller;
pub use trial::{Trial, TrialHop};

/// The answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// One sentence a step.
    pub story: Vec<String>,
    /// The connections it is about.
    pub connections: Vec<ConnectionReport>,
    /// The frames that were run through the pipeline, in the order of the story.
    #[serde(default)]
    pub frames: Vec<Trial>,
}

/// What the answer is found in.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The maps that the agent writes.
    pub installed: &'a Installed,
    /// Through which ports frames leave.
    pub exits: &'a Exits,
    /// The maps that the kernel fills.
    pub tables: &'a KernelTables,
    /// What they refer to.
    pub names: Names<'a>,
    /// This switch.
    pub this: SwitchId,
    /// The links that are down.
    pub down: &'a BTreeSet<LinkId>,
    /// The links that operators want traffic to leave; they work.
    pub drained: &'a BTreeSet<LinkId>,
    /// Where every address lives.
    pub hosts: &'a BTreeMap<IpAddr, KnownHost>,
    /// Now.
    pub now: Nanos,
}

/// Answers a question.
pub fn explain(question: Question, evidence: Evidence<'_>) -> Explanation {
    let reports = report(evidence.tables, evidence.names, evidence.now);
    let model = evidence.installed.model(evidence.tables, evidence.exits, evidence.now);
    let mut network = network(&evidence);
    if let (Some(network), Question::Flow { source, destination, .. }) = (&mut network, &question) {
        [source, destination].into_iter().for_each(|end| attach_behind_router(network, &evidence, *end));
    }
    let mut teller = Teller::new(evidence, reports, model, network);
    match question {
        Question::Token(token) => teller.token(token),
        Question::Flow { source, source_port, destination, destination_port } => {
            let (local, remote) = (map_address(source), map_address(destination));
            teller.flow(FlowKey::new(local, source_port, remote, destination_port), source, destination);
        }
    }
    teller.told
}

/// Attaches an address that is no host's, but behind a router.
fn attach_behind_router(network: &mut Network<'_>, evidence: &Evidence<'_>, address: IpAddr) {
    if evidence.hosts.contains_key(&address) {
        return;
    }
    let place = || {
        let router = evidence.installed.router(map_address(address))?;
        let port = PortNumber::new(router.attachment.port)?;
        let switch = match router.attachment.edge {
            THIS_EDGE => evidence.this,
            edge => evidence.names.topology.find_switch(evidence.names.names.name(edge)?)?,
        };
        Some((router.mac, End { switch, port }))
    };
    if let Some((mac, at)) = place() {
        network.attach(frames::End { mac, address: map_address(address), port: 0 }, at);
    }
}

/// The other switches, as their agents would have filled their maps; `None` if this topology cannot be searched.
fn network<'a>(evidence: &Evidence<'a>) -> Option<Network<'a>> {
    let Names { topology, book, .. } = evidence.names;
    let unused = book.down().iter().copied().collect();
    let finder = PathFinder::without(topology, book.options(), &unused).ok()?;
    let mut network = Network::new(finder, evidence.down.iter().copied().collect());
    for (address, host) in evidence.hosts {
        let end = frames::End { mac: host.mac, address: map_address(*address), port: 0 };
        network.attach(end, host.at);
    }
    Some(network)
}
