//! A Debian that runs under systemd in namespaces of its own, which leave nothing behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::{command, run};

/// What the checks use beside the base system.
const PACKAGES: &str =
    "systemd,systemd-sysv,ethtool,iproute2,iputils-ping,man-db,bash-completion,zsh,fish,procps";
const BOOT: &str = include_str!("boot.sh");
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine that runs; dropping it ends all its processes and removes its files.
pub struct Machine {
    root: PathBuf,
    cgroup: PathBuf,
    /// Parent of the first process, in this machine's namespaces; when it ends so do they.
    child: Child,
    /// The number that the first process has outside.
    init: u32,
}

impl Machine {
    /// Unpacks a release of Debian into a directory, which is emptied, and starts it. The archive of the release is kept beside
    /// the directory for the next time.
    ///
    /// # Errors
    /// The release cannot be had, or it does not start.
    pub fn boot(suite: &str, directory: &Path) -> Result<Self> {
        let archive = directory.with_file_name(format!("{suite}.tar"));
        if !archive.exists() {
            let partial = archive.with_extension("partial.tar");
            let mut make = command("mmdebstrap");
            make.args(["--variant=minbase", &format!("--include={PACKAGES}"), suite]).arg(&partial);
            run(&mut make)?;
            fs::rename(&partial, &archive).with_context(|| format!("cannot write {}", archive.display()))?;
        }
        if directory.exists() {
            fs::remove_dir_all(directory).with_context(|| format!("cannot empty {}", directory.display()))?;
        }
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        run(command("tar").arg("--directory").arg(directory).arg("--extract").arg("--file").arg(&archive))?;
        let cgroup = cgroup_mount()?.join(format!("smoc-dist-{}", std::process::id()));
        fs::create_dir(&cgroup).with_context(|| format!("cannot make {}", cgroup.display()))?;
        let child = Command::new("sh")
            .args(["-c", "echo $$ > \"$1/cgroup.procs\" && exec unshare --mount --net --pid --uts --ipc --cgroup --fork --kill-child sh -c \"$2\" boot \"$3\"", "boot"])
            .arg(&cgroup)
            .arg(BOOT)
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start unshare")?;
        let mut machine = Self { root: directory.to_owned(), cgroup, child, init: 0 };
        machine.wait_until_it_runs()?;
        Ok(machine)
    }

    fn wait_until_it_runs(&mut self) -> Result<()> {
        let start = Instant::now();
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        while start.elapsed() < PATIENCE {
            let found = fs::read_to_string(&children).unwrap_or_default();
            if let Some(init) = found.split_whitespace().next() {
                self.init = init.parse()?;
                // Degraded is as good: there are no kernel modules to load in namespaces.
                let state = self.sh("systemctl is-system-running")?;
                let state = String::from_utf8_lossy(&state.stdout).into_owned();
                if ["running", "degraded"].contains(&state.trim()) {
                    return Ok(());
                }
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the Debian in {} ended while it started ({status})", self.root.display());
            }
            sleep(Duration::from_millis(200));
        }
        bail!("the Debian in {} has not started within {} s", self.root.display(), PATIENCE.as_secs())
    }

    /// Runs a shell script in the machine, as root.
    ///
    /// # Errors
    /// It cannot be started; its exit status is in what it gives back.
    pub fn sh(&self, script: &str) -> Result<Output> {
        let init = self.init.to_string();
        Command::new("nsenter")
            .args([
                "--target", &init, "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--",
            ])
            .args([
                "env",
                "-i",
                "--chdir=/",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root",
                "TERM=dumb",
                "LC_ALL=C.UTF-8",
            ])
            .args(["DEBIAN_FRONTEND=noninteractive", "sh", "-euc", script])
            .stdin(Stdio::null())
            .output()
            .context("cannot start nsenter")
    }

    /// Copies a file into the machine's /root, under this name.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn put(&self, from: &Path, name: &str) -> Result<()> {
        let to = self.root.join("root").join(name);
        fs::copy(from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The kernel kills all processes of the namespaces with the first one, which ends with its parent.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let start = Instant::now();
        while Path::new(&format!("/proc/{}", self.init)).exists() && start.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20));
        }
        remove_groups(&self.cgroup);
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Removes a control group and those below it.
fn remove_groups(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Where the unified hierarchy of control groups is mounted.
fn cgroup_mount() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
    let mount = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mut mount = mount.filter(|fields| fields.get(2) == Some(&"cgroup2"));
    let mount =
        mount.next().context("no cgroup2 is mounted: run `mount -t cgroup2 cgroup2 /sys/fs/cgroup`")?;
    Ok(PathBuf::from(mount[1]))
}
