//! Links within the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::{Page, root};

/// Links of these pages that lead to no file, to no heading, or out of the repository, as `page:line: what is wrong`.
pub fn broken_links(pages: &[Page]) -> Vec<String> {
    let anchors: BTreeMap<&Path, BTreeSet<String>> =
        pages.iter().map(|page| (page.name.as_path(), anchors(&page.text))).collect();
    let mut broken = Vec::new();
    for page in pages {
        for (offset, target) in targets(&page.text) {
            if let Err(why) = lead(page, &target, &anchors) {
                broken.push(format!("{}:{}: {target}: {why}", page.name.display(), page.line(offset)));
            }
        }
    }
    broken
}

/// Files and directories of the repository that these pages link to, pages too.
pub fn linked_files(pages: &[Page]) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for page in pages {
        let here = page.name.parent().unwrap_or(Path::new(""));
        for (_, target) in targets(&page.text) {
            let path = target.split('#').next().filter(|path| !path.is_empty());
            let file = path.and_then(|path| plain(&here.join(path)));
            files.extend(file.filter(|file| root().join(file).exists()));
        }
    }
    files
}

/// Whether a link leads to something; one with a scheme is not asked.
fn lead(page: &Page, target: &str, anchors: &BTreeMap<&Path, BTreeSet<String>>) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let here = page.name.parent().unwrap_or(Path::new(""));
    let name = if path.is_empty() {
        page.name.clone()
    } else {
        plain(&here.join(path)).ok_or("leads out of the repository")?
    };
    if !root().join(&name).exists() {
        return Err("there is no such file".to_owned());
    }
    match (anchor, anchors.get(name.as_path())) {
        (Some(anchor), Some(known)) if !known.contains(anchor) => Err("there is no such heading".to_owned()),
        (Some(_), None) => Err("a heading of what is no page".to_owned()),
        _ => Ok(()),
    }
}

/// A path without `.` and `..`; `None` above the root.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => plain.pop().then_some(())?,
            Component::CurDir => {}
            _ => plain.push(component),
        }
    }
    Some(plain)
}

/// What links and pictures of a page lead to, with the places of the links.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
            targets.push((range.start, dest_url.into_string()));
        }
    }
    targets
}

/// The anchors of a page's headings, as code forges and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
            (Event::End(TagEnd::Heading(_)), Some(title)) => {
                let anchor = anchor(title);
                let again = (1..).map(|n| format!("{anchor}-{n}"));
                let free = std::iter::once(anchor.clone()).chain(again).find(|name| !anchors.contains(name));
                anchors.extend(free);
                heading = None;
            }
            _ => {}
        }
    }
    anchors
}

fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || "_- ".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str, text: &str) -> Page {
        Page { name: name.into(), text: text.to_owned() }
    }

    #[test]
    fn a_link_to_nothing_is_found_and_named_with_its_line() {
        let text = "# Title\n\n[a](Cargo.toml) [b](nowhere.md)\n\n[c](#title) [d](#other)\n[e](../x) [f](https://example.org/x)\n\
                    ![g](none.svg) [h](Cargo.toml#x)\n";
        assert_eq!(
            broken_links(&[page("README.md", text)]),
            [
                "README.md:3: nowhere.md: there is no such file",
                "README.md:5: #other: there is no such heading",
                "README.md:6: ../x: leads out of the repository",
                "README.md:7: none.svg: there is no such file",
                "README.md:7: Cargo.toml#x: a heading of what is no page",
            ]
        );
    }

    #[test]
    fn what_pages_link_to_is_named_from_the_root() {
        let page = page(
            "docs/x.md",
            "[a](../Cargo.toml) [b](paths.md#asking) [c](https://example.org) [d](none.md) [e](#here)",
        );
        let files: Vec<_> = linked_files(&[page]).into_iter().collect();
        assert_eq!(files, [PathBuf::from("Cargo.toml"), PathBuf::from("docs/paths.md")]);
    }

    #[test]
    fn anchors_are_those_of_code_forges() {
        let text = "# What Linux does, as measured (6.18)\n## End hosts: `smoc host`\n## Twice\n## Twice\n";
        let wanted = ["end-hosts-smoc-host", "twice", "twice-1", "what-linux-does-as-measured-618"];
        assert_eq!(anchors(text).into_iter().collect::<Vec<_>>(), wanted);
    }
}
