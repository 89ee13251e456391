//! The names of the policies: the word and the line of help of each, and what it needs to know.

use serde::{Deserialize, Serialize};

/// The rule by which paths are chosen and ranked; `docs/paths.md` has the exact definitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Good for every number of subflows: the cheapest disjoint pair, then always what shares the least.
    #[default]
    Diverse,
    /// The shortest path; then those that share the fewest links with it, ties to the shorter.
    Smoc,
    /// The shortest simple paths.
    Shortest,
    /// For unequal links: always the path with the widest bottleneck in what those before leave, then the least shared.
    Widest,
}

impl Policy {
    /// All of them, the default first.
    pub const ALL: &'static [Self] = &[Self::Diverse, Self::Smoc, Self::Shortest, Self::Widest];

    /// As configurations and command lines write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Diverse => "diverse",
            Self::Smoc => "smoc",
            Self::Shortest => "shortest",
            Self::Widest => "widest",
        }
    }

    /// The policy of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|policy| policy.word() == word)
    }

    /// What it does, in a line.
    pub fn help(self) -> &'static str {
        match self {
            Self::Diverse => {
                "The cheapest disjoint pair, then always the path that shares the least with those before"
            }
            Self::Smoc => "The shortest path, then those that share the fewest links with it",
            Self::Shortest => "The shortest paths",
            Self::Widest => {
                "The path with the widest bottleneck in the capacity that those before leave, then the least shared"
            }
        }
    }

    /// What it needs to know of every link.
    pub(super) fn needs_capacity(self) -> bool {
        self == Self::Widest
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
