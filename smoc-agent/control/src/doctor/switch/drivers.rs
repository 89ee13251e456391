//! What is known of drivers.

use crate::{
    config::XdpMode,
    doctor::{Check, Facts, Finding, Link, Peer, Switch},
};

/// Drivers whose interfaces cannot have an XDP program in native mode.
const GENERIC_ONLY: [&str; 11] =
    ["8139cp", "8139too", "bnx2x", "bridge", "dummy", "e1000", "e1000e", "ifb", "macvlan", "r8169", "tg3"];
/// Drivers that take redirected frames under a condition, and which.
const CONDITIONS: [(&str, &str); 5] = [
    ("ena", "native XDP takes half of its queues: `ethtool -l` must show at most half of the maximum in use"),
    ("hv_netvsc", "frames can be redirected into it from Linux 5.19 on"),
    ("tun", "frames redirected into it are lost while its program does not read"),
    (
        "virtio_net",
        "without a transmit queue for each processor beside its own, redirected frames wait for a lock: give the guest two queues for each processor",
    ),
    ("vmxnet3", "native XDP from Linux 6.6 on"),
];

pub(super) fn known(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::Driver;
    let is_native = switch.sound_config().is_none_or(|config| config.xdp == XdpMode::Native);
    let found = switch.port_links(facts).filter_map(|link| {
        let driver = link.driver.as_deref()?;
        if is_native && GENERIC_ONLY.contains(&driver) {
            let found = format!(
                "{}: {driver} has no native XDP: set `xdp: generic` in the configuration",
                link.name()
            );
            return Some(check.fault(found));
        }
        let (_, condition) = CONDITIONS.iter().find(|(name, _)| *name == driver)?;
        Some(check.note(format!("{}: {driver}: {condition}", link.name())))
    });
    check.all(found, "nothing is known against them")
}

pub(super) fn veth_peers(facts: &Facts, switch: &Switch) -> Vec<Finding> {
    let check = Check::VethPeers;
    let found = switch.port_links(facts).filter(|link| link.has_driver("veth")).filter_map(|link| match link
        .peer?
    {
        Peer::Elsewhere => None,
        Peer::Here(index) => {
            let peer = facts.links.iter().find(|peer| peer.interface.index == index)?;
            let (found, command) = unsuitable(peer)?;
            let found = format!("{}, the peer of {}, {found}", peer.name(), link.name());
            Some(check.warning(found).by_hand(command))
        }
    });
    let found: Vec<Finding> = found.collect();
    let elsewhere: Vec<&str> =
        switch.port_links(facts).filter(|link| link.peer == Some(Peer::Elsewhere)).map(Link::name).collect();
    if found.is_empty() && !elsewhere.is_empty() {
        let found = format!(
            "peers of {} are in other network namespaces: run `smoc doctor --host` there",
            elsewhere.join(", ")
        );
        return vec![check.note(found)];
    }
    check.all(found, "they have, or no port is a veth")
}

/// What keeps an interface from being the peer of a port, and the command that mends it.
fn unsuitable(peer: &Link) -> Option<(&'static str, String)> {
    let command = |setting: &str| format!("ethtool -K {} {setting}", peer.name());
    if peer.feature("rx-gro") == Some(false) && peer.interface.xdp.is_none() {
        return Some(("has neither GRO nor an XDP program", command("gro on")));
    }
    let leaves_tags = peer.feature("tx-vlan-hw-insert") == Some(true);
    leaves_tags.then(|| ("leaves tags of VLANs to the device", command("txvlan off")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        doctor::{
            Severity,
            testing::{eth, link, worst},
        },
        interfaces::IfIndex,
    };

    #[test]
    fn drivers_without_native_xdp_and_with_conditions_are_named() {
        let of =
            |driver: &str| worst(Check::Driver, |facts| link(facts, "p1").driver = Some(driver.to_owned()));
        assert_eq!(of("e1000").severity, Severity::Fault);
        assert_eq!(of("virtio_net").severity, Severity::Note);
        assert_eq!(of("ixgbe").severity, Severity::Ok);
    }

    #[test]
    fn peers_of_veths_need_gro_or_a_program() {
        let of = |gro: Option<bool>| {
            worst(Check::VethPeers, |facts| {
                let port = link(facts, "p1");
                port.driver = Some("veth".to_owned());
                port.peer = Some(gro.map_or(Peer::Elsewhere, |_| Peer::Here(IfIndex(77))));
                let features = [("rx-gro".to_owned(), gro == Some(true))].into();
                facts.links.push(Link { features, ..eth(77, "q1") });
            })
        };
        assert_eq!(of(Some(false)).command().as_deref(), Some("ethtool -K q1 gro on"));
        assert_eq!(of(Some(true)).severity, Severity::Ok);
        let tagged = worst(Check::VethPeers, |facts| {
            (link(facts, "p1").driver, link(facts, "p1").peer) =
                (Some("veth".into()), Some(Peer::Here(IfIndex(77))));
            let features = [("tx-vlan-hw-insert".to_owned(), true)].into();
            facts.links.push(Link { features, ..eth(77, "q1") });
        });
        assert_eq!(tagged.command().as_deref(), Some("ethtool -K q1 txvlan off"));
        assert_eq!(of(None).severity, Severity::Note);
    }
}
