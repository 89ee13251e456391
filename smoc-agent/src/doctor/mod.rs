//! `smoc doctor`: reads what there is, and makes the changes that are safe. What is wrong with it is decided in
//! [`smoc_control::doctor`].
//!
//! | file | what |
//! |---|---|
//! | `machine` | kernel, parameters, counters, capabilities, clock |
//! | `links` | interfaces: rtnetlink, ethtool, interrupts |
//! | `host` | the MPTCP path manager, and a connection of the host to itself |
//! | `switch` | configuration, agent, pin directory |
//! | `fix` | changes |

mod fix;
mod host;
mod links;
mod machine;
mod switch;

pub use fix::make;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use smoc_control::{config::DEFAULT_API, doctor::Facts};

use crate::{
    dataplane::DataplaneError,
    netlink::{Netlink, NetlinkError, PathManagerError},
};

/// The configuration of an agent, if there is one.
pub const DEFAULT_CONFIG: &str = "/etc/smoc/agent.yaml";

/// Why nothing can be looked at, or a change cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// Interfaces and rules.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The path manager.
    #[error(transparent)]
    PathManager(#[from] PathManagerError),
    /// The mount.
    #[error(transparent)]
    Dataplane(#[from] DataplaneError),
    /// Drivers cannot be asked.
    #[error("open a socket to ask drivers: {0}")]
    Ethtool(#[source] io::Error),
    /// A change.
    #[error("{command}: {source}")]
    Change {
        /// The command that does the same.
        command: String,
        /// Why not.
        source: io::Error,
    },
}

/// What to look at.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Whether an end host is asked about.
    pub is_host: bool,
    /// Whether a switch is.
    pub is_switch: bool,
    /// The configuration of the agent, if it was named.
    pub config: Option<PathBuf>,
    /// The agent's socket, if it was named.
    pub api: Option<PathBuf>,
    /// Where `smoc host` remembers what it has set.
    pub state: PathBuf,
    /// The rate of all paths together in bit/s, if it was said.
    pub rate: Option<u64>,
    /// The longest round trip.
    pub round_trip: Duration,
}

impl Subject {
    /// Whether this machine looks like a switch: it has a configuration of an agent, or the socket of one.
    pub fn looks_like_a_switch(&self) -> bool {
        let socket = self.api.clone().unwrap_or_else(|| DEFAULT_API.into());
        self.config.is_some() || Path::new(DEFAULT_CONFIG).exists() || socket.exists()
    }
}

/// Reads everything, in the network namespace of the calling thread.
///
/// # Errors
/// The kernel does not tell of its interfaces. Whatever else cannot be read is missing in the facts.
pub async fn read(subject: &Subject) -> Result<Facts, DoctorError> {
    let netlink = Netlink::connect()?;
    let interfaces = netlink.interfaces().await?;
    let links = links::read(&netlink, &interfaces).await?;
    // Before the host is looked at: its connection to itself is counted too.
    let counters = machine::counters();
    let host = subject.is_host.then(|| host::read(subject));
    let switch = match subject.is_switch {
        true => Some(switch::read(subject, &interfaces).await),
        false => None,
    };
    Ok(Facts {
        kernel: machine::kernel(),
        settings: machine::settings(links.iter().map(|link| link.name())),
        counters,
        processors: machine::processors(),
        rules: netlink.rule_sources().await?,
        links,
        host,
        switch,
    })
}
