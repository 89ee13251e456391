//! A frame's way through a network, as the packet path's own pipeline decides it at every switch: each has in memory the
//! maps that its agent would have filled.

use std::collections::{HashMap, HashSet};

use smoc_common::{
    event::Action,
    frames,
    map::{
        self, Attachment, EdgeIndex, Host, LAYOUT_MAGIC, LAYOUT_VERSION, PathSet, Port, Settings, THIS_EDGE,
    },
    memory::{Run, Side, Switch as Model},
    route::{PortNumber, Rank},
    wire::ip::Address,
};

use crate::search::{Detours, Path, PathFinder};
use crate::topology::{End, LinkId, SwitchId, Topology};

/// More switches than a frame can pass: its route has 62 bits, twice with a detour.
const MAX_HOPS: usize = 128;

/// What one switch did with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The switch.
    pub switch: SwitchId,
    /// What its pipeline said.
    pub run: Run,
    /// The link over which the frame went on; `None` where it was delivered, or left to the kernel.
    pub link: Option<LinkId>,
}

/// Models of the switches, made when a frame first comes to them.
#[derive(Clone, Debug)]
pub struct Network<'a> {
    finder: PathFinder<'a>,
    failed: HashSet<LinkId>,
    detours: HashMap<SwitchId, Detours>,
    models: HashMap<SwitchId, Model>,
    hosts: HashMap<Address, (frames::End, End)>,
}

impl<'a> Network<'a> {
    /// Switches whose detours are those of `finder`, and whose ports at `failed` links are down.
    pub fn new(finder: PathFinder<'a>, failed: HashSet<LinkId>) -> Self {
        Self { finder, failed, detours: HashMap::new(), models: HashMap::new(), hosts: HashMap::new() }
    }

    /// The network.
    pub fn topology(&self) -> &'a Topology {
        self.finder.topology()
    }

    /// The index of an edge in the maps of switch `this`.
    pub fn edge_index(this: SwitchId, edge: SwitchId) -> EdgeIndex {
        if this == edge { THIS_EDGE } else { EdgeIndex::try_from(edge.index() + 1).unwrap_or(EdgeIndex::MAX) }
    }

    /// From now on all switches know that this host is attached there.
    pub fn attach(&mut self, host: frames::End, at: End) {
        if self.hosts.insert(host.address, (host, at)) != Some((host, at)) {
            self.models.iter_mut().for_each(|(this, model)| attach(model, *this, host, at));
        }
    }

    /// The detours of a switch.
    pub fn detours(&mut self, switch: SwitchId) -> &Detours {
        self.detours.entry(switch).or_insert_with(|| self.finder.detours(switch))
    }

    /// Whether frames can be sent over a link.
    pub fn is_up(&self, link: LinkId) -> bool {
        !self.failed.contains(&link)
    }

    /// The maps of a switch, to be looked at or changed.
    pub fn model(&mut self, this: SwitchId) -> &mut Model {
        if !self.models.contains_key(&this) {
            let model = self.new_model(this);
            self.models.insert(this, model);
        }
        self.models.entry(this).or_default()
    }

    fn new_model(&mut self, this: SwitchId) -> Model {
        let topology = self.topology();
        let settings = Settings {
            magic: LAYOUT_MAGIC,
            layout: LAYOUT_VERSION,
            port_width: topology.switch(this).port_width,
            ..Settings::default()
        };
        let mut model = Model { settings: Some(settings), ..Model::default() };
        for arc in topology.arcs(this) {
            let peer_width = topology.switch(arc.to.switch).port_width;
            model.ports.insert(arc.port.get(), Port { peer_width, ..Port::default() });
            if !self.is_up(arc.link) {
                model.down.insert(arc.port.get());
            }
        }
        // Only a dead port asks for them, and searching them is the dearest step.
        if !model.down.is_empty() {
            model.detours = self.detours(this).routable.iter().map(|detour| detour.entry()).collect();
        }
        for &(host, at) in self.hosts.values() {
            attach(&mut model, this, host, at);
        }
        model
    }

    /// Makes these the ranked paths from their first switch to their last, as far as the packet path has ranks, and the first
    /// of them that of other traffic.
    pub fn set_paths(&mut self, paths: &[&Path]) {
        let Some((&from, &to)) =
            paths.first().and_then(|path| path.switches.first().zip(path.switches.last()))
        else {
            return;
        };
        let topology = self.topology();
        let mut set = PathSet::default();
        for (entry, path) in set.paths.iter_mut().zip(paths.iter().take(Rank::COUNT)) {
            let Some(((_, port), route)) = path.hops(topology).next().zip(path.route(topology).ok()) else {
                break;
            };
            *entry = map::Path::new(port, route);
            set.count += 1;
        }
        (set.base_count, set.paths[PathSet::BASE]) = (set.count.min(1), set.paths[0]);
        self.model(from).path_sets.insert(Self::edge_index(from, to), set);
    }

    /// A host at `from` sends a frame: what every switch does with it, and the frame as the last one left it.
    pub fn send(&mut self, from: SwitchId, frame: &mut [u8]) -> Vec<Hop> {
        let run = self.model(from).run(Side::Host, frame);
        self.follow(from, run, frame)
    }

    /// A switch has done this with a frame: that, and what every switch after it does.
    pub fn follow(&mut self, from: SwitchId, run: Run, frame: &mut [u8]) -> Vec<Hop> {
        let mut hops = vec![self.hop(from, run)];
        while let Some(Hop { switch, link: Some(link), .. }) = hops.last()
            && hops.len() < MAX_HOPS
        {
            let next = self.topology().link(*link).other(*switch).switch;
            let run = self.model(next).run(Side::Fabric, frame);
            hops.push(self.hop(next, run));
        }
        hops
    }

    fn hop(&self, switch: SwitchId, run: Run) -> Hop {
        let leaves = run.verdict.outcome.action() == Action::Redirect;
        let port = PortNumber::new(run.verdict.port).filter(|_| leaves);
        let link = port.and_then(|port| self.topology().link_at(End { switch, port }));
        Hop { switch, run, link: link.filter(|link| self.is_up(*link)) }
    }
}

fn attach(model: &mut Model, this: SwitchId, host: frames::End, at: End) {
    let attachment = Attachment { edge: Network::edge_index(this, at.switch), port: at.port.get() };
    model.hosts.insert(host.address, Host { attachment, mac: host.mac, ..Host::default() });
    if at.switch == this {
        model.ports.entry(at.port.get()).or_insert(Port { role: Port::HOST, ..Port::NONE });
    }
}

#[cfg(test)]
mod tests {
    use smoc_common::{
        event::{Note, Outcome},
        frames::Build,
        wire::ethernet::MacAddress,
    };

    use super::*;
    use crate::search::PathOptions;
    use crate::topology::TopologyFile;

    /// A frame from a host at a to one at c, in a square in which these links have failed: switches, outcomes, notes.
    fn journey(failed: &[&str]) -> Vec<(String, Outcome, Vec<Note>)> {
        let text =
            "links: [{a: 'a:1', b: 'b:1'}, {a: 'b:2', b: 'c:1'}, {a: 'c:2', b: 'd:1'}, {a: 'd:2', b: 'a:2'}]";
        let topology = TopologyFile::parse(std::path::Path::new("t"), text).unwrap().topology;
        let finder = PathFinder::new(&topology, &PathOptions::default()).unwrap();
        let [a, c] = ["a", "c"].map(|name| topology.find_switch(name).unwrap());
        let failed = failed.iter().map(|name| topology.find_link(name).unwrap()).collect();
        let paths = finder.ranked(a, c);
        let by_b = paths.iter().find(|path| topology.switch(path.switches[1]).name == "b").unwrap();
        let mut network = Network::new(finder, failed);
        network.set_paths(&[by_b]);
        let [from, to] = [(1, a), (2, c)].map(|(last, switch)| {
            let host = frames::End {
                mac: MacAddress::new([6, 0, 0, 0, 0, last]),
                address: Address::from_v4([10, 0, 0, last]),
                port: 7,
            };
            network.attach(host, End { switch, port: PortNumber::new(9).unwrap() });
            host
        });
        let sent = Build::udp(from, to).frame();
        let mut frame = sent.clone();
        let hops = network.send(a, &mut frame);
        assert_eq!(frame, sent, "what is delivered or given to the kernel is as it was sent");
        let name = |hop: &Hop| topology.switch(hop.switch).name.clone();
        hops.iter().map(|hop| (name(hop), hop.run.verdict.outcome, hop.run.notes.clone())).collect()
    }

    #[test]
    fn a_frame_is_followed_from_switch_to_switch_until_it_is_delivered() {
        let expected = [("a", Outcome::Plain), ("b", Outcome::Transit), ("c", Outcome::Delivered)];
        assert_eq!(journey(&[]), expected.map(|(name, outcome)| (name.to_owned(), outcome, vec![])));
    }

    #[test]
    fn a_detour_and_a_dead_end_are_where_they_happen() {
        let around = journey(&["b:2-c:1"]);
        let names: Vec<_> = around.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "a", "d", "c"]);
        assert_eq!(around[1], ("b".into(), Outcome::Transit, vec![Note::Detoured]));
        let cut = journey(&["b:2-c:1", "d:2-a:2"]);
        assert_eq!(cut.last(), Some(&("a".into(), Outcome::DeadEnd, vec![])), "{cut:?}");
        assert_eq!(journey(&["a:1-b:1", "d:2-a:2"]), [("a".into(), Outcome::PortDown, vec![])]);
    }
}
