//! Hosts that nobody told of.

use std::{thread, time::Duration};

use nix::time::{ClockId, clock_gettime};
use serde_json::Value;
use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};
use smoc_control::{
    clock::Nanos,
    discovery::announcement::{self, Lists},
    hosts::Sighting,
    plan::DownPort,
};
use smoc_tests::traffic::FrameSender;

use super::site::Site;

const HOST: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// An ARP request from [`HOST`], which has this address.
fn arp(address: [u8; 4]) -> Vec<u8> {
    let head = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1];
    [&[0xff; 6][..], &HOST, &head, &HOST, &address, &[0; 6], &[10, 0, 0, 1]].concat()
}

fn host<'a>(hosts: &'a Value, address: &str) -> Option<&'a Value> {
    hosts.as_array()?.iter().find(|host| host["address"] == address)
}

/// Now, by the clock of the agents.
pub fn now() -> Nanos {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap();
    Nanos(time.as_nanos() as u64)
}

/// e1 as in [`Site`], and m1 at the other end of its links.
fn two_agents(test: &str) -> Option<Site> {
    let mut site = Site::open(test)?;
    site.configure("e1", &[]);
    let pin = format!("bpf: {{object: {}, pin: bpf/m1}}", site.object().display());
    let text = std::fs::read_to_string(site.configure("m1", &["switch: m1", "ports: {1: q1, 2: q2}", &pin]))
        .unwrap();
    std::fs::write(site.path("m1.yaml"), text.replace("bridge: br0\n", "")).unwrap();
    site.start("e1");
    site.start("m1");
    Some(site)
}

#[test]
fn a_host_that_speaks_is_learned_and_all_other_agents_are_told() {
    let Some(site) = two_agents("a_host_that_speaks_is_learned_and_all_other_agents_are_told") else {
        return;
    };
    let wire = FrameSender::open(&site.namespace, "q9").unwrap();
    // The port is closed until it is known that no switch is behind it.
    let hosts = site.wait_for("e1", "hosts", |hosts| {
        wire.send(&arp([10, 0, 0, 7])).unwrap();
        host(hosts, "10.0.0.7").is_some()
    });
    let learned = host(&hosts, "10.0.0.7").unwrap();
    assert_eq!(
        (&learned["source"], &learned["switch"], &learned["port"]),
        (&"learned".into(), &"e1".into(), &9.into())
    );
    assert_eq!(learned["mac"], "02:00:00:00:00:07");
    let hosts = site.wait_for("m1", "hosts", |hosts| host(hosts, "10.0.0.7").is_some());
    let told = host(&hosts, "10.0.0.7").unwrap();
    assert_eq!(
        (&told["source"], &told["switch"], &told["port"]),
        (&"announced".into(), &"e1".into(), &9.into())
    );
    site.wait_for("m1", "status", |status| status["edges"] == 1);
}

#[test]
fn an_announcement_from_a_host_port_is_not_believed() {
    let Some(site) = two_agents("an_announcement_from_a_host_port_is_not_believed") else { return };
    let sighting = Sighting {
        address: "10.0.0.66".parse().unwrap(),
        mac: MacAddress::new(HOST),
        port: PortNumber::new(9).unwrap(),
        seen: now(),
    };
    let down = DownPort { number: PortNumber::new(1).unwrap(), unanswered: false };
    let lists = Lists { hosts: vec![sighting], down: vec![down], ..Lists::default() };
    let forged = announcement::parts("m1", (1, u64::MAX), &lists)[0].frame(MacAddress::new(HOST), now());
    let wire = FrameSender::open(&site.namespace, "q9").unwrap();
    for _ in 0..3 {
        wire.send(&forged).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
    // What is heard after it shows that it was heard as well.
    for agent in ["e1", "m1"] {
        let hosts = site.wait_for(agent, "hosts", |hosts| {
            wire.send(&arp([10, 0, 0, 8])).unwrap();
            host(hosts, "10.0.0.8").is_some()
        });
        assert!(host(&hosts, "10.0.0.66").is_none(), "{agent}: {hosts:#}");
        let status = site.wait_for(agent, "status", |_| true);
        assert_eq!(status["links_down"], 0, "{agent}: {status:#}");
    }
}
