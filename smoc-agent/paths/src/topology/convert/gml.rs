//! GML, the Graph Modelling Language (Himsolt, "GML: a portable graph file format", 1997), as the Internet Topology
//! Zoo, NetworkX and yEd write it: keys, each with a number, a text or a list of further keys in brackets.

use super::fields::{attributes, plain, required};
use super::sheet::{Edge, Listing, Node, Sheet, Stop};
use crate::input::{Fault, Tree, Value};

/// Lists may stand in one another so often.
const DEPTH: usize = 100;

/// Reads nodes, edges and their attributes.
pub(super) fn read(text: &str) -> Result<Sheet, Fault> {
    let document = Tokens { rest: text, line: 1 }.list(0)?;
    let graph = document.get("graph").ok_or((1, "not GML: there is no graph [ ... ]".to_owned()))?;
    let is_1 = |key: &str| graph.get(key).and_then(plain).map(|flag| flag == "1");
    let directed = is_1("directed") == Some(true);
    let mut sheet = Sheet {
        listing: match is_1("multigraph") {
            Some(true) => Listing::Each,
            _ => Listing::Unsaid,
        },
        ..Sheet::default()
    };
    let elements =
        |name: &'static str| graph.entries().iter().filter(move |(key, _)| key == name).map(|(_, tree)| tree);
    for (i, node) in elements("node").enumerate() {
        let id = required(node, &format!("node[{i}]"), "id", "a number, each node its own")?;
        sheet.nodes.push(Node { line: node.line, id, attributes: attributes(node, &["id", "graphics"]) });
    }
    for (i, edge) in elements("edge").enumerate() {
        let end = |name| required(edge, &format!("edge[{i}]"), name, "the id of a node");
        let attributes = attributes(edge, &["source", "target", "graphics"]);
        let (source, target) = (Stop::at(end("source")?), Stop::at(end("target")?));
        sheet.edges.push(Edge { line: edge.line, source, target, directed, attributes });
    }
    for (name, value) in graph.entries() {
        sheet.units.take(name, &plain(value).unwrap_or_default());
    }
    Ok(sheet)
}

enum Token<'a> {
    Open,
    Close,
    Text(String),
    Word(&'a str),
}

struct Tokens<'a> {
    rest: &'a str,
    line: u64,
}

impl<'a> Tokens<'a> {
    /// Keys and values up to the closing bracket, or to the end of the text outside of all.
    fn list(&mut self, depth: usize) -> Result<Tree, Fault> {
        let line = self.line;
        let mut entries = Vec::new();
        loop {
            let key = match self.next()? {
                Some(Token::Word(key)) => key,
                Some(Token::Close) if depth > 0 => break,
                None if depth == 0 => break,
                None => return Err((line, "not GML: this list is not closed: write ] at its end".into())),
                Some(_) => return Err((self.line, "not GML: expected a key".into())),
            };
            let at = self.line;
            let value = match self.next()? {
                Some(Token::Open) if depth >= DEPTH => return Err((at, "nested too deeply".into())),
                Some(Token::Open) => {
                    let list = self.list(depth + 1)?;
                    entries.push((key.to_owned(), Tree { line: at, ..list }));
                    continue;
                }
                Some(Token::Text(text)) => Value::Text(text),
                Some(Token::Word(word)) if word.parse::<f64>().is_ok() => Value::Number(word.to_owned()),
                Some(Token::Word(word)) => Value::Text(word.to_owned()),
                Some(Token::Close) | None => {
                    let key = crate::input::shown(key);
                    return Err((
                        at,
                        format!("not GML: {key} has no value: write a number, a text or [ ... ]"),
                    ));
                }
            };
            entries.push((key.to_owned(), Tree { line: at, value }));
        }
        Ok(Tree { line, value: Value::Map(entries) })
    }

    fn next(&mut self) -> Result<Option<Token<'a>>, Fault> {
        loop {
            let trimmed = self.rest.trim_start();
            self.skip(self.rest.len() - trimmed.len());
            if !self.rest.starts_with('#') {
                break;
            }
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        Ok(Some(match first {
            '[' => {
                self.skip(1);
                Token::Open
            }
            ']' => {
                self.skip(1);
                Token::Close
            }
            '"' => {
                let line = self.line;
                let end = self.rest[1..]
                    .find('"')
                    .ok_or((line, "not GML: this text has no closing quote".to_owned()))?;
                Token::Text(decoded(self.skip(end + 2).trim_matches('"')))
            }
            _ => {
                let end = self.rest.find(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '"'));
                Token::Word(self.skip(end.unwrap_or(self.rest.len())))
            }
        }))
    }

    /// Goes on by so many bytes, which are returned.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.line += skipped.bytes().filter(|byte| *byte == b'\n').count() as u64;
        self.rest = rest;
        skipped
    }
}

/// A text with its character entities, `&amp;` or `&#233;`, replaced.
fn decoded(text: &str) -> String {
    let mut all = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('&') {
        all += before;
        let entity = from.split_once(';').and_then(|(name, after)| Some((entity(name)?, after)));
        match entity {
            Some((c, after)) => {
                all.push(c);
                rest = after;
            }
            None => {
                all.push('&');
                rest = from;
            }
        }
    }
    all + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "lt" => Some('<'),
        "gt" => Some('>'),
        _ => {
            let code = name.strip_prefix('#')?;
            let hex = code.strip_prefix(['x', 'X']).map(|hex| u32::from_str_radix(hex, 16).ok());
            hex.unwrap_or_else(|| code.parse().ok()).and_then(char::from_u32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_characters() {
        assert_eq!(decoded("a &amp; b &#233;&#xe9; &quot;&nope; &"), "a & b éé \"&nope; &");
    }

    #[test]
    fn every_value_has_its_line() {
        let tree =
            Tokens { rest: "# c\ngraph [\n node [ id 1\n label \"a\nb\" ]\n]", line: 1 }.list(0).unwrap();
        let node = tree.get("graph").unwrap().get("node").unwrap();
        assert_eq!((node.line, node.get("label").unwrap().line), (3, 4));
        assert_eq!(node.get("label").unwrap().scalar().unwrap(), "a\nb");
    }

    #[test]
    fn faults_name_their_line() {
        for (text, line, answer) in [
            ("graph [\n node [ id 1\n", 2, "not GML: this list is not closed: write ] at its end"),
            ("graph [\n node ]", 2, "not GML: node has no value: write a number, a text or [ ... ]"),
            ("graph [\n [", 2, "not GML: expected a key"),
            ("graph [\n a \"b", 2, "not GML: this text has no closing quote"),
            ("graph [ node [ label \"x\" ] ]", 1, "node[0].id: missing: write a number, each node its own"),
            (
                "graph [ node [ id 0 ]\nedge [ source 0 ] ]",
                2,
                "edge[0].target: missing: write the id of a node",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), (line, answer.to_owned()), "{text}");
        }
        assert_eq!(read(&("graph [".to_owned() + &" a [".repeat(200))).unwrap_err().1, "nested too deeply");
    }
}
