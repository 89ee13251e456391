//! Why a frame takes the path it takes, told step by step as the packet path decides.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use smoc_common::map::{ConnectionId, FlowKey};

use super::report::{ConnectionReport, Names, SubflowReport, report};
use crate::{
    clock::Nanos,
    config::Spread,
    dataplane::KernelTables,
    hosts::{KnownHost, Source, map_address},
};
use smoc_paths::{search::Path, topology::SwitchId};

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A flow; either direction.
    Flow {
        /// Source address.
        source: IpAddr,
        /// Source port.
        source_port: u16,
        /// Destination address.
        destination: IpAddr,
        /// Destination port.
        destination_port: u16,
    },
    /// All connections with this token.
    Token(u32),
}

/// The answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// One sentence a step.
    pub story: Vec<String>,
    /// The connections it is about.
    pub connections: Vec<ConnectionReport>,
}

/// What the answer is found in.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The kernel's tables.
    pub tables: &'a KernelTables,
    /// What they refer to.
    pub names: Names<'a>,
    /// This switch.
    pub this: SwitchId,
    /// Where every address lives.
    pub hosts: &'a BTreeMap<IpAddr, KnownHost>,
    /// Which ports are usable, by number.
    pub usable: &'a BTreeMap<u16, bool>,
    /// What happens to other traffic.
    pub spread: Spread,
    /// Now.
    pub now: Nanos,
}

/// Answers a question.
pub fn explain(question: Question, evidence: Evidence<'_>) -> Explanation {
    let mut teller = Teller {
        evidence,
        reports: report(evidence.tables, evidence.names, evidence.now),
        told: Explanation::default(),
    };
    match question {
        Question::Token(token) => teller.token(token),
        Question::Flow { source, source_port, destination, destination_port } => {
            let (local, remote) = (map_address(source), map_address(destination));
            let key = FlowKey::new(local, source_port, remote, destination_port);
            teller.flow(key, source, destination);
        }
    }
    teller.told
}

struct Teller<'a> {
    evidence: Evidence<'a>,
    reports: Vec<ConnectionReport>,
    told: Explanation,
}

impl Teller<'_> {
    fn say(&mut self, sentence: String) {
        self.told.story.push(sentence);
    }

    /// A connection that is there, and where its host with this token is attached.
    fn claim(&self, token: u32, id: ConnectionId) -> Option<(ConnectionId, String)> {
        let (_, connection) = self.evidence.tables.connections.iter().find(|(known, _)| *known == id)?;
        let at = if connection.local_token == token { connection.local } else { connection.remote };
        let edge = self.evidence.names.names.name(at.edge).unwrap_or("?");
        Some((id, format!("{edge}:{}", at.port)))
    }

    fn token(&mut self, token: u32) {
        let text = format!("{token:08x}");
        let bound = self.evidence.tables.tokens.iter().filter(|(key, _)| key.token == token);
        let bound: Vec<_> = bound.copied().collect();
        if bound.is_empty() {
            self.say(format!(
                "Token {text} is not bound here: no connection's handshake with it has passed this switch, or it \
                 was evicted. A join with it gets a rank by hash (counter join_unknown_token)."
            ));
        }
        for (key, binding) in bound {
            let claims: Vec<_> =
                binding.connections.iter().filter_map(|id| self.claim(key.token, *id)).collect();
            match &claims[..] {
                _ if binding.crowded == 1 => self.say(format!(
                    "More than two connections have claimed token {text}: its joins get a rank by hash."
                )),
                [] => self.say(format!("The connection of token {text} is forgotten: its joins get a rank by hash.")),
                [(id, place)] => self.say(format!(
                    "Token {text} belongs to a host behind {place} and means connection {id}, wherever the host is \
                     joined: a join with it becomes the next subflow of that connection."
                )),
                claims => {
                    let claims: Vec<_> =
                        claims.iter().map(|(id, place)| format!("connection {id} behind {place}")).collect();
                    self.say(format!(
                        "Token {text} means the connection whose host is where the join goes, if that is one of \
                         {}; a join to anywhere else, or to both, gets a rank by hash.",
                        claims.join(" and ")
                    ));
                }
            }
        }
        let owns = |report: &&ConnectionReport| {
            report.tokens.as_ref().is_some_and(|tokens| tokens.local == text || tokens.remote == text)
        };
        let connections: Vec<_> = self.reports.iter().filter(owns).cloned().collect();
        for connection in &connections {
            self.connection(connection);
            connection.subflows.iter().for_each(|subflow| self.subflow(subflow, connection));
        }
        self.told.connections = connections;
    }

    fn connection(&mut self, connection: &ConnectionReport) {
        let (Some(id), Some(tokens)) = (connection.id, &connection.tokens) else { return };
        self.say(format!(
            "Connection {id}: MPTCP v{}, opened by the {} host, token {} here and {} there, {} subflows.",
            connection.version.unwrap_or_default(),
            connection.opened_by.as_deref().unwrap_or("?"),
            tokens.local,
            tokens.remote,
            connection.subflows.len()
        ));
    }

    fn flow(&mut self, key: FlowKey, source: IpAddr, destination: IpAddr) {
        let ends = [source, destination].map(|address| (address, self.evidence.hosts.get(&address).cloned()));
        for (address, host) in &ends {
            self.host(*address, host.as_ref());
        }
        let [(_, Some(from)), (_, Some(to))] = &ends else {
            self.say("Frames from or to an unknown host are left to the kernel: the base network.".into());
            return;
        };
        let here = self.evidence.this;
        let (key, far) = match (from.at.switch == here, to.at.switch == here) {
            (true, true) => {
                self.say(
                    "Both are attached to this switch: the kernel's bridge carries it, without a path."
                        .into(),
                );
                return;
            }
            (true, false) => (key, to.at.switch),
            (false, true) => (reversed(&key), from.at.switch),
            (false, false) => {
                let topology = self.evidence.names.topology;
                let [a, b] = [from, to].map(|host| topology.switch(host.at.switch).name.clone());
                self.say(format!(
                    "Neither is attached to this switch, which only pops ports off routes: ask the agent of {a} or {b}."
                ));
                return;
            }
        };
        self.edge(far);
        if !self.known_flow(&key) {
            self.other_traffic(far);
        }
    }

    fn host(&mut self, address: IpAddr, host: Option<&KnownHost>) {
        let Some(host) = host else {
            self.say(format!(
                "{address} is no known host: neither the file nor ARP or neighbour discovery tell of it."
            ));
            return;
        };
        let how = match host.source {
            Source::File => "the topology file says so",
            Source::Learned => "learned here from ARP or neighbour discovery",
            Source::Announced => "announced by that switch's agent",
        };
        let name = host.name.as_deref().map_or_else(String::new, |name| format!(" ({name})"));
        let at = self.evidence.names.topology.end_name(host.at);
        self.say(format!("{address}{name} has MAC {} and is attached to {at}: {how}.", host.mac));
    }

    fn edge(&mut self, far: SwitchId) {
        let Names { topology, book, .. } = self.evidence.names;
        let name = topology.switch(far).name.clone();
        let count = book.to(far).map_or(0, |paths| paths.ranked.len());
        self.say(match count {
            0 => format!("No path leads to {name}: its frames are left to the kernel."),
            1 => format!("1 path leads to {name}: every rank means it."),
            _ => format!("{count} ranked paths lead to {name}: the n-th subflow of a connection takes rank n, wrapping around."),
        });
    }

    fn known_flow(&mut self, key: &FlowKey) -> bool {
        let is_it = |subflow: &&SubflowReport| {
            map_address(subflow.local.address) == key.local()
                && map_address(subflow.remote.address) == key.remote()
                && (subflow.local.port, subflow.remote.port) == (key.local_port(), key.remote_port())
        };
        let found = self.reports.iter().find_map(|connection| {
            connection.subflows.iter().find(is_it).map(|subflow| (connection.clone(), subflow.clone()))
        });
        let Some((connection, subflow)) = found else { return false };
        self.connection(&connection);
        self.subflow(&subflow, &connection);
        self.told.connections.push(connection);
        true
    }

    fn subflow(&mut self, subflow: &SubflowReport, connection: &ConnectionReport) {
        let ends = format!(
            "{} port {} to {} port {}",
            subflow.local.address, subflow.local.port, subflow.remote.address, subflow.remote.port
        );
        let rank = subflow.rank;
        let position = connection.subflows.iter().position(|other| other == subflow).unwrap_or(0);
        let why = match (subflow.hashed, subflow.initial, connection.id) {
            (true, ..) => format!(
                "its token was unknown or ambiguous when its SYN passed, so rank {rank} was chosen by hash"
            ),
            (_, true, None) => format!("it is in its handshake and has rank {rank}"),
            (_, true, _) => format!("the initial subflow, so it has rank {rank}"),
            (_, false, None) => format!("its connection is not known any more; its rank stays {rank}"),
            (_, false, _) => format!("subflow {position} of those open now (from 0), with rank {rank}"),
        };
        self.say(format!("Subflow {ends} ({}): {why}.", subflow.state));
        self.path(&subflow.switches, &subflow.links, rank);
    }

    fn path(&mut self, switches: &[String], links: &[String], rank: u8) {
        let Some(first) = links.first() else {
            self.say(format!(
                "Rank {rank} is no path now: frames take it modulo the number of ranks, or the base network."
            ));
            return;
        };
        let topology = self.evidence.names.topology;
        let end = topology.find_link(first).and_then(|link| topology.link(link).end_at(self.evidence.this));
        let port = end.map_or(0, |end| end.port.get());
        let state = match self.evidence.usable.get(&port) {
            Some(true) => "is up",
            Some(false) => "is DOWN, so its frames take another rank while that lasts",
            None => "is not configured",
        };
        self.say(format!(
            "Rank {rank} runs {} over {}; its first port, {port}, {state}.",
            switches.join(" - "),
            links.join(", ")
        ));
    }

    fn other_traffic(&mut self, far: SwitchId) {
        let Names { topology, book, .. } = self.evidence.names;
        let ranked: &[Path] = book.to(far).map_or(&[], |paths| &paths.ranked);
        let Some(best) = ranked.first() else { return };
        let seen = if self.evidence.tables.flows.is_empty() {
            "The flow table is empty"
        } else {
            "It is in no table"
        };
        self.say(match self.evidence.spread {
            Spread::None => format!("{seen}: as other traffic than MPTCP it rides rank 0."),
            Spread::Flows => format!("{seen}: as other traffic it is hashed over the ranks of least cost."),
        });
        let switches: Vec<_> =
            best.switches.iter().map(|switch| topology.switch(*switch).name.clone()).collect();
        let links: Vec<_> = best.links.iter().map(|link| topology.link_name(*link)).collect();
        self.path(&switches, &links, 0);
        self.say(
            "An MPTCP subflow whose handshake was not seen would be hashed over all ranks instead.".into(),
        );
    }
}

fn reversed(key: &FlowKey) -> FlowKey {
    FlowKey::new(key.remote(), key.remote_port(), key.local(), key.local_port())
}

#[cfg(test)]
mod tests {
    use std::path::Path as FilePath;

    use smoc_common::map::{Attachment, Connection, Flow, TokenBinding, TokenKey};

    use super::*;
    use crate::{
        hosts::HostTable,
        plan::{EdgeNames, PathBook},
    };
    use smoc_paths::{search::PathOptions, topology::TopologyFile};

    const TOPOLOGY: &str = r#"
links: [{a: "e1:1", b: "m1:1"}, {a: "m1:2", b: "e2:1"}]
hosts:
  - {name: h1, port: "e1:9", mac: "02:00:00:00:00:01", addresses: [10.0.0.1]}
  - {name: h3, port: "e1:8", mac: "02:00:00:00:00:03", addresses: [10.0.0.3]}
  - {name: h2, port: "e2:9", mac: "02:00:00:00:00:02", addresses: [10.0.0.2]}
"#;

    fn ask(question: Question, tables: &KernelTables, up: bool) -> String {
        let topology = TopologyFile::parse(FilePath::new("t.yaml"), TOPOLOGY).unwrap().topology;
        let mut names = EdgeNames::found(&Default::default(), "e1");
        names.index("e2");
        let mut book = PathBook::new(SwitchId(0), PathOptions::default());
        book.extend(&topology, &[SwitchId(1)].into()).unwrap();
        let hosts = HostTable::default().resolve(&topology, SwitchId(0));
        let evidence = Evidence {
            tables,
            names: Names { topology: &topology, names: &names, book: &book },
            this: SwitchId(0),
            hosts: &hosts,
            usable: &BTreeMap::from([(1, up)]),
            spread: Spread::None,
            now: Nanos(0),
        };
        explain(question, evidence).story.join("\n")
    }

    fn flow(source: &str, destination: &str) -> Question {
        let [source, destination] = [source, destination].map(|text| text.parse().unwrap());
        Question::Flow { source, source_port: 1000, destination, destination_port: 80 }
    }

    fn tables() -> KernelTables {
        let [local, remote] = ["10.0.0.1", "10.0.0.2"].map(|text| map_address(text.parse().unwrap()));
        let key = FlowKey::new(local, 1000, remote, 80);
        let remote = Attachment { edge: 1, port: 9 };
        let connection = Connection { remote_token: 0xbeef, remote, version: 1, ..Connection::default() };
        let token = TokenKey { token: 0xbeef };
        KernelTables {
            flows: vec![(key, Flow { connection: 3, remote, ..Flow::default() })],
            connections: vec![(3, connection)],
            tokens: vec![(token, TokenBinding { connections: [3, 0], ..TokenBinding::default() })],
            ..KernelTables::default()
        }
    }

    #[test]
    fn a_known_subflow_is_explained_from_either_direction() {
        let mut reply = flow("10.0.0.2", "10.0.0.1");
        if let Question::Flow { source_port, destination_port, .. } = &mut reply {
            (*source_port, *destination_port) = (80, 1000);
        }
        for question in [flow("10.0.0.1", "10.0.0.2"), reply] {
            let story = ask(question, &tables(), true);
            for part in [
                "10.0.0.1 (h1) has MAC 02:00:00:00:00:01 and is attached to e1:9: the topology file says so.",
                "1 path leads to e2",
                "Connection 3: MPTCP v1",
                "the initial subflow, so it has rank 0",
                "Rank 0 runs e1 - m1 - e2 over e1:1-m1:1, m1:2-e2:1; its first port, 1, is up.",
            ] {
                assert!(story.contains(part), "{part} in\n{story}");
            }
        }
    }

    #[test]
    fn other_traffic_rides_rank_0() {
        let story = ask(flow("10.0.0.3", "10.0.0.2"), &tables(), false);
        assert!(story.contains("as other traffic than MPTCP it rides rank 0"), "{story}");
        assert!(story.contains("its first port, 1, is DOWN"), "{story}");
    }

    #[test]
    fn what_has_no_path_is_said_to_have_none() {
        let story = ask(flow("10.0.0.9", "10.0.0.2"), &tables(), true);
        assert!(story.contains("10.0.0.9 is no known host") && story.contains("base network"), "{story}");
        let story = ask(flow("10.0.0.1", "10.0.0.3"), &tables(), true);
        assert!(story.contains("Both are attached to this switch"), "{story}");
    }

    #[test]
    fn tokens_are_followed_to_their_connection() {
        let story = ask(Question::Token(0xbeef), &tables(), true);
        assert!(
            story.contains("Token 0000beef belongs to a host behind e2:9 and means connection 3"),
            "{story}"
        );
        assert!(story.contains("Subflow 10.0.0.1 port 1000 to 10.0.0.2 port 80 (established)"), "{story}");
        let mut two = tables();
        two.connections.push((4, Connection { ..two.connections[0].1 }));
        two.tokens[0].1.connections[1] = 4;
        let story = ask(Question::Token(0xbeef), &two, true);
        assert!(story.contains("connection 3 behind e2:9 and connection 4 behind e2:9"), "{story}");
        assert!(ask(Question::Token(1), &two, true).contains("Token 00000001 is not bound here"));
    }
}
