//! The tokens of Graphviz DOT, each with its line.

use crate::input::Fault;

/// A token; comments are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or number without quotes.
    Word(String),
    /// A name in quotes, or in angle brackets, without these.
    Text(String),
    /// `--`, or `->` if true.
    Edge(bool),
    /// One of `{}[];,:=+`.
    Sign(char),
}

/// The tokens of a text; after a fault there are no more.
pub(super) struct Tokens<'a> {
    rest: &'a str,
    line: u64,
}

impl<'a> Tokens<'a> {
    /// Of a whole text.
    pub fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// Goes on by so many bytes, which are returned.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.line += skipped.bytes().filter(|byte| *byte == b'\n').count() as u64;
        self.rest = rest;
        skipped
    }

    /// Passes blanks and comments: `//` and `#` to the end of the line, `/*` to `*/`.
    fn skip_blanks(&mut self) {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            self.skip(blanks);
            let end = if self.rest.starts_with("//") || self.rest.starts_with('#') {
                self.rest.find('\n')
            } else if self.rest.starts_with("/*") {
                self.rest.find("*/").map(|end| end + 2)
            } else {
                return;
            };
            self.skip(end.unwrap_or(self.rest.len()));
        }
    }

    fn fault(&mut self, line: u64, what: &str) -> Fault {
        self.rest = "";
        (line, format!("not DOT: {what}"))
    }

    /// A text in quotes; a backslash stays unless a quote or the end of a line follows.
    fn quoted(&mut self) -> Result<Token, Fault> {
        let line = self.line;
        let mut is_escaped = false;
        let end = self.rest[1..].find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        let Some(end) = end else { return Err(self.fault(line, "this text has no closing quote")) };
        let text = &self.skip(end + 2)[1..=end];
        Ok(Token::Text(text.replace("\\\n", "").replace("\\\"", "\"").replace("\\\\", "\\")))
    }

    /// A text in angle brackets, which may hold more of these.
    fn bracketed(&mut self) -> Result<Token, Fault> {
        let line = self.line;
        let mut depth = 0usize;
        let end = self.rest.find(|c| {
            match c {
                '<' => depth += 1,
                '>' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let Some(end) = end else { return Err(self.fault(line, "this < is not closed: write > at its end")) };
        Ok(Token::Text(self.skip(end + 1)[1..end].to_owned()))
    }
}

impl Iterator for Tokens<'_> {
    type Item = Result<(u64, Token), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_blanks();
        let first = self.rest.chars().next()?;
        let line = self.line;
        let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        let token = match first {
            '"' => self.quoted(),
            '<' => self.bracketed(),
            '{' | '}' | '[' | ']' | ';' | ',' | ':' | '=' | '+' => {
                self.skip(1);
                Ok(Token::Sign(first))
            }
            '-' if self.rest.starts_with("--") || self.rest.starts_with("->") => {
                Ok(Token::Edge(self.skip(2) == "->"))
            }
            c if c == '-' || is_of_word(c) => {
                let begins = c.len_utf8();
                let end =
                    self.rest[begins..].find(|c| !is_of_word(c)).map_or(self.rest.len(), |end| begins + end);
                Ok(Token::Word(self.skip(end).to_owned()))
            }
            other => Err(self.fault(line, &format!("what does {} mean here?", other.escape_debug()))),
        };
        Some(token.map(|token| (line, token)))
    }
}
