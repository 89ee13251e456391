//! Networks that nobody has drawn: cabling and five lines of configuration; cables in no file; other speakers of LLDP. Needs root.

use std::{
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};
use smoc_control::discovery::{
    key::Keys,
    lldp::{Advertisement, DESTINATION, ETHER_TYPE},
};
use smoc_tests::lab::{Lab, LabOptions, Routing};
use smoc_tests::subflows::connection_with;
use smoc_tests::testing::{lab_for, options, options_of, reaches, wait_until};
use smoc_tests::traffic::{Amount, Family, FrameSender, Protocol, Transfer};

/// The topology in which four switches are in a ring, and a host at each of two.
const RING: &str = "\
links:
  - {a: \"a:1\", b: \"b:1\", capacity: 100Mbit}
  - {a: \"b:2\", b: \"c:1\", capacity: 100Mbit}
  - {a: \"c:2\", b: \"d:1\", capacity: 100Mbit}
  - {a: \"d:2\", b: \"a:2\", capacity: 100Mbit}
hosts:
  - {name: h1, port: \"a:9\", addresses: [10.0.0.1]}
  - {name: h2, port: \"c:9\", addresses: [10.0.0.2]}
";

fn discovering(mut options: LabOptions) -> LabOptions {
    options.agent.discovers = true;
    options
}

/// The ring as a file.
fn ring() -> Result<(tempfile::TempDir, LabOptions)> {
    let directory = tempfile::tempdir()?;
    let options = options_of(directory.path(), RING)?;
    Ok((directory, options))
}

/// Frames that the switches have sent over all links.
fn carried(lab: &Lab) -> Result<u64> {
    Ok(lab.loads()?.iter().map(|load| load.frames_from_a + load.frames_from_b).sum())
}

/// What a status says of a port.
fn port(lab: &Lab, switch: &str, number: u16) -> Result<Value> {
    let status = lab.ask(switch, &["status"])?;
    let ports = status["ports"].as_array().context("ports")?;
    ports.iter().find(|port| port["number"] == number).cloned().context("the port")
}

fn broadcast(from: MacAddress) -> Vec<u8> {
    [&[0xff; 6][..], &from.octets(), &[0x08, 0x06], &[0; 46]].concat()
}

#[test]
fn a_fat_tree_finds_itself_and_carries_subflows_on_paths_of_their_own() -> Result<()> {
    let test = "a_fat_tree_finds_itself_and_carries_subflows_on_paths_of_their_own";
    let options = discovering(options("fat-tree-k4.yaml", Routing::Smoc));
    let Some(lab) = lab_for(test, &options)? else { return Ok(()) };
    let hosts: Vec<String> = lab.plan().hosts.iter().map(|host| host.name.clone()).collect();
    for to in &hosts[1..] {
        wait_until(|| reaches(&lab, &hosts[0], to)).with_context(|| format!("{} to {to}", hosts[0]))?;
    }
    let last = hosts.last().context("hosts")?;
    let amount = Amount::Time(Duration::from_secs(6));
    let running = Transfer::between(&lab, &hosts[0], last, Family::V4, Protocol::Mptcp, amount)?.start()?;
    let edge = &lab.plan().host(&hosts[0])?.port.switch;
    let mut found = None;
    wait_until(|| {
        found = connection_with(&lab, edge, running.destination).ok();
        Ok(found.as_ref().is_some_and(|connection| connection.distinct_paths() >= 2))
    })
    .with_context(|| format!("two paths: {found:#?}"))?;
    let got = running.finish()?;
    let goodput = got.goodput(Duration::from_secs(2), Duration::from_secs(6)) / 1e6;
    println!("goodput over two paths of 100 Mbit/s: {goodput:.0} Mbit/s");
    Ok(())
}

#[test]
fn a_cable_that_is_in_no_file_makes_no_loop() -> Result<()> {
    let (_directory, mut options) = ring()?;
    let unknown = "  - {a: \"d:2\", b: \"a:2\", capacity: 100Mbit}\n";
    options.agent.file = Some(RING.replace(unknown, ""));
    let Some(lab) = lab_for("a_cable_that_is_in_no_file_makes_no_loop", &options)? else { return Ok(()) };
    wait_until(|| reaches(&lab, "h1", "h2"))?;
    for (switch, peer) in [("a", "d:2"), ("d", "a:2")] {
        wait_until(|| Ok(port(&lab, switch, 2)?["neighbor"] == "refused"))?;
        let port = port(&lab, switch, 2)?;
        ensure!(port["bridge"] == "closed" && port["role"] == "host", "{port}");
        let status = lab.ask(switch, &["status"])?;
        let says = |warning: &Value| {
            warning.as_str().is_some_and(|text| text.contains(peer) && text.contains("plug the cable"))
        };
        ensure!(status["warnings"].as_array().is_some_and(|all| all.iter().any(says)), "{status:#}");
    }
    storms_not(&lab)
}

/// One broadcast is carried over each link of a tree once, and is gone.
fn storms_not(lab: &Lab) -> Result<()> {
    let namespace = lab.namespace("h1")?;
    let sender = FrameSender::open(&namespace, "eth0")?;
    thread::sleep(Duration::from_millis(200));
    let before = carried(lab)?;
    for _ in 0..10 {
        sender.send(&broadcast(MacAddress::new([2, 0, 0, 0, 0, 0x77])))?;
    }
    thread::sleep(Duration::from_secs(1));
    let during = carried(lab)? - before;
    // Hellos alone are 800 a second and direction, with their answers.
    println!("frames over four links in 1 s: {during}");
    ensure!(during < 10_000, "a storm: {during} frames");
    Ok(())
}

#[test]
fn a_ring_finds_itself_and_has_no_loop_whoever_is_killed() -> Result<()> {
    let (_directory, options) = ring()?;
    let test = "a_ring_finds_itself_and_has_no_loop_whoever_is_killed";
    let Some(mut lab) = lab_for(test, &discovering(options))? else { return Ok(()) };
    wait_until(|| reaches(&lab, "h1", "h2"))?;
    storms_not(&lab)?;
    // What veth says that it carries.
    let topology = lab.ask("a", &["topology"])?;
    let links = topology["links"].as_array().context("links")?;
    ensure!(links.len() == 4 && links.iter().all(|link| link["capacity"] == "10Gbit"), "{topology:#}");
    for switch in ["b", "c"] {
        lab.kill_agent(switch)?;
        storms_not(&lab)?;
        lab.start_agent(switch)?;
        wait_until(|| reaches(&lab, "h1", "h2"))?;
        storms_not(&lab)?;
    }
    Ok(())
}

/// A process that ends with its test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn lldpd_at_a_host_sees_its_switch_and_is_no_link() -> Result<()> {
    let (_directory, options) = ring()?;
    let test = "lldpd_at_a_host_sees_its_switch_and_is_no_link";
    let Some(lab) = lab_for(test, &discovering(options))? else { return Ok(()) };
    let namespace = lab.namespace("h1")?;
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("lldpd.socket");
    let mut command = namespace.command("lldpd");
    command.args(["-d", "-I", "eth0", "-u"]).arg(&socket);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _daemon = Daemon(command.spawn().context("start lldpd (apt-get install lldpd)")?);
    let neighbors = || -> Result<String> {
        let mut command = namespace.command("lldpcli");
        command.arg("-u").arg(&socket).args(["-f", "json", "show", "neighbors"]);
        Ok(String::from_utf8_lossy(&command.output()?.stdout).into_owned())
    };
    wait_until(|| Ok(neighbors()?.contains("\"a\""))).with_context(|| neighbors().unwrap_or_default())?;
    println!("lldpd says: {}", neighbors()?);
    // It speaks at once and every 30 s.
    thread::sleep(Duration::from_secs(2));
    ensure!(port(&lab, "a", 9)?["neighbor"] == "hosts", "{}", port(&lab, "a", 9)?);
    wait_until(|| reaches(&lab, "h1", "h2"))
}

/// A host says that it is a switch; whether the boot number of the one that it speaks to is right or not.
fn forged(heard: u64) -> Vec<u8> {
    let said = Advertisement {
        switch: "evil".into(),
        port: PortNumber::new(1).unwrap_or_else(|| unreachable!("1 is a port number")),
        time_to_live: 15,
        fabric: "lab".into(),
        port_width: 5,
        boot: 666,
        heard,
    };
    said.frame(MacAddress::new([2, 0, 0, 0, 0, 0x66]), &Keys::default())
}

#[test]
fn a_host_that_claims_to_be_a_switch_without_the_key_harms_itself_alone() -> Result<()> {
    let (directory, mut options) = ring()?;
    let key = directory.path().join("fabric.key");
    std::fs::write(&key, "a secret of the test's fabric\n")?;
    options.agent.lines = format!("key_file: {}\n", key.display());
    let test = "a_host_that_claims_to_be_a_switch_without_the_key_harms_itself_alone";
    let Some(lab) = lab_for(test, &discovering(options))? else { return Ok(()) };
    wait_until(|| reaches(&lab, "h1", "h2"))?;
    let sender = FrameSender::open(&lab.namespace("h1")?, "eth0")?;
    let frame = forged(0);
    ensure!(frame[..6] == DESTINATION && frame[12..14] == ETHER_TYPE.to_be_bytes());
    wait_until(|| {
        sender.send(&frame)?;
        Ok(port(&lab, "a", 9)?["neighbor"] == "refused")
    })?;
    for switch in ["a", "b", "c", "d"] {
        let topology = lab.ask(switch, &["topology"])?;
        ensure!(topology["links"].as_array().map(Vec::len) == Some(4), "{switch}: {topology:#}");
    }
    ensure!(port(&lab, "a", 9)?["bridge"] == "closed");
    storms_not(&lab)
}

/// Runs `ip` with these words in the namespace of a switch or host.
fn ip(lab: &Lab, node: &str, words: &str) -> Result<()> {
    let mut command = lab.namespace(node)?.command("ip");
    command.args(words.split_whitespace());
    smoc_tests::command::run(&mut command).map(drop)
}

/// A cable between a switch's port, in its bridge and up, and an interface of another node that is down.
fn cable(lab: &Lab, (switch, port): (&str, &str), (node, interface): (&str, &str)) -> Result<()> {
    let there = lab.namespace(node)?;
    ip(lab, switch, &format!("link add {port} type veth peer name {interface} netns {}", there.name()))?;
    ip(lab, switch, &format!("link set {port} master br0 up"))
}

#[test]
fn a_new_cable_to_a_switch_whose_agent_is_dead_closes_no_ring() -> Result<()> {
    let (_directory, options) = ring()?;
    let test = "a_new_cable_to_a_switch_whose_agent_is_dead_closes_no_ring";
    let Some(mut lab) = lab_for(test, &discovering(options))? else { return Ok(()) };
    wait_until(|| reaches(&lab, "h1", "h2"))?;
    cable(&lab, ("a", "p7"), ("c", "p7"))?;
    ip(&lab, "c", "link set p7 master br0")?;
    wait_until(|| Ok(port(&lab, "c", 7).is_ok_and(|port| !port["attached"].is_null())))?;
    wait_until(|| Ok(port(&lab, "a", 7).is_ok_and(|port| !port["attached"].is_null())))?;
    lab.kill_agent("c")?;
    ip(&lab, "c", "link set p7 up")?;
    wait_until(|| Ok(port(&lab, "a", 7)?["neighbor"] == "refused"))?;
    for _ in 0..2 {
        storms_not(&lab)?;
        let found = port(&lab, "a", 7)?;
        ensure!(found["neighbor"] == "refused" && found["bridge"] == "closed", "{found}");
    }
    let status = lab.ask("a", &["status"])?;
    let says = |warning: &Value| warning.as_str().is_some_and(|text| text.contains("start the agent there"));
    ensure!(status["warnings"].as_array().is_some_and(|all| all.iter().any(says)), "{status:#}");
    lab.start_agent("c")?;
    wait_until(|| Ok(port(&lab, "a", 7)?["neighbor"] == "c:7"))?;
    storms_not(&lab)?;
    wait_until(|| reaches(&lab, "h1", "h2"))
}

#[test]
fn a_bridge_that_joins_two_host_ports_makes_no_loop_and_both_are_open_when_it_is_gone() -> Result<()> {
    let (_directory, options) = ring()?;
    let test = "a_bridge_that_joins_two_host_ports_makes_no_loop_and_both_are_open_when_it_is_gone";
    let Some(lab) = lab_for(test, &discovering(options))? else { return Ok(()) };
    wait_until(|| reaches(&lab, "h1", "h2"))?;
    for (switch, interface) in [("a", "eth8"), ("d", "eth9")] {
        cable(&lab, (switch, "p8"), ("h1", interface))?;
        ip(&lab, "h1", &format!("link set {interface} up"))?;
    }
    let neighbor = |switch: &str| port(&lab, switch, 8).map_or(Value::Null, |port| port["neighbor"].clone());
    let is_open = |switch: &str| neighbor(switch) == "hosts";
    wait_until(|| Ok(is_open("a") && is_open("d")))?;
    ip(&lab, "h1", "link add brx up type bridge")?;
    ip(&lab, "h1", "link set eth8 master brx")?;
    ip(&lab, "h1", "link set eth9 master brx")?;
    wait_until(|| Ok(neighbor("d") == "refused"))?;
    for _ in 0..2 {
        storms_not(&lab)?;
        ensure!(is_open("a") && neighbor("d") == "refused" && port(&lab, "d", 8)?["bridge"] == "closed");
    }
    let status = lab.ask("d", &["status"])?;
    let says = |warning: &Value| warning.as_str().is_some_and(|text| text.contains("a:8 comes in here"));
    ensure!(status["warnings"].as_array().is_some_and(|all| all.iter().any(says)), "{status:#}");
    ensure!(lab.counter("d", "loop_probe")? > 0);
    // A cable that comes back while the bridge is there: the port never opens, not even for a moment.
    ip(&lab, "h1", "link set eth9 down")?;
    ip(&lab, "h1", "link set eth9 up")?;
    storms_not(&lab)?;
    ip(&lab, "h1", "link del brx")?;
    wait_until(|| Ok(is_open("a") && is_open("d")))
}
