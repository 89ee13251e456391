//! The maps as the pipeline sees them, and what of it the verifier checks by itself.

use aya_ebpf::{
    bindings::{BPF_RB_NO_WAKEUP, xdp_md},
    helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns, generated::bpf_jiffies64},
    maps::lpm_trie::Key,
    programs::XdpContext,
};
use smoc_common::{
    event::{Event, Outcome, Sighting},
    map::*,
    pipeline::{self, Ends, Table, Tables},
    route::{Label, Rank},
    token::Version,
    wire::{headers::Headers, ip::Address, tcp::Segment},
};

use crate::{
    keys::{smoc_token_v0, smoc_token_v1},
    lru::{Flows, Lru},
    maps::*,
    scratch::{Scratch, scratch, through_memory},
};

/// Adds to a number in a map that other CPUs add to at the same time.
///
/// # Safety
/// The pointer is to an aligned number that nobody changes but atomically.
#[inline(always)]
unsafe fn add(number: *mut u64, amount: u64) {
    use core::intrinsics::{AtomicOrdering, atomic_xadd};
    // SAFETY: as promised by the caller.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(number, amount) };
}

// Global functions: the verifier checks each of them once, for any arguments.

/// Looks closer at the segment of a local host whose headers are in the scratch. Two functions: where one did both, the
/// compiler would choose between two places in a flow by a pointer.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_look_closer_at_sent() -> u32 {
    look_closer(true)
}

/// The same for a segment to a local host.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_look_closer_at_received() -> u32 {
    look_closer(false)
}

#[inline(always)]
fn look_closer(is_from_local: bool) -> u32 {
    // Which interface the segment came in by does not matter any more.
    let context = XdpContext::new(core::ptr::null_mut());
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: as in `through_memory`.
    let headers = unsafe { &(*scratch).headers };
    pipeline::look_closer(&mut KernelTables::new(&context), headers, is_from_local);
    1
}

/// Looks up both hosts of a frame from a host port whose headers are in the scratch, and puts what it finds there too; 0, or
/// the counter of the outcome that says why they are not both known.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_ends_from_host() -> u32 {
    // Which interface the frame came in by does not matter here.
    let context = XdpContext::new(core::ptr::null_mut());
    let Some(scratch) = scratch() else { return Outcome::NotConfigured.counter() };
    // SAFETY: as in `through_memory`.
    let found = pipeline::ends_from_host(&KernelTables::new(&context), unsafe { &(*scratch).headers });
    match found {
        Ok(ends) => {
            // SAFETY: as in `through_memory`.
            unsafe { put(&raw mut (*scratch).ends, &ends) };
            0
        }
        Err(outcome) => outcome.counter(),
    }
}

/// The same as far as they are known; 0 if what is known contradicts the frame.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_strangers(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: as in `through_memory`.
    let headers = unsafe { &(*scratch).headers };
    let Some(ends) = pipeline::strangers(&KernelTables::new(&context), headers) else { return 0 };
    // SAFETY: as in `through_memory`.
    unsafe { put(&raw mut (*scratch).ends, &ends) };
    1
}

/// Notes in the scratch, for a frame whose hosts are there, whose paths lead from its sender to its receiver. Two functions, as
/// above.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_toward_sent() -> u32 {
    toward(true)
}

/// The same from its receiver to its sender.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_toward_received() -> u32 {
    toward(false)
}

#[inline(always)]
fn toward(is_from_local: bool) -> u32 {
    let context = XdpContext::new(core::ptr::null_mut());
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: as in `through_memory`.
    let (packet, edge) = unsafe { (&(*scratch).headers.packet, (*scratch).ends.edge) };
    let tables = KernelTables::new(&context);
    let index = if is_from_local {
        pipeline::toward(&tables, &packet.source, &packet.destination, edge)
    } else {
        pipeline::toward(&tables, &packet.destination, &packet.source, edge)
    };
    // SAFETY: as in `through_memory`.
    unsafe { (&raw mut (*scratch).ends.remote.edge).write_volatile(index) };
    1
}

/// Both hosts of a frame with this label whose route is used up; 0 if its receiver is elsewhere.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_ends_from_fabric(label: u8) -> u32 {
    let context = XdpContext::new(core::ptr::null_mut());
    let Some(scratch) = scratch() else { return 0 };
    let tables = &mut KernelTables::new(&context);
    // SAFETY: as in `through_memory`.
    let headers = unsafe { &(*scratch).headers };
    let Some(ends) = pipeline::ends_from_fabric(tables, headers, Label::from_bits(label)) else { return 0 };
    // SAFETY: as in `through_memory`.
    unsafe { put(&raw mut (*scratch).ends, &ends) };
    1
}

/// Writes field by field: the compiler makes a call of a function out of a copy, which compares pointers.
///
/// # Safety
/// The place is one, and nobody else writes it.
#[inline(always)]
unsafe fn put(place: *mut Ends, ends: &Ends) {
    // SAFETY: the caller's.
    unsafe {
        (&raw mut (*place).local).write_volatile(ends.local);
        (&raw mut (*place).remote).write_volatile(ends.remote);
        (&raw mut (*place).edge).write_volatile(ends.edge);
        (&raw mut (*place).local_mac).write_volatile(ends.local_mac);
        (&raw mut (*place).peer_mac).write_volatile(ends.peer_mac);
        (&raw mut (*place).routed).write_volatile(ends.routed);
        (&raw mut (*place).epoch).write_volatile(ends.epoch);
    }
}

/// Counts a time in `HANDSHAKES`. A function that the verifier looks at once, whoever calls it.
// SAFETY: no other symbol of the object has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn smoc_timed(place: u32, time: u64) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    let bucket = through_memory(scratch, HandshakeTimes::bucket(time)) % HandshakeTimes::BUCKETS;
    let Some(times) = HANDSHAKES.get_ptr_mut(place) else { return 0 };
    // SAFETY: numbers of a map, which other CPUs change likewise.
    unsafe {
        add(&raw mut (*times).buckets[bucket], 1);
        add(&raw mut (*times).sum, time);
    }
    1
}

/// The maps of the running program, and what it knows of its frame's way in.
pub struct KernelTables<'a>(&'a XdpContext);

impl<'a> KernelTables<'a> {
    /// The maps are static; the context is that of the running program.
    #[inline(always)]
    pub fn new(context: &'a XdpContext) -> Self {
        Self(context)
    }

    /// [`Tables::router`], with the scratch.
    #[inline(always)]
    fn routed(&self, scratch: *mut Scratch, address: &Address) -> Option<&Host> {
        if self.settings()?.filled & Settings::PREFIXES == 0 {
            return None;
        }
        // SAFETY: as in `through_memory`; both types are a length and an address without anything in between.
        let key = unsafe {
            (*scratch).wanted = Prefix { length: Prefix::MAX, octets: address.octets() };
            &*(&raw const (*scratch).wanted).cast::<Key<[u8; 16]>>()
        };
        PREFIXES.get(key)
    }
}

impl Tables for KernelTables<'_> {
    #[inline(always)]
    fn settings(&self) -> Option<&Settings> {
        // SAFETY: the kernel keeps the memory of an array map for as long as the program runs.
        let settings: &Settings = unsafe { &*first((&raw const SETTINGS).cast())? };
        (settings.magic == LAYOUT_MAGIC).then_some(settings)
    }

    #[inline(always)]
    fn hello_keys(&self) -> Option<&HelloKeys> {
        // SAFETY: as for `settings`; keys that are replaced while they are read cost one hello its answer.
        Some(unsafe { &*first((&raw const HELLO_KEYS).cast())? })
    }

    #[inline(always)]
    fn port(&self, number: u16) -> Option<&Port> {
        PORTS.get(u32::from(number))
    }

    #[inline(always)]
    fn leave_through(&mut self, number: u16) -> bool {
        FABRIC_PORTS.redirect(u32::from(number), 0).is_ok()
    }

    /// Not XDP_TX: a veth whose peer has no program leaves such frames lying.
    #[inline(always)]
    fn leave_through_any(&mut self, number: u16) -> bool {
        HELLO_PORTS.redirect(u32::from(number), 0).is_ok()
    }

    #[inline(always)]
    fn deliver_through(&mut self, number: u16) -> bool {
        HOST_PORTS.redirect(u32::from(number), 0).is_ok()
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        let context: *mut xdp_md = self.0.ctx;
        // SAFETY: the context is the one that the kernel called the program with.
        unsafe { (*context).ingress_ifindex }
    }

    #[inline(always)]
    fn ingress_port(&self) -> u16 {
        // SAFETY: as for `host`; the number is written as a whole.
        unsafe { INTERFACES.get(self.ingress()) }.map_or(0, |&number| number as u16)
    }

    #[inline(always)]
    fn detour(&self, key: &DetourKey) -> Option<&Detour> {
        // SAFETY: as for `host`; a detour that is replaced while it is read leads to a dead end or to no host of
        // the frame's, once.
        unsafe { DETOURS.get(key) }
    }

    #[inline(always)]
    fn host(&self, address: &Address) -> Option<&Host> {
        // SAFETY: the agent replaces entries as a whole; one that is reused while it is read gives a frame to
        // a wrong port once, which the host there ignores.
        unsafe { HOSTS.get(address) }
    }

    #[inline(always)]
    fn router(&self, address: &Address) -> Option<&Host> {
        self.routed(scratch()?, address)
    }

    #[inline(always)]
    fn pair(&self, key: PairKey) -> Option<EdgeIndex> {
        let scratch = scratch()?;
        // SAFETY: as in `through_memory`; the value is one number, which the agent replaces as a whole.
        unsafe {
            let place = &raw mut (*scratch).pair;
            place.write_volatile(key);
            let key: &PairKey = &*place;
            PAIRS.get(key).map(|index| *index as EdgeIndex)
        }
    }

    #[inline(always)]
    fn path_set(&self, edge: EdgeIndex) -> Option<&PathSet> {
        match *EDGES.get(u32::from(edge))? {
            0 => None,
            slot => PATH_SETS.get(slot),
        }
    }

    #[inline(always)]
    fn flows(&mut self) -> impl Table<'_, FlowKey, Flow> {
        Flows
    }

    #[inline(always)]
    fn half_open(&mut self) -> impl Table<'_, FlowKey, HalfOpen> {
        Lru(&HALF_OPEN)
    }

    /// From one map to the other, for there is no room for a flow on the stack.
    #[inline(always)]
    fn establish(&mut self, key: &FlowKey) -> bool {
        match Lru(&HALF_OPEN).get(key) {
            Some(half) => Flows.insert(key, &half.flow),
            None => false,
        }
    }

    #[inline(always)]
    fn connections(&mut self) -> impl Table<'_, ConnectionId, Connection> {
        Lru(&CONNECTIONS)
    }

    #[inline(always)]
    fn tokens(&mut self) -> impl Table<'_, TokenKey, TokenBinding> {
        Lru(&TOKENS)
    }

    #[inline(always)]
    fn openings(&mut self, port: u16) -> Option<&mut Openings> {
        // SAFETY: per CPU, and an XDP program is not interrupted by another one on its CPU.
        OPENINGS.get_ptr_mut(port.into()).map(|openings| unsafe { &mut *openings })
    }

    /// Interfaces whose numbers are as far apart as there are entries share one.
    #[inline(always)]
    fn sightings(&mut self) -> Option<&mut Openings> {
        // SAFETY: as in `openings`.
        SIGHTED.get_ptr_mut(self.ingress() % PORT_ENTRIES).map(|openings| unsafe { &mut *openings })
    }

    #[inline(always)]
    fn fetch_or(number: &mut u32, bits: u32) -> u32 {
        use core::intrinsics::{AtomicOrdering, atomic_or};
        // SAFETY: a valid reference to an aligned number in a map.
        unsafe { atomic_or::<u32, u32, { AtomicOrdering::AcqRel }>(number, bits) }
    }

    #[inline(always)]
    fn fetch_and(number: &mut u32, bits: u32) -> u32 {
        use core::intrinsics::{AtomicOrdering, atomic_and};
        // SAFETY: as in `fetch_or`.
        unsafe { atomic_and::<u32, u32, { AtomicOrdering::AcqRel }>(number, bits) }
    }

    #[inline(always)]
    fn fetch_add(number: &mut u32, amount: u32) -> u32 {
        use core::intrinsics::{AtomicOrdering, atomic_xadd};
        // LLVM lowers a relaxed addition to the instruction that returns nothing, even where the number before is
        // used: every join would get the amount for its number.
        // SAFETY: a valid reference to an aligned number in a map.
        unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::AcqRel }>(number, amount) }
    }

    #[inline(always)]
    fn token(version: Version, key: u64) -> u32 {
        match version {
            Version::V0 => smoc_token_v0(key),
            Version::V1 => smoc_token_v1(key),
        }
    }

    #[inline(always)]
    fn ends_from_host(&mut self, _headers: &Headers) -> Result<Ends, Outcome> {
        const NEXT_HOP: u32 = Outcome::OtherNextHop.counter();
        const VLAN: u32 = Outcome::OtherVlan.counter();
        const EDGE: u32 = Outcome::SameEdge.counter();
        match smoc_ends_from_host() {
            0 => {
                smoc_toward_sent();
                let scratch = scratch().ok_or(Outcome::NotConfigured)?;
                // SAFETY: as in `through_memory`.
                Ok(unsafe { (*scratch).ends })
            }
            VLAN => Err(Outcome::OtherVlan),
            EDGE => Err(Outcome::SameEdge),
            NEXT_HOP => Err(Outcome::OtherNextHop),
            _ => Err(Outcome::UnknownHost),
        }
    }

    #[inline(always)]
    fn strangers(&mut self, _headers: &Headers) -> Option<Ends> {
        if smoc_strangers(self.0.ctx) == 0 {
            return None;
        }
        // SAFETY: as in `through_memory`.
        Some(unsafe { (*scratch()?).ends })
    }

    #[inline(always)]
    fn ends_from_fabric(&mut self, _headers: &Headers, label: Label) -> Option<Ends> {
        if smoc_ends_from_fabric(label.bits()) == 0 {
            return None;
        }
        smoc_toward_received();
        // SAFETY: as in `through_memory`.
        Some(unsafe { (*scratch()?).ends })
    }

    #[inline(always)]
    fn look_closer(&mut self, _key: &FlowKey, _segment: &Segment, is_from_local: bool) {
        if is_from_local {
            smoc_look_closer_at_sent();
        } else {
            smoc_look_closer_at_received();
        }
    }

    #[inline(always)]
    fn obscured(&mut self, number: u8) -> Option<u8> {
        Some(through_memory(scratch()?, usize::from(number)) as u8)
    }

    #[inline(always)]
    fn now(&self) -> u64 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_ktime_get_ns() }
    }

    /// Jiffies are one load, which the kernel puts in place of the call: 256 of them are 0.26 to 2.6 s. Each costs every subflow
    /// one slow frame; between two of them no flood may push out of a table what was used in the first.
    #[inline(always)]
    fn tick(&self) -> u8 {
        // SAFETY: a helper without arguments.
        (unsafe { bpf_jiffies64() } >> 8) as u8
    }

    /// The time with the CPU in the low bits: deriving the tokens takes longer than the 256 ns that two ids
    /// of one CPU must lie apart.
    #[inline(always)]
    fn new_connection_id(&self) -> ConnectionId {
        // SAFETY: a helper without arguments.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        self.now() & !0xff | u64::from(cpu) & 0xff
    }

    #[inline(always)]
    fn count(&mut self, counter: u32) {
        if let Some(count) = COUNTERS.get_ptr_mut(counter) {
            // SAFETY: per CPU, so nobody else writes it.
            unsafe { *count += 1 };
        }
    }

    #[inline(always)]
    fn timed(&mut self, edge: EdgeIndex, rank: Rank, time: u64) {
        smoc_timed(HandshakeTimes::place(edge, rank), time);
    }

    #[inline(always)]
    fn report(&mut self, event: &Event) {
        #[cfg(feature = "log")]
        crate::kept::keep(event);
        // Without room the agent misses a line of its log; the counter has it.
        if let Some(mut entry) = EVENTS.reserve::<Event>(0) {
            entry.write(*event);
            entry.submit(0);
        }
    }

    #[inline(always)]
    fn sighted(&mut self, sighting: &Sighting) {
        // The agent looks by itself, every few milliseconds; without room it thinks that the probe was lost.
        if let Some(mut entry) = SIGHTINGS.reserve::<Sighting>(0) {
            entry.write(*sighting);
            entry.submit(u64::from(BPF_RB_NO_WAKEUP));
        }
    }
}
