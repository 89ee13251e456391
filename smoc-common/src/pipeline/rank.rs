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

/// The rank of traffic that is no MPTCP: 0, or one of the ranks of least cost where flows are spread.
#[inline(always)]
pub fn plain(set: &PathSet, spread: u8, key: &FlowKey) -> u8 {
    let choices = set.cheapest.count_ones();
    if spread != Settings::SPREAD_FLOWS || choices < 2 {
        return 0;
    }
    let mut skip = flow_hash(key, 0) % choices;
    let mut rank = 0;
    while rank < Rank::COUNT as u8 {
        if set.cheapest >> rank & 1 != 0 {
            if skip == 0 {
                return rank;
            }
            skip -= 1;
        }
        rank += 1;
    }
    0
}

/// A hash of the two ends of a flow that does not depend on which is which.
#[inline(always)]
pub fn flow_hash(key: &FlowKey, salt: u32) -> u32 {
    let ends = end_hash(key.local, key.local_port).wrapping_add(end_hash(key.remote, key.remote_port));
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
