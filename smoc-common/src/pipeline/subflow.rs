//! An established subflow: which one a segment belongs to, and what the segment changes about it. Edge and delivery,
//! the quick way and the slow one all come here, so that no way forgets what another notes.
//!
//! Hosts take a RST whose sequence number is exactly what they expect next, and question any other one (RFC 9293, 3.10.7.4;
//! RFC 5961, 3.2); a FIN ends what they have. Somebody in the middle knows that the receiver expects something between what it
//! acknowledged last and what the sender sent last. What is not there is ignored, or [`AHEAD`] of it: all numbers but one in
//! 16,000 while nothing is on its way. The rest is believed until data proves the opposite.

use super::{Table, Tables};
use crate::{
    map::{
        Attachment, Connection, ConnectionId, EdgeIndex, Flow, FlowKey, Port, STRANGERS, Settings, TokenKey,
    },
    route::Label,
    wire::{
        ethernet::{self, MacAddress},
        tcp::{self, Segment},
    },
};

/// No window of a Linux host is larger unless somebody has raised its limits: bytes.
const WINDOW: u32 = 1 << 26;

/// What may be behind a sender's last segment that was seen: that segment, and others that were lost or are elsewhere. Bytes.
const AHEAD: u32 = 1 << 18;

/// Where the two hosts of a packet are attached, and how the local one addresses the other.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Ends {
    /// Where the local one is.
    pub local: Attachment,
    /// Where the other one is, by the index whose paths lead there: [`toward`](super::toward).
    pub remote: Attachment,
    /// The MAC address of the local one.
    pub local_mac: MacAddress,
    /// The MAC address by which the local one addresses the other.
    pub peer_mac: MacAddress,
    /// [`Flow::ROUTED`], or 0 if the frame is bridged; [`Flow::PENDING`] if a host is not known, whose place is then
    /// [`Attachment::UNKNOWN`].
    pub routed: u8,
    /// The edge of the other one, whichever paths lead there.
    pub edge: EdgeIndex,
    /// [`Settings::epoch`] before they were looked up: if one moved since then, they are looked up again.
    pub epoch: u32,
}

impl Ends {
    /// Whether a host is not known.
    #[inline(always)]
    pub const fn are_pending(&self) -> bool {
        self.routed & Flow::PENDING != 0
    }

    /// Where the other one is, whichever paths lead there.
    #[inline(always)]
    pub const fn place(&self) -> Attachment {
        Attachment { edge: self.edge, port: self.remote.port }
    }

    /// Writes what was looked up into a subflow's entry.
    #[inline(always)]
    pub fn enter(&self, flow: &mut Flow) {
        flow.remote = self.remote;
        flow.local_switch_port = self.local.port;
        flow.local_mac = self.local_mac;
        flow.peer_mac = self.peer_mac;
        flow.flags = flow.flags & !(Flow::ROUTED | Flow::PENDING) | self.routed;
        flow.epoch = self.epoch;
    }
}

/// A segment whose hosts were looked up.
pub(super) struct Subflow<'a> {
    pub key: &'a FlowKey,
    /// What the segment adds to [`crate::map::Traffic::bytes`].
    pub bytes: usize,
    pub segment: &'a Segment,
    pub ends: &'a Ends,
    /// Whether the local host sends it.
    pub is_from_local: bool,
    /// Its VID, 0 without a tag.
    pub vlan: u16,
    /// The label that it came with, if the local host does not send it; [`Label::UNROUTED`] over the base network.
    pub label: Label,
}

impl Subflow<'_> {
    /// Whether a host of it is not known, here or where it came from: it says something only of subflows that wait for
    /// that.
    #[inline(always)]
    pub fn is_strange(&self) -> bool {
        self.ends.are_pending() | self.label.is_unrouted()
    }

    /// Where it is counted in `OPENINGS`.
    #[inline(always)]
    pub fn counted_at(&self) -> u16 {
        let port = self.ends.local.port;
        // Without a branch: the verifier would go all further ways twice.
        port ^ ((port ^ STRANGERS) & 0u16.wrapping_sub(u16::from(self.is_strange())))
    }

    /// Counts the segment for its subflow.
    #[inline(always)]
    pub fn count(&self, flow: &mut Flow) {
        // Without a branch: the compiler would make one addition at one of two places out of two, which the verifier
        // refuses without CAP_PERFMON.
        let (sent, bytes) = (u64::from(self.is_from_local), self.bytes as u64);
        flow.sent.packets += sent;
        flow.sent.bytes += sent * bytes;
        flow.received.packets += 1 - sent;
        flow.received.bytes += (1 - sent) * bytes;
    }
}

/// A segment on its way, and what must be as it was when its subflow's hosts were looked up.
#[derive(Clone, Copy)]
pub(super) struct Passing<'a> {
    pub key: &'a FlowKey,
    pub segment: &'a Segment,
    /// What it adds to [`crate::map::Traffic::bytes`].
    pub bytes: usize,
    /// Whether the local host sends it.
    pub is_from_local: bool,
    /// Its VID, 0 without a tag.
    pub vlan: u16,
    /// Whether it is left to a slower way, like one whose hosts have to be looked up, if it says more than that its subflow
    /// goes on: what that takes has no place in registers.
    pub is_quick: bool,
}

/// What is known of an established subflow.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub connection: ConnectionId,
    pub edge: EdgeIndex,
    pub local_switch_port: u16,
    pub rank: u8,
    pub routed: bool,
    pub local_mac: MacAddress,
    pub peer_mac: MacAddress,
}

impl Passing<'_> {
    /// Follows a segment from a host port. `None`, and nothing noted, if its hosts have to be looked up: there is no such
    /// subflow, one of its hosts moved, the sender addresses another next hop than before or is not the local host, or
    /// the hop that it is to take is its last.
    #[inline(always)]
    pub fn sent<T: Tables>(
        self,
        tables: &mut T,
        ethernet: &ethernet::Header,
        hops_left: u8,
    ) -> Option<Known> {
        let &Settings { epoch, guarded, .. } = tables.settings()?;
        let tick = tables.tick();
        if guarded != 0 {
            let port = tables.flows().get(self.key)?.local_switch_port;
            if !is_interface_of(tables, port) {
                return None;
            }
        }
        let flow = tables.flows().get(self.key)?;
        // One branch for what is hardly ever otherwise.
        let other = flow.peer_mac.differs(ethernet.destination)
            | flow.local_mac.differs(ethernet.source)
            | u64::from(flow.epoch ^ epoch)
            | u64::from(flow.vlan ^ self.vlan);
        if other != 0 || (flow.flags & Flow::ROUTED != 0 && hops_left <= 1) {
            return None;
        }
        let known = self.note(flow, tick)?;
        self.look_closer(tables);
        Some(known)
    }

    /// Follows a segment whose route is used up and that had this label. `None`, and nothing noted, as for
    /// [`Passing::sent`], or if it shows another rank to follow.
    #[inline(always)]
    pub fn received<T: Tables>(self, tables: &mut T, label: Label) -> Option<Known> {
        let epoch = tables.settings()?.epoch;
        let tick = tables.tick();
        let flow = tables.flows().get(self.key)?;
        if (flow.epoch ^ epoch) | u32::from(flow.vlan ^ self.vlan) != 0 || shows_rank(flow, label) {
            return None;
        }
        let known = self.note(flow, tick)?;
        self.look_closer(tables);
        Some(known)
    }

    /// Whether the segment says more about its subflow than that it goes on.
    #[inline(always)]
    fn says_more(self, flow: &Flow, tick: u8) -> bool {
        let fin = if self.is_from_local { Flow::FIN_SENT } else { Flow::FIN_RECEIVED };
        let ends = u32::from(self.segment.flags & (tcp::FIN | tcp::RST));
        let stands = flow.closing & (Flow::RESET | Flow::UNCONFIRMED | fin);
        ends | stands | u32::from(flow.touched ^ tick) != 0
    }

    /// Notes what every segment says about its subflow; `None` if that is to be left to the slower way.
    #[inline(always)]
    fn note(self, flow: &mut Flow, tick: u8) -> Option<Known> {
        if self.says_more(flow, tick) && self.is_quick {
            return None;
        }
        if self.is_from_local {
            flow.sent.add(self.bytes);
        } else {
            flow.received.add(self.bytes);
        }
        if self.is_quick && self.is_from_local {
            flow.sent_sequence = self.segment.sequence;
            flow.sent_acknowledgment = self.segment.acknowledgment;
        } else if self.is_quick {
            flow.received_sequence = self.segment.sequence;
            flow.received_acknowledgment = self.segment.acknowledgment;
        }
        Some(Known::of(flow))
    }

    /// What only the slower way has room for.
    #[inline(always)]
    fn look_closer<T: Tables>(self, tables: &mut T) {
        if !self.is_quick {
            tables.look_closer(self.key, self.segment, self.is_from_local);
        }
    }
}

/// Whether the frame came in by the interface of this port.
#[inline(always)]
pub(super) fn is_interface_of<T: Tables>(tables: &T, port: u16) -> bool {
    let ingress = tables.ingress();
    tables.port(port).is_some_and(|&Port { interface, .. }| interface == ingress)
}

impl Known {
    #[inline(always)]
    fn of(flow: &Flow) -> Self {
        Self {
            connection: flow.connection,
            edge: flow.remote.edge,
            local_switch_port: flow.local_switch_port,
            rank: flow.rank,
            routed: flow.flags & Flow::ROUTED != 0,
            local_mac: flow.local_mac,
            peer_mac: flow.peer_mac,
        }
    }
}

/// Whether the initiator's edge sends a subflow that follows it on another rank, and not only for now.
#[inline(always)]
fn shows_rank(flow: &Flow, label: Label) -> bool {
    flow.flags & Flow::FOLLOWS != 0 && !label.is_moved() && flow.rank != label.rank().get()
}

/// The rank of an established subflow whose hosts had to be looked up again; what the segment says is noted as ever. `None`
/// if there is no such subflow, or if the segment says nothing of it.
#[inline(always)]
pub(super) fn refresh<T: Tables>(tables: &mut T, subflow: &Subflow<'_>) -> Option<u8> {
    let Subflow { key, segment, is_from_local, vlan, .. } = *subflow;
    if segment.has(tcp::SYN) {
        return None;
    }
    let flow = tables.flows().get(key)?;
    if flow.vlan != vlan || (subflow.is_strange() && flow.flags & Flow::PENDING == 0) {
        return None;
    }
    if !is_from_local && shows_rank(flow, subflow.label) {
        flow.rank = subflow.label.rank().get();
    }
    let (id, rank) = (flow.connection, flow.rank);
    subflow.count(flow);
    if subflow.ends.are_pending() {
        tables.look_closer(key, segment, is_from_local);
        return Some(rank);
    }
    subflow.ends.enter(flow);
    // Its tokens are found by its place where two hosts have the same.
    if let Some(connection) = tables.connections().get(&id) {
        connection.local = subflow.ends.local;
        connection.remote = subflow.ends.place();
    }
    tables.look_closer(key, segment, is_from_local);
    Some(rank)
}

/// What few segments need: those that close, those behind them, the first ones of a join, and one every few seconds.
#[inline(always)]
pub(super) fn look_closer<T: Tables>(tables: &mut T, key: &FlowKey, segment: &Segment, is_from_local: bool) {
    let tick = tables.tick();
    let Some(flow) = tables.flows().get(key) else { return };
    let (id, flags) = (flow.connection, flow.flags);
    let is_due = flow.touched != tick;
    flow.touched = tick;
    let is_responders = (flags & Flow::LOCAL_OPENED != 0) != is_from_local;
    let (new, gone) = said(flow, segment, is_from_local, is_responders);
    // Else the verifier goes on separately for everything that it can have said.
    let (Some(new), Some(gone)) = (tables.obscured(new as u8), tables.obscured(gone as u8)) else { return };
    let Changes(changes) = mark(tables, key, new.into(), gone.into());
    if is_due {
        touch(tables, id);
    }
    if flags & Flow::JOIN != 0 {
        count(tables, id, Changes(changes));
    }
}

/// Looks up a connection and its tokens, so that they count as used: data alone would find none of them.
#[inline(never)]
fn touch<T: Tables>(tables: &mut T, id: ConnectionId) {
    let Some(&mut Connection { local_token, remote_token, .. }) = tables.connections().get(&id) else {
        return;
    };
    _ = tables.tokens().get(&TokenKey { token: local_token });
    _ = tables.tokens().get(&TokenKey { token: remote_token });
}

/// What a change of [`Flow::closing`] adds to [`Connection::joined`] (lower half) and to [`Connection::confirmed`]
/// (upper half), modulo 2^16: one register.
#[derive(Clone, Copy)]
struct Changes(u32);

impl Changes {
    /// By shifts and without a branch: without CAP_PERFMON the verifier goes each way of each of them on its own.
    #[inline(always)]
    fn of(before: u32, after: u32) -> Self {
        const { assert!(Flow::FIN_SENT == 1 && Flow::FIN_RECEIVED == 2 && Flow::RESET == 4) };
        const { assert!(Flow::UNCONFIRMED == 8) };
        let ended = |closing: u32| (closing >> 2 | (closing & closing >> 1)) & 1;
        let joined = |closing| ended(closing) ^ 1;
        let confirmed = |closing| ((ended(closing) | closing >> 3) & 1) ^ 1;
        let joined = joined(after).wrapping_sub(joined(before)) & 0xffff;
        Self(confirmed(after).wrapping_sub(confirmed(before)) << 16 | joined)
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        let low = (self.0 & 0xffff).wrapping_add(other.0) & 0xffff;
        Self((self.0 >> 16).wrapping_add(other.0 >> 16) << 16 | low)
    }
}

/// Enters what became of an additional subflow into its connection.
#[inline(never)]
fn count<T: Tables>(tables: &mut T, id: ConnectionId, changes: Changes) {
    let (joined, confirmed) = (changes.0 as i16, (changes.0 >> 16) as i16);
    if changes.0 == 0 {
        return;
    }
    if let Some(connection) = tables.connections().get(&id) {
        T::fetch_add(&mut connection.joined, i32::from(joined) as u32);
        T::fetch_add(&mut connection.confirmed, i32::from(confirmed) as u32);
    }
}

/// What a segment says about the end of its subflow: bits of [`Flow::closing`] that are set by it, and those that are not
/// true any more. Writes down its sequence number.
#[inline(always)]
fn said(flow: &mut Flow, segment: &Segment, is_from_local: bool, is_responders: bool) -> (u32, u32) {
    let fin = if is_from_local { Flow::FIN_SENT } else { Flow::FIN_RECEIVED };
    let (last, taken) = if is_from_local {
        (flow.sent_sequence, flow.received_acknowledgment)
    } else {
        (flow.received_sequence, flow.sent_acknowledgment)
    };
    let (has_rst, has_fin) = (segment.has(tcp::RST), segment.has(tcp::FIN));
    let end = segment.sequence.wrapping_add(u32::from(segment.data));
    let is_near = is_expected(segment.sequence, last, taken);
    let is_ended = flow.closing & fin != 0;
    // Where its FIN was is remembered: data behind it shows that there was none.
    let is_behind_fin = is_ended && segment.data != 0 && end.wrapping_sub(last) as i32 > 0;
    let (mut new, mut gone) = (0, 0);
    if has_rst && is_near {
        (new, gone) = (Flow::RESET, Flow::UNCONFIRMED);
    } else if !has_rst {
        new = if has_fin && is_near { fin } else { 0 };
        gone |= if segment.data != 0 { Flow::RESET } else { 0 };
        gone |= if is_behind_fin { fin } else { 0 };
        gone |= if is_responders { Flow::UNCONFIRMED } else { 0 };
    }
    let counts = !has_rst && (is_near || !has_fin);
    if counts && (!is_ended || is_behind_fin) {
        let last = if has_fin { end } else { segment.sequence };
        if is_from_local {
            flow.sent_sequence = last;
        } else {
            flow.received_sequence = last;
        }
    }
    if counts && is_from_local {
        flow.sent_acknowledgment = segment.acknowledgment;
    } else if counts {
        flow.received_acknowledgment = segment.acknowledgment;
    }
    (new, gone)
}

/// Whether a FIN or RST with this number may be what its receiver expects, which has acknowledged the sender's data up to
/// `taken`, when the sender's last segment was seen at `last`.
#[inline(always)]
fn is_expected(sequence: u32, last: u32, taken: u32) -> bool {
    // Below 0 when the last segment was acknowledged.
    let under_way = last.wrapping_sub(taken);
    let under_way = if under_way > WINDOW { 0 } else { under_way };
    sequence.wrapping_sub(taken) <= under_way + AHEAD
}

/// Sets bits of [`Flow::closing`] and takes away others.
#[inline(always)]
fn mark<T: Tables>(tables: &mut T, key: &FlowKey, new: u32, gone: u32) -> Changes {
    let mut changes = Changes(0);
    let Some(flow) = tables.flows().get(key) else { return changes };
    if flow.closing & gone != 0 {
        let before = T::fetch_and(&mut flow.closing, !gone);
        changes = Changes::of(before, before & !gone);
    }
    if new & !flow.closing != 0 {
        let before = T::fetch_or(&mut flow.closing, new);
        changes = changes.and(Changes::of(before, before | new));
    }
    changes
}

/// Whether a 4-tuple has an established subflow.
#[inline(never)]
pub(super) fn is_known<T: Tables>(tables: &mut T, key: &FlowKey) -> bool {
    let Some(flow) = tables.flows().get(key) else { return false };
    // The verifier refuses what the compiler computes with a pointer that may be none: this one is read.
    T::fetch_or(&mut flow.closing, 0) != u32::MAX
}

/// A new life of a 4-tuple has begun: what its last one left behind must not answer for it.
#[inline(never)]
pub(super) fn forget<T: Tables>(tables: &mut T, key: &FlowKey) {
    let Some(flow) = tables.flows().get(key) else { return };
    let (id, flags) = (flow.connection, flow.flags);
    let before = T::fetch_or(&mut flow.closing, Flow::RESET);
    tables.flows().remove(key);
    if flags & Flow::JOIN != 0 {
        count(tables, id, Changes::of(before, before | Flow::RESET));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_expected_from_what_was_acknowledged_to_what_was_sent() {
        const SENT: u32 = 1 << 20;
        for start in [0, 1_000, u32::MAX - 10, u32::MAX - SENT / 2] {
            let at = |offset: u32| start.wrapping_add(offset);
            for (offset, expected) in [(0, true), (1_000, true), (SENT, true), (SENT + AHEAD, true)] {
                assert_eq!(is_expected(at(offset), at(SENT), start), expected, "{start} {offset}");
            }
            for (offset, expected) in [(u32::MAX, false), (SENT + AHEAD + 1, false), (1 << 31, false)] {
                assert_eq!(is_expected(at(offset), at(SENT), start), expected, "{start} {offset}");
            }
            // The last segment was acknowledged, with all that it carried.
            assert!(is_expected(at(1_000), start, at(1_000)) && !is_expected(at(999), start, at(1_000)));
        }
    }

    #[test]
    fn changes_are_those_of_living_and_confirmed_subflows() {
        for (before, after) in (0..16).flat_map(|before| (0..16).map(move |after| (before, after))) {
            let lives = |closing| i16::from(!Flow::is_end(closing));
            let counts = |closing| lives(closing) * i16::from(closing & Flow::UNCONFIRMED == 0);
            let Changes(changes) = Changes::of(before, after);
            let found = (changes as i16, (changes >> 16) as i16);
            let expected = (lives(after) - lives(before), counts(after) - counts(before));
            assert_eq!(found, expected, "{before:#b} {after:#b}");
        }
    }
}
