//! Where a picture goes.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::unistd::{AccessFlags, access};

/// A file that can be written: an option `--svg FILE` of this type is refused before what it would show is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SvgFile(PathBuf);

impl SvgFile {
    /// A file of this name in cargo's target directory that the running program is in, else in the current directory.
    pub fn in_target(name: &str) -> Self {
        let program = std::env::current_exe().unwrap_or_default();
        // Cargo locks a profile's directory, such as target/debug, by a file in it.
        let profile = program.ancestors().find(|directory| directory.join(".cargo-lock").is_file());
        let file = profile.and_then(Path::parent).unwrap_or(Path::new("")).join(name);
        let here = std::env::current_dir().unwrap_or_default();
        Self(file.strip_prefix(here).map(Path::to_path_buf).unwrap_or(file))
    }

    /// Writes the picture, over what was there.
    ///
    /// # Errors
    /// It cannot be written any more; the error names the file.
    pub fn write(&self, svg: &str) -> io::Result<()> {
        fs::write(&self.0, svg)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot write {self}: {error}")))
    }
}

impl FromStr for SvgFile {
    type Err = String;

    /// Asks the kernel whether the file, or a new one in its directory, may be written; nothing is touched, so that programs
    /// with the same file can start at once.
    fn from_str(text: &str) -> Result<Self, String> {
        let file = PathBuf::from(text);
        let refused = |why: &str| {
            format!("cannot write there: {why}; name a file in a directory that you may write to")
        };
        if file.is_dir() {
            return Err(refused("it is a directory"));
        }
        let written = if file.exists() {
            file.clone()
        } else {
            // With the dot, what is not a directory is no place for a file.
            file.parent().ok_or_else(|| refused("it has no name"))?.join(".")
        };
        access(&written, AccessFlags::W_OK).map_err(|errno| refused(errno.desc()))?;
        Ok(Self(file))
    }
}

impl fmt::Display for SvgFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_file_that_can_be_written_is_left_as_it_is_until_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old.svg"), directory.path().join("new.svg"));
        fs::write(&old, "before").unwrap();
        let [old_file, new_file] =
            [&old, &new].map(|path| path.to_str().unwrap().parse::<SvgFile>().unwrap());
        assert_eq!(fs::read_to_string(&old).unwrap(), "before");
        assert!(!new.exists());
        old_file.write("after").unwrap();
        new_file.write("first").unwrap();
        assert_eq!(fs::read_to_string(old).unwrap() + &fs::read_to_string(new).unwrap(), "afterfirst");
    }

    #[test]
    fn programs_that_start_at_once_can_name_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("picture.svg");
        let text = file.to_str().unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        text.parse::<SvgFile>().unwrap();
                    }
                });
            }
        });
        assert!(!file.exists());
    }

    #[test]
    fn what_cannot_be_written_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing/picture.svg");
        let no_file = [Path::new(""), Path::new("/"), Path::new("/dev/null/picture.svg")];
        for path in [directory.path(), &missing].into_iter().chain(no_file) {
            let error = path.to_str().unwrap().parse::<SvgFile>().unwrap_err();
            assert!(error.starts_with("cannot write there: ") && error.contains("name a file"), "{error}");
        }
    }

    #[test]
    fn the_default_is_in_the_target_directory() {
        let file = SvgFile::in_target("some.svg");
        assert!(file.0.ends_with("some.svg"), "{file}");
        let program = std::env::current_exe().unwrap();
        assert!(
            program.starts_with(std::env::current_dir().unwrap().join(file.0.parent().unwrap())),
            "{file}"
        );
        assert_ne!(file, SvgFile("some.svg".into()));
    }
}
