//! Names of records.
//!
//! ```text
//! /smoc/FABRIC/v1/switches/SWITCH       what a switch says of its ports        written by that switch
//! /smoc/FABRIC/v1/hosts/SWITCH/PORT     the hosts behind one of its ports      written by that switch
//! /smoc/FABRIC/v1/policy/NAME           a policy                               written by operators
//! /smoc/FABRIC/v1/config                what is the same for all switches      written by operators
//! /smoc/FABRIC/v1/drain/TARGET          what traffic is to leave               written by operators
//! ```

use smoc_common::route::PortNumber;

/// Where the records of a fabric are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Where those of the fabric with this name are.
    pub fn new(fabric: &str) -> Self {
        Self(format!("/smoc/{fabric}/v1/"))
    }

    /// As text: all names begin with it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full name of a record.
    pub fn name(&self, key: &Key) -> String {
        format!("{}{key}", self.0)
    }

    /// The record with this full name; `None` for what this version does not know.
    pub fn key(&self, name: &[u8]) -> Option<Key> {
        Key::parse(std::str::from_utf8(name).ok()?.strip_prefix(&self.0)?)
    }
}

/// The name of a record within its fabric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// What is the same for all switches.
    Config,
    /// A switch or link that traffic is to leave, or may use again.
    Drain(String),
    /// A policy by its name.
    Policy(String),
    /// What a switch says of its own ports.
    Switch(String),
    /// The hosts behind a port of a switch.
    Hosts(String, PortNumber),
}

impl Key {
    /// Reads what [`std::fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let key = match (parts.next()?, parts.next(), parts.next()) {
            ("config", None, None) => Self::Config,
            ("drain", Some(target), None) => Self::Drain(target.into()),
            ("policy", Some(name), None) => Self::Policy(name.into()),
            ("switches", Some(name), None) => Self::Switch(name.into()),
            ("hosts", Some(switch), Some(port)) => {
                Self::Hosts(switch.into(), PortNumber::new(port.parse().ok()?)?)
            }
            _ => return None,
        };
        // Exactly as it would be written: no further parts, no empty names, no "09".
        (key.to_string() == text && key.owner() != Some("")).then_some(key)
    }

    /// The switch that writes it; `None` for records of operators.
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Switch(name) | Self::Hosts(name, _) => Some(name),
            Self::Config | Self::Drain(_) | Self::Policy(_) => None,
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config => f.write_str("config"),
            Self::Drain(target) => write!(f, "drain/{target}"),
            Self::Policy(name) => write!(f, "policy/{name}"),
            Self::Switch(name) => write!(f, "switches/{name}"),
            Self::Hosts(switch, port) => write!(f, "hosts/{switch}/{}", port.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let prefix = Prefix::new("lab");
        let port = PortNumber::new(9).unwrap();
        let keys =
            [Key::Config, Key::Policy("p".into()), Key::Switch("e1".into()), Key::Hosts("e1".into(), port)];
        let drain = Key::Drain("e1:1-m1:1".into());
        for key in keys.into_iter().chain([drain]) {
            assert_eq!(prefix.key(prefix.name(&key).as_bytes()), Some(key));
        }
        assert_eq!(prefix.name(&Key::Hosts("e1".into(), port)), "/smoc/lab/v1/hosts/e1/9");
    }

    #[test]
    fn other_names_are_no_records() {
        for name in [
            "",
            "configs",
            "config/x",
            "switches",
            "switches/",
            "switches/a/b",
            "hosts/e1",
            "hosts/e1/0",
            "hosts/e1/09",
            "hosts/e1/1024",
            "hosts//9",
            "hosts/e1/9/x",
            "links/e1",
        ] {
            assert_eq!(Key::parse(name), None, "{name}");
        }
        assert_eq!(Prefix::new("lab").key(b"/smoc/other/v1/config"), None);
        assert_eq!(Prefix::new("lab").key(b"/smoc/lab/v1/\xff"), None);
    }
}
