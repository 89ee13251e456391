//! What `smoc-lab bench packet` measures smoc's programs with. BPF_PROG_TEST_RUN repeats a program on one buffer that
//! is left as the last run changed it: these put the frame back and tail-call the program in question. And what `smoc-lab bench
//! fabric` sends its frames with, counts them with, and forwards them with where it is not smoc that does.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod programs {
    use aya_ebpf::{
        EbpfContext as _,
        bindings::{bpf_fib_lookup as FibLookup, xdp_action},
        helpers::{
            bpf_redirect,
            generated::{bpf_fib_lookup, bpf_xdp_store_bytes},
        },
        macros::{map, xdp},
        maps::{Array, DevMap, PerCpuArray, ProgramArray},
        programs::XdpContext,
    };

    /// Destination and source of a frame, as wide as smoc's programs read them: a load waits whose bytes are in several
    /// stores still under way, and a frame from a device makes none wait.
    type Addresses = [u32; 3];
    /// A whole frame of a handshake, padded.
    type Template = [u16; 64];

    /// Ethernet, IPv4, and what TCP has without options, in words of 16 bits: 54 bytes.
    type Headers = [u16; 27];
    /// Where a frame's IPv4 header begins, in such words.
    const IP: usize = 7;
    /// ETH_P_IP in network byte order.
    const IPV4: u16 = 0x0800_u16.to_be();
    /// AF_INET.
    const INTERNET: u8 = 2;

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

    /// What `bench_generate` sends: the headers of a frame of IPv4 with TCP or UDP.
    #[map]
    static HEADERS: Array<Headers> = Array::with_max_entries(1, 0);
    /// How many flows `bench_generate` makes of it, less one: a power of two less one.
    #[map]
    static FLOW_MASK: Array<u32> = Array::with_max_entries(1, 0);
    /// How many frames `bench_sink` has taken.
    #[map]
    static TAKEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);
    /// How many frames `bench_forward` has forwarded.
    #[map]
    static FORWARDED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

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

    /// The headers of the frame.
    #[inline(always)]
    fn headers(context: &mut XdpContext) -> Option<&mut Headers> {
        let start = context.data();
        if start + size_of::<Headers>() > context.data_end() {
            return None;
        }
        // SAFETY: that many bytes were just found to be there; packet data starts at a multiple of two.
        Some(unsafe { &mut *(start as *mut Headers) })
    }

    /// One more.
    #[inline(always)]
    fn count(counter: &PerCpuArray<u64>) {
        if let Some(count) = counter.get_ptr_mut(0) {
            // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU.
            unsafe { *count += 1 };
        }
    }

    /// Writes the headers anew, which forwarding may have changed, with the next flow's source port, and sends the frame to
    /// `OUT`. Flows follow each other in an order in which neighbours are far from each other.
    #[xdp(frags)]
    pub fn bench_generate(mut context: XdpContext) -> u32 {
        let (Some(template), Some(&mask), Some(sent)) =
            (HEADERS.get(0), FLOW_MASK.get(0), SENT.get_ptr_mut(0))
        else {
            return xdp_action::XDP_ABORTED;
        };
        let Some(frame) = headers(&mut context) else { return xdp_action::XDP_ABORTED };
        // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU.
        let number = unsafe { *sent };
        // SAFETY: as above.
        unsafe { *sent = number.wrapping_add(1) };
        *frame = *template;
        frame[IP + 10] = ((number.wrapping_mul(40_503) & mask) as u16).to_be();
        OUT.redirect(0, 0).unwrap_or(xdp_action::XDP_ABORTED)
    }

    /// Counts and ends what was sent by `bench_generate`: IPv4 to the address in `HEADERS`. All else passes.
    #[xdp(frags)]
    pub fn bench_sink(mut context: XdpContext) -> u32 {
        let (Some(template), Some(frame)) = (HEADERS.get(0), headers(&mut context)) else {
            return xdp_action::XDP_PASS;
        };
        let ours =
            frame[IP - 1] == IPV4 && frame[IP + 8] == template[IP + 8] && frame[IP + 9] == template[IP + 9];
        if !ours {
            return xdp_action::XDP_PASS;
        }
        count(&TAKEN);
        xdp_action::XDP_DROP
    }

    /// Routes IPv4 by the kernel's tables as its own forwarding would: what is usually called xdp_fwd.
    #[xdp(frags)]
    pub fn bench_forward(mut context: XdpContext) -> u32 {
        let (asking, interface) = (context.as_ptr(), context.ingress_ifindex());
        let Some(frame) = headers(&mut context) else { return xdp_action::XDP_PASS };
        let lives = frame[IP + 4].to_be() >> 8;
        if frame[IP - 1] != IPV4 || lives <= 1 {
            return xdp_action::XDP_PASS;
        }
        // SAFETY: all zeros are a valid question.
        let mut question: FibLookup = unsafe { core::mem::zeroed() };
        let word = |at: usize| u32::from(frame[at]) | u32::from(frame[at + 1]) << 16;
        question.family = INTERNET;
        question.l4_protocol = frame[IP + 4].to_be() as u8;
        question.__bindgen_anon_1.tot_len = frame[IP + 1].to_be();
        question.ifindex = interface as u32;
        question.__bindgen_anon_3.ipv4_src = word(IP + 6);
        question.__bindgen_anon_4.ipv4_dst = word(IP + 8);
        let length = size_of::<FibLookup>() as i32;
        // SAFETY: the kernel reads and writes the question, which has that length.
        let found = unsafe { bpf_fib_lookup(asking, &raw mut question, length, 0) };
        if found != 0 {
            return xdp_action::XDP_PASS;
        }
        let pair = |bytes: [u8; 6], at: usize| u16::from_ne_bytes([bytes[2 * at], bytes[2 * at + 1]]);
        let (to, from) = (question.dmac, question.smac);
        (frame[0], frame[1], frame[2]) = (pair(to, 0), pair(to, 1), pair(to, 2));
        (frame[3], frame[4], frame[5]) = (pair(from, 0), pair(from, 1), pair(from, 2));
        // RFC 1141: the TTL is the upper byte of its word.
        let sum = u32::from(frame[IP + 5].to_be()) + 0x0100;
        frame[IP + 5] = ((sum + (sum >> 16)) as u16).to_be();
        frame[IP + 4] = (frame[IP + 4].to_be() - 0x0100).to_be();
        count(&FORWARDED);
        // SAFETY: the helper takes two numbers.
        (unsafe { bpf_redirect(question.ifindex, 0) }) as u32
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
