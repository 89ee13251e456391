//! What the slow path decided and why, told through aya-log; only in the object of `cargo xtask build-ebpf --log`.
//!
//! The pipeline needs nearly all of the stack: what it notes is kept ([`crate::kept`]) and told when it has returned. No key comes here: notes and headers have none.

use aya_ebpf::{EbpfContext as _, programs::XdpContext};
use aya_log_ebpf::{debug, trace};
use smoc_common::{
    event::{Note, Outcome},
    pipeline::Verdict,
    wire::headers::Headers,
};

use crate::{
    frame::smoc_headers,
    kept::{self, MAX_NOTES},
    scratch::scratch,
};

/// Bytes of a text, padded with blanks.
const TEXT: usize = 128;

/// Name and help of each counter, by its index: outcomes, then notes.
static TEXTS: [[u8; TEXT]; Outcome::ALL.len() + Note::ALL.len()] = texts();

const fn texts() -> [[u8; TEXT]; Outcome::ALL.len() + Note::ALL.len()] {
    let mut texts = [[b' '; TEXT]; _];
    let mut index = 0;
    while index < Outcome::ALL.len() {
        let outcome = Outcome::ALL[index];
        texts[index] = text(outcome.name(), outcome.help());
        index += 1;
    }
    while index < texts.len() {
        let note = Note::ALL[index - Outcome::ALL.len()];
        texts[index] = text(note.name(), note.help());
        index += 1;
    }
    texts
}

/// `name: help`.
const fn text(name: &str, help: &str) -> [u8; TEXT] {
    let mut text = [b' '; TEXT];
    let (name, help) = (name.as_bytes(), help.as_bytes());
    let mut at = 0;
    while at < name.len() {
        text[at] = name[at];
        at += 1;
    }
    text[at] = b':';
    at += 2;
    let mut from = 0;
    while from < help.len() && at < TEXT {
        text[at] = help[from];
        (at, from) = (at + 1, from + 1);
    }
    text
}

#[inline(always)]
fn text_of(counter: u32) -> Option<&'static str> {
    let text = TEXTS.get(core::hint::black_box(counter) as usize)?;
    // SAFETY: names and help are ASCII, and `text` cuts only between characters.
    Some(unsafe { core::str::from_utf8_unchecked(text) })
}

/// Tells what was noted about a frame, and what became of it. Called from the frame of a program that has next to no stack
/// left: nothing here is deep.
#[inline(always)]
pub fn finish(context: &XdpContext, verdict: Verdict) {
    let (outcome, port) = (verdict.outcome.counter(), u32::from(verdict.port));
    smoc_log_notes();
    // Probes and hellos come by the hundred a second.
    if outcome < Outcome::ProbeTransit.counter() {
        let has_headers = smoc_headers(context.as_ptr().cast());
        smoc_log_verdict(has_headers, outcome, port);
    }
}

/// Tells all notes.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_log_notes() -> u32 {
    let mut told = 0;
    for index in 0..MAX_NOTES as u32 {
        told += smoc_log_note(index);
    }
    told
}

/// Tells the note with this index, if there are so many.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_log_note(index: u32) -> u32 {
    let Some(event) = kept::note(index) else { return 0 };
    let Some(text) = text_of(event.note) else { return 0 };
    let flow = &event.flow;
    let (local, local_port) = (flow.local().octets(), flow.local_port());
    let (remote, remote_port) = (flow.remote().octets(), flow.remote_port());
    debug!((), "{:i} {} - {:i} {}, rank {}: {}", local, local_port, remote, remote_port, event.rank, text);
    1
}

/// Tells what became of a frame.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_log_verdict(has_headers: u32, outcome: u32, port: u32) -> u32 {
    let Some(text) = text_of(outcome) else { return 0 };
    if has_headers == 0 {
        trace!((), "to port {}: {}", port, text);
        return 0;
    }
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU.
    let Headers { packet, segment, .. } = unsafe { &(*scratch).headers };
    let (source, source_port) = (packet.source.octets(), segment.source_port);
    let (destination, destination_port) = (packet.destination.octets(), segment.destination_port);
    trace!(
        (),
        "{:i} {} > {:i} {}, to port {}: {}", source, source_port, destination, destination_port, port, text
    );
    1
}
