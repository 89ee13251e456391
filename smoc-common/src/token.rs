//! Tokens of MPTCP keys.
//!
//! | version | token | source |
//! |---|---|---|
//! | 0 | the top 32 bits of SHA-1(key) | RFC 6824, 3.1 and 3.2 |
//! | 1 | the top 32 bits of SHA-256(key) | RFC 8684, 3.1 and 3.2 |
//!
//! A key is 8 bytes, so both hashes are one application of the compression function to one constant-padded
//! block, and only the first word of the result is computed (FIPS 180-4, 6.1.2 and 6.2.2). Keys are secrets:
//! nothing here keeps one.

use core::hint::black_box;

/// The MPTCP version that a connection agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Version {
    /// RFC 6824.
    V0 = 0,
    /// RFC 8684.
    #[default]
    V1 = 1,
}

/// The message schedule of a hash: its last sixteen words (FIPS 180-4, 6.1.3 and 6.2.2).
pub type Schedule = [u32; 16];

/// The token of a key; `key` in network byte order read as one number.
pub fn derive(version: Version, key: u64) -> u32 {
    derive_with(version, key, &mut [0; _], |index| index)
}

/// The token of a key, with the schedule in a place of the caller's and with indexes that have passed through
/// `obscured`, which gives back the same number: without CAP_PERFMON the kernel's verifier wants neither an array on the
/// stack to be indexed by a variable nor any array by a constant that differs from round to round.
#[inline(always)]
pub fn derive_with(
    version: Version,
    key: u64,
    schedule: &mut Schedule,
    obscured: impl Fn(usize) -> usize,
) -> u32 {
    // The padded message: the key, a 1 bit, zeros, and its length of 64 bits. The zeros are hidden from the compiler,
    // because BPF has no function to fill memory with them that the verifier always accepts.
    let (high, low, o) = ((key >> 32) as u32, key as u32, black_box(0));
    *schedule = [high, low, 0x8000_0000, o, o, o, o, o, o, o, o, o, o, o, o, 64];
    match version {
        Version::V0 => sha1(schedule, obscured),
        Version::V1 => sha256(schedule, obscured),
    }
}

/// The first word of SHA-256 (FIPS 180-4, 6.2.2) of the message in the schedule.
#[inline(always)]
fn sha256(w: &mut Schedule, obscured: impl Fn(usize) -> usize) -> u32 {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = SHA256_INITIAL;
    let mut round = 0;
    while round < 64 {
        let t = obscured(round);
        if round >= 16 {
            let w15 = w[(t + 1) & 15];
            let w2 = w[(t + 14) & 15];
            let s0 = w15.rotate_right(7) ^ w15.rotate_right(18) ^ w15 >> 3;
            let s1 = w2.rotate_right(17) ^ w2.rotate_right(19) ^ w2 >> 10;
            w[t & 15] = w[t & 15].wrapping_add(s0).wrapping_add(w[(t + 9) & 15]).wrapping_add(s1);
        }
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = g ^ (e & (f ^ g));
        let t1 =
            h.wrapping_add(s1).wrapping_add(choice).wrapping_add(SHA256_K[t & 63]).wrapping_add(w[t & 15]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) | (c & (a | b));
        (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
        (d, c, b, a) = (c, b, a, t1.wrapping_add(s0).wrapping_add(majority));
        // By way of the stack, as in `mptcp::Handshake::read`.
        round = black_box(round + 1);
    }
    a.wrapping_add(SHA256_INITIAL[0])
}

/// The first word of SHA-1 (FIPS 180-4, 6.1.2) of the message in the schedule.
#[inline(always)]
fn sha1(w: &mut Schedule, obscured: impl Fn(usize) -> usize) -> u32 {
    let [mut a, mut b, mut c, mut d, mut e] = SHA1_INITIAL;
    let mut round = 0;
    while round < 80 {
        let t = obscured(round);
        if round >= 16 {
            let mixed = w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15];
            w[t & 15] = mixed.rotate_left(1);
        }
        let (f, k) = match round / 20 {
            0 => (d ^ (b & (c ^ d)), 0x5a82_7999),
            1 => (b ^ c ^ d, 0x6ed9_eba1),
            2 => ((b & c) | (d & (b | c)), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6),
        };
        let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(w[t & 15]);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        // By way of the stack, as in `mptcp::Handshake::read`.
        round = black_box(round + 1);
    }
    a.wrapping_add(SHA1_INITIAL[0])
}

const SHA1_INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

const SHA256_INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// FIPS 180-4, 4.2.2.
#[rustfmt::skip]
const SHA256_K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Published examples: key, token.
    const V1: &[(u64, u32)] = &[(0x22fc_33ed_9d78_b9e7, 0x400b_22a3)];
    const V0: &[(u64, u32)] = &[
        (0x8b73_4bab_db53_5b42, 0xa9a6_4289),
        (0xef15_e5e0_81b2_81c8, 0xf3f9_0ffc),
        (0xcd70_c6bc_f3c8_e118, 0x3c84_67cf),
        (0x2595_6dbd_3a41_a6fa, 0xbe10_3bd2),
    ];
    /// Pairs of different keys with one token.
    const V1_COLLISIONS: &[(u64, u64, u32)] = &[
        (0x0783_91f4_0003_7afb, 0xc32c_07bf_bf9e_6099, 0x2b78_6154),
        (0xc9a3_4960_7d76_2338, 0xe7b6_21d5_52eb_f580, 0x4fe8_8cf7),
        (0x760d_a0f1_0fb0_9a69, 0xa2ce_739d_2413_dd00, 0xe49f_8588),
        (0x7def_9928_19fa_800d, 0xa626_a186_4167_bf96, 0xff0a_a4d9),
    ];
    const V0_COLLISIONS: &[(u64, u64, u32)] = &[
        (0xf202_f732_54ec_436d, 0x91e6_87e0_62e0_b0cd, 0x4613_c1ab),
        (0x10a7_d91c_5fb6_00f3, 0x8dfd_9422_ea24_2bb9, 0x75a5_9f67),
        (0x9fa1_989c_6596_5500, 0xfdfe_f4fa_485a_42f4, 0x2613_683e),
        (0xe517_c335_f4ff_dc79, 0x1775_44f0_693b_bcc8, 0x773c_4a0b),
    ];

    #[test]
    fn published_tokens() {
        for &(key, token) in V1 {
            assert_eq!(derive(Version::V1, key), token, "{key:016x}");
        }
        for &(key, token) in V0 {
            assert_eq!(derive(Version::V0, key), token, "{key:016x}");
        }
    }

    #[test]
    fn colliding_keys_give_one_token() {
        for (version, pairs) in [(Version::V1, V1_COLLISIONS), (Version::V0, V0_COLLISIONS)] {
            for &(one, other, token) in pairs {
                assert_eq!([derive(version, one), derive(version, other)], [token; 2], "{one:016x}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn tokens_are_those_of_the_reference_hashes(key: u64) {
            use sha1::{Digest as _, Sha1};
            use sha2::Sha256;
            let top = |digest: &[u8]| u32::from_be_bytes(digest[..4].try_into().unwrap());
            proptest::prop_assert_eq!(derive(Version::V0, key), top(&Sha1::digest(key.to_be_bytes())));
            proptest::prop_assert_eq!(derive(Version::V1, key), top(&Sha256::digest(key.to_be_bytes())));
        }
    }
}
