//! Connections that carry data while something floods: between two hosts whose kernels know nothing of them, made and received by
//! packet sockets, so that every lost frame shows.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use smoc_common::frames::{Build, End};
use smoc_common::map::{Flow, FlowKey, TokenBinding, TokenKey};
use smoc_common::memory::Switch;
use smoc_common::testing::scene::handshake;
use smoc_common::token::{Version, derive};
use smoc_common::wire::ethernet::MacAddress;
use smoc_common::wire::ip::Address;

use crate::command::batch;
use crate::lab::Lab;
use crate::traffic::{FrameReceiver, FrameSender, mac_of};

/// Bytes of each frame that carries data of a living connection: nothing that floods is as long.
const LENGTH: usize = 777;
/// How long such a frame may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// TCP ports of the clients begin here, and are that many; then those of the servers go up by one.
const FIRST_PORT: u16 = 20_000;
const PORTS: usize = 40_000;
/// Frames in a row of which none waits: a queue of a veth has room for 256.
pub const AT_A_TIME: usize = 30;

/// A host of the lab as a place to send from and to receive at.
pub struct Place {
    ends: Vec<End>,
    sender: FrameSender,
    receiver: FrameReceiver,
}

impl Place {
    /// A host, which loses its addresses: its kernel must not answer what it did not ask for.
    pub fn at(lab: &Lab, host: &str) -> Result<Self> {
        let (namespace, host) = (lab.namespace(host)?, lab.plan().host(host)?);
        batch("ip", &namespace, &["address flush dev eth0 scope global".to_owned()])?;
        let mac = MacAddress::new(mac_of(host)?);
        let end = |address: &IpAddr| {
            let address = match address {
                IpAddr::V4(address) => Address::from_v4(address.octets()),
                IpAddr::V6(address) => Address::new(address.octets()),
            };
            End { mac, address, port: 0 }
        };
        Ok(Self {
            ends: host.addresses.iter().map(end).collect(),
            sender: FrameSender::open(&namespace, "eth0")?,
            receiver: FrameReceiver::open(&namespace, "eth0", LENGTH)?,
        })
    }

    /// One of its addresses of a family.
    pub fn end(&self, is_v4: bool, number: usize) -> End {
        let of_family = || self.ends.iter().filter(|end| end.address.v4().is_some() == is_v4);
        let count = of_family().count().max(1);
        *of_family().nth(number % count).unwrap_or(&self.ends[0])
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        self.sender.send(frame)
    }
}

/// One of the connections.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// Who opened it, and who answered.
    pub ends: [End; 2],
    keys: [u64; 2],
    /// The next sequence numbers of both.
    next: [u32; 2],
}

impl Live {
    /// The token that its joins carry.
    pub fn token(&self) -> u32 {
        derive(Version::V1, self.keys[1])
    }

    /// The next frame of data from one of its ends.
    fn data(&mut self, from: usize) -> Vec<u8> {
        let [sender, receiver] = [self.ends[from], self.ends[1 - from]];
        let headers = if sender.address.v4().is_some() { 54 } else { 74 };
        let payload = vec![from as u8; LENGTH - headers];
        let numbers = (self.next[from], self.next[1 - from]);
        self.next[from] = self.next[from].wrapping_add(payload.len() as u32);
        Build::tcp(sender, receiver).numbers(numbers.0, numbers.1).payload(&payload).frame()
    }

    /// What an edge knows of it, if it is all there: the subflow, its connection and both tokens.
    fn bound(&self, tables: &Switch, at: usize) -> Option<Flow> {
        let [local, remote] = [self.ends[at], self.ends[1 - at]];
        let key = FlowKey::new(local.address, local.port, remote.address, remote.port);
        let flow = *tables.flows.entries.get(&key)?;
        tables.connections.entries.get(&flow.connection)?;
        let names = |key: u64| {
            let token = TokenKey { token: derive(Version::V1, key) };
            let binding: &TokenBinding = tables.tokens.entries.get(&token)?;
            binding.connections.contains(&flow.connection).then_some(())
        };
        names(self.keys[0]).and(names(self.keys[1])).map(|()| flow)
    }
}

/// What has become of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Frames of data that were sent, both ways.
    pub sent: u64,
    /// Those that did not arrive.
    pub lost: u64,
}

/// All of them.
pub struct Connections {
    /// Where they are opened, and where they are answered.
    pub places: [Place; 2],
    all: Vec<Live>,
    turn: usize,
    carried: Carried,
}

impl Connections {
    /// Opens so many between two hosts, every fifth over IPv6.
    pub fn open(places: [Place; 2], count: usize) -> Result<Self> {
        let live = |number: usize| {
            let is_v4 = !number.is_multiple_of(5);
            let client = places[0].end(is_v4, number / 5).at(FIRST_PORT + (number % PORTS) as u16);
            let server = places[1].end(is_v4, 0).at(80 + (number / PORTS) as u16);
            let key = number as u64;
            Live { ends: [client, server], keys: [key << 8 | 1 << 40, key << 8 | 1 << 41], next: [1_001, 0] }
        };
        let all = (0..count).map(live).collect();
        let mut this = Self { places, all, turn: 0, carried: Carried::default() };
        let all: Vec<Live> = this.all.clone();
        for some in all.chunks(AT_A_TIME) {
            this.shake_hands(&some.iter().map(|live| (live.ends, live.keys)).collect::<Vec<_>>())?;
        }
        for _ in 0..count {
            this.carry()?;
        }
        ensure!(this.carried.lost == 0, "{:?} before anything floods", this.carried);
        Ok(this)
    }

    /// The handshakes of new connections, no more than [`AT_A_TIME`]: no host answers what it has not heard.
    pub fn shake_hands(&self, connections: &[([End; 2], [u64; 2])]) -> Result<()> {
        let steps = connections.iter().map(|&(ends, keys)| handshake(Version::V1, ends, keys));
        let steps: Vec<_> = steps.collect();
        for (step, from) in [0, 1, 0].into_iter().enumerate() {
            for connection in &steps {
                self.places[from].send(&connection[step].1)?;
            }
            self.wait(from)?;
        }
        Ok(())
    }

    /// Waits until what one of the hosts has sent was dealt with.
    pub fn wait(&self, from: usize) -> Result<()> {
        let ends = [0, 1].map(|place: usize| self.places[place].end(true, 0).at(9));
        let frame = Build::udp(ends[from], ends[1 - from]).payload(&[0; LENGTH - 42]).frame();
        self.places[from].send(&frame)?;
        let arrived = self.places[1 - from].receiver.receive(PATIENCE)?;
        ensure!(arrived.is_some_and(|arrived| arrived == frame), "a datagram behind a flood was lost");
        Ok(())
    }

    /// One of them.
    pub fn live(&self, number: usize) -> &Live {
        &self.all[number % self.all.len()]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The next connection carries a frame each way, which this waits for: so what was sent before has been dealt with, and
    /// no queue of the lab runs over for want of a processor.
    pub fn carry(&mut self) -> Result<()> {
        let turn = self.turn % self.all.len();
        self.turn += 1;
        for from in [0, 1] {
            let frame = self.all[turn].data(from);
            self.places[from].send(&frame)?;
            self.carried.sent += 1;
            let arrived = self.places[1 - from].receiver.receive(PATIENCE)?;
            // The same bytes behind the addresses, which a router would change.
            let is_it = arrived.is_some_and(|arrived| arrived == frame);
            self.carried.lost += u64::from(!is_it);
        }
        Ok(())
    }

    /// What they have carried so far.
    pub fn carried(&self) -> Carried {
        self.carried
    }

    /// How many are known to an edge as they were: at the clients' edge 0, at the servers' 1.
    pub fn bound(&self, tables: &Switch, at: usize) -> usize {
        let lives = |live: &&Live| live.bound(tables, at).is_some_and(|flow| !flow.is_closed());
        self.all.iter().filter(lives).count()
    }

    /// How many additional subflows the clients' edge has given numbers to, of connections that it knows.
    pub fn joins(&self, tables: &Switch) -> u32 {
        let known = self.all.iter().filter_map(|live| live.bound(tables, 0));
        known.map(|flow| tables.connections.entries[&flow.connection].subflows - 1).sum()
    }
}
