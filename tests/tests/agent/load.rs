//! An agent of a large fabric that everybody talks to.

use std::{
    fs,
    net::IpAddr,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya::maps::{DevMap, Map, MapData};
use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};
use smoc_control::{
    discovery::announcement::{self, Lists},
    hosts::Sighting,
};
use smoc_tests::{
    command::batch,
    netns::{is_running, switch_interface},
    traffic::FrameSender,
};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

use super::{
    discovery::now,
    site::{PATIENCE, Site},
};

/// Switches of a fat-tree of 20-port switches, less the one under test.
const OTHERS: usize = 499;
/// Hosts behind each of them.
const HOSTS: usize = 40;
/// How often each agent repeats what it knows.
const REPEAT: Duration = Duration::from_secs(5);
/// How often the port loses carrier.
const FLIPS: usize = 100;

/// The announcements of all other switches, for the time being: the frames of each.
fn announcements(names: &[String], sequence: u64) -> Vec<Vec<Vec<u8>>> {
    let frames = |(number, name): (usize, &String)| {
        let host = |n: usize| Sighting {
            address: IpAddr::from([10, (number >> 8) as u8, number as u8, n as u8 + 1]),
            mac: MacAddress::new([2, 0, 1, (number >> 8) as u8, number as u8, n as u8]),
            port: PortNumber::new(11 + n as u16 % 10).unwrap(),
            seen: now(),
        };
        let lists = Lists { hosts: (0..HOSTS).map(host).collect(), ..Lists::default() };
        let parts = announcement::parts(name, (7, sequence), &lists);
        parts.iter().map(|part| part.frame(MacAddress::new([2, 0, 2, 0, 0, 1]), now())).collect()
    };
    names.iter().enumerate().map(frames).collect()
}

/// An ARP request of 10.9.9.9 from one of two MAC addresses.
fn arp(mac: u8) -> Vec<u8> {
    let (from, head) = ([2, 0, 0, 0, 3, mac], [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    [&[0xff; 6][..], &from, &head, &from, &[10, 9, 9, 9], &[0; 6], &[10, 0, 0, 1]].concat()
}

/// Sends what a large fabric and a faulty host say until it is told to stop.
fn talk(site: &Site, names: &[String], stop: &AtomicBool) {
    let neighbor = FrameSender::open(&site.namespace, "q1").unwrap();
    let host = FrameSender::open(&site.namespace, "q9").unwrap();
    let (begin, mut told, mut asked, mut round) = (Instant::now(), 0, 0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let due = (begin.elapsed().as_secs_f64() / REPEAT.as_secs_f64() * names.len() as f64) as usize;
        while told < due {
            if told % names.len() == 0 {
                round = announcements(names, 2 + (told / names.len()) as u64);
            }
            let frames: &Vec<Vec<u8>> = &round[told % names.len()];
            frames.iter().for_each(|frame| neighbor.send(frame).unwrap());
            told += 1;
        }
        while asked < begin.elapsed().as_millis() {
            host.send(&arp(1 + (asked % 2) as u8)).unwrap();
            asked += 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A fat-tree with host port 12 besides those of the site; the names of the other switches.
fn large(site: &Site) -> Vec<String> {
    let output = site.smoc(&["topology", "--fat-tree", "20", "--format", "yaml"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let links = text.split("hosts:").next().unwrap();
    fs::write(site.path("topology.yaml"), links).unwrap();
    let lines = ["link add p3 type veth peer name q3", "link set p3 master br0 up", "link set q3 up"];
    batch("ip", &site.namespace, &lines.map(str::to_owned)).unwrap();
    let absent: String = (3..=10).map(|n| format!(", {n}: none{n}")).collect();
    site.configure("e1", &["switch: e0-0", &format!("ports: {{1: p1, 2: p2, 11: p9, 12: p3{absent}}}")]);
    let mut names: Vec<String> = links
        .split('"')
        .filter_map(|end| Some(end.split_once(':')?.0.to_owned()))
        .filter(|name| name.starts_with(['a', 'c', 'e']) && name != "e0-0")
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), OTHERS);
    names
}

/// Processor time of the thread that decides, which is the process's first.
fn control_time(pid: i32) -> Duration {
    let path = PathBuf::from(format!("/proc/{pid}/task/{pid}/schedstat"));
    let text = fs::read_to_string(path).unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn what_says_nothing_new_costs_nothing_and_a_dead_port_waits_for_nobody() {
    let test = "what_says_nothing_new_costs_nothing_and_a_dead_port_waits_for_nobody";
    let Some(mut site) = Site::open(test) else { return };
    let names = large(&site);
    let pid = site.start("e1").as_raw();
    let first = FrameSender::open(&site.namespace, "q1").unwrap();
    for frame in announcements(&names, 1).concat() {
        first.send(&frame).unwrap();
        thread::sleep(Duration::from_micros(500));
    }
    site.wait_for("e1", "status", |status| status["hosts"] == OTHERS * HOSTS);

    let map = MapData::from_pin(site.pin("e1").join("HOST_PORTS")).and_then(Map::from_map_data).unwrap();
    let transmits: DevMap<MapData> = map.try_into().unwrap();
    let leads = || transmits.get(12, 0).is_ok_and(|entry| entry.if_index != 0);
    let stop = AtomicBool::new(false);
    let (cpu, share, late) = thread::scope(|scope| {
        scope.spawn(|| talk(&site, &names, &stop));
        let _silence = Stop(&stop);
        thread::sleep(Duration::from_secs(1));
        let (before, begin) = (control_time(pid), Instant::now());
        thread::sleep(REPEAT);
        let cpu = control_time(pid) - before;
        let share = cpu.as_secs_f64() / begin.elapsed().as_secs_f64();
        let flips = scope.spawn(|| {
            attend();
            (0..FLIPS).map(|_| flip(&site, &leads)).collect::<Vec<_>>()
        });
        (cpu, share, flips.join().unwrap())
    });
    for (what, late) in [
        ("a port without carrier is out of use", &mut late.iter().map(|late| late.0).collect::<Vec<_>>()),
        ("of that the agent took, once the kernel had told,", &mut late.iter().map(|late| late.1).collect()),
    ] {
        late.sort();
        println!(
            "{what} after {:?} (min), {:?} (median), {:?} (p90), {:?} (p99), {:?} (max of {FLIPS})",
            late[0],
            late[FLIPS / 2],
            late[FLIPS * 90 / 100],
            late[FLIPS * 99 / 100 - 1],
            late[FLIPS - 1]
        );
    }
    println!("the control thread took {cpu:?}: {:.1} % of a core", share * 100.0);
    let status = site.ask("e1", "status").unwrap();
    assert_eq!(status["hosts"], OTHERS * HOSTS + 1);
    let moves = status["epoch"].as_u64().unwrap();
    assert!(moves <= 12, "two MAC addresses fought for one address, and it moved {moves} times");
}

/// Gives this thread real-time priority, so that a busy machine is not measured instead of the agent.
fn attend() {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy).unwrap();
}

/// Tells when it is dropped, so that a failed assertion ends the thread as well.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Takes the carrier of port 12 away and gives it back; how long frames could still leave through it, and how long of that the
/// agent could know.
fn flip(site: &Site, leads: &impl Fn() -> bool) -> (Duration, Duration) {
    let deadline = Instant::now() + PATIENCE;
    while !leads() {
        assert!(Instant::now() < deadline, "port 12 is not taken into use");
        thread::sleep(Duration::from_millis(5));
    }
    let (mut told, mut late) = (None, None);
    let inside = site.namespace.run(|| {
        let down = switch("q3", false);
        while late.is_none() {
            assert!(Instant::now() < deadline, "port 12 is not taken out of use");
            if told.is_none() && !is_running("p3").unwrap() {
                told = Some(down.elapsed());
            }
            if !leads() {
                late = Some(down.elapsed());
            }
            thread::sleep(Duration::from_micros(10));
        }
        switch("q3", true);
    });
    inside.unwrap();
    let late = late.unwrap();
    (late, late.saturating_sub(told.unwrap_or(late)))
}

/// Switches an interface on or off by one system call; when that was done.
fn switch(interface: &str, on: bool) -> Instant {
    switch_interface(interface, on).unwrap();
    Instant::now()
}
