//! The ports: hellos out of those that lead to other switches, and which of all ports frames leave through.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use smoc_common::{
    route::{PortNumber, Route},
    wire::probe::Probe,
};
use tracing::{info, warn};

use super::Wire;
use crate::{
    clock::Nanos,
    interfaces::IfIndex,
    liveness::{HostPort, Port, PortReport, PortTarget, Targets, Trust},
    ports::Role,
};

#[derive(Clone, Debug)]
struct Watched {
    target: PortTarget,
    port: Port,
}

/// A port in the device map of a role.
type Exit = (PortNumber, Role);

/// Where a port should lead in the device map of its role; in the other one it leads nowhere.
fn exits(number: PortNumber, role: Role, to: Option<IfIndex>) -> [(Exit, Option<IfIndex>); 2] {
    [Role::Fabric, Role::Host].map(|of| ((number, of), to.filter(|_| of == role)))
}

/// All ports of the switch.
#[derive(Clone, Debug, Default)]
pub(super) struct Ports {
    fabric: Vec<Watched>,
    hosts: BTreeMap<PortNumber, HostPort>,
    /// Ports that may still have an entry in a device map although they are no targets any more.
    retired: BTreeSet<PortNumber>,
    /// What was last written to the device maps.
    written: BTreeMap<Exit, Option<IfIndex>>,
}

impl Ports {
    /// Ports that an earlier agent let lead somewhere: those that are no targets are taken out of the device maps.
    pub(super) fn take_over(&mut self, left_behind: BTreeSet<PortNumber>) {
        self.retired.extend(left_behind);
    }

    /// Watches these ports; whether one went down or up.
    pub(super) fn watch(&mut self, targets: &Targets, now: Nanos) -> bool {
        let mut changed = false;
        let mut before: BTreeMap<_, _> =
            std::mem::take(&mut self.fabric).into_iter().map(|port| (port.target.number, port)).collect();
        for &target in &targets.ports {
            let mut watched = before.remove(&target.number).unwrap_or_else(|| {
                let down = targets.down.ports.contains(&target.number);
                Watched { target, port: Port::new(targets.hellos, target.carrier, down, now) }
            });
            watched.port.set_rules(targets.hellos);
            if watched.target.interface != target.interface {
                changed |= watched.set_carrier(false, now);
            }
            if watched.target.link != target.link {
                watched.port.rewired();
            }
            watched.target = target;
            changed |= watched.set_carrier(target.carrier, now);
            self.fabric.push(watched);
        }
        let hosts: BTreeMap<_, _> = targets.host_ports.iter().map(|port| (port.number, *port)).collect();
        self.retired.extend(before.into_keys().chain(std::mem::take(&mut self.hosts).into_keys()));
        self.retired.retain(|number| !hosts.contains_key(number));
        self.retired.retain(|number| self.fabric.iter().all(|port| port.target.number != *number));
        self.hosts = hosts;
        changed
    }

    /// An interface has carrier or not; whether a fabric port went down.
    pub(super) fn carrier(&mut self, interface: IfIndex, carrier: bool, now: Nanos) -> bool {
        for port in self.hosts.values_mut().filter(|port| port.interface == interface) {
            port.carrier = carrier;
        }
        let mut changed = false;
        for watched in self.fabric.iter_mut().filter(|port| port.target.interface == interface) {
            watched.target.carrier = carrier;
            changed |= watched.set_carrier(carrier, now);
        }
        changed
    }

    /// Brings the device maps in line. What could not be written is tried again with the next comparison.
    pub(super) fn transmit(&mut self, wire: &mut impl Wire) {
        let wanted = self.wanted();
        let differs =
            |&(&(number, role), to): &(&Exit, &Option<IfIndex>)| wire.transmits(number, role) != *to;
        let mut wrong: Vec<_> = wanted.iter().filter(differs).map(|(exit, to)| (*exit, *to)).collect();
        let tampered = wrong.iter().filter(|(exit, to)| self.written.get(exit) == Some(to)).count();
        if tampered > 0 {
            warn!(
                count = tampered,
                some = "FABRIC_PORTS, HOST_PORTS",
                "somebody changed what this agent wrote: it is written again"
            );
        }
        self.written = wanted;
        wrong.sort_by_key(|(_, to)| to.is_some());
        for (exit, to) in wrong {
            let (number, role) = exit;
            if !wire.transmit(number, role, to) {
                self.written.remove(&exit);
            }
        }
        let written = |number| {
            [Role::Fabric, Role::Host].iter().all(|role| self.written.contains_key(&(number, *role)))
        };
        self.retired.retain(|number| !written(*number));
    }

    /// Where every port should lead: nowhere in the map of the role that it does not have.
    fn wanted(&self) -> BTreeMap<Exit, Option<IfIndex>> {
        let fabric = self.fabric.iter().flat_map(|port| {
            let up = port.port.is_up() && port.target.interface != IfIndex(0);
            exits(port.target.number, Role::Fabric, up.then_some(port.target.interface))
        });
        let hosts = self.hosts.values();
        let hosts =
            hosts.flat_map(|port| exits(port.number, Role::Host, port.carrier.then_some(port.interface)));
        let retired = self.retired.iter().flat_map(|number| exits(*number, Role::Host, None));
        retired.chain(hosts).chain(fabric).collect()
    }

    /// The neighbour's hello came in by this interface; which port it says that it came in by is no more than its word. Whether
    /// it is believed.
    pub(super) fn heard(
        &mut self,
        probe: &Probe,
        interface: IfIndex,
        (session, trust): (u32, &Trust),
        at: Nanos,
    ) -> bool {
        let Some(Watched { target, port }) = self.behind(interface, probe.back_port) else { return true };
        let number = u32::from(target.number.get());
        let hears = probe.flags & Probe::HEARS != 0;
        if !trust.is_excused(probe, target.peer) {
            if !trust.signed_hello(probe) {
                port.distrust();
                return false;
            }
            if !port.is_news(probe) {
                return false;
            }
            // It names no hello of now: its sender hears none, or it was recorded.
            if !port.is_named(&probe.heard, session, number) {
                if !hears {
                    port.told(false, at);
                }
                return true;
            }
        }
        if number != probe.back_port || (probe.link != 0 && probe.link != target.link) {
            port.heard_other_link(probe.link, at);
        } else {
            port.told(hears, at);
        }
        true
    }

    /// One of this switch's own hellos came in by this interface and was not turned round yet: its cable ends at this switch.
    pub(super) fn looped(&mut self, probe: &Probe, interface: IfIndex, trust: &Trust, at: Nanos) -> bool {
        let is_ours = !trust.has_key() || trust.signed_hello(probe);
        if let Some(watched) = self.behind(interface, probe.subject).filter(|_| is_ours) {
            watched.port.heard_other_link(probe.link, at);
        }
        is_ours
    }

    /// One of this switch's hellos is back, by this interface. Only where it left does that show that the link works. Whether it
    /// is believed.
    pub(super) fn returned(&mut self, probe: &Probe, interface: IfIndex, trust: &Trust, at: Nanos) -> bool {
        let watched = self.behind(interface, probe.subject);
        let watched = watched.filter(|port| u32::from(port.target.number.get()) == probe.subject);
        let Some(Watched { target, port }) = watched else { return true };
        if !trust.believes(probe, target.peer, at) {
            port.distrust();
            return false;
        }
        port.returned(probe.sequence, Nanos(probe.sent_at), at)
    }

    /// The port whose interface this is. One that is no port's may be part of a port's, as of a bond: then `number` counts.
    fn behind(&mut self, interface: IfIndex, number: u32) -> Option<&mut Watched> {
        let position = self.fabric.iter().position(|port| port.target.interface == interface);
        match position {
            Some(position) => self.fabric.get_mut(position),
            None => self.number(number),
        }
    }

    fn number(&mut self, number: u32) -> Option<&mut Watched> {
        self.fabric.iter_mut().find(|port| u32::from(port.target.number.get()) == number)
    }

    /// Decides which ports are up; whether one changed.
    pub(super) fn judge(&mut self, now: Nanos, wire: &mut impl Wire) -> bool {
        self.fabric.iter_mut().for_each(|watched| watched.port.judge(now));
        if self.fabric.iter().any(|watched| watched.port.wants_frames()) {
            wire.received(&mut |interface, frames| {
                let mut wanting = self.fabric.iter_mut().filter(|watched| watched.port.wants_frames());
                if let Some(watched) = wanting.find(|watched| watched.target.interface == interface) {
                    watched.port.received(frames.into(), now);
                }
            });
        }
        let mut changed = false;
        for watched in &mut self.fabric {
            let lasted = now.since(watched.port.since());
            if watched.port.decide(now) {
                changed = true;
                watched.log(lasted);
            }
        }
        changed
    }

    pub(super) fn send_hellos(&mut self, session: u32, trust: &Trust, now: Nanos, wire: &mut impl Wire) {
        for Watched { target, port } in self.fabric.iter_mut().filter(|watched| watched.target.carrier) {
            let hears = if port.hears() { Probe::HEARS } else { 0 };
            let probe = Probe {
                back_route: Route::END.bits(),
                session,
                subject: target.number.get().into(),
                sequence: port.next_sequence(),
                back_port: target.neighbor.get().into(),
                flags: Probe::HELLO | hears,
                link: target.link,
                heard: port.heard_last(),
                ..Probe::default()
            };
            match wire.send(target.interface, Route::END, probe, &trust.keys[0]) {
                Some(at) => port.sent(at),
                None => port.not_sent(now),
            }
        }
    }

    /// Where a fabric port leads.
    pub(super) fn interface(&self, number: PortNumber) -> Option<IfIndex> {
        self.fabric.iter().find(|port| port.target.number == number).map(|port| port.target.interface)
    }

    /// Whether a port of this number is up: a place in the list, for those who ask often.
    pub(super) fn position(&self, number: PortNumber) -> Option<usize> {
        self.fabric.iter().position(|port| port.target.number == number)
    }

    /// The interface of the port at a [`Ports::position`], if it is up.
    pub(super) fn up_at(&self, position: usize) -> Option<IfIndex> {
        self.fabric.get(position).filter(|port| port.port.is_up()).map(|port| port.target.interface)
    }

    /// The fabric ports that are down, and those of them over which no hello has ever come back.
    pub(super) fn down(&self) -> (BTreeSet<PortNumber>, BTreeSet<PortNumber>) {
        let down = || self.fabric.iter().filter(|watched| !watched.port.is_up());
        let unanswered = down().filter(|watched| !watched.port.was_answered());
        (
            down().map(|watched| watched.target.number).collect(),
            unanswered.map(|watched| watched.target.number).collect(),
        )
    }

    pub(super) fn report(&self, now: Nanos) -> Vec<PortReport> {
        let report = |Watched { target, port }: &Watched| PortReport {
            number: target.number,
            up: port.is_up(),
            reason: port.reason(),
            lasts: now.since(port.since()),
            round_trip: port.round_trip(),
            flaps: port.failures(),
            hold_down_left: port.hold_down_left(now),
        };
        self.fabric.iter().map(report).collect()
    }
}

impl Watched {
    fn set_carrier(&mut self, carrier: bool, now: Nanos) -> bool {
        let lasted = now.since(self.port.since());
        let changed = self.port.set_carrier(carrier, now);
        if changed {
            self.log(lasted);
        }
        changed
    }

    /// Logs what the port has become after it was something else for some time.
    fn log(&self, lasted: Duration) {
        let (number, reason) = (self.target.number.get(), self.port.reason().text());
        if self.port.is_up() {
            info!(port = number, reason, down_for = ?lasted, flaps = self.port.failures(), "port is up");
        } else {
            warn!(port = number, reason, up_for = ?lasted, flaps = self.port.failures(), "port is down");
        }
    }
}
