//! Events become facts. Nothing is decided here but what is out of date.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use smoc_common::{
    map::{HelloKeys, THIS_EDGE},
    route::{PortNumber, Rank},
    wire::ethernet::MacAddress,
};
use smoc_paths::topology::{SwitchId, Topology};
use tracing::{debug, info, warn};

use super::{
    CATCH_UP, Effect, Event, Frame, Stale, Switch, Wish, meeting, namesakes::Voice, settle::link_names,
};
use crate::{
    clock::Nanos,
    config::Config,
    dataplane::Installed,
    discovery::{
        Heard,
        announcement::{self, Head, Lists, Message, Part},
        inquiry::Inquiry,
        key::Opened,
        lldp, neighbor, presence,
    },
    fabric::Record,
    hosts::{Sighting, Tag, ip_address},
    interfaces::Interfaces,
    liveness::Found,
    plan::PathsTo,
    policy::POLICY,
    ports::Role,
};

/// A neighbour that asks is told all that is known, but no more often than this.
const ANSWER_PAUSE: Duration = Duration::from_millis(200);
/// So many of the map entries that somebody changed are named in the log.
const NAMED_DIFFERENCES: usize = 8;

impl Switch {
    /// Whether anything may follow from it: of a large network's frames most say what is known.
    pub(super) fn take_in(&mut self, event: Event, now: Nanos) -> bool {
        match event {
            Event::Time => true,
            Event::Interfaces(interfaces) => self.interfaces_are(interfaces, now),
            Event::Routes(routes) => {
                self.hosts.routing.read(routes);
                (self.stale.plan, self.stale.view) = (true, true);
                true
            }
            Event::Heard(frame) => self.heard(frame, now),
            Event::Found(found) => self.found(found),
            Event::Configured(config, topology) => {
                let config = self.own_configuration(config);
                self.use_configuration(config, topology, now)
            }
            Event::Inspected { changes, found } => self.inspected(changes, found, now),
            Event::Strayed(stray) => {
                self.inquiries.strayed(stray, now);
                true
            }
            Event::Stored(facts) => self.stored(&facts, now),
            Event::Looked(question, claims) => self.looked(question, claims, now),
            Event::Recorded(records) => self.recorded(&records, now),
            Event::Programs(programs) => {
                self.programs = programs;
                self.stale.ports = true;
                true
            }
            Event::Refused { wish, why } => {
                if self.retries.refused(wish, why, now) {
                    self.stale.view = true;
                }
                match wish {
                    Wish::Socket(port) => drop(self.listening.remove(&port)),
                    Wish::Maps => {
                        self.refused = true;
                        self.effects.push(Effect::Inspect);
                    }
                    Wish::BridgePort(port) => self.agreement.was_refused(port),
                    Wish::Program(_) => {}
                }
                true
            }
        }
    }

    fn interfaces_are(&mut self, interfaces: Interfaces, now: Nanos) -> bool {
        if interfaces == self.interfaces {
            return false;
        }
        let before = std::mem::replace(&mut self.interfaces, interfaces);
        self.number_interfaces(now);
        let ours = self.config.ports.values().chain(&self.config.bridge);
        let same_addresses = before.all_addresses().eq(self.interfaces.all_addresses());
        if same_addresses && ours.clone().all(|name| before.named(name) == self.interfaces.named(name)) {
            return false;
        }
        self.look_at_speeds(now);
        self.limit_hosts(now);
        for (port, name) in &self.config.ports {
            let usable = |interfaces: &Interfaces| interfaces.named(name).is_some_and(|there| there.usable);
            if usable(&before) != usable(&self.interfaces) {
                info!(port = port.get(), interface = name, usable = usable(&self.interfaces), "port changed");
            }
        }
        self.agreement.seen(self.bridge_ports());
        self.neighbors.carriers(&self.with_carrier(), now);
        self.stale = Stale { failures: true, plan: true, ports: true, view: true, ..self.stale };
        true
    }

    fn found(&mut self, found: Found) -> bool {
        let is_news = found.generation == self.generation && self.failures != found.failures;
        if is_news {
            self.failures = found.failures;
            self.stale = Stale { failures: true, view: true, ..self.stale };
        }
        is_news
    }

    fn heard(&mut self, mut frame: Frame, now: Nanos) -> bool {
        if let Some((_, quiet)) = &mut self.catching_up {
            *quiet = now + CATCH_UP.0;
        }
        let is_news = match frame.role {
            _ if lldp::is_one(&frame.bytes) => self.neighbors.hear(frame.port, &frame.bytes, now),
            _ if presence::is_one(&frame.bytes) => {
                self.neighbors.hear_presence(frame.port, &frame.bytes, now)
            }
            Role::Host if announcement::is_one(&frame.bytes) => {
                self.belief.refused += 1;
                false
            }
            Role::Host if !self.config.learn => false,
            Role::Host => self.heard_neighbor(&mut frame, now),
            Role::Fabric => self.heard_agent(&frame, now),
        };
        is_news || self.catching_up.is_some()
    }

    fn heard_agent(&mut self, frame: &Frame, now: Nanos) -> bool {
        if Head::parse(&frame.bytes).is_some_and(|head| self.flood.knows(&head)) {
            return false;
        }
        let Some(Opened { said, is_signed }) = self.neighbors.keys().open(&frame.bytes) else {
            self.belief.refused += 1;
            return false;
        };
        self.belief.untagged += u64::from(!is_signed && !self.config.keys.is_empty());
        match Message::parse(said, now) {
            None => false,
            Some(Message::Question) => {
                self.answer(frame.port, now);
                false
            }
            Some(Message::Part(part)) => self.heard_part(part, frame.port, now),
            Some(Message::Statement(statement)) => self.agreement.hear(frame.port, statement, now),
            Some(Message::Inquiry(Inquiry::Question(question))) => {
                self.heard_question(question, frame.port, now)
            }
            Some(Message::Inquiry(Inquiry::Answer(answer))) => {
                self.heard_answer(&answer, Some(frame.port), now)
            }
        }
    }

    fn heard_neighbor(&mut self, frame: &mut Frame, now: Nanos) -> bool {
        let Some((address, mac)) = neighbor::claim(&mut frame.bytes) else {
            self.glimpsed(frame, now);
            return false;
        };
        let tag = Tag::of(&frame.bytes);
        let is_new = self.hosts.hear(Sighting { address, mac, port: frame.port, seen: now }, tag);
        if is_new {
            debug!(%address, %mac, port = frame.port.get(), "heard of a host");
        }
        self.stale.hosts |= self.hosts.has_changed();
        is_new || self.hosts.has_changed() || self.hosts.is_stirred()
    }

    fn heard_part(&mut self, part: Part, from: PortNumber, now: Nanos) -> bool {
        if !self.is_heeded(&part.origin) {
            return false;
        }
        if part.origin == self.config.switch {
            return self.heard_own(&part, now);
        }
        let lists = match self.heard_of(&part, now) {
            Heard::Known => return self.stale.view,
            Heard::Outdated => {
                let newer: Vec<Part> = self.flood.of(&part.origin).collect();
                self.send_parts(from, &newer, now);
                return false;
            }
            Heard::New => None,
            Heard::Complete(hosts, others) => Some((hosts, others)),
        };
        let others: Vec<PortNumber> = self.fabric_sockets().filter(|port| *port != from).collect();
        for port in others {
            self.send_parts(port, std::slice::from_ref(&part), now);
        }
        if let Some((hosts, others)) = lists {
            let Lists { down, records, contentions, report, behind, signs, digests, api, .. } = *others;
            self.heard_signs(&part.origin, signs);
            self.told_digests(&part.origin, digests, now);
            self.told_api(&part.origin, api);
            self.heard_report(&part.origin, report, now);
            self.recorded(&records, now);
            self.hosts.announced(&part.origin, hosts, now);
            self.stale.plan |= self.hosts.routing.told(&part.origin, behind);
            self.hosts.contended(&part.origin, &contentions, now);
            self.stale.hosts |= self.hosts.has_changed();
            let more = down.iter().any(|port| self.links.down_at(&part.origin).all(|before| before != *port));
            if self.links.told(&part.origin, down.into_iter().collect()) {
                self.stale.links = true;
                self.stale.failures |= more;
            }
        }
        true
    }

    /// An announcement by another run of this switch's agent, or by another switch of its name.
    fn heard_own(&mut self, part: &Part, now: Nanos) -> bool {
        let (boot, said) = self.announcer.number();
        if part.boot == boot {
            return false;
        }
        let before = self.belief.namesakes.count();
        self.belief.namesakes.heard_own(part.boot, part.sequence, said, now);
        self.stale.view |= self.belief.namesakes.count() != before;
        let is_second = self.belief.namesakes.is_second(boot);
        let is_behind = self.announcer.heard_own(part.boot, part.sequence, is_second, now);
        if is_behind && !is_second {
            info!(sequence = part.sequence, "the network remembers a later announcement of this switch");
        }
        is_behind || self.stale.view
    }

    /// Two switches of one name are one again when one of them is gone.
    pub(super) fn forget_namesakes(&mut self, now: Nanos) {
        self.stale.view |= self.belief.namesakes.expire(now);
        if !self.belief.namesakes.is_second(self.announcer.number().0) {
            self.announcer.release();
        }
    }

    /// What to do with a part: one of a switch that has another one's name is passed on and not taken over.
    fn heard_of(&mut self, part: &Part, now: Nanos) -> Heard {
        let before = self.belief.namesakes.count();
        let voice = self.belief.namesakes.heard(&part.origin, part.boot, part.sequence, now);
        self.stale.view |= self.belief.namesakes.count() != before;
        match voice {
            Voice::Heeded => self.flood.hear(part),
            Voice::Other => Heard::New,
            Voice::Known => Heard::Known,
        }
    }

    /// Tells a neighbour all that is known.
    fn answer(&mut self, port: PortNumber, now: Nanos) {
        if self.answered.get(&port).is_some_and(|last| now.since(*last) < ANSWER_PAUSE) {
            return;
        }
        self.answered.insert(port, now);
        let known: Vec<Part> = self.flood.all().chain(self.own_parts(now)).collect();
        self.send_parts(port, &known, now);
    }

    /// What this switch tells all others.
    pub(super) fn own_parts(&self, now: Nanos) -> Vec<Part> {
        // What is not in the maps yet is not told: frames would come that this switch could not deliver.
        let hosts = self.hosts.to_announce(&self.known, self.this);
        let down = self.own_ports_down().into_iter().collect();
        let records = self.records.all().cloned().collect();
        let contentions = self.hosts.to_contend(now);
        let report = self.own_report();
        let behind = self.hosts.routing.own().to_vec();
        // Not before the programs can answer so.
        let signs = self.controller.installed().hello_keys != HelloKeys::default();
        let digests = Some(self.policing.digests.0);
        let api = self.config.fabric_api.as_ref().map(|api| api.place);
        let lists = Lists { hosts, down, records, contentions, report, behind, signs, digests, api };
        announcement::parts(&self.config.switch, self.announcer.number(), &lists)
    }

    /// A switch says whether it signs hellos.
    fn heard_signs(&mut self, origin: &str, signs: bool) {
        let is_other = if signs {
            self.belief.unsigned.remove(origin)
        } else {
            self.belief.unsigned.insert(origin.to_owned())
        };
        if is_other && !self.config.keys.is_empty() {
            (self.stale.ports, self.stale.view) = (true, true);
        }
    }

    /// Takes note of what operators want; whether it is news, which others are told and which is kept.
    pub(super) fn recorded(&mut self, records: &[Record], now: Nanos) -> bool {
        let news: Vec<&Record> = records.iter().filter(|record| self.records.hear(record)).collect();
        for Record { name, text, .. } in news.iter().filter(|record| !record.name.starts_with(POLICY)) {
            info!(name, text, "an operator wants this");
        }
        if news.is_empty() {
            return false;
        }
        if news.iter().any(|record| record.name.starts_with(POLICY)) {
            self.look_at_policy();
            self.digest(now);
        }
        self.effects.push(Effect::Remember(self.records.all().cloned().collect()));
        self.announcer.hurry(now);
        self.stale.links = true;
        true
    }

    pub(super) fn use_configuration(
        &mut self,
        config: Arc<Config>,
        topology: Arc<Topology>,
        now: Nanos,
    ) -> bool {
        let paths_differ = config.paths != self.config.paths;
        if config.keys.are_strict() && !self.config.keys.are_strict() {
            // That was said without a tag.
            self.belief.unsigned.clear();
        }
        self.config = config.with_ports_of(&self.config).map_or(config, Arc::new);
        self.neighbors.set_keys(self.config.keys.clone());
        if paths_differ {
            self.controller.set_options(self.config.paths);
            self.targets = None;
            self.generation += 1;
            self.resolve_policy();
        }
        if topology != self.topology && !self.config.is_discovered() {
            match self.config.place(&topology) {
                Ok(this) => self.topology_changed(topology, this, now),
                Err(error) => warn!(%error, "the topology stays as it was"),
            }
        }
        self.roles = self.current_roles();
        self.neighbors.set_roles(meeting::roles(&self.config, &self.topology, self.this));
        self.limit_hosts(now);
        self.agreement.seen(self.bridge_ports());
        self.stale = Stale::ALL;
        true
    }

    pub(super) fn topology_changed(&mut self, topology: Arc<Topology>, this: SwitchId, now: Nanos) {
        info!(switches = topology.switches().len(), links = topology.links().len(), "the topology changed");
        let book = self.controller.book();
        let paths = std::mem::take(&mut self.failures.paths);
        for (PathsTo { edge, .. }, rank) in paths.into_iter().filter(|(to, _)| to.rule == 0) {
            if let Some(links) = link_names(&self.topology, book, edge, rank) {
                self.left_broken.push((self.topology.switch(edge).name.clone(), rank, links));
            }
        }
        self.topology = topology;
        self.this = this;
        self.controller.topology_changed(this);
        self.targets = None;
        self.generation += 1;
        self.resolve_policy();
        self.digest(now);
        self.hosts.declare(&self.topology, this, now);
        // Hosts are known by numbers of switches, which mean others now.
        self.known = Arc::default();
        self.roles = self.current_roles();
        self.links.told(&self.config.switch, self.own_ports_down());
        self.look_at_links();
        self.want_tree(now);
    }

    /// The maps say something else than was written: somebody else has, or something could not be.
    fn inspected(&mut self, changes: u64, found: Installed, now: Nanos) -> bool {
        if changes != self.changes || found == *self.controller.installed() {
            return false;
        }
        if self.refused {
            // What was refused is tried again when its time has come.
            self.controller.resync(found, now);
            return true;
        }
        let differences = self.controller.installed().differences(&found);
        let some = differences.iter().take(NAMED_DIFFERENCES).cloned().collect::<Vec<_>>().join(", ");
        warn!(count = differences.len(), some, "somebody changed what this agent wrote: it is written again");
        self.controller.resync(found, now);
        self.stale.plan = true;
        true
    }

    /// Learned hosts that are installed are known until somebody says otherwise.
    pub(super) fn remember_hosts(&mut self, now: Nanos) {
        let names = self.controller.names();
        let hosts = self.controller.installed().hosts.iter().filter_map(|(address, host)| {
            let switch = match host.attachment.edge {
                THIS_EDGE => None,
                edge => Some(names.name(edge)?),
            };
            let port = PortNumber::new(host.attachment.port)?;
            Some((switch, Sighting { address: ip_address(*address), mac: host.mac, port, seen: Nanos(0) }))
        });
        self.hosts.remember(hosts, now);
    }

    /// The ranks that an earlier agent found broken.
    pub(super) fn found_broken(&self) -> BTreeSet<(PathsTo, Rank)> {
        let mut paths = BTreeSet::new();
        let installed = self.controller.installed();
        for (&index, slot) in &installed.edges {
            let to = self.controller.toward(&self.topology, index);
            let broken = installed.path_sets.get(slot).map_or(0, |set| set.broken);
            let ranks = (0..Rank::COUNT as u8).filter(|rank| broken >> rank & 1 == 1).map(Rank::new);
            paths.extend(to.into_iter().flat_map(|to| ranks.clone().map(move |rank| (to, rank))));
        }
        paths
    }

    pub(super) fn fabric_sockets(&self) -> impl Iterator<Item = PortNumber> + use<'_> {
        self.listening.iter().filter(|(_, (_, role))| *role == Role::Fabric).map(|(port, _)| *port)
    }

    /// The MAC address of a port that is listened on.
    pub(super) fn socket_mac(&self, port: PortNumber) -> Option<MacAddress> {
        let (index, _) = self.listening.get(&port)?;
        Some(self.interfaces.get(*index)?.mac)
    }

    /// Sends parts of announcements out of one port.
    pub(super) fn send_parts(&mut self, port: PortNumber, parts: &[Part], now: Nanos) {
        let Some(mac) = self.socket_mac(port) else { return };
        for part in parts {
            self.send_sealed(port, part.frame(mac, now));
        }
    }

    /// Sends what agents say to each other, with a tag if the fabric has a key.
    pub(super) fn send_sealed(&mut self, port: PortNumber, frame: Vec<u8>) {
        let sealed = self.neighbors.keys().seal(frame);
        self.effects.push(Effect::Send(port, sealed));
    }

    /// Asks all neighbours what they have heard.
    pub(super) fn ask_neighbors(&mut self) {
        let ports: Vec<PortNumber> = self.fabric_sockets().collect();
        ports.into_iter().for_each(|port| self.ask(port));
    }

    /// Asks the neighbour behind a port what it has heard.
    pub(super) fn ask(&mut self, port: PortNumber) {
        if let Some(mac) = self.socket_mac(port) {
            self.send_sealed(port, announcement::question(mac));
        }
    }
}
