//! What `smoc-lab bench packet` measures smoc's programs with. BPF_PROG_TEST_RUN repeats a program on one buffer that
//! is left as the last run changed it: these put the frame back and tail-call the program in question.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod programs {
    use aya_ebpf::{
        EbpfContext as _,
        bindings::xdp_action,
        helpers::generated::bpf_xdp_store_bytes,
        macros::{map, xdp},
        maps::{Array, DevMap, PerCpuArray, ProgramArray},
        programs::XdpContext,
    };

    /// Destination and source of a frame, as wide as smoc's programs read them: a load waits whose bytes are in several
    /// stores still under way, and a frame from a device makes none wait.
    type Addresses = [u32; 3];
    /// A whole frame of a handshake, padded.
    type Template = [u16; 64];

    /// The frame's addresses as they were sent.
    #[map]
    static ADDRESSES: Array<Addresses> = Array::with_max_entries(1, 0);
    /// What `bench_again` goes on with.
    #[map]
    static TARGET: ProgramArray = ProgramArray::with_max_entries(1, 0);
    /// SYN, SYN/ACK and third ACK of a connection to 10.0.0.0/8.
    #[map]
    static HANDSHAKE: Array<Template> = Array::with_max_entries(3, 0);
    /// What `bench_connect` goes on with, frame for frame.
    #[map]
    static STEPS: ProgramArray = ProgramArray::with_max_entries(3, 0);
    /// How many frames `bench_connect` has sent.
    #[map]
    static SENT: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);
    /// Where `bench_redirect` sends frames.
    #[map]
    static OUT: DevMap = DevMap::with_max_entries(1, 0);

    /// The bare redirect that everything is compared with.
    #[xdp(frags)]
    pub fn bench_redirect(_: XdpContext) -> u32 {
        OUT.redirect(0, 0).unwrap_or(xdp_action::XDP_ABORTED)
    }

    /// Nothing: what calling a program costs.
    #[xdp(frags)]
    pub fn bench_nothing(_: XdpContext) -> u32 {
        xdp_action::XDP_PASS
    }

    /// Puts the addresses back and goes on with `TARGET`.
    #[xdp(frags)]
    pub fn bench_again(context: XdpContext) -> u32 {
        let start = context.data();
        if start + size_of::<Addresses>() > context.data_end() {
            return xdp_action::XDP_ABORTED;
        }
        let Some(&[w0, w1, w2]) = ADDRESSES.get(0) else { return xdp_action::XDP_ABORTED };
        // SAFETY: the addresses were just compared with the end of the packet data, which starts at a multiple of four.
        unsafe { *(start as *mut Addresses) = [w0, w1, w2] };
        // SAFETY: the context is the one that the kernel called the program with.
        unsafe { TARGET.tail_call(&context, 0) };
        xdp_action::XDP_ABORTED
    }

    /// Sends the next frame of a handshake: every third run begins another connection, with another port and other
    /// keys.
    #[xdp(frags)]
    pub fn bench_connect(context: XdpContext) -> u32 {
        let Some(sent) = SENT.get_ptr_mut(0) else { return xdp_action::XDP_ABORTED };
        // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU.
        let number = unsafe { *sent };
        // SAFETY: as above.
        unsafe { *sent = number.wrapping_add(1) };
        let (connection, step) = (number / 3, number % 3);
        let Some(template) = HANDSHAKE.get_ptr_mut(step) else { return xdp_action::XDP_ABORTED };
        // SAFETY: one benchmark runs at a time, on one CPU.
        let frame = unsafe { &mut *template };
        frame[if step == 1 { 18 } else { 17 }] = connection as u16;
        if step != 0 {
            frame[31] = (connection >> 8) as u16;
            frame[32] = connection as u16;
        }
        if step == 2 {
            frame[35] = (connection >> 8) as u16;
            frame[36] = connection as u16;
        }
        // SAFETY: the helper reads the template and compares with the frame's length.
        let failed = unsafe {
            bpf_xdp_store_bytes(context.as_ptr().cast(), 0, template.cast(), size_of::<Template>() as u32)
        };
        if failed != 0 {
            return xdp_action::XDP_ABORTED;
        }
        // SAFETY: the context is the one that the kernel called the program with.
        unsafe { STEPS.tail_call(&context, step) };
        xdp_action::XDP_ABORTED
    }
}

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
