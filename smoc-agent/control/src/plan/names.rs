//! What the edge indexes mean. An index keeps its meaning for as long as the maps live: flows in the kernel
//! refer to it.

use std::collections::BTreeMap;

use smoc_common::map::{EDGE_ENTRIES, EdgeIndex, THIS_EDGE};

/// Edge switches by index, this switch included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeNames {
    by_index: BTreeMap<EdgeIndex, String>,
    by_name: BTreeMap<String, EdgeIndex>,
}

impl EdgeNames {
    /// Takes over what is installed; `this` has index 0 whatever was found there.
    pub fn found(names: &BTreeMap<EdgeIndex, String>, this: &str) -> Self {
        let mut by_index = names.clone();
        by_index.insert(THIS_EDGE, this.to_owned());
        let by_name = by_index.iter().map(|(index, name)| (name.clone(), *index)).collect();
        Self { by_index, by_name }
    }

    /// The index of a switch, a new one if it has none; `None` if all are taken.
    pub fn index(&mut self, name: &str) -> Option<EdgeIndex> {
        if let Some(index) = self.find(name) {
            return Some(index);
        }
        let free =
            (THIS_EDGE + 1..EDGE_ENTRIES as EdgeIndex).find(|index| !self.by_index.contains_key(index))?;
        self.by_index.insert(free, name.to_owned());
        self.by_name.insert(name.to_owned(), free);
        Some(free)
    }

    /// The index of a switch, if it has one.
    pub fn find(&self, name: &str) -> Option<EdgeIndex> {
        self.by_name.get(name).copied()
    }

    /// The switch that an index means.
    pub fn name(&self, index: EdgeIndex) -> Option<&str> {
        self.by_index.get(&index).map(String::as_str)
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<EdgeIndex, String> {
        self.by_index.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_keeps_its_meaning_over_restarts() {
        let mut names = EdgeNames::found(&BTreeMap::new(), "e1");
        assert_eq!((names.index("e3"), names.index("e2"), names.index("e3")), (Some(1), Some(2), Some(1)));
        let mut again = EdgeNames::found(&names.all(), "e1");
        assert_eq!((again.index("e0"), again.index("e2")), (Some(3), Some(2)));
        assert_eq!((again.name(0), again.name(1), again.name(9)), (Some("e1"), Some("e3"), None));
    }
}
