//! What a configuration may say and what is answered to one that cannot be.

use std::path::Path;

use super::*;
use smoc_paths::topology::TopologyFile;

const MINIMAL: &str = "switch: e1\ntopology: topology.yaml\nports: {1: p1, 9: p9}\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("/etc/smoc/agent.yaml"), text).map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    parse(text).expect_err("accepted")
}

fn topology(text: &str) -> Topology {
    TopologyFile::parse(Path::new("t.yaml"), text).unwrap().connected().unwrap()
}

#[test]
fn three_keys_suffice_and_names_are_relative_to_the_file() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.switch, "e1");
    assert_eq!(config.topology.as_deref(), Some(Path::new("/etc/smoc/topology.yaml")));
    assert_eq!(config.api, Path::new("/run/smoc/api.sock"));
    assert_eq!(config.pin, Path::new("/sys/fs/bpf/smoc"));
    assert_eq!(config.ports[&PortNumber::new(9).unwrap()], "p9");
    assert!(config.learn && config.bridge.is_none());
    assert_eq!((config.spread, config.xdp), (Spread::None, XdpMode::Native));
    assert_eq!(config.tables, Tables::default());
    assert_eq!((config.border.openings, config.border.port_openings), (125_000, 1024));
}

#[test]
fn guards_are_of_host_ports() {
    let config = parse(&format!("{MINIMAL}guard: {{9: strict}}\nopenings: 0\n")).unwrap();
    let port = |number| PortNumber::new(number).unwrap();
    assert_eq!([1, 9].map(|number| config.border.guard_of(port(number))), [Guard::Off, Guard::Strict]);
    assert_eq!((config.border.is_guarded(), config.border.openings), (true, 0));
    let network = topology("links: [{a: \"e1:1\", b: \"e2:1\"}]\n");
    assert!(config.place(&network).is_ok());
    let error = parse(&format!("{MINIMAL}guard: {{1: source}}\n")).unwrap().place(&network).unwrap_err();
    assert!(error.to_string().contains("agent.yaml:4: guard.1: leads to another switch"), "{error}");
}

#[test]
fn every_key_is_read() {
    let config = parse(&format!(
        "{MINIMAL}bridge: br0\napi: /tmp/a.sock\nbpf: {{object: smoc.o, pin: /sys/fs/bpf/x}}\n\
         paths: {{policy: smoc, count: 4}}\nspread: flows\nlearn: false\nxdp: generic\ntables: {{flows: 64}}\n"
    ))
    .unwrap();
    assert_eq!(config.bridge.as_deref(), Some("br0"));
    assert_eq!(config.object_candidates(), [Path::new("/etc/smoc/smoc.o")]);
    assert_eq!((config.paths.count, config.tables.flows), (4, 64));
    assert_eq!(config.tables.hosts, map::HOST_ENTRIES);
    assert_eq!((config.spread, config.learn, config.xdp), (Spread::Flows, false, XdpMode::Generic));
}

#[test]
fn faults_name_line_and_field() {
    for (text, line, says) in [
        ("tables: {flow: 1}\n", 4, "unknown field `flow`"),
        ("colour: red\n", 4, "unknown field `colour`"),
        ("paths: {policy: quick}\n", 4, "paths.policy: "),
        ("paths: {count: 9}\n", 4, "paths.count: 9 is too many"),
        ("paths: {count: 0}\n", 4, "paths: count"),
        ("tables: {flows: 1}\n", 4, "tables.flows: 1 is not from 16"),
        ("spread: all\n", 4, "spread: "),
        ("learn: perhaps\n", 4, "learn: "),
        ("guard: {9: on}\n", 4, "guard.9: "),
        ("guard: {8: strict}\n", 4, "guard.8: no port of this number is under ports"),
        ("hellos: {interval: 10}\n", 4, "hellos.interval: 10 has no unit: write 10ms"),
        ("hellos: {interval: 1us}\n", 4, "hellos.interval: 1µs is neither off nor from 1ms to 60s"),
        ("hellos: {multiplier: 0}\n", 4, "hellos.multiplier: 0 is not from 1 to 255"),
        ("hellos: {period: 1s}\n", 4, "hellos.period: unknown field `period`"),
        ("probes: {hold_down: long}\n", 4, "probes.hold_down: \"long\" is no time"),
        ("probes: {budget: 0}\n", 4, "probes.budget: 0 is not from 1 to 100000"),
        ("bridge: a/b\n", 4, "bridge: \"a/b\" is no interface name"),
    ] {
        let message = refused(&format!("{MINIMAL}{text}"));
        assert!(message.starts_with(&format!("/etc/smoc/agent.yaml:{line}: ")), "{message}");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn ports_that_cannot_be_are_all_named() {
    let message = refused(
        "switch: e1\ntopology: t\nports:\n  1: p1\n  2: p1\n  0: p0\n  2000: p2\n  3: much-too-long-name\n",
    );
    for says in [
        ":5: ports.2: p1 is already the interface of port 1",
        ":6: ports.0: no port number",
        ":7: ports.2000: no port number",
        ":8: ports.3: \"much-too-long-name\" is no interface name",
    ] {
        assert!(message.contains(says), "{says} in {message}");
    }
    assert!(refused("switch: e1\ntopology: t\nports: {}\n").contains("ports: empty"));
    assert!(refused("switch: e1\ntopology: t\nports: {1: p1, 1: p2}\n").contains(":3: ports"));
}

#[test]
fn missing_keys_are_named() {
    assert!(refused("topology: t\nports: {1: p1}\n").contains("missing field `switch`"));
    assert!(refused("").contains("agent.yaml"));
}

#[test]
fn a_switch_that_the_topology_does_not_have_is_refused() {
    let topology = topology("links:\n  - {a: \"m1:1\", b: \"m2:1\"}\n");
    let error = parse(MINIMAL).unwrap().place(&topology).unwrap_err().to_string();
    assert!(
        error.contains("agent.yaml:1: switch: \"e1\" is not in /etc/smoc/topology.yaml, which has m1, m2"),
        "{error}"
    );
}

#[test]
fn a_port_without_interface_is_refused() {
    let topology = topology(
        "links:\n  - {a: \"e1:1\", b: \"m2:1\"}\n  - {a: \"e1:2\", b: \"m2:2\"}\nhosts:\n  - {name: h1, port: \"e1:8\"}\n",
    );
    let error = parse(MINIMAL).unwrap().place(&topology).unwrap_err().to_string();
    assert!(error.contains(":3: ports: 2 is missing, which e1:2-m2:2 uses"), "{error}");
    assert!(error.contains(":3: ports: 8 is missing, which h1 uses"), "{error}");
}

#[test]
fn a_metric_that_the_topology_does_not_feed_is_refused() {
    let topology = topology("links:\n  - {a: \"e1:1\", b: \"m2:1\"}\n");
    let config = parse(&format!("{MINIMAL}paths: {{metric: latency}}\n")).unwrap();
    let error = config.place(&topology).unwrap_err().to_string();
    assert!(error.contains(":4: paths.metric: metric latency needs a latency on every link"), "{error}");
}

#[test]
fn ports_with_links_are_fabric_ports() {
    let topology = topology("links:\n  - {a: \"e1:1\", b: \"m2:1\"}\n");
    let config = parse(MINIMAL).unwrap();
    let switch = config.place(&topology).unwrap();
    assert_eq!(config.fabric_ports(&topology, switch), BTreeSet::from([PortNumber::new(1).unwrap()]));
}

#[test]
fn configurations_and_topologies_are_told_apart() {
    assert!(Config::is_one(MINIMAL) && Config::is_one("ports: {1: p1}\nlinks: []\n"));
    assert!(
        !Config::is_one("links: []\nhosts: []\n")
            && !Config::is_one("nonsense")
            && !Config::is_one(": :\n- {")
    );
}

#[test]
fn hellos_and_probes_can_be_switched_off() {
    let config = parse(&format!("{MINIMAL}hellos: {{interval: off}}\nprobes: {{interval: 0}}\n")).unwrap();
    assert!(config.hellos.interval.is_zero() && config.probes.interval.is_zero());
    assert_eq!((config.hellos.multiplier, config.probes.budget), (3, 1000));
}

#[test]
fn a_reload_changes_what_it_can_and_names_the_rest() {
    let before = parse(MINIMAL).unwrap();
    let after =
        "switch: e1\ntopology: other.yaml\nports: {1: p1, 8: p8}\nspread: flows\nhellos: {multiplier: 5}\n";
    let (config, kept) = before.reloaded(&parse(after).unwrap());
    assert_eq!(kept, ["ports"]);
    assert_eq!(config.ports, before.ports);
    assert_eq!((config.spread, config.hellos.multiplier), (Spread::Flows, 5));
    assert_eq!(config.topology.as_deref(), Some(Path::new("/etc/smoc/other.yaml")));
}

/// A switch whose network no file describes.
const UNDRAWN: &str = "switch: e1\nports: {1: p1, 9: p9}\n";

#[test]
fn etcd_is_reached_as_the_file_says() {
    let text = "store:\n  etcd: {endpoints: [\"https://a:2379\", \"https://[::1]:2379\"], ca: ca.pem, cert: c.pem, key: c.key, lease: 30s}\n";
    let Store::Etcd(etcd) = parse(&format!("{UNDRAWN}{text}")).unwrap().store else { panic!("no etcd") };
    assert_eq!(etcd.endpoints, ["https://a:2379", "https://[::1]:2379"]);
    assert_eq!(etcd.identity, Some(("/etc/smoc/c.pem".into(), "/etc/smoc/c.key".into())));
    assert_eq!((etcd.lease.as_secs(), etcd.snapshot), (30, "/var/lib/smoc/e1.snapshot".into()));
    assert_eq!(parse(MINIMAL).unwrap().store, Store::Static);
    assert_eq!(parse(UNDRAWN).unwrap().store, Store::Flood);
    assert_eq!(parse(&format!("{MINIMAL}store: static\n")).unwrap().store, Store::Static);
}

#[test]
fn an_etcd_that_cannot_be_reached_so_is_refused() {
    for (etcd, said) in [
        ("endpoints: []", "store.etcd.endpoints: empty: write https://host:2379"),
        (
            "endpoints: [\"10.0.0.1:2379\"]",
            "\"10.0.0.1:2379\" is no member: write http:// or https:// and host:port",
        ),
        ("endpoints: [\"http://a\"]", "is no member: write http"),
        ("endpoints: [\"http://a:2379/x\"]", "is no member: write http"),
        ("endpoints: [\"http://a:2379\"], ca: ca.pem", "is no member: ca and cert are for https://"),
        ("endpoints: [\"https://a:2379\"], cert: c.pem", "store.etcd.key: missing: name the key of cert"),
        ("endpoints: [\"https://a:2379\"], key: c.key", "store.etcd.cert: missing"),
        ("endpoints: [\"https://a:2379\"], lease: 1s", "store.etcd.lease: 1s is not from 5s to 3600s"),
        ("endpoints: [\"https://a:2379\"], user: root", "user"),
        ("ca: ca.pem", "endpoints"),
    ] {
        let error = parse(&format!("{UNDRAWN}store: {{etcd: {{{etcd}}}}}\n")).unwrap_err().to_string();
        assert!(error.contains(":3") && error.contains(said), "{error}");
    }
    let error = parse(&format!("{UNDRAWN}store: consul\n")).unwrap_err().to_string();
    assert!(error.contains("consul") && error.contains("etcd"), "{error}");
}

#[test]
fn a_store_and_a_topology_that_do_not_go_together_are_refused() {
    for (text, said) in [
        (format!("{UNDRAWN}store: static\n"), "name it with topology: FILE"),
        (format!("{MINIMAL}store: flood\n"), "leave topology away"),
        (format!("{MINIMAL}store: {{etcd: {{endpoints: [\"http://a:1\"]}}}}\n"), "leave topology away"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

const DISCOVERED: &str = "switch: e1\nfabric: campus\nbridge: br0\nports: auto\n";

#[test]
fn without_a_topology_the_network_is_discovered_and_ports_are_those_of_the_bridge() {
    let config = parse(DISCOVERED).unwrap();
    assert!(config.is_discovered() && config.all_ports && config.ports.is_empty());
    assert_eq!((config.fabric.as_str(), config.discovered_width()), ("campus", 5));
    let short = parse("switch: e1\nbridge: br0\n").unwrap();
    assert!(short.all_ports && short.fabric == "default");
    assert!(refused("switch: e1\nports: auto\n").contains("bridge: missing"));
    assert!(refused("switch: e1\nbridge: br0\nports: all\n").contains(":3:"));
    assert!(refused("switch: \"e 1\"\nbridge: br0\n").contains(":1: switch:"));
    assert!(refused(&format!("{DISCOVERED}fabric: \"\"\n")).contains("fabric"));
}

#[test]
fn interfaces_are_numbered_by_the_end_of_their_names() {
    let number = |name: &str| number_of(name).map(PortNumber::get);
    assert_eq!(["p7", "swp12", "enp3s0f1", "3", "eth1023"].map(number), [7, 12, 1, 3, 1023].map(Some));
    assert_eq!(["eth0", "br", "p1024", "p99999999999", "p7x", ""].map(number), [None; 6]);
}

#[test]
fn roles_and_widths_are_read_and_those_that_cannot_be_are_refused() {
    let config = parse(&format!("{MINIMAL}roles: {{9: host, 1: off}}\nport_width: 6\n")).unwrap();
    let role = |number| config.roles[&PortNumber::new(number).unwrap()];
    assert_eq!((role(9), role(1), config.discovered_width()), (PortRole::Host, PortRole::Off, 6));
    assert!(
        refused(&format!("{MINIMAL}roles: {{2: host}}\n")).contains(":4: roles.2: no port of this number")
    );
    assert!(refused(&format!("{MINIMAL}roles: {{9: router}}\n")).contains(":4:"));
    for bits in [0, 3, 11] {
        let error = refused(&format!("{MINIMAL}port_width: {bits}\n"));
        assert!(error.contains(&format!(":4: port_width: {bits} is not from 4")), "{error}");
    }
}

#[test]
fn a_file_takes_the_place_of_another_at_run_time_and_not_of_discovery() {
    let (filed, discovered) =
        (parse(MINIMAL).unwrap(), parse("switch: e1\nports: {1: p1, 9: p9}\n").unwrap());
    for (before, after) in [(&filed, &discovered), (&discovered, &filed)] {
        let (config, kept) = before.reloaded(after);
        assert_eq!((kept, config.topology), (vec!["topology"], before.topology.clone()));
    }
}

#[test]
fn prefixes_are_read_and_apply_at_once_and_those_that_are_none_are_refused() {
    let text = "switch: e1\ntopology: t.yaml\nports: {1: p1}\n";
    let before = parse(text).unwrap();
    assert_eq!(before.prefixes, []);
    let new = parse(&format!("{text}prefixes: [10.0.0.0/16, '2001:db8::/32']\n")).unwrap();
    assert_eq!(new.prefixes.len(), 2);
    let (now, kept) = before.reloaded(&new);
    assert_eq!((now.prefixes, kept), (new.prefixes, vec![]));
    let error = refused(&format!("{text}prefixes: [10.0.0.1/16]\n"));
    assert!(
        error.contains(":4: prefixes: 10.0.0.1/16 has bits behind the prefix: write 10.0.0.0/16"),
        "{error}"
    );
}

#[test]
fn a_first_key_is_introduced_where_the_configuration_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.yaml");
    std::fs::write(directory.path().join("k"), "0123456789abcdef").unwrap();
    let load = |lines: &str| {
        std::fs::write(&path, format!("{MINIMAL}{lines}")).unwrap();
        Config::load(&path).map_err(|error| error.to_string())
    };
    let [none, introduced, required] =
        ["", "key_file: k\nkey_mode: introduce\n", "key_file: k\nkey_mode: required\n"]
            .map(|lines| load(lines).unwrap());
    let of = |config: &Config| (config.keys.are_introduced(), config.keys.are_strict());
    assert_eq!([&none, &introduced, &required].map(of), [(false, false), (true, false), (false, true)]);
    assert_eq!(of(&load("key_file: k\n").unwrap()), (false, true));
    let (now, kept) = none.reloaded(&introduced);
    assert_eq!((of(&now), kept), ((true, false), vec![]));
    assert_eq!(of(&now.reloaded(&required).0), (false, true));
    let error = load("key_mode: introduce\n").unwrap_err();
    assert!(error.contains(":4: key_mode: there is no key"), "{error}");
    assert!(load("key_file: k\nkey_mode: none\n").is_err());
}

#[test]
fn silent_hosts_are_asked_after_as_long_as_the_configuration_says() {
    let of = |text: &str| parse(&format!("{MINIMAL}ageing: {text}\n"));
    let before = parse(MINIMAL).unwrap();
    assert_eq!(before.ageing, Duration::from_secs(1800));
    let new = of("5s").unwrap();
    assert_eq!((new.ageing, before.reloaded(&new).0.ageing), (Duration::from_secs(5), new.ageing));
    for text in ["off", "500ms"] {
        let error = refused(&format!("{MINIMAL}ageing: {text}\n"));
        assert!(error.contains(":4: ageing: ") && error.contains("is not from 1s to 3600s"), "{error}");
    }
    assert!(of("2h").is_err() && of("5").is_err());
}

#[test]
fn routes_of_the_kernel_are_used_where_the_configuration_says_so_and_need_a_restart() {
    assert_eq!(parse(MINIMAL).unwrap().routes, Routes::None);
    let of = |text: &str| parse(&format!("{MINIMAL}routes: {text}\n"));
    assert_eq!(of("kernel").unwrap().routes, Routes::Kernel);
    let new = of("kernel-with-default").unwrap();
    assert_eq!(new.routes, Routes::KernelWithDefault);
    assert_eq!(parse(MINIMAL).unwrap().reloaded(&new).1, ["routes"]);
    let error = refused(&format!("{MINIMAL}routes: all\n"));
    assert!(error.contains("kernel") && error.contains("kernel-with-default"), "{error}");
}

#[test]
fn metrics_over_tcp_are_read_and_never_on_all_addresses_by_accident() {
    let parsed = |text: &str| parse(&format!("{MINIMAL}metrics: {{{text}}}\n"));
    let metrics = parsed("listen: \"10.0.0.1:9852\", token_file: t, cert: c.pem, key: c.key");
    let metrics = metrics.unwrap().metrics.unwrap();
    assert_eq!(metrics.listen, "10.0.0.1:9852".parse().unwrap());
    assert_eq!(metrics.token_file.as_deref(), Some(Path::new("/etc/smoc/t")));
    assert_eq!(metrics.identity, Some(("/etc/smoc/c.pem".into(), "/etc/smoc/c.key".into())));
    assert!(parse(MINIMAL).unwrap().metrics.is_none());
    for (text, said) in [
        ("listen: \"9852\"", "\"9852\" is no place to listen: write address:port"),
        ("listen: \"e1:9852\"", "is no place to listen"),
        ("listen: \"10.0.0.1:0\"", "is no place to listen"),
        ("listen: \"0.0.0.0:9852\"", "every address of the switch, and without TLS"),
        ("listen: \"[::]:9852\", token_file: t", "every address of the switch, and without TLS"),
        ("listen: \"10.0.0.1:9852\", cert: c.pem", "metrics.key: missing"),
        ("listen: \"10.0.0.1:9852\", key: c.key", "metrics.cert: missing"),
        ("token_file: t", "listen"),
    ] {
        let error = parsed(text).unwrap_err().to_string();
        assert!(error.contains(":4") && error.contains(said), "{text}: {error}");
    }
    for text in
        ["listen: \"0.0.0.0:9852\", unencrypted: true", "listen: \"[::]:9852\", cert: c.pem, key: c.key"]
    {
        assert!(parsed(text).is_ok(), "{text}");
    }
    let (_, kept) = parse(MINIMAL).unwrap().reloaded(&parsed("listen: \"127.0.0.1:9852\"").unwrap());
    assert_eq!(kept, ["metrics"]);
}

#[test]
fn the_port_for_operators_has_a_token_and_one_place_that_others_reach() {
    let parsed = |text: &str| parse(&format!("{MINIMAL}fabric_api: {{{text}}}\n"));
    let all = "listen: \"0.0.0.0:9853\", announce: \"10.9.0.1:9853\", token_file: t, ca: ca.pem, cert: c.pem, key: c.key";
    let api = parsed(all).unwrap().fabric_api.unwrap();
    assert_eq!(api.place.to_string(), "https://10.9.0.1:9853");
    assert_eq!(api.listener.token_file.as_deref(), Some(Path::new("/etc/smoc/t")));
    assert_eq!(api.ca.as_deref(), Some(Path::new("/etc/smoc/ca.pem")));
    let plain = parsed("listen: \"10.9.0.1:9853\", token_file: t").unwrap().fabric_api.unwrap();
    assert_eq!(plain.place.to_string(), "http://10.9.0.1:9853");
    for (text, said) in [
        ("listen: \"10.9.0.1:9853\"", "fabric_api.token_file: missing"),
        ("listen: \"0.0.0.0:9853\", token_file: t", "fabric_api.listen: this is every address"),
        ("listen: \"0.0.0.0:9853\", token_file: t, unencrypted: true", "fabric_api.announce: missing"),
        ("listen: \"10.9.0.1:9853\", announce: e1, token_file: t", "fabric_api.announce: \"e1\" is no place"),
        ("listen: \"10.9.0.1:9853\", token_file: t, cert: c.pem, key: c.key", "fabric_api.ca: missing"),
        ("listen: \"10.9.0.1:9853\", token_file: t, ca: ca.pem, cert: c.pem", "fabric_api.key: missing"),
    ] {
        let error = parsed(text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn the_page_is_served_where_the_file_says_so_by_the_rules_of_metrics() {
    let parsed = |text: &str| parse(&format!("{MINIMAL}web: {{{text}}}\n"));
    let web =
        parsed("listen: \"10.0.0.1:8053\", token_file: t, cert: c.pem, key: c.key").unwrap().web.unwrap();
    assert_eq!(web.port.listen, "10.0.0.1:8053".parse().unwrap());
    assert_eq!(web.port.token_file.as_deref(), Some(Path::new("/etc/smoc/t")));
    assert!(!web.writes && parse(MINIMAL).unwrap().web.is_none());
    assert!(parsed("listen: \"10.0.0.1:8053\", writes: true").unwrap().web.unwrap().writes);
    for (text, said) in [
        ("listen: \"8053\"", "web.listen: \"8053\" is no place to listen"),
        ("listen: \"0.0.0.0:8053\"", "web.listen: this is every address of the switch, and without TLS"),
        ("listen: \"10.0.0.1:8053\", cert: c.pem", "web.key: missing"),
        ("listen: \"10.0.0.1:8053\", write: true", "write"),
    ] {
        let error = parsed(text).unwrap_err().to_string();
        assert!(error.contains(":4") && error.contains(said), "{text}: {error}");
    }
    let (_, kept) = parse(MINIMAL).unwrap().reloaded(&parsed("listen: \"127.0.0.1:8053\"").unwrap());
    assert_eq!(kept, ["web"]);
}
