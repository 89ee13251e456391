//! One connection from one host to another, measured and checked where it arrives.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use socket2::{Domain, Protocol as SocketProtocol, Socket, Type};

use super::stream::ByteStream;
use super::{Family, address};
use crate::lab::Lab;
use crate::netns::Namespace;

/// Longest silence that a transfer survives.
const PATIENCE: Duration = Duration::from_secs(30);

/// Linux's default; another one that the machine prefers fills a path differently. Set for each socket, because a namespace
/// may only prefer what the machine allows to everybody.
const CONGESTION_CONTROL: &[u8] = b"cubic";

/// How far apart points of goodput over time are, unless there would be very many, and what each is the mean of. Bytes arrive in
/// order, so that a segment that comes late holds up those of all other subflows: shorter times show that and nothing else.
const OVER_TIME_STEP: Duration = Duration::from_millis(100);
const OVER_TIME_MEAN: Duration = Duration::from_millis(500);

/// Sends at most this much at once.
const BLOCK: usize = 128 * 1024;

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One TCP connection.
    Tcp,
    /// One MPTCP connection, with as many subflows as the host opens.
    Mptcp,
}

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// That many bytes.
    Bytes(u64),
    /// As much as fits into that time.
    Time(Duration),
}

/// A transfer to be made.
#[derive(Clone, Debug)]
pub struct Transfer {
    from: Namespace,
    to: Namespace,
    source: IpAddr,
    destination: IpAddr,
    protocol: Protocol,
    amount: Amount,
}

/// A transfer under way.
#[derive(Debug)]
pub struct Running {
    /// Where the receiver listens.
    pub destination: SocketAddr,
    sender: JoinHandle<Result<u64>>,
    receiver: JoinHandle<Result<Received>>,
    is_enough: Arc<AtomicBool>,
}

/// What arrived, every byte of it compared with what was sent.
#[derive(Clone, Debug)]
pub struct Received {
    /// How many bytes.
    pub bytes: u64,
    /// Time since the connection was accepted and bytes received until then, ascending.
    arrivals: Vec<(Duration, u64)>,
}

impl Transfer {
    /// A transfer between the hosts' first addresses of a family.
    ///
    /// # Errors
    /// When a host is unknown or has no such address.
    pub fn between(
        lab: &Lab,
        from: &str,
        to: &str,
        family: Family,
        protocol: Protocol,
        amount: Amount,
    ) -> Result<Self> {
        let (from, to) = (lab.plan().host(from)?, lab.plan().host(to)?);
        Ok(Self {
            from: from.namespace(),
            to: to.namespace(),
            source: address(from, family)?,
            destination: address(to, family)?,
            protocol,
            amount,
        })
    }

    /// The same over IPv6 sockets that speak IPv4 by mapped addresses (RFC 4291 section 2.5.5.2), as most programs
    /// do, and a receiver that listens at all its addresses: Linux lets only such connections have subflows of both
    /// families.
    #[must_use]
    pub fn dual_stack(self) -> Self {
        let mapped = |address| match address {
            IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
            v6 => v6,
        };
        Self { source: mapped(self.source), destination: mapped(self.destination), ..self }
    }

    /// Makes the transfer.
    ///
    /// # Errors
    /// When the connection fails or stalls, or a byte arrives that was not sent.
    pub fn run(&self) -> Result<Received> {
        self.start()?.finish()
    }

    /// Starts the transfer: the receiver listens, the sender connects on a thread of its own.
    pub fn start(&self) -> Result<Running> {
        let listener = self.to.run(|| self.listen())??;
        let destination = SocketAddr::new(self.destination, local_address(&listener)?.port());
        let seed = u64::from(destination.port());
        let receiver = thread::spawn(move || receive(&listener, seed));
        let (transfer, patience) = (self.clone(), PATIENCE);
        let is_enough = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_enough);
        let sender = thread::spawn(move || {
            let mut socket = transfer.from.run(|| transfer.connect(destination, patience))??;
            transfer.send(&mut socket, seed, &stop)
        });
        let destination = SocketAddr::new(destination.ip().to_canonical(), destination.port());
        Ok(Running { destination, sender, receiver, is_enough })
    }

    fn listen(&self) -> Result<Socket> {
        let socket = self.socket()?;
        let at = if self.is_dual_stack() { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { self.destination };
        socket.bind(&SocketAddr::new(at, 0).into()).with_context(|| format!("bind {at}"))?;
        socket.listen(1)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    }

    fn is_dual_stack(&self) -> bool {
        self.destination != self.destination.to_canonical()
    }

    fn connect(&self, destination: SocketAddr, patience: Duration) -> Result<Socket> {
        let socket = self.socket()?;
        socket
            .bind(&SocketAddr::new(self.source, 0).into())
            .with_context(|| format!("bind {}", self.source))?;
        socket.set_write_timeout(Some(patience))?;
        socket
            .set_tcp_congestion(CONGESTION_CONTROL)
            .context("send with cubic (this needs root, and a kernel that has it)")?;
        socket
            .connect_timeout(&destination.into(), patience)
            .with_context(|| format!("connect to {destination}"))?;
        Ok(socket)
    }

    fn socket(&self) -> Result<Socket> {
        let (domain, protocol) = (
            Domain::for_address(SocketAddr::new(self.source, 0)),
            match self.protocol {
                Protocol::Tcp => SocketProtocol::TCP,
                Protocol::Mptcp => SocketProtocol::MPTCP,
            },
        );
        Socket::new(domain, Type::STREAM, Some(protocol)).with_context(|| {
            format!(
                "open a {:?} socket (MPTCP needs a kernel with CONFIG_MPTCP and net.mptcp.enabled=1)",
                self.protocol
            )
        })
    }

    fn send(&self, socket: &mut Socket, seed: u64, is_enough: &AtomicBool) -> Result<u64> {
        let mut stream = ByteStream::new(seed);
        let mut block = vec![0; BLOCK];
        let (begin, mut sent) = (Instant::now(), 0);
        while !is_enough.load(Ordering::Relaxed) {
            let length = match self.amount {
                Amount::Bytes(total) => (total - sent).min(BLOCK as u64) as usize,
                Amount::Time(time) if begin.elapsed() < time => BLOCK,
                Amount::Time(_) => 0,
            };
            if length == 0 {
                break;
            }
            stream.fill(&mut block[..length]);
            socket.write_all(&block[..length]).with_context(|| format!("send after {sent} bytes"))?;
            sent += length as u64;
        }
        socket.shutdown(std::net::Shutdown::Write)?;
        Ok(sent)
    }
}

impl Running {
    /// Whether all has been received, or the transfer has failed.
    pub fn is_finished(&self) -> bool {
        self.receiver.is_finished()
    }

    /// Sends no more, whatever the amount, and waits until all that was sent has arrived.
    ///
    /// # Errors
    /// As [`Transfer::run`].
    pub fn stop(self) -> Result<Received> {
        self.is_enough.store(true, Ordering::Relaxed);
        self.finish()
    }

    /// Waits until all has arrived.
    ///
    /// # Errors
    /// As [`Transfer::run`].
    pub fn finish(self) -> Result<Received> {
        let join = |_| anyhow!("a transfer's thread panicked");
        let sent = self.sender.join().map_err(join)?;
        let received = self.receiver.join().map_err(join)?;
        let received = match (&sent, received) {
            // An end that fails resets the other: both stories are needed.
            (Err(sender), Err(receiver)) => bail!("receiver: {receiver:#}; sender: {sender:#}"),
            (_, received) => received?,
        };
        let sent = sent?;
        ensure!(sent == received.bytes, "{sent} bytes were sent and {} arrived", received.bytes);
        Ok(received)
    }
}

impl Received {
    /// Goodput in bit/s between two points in time, counted from the start of the connection.
    pub fn goodput(&self, from: Duration, to: Duration) -> f64 {
        let bytes = self.bytes_until(to) - self.bytes_until(from);
        bytes as f64 * 8.0 / (to - from).as_secs_f64()
    }

    /// Goodput over time until `end`, in seconds and Mbit/s: at each point the mean of the half second before it.
    pub fn over_time(&self, end: Duration) -> Vec<(f64, f64)> {
        let step = OVER_TIME_STEP.max(end / 300);
        let count = end.div_duration_f64(step) as u32;
        let point = |number: u32| {
            let at = step * number;
            (at.as_secs_f64(), self.goodput(at.saturating_sub(OVER_TIME_MEAN), at) / 1e6)
        };
        (1..=count).map(point).collect()
    }

    /// The longest time in which nothing arrived, within the same bounds.
    pub fn longest_gap(&self, from: Duration, to: Duration) -> Duration {
        let inside = self.arrivals.iter().map(|(at, _)| *at).filter(|at| (from..=to).contains(at));
        let ends: Vec<Duration> = [from].into_iter().chain(inside).chain([to]).collect();
        ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// How long it took until everything had arrived.
    pub fn duration(&self) -> Duration {
        self.arrivals.last().map(|(at, _)| *at).unwrap_or_default()
    }

    fn bytes_until(&self, time: Duration) -> u64 {
        let index = self.arrivals.partition_point(|(at, _)| *at <= time);
        index.checked_sub(1).map_or(0, |last| self.arrivals[last].1)
    }
}

fn receive(listener: &Socket, seed: u64) -> Result<Received> {
    let mut socket = accept(listener)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let begin = Instant::now();
    let mut stream = ByteStream::new(seed);
    let mut block = vec![0; 2 * BLOCK];
    let (mut bytes, mut arrivals) = (0, Vec::new());
    loop {
        let length = match socket.read(&mut block) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).with_context(|| format!("receive after {bytes} bytes")),
        };
        if let Some(offset) = stream.first_difference(&block[..length]) {
            bail!(
                "byte {} is not the one that was sent: {}",
                bytes + offset as u64,
                foreign(&block[offset..length], seed)
            );
        }
        bytes += length as u64;
        arrivals.push((begin.elapsed(), bytes));
    }
    Ok(Received { bytes, arrivals })
}

/// What bytes that were not expected are, for who has to find out how they came there.
fn foreign(bytes: &[u8], seed: u64) -> String {
    const SEARCHED: usize = 1 << 28;
    let found = bytes.first_chunk().and_then(|wanted| ByteStream::find(seed, wanted, SEARCHED));
    let first = bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
    match found {
        Some(at) => format!("{first}.. belongs at byte {at}"),
        None => format!("{first}.. belongs nowhere in the stream"),
    }
}

/// Accepts one connection; a listening socket's read timeout bounds accept too.
fn accept(listener: &Socket) -> Result<Socket> {
    match listener.accept() {
        Ok((socket, _)) => Ok(socket),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => bail!("nobody connected for {PATIENCE:?}"),
        Err(error) => Err(error).context("accept a connection"),
    }
}

fn local_address(socket: &Socket) -> Result<SocketAddr> {
    socket.local_addr()?.as_socket().context("the socket has no IP address")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(arrivals: &[(u64, u64)]) -> Received {
        let arrivals: Vec<_> =
            arrivals.iter().map(|(at, bytes)| (Duration::from_millis(*at), *bytes)).collect();
        Received { bytes: arrivals.last().unwrap().1, arrivals }
    }

    #[test]
    fn goodput_counts_only_what_arrives_in_the_window() {
        let second = Duration::from_secs;
        let measured = received(&[(500, 1000), (1500, 2000), (2000, 4000), (2500, 9000)]);
        assert_eq!(measured.goodput(second(1), second(2)), 24_000.0);
        assert_eq!(measured.goodput(second(0), second(3)), 24_000.0);
    }

    #[test]
    fn goodput_over_time_is_the_mean_of_half_a_second_or_of_what_there_was() {
        let measured = received(&[(100, 12_500), (600, 125_000)]);
        let over_time = measured.over_time(Duration::from_millis(700));
        let rounded: Vec<_> =
            over_time.iter().map(|(at, mbit)| ((at * 10.0).round(), (mbit * 10.0).round())).collect();
        assert_eq!(
            rounded,
            [(1.0, 10.0), (2.0, 5.0), (3.0, 3.0), (4.0, 3.0), (5.0, 2.0), (6.0, 18.0), (7.0, 18.0)]
        );
    }

    #[test]
    fn a_gap_reaches_to_the_ends_of_the_window() {
        let millis = Duration::from_millis;
        let measured = received(&[(500, 1), (1500, 2), (2000, 3)]);
        assert_eq!(measured.longest_gap(millis(0), millis(2100)), millis(1000));
        assert_eq!(measured.longest_gap(millis(0), millis(5000)), millis(3000));
    }
}
