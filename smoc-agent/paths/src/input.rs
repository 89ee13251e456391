//! Files that people write: reading them, and what is said of a text that is not what it should be.

use std::{fmt, io, path::Path};

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_path_to_error::Segment;
use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

/// Line (from 1; 0: not known) and what is wrong there.
pub type Fault = (u64, String);

/// Faults of a file, one a line: `file:line: fault`.
pub fn lines(path: &Path, faults: &[Fault]) -> String {
    let line = |(line, message): &Fault| match line {
        0 => format!("{}: {message}", path.display()),
        _ => format!("{}:{line}: {message}", path.display()),
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is no text; the message says what to do then.
pub fn read_text(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => {
            io::Error::new(error.kind(), "this is no text in UTF-8: name a text file, or save it as UTF-8")
        }
        io::ErrorKind::IsADirectory => io::Error::new(error.kind(), "this is a directory: name a file in it"),
        _ => error,
    })
}

/// A text from a file as messages show it: what cannot be printed is escaped, and the rest of a long one left out.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text[..end].escape_debug()),
        None => text.escape_debug().to_string(),
    }
}

/// Reads the one YAML document of a text.
///
/// # Errors
/// The first fault, at the field where it is.
pub fn read_yaml<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    let mut field = String::new();
    let options = serde_saphyr::options! { budget: None, with_snippet: false };
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| {
        let mut track = serde_path_to_error::Track::new();
        let read = T::deserialize(serde_path_to_error::Deserializer::new(yaml, &mut track));
        field = field_path(&track.path());
        read
    })
    .map_err(|error| {
        let line = error.location().map_or(0, |at| at.line());
        let message = what_to_change(&error);
        (line, if field.is_empty() { message } else { format!("{field}: {message}") })
    })
}

/// The keys of a text that is one YAML mapping; `None` if it is YAML and something else.
///
/// # Errors
/// It is no YAML.
pub fn yaml_keys(text: &str) -> Result<Option<Vec<String>>, Error> {
    struct Keys;
    impl<'de> Visitor<'de> for Keys {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let mut keys = Vec::new();
            while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                keys.push(key);
            }
            Ok(keys)
        }
    }
    let options = || serde_saphyr::options! { budget: None, with_snippet: false };
    let keys = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| {
        yaml.deserialize_map(Keys)
    });
    match keys {
        Ok(keys) => Ok(Some(keys)),
        Err(_) => serde_saphyr::from_str_with_options(text, options()).map(|IgnoredAny| None),
    }
}

/// The message of the YAML reader in our words.
fn what_to_change(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => what_to_change(error),
        Error::MultipleDocuments { .. } => {
            "a second YAML document: a file may hold only one, so remove the --- between them".into()
        }
        Error::Unexpected { expected: "mapping start", .. } => "expected a mapping (key: value)".into(),
        Error::Unexpected { expected: "sequence start", .. } => "expected a list".into(),
        Error::Unexpected { expected: "string scalar", .. } => "expected a single value".into(),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key {} comes twice", shown(key)),
        Error::UnknownAnchor { .. } => {
            "this alias (*name) repeats nothing: there is no &name above it".into()
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "aliases (*name) repeat too much: write it without them".into()
        }
        Error::InvalidScalar { ty, .. } => match ty.as_bytes().first() {
            Some(b'u' | b'i') => format!("expected a whole number ({ty})"),
            Some(b'b') => "expected true or false".into(),
            _ => "expected a number".into(),
        },
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("\"{}\" is none of {}", shown(variant), expected.join(", "))
        }
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown field `{}`, known here: {}", shown(field), expected.join(", "))
        }
        other => {
            let message = UserMessageFormatter.format_message(other);
            if message.contains("recursion limit") {
                return "nested too deeply".into();
            }
            let escaped = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
            message.chars().map(escaped).collect()
        }
    }
}

/// `links[3].a`; the positions that wrap every value in a raw form are no part of it.
fn field_path(path: &serde_path_to_error::Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text += &format!("[{index}]"),
            Segment::Map { key } if key != "value" && text.is_empty() => text += &shown(key),
            Segment::Map { key } if key != "value" => text += &format!(".{}", shown(key)),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_file_that_is_no_text_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("latin1");
        std::fs::write(&file, b"\xe91").unwrap();
        assert!(read_text(&file).unwrap_err().to_string().starts_with("this is no text in UTF-8"));
        assert!(read_text(directory.path()).unwrap_err().to_string().starts_with("this is a directory"));
        assert!(read_text(&directory.path().join("none")).unwrap_err().to_string().contains("No such file"));
    }

    #[test]
    fn what_cannot_be_printed_is_escaped_and_what_is_long_cut() {
        assert_eq!(shown("x\u{1b}[31m\ny"), "x\\u{1b}[31m\\ny");
        assert_eq!(shown(&"é".repeat(41)), "é".repeat(40) + "...");
        assert_eq!(shown("日本"), "日本");
    }

    #[test]
    fn faults_say_what_to_change() {
        let fault = |text| read_yaml::<BTreeMap<String, Vec<u16>>>(text).unwrap_err();
        for (text, line, message) in [
            ("a: [1]\n---\nb: [2]\n", 3, "a second YAML document: a file may hold only one"),
            ("a: &x [1]\nb:\n  - *x\n", 3, "b[0]: expected a single value"),
            ("a: [*x]\n", 1, "a: this alias (*name) repeats nothing"),
            ("a: [x]\n", 1, "a[0]: expected a whole number (u16)"),
            ("a: 1\n", 1, "a: expected a list"),
            ("a: []\na: []\n", 2, "the key a comes twice"),
        ] {
            let (at, said) = fault(text);
            assert!(at == line && said.starts_with(message), "{text}: {at}: {said}");
        }
    }

    #[test]
    fn the_keys_of_a_mapping_tell_what_a_file_is() {
        assert_eq!(yaml_keys("a: 1\nb: {c: 2}\n").unwrap().unwrap(), ["a", "b"]);
        assert_eq!(yaml_keys("hello").unwrap(), None);
        assert_eq!(yaml_keys("- a\n").unwrap(), None);
        assert!(yaml_keys(": :\n- {").is_err());
    }
}
