//! Hears how many paths there are from the edges that the host is attached to.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv6Addr, SocketAddr},
    time::Instant,
};

use smoc_control::discovery::{
    advice::{HostAdvice, LONGEST, PORT},
    key::Keys,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// What was heard, by the number of the interface.
#[derive(Default)]
pub(super) struct Told {
    by_interface: BTreeMap<u32, (HostAdvice, Instant)>,
}

impl Told {
    /// Takes note of what was heard at an interface; what was said before something else that still holds is an old one that
    /// somebody has repeated.
    pub fn hear(&mut self, interface: u32, advice: HostAdvice, now: Instant) {
        let is_old = |(last, until): &(HostAdvice, Instant)| *until > now && !advice.is_after(last);
        if !self.by_interface.get(&interface).is_some_and(is_old) {
            let until = now + std::time::Duration::from_secs(advice.holds.into());
            self.by_interface.insert(interface, (advice, until));
        }
    }

    /// The most paths that one of the edges knows; `None` if none has said so lately.
    pub fn paths(&self, now: Instant) -> Option<u8> {
        let holding = self.by_interface.values().filter(|(_, until)| *until > now);
        holding.map(|(advice, _)| advice.paths).max()
    }
}

/// Listens at the port of [`smoc_control::discovery::advice`].
///
/// # Errors
/// Somebody else does, or there is no IPv6.
pub(super) fn listen() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), PORT).into())?;
    UdpSocket::from_std(socket.into())
}

/// Waits for the next advice, and at which interface it was heard; whatever else comes is passed over.
pub(super) async fn hear(socket: Option<&UdpSocket>, keys: &Keys) -> (u32, HostAdvice) {
    let Some(socket) = socket else { return std::future::pending().await };
    let mut buffer = [0; LONGEST + 1];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        // A router passes nothing on that comes from a link-local address (RFC 4291, 2.5.6).
        if let SocketAddr::V6(from) = from
            && from.ip().is_unicast_link_local()
            && let Some(advice) = HostAdvice::parse(&buffer[..length], keys)
        {
            return (from.scope_id(), advice);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_highest_number_that_holds_counts_and_what_is_repeated_does_not() {
        let (mut told, now) = (Told::default(), Instant::now());
        let said = |paths, sequence| HostAdvice { paths, holds: 16, boot: 1, sequence };
        told.hear(2, said(4, 1), now);
        told.hear(3, said(3, 1), now);
        assert_eq!(told.paths(now), Some(4));
        told.hear(2, said(2, 2), now + Duration::from_secs(5));
        told.hear(2, said(4, 1), now + Duration::from_secs(6));
        assert_eq!(told.paths(now + Duration::from_secs(6)), Some(3), "an old datagram again");
        assert_eq!(told.paths(now + Duration::from_secs(17)), Some(2));
        assert_eq!(told.paths(now + Duration::from_secs(22)), None);
        told.hear(2, said(5, 1), now + Duration::from_secs(22));
        assert_eq!(told.paths(now + Duration::from_secs(23)), Some(5), "the agent began again");
    }
}
