//! What was set, in a file, so that a `smoc host` that was killed recognises its own when it runs again.
//!
//! The file is replaced as a whole, and a second one beside it is locked as long as the daemon runs. It is of one network
//! namespace: another one's is refused.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use smoc_control::end_host::{
    Memory,
    config::{Mode, Role},
    userspace::Counts,
};

use super::HostError;

/// What the file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The inode of the network namespace.
    pub namespace: u64,
    /// The process that runs, or ran.
    pub pid: u32,
    /// Who decides about subflows.
    #[serde(default)]
    pub mode: Mode,
    /// Who decided about those of new connections before `smoc host` took them over (`net.mptcp.pm_type`).
    #[serde(default)]
    pub taken_from: Option<String>,
    /// Where `smoc host` itself listens for joins.
    #[serde(default)]
    pub listeners: Vec<SocketAddr>,
    /// The connections that `smoc host` itself looked after, when this was written.
    #[serde(default)]
    pub counts: Option<Counts>,
    /// What the host does.
    pub role: Role,
    /// Subflows of a connection.
    pub subflows: u8,
    /// Whether the edge told that number.
    pub told: bool,
    /// Endpoints are kept for so many.
    pub kept: u8,
    /// What was set.
    pub memory: Memory,
}

/// The file, locked.
pub(super) struct StateFile {
    path: PathBuf,
    state: State,
    _lock: Flock<File>,
}

impl std::ops::Deref for StateFile {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl std::ops::DerefMut for StateFile {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> HostError {
    HostError::State { doing, path: path.to_owned(), reason: source }
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(extension);
    path.with_file_name(name)
}

fn namespace() -> u64 {
    fs::metadata("/proc/self/ns/net").map_or(0, |metadata| metadata.ino())
}

/// The lock; `None` if somebody else has it.
fn lock(path: &Path) -> Result<Option<Flock<File>>, HostError> {
    let path = beside(path, ".lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| failed("open", &path, source))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(failed("lock", &path, error.into())),
    }
}

/// What the file says; `None` without one.
pub(super) fn read(path: &Path) -> Result<Option<State>, HostError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", path, source)),
    };
    let bad = |why: String| HostError::BadState { path: path.to_owned(), why };
    let state: State = serde_json::from_str(&text).map_err(|error| {
        bad(format!(
            "this is no state of `smoc host` ({error}): name another file with --state, or remove it; endpoints that it knew stay then, `ip mptcp endpoint` shows them"
        ))
    })?;
    if state.namespace != namespace() {
        return Err(bad("this is of another network namespace: name another file with --state".into()));
    }
    Ok(Some(state))
}

/// Whether a daemon runs that has this file.
pub(super) fn is_in_use(path: &Path) -> bool {
    beside(path, ".lock").exists() && matches!(lock(path), Ok(None))
}

impl StateFile {
    /// Opens and locks it; its directory is made if it is missing.
    pub fn open(path: &Path) -> Result<Self, HostError> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::create_dir_all(directory).map_err(|source| failed("create", directory, source))?;
        }
        let lock = lock(path)?.ok_or_else(|| HostError::Running(beside(path, ".lock")))?;
        let fresh = State {
            namespace: namespace(),
            pid: 0,
            mode: Mode::default(),
            taken_from: None,
            listeners: Vec::new(),
            counts: None,
            role: Role::default(),
            subflows: 0,
            told: false,
            kept: 0,
            memory: Memory::default(),
        };
        let state = read(path)?.unwrap_or(fresh);
        Ok(Self { path: path.to_owned(), state: State { pid: std::process::id(), ..state }, _lock: lock })
    }

    /// Writes it.
    pub fn save(&self) -> Result<(), HostError> {
        let new = beside(&self.path, ".new");
        let text = serde_json::to_string(&self.state).unwrap_or_default();
        fs::write(&new, text).map_err(|source| failed("write", &new, source))?;
        fs::rename(&new, &self.path).map_err(|source| failed("write", &self.path, source))
    }

    /// Removes it: nothing of ours is there any more.
    pub fn remove(self) -> Result<(), HostError> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(failed("remove", &self.path, source)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_read_again_and_only_one_may_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made/state.json");
        let mut first = StateFile::open(&path).unwrap();
        first.kept = 5;
        first.save().unwrap();
        assert!(is_in_use(&path));
        assert!(matches!(StateFile::open(&path), Err(HostError::Running(_))));
        drop(first);
        assert!(!is_in_use(&path));
        let second = StateFile::open(&path).unwrap();
        assert_eq!(second.kept, 5);
        second.remove().unwrap();
        assert!(read(&path).unwrap().is_none());
    }

    #[test]
    fn files_of_others_are_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        fs::write(&path, "{}").unwrap();
        let refused = |path: &Path| StateFile::open(path).err().unwrap().to_string();
        assert!(refused(&path).contains("--state"));
        fs::remove_file(&path).unwrap();
        let mut file = StateFile::open(&path).unwrap();
        file.namespace += 1;
        file.save().unwrap();
        drop(file);
        assert!(refused(&path).contains("another network namespace"));
    }
}
