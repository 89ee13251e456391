//! What a port of this switch leads to.

/// Which program a port gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Hosts are behind it.
    Host,
    /// Another switch is behind it.
    Fabric,
}
