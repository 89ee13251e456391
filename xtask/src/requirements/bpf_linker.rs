//! bpf-linker: finding one that works with this rustc, and building one.
//!
//! rustc hands the linker LLVM bitcode, so both must have the same LLVM. A linker that is built against the
//! very `libLLVM` that rustc loads matches by construction, and needs no LLVM packages.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::toolchain::Toolchain;
use crate::workspace::{cargo_home, command, target_dir};

/// The version this repository is built and tested with.
const VERSION: &str = "0.13.0";

/// What an installed bpf-linker is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linker {
    /// Same LLVM as rustc: this one is used.
    Matches(PathBuf),
    /// Linked with another major version of LLVM.
    OtherLlvm(PathBuf, u32),
    /// It loads no LLVM library: most likely the toolchain that it was built with has gone.
    Broken(PathBuf),
    /// There is none.
    Absent,
}

/// Looks in cargo's own bin directory and then on `PATH`; the first that matches wins.
pub fn find(toolchain: &Toolchain) -> Linker {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = cargo_bin_dir().into_iter().chain(env::split_paths(&path));
    let candidates = directories.map(|directory| directory.join("bpf-linker")).filter(|file| file.is_file());
    let mut useless = Linker::Absent;
    for candidate in candidates {
        match judge(candidate, toolchain.llvm) {
            found @ Linker::Matches(_) => return found,
            found if useless == Linker::Absent => useless = found,
            _ => {}
        }
    }
    useless
}

/// Where `cargo install` puts programs.
fn cargo_bin_dir() -> Option<PathBuf> {
    let root = env::var_os("CARGO_INSTALL_ROOT").map(PathBuf::from);
    root.or_else(|| cargo_home().ok()).map(|root| root.join("bin"))
}

fn judge(linker: PathBuf, llvm: u32) -> Linker {
    match loaded_llvm(&linker) {
        Some((found, _)) if found == llvm => Linker::Matches(linker),
        Some((found, _)) => Linker::OtherLlvm(linker, found),
        None => Linker::Broken(linker),
    }
}

/// Version and file of the LLVM library that a program would load.
fn loaded_llvm(program: &Path) -> Option<(u32, PathBuf)> {
    let loaded = Command::new("ldd").arg(program).output().ok()?;
    parse(&String::from_utf8_lossy(&loaded.stdout))
}

/// Reads `libLLVM.so.22.1 => /usr/lib/libLLVM.so.22.1 (0x7f00)` in what `ldd` prints.
fn parse(ldd: &str) -> Option<(u32, PathBuf)> {
    let line = ldd.lines().map(str::trim).find(|line| line.starts_with("libLLVM"))?;
    let (name, file) = line.split_once(" => ")?;
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let major = digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let file = file.split(" (").next()?;
    file.starts_with('/').then(|| (major, PathBuf::from(file)))
}

/// The commands that build a matching linker into cargo's bin directory.
///
/// # Errors
/// rustc loads no shared LLVM library.
pub fn install(toolchain: &Toolchain) -> Result<Vec<Command>> {
    let (llvm, library) = loaded_llvm(&toolchain.sysroot.join("bin/rustc")).with_context(|| {
        format!("{} loads no LLVM library", toolchain.sysroot.join("bin/rustc").display())
    })?;
    let library = library.canonicalize().with_context(|| format!("no file {}", library.display()))?;
    let directory = library.parent().unwrap_or(Path::new("/")).display().to_string();
    // The linker's build asks for `libLLVM.so` below a prefix, a name that rustc's copy does not have.
    let prefix = target_dir().join("llvm");
    let mut mkdir = command("mkdir");
    mkdir.arg("-p").arg(prefix.join("lib"));
    let mut ln = command("ln");
    ln.arg("-sfn").arg(&library).arg(prefix.join("lib/libLLVM.so"));
    let mut cargo = command(&toolchain.cargo);
    cargo
        .env("LLVM_PREFIX", &prefix)
        .env("RUSTFLAGS", format!("-Clink-arg=-Wl,-rpath,{directory}"))
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force"])
        .args(["--no-default-features", "--features", &format!("llvm-{llvm}")]);
    Ok(vec![mkdir, ln, cargo])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_and_file_are_read_from_rustups_and_from_distributions_library_names() {
        let rustup = "\tlinux-vdso.so.1 (0x1)\n\tlibLLVM.so.22.1-rust-1.95.0-stable => /t/bin/../lib/libLLVM.so.22.1 (0x2)";
        assert_eq!(parse(rustup), Some((22, PathBuf::from("/t/bin/../lib/libLLVM.so.22.1"))));
        let debian = "\tlibLLVM-19.so.1 => /usr/lib/libLLVM-19.so.1 (0x2)\n";
        assert_eq!(parse(debian), Some((19, PathBuf::from("/usr/lib/libLLVM-19.so.1"))));
    }

    #[test]
    fn a_missing_or_static_llvm_is_none() {
        assert_eq!(parse("\tlibLLVM.so.22.1-rust-1.95.0-stable => not found"), None);
        assert_eq!(parse("\tlibc.so.6 => /lib/libc.so.6 (0x1)"), None);
        assert_eq!(parse("\tstatically linked"), None);
    }

    #[test]
    fn a_program_without_llvm_is_no_linker() {
        assert_eq!(judge(PathBuf::from("/bin/sh"), 22), Linker::Broken(PathBuf::from("/bin/sh")));
    }
}
