//! What an agent knows of the connections that pass it: `smoc conns --format json`.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::lab::Lab;

/// An MPTCP connection.
#[derive(Clone, Debug, Deserialize)]
pub struct Connection {
    /// The tokens of both hosts; `None` for subflows whose connection is not known.
    pub tokens: Option<Tokens>,
    /// Its subflows, oldest first.
    pub subflows: Vec<Subflow>,
}

/// Two tokens, 8 hex digits each.
#[derive(Clone, Debug, Deserialize)]
pub struct Tokens {
    /// Of the host at this switch.
    pub local: String,
    /// Of the other host.
    pub remote: String,
}

/// An address and a TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// A subflow.
#[derive(Clone, Debug, Deserialize)]
pub struct Subflow {
    /// The host at this switch.
    pub local: Endpoint,
    /// The other host.
    pub remote: Endpoint,
    /// The rank of its path.
    pub rank: u8,
    /// Whether the rank was hashed, because its connection is unknown.
    pub hashed: bool,
    /// The switches of its path, from this one on.
    pub switches: Vec<String>,
    /// The links of its path.
    pub links: Vec<String>,
    /// Frames from the local host into the fabric.
    pub packets_sent: u64,
}

impl Connection {
    /// Both tokens, as far as they are known.
    pub fn token_set(&self) -> BTreeSet<String> {
        self.tokens.iter().flat_map(|tokens| [tokens.local.clone(), tokens.remote.clone()]).collect()
    }

    /// How many different paths its subflows take.
    pub fn distinct_paths(&self) -> usize {
        self.subflows.iter().map(|subflow| &subflow.links).collect::<BTreeSet<_>>().len()
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(end: Endpoint) -> Self {
        Self::new(end.address, end.port)
    }
}

impl fmt::Display for Subflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = format!("{} > {}", SocketAddr::from(self.local), SocketAddr::from(self.remote));
        write!(
            f,
            "{ends:<36} rank {}  {:<14} {:>8} frames",
            self.rank,
            self.switches.join(" - "),
            self.packets_sent
        )
    }
}

/// All connections that a switch's agent knows.
///
/// # Errors
/// When the agent does not answer, or not as expected.
pub fn connections(lab: &Lab, switch: &str) -> Result<Vec<Connection>> {
    serde_json::from_value(lab.ask(switch, &["conns"])?).context("read what `smoc conns` printed")
}

/// The connection that has a subflow with this end, whichever side it is on.
///
/// # Errors
/// As [`connections`], and when there is no such connection.
pub fn connection_with(lab: &Lab, switch: &str, end: SocketAddr) -> Result<Connection> {
    let has_it =
        |subflow: &Subflow| [subflow.local, subflow.remote].into_iter().any(|at| SocketAddr::from(at) == end);
    let found =
        connections(lab, switch)?.into_iter().find(|connection| connection.subflows.iter().any(has_it));
    found.with_context(|| format!("the agent of {switch} knows no connection with {end}"))
}
