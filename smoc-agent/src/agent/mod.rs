//! The agent of one switch: turns the world into events for [`smoc_control::switch::Switch`], and its effects into the world.
//!
//! ```text
//! control thread                                          other threads
//!   interfaces (netlink) --.                                prober: hellos, probes, dead ports out of use
//!   packet sockets --------+--> Switch::handle --> World    links: carrier to the prober, changes to control
//!   prober's findings -----+      ^       |   maps, bridge  side: packet sockets, API, event log, housekeeping,
//!   SIGHUP, time, maps ----'      '-------'   ports, ...          comparing the maps
//! ```
//!
//! Every task is supervised: if one ends, the agent ends and says why, and the service manager starts it again. Programs and
//! maps stay as they are, pinned, however the agent ends.

mod advising;
mod ears;
mod events;
#[cfg(feature = "etcd")]
mod fabric_store;
mod historian;
mod housekeeping;
mod inspection;
mod links;
mod memory;
mod notify;
mod privileges;
mod routes;
mod siblings;
mod tasks;
mod world;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use smoc_control::{
    config::{Config, ConfigError, Routes},
    liveness::Found,
    switch::{Effect, Event, Expected, Snapshot, Start, Switch, TICK, lone},
};
use smoc_paths::topology::Topology;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot, watch},
    time::Interval,
};
use tracing::{info, warn};

use crate::{
    api::{self, ApiPort, ApiServer, BindError, Looked, PortError, SocketFile},
    capture::{Captures, Swap},
    clock,
    dataplane::{
        Dataplane, DataplaneError,
        xdp::{Events, Inspector, PinDirectory, Sightings, Transmit, XdpDataplane, XdpTables},
    },
    history::{SharedHistory, SharedSeries},
    metrics::{ControlMeter, PathNotes},
    netlink::{Netlink, NetlinkError, Watcher},
    prober::{self, Prober},
    sockets::SendingSocket,
    store::{FileStore, State, Store},
    web::{Backend, Site},
};
use ears::Ears;
use historian::Recorder;
use inspection::Questions;
use tasks::Tasks;
use world::{Outcome, World};

/// Period of the watchdog timer where no service manager asks for one.
const NO_WATCHDOG: Duration = Duration::from_secs(3600);
/// Frames that wait for control; what does not fit is dropped and counted where it was heard.
const QUEUE: usize = 1024;

/// Why the agent cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration or the topology.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A store that this build does not have.
    #[error(
        "store: this smoc is built without etcd: build it with `cargo build --features etcd`, or write store: flood"
    )]
    WithoutEtcd,
    /// Not enough rights.
    #[error(
        "this needs {}: run it as root, or give it to the process (systemd: AmbientCapabilities=CAP_NET_ADMIN \
         CAP_BPF CAP_NET_RAW; by hand: `setcap cap_net_admin,cap_bpf,cap_net_raw+ep`)", missing.join(" and ")
    )]
    Privileges {
        /// Names of the capabilities that are missing.
        missing: Vec<&'static str>,
    },
    /// The packet path.
    #[error(transparent)]
    Dataplane(#[from] DataplaneError),
    /// The kernel's network configuration.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The API's socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A TCP port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A task ended that should go on as long as the agent does.
    #[error("{task} ended: {why}. The packet path goes on as it is; start the agent again")]
    Ended {
        /// The task.
        task: &'static str,
        /// Why.
        why: String,
    },
    /// Anything else.
    #[error("{doing}: {source}")]
    Io {
        /// What failed.
        doing: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

impl AgentError {
    /// Whether the user's files are at fault.
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::Config(_) | Self::WithoutEtcd)
    }
}

/// Runs the agent until it is told to end (SIGTERM or SIGINT).
///
/// # Errors
/// It cannot start, or a part of it ended. Attached programs keep running.
pub async fn run(config: Config) -> Result<(), AgentError> {
    let (mut agent, events) = Agent::start(config).await?;
    agent.perform(events).await;
    notify::ready();
    info!("ready");
    let ended = agent.run().await;
    notify::stopping();
    info!("ending; programs and maps stay as they are");
    ended
}

/// What the topology file says, or a network of this switch alone where it is discovered.
fn open_store(config: &Config) -> Result<FileStore, AgentError> {
    if cfg!(not(feature = "etcd")) && matches!(config.store, smoc_control::config::Store::Etcd(_)) {
        return Err(AgentError::WithoutEtcd);
    }
    match &config.topology {
        Some(file) => Ok(FileStore::open(file).map_err(ConfigError::from)?),
        None => Ok(FileStore::of(lone(config).0)),
    }
}

/// The TCP ports that the configuration wants.
fn open_ports(config: &Config) -> Result<Vec<ApiPort>, PortError> {
    let fabric = config.fabric_api.as_ref().map(|api| &api.listener);
    let wanted = [(api::METRICS, config.metrics.as_ref()), (api::FABRIC_API, fabric)];
    let ports = wanted.into_iter().map(|(key, listener)| ApiPort::bind(key, listener));
    ports.filter_map(Result::transpose).collect()
}

/// How the store is, from now on; if it has a server, it is connected.
fn store_state(
    config: &Config,
    tasks: &mut Tasks,
    snapshots: &watch::Receiver<Option<Arc<Snapshot>>>,
    events: &mpsc::Sender<Event>,
) -> watch::Receiver<State> {
    #[cfg(feature = "etcd")]
    if let smoc_control::config::Store::Etcd(etcd) = &config.store {
        return fabric_store::start(config, etcd, tasks, snapshots.clone(), events.clone());
    }
    let _ = (tasks, snapshots, events);
    watch::Sender::new(State::of(config)).subscribe()
}

/// Starts what reads events and tables of the packet path and what is published, and returns where joins go whose siblings are
/// looked for, and where snapshots go.
fn start_readers(
    tasks: &mut Tasks,
    config: &Arc<Config>,
    (pin, look, questions): (&Path, watch::Sender<Looked>, Questions),
    shared: &api::Sources,
) -> Result<(mpsc::Sender<siblings::Work>, Recorder), AgentError> {
    let api::Sources { snapshots, tables, prober, events, notes, history, store, .. } = shared.clone();
    let (recorder, recording) = historian::recorder();
    tasks.spawn("measuring", api::remember(shared.clone()));
    tasks.spawn("the history", historian::run(recording, store, history.clone()));
    let ring = tasks.inside(|| Events::open(pin))?;
    if config.routes != Routes::None {
        let watcher = tasks.inside(Watcher::routes)?;
        let netlink = tasks.inside(Netlink::connect)?;
        tasks.spawn("the routing table", routes::run(netlink, watcher, config.routes, events.clone()));
    }
    if config.advising.is_on {
        let socket = SendingSocket::open()
            .map_err(|source| AgentError::Io { doing: "open a socket to tell hosts of paths", source })?;
        let advising =
            advising::run(config.clone(), tasks.inside(Netlink::connect)?, socket, snapshots.clone());
        tasks.spawn("telling hosts of paths", advising);
    }
    // Tables of its own, so that no long read keeps the log waiting.
    let strays = events::Strays { tables: Arc::new(XdpTables::open(pin)?), events: events.clone() };
    tasks.spawn(
        "the event log",
        events::run(ring, snapshots.clone(), prober.clone(), strays, (notes, history)),
    );
    let (siblings, work) = mpsc::channel(siblings::QUEUE);
    let search = siblings::run(Arc::new(XdpTables::open(pin)?), work, events.clone());
    tasks.spawn("looking for siblings", search);
    tasks.spawn("housekeeping", housekeeping::run(tables, look, snapshots, prober));
    tasks.spawn("comparing the maps", inspection::run(Inspector::open(pin)?, questions, events));
    Ok((siblings, recorder))
}

/// Starts what others ask.
fn serve(
    tasks: &mut Tasks,
    api: ApiServer,
    (ports, web): (Vec<ApiPort>, Option<Site>),
    answers: api::Sources,
) {
    for port in ports {
        tasks.spawn(port.name(), port.serve(answers.clone()));
    }
    if let Some(web) = web {
        tasks.spawn("the page", web.serve(Backend::agent(answers.clone())));
    }
    tasks.spawn("the API", api.serve(answers));
}

/// What wakes the control thread.
struct Sources {
    events: mpsc::Receiver<Event>,
    links: watch::Receiver<u64>,
    found: watch::Receiver<Found>,
    facts: watch::Receiver<Arc<Topology>>,
    questions: mpsc::Receiver<oneshot::Sender<Expected>>,
    captures: mpsc::UnboundedReceiver<Swap>,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Interfaces are listed with each tick, also without news of a change.
    refresh: Interval,
    watchdog: Option<Interval>,
}

struct Agent {
    config: Arc<Config>,
    switch: Switch,
    world: World,
    store: FileStore,
    sources: Sources,
    tasks: Tasks,
    control: ControlMeter,
    _socket: SocketFile,
}

impl Agent {
    async fn start(config: Config) -> Result<(Self, Vec<Effect>), AgentError> {
        let store = open_store(&config)?;
        let (facts, topology) = (store.watch(), store.watch().borrow().clone());
        let this = if config.is_discovered() { lone(&config).1 } else { config.place(&topology)? };
        privileges::check()?;
        let (api, socket) = ApiServer::bind(&config)?;
        let ports = (open_ports(&config)?, config.web.as_ref().map(Site::bind).transpose()?);
        let mut tasks = Tasks::start()?;
        let netlink = Netlink::connect()?;
        info!(switch = config.switch, config = %config.path.display(), "loading the packet path");
        let dataplane = XdpDataplane::load(&config)?;
        let (pin, transmit) = (dataplane.pin().to_owned(), Transmit::open(dataplane.pin())?);
        let start = Start {
            topology,
            this,
            interfaces: netlink.interfaces().await?,
            routes: routes::read(&netlink, config.routes).await?,
            installed: dataplane.installed()?,
            exits: transmit.all()?,
            programs: dataplane.programs(),
            boot: clock::boot_number(),
            sequence: clock::microseconds_since_1970(),
            records: memory::load(&config),
            config: Arc::new(config),
        };
        let config = start.config.clone();
        let Prober { commands, found } = prober::start(Sightings::open(&pin)?, transmit)
            .map_err(|source| AgentError::Io { doing: "start sending hellos", source })?;
        let (captures, swaps) = Captures::new(dataplane.capture_loader(config.clone()));
        let (events, sources, questions) =
            Sources::new(found, links::watch(commands.clone())?, facts, swaps)?;
        let (publish, remember) = (watch::Sender::new(None), watch::Sender::new(Vec::new()));
        let (look, looked) = watch::channel(Looked::default());
        let (control, snapshots) = (ControlMeter::default(), publish.subscribe());
        let state = store_state(&config, &mut tasks, &snapshots, &events);
        let answers = api::Sources {
            snapshots: snapshots.clone(),
            looked,
            tables: Arc::new(XdpTables::open(&pin)?),
            prober: commands.clone(),
            events: events.clone(),
            store: state,
            netlink: Arc::new(tokio::sync::Mutex::new(tasks.inside(Netlink::connect)?)),
            control: control.clone(),
            notes: PathNotes::default(),
            history: SharedHistory::default(),
            series: SharedSeries::default(),
            captures,
            started: Instant::now(),
            board: api::Board::default(),
        };
        tasks.spawn("remembering", memory::run(config.clone(), remember.subscribe()));
        let (siblings, history) = start_readers(&mut tasks, &config, (&pin, look, questions), &answers)?;
        serve(&mut tasks, api, ports, answers);
        let ears = Ears::new(tasks.handle(), events);
        let prober = commands;
        let world = World { dataplane, netlink, ears, prober, siblings, publish, history, remember };
        let (switch, effects) = Switch::start(start, clock::now());
        Ok((Self { config, switch, world, store, sources, tasks, control, _socket: socket }, effects))
    }

    async fn run(&mut self) -> Result<(), AgentError> {
        loop {
            let mut swapped = None;
            let event = match self.next().await? {
                Woken::End => return Ok(()),
                Woken::Event(event) => Some(*event),
                Woken::Swap(Swap { programs, done }) => {
                    self.world.dataplane.capture(programs);
                    swapped = Some(done);
                    Some(Event::Programs(self.world.dataplane.programs()))
                }
                Woken::Refresh => self.interfaces().await,
                Woken::Reload => self.reload(),
            };
            if let Some(event) = event {
                let (name, started) = (event.name(), Instant::now());
                let effects = self.switch.handle(event, clock::now());
                self.perform(effects).await;
                self.control.took(name, started.elapsed());
            }
            if let Some(done) = swapped {
                // Who asked for it may be gone.
                let _ = done.send(());
            }
        }
    }

    /// Waits until something happens.
    async fn next(&mut self) -> Result<Woken, AgentError> {
        let Sources {
            events,
            links,
            found,
            facts,
            questions,
            captures,
            terminate,
            interrupt,
            hang_up,
            refresh,
            watchdog,
        } = &mut self.sources;
        let due = self.switch.deadline().since(clock::now());
        let ended = |task| move |_| AgentError::Ended { task, why: "its thread is gone".into() };
        loop {
            tokio::select! {
                biased;
                _ = terminate.recv() => return Ok(Woken::End),
                _ = interrupt.recv() => return Ok(Woken::End),
                ended = self.tasks.ended() => return Err(ended),
                changed = found.changed() => {
                    changed.map_err(ended("the prober"))?;
                    return Ok(Woken::Event(Box::new(Event::Found(found.borrow_and_update().clone()))));
                }
                changed = links.changed() => {
                    changed.map_err(ended("watching the interfaces"))?;
                    return Ok(Woken::Refresh);
                }
                changed = facts.changed() => {
                    changed.map_err(ended("the store"))?;
                    let topology = facts.borrow_and_update().clone();
                    return Ok(Woken::Event(Box::new(Event::Configured(self.config.clone(), topology))));
                }
                _ = hang_up.recv() => return Ok(Woken::Reload),
                () = alive(watchdog) => notify::alive(),
                () = tokio::time::sleep(due) => return Ok(Woken::Event(Box::new(Event::Time))),
                _ = refresh.tick() => return Ok(Woken::Refresh),
                Some(swap) = captures.recv() => return Ok(Woken::Swap(swap)),
                // The receiver may be gone.
                Some(reply) = questions.recv() => drop(reply.send(self.switch.expected())),
                Some(event) = events.recv() => return Ok(Woken::Event(Box::new(event))),
            }
        }
    }

    /// Performs the effects, then those that follow from their results.
    async fn perform(&mut self, effects: Vec<Effect>) {
        let mut effects = effects;
        // Setting a bridge port is itself a change of interfaces; what is not settled then is done with the next listing.
        for _ in 0..4 {
            let Outcome { mut events, interfaces, inspect } = self.world.perform(effects).await;
            if interfaces {
                events.extend(self.interfaces().await);
            }
            if inspect {
                events.extend(self.inspect());
            }
            if events.is_empty() {
                return;
            }
            let now = clock::now();
            effects = events.into_iter().flat_map(|event| self.switch.handle(event, now)).collect();
        }
        self.world.perform(effects).await;
        self.sources.refresh.reset_after(Duration::from_millis(10));
    }

    async fn interfaces(&self) -> Option<Event> {
        match self.world.netlink.interfaces().await {
            Ok(interfaces) => Some(Event::Interfaces(interfaces)),
            Err(error) => {
                warn!(%error, "interfaces not read");
                None
            }
        }
    }

    fn inspect(&self) -> Option<Event> {
        match self.world.dataplane.installed() {
            Ok(found) => Some(Event::Inspected { changes: self.switch.changes(), found }),
            Err(error) => {
                warn!(%error, "the maps cannot be read back");
                None
            }
        }
    }

    /// Reads configuration and topology again; a faulty file changes nothing.
    fn reload(&mut self) -> Option<Event> {
        notify::reloading();
        let event = match read_again(&self.config) {
            Ok((config, topology)) => {
                if let Some(topology) = topology {
                    self.store.publish(topology);
                }
                self.config = Arc::new(config);
                info!("read configuration and topology again");
                let topology = self.sources.facts.borrow_and_update().clone();
                Some(Event::Configured(self.config.clone(), topology))
            }
            Err(error) => {
                warn!(%error, "configuration and topology stay as they were");
                None
            }
        };
        notify::ready();
        event
    }
}

/// Why the control thread woke up.
enum Woken {
    End,
    Event(Box<Event>),
    Swap(Swap),
    Refresh,
    Reload,
}

impl Sources {
    fn new(
        found: watch::Receiver<Found>,
        links: watch::Receiver<u64>,
        facts: watch::Receiver<Arc<Topology>>,
        captures: mpsc::UnboundedReceiver<Swap>,
    ) -> Result<(mpsc::Sender<Event>, Self, Questions), AgentError> {
        let failed = |source| AgentError::Io { doing: "wait for signals", source };
        let (tell, events) = mpsc::channel(QUEUE);
        let (ask, questions) = mpsc::channel(1);
        let mut refresh = tokio::time::interval(TICK);
        refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let sources = Self {
            events,
            links,
            found,
            facts,
            questions,
            captures,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            hang_up: signal(SignalKind::hangup()).map_err(failed)?,
            refresh,
            watchdog: notify::watchdog().map(tokio::time::interval),
        };
        Ok((tell, sources, ask))
    }
}

/// Waits until the service manager wants to hear that the agent is alive.
async fn alive(watchdog: &mut Option<Interval>) {
    match watchdog {
        Some(interval) => drop(interval.tick().await),
        None => tokio::time::sleep(NO_WATCHDOG).await,
    }
}

/// Reads configuration and topology again; what needs a restart stays as it is. No topology where the network is discovered.
fn read_again(config: &Config) -> Result<(Config, Option<Topology>), ConfigError> {
    let (new, kept) = config.reloaded(&Config::load(&config.path)?);
    let topology = new.topology.as_deref().map(Topology::load).transpose()?;
    if let Some(topology) = &topology {
        new.place(topology)?;
    }
    if !kept.is_empty() {
        warn!(keys = kept.join(", "), "these keys changed: restart the agent to apply them");
    }
    Ok((new, topology))
}

/// Takes programs and maps of a configuration away; how many links and maps there were.
///
/// # Errors
/// An agent is running, or something cannot be removed.
pub fn detach(config: &Config) -> Result<(usize, usize), AgentError> {
    if !config.pin.exists() {
        return Ok((0, 0));
    }
    Ok(PinDirectory::claim(&config.pin)?.remove()?)
}
