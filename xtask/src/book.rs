//! `cargo xtask book`: the pages of `docs`, and those at the top of the repository, as one book in HTML.
//!
//! mdBook takes one directory. So pages and what they link to are copied to target/book/src as they lie in the repository,
//! and links between them hold.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use smoc_book::{Page, linked_files, pages};

use crate::requirements;
use crate::workspace::{cargo, command, root, run, target_dir};

/// The version that the book is built and looked at with.
const MDBOOK: &str = "0.5.4";

/// What tells tests to write the pages that are made.
const WRITE: (&str, &str) = ("SMOC_BOOK_WRITE", "1");

/// Builds the book; gives back its first page.
///
/// # Errors
/// mdBook is missing and cannot be installed, or a page cannot be read or built.
pub fn build() -> Result<PathBuf> {
    let mdbook = mdbook()?;
    let book = target_dir().join("book");
    let source = book.join("src");
    if source.exists() {
        fs::remove_dir_all(&source).with_context(|| format!("cannot remove {}", source.display()))?;
    }
    let pages = pages();
    for file in files(&pages)? {
        copy(&file, &source)?;
    }
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md"))?;
    fs::write(source.join("SUMMARY.md"), whole_summary(&summary, &pages))?;
    for settings in ["book.toml", "book.css"] {
        fs::copy(root().join("docs").join(settings), book.join(settings))?;
    }
    let html = book.join("html");
    let mut build = command(mdbook);
    build.env("MDBOOK_BOOK__SRC", "src").arg("build").arg(&book).arg("--dest-dir").arg(&html);
    run(&mut build)?;
    Ok(html.join("index.html"))
}

/// Writes the pages that are made from command lines: the tests that compare them do it.
///
/// # Errors
/// They do not compile, or a page cannot be written.
pub fn write() -> Result<()> {
    let packages = ["--package", "smoc-agent", "--package", "smoc-tests", "--package", "xtask"];
    let mut tests = cargo();
    tests.env(WRITE.0, WRITE.1).arg("test").args(packages).args(requirements::features());
    run(tests.args(["--lib", "--bins", "--test", "book", "--", "is_the_command_line"]))
}

/// The mdbook on `PATH`, or the one in the target directory, which is installed if need be.
fn mdbook() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let tools = target_dir().join("tools");
    let installed = tools.join("bin/mdbook");
    let mut found =
        env::split_paths(&path).map(|directory| directory.join("mdbook")).chain([installed.clone()]);
    if let Some(mdbook) = found.find(|program| program.is_file()) {
        return Ok(mdbook);
    }
    eprintln!("missing: mdbook (for the book); installing it, which takes two minutes:");
    let mut install = cargo();
    install.args([
        "install",
        "mdbook",
        "--version",
        MDBOOK,
        "--locked",
        "--no-default-features",
        "--features",
        "search",
    ]);
    run(install.arg("--root").arg(&tools))
        .context("there is no mdbook, and it cannot be installed. Is there a network?")?;
    Ok(installed)
}

/// Everything that the book consists of, from the root of the repository.
fn files(pages: &[Page]) -> Result<BTreeSet<PathBuf>> {
    let mut files: BTreeSet<PathBuf> = pages.iter().map(|page| page.name.clone()).collect();
    for linked in linked_files(pages) {
        if root().join(&linked).is_dir() {
            for entry in fs::read_dir(root().join(&linked))? {
                files.insert(linked.join(entry?.file_name()));
            }
        } else {
            files.insert(linked);
        }
    }
    files.retain(|file| root().join(file).is_file());
    Ok(files)
}

fn copy(file: &Path, source: &Path) -> Result<()> {
    let copy = source.join(file);
    fs::create_dir_all(copy.parent().unwrap_or(source))?;
    let what = || format!("cannot copy {}", file.display());
    if file.extension() == Some(OsStr::new("md")) {
        let text = fs::read_to_string(root().join(file)).with_context(what)?;
        return fs::write(&copy, as_chapter(&text)).with_context(what);
    }
    fs::copy(root().join(file), &copy).with_context(what)?;
    Ok(())
}

/// A page with links to what mdBook calls otherwise: README is the book's index, and the table of contents a page of its own.
fn as_chapter(text: &str) -> String {
    text.replace("README.md)", "index.md)")
        .replace("README.md#", "index.md#")
        .replace("](docs/SUMMARY.md)", "](toc.html)")
}

/// The table of contents of all pages: README first, then what `docs/SUMMARY.md` lists, then what lies beside README.
fn whole_summary(summary: &str, pages: &[Page]) -> String {
    let listed = summary.strip_prefix("# Summary\n").unwrap_or(summary).replace("](", "](docs/");
    let mut whole = format!("# Summary\n\n[smoc](README.md)\n{listed}\n# Repository\n\n");
    for page in pages.iter().filter(|page| page.name.parent() == Some(Path::new(""))) {
        let name = page.name.file_stem().unwrap_or(OsStr::new("")).to_string_lossy();
        if name != "README" {
            whole.push_str(&format!("- [{name}]({})\n", page.name.display()));
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_begins_with_readme_and_ends_with_what_lies_beside_it() {
        let pages = ["ARCHITECTURE.md", "README.md", "docs/paths.md"];
        let pages = pages.map(|name| Page { name: name.into(), text: String::new() });
        let summary = "# Summary\n\n# Research\n\n- [Paths](paths.md)\n";
        assert_eq!(
            whole_summary(summary, &pages),
            "# Summary\n\n[smoc](README.md)\n\n# Research\n\n- [Paths](docs/paths.md)\n\n# Repository\n\n\
             - [ARCHITECTURE](ARCHITECTURE.md)\n"
        );
    }

    #[test]
    fn links_to_readme_and_summary_lead_to_what_mdbook_makes_of_them() {
        let page = "[a](../README.md#try-it) [b](README.md) [c](docs/SUMMARY.md) [d](paths.md)";
        assert_eq!(as_chapter(page), "[a](../index.md#try-it) [b](index.md) [c](toc.html) [d](paths.md)");
    }

    #[test]
    fn what_pages_link_to_is_in_the_book() {
        let files = files(&pages()).unwrap();
        for wanted in ["README.md", "docs/demo.svg", "examples/agent.yaml", "ARCHITECTURE.md"] {
            assert!(files.contains(Path::new(wanted)), "{wanted}");
        }
    }
}
