//! The kernel's main routing table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::{
    AddressFamily,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHopFlags, RouteType,
        RouteVia,
    },
};
use smoc_control::{hosts::behind::KernelRoute, interfaces::IfIndex};

use super::{Netlink, NetlinkError};

impl Netlink {
    /// All routes of the main table, of IPv4 and IPv6.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn routes(&self) -> Result<Vec<KernelRoute>, NetlinkError> {
        let mut all = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            let routes = self.handle.route().get(message).execute();
            let routes = routes.map_ok(|message| route(&message)).try_collect::<Vec<_>>().await;
            let failed = |source| NetlinkError::Request { doing: "list the routes".into(), source };
            all.extend(routes.map_err(failed)?.into_iter().flatten());
        }
        Ok(all)
    }
}

/// A route, if it is one of the main table and none that the kernel keeps for a while (`RTM_F_CLONED`).
fn route(message: &RouteMessage) -> Option<KernelRoute> {
    let RouteHeader { table, kind, flags, destination_prefix_length, source_prefix_length, tos, .. } =
        message.header;
    let attributes = &message.attributes;
    let mut table = u32::from(table);
    let (mut metric, mut network, mut single, mut gateways) = (0, None, (None, None), Vec::new());
    for attribute in attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Priority(found) => metric = *found,
            RouteAttribute::Destination(found) => network = address(found),
            RouteAttribute::Oif(interface) => single.0 = Some(*interface),
            RouteAttribute::Gateway(_) | RouteAttribute::Via(_) => single.1 = gateway(attribute),
            RouteAttribute::MultiPath(all) => {
                let dead = RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown;
                let alive = all.iter().filter(|next_hop| !next_hop.flags.intersects(dead));
                gateways.extend(alive.filter_map(|next_hop| {
                    let found = next_hop.attributes.iter().find_map(gateway)?;
                    Some((IfIndex(next_hop.interface_index), found))
                }));
            }
            _ => {}
        }
    }
    // What is only for some senders or types of service is nothing that the packet path could tell apart.
    let is_ours = table == u32::from(RouteHeader::RT_TABLE_MAIN)
        && (source_prefix_length, tos) == (0, 0)
        && !flags.contains(RouteFlags::Cloned);
    if !is_ours {
        return None;
    }
    let unspecified = match message.header.address_family {
        AddressFamily::Inet => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let prefix = IpNet::new(network.unwrap_or(unspecified), destination_prefix_length).ok()?;
    if let (Some(interface), Some(found)) = single
        && !flags.intersects(RouteFlags::Dead | RouteFlags::Linkdown)
    {
        gateways.push((IfIndex(interface), found));
    }
    if kind != RouteType::Unicast {
        gateways.clear();
    }
    Some(KernelRoute { prefix, metric, gateways })
}

fn address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}

fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(found) => address(found),
        RouteAttribute::Via(RouteVia::Inet(v4)) => Some((*v4).into()),
        RouteAttribute::Via(RouteVia::Inet6(v6)) => Some((*v6).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::route::RouteNextHop;

    use super::*;

    const GATEWAY: [u8; 4] = [10, 0, 0, 1];

    /// 10.9.0.0/16 by 10.0.0.1 and interface 3, in the main table.
    fn message() -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.destination_prefix_length = 16;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Destination(RouteAddress::Inet([10, 9, 0, 0].into())),
            RouteAttribute::Priority(7),
            RouteAttribute::Gateway(RouteAddress::Inet(GATEWAY.into())),
            RouteAttribute::Oif(3),
        ];
        message
    }

    fn changed(change: impl FnOnce(&mut RouteMessage)) -> Option<KernelRoute> {
        let mut message = message();
        change(&mut message);
        route(&message)
    }

    #[test]
    fn a_unicast_route_of_the_main_table_has_its_gateway_and_its_metric() {
        let gateways = vec![(IfIndex(3), GATEWAY.into())];
        let expected = KernelRoute { prefix: "10.9.0.0/16".parse().unwrap(), metric: 7, gateways };
        assert_eq!(route(&message()), Some(expected));
        let default = changed(|message| {
            message.header.destination_prefix_length = 0;
            message.attributes.remove(0);
        });
        assert_eq!(default.unwrap().prefix, "0.0.0.0/0".parse().unwrap());
    }

    #[test]
    fn what_has_no_living_gateway_or_is_not_unicast_leads_to_nobody() {
        let none = |change: fn(&mut RouteMessage)| changed(change).unwrap().gateways.is_empty();
        assert!(none(|message| drop(message.attributes.remove(2))), "on link");
        assert!(none(|message| message.header.kind = RouteType::BlackHole));
        assert!(none(|message| message.header.flags = RouteFlags::Linkdown));
    }

    #[test]
    fn other_tables_and_what_is_for_some_traffic_only_are_no_routes() {
        assert_eq!(changed(|message| message.attributes.push(RouteAttribute::Table(1000))), None);
        assert_eq!(changed(|message| message.header.table = 255), None);
        assert_eq!(changed(|message| message.header.source_prefix_length = 8), None);
        assert_eq!(changed(|message| message.header.tos = 4), None);
        assert_eq!(changed(|message| message.header.flags = RouteFlags::Cloned), None);
    }

    #[test]
    fn of_a_multipath_route_the_living_next_hops_count() {
        let next_hop = |last: u8, interface, flags| {
            let mut next_hop = RouteNextHop::default();
            (next_hop.interface_index, next_hop.flags) = (interface, flags);
            next_hop.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet([10, 0, 0, last].into())));
            next_hop
        };
        let found = changed(|message| {
            message.attributes.truncate(2);
            let all = [
                next_hop(1, 3, RouteNextHopFlags::empty()),
                next_hop(2, 3, RouteNextHopFlags::Linkdown),
                next_hop(3, 4, RouteNextHopFlags::Onlink),
            ];
            message.attributes.push(RouteAttribute::MultiPath(all.to_vec()));
        });
        let expected = vec![(IfIndex(3), [10, 0, 0, 1].into()), (IfIndex(4), [10, 0, 0, 3].into())];
        assert_eq!(found.unwrap().gateways, expected);
    }
}
