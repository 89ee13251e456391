//! What hosts send each other, and which of it arrives.

use std::{collections::BTreeMap, time::Duration};

use smoc_common::{
    frames::{Build, capable, join, join_answer},
    token::{self, Version},
    wire::tcp::{ACK, SYN},
};
use smoc_control::clock::Nanos;
use smoc_paths::topology::generate::Random;

use crate::{
    fabric::{Event, Fabric},
    frame::{Frame, Kind},
    host::{self, Resolution},
    network::Network,
};

/// How often a host repeats who it is.
const REPEAT: Duration = Duration::from_secs(2);
/// A host does not ask for the same address again before this.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// A SYN that nobody answers is sent again after this (RFC 6298, 2.1).
const SYN_AGAIN: Duration = Duration::from_secs(1);
/// The time between two frames of a stream.
const INTERVAL: Duration = Duration::from_millis(5);
/// Streams at most.
const STREAMS: usize = 6;
/// Where the sequence numbers of client and server begin.
const FIRST: [u32; 2] = [1_000, 5_000];

/// What a frame that is waited for carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A datagram.
    Datagram,
    /// The parts of a handshake, of this subflow.
    Syn(usize),
    /// See there.
    SynAck(usize),
    /// See there.
    Ack(usize),
    /// A segment of this subflow.
    Data(usize),
}

/// A frame that is waited for.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// When it was sent.
    pub sent: Nanos,
    /// The stream it is of.
    pub stream: u32,
    /// What it carries.
    pub what: What,
    /// Sender and receiver.
    pub hosts: [u32; 2],
    /// Whether there was a way when it was sent.
    pub had_way: bool,
    /// Whether smoc took it at its first switch; `None` if it never came there.
    pub by_smoc: Option<bool>,
    /// Whether it has arrived.
    pub arrived: bool,
    /// Its bytes behind the addresses.
    payload: Vec<u8>,
}

/// A subflow as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subflow {
    /// Not opened.
    Idle,
    /// Its SYN was sent.
    Opening(Nanos),
    /// Its handshake is complete.
    Established,
}

/// Frames from one host to another, or an MPTCP connection between them.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Who sends, or opens.
    pub from: u32,
    /// Who receives.
    pub to: u32,
    /// The keys of client and server.
    pub keys: [u64; 2],
    /// The subflows; none: datagrams.
    pub subflows: Vec<Subflow>,
    /// Frames so far.
    sent: u64,
}

/// All that hosts send.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Who sends to whom.
    pub streams: Vec<Stream>,
    /// What is waited for, by number.
    pub awaited: BTreeMap<u64, Awaited>,
}

impl Traffic {
    /// Draws who talks to whom: hosts at different switches, with addresses of one kind.
    pub fn draw(network: &Network, random: &mut Random) -> Self {
        let mut streams: Vec<Stream> = Vec::new();
        let hosts = &network.hosts;
        for _ in 0..4 * STREAMS {
            let (from, to) = (random.below(hosts.len()), random.below(hosts.len()));
            let fits = hosts[from].switch != hosts[to].switch
                && hosts[from].address.v4().is_some() == hosts[to].address.v4().is_some();
            if fits && streams.len() < STREAMS {
                let subflows = if streams.len() % 2 == 1 { 2 + random.below(3) } else { 0 };
                let keys = [random.bits(), random.bits()];
                let subflows = vec![Subflow::Idle; subflows];
                streams.push(Stream { from: from as u32, to: to as u32, keys, subflows, sent: 0 });
            }
        }
        Self { streams, awaited: BTreeMap::new() }
    }

    /// A frame came into its first switch.
    pub fn entered(&mut self, id: u64, by_smoc: bool) {
        if let Some(awaited) = self.awaited.get_mut(&id) {
            awaited.by_smoc.get_or_insert(by_smoc);
        }
    }
}

impl Fabric {
    /// A host tells everybody its address, now and again.
    pub(crate) fn announce(&mut self, number: u32) {
        let bytes = self.hosts[number as usize].answer(None);
        self.send_from(number, Kind::Resolution, bytes);
        if self.hosts.len() <= 1000 {
            self.queue.after(REPEAT, Event::Announce { host: number });
        }
    }

    fn send_from(&mut self, host: u32, kind: Kind, bytes: Vec<u8>) {
        let link = self.hosts[host as usize].link;
        let frame = self.frame(kind, bytes);
        self.send_over(link, 1, frame);
    }

    /// A stream sends what is due.
    pub(crate) fn stream(&mut self, number: u32) {
        self.queue.after(INTERVAL, Event::Stream { stream: number });
        let Stream { from, to, ref subflows, sent, .. } = self.traffic.streams[number as usize];
        if subflows.is_empty() {
            return self.send(number, What::Datagram, [from, to]);
        }
        let now = self.queue.now();
        let open = |subflow: &Subflow| match subflow {
            Subflow::Idle => true,
            Subflow::Opening(sent) => now.since(*sent) >= SYN_AGAIN,
            Subflow::Established => false,
        };
        // Additional subflows are opened when the first is established, one after the other.
        let next = subflows.iter().position(|subflow| *subflow != Subflow::Established);
        if let Some(next) = next.filter(|next| open(&subflows[*next])) {
            if self.hosts[from as usize].known.contains_key(&self.hosts[to as usize].address) {
                self.traffic.streams[number as usize].subflows[next] = Subflow::Opening(now);
            }
            return self.send(number, What::Syn(next), [from, to]);
        }
        let established: Vec<usize> =
            (0..subflows.len()).filter(|subflow| subflows[*subflow] == Subflow::Established).collect();
        if !established.is_empty() {
            let subflow = established[sent as usize / 2 % established.len()];
            let hosts = if sent % 2 == 0 { [from, to] } else { [to, from] };
            self.send(number, What::Data(subflow), hosts);
        }
    }

    /// Sends a frame of a stream, or asks for the receiver's address first.
    fn send(&mut self, number: u32, what: What, hosts: [u32; 2]) {
        let now = self.queue.now();
        let [from, to] = hosts;
        let target = self.hosts[to as usize].address;
        let sender = &mut self.hosts[from as usize];
        if !sender.known.contains_key(&target) {
            let asked = sender.asked.get(&target).copied();
            if asked.is_none_or(|asked| now.since(asked) >= ASK_AGAIN) {
                sender.asked.insert(target, now);
                let question = sender.question(target);
                self.send_from(from, Kind::Resolution, question);
            }
            return;
        }
        self.traffic.streams[number as usize].sent += 1;
        let id = self.frames + 1;
        let bytes = self.build(number, what, hosts, id);
        let awaited = Awaited {
            sent: now,
            stream: number,
            what,
            hosts,
            had_way: self.has_way(from, to),
            by_smoc: None,
            arrived: false,
            payload: bytes[12..].to_vec(),
        };
        self.traffic.awaited.insert(id, awaited);
        self.counts.awaited += 1;
        self.say(|| format!("frame {id}: {what:?} of stream {number} from host {from} to host {to}"));
        self.send_from(from, Kind::Awaited(id), bytes);
    }

    fn build(&self, number: u32, what: What, [from, to]: [u32; 2], id: u64) -> Vec<u8> {
        let stream = &self.traffic.streams[number as usize];
        let port = |host: u32, subflow: usize| {
            if host == stream.from {
                40_000 + number as u16 * 16 + subflow as u16
            } else {
                5_000 + number as u16
            }
        };
        let subflow = match what {
            What::Datagram => 0,
            What::Syn(subflow) | What::SynAck(subflow) | What::Ack(subflow) | What::Data(subflow) => subflow,
        };
        let sender = &self.hosts[from as usize];
        let mut receiver = self.hosts[to as usize].end(port(to, subflow));
        receiver.mac = sender.known[&receiver.address];
        let sender = sender.end(port(from, subflow));
        let id = id.to_be_bytes();
        let tcp = || Build::tcp(sender, receiver);
        let [client, server] = FIRST;
        let token = token::derive(Version::V1, stream.keys[1]);
        let frame = match (what, subflow) {
            (What::Datagram, _) => Build::udp(sender, receiver).payload(&id),
            (What::Syn(_), 0) => tcp().flags(SYN).numbers(client, 0).options(&capable(Version::V1, &[])),
            (What::Syn(_), n) => tcp().flags(SYN).numbers(client, 0).options(&join(token, n as u8)),
            (What::SynAck(_), 0) => tcp()
                .flags(SYN | ACK)
                .numbers(server, client + 1)
                .options(&capable(Version::V1, &stream.keys[1..])),
            (What::SynAck(_), _) => {
                tcp().flags(SYN | ACK).numbers(server, client + 1).options(&join_answer(16))
            }
            (What::Ack(_), 0) => {
                tcp().numbers(client + 1, server + 1).options(&capable(Version::V1, &stream.keys))
            }
            (What::Ack(_), _) => tcp().numbers(client + 1, server + 1).options(&join_answer(24)),
            (What::Data(_), _) => tcp().numbers(client + 1, server + 1).payload(&id),
        };
        frame.frame()
    }

    /// A frame comes to a host.
    pub(crate) fn host_receives(&mut self, number: u32, frame: &Frame) {
        match frame.kind {
            Kind::Resolution => self.resolve(number, frame),
            Kind::Awaited(id) => self.awaited_arrives(number, id, frame),
            // A bridge floods the hellos of its neighbours until a program is there that knows them.
            Kind::Probe if !self.is_lagging() && !self.is_miswired() => {
                self.violated(format!("a probe reaches host {number}"))
            }
            Kind::Probe => {}
            // Hosts may hear who their switch is.
            Kind::Advertisement => {}
            Kind::Announcement => self.violated(format!("an announcement reaches host {number}")),
        }
    }

    fn resolve(&mut self, number: u32, frame: &Frame) {
        let host = &mut self.hosts[number as usize];
        match host::read(&frame.bytes) {
            Some(Resolution::Asked { by: (address, mac), target }) if target == host.address => {
                host.known.insert(address, mac);
                let answer = host.answer(Some((address, mac)));
                self.send_from(number, Kind::Resolution, answer);
            }
            Some(Resolution::Told(address, mac)) => drop(host.known.insert(address, mac)),
            _ => {}
        }
    }

    fn awaited_arrives(&mut self, number: u32, id: u64, frame: &Frame) {
        let host = &self.hosts[number as usize];
        let Some(awaited) = self.traffic.awaited.get_mut(&id) else { return };
        if awaited.hosts[1] != number || frame.macs().is_none_or(|[to, _]| to != host.mac) {
            return;
        }
        let Awaited { stream, what, hosts, .. } = *awaited;
        let (again, altered) = (awaited.arrived, awaited.payload != frame.bytes[12..]);
        awaited.arrived = true;
        self.counts.arrived += 1;
        // A switch that does not know the sender puts its own address there.
        let source = frame.macs().map(|[_, source]| source);
        let by_switch = source.is_some_and(|source| source.octets()[0] == 0x0a);
        if altered || !by_switch && source != Some(self.hosts[hosts[0] as usize].mac) {
            return self
                .violated(format!("frame {id} ({what:?}) arrives at host {number} other than it was sent"));
        }
        if again {
            return self.arrives_again(id, number);
        }
        let back = [hosts[1], hosts[0]];
        match what {
            What::Syn(subflow) => self.send(stream, What::SynAck(subflow), back),
            What::SynAck(subflow) => {
                self.traffic.streams[stream as usize].subflows[subflow] = Subflow::Established;
                self.send(stream, What::Ack(subflow), back);
            }
            What::Datagram | What::Ack(_) | What::Data(_) => {}
        }
    }
}
