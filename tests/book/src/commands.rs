//! Commands that the pages show.

use std::path::Path;

use clap::error::ErrorKind;
use clap::{Arg, Command};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::Page;

/// How a command is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In a block of shell: to be typed as it stands.
    Typed,
    /// Within a sentence or table: verbs and options, with words for what the reader puts in.
    Named,
}

/// A command on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `page:line`.
    pub place: String,
    /// How it is shown.
    pub form: Form,
    /// Its words, without what the shell takes: pipes, files, variables.
    pub words: Vec<String>,
}

/// All commands on a page that begin with these words, such as `cargo xtask`; of those the shell or another command runs too
/// (`lab exec h1 -- smoc host`). The changelog shows none: it tells of what there was.
pub fn shown(page: &Page, program: &[&str]) -> Vec<Shown> {
    let mut shown = Vec::new();
    if page.name == Path::new("CHANGELOG.md") {
        return shown;
    }
    let mut block: Option<bool> = None;
    for (event, range) in Parser::new_ext(&page.text, Options::ENABLE_TABLES).into_offset_iter() {
        let mut add = |form, line: usize, text: &str| {
            let place = format!("{}:{line}", page.name.display());
            let commands = commands(text, program).into_iter();
            shown.extend(commands.map(|words| Shown { place: place.clone(), form, words }));
        };
        match event {
            Event::Start(Tag::CodeBlock(kind)) => block = Some(needs_prompt(&kind)),
            Event::End(TagEnd::CodeBlock) => block = None,
            Event::Text(text) => {
                let Some(needs_prompt) = block else { continue };
                for (at, line) in text.lines().enumerate() {
                    let typed = line.strip_prefix("$ ").or(line.strip_prefix("# ").filter(|_| needs_prompt));
                    if let Some(typed) = typed.or((!needs_prompt).then_some(line)) {
                        add(Form::Typed, page.line(range.start) + at, typed);
                    }
                }
            }
            Event::Code(code) => add(Form::Named, page.line(range.start), &code),
            _ => {}
        }
    }
    shown
}

/// Whether commands of a block stand behind a prompt, beside what they print.
fn needs_prompt(kind: &CodeBlockKind<'_>) -> bool {
    match kind {
        CodeBlockKind::Fenced(language) => &**language != "sh",
        CodeBlockKind::Indented => false,
    }
}

/// The commands of a line of shell that begin with these words.
fn commands(line: &str, program: &[&str]) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect());
    let mut found: Vec<Vec<String>> = Vec::new();
    let parts = words.split(|word| ["|", "&&", "||", ";", "&"].contains(&word.as_str()));
    let with_inner = |part: &[String]| {
        let inner = part.iter().position(|word| word == "--").map(|at| part[at + 1..].to_vec());
        std::iter::once(part.to_vec()).chain(inner)
    };
    for part in parts.flat_map(with_inner) {
        let is_taken = |word: &&String| word.contains('=') && !word.starts_with('-') || *word == "sudo";
        let mut part: Vec<String> = part.iter().skip_while(is_taken).cloned().collect();
        if let Some(redirect) =
            part.iter().position(|word| word.starts_with(['>', '<']) || word.starts_with("2>"))
        {
            part.truncate(redirect);
        }
        if let Some(first) = part.first_mut() {
            *first = first.rsplit('/').next().unwrap_or_default().to_owned();
        }
        // What a variable stands for is not known here: the value of an option, or any number of words.
        let mut is_value = false;
        part.retain(|word| {
            let is_kept = !word.starts_with('$') || is_value;
            is_value = word.starts_with("--");
            is_kept
        });
        if part.len() > program.len() && part.iter().zip(program).all(|(word, wanted)| word == wanted) {
            found.push(part);
        }
    }
    found
}

/// What is wrong with the commands on these pages, as `page:line: command: why`. `skipped` first words are not for this command
/// line; what follows is what its program would be given.
pub fn faults(shown: &[Shown], skipped: usize, command: &Command) -> Vec<String> {
    let mut faults = Vec::new();
    for Shown { place, form, words } in shown {
        let arguments = &words[skipped.min(words.len())..];
        let fault = match form {
            Form::Typed => typed(arguments, command),
            Form::Named => named(arguments, command),
        };
        faults.extend(fault.err().map(|why| format!("{place}: {}: {why}", words.join(" "))));
    }
    faults
}

/// Whether a command could be typed so.
fn typed(arguments: &[String], command: &Command) -> Result<(), String> {
    let name = command.get_name().to_owned();
    match command.clone().try_get_matches_from(std::iter::once(&name).chain(arguments)) {
        Err(error) if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Err(error.to_string().lines().next().unwrap_or_default().to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether verbs and options exist, whatever is said for their values.
fn named(arguments: &[String], command: &Command) -> Result<(), String> {
    let mut built = command.clone();
    built.build();
    let mut verb = &built;
    for (at, argument) in arguments.iter().enumerate() {
        if verb.get_arguments().any(Arg::is_trailing_var_arg_set) {
            // What follows is another program's.
            return Ok(());
        }
        if let Some(option) = argument.strip_prefix("--") {
            let option = option.split('=').next().unwrap_or_default();
            let is_known = verb.get_arguments().any(|known| known.get_long() == Some(option));
            if !is_known && !option.is_empty() {
                return Err(format!("{} has no option --{option}", verb.get_name()));
            }
        } else if let Some(next) = verb.find_subcommand(argument) {
            verb = next;
        } else if at == 0
            && verb.has_subcommands()
            && argument.starts_with(|letter: char| letter.is_ascii_lowercase())
        {
            return Err(format!("{} has no verb {argument}", verb.get_name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page { name: "docs/x.md".into(), text: text.to_owned() }
    }

    fn smoc() -> Command {
        let count = Arg::new("count").long("count").value_parser(clap::value_parser!(u8));
        Command::new("smoc").subcommand(Command::new("paths").arg(count)).subcommand(Command::new("status"))
    }

    #[test]
    fn commands_are_found_in_blocks_and_sentences_and_behind_others() {
        let text = "Say `smoc status` or `smocs`.\n\n```console\n$ cat x | target/debug/smoc paths --count 3 > y\nsmoc said\n```\n\n\
                    \tcargo xtask lab exec h1 -- sudo A=b smoc status   # why\n";
        let found = shown(&page(text), &["smoc"]);
        let found: Vec<_> = found.iter().map(|it| (it.place.as_str(), it.form, it.words.join(" "))).collect();
        assert_eq!(
            found,
            [
                ("docs/x.md:1", Form::Named, "smoc status".to_owned()),
                ("docs/x.md:4", Form::Typed, "smoc paths --count 3".to_owned()),
                ("docs/x.md:8", Form::Typed, "smoc status".to_owned()),
            ]
        );
    }

    #[test]
    fn what_another_command_runs_belongs_to_both() {
        let exec = "cargo xtask lab exec h1 -- smoc status";
        assert_eq!(commands(exec, &["cargo", "xtask"]), [exec.split(' ').collect::<Vec<_>>()]);
        assert_eq!(commands(exec, &["smoc"]), [["smoc", "status"]]);
    }

    #[test]
    fn what_could_not_be_typed_is_a_fault() {
        let text = "`smoc paths --count N` `smoc paths --cuont N` `smoc stat`\n\n    smoc paths --count N\n    smoc status\n";
        let found = faults(&shown(&page(text), &["smoc"]), 1, &smoc());
        assert_eq!(
            found,
            [
                "docs/x.md:1: smoc paths --cuont N: paths has no option --cuont",
                "docs/x.md:1: smoc stat: smoc has no verb stat",
                "docs/x.md:3: smoc paths --count N: error: invalid value 'N' for '--count <count>': invalid digit found in string",
            ]
        );
    }
}
