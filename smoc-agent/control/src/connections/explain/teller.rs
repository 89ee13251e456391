//! The answer in words.

use std::net::IpAddr;

use smoc_common::{
    event::{Action, Note, Outcome},
    map::{Attachment, ConnectionId, EdgeIndex, FlowKey, PathSet, THIS_EDGE, TokenBinding, TokenKey},
    memory::Switch,
    pipeline,
    route::Rank,
    wire::ip::Address,
};
use smoc_paths::{
    analysis::network::{Hop, Network},
    search::Path,
};

use super::{
    Evidence, Explanation,
    trial::{Bench, Outcomes, Sent, beyond, consequence, told},
};
use crate::{
    connections::report::{ConnectionReport, Names, SubflowReport},
    hosts::{KnownHost, Source, map_address},
    plan::EdgePaths,
};

/// The TCP port from which a subflow is tried that nobody has opened yet.
const NEW_PORT: u16 = 49_152;

pub(super) struct Teller<'a> {
    evidence: Evidence<'a>,
    reports: Vec<ConnectionReport>,
    bench: Bench<'a>,
    pub told: Explanation,
}

impl<'a> Teller<'a> {
    pub(super) fn new(
        evidence: Evidence<'a>,
        reports: Vec<ConnectionReport>,
        model: Switch,
        network: Option<Network<'a>>,
    ) -> Self {
        let (this, topology) = (evidence.this, evidence.names.topology);
        let bench = Bench { model, this, topology, network };
        Self { evidence, reports, bench, told: Explanation::default() }
    }

    fn say(&mut self, sentence: String) {
        self.told.story.push(sentence);
    }

    /// All about a flow; `key` is turned round if only its remote host is attached here.
    pub(super) fn flow(&mut self, key: FlowKey, source: IpAddr, destination: IpAddr) {
        let hosts = self.evidence.hosts;
        let ends = [source, destination].map(|address| (address, hosts.get(&address)));
        for (address, host) in ends {
            self.host(address, host);
        }
        let attached = [key.local(), key.remote()]
            .map(|address| self.bench.host(address).map(|host| host.attachment.edge == THIS_EDGE));
        match attached {
            [Some(false), Some(false)] => self.neither(ends.map(|(_, host)| host)),
            [Some(false), Some(true)] => self.answers(&reversed(&key), true),
            [None, Some(true)] => self.answers(&reversed(&key), false),
            _ => self.departure(&key),
        }
    }

    fn host(&mut self, address: IpAddr, host: Option<&KnownHost>) {
        let Some(host) = host else {
            if let Some(router) = self.bench.host(map_address(address)) {
                let mac = router.mac;
                self.say(format!(
                    "{address} is behind the router with MAC {mac}: its prefix in the topology file is the longest."
                ));
                return;
            }
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
        if self.bench.host(map_address(address)).is_none() {
            self.say(format!("{address} is not in the map HOSTS (yet): the packet path does not know it."));
        }
    }

    fn neither(&mut self, hosts: [Option<&KnownHost>; 2]) {
        let topology = self.evidence.names.topology;
        let [a, b] = hosts
            .map(|host| host.map_or("?", |host| topology.switch(host.at.switch).name.as_str()).to_owned());
        self.say(format!(
            "Neither is attached to this switch, which only pops ports off routes: ask the agent of {a} or {b}."
        ));
    }

    /// The question is about frames of the remote host: how they are delivered, then the other direction, whose path is
    /// the same.
    fn answers(&mut self, key: &FlowKey, is_remote_known: bool) {
        let rank = Rank::new(self.bench.flow(key).map_or(0, |flow| flow.rank));
        let outcomes = self.bench.arrives(Sent::Data, key, is_remote_known.then_some(rank));
        self.outcomes(outcomes);
        if is_remote_known {
            self.say("The other direction, sent from here:".into());
            self.departure(key);
        }
    }

    /// What becomes of frames that the local host of `key` sends.
    fn departure(&mut self, key: &FlowKey) {
        if let Some(edge) = self.bench.host(key.remote()).map(|host| host.attachment.edge)
            && edge != THIS_EDGE
        {
            let toward = self.rule(key, edge);
            self.edge(toward);
            self.substitutes(toward);
        }
        if self.known_subflow(key) {
            return;
        }
        let is_redirected = self.departs(Sent::Data, key);
        if is_redirected {
            self.departs(Sent::MptcpData, key);
            self.departs(Sent::Capable, key);
        }
    }

    /// The local host sends this: what becomes of it, and whether it is sent into the fabric.
    fn departs(&mut self, sent: Sent, key: &FlowKey) -> bool {
        let outcomes = self.bench.leaves(sent, key);
        let is_redirected = outcomes.is_redirected();
        self.outcomes(outcomes);
        is_redirected
    }

    /// Which rule of policy is about the two hosts; the index whose paths they take.
    fn rule(&mut self, key: &FlowKey, edge: EdgeIndex) -> EdgeIndex {
        let policies = self.evidence.names.policies;
        let number = policies.rules().between_addresses(&key.local(), &key.remote());
        let Some(choice) = policies.rules().choice(number) else { return edge };
        let (name, does) = (&choice.rule.name, choice.rule.does());
        let toward = pipeline::toward(&self.bench.model, &key.local(), &key.remote(), edge);
        if self.evidence.names.names.rule(toward) != number {
            let why = match &choice.problems[..] {
                [] => "its paths are not in the maps (yet)".to_owned(),
                problems => problems.join("; "),
            };
            self.say(format!(
                "Rule \"{name}\" of the policy is about the two ({does}), but {why}: they take the paths of all others."
            ));
            return toward;
        }
        let topology = self.evidence.names.topology;
        let there = self.evidence.names.names.name(edge).and_then(|name| topology.find_switch(name));
        let unmet = there.and_then(|there| policies.unmet(number).remove(&there)).unwrap_or_default();
        let not: String = unmet.iter().map(|unmet| format!(" It is not met: {unmet}.")).collect();
        self.say(format!("Rule \"{name}\" of the policy chooses the paths of the two: {does}.{not}"));
        toward
    }

    fn edge(&mut self, edge: EdgeIndex) {
        let name = self.evidence.names.names.name(edge).unwrap_or("?").to_owned();
        self.say(match self.bench.model.path_sets.get(&edge).map_or(0, |set| set.count) {
            0 => format!("No path leads to {name}."),
            1 => format!("1 path leads to {name}: every rank means it."),
            count => format!(
                "{count} ranked paths lead to {name}: the n-th subflow of a connection takes rank n, wrapping around."
            ),
        });
    }

    /// The ranked paths that an index means.
    fn paths(&self, index: EdgeIndex) -> Option<&'a EdgePaths> {
        let Names { topology, names, book, policies } = self.evidence.names;
        let edge = topology.find_switch(names.name(index)?)?;
        let rule = names.rule(index);
        if rule == 0 { book.to(edge) } else { policies.book(rule)?.to(edge) }
    }

    /// Why a path is left, if it is: a link that it needs is down or drained.
    fn left(&self, path: &Path) -> Option<String> {
        let (down, drained) = (self.evidence.down, self.evidence.drained);
        let unused = self.evidence.names.book.down();
        let link = path.links.iter().find(|link| unused.contains(link))?;
        let why = match (down.contains(link), drained.contains(link)) {
            (false, true) => "drained",
            _ => "down",
        };
        Some(format!("{}, which is {why}", self.evidence.names.topology.link_name(*link)))
    }

    /// Which ranks take other paths than their own for now.
    fn substitutes(&mut self, index: EdgeIndex) {
        let Some(paths) = self.paths(index) else { return };
        for rank in 0..paths.ranked.len() {
            if let Some(why) = paths.instead_of(rank).and_then(|planned| self.left(planned)) {
                self.say(format!("The own path of rank {rank} needs {why}: it takes another one meanwhile."));
            }
        }
    }

    /// A subflow that the tables have: what is known of it and what becomes of its frames; false if there is none.
    fn known_subflow(&mut self, key: &FlowKey) -> bool {
        let is_it = |subflow: &&SubflowReport| key_of(subflow) == *key;
        let found = self.reports.iter().find_map(|connection| {
            connection.subflows.iter().find(is_it).map(|subflow| (connection.clone(), subflow.clone()))
        });
        let Some((connection, subflow)) = found else { return false };
        self.connection(&connection);
        self.subflow(&subflow, &connection);
        self.told.connections.push(connection);
        true
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

    fn subflow(&mut self, subflow: &SubflowReport, connection: &ConnectionReport) {
        let ends = format!(
            "{} port {} to {} port {}",
            subflow.local.address, subflow.local.port, subflow.remote.address, subflow.remote.port
        );
        let rank = subflow.rank;
        let why = match (subflow.hashed, subflow.initial, connection.id) {
            (true, ..) => format!(
                "its token was unknown or ambiguous when its SYN passed, so rank {rank} was chosen by hash"
            ),
            (_, true, None) => format!("it is in its handshake and has rank {rank}"),
            (_, true, _) if rank == 0 => "the initial subflow, so it has rank 0".to_owned(),
            (_, true, _) => format!("the initial subflow, whose SYN had to move to rank {rank}"),
            (_, false, None) => format!("its connection is not known any more; its rank stays {rank}"),
            (_, false, Some(id)) => {
                let first = self.bench.model.connections.entries.get(&id).map_or(0, |known| known.first_rank);
                format!(
                    "an additional subflow with rank {rank}, counted on from the initial one's rank {first}"
                )
            }
        };
        self.say(format!("Subflow {ends} ({}): {why}.", subflow.state));
        let key = key_of(subflow);
        let outcomes = self.bench.leaves(Sent::Data, &key);
        if outcomes.here().has(Note::FailedOver) || outcomes.here().has(Note::Detoured) {
            self.why_not(&key, rank);
        }
        self.outcomes(outcomes);
    }

    /// Why frames do not take the path of their own rank.
    fn why_not(&mut self, key: &FlowKey, rank: u8) {
        let edge = self.bench.flow(key).map_or(THIS_EDGE, |flow| flow.remote.edge);
        let Some(&PathSet { count, broken, paths, .. }) = self.bench.model.path_sets.get(&edge) else {
            return;
        };
        let rank = rank % count.max(1);
        let port = paths[usize::from(Rank::new(rank).get())].port;
        let is_broken = broken >> rank & 1 == 1;
        let current = self.paths(edge).and_then(|paths| paths.ranked.get(usize::from(rank)));
        if let Some(why) = current.and_then(|path| self.left(path)) {
            return self.say(format!("Rank {rank} needs {why}, and no other path is left for it."));
        }
        self.say(match (is_broken, self.bench.model.down.contains(&port)) {
            (true, true) => format!("Rank {rank} is marked as broken: probes do not come back; and its first port, {port}, is DOWN."),
            (true, false) => format!("Rank {rank} is marked as broken: probes do not come back."),
            (false, _) => format!("Rank {rank} starts at port {port}, which is DOWN."),
        });
    }

    /// What the pipeline did with a frame.
    fn outcomes(&mut self, Outcomes { trial, hops }: Outcomes) {
        let here = &hops[0].run;
        let outcome = here.verdict.outcome;
        let mut text = format!(
            "A {} from {} port {} to {} port {}, from a {} port: {}. {}",
            trial.frame,
            trial.from.address,
            trial.from.port,
            trial.to.address,
            trial.to.port,
            trial.through,
            outcome.name(),
            outcome.help()
        );
        for note in &here.notes {
            text += &format!(" {}", told(*note));
        }
        text += &match trial.hops[0].port {
            None => format!(" {}", consequence(outcome)),
            Some(port) if outcome == Outcome::Delivered => format!(" It leaves through port {port}."),
            Some(port) => {
                let on = match trial.rank.filter(|_| outcome != Outcome::Plain) {
                    Some(rank) => format!("rank {rank}"),
                    None => "a path of least cost".to_owned(),
                };
                format!(" It leaves through port {port} on {on}.")
            }
        };
        self.say(text.trim_end().to_owned());
        self.told.frames.push(trial);
        if hops.len() > 1 {
            self.way(&hops);
        } else if here.verdict.outcome.action() == Action::Redirect && outcome != Outcome::Delivered {
            let port = here.verdict.port;
            self.say(format!(
                "Where it comes behind port {port} is not known: the topology has no link there that is up."
            ));
        }
    }

    /// The switches that a frame passes.
    fn way(&mut self, hops: &[Hop]) {
        let topology = self.evidence.names.topology;
        let name = |hop: &Hop| topology.switch(hop.switch).name.as_str();
        let switches: Vec<_> = hops.iter().map(name).collect();
        let links: Vec<_> =
            hops.iter().filter_map(|hop| hop.link).map(|link| topology.link_name(link)).collect();
        let last = &hops[hops.len() - 1];
        let end = last.run.verdict;
        let rank = hops[0].run.label.map_or(0, |label| label.rank().get());
        let which = match hops[0].run.verdict.outcome {
            Outcome::Plain => "The path".to_owned(),
            _ => format!("Rank {rank}"),
        };
        let mut text = format!("{which} runs {} over {}", switches.join(" - "), links.join(", "));
        text += &match end.outcome {
            Outcome::Delivered => format!("; {} delivers through port {}.", name(last), end.port),
            other => {
                format!("; {} says {}: {} {}", name(last), other.name(), other.help(), consequence(other))
            }
        };
        for hop in &hops[1..] {
            for note in beyond(&hop.run) {
                text += &format!(" At {}, {}", name(hop), told(note));
            }
        }
        self.say(text.trim_end().to_owned());
    }

    /// All about a token.
    pub(super) fn token(&mut self, token: u32) {
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
            self.binding(&key, &binding);
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

    /// A token that is bound, and a join with it to each connection that it may mean.
    fn binding(&mut self, key: &TokenKey, binding: &TokenBinding) {
        let text = format!("{:08x}", key.token);
        let claims: Vec<_> = binding.connections.iter().filter_map(|id| self.claim(key.token, *id)).collect();
        self.say(match &claims[..] {
            _ if binding.crowded == 1 => {
                format!("More than two connections have claimed token {text}: its joins get a rank by hash.")
            }
            [] => format!("The connection of token {text} is forgotten: its joins get a rank by hash."),
            [claim] => format!(
                "Token {text} belongs to a host behind {} and means connection {}, wherever the host is joined: a join \
                 with it becomes the next subflow of that connection.",
                claim.place, claim.id
            ),
            claims => {
                let claims: Vec<_> =
                    claims.iter().map(|claim| format!("connection {} behind {}", claim.id, claim.place)).collect();
                format!(
                    "Token {text} means the connection whose host is where the join goes, if that is one of {}; a join \
                     to anywhere else, or to both, gets a rank by hash.",
                    claims.join(" and ")
                )
            }
        });
        for Claim { initial, at, .. } in claims {
            let join = Sent::Join(key.token);
            let outcomes = if at.edge == THIS_EDGE {
                let key = FlowKey::new(initial.local(), initial.local_port(), initial.remote(), NEW_PORT);
                self.bench.arrives(join, &key, Some(Rank::BEST))
            } else {
                let key = FlowKey::new(initial.local(), NEW_PORT, initial.remote(), initial.remote_port());
                self.bench.leaves(join, &key)
            };
            self.outcomes(outcomes);
        }
    }

    /// A connection that is there, and where its host with this token is attached.
    fn claim(&self, token: u32, id: ConnectionId) -> Option<Claim> {
        let connection = self.bench.model.connections.entries.get(&id)?;
        let at = if connection.local_token == token { connection.local } else { connection.remote };
        let edge = self.evidence.names.names.name(at.edge).unwrap_or("?");
        Some(Claim { id, initial: connection.initial, at, place: format!("{edge}:{}", at.port) })
    }
}

/// A connection that a token may mean.
struct Claim {
    id: ConnectionId,
    initial: FlowKey,
    /// Where its host with the token is attached, as numbers and in words.
    at: Attachment,
    place: String,
}

fn key_of(SubflowReport { local, remote, .. }: &SubflowReport) -> FlowKey {
    let address = |address: IpAddr| -> Address { map_address(address) };
    FlowKey::new(address(local.address), local.port, address(remote.address), remote.port)
}

fn reversed(key: &FlowKey) -> FlowKey {
    FlowKey::new(key.remote(), key.remote_port(), key.local(), key.local_port())
}
