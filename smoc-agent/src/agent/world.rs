//! Performs effects: maps, programs, bridge ports, sockets, prober.

use std::{collections::VecDeque, sync::Arc};

use smoc_control::{
    dataplane::Change,
    fabric::Record,
    switch::{Effect, Event, Snapshot, Wish, write_all},
};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use super::{ears::Ears, historian::Recorder, siblings::Work};
use crate::{
    dataplane::{Dataplane, xdp::XdpDataplane},
    netlink::Netlink,
    prober::Command,
};

/// Everything that effects act on.
pub(super) struct World {
    pub dataplane: XdpDataplane,
    pub netlink: Netlink,
    pub ears: Ears,
    pub prober: std::sync::mpsc::Sender<Command>,
    pub siblings: mpsc::Sender<Work>,
    pub publish: watch::Sender<Option<Arc<Snapshot>>>,
    pub history: Recorder,
    pub remember: watch::Sender<Vec<Record>>,
}

/// The result of effects.
#[derive(Default)]
pub(super) struct Outcome {
    /// What was refused.
    pub events: VecDeque<Event>,
    /// Interfaces are not as they were: they should be listed again.
    pub interfaces: bool,
    /// The maps should be read back.
    pub inspect: bool,
}

impl World {
    /// Performs all of them, in order.
    pub(super) async fn perform(&mut self, effects: Vec<Effect>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut changes = Vec::new();
        for effect in effects {
            if let Effect::Write(change) = effect {
                changes.push(change);
                continue;
            }
            self.write(&std::mem::take(&mut changes), &mut outcome);
            self.perform_one(effect, &mut outcome).await;
        }
        self.write(&changes, &mut outcome);
        outcome
    }

    fn write(&mut self, changes: &[Change], outcome: &mut Outcome) {
        let errors = write_all(changes, |change| self.dataplane.apply(change));
        if let Some(first) = errors.first() {
            let why = match errors.len() {
                1 => first.to_string(),
                more => format!("{first} (and {} more)", more - 1),
            };
            outcome.events.push_back(Event::Refused { wish: Wish::Maps, why });
        }
    }

    async fn perform_one(&mut self, effect: Effect, outcome: &mut Outcome) {
        let refused = |wish, error: &dyn std::error::Error| Event::Refused { wish, why: error.to_string() };
        match effect {
            Effect::Write(_) => {}
            Effect::Remember(records) => drop(self.remember.send_replace(records)),
            Effect::Inspect => outcome.inspect = true,
            Effect::Attach(port, role, interface) => {
                outcome.interfaces = true;
                match self.dataplane.attach(role, &interface) {
                    Ok(()) => info!(port = port.get(), interface = interface.name, "program attached"),
                    Err(error) => outcome.events.push_back(refused(Wish::Program(port), &error)),
                }
            }
            Effect::KeepPrograms(interfaces) => {
                if let Err(error) = self.dataplane.keep(&interfaces) {
                    warn!(%error, "a program stays on an interface that is no port any more");
                }
            }
            Effect::SetBridgePort(port, interface, state) => {
                outcome.interfaces = true;
                match self.netlink.set_bridge_port(&interface, state).await {
                    Ok(()) => debug!(port = port.get(), ?state, "bridge port set"),
                    Err(error) => outcome.events.push_back(refused(Wish::BridgePort(port), &error)),
                }
            }
            Effect::ForgetAddresses(bridge) => {
                if let Err(error) = self.netlink.forget_addresses(&bridge).await {
                    warn!(%error, "the base network may send frames where hosts were before");
                }
            }
            Effect::Listen(port, role, interface) => {
                if let Err(error) = self.ears.listen(port, role, interface) {
                    outcome.events.push_back(refused(Wish::Socket(port), &error));
                }
            }
            Effect::StopListening(port) => self.ears.stop(port),
            Effect::Send(port, frame) => self.ears.send(port, &frame),
            // What does not fit into the queue is asked for again, here or by another edge.
            Effect::Look(question) => drop(self.siblings.try_send(Work::Look(question))),
            Effect::Settle(settlement) => drop(self.siblings.try_send(Work::Settle(settlement))),
            // If the prober has ended, the control loop finds out when it waits for its findings.
            Effect::Watch(targets) => drop(self.prober.send(Command::Watch(Box::new(targets)))),
            Effect::Publish(snapshot) => {
                self.history.published(&snapshot);
                self.publish.send_replace(Some(snapshot));
            }
        }
    }
}
