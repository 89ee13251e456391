//! The network interfaces behind the ports: what the kernel says of them, and the port states of the bridge.

use std::collections::BTreeMap;

use ipnet::IpNet;
use smoc_common::wire::ethernet::MacAddress;

/// The number of a network interface in its namespace; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfIndex(pub u32);

/// An interface as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: String,
    /// Its MAC address.
    pub mac: MacAddress,
    /// Whether it is switched on and has carrier.
    pub usable: bool,
    /// The largest packet it takes, in bytes.
    pub mtu: u32,
    /// What it carries as its driver says, in Mbit/s; 0 if that is not known, as without carrier.
    pub megabits: u32,
    /// The bridge (or other master) that it is enslaved to.
    pub master: Option<IfIndex>,
    /// Its state, if it is a port of a bridge.
    pub bridge_port: Option<BridgePort>,
    /// Whether the bridge runs spanning tree by itself, if this is a bridge.
    pub spanning_tree: Option<bool>,
    /// The XDP program on it.
    pub xdp: Option<AttachedXdp>,
}

/// Whether a bridge port takes part in the base network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgePort {
    /// Frames pass.
    Forwarding,
    /// Frames are dropped: disabled, blocking, listening or learning.
    Closed,
}

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachedXdp {
    /// Its number, as `bpftool prog` knows it.
    pub program: u32,
    /// Where it runs.
    pub mode: AttachedMode,
}

/// Where an attached XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachedMode {
    /// In the driver.
    Native,
    /// After the driver has built a socket buffer.
    Generic,
    /// In the device, or in several places.
    Other,
}

impl AttachedMode {
    /// As configuration and status name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Other => "other",
        }
    }
}

/// All interfaces of the namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    all: BTreeMap<IfIndex, Interface>,
    named: BTreeMap<String, IfIndex>,
    addresses: BTreeMap<IfIndex, Vec<IpNet>>,
}

impl Interfaces {
    /// The interface of that name.
    pub fn named(&self, name: &str) -> Option<&Interface> {
        self.get(*self.named.get(name)?)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Interface> {
        self.all.values()
    }

    /// The interface of that number.
    pub fn get(&self, index: IfIndex) -> Option<&Interface> {
        self.all.get(&index)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.all.values()
    }

    /// The same interfaces with these addresses, each with the prefix that is on its link.
    pub fn with_addresses(mut self, addresses: impl IntoIterator<Item = (IfIndex, IpNet)>) -> Self {
        self.addresses.clear();
        for (index, address) in addresses {
            self.addresses.entry(index).or_default().push(address);
        }
        self.addresses.values_mut().for_each(|all| all.sort());
        self
    }

    /// The addresses of an interface, each with the prefix that is on its link.
    pub fn addresses(&self, index: IfIndex) -> &[IpNet] {
        self.addresses.get(&index).map_or(&[], Vec::as_slice)
    }

    /// The addresses of all interfaces.
    pub fn all_addresses(&self) -> impl Iterator<Item = IpNet> {
        self.addresses.values().flatten().copied()
    }

    /// The MAC address under which the kernel takes frames that arrive there: its bridge's, or its own.
    pub fn router_mac(&self, interface: &Interface) -> MacAddress {
        interface.master.and_then(|master| self.get(master)).map_or(interface.mac, |master| master.mac)
    }
}

impl FromIterator<Interface> for Interfaces {
    fn from_iter<I: IntoIterator<Item = Interface>>(interfaces: I) -> Self {
        let all: BTreeMap<_, _> =
            interfaces.into_iter().map(|interface| (interface.index, interface)).collect();
        let named = all.values().map(|interface| (interface.name.clone(), interface.index)).collect();
        Self { all, named, addresses: BTreeMap::new() }
    }
}
