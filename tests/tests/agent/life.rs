//! Starting, ending, being killed, and starting again.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        net::UnixDatagram,
    },
    process::Command,
    thread,
    time::Duration,
};

use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use smoc_tests::command::{batch, run};

use super::site::Site;

const CAPABILITIES: &str = "-all,+net_admin,+bpf,+net_raw";
const NOBODY: u32 = 65534;

#[test]
fn three_capabilities_are_all_that_root_needs() {
    let Some(mut site) = Site::open("three_capabilities_are_all_that_root_needs") else { return };
    let config = site.configure("e1", &[]);
    let options = [&format!("--bounding-set={CAPABILITIES}"), "--inh-caps=-all"];
    let command = site.with_setpriv(&options, &config);
    site.spawn(command, "e1");
    assert!(site.program("p9").is_some());
}

#[test]
fn an_ordinary_user_with_three_capabilities_runs_the_agent() {
    let Some(mut site) = Site::open("an_ordinary_user_with_three_capabilities_runs_the_agent") else {
        return;
    };
    let config = site.configure("e1", &["api: run/e1.sock"]);
    for path in [site.path("run"), site.pin("e1")] {
        fs::create_dir(&path).unwrap();
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    fs::copy(site.object(), site.path("smoc.bpf.o")).unwrap();
    site.configure("e1", &["api: run/e1.sock", "bpf: {object: smoc.bpf.o, pin: bpf/e1}"]);
    let sets = ["bounding-set", "inh-caps", "ambient-caps"].map(|set| format!("--{set}={CAPABILITIES}"));
    let mut options = vec!["--reuid=65534", "--regid=65534", "--clear-groups"];
    options.extend(sets.iter().map(String::as_str));
    let command = site.with_setpriv(&options, &config);
    std::os::unix::fs::symlink("run/e1.sock", site.path("e1.sock")).unwrap();
    site.spawn(command, "e1");
    let mode = fs::metadata(site.path("run/e1.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[test]
fn an_agent_that_ends_takes_its_socket_along_and_leaves_the_programs() {
    let Some(mut site) = Site::open("an_agent_that_ends_takes_its_socket_along_and_leaves_the_programs")
    else {
        return;
    };
    site.configure("e1", &[]);
    let agent = site.start("e1");
    let program = site.program("p1");
    site.end(agent, Signal::SIGTERM);
    assert!(!site.path("e1.sock").exists());
    assert!(program.is_some() && site.program("p1") == program);
    assert!(site.ask("e1", "status").unwrap_err().contains("no agent answers on"));
}

#[test]
fn a_new_agent_takes_over_maps_and_links_and_detach_removes_all() {
    let Some(mut site) = Site::open("a_new_agent_takes_over_maps_and_links_and_detach_removes_all") else {
        return;
    };
    site.configure("e1", &[]);
    let killed = site.start("e1");
    let ports = |site: &Site| {
        let mut ports = site.ask("e1", "status").unwrap()["ports"].take();
        ports.as_array_mut().unwrap().iter_mut().for_each(|port| drop(port["liveness"].take()));
        ports
    };
    // Nobody answers at the other ends.
    site.wait_for("e1", "status", |status| status["links_down"] == 2);
    let (before, program) = (ports(&site), site.program("p1"));
    site.end(killed, Signal::SIGKILL);
    let next = site.start("e1");
    let log = fs::read_to_string(site.path("e1.log")).unwrap();
    assert!(log.contains("adopted=true") && log.contains("maps are filled changes=0"), "{log}");
    assert_eq!(ports(&site), before);
    assert_ne!(site.program("p1"), program, "its own programs are in place");
    let arrays = fs::read_dir(site.pin("e1"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("CONTINUATIONS"));
    assert_eq!(arrays.count(), 1, "the old programs' array is gone");

    site.configure("e1", &["ports: {1: p1, 2: p2}"]);
    site.end(next, Signal::SIGTERM);
    let last = site.start("e1");
    assert_eq!(site.program("p9"), None, "a port that left the configuration is detached");
    site.end(last, Signal::SIGTERM);
    assert_eq!(site.detach("e1").0, 0);
    assert_eq!((site.program("p1"), site.program("p2")), (None, None));
    assert!(!site.pin("e1").exists());
    assert!(site.detach("e1").1.contains("nothing is pinned"));
}

#[test]
fn a_service_manager_is_told_when_the_agent_is_ready() {
    let Some(mut site) = Site::open("a_service_manager_is_told_when_the_agent_is_ready") else { return };
    let config = site.configure("e1", &[]);
    let waiting = UnixDatagram::bind(site.path("notify")).unwrap();
    waiting.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut command = site.smoc(&["agent", "--config", &config.to_string_lossy()]);
    command.env("NOTIFY_SOCKET", site.path("notify"));
    site.spawn(command, "e1");
    let mut said = [0; 64];
    let length = waiting.recv(&mut said).unwrap();
    assert_eq!(&said[..length], b"READY=1");
}

fn port(status: &Value, number: u64) -> &Value {
    let ports = status["ports"].as_array().expect("ports");
    ports.iter().find(|port| port["number"] == number).expect("the port")
}

#[test]
fn the_base_network_has_no_loop_whatever_happens_to_links() {
    let Some(mut site) = Site::open("the_base_network_has_no_loop_whatever_happens_to_links") else { return };
    let bridge =
        ["link add br1 type bridge", "link set br1 up", "link set q1 master br1", "link set q2 master br1"];
    batch("ip", &site.namespace, &bridge.map(str::to_owned)).unwrap();
    site.configure("e1", &[]);
    let pin = format!("bpf: {{object: {}, pin: bpf/m1}}", site.object().display());
    site.configure("m1", &["switch: m1", "ports: {1: q1, 2: q2}", "bridge: br1", &pin]);
    site.start("e1");
    site.start("m1");
    let state = |status: &Value| [1, 2, 9].map(|number| port(status, number)["bridge"].clone());
    let settled = |status: &Value| state(status) == ["forwarding", "closed", "forwarding"];
    site.wait_for("e1", "status", settled);
    for interface in ["q2", "q1", "q9"] {
        batch("ip", &site.namespace, &[format!("link set {interface} down")]).unwrap();
        let number: u64 = interface[1..].parse().unwrap();
        site.wait_for("e1", "status", |status| port(status, number)["carrier"] == false);
        batch("ip", &site.namespace, &[format!("link set {interface} up")]).unwrap();
        site.wait_for("e1", "status", |status| port(status, number)["carrier"] == true && settled(status));
    }
}

#[test]
fn an_interface_that_is_replaced_gets_its_program_again() {
    let Some(mut site) = Site::open("an_interface_that_is_replaced_gets_its_program_again") else { return };
    site.configure("e1", &[]);
    site.start("e1");
    batch("ip", &site.namespace, &["link del p9".into()]).unwrap();
    site.warns("e1", &["port 9: there is no interface p9"]);
    assert_eq!(port(&site.ask("e1", "status").unwrap(), 9)["attached"], false);
    let lines = ["link add p9 type veth peer name q9", "link set p9 up", "link set q9 up"];
    batch("ip", &site.namespace, &lines.map(str::to_owned)).unwrap();
    let back = |status: &Value| port(status, 9)["attached"] == true && port(status, 9)["usable"] == true;
    site.wait_for("e1", "status", |status| back(status) && status["ready"] == true);
}

#[test]
fn a_topology_is_read_again_when_told_and_a_faulty_one_is_not() {
    let Some(mut site) = Site::open("a_topology_is_read_again_when_told_and_a_faulty_one_is_not") else {
        return;
    };
    site.configure("e1", &[]);
    let agent = site.start("e1");
    let file = site.path("topology.yaml");
    let with_host = fs::read_to_string(&file).unwrap()
        + "hosts:\n  - {name: h2, port: \"m1:9\", mac: \"02:00:00:00:00:02\", addresses: [10.0.0.2]}\n";
    fs::write(&file, &with_host).unwrap();
    kill(agent, Signal::SIGHUP).unwrap();
    site.wait_for("e1", "status", |status| status["edges"] == 1 && status["hosts"] == 1);
    fs::write(&file, with_host.replace("m1:2", "e1:1")).unwrap();
    kill(agent, Signal::SIGHUP).unwrap();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(site.ask("e1", "status").unwrap()["edges"], 1);
    let log = fs::read_to_string(site.path("e1.log")).unwrap();
    assert!(
        log.contains("configuration and topology stay as they were") && log.contains("topology.yaml:3"),
        "{log}"
    );
}

/// How many hellos leave through p1 in a second.
fn hellos_in_a_second(site: &Site) -> u64 {
    let heard = || -> u64 {
        let arguments = ["-n", site.namespace.name(), "-s", "-j", "link", "show", "dev", "q1"];
        let text = run(Command::new("ip").args(arguments)).unwrap();
        let links: Value = serde_json::from_str(&text).unwrap();
        links[0]["stats64"]["rx"]["packets"].as_u64().unwrap()
    };
    let before = heard();
    thread::sleep(Duration::from_secs(1));
    heard() - before
}

#[test]
fn a_configuration_is_read_again_when_told_and_a_faulty_one_changes_nothing() {
    let test = "a_configuration_is_read_again_when_told_and_a_faulty_one_changes_nothing";
    let Some(mut site) = Site::open(test) else { return };
    site.configure("e1", &[]);
    let agent = site.start("e1");
    let program = site.program("p1");
    assert!(hellos_in_a_second(&site) > 50, "one every 10 ms is the default");

    site.configure("e1", &["hellos: {interval: 200ms}", "sread: flows"]);
    kill(agent, Signal::SIGHUP).unwrap();
    assert!(hellos_in_a_second(&site) > 50, "the configuration is as it was");
    let log = fs::read_to_string(site.path("e1.log")).unwrap();
    let why = log.lines().find(|line| line.contains("configuration and topology stay as they were"));
    let why = why.unwrap_or_else(|| panic!("{log}"));
    assert!(why.contains("e1.yaml:8") && why.contains("unknown field `sread`"), "{why}");

    site.configure("e1", &["hellos: {interval: 200ms}"]);
    kill(agent, Signal::SIGHUP).unwrap();
    thread::sleep(Duration::from_millis(300));
    let hellos = hellos_in_a_second(&site);
    assert!((1..20).contains(&hellos), "{hellos} hellos in a second, one every 200 ms");
    assert_eq!(site.ask("e1", "status").unwrap()["pid"], agent.as_raw());
    assert_eq!(site.program("p1"), program);
}
