//! The maps; `smoc_common::map` documents what each holds, who writes it and what a miss means.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    helpers::generated::bpf_map_lookup_elem,
    macros::map,
    maps::{Array, DevMap, HashMap, LpmTrie, LruHashMap, PerCpuArray, ProgramArray, RingBuf},
};
use smoc_common::{event::COUNTER_ENTRIES, map::*, wire::ip::Address};

#[map]
pub static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);
#[map]
pub static HELLO_KEYS: Array<HelloKeys> = Array::with_max_entries(1, 0);
#[map]
pub static PORTS: Array<Port> = Array::with_max_entries(PORT_ENTRIES, 0);
#[map]
pub static FABRIC_PORTS: DevMap = DevMap::with_max_entries(PORT_ENTRIES, 0);
#[map]
pub static HELLO_PORTS: DevMap = DevMap::with_max_entries(PORT_ENTRIES, 0);
#[map]
pub static HOST_PORTS: DevMap = DevMap::with_max_entries(PORT_ENTRIES, 0);
#[map]
pub static INTERFACES: HashMap<u32, u32> = HashMap::with_max_entries(PORT_ENTRIES, 0);
#[map]
pub static HOSTS: HashMap<Address, Host> = HashMap::with_max_entries(HOST_ENTRIES, 0);
#[map]
pub static PREFIXES: LpmTrie<[u8; 16], Host> = LpmTrie::with_max_entries(PREFIX_ENTRIES, BPF_F_NO_PREALLOC);
#[map]
pub static PAIRS: HashMap<PairKey, u32> = HashMap::with_max_entries(PAIR_ENTRIES, BPF_F_NO_PREALLOC);
#[map]
pub static EDGES: Array<u32> = Array::with_max_entries(EDGE_ENTRIES, 0);
#[map]
pub static PATH_SETS: Array<PathSet> = Array::with_max_entries(PATH_SET_ENTRIES, 0);
#[map]
pub static DETOURS: HashMap<DetourKey, Detour> = HashMap::with_max_entries(DETOUR_ENTRIES, BPF_F_NO_PREALLOC);
#[map]
pub static EDGE_NAMES: Array<EdgeName> = Array::with_max_entries(EDGE_ENTRIES, 0);
#[map]
pub static HALF_OPEN: LruHashMap<FlowKey, HalfOpen> = LruHashMap::with_max_entries(HALF_OPEN_ENTRIES, 0);
#[map]
pub static FLOWS_V4: LruHashMap<FlowKeyV4, Flow> = LruHashMap::with_max_entries(FLOW_ENTRIES, 0);
#[map]
pub static FLOWS: LruHashMap<FlowKey, Flow> = LruHashMap::with_max_entries(FLOW_ENTRIES, 0);
#[map]
pub static CONNECTIONS: LruHashMap<ConnectionId, Connection> =
    LruHashMap::with_max_entries(CONNECTION_ENTRIES, 0);
#[map]
pub static TOKENS: LruHashMap<TokenKey, TokenBinding> =
    LruHashMap::with_max_entries(2 * CONNECTION_ENTRIES, 0);
#[map]
pub static OPENINGS: PerCpuArray<Openings> = PerCpuArray::with_max_entries(OPENING_ENTRIES, 0);
#[map]
pub static SIGHTED: PerCpuArray<Openings> = PerCpuArray::with_max_entries(PORT_ENTRIES, 0);
#[map]
pub static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTER_ENTRIES, 0);
#[map]
pub static HANDSHAKES: Array<HandshakeTimes> = Array::with_max_entries(HANDSHAKE_ENTRIES, 0);
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(EVENT_BYTES, 0);
#[map]
pub static SIGHTINGS: RingBuf = RingBuf::with_byte_size(SIGHTING_BYTES, 0);
#[map]
pub static CONTINUATIONS: ProgramArray = ProgramArray::with_max_entries(CONTINUATION_ENTRIES, 0);
#[map]
pub static SCRATCH: PerCpuArray<[u64; SCRATCH_BYTES / 8]> = PerCpuArray::with_max_entries(1, 0);

/// The only entry of an array map of `T`. The key is a constant and not on the stack, of which there is little.
#[inline(always)]
pub fn first<T>(map: *const c_void) -> Option<*mut T> {
    static KEY: u32 = 0;
    // SAFETY: callers pass a map of the type that they name.
    let entry = unsafe { bpf_map_lookup_elem(map.cast_mut(), (&raw const KEY).cast()) };
    (!entry.is_null()).then_some(entry.cast())
}
