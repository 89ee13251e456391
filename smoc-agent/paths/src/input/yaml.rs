//! YAML: faults name line and field.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::Segment;
use serde_saphyr::{Error, MessageFormatter, Spanned, UserMessageFormatter};

use super::{Fault, Tree, Value, shown};

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

/// The keys of a text that is one YAML mapping, and whether each has a single value; `None` if it is YAML and
/// something else.
///
/// # Errors
/// It is no YAML.
pub fn yaml_kinds(text: &str) -> Result<Option<Vec<(String, bool)>>, Fault> {
    let tree = yaml_tree(text)?;
    let single = |tree: &Tree| !matches!(tree.value, Value::List(_) | Value::Map(_));
    Ok(match tree.value {
        Value::Map(entries) => Some(entries.into_iter().map(|(key, value)| (key, single(&value))).collect()),
        _ => None,
    })
}

/// The one YAML document of a text.
///
/// # Errors
/// The first fault.
pub fn yaml_tree(text: &str) -> Result<Tree, Fault> {
    Ok(Tree::from(read_yaml::<Spanned<Any>>(text)?))
}

impl From<Spanned<Any>> for Tree {
    fn from(spanned: Spanned<Any>) -> Self {
        let value = match spanned.value {
            Any::Scalar(value) => value,
            Any::List(all) => Value::List(all.into_iter().map(Tree::from).collect()),
            Any::Map(all) => Value::Map(all.into_iter().map(|(key, value)| (key, value.into())).collect()),
        };
        Self { line: spanned.referenced.line(), value }
    }
}

/// Whatever stands there.
enum Any {
    Scalar(Value),
    List(Vec<Spanned<Any>>),
    Map(Vec<(String, Spanned<Any>)>),
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyVisitor;
        impl<'de> Visitor<'de> for AnyVisitor {
            type Value = Any;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Null))
            }
            fn visit_none<E>(self) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Null))
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Any, D::Error> {
                Any::deserialize(deserializer)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Bool(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Number(value.to_string())))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Number(value.to_string())))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Number(value.to_string())))
            }
            fn visit_str<E>(self, value: &str) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Text(value.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Any, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(Any::List(all))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = map.next_entry()? {
                    all.push(one);
                }
                Ok(Any::Map(all))
            }
        }
        deserializer.deserialize_any(AnyVisitor)
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
        let kinds = yaml_kinds("a: 1\nb: {c: 2}\nd:\n").unwrap().unwrap();
        assert_eq!(kinds, [("a".into(), true), ("b".into(), false), ("d".into(), true)]);
        assert_eq!(yaml_kinds("hello").unwrap(), None);
        assert_eq!(yaml_kinds("- a\n").unwrap(), None);
        assert!(yaml_kinds(": :\n- {").is_err());
    }

    #[test]
    fn every_value_of_a_tree_has_its_line() {
        let tree = yaml_tree("a:\n  - {b: 1, c: x}\n  - true\n").unwrap();
        let list = tree.get("a").unwrap().items();
        assert_eq!(list[0].get("c").unwrap(), &Tree { line: 2, value: Value::Text("x".into()) });
        assert_eq!(list[0].get("b").unwrap().scalar().unwrap(), "1");
        assert_eq!(list[1], Tree { line: 3, value: Value::Bool(true) });
    }
}
