//! What can go wrong with the packet path, and what to do about it.

use std::path::PathBuf;

use smoc_control::interfaces::AttachedMode;

/// An error of a library, kept as it is.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the packet path cannot be set up or changed. In each case programs that are already attached keep running.
#[derive(Debug, thiserror::Error)]
pub enum DataplaneError {
    /// There is no BPF object.
    #[error(
        "no BPF object at {}: build it with `cargo xtask build-ebpf`, or set bpf.object in the configuration",
        tried.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
    )]
    NoObject {
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// The object cannot be used.
    #[error(
        "{object} is no BPF object of this version of smoc ({what}): build it with `cargo xtask build-ebpf`"
    )]
    BadObject {
        /// The object.
        object: String,
        /// What is wrong with it.
        what: String,
    },
    /// A program did not pass the kernel's verifier, or the kernel lacks something.
    #[error("the kernel refuses the program {program}: {source}")]
    Refused {
        /// The program.
        program: &'static str,
        /// What the kernel says, with the end of the verifier's log.
        source: BoxError,
    },
    /// The pin directory is not on a BPF file system.
    #[error(
        "{pin} is not on a BPF file system: run `mount -t bpf bpf {mount}`, or set bpf.pin to a directory on one \
         (`ip netns exec` hides /sys/fs/bpf; `nsenter --net=...` does not)"
    )]
    NoBpfFileSystem {
        /// The configured directory.
        pin: PathBuf,
        /// Where one could be mounted.
        mount: PathBuf,
    },
    /// The pin directory cannot be made or used.
    #[error("{path}: {source}")]
    PinDirectory {
        /// The directory or what is in it.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another user could change what is pinned.
    #[error("{path} {what}, or set bpf.pin to another directory")]
    UnsafePins {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it, and the command that mends it.
        what: String,
    },
    /// Another agent is at work.
    #[error("another agent uses {path}: stop it, or give this one another {field}")]
    InUse {
        /// Pin directory or socket.
        path: PathBuf,
        /// The field of the configuration.
        field: &'static str,
    },
    /// What is pinned is not what this agent would have pinned.
    #[error(
        "what is pinned in {pin} cannot be taken over: {what}. `smoc detach --config FILE` removes it \
         (traffic then takes the base network until an agent has started)"
    )]
    Foreign {
        /// The pin directory.
        pin: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A foreign XDP program is attached.
    #[error(
        "{interface} already has an XDP program (id {program}, {}): `ip link set dev {interface} {} off` removes \
         one that ip attached; `bpftool link` shows whose it is otherwise", mode.name(), off(*mode)
    )]
    OtherProgram {
        /// The interface.
        interface: String,
        /// The number of the program.
        program: u32,
        /// Where it runs.
        mode: AttachedMode,
    },
    /// The driver has no native XDP.
    #[error("the driver of {interface} has no native XDP: set `xdp: generic` in the configuration (slower)")]
    NoNativeXdp {
        /// The interface.
        interface: String,
    },
    /// The MTU is more than the driver can do with XDP.
    #[error(
        "the MTU of {interface} ({mtu}) or of its peer is too large for its driver with XDP: lower it with \
         `ip link set dev {interface} mtu 3498` or less, or set `xdp: generic` in the configuration"
    )]
    MtuTooLarge {
        /// The interface.
        interface: String,
        /// Its MTU.
        mtu: u32,
    },
    /// Attaching failed for another reason.
    #[error("cannot attach to {interface}: {source}")]
    Attach {
        /// The interface.
        interface: String,
        /// What the kernel says.
        source: BoxError,
    },
    /// A map could not be read or written.
    #[error("{doing} {map}: {source}")]
    Map {
        /// `read` or `write`.
        doing: &'static str,
        /// The map.
        map: &'static str,
        /// What the kernel says.
        source: BoxError,
    },
    /// A map is full.
    #[error("{map} is full: raise {field} in the configuration, then `smoc detach` and start again")]
    Full {
        /// The map.
        map: &'static str,
        /// The field of the configuration.
        field: &'static str,
    },
    /// There are more prefixes than `PREFIXES` has room for.
    #[error(
        "PREFIXES is full: the topology file has more than {} prefixes; join some",
        smoc_common::map::PREFIX_ENTRIES
    )]
    TooManyPrefixes,
}

/// The keyword with which `ip link` removes a program of that mode.
fn off(mode: AttachedMode) -> &'static str {
    if mode == AttachedMode::Generic { "xdpgeneric" } else { "xdp" }
}

/// The error number of the system call somewhere below an error.
pub fn errno(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(number) = io.raw_os_error()
        {
            return Some(number);
        }
        next = error.source();
    }
    None
}
