//! What is told of a frame, in words.

use std::fmt::Write as _;

use smoc_common::wire::{Bytes, headers::Headers, tcp};

use super::{Direction, Flow, Told};
use crate::switch::Snapshot;

impl Told {
    /// Outcome, rank, path and token: the comment in a file. `is_blanked`: keys were overwritten.
    pub fn comment(&self, snapshot: &Snapshot, is_blanked: bool) -> String {
        let name = |switch: &_| snapshot.topology.switch(*switch).name.as_str();
        let mut comment = format!("outcome {}", self.outcome.name());
        let mut say = |what: &str| {
            let _ = write!(comment, ", {what}");
        };
        if let Some(label) = self.label.filter(|label| !label.is_probe()) {
            let moved = if label.is_moved() { " (not the subflow's own)" } else { "" };
            say(&format!("rank {}{moved}", label.rank().get()));
        }
        if !self.path.is_empty() {
            let from = if self.is_from_afar { "... - " } else { "" };
            say(&format!("path {from}{}", self.path.iter().map(name).collect::<Vec<_>>().join(" - ")));
        }
        if self.label.is_some_and(|label| label.is_detoured()) {
            say("detoured");
        }
        if self.label.is_some_and(|label| label.is_routed()) {
            say("routed");
        }
        if !self.tokens.is_empty() {
            let tokens: Vec<_> = self.tokens.iter().map(|token| format!("{token:08x}")).collect();
            say(&format!("token {}", tokens.join(" and ")));
        }
        if let Some(port) = self.came_by.filter(|_| self.direction() == Direction::Out) {
            say(&format!("in by port {port}"));
        }
        if self.is_raw {
            say("Ethernet addresses are a route");
        }
        if is_blanked {
            say("keys overwritten with zeros, so the TCP checksum is wrong");
        }
        comment
    }
}

/// A frame in one line, without the time: port, direction, ends, TCP flags and length, then the comment.
pub fn line(told: &Told, bytes: &mut [u8], length: u32, comment: &str) -> String {
    let port = told.port().map_or_else(|| "-".to_owned(), |port| port.to_string());
    let direction = match told.direction() {
        Direction::In => "in ",
        Direction::Out => "out",
    };
    let what = match told.flow {
        Some(flow) => packet(&flow, bytes),
        None => ethernet(bytes),
    };
    format!("{port:>4} {direction} {what}, {length} bytes: {comment}")
}

fn packet(flow: &Flow, bytes: &mut [u8]) -> String {
    let Flow { source, destination, is_tcp } = flow;
    if !is_tcp && source.port() == 0 {
        return format!("{} > {}", source.ip(), destination.ip());
    }
    let mut headers = Headers::default();
    if !is_tcp || !headers.read(&Bytes(bytes)) {
        return format!("{source} > {destination}");
    }
    let segment = &headers.segment;
    let names = [(tcp::SYN, "S"), (tcp::FIN, "F"), (tcp::RST, "R"), (tcp::ACK, ".")];
    let set = names.iter().filter(|(flag, _)| segment.has(*flag));
    let flags: String = set.map(|(_, name)| *name).collect();
    format!("{source} > {destination}: [{flags}] seq {} ack {}", segment.sequence, segment.acknowledgment)
}

fn ethernet(bytes: &[u8]) -> String {
    let mac = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    match bytes.get(..14) {
        Some(header) => {
            let ether_type = u16::from_be_bytes([header[12], header[13]]);
            format!("{} > {}, type {ether_type:#06x}", mac(&header[6..12]), mac(&header[..6]))
        }
        None => "less than an Ethernet header".to_owned(),
    }
}
