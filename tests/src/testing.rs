//! What the tests in `tests/tests` share.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::lab::{Lab, LabOptions, Routing};
use crate::traffic::{Answer, Family, address, ping};

/// Three switches in a ring, and a host at each of two: two disjoint paths between these.
const RING: &str = "\
links:
  - {a: \"a:1\", b: \"b:1\", capacity: 100Mbit}
  - {a: \"b:2\", b: \"c:1\", capacity: 100Mbit}
  - {a: \"c:2\", b: \"a:2\", capacity: 100Mbit}
hosts:
  - {name: h1, port: \"a:9\", addresses: [10.0.0.1]}
  - {name: h2, port: \"c:9\", addresses: [10.0.0.2]}
";
/// The switches of [`ring_with_store`].
pub const RING_SWITCHES: [&str; 3] = ["a", "b", "c"];

/// Options for a lab of three switches in a ring that find each other and have etcd as their store, with further lines in each
/// agent's configuration. The topology is written into `directory`, which has to live as long as the lab.
///
/// # Errors
/// When the file cannot be written.
pub fn ring_with_store(directory: &Path, lines: &str) -> Result<LabOptions> {
    let mut options = options_of(directory, RING)?;
    (options.agent.discovers, options.agent.etcd) = (true, true);
    options.agent.lines = lines.to_owned();
    Ok(options)
}

/// A leaf-spine network as a topology file: switches e1, e2, ..., each with a link to each of m1, m2, ...; and at port 9 of the n-th
/// edge the host hn, with the address 10.0.n.1 and the MAC address 02:00:00:00:00:0n.
pub fn leaf_spine(edges: u8, spines: u8) -> String {
    let pairs = (1..=edges).flat_map(|edge| (1..=spines).map(move |spine| (edge, spine)));
    let link = |(edge, spine): (u8, u8)| format!("  - {{a: \"e{edge}:{spine}\", b: \"m{spine}:{edge}\"}}\n");
    let host = |n: u8| {
        format!(
            "  - {{name: h{n}, port: \"e{n}:9\", mac: \"02:00:00:00:00:{n:02x}\", addresses: [10.0.{n}.1]}}\n"
        )
    };
    let (links, hosts): (String, String) = (pairs.map(link).collect(), (1..=edges).map(host).collect());
    format!("links:\n{links}hosts:\n{hosts}")
}

/// Options for a test's smoc lab of this topology, which is written into `directory`: that has to live until the lab is up.
///
/// # Errors
/// When the file cannot be written.
pub fn options_of(directory: &Path, topology: &str) -> Result<LabOptions> {
    let file = directory.join("topology.yaml");
    std::fs::write(&file, topology)?;
    Ok(LabOptions { wait: true, quiet: true, ..LabOptions::new(file) })
}

/// A file of the repository's `examples`.
pub fn example(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).join(name)
}

/// Options for a test's lab of an example: one that waits its turn and is silent.
pub fn options(name: &str, routing: Routing) -> LabOptions {
    LabOptions { routing, wait: true, quiet: true, ..LabOptions::new(example(name)) }
}

/// Whether this test can run; if not, says why and counts as skipped.
pub fn can_run(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("SKIP {test}: needs root");
    }
    root
}

/// A lab for a test, or `None` where the test is skipped.
///
/// # Errors
/// When the lab cannot be built.
pub fn lab_for(test: &str, options: &LabOptions) -> Result<Option<Lab>> {
    can_run(test).then(|| Lab::up(options)).transpose()
}

/// Whether a host answers another one's ping over IPv4 within a second.
///
/// # Errors
/// A host is not in the lab, or nothing can be sent.
pub fn reaches(lab: &Lab, from: &str, to: &str) -> Result<bool> {
    let to = address(lab.plan().host(to)?, Family::V4)?;
    Ok(ping(&lab.namespace(from)?, to, 56, None, Duration::from_secs(1))? == Some(Answer::Echo))
}

/// Waits until something is so, or fails after a while that no busy machine needs.
///
/// # Errors
/// It cannot be found out, or does not come true.
pub fn wait_until(mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so()? {
        ensure!(Instant::now() < deadline, "what was waited for does not come true");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
