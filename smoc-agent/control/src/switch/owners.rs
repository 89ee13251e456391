//! Hosts of this switch: which addresses are learned, and who is asked before one moves or is forgotten.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::{Effect, Switch};
use crate::{clock::Nanos, discovery::neighbor, hosts::Question, hosts::Reach, ports::Role};

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
        let reach = Reach {
            configured: self.config.prefixes.clone(),
            on_link: on_link.filter(|net| !is_link_local(net)).map(IpNet::trunc).collect(),
            routed: routed.collect(),
            own: self.interfaces.all_addresses().map(|net| net.addr()).chain(agents).collect(),
            own_macs: self.interfaces.iter().map(|interface| interface.mac).collect(),
        };
        self.hosts.set_reach(reach, now);
        let is_absent = |(_, role, interface): &(_, Role, &crate::interfaces::Interface)| {
            *role == Role::Host && !interface.usable
        };
        let absent = self.present().filter(is_absent).map(|(port, ..)| port).collect();
        self.hosts.set_absent(absent, now);
        self.stale.hosts |= self.hosts.has_changed();
    }

    /// Asks the owners of addresses that others claim, or that were not heard for long.
    pub(super) fn ask_owners(&mut self, now: Nanos) {
        for question in self.hosts.questions(now) {
            let Question { port, mac, address } = question;
            let Some(source) = self.socket_mac(port) else { continue };
            let frame = neighbor::question(source, mac, address, self.sender(address));
            self.effects.push(Effect::Send(port, frame));
        }
        self.stale.hosts |= self.hosts.has_changed();
        if self.hosts.take_stirred() {
            self.announcer.hurry_hosts(now);
            self.stale.view = true;
        }
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

    /// What the operator should know of addresses that two claim.
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
        named.chain(rest).collect()
    }
}
