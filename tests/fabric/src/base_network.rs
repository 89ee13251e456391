//! Whether the base network has a loop, over links that carry frames in one direction at least, and when that is excused.

use smoc_control::{clock::Nanos, interfaces::BridgePort};

use crate::{
    bounds,
    fabric::{Break, Fabric},
    invariants::{MASKED, UNDER_WAY, root},
    link::{Link, Plug},
};

impl Fabric {
    /// Whether loops of the base network are excused now.
    pub(crate) fn look_at_mask(&mut self) {
        let now = self.queue.now();
        // A port that cannot be closed is nobody's fault, and a cable in the wrong place must be found first.
        let swapped = self.links.iter().any(|link| link.swapped);
        if swapped {
            self.watch.miswired = now + bounds::SETTLED;
        }
        let nobody = self.nodes.iter().any(|node| node.refuses.bridge) || swapped;
        let missing = || {
            let running = self.nodes.iter().filter(|node| node.runs > 0);
            running.flat_map(|node| &node.ports).any(|port| !port.exists || port.program.is_none())
        };
        let files = || {
            let mut files = self.nodes.iter().filter_map(|node| Some(node.agent.as_ref()?.file));
            let first = files.next();
            files.any(|file| Some(file) != first)
        };
        let lagging = !self.are_all_prompt() || missing() || files();
        if lagging {
            self.watch.lagged = self.watch.lagged.max(now + MASKED);
        }
        if nobody {
            self.watch.masked = self.watch.masked.max(now + MASKED);
        }
    }

    /// The switch at an end of a cable, if its bridge port forwards.
    fn forwards(&self, plug: Plug) -> Option<u32> {
        let Plug::Port(node, place) = plug else { return None };
        let switch = &self.nodes[node as usize];
        let port = &switch.ports[usize::from(place)];
        (port.exists && port.carrier && !port.hangs && switch.bridge.state(place) == BridgePort::Forwarding)
            .then_some(node)
    }

    /// Whether base frames come in at an end of a cable: the program there does not drop them.
    fn lets_in(&self, plug: Plug) -> bool {
        let Plug::Port(node, place) = plug else { return true };
        if Break::lets_in(self.options.broken) {
            return true;
        }
        let switch = &self.nodes[node as usize];
        let port = &switch.ports[usize::from(place)];
        port.program.is_none_or(|(_, side)| !switch.kernel.is_closed(side, port.number, switch.index(place)))
    }

    /// The switches at both ends of a cable, if base frames go over it, in one direction at least: that is enough for a loop.
    fn carries(&self, link: &Link) -> Option<[u32; 2]> {
        let [Some(a), Some(b)] = link.ends.map(|end| self.forwards(end)) else { return None };
        (link.is_whole() && link.ends.iter().any(|end| self.lets_in(*end))).then_some([a, b])
    }

    /// As [`Self::carries`], unless that is so because the kernel opened a port whose carrier came back, and an end has no program
    /// of a fabric port or a map that takes nothing.
    fn carries_as_wanted(&self, link: &Link) -> Option<[u32; 2]> {
        let mut reopened = false;
        let mut helpless = false;
        for end in link.ends {
            let Plug::Port(node, place) = end else { continue };
            let switch = &self.nodes[node as usize];
            reopened |= switch.bridge.is_reopened(place);
            let program = switch.ports[usize::from(place)].program;
            helpless |= program.is_none() || switch.refuses.maps;
        }
        self.carries(link).filter(|_| !(reopened && helpless))
    }

    /// A cable that closes a loop, of those that carry frames between two switches.
    fn loop_over(&self, carries: impl Fn(&Link) -> Option<[u32; 2]>) -> Option<usize> {
        let mut pieces: Vec<u32> = (0..self.nodes.len() as u32).collect();
        let mut extra = None;
        for (number, link) in self.links[..self.network.cables.len()].iter().enumerate() {
            let Some(ends) = carries(link) else { continue };
            let [a, b] = ends.map(|end| root(&mut pieces, end));
            if a == b {
                extra = Some(number);
            }
            pieces[a as usize] = b;
        }
        extra
    }

    /// Ports, carriers or links changed: is the base network a forest?
    pub(crate) fn look_at_tree(&mut self) {
        let extra = self.loop_over(|link| self.carries(link));
        let now = self.queue.now();
        match (extra, self.watch.looping) {
            (None, looping) => {
                if looping.is_some() {
                    self.watch.looped = now;
                }
                self.watch.looping = None;
                self.watch.flooded.clear();
            }
            (Some(link), None) => {
                self.watch.looping = Some(now);
                self.say(|| format!("the base network has a loop over {}", self.cable_name(link as u32)));
            }
            _ => {}
        }
        self.look_at_loop();
    }

    /// A loop of the base network over ports that somebody answers for.
    pub(crate) fn look_at_loop(&mut self) {
        if self.watch.looping.is_none() || self.queue.now() < self.watch.masked {
            return;
        }
        if self.loop_over(|link| self.carries_as_wanted(link)).is_some() {
            self.violated(format!("the base network has a loop: {}", self.open_cables()));
        }
    }

    /// Whether the base network has a loop, had one a moment ago, or may have one.
    pub(crate) fn has_looped(&self, now: Nanos) -> bool {
        now < self.watch.masked || self.watch.looping.is_some() || now.since(self.watch.looped) < UNDER_WAY
    }

    /// The cables over which base frames go.
    fn open_cables(&self) -> String {
        let open =
            (0..self.network.cables.len()).filter(|number| self.carries(&self.links[*number]).is_some());
        open.map(|number| self.cable_name(number as u32)).collect::<Vec<_>>().join(", ")
    }
}
