//! The mode `userspace`: hears of connections, and has the kernel do what [`smoc_control::end_host::userspace`] decides.

use std::{collections::BTreeSet, io, net::SocketAddr, time::Duration};

use smoc_control::end_host::{
    Endpoint, Flags,
    config::Settings,
    userspace::{Connections, Counts, Offer, Order},
};
use tracing::{debug, info, warn};

use super::{HostError, is_refusal, listeners::Listeners};
use crate::{
    clock::now,
    netlink::{ConnectionEvents, Heard, PathManager, SubflowHealth},
};

/// Connections are not looked at more often than this, however many there are.
const LEAST_PAUSE: Duration = Duration::from_millis(50);

/// All connections of this network namespace that began since it runs.
pub(super) struct Userspace {
    connections: Connections,
    events: ConnectionEvents,
    health: SubflowHealth,
    listeners: Listeners,
    /// What was offered last.
    endpoints: BTreeSet<Endpoint>,
    path_manager: PathManager,
    passed_over: u64,
}

impl Userspace {
    pub fn new(settings: &Settings) -> Result<Self, HostError> {
        let path_manager = PathManager::connect()?;
        Ok(Self {
            connections: Connections::new(settings.worth),
            events: path_manager.events()?,
            health: SubflowHealth::connect().map_err(HostError::Sockets)?,
            listeners: Listeners::default(),
            endpoints: BTreeSet::new(),
            path_manager,
            passed_over: 0,
        })
    }

    /// Where joins are listened for.
    pub fn listeners(&self) -> Vec<SocketAddr> {
        self.listeners.addresses().collect()
    }

    /// How many connections there are.
    pub fn counts(&self) -> Counts {
        self.connections.counts()
    }

    /// What others are told of: of these, what can be listened at.
    pub fn told(&self) -> BTreeSet<Endpoint> {
        let is_told = |at: &&Endpoint| {
            self.listeners
                .addresses()
                .any(|listener| (listener.ip(), listener.port()) == (at.address, at.port))
        };
        self.endpoints.iter().filter(is_told).copied().collect()
    }

    /// Gives connections from now on what endpoints would give them in the mode `kernel`.
    ///
    /// # Returns
    /// Where somebody else listens already, so that another port has to be found.
    pub fn offer(&mut self, endpoints: &BTreeSet<Endpoint>, subflows: u8) -> Vec<SocketAddr> {
        let told = endpoints.iter().filter(|endpoint| endpoint.flags.has(Flags::SIGNAL));
        let wanted: BTreeSet<SocketAddr> =
            told.map(|endpoint| SocketAddr::new(endpoint.address, endpoint.port)).collect();
        let mut occupied = Vec::new();
        for (at, error) in self.listeners.keep(&wanted) {
            if error.kind() == io::ErrorKind::AddrInUse {
                info!(%at, "somebody listens there already: another port is taken");
                occupied.push(at);
            } else {
                warn!(%at, %error, "joins cannot be listened for");
            }
        }
        let sources = endpoints.iter().filter(|endpoint| endpoint.flags.has(Flags::SUBFLOW));
        let offer = Offer {
            extra: usize::from(subflows.max(1) - 1),
            listeners: self.listeners(),
            sources: sources.map(|endpoint| endpoint.address).collect(),
        };
        self.endpoints.clone_from(endpoints);
        let orders = self.connections.offer(offer, now());
        self.obey(orders);
        occupied
    }

    /// Waits until the kernel tells something or connections are to be looked at, and does what follows.
    ///
    /// # Errors
    /// The kernel tells nothing any more.
    pub async fn go_on(&mut self) -> Result<(), HostError> {
        let next = self.connections.next().map(|due| due.since(now()).max(LEAST_PAUSE));
        let pause = async {
            match next {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            heard = self.events.next() => match heard.map_err(HostError::Sockets)? {
                Heard::Event(token, event) => {
                    debug!(?token, ?event, "the kernel tells");
                    let orders = self.connections.hear(token, event, now());
                    self.obey(orders);
                }
                Heard::Lost => {
                    warn!("more happened to connections than there is room for: some keep the subflows that they have");
                    self.check()?;
                }
            },
            () = pause => self.look()?,
        }
        Ok(())
    }

    /// Asks how subflows do, and takes what has become due.
    fn look(&mut self) -> Result<(), HostError> {
        for (token, ends) in self.connections.due(now()) {
            if let Some(health) = self.health.of(ends).map_err(HostError::Sockets)? {
                let orders = self.connections.measured(token, ends, health, now());
                self.obey(orders);
            }
        }
        let orders = self.connections.settle(now());
        self.obey(orders);
        if self.connections.passed_over != self.passed_over {
            self.passed_over = self.connections.passed_over;
            warn!(connections = self.passed_over, "too many connections: further ones keep one subflow");
        }
        Ok(())
    }

    /// Forgets what was closed and not heard of.
    fn check(&mut self) -> Result<(), HostError> {
        for (token, ends) in self.connections.subflows() {
            if self.health.of(ends).map_err(HostError::Sockets)?.is_none() {
                self.connections.missing(token, ends, now());
            }
        }
        Ok(())
    }

    fn obey(&mut self, orders: Vec<Order>) {
        for order in orders {
            debug!(?order, "the kernel is told");
            let Err(error) = self.path_manager.order(&order) else { continue };
            let is_unknown = is_refusal(&error, libc::ESRCH) || is_refusal(&error, libc::EINVAL);
            match order {
                Order::Announce { token, .. } | Order::Open { token, .. } if is_unknown => {
                    debug!(?token, %error, "the connection is over, or not left to user space");
                    self.connections.forget(token);
                }
                Order::Open { token, from, to, .. } => {
                    info!("{error}");
                    self.connections.refused(token, from, to, now());
                }
                Order::Announce { .. } => warn!("{error}"),
                // The subflow is over.
                Order::SetBackup { .. } => debug!("{error}"),
            }
        }
    }
}
