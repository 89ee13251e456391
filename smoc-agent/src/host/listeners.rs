//! Listens for joins, where the kernel leaves subflows to user space: it opens no listeners for addresses that are told then.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{net::TcpListener, task::JoinHandle};

/// Connections that wait to be closed.
const BACKLOG: i32 = 16;
/// After an error of accept(), such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The sockets that listen, each with a task. The kernel gives joins to their connections; whatever else connects is closed.
#[derive(Default)]
pub(super) struct Listeners {
    tasks: BTreeMap<SocketAddr, JoinHandle<()>>,
}

impl Listeners {
    /// Where somebody listens.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.tasks.keys().copied()
    }

    /// Listens at these addresses and no others; the answer is what could not be.
    pub fn keep(&mut self, wanted: &BTreeSet<SocketAddr>) -> Vec<(SocketAddr, io::Error)> {
        self.tasks.retain(|at, task| {
            let stays = wanted.contains(at);
            if !stays {
                task.abort();
            }
            stays
        });
        let mut failed = Vec::new();
        for at in wanted {
            if !self.tasks.contains_key(at) {
                match listen(*at) {
                    Ok(listener) => drop(self.tasks.insert(*at, tokio::spawn(refuse(listener)))),
                    Err(error) => failed.push((*at, error)),
                }
            }
        }
        failed
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort();
        }
    }
}

fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::MPTCP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Closes what is no join, at once and without a trace.
async fn refuse(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
