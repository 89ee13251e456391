//! The Debian package: its control files from packaging/debian, packed by dpkg-deb.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::contents::Contents;
use super::version::Version;
use super::{architecture, stage};
use crate::workspace::{command, output, root, run};

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Writes `smoc_VERSION_ARCHITECTURE.deb` into a directory. Owner of all is root, and nothing is younger than the version says.
///
/// # Errors
/// There is no dpkg-deb, or something cannot be read or written.
pub fn pack(contents: &Contents, version: &Version, to: &Path) -> Result<PathBuf> {
    let staged = to.join("stage/deb");
    stage::write(contents, &staged)?;
    let debian = root().join("packaging/debian");
    let template =
        fs::read_to_string(debian.join("control")).context("cannot read packaging/debian/control")?;
    let write = |name: &str, mode, content: &[u8]| {
        stage::write_file(&staged.join("DEBIAN").join(name), mode, content)
    };
    let sums = sums(contents, &staged)?;
    write("control", 0o644, control(&template, contents, version)?.as_bytes())?;
    write("conffiles", 0o644, conffiles(contents).as_bytes())?;
    write("md5sums", 0o644, sums.as_bytes())?;
    for script in SCRIPTS {
        let text = fs::read(debian.join(script))
            .with_context(|| format!("cannot read packaging/debian/{script}"))?;
        write(script, 0o755, &text)?;
    }
    let deb = to.join(format!("smoc_{}_{}.deb", version.text, architecture().0));
    // One thread: how the work was divided would show in what xz writes. Level 1 takes a ninth of the usual time and gives a
    // fifth more bytes.
    let mut dpkg = command("dpkg-deb");
    dpkg.env("SOURCE_DATE_EPOCH", version.epoch.to_string())
        .args(["--root-owner-group", "-Zxz", "-z1", "--threads-max=1", "--build"])
        .arg(&staged)
        .arg(&deb);
    run(&mut dpkg)?;
    Ok(deb)
}

fn control(template: &str, contents: &Contents, version: &Version) -> Result<String> {
    let (major, minor) =
        newest_glibc(contents.program()?).context("the command does not say which glibc it needs")?;
    Ok(template
        .replace("{version}", &version.text)
        .replace("{architecture}", architecture().0)
        .replace("{depends}", &format!("libc6 (>= {major}.{minor}), libgcc-s1"))
        .replace("{size}", &installed_kib(contents).to_string()))
}

/// Paths whose content dpkg asks about before it replaces what an administrator has changed.
fn conffiles(contents: &Contents) -> String {
    contents.configuration().map(|path| format!("/{path}\n")).collect()
}

/// What `dpkg --verify` compares with: sums of everything but the configuration.
fn sums(contents: &Contents, staged: &Path) -> Result<String> {
    let paths = contents.0.keys().filter(|path| !contents.configuration().any(|one| one == path.as_str()));
    output(Command::new("md5sum").current_dir(staged).arg("--").args(paths))
}

/// As dpkg counts it: every file in whole KiB, and one for each directory.
fn installed_kib(contents: &Contents) -> usize {
    let files: usize = contents.0.values().map(|file| file.content.len().div_ceil(1024)).sum();
    files + stage::directories(contents).len()
}

/// The newest version of glibc whose symbols a program asks for.
pub fn newest_glibc(program: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"GLIBC_";
    let versions = program.windows(NAME.len()).enumerate().filter(|(_, at)| *at == NAME);
    versions.filter_map(|(at, _)| version_at(&program[at + NAME.len()..])).max()
}

/// `2.34` at the beginning of what may be longer.
fn version_at(bytes: &[u8]) -> Option<(u32, u32)> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    let mut numbers = std::str::from_utf8(&bytes[..end]).ok()?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::contents::tests::sample;

    fn version() -> Version {
        Version { text: "0.1.0~git1".to_owned(), epoch: 1, is_dirty: false }
    }

    #[test]
    fn the_control_file_says_version_architecture_size_and_the_libc_that_is_needed() {
        let template = fs::read_to_string(root().join("packaging/debian/control")).unwrap();
        let control = control(&template, &sample(), &version()).unwrap();
        assert!(control.starts_with("Package: smoc\nVersion: 0.1.0~git1\n"), "{control}");
        assert!(control.contains("\nDepends: libc6 (>= 2.34), libgcc-s1\n"), "{control}");
        // Three files below 1 KiB and eight directories.
        assert!(control.contains("\nInstalled-Size: 11\n"), "{control}");
        assert!(!control.contains(['{', '}']), "{control}");
        let is_field = |line: &str| line.starts_with(' ') || line.contains(": ");
        assert!(control.lines().all(is_field), "{control}");
    }

    #[test]
    fn configuration_has_no_sum_and_everything_else_has() {
        let staged = std::env::temp_dir().join(format!("smoc-dist-sums-{}", std::process::id()));
        stage::write(&sample(), &staged).unwrap();
        let sums = sums(&sample(), &staged);
        fs::remove_dir_all(&staged).unwrap();
        let sums = sums.unwrap();
        let paths: Vec<_> = sums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
        assert_eq!(paths, ["usr/bin/smoc", "usr/share/man/man1/smoc.1.gz"]);
        assert_eq!(conffiles(&sample()), "/etc/smoc/agent.yaml\n");
    }

    #[test]
    fn maintainer_scripts_are_sound_for_the_shell_that_runs_them() {
        for script in SCRIPTS {
            let path = root().join("packaging/debian").join(script);
            assert!(Command::new("sh").arg("-n").arg(&path).status().unwrap().success(), "{script}");
        }
    }

    #[test]
    fn versions_of_glibc_are_compared_as_numbers() {
        assert_eq!(newest_glibc(b"GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0"), Some((2, 34)));
        assert_eq!(newest_glibc(b"\0GLIBC_\0"), None);
    }
}
