//! `smoc host`: makes an end host open as many subflows as the fabric has paths for.
//!
//! ```text
//! addresses (rtnetlink) --\
//! edge's number (UDP) -----+--> Host::settle: what is there, what is wanted --> changes (generic netlink), state file
//! a clock ----------------/
//! ```
//!
//! In the mode `userspace` listeners take the place of endpoints, and what the kernel tells of connections is heard
//! (`userspace`). What is wanted is decided in [`smoc_control::end_host`]. It takes CAP_NET_ADMIN and nothing else.

mod advice;
pub(crate) mod kernel;
mod listeners;
mod report;
mod state;
mod userspace;

pub use report::{Advice, EndpointView, HostStatus, LimitsView, Owner, advise, status};

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use smoc_control::end_host::{
    Change, Circumstances, Memory, Present, Wanted, changes,
    config::{Mode, Settings},
    ends, wanted,
};
use tokio::{
    net::UdpSocket,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::{info, warn};

use crate::netlink::{Netlink, NetlinkError, PathManager, PathManagerError, Watcher};
use advice::Told;
use state::StateFile;
use userspace::Userspace;

/// Where what was set is remembered.
pub const DEFAULT_STATE: &str = "/run/smoc-host/state.json";
/// The configuration, if there is one.
pub const DEFAULT_CONFIG: &str = "/etc/smoc/host.yaml";

/// How often it is looked whether all is still as it should be, because the kernel does not tell of endpoints.
const LOOK: Duration = Duration::from_secs(10);
/// Addresses come in groups: so long after the first one it is decided what follows.
const CALM: Duration = Duration::from_millis(100);
/// Changes of a group that are read at once.
const MOST_CHANGES: usize = 1000;

/// Why the host's path manager is not looked after.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The path manager.
    #[error(transparent)]
    PathManager(#[from] PathManagerError),
    /// Interfaces and addresses.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The state file.
    #[error("{doing} {}: {reason}", path.display())]
    State {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// The state file is of something else.
    #[error("{}: {why}", path.display())]
    BadState {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Another one runs.
    #[error("another `smoc host` runs here (it has locked {})", .0.display())]
    Running(PathBuf),
    /// The host does not speak MPTCP.
    #[error("MPTCP is switched off here: `sysctl -w net.mptcp.enabled=1` switches it on")]
    Disabled,
    /// Somebody else decides about subflows.
    #[error(
        "{0}: `smoc host` leaves subflows to it; change that first if `smoc host` is to decide about them"
    )]
    OtherManager(String),
    /// CAP_NET_ADMIN is missing.
    #[error("{0}: this takes root or the capability CAP_NET_ADMIN")]
    NotAllowed(PathManagerError),
    /// The kernel is too old for the mode `userspace`.
    #[error(
        "this kernel leaves no subflows to user space (no net.mptcp.pm_type): it takes Linux 5.19 or later; `mode: kernel` works before"
    )]
    NoUserspace,
    /// What is needed to look after connections.
    #[error("look after connections: {0}")]
    Sockets(io::Error),
    /// Signals cannot be waited for.
    #[error("wait for signals: {0}")]
    Signals(io::Error),
}

impl HostError {
    /// Whether nothing was done because it is somebody else's.
    pub fn leaves_it_to_others(&self) -> bool {
        matches!(self, Self::OtherManager(_))
    }
}

/// The host and what is known of it.
struct Host {
    settings: Settings,
    netlink: Netlink,
    path_manager: PathManager,
    state: StateFile,
    /// What edges have said.
    told: Told,
    /// Ports at which somebody else listens, as the kernel said.
    occupied: BTreeSet<SocketAddr>,
    /// Single connections, if it is not the kernel that decides.
    userspace: Option<Userspace>,
    /// What was last said of what is not as it should be.
    warned: Vec<String>,
}

/// What became of a change.
#[derive(PartialEq, Eq)]
enum Made {
    Done,
    /// Another port has to be found.
    PortTaken,
}

/// Sets endpoints and limits, or looks after each connection, and follows addresses until a signal ends it; then takes all
/// away that it has set.
///
/// # Errors
/// It cannot begin, or somebody else has taken over.
pub async fn run(settings: Settings, state: &Path) -> Result<(), HostError> {
    let mut host = Host::begin(settings, state)?;
    let ears = host.listen();
    let (mut terminated, mut interrupted) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let mut watcher = Watcher::addresses()?;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let ended = loop {
        tokio::select! {
            _ = terminated.recv() => break Ok(()),
            _ = interrupted.recv() => break Ok(()),
            _ = look.tick() => {}
            (interface, said) = advice::hear(ears.as_ref(), &host.settings.keys) => {
                let before = host.subflows();
                host.told.hear(interface, said, Instant::now());
                if host.subflows() == before {
                    continue;
                }
                info!(paths = said.paths, "the edge says how many paths there are");
            }
            done = go_on(host.userspace.as_mut()) => match done {
                Ok(()) => continue,
                Err(error) => break Err(error),
            },
            change = watcher.changed() => {
                if change.is_none() {
                    watcher = Watcher::addresses()?;
                }
                calm(&mut watcher).await;
            }
        }
        if let Err(error) = kernel::check(host.settings.mode).and(host.settle().await) {
            break Err(error);
        }
    };
    host.end().and(ended)
}

/// Lets a group of changes come, and no more than that: somewhere in a large host something changes all the time.
async fn calm(watcher: &mut Watcher) {
    tokio::time::sleep(CALM).await;
    for _ in 0..MOST_CHANGES {
        if !tokio::time::timeout(Duration::ZERO, watcher.changed()).await.is_ok_and(|change| change.is_some())
        {
            return;
        }
    }
}

/// Waits for what concerns single connections, and does what follows; for ever where the kernel looks after them.
async fn go_on(userspace: Option<&mut Userspace>) -> Result<(), HostError> {
    match userspace {
        Some(userspace) => userspace.go_on().await,
        None => std::future::pending().await,
    }
}

fn on(kind: SignalKind) -> Result<Signal, HostError> {
    signal(kind).map_err(HostError::Signals)
}

impl Host {
    /// Takes up what one that was killed has left, and new connections where they are not the kernel's.
    fn begin(settings: Settings, state: &Path) -> Result<Self, HostError> {
        let mut state = StateFile::open(state)?;
        if let Some(before) = state.taken_from.take_if(|_| kernel::is_taken_over()) {
            kernel::give_back(&before)?;
        }
        kernel::check(Mode::Kernel)?;
        let mut host = Self {
            userspace: None,
            netlink: Netlink::connect()?,
            path_manager: PathManager::connect()?,
            state,
            told: Told::default(),
            occupied: BTreeSet::new(),
            warned: Vec::new(),
            settings,
        };
        host.state.mode = host.settings.mode;
        host.state.listeners.clear();
        host.state.counts = None;
        if host.settings.mode == Mode::Userspace {
            host.take_away()?;
            host.userspace = Some(Userspace::new(&host.settings)?);
            host.state.taken_from = Some(kernel::take_over()?);
        }
        host.state.save()?;
        Ok(host)
    }

    /// Listens for what edges say, if that counts; without it the configured number does.
    fn listen(&self) -> Option<UdpSocket> {
        let socket = self.settings.advice.then(advice::listen)?;
        socket.inspect_err(|error| warn!(%error, "edges cannot be heard: the configured number counts")).ok()
    }

    /// How many subflows connections should have, and whether an edge says so.
    fn subflows(&self) -> (u8, bool) {
        match self.told.paths(Instant::now()) {
            Some(paths) => (paths, true),
            None => (self.settings.subflows, false),
        }
    }

    /// Makes what is wanted so. What the kernel refuses is said and tried again the next time.
    async fn settle(&mut self) -> Result<(), HostError> {
        let addresses = self.netlink.host_addresses(&self.settings.interfaces).await?;
        let (subflows, told) = self.subflows();
        self.state.kept = self.state.kept.max(subflows).max(self.settings.subflows);
        (self.state.subflows, self.state.told) = (subflows, told);
        self.state.role = self.settings.role;
        // Each round finds at most one port of each address taken, so there are never more rounds than ports.
        for _ in self.settings.ports.clone() {
            let present = self.path_manager.present()?;
            self.state.memory.refresh(&present);
            let mut circumstances = circumstances(&present, &self.state.memory);
            circumstances.addresses.clone_from(&addresses);
            circumstances.taken.extend(&self.occupied);
            let is_done = match &mut self.userspace {
                Some(userspace) => {
                    circumstances.own = userspace.told();
                    let wanted = wanted(&self.settings, &circumstances, subflows, self.state.kept);
                    let occupied = userspace.offer(&wanted.endpoints, subflows);
                    self.state.listeners = userspace.listeners();
                    self.state.counts = Some(userspace.counts());
                    self.occupied.extend(&occupied);
                    occupied.is_empty()
                }
                None => {
                    let wanted = wanted(&self.settings, &circumstances, subflows, self.state.kept);
                    self.make_all(&present, &wanted)?
                }
            };
            if is_done {
                // Ports that were in use may be free by the next look.
                let wanted = wanted(&self.settings, &circumstances, subflows, self.state.kept);
                if wanted.endpoints.len() < self.wished(&circumstances, subflows) {
                    self.occupied.clear();
                }
                break;
            }
        }
        self.state.save()
    }

    /// Makes endpoints and limits what is wanted; whether all ports that this takes were free.
    fn make_all(&mut self, present: &Present, wanted: &Wanted) -> Result<bool, HostError> {
        let mut is_done = true;
        for change in changes(present, wanted, &self.state.memory) {
            is_done &= self.make(&change, present)? == Made::Done;
        }
        if is_done {
            let present = self.path_manager.present()?;
            self.warn(report::warnings(&present, wanted, &self.state.memory));
        }
        Ok(is_done)
    }

    /// How many endpoints there would be if all ports were free.
    fn wished(&self, circumstances: &Circumstances, subflows: u8) -> usize {
        let free = Circumstances { taken: BTreeSet::new(), ..circumstances.clone() };
        wanted(&self.settings, &free, subflows, self.state.kept).endpoints.len()
    }

    /// Makes one change, which is remembered before it is made.
    fn make(&mut self, change: &Change, present: &Present) -> Result<Made, HostError> {
        self.state.memory.note(change, present.limits);
        self.state.save()?;
        let made = self.path_manager.make(change);
        match (made, change) {
            (Ok(()), _) => {
                self.state.memory.done(change);
                report::say(change);
                Ok(Made::Done)
            }
            (Err(error), _) if is_refusal(&error, libc::EPERM) => Err(HostError::NotAllowed(error)),
            (Err(error), Change::Add(endpoint)) => {
                self.state.memory.forget(endpoint);
                if endpoint.port != 0 && is_refusal(&error, libc::EADDRINUSE) {
                    info!(%endpoint, "somebody listens there already: another port is taken");
                    self.occupied.insert(SocketAddr::new(endpoint.address, endpoint.port));
                    return Ok(Made::PortTaken);
                }
                warn!("{error}");
                Ok(Made::Done)
            }
            (Err(error), _) => {
                warn!("{error}");
                Ok(Made::Done)
            }
        }
    }

    /// Says what is not as it should be, once.
    fn warn(&mut self, warnings: Vec<String>) {
        for warning in warnings.iter().filter(|warning| !self.warned.contains(warning)) {
            warn!("{warning}");
        }
        self.warned = warnings;
    }

    /// Takes away all that was set; what the kernel refuses to take back stays remembered.
    fn end(mut self) -> Result<(), HostError> {
        self.userspace = None;
        if let Some(before) = self.state.taken_from.take_if(|_| kernel::is_taken_over()) {
            kernel::give_back(&before)?;
        }
        if self.take_away()? { self.state.remove() } else { self.state.save() }
    }

    /// Takes endpoints away and sets the limits back; whether the kernel has let it.
    fn take_away(&mut self) -> Result<bool, HostError> {
        let present = self.path_manager.present()?;
        self.state.memory.refresh(&present);
        let mut is_done = true;
        for change in ends(&present, &self.state.memory) {
            match self.path_manager.make(&change) {
                Ok(()) => {
                    self.state.memory.done(&change);
                    report::say(&change);
                }
                Err(error) => {
                    is_done = false;
                    warn!("{error}");
                }
            }
        }
        Ok(is_done)
    }
}

/// What others have set leaves less room and fewer ports.
fn circumstances(present: &Present, memory: &Memory) -> Circumstances {
    let all = present.endpoints.iter().map(|there| there.endpoint);
    let (own, others): (BTreeSet<_>, BTreeSet<_>) = all.partition(|endpoint| memory.owns(endpoint));
    Circumstances {
        addresses: Vec::new(),
        taken: others.iter().map(|endpoint| SocketAddr::new(endpoint.address, endpoint.port)).collect(),
        own,
        others: others.len(),
        has_laminar: kernel::has_laminar(),
    }
}

fn is_refusal(error: &PathManagerError, code: i32) -> bool {
    matches!(error, PathManagerError::Refused { reason, .. } if reason.raw_os_error() == Some(code))
}
