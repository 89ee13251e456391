//! The kernel's MPTCP path manager, over generic netlink (linux/mptcp_pm.h, family `mptcp_pm`).
//!
//! The crate mptcp-pm (0.2.0) can only read endpoints and limits, and brings netlink-proto 0.13 beside the 0.14 of rtnetlink;
//! so the framing is netlink-packet-generic's, and the few attributes are here.
//!
//! | command | number | attributes |
//! |---|---|---|
//! | add endpoint | 1 | 1: nested family (1), address (3 or 4), port (5), flags (6), interface (7) |
//! | remove endpoint | 2 | 1: nested number (2) |
//! | get endpoints | 3 | none; answers as above, with the number |
//! | set, get limits | 5, 6 | 2: ADD_ADDRs accepted, 3: subflows |
//!
//! What is told of and to single connections, where a path manager in user space decides, is in `connections`.
//!
//! Numbers are in the host's byte order, addresses in that of the network.

mod connections;

pub use connections::{ConnectionEvents, Heard};

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netlink_packet_generic::{
    GenlFamily, GenlHeader, GenlMessage,
    ctrl::{
        GenlCtrl, GenlCtrlCmd,
        nlas::{GenlCtrlAttrs, McastGrpAttrs},
    },
};
use rtnetlink::{
    packet_core::{
        DecodeError, DefaultNla, Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable,
        NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable, Nla, NlasIterator, Parseable,
        ParseableParametrized,
    },
    sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC},
};
use smoc_control::end_host::{Change, Endpoint, Flags, Installed, Limits, Present};

const FAMILY_NAME: &str = "mptcp_pm";
const VERSION: u8 = 1;

const ADD: u8 = 1;
const REMOVE: u8 = 2;
const GET: u8 = 3;
const SET_LIMITS: u8 = 5;
const GET_LIMITS: u8 = 6;

const NESTED: u16 = 1 << 15;
const ENDPOINT: u16 = 1;
const ADD_ADDR_ACCEPTED: u16 = 2;
const SUBFLOWS: u16 = 3;

const FAMILY: u16 = 1;
const ID: u16 = 2;
const ADDRESS_V4: u16 = 3;
const ADDRESS_V6: u16 = 4;
const PORT: u16 = 5;
const FLAGS: u16 = 6;
const INTERFACE: u16 = 7;

/// Why the path manager could not be asked or told.
#[derive(Debug, thiserror::Error)]
pub enum PathManagerError {
    /// No netlink socket, or nothing comes through it.
    #[error("ask the kernel's MPTCP path manager")]
    Socket(#[from] io::Error),
    /// The kernel has no MPTCP, or an old one.
    #[error(
        "this kernel has no MPTCP path manager (netlink family mptcp_pm): it takes Linux 5.12 or later, built with CONFIG_MPTCP"
    )]
    NoMptcp,
    /// The kernel refused.
    #[error("{doing}: {reason}")]
    Refused {
        /// What it was told.
        doing: String,
        /// What it said.
        reason: io::Error,
    },
    /// What the kernel says makes no sense.
    #[error("the kernel's MPTCP path manager said what cannot be read")]
    Senseless(#[from] DecodeError),
}

/// Asks and tells the path manager of a network namespace. Every call waits for the kernel's answer, which comes at once.
pub struct PathManager {
    socket: Socket,
    family: u16,
    /// The multicast group of what is told of connections.
    events: u32,
    sequence: u32,
}

/// A command with its attributes.
#[derive(Clone, Debug)]
struct Message {
    command: u8,
    attributes: Vec<DefaultNla>,
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        FAMILY_NAME
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        VERSION
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        Ok(Self { command: header.cmd, attributes: attributes(bytes)? })
    }
}

impl PathManager {
    /// Opens a socket in the namespace of the calling thread.
    ///
    /// # Errors
    /// There is none, or the kernel has no MPTCP.
    pub fn connect() -> Result<Self, PathManagerError> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        let mut manager = Self { socket, family: 0, events: 0, sequence: 0 };
        let name = vec![GenlCtrlAttrs::FamilyName(FAMILY_NAME.to_owned())];
        let question = GenlMessage::from_payload(GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: name });
        let answers =
            manager.ask::<GenlCtrl>(question, NLM_F_ACK, "find the family").map_err(|error| match error {
                PathManagerError::Refused { reason, .. } if reason.raw_os_error() == Some(libc::ENOENT) => {
                    PathManagerError::NoMptcp
                }
                error => error,
            })?;
        for attribute in answers.iter().flat_map(|answer| &answer.nlas) {
            match attribute {
                GenlCtrlAttrs::FamilyId(id) => manager.family = *id,
                GenlCtrlAttrs::McastGroups(groups) => manager.events = events_group(groups).unwrap_or(0),
                _ => {}
            }
        }
        if manager.family == 0 { Err(PathManagerError::NoMptcp) } else { Ok(manager) }
    }

    /// The endpoints and limits that there are.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn present(&mut self) -> Result<Present, PathManagerError> {
        let endpoints = self.command(GET, vec![], NLM_F_DUMP, "list the endpoints")?;
        let limits = self.command(GET_LIMITS, vec![], NLM_F_ACK, "read the limits")?;
        let of = |kind: u16| {
            let found = limits.iter().flat_map(|message| &message.attributes);
            found.filter(move |attribute| attribute.kind() == kind).find_map(|it| number(&value(it)))
        };
        let limits = Limits {
            subflows: of(SUBFLOWS).unwrap_or(0),
            add_addr_accepted: of(ADD_ADDR_ACCEPTED).unwrap_or(0),
        };
        let nested = endpoints.iter().flat_map(|message| &message.attributes);
        let nested = nested.filter(|attribute| attribute.kind() & !NESTED == ENDPOINT);
        let endpoints = nested.map(|nested| Ok(endpoint(&attributes(&value(nested))?)));
        let endpoints = endpoints.collect::<Result<Vec<_>, DecodeError>>()?;
        Ok(Present { endpoints: endpoints.into_iter().flatten().collect(), limits })
    }

    /// Makes a change.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn make(&mut self, change: &Change) -> Result<(), PathManagerError> {
        let attribute = |kind, value: &[u8]| DefaultNla::new(kind, value.to_vec());
        let (command, attributes, doing) = match change {
            Change::Add(new) => {
                (ADD, vec![nest(ENDPOINT, &described(new))], format!("add the endpoint {new}"))
            }
            Change::Remove(old) => {
                let id = nest(ENDPOINT, &[attribute(ID, &[old.id])]);
                (REMOVE, vec![id], format!("remove the endpoint {}", old.endpoint))
            }
            Change::SetLimits(limits) => {
                let both = [(ADD_ADDR_ACCEPTED, limits.add_addr_accepted), (SUBFLOWS, limits.subflows)];
                let both = both.map(|(kind, number)| attribute(kind, &number.to_ne_bytes()));
                (SET_LIMITS, both.to_vec(), format!("set the limits {limits}"))
            }
        };
        self.command(command, attributes, NLM_F_ACK, &doing).map(drop)
    }

    fn command(
        &mut self,
        command: u8,
        attributes: Vec<DefaultNla>,
        flags: u16,
        doing: &str,
    ) -> Result<Vec<Message>, PathManagerError> {
        let mut message = GenlMessage::from_payload(Message { command, attributes });
        message.set_resolved_family_id(self.family);
        self.ask(message, flags, doing)
    }

    /// Sends a request and reads until its end: the acknowledgment, or the end of what was listed.
    fn ask<F>(&mut self, message: GenlMessage<F>, flags: u16, doing: &str) -> Result<Vec<F>, PathManagerError>
    where
        F: GenlFamily + Emitable + ParseableParametrized<[u8], GenlHeader> + std::fmt::Debug,
        GenlMessage<F>: NetlinkSerializable + NetlinkDeserializable<Error = DecodeError>,
    {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut answers = Vec::new();
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = datagram.as_slice();
            while !rest.is_empty() {
                let answer = NetlinkMessage::<GenlMessage<F>>::deserialize(rest)?;
                let length = (answer.header.length as usize).next_multiple_of(4).min(rest.len());
                rest = &rest[length..];
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => answers.push(message.payload),
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        let (doing, reason) = (doing.to_owned(), error.to_io());
                        return Err(PathManagerError::Refused { doing, reason });
                    }
                    NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok(answers),
                    _ => {}
                }
            }
        }
    }
}

/// The number of the group that is told of connections.
fn events_group(groups: &[Vec<McastGrpAttrs>]) -> Option<u32> {
    let name = McastGrpAttrs::Name(connections::GROUP.to_owned());
    let group = groups.iter().find(|group| group.contains(&name))?;
    group.iter().find_map(|attribute| match attribute {
        McastGrpAttrs::Id(id) => Some(*id),
        McastGrpAttrs::Name(_) => None,
    })
}

fn attributes(bytes: &[u8]) -> Result<Vec<DefaultNla>, DecodeError> {
    NlasIterator::new(bytes).map(|attribute| DefaultNla::parse(&attribute?)).collect()
}

fn nest(kind: u16, inner: &[DefaultNla]) -> DefaultNla {
    let mut bytes = vec![0; inner.buffer_len()];
    inner.emit(&mut bytes);
    DefaultNla::new(kind | NESTED, bytes)
}

fn value(attribute: &DefaultNla) -> Vec<u8> {
    let mut bytes = vec![0; attribute.value_len()];
    attribute.emit_value(&mut bytes);
    bytes
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

fn described(endpoint: &Endpoint) -> Vec<DefaultNla> {
    let (family, kind, address) = match endpoint.address {
        IpAddr::V4(address) => (libc::AF_INET as u16, ADDRESS_V4, address.octets().to_vec()),
        IpAddr::V6(address) => (libc::AF_INET6 as u16, ADDRESS_V6, address.octets().to_vec()),
    };
    let mut all = vec![
        DefaultNla::new(FAMILY, family.to_ne_bytes().to_vec()),
        DefaultNla::new(kind, address),
        DefaultNla::new(FLAGS, endpoint.flags.0.to_ne_bytes().to_vec()),
    ];
    if endpoint.port != 0 {
        all.push(DefaultNla::new(PORT, endpoint.port.to_ne_bytes().to_vec()));
    }
    if endpoint.interface != 0 {
        all.push(DefaultNla::new(INTERFACE, endpoint.interface.to_ne_bytes().to_vec()));
    }
    all
}

/// An endpoint as the kernel tells it; `None` without an address.
fn endpoint(attributes: &[DefaultNla]) -> Option<Installed> {
    let of = |kind: u16| attributes.iter().find(|attribute| attribute.kind() == kind).map(value);
    let v4 = || <[u8; 4]>::try_from(of(ADDRESS_V4)?).ok().map(|octets| Ipv4Addr::from(octets).into());
    let v6 = || <[u8; 16]>::try_from(of(ADDRESS_V6)?).ok().map(|octets| Ipv6Addr::from(octets).into());
    let port = of(PORT).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_ne_bytes);
    let endpoint = Endpoint {
        address: v4().or_else(v6)?,
        port,
        flags: Flags(of(FLAGS).and_then(|bytes| number(&bytes)).unwrap_or(0)),
        interface: of(INTERFACE).and_then(|bytes| number(&bytes)).unwrap_or(0),
    };
    Some(Installed { id: of(ID)?.first().copied()?, endpoint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_survives_the_wire() {
        for (address, port, interface) in [("10.0.0.1", 61001, 3), ("fd00::1", 0, 0)] {
            let sent = Endpoint { address: address.parse().unwrap(), port, flags: Flags::SIGNAL, interface };
            let mut told = described(&sent);
            told.push(DefaultNla::new(ID, vec![7]));
            let nested = value(&nest(ENDPOINT, &told));
            assert_eq!(endpoint(&attributes(&nested).unwrap()), Some(Installed { id: 7, endpoint: sent }));
        }
        assert_eq!(endpoint(&[]), None);
    }
}
