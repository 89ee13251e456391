//! Decides for each connection, where the kernel leaves subflows to a path manager in user space.
//!
//! The kernel tells of connections and subflows ([`Event`]) and is told what to do ([`Order`]); how sockets do is asked from
//! time to time ([`Health`]). Short connections have one subflow. One that lasts or carries much has what the fabric offers:
//! the host that accepted it tells of ports, the one that opened it opens subflows to what it is told of and from further
//! addresses of its own. What dies of an error of the network is opened again, which Linux itself does not do. While a
//! subflow stays without acknowledgments others go first: it is marked as backup, at both ends (MP_PRIO, RFC 8684 3.3.8).
//!
//! | file | what |
//! |---|---|
//! | `connection` | one connection: which subflows it has, lacks and tries |

mod connection;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use connection::Connection;
use serde::{Deserialize, Serialize};

use crate::clock::Nanos;

/// How a connection is named in this network namespace: the token that its other end sends in joins, as a number in the
/// host's byte order (`MPTCP_ATTR_TOKEN` of linux/mptcp_pm.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u32);

/// Both ends of a subflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    /// This host's.
    pub local: SocketAddr,
    /// The other host's.
    pub remote: SocketAddr,
}

/// Most connections that are looked after; further ones keep their initial subflow.
const MOST_CONNECTIONS: usize = 65_536;
/// How often connections are looked at that may have more subflows soon.
const LOOK_SOON: Duration = Duration::from_millis(100);
/// How often connections are looked at that have several subflows.
const LOOK: Duration = Duration::from_secs(1);

/// From when on a connection is worth more than one subflow: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    /// So long after it was established.
    pub time: Duration,
    /// So many bytes, of both directions.
    pub bytes: u64,
}

/// What the kernel tells (`enum mptcp_event_type` of linux/mptcp_pm.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection can have further subflows from now on.
    Established {
        /// The initial subflow.
        ends: Ends,
        /// Whether this host has accepted it.
        is_server: bool,
        /// Whether the other host takes no join to the address and port of the initial subflow (the C flag).
        denies_initial: bool,
    },
    /// A connection is over.
    Closed,
    /// The other host tells of an address (ADD_ADDR); port 0 is that of the initial subflow.
    Announced {
        /// Its address id.
        id: u8,
        /// The address.
        address: SocketAddr,
    },
    /// An address of the other host is gone (REMOVE_ADDR).
    Withdrawn {
        /// Its address id.
        id: u8,
    },
    /// A subflow more.
    SubflowEstablished(Ends),
    /// A subflow less.
    SubflowClosed {
        /// Which.
        ends: Ends,
        /// The `errno` that ended it; 0: it was closed.
        error: u8,
    },
}

/// What the kernel shall do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Tell the other host of an address and a port at which somebody listens.
    Announce {
        /// The connection.
        token: Token,
        /// The address id.
        id: u8,
        /// The address and port.
        address: SocketAddr,
    },
    /// Open a subflow.
    Open {
        /// The connection.
        token: Token,
        /// From this address of this host.
        from: IpAddr,
        /// Its address id; 0: it is that of the initial subflow.
        id: u8,
        /// To this.
        to: SocketAddr,
    },
    /// Use a subflow only if there is no other, or again like the others.
    SetBackup {
        /// The connection.
        token: Token,
        /// The subflow.
        ends: Ends,
        /// Whether it is a backup.
        is_backup: bool,
    },
}

/// What this host can give to connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Subflows beside the initial one.
    pub extra: usize,
    /// Addresses with ports at which this host listens for joins.
    pub listeners: Vec<SocketAddr>,
    /// Further addresses from which subflows can be opened.
    pub sources: Vec<IpAddr>,
}

/// How the socket of a subflow does (`struct tcp_info` of linux/tcp.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Bytes that it has carried, of both directions.
    pub bytes: u64,
    /// Whether data goes unacknowledged although it was sent again more than once.
    pub is_stuck: bool,
}

/// All connections that began since the path manager runs.
#[derive(Debug)]
pub struct Connections {
    worth: Worth,
    offer: Offer,
    all: BTreeMap<Token, Connection>,
    /// Connections that were not taken up, because there are too many.
    pub passed_over: u64,
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Connections that are looked after.
    pub connections: usize,
    /// Those that are worth more than one subflow.
    pub worth: usize,
    /// Subflows of all, initial ones included.
    pub subflows: usize,
}

impl Connections {
    /// None yet.
    pub fn new(worth: Worth) -> Self {
        Self { worth, offer: Offer::default(), all: BTreeMap::new(), passed_over: 0 }
    }

    /// Takes what can be given from now on.
    pub fn offer(&mut self, offer: Offer, now: Nanos) -> Vec<Order> {
        if offer == self.offer {
            return Vec::new();
        }
        self.offer = offer;
        self.settle(now)
    }

    /// Takes what the kernel tells of a connection.
    pub fn hear(&mut self, token: Token, event: Event, now: Nanos) -> Vec<Order> {
        if let Event::Established { ends, is_server, denies_initial } = event {
            if self.all.len() >= MOST_CONNECTIONS && !self.all.contains_key(&token) {
                self.passed_over += 1;
                return Vec::new();
            }
            self.all.insert(token, Connection::new(ends, is_server, denies_initial, now));
        }
        if event == Event::Closed {
            self.all.remove(&token);
        }
        let Some(connection) = self.all.get_mut(&token) else { return Vec::new() };
        connection.hear(event, now);
        connection.settle(token, &self.offer, self.worth, now)
    }

    /// The kernel does not know a connection any more.
    pub fn forget(&mut self, token: Token) {
        self.all.remove(&token);
    }

    /// The kernel has refused to open a subflow.
    pub fn refused(&mut self, token: Token, from: IpAddr, to: SocketAddr, now: Nanos) {
        if let Some(connection) = self.all.get_mut(&token) {
            connection.failed(from, to, now);
        }
    }

    /// The subflows whose health is asked for now: those of connections that may be worth more soon, and all of connections that
    /// have several.
    pub fn due(&mut self, now: Nanos) -> Vec<(Token, Ends)> {
        let due = self.all.iter_mut().filter_map(|(token, connection)| {
            let is_due = connection.look_due(now);
            is_due.then(|| connection.subflows().map(|ends| (*token, ends)).collect::<Vec<_>>())
        });
        due.flatten().collect()
    }

    /// All subflows that are known.
    pub fn subflows(&self) -> Vec<(Token, Ends)> {
        let all = self.all.iter();
        all.flat_map(|(token, connection)| connection.subflows().map(|ends| (*token, ends))).collect()
    }

    /// There is no such subflow, though nobody has told that it was closed; a connection without subflows is over then.
    pub fn missing(&mut self, token: Token, ends: Ends, now: Nanos) {
        self.hear(token, Event::SubflowClosed { ends, error: 0 }, now);
        if self.all.get(&token).is_some_and(|connection| connection.subflows().next().is_none()) {
            self.forget(token);
        }
    }

    /// Takes how a subflow does.
    pub fn measured(&mut self, token: Token, ends: Ends, health: Health, now: Nanos) -> Vec<Order> {
        let Some(connection) = self.all.get_mut(&token) else { return Vec::new() };
        let prio = connection.measured(ends, health);
        let mut orders: Vec<Order> =
            prio.map(|is_backup| Order::SetBackup { token, ends, is_backup }).into_iter().collect();
        orders.extend(connection.settle(token, &self.offer, self.worth, now));
        orders
    }

    /// What time alone brings: connections that have lasted, and subflows that are tried again.
    pub fn settle(&mut self, now: Nanos) -> Vec<Order> {
        let (offer, worth) = (&self.offer, self.worth);
        let all = self.all.iter_mut();
        all.flat_map(|(token, connection)| connection.settle(*token, offer, worth, now)).collect()
    }

    /// When something is due next; `None`: only when the kernel tells something.
    pub fn next(&self) -> Option<Nanos> {
        self.all.values().filter_map(Connection::next).min()
    }

    /// How many there are.
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.all.len(),
            worth: self.all.values().filter(|connection| connection.is_worth()).count(),
            subflows: self.subflows().len(),
        }
    }
}

#[cfg(test)]
mod tests;
