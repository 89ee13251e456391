//! The kernel's side, over rtnetlink, and over generic netlink what the MPTCP path manager has.

mod host_addresses;
mod path_manager;
mod peers;
mod routes;
mod rules;
mod subflow_health;

pub use path_manager::{ConnectionEvents, Heard, PathManager, PathManagerError};
pub use peers::Attachment;
pub use subflow_health::SubflowHealth;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use futures_util::{StreamExt, TryStreamExt};
use ipnet::IpNet;
use rtnetlink::{
    Handle, MulticastGroup, new_connection, new_multicast_connection,
    packet_core::{DefaultNla, NetlinkMessage, NetlinkPayload},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        address::{AddressAttribute, AddressMessage},
        link::{
            BridgePortState, BridgeStpState, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData,
            LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkProtoInfoBridge, LinkXdp, XdpAttached,
        },
    },
};
use smoc_common::wire::ethernet::MacAddress;

use smoc_control::interfaces::{AttachedMode, AttachedXdp, BridgePort, IfIndex, Interface, Interfaces};

use crate::ethtool::Ethtool;

/// `IFLA_BRPORT_STATE` of linux/if_link.h.
const BRIDGE_PORT_STATE: u16 = 1;
/// `BR_STATE_DISABLED` and `BR_STATE_FORWARDING` of linux/if_bridge.h.
const DISABLED: u8 = 0;
const FORWARDING: u8 = 3;
/// Switched on and with carrier.
const USABLE: LinkFlags = LinkFlags::Up.union(LinkFlags::LowerUp);

/// Why the kernel could not be asked or told.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// No netlink socket.
    #[error("open a netlink socket: {0}")]
    Socket(#[from] std::io::Error),
    /// A request failed.
    #[error("{doing}: {source}")]
    Request {
        /// What was asked for.
        doing: String,
        /// What the kernel said.
        source: rtnetlink::Error,
    },
}

/// What an interface has carried since it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortTraffic {
    /// What came in.
    pub received: Carried,
    /// What went out.
    pub sent: Carried,
}

/// Traffic in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Frames.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
    /// Frames that were dropped or faulty.
    pub lost: u64,
}

/// Asks about interfaces and sets bridge port states.
#[derive(Clone)]
pub struct Netlink {
    handle: Handle,
    ethtool: Arc<Ethtool>,
}

/// Tells when something of the namespace changes.
pub struct Watcher {
    messages: Box<dyn futures_util::Stream<Item = Option<(IfIndex, bool)>> + Send + Unpin>,
}

impl Netlink {
    /// Opens a socket in the namespace of the calling thread.
    ///
    /// # Errors
    /// The socket cannot be opened.
    pub fn connect() -> Result<Self, NetlinkError> {
        let (connection, handle, _) = new_connection()?;
        tokio::spawn(connection);
        Ok(Self { handle, ethtool: Arc::new(Ethtool::open()?) })
    }

    /// All interfaces as they are now, with their addresses.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn interfaces(&self) -> Result<Interfaces, NetlinkError> {
        let links = self.handle.link().get().execute();
        let interfaces = links.map_ok(|message| interface(&message)).try_collect::<Vec<_>>().await;
        let failed = |source| NetlinkError::Request { doing: "list the interfaces".into(), source };
        let with_speed = |interface: Interface| {
            let megabits = if interface.usable { self.ethtool.speed(&interface.name) } else { 0 };
            Interface { megabits, ..interface }
        };
        let interfaces: Interfaces = interfaces.map_err(failed)?.into_iter().map(with_speed).collect();
        let addresses = self.handle.address().get().execute();
        let addresses = addresses.map_ok(|message| address(&message)).try_collect::<Vec<_>>().await;
        let failed = |source| NetlinkError::Request { doing: "list the addresses".into(), source };
        Ok(interfaces.with_addresses(addresses.map_err(failed)?.into_iter().flatten()))
    }

    /// What each interface has carried (`IFLA_STATS64` of linux/if_link.h), by name.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn traffic(&self) -> Result<BTreeMap<String, PortTraffic>, NetlinkError> {
        let links = self.handle.link().get().execute();
        let traffic = links.map_ok(|message| traffic(&message)).try_collect::<Vec<_>>().await;
        let failed = |source| NetlinkError::Request { doing: "read what interfaces carry".into(), source };
        Ok(traffic.map_err(failed)?.into_iter().flatten().collect())
    }

    /// Opens or closes a bridge port for the base network.
    ///
    /// A closed port is *disabled*: without spanning tree the kernel turns *blocking* back into *forwarding*
    /// whenever any port of the bridge changes. It forgets *disabled* only with the carrier of the port itself,
    /// so the caller sets it again whenever an interface changes.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn set_bridge_port(
        &self,
        interface: &Interface,
        state: BridgePort,
    ) -> Result<(), NetlinkError> {
        let value = if state == BridgePort::Forwarding { FORWARDING } else { DISABLED };
        let state = LinkProtoInfoBridge::Other(DefaultNla::new(BRIDGE_PORT_STATE, vec![value]));
        let mut message = LinkMessage::default();
        message.header.interface_family = AddressFamily::Bridge;
        message.header.index = interface.index.0;
        message.attributes.push(LinkAttribute::ProtoInfoBridge(vec![state]));
        let failed = |source| NetlinkError::Request {
            doing: format!("set the bridge port state of {}", interface.name),
            source,
        };
        self.handle.link().set(message).execute().await.map_err(failed)
    }

    /// Makes a bridge forget behind which ports it has seen which MAC addresses, as it must when the tree changes (IEEE
    /// 802.1D, 17.11).
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn forget_addresses(&self, bridge: &Interface) -> Result<(), NetlinkError> {
        let flush = LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::FdbFlush]));
        let mut message = LinkMessage::default();
        message.header.index = bridge.index.0;
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge), flush]));
        let failed = |source| NetlinkError::Request {
            doing: format!("flush the addresses that {} has learned", bridge.name),
            source,
        };
        self.handle.link().set(message).execute().await.map_err(failed)
    }
}

impl Watcher {
    /// Subscribes to link changes in the namespace of the calling thread.
    ///
    /// # Errors
    /// The socket cannot be opened.
    pub fn subscribe() -> Result<Self, NetlinkError> {
        Self::of(&[MulticastGroup::Link])
    }

    /// Subscribes to changes of routes, and of the interfaces with which routes go without a word.
    ///
    /// # Errors
    /// The socket cannot be opened.
    pub fn routes() -> Result<Self, NetlinkError> {
        Self::of(&[MulticastGroup::Link, MulticastGroup::Ipv4Route, MulticastGroup::Ipv6Route])
    }

    /// Subscribes to changes of addresses, and of the interfaces that have them.
    ///
    /// # Errors
    /// The socket cannot be opened.
    pub fn addresses() -> Result<Self, NetlinkError> {
        Self::of(&[MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr])
    }

    fn of(groups: &[MulticastGroup]) -> Result<Self, NetlinkError> {
        let (connection, _, messages) = new_multicast_connection(groups)?;
        tokio::spawn(connection);
        let changes =
            messages.map(|(message, _): (NetlinkMessage<RouteNetlinkMessage>, _)| carrier(&message));
        Ok(Self { messages: Box::new(changes) })
    }

    /// Waits for the next change: an interface that has carrier now, or has it no more, or something else about some
    /// interface. `None` if the kernel tells nothing any more.
    pub async fn changed(&mut self) -> Option<Option<(IfIndex, bool)>> {
        self.messages.next().await
    }
}

/// What a notification says of an interface's carrier.
fn carrier(message: &NetlinkMessage<RouteNetlinkMessage>) -> Option<(IfIndex, bool)> {
    let NetlinkPayload::InnerMessage(message) = &message.payload else { return None };
    match message {
        RouteNetlinkMessage::NewLink(link) => {
            Some((IfIndex(link.header.index), link.header.flags.contains(USABLE)))
        }
        // A port that leaves its bridge is told the same way, with the bridge's address family.
        RouteNetlinkMessage::DelLink(link) if link.header.interface_family == AddressFamily::Unspec => {
            Some((IfIndex(link.header.index), false))
        }
        _ => None,
    }
}

/// An address of an interface with its prefix. Of a point-to-point link `Local` is the interface's own address.
fn address(message: &AddressMessage) -> Option<(IfIndex, IpNet)> {
    let of = |wanted: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(wanted);
    let local = of(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let address = local.or_else(|| {
        of(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })?;
    Some((IfIndex(message.header.index), IpNet::new(address, message.header.prefix_len).ok()?))
}

fn traffic(message: &LinkMessage) -> Option<(String, PortTraffic)> {
    let mut name = None;
    let mut carried = PortTraffic::default();
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(found) => name = Some(found.clone()),
            LinkAttribute::Stats64(found) => {
                let (received, sent) =
                    (found.rx_errors + found.rx_dropped, found.tx_errors + found.tx_dropped);
                carried = PortTraffic {
                    received: Carried { frames: found.rx_packets, bytes: found.rx_bytes, lost: received },
                    sent: Carried { frames: found.tx_packets, bytes: found.tx_bytes, lost: sent },
                };
            }
            _ => {}
        }
    }
    Some((name?, carried))
}

fn interface(message: &LinkMessage) -> Interface {
    let flags = message.header.flags;
    let mut interface = Interface {
        index: IfIndex(message.header.index),
        name: String::new(),
        mac: MacAddress::default(),
        usable: flags.contains(USABLE),
        mtu: 0,
        megabits: 0,
        master: None,
        bridge_port: None,
        spanning_tree: None,
        xdp: None,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name.clone_from(name),
            LinkAttribute::Address(bytes) => {
                interface.mac = bytes.as_slice().try_into().map(MacAddress::new).unwrap_or_default();
            }
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            LinkAttribute::Controller(master) => interface.master = Some(IfIndex(*master)),
            LinkAttribute::Xdp(parts) => interface.xdp = attached(parts),
            LinkAttribute::LinkInfo(parts) => parts.iter().for_each(|part| bridge(part, &mut interface)),
            _ => {}
        }
    }
    interface
}

fn attached(parts: &[LinkXdp]) -> Option<AttachedXdp> {
    let program = parts.iter().find_map(|part| match part {
        LinkXdp::ProgId(id) => Some(*id),
        _ => None,
    })?;
    let mode = parts.iter().find_map(|part| match part {
        LinkXdp::Attached(XdpAttached::Driver) => Some(AttachedMode::Native),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(AttachedMode::Generic),
        _ => None,
    });
    Some(AttachedXdp { program, mode: mode.unwrap_or(AttachedMode::Other) })
}

fn bridge(part: &LinkInfo, interface: &mut Interface) {
    match part {
        LinkInfo::Data(InfoData::Bridge(parts)) => {
            interface.spanning_tree = parts.iter().find_map(|part| match part {
                InfoBridge::StpState(state) => Some(*state != BridgeStpState::Disabled),
                _ => None,
            });
        }
        LinkInfo::PortData(InfoPortData::BridgePort(parts)) => {
            interface.bridge_port = parts.iter().find_map(|part| match part {
                InfoBridgePort::State(BridgePortState::Forwarding) => Some(BridgePort::Forwarding),
                InfoBridgePort::State(_) => Some(BridgePort::Closed),
                _ => None,
            });
        }
        _ => {}
    }
}
