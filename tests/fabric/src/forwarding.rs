//! Frames on their way: over cables, through programs, through bridges.

use smoc_common::{
    event::{Action, Outcome},
    memory::Side,
};
use smoc_control::{
    discovery::{announcement, lldp, neighbor, presence},
    ports::Role,
    switch,
};

use crate::{
    bridge::Onward,
    fabric::{Break, Event, Fabric},
    frame::{Frame, Kind},
    host::{self, Resolution},
    link::Plug,
};

/// More than any route and its detour have hops, there and back.
const MOST_HOPS: u16 = 200;
/// A frame takes a path and one detour: it leaves a port of a switch twice at most.
const MOST_PASSES: usize = 2;
/// Frames that wait for an agent that does not read them.
const SOCKET_BUFFER: usize = 500;

impl Fabric {
    /// A frame leaves through a port of a switch.
    pub(crate) fn transmit(&mut self, node: u32, place: u16, frame: Frame) {
        let port = &self.nodes[node as usize].ports[usize::from(place)];
        if let Some((link, end)) = port.cable
            && port.exists
            && port.carrier
            && !port.hangs
        {
            self.send_over(link, end, frame);
        } else if matches!(frame.kind, Kind::Awaited(_)) {
            self.say(|| format!("{}: frame {} is lost at port {}", self.name(node), frame.id, place + 1));
        }
    }

    /// A frame starts at an end of a cable.
    pub(crate) fn send_over(&mut self, number: u32, end: u8, frame: Frame) {
        let link = &self.links[number as usize];
        if !link.passes(end.into(), &mut self.random) {
            if matches!(frame.kind, Kind::Awaited(_)) {
                self.say(|| format!("frame {} is lost on cable {number}", frame.id));
            }
            return;
        }
        let (to, delay, cuts) = (link.ends[usize::from(1 - end)], link.delay, link.cuts);
        if let Plug::Host(host) = to
            && frame.kind == Kind::Resolution
            && !self.concerns(host, host::read(&frame.bytes))
        {
            self.counts.unread += 1;
            return;
        }
        self.counts.frames += 1;
        self.queue.after(delay, Event::Arrive { link: number, end: 1 - end, cuts, frame: Box::new(frame) });
    }

    /// Whether a host does anything with a frame of address resolution: most of a large flood ends unread.
    fn concerns(&self, host: u32, resolution: Option<Resolution>) -> bool {
        let host = &self.hosts[host as usize];
        match resolution {
            Some(Resolution::Asked { target, .. }) => target == host.address,
            Some(Resolution::Told(address, _)) => {
                host.known.contains_key(&address) || host.asked.contains_key(&address)
            }
            None => false,
        }
    }

    /// A frame comes to an end of a cable.
    pub(crate) fn arrive(&mut self, link: u32, end: u8, frame: Frame) {
        match self.links[link as usize].ends[usize::from(end)] {
            Plug::Port(node, place) => self.receive(node, place, frame),
            Plug::Host(host) => self.host_receives(host, &frame),
        }
    }

    /// A frame comes in through a port of a switch.
    fn receive(&mut self, node: u32, place: u16, mut frame: Frame) {
        let now = self.queue.now();
        let switch = &mut self.nodes[node as usize];
        let port = &mut switch.ports[usize::from(place)];
        if !port.exists || !port.carrier {
            return;
        }
        port.received = port.received.wrapping_add(1);
        let Some((_, side)) = port.program else { return self.pass(node, place, frame) };
        let verdict = switch.kernel.run(side, port.index(place), &mut frame.bytes, now);
        frame.hops += 1;
        let mut action = verdict.outcome.action();
        if verdict.outcome == Outcome::Closed && Break::lets_in(self.options.broken) {
            action = Action::Pass;
        }
        if let Kind::Awaited(id) = frame.kind {
            if side == Side::Host {
                self.traffic.entered(id, action == Action::Redirect);
            }
            self.say(|| {
                let name = self.name(node);
                format!(
                    "{name}: frame {} in through {}: {} {}",
                    frame.id,
                    place + 1,
                    verdict.outcome.name(),
                    verdict.port
                )
            });
        }
        match action {
            Action::Consume => {}
            Action::Pass => self.pass(node, place, frame),
            Action::Redirect => self.redirect(node, verdict.port, frame),
            Action::Reply if self.options.broken == Some(Break::ProgramsAreMute) => {}
            Action::Reply => self.transmit(node, place, frame),
        }
    }

    fn redirect(&mut self, node: u32, port: u16, mut frame: Frame) {
        let switch = &self.nodes[node as usize];
        let Some(place) = switch.kernel.interface(port).and_then(|index| switch.with_interface(index)) else {
            return;
        };
        if matches!(frame.kind, Kind::Awaited(_)) {
            frame.redirected.push((node, place));
            self.leaves(node, place, &frame);
        }
        if self.options.broken == Some(Break::FramesVanish) && frame.id.is_multiple_of(100) {
            return;
        }
        let passes = frame.redirected.iter().filter(|passed| **passed == (node, place)).count();
        // Where a cable is in the wrong place, routes are misread until that is found: hops are bounded all the same.
        let misread = self.is_miswired();
        if passes > MOST_PASSES && !misread || frame.hops > MOST_HOPS {
            let name = self.name(node);
            let what =
                format!("frame {} goes round: {name} sends it out of port {port} again and again", frame.id);
            return self.violated(what);
        }
        self.transmit(node, place, frame);
    }

    /// The program, or that there is none, leaves a frame to the kernel.
    fn pass(&mut self, node: u32, place: u16, mut frame: Frame) {
        self.hear(node, place, &mut frame);
        let now = self.queue.now();
        let switch = &mut self.nodes[node as usize];
        let Some(macs) = frame.macs() else { return };
        let Onward::Ports(ports) = switch.bridge.take(place, macs, now) else { return };
        if frame.bridges.contains(&node) {
            return self.circulates(node, &frame);
        }
        if self.watch.is_flooded(frame.id, node) {
            self.counts.circulated += 1;
            return;
        }
        frame.bridges.push(node);
        let resolution = if frame.kind == Kind::Resolution { host::read(&frame.bytes) } else { None };
        for port in ports {
            // A copy that nobody reads is not even made: in a large network that is nearly every one.
            let host = self.nodes[node as usize].ports[usize::from(port)].host;
            if frame.kind == Kind::Resolution && host.is_some_and(|host| !self.concerns(host, resolution)) {
                self.counts.unread += 1;
                continue;
            }
            self.transmit(node, port, frame.clone());
        }
    }

    /// A packet socket on the port hears what it listens for.
    fn hear(&mut self, node: u32, place: u16, frame: &mut Frame) {
        let switch = &self.nodes[node as usize];
        let (number, index) = (switch.ports[usize::from(place)].number, switch.index(place));
        let Some(agent) = &switch.agent else { return };
        let Some(&(socket, role)) = agent.sockets.get(&number) else { return };
        let is_heard = match role {
            _ if frame.kind == Kind::Advertisement => {
                lldp::is_one(&frame.bytes) || presence::is_one(&frame.bytes)
            }
            Role::Fabric => frame.ether_type() == Some(announcement::ETHER_TYPE),
            Role::Host => {
                frame.ether_type() == Some(neighbor::ARP)
                    || frame.bytes.get(20) == Some(&neighbor::ICMP_V6) && frame.kind == Kind::Resolution
            }
        };
        if socket == index && is_heard && agent.inbox.len() < SOCKET_BUFFER {
            // An announcement goes no further, so it need not be copied.
            let bytes = match frame.kind {
                Kind::Announcement => std::mem::take(&mut frame.bytes),
                _ => frame.bytes.clone(),
            };
            let heard = switch::Frame { port: number, role, bytes };
            self.post(node, switch::Event::Heard(heard));
        }
    }
}
