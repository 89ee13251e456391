//! Frames that want to mislead, or that others forget: what leaves the far edge is compared byte for byte.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use smoc_tests::command::batch;
use smoc_tests::lab::{Lab, Routing};
use smoc_tests::subflows::{Connection, connections};
use smoc_tests::testing::{lab_for, options};
use smoc_tests::traffic::{
    Answer, Capture, Family, Ports, Station, address, checksum, join_connection, open_connection, ping,
};

const PATIENCE: Duration = Duration::from_secs(3);

/// Two keys of one token (v1), from a search with another implementation of SHA-256.
const COLLIDING: (u64, u64, u32) = (0x0783_91f4_0003_7afb, 0xc32c_07bf_bf9e_6099, 0x2b78_6154);

fn station(lab: &Lab, host: &str) -> Result<Station> {
    Station::at(lab.plan().host(host)?)
}

fn counter(lab: &Lab, switch: &str, name: &str) -> Result<u64> {
    let status = lab.ask(switch, &["status"])?;
    let found = status["counters"].as_array().into_iter().flatten().find(|counter| counter["name"] == name);
    let value = found.and_then(|counter| counter["value"].as_u64());
    value.with_context(|| format!("`smoc status` of {switch} has no counter {name}: {status}"))
}

/// A datagram that passes the line arrives as it was sent.
fn arrives_unchanged(lab: &Lab, frame: &[u8], filter: &str) -> Result<()> {
    let h1 = station(lab, "h1")?;
    let capture = Capture::start(&lab.namespace("h2")?, "eth0", filter)?;
    h1.send(frame)?;
    let frames = capture.finish(1, PATIENCE)?;
    assert_eq!(frames, [frame], "{filter}");
    Ok(())
}

#[test]
fn a_vlan_tag_arrives_as_it_was_sent() -> Result<()> {
    let Some(lab) = lab_for("a_vlan_tag_arrives_as_it_was_sent", &options("line.yaml", Routing::Smoc))?
    else {
        return Ok(());
    };
    let (h1, h2) = (station(&lab, "h1")?, station(&lab, "h2")?);
    let plain_before = counter(&lab, "e1", "plain")?;
    let tagged = h1.udp(&h2, h2.mac(), Some(42), b"through the fabric with a tag")?;
    arrives_unchanged(&lab, &tagged, "vlan 42 and udp port 4000")?;
    assert!(counter(&lab, "e1", "plain")? > plain_before, "the bridge carried it, not smoc");
    let untagged = h1.udp(&h2, h2.mac(), None, b"and without one")?;
    arrives_unchanged(&lab, &untagged, "udp port 4000")
}

#[test]
fn a_routed_frame_loses_one_of_its_ttl_and_the_last_one_is_answered() -> Result<()> {
    let name = "a_routed_frame_loses_one_of_its_ttl_and_the_last_one_is_answered";
    let Some(lab) = lab_for(name, &options("line.yaml", Routing::Smoc))? else { return Ok(()) };
    let gateway: IpAddr = [10, 0, 1, 254].into();
    let (e1, h1) = (lab.namespace("e1")?, lab.namespace("h1")?);
    e1.set_sysctls(&[("ipv4/ip_forward", "1")])?;
    batch("ip", &e1, &[format!("address add {gateway}/22 dev br0")])?;
    let target = address(lab.plan().host("h2")?, Family::V4)?;
    batch("ip", &h1, &[format!("route add {target}/32 via {gateway}")])?;
    assert_eq!(ping(&h1, gateway, 56, None, PATIENCE)?, Some(Answer::Echo));

    assert_eq!(ping(&h1, target, 56, Some(1), PATIENCE)?, Some(Answer::TimeExceeded(gateway)));
    let capture = Capture::start(&lab.namespace("h2")?, "eth0", "icmp[icmptype] == icmp-echo")?;
    assert_eq!(ping(&h1, target, 56, Some(2), PATIENCE)?, Some(Answer::Echo));
    let arrived = capture.finish(1, PATIENCE)?.into_iter().next().context("the echo request at h2")?;
    let header = &arrived[14..34];
    assert_eq!(header[8], 1, "the TTL");
    assert_eq!(checksum(header), 0, "the header checksum");
    assert_eq!(arrived[..6], station(&lab, "h2")?.mac());
    assert_ne!(arrived[6..12], station(&lab, "h1")?.mac(), "a router sends from a MAC of its own");
    Ok(())
}

#[test]
fn joins_of_colliding_tokens_go_to_the_connection_of_their_server() -> Result<()> {
    let name = "joins_of_colliding_tokens_go_to_the_connection_of_their_server";
    let Some(lab) = lab_for(name, &options("fat-tree-k4.yaml", Routing::Smoc))? else { return Ok(()) };
    let (first_key, second_key, token) = COLLIDING;
    for host in ["h1", "h5", "h8"] {
        // The kernels must not answer what they did not ask for.
        batch("ip", &lab.namespace(host)?, &["address flush dev eth0 scope global".to_owned()])?;
    }
    let (client, h5, h8) = (station(&lab, "h1")?, station(&lab, "h5")?, station(&lab, "h8")?);
    let ports = |client| Ports { client, server: 80 };
    open_connection(&client, &h5, ports(1001), (1, first_key))?;
    open_connection(&client, &h8, ports(2001), (2, second_key))?;
    for (server, port) in [(&h5, 1002), (&h8, 2002)] {
        join_connection(&client, server, ports(port), token, 1)?;
    }
    let known = connections(&lab, "e11")?;
    for (server, expected) in [("10.3.1.1", [1001, 1002]), ("10.4.2.1", [2001, 2002])] {
        let server: IpAddr = server.parse()?;
        let to_it =
            |connection: &&Connection| connection.subflows.iter().any(|at| at.remote.address == server);
        let found: Vec<_> = known.iter().filter(to_it).collect();
        assert_eq!(found.len(), 1, "one connection to {server}: {known:#?}");
        let mut ports: Vec<u16> = found[0].subflows.iter().map(|subflow| subflow.local.port).collect();
        ports.sort_unstable();
        assert_eq!(ports, expected, "{found:#?}");
        assert!(found[0].token_set().contains(&format!("{token:08x}")), "{found:#?}");
        assert_eq!(found[0].distinct_paths(), 2, "{found:#?}");
    }
    Ok(())
}
