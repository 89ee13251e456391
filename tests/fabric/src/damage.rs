//! Faults as they befall the fabric, and what they excuse.

use std::time::Duration;

use smoc_control::{policy::to_records, switch::Event as Happening};

use crate::{
    bounds,
    fabric::{Event, Fabric},
    faults::Fault,
    kernel::Kernel,
    link::Plug,
};

impl Fabric {
    /// A fault happens.
    pub(crate) fn suffer(&mut self, fault: &Fault) {
        self.say(|| format!("*** {}", self.describe(fault)));
        let is_whole = self.are_all_used();
        self.befall(fault);
        self.watch.changed = true;
        if let Some(bound) = self.excuses(fault) {
            let bound = if is_whole { bound } else { bound.max(bounds::PROBED) };
            self.watch.disturb(self.queue.now(), bound);
        }
        let at_work = self.are_all_at_work();
        self.watch.hold_unless(at_work, self.queue.now());
        self.look_at_mask();
    }

    fn befall(&mut self, fault: &Fault) {
        match *fault {
            Fault::Link { link, works, carrier } => {
                self.links[link as usize].laid = true;
                self.set_link(link, works, carrier);
            }
            Fault::Loss(link, loss) => self.links[link as usize].loss = loss,
            Fault::Swap(a, b) => self.swap(a, b),
            Fault::Stopped(node, true) => {
                if let Some(agent) = &mut self.nodes[node as usize].agent {
                    agent.stopped = true;
                }
            }
            Fault::Stopped(node, false) => self.go_on(node),
            Fault::Slow(node, late) => {
                if let Some(agent) = &mut self.nodes[node as usize].agent {
                    agent.slow = late;
                }
                self.wake(node);
            }
            Fault::Kill(node) => self.nodes[node as usize].agent = None,
            Fault::Width(node, bits) => self.network.set_width(node as usize, bits),
            Fault::Start(node) => self.queue.after(Duration::ZERO, Event::Start { node }),
            Fault::PowerLoss(node) => self.lose_power(node),
            Fault::PowerBack(node) => {
                self.mend_cables(node);
                self.queue.after(Duration::from_millis(200), Event::Start { node });
                self.hosts_speak(node);
            }
            Fault::Silent(node, true) => {
                let cables = self.fabric_cables_of(node);
                cables.iter().for_each(|link| self.set_link(*link, [false; 2], [true; 2]));
                self.cut.insert(node, cables);
            }
            Fault::Silent(node, false) => self.mend_cables(node),
            Fault::File(node, file) => self.give_file(node, file),
            Fault::Move(host, to) => self.move_host(host, to),
            Fault::RefuseMaps(node, refuses) => self.refuse_maps(node, refuses),
            Fault::RefusePrograms(node, refuses) => self.nodes[node as usize].refuses.programs = refuses,
            Fault::RefuseBridge(node, refuses) => self.nodes[node as usize].refuses.bridge = refuses,
            Fault::RefuseSockets(node, refuses) => self.nodes[node as usize].refuses.sockets = refuses,
            Fault::Interface(node, place, there) => self.set_interface(node, place, there),
            Fault::Hang(node, place, hangs) => {
                self.nodes[node as usize].ports[usize::from(place)].hangs = hangs
            }
            Fault::Vandal(node) => {
                let switch = &mut self.nodes[node as usize];
                switch.kernel.maps.hosts.pop_first();
                switch.ports[0].program = None;
                self.will_tell(node);
            }
            Fault::Policy(node, number) => self.apply_policy(node, number),
            Fault::Foreign(node) => {
                self.nodes[node as usize].foreign_mtu += 1;
                self.will_tell(node);
            }
        }
    }

    /// An operator applies a policy, if an agent runs there.
    fn apply_policy(&mut self, node: u32, number: u32) {
        let text = crate::faults::policy(&self.network, number);
        let now = self.queue.now().0 / 1000 + 1;
        let agent = self.nodes[node as usize].agent.as_ref();
        let Some(snapshot) = agent.and_then(|agent| agent.snapshot.clone()) else { return };
        if let Ok(records) = to_records(&snapshot.records, &text, now) {
            self.post(node, Happening::Recorded(records));
        }
    }

    /// How long frames may be lost because of a fault that meets a settled network; `None`: not at all.
    fn excuses(&self, fault: &Fault) -> Option<Duration> {
        let silent = bounds::silent(&self.network.configs[0].hellos);
        match *fault {
            Fault::Link { works: [true, true], carrier: [true, true], .. } => None,
            Fault::Link { carrier: [false, false], .. } => Some(bounds::CARRIER),
            Fault::Link { .. } | Fault::Silent(_, true) | Fault::Hang(_, _, true) => Some(silent),
            Fault::Interface(_, _, false) => Some(silent),
            Fault::Loss(_, loss) => (loss > 0).then_some(bounds::SETTLED),
            Fault::PowerLoss(_) => Some(bounds::CARRIER),
            // A port without a declared host is closed until it is decided who is there (docs/discovery.md): without files all are.
            Fault::Move(..) if self.network.is_discovered() => Some(bounds::MOVED),
            Fault::Swap(..) | Fault::Move(..) | Fault::Vandal(_) | Fault::PowerBack(_) => {
                Some(bounds::SETTLED)
            }
            // A link that is new in the file counts as up before an end of it has said so, and its cable comes last.
            Fault::File(..) => {
                (self.network.widens || !self.network.grows_a_leaf()).then_some(bounds::SETTLED)
            }
            // It has another number, which the agent has to write first.
            Fault::Interface(_, _, true) => Some(bounds::CARRIER),
            Fault::Silent(_, false) | Fault::Hang(_, _, false) => None,
            Fault::Kill(_) | Fault::Start(_) | Fault::Stopped(..) | Fault::Slow(..) | Fault::Foreign(_) => {
                None
            }
            Fault::RefuseMaps(..) | Fault::RefusePrograms(..) | Fault::Width(..) | Fault::Policy(..) => None,
            Fault::RefuseBridge(..) | Fault::RefuseSockets(..) => None,
        }
    }

    /// What was refused is tried again with a back-off that doubles: it takes as long again at most as it was refused.
    fn refuse_maps(&mut self, node: u32, refuses: bool) {
        let now = self.queue.now();
        let switch = &mut self.nodes[node as usize];
        if refuses {
            switch.maps_refused = now;
        } else if switch.refuses.maps {
            let refused = now.since(switch.maps_refused);
            self.watch.disturb(now, refused + bounds::SETTLED);
        }
        self.nodes[node as usize].refuses.maps = refuses;
    }

    fn set_link(&mut self, number: u32, works: [bool; 2], carrier: [bool; 2]) {
        let now = self.queue.now();
        let link = &mut self.links[number as usize];
        link.set(works, carrier);
        link.changed = now;
        self.see_carrier(number);
    }

    /// Tells both ends of a cable what light they see: none from an end that does not exist.
    fn see_carrier(&mut self, number: u32) {
        let link = self.links[number as usize].clone();
        let exists = link.ends.map(|end| match end {
            Plug::Port(node, place) => self.nodes[node as usize].ports[usize::from(place)].exists,
            Plug::Host(_) => true,
        });
        for end in 0..2 {
            if let Plug::Port(node, place) = link.ends[end] {
                self.set_carrier(node, place, link.carrier[end] && exists == [true; 2]);
            }
        }
    }

    /// A port sees carrier or not.
    pub(crate) fn set_carrier(&mut self, node: u32, place: u16, carrier: bool) {
        let switch = &mut self.nodes[node as usize];
        let port = &mut switch.ports[usize::from(place)];
        if port.carrier != carrier {
            port.carrier = carrier;
            switch.bridge.carrier(place, carrier);
            self.watch.changed = true;
            self.will_tell(node);
        }
    }

    fn swap(&mut self, a: u32, b: u32) {
        let ends = [a, b].map(|link| self.links[link as usize].ends[1]);
        self.links[a as usize].ends[1] = ends[1];
        self.links[b as usize].ends[1] = ends[0];
        for link in [a, b] {
            let now = self.queue.now();
            self.links[link as usize].cuts += 1;
            self.links[link as usize].changed = now;
            self.links[link as usize].swapped ^= true;
            self.join(link);
        }
    }

    pub(crate) fn cables_of(&self, node: u32) -> Vec<u32> {
        let ports = self.nodes[node as usize].ports.iter();
        ports.filter_map(|port| Some(port.cable?.0)).filter(|link| self.links[*link as usize].laid).collect()
    }

    fn fabric_cables_of(&self, node: u32) -> Vec<u32> {
        let mut cables = self.cables_of(node);
        cables.retain(|link| (*link as usize) < self.network.cables.len());
        cables
    }

    /// The cables that went with a switch work again.
    fn mend_cables(&mut self, node: u32) {
        for link in self.cut.remove(&node).unwrap_or_default() {
            self.set_link(link, [true; 2], [true; 2]);
        }
    }

    /// Maps, programs and bridge are gone with the power; neighbours and hosts see no light.
    fn lose_power(&mut self, node: u32) {
        let cables = self.cables_of(node);
        cables.iter().for_each(|link| self.set_link(*link, [false; 2], [false; 2]));
        self.cut.insert(node, cables);
        let switch = &mut self.nodes[node as usize];
        switch.agent = None;
        switch.kernel = Kernel::default();
        switch.bridge.forget();
        switch.ports.iter_mut().for_each(|port| port.program = None);
    }

    /// The hosts of a switch see light again and say who they are.
    fn hosts_speak(&mut self, node: u32) {
        for link in self.cables_of(node) {
            if let Plug::Host(host) = self.links[link as usize].ends[1] {
                self.queue.after(Duration::from_millis(500), Event::Announce { host });
            }
        }
    }

    fn give_file(&mut self, node: u32, file: usize) {
        let switch = &mut self.nodes[node as usize];
        switch.file = file;
        if let Some(agent) = &mut switch.agent {
            agent.file = file;
            let (config, topology) =
                (self.network.configs[node as usize].clone(), self.network.files[file].clone());
            self.post(node, Happening::Configured(config, topology));
        }
    }

    fn move_host(&mut self, host: u32, (node, port): (u32, u16)) {
        let Some(to) = self.nodes[node as usize].place(port) else { return };
        let link = self.hosts[host as usize].link;
        if let Plug::Port(from, place) = self.links[link as usize].ends[0] {
            let port = &mut self.nodes[from as usize].ports[usize::from(place)];
            (port.cable, port.host) = (None, None);
            self.set_carrier(from, place, false);
        }
        self.links[link as usize].ends[0] = Plug::Port(node, to);
        self.links[link as usize].cuts += 1;
        self.join(link);
        // The first is lost where the port is closed until it is decided what is behind it.
        for later in [Duration::from_millis(20), bounds::HEARD] {
            self.queue.after(later, Event::Announce { host });
        }
    }

    fn set_interface(&mut self, node: u32, place: u16, there: bool) {
        let switch = &mut self.nodes[node as usize];
        let port = &mut switch.ports[usize::from(place)];
        port.exists = there;
        port.program = None;
        port.generation += u32::from(there);
        let (number, cable) = (port.number, port.cable);
        if !there {
            // The kernel takes the interface out of every device map.
            switch.kernel.interface_is_gone(number);
        }
        match cable {
            Some((link, _)) => {
                self.links[link as usize].cuts += 1;
                self.links[link as usize].changed = self.queue.now();
                self.see_carrier(link);
            }
            None => self.set_carrier(node, place, false),
        }
        self.will_tell(node);
    }
}
