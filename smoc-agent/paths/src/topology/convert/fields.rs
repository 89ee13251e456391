//! Fields of a tree: what must be there, and attributes.

use super::attributes::Attributes;
use crate::input::{Fault, Tree, Value};

/// Maps that only hold further attributes.
const HOLDERS: [&str; 5] = ["properties", "attributes", "attrs", "data", "vars"];

/// The text of a field that must be there; `place` is the value's own name and `write` what to write.
pub(super) fn required(tree: &Tree, place: &str, key: &str, write: &str) -> Result<String, Fault> {
    tree.get(key).and_then(plain).ok_or_else(|| (tree.line, format!("{place}.{key}: missing: write {write}")))
}

/// The list under a key; none if there is no such key.
///
/// # Errors
/// There is something else.
pub(super) fn list<'a>(tree: &'a Tree, key: &str) -> Result<&'a [Tree], Fault> {
    match tree.get(key) {
        Some(found) if !found.is_list() && found.value != Value::Null => {
            Err((found.line, format!("{key}: expected a list")))
        }
        Some(found) => Ok(found.items()),
        None => Ok(&[]),
    }
}

/// A value as text; a list of values with commas. `None` for nothing and for what holds more.
pub(super) fn plain(tree: &Tree) -> Option<String> {
    match &tree.value {
        Value::List(all) => Some(all.iter().map(Tree::scalar).collect::<Option<Vec<_>>>()?.join(",")),
        _ => tree.scalar(),
    }
}

/// The fields of a map as attributes, besides those named; of what holds more only the name.
pub(super) fn attributes(tree: &Tree, besides: &[&str]) -> Attributes {
    let mut all = Attributes::new();
    for (name, value) in tree.entries().iter().filter(|(name, _)| !besides.contains(&name.as_str())) {
        if value.is_map() && HOLDERS.contains(&name.as_str()) {
            for (name, value) in value.entries() {
                all.entry(name.clone()).or_insert_with(|| plain(value).unwrap_or_default());
            }
        } else if value.value != Value::Null {
            all.insert(name.clone(), plain(value).unwrap_or_default());
        }
    }
    all
}
