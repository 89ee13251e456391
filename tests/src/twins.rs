//! The programs in the kernel beside the pipeline in memory: the same frames, the same tables, the same actions, ports,
//! bytes, counters and entries.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    time::Duration,
};

use anyhow::{Result, ensure};
use nix::time::{ClockId, clock_gettime};
use smoc_common::{
    event::{Action, Outcome},
    map::{ConnectionId, HandshakeTimes},
    memory::{Entries, Side, Switch},
    pipeline::{Tables as _, Verdict},
    wire::{Bytes, ethernet},
};

use crate::program::{Programs, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX};

/// Nanoseconds of CLOCK_MONOTONIC, as the programs read them.
fn now() -> Result<u64> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?).as_nanos() as u64)
}

/// One switch twice: its tables in memory, and in the kernel.
pub struct Twins {
    /// The one in memory.
    pub host: Switch,
    /// The other one.
    pub kernel: Programs,
    seen: usize,
}

impl Twins {
    /// Two of this one.
    ///
    /// # Errors
    /// The programs cannot be loaded.
    pub fn new(switch: Switch) -> Result<Self> {
        let mut kernel = Programs::load("smoc.bpf.o")?;
        kernel.fill(&switch)?;
        Ok(Self { host: switch, kernel, seen: 0 })
    }

    /// Gives a frame to both and compares; sometimes once more with the port down that it left through, which it
    /// matters to both or to neither.
    ///
    /// # Errors
    /// As of [`Twins::give`].
    pub fn take(&mut self, side: Side, frame: &[u8]) -> Result<()> {
        let port = self.give(side, frame)?.port;
        let is_up = self.host.leave_through(port) || self.host.deliver_through(port);
        if self.seen.is_multiple_of(3) && is_up {
            self.set_port(port, false)?;
            self.give(side, frame)?;
            self.set_port(port, true)?;
        }
        Ok(())
    }

    /// Lets a port be up or down in both.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn set_port(&mut self, port: u16, is_up: bool) -> Result<()> {
        if is_up {
            self.host.down.remove(&port)
        } else {
            self.host.down.insert(port)
        };
        let role = self.host.ports[&port].role;
        self.kernel.set_port(port, role, is_up)
    }

    /// Gives a frame to both.
    ///
    /// # Errors
    /// They do something else with it, or count something else, or change a byte that must stay as it is.
    pub fn give(&mut self, side: Side, frame: &[u8]) -> Result<Verdict> {
        // How long a SYN waited decides about its path, and whether it is a copy; a busy machine takes its time.
        self.host.clock = self.host.clock.max(now()?);
        let (mut by_host, mut by_kernel) = (frame.to_vec(), frame.to_vec());
        let before = self.host.counters;
        let (verdict, program) = match side {
            Side::Host => (self.host.from_host(&mut by_host), "smoc_host"),
            Side::Fabric => (self.host.from_fabric(&mut by_host), "smoc_fabric"),
        };
        let expected = match verdict.outcome.action() {
            Action::Pass => XDP_PASS,
            Action::Redirect => XDP_REDIRECT,
            Action::Reply => XDP_TX,
            Action::Consume => XDP_DROP,
        };
        let (action, _) = self.kernel.run(program, &mut by_kernel, 1)?;
        let what = || format!("frame {}, {side:?}: {frame:02x?}: {verdict:?}", self.seen);
        ensure!(action == expected, "action {action} in the kernel, {}", what());
        ensure!(by_kernel == by_host, "the kernel makes {by_kernel:02x?} of it, {}", what());
        for (counter, &count) in self.host.counters.iter().enumerate() {
            if count != before[counter] {
                let found = self.kernel.counter(counter as u32)?;
                ensure!(found == count, "counter {counter}: {count}, in the kernel {found}, {}", what());
            }
        }
        let mut changed = (0..frame.len()).filter(|at| frame[*at] != by_host[*at]);
        let wrong = changed.find(|at| !may_change(frame, *at, verdict.outcome));
        ensure!(wrong.is_none(), "byte {wrong:?} is another one, {}", what());
        self.seen += 1;
        Ok(verdict)
    }

    /// Compares all counters. [`Twins::give`] looks only at those that the frame raised in memory: reading them all costs more
    /// than both runs together.
    ///
    /// # Errors
    /// The kernel has counted something else.
    pub fn compare_counters(&self) -> Result<()> {
        let counters = self.kernel.counters()?;
        ensure!(
            counters == self.host.counters,
            "after {} frames the kernel counts {counters:?}, and not {:?}",
            self.seen,
            self.host.counters
        );
        Ok(())
    }

    /// Compares all that both have learned, and the counters.
    ///
    /// # Errors
    /// They have learned something else.
    pub fn compare_tables(&self) -> Result<()> {
        self.compare_counters()?;
        let mut kernel = Switch::default();
        self.kernel.read_tables(&mut kernel)?;
        let (host, kernel) = (learned(&self.host), learned(&kernel));
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).cloned().collect::<Vec<_>>().join("\n")
        };
        ensure!(
            host == kernel,
            "after {} frames, only on the host:\n{}\nonly in the kernel:\n{}",
            self.seen,
            only(&host, &kernel),
            only(&kernel, &host)
        );
        Ok(())
    }

    /// Compares of how many handshakes both have taken the time, along each path; how many.
    ///
    /// # Errors
    /// One of them has taken another's, or a time that cannot be.
    pub fn compare_handshakes(&self) -> Result<u64> {
        let kernel = self.kernel.handshakes()?;
        let counts = |times: &BTreeMap<u32, HandshakeTimes>| {
            times.iter().map(|(&place, times)| (place, times.count())).collect::<BTreeMap<_, _>>()
        };
        let (found, expected) = (counts(&kernel), counts(&self.host.handshakes));
        ensure!(found == expected, "the kernel has times of {found:?}, and not of {expected:?}");
        let bound = |(bucket, &count): (usize, &u64)| Some(HandshakeTimes::bound(bucket)? * count);
        for times in kernel.values() {
            let most: Option<Vec<u64>> =
                times.buckets.iter().enumerate().filter(|(_, count)| **count > 0).map(bound).collect();
            ensure!(times.sum > 0 && most.is_none_or(|most| times.sum <= most.iter().sum()), "{times:?}");
        }
        Ok(found.values().sum())
    }

    /// Lets both forget what they have learned: tables in memory never push anything out, those in the kernel do.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn forget(&mut self) -> Result<()> {
        let mut kernel = Switch::default();
        self.kernel.read_tables(&mut kernel)?;
        self.kernel.remove_all(&kernel)?;
        let host = &mut self.host;
        (host.flows, host.half_open) = (Entries::default(), Entries::default());
        (host.connections, host.tokens) = (Entries::default(), Entries::default());
        host.events.clear();
        host.sightings.clear();
        // Where a frame was not treated alike, not even these are.
        host.counters.copy_from_slice(&self.kernel.counters()?);
        Ok(())
    }
}

/// Whether a byte of a frame may be another one afterwards: the addresses of a frame that goes on or was given back to the
/// kernel, and where a router changes an IP header: TTL or hop limit, and the checksum.
fn may_change(frame: &[u8], at: usize, outcome: Outcome) -> bool {
    match outcome {
        Outcome::Answered => return at == 17,
        Outcome::LoopProbe => return at < 6,
        _ => {}
    }
    let is_given_back = outcome == Outcome::DeadEnd;
    if outcome.action() != Action::Redirect && !is_given_back {
        return false;
    }
    if at < 12 || is_given_back {
        return at < 12;
    }
    let Some(header) = ethernet::Header::parse(&Bytes(&mut frame.to_vec())) else { return false };
    let places: &[usize] = match header.ether_type {
        ethernet::IPV4 => &[8, 10, 11],
        ethernet::IPV6 => &[7],
        _ => &[],
    };
    places.iter().any(|place| header.payload + place == at)
}

/// Everything in a switch's tables but times; connections by what they are and not by their ids.
fn learned(switch: &Switch) -> BTreeSet<String> {
    let connections: BTreeMap<ConnectionId, String> = switch
        .connections
        .entries
        .iter()
        .map(|(&id, &connection)| {
            let mut connection = connection;
            connection.opened = 0;
            (id, format!("{connection:?}"))
        })
        .collect();
    let name = |id: ConnectionId| connections.get(&id).map_or("none", String::as_str);
    let mut lines = BTreeSet::new();
    let mut alike: BTreeMap<&String, usize> = BTreeMap::new();
    for connection in connections.values() {
        let number = alike.entry(connection).or_default();
        *number += 1;
        lines.insert(format!("{connection}, number {number} of its like"));
    }
    let mut line = |kind: &str, key: &dyn Debug, value: &dyn Debug, id| {
        lines.insert(format!("{kind} {key:?}: {value:?} of {}", name(id)))
    };
    for (key, &(mut flow)) in &switch.flows.entries {
        let id = flow.connection;
        (flow.opened, flow.connection, flow.touched) = (0, 0, 0);
        line("flow", key, &flow, id);
    }
    for (key, &(mut half)) in &switch.half_open.entries {
        let id = half.flow.connection;
        (half.flow.opened, half.syn_seen, half.answered) = (0, 0, 0);
        (half.flow.connection, half.flow.touched) = (0, 0);
        line("half open", key, &half, id);
    }
    for (key, binding) in &switch.tokens.entries {
        let [first, second] = binding.connections;
        let other = if second == 0 { "nobody" } else { name(second) };
        line("token", key, &(binding.crowded, other), first);
    }
    lines
}
