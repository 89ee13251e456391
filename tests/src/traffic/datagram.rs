//! Numbered UDP datagrams at a steady pace: what shows a single lost frame.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use socket2::SockRef;

use super::{Family, address};
use crate::lab::Lab;

/// How long after the last datagram was sent one may still arrive.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// A sender that was kept from sending makes up for so much of it and no more: no queue on the way overflows.
const MADE_UP_FOR: Duration = Duration::from_millis(5);

/// How often the receiver looks whether the stream has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Bytes that the receiver's socket may hold, so that a machine that is busy for a while loses nothing there.
const BUFFER: usize = 4 << 20;

/// A stream of datagrams under way.
#[derive(Debug)]
pub struct Datagrams {
    progress: Arc<Progress>,
    sender: JoinHandle<io::Result<()>>,
    receiver: JoinHandle<io::Result<Arrived>>,
}

/// What sender and receiver tell each other past the network.
#[derive(Debug, Default)]
struct Progress {
    /// Set to end a stream before its time.
    stop: AtomicBool,
    /// How many were sent in all, and when the last was.
    ended: OnceLock<(u32, Instant)>,
}

/// What became of a stream of datagrams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// How many were sent.
    pub sent: u32,
    /// How many arrived, each number counted once.
    pub received: u32,
    /// How many arrived again.
    pub duplicates: u32,
    /// How many arrived after one with a higher number.
    pub reordered: u32,
    /// When each of them arrived.
    arrivals: Vec<Instant>,
    /// For how long nothing came any more although more was sent.
    tail: Duration,
}

impl Arrived {
    /// The longest time between two arrivals after this moment, and when it ended: `None` if no more came although
    /// some were missing, and then it lasts until the last should have arrived.
    pub fn longest_gap_after(&self, moment: Instant) -> (Duration, Option<Instant>) {
        let later = &self.arrivals[self.arrivals.partition_point(|arrival| *arrival < moment)..];
        let starts = [moment].into_iter().chain(later.iter().copied());
        let gaps = starts.zip(later).map(|(start, end)| (*end - start, Some(*end)));
        gaps.chain([(self.tail, None)]).max_by_key(|(gap, _)| *gap).unwrap_or_default()
    }
}

impl Datagrams {
    /// Sends `count` datagrams of `size` bytes (at least 4) of payload from one host to another, one every `pace`.
    ///
    /// # Errors
    /// When a host or address is unknown or a socket cannot be opened.
    pub fn start(
        lab: &Lab,
        from: &str,
        to: &str,
        family: Family,
        count: u32,
        size: usize,
        pace: Duration,
    ) -> Result<Self> {
        let (from, to) = (lab.plan().host(from)?, lab.plan().host(to)?);
        let (source, destination) = (address(from, family)?, address(to, family)?);
        let inside = |host: &crate::lab::Host, ip: IpAddr| -> Result<UdpSocket> {
            let socket = host.namespace().run(|| UdpSocket::bind(SocketAddr::new(ip, 0)))?;
            socket.with_context(|| format!("open a UDP socket at {ip}"))
        };
        let (near, far) = (inside(from, source)?, inside(to, destination)?);
        near.connect(far.local_addr()?)?;
        SockRef::from(&far).set_recv_buffer_size(BUFFER)?;
        let progress = Arc::new(Progress::default());
        let (here, there) = (progress.clone(), progress.clone());
        let receiver = thread::spawn(move || receive(&far, &there, count, pace));
        let sender = thread::spawn(move || send(&near, &here, count, size.max(4), pace));
        Ok(Self { progress, sender, receiver })
    }

    /// Ends the stream before its time, and waits as [`Datagrams::finish`] does.
    pub fn stop(self) -> Result<Arrived> {
        self.progress.stop.store(true, Ordering::Relaxed);
        self.finish()
    }

    /// Waits until all have been sent and have arrived or are lost.
    pub fn finish(self) -> Result<Arrived> {
        self.sender.join().map_err(|_| anyhow!("the sender panicked"))??;
        Ok(self.receiver.join().map_err(|_| anyhow!("the receiver panicked"))??)
    }
}

fn send(socket: &UdpSocket, progress: &Progress, count: u32, size: usize, pace: Duration) -> io::Result<()> {
    let mut payload = vec![0; size];
    let (mut due, mut sent) = (Instant::now(), 0);
    let result = loop {
        if sent == count || progress.stop.load(Ordering::Relaxed) {
            break Ok(());
        }
        payload[..4].copy_from_slice(&sent.to_be_bytes());
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due = (due + pace).max(Instant::now() - MADE_UP_FOR);
        if let Err(error) = socket.send(&payload) {
            break Err(error);
        }
        sent += 1;
    };
    progress.ended.set((sent, Instant::now())).expect("a stream ends once");
    result
}

fn receive(socket: &UdpSocket, progress: &Progress, count: u32, pace: Duration) -> io::Result<Arrived> {
    let mut seen = vec![false; count as usize];
    let mut arrived = Arrived::default();
    let mut highest = 0;
    let mut buffer = vec![0; 65_535];
    socket.set_read_timeout(Some(LOOK))?;
    loop {
        if let Some(&(sent, at)) = progress.ended.get() {
            arrived.sent = sent;
            if arrived.received >= sent || at.elapsed() > STRAGGLERS {
                break;
            }
        }
        match socket.recv(&mut buffer) {
            Ok(length) if length >= 4 => {}
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        arrived.arrivals.push(now);
        let number = u32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
        match seen.get_mut(number as usize) {
            Some(seen @ false) => {
                *seen = true;
                arrived.received += 1;
            }
            _ => arrived.duplicates += 1,
        }
        arrived.reordered += u32::from(number < highest);
        highest = highest.max(number);
    }
    arrived.tail = pace * arrived.sent.saturating_sub(1).saturating_sub(highest);
    Ok(arrived)
}
