//! The agent of one switch: reads the world, lets `control` decide, writes the packet path.
//!
//! ```text
//!   netlink watcher ------- interfaces changed --.
//!   packet sockets -------- frames --------------+--> switch (control loop) --> maps, links, bridge ports
//!   store ----------------- facts ---------------+        |  |         `-----> announcements to other agents
//!   1 s tick, signals ---------------------------+        |  `- targets --> prober (thread) <--> hellos, probes
//!   prober ---------------- what does not work --'        | watch: Snapshot
//!                                                         v
//!   housekeeper (reads and tidies tables) -- fills --> api server <-- smoc status, hosts, conns, ...
//!   event log (ring buffer) --> log
//! ```
//!
//! Everything runs on one thread, except the prober, which has its own; long reads of tables go to a pool. If the
//! agent ends, however it ends, programs and maps stay as they are, pinned.

mod events;
mod housekeeping;
mod inspection;
mod learning;
mod notify;
mod ports;
mod privileges;
mod switch;
mod targets;

use std::{path::PathBuf, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::{info, warn};

use smoc_control::config::{Config, ConfigError};
use smoc_paths::{search::OptionsError, topology::Topology};

use crate::{
    api::{ApiServer, BindError},
    dataplane::{
        DataplaneError, Observe,
        xdp::{Events, Inspector, PinDirectory, Sightings, XdpDataplane, XdpTables},
    },
    netlink::{Netlink, NetlinkError, Watcher},
    store::{FileStore, Store},
};
use switch::{Rim, Switch};

/// A timer needs a period, also one that nobody waits for.
const NO_WATCHDOG: std::time::Duration = std::time::Duration::from_secs(3600);

/// Why the agent cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration or the topology.
    #[error(transparent)]
    Config(#[from] ConfigError),
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
    /// The paths.
    #[error("{path}: paths: {source}")]
    Paths {
        /// The configuration file.
        path: PathBuf,
        /// What is wrong.
        source: OptionsError,
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
        matches!(self, Self::Config(_) | Self::Paths { .. })
    }
}

/// Runs the agent until it is told to end (SIGTERM or SIGINT).
///
/// # Errors
/// It cannot start. What was attached before goes on.
pub async fn run(mut config: Config) -> Result<(), AgentError> {
    let mut store = FileStore::open(&config.topology).map_err(ConfigError::from)?;
    let mut facts = store.watch();
    let topology = facts.borrow_and_update().topology.clone();
    let this = config.place(&topology)?;
    privileges::check()?;
    let netlink = Netlink::connect()?;
    let mut watcher = Watcher::subscribe()?;
    let interfaces = netlink.interfaces().await?;
    ports::check(&config, &interfaces)?;
    let api = ApiServer::bind(&config.api)?;
    info!(switch = config.switch, config = %config.path.display(), "loading the packet path");
    let dataplane = XdpDataplane::load(&config)?;
    let tables: Arc<dyn Observe> = Arc::new(XdpTables::open(dataplane.pin())?);
    let events = Events::open(dataplane.pin())?;
    let inspector = Inspector::open(dataplane.pin())?;
    let sightings = Sightings::open(dataplane.pin())?;
    let prober = crate::prober::start(sightings);
    let prober = prober.map_err(|source| AgentError::Io { doing: "start sending hellos", source })?;
    let mut found = prober.found;
    let (frames, mut heard) = tokio::sync::mpsc::channel(1024);
    let rim =
        Rim { dataplane, netlink, interfaces, frames, heard: &mut heard, prober: prober.commands.clone() };
    let mut switch = Switch::start(config.clone(), topology, this, rim).await?;

    let (fills, fill) = watch::channel(Vec::new());
    let serving = tokio::spawn(api.serve(switch.published(), fill, tables.clone(), prober.commands.clone()));
    tokio::spawn(events::run(events, switch.published(), prober.commands.clone()));
    tokio::spawn(housekeeping::run(tables, fills, switch.published(), prober.commands));
    let (tell, mut deviations) = tokio::sync::mpsc::channel(1);
    let (questions, mut asked) = tokio::sync::mpsc::channel(1);
    tokio::spawn(inspection::run(inspector, questions, tell));
    notify::ready();
    info!("ready");

    let failed = |source| AgentError::Io { doing: "wait for signals", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    let mut tick = tokio::time::interval(switch::TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let watchdog = notify::watchdog();
    let mut alive = tokio::time::interval(watchdog.unwrap_or(NO_WATCHDOG));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                notify::reloading();
                match reload(&config) {
                    Ok((new, topology)) => {
                        config = new;
                        store.follow(&config.topology, topology);
                        let topology = facts.borrow_and_update().topology.clone();
                        switch.reconfigured(config.clone(), topology).await;
                        info!("read configuration and topology again");
                    }
                    Err(error) => warn!(%error, "configuration and topology stay as they were"),
                }
                notify::ready();
            }
            _ = alive.tick(), if watchdog.is_some() => notify::alive(),
            // Who asked may have gone.
            Some(reply) = asked.recv() => drop(reply.send(switch.expected())),
            Some(deviation) = deviations.recv() => switch.deviation_found(deviation),
            Ok(()) = found.changed() => {
                let found = found.borrow_and_update().clone();
                switch.failures_found(found).await;
            }
            Some(()) = watcher.changed() => switch.interfaces_changed().await,
            Some(frame) = heard.recv() => switch.heard(frame).await,
            Ok(()) = facts.changed() => {
                let topology = facts.borrow_and_update().topology.clone();
                switch.topology_changed(topology).await;
            }
            _ = tick.tick() => switch.tick().await,
        }
    }
    notify::stopping();
    info!("ending; programs and maps stay as they are");
    serving.abort();
    let _ = serving.await;
    Ok(())
}

/// Reads configuration and topology again; what needs a restart stays as it is.
fn reload(config: &Config) -> Result<(Config, Topology), ConfigError> {
    let (new, kept) = config.reloaded(&Config::load(&config.path)?);
    let topology = Topology::load(&new.topology)?;
    new.place(&topology)?;
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
