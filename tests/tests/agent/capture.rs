//! `smoc capture`: what its files say, as tshark and `smoc decode` read them, and what it leaves alone. Needs root.

use std::{
    collections::BTreeSet,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use smoc_tests::{
    command::run,
    lab::{Lab, Programs, Routing},
    testing::{lab_for, options, wait_until},
    traffic::{Amount, Datagrams, Family, Protocol, Running, Transfer},
};

/// A running `smoc capture`, killed with its owner.
struct Capturing {
    child: Child,
    file: PathBuf,
}

impl Capturing {
    /// At a switch, into a file of the directory, which is there once frames are captured.
    fn start(directory: &Path, switch: &str, name: &str, arguments: &[&str]) -> Result<Self> {
        let file = directory.join(name);
        let mut command = command(switch, arguments)?;
        if arguments.contains(&"--write") {
            command.arg(&file);
        } else {
            command.stdout(File::create(&file)?);
        }
        let mut child = command.stderr(File::create(directory.join("stderr"))?).spawn()?;
        wait_until(|| match child.try_wait()? {
            Some(_) => Err(anyhow::anyhow!("{}", std::fs::read_to_string(directory.join("stderr"))?)),
            None => Ok(is_capturing(switch)?),
        })?;
        Ok(Self { child, file })
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id() as i32), signal)?)
    }

    /// Waits for its end.
    fn ended(&mut self) -> Result<ExitStatus> {
        let mut status = None;
        wait_until(|| {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        })?;
        status.context("it ends")
    }
}

impl Drop for Capturing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(switch: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(Programs::find()?.smoc);
    command.args(["capture", "--api"]).arg(format!("/run/smoc-lab/{switch}.sock")).args(arguments);
    command.stdin(Stdio::null());
    Ok(command)
}

/// Whether the agent has begun a capture that has not ended.
fn is_capturing(switch: &str) -> Result<bool> {
    let log = std::fs::read_to_string(format!("/run/smoc-lab/{switch}.log"))?;
    Ok(log.matches("a capture begins").count() > log.matches("the capture ends").count())
}

/// Number and tag of the program on each port of e1.
fn programs(lab: &Lab) -> Result<Vec<(u64, String)>> {
    let program = |port: &str| {
        let mut command = lab.namespace("e1")?.command("ip");
        let links: Value = serde_json::from_str(&run(command.args(["-j", "-d", "link", "show", port]))?)?;
        let program = &links[0]["xdp"]["prog"];
        let tag = program["tag"].as_str().context("a tag")?;
        Ok((program["id"].as_u64().context("a program")?, tag.to_owned()))
    };
    ["p1", "p2", "p3", "p4", "p9"].into_iter().map(program).collect()
}

/// What tshark makes of a file: the fields of each frame.
fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-o", "tcp.check_checksum:FALSE", "-T", "fields", "-E", "separator=|"]);
    if !filter.is_empty() {
        command.args(["-Y", filter]);
    }
    let fields = fields.iter().flat_map(|field| ["-e", field]);
    let rows = run(command.args(fields)).context("tshark (Debian: apt-get install tshark)")?;
    Ok(rows.lines().map(|row| row.split('|').map(str::to_owned).collect()).collect())
}

fn transfer(lab: &Lab, amount: Amount) -> Result<Running> {
    Transfer::between(lab, "h1", "h2", Family::V4, Protocol::Mptcp, amount)?.start()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_file_says_of_each_frame_what_became_of_it_and_tshark_and_decode_read_it() -> Result<()> {
    let test = "a_file_says_of_each_frame_what_became_of_it_and_tshark_and_decode_read_it";
    let Some(lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let before = programs(&lab)?;
    let arguments = ["--snaplen", "200", "--write"];
    let mut capturing = Capturing::start(directory.path(), "e1", "e1.pcapng", &arguments)?;
    let raw = ["host", "10.0.1.1", "rank", "0", "--raw", "--write"];
    let mut on_the_wire = Capturing::start(directory.path(), "m2", "m2.pcapng", &raw)?;
    let during = programs(&lab)?;
    ensure!(before.iter().zip(&during).all(|(before, during)| before.1 != during.1), "{before:?} {during:?}");
    let refused = command("e1", &["--count", "1"])?.output()?;
    ensure!(!refused.status.success() && refused.stdout.is_empty(), "{refused:?}");
    ensure!(String::from_utf8_lossy(&refused.stderr).contains("another capture is running"), "{refused:?}");

    let received = transfer(&lab, Amount::Bytes(4_000_000))?.finish()?;
    ensure!(received.bytes == 4_000_000, "{received:?}");
    capturing.signal(Signal::SIGINT)?;
    ensure!(capturing.ended()?.success(), "{}", std::fs::read_to_string(directory.path().join("stderr"))?);
    wait_until(|| Ok(programs(&lab)? == before)).context("the same programs as before")?;

    on_the_wire.signal(Signal::SIGTERM)?;
    ensure!(on_the_wire.ended()?.success(), "it ends well");
    let frames = tshark(&on_the_wire.file, "", &["eth.dst", "ip.src", "ip.dst", "frame.comment"])?;
    let is_raw = |row: &Vec<String>| {
        row[0].starts_with("02:53:4d:")
            && row[1..3].contains(&"10.0.1.1".to_owned())
            && row[3].contains("rank 0")
    };
    ensure!(!frames.is_empty() && frames.iter().all(is_raw), "{frames:?}");
    check_comments(&capturing.file)?;
    check_keys(&capturing.file)?;
    let mut decode = Command::new(Programs::find()?.smoc);
    let decoded = run(decode.args(["decode", "--format", "json"]).arg(&capturing.file))?;
    let options: Vec<Value> = serde_json::from_str(&decoded)?;
    let of = |subtype: &str| options.iter().filter(|option| option["subtype"] == subtype).count();
    ensure!(of("MP_CAPABLE") >= 3 && of("MP_JOIN") >= 9, "{options:#?}");
    Ok(())
}

/// What a client sends leaves by the path that the comment names, with the addresses of the hosts.
fn check_comments(file: &Path) -> Result<()> {
    let fields =
        ["frame.interface_name", "frame.packet_flags_direction", "eth.src", "eth.dst", "frame.comment"];
    let sent = tshark(file, "tcp && ip.src == 10.0.1.0/24", &fields)?;
    let mut paths = BTreeSet::new();
    for row in &sent {
        let [interface, direction, source, destination, comment] = &row[..] else { anyhow::bail!("{row:?}") };
        ensure!(direction == "0x00000002" || direction == "2", "outbound: {row:?}");
        ensure!(source == "02:00:00:00:00:01" && destination == "02:00:00:00:00:02", "{row:?}");
        let path = format!("path e1 - {} - e2", interface.replace('p', "m"));
        ensure!(comment.contains(&path) && comment.contains("in by port 9"), "{row:?}");
        let outcome = comment.split(',').next().unwrap_or_default();
        ensure!(outcome == "outcome established" || outcome == "outcome handshake", "{row:?}");
        ensure!(outcome == "outcome handshake" || comment.contains(", token "), "{row:?}");
        paths.insert(path);
    }
    ensure!(paths.len() == 4 && sent.len() > 100, "{} frames by {paths:?}", sent.len());
    let received = tshark(file, "tcp && ip.dst == 10.0.1.0/24", &fields)?;
    let arrived = |row: &Vec<String>| {
        row[0] == "p9"
            && row[2] == "02:00:00:00:00:02"
            && row[3] == "02:00:00:00:00:01"
            && row[4].starts_with("outcome delivered, rank ")
            && row[4].contains(", path e2 - m")
    };
    ensure!(!received.is_empty() && received.iter().all(arrived), "{received:#?}");
    let described = tshark(file, "", &["frame.interface_name", "frame.interface_description"])?;
    ensure!(described.contains(&vec!["p9".into(), "e1:9, hosts".into()]), "{described:?}");
    ensure!(described.contains(&vec!["p1".into(), "e1:1, to m1:1".into()]), "{described:?}");
    Ok(())
}

/// No key is in the file, and where one was the comment says so.
fn check_keys(file: &Path) -> Result<()> {
    let fields = ["tcp.options.mptcp.sendkey", "tcp.options.mptcp.recvkey", "frame.comment"];
    let with_keys = tshark(file, "tcp.options.mptcp.sendkey", &fields)?;
    ensure!(with_keys.len() >= 2, "SYN/ACK and third ACK: {with_keys:?}");
    for row in &with_keys {
        ensure!(row[..2].iter().all(|key| key.chars().all(|digit| digit == '0')), "{row:?}");
        ensure!(row[2].contains("keys overwritten"), "{row:?}");
    }
    Ok(())
}

#[test]
fn filters_select_exactly_also_at_a_switch_on_the_way() -> Result<()> {
    let test = "filters_select_exactly_also_at_a_switch_on_the_way";
    let Some(lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let running = transfer(&lab, Amount::Time(12 * SECOND))?;
    let mut connections = Value::Null;
    wait_until(|| {
        connections = lab.ask("e1", &["conns"])?;
        Ok(connections[0]["subflows"].as_array().is_some_and(|subflows| subflows.len() == 4))
    })?;
    let token = connections[0]["tokens"]["local"].as_str().context("a token")?.to_owned();
    let subflow = &connections[0]["subflows"][2];
    let (local, remote) = (&subflow["local"], &subflow["remote"]);
    let address = |end: &Value| format!("{}:{}", end["address"].as_str().unwrap_or_default(), end["port"]);
    let (source, destination) = (address(local), address(remote));
    let rank = subflow["rank"].as_u64().context("a rank")?;

    let connection = format!("{source}-{destination}");
    let wanted: [(&str, Vec<&str>); 3] = [
        ("e1", vec!["connection", &connection, "outcome", "established"]),
        ("e2", vec!["token", &token, "port", "p2"]),
        ("m4", vec!["path", "e2"]),
    ];
    let [one, two, three] = std::thread::scope(|scope| {
        let selecting = wanted.each_ref().map(|wanted| scope.spawn(move || select(wanted.0, &wanted.1)));
        selecting.map(|selecting| selecting.join().expect("it is selected"))
    });
    all(&one?, &|frame| {
        frame["source"] == source.as_str()
            && frame["destination"] == destination.as_str()
            && frame["rank"] == rank
            && frame["outcome"] == "established"
            && frame["direction"] == "out"
    })?;
    let has = |frame: &Value, list: &str, wanted: &str| {
        frame[list].as_array().is_some_and(|all| all.contains(&wanted.into()))
    };
    all(&two?, &|frame| has(frame, "tokens", &token) && has(frame, "path", "m2"))?;
    all(&three?, &|frame| {
        let is_whole = frame["path"].as_array().is_some_and(|path| path.len() == 3 && path[1] == "m4");
        is_whole && frame["outcome"] == "transit" && has(frame, "path", "e2")
    })?;
    running.finish()?;
    Ok(())
}

/// The first frames that are wanted, and no others.
fn select(switch: &str, words: &[&str]) -> Result<Vec<Value>> {
    let arguments = [words, &["--count", "40", "--seconds", "8", "--format", "json"]].concat();
    let output = command(switch, &arguments)?.output()?;
    ensure!(output.status.success(), "{words:?}: {output:?}");
    let text = String::from_utf8(output.stdout)?;
    let frames: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(frames.len() == 40, "{words:?}: {} frames", frames.len());
    Ok(frames)
}

fn all(frames: &[Value], is_so: &dyn Fn(&Value) -> bool) -> Result<()> {
    let wrong = frames.iter().find(|frame| !is_so(frame));
    ensure!(wrong.is_none(), "{wrong:#?}");
    Ok(())
}

#[test]
fn a_client_that_hangs_or_dies_and_an_agent_that_dies_change_nothing_for_frames() -> Result<()> {
    let test = "a_client_that_hangs_or_dies_and_an_agent_that_dies_change_nothing_for_frames";
    let Some(mut lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let before = programs(&lab)?;
    let mut hanging = Capturing::start(directory.path(), "e1", "hanging.pcapng", &["--write"])?;
    hanging.signal(Signal::SIGSTOP)?;
    transfer(&lab, Amount::Bytes(60_000_000))?.finish()?;
    hanging.signal(Signal::SIGCONT)?;
    let mut size = 0;
    wait_until(|| {
        Ok(std::mem::replace(&mut size, hanging.file.metadata()?.len()) == size && size > 8_000_000)
    })?;
    transfer(&lab, Amount::Bytes(100_000))?.finish()?;
    hanging.signal(Signal::SIGINT)?;
    ensure!(hanging.ended()?.success(), "it ends well");
    let lost = tshark(&hanging.file, "frame.drop_count", &["frame.drop_count"])?;
    let counted = lost.iter().filter_map(|row| row[0].parse::<u64>().ok()).sum::<u64>();
    ensure!(counted > 0, "frames that found no room are counted in the file: {lost:?}");

    let killed = Capturing::start(directory.path(), "e1", "killed.pcapng", &["--write"])?;
    killed.signal(Signal::SIGKILL)?;
    wait_until(|| Ok(programs(&lab)? == before)).context("the same programs as before")?;

    let mut left = Capturing::start(directory.path(), "e1", "left.json", &["--format", "json"])?;
    let running = transfer(&lab, Amount::Time(4 * SECOND))?;
    wait_until(|| Ok(left.file.metadata()?.len() > 0))?;
    lab.kill_agent("e1")?;
    let ended = left.ended()?;
    ensure!(ended.code() == Some(1), "{ended}");
    let said = std::fs::read_to_string(directory.path().join("stderr"))?;
    ensure!(said.contains("the agent"), "{said}");
    running.finish()?;
    lab.start_agent("e1")?;
    let tags = |programs: Vec<(u64, String)>| programs.into_iter().map(|(_, tag)| tag).collect::<Vec<_>>();
    wait_until(|| Ok(tags(programs(&lab)?) == tags(before.clone())))
        .context("the programs that do not capture")?;
    transfer(&lab, Amount::Bytes(100_000))?.finish()?;
    Ok(())
}

/// The programs of one capture are loaded while those of the one before are taken off the ports.
#[test]
fn captures_one_after_the_other_lose_no_frame_and_take_no_port_down() -> Result<()> {
    let test = "captures_one_after_the_other_lose_no_frame_and_take_no_port_down";
    let Some(lab) = lab_for(test, &options("demo.yaml", Routing::Smoc))? else { return Ok(()) };
    let down = |lab: &Lab| Ok::<_, anyhow::Error>(lab.log("e1")?.matches("port is down").count());
    let before = down(&lab)?;
    let datagrams = Datagrams::start(&lab, "h1", "h2", Family::V4, u32::MAX, 200, Duration::from_millis(1))?;
    for _ in 0..6 {
        let output = command("e1", &["--seconds", "0.4", "outcome", "plain"])?.output()?;
        ensure!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
    }
    let arrived = datagrams.stop()?;
    ensure!(arrived.received == arrived.sent && arrived.sent > 0, "{} of {}", arrived.received, arrived.sent);
    ensure!(down(&lab)? == before, "{}", lab.log("e1")?);
    Ok(())
}
