//! A document as a tree in which every value knows its line: what JSON, YAML and GML have in common.

/// A value and the line on which it begins, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The line.
    pub line: u64,
    /// The value.
    pub value: Value,
}

/// What can stand in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// Values in their order.
    List(Vec<Tree>),
    /// Keys and values in their order; in GML a key may come more than once.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// The first value under that key; `None` if there is none or this is no map.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The values of a list; none if this is no list.
    pub fn items(&self) -> &[Tree] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// The keys and values of a map; none if this is no map.
    pub fn entries(&self) -> &[(String, Tree)] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// A single value as text; `None` for nothing, lists and maps.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Bool(value) => Some(value.to_string()),
            Value::Number(text) | Value::Text(text) => Some(text.clone()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether this is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// Whether this is a map.
    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }
}

/// Where the lines of a text begin, to tell the line of a position quickly.
pub struct Lines(Vec<usize>);

impl Lines {
    /// Of that text.
    pub fn new(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    /// The line, from 1, of a byte position.
    pub fn at(&self, position: usize) -> u64 {
        self.0.partition_point(|&start| start <= position) as u64
    }

    /// The byte position of line and column, both from 1.
    pub fn position(&self, line: usize, column: usize) -> usize {
        self.0.get(line.saturating_sub(1)).copied().unwrap_or(0) + column.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let lines = Lines::new("ab\n\nc");
        assert_eq!([0, 2, 3, 4, 9].map(|at| lines.at(at)), [1, 1, 2, 3, 3]);
        assert_eq!(lines.position(3, 1), 4);
    }
}
