//! Network namespaces by name, as `ip netns` keeps them, and entering one for the length of a scope.
//!
//! Only the network namespace changes. The mount namespace stays, so that, unlike under `ip netns exec`,
//! `/sys/fs/bpf` and the lab's run directory remain visible.

use std::fs::{self, File};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// Where `ip netns` keeps its names.
const NAMES: &str = "/run/netns";

/// A named network namespace. The value is only the name: dropping it removes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// The namespace `ip netns` knows as `name`, whether or not it exists.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(NAMES).join(&self.name)
    }

    /// Whether there is a namespace of this name.
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Removes it, and with it the interfaces in it once no process uses it any more.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn delete(&self) -> Result<()> {
        let done = Command::new("ip").args(["netns", "delete", &self.name]).output().context("run ip")?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr).trim());
        Ok(())
    }

    /// Moves the calling thread into this namespace until the guard is dropped.
    pub fn enter(&self) -> Result<NetnsGuard> {
        let there = File::open(self.path())
            .with_context(|| format!("network namespace {} does not exist; is the lab up?", self.name))?;
        enter(&there).with_context(|| format!("enter network namespace {} (this needs root)", self.name))
    }

    /// Runs `work` inside this namespace; sockets it opens stay there.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let _inside = self.enter()?;
        Ok(work())
    }

    /// A command that will run inside this namespace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg(program);
        command
    }

    /// Sets kernel parameters below `/proc/sys/net` of this namespace, given as (path, value).
    pub fn set_sysctls(&self, settings: &[(&str, &str)]) -> Result<()> {
        let _inside = self.enter()?;
        write_sysctls(settings).with_context(|| format!("in {}", self.name))
    }
}

/// A network namespace without a name. Nothing keeps it but this value: the kernel removes it, and every interface in it, when the
/// value is dropped or its process ends, however that ends.
#[derive(Debug)]
pub struct Unnamed {
    file: File,
}

impl Unnamed {
    /// A new one, with the loopback interface alone.
    ///
    /// # Errors
    /// Without root.
    pub fn new() -> Result<Self> {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace (this needs root)")?;
            File::open("/proc/thread-self/ns/net").context("open a network namespace")
        });
        let file = made.join().map_err(|_| anyhow!("the thread that makes a network namespace died"))??;
        Ok(Self { file })
    }

    /// The file that stands for it, for other processes too.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()))
    }

    /// Moves the calling thread into this namespace until the guard is dropped.
    ///
    /// # Errors
    /// Without root.
    pub fn enter(&self) -> Result<NetnsGuard> {
        enter(&self.file).context("enter a network namespace (this needs root)")
    }

    /// Sets kernel parameters below `/proc/sys/net` of this namespace, given as (path, value).
    ///
    /// # Errors
    /// There is no such parameter, or it does not take the value.
    pub fn set_sysctls(&self, settings: &[(&str, &str)]) -> Result<()> {
        let _inside = self.enter()?;
        write_sysctls(settings)
    }

    /// A command that will run inside this namespace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg(program);
        command
    }
}

fn write_sysctls(settings: &[(&str, &str)]) -> Result<()> {
    settings.iter().try_for_each(|(key, value)| {
        fs::write(format!("/proc/sys/net/{key}"), value).with_context(|| format!("set net/{key} to {value}"))
    })
}

fn enter(there: &File) -> Result<NetnsGuard> {
    let home = File::open("/proc/thread-self/ns/net").context("open this thread's network namespace")?;
    setns(there, CloneFlags::CLONE_NEWNET)?;
    Ok(NetnsGuard { home, _stays_on_its_thread: PhantomData })
}

/// While it lives, the thread that made it is in another network namespace; dropping it returns the thread.
///
/// It must be dropped on the thread that made it, hence it cannot be sent to another:
///
/// ```compile_fail
/// fn sendable<T: Send>() {}
/// sendable::<smoc_tests::netns::NetnsGuard>();
/// ```
#[must_use = "the thread returns to its own namespace as soon as the guard is dropped"]
pub struct NetnsGuard {
    home: File,
    _stays_on_its_thread: PhantomData<*const ()>,
}

impl Drop for NetnsGuard {
    fn drop(&mut self) {
        if let Err(error) = setns(&self.home, CloneFlags::CLONE_NEWNET) {
            // Whatever this thread did next would happen in the wrong network.
            eprintln!("cannot return from a network namespace: {error}");
            std::process::abort();
        }
    }
}

/// Switches an interface of the current namespace on or off (netdevice(7)), which takes no more time than that.
///
/// # Errors
/// Without root, or when there is no such interface.
pub fn switch_interface(name: &str, on: bool) -> Result<()> {
    let (asking, mut request, flags) = interface_flags(name)?;
    let up = libc::IFF_UP as libc::c_short;
    request.ifr_ifru.ifru_flags = if on { flags | up } else { flags & !up };
    // SAFETY: the request outlives the call, which reads name and flags.
    let written = unsafe { libc::ioctl(asking.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    Errno::result(written).map(drop).with_context(|| format!("switch {name}"))
}

/// Whether the kernel tells user space that an interface can send: it is up and has carrier. The kernel says so from a thread
/// of its own, some time after the carrier changed.
///
/// # Errors
/// There is no such interface.
pub fn is_running(name: &str) -> Result<bool> {
    Ok(interface_flags(name)?.2 & libc::IFF_RUNNING as libc::c_short != 0)
}

/// The flags of an interface, and the socket and request by which they can be changed (netdevice(7)).
fn interface_flags(name: &str) -> Result<(OwnedFd, libc::ifreq, libc::c_short)> {
    let asking = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .context("open a socket")?;
    // SAFETY: all zeros are a valid request, without name and flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, byte) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = byte as libc::c_char;
    }
    // SAFETY: the request outlives the call, which reads the name and writes the flags.
    let read = unsafe { libc::ioctl(asking.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    Errno::result(read).with_context(|| format!("read the flags of {name}"))?;
    // SAFETY: the call above wrote the flags.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok((asking, request, flags))
}
