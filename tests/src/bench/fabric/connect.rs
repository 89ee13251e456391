//! How long connect() takes between two kernels.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use smoc_common::event::Note;
use socket2::{Domain, Protocol, Socket, Type};

use super::chain::Chain;
use super::smoc::Smoc;

/// Where the far end listens: port 80 of 10.0.0.2.
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 80);
/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// Multipath TCP, of one subflow.
    Mptcp,
}

impl Transport {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Mptcp];

    fn protocol(self) -> Protocol {
        match self {
            Self::Tcp => Protocol::TCP,
            Self::Mptcp => Protocol::MPTCP,
        }
    }
}

/// Two hosts and three switches between them.
pub struct Hosts {
    chain: Chain,
    smoc: Option<Smoc>,
}

impl Hosts {
    /// Over smoc, or over bridges.
    ///
    /// # Errors
    /// The kernel has no MPTCP, or refuses something.
    pub fn new(over_smoc: bool) -> Result<Self> {
        let chain = Chain::new(3)?;
        chain.populate()?;
        let smoc = if over_smoc { Some(Smoc::between_edges(&chain)?) } else { None };
        if !over_smoc {
            chain.bridge(false)?;
        }
        Ok(Self { chain, smoc })
    }

    /// The median of so many connections made one after the other, in microseconds.
    ///
    /// # Errors
    /// A connection is not made, or smoc did not see the MPTCP in it.
    pub fn connect(&self, transport: Transport, connections: u32) -> Result<f64> {
        let bound = self.bound()?;
        let address = SocketAddr::from((Ipv4Addr::from(SERVER.0), SERVER.1));
        let listener = {
            let _inside = self.chain.far().enter()?;
            let listener = socket(transport)?;
            listener.set_reuse_address(true)?;
            listener.bind(&address.into()).context("bind")?;
            listener.listen(connections as i32 + 1).context("listen")?;
            listener
        };
        let _inside = self.chain.near().enter()?;
        let (mut times, mut open) = (Vec::new(), Vec::new());
        for _ in 0..connections {
            let client = socket(transport)?;
            let start = Instant::now();
            client.connect_timeout(&address.into(), PATIENCE).context("connect to the far end")?;
            times.push(start.elapsed().as_nanos() as f64 / 1e3);
            let (server, _) = listener.accept().context("accept")?;
            open.push((client, server));
        }
        if let (Transport::Mptcp, Some(before), Some(after)) = (transport, bound, self.bound()?) {
            let bound = after - before;
            ensure!(bound >= u64::from(connections), "smoc saw {bound} of {connections} MPTCP connections");
        }
        super::report::Spread::of(&times).map(|spread| spread.median).context("no connection was asked for")
    }

    fn bound(&self) -> Result<Option<u64>> {
        self.smoc.as_ref().map(|smoc| smoc.noticed(Note::Bound.counter())).transpose()
    }
}

fn socket(transport: Transport) -> Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(transport.protocol()))
        .with_context(|| format!("no socket for {transport:?}"))
}
