//! What is written down about the lab that is up, so that a later command finds it and can end it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, umount2};
use serde::{Deserialize, Serialize};

use super::Routing;
use super::plan::Plan;
use super::process::Process;
use super::wire::Condition;

/// Everything the lab keeps on disk.
pub const RUN_DIRECTORY: &str = "/run/smoc-lab";

/// Held by whoever starts, runs or ends a lab.
const LOCK_FILE: &str = "/run/smoc-lab.lock";

/// The lab that is up. Written before the first namespace is made, so that nothing can be left unrecorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The topology file it was made from.
    pub topology: PathBuf,
    /// How its switches forward.
    pub routing: Routing,
    /// Its nodes, links and hosts.
    pub plan: Plan,
    /// Who ends it; nobody but `lab down` if that is `None`.
    pub owner: Option<Process>,
    /// The agents, by switch.
    pub agents: Vec<Agent>,
    /// Per link of the plan, what happens to frames from `a` and to frames from `b`.
    pub conditions: Vec<[Condition; 2]>,
}

/// A running agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The switch it serves.
    pub switch: String,
    /// Its process.
    pub process: Process,
}

/// The file in which the state is kept.
pub fn state_file() -> PathBuf {
    Path::new(RUN_DIRECTORY).join("state.json")
}

/// The lab's own BPF file system: the machine's may not be mounted, and pins must go with the lab.
pub fn bpf_directory() -> PathBuf {
    Path::new(RUN_DIRECTORY).join("bpf")
}

/// Where a switch's agent pins its maps.
pub fn pin_directory(switch: &str) -> PathBuf {
    bpf_directory().join(switch)
}

/// The API socket of a switch's agent.
pub fn socket(switch: &str) -> PathBuf {
    Path::new(RUN_DIRECTORY).join(format!("{switch}.sock"))
}

/// The configuration of a switch's agent.
pub fn config_file(switch: &str) -> PathBuf {
    Path::new(RUN_DIRECTORY).join(format!("{switch}.yaml"))
}

/// What a switch's agent has logged.
pub fn log_file(switch: &str) -> PathBuf {
    Path::new(RUN_DIRECTORY).join(format!("{switch}.log"))
}

impl State {
    /// The lab that is up, if one is.
    pub fn read() -> Result<Option<Self>> {
        let path = state_file();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("read {}", path.display()))?,
        };
        serde_json::from_str(&text).map(Some).with_context(|| {
            format!(
                "{} is not what this version of the lab writes; end the lab with the version that made it",
                path.display()
            )
        })
    }

    /// Writes it down, atomically.
    pub fn write(&self) -> Result<()> {
        let draft = Path::new(RUN_DIRECTORY).join("state.json.new");
        fs::write(&draft, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("write {}", draft.display()))?;
        fs::rename(&draft, state_file()).context("replace the lab's state file")
    }

    /// Whether nobody is left who would use it or end it: its owner is gone, or all its agents are.
    pub fn is_abandoned(&self) -> bool {
        let agents_are_gone = !self.agents.is_empty() && self.processes().iter().all(|it| !it.is_alive());
        agents_are_gone || self.owner.is_some_and(|owner| !owner.is_alive())
    }

    /// Every process the lab started and has not seen end.
    pub fn processes(&self) -> Vec<Process> {
        self.agents.iter().map(|agent| agent.process).collect()
    }
}

/// Takes the lock that keeps two labs from being started or ended at once.
///
/// With `wait` it waits for its turn, which a test may; without, it fails at once, which people prefer.
pub fn lock(wait: bool) -> Result<Flock<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(LOCK_FILE);
    let file = file.with_context(|| format!("open {LOCK_FILE} (the lab needs root)"))?;
    let how = if wait { FlockArg::LockExclusive } else { FlockArg::LockExclusiveNonblock };
    match Flock::lock(file, how) {
        Ok(lock) => Ok(lock),
        Err((_, Errno::EWOULDBLOCK)) => {
            bail!("another lab is being started, tested or ended just now; wait for it")
        }
        Err((_, error)) => Err(error).with_context(|| format!("lock {LOCK_FILE}")),
    }
}

/// Removes the run directory with all that is in it, the BPF file system first.
pub fn remove_run_directory() -> Result<()> {
    match umount2(&bpf_directory(), MntFlags::MNT_DETACH) {
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
        Err(error) => return Err(error).with_context(|| format!("unmount {}", bpf_directory().display())),
    }
    match fs::remove_dir_all(RUN_DIRECTORY) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {RUN_DIRECTORY}"))
        }
        _ => Ok(()),
    }
}
