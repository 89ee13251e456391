//! Hosts that are silent: who answers when it is asked, in its own VLAN, stays known; who is gone is forgotten. Needs root.
//!
//! ```text
//!   h1 -- e1 == m1, m2 == e2 -- h2
//!                     \\
//!                      e3 -- h3
//! ```

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use smoc_tests::{
    command::batch,
    lab::Lab,
    testing::{lab_for, leaf_spine, options_of, wait_until},
    traffic::{Capture, FrameReceiver, FrameSender},
};

/// An address of h1 in [`VLAN`] that its kernel knows nothing of.
const TAGGED: [u8; 4] = [10, 0, 1, 77];
const VLAN: u8 = 5;
/// Of an ARP request that came in without a tag, or whose tag the kernel has taken off.
const QUESTION: usize = 60;

/// ARP, in which a host says that it has an address.
fn claim(host: u8, address: [u8; 4], vlan: Option<u8>) -> Vec<u8> {
    let (mac, nobody) = ([2, 0, 0, 0, 0, host], [2, 0, 0, 0, 0, 0x99]);
    let tag = vlan.map_or_else(Vec::new, |vlan| vec![0x81, 0, 0, vlan]);
    let head = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1];
    [&nobody[..], &mac, &tag, &head, &mac, &address, &[0; 6], &address, &[0; 18]].concat()
}

/// Where a switch sees an address.
fn place(lab: &Lab, edge: &str, address: &str) -> Result<Option<String>> {
    let hosts = lab.ask(edge, &["hosts"])?;
    let host = hosts.as_array().context("hosts")?.iter().find(|host| host["address"] == address);
    Ok(host.and_then(|host| host["switch"].as_str().map(str::to_owned)))
}

/// Whether two edges see an address at the first.
fn is_at_e1(lab: &Lab, address: &str) -> Result<bool> {
    let places = [place(lab, "e1", address)?, place(lab, "e2", address)?];
    Ok(places.iter().all(|place| place.as_deref() == Some("e1")))
}

/// h1's other half, which answers in its VLAN whoever asks for [`TAGGED`], until it is told to be silent.
struct Answering {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<usize>>,
}

impl Answering {
    fn start(lab: &Lab) -> Result<Self> {
        let receiver = FrameReceiver::open(&lab.namespace("h1")?, "eth0", QUESTION)?;
        let sender = FrameSender::open(&lab.namespace("h1")?, "eth0")?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let answer = move || {
            let mut answers = 0;
            while !over.load(Ordering::Relaxed) {
                let Some(frame) = receiver.receive(Duration::from_millis(100))? else { continue };
                if frame[..6] == [2, 0, 0, 0, 0, 1] && frame[12..14] == [8, 6] && frame[38..42] == TAGGED {
                    sender.send(&claim(1, TAGGED, Some(VLAN)))?;
                    answers += 1;
                }
            }
            Ok(answers)
        };
        Ok(Self { is_over, thread: thread::spawn(answer) })
    }

    fn stop(self) -> Result<usize> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the answering thread panicked"))?
    }
}

#[test]
fn silent_hosts_are_asked_in_their_vlan_and_forgotten_only_if_they_do_not_answer() -> Result<()> {
    let test = "silent_hosts_are_asked_in_their_vlan_and_forgotten_only_if_they_do_not_answer";
    let directory = tempfile::tempdir()?;
    let mut options = options_of(directory.path(), &leaf_spine(3, 2))?;
    options.agent.knows_hosts = false;
    options.agent.lines = "ageing: 1s\n".to_owned();
    let Some(lab) = lab_for(test, &options)? else { return Ok(()) };

    let (tagged, silent) = ("10.0.1.77", "10.0.1.1");
    let answering = Answering::start(&lab)?;
    let asked =
        Capture::start(&lab.namespace("h1")?, "eth0", "vlan 5 and arp and ether dst 02:00:00:00:00:01")?;
    let h1 = FrameSender::open(&lab.namespace("h1")?, "eth0")?;
    h1.send(&claim(1, TAGGED, Some(VLAN)))?;
    h1.send(&claim(1, [10, 0, 1, 1], None))?;
    for address in [tagged, silent] {
        wait_until(|| is_at_e1(&lab, address)).with_context(|| format!("{address} is not learned"))?;
    }
    // Nobody speaks by himself any more, but somebody without a tag claims what h1 has in its VLAN, and the other way round.
    let thief = FrameSender::open(&lab.namespace("h3")?, "eth0")?;
    let (begin, mut looks) = (Instant::now(), 0);
    while begin.elapsed() < Duration::from_secs(4) {
        thief.send(&claim(3, TAGGED, None))?;
        thief.send(&claim(3, [10, 0, 1, 1], Some(VLAN)))?;
        for address in [tagged, silent] {
            ensure!(is_at_e1(&lab, address)?, "{address} was lost after {:?}", begin.elapsed());
            looks += 1;
        }
    }
    let answers = answering.stop()?;
    let questions = asked.finish(1, Duration::from_secs(5))?.len();
    println!("{looks} looks; {questions} questions with a tag, {answers} answers");
    ensure!(answers >= 3 && questions >= 3, "{questions} questions with a tag, {answers} answers");

    // Of one host both are gone now, and nobody claims what it had.
    batch("ip", &lab.namespace("h1")?, &["addr flush dev eth0".to_owned()])?;
    for address in [tagged, silent] {
        wait_until(|| Ok(place(&lab, "e1", address)?.is_none_or(|place| place != "e1")))
            .with_context(|| format!("{address} is still at e1"))?;
    }
    Ok(())
}
