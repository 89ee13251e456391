//! Which compiler builds the BPF programs and which LLVM it carries.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::{command, output};

/// The oldest release that builds this workspace, as (major, minor): `rust-version` in Cargo.toml.
const OLDEST: (u32, u32) = (1, 95);

/// A compiler with its cargo, and the facts about it that the BPF build depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The compiler, as a path or a name on `PATH`.
    pub rustc: OsString,
    /// The cargo that goes with it.
    pub cargo: OsString,
    /// Major and minor number of its release.
    pub release: (u32, u32),
    /// Major version of the LLVM inside rustc; the BPF linker must read the bitcode it writes.
    pub llvm: u32,
    /// Where the toolchain lives; rust-src is `lib/rustlib/src/rust` below it.
    pub sysroot: PathBuf,
}

impl Toolchain {
    /// The compiler that builds the BPF programs: the one in use, unless it lacks the source of `core` and
    /// Debian's, which lives in /usr, has it.
    ///
    /// # Errors
    /// There is no rustc, or it does not say which LLVM it has.
    pub fn for_bpf() -> Result<Self> {
        let current = Self::current()?;
        if current.has_rust_src() || !Path::new("/usr/bin/rustc").exists() {
            return Ok(current);
        }
        match Self::detect("/usr/bin/rustc".into(), "/usr/bin/cargo".into()) {
            Ok(debian) if debian.has_rust_src() && debian.release >= OLDEST => Ok(debian),
            _ => Ok(current),
        }
    }

    /// The compiler that cargo uses: `RUSTC`, else the one on `PATH`.
    ///
    /// # Errors
    /// As [`Toolchain::for_bpf`].
    pub fn current() -> Result<Self> {
        let or = |name: &str, default: &str| env::var_os(name).unwrap_or_else(|| default.into());
        Self::detect(or("RUSTC", "rustc"), or("CARGO", "cargo"))
    }

    fn detect(rustc: OsString, cargo: OsString) -> Result<Self> {
        let version = output(command(&rustc).arg("-vV"))?;
        let sysroot = output(command(&rustc).args(["--print", "sysroot"]))?;
        let (release, llvm) =
            parse(&version).with_context(|| format!("no LLVM version in `rustc -vV`: {version}"))?;
        Ok(Self { rustc, cargo, release, llvm, sysroot: PathBuf::from(sysroot.trim_end()) })
    }

    /// Whether rustup manages this toolchain (else a distribution does).
    pub fn is_rustup(&self) -> bool {
        self.sysroot.parent().and_then(Path::file_name) == Some(OsStr::new("toolchains"))
    }

    /// The `PATH` on which cargo finds this toolchain's subcommands before any other's.
    ///
    /// # Errors
    /// The sysroot has a colon in its name.
    pub fn path(&self) -> Result<OsString> {
        let path = env::var_os("PATH").unwrap_or_default();
        let own = self.sysroot.join("bin");
        Ok(env::join_paths(std::iter::once(own).chain(env::split_paths(&path)))?)
    }

    /// Whether the source of `core` is there to be built for the BPF target.
    pub fn has_rust_src(&self) -> bool {
        self.sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists()
    }

    /// Whether a program, such as `cargo-clippy`, comes with the toolchain.
    pub fn has_program(&self, name: &str) -> bool {
        self.sysroot.join("bin").join(name).exists()
    }
}

/// Release (major, minor) and LLVM's major version in what `rustc -vV` prints.
fn parse(version: &str) -> Option<((u32, u32), u32)> {
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let mut release = field("release:")?.split('.').map(str::parse);
    let llvm = field("LLVM version:")?.split('.').next()?.parse().ok()?;
    Some(((release.next()?.ok()?, release.next()?.ok()?), llvm))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUSTC: &str = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n\
                         release: 1.95.0\nLLVM version: 22.1.2\n";

    #[test]
    fn release_and_llvm_are_read_from_rustc() {
        assert_eq!(parse(RUSTC), Some(((1, 95), 22)));
        let nightly =
            RUSTC.replace("release: 1.95.0", "release: 1.98.0-nightly").replace("22.1.2", "23.0.0-rc2");
        assert_eq!(parse(&nightly), Some(((1, 98), 23)));
    }

    #[test]
    fn a_rustc_without_llvm_is_refused() {
        assert_eq!(parse(&RUSTC.replace("LLVM version", "Cranelift version")), None);
    }

    #[test]
    fn rustups_toolchains_are_told_from_a_distributions() {
        let at = |sysroot: &str| Toolchain {
            rustc: "rustc".into(),
            cargo: "cargo".into(),
            release: (1, 95),
            llvm: 22,
            sysroot: sysroot.into(),
        };
        assert!(at("/home/someone/.rustup/toolchains/stable-x86_64-unknown-linux-gnu").is_rustup());
        assert!(!at("/usr").is_rustup());
    }
}
