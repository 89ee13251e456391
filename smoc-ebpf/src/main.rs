//! smoc's XDP programs: entry points around the pipeline of `smoc-common`.
//!
//! [`smoc_host`] is attached to the ports that hosts are on, [`smoc_fabric`] to the ports that lead to other
//! smoc switches. All decisions are the pipeline's; here are maps, the packet adapter and the mapping from a
//! verdict to an XDP action. Only packet adapter and map access use `unsafe`.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics))]
#![cfg_attr(
    target_arch = "bpf",
    expect(internal_features, reason = "atomic_xadd: the atomic types have no fetch_add on this target")
)]

#[cfg(all(target_arch = "bpf", feature = "capture"))]
mod capture;
#[cfg(target_arch = "bpf")]
mod frame;
#[cfg(all(target_arch = "bpf", feature = "log"))]
mod kept;
#[cfg(target_arch = "bpf")]
mod keys;
#[cfg(all(target_arch = "bpf", feature = "log"))]
mod log;
#[cfg(target_arch = "bpf")]
mod lru;
#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod scratch;
#[cfg(target_arch = "bpf")]
mod tables;

#[cfg(target_arch = "bpf")]
mod programs {
    use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
    use smoc_common::{
        event::Action,
        map::Continuation,
        pipeline::{self, Verdict},
    };

    #[cfg(feature = "capture")]
    use crate::capture::{begin, end};
    use crate::{frame::XdpFrame, maps::CONTINUATIONS, tables::KernelTables};

    /// Nothing is captured by these programs.
    #[cfg(not(feature = "capture"))]
    #[inline(always)]
    fn begin(_: &XdpContext) {}

    #[cfg(not(feature = "capture"))]
    #[inline(always)]
    fn end(_: &XdpContext, _: Verdict, action: u32) -> u32 {
        action
    }

    /// For frames that hosts send.
    #[xdp(frags)]
    pub fn smoc_host(context: XdpContext) -> u32 {
        begin(&context);
        match pipeline::from_host(&mut XdpFrame::new(&context), &mut KernelTables::new(&context)) {
            Some(verdict) => act(&context, verdict),
            None => go_on(&context, Continuation::Choose),
        }
    }

    /// Goes on where [`smoc_host`] has to choose a path.
    #[xdp(frags)]
    pub fn smoc_choose(context: XdpContext) -> u32 {
        match slow(&context, choose) {
            Some(verdict) => act(&context, verdict),
            None => go_on(&context, Continuation::Meet),
        }
    }

    #[inline(always)]
    fn choose(context: &XdpContext) -> Option<Verdict> {
        pipeline::choose(&mut XdpFrame::new(context), &mut KernelTables::new(context))
    }

    /// Goes on where [`smoc_choose`] does not know a host.
    #[xdp(frags)]
    pub fn smoc_meet(context: XdpContext) -> u32 {
        slow(&context, meet).map_or(xdp_action::XDP_PASS, |verdict| act(&context, verdict))
    }

    #[inline(always)]
    fn meet(context: &XdpContext) -> Option<Verdict> {
        Some(pipeline::meet(&mut XdpFrame::new(context), &mut KernelTables::new(context)))
    }

    /// For frames that other switches send.
    #[xdp(frags)]
    pub fn smoc_fabric(context: XdpContext) -> u32 {
        begin(&context);
        match pipeline::from_fabric(&mut XdpFrame::new(&context), &mut KernelTables::new(&context)) {
            Some(verdict) => act(&context, verdict),
            None => go_on(&context, Continuation::Arrive),
        }
    }

    /// Goes on where [`smoc_fabric`] has come to a probe, to the end of a route or to a port that is down; probes are left to
    /// [`smoc_probe`].
    #[xdp(frags)]
    pub fn smoc_arrive(context: XdpContext) -> u32 {
        match slow(&context, arrive) {
            Some(verdict) => act(&context, verdict),
            None => go_on(&context, Continuation::Probe),
        }
    }

    #[inline(always)]
    fn arrive(context: &XdpContext) -> Option<Verdict> {
        pipeline::arrive(&mut XdpFrame::new(context), &mut KernelTables::new(context))
    }

    /// Goes on where [`smoc_arrive`] has come to a probe.
    #[xdp(frags)]
    pub fn smoc_probe(context: XdpContext) -> u32 {
        slow(&context, probe).map_or(xdp_action::XDP_PASS, |verdict| act(&context, verdict))
    }

    #[inline(always)]
    fn probe(context: &XdpContext) -> Option<Verdict> {
        Some(pipeline::probe(&mut XdpFrame::new(context), &mut KernelTables::new(context)))
    }

    #[cfg(not(feature = "log"))]
    #[inline(always)]
    fn slow(context: &XdpContext, decide: impl Fn(&XdpContext) -> Option<Verdict>) -> Option<Verdict> {
        decide(context)
    }

    #[cfg(feature = "log")]
    #[inline(always)]
    fn slow(context: &XdpContext, decide: impl Fn(&XdpContext) -> Option<Verdict>) -> Option<Verdict> {
        crate::kept::start();
        let verdict = decide(context);
        if let Some(verdict) = verdict {
            crate::log::finish(context, verdict);
        }
        verdict
    }

    /// The tail call to the second half of a pipeline. Without that program the frame passes.
    #[inline(always)]
    fn go_on(context: &XdpContext, continuation: Continuation) -> u32 {
        // SAFETY: the context is the one that the kernel called the program with.
        unsafe { CONTINUATIONS.tail_call(context, continuation as u32) };
        xdp_action::XDP_PASS
    }

    #[inline(always)]
    fn act(context: &XdpContext, verdict: Verdict) -> u32 {
        let action = match verdict.outcome.action() {
            Action::Pass => xdp_action::XDP_PASS,
            // `Tables::leave_through` has said where to.
            Action::Redirect => xdp_action::XDP_REDIRECT,
            Action::Reply => xdp_action::XDP_TX,
            Action::Consume => xdp_action::XDP_DROP,
        };
        end(context, verdict, action)
    }
}

// SAFETY: the loader reads the section of this name as the licence, and no other symbol has this one.
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[cfg(not(target_arch = "bpf"))]
fn main() {
    eprintln!("This is a BPF program: build it with `cargo xtask build-ebpf`.");
}
