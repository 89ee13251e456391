//! The archive: the content of the Debian package for other systems, with a note on how to install it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::contents::Contents;
use super::version::Version;
use super::{architecture, deb, stage};
use crate::workspace::{command, root, run};

/// Writes `smoc-VERSION-ARCHITECTURE.tar.gz` into a directory: sorted by name, owner root, and everything as old as the version
/// says.
///
/// # Errors
/// There is no tar or gzip, or something cannot be read or written.
pub fn pack(contents: &Contents, version: &Version, to: &Path) -> Result<PathBuf> {
    let name = format!("smoc-{}-{}", version.text, architecture().1);
    let staged = to.join("stage/archive");
    stage::write(contents, &staged.join(&name))?;
    let note =
        fs::read_to_string(root().join("packaging/INSTALL")).context("cannot read packaging/INSTALL")?;
    let (major, minor) =
        deb::newest_glibc(contents.program()?).context("the command does not say which glibc it needs")?;
    let note = note.replace("{version}", &version.text).replace("{glibc}", &format!("{major}.{minor}"));
    stage::write_file(&staged.join(&name).join("INSTALL"), 0o644, note.as_bytes())?;
    let archive = to.join(format!("{name}.tar.gz"));
    let mut tar = command("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"])
        .arg(format!("--mtime=@{}", version.epoch))
        .args(["--use-compress-program=gzip -n", "--create", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(&staged)
        .arg(&name);
    run(&mut tar)?;
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::contents::tests::sample;
    use crate::workspace::output;

    #[test]
    fn the_archive_is_sorted_and_root_owns_all_of_it_and_a_second_one_is_the_same() {
        let to = std::env::temp_dir().join(format!("smoc-dist-archive-{}", std::process::id()));
        let version = Version { text: "0.1.0".to_owned(), epoch: 86_400, is_dirty: false };
        let archive = pack(&sample(), &version, &to).unwrap();
        let first = fs::read(&archive).unwrap();
        let listed = output(
            command("tar")
                .env("TZ", "UTC")
                .args(["--list", "--verbose", "--numeric-owner", "--file"])
                .arg(&archive),
        );
        let again = pack(&sample(), &version, &to.join("again")).and_then(|path| Ok(fs::read(path)?));
        fs::remove_dir_all(&to).unwrap();
        let listed = listed.unwrap();
        assert_eq!(first, again.unwrap());
        assert!(
            listed.lines().all(|line| line.contains(" 0/0 ") && line.contains("1970-01-02 00:00")),
            "{listed}"
        );
        let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
        assert!(names.is_sorted(), "{listed}");
        assert!(names.iter().any(|name| name.ends_with("/INSTALL")), "{listed}");
        assert!(
            listed.lines().any(|line| line.starts_with("-rwxr-xr-x") && line.ends_with("usr/bin/smoc")),
            "{listed}"
        );
    }
}
