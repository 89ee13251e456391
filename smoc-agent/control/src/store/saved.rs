//! What is kept on disk, so that an agent that starts while the store is away knows its fabric.
//!
//! ```text
//! smoc-store 1 CRC32 LENGTH\n      of all that follows: 8 hexadecimal digits, decimal bytes
//! {"fabric": ..., "switch": ..., "cluster": ..., "revision": ..., "records": {NAME: CONTENTS, ...}}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Key;

const MAGIC: &str = "smoc-store";
const FORMAT: &str = "1";

/// The records that an agent used, and what they were read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The fabric.
    pub fabric: String,
    /// The switch whose agent saved this.
    pub switch: String,
    /// The number of the store's cluster.
    pub cluster: u64,
    /// The store's revision when it was read last.
    pub revision: i64,
    /// Others' records.
    pub records: BTreeMap<Key, Vec<u8>>,
}

/// Why a file is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// It is something else.
    #[error("no snapshot of a store, or one of a version that this agent does not know")]
    Foreign,
    /// It is damaged.
    #[error("damaged: it does not have the checksum that it names")]
    Damaged,
    /// It is another switch's or fabric's.
    #[error("of switch {switch} in fabric {fabric}")]
    Other {
        /// The switch.
        switch: String,
        /// The fabric.
        fabric: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Body {
    fabric: String,
    switch: String,
    cluster: u64,
    revision: i64,
    records: BTreeMap<String, String>,
}

impl Saved {
    /// The bytes of a file. A record that is no UTF-8, which no agent writes, is left out.
    pub fn to_bytes(&self) -> Vec<u8> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).ok();
        let body = Body {
            fabric: self.fabric.clone(),
            switch: self.switch.clone(),
            cluster: self.cluster,
            revision: self.revision,
            records: self.records.iter().filter_map(|(key, it)| Some((key.to_string(), text(it)?))).collect(),
        };
        // Maps with text as keys always become JSON.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut file =
            format!("{MAGIC} {FORMAT} {:08x} {}\n", crc32fast::hash(&body), body.len()).into_bytes();
        file.extend(body);
        file
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is damaged, or not one of this switch in this fabric.
    pub fn parse(file: &[u8], fabric: &str, switch: &str) -> Result<Self, SavedError> {
        let end = file.iter().position(|byte| *byte == b'\n').ok_or(SavedError::Foreign)?;
        let head = std::str::from_utf8(&file[..end]).map_err(|_| SavedError::Foreign)?;
        let [MAGIC, FORMAT, checksum, length] = head.split(' ').collect::<Vec<_>>()[..] else {
            return Err(SavedError::Foreign);
        };
        let body = &file[end + 1..];
        let is_whole =
            length == body.len().to_string() && checksum == format!("{:08x}", crc32fast::hash(body));
        if !is_whole {
            return Err(SavedError::Damaged);
        }
        let body: Body = serde_json::from_slice(body).map_err(|_| SavedError::Foreign)?;
        if body.fabric != fabric || body.switch != switch {
            return Err(SavedError::Other { switch: body.switch, fabric: body.fabric });
        }
        let record = |(key, it): (String, String)| Some((Key::parse(&key)?, it.into_bytes()));
        Ok(Self {
            fabric: body.fabric,
            switch: body.switch,
            cluster: body.cluster,
            revision: body.revision,
            records: body.records.into_iter().filter_map(record).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> Saved {
        Saved {
            fabric: "lab".into(),
            switch: "e1".into(),
            cluster: u64::MAX,
            revision: 17,
            records: BTreeMap::from([(Key::Switch("e2".into()), b"{\"version\":1}".to_vec())]),
        }
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        assert_eq!(Saved::parse(&saved().to_bytes(), "lab", "e1"), Ok(saved()));
    }

    #[test]
    fn a_file_with_any_byte_changed_or_any_end_missing_is_refused() {
        let file = saved().to_bytes();
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x04;
            assert!(Saved::parse(&damaged, "lab", "e1").is_err(), "byte {at}");
            assert!(Saved::parse(&file[..at], "lab", "e1").is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_switchs_file_is_refused_by_name() {
        let error = Saved::parse(&saved().to_bytes(), "lab", "e9").unwrap_err();
        assert_eq!(error.to_string(), "of switch e1 in fabric lab");
    }
}
