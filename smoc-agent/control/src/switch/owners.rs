//! Hosts of this switch: which addresses are learned, and who is asked before one moves or is forgotten.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};
use smoc_paths::topology::End;
use tracing::info;

use super::{Effect, Frame, Switch};
use crate::{
    clock::Nanos,
    discovery::neighbor,
    hosts::{Question, Reach, Tag, behind::Routed},
    interfaces::IfIndex,
    ports::Role,
};

/// Refused claims that the status names one by one.
const NAMED_REFUSALS: usize = 8;

impl Switch {
    /// Brings what is learned in line with the prefixes of the fabric and with the switch's own addresses.
    pub(super) fn limit_hosts(&mut self, now: Nanos) {
        let bridge = self.config.bridge.as_deref().and_then(|name| self.interfaces.named(name));
        let on_link = bridge.into_iter().flat_map(|bridge| self.interfaces.addresses(bridge.index));
        let is_link_local = |net: &IpNet| match net.addr() {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let agents = self.topology.switches().iter().filter_map(|switch| switch.agent);
        let routed = self.topology.hosts().iter().flat_map(|host| host.prefixes.iter().copied());
        let routed = routed.chain(self.hosts.routing.routed.forbidding());
        let reach = Reach {
            configured: self.config.prefixes.clone(),
            on_link: on_link.filter(|net| !is_link_local(net)).map(IpNet::trunc).collect(),
            routed: routed.collect(),
            own: self.interfaces.all_addresses().map(|net| net.addr()).chain(agents).collect(),
            own_macs: self.interfaces.iter().map(|interface| interface.mac).collect(),
        };
        self.hosts.set_ageing(self.config.ageing);
        self.hosts.set_reach(reach, now);
        let is_absent = |(_, role, interface): &(_, Role, &crate::interfaces::Interface)| {
            *role == Role::Host && !interface.usable
        };
        let absent = self.present().filter(is_absent).map(|(port, ..)| port).collect();
        self.hosts.set_absent(absent, now);
        self.stale.hosts |= self.hosts.has_changed();
    }

    /// Finds out what is behind hosts that are routers, by what routing tables say; whether it is something else than before.
    pub(super) fn look_at_routes(&mut self, now: Nanos) -> bool {
        if self.hosts.routing.is_empty() {
            return false;
        }
        let ours = self.config.ports.values().chain(&self.config.bridge);
        let ours: BTreeSet<IfIndex> =
            ours.filter_map(|name| Some(self.interfaces.named(name)?.index)).collect();
        if self.hosts.routing.find(&self.known, self.this, |interface| ours.contains(&interface)) {
            self.announcer.hurry_hosts(now);
        }
        let is_news = self.hosts.routing.place(&self.known, &self.topology, self.this);
        if is_news {
            let Routed { placed, apart } = &*self.hosts.routing.routed;
            info!(prefixes = placed.len(), apart = apart.len(), "other prefixes are behind hosts");
            self.limit_hosts(now);
        }
        is_news
    }

    /// Asks the owners of addresses that others claim, or that were not heard for long.
    pub(super) fn ask_owners(&mut self, now: Nanos) {
        let questions = self.hosts.questions(now);
        self.ask_hosts(questions);
        self.stale.hosts |= self.hosts.has_changed();
        if self.hosts.take_stirred() {
            self.announcer.hurry_hosts(now);
            self.stale.view = true;
        }
    }

    fn ask_hosts(&mut self, questions: impl IntoIterator<Item = Question>) {
        for Question { port, mac, address, tag } in questions {
            let Some(source) = self.socket_mac(port) else { continue };
            // The switch's own address is in no tagged VLAN.
            let sender = if tag.is_none() { self.sender(address) } else { None };
            let mut frame = neighbor::question(source, mac, address, sender);
            tag.into_iter().for_each(|tag| tag.put(&mut frame));
            self.effects.push(Effect::Send(port, frame));
        }
    }

    /// A frame that claims no address may show one: who sent it is asked whether it has it.
    pub(super) fn glimpsed(&mut self, frame: &mut Frame, now: Nanos) {
        let Some((address, mac)) = neighbor::glimpse(&mut frame.bytes) else { return };
        let reach = self.hosts.reach();
        if !reach.learns(address) || reach.is_ours(mac) || self.is_known_at(frame.port, address, mac) {
            return;
        }
        let question = Question { port: frame.port, mac, address, tag: Tag::of(&frame.bytes) };
        let question = self.hosts.glimpses.see(question, now);
        self.ask_hosts(question);
    }

    /// Asks those again that have not answered.
    pub(super) fn ask_glimpsed(&mut self, now: Nanos) {
        let mut glimpses = std::mem::take(&mut self.hosts.glimpses);
        let questions = glimpses.again(now, |port, address, mac| self.is_known_at(port, address, mac));
        self.hosts.glimpses = glimpses;
        self.ask_hosts(questions);
    }

    fn is_known_at(&self, port: PortNumber, address: IpAddr, mac: MacAddress) -> bool {
        let at = End { switch: self.this, port };
        self.known.get(&address).is_some_and(|host| host.at == at && host.mac == mac)
    }

    /// The bridge's own IPv4 address, of those that are in one subnet with a host if there is one.
    fn sender(&self, host: IpAddr) -> Option<Ipv4Addr> {
        let bridge = self.config.bridge.as_deref().and_then(|name| self.interfaces.named(name))?;
        let own = self.interfaces.addresses(bridge.index).iter().find(|net| net.contains(&host))?;
        match own.addr() {
            IpAddr::V4(own) => Some(own),
            IpAddr::V6(_) => None,
        }
    }

    /// That hosts are not learned which may belong to the fabric.
    fn outside(&self) -> Option<String> {
        let Reach { configured, on_link, .. } = self.hosts.reach();
        let (prefixes, whose) = match configured.is_empty() {
            true => (on_link, "those of the bridge's own addresses"),
            false => (configured, "those of the configuration"),
        };
        let prefixes = prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        self.hosts.outside().map(|address| {
            format!(
                "{address} is heard at a host port and not learned, for it is in none of the prefixes {prefixes} ({whose}): \
                 if it belongs to the fabric, add its prefix to `prefixes` in the configuration"
            )
        })
    }

    /// What the operator should know of addresses that two claim, and of those that are not learned.
    pub(super) fn contested(&self) -> Vec<String> {
        let refusals = self.hosts.refusals();
        let more = refusals.len().saturating_sub(NAMED_REFUSALS);
        let text = |refusal: &crate::hosts::Refusal| {
            let edge = refusal.edge.as_deref().unwrap_or(&self.config.switch);
            let claim =
                format!("{} is claimed by {} at {edge}:{}", refusal.address, refusal.mac, refusal.port);
            let owner = match self.known.get(&refusal.address) {
                Some(owner) => {
                    let switch = &self.topology.switch(owner.at.switch).name;
                    format!("{} at {switch}:{} has it", owner.mac, owner.at.port)
                }
                None => "the topology file has it elsewhere".to_owned(),
            };
            format!(
                "{claim}, which is refused: {owner}. Give one of the two hosts another address, or find out who it is"
            )
        };
        let named = refusals.iter().take(NAMED_REFUSALS).map(text);
        let rest = (more > 0).then(|| format!("{more} more claims are refused: `smoc hosts` lists them"));
        named.chain(rest).chain(self.outside()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smoc_common::wire::ethernet;

    use super::super::tests::Bench;
    use super::*;

    /// From 10.0.0.7, whose MAC address is 02:00:00:00:00:07.
    fn datagram() -> Vec<u8> {
        let head = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 7, 10, 0, 0, 2];
        let macs = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 7];
        [&macs[..], &ethernet::IPV4.to_be_bytes(), &head, &[0; 8]].concat()
    }

    fn questions(effects: &[Effect]) -> usize {
        let is_one = |effect: &&Effect| matches!(effect, Effect::Send(_, frame) if frame[12..14] == [8, 6]);
        effects.iter().filter(is_one).count()
    }

    #[test]
    fn a_host_that_only_sends_is_asked_until_it_answers() {
        let mut bench = Bench::settled();
        assert_eq!(questions(&bench.heard(9, Role::Host, datagram())), 1);
        assert_eq!(questions(&bench.heard(9, Role::Host, datagram())), 0);
        assert_eq!(questions(&bench.pass(Duration::from_millis(1500))), 1);
        let address = IpAddr::from([10, 0, 0, 7]);
        assert!(!bench.switch.known.contains_key(&address), "nobody has claimed it");
        let macs = [2, 0, 0, 0, 0xff, 9, 2, 0, 0, 0, 0, 7];
        let reply =
            [&macs[..], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2], &macs[6..], &[10, 0, 0, 7], &[0; 28]].concat();
        bench.heard(9, Role::Host, reply);
        assert_eq!(questions(&bench.pass(Duration::from_secs(5))), 0);
        assert!(bench.switch.known.contains_key(&address));
        assert_eq!(questions(&bench.heard(9, Role::Host, datagram())), 0, "it is known");
    }
}
