//! Bytes that both ends can tell without having exchanged them.

/// An endless pseudo-random byte stream (SplitMix64, little endian), the same for the same seed.
#[derive(Clone, Debug)]
pub struct ByteStream {
    state: u64,
    /// The bytes of the current word that have not been given out, and how many they are.
    rest: (u64, usize),
}

impl ByteStream {
    /// The stream of that seed, at its beginning.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, rest: (0, 0) }
    }

    /// Writes the next bytes of the stream.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        let (head, body) = buffer.split_at_mut(self.rest.1.min(buffer.len()));
        for byte in head {
            *byte = self.rest_byte();
        }
        let mut words = body.chunks_exact_mut(8);
        for word in &mut words {
            word.copy_from_slice(&self.word().to_le_bytes());
        }
        let tail = words.into_remainder();
        if !tail.is_empty() {
            self.rest = (self.word(), 8);
            for byte in tail {
                *byte = self.rest_byte();
            }
        }
    }

    /// Compares received bytes with the next ones of the stream; the offset of the first that differs.
    pub fn first_difference(&mut self, received: &[u8]) -> Option<usize> {
        let mut expected = [0; 4096];
        for (index, chunk) in received.chunks(expected.len()).enumerate() {
            let expected = &mut expected[..chunk.len()];
            self.fill(expected);
            if chunk != expected {
                let within = chunk.iter().zip(&*expected).position(|(got, want)| got != want);
                return Some(index * 4096 + within.unwrap_or(0));
            }
        }
        None
    }

    /// Where in the first `most` bytes of the stream of that seed these 16 bytes are, if they are.
    pub fn find(seed: u64, wanted: &[u8; 16], most: usize) -> Option<usize> {
        let mut bytes = vec![0; most];
        Self::new(seed).fill(&mut bytes);
        bytes.windows(wanted.len()).position(|window| window == wanted)
    }

    fn rest_byte(&mut self) -> u8 {
        let byte = self.rest.0 as u8;
        self.rest = (self.rest.0 >> 8, self.rest.1 - 1);
        byte
    }

    fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_does_not_depend_on_how_it_is_cut() {
        let mut whole = [0; 1000];
        ByteStream::new(7).fill(&mut whole);
        let mut cut = ByteStream::new(7);
        let mut offset = 0;
        for length in [1, 7, 8, 9, 3, 0, 16, 956] {
            let mut piece = vec![0; length];
            cut.fill(&mut piece);
            assert_eq!(piece, whole[offset..offset + length]);
            offset += length;
        }
        assert_eq!(offset, whole.len());
    }

    #[test]
    fn a_changed_byte_is_found_where_it_is() {
        let mut bytes = vec![0; 10_000];
        ByteStream::new(1).fill(&mut bytes);
        assert_eq!(ByteStream::new(1).first_difference(&bytes), None);
        bytes[5001] ^= 1;
        assert_eq!(ByteStream::new(1).first_difference(&bytes), Some(5001));
    }

    #[test]
    fn bytes_are_found_where_they_belong() {
        let mut bytes = [0; 1000];
        ByteStream::new(1).fill(&mut bytes);
        let wanted: [u8; 16] = bytes[501..517].try_into().unwrap();
        assert_eq!(ByteStream::find(1, &wanted, 1000), Some(501));
        assert_eq!(ByteStream::find(2, &wanted, 1000), None);
    }
}
