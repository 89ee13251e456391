//! The packet sockets of all ports: what is heard over them and sent.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use smoc_common::route::PortNumber;
use smoc_control::{
    discovery::neighbor,
    interfaces::IfIndex,
    ports::Role,
    switch::{Event, Frame},
};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, error::TrySendError},
    task::AbortHandle,
    time::Instant,
};
use tracing::{debug, warn};

use crate::sockets::{PacketSocket, Wanted};

/// Max frames of a host port that are read in each [`WINDOW`]: far more than well-behaved hosts send.
const HOST_FRAMES: u32 = 200;
/// The same of frames that may only show who is there.
const GLIMPSES: u32 = 20;
/// The same of a fabric port: announcements come in bursts.
const FABRIC_FRAMES: u32 = 5000;
const WINDOW: Duration = Duration::from_millis(100);
/// Pause after an error of an interface.
const PAUSE: Duration = Duration::from_millis(100);

struct Ear {
    socket: Arc<PacketSocket>,
    task: AbortHandle,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sockets by port. They are read on another thread, so that a flood there takes nothing from control but a place in a
/// queue.
pub(super) struct Ears {
    threads: Handle,
    events: mpsc::Sender<Event>,
    by_port: BTreeMap<PortNumber, Ear>,
}

impl Ears {
    pub(super) fn new(threads: Handle, events: mpsc::Sender<Event>) -> Self {
        Self { threads, events, by_port: BTreeMap::new() }
    }

    /// Opens a socket on an interface, in place of the port's last one.
    pub(super) fn listen(&mut self, port: PortNumber, role: Role, interface: IfIndex) -> std::io::Result<()> {
        self.by_port.remove(&port);
        let wanted = if role == Role::Fabric { Wanted::Announcements } else { Wanted::Neighbors };
        let _inside = self.threads.enter();
        let socket = Arc::new(PacketSocket::open(interface, wanted)?);
        let listening = receive(socket.clone(), port, role, self.events.clone());
        let task = self.threads.spawn(listening).abort_handle();
        self.by_port.insert(port, Ear { socket, task });
        Ok(())
    }

    pub(super) fn stop(&mut self, port: PortNumber) {
        self.by_port.remove(&port);
    }

    /// Sends a whole frame. What cannot be sent is lost: all that agents say they say again.
    pub(super) fn send(&self, port: PortNumber, frame: &[u8]) {
        if let Some(ear) = self.by_port.get(&port)
            && let Err(error) = ear.socket.send(frame)
        {
            debug!(port = port.get(), %error, "announcement not sent");
        }
    }
}

/// Passes the frames of a port on, up to the max and as far as the queue has room; the others are counted and logged.
async fn receive(socket: Arc<PacketSocket>, port: PortNumber, role: Role, events: mpsc::Sender<Event>) {
    let allowed = if role == Role::Fabric { FABRIC_FRAMES } else { HOST_FRAMES };
    let (mut since, mut count, mut glimpses, mut dropped) = (Instant::now(), 0, 0, 0_u64);
    loop {
        let mut bytes = match socket.receive().await {
            Ok(bytes) => bytes,
            Err(error) => {
                debug!(port = port.get(), %error, "nothing heard");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if since.elapsed() >= WINDOW {
            if dropped > 0 {
                warn!(
                    port = port.get(),
                    dropped, "more frames came than an agent looks at: they were ignored"
                );
            }
            (since, count, glimpses, dropped) = (Instant::now(), 0, 0, 0);
        }
        if role == Role::Host && !neighbor::may_claim(&mut bytes) {
            glimpses += 1;
            if glimpses > GLIMPSES {
                continue;
            }
        }
        count += 1;
        if count > allowed {
            dropped += 1;
            continue;
        }
        match events.try_send(Event::Heard(Frame { port, role, bytes })) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => dropped += 1,
            Err(TrySendError::Closed(_)) => return,
        }
    }
}
