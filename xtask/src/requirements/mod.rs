//! What the verbs need beyond cargo and a C linker, and getting it.
//!
//! [`TABLE`] is the one list: docs/tutorial.md says the same in words.

mod bpf_linker;
mod install;

pub use install::is_root;

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::toolchain::Toolchain;
use bpf_linker::Linker;

/// The verbs as far as they need different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `build-ebpf`.
    BuildEbpf,
    /// `lab`, `demo` and `bench`: they build the programs and run them.
    Lab,
    /// `lab up --store etcd`: what it needs beside [`Verb::Lab`].
    Store,
    /// `test`: all of that, and the linters.
    Test,
    /// `dist`: building the programs, and packing.
    Dist,
    /// `dist --check`: what it needs beside [`Verb::Dist`].
    DistCheck,
    /// `dist --image`: what it needs beside [`Verb::Dist`].
    DistImage,
    /// `kernels`: building the programs, and machines with other kernels.
    Kernels,
}

/// Where something that is missing comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// This package of Debian (and Ubuntu).
    Debian(&'static str),
    /// This component of rustup, or this package where the toolchain is Debian's.
    Component(&'static str, &'static str),
    /// Built by cargo against the LLVM of rustc.
    BpfLinker,
}

/// One thing that some verbs need.
#[derive(Debug)]
struct Requirement {
    name: &'static str,
    needed_for: &'static str,
    verbs: &'static [Verb],
    found: fn(&Toolchain) -> bool,
    source: Source,
}

const ALL: &[Verb] = &[Verb::BuildEbpf, Verb::Lab, Verb::Test, Verb::Dist, Verb::Kernels];
const RUNS: &[Verb] = &[Verb::Lab, Verb::Test];
const TESTS: &[Verb] = &[Verb::Test];
const STORE: &[Verb] = &[Verb::Store, Verb::Test];
const ETCD_BUILDS: &[Verb] = &[Verb::Store, Verb::Test, Verb::Dist];
const PACKS: &[Verb] = &[Verb::Dist];
const BOOTS: &[Verb] = &[Verb::Kernels];
const INSTALLS: &[Verb] = &[Verb::DistCheck, Verb::DistImage];
/// Where Debian has what protoc's input imports.
const PROTOCOLS: &str = "/usr/include/google/protobuf/descriptor.proto";

/// Everything that may be missing. The order is the order of installing: the linker's build needs a compiler only.
const TABLE: &[Requirement] = &[
    Requirement {
        name: "ip, tc, bridge, ss",
        needed_for: "the lab's namespaces and links",
        verbs: RUNS,
        found: |_| on_path("ip") && on_path("tc") && on_path("ss"),
        source: Source::Debian("iproute2"),
    },
    Requirement {
        name: "ethtool",
        needed_for: "the offloads of the lab's interfaces",
        verbs: RUNS,
        found: |_| on_path("ethtool"),
        source: Source::Debian("ethtool"),
    },
    Requirement {
        name: "tcpdump",
        needed_for: "tests that look at the frames on a link",
        verbs: TESTS,
        found: |_| on_path("tcpdump"),
        source: Source::Debian("tcpdump"),
    },
    Requirement {
        name: "tshark",
        needed_for: "a test that reads what `smoc capture` writes",
        verbs: TESTS,
        found: |_| on_path("tshark"),
        source: Source::Debian("tshark"),
    },
    Requirement {
        name: "lldpd",
        needed_for: "a test with another implementation of LLDP at a host",
        verbs: TESTS,
        found: |_| on_path("lldpd"),
        source: Source::Debian("lldpd"),
    },
    Requirement {
        name: "prometheus",
        needed_for: "a test of metrics, dashboard and alerts",
        verbs: TESTS,
        found: |_| on_path("prometheus") && on_path("promtool"),
        source: Source::Debian("prometheus"),
    },
    Requirement {
        name: "chromium",
        needed_for: "a test of the page of `smoc web`",
        verbs: TESTS,
        found: |_| on_path("chromium"),
        source: Source::Debian("chromium"),
    },
    Requirement {
        name: "chromedriver",
        needed_for: "the same",
        verbs: TESTS,
        found: |_| on_path("chromedriver"),
        source: Source::Debian("chromium-driver"),
    },
    Requirement {
        name: "etcd",
        needed_for: "tests of the store of a fabric, and `lab up --store etcd`",
        verbs: STORE,
        found: |_| on_path("etcd"),
        source: Source::Debian("etcd-server"),
    },
    Requirement {
        name: "etcdctl",
        needed_for: "the same",
        verbs: STORE,
        found: |_| on_path("etcdctl"),
        source: Source::Debian("etcd-client"),
    },
    Requirement {
        name: "openssl",
        needed_for: "certificates in those tests",
        verbs: STORE,
        found: |_| on_path("openssl"),
        source: Source::Debian("openssl"),
    },
    Requirement {
        name: "protoc",
        needed_for: "building the agent with its feature etcd",
        verbs: ETCD_BUILDS,
        found: |_| on_path("protoc"),
        source: Source::Debian("protobuf-compiler"),
    },
    Requirement {
        name: "google/protobuf/*.proto",
        needed_for: "the same",
        verbs: ETCD_BUILDS,
        found: |_| PathBuf::from(PROTOCOLS).is_file(),
        source: Source::Debian("libprotobuf-dev"),
    },
    Requirement {
        name: "dpkg-deb",
        needed_for: "the Debian package",
        verbs: PACKS,
        found: |_| on_path("dpkg-deb"),
        source: Source::Debian("dpkg"),
    },
    Requirement {
        name: "strip",
        needed_for: "the command without symbols",
        verbs: PACKS,
        found: |_| on_path("strip"),
        source: Source::Debian("binutils"),
    },
    Requirement {
        name: "mmdebstrap",
        needed_for: "a Debian to install in",
        verbs: INSTALLS,
        found: |_| on_path("mmdebstrap"),
        source: Source::Debian("mmdebstrap"),
    },
    Requirement {
        name: "qemu-system-x86_64",
        needed_for: "machines with other kernels",
        verbs: BOOTS,
        found: |_| on_path("qemu-system-x86_64"),
        source: Source::Debian("qemu-system-x86"),
    },
    Requirement {
        name: "busybox",
        needed_for: "the first process of such a machine",
        verbs: BOOTS,
        found: |_| PathBuf::from("/bin/busybox").is_file(),
        source: Source::Debian("busybox-static"),
    },
    Requirement {
        name: "cpio",
        needed_for: "its file system",
        verbs: BOOTS,
        found: |_| on_path("cpio"),
        source: Source::Debian("cpio"),
    },
    Requirement {
        name: "xz",
        needed_for: "kernel modules",
        verbs: BOOTS,
        found: |_| on_path("xz"),
        source: Source::Debian("xz-utils"),
    },
    Requirement {
        name: "umoci",
        needed_for: "the OCI image",
        verbs: &[Verb::DistImage],
        found: |_| on_path("umoci"),
        source: Source::Debian("umoci"),
    },
    Requirement {
        name: "rustfmt",
        needed_for: "the format check",
        verbs: TESTS,
        found: |_| in_use_has("cargo-fmt"),
        source: Source::Component("rustfmt", "rustfmt-web"),
    },
    Requirement {
        name: "clippy",
        needed_for: "the lints",
        verbs: TESTS,
        found: |toolchain| toolchain.has_program("cargo-clippy") && in_use_has("cargo-clippy"),
        source: Source::Component("clippy", "rust-web-clippy"),
    },
    Requirement {
        name: "rust-src",
        needed_for: "building `core` for the BPF target",
        verbs: ALL,
        found: Toolchain::has_rust_src,
        source: Source::Component("rust-src", "rust-web-src"),
    },
    Requirement {
        name: "bpf-linker",
        needed_for: "linking the BPF programs",
        verbs: ALL,
        found: |toolchain| matches!(bpf_linker::find(toolchain), Linker::Matches(_)),
        source: Source::BpfLinker,
    },
];

/// Finds out what `verb` lacks, says so and installs it; quick and silent when nothing is missing.
///
/// # Errors
/// Something is missing and could not be installed; the error holds the commands to run by hand.
pub fn ensure(verb: Verb) -> Result<()> {
    // Installing a toolchain can show that something else is missing, such as that toolchain's clippy.
    for _ in 0..2 {
        let toolchain = Toolchain::for_bpf()?;
        let missing = missing(verb, &toolchain);
        if missing.is_empty() {
            return Ok(());
        }
        for requirement in &missing {
            let Requirement { name, needed_for, .. } = requirement;
            eprintln!("missing: {name} (for {needed_for}){}", detail(requirement, &toolchain));
        }
        install::install(&missing, &toolchain)?;
    }
    let still: Vec<&str> =
        missing(verb, &Toolchain::for_bpf()?).iter().map(|requirement| requirement.name).collect();
    if !still.is_empty() {
        bail!("installed what was missing, but {} still cannot be found", still.join(" and "));
    }
    Ok(())
}

/// Arguments of cargo for the features that can be built here: with etcd as a store where there is protoc.
pub fn features() -> &'static [&'static str] {
    if has_protoc() {
        &["--features", "smoc-agent/tls,smoc-agent/etcd"]
    } else {
        &["--features", "smoc-agent/tls"]
    }
}

/// Whether the feature etcd can be built.
pub fn has_protoc() -> bool {
    on_path("protoc") && PathBuf::from(PROTOCOLS).is_file()
}

/// The bpf-linker whose LLVM is that of the toolchain's rustc.
///
/// # Errors
/// There is none; [`ensure`] would have built it.
pub fn bpf_linker(toolchain: &Toolchain) -> Result<PathBuf> {
    match bpf_linker::find(toolchain) {
        Linker::Matches(path) => Ok(path),
        _ => bail!("no bpf-linker that matches this rustc: run `cargo xtask build-ebpf`"),
    }
}

fn missing(verb: Verb, toolchain: &Toolchain) -> Vec<&'static Requirement> {
    TABLE.iter().filter(|row| row.verbs.contains(&verb) && !(row.found)(toolchain)).collect()
}

fn detail(requirement: &Requirement, toolchain: &Toolchain) -> String {
    match requirement.source {
        Source::BpfLinker => match bpf_linker::find(toolchain) {
            Linker::OtherLlvm(path, llvm) => {
                format!(": {} has LLVM {llvm}, rustc has {}", path.display(), toolchain.llvm)
            }
            Linker::Broken(path) => format!(": {} loads no LLVM library", path.display()),
            Linker::Absent | Linker::Matches(_) => String::new(),
        },
        Source::Debian(_) | Source::Component(..) => String::new(),
    }
}

fn in_use_has(program: &str) -> bool {
    Toolchain::current().is_ok_and(|toolchain| toolchain.has_program(program))
}

/// Debian keeps some of these in /usr/sbin, which is not on every user's `PATH`.
fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_builds_the_programs() {
        for verb in [Verb::BuildEbpf, Verb::Lab, Verb::Test, Verb::Dist] {
            let needed: Vec<_> = TABLE.iter().filter(|row| row.verbs.contains(&verb)).collect();
            assert!(needed.iter().any(|row| row.source == Source::BpfLinker));
            assert!(needed.iter().any(|row| row.name == "rust-src"));
        }
    }

    #[test]
    fn building_asks_for_nothing_that_only_running_needs() {
        let packages = TABLE.iter().filter(|row| row.verbs.contains(&Verb::BuildEbpf));
        assert!(packages.clone().count() > 0);
        assert!(packages.clone().all(|row| !matches!(row.source, Source::Debian(_))));
    }

    #[test]
    fn a_program_is_found_where_it_is_and_nowhere_else() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-anywhere"));
    }
}
