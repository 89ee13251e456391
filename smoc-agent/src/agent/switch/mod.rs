//! The control loop's state: everything that is known, and one step for each thing that can happen.

mod hosts;
mod links;
mod maps;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use smoc_common::map::{Detour, DetourKey, Settings};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tracing::{debug, info, warn};

use super::{
    AgentError,
    learning::{Frame, Sockets},
    ports::{self, Roles},
    targets,
};
use smoc_control::{
    config::Config,
    discovery::Flood,
    hosts::{HostTable, KnownHost},
    interfaces::Interfaces,
    liveness::{Found, PortTarget, Targets},
    plan::{Controller, Failures, LinkStates, TreePorts, edges},
    ports::Role,
};
use smoc_paths::topology::{SwitchId, Topology};

use crate::{
    api::{DetoursView, Snapshot},
    clock,
    dataplane::{Dataplane, DataplaneError, xdp::XdpDataplane},
    netlink::Netlink,
    prober::Command,
};

/// How often time passes.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Announcements are repeated every so many ticks; interfaces are looked at unasked in each.
const REPEAT: u64 = 5;
/// A new agent listens to its neighbours until they have said nothing for so long, and no longer than that in all.
const CATCH_UP: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// Bridge ports are set at most so often in a row: every change is itself a change of interfaces.
const BRIDGE_ROUNDS: usize = 3;

/// What the control loop reaches the world through.
pub(super) struct Rim<'a> {
    pub dataplane: XdpDataplane,
    pub netlink: Netlink,
    pub interfaces: Interfaces,
    pub frames: mpsc::Sender<Frame>,
    pub heard: &'a mut mpsc::Receiver<Frame>,
    pub prober: std::sync::mpsc::Sender<Command>,
}

/// One switch.
pub(super) struct Switch {
    config: Config,
    topology: Arc<Topology>,
    this: SwitchId,
    roles: Roles,
    dataplane: XdpDataplane,
    controller: Controller,
    netlink: Netlink,
    interfaces: Interfaces,
    /// What `interfaces` was when everything was last brought in line with it; setting bridge ports reads it again.
    handled: Interfaces,
    failures: Failures,
    /// What all switches say of their links.
    links: LinkStates,
    /// Whether that is something else than what was last heeded.
    links_news: bool,
    /// Which fabric ports the base network uses.
    tree: TreePorts,
    detours: BTreeMap<DetourKey, Detour>,
    /// Detours that do not fit into a route.
    unfit_detours: usize,
    prober: std::sync::mpsc::Sender<Command>,
    watched: Targets,
    /// How often the maps were written.
    changes: u64,
    hosts: HostTable,
    known: Arc<BTreeMap<IpAddr, KnownHost>>,
    sockets: Sockets,
    flood: Flood,
    ticks: u64,
    incomplete: bool,
    warnings: Vec<String>,
    publish: watch::Sender<Arc<Snapshot>>,
}

impl Switch {
    /// Fills the maps, attaches the programs and sets the bridge's ports.
    pub(super) async fn start(
        config: Config,
        topology: Arc<Topology>,
        this: SwitchId,
        rim: Rim<'_>,
    ) -> Result<Self, AgentError> {
        let Rim { dataplane, netlink, interfaces, frames, heard, prober } = rim;
        let installed = dataplane.installed()?;
        let adopted = installed.settings != Settings::default();
        let controller = Controller::adopt(&topology, this, config.paths, installed, clock::now());
        let roles = Roles::new(&config, &topology, this);
        let failures = targets::left_down(&config, &roles, &interfaces, &controller, &topology);
        let empty = Snapshot {
            ready: false,
            topology: topology.clone(),
            this,
            names: controller.names().clone(),
            book: controller.book().clone(),
            hosts: Arc::default(),
            ports: Vec::new(),
            bridge: None,
            spread: config.spread,
            epoch: 0,
            edges: 0,
            detours: DetoursView::default(),
            warnings: Vec::new(),
        };
        let mut switch = Self {
            sockets: Sockets::new(frames, config.learn),
            config,
            topology,
            this,
            roles,
            dataplane,
            controller,
            netlink,
            handled: interfaces.clone(),
            interfaces,
            failures,
            links: LinkStates::default(),
            links_news: false,
            tree: TreePorts::default(),
            detours: BTreeMap::new(),
            unfit_detours: 0,
            prober,
            watched: Targets::default(),
            changes: 0,
            hosts: HostTable::default(),
            known: Arc::default(),
            flood: Flood::default(),
            ticks: 0,
            incomplete: false,
            warnings: Vec::new(),
            publish: watch::Sender::new(Arc::new(empty)),
        };
        switch.remember();
        switch.note_lost_carriers();
        switch.listen();
        switch.catch_up(heard).await;
        switch.resolve();
        switch.find_detours();
        info!(adopted, edges = switch.edges().len(), "computing paths");
        let changes = switch.fill()?;
        info!(changes, "maps are filled");
        switch.attach()?;
        switch.refresh().await?;
        switch.settle_bridge().await;
        switch.listen();
        switch.announce();
        switch.watch();
        switch.publish();
        Ok(switch)
    }

    /// Asks the neighbours what they know and heeds it. Nobody need answer: the packet path goes on as it was left.
    async fn catch_up(&mut self, heard: &mut mpsc::Receiver<Frame>) {
        let (silence, most) = CATCH_UP;
        self.sockets.ask();
        let listen = async {
            while let Ok(Some(frame)) = timeout(silence, heard.recv()).await {
                self.take_in(frame);
            }
        };
        // Whoever talks on is heard later.
        let _ = timeout(most, listen).await;
        self.links.told(&self.config.switch, self.own_ports_down());
        self.use_links(&self.links.down(&self.topology));
        self.tree = TreePorts::new(self.wanted_tree_ports());
    }

    /// Where the API reads what is published.
    pub(super) fn published(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.publish.subscribe()
    }

    /// The configuration is another one, as far as that is possible while running.
    pub(super) async fn reconfigured(&mut self, config: Config, topology: Arc<Topology>) {
        let paths_differ = config.paths != self.config.paths;
        self.config = config;
        if paths_differ {
            self.controller.set_options(self.config.paths);
            self.watched.generation += 1;
        }
        if paths_differ || topology != self.topology {
            self.topology_changed(topology).await;
        } else {
            self.update();
            self.watch();
            self.publish();
        }
    }

    /// Something about some interface is different.
    pub(super) async fn interfaces_changed(&mut self) {
        if let Err(error) = self.refresh().await {
            warn!(%error, "interfaces not read");
            return;
        }
        if self.handled == self.interfaces {
            return;
        }
        let before = std::mem::replace(&mut self.handled, self.interfaces.clone());
        self.note_lost_carriers();
        self.update_urgently();
        self.watch();
        self.tell_port_changes(&before);
        self.own_ports_changed().await;
        self.update();
        self.settle_bridge().await;
        self.reattach().await;
        self.listen();
        self.announce();
        self.publish();
    }

    /// The prober has found something to be broken or whole.
    pub(super) async fn failures_found(&mut self, found: Found) {
        if found.generation != self.watched.generation {
            return;
        }
        self.failures = found.failures;
        self.note_lost_carriers();
        self.update_urgently();
        self.own_ports_changed().await;
        self.publish();
    }

    /// A frame came from a packet socket.
    pub(super) async fn heard(&mut self, frame: Frame) {
        if self.take_in(frame) {
            self.heed_links().await;
            self.resolve();
            self.update();
            self.watch();
            self.publish();
        }
    }

    /// Takes note of what a frame says; whether that may be news.
    fn take_in(&mut self, mut frame: Frame) -> bool {
        let now = clock::now();
        match frame.role {
            Role::Host => self.heard_neighbor(&mut frame, now),
            Role::Fabric => self.heard_announcement(&frame, now),
        }
    }

    /// The store has another topology.
    pub(super) async fn topology_changed(&mut self, topology: Arc<Topology>) {
        match self.config.place(&topology) {
            Ok(this) => {
                info!(
                    switches = topology.switches().len(),
                    links = topology.links().len(),
                    "the topology changed"
                );
                self.this = this;
                self.controller.topology_changed(this);
                self.roles = Roles::new(&self.config, &topology, this);
                self.topology = topology;
                self.failures.paths.clear();
                self.watched.generation += 1;
                self.links.told(&self.config.switch, self.own_ports_down());
                self.use_links(&self.links.down(&self.topology));
                self.tree.want(self.wanted_tree_ports(), clock::now());
                self.resolve();
                self.find_detours();
                self.update();
                self.watch();
                self.reattach().await;
                self.settle_bridge().await;
                self.listen();
                self.publish();
            }
            Err(error) => warn!(%error, "the topology stays as it was"),
        }
    }

    /// A second has passed.
    pub(super) async fn tick(&mut self) {
        self.ticks += 1;
        if self.ticks.is_multiple_of(REPEAT) {
            self.announce();
        }
        self.interfaces_changed().await;
        self.heal_base_network().await;
        self.hosts.expire(clock::now());
        let before = self.known.clone();
        self.resolve();
        if before != self.known || self.incomplete {
            self.update();
            self.watch();
            self.publish();
        }
    }

    fn edges(&self) -> std::collections::BTreeSet<SwitchId> {
        edges(&self.topology, self.this, &self.known)
    }

    /// A port without carrier stays down until the prober says otherwise, even if carrier is back before the prober
    /// has heard of it.
    fn note_lost_carriers(&mut self) {
        let up = |port: &PortTarget| port.carrier;
        let ports = targets::ports(&self.config, (&self.topology, self.this), &self.roles, &self.interfaces);
        self.failures.ports.extend(ports.iter().filter(|port| !up(port)).map(|port| port.number));
    }

    /// Tells the prober what to watch, if that is something else.
    fn watch(&mut self) {
        let (paths, unfit) = targets::paths(&self.topology, self.controller.book());
        let targets = Targets {
            generation: self.watched.generation,
            hellos: self.config.hellos,
            probes: self.config.probes,
            ports: targets::ports(&self.config, (&self.topology, self.this), &self.roles, &self.interfaces),
            paths,
            unfit,
            down: self.failures.clone(),
        };
        if (Targets { down: self.watched.down.clone(), ..targets.clone() }) == self.watched {
            return;
        }
        self.watched = targets.clone();
        if self.prober.send(Command::Watch(targets)).is_err() {
            warn!("the prober has ended: ports and paths stay as they are");
        }
    }

    fn find_detours(&mut self) {
        let down = self.controller.book().down();
        match targets::detours(&self.topology, self.this, &self.config.paths, down) {
            Ok((detours, unfit)) => (self.detours, self.unfit_detours) = (detours, unfit),
            Err(error) => warn!(%error, "no detours"),
        }
    }

    fn attach(&mut self) -> Result<(), DataplaneError> {
        let present = ports::present(&self.config, &self.roles, &self.interfaces);
        let present: Vec<_> = present.map(|(_, role, interface)| (role, interface)).collect();
        self.dataplane.attach(&present)?;
        info!(ports = present.len(), mode = %self.config.xdp, "programs are attached");
        Ok(())
    }

    /// Attaches again where an interface was replaced or a port has another role.
    async fn reattach(&mut self) {
        let complete = ports::present(&self.config, &self.roles, &self.interfaces)
            .all(|(_, role, interface)| ports::is_attached(&self.dataplane, role, interface));
        if complete {
            return;
        }
        warn!("a port has not the program that it should have: it is attached again");
        let attached = self.attach();
        if let Err(error) = attached {
            warn!(%error, "not all ports have their program");
        }
        if let Err(error) = self.refresh().await {
            warn!(%error, "interfaces not read");
        }
    }

    async fn refresh(&mut self) -> Result<(), AgentError> {
        self.interfaces = self.netlink.interfaces().await?;
        Ok(())
    }

    fn tell_port_changes(&self, before: &Interfaces) {
        for (port, name) in &self.config.ports {
            let usable = |interfaces: &Interfaces| interfaces.named(name).is_some_and(|there| there.usable);
            if usable(before) != usable(&self.interfaces) {
                info!(port = port.get(), interface = name, usable = usable(&self.interfaces), "port changed");
            }
        }
    }

    /// Sets bridge ports until they stay as they should be.
    async fn settle_bridge(&mut self) {
        for _ in 0..BRIDGE_ROUNDS {
            let changes = ports::bridge_changes(&self.config, &self.roles, &self.tree, &self.interfaces);
            if changes.is_empty() {
                return;
            }
            for (interface, state) in changes {
                match self.netlink.set_bridge_port(interface, state).await {
                    Ok(()) => debug!(interface = interface.name, ?state, "bridge port set"),
                    Err(error) => warn!(%error, "the base network may have a loop or a gap"),
                }
            }
            if let Err(error) = self.refresh().await {
                warn!(%error, "interfaces not read");
                return;
            }
        }
    }

    fn listen(&mut self) {
        self.sockets.follow(ports::present(&self.config, &self.roles, &self.interfaces));
    }

    fn publish(&self) {
        let installed = self.controller.installed();
        let ports = ports::views(&self.config, &self.roles, &self.interfaces, &self.dataplane, installed);
        let snapshot = Snapshot {
            ready: !self.incomplete && ports.iter().all(|port| port.attached),
            topology: self.topology.clone(),
            this: self.this,
            names: self.controller.names().clone(),
            book: self.controller.book().clone(),
            hosts: self.known.clone(),
            ports,
            bridge: ports::bridge(&self.config, &self.interfaces),
            spread: self.config.spread,
            epoch: installed.settings.epoch,
            edges: installed.edges.len(),
            detours: DetoursView { installed: installed.detours.len(), unroutable: self.unfit_detours },
            warnings: self.warnings.clone(),
        };
        self.publish.send_replace(Arc::new(snapshot));
    }
}
