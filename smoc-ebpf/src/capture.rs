//! Captures frames together with what became of them; only in the object `smoc-capture.bpf.o`, whose programs take the place
//! of the others while a capture runs.
//!
//! The programs on the ports keep the addresses that a frame came with ([`begin`]). Whichever program is done with it keeps
//! its verdict and ends in [`smoc_capture`] by a tail call ([`end`]): that needs none of its stack. Without that
//! program, as when the agent has ended, the frame goes its way.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{BPF_RB_NO_WAKEUP, xdp_action},
    helpers::{
        bpf_ktime_get_ns,
        generated::{bpf_get_prandom_u32, bpf_ringbuf_output, bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
    },
    macros::{map, xdp},
    maps::{Array, PerCpuArray, ProgramArray, RingBuf},
    programs::XdpContext,
};
use smoc_common::{
    capture::{CAPTURE_BYTES, Captured, Filter, MAX_SNAPLEN},
    pipeline::Verdict,
    wire::Frame as _,
};

use crate::{
    frame::{XdpFrame, smoc_headers},
    maps::first,
    scratch::scratch,
};

/// What goes into the ring: [`Captured`], then the frame.
#[repr(C)]
struct Record {
    head: Captured,
    bytes: [u8; MAX_SNAPLEN as usize + 1],
}

#[map]
static CAPTURE_FILTER: Array<Filter> = Array::with_max_entries(1, 0);
#[map]
static CAPTURED: PerCpuArray<Record> = PerCpuArray::with_max_entries(1, 0);
#[map]
static CAPTURES: RingBuf = RingBuf::with_byte_size(CAPTURE_BYTES, 0);
#[map]
static CAPTURE_LOSSES: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);
#[map]
static CAPTURE: ProgramArray = ProgramArray::with_max_entries(1, 0);

fn record() -> Option<*mut Record> {
    first((&raw const CAPTURED).cast())
}

/// Keeps what a frame came with.
#[inline(always)]
pub fn begin(context: &XdpContext) {
    smoc_capture_begin(context.as_ptr().cast());
}

/// Keeps what became of a frame, and has it captured. It comes back, with the action, only if nothing is captured.
///
/// What follows the tail call keeps the compiler from making one of it and that of `CONTINUATIONS`: without CAP_PERFMON the
/// verifier wants to know the map.
#[inline(always)]
pub fn end(context: &XdpContext, verdict: Verdict, action: u32) -> u32 {
    smoc_capture_end(verdict.outcome.counter(), u32::from(verdict.port), action);
    // SAFETY: the context is the one that the kernel called the program with.
    unsafe { CAPTURE.tail_call(context, 0) };
    core::hint::black_box(action)
}

// Global functions: the verifier checks each of them once.

/// [`begin`].
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_capture_begin(context: *mut aya_ebpf::bindings::xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some(record) = record() else { return 0 };
    let addresses = XdpFrame::new(&context).ethernet().map_or([0; 3], |(addresses, _)| addresses);
    // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU.
    unsafe { (&raw mut (*record).head.came_with).write_volatile(addresses) };
    1
}

/// The first half of [`end`].
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_capture_end(outcome: u32, port: u32, action: u32) -> u32 {
    let Some(record) = record() else { return 0 };
    // SAFETY: as in `smoc_capture_begin`.
    let head = unsafe { &mut (*record).head };
    (head.outcome, head.port, head.action) = (outcome, port, action);
    1
}

/// Captures the frame with which one of the other programs is done, and returns that one's action.
#[xdp(frags)]
pub fn smoc_capture(context: XdpContext) -> u32 {
    let Some(record) = record() else { return xdp_action::XDP_PASS };
    // SAFETY: as in `smoc_capture_begin`.
    let record = unsafe { &mut *record };
    if let Some(filter) = CAPTURE_FILTER.get(0)
        && is_wanted(&context, filter, record.head.outcome)
    {
        keep(&context, filter, record);
    }
    record.head.action
}

#[inline(always)]
fn is_wanted(context: &XdpContext, filter: &Filter, outcome: u32) -> bool {
    if !filter.wants(outcome) {
        return false;
    }
    if filter.looks_at_headers() {
        if smoc_headers(context.as_ptr().cast()) == 0 {
            return false;
        }
        let Some(scratch) = scratch() else { return false };
        // SAFETY: as in `smoc_capture_begin`.
        if !filter.matches(unsafe { &(*scratch).headers }) {
            return false;
        }
    }
    // SAFETY: a helper without arguments.
    filter.sample <= 1 || unsafe { bpf_get_prandom_u32() } % filter.sample == 0
}

#[inline(always)]
fn keep(context: &XdpContext, filter: &Filter, record: &mut Record) {
    let pointer = context.as_ptr().cast();
    // SAFETY: the context is the one that the kernel called the program with.
    let length = unsafe { bpf_xdp_get_buff_len(pointer) } as u32;
    let kept = length.min(filter.snaplen).min(MAX_SNAPLEN);
    // Of a number that the compiler knows nothing about it cannot drop the mask that the verifier needs.
    let kept = core::hint::black_box(kept) & MAX_SNAPLEN;
    if kept == 0 {
        return;
    }
    // SAFETY: there is room for as many bytes as the mask allows; the helper writes all of them, or fails.
    if unsafe { bpf_xdp_load_bytes(pointer, 0, (&raw mut record.bytes).cast(), kept) } != 0 {
        return;
    }
    let head = &mut record.head;
    (head.length, head.kept) = (length, kept);
    // SAFETY: a helper without arguments, and a field of the context.
    (head.at, head.interface) = unsafe { (bpf_ktime_get_ns(), (*context.ctx).ingress_ifindex) };
    let bytes = u64::from(kept) + size_of::<Captured>() as u64;
    let (ring, from) = ((&raw const CAPTURES).cast_mut().cast(), (&raw mut *record).cast());
    // SAFETY: the record has so many bytes.
    let failed = unsafe { bpf_ringbuf_output(ring, from, bytes, u64::from(BPF_RB_NO_WAKEUP)) };
    if failed == 0 {
        record.head.lost = 0;
        return;
    }
    record.head.lost = record.head.lost.wrapping_add(1);
    if let Some(losses) = CAPTURE_LOSSES.get_ptr_mut(0) {
        // SAFETY: per CPU, so nobody else writes it.
        unsafe { *losses += 1 };
    }
}
