//! A page of reference from a command line as clap knows it.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, ArgAction, Command};

/// The page of a command and all its verbs, under this title and below this introduction.
pub fn reference(title: &str, introduction: &str, command: Command) -> String {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut page = format!("# {title}\n\n{introduction}\n");
    verbs(&command, command.get_name(), &mut page);
    page
}

/// Verbs in their order, each before its own verbs.
fn verbs(command: &Command, name: &str, page: &mut String) {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("{name} {}", verb.get_name());
        section(verb, &name, page);
        verbs(verb, &name, page);
    }
}

fn section(verb: &Command, name: &str, page: &mut String) {
    let about = verb.get_long_about().or(verb.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n## {name}\n\n{}\n", sentence(&about));
    let usage = verb.clone().bin_name(name).render_usage().to_string();
    let usage = usage.trim().strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    let _ = write!(page, "\n```text\n{usage}\n```\n");
    let shown = |argument: &&Arg| {
        !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
    };
    let mut arguments = verb.get_arguments().filter(shown).peekable();
    if arguments.peek().is_some() {
        page.push_str("\n| option | default | meaning |\n|---|---|---|\n");
    }
    for argument in arguments {
        let (option, default) = (option(argument), default(argument));
        let _ = writeln!(page, "| {option} | {default} | {} |", meaning(argument));
    }
    if let Some(after) = verb.get_after_long_help().or(verb.get_after_help()) {
        let _ = write!(page, "\n```text\n{}\n```\n", after.to_string().trim_end());
    }
}

/// `-k`, `--count` and what it takes.
fn option(argument: &Arg) -> String {
    let short = argument.get_short().map(|letter| format!("-{letter}"));
    let long = argument.get_long().map(|word| format!("--{word}"));
    let mut names: Vec<String> = short.into_iter().chain(long).collect();
    let takes = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    if takes {
        let values = argument.get_value_names().unwrap_or_default();
        let values: Vec<_> = values.iter().map(|name| name.as_str()).collect();
        match names.last_mut() {
            Some(last) => *last = format!("{last} {}", values.join(" ")),
            None => names.push(values.join(" ")),
        }
    }
    names.iter().map(|name| format!("`{}`", cell(name))).collect::<Vec<_>>().join(", ")
}

fn default(argument: &Arg) -> String {
    if !matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
        || argument.is_hide_default_value_set()
    {
        return String::new();
    }
    let values = argument.get_default_values().iter().map(|value| value.to_string_lossy());
    let named = values.map(|value| in_target(&value));
    named.map(|value| format!("`{}`", cell(&value))).collect::<Vec<_>>().join(" ")
}

/// What lies in cargo's target directory, wherever that is: tests run from `debug/deps` there.
fn in_target(value: &str) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let file = program.ancestors().nth(3).and_then(|target| Path::new(value).strip_prefix(target).ok());
    file.map_or_else(|| value.to_owned(), |file| format!("target/{}", file.display()))
}

/// Its help, the values to choose from, and the variable that stands for it.
fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut meaning = cell(&sentence(&help));
    let values = argument.get_possible_values();
    let values: Vec<_> = values.iter().filter(|value| !value.is_hide_set()).collect();
    let takes = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    if takes
        && !values.is_empty()
        && values.iter().any(|value| !["true", "false"].contains(&value.get_name()))
    {
        let listed = values.iter().map(|value| match value.get_help() {
            Some(help) => format!("`{}`: {}", value.get_name(), cell(help.to_string().trim_end_matches('.'))),
            None => format!("`{}`", value.get_name()),
        });
        let _ = write!(meaning, " {}.", listed.collect::<Vec<_>>().join("; "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(meaning, " Also: the variable `{}`.", variable.to_string_lossy());
    }
    meaning.trim().to_owned()
}

/// Clap takes the full stop from the end of a help; here are sentences.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', ':', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// A text in one line of a table.
fn cell(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn a_verb_has_its_usage_options_defaults_and_values() {
        let count =
            Arg::new("count").short('k').long("count").value_name("N").default_value("8").help("How many");
        let policy = Arg::new("policy").long("policy").value_parser(["diverse", "shortest"]).value_name("P");
        let verb = Command::new("paths")
            .about("Compute paths")
            .arg(count)
            .arg(policy)
            .after_help("Examples:\n  smoc paths");
        let page = reference("Reference", "All verbs.", Command::new("smoc").subcommand(verb));
        assert_eq!(
            page,
            "# Reference\n\nAll verbs.\n\n## smoc paths\n\nCompute paths.\n\n```text\nsmoc paths [OPTIONS]\n```\n\n\
             | option | default | meaning |\n|---|---|---|\n| `-k`, `--count N` | `8` | How many. |\n\
             | `--policy P` |  | `diverse`; `shortest`. |\n\n```text\nExamples:\n  smoc paths\n```\n"
        );
    }
}
