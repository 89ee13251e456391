//! What the edge indexes mean. An index keeps its meaning for as long as the maps live: flows in the kernel
//! refer to it.

use std::collections::BTreeMap;

use smoc_common::map::{EDGE_ENTRIES, EdgeIndex, THIS_EDGE};

use crate::dataplane::Toward;

/// Edge switches by index, this switch included; an edge has one more for each rule of policy by which paths lead there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeNames {
    by_index: BTreeMap<EdgeIndex, Toward>,
    by_name: BTreeMap<Toward, EdgeIndex>,
}

impl EdgeNames {
    /// Takes over what is installed; `this` has index 0 whatever was found there.
    pub fn found(names: &BTreeMap<EdgeIndex, Toward>, this: &str) -> Self {
        let mut by_index = names.clone();
        by_index.insert(THIS_EDGE, Toward { switch: this.to_owned(), rule: 0 });
        let by_name = by_index.iter().map(|(index, name)| (name.clone(), *index)).collect();
        Self { by_index, by_name }
    }

    /// The index of a switch by a rule, or by none; a new one if it has none yet, `None` if all are taken.
    pub fn index(&mut self, switch: &str, rule: u8) -> Option<EdgeIndex> {
        if let Some(index) = self.find(switch, rule) {
            return Some(index);
        }
        let free =
            (THIS_EDGE + 1..EDGE_ENTRIES as EdgeIndex).find(|index| !self.by_index.contains_key(index))?;
        let name = Toward { switch: switch.to_owned(), rule };
        self.by_index.insert(free, name.clone());
        self.by_name.insert(name, free);
        Some(free)
    }

    /// The index of a switch by a rule, or by none, if it has one.
    pub fn find(&self, switch: &str, rule: u8) -> Option<EdgeIndex> {
        self.by_name.get(&Toward { switch: switch.to_owned(), rule }).copied()
    }

    /// The switch that an index means.
    pub fn name(&self, index: EdgeIndex) -> Option<&str> {
        self.by_index.get(&index).map(|toward| toward.switch.as_str())
    }

    /// The number of the rule by which an index leads to its switch; 0 if by none.
    pub fn rule(&self, index: EdgeIndex) -> u8 {
        self.by_index.get(&index).map_or(0, |toward| toward.rule)
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<EdgeIndex, Toward> {
        self.by_index.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_keeps_its_meaning_over_restarts() {
        let mut names = EdgeNames::found(&BTreeMap::new(), "e1");
        let given = [("e3", 0), ("e2", 0), ("e3", 0), ("e3", 7)].map(|(name, rule)| names.index(name, rule));
        assert_eq!(given, [1, 2, 1, 3].map(Some));
        let mut again = EdgeNames::found(&names.all(), "e1");
        assert_eq!(
            (again.index("e0", 0), again.index("e2", 0), again.index("e3", 7)),
            (Some(4), Some(2), Some(3))
        );
        assert_eq!([0, 1, 3, 9].map(|index| again.name(index)), [Some("e1"), Some("e3"), Some("e3"), None]);
        assert_eq!([1, 3, 9].map(|index| again.rule(index)), [0, 7, 0]);
    }
}
