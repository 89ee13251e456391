//! Long answers, printed while they are found: memory need not hold them.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::ops::ControlFlow;

use serde::Serialize;

use super::Failure;

/// Standard output, until nobody reads on.
pub(super) struct Stream {
    out: BufWriter<StdoutLock<'static>>,
    failed: Option<io::Error>,
}

impl Stream {
    /// Holds standard output from now on.
    pub fn new() -> Self {
        Self { out: BufWriter::new(io::stdout().lock()), failed: None }
    }

    /// Prints as it is; breaks off if that was not possible.
    pub fn print(&mut self, text: &str) -> ControlFlow<()> {
        match self.out.write_all(text.as_bytes()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Nothing follows. A closed pipe is no failure.
    ///
    /// # Errors
    /// Something could not be printed.
    pub fn end(mut self) -> Result<(), Failure> {
        match self.failed.take().map_or_else(|| self.out.flush(), Err) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Failed(error.into())),
            _ => Ok(()),
        }
    }
}

/// A JSON list, element by element, laid out as [`super::print_json`] lays out a whole one.
pub(super) struct JsonList {
    depth: usize,
    is_empty: bool,
}

impl JsonList {
    /// In so many other lists or objects.
    pub fn new(depth: usize) -> Self {
        Self { depth, is_empty: true }
    }

    fn indent(depth: usize) -> String {
        format!("\n{}", "  ".repeat(depth))
    }

    /// An element of a list at this depth: what takes time, and can be done on any thread.
    ///
    /// # Errors
    /// It has no place in JSON.
    pub fn element(depth: usize, document: &impl Serialize) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(document)?.replace('\n', &Self::indent(depth + 1)))
    }

    /// The next element with what comes before it.
    pub fn next(&mut self, element: &str) -> String {
        let before = if std::mem::take(&mut self.is_empty) { "[" } else { "," };
        format!("{before}{}{element}", Self::indent(self.depth + 1))
    }

    /// What comes behind the last element.
    pub fn end(&self) -> String {
        if self.is_empty { "[]".into() } else { format!("{}]", Self::indent(self.depth)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_printed_element_by_element_is_laid_out_as_a_whole_one() {
        let elements = [json!({"a": [1, {"b": "line\nbreak"}]}), json!([]), json!("x")];
        for count in 0..=elements.len() {
            let mut list = JsonList::new(1);
            let parts: Vec<_> = elements[..count]
                .iter()
                .map(|element| list.next(&JsonList::element(1, element).unwrap()))
                .collect();
            let whole = json!({"list": elements[..count]});
            let text = format!("{{\n  \"list\": {}{}\n}}", parts.concat(), list.end());
            assert_eq!(text, serde_json::to_string_pretty(&whole).unwrap());
        }
    }
}
