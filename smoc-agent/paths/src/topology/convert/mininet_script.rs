//! Python scripts for mininet, as far as names and links are written out: `addSwitch('s1')`, `addHost('h1', ip='10.0.0.1')`
//! and `addLink(s1, s2, 1, 2, bw=10, delay='5ms')`, whose ends are names or variables that such calls gave.
//!
//! A script is a program: what loops, functions or the command line make of it is not run. A call whose names or numbers
//! are no literals is therefore refused with its line, rather than read in part.

use std::collections::HashMap;

use super::attributes::Attributes;
use super::sheet::{Edge, Node, Sheet, Stop};
use crate::input::{Fault, shown};

/// Calls that make a node, and of which kind.
const MAKERS: [(&str, &str); 3] = [("addSwitch", "switch"), ("addHost", "host"), ("addNode", "host")];
/// What options of nodes and links mean nothing here: how the emulation is run.
const EMULATION: [&str; 9] =
    ["cls", "cpu", "defaultRoute", "dpid", "failMode", "inNamespace", "listenPort", "protocols", "use_htb"];

/// A value in a call.
#[derive(Clone, Debug, PartialEq)]
enum Argument {
    /// A text or a number.
    Literal(String),
    /// The name of a variable.
    Variable(String),
    /// Anything else.
    Other(String),
}

/// A call with its arguments, and what its value is assigned to.
struct Call {
    line: u64,
    assigned: Option<String>,
    function: String,
    arguments: Vec<(Option<String>, Argument)>,
}

/// Reads nodes and links.
pub(super) fn read(text: &str) -> Result<Sheet, Fault> {
    let mut reader = Reader { sheet: Sheet::default(), variables: HashMap::new() };
    for (line, statement) in statements(text) {
        for call in calls(line, &statement) {
            if is_loop(&statement) || call.assigned.as_deref().is_some_and(|name| name.contains('[')) {
                return Err(computed(&call, "it is made in a loop"));
            }
            reader.take(&call)?;
        }
    }
    if reader.sheet.edges.is_empty() {
        return Err((
            1,
            "this Python script for mininet has no addLink(...) with names: run it, and write its links \
             into a file of smoc (net > links.txt in mininet's console lists them)"
                .into(),
        ));
    }
    Ok(reader.sheet)
}

struct Reader {
    sheet: Sheet,
    /// The names of nodes, by the variables that hold them.
    variables: HashMap<String, String>,
}

impl Reader {
    fn take(&mut self, call: &Call) -> Result<(), Fault> {
        let maker = MAKERS.iter().find(|(name, _)| *name == call.function);
        let Some((_, kind)) = maker else { return self.link(call) };
        let Some((None, Argument::Literal(name))) = call.arguments.first() else {
            return Err(computed(call, "its name is no text in quotes"));
        };
        if let Some(variable) = &call.assigned {
            self.variables.insert(variable.clone(), name.clone());
        }
        let mut attributes = Attributes::from([("kind".to_owned(), (*kind).to_owned())]);
        attributes.extend(options(call, call.arguments.iter().skip(1))?);
        self.sheet.nodes.push(Node { line: call.line, id: name.clone(), attributes });
        Ok(())
    }

    fn link(&mut self, call: &Call) -> Result<(), Fault> {
        let plain: Vec<_> =
            call.arguments.iter().filter(|(key, _)| key.is_none()).map(|(_, value)| value).collect();
        let named = |names: [&str; 2]| {
            let is_one = |key: &Option<String>| key.as_deref().is_some_and(|key| names.contains(&key));
            call.arguments.iter().find(|(key, _)| is_one(key)).map(|(_, value)| value)
        };
        let mut stops = Vec::new();
        for (at, names) in [["node1", "node1"], ["node2", "node2"]].into_iter().enumerate() {
            let end = named(names).or(plain.get(at).copied());
            let node = match end {
                Some(Argument::Literal(name)) => name.clone(),
                Some(Argument::Variable(name)) => match self.variables.get(name) {
                    Some(node) => node.clone(),
                    None => return Err(computed(call, &format!("{} is no node made above", shown(name)))),
                },
                Some(Argument::Other(text)) => {
                    return Err(computed(call, &format!("what {} is, only Python knows", shown(text))));
                }
                None => return Err((call.line, "addLink: write two nodes".into())),
            };
            let port = named([["port1", "port1"], ["port2", "port2"]][at]).or(plain.get(at + 2).copied());
            let port = match port {
                Some(Argument::Literal(port)) => Some(port.clone()),
                Some(Argument::Variable(none)) if none == "None" => None,
                Some(_) => return Err(computed(call, "a port is no number")),
                None => None,
            };
            stops.push(Stop { node, port });
        }
        let is_end = |key: &Option<String>| {
            matches!(key.as_deref(), Some("node1" | "node2" | "port1" | "port2") | None)
        };
        let attributes = options(call, call.arguments.iter().filter(|(key, _)| !is_end(key)))?;
        if let [source, target] = &stops[..] {
            let (source, target) = (source.clone(), target.clone());
            self.sheet.edges.push(Edge { line: call.line, source, target, directed: false, attributes });
        }
        Ok(())
    }
}

/// Options as attributes, without those of the emulation.
fn options<'a>(
    call: &Call,
    options: impl Iterator<Item = &'a (Option<String>, Argument)>,
) -> Result<Attributes, Fault> {
    let mut all = Attributes::new();
    for (key, value) in options {
        let Some(key) = key.as_deref().filter(|key| !EMULATION.contains(key)) else { continue };
        match value {
            Argument::Literal(value) => all.insert(key.to_owned(), value.clone()),
            Argument::Variable(name) if name == "None" => None,
            // Only what would change the network is worth a refusal.
            _ if matches!(key, "bw" | "delay" | "ip" | "mac") => {
                return Err(computed(call, &format!("its {key} is no number and no text in quotes")));
            }
            _ => all.insert(key.to_owned(), String::new()),
        };
    }
    Ok(all)
}

fn computed(call: &Call, why: &str) -> Fault {
    let message = format!(
        "{}: {why}: only calls with names and numbers written out can be read; run the script and write its links into \
         a file of smoc",
        call.function
    );
    (call.line, message)
}

/// Whether a statement stands for many, as in a comprehension.
fn is_loop(statement: &str) -> bool {
    statement.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "for")
}

/// The statements of a script, each with the line where it begins: comments and texts over several lines are left out, and
/// what is in brackets is joined. What stands in the body of a loop begins with `for`.
fn statements(text: &str) -> Vec<(u64, String)> {
    let mut all: Vec<(u64, String)> = Vec::new();
    let (mut depth, mut open_text) = (0usize, None);
    let mut loops: Vec<usize> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(quote) = open_text {
            if line.contains(quote) {
                open_text = None;
            }
            continue;
        }
        let code = without_comment(line);
        if let Some(quote) = ["\"\"\"", "'''"].into_iter().find(|quote| code.trim_start().starts_with(quote))
        {
            open_text = Some(quote).filter(|quote| code.matches(quote).count() < 2);
            continue;
        }
        if code.trim().is_empty() {
            continue;
        }
        if depth == 0 {
            let indent = code.len() - code.trim_start().len();
            loops.retain(|&outer| indent > outer);
            let body = if loops.is_empty() { "" } else { "for: " };
            all.push((number as u64 + 1, format!("{body}{}", code.trim())));
            if code.trim_start().starts_with("for ") || code.trim_start().starts_with("while ") {
                loops.push(indent);
            }
        } else if let Some((_, statement)) = all.last_mut() {
            statement.push_str(code.trim());
        }
        depth = outside_texts(code).fold(depth, |depth, (_, c)| match c {
            '(' | '[' | '{' => depth + 1,
            ')' | ']' | '}' => depth.saturating_sub(1),
            _ => depth,
        });
    }
    all
}

/// The characters that are in no text in quotes, with their places.
fn outside_texts(code: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quote, mut is_escaped) = (None, false);
    code.char_indices().filter(move |&(_, c)| {
        let was_outside = quote.is_none();
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => {}
        }
        was_outside && quote.is_none()
    })
}

fn without_comment(line: &str) -> &str {
    outside_texts(line).find(|&(_, c)| c == '#').map_or(line, |(at, _)| &line[..at])
}

/// The calls in a statement that make nodes and links.
fn calls(line: u64, statement: &str) -> Vec<Call> {
    let names = MAKERS.iter().map(|(name, _)| *name).chain(["addLink"]);
    let mut found: Vec<(usize, &str)> = Vec::new();
    for name in names {
        let begins = statement.match_indices(name).filter(|(at, _)| {
            let before = statement[..*at].chars().next_back();
            statement[at + name.len()..].trim_start().starts_with('(') && before == Some('.')
        });
        found.extend(begins.map(|(at, _)| (at, name)));
    }
    found.sort_unstable();
    let call = |&(at, name): &(usize, &str)| {
        let inside = statement[at + name.len()..].trim_start().strip_prefix('(').unwrap_or_default();
        let assigned = statement[..at].split_once('=').map(|(left, _)| left.trim().to_owned());
        Call { line, assigned, function: name.to_owned(), arguments: arguments(inside) }
    };
    found.iter().map(call).collect()
}

/// The arguments of a call, from behind its bracket on.
fn arguments(inside: &str) -> Vec<(Option<String>, Argument)> {
    let (mut depth, mut from) = (0usize, 0);
    let mut all = Vec::new();
    for (at, c) in outside_texts(inside) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                all.push(&inside[from..at]);
                from = at + 1;
            }
            ')' => {
                all.push(&inside[from..at]);
                break;
            }
            _ => {}
        }
    }
    let all = all.into_iter().map(str::trim).filter(|text| !text.is_empty());
    all.map(|text| match text.split_once('=') {
        Some((key, value)) if is_name(key.trim()) => (Some(key.trim().to_owned()), argument(value.trim())),
        _ => (None, argument(text)),
    })
    .collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

fn argument(text: &str) -> Argument {
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains([quote, '\\'])).then_some(inner)
    });
    match quoted {
        Some(inner) => Argument::Literal(inner.to_owned()),
        None if text.parse::<f64>().is_ok() => Argument::Literal(text.to_owned()),
        None if is_name(text) => Argument::Variable(text.to_owned()),
        None => Argument::Other(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<String> {
        let sheet = read(text).unwrap();
        let stop = |stop: &Stop| {
            format!("{}{}", stop.node, stop.port.as_ref().map_or(String::new(), |p| format!(":{p}")))
        };
        let all = sheet
            .edges
            .iter()
            .map(|edge| format!("{} {} {:?}", stop(&edge.source), stop(&edge.target), edge.attributes));
        all.collect()
    }

    #[test]
    fn calls_with_names_and_variables_are_links() {
        let script = r#"
from mininet.topo import Topo
'''Not this: self.addLink(a, b)
'''
class T(Topo):
    def build(self):
        # self.addLink('x', 'y')
        left = self.addSwitch('s1', dpid="1")
        self.right = self.addSwitch( 's2' )
        h = self.addHost('h1', ip='10.0.0.1/24')  # "a host"
        self.addLink(left, self.right, 3, 4, bw=10, delay='5ms', use_htb=True)
        self.addLink(h, 's1', port2=1,
                     port1=None)
"#;
        let expected = ["s1:3 s2:4 {\"bw\": \"10\", \"delay\": \"5ms\"}", "h1 s1:1 {}"];
        assert_eq!(links(script), expected);
    }

    #[test]
    fn what_only_python_knows_is_refused_with_its_line() {
        for (script, line, answer) in [
            ("for i in range(3):\n    self.addSwitch('s%d' % i)", 2, "made in a loop"),
            ("x = [net.addSwitch('s') for i in range(3)]", 1, "made in a loop"),
            ("net.addSwitch(name)", 1, "its name is no text in quotes"),
            ("net.addLink(a, b)", 1, "a is no node made above"),
            ("net.addLink('s1', names[0])", 1, "what names[0] is, only Python knows"),
            ("net.addLink('s1', 's2', bw=fast)", 1, "its bw is no number"),
            ("net.addLink('s1')", 1, "write two nodes"),
            ("from mininet.topolib import TreeTopo\n", 1, "no addLink(...) with names"),
        ] {
            let (at, message) = read(script).unwrap_err();
            assert!(at == line && message.contains(answer), "{script}: {at} {message}");
        }
    }
}
