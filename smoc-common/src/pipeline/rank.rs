//! Which rank a flow takes where no handshake decided it. The hash is the same in both directions, so that
//! both edges choose the same path.

use crate::{
    map::{FlowKey, PathSet, Settings},
    route::Rank,
    wire::ip::Address,
};

/// The rank of an MPTCP subflow that nothing is known of: any of them, by token and 4-tuple.
#[inline(always)]
pub fn hashed(set: &PathSet, key: &FlowKey, token: u32) -> u8 {
    if set.count == 0 {
        return 0;
    }
    (flow_hash(key, token) % u32::from(set.count)) as u8
}

/// The path, as numbered in a [`PathSet`], of traffic that is no MPTCP: the first of least cost, or any of them where flows
/// are spread.
#[inline(always)]
pub fn plain(set: &PathSet, spread: u8, key: &FlowKey) -> u8 {
    let choices = u32::from(set.base_count);
    if choices == 0 {
        return 0;
    }
    let chosen = if spread == Settings::SPREAD_FLOWS { flow_hash(key, 0) % choices } else { 0 };
    PathSet::BASE as u8 + chosen as u8
}

/// The rank of a connection's n-th subflow, counted from that of its initial one, which is 0 unless its SYN had to move.
/// Where no paths are known yet, the rank as it wraps around only once they are.
#[inline(always)]
pub fn of_number(set: Option<&PathSet>, first: u8, number: u32) -> u8 {
    let count = set.map_or(Rank::COUNT as u32, |set| u32::from(set.count).max(1));
    (number.wrapping_add(u32::from(first)) % count) as u8
}

/// The rank after this one, the first after the last.
#[inline(always)]
pub fn next(set: Option<&PathSet>, rank: u8) -> u8 {
    let after = rank.wrapping_add(1);
    if set.is_some_and(|set| after < set.count) { after } else { 0 }
}

/// The n-th bit that is set, counted from 0: the n-th of some ranks. 0 without such a bit.
///
/// Without a loop: before Linux 6.17 the verifier follows one that ends early into paths that are only speculated about, where it
/// never ends.
#[inline(always)]
pub fn nth(ranks: u8, n: u32) -> u8 {
    let without = |ranks: u8, is_passed: bool| if is_passed { ranks & ranks.wrapping_sub(1) } else { ranks };
    let ranks = without(without(without(ranks, n > 0), n > 1), n > 2);
    let ranks = without(without(without(without(ranks, n > 3), n > 4), n > 5), n > 6);
    if ranks == 0 { 0 } else { ranks.trailing_zeros() as u8 }
}

/// A hash of the two ends of a flow that does not depend on which is which.
#[inline(always)]
pub fn flow_hash(key: &FlowKey, salt: u32) -> u32 {
    let ends =
        end_hash(key.local(), key.local_port()).wrapping_add(end_hash(key.remote(), key.remote_port()));
    mix(ends ^ salt)
}

#[inline(always)]
fn end_hash(address: Address, port: u16) -> u32 {
    let [a, b, c, d] = address.words();
    let high = mix(a ^ b.rotate_left(16) ^ c.rotate_left(8));
    mix(high ^ d ^ u32::from(port).rotate_left(11))
}

/// The finaliser of MurmurHash3 (public domain, A. Appleby): every input bit changes half of the output.
#[inline(always)]
const fn mix(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}
