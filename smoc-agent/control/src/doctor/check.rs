//! The one list of what is checked and why: identifiers are stable.

/// Whom a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// An end host.
    Host,
    /// A switch.
    Switch,
}

impl Side {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Switch => "switch",
        }
    }
}

macro_rules! checks {
    ($($variant:ident, $side:ident, $id:literal, $what:literal, $why:literal;)*) => {
        /// Something that is looked at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check { $(#[doc = $what] $variant,)* }

        impl Check {
            /// All of them, in the order in which they are reported.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name of the check.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// Whom it is about.
            pub const fn side(self) -> Side {
                match self { $(Self::$variant => Side::$side,)* }
            }

            /// What is looked at.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }

            /// Why it matters.
            pub const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)* }
            }
        }
    };
}

checks! {
    HostKernel, Host, "host-kernel", "Linux 5.6 or newer, 5.12 for endpoints with ports.",
        "Linux has MPTCP v1 since 5.6. By endpoints with ports, since 5.12, a server with one address gets further subflows.";
    Enabled, Host, "mptcp-enabled", "`net.mptcp.enabled` is 1.",
        "While it is 0 no program can open an MPTCP socket.";
    Works, Host, "mptcp-loopback", "An MPTCP connection of this host to itself, over 127.0.0.1.",
        "It shows that kernel and settings let MPTCP through, whatever the network does.";
    PathManager, Host, "path-manager", "New connections have the kernel's path manager; mptcpd does not run.",
        "Endpoints and limits count for connections with the kernel's path manager only, and smoc host leaves a host with another one alone.";
    Limits, Host, "mptcp-limits", "Limits of the path manager: `subflows`, and `add_addr_accepted`.",
        "With `subflows 0` a connection has one subflow and so one path; with `add_addr_accepted 0` a client opens none to the ports that the server tells of.";
    Endpoints, Host, "mptcp-endpoints", "Endpoints, `signal` or `subflow`, of addresses that this host has, none of them `backup`.",
        "A host with one address opens one subflow unless one of the two hosts has endpoints; a subflow of a backup endpoint carries nothing while another one works.";
    ForeignEndpoints, Host, "mptcp-foreign-endpoints", "Endpoints that `smoc host` has not set.",
        "They stay as they are, take ports, and count towards the 8 that there is room for.";
    JoinInitial, Host, "mptcp-join-initial", "`net.mptcp.allow_join_initial_addr_port` is 1.",
        "With 0 this host sends the C flag, and others open no further subflow to the address and port that they connected to. A C flag that the other host sends shows in no counter.";
    Scheduler, Host, "mptcp-scheduler", "`net.mptcp.scheduler` is the default one.",
        "Another scheduler may leave paths unused.";
    BlackHole, Host, "mptcp-black-hole", "Whether the kernel uses plain TCP because SYNs with MPTCP went unanswered (`net.mptcp.blackhole_timeout`, counter `MPTcpExtBlackhole`).",
        "After that every new connection is plain TCP for an hour, and longer each time. Something on a path drops SYNs with the option.";
    Use, Host, "mptcp-use", "Whether programs open MPTCP connections (`MPTcpExtMPCapableSYNTX`, `MPCapableSYNRX`).",
        "Programs must open MPTCP sockets (IPPROTO_MPTCP), or be run with `mptcpize run`.";
    Fallbacks, Host, "mptcp-fallbacks", "Connections that fell back to TCP, and checksums that were wrong.",
        "The other host speaks no MPTCP, or something on the path removes the option or changes data.";
    Joins, Host, "mptcp-joins", "Joins that were refused, or whose token or HMAC was wrong.",
        "Refused ones are ordinary at the limits. Unknown tokens mean that joins come to another machine than their connection: a load balancer, or an address that two hosts have.";
    Window, Host, "mptcp-window", "Data that came outside of the receive window (`MPTcpExtNoDSSInWindow`).",
        "Linux drops it after acknowledging it to the subflow, and the connection waits for a timeout: the receive buffer is too small.";
    SynCookies, Host, "tcp-syncookies", "`net.ipv4.tcp_syncookies` is not 2.",
        "With 2 every SYN is answered by a cookie, a repeated one with another key: switches cannot bind such connections, and hash their joins.";
    CongestionControl, Host, "tcp-congestion-control", "`net.ipv4.tcp_congestion_control`.",
        "Linux has no coupled congestion control: where subflows share a link, a connection takes a share for each of them.";
    Buffers, Host, "tcp-buffers", "The third number of `net.ipv4.tcp_rmem` and `tcp_wmem`: at least 2 x rates of all paths x round-trip time (RFC 6182).",
        "With less MPTCP stands still whenever one subflow waits for a retransmission. The rate is the sum of the interfaces' rates or `--rate`; the round-trip time, queues included, is 10 ms or `--rtt`.";
    Arp, Host, "arp", "Several interfaces in one subnet: `arp_ignore` 1 and `arp_announce` 2.",
        "Else one interface answers for all addresses, and all subflows enter by that one.";
    SourceRouting, Host, "source-routing", "A host with addresses on several interfaces has a rule `from ADDRESS` for each.",
        "Without it subflows leave by the interface of the route to the other host, whatever their address: they share one path, or are dropped.";
    HostReversePath, Host, "host-rp-filter", "`rp_filter` is not 1 where a host has addresses on several interfaces.",
        "The strict filter drops what comes by another interface than the answer would take.";
    Checksums, Host, "veth-checksum", "Checksum offload is off at veth interfaces of hosts.",
        "A redirected frame loses the promise of a checksum to come: ping works, and TCP does not.";
    Gro, Host, "veth-gro", "GRO is on at veth interfaces of hosts, or they have an XDP program.",
        "The kernel silently drops what a switch redirects into a veth whose peer has neither.";
    Tags, Host, "veth-vlan", "`txvlan` is off at veth interfaces of hosts.",
        "The tag of a VLAN then is in the frame. XDP at the other end does not see one that is left to the device.";
    JoinPorts, Host, "join-ports", "`net.ipv4.ip_local_port_range` ends below 61001.",
        "smoc host listens for joins at ports 61001 to 61016, the first free ones: outgoing connections can take them.";
    Advice, Host, "host-advice", "IPv6 is on.",
        "Edges tell hosts how many paths there are over link-local IPv6. Hosts that do not hear it go by `subflows` of their configuration.";
    Firewall, Host, "host-firewall", "Firewalls: not looked at.",
        "They must let in TCP to the ports at which joins are listened for, 61001 to 61016 for smoc host, UDP port 21325 over IPv6 for what edges say, and must not remove TCP options.";

    Configuration, Switch, "configuration", "The agent's configuration, with its topology.",
        "An agent does not start with a faulty one.";
    SwitchKernel, Switch, "switch-kernel", "Linux 6.12 or newer.",
        "The verifier of older kernels refuses the programs; 6.12 is the oldest on which they were run.";
    Capabilities, Switch, "capabilities", "CAP_NET_ADMIN, CAP_BPF and CAP_NET_RAW; CAP_PERFMON before Linux 6.18. Those of the agent that runs, else of whoever asks.",
        "Without the first three the agent does not start. Without CAP_PERFMON the verifier refuses the programs before Linux 6.18, and from then on adds barriers against speculative execution.";
    RealTime, Switch, "real-time", "The agent may use real-time priority: LimitRTPRIO=1 or CAP_SYS_NICE.",
        "On a busy machine the threads that watch ports may otherwise run too late, and ports count as dead that are not.";
    BpfFileSystem, Switch, "bpf-file-system", "The pin directory is on a BPF file system.",
        "Programs and maps are pinned there, so that forwarding outlives the agent.";
    PinDirectory, Switch, "pin-directory", "The pin directory belongs to the agent's user, and nobody else may write to it.",
        "Who can write there can replace maps and programs; an agent refuses such a directory.";
    Jit, Switch, "bpf-jit", "`net.core.bpf_jit_enable` is 1.",
        "Without the JIT every instruction of the packet path is interpreted, several times slower.";
    UnprivilegedBpf, Switch, "unprivileged-bpf", "`kernel.unprivileged_bpf_disabled` is not 0.",
        "With 0 every local user may load BPF programs, which smoc does not need.";
    Agent, Switch, "agent", "An agent runs, answers and is ready.",
        "Without it forwarding goes on as it was, and nothing follows changes of hosts, links or policy.";
    AgentWarnings, Switch, "agent-warnings", "What the agent itself warns of.",
        "Each says what to do; they are those of `smoc status`.";
    BrokenPaths, Switch, "paths", "Ranked paths that probes find broken.",
        "Subflows of their rank share another one's path meanwhile. Probes are small: they do not find links with a small MTU.";
    Etcd, Switch, "etcd", "The agent is connected to etcd, where that is the store.",
        "While it is away the network works on, and news travels by announcements only.";
    Clock, Switch, "clock", "The kernel's clock is synchronised (adjtimex).",
        "Of two orders to drain, or two policies, the newer one counts, by the clocks of different switches.";
    Ports, Switch, "ports", "The interface of every port exists and is up.",
        "A port without one is not used.";
    Mode, Switch, "xdp-mode", "smoc's programs are on all ports, in the mode of the configuration.",
        "A port without a program forwards nothing by smoc, and generic mode is several times slower than native.";
    ForeignXdp, Switch, "foreign-xdp", "No port has an XDP program of others.",
        "The kernel has room for one, and the agent leaves others alone: such a port is not served.";
    Driver, Switch, "driver", "Drivers that are known to have no native XDP, or to lose redirected frames.",
        "What a driver drops on redirect is in no counter of smoc.";
    ReceiveVlan, Switch, "rxvlan", "`rxvlan` is off on all ports that are no veth.",
        "The device takes the tag off, so XDP does not see it, and the frame arrives without.";
    Lro, Switch, "lro", "`lro` is off on all ports.",
        "Most drivers refuse XDP with it.";
    GroHardware, Switch, "gro-hw", "`rx-gro-hw` is off on all ports.",
        "Segments that the device has merged do not fit the next link; many drivers refuse XDP with it.";
    VethPeers, Switch, "veth-peers", "Ports that are veth: the peer has GRO on, or an XDP program, and `txvlan` off.",
        "Else the kernel silently drops what is redirected into the port; and XDP does not see tags that the peer leaves to the device.";
    Mtu, Switch, "mtu", "All ports have the same MTU, and one that their driver can have with XDP.",
        "Frames that do not fit the next link are lost without a word. Only this switch's ports are looked at: the MTU along a path is not probed.";
    Queues, Switch, "queues", "Ports have as many channels as there are processors, or as the device has.",
        "Fewer processors share the packet path, and drivers with too few queues take a lock for each redirected frame.";
    Interrupts, Switch, "interrupts", "The interrupts of a port with several queues may go to several processors.",
        "Else one processor does all the work of a port.";
    Bridge, Switch, "bridge", "The bridge of the configuration exists and is up, has all ports, and runs no spanning tree of its own.",
        "What smoc leaves to the kernel takes the bridge; its ports are promiscuous, which routes over MAC addresses need. With STP the agent leaves port states alone.";
    BridgeLoops, Switch, "bridge-loops", "Bridge ports between switches are closed as long as no agent runs.",
        "Without an agent nothing keeps open ports from making a loop.";
    BridgeStrangers, Switch, "bridge-strangers", "The bridge has no interfaces that are no ports of smoc.",
        "What comes in there can be flooded out of ports between switches, where it is believed.";
    BridgeFilter, Switch, "br-netfilter", "`net.bridge.bridge-nf-call-iptables` is 0.",
        "Else rules for routed packets drop bridged frames: ARP works, and first connections do not.";
    Forwarding, Switch, "ip-forward", "`net.ipv4.ip_forward` is 1 where the bridge has addresses that hosts could use as a gateway.",
        "Frames to the switch's own MAC address are routed: by smoc where it knows the host, else by the kernel, which drops them without it.";
    SwitchReversePath, Switch, "switch-rp-filter", "`rp_filter` is not 1 at the bridge, where the switch routes.",
        "The strict filter drops what routers behind ports send from addresses that the switch's table has elsewhere.";
    Key, Switch, "fabric-key", "A key for switches that discover each other.",
        "Without one whoever sends into a port between switches is believed.";
    KeyFile, Switch, "key-file", "Files with keys and tokens can be read by their owner only.",
        "Who has the key of the fabric is a switch.";
    Guard, Switch, "guard", "Ports to hosts have a guard.",
        "Without one a host can send from the address of another one.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_short_unique_and_reasons_are_sentences() {
        let mut ids: Vec<_> = Check::ALL.iter().map(|check| check.id()).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|two| two[0] != two[1]), "{ids:?}");
        for check in Check::ALL {
            assert!(check.id().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", check.id());
            assert!(check.what().ends_with('.') && check.why().ends_with('.'), "{}", check.id());
            assert!(!check.what().contains('|') && !check.why().contains('|'), "{}", check.id());
        }
    }

    #[test]
    fn the_documentation_has_all_of_them() {
        let page = include_str!("../../../../docs/doctor.md");
        let mut text = String::new();
        for (side, heading) in [(Side::Host, "On end hosts"), (Side::Switch, "On switches")] {
            text += &format!("\n## {heading}\n\n| id | what is checked | why |\n|---|---|---|\n");
            for check in Check::ALL.iter().filter(|check| check.side() == side) {
                text += &format!("| `{}` | {} | {} |\n", check.id(), check.what(), check.why());
            }
        }
        assert!(page.ends_with(&text), "docs/doctor.md must end with:\n{text}");
    }
}
