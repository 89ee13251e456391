//! The same work by networkx, for a few pairs.

use std::io::Write;
use std::process::{Command, Stdio};

use smoc_paths::search::Policy;
use smoc_paths::topology::{SwitchId, Topology};

const SCRIPT: &str = include_str!("networkx_paths.py");

/// Milliseconds a pair, if Python has networkx and it answers within the time the script allows itself.
pub fn per_pair(topology: &Topology, from: SwitchId, policy: Policy, count: usize) -> Option<f64> {
    let mut child = Command::new("python3")
        .args(["-c", SCRIPT, &policy.to_string(), &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let edges: Vec<_> = topology.edges().into_iter().filter(|&edge| edge != from).collect();
    let sample: Vec<_> = edges.iter().step_by(edges.len().div_ceil(5)).map(|edge| edge.0).collect();
    let links: Vec<_> =
        topology.links().iter().map(|link| (link.a.switch.0, link.b.switch.0, link.cost)).collect();
    let question = serde_json::json!({"links": links, "from": from.0, "to": sample});
    child.stdin.take()?.write_all(question.to_string().as_bytes()).ok()?;
    let answer = child.wait_with_output().ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}
