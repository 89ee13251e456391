//! Damaged input, the same on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound.max(1) as u64) as usize
    }
}

/// Values at which something often changes.
const EDGES: [u8; 10] = [0, 1, 2, 3, 0x0f, 0x40, 0x7f, 0x80, 0xf0, 0xff];

/// One to six changes to a seed: bytes set, bits turned, parts cut out, doubled, or taken from another seed.
pub fn damaged(random: &mut Random, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = (at + 1 + random.below(40)).min(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at.min(end)..end)),
            2 => {
                let part = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 => {
                let from = random.below(other.len() + 1);
                let part = &other[from..(from + 40).min(other.len())];
                bytes.splice(at.min(end)..end, part.iter().copied());
            }
            4 => bytes.insert(at, random.bits() as u8),
            5 => change(&mut bytes, at, |byte| byte ^ 1 << (random.below(8) as u8)),
            6 => change(&mut bytes, at, |_| EDGES[random.below(EDGES.len())]),
            _ => change(&mut bytes, at, |_| random.bits() as u8),
        }
    }
    bytes
}

fn change(bytes: &mut [u8], at: usize, to: impl FnOnce(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = to(*byte);
    }
}
