//! JSON: faults name line and column and what people mostly did.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Fault, Lines, Tree, Value, shown};

/// Lists and maps may stand in one another so often.
const DEPTH: usize = 100;

/// The keys of a text that is one JSON object, and how the value of each begins: `{`, `[`, `"` or other.
///
/// # Errors
/// It is no JSON: see [`json_tree`].
pub fn json_kinds(text: &str) -> Result<Vec<(String, u8)>, Fault> {
    let Entries(entries) = serde_json::from_str(text).map_err(|error| fault(text, &error))?;
    let first = |raw: &RawValue| raw.get().bytes().next().unwrap_or_default();
    Ok(entries.into_iter().map(|(key, raw)| (key, first(raw))).collect())
}

/// The JSON document of a text.
///
/// # Errors
/// The first fault, with line and column.
pub fn json_tree(text: &str) -> Result<Tree, Fault> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| fault(text, &error))?;
    Reader { text, lines: Lines::new(text) }.tree(raw, 0)
}

struct Reader<'a> {
    text: &'a str,
    lines: Lines,
}

impl<'a> Reader<'a> {
    fn tree(&self, raw: &'a RawValue, depth: usize) -> Result<Tree, Fault> {
        let json = raw.get();
        let line = self.lines.at((json.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize));
        if depth > DEPTH {
            return Err((line, "nested too deeply".into()));
        }
        let faulty =
            |error: serde_json::Error| (line, format!("not JSON: {}", without_place(&error.to_string())));
        let value = match json.bytes().next() {
            Some(b'{') => {
                let Entries(entries) = serde_json::from_str(json).map_err(faulty)?;
                let one = |(key, raw)| Ok((key, self.tree(raw, depth + 1)?));
                Value::Map(entries.into_iter().map(one).collect::<Result<_, _>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json).map_err(faulty)?;
                Value::List(items.into_iter().map(|raw| self.tree(raw, depth + 1)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::Text(serde_json::from_str(json).map_err(faulty)?),
            Some(b't' | b'f') => Value::Bool(json == "true"),
            Some(b'n') | None => Value::Null,
            Some(_) => Value::Number(json.to_owned()),
        };
        Ok(Tree { line, value })
    }
}

/// The keys and values of an object in their order.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries: Vec<(String, &RawValue)> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom(format!("the key \"{}\" comes twice", shown(&key))));
                    }
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// What is wrong with a text that is no JSON, and what to change.
fn fault(text: &str, error: &serde_json::Error) -> Fault {
    let lines = Lines::new(text);
    let at = lines.position(error.line(), error.column()).min(text.len());
    let place = |at: usize| (lines.at(at), at + 1 - lines.position(lines.at(at) as usize, 1));
    let said = |at: usize, what: &str, change: &str| {
        let (line, column) = place(at);
        (line, format!("not JSON: {what} at column {column}{change}"))
    };
    let (before, after) = text.as_bytes().split_at(at);
    let last = before.iter().rposition(|byte| !byte.is_ascii_whitespace());
    if let (Some(comma), Some(b']' | b'}')) = (last.filter(|&i| before[i] == b','), after.first()) {
        return said(comma, "trailing comma", ": remove it");
    }
    if error.is_eof() {
        let message = error.to_string();
        let inside = ["a string", "a list", "an object"].into_iter().find(|what| message.contains(what));
        let inside = inside.map_or_else(String::new, |what| format!(" within {what}"));
        let end = text.trim_end().len();
        return said(end, &format!("it ends{inside}"), ": the rest is missing");
    }
    let starts = |what: &str| after.starts_with(what.as_bytes());
    if ["//", "/*", "#"].into_iter().any(starts) {
        return said(at, "comment", ": remove it, JSON has none");
    }
    if ["NaN", "Infinity", "-Infinity"].into_iter().any(starts) {
        return said(at, "no number", ": write null instead of NaN or Infinity");
    }
    if ["'", "None", "True", "False"].into_iter().any(starts) {
        return said(at, "Python's notation", ": write the file with json.dump");
    }
    said(at, without_place(&error.to_string()), "")
}

/// A message without the line and column that are said otherwise.
fn without_place(message: &str) -> &str {
    message.split(" at line ").next().unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_tree_has_its_line() {
        let tree = json_tree("{\"a\": [\n1.50,\n{\"b\": \"x\"}], \"c\": null}").unwrap();
        let list = tree.get("a").unwrap().items();
        assert_eq!(list[0], Tree { line: 2, value: Value::Number("1.50".into()) });
        assert_eq!(list[1].get("b").unwrap(), &Tree { line: 3, value: Value::Text("x".into()) });
        assert_eq!(tree.get("c").unwrap().value, Value::Null);
    }

    #[test]
    fn faults_name_line_and_column_and_what_to_change() {
        for (text, line, answer) in [
            ("{\"a\": [1,\n 2,\n]}", 2, "not JSON: trailing comma at column 3: remove it"),
            ("{\"a\": 1,}", 1, "not JSON: trailing comma at column 8: remove it"),
            ("{\"a\": \"x", 1, "not JSON: it ends within a string at column 9: the rest is missing"),
            ("{\"a\": [1", 1, "not JSON: it ends within a list at column 9: the rest is missing"),
            ("{\"a\"", 1, "not JSON: it ends within an object at column 5: the rest is missing"),
            ("{\n  // hi\n}", 2, "not JSON: comment at column 3: remove it, JSON has none"),
            ("{\"a\": 1 # hi\n}", 1, "not JSON: comment at column 9: remove it, JSON has none"),
            ("{\"a\": NaN}", 1, "not JSON: no number at column 7: write null instead of NaN or Infinity"),
            ("{'a': 1}", 1, "not JSON: Python's notation at column 2: write the file with json.dump"),
            ("{\"a\": 1 \"b\": 2}", 1, "not JSON: expected `,` or `}` at column 9"),
            ("{\"a\": 1}x", 1, "not JSON: trailing characters at column 9"),
        ] {
            assert_eq!(json_tree(text), Err((line, answer.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        assert_eq!(json_tree(&deep), Err((1, "nested too deeply".into())));
    }

    #[test]
    fn a_key_that_comes_twice_is_refused() {
        assert!(json_tree("{\"a\": 1, \"a\": 2}").unwrap_err().1.contains("the key \"a\" comes twice"));
    }
}
