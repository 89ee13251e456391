//! The thread that sends hellos and probes and takes dead ports out of use. It has a thread of its own because nothing else
//! may delay it; what it does is decided in [`smoc_control::liveness::prober`]. If it ends, the agent ends.

mod command;
mod socket;
mod wire;

use std::{collections::HashMap, sync::mpsc, time::Duration};

use tokio::sync::{oneshot, watch};

use smoc_control::{
    clock::Nanos,
    liveness::{Found, prober::Prober as Control},
};

use crate::{
    clock,
    dataplane::xdp::{Sightings, Transmit},
    urgent,
};
pub use command::{Command, Echo};
use wire::KernelWire;

/// How to reach the prober.
pub struct Prober {
    /// Where it is told what to do.
    pub commands: mpsc::Sender<Command>,
    /// What it has found. Its sender is dropped when the thread ends.
    pub found: watch::Receiver<Found>,
}

/// Starts the thread in the network namespace of the caller.
///
/// # Errors
/// No packet socket, or no thread.
pub fn start(sightings: Sightings, transmit: Transmit) -> std::io::Result<Prober> {
    let (commands, orders) = mpsc::channel();
    let (tell, found) = watch::channel(Found::default());
    let wire = KernelWire::open(sightings, transmit)?;
    let session = (clock::now().0 >> 8) as u32 ^ std::process::id().rotate_left(16);
    let thread = Thread { control: Control::new(session), wire, echoes: HashMap::new(), tell };
    urgent::spawn("prober", move || thread.run(&orders))?;
    Ok(Prober { commands, found })
}

struct Thread {
    control: Control,
    wire: KernelWire,
    /// Where the results of single probes go.
    echoes: HashMap<u32, oneshot::Sender<Option<Duration>>>,
    tell: watch::Sender<Found>,
}

impl Thread {
    fn run(mut self, orders: &mpsc::Receiver<Command>) {
        let mut due = clock::now();
        loop {
            match orders.recv_timeout(due.since(clock::now())) {
                Ok(command) => {
                    self.obey(command);
                    if clock::now() < due {
                        continue;
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            let now = clock::now();
            self.tick(now);
            let interval = self.control.tick_interval();
            due = due + interval;
            if due < now {
                due = now + interval;
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = clock::now();
        let Self { control, wire, .. } = self;
        let changed = match command {
            Command::Watch(targets) => control.watch(*targets, now, wire),
            Command::Carrier(interface, carrier) => control.carrier(interface, carrier, now, wire),
            Command::Used(used) => {
                control.used(used);
                false
            }
            Command::AlsoUsed(to, rank) => {
                control.also_used(to, rank);
                false
            }
            Command::Echo(Echo { route, reply }) => {
                if let Some(number) = control.echo(&route, wire) {
                    self.echoes.insert(number, reply);
                }
                false
            }
            Command::Report(reply) => {
                // The receiver may be gone.
                let _ = reply.send(control.report(now));
                false
            }
        };
        self.tell(changed);
    }

    fn tick(&mut self, now: Nanos) {
        let changed = self.control.tick(now, &mut self.wire);
        self.tell(changed);
        for (number, round_trip) in self.control.echoed() {
            if let Some(reply) = self.echoes.remove(&number) {
                // The receiver may be gone.
                let _ = reply.send(round_trip);
            }
        }
    }

    fn tell(&self, changed: bool) {
        if changed {
            self.tell.send_replace(self.control.found());
        }
    }
}
