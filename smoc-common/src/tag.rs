//! The tag by which a hello or probe is known to be of this fabric: SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein, "SipHash: a
//! fast short-input PRF", INDOCRYPT 2012), which a program computes in some hundred instructions.
//!
//! A tag has 64 bits. Who guesses one has a chance of 1 in 2^64 with each frame, and learns nothing from a miss.

/// A key of 128 bits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TagKey {
    /// Its first half, little endian.
    pub low: u64,
    /// Its second half.
    pub high: u64,
}

impl core::fmt::Debug for TagKey {
    /// Keys are secrets.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(if self.is_none() { "no key" } else { "a key" })
    }
}

impl TagKey {
    /// No key, which nobody signs with.
    pub const NONE: Self = Self { low: 0, high: 0 };

    /// A key of these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        let all = u128::from_le_bytes(bytes);
        Self { low: all as u64, high: (all >> 64) as u64 }
    }

    /// Whether this is none.
    #[inline(always)]
    pub const fn is_none(&self) -> bool {
        self.low == 0 && self.high == 0
    }
}

/// How many numbers are signed.
pub const WORDS: usize = 8;

/// The tag of these numbers, each little endian.
#[inline(never)]
pub fn tag(key: &TagKey, words: &[u64; WORDS]) -> u64 {
    let mut v = [
        key.low ^ 0x736f_6d65_7073_6575,
        key.high ^ 0x646f_7261_6e64_6f6d,
        key.low ^ 0x6c79_6765_6e65_7261,
        key.high ^ 0x7465_6462_7974_6573,
    ];
    // One by one: without CAP_PERFMON the verifier takes no pointer that a loop moves on.
    v = absorb(v, words[0]);
    v = absorb(v, words[1]);
    v = absorb(v, words[2]);
    v = absorb(v, words[3]);
    v = absorb(v, words[4]);
    v = absorb(v, words[5]);
    v = absorb(v, words[6]);
    v = absorb(v, words[7]);
    let length = (size_of::<[u64; WORDS]>() as u64) << 56;
    v = absorb(v, length);
    v[2] ^= 0xff;
    v = round(round(round(round(v))));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[inline(always)]
const fn absorb(mut v: [u64; 4], word: u64) -> [u64; 4] {
    v[3] ^= word;
    v = round(round(v));
    v[0] ^= word;
    v
}

#[inline(always)]
const fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use core::hash::Hasher as _;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_tag_is_what_the_standard_library_makes_of_the_same_bytes(low: u64, high: u64, words: [u64; WORDS]) {
            #[expect(deprecated, reason = "nothing else there is SipHash-2-4")]
            let mut hasher = core::hash::SipHasher::new_with_keys(low, high);
            words.iter().for_each(|word| hasher.write(&word.to_le_bytes()));
            prop_assert_eq!(tag(&TagKey { low, high }, &words), hasher.finish());
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = TagKey::new(*b"0123456789abcdef");
        assert_eq!(alloc::format!("{key:?}{:?}", TagKey::NONE), "a keyno key");
        assert_eq!((key.low, key.high), (0x3736_3534_3332_3130, 0x6665_6463_6261_3938));
    }
}
