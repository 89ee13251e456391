//! What a switch says to a neighbour, over the link between them, of the tree that it uses.
//!
//! | bytes | field |
//! |---|---|
//! | 0..8, 8..16 | the sender's epoch: boot, sequence |
//! | 16..24, 24..32 | the receiver's epoch that the sender last heard of at this port; 0, 0 if none |
//! | 32..40 | digest of the tree |
//! | 40..42 | number of the sender's port |
//! | 42 | 1: the sender is synced but for this port; 0: it is not |
//! | 43 | length of the name |
//! | 44.. | name of the sender, UTF-8, 1 to 64 bytes |
//!
//! Numbers are big endian. In front of it is the header of [`crate::discovery::announcement`].

use smoc_common::route::PortNumber;

const FIXED: usize = 44;

/// A time during which a switch wants one tree. No two epochs of a switch are the same, over restarts too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epoch {
    /// A number that the agent drew when it started.
    pub boot: u64,
    /// Counts the agent's epochs, from 1.
    pub sequence: u64,
}

/// What a switch says to the neighbour behind one of its ports. It is never passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The sender.
    pub switch: String,
    /// The port through which it says so.
    pub port: PortNumber,
    /// The tree that it wants.
    pub digest: u64,
    /// Its epoch.
    pub epoch: Epoch,
    /// The receiver's epoch that it last heard of at this port; [`Epoch::default`] if none.
    pub heard: Epoch,
    /// All its ports that may be open, but for this one, are confirmed in its epoch.
    pub synced: bool,
}

impl Statement {
    /// Appends the bytes.
    pub fn write(&self, to: &mut Vec<u8>) {
        let numbers =
            [self.epoch.boot, self.epoch.sequence, self.heard.boot, self.heard.sequence, self.digest];
        to.extend(numbers.into_iter().flat_map(u64::to_be_bytes));
        to.extend(self.port.get().to_be_bytes());
        to.extend([u8::from(self.synced), self.switch.len() as u8]);
        to.extend(self.switch.as_bytes());
    }

    /// Reads the bytes, and ignores what follows; `None` if they are no statement.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED)?;
        let number = |at: usize| Some(u64::from_be_bytes(fixed[at..at + 8].try_into().ok()?));
        let epoch = |at: usize| Some(Epoch { boot: number(at)?, sequence: number(at + 8)? });
        let (synced, length) = (fixed[42], usize::from(fixed[43]));
        if synced > 1 || !(1..=64).contains(&length) {
            return None;
        }
        Some(Self {
            switch: std::str::from_utf8(rest.get(..length)?).ok()?.to_owned(),
            port: PortNumber::new(u16::from_be_bytes([fixed[40], fixed[41]]))?,
            digest: number(32)?,
            epoch: epoch(0)?,
            heard: epoch(16)?,
            synced: synced == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            switch: "e1".into(),
            port: PortNumber::new(700).unwrap(),
            digest: 0x0102_0304_0506_0708,
            epoch: Epoch { boot: 9, sequence: 10 },
            heard: Epoch { boot: 11, sequence: 12 },
            synced: true,
        }
    }

    #[test]
    fn a_statement_survives_the_wire_and_padding() {
        for sent in [statement(), Statement { synced: false, switch: "x".repeat(64), ..statement() }] {
            let mut bytes = Vec::new();
            sent.write(&mut bytes);
            assert_eq!(Statement::parse(&bytes), Some(sent.clone()));
            bytes.extend([0; 20]);
            assert_eq!(Statement::parse(&bytes), Some(sent));
        }
    }

    #[test]
    fn what_is_no_statement_is_refused() {
        let mut good = Vec::new();
        statement().write(&mut good);
        for length in 0..good.len() {
            assert_eq!(Statement::parse(&good[..length]), None, "{length} bytes");
        }
        for (at, byte) in [(40, 0xff), (42, 2), (43, 0), (43, 65), (44, 0xff)] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert_eq!(Statement::parse(&bytes), None, "byte {at}");
        }
    }
}
