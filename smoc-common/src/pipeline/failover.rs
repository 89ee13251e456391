//! Which path a frame takes at its ingress edge while that of its rank is down: decided per path, for all subflows
//! alike, so that they are back when it is.

use core::hint::black_box;

use super::{Table, Tables, rank::nth};
use crate::{
    event::Note,
    map::{ConnectionId, EdgeIndex, PathSet},
    route::{Label, PushedRoute, Rank, Route},
    wire::Frame,
};

/// [`choose`] found no path.
const NONE: u8 = Rank::COUNT as u8;

/// Pushes the route of another rank than the label's, whose path is down, for a frame to `edge` of this connection (0:
/// of none that is known); the port through which the frame leaves, or 0 if no rank is up.
#[inline(always)]
pub fn push<T: Tables>(
    frame: &mut impl Frame,
    tables: &mut T,
    edge: EdgeIndex,
    connection: ConnectionId,
    label: Label,
) -> u16 {
    let chosen = choose(tables, edge, label.rank().get(), connection);
    if chosen == NONE {
        return 0;
    }
    let rank = Rank::new(chosen);
    let Some(set) = tables.path_set(edge) else { return 0 };
    let path = set.paths[usize::from(rank.get())];
    if !tables.leave_through(path.port) {
        return 0;
    }
    let has_moved = label.is_moved() || rank != label.rank();
    let label = Label::new(rank, label.is_routed()).moved(has_moved);
    let pushed = PushedRoute { label, route: Route::from_bits(path.route) };
    if frame.set_addresses(pushed.words()).is_none() {
        return 0;
    }
    if has_moved {
        tables.count(Note::FailedOver.counter());
    }
    path.port
}

/// A rank that is up, instead of `rank`, which is not: one that the connection does not use yet if there is one,
/// else any. Several of its subflows that lost their paths get different ones. [`NONE`] if no path starts at a port
/// that is up.
#[inline(always)]
fn choose<T: Tables>(tables: &mut T, edge: EdgeIndex, rank: u8, connection: ConnectionId) -> u8 {
    let mut up = up(tables, edge, false);
    if up == 0 {
        // Nothing is known to work: what may be broken far away is better than nothing.
        up = self::up(tables, edge, true);
    }
    let used = used(tables, edge, connection);
    let free = if up & !used == 0 { up } else { up & !used };
    if free == 0 {
        return NONE;
    }
    let below = (1u8 << (rank & 7)) - 1;
    let skip = (used & !up & below).count_ones() % free.count_ones();
    tables.obscured(nth(free, skip)).unwrap_or(NONE)
}

/// A bit for each rank whose first port is up and that is not known to be broken further on.
#[inline(always)]
fn up<T: Tables>(tables: &mut T, edge: EdgeIndex, even_broken: bool) -> u8 {
    let Some(&PathSet { count, broken, .. }) = tables.path_set(edge) else { return 0 };
    let mut up = 0;
    // As wide as a register, for then the verifier remembers it in memory.
    let mut rank = 0u64;
    while rank < Rank::COUNT as u64 && rank < u64::from(count) {
        let is_broken = broken >> rank & 1 != 0 && !even_broken;
        if !is_broken && port_of(tables, edge, rank as u8).is_some_and(|port| tables.leave_through(port)) {
            // Else the verifier tells every set of ranks from every other.
            up = tables.obscured(up | 1 << rank).unwrap_or(0);
        }
        // By way of the stack, as in `wire::mptcp`.
        rank = black_box(rank + 1);
    }
    up
}

/// A bit for each rank that the subflows of a connection have: its n-th subflow has the n-th rank from that of the initial
/// one, modulo their number.
#[inline(always)]
fn used<T: Tables>(tables: &mut T, edge: EdgeIndex, connection: ConnectionId) -> u8 {
    let count = tables.path_set(edge).map_or(0, |set| u32::from(set.count));
    let connection = tables.connections().get(&connection);
    let (subflows, first) = connection.map_or((0, 0), |it| (it.subflows, u32::from(it.first_rank)));
    let ranks = if subflows < count { subflows } else { count };
    let from_zero = (1u32 << (ranks & 15)) - 1;
    let first = first % count.max(1);
    (from_zero << (first & 7) | from_zero >> (count.wrapping_sub(first) & 15)) as u8
}

/// The first port of the path with this rank.
#[inline(always)]
fn port_of<T: Tables>(tables: &mut T, edge: EdgeIndex, rank: u8) -> Option<u16> {
    let rank = Rank::new(tables.obscured(rank)?);
    Some(tables.path_set(edge)?.paths[usize::from(rank.get())].port)
}
