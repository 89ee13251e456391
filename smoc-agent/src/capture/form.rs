//! What a client is sent.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use smoc_common::{capture::Captured, map::FlowKey, route::PortNumber};
use smoc_control::{
    capture::{Direction, Filter, Told, line, tell},
    hosts::map_address,
    neighbors::Standing,
    switch::{PortState, Snapshot},
};
use smoc_decode::{
    blank_keys,
    write::{self, Packet},
};

use super::{Knowledge, Order};
use crate::clock;

/// How frames are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As a pcapng file.
    #[default]
    Pcapng,
    /// A line of text for each.
    Lines,
    /// A line of JSON for each.
    Json,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    /// Nanoseconds since 1970.
    at: u64,
    interface: &'a str,
    port: Option<u16>,
    direction: &'static str,
    outcome: &'static str,
    rank: Option<u8>,
    path: Vec<&'a str>,
    source: Option<String>,
    destination: Option<String>,
    tokens: Vec<String>,
    length: u32,
    lost: u32,
    comment: &'a str,
}

/// An interface of the file.
struct Interface {
    name: String,
    /// Frames of it that were captured or lost, and those that were lost.
    counts: (u64, u64),
}

/// Turns what is read into what is sent.
pub(super) struct Writer {
    order: Order,
    filter: Filter,
    knowledge: Knowledge,
    snapshot: Arc<Snapshot>,
    /// By the kernel's index.
    ports: BTreeMap<u32, PortNumber>,
    interfaces: Vec<(Option<PortNumber>, Interface)>,
    /// From CLOCK_MONOTONIC to nanoseconds since 1970.
    epoch: u64,
    written: u64,
    lost: u64,
    out: Vec<u8>,
}

impl Writer {
    pub fn new(order: &Order, filter: Filter, knowledge: Knowledge) -> io::Result<Self> {
        let starting = || io::Error::other("the agent is just starting");
        let snapshot = knowledge.snapshots.borrow().clone().ok_or_else(starting)?;
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = u64::try_from(since.as_nanos()).unwrap_or_default().saturating_sub(clock::now().0);
        let mut writer = Self {
            order: order.clone(),
            filter,
            knowledge,
            snapshot,
            ports: BTreeMap::new(),
            interfaces: Vec::new(),
            epoch,
            written: 0,
            lost: 0,
            out: Vec::new(),
        };
        if order.form == Form::Pcapng {
            writer.out = write::section(concat!("smoc ", env!("CARGO_PKG_VERSION")), &writer.about())?;
        }
        writer.number();
        for port in &writer.snapshot.clone().ports {
            writer.interface(Some(port.number))?;
        }
        Ok(writer)
    }

    /// What the file is.
    fn about(&self) -> String {
        let Order { sample, raw, .. } = self.order;
        let switch = &self.snapshot.topology.switch(self.snapshot.this).name;
        let words = self.filter.words();
        let filter =
            if words.is_empty() { "everything but what smoc sends itself".to_owned() } else { words };
        let sample = if sample > 1 { format!(", one frame of {sample}") } else { String::new() };
        let raw = if raw { "; addresses as they are on the wire" } else { "" };
        format!("switch {switch}: {filter}{sample}{raw}. MPTCP keys are overwritten with zeros.")
    }

    fn number(&mut self) {
        let index = |port: &PortState| nix::net::if_::if_nametoindex(port.interface.as_str()).ok();
        let ports = self.snapshot.ports.iter();
        self.ports = ports.filter_map(|port| Some((index(port)?, port.number))).collect();
    }

    /// Sees what has changed meanwhile.
    pub fn look(&mut self) -> io::Result<()> {
        if self.knowledge.snapshots.has_changed().unwrap_or(false) {
            let snapshot = self.knowledge.snapshots.borrow_and_update().clone();
            self.snapshot = snapshot.unwrap_or_else(|| self.snapshot.clone());
            self.number();
        }
        Ok(())
    }

    /// How many bytes wait.
    pub fn size(&self) -> usize {
        self.out.len()
    }

    /// Whether there are as many frames as were ordered.
    pub fn is_enough(&self) -> bool {
        self.order.count > 0 && self.written >= self.order.count
    }

    /// What waits.
    pub fn chunk(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The place of a port's interface in the file, which is described there if it is not yet.
    fn interface(&mut self, port: Option<PortNumber>) -> io::Result<usize> {
        if let Some(place) = self.interfaces.iter().position(|(known, _)| *known == port) {
            return Ok(place);
        }
        let state = self.snapshot.ports.iter().find(|state| Some(state.number) == port);
        let name = state.map_or_else(|| "unknown".to_owned(), |state| state.interface.clone());
        let switch = &self.snapshot.topology.switch(self.snapshot.this).name;
        let about = match state {
            Some(state) => format!("{switch}:{}, {}", state.number, behind(state)),
            None => format!("no port of {switch} any more"),
        };
        if self.order.form == Form::Pcapng {
            self.out.extend(write::interface(&name, &about, self.order.snaplen)?);
        }
        self.interfaces.push((port, Interface { name, counts: (0, 0) }));
        Ok(self.interfaces.len() - 1)
    }

    /// The next frame from the ring.
    pub fn take(&mut self, head: &Captured, bytes: &[u8]) -> io::Result<()> {
        let kept = bytes.get(..head.kept as usize).unwrap_or(bytes);
        let mut frame = kept.to_vec();
        let snapshot = self.snapshot.clone();
        let is_blanked = blank_keys(&mut frame, head.kept == head.length);
        let mut restored = frame.clone();
        let mut told = tell(head, &mut restored, self.ports.get(&head.interface).copied(), &snapshot);
        if self.order.raw {
            told.is_raw = false;
        } else {
            frame = restored;
        }
        told.tokens = self.tokens(&told);
        let place = self.interface(told.port())?;
        let counts = &mut self.interfaces[place].1.counts;
        *counts = (counts.0 + u64::from(head.lost), counts.1 + u64::from(head.lost));
        self.lost += u64::from(head.lost);
        if !self.filter.wants(&told, &snapshot) {
            return Ok(());
        }
        self.interfaces[place].1.counts.0 += 1;
        self.written += 1;
        self.write(head, &told, &mut frame, place, is_blanked)
    }

    fn write(
        &mut self,
        head: &Captured,
        told: &Told,
        frame: &mut [u8],
        place: usize,
        is_blanked: bool,
    ) -> io::Result<()> {
        let comment = told.comment(&self.snapshot, is_blanked);
        let at = self.epoch.saturating_add(head.at);
        let is_outbound = told.direction() == Direction::Out;
        match self.order.form {
            Form::Pcapng => {
                let packet = Packet {
                    interface: place as u32,
                    at,
                    is_outbound,
                    bytes: frame,
                    length: head.length,
                    lost: head.lost.into(),
                    comment: &comment,
                };
                self.out.extend(write::packet(&packet)?);
            }
            Form::Lines => {
                let time = humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_nanos(at));
                if head.lost > 0 {
                    self.out.extend(format!("{time} {} frames were lost\n", head.lost).into_bytes());
                }
                let line = line(told, frame, head.length, &comment);
                self.out.extend(format!("{time} {line}\n").into_bytes());
            }
            Form::Json => {
                let name = |switch: &_| self.snapshot.topology.switch(*switch).name.as_str();
                let line = Line {
                    at,
                    interface: &self.interfaces[place].1.name,
                    port: told.port().map(PortNumber::get),
                    direction: if is_outbound { "out" } else { "in" },
                    outcome: told.outcome.name(),
                    rank: told.rank(),
                    path: told.path.iter().map(name).collect(),
                    source: told.flow.map(|flow| flow.source.to_string()),
                    destination: told.flow.map(|flow| flow.destination.to_string()),
                    tokens: told.tokens.iter().map(|token| format!("{token:08x}")).collect(),
                    length: head.length,
                    lost: head.lost,
                    comment: &comment,
                };
                serde_json::to_writer(&mut self.out, &line)?;
                self.out.push(b'\n');
            }
        }
        Ok(())
    }

    /// The tokens of a frame's connection as this edge knows them.
    fn tokens(&self, told: &Told) -> Vec<u32> {
        let (Some(flow), Some(is_from_local)) = (told.flow.filter(|flow| flow.is_tcp), told.is_from_local())
        else {
            return Vec::new();
        };
        let (local, remote) =
            if is_from_local { (flow.source, flow.destination) } else { (flow.destination, flow.source) };
        let [near, far] = [local, remote].map(|end| map_address(end.ip()));
        let key = FlowKey::new(near, local.port(), far, remote.port());
        self.knowledge.tables.tokens_of(&key).unwrap_or_default()
    }

    /// The end, when so many frames were lost in all.
    pub fn finish(&mut self, lost: u64) -> io::Result<()> {
        let rest = lost.saturating_sub(self.lost);
        if let Some((_, first)) = self.interfaces.first_mut() {
            first.counts = (first.counts.0 + rest, first.counts.1 + rest);
        }
        let at = self.epoch.saturating_add(clock::now().0);
        match self.order.form {
            Form::Pcapng => {
                for (place, (_, interface)) in (0..).zip(&self.interfaces) {
                    let (all, lost) = interface.counts;
                    self.out.extend(write::statistics(place, at, all, lost)?);
                }
            }
            Form::Lines if lost > 0 => {
                self.out.extend(format!("{lost} frames were lost in all: the ring was full\n").into_bytes());
            }
            Form::Json if rest > 0 => {
                self.out.extend(format!("{{\"at\":{at},\"lost\":{rest}}}\n").into_bytes())
            }
            Form::Lines | Form::Json => {}
        }
        Ok(())
    }
}

/// Who is behind a port.
fn behind(port: &PortState) -> String {
    match &port.neighbor {
        Standing::Fabric(peer) => format!("to {peer}"),
        Standing::Host => "hosts".to_owned(),
        _ => "nobody knows what is behind it".to_owned(),
    }
}
