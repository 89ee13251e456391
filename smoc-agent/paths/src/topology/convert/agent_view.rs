//! What a running agent answers to `smoc topology --format json`: its links have names instead of ends, and a state.

use super::attributes::Attributes;
use super::fields::{list, plain, required};
use super::remarks::Cases;
use super::sheet::{Edge, Node, Sheet, Stop};
use crate::input::{Fault, Value, json_tree};

/// Reads switches and links; links that are down count as links.
pub(super) fn read(text: &str) -> Result<Sheet, Fault> {
    let document = json_tree(text)?;
    let mut sheet = Sheet::default();
    for (i, switch) in list(&document, "switches")?.iter().enumerate() {
        let id = required(switch, &format!("switches[{i}]"), "name", "its name")?;
        let agent = switch.get("agent").and_then(plain).map(|agent| ("agent".to_owned(), agent));
        sheet.nodes.push(Node { line: switch.line, id, attributes: Attributes::from_iter(agent) });
    }
    let mut down = Cases::default();
    for (i, link) in list(&document, "links")?.iter().enumerate() {
        let name = required(link, &format!("links[{i}]"), "name", "its name, such as e1:1-m1:1")?;
        let (source, target) = ends(&name, &sheet.nodes).ok_or_else(|| {
            let name = crate::input::shown(&name);
            (
                link.line,
                format!("links[{i}].name: \"{name}\": write switch:port-switch:port, such as e1:1-m1:1"),
            )
        })?;
        if link.get("up").is_some_and(|up| up.value == Value::Bool(false)) {
            down.add(|| name.clone());
        }
        let known = ["capacity", "latency", "cost"];
        let all = known.into_iter().filter_map(|key| Some((key.to_owned(), plain(link.get(key)?)?)));
        sheet.edges.push(Edge {
            line: link.line,
            source,
            target,
            directed: false,
            attributes: all.collect(),
        });
    }
    down.tell(&mut sheet.notes, "link", |links, first| {
        format!("{links} down when the agent was asked, such as {first}: they count as links")
    });
    Ok(sheet)
}

/// The two ends of `e1:1-m1:1`, whose switches are nodes.
fn ends(name: &str, nodes: &[Node]) -> Option<(Stop, Stop)> {
    let end = |text: &str| {
        let (node, port) = text.rsplit_once(':')?;
        nodes.iter().any(|known| known.id == node).then(|| Stop::port(node, port))
    };
    name.match_indices('-').find_map(|(dash, _)| Some((end(&name[..dash])?, end(&name[dash + 1..])?)))
}
