//! `smoc doctor` on hosts and switches that were broken on purpose: it finds what is wrong, mends what is safe, and the commands that
//! it prints mend the rest.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
    thread,
    time::Duration,
};

use nix::{
    mount::{MntFlags, umount2},
    sys::signal::Signal,
};
use serde_json::Value;
use smoc_tests::{
    command::{batch, batch_at, run},
    lab::Programs,
    netns::Unnamed,
    testing::can_run,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::site::Site;

/// What a doctor has said.
struct Said {
    status: i32,
    report: Value,
}

impl Said {
    fn by(mut command: Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let report = serde_json::from_slice(&stdout);
        let report = report.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
        Self { status: status.code().unwrap(), report }
    }

    /// The severities of a check's findings, each once.
    fn severities<'a>(&'a self, id: &'a str) -> Vec<&'a str> {
        let mut all: Vec<&str> = self.findings(id).map(|it| it["severity"].as_str().unwrap()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn findings<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Value> {
        self.report["findings"].as_array().unwrap().iter().filter(move |finding| finding["id"] == id)
    }

    /// Every check has this one severity.
    #[track_caller]
    fn assert(&self, expected: &[(&str, &str)]) {
        let found: BTreeMap<_, _> = expected.iter().map(|(id, _)| (*id, self.severities(id))).collect();
        let expected = expected.iter().map(|(id, severity)| (*id, vec![*severity])).collect();
        assert_eq!(found, expected, "{:#}", self.report);
    }

    /// The commands that mend it by hand.
    fn commands(&self, id: &str) -> Vec<String> {
        let by_hand = self.findings(id).filter(|finding| finding["safe"] == false);
        by_hand.filter_map(|finding| Some(finding["command"].as_str()?.to_owned())).collect()
    }
}

/// A host with two interfaces in one subnet, and another one that it reaches.
struct Pair {
    host: Unnamed,
    other: Unnamed,
    programs: Programs,
}

impl Pair {
    fn up() -> Self {
        let pair = Self {
            host: Unnamed::new().unwrap(),
            other: Unnamed::new().unwrap(),
            programs: Programs::find().unwrap(),
        };
        let there = pair.other.path();
        let mut lines = vec!["link set lo up".to_owned()];
        for n in [0, 1] {
            lines.push(format!("link add eth{n} type veth peer name p{n} netns {}", there.display()));
            lines.push(format!("addr add 10.7.0.{}/24 dev eth{n}", n + 1));
            lines.push(format!("link set eth{n} up"));
        }
        batch_at("ip", &pair.host, &lines).unwrap();
        let lines = ["link add br0 type bridge", "addr add 10.7.0.254/24 dev br0", "link set br0 up"];
        let ports = ["link set p0 up master br0", "link set p1 up master br0"];
        batch_at(
            "ip",
            &pair.other,
            &lines.iter().chain(&ports).map(|it| (*it).to_owned()).collect::<Vec<_>>(),
        )
        .unwrap();
        pair
    }

    fn doctor(&self, more: &[&str]) -> Said {
        let mut command = self.host.command(&self.programs.smoc.to_string_lossy());
        command.args(["doctor", "--host", "--format", "json", "--state", "/nonexistent/state.json"]);
        command.args(["--rate", "1Gbit"]).args(more);
        Said::by(command)
    }

    fn shell(&self, command: &str) {
        run(self.host.command("sh").args(["-c", command])).unwrap();
    }

    /// Lets a SYN with MPTCP go unanswered and one without be answered, as behind a firewall that knows no MPTCP.
    fn make_a_black_hole(&self) {
        let at = SocketAddr::from(([10, 7, 0, 254], 5001));
        let listener = {
            let _there = self.other.enter().unwrap();
            TcpListener::bind(at).unwrap()
        };
        let _here = self.host.enter().unwrap();
        // So that both know each other's MAC address.
        TcpStream::connect(at).unwrap();
        self.host.set_sysctls(&[("mptcp/syn_retrans_before_tcp_fallback", "0")]).unwrap();
        let deaf = |verb: &str| batch_at("ip", &self.other, &[format!("route {verb} blackhole 10.7.0.1/32")]);
        deaf("add").unwrap();
        let client = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                deaf("del").unwrap();
            });
            client.connect_timeout(&at.into(), Duration::from_secs(10)).unwrap();
        });
        drop(listener);
    }

    /// Sets nearly everything otherwise than it should be.
    fn break_it(&self) {
        self.host
            .set_sysctls(&[
                ("mptcp/enabled", "0"),
                ("mptcp/pm_type", "1"),
                ("mptcp/allow_join_initial_addr_port", "0"),
                ("ipv4/tcp_syncookies", "2"),
                ("ipv4/tcp_rmem", "4096 131072 200000"),
                ("ipv4/conf/all/arp_ignore", "0"),
                ("ipv4/conf/all/arp_announce", "0"),
                ("ipv4/ip_local_port_range", "1024 65535"),
            ])
            .unwrap();
        self.shell("ethtool -K eth0 tx on txvlan on && ethtool -K eth1 gro off");
        self.shell(
            "ip mptcp limits set subflows 0 add_addr_accepted 0 && ip mptcp endpoint add 10.7.0.99 subflow",
        );
    }
}

#[test]
fn a_host_that_was_broken_in_a_dozen_ways_is_mended() {
    if !can_run("a_host_that_was_broken_in_a_dozen_ways_is_mended") {
        return;
    }
    let pair = Pair::up();
    pair.make_a_black_hole();
    let black_hole = ("mptcp-black-hole", "fault");
    pair.doctor(&[]).assert(&[black_hole, ("mptcp-loopback", "note"), ("veth-checksum", "fault")]);
    let mended = pair.doctor(&["--fix", "--yes"]);
    // Past, but counted.
    mended.assert(&[("mptcp-black-hole", "warning"), ("mptcp-loopback", "ok"), ("mptcp-limits", "ok")]);

    pair.break_it();
    let safe = [
        ("mptcp-enabled", "fault"),
        ("path-manager", "fault"),
        ("mptcp-limits", "fault"),
        ("mptcp-join-initial", "warning"),
        ("tcp-syncookies", "warning"),
        ("tcp-buffers", "warning"),
        ("arp", "fault"),
        ("veth-checksum", "fault"),
        ("veth-gro", "fault"),
        ("veth-vlan", "note"),
    ];
    let by_hand = [("source-routing", "fault"), ("mptcp-endpoints", "warning")];
    let notes = [("join-ports", "note"), ("mptcp-foreign-endpoints", "note"), ("host-firewall", "note")];
    let broken = pair.doctor(&[]);
    broken.assert(&[&safe[..], &by_hand, &notes].concat());
    assert_eq!(broken.status, 1);

    let mended = pair.doctor(&["--fix", "--yes"]);
    mended.assert(&safe.map(|(id, _)| (id, "ok")));
    mended.assert(&by_hand);
    assert_eq!(mended.status, 1, "rules are not made by themselves");
    by_hand.iter().flat_map(|(id, _)| mended.commands(id)).for_each(|command| pair.shell(&command));
    let well = pair.doctor(&[]);
    well.assert(&safe.map(|(id, _)| (id, "ok")));
    well.assert(&[("source-routing", "ok")]);
    assert_eq!((well.status, &well.report["faults"]), (0, &0.into()), "{:#}", well.report);
}

fn doctor(site: &Site, config: &str, more: &[&str]) -> Said {
    let config = site.path(&format!("{config}.yaml"));
    let mut command = site.smoc(&["doctor", "--format", "json", "--config", &config.to_string_lossy()]);
    command.args(more);
    Said::by(command)
}

/// Sets nearly everything of a switch without an agent otherwise than it should be, and writes the configuration `second`.
fn break_it(site: &Site) {
    let object = site.object().display().to_string();
    fs::write(site.path("fabric.key"), "bm90IGEgc2VjcmV0IGF0IGFsbCwgYnV0IDMyIGJ5dGU=\n").unwrap();
    fs::set_permissions(site.path("fabric.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let pin = format!("bpf: {{object: {object}, pin: elsewhere/pins}}");
    site.configure("second", &[&pin, "key_file: fabric.key"]);
    let lines = [
        "link set p2 mtu 1400",
        "link set p9 nomaster",
        "link set p9 down",
        "link add tap0 type veth peer name tap1",
        "link set tap0 up master br0",
        "addr add 10.8.0.1/24 dev br0",
    ];
    batch("ip", &site.namespace, &lines.map(str::to_owned)).unwrap();
    batch("bridge", &site.namespace, &["link set dev p1 state 3".to_owned()]).unwrap();
    site.namespace.set_sysctls(&[("ipv4/ip_forward", "0"), ("ipv4/conf/br0/rp_filter", "1")]).unwrap();
}

#[test]
fn a_switch_that_was_broken_in_a_dozen_ways_is_understood() {
    let Some(mut site) = Site::open("a_switch_that_was_broken_in_a_dozen_ways_is_understood") else { return };
    site.configure("first", &[]);
    let agent = site.start("first");
    let well = doctor(&site, "first", &[]);
    well.assert(&[
        ("agent", "ok"),
        ("xdp-mode", "ok"),
        ("foreign-xdp", "ok"),
        ("bridge", "ok"),
        ("mtu", "ok"),
    ]);
    assert_eq!(well.status, 0, "{:#}", well.report);
    site.end(agent, Signal::SIGTERM);

    break_it(&site);
    let broken = doctor(&site, "second", &[]);
    broken.assert(&[
        ("bpf-file-system", "fault"),
        ("agent", "fault"),
        ("foreign-xdp", "fault"),
        ("mtu", "fault"),
        ("veth-peers", "warning"),
        ("ports", "warning"),
        ("bridge-strangers", "warning"),
        ("bridge-loops", "fault"),
        ("key-file", "warning"),
        ("ip-forward", "note"),
        ("switch-rp-filter", "note"),
        ("guard", "note"),
    ]);
    // Spanning tree sets port states itself.
    batch("ip", &site.namespace, &["link set br0 type bridge stp_state 1".to_owned()]).unwrap();
    let with_tree = doctor(&site, "second", &[]);
    let of_bridge: Vec<_> = with_tree.findings("bridge").map(|it| it["found"].as_str().unwrap()).collect();
    assert!(of_bridge.iter().any(|found| found.contains("spanning tree")), "{of_bridge:?}");
    assert!(of_bridge.contains(&"p9 is not in br0"), "{of_bridge:?}");

    let mended = doctor(&site, "second", &["--fix", "--yes"]);
    umount2(&site.path("elsewhere"), MntFlags::MNT_DETACH).unwrap();
    mended.assert(&[
        ("bpf-file-system", "ok"),
        ("veth-peers", "warning"),
        ("agent", "fault"),
        ("mtu", "fault"),
    ]);
    let changed = mended.report["changed"].to_string();
    assert!(changed.contains("mount -t bpf bpf") && !changed.contains("ip link"), "{changed}");

    let mut lacking = site.namespace.command("setpriv");
    let programs = Programs::find().unwrap();
    lacking.args(["--bounding-set=-all,+net_raw", "--inh-caps=-all"]).arg(&programs.smoc);
    lacking.args(["doctor", "--switch", "--format", "json"]);
    Said::by(lacking).assert(&[("capabilities", "fault")]);
}

#[test]
fn bad_usage_of_doctor_says_what_to_change() {
    let Some(site) = Site::open("bad_usage_of_doctor_says_what_to_change") else { return };
    let refused = |arguments: &[&str]| {
        let (status, said) = super::site::said(site.smoc(arguments));
        assert_eq!(status, 2, "{said}");
        said
    };
    assert!(refused(&["doctor", "--config", "none.yaml"]).contains("--config"));
    assert!(refused(&["doctor", "--host", "--rate", "fast"]).contains("such as 100Mbit"));
    assert!(refused(&["doctor", "--yes"]).contains("--fix"));
    assert!(refused(&["doctor", "--switch", "--fix"]).contains("--yes"), "nobody can be asked");
}
