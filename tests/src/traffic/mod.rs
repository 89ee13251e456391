//! Real traffic between the hosts of a lab.

mod crafted;
mod datagram;
mod frame;
mod ping;
mod stream;
mod transfer;

use std::net::IpAddr;

use anyhow::{Context, Result};

pub use crafted::{Ports, Station, join_connection, mac_of, open_connection};
pub use datagram::{Arrived, Datagrams};
pub use frame::{Capture, FrameReceiver, FrameSender};
pub use ping::{Answer, checksum, ping};
pub use stream::ByteStream;
pub use transfer::{Amount, Protocol, Received, Running, Transfer};

use crate::lab::Host;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A host's first address of a family.
///
/// # Errors
/// When it has none.
pub fn address(host: &Host, family: Family) -> Result<IpAddr> {
    let found = host.addresses.iter().find(|address| address.is_ipv4() == (family == Family::V4));
    found.copied().with_context(|| format!("{} has no {family:?} address", host.name))
}
