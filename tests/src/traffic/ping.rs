//! ICMP and ICMPv6 echo (RFC 792, RFC 4443 section 4), and what comes back instead.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use crate::netns::Namespace;

const ECHO_V4: u8 = 8;
const ECHO_V6: u8 = 128;

/// Tells one request of this process from the next.
static TAG: AtomicU16 = AtomicU16::new(0);

/// An answer to an echo request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The echo.
    Echo,
    /// The time to live or hop limit ran out on the way, and this address said so.
    TimeExceeded(IpAddr),
}

/// Sends one echo request with that much payload and waits for its answer; `None` when there is none in time.
///
/// # Errors
/// When the socket cannot be opened (it needs root) or nothing can be sent.
pub fn ping(
    from: &Namespace,
    to: IpAddr,
    payload: usize,
    ttl: Option<u32>,
    patience: Duration,
) -> Result<Option<Answer>> {
    let (domain, protocol) =
        if to.is_ipv4() { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    let socket =
        from.run(|| Socket::new(domain, Type::RAW, Some(protocol)))?.context("open a raw ICMP socket")?;
    match ttl {
        Some(ttl) if to.is_ipv4() => socket.set_ttl_v4(ttl)?,
        Some(ttl) => socket.set_unicast_hops_v6(ttl)?,
        None => {}
    }
    let tag = TAG.fetch_add(1, Ordering::Relaxed) ^ std::process::id() as u16;
    let request = echo_request(to.is_ipv4(), tag, payload);
    socket.send_to(&request, &SocketAddr::new(to, 0).into()).with_context(|| format!("ping {to}"))?;
    wait(socket, to.is_ipv4(), &request, patience)
}

fn echo_request(v4: bool, tag: u16, payload: usize) -> Vec<u8> {
    let mut message = vec![if v4 { ECHO_V4 } else { ECHO_V6 }, 0, 0, 0];
    message.extend(tag.to_be_bytes());
    message.extend([0, 1]);
    message.extend((0..payload).map(|index| index as u8));
    if v4 {
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

fn wait(mut socket: Socket, v4: bool, request: &[u8], patience: Duration) -> Result<Option<Answer>> {
    let deadline = Instant::now() + patience;
    let mut buffer = vec![0; 65_535];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        let length = match socket.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("wait for an echo"),
        };
        if let Some(answer) = answer(&buffer[..length], v4, request) {
            return Ok(Some(answer));
        }
    }
}

/// Reads what a raw socket received: with its IPv4 header, but without an IPv6 one.
fn answer(received: &[u8], v4: bool, request: &[u8]) -> Option<Answer> {
    let (from, message) = if v4 {
        let header = usize::from(received.first()? & 15) * 4;
        let address: [u8; 4] = received.get(12..16)?.try_into().ok()?;
        (Some(IpAddr::from(address)), received.get(header..)?)
    } else {
        (None, received)
    };
    let (reply, exceeded, inner_header) = if v4 { (0, 11, 20) } else { (129, 3, 40) };
    match *message.first()? {
        kind if kind == reply => (message.get(4..)? == &request[4..]).then_some(Answer::Echo),
        kind if kind == exceeded => {
            let quoted = message.get(8 + inner_header..)?;
            let same = quoted.get(..8)? == &request[..8] || !v4 && quoted.get(4..8)? == &request[4..8];
            same.then_some(Answer::TimeExceeded(from.unwrap_or(IpAddr::from([0u16; 8]))))
        }
        _ => None,
    }
}

/// The Internet checksum (RFC 1071) of a message whose checksum field is 0.
pub fn checksum(message: &[u8]) -> u16 {
    let words = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_its_checksum_sums_to_zero() {
        let request = echo_request(true, 0x1234, 57);
        assert_eq!(checksum(&request), 0);
    }

    #[test]
    fn an_echo_of_something_else_is_no_answer() {
        let request = echo_request(false, 7, 10);
        let mut reply = request.clone();
        reply[0] = 129;
        assert_eq!(answer(&reply, false, &request), Some(Answer::Echo));
        reply[12] ^= 1;
        assert_eq!(answer(&reply, false, &request), None);
    }
}
