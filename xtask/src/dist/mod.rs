//! `cargo xtask dist`: smoc as one file, as a Debian package and as an archive, in target/dist.
//!
//! `build -> contents (with licences) -> stage -> deb, archive`. The same commit gives the same bytes, wherever it is built
//! with the same compiler.

mod archive;
mod build;
mod check;
mod contents;
mod deb;
mod image;
mod licences;
mod stage;
mod version;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::build_ebpf;
use crate::requirements::{self, Verb};
use crate::workspace::{root, target_dir};
use contents::Contents;
use version::Version;

/// Arguments of `cargo xtask dist`.
#[derive(Args)]
pub struct DistArgs {
    /// `dev` builds faster, and what it builds runs slower
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// Also pack a second time and compare, then install, upgrade under traffic, remove and purge the package in a Debian that
    /// runs in namespaces of its own (root)
    #[arg(long)]
    check: bool,
    /// With --check: also build a second time, from a copy of the last commit in another directory, and compare
    #[arg(long, requires = "check")]
    rebuild: bool,
    /// With --check: the releases of Debian to install in
    #[arg(long, requires = "check", value_delimiter = ',', default_value = "bookworm,trixie")]
    suites: Vec<String>,
    /// Also make an OCI image of Debian 13 with the package installed, as a layout in target/dist/image (root)
    #[arg(long)]
    image: bool,
}

/// How the command is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// As users get it.
    Release,
    /// As tests have it.
    Dev,
}

/// The files that users get.
#[derive(Debug, Clone)]
pub struct Packages {
    /// The command alone.
    program: PathBuf,
    /// The Debian package.
    deb: PathBuf,
    /// The same content as an archive.
    archive: PathBuf,
}

/// Builds and packs; with `--check` looks at what was made.
///
/// # Errors
/// Something cannot be built or packed, or a requirement cannot be installed; what a check finds is in the exit status.
pub fn run(args: &DistArgs) -> Result<ExitCode> {
    requirements::ensure(Verb::Dist)?;
    if (args.check || args.image) && !requirements::is_root() {
        bail!("--check and --image make a Debian in namespaces of its own: run them as root (sudo -E)");
    }
    let objects = build_ebpf::build()?;
    let objects = objects[0].parent().context("the BPF objects are in no directory")?;
    let version = Version::of_checkout()?;
    if args.rebuild && version.is_dirty {
        bail!("--rebuild compares with the last commit, and there are changes since: commit or stash them");
    }
    let built = build::build(root(), objects, &dist_dir().join("build"), args.profile, &version)?;
    let contents = contents::collect(&built)?;
    let packages = pack(&contents, &version, &dist_dir())?;
    for path in [&packages.program, &packages.deb, &packages.archive] {
        println!("{}", path.display());
    }
    if args.image {
        requirements::ensure(Verb::DistImage)?;
        println!("{}", image::make(&packages.deb, &version, &dist_dir().join("image"))?.display());
    }
    if args.check {
        requirements::ensure(Verb::DistCheck)?;
        return check::run(args, &contents, &version, &packages);
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the command, the Debian package and the archive into a directory, in the place of earlier ones.
fn pack(contents: &Contents, version: &Version, to: &Path) -> Result<Packages> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(to).with_context(|| format!("cannot read {}", to.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_package = name.ends_with(".deb") || name.ends_with(".tar.gz");
        if is_package && name.starts_with("smoc") {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    let program = to.join("smoc");
    stage::write_file(&program, 0o755, contents.program()?)?;
    Ok(Packages {
        program,
        deb: deb::pack(contents, version, to)?,
        archive: archive::pack(contents, version, to)?,
    })
}

fn dist_dir() -> PathBuf {
    target_dir().join("dist")
}

/// Names of this processor: Debian's and the kernel's.
fn architecture() -> (&'static str, &'static str) {
    match std::env::consts::ARCH {
        "x86_64" => ("amd64", "x86_64"),
        "aarch64" => ("arm64", "aarch64"),
        other => (other, other),
    }
}
