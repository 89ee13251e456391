//! Which edges are one link: the two directions of it, or what is listed from both its ends.

use std::collections::HashMap;

use smoc_common::route::PortNumber;

use super::attributes::{EdgeMeaning, is_of_port, of_edge};
use super::remarks::{Cases, counted};
use super::sheet::{Edge, Listing, Sheet};

/// The edges that became one link with another, by kind.
#[derive(Default)]
struct Joined {
    /// Ways back of directed edges.
    back: usize,
    /// The same link listed again.
    again: Cases,
    /// Both directions give other values.
    unlike: Cases,
}

/// Leaves one edge for each link; the notes say which were joined, and whose values differ.
pub(super) fn join(sheet: &mut Sheet) {
    let listing = match sheet.listing {
        Listing::Unsaid if all_come_both_ways(&sheet.edges) => Listing::BothEnds,
        Listing::Unsaid => Listing::Each,
        other => other,
    };
    let mut joined = Joined::default();
    let mut kept: Vec<Edge> = Vec::with_capacity(sheet.edges.len());
    let mut by_ends: HashMap<(String, String), Vec<(usize, bool)>> = HashMap::new();
    for edge in std::mem::take(&mut sheet.edges) {
        let same = by_ends.entry(ends(&edge)).or_default();
        // More links than a switch has ports are refused later, so there is no need to compare them all.
        let some = same.iter_mut().take(2 * usize::from(PortNumber::MAX));
        let found =
            some.into_iter().find(|(other, whole)| is_one_link(listing, &kept[*other], &edge, *whole));
        match found {
            Some((other, whole)) => {
                *whole = true;
                joined.add(&mut kept[*other], edge);
            }
            None => {
                same.push((kept.len(), false));
                kept.push(edge);
            }
        }
    }
    let one_way = one_way(&by_ends, &kept);
    let twice = both_ways(&by_ends, &kept);
    sheet.edges = kept;
    joined.tell(&mut sheet.notes, listing);
    one_way.tell(&mut sheet.notes, "edge", |edges, first| match joined.back {
        0 => "the graph is directed, and no edge has a way back: each is a link in both directions".into(),
        _ => format!("the graph is directed: {edges} without a way back, such as {first}, taken as links in both directions"),
    });
    twice.tell(&mut sheet.notes, "pair", |pairs, first| {
        format!(
            "{pairs} of nodes with edges in both directions, such as {first}: these are parallel links; if they are one, \
             make the graph directed or say \"multigraph\": false"
        )
    });
}

/// The ids of both nodes, the lower first.
fn ends(edge: &Edge) -> (String, String) {
    let (a, b) = (&edge.source.node, &edge.target.node);
    if a <= b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) }
}

fn is_back(a: &Edge, b: &Edge) -> bool {
    a.source.node == b.target.node && a.target.node == b.source.node && a.source.node != a.target.node
}

/// Whether two edges between the same nodes are one link; `whole`: the first has its other direction.
fn is_one_link(listing: Listing, first: &Edge, second: &Edge, whole: bool) -> bool {
    let back = is_back(first, second);
    let [a, b] = ports(first);
    let [mut c, mut d] = ports(second);
    if back {
        std::mem::swap(&mut c, &mut d);
    }
    let differ = |a: Option<&str>, b: Option<&str>| a.zip(b).is_some_and(|(a, b)| a != b);
    if differ(a, c) || differ(b, d) {
        return false;
    }
    if a.is_some() && b.is_some() && a == c && b == d {
        return true;
    }
    match listing {
        Listing::Simple | Listing::Strict => true,
        Listing::BothEnds | Listing::Directions => back && !whole,
        Listing::Each | Listing::Unsaid => back && !whole && first.directed && second.directed,
    }
}

/// What the two ends of an edge call their ports.
fn ports(edge: &Edge) -> [Option<&str>; 2] {
    let own = |meaning| of_edge(&edge.attributes, meaning).map(|(_, text, _)| text);
    [
        own(EdgeMeaning::SourcePort).or(edge.source.port.as_deref()),
        own(EdgeMeaning::TargetPort).or(edge.target.port.as_deref()),
    ]
}

/// Whether there are edges and each pair of nodes has as many one way as the other.
fn all_come_both_ways(edges: &[Edge]) -> bool {
    let mut surplus: HashMap<(String, String), i64> = HashMap::new();
    for edge in edges.iter().filter(|edge| edge.source.node != edge.target.node) {
        *surplus.entry(ends(edge)).or_default() += if edge.source.node < edge.target.node { 1 } else { -1 };
    }
    !surplus.is_empty() && surplus.values().all(|&surplus| surplus == 0)
}

/// Directed edges that have no way back.
fn one_way(by_ends: &HashMap<(String, String), Vec<(usize, bool)>>, kept: &[Edge]) -> Cases {
    let mut alone: Vec<_> =
        by_ends.values().flatten().filter(|(at, whole)| !whole && kept[*at].directed).collect();
    alone.sort_unstable();
    let mut cases = Cases::default();
    alone.into_iter().for_each(|(at, _)| cases.add(|| kept[*at].shown()));
    cases
}

/// Pairs of nodes between which edges without ports lead both ways.
fn both_ways(by_ends: &HashMap<(String, String), Vec<(usize, bool)>>, kept: &[Edge]) -> Cases {
    let is = |all: &[(usize, bool)]| {
        let open =
            all.iter().map(|(at, _)| &kept[*at]).filter(|edge| ports(edge).iter().any(Option::is_none));
        let open: Vec<_> = open.collect();
        open.first().filter(|first| open.iter().any(|other| is_back(first, other))).map(|_| all[0].0)
    };
    let mut firsts: Vec<_> = by_ends.values().filter_map(|all| is(all)).collect();
    firsts.sort_unstable();
    let mut cases = Cases::default();
    firsts.into_iter().for_each(|at| cases.add(|| kept[at].shown()));
    cases
}

impl Joined {
    /// Takes what the first edge leaves unsaid from the second.
    fn add(&mut self, first: &mut Edge, second: Edge) {
        if is_back(first, &second) && first.directed && second.directed {
            self.back += 1;
        } else {
            self.again.add(|| second.shown());
        }
        let back = is_back(first, &second);
        let unlike = [EdgeMeaning::Capacity, EdgeMeaning::Latency, EdgeMeaning::Cost].into_iter().find_map(
            |meaning| {
                let (name, one, _) = of_edge(&first.attributes, meaning)?;
                let (_, other, _) = of_edge(&second.attributes, meaning)?;
                (one != other).then(|| format!("{name} {one} and {other}"))
            },
        );
        if let Some(unlike) = unlike {
            self.unlike.add(|| format!("{} ({unlike})", first.shown()));
        }
        let [mut source, mut target] = ports(&second).map(|port| port.map(str::to_owned));
        if back {
            std::mem::swap(&mut source, &mut target);
        }
        let [has_source, has_target] = ports(first).map(|port| port.is_some());
        first.source.port = if has_source { first.source.port.take() } else { source };
        first.target.port = if has_target { first.target.port.take() } else { target };
        for (name, value) in second.attributes {
            if !is_of_port(&name) {
                first.attributes.entry(name).or_insert(value);
            }
        }
    }

    fn tell(&self, notes: &mut Vec<String>, listing: Listing) {
        if self.back > 0 && listing != Listing::Directions {
            let back = self.back;
            notes.push(format!(
                "the graph is directed: {} taken for the way back of another",
                counted(back, "edge")
            ));
        }
        self.again.tell(notes, "edge", |edges, first| match listing {
            Listing::Strict => {
                format!("{edges} left out, such as {first}: in a strict graph two nodes have one link at most")
            }
            Listing::Simple => {
                format!("{edges} left out, such as {first}: by \"multigraph\": false two nodes have one link at most")
            }
            _ => format!("{edges} left out, such as {first}: the same link, listed again or from its other end"),
        });
        self.unlike.tell(notes, "link", |links, first| {
            format!("{links} with different values in the two directions, such as {first}: the first is used")
        });
    }
}

impl Edge {
    /// As messages show it.
    pub fn shown(&self) -> String {
        format!("{} - {}", crate::input::shown(&self.source.node), crate::input::shown(&self.target.node))
    }
}
