//! The packet path in the kernel: loads the BPF object, takes over what is pinned, reads and writes the maps.
//! The only module that knows aya.

mod attach;
mod capture;
mod events;
mod inspector;
mod installed;
mod load;
mod log;
mod maps;
mod object;
mod pins;
mod sightings;
mod tables;
mod transmit;

pub use capture::{CaptureLoader, CaptureRing};
pub use events::Events;
pub use inspector::Inspector;
pub use load::ProgramSet;
pub use pins::{PinDirectory, missing_mount, pinned_programs};
pub use sightings::Sightings;
pub use tables::XdpTables;
pub use transmit::Transmit;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::maps::MapError;
use smoc_common::{
    map::{HelloKeys, Port, Settings},
    route::PortNumber,
};
use smoc_control::{
    config::{Config, XdpMode},
    dataplane::{Change, Installed, PortEntry},
    interfaces::{IfIndex, Interface},
    ports::{Programs, Role},
};

use super::{Dataplane, DataplaneError, errno};
use attach::NewLinks;
use load::{load_set, xdp};
use maps::{ConfigMaps, Entry, edge_name, read_error, set_device, trie_key, write_error};
use object::Object;

/// The program that a port of this role gets.
fn program_of(role: Role) -> &'static str {
    match role {
        Role::Host => "smoc_host",
        Role::Fabric => "smoc_fabric",
    }
}

/// Loaded programs and the maps they use.
pub struct XdpDataplane {
    pins: Arc<PinDirectory>,
    programs: ProgramSet,
    /// Those that take their place while a capture runs.
    capturing: Option<ProgramSet>,
    maps: ConfigMaps,
    mode: XdpMode,
}

impl XdpDataplane {
    /// Claims the pin directory, takes over the maps in it or makes new ones, and loads the programs. Nothing
    /// is attached yet.
    ///
    /// # Errors
    /// Everything in [`DataplaneError`] that is not about interfaces.
    pub fn load(config: &Config) -> Result<Self, DataplaneError> {
        let object = Object::of_agent(config)?;
        let pins = PinDirectory::claim(&config.pin)?;
        pins.verify(&config.switch)?;
        pins.verify_sizes(&config.tables)?;
        let mut programs = load_set(config, &object, &pins)?;
        let maps = ConfigMaps::open(pins.path())?;
        if let Err(error) = log::start(&mut programs.ebpf) {
            tracing::warn!(%error, "the programs' log is not read");
        }
        Ok(Self { pins: Arc::new(pins), programs, capturing: None, maps, mode: config.xdp })
    }

    /// Puts the program of a role on an interface. What is new is taken back if it fails.
    ///
    /// # Errors
    /// Those of [`DataplaneError`] about interfaces.
    pub fn attach(&mut self, role: Role, interface: &Interface) -> Result<(), DataplaneError> {
        attach::check_free(&self.pins, interface)?;
        let mut new = NewLinks::default();
        let set = self.capturing.as_mut().unwrap_or(&mut self.programs);
        let program = xdp(&mut set.ebpf, program_of(role)).expect("checked when the object was loaded");
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
        let Programs { host, fabric } = self.programs();
        if !self.pins.links()?.iter().all(|link| attach::is_of(link, &[host, fabric])) {
            return Ok(());
        }
        self.pins.unclaimed_continuations()?.iter().try_for_each(|path| attach::unpin(path))
    }

    /// The kernel's numbers of the programs that are to be on the ports.
    pub fn programs(&self) -> Programs {
        self.capturing.as_ref().unwrap_or(&self.programs).programs
    }

    /// Who loads programs that capture.
    pub fn capture_loader(&self, config: Arc<Config>) -> CaptureLoader {
        CaptureLoader::new(config, self.pins.clone())
    }

    /// Lets these programs take the place of the others, or ends that. What is on the ports is to be attached anew.
    pub fn capture(&mut self, programs: Option<ProgramSet>) {
        self.capturing = programs;
    }

    /// The pin directory.
    pub fn pin(&self) -> &Path {
        self.pins.path()
    }
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
            Change::SetPrefix(prefix, router) => maps
                .prefixes
                .insert(&trie_key(prefix), Entry(*router), 0)
                .map_err(|error| match errno(&error) {
                    Some(libc::ENOSPC) => DataplaneError::TooManyPrefixes,
                    _ => write_error("PREFIXES", error),
                }),
            Change::RemovePrefix(prefix) => gone_is_fine(maps.prefixes.remove(&trie_key(prefix)))
                .map_err(|error| write_error("PREFIXES", error)),
            Change::SetHelloKeys(keys) => {
                let done = maps.hello_keys.set(0, Entry::<HelloKeys>(*keys), 0);
                done.map_err(|error| write_error("HELLO_KEYS", error))
            }
            Change::SetPair(key, index) => maps
                .pairs
                .insert(Entry(*key), u32::from(*index), 0)
                .map_err(|error| write_error("PAIRS", error)),
            Change::RemovePair(key) => {
                gone_is_fine(maps.pairs.remove(&Entry(*key))).map_err(|error| write_error("PAIRS", error))
            }
            Change::SetSettings(settings) => {
                let done = maps.settings.set(0, Entry::<Settings>(*settings), 0);
                done.map_err(|error| write_error("SETTINGS", error))
            }
        }
    }
}

impl XdpDataplane {
    fn set_port(&mut self, number: PortNumber, entry: PortEntry) -> Result<(), DataplaneError> {
        let index = u32::from(number.get());
        let ConfigMaps { ports, hello_ports, interfaces, .. } = &mut self.maps;
        let Entry(before): Entry<Port> = ports.get(&index, 0).map_err(|error| read_error("PORTS", error))?;
        ports.set(index, Entry(entry.port), 0).map_err(|error| write_error("PORTS", error))?;
        let failed = |error| write_error("INTERFACES", error);
        let is_left = before.interface != entry.port.interface || !entry.port.is_found();
        // Another port may have got its interface meanwhile.
        if is_left && found(interfaces.get(&before.interface, 0)).map_err(failed)? == Some(index) {
            gone_is_fine(interfaces.remove(&before.interface)).map_err(failed)?;
        }
        if entry.port.is_found() {
            interfaces.insert(entry.port.interface, index, 0).map_err(failed)?;
        }
        let hello = match Role::in_map(&entry.port) {
            Role::Host => IfIndex::default(),
            Role::Fabric => entry.interface,
        };
        set_device(hello_ports, "HELLO_PORTS", index, hello)
    }
}

/// The value of a key, if it is there.
fn found<V>(value: Result<V, MapError>) -> Result<Option<V>, MapError> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(MapError::KeyNotFound | MapError::ElementNotFound) => Ok(None),
        Err(error) if errno(&error) == Some(libc::ENOENT) => Ok(None),
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
