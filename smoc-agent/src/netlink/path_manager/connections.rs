//! Single connections, for a path manager in user space: what the kernel tells of them and is told to do with them.
//!
//! | command | number | attributes |
//! |---|---|---|
//! | set flags | 7 | 4: token, 1: nested address of this host with flags, 6: nested address of the other |
//! | announce | 8 | 4: token, 1: nested address with number, port and the flag `signal` |
//! | create subflow | 10 | 4: token, 1: nested address of this host with number, 6: nested address of the other with port |
//!
//! | event | number | attributes that are read |
//! |---|---|---|
//! | established | 2 | 1: token, 5 to 8: addresses, 9 and 10: ports, 18: whether this host has accepted it, 13: flags |
//! | closed | 3 | 1: token |
//! | announced, removed | 6, 7 | 1: token, 4: its number, 7 or 8: address, 10: port |
//! | subflow established, closed | 10, 11 | 1: token, 5 to 10 as above, 12: error |
//!
//! Ports of events are in the byte order of the network, those of commands in the host's.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use netlink_packet_generic::GenlMessage;
use rtnetlink::{
    packet_core::{DefaultNla, NLM_F_ACK, NetlinkMessage, NetlinkPayload, Nla},
    sys::{Socket, protocols::NETLINK_GENERIC},
};
use smoc_control::end_host::{
    Endpoint, Flags,
    userspace::{Ends, Event, Order, Token},
};
use tokio::io::unix::AsyncFd;

use super::{ENDPOINT, ID, Message, PathManager, PathManagerError, described, nest, number, value};

/// `MPTCP_PM_EV_GRP_NAME` of linux/mptcp.h.
pub(super) const GROUP: &str = "mptcp_pm_events";

const SET_FLAGS: u8 = 7;
const ANNOUNCE: u8 = 8;
const CREATE_SUBFLOW: u8 = 10;

const TOKEN: u16 = 4;
const REMOTE: u16 = 6;

const ESTABLISHED: u8 = 2;
const CLOSED: u8 = 3;
const ANNOUNCED: u8 = 6;
const REMOVED: u8 = 7;
const SUBFLOW_ESTABLISHED: u8 = 10;
const SUBFLOW_CLOSED: u8 = 11;

const EVENT_TOKEN: u16 = 1;
const EVENT_REMOTE_ID: u16 = 4;
const EVENT_LOCAL: [u16; 2] = [5, 6];
const EVENT_REMOTE: [u16; 2] = [7, 8];
const EVENT_LOCAL_PORT: u16 = 9;
const EVENT_REMOTE_PORT: u16 = 10;
const EVENT_ERROR: u16 = 12;
const EVENT_FLAGS: u16 = 13;
const EVENT_SERVER_SIDE: u16 = 18;
/// Flags of events: no joins to the initial address and port; this host has accepted the connection (from Linux 6.18 on, beside
/// attribute 18).
const DENIES_INITIAL: u16 = 1 << 0;
const SERVER_SIDE: u16 = 1 << 1;

/// Room for what the kernel tells while nobody reads: several thousand events.
const BUFFER: usize = 1 << 20;

/// Hears what the kernel tells of the connections of a network namespace.
pub struct ConnectionEvents {
    socket: AsyncFd<Socket>,
    /// What has come with the last datagram.
    pending: std::collections::VecDeque<(Token, Event)>,
}

/// What was heard.
#[derive(Debug)]
pub enum Heard {
    /// An event.
    Event(Token, Event),
    /// Some events are lost, because there were more than there is room for.
    Lost,
}

impl PathManager {
    /// Joins those who are told of connections.
    ///
    /// # Errors
    /// No CAP_NET_ADMIN, or the kernel tells nobody (before Linux 5.12).
    pub fn events(&self) -> Result<ConnectionEvents, PathManagerError> {
        if self.events == 0 {
            return Err(PathManagerError::NoMptcp);
        }
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        socket.set_rx_buf_sz(libc::c_int::try_from(BUFFER).unwrap_or(libc::c_int::MAX))?;
        socket.add_membership(self.events)?;
        // SAFETY: the socket owns its file descriptor, which is the same as long as it lives.
        let socket = unsafe { AsyncFd::register(socket) }.map_err(io::Error::from)?;
        Ok(ConnectionEvents { socket, pending: [].into() })
    }

    /// Has the kernel do something with a connection.
    ///
    /// # Errors
    /// The kernel's answer: ESRCH or EINVAL if it does not know the connection, or does not leave it to user space.
    pub fn order(&mut self, order: &Order) -> Result<(), PathManagerError> {
        let token = |token: Token| DefaultNla::new(TOKEN, token.0.to_ne_bytes().to_vec());
        let address =
            |address: IpAddr, port, flags| described(&Endpoint { address, port, flags, interface: 0 });
        let numbered = |mut attributes: Vec<DefaultNla>, id: u8| {
            attributes.push(DefaultNla::new(ID, vec![id]));
            attributes
        };
        let none = Flags::default();
        let (command, attributes, doing) = match *order {
            Order::Announce { token: to, id, address: at } => {
                let told = numbered(address(at.ip(), at.port(), Flags::SIGNAL), id);
                (ANNOUNCE, vec![token(to), nest(ENDPOINT, &told)], format!("announce {at}"))
            }
            Order::Open { token: of, from, id, to } => {
                let local = nest(ENDPOINT, &numbered(address(from, 0, none), id));
                let remote = nest(REMOTE, &address(to.ip(), to.port(), none));
                (CREATE_SUBFLOW, vec![token(of), local, remote], format!("open a subflow to {to}"))
            }
            Order::SetBackup { token: of, ends: Ends { local, remote }, is_backup } => {
                let flags = if is_backup { Flags::BACKUP } else { none };
                let near = nest(ENDPOINT, &address(local.ip(), local.port(), flags));
                let far = nest(REMOTE, &address(remote.ip(), remote.port(), none));
                (SET_FLAGS, vec![token(of), near, far], format!("set the backup flag of {local}-{remote}"))
            }
        };
        self.command(command, attributes, NLM_F_ACK, &doing).map(drop)
    }
}

impl ConnectionEvents {
    /// Waits for the next one.
    ///
    /// # Errors
    /// The socket does not work any more.
    pub async fn next(&mut self) -> io::Result<Heard> {
        loop {
            if let Some((token, event)) = self.pending.pop_front() {
                return Ok(Heard::Event(token, event));
            }
            let mut ready = self.socket.readable().await?;
            match ready.try_io(|socket| socket.get_ref().recv_from_full()) {
                Ok(Ok((datagram, _))) => self.pending.extend(events(&datagram)),
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(Heard::Lost),
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }
}

/// The events of a datagram that are understood; others are passed over.
fn events(datagram: &[u8]) -> Vec<(Token, Event)> {
    let mut rest = datagram;
    let mut all = Vec::new();
    while let Ok(message) = NetlinkMessage::<GenlMessage<Message>>::deserialize(rest) {
        let length = (message.header.length as usize).next_multiple_of(4);
        if let NetlinkPayload::InnerMessage(message) = message.payload {
            all.extend(event(&message.payload));
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    all
}

fn event(message: &Message) -> Option<(Token, Event)> {
    let of = |kind: u16| message.attributes.iter().find(|attribute| attribute.kind() == kind).map(value);
    let byte = |kind| of(kind)?.first().copied();
    let port = |kind| of(kind)?.try_into().ok().map(u16::from_be_bytes);
    let address = |[v4, v6]: [u16; 2]| {
        let v4 = of(v4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        let v6 = || of(v6).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        v4.map(|octets| IpAddr::from(Ipv4Addr::from(octets)))
            .or_else(|| v6().map(|octets| Ipv6Addr::from(octets).to_canonical()))
    };
    let ends = || {
        let local = SocketAddr::new(address(EVENT_LOCAL)?, port(EVENT_LOCAL_PORT)?);
        let remote = SocketAddr::new(address(EVENT_REMOTE)?, port(EVENT_REMOTE_PORT)?);
        Some(Ends { local, remote })
    };
    let token = Token(number(&of(EVENT_TOKEN)?)?);
    let flags = of(EVENT_FLAGS).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_ne_bytes);
    let event = match message.command {
        ESTABLISHED => Event::Established {
            ends: ends()?,
            is_server: byte(EVENT_SERVER_SIDE) == Some(1) || flags & SERVER_SIDE != 0,
            denies_initial: flags & DENIES_INITIAL != 0,
        },
        CLOSED => Event::Closed,
        ANNOUNCED => Event::Announced {
            id: byte(EVENT_REMOTE_ID)?,
            address: SocketAddr::new(address(EVENT_REMOTE)?, port(EVENT_REMOTE_PORT).unwrap_or(0)),
        },
        REMOVED => Event::Withdrawn { id: byte(EVENT_REMOTE_ID)? },
        SUBFLOW_ESTABLISHED => Event::SubflowEstablished(ends()?),
        SUBFLOW_CLOSED => Event::SubflowClosed { ends: ends()?, error: byte(EVENT_ERROR).unwrap_or(0) },
        _ => return None,
    };
    Some((token, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(command: u8, attributes: &[(u16, &[u8])]) -> Message {
        let attributes = attributes.iter().map(|(kind, value)| DefaultNla::new(*kind, value.to_vec()));
        Message { command, attributes: attributes.collect() }
    }

    #[test]
    fn events_are_read_in_the_byte_orders_that_they_have() {
        let token = 0x0102_0304_u32.to_ne_bytes();
        let ends: [(u16, &[u8]); 5] = [
            (EVENT_TOKEN, &token),
            (EVENT_LOCAL[0], &[10, 0, 0, 1]),
            (EVENT_REMOTE[0], &[10, 0, 0, 2]),
            (EVENT_LOCAL_PORT, &[0x9c, 0x40]),
            (EVENT_REMOTE_PORT, &[0, 80]),
        ];
        let expected =
            Ends { local: "10.0.0.1:40000".parse().unwrap(), remote: "10.0.0.2:80".parse().unwrap() };
        let established = message(SUBFLOW_ESTABLISHED, &ends);
        assert_eq!(event(&established), Some((Token(0x0102_0304), Event::SubflowEstablished(expected))));
        let closed = message(SUBFLOW_CLOSED, &[ends.as_slice(), &[(EVENT_ERROR, &[110])]].concat());
        let timed_out = Event::SubflowClosed { ends: expected, error: 110 };
        assert_eq!(event(&closed), Some((Token(0x0102_0304), timed_out)));
        for server in [(EVENT_SERVER_SIDE, &[1][..]), (EVENT_FLAGS, &3_u16.to_ne_bytes())] {
            let accepted = message(ESTABLISHED, &[ends.as_slice(), &[server]].concat());
            let Some((_, Event::Established { is_server, .. })) = event(&accepted) else {
                panic!("{accepted:?}")
            };
            assert!(is_server);
        }
    }

    #[test]
    fn an_ipv4_address_in_the_form_of_ipv6_is_one_of_ipv4() {
        let token = 1_u32.to_ne_bytes();
        let mapped = Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped().octets();
        let told =
            message(ANNOUNCED, &[(EVENT_TOKEN, &token), (EVENT_REMOTE_ID, &[3]), (EVENT_REMOTE[1], &mapped)]);
        let expected = Event::Announced { id: 3, address: "10.0.0.2:0".parse().unwrap() };
        assert_eq!(event(&told), Some((Token(1), expected)));
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        assert_eq!(event(&message(99, &[(EVENT_TOKEN, &[1, 0, 0, 0])])), None);
        assert_eq!(event(&message(CLOSED, &[])), None, "no token");
        assert_eq!(event(&message(SUBFLOW_CLOSED, &[(EVENT_TOKEN, &[1, 0, 0, 0])])), None, "no ends");
        assert_eq!(events(&[]), []);
        assert_eq!(events(&[1, 2, 3]), []);
    }
}
