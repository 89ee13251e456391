//! The licences of all that is compiled into the command, its programs for the kernel and its page.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::requirements;
use crate::workspace::{cargo, output};

/// What the packages are made of: the command, and what it loads into the kernel.
const ROOTS: [&str; 2] = ["smoc-agent", "smoc-ebpf"];
/// The libraries of the page, each with its licence beside it.
const PAGE: &str = "smoc-agent/src/web/page/vendor";
/// How names of files begin that crates have their licences in.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

/// `kind` is none for what is compiled in; else `dev` or `build`.
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// One text: first all crates with what they say of themselves, then every licence once, with the crates that carry it.
///
/// # Errors
/// Cargo does not say what is compiled in, or a licence cannot be read.
pub fn collect(source: &Path) -> Result<String> {
    let host = output(crate::workspace::command("rustc").arg("-vV"))?;
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc has no host")?.to_owned();
    let mut metadata = cargo();
    metadata
        .current_dir(source)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &host])
        .args(requirements::features());
    let metadata: Metadata = serde_json::from_str(&output(&mut metadata)?).context("cargo metadata")?;
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut list = String::new();
    for package in compiled_in(&metadata) {
        let name = format!("{} {}", package.name, package.version);
        list += &format!("  {name}: {}\n", package.license.as_deref().unwrap_or("see below"));
        let directory = package.manifest_path.parent().unwrap_or(Path::new("/"));
        for text in
            licences_in(directory, |file| NAMES.iter().any(|name| file.to_uppercase().starts_with(name)))?
        {
            texts.entry(text.1).or_default().insert(name.clone());
        }
    }
    for (file, text) in licences_in(&source.join(PAGE), |file| file.ends_with(".LICENSE"))? {
        let name = file.trim_end_matches(".LICENSE");
        list += &format!("  {name}.js, in the page of `smoc web`\n");
        texts.entry(text).or_default().insert(format!("{name}.js"));
    }
    Ok(render(&list, &texts))
}

fn render(list: &str, texts: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut all = format!(
        "What is compiled into smoc, and its licences. smoc's own are in LICENSE-MIT and LICENSE-APACHE.\n\n{list}"
    );
    for (text, carriers) in texts {
        let carriers = carriers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        all += &format!("\n{}\n{carriers}\n\n{}\n", "=".repeat(72), text.trim_end());
    }
    all
}

/// Crates of others that the roots need when they run, by name and version.
fn compiled_in(metadata: &Metadata) -> Vec<&Package> {
    let packages: HashMap<&str, &Package> =
        metadata.packages.iter().map(|package| (&*package.id, package)).collect();
    let nodes: HashMap<&str, &Node> = metadata.resolve.nodes.iter().map(|node| (&*node.id, node)).collect();
    let roots = metadata.packages.iter().filter(|package| ROOTS.contains(&&*package.name));
    let mut to_see: VecDeque<&str> = roots.map(|package| &*package.id).collect();
    let mut seen: BTreeSet<&str> = to_see.iter().copied().collect();
    while let Some(id) = to_see.pop_front() {
        for dependency in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
            let is_compiled_in = dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
            if is_compiled_in && seen.insert(&dependency.pkg) {
                to_see.push_back(&dependency.pkg);
            }
        }
    }
    let mut found: Vec<&Package> = seen.iter().filter_map(|id| packages.get(id).copied()).collect();
    found.retain(|package| package.source.is_some());
    found.sort_by_key(|package| (&package.name, &package.version));
    found
}

/// Names and texts of the files of a directory that hold licences, sorted.
fn licences_in(directory: &Path, is_one: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() && is_one(&name) {
            let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            found.push((name, String::from_utf8_lossy(&text).replace("\r\n", "\n")));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_is_found_through_others_and_what_only_builds_or_tests_is_not() {
        let package = |name: &str, source: &str| {
            format!(
                r#"{{"id":"{name}","name":"{name}","version":"1.0.0","license":"MIT","source":{source},"manifest_path":"/c/{name}/Cargo.toml"}}"#
            )
        };
        let packages = [
            package("smoc-agent", "null"),
            package("near", "\"r\""),
            package("far", "\"r\""),
            package("test", "\"r\""),
        ];
        let node = |id: &str, dependency: &str, kind: &str| {
            format!(r#"{{"id":"{id}","deps":[{{"pkg":"{dependency}","dep_kinds":[{{"kind":{kind}}}]}}]}}"#)
        };
        let nodes =
            [node("smoc-agent", "near", "null"), node("near", "far", "null"), node("far", "test", "\"dev\"")];
        let text =
            format!(r#"{{"packages":[{}],"resolve":{{"nodes":[{}]}}}}"#, packages.join(","), nodes.join(","));
        let metadata: Metadata = serde_json::from_str(&text).unwrap();
        let names: Vec<_> = compiled_in(&metadata).iter().map(|package| &*package.name).collect();
        assert_eq!(names, ["far", "near"]);
    }

    #[test]
    fn a_licence_that_two_carry_is_there_once_and_names_both() {
        let carriers = ["b 1.0".to_owned(), "a 1.0".to_owned()].into();
        let text = render("", &[("Do as you like.\n".to_owned(), carriers)].into());
        assert!(text.contains("\na 1.0, b 1.0\n\nDo as you like.\n"), "{text}");
        assert_eq!(text.matches("Do as you like.").count(), 1);
    }
}
