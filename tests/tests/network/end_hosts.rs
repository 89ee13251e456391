//! `smoc host`: single-homed hosts whose connections have a subflow on each path, with nothing set by hand.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use smoc_common::wire::ethernet::MacAddress;
use smoc_control::discovery::{advice::HostAdvice, key::Keys};
use smoc_tests::command::{batch, run};
use smoc_tests::lab::{Condition, Direction, Lab};
use smoc_tests::subflows::{Connection, connections};
use smoc_tests::testing::{lab_for, leaf_spine, options_of, wait_until};
use smoc_tests::traffic::{FrameReceiver, FrameSender};
use socket2::{Domain, Protocol, Socket, Type};

const SERVER: [u8; 4] = [10, 0, 2, 1];
/// An endpoint that somebody else has set.
const FOREIGN: &str = "mptcp endpoint add 10.0.2.1 dev eth0 port 61004 signal";

/// An MPTCP socket of a host.
fn socket(lab: &Lab, host: &str) -> Result<Socket> {
    lab.namespace(host)?
        .run(|| Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)))?
        .context("open")
}

/// Connections from h1 to h2 that have carried a byte each way; the ends of h1 first.
fn connect(lab: &Lab, count: usize) -> Result<Vec<[Socket; 2]>> {
    let listener = socket(lab, "h2")?;
    listener.bind(&SocketAddr::new(IpAddr::from(SERVER), 5001).into())?;
    listener.listen(64)?;
    let one = |_| {
        let near = socket(lab, "h1")?;
        near.connect(&SocketAddr::new(IpAddr::from(SERVER), 5001).into())?;
        let (far, _) = listener.accept()?;
        for (from, to) in [(&near, &far), (&far, &near)] {
            from.send(&[1])?;
            to.set_read_timeout(Some(Duration::from_secs(5)))?;
            ensure!(to.recv(&mut [std::mem::MaybeUninit::uninit()])? == 1, "no byte came");
        }
        Ok([near, far])
    };
    (0..count).map(one).collect()
}

/// The subflows that are established at h1: its end, the other end. Where both hosts tell of ports some joins are refused,
/// which the edge remembers for a while.
fn established(lab: &Lab) -> Result<BTreeSet<(SocketAddr, SocketAddr)>> {
    let all = run(lab.namespace("h1")?.command("ss").args(["-Htn", "state", "established"]))?;
    let ends = |line: &str| {
        let mut fields = line.split_whitespace().skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    all.lines().map(|line| ends(line).with_context(|| format!("ss said: {line}"))).collect()
}

/// The connections that an edge knows which these sockets are, with the subflows that are established.
fn known(lab: &Lab, sockets: &[[Socket; 2]]) -> Result<Vec<Connection>> {
    let ends = sockets.iter().map(|[near, _]| near.local_addr()?.as_socket().context("an address"));
    let ends = ends.collect::<Result<Vec<SocketAddr>>>()?;
    let (mut all, alive) = (connections(lab, "e1")?, established(lab)?);
    for connection in &mut all {
        connection.subflows.retain(|it| alive.contains(&(it.local.into(), it.remote.into())));
    }
    all.retain(|connection| connection.subflows.iter().any(|it| ends.contains(&it.local.into())));
    Ok(all)
}

/// Whether there are so many connections with subflows on so many paths each, and at most one of them that shares one.
fn have(connections: &[Connection], count: usize, paths: usize) -> bool {
    let is_so =
        |it: &Connection| it.distinct_paths() == paths && (paths..=paths + 1).contains(&it.subflows.len());
    connections.len() == count && connections.iter().all(is_so)
}

/// What is known of these connections: ends and ranks.
fn shown(lab: &Lab, sockets: &[[Socket; 2]]) -> String {
    let all = known(lab, sockets).unwrap_or_default();
    let one =
        |it: &Connection| it.subflows.iter().map(|subflow| format!("  {subflow}\n")).collect::<String>();
    all.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// What is set on a host: limits, and ports of endpoints with who has set them.
fn told(lab: &Lab, host: &str) -> Result<(Value, Vec<(u64, String)>)> {
    let status = lab.host_status(host)?;
    let endpoints = status["endpoints"].as_array().context("endpoints")?.iter();
    let mut endpoints: Vec<_> = endpoints
        .map(|it| (it["port"].as_u64().unwrap_or(0), it["owner"].as_str().unwrap_or_default().to_owned()))
        .collect();
    endpoints.sort();
    Ok((json!([status["limits"]["subflows"], status["limits"]["add_addr_accepted"]]), endpoints))
}

fn ports(of: &[(u64, &str)]) -> Vec<(u64, String)> {
    of.iter().map(|(port, owner)| (*port, (*owner).to_owned())).collect()
}

/// The ranks along which e2 has taken the times of handshakes with e1.
fn timed_ranks(lab: &Lab) -> Result<Vec<u64>> {
    let samples = lab.ask("e2", &["metrics"])?;
    let is_one = |sample: &&Value| {
        let is_count = sample["name"] == "smoc_path_handshake_seconds_count";
        is_count && sample["labels"]["edge"] == "e1" && sample["value"].as_f64() > Some(0.0)
    };
    let timed = samples.as_array().context("samples")?.iter().filter(is_one);
    let mut ranks: Vec<u64> = timed.filter_map(|it| it["labels"]["rank"].as_str()?.parse().ok()).collect();
    ranks.sort_unstable();
    Ok(ranks)
}

/// Four paths between two hosts, on which `smoc host` is told this; and what the agents are told beside.
fn lab(test: &str, told: &str, agents: &str) -> Result<Option<Lab>> {
    let directory = tempfile::tempdir()?;
    let mut options = options_of(directory.path(), &leaf_spine(2, 4))?;
    options.host_daemon = Some(told.to_owned());
    options.agent.lines = agents.to_owned();
    lab_for(test, &options)
}

/// Waits until `smoc host` of both hosts goes by this number, which the edges say.
fn wait_for_number(lab: &Lab, number: u64) -> Result<()> {
    let is_so = |host| -> Result<bool> {
        let status = lab.host_status(host)?;
        Ok(status["subflows"] == number && status["told_by_edge"] == true)
    };
    let begin = Instant::now();
    wait_until(|| Ok(is_so("h1")? && is_so("h2")?)).with_context(|| {
        let said = |host| format!("{:?}\n{}", lab.host_status(host).ok(), lab.log(host).unwrap_or_default());
        format!("{number}:\nh1: {}\nh2: {}", said("h1"), said("h2"))
    })?;
    println!("{number} subflows on both hosts after {:?}", begin.elapsed());
    Ok(())
}

#[test]
fn hosts_follow_the_number_of_paths_that_their_edge_says() -> Result<()> {
    let name = "hosts_follow_the_number_of_paths_that_their_edge_says";
    let key = tempfile::NamedTempFile::new()?;
    std::fs::write(key.path(), "a key that hosts and switches have\n")?;
    let path = key.path().display();
    let agents = format!("host_advice: true\nhost_key_file: {path}\n");
    let Some(mut lab) = lab(name, &format!("subflows: 2\nkey_file: {path}\n"), &agents)? else {
        return Ok(());
    };
    wait_for_number(&lab, 4)?;
    let sockets = connect(&lab, 10)?;
    wait_until(|| Ok(have(&known(&lab, &sockets)?, 10, 4))).with_context(|| shown(&lab, &sockets))?;
    wait_until(|| Ok(timed_ranks(&lab)? == [0, 1, 2, 3]))
        .context("the handshakes of each path take their time")?;
    let endpoints = told(&lab, "h2")?.1;
    assert_eq!(endpoints.len(), 3);

    // What has no tag is not believed. If it were, h1 would have heard nothing later for a minute.
    let forged = HostAdvice { paths: 8, holds: 60, boot: u64::MAX, sequence: 1 };
    let forged = forged.frame(MacAddress::new([2, 0, 0, 0, 0, 2]), &Keys::default());
    let arrives = FrameReceiver::open(&lab.namespace("h1")?, "eth0", forged.len())?;
    FrameSender::open(&lab.namespace("h2")?, "eth0")?.send(&forged)?;
    ensure!(arrives.receive(Duration::from_secs(5))?.is_some(), "the forged frame does not arrive");

    // Carrier and all, but nothing comes through: probes find out.
    lab.set_link("e1:1-m1:1", Condition::Blackhole, Direction::Both)?;
    wait_for_number(&lab, 3)?;
    assert_eq!(
        told(&lab, "h2")?,
        (json!([3, 2]), endpoints),
        "endpoints stay, and with them running subflows"
    );
    lab.set_link("e1:2-m2:1", Condition::Down, Direction::Both)?;
    wait_for_number(&lab, 2)?;
    for link in ["e1:1-m1:1", "e1:2-m2:1"] {
        lab.set_link(link, Condition::Up, Direction::Both)?;
    }
    wait_for_number(&lab, 4)?;
    Ok(())
}

#[test]
fn connections_of_hosts_with_one_address_have_a_subflow_on_each_path() -> Result<()> {
    let name = "connections_of_hosts_with_one_address_have_a_subflow_on_each_path";
    let Some(mut lab) = lab(name, "", "")? else { return Ok(()) };
    let own = [(61001, "smoc"), (61002, "smoc"), (61003, "smoc")];
    assert_eq!(told(&lab, "h1")?, (json!([4, 3]), ports(&own)));
    let sockets = connect(&lab, 10)?;
    wait_until(|| Ok(have(&known(&lab, &sockets)?, 10, 4))).with_context(|| shown(&lab, &sockets))?;
    drop(sockets);

    // Ended and begun beside an endpoint of somebody else.
    assert!(lab.end_host_daemon("h2", Signal::SIGTERM)?.success());
    assert_eq!(told(&lab, "h2")?, (json!([2, 0]), vec![]), "all is as it was");
    batch("ip", &lab.namespace("h2")?, &[FOREIGN.into()])?;
    lab.start_host_daemons(&["h2"])?;
    // Which ports it has depends on those that the kernel still keeps for the connections that have ended.
    let beside = || told(&lab, "h2");
    let is_beside = |(limits, endpoints): &(Value, Vec<(u64, String)>)| {
        let own = endpoints.iter().filter(|(_, owner)| owner == "smoc").count();
        *limits == json!([4, 3])
            && own == 3
            && endpoints.len() == 4
            && endpoints.contains(&(61004, "others".into()))
    };
    wait_until(|| Ok(is_beside(&beside()?))).with_context(|| format!("{:?}", beside()))?;
    let before = beside()?;

    // Killed, and begun again: it knows its own.
    assert!(!lab.end_host_daemon("h2", Signal::SIGKILL)?.success());
    assert_eq!(told(&lab, "h2")?, before);
    let said = lab.host_status("h2")?["warnings"].to_string();
    assert!(said.contains("was killed"), "{said}");
    lab.start_host_daemons(&["h2"])?;
    follows_addresses(&lab)?;
    assert!(lab.end_host_daemon("h2", Signal::SIGINT)?.success());
    assert_eq!(told(&lab, "h2")?, (json!([2, 0]), ports(&[(61004, "others")])));

    // Limits of somebody else stay, while it runs and after it.
    batch("ip", &lab.namespace("h1")?, &["mptcp limits set subflows 8 add_addr_accepted 5".into()])?;
    assert!(lab.host_status("h1")?["warnings"].to_string().contains("limits were set by others"));
    assert!(lab.end_host_daemon("h1", Signal::SIGTERM)?.success());
    assert_eq!(told(&lab, "h1")?, (json!([8, 5]), vec![]));
    leaves_it_to_mptcpd(&mut lab)
}

/// An address that comes has an endpoint, and none when it goes.
fn follows_addresses(lab: &Lab) -> Result<()> {
    let namespace = lab.namespace("h2")?;
    let has_it = || {
        let status = lab.host_status("h2")?;
        let all = status["endpoints"].as_array().context("endpoints")?;
        Ok(all.iter().filter(|it| it["address"] == "10.0.2.77").count() == 2)
    };
    batch("ip", &namespace, &["addr add 10.0.2.77/16 dev eth0".into()])?;
    wait_until(has_it).context("an address that comes")?;
    batch("ip", &namespace, &["addr del 10.0.2.77/16 dev eth0".into()])?;
    wait_until(|| Ok(!lab.host_status("h2")?["endpoints"].to_string().contains("10.0.2.77")))
        .context("an address that goes")
}

/// Where mptcpd runs nothing is touched, what was set before is taken away, and the exit status says why.
fn leaves_it_to_mptcpd(lab: &mut Lab) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let program = directory.path().join("mptcpd");
    symlink(run(Command::new("sh").args(["-c", "command -v sleep"]))?.trim(), &program)?;
    let namespace = lab.namespace("h2")?;
    lab.start_host_daemons(&["h2"])?;
    let mut daemon = namespace.command(&program.to_string_lossy()).arg("1000").spawn()?;
    let comm = format!("/proc/{}/comm", daemon.id());
    wait_until(|| Ok(std::fs::read_to_string(&comm)?.trim() == "mptcpd"))?;
    // It looks when something changes.
    batch("ip", &namespace, &["addr add 10.0.2.77/16 dev eth0".into()])?;
    let foreign = (json!([2, 0]), ports(&[(61004, "others")]));
    wait_until(|| Ok(told(lab, "h2")? == foreign)).context("it does not leave what it had set")?;
    assert_eq!(lab.end_host_daemon("h2", Signal::SIGTERM)?.code(), Some(3));
    let refused = lab.host_daemon("h2")?.output()?;
    daemon.kill()?;
    daemon.wait()?;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("mptcpd runs here"), "{said}");
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(told(lab, "h2")?, foreign);
    Ok(())
}

/// Who decides about the subflows of new connections of a host: 0 is the kernel, 1 user space.
fn decides(lab: &Lab, host: &str) -> Result<String> {
    let said = run(lab.namespace(host)?.command("sysctl").args(["-n", "net.mptcp.pm_type"]))?;
    Ok(said.trim().to_owned())
}

/// How often a host has sent MP_PRIO.
fn priorities_sent(lab: &Lab) -> Result<u64> {
    let said = run(lab.namespace("h1")?.command("nstat").args(["-asz", "MPTcpExtMPPrioTx"]))?;
    let counter =
        said.lines().find_map(|line| line.strip_prefix("MPTcpExtMPPrioTx")).context("no counter")?;
    Ok(counter.split_whitespace().next().context("no number")?.parse()?)
}

#[test]
fn in_user_space_long_and_big_connections_have_more_subflows_and_lost_ones_come_back() -> Result<()> {
    let name = "in_user_space_long_and_big_connections_have_more_subflows_and_lost_ones_come_back";
    let told = "mode: userspace\nlong_after: 6s\nbig_from: 100000\n";
    let Some(mut lab) = lab(name, told, "")? else { return Ok(()) };
    assert_eq!([decides(&lab, "h1")?, decides(&lab, "h2")?], ["1", "1"]);
    let begin = Instant::now();
    let both = connect(&lab, 2)?;
    let (idle, big) = both.split_at(1);
    let [near, far] = &big[0];
    let mut room = vec![std::mem::MaybeUninit::uninit(); 200_000];
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(|| (&*near).write_all(&[7; 200_000]));
        let mut received = 0;
        while received < 200_000 {
            received += far.recv(&mut room)?;
        }
        Ok(())
    })?;
    wait_until(|| Ok(have(&known(&lab, big)?, 1, 4))).with_context(|| shown(&lab, big))?;
    let when = begin.elapsed();
    println!("the big connection has four subflows {when:?} after both began");
    assert_eq!(established(&lab)?.len(), 5, "the other one has said little, {when:?} after it began");
    ensure!(when < Duration::from_secs(6), "too late to tell them apart: {when:?}");
    wait_until(|| Ok(have(&known(&lab, idle)?, 1, 4))).with_context(|| shown(&lab, idle))?;

    // An error ends one of each connection: h1 opens it again.
    let before = established(&lab)?;
    run(lab.namespace("h2")?.command("ss").args(["-K", "-tn", "sport", "=", ":61001"]))?;
    let is_back = || {
        let now = established(&lab)?;
        Ok(now.len() == 8 && now != before)
    };
    wait_until(is_back).with_context(|| format!("before {before:?}, now {:?}", established(&lab)))?;

    follows_silence(&lab, near)?;
    drop(both);
    ends_and_is_killed(&mut lab)
}

/// A subflow whose acknowledgments do not come is a backup until they do.
fn follows_silence(lab: &Lab, near: &Socket) -> Result<()> {
    let before = priorities_sent(lab)?;
    let rule = |verb: &str| {
        batch(
            "ip",
            &lab.namespace("h2")?,
            &[format!("rule {verb} sport 61002 ipproto tcp priority 1 blackhole")],
        )
    };
    rule("add")?;
    let sends = || {
        // What is sent goes along all subflows, because each has little room.
        near.set_nonblocking(true)?;
        drop((&*near).write(&[7; 50_000]));
        priorities_sent(lab)
    };
    wait_until(|| Ok(sends()? > before)).context("a silent subflow does not become a backup")?;
    let silent = priorities_sent(lab)?;
    rule("del")?;
    wait_until(|| Ok(sends()? > silent)).context("a subflow that works again stays a backup")
}

/// New connections are the kernel's again after it, also if it was killed and began again in between.
fn ends_and_is_killed(lab: &mut Lab) -> Result<()> {
    assert!(lab.end_host_daemon("h1", Signal::SIGTERM)?.success());
    assert_eq!(decides(lab, "h1")?, "0");
    assert!(!lab.end_host_daemon("h2", Signal::SIGKILL)?.success());
    assert_eq!(decides(lab, "h2")?, "1");
    let said = lab.host_status("h2")?["warnings"].to_string();
    assert!(said.contains("was killed"), "{said}");
    lab.start_host_daemons(&["h2"])?;
    wait_until(|| Ok(lab.host_status("h2")?["listeners"].as_array().is_some_and(|it| it.len() == 3)))?;
    assert!(lab.end_host_daemon("h2", Signal::SIGINT)?.success());
    assert_eq!(decides(lab, "h2")?, "0");
    Ok(())
}
