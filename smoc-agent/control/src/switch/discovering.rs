//! Where no file says what the network is: this switch reports who is behind its ports, hears what others report, and all put
//! the same network together ([`crate::fabric::assemble`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use smoc_common::{map::Port, route::PortNumber};
use smoc_paths::topology::{SwitchId, Topology, check_name};

use super::{Stale, Switch};
use crate::{
    base_network::{Neighbor, Tree},
    clock::Nanos,
    config::Config,
    fabric::{Adjacency, Report, assemble},
    neighbors::{Peer, Standing},
    ports::{Role, Roles},
    store::Facts,
};

/// A switch of which nothing was heard for so long is no part of the network any more.
const LEASE: Duration = Duration::from_secs(600);
/// The same of a switch that is not in the fabric's store: agents repeat every 5 s what they announce.
const UNSTORED: Duration = Duration::from_secs(30);
/// What does not fit together after so long is worth a warning.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often, and how far apart, a switch that was just met is asked what it has heard: it may not listen yet.
const ASKS: (u8, Duration) = (4, Duration::from_millis(150));

/// What is known of the network where it is discovered.
#[derive(Clone, Debug, Default)]
pub(super) struct Discovered {
    /// By switch, with the time when it was last heard.
    reports: BTreeMap<String, (Report, Nanos)>,
    /// What the fabric's store says, if there is one that has said anything.
    stored: Option<BTreeMap<String, Report>>,
    /// They say something else than the topology has.
    is_news: bool,
    /// What does not fit together, and since when it is as it is.
    discords: Vec<String>,
    since: Nanos,
    /// Whether it is told already.
    told: bool,
    /// What the ports carried when they last had carrier, in Mbit/s: a link that fails keeps its capacity.
    speeds: BTreeMap<PortNumber, u32>,
    /// When neighbours are to be asked again, and how often.
    asks: BTreeMap<PortNumber, (Nanos, u8)>,
}

impl Discovered {
    /// Whether the topology is out of date.
    pub(super) fn is_news(&self) -> bool {
        self.is_news
    }

    /// What each switch says: what it announces, and of others what the store says.
    fn of_all(&self) -> BTreeMap<String, Report> {
        let mut all = self.stored.clone().unwrap_or_default();
        all.extend(self.reports.iter().map(|(name, (report, _))| (name.clone(), report.clone())));
        all
    }

    /// When a neighbour is to be asked.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.asks.values().map(|(at, _)| *at).min()
    }
}

/// The network of a switch that has heard of no other one.
pub fn lone(config: &Config) -> (Arc<Topology>, SwitchId) {
    alone(config, config.discovered_width())
}

/// The same, with this width of its port numbers.
pub(super) fn alone(config: &Config, port_width: u8) -> (Arc<Topology>, SwitchId) {
    let report = Report { port_width, adjacencies: Vec::new() };
    (assemble(&BTreeMap::from([(config.switch.clone(), report)])).topology.into(), SwitchId(0))
}

impl Switch {
    /// The ports that have a switch behind them, as far as their neighbours have told, or an earlier agent found.
    pub(super) fn found_roles(&self) -> Roles {
        let is_fabric = |standing: &Standing| matches!(standing, Standing::Fabric(_) | Standing::Awaited);
        let fabric = self.neighbors.all().filter(|(_, standing)| is_fabric(standing));
        Roles::with(fabric.map(|(port, _)| port).collect())
    }

    /// The ports that are fabric ports in the maps.
    pub(super) fn left_fabric(&self) -> BTreeSet<PortNumber> {
        let ports = self.controller.installed().ports.iter();
        ports.filter(|(_, entry)| entry.port.role == Port::FABRIC).map(|(port, _)| *port).collect()
    }

    /// Who is behind the ports is not as it was.
    pub(super) fn neighbors_changed(&mut self, now: Nanos) {
        if !self.config.is_discovered() {
            return;
        }
        let roles = self.found_roles();
        if roles != self.roles {
            let is_met =
                |port: &&PortNumber| roles.of(**port) == Role::Fabric && self.roles.of(**port) == Role::Host;
            let met: Vec<PortNumber> = self.config.ports.keys().filter(is_met).copied().collect();
            self.discovered.asks.extend(met.iter().map(|port| (*port, (now, ASKS.0))));
            if self.filled {
                self.begin_down(&met);
            }
            self.roles = roles;
            self.listen(now);
        }
        self.tell_report(now);
        self.want_tree(now);
    }

    /// A link that is found while the switch runs counts as one that comes back: it is down until hellos have come back for
    /// long enough.
    fn begin_down(&mut self, ports: &[PortNumber]) {
        self.failures.ports.extend(ports);
        // What the prober says next is said of these ports too.
        self.generation += 1;
        self.targets = None;
        self.stale = Stale { failures: true, ..self.stale };
    }

    /// Takes note of what the ports carry, and tells it.
    pub(super) fn look_at_speeds(&mut self, now: Nanos) {
        let known = self.present().filter(|(_, _, interface)| interface.megabits > 0);
        let known: Vec<_> = known.map(|(port, _, interface)| (port, interface.megabits)).collect();
        self.discovered.speeds.extend(known);
        self.tell_report(now);
    }

    /// Tells the others what this switch finds behind its ports, if that is something else.
    pub(super) fn tell_report(&mut self, now: Nanos) {
        if !self.config.is_discovered() {
            return;
        }
        let report = self.own_report();
        let this = self.config.switch.clone();
        if self.discovered.reports.get(&this).is_some_and(|(before, _)| *before == report) {
            return;
        }
        self.discovered.reports.insert(this, (report, now));
        self.discovered.is_news = true;
        self.announcer.hurry(now);
    }

    /// What this switch says of its ports: nothing where a file does.
    pub(super) fn own_report(&self) -> Report {
        if !self.config.is_discovered() {
            return Report::default();
        }
        let left = self.left_fabric();
        let adjacency = |(port, standing): (PortNumber, &Standing)| {
            let Standing::Fabric(peer) = standing else { return None };
            // A route has no room for it yet, or frames would come for it that the packet path cannot send there.
            if port.width() > self.width.bits || !left.contains(&port) {
                return None;
            }
            let megabits = self.discovered.speeds.get(&port).copied().unwrap_or_default();
            Some(Adjacency { port, switch: peer.switch.clone(), there: peer.port, megabits })
        };
        let adjacencies = self.neighbors.all().filter_map(adjacency).collect();
        Report { port_width: self.width.bits, adjacencies }
    }

    /// Whether an announcement of a switch of this name is taken in.
    pub(super) fn is_heeded(&self, origin: &str) -> bool {
        self.topology.find_switch(origin).is_some()
            || self.config.is_discovered() && check_name(origin).is_ok()
    }

    /// Another switch says what it finds behind its ports.
    pub(super) fn heard_report(&mut self, origin: &str, report: Report, now: Nanos) {
        if !self.config.is_discovered() {
            return;
        }
        for adjacency in report.adjacencies.iter().filter(|found| found.switch == self.config.switch) {
            let by = Peer { switch: origin.to_owned(), port: adjacency.port };
            self.neighbors.claimed(adjacency.there, &by, now);
        }
        let before = self.discovered.reports.insert(origin.to_owned(), (report, now));
        let report = self.discovered.reports.get(origin).map(|(report, _)| report);
        self.discovered.is_news |= before.as_ref().map(|(before, _)| before) != report;
    }

    /// The fabric's store says what others find behind their ports, and which hosts they have; whether any of that is news.
    pub(super) fn stored(&mut self, facts: &Facts, now: Nanos) -> bool {
        self.stored_apis(facts);
        let is_order = self.stored_orders(facts, now);
        let is_order = self.stored_policies(facts) || is_order;
        self.digest(now);
        if !self.config.is_discovered() {
            return is_order;
        }
        let sound = facts.switches().iter().filter(|(name, _)| check_name(name).is_ok());
        let sound = sound.filter(|(name, _)| **name != self.config.switch);
        let stored = Some(sound.map(|(name, record)| (name.clone(), record.report.clone())).collect());
        if stored != self.discovered.stored {
            self.discovered.stored = stored;
            self.discovered.is_news = true;
        }
        // Whoever announces its hosts knows better.
        let silent = facts.hosts().iter().filter(|(name, _)| self.flood.of(name).next().is_none());
        for (name, ports) in silent.filter(|(name, _)| **name != self.config.switch) {
            let seen = now - self.config.ageing / 2;
            let list = ports.iter().flat_map(|(port, record)| record.sightings(*port, seen));
            self.hosts.announced(name, list.collect(), now);
        }
        self.stale.hosts |= self.hosts.has_changed();
        is_order || self.discovered.is_news || self.hosts.has_changed()
    }

    /// Asks neighbours that were just met what they have heard.
    pub(super) fn ask_who_was_met(&mut self, now: Nanos) {
        let due: Vec<PortNumber> =
            self.discovered.asks.iter().filter(|(_, (at, _))| *at <= now).map(|(port, _)| *port).collect();
        for port in due {
            self.ask(port);
            if let Some((at, left)) = self.discovered.asks.get_mut(&port) {
                (*at, *left) = (now + ASKS.1, left.saturating_sub(1));
            }
        }
        self.discovered.asks.retain(|_, (_, left)| *left > 0);
    }

    /// Puts the network together, and uses it if it is another one.
    pub(super) fn use_reports(&mut self, now: Nanos) {
        if !std::mem::take(&mut self.discovered.is_news) {
            return;
        }
        let reports = self.discovered.of_all();
        let fabric = assemble(&reports);
        let own = fabric.discords.iter().filter(|discord| discord.switch == self.config.switch);
        let discords: Vec<String> = own.map(ToString::to_string).collect();
        if discords != self.discovered.discords {
            (self.discovered.discords, self.discovered.since, self.discovered.told) = (discords, now, false);
        }
        let Some(this) = fabric.topology.find_switch(&self.config.switch) else { return };
        if fabric.topology != *self.topology {
            self.topology_changed(Arc::new(fabric.topology), this, now);
            self.stale = Stale { failures: self.stale.failures, ..Stale::ALL };
        }
    }

    /// Forgets switches that are gone, and looks for what still does not fit together.
    pub(super) fn look_at_reports(&mut self, now: Nanos) {
        let Discovered { reports, stored, .. } = &mut self.discovered;
        let this = &self.config.switch;
        let before = reports.len();
        let stored = stored.as_ref();
        let lease = |name: &String| match stored {
            Some(stored) if !stored.contains_key(name) => UNSTORED,
            _ => LEASE,
        };
        reports.retain(|name, (_, heard)| name == this || now.since(*heard) < lease(name));
        self.discovered.is_news |= reports.len() != before;
        let Discovered { discords, since, told, .. } = &mut self.discovered;
        let is_due = now.since(*since) >= PATIENCE && !discords.is_empty();
        if is_due != *told {
            *told = is_due;
            self.stale.view = true;
        }
    }

    /// What does not fit together, with what to do.
    pub(super) fn discord_warnings(&self) -> Vec<String> {
        if self.discovered.told { self.discovered.discords.clone() } else { Vec::new() }
    }

    /// Adds to a tree the ports that have a switch behind them and no link: they are closed as if their link were not in it.
    pub(super) fn with_unlinked(&self, mut tree: Tree) -> Tree {
        if self.config.is_discovered() {
            let fabric = self.config.ports.keys().filter(|port| self.roles.of(**port) == Role::Fabric);
            for &number in fabric {
                let (switch, port) = match self.neighbors.standing(number) {
                    Standing::Fabric(peer) => (peer.switch.clone(), peer.port),
                    _ => (String::new(), number),
                };
                tree.ports.entry(number).or_insert(Neighbor { switch, port, in_tree: false });
            }
            tree.ports.retain(|port, _| self.roles.of(*port) == Role::Fabric);
        }
        tree
    }
}
