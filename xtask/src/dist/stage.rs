//! A directory with the contents of a package, with the modes that they have when installed.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::contents::Contents;
use crate::workspace::run;

/// Writes all files below an empty directory and compresses those that are to be.
///
/// # Errors
/// Something cannot be written, or there is no gzip.
pub fn write(contents: &Contents, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot empty {}", to.display()))?;
    }
    let mut compressed = Vec::new();
    for (path, file) in &contents.0 {
        let bare = path.strip_suffix(".gz");
        compressed.extend(bare);
        write_file(&to.join(bare.unwrap_or(path)), file.mode, &file.content)?;
    }
    for directory in directories(contents) {
        set_mode(&to.join(directory), 0o755)?;
    }
    if !compressed.is_empty() {
        run(Command::new("gzip").current_dir(to).args(["-9n", "--"]).args(compressed))?;
    }
    Ok(())
}

/// All directories of the contents; the first is the one that holds them.
pub fn directories(contents: &Contents) -> BTreeSet<PathBuf> {
    let above = |path| Path::new(path).ancestors().skip(1).map(Path::to_owned);
    contents.0.keys().flat_map(above).collect()
}

/// Writes a file with this mode, and the directories above it.
///
/// # Errors
/// It cannot be written.
pub fn write_file(path: &Path, mode: u32, content: &[u8]) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(cannot)?;
    }
    fs::write(path, content).with_context(cannot)?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::contents::tests::sample;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("smoc-dist-{name}-{}", std::process::id()))
    }

    #[test]
    fn files_and_directories_have_the_modes_that_they_have_when_installed() {
        let to = scratch("modes");
        write(&sample(), &to).unwrap();
        let mode = |path: &str| fs::metadata(to.join(path)).unwrap().permissions().mode() & 0o7777;
        let modes = [
            "usr/bin/smoc",
            "usr/share/man/man1/smoc.1.gz",
            "etc/smoc/agent.yaml",
            "etc/smoc",
            "usr/bin",
            "",
        ]
        .map(mode);
        let compressed = fs::read(to.join("usr/share/man/man1/smoc.1.gz")).unwrap();
        fs::remove_dir_all(&to).unwrap();
        assert_eq!(modes, [0o755, 0o644, 0o644, 0o755, 0o755, 0o755]);
        // The magic number, deflate, and no name and time: the same page gives the same bytes.
        assert_eq!(compressed[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn all_directories_are_found_and_the_outermost_comes_first() {
        let found = directories(&sample());
        let found: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(
            found,
            ["", "etc", "etc/smoc", "usr", "usr/bin", "usr/share", "usr/share/man", "usr/share/man/man1"]
        );
    }
}
