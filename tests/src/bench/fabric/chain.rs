//! Two ends and the switches between them, a network namespace each, joined by veth pairs: `east` of one to `west` of the next.

use anyhow::{Context, Result, ensure};
use nix::net::if_::if_nametoindex;
use smoc_common::testing::scene::{A, B};
use smoc_common::wire::ethernet::MacAddress;

use crate::command::{batch_at, run};
use crate::netns::Unnamed;

/// The interface towards the far end.
pub const EAST: &str = "east";
/// The interface towards the near end.
pub const WEST: &str = "west";

/// The namespaces from the near end, which has the address of [`A`], to the far one, which has that of [`B`].
#[derive(Debug)]
pub struct Chain {
    sites: Vec<Unnamed>,
}

impl Chain {
    /// A chain of so many switches that do not forward yet.
    ///
    /// # Errors
    /// Without root, or a tool is missing.
    pub fn new(switches: usize) -> Result<Self> {
        let sites: Vec<Unnamed> = (0..switches + 2).map(|_| Unnamed::new()).collect::<Result<_>>()?;
        for site in &sites {
            // Nothing but what is measured shall be on the cables.
            let quiet = [("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")];
            site.set_sysctls(&quiet)?;
        }
        let chain = Self { sites };
        for (at, pair) in chain.sites.windows(2).enumerate() {
            let near = if at == 0 { written(A.mac) } else { format!("06:00:00:00:20:{at:02x}") };
            let there = pair[1].path();
            let cable = format!(
                "link add {EAST} address {near} type veth peer name {WEST} address {} netns {}",
                chain.west_mac(at + 1),
                there.display()
            );
            batch_at("ip", &pair[0], &[cable, format!("link set {EAST} up")])?;
            batch_at("ip", &pair[1], &[format!("link set {WEST} up")])?;
            // Frames can be redirected into a veth only when its other end has GRO or a program.
            for (site, interface) in [(&pair[0], EAST), (&pair[1], WEST)] {
                let offloads =
                    ["gro", "on", "tx", "off", "tx-vlan-hw-insert", "off", "tx-vlan-stag-hw-insert", "off"];
                run(site.command("ethtool").args(["-K", interface]).args(offloads))?;
            }
        }
        Ok(chain)
    }

    /// The switches, from the near end.
    pub fn switches(&self) -> &[Unnamed] {
        &self.sites[1..self.sites.len() - 1]
    }

    /// Where frames are sent from.
    pub fn near(&self) -> &Unnamed {
        &self.sites[0]
    }

    /// Where frames end.
    pub fn far(&self) -> &Unnamed {
        &self.sites[self.sites.len() - 1]
    }

    /// The MAC address of `west` of a site, counted from the near end.
    fn west_mac(&self, site: usize) -> String {
        if site + 1 == self.sites.len() { written(B.mac) } else { format!("06:00:00:00:10:{site:02x}") }
    }

    /// The MAC address that a frame to the far end by way of routers has at first.
    pub fn first_router(&self) -> MacAddress {
        MacAddress::new([6, 0, 0, 0, 0x10, 1])
    }

    /// Lets every switch be a Linux bridge, whose frames br_netfilter shows to the hooks of IP or not.
    ///
    /// # Errors
    /// The kernel has no bridge, or no br_netfilter where that is asked for.
    pub fn bridge(&self, filtered: bool) -> Result<()> {
        for site in self.switches() {
            let lines = [
                "link add br0 type bridge",
                "link set east master br0",
                "link set west master br0",
                "link set br0 up",
            ];
            batch_at("ip", site, &lines.map(str::to_owned))?;
            let far = format!("fdb add {} dev {EAST} master static", written(B.mac));
            let near = format!("fdb add {} dev {WEST} master static", written(A.mac));
            batch_at("bridge", site, &[far, near])?;
            let hooks =
                site.set_sysctls(&[("bridge/bridge-nf-call-iptables", if filtered { "1" } else { "0" })]);
            if filtered {
                hooks.context(
                    "no br_netfilter (CONFIG_BRIDGE_NETFILTER; `modprobe br_netfilter` where it is a module)",
                )?;
            }
        }
        Ok(())
    }

    /// Gives every switch the kernel's routes to the far end.
    ///
    /// # Errors
    /// The kernel refuses a route.
    pub fn route(&self) -> Result<()> {
        for (at, site) in (1..).zip(self.switches()) {
            let settings = [
                ("ipv4/ip_forward", "1"),
                ("ipv4/conf/west/rp_filter", "0"),
                ("ipv4/conf/all/rp_filter", "0"),
            ];
            site.set_sysctls(&settings)?;
            let there = address(B.address.octets());
            let lines = [
                format!("route add {there}/32 dev {EAST} scope link"),
                format!("neigh add {there} lladdr {} dev {EAST} nud permanent", self.west_mac(at + 1)),
            ];
            batch_at("ip", site, &lines)?;
        }
        Ok(())
    }

    /// Lets tc redirect what comes in by `west` of every switch to `east`.
    ///
    /// # Errors
    /// The kernel has no ingress queueing discipline, no classifier u32 or no action mirred.
    pub fn redirect_by_tc(&self) -> Result<()> {
        for site in self.switches() {
            let lines = [
                format!("qdisc add dev {WEST} clsact"),
                format!(
                    "filter add dev {WEST} ingress protocol all u32 match u32 0 0 action mirred egress redirect dev {EAST}"
                ),
            ];
            batch_at("tc", site, &lines)
                .context("no clsact, u32 or mirred (CONFIG_NET_CLS_U32, CONFIG_NET_ACT_MIRRED)")?;
        }
        Ok(())
    }

    /// Gives both ends their addresses and each other's, so that they can be connected.
    ///
    /// # Errors
    /// A tool is missing.
    pub fn populate(&self) -> Result<()> {
        for (site, device, mine, other) in [(self.near(), EAST, A, B), (self.far(), WEST, B, A)] {
            let (here, there) = (address(mine.address.octets()), address(other.address.octets()));
            let lines = [
                "link set lo up".to_owned(),
                format!("addr add {here}/24 dev {device}"),
                format!("neigh replace {there} lladdr {} dev {device} nud permanent", written(other.mac)),
            ];
            batch_at("ip", site, &lines)?;
            site.set_sysctls(&[("mptcp/enabled", "1")]).context("no MPTCP (CONFIG_MPTCP)")?;
        }
        Ok(())
    }
}

/// The index of an interface of the calling thread's network namespace.
///
/// # Errors
/// There is none of this name.
pub fn index(interface: &str) -> Result<u32> {
    let found = if_nametoindex(interface).with_context(|| format!("no interface {interface}"))?;
    ensure!(found != 0, "no interface {interface}");
    Ok(found)
}

fn written(mac: MacAddress) -> String {
    let octets: Vec<String> = mac.octets().iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}

/// An IPv4 address of the scene, as text.
fn address(mapped: [u8; 16]) -> String {
    std::net::Ipv4Addr::new(mapped[12], mapped[13], mapped[14], mapped[15]).to_string()
}
