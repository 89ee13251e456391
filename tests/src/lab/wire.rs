//! Wires: what lies between the two switches of a link.
//!
//! A switch's XDP program redirects frames past its own qdiscs, so nothing can be shaped or lost at its ports.
//! Each link's two veth pairs therefore end in a namespace of their own, where frames that arrive from one end
//! are redirected (tc ingress, mirred) out of the other, through a token bucket of the link's capacity.
//! There, too, links are broken: without a netem qdisc in the kernel, loss is a classic BPF filter that lets a
//! random share of the frames through, and a black hole is the absence of any filter. Latency is not emulated.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::process::Command;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::check_interrupted;
use super::plan::{Link, Plan, WIRES};
use crate::command::{batch, run};
use crate::netns::Namespace;

/// What a link does to frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Carries them.
    #[default]
    Up,
    /// Neither switch has carrier on its port.
    Down,
    /// The ports keep their carrier; frames vanish.
    Blackhole,
    /// This many percent of the frames vanish.
    Loss(u8),
    /// IPv4 SYNs that ask for MPTCP vanish, as some middleboxes have it; their answers and all else pass.
    Swallow,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down => f.write_str("down"),
            Self::Blackhole => f.write_str("blackhole"),
            Self::Loss(percent) => write!(f, "loss {percent}%"),
            Self::Swallow => f.write_str("swallow"),
        }
    }
}

/// To which frames a condition applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// To all.
    #[default]
    Both,
    /// To those from the end that the topology names first.
    AToB,
    /// To those from the other end.
    BToA,
}

impl FromStr for Direction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "both" => Ok(Self::Both),
            "a-b" => Ok(Self::AToB),
            "b-a" => Ok(Self::BToA),
            _ => {
                Err("a direction is a-b, b-a or both; a is the end that the topology names first".to_owned())
            }
        }
    }
}

/// Frames and bytes that entered a link at each end, and left it at one, since the lab came up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Frames sent by `a`'s switch.
    pub frames_from_a: u64,
    /// Frames sent by `b`'s switch.
    pub frames_from_b: u64,
    /// Bytes of those from `a`, with Ethernet headers.
    pub bytes_from_a: u64,
    /// Bytes of those from `b`, with Ethernet headers.
    pub bytes_from_b: u64,
    /// Bytes that left the link at `b`, with Ethernet headers: what it carried of those from `a`.
    pub bytes_to_b: u64,
}

/// The namespace of all wires.
pub fn namespace() -> Namespace {
    Namespace::named(WIRES)
}

/// Connects the wire ends of every link; the interfaces exist already.
pub fn connect(plan: &Plan) -> Result<()> {
    let wires = namespace();
    let mut ip = Vec::new();
    let mut tc = Vec::new();
    for link in &plan.links {
        for (from, to) in [(link.wire_a(), link.wire_b()), (link.wire_b(), link.wire_a())] {
            // A veth takes redirected frames only with GRO on; frames must not be merged, or loss and counters
            // would be those of merged frames. XDP at the far end sees a VLAN tag only where it is in the frame.
            let offloads = ["gro", "on", "tx-vlan-hw-insert", "off", "tx-vlan-stag-hw-insert", "off"];
            run(wires.command("ethtool").args(["-K", &from]).args(offloads))?;
            ip.push(format!("link set {from} gro_max_size 1 up"));
            tc.push(format!("qdisc add dev {from} ingress"));
            tc.extend(link.bits_per_second.map(|rate| shaper(&to, rate, plan.mtu)));
            tc.extend(filter(Condition::Up, &from, &to));
        }
    }
    batch("ip", &wires, &ip)?;
    batch("tc", &wires, &tc)
}

/// Puts a link into a condition; what the other direction does stays as it is, unless the link was down.
/// Returns once the switches' ports say so, too.
///
/// # Errors
/// When asked to take only one direction down (a carrier has no direction), or when a tool fails.
pub fn set(link: &Link, condition: Condition, direction: Direction) -> Result<()> {
    let wires = namespace();
    let (a, b) = (link.wire_a(), link.wire_b());
    if condition == Condition::Down {
        if direction != Direction::Both {
            bail!("a link goes down in both directions: use blackhole or loss for one");
        }
        batch("ip", &wires, &[format!("link set {a} down"), format!("link set {b} down")])?;
        return wait_for_ports(link, false);
    }
    let mut tc = Vec::new();
    for (from, to, unless) in [(&a, &b, Direction::BToA), (&b, &a, Direction::AToB)] {
        if direction != unless {
            tc.extend([format!("qdisc del dev {from} ingress"), format!("qdisc add dev {from} ingress")]);
            tc.extend(filter(condition, from, to));
        }
    }
    batch("tc", &wires, &tc)?;
    batch("ip", &wires, &[format!("link set {a} up"), format!("link set {b} up")])?;
    wait_for_ports(link, true)
}

/// Waits until the ports at both ends know that they have a carrier, or that they have none.
fn wait_for_ports(link: &Link, carrier: bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    for port in [&link.a, &link.b] {
        let (namespace, interface) = (port.namespace(), port.interface());
        let mut show = Command::new("ip");
        show.args(["-n", namespace.name(), "-br", "link", "show", &interface]);
        while (run(&mut show)?.split_whitespace().nth(1) == Some("UP")) != carrier {
            check_interrupted()?;
            ensure!(Instant::now() < deadline, "{interface} of {} does not notice its carrier", port.switch);
            thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// What has entered and left every link so far, in the plan's order; nothing where a wire is gone together with its switch.
pub fn loads(plan: &Plan) -> Result<Vec<Load>> {
    let file = "/proc/thread-self/net/dev";
    let text = namespace().run(|| fs::read_to_string(file))?.with_context(|| format!("read {file}"))?;
    let counted: BTreeMap<&str, Counted> = text.lines().filter_map(Counted::read).collect();
    let of = |name: String| counted.get(name.as_str()).copied().unwrap_or_default();
    let load = |link: &Link| {
        let (a, b) = (of(link.wire_a()), of(link.wire_b()));
        Load {
            frames_from_a: a.frames_in,
            frames_from_b: b.frames_in,
            bytes_from_a: a.bytes_in,
            bytes_from_b: b.bytes_in,
            bytes_to_b: b.bytes_out,
        }
    };
    Ok(plan.links.iter().map(load).collect())
}

/// What an interface has received and sent, as the kernel counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    frames_in: u64,
    bytes_in: u64,
    bytes_out: u64,
}

impl Counted {
    /// A line of `/proc/net/dev`: a name, then eight counters of what was received and eight of what was sent, each beginning
    /// with bytes and frames. `None`: one of the two lines above them.
    fn read(line: &str) -> Option<(&str, Self)> {
        let (name, counters) = line.split_once(':')?;
        let counters: Vec<u64> =
            counters.split_whitespace().map_while(|counter| counter.parse().ok()).collect();
        let &[bytes_in, frames_in, _, _, _, _, _, _, bytes_out, ..] = counters.as_slice() else {
            return None;
        };
        Some((name.trim(), Self { frames_in, bytes_in, bytes_out }))
    }
}

/// A token bucket on the way out of `interface`.
///
/// The bucket holds 5 ms, so that a timer that fires late on a busy machine loses no capacity. The queue holds
/// 50 ms (625 kB at 100 Mbit/s, what a shallow-buffered switch has per port): with 20 ms a subflow's slow start
/// overshoots it so far that the losses end in retransmission timeouts, and MPTCP stands still for 200 ms.
fn shaper(interface: &str, bits_per_second: u64, mtu: u32) -> String {
    let bytes_per_ms = bits_per_second / 8000;
    let frame = u64::from(mtu) + 18;
    let burst = (5 * bytes_per_ms).max(2 * frame);
    let queue = (50 * bytes_per_ms).max(20 * frame);
    format!("qdisc add dev {interface} root tbf rate {bits_per_second}bit burst {burst} limit {queue}")
}

/// The filter that lets frames from one end of a wire out at the other; none lets nothing through.
fn filter(condition: Condition, from: &str, to: &str) -> Option<String> {
    let which = match condition {
        Condition::Up => "u32 match u32 0 0".to_owned(),
        Condition::Loss(percent) => format!("bpf bytecode {}", random_share(100 - percent.min(100))),
        Condition::Swallow => format!("bpf bytecode {}", all_but_capable_syns()),
        Condition::Down | Condition::Blackhole => return None,
    };
    Some(format!(
        "filter add dev {from} parent ffff: protocol all {which} action mirred egress redirect dev {to}"
    ))
}

/// Classic BPF that matches this many percent of the frames, at random: `ld rand; jlt threshold; ret`.
fn random_share(percent: u8) -> String {
    const LOAD_RANDOM: u32 = 0xffff_f000 + 56; // SKF_AD_OFF + SKF_AD_RANDOM of <linux/filter.h>
    let threshold = (u64::from(u32::MAX) * u64::from(percent) / 100) as u32;
    format!("\"4,32 0 0 {LOAD_RANDOM},53 0 1 {threshold},6 0 0 0,6 0 0 4294967295,\"")
}

/// Classic BPF that matches all frames but untagged IPv4 TCP SYNs without ACK whose options end in MP_CAPABLE of
/// version 1 (kind 30, length 4, subtype 0: RFC 8684 section 3.1), where Linux puts it. Offsets count from the
/// Ethernet header; a jump to `PASS` is made relative to its place below.
fn all_but_capable_syns() -> String {
    const PASS: usize = 21;
    let unless = |line: usize, value: u32| (0x15, 0, PASS - line - 1, value); // jeq #value, go on, pass
    let program = [
        (0x28, 0, 0, 12), // ldh [EtherType]
        unless(1, 0x0800),
        (0x30, 0, 0, 23), // ldb [IP protocol]
        unless(3, 6),
        (0x28, 0, 0, 20), // ldh [fragment offset]: only a first fragment has a TCP header
        (0x45, PASS - 6, 0, 0x1fff),
        (0xb1, 0, 0, 14), // ldx 4 * ([IHL] & 15)
        (0x50, 0, 0, 27), // ldb [x + TCP flags]
        (0x54, 0, 0, 0x12),
        unless(9, 0x02),
        (0x50, 0, 0, 26), // ldb [x + TCP data offset]
        (0x54, 0, 0, 0xf0),
        (0x74, 0, 0, 2),  // rsh #2: in bytes
        (0x0c, 0, 0, 0),  // add x
        (0x07, 0, 0, 0),  // tax: where the TCP header ends, from that of IP
        (0x48, 0, 0, 10), // ldh [the last option's kind and length]
        unless(16, 0x1e04),
        (0x50, 0, 0, 12), // ldb [its subtype and version]
        (0x54, 0, 0, 0xf0),
        unless(19, 0),
        (0x06, 0, 0, 0),        // ret: swallowed
        (0x06, 0, 0, u32::MAX), // PASS
    ];
    let lines: String = program.iter().map(|(code, jt, jf, k)| format!("{code} {jt} {jf} {k},")).collect();
    format!("\"{},{lines}\"", program.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_where_the_kernel_writes_them() {
        let line = "  w0a: 1500    3    0    0    0     0          0         0     2800       4    0    0    0     0       0          0";
        let counted = Counted { frames_in: 3, bytes_in: 1500, bytes_out: 2800 };
        assert_eq!(Counted::read(line), Some(("w0a", counted)));
        let heading =
            " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop";
        assert_eq!(Counted::read(heading), None);
    }

    #[test]
    fn a_filter_for_loss_keeps_the_rest() {
        assert_eq!(random_share(100), "\"4,32 0 0 4294963256,53 0 1 4294967295,6 0 0 0,6 0 0 4294967295,\"");
        assert!(random_share(70).contains("53 0 1 3006477106,"));
    }

    #[test]
    fn a_bucket_always_holds_two_frames() {
        assert!(shaper("w0a", 1_000_000, 9000).contains("burst 18036 "));
        assert!(shaper("w0a", 100_000_000, 1500).contains("burst 62500 limit 625000"));
    }
}
