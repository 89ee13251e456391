//! What the running program has noted about its frame, for `log` to tell later.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use smoc_common::event::Event;

/// More notes about one frame are counted and not told.
pub const MAX_NOTES: usize = 4;

/// What has been noted about the frame of the running program.
struct Kept {
    count: usize,
    events: [Event; MAX_NOTES],
}

#[map]
static KEPT: PerCpuArray<Kept> = PerCpuArray::with_max_entries(1, 0);

/// Forgets what was noted about the last frame.
#[inline(always)]
pub fn start() {
    if let Some(kept) = KEPT.get_ptr_mut(0) {
        // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU.
        unsafe { (*kept).count = 0 };
    }
}

/// Keeps a note until the pipeline is done.
#[inline(always)]
pub fn keep(event: &Event) {
    let Some(kept) = KEPT.get_ptr_mut(0) else { return };
    // SAFETY: as in `start`.
    let kept = unsafe { &mut *kept };
    let count = core::hint::black_box(kept.count);
    if let Some(place) = kept.events.get_mut(count) {
        *place = *event;
        kept.count = count + 1;
    }
}

/// The note with this index, if so many were kept.
#[inline(always)]
pub fn note(index: u32) -> Option<&'static Event> {
    // SAFETY: as in `start`; the kernel keeps the memory of an array map for as long as the program runs.
    let kept = unsafe { &*KEPT.get_ptr_mut(0)? };
    let event = kept.events.get(index as usize)?;
    ((index as usize) < kept.count).then_some(event)
}
