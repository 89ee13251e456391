//! `smoc manual`: man pages and completions, from the same command line that is parsed. For packages; not shown to users.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure};

/// Arguments of `smoc manual`.
#[derive(clap::Args, Debug)]
pub struct ManualArgs {
    /// Where to: `man` and `completions` are made in it
    #[arg(value_name = "DIRECTORY")]
    to: PathBuf,
}

/// Writes all of it: `man/smoc.1` and a page for each verb, such as `man/smoc-fabric-drain.1`, and in `completions` the files
/// that bash (`smoc`), zsh (`_smoc`) and fish (`smoc.fish`) look for.
///
/// # Errors
/// The directory cannot be written.
pub fn run(args: &ManualArgs) -> Result<(), Failure> {
    Ok(write(&args.to)?)
}

fn write(to: &Path) -> anyhow::Result<()> {
    let (man, completions) = (to.join("man"), to.join("completions"));
    for directory in [&man, &completions] {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let cannot = |path: &Path| format!("cannot write {}", path.display());
    clap_mangen::generate_to(for_man(Cli::command()), &man).with_context(|| cannot(&man))?;
    for (shell, name) in [(Shell::Bash, "smoc"), (Shell::Zsh, "_smoc"), (Shell::Fish, "smoc.fish")] {
        let path = completions.join(name);
        let mut file = File::create(&path).with_context(|| cannot(&path))?;
        clap_complete::generate(shell, &mut Cli::command(), "smoc", &mut file);
    }
    Ok(())
}

/// The command line as man pages have it: without the verb `help`, of which there would be a page for every verb again.
fn for_man(command: Command) -> Command {
    command.disable_help_subcommand(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages that there should be below a verb.
    fn pages(command: &Command, name: &str, into: &mut Vec<String>) {
        into.push(format!("{name}.1"));
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            pages(verb, &format!("{name}-{}", verb.get_name()), into);
        }
    }

    #[test]
    fn every_verb_has_a_page_and_every_shell_knows_every_verb() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        let mut expected = Vec::new();
        pages(&Cli::command(), "smoc", &mut expected);
        assert!(expected.contains(&"smoc-what-if.1".to_owned()));
        let mut written: Vec<String> = fs::read_dir(directory.path().join("man"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        expected.sort();
        written.sort();
        assert_eq!(written, expected);
        assert!(read("man/smoc-paths.1").contains("Compute the ranked paths between two switches"));
        for verb in Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            for shell in ["smoc", "_smoc", "smoc.fish"] {
                let completions = read(&format!("completions/{shell}"));
                assert!(completions.contains(verb.get_name()), "{shell} does not know {}", verb.get_name());
            }
        }
    }

    #[test]
    fn the_same_command_line_gives_the_same_pages() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(one.path()).unwrap();
        write(two.path()).unwrap();
        for name in ["man/smoc.1", "completions/smoc", "completions/_smoc", "completions/smoc.fish"] {
            assert_eq!(
                fs::read(one.path().join(name)).unwrap(),
                fs::read(two.path().join(name)).unwrap(),
                "{name}"
            );
        }
    }
}
