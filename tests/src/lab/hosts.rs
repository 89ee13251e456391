//! Hosts: one namespace each, with real kernel MPTCP and an address for every subflow it may open, unless `smoc host` sees to that.

use std::net::IpAddr;

use anyhow::Result;

use super::plan::{Host, Plan};
use crate::command::{batch, run};

/// What every interface of a host is called.
pub const INTERFACE: &str = "eth0";

/// Shorter prefixes than these would not put more hosts on one subnet but surprise the reader.
const LONGEST_PREFIX: (u8, u8) = (24, 64);

/// How hosts speak TCP, whatever the machine's own settings are.
const SYSCTLS: [(&str, &str); 3] = [
    // A receive window that senders cannot fill. Where they fill it, Linux receivers drop what lies at its edge after
    // having acknowledged it to the subflow (counter MPTcpExtNoDSSInWindow), and the connection stands still until
    // MPTCP's own retransmission timer has sent it again, 32 kB at a time.
    ("ipv4/tcp_rmem", "4096 33554432 67108864"),
    // One trial must not teach the next one its congestion window.
    ("ipv4/tcp_no_metrics_save", "1"),
    ("mptcp/enabled", "1"),
];

/// Gives every host its Ethernet address, addresses and MPTCP endpoints; its interface exists and is still down.
pub fn configure(plan: &Plan) -> Result<()> {
    let all: Vec<IpAddr> = plan.hosts.iter().flat_map(|host| host.addresses.iter().copied()).collect();
    let prefixes = (
        common_prefix(all.iter().filter(|a| a.is_ipv4())),
        common_prefix(all.iter().filter(|a| a.is_ipv6())),
    );
    for host in &plan.hosts {
        configure_host(host, plan, prefixes)?;
    }
    Ok(())
}

fn configure_host(host: &Host, plan: &Plan, prefixes: (u8, u8)) -> Result<()> {
    let namespace = host.namespace();
    namespace.set_sysctls(&SYSCTLS)?;
    let ip = |command: String| batch("ip", &namespace, &[command]);
    if let Some(mac) = &host.mac {
        ip(format!("link set {INTERFACE} address {mac}"))?;
    }
    let mut lines = vec![format!("link set {INTERFACE} up")];
    for address in &host.addresses {
        let (family, prefix, host_prefix) = match address {
            IpAddr::V4(_) => (4, prefixes.0, 32),
            IpAddr::V6(_) => (6, prefixes.1, 128),
        };
        if prefix == 0 {
            lines.push(format!("addr add {address}/{host_prefix} dev {INTERFACE} nodad"));
            lines.push(format!("-{family} route replace default dev {INTERFACE}"));
        } else {
            lines.push(format!("addr add {address}/{prefix} dev {INTERFACE} nodad"));
        }
    }
    if !plan.has_host_daemon {
        for address in host.addresses.iter().skip(1) {
            lines.push(format!("mptcp endpoint add {address} dev {INTERFACE} subflow"));
        }
        let extra = plan.extra_subflows;
        lines.push(format!("mptcp limits set subflows {extra} add_addr_accepted {extra}"));
    }
    batch("ip", &namespace, &lines)?;
    // A redirected frame keeps no promise of a checksum or VLAN tag to come, so the host must put them in. And the
    // kernel lets frames be redirected into a veth only after its peer got GRO while it was up.
    let offloads = ["tx", "off", "tx-vlan-hw-insert", "off", "tx-vlan-stag-hw-insert", "off", "gro", "on"];
    run(namespace.command("ethtool").args(["-K", INTERFACE]).args(offloads)).map(drop)
}

/// The length of the prefix that all addresses of one family share, so that every host is on every other's subnet;
/// 0 when they share none.
fn common_prefix<'a>(addresses: impl Iterator<Item = &'a IpAddr>) -> u8 {
    let mut bits = addresses.map(|address| match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, LONGEST_PREFIX.0),
        IpAddr::V6(v6) => (v6.to_bits(), LONGEST_PREFIX.1),
    });
    let Some((first, longest)) = bits.next() else { return 0 };
    bits.fold(longest, |prefix, (other, _)| prefix.min((first ^ other).leading_zeros() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(addresses: &[&str]) -> u8 {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        common_prefix(addresses.iter())
    }

    #[test]
    fn the_prefix_covers_all_hosts() {
        assert_eq!(prefix(&["10.0.0.1", "10.0.0.2"]), 24);
        assert_eq!(prefix(&["10.0.0.1", "10.0.255.2"]), 16);
        assert_eq!(prefix(&["10.0.0.1", "192.168.0.1"]), 0);
        assert_eq!(prefix(&["fd00::1", "fd00::2"]), 64);
        assert_eq!(prefix(&["fd00::1", "fd01::2"]), 15);
    }
}
