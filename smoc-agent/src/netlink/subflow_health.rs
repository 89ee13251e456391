//! How the socket of a subflow does, asked from the kernel (sock_diag(7), linux/inet_diag.h).

use std::{io, net::SocketAddr as InetAddr};

use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags, nlas::Nla},
};
use rtnetlink::{
    packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload},
    sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG},
};
use smoc_control::end_host::userspace::{Ends, Health};

/// Timeouts in a row after which data that is not acknowledged is stuck. A single one is ordinary loss.
const STUCK: u8 = 2;

/// `INET_DIAG_NOCOOKIE` of linux/inet_diag.h: whichever socket has these ends.
const ANY_COOKIE: [u8; 8] = [0xff; 8];

/// Asks about single TCP sockets of a network namespace.
pub struct SubflowHealth {
    socket: Socket,
    sequence: u32,
}

impl SubflowHealth {
    /// Opens a netlink socket in the namespace of the calling thread.
    ///
    /// # Errors
    /// There is none, or the kernel has no sock_diag.
    pub fn connect() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// How a subflow does; `None` if there is none with these ends (any more). The kernel answers at once.
    ///
    /// # Errors
    /// The socket does not work any more.
    pub fn of(&mut self, ends: Ends) -> io::Result<Option<Health>> {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request(ends)).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let answer =
                NetlinkMessage::<SockDiagMessage>::deserialize(&datagram).map_err(io::Error::other)?;
            if answer.header.sequence_number == self.sequence {
                return Ok(match answer.payload {
                    // Where there is no such socket the kernel names one that listens at the port.
                    NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(socket))
                        if socket.header.socket_id.destination_port == ends.remote.port() =>
                    {
                        socket.nlas.iter().find_map(health)
                    }
                    _ => None,
                });
            }
        }
    }
}

fn request(ends: Ends) -> InetRequest {
    let is_v4 = ends.local.is_ipv4();
    let port = InetAddr::port;
    InetRequest {
        family: if is_v4 { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: port(&ends.local),
            destination_port: port(&ends.remote),
            source_address: ends.local.ip(),
            destination_address: ends.remote.ip(),
            interface_id: 0,
            cookie: ANY_COOKIE,
        },
    }
}

fn health(attribute: &Nla) -> Option<Health> {
    let Nla::TcpInfo(info) = attribute else { return None };
    Some(Health {
        bytes: info.bytes_acked.saturating_add(info.bytes_received),
        is_stuck: info.backoff >= STUCK && info.unacked > 0,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn the_kernel_tells_how_much_a_socket_has_carried() -> io::Result<()> {
        for here in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(here)?;
            let mut near = TcpStream::connect(listener.local_addr()?)?;
            let (mut far, _) = listener.accept()?;
            near.write_all(&[7; 1000])?;
            far.read_exact(&mut [0; 1000])?;
            let mut kernel = SubflowHealth::connect()?;
            let ends = Ends { local: far.local_addr()?, remote: far.peer_addr()? };
            let health = kernel.of(ends)?.unwrap();
            assert!(health.bytes >= 1000 && !health.is_stuck, "{health:?}");
            assert_eq!(kernel.of(Ends { local: ends.local, remote: ends.local })?, None);
        }
        Ok(())
    }
}
