//! Pages and what is in them.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A page as it stands.
pub struct Page {
    /// Its place in the repository, such as `docs/paths.md`.
    pub name: PathBuf,
    /// Markdown.
    pub text: String,
}

impl Page {
    /// The line of a byte, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }
}

/// All pages: those of the book, and what stands beside it at the top of the repository.
///
/// # Panics
/// One of them cannot be read.
pub fn pages() -> Vec<Page> {
    let mut names = Vec::new();
    for directory in ["", "docs"] {
        for entry in fs::read_dir(root().join(directory)).expect("the repository can be read") {
            let name = Path::new(directory).join(entry.expect("a directory can be read").file_name());
            if name.extension().is_some_and(|extension| extension == "md") {
                names.push(name);
            }
        }
    }
    names.sort();
    let read =
        |name: PathBuf| Page { text: fs::read_to_string(root().join(&name)).expect("a page is text"), name };
    names.into_iter().map(read).collect()
}
