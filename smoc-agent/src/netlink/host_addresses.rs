//! The addresses of an end host that can be told to others.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::address::{AddressHeaderFlags, AddressMessage, AddressScope};
use smoc_common::wire::ethernet::MacAddress;
use smoc_control::{
    end_host::HostAddress,
    interfaces::{Interface, Interfaces},
};

use super::{Netlink, NetlinkError, address};

impl Netlink {
    /// The addresses of these interfaces, in the order in which the kernel has them; of all interfaces that have carrier and a
    /// MAC address and are no bridges, if none are named. Neither link-local nor temporary ones, nor those that are not valid
    /// yet or soon no more.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn host_addresses(&self, named: &[String]) -> Result<Vec<HostAddress>, NetlinkError> {
        let interfaces = self.interfaces().await?;
        let messages = self.handle.address().get().execute().try_collect::<Vec<_>>().await;
        let failed = |source| NetlinkError::Request { doing: "list the addresses".into(), source };
        let all = messages.map_err(failed)?.iter().filter_map(lasting).collect();
        Ok(chosen(all, &interfaces, named))
    }
}

fn chosen(mut all: Vec<HostAddress>, interfaces: &Interfaces, named: &[String]) -> Vec<HostAddress> {
    let takes_part = |interface: &Interface| {
        let is_ordinary = interface.mac != MacAddress::default() && interface.spanning_tree.is_none();
        let is_chosen = if named.is_empty() { is_ordinary } else { named.contains(&interface.name) };
        interface.usable && is_chosen
    };
    all.retain(|at| interfaces.get(at.interface).is_some_and(takes_part));
    all.sort_by_key(|at| at.interface);
    all
}

/// An address that stays and that others can reach.
fn lasting(message: &AddressMessage) -> Option<HostAddress> {
    let (interface, address) = address(message)?;
    let address = address.addr();
    let flags = message.header.flags;
    let mut passing =
        AddressHeaderFlags::Tentative | AddressHeaderFlags::Deprecated | AddressHeaderFlags::Dadfailed;
    if matches!(address, IpAddr::V6(_)) {
        // The same bit is IFA_F_TEMPORARY there.
        passing |= AddressHeaderFlags::Secondary;
    }
    let lasts = message.header.scope == AddressScope::Universe && !flags.intersects(passing);
    (lasts && !address.is_loopback()).then_some(HostAddress { interface, address })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtnetlink::packet_route::{AddressFamily, address::AddressAttribute};
    use smoc_control::interfaces::IfIndex;

    fn message(address: &str, flags: AddressHeaderFlags, scope: AddressScope) -> AddressMessage {
        let address: IpAddr = address.parse().unwrap();
        let mut message = AddressMessage::default();
        message.header.family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        (message.header.index, message.header.flags, message.header.scope) = (3, flags, scope);
        message.header.prefix_len = 24;
        message.attributes.push(AddressAttribute::Address(address));
        message
    }

    #[test]
    fn addresses_that_pass_or_reach_nobody_are_left_out() {
        let (permanent, secondary) = (AddressHeaderFlags::Permanent, AddressHeaderFlags::Secondary);
        let takes = |address, flags, scope| lasting(&message(address, flags, scope)).is_some();
        assert!(takes("10.0.0.1", permanent, AddressScope::Universe));
        assert!(takes("10.0.0.2", secondary, AddressScope::Universe));
        assert!(takes("fd00::1", permanent, AddressScope::Universe));
        assert!(!takes("fd00::2", secondary, AddressScope::Universe), "temporary");
        assert!(!takes("fd00::3", AddressHeaderFlags::Tentative, AddressScope::Universe));
        assert!(!takes("fe80::1", permanent, AddressScope::Link));
        assert!(!takes("127.0.0.1", permanent, AddressScope::Host));
    }

    #[test]
    fn interfaces_that_are_named_or_look_like_ports_take_part() {
        let interface = |index, name: &str, usable, spanning_tree, mac| Interface {
            index: IfIndex(index),
            name: name.into(),
            mac: MacAddress::new(mac),
            usable,
            mtu: 1500,
            megabits: 0,
            master: None,
            bridge_port: None,
            spanning_tree,
            xdp: None,
        };
        let mac = [2, 0, 0, 0, 0, 1];
        let interfaces: Interfaces = [
            interface(1, "eth0", true, None, mac),
            interface(2, "docker0", true, Some(false), mac),
            interface(3, "eth1", false, None, mac),
            interface(4, "wg0", true, None, [0; 6]),
        ]
        .into_iter()
        .collect();
        let at =
            |index: u32| HostAddress { interface: IfIndex(index), address: [10, 0, 0, index as u8].into() };
        let found = |named: &[String]| {
            let found = chosen((1..6).rev().map(at).collect(), &interfaces, named);
            found.iter().map(|at| at.interface.0).collect::<Vec<_>>()
        };
        assert_eq!(found(&[]), [1]);
        assert_eq!(found(&["docker0".into(), "eth1".into(), "wg0".into()]), [2, 4]);
    }
}
