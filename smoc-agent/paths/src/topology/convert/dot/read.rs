//! Reading Graphviz DOT, by its grammar (graphviz.org, "DOT Language"): nodes, edges between nodes and between groups, default
//! attributes, subgraphs, names in quotes and in angle brackets. What only says how to draw is left out.
//!
//! A port is what stands behind a node's name (`s1:eth0`), or a `taillabel` and `headlabel` without blanks. A `->` leads
//! one way; of two nodes `strict` joins no more than one link.

use std::collections::{BTreeSet, HashMap};
use std::iter::Peekable;

use super::tokens::{Token, Tokens};
use crate::input::{Fault, shown};
use crate::topology::convert::attributes::Attributes;
use crate::topology::convert::sheet::{Edge, Listing, Node, Sheet, Stop};

/// Subgraphs may stand in one another so often.
const DEPTH: usize = 100;
/// More edges than any network has: groups of nodes on both sides of an edge make their product.
const EDGES: usize = 1_000_000;
/// Where an edge touches a node's picture, which is no port.
const COMPASS: [&str; 10] = ["n", "ne", "e", "se", "s", "sw", "w", "nw", "c", "_"];
/// What only says how to draw.
const PICTURE: [&str; 42] = [
    "arrowhead",
    "arrowsize",
    "arrowtail",
    "bgcolor",
    "bb",
    "class",
    "color",
    "constraint",
    "decorate",
    "dir",
    "fillcolor",
    "fixedsize",
    "fontcolor",
    "fontname",
    "fontsize",
    "gradientangle",
    "height",
    "image",
    "imagescale",
    "labelangle",
    "labeldistance",
    "labelfloat",
    "labelfontcolor",
    "labelfontname",
    "labelfontsize",
    "labelloc",
    "len",
    "margin",
    "minlen",
    "nojustify",
    "penwidth",
    "peripheries",
    "pin",
    "rank",
    "samehead",
    "sametail",
    "shape",
    "style",
    "tooltip",
    "URL",
    "width",
    "xlabel",
];

/// Reads nodes, edges and their attributes.
pub(in crate::topology::convert) fn read(text: &str) -> Result<Sheet, Fault> {
    let tokens = Tokens::new(text).peekable();
    let mut reader =
        Reader { tokens, line: 1, sheet: Sheet::default(), nodes: HashMap::new(), is_directed: false };
    reader.graph()?;
    Ok(reader.sheet)
}

struct Reader<'a> {
    tokens: Peekable<Tokens<'a>>,
    /// Of the token read last.
    line: u64,
    sheet: Sheet,
    /// Where each node is in the sheet.
    nodes: HashMap<String, usize>,
    is_directed: bool,
}

/// What nodes and edges have if they do not say otherwise.
#[derive(Clone, Default)]
struct Defaults {
    node: Attributes,
    edge: Attributes,
}

impl Reader<'_> {
    fn graph(&mut self) -> Result<(), Fault> {
        let mut word = self.word()?;
        if word.eq_ignore_ascii_case("strict") {
            self.sheet.listing = Listing::Simple;
            word = self.word()?;
        }
        self.is_directed = word.eq_ignore_ascii_case("digraph");
        if !self.is_directed && !word.eq_ignore_ascii_case("graph") {
            return Err(self.fault("write graph or digraph here"));
        }
        let _name_of_the_graph = self.name()?;
        self.expect('{', "write { after the graph's name")?;
        self.statements(0, &mut Defaults::default())?;
        match self.next()? {
            None => Ok(()),
            Some(_) => Err(self.fault("there is more behind the graph: write one graph in a file")),
        }
    }

    /// Statements up to the closing brace; all nodes that they name.
    fn statements(&mut self, depth: usize, defaults: &mut Defaults) -> Result<BTreeSet<usize>, Fault> {
        let opened = self.line;
        let mut all = BTreeSet::new();
        loop {
            match self.peek()? {
                None => return Err((opened, "not DOT: this { is not closed: write } at its end".into())),
                Some(Token::Sign('}')) => {
                    self.next()?;
                    return Ok(all);
                }
                Some(Token::Sign(';' | ',')) => {
                    self.next()?;
                }
                Some(_) => all.extend(self.statement(depth, defaults)?),
            }
        }
    }

    fn statement(&mut self, depth: usize, defaults: &mut Defaults) -> Result<BTreeSet<usize>, Fault> {
        if let Some(Token::Word(word)) = self.peek()?
            && let Some(kind) = ["graph", "node", "edge"].iter().find(|kind| word.eq_ignore_ascii_case(kind))
        {
            self.next()?;
            if self.peek()? != Some(Token::Sign('[')) {
                return Err(
                    self.fault(&format!("write {kind} [ attributes ], or put the name {kind} in quotes"))
                );
            }
            let attributes = self.attributes()?;
            match *kind {
                "node" => defaults.node.extend(attributes),
                "edge" => defaults.edge.extend(attributes),
                _ => {
                    for (name, value) in &attributes {
                        self.sheet.units.take(name, value);
                    }
                }
            }
            return Ok(BTreeSet::new());
        }
        let line = self.line;
        let first = self.group(depth, defaults)?;
        let Some(first) = first else { return Ok(BTreeSet::new()) };
        let mut groups = vec![first];
        while let Some(Token::Edge(is_directed)) = self.peek()? {
            self.next()?;
            if is_directed != self.is_directed {
                let write = if self.is_directed { "a digraph has ->" } else { "a graph has --" };
                return Err(self.fault(write));
            }
            let group = self.group(depth, defaults)?;
            groups.push(group.ok_or_else(|| self.fault("write a node behind the edge"))?);
        }
        let own = self.attributes()?;
        let named: BTreeSet<usize> = groups.iter().flatten().map(|(node, _)| *node).collect();
        match &groups[..] {
            [one] => one.iter().for_each(|(node, _)| self.sheet.nodes[*node].attributes.extend(own.clone())),
            several => self.join(several, line, &own, defaults)?,
        }
        Ok(named)
    }

    /// A node with its port, or the nodes of a subgraph; `None` for an attribute of the graph.
    #[expect(clippy::type_complexity, reason = "a node and its port")]
    fn group(
        &mut self,
        depth: usize,
        defaults: &mut Defaults,
    ) -> Result<Option<Vec<(usize, Option<String>)>>, Fault> {
        let is_subgraph =
            matches!(self.peek()?, Some(Token::Word(word)) if word.eq_ignore_ascii_case("subgraph"));
        if is_subgraph {
            self.next()?;
            self.name()?;
        }
        if is_subgraph || self.peek()? == Some(Token::Sign('{')) {
            self.expect('{', "write { after subgraph")?;
            if depth >= DEPTH {
                return Err(self.fault("nested too deeply"));
            }
            let nodes = self.statements(depth + 1, &mut defaults.clone())?;
            return Ok(Some(nodes.into_iter().map(|node| (node, None)).collect()));
        }
        let Some(name) = self.name()? else {
            self.next()?;
            return Err(self.fault("expected the name of a node"));
        };
        if self.peek()? == Some(Token::Sign('=')) {
            self.next()?;
            let value = self.name()?.ok_or_else(|| self.fault("write a value after ="))?;
            self.sheet.units.take(&name, &value);
            return Ok(None);
        }
        let node = self.node(name, defaults);
        let port = self.port()?;
        Ok(Some(vec![(node, port)]))
    }

    fn port(&mut self) -> Result<Option<String>, Fault> {
        let mut port = None;
        while self.peek()? == Some(Token::Sign(':')) {
            self.next()?;
            let name = self.name()?.ok_or_else(|| self.fault("write a port after :"))?;
            if port.is_none() && !COMPASS.contains(&name.as_str()) {
                port = Some(name);
            }
        }
        Ok(port)
    }

    /// A node's place in the sheet; it is made where it is first named.
    fn node(&mut self, name: String, defaults: &Defaults) -> usize {
        let Self { sheet, nodes, line, .. } = self;
        *nodes.entry(name).or_insert_with_key(|name| {
            sheet.nodes.push(Node { line: *line, id: name.clone(), attributes: defaults.node.clone() });
            sheet.nodes.len() - 1
        })
    }

    /// Edges from every node of each group to every node of the next.
    fn join(
        &mut self,
        groups: &[Vec<(usize, Option<String>)>],
        line: u64,
        own: &Attributes,
        defaults: &Defaults,
    ) -> Result<(), Fault> {
        let mut attributes = defaults.edge.clone();
        attributes.extend(own.clone());
        let mut labelled = |name: &str| attributes.remove(name).filter(|label| is_port(label));
        let (tail, head) = (labelled("taillabel"), labelled("headlabel"));
        for pair in groups.windows(2) {
            if self.sheet.edges.len() + pair[0].len() * pair[1].len() > EDGES {
                return Err((line, format!("more than {EDGES} edges")));
            }
            for (a, a_port) in &pair[0] {
                for (b, b_port) in &pair[1] {
                    let node = |number: usize| self.sheet.nodes[number].id.clone();
                    self.sheet.edges.push(Edge {
                        line,
                        source: Stop { node: node(*a), port: a_port.clone().or_else(|| tail.clone()) },
                        target: Stop { node: node(*b), port: b_port.clone().or_else(|| head.clone()) },
                        directed: self.is_directed,
                        attributes: attributes.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// All lists of attributes that follow, without what only says how to draw.
    fn attributes(&mut self) -> Result<Attributes, Fault> {
        let mut all = Attributes::new();
        while self.peek()? == Some(Token::Sign('[')) {
            self.next()?;
            loop {
                match self.peek()? {
                    Some(Token::Sign(']')) => break,
                    Some(Token::Sign(';' | ',')) => {
                        self.next()?;
                        continue;
                    }
                    _ => {}
                }
                let name = self.name()?.ok_or_else(|| self.fault("write name=value, and ] at the end"))?;
                self.expect('=', &format!("write = and a value after {}", shown(&name)))?;
                let value = self.name()?.ok_or_else(|| self.fault("write a value after ="))?;
                if !PICTURE.contains(&name.as_str()) {
                    all.insert(name, value);
                }
            }
            self.next()?;
        }
        Ok(all)
    }

    /// A name, also a number or in quotes; parts in quotes may be joined by +.
    fn name(&mut self) -> Result<Option<String>, Fault> {
        match self.peek()? {
            Some(Token::Word(word)) => {
                self.next()?;
                Ok(Some(word))
            }
            Some(Token::Text(mut text)) => {
                self.next()?;
                while self.peek()? == Some(Token::Sign('+')) {
                    self.next()?;
                    match self.next()? {
                        Some(Token::Text(more)) => text += &more,
                        _ => return Err(self.fault("write a text in quotes after +")),
                    }
                }
                Ok(Some(text))
            }
            _ => Ok(None),
        }
    }

    fn word(&mut self) -> Result<String, Fault> {
        match self.next()? {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(self.fault("write graph or digraph here")),
        }
    }

    fn expect(&mut self, sign: char, write: &str) -> Result<(), Fault> {
        match self.next()? {
            Some(Token::Sign(found)) if found == sign => Ok(()),
            _ => Err(self.fault(write)),
        }
    }

    fn peek(&mut self) -> Result<Option<Token>, Fault> {
        match self.tokens.peek() {
            None => Ok(None),
            Some(Ok((_, token))) => Ok(Some(token.clone())),
            Some(Err(fault)) => Err(fault.clone()),
        }
    }

    fn next(&mut self) -> Result<Option<Token>, Fault> {
        match self.tokens.next().transpose()? {
            None => Ok(None),
            Some((line, token)) => {
                self.line = line;
                Ok(Some(token))
            }
        }
    }

    fn fault(&self, what: &str) -> Fault {
        (self.line, format!("not DOT: {what}"))
    }
}

fn is_port(label: &str) -> bool {
    !label.is_empty() && !label.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(text: &str) -> Vec<String> {
        let sheet = read(text).unwrap();
        let stop = |stop: &Stop| match &stop.port {
            Some(port) => format!("{}:{port}", stop.node),
            None => stop.node.clone(),
        };
        sheet.edges.iter().map(|edge| format!("{} {}", stop(&edge.source), stop(&edge.target))).collect()
    }

    #[test]
    fn chains_groups_and_subgraphs_are_edges() {
        assert_eq!(edges("graph { a -- b -- c; a--c }"), ["a b", "b c", "a c"]);
        assert_eq!(edges("digraph g { a -> { b c } }"), ["a b", "a c"]);
        assert_eq!(
            edges("graph { subgraph x { a; b } -- subgraph { c -- d } }"),
            ["c d", "a c", "a d", "b c", "b d"]
        );
        assert_eq!(edges("strict graph \"n\" { a:p1:ne -- b:s [headlabel=7]; }"), ["a:p1 b:7"]);
        assert_eq!(edges("GRAPH { // c\n# d\n/* e\n*/ \"a \\\"b\" + \"c\" -- -1.5 -- <<b>x</b>> }").len(), 2);
    }

    #[test]
    fn attributes_come_from_defaults_and_their_own_lists() {
        let sheet =
            read("graph { edge [capacity=\"10G\", color=red] node [kind=switch]\n a -- b [latency=\"1ms\"][cost=2]; h [kind=host] }")
                .unwrap();
        let expected = [("capacity", "10G"), ("cost", "2"), ("latency", "1ms")];
        let expected: Attributes = expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        assert_eq!(sheet.edges[0].attributes, expected);
        let kinds: Vec<_> = sheet.nodes.iter().map(|node| node.attributes["kind"].as_str()).collect();
        assert_eq!(kinds, ["switch", "switch", "host"]);
        assert_eq!(sheet.nodes[2].line, 2);
    }

    #[test]
    fn faults_name_their_line() {
        for (text, line, answer) in [
            ("graph {\n a -- b", 1, "this { is not closed: write } at its end"),
            ("graph {\n a -> b }", 2, "a graph has --"),
            ("digraph {\n a -- b }", 2, "a digraph has ->"),
            ("graph {\n a -- }", 2, "expected the name of a node"),
            ("graph {\n a [x] }", 2, "write = and a value after x"),
            ("graph {\n a [x=1 }", 2, "write name=value, and ] at the end"),
            ("graph {\n \"a }", 2, "this text has no closing quote"),
            ("graph { node -- a }", 1, "write node [ attributes ], or put the name node in quotes"),
            ("graph { a } x", 1, "there is more behind the graph"),
            ("graph { a ! }", 1, "what does ! mean here?"),
        ] {
            let (at, message) = read(text).unwrap_err();
            assert!(
                at == line && message.starts_with("not DOT: ") && message.contains(answer),
                "{text}: {at} {message}"
            );
        }
        assert!(
            read(&("graph {".to_owned() + &"{".repeat(500))).unwrap_err().1.contains("nested too deeply")
        );
    }
}
