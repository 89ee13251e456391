//! The pin directory: whether it can be used, and whether what lies in it is ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{DirBuilder, File},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aya::maps::{Array, MapData, MapInfo};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};
use smoc_common::map::{EdgeName, LAYOUT_MAGIC, LAYOUT_VERSION, Settings, THIS_EDGE};

use smoc_control::config::Tables;

use super::maps::{Entry, SHAPES, capacity, open, parse_edge_name, setting, sizes};
use crate::dataplane::DataplaneError;

/// Where a BPF file system usually is.
const USUAL_MOUNT: &str = "/sys/fs/bpf";
/// Pinned links are named `link-` and the interface.
const LINK_PREFIX: &str = "link-";
/// Program arrays are named `CONTINUATIONS-` and a number: each set of programs has its own, because halves of
/// different sets do not fit together, and the kernel empties one that is not pinned.
const CONTINUATIONS_PREFIX: &str = "CONTINUATIONS-";

type Claims = Arc<Mutex<BTreeSet<PathBuf>>>;

fn lock(claims: &Claims) -> MutexGuard<'_, BTreeSet<PathBuf>> {
    claims.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of a set's program array, claimed for as long as this is there. Dropping it leaves the pin: programs may still be
/// on ports.
#[derive(Debug)]
pub struct Continuations {
    path: PathBuf,
    claimed: Claims,
}

impl Continuations {
    /// Where it is, or will be.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Continuations {
    fn drop(&mut self) {
        lock(&self.claimed).remove(&self.path);
    }
}

/// A pin directory that this process alone uses.
#[derive(Debug)]
pub struct PinDirectory {
    path: PathBuf,
    /// The program arrays of sets that this process has, or is loading.
    claimed: Claims,
    _lock: Flock<File>,
}

impl PinDirectory {
    /// Makes the directory if need be and locks it.
    ///
    /// # Errors
    /// It is on no BPF file system, cannot be made, or is in use by another agent.
    pub fn claim(path: &Path) -> Result<Self, DataplaneError> {
        check_file_system(path)?;
        let failed = |source| DataplaneError::PinDirectory { path: path.into(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        check_owner(path)?;
        let directory = File::open(path).map_err(failed)?;
        let lock =
            Flock::lock(directory, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
                nix::Error::EWOULDBLOCK => DataplaneError::InUse { path: path.into(), field: "bpf.pin" },
                other => failed(other.into()),
            })?;
        Ok(Self { path: path.into(), claimed: Claims::default(), _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the link of an interface is pinned. A BPF file system takes no dots in names.
    pub fn link(&self, interface: &str) -> PathBuf {
        link(&self.path, interface)
    }

    /// All pinned links.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn links(&self) -> Result<Vec<PathBuf>, DataplaneError> {
        self.with_prefix(LINK_PREFIX)
    }

    /// All pinned program arrays.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn continuations(&self) -> Result<Vec<PathBuf>, DataplaneError> {
        self.with_prefix(CONTINUATIONS_PREFIX)
    }

    /// Pinned program arrays of sets that this process neither has nor is loading.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn unclaimed_continuations(&self) -> Result<Vec<PathBuf>, DataplaneError> {
        // Held while the directory is read: what is claimed later is none of what was read.
        let claimed = lock(&self.claimed);
        let all = self.continuations()?;
        Ok(all.into_iter().filter(|path| !claimed.contains(path)).collect())
    }

    /// Where the program array of a new set of programs can be pinned: nobody takes that for left over, also while another
    /// thread still loads the set.
    pub fn new_continuations(&self) -> Continuations {
        let mut claimed = lock(&self.claimed);
        let mut candidates = (0u32..).map(|number| self.path.join(format!("{CONTINUATIONS_PREFIX}{number}")));
        let free = |path: &PathBuf| !path.exists() && !claimed.contains(path);
        let path = candidates.find(free).expect("a directory has no 4294967296 entries");
        claimed.insert(path.clone());
        Continuations { path, claimed: self.claimed.clone() }
    }

    fn with_prefix(&self, prefix: &str) -> Result<Vec<PathBuf>, DataplaneError> {
        let entries = self.entries()?;
        Ok(entries.into_iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, path)| path).collect())
    }

    /// Whether the pinned maps can be taken over by the agent of `switch`.
    ///
    /// # Errors
    /// [`DataplaneError::Foreign`] says what does not fit.
    pub fn verify(&self, switch: &str) -> Result<(), DataplaneError> {
        let foreign = |what| Err(DataplaneError::Foreign { pin: self.path.clone(), what });
        if let Some(what) = self.mismatch() {
            return foreign(what);
        }
        if self.path.join("SETTINGS").exists() {
            let settings: Array<MapData, Entry<Settings>> = open(&self.path, "SETTINGS")?;
            let Entry(found) =
                settings.get(&0, 0).map_err(|error| super::maps::read_error("SETTINGS", error))?;
            if found != Settings::default() && (found.magic, found.layout) != (LAYOUT_MAGIC, LAYOUT_VERSION) {
                return foreign(format!(
                    "its layout is {:#x} version {}, not {LAYOUT_MAGIC:#x} version {LAYOUT_VERSION}",
                    found.magic, found.layout
                ));
            }
        }
        if self.path.join("EDGE_NAMES").exists() {
            let names: Array<MapData, Entry<EdgeName>> = open(&self.path, "EDGE_NAMES")?;
            let this = u32::from(THIS_EDGE);
            let Entry(name) =
                names.get(&this, 0).map_err(|error| super::maps::read_error("EDGE_NAMES", error))?;
            if let Some(other) = parse_edge_name(&name).map(|it| it.switch).filter(|name| *name != switch) {
                return foreign(format!("it is of switch \"{other}\", not \"{switch}\""));
            }
        }
        Ok(())
    }

    /// Whether the pinned maps have the size that the configuration says: a map that the agent takes for larger than it is
    /// would be filled beyond its end.
    ///
    /// # Errors
    /// [`DataplaneError::Foreign`] names the setting.
    pub fn verify_sizes(&self, tables: &Tables) -> Result<(), DataplaneError> {
        for (map, wanted) in sizes(tables) {
            if !self.path.join(map).exists() {
                continue;
            }
            let there = capacity(&self.path, map)?;
            if there != wanted {
                let field = if map == "TOKENS" { "twice tables.connections" } else { setting(map) };
                let what =
                    format!("{field} is {wanted}, and {map} has room for {there}: set it as it was, or");
                return Err(DataplaneError::Foreign { pin: self.path.clone(), what });
            }
        }
        Ok(())
    }

    /// What is different about the first pinned map that is not of this layout.
    pub fn mismatch(&self) -> Option<String> {
        let there = SHAPES.iter().filter(|shape| self.path.join(shape.name).exists());
        there.into_iter().find_map(|shape| match MapInfo::from_pin(self.path.join(shape.name)) {
            Ok(found) => shape.mismatch(&found),
            Err(error) => Some(format!("{} cannot be opened as a map ({error})", shape.name)),
        })
    }

    /// The maps that are pinned, program arrays not included.
    pub fn maps(&self) -> Vec<PathBuf> {
        SHAPES.iter().map(|shape| self.path.join(shape.name)).filter(|path| path.exists()).collect()
    }

    /// Removes all links, which detaches the programs, then all maps, then the directory if it is empty; how
    /// many of each there were.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn remove(self) -> Result<(usize, usize), DataplaneError> {
        let remove = |path: &PathBuf| {
            std::fs::remove_file(path)
                .map_err(|source| DataplaneError::PinDirectory { path: path.clone(), source })
        };
        let links = self.links()?;
        links.iter().try_for_each(remove)?;
        let mut maps = self.maps();
        maps.extend(self.continuations()?);
        maps.iter().try_for_each(remove)?;
        match std::fs::remove_dir(&self.path) {
            Err(source) if source.kind() != ErrorKind::DirectoryNotEmpty => {
                Err(DataplaneError::PinDirectory { path: self.path, source })
            }
            _ => Ok((links.len(), maps.len())),
        }
    }

    fn entries(&self) -> Result<Vec<(String, PathBuf)>, DataplaneError> {
        let failed = |source| DataplaneError::PinDirectory { path: self.path.clone(), source };
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            entries.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
        entries.sort();
        Ok(entries)
    }
}

/// Where the link of an interface is pinned in that directory.
fn link(directory: &Path, interface: &str) -> PathBuf {
    directory.join(format!("{LINK_PREFIX}{}", interface.replace('%', "%25").replace('.', "%2e")))
}

/// Where a BPF file system would have to be mounted before this can be a pin directory; `None` if there is one.
pub fn missing_mount(path: &Path) -> Option<PathBuf> {
    match check_file_system(path) {
        Err(DataplaneError::NoBpfFileSystem { mount, .. }) => Some(mount),
        _ => None,
    }
}

/// The programs on the links of these interfaces that are pinned in a directory, whoever uses that; `None` if it cannot be looked
/// into.
pub fn pinned_programs<'a>(
    directory: &Path,
    interfaces: impl Iterator<Item = &'a str>,
) -> Option<BTreeMap<String, u32>> {
    if let Err(error) = std::fs::read_dir(directory) {
        return (error.kind() == ErrorKind::NotFound).then(BTreeMap::new);
    }
    let program = |interface| super::attach::program_of(&link(directory, interface));
    Some(interfaces.filter_map(|name| Some((name.to_owned(), program(name)?))).collect())
}

/// A user who can write to the directory can change the packet path: only the agent's own user may.
fn check_owner(path: &Path) -> Result<(), DataplaneError> {
    let there = std::fs::metadata(path)
        .map_err(|source| DataplaneError::PinDirectory { path: path.into(), source })?;
    let unsafe_because = |what| Err(DataplaneError::UnsafePins { path: path.into(), what });
    let me = nix::unistd::geteuid().as_raw();
    if there.uid() != me {
        unsafe_because(format!("belongs to user {}: `chown {me} {}`", there.uid(), path.display()))
    } else if there.mode() & 0o022 != 0 {
        unsafe_because(format!("may be written to by others: `chmod 700 {}`", path.display()))
    } else {
        Ok(())
    }
}

/// Finds out on which file system the directory is, or would be.
fn check_file_system(path: &Path) -> Result<(), DataplaneError> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    match statfs(existing) {
        Ok(stat) if stat.filesystem_type() == BPF_FS_MAGIC => Ok(()),
        Ok(_) => {
            let usual = Path::new(USUAL_MOUNT);
            let mount = if path.starts_with(usual) { usual } else { path.parent().unwrap_or(path) };
            Err(DataplaneError::NoBpfFileSystem { pin: path.into(), mount: mount.into() })
        }
        Err(error) => Err(DataplaneError::PinDirectory { path: existing.into(), source: error.into() }),
    }
}
