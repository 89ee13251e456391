//! Hosts that are learned, here or by other agents, and what agents tell each other.

use std::sync::Arc;

use smoc_common::{map::THIS_EDGE, route::PortNumber};
use tracing::debug;

use super::Switch;
use smoc_control::{
    clock::Nanos,
    discovery::{
        Heard,
        announcement::{self, Lists, Message, Part},
        neighbor,
    },
    hosts::{Sighting, ip_address},
};

use crate::{agent::learning::Frame, clock};

impl Switch {
    /// Learned hosts that are installed are known until somebody says otherwise.
    pub(super) fn remember(&mut self) {
        let names = self.controller.names();
        let hosts = self.controller.installed().hosts.iter().filter_map(|(address, host)| {
            let switch = match host.attachment.edge {
                THIS_EDGE => None,
                edge => Some(names.name(edge)?),
            };
            let port = PortNumber::new(host.attachment.port)?;
            Some((switch, Sighting { address: ip_address(*address), mac: host.mac, port, seen: Nanos(0) }))
        });
        self.hosts.remember(hosts, clock::now());
    }

    pub(super) fn resolve(&mut self) {
        self.known = Arc::new(self.hosts.resolve(&self.topology, self.this));
    }

    pub(super) fn heard_neighbor(&mut self, frame: &mut Frame, now: Nanos) -> bool {
        let Some((address, mac)) = neighbor::claim(&mut frame.bytes) else { return false };
        let sighting = Sighting { address, mac, port: frame.port, seen: now };
        let news = self.hosts.learn(sighting);
        if news {
            debug!(%address, mac = %sighting.mac, port = frame.port.get(), "heard of a host");
            self.announce();
        }
        news
    }

    pub(super) fn heard_announcement(&mut self, frame: &Frame, now: Nanos) -> bool {
        let part = match Message::parse(&frame.bytes, now) {
            None => return false,
            Some(Message::Question) => {
                let known = self.own_announcement();
                self.sockets.announce_to(frame.port, self.flood.all().chain(&known), now);
                return false;
            }
            Some(Message::Part(part)) => part,
        };
        let origin = self.topology.find_switch(&part.origin);
        if origin.is_none_or(|origin| origin == self.this) {
            return false;
        }
        let heard = self.flood.hear(&part, now);
        if heard == Heard::Old {
            return false;
        }
        self.sockets.announce(std::slice::from_ref(&part), Some(frame.port), now);
        let Heard::Complete(Lists { hosts, down }) = heard else { return false };
        self.hosts.announced(&part.origin, hosts, now);
        self.links_news |= self.links.told(&part.origin, down.into_iter().collect());
        true
    }

    /// Tells all other agents which hosts were learned here, and which ports are down.
    pub(super) fn announce(&self) {
        self.sockets.announce(&self.own_announcement(), None, clock::now());
    }

    fn own_announcement(&self) -> Vec<Part> {
        let lists = Lists {
            hosts: self.hosts.to_announce(&self.topology, self.this),
            down: self.own_ports_down().into_iter().collect(),
        };
        let since_1970 =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let sequence = u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX);
        announcement::parts(&self.config.switch, sequence, &lists)
    }
}
