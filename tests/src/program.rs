//! The XDP programs, loaded but attached to nothing: they are run on frames with BPF_PROG_TEST_RUN.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, DevMap, HashMap, LpmTrie, Map, MapData, PerCpuArray, ProgramArray, RingBuf};
use aya::programs::xdp::XdpMode;
use aya::programs::{ProgramFd, TestRun, TestRunAttrs, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader, Pod};
use nix::time::{ClockId, clock_gettime};
use smoc_common::event::COUNTER_ENTRIES;
use smoc_common::map::{
    Connection, ConnectionId, Continuation, Flow, FlowKey, FlowKeyV4, HANDSHAKE_ENTRIES, HalfOpen,
    HandshakeTimes, Plain, Port, SCRATCH_BYTES, TokenBinding, TokenKey,
};
use smoc_common::testing::Switch;
use smoc_common::testing::switch::Entries;

/// What is done with a frame, as <linux/bpf.h> numbers it: smoc's own ends here.
pub const XDP_DROP: u32 = 1;
/// It is left to the kernel.
pub const XDP_PASS: u32 = 2;
/// It goes back where it came from.
pub const XDP_TX: u32 = 3;
/// It leaves through another port.
pub const XDP_REDIRECT: u32 = 4;
/// The interface that stands for every port, and that frames come in by: the loopback interface, which each namespace has.
pub const LOOPBACK: u32 = 1;

/// Frames that the kernel makes of a live frame before it handles what follows from them: as many as a device hands over at once.
const LIVE_BATCH: u32 = 64;

/// A type of the map layout, in the form in which aya copies it in and out of the kernel.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Entry<T: Plain>(T);

// SAFETY: `Plain` marks types without padding for which any bit pattern is a value.
unsafe impl<T: Plain> Pod for Entry<T> {}

/// The tables that the packet path of a running agent writes, by the directory in which it pins them.
///
/// # Errors
/// They are not there.
pub fn pinned_tables(pins: &Path) -> Result<Switch> {
    let names = ["FLOWS", "FLOWS_V4", "HALF_OPEN", "TOKENS", "CONNECTIONS"];
    let open = |name| Ok((name, Map::from_map_data(MapData::from_pin(pins.join(name))?)?));
    let maps: BTreeMap<&str, Map> = names.into_iter().map(open).collect::<Result<_>>()?;
    let mut switch = Switch::default();
    read_all(&mut switch, |name| maps.get(name).context("no such table"))?;
    Ok(switch)
}

fn read_all<'a>(switch: &mut Switch, map: impl Fn(&'static str) -> Result<&'a Map>) -> Result<()> {
    switch.flows = Entries::default();
    switch.flows.entries.extend(read::<FlowKey, Flow>(map("FLOWS")?)?);
    let flows_v4 = read::<FlowKeyV4, Flow>(map("FLOWS_V4")?)?;
    switch.flows.entries.extend(flows_v4.into_iter().map(|(key, flow)| (key.into(), flow)));
    switch.half_open.entries = read::<FlowKey, HalfOpen>(map("HALF_OPEN")?)?.into_iter().collect();
    switch.tokens.entries = read::<TokenKey, TokenBinding>(map("TOKENS")?)?.into_iter().collect();
    let map: HashMap<_, ConnectionId, Entry<Connection>> = map("CONNECTIONS")?.try_into()?;
    let entry = |entry: Result<(_, Entry<_>), _>| entry.map(|(key, value)| (key, value.0));
    switch.connections.entries = map.iter().map(entry).collect::<Result<_, _>>()?;
    Ok(())
}

fn read<K: Plain, V: Plain>(map: &Map) -> Result<Vec<(K, V)>> {
    let map: HashMap<_, Entry<K>, Entry<V>> = map.try_into()?;
    let entry = |entry: Result<(Entry<K>, Entry<V>), _>| entry.map(|(key, value)| (key.0, value.0));
    Ok(map.iter().map(entry).collect::<Result<_, _>>()?)
}

/// A loaded object.
pub struct Programs {
    ebpf: Ebpf,
}

/// The object of this name that `cargo xtask build-ebpf` builds: `smoc.bpf.o`, unless `SMOC_BPF_OBJECT` says
/// where that is, or one beside it.
pub fn object(name: &str) -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/smoc.bpf.o");
    std::env::var_os("SMOC_BPF_OBJECT").map_or_else(built, PathBuf::from).with_file_name(name)
}

impl Programs {
    /// Loads every program of an object, and joins those of `smoc.bpf.o` by their tail calls.
    ///
    /// # Errors
    /// There is no such object, or the kernel refuses something.
    pub fn load(name: &str) -> Result<Self> {
        let path = object(name);
        let load = EbpfLoader::new().load_file(&path);
        let mut ebpf =
            load.with_context(|| format!("load {} (`cargo xtask build-ebpf` makes it)", path.display()))?;
        for (name, program) in ebpf.programs_mut() {
            let program: &mut Xdp = program.try_into()?;
            program.load().with_context(|| format!("the kernel refuses {name}"))?;
        }
        let mut programs = Self { ebpf };
        for (of, name) in Continuation::ALL {
            if programs.ebpf.map("CONTINUATIONS").is_some() {
                let program = programs.descriptor(name)?;
                programs.set_program("CONTINUATIONS", of as u32, &program)?;
            }
        }
        Ok(programs)
    }

    /// A program, to be put into a program array.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn descriptor(&self, name: &str) -> Result<ProgramFd> {
        let program: &Xdp =
            self.ebpf.program(name).with_context(|| format!("no program {name}"))?.try_into()?;
        Ok(program.fd()?.try_clone()?)
    }

    /// Puts a program into a program array.
    ///
    /// # Errors
    /// There is no such array, or the kernel refuses it.
    pub fn set_program(&mut self, map: &str, index: u32, program: &ProgramFd) -> Result<()> {
        let mut map: ProgramArray<_> = self.map_mut(map)?.try_into()?;
        Ok(map.set(index, program, 0)?)
    }

    /// Puts a value into an array.
    ///
    /// # Errors
    /// There is no such array, or the kernel refuses it.
    pub fn set<T: Pod>(&mut self, map: &str, index: u32, value: T) -> Result<()> {
        let mut map: Array<_, T> = self.map_mut(map)?.try_into()?;
        map.set(index, value, 0).with_context(|| format!("entry {index}"))
    }

    /// Lets an entry of a device map lead to the loopback interface, or to nowhere.
    ///
    /// # Errors
    /// There is no such map, or the kernel refuses it.
    pub fn set_device(&mut self, map: &str, index: u32, is_there: bool) -> Result<()> {
        // Interface 0 is none: the entry is emptied.
        self.set_interface(map, index, if is_there { LOOPBACK } else { 0 })
    }

    /// Lets an entry of a device map lead to an interface of the calling thread's network namespace.
    ///
    /// # Errors
    /// There is no such map, or the kernel refuses it.
    pub fn set_interface(&mut self, map: &str, index: u32, interface: u32) -> Result<()> {
        let mut map: DevMap<_> = self.map_mut(map)?.try_into()?;
        Ok(map.set(index, interface, None, 0)?)
    }

    /// Attaches a program to an interface of the calling thread's network namespace, natively, until this value is dropped.
    ///
    /// # Errors
    /// There is no such program or interface, or the kernel refuses it.
    pub fn attach(&mut self, program: &str, interface: &str) -> Result<()> {
        let of = self.ebpf.program_mut(program).with_context(|| format!("no program {program}"))?;
        let of: &mut Xdp = of.try_into()?;
        of.attach(interface, XdpMode::Driver).with_context(|| format!("attach {program} to {interface}"))?;
        Ok(())
    }

    /// Sends live frames: each is a copy of this one that the program may change and redirect to a device, as if it had come in
    /// by the loopback interface. What follows from them happens on this CPU, mostly before this returns. Returns the nanoseconds of
    /// each as the kernel says, without what it has to do before and afterwards (milliseconds: it waits for RCU).
    ///
    /// # Errors
    /// The kernel refuses the frame, or it is older than 5.18 and has no live frames.
    pub fn send(&self, program: &str, frame: &[u8], count: u32) -> Result<u64> {
        let program: &Xdp = self.ebpf.program(program).context("no such program")?.try_into()?;
        let mut options = TestRunOptions::new();
        (options.data_in, options.repeat) = (Some(frame), count);
        options.attrs = TestRunAttrs::new().xdp_live_frames(LIVE_BATCH);
        let sent = program.test_run(options);
        let sent = sent.context("send live frames (BPF_F_TEST_XDP_LIVE_FRAMES, since Linux 5.18)")?;
        Ok(sent.duration.as_nanos() as u64)
    }

    /// An entry of an array of numbers per CPU, over all CPUs.
    ///
    /// # Errors
    /// There is no such array.
    pub fn total(&self, map: &str) -> Result<u64> {
        let map: PerCpuArray<_, u64> = self.map(map)?.try_into()?;
        Ok(map.get(&0, 0)?.iter().sum())
    }

    /// Lets a port of this role be up or down.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn set_port(&mut self, number: u16, role: u8, is_up: bool) -> Result<()> {
        let map = if role == Port::HOST { "HOST_PORTS" } else { "FABRIC_PORTS" };
        self.set_device(map, number.into(), is_up)
    }

    /// Writes the agent's tables of `switch`.
    ///
    /// # Errors
    /// The kernel refuses an entry.
    pub fn fill(&mut self, switch: &Switch) -> Result<()> {
        self.set("SETTINGS", 0, Entry(switch.settings.unwrap_or_default()))?;
        for (&number, &port) in &switch.ports {
            self.set("PORTS", number.into(), Entry(port))?;
            if port.is_found() {
                let mut interfaces: HashMap<_, u32, u32> = self.map_mut("INTERFACES")?.try_into()?;
                interfaces.insert(port.interface, u32::from(number), 0)?;
            }
            self.set_device("HELLO_PORTS", number.into(), port.role == Port::FABRIC)?;
            self.set_port(number, port.role, !switch.down.contains(&number))?;
        }
        for (&edge, &set) in &switch.path_sets {
            self.set("PATH_SETS", u32::from(edge) + 1, Entry(set))?;
            self.set("EDGES", edge.into(), u32::from(edge) + 1)?;
        }
        let mut detours: HashMap<_, Entry<_>, Entry<_>> = self.map_mut("DETOURS")?.try_into()?;
        for (&key, &detour) in &switch.detours {
            detours.insert(Entry(key), Entry(detour), 0)?;
        }
        let mut hosts: HashMap<_, Entry<_>, Entry<_>> = self.map_mut("HOSTS")?.try_into()?;
        for (&address, &host) in &switch.hosts {
            hosts.insert(Entry(address), Entry(host), 0)?;
        }
        let mut pairs: HashMap<_, Entry<_>, u32> = self.map_mut("PAIRS")?.try_into()?;
        for (&key, &index) in &switch.pairs {
            pairs.insert(Entry(key), u32::from(index), 0)?;
        }
        let mut prefixes: LpmTrie<_, [u8; 16], Entry<_>> = self.map_mut("PREFIXES")?.try_into()?;
        for (prefix, &router) in &switch.prefixes {
            prefixes.insert(&Key::new(prefix.length, prefix.octets), Entry(router), 0)?;
        }
        Ok(())
    }

    /// Runs a program `repeat` times on one frame: the action of the last run and the nanoseconds of this thread that
    /// each took on average. (The kernel's own answer is in whole nanoseconds, too coarse for these programs.)
    ///
    /// # Errors
    /// The kernel refuses the frame (it takes none below 14 bytes), or the frame's length changed.
    pub fn run(&self, program: &str, frame: &mut [u8], repeat: u32) -> Result<(u32, f64)> {
        let program: &Xdp = self.ebpf.program(program).context("no such program")?.try_into()?;
        let sent = frame.to_vec();
        let mut options = TestRunOptions::new();
        (options.data_in, options.repeat) = (Some(sent.as_slice()), repeat);
        let length = frame.len();
        options.data_out = Some(frame);
        let start = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
        let result = program.test_run(options)?;
        let time = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?) - start;
        if result.data_size_out as usize != length {
            bail!("{length} bytes became {}", result.data_size_out);
        }
        Ok((result.return_value, time.as_nanos() as f64 / f64::from(repeat)))
    }

    /// One counter, over all CPUs.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub fn counter(&self, index: u32) -> Result<u64> {
        let map: PerCpuArray<_, u64> = self.map("COUNTERS")?.try_into()?;
        Ok(map.get(&index, 0)?.iter().sum())
    }

    /// All counters, over all CPUs.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub fn counters(&self) -> Result<Vec<u64>> {
        (0..COUNTER_ENTRIES).map(|index| self.counter(index)).collect()
    }

    /// Takes out what has been written to a ring buffer, oldest first.
    ///
    /// # Errors
    /// There is no such ring buffer.
    pub fn records(&mut self, map: &str) -> Result<Vec<Vec<u8>>> {
        let mut ring: RingBuf<_> = self.map_mut(map)?.try_into()?;
        let mut records = Vec::new();
        while let Some(record) = ring.next() {
            records.push(record.to_vec());
        }
        Ok(records)
    }

    /// Reads the tables that the packet path writes to `switch`.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub fn read_tables(&self, switch: &mut Switch) -> Result<()> {
        read_all(switch, |name| self.map(name))
    }

    /// Removes every entry of the tables of `switch` that the packet path writes.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn remove_all(&mut self, switch: &Switch) -> Result<()> {
        for key in switch.flows.entries.keys() {
            match key.v4() {
                Some(v4) => self.remove::<FlowKeyV4, Flow>("FLOWS_V4", v4)?,
                None => self.remove::<FlowKey, Flow>("FLOWS", *key)?,
            }
        }
        for key in switch.half_open.entries.keys() {
            self.remove::<FlowKey, HalfOpen>("HALF_OPEN", *key)?;
        }
        for key in switch.tokens.entries.keys() {
            self.remove::<TokenKey, TokenBinding>("TOKENS", *key)?;
        }
        let mut connections: HashMap<_, ConnectionId, Entry<Connection>> =
            self.map_mut("CONNECTIONS")?.try_into()?;
        for id in switch.connections.entries.keys() {
            connections.remove(id)?;
        }
        Ok(())
    }

    fn remove<K: Plain, V: Plain>(&mut self, map: &str, key: K) -> Result<()> {
        let mut map: HashMap<_, Entry<K>, Entry<V>> = self.map_mut(map)?.try_into()?;
        Ok(map.remove(&Entry(key))?)
    }

    /// What handshakes took, by the places in `HANDSHAKES` at which anything was counted.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub fn handshakes(&self) -> Result<BTreeMap<u32, HandshakeTimes>> {
        let map: Array<_, Entry<HandshakeTimes>> = self.map("HANDSHAKES")?.try_into()?;
        let places = (0..HANDSHAKE_ENTRIES).map(|place| Ok((place, map.get(&place, 0)?.0)));
        places
            .filter(|times: &Result<(u32, _)>| times.as_ref().map_or(true, |(_, times)| times.count() > 0))
            .collect()
    }

    /// Every byte of `SCRATCH`, which is all that programs leave behind beside their tables.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub fn scratch(&self) -> Result<Vec<u8>> {
        let map: PerCpuArray<_, [u8; SCRATCH_BYTES]> = self.map("SCRATCH")?.try_into()?;
        Ok(map.get(&0, 0)?.iter().flatten().copied().collect())
    }

    fn map(&self, name: &str) -> Result<&Map> {
        self.ebpf.map(name).with_context(|| format!("no map {name}"))
    }

    fn map_mut(&mut self, name: &str) -> Result<&mut Map> {
        self.ebpf.map_mut(name).with_context(|| format!("no map {name}"))
    }
}
