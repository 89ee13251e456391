//! The packet sockets of all ports, and what is said and heard over them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};
use tokio::{sync::mpsc, task::AbortHandle};
use tracing::{debug, warn};

use smoc_control::{
    clock::Nanos,
    discovery::announcement::{self, Part},
    interfaces::{IfIndex, Interface},
    ports::Role,
};

use crate::sockets::{PacketSocket, Wanted};

/// A frame from a port.
#[derive(Debug)]
pub(super) struct Frame {
    pub port: PortNumber,
    pub role: Role,
    pub bytes: Vec<u8>,
}

struct Listener {
    index: IfIndex,
    role: Role,
    mac: MacAddress,
    socket: Arc<PacketSocket>,
    task: AbortHandle,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sockets by port.
pub(super) struct Sockets {
    frames: mpsc::Sender<Frame>,
    learn: bool,
    listeners: BTreeMap<PortNumber, Listener>,
}

impl Sockets {
    pub(super) fn new(frames: mpsc::Sender<Frame>, learn: bool) -> Self {
        Self { frames, learn, listeners: BTreeMap::new() }
    }

    /// Has a socket on each of these ports, and on no other.
    pub(super) fn follow<'a>(&mut self, ports: impl Iterator<Item = (PortNumber, Role, &'a Interface)>) {
        let mut before = std::mem::take(&mut self.listeners);
        for (port, role, interface) in ports.filter(|(_, role, _)| self.learn || *role == Role::Fabric) {
            let same = |old: &Listener| old.index == interface.index && old.role == role;
            let kept = before.remove(&port).filter(same);
            let listener = match kept {
                Some(listener) => listener,
                None => match self.listen(port, role, interface) {
                    Ok(listener) => listener,
                    Err(error) => {
                        warn!(port = port.get(), interface = interface.name, %error, "cannot listen for hosts");
                        continue;
                    }
                },
            };
            self.listeners.insert(port, listener);
        }
    }

    fn listen(&self, port: PortNumber, role: Role, interface: &Interface) -> std::io::Result<Listener> {
        let wanted = if role == Role::Fabric { Wanted::Announcements } else { Wanted::Neighbors };
        let socket = Arc::new(PacketSocket::open(interface.index, wanted)?);
        let task = tokio::spawn(receive(socket.clone(), port, role, self.frames.clone())).abort_handle();
        Ok(Listener { index: interface.index, role, mac: interface.mac, socket, task })
    }

    /// Sends parts of an announcement out of all fabric ports but one.
    pub(super) fn announce(&self, parts: &[Part], except: Option<PortNumber>, now: Nanos) {
        for port in self.fabric().filter(|port| Some(*port) != except) {
            self.announce_to(port, parts, now);
        }
    }

    /// Sends parts of announcements out of one port.
    pub(super) fn announce_to<'a>(
        &self,
        port: PortNumber,
        parts: impl IntoIterator<Item = &'a Part>,
        now: Nanos,
    ) {
        let Some(to) = self.listeners.get(&port) else { return };
        let mut frames = parts.into_iter().map(|part| part.frame(to.mac, now));
        if let Some(error) = frames.find_map(|frame| to.socket.send(&frame).err()) {
            debug!(port = port.get(), %error, "announcement not sent");
        }
    }

    /// Asks all neighbours what they have heard.
    pub(super) fn ask(&self) {
        for port in self.fabric() {
            let to = &self.listeners[&port];
            if let Err(error) = to.socket.send(&announcement::question(to.mac)) {
                debug!(port = port.get(), %error, "question not sent");
            }
        }
    }

    fn fabric(&self) -> impl Iterator<Item = PortNumber> + '_ {
        self.listeners.iter().filter(|(_, to)| to.role == Role::Fabric).map(|(port, _)| *port)
    }
}

/// Hands on every frame of a port. An interface that is down gives an error and works again when it is up.
async fn receive(socket: Arc<PacketSocket>, port: PortNumber, role: Role, frames: mpsc::Sender<Frame>) {
    loop {
        match socket.receive().await {
            Ok(bytes) => {
                if frames.send(Frame { port, role, bytes }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                debug!(port = port.get(), %error, "nothing heard");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
