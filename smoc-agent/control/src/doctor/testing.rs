//! A machine that is well, host and switch at once, and what becomes of it.

use std::{cmp::Reverse, path::Path};

use smoc_common::wire::ethernet::MacAddress;

use super::{
    Agent, Check, EndpointFact, Facts, Finding, Host, Kernel, Link, Loopback, Pins, Switch, examine,
    facts::DEFAULT_ROUND_TRIP,
};
use crate::{
    config::Config,
    end_host::{Flags, Limits, config::Mode},
    interfaces::{AttachedMode, AttachedXdp, BridgePort, IfIndex, Interface},
};

const BRIDGE: u32 = 20;
const CONFIG: &str =
    "switch: e1\nports: {1: p1, 2: p2, 9: p9}\nbridge: br0\nguard: {9: source}\nkey_file: fabric.key\n";
const SETTINGS: [(&str, &str); 14] = [
    ("kernel/unprivileged_bpf_disabled", "2"),
    ("net/core/bpf_jit_enable", "1"),
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv4/ip_local_port_range", "32768\t60999"),
    ("net/ipv4/tcp_congestion_control", "cubic"),
    ("net/ipv4/tcp_rmem", "4096\t131072\t67108864"),
    ("net/ipv4/tcp_syncookies", "1"),
    ("net/ipv4/tcp_wmem", "4096\t16384\t67108864"),
    ("net/ipv6/conf/all/disable_ipv6", "0"),
    ("net/mptcp/allow_join_initial_addr_port", "1"),
    ("net/mptcp/blackhole_timeout", "3600"),
    ("net/mptcp/enabled", "1"),
    ("net/mptcp/path_manager", "kernel"),
];

/// An interface of 1 Gbit/s with carrier and without addresses.
pub(super) fn eth(index: u32, name: &str) -> Link {
    Link {
        interface: Interface {
            index: IfIndex(index),
            name: name.to_owned(),
            mac: MacAddress::new([2, 0, 0, 0, 0, index as u8]),
            usable: true,
            mtu: 1500,
            megabits: 1000,
            master: None,
            bridge_port: None,
            spanning_tree: None,
            xdp: None,
        },
        addresses: Vec::new(),
        driver: Some("ixgbe".to_owned()),
        features: [("rx-gro".to_owned(), true)].into(),
        channels: None,
        interrupts: Vec::new(),
        is_promiscuous: false,
        peer: None,
    }
}

/// An interface that is a port with smoc's program.
fn port(index: u32, name: &str) -> Link {
    let mut link = eth(index, name);
    link.interface.master = Some(IfIndex(BRIDGE));
    link.interface.bridge_port = Some(BridgePort::Closed);
    link.interface.xdp = Some(AttachedXdp { program: 7, mode: AttachedMode::Native });
    link
}

pub(super) fn well() -> Facts {
    let mut bridge = eth(BRIDGE, "br0");
    bridge.interface.spanning_tree = Some(false);
    let eth0 = Link { addresses: vec!["10.0.0.1/24".parse().unwrap()], ..eth(1, "eth0") };
    let endpoint =
        EndpointFact { id: 1, address: "10.0.0.1".parse().unwrap(), flags: Flags::SIGNAL, is_foreign: false };
    let ports = ["p1", "p2", "p9"];
    Facts {
        kernel: Some(Kernel::new(6, 18)),
        settings: SETTINGS.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect(),
        counters: [("MPTcpExtMPCapableSYNTX".to_owned(), 5)].into(),
        links: vec![eth0, port(11, "p1"), port(12, "p2"), port(19, "p9"), bridge],
        processors: 2,
        rules: Vec::new(),
        host: Some(Host {
            limits: Some(Limits { subflows: 4, add_addr_accepted: 3 }),
            endpoints: vec![endpoint],
            daemon: Some(5),
            mode: Some(Mode::Kernel),
            mptcpd: None,
            loopback: Loopback::Mptcp,
            rate: None,
            round_trip: DEFAULT_ROUND_TRIP,
        }),
        switch: Some(Switch {
            config: Some(Ok(Config::parse(Path::new("agent.yaml"), CONFIG).unwrap())),
            ports: [(1, "p1"), (2, "p2"), (9, "p9")].map(|(number, name)| (number, name.to_owned())).into(),
            bridge: Some("br0".to_owned()),
            fabric_ports: [1, 2].into(),
            agent: Ok(Agent {
                is_ready: true,
                pid: 6,
                attached: ports.map(str::to_owned).into(),
                ..Agent::default()
            }),
            capabilities: u64::MAX,
            real_time: Some(1),
            pins: Pins {
                path: "/sys/fs/bpf/smoc".into(),
                missing_mount: None,
                owner: Some((0, 0o700)),
                programs: Some(ports.map(|name| (name.to_owned(), 7)).into()),
            },
            clock_is_synchronised: Some(true),
            key_files: Vec::new(),
        }),
    }
}

pub(super) fn set(facts: &mut Facts, path: &str, value: &str) {
    facts.settings.insert(path.to_owned(), value.to_owned());
}

pub(super) fn count(facts: &mut Facts, name: &str, value: u64) {
    facts.counters.insert(format!("MPTcpExt{name}"), value);
}

pub(super) fn host(facts: &mut Facts) -> &mut Host {
    facts.host.as_mut().unwrap()
}

pub(super) fn switch(facts: &mut Facts) -> &mut Switch {
    facts.switch.as_mut().unwrap()
}

pub(super) fn agent(facts: &mut Facts) -> &mut Agent {
    switch(facts).agent.as_mut().unwrap()
}

pub(super) fn config(facts: &mut Facts) -> &mut Config {
    switch(facts).config.as_mut().unwrap().as_mut().unwrap()
}

pub(super) fn link<'a>(facts: &'a mut Facts, name: &str) -> &'a mut Link {
    facts.links.iter_mut().find(|link| link.name() == name).unwrap()
}

/// What a check finds once the machine that is well was changed.
pub(super) fn all(check: Check, change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let mut facts = well();
    change(&mut facts);
    examine(&facts).into_iter().filter(|finding| finding.check == check).collect()
}

/// The worst of that, the first of several.
pub(super) fn worst(check: Check, change: impl FnOnce(&mut Facts)) -> Finding {
    all(check, change).into_iter().min_by_key(|finding| Reverse(finding.severity)).unwrap()
}
