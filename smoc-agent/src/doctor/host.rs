//! The MPTCP path manager, and whether a connection of the host to itself is MPTCP.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use smoc_control::doctor::{EndpointFact, Host, Loopback};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Subject, machine::counters};
use crate::{
    host::{self, Owner, kernel::mptcpd},
    netlink::PathManager,
};

/// Counts connections that were plain TCP because MPTCP is switched off for now.
const DISABLED: &str = "MPTcpExtMPCapableSYNTXDisabled";
/// How long a connection to the host itself may take.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn read(subject: &Subject) -> Host {
    let present = PathManager::connect().and_then(|mut manager| manager.present()).ok();
    // Without: the state file is of another namespace, and nothing is smoc host's.
    let status = host::status(&subject.state).ok();
    let is_known = |id: u8| {
        let endpoints = status.iter().flat_map(|status| &status.endpoints);
        endpoints.filter(|view| view.id == id).any(|view| view.owner != Owner::Others)
    };
    let installed = present.iter().flat_map(|present| &present.endpoints);
    let endpoints = installed.map(|there| EndpointFact {
        id: there.id,
        address: there.endpoint.address,
        flags: there.endpoint.flags,
        is_foreign: !is_known(there.id),
    });
    Host {
        endpoints: endpoints.collect(),
        limits: present.as_ref().map(|present| present.limits),
        daemon: status.as_ref().and_then(|status| status.pid),
        mode: status.as_ref().filter(|status| status.pid.is_some()).and_then(|status| status.mode),
        mptcpd: mptcpd(),
        loopback: loopback(),
        rate: subject.rate,
        round_trip: subject.round_trip,
    }
}

fn loopback() -> Loopback {
    let disabled = || counters().get(DISABLED).copied().unwrap_or(0);
    let before = disabled();
    match connection_to_itself() {
        Err(error) => Loopback::Failed(error.to_string()),
        Ok(true) => Loopback::Mptcp,
        Ok(false) if disabled() > before => Loopback::BlackHoled,
        Ok(false) => Loopback::FellBack,
    }
}

/// Opens an MPTCP connection over the loopback interface; whether it is one. The kernel hands out a plain TCP socket for one that
/// fell back.
fn connection_to_itself() -> io::Result<bool> {
    let open = || Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP));
    let listener = open()?;
    listener.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
    listener.listen(1)?;
    let client = open()?;
    client.connect_timeout(&listener.local_addr()?, PATIENCE)?;
    listener.set_nonblocking(true)?;
    let (accepted, _) = listener.accept()?;
    Ok(accepted.protocol()? == Some(Protocol::MPTCP))
}
