//! The packet path in the kernel: loads the BPF object, takes over what is pinned, reads and writes the maps.
//! The only module that knows aya.

mod attach;
mod events;
mod inspector;
mod log;
mod maps;
mod pins;
mod sightings;
mod transmit;

pub use events::Events;
pub use inspector::Inspector;
pub use pins::PinDirectory;
pub use sightings::Sightings;
pub use transmit::Transmit;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{DevMap, MapData, MapError, ProgramArray},
    programs::{ProgramFd, Xdp},
};
use smoc_common::{
    map::{Continuation, EdgeName, Flow, PathSet, Port, Settings, TokenBinding},
    route::PortNumber,
};

use smoc_control::{
    dataplane::{Change, Exits, Installed, KernelTables, PortEntry, Removal, Slot},
    ports::{Programs, Role},
};

use super::{BoxError, Dataplane, DataplaneError, Observe, errno};
use attach::NewLinks;
use maps::{
    ConfigMaps, Entry, KernelMaps, NOEXIST, SHAPES, edge_name, entries, parse_edge_name, read_error,
    remove_if, sizes, write_error,
};
use smoc_control::{
    config::{Config, XdpMode},
    interfaces::{IfIndex, Interface},
};

/// The program that a port of this role gets.
fn program_of(role: Role) -> &'static str {
    match role {
        Role::Host => "smoc_host",
        Role::Fabric => "smoc_fabric",
    }
}

/// Loaded programs and the maps they use.
pub struct XdpDataplane {
    pins: PinDirectory,
    ebpf: Ebpf,
    maps: ConfigMaps,
    mode: XdpMode,
    programs: Programs,
    /// Where the program array of these programs is pinned.
    continuations: PathBuf,
}

impl XdpDataplane {
    /// Claims the pin directory, takes over the maps in it or makes new ones, and loads the programs. Nothing
    /// is attached yet.
    ///
    /// # Errors
    /// Everything in [`DataplaneError`] that is not about interfaces.
    pub fn load(config: &Config) -> Result<Self, DataplaneError> {
        let object = find_object(config)?;
        let pins = PinDirectory::claim(&config.pin)?;
        pins.verify(&config.switch)?;
        pins.verify_sizes(&config.tables)?;
        let continuations = pins.new_continuations();
        let before = pins.maps();
        let loaded = load_object(config, &object, &pins, &continuations);
        let (mut ebpf, programs) = loaded.inspect_err(|_| {
            let new = pins.maps().into_iter().filter(|path| !before.contains(path));
            new.chain([continuations.clone()]).for_each(|path| drop(std::fs::remove_file(path)));
        })?;
        let maps = ConfigMaps::open(pins.path())?;
        if let Err(error) = log::start(&mut ebpf) {
            tracing::warn!(%error, "the programs' log is not read");
        }
        Ok(Self { pins, ebpf, maps, mode: config.xdp, programs, continuations })
    }

    /// Puts the program of a role on an interface. What is new is taken back if it fails.
    ///
    /// # Errors
    /// Those of [`DataplaneError`] about interfaces.
    pub fn attach(&mut self, role: Role, interface: &Interface) -> Result<(), DataplaneError> {
        attach::check_free(&self.pins, interface)?;
        let mut new = NewLinks::default();
        let program = xdp(&mut self.ebpf, program_of(role)).expect("checked when the object was loaded");
        attach::attach(&self.pins, program, interface, self.mode, &mut new)?;
        new.keep()?;
        self.forget_old_programs()
    }

    /// Takes the programs off all interfaces but these, by name.
    ///
    /// # Errors
    /// A link that cannot be removed.
    pub fn keep(&self, interfaces: &BTreeSet<String>) -> Result<(), DataplaneError> {
        let kept: Vec<PathBuf> = interfaces.iter().map(|name| self.pins.link(name)).collect();
        let links = self.pins.links()?;
        links.iter().filter(|path| !kept.contains(path)).try_for_each(|path| attach::unpin(path))?;
        self.forget_old_programs()
    }

    /// Removes the program arrays of earlier agents, once none of their programs is on any interface.
    fn forget_old_programs(&self) -> Result<(), DataplaneError> {
        let Programs { host, fabric } = self.programs;
        if !self.pins.links()?.iter().all(|link| attach::is_of(link, &[host, fabric])) {
            return Ok(());
        }
        let others = self.pins.continuations()?;
        others.iter().filter(|path| **path != self.continuations).try_for_each(|path| attach::unpin(path))
    }

    /// The kernel's numbers of the programs.
    pub fn programs(&self) -> Programs {
        self.programs
    }

    /// The pin directory.
    pub fn pin(&self) -> &Path {
        self.pins.path()
    }
}

/// Makes or opens the maps and loads all programs; the numbers of those for the ports.
fn load_object(
    config: &Config,
    object: &Path,
    pins: &PinDirectory,
    continuations: &Path,
) -> Result<(Ebpf, Programs), DataplaneError> {
    let bad = |what: String| DataplaneError::BadObject { path: object.into(), what };
    let mut loader = EbpfLoader::new();
    let level = log::level();
    loader.override_global(log::LEVEL, &level, false);
    for (name, size) in sizes(&config.tables) {
        loader.map_max_entries(name, size);
    }
    for shape in &SHAPES {
        loader.map_pin_path(shape.name, pins.path().join(shape.name));
    }
    loader.map_pin_path("CONTINUATIONS", continuations);
    let mut ebpf = loader.load_file(object).map_err(|error| match error {
        EbpfError::MapError(error) => {
            DataplaneError::Map { doing: "create", map: "maps", source: error.into() }
        }
        other => bad(with_causes(&other)),
    })?;
    if let Some(missing) = SHAPES.iter().find(|shape| ebpf.map(shape.name).is_none()) {
        return Err(bad(format!("it has no map {}", missing.name)));
    }
    // What was there before was verified, so what does not fit now is what this object made.
    pins.mismatch().map_or(Ok(()), |what| Err(bad(what)))?;
    let programs = Programs {
        host: load_program(&mut ebpf, program_of(Role::Host), &bad)?.0,
        fabric: load_program(&mut ebpf, program_of(Role::Fabric), &bad)?.0,
    };
    let array = ebpf.take_map("CONTINUATIONS").ok_or_else(|| bad("it has no map CONTINUATIONS".into()))?;
    let failed = |error| write_error("CONTINUATIONS", error);
    let mut array: ProgramArray<MapData> = array.try_into().map_err(failed)?;
    for (place, name) in Continuation::ALL {
        let (_, fd) = load_program(&mut ebpf, name, &bad)?;
        array.set(place as u32, &fd, 0).map_err(failed)?;
    }
    Ok((ebpf, programs))
}

/// Loads one program; its number and descriptor.
fn load_program(
    ebpf: &mut Ebpf,
    name: &'static str,
    bad: &impl Fn(String) -> DataplaneError,
) -> Result<(u32, ProgramFd), DataplaneError> {
    let program = xdp(ebpf, name).ok_or_else(|| bad(format!("it has no program {name}")))?;
    let refused = |source: BoxError| DataplaneError::Refused { program: name, source };
    program.load().map_err(|error| refused(error.into()))?;
    let id = program.info().map_err(|error| refused(error.into()))?.id();
    let fd = program.fd().and_then(|fd| Ok(fd.try_clone()?)).map_err(|error| refused(error.into()))?;
    Ok((id, fd))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}

fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Option<&'a mut Xdp> {
    ebpf.program_mut(name)?.try_into().ok()
}

fn find_object(config: &Config) -> Result<PathBuf, DataplaneError> {
    let tried = config.object_candidates();
    tried.iter().find(|path| path.is_file()).cloned().ok_or(DataplaneError::NoObject { tried })
}

impl Dataplane for XdpDataplane {
    fn installed(&self) -> Result<Installed, DataplaneError> {
        self.maps.installed()
    }

    fn apply(&mut self, change: &Change) -> Result<(), DataplaneError> {
        let maps = &mut self.maps;
        match change {
            Change::NameEdge(index, name) => {
                let done = maps.edge_names.set(u32::from(*index), Entry(edge_name(name)), 0);
                done.map_err(|error| write_error("EDGE_NAMES", error))
            }
            Change::SetPort(port, entry) => self.set_port(*port, *entry),
            Change::RemovePort(port) => self.set_port(*port, PortEntry::default()),
            Change::SetDetour(key, detour) => {
                let done = maps.detours.insert(Entry(*key), Entry(*detour), 0);
                done.map_err(|error| write_error("DETOURS", error))
            }
            Change::RemoveDetour(key) => {
                gone_is_fine(maps.detours.remove(&Entry(*key))).map_err(|error| write_error("DETOURS", error))
            }
            // One byte of the value is different, so a program that reads it meanwhile sees the one or the other.
            Change::WritePathSet(slot, set) | Change::MarkBroken(slot, set) => {
                maps.path_sets.set(slot.0, Entry(*set), 0).map_err(|error| write_error("PATH_SETS", error))
            }
            Change::PointEdge(edge, slot) => {
                maps.edges.set(u32::from(*edge), slot.0, 0).map_err(|error| write_error("EDGES", error))
            }
            Change::SetHost(address, host) => {
                maps.hosts.insert(Entry(*address), Entry(*host), 0).map_err(|error| match errno(&error) {
                    Some(libc::E2BIG) => DataplaneError::Full { map: "HOSTS", field: "tables.hosts" },
                    _ => write_error("HOSTS", error),
                })
            }
            Change::RemoveHost(address) => {
                gone_is_fine(maps.hosts.remove(&Entry(*address))).map_err(|error| write_error("HOSTS", error))
            }
            Change::SetSettings(settings) => {
                let done = maps.settings.set(0, Entry::<Settings>(*settings), 0);
                done.map_err(|error| write_error("SETTINGS", error))
            }
        }
    }
}

impl ConfigMaps {
    /// Everything that an agent wrote.
    fn installed(&self) -> Result<Installed, DataplaneError> {
        let maps = self;
        let Entry(settings) = maps.settings.get(&0, 0).map_err(|error| read_error("SETTINGS", error))?;
        let hosts = entries(&maps.hosts, usize::MAX / 2).map_err(|error| read_error("HOSTS", error))?;
        let detours = entries(&maps.detours, usize::MAX / 2).map_err(|error| read_error("DETOURS", error))?;
        let names = maps.edge_names.iter().zip(0u16..).map(|(name, index)| Ok((index, name?)));
        let names = collect("EDGE_NAMES", names, |Entry(name): &Entry<EdgeName>| {
            parse_edge_name(name).map(str::to_owned)
        })?;
        let edges = maps.edges.iter().zip(0u16..).map(|(slot, index)| Ok((index, slot?)));
        let edges = collect("EDGES", edges, |slot| (*slot != 0).then_some(Slot(*slot)))?;
        let sets = maps.path_sets.iter().zip(0u32..).map(|(set, slot)| Ok((Slot(slot), set?)));
        let path_sets = collect("PATH_SETS", sets, |Entry(set): &Entry<PathSet>| {
            (*set != PathSet::default()).then_some(*set)
        })?;
        Ok(Installed {
            settings,
            ports: self.installed_ports()?,
            detours: detours.into_iter().map(|(Entry(key), Entry(detour))| (key, detour)).collect(),
            hosts: hosts.into_iter().map(|(Entry(address), Entry(host))| (address, host)).collect(),
            names,
            edges,
            path_sets,
        })
    }

    fn installed_ports(&self) -> Result<BTreeMap<PortNumber, PortEntry>, DataplaneError> {
        let mut ports = BTreeMap::new();
        for number in (1..=PortNumber::MAX).filter_map(PortNumber::new) {
            let entry = self.port(number)?;
            if entry != PortEntry::default() {
                ports.insert(number, entry);
            }
        }
        Ok(ports)
    }

    fn port(&self, number: PortNumber) -> Result<PortEntry, DataplaneError> {
        let index = u32::from(number.get());
        let Entry(port): Entry<Port> =
            self.ports.get(&index, 0).map_err(|error| read_error("PORTS", error))?;
        let hello = device(&self.hello_ports, "HELLO_PORTS", index)?;
        let interface = match Role::in_map(&port) {
            Role::Fabric => hello.unwrap_or_default(),
            Role::Host if self.is_found(&port, index)? && hello.is_none() => IfIndex(port.interface),
            // One through which hellos leave is no host port, one that is not found has no guard: they differ from what
            // they should be.
            Role::Host => IfIndex::default(),
        };
        Ok(PortEntry { port, interface })
    }

    /// Whether frames that come in by the port's interface are known to: a port without guard needs not.
    fn is_found(&self, port: &Port, index: u32) -> Result<bool, DataplaneError> {
        if port.guard == Port::GUARD_OFF {
            return Ok(true);
        }
        let number = found(self.interfaces.get(&port.interface, 0));
        Ok(number.map_err(|error| read_error("INTERFACES", error))? == Some(index))
    }
}

impl XdpDataplane {
    fn set_port(&mut self, number: PortNumber, entry: PortEntry) -> Result<(), DataplaneError> {
        let index = u32::from(number.get());
        let ConfigMaps { ports, hello_ports, interfaces, .. } = &mut self.maps;
        let Entry(before): Entry<Port> = ports.get(&index, 0).map_err(|error| read_error("PORTS", error))?;
        ports.set(index, Entry(entry.port), 0).map_err(|error| write_error("PORTS", error))?;
        let failed = |error| write_error("INTERFACES", error);
        let is_guarded = entry.port.guard != Port::GUARD_OFF;
        let is_left = before.interface != entry.port.interface || !is_guarded;
        // Another port may have got its interface meanwhile.
        if is_left && found(interfaces.get(&before.interface, 0)).map_err(failed)? == Some(index) {
            gone_is_fine(interfaces.remove(&before.interface)).map_err(failed)?;
        }
        if is_guarded {
            interfaces.insert(entry.port.interface, index, 0).map_err(failed)?;
        }
        let hello = match Role::in_map(&entry.port) {
            Role::Host => IfIndex::default(),
            Role::Fabric => entry.interface,
        };
        set_device(hello_ports, "HELLO_PORTS", index, hello)
    }
}

/// The interface in an entry of a device map.
fn device(map: &DevMap<MapData>, name: &'static str, index: u32) -> Result<Option<IfIndex>, DataplaneError> {
    match map.get(index, 0) {
        Ok(device) => Ok(Some(IfIndex(device.if_index))),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(read_error(name, error)),
    }
}

/// Lets an entry of a device map lead to an interface; to none if its number is 0.
fn set_device(
    map: &mut DevMap<MapData>,
    name: &'static str,
    index: u32,
    to: IfIndex,
) -> Result<(), DataplaneError> {
    map.set(index, to.0, None, 0).map_err(|error| DataplaneError::Map {
        doing: "write",
        map: name,
        source: error.into(),
    })
}

/// Collects what `keep` makes of each value.
fn collect<K: Ord, V, T>(
    map: &'static str,
    entries: impl Iterator<Item = Result<(K, V), MapError>>,
    keep: impl Fn(&V) -> Option<T>,
) -> Result<BTreeMap<K, T>, DataplaneError> {
    let kept = entries.filter_map(|entry| match entry {
        Ok((key, value)) => keep(&value).map(|value| Ok((key, value))),
        Err(error) => Some(Err(read_error(map, error))),
    });
    kept.collect()
}

/// The value of a key, if it is there.
fn found<V>(value: Result<V, MapError>) -> Result<Option<V>, MapError> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(MapError::KeyNotFound | MapError::ElementNotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn gone_is_fine(done: Result<(), MapError>) -> Result<(), MapError> {
    match done {
        Err(MapError::KeyNotFound | MapError::ElementNotFound) => Ok(()),
        Err(error) if errno(&error) == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}

/// Reads what is in the maps, and tidies what the kernel writes.
pub struct XdpTables {
    maps: std::sync::Mutex<KernelMaps>,
    config: std::sync::Mutex<ConfigMaps>,
    transmit: Transmit,
    capacities: Vec<(&'static str, u32)>,
}

impl XdpTables {
    /// Opens the tables in a pin directory.
    ///
    /// # Errors
    /// They are not there.
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        let tables = ["FLOWS_V4", "FLOWS", "HALF_OPEN", "CONNECTIONS", "TOKENS", "HOSTS"];
        let capacities = tables.into_iter().map(|name| Ok((name, maps::capacity(pin, name)?)));
        Ok(Self {
            maps: KernelMaps::open(pin)?.into(),
            config: ConfigMaps::open(pin)?.into(),
            transmit: Transmit::open(pin)?,
            capacities: capacities.collect::<Result<_, DataplaneError>>()?,
        })
    }

    fn maps(&self) -> std::sync::MutexGuard<'_, KernelMaps> {
        self.maps.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn capacity(&self, name: &str) -> usize {
        self.capacities.iter().find(|(table, _)| *table == name).map_or(0, |(_, size)| *size as usize)
    }
}

impl Observe for XdpTables {
    fn installed(&self) -> Result<Installed, DataplaneError> {
        self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner).installed()
    }

    fn exits(&self) -> Result<Exits, DataplaneError> {
        self.transmit.all()
    }

    fn tables(&self) -> Result<KernelTables, DataplaneError> {
        let maps = self.maps();
        let flows_v4 = entries(&maps.flows_v4, self.capacity("FLOWS_V4"));
        let flows = entries(&maps.flows, self.capacity("FLOWS"));
        let half_open = entries(&maps.half_open, self.capacity("HALF_OPEN"));
        let connections = entries(&maps.connections, self.capacity("CONNECTIONS"));
        let tokens = entries(&maps.tokens, self.capacity("TOKENS"));
        let failed = |map| move |error| read_error(map, error);
        Ok(KernelTables {
            flows: flows_v4
                .map_err(failed("FLOWS_V4"))?
                .into_iter()
                .map(|(Entry(k), Entry(v))| (k.into(), v))
                .chain(flows.map_err(failed("FLOWS"))?.into_iter().map(|(Entry(k), Entry(v))| (k, v)))
                .collect(),
            half_open: half_open
                .map_err(failed("HALF_OPEN"))?
                .into_iter()
                .map(|(Entry(k), Entry(v))| (k, v))
                .collect(),
            connections: connections
                .map_err(failed("CONNECTIONS"))?
                .into_iter()
                .map(|(k, Entry(v))| (k, v))
                .collect(),
            tokens: tokens
                .map_err(failed("TOKENS"))?
                .into_iter()
                .map(|(Entry(k), Entry(v))| (k, v))
                .collect(),
        })
    }

    fn counters(&self) -> Result<Vec<u64>, DataplaneError> {
        self.maps().counters().map_err(|error| read_error("COUNTERS", error))
    }

    fn remove(&self, removal: Removal) -> Result<(), DataplaneError> {
        let mut maps = self.maps();
        let (map, done) = match removal {
            Removal::Flow(key, opened) => {
                let is_it = |flow: &Flow| flow.opened == opened && flow.is_closed();
                match key.v4() {
                    Some(key) => ("FLOWS_V4", remove_if(&mut maps.flows_v4, key, is_it)),
                    None => ("FLOWS", remove_if(&mut maps.flows, key, is_it)),
                }
            }
            Removal::Connection(id) => ("CONNECTIONS", maps.connections.remove(&id)),
            Removal::Token(key, seen) => {
                ("TOKENS", remove_if(&mut maps.tokens, key, |binding: &TokenBinding| *binding == seen))
            }
            Removal::Recount(id, joins) => ("CONNECTIONS", maps.recount(id, joins)),
            Removal::Rebind(key, seen, binding) => ("TOKENS", maps.rebind(key, &seen, binding)),
            Removal::RestoreFlow(key, flow) => match key.v4() {
                Some(key) => ("FLOWS_V4", maps.flows_v4.insert(Entry(key), Entry(flow), NOEXIST)),
                None => ("FLOWS", maps.flows.insert(Entry(key), Entry(flow), NOEXIST)),
            },
            Removal::RestoreConnection(id, connection) => {
                ("CONNECTIONS", maps.connections.insert(id, Entry(connection), NOEXIST))
            }
            Removal::RestoreToken(key, binding) => {
                ("TOKENS", maps.tokens.insert(Entry(key), Entry(binding), NOEXIST))
            }
        };
        let done = match done {
            // Somebody else has the key by now.
            Err(error) if errno(&error) == Some(libc::EEXIST) => Ok(()),
            other => gone_is_fine(other),
        };
        done.map_err(|error| write_error(map, error))
    }

    fn capacities(&self) -> Vec<(&'static str, u32)> {
        self.capacities.clone()
    }
}
