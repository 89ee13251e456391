//! Which addresses are learned: those of the fabric's prefixes, and none of the switches' own.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use smoc_common::wire::ethernet::MacAddress;

/// Which addresses may be learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// As configured. If there are any, nothing outside of them is learned, nor believed of other edges.
    pub configured: Vec<IpNet>,
    /// Those of the bridge's own addresses. Where none is configured they limit what is learned here, for each family of which
    /// there is one. Other edges may have others.
    pub on_link: Vec<IpNet>,
    /// Prefixes behind declared routers. What is in one of them is behind its router, unless a longer prefix of the fabric has it.
    pub routed: Vec<IpNet>,
    /// The switches' own addresses.
    pub own: BTreeSet<IpAddr>,
    /// The MAC addresses of this switch.
    pub own_macs: BTreeSet<MacAddress>,
}

impl Reach {
    /// Whether an address is learned that is heard at a host port.
    pub fn learns(&self, address: IpAddr) -> bool {
        let of_router = longest(&self.routed, address);
        !self.own.contains(&address)
            && self
                .of_fabric(address)
                .is_some_and(|of_fabric| of_router.is_none_or(|of_router| of_router <= of_fabric))
    }

    /// Whether it can be that another edge knows an address.
    pub fn believes(&self, address: IpAddr) -> bool {
        !self.own.contains(&address)
            && (self.configured.is_empty() || longest(&self.configured, address).is_some())
    }

    /// Whether this MAC address is the switch's own.
    pub fn is_ours(&self, mac: MacAddress) -> bool {
        self.own_macs.contains(&mac)
    }

    /// Whether anything limits what is learned of some family.
    pub fn is_limited(&self) -> bool {
        !self.configured.is_empty() || !self.on_link.is_empty()
    }

    /// The length of the fabric's prefix that an address is in; 0 where nothing limits what is learned.
    fn of_fabric(&self, address: IpAddr) -> Option<u8> {
        let of_family = |prefix: &IpNet| prefix.addr().is_ipv4() == address.is_ipv4();
        if !self.configured.is_empty() {
            longest(&self.configured, address)
        } else if self.on_link.iter().any(of_family) {
            longest(&self.on_link, address)
        } else {
            Some(0)
        }
    }
}

/// The length of the longest prefix that an address is in.
fn longest(prefixes: &[IpNet], address: IpAddr) -> Option<u8> {
    prefixes.iter().filter(|prefix| prefix.contains(&address)).map(IpNet::prefix_len).max()
}
