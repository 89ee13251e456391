//! The pages of the book, beside the command line and the files that they describe.

mod configuration;

use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use smoc_agent::cli::Cli;
use smoc_book::{Form, Shown, assert_made, broken_links, faults, pages, reference, root, shown};

/// Verbs that read files only, and need nothing but those of the repository.
const OFFLINE: [&str; 6] = ["check", "paths", "topology", "what-if", "simulate", "decode"];

fn commands() -> Vec<Shown> {
    pages().iter().flat_map(|page| shown(page, &["smoc"])).collect()
}

#[test]
fn every_link_leads_to_something() {
    let broken = broken_links(&pages());
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_reference_is_the_command_line() {
    let introduction = "Every verb of `smoc` with its options, as `--help` has them. [commands.md](commands.md) tells what they are for; \
                        [Commands of the repository](reference-xtask.md) are another page. Made by `cargo xtask book --write`.";
    assert_made("docs/reference.md", &reference("Reference: smoc", introduction, Cli::command()));
}

#[test]
fn every_command_shown_could_be_typed() {
    let commands = commands();
    assert!(commands.len() > 100, "{} commands were found", commands.len());
    let faults = faults(&commands, 1, &Cli::command());
    assert!(faults.is_empty(), "commands that smoc does not take:\n{}", faults.join("\n"));
}

#[test]
fn offline_commands_on_files_of_the_repository_succeed() {
    let names_a_file = |word: &String| word.starts_with("examples/") || word.starts_with("smoc-agent/");
    let mut ran = 0;
    for Shown { place, words, .. } in commands().iter().filter(|it| it.form == Form::Typed) {
        let Some(file) = words.iter().find(|word| names_a_file(word)) else { continue };
        if !OFFLINE.contains(&words[1].as_str()) {
            continue;
        }
        assert!(root().join(file).exists(), "{place}: there is no {file}");
        let output =
            Command::new(env!("CARGO_BIN_EXE_smoc")).args(&words[1..]).current_dir(root()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{place}: `{}` failed: {said}", words.join(" "));
        assert!(!output.stdout.is_empty(), "{place}: `{}` prints nothing", words.join(" "));
        ran += 1;
    }
    assert!(ran >= 8, "only {ran} commands were run");
}

#[test]
fn the_network_of_the_tutorial_has_four_paths() {
    let page = std::fs::read_to_string(root().join("docs/tutorial.md")).unwrap();
    let network = page.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("my-network.yaml");
    std::fs::write(&file, network).unwrap();
    let mut smoc = Command::new(env!("CARGO_BIN_EXE_smoc"));
    smoc.arg("paths").arg(&file).args(["--from", "left", "--to", "right"]);
    let printed = String::from_utf8(smoc.output().unwrap().stdout).unwrap();
    assert!(
        printed.lines().count() == 5 && page.contains(&printed),
        "the tutorial shows other paths than\n{printed}"
    );
}

#[test]
fn the_book_has_every_page() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    for page in pages().iter().filter(|page| page.name.starts_with("docs")) {
        let name = page.name.strip_prefix("docs").unwrap();
        let is_listed = summary.contains(&format!("({})", name.display()));
        assert!(
            is_listed || name == Path::new("SUMMARY.md"),
            "docs/SUMMARY.md does not list {}",
            name.display()
        );
    }
}
