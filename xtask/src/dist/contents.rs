//! What is in the packages: path, mode and content of every file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::build::Built;
use super::licences;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its permissions.
    pub mode: u32,
    /// What is in it.
    pub content: Vec<u8>,
}

/// All files by their path, which has no leading slash. Those whose path ends in `.gz` are here as they are before that.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Contents(pub BTreeMap<String, File>);

const PROGRAM: &str = "usr/bin/smoc";
const DOC: &str = "usr/share/doc/smoc";

/// Files of the checkout: where they are there, and where they go.
const FROM_SOURCE: &[(&str, &str)] = &[
    ("packaging/systemd/smoc.service", "usr/lib/systemd/system/smoc.service"),
    ("packaging/systemd/smoc-host.service", "usr/lib/systemd/system/smoc-host.service"),
    ("packaging/etc/agent.yaml", "etc/smoc/agent.yaml"),
    ("packaging/etc/host.yaml", "etc/smoc/host.yaml"),
    ("packaging/debian/copyright", "usr/share/doc/smoc/copyright"),
    ("LICENSE-MIT", "usr/share/doc/smoc/LICENSE-MIT"),
    ("LICENSE-APACHE", "usr/share/doc/smoc/LICENSE-APACHE"),
    ("README.md", "usr/share/doc/smoc/README.md.gz"),
    ("CHANGELOG.md", "usr/share/doc/smoc/changelog.gz"),
];

/// Directories of the checkout, which of their files go into the package by how names end, and where to.
const DIRECTORIES: &[(&str, &[&str], &str)] = &[
    ("docs", &[".md"], "usr/share/doc/smoc/docs"),
    ("examples", &[".yaml", ".sh"], "usr/share/doc/smoc/examples"),
];

impl Contents {
    /// Adds a file that all may read, and the owner write.
    pub fn add(&mut self, path: String, content: Vec<u8>) {
        self.0.insert(path, File { mode: 0o644, content });
    }

    /// The command.
    ///
    /// # Errors
    /// There is none.
    pub fn program(&self) -> Result<&[u8]> {
        let file = self.0.get(PROGRAM).with_context(|| format!("there is no {PROGRAM}"))?;
        Ok(&file.content)
    }

    /// The files that belong to the administrator once they are installed.
    pub fn configuration(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|path| path.starts_with("etc/"))
    }
}

/// Collects everything from what was built and from the checkout.
///
/// # Errors
/// A file cannot be read.
pub fn collect(built: &Built) -> Result<Contents> {
    let mut contents = Contents::default();
    for (from, to) in FROM_SOURCE {
        contents.add((*to).to_owned(), read(&built.source.join(from))?);
    }
    for (from, endings, to) in DIRECTORIES {
        for (name, content) in files_in(&built.source.join(from))? {
            if endings.iter().any(|ending| name.ends_with(ending)) {
                let compressed = if name.ends_with(".md") { ".gz" } else { "" };
                contents.add(format!("{to}/{name}{compressed}"), content);
            }
        }
    }
    for (name, page) in files_in(&built.manual.join("man"))? {
        contents.add(format!("usr/share/man/man1/{name}.gz"), page);
    }
    for (name, script) in files_in(&built.manual.join("completions"))? {
        contents.add(completions_of(&name).to_owned(), script);
    }
    contents.add(format!("{DOC}/licences.txt.gz"), licences::collect(&built.source)?.into_bytes());
    contents.0.insert(PROGRAM.to_owned(), File { mode: 0o755, content: read(&built.program)? });
    Ok(contents)
}

/// Where the shell of a completion script looks for it.
fn completions_of(name: &str) -> &'static str {
    match name {
        "_smoc" => "usr/share/zsh/vendor-completions/_smoc",
        "smoc.fish" => "usr/share/fish/vendor_completions.d/smoc.fish",
        _ => "usr/share/bash-completion/completions/smoc",
    }
}

/// Names and contents of the files in a directory.
fn files_in(directory: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push((entry.file_name().to_string_lossy().into_owned(), read(&entry.path())?));
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Contents with a command that needs glibc 2.34, a configuration and a man page.
    pub fn sample() -> Contents {
        let mut contents = Contents::default();
        contents.add("usr/share/man/man1/smoc.1.gz".to_owned(), b".TH smoc 1\n".to_vec());
        contents.add("etc/smoc/agent.yaml".to_owned(), b"# switch: e1\n".to_vec());
        let program = b"\x7fELF\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.4\0".to_vec();
        contents.0.insert(PROGRAM.to_owned(), File { mode: 0o755, content: program });
        contents
    }

    #[test]
    fn every_file_that_is_taken_from_the_checkout_is_there() {
        for (from, _) in FROM_SOURCE {
            assert!(crate::workspace::root().join(from).is_file(), "{from}");
        }
    }

    #[test]
    fn what_is_in_etc_belongs_to_the_administrator() {
        assert_eq!(sample().configuration().collect::<Vec<_>>(), ["etc/smoc/agent.yaml"]);
    }
}
