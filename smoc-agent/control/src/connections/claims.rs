//! What this edge knows of the connections that have a token.

use smoc_common::{
    map::{Connection, ConnectionId, EdgeIndex, Flow, FlowKey},
    pipeline::rank::flow_hash,
};

use crate::siblings::Stray;

/// A connection with a token that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its other token.
    pub peer: u32,
    /// Its subflows that live.
    pub subflows: Vec<Claimed>,
}

/// One of its subflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// See [`crate::discovery::inquiry::Sibling`].
    pub hash: u32,
    /// The rank of its path.
    pub rank: u8,
    /// Whether that stays.
    pub stays: bool,
    /// The edge at its other end.
    pub edge: EdgeIndex,
}

/// The claims of these connections to a token, with those of the subflows that are theirs. `plain` gives the index of an edge
/// whose paths no rule of policy chooses, for any index that leads there.
pub fn claims<'a>(
    token: u32,
    connections: &[(ConnectionId, Connection)],
    flows: impl Iterator<Item = (&'a FlowKey, &'a Flow)>,
    plain: impl Fn(EdgeIndex) -> EdgeIndex,
) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    let mine: Vec<&(ConnectionId, Connection)> = connections
        .iter()
        .filter(|(_, connection)| connection.local_token == token || connection.remote_token == token)
        .collect();
    for (_, connection) in &mine {
        let peer = connection.local_token ^ connection.remote_token ^ token;
        claims.push(Claim { peer, subflows: Vec::new() });
    }
    for (key, flow) in flows.filter(|(_, flow)| flow.connection != 0 && !flow.is_closed()) {
        let Some(place) = mine.iter().position(|(id, _)| *id == flow.connection) else { continue };
        let stays = flow.flags & Flow::JOIN == 0 || !is_stray(flow, Some(&mine[place].1), &plain);
        let (hash, rank, edge) = (flow_hash(key, 0), flow.rank, flow.remote.edge);
        claims[place].subflows.push(Claimed { hash, rank, stays, edge });
    }
    claims
}

/// An established join as a stray, if it is one; `plain` as in [`claims`].
pub fn stray(
    key: &FlowKey,
    flow: &Flow,
    connection: Option<&Connection>,
    plain: impl Fn(EdgeIndex) -> EdgeIndex,
) -> Option<Stray> {
    let is_join = flow.flags & Flow::JOIN != 0 && !flow.is_closed();
    (is_join && is_stray(flow, connection, &plain)).then_some(Stray {
        flow: *key,
        opened: flow.opened,
        token: flow.token,
        edge: flow.remote.edge,
        rank: flow.rank,
        is_ours: flow.flags & Flow::LOCAL_OPENED != 0,
    })
}

/// Whether this edge may not know all siblings of a subflow of this connection.
fn is_stray(flow: &Flow, connection: Option<&Connection>, plain: &impl Fn(EdgeIndex) -> EdgeIndex) -> bool {
    connection
        .is_none_or(|connection| connection.learned != 0 || connection.remote.edge != plain(flow.remote.edge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoc_common::{map::Attachment, wire::ip::Address};

    /// No edge has more than one index.
    fn same(index: EdgeIndex) -> EdgeIndex {
        index
    }

    fn key(port: u16) -> FlowKey {
        FlowKey::new(Address::from_v4([10, 0, 0, 1]), port, Address::from_v4([10, 0, 0, 2]), 80)
    }

    fn flow(connection: u64, edge: u16, flags: u8) -> Flow {
        let remote = Attachment { edge, port: 9 };
        Flow { connection, remote, flags, rank: edge as u8, token: 5, ..Flow::default() }
    }

    fn connection(local_token: u32, remote_token: u32) -> Connection {
        let remote = Attachment { edge: 1, port: 9 };
        Connection { local_token, remote_token, remote, ..Connection::EMPTY }
    }

    #[test]
    fn an_edge_claims_what_has_the_token_with_its_living_subflows() {
        let connections = [(1, connection(5, 6)), (2, connection(7, 5)), (3, connection(8, 9))];
        let ended = Flow { closing: Flow::RESET, ..flow(1, 1, 0) };
        let flows = [
            (key(1), flow(1, 1, 0)),
            (key(2), flow(1, 2, Flow::JOIN)),
            (key(3), ended),
            (key(4), flow(3, 1, 0)),
            (key(5), flow(0, 1, Flow::JOIN)),
        ];
        let claims = claims(5, &connections, flows.iter().map(|(key, flow)| (key, flow)), same);
        let subflow =
            |n: u16, edge: u16, stays| Claimed { hash: flow_hash(&key(n), 0), rank: edge as u8, stays, edge };
        let first = Claim { peer: 6, subflows: vec![subflow(1, 1, true), subflow(2, 2, false)] };
        assert_eq!(claims, [first, Claim { peer: 7, subflows: vec![] }]);
    }

    #[test]
    fn strays_are_joins_that_have_siblings_elsewhere() {
        let (known, learned) = (connection(5, 6), Connection { learned: 1, ..connection(5, 6) });
        for (flow, connection, expected) in [
            (flow(0, 1, Flow::JOIN), None, true),
            (flow(0, 1, 0), None, false),
            (flow(1, 1, Flow::JOIN), Some(&known), false),
            (flow(1, 2, Flow::JOIN), Some(&known), true),
            (flow(1, 1, Flow::JOIN), Some(&learned), true),
            (Flow { closing: Flow::RESET, ..flow(0, 1, Flow::JOIN) }, None, false),
        ] {
            assert_eq!(stray(&key(1), &flow, connection, same).is_some(), expected, "{flow:?}");
        }
    }
}
