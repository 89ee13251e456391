//! The packet adapter: the only pointer arithmetic of smoc.

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_md,
    helpers::generated::{bpf_xdp_load_bytes, bpf_xdp_store_bytes},
    programs::XdpContext,
};
use smoc_common::{
    map::{ConnectionId, EdgeIndex},
    pipeline::{Reroute, Tables, detour, failover},
    route::{Label, Route},
    wire::{
        Frame,
        ethernet::UNTAGGED,
        headers::Headers,
        mptcp::{self, Carrier, Handshake},
        tcp::{OPTIONS_LENGTH, OptionBuffer, Segment},
    },
};

use crate::{
    keys::forget_keys,
    scratch::{Loaded, scratch},
    tables::KernelTables,
};

/// An XDP buffer. The Ethernet header and what follows it in the commonest frames are read in place, everything
/// else by copying, which reaches into fragments too.
pub struct XdpFrame<'a> {
    context: &'a XdpContext,
}

impl<'a> XdpFrame<'a> {
    /// The frame of a program's context.
    #[inline(always)]
    pub fn new(context: &'a XdpContext) -> Self {
        Self { context }
    }

    /// A pointer to the `T` at `OFFSET`, proven to lie within the frame. The offset is a constant: adding a
    /// register to a packet pointer needs CAP_PERFMON.
    #[inline(always)]
    fn place<const OFFSET: usize, T>(&self) -> Option<*mut T> {
        let start = self.context.data();
        if start + OFFSET + size_of::<T>() > self.context.data_end() {
            return None;
        }
        Some((start + OFFSET) as *mut T)
    }

    /// A copy of the `T`, an array of numbers, at any offset, fragments included.
    #[inline(always)]
    fn load<T: Copy>(&self, offset: usize) -> Option<T> {
        const { assert!(size_of::<T>() <= size_of::<Loaded>()) };
        let context = self.context.as_ptr().cast();
        // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU; the helper writes all
        // of the value, for which there is room, or fails.
        unsafe {
            let to = &raw mut (*scratch()?).loaded;
            if bpf_xdp_load_bytes(context, offset as u32, to.cast(), size_of::<T>() as u32) != 0 {
                return None;
            }
            Some(to.cast::<T>().read())
        }
    }
}

impl Frame for XdpFrame<'_> {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.load(offset)
    }

    #[inline(always)]
    fn halves<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
        self.load::<[u16; N]>(offset).map(|halves| halves.map(u16::from_be))
    }

    #[inline(always)]
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        self.load::<[u32; N]>(offset).map(|words| words.map(u32::from_be))
    }

    #[inline(always)]
    fn write<const N: usize>(&mut self, offset: usize, halves: [u16; N]) -> Option<()> {
        let mut bytes = halves.map(u16::to_be);
        let (context, from) = (self.context.as_ptr().cast(), (&raw mut bytes).cast());
        // SAFETY: the helper reads the array and checks the offset.
        let failed = unsafe { bpf_xdp_store_bytes(context, offset as u32, from, size_of_val(&bytes) as u32) };
        (failed == 0).then_some(())
    }

    #[inline(always)]
    fn ethernet(&self) -> Option<([u32; 3], u16)> {
        let addresses = self.place::<0, [u32; 3]>()?;
        let ether_type = self.place::<12, u16>()?;
        // SAFETY: `place` compared the ends with the end of the packet data, which starts at a multiple of four: the
        // headroom before it is one.
        unsafe { Some(((*addresses).map(u32::from_be), u16::from_be(*ether_type))) }
    }

    /// The numbers are at even addresses and no more than that. BPF programs may load packet data of any
    /// alignment (the kernel refuses the program on an architecture that could not), while LLVM, told the
    /// truth, would load every half by itself and join them.
    #[inline(always)]
    fn untagged<const N: usize>(&self) -> Option<[u32; N]> {
        // SAFETY: as for `ethernet`; the machine loads at any alignment.
        self.place::<UNTAGGED, [u32; N]>().map(|words| unsafe { *words }.map(u32::from_be))
    }

    #[inline(always)]
    fn set_addresses(&mut self, addresses: [u32; 3]) -> Option<()> {
        // SAFETY: as for `ethernet`; nothing else holds a reference into the packet.
        self.place::<0, [u32; 3]>().map(|place| unsafe { *place = addresses.map(u32::to_be) })
    }

    #[inline(always)]
    fn options<'a>(
        &self,
        offset: usize,
        length: usize,
        _room: &'a mut OptionBuffer,
    ) -> Option<&'a OptionBuffer> {
        if length == 0 || length > OPTIONS_LENGTH {
            return None;
        }
        // Of a length that the compiler knows nothing about it cannot drop the mask that the verifier needs; and that it is not
        // 0 the verifier knows from the sum, while before Linux 6.8 it learns nothing from a comparison with 0.
        let length = (core::hint::black_box(length as u32 - 1) & 63) + 1;
        // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU.
        let buffer = unsafe { &mut (*scratch()?).options };
        let to = (&raw mut *buffer).cast();
        // SAFETY: the buffer has the 64 bytes that `length` is at most, and the helper checks the offset.
        let failed = unsafe { bpf_xdp_load_bytes(self.context.as_ptr().cast(), offset as u32, to, length) };
        if failed == 0 { Some(buffer) } else { None }
    }

    #[inline(always)]
    fn headers<'a>(&self, _room: &'a mut Headers) -> Option<&'a Headers> {
        if smoc_headers(self.context.as_ptr().cast()) == 0 {
            return None;
        }
        // SAFETY: as in `options`.
        Some(unsafe { &(*scratch()?).headers })
    }

    #[inline(always)]
    fn handshake<'a>(&self, segment: &Segment, _room: &'a mut Handshake) -> Option<&'a Handshake> {
        let Segment { options, options_length, .. } = *segment;
        let context = self.context.as_ptr().cast();
        let carrier = Carrier::of(segment).bits();
        if smoc_handshake(context, options as u32, options_length as u32, carrier) == 0 {
            return None;
        }
        // SAFETY: as in `options`.
        Some(unsafe { &(*scratch()?).handshake })
    }

    #[inline(always)]
    fn step(_options: &OptionBuffer, at: u32, length: u32, carrier: Carrier) -> u32 {
        smoc_option_step(at, length, carrier.bits())
    }

    #[inline(always)]
    fn forget(&self) {
        forget_keys();
    }
}

impl Reroute for XdpFrame<'_> {
    #[inline(always)]
    fn failover<T: Tables>(
        &mut self,
        _tables: &mut T,
        edge: EdgeIndex,
        connection: ConnectionId,
        label: Label,
    ) -> u16 {
        smoc_failover(self.context.as_ptr().cast(), edge, connection, label.bits()) as u16
    }

    #[inline(always)]
    fn detour<T: Tables>(&mut self, _tables: &mut T, label: Label, port: u16, rest: Route) -> u16 {
        smoc_detour(self.context.as_ptr().cast(), label.bits(), port, rest.bits()) as u16
    }
}

// Global functions: the verifier checks each of them once, for any arguments, and not again for each of the many
// ways that lead to it.

/// Reads all headers to the scratch; 0 if there is one that cannot be read.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_headers(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: as in `XdpFrame::options`.
    u32::from(unsafe { (*scratch).headers.read(&XdpFrame::new(&context)) })
}

/// Reads the handshake option of a segment to the scratch; 0 if there is none.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_handshake(context: *mut xdp_md, options: u32, length: u32, carrier: u32) -> u32 {
    let context = XdpContext::new(context);
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: as in `XdpFrame::options`.
    let found = unsafe { &mut (*scratch).handshake };
    let carrier = Carrier::from_bits(carrier);
    found.read(&XdpFrame::new(&context), options as usize & 0xffff, length as usize, carrier);
    found.kind as u32
}

/// One step over the options in the scratch.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_option_step(at: u32, length: u32, carrier: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: as in `XdpFrame::options`.
    mptcp::step(unsafe { &(*scratch).options }, at, length, Carrier::from_bits(carrier))
}

/// Pushes the route of another rank; the port through which the frame leaves, or 0.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_failover(context: *mut xdp_md, edge: u16, connection: u64, label: u8) -> u32 {
    let context = XdpContext::new(context);
    let frame = &mut XdpFrame::new(&context);
    u32::from(failover::push(
        frame,
        &mut KernelTables::new(&context),
        edge,
        connection,
        Label::from_bits(label),
    ))
}

/// Sends a frame on its detour; the port through which it leaves, or 0.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_detour(context: *mut xdp_md, label: u8, port: u16, rest: u64) -> u32 {
    let context = XdpContext::new(context);
    let frame = &mut XdpFrame::new(&context);
    let (label, rest) = (Label::from_bits(label), Route::from_bits(rest));
    u32::from(detour::take(frame, &mut KernelTables::new(&context), label, port, rest))
}
